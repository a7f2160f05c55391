//! A directory of logs: what it belongs to, what its checkpoints say, which partitions it holds.
//!
//! Source: `LogManager`, `MetaProperties`, `OffsetCheckpointFile`, `CleanShutdownFileHandler`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::{
    MetaProperties, Offsets, encode_clean_shutdown, encode_offsets, read_clean_shutdown, read_offsets,
};
use super::disk::Disk;
use super::future::{FUTURE, future_of};
use super::log_cleaner::{CLEANER_OFFSETS, LogCleaner};
use super::tails::Tails;
use super::{Log, LogConfig, LogError, Recovery, lines};
use crate::logging::{Logger, NodeLog};
use crate::planted::Bug;
use crate::types::{Id, NodeId, Now, TopicPartition};

const META_PROPERTIES: &str = "meta.properties";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
/// Opened by the quorum, not here.
const METADATA_TOPIC: &str = "__cluster_metadata";
const MAX_NAME_BYTES: usize = 255;

/// A log directory and the logs in it.
pub struct LogDir {
    pub(super) disk: Arc<dyn Disk>,
    root: PathBuf,
    properties: MetaProperties,
    pub(super) logs: BTreeMap<TopicPartition, Log>,
    pub(super) futures: BTreeMap<TopicPartition, Log>,
    pub(super) cleaner: LogCleaner,
    unreadable: BTreeMap<TopicPartition, LogError>,
    pub(super) high_watermarks: Offsets,
    written: BTreeMap<&'static str, Offsets>,
    clean_broker_epoch: Option<i64>,
    doomed: Vec<(Duration, PathBuf)>,
    deletions: u64,
    pub(super) tails: Arc<Tails>,
    pub(super) book: NodeLog,
}

impl LogDir {
    /// Opens (or begins) a log directory of that node, and every log in it with Kafka's default configuration.
    pub fn open(
        disk: Arc<dyn Disk>,
        root: PathBuf,
        node_id: NodeId,
        cluster_id: &str,
        now: Now,
    ) -> Result<LogDir, LogError> {
        LogDir::open_with(disk, root, node_id, cluster_id, now, NodeLog::default())
    }

    /// The same; what is done to its logs is told in `book`.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        root: PathBuf,
        node_id: NodeId,
        cluster_id: &str,
        now: Now,
        book: NodeLog,
    ) -> Result<LogDir, LogError> {
        if !disk.exists(&root) {
            book.info(Logger::LogManager, || {
                format!("Log directory {} is not there yet, and is created", root.display())
            });
        }
        disk.create_dir_all(&root).map_err(LogError::io(&root))?;
        let properties = settle_properties(&*disk, &root, node_id, cluster_id, now)?;
        let marker_path = root.join(CLEAN_SHUTDOWN);
        let marker = read_clean_shutdown(&*disk, &marker_path)?;
        if marker.is_some() && !Bug::CleanMarkerKept.is_planted() {
            // A crash while loading must not look clean.
            disk.remove_file(&marker_path).and_then(|()| disk.sync_dir(&root)).map_err(LogError::io(&marker_path))?;
        }
        let checkpoint = |name: &str| read_offsets(&*disk, &root.join(name)).map(Option::unwrap_or_default);
        let (recovery_points, log_starts) = (checkpoint(RECOVERY_POINTS)?, checkpoint(LOG_STARTS)?);
        let high_watermarks = checkpoint(HIGH_WATERMARKS)?;
        let cleaned = match read_offsets(&*disk, &root.join(CLEANER_OFFSETS))? {
            None if disk.exists(&root.join(CLEANER_OFFSETS)) => None,
            found => Some(found.unwrap_or_default()),
        };
        let mut dir = LogDir {
            disk,
            root,
            properties,
            logs: BTreeMap::new(),
            futures: BTreeMap::new(),
            cleaner: LogCleaner::default(),
            unreadable: BTreeMap::new(),
            high_watermarks,
            written: BTreeMap::new(),
            clean_broker_epoch: marker.flatten(),
            doomed: Vec::new(),
            deletions: 0,
            tails: Arc::default(),
            book,
        };
        dir.load(marker.is_some(), &recovery_points, &log_starts, cleaned.as_ref(), now)?;
        Ok(dir)
    }

    fn load(
        &mut self,
        clean_shutdown: bool,
        recovery_points: &Offsets,
        log_starts: &Offsets,
        cleaned: Option<&Offsets>,
        now: Now,
    ) -> Result<(), LogError> {
        let names = self.disk.list(&self.root).map_err(LogError::io(&self.root))?;
        let count = names.iter().filter(|name| partition_of(name).is_some()).count();
        let since = self.disk.stopwatch();
        lines::loading(&self.book, &self.root, count, clean_shutdown);
        for name in names {
            let path = self.root.join(&name);
            if !self.disk.is_dir(&path) {
                continue;
            }
            if name.ends_with("-delete") {
                self.disk.remove_dir_all(&path).map_err(LogError::io(&path))?;
                continue;
            }
            if name.ends_with(FUTURE) {
                self.load_future(&name, clean_shutdown, now)?;
                continue;
            }
            let Some(partition) = partition_of(&name) else { continue };
            let recovery = Recovery {
                clean_shutdown,
                recovery_point: recovery_points.get(&partition).copied().unwrap_or(0),
                log_start_offset: log_starts.get(&partition).copied().unwrap_or(-1),
                cleaned_to: cleaned.map_or(i64::MAX, |cleaned| cleaned.get(&partition).copied().unwrap_or(-1)),
            };
            let disk = Arc::clone(&self.disk);
            let began = disk.stopwatch();
            match Log::open(disk, path, partition.clone(), None, LogConfig::default(), recovery, now) {
                Ok(mut log) => {
                    log.keep_tail_in(&self.tails);
                    log.tell_in(&self.book);
                    let place = (self.logs.len() + self.unreadable.len() + 1, count);
                    lines::opened(&self.book, &log, self.disk.stopwatch().saturating_sub(began), place);
                    self.logs.insert(partition, log);
                }
                // One rotten partition does not take the others with it.
                Err(error @ (LogError::Corrupt { .. } | LogError::Batch(_))) => {
                    self.book.error(Logger::LogManager, || {
                        format!(
                            "The log of {partition} in {} cannot be loaded, and stays as it is: {error}",
                            self.root.display()
                        )
                    });
                    drop(self.unreadable.insert(partition, error));
                }
                Err(error) => return Err(error),
            }
        }
        self.book.info(Logger::LogManager, || {
            let ms = self.disk.stopwatch().saturating_sub(since).as_millis();
            format!("{} logs in {} were loaded in {ms}ms", self.logs.len(), self.root.display())
        });
        Ok(())
    }

    /// A copy that was under way. One that makes no sense is begun anew.
    fn load_future(&mut self, name: &str, clean_shutdown: bool, now: Now) -> Result<(), LogError> {
        let Some(partition) = future_of(name) else { return Ok(()) };
        let path = self.root.join(name);
        let recovery = Recovery { clean_shutdown, ..Recovery::UNKNOWN };
        let disk = Arc::clone(&self.disk);
        match Log::open(disk, path.clone(), partition.clone(), None, LogConfig::default(), recovery, now) {
            Ok(mut log) => {
                log.tell_in(&self.book);
                drop(self.futures.insert(partition, log));
            }
            Err(LogError::Corrupt { .. } | LogError::Batch(_)) => {
                self.disk.remove_dir_all(&path).map_err(LogError::io(&path))?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Id of the log directory `root`; zero if it has not been opened yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn directory_id_of(disk: &dyn Disk, root: &Path) -> Result<Id, LogError> {
        let properties = MetaProperties::read(disk, &root.join(META_PROPERTIES))?;
        Ok(properties.map_or(Id::ZERO, |properties| properties.directory_id))
    }

    /// Whose directory it is.
    pub fn properties(&self) -> &MetaProperties {
        &self.properties
    }

    /// Its own id.
    pub fn directory_id(&self) -> Id {
        self.properties.directory_id
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The broker epoch that a clean stop left: to be sent as the previous one when registering (KIP-966). `None` after a crash.
    pub fn clean_broker_epoch(&self) -> Option<i64> {
        self.clean_broker_epoch
    }

    /// All logs, by name.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.logs.values()
    }

    /// All logs, to be changed.
    pub fn logs_mut(&mut self) -> impl Iterator<Item = &mut Log> {
        self.logs.values_mut()
    }

    /// Logs whose bytes make no sense, and why. They are left as they are: neither opened nor begun anew.
    pub fn unreadable(&self) -> &BTreeMap<TopicPartition, LogError> {
        &self.unreadable
    }

    /// A partition's log.
    pub fn log(&self, name: &TopicPartition) -> Option<&Log> {
        self.logs.get(name)
    }

    /// A partition's log, to be changed.
    pub fn log_mut(&mut self, name: &TopicPartition) -> Option<&mut Log> {
        self.logs.get_mut(name)
    }

    /// The high watermark that was checkpointed last.
    pub fn high_watermark(&self, name: &TopicPartition) -> Option<i64> {
        self.high_watermarks.get(name).copied()
    }

    /// Begins a log; one that is there already is given back, if it is of the same topic id.
    pub fn create_log(
        &mut self,
        name: TopicPartition,
        topic_id: Id,
        config: LogConfig,
        now: Now,
    ) -> Result<&mut Log, LogError> {
        if let Some(log) = self.logs.get_mut(&name) {
            log.assign_topic_id(topic_id)?;
        } else if let Some(error) = self.unreadable.get(&name) {
            return Err(error.clone());
        } else {
            let dir = self.root.join(name.to_string());
            let mut log = Log::open(
                Arc::clone(&self.disk),
                dir,
                name.clone(),
                Some(topic_id),
                config.clone(),
                Recovery::UNKNOWN,
                now,
            )?;
            log.keep_tail_in(&self.tails);
            log.tell_in(&self.book);
            self.high_watermarks.remove(&name);
            self.logs.insert(name.clone(), log);
        }
        let missing = LogError::InvalidRecord("the log is not there");
        let log = self.logs.get_mut(&name).ok_or(missing)?;
        log.set_config(config);
        Ok(log)
    }

    /// Gives up a log: its directory is renamed at once, and removed by [`LogDir::delete_due`]. False if there is none.
    pub fn delete_log(&mut self, name: &TopicPartition, now: Now) -> Result<bool, LogError> {
        let Some(log) = self.logs.remove(name) else { return Ok(false) };
        self.high_watermarks.remove(name);
        self.doom(log, now)?;
        Ok(true)
    }

    /// 32 hexadecimal digits that no directory here has.
    pub(super) fn unique(&mut self, name: &TopicPartition, now: Now) -> String {
        self.deletions += 1;
        let source = (&self.properties.directory_id.0, name.to_string(), self.deletions, now.wall_ms, now.mono);
        id_from(&source).0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Renames a log's directory, to be removed later.
    pub(super) fn doom(&mut self, log: Log, now: Now) -> Result<(), LogError> {
        let name = log.topic_partition().clone();
        let (from, delay) = (log.dir().to_owned(), log.config().file_delete_delay());
        drop(log);
        let suffix = format!("-{}.{}-delete", name.partition, self.unique(&name, now));
        let topic: &str = &name.topic[..name.topic.floor_char_boundary(MAX_NAME_BYTES - suffix.len())];
        let to = self.root.join(format!("{topic}{suffix}"));
        self.disk.rename(&from, &to).and_then(|()| self.disk.sync_dir(&self.root)).map_err(LogError::io(&from))?;
        self.book.info(Logger::LogManager, || {
            format!("The log of {name} is renamed to {} and deleted in {} ms", to.display(), delay.as_millis())
        });
        self.doomed.push((now.mono + delay, to));
        Ok(())
    }

    /// Removes what was given up `file.delete.delay.ms` ago.
    pub fn delete_due(&mut self, now: Now) -> Result<(), LogError> {
        while let Some(index) = self.doomed.iter().position(|(due, _)| *due <= now.mono) {
            let (_, path) = self.doomed.swap_remove(index);
            self.disk.remove_dir_all(&path).map_err(LogError::io(&path))?;
            self.book.info(Logger::LogManager, || format!("Deleted the log in {}", path.display()));
        }
        Ok(())
    }

    /// Writes the checkpoints that have changed: high watermarks (those given; the others as they were), recovery points, log
    /// start offsets.
    pub fn write_checkpoints(&mut self, high_watermarks: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        for (name, offset) in high_watermarks {
            self.high_watermarks.insert(name.clone(), (*offset).max(0));
        }
        let logs = &self.logs;
        self.high_watermarks.retain(|name, _| logs.contains_key(name));
        let recovery_points = logs.iter().map(|(name, log)| (name.clone(), log.recovery_point())).collect();
        let starts = logs.iter().filter(|(_, log)| log.starts_inside_segment());
        let log_starts = starts.map(|(name, log)| (name.clone(), log.log_start_offset())).collect();
        self.write_checkpoint(RECOVERY_POINTS, recovery_points)?;
        self.write_checkpoint(LOG_STARTS, log_starts)?;
        self.write_cleaner_checkpoint()?;
        self.write_checkpoint(HIGH_WATERMARKS, self.high_watermarks.clone())
    }

    pub(super) fn write_checkpoint(&mut self, name: &'static str, offsets: Offsets) -> Result<(), LogError> {
        if self.written.get(name) == Some(&offsets) {
            return Ok(());
        }
        let path = self.root.join(name);
        self.disk.write_atomically(&path, encode_offsets(&offsets).as_bytes()).map_err(LogError::io(&path))?;
        self.written.insert(name, offsets);
        Ok(())
    }

    /// The clean end: every log closed, checkpoints written, the marker left with the broker's epoch (-1 if it has none).
    /// If a log cannot be closed there is no marker, so that the next start recovers.
    pub fn shutdown_clean(&mut self, now: Now, broker_epoch: i64) -> Result<(), LogError> {
        let (mut failure, since) = (None, self.disk.stopwatch());
        for log in self.logs.values_mut().chain(self.futures.values_mut()) {
            if let Err(error) = log.close_now(now) {
                self.book.warn(Logger::LogManager, || {
                    format!("The log of {} did not close: {error}", log.topic_partition())
                });
                failure.get_or_insert(error);
            }
        }
        self.write_checkpoints(&BTreeMap::new())?;
        let count = self.logs.len();
        self.logs.clear();
        self.futures.clear();
        if let Some(error) = failure {
            return Err(error);
        }
        let path = self.root.join(CLEAN_SHUTDOWN);
        self.disk
            .write_atomically(&path, encode_clean_shutdown(broker_epoch).as_bytes())
            .map_err(LogError::io(&path))?;
        self.book.info(Logger::LogManager, || {
            let ms = self.disk.stopwatch().saturating_sub(since).as_millis();
            format!(
                "{count} logs in {} are flushed and closed after {ms}ms; the clean shutdown file has broker epoch {broker_epoch}",
                self.root.display()
            )
        });
        Ok(())
    }
}

/// `orders-3`; not `orders-3.<id>-delete`, `-future` or `-stray`, and not the metadata log.
pub(super) fn partition_of(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    let partition = partition.parse().ok().filter(|_| digits)?;
    (!topic.is_empty() && topic != METADATA_TOPIC).then(|| TopicPartition::new(topic, partition))
}

fn settle_properties(
    disk: &dyn Disk,
    root: &Path,
    node_id: NodeId,
    cluster_id: &str,
    now: Now,
) -> Result<MetaProperties, LogError> {
    let path = root.join(META_PROPERTIES);
    if let Some(found) = MetaProperties::read(disk, &path)? {
        if found.node_id != node_id || found.cluster_id != cluster_id {
            let reason = format!(
                "the directory belongs to node {} of cluster {}, not to node {node_id} of cluster {cluster_id}",
                found.node_id, found.cluster_id
            );
            return Err(LogError::invalid_file(&path, reason));
        }
        return Ok(found);
    }
    let directory_id = id_from(&(cluster_id, node_id, root, now.wall_ms, now.mono));
    let properties = MetaProperties { cluster_id: cluster_id.to_owned(), node_id, directory_id };
    disk.write_atomically(&path, properties.encode().as_bytes()).map_err(LogError::io(&path))?;
    Ok(properties)
}

/// An id made from what is handed in, so that a simulation makes the same one each time.
fn id_from(source: &impl Hash) -> Id {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, source).hash(&mut hasher);
        hasher.finish()
    };
    let bits = u128::from(half(0)) << 64 | u128::from(half(1));
    // Version 4, variant 1, as every id; the first bits clear, so that it does not print with a leading dash.
    Id(*uuid::Builder::from_random_bytes((bits >> 1).to_be_bytes()).as_uuid().as_bytes())
}
