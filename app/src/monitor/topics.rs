//! Topics as they are joined: what the image says of a topic, and what its replicas told. A topic that did not change keeps its `Arc`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use broker::metadata::image::{Image, PartitionImage, TopicImage};
use broker::metadata::report::ReplicaReport;
use broker::types::{Id, NodeId};

use super::snapshot::{Partition, ReplicaLog, Topic};
use super::unread::Place;

/// Indexes beyond this are not believed (Kafka clusters end far below).
const PARTITIONS_MAX: usize = 1_000_000;

/// All topics that the image or a replica has told of.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<Arc<str>, TopicSeen>,
}

/// One topic.
#[derive(Debug, Default)]
struct TopicSeen {
    image: Option<Arc<TopicImage>>,
    min_insync_replicas: i32,
    replicas: Vec<Vec<Replica>>,
    messages_in_per_s: f64,
    bytes_in_per_s: f64,
    dirty: bool,
    built: Option<(Arc<Topic>, Sums)>,
}

/// What a replica told last.
#[derive(Debug)]
struct Replica {
    node_id: NodeId,
    report: ReplicaReport,
}

impl Replica {
    fn log(&self) -> ReplicaLog {
        ReplicaLog {
            node_id: self.node_id,
            log_start_offset: self.report.log_start_offset,
            log_end_offset: self.report.log_end_offset,
            size_bytes: self.report.size_bytes,
            segments: self.report.segments,
            retention_size_percent: self.report.retention_size_percent,
        }
    }
}

/// Counts over the partitions of one topic, or of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Partitions.
    pub partitions: usize,
    /// Replicas.
    pub replicas: usize,
    /// Partitions with fewer in-sync replicas than replicas.
    pub under_replicated: usize,
    /// Partitions with fewer in-sync replicas than min.insync.replicas (or than replicas, where these are fewer).
    pub under_min_isr: usize,
    /// Partitions without a leader.
    pub offline: usize,
    /// Bytes on all replicas.
    pub size_bytes: u64,
    /// The same by broker.
    pub brokers: BTreeMap<NodeId, BrokerSums>,
}

/// Counts of one broker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BrokerSums {
    /// Partitions that it leads.
    pub leaders: usize,
    /// Replicas assigned to it.
    pub replicas: usize,
    /// Those not in the ISR.
    pub out_of_sync: usize,
    /// Bytes of its logs.
    pub size_bytes: u64,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.partitions += other.partitions;
        self.replicas += other.replicas;
        self.under_replicated += other.under_replicated;
        self.under_min_isr += other.under_min_isr;
        self.offline += other.offline;
        self.size_bytes += other.size_bytes;
        for (id, sums) in &other.brokers {
            let mine = self.brokers.entry(*id).or_default();
            mine.leaders += sums.leaders;
            mine.replicas += sums.replicas;
            mine.out_of_sync += sums.out_of_sync;
            mine.size_bytes += sums.size_bytes;
        }
    }
}

/// What was built, and which of it is new.
pub struct Built {
    /// All topics of the image, by name.
    pub topics: Vec<Arc<Topic>>,
    /// Sums over all.
    pub sums: Sums,
}

impl Topics {
    /// Takes over a newer image.
    pub fn set_image(&mut self, image: &Image, default_min_insync_replicas: i32) {
        let topic_named = |name: &Arc<str>| image.topic_ids.get(name).and_then(|id| image.topics.get(id));
        self.by_name.retain(|name, _| topic_named(name).is_some());
        let mut of_topics = BTreeMap::new();
        let mut default = default_min_insync_replicas;
        for ((resource_type, name), values) in &image.configs {
            let Some(value) = values.get("min.insync.replicas").and_then(|value| value.parse().ok()) else { continue };
            match *resource_type {
                TOPIC_CONFIG => drop(of_topics.insert(name, value)),
                BROKER_CONFIG if name.is_empty() => default = value,
                _ => {}
            }
        }
        for (name, id) in &image.topic_ids {
            let Some(topic) = image.topics.get(id) else { continue };
            let seen = self.by_name.entry(name.clone()).or_default();
            seen.set_image(topic, of_topics.get(name).copied().unwrap_or(default));
        }
    }

    /// Takes in what a replica on `node_id` told.
    pub fn set_replica(&mut self, node_id: NodeId, report: &ReplicaReport) {
        let Ok(index) = usize::try_from(report.partition.partition) else { return };
        if index >= PARTITIONS_MAX {
            return;
        }
        let seen = match self.by_name.get_mut(&report.partition.topic) {
            Some(seen) => seen,
            None => self.by_name.entry(report.partition.topic.clone()).or_default(),
        };
        if seen.replicas.len() <= index {
            seen.replicas.resize_with(index + 1, Vec::new);
        }
        let replicas = &mut seen.replicas[index];
        match replicas.iter_mut().find(|replica| replica.node_id == node_id) {
            Some(replica) if replica.report == *report => return,
            Some(replica) => replica.report = report.clone(),
            None => replicas.push(Replica { node_id, report: report.clone() }),
        }
        seen.dirty = true;
    }

    /// `node_id` no longer hosts a replica.
    pub fn remove_replica(&mut self, node_id: NodeId, topic: &str, partition: i32) {
        let Some(seen) = self.by_name.get_mut(topic) else { return };
        let Some(replicas) = usize::try_from(partition).ok().and_then(|index| seen.replicas.get_mut(index)) else {
            return;
        };
        replicas.retain(|replica| replica.node_id != node_id);
        seen.dirty = true;
        if seen.image.is_none() && seen.replicas.iter().all(Vec::is_empty) {
            self.by_name.remove(topic);
        }
    }

    /// Forgets what `node_id` told: it started anew and will tell everything again.
    pub fn forget_node(&mut self, node_id: NodeId) {
        for seen in self.by_name.values_mut() {
            for replicas in &mut seen.replicas {
                let before = replicas.len();
                replicas.retain(|replica| replica.node_id != node_id);
                seen.dirty |= replicas.len() != before;
            }
        }
    }

    /// Sets what flows into each topic; topics that are not told have no traffic.
    pub fn set_rates(&mut self, rates: &BTreeMap<Arc<str>, (f64, f64)>) {
        for (name, seen) in &mut self.by_name {
            let (messages_in_per_s, bytes_in_per_s) = rates.get(name).copied().unwrap_or_default();
            if (seen.messages_in_per_s, seen.bytes_in_per_s) != (messages_in_per_s, bytes_in_per_s) {
                (seen.messages_in_per_s, seen.bytes_in_per_s) = (messages_in_per_s, bytes_in_per_s);
                seen.dirty = true;
            }
        }
    }

    /// Builds what changed and hands out everything.
    pub fn build(&mut self) -> Built {
        let mut built = Built { topics: Vec::with_capacity(self.by_name.len()), sums: Sums::default() };
        for seen in self.by_name.values_mut() {
            if let Some((topic, sums)) = seen.build() {
                built.topics.push(topic.clone());
                built.sums.add(sums);
            }
        }
        built
    }

    /// The partition as it was last built.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        let (built, _) = self.by_name.get(topic)?.built.as_ref()?;
        built.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The id of the topic of that name.
    pub fn topic_id(&self, topic: &str) -> Option<Id> {
        self.by_name.get(topic)?.image.as_ref().map(|image| image.id)
    }

    /// Where the records of a partition stand: with its leader, as that told last.
    pub fn place(&self, topic: &str, partition: i32) -> Option<Place> {
        let seen = self.by_name.get(topic)?;
        let image = seen.image.as_ref()?;
        let index = usize::try_from(partition).ok()?;
        let replica = word_that_counts(image.partitions.get(index)?, seen.replicas.get(index)?)?;
        let dir = Path::new(&*replica.report.log_dir).join(format!("{topic}-{partition}"));
        Some(Place { topic_id: image.id, dir, leader_epoch: replica.report.leader_epoch })
    }
}

// org.apache.kafka.common.config.ConfigResource.Type
const TOPIC_CONFIG: i8 = 2;
const BROKER_CONFIG: i8 = 4;

impl TopicSeen {
    fn set_image(&mut self, topic: &Arc<TopicImage>, min_insync_replicas: i32) {
        if self.min_insync_replicas != min_insync_replicas {
            self.min_insync_replicas = min_insync_replicas;
            self.dirty = true;
        }
        if let Some(before) = &self.image {
            if Arc::ptr_eq(before, topic) {
                return;
            }
            if before.id != topic.id {
                // Deleted and made again: what the replicas of the old one told is not about this one.
                self.replicas.clear();
            }
            // Another node's image holds the same topic in another place.
            self.dirty |= before != topic;
        } else {
            self.dirty = true;
        }
        self.image = Some(topic.clone());
    }

    fn build(&mut self) -> Option<&(Arc<Topic>, Sums)> {
        let image = self.image.as_ref()?;
        if self.dirty || self.built.is_none() {
            self.dirty = false;
            let mut sums = Sums::default();
            let partitions = image
                .partitions
                .iter()
                .enumerate()
                .map(|(index, partition)| {
                    let replicas = self.replicas.get(index).map_or(&[][..], Vec::as_slice);
                    join_partition(index as i32, partition, replicas, self.min_insync_replicas, &mut sums)
                })
                .collect();
            let topic = Topic {
                name: image.name.clone(),
                topic_id: image.id.to_string(),
                internal: is_internal(&image.name),
                partitions,
                min_insync_replicas: self.min_insync_replicas,
                size_bytes: sums.size_bytes,
                messages_in_per_s: self.messages_in_per_s,
                bytes_in_per_s: self.bytes_in_per_s,
            };
            self.built = Some((Arc::new(topic), sums));
        }
        self.built.as_ref()
    }
}

/// As `org.apache.kafka.common.internals.Topic.isInternal`.
fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// The leader's word counts; without one, the last that was leader knows most.
fn word_that_counts<'a>(image: &PartitionImage, replicas: &'a [Replica]) -> Option<&'a Replica> {
    let of_leader =
        replicas.iter().find(|replica| replica.node_id == image.leader).filter(|replica| replica.report.is_leader);
    of_leader.or_else(|| {
        replicas.iter().max_by_key(|replica| {
            (replica.report.leader_epoch, replica.report.is_leader, replica.report.high_watermark)
        })
    })
}

fn join_partition(
    id: i32,
    image: &PartitionImage,
    replicas: &[Replica],
    min_insync_replicas: i32,
    sums: &mut Sums,
) -> Partition {
    let best = word_that_counts(image, replicas);
    let partition = Partition {
        id,
        leader: image.leader,
        leader_epoch: image.leader_epoch,
        replicas: image.replicas.clone(),
        isr: image.isr.clone(),
        elr: image.elr.clone(),
        log_start_offset: best.map_or(0, |replica| replica.report.log_start_offset),
        high_watermark: best.map_or(0, |replica| replica.report.high_watermark),
        last_stable_offset: best.map_or(0, |replica| replica.report.last_stable_offset),
        log_end_offsets: replicas.iter().map(|replica| (replica.node_id, replica.report.log_end_offset)).collect(),
        size_bytes: best.map_or(0, |replica| replica.report.size_bytes),
        logs: replicas.iter().map(Replica::log).collect(),
        epoch_start_offset: replicas
            .iter()
            .find(|replica| replica.node_id == image.leader && replica.report.leader_epoch == image.leader_epoch)
            .map(|replica| replica.report.epoch_start_offset)
            .filter(|offset| *offset >= 0),
        acknowledged_ends: replicas
            .iter()
            .filter(|replica| replica.report.acknowledged_end_offset >= 0)
            .map(|replica| (replica.report.leader_epoch, replica.report.acknowledged_end_offset))
            .collect(),
    };
    sums.partitions += 1;
    sums.replicas += partition.replicas.len();
    sums.under_replicated += usize::from(partition.is_under_replicated());
    let min_isr = usize::try_from(min_insync_replicas).unwrap_or(0).min(partition.replicas.len());
    sums.under_min_isr += usize::from(partition.isr.len() < min_isr);
    sums.offline += usize::from(partition.is_offline());
    for node_id in &partition.replicas {
        let broker = sums.brokers.entry(*node_id).or_default();
        broker.replicas += 1;
        broker.leaders += usize::from(partition.leader == *node_id);
        broker.out_of_sync += usize::from(!partition.isr.contains(node_id));
    }
    for replica in replicas {
        sums.size_bytes += replica.report.size_bytes;
        sums.brokers.entry(replica.node_id).or_default().size_bytes += replica.report.size_bytes;
    }
    partition
}
