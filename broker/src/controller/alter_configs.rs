//! Dynamic configs are set and removed, each resource as a whole or not at all.
//!
//! IncrementalAlterConfigs versions 0-1 (KIP-339), AlterConfigs versions 0-2 (KIP-133); KIP-966 (what a new min.insync.replicas means for
//! ELRs). Source: `ConfigurationControlManager`, `ControllerConfigurationValidator`, `QuorumController.ConfigResourceExistenceChecker`;
//! order of checks, errors and messages as there. What only the broker that was asked can check, it has checked.

use std::collections::BTreeMap;

use super::MAX_RECORDS_PER_REQUEST;
use super::create_topics::{ApiError, error, too_large};
use super::names::check_topic_name;
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::MetadataRecord;
use crate::metadata::config::{
    ClientMetricsConfig, ClientMetricsConfigError, ConfigDef, ConfigError, RESOURCE_BROKER, RESOURCE_CLIENT_METRICS,
    RESOURCE_GROUP, RESOURCE_TOPIC, append, def_of, is_list, subtract, validate_group_configs, validate_topic_configs,
};
use crate::metadata::record::{ClearElrRecord, ConfigRecord};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_configs_request::AlterConfigsResource as LegacyResource;
use crate::protocol::messages::alter_configs_response::AlterConfigsResourceResponse as LegacyOutcome;
use crate::protocol::messages::incremental_alter_configs_request::AlterConfigsResource as IncrementalResource;
use crate::protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as Outcome;
use crate::protocol::messages::{
    AlterConfigsRequestData, AlterConfigsResponseData, IncrementalAlterConfigsRequestData,
    IncrementalAlterConfigsResponseData, KafkaString,
};

pub(super) const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";

/// Longest value, in UTF-16 units as Java counts (`Short.MAX_VALUE`).
const VALUE_LEN_MAX: usize = 32_767;

/// What is to be done to a config (`AlterConfigOp.OpType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlterOp {
    /// Set it.
    Set = 0,
    /// Back to the default.
    Delete = 1,
    /// Add to a list.
    Append = 2,
    /// Take from a list.
    Subtract = 3,
}

impl AlterOp {
    /// By its number on the wire.
    pub fn of(number: i8) -> Option<AlterOp> {
        [AlterOp::Set, AlterOp::Delete, AlterOp::Append, AlterOp::Subtract].into_iter().find(|op| *op as i8 == number)
    }

    /// As Kafka's messages name it.
    pub fn name(self) -> &'static str {
        match self {
            AlterOp::Set => "SET",
            AlterOp::Delete => "DELETE",
            AlterOp::Append => "APPEND",
            AlterOp::Subtract => "SUBTRACT",
        }
    }
}

type Values = BTreeMap<String, String>;

/// A resource's keys and their new values; no value: back to the default.
type Alteration = Vec<(String, Option<String>)>;

impl ControllerState {
    /// IncrementalAlterConfigs.
    pub fn incremental_alter_configs(
        &self,
        request: &IncrementalAlterConfigsRequestData,
    ) -> Decision<IncrementalAlterConfigsResponseData> {
        let mut changes = Changes::default();
        let mut response = IncrementalAlterConfigsResponseData::default();
        for resource in &request.resources {
            let outcome = self.incremental(resource).and_then(|alteration| {
                self.alter(resource.resource_type, resource.resource_name.as_str(), alteration, &mut changes)
            });
            response.responses.push(incremental_outcome(resource, outcome.err().unwrap_or((ErrorCode::None, None))));
        }
        self.clear_elrs(&mut changes);
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            return Decision::only(incremental_too_large(request));
        }
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    /// AlterConfigs: what is not named goes back to its default.
    pub fn legacy_alter_configs(&self, request: &AlterConfigsRequestData) -> Decision<AlterConfigsResponseData> {
        let mut changes = Changes::default();
        let mut outcomes = Vec::new();
        for resource in &request.resources {
            let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
            let mut alteration: Alteration = Vec::new();
            for config in &resource.configs {
                alteration
                    .push((config.name.as_str().to_owned(), config.value.as_ref().map(|v| v.as_str().to_owned())));
            }
            let left_out = self.present(kind, name).into_iter().flat_map(BTreeMap::keys);
            let left_out = left_out.filter(|key| !resource.configs.iter().any(|config| config.name.as_str() == *key));
            alteration.extend(left_out.map(|key| (key.clone(), None)));
            let outcome = self.alter(kind, name, alteration, &mut changes);
            outcomes.push(outcome.err().unwrap_or((ErrorCode::None, None)));
        }
        self.clear_elrs(&mut changes);
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            return Decision::only(legacy_too_large(request));
        }
        let told = request.resources.iter().zip(outcomes).map(|(resource, outcome)| legacy_outcome(resource, outcome));
        let response = AlterConfigsResponseData { responses: told.collect(), ..Default::default() };
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    fn present(&self, kind: i8, name: &str) -> Option<&Values> {
        self.image.configs.get(&(kind, name.into())).map(AsRef::as_ref)
    }

    /// What the operations make of the present values.
    fn incremental(&self, resource: &IncrementalResource) -> Result<Alteration, ApiError> {
        let (kind, name) = (resource.resource_type, resource.resource_name.as_str());
        let present = self.present(kind, name);
        let mut alteration = Vec::new();
        for config in &resource.configs {
            let key = config.name.as_str();
            let number = config.config_operation;
            // Kafka's controller does not foresee another number; its brokers do, for what is theirs to check.
            let op = AlterOp::of(number).ok_or((ErrorCode::UnknownServerError, None))?;
            let given = config.value.as_ref().map_or("", |value| value.as_str());
            let before = present.and_then(|values| values.get(key)).map(String::as_str);
            let value = match op {
                AlterOp::Set => Some(given.to_owned()),
                AlterOp::Delete => None,
                AlterOp::Append | AlterOp::Subtract if !is_list(kind, key) => {
                    let message = format!("Can't {} to key {key} because its type is not LIST.", op.name());
                    return Err(error(ErrorCode::InvalidConfig, message));
                }
                AlterOp::Append => Some(append(kind, key, before, given)),
                AlterOp::Subtract => Some(subtract(kind, key, before, given)),
            };
            alteration.push((key.to_owned(), value));
        }
        Ok(alteration)
    }

    /// Checks what would come of it, and adds the records.
    fn alter(&self, kind: i8, name: &str, alteration: Alteration, changes: &mut Changes) -> Result<(), ApiError> {
        let mut after = self.present(kind, name).cloned().unwrap_or_default();
        for (key, value) in &alteration {
            // Of what does not change, Kafka makes records for brokers only: that lets them read a file anew.
            if kind != RESOURCE_BROKER && after.get(key) == value.as_ref() {
                continue;
            }
            self.check_elr_rules(kind, name, key, value.as_deref())?;
            match value {
                None => drop(after.remove(key)),
                Some(value) if value.encode_utf16().count() > VALUE_LEN_MAX => {
                    let message = format!(
                        "The configuration value cannot be added because it exceeds the maximum value size of \
                         {VALUE_LEN_MAX} bytes."
                    );
                    return Err(error(ErrorCode::InvalidConfig, message));
                }
                Some(value) => drop(after.insert(key.clone(), value.clone())),
            }
        }
        self.check_resource(kind, name, &after)?;
        self.check_exists(kind, name)?;
        let present = self.present(kind, name);
        for (key, value) in alteration {
            let before = present.and_then(|values| values.get(&key));
            if before != value.as_ref() {
                changes.events.push(told(kind, name, &key, value.as_deref()));
            }
            if kind == RESOURCE_BROKER || before != value.as_ref() {
                changes.push(ConfigRecord { resource_type: kind, resource_name: name.to_owned(), name: key, value });
            }
        }
        Ok(())
    }

    /// With ELR all brokers must agree on the minimum, or the controller would miscount.
    fn check_elr_rules(&self, kind: i8, name: &str, key: &str, value: Option<&str>) -> Result<(), ApiError> {
        if kind != RESOURCE_BROKER {
            return Ok(());
        }
        let refuse = |message: &str| Err(error(ErrorCode::InvalidConfig, message));
        match key {
            MIN_INSYNC_REPLICAS if self.elr_enabled() && !name.is_empty() => {
                refuse("Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
            }
            MIN_INSYNC_REPLICAS if self.elr_enabled() && value.is_none() => {
                refuse("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
            }
            // Kafka takes it from metadata.version 4.3 on; no placement here looks at it, so that it would be a promise not kept.
            CORDONED_LOG_DIRS if value.is_some_and(|dirs| !dirs.trim().is_empty()) => {
                refuse("cordoned.log.dirs cannot be set: log directories cannot be cordoned here yet.")
            }
            _ => Ok(()),
        }
    }

    fn check_resource(&self, kind: i8, name: &str, after: &Values) -> Result<(), ApiError> {
        let invalid = |refused: ConfigError| error(ErrorCode::InvalidConfig, refused.to_string());
        let refuse = |message: String| Err(error(ErrorCode::InvalidRequest, message));
        match kind {
            RESOURCE_TOPIC if name.is_empty() => refuse("Default topic resources are not allowed.".to_owned()),
            RESOURCE_TOPIC => {
                check_topic_name(name).map_err(|message| error(ErrorCode::InvalidTopicException, message))?;
                let pairs = after.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                validate_topic_configs(pairs, &self.config).map_err(invalid)
            }
            RESOURCE_BROKER if name.is_empty() => Ok(()),
            RESOURCE_BROKER => match name.parse::<i32>() {
                Err(_) => refuse("Unable to parse broker name as a base 10 number.".to_owned()),
                Ok(id) if id < 0 => refuse("Invalid negative broker ID.".to_owned()),
                Ok(_) => Ok(()),
            },
            RESOURCE_GROUP if name.is_empty() => refuse("Default group resources are not allowed.".to_owned()),
            RESOURCE_GROUP => validate_group_configs(after, &self.config).map_err(invalid),
            RESOURCE_CLIENT_METRICS if name.is_empty() => refuse("Subscription name can't be empty".to_owned()),
            RESOURCE_CLIENT_METRICS => check_client_metrics(after),
            _ => refuse(format!("Unknown resource type {kind}")),
        }
    }

    fn check_exists(&self, kind: i8, name: &str) -> Result<(), ApiError> {
        match kind {
            RESOURCE_TOPIC if self.image.topic(name).is_none() => {
                let message = format!("The topic '{name}' does not exist.");
                Err(error(ErrorCode::UnknownTopicOrPartition, message))
            }
            RESOURCE_BROKER if !name.is_empty() => {
                let id = name.parse::<i32>().unwrap_or(-1);
                let known = self.image.brokers.contains_key(&id)
                    || self.config.voters.contains(&id)
                    || self.image.controllers.contains_key(&id);
                let refused = || error(ErrorCode::BrokerIdNotRegistered, format!("No node with id {id} found."));
                if known { Ok(()) } else { Err(refused()) }
            }
            _ => Ok(()),
        }
    }

    /// Who was eligible under another minimum may have missed what was acknowledged under the new one.
    fn clear_elrs(&self, changes: &mut Changes) {
        if !self.elr_enabled() {
            return;
        }
        let cleared: Vec<ClearElrRecord> = changes
            .records
            .iter()
            .filter_map(|record| match record {
                MetadataRecord::Config(record) if record.name == MIN_INSYNC_REPLICAS => {
                    let is_topic = record.resource_type == RESOURCE_TOPIC;
                    let topic_name = if is_topic { record.resource_name.clone() } else { String::new() };
                    Some(ClearElrRecord { topic_name })
                }
                _ => None,
            })
            .collect();
        for record in cleared {
            changes.push(record);
        }
    }
}

fn told(kind: i8, name: &str, key: &str, value: Option<&str>) -> Event {
    let resource = match kind {
        RESOURCE_TOPIC => format!("topic {name}"),
        RESOURCE_BROKER if name.is_empty() => "all brokers".to_owned(),
        RESOURCE_BROKER => format!("broker {name}"),
        RESOURCE_GROUP => format!("group {name}"),
        _ => format!("client metrics subscription {name}"),
    };
    let is_secret = def_of(kind, key).is_none_or(ConfigDef::sensitive);
    let shown = |value: &str| if is_secret { "[hidden]".to_owned() } else { value.chars().take(200).collect() };
    Event::ConfigChanged { resource, key: key.to_owned(), value: value.map(shown) }
}

fn incremental_outcome(resource: &IncrementalResource, (code, message): ApiError) -> Outcome {
    Outcome {
        error_code: code.code(),
        error_message: message.map(KafkaString::from),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    }
}

fn legacy_outcome(resource: &LegacyResource, (code, message): ApiError) -> LegacyOutcome {
    LegacyOutcome {
        error_code: code.code(),
        error_message: message.map(KafkaString::from),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        ..Default::default()
    }
}

/// The answer to a request that asks for more than can be appended at once.
pub fn incremental_too_large(request: &IncrementalAlterConfigsRequestData) -> IncrementalAlterConfigsResponseData {
    let responses = request.resources.iter().map(|resource| incremental_outcome(resource, too_large()));
    IncrementalAlterConfigsResponseData { responses: responses.collect(), ..Default::default() }
}

/// The answer to a request that asks for more than can be appended at once.
pub fn legacy_too_large(request: &AlterConfigsRequestData) -> AlterConfigsResponseData {
    let responses = request.resources.iter().map(|resource| legacy_outcome(resource, too_large()));
    AlterConfigsResponseData { responses: responses.collect(), ..Default::default() }
}

fn check_client_metrics(after: &Values) -> Result<(), ApiError> {
    match ClientMetricsConfig::parse(after) {
        Ok(_) => Ok(()),
        Err(ClientMetricsConfigError::Request(message)) => Err(error(ErrorCode::InvalidRequest, message)),
        Err(ClientMetricsConfigError::Config(message)) => Err(error(ErrorCode::InvalidConfig, message)),
    }
}
