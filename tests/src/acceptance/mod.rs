//! The acceptance table on the real thing: a `brokerscope serve` process (threads, TCP, files), librdkafka's producers and consumers, faults
//! over its HTTP API, a few rounds of each row.
//!
//! A round founds its topic and clients, brings the row's fault about, heals everything, and judges what clients saw by the campaign's pure
//! checker. `house` is the process, `view` what it says of itself, `recorder` the history, `producer`, `transactor`, `consumer` and `gauge` the
//! clients,
//! `stage` a round and `settle` its end, `files` the replicas on disk, `rows` the faults. Knows the cluster only from outside: its ports and
//! its files.

mod consumer;
mod files;
mod gauge;
mod house;
mod open_transactions;
mod plan;
mod producer;
mod recorder;
mod rows;
mod settle;
mod stage;
mod sum;
mod transactor;
mod view;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::campaign::{Anomaly, Row};

pub use house::House;
pub use sum::{Failure, Sum, play_rounds};

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Wall time.
    pub took: Duration,
    /// Faults injected.
    pub faults: u64,
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Records that were acknowledged and lost where the row allows it.
    pub lost_as_allowed: u64,
    /// Operations of clients.
    pub operations: u64,
    /// From each fault that takes a leader away until records sent after it were acknowledged in all partitions.
    pub writable_after: Vec<Duration>,
    /// What producers and consumers were told, by name.
    pub told: BTreeMap<String, u64>,
    /// What is wrong.
    pub anomalies: Vec<Anomaly>,
    /// What happened, line by line.
    pub diary: Vec<String>,
}

/// How strictly a round is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// By the table.
    ByTable,
    /// As if no row allowed any loss: shows that the checks see a loss.
    ForgiveNothing,
}

/// Plays one round of a row on a cluster that is whole. The seed fixes the plan, not how threads and sockets happen to run.
pub fn play(row: Row, seed: u64, house: &House, judge: Judge) -> Report {
    let start = Instant::now();
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(row.number()) << 56);
    let mut rng = StdRng::seed_from_u64(mixed);
    let scenario = rows::scenario(row);
    let plan = plan::draw(&mut rng, &scenario.wants);
    let mut stage = stage::Stage::new(house, row, plan, rng);
    let ended = stage.open().and_then(|()| (scenario.round)(&mut stage)).and_then(|()| settle::wind_up(&mut stage));
    Report { took: start.elapsed(), ..stage.close(ended, judge) }
}

/// Arguments of the process that a row is played on.
pub fn arguments(row: Row) -> &'static [&'static str] {
    rows::scenario(row).arguments
}
