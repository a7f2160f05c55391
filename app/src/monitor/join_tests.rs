//! Tables for the joining.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use broker::metadata::image::{BrokerImage, Endpoint, Image, PartitionImage, TopicImage};
use broker::metadata::report::{
    BrokerReport, ControllerReport, GroupReport, MembershipReport, Moving, NodeState, ReplicaReport, ShareProgress,
};
use broker::types::{Id, Now, TopicIdPartition, TopicPartition};

use super::fault::{FaultKind, FaultRequest};
use super::join::{Facts, Join};
use super::snapshot::{ActiveFault, PAST_FAULTS_MAX, Partition, PastFault, Snapshot};
use super::unread::{Answer, Found, QUESTIONS_MAX};

fn at(ms: i64) -> Now {
    Now { mono: Duration::from_millis(ms as u64), wall_ms: 1_000_000 + ms }
}

fn facts() -> Facts {
    Facts {
        cluster_id: "c".into(),
        profile: "lab".into(),
        node_ids: vec![1, 2, 3, 3000, 3001, 3002],
        default_min_insync_replicas: 1,
        node_config: None,
        ..Facts::default()
    }
}

fn partition(leader: i32, leader_epoch: i32, isr: &[i32]) -> PartitionImage {
    PartitionImage { leader, leader_epoch, replicas: vec![1, 2, 3], isr: isr.to_vec(), ..PartitionImage::default() }
}

fn image(offset: i64, topics: &[(&str, u8, Vec<PartitionImage>)]) -> Arc<Image> {
    let mut image = Image { offset, epoch: 1, ..Image::default() };
    for (name, id, partitions) in topics {
        let id = Id([*id; 16]);
        image.topic_ids.insert((*name).into(), id);
        image.topics.insert(id, Arc::new(TopicImage { name: (*name).into(), id, partitions: partitions.clone() }));
    }
    Arc::new(image)
}

fn replica(topic: &str, is_leader: bool, leader_epoch: i32, log_end_offset: i64, high_watermark: i64) -> ReplicaReport {
    ReplicaReport {
        partition: TopicPartition::new(topic, 0),
        is_leader,
        leader_epoch,
        log_start_offset: 0,
        log_end_offset,
        high_watermark,
        last_stable_offset: high_watermark,
        epoch_start_offset: -1,
        acknowledged_end_offset: -1,
        size_bytes: 100 * log_end_offset as u64,
        segments: 1,
        retention_size_percent: 0,
        log_dir: "/data".into(),
    }
}

fn broker(node_id: i32, image: Option<&Arc<Image>>, partitions: Vec<ReplicaReport>) -> BrokerReport {
    BrokerReport { node_id, incarnation: Id([9; 16]), image: image.cloned(), partitions, ..BrokerReport::default() }
}

fn controller(node_id: i32, role: &'static str, leader_id: i32, epoch: i32) -> ControllerReport {
    ControllerReport { node_id, role, leader_id, epoch, ..ControllerReport::default() }
}

fn only_partition(snapshot: &Snapshot) -> &Partition {
    &snapshot.topics[0].partitions[0]
}

#[test]
fn the_newest_image_wins_whoever_brings_it() {
    let mut join = Join::new(facts());
    let old = image(10, &[("t", 1, vec![partition(1, 0, &[1, 2, 3])])]);
    let new = image(11, &[("t", 1, vec![partition(2, 1, &[2, 3])])]);
    let mut higher_epoch = (*image(5, &[("t", 1, vec![partition(3, 2, &[3])])])).clone();
    higher_epoch.epoch = 2;
    for (reports, leader) in
        [(vec![&old], 1), (vec![&new, &old], 2), (vec![&Arc::new(higher_epoch)], 3), (vec![&new], 3)]
    {
        for (index, image) in reports.into_iter().enumerate() {
            join.broker(&broker(index as i32 + 1, Some(image), Vec::new()));
        }
        assert_eq!(only_partition(&join.snapshot(at(0))).leader, leader);
    }
}

#[test]
fn the_leaders_word_counts() {
    // (leader in the image, replicas as (node, is leader, epoch, log end, high watermark)) → high watermark, size
    for (leader, replicas, high_watermark, size_bytes) in [
        (1, vec![(1, true, 0, 12, 10), (2, false, 0, 11, 9)], 10, 1200),
        // The old leader, cut off, still holds itself for the leader.
        (2, vec![(1, true, 0, 50, 40), (2, true, 1, 12, 12)], 12, 1200),
        // The new leader has not told yet: the last that was leader knows most.
        (2, vec![(1, true, 0, 50, 40), (2, false, 0, 45, 39)], 40, 5000),
        // Nobody leads: the last epoch's word stays.
        (-1, vec![(1, true, 3, 50, 40), (2, true, 1, 99, 99)], 40, 5000),
        (1, vec![], 0, 0),
    ] {
        let mut join = Join::new(facts());
        let image = image(1, &[("t", 1, vec![partition(leader, 0, &[1, 2, 3])])]);
        for (node_id, is_leader, epoch, log_end, high_watermark) in &replicas {
            let replica = replica("t", *is_leader, *epoch, *log_end, *high_watermark);
            join.broker(&broker(*node_id, Some(&image), vec![replica]));
        }
        join.broker(&broker(3, Some(&image), Vec::new()));
        let snapshot = join.snapshot(at(0));
        let partition = only_partition(&snapshot);
        assert_eq!((partition.high_watermark, partition.size_bytes), (high_watermark, size_bytes), "{replicas:?}");
        let ends: BTreeMap<i32, i64> = replicas.iter().map(|(node_id, .., end, _)| (*node_id, *end)).collect();
        assert_eq!(partition.log_end_offsets, ends);
    }
}

#[test]
fn a_topic_made_again_forgets_the_old_replicas() {
    let mut join = Join::new(facts());
    let first = image(1, &[("t", 1, vec![partition(1, 0, &[1])])]);
    join.broker(&broker(1, Some(&first), vec![replica("t", true, 0, 100, 100)]));
    assert_eq!(only_partition(&join.snapshot(at(0))).high_watermark, 100);
    let second = image(2, &[("t", 2, vec![partition(2, 0, &[2])])]);
    join.broker(&broker(2, Some(&second), vec![replica("t", true, 0, 3, 3)]));
    let snapshot = join.snapshot(at(1));
    assert_eq!(only_partition(&snapshot).high_watermark, 3);
    assert_eq!(only_partition(&snapshot).log_end_offsets, BTreeMap::from([(2, 3)]));
    join.broker(&broker(2, Some(&image(3, &[])), Vec::new()));
    assert!(join.snapshot(at(2)).topics.is_empty());
}

#[test]
fn unchanged_topics_and_groups_keep_their_arc() {
    let mut join = Join::new(facts());
    let one = vec![partition(1, 0, &[1, 2, 3])];
    let mut report = broker(1, Some(&image(1, &[("a", 1, one.clone()), ("b", 2, one.clone())])), Vec::new());
    report.groups = vec![group("g", Some("Stable"), &[])];
    join.broker(&report);
    let before = join.snapshot(at(0));
    // Another node's image: equal topics in other places, and one that changed.
    join.broker(&broker(2, Some(&image(2, &[("a", 1, one), ("b", 2, vec![partition(2, 1, &[2])])])), Vec::new()));
    assert!(join.is_dirty());
    let after = join.snapshot(at(1));
    assert!(!join.is_dirty());
    assert_eq!(after.sequence, before.sequence + 1);
    assert!(Arc::ptr_eq(&before.topics[0], &after.topics[0]));
    assert!(!Arc::ptr_eq(&before.topics[1], &after.topics[1]));
    assert!(Arc::ptr_eq(&before.groups[0], &after.groups[0]));
    join.broker(&broker(2, None, Vec::new()));
    join.tick(at(1000));
    assert!(!join.is_dirty(), "a report without news is no news");
}

#[test]
fn totals_count_what_is_wrong() {
    // (leader, isr, min.insync.replicas of the topic) → under-replicated, under min ISR, offline
    for (leader, isr, min_isr, expected) in [
        (1, &[1, 2, 3][..], None, (0, 0, 0)),
        (1, &[1, 2], None, (1, 0, 0)),
        (1, &[1], Some("2"), (1, 1, 0)),
        (1, &[1, 2], Some("2"), (1, 0, 0)),
        (-1, &[1], Some("2"), (1, 1, 1)),
        (1, &[1, 2, 3], Some("5"), (0, 0, 0)),
    ] {
        let mut image = (*image(1, &[("t", 1, vec![partition(leader, 0, isr)])])).clone();
        if let Some(min_isr) = min_isr {
            let config = BTreeMap::from([("min.insync.replicas".to_string(), min_isr.to_string())]);
            image.configs.insert((2, "t".into()), Arc::new(config));
        }
        let mut join = Join::new(facts());
        join.broker(&broker(1, Some(&Arc::new(image)), vec![replica("t", true, 0, 2, 2)]));
        let snapshot = join.snapshot(at(0));
        let totals = snapshot.totals;
        let counts = (totals.under_replicated_partitions, totals.under_min_isr_partitions, totals.offline_partitions);
        assert_eq!(counts, expected, "{leader} {isr:?} {min_isr:?}");
        assert_eq!((totals.partitions, totals.replicas, totals.log_size_bytes), (1, 3, 200));
        assert_eq!(snapshot.brokers[0].leaders, usize::from(leader == 1));
        assert_eq!(snapshot.brokers[2].out_of_sync_replicas, usize::from(!isr.contains(&3)));
        assert_eq!(snapshot.brokers[0].log_size_bytes, 200);
    }
}

#[test]
fn brokers_come_from_registration_and_report() {
    let mut join = Join::new(facts());
    assert_eq!(join.snapshot(at(0)).brokers.len(), 3, "brokers that have told nothing are there");
    let mut image = (*image(1, &[])).clone();
    let endpoint = Endpoint { name: "PLAINTEXT".into(), host: "registered".into(), port: 9094, security_protocol: 0 };
    let registered = BrokerImage {
        id: 3,
        epoch: 7,
        incarnation: Id::ZERO,
        endpoints: vec![endpoint],
        rack: Some("c".into()),
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
        features: Vec::new(),
        cordoned_log_dirs: Vec::new(),
    };
    image.brokers.insert(3, Arc::new(registered));
    let mut report = broker(1, Some(&Arc::new(image)), Vec::new());
    (report.host, report.port) = ("told".into(), 9092);
    join.broker(&report);
    join.lifecycle(3, NodeState::Killed);
    let brokers = join.snapshot(at(1)).brokers;
    assert_eq!(
        (brokers[0].host.as_str(), brokers[0].port, brokers[0].epoch, brokers[0].fenced),
        ("told", 9092, -1, true)
    );
    assert_eq!(
        (brokers[2].host.as_str(), brokers[2].port, brokers[2].epoch, brokers[2].fenced),
        ("registered", 9094, 7, false)
    );
    assert_eq!(
        (brokers[0].state, brokers[1].state, brokers[2].state),
        (NodeState::Running, NodeState::Starting, NodeState::Killed)
    );
    assert_eq!(brokers[2].rack.as_deref(), Some("c"));
}

#[test]
fn the_true_controller_is_the_running_leader_of_the_highest_epoch() {
    let follower = |id, leader_id, epoch| controller(id, "follower", leader_id, epoch);
    let leader = |id, epoch| controller(id, "leader", id, epoch);
    for (reports, killed, leader_id, epoch, active) in [
        (vec![leader(3000, 1), follower(3001, 3000, 1)], None, 3000, 1, 1),
        // A paused or cut off leader still holds itself for one.
        (vec![leader(3000, 1), leader(3001, 2)], None, 3001, 2, 2),
        (vec![leader(3000, 1), follower(3001, 3000, 1)], Some(3000), -1, 1, 0),
        (vec![follower(3001, 3000, 4), follower(3000, -1, 4)], None, 3000, 4, 0),
        (vec![leader(3000, 1), controller(3001, "candidate", -1, 2)], None, -1, 2, 1),
    ] {
        let mut join = Join::new(facts());
        reports.iter().for_each(|report| join.controller(report));
        if let Some(id) = killed {
            join.lifecycle(id, NodeState::Killed);
        }
        let snapshot = join.snapshot(at(0));
        assert_eq!((snapshot.quorum.leader_id, snapshot.quorum.epoch), (leader_id, epoch), "{reports:?}");
        assert_eq!(snapshot.totals.active_controllers, active);
        let roles: Vec<&str> = snapshot.quorum.voters.iter().map(|voter| voter.role.as_str()).collect();
        assert_eq!(roles.len(), 3);
        assert_eq!(roles[0] == "offline", killed == Some(3000));
    }
}

fn group(id: &str, state: Option<&'static str>, offsets: &[(i32, i64)]) -> GroupReport {
    GroupReport {
        group_id: id.into(),
        group_type: "consumer",
        state,
        generation: 1,
        protocol_type: "consumer".into(),
        protocol: "range".into(),
        members: Vec::new(),
        offsets: offsets.iter().map(|(partition, offset)| (TopicPartition::new("t", *partition), *offset)).collect(),
    }
}

#[test]
fn lag_is_never_negative_and_unknown_partitions_have_none() {
    let mut join = Join::new(facts());
    let image = image(1, &[("t", 1, vec![partition(1, 0, &[1])])]);
    let mut report = broker(1, Some(&image), vec![replica("t", true, 0, 10, 10)]);
    report.groups = vec![group("g", Some("Stable"), &[(0, 4), (7, 3)])];
    join.broker(&report);
    // The coordinator tells of the offsets before the leader tells of its high watermark.
    report.groups = vec![group("g", Some("Stable"), &[(0, 14), (7, 3)])];
    let lags = |snapshot: &Snapshot| -> Vec<(i64, Option<i64>)> {
        snapshot.groups[0].offsets.iter().map(|offset| (offset.lag, offset.lag_ms)).collect()
    };
    let snapshot = join.snapshot(at(0));
    assert_eq!(lags(&snapshot), [(6, None), (0, None)]);
    assert_eq!((snapshot.groups[0].total_lag, snapshot.totals.total_lag), (6, 6));
    join.broker(&report);
    let snapshot = join.snapshot(at(1));
    assert_eq!(lags(&snapshot), [(0, Some(0)), (0, None)]);
    assert_eq!(snapshot.groups[0].kind, "consumer");
    // Kafka takes whatever number is committed.
    for (committed, lag) in [(-5, 10), (i64::MIN, 10), (i64::MAX, 0)] {
        report.groups = vec![group("g", Some("Stable"), &[(0, committed)])];
        join.broker(&report);
        assert_eq!(join.snapshot(at(2)).groups[0].offsets[0].lag, lag, "{committed}");
    }
}

#[test]
fn lag_in_time_is_the_age_of_the_first_record_that_was_not_read() {
    let mut join = Join::new(facts());
    let image = image(1, &[("t", 1, vec![partition(1, 4, &[1])])]);
    let mut report = broker(1, Some(&image), vec![replica("t", true, 4, 300, 300)]);
    report.groups = vec![group("g", Some("Stable"), &[(0, 100), (7, 5)])];
    join.broker(&report);
    let lag_ms = |join: &mut Join, ms| join.snapshot(at(ms)).groups[0].offsets[0].lag_ms;
    assert_eq!(lag_ms(&mut join, 0), None, "nobody has looked yet");
    // A new group is asked for at once; what is not known of the cluster is not.
    let mut asked = join.questions(at(0), false);
    assert_eq!(asked.len(), 1);
    let question = asked.remove(0);
    assert_eq!((question.offset, question.high_watermark, question.place.leader_epoch), (100, 300, 4));
    assert_eq!(question.place.dir, std::path::Path::new("/data/t-0"));
    assert!(join.questions(at(1), false).is_empty());
    // Ten minutes old when it was written into the log: how fast it was read or written plays no part.
    let found = Found::Record { offset: 100, timestamp_ms: at(0).wall_ms - 600_000 };
    join.answers(vec![Answer { question, found }]);
    assert!(join.is_dirty());
    assert_eq!(lag_ms(&mut join, 2_000), Some(602_000));
    assert!(join.questions(at(3_000), true).is_empty(), "it is known already");
    // The group goes on: asked once a second, and until then as old as it was.
    report.groups = vec![group("g", Some("Stable"), &[(0, 120), (7, 5)])];
    join.broker(&report);
    assert_eq!(lag_ms(&mut join, 3_500), Some(600_000));
    assert!(join.questions(at(3_500), false).is_empty());
    assert_eq!(join.questions(at(4_000), true).len(), 1);
    report.groups = vec![group("g", Some("Stable"), &[(0, 300), (7, 5)])];
    join.broker(&report);
    assert_eq!(lag_ms(&mut join, 4_500), Some(0));
    assert!(join.questions(at(5_000), true).is_empty());
}

#[test]
fn who_was_not_asked_for_is_first_the_next_time() {
    let mut join = Join::new(facts());
    let partitions = vec![partition(1, 0, &[1]); 1_500];
    let image = image(1, &[("t", 1, partitions)]);
    let mut report = broker(1, Some(&image), Vec::new());
    for index in 0..1_500 {
        let partition = TopicPartition::new("t", index);
        report.partitions.push(ReplicaReport { partition, ..replica("t", true, 0, 10, 10) });
    }
    let offsets: Vec<(i32, i64)> = (0..1_500).map(|index| (index, 0)).collect();
    report.groups = ["a", "b", "c"].map(|id| group(id, Some("Stable"), &offsets)).into();
    join.broker(&report);
    join.snapshot(at(0));
    let mut asked = || -> Vec<String> {
        let questions = join.questions(at(1_000), true);
        assert!(questions.len() <= QUESTIONS_MAX + 1_500);
        let mut groups: Vec<String> = questions.iter().map(|question| question.group.to_string()).collect();
        groups.dedup();
        groups
    };
    assert_eq!(
        (asked(), asked(), asked()),
        (["a", "b"].map(String::from).into(), ["c", "a"].map(String::from).into(), ["b", "c"].map(String::from).into())
    );
}

#[test]
fn how_far_a_share_group_has_come_is_told_by_others_than_its_coordinator() {
    let mut join = Join::new(facts());
    let image = image(1, &[("t", 1, vec![partition(1, 0, &[1, 2, 3])])]);
    let told = |topic: u8, start_offset, delivery_complete_count| ShareProgress {
        group_id: "s".into(),
        id: TopicIdPartition { topic_id: Id([topic; 16]), partition: 0 },
        start_offset,
        delivery_complete_count,
    };
    let by = |node_id, shared: Vec<ShareProgress>| BrokerReport {
        shared: Some(shared.into()),
        ..broker(node_id, Some(&image), vec![replica("t", node_id == 1, 0, 50, 50)])
    };
    // Before its coordinator tells of it; of a topic that is gone too.
    join.broker(&by(2, vec![told(1, 20, 5), told(9, 1, 0)]));
    let shared = GroupReport { group_type: "share", ..group("s", Some("Stable"), &[]) };
    join.broker(&BrokerReport { groups: vec![shared.clone()], ..by(1, vec![]) });
    let seen = |join: &mut Join| {
        let snapshot = join.snapshot(at(0));
        let group = &snapshot.groups[0];
        assert!(group.offsets.is_empty() && !group.has_lag() && group.total_lag == 0);
        group.shared.iter().map(|one| (one.topic.to_string(), one.start_offset, one.lag)).collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut join), [("t".to_owned(), 20, 25)]);
    // Told again by its coordinator, nothing of that is forgotten.
    join.broker(&BrokerReport { groups: vec![shared], ..broker(1, None, Vec::new()) });
    assert_eq!(seen(&mut join), [("t".to_owned(), 20, 25)]);
    // Another broker keeps the state now; the one that kept it is down, and cannot take it back.
    join.lifecycle(2, NodeState::Killed);
    join.broker(&by(3, vec![told(1, 50, -1)]));
    assert_eq!(seen(&mut join), [("t".to_owned(), 50, 0)]);
    let groups = join.snapshot(at(0)).groups;
    assert_eq!((groups[0].is_measured(), groups[0].shared[0].lag_ms), (true, Some(0)));
    join.broker(&by(3, vec![]));
    join.lifecycle(2, NodeState::Running);
    join.broker(&by(2, vec![]));
    assert_eq!(seen(&mut join), []);
}

#[test]
fn only_its_coordinator_removes_a_group() {
    let mut join = Join::new(facts());
    let tell = |join: &mut Join, node_id, state| {
        let mut report = broker(node_id, None, Vec::new());
        report.groups = vec![group("g", state, &[])];
        join.broker(&report);
        let groups = join.snapshot(at(0)).groups;
        groups.first().map(|group| group.coordinator)
    };
    assert_eq!(tell(&mut join, 1, Some("Stable")), Some(1));
    assert_eq!(tell(&mut join, 2, Some("Stable")), Some(2));
    assert_eq!(tell(&mut join, 1, None), Some(2));
    assert_eq!(tell(&mut join, 2, None), None);
}

#[test]
fn a_restarted_broker_tells_everything_anew() {
    let mut join = Join::new(facts());
    let image = image(1, &[("t", 1, vec![partition(1, 0, &[1, 2, 3])])]);
    join.broker(&broker(1, Some(&image), vec![replica("t", true, 0, 10, 10)]));
    join.lifecycle(1, NodeState::Killed);
    assert_eq!(only_partition(&join.snapshot(at(0))).log_end_offsets, BTreeMap::from([(1, 10)]), "its last word stays");
    join.lifecycle(1, NodeState::Starting);
    join.broker(&BrokerReport { incarnation: Id([8; 16]), ..broker(1, None, Vec::new()) });
    assert!(only_partition(&join.snapshot(at(1))).log_end_offsets.is_empty());
}

#[test]
fn a_broker_that_is_down_has_no_traffic() {
    let mut join = Join::new(facts());
    let mut report = broker(1, None, Vec::new());
    for (ms, messages_in) in [(1000, 0), (2000, 500)] {
        report.at_ms = ms;
        report.counters.messages_in = messages_in;
        join.broker(&report);
        join.tick(at(ms));
    }
    assert_eq!(join.snapshot(at(2000)).totals.rates.messages_in_per_s, 500.0);
    join.lifecycle(1, NodeState::Killed);
    join.tick(at(3000));
    assert_eq!(join.snapshot(at(3000)).totals.rates.messages_in_per_s, 0.0);
}

#[test]
fn failed_log_directories_are_told_until_the_broker_is_down() {
    let mut join = Join::new(facts());
    let offline = |join: &mut Join| join.snapshot(at(0)).brokers[0].offline_log_dirs.clone();
    join.broker(&broker(1, None, Vec::new()));
    assert!(offline(&mut join).is_empty());
    join.broker(&BrokerReport { offline_log_dirs: vec!["/d1".into()], ..broker(1, None, Vec::new()) });
    assert!(join.is_dirty());
    assert_eq!(offline(&mut join), ["/d1"]);
    join.lifecycle(1, NodeState::Killed);
    assert!(offline(&mut join).is_empty());
}

#[test]
fn ten_thousand_partitions_are_joined_in_passing() {
    let mut join = Join::new(facts());
    let topics: Vec<(String, u8)> = (0..100u8).map(|number| (format!("topic-{number}"), number)).collect();
    let rows: Vec<(&str, u8, Vec<PartitionImage>)> =
        topics.iter().map(|(name, id)| (name.as_str(), *id, vec![partition(1, 0, &[1, 2, 3]); 100])).collect();
    let image = image(1, &rows);
    join.broker(&broker(1, Some(&image), Vec::new()));
    let first = join.snapshot(at(0));
    assert_eq!(first.totals.partitions, 10_000);
    join.broker(&broker(1, None, vec![replica("topic-5", true, 0, 1, 1)]));
    let second = join.snapshot(at(50));
    let rebuilt = first.topics.iter().zip(&second.topics).filter(|(before, after)| !Arc::ptr_eq(before, after)).count();
    assert_eq!(rebuilt, 1);
}

#[test]
fn brokers_come_and_go() {
    let mut join = Join::new(facts());
    let image = image(1, &[("t", 1, vec![partition(1, 0, &[1])])]);
    join.broker(&broker(1, Some(&image), vec![replica("t", true, 0, 9, 9)]));
    join.lifecycle(4, NodeState::Starting);
    let moving = Moving { partitions_left: 1, ongoing: 1, waiting_for: None };
    join.membership(MembershipReport {
        brokers: vec![1, 2, 3, 4],
        controllers: vec![3000],
        leaving: Some(1),
        moving: Some(moving),
    });
    let snapshot = join.snapshot(at(0));
    assert_eq!(snapshot.brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let told = serde_json::to_value(&snapshot).unwrap();
    let moving = serde_json::json!({ "partitions_left": 1, "ongoing": 1, "waiting_for": null });
    assert_eq!(told["membership"], serde_json::json!({ "leaving": 1, "moving": moving }));

    join.membership(MembershipReport { brokers: vec![2, 3, 4], controllers: vec![3000], leaving: None, moving: None });
    assert!(join.is_dirty());
    let snapshot = join.snapshot(at(1));
    assert_eq!(snapshot.brokers.iter().map(|broker| broker.id).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(only_partition(&snapshot).log_end_offsets.is_empty(), "its replicas went with it");
    assert!(serde_json::to_value(&snapshot).unwrap().get("membership").is_none());
}

#[test]
fn faults_that_are_over_are_remembered_within_a_bound() {
    let fault = |id: u64, until_ms| ActiveFault {
        id,
        kind: "cut".into(),
        node_id: 1,
        node_ids: vec![1, 2],
        what: "broker 1 is cut off from broker 2".into(),
        since_ms: 100,
        until_ms,
        request: Arc::new(FaultRequest::new(FaultKind::Cut)),
    };
    let mut join = Join::new(facts());
    join.set_faults(vec![fault(1, None), fault(2, Some(900))], 100);
    assert!(join.snapshot(at(0)).past_faults.is_empty());
    join.set_faults(vec![fault(1, None)], 1_000);
    join.set_faults(Vec::new(), 2_000);
    let past = |id, until_ms, ended_ms| PastFault { fault: fault(id, until_ms), ended_ms };
    assert_eq!(*join.snapshot(at(1)).past_faults, [past(2, Some(900), 900), past(1, None, 2_000)]);
    for id in 3..3 + 2 * PAST_FAULTS_MAX as u64 {
        join.set_faults(vec![fault(id, None)], 3_000);
    }
    assert_eq!(join.snapshot(at(2)).past_faults.len(), PAST_FAULTS_MAX);
}
