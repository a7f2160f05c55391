//! What a topic's config comes to: its own setting, else the broker's dynamic one, else the cluster's dynamic default, else the
//! broker's file, else Kafka's default.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogConfig`.

use std::collections::BTreeMap;

use super::def::{ConfigDef, Value};
use super::node::NodeConfig;
use super::table::{broker_def, topic_def, topic_defs};
use super::{ConfigError, RESOURCE_BROKER, RESOURCE_TOPIC};
use crate::metadata::image::Image;

/// `cleanup.policy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleanupPolicy {
    /// Old segments are deleted.
    pub delete: bool,
    /// Only the last record of each key is kept.
    pub compact: bool,
}

/// A topic's config, typed.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `compression.type`.
    pub compression_type: String,
    /// `compression.gzip.level`.
    pub compression_gzip_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `follower.replication.throttled.replicas`: `*`, or `partition:broker` each.
    pub follower_throttled_replicas: Vec<String>,
    /// `leader.replication.throttled.replicas`: `*`, or `partition:broker` each.
    pub leader_throttled_replicas: Vec<String>,
    /// `flush.messages`.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`.
    pub max_message_bytes: i32,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `preallocate`.
    pub preallocate: bool,
    /// `retention.bytes`; -1 is no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 is no limit.
    pub retention_ms: i64,
    /// `segment.bytes`.
    pub segment_bytes: i32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
}

type Overrides = BTreeMap<String, String>;

/// Where a topic's values come from, the topic's own first.
struct Layers<'a> {
    topic: Option<&'a Overrides>,
    broker: Option<&'a Overrides>,
    cluster: Option<&'a Overrides>,
    node: &'a NodeConfig,
    /// The node's dynamic configs count as it knows them, not as the layers say.
    as_the_node: bool,
}

impl TopicConfig {
    /// The config of a topic with these overrides, on a node that knows its dynamic configs ([`NodeConfig::effective`]).
    pub fn resolve(topic_overrides: Option<&BTreeMap<String, String>>, node: &NodeConfig) -> TopicConfig {
        Layers { topic: topic_overrides, broker: None, cluster: None, node, as_the_node: true }.resolve()
    }

    /// The config of `topic` on `node` as `image` has it.
    pub fn resolve_in(image: &Image, topic: &str, node: &NodeConfig) -> TopicConfig {
        Layers::of(image, topic, node).resolve()
    }

    /// The value of one topic config as text, as `image` has it for `topic` on `node`.
    pub fn text_in(image: &Image, topic: &str, node: &NodeConfig, key: &str) -> Option<String> {
        Layers::of(image, topic, node).value(key).to_text()
    }

    /// The values of all topic configs, as `image` has them for `topic` on `node`.
    pub fn values_in(image: &Image, topic: &str, node: &NodeConfig) -> Vec<(&'static ConfigDef, Value)> {
        let layers = Layers::of(image, topic, node);
        topic_defs().iter().map(|def| (def, layers.value(def.name))).collect()
    }
}

impl<'a> Layers<'a> {
    fn of(image: &'a Image, topic: &str, node: &'a NodeConfig) -> Layers<'a> {
        let configs = |kind: i8, name: &str| image.configs.get(&(kind, name.into())).map(AsRef::as_ref);
        Layers {
            topic: configs(RESOURCE_TOPIC, topic),
            broker: configs(RESOURCE_BROKER, &node.node_id.to_string()),
            cluster: configs(RESOURCE_BROKER, ""),
            node,
            as_the_node: false,
        }
    }

    /// Values that do not parse are passed over: they were checked before they came into the image.
    fn value(&self, key: &str) -> Value {
        let Some(def) = topic_def(key) else {
            debug_assert!(false, "no topic config is called {key}");
            return Value::Null;
        };
        if let Some(value) = self.topic.and_then(|own| own.get(key)).and_then(|text| def.parse(text).ok()) {
            return value;
        }
        for synonym in def.broker_synonyms {
            let value = self.broker_value(synonym);
            if value != Value::Null {
                return scaled(synonym, value);
            }
        }
        def.default_value()
    }

    fn broker_value(&self, key: &str) -> Value {
        if self.as_the_node {
            return self.node.value(key).clone();
        }
        let dynamic = [self.broker, self.cluster].into_iter().flatten().find_map(|layer| layer.get(key));
        let parsed = dynamic.and_then(|text| broker_def(key).filter(|def| def.is_dynamic(true))?.parse(text).ok());
        parsed.unwrap_or_else(|| self.node.file_value(key).clone())
    }

    fn i64(&self, key: &str) -> i64 {
        if let Value::Int(value) = self.value(key) { value } else { 0 }
    }

    fn i32(&self, key: &str) -> i32 {
        i32::try_from(self.i64(key)).unwrap_or(i32::MAX)
    }

    fn signed(&self, key: &str) -> i32 {
        i32::try_from(self.i64(key)).unwrap_or(0)
    }

    fn f64(&self, key: &str) -> f64 {
        if let Value::Float(value) = self.value(key) { value } else { 0.0 }
    }

    fn bool(&self, key: &str) -> bool {
        self.value(key) == Value::Bool(true)
    }

    fn list(&self, key: &str) -> Vec<String> {
        if let Value::List(list) = self.value(key) { list } else { Vec::new() }
    }

    fn text(&self, key: &str) -> String {
        self.value(key).to_text().unwrap_or_default()
    }

    /// `internal.segment.bytes` goes before, so that tests may have smaller segments than `segment.bytes` allows (`LogConfig.segmentSize`).
    fn segment_bytes(&self) -> i32 {
        match self.i32("internal.segment.bytes") {
            internal if internal > 0 => internal,
            _ => self.i32("segment.bytes"),
        }
    }

    fn cleanup_policy(&self) -> CleanupPolicy {
        let Value::List(list) = self.value("cleanup.policy") else { return CleanupPolicy::default() };
        let has = |name: &str| list.iter().any(|item| item == name);
        CleanupPolicy { delete: has("delete"), compact: has("compact") }
    }

    fn resolve(&self) -> TopicConfig {
        TopicConfig {
            cleanup_policy: self.cleanup_policy(),
            compression_type: self.text("compression.type"),
            compression_gzip_level: self.signed("compression.gzip.level"),
            compression_zstd_level: self.signed("compression.zstd.level"),
            delete_retention_ms: self.i64("delete.retention.ms"),
            file_delete_delay_ms: self.i64("file.delete.delay.ms"),
            follower_throttled_replicas: self.list("follower.replication.throttled.replicas"),
            leader_throttled_replicas: self.list("leader.replication.throttled.replicas"),
            flush_messages: self.i64("flush.messages"),
            flush_ms: self.i64("flush.ms"),
            index_interval_bytes: self.i32("index.interval.bytes"),
            max_compaction_lag_ms: self.i64("max.compaction.lag.ms"),
            max_message_bytes: self.i32("max.message.bytes"),
            message_timestamp_after_max_ms: self.i64("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: self.i64("message.timestamp.before.max.ms"),
            log_append_time: self.text("message.timestamp.type") == "LogAppendTime",
            min_cleanable_dirty_ratio: self.f64("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: self.i64("min.compaction.lag.ms"),
            min_insync_replicas: self.i32("min.insync.replicas"),
            preallocate: self.bool("preallocate"),
            retention_bytes: self.i64("retention.bytes"),
            retention_ms: self.i64("retention.ms"),
            segment_bytes: self.segment_bytes(),
            segment_index_bytes: self.i32("segment.index.bytes"),
            segment_jitter_ms: self.i64("segment.jitter.ms"),
            segment_ms: self.i64("segment.ms"),
            unclean_leader_election_enable: self.bool("unclean.leader.election.enable"),
        }
    }
}

/// Topic configs count in milliseconds where some of their broker synonyms count in minutes or hours.
fn scaled(broker_key: &str, value: Value) -> Value {
    let unit_ms = match broker_key.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        _ => return value,
    };
    match value {
        Value::Int(count) if count >= 0 => Value::Int(count.saturating_mul(unit_ms)),
        other => other,
    }
}

/// Checks one topic config, with Kafka's words for what is wrong.
pub fn validate_topic_config(key: &str, value: &str) -> Result<(), ConfigError> {
    let def = topic_def(key).ok_or_else(|| ConfigError::UnknownTopicKey(key.chars().take(200).collect()))?;
    def.parse(value).map(|_| ())
}

/// Checks a topic's configs, each and together.
pub fn validate_topic_configs<'a>(
    configs: impl IntoIterator<Item = (&'a str, &'a str)>,
    node: &NodeConfig,
) -> Result<(), ConfigError> {
    let mut overrides = BTreeMap::new();
    for (key, value) in configs {
        validate_topic_config(key, value)?;
        overrides.insert(key.to_owned(), value.to_owned());
    }
    let config = TopicConfig::resolve(Some(&overrides), node);
    if config.min_compaction_lag_ms > config.max_compaction_lag_ms {
        return Err(ConfigError::Conflict(format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            config.min_compaction_lag_ms, config.max_compaction_lag_ms
        )));
    }
    let remote = |key: &str| overrides.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if remote("remote.storage.enable") {
        let why = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
        return Err(ConfigError::Conflict(why.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn map(entries: &[(&str, &str)]) -> Overrides {
        entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn node(entries: &[(&str, &str)]) -> NodeConfig {
        NodeConfig::new(1, "cluster", map(entries)).unwrap()
    }

    #[test]
    fn kafkas_defaults() {
        let config = TopicConfig::resolve(None, &node(&[]));
        assert_eq!(config.retention_ms, 604_800_000);
        assert_eq!(config.segment_ms, 604_800_000);
        assert_eq!(config.flush_ms, i64::MAX);
        assert_eq!(config.max_message_bytes, 1_048_588);
        assert_eq!(config.min_insync_replicas, 1);
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: false });
        assert!(!config.log_append_time && !config.unclean_leader_election_enable && !config.preallocate);
    }

    #[test]
    fn small_segments_for_tests() {
        let config = |entries: &[(&str, &str)]| TopicConfig::resolve(Some(&map(entries)), &node(&[])).segment_bytes;
        assert_eq!(config(&[]), 1 << 30);
        assert_eq!(config(&[("segment.bytes", "1048576")]), 1 << 20);
        assert_eq!(config(&[("segment.bytes", "1048576"), ("internal.segment.bytes", "4096")]), 4096);
    }

    #[test]
    fn layers_in_order() {
        let node = node(&[("log.retention.minutes", "2"), ("log.retention.hours", "1"), ("min.insync.replicas", "2")]);
        assert_eq!(TopicConfig::resolve(None, &node).retention_ms, 120_000);
        let mut image = Image::default();
        let mut set = |kind, name: &str, entries| {
            image.configs.insert((kind, name.into()), Arc::new(map(entries)));
        };
        set(RESOURCE_BROKER, "", &[("log.retention.ms", "7"), ("min.insync.replicas", "3"), ("log.roll.ms", "11")]);
        set(RESOURCE_BROKER, "1", &[("log.retention.ms", "8")]);
        set(RESOURCE_BROKER, "2", &[("log.retention.ms", "9")]);
        set(RESOURCE_TOPIC, "t", &[("min.insync.replicas", "1"), ("cleanup.policy", "compact,delete")]);
        let config = TopicConfig::resolve_in(&image, "t", &node);
        assert_eq!((config.retention_ms, config.min_insync_replicas, config.segment_ms), (8, 1, 11));
        assert_eq!(config.cleanup_policy, CleanupPolicy { delete: true, compact: true });
        assert_eq!(TopicConfig::resolve_in(&image, "u", &node).min_insync_replicas, 3);
    }

    /// Each row was put to Kafka 4.3's `LogConfig.validate`.
    #[test]
    fn refusals_are_in_kafkas_words() {
        let rows = [
            ("foo", "1", "Unknown topic config name: foo"),
            ("retention.ms", "abc", "Invalid value abc for configuration retention.ms: Not a number of type LONG"),
            ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
            ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
            ("segment.bytes", "5", "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576"),
            (
                "segment.bytes",
                "99999999999",
                "Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT",
            ),
            (
                "cleanup.policy",
                "foo",
                "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "compression.type",
                "foo",
                "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, \
                 snappy, gzip, producer",
            ),
            (
                "preallocate",
                "1",
                "Invalid value 1 for configuration preallocate: Expected value to be either true or false",
            ),
            (
                "min.cleanable.dirty.ratio",
                "2",
                "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
            ),
            (
                "compression.gzip.level",
                "0",
                "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
            (
                "compression.zstd.level",
                "23",
                "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22",
            ),
            (
                "leader.replication.throttled.replicas",
                "x",
                "Invalid value [x] for configuration leader.replication.throttled.replicas: \
                 leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following \
                 format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
        ];
        for (key, value, expected) in rows {
            assert_eq!(validate_topic_config(key, value).unwrap_err().to_string(), expected);
        }
        for (key, value) in [
            ("retention.ms", " 5 "),
            ("cleanup.policy", ""),
            ("cleanup.policy", "delete,delete"),
            ("preallocate", " TRUE "),
            ("leader.replication.throttled.replicas", "0:1,1:2"),
            ("leader.replication.throttled.replicas", "*"),
            ("max.message.bytes", "+5"),
            ("min.cleanable.dirty.ratio", ".5"),
        ] {
            validate_topic_config(key, value).unwrap();
        }
        let conflict = [("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")];
        assert_eq!(
            validate_topic_configs(conflict, &node(&[])).unwrap_err().to_string(),
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
        );
    }
}
