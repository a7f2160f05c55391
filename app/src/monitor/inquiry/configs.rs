//! DescribeConfigs as a question and an answer: whoever sends it, or knows the answer otherwise. KIP-133, KIP-226, KIP-569.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::metadata::config::NodeSettings;
use broker::metadata::image::Image;
use broker::protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use broker::protocol::messages::{
    DescribeConfigsRequestData, DescribeConfigsResource, DescribeConfigsResponseData, KafkaString,
};
use broker::protocol::{ErrorCode, error_name};
use broker::server::describe_configs;

use super::{ConfigEntry, ConfigResource, ConfigSource, Synonym};

// org.apache.kafka.common.config.ConfigResource.Type
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

/// The newest version of DescribeConfigs.
const NEWEST: i16 = 4;

/// On the wire: type and name.
pub fn on_wire(resource: &ConfigResource) -> (i8, KafkaString) {
    match resource {
        ConfigResource::Topic(name) => (TOPIC, name.to_string().into()),
        ConfigResource::Broker(id) => (BROKER, id.map(|id| id.to_string()).unwrap_or_default().into()),
        ConfigResource::Group(name) => (GROUP, name.to_string().into()),
    }
}

/// All configs of a resource, with as much as this version tells.
pub fn question(resource: &ConfigResource, version: i16) -> DescribeConfigsRequestData {
    let (resource_type, name) = on_wire(resource);
    let wanted = DescribeConfigsResource::default().with_resource_type(resource_type).with_resource_name(name);
    DescribeConfigsRequestData::default()
        .with_resources(vec![wanted.with_configuration_keys(None)])
        .with_include_synonyms(version >= 1)
        .with_include_documentation(version >= 3)
}

/// What was told, by name.
pub fn entries(answer: DescribeConfigsResponseData) -> Vec<ConfigEntry> {
    let told = answer.results.into_iter().flat_map(|result| result.configs);
    let mut entries: Vec<ConfigEntry> = told.map(entry).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries
}

/// What a broker answers that has this image and was started with one of these settings. A broker alone knows what it was started with; the
/// rest anybody knows.
///
/// # Errors
/// Why there is no answer, in a sentence.
pub fn known(
    resource: &ConfigResource,
    image: &Image,
    settings: &BTreeMap<i32, Arc<NodeSettings>>,
) -> Result<Vec<ConfigEntry>, String> {
    let told = match resource {
        ConfigResource::Broker(Some(id)) => settings.get(id),
        _ => settings.values().next(),
    };
    let told = told.ok_or("No broker had told what it was started with.")?;
    let config = told.config().map_err(|error| format!("{error}."))?;
    let answer = describe_configs::describe(image, &config, &question(resource, NEWEST));
    for result in &answer.results {
        let error = ErrorCode::from(result.error_code);
        if error != ErrorCode::None {
            let words = result.error_message.as_ref().map(KafkaString::as_str).filter(|words| !words.is_empty());
            return Err(words.map_or_else(|| format!("{}.", error_name(error)), str::to_owned));
        }
    }
    Ok(entries(answer))
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
