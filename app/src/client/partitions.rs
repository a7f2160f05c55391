//! More partitions (KIP-195), and records deleted from the front of them (KIP-107).

use std::collections::BTreeMap;

use broker::protocol::messages::create_partitions_request::CreatePartitionsTopic;
use broker::protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use broker::protocol::messages::{CreatePartitionsRequestData, DeleteRecordsRequestData, KafkaString};

use super::cluster::{Client, Partition, To};
use super::error::ClientError;
use crate::monitor::operation::OffsetOf;

/// Gives a topic so many partitions in all.
pub fn add_partitions(client: &mut Client, topic: &str, total: i32) -> Result<(), ClientError> {
    let timeout_ms = client.broker_patience_ms();
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |_| {
            let wanted = CreatePartitionsTopic::default().with_name(topic.to_owned().into()).with_count(total);
            CreatePartitionsRequestData::default()
                .with_topics(vec![wanted.with_assignments(None)])
                .with_timeout_ms(timeout_ms)
        })?;
        answer.results.into_iter().try_for_each(|result| {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))
        })
    })
}

/// Deletes the records below each offset (-1: below the high watermark); where each log begins then.
pub fn delete_records(client: &mut Client, below: &[OffsetOf]) -> Result<Vec<OffsetOf>, ClientError> {
    let timeout_ms = client.broker_patience_ms();
    let offsets: BTreeMap<Partition<'_>, i64> =
        below.iter().map(|one| ((&*one.topic, one.partition), one.offset)).collect();
    let partitions: Vec<Partition<'_>> = offsets.keys().copied().collect();
    client.persist(|client, until| {
        let mut begins = Vec::new();
        for (leader, led) in client.by_leader(&partitions, until)? {
            let answer = client.call(To::Broker(leader), until, |_| {
                let mut by_topic: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
                for (topic, partition) in &led {
                    let offset = offsets.get(&(*topic, *partition)).copied().unwrap_or(-1);
                    let wanted = DeleteRecordsPartition::default().with_partition_index(*partition).with_offset(offset);
                    by_topic.entry(topic).or_default().push(wanted);
                }
                let topics = by_topic.into_iter().map(|(topic, partitions)| {
                    DeleteRecordsTopic::default().with_name(topic.to_owned().into()).with_partitions(partitions)
                });
                DeleteRecordsRequestData::default().with_topics(topics.collect()).with_timeout_ms(timeout_ms)
            })?;
            for topic in answer.topics {
                for result in topic.partitions {
                    ClientError::check(result.error_code, None)?;
                    begins.push(OffsetOf {
                        topic: topic.name.as_str().into(),
                        partition: result.partition_index,
                        offset: result.low_watermark,
                    });
                }
            }
        }
        Ok(begins)
    })
}
