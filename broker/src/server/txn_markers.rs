//! Transaction markers on their way to the leaders of their partitions: gathered per broker, sent again wherever the leader has moved, was
//! killed, or could not write.
//!
//! Source: `kafka.coordinator.transaction.TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::endpoints::{self, text};
use super::forward;
use super::peer::PeerRequest;
use super::peer_requests::{Pending, Purpose};
use crate::logging::Logger;
use crate::metadata::image::Image;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequestData, WriteTxnMarkersResponseData,
};
use crate::transaction::Marker;
use crate::types::{NodeId, Now, TopicPartition};

/// A marker that found no leader, or was refused, is sent again after this.
const RETRY: Duration = Duration::from_millis(50);

/// Partitions in one request.
const PARTITIONS_PER_REQUEST: usize = 5_000;

/// Markers, and where each is to be written.
type Parts = Vec<(Marker, Vec<TopicPartition>)>;

/// A transaction's markers that are not written yet.
#[derive(Debug)]
struct Job {
    marker: Marker,
    /// Not on their way.
    unsent: BTreeSet<TopicPartition>,
    /// Some partition had no leader when they were last to be sent.
    without_leader: bool,
}

/// A request under way: to a life of a broker.
#[derive(Debug)]
struct InFlight {
    to: NodeId,
    broker_epoch: i64,
    parts: Parts,
}

/// See the module. Bounded by the partitions of open transactions.
#[derive(Debug, Default)]
pub struct MarkerSender {
    jobs: BTreeMap<(i32, Arc<str>), Job>,
    in_flight: BTreeMap<u64, InFlight>,
    last: u64,
    /// When unsent markers are looked at again.
    send_at: Option<Duration>,
}

impl MarkerSender {
    /// When [`on_tick`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.send_at
    }

    /// Transactions with markers that found no leader when they were last to be sent.
    pub(super) fn without_leader(&self) -> usize {
        self.jobs.values().filter(|job| job.without_leader).count()
    }

    pub(super) fn add(&mut self, marker: Marker, partitions: BTreeSet<TopicPartition>) {
        let key = (marker.shard, marker.transactional_id.clone());
        self.jobs.insert(key, Job { marker, unsent: partitions, without_leader: false });
        self.send_at = Some(Duration::ZERO);
    }

    /// A shard is another broker's now, which sends its markers anew.
    pub(super) fn forget_shard(&mut self, shard: i32) {
        self.jobs.retain(|(of, _), _| *of != shard);
    }

    fn requeue(&mut self, marker: &Marker, partitions: Vec<TopicPartition>, at: Duration) {
        let job = self.jobs.get_mut(&(marker.shard, marker.transactional_id.clone()));
        if let Some(job) = job.filter(|job| job.marker == *marker) {
            job.unsent.extend(partitions);
            self.send_at = Some(self.send_at.map_or(at, |set| set.min(at)));
        }
    }
}

/// Where a partition's marker goes.
enum Target {
    Broker(NodeId, i64),
    /// There is no leader now.
    Nowhere,
    /// The partition is gone, and needs no marker.
    Gone,
}

fn target(image: &Image, partition: &TopicPartition) -> Target {
    let Some(found) = image.partition(&partition.topic, partition.partition) else { return Target::Gone };
    match endpoints::reachable(image, found.leader).filter(|broker| !broker.fenced) {
        Some(broker) => Target::Broker(found.leader, broker.epoch),
        None => Target::Nowhere,
    }
}

/// Sends what can be sent. True if anything was.
pub(super) fn send(broker: &mut Broker, now: Now) -> bool {
    let sender = &mut broker.transactions.markers;
    if sender.send_at.is_none_or(|at| at > now.mono) {
        return false;
    }
    sender.send_at = None;
    let mut outgoing: BTreeMap<(NodeId, i64), Parts> = BTreeMap::new();
    let mut gone = Vec::new();
    for job in sender.jobs.values_mut().filter(|job| !job.unsent.is_empty()) {
        let mut by_target: BTreeMap<(NodeId, i64), Vec<TopicPartition>> = BTreeMap::new();
        for partition in std::mem::take(&mut job.unsent) {
            if Bug::MarkerSkipped.is_planted() && partition.partition == 1 {
                gone.push((job.marker.clone(), partition));
                continue;
            }
            match target(&broker.image, &partition) {
                Target::Broker(id, epoch) => by_target.entry((id, epoch)).or_default().push(partition),
                Target::Nowhere => drop(job.unsent.insert(partition)),
                Target::Gone => gone.push((job.marker.clone(), partition)),
            }
        }
        job.without_leader = !job.unsent.is_empty();
        if job.without_leader {
            sender.send_at = Some(now.mono + RETRY);
        }
        for (to, partitions) in by_target {
            outgoing.entry(to).or_default().push((job.marker.clone(), partitions));
        }
    }
    let busy = !outgoing.is_empty() || !gone.is_empty();
    for (marker, partition) in gone {
        tell(broker, || {
            let id = &marker.transactional_id;
            format!("TransactionalId {id}: partition {partition} is gone, and needs no marker")
        });
        written(broker, now, &marker, &partition);
    }
    for ((to, broker_epoch), parts) in outgoing {
        for parts in pieces(parts) {
            request(broker, now, to, broker_epoch, parts);
        }
    }
    busy
}

/// Requests of a bounded size.
fn pieces(parts: Parts) -> Vec<Parts> {
    let (mut pieces, mut piece, mut size) = (Vec::new(), Vec::new(), 0);
    for (marker, partitions) in parts {
        for partitions in partitions.chunks(PARTITIONS_PER_REQUEST) {
            if size + partitions.len() > PARTITIONS_PER_REQUEST && size > 0 {
                pieces.push(std::mem::take(&mut piece));
                size = 0;
            }
            size += partitions.len();
            piece.push((marker.clone(), partitions.to_vec()));
        }
    }
    pieces.extend((!piece.is_empty()).then_some(piece));
    pieces
}

fn request(broker: &mut Broker, now: Now, to: NodeId, broker_epoch: i64, parts: Parts) {
    let markers = parts.iter().map(|(marker, partitions)| {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(&partition.topic).or_default().push(partition.partition);
        }
        let topic = |(name, indexes): (&str, Vec<i32>)| {
            WritableTxnMarkerTopic::default().with_name(text(name)).with_partition_indexes(indexes)
        };
        WritableTxnMarker::default()
            .with_producer_id(marker.producer_id)
            .with_producer_epoch(marker.producer_epoch)
            .with_transaction_result(marker.commit)
            .with_coordinator_epoch(marker.coordinator_epoch)
            .with_transaction_version(i8::try_from(marker.transaction_version).unwrap_or(0))
            .with_topics(topics.into_iter().map(topic).collect())
    });
    let body = WriteTxnMarkersRequestData::default().with_markers(markers.collect());
    let sender = &mut broker.transactions.markers;
    sender.last += 1;
    let number = sender.last;
    sender.in_flight.insert(number, InFlight { to, broker_epoch, parts });
    let deadline = now.mono + broker.config.millis("request.timeout.ms");
    let pending = Pending { purpose: Purpose::TxnMarkers(number), to, repeat: None, deadline, retry_at: None };
    forward::send(broker, to, pending, PeerRequest::WriteTxnMarkers(Box::new(body)));
}

/// A broker answered, or (`None`) did not.
pub(super) fn on_answer(broker: &mut Broker, now: Now, number: u64, answer: Option<WriteTxnMarkersResponseData>) {
    let Some(sent) = broker.transactions.markers.in_flight.remove(&number) else { return };
    let Some(answer) = answer else {
        tell(broker, || {
            format!(
                "Broker {} did not answer: the markers of {} transactions are sent again",
                sent.to,
                sent.parts.len()
            )
        });
        for (marker, partitions) in sent.parts {
            broker.transactions.markers.requeue(&marker, partitions, now.mono + RETRY);
        }
        return;
    };
    let mut codes: BTreeMap<(i64, &str, i32), ErrorCode> = BTreeMap::new();
    for result in &answer.markers {
        for topic in &result.topics {
            for partition in &topic.partitions {
                let key = (result.producer_id, topic.name.as_str(), partition.partition_index);
                codes.insert(key, ErrorCode::from(partition.error_code));
            }
        }
    }
    for (marker, partitions) in sent.parts {
        for partition in partitions {
            let code = codes.get(&(marker.producer_id, &partition.topic, partition.partition));
            let code = code.copied().unwrap_or(ErrorCode::UnknownServerError);
            settle(broker, now, &marker, partition, code);
        }
    }
}

fn tell(broker: &Broker, message: impl FnOnce() -> String) {
    let id = broker.config.node_id;
    broker
        .config
        .log
        .info(Logger::TransactionMarkers, || format!("[Transaction Marker Channel Manager {id}]: {}", message()));
}

fn settle(broker: &mut Broker, now: Now, marker: &Marker, partition: TopicPartition, code: ErrorCode) {
    match code {
        ErrorCode::None | ErrorCode::UnsupportedForMessageFormat | ErrorCode::UnsupportedVersion => {
            written(broker, now, marker, &partition);
        }
        ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => {
            tell(broker, || {
                let id = &marker.transactional_id;
                format!(
                    "TransactionalId {id}: its marker for {partition} was refused for good: {code:?}; no more are sent"
                )
            });
            broker.transactions.coordinator.on_marker_fenced(marker);
            broker.transactions.markers.jobs.remove(&(marker.shard, marker.transactional_id.clone()));
        }
        // Kafka gives up on codes that it does not expect, and leaves the transaction open for good; the marker is due all the same.
        _ => {
            tell(broker, || {
                let (id, epoch) = (&marker.transactional_id, marker.coordinator_epoch);
                format!(
                    "TransactionalId {id}: its marker for {partition} is sent again after {code:?}, in coordinator epoch {epoch}"
                )
            });
            broker.transactions.markers.requeue(marker, vec![partition], now.mono + RETRY);
        }
    }
}

fn written(broker: &mut Broker, now: Now, marker: &Marker, partition: &TopicPartition) {
    let coordinator = &mut broker.transactions.coordinator;
    coordinator.on_marker_written(now, marker, partition);
    if !coordinator.wants_marker(marker) {
        let key = (marker.shard, marker.transactional_id.clone());
        let jobs = &mut broker.transactions.markers.jobs;
        if jobs.get(&key).is_some_and(|job| job.marker == *marker) {
            jobs.remove(&key);
        }
    }
}

/// Leaders may have moved, and brokers may live anew: what went to others is sent again, without waiting for their silence to end.
pub(super) fn on_image(broker: &mut Broker, now: Now) {
    let image = &broker.image;
    let sender = &mut broker.transactions.markers;
    let is_stale = |sent: &InFlight| {
        let lives = image.brokers.get(&sent.to).is_some_and(|it| !it.fenced && it.epoch == sent.broker_epoch);
        !lives
    };
    let stale: Vec<u64> = sender.in_flight.iter().filter(|(_, sent)| is_stale(sent)).map(|(id, _)| *id).collect();
    for number in stale {
        if let Some(sent) = sender.in_flight.remove(&number) {
            for (marker, partitions) in sent.parts {
                sender.requeue(&marker, partitions, now.mono);
            }
        }
    }
    if sender.jobs.values().any(|job| !job.unsent.is_empty()) {
        sender.send_at = Some(now.mono);
    }
}

#[cfg(test)]
#[path = "txn_markers_tests.rs"]
mod tests;
