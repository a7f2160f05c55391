//! What must hold after each step, and at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use broker::log::Log;
use broker::records;
use broker::server::Broker;
use broker::types::{NodeId, TopicIdPartition};
use bytes::{Bytes, BytesMut};

use super::client::TOPIC;
use super::move_checks::{MoveChecks, check_decided, check_members};
use super::world::{Core, World};

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Simulated time.
    pub at: Duration,
    /// What.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:.3} s: {}", self.at.as_secs_f64(), self.what)
    }
}

impl std::error::Error for Violation {}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Checker {
    /// Leader of each quorum epoch.
    quorum_leaders: BTreeMap<i32, NodeId>,
    /// Highest high watermark that the leader of an epoch told, by partition and leader epoch.
    watermarks: BTreeMap<(TopicIdPartition, i32), (NodeId, i64)>,
    /// Of reassignments.
    pub(super) moves: MoveChecks,
}

/// After each step of a node.
pub(super) fn check_step(world: &mut World, id: NodeId) -> Result<(), Violation> {
    let found = match world.nodes.get(&id).and_then(|node| node.core.as_ref()) {
        Some(Core::Controller(core)) if core.is_active() => {
            let epoch = core.quorum().epoch();
            let leader = *world.checker.quorum_leaders.entry(epoch).or_insert(id);
            let other = (leader != id).then(|| format!("{leader} and {id} both lead the quorum in epoch {epoch}"));
            other.or_else(|| check_decided(&mut world.checker.moves, core.image()))
        }
        Some(Core::Broker(core)) => check_leaderships(&mut world.checker, core).or_else(|| check_members(world, id)),
        _ => None,
    };
    match found {
        Some(what) => Err(world.violation(what)),
        None => Ok(()),
    }
}

/// One leader per epoch, and its high watermark never falls nor passes its log end.
fn check_leaderships(checker: &mut Checker, broker: &Broker) -> Option<String> {
    let me = broker.config.node_id;
    let topic = broker.image.topic(TOPIC)?;
    for partition in 0..topic.partitions.len() as i32 {
        let id = TopicIdPartition { topic_id: topic.id, partition };
        let Some(replica) = broker.replicas.partition(&id).filter(|replica| replica.is_leader()) else { continue };
        let (epoch, high_watermark) = (replica.leader_epoch(), replica.high_watermark());
        let (leader, highest) = checker.watermarks.entry((id, epoch)).or_insert((me, high_watermark));
        if *leader != me {
            return Some(format!("{leader} and {me} both lead {TOPIC}-{partition} in epoch {epoch}"));
        }
        if high_watermark < *highest {
            return Some(format!("the high watermark of {TOPIC}-{partition} fell from {highest} to {high_watermark}"));
        }
        *highest = high_watermark;
        let end = broker.replicas.log(&id).map_or(i64::MAX, |log| log.log_end_offset());
        if high_watermark > end {
            return Some(format!("{TOPIC}-{partition}: high watermark {high_watermark}, but the log ends at {end}"));
        }
    }
    None
}

fn partitions(world: &World) -> Vec<TopicIdPartition> {
    let Some(topic) = world.newest_image().and_then(|image| image.topic(TOPIC)) else { return Vec::new() };
    (0..topic.partitions.len() as i32).map(|partition| TopicIdPartition { topic_id: topic.id, partition }).collect()
}

/// Every partition has a leader and a full ISR, and all replicas end where the high watermark is.
pub(super) fn is_whole(world: &World) -> bool {
    let Some(image) = world.newest_image() else { return false };
    let Some(topic) = image.topic(TOPIC) else { return false };
    topic.partitions.iter().enumerate().all(|(index, partition)| {
        let id = TopicIdPartition { topic_id: topic.id, partition: index as i32 };
        let log_end = |broker: &Broker| broker.replicas.log(&id).map(|log| log.log_end_offset());
        let ends: Vec<Option<i64>> =
            partition.replicas.iter().map(|replica| world.broker(*replica).and_then(log_end)).collect();
        let is_elsewhere = |broker: &Broker| {
            !partition.replicas.contains(&broker.config.node_id) && broker.replicas.partition(&id).is_some()
        };
        let watermark = world.broker(partition.leader).and_then(|broker| broker.replicas.partition(&id));
        // A cancelled move that had replaced another leaves what the first brought in, as with Kafka.
        partition.replicas.len() >= 3
            && partition.isr.len() == partition.replicas.len()
            && !partition.is_reassigning()
            && !world.brokers().any(is_elsewhere)
            && ends.iter().all(|end| end.is_some() && *end == ends[0])
            && watermark.map(|replica| replica.high_watermark()) == ends[0]
    })
}

/// Replicas are identical; every acknowledged record is there once, at the offset that was told, in the order of its producer.
pub(super) fn check_end(world: &World) -> Result<(), Violation> {
    for id in partitions(world) {
        let mut logs = Vec::new();
        let replicas = world.newest_image().and_then(|image| image.topic(TOPIC)?.partition(id.partition));
        for replica in replicas.map_or(&[] as &[NodeId], |partition| &partition.replicas) {
            let gone = || world.violation(format!("the replica of {id:?} on {replica} is gone"));
            let broker = world.broker(*replica).ok_or_else(gone)?;
            let log = broker.replicas.log(&id).ok_or_else(gone)?;
            let all = read_all(log).map_err(|what| world.violation(format!("{id:?} on {replica}: {what}")))?;
            logs.push((broker.config.node_id, all));
        }
        let Some((first, bytes)) = logs.first() else { continue };
        if let Some((other, theirs)) = logs.iter().find(|(_, other)| other != bytes) {
            let differ = format!("{}\n{}", first_difference(bytes, theirs), describe(world));
            return Err(world.violation(format!("the replicas of {id:?} on {first} and {other} differ: {differ}")));
        }
        check_records(world, id, bytes)?;
    }
    Ok(())
}

/// Segment by segment.
fn read_all(log: &Log) -> Result<Bytes, String> {
    let (mut offset, mut all) = (log.log_start_offset(), BytesMut::new());
    while offset < log.log_end_offset() {
        let read = log.read(offset, usize::MAX >> 1, log.log_end_offset(), true).map_err(|error| error.to_string())?;
        for batch in records::batches(&read.records) {
            offset = batch.map_err(|error| error.to_string())?.0.last_offset() + 1;
        }
        if read.records.is_empty() {
            return Err(format!("nothing can be read at {offset}, below the end at {}", log.log_end_offset()));
        }
        all.extend_from_slice(&read.records);
    }
    Ok(all.freeze())
}

/// The batch in which one has what the other has not.
fn first_difference(one: &Bytes, other: &Bytes) -> String {
    let of = |bytes: &Bytes| -> Vec<String> {
        let headers = records::batches(bytes).map_while(Result::ok);
        headers.map(|(header, _)| format!("{header:?}")).collect()
    };
    let (one, other) = (of(one), of(other));
    let index = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    format!(
        "{} and {} batches, the first to differ {:?} and {:?}",
        one.len(),
        other.len(),
        one.get(index),
        other.get(index)
    )
}

fn check_records(world: &World, id: TopicIdPartition, bytes: &Bytes) -> Result<(), Violation> {
    let mut values: BTreeMap<u64, i64> = BTreeMap::new();
    for batch in records::batches(bytes) {
        let (_, batch) = batch.map_err(|error| world.violation(error.to_string()))?;
        let content = records::records(batch, 1 << 20).map_err(|error| world.violation(error.to_string()))?;
        for record in content {
            let record = record.map_err(|error| world.violation(error.to_string()))?;
            let value = record.value.as_deref().and_then(|value| value.try_into().ok()).map(u64::from_be_bytes);
            let value = value.ok_or_else(|| world.violation("a record that nobody wrote".into()))?;
            if let Some(before) = values.insert(value, record.offset) {
                return Err(world.violation(format!("{value} stands at offsets {before} and {}", record.offset)));
            }
        }
    }
    for client in world.clients.iter().filter(|client| client.partition() == id.partition) {
        let mut last = -1;
        for acknowledged in &client.acknowledged {
            let value = acknowledged.value;
            let Some(offset) = values.get(&value).copied() else {
                return Err(world.violation(format!(
                    "lost: {value} of producer {:?} was acknowledged at offset {} of partition {}",
                    client.producer_id(),
                    acknowledged.offset,
                    id.partition
                )));
            };
            if acknowledged.offset >= 0 && acknowledged.offset != offset {
                return Err(
                    world.violation(format!("{value} was told offset {} and stands at {offset}", acknowledged.offset))
                );
            }
            if offset <= last {
                return Err(world.violation(format!("{value} stands at {offset}, before its predecessor at {last}")));
            }
            last = offset;
        }
    }
    Ok(())
}

/// The state of things, for a failure's message.
pub(super) fn describe(world: &World) -> String {
    let mut text = String::new();
    let Some(image) = world.newest_image() else { return "no broker has an image".into() };
    for broker in image.brokers.values() {
        let _ = writeln!(text, "broker {}: epoch {} fenced {}", broker.id, broker.epoch, broker.fenced);
    }
    if let Some(topic) = image.topic(TOPIC) {
        for (index, partition) in topic.partitions.iter().enumerate() {
            let id = TopicIdPartition { topic_id: topic.id, partition: index as i32 };
            let _ = writeln!(text, "partition {index}: {partition:?}");
            for broker in world.brokers() {
                let end = broker.replicas.log(&id).map(|log| log.log_end_offset());
                let watermark = broker.replicas.partition(&id).map(|replica| replica.high_watermark());
                let me = broker.config.node_id;
                let _ = writeln!(
                    text,
                    "  on {me}: end {end:?}, high watermark {watermark:?}, image {}",
                    broker.image.offset
                );
            }
        }
    }
    text
}
