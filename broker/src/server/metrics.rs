//! What one broker counts about itself. Plain numbers: the node's thread is the only one that writes them; reports carry them out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::metadata::report::{BrokerCounters, RequestCounters};
use crate::metrics::table::topics as bean;
use crate::metrics::{Collector, Label, Meter};

/// Longest latency that a histogram tells apart: one minute.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Counters of one broker since it started.
#[derive(Default)]
pub struct Metrics {
    counters: BrokerCounters,
    all_topics: TopicTraffic,
    topics: BTreeMap<Arc<str>, TopicTraffic>,
    failed_produce_requests: Meter,
    failed_fetch_requests: Meter,
    apis: BTreeMap<&'static str, ApiTimes>,
}

/// Of one topic, or of all.
#[derive(Default)]
struct TopicTraffic {
    messages_in: Meter,
    bytes_in: Meter,
    bytes_out: Meter,
}

impl TopicTraffic {
    fn collect<const N: usize>(&mut self, out: &mut Collector, labels: &[(&'static str, Label); N]) {
        out.meter(&bean::MESSAGES_IN, labels.clone(), &mut self.messages_in);
        out.meter(&bean::BYTES_IN, labels.clone(), &mut self.bytes_in);
        out.meter(&bean::BYTES_OUT, labels.clone(), &mut self.bytes_out);
    }
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
    /// A client appended records.
    pub fn topic_in(&mut self, topic: &Arc<str>, messages: u64, bytes: u64) {
        self.all_topics.messages_in.mark(messages);
        self.all_topics.bytes_in.mark(bytes);
        let traffic = self.traffic(topic);
        traffic.messages_in.mark(messages);
        traffic.bytes_in.mark(bytes);
    }

    /// A consumer was given record bytes.
    pub fn topic_out(&mut self, topic: &Arc<str>, bytes: u64) {
        self.all_topics.bytes_out.mark(bytes);
        self.traffic(topic).bytes_out.mark(bytes);
    }

    fn traffic(&mut self, topic: &Arc<str>) -> &mut TopicTraffic {
        self.topics.entry(topic.clone()).or_default()
    }

    /// This broker, as a follower, was given record bytes by a leader.
    pub fn replication_in(&mut self, bytes: u64) {
        self.counters.replication_bytes_in += bytes;
    }

    /// This broker, as a leader, gave record bytes to a follower.
    pub fn replication_out(&mut self, bytes: u64) {
        self.counters.replication_bytes_out += bytes;
    }

    /// A Produce request was refused, in whole or in part.
    pub fn failed_produce(&mut self) {
        self.failed_produce_requests.mark(1);
    }

    /// A Fetch request was refused, in whole or in part.
    pub fn failed_fetch(&mut self) {
        self.failed_fetch_requests.mark(1);
    }

    /// A client connected.
    pub fn connected(&mut self) {
        self.counters.connections += 1;
        self.counters.connections_total += 1;
    }

    /// A client's connection ended.
    pub fn disconnected(&mut self) {
        self.counters.connections = self.counters.connections.saturating_sub(1);
    }

    /// This broker, as a leader, proposed smaller or larger ISRs.
    pub fn isr_changes(&mut self, shrinks: u64, expands: u64) {
        self.counters.isr_shrinks += shrinks;
        self.counters.isr_expands += expands;
    }

    /// A request was answered after so long.
    pub fn request(&mut self, api: &'static str, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(LATENCY_MAX_US).clamp(1, LATENCY_MAX_US);
        let times = self.apis.entry(api).or_insert_with(ApiTimes::new);
        times.count += 1;
        times.total_time_us += took_us;
        times.interval.saturating_record(took_us);
    }

    /// Topics that are gone need no counters.
    pub fn forget_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
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
        self.all_topics.collect(out, &[]);
        for (name, traffic) in &mut self.topics {
            traffic.collect(out, &[("topic", name.into())]);
        }
        out.meter(&bean::FAILED_PRODUCE_REQUESTS, [], &mut self.failed_produce_requests);
        out.meter(&bean::FAILED_FETCH_REQUESTS, [], &mut self.failed_fetch_requests);
    }

    /// All counters as they stand.
    pub fn counters(&self) -> BrokerCounters {
        let mut counters = self.counters.clone();
        counters.messages_in = self.all_topics.messages_in.count();
        counters.bytes_in = self.all_topics.bytes_in.count();
        counters.bytes_out = self.all_topics.bytes_out.count();
        counters.failed_produce_requests = self.failed_produce_requests.count();
        counters.failed_fetch_requests = self.failed_fetch_requests.count();
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
        counters.topics = self
            .topics
            .iter()
            .map(|(name, traffic)| {
                (name.clone(), traffic.messages_in.count(), traffic.bytes_in.count(), traffic.bytes_out.count())
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

    #[test]
    fn a_topic_is_counted_alone_and_in_the_sum() {
        let mut metrics = Metrics::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        metrics.topic_in(&a, 2, 100);
        metrics.topic_in(&b, 3, 200);
        metrics.topic_out(&a, 50);
        let counters = metrics.counters();
        assert_eq!((counters.messages_in, counters.bytes_in, counters.bytes_out), (5, 300, 50));
        assert_eq!(counters.topics, vec![(a, 2, 100, 50), (b, 3, 200, 0)]);
    }
}
