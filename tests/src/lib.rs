//! End to end: what the tests share. A real `brokerscope serve` as a process of its own, its HTTP API, and clients that we did not write.

pub mod acceptance;
pub mod campaign;
pub mod clients;
pub mod conformance;
pub mod live_storm;
pub mod prometheus;
mod requests;
pub mod serve;
pub mod sim;
pub mod versus;
pub mod wait;
