//! Brokers that come and go for good while the cluster runs, with the data following.
//!
//! A broker that comes gets an empty directory, the zone that has fewest brokers, and, if that is wished, its share of all replicas and
//! leaderships. One that goes is emptied first: its replicas move to the others by Kafka's own reassignments; then it shuts down in order, is
//! unregistered, and its directory is removed. Who belongs to the cluster stands in the data directory before it is acted upon, so that a
//! restart in the midst goes on where it was. One broker leaves at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::config::ClusterConfig;
use super::nodes::Cluster;
use super::remembered::{ControllerChange, Place, Remembered};
use super::{ClusterError, FIRST_CONTROLLER_ID};
use crate::controller::{Rebalance, RebalanceProgress};
use crate::log::RealDisk;
use crate::log::disk::Disk;
use crate::metadata::report::{Event, MembershipReport, MembershipStep, Moving, NodeEvent, NodeState, Report};
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::{NO_NODE, NodeId};

/// How long an active controller is waited for by somebody who wants an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at moves that are under way.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Whoever watches may be gone; a channel that is full for so long is nobody's reason to wait.
const TELL_PATIENCE: Duration = Duration::from_secs(1);

/// A broker that is to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBroker {
    /// Its id; `None`: the lowest that is free.
    pub id: Option<NodeId>,
    /// Its zone; `None`: the one with the fewest brokers.
    pub zone: Option<String>,
    /// Its client port; `None`: as `--kafka-port` has it.
    pub port: Option<u16>,
}

/// How a removal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The broker is gone.
    Done,
    /// It stays: somebody wished so meanwhile.
    Cancelled,
}

/// Who belongs to the cluster, and what is being changed about it.
pub(super) struct Membership {
    state: Mutex<State>,
    changed: Condvar,
    ending: AtomicBool,
    controller_change: Mutex<()>,
}

struct State {
    remembered: Remembered,
    /// The broker that leaves is empty: nothing brings it back.
    dismissed: bool,
    /// Callers of [`Cluster::spread`].
    spreading: usize,
    moving: Option<Moving>,
}

impl Membership {
    pub(super) fn new(remembered: Remembered) -> Membership {
        let state = State { remembered, dismissed: false, spreading: 0, moving: None };
        Membership {
            state: Mutex::new(state),
            changed: Condvar::new(),
            ending: AtomicBool::new(false),
            controller_change: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of the state is made whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brokers and where they are to be, the one that leaves included.
    pub(super) fn brokers(&self) -> BTreeMap<NodeId, Place> {
        self.lock().remembered.brokers.clone()
    }

    pub(super) fn has(&self, id: NodeId) -> bool {
        let state = self.lock();
        state.remembered.brokers.contains_key(&id) || state.remembered.controllers.contains(&id)
    }

    /// Controllers, whether they vote or not.
    pub(super) fn controllers(&self) -> Vec<NodeId> {
        self.lock().remembered.controllers.iter().copied().collect()
    }

    /// Whether the metadata log says who votes.
    pub(super) fn is_dynamic(&self) -> bool {
        self.lock().remembered.is_dynamic
    }

    pub(super) fn set_dynamic(&self) -> Result<(), ClusterError> {
        self.lock().change(|remembered| remembered.is_dynamic = true)
    }

    /// Writes down who the controllers are, and what is under way among them.
    pub(super) fn change_controllers(
        &self,
        under_way: Option<ControllerChange>,
        change: impl FnOnce(&mut BTreeSet<NodeId>),
    ) -> Result<(), ClusterError> {
        self.lock().change(|remembered| {
            remembered.controller_change = under_way;
            change(&mut remembered.controllers);
        })
    }

    pub(super) fn controller_change(&self) -> Option<ControllerChange> {
        self.lock().remembered.controller_change
    }

    /// Held while a controller comes or goes; others are refused meanwhile.
    pub(super) fn begin_controller_change(&self) -> Result<MutexGuard<'_, ()>, ClusterError> {
        self.check_ending()?;
        match self.controller_change.try_lock() {
            Ok(held) => Ok(held),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(refused("another controller is being added or removed; one at a time"))
            }
        }
    }

    /// Waits so long; an error if the cluster ends meanwhile.
    pub(super) fn pause_or_end(&self, pause: Duration) -> Result<(), ClusterError> {
        let state = self.lock();
        if !self.ending.load(Ordering::Acquire) {
            drop(self.changed.wait_timeout(state, pause));
        }
        self.check_ending()
    }

    fn leaving(&self) -> Option<NodeId> {
        self.lock().remembered.leaving
    }

    /// Refuses to start a broker that is being unregistered.
    pub(super) fn check_start(&self, id: NodeId) -> Result<(), ClusterError> {
        let state = self.lock();
        match state.dismissed && state.remembered.leaving == Some(id) {
            true => Err(refused(format!("broker {id} is being unregistered; add one again instead"))),
            false => Ok(()),
        }
    }

    /// Waits a moment, less if something changes.
    fn wait(&self) {
        let state = self.lock();
        if !self.ending.load(Ordering::Acquire) {
            drop(self.changed.wait_timeout(state, LOOK_EVERY));
        }
    }

    fn check_ending(&self) -> Result<(), ClusterError> {
        match self.ending.load(Ordering::Acquire) {
            true => Err(ClusterError::Ending),
            false => Ok(()),
        }
    }
}

impl State {
    /// Changes who belongs to the cluster: first in the data directory.
    fn change(&mut self, change: impl FnOnce(&mut Remembered)) -> Result<(), ClusterError> {
        let mut next = self.remembered.clone();
        change(&mut next);
        next.save()?;
        self.remembered = next;
        Ok(())
    }

    fn report(&self) -> MembershipReport {
        MembershipReport {
            brokers: self.remembered.brokers.keys().copied().collect(),
            controllers: self.remembered.controllers.iter().copied().collect(),
            leaving: self.remembered.leaving,
            moving: self.moving.clone(),
        }
    }
}

fn refused(reason: impl Into<String>) -> ClusterError {
    ClusterError::Refused(reason.into())
}

/// The zone with the fewest brokers, by name where several have as few.
fn emptiest_zone(config: &ClusterConfig, brokers: &BTreeMap<NodeId, Place>) -> Option<String> {
    let of = |(id, place): (&NodeId, &Place)| place.rack.clone().unwrap_or_else(|| config.zone(*id));
    let taken: Vec<String> = brokers.iter().map(of).collect();
    config.zone_names().min_by_key(|zone| taken.iter().filter(|other| *other == zone).count())
}

impl Cluster {
    /// Starts one more broker. It has no replicas; [`Cluster::spread`] gives it its share.
    ///
    /// # Errors
    /// A broker is being removed, there is no room, no such zone, its port is taken, the data directory cannot be written.
    pub fn add_broker(&self, wish: &NewBroker) -> Result<NodeId, ClusterError> {
        let (membership, config) = (&self.membership, &self.house.config);
        membership.check_ending()?;
        let mut state = membership.lock();
        if let Some(leaving) = state.remembered.leaving {
            return Err(refused(format!("broker {leaving} is being removed; add brokers when that is done")));
        }
        let brokers = &state.remembered.brokers;
        let mut possible = config.possible_broker_ids();
        let (first, last) = (*possible.start(), *possible.end());
        let id = match wish.id {
            Some(id) if brokers.contains_key(&id) => return Err(refused(format!("there is a broker {id} already"))),
            Some(id) if possible.contains(&id) => id,
            Some(id) => return Err(refused(format!("a broker cannot be {id}: ids are from {first} to {last}"))),
            None => possible
                .find(|id| !brokers.contains_key(id))
                .ok_or_else(|| refused(format!("there are {last} brokers already; a cluster here has no more")))?,
        };
        let zone = match &wish.zone {
            None => emptiest_zone(config, brokers),
            Some(zone) if config.zone_names().any(|name| name == *zone) => Some(zone.clone()),
            Some(zone) => {
                let names: Vec<String> = config.zone_names().collect();
                return Err(refused(format!("there is no zone '{zone}'; the zones are {}", names.join(", "))));
            }
        };
        let place = Place { rack: zone.clone().filter(|zone| *zone != config.zone(id)), port: wish.port };
        config.port_of(id, &place)?;
        state.change(|remembered| drop(remembered.brokers.insert(id, place.clone())))?;
        drop(state);
        if let Err(error) = self.take_seat(id, &place) {
            membership.lock().change(|remembered| drop(remembered.brokers.remove(&id)))?;
            return Err(error);
        }
        self.tell_step(id, MembershipStep::Added { zone });
        self.tell_membership();
        Ok(id)
    }

    fn take_seat(&self, id: NodeId, place: &Place) -> Result<(), ClusterError> {
        let mut seat = self.seat(id)?;
        seat.renew(&self.house, place)?;
        seat.start(&self.house, &"it was added to the cluster".into())
    }

    /// Moves replicas and preferred leaders until all brokers that run have their share of them, and returns when they have. A broker that
    /// is being removed ends this, as its replicas find their places by that.
    ///
    /// # Errors
    /// The cluster ends; what has begun to move goes on moving after its next start.
    pub fn spread(&self) -> Result<(), ClusterError> {
        self.membership.lock().spreading += 1;
        let result = self.spread_until_even();
        let mut state = self.membership.lock();
        state.spreading -= 1;
        if state.spreading == 0 && state.remembered.leaving.is_none() {
            state.moving = None;
        }
        drop(state);
        self.tell_membership();
        result
    }

    fn spread_until_even(&self) -> Result<(), ClusterError> {
        loop {
            self.membership.check_ending()?;
            if self.membership.leaving().is_some() {
                return Ok(());
            }
            let all_there = self.house.readiness.wait_for(&self.running_brokers(), Duration::ZERO);
            let progress = if all_there { self.ask(Rebalance::Spread) } else { None };
            if progress.as_ref().is_some_and(|told| told.begun + told.ongoing + told.left == 0) {
                return Ok(());
            }
            let waiting_for = match (all_there, &progress) {
                (false, _) => Some("brokers that are starting".to_owned()),
                (true, None) => Some("an active controller".to_owned()),
                (true, Some(_)) => None,
            };
            let ongoing = progress.map_or(0, |told| told.ongoing);
            self.tell_moving(Moving { partitions_left: ongoing, ongoing, waiting_for });
            self.membership.wait();
        }
    }

    fn running_brokers(&self) -> Vec<NodeId> {
        let runs = |id: &NodeId| self.node_state(*id).is_ok_and(|state| state == NodeState::Running);
        self.broker_ids().into_iter().filter(runs).collect()
    }

    /// Begins to remove a broker: moves begin, if all its replicas can go somewhere else. [`Cluster::finish_removal`] does the rest.
    ///
    /// # Errors
    /// No such broker, another one is leaving, too few others run for a topic's replication factor, no controller answers.
    pub fn begin_removal(&self, id: NodeId) -> Result<(), ClusterError> {
        let membership = &self.membership;
        membership.check_ending()?;
        let mut state = membership.lock();
        if id >= FIRST_CONTROLLER_ID || !state.remembered.brokers.contains_key(&id) {
            return Err(ClusterError::UnknownNode(id));
        }
        match state.remembered.leaving {
            Some(leaving) if leaving == id => return Err(refused(format!("broker {id} is being removed already"))),
            Some(other) => return Err(refused(format!("broker {other} is being removed; one leaves at a time"))),
            None => {}
        }
        if state.remembered.brokers.len() == 1 {
            return Err(refused(format!("broker {id} is the only one; a cluster cannot be without")));
        }
        state.dismissed = false;
        state.change(|remembered| remembered.leaving = Some(id))?;
        drop(state);
        let asked = self.ask(Rebalance::Evacuate(id));
        let reason = match asked {
            None => Some("no controller answers; try again when there is an active one".to_owned()),
            Some(RebalanceProgress { refused: Some(reason), .. }) => Some(reason),
            Some(progress) => {
                self.tell_step(id, MembershipStep::Leaving { replicas: progress.left });
                self.tell_moving(moving(&progress));
                None
            }
        };
        match reason {
            None => Ok(()),
            Some(reason) => {
                membership.lock().change(|remembered| remembered.leaving = None)?;
                Err(refused(reason))
            }
        }
    }

    /// Sees a removal through: waits until the broker is empty, stops it, unregisters it, removes its directory.
    ///
    /// # Errors
    /// The cluster ends (the removal goes on after its next start), the broker could not be started again after it was given replicas, or
    /// the data directory cannot be written; then it stays.
    pub fn finish_removal(&self, id: NodeId) -> Result<Removal, ClusterError> {
        let result = self.see_removal_through(id);
        if !matches!(result, Ok(_) | Err(ClusterError::Ending)) {
            self.membership.lock().dismissed = false;
            self.keep_broker(id)?;
        }
        result
    }

    fn see_removal_through(&self, id: NodeId) -> Result<Removal, ClusterError> {
        loop {
            if !self.evacuate(id)? {
                return Ok(Removal::Cancelled);
            }
            let stopped = self.come_down(id)?;
            if self.dismiss(id)? {
                return self.forget(id).map(|()| Removal::Done);
            }
            // It stays after all, or was given replicas before it had stopped.
            match self.start_node(id, "it does not go yet") {
                Err(error) if stopped && !matches!(error, ClusterError::WrongState { .. }) => return Err(error),
                _ => {}
            }
        }
    }

    /// Stops a broker in order, if it is not down already. True: it had to be stopped.
    pub(super) fn come_down(&self, id: NodeId) -> Result<bool, ClusterError> {
        let mut stopped = false;
        loop {
            self.membership.check_ending()?;
            match self.node_state(id)? {
                NodeState::Stopped | NodeState::Killed => return Ok(stopped),
                // Somebody else may be at it.
                NodeState::Running | NodeState::Paused => {
                    stopped |= self.stop_node(id, "it is being removed from the cluster").is_ok();
                }
                NodeState::Starting | NodeState::Stopping => self.membership.wait(),
            }
        }
    }

    /// Waits until a broker has no replicas any more. False: it is not to leave any longer.
    fn evacuate(&self, id: NodeId) -> Result<bool, ClusterError> {
        loop {
            self.membership.check_ending()?;
            if self.membership.leaving() != Some(id) {
                return Ok(false);
            }
            let progress = self.ask(Rebalance::Evacuate(id));
            match &progress {
                Some(told) if told.left == 0 && told.begun == 0 && told.refused.is_none() => return Ok(true),
                Some(told) => self.tell_moving(moving(told)),
                None => {
                    let left = self.membership.lock().moving.as_ref().map_or(0, |moving| moving.partitions_left);
                    let waiting_for = Some("an active controller".to_owned());
                    self.tell_moving(Moving { partitions_left: left, ongoing: 0, waiting_for });
                }
            }
            self.membership.wait();
        }
    }

    /// Unregisters a broker that has stopped. False: it has replicas again, or is not to leave any longer.
    fn dismiss(&self, id: NodeId) -> Result<bool, ClusterError> {
        {
            // Held, so that nobody starts it meanwhile: what is unregistered must not register again.
            let mut seat = self.seat(id)?;
            let mut state = self.membership.lock();
            let is_down = matches!(seat.state(), NodeState::Stopped | NodeState::Killed);
            if state.remembered.leaving != Some(id) || !is_down {
                return Ok(false);
            }
            state.dismissed = true;
        }
        loop {
            self.membership.check_ending()?;
            if let Some(told) = self.ask(Rebalance::Dismiss(id)) {
                if told.left > 0 {
                    self.membership.lock().dismissed = false;
                }
                return Ok(told.left == 0);
            }
        }
    }

    fn forget(&self, id: NodeId) -> Result<(), ClusterError> {
        let mut state = self.membership.lock();
        state.moving = None;
        state.dismissed = false;
        state.change(|remembered| {
            remembered.leaving = None;
            remembered.brokers.remove(&id);
        })?;
        drop(state);
        let dir = self.house.config.node_dir(id);
        if let Err(error) = RealDisk::new().remove_dir_all(&dir) {
            // It holds nothing that is not elsewhere.
            let message = format!("the directory of broker {id}, {}, could not be removed: {error}", dir.display());
            self.tell(NO_NODE, Event::Error { message });
        }
        self.tell_step(id, MembershipStep::Removed);
        self.tell_membership();
        Ok(())
    }

    /// A broker that is being removed stays after all. What has left it already stays where it is.
    ///
    /// # Errors
    /// It is not being removed, or it is too late.
    pub fn keep_broker(&self, id: NodeId) -> Result<(), ClusterError> {
        let membership = &self.membership;
        let mut state = membership.lock();
        if state.remembered.leaving != Some(id) {
            return Err(refused(format!("broker {id} is not being removed")));
        }
        if state.dismissed {
            return Err(refused(format!("broker {id} is empty and being unregistered; add one again instead")));
        }
        state.change(|remembered| remembered.leaving = None)?;
        state.moving = None;
        drop(state);
        membership.changed.notify_all();
        // If nobody answers, the moves that are under way come to their end.
        let _ = self.ask(Rebalance::Keep(id));
        self.tell_step(id, MembershipStep::Stays);
        self.tell_membership();
        Ok(())
    }

    /// A broker's zone.
    pub fn zone(&self, id: NodeId) -> Option<String> {
        let place = self.membership.brokers().remove(&id)?;
        Some(place.rack.unwrap_or_else(|| self.house.config.zone(id)))
    }

    /// The broker that is being removed, if one is; after a start, somebody has to call [`Cluster::finish_removal`] for it.
    pub fn leaving(&self) -> Option<NodeId> {
        self.membership.leaving()
    }

    /// Ends what waits in [`Cluster::spread`] and [`Cluster::finish_removal`]: the cluster is to be shut down.
    pub fn end_changes(&self) {
        self.membership.ending.store(true, Ordering::Release);
        let held = self.membership.lock();
        self.membership.changed.notify_all();
        drop(held);
    }

    fn ask(&self, wish: Rebalance) -> Option<RebalanceProgress> {
        let answer = self.voice.ask(&self.controller_ids(), &PeerRequest::Rebalance(wish), ANSWER_PATIENCE);
        match answer {
            Some(PeerResponse::Rebalance(progress)) => Some(progress),
            _ => None,
        }
    }

    pub(super) fn tell(&self, node_id: NodeId, event: Event) {
        let at_ms = self.house.clock.now().wall_ms;
        let _ = self.house.reports.send_timeout(Report::Event(NodeEvent { node_id, at_ms, event }), TELL_PATIENCE);
    }

    fn tell_step(&self, broker_id: NodeId, step: MembershipStep) {
        self.tell(NO_NODE, Event::MembershipChanged { broker_id, step });
    }

    fn tell_moving(&self, moving: Moving) {
        let mut state = self.membership.lock();
        let is_news = state.moving.as_ref() != Some(&moving);
        state.moving = Some(moving);
        drop(state);
        if is_news {
            self.tell_membership();
        }
    }

    pub(super) fn tell_membership(&self) {
        let report = self.membership.lock().report();
        let _ = self.house.reports.send_timeout(Report::Membership(report), TELL_PATIENCE);
    }
}

fn moving(progress: &RebalanceProgress) -> Moving {
    Moving { partitions_left: progress.left, ongoing: progress.ongoing, waiting_for: progress.refused.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_broker_goes_where_there_are_fewest() {
        let config = ClusterConfig { zones: 3, ..super::super::config::tests::config() };
        let place = |rack: Option<&str>| Place { rack: rack.map(str::to_owned), port: None };
        let mut brokers = BTreeMap::from([(1, place(None)), (2, place(None)), (3, place(None))]);
        assert_eq!(emptiest_zone(&config, &brokers).as_deref(), Some("a"));
        brokers.insert(4, place(None));
        assert_eq!(emptiest_zone(&config, &brokers).as_deref(), Some("b"));
        brokers.insert(5, place(Some("c")));
        brokers.remove(&2);
        assert_eq!(emptiest_zone(&config, &brokers).as_deref(), Some("b"));
    }
}
