//! Commands on their way to whoever runs the cluster, and who is told how they went.

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::command::Command;

/// How many orders may wait; a person cannot be that quick, and a script is told to try again.
const ORDERS_WAITING: usize = 256;

/// What a command led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Id of the fault or workload that it made.
    pub id: Option<u64>,
    /// One sentence.
    pub text: String,
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What kind of refusal.
    pub kind: RefusalKind,
    /// One sentence.
    pub text: String,
}

/// Kinds of refusals, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The wish makes no sense.
    Invalid,
    /// What it is about does not exist.
    NotFound,
    /// What it is about is not in a state for it.
    Conflict,
    /// The cluster did not do it.
    Failed,
}

impl Refusal {
    /// The wish makes no sense.
    pub fn invalid(text: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Invalid, text: text.into() }
    }

    /// What it is about does not exist.
    pub fn not_found(text: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::NotFound, text: text.into() }
    }

    /// What it is about is not in a state for it.
    pub fn conflict(text: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Conflict, text: text.into() }
    }

    /// The cluster did not do it.
    pub fn failed(text: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Failed, text: text.into() }
    }
}

/// How a command went.
pub type Answer = Result<Done, Refusal>;

/// Called once with the answer, on the thread that carries out commands: it must be quick.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;

/// A command and who waits for its answer.
pub struct Order {
    /// The wish.
    pub command: Command,
    /// `None`: the answer becomes a notice in the window.
    pub reply: Option<Reply>,
}

/// Where commands are handed in. Clones share it.
#[derive(Clone)]
pub struct Orders {
    sender: Sender<Order>,
}

impl Orders {
    /// The desk, and the end from which orders are taken.
    pub fn new() -> (Orders, Receiver<Order>) {
        let (sender, receiver) = crossbeam_channel::bounded(ORDERS_WAITING);
        (Orders { sender }, receiver)
    }

    /// Hands in a command whose answer becomes a notice. Never waits; false: too many are waiting, or nobody works on them.
    pub fn send(&self, command: Command) -> bool {
        self.sender.try_send(Order { command, reply: None }).is_ok()
    }

    /// Hands in a command whose answer goes to `reply`. Never waits.
    pub fn ask(&self, command: Command, reply: impl FnOnce(Answer) + Send + 'static) {
        let refused = match self.sender.try_send(Order { command, reply: Some(Box::new(reply)) }) {
            Ok(()) => return,
            Err(TrySendError::Full(order)) => (order, "Too many commands are waiting; try again."),
            Err(TrySendError::Disconnected(order)) => (order, "The cluster is shutting down."),
        };
        if let (Order { reply: Some(reply), .. }, text) = refused {
            reply(Err(Refusal::failed(text)));
        }
    }
}
