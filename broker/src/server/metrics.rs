//! What one broker counts about itself. Plain numbers: the node's thread is the only one that writes them; reports carry them out.

use super::network_metrics::NetworkMetrics;
use super::request_metrics::RequestMetrics;
use super::topic_metrics::TopicMetrics;
use crate::metadata::report::BrokerCounters;
use crate::metrics::Collector;

/// Instruments of one broker since it started.
#[derive(Default)]
pub struct Metrics {
    /// Of topics.
    pub topics: TopicMetrics,
    /// Of requests.
    pub requests: RequestMetrics,
    /// Of connections.
    pub network: NetworkMetrics,
}

impl Metrics {
    /// Closes the interval over which percentiles are taken; called about once a second.
    pub fn roll_interval(&mut self) {
        self.requests.roll_interval();
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.topics.collect(out);
        self.requests.collect(out);
    }

    /// What the window shows of it.
    pub fn counters(&self) -> BrokerCounters {
        let mut counters = BrokerCounters::default();
        self.topics.counters(&mut counters);
        counters.requests = self.requests.counters();
        (counters.connections, counters.connections_total) = self.network.connections();
        counters
    }
}
