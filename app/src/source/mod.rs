//! Where snapshots come from, and who carries out commands: the embedded cluster.
//!
//! Knows the monitor's words, the cluster and its client; nothing of the window, of HTTP or of how workloads are made.

pub mod brokers;
pub mod control;
pub mod desk;
mod desk_faults;
mod desk_scripts;
pub mod embedded;
mod export;
#[cfg(test)]
mod fake_nodes;
pub mod faults;
pub mod files;
pub mod ledger;
mod ledger_export;
pub mod operations;
pub mod plan;
mod quorum_log;
pub mod reader;
pub mod scripts;
mod tape;
pub mod topics;

#[cfg(test)]
mod brokers_tests;
#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod scripts_tests;
#[cfg(test)]
mod trace_tests;
