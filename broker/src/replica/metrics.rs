//! What a broker measures of its replicas and their logs.
//!
//! Source: `kafka.server.ReplicaManager`, `AbstractFetcherManager`, `kafka.cluster.Partition.{isUnderReplicated, isUnderMinIsr, isAtMinIsr}`,
//! `kafka.log.LogManager`, `LogCleaner`, `LogCleanerManager`.

use super::manager::{ReplicaManager, ReplicationCounters};
use super::partition::{Partition, Role};
use crate::log::{CleanerGauges, LogDir};
use crate::metadata::image::Image;
use crate::metrics::table::{log as log_bean, replica as bean};
use crate::metrics::{Collector, Histogram, Label, Meter, Windowed};
use crate::types::{NodeId, Now, TopicIdPartition};

/// `ProducerStateManager.LATE_TRANSACTION_BUFFER_MS`: how much longer than allowed a transaction is open when it counts as late.
const LATE_TRANSACTION_BUFFER_MS: i64 = 300_000;

/// The instruments of a broker's replicas.
#[derive(Debug)]
pub(super) struct ReplicaMetrics {
    pub isr_shrinks: Meter,
    pub isr_expands: Meter,
    pub failed_isr_updates: Meter,
    pub bytes_in: Meter,
    pub bytes_out: Meter,
    pub reassignment_bytes_in: Meter,
    pub reassignment_bytes_out: Meter,
    /// Reads for replicas that move between directories, and their bytes.
    copies: Meter,
    copied: Windowed,
    flush_times: Histogram,
    flushes: Meter,
    cleaner_io: Meter,
    /// A cleaner that has not looked for logs yet began then.
    began: Now,
}

impl ReplicaMetrics {
    pub fn new(now: Now) -> ReplicaMetrics {
        ReplicaMetrics {
            isr_shrinks: Meter::default(),
            isr_expands: Meter::default(),
            failed_isr_updates: Meter::default(),
            bytes_in: Meter::default(),
            bytes_out: Meter::default(),
            reassignment_bytes_in: Meter::default(),
            reassignment_bytes_out: Meter::default(),
            copies: Meter::default(),
            copied: Windowed::default(),
            flush_times: Histogram::millis(),
            flushes: Meter::default(),
            cleaner_io: Meter::default(),
            began: now,
        }
    }

    /// Some of a replica that moves between directories was copied.
    pub fn copied(&mut self, bytes: usize) {
        self.copies.mark(1);
        self.copied.record(bytes as f64);
    }

    pub fn counters(&self) -> ReplicationCounters {
        ReplicationCounters {
            bytes_in: self.bytes_in.count(),
            bytes_out: self.bytes_out.count(),
            isr_shrinks: self.isr_shrinks.count(),
            isr_expands: self.isr_expands.count(),
            failed_isr_updates: self.failed_isr_updates.count(),
        }
    }

    fn collect(&mut self, out: &mut Collector) {
        out.meter(&bean::ISR_SHRINKS, [], &mut self.isr_shrinks);
        out.meter(&bean::ISR_EXPANDS, [], &mut self.isr_expands);
        out.meter(&bean::FAILED_ISR_UPDATES, [], &mut self.failed_isr_updates);
        out.meter(&bean::REPLICATION_BYTES_IN, [], &mut self.bytes_in);
        out.meter(&bean::REPLICATION_BYTES_OUT, [], &mut self.bytes_out);
        out.meter(&bean::REASSIGNMENT_BYTES_IN, [], &mut self.reassignment_bytes_in);
        out.meter(&bean::REASSIGNMENT_BYTES_OUT, [], &mut self.reassignment_bytes_out);
        out.timer(&log_bean::LOG_FLUSH_RATE_AND_TIME, [], (&mut self.flush_times, &mut self.flushes));
        out.meter(&log_bean::CLEANER_IO, [], &mut self.cleaner_io);
    }
}

/// What the partitions are, counted in one pass that looks up no log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub leaders: u64,
    pub offline: u64,
    pub under_replicated: u64,
    pub under_min_isr: u64,
    pub at_min_isr: u64,
    pub reassigning: u64,
}

impl Census {
    fn of<'p>(partitions: impl Iterator<Item = &'p Partition>) -> Census {
        let mut census = Census::default();
        for partition in partitions {
            match &partition.role {
                Role::Offline { .. } => census.offline += 1,
                Role::Follower => {}
                Role::Leader(leader) => {
                    let (isr, least) = (leader.isr.members().len(), partition.effective_min_isr());
                    // Replicas that are being added are not missed yet.
                    let wanted = partition.replicas.len() - partition.adding.len();
                    census.leaders += 1;
                    census.under_replicated += u64::from(isr < wanted);
                    census.under_min_isr += u64::from(isr < least);
                    census.at_min_isr += u64::from(isr == least);
                    census.reassigning += u64::from(partition.reassigning);
                }
            }
        }
        census
    }
}

impl ReplicaManager {
    /// What was counted.
    pub fn counters(&self) -> ReplicationCounters {
        self.metrics.counters()
    }

    pub(super) fn census(&self) -> Census {
        Census::of(self.partitions.values())
    }

    /// A follower was given records of a partition.
    pub(super) fn gave(&mut self, id: &TopicIdPartition, follower: NodeId, bytes: usize) {
        self.metrics.bytes_out.mark(bytes as u64);
        if self.partitions.get(id).is_some_and(|partition| partition.adding.contains(&follower)) {
            self.metrics.reassignment_bytes_out.mark(bytes as u64);
        }
    }

    /// Tells its series. `image`: where brokers listen, and which directories are cordoned.
    pub fn collect(&mut self, out: &mut Collector, image: &Image) {
        self.collect_census(out);
        self.collect_logs(out);
        self.collect_fetchers(out, image);
        self.collect_moves(out);
        self.collect_directories(out, image);
        self.collect_cleaners(out);
        self.metrics.collect(out);
    }

    fn collect_census(&self, out: &mut Collector) {
        let census = self.census();
        out.count(&bean::LEADER_COUNT, [], census.leaders);
        out.count(&bean::PARTITION_COUNT, [], self.partitions.len() as u64);
        out.count(&bean::OFFLINE_REPLICA_COUNT, [], census.offline);
        out.count(&bean::UNDER_REPLICATED_PARTITIONS, [], census.under_replicated);
        out.count(&bean::UNDER_MIN_ISR_PARTITION_COUNT, [], census.under_min_isr);
        out.count(&bean::AT_MIN_ISR_PARTITION_COUNT, [], census.at_min_isr);
        out.count(&bean::REASSIGNING_PARTITIONS, [], census.reassigning);
        let queued = self.assignments.queued() as u64;
        out.count(&bean::QUEUED_REPLICA_TO_DIR_ASSIGNMENTS, [], queued);
        out.count(&bean::QUEUED_REPLICA_TO_DIR_ASSIGNMENTS_OLD, [], queued);
    }

    /// One pass over the logs, which takes up their flushes too.
    fn collect_logs(&mut self, out: &mut Collector) {
        let (mut producers, mut late) = (0, 0);
        let allowed_ms = self.config.i64("transaction.max.timeout.ms").saturating_add(LATE_TRANSACTION_BUFFER_MS);
        let since_ms = out.now().wall_ms.saturating_sub(allowed_ms);
        for log in self.dir.logs_mut() {
            producers += log.producer_count() as u64;
            for took in log.take_flushes() {
                self.metrics.flush_times.record_time(took);
                self.metrics.flushes.mark(1);
            }
            let is_late = log.oldest_txn_last_timestamp_ms().is_some_and(|at| at > 0 && at < since_ms);
            if is_late && let Some(topic_id) = log.topic_id() {
                let id = TopicIdPartition { topic_id, partition: log.topic_partition().partition };
                late += u64::from(self.partitions.get(&id).is_some_and(Partition::is_leader));
            }
        }
        out.count(&bean::PRODUCER_ID_COUNT, [], producers);
        out.count(&bean::PARTITIONS_WITH_LATE_TRANSACTIONS_COUNT, [], late);
    }

    fn collect_fetchers(&mut self, out: &mut Collector, image: &Image) {
        for (leader, fetcher) in &mut self.fetchers {
            let Some(endpoint) = image.brokers.get(leader).and_then(|broker| broker.endpoints.first()) else {
                continue;
            };
            let labels = || {
                [
                    ("clientId", format!("ReplicaFetcherThread-0-{leader}").into()),
                    ("brokerHost", endpoint.host.clone().into()),
                    ("brokerPort", i32::from(endpoint.port).into()),
                ]
            };
            out.meter(&bean::FETCHER_REQUESTS, labels(), &mut fetcher.requests);
            out.meter(&bean::FETCHER_BYTES, labels(), &mut fetcher.bytes);
        }
        let client = || [("clientId", Label::from("Replica"))];
        let fetchers = || self.fetchers.values();
        let lag = fetchers().map(|fetcher| fetcher.max_lag()).max().unwrap_or(0);
        out.value(&bean::FETCHER_MAX_LAG, client(), lag as f64);
        let rate = fetchers().map(|fetcher| fetcher.requests.one_minute_rate()).reduce(f64::min).unwrap_or(0.0);
        out.value(&bean::FETCHER_MIN_FETCH_RATE, client(), rate);
        let failed: usize = fetchers().map(|fetcher| fetcher.awaiting_image()).sum();
        out.count(&bean::FETCHER_FAILED_PARTITIONS_COUNT, client(), failed as u64);
        out.count(&bean::FETCHER_DEAD_THREAD_COUNT, client(), 0);
        let now = out.now().mono;
        out.value(&bean::LEADER_REPLICATION_BYTE_RATE, [], self.throttles.leader.bytes_per_s(now));
        out.value(&bean::FOLLOWER_REPLICATION_BYTE_RATE, [], self.throttles.follower.bytes_per_s(now));
    }

    fn collect_moves(&mut self, out: &mut Collector) {
        let (mut lag, mut failed) = (0, 0);
        for name in self.dir.moving_names() {
            let Some(future) = self.dir.future(&name) else { continue };
            failed += u64::from(future.offline().is_some());
            let end = self.dir.log(&name).map_or(0, |log| log.log_end_offset());
            lag = lag.max(end - future.log_end_offset());
        }
        self.metrics.copied.turn(out.now().mono);
        let client = || [("clientId", Label::from("ReplicaAlterLogDirs"))];
        out.value(&bean::ALTER_LOG_DIRS_MAX_LAG, client(), lag as f64);
        let rate = out.rate(&mut self.metrics.copies);
        out.value(&bean::ALTER_LOG_DIRS_MIN_FETCH_RATE, client(), rate);
        out.count(&bean::ALTER_LOG_DIRS_FAILED_PARTITIONS_COUNT, client(), failed);
        out.count(&bean::ALTER_LOG_DIRS_DEAD_THREAD_COUNT, client(), 0);
        out.value(&bean::ALTER_LOG_DIRS_REPLICATION_BYTE_RATE, [], self.metrics.copied.sum_rate());
    }

    fn collect_directories(&self, out: &mut Collector, image: &Image) {
        let cordoned =
            image.brokers.get(&self.me).map(|broker| broker.cordoned_log_dirs.as_slice()).unwrap_or_default();
        let (mut offline, mut closed) = (0, 0);
        for (root, state) in self.dir.all() {
            let label = || [("logDirectory", root.to_string_lossy().into_owned().into())];
            let is_cordoned = state.is_ok_and(|dir| cordoned.contains(&dir.directory_id()));
            offline += u64::from(state.is_err());
            closed += u64::from(is_cordoned);
            out.count(&log_bean::LOG_DIRECTORY_OFFLINE, label(), u64::from(state.is_err()));
            out.count(&log_bean::LOG_DIRECTORY_CORDONED, label(), u64::from(is_cordoned));
        }
        out.count(&log_bean::OFFLINE_LOG_DIRECTORY_COUNT, [], offline);
        out.count(&log_bean::CORDONED_LOG_DIRECTORY_COUNT, [], closed);
    }

    fn collect_cleaners(&mut self, out: &mut Collector) {
        let mut gauges: Vec<CleanerGauges> = Vec::new();
        for dir in self.dir.online_mut() {
            let label = || [("logDirectory", dir_label(dir))];
            out.count(&log_bean::UNCLEANABLE_PARTITIONS_COUNT, label(), dir.uncleanable().len() as u64);
            let label = label();
            out.count(&log_bean::UNCLEANABLE_BYTES, label, dir.uncleanable_bytes());
            self.metrics.cleaner_io.mark(dir.take_cleaner_bytes());
            gauges.push(dir.cleaner_gauges());
        }
        // Of several directories' cleaners that one counts which is worst off, as of several threads.
        let most = |of: &dyn Fn(&CleanerGauges) -> f64| gauges.iter().map(of).fold(0.0, f64::max);
        let before: u64 = gauges.iter().map(|gauges| gauges.last.bytes_before).sum();
        let after: u64 = gauges.iter().map(|gauges| gauges.last.bytes_after).sum();
        out.value(&log_bean::CLEANER_RECOPY_PERCENT, [], 100.0 * after as f64 / before.max(1) as f64);
        out.value(&log_bean::MAX_BUFFER_UTILIZATION_PERCENT, [], 100.0 * most(&|of| of.last_map_utilization));
        out.value(&log_bean::MAX_CLEAN_TIME, [], most(&|of| of.last_took.as_secs_f64()));
        out.value(&log_bean::MAX_COMPACTION_DELAY, [], most(&|of| of.compaction_delay_ms as f64 / 1_000.0));
        out.count(&log_bean::CLEANER_DEAD_THREAD_COUNT, [], 0);
        out.value(&log_bean::MAX_DIRTY_PERCENT, [], 100.0 * most(&|of| of.dirtiest_ratio));
        let looked_at = gauges.iter().filter_map(|gauges| gauges.looked_at).max().unwrap_or(self.metrics.began.mono);
        let since = out.now().mono.saturating_sub(looked_at);
        out.value(&log_bean::TIME_SINCE_LAST_RUN, [], since.as_millis() as f64);
    }
}

fn dir_label(dir: &LogDir) -> Label {
    dir.root().to_string_lossy().into_owned().into()
}
