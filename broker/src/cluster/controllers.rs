//! Controllers that come and go for good while the cluster runs: voters of the metadata quorum by AddRaftVoter and RemoveRaftVoter (KIP-853).
//!
//! A controller that comes starts as an observer with an empty directory, fetches the metadata, and is made a voter when it has caught up. One
//! that goes is taken out of the voters first (a leader hands over by that), then stops, and its directory is removed. Who there is stands
//! in the data directory; who votes stands in the metadata log. The first change raises kraft.version to 1, which cannot be undone.

use std::time::{Duration, Instant};

use super::nodes::Cluster;
use super::remembered::Place;
use super::{ClusterError, FIRST_CONTROLLER_ID};
use crate::controller::CONTROLLER_LISTENER;
use crate::log::disk::Disk;
use crate::log::{LogDir, RealDisk};
use crate::metadata::report::{Event, NodeState};
use crate::protocol::ErrorCode;
use crate::protocol::messages::add_raft_voter_request::Listener;
use crate::protocol::messages::update_features_request::FeatureUpdateKey;
use crate::protocol::messages::{
    AddRaftVoterRequestData, KafkaString, RemoveRaftVoterRequestData, UpdateFeaturesRequestData,
};
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::{Id, NO_NODE, NodeId};

/// How long a change may take, from the wish to its commit.
const CHANGE_PATIENCE: Duration = Duration::from_secs(20);
/// How long one answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts, while the new one catches up or the change before is not committed.
const RETRY: Duration = Duration::from_millis(100);
/// `FeatureUpdate.UpgradeType.UPGRADE`
const UPGRADE: i8 = 1;

fn refused(reason: impl Into<String>) -> ClusterError {
    ClusterError::Refused(reason.into())
}

impl Cluster {
    /// Starts one more controller and makes it a voter; returns when that is committed. Without an id it gets the lowest that is free.
    ///
    /// # Errors
    /// The id is taken or cannot be, there is no room, no controller answers, a voter does not support kraft.version 1, the data directory
    /// cannot be written. Then the controller is not there.
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
        self.raise_kraft_version()?;
        self.remember_controller(id)?;
        if let Err(error) = self.start_voter(id) {
            self.forget_controller(id)?;
            return Err(error);
        }
        self.tell_membership();
        Ok(id)
    }

    fn remember_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        // What lies there is of a controller that was removed, and its directory could not be.
        let dir = self.house.config.node_dir(id);
        let disk = RealDisk::new();
        if disk.exists(&dir) {
            let in_the_way = |error| refused(format!("{} of a former controller {id} is in the way: {error}", dir.display()));
            disk.remove_dir_all(&dir).map_err(in_the_way)?;
        }
        self.membership.change_controllers(|controllers| controllers.insert(id))?;
        self.settle_controllers();
        Ok(())
    }

    fn start_voter(&self, id: NodeId) -> Result<(), ClusterError> {
        {
            let mut seat = self.seat(id)?;
            seat.renew(&self.house, &Place { rack: None, port: Some(0) })?;
            seat.start(&self.house, "it was added to the cluster")?;
        }
        let deadline = Instant::now() + CHANGE_PATIENCE;
        let listener = Listener {
            name: KafkaString::from_static(CONTROLLER_LISTENER),
            host: KafkaString::from(format!("controller-{id}")),
            port: 0,
            ..Default::default()
        };
        let request = AddRaftVoterRequestData {
            cluster_id: Some(KafkaString::from(self.cluster_id().to_owned())),
            timeout_ms: ANSWER_PATIENCE.as_millis() as i32,
            voter_id: id,
            listeners: vec![listener],
            ..Default::default()
        };
        self.change_voter(deadline, || {
            let directory_id = self.directory_of_controller(id)?;
            let request = AddRaftVoterRequestData { voter_directory_id: directory_id.into(), ..request.clone() };
            match self.ask_controller(&PeerRequest::AddRaftVoter(Box::new(request)))? {
                // An answer that was lost: it votes already.
                PeerResponse::AddRaftVoter(told) if told.error_code == ErrorCode::DuplicateVoter.code() => Some(Ok(())),
                PeerResponse::AddRaftVoter(told) => outcome(told.error_code, told.error_message),
                _ => None,
            }
        })
    }

    /// Takes a controller out of the voters, stops it, and removes its directory. It need not run.
    ///
    /// # Errors
    /// There is no such controller, or no other; the others cannot make a majority; no controller answers. Then it stays.
    pub fn remove_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        let _one_at_a_time = self.membership.begin_controller_change()?;
        let known = self.controller_ids();
        if id < FIRST_CONTROLLER_ID || !known.contains(&id) {
            return Err(ClusterError::UnknownNode(id));
        }
        if known.len() == 1 {
            return Err(refused(format!("controller {id} is the only one; a cluster cannot be without")));
        }
        self.raise_kraft_version()?;
        let request = RemoveRaftVoterRequestData {
            cluster_id: Some(KafkaString::from(self.cluster_id().to_owned())),
            voter_id: id,
            ..Default::default()
        };
        self.change_voter(Instant::now() + CHANGE_PATIENCE, || {
            let directory_id = self.directory_of_controller(id)?;
            let request = RemoveRaftVoterRequestData { voter_directory_id: directory_id.into(), ..request.clone() };
            match self.ask_controller(&PeerRequest::RemoveRaftVoter(Box::new(request)))? {
                // It was no voter: the removal was begun before.
                PeerResponse::RemoveRaftVoter(told) if told.error_code == ErrorCode::VoterNotFound.code() => Some(Ok(())),
                PeerResponse::RemoveRaftVoter(told) => outcome(told.error_code, told.error_message),
                _ => None,
            }
        })?;
        self.forget_controller(id)
    }

    fn forget_controller(&self, id: NodeId) -> Result<(), ClusterError> {
        let cause = "it was removed from the cluster";
        // One that does not run, or ends by itself meanwhile, needs no stop.
        let _ = self.stop_node(id, cause);
        if !matches!(self.node_state(id)?, NodeState::Stopped | NodeState::Killed) {
            self.kill_node(id, cause)?;
        }
        self.membership.change_controllers(|controllers| controllers.remove(&id))?;
        self.settle_controllers();
        let dir = self.house.config.node_dir(id);
        if let Err(error) = RealDisk::new().remove_dir_all(&dir) {
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

    /// Directory id of a controller, once it has one.
    fn directory_of_controller(&self, id: NodeId) -> Option<Id> {
        let dir = self.house.config.node_dir(id);
        LogDir::directory_id_of(&RealDisk::new(), &dir).ok().filter(|id| *id != Id::ZERO)
    }

    fn ask_controller(&self, question: &PeerRequest) -> Option<PeerResponse> {
        self.voice.ask(&self.controller_ids(), question, ANSWER_PATIENCE)
    }

    /// Tries until the change is committed, is refused for good, or takes too long.
    fn change_voter(
        &self,
        deadline: Instant,
        attempt: impl Fn() -> Option<Result<(), (bool, String)>>,
    ) -> Result<(), ClusterError> {
        let mut last = "no controller answers".to_owned();
        loop {
            match attempt() {
                Some(Ok(())) => return Ok(()),
                Some(Err((true, reason))) => last = reason,
                Some(Err((false, reason))) => return Err(refused(reason)),
                None => {}
            }
            if Instant::now() >= deadline {
                return Err(refused(format!("the quorum's voters could not be changed in {} s: {last}", CHANGE_PATIENCE.as_secs())));
            }
            self.membership.pause_or_end(RETRY)?;
        }
    }

    /// Voters must stand in the log before they can change there.
    fn raise_kraft_version(&self) -> Result<(), ClusterError> {
        if self.membership.is_dynamic() {
            return Ok(());
        }
        let update = FeatureUpdateKey {
            feature: KafkaString::from_static("kraft.version"),
            max_version_level: 1,
            upgrade_type: UPGRADE,
            ..Default::default()
        };
        let request = UpdateFeaturesRequestData { feature_updates: vec![update], ..Default::default() };
        self.change_voter(Instant::now() + CHANGE_PATIENCE, || {
            match self.ask_controller(&PeerRequest::UpdateFeatures(Box::new(request.clone())))? {
                PeerResponse::UpdateFeatures(told) => match ErrorCode::from(told.error_code) {
                    ErrorCode::None => Some(Ok(())),
                    // A voter that was just started has not said yet what it supports, or one is down.
                    _ => Some(Err((true, told.error_message.map_or_else(String::new, |text| text.as_str().to_owned())))),
                },
                _ => None,
            }
        })?;
        self.membership.set_dynamic()?;
        self.settle_controllers();
        Ok(())
    }
}

/// Done; or refused, and whether it is worth asking again.
fn outcome(error_code: i16, error_message: Option<KafkaString>) -> Option<Result<(), (bool, String)>> {
    let code = ErrorCode::from(error_code);
    let text = error_message.map_or_else(|| code.to_string(), |text| text.as_str().to_owned());
    Some(match code {
        ErrorCode::None => Ok(()),
        ErrorCode::RequestTimedOut => Err((true, text)),
        _ => Err((false, text)),
    })
}
