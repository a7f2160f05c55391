//! Nodes, links, connections and time: the cores that run on threads elsewhere, here in one thread over simulated disks, from one seed.

mod network;
mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::log::SimDisk;
use broker::metadata::config::{NodeConfig, cap_replication, profile_overrides};
use broker::metadata::image::{Image, PartitionImage};
use broker::node::controller::Controller;
use broker::server::Broker;
use broker::server::peer::PeerMessage;
use broker::types::{NodeId, Now};
use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::client::Client;
use super::fences::Fences;
use super::history::{Anomaly, History, Kind};
use super::inside::{self, Watch};
use super::plan::{Plan, TOPIC};
use crate::requests::OpenRequests;

pub(super) use network::TroubleKind;

const CLUSTER_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

/// A node's logic.
pub(super) enum Core {
    Broker(Box<Broker>),
    Controller(Box<Controller>),
}

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) disk: SimDisk,
    pub(super) core: Option<Core>,
    pub(super) paused: bool,
    /// Grows with each start: what was sent to an earlier incarnation does not reach this one.
    incarnation: u32,
    /// It has taken part, and answers clients since then.
    listens: bool,
    /// What arrived while it was paused or busy.
    backlog: VecDeque<Delivery>,
    /// When its core wants to be called.
    due: Option<Duration>,
    /// Until then its disk keeps it.
    busy_until: Duration,
    /// How long each step that writes takes, at least and at most.
    pub(super) slow: Option<(Duration, Duration)>,
    writes: u64,
}

/// What is to happen to the cluster at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// Start a node that is down; let a paused one go on.
    Revive(NodeId),
    Kill(NodeId),
    PowerLoss(NodeId),
    Pause(NodeId),
}

enum Delivery {
    Peer { from: NodeId, to: NodeId, incarnation: u32, message: PeerMessage },
    Frame { conn: u64, to: NodeId, incarnation: u32, seq: u64, frame: Bytes },
    Hangup { conn: u64, to: NodeId, incarnation: u32 },
    Answer { conn: u64, seq: u64, frame: BytesMut },
    Closed { conn: u64 },
}

/// A client's connection to one incarnation of a broker.
struct Conn {
    client: usize,
    node: NodeId,
    incarnation: u32,
    /// Its client hung up, and the broker has not heard of it yet.
    is_given_up: bool,
    next_in: u64,
    /// Answers leave in the order of the requests.
    next_out: u64,
    ready: BTreeMap<u64, Option<BytesMut>>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Faults injected.
    pub faults: u64,
    /// Messages between nodes, and between clients and nodes.
    pub messages: u64,
}

/// The simulated cluster with its clients.
pub struct World {
    pub(super) plan: Plan,
    pub(super) now: Now,
    pub(super) rng: StdRng,
    nodes: Vec<Node>,
    /// Directions in which nothing passes.
    pub(super) cuts: BTreeSet<(NodeId, NodeId)>,
    /// What else the network does.
    pub(super) troubles: Vec<network::Trouble>,
    /// Messages that hang or hung.
    pub(super) hung: u64,
    queue: BTreeMap<(Duration, u64), Delivery>,
    last_delivery: BTreeMap<(NodeId, NodeId), Duration>,
    schedule: BTreeMap<(Duration, u64), Action>,
    /// Requests between nodes that are not answered.
    open: OpenRequests,
    conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    sent: u64,
    clients: Vec<Option<Box<dyn Client>>>,
    client_due: Vec<Duration>,
    pub(super) history: History,
    pub(super) watch: Watch,
    pub(super) fences: Fences,
    pub(super) counts: Counts,
    pub(super) verbose: bool,
    /// Nodes whose disk was made to fail: they may stop.
    pub(super) may_fail: BTreeSet<NodeId>,
    /// What clients met that is an anomaly, and does not end the run.
    pub(super) anomalies: Vec<Anomaly>,
}

impl World {
    /// Nodes on empty disks, started.
    pub(super) fn found(seed: u64, plan: Plan, verbose: bool) -> Result<World, Anomaly> {
        let mut world = World {
            watch: Watch::new(plan.partitions),
            plan,
            now: Now { mono: Duration::from_secs(1), wall_ms: 1_700_000_000_000 },
            rng: StdRng::seed_from_u64(seed),
            nodes: Vec::new(),
            cuts: BTreeSet::new(),
            troubles: Vec::new(),
            hung: 0,
            queue: BTreeMap::new(),
            last_delivery: BTreeMap::new(),
            schedule: BTreeMap::new(),
            open: OpenRequests::default(),
            conns: BTreeMap::new(),
            next_conn: 0,
            sent: 0,
            clients: Vec::new(),
            client_due: Vec::new(),
            history: History::default(),
            fences: Fences::default(),
            counts: Counts::default(),
            verbose,
            may_fail: BTreeSet::new(),
            anomalies: Vec::new(),
        };
        let ids = (0..world.plan.controllers).map(|index| 3000 + index).chain(1..=world.plan.brokers);
        for id in ids.collect::<Vec<_>>() {
            world.nodes.push(Node {
                id,
                disk: SimDisk::default(),
                core: None,
                paused: false,
                incarnation: 0,
                listens: false,
                backlog: VecDeque::new(),
                due: None,
                busy_until: Duration::ZERO,
                slow: None,
                writes: 0,
            });
            world.start(id)?;
        }
        Ok(world)
    }

    fn slot(&self, id: NodeId) -> usize {
        if id >= 3000 { (id - 3000) as usize } else { (self.plan.controllers + id - 1) as usize }
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[self.slot(id)]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        let slot = self.slot(id);
        &mut self.nodes[slot]
    }

    /// Says what happens, if that is wanted.
    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:9.3} {}", self.now.mono.as_secs_f64(), what());
        }
    }

    fn config(&self, id: NodeId) -> Result<NodeConfig, Anomaly> {
        let failed = |why: String| Anomaly::new(Kind::NodeFailed, format!("node {id} is ill-configured: {why}"));
        let mut overrides = profile_overrides("lab").map_err(|error| failed(error.to_string()))?;
        cap_replication(&mut overrides, self.plan.brokers as u32);
        for (key, value) in self.plan.timings.overrides() {
            overrides.insert(key.to_owned(), value);
        }
        if self.plan.one_leader {
            // It would give leadership back in the midst of a row that is about one leader.
            overrides.insert("auto.leader.rebalance.enable".into(), "false".into());
        }
        overrides.insert("offsets.topic.num.partitions".into(), "1".into());
        if !self.plan.transactional.is_empty() {
            let partitions = self.plan.transaction_partitions.to_string();
            overrides.insert("transaction.state.log.num.partitions".into(), partitions);
            overrides.insert("transaction.abort.timed.out.transaction.cleanup.interval.ms".into(), "500".into());
        }
        if let Some(share) = &self.plan.share {
            overrides.extend(share.overrides().into_iter().map(|(key, value)| (key.to_owned(), value)));
        }
        overrides.insert("min.insync.replicas".into(), self.plan.min_isr.to_string());
        let config = NodeConfig::new(id, CLUSTER_ID, overrides).map_err(|error| failed(error.to_string()))?;
        Ok(config
            .with_rack((id < 3000).then(|| format!("zone-{id}")))
            .with_endpoint("127.0.0.1", 9091 + (id % 3000) as u16)
            .with_log_dirs(self.log_dirs(id))
            .with_voters((0..self.plan.controllers).map(|index| 3000 + index).collect()))
    }

    /// A node's log directories; the first holds its metadata.
    pub(super) fn log_dirs(&self, id: NodeId) -> Vec<PathBuf> {
        let count = if id < 3000 { self.plan.log_dirs } else { 1 };
        (0..count).map(|index| PathBuf::from(format!("/node-{id}-{index}"))).collect()
    }

    /// Starts a node on what its disk holds.
    pub(super) fn start(&mut self, id: NodeId) -> Result<(), Anomaly> {
        let config = self.config(id)?;
        let (seed, now) = (self.rng.random(), self.now);
        self.say(|| format!("start {id}"));
        let node = self.node_mut(id);
        let disk = Arc::new(node.disk.clone());
        let core = if id < 3000 {
            Broker::open(config, disk, seed, now).map(|core| Core::Broker(Box::new(core))).map_err(|e| e.to_string())
        } else {
            let core = Controller::new(config, disk, seed, now);
            core.map(|core| Core::Controller(Box::new(core))).map_err(|e| e.to_string())
        };
        match core {
            Ok(core) => {
                node.core = Some(core);
                node.paused = false;
                node.incarnation += 1;
                node.listens = false;
                node.busy_until = Duration::ZERO;
                self.after(id)
            }
            Err(why) => Err(Anomaly::new(Kind::NodeFailed, format!("node {id} does not start: {why}"))),
        }
    }

    /// Kills a node: its memory is gone, its disk stays, and its clients' connections are reset.
    pub(super) fn kill(&mut self, id: NodeId) {
        self.say(|| format!("kill {id}"));
        self.node(id).disk.kill();
        self.down(id, true);
    }

    /// Cuts a node's power: what was not synced is gone, but for torn tails; its clients hear nothing.
    pub(super) fn power_loss(&mut self, id: NodeId) {
        self.say(|| format!("power loss {id}"));
        let slot = self.slot(id);
        let rng = &mut self.rng;
        self.nodes[slot].disk.power_loss_keeping(|bytes| match rng.random_range(0..4) {
            0 if bytes > 0 => rng.random_range(0..=bytes),
            _ => 0,
        });
        self.down(id, false);
    }

    fn down(&mut self, id: NodeId, reset: bool) {
        let node = self.node_mut(id);
        node.core = None;
        node.paused = false;
        node.backlog.clear();
        node.due = None;
        self.conns.retain(|_, conn| conn.node != id || !conn.is_given_up);
        let conns: Vec<u64> = self.conns.iter().filter(|(_, conn)| conn.node == id).map(|(conn, _)| *conn).collect();
        for conn in conns.into_iter().filter(|_| reset) {
            self.enqueue(id, -1, Delivery::Closed { conn });
        }
        // The kernel of a process that was killed resets its connections; a machine without power says nothing.
        for (asker, correlation) in self.open.forget(id) {
            if reset && !self.cuts.contains(&(id, asker)) {
                self.refuse(id, asker, correlation);
            }
        }
    }

    /// Stops a node's thread where it stands: sockets accept, nobody answers.
    pub(super) fn pause(&mut self, id: NodeId) {
        self.say(|| format!("pause {id}"));
        let node = self.node_mut(id);
        node.paused = node.core.is_some();
    }

    /// Lets a paused node go on.
    pub(super) fn resume(&mut self, id: NodeId) {
        self.say(|| format!("resume {id}"));
        self.node_mut(id).paused = false;
    }

    /// Has something happen later.
    pub(super) fn later(&mut self, after: Duration, action: Action) {
        self.sent += 1;
        self.schedule.insert((self.now.mono + after, self.sent), action);
    }

    /// Forgets what was to happen later.
    pub(super) fn clear_schedule(&mut self) {
        self.schedule.clear();
    }

    fn act(&mut self, action: Action) -> Result<(), Anomaly> {
        match action {
            Action::Revive(id) if !self.is_up(id) => self.start(id)?,
            Action::Revive(id) => self.resume(id),
            Action::Kill(id) if self.is_up(id) => self.kill(id),
            Action::PowerLoss(id) if self.is_up(id) => self.power_loss(id),
            Action::Pause(id) => self.pause(id),
            Action::Kill(_) | Action::PowerLoss(_) => {}
        }
        Ok(())
    }

    /// Whether a node runs (paused or not).
    pub(super) fn is_up(&self, id: NodeId) -> bool {
        self.node(id).core.is_some()
    }

    /// Both directions between two nodes.
    pub(super) fn cut_both(&mut self, one: NodeId, other: NodeId) {
        self.say(|| format!("cut {one} <-> {other}"));
        self.cuts.extend([(one, other), (other, one)]);
    }

    /// A broker's logic, if it runs.
    pub(super) fn broker(&self, id: NodeId) -> Option<&Broker> {
        match self.node(id).core.as_ref()? {
            Core::Broker(core) => Some(core),
            Core::Controller(_) => None,
        }
    }

    /// A broker's logic, to be told something from outside (a controlled shutdown).
    pub(super) fn broker_mut(&mut self, id: NodeId) -> Option<&mut Broker> {
        match self.node_mut(id).core.as_mut()? {
            Core::Broker(core) => Some(core),
            Core::Controller(_) => None,
        }
    }

    /// A controller's logic, if it runs.
    pub(super) fn controller(&self, id: NodeId) -> Option<&Controller> {
        match self.node(id).core.as_ref()? {
            Core::Controller(core) => Some(core),
            Core::Broker(_) => None,
        }
    }

    /// The active controller, if one runs and is past taking over.
    pub(super) fn active_controller(&self) -> Option<NodeId> {
        let controllers = self.nodes.iter().filter(|node| node.id >= 3000 && !node.paused);
        let active = controllers.filter_map(|node| Some((self.controller(node.id)?, node.id)));
        active.filter(|(core, _)| core.is_active()).max_by_key(|(core, _)| core.quorum().epoch()).map(|(_, id)| id)
    }

    /// Ids of all brokers.
    pub(super) fn broker_ids(&self) -> std::ops::RangeInclusive<NodeId> {
        1..=self.plan.brokers
    }

    /// Ids of all controllers.
    pub(super) fn controller_ids(&self) -> std::ops::Range<NodeId> {
        3000..3000 + self.plan.controllers
    }

    /// Brokers that run (paused ones too).
    pub(super) fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.broker_ids().filter_map(|id| self.broker(id))
    }

    /// The newest image that any broker at work holds.
    pub(super) fn newest_image(&self) -> Option<&Image> {
        let awake = self.nodes.iter().filter(|node| node.id < 3000 && !node.paused);
        let images = awake.filter_map(|node| Some(&self.broker(node.id)?.image));
        images.max_by_key(|image| image.offset)
    }

    /// The newest committed image that anybody holds, the controllers included.
    pub(super) fn truth(&self) -> Option<&Image> {
        let controllers = self.controller_ids().filter_map(|id| Some(self.controller(id)?.image().as_ref()));
        controllers.chain(self.newest_image()).max_by_key(|image| image.offset)
    }

    /// A partition as the newest image has it.
    pub(super) fn partition(&self, partition: u32) -> Option<&PartitionImage> {
        self.truth()?.partition(TOPIC, partition as i32)
    }

    /// What Metadata of some broker tells a client of a partition: leader and its epoch. Mostly the newest, sometimes an old one.
    pub(super) fn metadata(&mut self, partition: u32) -> Option<(NodeId, i32)> {
        let any = self.rng.random_range(1..=self.plan.brokers * 4);
        // One that is paused or kept by its disk does not answer, and another is asked.
        let answers = |node: &&Node| !node.paused && node.busy_until <= self.now.mono;
        let image = match self.broker_ids().contains(&any).then(|| self.node(any)).filter(answers) {
            Some(node) => self.broker(node.id).map(|broker| &broker.image),
            None => self.newest_image(),
        };
        let partition = image?.partition(TOPIC, partition as i32)?;
        (partition.leader > 0).then_some((partition.leader, partition.leader_epoch))
    }

    /// Whether a broker answers clients: it does once it has taken part.
    pub(super) fn listens(&self, id: NodeId) -> bool {
        self.is_up(id) && self.node(id).listens
    }

    /// Adds a client.
    pub(super) fn enroll(&mut self, client: Box<dyn Client>) -> usize {
        self.client_due.push(client.next_at());
        self.clients.push(Some(client));
        self.clients.len() - 1
    }

    /// Asks something of a client, and lets it act anew.
    pub(super) fn with_client<T>(
        &mut self,
        index: usize,
        ask: impl FnOnce(&mut dyn Client, &mut World) -> T,
    ) -> Option<T> {
        let mut client = self.clients.get_mut(index)?.take()?;
        let answer = ask(client.as_mut(), self);
        self.client_due[index] = client.next_at();
        self.clients[index] = Some(client);
        Some(answer)
    }

    /// How many clients there are.
    pub(super) fn client_count(&self) -> usize {
        self.clients.len()
    }

    /// Opens a connection; `None`: nobody listens there.
    pub(super) fn connect(&mut self, client: usize, node: NodeId) -> Option<u64> {
        self.node(node).core.as_ref()?;
        let incarnation = self.node(node).incarnation;
        self.next_conn += 1;
        let conn =
            Conn { client, node, incarnation, is_given_up: false, next_in: 0, next_out: 0, ready: BTreeMap::new() };
        self.conns.insert(self.next_conn, conn);
        Some(self.next_conn)
    }

    /// Sends a frame (without its length); its place in the connection's order. `None`: the connection is gone.
    pub(super) fn send(&mut self, conn: u64, frame: Bytes) -> Option<u64> {
        let there = self.conns.get_mut(&conn).filter(|there| !there.is_given_up)?;
        let (to, incarnation, seq) = (there.node, there.incarnation, there.next_in);
        there.next_in += 1;
        self.enqueue(-(conn as NodeId) - 10, to, Delivery::Frame { conn, to, incarnation, seq, frame });
        Some(seq)
    }

    /// A client gives a connection up.
    pub(super) fn hang_up(&mut self, conn: u64) {
        let Some(gone) = self.conns.get_mut(&conn).filter(|it| !it.is_given_up) else { return };
        gone.is_given_up = true;
        let (to, incarnation) = (gone.node, gone.incarnation);
        let hears = self.node(to).core.is_some() && self.node(to).incarnation == incarnation;
        if !hears {
            self.conns.remove(&conn);
        }
        self.enqueue(-(conn as NodeId) - 10, to, Delivery::Hangup { conn, to, incarnation });
    }

    /// Forgets what is known of links that are no more.
    pub(super) fn tidy(&mut self) {
        let now = self.now.mono;
        self.last_delivery.retain(|_, at| *at > now);
    }
}
