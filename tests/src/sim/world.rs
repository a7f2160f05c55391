//! Nodes, messages and time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::log::SimDisk;
use broker::metadata::config::{NodeConfig, cap_replication, profile_overrides};
use broker::metadata::image::Image;
use broker::node::controller::Controller;
use broker::server::Broker;
use broker::server::peer::{PeerMessage, PeerRequest};
use broker::types::{NodeId, Now};
use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::checker::{self, Checker, Violation};
use super::client::Client;
use super::disturbances::Disturbances;
use super::moves::Moves;
use crate::requests::OpenRequests;

const CLUSTER_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
/// A node asks to be called later than now again and again: a livelock, found instead of suffered.
const CALLS_WITHOUT_TIME_MAX: u32 = 100_000;
/// A healed cluster must be whole again after this.
const CALM_MAX: Duration = Duration::from_secs(60);
/// Not a node: who gives orders.
const OUTSIDE: NodeId = -2;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Brokers.
    pub brokers: i32,
    /// Controllers.
    pub controllers: i32,
    /// Partitions of the topic that is written.
    pub partitions: i32,
    /// Idempotent producers.
    pub producers: usize,
    /// How long faults and load last, in simulated time.
    pub storm: Duration,
    /// Whether power may be lost (unsynced bytes are gone), on one node at a time.
    pub power_loss: bool,
    /// Whether replicas are moved between brokers meanwhile; there should be more than three then.
    pub moves: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            brokers: 3,
            controllers: 3,
            partitions: 2,
            producers: 3,
            storm: Duration::from_secs(12),
            power_loss: false,
            moves: false,
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Simulated time.
    pub simulated: Duration,
    /// Faults injected.
    pub faults: u64,
    /// Reassignments that ended as they were asked for.
    pub moves_completed: u64,
    /// Reassignments that were taken back.
    pub moves_cancelled: u64,
    /// Brokers that came while it ran.
    pub brokers_added: u64,
    /// Brokers that were emptied and went.
    pub brokers_removed: u64,
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Messages between nodes.
    pub messages: u64,
}

pub(super) enum Core {
    Broker(Box<Broker>),
    Controller(Box<Controller>),
}

pub(super) struct Node {
    pub(super) disk: SimDisk,
    pub(super) core: Option<Core>,
    pub(super) paused: bool,
    /// Grows with each start: what was sent to an earlier incarnation does not reach this one.
    pub(super) incarnation: u64,
    /// What arrived while it was paused.
    backlog: Vec<Delivery>,
}

enum Delivery {
    Peer { from: NodeId, to: NodeId, incarnation: u64, message: PeerMessage },
    Frame { client: usize, to: NodeId, incarnation: u64, seq: u64, frame: Bytes },
    Answer { client: usize, from: NodeId, seq: u64, frame: Option<BytesMut> },
}

/// The simulated cluster.
pub struct World {
    pub(super) plan: Plan,
    pub(super) now: Now,
    pub(super) rng: StdRng,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) cuts: BTreeSet<(NodeId, NodeId)>,
    queue: BTreeMap<(Duration, u64), Delivery>,
    last_delivery: BTreeMap<(NodeId, NodeId), Duration>,
    sent: u64,
    /// Requests between nodes that are not answered.
    open: OpenRequests,
    pub(super) clients: Vec<Client>,
    pub(super) checker: Checker,
    pub(super) summary: Summary,
}

impl World {
    /// A cluster on empty disks, with its topic.
    pub fn found(seed: u64, plan: &Plan) -> Result<World, Violation> {
        let mut world = World {
            plan: plan.clone(),
            now: Now { mono: Duration::from_secs(1), wall_ms: 1_700_000_000_000 },
            rng: StdRng::seed_from_u64(seed),
            nodes: BTreeMap::new(),
            cuts: BTreeSet::new(),
            queue: BTreeMap::new(),
            last_delivery: BTreeMap::new(),
            sent: 0,
            open: OpenRequests::default(),
            clients: Vec::new(),
            checker: Checker::default(),
            summary: Summary::default(),
        };
        let ids = (0..plan.controllers).map(|index| 3000 + index).chain(1..=plan.brokers);
        for id in ids {
            world.add(id)?;
        }
        world.clients = (0..plan.producers).map(|index| Client::new(index, plan.partitions)).collect();
        Ok(world)
    }

    /// Storm, calm, check.
    pub fn play(mut self) -> Result<Summary, Violation> {
        self.run_until(CALM_MAX, "a topic with leaders", |world| world.topic_exists())?;
        let storm_ends = self.now.mono + self.plan.storm;
        let mut disturbances = Disturbances::new(&mut self.rng, self.now.mono);
        let mut moves = self.plan.moves.then(|| Moves::new(&mut self.rng, self.now.mono, self.plan.brokers));
        while self.now.mono < storm_ends {
            let next_move = moves.as_ref().map_or(storm_ends, Moves::next_at);
            let until = disturbances.next_at().min(storm_ends).min(next_move);
            self.advance(until)?;
            disturbances.act(&mut self)?;
            if let Some(moves) = &mut moves {
                moves.act(&mut self)?;
            }
        }
        self.heal()?;
        self.run_until(CALM_MAX, "all producers to be answered", |world| world.clients.iter_mut().all(Client::finish))?;
        self.run_until(CALM_MAX, "all replicas to be in sync", |world| checker::is_whole(world))?;
        checker::check_end(&self)?;
        self.summary.simulated = self.now.mono;
        self.summary.acknowledged = self.clients.iter().map(Client::acknowledged).sum();
        self.summary.messages = self.sent;
        self.summary.moves_completed = self.checker.moves.completed;
        self.summary.moves_cancelled = self.checker.moves.cancelled;
        Ok(self.summary)
    }

    fn config(&self, id: NodeId) -> Result<NodeConfig, Violation> {
        let violation = |error: &dyn std::fmt::Display| self.violation(format!("node {id} is ill-configured: {error}"));
        let mut overrides = profile_overrides("lab").map_err(|error| violation(&error))?;
        cap_replication(&mut overrides, self.plan.brokers as u32);
        // Snapshots of the metadata log all the time, and a log that forgets its beginning.
        for (key, value) in [
            ("metadata.log.max.record.bytes.between.snapshots", "1500"),
            ("metadata.max.retention.bytes", "3000"),
            ("internal.metadata.log.segment.bytes", "2000"),
            ("controller.quorum.fetch.snapshot.max.bytes", "700"),
        ] {
            overrides.insert(key.to_owned(), value.to_owned());
        }
        let config = NodeConfig::new(id, CLUSTER_ID, overrides).map_err(|error| violation(&error))?;
        Ok(config
            .with_rack((id < 3000).then(|| format!("zone-{id}")))
            .with_endpoint("127.0.0.1", 9091 + (id % 3000) as u16)
            .with_log_dirs(vec![PathBuf::from(format!("/node-{id}"))])
            .with_voters((0..self.plan.controllers).map(|index| 3000 + index).collect()))
    }

    /// A node with an empty disk.
    pub(super) fn add(&mut self, id: NodeId) -> Result<(), Violation> {
        let disk = SimDisk::default();
        self.nodes.insert(id, Node { disk, core: None, paused: false, incarnation: 0, backlog: Vec::new() });
        self.start(id)
    }

    pub(super) fn violation(&self, what: String) -> Violation {
        Violation { at: self.now.mono, what }
    }

    /// Starts a node on what its disk holds.
    pub(super) fn start(&mut self, id: NodeId) -> Result<(), Violation> {
        let config = self.config(id)?;
        let seed = self.rng.random();
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        let disk = Arc::new(node.disk.clone());
        let core = if id < 3000 {
            Broker::open(config, disk, seed, now).map(|core| Core::Broker(Box::new(core))).map_err(|e| e.to_string())
        } else {
            Controller::new(config, disk, seed, now)
                .map(|core| Core::Controller(Box::new(core)))
                .map_err(|e| e.to_string())
        };
        match core {
            Ok(core) => {
                node.core = Some(core);
                node.paused = false;
                node.incarnation += 1;
                self.drain(id);
                Ok(())
            }
            Err(error) => Err(self.violation(format!("node {id} does not start: {error}"))),
        }
    }

    /// Kills a node: its memory is gone, its disk stays.
    pub(super) fn kill(&mut self, id: NodeId) {
        // Who asked it hears nothing, and asks again when its patience is over.
        self.open.forget(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.core = None;
            node.paused = false;
            node.backlog.clear();
            node.disk.kill();
        }
    }

    /// Kills a node and forgets what it did not sync.
    pub(super) fn power_loss(&mut self, id: NodeId) {
        self.kill(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.disk.power_loss();
        }
    }

    /// Asks the active controller, whichever that is; nobody waits for the answer.
    pub(super) fn order(&mut self, request: PeerRequest) {
        self.checker.moves.planned |= matches!(request, PeerRequest::Rebalance(_));
        for id in 0..self.plan.controllers {
            let message = PeerMessage::Request { correlation: 1, body: request.clone() };
            self.post(OUTSIDE, 3000 + id, message);
        }
    }

    /// Neither down nor paused.
    pub(super) fn is_at_work(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.core.is_some() && !node.paused)
    }

    pub(super) fn pause(&mut self, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.paused = node.core.is_some();
        }
    }

    pub(super) fn resume(&mut self, id: NodeId) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(&id) else { return Ok(()) };
        node.paused = false;
        let backlog = std::mem::take(&mut node.backlog);
        for delivery in backlog {
            self.deliver(delivery)?;
        }
        Ok(())
    }

    /// Every fault ends.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        self.cuts.clear();
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        for id in ids {
            match self.nodes.get(&id) {
                Some(node) if node.core.is_none() => self.start(id)?,
                Some(node) if node.paused => self.resume(id)?,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn broker(&self, id: NodeId) -> Option<&Broker> {
        match self.nodes.get(&id)?.core.as_ref()? {
            Core::Broker(core) => Some(core),
            Core::Controller(_) => None,
        }
    }

    /// Brokers that run (paused ones too).
    pub(super) fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.nodes.keys().filter_map(|id| self.broker(*id))
    }

    /// The newest image that any broker at work holds: what a client's Metadata would tell.
    pub(super) fn newest_image(&self) -> Option<&Image> {
        let awake = self.nodes.iter().filter(|(_, node)| !node.paused).filter_map(|(id, _)| self.broker(*id));
        awake.map(|broker| &broker.image).max_by_key(|image| image.offset)
    }

    /// What the active controller has committed.
    pub(super) fn decided(&self) -> Option<&Image> {
        let cores = self.nodes.values().filter_map(|node| node.core.as_ref());
        let active = cores.filter_map(|core| match core {
            Core::Controller(core) if core.is_active() => Some(core),
            _ => None,
        });
        active.max_by_key(|core| core.quorum().epoch()).map(|core| core.image().as_ref())
    }

    fn topic_exists(&mut self) -> bool {
        let partitions = self.plan.partitions as usize;
        self.newest_image().and_then(|image| image.topic(super::client::TOPIC)).is_some_and(|topic| {
            topic.partitions.len() == partitions && topic.partitions.iter().all(|partition| partition.isr.len() == 3)
        })
    }

    fn run_until(
        &mut self,
        patience: Duration,
        what: &str,
        mut done: impl FnMut(&mut World) -> bool,
    ) -> Result<(), Violation> {
        let give_up = self.now.mono + patience;
        while !done(self) {
            if self.now.mono >= give_up {
                return Err(self.violation(format!(
                    "waited {} s for {what} in a healthy cluster\n{}",
                    patience.as_secs(),
                    checker::describe(self)
                )));
            }
            self.advance(self.now.mono + Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// Lets time pass until then.
    pub(super) fn advance(&mut self, until: Duration) -> Result<(), Violation> {
        let mut calls_without_time = 0;
        loop {
            let tick = self.next_tick();
            let delivery = self.queue.keys().next().map(|(at, _)| *at);
            let clients = self.clients.iter().map(Client::next_at).min();
            let next = [tick.map(|(at, _)| at), delivery, clients].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else {
                self.pass_to(until);
                return Ok(());
            };
            calls_without_time = if at > self.now.mono { 0 } else { calls_without_time + 1 };
            if calls_without_time > CALLS_WITHOUT_TIME_MAX {
                return Err(self.violation(format!("time stands still; next tick {tick:?}")));
            }
            self.pass_to(at);
            if delivery == Some(at) {
                if let Some((_, delivery)) = self.queue.pop_first() {
                    self.deliver(delivery)?;
                }
            } else if let Some((_, id)) = tick.filter(|(due, _)| *due == at) {
                self.tick(id)?;
            } else {
                self.run_clients();
            }
        }
    }

    fn pass_to(&mut self, mono: Duration) {
        if mono > self.now.mono {
            self.now = self.now.plus(mono - self.now.mono);
        }
    }

    /// The node that wants to be called first, and when.
    fn next_tick(&self) -> Option<(Duration, NodeId)> {
        let awake = self.nodes.iter().filter(|(_, node)| !node.paused);
        awake
            .filter_map(|(id, node)| {
                let deadline = match node.core.as_ref()? {
                    Core::Broker(core) => core.next_deadline(),
                    Core::Controller(core) => core.next_deadline(),
                };
                Some((deadline?.max(self.now.mono), *id))
            })
            .min()
    }

    fn tick(&mut self, id: NodeId) -> Result<(), Violation> {
        let now = self.now;
        match self.nodes.get_mut(&id).and_then(|node| node.core.as_mut()) {
            Some(Core::Broker(core)) => core.on_tick(now),
            Some(Core::Controller(core)) => core.on_tick(now),
            None => {}
        }
        self.after(id)
    }

    fn after(&mut self, id: NodeId) -> Result<(), Violation> {
        self.drain(id);
        checker::check_step(self, id)
    }

    /// Puts on its way what a node wants sent.
    fn drain(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let (peer, responses) = match node.core.as_mut() {
            Some(Core::Broker(core)) => {
                core.events.clear();
                let outbox = std::mem::take(&mut core.out);
                (outbox.peer, outbox.responses)
            }
            Some(Core::Controller(core)) => (core.take_outbox().peer, Vec::new()),
            None => return,
        };
        for (to, message) in peer {
            self.post(id, to, message);
        }
        for response in responses {
            let client = response.conn as usize;
            self.enqueue(id, -1, Delivery::Answer { client, from: id, seq: response.seq, frame: response.frame });
        }
    }

    fn post(&mut self, from: NodeId, to: NodeId, mut message: PeerMessage) {
        self.sent += 1;
        if self.cuts.contains(&(from, to)) {
            return;
        }
        let target = self.nodes.get(&to);
        if target.is_some_and(|node| node.core.is_some()) {
            if !self.open.set_out(from, to, &mut message) {
                return;
            }
            let incarnation = target.map_or(0, |node| node.incarnation);
            self.enqueue(from, to, Delivery::Peer { from, to, incarnation, message });
            return;
        }
        let refused = match message {
            PeerMessage::Request { correlation, .. } => correlation,
            PeerMessage::Quorum(_) => 0,
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => return,
        };
        let incarnation = self.nodes.get(&from).map_or(0, |node| node.incarnation);
        let message = PeerMessage::Refused { correlation: refused };
        self.enqueue(to, from, Delivery::Peer { from: to, to: from, incarnation, message });
    }

    /// In order per direction, as TCP; after 50 µs to some milliseconds, rarely much longer.
    fn enqueue(&mut self, from: NodeId, to: NodeId, delivery: Delivery) {
        let micros = match self.rng.random_range(0..1000) {
            0 => self.rng.random_range(5_000..80_000),
            1..50 => self.rng.random_range(1_000..5_000),
            _ => self.rng.random_range(50..400),
        };
        let floor = self.last_delivery.get(&(from, to)).copied().unwrap_or_default();
        let at = (self.now.mono + Duration::from_micros(micros)).max(floor);
        self.last_delivery.insert((from, to), at);
        self.sent += 1;
        self.queue.insert((at, self.sent), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) -> Result<(), Violation> {
        let now = self.now;
        let (to, incarnation) = match &delivery {
            Delivery::Peer { to, incarnation, .. } | Delivery::Frame { to, incarnation, .. } => (*to, *incarnation),
            Delivery::Answer { .. } => {
                if let Delivery::Answer { client, from, seq, frame } = delivery
                    && let Some(client) = self.clients.get_mut(client)
                {
                    return client.on_answer(now, from, seq, frame).map_err(|what| self.violation(what));
                }
                return Ok(());
            }
        };
        let Some(node) = self.nodes.get_mut(&to).filter(|node| node.incarnation == incarnation) else { return Ok(()) };
        if node.paused {
            node.backlog.push(delivery);
            return Ok(());
        }
        match (node.core.as_mut(), delivery) {
            (Some(Core::Broker(core)), Delivery::Peer { from, message, .. }) => {
                core.on_peer_message(now, from, message);
            }
            (Some(Core::Controller(core)), Delivery::Peer { from, message, .. }) => {
                core.on_peer_message(now, from, message);
            }
            (Some(Core::Broker(core)), Delivery::Frame { client, seq, frame, .. }) => {
                core.on_client_frame(now, client as u64, seq, IpAddr::V4(Ipv4Addr::LOCALHOST), frame);
            }
            _ => return Ok(()),
        }
        self.after(to)
    }

    fn run_clients(&mut self) {
        let mut clients = std::mem::take(&mut self.clients);
        for client in &mut clients {
            if client.next_at() > self.now.mono {
                continue;
            }
            if let Some((to, seq, frame)) = client.act(self.now, self.newest_image())
                && let Some(node) = self.nodes.get(&to).filter(|node| node.core.is_some())
            {
                let incarnation = node.incarnation;
                let client = client.index();
                // Links of clients are numbered apart from those of nodes.
                self.enqueue(-100 - client as NodeId, to, Delivery::Frame { client, to, incarnation, seq, frame });
            }
        }
        self.clients = clients;
    }
}
