//! A broker's copy of the metadata log: it follows the quorum as an observer and hands out what is committed.
//!
//! Source: KIP-595 (observers), `kafka.server.metadata.BrokerMetadataPublisher`.

use std::sync::Arc;
use std::time::Duration;

use super::metadata_metrics;
use super::metadata_snapshots::{MetadataSnapshots, image_of, snapshot_to_begin_with};
use crate::controller::CONTROLLER_LISTENER;
use crate::log::LogDir;
use crate::log::disk::Disk;
use crate::metadata::config::NodeConfig;
use crate::metadata::image::Image;
use crate::metrics::table::metadata as bean;
use crate::metrics::{Collector, Histogram};
use crate::quorum::{self, DataRecord, DiskMetadataLog, Quorum, QuorumConfig, QuorumStateFile};
use crate::records::control::VoterEndpoint;
use crate::types::{Id, NodeId, Now};

/// Bytes of committed records applied per step.
const STEP_BYTES: usize = 1024 * 1024;

/// A node's member of the quorum (a voter or an observer, as its configuration says), over the metadata log in its first log directory.
///
/// # Errors
/// One sentence: the directory or what is in it cannot be used.
pub fn open_quorum(config: &NodeConfig, disk: Arc<dyn Disk>, seed: u64, now: Now) -> Result<Quorum, String> {
    let root = config.log_dirs.first().ok_or_else(|| format!("node {} has no log directory", config.node_id))?;
    let timings = quorum_config(config, LogDir::directory_id_of(&*disk, root).map_err(|error| error.to_string())?);
    let log = DiskMetadataLog::open(disk.clone(), root, &timings, now).map_err(|error| error.to_string())?;
    let store = QuorumStateFile::new(disk, &DiskMetadataLog::dir(root));
    Quorum::new(timings, Box::new(log), Box::new(store), seed, now).map_err(|error| error.to_string())
}

/// The quorum's members and timings as a node is configured; `directory_id` is that of its metadata log's directory.
pub fn quorum_config(config: &NodeConfig, directory_id: Id) -> QuorumConfig {
    let id = config.node_id;
    // Controllers meet over in-memory links: they have a name, and no port.
    let name = CONTROLLER_LISTENER.to_owned();
    let endpoint = VoterEndpoint { name, host: format!("controller-{id}"), port: 0 };
    let is_controller = config.is_controller();
    QuorumConfig {
        directory_id,
        endpoints: if is_controller { vec![endpoint] } else { Vec::new() },
        bootstrap: config.controllers.clone(),
        can_become_voter: is_controller,
        auto_join: is_controller && config.bool("controller.quorum.auto.join.enable"),
        election_timeout: config.millis("controller.quorum.election.timeout.ms"),
        fetch_timeout: config.millis("controller.quorum.fetch.timeout.ms"),
        election_backoff_max: config.millis("controller.quorum.election.backoff.max.ms"),
        request_timeout: config.millis("controller.quorum.request.timeout.ms"),
        retry_backoff: config.millis("controller.quorum.retry.backoff.ms"),
        fetch_max_bytes: config.usize("controller.quorum.fetch.max.bytes"),
        fetch_snapshot_max_bytes: config.usize("controller.quorum.fetch.snapshot.max.bytes"),
        segment_bytes: segment_bytes(config),
        segment_ms: config.i64("metadata.log.segment.ms"),
        max_retention_bytes: config.i64("metadata.max.retention.bytes"),
        max_retention_ms: config.i64("metadata.max.retention.ms"),
        log: config.log.clone(),
        ..QuorumConfig::kafka(config.node_id, config.voters.clone())
    }
}

/// The internal key is for tests, which need small segments.
fn segment_bytes(config: &NodeConfig) -> u64 {
    let asked = config.opt_i64("internal.metadata.log.segment.bytes");
    let bytes = asked.unwrap_or_else(|| config.i64("metadata.log.segment.bytes"));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// See the module.
pub struct MetadataFollower {
    quorum: Quorum,
    snapshots: MetadataSnapshots,
    /// First offset that was not handed out yet.
    next_offset: i64,
    load_errors: u64,
    apply_errors: u64,
    batch_times: Histogram,
    batch_sizes: Histogram,
}

/// What the quorum wants of the broker.
pub enum FollowerOutput {
    /// Send this to a controller.
    Send(NodeId, quorum::Message),
    /// There is another leader (or none).
    LeaderChanged(Option<NodeId>),
    /// The copy is dead; one sentence.
    Failed(String),
}

impl MetadataFollower {
    /// Opens the copy in the first log directory.
    pub fn open(config: &NodeConfig, disk: Arc<dyn Disk>, seed: u64, now: Now) -> Result<MetadataFollower, String> {
        let quorum = open_quorum(config, disk, seed, now)?;
        Ok(MetadataFollower {
            next_offset: 0,
            snapshots: MetadataSnapshots::new(config, now),
            quorum,
            load_errors: 0,
            apply_errors: 0,
            batch_times: Histogram::default(),
            batch_sizes: Histogram::default(),
        })
    }

    /// The quorum's own state.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// So many records were taken in, in so long.
    pub fn took_in(&mut self, records: usize, took: Duration) {
        self.batch_sizes.record(records as u64);
        self.batch_times.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was handed out could not be read.
    pub fn failed_to_load(&mut self) {
        self.load_errors += 1;
    }

    /// What was handed out does not fit the image.
    pub fn failed_to_apply(&mut self) {
        self.apply_errors += 1;
    }

    /// Tells its series. `image` is what came of all that was handed out.
    pub fn collect(&mut self, out: &mut Collector, image: &Image) {
        self.quorum.collect(out);
        metadata_metrics::collect(out, image, &self.quorum, &self.snapshots);
        let (_, written_ms) = self.snapshots.last_applied();
        out.value(&bean::LAST_APPLIED_RECORD_OFFSET, [], image.offset as f64);
        out.value(&bean::LAST_APPLIED_RECORD_TIMESTAMP, [], written_ms as f64);
        out.value(&bean::LAST_APPLIED_RECORD_LAG, [], (out.now().wall_ms - written_ms) as f64);
        out.count(&bean::METADATA_LOAD_ERROR_COUNT, [], self.load_errors);
        out.count(&bean::METADATA_APPLY_ERROR_COUNT, [], self.apply_errors);
        out.count(&bean::IGNORED_STATIC_VOTERS, [], u64::from(self.quorum.ignores_configured_voters()));
        out.histogram(&bean::METADATA_BATCH_PROCESSING_TIME, [], &mut self.batch_times);
        out.histogram(&bean::METADATA_BATCH_SIZES, [], &mut self.batch_sizes);
    }

    /// A controller said something.
    pub fn on_message(&mut self, now: Now, from: NodeId, message: quorum::Message) {
        self.quorum.on_message(now, from, message);
    }

    /// A node refused a message: it is down.
    pub fn on_peer_down(&mut self, now: Now, node: NodeId) {
        self.quorum.on_peer_down(now, node);
    }

    /// Time has passed.
    pub fn on_tick(&mut self, now: Now) {
        self.quorum.on_tick(now);
    }

    /// When `on_tick` is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        Some(self.quorum.next_deadline().min(self.snapshots.next_deadline())).filter(|at| *at != Duration::MAX)
    }

    /// What is to be sent, and who leads.
    pub fn take_outputs(&mut self) -> Vec<FollowerOutput> {
        let mut outputs = Vec::new();
        for output in self.quorum.take_outputs() {
            match output {
                quorum::Output::Send { to, message } => outputs.push(FollowerOutput::Send(to, message)),
                quorum::Output::LeaderChanged { leader, .. } => outputs.push(FollowerOutput::LeaderChanged(leader)),
                quorum::Output::Failed(error) => outputs.push(FollowerOutput::Failed(error.to_string())),
                _ => {}
            }
        }
        outputs
    }

    /// A snapshot's image takes the place of everything handed out so far: at a start, and where the log has passed by.
    ///
    /// # Errors
    /// One sentence: the snapshot cannot be read.
    pub fn next_image(&mut self, now: Now) -> Result<Option<Image>, String> {
        let Some(snapshot) = snapshot_to_begin_with(&self.quorum, self.next_offset)? else { return Ok(None) };
        let image = image_of(&snapshot)?;
        self.next_offset = snapshot.id.end_offset;
        self.snapshots.loaded(now, &snapshot);
        Ok(Some(image))
    }

    /// Makes a snapshot of `image`, which holds all that was handed out, if one is due. Called with each tick.
    ///
    /// # Errors
    /// One sentence: it could not be written.
    pub fn make_snapshot(&mut self, now: Now, image: &Image) -> Result<(), String> {
        self.snapshots.tick(now, &mut self.quorum, || Arc::new(image.clone())).map(|_| ())
    }

    /// The copy cannot be followed any more: its image is not what a snapshot should hold, so none is due.
    pub fn give_up_snapshots(&mut self) {
        self.snapshots.give_up(&mut self.quorum);
    }

    /// The next committed records, in order; empty: nothing new. A batch is never split.
    pub fn next_committed(&mut self) -> Result<Vec<DataRecord>, String> {
        loop {
            let batches =
                self.quorum.read_committed(self.next_offset, STEP_BYTES).map_err(|error| error.to_string())?;
            let max_batch_bytes = self.quorum.config().max_batch_bytes;
            let committed = quorum::take_apart(&batches, max_batch_bytes).map_err(|error| error.to_string())?;
            let Some(end) = committed.end else { return Ok(Vec::new()) };
            self.next_offset = end.end_offset;
            self.snapshots.applied(batches.len(), end, committed.last_timestamp_ms);
            if !committed.records.is_empty() {
                return Ok(committed.records);
            }
        }
    }

    /// Offset up to which records were handed out (exclusive).
    pub fn applied_offset(&self) -> i64 {
        self.next_offset
    }
}
