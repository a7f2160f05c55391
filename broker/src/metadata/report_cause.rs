//! Why something happened, in a form that programs can follow from event to event: who decided it says so.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::types::{Id, NodeId};

/// Why something was done with a node.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// In words.
    pub words: String,
    /// The fault that did it, or whose end did, as whoever injects faults numbers them.
    pub fault: Option<u64>,
}

impl From<&str> for Why {
    fn from(words: &str) -> Why {
        Why { words: words.to_owned(), fault: None }
    }
}

impl From<String> for Why {
    fn from(words: String) -> Why {
        Why { words, fault: None }
    }
}

impl From<&String> for Why {
    fn from(words: &String) -> Why {
        Why::from(words.as_str())
    }
}

impl From<&Why> for Why {
    fn from(why: &Why) -> Why {
        why.clone()
    }
}

/// Why a partition's leader or ISR changed, as the controller that decided it knows.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A broker lost its place: it was fenced, or its incarnation ended.
    Fenced {
        /// Broker.
        broker_id: NodeId,
        /// Epoch of the incarnation that lost its place.
        broker_epoch: i64,
    },
    /// A broker is in controlled shutdown.
    ShuttingDown {
        /// Broker.
        broker_id: NodeId,
        /// Which incarnation.
        incarnation: Id,
    },
    /// A broker was unfenced.
    Unfenced {
        /// Broker.
        broker_id: NodeId,
        /// Its epoch.
        broker_epoch: i64,
    },
    /// A log directory of a broker failed.
    DirectoryFailed {
        /// Broker.
        broker_id: NodeId,
    },
    /// The leader asked for it (AlterPartition): followers caught up, or were behind for too long.
    LeaderAsked {
        /// Leader.
        leader_id: NodeId,
        /// Whom it took in, with the broker epochs (-1: not told).
        taken_in: Vec<(NodeId, i64)>,
        /// Whom it took out.
        taken_out: Vec<NodeId>,
    },
    /// The partition is being reassigned, or was.
    Reassigned,
    /// Leadership goes back to the preferred replica by itself.
    Preferred,
    /// Nobody eligible was left, and the topic allows an unclean election.
    Unclean,
    /// An operator asked for the election.
    Operator,
}
