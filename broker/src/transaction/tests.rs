use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::protocol::ErrorCode;
use crate::types::{Now, TopicPartition};

const SHARD: i32 = 0;

/// Key and value.
type Record = (bytes::Bytes, Option<bytes::Bytes>);

fn at(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall_ms: 1_000_000 + ms as i64 }
}

fn parts(indexes: &[i32]) -> BTreeSet<TopicPartition> {
    indexes.iter().map(|&partition| TopicPartition { topic: "t".into(), partition }).collect()
}

/// A coordinator with one shard, whose outputs are carried out by hand.
struct Bench {
    coordinator: TransactionCoordinator,
    now: Now,
    next_id: i64,
    asked: u64,
    answers: BTreeMap<u64, Answer>,
    appends: Vec<(AppendToken, Vec<Record>)>,
    markers: Vec<(Marker, BTreeSet<TopicPartition>)>,
    log: Vec<Record>,
}

impl Bench {
    fn new(version: i16) -> Bench {
        let config = TransactionConfig { partitions: 1, ..TransactionConfig::default() };
        let mut coordinator = TransactionCoordinator::new(config);
        coordinator.set_transaction_version(version);
        coordinator.begin_load(SHARD, 5);
        coordinator.finish_load(at(0), SHARD);
        Bench {
            coordinator,
            now: at(0),
            next_id: 100,
            asked: 0,
            answers: BTreeMap::new(),
            appends: Vec::new(),
            markers: Vec::new(),
            log: Vec::new(),
        }
    }

    fn collect(&mut self) {
        for output in self.coordinator.take_outputs() {
            match output {
                Output::Reply { to, answer } => assert_eq!(self.answers.insert(to.0, answer), None, "answered twice"),
                Output::Append { token, records, .. } => self.appends.push((token, records)),
                Output::SendMarker { marker, partitions } => self.markers.push((marker, partitions)),
            }
        }
    }

    /// Commits all appends on their way.
    fn commit(&mut self) {
        self.collect();
        while !self.appends.is_empty() {
            for (token, records) in std::mem::take(&mut self.appends) {
                self.log.extend(records);
                self.coordinator.on_append_result(self.now, token, Ok(()));
            }
            self.collect();
        }
    }

    fn refuse(&mut self, error: ErrorCode) {
        self.collect();
        for (token, _) in std::mem::take(&mut self.appends) {
            self.coordinator.on_append_result(self.now, token, Err(error));
        }
        self.collect();
    }

    /// Writes all markers, and what follows.
    fn write_markers(&mut self) {
        self.commit();
        for (marker, partitions) in std::mem::take(&mut self.markers) {
            for partition in partitions {
                self.coordinator.on_marker_written(self.now, &marker, &partition);
            }
        }
        self.commit();
    }

    fn ask(
        &mut self,
        act: impl FnOnce(&mut TransactionCoordinator, Now, ReplyTo, &mut dyn FnMut() -> Option<i64>),
    ) -> u64 {
        self.asked += 1;
        let next_id = &mut self.next_id;
        let mut ids = || {
            *next_id += 1;
            Some(*next_id)
        };
        act(&mut self.coordinator, self.now, ReplyTo(self.asked), &mut ids);
        self.collect();
        self.asked
    }

    fn init_as(&mut self, expected: Option<(i64, i16)>) -> u64 {
        let init =
            InitTxn { transactional_id: "id", timeout_ms: 60_000, enable_2pc: false, keep_prepared: false, expected };
        self.ask(|coordinator, now, to, ids| coordinator.init_producer_id(now, to, init, ids))
    }

    fn init(&mut self) -> Answer {
        let asked = self.init_as(None);
        self.commit();
        self.answers[&asked].clone()
    }

    fn add(&mut self, producer: (i64, i16), indexes: &[i32], version: i16) -> u64 {
        let partitions = parts(indexes);
        self.ask(|coordinator, now, to, _| coordinator.add_partitions(now, to, "id", producer, &partitions, version))
    }

    fn added(&mut self, producer: (i64, i16), indexes: &[i32], version: i16) -> ErrorCode {
        let asked = self.add(producer, indexes, version);
        self.commit();
        match self.answers[&asked] {
            Answer::Added(code) => code,
            ref other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, producer: (i64, i16), commit: bool, version: i16) -> u64 {
        let end = EndTxn {
            transactional_id: "id",
            producer_id: producer.0,
            producer_epoch: producer.1,
            commit,
            transaction_version: version,
        };
        self.ask(|coordinator, now, to, ids| coordinator.end_txn(now, to, end, ids))
    }

    fn ended(&mut self, producer: (i64, i16), commit: bool, version: i16) -> Result<(i64, i16), ErrorCode> {
        let asked = self.end(producer, commit, version);
        self.commit();
        match self.answers[&asked] {
            Answer::Ended(result) => result,
            ref other => panic!("{other:?}"),
        }
    }

    fn tick(&mut self, ms: u64) {
        self.now = at(ms);
        let next_id = &mut self.next_id;
        self.coordinator.on_tick(self.now, &mut || {
            *next_id += 1;
            Some(*next_id)
        });
        self.collect();
    }

    fn state(&mut self) -> (TransactionState, i64, i16) {
        let current = self.coordinator.describe("id").unwrap();
        (current.state, current.producer_id, current.producer_epoch)
    }
}

#[test]
fn a_transaction_of_each_version_from_begin_to_end() {
    for (version, given, next) in [(0, (-1, -1), 0), (2, (101, 1), 1)] {
        let mut bench = Bench::new(2);
        assert_eq!(bench.init(), Answer::Init(Ok((101, 0))));
        assert_eq!(bench.added((101, 0), &[0, 1], version), ErrorCode::None);
        assert_eq!(bench.ended((101, 0), true, version), Ok(given));
        assert_eq!(bench.state().0, TransactionState::PrepareCommit);
        let [(marker, partitions)] = &bench.markers[..] else { panic!("{:?}", bench.markers) };
        assert_eq!((marker.producer_epoch, marker.coordinator_epoch, marker.commit), (next, 5, true));
        assert_eq!((marker.transaction_version, partitions), (version, &parts(&[0, 1])));
        bench.write_markers();
        assert_eq!(bench.state(), (TransactionState::CompleteCommit, 101, next));
    }
}

#[test]
fn nothing_is_answered_and_no_marker_sent_before_it_is_committed() {
    let mut bench = Bench::new(2);
    let init = bench.init_as(None);
    assert!(!bench.answers.contains_key(&init));
    bench.commit();
    let add = bench.add((101, 0), &[0], 2);
    assert!(!bench.answers.contains_key(&add));
    let other = bench.add((101, 0), &[1], 2);
    assert_eq!(bench.answers[&other], Answer::Added(ErrorCode::ConcurrentTransactions));
    bench.commit();
    let end = bench.end((101, 0), true, 2);
    assert!(!bench.answers.contains_key(&end) && bench.markers.is_empty());
    bench.commit();
    assert!(bench.answers.contains_key(&end) && bench.markers.len() == 1);
}

/// The table in `TransactionCoordinator`: what an EndTxn does where no transaction is open.
#[test]
fn ends_without_a_transaction() {
    use TransactionState::{CompleteAbort, CompleteCommit, Empty};
    let done = |bench: &mut Bench, commit| {
        bench.added((101, 0), &[0], 2);
        bench.ended((101, 0), commit, 2).unwrap();
        bench.write_markers();
    };
    let (fenced, invalid) = (Err(ErrorCode::ProducerFenced), Err(ErrorCode::InvalidTxnState));
    // State, epoch (retry: one before), commit, result in version 2.
    let table = [
        (Empty, -1, false, fenced),
        (Empty, 0, false, Ok((101, 1))),
        (Empty, -1, true, fenced),
        (Empty, 0, true, invalid),
        (CompleteAbort, 0, false, Ok((101, 1))),
        (CompleteAbort, 1, false, Ok((101, 2))),
        (CompleteAbort, 0, true, invalid),
        (CompleteAbort, 1, true, invalid),
        (CompleteCommit, 0, false, invalid),
        (CompleteCommit, 1, false, Ok((101, 2))),
        (CompleteCommit, 0, true, Ok((101, 1))),
        (CompleteCommit, 1, true, invalid),
    ];
    for (state, epoch, commit, wanted) in table {
        let mut bench = Bench::new(2);
        bench.init();
        match state {
            CompleteCommit => done(&mut bench, true),
            CompleteAbort => done(&mut bench, false),
            _ => {}
        }
        assert_eq!(bench.state().0, state);
        assert_eq!(bench.ended((101, epoch), commit, 2), wanted, "{state:?} {epoch} {commit}");
    }
    // Version 0 and 1: only a repetition is welcome.
    for (state, commit, wanted) in [
        (Empty, false, invalid),
        (Empty, true, invalid),
        (CompleteAbort, false, Ok((-1, -1))),
        (CompleteAbort, true, invalid),
        (CompleteCommit, true, Ok((-1, -1))),
        (CompleteCommit, false, invalid),
    ] {
        let mut bench = Bench::new(0);
        bench.init();
        if state != Empty {
            bench.added((101, 0), &[0], 0);
            bench.ended((101, 0), state == CompleteCommit, 0).unwrap();
            bench.write_markers();
        }
        assert_eq!(bench.ended((101, 0), commit, 0), wanted, "{state:?} {commit}");
    }
}

#[test]
fn who_is_not_the_producer_is_told() {
    let mut bench = Bench::new(2);
    assert_eq!(bench.added((101, 0), &[0], 0), ErrorCode::InvalidProducerIdMapping, "not known");
    bench.init();
    assert_eq!(bench.added((102, 0), &[0], 0), ErrorCode::InvalidProducerIdMapping);
    assert_eq!(bench.added((101, 1), &[0], 0), ErrorCode::ProducerFenced);
    assert_eq!(bench.added((101, 0), &[0], 0), ErrorCode::None);
    assert_eq!(bench.added((101, 0), &[0], 0), ErrorCode::None, "again");
    assert_eq!(bench.log.len(), 2, "and that is not written");
    let code =
        |bench: &mut Bench, producer, index| bench.coordinator.verify_partitions("id", producer, &parts(&[index]))[0].1;
    assert_eq!(code(&mut bench, (101, 0), 0), ErrorCode::None);
    assert_eq!(code(&mut bench, (101, 0), 1), ErrorCode::TransactionAbortable);
    assert_eq!(code(&mut bench, (101, 1), 0), ErrorCode::ProducerFenced);
    bench.ended((101, 0), true, 0).unwrap();
    assert_eq!(code(&mut bench, (101, 0), 0), ErrorCode::ConcurrentTransactions);
    assert_eq!(bench.added((101, 0), &[0], 0), ErrorCode::ConcurrentTransactions);
    assert_eq!(bench.ended((101, 0), true, 0), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(bench.ended((101, 0), false, 0), Err(ErrorCode::ConcurrentTransactions), "the markers go first");
}

#[test]
fn what_init_refuses() {
    let mut bench = Bench::new(2);
    let good =
        InitTxn { transactional_id: "id", timeout_ms: 60_000, enable_2pc: false, keep_prepared: false, expected: None };
    let table = [
        (InitTxn { transactional_id: "", ..good }, ErrorCode::InvalidRequest),
        (InitTxn { enable_2pc: true, ..good }, ErrorCode::TransactionalIdAuthorizationFailed),
        (InitTxn { keep_prepared: true, ..good }, ErrorCode::UnsupportedVersion),
        (InitTxn { timeout_ms: 0, ..good }, ErrorCode::InvalidTransactionTimeout),
        (InitTxn { timeout_ms: 900_001, ..good }, ErrorCode::InvalidTransactionTimeout),
    ];
    for (init, error) in table {
        let asked = bench.ask(|coordinator, now, to, ids| coordinator.init_producer_id(now, to, init, ids));
        assert_eq!(bench.answers[&asked], Answer::Init(Err(error)), "{init:?}");
    }
    bench.coordinator.begin_load(SHARD, 6);
    assert_eq!(bench.init(), Answer::Init(Err(ErrorCode::CoordinatorLoadInProgress)));
    bench.coordinator.unload(SHARD);
    assert_eq!(bench.init(), Answer::Init(Err(ErrorCode::NotCoordinator)));
}

#[test]
fn a_second_producer_fences_the_first_and_aborts_what_it_has_open() {
    for version in [0, 2] {
        let mut bench = Bench::new(version);
        bench.init();
        bench.added((101, 0), &[0, 1], version);
        assert_eq!(bench.init(), Answer::Init(Err(ErrorCode::ConcurrentTransactions)), "version {version}");
        assert_eq!(bench.state().0, TransactionState::PrepareAbort);
        assert_eq!((bench.markers[0].0.producer_epoch, bench.markers[0].0.commit), (1, false));
        assert_eq!(
            bench.ended((101, 0), true, version).unwrap_err(),
            match version {
                0 => ErrorCode::ProducerFenced,
                _ => ErrorCode::ConcurrentTransactions,
            }
        );
        bench.write_markers();
        assert_eq!(bench.init(), Answer::Init(Ok((101, 2))));
        assert_eq!(bench.added((101, 0), &[0], version), ErrorCode::ProducerFenced);
    }
}

#[test]
fn a_producer_that_names_its_epoch_gets_the_next() {
    let mut bench = Bench::new(2);
    bench.init();
    let table = [
        (Some((101, 0)), Ok((101, 1))),
        // Its answer was lost.
        (Some((101, 0)), Ok((101, 1))),
        (Some((101, 1)), Ok((101, 2))),
        (Some((101, 0)), Err(ErrorCode::ProducerFenced)),
        (Some((99, 2)), Err(ErrorCode::ProducerFenced)),
        (None, Ok((101, 3))),
    ];
    for (expected, wanted) in table {
        let asked = bench.init_as(expected);
        bench.commit();
        assert_eq!(bench.answers[&asked], Answer::Init(wanted), "{expected:?}");
    }
}

#[test]
fn used_up_epochs_bring_a_new_producer_id() {
    let mut bench = Bench::new(2);
    bench.init();
    let mut producer = (101, 0);
    for _ in 0..i32::from(i16::MAX) + 2 {
        assert_eq!(bench.added(producer, &[0], 2), ErrorCode::None, "{producer:?}");
        let next = bench.ended(producer, true, 2).unwrap();
        bench.write_markers();
        assert_eq!(bench.ended(producer, true, 2), Ok(next), "its retry gets the same");
        producer = next;
    }
    assert_eq!(producer.0, 102);
}

#[test]
fn what_is_open_for_too_long_is_aborted() {
    for version in [0, 2] {
        let mut bench = Bench::new(version);
        bench.init();
        bench.added((101, 0), &[0], version);
        bench.tick(60_000);
        bench.commit();
        assert_eq!(bench.state().0, TransactionState::Ongoing);
        bench.tick(70_001);
        bench.write_markers();
        assert_eq!(bench.state(), (TransactionState::CompleteAbort, 101, 1), "version {version}");
        assert_eq!(bench.added((101, 0), &[0], version), ErrorCode::ProducerFenced);
    }
}

#[test]
fn a_fence_that_could_not_be_written_is_tried_again() {
    for version in [0, 2] {
        let mut bench = Bench::new(version);
        bench.init();
        bench.added((101, 0), &[0], version);
        let asked = bench.init_as(None);
        bench.refuse(ErrorCode::NotEnoughReplicas);
        assert_eq!(bench.answers[&asked], Answer::Init(Err(ErrorCode::CoordinatorNotAvailable)));
        assert_eq!(bench.state().0, TransactionState::Ongoing);
        assert_eq!(bench.init(), Answer::Init(Err(ErrorCode::ConcurrentTransactions)));
        bench.write_markers();
        assert_eq!(bench.state(), (TransactionState::CompleteAbort, 101, 1), "version {version}: bumped once");
    }
}

#[test]
fn an_end_that_could_not_be_written_is_tried_again_until_it_is() {
    let mut bench = Bench::new(2);
    bench.init();
    bench.added((101, 0), &[0], 2);
    bench.ended((101, 0), true, 2).unwrap();
    for (marker, partitions) in std::mem::take(&mut bench.markers) {
        partitions.iter().for_each(|it| bench.coordinator.on_marker_written(bench.now, &marker, it));
    }
    for ms in [1, 200, 400] {
        assert_eq!(
            {
                bench.collect();
                bench.appends.len()
            },
            1
        );
        bench.refuse(ErrorCode::NotEnoughReplicas);
        assert_eq!(bench.state().0, TransactionState::PrepareCommit);
        bench.tick(ms);
        bench.tick(ms + 150);
    }
    bench.commit();
    assert_eq!(bench.state(), (TransactionState::CompleteCommit, 101, 1));
}

#[test]
fn a_client_does_not_wait_for_ever_and_the_record_counts_all_the_same() {
    let mut bench = Bench::new(2);
    bench.init();
    bench.added((101, 0), &[0], 2);
    let asked = bench.end((101, 0), true, 2);
    bench.tick(60_001);
    assert_eq!(bench.answers[&asked], Answer::Ended(Err(ErrorCode::CoordinatorNotAvailable)));
    bench.write_markers();
    assert_eq!(bench.state().0, TransactionState::CompleteCommit);
    assert_eq!(bench.ended((101, 0), true, 2), Ok((101, 1)), "its retry is told so");
}

#[test]
fn the_next_coordinator_goes_on_where_the_last_one_was() {
    for upto in 1..=4 {
        let mut bench = Bench::new(2);
        bench.init();
        bench.added((101, 0), &[0, 1], 2);
        bench.ended((101, 0), true, 2).unwrap();
        bench.write_markers();
        let mut next = Bench::new(2);
        next.coordinator.begin_load(SHARD, 6);
        for (key, value) in &bench.log[..upto] {
            next.coordinator.load_record(SHARD, key, value.as_deref()).unwrap();
        }
        next.coordinator.finish_load(at(9), SHARD);
        next.collect();
        let sends = next.markers.len();
        assert_eq!(sends, usize::from(upto == 3), "only what is decided goes on");
        if let Some((marker, _)) = next.markers.first() {
            assert_eq!((marker.coordinator_epoch, marker.commit, marker.producer_epoch), (6, true, 1));
            // An answer to the former coordinator's marker is none to this one's.
            let former = Marker { coordinator_epoch: 5, ..marker.clone() };
            parts(&[0, 1]).iter().for_each(|it| next.coordinator.on_marker_written(at(9), &former, it));
            next.collect();
            assert!(next.appends.is_empty());
        }
        next.write_markers();
        let states = [
            (TransactionState::Empty, 101, 0),
            (TransactionState::Ongoing, 101, 0),
            (TransactionState::CompleteCommit, 101, 1),
            (TransactionState::CompleteCommit, 101, 1),
        ];
        assert_eq!(next.state(), states[upto - 1]);
    }
}

#[test]
fn ids_that_nobody_uses_are_forgotten() {
    let mut bench = Bench::new(2);
    bench.init();
    bench.tick(604_800_000);
    bench.commit();
    assert_eq!(bench.coordinator.describe("id").unwrap_err(), ErrorCode::TransactionalIdNotFound);
    assert_eq!(bench.log.last().unwrap().1, None, "a tombstone");
    assert_eq!(bench.init(), Answer::Init(Ok((102, 0))));
    // An open transaction does not expire: it is aborted first.
    bench.added((102, 0), &[0], 2);
    bench.tick(2 * 604_800_000);
    bench.commit();
    assert_eq!(bench.state().0, TransactionState::PrepareAbort);
}

#[test]
fn what_is_listed() {
    let mut bench = Bench::new(2);
    bench.init();
    bench.added((101, 0), &[0], 2);
    bench.now = at(500);
    let list = |bench: &Bench, filter: ListFilter| bench.coordinator.list(bench.now, &filter).unwrap().len();
    let any = || ListFilter { duration_ms: -1, ..ListFilter::default() };
    assert_eq!(list(&bench, any()), 1);
    assert_eq!(list(&bench, ListFilter { producer_ids: vec![5], ..any() }), 0);
    assert_eq!(list(&bench, ListFilter { producer_ids: vec![5, 101], ..any() }), 1);
    assert_eq!(list(&bench, ListFilter { states: Some(vec![TransactionState::Empty]), ..any() }), 0);
    assert_eq!(list(&bench, ListFilter { states: Some(vec![TransactionState::Ongoing]), ..any() }), 1);
    assert_eq!(list(&bench, ListFilter { states: Some(Vec::new()), ..any() }), 0, "only unknown states");
    assert_eq!(list(&bench, ListFilter { duration_ms: 499, ..any() }), 1);
    assert_eq!(list(&bench, ListFilter { duration_ms: 500, ..any() }), 0);
    assert_eq!(list(&bench, ListFilter { pattern: regex::Regex::new("^i$").ok(), ..any() }), 0);
    bench.coordinator.begin_load(SHARD, 6);
    assert!(bench.coordinator.list(bench.now, &any()).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Init(Option<i16>),
    Add(i16, i32, bool),
    End(i16, bool, bool),
    Commit,
    Refuse,
    Markers,
    Tick(u64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let epoch = 0..6i16;
    let step = prop_oneof![
        1 => proptest::option::of(epoch.clone()).prop_map(Step::Init),
        1 => (epoch.clone(), 0..3i32, any::<bool>()).prop_map(|(epoch, part, v2)| Step::Add(epoch, part, v2)),
        1 => (epoch, any::<bool>(), any::<bool>()).prop_map(|(epoch, commit, v2)| Step::End(epoch, commit, v2)),
        4 => Just(Step::Commit),
        1 => Just(Step::Refuse),
        2 => Just(Step::Markers),
        1 => (1..50_000u64).prop_map(Step::Tick),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is asked, lost and restarted: each is answered once, a transaction has one end, which no later coordinator changes, and in
    /// the end none is left half ended.
    #[test]
    fn a_transaction_ends_one_way(steps in steps()) {
        let mut bench = Bench::new(2);
        let mut shard_epoch = 5;
        let mut ends: BTreeMap<(i64, i16), bool> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Init(None) => drop(bench.init_as(None)),
                Step::Init(Some(epoch)) => drop(bench.init_as(Some((101, epoch)))),
                Step::Add(epoch, part, v2) => drop(bench.add((101, epoch), &[part], if v2 { 2 } else { 0 })),
                Step::End(epoch, commit, v2) => drop(bench.end((101, epoch), commit, if v2 { 2 } else { 0 })),
                Step::Commit => bench.commit(),
                Step::Refuse => bench.refuse(ErrorCode::NotEnoughReplicas),
                Step::Markers => bench.write_markers(),
                Step::Tick(ms) => {
                    let ms = bench.now.mono.as_millis() as u64 + ms;
                    bench.tick(ms);
                }
                Step::Restart => {
                    shard_epoch += 1;
                    bench.markers.clear();
                    bench.appends.clear();
                    bench.coordinator.begin_load(SHARD, shard_epoch);
                    for (key, value) in bench.log.clone() {
                        bench.coordinator.load_record(SHARD, &key, value.as_deref()).unwrap();
                    }
                    bench.coordinator.finish_load(bench.now, SHARD);
                    bench.collect();
                }
            }
            // Below version 2 many transactions share an epoch.
            for (marker, _) in bench.markers.iter().filter(|(marker, _)| marker.transaction_version >= 2) {
                let before = ends.insert((marker.producer_id, marker.producer_epoch), marker.commit);
                prop_assert!(before.is_none_or(|commit| commit == marker.commit), "{marker:?} ended otherwise before");
            }
        }
        bench.write_markers();
        let ms = bench.now.mono.as_millis() as u64 + 200;
        bench.tick(ms);
        bench.write_markers();
        prop_assert_eq!(bench.answers.len() as u64, bench.asked);
        if let Ok(current) = bench.coordinator.describe("id") {
            prop_assert!(!current.state.is_ending(), "{:?}", current);
        }
    }
}

#[test]
fn what_becomes_of_an_id_stands_in_the_log() {
    use crate::logging::{Level, LogLine, Logger, NodeLog};
    let (writer, lines) = crossbeam_channel::bounded(1_000);
    let mut bench = Bench::new(2);
    bench.coordinator.config.log = NodeLog::new(1, writer, || 0);
    bench.coordinator.config.node_id = 1;
    let wrote = |facts: &[(Logger, Level, &str)]| {
        let all: Vec<LogLine> = lines.try_iter().collect();
        for (logger, level, fact) in facts {
            let fits = |line: &LogLine| (line.logger, line.level) == (*logger, *level) && line.message.contains(fact);
            assert!(all.iter().any(fits), "{fact}: {all:#?}");
        }
        assert_eq!(all.len(), facts.len(), "{all:#?}");
    };
    let (of, state) = (Logger::TransactionCoordinator, Logger::TransactionState);
    bench.init();
    let got = "[TransactionCoordinator id=1] TransactionalId id got producer id 101 and epoch 0 (partition 0)";
    wrote(&[(of, Level::Info, got)]);
    // The steps of each transaction are a debug matter.
    assert_eq!(bench.added((101, 0), &[0], 2), ErrorCode::None);
    assert_eq!(bench.ended((101, 0), true, 2), Ok((101, 1)));
    bench.write_markers();
    wrote(&[]);
    assert_eq!(bench.added((101, 1), &[0], 2), ErrorCode::None);
    bench.tick(200_000);
    bench.write_markers();
    let open = "is open for more than 60000 ms; producer 101 is fenced with epoch ";
    wrote(&[(of, Level::Info, open), (of, Level::Info, "its transaction is rolled back, as its time was over")]);
    bench.init_as(Some((101, 1)));
    bench.refuse(ErrorCode::NotEnoughReplicas);
    let told: Vec<LogLine> = lines.try_iter().collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let is_fenced = told[0].message.contains("InitProducerId is answered ProducerFenced");
    assert!(is_fenced || told[0].logger == state, "{told:#?}");
    bench.coordinator.config.log.levels().unwrap().set(of, Some(Level::Debug)).unwrap();
    bench.coordinator.unload(SHARD);
    wrote(&[(of, Level::Info, "Coordinates partition 0 no more, after epoch 5, with 1 ids")]);
}
