//! The coordinator as a whole: its shards, the share partitions in them, and the appends on their way.
//!
//! A share partition's requests are worked on one after another: what is decided rests on what is committed, and the next waits until that is
//! known. What different share partitions of a shard have to record goes into one batch.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::api::{AppendToken, Output, ReplyTo, ShareCoordinatorConfig};
use super::decide::{self, Facts};
use super::record::{self, RecordError, SharePartitionKey};
use super::request::{PartRequest, PartResponse, StateKind};
use super::state::{Entry, Record};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::types::{Id, Now, TopicIdPartition, coordinator_partition};

/// A batch with so many bytes in it is closed; Kafka closes one at the topic's `max.message.bytes`, which is larger.
const BATCH_BYTES: usize = 256 * 1024;

/// One partition of `__share_group_state` that this broker leads.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) is_loading: bool,
    pub(super) slots: BTreeMap<SharePartitionKey, Slot>,
    /// Offset of the latest snapshot or tombstone.
    pub(super) last_offset: i64,
    pub(super) pruned_to: i64,
}

/// A share partition, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) entry: Option<Entry>,
    /// A record of it is on its way.
    pub(super) is_writing: bool,
    pub(super) queue: VecDeque<Asked>,
}

/// A request that waits for the one before.
#[derive(Debug)]
pub(super) struct Asked {
    to: ReplyTo,
    request: PartRequest,
    is_known: bool,
}

/// Until when somebody waits, and for an answer of which kind.
#[derive(Debug)]
struct Waiting {
    deadline: Duration,
    kind: StateKind,
    partition: i32,
}

/// A record on its way, and who is answered when it is committed.
#[derive(Debug)]
struct Step {
    key: SharePartitionKey,
    record: Record,
    reply: Option<(ReplyTo, PartResponse)>,
}

#[derive(Debug)]
struct Append {
    shard: i32,
    steps: Vec<Step>,
}

/// A batch that takes in more.
#[derive(Debug)]
struct OpenBatch {
    token: AppendToken,
    timestamp_ms: i64,
    records: Vec<(Bytes, Option<Bytes>)>,
    size_bytes: usize,
}

/// The share partitions of the shards that this broker leads. See the room's head.
#[derive(Debug)]
pub struct ShareCoordinator {
    pub(super) config: ShareCoordinatorConfig,
    pub(super) shards: BTreeMap<i32, Shard>,
    partitions: i32,
    outputs: Vec<Output>,
    open: BTreeMap<i32, OpenBatch>,
    appends: BTreeMap<AppendToken, Append>,
    last_token: u64,
    writes: u64,
    /// Counts what changed states or shards.
    pub(super) changes: u64,
    /// As it was when states were last told.
    pub(super) told_changes: u64,
    waiting: BTreeMap<ReplyTo, Waiting>,
    pub(super) next_cold_at: Option<Duration>,
    pub(super) next_prune_at: Option<Duration>,
}

impl ShareCoordinator {
    /// A coordinator of no shard yet.
    pub fn new(config: ShareCoordinatorConfig) -> ShareCoordinator {
        ShareCoordinator {
            partitions: config.partitions.max(1),
            config,
            shards: BTreeMap::new(),
            outputs: Vec::new(),
            open: BTreeMap::new(),
            appends: BTreeMap::new(),
            last_token: 0,
            writes: 0,
            changes: 0,
            told_changes: 0,
            waiting: BTreeMap::new(),
            next_cold_at: None,
            next_prune_at: None,
        }
    }

    /// How many partitions `__share_group_state` really has; until told, what the settings say.
    pub fn set_partition_count(&mut self, partitions: i32) {
        self.partitions = partitions.max(1);
    }

    /// Partition of `__share_group_state` that holds a share partition.
    pub fn partition_for(&self, group_id: &str, id: TopicIdPartition) -> i32 {
        partition_for(group_id, id, self.partitions)
    }

    /// Takes what is to be done, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        while let Some((shard, _)) = self.open.first_key_value() {
            self.close(*shard);
        }
        std::mem::take(&mut self.outputs)
    }

    /// When [`ShareCoordinator::on_tick`] next has something to do; `None` while it coordinates nothing.
    pub fn next_deadline(&self) -> Option<Duration> {
        // Whoever came first waits until the earliest time.
        let waiting = self.waiting.first_key_value().map(|(_, waiting)| waiting.deadline);
        [waiting, self.next_cold_at, self.next_prune_at].into_iter().flatten().min()
    }

    /// Sends away those who have waited for too long. A record that is on its way may yet be committed, and then counts.
    pub(super) fn expire(&mut self, now: Now) {
        let before = self.waiting.len();
        while let Some((to, waiting)) = self.waiting.first_key_value().filter(|(_, it)| it.deadline <= now.mono) {
            let (to, kind, partition) = (*to, waiting.kind, waiting.partition);
            self.refuse(to, kind, partition, ErrorCode::RequestTimedOut);
        }
        if self.waiting.len() < before {
            // Where a record does not get committed for long, what waits behind it must not pile up.
            let queues =
                self.shards.values_mut().flat_map(|shard| shard.slots.values_mut()).map(|slot| &mut slot.queue);
            queues.for_each(|queue| queue.retain(|asked| self.waiting.contains_key(&asked.to)));
        }
    }

    /// A request about one share partition. `is_known`: the cluster has the partition.
    pub fn ask(
        &mut self,
        now: Now,
        to: ReplyTo,
        group_id: &str,
        id: TopicIdPartition,
        request: PartRequest,
        is_known: bool,
    ) {
        let (kind, partition) = (request.kind(), id.partition);
        self.waiting.insert(to, Waiting { deadline: now.mono + self.config.write_timeout, kind, partition });
        let shard = self.partition_for(group_id, id);
        match self.shards.get(&shard).map(|shard| shard.is_loading) {
            None => return self.refuse(to, kind, partition, ErrorCode::NotCoordinator),
            Some(true) => return self.refuse(to, kind, partition, ErrorCode::CoordinatorLoadInProgress),
            Some(false) => {}
        }
        let is_full = kind == StateKind::Initialize && self.share_partitions() >= self.config.max_share_partitions;
        let key = SharePartitionKey { group_id: group_id.into(), id };
        let Some(slots) = self.shards.get_mut(&shard).map(|shard| &mut shard.slots) else { return };
        if is_full && !slots.contains_key(&key) {
            return self.refuse(to, kind, partition, ErrorCode::CoordinatorNotAvailable);
        }
        slots.entry(key.clone()).or_default().queue.push_back(Asked { to, request, is_known });
        self.go_on(now, shard, &key);
    }

    fn share_partitions(&self) -> usize {
        self.shards.values().map(|shard| shard.slots.len()).sum()
    }

    /// How many writes it was asked for, or had to make for a read, since the last call.
    pub fn take_writes(&mut self) -> u64 {
        std::mem::take(&mut self.writes)
    }

    /// Works on what waits for a share partition until something has to be recorded.
    fn go_on(&mut self, now: Now, shard: i32, key: &SharePartitionKey) {
        loop {
            let Some(slots) = self.shards.get_mut(&shard).map(|shard| &mut shard.slots) else { return };
            let Some(slot) = slots.get_mut(key).filter(|slot| !slot.is_writing) else { return };
            let Some(asked) = slot.queue.pop_front() else {
                if slot.entry.is_none() {
                    slots.remove(key);
                }
                return;
            };
            let facts = Facts {
                entry: slot.entry.as_ref(),
                is_known: asked.is_known,
                now_ms: now.wall_ms,
                updates_per_snapshot: self.config.updates_per_snapshot,
            };
            let is_write = matches!(asked.request, PartRequest::Write(_));
            let is_read = matches!(asked.request, PartRequest::Read(_));
            let (response, record) = decide::decide(&asked.request, facts);
            // As in Kafka: what is refused counts too, and a read that has to note a new leader.
            self.writes += u64::from(is_write || (is_read && record.is_some()));
            match (response, record) {
                (response, None) => self.reply(asked.to, response),
                (response, Some(record)) => self.write(now, shard, key, record, Some((asked.to, response))),
            }
        }
    }

    /// Has a record written; the share partition's next request waits for it.
    pub(super) fn write(
        &mut self,
        now: Now,
        shard: i32,
        key: &SharePartitionKey,
        record: Record,
        reply: Option<(ReplyTo, PartResponse)>,
    ) {
        let (encoded_key, value) = match record::encode(key, &record) {
            Ok(encoded) => encoded,
            Err(_) => return self.fail(reply, ErrorCode::UnknownServerError),
        };
        let Some(slot) = self.shards.get_mut(&shard).and_then(|shard| shard.slots.get_mut(key)) else { return };
        slot.is_writing = true;
        let size_bytes = encoded_key.len() + value.as_ref().map_or(0, Bytes::len);
        if self.open.get(&shard).is_some_and(|open| open.size_bytes + size_bytes > BATCH_BYTES) {
            self.close(shard);
        }
        let (last_token, appends) = (&mut self.last_token, &mut self.appends);
        let open = self.open.entry(shard).or_insert_with(|| {
            *last_token += 1;
            let token = AppendToken(*last_token);
            appends.insert(token, Append { shard, steps: Vec::new() });
            OpenBatch { token, timestamp_ms: now.wall_ms, records: Vec::new(), size_bytes: 0 }
        });
        open.size_bytes += size_bytes;
        open.records.push((encoded_key, value));
        if let Some(append) = appends.get_mut(&open.token) {
            append.steps.push(Step { key: key.clone(), record, reply });
        }
    }

    fn close(&mut self, shard: i32) {
        if let Some(OpenBatch { token, timestamp_ms, records, .. }) = self.open.remove(&shard) {
            self.outputs.push(Output::Append { shard, token, timestamp_ms, records });
        }
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    /// Answers whoever still waits.
    fn reply(&mut self, to: ReplyTo, response: PartResponse) {
        if self.waiting.remove(&to).is_some() {
            self.outputs.push(Output::Reply { to, response });
        }
    }

    /// Sends somebody away for a reason that is the coordinator's or its log's.
    fn refuse(&mut self, to: ReplyTo, kind: StateKind, partition: i32, error: ErrorCode) {
        let message = format!("{}{error}", decide::unable_to(kind));
        self.reply(to, PartResponse::refusal(kind, partition, operation_error(error), &message));
    }

    fn fail(&mut self, reply: Option<(ReplyTo, PartResponse)>, error: ErrorCode) {
        if let Some((to, _)) = reply
            && let Some(Waiting { kind, partition, .. }) = self.waiting.get(&to)
        {
            let (kind, partition) = (*kind, *partition);
            self.refuse(to, kind, partition, error);
        }
    }

    /// The fate of an append: committed, with the offset after its last record, or why not.
    pub fn on_append_result(&mut self, now: Now, token: AppendToken, result: Result<i64, ErrorCode>) {
        let Some(Append { shard, steps }) = self.appends.remove(&token) else { return };
        let first_offset = result.map(|end| end.saturating_sub(i64::try_from(steps.len()).unwrap_or(i64::MAX)));
        for (index, Step { key, record, reply }) in steps.into_iter().enumerate() {
            let Some(held) = self.shards.get_mut(&shard) else { return };
            if let Some(slot) = held.slots.get_mut(&key) {
                slot.is_writing = false;
            }
            match first_offset {
                Ok(first) => {
                    let offset = first.saturating_add(i64::try_from(index).unwrap_or(i64::MAX));
                    held.replay(key.clone(), &record, offset, self.config.updates_per_snapshot);
                    self.changes += 1;
                    if let Some((to, response)) = reply {
                        self.reply(to, response);
                    }
                }
                Err(error) => self.fail(reply, error),
            }
            self.go_on(now, shard, &key);
        }
    }

    /// This broker leads a shard from now on: who asks for it is told COORDINATOR_LOAD_IN_PROGRESS.
    pub fn begin_load(&mut self, partition: i32) {
        self.unload(partition);
        self.shards.insert(partition, Shard { is_loading: true, ..Shard::default() });
    }

    /// One record of the log, at its offset, oldest first.
    ///
    /// # Errors
    /// It cannot be read; it is as if it were not there.
    pub fn load_record(
        &mut self,
        partition: i32,
        offset: i64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), RecordError> {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.is_loading) else { return Ok(()) };
        let (key, record) = record::decode(key, value)?;
        if Bug::ShareStateNotLoaded.is_planted() {
            return Ok(());
        }
        shard.replay(key, &record, offset, self.config.updates_per_snapshot);
        Ok(())
    }

    /// All is loaded and committed.
    pub fn finish_load(&mut self, now: Now, partition: i32) {
        let Some(shard) = self.shards.get_mut(&partition).filter(|shard| shard.is_loading) else { return };
        shard.is_loading = false;
        self.changes += 1;
        self.next_cold_at.get_or_insert(now.mono + self.config.cold_interval);
        self.next_prune_at.get_or_insert(now.mono + self.config.prune_interval);
    }

    /// This broker no longer leads a shard: all who wait are sent away with NOT_COORDINATOR.
    pub fn unload(&mut self, partition: i32) {
        self.open.remove(&partition);
        let of_shard = |_: &AppendToken, append: &mut Append| append.shard == partition;
        let steps: Vec<Step> = self.appends.extract_if(.., of_shard).flat_map(|(_, append)| append.steps).collect();
        for step in steps {
            self.fail(step.reply, ErrorCode::NotCoordinator);
        }
        self.changes += 1;
        for (key, slot) in self.shards.remove(&partition).unwrap_or_default().slots {
            for asked in slot.queue {
                self.refuse(asked.to, asked.request.kind(), key.id.partition, ErrorCode::NotCoordinator);
            }
        }
        if self.shards.is_empty() {
            (self.next_cold_at, self.next_prune_at) = (None, None);
        }
    }

    /// Topics that share partitions here are of.
    pub(super) fn keys_of_topics(&self, is_gone: &dyn Fn(Id) -> bool) -> Vec<(i32, SharePartitionKey)> {
        let loaded = self.shards.iter().filter(|(_, shard)| !shard.is_loading);
        let free = loaded.flat_map(|(number, shard)| {
            let slots = shard
                .slots
                .iter()
                .filter(|(key, slot)| slot.entry.is_some() && !slot.is_writing && is_gone(key.id.topic_id));
            slots.map(|(key, _)| (*number, key.clone()))
        });
        free.collect()
    }
}

impl Shard {
    fn replay(&mut self, key: SharePartitionKey, record: &Record, offset: i64, updates_per_snapshot: i32) {
        if !matches!(record, Record::Update(_)) {
            self.last_offset = offset;
        }
        let slot = self.slots.entry(key.clone()).or_default();
        Entry::replay(&mut slot.entry, record, offset, updates_per_snapshot);
        if slot.entry.is_none() && slot.queue.is_empty() && !slot.is_writing {
            self.slots.remove(&key);
        }
    }
}

/// Partition of `__share_group_state`, of so many, that holds a share partition.
///
/// Source: `ShareCoordinatorService.partitionFor`, `SharePartitionKey.asCoordinatorKey`.
pub fn partition_for(group_id: &str, id: TopicIdPartition, partitions: i32) -> i32 {
    coordinator_partition(&format!("{group_id}:{}:{}", id.topic_id, id.partition), partitions)
}

/// As Kafka's `CoordinatorOperationExceptionHelper` translates what the runtime and the log say.
fn operation_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
