//! Changes to workloads on their way: one at a time of each workload, and of what was set meanwhile only the last value follows. So a slider
//! acts at once and floods nobody.
//!
//! Pure: it is told what is set, what is seen of the workload and the time, and says what to send.

use std::collections::BTreeMap;

use crate::monitor::workload::{WorkloadChange, WorkloadSpec};

/// Without a sign of it after so long, a change was refused or lost, and the next may go.
const PATIENCE_S: f64 = 3.0;
/// Workloads of which changes are kept; there are never more.
const WORKLOADS_MAX: usize = 64;

/// Changes on their way, by workload.
#[derive(Debug, Default)]
pub struct Outbox(BTreeMap<u64, Ways>);

/// Of one workload.
#[derive(Debug, Default)]
struct Ways {
    /// Sent, and not seen in the workload yet; since when.
    flying: Option<(WorkloadChange, f64)>,
    /// To be sent after that.
    next: WorkloadChange,
}

impl Outbox {
    /// Somebody sets fields of a workload.
    pub fn put(&mut self, id: u64, change: WorkloadChange) {
        if self.0.len() >= WORKLOADS_MAX && !self.0.contains_key(&id) {
            self.0.pop_first();
        }
        self.0.entry(id).or_default().next.0.extend(change.0);
    }

    /// How the workload is to be, as far as anybody said: what controls show.
    pub fn wished(&self, id: u64, spec: &WorkloadSpec) -> WorkloadSpec {
        let Some(ways) = self.0.get(&id) else { return spec.clone() };
        let flying = ways.flying.as_ref().map(|(change, _)| change);
        // A change that makes no sense was refused, and is not shown.
        flying
            .into_iter()
            .chain(Some(&ways.next))
            .fold(spec.clone(), |spec, change| spec.changed(change).unwrap_or(spec))
    }

    /// What is to be sent now, given how the workload is seen.
    pub fn turn(&mut self, id: u64, spec: &WorkloadSpec, now_s: f64) -> Option<WorkloadChange> {
        let ways = self.0.get_mut(&id)?;
        let is_over = |(change, since_s): &(WorkloadChange, f64)| {
            now_s - since_s >= PATIENCE_S || spec.changed(change).is_ok_and(|changed| changed == *spec)
        };
        ways.flying = ways.flying.take().filter(|flying| !is_over(flying));
        if ways.flying.is_some() {
            return None;
        }
        let next = std::mem::take(&mut ways.next);
        if next.0.is_empty() {
            self.0.remove(&id);
            return None;
        }
        ways.flying = Some((next.clone(), now_s));
        Some(next)
    }

    /// Whether something is on its way.
    pub fn is_busy(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: u64) -> WorkloadChange {
        WorkloadChange::of("rate_per_s", rate)
    }

    #[test]
    fn one_change_flies_and_the_last_one_follows() {
        let (mut outbox, spec) = (Outbox::default(), WorkloadSpec::default());
        outbox.put(1, rate(2_000));
        assert_eq!(outbox.turn(1, &spec, 0.0), Some(rate(2_000)));
        (2_001..2_100).for_each(|step| outbox.put(1, rate(step)));
        assert_eq!(outbox.turn(1, &spec, 0.1), None, "one is on its way");
        assert_eq!(outbox.wished(1, &spec).rate_per_s, 2_099, "the thumb stays under the pointer");
        let seen = WorkloadSpec { rate_per_s: 2_000, ..spec };
        assert_eq!(outbox.turn(1, &seen, 0.2), Some(rate(2_099)), "the last wins");
        let seen = WorkloadSpec { rate_per_s: 2_099, ..seen };
        assert_eq!(outbox.turn(1, &seen, 0.3), None);
        assert!(!outbox.is_busy());
    }

    #[test]
    fn a_change_that_was_refused_does_not_hold_up_the_next() {
        let (mut outbox, spec) = (Outbox::default(), WorkloadSpec::default());
        outbox.put(1, WorkloadChange::of("keys", 0));
        assert!(outbox.turn(1, &spec, 0.0).is_some());
        outbox.put(1, rate(5));
        assert_eq!(outbox.turn(1, &spec, 2.0), None);
        assert_eq!(outbox.turn(1, &spec, PATIENCE_S), Some(rate(5)));
        assert_eq!(outbox.turn(1, &spec, 2.0 * PATIENCE_S), None);
        assert_eq!(outbox.wished(1, &spec), spec);
    }

    #[test]
    fn fields_add_up_and_workloads_have_ways_of_their_own() {
        let (mut outbox, spec) = (Outbox::default(), WorkloadSpec::default());
        outbox.put(1, rate(5));
        outbox.put(1, WorkloadChange::of("linger_ms", 7));
        outbox.put(2, rate(6));
        assert_eq!(outbox.turn(1, &spec, 0.0), Some(rate(5).and("linger_ms", 7)));
        assert_eq!(outbox.turn(2, &spec, 0.0), Some(rate(6)));
        (3..1_000).for_each(|id| outbox.put(id, rate(1)));
        assert!(outbox.0.len() <= WORKLOADS_MAX);
    }
}
