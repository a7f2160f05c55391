//! Brokerscope: the window, the headless mode and the HTTP API on a cluster that runs inside (crate `broker`).
//!
//! Imports run one way: `monitor` knows no other room; `ui` knows `monitor` only; `client`, `workload` and `http` know `monitor`;
//! `source` knows these and `client`; `cli` and `program` put them together.

pub mod monitor;

pub mod client;

pub mod source;

pub mod workload;

pub mod http;

pub mod ui;

pub mod cli;

pub mod program;
