//! What the cluster asks of its own quorum: who votes, who is to, who is not to any more; by Kafka's requests, until they are committed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::ClusterError;
use super::nodes::Cluster;
use crate::controller::CONTROLLER_LISTENER;
use crate::log::{LogDir, RealDisk};
use crate::protocol::ErrorCode;
use crate::protocol::messages::add_raft_voter_request::Listener;
use crate::protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use crate::protocol::messages::update_features_request::FeatureUpdateKey;
use crate::protocol::messages::{
    AddRaftVoterRequestData, DescribeQuorumRequestData, KafkaString, RemoveRaftVoterRequestData,
    UpdateFeaturesRequestData,
};
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::{Id, NodeId};

/// How long one answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts, while the new one catches up or the change before is not committed.
const RETRY: Duration = Duration::from_millis(100);
/// `FeatureUpdate.UpgradeType.UPGRADE`
const UPGRADE: i8 = 1;

/// Voters and their directories.
pub(super) type Voters = BTreeMap<NodeId, Id>;

/// Why an attempt failed, and whether another one may do better.
enum Failed {
    ForGood(String),
    ForNow(String),
}

impl Cluster {
    /// The voters, as their leader has them.
    pub(super) fn voters(&self) -> Result<Voters, ClusterError> {
        self.describe_voters().ok_or_else(|| {
            ClusterError::Refused(
                "no controller is active: voters change only while a majority of them runs".to_owned(),
            )
        })
    }

    fn describe_voters(&self) -> Option<Voters> {
        let partition = PartitionData { partition_index: 0, ..Default::default() };
        let topic = TopicData {
            topic_name: KafkaString::from_static("__cluster_metadata"),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = DescribeQuorumRequestData { topics: vec![topic], ..Default::default() };
        let Some(PeerResponse::DescribeQuorum(told)) = self.ask_quorum(PeerRequest::DescribeQuorum(Box::new(request)))
        else {
            return None;
        };
        let voters = &told.topics.first()?.partitions.first()?.current_voters;
        Some(voters.iter().map(|voter| (voter.replica_id, Id::from(voter.replica_directory_id))).collect())
    }

    fn ask_quorum(&self, question: PeerRequest) -> Option<PeerResponse> {
        self.voice.ask(&self.controller_ids(), &question, ANSWER_PATIENCE)
    }

    /// Makes a controller that runs a voter, once it has caught up.
    pub(super) fn vote_in(&self, id: NodeId, deadline: Instant) -> Result<(), ClusterError> {
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
        self.insist(deadline, || {
            let Some(directory_id) = self.directory_of_controller(id) else {
                return Err(Failed::ForNow(format!("controller {id} has no directory yet")));
            };
            let request = AddRaftVoterRequestData { voter_directory_id: directory_id.into(), ..request.clone() };
            match self.ask_quorum(PeerRequest::AddRaftVoter(Box::new(request))) {
                // It votes, and that is committed: an answer was lost.
                Some(PeerResponse::AddRaftVoter(told)) if told.error_code == ErrorCode::DuplicateVoter.code() => Ok(()),
                Some(PeerResponse::AddRaftVoter(told)) => outcome(told.error_code, told.error_message),
                _ => Err(no_answer()),
            }
        })
    }

    /// Takes a controller out of the voters, if it is one.
    pub(super) fn vote_out(&self, id: NodeId, deadline: Instant) -> Result<(), ClusterError> {
        let request = RemoveRaftVoterRequestData {
            cluster_id: Some(KafkaString::from(self.cluster_id().to_owned())),
            voter_id: id,
            ..Default::default()
        };
        self.insist(deadline, || {
            let Some(voters) = self.describe_voters() else { return Err(no_answer()) };
            // The leader refuses to look while a change is not committed, so it is asked even about one that does not vote, under any id.
            let known = voters.get(&id).copied().filter(|directory_id| *directory_id != Id::ZERO);
            let directory_id = known.or_else(|| self.directory_of_controller(id)).unwrap_or(Id([1; 16]));
            let request = RemoveRaftVoterRequestData { voter_directory_id: directory_id.into(), ..request.clone() };
            match self.ask_quorum(PeerRequest::RemoveRaftVoter(Box::new(request))) {
                Some(PeerResponse::RemoveRaftVoter(told)) => match ErrorCode::from(told.error_code) {
                    ErrorCode::VoterNotFound if !voters.contains_key(&id) => Ok(()),
                    // Under kraft.version 0 nobody can have come, and nobody can go.
                    ErrorCode::UnsupportedVersion if !voters.contains_key(&id) => Ok(()),
                    _ => outcome(told.error_code, told.error_message),
                },
                _ => Err(no_answer()),
            }
        })
    }

    /// Finalizes kraft.version 1.
    pub(super) fn raise_kraft_version(&self, deadline: Instant) -> Result<(), ClusterError> {
        let update = FeatureUpdateKey {
            feature: KafkaString::from_static("kraft.version"),
            max_version_level: 1,
            upgrade_type: UPGRADE,
            ..Default::default()
        };
        let request = UpdateFeaturesRequestData { feature_updates: vec![update], ..Default::default() };
        self.insist(deadline, || {
            match self.ask_quorum(PeerRequest::UpdateFeatures(Box::new(request.clone()))) {
                Some(PeerResponse::UpdateFeatures(told)) => match outcome(told.error_code, told.error_message) {
                    // A voter that was just started has not said yet what it supports.
                    Err(Failed::ForGood(reason)) => Err(Failed::ForNow(reason)),
                    other => other,
                },
                _ => Err(no_answer()),
            }
        })
    }

    /// Directory id of a controller, once it has one.
    fn directory_of_controller(&self, id: NodeId) -> Option<Id> {
        let dir = self.house.config.node_dir(id);
        LogDir::directory_id_of(&RealDisk::new(), &dir).ok().filter(|id| *id != Id::ZERO)
    }

    /// Tries until the change is committed, is refused for good, or takes too long.
    fn insist(&self, deadline: Instant, attempt: impl Fn() -> Result<(), Failed>) -> Result<(), ClusterError> {
        loop {
            let reason = match attempt() {
                Ok(()) => return Ok(()),
                Err(Failed::ForGood(reason)) => return Err(ClusterError::Refused(reason)),
                Err(Failed::ForNow(reason)) => reason,
            };
            if Instant::now() >= deadline {
                return Err(ClusterError::Refused(format!(
                    "the quorum's voters could not be changed in time: {reason}"
                )));
            }
            self.membership.pause_or_end(RETRY)?;
        }
    }
}

fn no_answer() -> Failed {
    Failed::ForNow("no controller is active".to_owned())
}

fn outcome(error_code: i16, error_message: Option<KafkaString>) -> Result<(), Failed> {
    let code = ErrorCode::from(error_code);
    let text = error_message.map_or_else(|| code.to_string(), |text| text.as_str().to_owned());
    match code {
        ErrorCode::None => Ok(()),
        ErrorCode::RequestTimedOut => Err(Failed::ForNow(text)),
        _ => Err(Failed::ForGood(text)),
    }
}
