//! From the image to roles: what this broker must lead, follow, create and delete.
//!
//! Source: `kafka.server.ReplicaManager.applyDelta`, `kafka.cluster.Partition.makeLeader` and `makeFollower`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fetcher::Fetcher;
use super::isr::Brokers;
use super::lines;
use super::manager::ReplicaManager;
use super::partition::{Partition, Role};
use super::relocate::Move;
use super::throttle::Throttled;
use crate::log::{Log, LogConfig, LogError};
use crate::logging::Logger;
use crate::metadata::config::{NodeConfig, RESOURCE_BROKER, RESOURCE_TOPIC, TopicConfig};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{Image, PartitionImage, TopicImage};
use crate::metadata::record::DIRECTORY_UNASSIGNED;
use crate::planted::Bug;
use crate::records::{Codec, Compression, TimestampType};
use crate::types::{Id, NO_NODE, NodeId, Now, TopicIdPartition, TopicPartition};

impl ReplicaManager {
    /// The controller gave this broker an epoch. Replicas take up their roles once the image holds this registration: what an older image
    /// says of this broker was meant for an earlier incarnation, which may have had records that this one lost.
    pub fn registered(&mut self, now: Now, broker_epoch: i64, image: &Image) {
        self.broker_epoch = broker_epoch;
        self.load_if_current(now, image);
    }

    /// The image changed.
    pub fn apply_image(&mut self, now: Now, image: &Image, delta: &ImageDelta) {
        if delta.configs_changed.iter().any(|(kind, _)| *kind == RESOURCE_BROKER) {
            self.config = self.config.effective(image);
        }
        if !self.loaded {
            self.load_if_current(now, image);
            return;
        }
        self.tell_transitions(image, delta.partitions_changed.iter());
        for (topic_id, topic) in &delta.topics_deleted {
            for partition in 0..topic.partitions.len() {
                self.remove(now, &TopicIdPartition { topic_id: *topic_id, partition: partition as i32 });
            }
        }
        self.apply_configs(image, &delta.configs_changed);
        for id in &delta.partitions_changed {
            self.reconcile(now, image, *id);
        }
        self.tell_fetchers();
        if !delta.brokers_changed.is_empty() {
            self.brokers = Brokers::of(image);
            self.check_isrs(now);
        }
    }

    fn load_if_current(&mut self, now: Now, image: &Image) {
        self.brokers = Brokers::of(image);
        let current = self.brokers.get(self.me).is_some_and(|broker| broker.epoch == self.broker_epoch);
        if self.loaded || !current {
            return;
        }
        self.loaded = true;
        self.config = self.config.effective(image);
        self.set_move_rate(image);
        self.throttles.set_limits(&self.config);
        self.delete_strays(now, image);
        let of_topic = |(topic_id, topic): (&Id, &Arc<TopicImage>)| {
            let topic_id = *topic_id;
            (0..topic.partitions.len() as i32).map(move |partition| TopicIdPartition { topic_id, partition })
        };
        let ids: Vec<TopicIdPartition> = image.topics.iter().flat_map(of_topic).collect();
        self.tell_transitions(image, ids.iter());
        for id in ids {
            self.reconcile(now, image, id);
        }
        self.tell_fetchers();
    }

    /// Logs of topics that were deleted, or of replicas that were moved away, while this broker was down.
    fn delete_strays(&mut self, now: Now, image: &Image) {
        let is_stray = |name: &TopicPartition, id: Option<Id>| {
            let Some(topic) = image.topic(&name.topic) else { return true };
            let hosted = topic.partition(name.partition).is_some_and(|there| there.replicas.contains(&self.me));
            !hosted || id.is_some_and(|id| id != topic.id)
        };
        let strays: Vec<TopicPartition> = self
            .dir
            .logs()
            .filter(|log| is_stray(log.topic_partition(), log.topic_id()))
            .map(|log| log.topic_partition().clone())
            .collect();
        for stray in strays {
            self.config.log.warn(Logger::LogManager, || {
                format!("The log of {stray} is a stray: its topic was deleted, or its replica moved away, meanwhile; it is deleted")
            });
            self.delete_log(now, &stray);
        }
    }

    fn delete_log(&mut self, now: Now, name: &TopicPartition) {
        if let Err(error) = self.dir.delete_log(name, now) {
            self.disk_failed(&error);
        }
    }

    /// Gives up a replica and deletes its log.
    fn remove(&mut self, now: Now, id: &TopicIdPartition) {
        // While its name is known.
        self.stop_fetching(id);
        let Some(partition) = self.partitions.remove(id) else { return };
        self.alter.cancel(id);
        self.assignments.forget(id);
        self.moves.end(id);
        self.delete_log(now, partition.name());
        self.config.log.info(Logger::StateChange, || {
            format!("[Broker id={}] {} with topic id {} is deleted here", self.me, partition.name(), id.topic_id)
        });
        self.removed.push(partition.name().clone());
        self.touch(*id);
    }

    /// Makes a replica what the image says it is.
    fn reconcile(&mut self, now: Now, image: &Image, id: TopicIdPartition) {
        let topic = image.topics.get(&id.topic_id);
        let state = topic.and_then(|topic| topic.partition(id.partition));
        let (Some(topic), Some(state)) = (topic, state.filter(|state| state.replicas.contains(&self.me))) else {
            self.remove(now, &id);
            return;
        };
        let name = TopicPartition { topic: topic.name.clone(), partition: id.partition };
        let assigned = assigned_directory(self.me, state);
        if let Err(error) = self.host(now, image, id, name, assigned.unwrap_or(DIRECTORY_UNASSIGNED)) {
            self.fail_log(&id, &error);
        }
        self.settle_directory(id, assigned);
        let news = self.partitions.get(&id).is_some_and(|here| !here.is_offline() && here.is_news(state));
        if news {
            self.assume_role(now, id, state);
        }
    }

    /// Tells the controller where the replica lies, if it believes otherwise. While the replica moves, the move does.
    fn settle_directory(&mut self, id: TopicIdPartition, assigned: Option<Id>) {
        let Some(here) = self.partitions.get(&id).and_then(|partition| partition.directory) else { return };
        if self.moves.get(&id).is_some_and(|state| state != Move::Copying) {
            return;
        }
        match assigned {
            Some(assigned) if assigned != here => self.assignments.want(id, here),
            _ => self.assignments.forget(&id),
        }
    }

    /// Sees to it that the replica is known and has a log.
    fn host(
        &mut self,
        now: Now,
        image: &Image,
        id: TopicIdPartition,
        name: TopicPartition,
        assigned: Id,
    ) -> Result<(), LogError> {
        if self.partitions.contains_key(&id) {
            return Ok(());
        }
        let config = TopicConfig::resolve_in(image, &name.topic, &self.config);
        let min_isr = usize::try_from(config.min_insync_replicas).unwrap_or(1);
        let mut partition = Partition::new(id, name.clone(), 0, min_isr);
        partition.throttled = Throttled::of(&config, id.partition, self.me);
        self.partitions.insert(id, partition);
        let log_config = log_config(&config, &self.config);
        self.recover_abandoned(now, &name, assigned)?;
        let is_new = self.dir.log(&name).is_none();
        if self.dir.log(&name).is_none() && !self.dir.may_create(assigned) {
            self.config.log.warn(Logger::StateChange, || {
                format!(
                    "[Broker id={}] {name} is not taken on, as its log may lie in a log directory that is offline",
                    self.me
                )
            });
            return Err(LogError::Offline("its log directory is offline".into()));
        }
        let created = self.dir.create_log(name.clone(), id.topic_id, log_config.clone(), assigned, now).map(|_| ());
        if let Err(LogError::InconsistentTopicId { .. }) = created {
            // The log of a topic of that name that was deleted while this broker was away.
            self.dir.delete_log(&name, now)?;
            self.dir.create_log(name.clone(), id.topic_id, log_config, assigned, now)?;
        } else {
            created?;
        }
        let directory = self.dir.index_of(&name).and_then(|index| self.dir.id_of(index));
        if let Some(partition) = self.partitions.get_mut(&id) {
            partition.directory = directory;
        }
        if self.dir.future(&name).is_some() {
            self.moves.begin(id, now.mono);
        }
        let checkpointed = self.dir.high_watermark(&name).unwrap_or(0);
        if let (Some(partition), Some(log)) = (self.partitions.get_mut(&id), self.dir.log(&name)) {
            partition.high_watermark = checkpointed.max(log.log_start_offset()).min(log.log_end_offset());
        }
        let dir = self.dir.log(&name).filter(|_| is_new).map(|log| log.dir().display().to_string());
        lines::hosted(self, image, &id, dir);
        Ok(())
    }

    /// A copy whose directory the controller was told of already, and whose original is gone with its directory, is the replica.
    fn recover_abandoned(&mut self, now: Now, name: &TopicPartition, assigned: Id) -> Result<(), LogError> {
        let Some(future) = self.dir.future_index(name) else { return Ok(()) };
        if self.dir.log(name).is_some() || self.dir.id_of(future) != Some(assigned) {
            return Ok(());
        }
        let start = self.dir.future(name).map_or(0, Log::log_start_offset);
        self.dir.promote_future(name, start, now)
    }

    fn assume_role(&mut self, now: Now, id: TopicIdPartition, state: &PartitionImage) {
        self.alter.cancel(&id);
        if state.leader == self.me {
            self.lead(now, id, state)
        } else {
            self.follow(id, state)
        }
        self.touch(id);
    }

    fn lead(&mut self, now: Now, id: TopicIdPartition, state: &PartitionImage) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(log) = self.dir.log_mut(partition.name()) else { return };
        let log_end = log.log_end_offset();
        if let Err(error) = log.assign_epoch_start(state.leader_epoch, log_end) {
            self.fail_log(&id, &error);
            return;
        }
        let start = (state.leader_epoch > partition.leader_epoch()).then_some(log_end);
        partition.lead(self.me, state, log_end, now.mono);
        lines::leads(&self.config.log, self.me, partition, state, start);
        self.stop_fetching(&id);
        self.advance(&id, now.mono);
    }

    fn follow(&mut self, id: TopicIdPartition, state: &PartitionImage) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let same_reign =
            !partition.is_leader() && partition.leader == state.leader && partition.leader_epoch == state.leader_epoch;
        let before = (partition.leader(), partition.leader_epoch());
        partition.follow(state);
        let log_end = self.dir.log(partition.name()).map(Log::log_end_offset);
        lines::follows(&self.config.log, self.me, partition, log_end, before);
        if same_reign {
            return;
        }
        if Bug::TruncateByHighWatermark.is_planted()
            && let Some(log) = self.dir.log_mut(partition.name())
        {
            let _ = log.truncate_to(partition.high_watermark);
        }
        let mut fetched = false;
        for (_, fetcher) in self.fetchers.iter_mut().filter(|(leader, _)| **leader != state.leader) {
            fetched |= fetcher.remove(&id);
        }
        if fetched {
            self.note_not_fetching(&id);
        }
        if state.leader != NO_NODE {
            let fetcher = self.fetchers.entry(state.leader).or_insert_with(Fetcher::new);
            fetcher.add(id, state.leader_epoch);
            self.note_fetching(state.leader, &id);
        }
    }

    /// Topic configs, and the brokers' defaults under them, act at once.
    fn apply_configs(&mut self, image: &Image, changed: &BTreeSet<(i8, Arc<str>)>) {
        let own = self.me.to_string();
        let concerns = |name: &str| name.is_empty() || name == own;
        let all = changed.iter().any(|(kind, name)| *kind == RESOURCE_BROKER && concerns(name));
        let touched = |name: &TopicPartition| all || changed.contains(&(RESOURCE_TOPIC, name.topic.clone()));
        if changed.is_empty() {
            return;
        }
        // Topics without configs of their own, which are most, share one: no topic has an empty name.
        let mut resolved: BTreeMap<Arc<str>, TopicConfig> = BTreeMap::new();
        let shared: Arc<str> = Arc::from("");
        self.set_move_rate(image);
        self.throttles.set_limits(&self.config);
        for partition in self.partitions.values_mut().filter(|partition| touched(partition.name())) {
            let topic = &partition.name().topic;
            let has_own = image.configs.contains_key(&(RESOURCE_TOPIC, topic.clone()));
            let topic = if has_own { topic } else { &shared };
            let config =
                resolved.entry(topic.clone()).or_insert_with(|| TopicConfig::resolve_in(image, topic, &self.config));
            let min_isr = usize::try_from(config.min_insync_replicas).unwrap_or(1);
            if let Some(log) = self.dir.log_mut(partition.name()) {
                log.set_config(log_config(config, &self.config));
            }
            partition.min_insync_replicas = min_isr;
            partition.throttled = Throttled::of(config, partition.name().partition, self.me);
        }
    }

    /// Partitions whose log failed.
    pub fn offline(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.values().filter(|partition| matches!(partition.role, Role::Offline { .. }))
    }
}

/// The directory in which the controller believes this broker's replica; `None` where it says nothing.
fn assigned_directory(me: NodeId, state: &PartitionImage) -> Option<Id> {
    let index = state.replicas.iter().position(|replica| *replica == me)?;
    state.directories.get(index).copied()
}

/// `compression.type`; `None` is `producer`.
fn codec(config: &TopicConfig) -> Option<Codec> {
    let codec = |compression, level| Some(Codec { compression, level });
    match config.compression_type.as_str() {
        "uncompressed" => codec(Compression::None, None),
        "gzip" => codec(Compression::Gzip, Some(config.compression_gzip_level)),
        "snappy" => codec(Compression::Snappy, None),
        "lz4" => codec(Compression::Lz4, None),
        "zstd" => codec(Compression::Zstd, Some(config.compression_zstd_level)),
        _ => None,
    }
}

/// What the log reads of a topic's config.
fn log_config(config: &TopicConfig, node: &NodeConfig) -> LogConfig {
    let bytes = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
    LogConfig {
        segment_bytes: u64::try_from(config.segment_bytes).unwrap_or(0),
        segment_ms: config.segment_ms,
        segment_jitter_ms: config.segment_jitter_ms,
        preallocate: config.preallocate,
        segment_index_bytes: u32::try_from(config.segment_index_bytes).unwrap_or(0),
        index_interval_bytes: u32::try_from(config.index_interval_bytes).unwrap_or(0),
        max_message_bytes: bytes(config.max_message_bytes),
        retention_ms: config.retention_ms,
        retention_bytes: config.retention_bytes,
        cleanup_delete: config.cleanup_policy.delete,
        cleanup_compact: config.cleanup_policy.compact,
        min_cleanable_dirty_ratio: config.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: config.min_compaction_lag_ms,
        max_compaction_lag_ms: config.max_compaction_lag_ms,
        delete_retention_ms: config.delete_retention_ms,
        compression: codec(config),
        flush_messages: config.flush_messages,
        flush_ms: config.flush_ms,
        message_timestamp_type: match config.log_append_time {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        },
        message_timestamp_before_max_ms: config.message_timestamp_before_max_ms,
        message_timestamp_after_max_ms: config.message_timestamp_after_max_ms,
        file_delete_delay_ms: u64::try_from(config.file_delete_delay_ms).unwrap_or(0),
        producer_id_expiration_ms: node.i64("producer.id.expiration.ms"),
        ..LogConfig::default()
    }
}
