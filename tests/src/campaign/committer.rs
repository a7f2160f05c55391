//! A consumer's other half: commits ever larger offsets to its group's coordinator and asks for them again, across failovers of
//! `__consumer_offsets`. What was acknowledged must never be forgotten.

use std::time::Duration;

use broker::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use broker::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use broker::protocol::messages::{
    FindCoordinatorRequestData, KafkaString, OffsetCommitRequestData, OffsetFetchRequestData, OffsetFetchResponseData,
};
use broker::protocol::{Request, Response};
use broker::types::NodeId;
use bytes::BytesMut;
use rand::Rng;

use super::client::{Call, Client, Link};
use super::history::{Anomaly, Kind};
use super::plan::TOPIC;
use super::world::World;

/// Has one partition here (`offsets.topic.num.partitions`), so that its leader is everybody's coordinator.
pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Where transactional ids are kept.
pub(super) const TRANSACTION_TOPIC: &str = "__transaction_state";
const PATIENCE: Duration = Duration::from_millis(2_500);

/// What was asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// Where the coordinator is: the first to ask has the topic made.
    Coordinator,
    /// To remember this.
    Commit(i64),
    /// What is remembered; it must be `least` or more if who answers leads all the while.
    Fetch { least: i64, reign: (NodeId, i32) },
}

/// See the module.
pub(super) struct Committer {
    me: usize,
    next: i64,
    acknowledged: i64,
    call: Option<(Call, Duration, Asked)>,
    next_at: Duration,
    link: Link,
    finishing: bool,
    /// The last question was answered.
    done: bool,
}

impl Committer {
    pub(super) fn new(me: usize, now: Duration) -> Committer {
        Committer {
            me,
            next: 1,
            acknowledged: -1,
            call: None,
            next_at: now,
            link: Link::default(),
            finishing: false,
            done: false,
        }
    }

    fn group(&self) -> KafkaString {
        KafkaString::from(format!("group-{}", self.me))
    }

    fn commit(&self, offset: i64) -> Request {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequestData::default()
            .with_group_id(self.group())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        Request::OffsetCommit(request)
    }

    fn fetch(&self) -> Request {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default().with_group_id(self.group()).with_topics(Some(vec![topic]));
        // As consumers ask. Who does not ask for stable offsets is told, as by Kafka, what a new coordinator knows to be committed already.
        Request::OffsetFetch(OffsetFetchRequestData::default().with_groups(vec![group]).with_require_stable(true))
    }

    fn ask(&mut self, world: &mut World) -> Option<(Call, Asked)> {
        let Some((leader, epoch)) = reign(world) else {
            let request = FindCoordinatorRequestData::default().with_coordinator_keys(vec![self.group()]);
            let node = world.rng.random_range(1..=world.plan.brokers);
            let call = self.link.call(world, self.me, node, &Request::FindCoordinator(request), 4)?;
            return Some((call, Asked::Coordinator));
        };
        if leader < 0 {
            return None;
        }
        if self.finishing || world.rng.random_range(0..3) == 0 {
            let asked = Asked::Fetch { least: self.acknowledged, reign: (leader, epoch) };
            return Some((self.link.call(world, self.me, leader, &self.fetch(), 8)?, asked));
        }
        let offset = self.next;
        let call = self.link.call(world, self.me, leader, &self.commit(offset), 8)?;
        self.next += 1;
        Some((call, Asked::Commit(offset)))
    }

    fn on_fetched(&mut self, world: &mut World, answer: &OffsetFetchResponseData, least: i64, asked: (NodeId, i32)) {
        let Some(group) = answer.groups.first().filter(|group| group.error_code == 0) else { return };
        let partition = group.topics.first().and_then(|topic| topic.partitions.first());
        let Some(partition) = partition.filter(|partition| partition.error_code == 0) else { return };
        let committed = partition.committed_offset;
        if committed >= self.next {
            let what = format!("the coordinator remembers {committed} for group {}, which nobody committed", self.me);
            world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
        }
        // Who was replaced meanwhile may tell old things.
        if reign(world) != Some(asked) {
            return;
        }
        self.done = self.finishing;
        if committed < least {
            let what = format!(
                "offset {least} of group {} was acknowledged, and its coordinator {} remembers {committed}",
                self.me, asked.0
            );
            world.anomalies.push(Anomaly::new(Kind::CommitLost, what));
        }
    }
}

/// Who leads the offsets topic, and in which epoch, as whoever knows the newest has it.
pub(super) fn reign(world: &World) -> Option<(NodeId, i32)> {
    let partition = world.truth()?.partition(OFFSETS_TOPIC, 0)?;
    Some((partition.leader, partition.leader_epoch))
}

impl Client for Committer {
    fn next_at(&self) -> Duration {
        match &self.call {
            Some((_, deadline, _)) => *deadline,
            None if self.done => Duration::MAX,
            None => self.next_at,
        }
    }

    fn act(&mut self, world: &mut World) {
        let now = world.now.mono;
        if let Some((_, deadline, _)) = &self.call {
            if *deadline > now {
                return;
            }
            self.call = None;
            self.link.hang_up(world);
        }
        self.next_at = now + Duration::from_millis(world.rng.random_range(30..300));
        self.call = self.ask(world).map(|(call, asked)| (call, now + PATIENCE, asked));
    }

    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut) {
        let matches = |(call, _, _): &mut (Call, Duration, Asked)| call.conn == conn && call.seq == seq;
        let Some((call, _, asked)) = self.call.take_if(matches) else { return };
        match (asked, call.answer(world, frame)) {
            (Asked::Commit(offset), Some(Response::OffsetCommit(answer))) => {
                let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
                if partition.is_some_and(|partition| partition.error_code == 0) {
                    self.acknowledged = self.acknowledged.max(offset);
                }
            }
            (Asked::Fetch { least, reign }, Some(Response::OffsetFetch(answer))) => {
                self.on_fetched(world, &answer, least, reign);
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, _world: &mut World, conn: u64) {
        self.link.closed(conn);
        self.call.take_if(|(call, _, _)| call.conn == conn);
    }

    fn finish(&mut self) {
        self.finishing = true;
    }

    fn is_idle(&self) -> bool {
        self.done
    }
}
