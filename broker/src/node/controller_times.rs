//! What a controller measures of the requests that it answers: brokers', and those of other members of its quorum. A request that the quorum
//! answers with no message of its own counts when it is taken up.

use std::time::Duration;

use crate::metrics::Collector;
use crate::protocol::ErrorCode;
use crate::quorum::{FetchOutcome, FetchSnapshotOutcome, Message, Quorum};
use crate::server::peer::PeerMessage;
use crate::server::peer_costs::{self, Asked};
use crate::server::peer_times::PeerTimes;
use crate::server::request_metrics::PeerRequestMetrics;
use crate::server::request_times::Stations;
use crate::types::NodeId;

/// Which question of an asker's: whether it is one to the quorum, whose numbers are others, and its number.
type Key = (bool, u64);

/// A request that was just taken up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    from: NodeId,
    asked: Asked,
    /// `None`: all that is done for it is done at once.
    key: Option<Key>,
    at: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ControllerTimes {
    requests: PeerRequestMetrics,
    open: PeerTimes<Key>,
    /// Messages at the head of the outbox that were looked at.
    looked_at: usize,
}

impl ControllerTimes {
    /// A message came; what is to be handed on once it is worked on.
    pub(super) fn begin(
        &mut self,
        quorum: &Quorum,
        from: NodeId,
        message: &PeerMessage,
        at: Duration,
    ) -> Option<Begun> {
        let (asked, key) = match message {
            PeerMessage::Request { correlation, body } => (peer_costs::asked(body)?, Some((false, *correlation))),
            PeerMessage::Quorum(message) => {
                let (name, version, size_bytes) = quorum.request_cost(message)?;
                let number = match message {
                    Message::FetchRequest(request) => Some(request.correlation),
                    Message::FetchSnapshotRequest(request) => Some(request.correlation),
                    _ => None,
                };
                (Asked { name, version, size_bytes }, number.map(|number| (true, number)))
            }
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => return None,
        };
        if let Some(key) = key {
            self.open.begin(from, key, asked, at);
        }
        Some(Begun { from, asked, key, at })
    }

    /// It was worked on, and what came of it is in the outbox.
    pub(super) fn worked(&mut self, begun: Option<Begun>, at: Duration, outbox: &[(NodeId, PeerMessage)]) {
        match begun {
            Some(Begun { from, key: Some(key), .. }) => self.open.worked(from, key, at),
            Some(Begun { asked, at: begun, .. }) => {
                let stations = Stations { arrived: begun, begun, worked: at, answered: at, taken: at, sent: at };
                self.requests.done(&asked, &stations);
            }
            None => {}
        }
        for (to, message) in &outbox[self.looked_at.min(outbox.len())..] {
            self.answered(*to, message, at);
        }
        self.looked_at = outbox.len();
    }

    /// The outbox was taken away.
    pub(super) fn taken(&mut self) {
        self.looked_at = 0;
    }

    fn answered(&mut self, to: NodeId, message: &PeerMessage, at: Duration) {
        let key = match message {
            PeerMessage::Response { correlation, .. } => (false, *correlation),
            PeerMessage::Quorum(Message::FetchResponse(response)) => (true, response.correlation),
            PeerMessage::Quorum(Message::FetchSnapshotResponse(response)) => (true, response.correlation),
            _ => return,
        };
        let Some((asked, stations)) = self.open.end(to, key, at) else { return };
        self.requests.done(&asked, &stations);
        match message {
            PeerMessage::Response { body, .. } => {
                peer_costs::for_each_error(body, |code| self.requests.error(asked.name, code));
            }
            PeerMessage::Quorum(message) => self.requests.error(asked.name, error_of(message).code()),
            PeerMessage::Request { .. } | PeerMessage::Refused { .. } => {}
        }
    }

    /// Tells its series.
    pub(super) fn collect(&mut self, out: &mut Collector) {
        self.requests.collect(out);
    }
}

/// What Kafka would answer.
fn error_of(message: &Message) -> ErrorCode {
    match message {
        Message::FetchResponse(response) if matches!(response.outcome, FetchOutcome::NotLeader) => {
            ErrorCode::NotLeaderOrFollower
        }
        Message::FetchSnapshotResponse(response) => match response.outcome {
            FetchSnapshotOutcome::NotLeader => ErrorCode::NotLeaderOrFollower,
            FetchSnapshotOutcome::NotFound => ErrorCode::SnapshotNotFound,
            FetchSnapshotOutcome::Chunk { .. } => ErrorCode::None,
        },
        _ => ErrorCode::None,
    }
}
