//! Stories of events as nodes tell them: through the log, that links them.

use std::collections::VecDeque;
use std::sync::Arc;

use broker::metadata::report::{Cause, Event, FenceReason, MemberChange, MemberIdentity, NodeEvent, NodeState, Why};
use broker::types::{Id, TopicPartition};

use super::*;
use crate::monitor::events::EventLog;
use crate::monitor::fault::{End, FaultKind, FaultRequest};
use crate::monitor::snapshot::{ActiveFault, WorkloadStatus};
use crate::monitor::view::{Metric, Series};
use crate::monitor::workload::{ClientState, ConsumerStatus, WorkloadPoint};

const CONTROLLER: i32 = 3000;

/// A cluster that tells what happens to it.
#[derive(Default)]
struct Cluster {
    log: EventLog,
    faults: Vec<ActiveFault>,
    workloads: Vec<WorkloadStatus>,
}

fn start_of(node: i32, number: u8) -> Id {
    Id([number * 16 + (node % 16) as u8; 16])
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn fault(id: u64, node_ids: &[i32], since_ms: i64, what: &str, request: FaultRequest) -> ActiveFault {
    ActiveFault {
        id,
        kind: request.kind.name().into(),
        node_id: node_ids.first().copied().unwrap_or(-1),
        node_ids: node_ids.to_vec(),
        what: what.into(),
        since_ms,
        until_ms: None,
        request: Arc::new(request),
    }
}

impl Cluster {
    fn tell(&mut self, node_id: i32, at_ms: i64, event: Event) {
        self.log.push(&NodeEvent { node_id, at_ms, event });
    }

    fn state(&mut self, at_ms: i64, node: i32, start: u8, state: NodeState, fault: Option<u64>) {
        let cause = Why { words: "so it was asked".into(), fault };
        self.tell(node, at_ms, Event::NodeStateChanged { state, incarnation: start_of(node, start), cause });
    }

    fn begin(&mut self, at_ms: i64, fault: ActiveFault) {
        self.faults.push(fault);
        self.log.push_faults(&self.faults, &self.workloads, at_ms);
    }

    fn end(&mut self, at_ms: i64, id: u64) {
        self.faults.retain(|fault| fault.id != id);
        self.log.push_faults(&self.faults, &self.workloads, at_ms);
    }

    fn kill(&mut self, at_ms: i64, node: i32, id: u64) {
        self.state(at_ms, node, 1, NodeState::Killed, Some(id));
        let request = FaultRequest { broker: Some(node), ..FaultRequest::new(FaultKind::Kill) };
        self.begin(at_ms, fault(id, &[node], at_ms + 1, &format!("broker {node} is killed"), request));
    }

    fn fence(&mut self, at_ms: i64, broker: i32, start: u8) {
        let event = Event::BrokerFenced {
            broker_id: broker,
            broker_epoch: epoch(broker, start),
            incarnation: start_of(broker, start),
            reason: FenceReason::SessionExpired { missed_ms: 1512 },
        };
        self.tell(CONTROLLER, at_ms, event);
    }

    fn lead(&mut self, at_ms: i64, partition: &TopicPartition, from: i32, to: i32, because: Cause) {
        let (partition, cause) = (partition.clone(), "in words".to_owned());
        let event = Event::LeaderElected { partition, from, to, leader_epoch: 5, unclean: false, cause, because };
        self.tell(CONTROLLER, at_ms, event);
    }

    fn isr(&mut self, at_ms: i64, partition: &TopicPartition, from: &[i32], to: &[i32], because: Cause) {
        let (from, to, cause) = (from.to_vec(), to.to_vec(), "in words".to_owned());
        let event = Event::IsrChanged { partition: partition.clone(), from, to, cause, because };
        self.tell(CONTROLLER, at_ms, event);
    }

    /// A broker is fenced, and loses two partitions of `topic` to broker `to`.
    fn fall(&mut self, at_ms: i64, broker: i32, topic: &str, to: i32) {
        self.fence(at_ms, broker, 1);
        let because = || Cause::Fenced { broker_id: broker, broker_epoch: epoch(broker, 1) };
        for partition in 0..2 {
            let partition = tp(topic, partition);
            self.isr(at_ms + 1, &partition, &[broker, to], &[to], because());
            self.lead(at_ms + 2, &partition, broker, to, because());
        }
    }

    /// The broker is started, registers, takes part and catches up.
    fn come_back(&mut self, at_ms: i64, broker: i32, id: u64, topic: &str, to: i32) {
        self.state(at_ms, broker, 2, NodeState::Starting, Some(id));
        self.state(at_ms + 1, broker, 2, NodeState::Running, Some(id));
        self.end(at_ms + 2, id);
        let (broker_epoch, incarnation) = (epoch(broker, 2), start_of(broker, 2));
        self.tell(CONTROLLER, at_ms + 3, Event::BrokerRegistered { broker_id: broker, broker_epoch, incarnation });
        self.tell(CONTROLLER, at_ms + 4, Event::BrokerUnfenced { broker_id: broker, broker_epoch, incarnation });
        for partition in 0..2 {
            let taken_in = vec![(broker, broker_epoch)];
            let because = Cause::LeaderAsked { leader_id: to, taken_in, taken_out: vec![] };
            self.isr(at_ms + 5, &tp(topic, partition), &[to], &[to, broker], because);
            self.lead(at_ms + 9, &tp(topic, partition), to, broker, Cause::Preferred);
        }
    }

    fn member(&mut self, at_ms: i64, group: &str, id: &str, change: MemberChange) {
        let member =
            MemberIdentity { member_id: id.into(), client_id: format!("client-{id}"), ..MemberIdentity::default() };
        self.tell(1, at_ms, Event::GroupMember { group_id: group.into(), member, change });
    }

    fn group(&mut self, at_ms: i64, group: &str, generation: i32, state: &'static str, members: &[&str]) {
        let members = members.iter().map(|id| (*id).to_owned()).collect();
        let (group_id, reason) = (group.to_owned(), "in words".to_owned());
        self.tell(1, at_ms, Event::GroupRebalance { group_id, generation, state, reason, members });
    }

    fn stories(&self) -> Vec<Story> {
        stories(&self.log.entries(), &SeriesStore::default(), &Snapshot::default())
    }
}

fn epoch(broker: i32, start: u8) -> i64 {
    i64::from(broker) * 100 + i64::from(start)
}

fn kinds(story: &Story) -> Vec<&'static str> {
    story.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn a_killed_broker_is_one_story_from_the_fault_to_its_return() {
    let mut cluster = Cluster::default();
    cluster.kill(1_000, 2, 7);
    cluster.fall(2_512, 2, "clicks", 1);
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(story.title, "Broker 2 was killed: 2 partitions changed leaders in 1.5 s, 2 ISRs shrank.");
    assert_eq!(kinds(&story), ["fault_began", "node_state_changed", "broker_fenced", "isr_changed", "leader_elected"]);
    let causes: Vec<&[usize]> = story.steps.iter().map(|step| step.because_of.as_slice()).collect();
    assert_eq!(causes, [&[][..], &[0], &[1], &[2], &[2]]);
    assert_eq!(story.steps[4].text, "2 partitions changed leaders: 2 → 1.");
    assert_eq!((story.steps[4].count, story.steps[4].items.len()), (2, 2));
    assert_eq!(story.steps[2].cause, "No heartbeat for 1512 ms: its session expired.");
    assert_eq!((story.from_ms, story.until_ms, story.outlook), (1_000, None, Outlook::Going));
    let change = |what| story.changes.iter().find(|change| change.what == what).unwrap();
    let (state, leader, isr) = (change("State"), change("Leader"), change("ISR"));
    assert_eq!((state.was.as_str(), state.now.as_str()), ("running", "killed"));
    assert_eq!((leader.was.as_str(), leader.now.as_str(), leader.count), ("2", "1", 2));
    assert_eq!((isr.was.as_str(), isr.now.as_str()), ("1, 2", "1"));
    assert_eq!(story.objects, [Object::Fault(7), Object::Node(2), Object::Topic("clicks".into())]);

    cluster.come_back(20_000, 2, 7, "clicks", 1);
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!((story.until_ms, story.outlook), (Some(20_009), Outlook::AsBefore));
    assert!(story.changes.iter().all(|change| change.is_back), "{:?}", story.changes);
    assert_eq!(story.title, "Broker 2 was killed: 2 partitions changed leaders in 1.5 s, 2 ISRs shrank.");
    let grew = story.steps.iter().find(|step| step.text == "2 ISRs grew: broker 2 is in.").unwrap();
    let back = &story.steps[grew.because_of[0]];
    assert_eq!(back.kind, "broker_unfenced");
    assert_eq!(story.steps[back.because_of[0]].text, "Broker 2 is running.");
    assert!(story.steps.iter().all(|step| step.kind != "broker_registered"), "it is on the way to the return");
}

#[test]
fn faults_that_overlap_in_time_stay_two_stories() {
    let mut cluster = Cluster::default();
    cluster.kill(1_000, 2, 7);
    cluster.kill(1_100, 3, 8);
    cluster.fall(2_500, 2, "clicks", 1);
    cluster.fall(2_501, 3, "orders", 1);
    let [newer, older] = cluster.stories().try_into().unwrap();
    assert!(newer.title.starts_with("Broker 3 was killed: 2 partitions"), "{}", newer.title);
    assert!(older.title.starts_with("Broker 2 was killed: 2 partitions"), "{}", older.title);
    assert_eq!((newer.events, older.events), (7, 7));
    // The same partition falls twice: each fall is of its own fault.
    let moved = tp("clicks", 0);
    cluster.kill(9_000, 1, 9);
    cluster.fence(9_500, 1, 1);
    cluster.lead(9_501, &moved, 1, 4, Cause::Fenced { broker_id: 1, broker_epoch: epoch(1, 1) });
    let stories = cluster.stories();
    assert_eq!(stories.iter().map(|story| story.events).collect::<Vec<_>>(), [4, 7, 7]);
}

#[test]
fn what_only_coincides_is_not_drawn_in() {
    let mut cluster = Cluster::default();
    cluster.kill(1_000, 2, 7);
    cluster.fall(2_500, 2, "clicks", 1);
    let before = cluster.stories();
    cluster.lead(2_501, &tp("orders", 0), 3, 1, Cause::Operator);
    let config = ("topic clicks".to_owned(), "retention.ms".to_owned());
    cluster.tell(CONTROLLER, 2_502, Event::ConfigChanged { resource: config.0, key: config.1, value: None });
    // A follower falls behind, on a broker that nothing is wrong with.
    let because = Cause::LeaderAsked { leader_id: 1, taken_in: vec![], taken_out: vec![3] };
    cluster.isr(2_503, &tp("slow", 0), &[1, 3], &[1], because);
    let after = cluster.stories();
    assert_eq!(after.last(), before.last());
    assert_eq!(after[0].title, "The ISR of slow-0 shrank from 1, 3 to 1.");
    assert_eq!(after.len(), 2, "an election that was asked for is nobody's trouble");
    // It catches up: that is the end of its own story.
    let because = Cause::LeaderAsked { leader_id: 1, taken_in: vec![(3, epoch(3, 1))], taken_out: vec![] };
    cluster.isr(9_000, &tp("slow", 0), &[1], &[1, 3], because);
    let story = &cluster.stories()[0];
    assert_eq!((story.events, story.outlook, story.until_ms), (2, Outlook::AsBefore, Some(9_000)));
}

#[test]
fn effects_that_are_told_before_their_causes_are_linked_late() {
    let mut cluster = Cluster::default();
    let because = || Cause::Fenced { broker_id: 2, broker_epoch: epoch(2, 1) };
    cluster.lead(2_502, &tp("clicks", 0), 2, 1, because());
    cluster.isr(2_501, &tp("clicks", 0), &[1, 2], &[1], because());
    cluster.fence(2_500, 2, 1);
    cluster.kill(1_000, 2, 7);
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(kinds(&story)[..3], ["fault_began", "node_state_changed", "broker_fenced"]);
    assert_eq!((story.events, story.from_ms), (5, 1_000));
    let fence = cluster.log.entries().iter().find(|entry| entry.kind == "broker_fenced").cloned().unwrap();
    assert_eq!((fence.led_to.as_slice(), fence.because_of.as_slice()), (&[1, 2][..], &[][..]));
    // A node that goes down later explains no heartbeat that was missed before.
    let mut cluster = Cluster::default();
    cluster.fence(2_500, 2, 1);
    cluster.kill(9_000, 2, 7);
    assert!(cluster.log.entries().iter().all(|entry| !entry.led_to.contains(&1)));
}

#[test]
fn a_fault_of_a_link_is_the_cause_only_of_what_it_holds_up() {
    for (from, to, is_cause) in [(2, CONTROLLER, true), (CONTROLLER, 2, true), (2, 1, false), (3, CONTROLLER, false)] {
        let mut cluster = Cluster::default();
        let request =
            FaultRequest { from: Some(End::Node(from)), to: Some(End::Node(to)), ..FaultRequest::new(FaultKind::Cut) };
        cluster.begin(1_000, fault(1, &[from, to], 1_000, "a link is cut", request));
        cluster.fall(2_500, 2, "clicks", 1);
        let stories = cluster.stories();
        assert_eq!(stories.len(), if is_cause { 1 } else { 2 }, "{from} {to}");
    }
    let mut cluster = Cluster::default();
    let request = FaultRequest { broker: Some(2), ..FaultRequest::new(FaultKind::Isolate) };
    cluster.begin(1_000, fault(1, &[2], 1_000, "broker 2 is isolated", request));
    let because = Cause::LeaderAsked { leader_id: 1, taken_in: vec![], taken_out: vec![2] };
    cluster.isr(1_900, &tp("slow", 0), &[1, 2], &[1], because);
    cluster.fence(2_500, 2, 1);
    cluster.end(5_000, 1);
    let (broker_epoch, incarnation) = (epoch(2, 1), start_of(2, 1));
    cluster.tell(CONTROLLER, 5_100, Event::BrokerUnfenced { broker_id: 2, broker_epoch, incarnation });
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(story.title, "Broker 2 is isolated: 1 ISR shrank.");
    assert_eq!((story.events, story.outlook), (5, Outlook::Changed));
}

#[test]
fn a_member_that_is_lost_leads_to_the_rebalance() {
    let mut cluster = Cluster::default();
    let member = |number, client_id: &str| ConsumerStatus {
        number,
        client_id: client_id.into(),
        state: ClientState::Running,
        read: 0,
    };
    let members = vec![member(1, "client-a"), member(2, "client-b")];
    cluster.workloads = vec![WorkloadStatus { id: 4, group: "g".into(), members, ..WorkloadStatus::default() }];
    let request = FaultRequest { workload: Some(4), consumer: Some(2), ..FaultRequest::new(FaultKind::CrashConsumer) };
    cluster.begin(1_000, fault(1, &[], 1_000, "consumer 2 of workload 4 has crashed", request));
    cluster.member(7_000, "g", "b", MemberChange::SessionExpired);
    cluster.group(7_001, "g", 4, "PreparingRebalance", &["b"]);
    let going = &cluster.stories()[0];
    assert_eq!(going.outlook, Outlook::Going);
    cluster.group(7_300, "g", 5, "CompletingRebalance", &[]);
    cluster.group(7_310, "g", 5, "Stable", &[]);
    // Another group, and this one later: no part of it.
    cluster.group(7_005, "h", 1, "PreparingRebalance", &[]);
    cluster.member(9_000, "g", "c", MemberChange::Joined);
    cluster.group(9_001, "g", 5, "PreparingRebalance", &["c"]);
    cluster.group(9_300, "g", 6, "Stable", &[]);
    let stories = cluster.stories();
    let titles: Vec<&str> = stories.iter().map(|story| story.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Member client-c at  joined group g: group g rebalanced.",
            "Consumer 2 of workload 4 has crashed: group g rebalanced."
        ]
    );
    let crashed = &stories[1];
    assert_eq!(kinds(crashed), ["fault_began", "group_member", "group_rebalance"]);
    assert_eq!(crashed.steps[2].text, "Group g rebalanced: it is Stable in generation 5.");
    let generation = crashed.changes.iter().find(|change| change.what == "Generation").unwrap();
    assert_eq!((generation.was.as_str(), generation.now.as_str()), ("4", "5"));
}

#[test]
fn a_controller_that_falls_is_followed_by_another() {
    let mut cluster = Cluster::default();
    cluster.state(1_000, 3001, 1, NodeState::Paused, Some(3));
    let request = FaultRequest { controller: Some(3001), ..FaultRequest::new(FaultKind::Pause) };
    cluster.begin(1_000, fault(3, &[3001], 1_000, "controller 3001 is paused", request));
    cluster.tell(3002, 2_000, Event::ControllerElected { epoch: 6, previous: Some((3001, 5)) });
    cluster.state(5_000, 3001, 1, NodeState::Running, Some(3));
    cluster.end(5_001, 3);
    let reason = "another one was elected";
    cluster.tell(3001, 5_002, Event::ControllerResigned { epoch: 5, seen_epoch: 6, reason });
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(story.title, "Controller 3001 is paused: controller 3002 became active.");
    assert_eq!(story.outlook, Outlook::AsBefore);
    let active = story.changes.iter().find(|change| change.what == "Active controller").unwrap();
    assert_eq!((active.was.as_str(), active.now.as_str()), ("3001", "3002"));
    let resigned = story.steps.iter().find(|step| step.kind == "controller_resigned").unwrap();
    assert_eq!(story.steps[resigned.because_of[0]].kind, "controller_elected");
}

#[test]
fn a_controlled_shutdown_and_a_reassignment_have_their_own_causes() {
    let mut cluster = Cluster::default();
    cluster.state(1_000, 2, 1, NodeState::Stopping, Some(1));
    cluster.begin(1_000, fault(1, &[2], 1_001, "broker 2 is stopped in order", FaultRequest::new(FaultKind::Stop)));
    let because = Cause::ShuttingDown { broker_id: 2, incarnation: start_of(2, 1) };
    cluster.lead(1_100, &tp("clicks", 0), 2, 1, because);
    cluster.state(1_500, 2, 1, NodeState::Stopped, None);
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(story.title, "Broker 2 is shutting down in order: 1 partition changed leader in 100 ms.");
    assert_eq!(story.events, 4);

    let mut cluster = Cluster::default();
    let partition = tp("clicks", 0);
    let (from, to) = (vec![1, 2], vec![1, 2, 3]);
    let move_to = |adding: Vec<i32>, from: Vec<i32>, to: Vec<i32>| {
        let partition = tp("clicks", 0);
        Event::ReplicasChanged { partition, from, to, adding, removing: vec![] }
    };
    cluster.tell(CONTROLLER, 1_000, move_to(vec![3], from.clone(), to.clone()));
    cluster.tell(CONTROLLER, 4_000, move_to(vec![], to.clone(), to.clone()));
    cluster.isr(4_000, &partition, &from, &to, Cause::Reassigned);
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!((story.events, kinds(&story)[0]), (3, "replicas_changed"));
}

#[test]
fn an_unclean_election_follows_from_what_left_the_partition_without_a_leader() {
    let mut cluster = Cluster::default();
    cluster.kill(1_000, 2, 7);
    cluster.fence(2_500, 2, 1);
    let partition = tp("clicks", 0);
    let because = Cause::Fenced { broker_id: 2, broker_epoch: epoch(2, 1) };
    cluster.lead(2_501, &partition, 2, -1, because);
    let event = Event::LeaderElected {
        partition: partition.clone(),
        from: -1,
        to: 3,
        leader_epoch: 6,
        unclean: true,
        cause: "in words".into(),
        because: Cause::Unclean,
    };
    cluster.tell(CONTROLLER, 9_000, event);
    let cause = "broker 3 ends epoch 5 at offset 10".to_owned();
    cluster.tell(1, 9_100, Event::LogTruncated { partition, from_offset: 15, to_offset: 10, leader_epoch: 6, cause });
    let [story] = cluster.stories().try_into().unwrap();
    assert_eq!(story.events, 6);
    assert_eq!(story.severity, Severity::Critical);
    assert_eq!(story.title, "Broker 2 was killed: 1 partition had no leader, 1 log was cut back.");
}

#[test]
fn what_clients_saw_is_read_over_the_span_of_the_story_and_nothing_is_made_up() {
    let mut cluster = Cluster::default();
    cluster.kill(100_000, 2, 7);
    cluster.fall(102_000, 2, "clicks", 1);
    cluster.come_back(110_000, 2, 7, "clicks", 1);
    let at_ms: VecDeque<i64> = (40..200).map(|second| second * 1_000).collect();
    let points = |value: &dyn Fn(i64) -> f64| at_ms.iter().map(|at_ms| value(*at_ms)).collect::<VecDeque<f64>>();
    let series = |metric, label: &str, points| Arc::new(Series { metric, label: label.into(), points });
    let late = |at_ms: i64| if (101_000..104_000).contains(&at_ms) { 900.0 } else { 4.0 };
    let killed = |at_ms: i64| if (100_000..112_000).contains(&at_ms) { f64::NAN } else { 5.0 };
    let refused = |at_ms: i64| if (102_000..=103_000).contains(&at_ms) { 21.0 } else { 0.0 };
    let store = SeriesStore {
        series: vec![
            series(Metric::ProduceP99Ms, "1", points(&late)),
            series(Metric::ProduceP99Ms, "2", points(&killed)),
            series(Metric::ErrorAnswers, "NOT_LEADER_OR_FOLLOWER", points(&refused)),
            series(Metric::ErrorAnswers, "UNKNOWN_MEMBER_ID", points(&|_| 0.0)),
        ],
        at_ms: at_ms.clone(),
    };
    let point = |at_ms: i64| WorkloadPoint {
        at_ms,
        acked_per_s: if at_ms == 101_000 { 0.0 } else { 1_000.0 },
        read_per_s: f64::NAN,
        ack_p99_ms: f64::NAN,
        ..WorkloadPoint::default()
    };
    let workload = WorkloadStatus {
        id: 1,
        points: Arc::new(at_ms.iter().map(|at_ms| point(*at_ms)).collect()),
        ..WorkloadStatus::default()
    };
    let snapshot = Snapshot { workloads: vec![workload], at_ms: 199_000, ..Snapshot::default() };
    let [story] = stories(&cluster.log.entries(), &store, &snapshot).try_into().unwrap();
    let seen = |what: &str, before, during, after| {
        let found = story.seen.iter().find(|seen| seen.what.starts_with(what));
        let found = found.map(|seen| (seen.before, seen.during, seen.after));
        assert_eq!(found, Some((before, during, after)), "{what}: {:?}", story.seen);
    };
    seen("Produce p99", Some(5.0), 900.0, Some(5.0));
    seen("Answers with NOT_LEADER_OR_FOLLOWER", None, 42.0, None);
    seen("Workload 1: acknowledged", Some(1_000.0), 0.0, Some(1_000.0));
    assert_eq!(story.seen.len(), 3, "of what was not measured nothing is said: {:?}", story.seen);
    assert_eq!(cluster.stories()[0].seen, []);
}

#[test]
fn stories_are_bounded_and_keep_their_ids() {
    let mut cluster = Cluster::default();
    for id in 1..=300 {
        cluster
            .begin(id * 10, fault(id as u64, &[1], id * 10, "a disk is slow", FaultRequest::new(FaultKind::SlowDisk)));
    }
    let stories = cluster.stories();
    assert_eq!(stories.len(), STORIES_MAX);
    assert_eq!((stories[0].id, stories[STORIES_MAX - 1].id), (300, 101));
    cluster.end(9_000, 300);
    assert_eq!(cluster.stories()[0].id, 300);
}
