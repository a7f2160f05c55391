//! What a handler is told about a request, and what it may answer with.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;

use super::peer::PeerMessage;
use super::request_log::LoggedRequest;
use super::request_metrics::Answered;
use crate::protocol::{Api, Json, RequestHeader, Response};
use crate::types::{NodeId, Now};

/// A client connection, numbered by the node; numbers are never used twice within one incarnation.
pub type ConnId = u64;

/// A client's request, without its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Connection it came on.
    pub conn: ConnId,
    /// Its place in that connection's order, from 0; answers leave in this order.
    pub seq: u64,
    /// API, version, correlation id, client id.
    pub header: RequestHeader,
    /// The client's address.
    pub client_host: IpAddr,
    /// When its last byte arrived.
    pub received: Now,
    /// Size of its frame, without the length in front.
    pub size_bytes: usize,
    /// What it says, if the request logger is to tell it.
    pub body: Option<Arc<Json>>,
}

/// What a handler did with a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are answers, and each is moved once")]
pub enum Handled {
    /// The answer is here.
    Reply(Response),
    /// There is no answer by protocol (Produce with acks=0).
    NoReply,
    /// [`super::Broker::reply`] will be called with this context in time, in every case.
    Later,
}

/// What a broker wants sent. Drained by the node (or the simulation) after each input.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Answers to clients, in no particular order; the connection restores the order by `seq`.
    pub responses: Vec<ClientResponse>,
    /// Connections to close, and why (one sentence).
    pub closes: Vec<(ConnId, String)>,
    /// Messages to other nodes.
    pub peer: Vec<(NodeId, PeerMessage)>,
}

/// An answer to a client.
#[derive(Debug)]
pub struct ClientResponse {
    /// Connection.
    pub conn: ConnId,
    /// Place in its order.
    pub seq: u64,
    /// What it answers, and for how long the connection is not to be read from, as the client did more than it may.
    pub answered: Answered,
    /// The whole frame with its length, or nothing (acks=0).
    pub frame: Option<BytesMut>,
    /// What the log is to tell of it once it was sent.
    pub logged: Option<Box<LoggedRequest>>,
}

impl RequestContext {
    /// The API as Kafka's request metrics name it.
    pub fn api_name(&self) -> &'static str {
        match self.header.api_key {
            Api::Fetch => "FetchConsumer",
            api => api.name(),
        }
    }
}
