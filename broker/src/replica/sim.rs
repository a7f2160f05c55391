//! Replication under faults: three brokers' replicas on simulated disks, a small controller, a network that delays, cuts and refuses, and
//! kills, pauses and power cuts. One seed, one run; invariants are looked at after every step.
//!
//! `BROKERSCOPE_SIM_SEEDS=FROM..TO` runs other seeds than the default.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::sim_controller::SimController;
use super::{Appended, Output, ReplicaManager};
use crate::log::SimDisk;
use crate::metadata::config::NodeConfig;
use crate::protocol::messages::{
    AlterPartitionRequestData, AlterPartitionResponseData, FetchRequestData, FetchResponseData,
};
use crate::records::{BatchBuilder, Compression};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

const CONTROLLER: NodeId = 3000;
pub(super) const BROKERS: [NodeId; 3] = [1, 2, 3];
const PARTITIONS: usize = 3;
const SESSION: Duration = Duration::from_millis(1500);

#[derive(Clone, Debug)]
enum Message {
    Fetch(u64, Box<FetchRequestData>),
    FetchReply(u64, Box<FetchResponseData>),
    FetchFailed(u64),
    Alter(u64, Box<AlterPartitionRequestData>),
    AlterReply(u64, Box<AlterPartitionResponseData>),
    Register(Id),
    Registered(i64),
    Heartbeat(i64, i64),
}

#[derive(Clone, Debug)]
struct Envelope {
    from: NodeId,
    to: NodeId,
    /// Answers are for one incarnation only.
    for_generation: Option<u64>,
    from_generation: u64,
    message: Message,
}

pub(super) struct Broker {
    disk: SimDisk,
    pub(super) manager: Option<ReplicaManager>,
    generation: u64,
    incarnation: Id,
    pub(super) epoch: Option<i64>,
    /// How much of the controller's history it has applied; 0 is nothing.
    applied: usize,
    paused_until: Duration,
    /// No metadata until then: it comes another way than answers of the controller do.
    uninformed_until: Duration,
    restart_at: Option<Duration>,
    next_heartbeat: Duration,
    /// It lost records that the controller may still believe it to have.
    lost_records: bool,
}

struct PendingAppend {
    node: NodeId,
    generation: u64,
    id: TopicIdPartition,
    appended: Appended,
    values: Vec<u64>,
}

pub(super) struct Sim {
    rng: StdRng,
    pub(super) now: Now,
    pub(super) controller: SimController,
    pub(super) brokers: BTreeMap<NodeId, Broker>,
    network: BTreeMap<(Duration, u64), Envelope>,
    last_delivery: BTreeMap<(NodeId, NodeId), Duration>,
    cuts: BTreeMap<(NodeId, NodeId), Duration>,
    slow: BTreeMap<(NodeId, NodeId), Duration>,
    sequence: u64,
    next_value: u64,
    pending: Vec<PendingAppend>,
    pub(super) acked: Vec<(TopicIdPartition, i64, u64)>,
    pub(super) committed: BTreeMap<TopicIdPartition, Vec<u64>>,
    pub(super) checked: BTreeMap<(NodeId, TopicIdPartition), i64>,
    calm: bool,
    stats: Stats,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stats {
    acked: usize,
    elections: i32,
    isr_changes: u64,
    truncations: u64,
    kills: u64,
    power_losses: u64,
}

fn config(id: NodeId) -> NodeConfig {
    let overrides = [
        ("replica.lag.time.max.ms", "1500"),
        ("replica.fetch.wait.max.ms", "200"),
        ("replica.fetch.backoff.ms", "50"),
        ("replica.high.watermark.checkpoint.interval.ms", "700"),
        ("min.insync.replicas", "2"),
        ("replica.fetch.response.max.bytes", "4000"),
        ("replica.fetch.max.bytes", "1500"),
    ];
    let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    NodeConfig::new(id, "simulated-cluster-id-1", overrides).unwrap().with_log_dirs(vec![PathBuf::from("/data")])
}

impl Sim {
    fn new(seed: u64) -> Sim {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut controller = SimController::new(SESSION, 2);
        let topic = Id::random(&mut rng);
        let assignments: Vec<Vec<NodeId>> =
            (0..PARTITIONS).map(|first| (0..3).map(|next| BROKERS[(first + next) % 3]).collect()).collect();
        controller.create_topic("t", topic, &assignments);
        let brokers = BROKERS.iter().map(|id| {
            let broker = Broker {
                disk: SimDisk::new(),
                manager: None,
                generation: 0,
                incarnation: Id::ZERO,
                epoch: None,
                applied: 0,
                paused_until: Duration::ZERO,
                uninformed_until: Duration::ZERO,
                restart_at: Some(Duration::ZERO),
                next_heartbeat: Duration::ZERO,
                lost_records: false,
            };
            (*id, broker)
        });
        Sim {
            now: Now { mono: Duration::ZERO, wall_ms: 1_700_000_000_000 },
            controller,
            brokers: brokers.collect(),
            network: BTreeMap::new(),
            last_delivery: BTreeMap::new(),
            cuts: BTreeMap::new(),
            slow: BTreeMap::new(),
            sequence: 0,
            next_value: 0,
            pending: Vec::new(),
            acked: Vec::new(),
            committed: BTreeMap::new(),
            checked: BTreeMap::new(),
            calm: false,
            stats: Stats::default(),
            rng,
        }
    }

    fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|until| *until > self.now.mono)
    }

    fn send(&mut self, from: NodeId, to: NodeId, for_generation: Option<u64>, message: Message) {
        if self.is_cut(from, to) {
            return;
        }
        // A connection breaks after the request was carried out: nobody knows whether it was.
        let answer = matches!(message, Message::AlterReply(..) | Message::FetchReply(..) | Message::Registered(_));
        let lost = if matches!(message, Message::AlterReply(..)) { 0.1 } else { 0.005 };
        if answer && !self.calm && self.rng.random_bool(lost) {
            return;
        }
        let usual = Duration::from_micros(self.rng.random_range(50..3000));
        let slow = self.slow.get(&(from, to)).copied().unwrap_or_default();
        // Links keep their order, as connections do.
        let at = (self.now.mono + usual + slow).max(self.last_delivery.get(&(from, to)).copied().unwrap_or_default());
        self.last_delivery.insert((from, to), at);
        self.sequence += 1;
        let from_generation = self.brokers.get(&from).map_or(0, |broker| broker.generation);
        let envelope = Envelope { from, to, for_generation, from_generation, message };
        self.network.insert((at, self.sequence), envelope);
    }

    fn deliver_due(&mut self) {
        while let Some((&(at, sequence), _)) = self.network.first_key_value() {
            if at > self.now.mono {
                break;
            }
            let Some(envelope) = self.network.remove(&(at, sequence)) else { break };
            if self.is_cut(envelope.from, envelope.to) {
                continue;
            }
            match self.brokers.get(&envelope.to) {
                Some(broker) if broker.manager.is_some() && broker.paused_until > self.now.mono => {
                    self.network.insert((broker.paused_until, sequence), envelope);
                }
                _ => self.deliver(envelope),
            }
        }
    }

    fn deliver(&mut self, envelope: Envelope) {
        let Envelope { from, to, for_generation, from_generation, message } = envelope;
        if to == CONTROLLER {
            self.on_controller(from, from_generation, message);
            return;
        }
        let now = self.now;
        let broker = self.brokers.get_mut(&to).unwrap();
        if for_generation.is_some_and(|generation| generation != broker.generation) {
            return;
        }
        let Some(manager) = &mut broker.manager else {
            if let Message::Fetch(id, _) = message {
                self.send(to, from, Some(from_generation), Message::FetchFailed(id));
            }
            return;
        };
        match message {
            Message::Fetch(id, request) => {
                // The asker's generation travels in the correlation.
                manager.on_peer_fetch(now, from, id << 16 | from_generation, &request);
            }
            Message::FetchReply(id, response) => manager.on_fetch_response(now, from, id, Ok(*response)),
            Message::FetchFailed(id) => manager.on_fetch_response(now, from, id, Err(())),
            Message::AlterReply(id, response) => manager.on_alter_partition_response(now, id, Ok(*response)),
            Message::Registered(epoch) => {
                broker.epoch = Some(epoch);
                let last = broker.applied.checked_sub(1).and_then(|at| self.controller.history.get(at));
                let image = last.map(|(image, _)| image.clone()).unwrap_or_default();
                manager.registered(now, epoch, &image);
            }
            Message::Alter(..) | Message::Register(_) | Message::Heartbeat(..) => unreachable!(),
        }
        self.drain(to);
    }

    fn on_controller(&mut self, from: NodeId, generation: u64, message: Message) {
        match message {
            Message::Register(incarnation) => {
                let epoch = self.controller.register(self.now.mono, from, incarnation);
                self.brokers.get_mut(&from).unwrap().lost_records = false;
                self.send(CONTROLLER, from, Some(generation), Message::Registered(epoch));
            }
            Message::Heartbeat(epoch, offset) => self.controller.heartbeat(self.now.mono, from, epoch, offset),
            Message::Alter(id, request) => {
                let response = self.controller.alter_partition(&request);
                self.send(CONTROLLER, from, Some(generation), Message::AlterReply(id, Box::new(response)));
            }
            _ => unreachable!(),
        }
    }

    fn drain(&mut self, node: NodeId) {
        let broker = self.brokers.get_mut(&node).unwrap();
        let Some(manager) = &mut broker.manager else { return };
        let outputs = manager.take_outputs(self.now);
        let changes = manager.take_changes();
        for event in manager.take_events() {
            match event {
                crate::metadata::report::Event::LogTruncated { .. } => self.stats.truncations += 1,
                crate::metadata::report::Event::Error { message } => panic!("broker {node}: {message}"),
                _ => {}
            }
        }
        for output in outputs {
            match output {
                Output::Fetch { leader, id, request } => self.send(node, leader, None, Message::Fetch(id, request)),
                Output::AlterPartition { id, request } => {
                    self.send(node, CONTROLLER, None, Message::Alter(id, request))
                }
                // The small controller names no directories.
                Output::AssignReplicasToDirs { .. } => {}
                Output::FetchReply { to, correlation, response } => {
                    let generation = correlation & 0xffff;
                    self.send(node, to, Some(generation), Message::FetchReply(correlation >> 16, response));
                }
            }
        }
        for id in changes {
            self.check_replica(node, &id);
        }
        self.settle_pending();
    }

    fn settle_pending(&mut self) {
        let brokers = &self.brokers;
        let mut acked = Vec::new();
        self.pending.retain(|pending| {
            let broker = &brokers[&pending.node];
            let Some(manager) = broker.manager.as_ref().filter(|_| broker.generation == pending.generation) else {
                return false;
            };
            let Some(partition) = manager.partition(&pending.id) else { return false };
            match partition.acknowledged(pending.appended.last_offset + 1, pending.appended.leader_epoch) {
                None => true,
                Some(Err(_)) => false,
                Some(Ok(())) => {
                    for (index, value) in pending.values.iter().enumerate() {
                        acked.push((pending.id, pending.appended.first_offset + index as i64, *value));
                    }
                    false
                }
            }
        });
        self.stats.acked += acked.len();
        self.acked.extend(acked);
    }

    pub(super) fn epoch_of(&self, id: NodeId) -> Option<i64> {
        self.controller.image.brokers.get(&id).map(|broker| broker.epoch)
    }

    fn step(&mut self) {
        let passed = Duration::from_micros(self.rng.random_range(200..15_000));
        self.now = self.now.plus(passed);
        self.deliver_due();
        self.controller.tick(self.now.mono);
        for node in BROKERS {
            self.run_broker(node);
        }
        self.produce();
        if !self.calm {
            self.maybe_break();
        }
        self.check_isrs();
    }

    fn run_broker(&mut self, node: NodeId) {
        let now = self.now;
        let broker = self.brokers.get_mut(&node).unwrap();
        if broker.manager.is_none() && broker.restart_at.is_some_and(|at| at <= now.mono) {
            self.start(node);
        }
        let cut = self.is_cut(CONTROLLER, node);
        let (chance, batch) = (self.rng.random_bool(0.3), self.rng.random_range(1..4));
        let broker = self.brokers.get_mut(&node).unwrap();
        let Some(manager) = &mut broker.manager else { return };
        if broker.paused_until > now.mono {
            return;
        }
        if chance && !cut && broker.uninformed_until <= now.mono {
            for _ in 0..batch {
                let Some((image, delta)) = self.controller.history.get(broker.applied) else { break };
                manager.apply_image(now, image, delta);
                broker.applied += 1;
            }
        }
        manager.on_tick(now);
        if broker.next_heartbeat <= now.mono {
            broker.next_heartbeat = now.mono + Duration::from_millis(300);
            let offset = broker.applied.checked_sub(1).map_or(-1, |at| self.controller.history[at].0.offset);
            let message = match broker.epoch {
                Some(epoch) => Message::Heartbeat(epoch, offset),
                None => Message::Register(broker.incarnation),
            };
            self.send(node, CONTROLLER, None, message);
        }
        self.drain(node);
    }

    fn start(&mut self, node: NodeId) {
        let incarnation = Id::random(&mut self.rng);
        let broker = self.brokers.get_mut(&node).unwrap();
        broker.restart_at = None;
        broker.generation += 1;
        broker.incarnation = incarnation;
        broker.epoch = None;
        broker.applied = 0;
        broker.next_heartbeat = self.now.mono;
        broker.paused_until = Duration::ZERO;
        let manager = ReplicaManager::open(&config(node), Arc::new(broker.disk.clone()), self.now).unwrap();
        broker.manager = Some(manager);
        self.checked.retain(|(checked, _), _| *checked != node);
    }

    fn stop(&mut self, node: NodeId, power_loss: bool) {
        let downtime = match self.rng.random_range(0..3) {
            0 => Duration::from_millis(self.rng.random_range(1..100)),
            1 => Duration::from_millis(self.rng.random_range(100..1500)),
            _ => Duration::from_millis(self.rng.random_range(1500..4000)),
        };
        let torn = self.rng.random_bool(0.5).then(|| self.rng.random_range(0..2000usize));
        let broker = self.brokers.get_mut(&node).unwrap();
        broker.manager = None;
        broker.generation += 1;
        broker.restart_at = Some(self.now.mono + downtime);
        broker.lost_records = power_loss;
        match (power_loss, torn) {
            (false, _) => broker.disk.kill(),
            (true, None) => broker.disk.power_loss(),
            (true, Some(kept)) => broker.disk.power_loss_keeping(|len| kept.min(len)),
        }
    }

    fn produce(&mut self) {
        if !self.rng.random_bool(0.4) {
            return;
        }
        let ids = self.controller.ids();
        let id = ids[self.rng.random_range(0..ids.len())];
        let acks = if self.rng.random_bool(0.7) { -1 } else { 1 };
        let count = self.rng.random_range(1..4);
        for node in BROKERS {
            let now = self.now;
            let broker = self.brokers.get_mut(&node).unwrap();
            let leads = |manager: &&mut ReplicaManager| {
                broker.paused_until <= now.mono && manager.partition(&id).is_some_and(super::Partition::is_leader)
            };
            let Some(manager) = broker.manager.as_mut().filter(leads) else { continue };
            let mut batch = BatchBuilder::new(0, Compression::None);
            let values: Vec<u64> = (0..count).map(|index| self.next_value + index).collect();
            self.next_value += count;
            for value in &values {
                let mut bytes = value.to_be_bytes().to_vec();
                bytes.resize(self.rng.random_range(8..300), 7);
                batch.push(now.wall_ms, None, Some(&bytes), &[]);
            }
            if let Ok(appended) = manager.append(now, &id, batch.build_mut(), acks)
                && acks == -1
            {
                let generation = broker.generation;
                self.pending.push(PendingAppend { node, generation, id, appended, values });
            }
            self.drain(node);
        }
    }

    fn is_whole(&self) -> bool {
        let up = BROKERS.iter().all(|id| {
            let broker = &self.brokers[id];
            broker.manager.is_some() && broker.epoch.is_some() && broker.epoch == self.epoch_of(*id)
        });
        up && self.controller.ids().iter().all(|id| self.controller.partition(id).isr.len() == 3)
    }

    fn maybe_break(&mut self) {
        if !self.rng.random_bool(0.016) {
            return;
        }
        let node = BROKERS[self.rng.random_range(0..3)];
        let alive = self.brokers[&node].manager.is_some();
        match self.rng.random_range(0..8) {
            // A kill makes the controller distrust a broker as a power cut does; the last one trusted must not be the one that lost.
            0 if alive && !self.brokers.values().any(|broker| broker.lost_records) => {
                self.stats.kills += 1;
                self.stop(node, false);
            }
            // Only what is on all the others may be lost here: this is the promise that is tested.
            1 if self.is_whole() => {
                self.stats.power_losses += 1;
                self.stop(node, true);
            }
            2 => {
                let until = self.now.mono + Duration::from_millis(self.rng.random_range(50..4000));
                self.brokers.get_mut(&node).unwrap().paused_until = until;
            }
            3 => {
                let other = BROKERS[self.rng.random_range(0..3)];
                let until = self.now.mono + Duration::from_millis(self.rng.random_range(50..4000));
                self.cuts.insert((node, other), until);
                if self.rng.random_bool(0.5) {
                    self.cuts.insert((other, node), until);
                }
            }
            4 => {
                let until = self.now.mono + Duration::from_millis(self.rng.random_range(50..4000));
                self.cuts.insert((node, CONTROLLER), until);
                if self.rng.random_bool(0.7) {
                    self.cuts.insert((CONTROLLER, node), until);
                }
            }
            5 => {
                let until = self.now.mono + Duration::from_millis(self.rng.random_range(50..3000));
                self.brokers.get_mut(&node).unwrap().uninformed_until = until;
            }
            6 => {
                let delay = Duration::from_millis(self.rng.random_range(0..1500));
                self.slow.insert((CONTROLLER, node), delay);
                self.slow.insert((node, CONTROLLER), delay / 2);
            }
            _ => {
                let other = BROKERS[self.rng.random_range(0..3)];
                let delay = Duration::from_millis(self.rng.random_range(0..400));
                self.slow.insert((node, other), delay);
            }
        }
    }

    fn calm_down(&mut self) {
        self.calm = true;
        self.cuts.clear();
        self.slow.clear();
        for broker in self.brokers.values_mut() {
            broker.paused_until = Duration::ZERO;
            broker.uninformed_until = Duration::ZERO;
            if broker.manager.is_none() {
                broker.restart_at = Some(self.now.mono);
            }
        }
    }

    fn run(seed: u64) -> Stats {
        let mut sim = Sim::new(seed);
        while sim.now.mono < Duration::from_secs(10) {
            sim.step();
        }
        sim.calm_down();
        let end = sim.now.mono + Duration::from_secs(6);
        while sim.now.mono < end {
            sim.step();
        }
        // The producers stop; what is in flight arrives.
        let end = sim.now.mono + Duration::from_secs(2);
        while sim.now.mono < end {
            sim.now = sim.now.plus(Duration::from_millis(5));
            sim.deliver_due();
            for node in BROKERS {
                sim.run_broker(node);
            }
            sim.check_isrs();
        }
        sim.check_end();
        for id in sim.controller.ids() {
            sim.stats.elections += sim.controller.partition(&id).leader_epoch;
            sim.stats.isr_changes += sim.controller.partition(&id).partition_epoch as u64;
        }
        sim.stats
    }
}

fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("BROKERSCOPE_SIM_SEEDS").ok();
    let parsed = given.as_deref().and_then(|text| {
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    parsed.unwrap_or(0..100)
}

#[test]
fn nothing_acknowledged_is_lost() {
    let mut total = Stats::default();
    let seeds: BTreeSet<u64> = seeds().collect();
    for seed in &seeds {
        let stats = std::panic::catch_unwind(|| Sim::run(*seed)).unwrap_or_else(|panic| {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(panic)
        });
        total.acked += stats.acked;
        total.elections += stats.elections;
        total.isr_changes += stats.isr_changes;
        total.truncations += stats.truncations;
        total.kills += stats.kills;
        total.power_losses += stats.power_losses;
    }
    eprintln!("{} seeds: {total:?}", seeds.len());
    // A simulation in which nothing happens proves nothing.
    assert!(total.acked > 200 * seeds.len(), "{total:?}");
    assert!(seeds.len() < 20 || (total.truncations > 0 && total.power_losses > 0 && total.kills > 0), "{total:?}");
}
