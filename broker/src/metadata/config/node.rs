//! One node's configuration: who it is, and every broker config, checked once and read by name.
//!
//! Source: `kafka.server.KafkaConfig`, `validateValues` there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::alter::shown_value;
use super::def::{ConfigDef, Update, Value};
use super::table::{broker_defs, broker_index, topic_def};
use super::{ConfigError, RESOURCE_BROKER};
use crate::logging::NodeLog;
use crate::metadata::image::Image;
use crate::types::NodeId;

type Overrides = BTreeMap<String, String>;

const BY_NUMBER: &str = "nodes are numbered from --brokers and --controllers";
const BY_PORT: &str = "use --kafka-port and --bind";
const BY_DIR: &str = "use --data-dir or --ephemeral";

/// Keys that the cluster sets for each of its nodes, and what to use instead.
pub const RESERVED_KEYS: [(&str, &str); 15] = [
    ("advertised.listeners", BY_PORT),
    ("broker.id", BY_NUMBER),
    ("broker.rack", "use --zones"),
    ("controller.listener.names", BY_PORT),
    ("controller.quorum.bootstrap.servers", "use --controllers"),
    ("controller.quorum.voters", "use --controllers"),
    ("inter.broker.listener.name", BY_PORT),
    ("listener.security.protocol.map", BY_PORT),
    ("listeners", BY_PORT),
    ("log.dir", BY_DIR),
    ("log.dirs", BY_DIR),
    ("metadata.log.dir", BY_DIR),
    ("node.id", BY_NUMBER),
    ("process.roles", "brokers and controllers are nodes of their own"),
    ("security.inter.broker.protocol", BY_PORT),
];

/// Configuration of a broker or a controller.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Number of the node.
    pub node_id: NodeId,
    /// Id of its cluster.
    pub cluster_id: String,
    /// `broker.rack`: its zone.
    pub rack: Option<String>,
    /// Advertised host.
    pub host: String,
    /// Advertised port; 0 until it is known, and for controllers.
    pub port: u16,
    /// Where its logs are.
    pub log_dirs: Vec<PathBuf>,
    /// Controllers that vote.
    pub voters: Vec<NodeId>,
    /// All controllers: whom to ask for the quorum's leader where the voters are others by now.
    pub controllers: Vec<NodeId>,
    /// Where its log lines go; nowhere unless it is told.
    pub log: NodeLog,
    overrides: Arc<BTreeMap<String, String>>,
    /// What its file and Kafka's defaults come to.
    file_values: Arc<Vec<Value>>,
    /// What applies: dynamic configs over those.
    values: Arc<Vec<Value>>,
}

impl NodeConfig {
    /// A node with Kafka's defaults under `overrides`. Refuses keys and values that Kafka does not know.
    pub fn new(
        node_id: NodeId,
        cluster_id: impl Into<String>,
        overrides: BTreeMap<String, String>,
    ) -> Result<NodeConfig, ConfigError> {
        let mut values: Vec<Value> = broker_defs().iter().map(ConfigDef::default_value).collect();
        for (key, text) in &overrides {
            if let Some((_, instead)) = RESERVED_KEYS.iter().find(|(reserved, _)| reserved == key) {
                return Err(ConfigError::Reserved { key: key.clone(), instead });
            }
            let index = broker_index(key).ok_or_else(|| unknown(key))?;
            if broker_defs()[index].update == Update::DynamicOnly {
                return Err(ConfigError::Conflict(format!("'{key}' can only be set while the cluster runs")));
            }
            values[index] = broker_defs()[index].parse(text)?;
        }
        let config = NodeConfig {
            node_id,
            cluster_id: cluster_id.into(),
            rack: None,
            host: "127.0.0.1".to_owned(),
            port: 0,
            log_dirs: Vec::new(),
            voters: Vec::new(),
            controllers: Vec::new(),
            log: NodeLog::default(),
            overrides: Arc::new(overrides),
            file_values: Arc::new(values.clone()),
            values: Arc::new(values),
        };
        config.check_together()?;
        config.check_cleaner()?;
        Ok(config)
    }

    /// This node as `image` has it: its own dynamic configs, over those of all brokers, over its file, over Kafka's defaults. To be asked for
    /// anew whenever a config of a broker changes; what was dynamic before is forgotten.
    #[must_use]
    pub fn effective(&self, image: &Image) -> NodeConfig {
        let layer = |name: &str| image.configs.get(&(RESOURCE_BROKER, name.into())).map(AsRef::as_ref);
        self.overlaid(layer(""), layer(&self.node_id.to_string()))
    }

    /// Configs whose values are others than in `before`: key, value there, value here, each as it may be shown.
    pub fn changed_since(&self, before: &NodeConfig) -> Vec<(&'static str, String, String)> {
        let shown = |key: &str, value: &Value| match value.to_text() {
            Some(text) => shown_value(RESOURCE_BROKER, key, &text),
            None => "null".to_owned(),
        };
        let values = before.values.iter().zip(self.values.iter());
        let changed = broker_defs().iter().zip(values).filter(|(_, (before, now))| before != now);
        changed.map(|(def, (before, now))| (def.name, shown(def.name, before), shown(def.name, now))).collect()
    }

    /// With these dynamic configs: of all brokers, and its own. What cannot be set at that level, or does not parse, is passed over.
    pub(super) fn overlaid(&self, of_all: Option<&Overrides>, own: Option<&Overrides>) -> NodeConfig {
        let mut values = (*self.file_values).clone();
        for (layer, is_own) in [(of_all, false), (own, true)] {
            for (key, text) in layer.into_iter().flatten() {
                let Some(index) = broker_index(key) else { continue };
                let def = &broker_defs()[index];
                if def.is_dynamic(is_own)
                    && let Ok(value) = def.parse(text)
                {
                    values[index] = value;
                }
            }
        }
        NodeConfig { values: Arc::new(values), ..self.clone() }
    }

    /// In this zone.
    #[must_use]
    pub fn with_rack(mut self, rack: Option<String>) -> NodeConfig {
        self.rack = rack;
        self
    }

    /// Advertised as `host:port`.
    #[must_use]
    pub fn with_endpoint(mut self, host: impl Into<String>, port: u16) -> NodeConfig {
        self.host = host.into();
        self.port = port;
        self
    }

    /// With these log directories.
    #[must_use]
    pub fn with_log_dirs(mut self, log_dirs: Vec<PathBuf>) -> NodeConfig {
        self.log_dirs = log_dirs;
        self
    }

    /// With these controllers.
    #[must_use]
    pub fn with_voters(mut self, voters: Vec<NodeId>) -> NodeConfig {
        self.voters = voters;
        self
    }

    /// Writing its log lines there.
    #[must_use]
    pub fn with_log(mut self, log: NodeLog) -> NodeConfig {
        self.log = log;
        self
    }

    /// In a cluster with these controllers, whether they vote or not.
    #[must_use]
    pub fn with_controllers(mut self, controllers: Vec<NodeId>) -> NodeConfig {
        self.controllers = controllers;
        self
    }

    /// True for a controller.
    pub fn is_controller(&self) -> bool {
        self.voters.contains(&self.node_id) || self.controllers.contains(&self.node_id)
    }

    /// What was set over Kafka's defaults.
    pub fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// A config's value; [`Value::Null`] where it is neither set nor has a default.
    pub fn value(&self, key: &str) -> &Value {
        match broker_index(key) {
            Some(index) => &self.values[index],
            None => {
                debug_assert!(false, "no broker config is called {key}");
                &Value::Null
            }
        }
    }

    /// A config's value without what is dynamic.
    pub(super) fn file_value(&self, key: &str) -> &Value {
        broker_index(key).map_or(&Value::Null, |index| &self.file_values[index])
    }

    /// A short, int or long; 0 where it is not set.
    pub fn i64(&self, key: &str) -> i64 {
        self.opt_i64(key).unwrap_or(0)
    }

    /// A short or int; 0 where it is not set.
    pub fn i32(&self, key: &str) -> i32 {
        let wide = self.i64(key);
        i32::try_from(wide).unwrap_or(if wide < 0 { i32::MIN } else { i32::MAX })
    }

    /// A short, int or long, if it is set or has a default.
    pub fn opt_i64(&self, key: &str) -> Option<i64> {
        match self.value(key) {
            Value::Int(value) => Some(*value),
            other => {
                debug_assert_eq!(*other, Value::Null, "{key} is no integer");
                None
            }
        }
    }

    /// A count or size; 0 where it is not set or negative.
    pub fn usize(&self, key: &str) -> usize {
        usize::try_from(self.i64(key)).unwrap_or(0)
    }

    /// A time in milliseconds as a duration; zero where it is negative.
    pub fn millis(&self, key: &str) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.i64(key)).unwrap_or(0))
    }

    /// A boolean; false where it is not set.
    pub fn bool(&self, key: &str) -> bool {
        match self.value(key) {
            Value::Bool(value) => *value,
            other => {
                debug_assert_eq!(*other, Value::Null, "{key} is no boolean");
                false
            }
        }
    }

    /// A double; integers are widened.
    pub fn f64(&self, key: &str) -> f64 {
        match self.value(key) {
            Value::Float(value) => *value,
            Value::Int(value) => *value as f64,
            other => {
                debug_assert_eq!(*other, Value::Null, "{key} is no number");
                0.0
            }
        }
    }

    /// A string, class or password; empty where it is not set.
    pub fn str(&self, key: &str) -> &str {
        match self.value(key) {
            Value::Text(value) => value,
            other => {
                debug_assert_eq!(*other, Value::Null, "{key} is no string");
                ""
            }
        }
    }

    /// A list; empty where it is not set.
    pub fn list(&self, key: &str) -> &[String] {
        match self.value(key) {
            Value::List(value) => value,
            other => {
                debug_assert_eq!(*other, Value::Null, "{key} is no list");
                &[]
            }
        }
    }

    /// What a properties file of this node would say: the overrides, and what the cluster sets for each node.
    pub fn static_configs(&self) -> BTreeMap<String, String> {
        let mut all = (*self.overrides).clone();
        let role = if self.is_controller() { "controller" } else { "broker" };
        let listener = if self.is_controller() { "CONTROLLER" } else { "PLAINTEXT" };
        let endpoint = format!("{listener}://{}:{}", self.host, self.port);
        let mut own = |key: &str, value: String| all.insert(key.to_owned(), value);
        own("node.id", self.node_id.to_string());
        own("broker.id", self.node_id.to_string());
        own("process.roles", role.to_owned());
        own("listeners", endpoint.clone());
        own("advertised.listeners", endpoint);
        own("controller.listener.names", "CONTROLLER".to_owned());
        if !self.log_dirs.is_empty() {
            let dirs: Vec<String> = self.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
            own("log.dirs", dirs.join(","));
        }
        if !self.voters.is_empty() {
            // Controllers meet over in-memory links: they have a name, and no port.
            let voters: Vec<String> = self.voters.iter().map(|id| format!("{id}@controller-{id}:0")).collect();
            own("controller.quorum.voters", voters.join(","));
        } else if !self.controllers.is_empty() {
            let servers: Vec<String> = self.controllers.iter().map(|id| format!("controller-{id}:0")).collect();
            own("controller.quorum.bootstrap.servers", servers.join(","));
        }
        if let Some(rack) = &self.rack {
            own("broker.rack", rack.clone());
        }
        all
    }

    /// What Kafka requires of configs taken together.
    pub(super) fn check_together(&self) -> Result<(), ConfigError> {
        let require = |holds: bool, why: &str| {
            if holds { Ok(()) } else { Err(ConfigError::Conflict(why.to_owned())) }
        };
        let le = |a: &str, b: &str, why: &str| {
            require(
                self.i64(a) <= self.i64(b),
                &format!("{a} ({}) must be at most {b} ({}){why}", self.i64(a), self.i64(b)),
            )
        };
        for key in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
            if let Some(value) = self.opt_i64(key) {
                require(value == -1 || value >= 1, &format!("{key} must be unlimited (-1) or 1 or more, not {value}"))?;
            }
        }
        if let Some(value) = self.opt_i64("log.roll.ms") {
            require(value >= 1, &format!("log.roll.ms must be 1 or more, not {value}"))?;
        }
        if let Some(value) = self.opt_i64("log.roll.jitter.ms") {
            require(value >= 0, &format!("log.roll.jitter.ms must be 0 or more, not {value}"))?;
        }
        le("replica.fetch.wait.max.ms", "replica.socket.timeout.ms", ", or followers time out without need")?;
        le("replica.fetch.wait.max.ms", "replica.lag.time.max.ms", ", or the ISR flaps on an idle partition")?;
        let (heartbeat, session) = (self.i64("broker.heartbeat.interval.ms"), self.i64("broker.session.timeout.ms"));
        require(
            heartbeat.saturating_mul(2) <= session,
            &format!(
                "broker.heartbeat.interval.ms ({heartbeat}) must be at most half of broker.session.timeout.ms ({session})"
            ),
        )?;
        let queued = self.i64("queued.max.request.bytes");
        require(
            queued <= 0 || queued >= self.i64("socket.request.max.bytes"),
            "queued.max.request.bytes must be at least socket.request.max.bytes, or -1",
        )?;
        le("group.min.session.timeout.ms", "group.max.session.timeout.ms", "")?;
        le("group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms", "")?;
        le("group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms", "")
    }

    /// Checked at the start only: Kafka takes a dynamic change that breaks it.
    fn check_cleaner(&self) -> Result<(), ConfigError> {
        let (least, most) = ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms");
        if self.i64(least) <= self.i64(most) {
            return Ok(());
        }
        let (low, high) = (self.i64(least), self.i64(most));
        Err(ConfigError::Conflict(format!("{least} ({low}) must be at most {most} ({high})")))
    }
}

fn unknown(key: &str) -> ConfigError {
    let shown: String = key.chars().take(200).collect();
    let hint = match topic_def(key).and_then(|def| def.broker_synonyms.first()) {
        Some(synonym) => format!(": it is a topic config, whose broker-wide default is '{synonym}'"),
        None if topic_def(key).is_some() => ": it is a topic config".to_owned(),
        None => nearest(&shown).map_or_else(String::new, |name| format!("; did you mean '{name}'?")),
    };
    ConfigError::UnknownKey { key: shown, hint }
}

/// The broker config that is at most three edits away.
fn nearest(key: &str) -> Option<&'static str> {
    let best = broker_defs().iter().filter(|def| !def.internal).map(|def| (edits(key, def.name), def.name)).min()?;
    (best.0 <= 3).then_some(best.1)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::config::broker_def;

    fn config(overrides: &[(&str, &str)]) -> Result<NodeConfig, String> {
        let overrides = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        NodeConfig::new(1, "cluster", overrides).map_err(|error| error.to_string())
    }

    #[test]
    fn overrides_win_over_defaults() {
        let config = config(&[("num.partitions", " 4 "), ("auto.create.topics.enable", "FALSE")]).unwrap();
        assert_eq!(config.i32("num.partitions"), 4);
        assert!(!config.bool("auto.create.topics.enable"));
        assert_eq!(config.i64("socket.request.max.bytes"), 104_857_600);
        assert_eq!(config.str("compression.type"), "producer");
        assert_eq!(config.f64("log.cleaner.min.cleanable.ratio"), 0.5);
        assert_eq!(config.list("log.cleanup.policy"), ["delete"]);
        assert_eq!(config.opt_i64("log.retention.ms"), None);
    }

    #[test]
    fn refusals_are_one_clear_sentence() {
        let cases: [(&[(&str, &str)], &str); 9] = [
            (
                &[("num.partition", "4")],
                "'num.partition' is not a broker config of Kafka 4.3; did you mean 'num.partitions'?",
            ),
            (
                &[("retention.ms", "4")],
                "'retention.ms' is not a broker config of Kafka 4.3: it is a topic config, whose broker-wide default is \
                 'log.retention.ms'",
            ),
            (&[("no.such.key.at.all", "4")], "'no.such.key.at.all' is not a broker config of Kafka 4.3"),
            (
                &[("num.partitions", "four")],
                "Invalid value four for configuration num.partitions: Not a number of type INT",
            ),
            (&[("num.partitions", "0")], "Invalid value 0 for configuration num.partitions: Value must be at least 1"),
            (&[("log.dirs", "/x")], "'log.dirs' is set by the cluster itself: use --data-dir or --ephemeral"),
            (
                &[("broker.session.timeout.ms", "500")],
                "broker.heartbeat.interval.ms (2000) must be at most half of broker.session.timeout.ms (500)",
            ),
            (
                &[("replica.lag.time.max.ms", "100")],
                "replica.fetch.wait.max.ms (500) must be at most replica.lag.time.max.ms (100), or the ISR flaps on an \
                 idle partition",
            ),
            (&[("log.retention.hours", "0")], "log.retention.hours must be unlimited (-1) or 1 or more, not 0"),
        ];
        for (overrides, expected) in cases {
            assert_eq!(config(overrides).unwrap_err(), expected);
        }
    }

    #[test]
    fn dynamic_configs_lie_over_the_file() {
        let mut image = Image::default();
        let mut set = |name: &str, entries: &[(&str, &str)]| {
            let entries = entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            image.configs.insert((RESOURCE_BROKER, name.into()), Arc::new(entries));
        };
        set("", &[("message.max.bytes", "7"), ("max.connections", "8"), ("num.partitions", "9"), ("no.such", "1")]);
        set("1", &[("message.max.bytes", "11"), ("leader.replication.throttled.rate", "12")]);
        set("2", &[("message.max.bytes", "13")]);
        let file = config(&[("max.connections", "5"), ("num.partitions", "4")]).unwrap();
        let dynamic = file.effective(&image);
        assert_eq!((dynamic.i64("message.max.bytes"), dynamic.i64("max.connections")), (11, 8));
        assert_eq!(dynamic.i64("leader.replication.throttled.rate"), 12);
        assert_eq!(dynamic.i64("num.partitions"), 4, "read-only");
        assert_eq!(dynamic.overrides()["max.connections"], "5");
        let back = dynamic.effective(&Image::default());
        assert_eq!((back.i64("message.max.bytes"), back.i64("max.connections")), (1_048_588, 5));
    }

    #[test]
    fn reserved_keys_exist() {
        for (key, _) in RESERVED_KEYS {
            assert!(broker_def(key).is_some(), "{key}");
        }
    }

    #[test]
    fn a_node_says_what_its_file_would_say() {
        let node = config(&[("num.partitions", "4")])
            .unwrap()
            .with_endpoint("127.0.0.1", 9092)
            .with_rack(Some("a".into()))
            .with_log_dirs(vec!["/d".into()])
            .with_voters(vec![3000]);
        let file = node.static_configs();
        assert_eq!(file["listeners"], "PLAINTEXT://127.0.0.1:9092");
        assert_eq!(file["num.partitions"], "4");
        for (key, value) in &file {
            assert!(broker_def(key).unwrap().parse(value).is_ok(), "{key}");
        }
    }
}
