//! The partitions of a coordinator's topic that this broker leads: read when they come, written to while they stay, and each append followed
//! until it is committed or lost. Knows nothing of what the records mean.
//!
//! Source: `kafka.coordinator.transaction.TransactionStateManager` (loading, appending).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::coordinator_metrics::CoordinatorTimes;
use super::topic_metrics::OwnAppends;
use crate::log::AppendRules;
use crate::protocol::ErrorCode;
use crate::records;
use crate::replica::ReplicaManager;
use crate::types::{Now, TopicIdPartition};

/// Largest batch that is unpacked.
const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// What became of the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One is led here from now on, in this leader epoch; its records follow.
    Begun { partition: i32, epoch: i32 },
    /// All of it is read, and committed.
    Loaded(i32),
    /// One is led here no more.
    Gone(i32),
    /// An append is committed, with the offset after its last record, or was not written.
    Written { token: u64, result: Result<i64, ErrorCode> },
}

#[derive(Debug)]
struct Held {
    id: TopicIdPartition,
    leader_epoch: i32,
    load: Option<Load>,
    /// Written, not known to be committed; in log order: token, end offset, when.
    written: VecDeque<(u64, i64, Duration)>,
}

/// What was in the log when this broker began to lead counts only once it is committed: a successor may not have it.
#[derive(Debug)]
struct Load {
    next_offset: i64,
    end_offset: i64,
    began: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CoordinatorLog {
    partitions: BTreeMap<i32, Held>,
    /// Partitions that could not be read, and in which leader epoch: the next leader may read better.
    failed: BTreeMap<i32, i32>,
    changes: Vec<Change>,
    pub(super) times: CoordinatorTimes,
    appends: OwnAppends,
}

impl CoordinatorLog {
    /// What was appended since this was last asked.
    pub(super) fn take_appends(&mut self) -> OwnAppends {
        std::mem::take(&mut self.appends)
    }

    /// Takes what has changed, in order.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Partitions that are being loaded, those that are, and those that could not be.
    pub(super) fn partition_counts(&self) -> (usize, usize, usize) {
        let loading = self.partitions.values().filter(|held| held.load.is_some()).count();
        (loading, self.partitions.len() - loading, self.failed.len())
    }

    /// Whether something is left to be read now.
    pub(super) fn is_reading(&self) -> bool {
        let unread = |load: &Load| load.next_offset < load.end_offset;
        self.partitions.values().any(|held| held.load.as_ref().is_some_and(unread))
    }

    /// The topic is another one, or gone.
    pub(super) fn give_up_all(&mut self) {
        for partition in std::mem::take(&mut self.partitions).into_keys() {
            self.changes.push(Change::Gone(partition));
        }
        self.failed.clear();
    }

    /// A replica of the topic's changed.
    pub(super) fn follow(&mut self, now: Now, replicas: &ReplicaManager, id: TopicIdPartition) {
        let partition = id.partition;
        let leader = replicas.partition(&id).filter(|replica| replica.is_leader() && !replica.is_offline());
        let held = self.partitions.get(&partition);
        match (leader.map(|replica| replica.leader_epoch()), held.map(|held| (held.id, held.leader_epoch))) {
            (Some(epoch), Some(held)) if held == (id, epoch) => {}
            (Some(epoch), _) if self.failed.get(&partition) == Some(&epoch) => self.give_up(partition),
            (Some(epoch), _) => {
                self.give_up(partition);
                if let Some(log) = replicas.log(&id) {
                    let load =
                        Load { next_offset: log.log_start_offset(), end_offset: log.log_end_offset(), began: now.mono };
                    let held = Held { id, leader_epoch: epoch, load: Some(load), written: VecDeque::new() };
                    self.partitions.insert(partition, held);
                    self.changes.push(Change::Begun { partition, epoch });
                }
            }
            (None, _) => self.give_up(partition),
        }
        self.settle(now, replicas, partition);
    }

    fn give_up(&mut self, partition: i32) {
        if self.partitions.remove(&partition).is_some() {
            self.changes.push(Change::Gone(partition));
        }
    }

    /// Reads some more of what is being loaded, at most `budget` bytes or one batch: `each` is told the partition, offset, key and value.
    /// Returns what was wrong with a log.
    pub(super) fn read_some(
        &mut self,
        now: Now,
        replicas: &ReplicaManager,
        budget: usize,
        mut each: impl FnMut(i32, i64, &[u8], Option<&[u8]>),
    ) -> Option<String> {
        let unread = |held: &Held| held.load.as_ref().is_some_and(|load| load.next_offset < load.end_offset);
        let partition = *self.partitions.iter().find(|(_, held)| unread(held))?.0;
        let failure = self.read_piece(replicas, partition, budget, &mut each).err();
        if let Some(held) = self.partitions.get(&partition).filter(|_| failure.is_some()) {
            self.failed.insert(partition, held.leader_epoch);
            self.give_up(partition);
        }
        self.settle(now, replicas, partition);
        failure.map(|error| format!("partition {partition} cannot be loaded, so its ids have no coordinator: {error}"))
    }

    fn read_piece(
        &mut self,
        replicas: &ReplicaManager,
        partition: i32,
        max_bytes: usize,
        each: &mut impl FnMut(i32, i64, &[u8], Option<&[u8]>),
    ) -> Result<(), String> {
        let Some(Held { id, load: Some(load), .. }) = self.partitions.get_mut(&partition) else { return Ok(()) };
        let log = replicas.log(id).ok_or("its log is gone")?;
        load.next_offset = load.next_offset.max(log.log_start_offset());
        if load.next_offset >= load.end_offset {
            return Ok(());
        }
        let read = log.read(load.next_offset, max_bytes, load.end_offset, true).map_err(|error| error.to_string())?;
        if read.records.is_empty() {
            return Err(format!("it ends at {} and not at {}", load.next_offset, load.end_offset));
        }
        for batch in records::batches(&read.records) {
            let (header, batch) = batch.map_err(|error| error.to_string())?;
            load.next_offset = header.next_offset();
            if header.is_control() {
                continue;
            }
            for record in records::records(batch, MAX_BATCH_BYTES).map_err(|error| error.to_string())? {
                let record = record.map_err(|error| error.to_string())?;
                if let Some(key) = record.key {
                    each(partition, record.offset, &key, record.value.as_deref());
                }
            }
        }
        Ok(())
    }

    /// Looks how far a partition is committed.
    fn settle(&mut self, now: Now, replicas: &ReplicaManager, partition: i32) {
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        let Some(replica) = replicas.partition(&held.id) else { return self.give_up(partition) };
        let acknowledged = |end_offset| replica.acknowledged(end_offset, held.leader_epoch);
        let is_read = held.load.as_ref().is_some_and(|load| load.next_offset >= load.end_offset);
        if let Some(load) = held.load.take_if(|_| is_read) {
            match acknowledged(load.end_offset) {
                None => held.load = Some(load),
                // It is committed; that the ISR has shrunk since is the next append's concern.
                Some(Ok(()) | Err(ErrorCode::NotEnoughReplicasAfterAppend)) => {
                    self.times.loaded(now.mono.saturating_sub(load.began));
                    self.changes.push(Change::Loaded(partition));
                }
                Some(Err(_)) => return self.give_up(partition),
            }
        }
        while let Some(&(token, end_offset, at)) = held.written.front() {
            match acknowledged(end_offset) {
                None => return,
                Some(Ok(()) | Err(ErrorCode::NotEnoughReplicasAfterAppend)) => {
                    held.written.pop_front();
                    self.times.committed(now.mono.saturating_sub(at));
                    self.changes.push(Change::Written { token, result: Ok(end_offset) });
                }
                Some(Err(_)) => return self.give_up(partition),
            }
        }
    }

    /// Writes a batch; its fate comes as [`Change::Written`], unless the partition goes first.
    pub(super) fn append(
        &mut self,
        now: Now,
        replicas: &mut ReplicaManager,
        partition: i32,
        token: u64,
        batch: bytes::BytesMut,
        rules: AppendRules,
    ) {
        let Some(held) = self.partitions.get_mut(&partition) else {
            let result = Err(ErrorCode::NotLeaderOrFollower);
            return self.changes.push(Change::Written { token, result });
        };
        let size_bytes = batch.len();
        let since = replicas.log_dirs().stopwatch();
        let result = replicas.append_checked(now, &held.id, batch, -1, rules);
        self.times.flushed(replicas.log_dirs().stopwatch().saturating_sub(since));
        self.appends.tried(size_bytes, result.as_ref().map(|appended| appended.records).map_err(|error| error.code));
        match result {
            Ok(appended) if appended.leader_epoch == held.leader_epoch => {
                held.written.push_back((token, appended.last_offset + 1, now.mono));
                self.settle(now, replicas, partition);
            }
            // Another reign has begun meanwhile: what is known here is to be read anew.
            Ok(_) => {
                let id = held.id;
                self.give_up(partition);
                self.follow(now, replicas, id);
            }
            Err(error) => self.changes.push(Change::Written { token, result: Err(error.code) }),
        }
    }
}
