//! A log directory that fails goes offline as a whole, with every replica in it; the broker goes on with the others. When the last one, or
//! the one with the metadata log, fails, it halts.
//!
//! Source: `kafka.server.ReplicaManager.handleLogDirFailure`, `kafka.log.LogManager.handleLogDirFailure`; KIP-112, KIP-858.

use std::path::Path;
use std::time::Duration;

use super::lines::Names;
use super::manager::ReplicaManager;
use super::partition::Role;
use crate::log::LogError;
use crate::logging::{Level, Logger};
use crate::metadata::report::Event;
use crate::types::{Id, TopicIdPartition};

/// What is said of a directory that is offline.
pub(super) fn told_offline(path: &Path, cause: &str) -> String {
    format!("log directory {} is offline: {cause}", path.display())
}

impl ReplicaManager {
    /// A log failed. What the disk refused takes its directory offline; bytes that make no sense only this partition.
    pub(super) fn fail_log(&mut self, id: &TopicIdPartition, error: &LogError) {
        let name = self.partitions.get(id).map(|partition| partition.name().clone());
        let index = match error {
            LogError::Io { path, .. } => self.dir.index_of_path(path),
            LogError::Offline(_) => name.as_ref().and_then(|name| self.dir.index_of(name)),
            _ => None,
        };
        match index {
            Some(index) => self.fail_directory(index, error),
            None => {
                if let Some(name) = name.filter(|_| self.partitions.get(id).is_some_and(|p| !p.is_offline())) {
                    let message = format!("the log of {name} failed and the partition is offline: {error}");
                    self.say(Level::Error, || message.clone());
                    self.events.push(Event::Error { message });
                }
            }
        }
        self.take_offline(id, error);
    }

    /// The disk refused something that is no log's alone: a checkpoint, a deletion.
    pub(super) fn disk_failed(&mut self, error: &LogError) {
        if let LogError::Io { path, .. } = error
            && let Some(index) = self.dir.index_of_path(path)
        {
            self.fail_directory(index, error);
        } else {
            self.say(Level::Error, || error.to_string());
            self.events.push(Event::Error { message: error.to_string() });
        }
    }

    fn fail_directory(&mut self, index: usize, error: &LogError) {
        let Some(lost) = self.dir.fail(index, &error.to_string()) else { return };
        let path = self.dir.root_of(index).map(Path::to_owned).unwrap_or_default();
        let message = told_offline(&path, &error.to_string());
        self.say(Level::Error, || message.clone());
        self.events.push(Event::Error { message });
        let id = self.dir.id_of(index).map(|id| id.to_string()).unwrap_or_default();
        self.say(Level::Warn, || {
            let names = Names::of(&lost);
            format!("Replicas in {} with uuid {id} are not served any more: {names}", path.display())
        });
        self.config.log.warn(Logger::LogManager, || {
            format!("{} logs are offline, as log directory {} failed", lost.len(), path.display())
        });
        if let Some(id) = self.dir.id_of(index) {
            self.failed_at.insert(id, self.last_tick);
        }
        let is_lost = |id: &&TopicIdPartition| {
            self.partitions.get(id).is_some_and(|partition| lost.binary_search(partition.name()).is_ok())
        };
        let ids: Vec<TopicIdPartition> = self.partitions.keys().filter(is_lost).copied().collect();
        for id in ids {
            self.take_offline(&id, error);
        }
        self.tell_fetchers();
        self.cancel_lost_moves();
        if index == 0 {
            let halt = format!("the metadata log directory {} failed: {error}", path.display());
            self.halted.get_or_insert(halt);
        } else if self.dir.all_offline() {
            self.halted.get_or_insert(format!("all log directories failed, {} last: {error}", path.display()));
        }
        if let Some(halt) = &self.halted {
            self.say(Level::Fatal, || format!("The broker halts: {halt}"));
        }
    }

    fn take_offline(&mut self, id: &TopicIdPartition, error: &LogError) {
        let Some(partition) = self.partitions.get_mut(id).filter(|partition| !partition.is_offline()) else { return };
        partition.role = Role::Offline { cause: error.to_string() };
        self.stop_fetching(id);
        self.alter.cancel(id);
        self.touch(*id);
    }

    /// Why this broker can no longer be one, if so: it should halt, as a process that was killed.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Directories that failed since the start, and when.
    pub fn failed_directories(&self) -> impl Iterator<Item = (Id, Duration)> {
        self.failed_at.iter().map(|(id, at)| (*id, *at))
    }
}
