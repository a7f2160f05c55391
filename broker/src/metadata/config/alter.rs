//! What a change of dynamic configs must satisfy beyond the type of each value, and what an operation on a list makes of it.
//!
//! Source: `org.apache.kafka.server.config.DynamicBrokerConfig`, `DynamicThreadPool`, `LogCleaner.validateReconfiguration`,
//! `org.apache.kafka.coordinator.group.GroupConfig.validate`; messages as there.

use std::collections::BTreeMap;

use super::def::{ConfigDef, Kind, Update, Value};
use super::node::{NodeConfig, RESERVED_KEYS};
use super::table::{broker_def, client_metrics_defs, group_defs, topic_def};
use super::{ConfigError, RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC};
use crate::metadata::image::Image;

type Configs = BTreeMap<String, String>;

/// Settable for a listener only (`SslConfigs.RECONFIGURABLE_CONFIGS`).
const LISTENER_SECURITY: [&str; 10] = [
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Numbers of threads, which may not more than double or halve at once.
const THREAD_POOLS: [&str; 4] =
    ["background.threads", "num.io.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers"];

/// Longest value shown, in characters.
const SHOWN_MAX: usize = 200;

/// What stands in place of a value that may be a secret.
pub const HIDDEN: &str = "[hidden]";

/// A config's value as it may be shown: what may be a secret is hidden, what is long is cut.
pub fn shown_value(kind: i8, key: &str, value: &str) -> String {
    let is_secret = def_of(kind, key).is_none_or(ConfigDef::sensitive);
    if is_secret { HIDDEN.to_owned() } else { value.chars().take(SHOWN_MAX).collect() }
}

/// The definition of a key of a resource of this type.
pub fn def_of(resource_type: i8, key: &str) -> Option<&'static ConfigDef> {
    match resource_type {
        RESOURCE_TOPIC => topic_def(key),
        RESOURCE_BROKER => broker_def(key),
        RESOURCE_GROUP => group_defs().iter().find(|def| def.name == key),
        RESOURCE_CLIENT_METRICS => client_metrics_defs().iter().find(|def| def.name == key),
        _ => None,
    }
}

/// Whether elements can be appended to and subtracted from a key of a resource of this type.
pub fn is_list(resource_type: i8, key: &str) -> bool {
    def_of(resource_type, key).is_some_and(|def| def.kind == Kind::List)
}

/// A list with these elements appended, as far as it lacks them. Where it is not set, it begins with the default.
pub fn append(resource_type: i8, key: &str, present: Option<&str>, more: &str) -> String {
    let mut list = elements(resource_type, key, present);
    for element in parts(more) {
        if !list.iter().any(|there| there == element) {
            list.push(element.to_owned());
        }
    }
    list.join(",")
}

/// A list without these elements, each taken out once. Where it is not set, it begins with the default.
pub fn subtract(resource_type: i8, key: &str, present: Option<&str>, less: &str) -> String {
    let mut list = elements(resource_type, key, present);
    for element in parts(less) {
        if let Some(index) = list.iter().position(|there| there == element) {
            list.remove(index);
        }
    }
    list.join(",")
}

fn elements(resource_type: i8, key: &str, present: Option<&str>) -> Vec<String> {
    let text = present.or_else(|| def_of(resource_type, key)?.default).unwrap_or("");
    parts(text).filter(|element| !element.is_empty()).map(str::to_owned).collect()
}

/// As Java splits: what is empty at the end does not count.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end_matches(',').split(',')
}

/// Checks what a broker's dynamic configs (or those of all brokers) would be, on `node` as `image` has it. Keys that Kafka does not know
/// pass: plugins may.
pub fn validate_broker_configs(
    configs: &Configs,
    for_one_broker: bool,
    node: &NodeConfig,
    image: &Image,
) -> Result<(), ConfigError> {
    let known: Vec<&ConfigDef> = configs.keys().filter_map(|key| broker_def(key)).collect();
    let refuse = |keys: Vec<&str>, why: &str| {
        if keys.is_empty() { Ok(()) } else { Err(ConfigError::Conflict(format!("{why}: [{}]", keys.join(", ")))) }
    };
    let named = |wanted: &dyn Fn(&ConfigDef) -> bool| {
        known.iter().filter(|def| wanted(def)).map(|def| def.name).collect::<Vec<_>>()
    };
    refuse(named(&|def| !def.is_dynamic(true)), "Cannot update these configs dynamically")?;
    refuse(
        named(&|def| LISTENER_SECURITY.contains(&def.name)),
        "These security configs can be dynamically updated only per-listener using the listener prefix",
    )?;
    for (key, text) in configs {
        if let Some(def) = broker_def(key) {
            def.parse(text)?;
        }
    }
    refuse(
        named(&|def| def.update == Update::PerBroker && !for_one_broker),
        "Cannot update these configs at default cluster level, broker id must be specified",
    )?;
    if let Some((key, instead)) = RESERVED_KEYS.iter().find(|(key, _)| configs.contains_key(*key)) {
        return Err(ConfigError::Reserved { key: (*key).to_owned(), instead });
    }
    let layer = |name: &str| image.configs.get(&(RESOURCE_BROKER, name.into())).map(AsRef::as_ref);
    let own = node.node_id.to_string();
    let after = match for_one_broker {
        true => node.overlaid(layer(""), Some(configs)),
        false => node.overlaid(Some(configs), layer(&own)),
    };
    after.check_together()?;
    check_threads(node, &after)
}

/// Kafka wraps what its parts say against a change in one more exception, whose words these are.
fn reconfiguration(why: &str) -> ConfigError {
    ConfigError::Conflict(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic \
         configuration"
    ))
}

fn check_threads(before: &NodeConfig, after: &NodeConfig) -> Result<(), ConfigError> {
    for key in THREAD_POOLS {
        let (old, new) = (before.i64(key), after.i64(key));
        let failed = format!("Dynamic thread count update validation failed for {key}={new}");
        if new == old {
            continue;
        } else if new <= 0 {
            return Err(reconfiguration(&format!("{failed}, value should be at least 1")));
        } else if new < old / 2 {
            return Err(reconfiguration(&format!("{failed}, value should be at least half the current value {old}")));
        } else if new > old * 2 {
            let why = format!("{failed}, value should not be greater than double the current value {old}");
            return Err(reconfiguration(&why));
        }
    }
    let (old, new) = (before.i64("log.cleaner.threads"), after.i64("log.cleaner.threads"));
    if new < 1 {
        Err(reconfiguration("Log cleaner threads should be at least 1"))
    } else if new < old / 2 {
        let why = format!("Log cleaner threads cannot be reduced to less than half the current value {old}");
        Err(reconfiguration(&why))
    } else if new > old * 2 {
        let why = format!("Log cleaner threads cannot be increased to more than double the current value {old}");
        Err(reconfiguration(&why))
    } else {
        Ok(())
    }
}

/// Bounds of group configs that the brokers set: key, lower bound's key, upper bound's key.
const GROUP_BOUNDS: [(&str, &str, &str); 13] = [
    (
        "share.assignment.interval.ms",
        "group.share.min.assignment.interval.ms",
        "group.share.max.assignment.interval.ms",
    ),
    (
        "streams.assignment.interval.ms",
        "group.streams.min.assignment.interval.ms",
        "group.streams.max.assignment.interval.ms",
    ),
    (
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    ("consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    (
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
    ),
    ("share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    (
        "share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms",
        "group.share.max.record.lock.duration.ms",
    ),
    ("share.delivery.count.limit", "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit"),
    (
        "share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks",
        "group.share.max.partition.max.record.locks",
    ),
    ("streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms"),
    (
        "streams.heartbeat.interval.ms",
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    ("streams.num.standby.replicas", "", "group.streams.max.standby.replicas"),
];

/// Of these, the first must be greater than the second.
const GROUP_ORDER: [(&str, &str); 3] = [
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

/// Checks what a group's configs would be, under the bounds that `node` sets.
pub fn validate_group_configs(configs: &Configs, node: &NodeConfig) -> Result<(), ConfigError> {
    for key in configs.keys() {
        if def_of(RESOURCE_GROUP, key).is_none() {
            let shown: String = key.chars().take(200).collect();
            return Err(ConfigError::Conflict(format!("Unknown group config name: {shown}")));
        }
    }
    for (key, text) in configs {
        if let Some(def) = def_of(RESOURCE_GROUP, key) {
            def.parse(text)?;
        }
    }
    let value = |key: &str| group_value(configs, node, key);
    for (key, lower, upper) in GROUP_BOUNDS {
        // A broker's own default may lie outside of its bounds only for what no group sets.
        let Some(value) = configs.get(key).and_then(|_| value(key)) else { continue };
        if broker_def(lower).is_some() && value < node.i64(lower) {
            return Err(ConfigError::Conflict(format!("{key} must be greater than or equal to {lower}")));
        }
        if broker_def(upper).is_some() && value > node.i64(upper) {
            return Err(ConfigError::Conflict(format!("{key} must be less than or equal to {upper}")));
        }
    }
    for (greater, smaller) in GROUP_ORDER {
        if value(greater).zip(value(smaller)).is_some_and(|(greater, smaller)| greater <= smaller) {
            return Err(ConfigError::Conflict(format!("{greater} must be greater than {smaller}")));
        }
    }
    Ok(())
}

fn group_value(configs: &Configs, node: &NodeConfig, key: &str) -> Option<i64> {
    let def = def_of(RESOURCE_GROUP, key)?;
    let own = configs.get(key).and_then(|text| def.parse(text).ok());
    let inherited = || match def.broker_synonyms.first().filter(|synonym| broker_def(synonym).is_some()) {
        Some(synonym) => node.value(synonym).clone(),
        None => def.default_value(),
    };
    match own.unwrap_or_else(inherited) {
        Value::Int(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    type Entries = &'static [(&'static str, &'static str)];

    fn map(entries: &[(&str, &str)]) -> Configs {
        entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn node(entries: &[(&str, &str)]) -> NodeConfig {
        NodeConfig::new(1, "cluster", map(entries)).unwrap()
    }

    #[test]
    fn lists_grow_and_shrink() {
        let key = "cleanup.policy";
        for (present, more, expected) in [
            (None, "compact", "delete,compact"),
            (Some("compact"), "delete", "compact,delete"),
            (Some("compact"), "compact", "compact"),
            (Some(""), "compact", "compact"),
        ] {
            assert_eq!(append(RESOURCE_TOPIC, key, present, more), expected);
        }
        for (present, less, expected) in [
            (None, "delete", ""),
            (Some("compact,delete"), "delete", "compact"),
            (Some("compact"), "delete", "compact"),
        ] {
            assert_eq!(subtract(RESOURCE_TOPIC, key, present, less), expected);
        }
        assert!(is_list(RESOURCE_TOPIC, key) && !is_list(RESOURCE_TOPIC, "retention.ms"));
        assert!(!is_list(RESOURCE_TOPIC, "no.such") && !is_list(RESOURCE_BROKER, "cleanup.policy"));
    }

    #[test]
    fn broker_configs_in_kafkas_words() {
        let before = "Invalid value org.apache.kafka.common.config.ConfigException: ";
        let behind = " for configuration Invalid dynamic configuration";
        let rows: [(Entries, bool, &str); 9] = [
            (&[("num.partitions", "3")], true, "Cannot update these configs dynamically: [num.partitions]"),
            (
                &[("ssl.keystore.type", "PEM")],
                true,
                "These security configs can be dynamically updated only per-listener using the listener prefix: \
                 [ssl.keystore.type]",
            ),
            (
                &[("log.retention.ms", "x")],
                false,
                "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
            ),
            (
                &[("principal.builder.class", "x")],
                false,
                "Cannot update these configs at default cluster level, broker id must be specified: \
                 [principal.builder.class]",
            ),
            (
                &[("listeners", "PLAINTEXT://:1")],
                true,
                "'listeners' is set by the cluster itself: use --kafka-port and --bind",
            ),
            (&[("log.retention.ms", "0")], false, "log.retention.ms must be unlimited (-1) or 1 or more, not 0"),
            (
                &[("num.io.threads", "17")],
                true,
                "Dynamic thread count update validation failed for num.io.threads=17, value should not be greater than \
                 double the current value 8",
            ),
            (
                &[("num.io.threads", "3")],
                true,
                "Dynamic thread count update validation failed for num.io.threads=3, value should be at least half the \
                 current value 8",
            ),
            (
                &[("log.cleaner.threads", "3")],
                false,
                "Log cleaner threads cannot be increased to more than double the current value 1",
            ),
        ];
        for (configs, for_one, expected) in rows {
            let refused = validate_broker_configs(&map(configs), for_one, &node(&[]), &Image::default());
            let told = refused.unwrap_err().to_string();
            let inner = told.strip_prefix(before).and_then(|told| told.strip_suffix(behind));
            assert_eq!(inner.unwrap_or(&told), expected);
        }
        for configs in [map(&[("no.such.key", "1")]), map(&[("message.max.bytes", "5"), ("max.connections", "9")])] {
            validate_broker_configs(&configs, false, &node(&[]), &Image::default()).unwrap();
        }
    }

    #[test]
    fn broker_configs_are_checked_with_what_is_set_already() {
        let mut image = Image::default();
        image.configs.insert((RESOURCE_BROKER, "1".into()), Arc::new(map(&[("num.io.threads", "16")])));
        let node = node(&[]).effective(&image);
        let more = map(&[("num.io.threads", "32")]);
        validate_broker_configs(&more, true, &node, &image).unwrap();
        validate_broker_configs(&more, false, &node, &image).unwrap();
        let too_many = map(&[("num.io.threads", "33")]);
        assert!(validate_broker_configs(&too_many, true, &node, &image).is_err());
        assert!(validate_broker_configs(&too_many, false, &node, &image).is_ok(), "the broker's own still counts");
    }

    #[test]
    fn group_configs_in_kafkas_words() {
        let rows: [(Entries, &str); 4] = [
            (&[("no.such", "1")], "Unknown group config name: no.such"),
            (
                &[("consumer.session.timeout.ms", "1")],
                "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (
                &[("consumer.heartbeat.interval.ms", "15001")],
                "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
            ),
            (
                &[("consumer.session.timeout.ms", "x")],
                "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT",
            ),
        ];
        for (configs, expected) in rows {
            assert_eq!(validate_group_configs(&map(configs), &node(&[])).unwrap_err().to_string(), expected);
        }
        validate_group_configs(&map(&[("consumer.session.timeout.ms", "50000")]), &node(&[])).unwrap();
        validate_group_configs(&Configs::new(), &node(&[])).unwrap();
        for (key, lower, upper) in GROUP_BOUNDS {
            assert!(def_of(RESOURCE_GROUP, key).is_some(), "{key}");
            assert!(broker_def(upper).is_some() && (lower.is_empty() || broker_def(lower).is_some()), "{key}");
        }
    }
}
