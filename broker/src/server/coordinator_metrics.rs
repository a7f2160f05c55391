//! How long it takes a coordinator to load its partitions, to work on a request, to write, and to see committed what it wrote.
//!
//! Source: `org.apache.kafka.coordinator.common.runtime.CoordinatorRuntimeMetricsImpl`; KIP-848, KIP-1052.

use std::time::Duration;

use crate::metrics::table::CoordinatorBeans;
use crate::metrics::{Bean, Collector, Histogram, Windowed};

/// The instruments of one coordinator.
#[derive(Debug)]
pub(super) struct CoordinatorTimes {
    /// Milliseconds.
    loads: Windowed,
    processing: Histogram,
    purgatory: Histogram,
    flush: Histogram,
    flushes: Windowed,
}

impl Default for CoordinatorTimes {
    fn default() -> CoordinatorTimes {
        CoordinatorTimes {
            loads: Windowed::default(),
            processing: Histogram::millis(),
            purgatory: Histogram::millis(),
            flush: Histogram::millis(),
            flushes: Windowed::default(),
        }
    }
}

impl CoordinatorTimes {
    /// A partition is loaded.
    pub(super) fn loaded(&mut self, took: Duration) {
        self.loads.record(took.as_secs_f64() * 1_000.0);
    }

    /// A request was worked on.
    pub(super) fn processed(&mut self, took: Duration) {
        self.processing.record_time(took);
    }

    /// A batch was written.
    pub(super) fn flushed(&mut self, took: Duration) {
        self.flush.record_time(took);
        self.flushes.once();
    }

    /// What was written is committed.
    pub(super) fn committed(&mut self, took: Duration) {
        self.purgatory.record_time(took);
    }

    /// Tells its series. `loading`, `active`, `failed`: partitions.
    pub(super) fn collect(
        &mut self,
        out: &mut Collector,
        beans: &CoordinatorBeans,
        (loading, active, failed): (usize, usize, usize),
    ) {
        self.flushes.turn(out.now().mono);
        out.value(beans.flush_rate, [], self.flushes.rate());
        for (state, count) in [("loading", loading), ("active", active), ("failed", failed)] {
            out.count(beans.partitions, [("state", state.into())], count as u64);
        }
        quantiles(out, &beans.processing, &mut self.processing);
        quantiles(out, &beans.purgatory, &mut self.purgatory);
        quantiles(out, &beans.flush, &mut self.flush);
        self.collect_loads(out, beans.load);
    }

    /// Only how long loading takes: mean and longest.
    pub(super) fn collect_loads(&mut self, out: &mut Collector, [average, longest]: [&'static Bean; 2]) {
        self.loads.turn(out.now().mono);
        out.value(average, [], self.loads.average());
        out.value(longest, [], self.loads.max());
    }
}

/// Max, p50, p95, p99, p999.
fn quantiles(out: &mut Collector, beans: &[&'static Bean; 5], times: &mut Histogram) {
    let reading = times.read(out.now().mono);
    let [p50, _, p95, _, p99, p999] = reading.quantiles;
    for (bean, value) in beans.iter().zip([reading.max, p50, p95, p99, p999]) {
        out.value(bean, [], value);
    }
}
