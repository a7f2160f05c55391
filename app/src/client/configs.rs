//! Configs of topics, brokers and groups. KIP-133, KIP-226 (synonyms), KIP-339 (incremental), KIP-569 (types and documentation).

use broker::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use broker::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use broker::protocol::messages::{
    DescribeConfigsRequestData, DescribeConfigsResource, IncrementalAlterConfigsRequestData, KafkaString,
};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::inquiry::{ConfigEntry, ConfigSource, Synonym};
use crate::monitor::operation::{ConfigChange, ConfigResource};

// org.apache.kafka.common.config.ConfigResource.Type
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

// org.apache.kafka.clients.admin.AlterConfigOp.OpType
const SET: i8 = 0;
const DELETE: i8 = 1;

/// On the wire: type and name.
fn on_wire(resource: &ConfigResource) -> (i8, KafkaString) {
    match resource {
        ConfigResource::Topic(name) => (TOPIC, name.to_string().into()),
        ConfigResource::Broker(id) => (BROKER, id.map(|id| id.to_string()).unwrap_or_default().into()),
        ConfigResource::Group(name) => (GROUP, name.to_string().into()),
    }
}

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
        let answer = client.call(asked_of(resource), until, |version| {
            let (resource_type, name) = on_wire(resource);
            let wanted = DescribeConfigsResource::default().with_resource_type(resource_type).with_resource_name(name);
            DescribeConfigsRequestData::default()
                .with_resources(vec![wanted.with_configuration_keys(None)])
                .with_include_synonyms(version >= 1)
                .with_include_documentation(version >= 3)
        })?;
        let mut entries = Vec::new();
        for result in answer.results {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))?;
            entries.extend(result.configs.into_iter().map(entry));
        }
        entries.sort_by(|one: &ConfigEntry, other| one.name.cmp(&other.name));
        Ok(entries)
    })
}

fn entry(told: DescribeConfigsResourceResult) -> ConfigEntry {
    let words = |text: Option<KafkaString>| text.map(|text| text.as_str().to_owned());
    ConfigEntry {
        name: told.name.as_str().to_owned(),
        value: words(told.value),
        source: source(told.config_source),
        read_only: told.read_only,
        sensitive: told.is_sensitive,
        kind: kind(told.config_type),
        synonyms: told
            .synonyms
            .into_iter()
            .map(|synonym| Synonym {
                name: synonym.name.as_str().to_owned(),
                value: words(synonym.value),
                source: source(synonym.source),
            })
            .collect(),
        doc: words(told.documentation).unwrap_or_default(),
    }
}

// org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource
fn source(code: i8) -> ConfigSource {
    match code {
        1 => ConfigSource::Topic,
        2 => ConfigSource::DynamicBroker,
        3 => ConfigSource::DynamicDefaultBroker,
        4 => ConfigSource::StaticBroker,
        5 => ConfigSource::Default,
        6 => ConfigSource::BrokerLogger,
        7 => ConfigSource::ClientMetrics,
        8 => ConfigSource::Group,
        _ => ConfigSource::Unknown,
    }
}

// org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigType
fn kind(code: i8) -> &'static str {
    match code {
        1 => "boolean",
        2 => "string",
        3 => "int",
        4 => "short",
        5 => "long",
        6 => "double",
        7 => "list",
        8 => "class",
        9 => "password",
        _ => "",
    }
}

/// Sets configs, or sets them back; all of them or none.
pub fn alter_configs(
    client: &mut Client,
    resource: &ConfigResource,
    changes: &[ConfigChange],
) -> Result<(), ClientError> {
    client.persist(|client, until| {
        let answer = client.call(asked_of(resource), until, |_| {
            let (resource_type, name) = on_wire(resource);
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
