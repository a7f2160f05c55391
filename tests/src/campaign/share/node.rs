//! What a member has to do with one broker: its share session there, and the one request that is under way. What an answer says is noted as
//! it leaves the broker, whether it arrives or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker::protocol::messages::share_fetch_response::PartitionData;
use broker::protocol::{ErrorCode, Response};
use broker::records;
use broker::types::NodeId;
use bytes::{Bytes, BytesMut};

use super::history::{Delivery, Fate};
use super::requests::INITIAL_EPOCH;
use crate::campaign::client::{Call, Link};
use crate::campaign::history::{Anomaly, Kind, Value};
use crate::campaign::world::World;

/// A member's session with one broker.
#[derive(Debug, Default)]
pub(super) struct NodeSession {
    pub(super) link: Link,
    /// Of the next request.
    pub(super) epoch: i32,
    /// Its place in the history; none before the first request.
    pub(super) session: Option<usize>,
    /// The broker believes that these are in it.
    pub(super) partitions: BTreeSet<u32>,
    pub(super) call: Option<Pending>,
    pub(super) next_at: Duration,
}

impl NodeSession {
    /// The next request begins a new session.
    pub(super) fn begin_anew(&mut self, world: &mut World) {
        if let Some(session) = self.session.take() {
            world.history.share.session_over(session, world.now.mono);
        }
        self.epoch = INITIAL_EPOCH;
        self.partitions.clear();
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) call: Call,
    pub(super) deadline: Duration,
    pub(super) node: NodeId,
    pub(super) session: usize,
    /// Of the group: number, and the member's life.
    pub(super) owner: (u32, u32),
    pub(super) asked: Duration,
    /// Leader epochs that the broker believed in when it was asked, by partition.
    pub(super) reigns: Vec<i32>,
    /// Acknowledgements, by partition: places in the history.
    pub(super) acks: BTreeMap<u32, Vec<usize>>,
    /// It asks for records.
    pub(super) is_fetch: bool,
    /// What the answer gave it: places in the history.
    pub(super) deliveries: Vec<usize>,
}

impl Pending {
    /// The answer leaves the broker.
    pub(super) fn leaves(&mut self, world: &mut World, frame: &BytesMut) {
        match self.call.peek(frame) {
            Ok(Response::ShareFetch(answer)) if answer.error_code == 0 => {
                let parts: Vec<&PartitionData> = answer.responses.iter().flat_map(|topic| &topic.partitions).collect();
                for part in &parts {
                    self.judge(world, part.partition_index as u32, ErrorCode::from(part.acknowledge_error_code));
                    self.note(world, part);
                }
                self.expect_all(world, parts.iter().map(|part| part.partition_index as u32).collect());
            }
            Ok(Response::ShareAcknowledge(answer)) if answer.error_code == 0 => {
                let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
                let told: Vec<(u32, i16)> = parts.map(|part| (part.partition_index as u32, part.error_code)).collect();
                for (partition, code) in &told {
                    self.judge(world, *partition, ErrorCode::from(*code));
                }
                self.expect_all(world, told.into_iter().map(|(partition, _)| partition).collect());
            }
            _ => {}
        }
    }

    /// Each partition of which something was acknowledged is told what became of that.
    fn expect_all(&self, world: &mut World, told: BTreeSet<u32>) {
        for partition in self.acks.keys().filter(|partition| !told.contains(partition)) {
            let what = format!(
                "member {} of group {} is not told what became of its acknowledgements of partition {partition}",
                self.owner.1, self.owner.0
            );
            world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
        }
    }

    /// What became of its acknowledgements of one partition.
    fn judge(&self, world: &mut World, partition: u32, code: ErrorCode) {
        let now = world.now.mono;
        let fate = match code {
            ErrorCode::None => Fate::Kept,
            ErrorCode::InvalidRecordState | ErrorCode::InvalidRequest => Fate::Refused,
            _ => Fate::Unknown,
        };
        let Some(acks) = self.acks.get(&partition) else { return };
        if code != ErrorCode::None {
            let (group, member) = self.owner;
            world.say(|| {
                format!("member {member} of group {group}: acknowledgements of partition {partition}: {code:?}")
            });
        }
        let reign = reign(world, self.node, partition);
        for ack in acks {
            if let Some(ack) = world.history.share.acks.get_mut(*ack) {
                (ack.answered, ack.reign, ack.fate) = (Some(now), reign, fate);
            }
        }
        // What lies past all that is in flight, after the share partition was read anew.
        if !is_expected(code) && code != ErrorCode::InvalidRequest {
            let (group, member) = self.owner;
            let what = format!("member {member} of group {group} was told {code:?} of its acknowledgements");
            world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
        }
    }

    /// What it is given of one partition.
    fn note(&mut self, world: &mut World, part: &PartitionData) {
        let code = ErrorCode::from(part.error_code);
        if !is_expected(code) {
            let (group, member) = self.owner;
            let what =
                format!("member {member} of group {group} was told {code:?} of partition {}", part.partition_index);
            world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
        }
        if part.acquired_records.is_empty() {
            return;
        }
        let partition = part.partition_index as u32;
        let records = match values(part.records.as_ref().unwrap_or(&Bytes::new())) {
            Ok(records) => records,
            Err(why) => {
                let what = format!("what a member was given of partition {partition} is broken: {why}");
                return world.anomalies.push(Anomaly::new(Kind::UnexpectedError, what));
            }
        };
        let reign = (self.reigns.get(partition as usize).copied().unwrap_or(-1), reign(world, self.node, partition));
        for range in &part.acquired_records {
            for offset in range.first_offset..=range.last_offset {
                self.deliveries.push(world.history.share.deliveries.len());
                world.history.share.deliveries.push(Delivery {
                    group: self.owner.0,
                    member: self.owner.1,
                    session: self.session,
                    partition,
                    offset,
                    value: records.get(&offset).copied(),
                    count: range.delivery_count,
                    asked: self.asked,
                    left: world.now.mono,
                    reign,
                });
            }
        }
    }
}

/// Leader epoch that a broker believes in.
pub(super) fn reign(world: &World, node: NodeId, partition: u32) -> i32 {
    let id = world.watch.id(partition);
    let replica = id.and_then(|id| world.broker(node)?.replicas.partition(&id));
    replica.map_or(-1, |replica| replica.leader_epoch())
}

/// What a member may be told of a partition.
fn is_expected(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::None
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::InvalidRecordState
            | ErrorCode::KafkaStorageError
    )
}

/// Values by offset, without markers.
fn values(bytes: &Bytes) -> Result<BTreeMap<i64, Value>, String> {
    let mut found = BTreeMap::new();
    for batch in records::batches(bytes) {
        let (header, batch) = batch.map_err(|error| error.to_string())?;
        if header.is_control() {
            continue;
        }
        for record in records::records(batch, 1 << 20).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let head = record.value.as_deref().and_then(|value| value.first_chunk::<8>().copied());
            found.insert(record.offset, head.map(u64::from_be_bytes).ok_or("a record that nobody wrote")?);
        }
    }
    Ok(found)
}
