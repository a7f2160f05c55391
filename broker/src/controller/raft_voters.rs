//! Voters of the metadata quorum are asked for, or asked away: what a request must say, and what the quorum's answer becomes.
//!
//! AddRaftVoter versions 0-1, RemoveRaftVoter version 0; KIP-853, KIP-1186. Source: `KafkaRaftClient.handleAddVoterRequest`,
//! `handleRemoveVoterRequest`, `RaftUtil.addVoterResponse`; messages as there.

use crate::protocol::ErrorCode;
use crate::protocol::messages::add_raft_voter_request::Listener;
use crate::protocol::messages::{
    AddRaftVoterRequestData, AddRaftVoterResponseData, KafkaString, RemoveRaftVoterRequestData,
    RemoveRaftVoterResponseData,
};
use crate::quorum::{ReplicaKey, VoterChangeError};
use crate::records::control::VoterEndpoint;
use crate::types::Id;

/// Name of the listener on which controllers meet (`controller.listener.names`).
pub const CONTROLLER_LISTENER: &str = "CONTROLLER";

/// An error, and what is said with it; without a text Kafka says the error's own.
type Refusal = (ErrorCode, Option<String>);

/// What AddRaftVoter asks for: who, where it listens, and whether the answer waits for the commit.
///
/// # Errors
/// The answer that refuses it.
pub fn asked_to_add(
    request: &AddRaftVoterRequestData,
    cluster_id: &str,
) -> Result<(ReplicaKey, Vec<VoterEndpoint>, bool), AddRaftVoterResponseData> {
    let refuse = |refusal| Err(add_answer(Err(refusal)));
    if let Err(refusal) = check_cluster_id(request.cluster_id.as_ref(), cluster_id) {
        return refuse(refusal);
    }
    let key = ReplicaKey { id: request.voter_id, directory_id: Id::from(request.voter_directory_id) };
    if key.id < 0 || key.directory_id == Id::ZERO {
        return refuse(invalid("Add voter request didn't include a valid voter".to_owned()));
    }
    if !request.listeners.iter().any(|listener| listener.name.as_str() == CONTROLLER_LISTENER) {
        return refuse(invalid(format!(
            "Add voter request didn't include the endpoint ({}) for the default listener ListenerName({CONTROLLER_LISTENER})",
            endpoints_text(&request.listeners)
        )));
    }
    let endpoint = |listener: &Listener| VoterEndpoint {
        name: listener.name.as_str().to_owned(),
        host: listener.host.as_str().to_owned(),
        port: listener.port,
    };
    Ok((key, request.listeners.iter().map(endpoint).collect(), request.ack_when_committed))
}

/// What RemoveRaftVoter asks for.
///
/// # Errors
/// The answer that refuses it.
pub fn asked_to_remove(
    request: &RemoveRaftVoterRequestData,
    cluster_id: &str,
) -> Result<ReplicaKey, RemoveRaftVoterResponseData> {
    check_cluster_id(request.cluster_id.as_ref(), cluster_id).map_err(|refusal| remove_answer(Err(refusal)))?;
    let key = ReplicaKey { id: request.voter_id, directory_id: Id::from(request.voter_directory_id) };
    if key.id < 0 || key.directory_id == Id::ZERO {
        let refusal = invalid("Remove voter request didn't include a valid voter".to_owned());
        return Err(remove_answer(Err(refusal)));
    }
    Ok(key)
}

/// What the quorum's outcome means to one who asked. Where it does not lead (any more), another one is to be asked, and nothing is told.
pub fn told(outcome: Result<(), VoterChangeError>) -> Option<Result<(), Refusal>> {
    use VoterChangeError as Error;
    let Err(error) = outcome else { return Some(Ok(())) };
    let code = match error {
        Error::NotLeader => return None,
        Error::TimedOut => return Some(Err((ErrorCode::RequestTimedOut, None))),
        Error::OperationPending
        | Error::EpochNotCommitted
        | Error::Uncommitted { .. }
        | Error::NotAvailable
        | Error::Lagging(_) => ErrorCode::RequestTimedOut,
        Error::Unsupported { .. } => ErrorCode::UnsupportedVersion,
        Error::Duplicate { .. } => ErrorCode::DuplicateVoter,
        Error::NotFound { .. } => ErrorCode::VoterNotFound,
        Error::UnsupportedByVoter { .. } => ErrorCode::InvalidRequest,
    };
    Some(Err((code, Some(error.to_string()))))
}

/// AddRaftVoter's answer.
pub fn add_answer(outcome: Result<(), Refusal>) -> AddRaftVoterResponseData {
    let (error_code, error_message) = coded(outcome);
    AddRaftVoterResponseData { error_code, error_message, ..Default::default() }
}

/// RemoveRaftVoter's answer.
pub fn remove_answer(outcome: Result<(), Refusal>) -> RemoveRaftVoterResponseData {
    let (error_code, error_message) = coded(outcome);
    RemoveRaftVoterResponseData { error_code, error_message, ..Default::default() }
}

fn coded(outcome: Result<(), Refusal>) -> (i16, Option<KafkaString>) {
    match outcome {
        Ok(()) => (ErrorCode::None.code(), None),
        Err((code, text)) => (code.code(), Some(KafkaString::from(text.unwrap_or_else(|| code.to_string())))),
    }
}

fn invalid(text: String) -> Refusal {
    (ErrorCode::InvalidRequest, Some(text))
}

/// One that names no cluster is taken for one of this.
fn check_cluster_id(asked: Option<&KafkaString>, cluster_id: &str) -> Result<(), Refusal> {
    match asked {
        Some(asked) if asked.as_str() != cluster_id => {
            let text = format!("The given id \"{}\" doesn't match the cluster id \"{cluster_id}\"", asked.as_str());
            Err((ErrorCode::InconsistentClusterId, Some(text)))
        }
        _ => Ok(()),
    }
}

/// As Kafka prints endpoints.
fn endpoints_text(listeners: &[Listener]) -> String {
    let one = |listener: &Listener| {
        format!("ListenerName({})={}/<unresolved>:{}", listener.name.as_str(), listener.host.as_str(), listener.port)
    };
    let all: Vec<String> = listeners.iter().map(one).collect();
    format!("Endpoints(endpoints={{{}}})", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(cluster_id: Option<&str>, voter_id: i32, directory: u8, listener: &str) -> AddRaftVoterRequestData {
        let listener = Listener {
            name: KafkaString::from(listener.to_owned()),
            host: KafkaString::from_static("there"),
            port: 9093,
            ..Default::default()
        };
        AddRaftVoterRequestData {
            cluster_id: cluster_id.map(|id| KafkaString::from(id.to_owned())),
            voter_id,
            voter_directory_id: Id([directory; 16]).into(),
            listeners: vec![listener],
            ..Default::default()
        }
    }

    #[test]
    fn what_kafka_refuses_before_it_asks_the_quorum() {
        let refusal = |request| {
            let answer = asked_to_add(&request, "this").expect_err("refused");
            (answer.error_code, answer.error_message.map(|text| text.as_str().to_owned()).unwrap_or_default())
        };
        assert_eq!(
            refusal(add(Some("that"), 3003, 1, "CONTROLLER")),
            (104, "The given id \"that\" doesn't match the cluster id \"this\"".to_owned())
        );
        let invalid = (42, "Add voter request didn't include a valid voter".to_owned());
        assert_eq!(refusal(add(None, -1, 1, "CONTROLLER")), invalid);
        assert_eq!(refusal(add(Some("this"), 3003, 0, "CONTROLLER")), invalid);
        let text = "Add voter request didn't include the endpoint \
            (Endpoints(endpoints={ListenerName(PLAINTEXT)=there/<unresolved>:9093})) for the default listener \
            ListenerName(CONTROLLER)";
        assert_eq!(refusal(add(Some("this"), 3003, 1, "PLAINTEXT")), (42, text.to_owned()));
        let (key, endpoints, waits) = asked_to_add(&add(Some("this"), 3003, 1, "CONTROLLER"), "this").unwrap();
        assert_eq!((key.id, key.directory_id, endpoints[0].port, waits), (3003, Id([1; 16]), 9093, true));
        let remove = RemoveRaftVoterRequestData { voter_id: 3003, ..Default::default() };
        assert_eq!(asked_to_remove(&remove, "this").expect_err("no directory").error_code, 42);
    }

    #[test]
    fn the_quorums_outcomes_are_kafkas_errors() {
        let voter = ReplicaKey { id: 3, directory_id: Id::ZERO };
        let code = |error| told(Err(error)).map(|told| add_answer(told).error_code);
        assert_eq!(code(VoterChangeError::NotLeader), None);
        assert_eq!(code(VoterChangeError::Duplicate { voter, voters: String::new() }), Some(126));
        assert_eq!(code(VoterChangeError::NotFound { voter, voters: String::new() }), Some(127));
        assert_eq!(code(VoterChangeError::Unsupported { verb: "adding", level: 0 }), Some(35));
        assert_eq!(code(VoterChangeError::Lagging(voter)), Some(7));
        let late = remove_answer(told(Err(VoterChangeError::TimedOut)).unwrap());
        assert_eq!((late.error_code, late.error_message.is_some()), (7, true));
        assert_eq!(told(Ok(())).map(remove_answer), Some(RemoveRaftVoterResponseData::default()));
    }
}
