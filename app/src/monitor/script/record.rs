//! A script of what was done by hand.

use super::{STEPS_MAX, Script, Step};
use crate::monitor::snapshot::{ActiveFault, Snapshot};

/// What was broken since the start, as far as it is remembered, with the times that it lasted: the first of them begins at once. What is
/// still in force lasts, in the script, until it is healed.
pub fn recorded(snapshot: &Snapshot) -> Script {
    let over = snapshot.past_faults.iter().map(|past| (&past.fault, Some(past.ended_ms)));
    let mut all: Vec<(&ActiveFault, Option<i64>)> =
        over.chain(snapshot.faults.iter().map(|fault| (fault, None))).collect();
    all.sort_by_key(|(fault, _)| (fault.since_ms, fault.id));
    // The newest are kept, as they are in the history.
    all.drain(..all.len().saturating_sub(STEPS_MAX));
    let first_ms = all.first().map_or(0, |(fault, _)| fault.since_ms);
    let step = |(fault, ended_ms): (&ActiveFault, Option<i64>)| {
        let lasted = |ended_ms: i64| u64::try_from(ended_ms - fault.since_ms).unwrap_or(0).max(1);
        let mut request = (*fault.request).clone();
        request.duration_ms = ended_ms.map(lasted).or(request.duration_ms);
        Step { at_ms: u64::try_from(fault.since_ms - first_ms).unwrap_or(0), fault: request }
    };
    Script { name: "What was done".into(), steps: all.into_iter().map(step).collect(), ..Script::new() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::monitor::fault::{FaultKind, FaultRequest};
    use crate::monitor::snapshot::PastFault;

    #[test]
    fn what_was_done_becomes_steps_with_their_times() {
        let fault = |id, kind, since_ms, duration_ms| {
            let request = FaultRequest { broker: Some(1), duration_ms, ..FaultRequest::new(kind) };
            ActiveFault {
                id,
                kind: kind.name().into(),
                node_id: 1,
                node_ids: vec![1],
                what: String::new(),
                since_ms,
                until_ms: None,
                request: Arc::new(request),
            }
        };
        let past = PastFault { fault: fault(2, FaultKind::Pause, 5_000, None), ended_ms: 7_500 };
        let early = PastFault { fault: fault(1, FaultKind::Kill, 4_000, Some(9_000)), ended_ms: 9_000 };
        let snapshot = Snapshot {
            past_faults: Arc::new([past, early].into()),
            faults: vec![fault(3, FaultKind::DiskFull, 8_000, Some(60_000))],
            ..Snapshot::default()
        };
        let script = recorded(&snapshot);
        let steps: Vec<_> =
            script.steps.iter().map(|step| (step.at_ms, step.fault.kind, step.fault.duration_ms)).collect();
        let expected = [
            (0, FaultKind::Kill, Some(5_000)),
            (1_000, FaultKind::Pause, Some(2_500)),
            (4_000, FaultKind::DiskFull, Some(60_000)),
        ];
        assert_eq!(steps, expected);
        assert_eq!(Script::from_yaml(&script.to_yaml().unwrap()).unwrap(), script);
        assert!(recorded(&Snapshot::default()).check().is_err(), "there is nothing to repeat");
    }
}
