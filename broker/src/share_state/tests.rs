use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::record;
use super::state::{Entry, Record};
use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    delete_share_group_state_request, initialize_share_group_state_request, read_share_group_state_request,
    read_share_group_state_response, read_share_group_state_summary_request, write_share_group_state_request,
};
use crate::types::{Id, Now, TopicIdPartition};

pub(super) const SHARD: i32 = 0;
const TOPIC: Id = Id([7; 16]);

fn at(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall_ms: 1_000_000 + ms as i64 }
}

fn id(partition: i32) -> TopicIdPartition {
    TopicIdPartition { topic_id: TOPIC, partition }
}

pub(super) fn initialize(partition: i32, state_epoch: i32, start_offset: i64) -> PartRequest {
    let part = initialize_share_group_state_request::PartitionData::default().with_partition(partition);
    PartRequest::Initialize(part.with_state_epoch(state_epoch).with_start_offset(start_offset))
}

pub(super) fn read(partition: i32, leader_epoch: i32) -> PartRequest {
    let part = read_share_group_state_request::PartitionData::default().with_partition(partition);
    PartRequest::Read(part.with_leader_epoch(leader_epoch))
}

/// First and last offset, state, count.
pub(super) type Batch = (i64, i64, i8, i16);

/// State epoch, leader epoch.
pub(super) type Epochs = (i32, i32);

pub(super) fn write(
    partition: i32,
    (state_epoch, leader_epoch): Epochs,
    start: i64,
    count: i32,
    batches: &[Batch],
) -> PartRequest {
    let batch = |&(first, last, state, count): &Batch| {
        write_share_group_state_request::StateBatch::default()
            .with_first_offset(first)
            .with_last_offset(last)
            .with_delivery_state(state)
            .with_delivery_count(count)
    };
    let part = write_share_group_state_request::PartitionData::default()
        .with_partition(partition)
        .with_state_epoch(state_epoch)
        .with_leader_epoch(leader_epoch)
        .with_start_offset(start)
        .with_delivery_complete_count(count)
        .with_state_batches(batches.iter().map(batch).collect());
    PartRequest::Write(part)
}

pub(super) fn delete(partition: i32) -> PartRequest {
    PartRequest::Delete(delete_share_group_state_request::PartitionData::default().with_partition(partition))
}

pub(super) fn summary(partition: i32) -> PartRequest {
    let part = read_share_group_state_summary_request::PartitionData::default().with_partition(partition);
    PartRequest::Summary(part.with_leader_epoch(0))
}

/// Keys and values of a batch.
pub(super) type Records = Vec<(Bytes, Option<Bytes>)>;

/// A coordinator with one shard, whose outputs are carried out by hand.
pub(super) struct Bench {
    pub(super) coordinator: ShareCoordinator,
    pub(super) now: Now,
    pub(super) asked: u64,
    pub(super) answers: BTreeMap<u64, PartResponse>,
    pub(super) appends: Vec<(AppendToken, Records)>,
    pub(super) log: Records,
    pub(super) pruned_to: usize,
}

fn config(updates_per_snapshot: i32) -> ShareCoordinatorConfig {
    ShareCoordinatorConfig { partitions: 1, updates_per_snapshot, ..ShareCoordinatorConfig::default() }
}

impl Bench {
    pub(super) fn new(updates_per_snapshot: i32) -> Bench {
        let mut coordinator = ShareCoordinator::new(config(updates_per_snapshot));
        coordinator.begin_load(SHARD);
        coordinator.finish_load(at(0), SHARD);
        let (answers, appends, log) = Default::default();
        Bench { coordinator, now: at(0), asked: 0, answers, appends, log, pruned_to: 0 }
    }

    pub(super) fn collect(&mut self) {
        for output in self.coordinator.take_outputs() {
            match output {
                Output::Reply { to, response } => {
                    assert_eq!(self.answers.insert(to.0, response), None, "answered twice");
                }
                Output::Append { token, records, .. } => self.appends.push((token, records)),
                Output::Prune { shard, offset } => {
                    self.pruned_to = offset as usize;
                    self.coordinator.on_pruned(shard, offset);
                }
            }
        }
    }

    /// Commits all appends on their way, and those that follow.
    pub(super) fn commit(&mut self) {
        self.collect();
        while !self.appends.is_empty() {
            for (token, records) in std::mem::take(&mut self.appends) {
                self.log.extend(records);
                self.coordinator.on_append_result(self.now, token, Ok(self.log.len() as i64));
            }
            self.collect();
        }
    }

    pub(super) fn refuse(&mut self, error: ErrorCode) {
        self.collect();
        for (token, _) in std::mem::take(&mut self.appends) {
            self.coordinator.on_append_result(self.now, token, Err(error));
        }
        self.collect();
    }

    fn ask_of(&mut self, group: &str, request: PartRequest, is_known: bool) -> u64 {
        self.asked += 1;
        let id = id(request.partition());
        self.coordinator.ask(self.now, ReplyTo(self.asked), group, id, request, is_known);
        self.collect();
        self.asked
    }

    pub(super) fn ask(&mut self, request: PartRequest) -> u64 {
        self.ask_of("g", request, true)
    }

    /// Asks, and commits what has to be.
    fn answer(&mut self, request: PartRequest) -> PartResponse {
        let asked = self.ask(request);
        self.commit();
        self.answers[&asked].clone()
    }

    fn error(&mut self, request: PartRequest) -> ErrorCode {
        self.answer(request).error()
    }

    /// What a leader of this epoch reads: state epoch, start offset, batches.
    pub(super) fn read(&mut self, partition: i32, leader_epoch: i32) -> (i32, i64, Vec<Batch>) {
        let PartResponse::Read(part) = self.answer(read(partition, leader_epoch)) else { panic!() };
        assert_eq!(part.error_code, 0, "{part:?}");
        let batch = |it: &read_share_group_state_response::StateBatch| {
            (it.first_offset, it.last_offset, it.delivery_state, it.delivery_count)
        };
        (part.state_epoch, part.start_offset, part.state_batches.iter().map(batch).collect())
    }

    /// State epoch, leader epoch, start offset, delivery-complete count.
    pub(super) fn summary(&mut self, partition: i32) -> (i32, i32, i64, i32) {
        let PartResponse::Summary(part) = self.answer(summary(partition)) else { panic!() };
        assert_eq!(part.error_code, 0);
        (part.state_epoch, part.leader_epoch, part.start_offset, part.delivery_complete_count)
    }

    pub(super) fn tick(&mut self, ms: u64) {
        self.tick_without(ms, &[]);
    }

    /// The same, where these topics are gone.
    fn tick_without(&mut self, ms: u64, gone: &[Id]) {
        self.now = at(ms);
        self.coordinator.on_tick(self.now, &|topic| gone.contains(&topic));
        self.collect();
    }

    /// 's': a snapshot, 'u': an update, 't': a tombstone.
    fn kinds(&self) -> String {
        let kind = |(key, value): &(Bytes, Option<Bytes>)| match record::decode(key, value.as_deref()).unwrap().1 {
            Record::Snapshot(_) => 's',
            Record::Update(_) => 'u',
            Record::Tombstone => 't',
        };
        self.log.iter().map(kind).collect()
    }

    pub(super) fn entries(&self) -> BTreeMap<SharePartitionKey, Entry> {
        let slots = &self.coordinator.shards[&SHARD].slots;
        slots.iter().filter_map(|(key, slot)| Some((key.clone(), slot.entry.clone()?))).collect()
    }

    /// What another broker makes of the log that is left.
    pub(super) fn successor(&self) -> Bench {
        let mut next = Bench::new(self.coordinator.config.updates_per_snapshot);
        next.coordinator.begin_load(SHARD);
        for (offset, (key, value)) in self.log.iter().enumerate().skip(self.pruned_to) {
            next.coordinator.load_record(SHARD, offset as i64, key, value.as_deref()).unwrap();
        }
        next.coordinator.finish_load(self.now, SHARD);
        (next.log, next.now) = (self.log.clone(), self.now);
        next
    }
}

#[test]
fn a_group_begins_is_served_and_ends() {
    let mut bench = Bench::new(500);
    assert_eq!(bench.summary(0), (0, 0, -1, -1), "never consumed from");
    assert_eq!(bench.error(initialize(0, 1, -1)), ErrorCode::None);
    assert_eq!(bench.summary(0), (1, 0, -1, -1));
    assert_eq!(bench.read(0, 3), (1, -1, vec![]));
    assert_eq!(bench.summary(0), (1, 3, -1, -1));
    assert_eq!(bench.error(write(0, (1, 3), 10, 2, &[(10, 19, 0, 1)])), ErrorCode::None);
    assert_eq!(bench.error(write(0, (1, 3), -1, 5, &[(12, 14, 2, 1)])), ErrorCode::None);
    let batches = vec![(10, 11, 0, 1), (12, 14, 2, 1), (15, 19, 0, 1)];
    assert_eq!(bench.read(0, 3), (1, 10, batches));
    assert_eq!(bench.summary(0), (1, 3, 10, 5));
    assert_eq!(bench.error(write(0, (1, 3), 15, 0, &[])), ErrorCode::None);
    assert_eq!(bench.read(0, 3), (1, 15, vec![(15, 19, 0, 1)]), "what is done with is dropped");
    // Its offset is set anew: what was delivered is forgotten, and the leader has to read again.
    assert_eq!(bench.error(initialize(0, 2, 7)), ErrorCode::None);
    assert_eq!(bench.summary(0), (2, 0, 7, 0));
    assert_eq!(bench.error(delete(0)), ErrorCode::None);
    assert_eq!(bench.summary(0), (0, 0, -1, -1));
    assert_eq!(bench.kinds(), "suuuust", "and nothing where nothing changed");
    assert_eq!(bench.error(delete(0)), ErrorCode::None, "what is not there");
    assert_eq!(bench.log.len(), 7);
    assert!(bench.coordinator.shards[&SHARD].slots.is_empty(), "nothing is left of it");
}

#[test]
fn how_far_groups_have_come_is_told_when_it_changed() {
    let mut bench = Bench::new(500);
    let told = |bench: &mut Bench| {
        let told = bench.coordinator.changed_progress()?;
        assert!(told.iter().all(|one| &*one.group_id == "g" && one.id.topic_id == TOPIC));
        Some(
            told.iter()
                .map(|one| (one.id.partition, one.start_offset, one.delivery_complete_count))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(told(&mut bench), Some(vec![]));
    assert_eq!(told(&mut bench), None);
    bench.answer(initialize(0, 1, -1));
    assert_eq!(told(&mut bench), Some(vec![]), "where it begins is not known yet");
    bench.answer(write(0, (1, 0), 10, 2, &[(10, 19, 0, 1)]));
    bench.answer(initialize(1, 1, 3));
    assert_eq!(told(&mut bench), Some(vec![(0, 10, 2), (1, 3, 0)]));
    bench.summary(0);
    assert_eq!(told(&mut bench), None, "nothing changed");
    bench.answer(delete(1));
    assert_eq!(told(&mut bench), Some(vec![(0, 10, 2)]));
    let mut successor = bench.successor();
    assert_eq!(told(&mut successor), Some(vec![(0, 10, 2)]));
    successor.coordinator.unload(SHARD);
    assert_eq!(told(&mut successor), Some(vec![]));
}

#[test]
fn what_is_refused_and_how() {
    let mut bench = Bench::new(500);
    let nobody = "on uninitialized share partition not allowed.";
    for (request, wanted) in [
        (initialize(-1, 0, 0), (ErrorCode::InvalidRequest, "The partition id cannot be a negative number.")),
        (read(-1, 0), (ErrorCode::InvalidRequest, "The partition id cannot be a negative number.")),
        (write(-1, (0, 0), 0, 0, &[]), (ErrorCode::InvalidRequest, "The partition id cannot be a negative number.")),
        (delete(-1), (ErrorCode::InvalidRequest, "The partition id cannot be a negative number.")),
        (summary(-1), (ErrorCode::InvalidRequest, "The partition id cannot be a negative number.")),
        (read(0, 0), (ErrorCode::InvalidRequest, &*format!("Read operation {nobody}"))),
        (write(0, (0, 0), 0, 0, &[]), (ErrorCode::InvalidRequest, &*format!("Write operation {nobody}"))),
    ] {
        let found = bench.answer(request.clone());
        assert_eq!((found.error(), message(&found).as_str()), wanted, "{request:?}");
    }
    assert_eq!(bench.error(initialize(0, 5, 0)), ErrorCode::None);
    bench.read(0, 3);
    let table = [
        (initialize(0, 4, 0), ErrorCode::FencedStateEpoch),
        (read(0, 2), ErrorCode::FencedLeaderEpoch),
        (read(0, -1), ErrorCode::FencedLeaderEpoch),
        (write(0, (5, 2), 0, 0, &[]), ErrorCode::FencedLeaderEpoch),
        (write(0, (4, 3), 0, 0, &[]), ErrorCode::FencedStateEpoch),
        (write(0, (4, 2), 0, 0, &[]), ErrorCode::FencedLeaderEpoch),
        (write(0, (5, 3), 0, 0, &[(5, 4, 0, 1)]), ErrorCode::InvalidRequest),
        (write(0, (5, 3), 0, 0, &[(-5, 4, 0, 1)]), ErrorCode::InvalidRequest),
        // Not said, or from the future.
        (write(0, (-1, -1), 0, 0, &[]), ErrorCode::None),
        (write(0, (6, 4), 0, 0, &[]), ErrorCode::None),
        (initialize(0, -1, 0), ErrorCode::None),
    ];
    for (request, wanted) in table {
        assert_eq!(bench.error(request.clone()), wanted, "{request:?}");
    }
    // The highest epochs ever seen fence, though the last snapshot has lower ones.
    assert_eq!(bench.error(write(0, (4, 3), 0, 0, &[])), ErrorCode::FencedStateEpoch);
    assert_eq!(bench.error(write(0, (5, 2), 0, 0, &[])), ErrorCode::FencedLeaderEpoch);
    for request in [initialize(0, 9, 0), read(0, 9), write(0, (9, 9), 0, 0, &[]), delete(0), summary(0)] {
        let asked = bench.ask_of("g", request, false);
        assert_eq!(bench.answers[&asked].error(), ErrorCode::UnknownTopicOrPartition);
    }
    assert!(bench.appends.is_empty(), "nothing is written of what is refused");
}

fn message(response: &PartResponse) -> String {
    let message = match response {
        PartResponse::Initialize(part) => &part.error_message,
        PartResponse::Read(part) => &part.error_message,
        PartResponse::Write(part) => &part.error_message,
        PartResponse::Delete(part) => &part.error_message,
        PartResponse::Summary(part) => &part.error_message,
    };
    message.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default()
}

#[test]
fn after_so_many_updates_comes_a_snapshot() {
    for (updates, wanted) in [(0, "sssssss"), (2, "suusuus"), (500, "suuuuuu")] {
        let mut bench = Bench::new(updates);
        bench.ask(initialize(0, 1, 0));
        for first in 0..6 {
            assert_eq!(bench.error(write(0, (1, 0), -1, 1, &[(first * 10, first * 10 + 4, 2, 1)])), ErrorCode::None);
        }
        assert_eq!(bench.kinds(), wanted, "{updates}");
        let batches = (0..6).map(|first| (first * 10, first * 10 + 4, 2, 1)).collect();
        assert_eq!(bench.read(0, 0), (1, 0, batches), "however it is recorded");
        // The counting goes on at a successor's.
        let mut next = bench.successor();
        next.ask(write(0, (1, 0), -1, 1, &[]));
        bench.ask(write(0, (1, 0), -1, 1, &[]));
        next.commit();
        bench.commit();
        assert_eq!(next.kinds(), bench.kinds());
    }
}

#[test]
fn nothing_is_answered_before_it_is_committed() {
    let mut bench = Bench::new(500);
    let first = bench.ask(initialize(0, 1, 0));
    let other = bench.ask(initialize(1, 1, 0));
    let second = bench.ask(write(0, (1, 0), 5, 0, &[]));
    let third = bench.ask(summary(0));
    assert!(bench.answers.is_empty());
    // Two share partitions, two batches, since each was asked for by itself; what waits for the first is not written yet.
    assert_eq!(bench.appends.iter().map(|(_, records)| records.len()).collect::<Vec<_>>(), [1, 1]);
    let (token, records) = bench.appends.remove(0);
    bench.log.extend(records);
    bench.coordinator.on_append_result(bench.now, token, Ok(1));
    bench.collect();
    assert_eq!(bench.answers.keys().copied().collect::<Vec<_>>(), [first]);
    bench.commit();
    assert_eq!(bench.answers.keys().copied().collect::<Vec<_>>(), [first, other, second, third]);
    let PartResponse::Summary(part) = &bench.answers[&third] else { panic!() };
    assert_eq!(part.start_offset, 5, "in the order in which it was asked");
}

#[test]
fn what_comes_together_is_written_together() {
    let mut bench = Bench::new(500);
    for partition in 0..20 {
        let to = ReplyTo(u64::try_from(partition + 1).unwrap());
        bench.coordinator.ask(at(0), to, "g", id(partition), initialize(partition, 1, 0), true);
    }
    bench.collect();
    assert_eq!((bench.appends.len(), bench.appends[0].1.len()), (1, 20));
    bench.commit();
    assert_eq!(bench.answers.len(), 20);
    let offsets: Vec<i64> = bench.entries().values().map(|entry| entry.needed_offset).collect();
    assert_eq!(offsets, (0..20).collect::<Vec<_>>(), "each knows its own offset");
    // But no batch grows without a bound.
    let batches: Vec<Batch> = (0..5_000).map(|first| (first * 2, first * 2, 2, 1)).collect();
    for partition in 0..20 {
        let to = ReplyTo(u64::try_from(partition + 100).unwrap());
        let request = write(partition, (1, 0), 0, 0, &batches);
        bench.coordinator.ask(at(0), to, "g", id(partition), request, true);
    }
    bench.collect();
    assert_eq!(bench.appends.len(), 10, "100 kB each, at most 256 kB in one");
    bench.commit();
    assert_eq!(bench.answers.len(), 40);
}

#[test]
fn what_could_not_be_written_did_not_happen() {
    let table = [
        (ErrorCode::NotEnoughReplicas, ErrorCode::CoordinatorNotAvailable),
        (ErrorCode::UnknownTopicOrPartition, ErrorCode::CoordinatorNotAvailable),
        (ErrorCode::NotLeaderOrFollower, ErrorCode::NotCoordinator),
        (ErrorCode::KafkaStorageError, ErrorCode::NotCoordinator),
        (ErrorCode::MessageTooLarge, ErrorCode::UnknownServerError),
    ];
    for (error, wanted) in table {
        let mut bench = Bench::new(500);
        bench.error(initialize(0, 1, 3));
        let refused = bench.ask(write(0, (1, 0), 9, 0, &[]));
        let next = bench.ask(summary(0));
        bench.refuse(error);
        assert_eq!(bench.answers[&refused].error(), wanted);
        assert!(message(&bench.answers[&refused]).starts_with("Unable to write share group state: "));
        let PartResponse::Summary(part) = &bench.answers[&next] else { panic!() };
        assert_eq!(part.start_offset, 3, "and the next goes by what is");
        let begun = bench.ask(initialize(1, 1, 3));
        bench.refuse(error);
        assert_eq!(bench.answers[&begun].error(), wanted);
        assert_eq!(bench.coordinator.shards[&SHARD].slots.len(), 1, "what was not begun is not remembered");
    }
}

#[test]
fn nobody_waits_for_ever_and_the_record_counts_all_the_same() {
    let mut bench = Bench::new(500);
    let first = bench.ask(initialize(0, 1, 0));
    bench.now = at(1_000);
    let second = bench.ask(write(0, (1, 0), 4, 0, &[]));
    assert_eq!(bench.coordinator.next_deadline(), Some(Duration::from_secs(5)));
    bench.tick(5_000);
    assert_eq!(bench.answers[&first].error(), ErrorCode::CoordinatorNotAvailable);
    assert!(!bench.answers.contains_key(&second));
    bench.tick(6_000);
    assert_eq!(bench.answers[&second].error(), ErrorCode::CoordinatorNotAvailable);
    let slots = &bench.coordinator.shards[&SHARD].slots;
    assert!(slots.values().all(|slot| slot.queue.is_empty()), "nor is anything kept for those who are gone");
    bench.commit();
    assert_eq!(bench.summary(0), (1, 0, 0, 0), "but who was sent away before it was begun with is not obeyed");
}

#[test]
fn who_leads_nothing_and_who_still_loads_says_so() {
    let mut bench = Bench::new(500);
    let pending = bench.ask(initialize(0, 1, 0));
    let queued = bench.ask(summary(0));
    bench.coordinator.begin_load(SHARD);
    bench.collect();
    for asked in [pending, queued] {
        assert_eq!(bench.answers[&asked].error(), ErrorCode::NotCoordinator);
    }
    for request in [initialize(0, 1, 0), read(0, 0), write(0, (1, 0), 0, 0, &[]), delete(0), summary(0)] {
        assert_eq!(bench.error(request), ErrorCode::CoordinatorLoadInProgress);
    }
    bench.coordinator.unload(SHARD);
    for request in [initialize(0, 1, 0), read(0, 0), write(0, (1, 0), 0, 0, &[]), delete(0), summary(0)] {
        assert_eq!(bench.error(request), ErrorCode::NotCoordinator);
    }
    assert_eq!(bench.coordinator.next_deadline(), None);
    // The fate of an append of the former reign is nobody's any more.
    bench.coordinator.on_append_result(at(0), AppendToken(1), Ok(1));
    bench.collect();
}

#[test]
fn share_partitions_are_bounded() {
    let mut bench = Bench::new(500);
    bench.coordinator.config.max_share_partitions = 2;
    for (partition, wanted) in [(0, 0), (1, 0), (2, 15), (1, 0)] {
        assert_eq!(bench.error(initialize(partition, 1, 0)).code(), wanted, "{partition}");
    }
    bench.error(delete(0));
    assert_eq!(bench.error(initialize(2, 1, 0)), ErrorCode::None);
}

#[test]
fn the_next_coordinator_knows_what_the_last_one_had_committed() {
    let mut bench = Bench::new(3);
    bench.error(initialize(0, 1, 0));
    bench.read(0, 4);
    bench.error(write(0, (1, 4), 2, 1, &[(2, 9, 0, 1), (5, 6, 2, 1)]));
    bench.error(initialize(1, 1, -1));
    bench.error(delete(1));
    let mut next = bench.successor();
    assert_eq!(next.entries(), bench.entries());
    assert_eq!(next.error(write(0, (1, 3), 0, 0, &[])), ErrorCode::FencedLeaderEpoch);
    assert_eq!(next.error(write(0, (0, 4), 0, 0, &[])), ErrorCode::FencedStateEpoch);
    assert_eq!(next.read(0, 4), (1, 2, vec![(2, 4, 0, 1), (5, 6, 2, 1), (7, 9, 0, 1)]));
    // An update without its snapshot, as Kafka takes it: it begins the state, and nothing is known of the state epoch.
    let mut torn = Bench::new(500);
    torn.coordinator.begin_load(SHARD);
    let (key, value) = &bench.log[2];
    torn.coordinator.load_record(SHARD, 2, key, value.as_deref()).unwrap();
    torn.coordinator.finish_load(at(0), SHARD);
    assert_eq!(torn.summary(0), (0, 4, 2, 1));
    assert_eq!(torn.error(write(0, (0, 4), 3, 0, &[])), ErrorCode::None);
}

#[test]
fn what_is_cold_is_written_anew_so_that_the_log_can_begin_later() {
    let mut bench = Bench::new(500);
    bench.error(initialize(0, 1, 0));
    bench.now = at(200_000);
    bench.error(initialize(1, 1, 0));
    bench.error(write(0, (1, 0), 5, 0, &[(5, 6, 2, 1)]));
    let before = bench.entries();
    bench.tick(299_999);
    bench.commit();
    assert_eq!(bench.kinds(), "ssu");
    assert_eq!(bench.coordinator.next_deadline(), Some(Duration::from_secs(300)));
    bench.tick(300_000);
    bench.commit();
    assert_eq!(bench.kinds(), "ssus", "the first alone is that old");
    assert_eq!(bench.pruned_to, 0, "the head is of use until this is committed");
    let after = bench.entries();
    for (key, entry) in &after {
        let (old, new) = (&before[key].state, &entry.state);
        assert_eq!(
            (&old.batches, old.start_offset, old.create_timestamp_ms),
            (&new.batches, new.start_offset, new.create_timestamp_ms)
        );
    }
    bench.tick(600_000);
    assert_eq!(bench.pruned_to, 1);
    bench.commit();
    assert_eq!(bench.kinds(), "ssusss", "as one was active, all are written");
    bench.tick(900_000);
    bench.commit();
    assert_eq!((bench.kinds().as_str(), bench.pruned_to), ("ssusss", 4), "all is quiet");
    assert_eq!(bench.successor().entries().len(), 2);
    // With the last share partition all but its tombstone may go.
    bench.error(delete(0));
    bench.error(delete(1));
    bench.tick(1_200_000);
    bench.commit();
    assert_eq!((bench.kinds().as_str(), bench.pruned_to), ("sssssstt".replacen("sss", "ssu", 1).as_str(), 7));
}

#[test]
fn the_state_of_topics_that_are_gone_is_deleted() {
    let mut bench = Bench::new(500);
    for partition in 0..3 {
        bench.error(initialize(partition, 1, 0));
    }
    let busy = bench.ask(write(2, (1, 0), 4, 0, &[]));
    bench.coordinator.forget_topics(bench.now, &|topic| topic == Id([8; 16]));
    bench.coordinator.forget_topics(bench.now, &|topic| topic == TOPIC);
    bench.commit();
    assert_eq!(bench.kinds(), "sssutt");
    assert_eq!(bench.answers[&busy].error(), ErrorCode::None);
    assert_eq!(bench.entries().len(), 1, "what was being written then");
    bench.tick_without(300_000, &[TOPIC]);
    bench.commit();
    assert!(bench.entries().is_empty(), "goes later");
    assert!(bench.coordinator.shards[&SHARD].slots.is_empty());
}

#[test]
fn requests_are_taken_apart_and_put_together() {
    let other = TopicIdPartition { topic_id: Id([9; 16]), partition: 4 };
    let parts = vec![(id(0), read(0, 1)), (id(1), read(1, 2)), (other, read(4, 3)), (id(2), read(2, 4))];
    let request = StateRequest::join(StateKind::Read, "g".to_owned().into(), parts.clone());
    assert_eq!((request.kind(), request.group_id().as_str()), (StateKind::Read, "g"));
    let StateRequest::Read(data) = &request else { panic!() };
    assert_eq!(data.topics.iter().map(|topic| topic.partitions.len()).collect::<Vec<_>>(), [2, 1, 1]);
    assert_eq!(request.split(), parts);
    for kind in [StateKind::Initialize, StateKind::Read, StateKind::Write, StateKind::Delete, StateKind::Summary] {
        let refuse = |id: TopicIdPartition| {
            (id, PartResponse::refusal(kind, id.partition, ErrorCode::NotCoordinator, "elsewhere"))
        };
        let parts = vec![refuse(id(0)), refuse(other)];
        let split = StateResponse::join(kind, parts.clone()).split();
        assert_eq!(split, parts);
        assert!(split.iter().all(|(_, part)| part.error() == ErrorCode::NotCoordinator));
    }
}

/// By Kafka 4.3's `SharePartitionKey.asCoordinatorKey` and `Utils.abs`.
#[test]
fn share_partitions_are_where_kafka_looks_for_them() {
    let topic_id = Id([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert_eq!(partition_for("grp", TopicIdPartition { topic_id, partition: 7 }, 50), 1);
}
