//! How long clients' requests wait until they are sent to the active controller, and then for its answer.
//!
//! Source: `org.apache.kafka.server.metrics.ForwardingManagerMetrics`, `kafka.server.ForwardingManagerImpl`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::table::quotas as bean;
use crate::metrics::{Bean, Collector, Histogram};

/// Where one is.
#[derive(Clone, Copy, Debug)]
struct Stage {
    entered: Duration,
    /// For the last time.
    sent: Option<Duration>,
}

/// See the module. All times are of the clock that the node tells.
#[derive(Debug)]
pub struct ForwardTimes {
    /// By the number of the request to the controller; no more than may be forwarded at once.
    open: BTreeMap<u64, Stage>,
    queued: Histogram,
    remote: Histogram,
}

impl Default for ForwardTimes {
    fn default() -> ForwardTimes {
        ForwardTimes { open: BTreeMap::new(), queued: Histogram::millis(), remote: Histogram::millis() }
    }
}

impl ForwardTimes {
    /// A client's request came; it was sent then, or there is no controller yet.
    pub(super) fn entered(&mut self, number: u64, now: Duration, sent: Option<Duration>) {
        self.open.insert(number, Stage { entered: now, sent });
    }

    /// It was sent, perhaps again.
    pub(super) fn sent(&mut self, number: u64, now: Duration) {
        if let Some(stage) = self.open.get_mut(&number) {
            stage.sent = Some(now);
        }
    }

    /// It was answered. As with Kafka, the attempts before the last belong to the time that it waited to be sent.
    pub(super) fn answered(&mut self, number: u64, now: Duration) {
        let Some(stage) = self.open.remove(&number) else { return };
        let sent = stage.sent.unwrap_or(now);
        self.queued.record_time(sent.saturating_sub(stage.entered));
        self.remote.record_time(now.saturating_sub(sent));
    }

    /// No controller answered it in time.
    pub(super) fn gave_up(&mut self, number: u64, now: Duration) {
        let Some(stage) = self.open.remove(&number) else { return };
        self.queued.record_time(now.saturating_sub(stage.entered));
    }

    /// Tells its series.
    pub(super) fn collect(&mut self, out: &mut Collector) {
        percentiles(out, &mut self.queued, [&bean::FORWARDING_QUEUE_TIME_P99, &bean::FORWARDING_QUEUE_TIME_P999]);
        percentiles(out, &mut self.remote, [&bean::FORWARDING_REMOTE_TIME_P99, &bean::FORWARDING_REMOTE_TIME_P999]);
    }
}

/// Nothing has no percentile.
fn percentiles(out: &mut Collector, times: &mut Histogram, [p99, p999]: [&'static Bean; 2]) {
    let reading = times.read(out.now().mono);
    let [.., of_99, of_999] = match reading.count {
        0 => [f64::NAN; 6],
        _ => reading.quantiles,
    };
    out.value(p99, [], of_99);
    out.value(p999, [], of_999);
}
