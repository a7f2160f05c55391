//! What a broker's log tells of metadata that takes effect: configs, quotas, images and snapshots.
//!
//! Source: `kafka.server.metadata.{BrokerMetadataPublisher, DynamicConfigPublisher}`, `kafka.server.DynamicBrokerConfig`,
//! `org.apache.kafka.image.loader.MetadataLoader`, `org.apache.kafka.server.quota.ClientQuotaManager`.

use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use crate::logging::{Level, Logger};
use crate::metadata::config::{
    NodeConfig, RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC, shown_value,
};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{ClientQuotaEntity, Image};
use crate::metadata::quotas::{CONNECTION_CREATION_RATE, IP};

/// Configs that were set, and what comes of them here; `before`: what held, if configs of brokers are among them.
pub(super) fn configs(broker: &Broker, before: Option<&NodeConfig>, delta: &ImageDelta) {
    let (id, log) = (broker.config.node_id, &broker.config.log);
    for (kind, name) in &delta.configs_changed {
        if let Some(whose) = whose(broker.config.node_id, *kind, name) {
            log.info(Logger::DynamicConfigPublisher, || {
                let set = configs_of(&broker.image, *kind, name);
                format!("[DynamicConfigPublisher broker id={id}] New configuration of {whose}: {set}")
            });
        }
    }
    if let Some(before) = before.filter(|_| log.is_on(Logger::DynamicBrokerConfig, Level::Info)) {
        for (key, from, to) in broker.config.changed_since(before) {
            log.info(Logger::DynamicBrokerConfig, || format!("{key} takes effect: {to} (was {from})"));
        }
    }
}

/// In words, if it is this broker's business.
fn whose(me: i32, kind: i8, name: &str) -> Option<String> {
    match kind {
        RESOURCE_TOPIC => Some(format!("topic {name}")),
        RESOURCE_BROKER if name.is_empty() => Some("all brokers".to_owned()),
        RESOURCE_BROKER if name.parse() == Ok(me) => Some(format!("node {name}")),
        RESOURCE_CLIENT_METRICS => Some(format!("client metrics subscription {name}")),
        RESOURCE_GROUP => Some(format!("group {name}")),
        _ => None,
    }
}

fn configs_of(image: &Image, kind: i8, name: &Arc<str>) -> String {
    let set = image.configs.get(&(kind, name.clone())).map(|configs| {
        let shown = configs.iter().map(|(key, value)| format!("{key}={}", shown_value(kind, key, value)));
        shown.collect::<Vec<_>>().join(",")
    });
    set.filter(|set| !set.is_empty()).unwrap_or_else(|| "nothing is set".to_owned())
}

/// Quotas that were set or taken away.
pub(super) fn quotas(broker: &Broker, delta: &ImageDelta) {
    for entity in &delta.client_quotas_changed {
        let values = broker.image.client_quotas.get(entity);
        let log = &broker.config.log;
        if entity.iter().any(|(kind, _)| kind == IP) {
            let rate = values.and_then(|values| values.get(CONNECTION_CREATION_RATE));
            log.info(Logger::ConnectionQuotas, || match rate {
                Some(rate) => format!("Connections that {} may open: {rate} a second", entity_name(entity)),
                None => format!("No own limit of connections any more for {}", entity_name(entity)),
            });
            continue;
        }
        log.info(Logger::ClientQuotas, || {
            let set = values
                .map(|values| values.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","));
            let set = set.filter(|set| !set.is_empty()).unwrap_or_else(|| "none".to_owned());
            format!("Quotas of {} are now: {set}", entity_name(entity))
        });
    }
}

fn entity_name(entity: &ClientQuotaEntity) -> String {
    let part = |(kind, name): &(String, Option<String>)| format!("{kind} {}", name.as_deref().unwrap_or("<default>"));
    entity.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// A new image; `first`: with it the broker knows of its own registration.
pub(super) fn image(broker: &Broker, first: bool) {
    let (id, image) = (broker.config.node_id, &broker.image);
    let level = if first { Level::Info } else { Level::Debug };
    broker.config.log.write(Logger::MetadataPublisher, level, || {
        let what = if first { "The first metadata" } else { "Metadata" };
        let level = image.features.get("metadata.version").copied().unwrap_or(0);
        format!(
            "[BrokerMetadataPublisher id={id}] {what} of this registration takes effect: offset={}, epoch={}, metadata.version={level}.",
            image.offset, image.epoch
        )
    });
}

/// A snapshot took the place of all that was read before.
pub(super) fn snapshot(broker: &Broker, before: i64, took: Duration) {
    let (id, image) = (broker.config.node_id, &broker.image);
    broker.config.log.info(Logger::MetadataLoader, || {
        format!(
            "[MetadataLoader id={id}] handleLoadSnapshot: the image went from offset {before} to that of a snapshot, offset={}, epoch={}, \
             in {} us.",
            image.offset,
            image.epoch,
            took.as_micros()
        )
    });
}

/// So many committed records were taken in.
pub(super) fn records(broker: &Broker, count: usize, took: Duration) {
    let (id, image) = (broker.config.node_id, &broker.image);
    broker.config.log.debug(Logger::MetadataLoader, || {
        format!(
            "[MetadataLoader id={id}] handleCommit: {count} records up to offset={}, epoch={} in {} us.",
            image.offset,
            image.epoch,
            took.as_micros()
        )
    });
}

/// The metadata log cannot be read on.
pub(super) fn broken(broker: &Broker, reason: &str) {
    let (id, offset) = (broker.config.node_id, broker.image.offset);
    broker.config.log.error(Logger::MetadataLoader, || {
        format!("[MetadataLoader id={id}] The metadata cannot be followed past offset {offset}, and stays as it is: {reason}")
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_that_are_a_broker_s_business() {
        for (kind, name, told) in [
            (RESOURCE_TOPIC, "t", Some("topic t")),
            (RESOURCE_BROKER, "", Some("all brokers")),
            (RESOURCE_BROKER, "1", Some("node 1")),
            (RESOURCE_BROKER, "2", None),
            (RESOURCE_GROUP, "g", Some("group g")),
        ] {
            assert_eq!(whose(1, kind, name).as_deref(), told, "{kind} {name}");
        }
    }

    #[test]
    fn secrets_are_not_told() {
        let mut image = Image::default();
        let set = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let name: Arc<str> = "1".into();
        let secret = [("max.connections", "2"), ("plugin.token", "abc")];
        image.configs.insert((RESOURCE_BROKER, name.clone()), Arc::new(set(&secret)));
        let told = configs_of(&image, RESOURCE_BROKER, &name);
        assert_eq!(told, "max.connections=2,plugin.token=[hidden]");
        assert_eq!(configs_of(&image, RESOURCE_TOPIC, &name), "nothing is set");
    }
}
