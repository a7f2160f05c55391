//! The network between the nodes of one cluster: messages passed in memory, per direction, and lost where a link is cut or nobody listens.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use tokio::sync::mpsc;

use crate::node::{INBOX_MAX, Inbox, Network};
use crate::server::peer::PeerMessage;
use crate::types::NodeId;

type Mailbox = mpsc::Sender<(NodeId, PeerMessage)>;

/// All links of one cluster.
#[derive(Default)]
pub struct Links {
    mailboxes: RwLock<HashMap<NodeId, Mailbox>>,
    /// Directions in which nothing passes: (from, to).
    cuts: RwLock<HashSet<(NodeId, NodeId)>>,
}

impl Links {
    /// Plugs a node in (again); its former inbox, if any, gets nothing more.
    pub fn plug_in(&self, node_id: NodeId) -> Inbox {
        let (mailbox, inbox) = mpsc::channel(INBOX_MAX);
        self.mailboxes.write().unwrap_or_else(PoisonError::into_inner).insert(node_id, mailbox);
        inbox
    }

    /// The node is gone: whoever writes to it is refused.
    pub fn unplug(&self, node_id: NodeId) {
        self.mailboxes.write().unwrap_or_else(PoisonError::into_inner).remove(&node_id);
    }

    /// Loses everything from `from` to `to`.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.cuts.write().unwrap_or_else(PoisonError::into_inner).insert((from, to));
    }

    /// Lets everything pass again from `from` to `to`.
    pub fn mend(&self, from: NodeId, to: NodeId) {
        self.cuts.write().unwrap_or_else(PoisonError::into_inner).remove(&(from, to));
    }

    fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.read().unwrap_or_else(PoisonError::into_inner).contains(&(from, to))
    }

    /// Puts a message into a mailbox. False: nobody listens. A full mailbox loses the message, as a paused node's socket would.
    fn deliver(&self, from: NodeId, to: NodeId, message: PeerMessage) -> bool {
        let mailboxes = self.mailboxes.read().unwrap_or_else(PoisonError::into_inner);
        match mailboxes.get(&to).map(|mailbox| mailbox.try_send((from, message))) {
            Some(Ok(()) | Err(mpsc::error::TrySendError::Full(_))) => true,
            None | Some(Err(mpsc::error::TrySendError::Closed(_))) => false,
        }
    }
}

impl Network for Links {
    fn send(&self, from: NodeId, to: NodeId, message: PeerMessage) {
        if self.is_cut(from, to) {
            return;
        }
        let refusal = match &message {
            PeerMessage::Request { correlation, .. } => Some(*correlation),
            PeerMessage::Quorum(_) => Some(0),
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => None,
        };
        if !self.deliver(from, to, message)
            && let Some(correlation) = refusal
            && !self.is_cut(to, from)
        {
            self.deliver(to, from, PeerMessage::Refused { correlation });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quorum::Message;

    fn hello() -> PeerMessage {
        PeerMessage::Quorum(Message::BeginQuorumEpochRequest { epoch: 1 })
    }

    #[test]
    fn a_cut_has_a_direction() {
        let links = Links::default();
        let (mut one, mut two) = (links.plug_in(1), links.plug_in(2));
        links.cut(1, 2);
        links.send(1, 2, hello());
        links.send(2, 1, hello());
        assert!(two.try_recv().is_err());
        assert!(one.try_recv().is_ok());
        links.mend(1, 2);
        links.send(1, 2, hello());
        assert!(two.try_recv().is_ok());
    }

    #[test]
    fn a_dead_node_refuses_and_a_full_one_is_silent() {
        let links = Links::default();
        let mut one = links.plug_in(1);
        links.send(1, 2, hello());
        assert!(matches!(one.try_recv(), Ok((2, PeerMessage::Refused { correlation: 0 }))));
        let _two = links.plug_in(2);
        for _ in 0..INBOX_MAX + 10 {
            links.send(1, 2, hello());
        }
        assert!(one.try_recv().is_err());
    }
}
