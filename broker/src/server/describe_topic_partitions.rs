//! DescribeTopicPartitions v0: topics and their partitions page by page, with eligible leader replicas.
//!
//! KIP-966. Source: `kafka.server.handlers.DescribeTopicPartitionsRequestHandler`, `KRaftMetadataCache.describeTopicResponse`.

use std::collections::BTreeSet;

use super::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::{self, TOPIC_OPERATIONS, offline_replicas, text};
use crate::controller::{check_topic_name, is_internal};
use crate::metadata::image::{Image, PartitionImage, TopicImage};
use crate::protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::messages::{DescribeTopicPartitionsRequestData, DescribeTopicPartitionsResponseData};
use crate::protocol::{ErrorCode, Response};
use crate::types::{NO_NODE, Now};

/// Answers from this broker's image.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeTopicPartitionsRequestData,
) -> Handled {
    let limit = broker.config.i32("max.request.partition.size.limit");
    Handled::Reply(Response::DescribeTopicPartitions(answer(&broker.image, limit, &request)))
}

fn answer(
    image: &Image,
    own_limit: i32,
    request: &DescribeTopicPartitionsRequestData,
) -> DescribeTopicPartitionsResponseData {
    let cursor = request.cursor.as_deref().map(|cursor| (cursor.topic_name.as_str(), cursor.partition_index));
    let start_topic = cursor.map_or("", |(topic, _)| topic);
    let all = request.topics.is_empty();
    let names: BTreeSet<&str> = if all {
        image.topic_ids.keys().map(AsRef::as_ref).filter(|name| *name >= start_topic).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= start_topic).collect()
    };
    let cursor_is_listed = all || cursor.is_none_or(|(topic, _)| names.contains(topic));
    if !cursor_is_listed || cursor.is_some_and(|(_, partition)| partition < 0) {
        return refusal(request, ErrorCode::InvalidRequest);
    }
    // Kafka does not foresee an empty name, if the cursor does not step over it.
    if !all && names.contains("") {
        return refusal(request, ErrorCode::UnknownServerError);
    }
    let limit = request.response_partition_limit.min(own_limit).max(1);
    let mut page = Page { image, left: usize::try_from(limit).unwrap_or(1), response: Default::default() };
    for name in names {
        let start = cursor.filter(|(topic, _)| *topic == name).map_or(0, |(_, partition)| partition);
        if !page.add(name, usize::try_from(start).unwrap_or(0)) {
            break;
        }
    }
    page.response
}

/// Each topic that was asked for, with this error.
fn refusal(request: &DescribeTopicPartitionsRequestData, error: ErrorCode) -> DescribeTopicPartitionsResponseData {
    let topics = request.topics.iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_error_code(error.code())
            .with_name(Some(topic.name.clone()))
    });
    DescribeTopicPartitionsResponseData::default().with_topics(topics.collect())
}

struct Page<'a> {
    image: &'a Image,
    /// Partitions that still fit.
    left: usize,
    response: DescribeTopicPartitionsResponseData,
}

impl Page<'_> {
    /// Adds a topic from partition `start` on; false once the page is full.
    fn add(&mut self, name: &str, start: usize) -> bool {
        if self.left == 0 {
            self.continue_at(name, 0);
            return false;
        }
        let described = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(text(name)))
            .with_is_internal(is_internal(name))
            .with_topic_authorized_operations(TOPIC_OPERATIONS);
        let Some(topic) = self.image.topic(name) else {
            let valid = check_topic_name(name).is_ok();
            let error = if valid { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
            self.response.topics.push(described.with_error_code(error.code()));
            return true;
        };
        let partitions = self.partitions(topic, start);
        let next = start.saturating_add(partitions.len());
        self.left -= partitions.len();
        self.response.topics.push(described.with_topic_id(topic.id.into()).with_partitions(partitions));
        if next < topic.partitions.len() {
            self.continue_at(name, i32::try_from(next).unwrap_or(i32::MAX));
            return false;
        }
        true
    }

    fn continue_at(&mut self, topic: &str, partition: i32) {
        let cursor = Cursor::default().with_topic_name(text(topic)).with_partition_index(partition);
        self.response.next_cursor = Some(Box::new(cursor));
    }

    fn partitions(&self, topic: &TopicImage, start: usize) -> Vec<DescribeTopicPartitionsResponsePartition> {
        let numbered = topic.partitions.iter().zip(0..).skip(start).take(self.left);
        numbered.map(|(partition, index)| self.partition(index, partition)).collect()
    }

    fn partition(&self, index: i32, partition: &PartitionImage) -> DescribeTopicPartitionsResponsePartition {
        let leader = endpoints::reachable(self.image, partition.leader).map_or(NO_NODE, |broker| broker.id);
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(leader)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(partition.replicas.clone())
            .with_isr_nodes(partition.isr.clone())
            .with_eligible_leader_replicas(Some(partition.elr.clone()))
            .with_last_known_elr(Some(partition.last_known_elr.clone()))
            .with_offline_replicas(offline_replicas(self.image, partition))
    }
}

#[cfg(test)]
mod tests {
    use super::super::endpoints::testing::*;
    use super::*;
    use crate::protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};

    fn image() -> Image {
        let mut image = image_of_brokers(3);
        add_topic(&mut image, "a", &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]]);
        add_topic(&mut image, "b", &[&[1, 2, 3], &[2, 3, 1]]);
        image
    }

    fn request(names: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> DescribeTopicPartitionsRequestData {
        let topics = names.iter().map(|name| TopicRequest::default().with_name(text(name))).collect();
        let cursor = cursor.map(|(topic, partition)| {
            Box::new(Cursor::default().with_topic_name(text(topic)).with_partition_index(partition))
        });
        DescribeTopicPartitionsRequestData::default()
            .with_topics(topics)
            .with_response_partition_limit(limit)
            .with_cursor(cursor)
    }

    type Row = (i16, String, Vec<i32>);

    fn page(request: &DescribeTopicPartitionsRequestData) -> (Vec<Row>, Option<(String, i32)>) {
        let response = answer(&image(), 2000, request);
        let row = |topic: &DescribeTopicPartitionsResponseTopic| {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index).collect();
            (topic.error_code, topic.name.as_ref().unwrap().as_str().to_owned(), indexes)
        };
        let cursor = response.next_cursor.as_ref().map(|c| (c.topic_name.as_str().to_owned(), c.partition_index));
        (response.topics.iter().map(row).collect(), cursor)
    }

    fn row(error: i16, name: &str, partitions: &[i32]) -> Row {
        (error, name.to_owned(), partitions.to_vec())
    }

    #[test]
    fn pages_follow_each_other() {
        assert_eq!(page(&request(&[], 2000, None)), (vec![row(0, "a", &[0, 1, 2]), row(0, "b", &[0, 1])], None));
        assert_eq!(page(&request(&[], 2, None)), (vec![row(0, "a", &[0, 1])], Some(("a".into(), 2))));
        let second = page(&request(&[], 2, Some(("a", 2))));
        assert_eq!(second, (vec![row(0, "a", &[2]), row(0, "b", &[0])], Some(("b".into(), 1))));
        assert_eq!(page(&request(&[], 2, Some(("b", 1)))), (vec![row(0, "b", &[1])], None));
        // A page that ends with its topic points at the next topic's start.
        assert_eq!(page(&request(&["a", "b"], 3, None)), (vec![row(0, "a", &[0, 1, 2])], Some(("b".into(), 0))));
        // At least one partition, whatever is asked for.
        assert_eq!(page(&request(&[], -5, None)), (vec![row(0, "a", &[0])], Some(("a".into(), 1))));
    }

    #[test]
    fn unknown_topics_and_bad_cursors() {
        let expected = vec![row(0, "b", &[0, 1]), row(17, "b b", &[]), row(3, "c", &[])];
        assert_eq!(page(&request(&["c", "b b", "b"], 2000, None)), (expected, None));
        assert_eq!(page(&request(&["a"], 9, Some(("b", 0)))).0, [row(42, "a", &[])]);
        assert_eq!(page(&request(&["a"], 9, Some(("a", -1)))).0, [row(42, "a", &[])]);
        assert_eq!(page(&request(&[], 9, Some(("z", 0)))), (vec![], None));
        assert_eq!(page(&request(&[], 9, Some(("b", 70)))), (vec![row(0, "b", &[])], None));
    }

    #[test]
    fn partitions_are_described_in_full() {
        let mut image = image();
        let topic = image.topic_ids["b"];
        change_partition(&mut image, topic, 0, |partition| {
            partition.leader = -1;
            partition.isr = vec![];
            partition.elr = vec![2];
            partition.last_known_elr = vec![3];
        });
        change_broker(&mut image, 3, |broker| broker.fenced = true);
        let response = answer(&image, 2000, &request(&["b"], 2000, None));
        let partition = &response.topics[0].partitions[0];
        assert_eq!((partition.leader_id, partition.leader_epoch, partition.error_code), (-1, 5, 0));
        assert_eq!(partition.eligible_leader_replicas.as_deref(), Some(&[2][..]));
        assert_eq!(partition.last_known_elr.as_deref(), Some(&[3][..]));
        assert_eq!(partition.offline_replicas, [3]);
    }
}
