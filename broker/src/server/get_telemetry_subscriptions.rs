//! GetTelemetrySubscriptions v0: which of its metrics a client is to push, and how often.
//!
//! KIP-714. Source: `org.apache.kafka.server.ClientMetricsManager.processGetTelemetrySubscriptionRequest`. Kafka offers it where a plugin
//! takes what clients push; here the broker itself does.

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::logging::Logger;
use crate::metadata::config::{ClientMetricsConfig, RESOURCE_CLIENT_METRICS};
use crate::metadata::delta::ImageDelta;
use crate::metadata::report::Event;
use crate::protocol::Response;
use crate::protocol::messages::{GetTelemetrySubscriptionsRequestData, GetTelemetrySubscriptionsResponseData};
use crate::records::Compression;
use crate::types::Now;

/// Best first.
const ACCEPTED: [Compression; 4] = [Compression::Zstd, Compression::Lz4, Compression::Gzip, Compression::Snappy];

/// Answers from the subscriptions that match the client.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    request: GetTelemetrySubscriptionsRequestData,
) -> Handled {
    let attributes = broker.connections.attributes(context);
    let subscribed = broker.telemetry.get(now, context.conn, request.client_instance_id.into(), &attributes);
    let response = GetTelemetrySubscriptionsResponseData::default();
    Handled::Reply(Response::GetTelemetrySubscriptions(match subscribed {
        Err(error) => response.with_error_code(error.code()),
        Ok(subscribed) => response
            .with_client_instance_id(subscribed.client_instance_id.into())
            .with_subscription_id(subscribed.subscription_id)
            .with_accepted_compression_types(ACCEPTED.map(|one| one.id().cast_signed()).to_vec())
            .with_push_interval_ms(subscribed.push_interval_ms)
            .with_telemetry_max_bytes(i32::try_from(broker.telemetry.max_bytes()).unwrap_or(i32::MAX))
            .with_delta_temporality(true)
            .with_requested_metrics(subscribed.metrics.iter().map(|name| text(name)).collect()),
    }))
}

/// Follows the subscriptions. One whose configs are not valid (an older version let them pass) matches nobody.
pub(super) fn on_image(broker: &mut Broker, delta: &ImageDelta) {
    for resource in delta.configs_changed.iter().filter(|(kind, _)| *kind == RESOURCE_CLIENT_METRICS) {
        let configs = broker.image.configs.get(resource).filter(|configs| !configs.is_empty());
        let subscription = match configs.map(|configs| ClientMetricsConfig::parse(configs)).transpose() {
            Ok(subscription) => subscription,
            Err(error) => {
                let message = format!("client metrics subscription {} has no effect: {error}", resource.1);
                broker.config.log.warn(Logger::ClientMetrics, || message.clone());
                broker.events.push(Event::Error { message });
                None
            }
        };
        broker.config.log.info(Logger::ClientMetrics, || {
            let (id, what) = (broker.config.node_id, if subscription.is_some() { "has effect" } else { "is gone" });
            format!("[ClientMetricsManager id={id}] Subscription {} {what}", resource.1)
        });
        broker.telemetry.set_subscription(&resource.1, subscription);
    }
}
