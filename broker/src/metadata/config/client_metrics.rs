//! A client metrics subscription: which metrics, how often, of which clients.
//!
//! KIP-714. Source: `org.apache.kafka.server.metrics.ClientMetricsConfigs`; order of checks and messages as there. An expression is one of
//! the `regex` crate: what Java's has beyond it (look-around, back-references) is refused as illegal.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::def::{ConfigDef, Value};
use super::table::client_metrics_defs;

/// Bounds of `interval.ms`.
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// Of a client that no subscription matches.
const INTERVAL_MS_DEFAULT: i32 = 300_000;

/// Memory that one compiled expression may take.
const PROGRAM_MAX_BYTES: usize = 256 * 1024;

/// What of a client an expression is held against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Selector {
    /// `client_instance_id`.
    InstanceId,
    /// `client_id`.
    ClientId,
    /// `client_software_name`.
    SoftwareName,
    /// `client_software_version`.
    SoftwareVersion,
    /// `client_source_address`.
    SourceAddress,
    /// `client_source_port`.
    SourcePort,
}

impl Selector {
    fn of(name: &str) -> Option<Selector> {
        Some(match name {
            "client_instance_id" => Selector::InstanceId,
            "client_id" => Selector::ClientId,
            "client_software_name" => Selector::SoftwareName,
            "client_software_version" => Selector::SoftwareVersion,
            "client_source_address" => Selector::SourceAddress,
            "client_source_port" => Selector::SourcePort,
            _ => return None,
        })
    }
}

/// What is wrong with a subscription.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClientMetricsConfigError {
    /// Kafka answers INVALID_REQUEST.
    #[error("{0}")]
    Request(String),
    /// Kafka answers INVALID_CONFIG.
    #[error("{0}")]
    Config(String),
}

/// A subscription that can be matched against clients.
#[derive(Clone, Debug)]
pub struct ClientMetricsConfig {
    /// Prefixes of names of metrics; `*`: all.
    pub metrics: Vec<String>,
    /// How often they are to be pushed.
    pub interval_ms: i32,
    /// All must match the whole of what they are held against; none: every client matches.
    pub patterns: BTreeMap<Selector, Regex>,
}

impl ClientMetricsConfig {
    /// Interval of a client that no subscription matches.
    pub const INTERVAL_MS_DEFAULT: i32 = INTERVAL_MS_DEFAULT;

    /// Reads and checks a subscription's configs.
    ///
    /// # Errors
    /// A key that there is not, a value out of bounds, an expression that is none.
    pub fn parse(configs: &BTreeMap<String, String>) -> Result<ClientMetricsConfig, ClientMetricsConfigError> {
        let refuse = |message: String| ClientMetricsConfigError::Config(message);
        if let Some(key) = configs.keys().find(|key| def(key).is_none()) {
            let key: String = key.chars().take(200).collect();
            return Err(ClientMetricsConfigError::Request(format!("Unknown client metrics configuration: {key}")));
        }
        let value = |key: &str| match (def(key), configs.get(key)) {
            (Some(def), Some(text)) => def.parse(text).map_err(|error| refuse(error.to_string())),
            (def, _) => Ok(def.map_or(Value::Null, ConfigDef::default_value)),
        };
        let list = |key: &str| match value(key)? {
            Value::List(list) if list.iter().any(String::is_empty) => {
                Err(refuse(format!("Configuration '{key}' values must not be empty.")))
            }
            Value::List(list) => Ok(list),
            _ => Ok(Vec::new()),
        };
        let interval = value("interval.ms")?;
        let matches = list("match")?;
        let metrics = list("metrics")?;
        let interval_ms = match interval {
            Value::Int(ms) if !INTERVAL_MS.contains(&ms) => {
                return Err(ClientMetricsConfigError::Request(format!(
                    "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                )));
            }
            Value::Int(ms) => i32::try_from(ms).unwrap_or(INTERVAL_MS_DEFAULT),
            _ => INTERVAL_MS_DEFAULT,
        };
        let mut patterns = BTreeMap::new();
        for text in &matches {
            let illegal = || refuse(format!("Illegal client matching pattern: {text}"));
            let (selector, regex) = parse_pattern(text).ok_or_else(illegal)?;
            patterns.insert(selector, regex);
        }
        Ok(ClientMetricsConfig { metrics, interval_ms, patterns })
    }

    /// Whether all patterns match a client; what is not known of it matches none.
    pub fn matches<'a>(&self, known: impl Fn(Selector) -> Option<&'a str>) -> bool {
        self.patterns.iter().all(|(selector, regex)| known(*selector).is_some_and(|text| regex.is_match(text)))
    }
}

fn def(key: &str) -> Option<&'static ConfigDef> {
    client_metrics_defs().iter().find(|def| def.name == key)
}

/// `name=expression`. As Java splits it, empty parts at the end do not count.
fn parse_pattern(text: &str) -> Option<(Selector, Regex)> {
    let mut parts: Vec<&str> = text.split('=').collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let [name, pattern] = parts[..] else { return None };
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(PROGRAM_MAX_BYTES).build().ok();
    let pattern = pattern.trim();
    // On its own first: within parentheses others may be valid.
    build(pattern)?;
    Some((Selector::of(name.trim())?, build(&format!(r"\A(?:{pattern})\z"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(configs: &[(&str, &str)]) -> Result<ClientMetricsConfig, String> {
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ClientMetricsConfig::parse(&configs.collect()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn what_is_refused_and_how() {
        let cases: [(&[(&str, &str)], &str); 13] = [
            (&[("nope", "1"), ("match", "x")], "Request(\"Unknown client metrics configuration: nope\")"),
            (
                &[("interval.ms", "99")],
                "Request(\"Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)\")",
            ),
            (
                &[("interval.ms", "3600001")],
                "Request(\"Invalid value 3600001 for interval.ms, interval must be between 100 and 3600000 (1 hour)\")",
            ),
            (
                &[("interval.ms", "x")],
                "Config(\"Invalid value x for configuration interval.ms: Not a number of type INT\")",
            ),
            (&[("metrics", "a,,b")], "Config(\"Configuration 'metrics' values must not be empty.\")"),
            (&[("match", "client_id")], "Config(\"Illegal client matching pattern: client_id\")"),
            (&[("match", "client_id=")], "Config(\"Illegal client matching pattern: client_id=\")"),
            (&[("match", "=x")], "Config(\"Illegal client matching pattern: =x\")"),
            (&[("match", "client_id=a=b")], "Config(\"Illegal client matching pattern: client_id=a=b\")"),
            (&[("match", "color=red")], "Config(\"Illegal client matching pattern: color=red\")"),
            (&[("match", "client_id=a,client_id=(")], "Config(\"Illegal client matching pattern: client_id=(\")"),
            (&[("match", "client_id=a)(b")], "Config(\"Illegal client matching pattern: client_id=a)(b\")"),
            (&[("match", "client_id=a,")], "Config(\"Configuration 'match' values must not be empty.\")"),
        ];
        for (configs, refusal) in cases {
            assert_eq!(parse(configs).unwrap_err(), refusal, "{configs:?}");
        }
    }

    #[test]
    fn what_matches() {
        let client = |selector| match selector {
            Selector::ClientId => Some("app-1"),
            Selector::SourceAddress => Some("127.0.0.1"),
            _ => None,
        };
        for (patterns, expected) in [
            ("", true),
            ("client_id=app-.*", true),
            ("client_id=app", false),
            (" client_id = app-1 ", true),
            ("client_id=app-1==", true),
            ("client_id=app-.*,client_source_address=10[.].*", false),
            ("client_id=app-.*,client_source_address=127[.].*", true),
            ("client_software_name=.*", false),
            ("client_id=b,client_id=app-1", true),
            ("client_id=b|app-1", true),
        ] {
            assert_eq!(parse(&[("match", patterns)]).unwrap().matches(client), expected, "{patterns}");
        }
        let plain = parse(&[]).unwrap();
        assert_eq!((plain.metrics.len(), plain.interval_ms), (0, 300_000));
        assert_eq!(parse(&[("metrics", "a, b")]).unwrap().metrics, ["a", "b"]);
    }
}
