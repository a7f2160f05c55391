//! The faults in force: whom they hit, since when, until when, and how they are healed. Pure: it remembers, the desk acts.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::fault::Rot;
use broker::metadata::report::NodeState;
use broker::types::NodeId;

use super::plan::Deed;
use crate::monitor::command::{FaultKind, FaultRequest};
use crate::monitor::names::{node, node_inside, state_word};
use crate::monitor::order::Refusal;
use crate::monitor::snapshot::ActiveFault;

/// How a fault is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healing {
    /// Its nodes are started or resumed.
    Start,
    /// Links are mended.
    Links(u64),
    /// The disk of its node is mended.
    Disk(u64),
    /// The clock of its node is set right.
    Clock,
    /// The bit is flipped back.
    Bit(Rot),
    /// A workload's consumers take so long over each record again.
    Pace(u64, u64),
    /// A workload's consumer starts again.
    Revive(u64, u32),
    /// A workload's producer goes on.
    Wake(u64, u32),
}

/// The faults in force. A node is held down by one of them at most; links, disks and clocks may have several.
#[derive(Debug, Default)]
pub struct Faults {
    active: BTreeMap<u64, (ActiveFault, Healing)>,
    last_id: u64,
}

/// Refuses what the node's state does not allow.
pub fn check_state(deed: &Deed, id: NodeId, state: NodeState) -> Result<(), Refusal> {
    let allowed = match deed {
        Deed::Kill => !matches!(state, NodeState::Stopped | NodeState::Killed),
        Deed::PowerLoss(_) | Deed::CorruptTail(_) => true,
        Deed::Stop => matches!(state, NodeState::Running | NodeState::Paused),
        Deed::Pause => state == NodeState::Running,
    };
    if allowed {
        return Ok(());
    }
    let done = match deed {
        Deed::Stop => "stopped",
        Deed::Pause => "paused",
        Deed::Kill | Deed::PowerLoss(_) | Deed::CorruptTail(_) => "killed",
    };
    Err(Refusal::conflict(format!("{} is {}, so it cannot be {done}.", node(id), state_word(state))))
}

impl Faults {
    /// A fault came into force on these nodes. One that holds nodes down takes the place of what held them before. Its id.
    pub fn add(
        &mut self,
        request: &FaultRequest,
        node_ids: &[NodeId],
        what: String,
        healing: Healing,
        now_ms: i64,
    ) -> u64 {
        if healing == Healing::Start {
            node_ids.iter().for_each(|id| self.release(*id));
        }
        self.last_id += 1;
        let fault = ActiveFault {
            id: self.last_id,
            kind: request.kind.name().into(),
            node_id: node_ids.first().copied().unwrap_or(-1),
            node_ids: node_ids.to_vec(),
            what,
            since_ms: now_ms,
            until_ms: request.duration_ms.map(|duration_ms| now_ms.saturating_add_unsigned(duration_ms)),
            request: Arc::new(request.clone()),
        };
        self.active.insert(self.last_id, (fault, healing));
        self.last_id
    }

    /// The id that the next fault gets.
    pub fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// The fault that holds a node down.
    pub fn holding(&self, node_id: NodeId) -> Option<u64> {
        let holds = |(fault, healing): &&(ActiveFault, Healing)| {
            *healing == Healing::Start && fault.node_ids.contains(&node_id)
        };
        self.active.values().find(holds).map(|(fault, _)| fault.id)
    }

    /// A fault in force: what it does, and how it is ended.
    pub fn get(&self, id: u64) -> Result<(&ActiveFault, Healing), Refusal> {
        let missing = || Refusal::not_found(format!("There is no fault {id} in force."));
        self.active.get(&id).map(|(fault, healing)| (fault, healing.clone())).ok_or_else(missing)
    }

    /// A fault is over.
    pub fn remove(&mut self, id: u64) {
        self.active.remove(&id);
    }

    /// A node runs again: no fault holds it down any more.
    pub fn release(&mut self, node_id: NodeId) {
        self.active.retain(|_, (fault, healing)| {
            if *healing == Healing::Start {
                fault.node_ids.retain(|id| *id != node_id);
                fault.node_id = fault.node_ids.first().copied().unwrap_or(-1);
            }
            *healing != Healing::Start || !fault.node_ids.is_empty()
        });
    }

    /// Faults whose time is over.
    pub fn due(&self, now_ms: i64) -> Vec<u64> {
        let over = |fault: &&ActiveFault| fault.until_ms.is_some_and(|until_ms| until_ms <= now_ms);
        self.active.values().map(|(fault, _)| fault).filter(over).map(|fault| fault.id).collect()
    }

    /// When the next fault ends by itself.
    pub fn next_end_ms(&self) -> Option<i64> {
        self.active.values().filter_map(|(fault, _)| fault.until_ms).min()
    }

    /// All in force, oldest first.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.active.values().map(|(fault, _)| fault.clone()).collect()
    }
}

/// The cause that events carry.
pub fn cause(request: &FaultRequest) -> String {
    let wish = match request.kind {
        FaultKind::Stop => "a stop was asked for".into(),
        FaultKind::ZoneOutage => {
            format!("an outage of zone {} was injected", request.zone.as_deref().unwrap_or_default())
        }
        kind => format!("a {} was injected", kind.name().replace('_', " ")),
    };
    match request.duration_ms {
        None => wish,
        Some(duration_ms) => format!("{wish}, for {duration_ms} ms"),
    }
}

/// What is told to somebody who wants something of a node that is in controlled shutdown.
pub fn still_stopping(id: NodeId) -> Refusal {
    Refusal::conflict(format!(
        "The controlled shutdown of {} is still under way; try again when it has stopped.",
        node_inside(id)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::order::RefusalKind;

    #[test]
    fn states_that_allow_a_fault() {
        use NodeState::{Killed, Paused, Running, Starting, Stopped, Stopping};
        for (deed, allowed) in [
            (Deed::Kill, vec![Starting, Running, Stopping, Paused]),
            (Deed::Stop, vec![Running, Paused]),
            (Deed::Pause, vec![Running]),
            (Deed::PowerLoss(None), vec![Starting, Running, Stopping, Stopped, Killed, Paused]),
        ] {
            for state in [Starting, Running, Stopping, Stopped, Killed, Paused] {
                assert_eq!(check_state(&deed, 1, state).is_ok(), allowed.contains(&state), "{deed:?} {state:?}");
            }
        }
    }

    #[test]
    fn a_node_is_held_by_one_fault_and_time_heals() {
        let mut faults = Faults::default();
        let add = |faults: &mut Faults, kind, ids: &[NodeId], healing, duration_ms, now_ms| {
            let request = FaultRequest { duration_ms, ..FaultRequest::new(kind) };
            faults.add(&request, ids, String::new(), healing, now_ms)
        };
        assert_eq!(add(&mut faults, FaultKind::Pause, &[1], Healing::Start, Some(500), 1000), 1);
        assert_eq!(add(&mut faults, FaultKind::ZoneOutage, &[2, 3], Healing::Start, None, 1000), 2);
        assert_eq!(add(&mut faults, FaultKind::DiskFull, &[1], Healing::Disk(7), None, 1000), 3);
        assert_eq!((faults.due(1499), faults.due(1500)), (vec![], vec![1]));
        assert_eq!(faults.next_end_ms(), Some(1500));
        assert_eq!(add(&mut faults, FaultKind::Kill, &[1], Healing::Start, None, 1200), 4);
        let ids = |faults: &Faults| faults.list().iter().map(|fault| (fault.id, fault.node_id)).collect::<Vec<_>>();
        assert_eq!(ids(&faults), [(2, 2), (3, 1), (4, 1)], "a full disk holds nobody down");
        assert_eq!(faults.get(1).unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(faults.get(3).unwrap().1, Healing::Disk(7));
        faults.release(1);
        faults.release(2);
        assert_eq!(ids(&faults), [(2, 3), (3, 1)]);
        faults.release(3);
        faults.remove(3);
        assert_eq!((faults.list().len(), faults.next_end_ms()), (0, None));
    }
}
