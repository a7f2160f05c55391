//! Quotas are set and removed.
//!
//! AlterClientQuotas versions 0-1 (KIP-546). Source: `org.apache.kafka.controller.ClientQuotaControlManager`,
//! `org.apache.kafka.common.requests.AlterClientQuotasRequest`; messages as there.

use std::net::{IpAddr, Ipv6Addr};

use super::MAX_RECORDS_PER_REQUEST;
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::image::ClientQuotaEntity;
use crate::metadata::quotas::{self, CLIENT_ID, IP, QuotaType, USER, entity_hash, java_order};
use crate::metadata::record::{ClientQuotaRecord, QuotaEntity};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::alter_client_quotas_request::EntryData;
use crate::protocol::messages::alter_client_quotas_response as answer;
use crate::protocol::messages::{AlterClientQuotasRequestData, AlterClientQuotasResponseData, KafkaString};
use crate::types::java_hash;

/// What Kafka's `new HashMap<>()` has room for.
const JAVA_CAPACITY: usize = 16;

/// What a whole number may be off by.
const FRACTION_MAX: f64 = 1e-6;

type Refusal = (ErrorCode, String);

/// An entity's outcome. `parts` stand in Kafka's order.
struct Outcome {
    entity: ClientQuotaEntity,
    parts: ClientQuotaEntity,
    refusal: Option<Refusal>,
}

fn invalid<T>(message: String) -> Result<T, Refusal> {
    Err((ErrorCode::InvalidRequest, message))
}

impl ControllerState {
    /// AlterClientQuotas.
    pub fn alter_client_quotas(
        &self,
        request: &AlterClientQuotasRequestData,
    ) -> Decision<AlterClientQuotasResponseData> {
        let mut changes = Changes::default();
        let mut outcomes: Vec<Outcome> = Vec::new();
        for entry in &request.entries {
            let parts = parts(entry);
            let mut entity = parts.clone();
            entity.sort();
            let known = outcomes.iter().position(|outcome| outcome.entity == entity);
            let mut seen: Vec<&str> = entry.ops.iter().map(|op| op.key.as_str()).collect();
            seen.sort_unstable();
            let refusal = if known.is_some() || seen.windows(2).any(|pair| pair[0] == pair[1]) {
                // A key that is named twice is told as if the entity were, as in Kafka.
                Some((ErrorCode::InvalidRequest, format!("Ignoring duplicate entity {}", shown(&parts))))
            } else {
                self.alter_quotas(&entity, &parts, entry, &mut changes).err()
            };
            match known {
                Some(place) => outcomes[place].refusal = refusal,
                None => outcomes.push(Outcome { entity, parts, refusal }),
            }
        }
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            return Decision::only(client_quotas_refused(request, ErrorCode::PolicyViolation, TOO_LARGE));
        }
        let outcomes = java_order(outcomes, JAVA_CAPACITY, |outcome| entity_hash(&outcome.entity));
        let entries = outcomes.into_iter().map(told).collect();
        let response = AlterClientQuotasResponseData { entries, ..Default::default() };
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    fn alter_quotas(
        &self,
        entity: &ClientQuotaEntity,
        parts: &ClientQuotaEntity,
        entry: &EntryData,
        changes: &mut Changes,
    ) -> Result<(), Refusal> {
        check_entity(parts)?;
        let of_ip = check_combination(entity)?;
        let present = self.image.client_quotas.get(entity);
        let ops = java_order(entry.ops.iter().collect(), entry.ops.len(), |op| java_hash(op.key.as_str()));
        let mut records = Vec::new();
        for op in ops {
            let key = op.key.as_str();
            let before = present.and_then(|values| values.get(key));
            let value = if op.remove { None } else { Some(op.value) };
            if let Some(value) = value {
                check_value(of_ip, key, value)?;
            }
            if before.map(|value| value.to_bits()) != value.map(f64::to_bits) {
                records.push((key, value));
            }
        }
        for (key, value) in records {
            let entity = entity.iter().cloned();
            let record = ClientQuotaRecord {
                entity: entity.map(|(entity_type, entity_name)| QuotaEntity { entity_type, entity_name }).collect(),
                key: key.to_owned(),
                value: value.unwrap_or_default(),
                remove: value.is_none(),
            };
            changes.push(record);
            changes.events.push(Event::ConfigChanged {
                resource: format!("quota of {}", named(parts)),
                key: key.chars().take(200).collect(),
                value: value.map(|value| value.to_string()),
            });
        }
        Ok(())
    }
}

/// Kafka's words for a request that asks for more than can be appended at once.
const TOO_LARGE: &str = "Request parameters do not satisfy the configured policy.";

/// The answer to a request that fails as a whole.
pub fn client_quotas_refused(
    request: &AlterClientQuotasRequestData,
    error: ErrorCode,
    message: &'static str,
) -> AlterClientQuotasResponseData {
    let part = |part: &crate::protocol::messages::alter_client_quotas_request::EntityData| answer::EntityData {
        entity_type: part.entity_type.clone(),
        entity_name: part.entity_name.clone(),
        ..Default::default()
    };
    let entry = |entry: &EntryData| answer::EntryData {
        error_code: error.code(),
        error_message: Some(KafkaString::from_static(message)),
        entity: entry.entity.iter().map(part).collect(),
        ..Default::default()
    };
    AlterClientQuotasResponseData { entries: request.entries.iter().map(entry).collect(), ..Default::default() }
}

/// The parts of an entity in Kafka's order; of a type that is named twice, the last.
fn parts(entry: &EntryData) -> ClientQuotaEntity {
    let mut parts: ClientQuotaEntity = Vec::new();
    for part in &entry.entity {
        let kind = part.entity_type.as_str();
        let name = part.entity_name.as_ref().map(|name| name.as_str().to_owned());
        match parts.iter_mut().find(|(known, _)| known == kind) {
            Some(known) => known.1 = name,
            None => parts.push((kind.to_owned(), name)),
        }
    }
    java_order(parts, entry.entity.len(), |(kind, _)| java_hash(kind))
}

fn shown(parts: &ClientQuotaEntity) -> String {
    let part = |(kind, name): &(String, Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("null"));
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}

fn named(parts: &ClientQuotaEntity) -> String {
    let part = |(kind, name): &(String, Option<String>)| match name {
        Some(name) => format!("{kind} {}", name.chars().take(200).collect::<String>()),
        None => format!("any {kind}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn told(outcome: Outcome) -> answer::EntryData {
    let part = |(kind, name): (String, Option<String>)| answer::EntityData {
        entity_type: KafkaString::from(kind),
        entity_name: name.map(KafkaString::from),
        ..Default::default()
    };
    let (code, message) = outcome.refusal.unzip();
    answer::EntryData {
        error_code: code.unwrap_or(ErrorCode::None).code(),
        error_message: message.map(KafkaString::from),
        entity: outcome.parts.into_iter().map(part).collect(),
        ..Default::default()
    }
}

fn check_entity(parts: &ClientQuotaEntity) -> Result<(), Refusal> {
    if parts.is_empty() {
        return invalid("Invalid empty client quota entity".to_owned());
    }
    for (kind, name) in parts {
        if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
            return invalid(format!("Unhandled client quota entity type: {kind}"));
        }
        if name.as_ref().is_some_and(String::is_empty) {
            return invalid(format!("Empty {kind} not supported"));
        }
    }
    Ok(())
}

/// True for an address.
fn check_combination(entity: &ClientQuotaEntity) -> Result<bool, Refusal> {
    let Some((_, address)) = entity.iter().find(|(kind, _)| kind == IP) else { return Ok(false) };
    if entity.len() > 1 {
        // The missing blank is Kafka's.
        let message = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
        return invalid(message.to_owned());
    }
    match address {
        Some(address) if !is_address(address) => invalid(format!("{address} is not a valid IP or resolvable host.")),
        _ => Ok(true),
    }
}

/// Whether this is an address. Kafka asks the name service for what else it could be; a controller here waits for nobody, and knows no
/// other name than this machine's own.
fn is_address(text: &str) -> bool {
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    literal.is_some_and(|literal| literal.parse::<Ipv6Addr>().is_ok())
        || text.parse::<IpAddr>().is_ok()
        || text.eq_ignore_ascii_case("localhost")
}

fn check_value(of_ip: bool, key: &str, value: f64) -> Result<(), Refusal> {
    let Some(kind) = quotas::quota_type(of_ip, key) else {
        return invalid(format!("Invalid configuration key {key}"));
    };
    if value <= 0.0 {
        return invalid(format!("Quota {key} must be greater than 0"));
    }
    let (max, name) = match kind {
        QuotaType::Double => return Ok(()),
        QuotaType::Long => (i64::MAX as f64, "a LONG"),
        QuotaType::Int => (f64::from(i32::MAX), "an INT"),
    };
    if value > max {
        return invalid(format!("Proposed value for {key} is too large for {name}."));
    }
    if (value % 1.0).abs() > FRACTION_MAX {
        return invalid(format!("{key} cannot be a fractional value."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::Harness;
    use crate::metadata::quotas::{
        CONNECTION_CREATION_RATE, CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE,
    };
    use crate::protocol::messages::alter_client_quotas_request::{EntityData, OpData};

    type Part = (&'static str, Option<&'static str>);
    type Op = (&'static str, Option<f64>);

    fn entry(entity: &[Part], ops: &[Op]) -> EntryData {
        let part = |(kind, name): &Part| EntityData {
            entity_type: KafkaString::from_static(kind),
            entity_name: name.map(KafkaString::from_static),
            ..Default::default()
        };
        let op = |(key, value): &Op| OpData {
            key: KafkaString::from_static(key),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
            ..Default::default()
        };
        let (entity, ops) = (entity.iter().map(part).collect(), ops.iter().map(op).collect());
        EntryData { entity, ops, ..Default::default() }
    }

    fn alter(harness: &mut Harness, entries: Vec<EntryData>) -> Vec<(i16, Option<String>)> {
        let request = AlterClientQuotasRequestData { entries, ..Default::default() };
        let decision = harness.state.alter_client_quotas(&request);
        let response = harness.commit(decision);
        let told = response.entries.into_iter();
        told.map(|entry| (entry.error_code, entry.error_message.map(|text| text.as_str().to_owned()))).collect()
    }

    #[test]
    fn what_changes_is_recorded_and_what_does_not_is_not() {
        let mut harness = Harness::new(&[]);
        let set = entry(&[(USER, Some("u")), (CLIENT_ID, None)], &[(PRODUCER_BYTE_RATE, Some(1024.0))]);
        assert_eq!(alter(&mut harness, vec![set.clone()]), [(0, None)]);
        let entity = vec![(CLIENT_ID.to_owned(), None), (USER.to_owned(), Some("u".to_owned()))];
        assert_eq!(harness.state.image().client_quotas[&entity][PRODUCER_BYTE_RATE], 1024.0);
        let log_end = harness.log.len();
        assert_eq!(alter(&mut harness, vec![set]), [(0, None)]);
        let other = entry(&[(USER, Some("u")), (CLIENT_ID, None)], &[(CONSUMER_BYTE_RATE, None)]);
        assert_eq!(alter(&mut harness, vec![other]), [(0, None)]);
        assert_eq!(harness.log.len(), log_end);
        let mut check = AlterClientQuotasRequestData {
            entries: vec![entry(&[(IP, None)], &[(CONNECTION_CREATION_RATE, Some(2.0))])],
            validate_only: true,
            ..Default::default()
        };
        assert!(harness.state.alter_client_quotas(&check).records.is_empty());
        check.validate_only = false;
        assert_eq!(harness.state.alter_client_quotas(&check).records.len(), 1);
        let remove = entry(&[(CLIENT_ID, None), (USER, Some("u"))], &[(PRODUCER_BYTE_RATE, None)]);
        alter(&mut harness, vec![remove]);
        assert!(harness.state.image().client_quotas.is_empty());
    }

    #[test]
    fn what_is_refused_and_how() {
        let user: &[Part] = &[(USER, Some("u"))];
        let cases: &[(&[Part], &[Op], &str)] = &[
            (&[], &[], "Invalid empty client quota entity"),
            (&[("group", Some("g"))], &[], "Unhandled client quota entity type: group"),
            (&[(USER, Some(""))], &[], "Empty user not supported"),
            (
                &[(USER, None), (IP, None)],
                &[],
                "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
            ),
            (&[(IP, Some("no address"))], &[], "no address is not a valid IP or resolvable host."),
            (user, &[("no_key", Some(1.0))], "Invalid configuration key no_key"),
            (user, &[(CONNECTION_CREATION_RATE, Some(1.0))], "Invalid configuration key connection_creation_rate"),
            (&[(IP, None)], &[(PRODUCER_BYTE_RATE, Some(1.0))], "Invalid configuration key producer_byte_rate"),
            (user, &[(PRODUCER_BYTE_RATE, Some(0.0))], "Quota producer_byte_rate must be greater than 0"),
            (user, &[(PRODUCER_BYTE_RATE, Some(1.5))], "producer_byte_rate cannot be a fractional value."),
            (
                user,
                &[(PRODUCER_BYTE_RATE, Some(1e19))],
                "Proposed value for producer_byte_rate is too large for a LONG.",
            ),
            (
                &[(IP, None)],
                &[(CONNECTION_CREATION_RATE, Some(3e9))],
                "Proposed value for connection_creation_rate is too large for an INT.",
            ),
            (
                user,
                &[(PRODUCER_BYTE_RATE, Some(1.0)), (PRODUCER_BYTE_RATE, None)],
                "Ignoring duplicate entity ClientQuotaEntity(entries={user=u})",
            ),
        ];
        let mut harness = Harness::new(&[]);
        for (entity, ops, message) in cases {
            let told = alter(&mut harness, vec![entry(entity, ops)]);
            assert_eq!(told, [(ErrorCode::InvalidRequest.code(), Some((*message).to_owned()))]);
        }
        let fine = entry(user, &[(REQUEST_PERCENTAGE, Some(0.5))]);
        let twice = alter(&mut harness, vec![fine.clone(), entry(&[(USER, None)], &[]), fine]);
        assert_eq!(twice.len(), 2, "an entity that is named twice is told of once");
        assert!(
            twice.contains(&(42, Some("Ignoring duplicate entity ClientQuotaEntity(entries={user=u})".to_owned())))
        );
        for address in ["::1", "[::1]", "127.0.0.1", "localhost"] {
            assert!(is_address(address));
        }
    }
}
