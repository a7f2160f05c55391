//! When something was broken: the bands behind all charts.
//!
//! A snapshot tells the faults that are in force and those that are over, and events tell when nodes were down otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::widgets::chart::Band;
use crate::monitor::snapshot::{ActiveFault, PastFault, Snapshot};
use crate::monitor::view::{EventEntry, Severity};

/// An outage that begins so close to a fault on its node is that fault.
const SAME_MS: i64 = 2_000;

/// All times in which something was broken, as far as is known.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    bands: Arc<Vec<Band>>,
}

impl Faults {
    /// Oldest first.
    pub fn bands(&self) -> &Arc<Vec<Band>> {
        &self.bands
    }

    /// Takes in what is known now.
    pub fn update<'e>(&mut self, snapshot: &Snapshot, events: impl Iterator<Item = &'e EventEntry>) {
        let over = snapshot.past_faults.iter().map(|PastFault { fault, ended_ms }| (fault, Some(*ended_ms)));
        let known: Vec<(&ActiveFault, Option<i64>)> =
            over.chain(snapshot.faults.iter().map(|fault| (fault, None))).collect();
        let is_known = |node_id: i32, band: &Band| {
            known.iter().any(|(fault, until_ms)| {
                fault.node_ids.contains(&node_id)
                    && fault.since_ms - SAME_MS <= band.from_ms
                    && until_ms.is_none_or(|until_ms| band.from_ms <= until_ms)
            })
        };
        let outages = outages(events).into_iter().filter(|(node_id, band)| !is_known(*node_id, band));
        let mut bands: Vec<Band> = outages.map(|(_, band)| band).collect();
        bands.extend(known.iter().map(|(fault, until_ms)| Band {
            name: fault.what.as_str().into(),
            from_ms: fault.since_ms,
            until_ms: *until_ms,
        }));
        bands.sort_by(|one, other| (one.from_ms, &one.name).cmp(&(other.from_ms, &other.name)));
        if bands != *self.bands {
            self.bands = Arc::new(bands);
        }
    }
}

/// From a node's stop, kill or pause to its next state.
fn outages<'e>(events: impl Iterator<Item = &'e EventEntry>) -> Vec<(i32, Band)> {
    let mut bands: Vec<(i32, Band)> = Vec::new();
    let mut open: BTreeMap<i32, usize> = BTreeMap::new();
    for event in events.filter(|event| event.kind == "node_state_changed") {
        if let Some(band) = open.remove(&event.node_id).and_then(|index| bands.get_mut(index)) {
            band.1.until_ms = Some(event.at_ms);
        }
        if event.severity > Severity::Info {
            open.insert(event.node_id, bands.len());
            let name = event.text.trim_end_matches('.').into();
            bands.push((event.node_id, Band { name, from_ms: event.at_ms, until_ms: None }));
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::fact::Fact;
    use crate::monitor::fault::{FaultKind, FaultRequest};
    use crate::ui::fixture;

    fn texts(faults: &Faults) -> Vec<(String, Option<i64>)> {
        faults.bands().iter().map(|band| (band.name.to_string(), band.until_ms)).collect()
    }

    #[test]
    fn faults_are_bands_from_their_start_to_their_end_whoever_looked_meanwhile() {
        let view = fixture::incident();
        let mut snapshot = Snapshot::clone(&view.snapshot);
        let cut = ActiveFault {
            id: 7,
            kind: "cut".into(),
            node_id: 1,
            node_ids: vec![1, 3],
            what: "broker 1 is cut off from broker 3".into(),
            since_ms: snapshot.at_ms - 500_000,
            until_ms: None,
            request: Arc::new(FaultRequest::new(FaultKind::Cut)),
        };
        let ended_ms = snapshot.at_ms - 400_000;
        let name = cut.what.clone();
        snapshot.past_faults = Arc::new([PastFault { fault: cut, ended_ms }].into());
        let mut faults = Faults::default();
        faults.update(&snapshot, std::iter::empty());
        assert_eq!(texts(&faults), [(name, Some(ended_ms)), ("broker 2 is killed".to_owned(), None)]);
        assert!(faults.bands()[0].contains(ended_ms) && !faults.bands()[0].contains(ended_ms + 1));
        assert!(faults.bands()[1].contains(snapshot.at_ms));
    }

    #[test]
    fn events_tell_outages_that_no_fault_tells() {
        let event = |at_ms: i64, node_id: i32, severity: Severity, text: &str| EventEntry {
            event: None,
            because_of: Vec::new(),
            led_to: Vec::new(),
            fact: Fact::Other,
            seq: 0,
            at_ms,
            node_id,
            kind: "node_state_changed",
            severity,
            text: text.into(),
            cause: String::new(),
            subject: String::new(),
        };
        let events = [
            event(1_000, 1, Severity::Critical, "Broker 1 was killed."),
            event(2_000, 2, Severity::Critical, "Broker 2 is paused."),
            event(3_000, 1, Severity::Info, "Broker 1 is starting."),
            event(3_500, 1, Severity::Info, "Broker 1 is running."),
        ];
        let mut snapshot = Snapshot::default();
        let mut faults = Faults::default();
        faults.update(&snapshot, events.iter());
        let both = [("Broker 1 was killed".to_owned(), Some(3_000)), ("Broker 2 is paused".to_owned(), None)];
        assert_eq!(texts(&faults), both);
        snapshot.faults = vec![ActiveFault {
            id: 1,
            kind: "pause".into(),
            node_id: 2,
            node_ids: vec![2],
            what: "broker 2 is paused".into(),
            since_ms: 1_990,
            until_ms: None,
            request: Arc::new(FaultRequest::new(FaultKind::Pause)),
        }];
        faults.update(&snapshot, events.iter());
        assert_eq!(texts(&faults), [both[0].clone(), ("broker 2 is paused".to_owned(), None)]);
    }
}
