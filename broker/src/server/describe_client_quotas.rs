//! DescribeClientQuotas v0–1: answered by any broker from its image.
//!
//! KIP-546. Source: `kafka.server.KafkaApis.handleDescribeClientQuotasRequest`, `org.apache.kafka.image.ClientQuotasImage.describe`; messages
//! as there.

use std::collections::{BTreeMap, BTreeSet};

use super::Broker;
use super::context::{Handled, RequestContext};
use crate::metadata::image::{ClientQuotaEntity, ClientQuotas};
use crate::metadata::quotas::{CLIENT_ID, IP, USER, java_order};
use crate::protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use crate::protocol::messages::{DescribeClientQuotasRequestData, DescribeClientQuotasResponseData, KafkaString};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Now, java_hash};

/// Match types: a name, the default, or any of the type.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// What an entity must have to be told of.
#[derive(Debug, Default)]
struct Filter<'a> {
    exact: BTreeMap<&'a str, Option<&'a str>>,
    any: BTreeSet<&'a str>,
    strict: bool,
}

type Refusal = (ErrorCode, String);

fn invalid<T>(message: &str) -> Result<T, Refusal> {
    Err((ErrorCode::InvalidRequest, message.to_owned()))
}

/// Answers.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeClientQuotasRequestData,
) -> Handled {
    Handled::Reply(Response::DescribeClientQuotas(describe(&broker.image.client_quotas, &request)))
}

fn describe(quotas: &ClientQuotas, request: &DescribeClientQuotasRequestData) -> DescribeClientQuotasResponseData {
    match filter(request) {
        Ok(filter) => {
            let matching = quotas.iter().filter(|(entity, _)| filter.matches(entity));
            let entries = matching.map(|(entity, values)| entry(entity, values)).collect();
            DescribeClientQuotasResponseData {
                error_message: Some(KafkaString::default()),
                entries: Some(entries),
                ..Default::default()
            }
        }
        Err((code, message)) => DescribeClientQuotasResponseData {
            error_code: code.code(),
            error_message: Some(KafkaString::from(message)),
            entries: None,
            ..Default::default()
        },
    }
}

fn filter(request: &DescribeClientQuotasRequestData) -> Result<Filter<'_>, Refusal> {
    let mut filter = Filter { strict: request.strict, ..Filter::default() };
    for component in &request.components {
        let kind = component.entity_type.as_str();
        let name = component.r#match.as_ref().map(|name| name.as_str());
        if kind.is_empty() {
            return invalid("Invalid empty entity type.");
        }
        if filter.has(kind) {
            return invalid(&format!("Entity type {kind} cannot appear more than once in the filter."));
        }
        if ![IP, USER, CLIENT_ID].contains(&kind) {
            return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}")));
        }
        match (component.match_type, name) {
            (EXACT, Some(name)) => drop(filter.exact.insert(kind, Some(name))),
            (EXACT, None) => {
                return invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.");
            }
            (DEFAULT, None) => drop(filter.exact.insert(kind, None)),
            (DEFAULT, Some(_)) => {
                return invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.");
            }
            (SPECIFIED, None) => drop(filter.any.insert(kind)),
            (SPECIFIED, Some(_)) => {
                return invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.");
            }
            (other, _) => return invalid(&format!("Unknown match type {other}")),
        }
    }
    if filter.has(IP) && (filter.has(USER) || filter.has(CLIENT_ID)) {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.",
        );
    }
    Ok(filter)
}

impl Filter<'_> {
    fn has(&self, kind: &str) -> bool {
        self.exact.contains_key(kind) || self.any.contains(kind)
    }

    fn matches(&self, entity: &ClientQuotaEntity) -> bool {
        let name_of = |kind: &str| entity.iter().find(|(its, _)| its == kind).map(|(_, name)| name.as_deref());
        (!self.strict || entity.len() == self.exact.len() + self.any.len())
            && self.exact.iter().all(|(kind, name)| name_of(kind) == Some(*name))
            && self.any.iter().all(|kind| name_of(kind).is_some())
    }
}

fn entry(entity: &ClientQuotaEntity, values: &BTreeMap<String, f64>) -> EntryData {
    let parts = java_order(entity.iter().collect(), entity.len(), |(kind, _)| java_hash(kind));
    let part = |(kind, name): &(String, Option<String>)| EntityData {
        entity_type: KafkaString::from(kind.clone()),
        entity_name: name.clone().map(KafkaString::from),
        ..Default::default()
    };
    let value = |(key, value): (&String, &f64)| ValueData {
        key: KafkaString::from(key.clone()),
        value: *value,
        ..Default::default()
    };
    EntryData {
        entity: parts.into_iter().map(part).collect(),
        values: values.iter().map(value).collect(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::quotas::{CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE};
    use crate::protocol::messages::describe_client_quotas_request::ComponentData;

    type Component = (&'static str, i8, Option<&'static str>);

    fn ask(components: &[Component], strict: bool) -> DescribeClientQuotasRequestData {
        let component = |(kind, match_type, name): &Component| ComponentData {
            entity_type: KafkaString::from_static(kind),
            match_type: *match_type,
            r#match: name.map(KafkaString::from_static),
            ..Default::default()
        };
        let components = components.iter().map(component).collect();
        DescribeClientQuotasRequestData { components, strict, ..Default::default() }
    }

    fn quotas() -> ClientQuotas {
        let part = |kind: &str, name: Option<&str>| (kind.to_owned(), name.map(str::to_owned));
        let values = BTreeMap::from([(PRODUCER_BYTE_RATE.to_owned(), 1.0), (CONSUMER_BYTE_RATE.to_owned(), 2.0)]);
        let entities = [
            vec![part(USER, Some("u"))],
            vec![part(USER, None)],
            vec![part(CLIENT_ID, Some("c"))],
            vec![part(CLIENT_ID, Some("c")), part(USER, Some("u"))],
            vec![part(CLIENT_ID, None), part(USER, Some("u"))],
        ];
        entities.into_iter().map(|entity| (entity, values.clone())).collect()
    }

    #[test]
    fn filters_choose_entities() {
        let cases: &[(&[Component], bool, usize)] = &[
            (&[], false, 5),
            (&[], true, 0),
            (&[(USER, EXACT, Some("u"))], false, 3),
            (&[(USER, EXACT, Some("u"))], true, 1),
            (&[(USER, DEFAULT, None)], false, 1),
            (&[(USER, SPECIFIED, None)], false, 4),
            (&[(USER, SPECIFIED, None)], true, 2),
            (&[(USER, SPECIFIED, None), (CLIENT_ID, SPECIFIED, None)], true, 2),
            (&[(USER, SPECIFIED, None), (CLIENT_ID, DEFAULT, None)], false, 1),
            (&[(IP, SPECIFIED, None)], false, 0),
        ];
        for (components, strict, found) in cases {
            let answer = describe(&quotas(), &ask(components, *strict));
            assert_eq!(answer.entries.unwrap().len(), *found, "{components:?} {strict}");
        }
    }

    #[test]
    fn what_is_refused_and_how() {
        let cases: &[(&[Component], i16, &str)] = &[
            (&[("", EXACT, Some("u"))], 42, "Invalid empty entity type."),
            (
                &[(USER, EXACT, Some("u")), (USER, SPECIFIED, None)],
                42,
                "Entity type user cannot appear more than once in the filter.",
            ),
            (&[("group", EXACT, Some("g"))], 35, "Unsupported entity type group"),
            (&[(USER, EXACT, None)], 42, "Request specified MATCH_TYPE_EXACT, but set match string to null."),
            (
                &[(USER, DEFAULT, Some(""))],
                42,
                "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
            ),
            (&[(USER, 3, None)], 42, "Unknown match type 3"),
            (
                &[(IP, DEFAULT, None), (USER, DEFAULT, None)],
                42,
                "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.",
            ),
        ];
        for (components, code, message) in cases {
            let answer = describe(&quotas(), &ask(components, false));
            assert_eq!((answer.error_code, answer.error_message.unwrap().as_str()), (*code, *message));
            assert_eq!(answer.entries, None);
        }
    }
}
