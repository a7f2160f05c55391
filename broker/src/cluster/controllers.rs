//! Controllers that come and go for good while the cluster runs: voters of the metadata quorum by AddRaftVoter and RemoveRaftVoter (KIP-853).
//!
//! A controller that comes starts as an observer with an empty directory, fetches the metadata, and is made a voter when it has caught up. One
//! that goes is taken out of the voters first (a leader hands over by that), then stops, and its directory is removed. Who there is, and
//! what is under way, stands in the data directory before it is acted upon, so that a restart in the midst goes on where it was; who votes
//! stands in the metadata log. The first change raises kraft.version to 1, which cannot be undone.

use std::time::{Duration, Instant};

use super::nodes::Cluster;
use super::remembered::{ControllerChange, Place};
use super::voters::Voters;
use super::{ClusterError, FIRST_CONTROLLER_ID};
use crate::log::RealDisk;
use crate::log::disk::Disk;
use crate::metadata::report::{Event, NodeState};
use crate::types::{NO_NODE, NodeId};

/// How long a change may take, from the wish to its commit.
const CHANGE_PATIENCE: Duration = Duration::from_secs(15);
/// How long what goes before it may take, and the way back when it has failed.
const SHORT_PATIENCE: Duration = Duration::from_secs(5);

fn refused(reason: impl Into<String>) -> ClusterError {
    ClusterError::Refused(reason.into())
}

impl Cluster {
    /// Starts one more controller and makes it a voter; returns when that is committed. Without an id it gets the lowest that is free.
    ///
    /// # Errors
    /// The id is taken or cannot be, there is no room, no majority of the voters would run, kraft.version is 0 and cannot be raised, no
    /// controller answers, the data directory cannot be written. Then the controller is not there; or, where nobody could say whether
    /// it votes, it stays, and the error says so. [`ClusterError::Ending`]: it goes on after the next start.
    pub fn add_controller(&self, id: Option<NodeId>) -> Result<NodeId, ClusterError> {
        let _one_at_a_time = self.membership.begin_controller_change()?;
        let known = self.controller_ids();
        let mut possible = self.house.config.possible_controller_ids();
        let (first, last) = (*possible.start(), *possible.end());
        let id = match id {
            Some(id) if known.contains(&id) => return Err(refused(format!("there is a controller {id} already"))),
            Some(id) if !possible.contains(&id) => {
                return Err(refused(format!("a controller cannot be {id}: ids are from {first} to {last}")));
            }
            Some(id) => id,
            None => possible.find(|id| !known.contains(id)).ok_or_else(|| refused("there is no room for another"))?,
        };
        self.house.config.check_controllers(known.len() + 1)?;
        let voters = self.voters()?;
        self.check_majority(voters.keys().copied(), Some(id))?;
        self.prepare_for_changes(&voters)?;
        self.remember_controller(id)?;
        self.see_arrival_through(id)?;
        Ok(id)
    }

    /// Takes a controller out of the voters, stops it, and removes its directory. It need not run.
    ///
    /// # Errors
    /// There is no such controller, or no other voter; no majority of the others runs; kraft.version is 0 and cannot be raised; no
    /// controller answers. Then it stays. [`ClusterError::Ending`]: it goes on after the next start.
    pub fn remove_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        let _one_at_a_time = self.membership.begin_controller_change()?;
        let known = self.controller_ids();
        if id < FIRST_CONTROLLER_ID || !known.contains(&id) {
            return Err(ClusterError::UnknownNode(id));
        }
        if known.len() == 1 {
            return Err(refused(format!("controller {id} is the only one; a cluster cannot be without")));
        }
        let voters = self.voters()?;
        if voters.contains_key(&id) {
            if voters.len() == 1 {
                return Err(refused(format!("controller {id} is the only voter; make another one a voter first")));
            }
            self.check_majority(voters.keys().copied().filter(|voter| *voter != id), None)?;
            self.prepare_for_changes(&voters)?;
        }
        self.membership.change_controllers(Some(ControllerChange::Goes(id)), |_| {})?;
        self.see_departure_through(id)
    }

    /// What a stop of the cluster interrupted; after a start, somebody has to call [`Cluster::finish_controller_change`] for it.
    pub fn controller_change(&self) -> Option<ControllerChange> {
        self.membership.controller_change()
    }

    /// Sees a change through that a stop of the cluster interrupted; what it was, if there was one.
    ///
    /// # Errors
    /// As [`Cluster::add_controller`] and [`Cluster::remove_controller`].
    pub fn finish_controller_change(&self) -> Result<Option<ControllerChange>, ClusterError> {
        let _one_at_a_time = self.membership.begin_controller_change()?;
        let change = self.membership.controller_change();
        match change {
            Some(ControllerChange::Comes(id)) => self.see_arrival_through(id)?,
            Some(ControllerChange::Goes(id)) => self.see_departure_through(id)?,
            None => {}
        }
        Ok(change)
    }

    fn remember_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        // What lies there is of a controller that was removed, and its directory could not be.
        let dir = self.house.config.node_dir(id);
        let disk = RealDisk::new();
        if disk.exists(&dir) {
            let in_the_way =
                |error| refused(format!("{} of a former controller {id} is in the way: {error}", dir.display()));
            disk.remove_dir_all(&dir).map_err(in_the_way)?;
        }
        self.membership.change_controllers(Some(ControllerChange::Comes(id)), |controllers| {
            controllers.insert(id);
        })?;
        self.settle_controllers();
        self.tell_membership();
        Ok(())
    }

    fn see_arrival_through(&self, id: NodeId) -> Result<(), ClusterError> {
        let arrived = self.take_controllers_seat(id).and_then(|()| self.vote_in(id, Instant::now() + CHANGE_PATIENCE));
        match arrived {
            Ok(()) => {
                self.membership.change_controllers(None, |_| {})?;
                self.tell(NO_NODE, Event::ControllersChanged { controller_id: id, is_added: true });
                Ok(())
            }
            Err(ClusterError::Ending) => Err(ClusterError::Ending),
            Err(error) => self.undo_arrival(id, error),
        }
    }

    fn take_controllers_seat(&self, id: NodeId) -> Result<(), ClusterError> {
        let mut seat = self.seat(id)?;
        if seat.state() == NodeState::Running {
            return Ok(());
        }
        seat.renew(&self.house, &Place { rack: None, port: Some(0) })?;
        seat.start(&self.house, &"it was added to the cluster".into())
    }

    /// What was asked for and not answered in time may still be committed, so it is asked away before it is taken away.
    fn undo_arrival(&self, id: NodeId, error: ClusterError) -> Result<(), ClusterError> {
        match self.vote_out(id, Instant::now() + SHORT_PATIENCE) {
            Ok(()) => {
                self.forget_controller(id)?;
                Err(error)
            }
            Err(ClusterError::Ending) => Err(ClusterError::Ending),
            Err(_) => {
                self.membership.change_controllers(None, |_| {})?;
                Err(refused(format!(
                    "{error}; controller {id} stays, and may vote or not: remove it when the others are well"
                )))
            }
        }
    }

    fn see_departure_through(&self, id: NodeId) -> Result<(), ClusterError> {
        // One that makes itself a voter would come back between its last vote and its end.
        let config = self.house.config.node(id, self.cluster_id(), 0)?;
        let is_stopped = config.bool("controller.quorum.auto.join.enable") && self.come_down(id)?;
        match self.vote_out(id, Instant::now() + CHANGE_PATIENCE) {
            Ok(()) => {
                self.forget_controller(id)?;
                self.tell(NO_NODE, Event::ControllersChanged { controller_id: id, is_added: false });
                Ok(())
            }
            Err(ClusterError::Ending) => Err(ClusterError::Ending),
            Err(error) => {
                self.membership.change_controllers(None, |_| {})?;
                if is_stopped {
                    // Somebody may have been faster.
                    let _ = self.start_node(id, "it does not go");
                }
                Err(error)
            }
        }
    }

    fn forget_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        let cause = "it was removed from the cluster";
        // One that does not run, or ends by itself meanwhile, needs no stop.
        let _ = self.stop_node(id, cause);
        if !matches!(self.node_state(id)?, NodeState::Stopped | NodeState::Killed) {
            self.kill_node(id, cause)?;
        }
        self.membership.change_controllers(None, |controllers| {
            controllers.remove(&id);
        })?;
        self.settle_controllers();
        let dir = self.house.config.node_dir(id);
        let disk = RealDisk::new();
        if disk.exists(&dir)
            && let Err(error) = disk.remove_dir_all(&dir)
        {
            // It holds nothing that is not elsewhere.
            let message = format!("the directory of controller {id}, {}, could not be removed: {error}", dir.display());
            self.tell(NO_NODE, Event::Error { message });
        }
        self.tell_membership();
        Ok(())
    }

    /// From here on nodes that start are told these controllers.
    pub(super) fn settle_controllers(&self) {
        self.house.set_controllers(self.membership.controllers(), self.membership.is_dynamic());
    }

    /// Whether a majority of these voters runs, of whom `new` is about to.
    fn check_majority(&self, voters: impl Iterator<Item = NodeId>, new: Option<NodeId>) -> Result<(), ClusterError> {
        let runs = |id: &NodeId| self.node_state(*id).is_ok_and(|state| state == NodeState::Running);
        let (running, down): (Vec<NodeId>, Vec<NodeId>) = voters.partition(runs);
        let running = running.len() + usize::from(new.is_some());
        let all = running + down.len();
        if running * 2 > all {
            return Ok(());
        }
        let down: Vec<String> = down.iter().map(NodeId::to_string).collect();
        let down = down.join(", ");
        Err(refused(format!(
            "of the {all} voters that there would be, {running} would run, which is no majority; start controller {down} first"
        )))
    }

    /// Voters must stand in the log before they can change there (kraft.version 1), and for that each must have said that it can.
    fn prepare_for_changes(&self, voters: &Voters) -> Result<(), ClusterError> {
        if self.membership.is_dynamic() {
            return Ok(());
        }
        let is_down = |id: &&NodeId| !self.node_state(**id).is_ok_and(|state| state == NodeState::Running);
        if let Some(down) = voters.keys().find(is_down) {
            return Err(refused(format!(
                "kraft.version is 0, under which voters do not change, and is raised only while all of them run; start controller {down} first"
            )));
        }
        self.raise_kraft_version(Instant::now() + SHORT_PATIENCE)?;
        self.membership.set_dynamic()?;
        self.settle_controllers();
        Ok(())
    }
}
