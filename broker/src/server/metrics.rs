//! What one broker counts about itself. Plain numbers: the node's thread is the only one that writes them; reports carry them out.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::topic_metrics::TopicMetrics;
use crate::metadata::report::{BrokerCounters, RequestCounters};
use crate::metrics::Collector;

/// Longest latency that a histogram tells apart: one minute.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Counters of one broker since it started.
#[derive(Default)]
pub struct Metrics {
    /// Of topics.
    pub topics: TopicMetrics,
    counters: BrokerCounters,
    apis: BTreeMap<&'static str, ApiTimes>,
}

struct ApiTimes {
    count: u64,
    total_time_us: u64,
    /// Since the last report that carried percentiles.
    interval: Histogram<u32>,
    last: (u64, u64, u64),
}

impl ApiTimes {
    fn new() -> ApiTimes {
        // Two significant digits keep a histogram at some 10 KB; bounds are constants, so that creation cannot fail.
        #[expect(clippy::unwrap_used, reason = "1 < 60,000,000 and 2 digits are valid bounds")]
        let interval = Histogram::new_with_bounds(1, LATENCY_MAX_US, 2).unwrap();
        ApiTimes { count: 0, total_time_us: 0, interval, last: (0, 0, 0) }
    }
}

impl Metrics {
    /// A client connected.
    pub fn connected(&mut self) {
        self.counters.connections += 1;
        self.counters.connections_total += 1;
    }

    /// A client's connection ended.
    pub fn disconnected(&mut self) {
        self.counters.connections = self.counters.connections.saturating_sub(1);
    }

    /// A request was answered after so long.
    pub fn request(&mut self, api: &'static str, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(LATENCY_MAX_US).clamp(1, LATENCY_MAX_US);
        let times = self.apis.entry(api).or_insert_with(ApiTimes::new);
        times.count += 1;
        times.total_time_us += took_us;
        times.interval.saturating_record(took_us);
    }

    /// Closes the interval over which percentiles are taken; called about once a second.
    pub fn roll_interval(&mut self) {
        for times in self.apis.values_mut() {
            times.last = match times.interval.len() {
                0 => (0, 0, 0),
                _ => (
                    times.interval.value_at_quantile(0.5),
                    times.interval.value_at_quantile(0.99),
                    times.interval.max(),
                ),
            };
            times.interval.reset();
        }
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.topics.collect(out);
    }

    /// All counters as they stand.
    pub fn counters(&self) -> BrokerCounters {
        let mut counters = self.counters.clone();
        self.topics.counters(&mut counters);
        counters.requests = self
            .apis
            .iter()
            .map(|(api, times)| RequestCounters {
                api,
                count: times.count,
                total_time_us: times.total_time_us,
                p50_us: times.last.0,
                p99_us: times.last.1,
                max_us: times.last.2,
            })
            .collect();
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_interval() {
        let mut metrics = Metrics::default();
        for ms in 1..=100 {
            metrics.request("Produce", Duration::from_millis(ms));
        }
        metrics.roll_interval();
        let produce = metrics.counters().requests[0].clone();
        assert_eq!((produce.api, produce.count), ("Produce", 100));
        assert!((49_000..=51_500).contains(&produce.p50_us), "{produce:?}");
        assert!((98_000..=101_000).contains(&produce.p99_us), "{produce:?}");
        metrics.roll_interval();
        let quiet = metrics.counters().requests[0].clone();
        assert_eq!((quiet.count, quiet.p50_us, quiet.p99_us), (100, 0, 0));
    }
}
