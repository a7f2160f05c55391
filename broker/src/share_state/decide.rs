//! What is answered to a request about one share partition, and what is to be recorded before.
//!
//! Source: `org.apache.kafka.coordinator.share.ShareCoordinatorShard`, whose errors come in this order.

use super::batch::{StateBatch, combine};
use super::request::{PartRequest, PartResponse, StateKind};
use super::state::{Entry, NO_COUNT, NO_OFFSET, Record, ShareState, StateUpdate};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    delete_share_group_state_response, initialize_share_group_state_request, initialize_share_group_state_response,
    read_share_group_state_request, read_share_group_state_response, read_share_group_state_summary_response,
    write_share_group_state_request, write_share_group_state_response,
};

/// "Not said", of an epoch in a request.
const NO_EPOCH: i32 = -1;

/// What a decision rests on.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    /// What is known of the share partition.
    pub(super) entry: Option<&'a Entry>,
    /// Whether the cluster has the partition.
    pub(super) is_known: bool,
    pub(super) now_ms: i64,
    pub(super) updates_per_snapshot: i32,
}

/// The answer, and the record that it waits for.
pub(super) type Decision = (PartResponse, Option<Record>);

pub(super) fn decide(request: &PartRequest, facts: Facts<'_>) -> Decision {
    let decision = match request {
        PartRequest::Initialize(part) => initialize(part, facts),
        PartRequest::Read(part) => read(part, facts),
        PartRequest::Write(part) => write(part, facts),
        PartRequest::Delete(part) => delete(part.partition, facts),
        PartRequest::Summary(part) => summary(part.partition, facts),
    };
    decision.unwrap_or_else(|refusal| {
        let message = refusal.message.map_or_else(|| refusal.error.to_string(), str::to_owned);
        (PartResponse::refusal(request.kind(), request.partition(), refusal.error, &message), None)
    })
}

struct Refusal {
    error: ErrorCode,
    message: Option<&'static str>,
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal { error, message: None }
    }
}

fn invalid(message: &'static str) -> Refusal {
    Refusal { error: ErrorCode::InvalidRequest, message: Some(message) }
}

fn check_partition(partition: i32) -> Result<(), Refusal> {
    if partition < 0 { Err(invalid("The partition id cannot be a negative number.")) } else { Ok(()) }
}

fn check_known(facts: Facts<'_>) -> Result<(), Refusal> {
    if facts.is_known { Ok(()) } else { Err(ErrorCode::UnknownTopicOrPartition.into()) }
}

fn check_state_epoch(facts: Facts<'_>, state_epoch: i32) -> Result<(), Refusal> {
    let latest = facts.entry.and_then(|entry| entry.state_epoch);
    let is_fenced = state_epoch != NO_EPOCH && latest.is_some_and(|latest| latest > state_epoch);
    if is_fenced { Err(ErrorCode::FencedStateEpoch.into()) } else { Ok(()) }
}

/// Who leads by this epoch has a successor.
fn is_deposed(entry: &Entry, leader_epoch: i32) -> bool {
    entry.leader_epoch > leader_epoch && !Bug::ShareEpochIgnored.is_planted()
}

/// The group begins with the partition, or begins with it anew.
fn initialize(
    part: &initialize_share_group_state_request::PartitionData,
    facts: Facts<'_>,
) -> Result<Decision, Refusal> {
    check_partition(part.partition)?;
    check_state_epoch(facts, part.state_epoch)?;
    check_known(facts)?;
    let state = ShareState {
        snapshot_epoch: facts.entry.map_or(0, |entry| entry.state.snapshot_epoch.wrapping_add(1)),
        state_epoch: part.state_epoch,
        leader_epoch: 0,
        start_offset: part.start_offset,
        // Before the first delivery there is no lag to be told; from an offset on that was set there is.
        delivery_complete_count: if part.start_offset == NO_OFFSET { NO_COUNT } else { 0 },
        create_timestamp_ms: facts.now_ms,
        write_timestamp_ms: facts.now_ms,
        batches: Vec::new(),
    };
    let result = initialize_share_group_state_response::PartitionResult::default().with_partition(part.partition);
    Ok((PartResponse::Initialize(result), Some(Record::Snapshot(state))))
}

/// A share partition's leader begins; that its leader epoch is new is recorded, which fences the leader before it.
fn read(part: &read_share_group_state_request::PartitionData, facts: Facts<'_>) -> Result<Decision, Refusal> {
    check_partition(part.partition)?;
    let uninitialized = "Read operation on uninitialized share partition not allowed.";
    let entry = facts.entry.ok_or(invalid(uninitialized))?;
    if is_deposed(entry, part.leader_epoch) {
        return Err(ErrorCode::FencedLeaderEpoch.into());
    }
    check_known(facts)?;
    let batch = |batch: &StateBatch| {
        read_share_group_state_response::StateBatch::default()
            .with_first_offset(batch.first_offset)
            .with_last_offset(batch.last_offset)
            .with_delivery_state(batch.delivery_state)
            .with_delivery_count(batch.delivery_count)
    };
    let state = &entry.state;
    let result = read_share_group_state_response::PartitionResult::default()
        .with_partition(part.partition)
        .with_state_epoch(state.state_epoch)
        .with_start_offset(state.start_offset)
        .with_state_batches(state.batches.iter().map(batch).collect());
    let is_new = part.leader_epoch != NO_EPOCH && part.leader_epoch != entry.leader_epoch;
    let is_new = is_new && !Bug::ShareReadNotFencing.is_planted();
    let change = Change {
        leader_epoch: part.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
        batches: Vec::new(),
    };
    Ok((PartResponse::Read(result), is_new.then(|| record(entry, change, facts))))
}

/// A share partition's leader tells what was delivered.
fn write(part: &write_share_group_state_request::PartitionData, facts: Facts<'_>) -> Result<Decision, Refusal> {
    check_partition(part.partition)?;
    let uninitialized = "Write operation on uninitialized share partition not allowed.";
    let entry = facts.entry.ok_or(invalid(uninitialized))?;
    if part.leader_epoch != NO_EPOCH && is_deposed(entry, part.leader_epoch) {
        return Err(ErrorCode::FencedLeaderEpoch.into());
    }
    check_state_epoch(facts, part.state_epoch)?;
    check_known(facts)?;
    let batch = |batch: &write_share_group_state_request::StateBatch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_count: batch.delivery_count,
        delivery_state: batch.delivery_state,
    };
    let batches: Vec<StateBatch> = part.state_batches.iter().map(batch).collect();
    if !batches.iter().all(StateBatch::is_sound) {
        return Err(invalid("A state batch ends before it begins."));
    }
    let change = Change {
        // Only a leader that reads has its epoch recorded.
        leader_epoch: entry.state.leader_epoch,
        start_offset: part.start_offset,
        delivery_complete_count: part.delivery_complete_count,
        batches,
    };
    let result = write_share_group_state_response::PartitionResult::default().with_partition(part.partition);
    Ok((PartResponse::Write(result), Some(record(entry, change, facts))))
}

/// What a leader says of its partition.
struct Change {
    leader_epoch: i32,
    start_offset: i64,
    delivery_complete_count: i32,
    batches: Vec<StateBatch>,
}

/// An update, or a snapshot if there were enough of those.
fn record(entry: &Entry, change: Change, facts: Facts<'_>) -> Record {
    let Change { leader_epoch, start_offset, delivery_complete_count, batches } = change;
    let state = &entry.state;
    if entry.updates < facts.updates_per_snapshot {
        return Record::Update(StateUpdate {
            snapshot_epoch: state.snapshot_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count,
            batches: combine(&[], &batches, start_offset),
        });
    }
    let start_offset = if start_offset == NO_OFFSET { state.start_offset } else { start_offset };
    let mut batches = combine(&state.batches, &batches, start_offset);
    if Bug::ShareSnapshotDropsBatch.is_planted() {
        batches.pop();
    }
    let keeps_start = Bug::ShareSnapshotKeepsStart.is_planted();
    let start_offset = if keeps_start { state.start_offset } else { start_offset };
    Record::Snapshot(ShareState {
        snapshot_epoch: state.snapshot_epoch.wrapping_add(1),
        state_epoch: state.state_epoch,
        leader_epoch,
        start_offset,
        delivery_complete_count,
        create_timestamp_ms: facts.now_ms,
        write_timestamp_ms: facts.now_ms,
        batches,
    })
}

/// The group is done with the partition. What is not there needs no tombstone.
fn delete(partition: i32, facts: Facts<'_>) -> Result<Decision, Refusal> {
    check_partition(partition)?;
    check_known(facts)?;
    let result = delete_share_group_state_response::PartitionResult::default().with_partition(partition);
    Ok((PartResponse::Delete(result), facts.entry.map(|_| Record::Tombstone)))
}

/// How far the group is, without its batches.
fn summary(partition: i32, facts: Facts<'_>) -> Result<Decision, Refusal> {
    check_partition(partition)?;
    check_known(facts)?;
    let result = read_share_group_state_summary_response::PartitionResult::default().with_partition(partition);
    let result = match facts.entry.map(|entry| &entry.state) {
        None => result.with_start_offset(NO_OFFSET).with_delivery_complete_count(NO_COUNT),
        Some(state) => result
            .with_state_epoch(state.state_epoch)
            .with_leader_epoch(state.leader_epoch)
            .with_start_offset(state.start_offset)
            .with_delivery_complete_count(state.delivery_complete_count),
    };
    Ok((PartResponse::Summary(result), None))
}

/// What Kafka says before the reason why an append or its shard failed.
pub(super) fn unable_to(kind: StateKind) -> &'static str {
    match kind {
        StateKind::Initialize => "Unable to initialize share group state: ",
        StateKind::Read => "Unable to read share group state: ",
        StateKind::Write => "Unable to write share group state: ",
        StateKind::Delete => "Unable to delete share group state: ",
        StateKind::Summary => "Unable to read share group state summary: ",
    }
}
