//! Rates from counters that only grow, and that start again at zero with each incarnation of a broker.

use std::collections::HashMap;
use std::sync::Arc;

use broker::metadata::report::{BrokerCounters, RequestCounters};
use broker::types::{Id, Now};

use super::snapshot::Rates;

/// A node's own clock is believed for the length of an interval only within these bounds (ms); beyond them it was set.
const BELIEVABLE_INTERVAL_MS: std::ops::RangeInclusive<i64> = 200..=3000;

/// The rates of one broker, measured from tick to tick.
#[derive(Debug, Default)]
pub struct Meter {
    base: Option<Base>,
    /// Rates over the last interval.
    pub rates: Rates,
    /// Records and bytes per second of each topic that had traffic in the last interval.
    pub topics: HashMap<Arc<str>, (f64, f64)>,
}

/// Where the counters stood at the last tick.
#[derive(Debug)]
struct Base {
    incarnation: Id,
    now: Now,
    /// The node's clock when it told these counters, or ours if it has been silent since.
    at_ms: i64,
    messages_in: u64,
    bytes_in: u64,
    bytes_out: u64,
    replication_in: u64,
    replication_out: u64,
    requests: u64,
    produce_requests: u64,
    fetch_requests: u64,
    topics: HashMap<Arc<str>, (u64, u64)>,
}

/// What a broker told last.
pub struct Reading<'a> {
    /// Its incarnation.
    pub incarnation: Id,
    /// Its clock.
    pub at_ms: i64,
    /// Its counters.
    pub counters: &'a BrokerCounters,
    /// Whether it told anything since the last tick.
    pub fresh: bool,
}

/// Latencies of API `api`, if it was used since `count_before`.
fn latency_ms(counters: &BrokerCounters, api: &str, count_before: u64) -> (f64, f64) {
    match counters.requests.iter().find(|request| request.api == api) {
        Some(request) if request.count > count_before => {
            (request.p50_us as f64 / 1000.0, request.p99_us as f64 / 1000.0)
        }
        _ => (0.0, 0.0),
    }
}

/// How often API `api` was answered since the broker started.
pub fn request_count(counters: &BrokerCounters, api: &str) -> u64 {
    counters.requests.iter().find(|request| request.api == api).map_or(0, |request| request.count)
}

impl Meter {
    /// Ends an interval. Returns whether any rate changed.
    pub fn tick(&mut self, now: Now, reading: &Reading<'_>) -> bool {
        let counters = reading.counters;
        let before = self.base.take();
        // A new incarnation began at zero, some time after the last tick.
        let same = before.as_ref().filter(|base| base.incarnation == reading.incarnation);
        let (rates, topics) = match &before {
            Some(base) if reading.fresh => {
                let seconds = interval_s(base, same.is_some(), now, reading.at_ms);
                (rates(same, counters, seconds), topic_rates(same, counters, seconds))
            }
            _ => (Rates::default(), HashMap::new()),
        };
        self.base = Some(Base {
            incarnation: reading.incarnation,
            now,
            at_ms: if reading.fresh { reading.at_ms } else { now.wall_ms },
            messages_in: counters.messages_in,
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            replication_in: counters.replication_bytes_in,
            replication_out: counters.replication_bytes_out,
            requests: counters.requests.iter().map(|request| request.count).sum(),
            produce_requests: request_count(counters, "Produce"),
            fetch_requests: request_count(counters, "FetchConsumer"),
            topics: match before {
                Some(base) if !reading.fresh => base.topics,
                _ => counters
                    .topics
                    .iter()
                    .map(|(name, messages, bytes, _)| (name.clone(), (*messages, *bytes)))
                    .collect(),
            },
        });
        let changed = rates != self.rates || topics != self.topics;
        self.rates = rates;
        self.topics = topics;
        changed
    }

    /// The broker is not at work: nothing flows. Returns whether that is news.
    pub fn stop(&mut self) -> bool {
        let changed = self.rates != Rates::default() || !self.topics.is_empty();
        self.rates = Rates::default();
        self.topics.clear();
        changed
    }
}

fn interval_s(base: &Base, same_incarnation: bool, now: Now, at_ms: i64) -> f64 {
    let by_node_ms = at_ms - base.at_ms;
    if same_incarnation && BELIEVABLE_INTERVAL_MS.contains(&by_node_ms) {
        return by_node_ms as f64 / 1000.0;
    }
    now.mono.saturating_sub(base.now.mono).as_secs_f64().max(0.001)
}

fn rates(base: Option<&Base>, counters: &BrokerCounters, seconds: f64) -> Rates {
    let per_s = |count: u64, before: fn(&Base) -> u64| count.saturating_sub(base.map_or(0, before)) as f64 / seconds;
    let requests = counters.requests.iter().map(|request: &RequestCounters| request.count).sum();
    let (produce_p50_ms, produce_p99_ms) =
        latency_ms(counters, "Produce", base.map_or(0, |base| base.produce_requests));
    let (fetch_p50_ms, fetch_p99_ms) =
        latency_ms(counters, "FetchConsumer", base.map_or(0, |base| base.fetch_requests));
    Rates {
        messages_in_per_s: per_s(counters.messages_in, |base| base.messages_in),
        bytes_in_per_s: per_s(counters.bytes_in, |base| base.bytes_in),
        bytes_out_per_s: per_s(counters.bytes_out, |base| base.bytes_out),
        replication_in_per_s: per_s(counters.replication_bytes_in, |base| base.replication_in),
        replication_out_per_s: per_s(counters.replication_bytes_out, |base| base.replication_out),
        requests_per_s: per_s(requests, |base| base.requests),
        produce_p50_ms,
        produce_p99_ms,
        fetch_p50_ms,
        fetch_p99_ms,
    }
}

fn topic_rates(base: Option<&Base>, counters: &BrokerCounters, seconds: f64) -> HashMap<Arc<str>, (f64, f64)> {
    let mut rates = HashMap::new();
    for (name, messages, bytes, _) in &counters.topics {
        let (messages_before, bytes_before) = base.and_then(|base| base.topics.get(name)).copied().unwrap_or_default();
        let grown = (messages.saturating_sub(messages_before), bytes.saturating_sub(bytes_before));
        if grown != (0, 0) {
            rates.insert(name.clone(), (grown.0 as f64 / seconds, grown.1 as f64 / seconds));
        }
    }
    rates
}

/// Sums; latencies do not add up, so the worst stands for all.
pub fn sum<'a>(rates: impl Iterator<Item = &'a Rates>) -> Rates {
    rates.fold(Rates::default(), |sum, one| Rates {
        messages_in_per_s: sum.messages_in_per_s + one.messages_in_per_s,
        bytes_in_per_s: sum.bytes_in_per_s + one.bytes_in_per_s,
        bytes_out_per_s: sum.bytes_out_per_s + one.bytes_out_per_s,
        replication_in_per_s: sum.replication_in_per_s + one.replication_in_per_s,
        replication_out_per_s: sum.replication_out_per_s + one.replication_out_per_s,
        requests_per_s: sum.requests_per_s + one.requests_per_s,
        produce_p50_ms: sum.produce_p50_ms.max(one.produce_p50_ms),
        produce_p99_ms: sum.produce_p99_ms.max(one.produce_p99_ms),
        fetch_p50_ms: sum.fetch_p50_ms.max(one.fetch_p50_ms),
        fetch_p99_ms: sum.fetch_p99_ms.max(one.fetch_p99_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: i64) -> Now {
        Now { mono: Duration::from_millis(ms as u64), wall_ms: 1_000_000 + ms }
    }

    fn counters(messages_in: u64, produce_count: u64) -> BrokerCounters {
        BrokerCounters {
            messages_in,
            bytes_in: messages_in * 10,
            requests: vec![RequestCounters {
                api: "Produce",
                count: produce_count,
                p50_us: 1500,
                p99_us: 9000,
                ..RequestCounters::default()
            }],
            topics: vec![("t".into(), messages_in, messages_in * 10, 0)],
            ..BrokerCounters::default()
        }
    }

    /// Each row: (our clock, the node's clock, incarnation, messages in, fresh) → messages per second.
    fn run(rows: &[(i64, i64, u8, u64, bool, f64)]) {
        let mut meter = Meter::default();
        for (ms, node_ms, incarnation, messages, fresh, expected) in rows {
            let counters = counters(*messages, *messages);
            let reading = Reading {
                incarnation: Id([*incarnation; 16]),
                at_ms: 1_000_000 + node_ms,
                counters: &counters,
                fresh: *fresh,
            };
            meter.tick(at(*ms), &reading);
            assert_eq!(meter.rates.messages_in_per_s, *expected, "at {ms} of {rows:?}");
            assert_eq!(meter.topics.get("t").map_or(0.0, |rates| rates.1), expected * 10.0);
        }
    }

    #[test]
    fn the_first_reading_gives_no_rate() {
        run(&[(1000, 1000, 1, 5000, true, 0.0), (2000, 2000, 1, 6000, true, 1000.0)]);
    }

    #[test]
    fn the_nodes_clock_measures_the_interval_unless_it_jumps() {
        run(&[
            (1000, 990, 1, 0, true, 0.0),
            (2000, 1490, 1, 1000, true, 2000.0),
            (3000, 900_000, 1, 2000, true, 1000.0),
            (4000, 3900, 1, 3000, true, 1000.0),
        ]);
    }

    #[test]
    fn silence_is_zero_and_does_not_dilute_what_follows() {
        run(&[
            (1000, 1000, 1, 100, true, 0.0),
            (2000, 1000, 1, 100, false, 0.0),
            (9000, 1000, 1, 100, false, 0.0),
            (10_000, 10_000, 1, 600, true, 500.0),
        ]);
    }

    #[test]
    fn a_new_incarnation_starts_at_zero() {
        run(&[
            (1000, 1000, 1, 100_000, true, 0.0),
            (2000, 2000, 2, 300, true, 300.0),
            (3000, 3000, 2, 500, true, 200.0),
        ]);
    }

    #[test]
    fn latencies_are_zero_without_requests() {
        let mut meter = Meter::default();
        for (ms, produced, expected) in [(1000, 5, 0.0), (2000, 6, 1.5), (3000, 6, 0.0)] {
            let counters = counters(1, produced);
            let reading = Reading { incarnation: Id([1; 16]), at_ms: ms, counters: &counters, fresh: true };
            meter.tick(at(ms), &reading);
            assert_eq!(meter.rates.produce_p50_ms, expected, "at {ms}");
        }
    }
}
