//! The cluster itself as one that asks: of its active controller, over the network of its nodes, under an id that is no node's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::fault::{Links, Plug};
use crate::node::{Delivered, Inbox, Network};
use crate::server::peer::{PeerMessage, PeerRequest, PeerResponse};
use crate::types::NodeId;

/// Brokers are numbered from 1, controllers from 3000, and -1 is nobody.
const CLUSTER_ID: NodeId = -2;
/// A controller that does not answer for so long is not waited for.
const ATTEMPT: Duration = Duration::from_millis(500);
/// How often the line is looked at.
const GLANCE: Duration = Duration::from_millis(2);
/// Between attempts, while there is no active controller.
const RETRY: Duration = Duration::from_millis(20);

/// One line, one question at a time.
pub(super) struct Voice {
    plug: Arc<Plug>,
    line: Mutex<Line>,
}

struct Line {
    inbox: Inbox,
    correlation: u64,
    /// Who answered last.
    controller: Option<NodeId>,
}

enum Heard {
    Answer(PeerResponse),
    /// Ask this one instead, if anybody is named.
    Elsewhere(Option<NodeId>),
}

impl Voice {
    pub(super) fn new(links: &Links) -> Voice {
        let (plug, inbox) = links.plug_in(CLUSTER_ID);
        Voice { plug, line: Mutex::new(Line { inbox, correlation: 0, controller: None }) }
    }

    /// Asks one controller after the other until the active one answers. The question may be heard twice. `None`: nobody answered in time.
    pub(super) fn ask(
        &self,
        controllers: &[NodeId],
        question: &PeerRequest,
        patience: Duration,
    ) -> Option<PeerResponse> {
        let deadline = Instant::now() + patience;
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = controllers.iter().copied().cycle();
        while Instant::now() < deadline {
            let to = line.controller.take().or_else(|| others.next())?;
            match self.ask_one(&mut line, to, question) {
                Heard::Answer(answer) => {
                    line.controller = Some(to);
                    return Some(answer);
                }
                Heard::Elsewhere(leader) => {
                    line.controller = leader.filter(|leader| controllers.contains(leader) && *leader != to);
                    if line.controller.is_none() {
                        std::thread::park_timeout(RETRY);
                    }
                }
            }
        }
        None
    }

    fn ask_one(&self, line: &mut Line, to: NodeId, question: &PeerRequest) -> Heard {
        line.correlation += 1;
        let asked = line.correlation;
        self.plug.send(to, PeerMessage::Request { correlation: asked, body: question.clone() });
        let deadline = Instant::now() + ATTEMPT;
        loop {
            match line.inbox.try_recv() {
                Ok(Delivered { message: PeerMessage::Response { correlation, body }, .. }) if correlation == asked => {
                    return match body {
                        PeerResponse::NotController { leader_id } => {
                            Heard::Elsewhere((leader_id >= 0).then_some(leader_id))
                        }
                        body => Heard::Answer(body),
                    };
                }
                Ok(Delivered { message: PeerMessage::Refused { correlation }, .. }) if correlation == asked => {
                    return Heard::Elsewhere(None);
                }
                // An answer to a question that is no longer waited for.
                Ok(_) => {}
                Err(_) if Instant::now() >= deadline => return Heard::Elsewhere(None),
                Err(_) => std::thread::park_timeout(GLANCE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{Rebalance, RebalanceProgress};

    /// Answers what it is asked with `answer`.
    fn controller(links: &Links, id: NodeId, answer: PeerResponse) -> std::thread::JoinHandle<()> {
        let (plug, mut inbox) = links.plug_in(id);
        std::thread::spawn(move || {
            let asked = inbox.blocking_recv();
            if let Some(Delivered { from, message: PeerMessage::Request { correlation, .. }, .. }) = asked {
                plug.send(from, PeerMessage::Response { correlation, body: answer });
            }
        })
    }

    #[test]
    fn the_active_controller_is_found() {
        let links = Links::default();
        let voice = Voice::new(&links);
        let progress = RebalanceProgress { left: 7, ..RebalanceProgress::default() };
        let question = PeerRequest::Rebalance(Rebalance::Spread);
        let ids = [3000, 3001, 3002];
        assert!(voice.ask(&ids, &question, Duration::from_millis(10)).is_none(), "nobody is there");
        let threads = [
            controller(&links, 3001, PeerResponse::NotController { leader_id: 3002 }),
            controller(&links, 3002, PeerResponse::Rebalance(progress.clone())),
        ];
        let answer = voice.ask(&ids, &question, Duration::from_secs(20));
        assert!(matches!(answer, Some(PeerResponse::Rebalance(told)) if told == progress));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
