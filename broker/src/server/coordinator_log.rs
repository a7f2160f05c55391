//! The partitions of a coordinator's topic that this broker leads: read when they come, written to while they stay, and each append followed
//! until it is committed or lost. Knows nothing of what the records mean.
//!
//! Source: `kafka.coordinator.transaction.TransactionStateManager` (loading, appending); `CoordinatorRuntime`, `CoordinatorLoaderImpl`,
//! `CoordinatorPartitionWriter`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::coordinator_lines::LogLines;
use super::coordinator_metrics::CoordinatorTimes;
use super::topic_metrics::OwnAppends;
use crate::log::AppendRules;
use crate::logging::Level;
use crate::protocol::ErrorCode;
use crate::records::{self, BatchHeader};
use crate::replica::{Partition, ReplicaManager};
use crate::types::{Now, TopicIdPartition};

/// Largest batch that is unpacked.
const MAX_BATCH_BYTES: usize = 64 * 1024 * 1024;

/// What became of the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// One is led here from now on, in this leader epoch; its records follow.
    Begun { partition: i32, epoch: i32 },
    /// All of it is read, some of it perhaps not committed.
    Read(i32),
    /// And committed.
    Loaded(i32),
    /// One is led here no more.
    Gone(i32),
    /// An append is committed, with the offset after its last record, or was not written.
    Written { token: u64, result: Result<i64, ErrorCode> },
}

/// A record that is read while its partition is loaded.
pub(super) struct Loading<'a> {
    /// Number of the partition.
    pub partition: i32,
    /// Its batch.
    pub header: &'a BatchHeader,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Below the high watermark when the load began: what lies beyond counts when all of it is committed, and not in part before.
    pub is_committed: bool,
}

#[derive(Debug)]
struct Held {
    id: TopicIdPartition,
    leader_epoch: i32,
    load: Option<Load>,
    /// Written, not known to be committed; in log order.
    written: VecDeque<Written>,
}

impl Held {
    /// One whose log is still to be read, in the present reign.
    fn unread(now: Now, replicas: &ReplicaManager, replica: &Partition) -> Option<Held> {
        let log = replicas.log(&replica.id())?;
        let load = Load {
            next_offset: log.log_start_offset(),
            committed_end: replica.high_watermark(),
            end_offset: log.log_end_offset(),
            began: now.mono,
            is_told: false,
            records: 0,
            bytes: 0,
        };
        let (id, leader_epoch) = (replica.id(), replica.leader_epoch());
        Some(Held { id, leader_epoch, load: Some(load), written: VecDeque::new() })
    }
}

/// What was in the log when this broker began to lead counts only once it is committed: a successor may not have it.
#[derive(Debug)]
struct Load {
    next_offset: i64,
    committed_end: i64,
    end_offset: i64,
    began: Duration,
    /// That all of it is read.
    is_told: bool,
    records: u64,
    bytes: usize,
}

impl Load {
    fn is_read(&self) -> bool {
        self.next_offset >= self.end_offset
    }
}

#[derive(Debug)]
struct Written {
    token: u64,
    end_offset: i64,
    leader_epoch: i32,
    at: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct CoordinatorLog {
    /// A partition that is led on in another epoch stays as it is, and is not read anew.
    stays: bool,
    lines: LogLines,
    partitions: BTreeMap<i32, Held>,
    /// Partitions that could not be read, and in which leader epoch: the next leader may read better.
    failed: BTreeMap<i32, i32>,
    changes: Vec<Change>,
    pub(super) times: CoordinatorTimes,
    appends: OwnAppends,
}

impl CoordinatorLog {
    /// One whose coordinator goes on where its broker goes on leading, if in another epoch; the default begins anew.
    pub(super) fn that_stays() -> CoordinatorLog {
        CoordinatorLog { stays: true, ..CoordinatorLog::default() }
    }

    /// The same, which writes what becomes of its partitions.
    pub(super) fn writing(self, lines: LogLines) -> CoordinatorLog {
        CoordinatorLog { lines, ..self }
    }

    /// What was appended since this was last asked.
    pub(super) fn take_appends(&mut self) -> OwnAppends {
        std::mem::take(&mut self.appends)
    }

    /// Partitions that are being loaded, those that are, and those that could not be.
    pub(super) fn partition_counts(&self) -> (usize, usize, usize) {
        let loading = self.partitions.values().filter(|held| held.load.is_some()).count();
        (loading, self.partitions.len() - loading, self.failed.len())
    }

    /// Takes what has changed, in order.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether something is left to be read now.
    pub(super) fn is_reading(&self) -> bool {
        self.partitions.values().any(|held| held.load.as_ref().is_some_and(|load| !load.is_read()))
    }

    /// The topic is another one, or gone.
    pub(super) fn give_up_all(&mut self) {
        for (partition, held) in std::mem::take(&mut self.partitions) {
            self.tell_gone(partition, &held);
            self.changes.push(Change::Gone(partition));
        }
        self.failed.clear();
    }

    /// A replica of the topic's changed.
    pub(super) fn follow(&mut self, now: Now, replicas: &ReplicaManager, id: TopicIdPartition) {
        let partition = id.partition;
        let leader = replicas.partition(&id).filter(|replica| replica.is_leader() && !replica.is_offline());
        let held = self.partitions.get(&partition);
        let goes_on = |held: &Held, replica: &Partition| {
            held.id == id && (self.stays || held.leader_epoch == replica.leader_epoch())
        };
        match (leader, held) {
            (Some(replica), Some(held)) if goes_on(held, replica) => {}
            (Some(replica), _) if self.failed.get(&partition) == Some(&replica.leader_epoch()) => {
                self.give_up(partition)
            }
            (Some(replica), _) => {
                self.give_up(partition);
                if let Some(held) = Held::unread(now, replicas, replica) {
                    self.lines.tell(Level::Info, partition, || {
                        let (from, to) = held.load.as_ref().map_or((0, 0), |load| (load.next_offset, load.end_offset));
                        format!("loads in epoch {}, from offset {from} to {to}", held.leader_epoch)
                    });
                    self.changes.push(Change::Begun { partition, epoch: held.leader_epoch });
                    self.partitions.insert(partition, held);
                }
            }
            (None, _) => self.give_up(partition),
        }
        self.settle(now, replicas, partition);
    }

    fn give_up(&mut self, partition: i32) {
        if let Some(held) = self.partitions.remove(&partition) {
            self.tell_gone(partition, &held);
            self.changes.push(Change::Gone(partition));
        }
    }

    fn tell_gone(&self, partition: i32, held: &Held) {
        self.lines.tell(Level::Info, partition, || match &held.load {
            Some(_) => format!("the load in epoch {} was given up", held.leader_epoch),
            None => format!("unloaded, after epoch {}", held.leader_epoch),
        });
    }

    /// Reads some more of what is being loaded, at most `budget` bytes or one batch more. Returns what was wrong with logs.
    pub(super) fn read_some(
        &mut self,
        now: Now,
        replicas: &ReplicaManager,
        mut budget: usize,
        mut each: impl FnMut(Loading<'_>),
    ) -> Vec<String> {
        let unread = |held: &Held| held.load.as_ref().is_some_and(|load| !load.is_read());
        let mut errors = Vec::new();
        // What begins anew on the way is told before its records come.
        while budget > 0
            && !self.changes.iter().any(|change| matches!(change, Change::Begun { .. }))
            && let Some(partition) =
                self.partitions.iter().find(|(_, held)| unread(held)).map(|(partition, _)| *partition)
        {
            match self.read_piece(replicas, partition, budget, &mut each) {
                Ok(read_bytes) => budget = budget.saturating_sub(read_bytes),
                // Half of what is in a log would be worse than nothing: some would start anew.
                Err(error) => {
                    self.lines.tell(Level::Error, partition, || format!("cannot be loaded: {error}"));
                    errors.push(format!("partition {partition} cannot be loaded, so it has no coordinator: {error}"));
                    let epoch = self.partitions.get(&partition).and_then(|held| replicas.partition(&held.id));
                    self.failed.extend(epoch.map(|replica| (partition, replica.leader_epoch())));
                    self.give_up(partition);
                }
            }
            self.settle(now, replicas, partition);
        }
        errors
    }

    /// Reads a piece of a partition's log; how long it was.
    fn read_piece(
        &mut self,
        replicas: &ReplicaManager,
        partition: i32,
        max_bytes: usize,
        each: &mut impl FnMut(Loading<'_>),
    ) -> Result<usize, String> {
        let Some(Held { id, load: Some(load), .. }) = self.partitions.get_mut(&partition) else { return Ok(0) };
        let log = replicas.log(id).ok_or("its log is gone")?;
        load.next_offset = load.next_offset.max(log.log_start_offset());
        if load.is_read() {
            return Ok(0);
        }
        let read = log.read(load.next_offset, max_bytes, load.end_offset, true).map_err(|error| error.to_string())?;
        if read.records.is_empty() {
            return Err(format!("it ends at {} and not at {}", load.next_offset, load.end_offset));
        }
        for batch in records::batches(&read.records) {
            let (header, batch) = batch.map_err(|error| error.to_string())?;
            load.next_offset = header.next_offset();
            for record in records::records(batch, MAX_BATCH_BYTES).map_err(|error| error.to_string())? {
                let record = record.map_err(|error| error.to_string())?;
                let Some(key) = record.key else { continue };
                let (offset, is_committed) = (record.offset, record.offset < load.committed_end);
                load.records += 1;
                let (header, key, value) = (&header, &key[..], record.value.as_deref());
                each(Loading { partition, header, offset, key, value, is_committed });
            }
        }
        load.bytes += read.records.len();
        Ok(read.records.len())
    }

    /// Looks how far a partition is committed.
    fn settle(&mut self, now: Now, replicas: &ReplicaManager, partition: i32) {
        let Some(held) = self.partitions.get_mut(&partition) else { return };
        let Some(replica) = replicas.partition(&held.id) else { return self.give_up(partition) };
        if let Some(load) = held.load.take_if(|load| load.is_read()) {
            if !load.is_told {
                self.times.loaded(now.mono.saturating_sub(load.began));
                self.lines.tell(Level::Info, partition, || {
                    let (records, bytes, took) = (load.records, load.bytes, now.mono.saturating_sub(load.began));
                    let epoch = held.leader_epoch;
                    format!("loaded in epoch {epoch} in {} ms: {records} records, {bytes} bytes", took.as_millis())
                });
                self.changes.push(Change::Read(partition));
            }
            match replica.acknowledged(load.end_offset, held.leader_epoch) {
                None => held.load = Some(Load { is_told: true, ..load }),
                // It is committed; that the ISR has shrunk since is the next append's concern.
                Some(Ok(()) | Err(ErrorCode::NotEnoughReplicasAfterAppend)) => {
                    self.changes.push(Change::Loaded(partition));
                }
                Some(Err(_)) => return self.begin_anew(now, replicas, partition),
            }
        }
        while let Some(&Written { token, end_offset, leader_epoch, at }) = held.written.front() {
            match replica.acknowledged(end_offset, leader_epoch) {
                None => return,
                Some(Ok(()) | Err(ErrorCode::NotEnoughReplicasAfterAppend)) => {
                    held.written.pop_front();
                    self.times.committed(now.mono.saturating_sub(at));
                    self.changes.push(Change::Written { token, result: Ok(end_offset) });
                }
                Some(Err(_)) => return self.begin_anew(now, replicas, partition),
            }
        }
    }

    /// Another leader came between: what the log says is to be read anew, if it is this broker's still.
    fn begin_anew(&mut self, now: Now, replicas: &ReplicaManager, partition: i32) {
        let id = self.partitions.get(&partition).map(|held| held.id);
        self.give_up(partition);
        if let Some(id) = id {
            self.follow(now, replicas, id);
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
            Ok(appended) if self.stays || appended.leader_epoch == held.leader_epoch => {
                let (end_offset, leader_epoch) = (appended.last_offset + 1, appended.leader_epoch);
                held.written.push_back(Written { token, end_offset, leader_epoch, at: now.mono });
                self.settle(now, replicas, partition);
            }
            // Another reign has begun meanwhile.
            Ok(_) => self.begin_anew(now, replicas, partition),
            Err(error) => {
                let why = error.code;
                self.lines.tell(Level::Warn, partition, || format!("{size_bytes} bytes could not be written: {why:?}"));
                self.changes.push(Change::Written { token, result: Err(why) });
            }
        }
    }
}
