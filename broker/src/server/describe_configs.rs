//! DescribeConfigs v1–4: what each config of a broker, topic, group or client metrics subscription is, and where that comes from.
//!
//! KIP-133, KIP-226 (synonyms and dynamic configs), KIP-569 (types and documentation). Source: `kafka.server.ConfigHelper`.

use std::collections::BTreeMap;

use super::Broker;
use super::broker_loggers;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::controller::check_topic_name;
use crate::metadata::config::{
    ConfigDef, NodeConfig, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP,
    RESOURCE_TOPIC, TopicConfig, Update, Value, broker_def, broker_defs, client_metrics_defs, group_defs,
};
use crate::metadata::image::Image;
use crate::protocol::messages::describe_configs_request::DescribeConfigsResource;
use crate::protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::protocol::messages::{DescribeConfigsRequestData, DescribeConfigsResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::Now;

/// `DescribeConfigsResponse.ConfigSource`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

/// Configs that give one value together, the decisive one first (`DynamicBrokerConfig.brokerConfigSynonyms`).
const BROKER_SYNONYMS: [&[&str]; 4] = [
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];

/// Answers from this broker's configuration and image.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeConfigsRequestData,
) -> Handled {
    Handled::Reply(Response::DescribeConfigs(describe(&broker.image, &broker.config, &request)))
}

/// What a broker with this image answers that was started with `config`, whatever was dynamic then.
pub fn describe(
    image: &Image,
    config: &NodeConfig,
    request: &DescribeConfigsRequestData,
) -> DescribeConfigsResponseData {
    let known = [RESOURCE_TOPIC, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP];
    let refused = request.resources.iter().any(|resource| !known.contains(&resource.resource_type));
    let described = Described::new(image, config, request);
    let results = request.resources.iter().map(|resource| {
        let outcome = if refused { Err(invalid(INVALID_REQUEST)) } else { described.resource(resource) };
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match outcome {
            Ok(configs) => result.with_error_message(Some(text(""))).with_configs(wanted(configs, resource)),
            Err((error, message)) => result.with_error_code(error.code()).with_error_message(Some(message.into())),
        }
    });
    DescribeConfigsResponseData::default().with_results(results.collect())
}

/// Only the keys that were asked for, if any were.
fn wanted(
    mut configs: Vec<DescribeConfigsResourceResult>,
    resource: &DescribeConfigsResource,
) -> Vec<DescribeConfigsResourceResult> {
    if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
        configs.retain(|config| keys.contains(&config.name));
    }
    configs
}

type Overrides = BTreeMap<String, String>;
type Refusal = (ErrorCode, String);
type Outcome = Result<Vec<DescribeConfigsResourceResult>, Refusal>;

/// Kafka's words for INVALID_REQUEST where nothing more is to be said.
const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client library or the \
                               message was sent to an incompatible broker. See the broker logs for more details.";

fn invalid(message: impl Into<String>) -> Refusal {
    (ErrorCode::InvalidRequest, message.into())
}

/// Where this broker's values come from.
struct Described<'a> {
    image: &'a Image,
    config: &'a NodeConfig,
    dynamic: Option<&'a Overrides>,
    dynamic_default: Option<&'a Overrides>,
    file: Overrides,
    include_synonyms: bool,
    include_documentation: bool,
}

impl<'a> Described<'a> {
    fn new(image: &'a Image, config: &'a NodeConfig, request: &DescribeConfigsRequestData) -> Described<'a> {
        Described {
            image,
            config,
            dynamic: configs(image, RESOURCE_BROKER, &config.node_id.to_string()),
            dynamic_default: configs(image, RESOURCE_BROKER, ""),
            file: config.static_configs(),
            include_synonyms: request.include_synonyms,
            include_documentation: request.include_documentation,
        }
    }

    fn resource(&self, resource: &DescribeConfigsResource) -> Outcome {
        let name = resource.resource_name.as_str();
        match resource.resource_type {
            RESOURCE_TOPIC => self.topic(name),
            RESOURCE_BROKER if name.is_empty() => Ok(self.dynamic_defaults()),
            RESOURCE_BROKER => self.broker(name),
            RESOURCE_BROKER_LOGGER => self.broker_loggers(name),
            RESOURCE_CLIENT_METRICS if name.is_empty() => {
                Err(invalid("Client metrics subscription name must not be empty"))
            }
            RESOURCE_CLIENT_METRICS => Ok(self.client_metrics(name)),
            _ if name.is_empty() => Err(invalid("Group name must not be empty")),
            _ => Ok(self.group(name)),
        }
    }

    fn topic(&self, topic: &str) -> Outcome {
        check_topic_name(topic).map_err(|message| (ErrorCode::InvalidTopicException, message))?;
        if self.image.topic(topic).is_none() {
            return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
        }
        let own = configs(self.image, RESOURCE_TOPIC, topic);
        let values = TopicConfig::values_in(self.image, topic, self.config);
        // What is for tests only is told where it is set.
        let is_shown = |def: &ConfigDef| !def.internal || own.is_some_and(|own| own.contains_key(def.name));
        let shown = values.into_iter().filter(|(def, _)| is_shown(def));
        Ok(shown.map(|(def, value)| self.child(def, &value, own, Source::Topic)).collect())
    }

    fn group(&self, group: &str) -> Vec<DescribeConfigsResourceResult> {
        let own = configs(self.image, RESOURCE_GROUP, group);
        let described = group_defs().iter().filter(|def| !def.internal).map(|def| {
            let value =
                own_value(def, own).unwrap_or_else(|| match def.broker_synonyms.first().map(|key| broker_def(key)) {
                    Some(Some(broker_def)) => self.broker_value(broker_def),
                    _ => def.default_value(),
                });
            self.child(def, &value, own, Source::Group)
        });
        described.collect()
    }

    fn client_metrics(&self, subscription: &str) -> Vec<DescribeConfigsResourceResult> {
        let own = configs(self.image, RESOURCE_CLIENT_METRICS, subscription);
        let described = client_metrics_defs().iter().map(|def| {
            let value = own_value(def, own).unwrap_or_else(|| def.default_value());
            self.child(def, &value, own, Source::ClientMetrics)
        });
        described.collect()
    }

    fn broker(&self, name: &str) -> Outcome {
        self.check_broker_id(name, " or empty string,")?;
        let is_set =
            |def: &ConfigDef| [self.dynamic, self.dynamic_default].iter().flatten().any(|l| l.contains_key(def.name));
        // Of what is internal Kafka tells what its properties say.
        let is_hidden = |def: &ConfigDef| def.internal && !self.config.overrides().contains_key(def.name);
        let shown =
            broker_defs().iter().filter(|def| !is_hidden(def) && (def.update != Update::DynamicOnly || is_set(def)));
        let known = shown.map(|def| self.broker_entry(def, &self.broker_value(def), self.synonyms(def.name)));
        let layers = [(self.dynamic, Source::DynamicBroker), (self.dynamic_default, Source::DynamicDefaultBroker)];
        let mut custom: BTreeMap<&str, Vec<Source>> = BTreeMap::new();
        for (layer, source) in layers {
            for key in layer.into_iter().flat_map(BTreeMap::keys).filter(|key| broker_def(key).is_none()) {
                custom.entry(key).or_default().push(source);
            }
        }
        Ok(known.chain(custom.into_iter().map(|(key, sources)| self.custom_entry(key, &sources))).collect())
    }

    /// A config of a plugin's, of which nothing is known: Kafka takes it for a secret.
    fn custom_entry(&self, key: &str, sources: &[Source]) -> DescribeConfigsResourceResult {
        let synonyms = sources.iter().map(|source| synonym(key, None, true, *source));
        DescribeConfigsResourceResult::default()
            .with_name(text(key))
            .with_read_only(true)
            .with_is_sensitive(true)
            .with_config_source(sources.first().map_or(Source::Default, |source| *source) as i8)
            .with_synonyms(if self.include_synonyms { synonyms.collect() } else { Vec::new() })
    }

    /// The configs that were set for all brokers at once.
    fn dynamic_defaults(&self) -> Vec<DescribeConfigsResourceResult> {
        let entries = self.dynamic_default.into_iter().flatten().map(|(key, value)| {
            let Some(def) = broker_def(key) else { return self.custom_entry(key, &[Source::DynamicDefaultBroker]) };
            let mut synonyms = self.synonyms(key);
            synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker as i8);
            self.broker_entry(def, &Value::Text(value.clone()), synonyms)
        });
        entries.collect()
    }

    fn broker_loggers(&self, name: &str) -> Outcome {
        if name.is_empty() {
            return Err(invalid("Broker id must not be empty"));
        }
        self.check_broker_id(name, "")?;
        Ok(broker_loggers::describe(&self.config.log))
    }

    fn check_broker_id(&self, name: &str, or: &str) -> Result<(), Refusal> {
        let not_a_number = |_| invalid(format!("Broker id must be an integer, but it is: {name}"));
        let id: i32 = name.parse().map_err(not_a_number)?;
        let own_id = self.config.node_id;
        if id != own_id {
            return Err(invalid(format!("Unexpected broker id, expected {own_id}{or} but received {name}")));
        }
        Ok(())
    }

    fn broker_value(&self, def: &ConfigDef) -> Value {
        let layers = [self.dynamic, self.dynamic_default, Some(&self.file)];
        let text = layers.into_iter().flatten().find_map(|layer| layer.get(def.name));
        text.and_then(|text| def.parse(text).ok()).unwrap_or_else(|| def.default_value())
    }

    fn broker_entry(
        &self,
        def: &ConfigDef,
        value: &Value,
        synonyms: Vec<DescribeConfigsSynonym>,
    ) -> DescribeConfigsResourceResult {
        self.entry(def, value, synonyms).with_read_only(def.update == Update::ReadOnly)
    }

    /// A config of something that is not a broker, but whose defaults may come from the broker.
    fn child(
        &self,
        def: &ConfigDef,
        value: &Value,
        own: Option<&Overrides>,
        own_source: Source,
    ) -> DescribeConfigsResourceResult {
        let mut synonyms = match def.broker_synonyms.first() {
            Some(key) if broker_def(key).is_some() => self.synonyms(key),
            // A group config that no broker config stands behind is its own synonym.
            Some(key) => vec![synonym(key, def.default, false, Source::Default)],
            None => Vec::new(),
        };
        if own.is_some_and(|own| own.contains_key(def.name)) {
            let own_text = value.to_text();
            synonyms.insert(0, synonym(def.name, own_text.as_deref(), def.sensitive(), own_source));
        }
        self.entry(def, value, synonyms)
    }

    fn entry(
        &self,
        def: &ConfigDef,
        value: &Value,
        synonyms: Vec<DescribeConfigsSynonym>,
    ) -> DescribeConfigsResourceResult {
        let shown = if def.sensitive() { None } else { value.to_text() };
        let documentation = if self.include_documentation { def.documentation() } else { None };
        DescribeConfigsResourceResult::default()
            .with_name(text(def.name))
            .with_value(shown.map(|value| value.into()))
            .with_config_source(synonyms.first().map_or(Source::Default as i8, |synonym| synonym.source))
            .with_is_sensitive(def.sensitive())
            .with_config_type(def.kind.wire_id())
            .with_documentation(documentation.map(text))
            .with_synonyms(if self.include_synonyms { synonyms } else { Vec::new() })
    }

    /// Where a broker config is set, the decisive place first; what stands before the config's own name is another config's.
    fn synonyms(&self, key: &str) -> Vec<DescribeConfigsSynonym> {
        let alone = [key];
        let names = BROKER_SYNONYMS.iter().find(|names| names.contains(&key)).map_or(&alone[..], |names| names);
        let layers = [
            (self.dynamic, Source::DynamicBroker),
            (self.dynamic_default, Source::DynamicDefaultBroker),
            (Some(&self.file), Source::StaticBroker),
        ];
        let mut found = Vec::new();
        for (layer, source) in layers {
            let set = names.iter().filter_map(|name| Some((*name, layer?.get(*name)?.as_str())));
            found.extend(set.map(|(name, value)| (name, value, source)));
        }
        // Those that no file can hold are no part of Kafka's defaults.
        let in_file = |def: &&ConfigDef| def.update != Update::DynamicOnly;
        let defaults = names.iter().filter_map(|name| Some((*name, broker_def(name).filter(in_file)?.default?)));
        found.extend(defaults.map(|(name, value)| (name, value, Source::Default)));
        let own = found.into_iter().skip_while(|(name, ..)| *name != key);
        let sensitive = |name: &str| broker_def(name).is_none_or(ConfigDef::sensitive);
        own.map(|(name, value, source)| synonym(name, Some(value), sensitive(name), source)).collect()
    }
}

fn configs<'a>(image: &'a Image, resource_type: i8, name: &str) -> Option<&'a Overrides> {
    image.configs.get(&(resource_type, name.into())).map(AsRef::as_ref)
}

fn own_value(def: &ConfigDef, own: Option<&Overrides>) -> Option<Value> {
    def.parse(own?.get(def.name)?).ok()
}

fn synonym(name: &str, value: Option<&str>, sensitive: bool, source: Source) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(text(name))
        .with_value(value.filter(|_| !sensitive).map(text))
        .with_source(source as i8)
}

#[cfg(test)]
#[path = "describe_configs_tests.rs"]
mod tests;
