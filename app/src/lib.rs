//! Brokerscope: the window, the headless mode and the HTTP API on a cluster that runs inside (crate `broker`).
//!
//! Imports run one way: `monitor` knows no other room; `ui` knows `monitor` only; `ledger`, `client` and `http` know `monitor`;
//! `workload` knows `ledger` too; `source` knows these and `client`; `cli` and `program` put them together.

pub mod monitor;

pub mod ledger;

pub mod client;

pub mod source;

pub mod workload;

pub mod http;

pub mod ui;

pub mod cli;

pub mod program;
