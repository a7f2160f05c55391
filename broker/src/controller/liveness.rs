//! When each broker was last heard of, and how far it has read the metadata log.
//!
//! Source: `org.apache.kafka.controller.BrokerHeartbeatManager`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::types::NodeId;

/// What the active controller knows of a broker beside its registration. Not in the log: a new controller gives everybody a full session.
#[derive(Clone, Debug, PartialEq)]
struct Contact {
    at: Duration,
    metadata_offset: i64,
    /// Offset of the last record of its controlled shutdown: the others must have read it before it may go.
    shutdown_offset: Option<i64>,
}

/// All registered brokers' contacts.
#[derive(Clone, Debug, Default)]
pub(super) struct Liveness {
    session: Duration,
    contacts: BTreeMap<NodeId, Contact>,
}

impl Liveness {
    pub(super) fn new(session: Duration) -> Liveness {
        Liveness { session, contacts: BTreeMap::new() }
    }

    /// A broker registered.
    pub(super) fn register(&mut self, id: NodeId, at: Duration) {
        self.contacts.insert(id, Contact { at, metadata_offset: -1, shutdown_offset: None });
    }

    /// A broker is registered no more.
    pub(super) fn forget(&mut self, id: NodeId) {
        self.contacts.remove(&id);
    }

    /// A broker sent a heartbeat. A fenced one is out of its controlled shutdown.
    pub(super) fn touch(&mut self, id: NodeId, at: Duration, metadata_offset: i64, fenced: bool) {
        let contact = self.contacts.entry(id).or_insert(Contact { at, metadata_offset, shutdown_offset: None });
        contact.at = at;
        contact.metadata_offset = metadata_offset;
        if fenced {
            contact.shutdown_offset = None;
        }
    }

    pub(super) fn silent_for(&self, id: NodeId, now: Duration) -> Duration {
        self.contacts.get(&id).map_or(Duration::ZERO, |contact| now.saturating_sub(contact.at))
    }

    /// All brokers that it knows.
    pub(super) fn brokers(&self) -> impl Iterator<Item = NodeId> {
        self.contacts.keys().copied()
    }

    pub(super) fn session(&self) -> Duration {
        self.session
    }

    pub(super) fn has_session(&self, id: NodeId, now: Duration) -> bool {
        self.contacts.contains_key(&id) && self.silent_for(id, now) < self.session
    }

    /// When this broker's session ends.
    pub(super) fn expires_at(&self, id: NodeId) -> Option<Duration> {
        self.contacts.get(&id).map(|contact| contact.at + self.session)
    }

    /// This controller itself was standing still for so long: that is nobody else's silence.
    pub(super) fn forgive(&mut self, stall: Duration) {
        for contact in self.contacts.values_mut() {
            contact.at += stall;
        }
    }

    pub(super) fn shutdown_offset(&self, id: NodeId) -> Option<i64> {
        self.contacts.get(&id)?.shutdown_offset
    }

    pub(super) fn begin_shutdown(&mut self, id: NodeId, offset: i64) {
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.shutdown_offset.get_or_insert(offset);
        }
    }

    /// How far the slowest of these has read the metadata log, unless it is shutting down itself.
    pub(super) fn lowest_offset(&self, brokers: impl Iterator<Item = NodeId>) -> i64 {
        brokers
            .filter_map(|id| self.contacts.get(&id))
            .filter(|contact| contact.shutdown_offset.is_none())
            .map(|contact| contact.metadata_offset)
            .min()
            .unwrap_or(i64::MAX)
    }
}
