//! Where snapshots come from, and who carries out commands: the embedded cluster.
//!
//! Knows the monitor's words and the cluster; nothing of the window, of HTTP or of how workloads are made.

pub mod control;
pub mod desk;
pub mod embedded;
pub mod faults;
pub mod topics;

#[cfg(test)]
mod desk_tests;
