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
    /// Epoch of the quorum that the asker believes in.
    epoch: Option<i32>,
    arrived: Duration,
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
        (arrived, at): (Duration, Duration),
    ) -> Option<Begun> {
        let (asked, key, epoch) = match message {
            PeerMessage::Request { correlation, body } => (peer_costs::asked(body)?, Some((false, *correlation)), None),
            PeerMessage::Quorum(message) => {
                let (name, version, size_bytes) = quorum.request_cost(message)?;
                let number = match message {
                    Message::FetchRequest(request) => Some(request.correlation),
                    Message::FetchSnapshotRequest(request) => Some(request.correlation),
                    _ => None,
                };
                (Asked { name, version, size_bytes }, number.map(|number| (true, number)), epoch_of(message))
            }
            PeerMessage::Response { .. } | PeerMessage::Refused { .. } => return None,
        };
        if let Some(key) = key {
            self.open.begin(from, key, asked, (arrived, at));
        }
        Some(Begun { from, asked, key, epoch, arrived, at })
    }

    /// It was worked on, and what came of it is in the outbox.
    pub(super) fn worked(&mut self, begun: Option<Begun>, at: Duration, outbox: &[(NodeId, PeerMessage)]) {
        let fresh = &outbox[self.looked_at.min(outbox.len())..];
        match begun {
            Some(Begun { from, key: Some(key), .. }) => self.open.worked(from, key, at),
            Some(Begun { from, asked, epoch, arrived, at: begun, .. }) => {
                let stations = Stations { arrived, begun, worked: at, answered: at, taken: at, sent: at };
                self.requests.done(&asked, &stations);
                let told =
                    fresh.iter().filter(|(to, _)| *to == from).find_map(|(_, told)| at_once(&asked, epoch, told));
                told.into_iter().flatten().for_each(|error| self.requests.error(asked.name, error.code()));
            }
            None => {}
        }
        for (to, message) in fresh {
            let epoch = begun.filter(|begun| begun.from == *to).and_then(|begun| begun.epoch);
            self.answered(*to, message, epoch, at);
        }
        self.looked_at = outbox.len();
    }

    /// The outbox was taken away.
    pub(super) fn taken(&mut self) {
        self.looked_at = 0;
    }

    /// `epoch`: what the asker believes in, if it is answered at once.
    fn answered(&mut self, to: NodeId, message: &PeerMessage, epoch: Option<i32>, at: Duration) {
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
            PeerMessage::Quorum(message) => {
                if matches!(message, Message::FetchResponse(_)) {
                    // Of the whole.
                    self.requests.error(asked.name, ErrorCode::None.code());
                }
                self.requests.error(asked.name, error_of(message, epoch).code());
            }
            PeerMessage::Request { .. } | PeerMessage::Refused { .. } => {}
        }
    }

    /// Tells its series.
    pub(super) fn collect(&mut self, out: &mut Collector) {
        self.requests.collect(out);
    }
}

fn epoch_of(request: &Message) -> Option<i32> {
    match request {
        Message::VoteRequest(request) => Some(request.epoch),
        Message::FetchRequest(request) => Some(request.epoch),
        Message::FetchSnapshotRequest(request) => Some(request.epoch),
        Message::BeginQuorumEpochRequest { epoch, .. } => Some(*epoch),
        _ => None,
    }
}

/// The errors that Kafka's answer to such a question has, of the whole and of the one partition, if this message is the answer.
fn at_once(asked: &Asked, epoch: Option<i32>, message: &PeerMessage) -> Option<Vec<ErrorCode>> {
    let PeerMessage::Quorum(message) = message else { return None };
    let fenced = |present: i32| match epoch {
        Some(epoch) if epoch < present => ErrorCode::FencedLeaderEpoch,
        _ => ErrorCode::None,
    };
    match (asked.name, message) {
        ("Vote", Message::VoteResponse(response)) => Some(vec![ErrorCode::None, fenced(response.epoch)]),
        ("BeginQuorumEpoch", Message::BeginQuorumEpochResponse { epoch, .. }) => {
            Some(vec![ErrorCode::None, fenced(*epoch)])
        }
        ("ApiVersions", Message::VersionsResponse { .. }) => Some(vec![ErrorCode::None]),
        _ => None,
    }
}

/// What Kafka would answer of the one partition to somebody who believes in `epoch`.
fn error_of(message: &Message, epoch: Option<i32>) -> ErrorCode {
    let not_leader = |present: i32| match epoch {
        Some(epoch) if epoch < present => ErrorCode::FencedLeaderEpoch,
        Some(epoch) if epoch > present => ErrorCode::UnknownLeaderEpoch,
        _ => ErrorCode::NotLeaderOrFollower,
    };
    match message {
        Message::FetchResponse(response) if matches!(response.outcome, FetchOutcome::NotLeader) => {
            not_leader(response.epoch)
        }
        Message::FetchSnapshotResponse(response) => match response.outcome {
            FetchSnapshotOutcome::NotLeader => not_leader(response.epoch),
            FetchSnapshotOutcome::NotFound => ErrorCode::SnapshotNotFound,
            FetchSnapshotOutcome::Chunk { .. } => ErrorCode::None,
        },
        _ => ErrorCode::None,
    }
}
