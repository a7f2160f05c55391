//! What a controller measures, and tells once a second.
//!
//! Source: `org.apache.kafka.controller.metrics.{QuorumControllerMetrics, ControllerMetadataMetricsPublisher}`, `OffsetControlManager`,
//! `TopicDelta.updateElectionStats`.

use std::time::Duration;

use super::controller::Controller;
use crate::metadata::MetadataRecord;
use crate::metadata::image::{BrokerImage, Image};
use crate::metrics::table::{controller as bean, metadata, node as node_bean, raft};
use crate::metrics::{Collector, Histogram, Meter, MetricsReport};
use crate::server::metadata_metrics;
use crate::server::peer::PeerRequest;
use crate::types::Now;

/// Seconds.
const PER_NANO: f64 = 1e-9;

/// What the metadata holds. Counted when the image has changed since the reading before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Census {
    partitions: u64,
    offline: u64,
    not_preferred: u64,
}

impl Census {
    fn of(image: &Image) -> Census {
        let mut census = Census::default();
        for partition in image.topics.values().flat_map(|topic| &topic.partitions) {
            census.partitions += 1;
            census.offline += u64::from(partition.leader < 0);
            census.not_preferred += u64::from(partition.replicas.first() != Some(&partition.leader));
        }
        census
    }
}

/// The instruments of one controller.
#[derive(Debug)]
pub(super) struct ControllerMetrics {
    /// Of the wall clock.
    started_ms: i64,
    /// What stood in the log at the start is not news.
    first_new_offset: i64,
    new_active_controllers: u64,
    operations_started: u64,
    operations_given_up: u64,
    heartbeats_given_up: u64,
    metadata_errors: u64,
    unclean_elections: Meter,
    elections_from_elr: Meter,
    queue_times: Histogram,
    processing_times: Histogram,
    last_appended_ms: i64,
    /// Of the stopwatch.
    worked: Duration,
    read: Option<(Duration, Duration)>,
    idle_ns: Meter,
    census: Option<(i64, Census)>,
}

impl ControllerMetrics {
    pub fn new(log_end_offset: i64, now: Now) -> ControllerMetrics {
        ControllerMetrics {
            started_ms: now.wall_ms,
            first_new_offset: log_end_offset,
            new_active_controllers: 0,
            operations_started: 0,
            operations_given_up: 0,
            heartbeats_given_up: 0,
            metadata_errors: 0,
            unclean_elections: Meter::default(),
            elections_from_elr: Meter::default(),
            queue_times: Histogram::millis(),
            processing_times: Histogram::millis(),
            last_appended_ms: -1,
            worked: Duration::ZERO,
            read: None,
            idle_ns: Meter::default(),
            census: None,
        }
    }

    /// Another leads.
    pub fn saw_active_controller(&mut self) {
        self.new_active_controllers += 1;
    }

    /// A request had waited so long when its turn came. A timer is due at a time, and waits for nothing.
    pub fn waited(&mut self, time: Duration) {
        self.queue_times.record_time(time);
    }

    /// So long was worked; as a controller, if it `is_operation`, and as a member of the quorum otherwise.
    pub fn worked(&mut self, took: Duration, is_operation: bool) {
        self.worked += took;
        if is_operation {
            self.operations_started += 1;
            self.processing_times.record_time(took);
        }
    }

    /// A request was refused that nobody had looked at.
    pub fn gave_up(&mut self, request: &PeerRequest) {
        self.operations_given_up += 1;
        self.heartbeats_given_up += u64::from(matches!(request, PeerRequest::BrokerHeartbeat(_)));
    }

    /// The log could not be followed.
    pub fn metadata_failed(&mut self) {
        self.metadata_errors += 1;
    }

    /// The active controller appended records.
    pub fn appended(&mut self, now: Now) {
        self.last_appended_ms = now.wall_ms;
    }

    /// A committed record is about to be applied; those written before this node's start tell of elections long past.
    pub fn before(&mut self, image: &Image, offset: i64, written_ms: i64, record: &MetadataRecord) {
        let MetadataRecord::PartitionChange(change) = record else { return };
        if offset < self.first_new_offset || written_ms < self.started_ms {
            return;
        }
        let before = image.topics.get(&change.topic_id).and_then(|topic| topic.partition(change.partition_id));
        let Some(before) = before else { return };
        self.unclean_elections.mark(u64::from(change.leader_recovery_state == RECOVERING));
        self.elections_from_elr.mark(u64::from(before.elr.contains(&change.leader)));
    }

    fn census(&mut self, image: &Image) -> Census {
        match self.census {
            Some((offset, census)) if offset == image.offset => census,
            _ => {
                let census = Census::of(image);
                self.census = Some((image.offset, census));
                census
            }
        }
    }

    /// Share of the time since the last reading that was not worked; all of it where the stopwatch stands still.
    fn idle_ratio(&mut self, at: Duration) -> f64 {
        let (read_at, worked) = self.read.replace((at, self.worked)).unwrap_or_default();
        let passed = at.saturating_sub(read_at).as_secs_f64();
        if passed <= 0.0 {
            return 1.0;
        }
        let ratio = (1.0 - self.worked.saturating_sub(worked).as_secs_f64() / passed).clamp(0.0, 1.0);
        // Before the first reading it was not there for all of that time.
        if read_at > Duration::ZERO {
            self.idle_ns.mark((ratio * passed / PER_NANO) as u64);
        }
        ratio
    }

    fn collect(&mut self, out: &mut Collector) {
        out.count(&bean::NEW_ACTIVE_CONTROLLERS_COUNT, [], self.new_active_controllers);
        out.count(&bean::EVENT_QUEUE_OPERATIONS_STARTED_COUNT, [], self.operations_started);
        out.count(&bean::EVENT_QUEUE_OPERATIONS_TIMED_OUT_COUNT, [], self.operations_given_up);
        out.count(&bean::TIMED_OUT_BROKER_HEARTBEAT_COUNT, [], self.heartbeats_given_up);
        out.count(&bean::METADATA_ERROR_COUNT, [], self.metadata_errors);
        out.meter(&bean::UNCLEAN_LEADER_ELECTIONS, [], &mut self.unclean_elections);
        out.meter(&bean::ELECTIONS_FROM_ELR, [], &mut self.elections_from_elr);
        out.histogram(&bean::EVENT_QUEUE_TIME, [], &mut self.queue_times);
        out.histogram(&bean::EVENT_QUEUE_PROCESSING_TIME, [], &mut self.processing_times);
    }
}

/// `LeaderRecoveryState.RECOVERING`: the leader was elected uncleanly.
const RECOVERING: i8 = 1;

impl Controller {
    /// What was measured, if a second has passed since the last time.
    pub fn metrics_report(&mut self, now: Now) -> Option<MetricsReport> {
        let mut out = self.rounds.begin(now)?;
        let idle_ratio = self.metrics.idle_ratio((self.stopwatch)());
        out.value(&bean::AVG_IDLE_RATIO, [], idle_ratio);
        out.value(&raft::POLL_IDLE_RATIO, [], idle_ratio);
        out.value(&metadata::AVG_IDLE_RATIO, [], idle_ratio);
        out.scaled_meter(&bean::REQUEST_HANDLER_IDLE, [], &mut self.metrics.idle_ns, PER_NANO);
        self.metrics.collect(&mut out);
        self.times.collect(&mut out);
        self.collect_image(&mut out);
        self.collect_progress(&mut out);
        self.collect_contacts(&mut out);
        self.quorum.collect(&mut out);
        metadata_metrics::collect(&mut out, &self.committed, &self.quorum, &self.snapshots);
        self.collect_node(&mut out);
        Some(out.finish(self.config.node_id, self.incarnation))
    }

    fn collect_image(&mut self, out: &mut Collector) {
        let image = &self.committed;
        let census = self.metrics.census(image);
        out.count(&bean::GLOBAL_TOPIC_COUNT, [], image.topics.len() as u64);
        out.count(&bean::GLOBAL_PARTITION_COUNT, [], census.partitions);
        out.count(&bean::OFFLINE_PARTITIONS_COUNT, [], census.offline);
        out.count(&bean::PREFERRED_REPLICA_IMBALANCE_COUNT, [], census.not_preferred);
        let brokers = || image.brokers.values();
        out.count(&bean::ACTIVE_BROKER_COUNT, [], brokers().filter(|broker| !broker.fenced).count() as u64);
        out.count(&bean::FENCED_BROKER_COUNT, [], brokers().filter(|broker| broker.fenced).count() as u64);
        let leaving = brokers().filter(|broker| broker.in_controlled_shutdown).count();
        out.count(&bean::CONTROLLED_SHUTDOWN_BROKER_COUNT, [], leaving as u64);
        for broker in brokers() {
            out.value(&bean::BROKER_REGISTRATION_STATE, [("broker", broker.id.into())], registration_state(broker));
        }
    }

    /// Source: `OffsetControlManager`: an active controller applies what it appends, a standby what is committed.
    fn collect_progress(&self, out: &mut Collector) {
        let (_, written_ms) = self.snapshots.last_applied();
        let (applied, written_ms) = match self.active() {
            Some(state) => (state.image().offset, self.metrics.last_appended_ms.max(written_ms)),
            None => (self.next_offset - 1, written_ms),
        };
        out.count(&bean::ACTIVE_CONTROLLER_COUNT, [], u64::from(self.is_active()));
        out.value(&bean::LAST_APPLIED_RECORD_OFFSET, [], applied as f64);
        out.value(&bean::LAST_APPLIED_RECORD_TIMESTAMP, [], written_ms as f64);
        out.value(&bean::LAST_APPLIED_RECORD_LAG, [], (out.now().wall_ms - written_ms) as f64);
        out.value(&bean::LAST_COMMITTED_RECORD_OFFSET, [], (self.next_offset - 1) as f64);
        out.count(&bean::IGNORED_STATIC_VOTERS, [], u64::from(self.quorum.ignores_configured_voters()));
    }

    /// The controller as a whole; last, since it counts the others.
    fn collect_node(&self, out: &mut Collector) {
        if let Some((read, written)) = (self.disk_bytes)() {
            out.count(&node_bean::CONTROLLER_DISK_READ_BYTES, [], read);
            out.count(&node_bean::CONTROLLER_DISK_WRITE_BYTES, [], written);
        }
        let (named, unnamed) = out.counts();
        out.count(&node_bean::KAFKA_METRICS_COUNT, [], unnamed + 1);
        out.count(&node_bean::CONTROLLER_YAMMER_METRICS_COUNT, [], named + 1);
    }

    fn collect_contacts(&self, out: &mut Collector) {
        let Some(state) = self.active() else { return };
        let now = out.now();
        for (broker, silence) in state.silences(now) {
            let silent_ms = silence.as_millis() as f64;
            out.value(&bean::TIME_SINCE_LAST_HEARTBEAT, [("broker", broker.into())], silent_ms);
        }
    }
}

/// Source: `org.apache.kafka.controller.metrics.BrokerRegistrationState`.
fn registration_state(broker: &BrokerImage) -> f64 {
    match (broker.fenced, broker.in_controlled_shutdown) {
        (true, _) => 10.0,
        (false, true) => 20.0,
        (false, false) => 30.0,
    }
}
