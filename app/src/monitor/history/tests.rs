//! What is recorded is what was: at each instant, after thinning, and from a file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::metadata::report::NodeState;
use proptest::prelude::*;

use super::archive::{Archive, STEPS};
use super::beside::Beside;
use super::file;
use super::lanes::{Subject, Tracker};
use super::record::{Opened, Record};
use super::scribe::Scribe;
use crate::monitor::fact::Fact;
use crate::monitor::fault::{FaultKind, FaultRequest};
use crate::monitor::groups::Watched;
use crate::monitor::groups::lags::{Row, Sample};
use crate::monitor::ledger::LedgerStatus;
use crate::monitor::snapshot::{ActiveFault, Broker, Group, Partition, Rates, Snapshot, Topic, WorkloadStatus};
use crate::monitor::view::{EventEntry, Metric, Series, SeriesStore, Severity, View};

/// What may happen to a cluster from one instant to the next.
#[derive(Clone, Debug)]
enum Deed {
    Write { topic: usize, records: i64 },
    Kill { broker: usize },
    Start { broker: usize },
    Create { topic: usize },
    Delete { topic: usize },
    Rebalance,
    Fault { id: u64 },
    Heal,
    Second,
    Tell { text: String },
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, i64)>> {
    let deed = prop_oneof![
        4 => (0_usize..4, 1_i64..100_000).prop_map(|(topic, records)| Deed::Write { topic, records }),
        1 => (0_usize..3).prop_map(|broker| Deed::Kill { broker }),
        1 => (0_usize..3).prop_map(|broker| Deed::Start { broker }),
        1 => (0_usize..4).prop_map(|topic| Deed::Create { topic }),
        1 => (0_usize..4).prop_map(|topic| Deed::Delete { topic }),
        1 => Just(Deed::Rebalance),
        1 => (1_u64..9).prop_map(|id| Deed::Fault { id }),
        1 => Just(Deed::Heal),
        3 => Just(Deed::Second),
        1 => "[a-z]{1,8}".prop_map(|text| Deed::Tell { text }),
    ];
    prop::collection::vec((deed, 0_i64..3_000), 1..60)
}

/// A cluster that exists in words only.
struct World {
    view: View,
    at_ms: i64,
}

impl World {
    fn new() -> World {
        let broker = |id| Broker {
            id,
            rack: Some("a".into()),
            host: "h".into(),
            port: 9091,
            state: NodeState::Running,
            fenced: false,
            epoch: 1,
            leaders: 0,
            replicas: 0,
            offline_log_dirs: Vec::new(),
            out_of_sync_replicas: 0,
            log_size_bytes: 0,
            counters: Default::default(),
            rates: Rates::default(),
        };
        let snapshot = Snapshot {
            cluster_id: "c".into(),
            profile: "lab".into(),
            brokers: (1..=3).map(broker).collect(),
            groups: vec![Arc::new(Group { id: "g".into(), ..Group::of_kind("classic") })],
            workloads: vec![WorkloadStatus { id: 1, ..WorkloadStatus::default() }],
            ..Snapshot::default()
        };
        let mut world = World { view: View { snapshot: Arc::new(snapshot), ..View::default() }, at_ms: 1_000_000 };
        let status = Arc::new(LedgerStatus { id: 1, topic: "t".into(), ..LedgerStatus::default() });
        world.view.ledger.workloads = Arc::new(vec![status]);
        world
    }

    fn step(&mut self, deed: &Deed, passed_ms: i64) {
        self.at_ms += passed_ms;
        match deed {
            Deed::Second => return self.second(),
            Deed::Tell { text } => return self.tell(text),
            _ => {}
        }
        let at_ms = self.at_ms;
        let snapshot = Arc::make_mut(&mut self.view.snapshot);
        (snapshot.sequence, snapshot.at_ms) = (snapshot.sequence + 1, at_ms);
        let name = |topic: usize| format!("topic-{topic}");
        match deed {
            Deed::Write { topic, records } => {
                let Some(known) = snapshot.topics.iter_mut().find(|known| *known.name == *name(*topic)) else { return };
                for partition in &mut Arc::make_mut(known).partitions {
                    partition.high_watermark += records;
                    partition.last_stable_offset = partition.high_watermark - 1;
                    partition.log_end_offsets.values_mut().for_each(|end| *end += records);
                }
            }
            Deed::Kill { broker } => snapshot.brokers[*broker].state = NodeState::Killed,
            Deed::Start { broker } => snapshot.brokers[*broker].state = NodeState::Running,
            Deed::Create { topic } => {
                if snapshot.topics.iter().any(|known| *known.name == *name(*topic)) {
                    return;
                }
                let mut made = Topic::named(&name(*topic));
                made.partitions = (0..3).map(partition).collect();
                snapshot.topics.push(Arc::new(made));
                snapshot.topics.sort_by(|one, other| one.name.cmp(&other.name));
            }
            Deed::Delete { topic } => snapshot.topics.retain(|known| *known.name != *name(*topic)),
            Deed::Rebalance => {
                let group = Arc::make_mut(&mut snapshot.groups[0]);
                (group.generation, group.state) = (group.generation + 1, "PreparingRebalance");
            }
            Deed::Fault { id } => snapshot.faults.push(fault(*id, at_ms)),
            Deed::Heal => snapshot.faults.clear(),
            Deed::Second | Deed::Tell { .. } => {}
        }
    }

    fn second(&mut self) {
        let at_ms = self.at_ms;
        let mut series = SeriesStore::clone(&self.view.series);
        series.at_ms.push_back(at_ms);
        if series.series.is_empty() {
            let (label, points) = (String::new(), VecDeque::new());
            series.series.push(Arc::new(Series { metric: Metric::OfflinePartitions, label, points }));
        }
        Arc::make_mut(&mut series.series[0]).points.push_back(at_ms as f64);
        self.view.series = Arc::new(series);
        let sample = Sample { committed: at_ms, lag: 3, behind_ms: 9 };
        let row = Row { at_ms, members: 1, names: [("t".into(), 0)].into(), samples: [sample].into() };
        let mut watched = self.view.groups.watched.get("g").cloned().unwrap_or_default();
        Arc::make_mut(&mut watched.rows).push_back(Arc::new(row));
        self.view.groups.watched = Arc::new(BTreeMap::from([("g".into(), watched)]));
    }

    fn tell(&mut self, text: &str) {
        let seq = self.view.events.back().map_or(1, |event| event.seq + 1);
        let entry = EventEntry {
            seq,
            at_ms: self.at_ms,
            node_id: 1,
            kind: "error",
            severity: Severity::Info,
            text: text.into(),
            cause: String::new(),
            subject: String::new(),
            because_of: vec![seq - 1],
            led_to: Vec::new(),
            fact: Fact::Fenced { broker: 2 },
            event: None,
        };
        Arc::make_mut(&mut self.view.events).push_back(Arc::new(entry));
    }
}

fn partition(id: i32) -> Partition {
    Partition {
        id,
        leader: 1,
        replicas: vec![1, 2],
        isr: vec![1, 2],
        log_end_offsets: [(1, 0), (2, 0)].into(),
        ..Partition::default()
    }
}

fn fault(id: u64, since_ms: i64) -> ActiveFault {
    ActiveFault {
        id,
        kind: "kill".into(),
        node_id: 1,
        node_ids: vec![1],
        what: format!("fault {id}"),
        since_ms,
        until_ms: None,
        request: Arc::new(FaultRequest::new(FaultKind::Kill)),
    }
}

/// All views of a run, and what was recorded of them.
fn recorded(deeds: &[(Deed, i64)]) -> (Vec<(i64, View)>, Record) {
    let mut world = World::new();
    let (mut scribe, mut tracker) = (Scribe::default(), Tracker::default());
    let mut record = Record { archive: Archive::new(usize::MAX), ..Record::default() };
    let mut views = Vec::new();
    for (deed, passed_ms) in deeds {
        world.step(deed, *passed_ms);
        record.beside.note(&world.view);
        tracker.note(&world.view);
        if let Some(frame) = scribe.note(&world.view, matches!(deed, Deed::Second)).unwrap() {
            record.archive.push(&frame, || scribe.whole(&frame)).unwrap();
        }
        views.push((world.at_ms, world.view.clone()));
    }
    record.beside.lanes = Arc::new(tracker.news().unwrap_or_default());
    (views, record)
}

fn json(snapshot: &Snapshot) -> serde_json::Value {
    serde_json::to_value(snapshot).unwrap()
}

/// Compares a view with one that was read; what is looked at seldom may be older.
fn assert_same(was: &View, is: &View) -> Result<(), TestCaseError> {
    let (one, other) = (&was.snapshot, &is.snapshot);
    prop_assert_eq!(json(one), json(other));
    prop_assert_eq!(&one.topics, &other.topics);
    prop_assert_eq!(&one.groups, &other.groups);
    prop_assert_eq!((&one.brokers, &one.faults), (&other.brokers, &other.faults));
    prop_assert_eq!((&one.workloads, &one.totals), (&other.workloads, &other.totals));
    prop_assert_eq!(&one.image, &other.image);
    prop_assert_eq!(&was.ledger.workloads, &is.ledger.workloads);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_instant_is_shown_as_it_was(deeds in deeds()) {
        let (views, record) = recorded(&deeds);
        let mut opened = Opened::default();
        for (place, (at_ms, view)) in views.iter().enumerate() {
            // Of views of one instant the last is meant.
            if views.get(place + 1).is_some_and(|(next_ms, _)| next_ms == at_ms) {
                continue;
            }
            let again = record.view_at(*at_ms, &mut opened).unwrap();
            assert_same(view, &again)?;
            prop_assert_eq!(&view.events, &again.events);
            prop_assert_eq!(&view.series.at_ms, &again.series.at_ms);
            let points = |view: &View| view.series.series.first().map(|series| series.points.clone());
            prop_assert_eq!(points(view), points(&again));
            let rows = |view: &View| view.groups.watched.get("g").map(|watched: &Watched| watched.rows.clone()).unwrap_or_default();
            // Lags reach back two minutes.
            let known: Vec<_> = rows(&again).iter().cloned().collect();
            prop_assert!(rows(view).iter().rev().zip(known.iter().rev()).all(|(one, other)| one == other));
            prop_assert_eq!(rows(view).is_empty(), known.is_empty());
        }
    }

    #[test]
    fn thinned_history_is_as_old_as_its_step_at_most(deeds in deeds(), level in 1_usize..5) {
        let (views, record) = recorded(&deeds);
        let last_ms = views.last().unwrap().0;
        let mut archive = Archive::of(record.archive.sealed().unwrap()).unwrap();
        while archive.tidy(last_ms + STEPS[level].age_ms + 1_000_000).unwrap() {}
        let thinned = Record { archive, ..record.clone() };
        prop_assert!(thinned.archive.frames() <= record.archive.frames());
        prop_assert_eq!(thinned.archive.span_ms(), record.archive.span_ms());
        let mut opened = Opened::default();
        for (at_ms, _) in &views {
            let again = thinned.view_at(*at_ms, &mut opened).unwrap();
            // It is one of those that were, and the newest before or the first of all.
            let was = views.iter().rfind(|(_, view)| view.snapshot.sequence == again.snapshot.sequence);
            let (_, was) = was.expect("a view of that number");
            prop_assert_eq!(json(&was.snapshot), json(&again.snapshot));
        }
        let (_, newest) = views.last().unwrap();
        assert_same(newest, &thinned.view_at(last_ms, &mut opened).unwrap())?;
    }

    #[test]
    fn a_file_gives_back_what_was_recorded(deeds in deeds()) {
        let (views, record) = recorded(&deeds);
        let mut bytes = Vec::new();
        file::write(&record, &mut bytes).unwrap();
        let again = file::read(&mut bytes.as_slice()).unwrap();
        prop_assert_eq!(again.archive.span_ms(), record.archive.span_ms());
        prop_assert_eq!(&again.beside.lanes, &record.beside.lanes);
        let mut opened = Opened::default();
        let (at_ms, newest) = views.last().unwrap();
        let read = again.view_at(*at_ms, &mut opened).unwrap();
        assert_same(newest, &read)?;
        prop_assert_eq!(&newest.events, &read.events);
    }

    #[test]
    fn a_damaged_file_is_refused_or_shown_and_never_trusted(deeds in deeds(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (views, record) = recorded(&deeds);
        let mut bytes = Vec::new();
        file::write(&record, &mut bytes).unwrap();
        prop_assert!(file::read(&mut &bytes[..place.index(bytes.len())]).is_err(), "it is cut short");
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(record) = file::read(&mut bytes.as_slice()) {
            let _ = record.view_at(views[0].0, &mut Opened::default());
        }
    }
}

#[test]
fn what_is_not_a_recording_is_refused_in_a_sentence() {
    for (bytes, expected) in [
        (&b"PK\x03\x04"[..], "no recording"),
        (&b""[..], "no recording"),
        (&b"BROKERSCOPE REC\n"[..], "damaged: it ends too early"),
        (&b"BROKERSCOPE REC\n\x02\0\0\0\x03\0\0\09.9\0\0\0\0\0\0\0\0"[..], "recorded by Brokerscope 9.9"),
    ] {
        let error = file::read(&mut &*bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn only_files_are_written_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let (_, record) = recorded(&[(Deed::Create { topic: 1 }, 10)]);
    let path = dir.path().join("a.brokerscope");
    std::fs::write(&path, "before").unwrap();
    file::save(&record, &path).unwrap();
    assert_eq!(file::open(&path).unwrap().archive.span_ms(), record.archive.span_ms());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    for path in ["/dev/null", "/dev/zero"] {
        let told = [file::save(&record, path.as_ref()).err(), file::open(path.as_ref()).err()];
        assert!(told.iter().flatten().filter(|error| error.to_string().contains("no regular file")).count() == 2);
    }
    // Whoever opened a pipe would wait for a writer.
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(file::open(&pipe).is_err());
}

#[test]
fn there_is_never_more_than_is_allowed() {
    let mut world = World::new();
    let mut scribe = Scribe::default();
    let mut archive = Archive::new(40_000);
    world.step(&Deed::Create { topic: 0 }, 0);
    for number in 0..3_000 {
        world.step(&Deed::Write { topic: 0, records: 1_000 + number * 7_919 % 5_003 }, 1_000);
        let frame = scribe.note(&world.view, false).unwrap().unwrap();
        archive.push(&frame, || scribe.whole(&frame)).unwrap();
        while archive.tidy(world.at_ms).unwrap() {}
        assert!(archive.bytes() <= 40_000 || archive.chunks().is_empty(), "{}", archive.bytes());
    }
    let (from_ms, until_ms) = archive.span_ms().unwrap();
    assert_eq!(until_ms, world.at_ms);
    assert!(until_ms - from_ms > 20 * 60_000, "old history is thinned before it goes: {}", until_ms - from_ms);
}

#[test]
fn a_clock_that_is_set_back_leaves_no_time_twice() {
    let deeds: Vec<(Deed, i64)> = (0..200).map(|number| (Deed::Fault { id: number }, 1_000)).collect();
    let mut world = World::new();
    let mut scribe = Scribe::default();
    let mut archive = Archive::new(usize::MAX);
    for (number, (deed, passed_ms)) in deeds.iter().enumerate() {
        world.step(deed, if number == 150 { -100_000 } else { *passed_ms });
        let frame = scribe.note(&world.view, false).unwrap().unwrap();
        archive.push(&frame, || scribe.whole(&frame)).unwrap();
    }
    let chunks = archive.sealed().unwrap();
    assert!(Archive::of(chunks).is_ok(), "chunks follow each other");
    let record = Record { archive, beside: Beside::default(), missed: 0 };
    let newest = record.snapshot_at(world.at_ms, &mut Opened::default()).unwrap();
    assert_eq!(newest.sequence, world.view.snapshot.sequence);
}

#[test]
fn a_clock_that_is_mended_a_little_loses_nothing() {
    let mut world = World::new();
    let mut scribe = Scribe::default();
    let mut archive = Archive::new(usize::MAX);
    for id in 0..100 {
        world.step(&Deed::Fault { id }, if id == 50 { -700 } else { 100 });
        let frame = scribe.note(&world.view, false).unwrap().unwrap();
        archive.push(&frame, || scribe.whole(&frame)).unwrap();
    }
    assert_eq!(archive.frames(), 100);
    let record = Record { archive, ..Record::default() };
    let newest = record.snapshot_at(world.at_ms, &mut Opened::default()).unwrap();
    assert_eq!((newest.sequence, newest.faults.len()), (world.view.snapshot.sequence, 100));
}

#[test]
fn lanes_tell_what_was_not_well_and_until_when() {
    let mut world = World::new();
    let mut tracker = Tracker::default();
    let mut step = |deed: Deed, passed_ms| {
        world.step(&deed, passed_ms);
        tracker.note(&world.view);
    };
    step(Deed::Create { topic: 0 }, 0);
    step(Deed::Kill { broker: 1 }, 1_000);
    step(Deed::Fault { id: 4 }, 0);
    step(Deed::Rebalance, 500);
    step(Deed::Start { broker: 1 }, 500);
    step(Deed::Heal, 0);
    let lanes = tracker.news().unwrap().lanes;
    let lane = |subject: Subject| lanes.iter().find(|lane| lane.subject == subject).unwrap();
    let spans = |subject: Subject| -> Vec<(i64, Option<i64>, String)> {
        lane(subject).spans.iter().map(|span| (span.from_ms, span.until_ms, span.words.clone())).collect()
    };
    assert_eq!(spans(Subject::Broker(2)), [(1_001_000, Some(1_002_000), "killed".to_owned())]);
    assert_eq!(spans(Subject::Faults), [(1_001_000, Some(1_002_000), "fault 4".to_owned())]);
    assert_eq!(spans(Subject::Group("g".into())), [(1_001_500, None, "PreparingRebalance".to_owned())]);
    assert_eq!(lane(Subject::Group("g".into())).marks.len(), 1);
    assert!(spans(Subject::Broker(1)).is_empty());
    assert!(lanes.is_sorted_by(|one, other| one.subject < other.subject));
    assert_eq!(tracker.news(), None);
}
