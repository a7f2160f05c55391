//! Topics made and deleted. KIP-4.

use broker::protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use broker::protocol::messages::{CreateTopicsRequestData, DeleteTopicState, DeleteTopicsRequestData, KafkaString};

use super::cluster::{Client, To};
use super::error::ClientError;

/// Makes a topic; -1 partitions or replicas: as the broker has it by default.
pub fn create_topic(
    client: &mut Client,
    name: &str,
    partitions: i32,
    replication_factor: i16,
    configs: &[(String, String)],
) -> Result<(), ClientError> {
    let timeout_ms = client.broker_patience_ms();
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |_| {
            let configs = configs.iter().map(|(name, value)| {
                CreatableTopicConfig::default().with_name(name.clone().into()).with_value(Some(value.clone().into()))
            });
            let topic = CreatableTopic::default()
                .with_name(name.to_owned().into())
                .with_num_partitions(partitions)
                .with_replication_factor(replication_factor)
                .with_configs(configs.collect());
            CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(timeout_ms)
        })?;
        answer.topics.into_iter().try_for_each(|result| {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))
        })
    })
}

/// Deletes a topic.
pub fn delete_topic(client: &mut Client, name: &str) -> Result<(), ClientError> {
    let timeout_ms = client.broker_patience_ms();
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |version| {
            let request = DeleteTopicsRequestData::default().with_timeout_ms(timeout_ms);
            if version >= 6 {
                let topic = DeleteTopicState::default().with_name(Some(name.to_owned().into()));
                request.with_topics(vec![topic])
            } else {
                request.with_topic_names(vec![name.to_owned().into()])
            }
        })?;
        answer.responses.into_iter().try_for_each(|result| {
            ClientError::check(result.error_code, result.error_message.as_ref().map(KafkaString::as_str))
        })
    })
}
