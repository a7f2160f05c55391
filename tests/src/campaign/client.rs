//! What the simulated clients share: a way to call a broker over a connection, and what they are.

use std::time::Duration;

use broker::protocol::{Request, RequestHeader, Response, decode_response, encode_request};
use broker::types::NodeId;
use bytes::BytesMut;

use super::history::{Anomaly, Kind};
use super::world::World;

/// A client: acts when its time has come, and takes in answers.
pub(super) trait Client {
    /// When it wants to act; `Duration::MAX`: only an answer moves it.
    fn next_at(&self) -> Duration;
    /// Its time has come.
    fn act(&mut self, world: &mut World);
    /// An answer on one of its connections.
    fn on_answer(&mut self, world: &mut World, conn: u64, seq: u64, frame: BytesMut);
    /// An answer to it leaves a broker, even if it has given the connection up: what it will mean can be judged now, while the broker's log is
    /// as it was.
    fn on_answer_leaving(&mut self, _world: &mut World, _conn: u64, _seq: u64, _frame: &BytesMut) {}
    /// One of its connections is gone.
    fn on_closed(&mut self, world: &mut World, conn: u64);
    /// Begin nothing new.
    fn finish(&mut self);
    /// Nothing is under way.
    fn is_idle(&self) -> bool;
}

/// A request that was sent and is not answered.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) conn: u64,
    pub(super) seq: u64,
    header: RequestHeader,
}

impl Call {
    /// The answer, decoded, while it is under way.
    pub(super) fn peek(&self, frame: &BytesMut) -> Result<Response, String> {
        decode_response(&self.header, frame.clone().freeze().slice(4..)).map_err(|error| error.to_string())
    }

    /// The answer, decoded. Nonsense is an anomaly.
    pub(super) fn answer(&self, world: &mut World, frame: BytesMut) -> Option<Response> {
        match self.peek(&frame) {
            Ok(response) => Some(response),
            Err(error) => {
                world.anomalies.push(Anomaly::new(Kind::UnexpectedError, format!("an answer is unreadable: {error}")));
                None
            }
        }
    }
}

/// One connection at a time, to the node that was called last.
#[derive(Debug, Default)]
pub(super) struct Link {
    conn: Option<(NodeId, u64)>,
    correlation: i32,
}

impl Link {
    /// Calls a node. `None`: nobody listens there.
    pub(super) fn call(
        &mut self,
        world: &mut World,
        client: usize,
        node: NodeId,
        request: &Request,
        api_version: i16,
    ) -> Option<Call> {
        if self.conn.is_none_or(|(to, _)| to != node) {
            self.hang_up(world);
            self.conn = Some((node, world.connect(client, node)?));
        }
        let (_, conn) = self.conn?;
        self.correlation += 1;
        let header = RequestHeader {
            api_key: request.api(),
            api_version,
            correlation_id: self.correlation,
            client_id: Some(format!("client-{client}")),
        };
        let frame = encode_request(&header, request).ok()?.freeze();
        // Brokers are given frames without their length.
        let Some(seq) = world.send(conn, frame.slice(4..)) else {
            self.conn = None;
            return None;
        };
        Some(Call { conn, seq, header })
    }

    /// The same, of a broker that listens. Who does not ask for that calls earlier than a real client could: the seeds of older rows are kept so.
    pub(super) fn call_listener(
        &mut self,
        world: &mut World,
        client: usize,
        node: NodeId,
        request: &Request,
        api_version: i16,
    ) -> Option<Call> {
        if world.listens(node) { self.call(world, client, node, request, api_version) } else { None }
    }

    /// Whom it is connected to by this connection.
    pub(super) fn node(&self, conn: u64) -> Option<NodeId> {
        self.conn.filter(|(_, mine)| *mine == conn).map(|(node, _)| node)
    }

    /// Gives the connection up.
    pub(super) fn hang_up(&mut self, world: &mut World) {
        if let Some((_, conn)) = self.conn.take() {
            world.hang_up(conn);
        }
    }

    /// Forgets the connection, of which the broker is not told: its client's machine is gone.
    pub(super) fn abandon(&mut self) {
        self.conn = None;
    }

    /// The connection is gone.
    pub(super) fn closed(&mut self, conn: u64) {
        self.conn.take_if(|(_, mine)| *mine == conn);
    }
}

/// Who leads a partition, as a client believes. It never goes back to an older reign.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Belief {
    leader: Option<NodeId>,
    epoch: i32,
}

impl Belief {
    /// Whom to ask; looks it up if that is not known.
    pub(super) fn leader(&mut self, world: &mut World, partition: u32) -> Option<NodeId> {
        if self.leader.is_none() {
            let (leader, epoch) = world.metadata(partition).filter(|(_, epoch)| *epoch >= self.epoch)?;
            (self.leader, self.epoch) = (Some(leader), epoch);
        }
        self.leader
    }

    /// The reign that it believes in.
    pub(super) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether it is believed to be this one.
    pub(super) fn is_in(&self, node: NodeId) -> bool {
        self.leader == Some(node)
    }

    /// It is not so: look again.
    pub(super) fn doubt(&mut self) {
        self.leader = None;
    }
}
