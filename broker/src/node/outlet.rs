//! A node's way out: reports to whoever watches. Never waits; a full channel delays state and counts lost events.

use std::cell::Cell;

use crossbeam_channel::{Sender, TrySendError};

use crate::metadata::report::{Event, NodeEvent, Report};
use crate::types::{NodeId, Now};

/// See the module.
pub(super) struct Outlet {
    node_id: NodeId,
    reports: Sender<Report>,
    dropped_events: Cell<u64>,
}

impl Outlet {
    pub(super) fn new(node_id: NodeId, reports: Sender<Report>) -> Outlet {
        Outlet { node_id, reports, dropped_events: Cell::new(0) }
    }

    /// Room for a state report now? If not, the change is told later, with the next one.
    pub(super) fn has_room(&self) -> bool {
        !self.reports.is_full()
    }

    /// Publishes state; false if the channel was full after all.
    pub(super) fn state(&self, report: Report) -> bool {
        !matches!(self.reports.try_send(report), Err(TrySendError::Full(_)))
    }

    /// Publishes events in order; what does not fit is counted and told with the next that fits.
    pub(super) fn events(&self, now: Now, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if self.dropped_events.get() > 0 {
                let lost = Event::DroppedEvents { count: self.dropped_events.get() };
                if self.send(now, lost) {
                    self.dropped_events.set(0);
                }
            }
            if !self.send(now, event) {
                self.dropped_events.set(self.dropped_events.get() + 1);
            }
        }
    }

    fn send(&self, now: Now, event: Event) -> bool {
        let report = Report::Event(NodeEvent { node_id: self.node_id, at_ms: now.wall_ms, event });
        !matches!(self.reports.try_send(report), Err(TrySendError::Full(_)))
    }
}
