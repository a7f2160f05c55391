//! What is known about the cluster: snapshots, their history, events and statistics.
//!
//! It joins what nodes publish into one immutable [`snapshot::Snapshot`]. Knows nothing of the window, of HTTP or of where reports come from.
//!
//! [`join`], [`cloudwatch`] and their helpers are pure; [`run`] is the one thread that feeds them, and publishes a [`view::View`] in a
//! [`slot::ViewSlot`]; another in [`logs`] keeps the nodes' logs, a third in
//! [`unread_reader`] reads records' timestamps. [`host`] reads the machine.

pub mod client_metrics;
pub mod cloudwatch;
pub mod command;
mod event_links;
pub mod events;
pub mod fact;
pub mod fault;
pub mod files;
mod group_seen;
pub mod groups;
pub mod guide;
pub mod history;
pub mod host;
pub mod inquiry;
pub mod join;
pub mod ledger;
pub mod logs;
pub mod messages;
pub mod names;
pub mod operation;
pub mod order;
pub mod partitioner;
pub mod presets;
pub mod quorum;
pub mod rates;
mod recorded;
pub mod run;
pub mod script;
pub mod series;
pub mod slot;
pub mod snapshot;
pub mod snippets;
pub mod story;
pub mod topics;
pub mod unread;
pub mod unread_reader;
pub mod view;
pub mod wire;
pub mod workload;
pub mod writing;

#[cfg(test)]
mod join_tests;
