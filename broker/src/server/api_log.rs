//! What a broker's log tells of requests and their answers, but for the request logger: what fails that should not, and at DEBUG what is
//! answered with an error.
//!
//! Source: `kafka.server.KafkaApis`, `kafka.server.ForwardingManagerImpl`, `org.apache.kafka.server.quota.ClientQuotaManager`.

use std::collections::BTreeMap;

use super::broker::Broker;
use super::context::RequestContext;
use crate::logging::{Level, Logger};
use crate::protocol::{ErrorCode, Response, error_name};
use crate::quota::ANONYMOUS;
use crate::types::NodeId;

/// In front of what the handlers of requests say.
pub(super) fn prefix(broker: &Broker) -> String {
    format!("[KafkaApi-{}] ", broker.config.node_id)
}

fn name(context: &RequestContext) -> String {
    let header = &context.header;
    let client = header.client_id.as_deref().unwrap_or_default();
    let (api, version, number) = (header.api_key.name(), header.api_version, header.correlation_id);
    format!("{api} v{version} with correlation id {number} from client {client}")
}

fn id(broker: &Broker, context: &RequestContext) -> String {
    broker.connections.id(&broker.config, context.conn, context.client_host)
}

/// Work on a request begins.
pub(super) fn handling(broker: &Broker, context: &RequestContext) {
    broker.config.log.trace(Logger::KafkaApis, || {
        format!("{}Handling {} on connection {}.", prefix(broker), name(context), id(broker, context))
    });
}

/// A request is answered; `is_unexpected`: with an error that nobody foresaw.
pub(super) fn answered(broker: &Broker, context: &RequestContext, response: &Response, is_unexpected: bool) {
    let level = if is_unexpected { Level::Error } else { Level::Debug };
    if !broker.config.log.is_on(Logger::KafkaApis, level) {
        return;
    }
    let mut errors: BTreeMap<i16, usize> = BTreeMap::new();
    response.for_each_error(context.header.api_version, |code| {
        if code != ErrorCode::None.code() {
            *errors.entry(code).or_default() += 1;
        }
    });
    if errors.is_empty() {
        return;
    }
    broker.config.log.write(Logger::KafkaApis, level, || {
        let told = errors.iter().map(|(code, times)| format!("{} x {times}", error_name(ErrorCode::from(*code))));
        let (what, told) = (if is_unexpected { "Unexpected error in" } else { "Errors in" }, told.collect::<Vec<_>>());
        format!(
            "{}{what} the answer to {} on connection {}: {}",
            prefix(broker),
            name(context),
            id(broker, context),
            told.join(", ")
        )
    });
}

/// A produce with acks=0 failed: the connection is closed, since no answer can tell.
pub(super) fn closed_for(broker: &Broker, context: &RequestContext, reason: &str) {
    broker.config.log.info(Logger::KafkaApis, || {
        format!("{}Closing connection {} after {}: {reason}", prefix(broker), id(broker, context), name(context))
    });
}

/// A request goes to the active controller.
pub(super) fn forwarding(broker: &Broker, context: &RequestContext, to: Option<NodeId>) {
    broker.config.log.debug(Logger::ForwardingManager, || match to {
        Some(to) => format!("Forwarding {} to controller {to}.", name(context)),
        None => format!("{} waits until the active controller is known.", name(context)),
    });
}

/// No controller answered a forwarded request in time.
pub(super) fn not_answered(broker: &Broker, context: &RequestContext) {
    broker.config.log.debug(Logger::ForwardingManager, || {
        format!("Forwarding of {} was given up, as no controller answered in time.", name(context))
    });
}

/// A client is made to wait, as it did more than its quota of that kind allows.
pub(super) fn throttled(broker: &Broker, context: &RequestContext, kind: &str, time_ms: i32) {
    if time_ms > 0 {
        broker.config.log.debug(Logger::ClientQuotas, || {
            let client = context.header.client_id.as_deref().unwrap_or_default();
            format!("Quota violated for sensor ({kind}-{ANONYMOUS}:{client}). Delay time: ({time_ms})")
        });
    }
}
