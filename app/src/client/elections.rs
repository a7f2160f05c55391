//! Elections that somebody asks for. KIP-183 (preferred), KIP-460 (unclean).

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::protocol::ErrorCode;
use broker::protocol::messages::elect_leaders_request::TopicPartitions;
use broker::protocol::messages::{ElectLeadersRequestData, KafkaString};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::operation::Election;

/// How elections went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elected {
    /// Partitions that have another leader now.
    pub changed: usize,
    /// Partitions that needed none.
    pub not_needed: usize,
    /// Those that could not be, each with the reason.
    pub failed: Vec<(String, i32, String)>,
}

/// Elects leaders of these partitions; of all, if there are none.
///
/// # Errors
/// The cluster did not do it at all; what failed of single partitions is told in the answer.
pub fn elect_leaders(
    client: &mut Client,
    election: Election,
    partitions: &[(Arc<str>, i32)],
) -> Result<Elected, ClientError> {
    let timeout_ms = client.broker_patience_ms();
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |version| {
            let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
            for (topic, partition) in partitions {
                by_topic.entry(topic).or_default().push(*partition);
            }
            let topics = by_topic.into_iter().map(|(topic, partitions)| {
                TopicPartitions::default().with_topic(topic.to_owned().into()).with_partitions(partitions)
            });
            let request = ElectLeadersRequestData::default()
                .with_timeout_ms(timeout_ms)
                .with_topic_partitions((!partitions.is_empty()).then(|| topics.collect()));
            let kind = i8::from(election == Election::Unclean);
            if version >= 1 { request.with_election_type(kind) } else { request }
        })?;
        ClientError::check(answer.error_code, None)?;
        let mut elected = Elected::default();
        for topic in answer.replica_election_results {
            for result in topic.partition_result {
                match ErrorCode::from(result.error_code) {
                    ErrorCode::None => elected.changed += 1,
                    ErrorCode::ElectionNotNeeded => elected.not_needed += 1,
                    _ => {
                        let message = result.error_message.as_ref().map(KafkaString::as_str);
                        let Err(why) = ClientError::check(result.error_code, message) else { continue };
                        elected.failed.push((topic.topic.as_str().to_owned(), result.partition_id, why.to_string()));
                    }
                }
            }
        }
        Ok(elected)
    })
}
