//! What a controller measures, once a second.

use super::controller::Controller;
use crate::metrics::table::raft as bean;
use crate::metrics::{Collector, MetricsReport};
use crate::types::Now;

impl Controller {
    /// What was measured, if a second has passed since the last time.
    pub fn metrics_report(&mut self, now: Now) -> Option<MetricsReport> {
        let mut out = self.rounds.begin(now)?;
        self.collect_quorum(&mut out);
        Some(out.finish(self.config.node_id, self.incarnation))
    }

    fn collect_quorum(&self, out: &mut Collector) {
        out.value(&bean::LOG_END_OFFSET, [], self.quorum.log_end_offset() as f64);
        out.value(&bean::HIGH_WATERMARK, [], self.quorum.high_watermark() as f64);
    }
}
