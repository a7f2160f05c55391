//! What lies between nodes, and between clients and nodes: delays, and what is lost or late.

use std::time::Duration;

use broker::server::peer::{PeerMessage, PeerRequest, PeerResponse};
use broker::types::NodeId;
use bytes::BytesMut;
use rand::Rng;

use super::{Delivery, World};

/// What the network does to a part of the traffic, beside the cuts that stop all of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::campaign) struct Trouble {
    /// Whose traffic.
    pub(in crate::campaign) broker: NodeId,
    /// Which part, and what becomes of it.
    pub(in crate::campaign) kind: TroubleKind,
    /// Messages that are sent before then.
    pub(in crate::campaign) until: Duration,
    /// Of so many of a hundred.
    pub(in crate::campaign) percent: u32,
}

/// See [`Trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::campaign) enum TroubleKind {
    /// The broker's AlterPartition requests hang in a connection that it gives up for a new one: they arrive in the end, perhaps behind
    /// those that it sent later.
    ProposalsHang,
    /// The answers to them are lost.
    AnswersLost,
    /// The markers that it sends as a transaction coordinator hang like that.
    MarkersHang,
    /// The metadata log does not reach the broker.
    MetadataStands,
}

enum Fate {
    Lost,
    Hangs(Duration),
}

impl World {
    /// From now on the network does this too, until all is healed.
    pub(in crate::campaign) fn trouble(&mut self, broker: NodeId, kind: TroubleKind, lasts: Duration, percent: u32) {
        let until = self.now.mono + lasts;
        self.say(|| format!("{kind:?} at {broker} until {:.3}", until.as_secs_f64()));
        self.troubles.push(Trouble { broker, kind, until, percent });
    }

    fn trouble_with(&mut self, from: NodeId, to: NodeId, message: &PeerMessage) -> Option<Fate> {
        if self.troubles.is_empty() {
            return None;
        }
        let (broker, kind) = match message {
            PeerMessage::Request { body: PeerRequest::AlterPartition(_), .. } => (from, TroubleKind::ProposalsHang),
            PeerMessage::Request { body: PeerRequest::WriteTxnMarkers(_), .. } => (from, TroubleKind::MarkersHang),
            PeerMessage::Response { body: PeerResponse::AlterPartition(_), .. } => (to, TroubleKind::AnswersLost),
            PeerMessage::Quorum(_) => (to, TroubleKind::MetadataStands),
            _ => return None,
        };
        let now = self.now.mono;
        let applies = |trouble: &&Trouble| trouble.broker == broker && trouble.kind == kind && trouble.until > now;
        let trouble = self.troubles.iter().find(applies).copied()?;
        if self.rng.random_range(0..100) >= trouble.percent {
            return None;
        }
        if !matches!(kind, TroubleKind::ProposalsHang | TroubleKind::MarkersHang) {
            return Some(Fate::Lost);
        }
        self.hung += 1;
        let later = Duration::from_millis(self.rng.random_range(0..400));
        Some(Fate::Hangs(trouble.until + later))
    }

    /// Not in order with what else is under way.
    fn enqueue_out_of_order(&mut self, at: Duration, delivery: Delivery) {
        self.sent += 1;
        self.counts.messages += 1;
        self.queue.insert((at, self.sent), delivery);
    }

    pub(super) fn answer(&mut self, from: NodeId, conn: u64, seq: u64, frame: Option<BytesMut>, delay: Duration) {
        let Some(there) = self.conns.get_mut(&conn) else { return };
        there.ready.insert(seq, frame);
        let mut leaving = Vec::new();
        while let Some(next) = there.ready.remove(&there.next_out) {
            leaving.extend(next.map(|frame| (there.next_out, frame)));
            there.next_out += 1;
        }
        let (client, is_given_up) = (there.client, there.is_given_up);
        for (seq, frame) in leaving {
            self.with_client(client, |client, world| client.on_answer_leaving(world, conn, seq, &frame));
            if is_given_up {
                continue;
            }
            self.enqueue_after(delay, from, -(conn as NodeId) - 10, Delivery::Answer { conn, seq, frame });
        }
    }

    pub(super) fn post(&mut self, from: NodeId, to: NodeId, mut message: PeerMessage, delay: Duration) {
        if self.cuts.contains(&(from, to)) {
            return;
        }
        let hangs_until = match self.trouble_with(from, to, &message) {
            Some(Fate::Lost) => return,
            Some(Fate::Hangs(until)) => Some(until),
            None => None,
        };
        if self.is_up(to) && !self.open.set_out(from, to, &mut message) {
            return;
        }
        let target = self.node(to);
        if target.core.is_some() {
            let incarnation = target.incarnation;
            let delivery = Delivery::Peer { from, to, incarnation, message };
            match hangs_until {
                None => self.enqueue_after(delay, from, to, delivery),
                Some(until) => self.enqueue_out_of_order(until, delivery),
            }
            return;
        }
        let correlation = match message {
            PeerMessage::Request { correlation, .. } => correlation,
            PeerMessage::Quorum(_) => 0,
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => return,
        };
        if self.cuts.contains(&(to, from)) {
            return;
        }
        self.refuse(to, from, correlation);
    }

    /// The asker hears that nobody is there.
    pub(super) fn refuse(&mut self, asked: NodeId, asker: NodeId, correlation: u64) {
        let incarnation = self.node(asker).incarnation;
        let message = PeerMessage::Refused { correlation };
        self.enqueue(asked, asker, Delivery::Peer { from: asked, to: asker, incarnation, message });
    }

    pub(super) fn enqueue(&mut self, from: NodeId, to: NodeId, delivery: Delivery) {
        self.enqueue_after(Duration::ZERO, from, to, delivery);
    }

    /// In order per direction, as TCP; after 50 µs to some milliseconds, rarely much longer.
    pub(super) fn enqueue_after(&mut self, delay: Duration, from: NodeId, to: NodeId, delivery: Delivery) {
        let micros = match self.rng.random_range(0..1000) {
            0 => self.rng.random_range(5_000..80_000),
            1..50 => self.rng.random_range(1_000..5_000),
            _ => self.rng.random_range(50..400),
        };
        let floor = self.last_delivery.get(&(from, to)).copied().unwrap_or_default();
        let at = (self.now.mono + delay + Duration::from_micros(micros)).max(floor);
        self.last_delivery.insert((from, to), at);
        self.sent += 1;
        self.counts.messages += 1;
        self.queue.insert((at, self.sent), delivery);
    }
}
