//! The requests of a transactional producer, in the versions of clients below `transaction.version` 2 and of those of it.

use broker::protocol::Request;
use broker::protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use broker::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use broker::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use broker::protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use broker::protocol::messages::{
    AddOffsetsToTxnRequestData, AddPartitionsToTxnRequestData, EndTxnRequestData, FindCoordinatorRequestData,
    InitProducerIdRequestData, KafkaString, OffsetFetchRequestData, ProduceRequestData, TxnOffsetCommitRequestData,
};
use broker::records::{BatchBuilder, Compression};
use bytes::Bytes;

use super::history::Value;
use super::plan::TOPIC;

/// `FindCoordinatorRequest.CoordinatorType`
pub(super) const GROUP: i8 = 0;
pub(super) const TRANSACTION: i8 = 1;

/// A transactional id and its producer; its group is named like it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) id: String,
    /// Producer id and epoch.
    pub(super) producer: (i64, i16),
    /// It knows `transaction.version` 2.
    pub(super) is_v2: bool,
}

/// A request and its version.
pub(super) type Versioned = (Request, i16);

impl Identity {
    fn name(&self) -> KafkaString {
        KafkaString::from(self.id.clone())
    }

    pub(super) fn find(&self, key_type: i8) -> Versioned {
        let request = FindCoordinatorRequestData::default().with_key_type(key_type);
        (Request::FindCoordinator(request.with_coordinator_keys(vec![self.name()])), 4)
    }

    /// `expected`: the producer id and epoch that are to be followed by the next epoch (KIP-360).
    pub(super) fn init(&self, timeout_ms: i32, expected: Option<(i64, i16)>) -> Versioned {
        let (id, epoch) = expected.unwrap_or((-1, -1));
        let request = InitProducerIdRequestData::default()
            .with_transactional_id(Some(self.name()))
            .with_transaction_timeout_ms(timeout_ms)
            .with_producer_id(id)
            .with_producer_epoch(epoch);
        (Request::InitProducerId(request), if self.is_v2 { 5 } else { 4 })
    }

    pub(super) fn add(&self, partition: u32) -> Versioned {
        let topic = AddPartitionsToTxnTopic::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_partitions(vec![partition as i32]);
        let request = AddPartitionsToTxnRequestData::default()
            .with_v3_and_below_transactional_id(self.name())
            .with_v3_and_below_producer_id(self.producer.0)
            .with_v3_and_below_producer_epoch(self.producer.1)
            .with_v3_and_below_topics(vec![topic]);
        (Request::AddPartitionsToTxn(request), 3)
    }

    pub(super) fn produce(&self, partition: u32, records: Bytes, timeout_ms: i32) -> Versioned {
        let data = PartitionProduceData::default().with_index(partition as i32).with_records(Some(records));
        let topic =
            TopicProduceData::default().with_name(KafkaString::from_static(TOPIC)).with_partition_data(vec![data]);
        let request = ProduceRequestData::default()
            .with_transactional_id(Some(self.name()))
            .with_acks(-1)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(vec![topic]);
        (Request::Produce(request), if self.is_v2 { 12 } else { 9 })
    }

    pub(super) fn records(&self, base_sequence: i32, values: &[Value], wall_ms: i64) -> Bytes {
        let (id, epoch) = self.producer;
        let builder = BatchBuilder::new(0, Compression::None).producer(id, epoch, base_sequence);
        let mut builder = builder.transactional(true);
        for value in values {
            builder.push(wall_ms, None, Some(&value.to_be_bytes()), &[]);
        }
        builder.build()
    }

    pub(super) fn add_offsets(&self) -> Versioned {
        let request = AddOffsetsToTxnRequestData::default()
            .with_transactional_id(self.name())
            .with_producer_id(self.producer.0)
            .with_producer_epoch(self.producer.1)
            .with_group_id(self.name());
        (Request::AddOffsetsToTxn(request), 3)
    }

    pub(super) fn commit_offset(&self, offset: i64) -> Versioned {
        let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
        let topic = TxnOffsetCommitRequestTopic::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_partitions(vec![partition]);
        let request = TxnOffsetCommitRequestData::default()
            .with_transactional_id(self.name())
            .with_group_id(self.name())
            .with_producer_id(self.producer.0)
            .with_producer_epoch(self.producer.1)
            .with_generation_id(-1)
            .with_topics(vec![topic]);
        (Request::TxnOffsetCommit(request), if self.is_v2 { 5 } else { 3 })
    }

    pub(super) fn fetch_offset(&self) -> Versioned {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default().with_group_id(self.name()).with_topics(Some(vec![topic]));
        let request = OffsetFetchRequestData::default().with_groups(vec![group]).with_require_stable(true);
        (Request::OffsetFetch(request), 8)
    }

    pub(super) fn end(&self, commit: bool) -> Versioned {
        let request = EndTxnRequestData::default()
            .with_transactional_id(self.name())
            .with_producer_id(self.producer.0)
            .with_producer_epoch(self.producer.1)
            .with_committed(commit);
        (Request::EndTxn(request), if self.is_v2 { 5 } else { 3 })
    }
}
