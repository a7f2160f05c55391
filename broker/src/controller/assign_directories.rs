//! A broker tells which of its log directories holds each of its replicas.
//!
//! AssignReplicasToDirs version 0 (KIP-858). Source: `ReplicationControlManager.handleAssignReplicasToDirs`.

use super::leadership::{Reason, Standing};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::record::PartitionChangeRecord;
use crate::protocol::ErrorCode;
use crate::protocol::messages::assign_replicas_to_dirs_response::{
    DirectoryData as DirectoryAnswer, PartitionData as PartitionAnswer, TopicData as TopicAnswer,
};
use crate::protocol::messages::{AssignReplicasToDirsRequestData, AssignReplicasToDirsResponseData};
use crate::types::{Id, NodeId};

impl ControllerState {
    /// AssignReplicasToDirs.
    pub fn assign_directories(
        &self,
        request: &AssignReplicasToDirsRequestData,
    ) -> Decision<AssignReplicasToDirsResponseData> {
        if let Err(error) = self.check_epoch(request.broker_id, request.broker_epoch) {
            return Decision::only(AssignReplicasToDirsResponseData { error_code: error.code(), ..Default::default() });
        }
        let mut changes = Changes::default();
        let mut response = AssignReplicasToDirsResponseData::default();
        for directory in &request.directories {
            let mut answer = DirectoryAnswer { id: directory.id, ..Default::default() };
            for topic in &directory.topics {
                let mut topic_answer = TopicAnswer { topic_id: topic.topic_id, ..Default::default() };
                for partition in &topic.partitions {
                    let index = partition.partition_index;
                    let topic_id = Id::from(topic.topic_id);
                    let result = self.assign_one(request.broker_id, directory.id.into(), topic_id, index, &mut changes);
                    topic_answer.partitions.push(PartitionAnswer {
                        partition_index: index,
                        error_code: result.err().unwrap_or(ErrorCode::None).code(),
                        ..Default::default()
                    });
                }
                answer.topics.push(topic_answer);
            }
            response.directories.push(answer);
        }
        changes.with(response)
    }

    fn assign_one(
        &self,
        broker: NodeId,
        directory: Id,
        topic_id: Id,
        index: i32,
        changes: &mut Changes,
    ) -> Result<(), ErrorCode> {
        let topic = self.image.topics.get(&topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let place = partition.replicas.iter().position(|replica| *replica == broker);
        let place = place.ok_or(ErrorCode::NotLeaderOrFollower)?;
        let mut directories = partition.directories.clone();
        directories.resize(partition.replicas.len(), Id::ZERO);
        if directories[place] != directory {
            directories[place] = directory;
            changes.push(PartitionChangeRecord {
                partition_id: index,
                topic_id,
                directories: Some(directories),
                ..Default::default()
            });
        }
        // The directory failed before this controller knew what was in it.
        let online = self.image.brokers.get(&broker).is_some_and(|broker| broker.log_dirs.contains(&directory));
        if !online && (partition.isr.contains(&broker) || partition.leader == broker) {
            let config = self.topic_config(&topic.name);
            let standing = Standing::LosesDirectory(broker, directory);
            let reason = Reason::directory_failed(broker);
            self.update_partition(standing, topic, index as usize, &config, &reason, changes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Harness, id};
    use super::*;
    use crate::metadata::record::DIRECTORY_UNASSIGNED;
    use crate::protocol::messages::BrokerHeartbeatRequestData;
    use crate::protocol::messages::assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};

    /// Brokers 1 and 2 with two directories each, and a topic on both.
    fn with_two_directories() -> Harness {
        let mut harness = Harness::new(&[]);
        for broker in [1, 2] {
            let mut request = Harness::registration(broker, broker as u64, -1);
            request.log_dirs = vec![id(500 + broker as u64).into(), id(600 + broker as u64).into()];
            let decision = harness.state.register_broker(harness.now, &request, harness.next_offset());
            harness.commit(decision);
            assert!(!harness.heartbeat(broker, false, false).is_fenced);
        }
        harness.create_at("t", &[1, 2], &[]);
        harness
    }

    fn assign(harness: &mut Harness, broker: NodeId, directory: Id, topic: Id, partition_index: i32) -> ErrorCode {
        let partitions = vec![PartitionData { partition_index, ..Default::default() }];
        let topics = vec![TopicData { topic_id: topic.into(), partitions, ..Default::default() }];
        let request = AssignReplicasToDirsRequestData {
            broker_id: broker,
            broker_epoch: harness.epoch(broker),
            directories: vec![DirectoryData { id: directory.into(), topics, ..Default::default() }],
            ..Default::default()
        };
        let decision = harness.state.assign_directories(&request);
        let response = harness.commit(decision);
        ErrorCode::from(response.directories[0].topics[0].partitions[0].error_code)
    }

    #[test]
    fn brokers_say_where_their_replicas_are() {
        let mut harness = with_two_directories();
        let topic = harness.state.image().topic_ids["t"];
        assert_eq!(harness.partition("t").directories, [DIRECTORY_UNASSIGNED; 2]);
        assert_eq!(assign(&mut harness, 1, id(601), topic, 0), ErrorCode::None);
        assert_eq!(assign(&mut harness, 2, id(502), topic, 0), ErrorCode::None);
        assert_eq!(harness.partition("t").directories, [id(601), id(502)]);
        let (records, epoch) = (harness.log.len(), harness.partition("t").partition_epoch);
        assert_eq!(assign(&mut harness, 2, id(502), topic, 0), ErrorCode::None);
        assert_eq!((harness.log.len(), harness.partition("t").partition_epoch), (records, epoch), "nothing new");
        assert_eq!(assign(&mut harness, 1, id(601), id(1), 0), ErrorCode::UnknownTopicId);
        assert_eq!(assign(&mut harness, 1, id(601), topic, 7), ErrorCode::UnknownTopicOrPartition);
        harness.create_at("u", &[2], &[]);
        let other = harness.state.image().topic_ids["u"];
        assert_eq!(assign(&mut harness, 1, id(601), other, 0), ErrorCode::NotLeaderOrFollower);
        let stale = AssignReplicasToDirsRequestData { broker_id: 1, broker_epoch: 0, ..Default::default() };
        let answer = harness.state.assign_directories(&stale).response;
        assert_eq!(answer.error_code, ErrorCode::StaleBrokerEpoch.code());
    }

    #[test]
    fn only_what_lies_in_the_failed_directory_moves_away() {
        let mut harness = with_two_directories();
        harness.create_at("u", &[1, 2], &[]);
        let (t, u) = (harness.state.image().topic_ids["t"], harness.state.image().topic_ids["u"]);
        assign(&mut harness, 1, id(501), t, 0);
        assign(&mut harness, 1, id(601), u, 0);
        let request = BrokerHeartbeatRequestData {
            broker_id: 1,
            broker_epoch: harness.epoch(1),
            current_metadata_offset: harness.next_offset(),
            offline_log_dirs: vec![id(601).into()],
            ..Default::default()
        };
        let decision = harness.state.heartbeat(harness.now, &request, harness.next_offset());
        harness.commit(decision);
        assert_eq!(harness.seats("t"), (1, vec![1, 2], vec![]));
        assert_eq!(harness.seats("u"), (2, vec![2], vec![]));
        assert_eq!(harness.state.image().brokers[&1].log_dirs, [id(501)]);
        // Told late of what else was in it.
        assert_eq!(assign(&mut harness, 1, id(601), t, 0), ErrorCode::None);
        assert_eq!(harness.seats("t"), (2, vec![2], vec![]));
        assert_eq!(harness.partition("t").directories[0], id(601));
    }
}
