//! Asks brokers how far the share groups have come (DescribeShareGroupOffsets). What is told while those who keep it stay the same counts.

use std::time::Duration;

use broker::protocol::Response;
use broker::types::{NodeId, TopicIdPartition};
use bytes::BytesMut;
use rand::Rng;

use super::SHARE_STATE_TOPIC;
use super::history::StartRead;
use super::requests::describe;
use crate::campaign::client::{Call, Client, Link};
use crate::campaign::world::World;

const PATIENCE: Duration = Duration::from_millis(2_500);

/// Who leads the partitions of share state, and in which epoch, if they know it themselves.
fn reigns(world: &World) -> Option<Vec<(NodeId, i32)>> {
    let topic = world.truth()?.topic(SHARE_STATE_TOPIC)?;
    let reign = |(index, partition): (i32, &broker::metadata::image::PartitionImage)| {
        let id = TopicIdPartition { topic_id: topic.id, partition: index };
        let replica = world.broker(partition.leader)?.replicas.partition(&id)?;
        let knows = replica.is_leader() && replica.leader_epoch() == partition.leader_epoch;
        knows.then_some((partition.leader, partition.leader_epoch))
    };
    (0..).zip(&topic.partitions).map(reign).collect()
}

/// A broker knows them as they are.
fn is_informed(world: &World, node: NodeId) -> bool {
    let leaders = |image: &broker::metadata::image::Image| {
        let topic = image.topic(SHARE_STATE_TOPIC)?;
        Some(topic.partitions.iter().map(|it| (it.leader, it.leader_epoch)).collect::<Vec<_>>())
    };
    world.broker(node).and_then(|broker| leaders(&broker.image)) == world.truth().and_then(leaders)
}

struct Asked {
    call: Call,
    node: NodeId,
    group: u32,
    at: Duration,
    /// `None`: what is told may be old.
    reigns: Option<Vec<(NodeId, i32)>>,
}

/// See the module.
pub(in crate::campaign) struct Inspector {
    me: usize,
    group: u32,
    asked: Option<Asked>,
    next_at: Duration,
    link: Link,
}

impl Inspector {
    pub(in crate::campaign) fn new(me: usize, now: Duration) -> Inspector {
        Inspector { me, group: 0, asked: None, next_at: now, link: Link::default() }
    }
}

impl Client for Inspector {
    fn next_at(&self) -> Duration {
        self.asked.as_ref().map_or(self.next_at, |asked| asked.at + PATIENCE)
    }

    fn act(&mut self, world: &mut World) {
        let now = world.now.mono;
        if self.asked.as_ref().is_some_and(|asked| asked.at + PATIENCE > now) {
            return;
        }
        if self.asked.take().is_some() {
            self.link.hang_up(world);
        }
        self.next_at = now + Duration::from_millis(world.rng.random_range(50..400));
        self.group = (self.group + 1) % world.history.share.groups.len().max(1) as u32;
        let node = world.rng.random_range(1..=world.plan.brokers);
        let (request, version) = describe(self.group, world.plan.partitions);
        let reigns = reigns(world).filter(|_| is_informed(world, node));
        let call = self.link.call_listener(world, self.me, node, &request, version);
        self.asked = call.map(|call| Asked { call, node, group: self.group, at: now, reigns });
    }

    fn on_answer_leaving(&mut self, world: &mut World, conn: u64, seq: u64, frame: &BytesMut) {
        let Some(asked) = self.asked.as_ref().filter(|it| it.call.conn == conn && it.call.seq == seq) else { return };
        let is_sure = asked.reigns.is_some() && asked.reigns == reigns(world) && is_informed(world, asked.node);
        let Ok(Response::DescribeShareGroupOffsets(answer)) = asked.call.peek(frame) else { return };
        let groups = answer.groups.iter().filter(|group| group.error_code == 0 && is_sure);
        for part in groups.flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions) {
            if part.error_code != 0 {
                continue;
            }
            world.history.share.starts.push(StartRead {
                group: asked.group,
                partition: part.partition_index as u32,
                start_offset: part.start_offset,
                lag: part.lag,
                asked: asked.at,
                left: world.now.mono,
            });
        }
    }

    fn on_answer(&mut self, _world: &mut World, conn: u64, seq: u64, _frame: BytesMut) {
        self.asked.take_if(|asked| asked.call.conn == conn && asked.call.seq == seq);
    }

    fn on_closed(&mut self, _world: &mut World, conn: u64) {
        self.link.closed(conn);
        self.asked.take_if(|asked| asked.call.conn == conn);
    }

    fn finish(&mut self) {}

    fn is_idle(&self) -> bool {
        true
    }
}
