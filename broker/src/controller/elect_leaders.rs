//! An operator asks for elections: back to preferred leaders, or unclean ones.
//!
//! ElectLeaders versions 0-2 (KIP-183, KIP-460). Source: `ReplicationControlManager.electLeaders`; errors and messages as there.

use super::MAX_RECORDS_PER_REQUEST;
use super::create_topics::{ApiError, error, text, too_large};
use super::leadership::{Reason, tell};
use super::partition_change::{Election, PartitionChange};
use super::state::{Changes, ControllerState, Decision};
use crate::logging::{Level, Logger};
use crate::metadata::report::Cause;
use crate::protocol::ErrorCode;
use crate::protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::protocol::messages::{ElectLeadersRequestData, ElectLeadersResponseData, KafkaString};
use crate::types::{NO_NODE, NodeId};

impl ControllerState {
    /// ElectLeaders. Without a list, of all partitions: then those that need no election are not told.
    pub fn elect_leaders(&self, request: &ElectLeadersRequestData) -> Decision<ElectLeadersResponseData> {
        if request.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
            return Decision::only(ElectLeadersResponseData::default());
        }
        let election = match request.election_type {
            0 => Election::Preferred,
            1 => Election::Unclean,
            other => {
                return Decision::only(refused(
                    request,
                    &error(ErrorCode::InvalidRequest, format!("Unknown election type {other}")),
                ));
            }
        };
        let mut changes = Changes::default();
        let mut response = ElectLeadersResponseData::default();
        match &request.topic_partitions {
            Some(topics) => {
                for topic in topics {
                    let elect = |index: &i32| {
                        result(*index, self.elect_one(topic.topic.as_str(), *index, election, &mut changes))
                    };
                    let partition_result = topic.partitions.iter().map(elect).collect();
                    response.replica_election_results.push(told(topic.topic.clone(), partition_result));
                }
            }
            None => {
                for topic in self.image.topics.values() {
                    let mut partition_result = Vec::new();
                    for index in 0..topic.partitions.len() as i32 {
                        let outcome = self.elect_one(&topic.name, index, election, &mut changes);
                        if !matches!(outcome, Err((ErrorCode::ElectionNotNeeded, _))) {
                            partition_result.push(result(index, outcome));
                        }
                    }
                    response.replica_election_results.push(told(text(&topic.name), partition_result));
                }
            }
        }
        if changes.records.len() > MAX_RECORDS_PER_REQUEST {
            return Decision::only(refused(request, &too_large()));
        }
        changes.with(response)
    }

    fn elect_one(&self, name: &str, index: i32, election: Election, changes: &mut Changes) -> Result<(), ApiError> {
        let unknown = |what: String| error(ErrorCode::UnknownTopicOrPartition, what);
        let topic = self.image.topic(name).ok_or_else(|| unknown(format!("No such topic as {name}")))?;
        let partition =
            topic.partition(index).ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
        let (needless, unavailable, cause) = match election {
            Election::Unclean => (
                partition.leader != NO_NODE,
                ErrorCode::EligibleLeadersNotAvailable,
                "an operator asked for an unclean election",
            ),
            _ => (
                partition.replicas.first() == Some(&partition.leader),
                ErrorCode::PreferredLeaderNotAvailable,
                "an operator asked for the preferred leader",
            ),
        };
        let plain = |code: ErrorCode| error(code, code.to_string());
        if needless {
            return Err(plain(ErrorCode::ElectionNotNeeded));
        }
        let acceptable = |id: NodeId| self.is_active(id) && self.has_online_directory(id, partition);
        let config = self.topic_config(name);
        let change =
            PartitionChange { election, ..self.change_of(topic, index as usize, partition, &config, &acceptable) };
        let changed = change.build().ok_or_else(|| plain(unavailable))?;
        self.tell(Logger::ReplicationControl, Level::Info, || {
            format!("{election:?} election of {name}-{index}, led by {}: {cause}", partition.leader)
        });
        tell(topic, index as usize, partition, &changed, &Reason::new(cause, Cause::Operator), &mut changes.events);
        changes.push(changed.record);
        Ok(())
    }
}

fn result(partition_id: i32, outcome: Result<(), ApiError>) -> PartitionResult {
    let (code, message) = outcome.err().unwrap_or((ErrorCode::None, None));
    PartitionResult {
        partition_id,
        error_code: code.code(),
        error_message: message.map(KafkaString::from),
        ..Default::default()
    }
}

fn told(topic: KafkaString, partition_result: Vec<PartitionResult>) -> ReplicaElectionResult {
    ReplicaElectionResult { topic, partition_result, ..Default::default() }
}

/// The whole request is refused (`ElectLeadersRequest.getErrorResponse`).
fn refused(request: &ElectLeadersRequestData, (code, message): &ApiError) -> ElectLeadersResponseData {
    let topics = request.topic_partitions.iter().flatten().map(|topic| {
        let refuse = |index: &i32| result(*index, Err((*code, message.clone())));
        told(topic.topic.clone(), topic.partitions.iter().map(refuse).collect())
    });
    ElectLeadersResponseData {
        error_code: code.code(),
        replica_election_results: topics.collect(),
        ..Default::default()
    }
}
