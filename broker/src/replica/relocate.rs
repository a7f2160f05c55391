//! A replica moves to another directory of its broker: it is copied there in slices, the controller is told, and the copy takes its place.
//!
//! Source: `kafka.server.ReplicaManager.alterReplicaLogDirs`, `ReplicaAlterLogDirsThread`, `kafka.cluster.Partition.maybeCreateFutureReplica`,
//! `maybeReplaceCurrentWithFutureReplica`; KIP-113, KIP-858.

use std::collections::BTreeMap;
use std::time::Duration;

use super::follow::append;
use super::manager::ReplicaManager;
use crate::log::{Log, LogError, has_future_name};
use crate::logging::Level;
use crate::metadata::config::RESOURCE_BROKER;
use crate::metadata::image::Image;
use crate::protocol::ErrorCode;
use crate::protocol::messages::AssignReplicasToDirsResponseData;
use crate::types::{Id, Now, TopicIdPartition, TopicPartition};

/// A dynamic broker config.
const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
/// Copied at a time.
const SLICE_BYTES: usize = 1 << 20;
/// Copies are made durable after so much, so that the end of a move, which waits for the disk, has little left to wait for.
const FLUSH_BYTES: usize = 16 << 20;
/// Between two slices, so that the node's thread has time for its clients.
const BUSY_INTERVAL: Duration = Duration::from_millis(2);
/// Between two looks at copies that are level.
const IDLE_INTERVAL: Duration = Duration::from_millis(20);

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Records are being copied.
    Copying,
    /// The copy was level; the controller is being told of its directory.
    Assigning,
    /// The controller knows: the next time that the copy is level, it takes over.
    Assigned,
}

/// The moves of one broker.
#[derive(Debug, Default)]
pub(super) struct Moves {
    moves: BTreeMap<TopicIdPartition, Move>,
    next_slice: Option<Duration>,
    /// The one that was served last: the next gets the next slice.
    last: Option<TopicIdPartition>,
    /// Copied since a copy was last made durable.
    unflushed_bytes: usize,
}

impl Moves {
    pub(super) fn begin(&mut self, id: TopicIdPartition, now: Duration) {
        self.moves.entry(id).or_insert(Move::Copying);
        self.next_slice.get_or_insert(now);
    }

    pub(super) fn end(&mut self, id: &TopicIdPartition) {
        self.moves.remove(id);
        if self.moves.is_empty() {
            self.next_slice = None;
        }
    }

    pub(super) fn get(&self, id: &TopicIdPartition) -> Option<Move> {
        self.moves.get(id).copied()
    }

    fn set(&mut self, id: &TopicIdPartition, state: Move) {
        if let Some(entry) = self.moves.get_mut(id) {
            *entry = state;
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.next_slice
    }

    /// The next one after that which was served last.
    fn next(&mut self) -> Option<TopicIdPartition> {
        let after = self.last.and_then(|last| {
            let range = (std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded);
            self.moves.range(range).next().map(|(id, _)| *id)
        });
        self.last = after.or_else(|| self.moves.keys().next().copied());
        self.last
    }
}

impl ReplicaManager {
    /// Takes up the throttle that holds for this broker.
    pub(super) fn set_move_rate(&mut self, image: &Image) {
        let set = |name: &str| image.configs.get(&(RESOURCE_BROKER, name.into()))?.get(RATE)?.parse().ok();
        self.settings.move_bytes_per_s = set(&self.me.to_string()).or_else(|| set("")).unwrap_or(u64::MAX);
    }

    /// AlterReplicaLogDirs of one replica. One that is not here yet will be put there when it comes, which is told as an error all the same.
    /// `id`: as the image knows it.
    pub fn move_replica(
        &mut self,
        now: Now,
        name: &TopicPartition,
        id: Option<TopicIdPartition>,
        root: &str,
    ) -> Result<(), ErrorCode> {
        if !has_future_name(name) {
            return Err(ErrorCode::InvalidTopicException);
        }
        let (index, online) = self.dir.find(root).ok_or(ErrorCode::LogDirNotFound)?;
        if !online {
            return Err(ErrorCode::KafkaStorageError);
        }
        let Some((id, partition)) = id.and_then(|id| Some((id, self.partitions.get(&id)?))) else {
            self.dir.wish(name, index);
            return Err(if id.is_some() { ErrorCode::NotLeaderOrFollower } else { ErrorCode::UnknownTopicOrPartition });
        };
        if partition.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if self.dir.future_index(name).is_some_and(|there| there != index) {
            self.cancel_move(now, &id).map_err(|error| ErrorCode::from(&error))?;
        }
        if self.dir.index_of(name) == Some(index) || self.dir.future_index(name) == Some(index) {
            return Ok(());
        }
        // The future log may lie in a directory that is offline: there must not be a second one.
        if self.dir.has_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        if let Err(error) = self.dir.begin_future(name, index, now) {
            self.disk_failed(&error);
            return Err(ErrorCode::KafkaStorageError);
        }
        self.moves.begin(id, now.mono);
        self.say_of_move(&id, Level::Info, |name| format!("{name} is copied to log directory {root}"));
        Ok(())
    }

    /// Gives up a move; if the controller was told of the new directory, it is told of the old one again.
    pub(super) fn cancel_move(&mut self, now: Now, id: &TopicIdPartition) -> Result<(), LogError> {
        let told = self.moves.get(id).is_some_and(|state| state != Move::Copying);
        self.moves.end(id);
        self.say_of_move(id, Level::Info, |name| format!("{name} stays where it is: its copy is given up"));
        let Some(partition) = self.partitions.get(id) else { return Ok(()) };
        if told && let Some(directory) = partition.directory {
            self.assignments.want(*id, directory);
        }
        let name = partition.name().clone();
        let result = self.dir.delete_future(&name, now);
        if let Err(error) = &result {
            self.disk_failed(error);
        }
        result
    }

    /// The log was cut: its copy is too, if there is one.
    pub(super) fn cut_copy(&mut self, id: &TopicIdPartition, cut: impl FnOnce(&mut Log) -> Result<(), LogError>) {
        if self.moves.get(id).is_none() {
            return;
        }
        let Some(name) = self.partitions.get(id).map(|partition| partition.name().clone()) else { return };
        if let Some(Err(error)) = self.dir.future_mut(&name).map(cut) {
            self.disk_failed(&error);
        }
    }

    /// A directory failed: copies that lay in it, and those whose source did, are not made any more.
    pub(super) fn cancel_lost_moves(&mut self) {
        let lost = |id: &TopicIdPartition| {
            self.partitions.get(id).is_none_or(|partition| {
                partition.is_offline()
                    || self.dir.future(partition.name()).is_none()
                    || self.dir.log(partition.name()).is_none()
            })
        };
        let ids: Vec<TopicIdPartition> = self.moves.moves.keys().filter(|id| lost(id)).copied().collect();
        for id in ids {
            let told = self.moves.get(&id).is_some_and(|state| state != Move::Copying);
            self.moves.end(&id);
            let home = self.partitions.get(&id).filter(|partition| !partition.is_offline());
            if told && let Some(directory) = home.and_then(|partition| partition.directory) {
                self.assignments.want(id, directory);
            }
        }
    }

    /// The active controller answered request `id` about directories, or nobody did.
    pub fn on_assign_response(&mut self, now: Now, id: u64, result: Result<AssignReplicasToDirsResponseData, ()>) {
        for (id, directory) in self.assignments.answered(now.mono, id, result) {
            self.directory_agreed(now, &id, directory);
        }
    }

    /// The controller agreed to a directory: a move that waited for it may end.
    fn directory_agreed(&mut self, now: Now, id: &TopicIdPartition, directory: Id) {
        let Some(partition) = self.partitions.get(id) else { return };
        let target = self.dir.future_index(partition.name()).and_then(|index| self.dir.id_of(index));
        if target == Some(directory) && self.moves.get(id) == Some(Move::Assigning) {
            self.moves.set(id, Move::Assigned);
            self.moves.next_slice = Some(now.mono);
        }
    }

    /// Copies a slice of one replica that moves, and lets it take over if it is level.
    pub(super) fn copy_slice(&mut self, now: Now) {
        if self.moves.next_slice.is_none_or(|at| at > now.mono) {
            return;
        }
        let mut wait = IDLE_INTERVAL;
        for _ in 0..self.moves.moves.len() {
            let Some(id) = self.moves.next() else { break };
            match self.copy_some(now, &id) {
                Ok(0) => {}
                Ok(bytes) => {
                    let rate = self.settings.move_bytes_per_s.max(1);
                    let throttle = Duration::from_secs_f64((bytes as f64 / rate as f64).min(3600.0));
                    wait = throttle.max(BUSY_INTERVAL);
                    break;
                }
                Err(error) => self.move_failed(now, &id, &error),
            }
        }
        self.moves.next_slice = (!self.moves.moves.is_empty()).then_some(now.mono + wait);
    }

    /// The source is read-only here, so that what its disk refuses is told by its own readers; the copy is begun anew after what is no
    /// failure of a disk.
    fn move_failed(&mut self, now: Now, id: &TopicIdPartition, error: &LogError) {
        self.say_of_move(id, Level::Error, |name| format!("The copy of {name} failed: {error}"));
        if error.is_storage_failure() {
            self.disk_failed(error);
        }
        let name = self.partitions.get(id).map(|partition| partition.name().clone());
        let Some(future) = name.and_then(|name| self.dir.future_mut(&name)) else {
            self.moves.end(id);
            return;
        };
        if future.offline().is_some() || future.truncate_fully_and_start_at(0).is_err() {
            // What was wrong was told; the replica stays where it is.
            let _ = self.cancel_move(now, id);
        }
    }

    /// Bytes copied; 0 if the copy is level.
    fn copy_some(&mut self, now: Now, id: &TopicIdPartition) -> Result<usize, LogError> {
        let Some(partition) = self.partitions.get(id) else { return Ok(0) };
        let name = partition.name().clone();
        let high_watermark = partition.high_watermark();
        let slice = SLICE_BYTES.min(usize::try_from(self.settings.move_bytes_per_s).unwrap_or(SLICE_BYTES).max(1));
        let Some((log, future)) = self.dir.moving(&name) else { return Ok(0) };
        let bytes = copy(now, log, future, slice)?;
        self.moves.unflushed_bytes += bytes;
        if self.moves.unflushed_bytes >= FLUSH_BYTES {
            self.moves.unflushed_bytes = 0;
            future.flush(now)?;
        }
        let is_behind = future.log_end_offset() < log.log_end_offset();
        self.metrics.copied(bytes);
        if is_behind {
            return Ok(bytes);
        }
        match self.moves.get(id) {
            Some(Move::Copying) => {
                let target = self.dir.future_index(&name).and_then(|index| self.dir.id_of(index));
                if let Some(directory) = target {
                    self.assignments.want(*id, directory);
                    self.moves.set(id, Move::Assigning);
                    self.say_of_move(id, Level::Info, |name| {
                        format!("The copy of {name} is level; the controller is told of its log directory {directory}")
                    });
                }
            }
            Some(Move::Assigned) => {
                follow_source(log, future)?;
                self.dir.promote_future(&name, high_watermark, now)?;
                let directory = self.dir.index_of(&name).and_then(|index| self.dir.id_of(index));
                if let Some(partition) = self.partitions.get_mut(id) {
                    partition.directory = directory;
                }
                self.moves.end(id);
                self.say_of_move(id, Level::Info, |name| {
                    let dir = self.dir.log(name).map(|log| log.dir().display().to_string()).unwrap_or_default();
                    format!("The copy of {name} has taken its place in {dir}")
                });
                self.touch(*id);
            }
            Some(Move::Assigning) | None => {}
        }
        Ok(0)
    }
}

/// Copies up to `max_bytes`, but at least one batch, from a log to the one that is to replace it.
fn copy(now: Now, log: &Log, future: &mut Log, max_bytes: usize) -> Result<usize, LogError> {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    if future.log_end_offset() < start {
        future.truncate_fully_and_start_at(start)?;
    }
    if future.log_end_offset() > end {
        future.truncate_to(end)?;
    }
    let read = log.read(future.log_end_offset(), max_bytes, end, true)?;
    if !read.records.is_empty() {
        append(future, now, &read.records)?;
    }
    Ok(read.records.len())
}

/// What a log knows beside its records.
fn follow_source(log: &Log, future: &mut Log) -> Result<(), LogError> {
    future.set_config(log.config().clone());
    for (epoch, start) in log.leader_epochs().entries() {
        if future.latest_epoch().is_none_or(|latest| latest < *epoch) {
            future.assign_epoch_start(*epoch, *start)?;
        }
    }
    future.set_log_start_offset(log.log_start_offset())
}
