//! The broker as one synchronous state machine: frames of clients, messages of peers and the passing of time in; answers, messages and
//! events out. No await, no socket, no clock of its own, so the same code runs on a node's thread and in a simulation.

use std::time::Duration;

use super::auto_create::AutoCreation;
use super::context::{ClientResponse, Handled, Outbox, RequestContext};
use super::init_producer_id::ProducerIds;
use super::lifecycle::Lifecycle;
use super::metrics::Metrics;
use super::peer::{PeerMessage, PeerRequest};
use super::peer_requests::{PeerRequests, Pending, Purpose};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::Image;
use crate::metadata::report::Event;
use crate::protocol::{self, Response};
use crate::types::{Id, NO_NODE, NodeId, Now};

/// A forwarded request that was refused, or found no controller, is tried again after this.
const RETRY: Duration = Duration::from_millis(50);

/// See the module. Handlers are given all of it; each touches what is its own. Each room of the server adds its own field here.
pub struct Broker {
    /// Configuration.
    pub config: NodeConfig,
    /// Random per start.
    pub incarnation: Id,
    /// The cluster as far as this broker knows it.
    pub image: Image,
    /// The active controller, as far as it is known.
    pub active_controller: Option<NodeId>,
    /// Its standing with the controller.
    pub lifecycle: Lifecycle,
    /// Requests to other nodes that are under way.
    pub requests: PeerRequests,
    /// Topics that it asked the controller for on behalf of clients.
    pub auto_creation: AutoCreation,
    /// Ids for idempotent producers.
    pub producer_ids: ProducerIds,
    /// What it counts.
    pub metrics: Metrics,
    /// What happened since the node last looked.
    pub events: Vec<Event>,
    /// What is to be sent since the node last looked.
    pub out: Outbox,
}

impl Broker {
    /// Answers a request.
    pub fn reply(&mut self, _now: Now, context: &RequestContext, response: Response) {
        match protocol::encode_response(&context.header, &response) {
            Ok(frame) => self.respond(context, Some(frame)),
            Err(error) => {
                // The answer does not fit the version asked for: a bug of ours. The client must not wait for ever.
                let message = format!("an answer to {} could not be encoded: {error}", context.api_name());
                self.events.push(Event::Error { message: message.clone() });
                self.out.closes.push((context.conn, message));
            }
        }
    }

    /// Ends a request, with or without an answer.
    pub(super) fn respond(&mut self, context: &RequestContext, frame: Option<bytes::BytesMut>) {
        self.out.responses.push(ClientResponse {
            conn: context.conn,
            seq: context.seq,
            api: context.api_name(),
            received: context.received,
            frame,
        });
    }

    /// Forwards a client's request to the active controller; the answer goes back to the client, whoever becomes controller meanwhile.
    pub fn forward(&mut self, context: &RequestContext, now: Now, request: PeerRequest) -> Handled {
        let patience = self.config.millis("request.timeout.ms");
        self.send_to_controller(Purpose::Client(Box::new(context.clone())), now, request, patience);
        Handled::Later
    }

    /// Asks the active controller for a topic that a client needs; nobody waits for the answer.
    pub fn auto_create_topic(&mut self, now: Now, request: PeerRequest) {
        let patience = self.config.millis("request.timeout.ms");
        self.send_to_controller(Purpose::AutoCreateTopic, now, request, patience);
    }

    /// Asks the active controller; repeated, also to another one, until `patience` is over.
    pub fn send_to_controller(&mut self, purpose: Purpose, now: Now, request: PeerRequest, patience: Duration) {
        let deadline = now.mono + patience;
        match self.active_controller {
            Some(to) => {
                let repeat = Some(request.clone());
                let correlation = self.requests.enter(Pending { purpose, to, repeat, deadline, retry_at: None });
                self.out.peer.push((to, PeerMessage::Request { correlation, body: request }));
            }
            None => {
                let retry_at = Some(now.mono + RETRY);
                self.requests.enter(Pending { purpose, to: NO_NODE, repeat: Some(request), deadline, retry_at });
            }
        }
    }
}
