//! The broker behind its sockets: one file per API, and the state machine that they share. Synchronous throughout.
//!
//! May know everything below it (protocol, metadata, quorum, replica, group). Knows no socket, no thread, no clock and no other broker:
//! what it wants sent lies in an [`context::Outbox`], and time is told to it.

mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod add_raft_voter;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_share_group_offsets;
mod api_log;
pub mod api_versions;
pub mod auto_create;
mod broker;
mod broker_loggers;
pub mod config_changes;
mod connection_usage;
pub mod connections;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod context;
mod coordinator_lines;
mod coordinator_log;
mod coordinator_metrics;
pub mod create_partitions;
pub mod create_topics;
mod current_leader;
#[cfg(test)]
mod data_tests;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_share_group_offsets;
pub mod delete_topics;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_share_group_offsets;
pub mod describe_topic_partitions;
pub mod describe_transactions;
mod dispatch;
pub mod elect_leaders;
pub mod end_txn;
mod endpoints;
pub mod fetch;
pub mod fetch_session;
pub mod find_coordinator;
mod follower_times;
mod forward;
#[cfg(test)]
mod forward_tests;
mod forward_times;
pub mod get_telemetry_subscriptions;
pub mod group_bridge;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod latest_offsets;
pub mod leave_group;
pub mod lifecycle;
mod lifecycle_log;
#[cfg(test)]
mod lines_tests;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod measure;
#[cfg(test)]
mod measure_tests;
mod metadata;
pub mod metadata_follower;
pub mod metadata_metrics;
pub mod metadata_snapshots;
pub mod metrics;
pub mod network_metrics;
pub mod offset_commit;
mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod peer;
pub mod peer_costs;
pub mod peer_requests;
pub mod peer_size;
pub mod peer_times;
pub mod produce;
mod publish_log;
pub mod purgatory;
pub mod push_telemetry;
#[cfg(test)]
mod records_tests;
pub mod remove_raft_voter;
pub mod request_log;
pub mod request_metrics;
pub mod request_times;
pub mod share_acknowledge;
#[cfg(test)]
mod share_bounds_tests;
pub mod share_bridge;
mod share_calls;
#[cfg(test)]
mod share_failover_tests;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;
mod share_limits;
mod share_metrics;
pub mod share_persister;
pub mod share_state_bridge;
#[cfg(test)]
mod share_tests;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod sync_group;
mod throttle;
#[cfg(test)]
mod throttle_tests;
mod topic_metrics;
pub mod trace;
pub mod txn_bridge;
mod txn_markers;
pub mod txn_offset_commit;
pub mod txn_verification;
pub mod unregister_broker;
pub mod update_features;
mod upkeep;
pub mod write_txn_markers;

pub use broker::{Broker, BrokerError};
