//! Requests of follower brokers, which come from node to node and never from a client port.

use super::broker::Broker;
use super::offset_for_leader_epoch;
use super::peer::PeerResponse;
use crate::protocol::messages::{FetchRequestData, OffsetForLeaderEpochRequestData};
use crate::types::{NodeId, Now};

/// A follower fetches. Its answer comes in time as [`crate::replica::Output::FetchReply`].
pub fn fetch(broker: &mut Broker, now: Now, from: NodeId, correlation: u64, request: &FetchRequestData) {
    broker.replicas.on_peer_fetch(now, from, correlation, request);
}

/// A broker asks where an epoch ended.
pub fn offset_for_leader_epoch(broker: &Broker, request: OffsetForLeaderEpochRequestData) -> PeerResponse {
    PeerResponse::OffsetForLeaderEpoch(Box::new(offset_for_leader_epoch::answer(broker, request)))
}
