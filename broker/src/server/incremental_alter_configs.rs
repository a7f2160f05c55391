//! IncrementalAlterConfigs v0–1: checked as far as this broker can, and forwarded to the active controller.
//!
//! KIP-339, KIP-412 (loggers), KIP-226 (brokers). Source: `kafka.server.KafkaApis.handleIncrementalAlterConfigsRequest`.

use super::Broker;
use super::broker_loggers;
use super::config_changes::{AlteringConfigs, Change, Resource};
use super::context::{Handled, RequestContext};
use super::peer::PeerRequest;
use crate::protocol::messages::IncrementalAlterConfigsRequestData;
use crate::types::Now;

/// Refuses what it can, and forwards the rest.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    now: Now,
    mut request: IncrementalAlterConfigsRequestData,
) -> Handled {
    let resources: Vec<Resource<'_>> = request
        .resources
        .iter()
        .map(|resource| Resource {
            kind: resource.resource_type,
            name: &resource.resource_name,
            changes: resource
                .configs
                .iter()
                .map(|config| Change {
                    key: config.name.as_str(),
                    operation: Some(config.config_operation),
                    value: config.value.as_ref().map(|value| value.as_str()),
                })
                .collect(),
        })
        .collect();
    let altering = AlteringConfigs::new(context, &broker.image, &broker.config, &resources, true);
    if !request.validate_only {
        broker_loggers::apply(&broker.config, &resources, |index| altering.is_refused(index));
    }
    let mut index = 0..;
    request.resources.retain(|_| index.next().is_some_and(|index| altering.is_left(index)));
    let is_done = request.resources.is_empty();
    broker.alter_configs(now, altering, (!is_done).then(|| PeerRequest::IncrementalAlterConfigs(Box::new(request))))
}
