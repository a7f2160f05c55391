//! When something was broken: the bands behind all charts.
//!
//! A snapshot tells the faults that are in force, and events tell when nodes were down. Faults that are over are remembered here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::widgets::chart::Band;
use crate::monitor::snapshot::{ActiveFault, Snapshot};
use crate::monitor::view::{EventEntry, Severity};

/// How many faults that are over are remembered.
const REMEMBERED: usize = 200;

/// An outage that begins so close to a fault on its node is that fault.
const SAME_MS: i64 = 2_000;

/// All times in which something was broken, as far as is known.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    active: BTreeMap<u64, ActiveFault>,
    over: VecDeque<(ActiveFault, i64)>,
    bands: Arc<Vec<Band>>,
}

impl Faults {
    /// Oldest first.
    pub fn bands(&self) -> &Arc<Vec<Band>> {
        &self.bands
    }

    /// Takes in what is known now.
    pub fn update<'e>(&mut self, snapshot: &Snapshot, events: impl Iterator<Item = &'e EventEntry>) {
        let now: BTreeMap<u64, ActiveFault> = snapshot.faults.iter().map(|fault| (fault.id, fault.clone())).collect();
        for (id, fault) in std::mem::take(&mut self.active) {
            if !now.contains_key(&id) {
                let until_ms = fault.until_ms.map_or(snapshot.at_ms, |until_ms| until_ms.min(snapshot.at_ms));
                self.over.push_back((fault, until_ms));
            }
        }
        while self.over.len() > REMEMBERED {
            self.over.pop_front();
        }
        self.active = now;
        let over = self.over.iter().map(|(fault, until_ms)| (fault, Some(*until_ms)));
        let known: Vec<(&ActiveFault, Option<i64>)> =
            over.chain(self.active.values().map(|fault| (fault, None))).collect();
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
    use crate::ui::fixture;

    fn texts(faults: &Faults) -> Vec<(String, Option<i64>)> {
        faults.bands().iter().map(|band| (band.name.to_string(), band.until_ms)).collect()
    }

    #[test]
    fn a_fault_that_is_over_is_remembered_with_its_end() {
        let view = fixture::incident();
        let mut snapshot = Snapshot::clone(&view.snapshot);
        let mut faults = Faults::default();
        faults.update(&snapshot, std::iter::empty());
        assert_eq!(texts(&faults), [("broker 2 is killed".to_owned(), None)]);
        assert!(faults.bands()[0].contains(snapshot.at_ms));
        snapshot.faults.clear();
        snapshot.at_ms += 500;
        faults.update(&snapshot, std::iter::empty());
        assert_eq!(texts(&faults), [("broker 2 is killed".to_owned(), Some(snapshot.at_ms))]);
        assert!(!faults.bands()[0].contains(snapshot.at_ms + 1));
    }

    #[test]
    fn events_tell_outages_that_no_fault_tells() {
        let event = |at_ms: i64, node_id: i32, severity: Severity, text: &str| EventEntry {
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
        }];
        faults.update(&snapshot, events.iter());
        assert_eq!(texts(&faults), [both[0].clone(), ("broker 2 is paused".to_owned(), None)]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut snapshot = Snapshot::clone(&fixture::incident().snapshot);
        let mut faults = Faults::default();
        for id in 0..2 * REMEMBERED as u64 {
            snapshot.faults[0].id = id;
            faults.update(&snapshot, std::iter::empty());
        }
        assert_eq!(faults.bands().len(), REMEMBERED + 1);
    }
}
