//! What AlterConfigs and IncrementalAlterConfigs have in common on a broker: what the broker itself can refuse it refuses; the rest goes to
//! the active controller, and both parts make one answer, in the order of the request.
//!
//! Source: `kafka.server.ConfigAdminManager`; errors and messages as there.

use std::collections::{BTreeMap, BTreeSet};

use super::broker_loggers;
use super::context::RequestContext;
use super::endpoints::text;
use super::peer::PeerResponse;
use crate::controller::AlterOp;
use crate::metadata::config::{
    ConfigError, NodeConfig, RESOURCE_BROKER, RESOURCE_BROKER_LOGGER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP,
    RESOURCE_TOPIC, append, def_of, is_list, subtract, validate_broker_configs,
};
use crate::metadata::image::Image;
use crate::protocol::messages::alter_configs_response::AlterConfigsResourceResponse as LegacyOutcome;
use crate::protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Outcome;
use crate::protocol::messages::{AlterConfigsResponseData, IncrementalAlterConfigsResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};

/// One config of a resource, of either request.
pub(super) struct Change<'a> {
    pub(super) key: &'a str,
    /// `None`: AlterConfigs, which sets all.
    pub(super) operation: Option<i8>,
    pub(super) value: Option<&'a str>,
}

/// One resource, of either request.
pub(super) struct Resource<'a> {
    pub(super) kind: i8,
    pub(super) name: &'a KafkaString,
    pub(super) changes: Vec<Change<'a>>,
}

pub(super) type Refusal = (ErrorCode, String);

/// A request of a client's that waits for the controller's part of the answer.
#[derive(Clone, Debug)]
pub struct AlteringConfigs {
    /// The client's request.
    pub context: RequestContext,
    /// Whether it is IncrementalAlterConfigs.
    incremental: bool,
    resources: Vec<(i8, KafkaString, Option<Refusal>)>,
}

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    (ErrorCode::InvalidRequest, message.into())
}

impl AlteringConfigs {
    /// Checks what a broker can check.
    pub(super) fn new(
        context: &RequestContext,
        image: &Image,
        config: &NodeConfig,
        resources: &[Resource<'_>],
        incremental: bool,
    ) -> AlteringConfigs {
        let mut times: BTreeMap<(i8, &str), usize> = BTreeMap::new();
        for resource in resources {
            *times.entry((resource.kind, resource.name.as_str())).or_default() += 1;
        }
        let check = |resource: &Resource<'_>| {
            let refused = if times.get(&(resource.kind, resource.name.as_str())).is_some_and(|times| *times > 1) {
                Some(invalid("Each resource must appear at most once."))
            } else {
                check(image, config, resource, incremental).err()
            };
            (resource.kind, resource.name.clone(), refused)
        };
        AlteringConfigs { context: context.clone(), incremental, resources: resources.iter().map(check).collect() }
    }

    /// Whether a resource (by its place in the request) goes to the controller.
    pub(super) fn is_left(&self, index: usize) -> bool {
        self.resources.get(index).is_some_and(|(kind, _, refused)| *kind != RESOURCE_BROKER_LOGGER && refused.is_none())
    }

    /// Whether a resource (by its place in the request) is refused by this broker already.
    pub(super) fn is_refused(&self, index: usize) -> bool {
        self.resources.get(index).is_none_or(|(_, _, refused)| refused.is_some())
    }

    /// The answer to the client, with the controller's part.
    pub(super) fn answer(&self, part: &PeerResponse) -> Response {
        let mut outcomes: BTreeMap<(i8, &str), (i16, Option<KafkaString>)> = BTreeMap::new();
        match part {
            PeerResponse::IncrementalAlterConfigs(part) => {
                for one in &part.responses {
                    let key = (one.resource_type, one.resource_name.as_str());
                    outcomes.insert(key, (one.error_code, one.error_message.clone()));
                }
            }
            PeerResponse::AlterConfigs(part) => {
                for one in &part.responses {
                    let key = (one.resource_type, one.resource_name.as_str());
                    outcomes.insert(key, (one.error_code, one.error_message.clone()));
                }
            }
            _ => {}
        }
        self.assemble(|kind, name| {
            outcomes.get(&(kind, name)).cloned().unwrap_or((ErrorCode::UnknownServerError.code(), None))
        })
    }

    /// The answer to the client when no controller answered, or there was nothing to ask it.
    pub(super) fn refusal(&self, error: ErrorCode) -> Response {
        self.assemble(|_, _| (error.code(), None))
    }

    fn assemble(&self, outcome: impl Fn(i8, &str) -> (i16, Option<KafkaString>)) -> Response {
        let told = self.resources.iter().map(|(kind, name, refused)| {
            let (code, message) = match refused {
                Some((error, message)) => (error.code(), (!message.is_empty()).then(|| text(message))),
                None if *kind == RESOURCE_BROKER_LOGGER => (ErrorCode::None.code(), None),
                None => outcome(*kind, name.as_str()),
            };
            (*kind, name.clone(), code, message)
        });
        if self.incremental {
            let responses = told.map(|(kind, name, code, message)| {
                Outcome::default()
                    .with_resource_type(kind)
                    .with_resource_name(name)
                    .with_error_code(code)
                    .with_error_message(message)
            });
            let responses = responses.collect();
            Response::IncrementalAlterConfigs(IncrementalAlterConfigsResponseData::default().with_responses(responses))
        } else {
            let responses = told.map(|(kind, name, code, message)| {
                LegacyOutcome::default()
                    .with_resource_type(kind)
                    .with_resource_name(name)
                    .with_error_code(code)
                    .with_error_message(message)
            });
            Response::AlterConfigs(AlterConfigsResponseData::default().with_responses(responses.collect()))
        }
    }
}

fn check(image: &Image, config: &NodeConfig, resource: &Resource<'_>, incremental: bool) -> Result<(), Refusal> {
    let keys: BTreeSet<&str> = resource.changes.iter().map(|change| change.key).collect();
    if keys.len() != resource.changes.len() {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let needs_value = |change: &&Change<'_>| change.operation != Some(AlterOp::Delete as i8) && change.value.is_none();
    let without: Vec<&str> = resource.changes.iter().filter(needs_value).map(|change| change.key).collect();
    if !without.is_empty() {
        return Err(invalid(format!("Null value not supported for : {}", without.join(", "))));
    }
    match resource.kind {
        RESOURCE_BROKER_LOGGER if incremental => broker_loggers::check(config, resource),
        RESOURCE_BROKER => check_broker(image, config, resource, incremental),
        RESOURCE_TOPIC | RESOURCE_CLIENT_METRICS | RESOURCE_GROUP => Ok(()),
        kind => Err(invalid(format!("Unknown resource type {kind}"))),
    }
}

fn check_broker(image: &Image, config: &NodeConfig, resource: &Resource<'_>, incremental: bool) -> Result<(), Refusal> {
    let name = resource.name.as_str();
    let own_id = config.node_id;
    if !name.is_empty() {
        let not_a_number = |_| invalid(format!("Node id must be an integer, but it is: {name}"));
        let id: i32 = name.parse().map_err(not_a_number)?;
        if id != own_id {
            return Err(invalid(format!("Unexpected broker id, expected {own_id}, but received {name}")));
        }
    }
    let mut after: BTreeMap<String, String> = BTreeMap::new();
    if incremental && let Some(present) = image.configs.get(&(RESOURCE_BROKER, name.into())) {
        after.extend(present.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    for change in &resource.changes {
        apply(&mut after, change)?;
    }
    let refused = |error: ConfigError| invalid(error.to_string());
    validate_broker_configs(&after, !name.is_empty(), config, image).map_err(refused)
}

fn apply(after: &mut BTreeMap<String, String>, change: &Change<'_>) -> Result<(), Refusal> {
    let key = change.key;
    let value = change.value.unwrap_or("");
    let op = match change.operation {
        None => AlterOp::Set,
        Some(number) => AlterOp::of(number).ok_or_else(|| invalid(format!("Unknown operations type {number}")))?,
    };
    let not_a_list = |what: &str| {
        Err((ErrorCode::InvalidConfig, format!("Config value {what} is not allowed for config key: {key}")))
    };
    let before = after.get(key).map(String::as_str);
    let is_known = def_of(RESOURCE_BROKER, key).is_some();
    let value = match op {
        AlterOp::Append | AlterOp::Subtract if !is_known => {
            return Err((ErrorCode::InvalidConfig, format!("Unknown config name: {key}")));
        }
        AlterOp::Set => value.to_owned(),
        AlterOp::Delete => {
            after.remove(key);
            return Ok(());
        }
        AlterOp::Append if !is_list(RESOURCE_BROKER, key) => return not_a_list("append"),
        AlterOp::Subtract if !is_list(RESOURCE_BROKER, key) => return not_a_list("subtract"),
        AlterOp::Append => append(RESOURCE_BROKER, key, before, value),
        AlterOp::Subtract => subtract(RESOURCE_BROKER, key, before, value),
    };
    after.insert(key.to_owned(), value);
    Ok(())
}

#[cfg(test)]
#[path = "config_changes_tests.rs"]
mod tests;
