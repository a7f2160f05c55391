//! What a controller writes to its log beside what its records mean (`controller::log_record`): whether it is the active one, and what it
//! answered.
//!
//! Facts and levels are those of Kafka's `QuorumController`, `ReplicationControlManager` and `ControllerApis`.

use super::controller::Controller;
use crate::controller::log_prefix;
use crate::logging::{Level, Logger};
use crate::protocol::ErrorCode;
use crate::server::peer::{PeerRequest, PeerResponse};
use crate::types::NodeId;

impl Controller {
    pub(super) fn tell(&self, logger: Logger, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.node_id;
        self.config.log.write(logger, level, || format!("{}{}", log_prefix(id), message()));
    }

    /// Another leads, or nobody is known to.
    pub(super) fn tell_leader(&self, leader: Option<NodeId>, epoch: i32) {
        if leader != Some(self.config.node_id) {
            self.tell(Logger::QuorumController, Level::Info, || match leader {
                Some(leader) => format!("In epoch {epoch} the leader is {leader}"),
                None => format!("In epoch {epoch} no leader is known"),
            });
        }
    }

    pub(super) fn tell_takeover(&self, epoch: i32) {
        self.tell(Logger::QuorumController, Level::Info, || {
            let next = self.quorum.log_end_offset();
            format!(
                "Becomes the active controller in epoch {epoch}: all before offset {next} is committed and taken in"
            )
        });
    }

    pub(super) fn tell_resignation(&self, epoch: i32, reason: &str, unanswered: usize) {
        self.tell(Logger::QuorumController, Level::Warn, || {
            let (offset, leader) = (self.quorum.high_watermark(), self.quorum.leader());
            let leader = leader.map_or("nobody that it knows".to_owned(), |leader| leader.to_string());
            format!(
                "Is no longer the active controller, as it was in epoch {epoch}: {reason}. In epoch {} the leader is {leader}. \
                 What was committed ends at offset {offset}; {unanswered} request(s) go unanswered",
                self.quorum.epoch()
            )
        });
    }

    /// A request that failed for what no client can do anything about.
    pub(super) fn tell_unexpected(&self, from: NodeId, request: &PeerRequest, why: &str) {
        self.config.log.error(Logger::ControllerApis, || {
            let node_id = self.config.node_id;
            let name = name(request);
            format!("[ControllerApis nodeId={node_id}] Request {name} of node {from} failed unexpectedly: {why}")
        });
    }

    /// What was decided for somebody who asked.
    pub(super) fn tell_answer(&self, from: NodeId, request: &PeerRequest, answer: &PeerResponse) {
        let logger = Logger::ReplicationControl;
        match answer {
            PeerResponse::CreateTopics(data) => self.tell(logger, Level::Info, || {
                let dry = matches!(request.unmetered(), PeerRequest::CreateTopics(asked) if asked.validate_only);
                let of = data.topics.iter().map(|topic| outcome(topic.name.as_str(), topic.error_code));
                let what = if dry { "CreateTopics, validated only" } else { "CreateTopics" };
                format!("{what}: {}", of.collect::<Vec<_>>().join(", "))
            }),
            PeerResponse::DeleteTopics(data) => self.tell(logger, Level::Info, || {
                let of = data.responses.iter().map(|topic| {
                    let name = topic.name.as_ref().map_or_else(
                        || crate::types::Id::from(topic.topic_id).to_string(),
                        |name| name.as_str().to_owned(),
                    );
                    outcome(&name, topic.error_code)
                });
                format!("DeleteTopics: {}", of.collect::<Vec<_>>().join(", "))
            }),
            PeerResponse::CreatePartitions(data) => self.tell(logger, Level::Debug, || {
                let of = data.results.iter().map(|topic| outcome(topic.name.as_str(), topic.error_code));
                format!("CreatePartitions: {}", of.collect::<Vec<_>>().join(", "))
            }),
            PeerResponse::AlterPartitionReassignments(data) => self.tell(logger, Level::Info, || {
                let of = data.responses.iter().flat_map(|topic| {
                    topic.partitions.iter().map(|partition| {
                        let name = format!("{}-{}", topic.name.as_str(), partition.partition_index);
                        outcome(&name, partition.error_code)
                    })
                });
                format!("Reassignments: {}", of.collect::<Vec<_>>().join(", "))
            }),
            PeerResponse::AlterPartition(data) => {
                if data.error_code != 0 {
                    self.tell(logger, Level::Info, || {
                        format!("AlterPartition of broker {from} is refused: {:?}", ErrorCode::from(data.error_code))
                    });
                }
                let refused = data.topics.iter().flat_map(|topic| {
                    let id = crate::types::Id::from(topic.topic_id);
                    topic.partitions.iter().map(move |partition| (id, partition.partition_index, partition.error_code))
                });
                for (topic_id, partition, code) in refused.filter(|(_, _, code)| *code != 0) {
                    self.tell_refused_isr(from, topic_id, partition, ErrorCode::from(code));
                }
            }
            PeerResponse::UpdateFeatures(data) if data.error_code != 0 => {
                self.tell(Logger::FeatureControl, Level::Warn, || {
                    format!(
                        "Features stay as they are: {}",
                        data.error_message.as_ref().map_or("", |text| text.as_str())
                    )
                });
            }
            _ => {}
        }
    }

    /// A leader that is behind, and hears of it before long, is a debug matter.
    fn tell_refused_isr(&self, from: NodeId, topic_id: crate::types::Id, partition: i32, error: ErrorCode) {
        let level = match error {
            ErrorCode::NotController | ErrorCode::FencedLeaderEpoch => Level::Debug,
            ErrorCode::InvalidRequest => Level::Error,
            _ => Level::Info,
        };
        self.tell(Logger::ReplicationControl, level, || {
            let topic = self.active().and_then(|state| state.image().topics.get(&topic_id));
            let name = topic.map_or_else(|| topic_id.to_string(), |topic| topic.name.to_string());
            let state = topic.and_then(|topic| topic.partition(partition)).map(|known| {
                format!(
                    ": leader {}, leader epoch {}, partition epoch {}, isr {:?}",
                    known.leader, known.leader_epoch, known.partition_epoch, known.isr
                )
            });
            let what = if error == ErrorCode::NewLeaderElected {
                "AlterPartition completed a reassignment and with it the leadership"
            } else {
                "AlterPartition is refused"
            };
            format!("{what}: broker {from}, {name}-{partition}, {error:?}{}", state.unwrap_or_default())
        });
    }
}

fn outcome(name: &str, code: i16) -> String {
    match ErrorCode::from(code) {
        ErrorCode::None => format!("{name} SUCCESS"),
        error => format!("{name} {error:?}"),
    }
}

/// Kafka's name of what is asked for: that of the variant.
fn name(request: &PeerRequest) -> String {
    let text = format!("{:?}", request.unmetered());
    text.split(['(', ' ']).next().unwrap_or_default().to_owned()
}
