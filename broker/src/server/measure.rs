//! Once a second: a broker's components tell what they measured.

use super::broker::Broker;
use crate::metrics::MetricsReport;
use crate::types::Now;

/// What was measured, if a second has passed since the last time.
pub(super) fn report(broker: &mut Broker, now: Now) -> Option<MetricsReport> {
    let mut out = broker.rounds.begin(now)?;
    broker.metrics.collect(&mut out);
    broker.replicas.collect(&mut out, &broker.image);
    broker.metadata.collect(&mut out, &broker.image);
    Some(out.finish(broker.config.node_id, broker.incarnation))
}
