//! PushTelemetry v0: a client's metrics.
//!
//! KIP-714. Source: `org.apache.kafka.server.ClientMetricsManager.processPushTelemetryRequest`. Metrics that cannot be read are what a
//! failure of its plugin is to Kafka: INVALID_RECORD.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use crate::logging::{Level, Logger};
use crate::protocol::messages::{PushTelemetryRequestData, PushTelemetryResponseData};
use crate::protocol::{ErrorCode, Response, error_name};
use crate::records::Compression;
use crate::telemetry::Push;
use crate::types::{Id, Now};

/// Keeps what was pushed as the client's last values.
pub fn handle(broker: &mut Broker, context: &RequestContext, now: Now, request: PushTelemetryRequestData) -> Handled {
    let error = take(broker, context, now, &request).err().unwrap_or(ErrorCode::None);
    // What was taken, or could not be read, was told already.
    if !matches!(error, ErrorCode::None | ErrorCode::InvalidRecord) {
        broker.config.log.debug(Logger::ClientMetrics, || {
            let (node, id) = (broker.config.node_id, Id::from(request.client_instance_id));
            format!("[ClientMetricsManager id={node}] A push of client {id} is refused: {}", error_name(error))
        });
    }
    Handled::Reply(Response::PushTelemetry(PushTelemetryResponseData::default().with_error_code(error.code())))
}

fn take(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: &PushTelemetryRequestData,
) -> Result<(), ErrorCode> {
    let attributes = broker.connections.attributes(context);
    let push = Push {
        client_instance_id: request.client_instance_id.into(),
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        compression_type: request.compression_type,
        size_bytes: request.metrics.len(),
    };
    let interval_ms = broker.telemetry.push(now, context.conn, &push, &attributes)?;
    let compression = u8::try_from(push.compression_type).ok().and_then(|id| Compression::from_id(id).ok());
    let id = push.client_instance_id;
    let payload = (compression.unwrap_or_default(), &request.metrics[..]);
    let taken = match request.metrics.is_empty() {
        true => Ok(()),
        false => broker.client_metrics.push(now, id, &attributes, interval_ms, payload),
    };
    let error = if taken.is_ok() { ErrorCode::None } else { ErrorCode::InvalidRecord };
    let level = if taken.is_ok() { Level::Debug } else { Level::Error };
    broker.config.log.write(Logger::ClientMetrics, level, || {
        let (node, size, how) =
            (broker.config.node_id, push.size_bytes, if taken.is_ok() { "pushed" } else { "pushed unreadable" });
        format!("[ClientMetricsManager id={node}] Client {id} {how} metrics of {size} bytes")
    });
    broker.telemetry.done(id, error);
    taken.map_err(|_| error)
}
