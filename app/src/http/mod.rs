//! The HTTP side: `/metrics` for Prometheus, the JSON API for scripts (design.md, section 10), CloudWatch's API for its clients.
//!
//! Knows the monitor's view and hands in commands; nothing of the cluster, the window or how commands are carried out.
//! Its one thread has a runtime of its own: a slow scrape holds up nobody else.

pub mod api;
pub mod changes;
pub mod client_metrics;
pub mod cloudwatch;
pub mod connections;
pub mod export;
pub mod groups;
pub mod guard;
pub mod history;
pub mod ledger;
pub mod logs;
pub mod metrics;
pub mod monitoring;
pub mod problem;
pub mod scrapes;
pub mod scripts;
pub mod server;
pub mod stories;

#[cfg(test)]
mod tests;

pub use server::{HttpServer, Sources};
