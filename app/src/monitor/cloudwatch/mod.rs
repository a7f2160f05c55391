//! The CloudWatch room: a store of metrics, the catalogue of MSK's metrics that feeds it, and alarms on them.
//!
//! Pure: snapshots, nodes' reports, a look at the machine and the time go in, an immutable view and alarms' changes come out. It knows the rest of
//! the monitor and the crate `broker`, and nothing of HTTP or the window. What CloudWatch's API looks like is known to `http` alone.
//!
//! The store is the monitor's and not the cluster's: while nodes are down their data points are missing, and what was kept stays.

pub mod advice;
pub mod alarm;
pub mod alarms;
pub mod catalog;
pub mod math;
pub mod measure;
pub mod memory;
mod model;
pub mod sketch;
pub mod statistics;
pub mod store;
pub mod time;
mod track;
pub mod watch;

#[cfg(test)]
mod catalog_tests;
#[cfg(test)]
mod measure_tests;
