//! What is known about the cluster: snapshots, their history, events and statistics.
//!
//! It joins what nodes publish into one immutable [`snapshot::Snapshot`]. Knows nothing of the window, of HTTP or of where reports come from.

pub mod command;
pub mod snapshot;
pub mod view;
