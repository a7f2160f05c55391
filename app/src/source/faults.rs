//! The faults in force: which node, since when, until when. Pure: it decides, the desk acts.

use std::collections::BTreeMap;

use broker::metadata::report::NodeState;
use broker::types::NodeId;

use crate::monitor::command::{FaultKind, FaultRequest};
use crate::monitor::names::{node, node_inside};
use crate::monitor::order::Refusal;
use crate::monitor::snapshot::ActiveFault;

/// Longest duration of a fault: a week. More is a slip of the hand.
const DURATION_MAX_MS: u64 = 7 * 24 * 3600 * 1000;

/// The faults in force, at most one on each node.
#[derive(Debug, Default)]
pub struct Faults {
    active: BTreeMap<u64, ActiveFault>,
    last_id: u64,
}

/// Which node a request is about.
pub fn target(request: &FaultRequest, node_ids: &[NodeId]) -> Result<NodeId, Refusal> {
    use crate::monitor::names::is_controller;
    if request.duration_ms.is_some_and(|duration_ms| duration_ms == 0 || duration_ms > DURATION_MAX_MS) {
        return Err(Refusal::invalid(format!("duration_ms must be between 1 and {DURATION_MAX_MS}.")));
    }
    match (request.broker, request.controller) {
        (Some(_), Some(_)) => Err(Refusal::invalid("Name a broker or a controller, not both.")),
        (None, None) => Err(Refusal::invalid("Name the broker or the controller that the fault is to hit.")),
        (Some(id), None) if !is_controller(id) && node_ids.contains(&id) => Ok(id),
        (Some(id), None) => Err(Refusal::not_found(format!("There is no broker {id}."))),
        (None, Some(id)) if is_controller(id) && node_ids.contains(&id) => Ok(id),
        (None, Some(id)) => Err(Refusal::not_found(format!("There is no controller {id}."))),
    }
}

/// Refuses a fault that the node's state does not allow.
pub fn check_state(kind: FaultKind, id: NodeId, state: NodeState) -> Result<(), Refusal> {
    let allowed = match kind {
        FaultKind::Kill => !matches!(state, NodeState::Stopped | NodeState::Killed),
        FaultKind::Stop => matches!(state, NodeState::Running | NodeState::Paused),
        FaultKind::Pause => state == NodeState::Running,
    };
    if allowed {
        return Ok(());
    }
    Err(Refusal::conflict(format!("{} is {}, so it cannot be {}.", node(id), state_name(state), done(kind))))
}

/// `running`, `stopped`, …
pub fn state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::Stopping => "stopping",
        NodeState::Stopped => "stopped",
        NodeState::Killed => "killed",
        NodeState::Paused => "paused",
    }
}

/// `stopped`, `killed`, `paused`.
pub fn done(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Stop => "stopped",
        FaultKind::Kill => "killed",
        FaultKind::Pause => "paused",
    }
}

fn name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Stop => "stop",
        FaultKind::Kill => "kill",
        FaultKind::Pause => "pause",
    }
}

impl Faults {
    /// A fault came into force; it takes the place of one that held the node before. Its id.
    pub fn add(&mut self, request: &FaultRequest, node_id: NodeId, now_ms: i64) -> u64 {
        self.release(node_id);
        self.last_id += 1;
        let until_ms = request.duration_ms.map(|duration_ms| now_ms.saturating_add_unsigned(duration_ms));
        let kind = name(request.kind).into();
        self.active.insert(self.last_id, ActiveFault { id: self.last_id, kind, node_id, since_ms: now_ms, until_ms });
        self.last_id
    }

    /// Which node a fault holds.
    pub fn node(&self, id: u64) -> Result<NodeId, Refusal> {
        let missing = || Refusal::not_found(format!("There is no fault {id} in force."));
        self.active.get(&id).map(|fault| fault.node_id).ok_or_else(missing)
    }

    /// A node runs again: no fault holds it any more.
    pub fn release(&mut self, node_id: NodeId) {
        self.active.retain(|_, fault| fault.node_id != node_id);
    }

    /// Nodes whose fault is over.
    pub fn due(&self, now_ms: i64) -> Vec<NodeId> {
        self.active
            .values()
            .filter(|fault| fault.until_ms.is_some_and(|until_ms| until_ms <= now_ms))
            .map(|fault| fault.node_id)
            .collect()
    }

    /// When the next fault ends by itself.
    pub fn next_end_ms(&self) -> Option<i64> {
        self.active.values().filter_map(|fault| fault.until_ms).min()
    }

    /// All in force, oldest first.
    pub fn list(&self) -> Vec<ActiveFault> {
        self.active.values().cloned().collect()
    }
}

/// The cause that events carry.
pub fn cause(request: &FaultRequest) -> String {
    let wish = match request.kind {
        FaultKind::Stop => "a stop was asked for",
        FaultKind::Kill => "a kill was injected",
        FaultKind::Pause => "a pause was injected",
    };
    match request.duration_ms {
        None => wish.into(),
        Some(duration_ms) => format!("{wish}, for {duration_ms} ms"),
    }
}

/// What a fault that came into force is said to have done.
pub fn said(kind: FaultKind, id: NodeId) -> String {
    match kind {
        FaultKind::Stop => format!("{} is shutting down in order.", node(id)),
        FaultKind::Kill => format!("{} was killed.", node(id)),
        FaultKind::Pause => format!("{} is paused.", node(id)),
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

    fn request(
        kind: FaultKind,
        broker: Option<i32>,
        controller: Option<i32>,
        duration_ms: Option<u64>,
    ) -> FaultRequest {
        FaultRequest { kind, broker, controller, duration_ms }
    }

    #[test]
    fn targets() {
        let nodes = [1, 2, 3, 3000];
        for (broker, controller, duration_ms, expected) in [
            (Some(2), None, None, Ok(2)),
            (None, Some(3000), Some(5), Ok(3000)),
            (Some(4), None, None, Err(RefusalKind::NotFound)),
            (Some(3000), None, None, Err(RefusalKind::NotFound)),
            (None, Some(1), None, Err(RefusalKind::NotFound)),
            (None, Some(3001), None, Err(RefusalKind::NotFound)),
            (Some(-1), None, None, Err(RefusalKind::NotFound)),
            (Some(1), Some(3000), None, Err(RefusalKind::Invalid)),
            (None, None, None, Err(RefusalKind::Invalid)),
            (Some(1), None, Some(0), Err(RefusalKind::Invalid)),
            (Some(1), None, Some(u64::MAX), Err(RefusalKind::Invalid)),
        ] {
            let target = target(&request(FaultKind::Kill, broker, controller, duration_ms), &nodes);
            assert_eq!(target.map_err(|refusal| refusal.kind), expected, "{broker:?} {controller:?}");
        }
    }

    #[test]
    fn states_that_allow_a_fault() {
        use NodeState::{Killed, Paused, Running, Starting, Stopped, Stopping};
        for (kind, allowed) in [
            (FaultKind::Kill, vec![Starting, Running, Stopping, Paused]),
            (FaultKind::Stop, vec![Running, Paused]),
            (FaultKind::Pause, vec![Running]),
        ] {
            for state in [Starting, Running, Stopping, Stopped, Killed, Paused] {
                assert_eq!(check_state(kind, 1, state).is_ok(), allowed.contains(&state), "{kind:?} {state:?}");
            }
        }
    }

    #[test]
    fn a_node_is_held_by_one_fault_and_time_heals() {
        let mut faults = Faults::default();
        let pause = request(FaultKind::Pause, Some(1), None, Some(500));
        assert_eq!(faults.add(&pause, 1, 1000), 1);
        assert_eq!(faults.add(&request(FaultKind::Kill, Some(2), None, None), 2, 1000), 2);
        assert_eq!((faults.due(1499), faults.due(1500)), (vec![], vec![1]));
        assert_eq!(faults.next_end_ms(), Some(1500));
        assert_eq!(faults.add(&request(FaultKind::Kill, Some(1), None, None), 1, 1200), 3);
        assert_eq!(faults.list().iter().map(|fault| fault.id).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(faults.node(1).unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(faults.node(3), Ok(1));
        faults.release(1);
        assert_eq!((faults.list().len(), faults.next_end_ms()), (1, None));
    }
}
