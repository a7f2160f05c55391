//! Requests under way between simulated nodes, as their connections would know them: both simulations' networks keep one.

use std::collections::BTreeMap;

use broker::server::peer::PeerMessage;
use broker::types::NodeId;

/// Requests travel under numbers of the network's own, so that an answer to a node's former life is never taken for one to its present.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    /// (asked, asker, the network's number) → the asker's number.
    open: BTreeMap<(NodeId, NodeId, u64), u64>,
    last: u64,
}

impl OpenRequests {
    /// A message sets out for a node that runs. False: nobody waits for it, and what is there now has connections of its own.
    pub(crate) fn set_out(&mut self, from: NodeId, to: NodeId, message: &mut PeerMessage) -> bool {
        match message {
            PeerMessage::Request { correlation, .. } => {
                self.last += 1;
                let own = std::mem::replace(correlation, self.last);
                self.open.insert((to, from, self.last), own);
                true
            }
            PeerMessage::Response { correlation, .. } => match self.open.remove(&(from, to, *correlation)) {
                Some(own) => {
                    *correlation = own;
                    true
                }
                None => false,
            },
            PeerMessage::Quorum(_) | PeerMessage::Refused { .. } => true,
        }
    }

    /// A node is gone, and its connections with it. What others had asked of it: who, and under what number of their own.
    pub(crate) fn forget(&mut self, node: NodeId) -> Vec<(NodeId, u64)> {
        let gone = self.open.extract_if(.., |(asked, asker, _), _| *asked == node || *asker == node);
        gone.filter(|((asked, ..), _)| *asked == node).map(|((_, asker, _), own)| (asker, own)).collect()
    }
}

#[cfg(test)]
mod tests {
    use broker::server::peer::{PeerRequest, PeerResponse};

    use super::*;

    fn ask(open: &mut OpenRequests, from: NodeId, to: NodeId, own: u64) -> u64 {
        let body = PeerRequest::BrokerHeartbeat(Box::default());
        let mut message = PeerMessage::Request { correlation: own, body };
        assert!(open.set_out(from, to, &mut message));
        let PeerMessage::Request { correlation, .. } = message else { unreachable!() };
        correlation
    }

    fn answer(open: &mut OpenRequests, from: NodeId, to: NodeId, number: u64) -> Option<u64> {
        let body = PeerResponse::BrokerHeartbeat(Box::default());
        let mut message = PeerMessage::Response { correlation: number, body };
        let arrives = open.set_out(from, to, &mut message);
        let PeerMessage::Response { correlation, .. } = message else { unreachable!() };
        arrives.then_some(correlation)
    }

    #[test]
    fn an_answer_reaches_the_life_that_asked_and_no_other() {
        let mut open = OpenRequests::default();
        let (first, other) = (ask(&mut open, 1, 2, 7), ask(&mut open, 3, 2, 7));
        assert_ne!(first, other);
        assert_eq!(open.forget(1), [], "nobody had asked it");
        let again = ask(&mut open, 1, 2, 7);
        assert_eq!(answer(&mut open, 2, 1, first), None, "its former life asked");
        assert_eq!(answer(&mut open, 2, 1, again), Some(7));
        assert_eq!(answer(&mut open, 2, 1, again), None, "once");
        assert_eq!(open.forget(2), [(3, 7)]);
    }
}
