//! What the active controller decides: who is a member, who leads, where replicas stand. Pure: a request and the time in; records, an
//! answer and the events that they mean out.
//!
//! It knows the image and nothing of how records are replicated: `node::controller` appends what is decided here, and answers when it is
//! committed.
//!
//! Source: `org.apache.kafka.controller.QuorumController` and the managers under it (`ClusterControlManager`, `BrokerHeartbeatManager`,
//! `ReplicationControlManager`, `ConfigurationControlManager`, `FeatureControlManager`, `ProducerIdControlManager`); KIP-500, KIP-631, KIP-841, KIP-903, KIP-966.

mod alter_configs;
mod alter_partition;
mod assign_directories;
mod balance;
mod bootstrap;
mod client_quotas;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_quorum;
mod elect_leaders;
mod features;
mod heartbeat;
mod leadership;
mod liveness;
mod log_lines;
mod metering;
mod names;
mod partition_change;
mod placement;
mod raft_voters;
mod reassign;
mod rebalance;
mod registration;
mod state;
mod update_features;

#[cfg(test)]
mod admin_tests;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod reassign_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod topic_tests;

pub use alter_configs::{AlterOp, incremental_too_large, legacy_too_large};
pub use client_quotas::client_quotas_refused;
pub use describe_quorum::{QuorumView, describe_quorum};
pub use features::{FEATURES, Feature, supported_features};
pub(crate) use log_lines::{prefix as log_prefix, record as log_record};
pub use names::{check_topic_name, collides, is_internal};
pub use partition_change::{Election, PartitionChange};
pub use placement::{PlacementError, UsableBroker, place};
pub use raft_voters::{CONTROLLER_LISTENER, add_answer, asked_to_add, asked_to_remove, remove_answer, told};
pub use rebalance::{Move, Rebalance, RebalanceProgress, Spread, evacuate, spread};
pub use state::{ControllerState, Decision};
pub use update_features::KRaftFeature;

/// What one request may append: more is refused (Kafka's `MAX_RECORDS_PER_USER_OP`).
pub const MAX_RECORDS_PER_REQUEST: usize = 10_000;
