//! Every config key of Kafka 4.3: what it is, which value it takes, and what a node and a topic make of it. Pure: reads no file and
//! knows no other room; the image it resolves dynamic configs from is data.

mod alter;
mod client_metrics;
mod def;
mod docs;
mod node;
mod profile;
mod properties;
mod settings;
mod table;
mod topic;

pub use alter::{
    HIDDEN, append, def_of, is_list, shown_value, subtract, validate_broker_configs, validate_group_configs,
};
pub use client_metrics::{ClientMetricsConfig, ClientMetricsConfigError, Selector};
pub use def::{Check, ConfigDef, Importance, Kind, Update, Value};
pub use node::{NodeConfig, RESERVED_KEYS};
pub use profile::{PROFILES, cap_replication, profile_overrides};
pub use properties::{parse_assignment, parse_properties};
pub use settings::{NodeSettings, all_without_secrets, without_secrets};
pub use table::{broker_def, broker_defs, client_metrics_defs, group_defs, topic_def, topic_defs};
pub use topic::{CleanupPolicy, TopicConfig, validate_topic_config, validate_topic_configs};

/// `ConfigResource.Type` of a topic, as in [`crate::metadata::image::Image::configs`].
pub const RESOURCE_TOPIC: i8 = 2;
/// `ConfigResource.Type` of a broker; the empty name is the default of all brokers.
pub const RESOURCE_BROKER: i8 = 4;
/// `ConfigResource.Type` of a broker's loggers.
pub const RESOURCE_BROKER_LOGGER: i8 = 8;
/// `ConfigResource.Type` of a client metrics subscription.
pub const RESOURCE_CLIENT_METRICS: i8 = 16;
/// `ConfigResource.Type` of a group.
pub const RESOURCE_GROUP: i8 = 32;

/// What is wrong with a config, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value has the wrong type, or is out of bounds.
    #[error("Invalid value {value} for configuration {key}: {why}")]
    Invalid {
        /// Key.
        key: String,
        /// What was given.
        value: String,
        /// What is expected.
        why: String,
    },
    /// No broker config of this name.
    #[error("'{key}' is not a broker config of Kafka 4.3{hint}")]
    UnknownKey {
        /// Key.
        key: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// No topic config of this name.
    #[error("Unknown topic config name: {0}")]
    UnknownTopicKey(String),
    /// Set by the program itself.
    #[error("'{key}' is set by the cluster itself: {instead}")]
    Reserved {
        /// Key.
        key: String,
        /// What to use.
        instead: &'static str,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Conflict(String),
    /// Text that is no `KEY=VALUE`, or a broken line of a properties file.
    #[error("{0}")]
    Syntax(String),
    /// No profile of this name.
    #[error("'{0}' is not a profile: lab, kafka and msk are")]
    UnknownProfile(String),
}
