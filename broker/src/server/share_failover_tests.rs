//! Three brokers that replicate to each other, with what lies between them in the test's hands: leaders of `__share_group_state` move, messages
//! are lost and brokers start again, while a share partition's leader writes. What it was told is written must be there in the end.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::broker::Broker;
use super::forward;
use super::peer::{PeerMessage, PeerRequest, PeerResponse};
use super::share_persister::{self, StateAsker, StateRequest};
use super::share_state_bridge::{self, SHARE_STATE_TOPIC};
use crate::log::SimDisk;
use crate::metadata::config::NodeConfig;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{BrokerImage, Endpoint, Image, PartitionImage, TopicImage};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    KafkaString, initialize_share_group_state_request, read_share_group_state_request, write_share_group_state_request,
};
use crate::share_state::{PartRequest, PartResponse, StateKind};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

const TOPIC: Id = Id([1; 16]);
const STATES: Id = Id([2; 16]);
const BROKERS: [NodeId; 3] = [1, 2, 3];
/// It leads the share partition and asks; the state's leader moves.
const ASKER: NodeId = 3;
/// A broker's requests are numbered so far apart in each of its lives.
const LIFE: u64 = 1_000_000;

struct Seat {
    broker: Broker,
    disk: SimDisk,
    epoch: i64,
}

struct Cluster {
    seats: BTreeMap<NodeId, Seat>,
    now: Now,
    leader: NodeId,
    leader_epoch: i32,
    wire: VecDeque<(NodeId, NodeId, PeerMessage)>,
    asked: u64,
    answers: BTreeMap<u64, PartResponse>,
}

fn open(id: NodeId, disk: &SimDisk, seed: u64, now: Now) -> Broker {
    let config = NodeConfig::new(id, "three-brokers", Default::default()).unwrap();
    let config = config.with_log_dirs(vec![PathBuf::from("/data")]).with_voters(vec![3000]);
    Broker::open(config, Arc::new(disk.clone()), seed, now).unwrap()
}

impl Cluster {
    fn new() -> Cluster {
        let now = Now { mono: Duration::from_secs(100), wall_ms: 1_700_000_000_000 };
        let seat = |id: NodeId| {
            let disk = SimDisk::new();
            (id, Seat { broker: open(id, &disk, id as u64, now), disk, epoch: 5 })
        };
        let mut cluster = Cluster {
            seats: BROKERS.into_iter().map(seat).collect(),
            now,
            leader: 1,
            leader_epoch: 0,
            wire: VecDeque::new(),
            asked: 0,
            answers: BTreeMap::new(),
        };
        for id in BROKERS {
            cluster.register(id);
        }
        cluster.settle();
        cluster
    }

    fn image(&self) -> Image {
        let mut image = Image { offset: 10, ..Image::default() };
        for (id, seat) in &self.seats {
            let endpoint = Endpoint { name: "PLAINTEXT".into(), host: "h".into(), port: 9092, security_protocol: 0 };
            let broker = BrokerImage {
                id: *id,
                epoch: seat.epoch,
                incarnation: Id::ZERO,
                endpoints: vec![endpoint],
                rack: None,
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: Vec::new(),
                features: Vec::new(),
                cordoned_log_dirs: Vec::new(),
            };
            image.brokers.insert(*id, Arc::new(broker));
        }
        let led_by = |leader, epoch, replicas: &[NodeId]| PartitionImage {
            leader,
            leader_epoch: epoch,
            partition_epoch: epoch,
            replicas: replicas.to_vec(),
            isr: replicas.to_vec(),
            ..PartitionImage::default()
        };
        let states = led_by(self.leader, self.leader_epoch, &BROKERS);
        for (name, id, partition) in [("t", TOPIC, led_by(ASKER, 0, &[ASKER])), (SHARE_STATE_TOPIC, STATES, states)] {
            let topic = TopicImage { name: name.into(), id, partitions: vec![partition] };
            image.topic_ids.insert(topic.name.clone(), id);
            image.topics.insert(id, Arc::new(topic));
        }
        image
    }

    fn register(&mut self, id: NodeId) {
        let (image, now) = (self.image(), self.now);
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.broker.image = image;
            seat.broker.replicas.registered(now, seat.epoch, &seat.broker.image);
        }
        self.publish();
    }

    /// Everybody hears of the metadata as they are.
    fn publish(&mut self) {
        let image = self.image();
        let partitions_changed = [TOPIC, STATES].map(|topic_id| TopicIdPartition { topic_id, partition: 0 }).into();
        let delta = ImageDelta { partitions_changed, ..ImageDelta::default() };
        let now = self.now;
        for seat in self.seats.values_mut() {
            seat.broker.image = image.clone();
            seat.broker.replicas.apply_image(now, &image, &delta);
            share_state_bridge::on_image(&mut seat.broker, now, &delta);
            share_persister::on_image(&mut seat.broker, now);
        }
        self.drive();
    }

    /// What the brokers' own loops do, but for telling askers.
    fn drive(&mut self) {
        let now = self.now;
        for (id, Seat { broker, epoch, .. }) in &mut self.seats {
            loop {
                let changes = broker.replicas.take_changes();
                share_state_bridge::on_changes(broker, now, &changes);
                let mut busy = !changes.is_empty();
                busy |= share_state_bridge::carry_out(broker, now);
                busy |= share_persister::send(broker, now);
                busy |= forward::hear_oneself(broker, now);
                if !busy {
                    break;
                }
            }
            forward::send_outputs(broker, now);
            for (to, message) in broker.out.peer.drain(..) {
                let message = match message {
                    PeerMessage::Request { correlation, body } => {
                        PeerMessage::Request { correlation: *epoch as u64 * LIFE + correlation, body }
                    }
                    message => message,
                };
                self.wire.push_back((*id, to, message));
            }
            for (asker, response) in broker.persister.take_done() {
                let StateAsker::Partitions(number) = asker else { panic!() };
                let (_, part) = response.split().remove(0);
                assert_eq!(self.answers.insert(number, part), None, "answered twice");
            }
        }
    }

    /// Delivers one message, or loses it.
    fn deliver(&mut self, is_lost: bool) -> bool {
        let Some((from, to, mut message)) = self.wire.pop_front() else { return false };
        let Some(seat) = self.seats.get_mut(&to) else { return true };
        // What answers a former life comes over a connection that is no more.
        let is_for_another = match &mut message {
            PeerMessage::Response { correlation, .. } => {
                let life = *correlation / LIFE;
                *correlation %= LIFE;
                life != seat.epoch as u64
            }
            _ => false,
        };
        if !is_lost && !is_for_another {
            forward::on_peer_message(&mut seat.broker, self.now, from, message);
            self.drive();
        }
        true
    }

    /// Delivers what is asked and answered, and loses what followers and their leader say to each other.
    fn starve_followers(&mut self, count: usize) {
        for _ in 0..count {
            let Some((_, _, message)) = self.wire.front() else { return };
            let is_about_state = matches!(
                message,
                PeerMessage::Request { body: PeerRequest::ShareState(_), .. }
                    | PeerMessage::Response { body: PeerResponse::ShareState(_), .. }
            );
            self.deliver(!is_about_state);
        }
    }

    /// Delivers what is asked and answered; what followers and their leader say to each other is still under way.
    fn without_followers(&mut self) -> VecDeque<(NodeId, NodeId, PeerMessage)> {
        let mut others = VecDeque::new();
        while let Some((from, to, message)) = self.wire.pop_front() {
            let is_about_state = matches!(
                message,
                PeerMessage::Request { body: PeerRequest::ShareState(_), .. }
                    | PeerMessage::Response { body: PeerResponse::ShareState(_), .. }
            );
            match is_about_state {
                true => {
                    self.wire.push_front((from, to, message));
                    self.deliver(false);
                }
                false => others.push_back((from, to, message)),
            }
        }
        others
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.plus(Duration::from_millis(ms));
        for Seat { broker, .. } in self.seats.values_mut() {
            broker.replicas.on_tick(self.now);
            forward::on_tick(broker, self.now);
            share_state_bridge::on_tick(broker, self.now);
            share_persister::on_tick(broker, self.now);
        }
        self.drive();
    }

    /// Lets everything arrive, for two seconds.
    fn settle(&mut self) {
        for _ in 0..20 {
            for _ in 0..2_000 {
                if !self.deliver(false) {
                    break;
                }
            }
            self.pass(100);
        }
    }

    fn lead(&mut self, leader: NodeId) {
        (self.leader, self.leader_epoch) = (leader, self.leader_epoch + 1);
        self.publish();
    }

    /// A broker dies and starts again on its disk; whoever asked there is gone with it.
    fn restart(&mut self, id: NodeId) {
        let now = self.now;
        self.wire.retain(|(from, to, _)| *from != id && *to != id);
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.epoch += 1;
            seat.broker = open(id, &seat.disk, seat.epoch as u64 * 10 + id as u64, now);
        }
        self.leader_epoch += 1;
        self.register(id);
    }

    fn ask(&mut self, kind: StateKind, part: PartRequest) -> u64 {
        self.asked += 1;
        let id = TopicIdPartition { topic_id: TOPIC, partition: 0 };
        let request = StateRequest::join(kind, KafkaString::from_static("g"), [(id, part)]);
        if let Some(Seat { broker, .. }) = self.seats.get_mut(&ASKER) {
            share_persister::ask(broker, self.now, StateAsker::Partitions(self.asked), request);
        }
        self.drive();
        self.asked
    }

    fn initialize(&mut self) -> u64 {
        let part = initialize_share_group_state_request::PartitionData::default();
        self.ask(StateKind::Initialize, PartRequest::Initialize(part.with_state_epoch(1).with_start_offset(0)))
    }

    fn write(&mut self, start_offset: i64) -> u64 {
        let part = write_share_group_state_request::PartitionData::default().with_state_epoch(1);
        self.ask(StateKind::Write, PartRequest::Write(part.with_leader_epoch(0).with_start_offset(start_offset)))
    }

    /// Where the state says that the share partition begins.
    fn start_offset(&mut self) -> i64 {
        let part = read_share_group_state_request::PartitionData::default().with_leader_epoch(0);
        let asked = self.ask(StateKind::Read, PartRequest::Read(part));
        for _ in 0..40 {
            self.settle();
        }
        let Some(PartResponse::Read(part)) = self.answers.get(&asked) else { panic!("{:?}", self.answers.get(&asked)) };
        assert_eq!(part.error_code, 0);
        part.start_offset
    }

    fn error(&self, asked: u64) -> Option<ErrorCode> {
        self.answers.get(&asked).map(PartResponse::error)
    }
}

#[test]
fn the_next_leader_of_the_state_knows_it() {
    let mut cluster = Cluster::new();
    let begun = cluster.initialize();
    cluster.settle();
    assert_eq!(cluster.error(begun), Some(ErrorCode::None));
    for (leader, start) in [(2, 10), (3, 20), (1, 30)] {
        let written = cluster.write(start);
        cluster.settle();
        assert_eq!(cluster.error(written), Some(ErrorCode::None));
        cluster.lead(leader);
        assert_eq!(cluster.start_offset(), start);
    }
    cluster.restart(1);
    cluster.restart(2);
    assert_eq!(cluster.start_offset(), 30);
}

#[test]
fn nothing_is_answered_that_its_followers_do_not_have() {
    let mut cluster = Cluster::new();
    cluster.initialize();
    cluster.settle();
    let written = cluster.write(10);
    cluster.starve_followers(100);
    cluster.pass(10);
    cluster.starve_followers(100);
    assert_eq!(cluster.error(written), None, "its leader alone has it");
    // The next leader has none of it, and is asked anew.
    cluster.lead(2);
    for _ in 0..6 {
        cluster.settle();
    }
    assert_eq!(cluster.error(written), Some(ErrorCode::None));
    assert_eq!(cluster.start_offset(), 10);
}

#[test]
fn writes_are_timed_from_the_question_to_the_answer() {
    use crate::metrics::table::shares;
    let mut cluster = Cluster::new();
    cluster.initialize();
    cluster.settle();
    let mut taken = Vec::new();
    for (start, silent_ms) in [(10, 0), (20, 130), (30, 470)] {
        let written = cluster.write(start);
        // The question arrives at once, the followers hear of it later, and the answer is here as soon as they have said so.
        let asked_at = cluster.now.mono;
        let mut late = cluster.without_followers();
        for _ in 0..silent_ms / 10 {
            assert_eq!(cluster.error(written), None, "followers do not have it");
            cluster.pass(10);
            late.append(&mut cluster.without_followers());
        }
        late.append(&mut cluster.wire);
        cluster.wire = late;
        while cluster.error(written).is_none() {
            if !cluster.deliver(false) {
                cluster.pass(10);
            }
        }
        assert_eq!(cluster.error(written), Some(ErrorCode::None));
        taken.push((cluster.now.mono - asked_at).as_secs_f64() * 1_000.0);
        assert!(*taken.last().unwrap() >= f64::from(silent_ms), "{taken:?}");
        cluster.settle();
    }
    // One that is refused is answered at once, and counts as well.
    let part = write_share_group_state_request::PartitionData::default().with_state_epoch(0);
    let refused = cluster.ask(StateKind::Write, PartRequest::Write(part.with_leader_epoch(0)));
    cluster.settle();
    assert_eq!(cluster.error(refused), Some(ErrorCode::FencedStateEpoch));
    taken.push(0.0);
    // A read of a new leader has to be noted; one more of the same has not.
    for _ in 0..2 {
        let part = read_share_group_state_request::PartitionData::default().with_leader_epoch(1);
        cluster.ask(StateKind::Read, PartRequest::Read(part));
        cluster.settle();
    }
    let now = cluster.now.plus(Duration::from_secs(1));
    let report = cluster.seats.get_mut(&1).unwrap().broker.metrics_report(now).unwrap();
    let of = |bean| report.get(bean, &[]).unwrap().value();
    assert_eq!(of(&shares::WRITE_TOTAL), taken.len() as f64 + 1.0);
    assert_eq!(of(&shares::WRITE_LATENCY_MAX), taken.iter().copied().fold(0.0, f64::max));
    assert!(
        (of(&shares::WRITE_LATENCY_AVG) - taken.iter().sum::<f64>() / taken.len() as f64).abs() < 0.01,
        "{taken:?}"
    );
}

#[test]
fn a_question_that_got_lost_is_asked_again() {
    let mut cluster = Cluster::new();
    cluster.initialize();
    cluster.settle();
    let written = cluster.write(10);
    cluster
        .wire
        .retain(|(_, _, message)| !matches!(message, PeerMessage::Request { body: PeerRequest::ShareState(_), .. }));
    for _ in 0..6 {
        cluster.settle();
    }
    assert_eq!(cluster.error(written), Some(ErrorCode::None));
}

#[derive(Clone, Debug)]
enum Step {
    Write,
    Deliver(usize),
    Lose,
    Starve(usize),
    Pass(u64),
    Lead(NodeId),
    Restart(NodeId),
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Write),
        8 => (1..12usize).prop_map(Step::Deliver),
        2 => Just(Step::Lose),
        3 => (1..20usize).prop_map(Step::Starve),
        3 => (1..2_000u64).prop_map(Step::Pass),
        2 => (1..4i32).prop_map(Step::Lead),
        1 => (1..3i32).prop_map(Step::Restart),
        1 => Just(Step::Settle),
    ];
    proptest::collection::vec(step, 1..50)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    /// Start offsets that only grow are written in order, whatever happens between: each write is answered once, and what was acknowledged
    /// is never less than what is read in the end.
    #[test]
    fn acknowledged_state_is_not_lost(steps in steps()) {
        let mut cluster = Cluster::new();
        let begun = cluster.initialize();
        cluster.settle();
        prop_assert_eq!(cluster.error(begun), Some(ErrorCode::None));
        let mut writes: BTreeMap<u64, i64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write => {
                    let start = writes.len() as i64 + 1;
                    writes.insert(cluster.write(start), start);
                }
                Step::Deliver(count) => {
                    let _ = (0..count).all(|_| cluster.deliver(false));
                }
                Step::Lose => {
                    let _ = cluster.deliver(true);
                }
                Step::Starve(count) => cluster.starve_followers(count),
                Step::Pass(ms) => cluster.pass(ms),
                Step::Lead(leader) => cluster.lead(leader),
                Step::Restart(id) => cluster.restart(id),
                Step::Settle => cluster.settle(),
            }
        }
        for _ in 0..40 {
            cluster.settle();
        }
        prop_assert!(writes.keys().all(|asked| cluster.answers.contains_key(asked)), "each is answered");
        let acknowledged = writes.iter().filter(|(asked, _)| cluster.error(**asked) == Some(ErrorCode::None));
        let acknowledged = acknowledged.map(|(_, start)| *start).max().unwrap_or(0);
        let found = cluster.start_offset();
        prop_assert!(found >= acknowledged, "{found} is less than {acknowledged}");
        prop_assert!(found <= writes.len() as i64);
    }
}
