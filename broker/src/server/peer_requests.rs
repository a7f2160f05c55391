//! Requests that this broker has under way to other nodes: who asked, until when, and what to do if the controller moves meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config_changes::AlteringConfigs;
use super::context::RequestContext;
use super::peer::PeerRequest;
use crate::types::NodeId;

/// At most so many client requests wait for the controller; more are refused at once.
pub const FORWARDED_MAX: usize = 1_000;

/// Why a request is under way.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// A client's request, forwarded to the active controller.
    Client(Box<RequestContext>),
    /// A client's change of configs, of which the active controller has a part.
    AlterConfigs(Box<AlteringConfigs>),
    /// `__consumer_offsets` is to be created, or a topic that a client's Metadata asked for; nobody waits for the answer.
    AutoCreateTopic,
    /// Internal topics of an application of Kafka Streams; failures are remembered.
    InternalTopics {
        /// Topics.
        names: Vec<String>,
        /// How long failures are remembered.
        memory: Duration,
    },
    /// KRaft broker lifecycle.
    Registration,
    /// KRaft broker lifecycle.
    Heartbeat,
    /// An ISR proposal of the replica manager's, under its own number.
    AlterPartition(u64),
    /// Directories of replicas, told by the replica manager under its own number.
    AssignDirectories(u64),
    /// A fetch of the replica manager's, as a follower, under its own number.
    ReplicaFetch(u64),
    /// A block of producer ids.
    ProducerIds,
    /// A partition in a transaction, under the verifier's number.
    Verification(u64),
    /// Ends of partitions, under the asker's number.
    LatestOffsets(u64),
    /// Transaction markers, under the sender's number.
    TxnMarkers(u64),
    /// A question for a share coordinator, under the persister's number.
    ShareState(u64),
}

impl Purpose {
    /// Whether a client waits for what the controller says.
    pub fn is_forwarded(&self) -> bool {
        matches!(self, Purpose::Client(_) | Purpose::AlterConfigs(_))
    }
}

/// One request under way.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Why.
    pub purpose: Purpose,
    /// To whom it went last.
    pub to: NodeId,
    /// What it says, kept where it is repeated to another controller.
    pub repeat: Option<PeerRequest>,
    /// When it is given up.
    pub deadline: Duration,
    /// When it is to be sent again; `None` while an answer is awaited.
    pub retry_at: Option<Duration>,
}

/// All of them, by correlation number.
#[derive(Debug, Default)]
pub struct PeerRequests {
    next_correlation: u64,
    pending: BTreeMap<u64, Pending>,
}

impl PeerRequests {
    /// Enters a request; its correlation number.
    pub fn enter(&mut self, pending: Pending) -> u64 {
        self.next_correlation += 1;
        self.pending.insert(self.next_correlation, pending);
        self.next_correlation
    }

    /// Takes a request out, as its answer is here.
    pub fn take(&mut self, correlation: u64) -> Option<Pending> {
        self.pending.remove(&correlation)
    }

    /// Puts a request back for another attempt under the same number.
    pub fn put_back(&mut self, correlation: u64, pending: Pending) {
        self.pending.insert(correlation, pending);
    }

    /// How many client requests wait.
    pub fn forwarded(&self) -> usize {
        self.pending.values().filter(|pending| pending.purpose.is_forwarded()).count()
    }

    /// How many client requests are still to be sent, or to be sent again.
    pub fn unsent(&self) -> usize {
        let is_unsent = |pending: &&Pending| pending.purpose.is_forwarded() && pending.retry_at.is_some();
        self.pending.values().filter(is_unsent).count()
    }

    /// Requests whose time is over, taken out.
    pub fn take_expired(&mut self, now: Duration) -> Vec<(u64, Pending)> {
        let expired: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| pending.deadline <= now).map(|(number, _)| *number).collect();
        expired.into_iter().filter_map(|number| Some((number, self.pending.remove(&number)?))).collect()
    }

    /// Requests to be sent again now, taken out.
    pub fn take_retries(&mut self, now: Duration) -> Vec<(u64, Pending)> {
        let due: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.retry_at.is_some_and(|at| at <= now))
            .map(|(number, _)| *number)
            .collect();
        due.into_iter().filter_map(|number| Some((number, self.pending.remove(&number)?))).collect()
    }

    /// The controller moved: what went to another one is sent again at once.
    pub fn controller_moved(&mut self, leader: NodeId, now: Duration) {
        for pending in self.pending.values_mut() {
            if pending.repeat.is_some() && pending.to != leader {
                pending.retry_at = Some(now);
            }
        }
    }

    /// When the next deadline or retry is.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.pending.values().map(|p| p.retry_at.map_or(p.deadline, |at| at.min(p.deadline))).min()
    }
}
