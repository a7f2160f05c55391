//! The network between the nodes of one cluster: messages passed in memory, per direction; late, or lost, where a link is slow or cut or
//! nobody listens.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::sync::watch;

use super::courier::{Courier, Parcel};
use super::lines::{Lines, Parting, Resets};
use crate::node::{ClientLine, Inbox, Network, Way};
use crate::server::peer::PeerMessage;
use crate::types::{NO_NODE, NodeId};

/// A direction: from, to; each may be [`ANY_NODE`], and one of them [`CLIENTS`].
pub type Direction = (NodeId, NodeId);

/// In a fault's direction: every node, also those that come later.
pub const ANY_NODE: NodeId = NO_NODE;

/// In a fault's direction: the clients of the broker at the other end.
pub const CLIENTS: NodeId = -2;

/// What a link does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkEffect {
    /// Nothing passes.
    Cut,
    /// Everything is late by `delay`, plus up to `jitter`; the order stays, as on a connection.
    Late {
        /// At least this.
        delay: Duration,
        /// At most so much more.
        jitter: Duration,
    },
    /// Each message is lost with this probability (0 to 1). A connection would send it again; here whoever waits for it times out. Those to
    /// and from clients are connections: what is lost there is late.
    Lossy(f64),
    /// So much passes per second; what comes faster waits.
    Narrow {
        /// Bytes per second, at least 1.
        bytes_per_s: u64,
    },
}

fn way(effect: LinkEffect) -> Way {
    match effect {
        LinkEffect::Cut => Way { is_cut: true, ..Way::default() },
        LinkEffect::Late { delay, jitter } => Way { delay, jitter, ..Way::default() },
        LinkEffect::Lossy(probability) => Way { loss: probability, ..Way::default() },
        LinkEffect::Narrow { bytes_per_s } => Way { bytes_per_s: Some(bytes_per_s), ..Way::default() },
    }
}

fn loses(way: &Way) -> bool {
    way.is_cut || (way.loss > 0.0 && rand::rng().random_bool(way.loss.clamp(0.0, 1.0)))
}

#[derive(Default)]
struct Rules {
    faults: BTreeMap<u64, (Vec<Direction>, LinkEffect)>,
    by_direction: HashMap<Direction, Way>,
    last_id: u64,
    /// Who is told how the lines to its clients are.
    told: HashMap<NodeId, watch::Sender<ClientLine>>,
}

/// All links of one cluster.
pub struct Links {
    wires: Arc<Wires>,
    courier: Arc<Courier>,
}

/// What the senders and the courier share.
#[derive(Default)]
pub(super) struct Wires {
    lines: Lines,
    /// A fault is in force, or messages are on their way: look at the rules. A sound network costs one load.
    armed: AtomicBool,
    rules: RwLock<Rules>,
}

/// One life of a node on the network.
pub struct Plug {
    node_id: NodeId,
    number: u64,
    wires: Arc<Wires>,
    courier: Arc<Courier>,
}

impl Default for Links {
    fn default() -> Links {
        let wires = Arc::new(Wires::default());
        Links { courier: Arc::new(Courier::new(wires.clone())), wires }
    }
}

impl Links {
    /// Plugs a node in (again); its former inbox, if any, gets nothing more.
    pub fn plug_in(&self, node_id: NodeId) -> (Arc<Plug>, Inbox) {
        self.courier.forget(node_id);
        let (number, inbox, resets) = self.wires.lines.plug_in(node_id, &self.wires.cuts());
        self.wires.tell(resets);
        let (wires, courier) = (self.wires.clone(), self.courier.clone());
        (Arc::new(Plug { node_id, number, wires, courier }), inbox)
    }

    /// How a broker's line to its clients is, now and later, over all its deaths and starts.
    pub fn to_clients(&self, node_id: NodeId) -> watch::Receiver<ClientLine> {
        let mut rules = self.wires.rules.write().unwrap_or_else(PoisonError::into_inner);
        let now = rules.to_clients(node_id);
        rules.told.entry(node_id).or_insert_with(|| watch::channel(now).0).subscribe()
    }

    /// Puts a fault on directions into force; its id.
    pub fn break_them(&self, directions: Vec<Direction>, effect: LinkEffect) -> u64 {
        let mut rules = self.wires.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.last_id += 1;
        let id = rules.last_id;
        rules.faults.insert(id, (directions, effect));
        rules.apply();
        self.wires.armed.store(true, Ordering::Release);
        drop(rules);
        self.courier.look();
        id
    }

    /// Ends a fault. What was on its way late arrives late.
    pub fn heal(&self, id: u64) {
        let mut rules = self.wires.rules.write().unwrap_or_else(PoisonError::into_inner);
        rules.faults.remove(&id);
        rules.apply();
        drop(rules);
        self.courier.look();
        self.courier.if_idle(|| self.wires.disarm_if_sound());
    }
}

impl Plug {
    /// The node leaves the network. What it still sends goes nowhere.
    pub fn pull(&self, parting: Parting) {
        if let Some(resets) = self.wires.lines.unplug(self.node_id, self.number, parting, &self.wires.cuts()) {
            self.courier.forget(self.node_id);
            self.wires.tell(resets);
        }
    }
}

impl Network for Plug {
    fn send(&self, to: NodeId, message: PeerMessage) {
        let direction = (self.node_id, to);
        let rule = self.wires.armed.load(Ordering::Acquire).then(|| self.wires.rule(direction));
        let is_lost = rule.as_ref().is_some_and(loses);
        let message = match self.wires.lines.set_out(direction, self.number, message, is_lost, &self.wires.cuts()) {
            Ok(message) => message,
            Err(resets) => return self.wires.tell(resets),
        };
        let Some(rule) = rule else { return self.wires.deliver(direction, message) };
        let late = rule.lateness(rand::random::<f64>);
        let parcel = Parcel { direction, message, due: Instant::now() + late };
        if let Some(parcel) = self.courier.take(parcel, !late.is_zero() || rule.bytes_per_s.is_some()) {
            self.wires.deliver(parcel.direction, parcel.message);
        }
    }

    fn hang_up(&self) {
        self.pull(Parting::Reset);
    }
}

impl Rules {
    fn apply(&mut self) {
        self.by_direction.clear();
        for (directions, effect) in self.faults.values() {
            for direction in directions {
                let rule = self.by_direction.entry(*direction).or_default();
                *rule = rule.and(way(*effect));
            }
        }
        for (node_id, told) in &self.told {
            let now = self.to_clients(*node_id);
            told.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    }

    /// Whoever is cut off from any node still has its clients.
    fn to_clients(&self, node_id: NodeId) -> ClientLine {
        let way = |direction| self.by_direction.get(&direction).copied().unwrap_or_default();
        ClientLine { inward: way((CLIENTS, node_id)), outward: way((node_id, CLIENTS)) }
    }
}

impl Wires {
    pub(super) fn rule(&self, (from, to): Direction) -> Way {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let given = [(from, to), (from, ANY_NODE), (ANY_NODE, to)].map(|direction| rules.by_direction.get(&direction));
        given.into_iter().flatten().fold(Way::default(), |all, rule| all.and(*rule))
    }

    pub(super) fn is_cut(&self, direction: Direction) -> bool {
        self.armed.load(Ordering::Acquire) && self.rule(direction).is_cut
    }

    fn cuts(&self) -> impl Fn(Direction) -> bool {
        |direction| self.is_cut(direction)
    }

    /// To be called while nothing is on its way late.
    pub(super) fn disarm_if_sound(&self) {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        if rules.faults.is_empty() {
            self.armed.store(false, Ordering::Release);
        }
    }

    /// A message arrives; if it finds a node that has ended, all whose connections that closes hear of it.
    pub(super) fn deliver(&self, direction: Direction, message: PeerMessage) {
        self.tell(self.lines.arrive(direction, message, &self.cuts()));
    }

    fn tell(&self, resets: Resets) {
        for (direction, refusal) in resets {
            // A refusal finds nobody if that one has ended as well; then nobody is to be told either.
            drop(self.lines.arrive(direction, refusal, &self.cuts()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Delivered, INBOX_MAX, stopwatch};
    use crate::quorum::Message;
    use crate::server::peer_size;

    fn hello(epoch: i32) -> PeerMessage {
        PeerMessage::Quorum(Message::BeginQuorumEpochResponse { epoch, leader: None })
    }

    fn epoch(delivered: Option<Delivered>) -> i32 {
        match delivered.map(|delivered| delivered.message) {
            Some(PeerMessage::Quorum(Message::BeginQuorumEpochResponse { epoch, .. })) => epoch,
            _ => panic!("another message"),
        }
    }

    #[test]
    fn a_cut_has_a_direction_and_cuts_add_up() {
        let links = Links::default();
        let ((one_out, mut one), (two_out, mut two)) = (links.plug_in(1), links.plug_in(2));
        let cut = links.break_them(vec![(1, 2)], LinkEffect::Cut);
        let both = links.break_them(vec![(1, 2), (2, 3)], LinkEffect::Cut);
        one_out.send(2, hello(1));
        two_out.send(1, hello(2));
        assert!(two.try_recv().is_err());
        assert!(one.try_recv().is_ok());
        links.heal(both);
        one_out.send(2, hello(3));
        assert!(two.try_recv().is_err());
        links.heal(cut);
        one_out.send(2, hello(4));
        assert!(two.try_recv().is_ok());
        assert!(!links.wires.armed.load(Ordering::Acquire), "a sound network looks at no rules");
    }

    #[test]
    fn an_isolated_node_hears_nobody_and_is_heard_by_nobody() {
        let links = Links::default();
        let ((one_out, mut one), (two_out, mut two), (three_out, mut three)) =
            (links.plug_in(1), links.plug_in(2), links.plug_in(3));
        let isolation = links.break_them(vec![(1, ANY_NODE), (ANY_NODE, 1)], LinkEffect::Cut);
        for (from, to) in [(&one_out, 2), (&two_out, 1), (&three_out, 1), (&two_out, 3)] {
            from.send(to, hello(1));
        }
        assert!(one.try_recv().is_err() && two.try_recv().is_err() && three.try_recv().is_ok());
        links.heal(isolation);
        one_out.send(2, hello(2));
        assert!(two.try_recv().is_ok());
    }

    #[test]
    fn a_dead_node_refuses_and_a_full_one_is_silent() {
        let links = Links::default();
        let (one_out, mut one) = links.plug_in(1);
        one_out.send(2, hello(1));
        assert!(matches!(
            one.try_recv(),
            Ok(Delivered { from: 2, message: PeerMessage::Refused { correlation: 0 }, .. })
        ));
        let (_two_out, _two) = links.plug_in(2);
        for _ in 0..INBOX_MAX + 10 {
            one_out.send(2, hello(1));
        }
        assert!(one.try_recv().is_err());
    }

    #[test]
    fn late_messages_keep_their_order_even_when_the_link_heals() {
        let links = Links::default();
        let ((one_out, _one), (_two_out, mut two)) = (links.plug_in(1), links.plug_in(2));
        let delay = Duration::from_millis(20);
        let start = Instant::now();
        let slow = links.break_them(vec![(1, 2)], LinkEffect::Late { delay, jitter: Duration::from_millis(20) });
        (0..50).for_each(|number| one_out.send(2, hello(number)));
        assert!(two.try_recv().is_err());
        links.heal(slow);
        (50..100).for_each(|number| one_out.send(2, hello(number)));
        for number in 0..100 {
            assert_eq!(epoch(two.blocking_recv()), number);
        }
        assert!(start.elapsed() >= delay);
    }

    #[test]
    fn a_message_waits_from_its_arrival_on_and_not_from_when_it_was_sent() {
        let links = Links::default();
        let ((one_out, _one), (_two_out, mut two)) = (links.plug_in(1), links.plug_in(2));
        let delay = Duration::from_millis(20);
        let late = links.break_them(vec![(1, 2)], LinkEffect::Late { delay, jitter: Duration::ZERO });
        let sent_at = stopwatch();
        one_out.send(2, hello(1));
        let delivered = two.blocking_recv().unwrap();
        assert!((sent_at + delay..=stopwatch()).contains(&delivered.arrived), "{sent_at:?} {delivered:?}");
        links.heal(late);
        one_out.send(2, hello(2));
        let sent_by = stopwatch();
        let delivered = two.blocking_recv().unwrap();
        assert!(delivered.arrived <= sent_by, "how long nobody looked is not part of the way");
    }

    #[test]
    fn what_is_late_is_lost_by_a_cut_and_by_a_new_start() {
        let links = Links::default();
        let ((one_out, _one), (three_out, _three)) = (links.plug_in(1), links.plug_in(3));
        let (_two_out, mut two) = links.plug_in(2);
        let late = LinkEffect::Late { delay: Duration::from_millis(20), jitter: Duration::ZERO };
        links.break_them(vec![(1, 2), (3, 2)], late);
        one_out.send(2, hello(1));
        links.break_them(vec![(1, 2)], LinkEffect::Cut);
        three_out.send(2, hello(2));
        assert_eq!(epoch(two.blocking_recv()), 2);
        three_out.send(2, hello(3));
        let (_two_out, mut two) = links.plug_in(2);
        three_out.send(2, hello(4));
        assert_eq!(epoch(two.blocking_recv()), 4);
    }

    #[test]
    fn a_lossy_link_loses_its_share() {
        let links = Links::default();
        let ((one_out, _one), (_two_out, mut two)) = (links.plug_in(1), links.plug_in(2));
        links.break_them(vec![(1, 2)], LinkEffect::Lossy(0.5));
        (0..2000).for_each(|number| one_out.send(2, hello(number)));
        let arrived = std::iter::from_fn(|| two.try_recv().ok()).count();
        assert!((800..1200).contains(&arrived), "{arrived} of 2000 arrived");
    }
    #[test]
    fn a_narrow_link_lets_messages_pass_one_after_the_other() {
        let links = Links::default();
        let ((one_out, _one), (_two_out, mut two)) = (links.plug_in(1), links.plug_in(2));
        let bytes = peer_size::wire_bytes(&hello(0)) as u64;
        // Ten messages a second: five take half a second.
        links.break_them(vec![(1, 2)], LinkEffect::Narrow { bytes_per_s: bytes * 10 });
        let start = Instant::now();
        (0..5).for_each(|number| one_out.send(2, hello(number)));
        (0..5).for_each(|number| assert_eq!(epoch(two.blocking_recv()), number));
        assert!(start.elapsed() >= Duration::from_millis(490), "{:?}", start.elapsed());
        let stuck = links.break_them(vec![(1, 2)], LinkEffect::Narrow { bytes_per_s: 1 });
        one_out.send(2, hello(6));
        assert!(two.try_recv().is_err());
        links.heal(stuck);
        assert_eq!(epoch(two.blocking_recv()), 6, "what a narrower link held back passes at the pace of this one");
    }

    #[test]
    fn clients_are_told_of_their_own_lines_only() {
        let links = Links::default();
        let (mut one, two) = (links.to_clients(1), links.to_clients(2));
        let isolation = links.break_them(vec![(1, ANY_NODE), (ANY_NODE, 1)], LinkEffect::Cut);
        assert!(!one.has_changed().unwrap(), "an isolated node has its clients");
        let cut = links.break_them(vec![(CLIENTS, 1)], LinkEffect::Cut);
        links.break_them(vec![(1, CLIENTS)], LinkEffect::Lossy(0.5));
        assert!(one.has_changed().unwrap() && !two.has_changed().unwrap());
        let now = *one.borrow_and_update();
        assert!(now.inward.is_cut && !now.outward.is_cut && now.outward.loss == 0.5);
        assert_eq!(*links.to_clients(1).borrow(), now, "also of who looks later");
        links.heal(isolation);
        assert!(!one.has_changed().unwrap());
        links.heal(cut);
        assert!(one.has_changed().unwrap() && one.borrow().inward.is_sound());
    }
}
