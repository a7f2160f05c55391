//! AlterReplicaLogDirs, versions 1 and 2: replicas of this broker are to lie in another of its log directories (KIP-113).
//!
//! Source: `kafka.server.KafkaApis.handleAlterReplicaLogDirsRequest`, `kafka.server.ReplicaManager.alterReplicaLogDirs`.

use std::collections::BTreeMap;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::protocol::messages::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequestData,
    AlterReplicaLogDirsResponseData,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Now, TopicIdPartition, TopicPartition};

/// Begins the moves; the answer does not wait for their end.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    now: Now,
    request: AlterReplicaLogDirsRequestData,
) -> Handled {
    // Of a partition that is named twice the last directory counts, as in Kafka's map.
    let mut wanted: BTreeMap<TopicPartition, &str> = BTreeMap::new();
    for dir in &request.dirs {
        for topic in &dir.topics {
            for partition in &topic.partitions {
                wanted.insert(TopicPartition::new(topic.name.as_str(), *partition), dir.path.as_str());
            }
        }
    }
    let mut results: Vec<AlterReplicaLogDirTopicResult> = Vec::new();
    for (name, path) in wanted {
        let topic = broker.image.topic(&name.topic).filter(|topic| topic.partition(name.partition).is_some());
        let id = topic.map(|topic| TopicIdPartition { topic_id: topic.id, partition: name.partition });
        let error = broker.replicas.move_replica(now, &name, id, path).err().unwrap_or(ErrorCode::None);
        if results.last().is_none_or(|topic| topic.topic_name.as_str() != &*name.topic) {
            results.push(AlterReplicaLogDirTopicResult { topic_name: text(&name.topic), ..Default::default() });
        }
        if let Some(topic) = results.last_mut() {
            topic.partitions.push(AlterReplicaLogDirPartitionResult {
                partition_index: name.partition,
                error_code: error.code(),
                ..Default::default()
            });
        }
    }
    Handled::Reply(Response::AlterReplicaLogDirs(AlterReplicaLogDirsResponseData { results, ..Default::default() }))
}
