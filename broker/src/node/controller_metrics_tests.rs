//! What controllers tell, against what the test made happen.

use std::time::Duration;

use super::controller_tests::{Cluster, SNAPSHOTS, VOTERS, alone_with};
use crate::metrics::table::{controller as bean, metadata, raft};
use crate::metrics::{Bean, MetricsReport, Reading};
use crate::quorum::{FetchOutcome, Message, VoteRequest};
use crate::server::peer::{PeerMessage, PeerRequest};
use crate::types::{Id, NodeId};

fn report(cluster: &mut Cluster, id: NodeId) -> MetricsReport {
    let now = cluster.now;
    cluster.nodes.get_mut(&id).unwrap().metrics_report(now).unwrap()
}

fn reports(cluster: &mut Cluster) -> Vec<(NodeId, MetricsReport)> {
    let ids: Vec<NodeId> = cluster.nodes.keys().copied().collect();
    ids.into_iter().map(|id| (id, report(cluster, id))).collect()
}

fn value(report: &MetricsReport, bean: &'static Bean) -> f64 {
    let of: Vec<_> = report.of(bean).collect();
    assert_eq!(of.len(), 1, "{bean:?}");
    of[0].value()
}

/// A registered broker with two topics of a partition each.
fn with_topics() -> (Cluster, i64) {
    let mut cluster = Cluster::new();
    cluster.run(1_000);
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    let active = cluster.active();
    cluster.ask(active, Cluster::create("t"));
    cluster.ask(active, Cluster::create("u"));
    (cluster, epoch)
}

#[test]
fn one_is_active_and_all_know_the_cluster() {
    let (mut cluster, epoch) = with_topics();
    let active = cluster.active();
    cluster.heartbeat(epoch);
    let heard_at = cluster.now.mono;
    cluster.run(1_000);
    let silent_ms = (cluster.now.mono - heard_at).as_millis() as f64;
    for (id, report) in reports(&mut cluster) {
        assert_eq!(value(&report, &bean::ACTIVE_CONTROLLER_COUNT), f64::from(u8::from(id == active)));
        assert_eq!(value(&report, &bean::GLOBAL_TOPIC_COUNT), 2.0);
        assert_eq!(value(&report, &bean::GLOBAL_PARTITION_COUNT), 2.0);
        assert_eq!(value(&report, &bean::OFFLINE_PARTITIONS_COUNT), 0.0);
        assert_eq!(value(&report, &bean::PREFERRED_REPLICA_IMBALANCE_COUNT), 0.0);
        assert_eq!(
            (value(&report, &bean::ACTIVE_BROKER_COUNT), value(&report, &bean::FENCED_BROKER_COUNT)),
            (1.0, 0.0)
        );
        assert_eq!(report.get(&bean::BROKER_REGISTRATION_STATE, &[("broker", "1")]).unwrap().value(), 30.0);
        let contacts: Vec<_> = report.of(&bean::TIME_SINCE_LAST_HEARTBEAT).collect();
        assert_eq!(contacts.len(), usize::from(id == active), "only the active one hears of brokers");
        // The answer took up to 50 ms of the harness's time.
        assert!(contacts.iter().all(|series| (series.value() - silent_ms - 50.0).abs() <= 1.0), "{contacts:?}");
        assert_eq!(value(&report, &metadata::CURRENT_CONTROLLER_ID), f64::from(active));
        assert_eq!(value(&report, &metadata::CURRENT_METADATA_VERSION), 30.0);
    }
}

#[test]
fn a_broker_that_falls_silent_is_counted_as_fenced_and_its_partitions_as_offline() {
    let (mut cluster, _) = with_topics();
    // A session is 1.5 s in this profile.
    cluster.run(2_000);
    for (_, report) in reports(&mut cluster) {
        assert_eq!(
            (value(&report, &bean::ACTIVE_BROKER_COUNT), value(&report, &bean::FENCED_BROKER_COUNT)),
            (0.0, 1.0)
        );
        assert_eq!(value(&report, &bean::OFFLINE_PARTITIONS_COUNT), 2.0);
        assert_eq!(value(&report, &bean::PREFERRED_REPLICA_IMBALANCE_COUNT), 2.0);
        assert_eq!(report.get(&bean::BROKER_REGISTRATION_STATE, &[("broker", "1")]).unwrap().value(), 10.0);
    }
}

#[test]
fn elections_are_told_apart_by_what_they_may_have_cost() {
    let (mut cluster, epoch) = with_topics();
    let counts = |cluster: &mut Cluster| {
        cluster.run(1_000);
        let of = |(_, report): (NodeId, MetricsReport)| {
            (value(&report, &bean::UNCLEAN_LEADER_ELECTIONS), value(&report, &bean::ELECTIONS_FROM_ELR))
        };
        reports(cluster).into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(counts(&mut cluster), [(0.0, 0.0); 3], "who leads from the beginning was not elected");
    cluster.run(1_500);
    // Nobody is in sync while it is away, but it is still eligible.
    cluster.heartbeat(epoch);
    assert_eq!(counts(&mut cluster), [(0.0, 2.0); 3]);
    cluster.run(1_500);
    // It comes back as one that cannot say how it ended.
    let epoch = cluster.register(2);
    cluster.heartbeat(epoch);
    assert_eq!(counts(&mut cluster), [(2.0, 2.0); 3]);
    // One that starts later reads of all this, but it is history.
    let standby = VOTERS.into_iter().find(|id| *id != cluster.active()).unwrap();
    cluster.nodes.remove(&standby);
    cluster.start(standby);
    cluster.heartbeat(epoch);
    cluster.run(1_000);
    let report = report(&mut cluster, standby);
    assert_eq!(
        (value(&report, &bean::UNCLEAN_LEADER_ELECTIONS), value(&report, &bean::ELECTIONS_FROM_ELR)),
        (0.0, 0.0)
    );
}

#[test]
fn the_log_is_told_as_far_as_each_has_it() {
    let (mut cluster, _) = with_topics();
    cluster.run(1_000);
    let active = cluster.active();
    let end = cluster.nodes[&active].quorum().log_end_offset();
    let offset = cluster.nodes[&active].image().offset;
    for (id, report) in reports(&mut cluster) {
        let of = |bean| value(&report, bean);
        assert_eq!((of(&raft::LOG_END_OFFSET), of(&raft::HIGH_WATERMARK)), (end as f64, end as f64));
        assert_eq!((of(&bean::LAST_APPLIED_RECORD_OFFSET), of(&bean::LAST_COMMITTED_RECORD_OFFSET)), {
            (offset as f64, offset as f64)
        });
        assert_eq!((of(&raft::CURRENT_LEADER), of(&raft::NUMBER_OF_VOTERS)), (f64::from(active), 3.0));
        let state = report.of(&raft::CURRENT_STATE).next().unwrap().label("current_state").unwrap().to_string();
        assert_eq!(state, if id == active { "leader" } else { "follower" });
        assert_eq!(of(&raft::CURRENT_EPOCH), of(&raft::LOG_END_EPOCH));
        let leads = usize::from(id == active);
        assert_eq!(report.of(&raft::NUMBER_OF_OBSERVERS).count(), leads);
        let commits = of(&raft::COMMIT_LATENCY_MAX);
        match leads {
            // The harness syncs and delivers within a millisecond or two.
            1 => assert!((0.0..=3.0).contains(&commits), "{commits}"),
            _ => assert!(commits.is_nan(), "only a leader commits"),
        }
        let at = cluster.now.wall_ms as f64;
        assert_eq!(of(&bean::LAST_APPLIED_RECORD_LAG), at - of(&bean::LAST_APPLIED_RECORD_TIMESTAMP));
        assert!((900.0..=1_200.0).contains(&of(&bean::LAST_APPLIED_RECORD_LAG)), "the last topic is a second old");
    }
}

#[test]
fn each_request_to_the_quorum_and_each_answer_is_counted() {
    let (mut cluster, _) = with_topics();
    cluster.run(1_000);
    let is_request = |message: &&Message| format!("{message:?}").split(['(', ' ']).next().unwrap().ends_with("Request");
    for id in VOTERS {
        let report = report(&mut cluster, id);
        let requests = cluster.sent[&id].iter().filter(is_request).count();
        let answers = cluster.heard[&id].iter().filter(|message| !is_request(message)).count();
        assert_eq!(value(&report, &raft::REQUEST_TOTAL), requests as f64);
        assert_eq!(value(&report, &raft::RESPONSE_TOTAL), answers as f64);
        assert!(requests > 0 && answers > 0);
        let bytes = value(&report, &raft::OUTGOING_BYTE_TOTAL) / requests as f64;
        assert!((80.0..=200.0).contains(&bytes), "{bytes} bytes of a request");
    }
}

#[test]
fn a_new_leader_is_seen_by_all_and_its_election_timed() {
    let (mut cluster, _) = with_topics();
    cluster.run(1_000);
    let old = cluster.active();
    let before: Vec<_> = reports(&mut cluster)
        .into_iter()
        .map(|(id, report)| (id, value(&report, &bean::NEW_ACTIVE_CONTROLLERS_COUNT)))
        .collect();
    cluster.nodes.remove(&old);
    let cut_at = cluster.now.mono;
    while !cluster.nodes.values().any(|node| node.is_active()) {
        cluster.run(1);
    }
    let took_ms = (cluster.now.mono - cut_at).as_millis() as f64;
    cluster.run(1_000);
    let new = cluster.active();
    for (id, report) in reports(&mut cluster) {
        let seen = before.iter().find(|(other, _)| *other == id).unwrap().1;
        assert_eq!(value(&report, &bean::NEW_ACTIVE_CONTROLLERS_COUNT), seen + 1.0);
        if id == new {
            let latency = value(&report, &raft::ELECTION_LATENCY_MAX);
            assert!(latency <= took_ms, "{latency} of {took_ms} ms");
        }
    }
}

#[test]
fn requests_and_timers_are_counted_with_the_time_that_they_took() {
    let (mut cluster, epoch) = with_topics();
    let active = cluster.active();
    cluster.run(1_000);
    cluster.nodes.get_mut(&active).unwrap().stopwatch = ticking;
    let before = value(&report(&mut cluster, active), &bean::EVENT_QUEUE_OPERATIONS_STARTED_COUNT);
    for _ in 0..20 {
        cluster.heartbeat(epoch);
    }
    let report = report(&mut cluster, active);
    let started = value(&report, &bean::EVENT_QUEUE_OPERATIONS_STARTED_COUNT);
    assert!(started - before >= 20.0, "{before} {started}");
    let Reading::Histogram(times) = &report.of(&bean::EVENT_QUEUE_PROCESSING_TIME).next().unwrap().reading else {
        panic!()
    };
    assert_eq!((times.count as f64, times.max), (started, 2.0), "the stopwatch is read twice for each, 2 ms apart");
    let idle = value(&report, &bean::AVG_IDLE_RATIO);
    assert!((0.4..=0.6).contains(&idle), "by this stopwatch every other interval is work: {idle}");
}

/// Where the test has put it.
fn put() -> Duration {
    PUT_MS.with(|ms| Duration::from_millis(ms.get()))
}

thread_local!(static PUT_MS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });

#[test]
fn requests_wait_from_their_arrival_until_their_turn() {
    use super::Delivered;
    use crate::metrics::table::requests;
    let (mut cluster, _) = with_topics();
    let active = cluster.active();
    cluster.run(1_000);
    let read = |report: &MetricsReport, bean, labels: &[(&str, &str)]| match &report.get(bean, labels).unwrap().reading
    {
        Reading::Histogram(times) => **times,
        other => panic!("{other:?}"),
    };
    let before = read(&report(&mut cluster, active), &bean::EVENT_QUEUE_TIME, &[]);
    let (now, node) = (cluster.now, cluster.nodes.get_mut(&active).unwrap());
    node.stopwatch = put;
    // Three that came while the thread was at something else, one that came to an idle thread; and a message of the quorum, which is none of
    // the controller's operations, as in Kafka.
    let waits = [(200, 260), (230, 262), (262, 262), (900, 900)];
    for (correlation, (arrived_ms, begun_ms)) in waits.into_iter().enumerate() {
        PUT_MS.set(begun_ms);
        let body = PeerRequest::ListPartitionReassignments(Box::default());
        let message = PeerMessage::Request { correlation: 10_000 + correlation as u64, body };
        node.on_delivered(now, Delivered { from: 1, arrived: Duration::from_millis(arrived_ms), message });
        // Timers have no time of arrival.
        node.on_tick(now);
    }
    let vote = VoteRequest {
        epoch: 0,
        last_epoch: 0,
        log_end_offset: 0,
        directory_id: Id::ZERO,
        voter_directory_id: Id::ZERO,
        pre_vote: false,
    };
    let message = PeerMessage::Quorum(Message::VoteRequest(vote));
    node.on_delivered(now, Delivered { from: 3002, arrived: Duration::from_millis(850), message });
    cluster.run(1_000);
    let report = report(&mut cluster, active);
    let expected: Vec<u64> = waits.iter().map(|(arrived, begun)| begun - arrived).collect();
    let (count, sum) = (expected.len() as u64, expected.iter().sum::<u64>() as f64);
    let after = read(&report, &bean::EVENT_QUEUE_TIME, &[]);
    assert_eq!((after.count - before.count, (after.sum - before.sum).round(), after.max), (count, sum, 60.0));
    let queued = read(&report, &requests::REQUEST_QUEUE_TIME, &[("request", "ListPartitionReassignments")]);
    assert_eq!((queued.count, queued.sum.round(), queued.max), (count, sum, 60.0));
    let votes = read(&report, &requests::REQUEST_QUEUE_TIME, &[("request", "Vote")]);
    assert_eq!(votes.max, 50.0);
    let errors = |error| report.get(&requests::ERRORS, &[("request", "Vote"), ("error", error)]).unwrap().value();
    assert_eq!(errors("FENCED_LEADER_EPOCH"), 1.0, "an epoch that is over");
}

#[test]
fn requests_of_brokers_and_of_members_are_counted_by_api() {
    use crate::metrics::table::requests;
    use crate::protocol::Api;
    let (mut cluster, epoch) = with_topics();
    let active = cluster.active();
    for _ in 0..20 {
        cluster.heartbeat(epoch);
    }
    cluster.ask(active, Cluster::create("t"));
    cluster.run(1_000);
    let newest = Api::CreateTopics.max_version().to_string();
    for (id, report) in reports(&mut cluster) {
        let count = |name: &str, version: &str| {
            report.get(&requests::REQUESTS, &[("request", name), ("version", version)]).map_or(0.0, |of| of.value())
        };
        let heard = |fits: &dyn Fn(&Message) -> bool| cluster.heard[&id].iter().filter(|one| fits(one)).count() as f64;
        assert_eq!(count("Vote", "2"), heard(&|message| matches!(message, Message::VoteRequest(_))));
        let fetches = heard(&|message| matches!(message, Message::FetchRequest(_)));
        // Each of the two others has a fetch under way at most.
        assert!((fetches - 2.0..=fetches).contains(&count("Fetch", "18")), "{fetches}");
        assert_eq!(count("FetchFollower", "18"), count("Fetch", "18"));
        // Kafka's answers have an error of the whole, and one of the partition.
        let errors = |request, error| {
            report.get(&requests::ERRORS, &[("request", request), ("error", error)]).map_or(0.0, |of| of.value())
        };
        let told = |fits: &dyn Fn(&Message) -> bool| cluster.sent[&id].iter().filter(|one| fits(one)).count() as f64;
        let fetched = told(&|message| matches!(message, Message::FetchResponse(_)));
        let refused = told(
            &|message| matches!(message, Message::FetchResponse(answer) if matches!(answer.outcome, FetchOutcome::NotLeader)),
        );
        let refusals = ["NOT_LEADER_OR_FOLLOWER", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH"];
        let refusals: f64 = refusals.map(|error| errors("Fetch", error)).iter().sum();
        assert_eq!((errors("Fetch", "NONE"), refusals), (2.0 * fetched - refused, refused));
        let voted = told(&|message| matches!(message, Message::VoteResponse(_)));
        assert_eq!(errors("Vote", "NONE") + errors("Vote", "FENCED_LEADER_EPOCH"), 2.0 * voted);
        let asked = (count("BrokerHeartbeat", "1"), count("BrokerRegistration", "4"), count("CreateTopics", &newest));
        if id != active {
            assert_eq!(asked, (0.0, 0.0, 0.0));
            continue;
        }
        assert_eq!(asked, (21.0, 1.0, 3.0));
        let errors =
            |error| report.get(&requests::ERRORS, &[("request", "CreateTopics"), ("error", error)]).unwrap().value();
        assert_eq!((errors("NONE"), errors("TOPIC_ALREADY_EXISTS")), (2.0, 1.0));
        let bytes = report.get(&requests::REQUEST_BYTES, &[("request", "BrokerHeartbeat")]).unwrap();
        let Reading::Histogram(bytes) = &bytes.reading else { panic!() };
        assert!(bytes.count == 21 && bytes.min > 10.0, "{bytes:?}");
    }
}

/// Two milliseconds later each time that it is asked.
fn ticking() -> Duration {
    use std::cell::Cell;
    thread_local!(static ASKED: Cell<u64> = const { Cell::new(0) });
    ASKED.set(ASKED.get() + 2);
    Duration::from_millis(ASKED.get())
}

#[test]
fn a_broker_that_leaves_is_counted_as_leaving() {
    use crate::protocol::messages::BrokerHeartbeatRequestData;
    let (mut cluster, epoch) = with_topics();
    let request = BrokerHeartbeatRequestData {
        broker_id: 1,
        broker_epoch: epoch,
        current_metadata_offset: epoch,
        want_shut_down: true,
        ..Default::default()
    };
    let active = cluster.active();
    cluster.ask(active, PeerRequest::BrokerHeartbeat(Box::new(request)));
    cluster.run(1_000);
    for (_, report) in reports(&mut cluster) {
        assert_eq!(value(&report, &bean::CONTROLLED_SHUTDOWN_BROKER_COUNT), 1.0);
        assert_eq!(value(&report, &bean::METADATA_ERROR_COUNT), 0.0);
    }
}

/// Snapshots by their files on the disk, and by the test's clock.
#[test]
fn snapshots_are_told_as_they_lie_on_the_disk() {
    let sim = crate::log::SimDisk::new();
    let disk: std::sync::Arc<dyn crate::log::disk::Disk> = std::sync::Arc::new(sim);
    let root = std::path::Path::new("/data");
    let mut cluster = Cluster::new();
    cluster.nodes = [(3000, alone_with(&SNAPSHOTS, &disk, root, cluster.now))].into();
    cluster.wires.clear();
    cluster.run(500);
    let newest = |cluster: &Cluster| cluster.nodes[&3000].quorum().latest_snapshot();
    cluster.run(1_000);
    let before = report(&mut cluster, 3000);
    assert_eq!(value(&before, &metadata::LATEST_SNAPSHOT_GENERATED_BYTES), 0.0, "none was made yet");
    let epoch = cluster.register(1);
    cluster.heartbeat(epoch);
    let (mut known, mut made_at) = (newest(&cluster), cluster.now.wall_ms);
    for topic in 0..40 {
        cluster.ask(3000, Cluster::create(&format!("t{topic}")));
        if newest(&cluster) != known {
            (known, made_at) = (newest(&cluster), cluster.now.wall_ms);
        }
    }
    cluster.run(3_000);
    assert_eq!(newest(&cluster), known, "nothing happens any more");
    let told = report(&mut cluster, 3000);
    let file = root.join("__cluster_metadata-0").join(known.unwrap().file_name());
    let size = disk.open(&file, false).unwrap().len().unwrap();
    assert_eq!(value(&told, &metadata::LATEST_SNAPSHOT_GENERATED_BYTES), size as f64);
    // It was made within the 50 ms that a question takes.
    let age = value(&told, &metadata::LATEST_SNAPSHOT_GENERATED_AGE) - (cluster.now.wall_ms - made_at) as f64;
    assert!((0.0..=60.0).contains(&age), "{age}");
    let loaded = value(&told, &metadata::HANDLE_LOAD_SNAPSHOT_COUNT);
    cluster.nodes = [(3000, alone_with(&SNAPSHOTS, &disk, root, cluster.now))].into();
    cluster.run(1_000);
    let again = report(&mut cluster, 3000);
    assert_eq!(
        (loaded, value(&again, &metadata::HANDLE_LOAD_SNAPSHOT_COUNT)),
        (0.0, 1.0),
        "it begins with the snapshot"
    );
    let level = |name: &str| again.get(&metadata::FINALIZED_LEVEL, &[("featureName", name)]).unwrap().value();
    let features = cluster.nodes[&3000].image().features.clone();
    assert_eq!((level("metadataVersion"), level("groupVersion")), {
        (features["metadata.version"].into(), features["group.version"].into())
    });
}

/// Lets time pass in which only votes arrive.
fn votes_only(cluster: &mut Cluster) {
    cluster.now = cluster.now.plus(Duration::from_millis(1));
    let now = cluster.now;
    for id in cluster.nodes.keys().copied().collect::<Vec<_>>() {
        let node = cluster.nodes.get_mut(&id).unwrap();
        if node.next_deadline().is_some_and(|due| due <= now.mono) {
            node.on_tick(now);
        }
        cluster.collect(id);
    }
    while let Some((from, to, message)) = cluster.wires.pop_front() {
        let is_vote = matches!(message, PeerMessage::Quorum(Message::VoteRequest(_) | Message::VoteResponse(_)));
        if let Some(node) = cluster.nodes.get_mut(&to).filter(|_| is_vote) {
            node.on_peer_message(now, from, message);
            cluster.collect(to);
        }
    }
}

#[test]
fn what_a_leader_never_came_to_is_counted_as_given_up() {
    let (mut cluster, _) = with_topics();
    let old = cluster.active();
    cluster.nodes.remove(&old);
    let leader = loop {
        votes_only(&mut cluster);
        if let Some((id, _)) = cluster.nodes.iter().find(|(_, node)| node.quorum().is_leader()) {
            break *id;
        }
    };
    let node = cluster.nodes.get_mut(&leader).unwrap();
    assert!(!node.is_active(), "nobody has its first record");
    for correlation in 0..5 {
        let body = match correlation {
            0..3 => PeerRequest::BrokerHeartbeat(Box::default()),
            _ => PeerRequest::ListPartitionReassignments(Box::default()),
        };
        node.on_peer_message(cluster.now, 1, PeerMessage::Request { correlation: 20_000 + correlation, body });
    }
    while cluster.nodes[&leader].quorum().is_leader() {
        votes_only(&mut cluster);
    }
    cluster.now = cluster.now.plus(Duration::from_secs(1));
    let told = report(&mut cluster, leader);
    assert_eq!(value(&told, &bean::EVENT_QUEUE_OPERATIONS_TIMED_OUT_COUNT), 5.0);
    assert_eq!(value(&told, &bean::TIMED_OUT_BROKER_HEARTBEAT_COUNT), 3.0);
}
