//! What a controller is asked about its quorum: voters that come and go, and the version of its protocol.
//!
//! Source: `kafka.server.ControllerApis`, `org.apache.kafka.controller.KRaftVersionAccessor`; KIP-853.

use super::controller::Controller;
use crate::controller::{KRaftFeature, add_answer, asked_to_add, asked_to_remove, remove_answer, told};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{AddRaftVoterRequestData, RemoveRaftVoterRequestData, UpdateFeaturesRequestData};
use crate::quorum::VoterChangeError;
use crate::server::peer::{PeerMessage, PeerRequest, PeerResponse};
use crate::types::{NodeId, Now};

/// Name of the feature.
const KRAFT_VERSION: &str = "kraft.version";

/// Who waits for a change of the voters.
#[derive(Clone, Copy, Debug)]
pub(super) struct VoterAsker {
    to: NodeId,
    correlation: u64,
    adds: bool,
}

impl Controller {
    fn respond(&mut self, asker: (NodeId, u64), body: PeerResponse) {
        let (to, correlation) = asker;
        self.outbox.peer.push((to, PeerMessage::Response { correlation, body }));
    }

    pub(super) fn add_raft_voter(&mut self, now: Now, asker: (NodeId, u64), request: &AddRaftVoterRequestData) {
        if !self.quorum.is_leader() {
            return self.refuse(asker.0, asker.1);
        }
        match asked_to_add(request, &self.config.cluster_id) {
            Ok((voter, endpoints, ack_when_committed)) => {
                let token = self.remember_asker(asker, true);
                self.quorum.add_voter(now, Some(token), voter, endpoints, ack_when_committed);
            }
            Err(refusal) => self.respond(asker, PeerResponse::AddRaftVoter(Box::new(refusal))),
        }
    }

    pub(super) fn remove_raft_voter(&mut self, now: Now, asker: (NodeId, u64), request: &RemoveRaftVoterRequestData) {
        if !self.quorum.is_leader() {
            return self.refuse(asker.0, asker.1);
        }
        match asked_to_remove(request, &self.config.cluster_id) {
            Ok(voter) => {
                let token = self.remember_asker(asker, false);
                self.quorum.remove_voter(now, Some(token), voter);
            }
            Err(refusal) => self.respond(asker, PeerResponse::RemoveRaftVoter(Box::new(refusal))),
        }
    }

    /// The quorum has one change under way at most and refuses others at once, so few are remembered.
    fn remember_asker(&mut self, (to, correlation): (NodeId, u64), adds: bool) -> u64 {
        self.next_correlation += 1;
        self.voter_askers.insert(self.next_correlation, VoterAsker { to, correlation, adds });
        self.next_correlation
    }

    /// The quorum says what became of a change.
    pub(super) fn voter_change_done(&mut self, token: u64, outcome: Result<(), VoterChangeError>) {
        let Some(VoterAsker { to, correlation, adds }) = self.voter_askers.remove(&token) else { return };
        let body = match told(outcome) {
            Some(told) if adds => PeerResponse::AddRaftVoter(Box::new(add_answer(told))),
            Some(told) => PeerResponse::RemoveRaftVoter(Box::new(remove_answer(told))),
            None => return self.refuse(to, correlation),
        };
        self.respond((to, correlation), body);
    }

    /// UpdateFeatures: kraft.version is the quorum's, and stands in its log; all others are the controller's.
    pub(super) fn update_features(&mut self, now: Now, asker: (NodeId, u64), request: &UpdateFeaturesRequestData) {
        let wanted = request.feature_updates.iter().find(|update| update.feature.as_str() == KRAFT_VERSION);
        let wanted = wanted.map(|update| update.max_version_level);
        let upgrade = wanted.map_or(Ok(false), |level| self.quorum.check_kraft_version(level));
        let kraft = KRaftFeature {
            level: self.quorum.kraft_version(),
            voters: self.quorum.voters().ids().collect(),
            refusal: upgrade.as_ref().err().map(ToString::to_string),
        };
        let Some(state) = self.active() else { return self.refuse(asker.0, asker.1) };
        let decision = state.update_features(request, &kraft);
        let is_accepted = decision.response.error_code == ErrorCode::None.code() && !request.validate_only;
        if let (true, Ok(true), Some(level)) = (is_accepted, &upgrade, wanted)
            && self.quorum.upgrade_kraft_version(now, level).is_err()
        {
            return self.refuse(asker.0, asker.1);
        }
        let asked = PeerRequest::UpdateFeatures(Box::new(request.clone()));
        let decision = decision.map(|data| PeerResponse::UpdateFeatures(Box::new(data)));
        self.tell_answer(asker.0, &asked, &decision.response);
        self.answer(now, asker, &asked, decision);
    }
}
