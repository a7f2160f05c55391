//! What must hold inside the cluster after each step, whatever clients see: one leader per epoch, a high watermark that never falls,
//! committed records on every new leader and on every member of the ISR, nothing acknowledged or shown before it is committed.

use std::collections::BTreeMap;
use std::time::Duration;

use broker::log::{Log, LogError};
use broker::metadata::image::PartitionImage;
use broker::metadata::report::Event;
use broker::records::{self, BatchHeader};
use broker::server::Broker;
use broker::types::{Id, NodeId, Now, TopicIdPartition};
use bytes::{Bytes, BytesMut};

use super::history::{Anomaly, Kind, Window};
use super::plan::TOPIC;
use super::share;
use super::stable::Stable;
use super::world::World;

/// Of the committed batches, so many of the last are looked up in each new leader's log.
const LOOK_BACK: usize = 48;

/// A leader's time.
#[derive(Clone, Copy, Debug)]
struct Reign {
    leader: NodeId,
    /// Log end at first sight.
    start: i64,
    high_watermark: i64,
    end: i64,
}

/// A batch below the high watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Committed {
    base: i64,
    next: i64,
    epoch: i32,
    crc: u32,
}

impl Committed {
    fn of(header: &BatchHeader) -> Committed {
        Committed {
            base: header.base_offset,
            next: header.next_offset(),
            epoch: header.partition_leader_epoch,
            crc: header.crc,
        }
    }
}

/// Committed records were lost under a licence.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// From this epoch on.
    epoch: i32,
    window: Window,
}

/// One partition, as somebody who sees all replicas at once sees it.
#[derive(Debug, Default)]
struct PartitionWatch {
    reigns: BTreeMap<i32, Reign>,
    committed: Vec<Committed>,
    stable: Stable,
    /// Committed records may be lost from here on.
    licence: Option<i64>,
    losses: Vec<Loss>,
    last_ack: Duration,
}

impl PartitionWatch {
    fn end(&self) -> i64 {
        self.committed.last().map_or(0, |last| last.next)
    }

    /// What was lost: whoever led before and does not know what happened goes on for a while.
    fn window(&self, loss: &Loss) -> Window {
        let ends = self.reigns.range(..loss.epoch).map(|(_, reign)| reign.end);
        Window { to: ends.fold(loss.window.to, i64::max), ..loss.window }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Watch {
    topic_id: Option<Id>,
    partitions: Vec<PartitionWatch>,
    quorum_leaders: BTreeMap<i32, NodeId>,
    /// Everything in the metadata log below is committed.
    metadata_committed: i64,
    /// How often NOT_ENOUGH_REPLICAS was told.
    pub(super) refused: u64,
}

impl Watch {
    pub(super) fn new(partitions: u32) -> Watch {
        let partitions = (0..partitions).map(|_| PartitionWatch::default()).collect();
        Watch { partitions, ..Watch::default() }
    }

    /// The topic's id, once it is known.
    pub(super) fn id(&self, partition: u32) -> Option<TopicIdPartition> {
        Some(TopicIdPartition { topic_id: self.topic_id?, partition: partition as i32 })
    }

    /// First offset that is not committed.
    pub(super) fn committed_end(&self, partition: u32) -> i64 {
        self.partitions[partition as usize].end()
    }

    /// When a batch that was acknowledged with acks=all was sent, at last.
    pub(super) fn last_ack(&self, partition: u32) -> Duration {
        self.partitions[partition as usize].last_ack
    }

    /// From now on committed records from `from` on may be lost.
    pub(super) fn license(&mut self, partition: u32, from: i64) {
        let licence = &mut self.partitions[partition as usize].licence;
        *licence = Some(licence.map_or(from, |before| before.min(from)));
    }

    /// Whatever was lost is lost by now.
    pub(super) fn end_licences(&mut self) {
        for partition in &mut self.partitions {
            partition.licence = None;
        }
    }

    /// Whether acknowledged records were lost, or may be.
    pub(super) fn is_lossy(&self, partition: u32) -> bool {
        let watch = &self.partitions[partition as usize];
        watch.licence.is_some() || !watch.losses.is_empty()
    }

    /// Whether a record at this offset was lost, or may be.
    pub(super) fn may_have_lost(&self, partition: u32, offset: i64) -> bool {
        let watch = &self.partitions[partition as usize];
        let window = |loss: &Loss| watch.window(loss);
        watch.licence.is_some_and(|from| from <= offset)
            || watch.losses.iter().map(window).any(|lost| (lost.from..lost.to).contains(&offset))
    }

    /// Where loss is allowed: what was lost under a licence, and what leaders had above their high watermark when their reigns ended.
    pub(super) fn windows(&self) -> Vec<Window> {
        let mut windows = Vec::new();
        for (partition, watch) in (0..).zip(&self.partitions) {
            windows.extend(watch.losses.iter().map(|loss| watch.window(loss)));
            let mut reigns = watch.reigns.values().peekable();
            while let Some(reign) = reigns.next() {
                let deposed = reigns.peek().is_some_and(|next| next.leader != reign.leader);
                if deposed && reign.high_watermark < reign.end {
                    windows.push(Window { partition, from: reign.high_watermark, to: reign.end, acks_all: false });
                }
            }
        }
        windows
    }

    /// A producer was told that its records are written.
    pub(super) fn acknowledged(
        &mut self,
        anomalies: &mut Vec<Anomaly>,
        partition: u32,
        offset: Option<i64>,
        count: i64,
        acks: i16,
        began: Duration,
    ) {
        let lossy = self.is_lossy(partition);
        let watch = &mut self.partitions[partition as usize];
        if acks != -1 {
            return;
        }
        watch.last_ack = watch.last_ack.max(began);
        if let Some(offset) = offset
            && offset + count > watch.end()
            && !lossy
        {
            let end = watch.end();
            let what = format!(
                "offset {offset} of partition {partition} was acknowledged, but committed is only what is below {end}"
            );
            anomalies.push(Anomaly::new(Kind::AcknowledgedTooEarly, what));
        }
    }

    /// A consumer was shown a record.
    pub(super) fn was_read(&self, anomalies: &mut Vec<Anomaly>, partition: u32, last: i64, high_watermark: i64) {
        let end = self.committed_end(partition);
        if last >= high_watermark || (last >= end && !self.is_lossy(partition)) {
            let what = format!(
                "offset {last} of partition {partition} was read, above the high watermark {high_watermark} (committed: {end})"
            );
            anomalies.push(Anomaly::new(Kind::ReadAboveHighWatermark, what));
        }
    }

    fn look(&mut self, world: &World, id: NodeId) -> Result<(), Anomaly> {
        let Some(broker) = world.broker(id) else { return Ok(()) };
        if self.topic_id.is_none() {
            self.topic_id = broker.image.topic(TOPIC).map(|topic| topic.id);
        }
        let Some(topic_id) = self.topic_id else { return Ok(()) };
        for index in 0..self.partitions.len() {
            let tip = TopicIdPartition { topic_id, partition: index as i32 };
            let Some(replica) = broker.replicas.partition(&tip).filter(|replica| replica.is_leader()) else { continue };
            let Some(log) = broker.replicas.log(&tip) else { continue };
            let (epoch, high_watermark) = (replica.leader_epoch(), replica.high_watermark());
            let end = log.log_end_offset();
            let watch = &mut self.partitions[index];
            if high_watermark > end {
                let what =
                    format!("partition {index} on {id}: high watermark {high_watermark}, but the log ends at {end}");
                return Err(Anomaly::new(Kind::HighWatermarkFell, what));
            }
            let newest = watch.reigns.last_key_value().is_none_or(|(last, _)| *last < epoch);
            let is_new = !watch.reigns.contains_key(&epoch);
            if is_new && newest {
                watch.enthroned(index, id, epoch, log)?;
            }
            let before = *watch.reigns.entry(epoch).or_insert(Reign { leader: id, start: end, high_watermark, end });
            if before.leader != id {
                let what = format!("{} and {id} both lead partition {index} in epoch {epoch}", before.leader);
                return Err(Anomaly::new(Kind::TwoLeaders, what));
            }
            if high_watermark < before.high_watermark {
                let what = format!(
                    "the high watermark of partition {index} fell from {} to {high_watermark} in epoch {epoch}",
                    before.high_watermark
                );
                return Err(Anomaly::new(Kind::HighWatermarkFell, what));
            }
            watch.reigns.insert(epoch, Reign { high_watermark, end: end.max(before.end), ..before });
            watch.went_on_alone(index as u32, epoch, before.high_watermark, high_watermark);
            // What a deposed leader that does not know it yet had committed, or goes on to commit alone, is lost with the rest.
            let is_lost = watch.losses.iter().any(|loss| epoch < loss.epoch);
            if !is_lost && high_watermark > watch.end() {
                watch.commit(log, high_watermark);
            }
            if high_watermark == watch.end() && watch.licence.is_none() && watch.losses.is_empty() {
                let (found, expected) =
                    (log.last_stable_offset(high_watermark), watch.stable.last_stable_offset(high_watermark));
                if found != expected {
                    let what = format!(
                        "partition {index} on {id}: the last stable offset is {found}, and of what lies below the high watermark {high_watermark} it is {expected}"
                    );
                    return Err(Anomaly::new(Kind::LastStableOffset, what));
                }
            }
            if watch.licence.is_none() {
                isr_has(world, broker, &tip, high_watermark)?;
            }
        }
        Ok(())
    }
}

impl PartitionWatch {
    /// Where committed records may be lost, one who was deposed and does not know it goes on alone, if it was the last of the ISR: what it
    /// commits beyond the beginning of the next reign is lost, also if that reign had lost nothing until then.
    fn went_on_alone(&mut self, partition: u32, epoch: i32, before: i64, high_watermark: i64) {
        let Some((&next, reign)) = self.reigns.range(epoch + 1..).next() else { return };
        let from = before.max(reign.start);
        let known = self.losses.iter().any(|loss| epoch < loss.epoch);
        if !known && self.licence.is_some_and(|licence| licence <= from) && high_watermark > from {
            let window = Window { partition, from, to: high_watermark, acks_all: true };
            self.losses.push(Loss { epoch: next, window });
        }
    }

    fn commit(&mut self, log: &Log, high_watermark: i64) {
        let from = self.end();
        let Ok(bytes) = read_all(log, from, high_watermark) else { return };
        for batch in records::batches(&bytes) {
            if let Ok((header, _)) = batch
                && header.base_offset >= from
                && header.next_offset() <= high_watermark
            {
                self.committed.push(Committed::of(&header));
                self.stable.take(&header);
            }
        }
    }

    /// A new leader must have all that is committed.
    fn enthroned(&mut self, index: usize, leader: NodeId, epoch: i32, log: &Log) -> Result<(), Anomaly> {
        let first = self.committed.len().saturating_sub(LOOK_BACK);
        let mut kept = self.common(log, first);
        if kept == first && first > 0 {
            kept = self.common(log, 0);
        }
        if kept == self.committed.len() {
            return Ok(());
        }
        let common = kept.checked_sub(1).map_or(0, |last| self.committed[last].next);
        let end = self.end();
        if self.licence.is_none_or(|from| common < from) {
            let what = format!(
                "partition {index}: committed was all below {end}, but {leader}, leader from epoch {epoch} on, has it only up to {common} (its log ends at {}; loss was allowed from {:?})",
                log.log_end_offset(),
                self.licence
            );
            return Err(Anomaly::new(Kind::HighWatermarkFell, what));
        }
        let to = self.reigns.values().map(|reign| reign.end).fold(end, i64::max);
        let window = Window { partition: index as u32, from: common, to, acks_all: true };
        self.losses.push(Loss { epoch, window });
        self.committed.truncate(kept);
        Ok(())
    }

    /// How many of the committed batches a log has, from the `first` on.
    fn common(&self, log: &Log, first: usize) -> usize {
        let Some(start) = self.committed.get(first) else { return first };
        let Ok(bytes) = read_all(log, start.base, log.log_end_offset()) else { return first };
        let there = records::batches(&bytes).flatten().map(|(header, _)| Committed::of(&header));
        let same = self.committed[first..].iter().zip(there).take_while(|(one, other)| *one == other);
        first + same.count()
    }
}

/// All batches from `from` up to `to`. A log answers a read from one segment at a time.
pub(super) fn read_all(log: &Log, from: i64, to: i64) -> Result<Bytes, LogError> {
    let (mut position, mut all) = (from, BytesMut::new());
    while position < to {
        let read = log.read(position, usize::MAX >> 1, to, true)?;
        let Some((last, _)) = records::batches(&read.records).flatten().last() else { break };
        position = last.next_offset();
        all.extend_from_slice(&read.records);
    }
    Ok(all.freeze())
}

/// Every member of the ISR has what is below the high watermark. Asked only of those that are in the incarnation that the leader knows.
fn isr_has(world: &World, leader: &Broker, id: &TopicIdPartition, high_watermark: i64) -> Result<(), Anomaly> {
    let Some(replica) = leader.replicas.partition(id) else { return Ok(()) };
    // Also who is in it by now and the leader does not know: it may be elected.
    let same_reign = |partition: &&PartitionImage| partition.leader_epoch == replica.leader_epoch();
    let there = world.partition(id.partition as u32).filter(same_reign);
    let members = replica.isr().iter().chain(there.iter().flat_map(|partition| &partition.isr));
    for member in members.filter(|member| **member != leader.config.node_id) {
        let Some(other) = world.broker(*member) else { continue };
        let known = leader.image.brokers.get(member).map(|broker| broker.epoch);
        if known != Some(other.lifecycle.broker_epoch()) {
            continue;
        }
        let end = other.replicas.log(id).map(Log::log_end_offset);
        if end.is_some_and(|end| end < high_watermark) {
            let what = format!(
                "partition {}: the high watermark is {high_watermark}, but {member}, which is in the ISR, ends at {}",
                id.partition,
                end.unwrap_or(-1)
            );
            return Err(Anomaly::new(Kind::IsrLacksCommitted, what));
        }
    }
    Ok(())
}

/// After a broker's step.
pub(super) fn after_broker(world: &mut World, id: NodeId) -> Result<(), Anomaly> {
    let mut watch = std::mem::take(&mut world.watch);
    let found = watch.look(world, id);
    world.watch = watch;
    if world.plan.share.is_some() {
        share::watch_spent(world, id);
    }
    found
}

/// After a controller's step.
pub(super) fn after_controller(world: &mut World, id: NodeId) -> Result<(), Anomaly> {
    let Some(quorum) = world.controller(id).map(|core| core.quorum()) else { return Ok(()) };
    let (epoch, start, high_watermark) = (quorum.epoch(), quorum.epoch_start_offset(), quorum.high_watermark());
    let watch = &mut world.watch;
    let committed = watch.metadata_committed.max(high_watermark);
    watch.metadata_committed = committed;
    let Some(start) = start else { return Ok(()) };
    let newest = watch.quorum_leaders.last_key_value().is_none_or(|(last, _)| *last < epoch);
    let leader = *watch.quorum_leaders.entry(epoch).or_insert(id);
    if leader != id {
        return Err(Anomaly::new(Kind::TwoLeaders, format!("{leader} and {id} both lead the quorum in epoch {epoch}")));
    }
    if newest && start < committed {
        let what = format!(
            "the metadata log is committed up to {committed}, but {id}, which leads the quorum from epoch {epoch} on, had it only up to {start}"
        );
        return Err(Anomaly::new(Kind::HighWatermarkFell, what));
    }
    Ok(())
}

/// Tells events if that is wanted, and forgets them.
pub(super) fn take_events(events: &mut Vec<Event>, id: NodeId, verbose: bool, now: Now) {
    for event in events.drain(..) {
        if verbose {
            println!("{:9.3} {id}: {event:?}", now.mono.as_secs_f64());
        }
    }
}

/// Why a broker cannot go on, if it cannot: its node stops then.
pub(super) fn broker_failure(core: &Broker) -> Option<String> {
    core.failure().map(str::to_owned)
}

/// Replicas are identical, and their epochs are those of their batches. To be asked of a cluster that is whole and quiet.
pub(super) fn check_replicas(world: &World) -> Result<(), Anomaly> {
    for partition in 0..world.plan.partitions {
        let Some(id) = world.watch.id(partition) else { continue };
        let mut first: Option<(NodeId, Bytes)> = None;
        for broker in world.brokers() {
            let me = broker.config.node_id;
            let Some(log) = broker.replicas.log(&id) else {
                return Err(Anomaly::new(Kind::ReplicasDiffer, format!("{me} has no log of partition {partition}")));
            };
            let bytes = read_all(log, log.log_start_offset(), log.log_end_offset()).map_err(|error| {
                Anomaly::new(Kind::ReplicasDiffer, format!("partition {partition} on {me} cannot be read: {error}"))
            })?;
            check_epochs(partition, me, log, &bytes)?;
            match &first {
                None => first = Some((me, bytes)),
                Some((other, there)) if *there != bytes => {
                    let what = format!("the replicas of partition {partition} on {other} and {me} differ");
                    return Err(Anomaly::new(Kind::ReplicasDiffer, what));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

fn check_epochs(partition: u32, me: NodeId, log: &Log, bytes: &Bytes) -> Result<(), Anomaly> {
    let mut told: Vec<(i32, i64)> = Vec::new();
    for (header, _) in records::batches(bytes).flatten() {
        if told.last().is_none_or(|(epoch, _)| *epoch != header.partition_leader_epoch) {
            told.push((header.partition_leader_epoch, header.base_offset));
        }
    }
    // An epoch in which nothing was written is known to its leader only.
    let entries = log.leader_epochs().entries();
    let ends = entries.iter().skip(1).map(|(_, start)| *start).chain([log.log_end_offset()]);
    let kept: Vec<(i32, i64)> =
        entries.iter().zip(ends).filter(|((_, start), end)| start < end).map(|(entry, _)| *entry).collect();
    if told != kept {
        let what = format!("partition {partition} on {me}: the batches tell epochs {told:?}, the epoch file {kept:?}");
        return Err(Anomaly::new(Kind::EpochChain, what));
    }
    Ok(())
}
