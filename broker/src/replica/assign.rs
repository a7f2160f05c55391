//! AssignReplicasToDirs: the controller is told which directory holds each replica where it believes otherwise, in one request at a time,
//! until it has agreed. Pure.
//!
//! Source: `org.apache.kafka.server.AssignmentsManager` (KIP-858).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    AssignReplicasToDirsRequestData, AssignReplicasToDirsResponseData, assign_replicas_to_dirs_request as wire,
};
use crate::types::{Id, NodeId, TopicIdPartition};

/// `AssignReplicasToDirsRequest.MAX_ASSIGNMENTS_PER_REQUEST`.
const MAX_PER_REQUEST: usize = 2250;
/// After an answer that was none.
const RETRY_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct InFlight {
    id: u64,
    deadline: Duration,
    sent: BTreeMap<TopicIdPartition, Id>,
}

/// What the controller has to be told.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    wanted: BTreeMap<TopicIdPartition, Id>,
    in_flight: Option<InFlight>,
    retry_at: Duration,
}

impl Assignments {
    /// This replica lies, or will lie, in this directory.
    pub(super) fn want(&mut self, id: TopicIdPartition, directory: Id) {
        let sent = self.in_flight.as_ref().and_then(|in_flight| in_flight.sent.get(&id));
        if self.wanted.contains_key(&id) || sent != Some(&directory) {
            self.wanted.insert(id, directory);
        }
    }

    /// The replica is gone, or the controller knows.
    pub(super) fn forget(&mut self, id: &TopicIdPartition) {
        self.wanted.remove(id);
    }

    /// How many replicas the controller has still to be told of.
    pub(super) fn queued(&self) -> usize {
        self.wanted.len() + self.in_flight.as_ref().map_or(0, |in_flight| in_flight.sent.len())
    }

    /// The next request, if one is due and none is under way.
    pub(super) fn take_request(
        &mut self,
        now: Duration,
        id: u64,
        timeout: Duration,
        broker_id: NodeId,
        broker_epoch: i64,
    ) -> Option<AssignReplicasToDirsRequestData> {
        if self.in_flight.is_some() || self.wanted.is_empty() || now < self.retry_at || broker_epoch < 0 {
            return None;
        }
        let ids: Vec<TopicIdPartition> = self.wanted.keys().take(MAX_PER_REQUEST).copied().collect();
        let sent: BTreeMap<_, _> = ids.iter().filter_map(|id| self.wanted.remove_entry(id)).collect();
        let directories = directories(&sent);
        self.in_flight = Some(InFlight { id, deadline: now + timeout, sent });
        Some(AssignReplicasToDirsRequestData { broker_id, broker_epoch, directories, ..Default::default() })
    }

    /// The controller answered request `id`, or nobody did: what it agreed to.
    pub(super) fn answered(
        &mut self,
        now: Duration,
        id: u64,
        result: Result<AssignReplicasToDirsResponseData, ()>,
    ) -> Vec<(TopicIdPartition, Id)> {
        let Some(mut in_flight) = self.in_flight.take_if(|in_flight| in_flight.id == id) else { return Vec::new() };
        let mut agreed = Vec::new();
        if let Ok(response) = result
            && response.error_code == 0
        {
            for directory in response.directories {
                for topic in directory.topics {
                    let topic_id = Id::from(topic.topic_id);
                    for partition in topic.partitions {
                        let id = TopicIdPartition { topic_id, partition: partition.partition_index };
                        match ErrorCode::from(partition.error_code) {
                            ErrorCode::None => agreed.extend(in_flight.sent.remove_entry(&id)),
                            // Nothing of this broker's any more.
                            ErrorCode::UnknownTopicId
                            | ErrorCode::UnknownTopicOrPartition
                            | ErrorCode::NotLeaderOrFollower => drop(in_flight.sent.remove(&id)),
                            _ => {}
                        }
                    }
                }
            }
        }
        self.retry(now, in_flight.sent);
        agreed
    }

    fn retry(&mut self, now: Duration, left: BTreeMap<TopicIdPartition, Id>) {
        if !left.is_empty() {
            self.retry_at = now + RETRY_AFTER;
        }
        for (id, directory) in left {
            self.wanted.entry(id).or_insert(directory);
        }
    }

    /// Gives up a request that was lost on the way.
    pub(super) fn on_tick(&mut self, now: Duration) {
        if let Some(lost) = self.in_flight.take_if(|in_flight| in_flight.deadline <= now) {
            self.retry(now, lost.sent);
        }
    }

    /// When there is something to do next.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        match &self.in_flight {
            Some(in_flight) => Some(in_flight.deadline),
            None => (!self.wanted.is_empty()).then_some(self.retry_at),
        }
    }
}

fn directories(sent: &BTreeMap<TopicIdPartition, Id>) -> Vec<wire::DirectoryData> {
    let ids: BTreeSet<Id> = sent.values().copied().collect();
    let topics = |directory: Id| {
        let mut topics: Vec<wire::TopicData> = Vec::new();
        for (id, _) in sent.iter().filter(|(_, at)| **at == directory) {
            if topics.last().is_none_or(|topic| Id::from(topic.topic_id) != id.topic_id) {
                topics.push(wire::TopicData { topic_id: id.topic_id.into(), ..Default::default() });
            }
            if let Some(topic) = topics.last_mut() {
                let partition_index = id.partition;
                topic.partitions.push(wire::PartitionData { partition_index, ..Default::default() });
            }
        }
        topics
    };
    ids.into_iter().map(|id| wire::DirectoryData { id: id.into(), topics: topics(id), ..Default::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::assign_replicas_to_dirs_response as answer;

    const D1: Id = Id([1; 16]);
    const D2: Id = Id([2; 16]);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn id(partition: i32) -> TopicIdPartition {
        TopicIdPartition { topic_id: Id([7; 16]), partition }
    }

    #[test]
    fn what_is_not_agreed_to_is_asked_again() {
        let mut assignments = Assignments::default();
        for (partition, directory) in [(0, D1), (1, D2), (2, D1), (3, D1)] {
            assignments.want(id(partition), directory);
        }
        let request = assignments.take_request(ms(0), 1, ms(100), 1, 5).unwrap();
        assert_eq!(request.directories.len(), 2);
        assert_eq!(request.directories[0].topics[0].partitions.len(), 3);
        assert!(assignments.take_request(ms(0), 2, ms(100), 1, 5).is_none(), "one at a time");
        let part = |partition_index, code: ErrorCode| answer::PartitionData {
            partition_index,
            error_code: code.code(),
            ..Default::default()
        };
        let partitions = vec![
            part(0, ErrorCode::None),
            part(2, ErrorCode::UnknownTopicOrPartition),
            part(3, ErrorCode::NotController),
        ];
        let topics = vec![answer::TopicData { topic_id: Id([7; 16]).into(), partitions, ..Default::default() }];
        let directories = vec![answer::DirectoryData { id: D1.into(), topics, ..Default::default() }];
        let response = AssignReplicasToDirsResponseData { directories, ..Default::default() };
        assert_eq!(assignments.answered(ms(1), 1, Ok(response)), [(id(0), D1)]);
        assert!(assignments.take_request(ms(1), 3, ms(100), 1, 5).is_none(), "not at once");
        let request = assignments.take_request(ms(101), 3, ms(100), 1, 5).unwrap();
        assert_eq!(request.directories.iter().map(|dir| dir.topics[0].partitions.len()).sum::<usize>(), 2);
        assignments.on_tick(ms(201));
        assert!(assignments.take_request(ms(301), 4, ms(100), 1, 5).is_some(), "the answer was lost");
        assert!(assignments.answered(ms(301), 4, Err(())).is_empty());
        assert_eq!(assignments.next_deadline(), Some(ms(401)));
    }
}
