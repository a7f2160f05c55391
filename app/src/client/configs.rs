//! Configs of topics, brokers and groups. KIP-133, KIP-226 (synonyms), KIP-339 (incremental), KIP-569 (types and documentation).

use broker::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use broker::protocol::messages::{IncrementalAlterConfigsRequestData, KafkaString};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::inquiry::{ConfigEntry, configs};
use crate::monitor::operation::{ConfigChange, ConfigResource};

// org.apache.kafka.clients.admin.AlterConfigOp.OpType
const SET: i8 = 0;
const DELETE: i8 = 1;

/// A broker alone knows what it was started with; the rest anybody knows.
fn asked_of(resource: &ConfigResource) -> To<'_> {
    match resource {
        ConfigResource::Broker(Some(id)) => To::Broker(*id),
        _ => To::Any,
    }
}

/// All configs of a resource, with their sources, synonyms and documentation, by name.
pub fn describe_configs(client: &mut Client, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, ClientError> {
    client.persist(|client, until| {
        let answer = client.call(asked_of(resource), until, |version| configs::question(resource, version))?;
        for result in &answer.results {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))?;
        }
        Ok(configs::entries(answer))
    })
}

/// Sets configs, or sets them back; all of them or none.
pub fn alter_configs(
    client: &mut Client,
    resource: &ConfigResource,
    changes: &[ConfigChange],
) -> Result<(), ClientError> {
    client.persist(|client, until| {
        let answer = client.call(asked_of(resource), until, |_| {
            let (resource_type, name) = configs::on_wire(resource);
            let configs = changes.iter().map(|change| {
                AlterableConfig::default()
                    .with_name(change.name.clone().into())
                    .with_config_operation(if change.value.is_some() { SET } else { DELETE })
                    .with_value(change.value.clone().map(KafkaString::from))
            });
            let altered = AlterConfigsResource::default().with_resource_type(resource_type).with_resource_name(name);
            IncrementalAlterConfigsRequestData::default().with_resources(vec![altered.with_configs(configs.collect())])
        })?;
        answer.responses.into_iter().try_for_each(|result| {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))
        })
    })
}
