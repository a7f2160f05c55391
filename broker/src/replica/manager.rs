//! All replicas of one broker. What happens to them is told by the methods; what follows for others is drained: [`Output`]s for other
//! nodes, changed partitions for waiting requests, reports for the window.
//!
//! Source: `kafka.server.ReplicaManager`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::alter::AlterQueue;
use super::assign::Assignments;
use super::dirs::LogDirs;
use super::failure::told_offline;
use super::fetcher::{FetchLimits, FetchPosition, Fetcher};
use super::isr::Brokers;
use super::leader::LeaderView;
use super::lines::{self, FetcherNews};
use super::metrics::ReplicaMetrics;
use super::partition::Partition;
use super::peer::PeerSession;
use super::relocate::Moves;
use super::scrub::Scrubbing;
use super::throttle::Throttles;
use crate::log::disk::Disk;
use crate::log::{Log, LogError};
use crate::logging::{Level, Logger};
use crate::metadata::config::NodeConfig;
use crate::metadata::report::{Event, ReplicaReport};
use crate::protocol::messages::{
    AlterPartitionRequestData, AssignReplicasToDirsRequestData, FetchRequestData, FetchResponseData,
};
use crate::types::{Id, NodeId, Now, TopicIdPartition, TopicPartition};

/// The log directories could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaManagerError {
    /// None is configured.
    #[error("broker {0} has no log directory")]
    NoLogDir(NodeId),
    /// A directory does not open.
    #[error("the log directory does not open: {0}")]
    Log(#[from] LogError),
    /// The first directory, which has the metadata log, failed.
    #[error("the metadata log directory {path} failed; mend it and start the broker again: {cause}", path = path.display())]
    MetadataDir {
        /// Which.
        path: PathBuf,
        /// What the disk said.
        cause: String,
    },
    /// A replica lies in two directories.
    #[error(
        "duplicate log directories for {partition} are found in both {first} and {second}; a log directory may have failed while the \
         replica moved: delete one of the two by hand",
        first = first.display(), second = second.display()
    )]
    DuplicateLog {
        /// Whose.
        partition: TopicPartition,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// What a broker's replicas want sent to other nodes.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask a leader for records. The answer goes to [`ReplicaManager::on_fetch_response`] with the same `id`.
    Fetch {
        /// Leader's broker.
        leader: NodeId,
        /// Names the request.
        id: u64,
        /// The request.
        request: Box<FetchRequestData>,
    },
    /// Ask the active controller for another ISR. The answer goes to [`ReplicaManager::on_alter_partition_response`] with the same `id`.
    AlterPartition {
        /// Names the request.
        id: u64,
        /// The request.
        request: Box<AlterPartitionRequestData>,
    },
    /// Tell the active controller which directories hold replicas. The answer goes to [`ReplicaManager::on_assign_response`] with the same
    /// `id`.
    AssignReplicasToDirs {
        /// Names the request.
        id: u64,
        /// The request.
        request: Box<AssignReplicasToDirsRequestData>,
    },
    /// Answer a follower's request that came by [`ReplicaManager::on_peer_fetch`].
    FetchReply {
        /// The follower's broker.
        to: NodeId,
        /// The asker's name for its request.
        correlation: u64,
        /// The answer.
        response: Box<FetchResponseData>,
    },
}

/// What was counted since the broker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicationCounters {
    /// Record bytes fetched from leaders.
    pub bytes_in: u64,
    /// Record bytes given to followers.
    pub bytes_out: u64,
    /// ISR shrinks that the controller agreed to.
    pub isr_shrinks: u64,
    /// ISR expansions that the controller agreed to.
    pub isr_expands: u64,
    /// ISR changes that it refused.
    pub failed_isr_updates: u64,
}

/// Followers that fetch from this broker, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowerFetches {
    /// Their sessions.
    pub sessions: usize,
    /// Partitions in those.
    pub partitions: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Partitions that those watch.
    pub watched: usize,
    /// Requests that waited for as long as they allowed, since the broker started.
    pub expired: u64,
}

/// The configs that replication reads on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub lag_time_max: Duration,
    pub back_off: Duration,
    pub fetch: FetchLimits,
    pub request_timeout: Duration,
    pub checkpoint_interval: Duration,
    pub retention_interval: Duration,
    /// `log.initial.task.delay.ms`
    pub retention_delay: Duration,
    pub isr_check_interval: Duration,
    /// `replica.alter.log.dirs.io.max.bytes.per.second`, set while the cluster runs only.
    pub move_bytes_per_s: u64,
}

impl Settings {
    fn of(config: &NodeConfig) -> Settings {
        let ms = |key: &str| Duration::from_millis(u64::try_from(config.i64(key)).unwrap_or(0));
        let bytes = |key: &str| i32::try_from(config.i64(key)).unwrap_or(i32::MAX);
        let lag_time_max = ms("replica.lag.time.max.ms");
        // Between nodes a lost message is lost for good: nobody sends it again as TCP would. A request that was lost must not cost a
        // follower its place in the ISR.
        let request_timeout = ms("replica.socket.timeout.ms").min(lag_time_max / 2).max(Duration::from_millis(100));
        let max_wait = ms("replica.fetch.wait.max.ms");
        Settings {
            lag_time_max,
            back_off: ms("replica.fetch.backoff.ms"),
            fetch: FetchLimits {
                max_wait_ms: max_wait.as_millis() as i32,
                min_bytes: bytes("replica.fetch.min.bytes"),
                max_bytes: bytes("replica.fetch.response.max.bytes"),
                partition_max_bytes: bytes("replica.fetch.max.bytes"),
                timeout: max_wait + request_timeout,
            },
            request_timeout,
            checkpoint_interval: ms("replica.high.watermark.checkpoint.interval.ms").max(Duration::from_millis(1)),
            retention_interval: ms("log.retention.check.interval.ms").max(Duration::from_millis(1)),
            retention_delay: ms("log.initial.task.delay.ms"),
            isr_check_interval: (lag_time_max / 2).clamp(Duration::from_millis(1), Duration::from_millis(500)),
            move_bytes_per_s: u64::MAX,
        }
    }
}

/// A closed segment is flushed so often at most: the flush takes the thread from everything else.
const CLOSED_FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// The replicas of one broker.
pub struct ReplicaManager {
    pub(super) me: NodeId,
    pub(super) config: NodeConfig,
    pub(super) settings: Settings,
    pub(super) dir: LogDirs,
    pub(super) brokers: Brokers,
    pub(super) broker_epoch: i64,
    pub(super) loaded: bool,
    pub(super) partitions: BTreeMap<TopicIdPartition, Partition>,
    pub(super) alter: AlterQueue,
    pub(super) assignments: Assignments,
    pub(super) moves: Moves,
    pub(super) throttles: Throttles,
    /// When each directory failed, on the monotonic clock.
    pub(super) failed_at: BTreeMap<Id, Duration>,
    pub(super) halted: Option<String>,
    pub(super) last_tick: Duration,
    pub(super) fetchers: BTreeMap<NodeId, Fetcher>,
    pub(super) peers: BTreeMap<NodeId, PeerSession>,
    pub(super) replies: Vec<Output>,
    pub(super) metrics: ReplicaMetrics,
    pub(super) fetches_expired: u64,
    pub(super) events: Vec<Event>,
    pub(super) fetcher_news: FetcherNews,
    pub(super) last_id: u64,
    changes: BTreeSet<TopicIdPartition>,
    peer_changes: BTreeSet<TopicIdPartition>,
    report_changes: BTreeSet<TopicIdPartition>,
    pub(super) removed: Vec<TopicPartition>,
    next_isr_check: Duration,
    next_checkpoint: Duration,
    next_retention: Duration,
    next_closed_flush: Duration,
    pub(super) scrubbing: Scrubbing,
}

impl ReplicaManager {
    /// Opens the log directories and recovers what is in them. No replica has a role until the image is known.
    pub fn open(config: &NodeConfig, disk: Arc<dyn Disk>, now: Now) -> Result<ReplicaManager, ReplicaManagerError> {
        let dir = LogDirs::open(disk, config, now)?;
        let settings = Settings::of(config);
        let offline = dir.all().filter_map(|(path, state)| Some((path, state.err()?)));
        let told = offline.map(|(path, cause)| {
            let message = told_offline(path, cause);
            config.log.error(Logger::LogManager, || message.clone());
            Event::Error { message }
        });
        let events = told.collect();
        Ok(ReplicaManager {
            me: config.node_id,
            config: config.clone(),
            settings,
            dir,
            brokers: Brokers::default(),
            broker_epoch: -1,
            loaded: false,
            partitions: BTreeMap::new(),
            alter: AlterQueue::default(),
            assignments: Assignments::default(),
            moves: Moves::default(),
            throttles: Throttles::of(config),
            failed_at: BTreeMap::new(),
            halted: None,
            last_tick: now.mono,
            fetchers: BTreeMap::new(),
            peers: BTreeMap::new(),
            replies: Vec::new(),
            metrics: ReplicaMetrics::new(now),
            fetches_expired: 0,
            events,
            fetcher_news: FetcherNews::default(),
            last_id: 0,
            changes: BTreeSet::new(),
            peer_changes: BTreeSet::new(),
            report_changes: BTreeSet::new(),
            removed: Vec::new(),
            next_isr_check: now.mono + settings.isr_check_interval,
            next_checkpoint: now.mono + settings.checkpoint_interval,
            next_retention: now.mono + settings.retention_delay,
            next_closed_flush: now.mono,
            scrubbing: Scrubbing::default(),
        })
    }

    /// The log directories.
    pub fn log_dirs(&self) -> &LogDirs {
        &self.dir
    }

    /// A replica of this broker.
    pub fn partition(&self, id: &TopicIdPartition) -> Option<&Partition> {
        self.partitions.get(id)
    }

    /// All replicas of this broker.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.values()
    }

    /// Whether the high watermark of every partition led here has reached the start of this leader's epoch, so that clients are told
    /// where the log ends.
    pub fn is_settled(&self) -> bool {
        self.partitions.values().all(|partition| {
            partition.as_leader().is_none_or(|leader| leader.epoch_start_offset <= partition.high_watermark())
        })
    }

    /// The log of a replica, unless it failed.
    pub fn log(&self, id: &TopicIdPartition) -> Option<&Log> {
        let partition = self.partitions.get(id).filter(|partition| !partition.is_offline())?;
        self.dir.log(partition.name())
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Something about a partition has changed that others may wait for.
    pub(super) fn touch(&mut self, id: TopicIdPartition) {
        self.changes.insert(id);
        self.peer_changes.insert(id);
        self.report_changes.insert(id);
    }

    /// Raises the high watermark if it may rise.
    pub(super) fn advance(&mut self, id: &TopicIdPartition, now: Duration) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let Some(log) = self.dir.log(partition.name()) else { return };
        let view = LeaderView { now, lag_time_max: self.settings.lag_time_max, brokers: &self.brokers };
        let before = partition.high_watermark();
        if partition.advance_high_watermark(log.log_end_offset(), &view) {
            self.config.log.debug(Logger::Partition, || {
                let prefix = lines::of_partition(self.me, partition.name());
                format!("{prefix}High watermark from {before} to {}", partition.high_watermark())
            });
            self.touch(*id);
        }
    }

    pub(super) fn stop_fetching(&mut self, id: &TopicIdPartition) {
        let mut fetched = false;
        for fetcher in self.fetchers.values_mut() {
            fetched |= fetcher.remove(id);
        }
        if fetched {
            self.note_not_fetching(id);
        }
    }

    /// Timers: lost requests, back-offs, long polls, ISR by lag, checkpoints, retention.
    pub fn on_tick(&mut self, now: Now) {
        self.last_tick = now.mono;
        self.alter.on_tick(now.mono);
        for (leader, fetcher) in &mut self.fetchers {
            if fetcher.on_tick(now.mono, self.settings.back_off) {
                let prefix = || lines::of_fetcher(self.me, *leader);
                self.config
                    .log
                    .warn(Logger::ReplicaFetcher, || format!("{}A fetch was not answered in time", prefix()));
            }
        }
        self.fetchers.retain(|_, fetcher| !fetcher.is_idle());
        if self.next_isr_check <= now.mono {
            self.next_isr_check = now.mono + self.settings.isr_check_interval;
            self.check_isrs(now);
            self.flush_and_delete(now);
            self.flush_closed_slice(now);
        }
        if self.next_checkpoint <= now.mono {
            self.checkpoint(now);
        }
        if self.next_retention <= now.mono {
            self.next_retention = now.mono + self.settings.retention_interval;
            self.apply_retention(now);
        }
        self.assignments.on_tick(now.mono);
        self.copy_slice(now);
        self.clean(now);
        self.scrub_slice(now);
        self.answer_peers(now);
    }

    /// When [`ReplicaManager::on_tick`] or [`ReplicaManager::take_outputs`] has something to do next, on the monotonic clock.
    pub fn next_deadline(&self) -> Duration {
        let fixed = [self.next_isr_check, self.next_checkpoint, self.next_retention];
        let fetchers = self.fetchers.values().filter_map(Fetcher::next_deadline);
        let polls = self.peers.values().filter_map(|session| session.waiting.map(|waiting| waiting.deadline));
        let queues = [self.alter.next_deadline(), self.assignments.next_deadline(), self.moves.next_deadline()];
        let queues = queues.into_iter().chain([self.next_cleaning(), self.scrubbing.next_deadline()]).flatten();
        let soonest = fixed.into_iter().chain(fetchers).chain(polls).chain(queues).min();
        soonest.unwrap_or(self.next_isr_check)
    }

    /// What is to be sent. To be called after each input.
    pub fn take_outputs(&mut self, now: Now) -> Vec<Output> {
        self.answer_peers(now);
        let mut outputs = std::mem::take(&mut self.replies);
        self.hold_back_fetches(now.mono);
        for (&leader, fetcher) in &mut self.fetchers {
            let (partitions, dir) = (&self.partitions, &self.dir);
            let position = |id: &TopicIdPartition| {
                let log = dir.log(partitions.get(id)?.name())?;
                Some(FetchPosition {
                    offset: log.log_end_offset(),
                    last_epoch: log.latest_epoch().unwrap_or(-1),
                    log_start: log.log_start_offset(),
                })
            };
            let id = self.last_id + 1;
            if let Some(mut request) = fetcher.take_request(now.mono, id, &self.settings.fetch, position) {
                self.last_id = id;
                request.replica_state.replica_id = self.me;
                request.replica_state.replica_epoch = self.broker_epoch;
                outputs.push(Output::Fetch { leader, id, request: Box::new(request) });
            }
        }
        let id = self.last_id + 1;
        let timeout = self.settings.request_timeout;
        if let Some(request) = self.alter.take_request(now.mono, id, timeout, self.me, self.broker_epoch) {
            self.last_id = id;
            outputs.push(Output::AlterPartition { id, request: Box::new(request) });
        }
        let id = self.last_id + 1;
        if let Some(request) = self.assignments.take_request(now.mono, id, timeout, self.me, self.broker_epoch) {
            self.last_id = id;
            outputs.push(Output::AssignReplicasToDirs { id, request: Box::new(request) });
        }
        outputs
    }

    /// Partitions whose log end, high watermark, log start or leadership changed: requests that wait for them are looked at again.
    pub fn take_changes(&mut self) -> BTreeSet<TopicIdPartition> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn take_peer_changes(&mut self) -> BTreeSet<TopicIdPartition> {
        std::mem::take(&mut self.peer_changes)
    }

    /// Events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Replicas whose state changed since the last call, and those that are no longer here.
    pub fn changed_reports(&mut self) -> (Vec<ReplicaReport>, Vec<TopicPartition>) {
        let changed = std::mem::take(&mut self.report_changes);
        let reports = changed.iter().filter_map(|id| self.report(id)).collect();
        (reports, std::mem::take(&mut self.removed))
    }

    fn report(&self, id: &TopicIdPartition) -> Option<ReplicaReport> {
        let partition = self.partitions.get(id)?;
        let log = self.dir.log(partition.name())?;
        Some(ReplicaReport {
            partition: partition.name().clone(),
            is_leader: partition.is_leader(),
            leader_epoch: partition.leader_epoch(),
            log_start_offset: log.log_start_offset(),
            log_end_offset: log.log_end_offset(),
            high_watermark: partition.high_watermark(),
            last_stable_offset: log.last_stable_offset(partition.high_watermark()),
            epoch_start_offset: partition.epoch_start_offset(),
            acknowledged_end_offset: partition.acknowledged_end_offset(),
            size_bytes: log.size_bytes(),
            segments: u32::try_from(log.segment_count()).unwrap_or(u32::MAX),
            retention_size_percent: retention_size_percent(log.size_bytes(), log.config().retention_bytes),
            log_dir: log.dir().parent().map(|root| root.to_string_lossy().into()).unwrap_or_default(),
        })
    }

    /// Flushes a closed segment of one log, the one with the most to read again after a crash. Kafka flushes a segment in the background
    /// once it was rolled (`UnifiedLog.roll`).
    fn flush_closed_slice(&mut self, now: Now) {
        if now.mono < self.next_closed_flush {
            return;
        }
        self.next_closed_flush = now.mono + CLOSED_FLUSH_INTERVAL;
        let online = self.dir.logs_mut().filter(|log| log.offline().is_none());
        let Some(log) = online.max_by_key(|log| log.closed_unflushed_records()) else { return };
        let Err(error) = log.flush_closed_segment(now) else { return };
        let name = log.topic_partition().clone();
        if let Some(id) = self.id_of_name(&name) {
            self.fail_log(&id, &error);
        }
    }

    /// `flush.ms`, and the directories of deleted logs.
    fn flush_and_delete(&mut self, now: Now) {
        let failed = self.dir.logs_mut().filter(|log| log.offline().is_none()).filter_map(|log| {
            let error = log.flush_if_due(now).err()?;
            let id = TopicIdPartition { topic_id: log.topic_id()?, partition: log.topic_partition().partition };
            Some((id, error))
        });
        for (id, error) in failed.collect::<Vec<_>>() {
            self.fail_log(&id, &error);
        }
        if let Err(error) = self.dir.delete_due(now) {
            self.disk_failed(&error);
        }
    }

    fn apply_retention(&mut self, now: Now) {
        let ids: Vec<TopicIdPartition> = self.partitions.keys().copied().collect();
        for id in ids {
            let Some(partition) = self.partitions.get(&id).filter(|partition| !partition.is_offline()) else {
                continue;
            };
            let Some(log) = self.dir.log_mut(partition.name()) else { continue };
            match log.apply_retention(now, partition.high_watermark()) {
                Ok(0) => {}
                Ok(_) => {
                    // A leader whose records are deleted waits to hear that its followers' logs begin later too.
                    self.fetchers.values_mut().for_each(|fetcher| fetcher.moved(id));
                    self.touch(id);
                }
                Err(error) => self.fail_log(&id, &error),
            }
        }
    }

    /// Writes the checkpoint files: high watermarks, recovery points, log start offsets.
    pub fn checkpoint(&mut self, now: Now) {
        self.next_checkpoint = now.mono + self.settings.checkpoint_interval;
        let high_watermarks = self.high_watermarks();
        if let Err(error) = self.dir.write_checkpoints(&high_watermarks) {
            self.disk_failed(&error);
        }
    }

    fn high_watermarks(&self) -> BTreeMap<TopicPartition, i64> {
        let online = self.partitions.values().filter(|partition| !partition.is_offline());
        online.map(|partition| (partition.name().clone(), partition.high_watermark())).collect()
    }

    /// The broker epoch under which this broker last stopped cleanly, or -1: to be told when it registers (KIP-966).
    pub fn previous_broker_epoch(&self) -> i64 {
        self.dir.clean_broker_epoch().unwrap_or(-1)
    }

    /// The clean end: logs flushed, checkpoints written, marker left. Nothing may be called afterwards but drop.
    ///
    /// # Errors
    /// A log or a file could not be written; there is no marker then, and the next start recovers.
    pub fn shutdown(&mut self, now: Now) -> Result<(), LogError> {
        self.say(Level::Info, || format!("Shutting down with {} replicas", self.partitions.len()));
        let high_watermarks = self.high_watermarks();
        self.partitions.clear();
        self.fetchers.clear();
        self.dir.write_checkpoints(&high_watermarks)?;
        self.dir.shutdown_clean(now, self.broker_epoch)?;
        self.say(Level::Info, || "Shut down completely".to_owned());
        Ok(())
    }
}

/// Source: `UnifiedLog`'s gauge `RetentionSizeInPercent`.
fn retention_size_percent(size_bytes: u64, retention_bytes: i64) -> u32 {
    match u64::try_from(retention_bytes) {
        Ok(limit) if limit > 0 => u32::try_from(u128::from(size_bytes) * 100 / u128::from(limit)).unwrap_or(u32::MAX),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_size_is_told_against_its_limit_if_there_is_one() {
        for (size, limit, percent) in
            [(50, 200, 25), (199, 200, 99), (400, 200, 200), (5, -1, 0), (5, 0, 0), (u64::MAX, 1, u32::MAX)]
        {
            assert_eq!(super::retention_size_percent(size, limit), percent, "{size} of {limit}");
        }
    }
}
