//! The nodes' ends of the network: who is plugged in, and what was asked of whom and not answered yet, as the connections of TCP would
//! know it.
//!
//! A process that ends has its connections reset by the kernel: whoever waits for an answer hears so at once, and whoever writes to it is
//! refused. A machine without power says nothing; when it is back it resets what it no longer knows: at once for those who wrote meanwhile
//! (they retransmit), for the others when they write next. Requests travel under numbers of the network's own, so that an answer to a
//! request of a node's former life is never taken for one of its present.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::mpsc;

use super::links::Direction;
use super::locked;
use crate::node::{Delivered, INBOX_MAX, Inbox, stopwatch};
use crate::server::peer::PeerMessage;
use crate::types::NodeId;

type Mailbox = mpsc::Sender<Delivered>;

/// Unanswered requests of one node to another that are remembered; the oldest, whose asker has given up long ago, are forgotten first.
const ASKED_MAX: usize = 4_096;

/// How a node leaves the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// Its process ended: the kernel closes its connections and refuses new ones.
    Reset,
    /// Its machine has no power: nobody says anything.
    Silence,
}

/// All nodes' ends.
#[derive(Default)]
pub(super) struct Lines {
    lines: RwLock<HashMap<NodeId, Arc<Mutex<Line>>>>,
    last_plug: AtomicU64,
}

/// One node's end.
#[derive(Default)]
struct Line {
    /// `None`: nobody listens.
    mailbox: Option<Mailbox>,
    /// Which plug that is.
    plug: u64,
    /// Nobody listens, and nobody says so.
    is_silent: bool,
    callers: HashMap<NodeId, Caller>,
    last_number: u64,
}

/// A connection from another node, as that one sees it.
#[derive(Default)]
struct Caller {
    /// Its requests that were not answered: the network's number, its own.
    asked: BTreeMap<u64, u64>,
    /// It speaks of the quorum, whose messages have no numbers.
    is_of_quorum: bool,
    /// The other end lost its memory of this connection, and the caller does not know.
    is_stale: bool,
    /// It wrote while nobody was there to acknowledge.
    knocked: bool,
}

impl Caller {
    /// What it hears when its connection is reset.
    fn reset(self) -> Vec<PeerMessage> {
        let asked = self.asked.into_values().map(|correlation| PeerMessage::Refused { correlation });
        asked.chain(self.is_of_quorum.then_some(PeerMessage::Refused { correlation: 0 })).collect()
    }

    fn note(&mut self, message: &mut PeerMessage, number: u64) {
        match message {
            PeerMessage::Request { correlation, .. } => {
                self.asked.insert(number, std::mem::replace(correlation, number));
                if self.asked.len() > ASKED_MAX {
                    self.asked.pop_first();
                }
            }
            PeerMessage::Quorum(_) => self.is_of_quorum = true,
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => {}
        }
    }
}

/// Resets to be told: from whom, to whom, what.
pub(super) type Resets = Vec<(Direction, PeerMessage)>;

impl Line {
    /// Resets the connections of those callers; `is_cut`: to whom nothing gets through, so that they will learn it later.
    fn reset_callers(&mut self, node_id: NodeId, callers: Vec<NodeId>, is_cut: &dyn Fn(Direction) -> bool) -> Resets {
        let mut resets = Vec::new();
        for asker in callers {
            let direction = (node_id, asker);
            match self.callers.get_mut(&asker) {
                Some(caller) if is_cut(direction) => caller.is_stale = true,
                _ => {
                    let told = self.callers.remove(&asker).map(Caller::reset).unwrap_or_default();
                    resets.extend(told.into_iter().map(|refusal| (direction, refusal)));
                }
            }
        }
        resets
    }

    fn hang_up(&mut self, node_id: NodeId, parting: Parting, is_cut: &dyn Fn(Direction) -> bool) -> Resets {
        self.mailbox = None;
        self.is_silent = parting == Parting::Silence;
        let callers = self.callers.keys().copied().collect();
        match parting {
            Parting::Reset => self.reset_callers(node_id, callers, is_cut),
            Parting::Silence => Vec::new(),
        }
    }
}

impl Lines {
    fn line(&self, node_id: NodeId) -> Option<Arc<Mutex<Line>>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).get(&node_id).cloned()
    }

    fn all(&self) -> Vec<Arc<Mutex<Line>>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Plugs a node in (again); its former inbox, if any, gets nothing more. The number of the plug, and what others hear of it.
    pub(super) fn plug_in(&self, node_id: NodeId, is_cut: &dyn Fn(Direction) -> bool) -> (u64, Inbox, Resets) {
        self.forget_caller(node_id);
        let plug = self.last_plug.fetch_add(1, Ordering::Relaxed) + 1;
        let (mailbox, inbox) = mpsc::channel(INBOX_MAX);
        let line = Arc::clone(self.lines.write().unwrap_or_else(PoisonError::into_inner).entry(node_id).or_default());
        let mut line = locked(&line);
        let resets = match line.is_silent {
            // Who retransmits hears of it now, the others when they write next.
            true => {
                line.callers.values_mut().for_each(|caller| caller.is_stale = true);
                let knocked = line.callers.iter().filter(|(_, caller)| caller.knocked).map(|(id, _)| *id).collect();
                line.reset_callers(node_id, knocked, is_cut)
            }
            false => line.hang_up(node_id, Parting::Reset, is_cut),
        };
        (line.mailbox, line.plug, line.is_silent) = (Some(mailbox), plug, false);
        (plug, inbox, resets)
    }

    /// A node leaves, if it still is the one of that plug. `None`: it had left before.
    pub(super) fn unplug(
        &self,
        node_id: NodeId,
        plug: u64,
        parting: Parting,
        is_cut: &dyn Fn(Direction) -> bool,
    ) -> Option<Resets> {
        let line = self.line(node_id)?;
        let mut line = locked(&line);
        if line.plug != plug || line.mailbox.is_none() {
            return None;
        }
        let resets = line.hang_up(node_id, parting, is_cut);
        drop(line);
        self.forget_caller(node_id);
        Some(resets)
    }

    fn is_plugged_in(&self, node_id: NodeId, plug: u64) -> bool {
        self.line(node_id).is_some_and(|line| {
            let line = locked(&line);
            line.plug == plug && line.mailbox.is_some()
        })
    }

    /// Its connections to others are gone; an answer to it that is under way will find nobody.
    fn forget_caller(&self, node_id: NodeId) {
        self.all().iter().for_each(|line| drop(locked(line).callers.remove(&node_id)));
    }

    /// A message of the node with that plug sets out. A request gets its number, also if it `is_lost` on the way. `Err`: it arrives nowhere;
    /// what the sender hears of that.
    pub(super) fn set_out(
        &self,
        (from, to): Direction,
        plug: u64,
        mut message: PeerMessage,
        is_lost: bool,
        is_cut: &dyn Fn(Direction) -> bool,
    ) -> Result<PeerMessage, Resets> {
        if !self.is_plugged_in(from, plug) {
            return Err(Vec::new());
        }
        let correlation = match &message {
            PeerMessage::Request { correlation, .. } => *correlation,
            PeerMessage::Quorum(_) => 0,
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => {
                return if is_lost { Err(Vec::new()) } else { Ok(message) };
            }
        };
        let Some(line) = self.line(to) else {
            let nobody = ((to, from), PeerMessage::Refused { correlation });
            return Err(if is_lost || is_cut((to, from)) { Vec::new() } else { vec![nobody] });
        };
        let mut line = locked(&line);
        line.last_number += 1;
        let (number, is_down, is_silent) = (line.last_number, line.mailbox.is_none(), line.is_silent);
        let caller = line.callers.entry(from).or_default();
        caller.note(&mut message, number);
        caller.knocked |= is_silent && !is_lost;
        match is_lost || is_silent {
            true => Err(Vec::new()),
            false if is_down || caller.is_stale => Err(line.reset_callers(to, vec![from], is_cut)),
            false => Ok(message),
        }
    }

    /// A message arrives. A full mailbox loses it, as a paused node's socket would; one that nobody reads any more is a node that has ended.
    pub(super) fn arrive(
        &self,
        (from, to): Direction,
        mut message: PeerMessage,
        is_cut: &dyn Fn(Direction) -> bool,
    ) -> Resets {
        if let PeerMessage::Response { correlation, .. } = &mut message {
            let own = self.line(from).and_then(|line| locked(&line).callers.get_mut(&to)?.asked.remove(correlation));
            // Nobody waits for it: the asker's connection was reset, or it is another by now.
            let Some(own) = own else { return Vec::new() };
            *correlation = own;
        }
        let Some(line) = self.line(to) else { return Vec::new() };
        let Some(mailbox) = locked(&line).mailbox.clone() else { return Vec::new() };
        match mailbox.try_send(Delivered { from, arrived: stopwatch(), message }) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Vec::new(),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                let mut line = locked(&line);
                match line.mailbox.as_ref().is_some_and(|current| current.same_channel(&mailbox)) {
                    true => line.hang_up(to, Parting::Reset, is_cut),
                    false => Vec::new(),
                }
            }
        }
    }
}
