//! ListConfigResources v0–1: which resources have, or could have, configs.
//!
//! KIP-714 (v0: client metrics subscriptions only), KIP-1142. Source: `kafka.server.KafkaApis.handleListConfigResources`.

use super::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::{in_service, text};
use crate::metadata::config::{
    RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC,
};
use crate::metadata::image::Image;
use crate::protocol::messages::list_config_resources_response::ConfigResource;
use crate::protocol::messages::{ListConfigResourcesRequestData, ListConfigResourcesResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// In the order of Kafka's answer.
const KINDS: [i8; 5] =
    [RESOURCE_GROUP, RESOURCE_CLIENT_METRICS, RESOURCE_BROKER_LOGGER, RESOURCE_BROKER, RESOURCE_TOPIC];

/// Answers from this broker's image.
pub fn handle(
    broker: &mut Broker,
    context: &RequestContext,
    _now: Now,
    request: ListConfigResourcesRequestData,
) -> Handled {
    Handled::Reply(Response::ListConfigResources(answer(&broker.image, context.header.api_version, &request)))
}

fn answer(image: &Image, version: i16, request: &ListConfigResourcesRequestData) -> ListConfigResourcesResponseData {
    let supported: &[i8] = if version == 0 { &[RESOURCE_CLIENT_METRICS] } else { &KINDS };
    let wanted = if request.resource_types.is_empty() { supported } else { &request.resource_types };
    if !wanted.iter().all(|kind| supported.contains(kind)) {
        return ListConfigResourcesResponseData::default().with_error_code(ErrorCode::UnsupportedVersion.code());
    }
    let mut listed = Vec::new();
    for kind in KINDS.into_iter().filter(|kind| wanted.contains(kind)) {
        let resource = |name: &str| ConfigResource::default().with_resource_name(text(name)).with_resource_type(kind);
        match kind {
            RESOURCE_TOPIC => listed.extend(image.topic_ids.keys().map(|name| resource(name))),
            RESOURCE_BROKER | RESOURCE_BROKER_LOGGER => {
                listed.extend(in_service(image).map(|(broker, _)| resource(&broker.id.to_string())));
            }
            _ => {
                let with_configs = image.configs.keys().filter(|(other, _)| *other == kind);
                listed.extend(with_configs.map(|(_, name)| resource(name)));
            }
        }
    }
    ListConfigResourcesResponseData::default().with_config_resources(listed)
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::testing::*;
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    #[test]
    fn what_is_listed_by_version_and_kind() {
        let mut image = image_of_brokers(3);
        change_broker(&mut image, 2, |broker| broker.fenced = true);
        add_topic(&mut image, "t", &[&[1, 2, 3]]);
        for (kind, name) in [(RESOURCE_GROUP, "g"), (RESOURCE_CLIENT_METRICS, "m"), (RESOURCE_TOPIC, "t")] {
            image.configs.insert((kind, name.into()), Arc::new(BTreeMap::new()));
        }
        let list = |version: i16, kinds: &[i8]| -> Result<Vec<(String, i8)>, i16> {
            let request = ListConfigResourcesRequestData::default().with_resource_types(kinds.to_vec());
            let response = answer(&image, version, &request);
            match response.error_code {
                0 => Ok(response
                    .config_resources
                    .iter()
                    .map(|one| (one.resource_name.as_str().to_owned(), one.resource_type))
                    .collect()),
                error => Err(error),
            }
        };
        let all = [("g", 32), ("m", 16), ("1", 8), ("3", 8), ("1", 4), ("3", 4), ("t", 2)];
        assert_eq!(list(1, &[]).unwrap(), all.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(list(0, &[]).unwrap(), [("m".to_owned(), 16)]);
        assert_eq!(list(1, &[2]).unwrap(), [("t".to_owned(), 2)]);
        assert_eq!(list(1, &[2, 3]).unwrap_err(), ErrorCode::UnsupportedVersion.code());
        assert_eq!(list(0, &[2]).unwrap_err(), ErrorCode::UnsupportedVersion.code());
    }
}
