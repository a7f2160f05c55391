//! ListOffsets, versions 1 to 11 (KIP-207, KIP-320, KIP-405, KIP-734, KIP-1005, KIP-1023).
//!
//! Source: `kafka.server.KafkaApis.handleListOffsetRequest`, `kafka.server.ReplicaManager.fetchOffset`.

use std::collections::{HashMap, HashSet};

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::current_leader::{TopicKey, find_partition};
use crate::protocol::messages::{
    KafkaString, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequestData, ListOffsetsResponseData,
    ListOffsetsTopicResponse,
};
use crate::protocol::{ErrorCode, Response};
use crate::replica::{Isolation, OffsetFound, OffsetView, timestamps};
use crate::types::{Id, Now};

/// A consumer; others see to the log's end, as Kafka's brokers and tools do.
const CONSUMER: i32 = -1;
/// A tool that may ask any replica.
const DEBUGGING_CONSUMER: i32 = -2;
/// Up to this version, OFFSET_NOT_AVAILABLE is not known.
const LAST_WITHOUT_OFFSET_NOT_AVAILABLE: i16 = 4;
/// From this version on, an answer carries the leader epoch.
const FIRST_WITH_LEADER_EPOCH: i16 = 4;

/// Answers a ListOffsets request.
pub fn handle(broker: &mut Broker, context: &RequestContext, _now: Now, request: ListOffsetsRequestData) -> Handled {
    Handled::Reply(Response::ListOffsets(answer(broker, context.header.api_version, request)))
}

/// The answer, whoever asks.
pub(super) fn answer(broker: &mut Broker, version: i16, request: ListOffsetsRequestData) -> ListOffsetsResponseData {
    let Some(isolation) = Isolation::from_wire(request.isolation_level) else {
        return refusal(version, request);
    };
    let view = OffsetView {
        isolation: (request.replica_id == CONSUMER).then_some(isolation),
        leader_only: request.replica_id != DEBUGGING_CONSUMER,
    };
    let duplicates = duplicates(&request);
    // A topic without partitions is not answered; a partition that is named twice is refused once.
    let mut topics = Grouped::default();
    let mut refused = HashSet::new();
    for topic in request.topics {
        let key = TopicKey::of(false, &topic.name, Id::ZERO);
        for partition in &topic.partitions {
            let named = (topic.name.as_str().to_owned(), partition.partition_index);
            let found = match duplicates.contains(&named) {
                true if !refused.insert(named) => continue,
                true => Err(ErrorCode::InvalidRequest),
                false => find(broker, version, &key, partition, view),
            };
            topics.add(&topic.name, response(version, partition.partition_index, found));
        }
    }
    topics.into_response()
}

/// An isolation level that is none is an error of each partition.
fn refusal(version: i16, request: ListOffsetsRequestData) -> ListOffsetsResponseData {
    let mut topics = Grouped::default();
    for topic in request.topics {
        for partition in &topic.partitions {
            let index = partition.partition_index;
            topics.add(&topic.name, response(version, index, Err(ErrorCode::UnknownServerError)));
        }
    }
    topics.into_response()
}

/// Answers by topic, in the order in which their first partitions came.
#[derive(Default)]
struct Grouped {
    topics: Vec<ListOffsetsTopicResponse>,
    places: HashMap<KafkaString, usize>,
}

impl Grouped {
    fn add(&mut self, topic: &KafkaString, partition: ListOffsetsPartitionResponse) {
        let place = *self.places.entry(topic.clone()).or_insert_with(|| {
            self.topics.push(ListOffsetsTopicResponse { name: topic.clone(), ..ListOffsetsTopicResponse::default() });
            self.topics.len() - 1
        });
        self.topics[place].partitions.push(partition);
    }

    fn into_response(self) -> ListOffsetsResponseData {
        ListOffsetsResponseData { topics: self.topics, ..ListOffsetsResponseData::default() }
    }
}

fn duplicates(request: &ListOffsetsRequestData) -> HashSet<(String, i32)> {
    let mut counts: HashMap<(&str, i32), usize> = HashMap::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            *counts.entry((topic.name.as_str(), partition.partition_index)).or_default() += 1;
        }
    }
    let twice = counts.into_iter().filter(|(_, count)| *count > 1);
    twice.map(|((topic, partition), _)| (topic.to_owned(), partition)).collect()
}

/// Whether a special timestamp is known at this version.
fn is_known(timestamp: i64, version: i16) -> bool {
    let since = match timestamp {
        0.. => return true,
        timestamps::LATEST | timestamps::EARLIEST => 1,
        timestamps::MAX_TIMESTAMP => 7,
        timestamps::EARLIEST_LOCAL => 8,
        timestamps::LATEST_TIERED => 9,
        timestamps::EARLIEST_PENDING_UPLOAD => 11,
        _ => return false,
    };
    version >= since
}

fn find(
    broker: &mut Broker,
    version: i16,
    key: &TopicKey,
    partition: &ListOffsetsPartition,
    view: OffsetView,
) -> Result<OffsetFound, ErrorCode> {
    if !is_known(partition.timestamp, version) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let id = find_partition(broker, key, partition.partition_index)?;
    let found = broker.replicas.find_offset(&id, partition.timestamp, view, partition.current_leader_epoch);
    match found {
        Err(ErrorCode::OffsetNotAvailable) if version <= LAST_WITHOUT_OFFSET_NOT_AVAILABLE => {
            Err(ErrorCode::LeaderNotAvailable)
        }
        other => other,
    }
}

fn response(version: i16, partition_index: i32, found: Result<OffsetFound, ErrorCode>) -> ListOffsetsPartitionResponse {
    let code = found.err().unwrap_or(ErrorCode::None);
    let found = found.unwrap_or(OffsetFound::NONE);
    ListOffsetsPartitionResponse {
        partition_index,
        error_code: code.code(),
        timestamp: found.timestamp_ms,
        offset: found.offset,
        leader_epoch: if version >= FIRST_WITH_LEADER_EPOCH { found.leader_epoch } else { -1 },
        ..ListOffsetsPartitionResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_timestamps_appear_with_their_versions() {
        assert!(is_known(0, 1) && is_known(-1, 1) && is_known(-2, 1));
        assert!(!is_known(-3, 6) && is_known(-3, 7));
        assert!(!is_known(-4, 7) && is_known(-4, 8));
        assert!(!is_known(-5, 8) && is_known(-5, 9));
        assert!(!is_known(-6, 10) && is_known(-6, 11));
        assert!(!is_known(-7, 11));
    }
}
