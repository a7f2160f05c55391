//! The log directories of one broker: in which of them a replica lies, where a new one goes, and what a failing directory takes with it.
//! The first is also the one of the metadata log.
//!
//! Source: `kafka.log.LogManager`; KIP-112 (JBOD), KIP-858 (directory ids).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::manager::ReplicaManagerError;
use crate::log::disk::{Disk, Space};
use crate::log::{CleanerConfig, CleaningOutcome, Log, LogConfig, LogDir, LogError};
use crate::metadata::config::NodeConfig;
use crate::metadata::record::DIRECTORY_UNASSIGNED;
use crate::types::{Id, Now, TopicPartition};

/// One configured directory.
struct Slot {
    root: PathBuf,
    /// Why it is offline otherwise.
    state: Result<LogDir, String>,
    /// Its id; of one that failed before it could be read, none.
    id: Option<Id>,
}

/// Log directories, in the order of the configuration.
pub struct LogDirs {
    disk: Arc<dyn Disk>,
    slots: Vec<Slot>,
    /// Where replicas that are not here yet are to be put (AlterReplicaLogDirs).
    wishes: BTreeMap<TopicPartition, usize>,
}

impl LogDirs {
    /// Opens every directory. One that the disk refuses is offline, as long as another works and it is not the first.
    ///
    /// # Errors
    /// A directory of another node or cluster; a replica that lies in two; no directory that works; the first fails.
    pub fn open(disk: Arc<dyn Disk>, config: &NodeConfig, now: Now) -> Result<LogDirs, ReplicaManagerError> {
        let mut slots = Vec::with_capacity(config.log_dirs.len());
        for root in &config.log_dirs {
            let (id, cluster, book) = (config.node_id, &config.cluster_id, config.log.clone());
            let opened = LogDir::open_with(Arc::clone(&disk), root.clone(), id, cluster, now, book);
            let state = match opened {
                Ok(dir) => Ok(dir),
                Err(error @ LogError::Io { .. }) => Err(error.to_string()),
                Err(error) => return Err(error.into()),
            };
            let id = state.as_ref().ok().map(LogDir::directory_id);
            slots.push(Slot { root: root.clone(), state, id });
        }
        let dirs = LogDirs { disk, slots, wishes: BTreeMap::new() };
        match dirs.slots.first() {
            None => return Err(ReplicaManagerError::NoLogDir(config.node_id)),
            Some(Slot { root, state: Err(cause), .. }) => {
                return Err(ReplicaManagerError::MetadataDir { path: root.clone(), cause: cause.clone() });
            }
            Some(_) => dirs.check_duplicates()?,
        }
        Ok(dirs)
    }

    /// Kafka does not guess which of two is the right one either: a directory may have failed while a replica moved out of it.
    fn check_duplicates(&self) -> Result<(), ReplicaManagerError> {
        let mut seen: BTreeMap<(&TopicPartition, bool), &Path> = BTreeMap::new();
        for dir in self.online() {
            let all = dir.logs().map(|log| (log, false)).chain(dir.futures().map(|log| (log, true)));
            for (log, future) in all {
                if let Some(first) = seen.insert((log.topic_partition(), future), log.dir()) {
                    return Err(ReplicaManagerError::DuplicateLog {
                        partition: log.topic_partition().clone(),
                        first: first.to_owned(),
                        second: log.dir().to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn online(&self) -> impl Iterator<Item = &LogDir> {
        self.slots.iter().filter_map(|slot| slot.state.as_ref().ok())
    }

    pub(super) fn online_mut(&mut self) -> impl Iterator<Item = &mut LogDir> {
        self.slots.iter_mut().filter_map(|slot| slot.state.as_mut().ok())
    }

    fn at(&mut self, index: usize) -> Result<&mut LogDir, LogError> {
        let slot = self.slots.get_mut(index).ok_or(LogError::InvalidRecord("there is no such log directory"))?;
        slot.state.as_mut().map_err(|cause| LogError::Offline(cause.as_str().into()))
    }

    /// Ids of the directories that work.
    pub fn online_ids(&self) -> Vec<Id> {
        self.online().map(LogDir::directory_id).collect()
    }

    /// Ids of those that failed since the start.
    pub fn failed_ids(&self) -> Vec<Id> {
        self.slots.iter().filter(|slot| slot.state.is_err()).filter_map(|slot| slot.id).collect()
    }

    /// All of them, in the order of the configuration; the error says why one is offline.
    pub fn all(&self) -> impl Iterator<Item = (&Path, Result<&LogDir, &str>)> {
        self.slots.iter().map(|slot| (slot.root.as_path(), slot.state.as_ref().map_err(String::as_str)))
    }

    /// Time as it goes by while the disk works.
    pub fn stopwatch(&self) -> Duration {
        self.disk.stopwatch()
    }

    /// Room on a directory's file system.
    pub fn space(&self, root: &Path) -> std::io::Result<Space> {
        self.disk.space(root)
    }

    /// Whether one of them is offline.
    pub fn has_offline(&self) -> bool {
        self.slots.iter().any(|slot| slot.state.is_err())
    }

    /// Whether all are.
    pub(super) fn all_offline(&self) -> bool {
        self.slots.iter().all(|slot| slot.state.is_err())
    }

    /// The directory of that path, and whether it works.
    pub(super) fn find(&self, root: &str) -> Option<(usize, bool)> {
        let index = self.slots.iter().position(|slot| slot.root == Path::new(root))?;
        Some((index, self.slots[index].state.is_ok()))
    }

    /// The directory of that id, if it works.
    fn find_id(&self, id: Id) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == Some(id) && slot.state.is_ok())
    }

    pub(super) fn id_of(&self, index: usize) -> Option<Id> {
        self.slots.get(index)?.id
    }

    pub(super) fn root_of(&self, index: usize) -> Option<&Path> {
        Some(self.slots.get(index)?.root.as_path())
    }

    /// The directory in which something that the disk refused lies.
    pub(super) fn index_of_path(&self, path: &Path) -> Option<usize> {
        self.slots.iter().position(|slot| path.starts_with(&slot.root))
    }

    /// The directory of a replica's log.
    pub(super) fn index_of(&self, name: &TopicPartition) -> Option<usize> {
        self.slots.iter().position(|slot| slot.state.as_ref().is_ok_and(|dir| dir.log(name).is_some()))
    }

    /// All logs.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.online().flat_map(LogDir::logs)
    }

    /// All logs, to be changed.
    pub fn logs_mut(&mut self) -> impl Iterator<Item = &mut Log> {
        self.online_mut().flat_map(LogDir::logs_mut)
    }

    /// A partition's log.
    pub fn log(&self, name: &TopicPartition) -> Option<&Log> {
        self.online().find_map(|dir| dir.log(name))
    }

    /// A partition's log, to be changed.
    pub fn log_mut(&mut self, name: &TopicPartition) -> Option<&mut Log> {
        self.online_mut().find_map(|dir| dir.log_mut(name))
    }

    /// The high watermark that was checkpointed last.
    pub fn high_watermark(&self, name: &TopicPartition) -> Option<i64> {
        self.online().find(|dir| dir.log(name).is_some())?.high_watermark(name)
    }

    /// Whether a replica without a log may be given one: not while the log may lie in a directory that is offline.
    pub(super) fn may_create(&self, assigned: Id) -> bool {
        !self.has_offline() || assigned == DIRECTORY_UNASSIGNED || self.find_id(assigned).is_some()
    }

    /// Notes where a replica that is not here yet is to be put.
    pub(super) fn wish(&mut self, name: &TopicPartition, index: usize) {
        if self.wishes.len() < MAX_WISHES || self.wishes.contains_key(name) {
            self.wishes.insert(name.clone(), index);
        }
    }

    /// Begins a log in the directory that was wished for, else in the one assigned by the controller, else in the one with the fewest
    /// logs; one that is there already is given back, if it is of the same topic id.
    pub fn create_log(
        &mut self,
        name: TopicPartition,
        topic_id: Id,
        config: LogConfig,
        assigned: Id,
        now: Now,
    ) -> Result<&mut Log, LogError> {
        let index = match self.index_of(&name) {
            Some(index) => index,
            None => self.choose(&name, assigned),
        };
        self.wishes.remove(&name);
        self.at(index)?.create_log(name, topic_id, config, now)
    }

    fn choose(&self, name: &TopicPartition, assigned: Id) -> usize {
        let online = |index: &usize| self.slots.get(*index).is_some_and(|slot| slot.state.is_ok());
        let wished = self.wishes.get(name).copied().filter(online);
        wished.or_else(|| self.find_id(assigned)).or_else(|| self.least_loaded()).unwrap_or(0)
    }

    fn least_loaded(&self) -> Option<usize> {
        let load = |slot: &Slot| slot.state.as_ref().ok().map(|dir| dir.logs().count() + dir.futures().count());
        let loads = self.slots.iter().enumerate().filter_map(|(index, slot)| Some((load(slot)?, index)));
        loads.min().map(|(_, index)| index)
    }

    /// Gives up a partition's log, and its copy on the way to another directory.
    pub fn delete_log(&mut self, name: &TopicPartition, now: Now) -> Result<bool, LogError> {
        self.wishes.remove(name);
        let mut found = false;
        for dir in self.online_mut() {
            dir.delete_future(name, now)?;
            found |= dir.delete_log(name, now)?;
        }
        Ok(found)
    }

    /// Removes what was given up long enough ago.
    pub fn delete_due(&mut self, now: Now) -> Result<(), LogError> {
        self.each(|dir| dir.delete_due(now))
    }

    /// Does a step of compaction in each directory where one is due: see [`LogDir::clean`]. They share the buffer.
    pub(super) fn clean(
        &mut self,
        now: Now,
        config: &CleanerConfig,
        high_watermark: &dyn Fn(&Log) -> Option<i64>,
    ) -> Vec<CleaningOutcome> {
        let dedupe_buffer_bytes = config.dedupe_buffer_bytes / self.online().count().max(1) as u64;
        let config = CleanerConfig { dedupe_buffer_bytes, ..*config };
        self.online_mut().filter_map(|dir| dir.clean(now, &config, high_watermark)).collect()
    }

    /// When [`LogDirs::clean`] has something to do next, on the monotonic clock.
    pub(super) fn next_cleaning(&self) -> Duration {
        self.online().map(LogDir::next_cleaning).min().unwrap_or(Duration::MAX)
    }

    /// Writes the checkpoints that have changed, each directory its own.
    pub fn write_checkpoints(&mut self, high_watermarks: &BTreeMap<TopicPartition, i64>) -> Result<(), LogError> {
        self.each(|dir| dir.write_checkpoints(high_watermarks))
    }

    /// The clean end of every directory that works.
    pub fn shutdown_clean(&mut self, now: Now, broker_epoch: i64) -> Result<(), LogError> {
        self.each(|dir| dir.shutdown_clean(now, broker_epoch))
    }

    /// One that fails does not keep the others from their turn; the first failure is told.
    fn each(&mut self, mut act: impl FnMut(&mut LogDir) -> Result<(), LogError>) -> Result<(), LogError> {
        let mut result = Ok(());
        for dir in self.online_mut() {
            result = result.and(act(dir));
        }
        result
    }

    /// The broker epoch that a clean stop left in every directory; `None` if one is offline, or they do not agree (KIP-966).
    pub fn clean_broker_epoch(&self) -> Option<i64> {
        let mut epochs = self.slots.iter().map(|slot| slot.state.as_ref().ok()?.clean_broker_epoch());
        let first = epochs.next()??;
        epochs.all(|epoch| epoch == Some(first)).then_some(first)
    }

    /// A directory failed: nothing of it is touched from here on. Names what was in it; `None` if it was offline already.
    pub(super) fn fail(&mut self, index: usize, cause: &str) -> Option<Vec<TopicPartition>> {
        let slot = self.slots.get_mut(index)?;
        let dir = std::mem::replace(&mut slot.state, Err(cause.to_owned()));
        match dir {
            Ok(dir) => Some(dir.logs().map(|log| log.topic_partition().clone()).collect()),
            Err(earlier) => {
                slot.state = Err(earlier);
                None
            }
        }
    }

    /// The directory that holds the future log of a partition.
    pub(super) fn future_index(&self, name: &TopicPartition) -> Option<usize> {
        self.slots.iter().position(|slot| slot.state.as_ref().is_ok_and(|dir| dir.future(name).is_some()))
    }

    /// The future log of a partition.
    pub fn future(&self, name: &TopicPartition) -> Option<&Log> {
        self.online().find_map(|dir| dir.future(name))
    }

    /// Partitions that are copied to another directory.
    pub(super) fn moving_names(&self) -> BTreeSet<TopicPartition> {
        self.online().flat_map(LogDir::futures).map(|log| log.topic_partition().clone()).collect()
    }

    pub(super) fn future_mut(&mut self, name: &TopicPartition) -> Option<&mut Log> {
        self.online_mut().find_map(|dir| dir.future_mut(name))
    }

    /// The log and the future log of a partition that moves.
    pub(super) fn moving(&mut self, name: &TopicPartition) -> Option<(&Log, &mut Log)> {
        let (mut log, mut future) = (None, None);
        for dir in self.slots.iter_mut().filter_map(|slot| slot.state.as_mut().ok()) {
            if dir.log(name).is_some() {
                log = dir.log(name);
            } else if dir.future(name).is_some() {
                future = dir.future_mut(name);
            }
        }
        Some((log?, future?))
    }

    /// Begins the future log of a partition in another directory, where its log begins.
    pub(super) fn begin_future(&mut self, name: &TopicPartition, index: usize, now: Now) -> Result<(), LogError> {
        let log = self.log(name).ok_or(LogError::InvalidRecord("there is no log to copy"))?;
        let (topic_id, config, start) = (log.topic_id(), log.config().clone(), log.log_start_offset());
        self.at(index)?.begin_future(name, topic_id, config, start, now)
    }

    /// Gives up the future log of a partition.
    pub(super) fn delete_future(&mut self, name: &TopicPartition, now: Now) -> Result<(), LogError> {
        self.each(|dir| dir.delete_future(name, now).map(|_| ()))
    }

    /// The future log takes the place of the log, which is given up. Between the two there are both, never neither.
    pub(super) fn promote_future(&mut self, name: &TopicPartition, hw: i64, now: Now) -> Result<(), LogError> {
        let missing = LogError::InvalidRecord("there is no future log");
        let (from, to) = (self.index_of(name), self.future_index(name).ok_or(missing)?);
        self.at(to)?.promote_future(name, hw, now)?;
        match from {
            Some(from) => self.at(from)?.delete_log(name, now).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Wishes for replicas that never come are forgotten with the process; there are not more of them than this.
const MAX_WISHES: usize = 100_000;
