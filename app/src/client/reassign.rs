//! Replicas moved to other brokers. KIP-455; the throttle as `kafka-reassign-partitions.sh` sets it (KIP-73).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use broker::protocol::messages::{
    AlterPartitionReassignmentsRequestData, KafkaString, ListPartitionReassignmentsRequestData,
};

use super::cluster::{Client, To};
use super::configs::alter_configs;
use super::error::ClientError;
use crate::monitor::inquiry::Reassignment;
use crate::monitor::operation::{ConfigChange, ConfigResource, Move};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

/// What a throttle was set on, so that it can be taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throttled {
    /// Topics.
    pub topics: BTreeSet<Arc<str>>,
    /// Brokers.
    pub brokers: BTreeSet<i32>,
}

/// Begins to move replicas; with a throttle, that is set first.
///
/// # Errors
/// The cluster refused it: then nothing moves, and no throttle stays.
pub fn reassign(
    client: &mut Client,
    moves: &[Move],
    throttle_bytes_per_s: Option<u64>,
) -> Result<Throttled, ClientError> {
    let throttled = match throttle_bytes_per_s {
        Some(rate) => throttle(client, moves, rate)?,
        None => Throttled::default(),
    };
    let begun = alter(client, moves.iter().map(|one| (&*one.topic, one.partition, Some(one.replicas.clone()))));
    if let Err(error) = begun {
        // What could not be taken away is told by the next describe of the configs; the error is what matters here.
        let _ = unthrottle(client, &throttled);
        return Err(error);
    }
    Ok(throttled)
}

/// Replicas stay where they were.
pub fn cancel_reassignments(client: &mut Client, partitions: &[(Arc<str>, i32)]) -> Result<(), ClientError> {
    alter(client, partitions.iter().map(|(topic, partition)| (&**topic, *partition, None)))
}

fn alter<'a>(
    client: &mut Client,
    wanted: impl Iterator<Item = (&'a str, i32, Option<Vec<i32>>)>,
) -> Result<(), ClientError> {
    let timeout_ms = client.broker_patience_ms();
    let mut by_topic: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for (topic, partition, replicas) in wanted {
        let wish = ReassignablePartition::default().with_partition_index(partition).with_replicas(replicas);
        by_topic.entry(topic).or_default().push(wish);
    }
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |_| {
            let topics = by_topic.iter().map(|(topic, partitions)| {
                let name = (*topic).to_owned().into();
                ReassignableTopic::default().with_name(name).with_partitions(partitions.clone())
            });
            AlterPartitionReassignmentsRequestData::default().with_timeout_ms(timeout_ms).with_topics(topics.collect())
        })?;
        ClientError::check(answer.error_code, answer.error_message.as_ref().map(KafkaString::as_str))?;
        for topic in &answer.responses {
            for result in &topic.partitions {
                let message = result.error_message.as_ref().map(KafkaString::as_str);
                let named =
                    message.map(|message| format!("{}-{}: {message}", topic.name.as_str(), result.partition_index));
                ClientError::check(result.error_code, named.as_deref())?;
            }
        }
        Ok(())
    })
}

/// All replicas that are being moved now.
pub fn reassignments(client: &mut Client) -> Result<Vec<Reassignment>, ClientError> {
    let timeout_ms = client.broker_patience_ms();
    client.persist(|client, until| {
        let answer = client.call(To::Any, until, |_| {
            ListPartitionReassignmentsRequestData::default().with_timeout_ms(timeout_ms).with_topics(None)
        })?;
        ClientError::check(answer.error_code, answer.error_message.as_ref().map(KafkaString::as_str))?;
        let mut found = Vec::new();
        for topic in answer.topics {
            let name: Arc<str> = topic.name.as_str().into();
            found.extend(topic.partitions.into_iter().map(|told| Reassignment {
                topic: name.clone(),
                partition: told.partition_index,
                replicas: told.replicas,
                adding: told.adding_replicas,
                removing: told.removing_replicas,
            }));
        }
        Ok(found)
    })
}

/// Sets the rate on every broker that takes part, and names the replicas that it is for.
fn throttle(client: &mut Client, moves: &[Move], rate: u64) -> Result<Throttled, ClientError> {
    let names: Vec<String> =
        moves.iter().map(|one| one.topic.to_string()).collect::<BTreeSet<_>>().into_iter().collect();
    let known = client
        .persist(|client, until| client.metadata(&names.iter().map(String::as_str).collect::<Vec<_>>(), until))?;
    let mut before: BTreeMap<(String, i32), Vec<i32>> = BTreeMap::new();
    for topic in &known {
        let name = topic.name.as_ref().map_or("", KafkaString::as_str);
        for partition in &topic.partitions {
            before.insert((name.to_owned(), partition.partition_index), partition.replica_nodes.clone());
        }
    }
    // A broker that is down gives and takes nothing, and cannot be told.
    let live: BTreeSet<i32> = client.persist(Client::broker_ids)?.into_iter().collect();
    let mut throttled = Throttled::default();
    let mut replicas = Replicas::new();
    for one in moves {
        let old = before.get(&(one.topic.to_string(), one.partition)).cloned().unwrap_or_default();
        let (leaders, followers) = replicas.entry(one.topic.clone()).or_default();
        // Who has it already gives, who is new takes.
        leaders.extend(old.iter().map(|id| format!("{}:{id}", one.partition)));
        let coming = one.replicas.iter().filter(|id| !old.contains(id));
        followers.extend(coming.map(|id| format!("{}:{id}", one.partition)));
        throttled.brokers.extend(old.iter().chain(&one.replicas).filter(|id| live.contains(id)));
        throttled.topics.insert(one.topic.clone());
    }
    if let Err(error) = set_throttle(client, &replicas, &throttled.brokers, rate) {
        // The error is what matters here; what could not be taken away is told by the next describe of the configs.
        let _ = unthrottle(client, &throttled);
        return Err(error);
    }
    Ok(throttled)
}

/// Replicas of a topic that give, and those that take, as its configs name them.
type Replicas = BTreeMap<Arc<str>, (Vec<String>, Vec<String>)>;

fn set_throttle(
    client: &mut Client,
    replicas: &Replicas,
    brokers: &BTreeSet<i32>,
    rate: u64,
) -> Result<(), ClientError> {
    let set = |name: &str, value: String| ConfigChange { name: name.to_owned(), value: Some(value) };
    for (topic, (leaders, followers)) in replicas {
        let changes = [set(LEADER_REPLICAS, leaders.join(",")), set(FOLLOWER_REPLICAS, followers.join(","))];
        alter_configs(client, &ConfigResource::Topic(topic.clone()), &changes)?;
    }
    for id in brokers {
        let changes = [set(LEADER_RATE, rate.to_string()), set(FOLLOWER_RATE, rate.to_string())];
        alter_configs(client, &ConfigResource::Broker(Some(*id)), &changes)?;
    }
    Ok(())
}

/// Takes a throttle away again.
pub fn unthrottle(client: &mut Client, throttled: &Throttled) -> Result<(), ClientError> {
    let unset = |names: [&str; 2]| names.map(|name| ConfigChange { name: name.to_owned(), value: None });
    for topic in &throttled.topics {
        alter_configs(client, &ConfigResource::Topic(topic.clone()), &unset([LEADER_REPLICAS, FOLLOWER_REPLICAS]))?;
    }
    for id in &throttled.brokers {
        alter_configs(client, &ConfigResource::Broker(Some(*id)), &unset([LEADER_RATE, FOLLOWER_RATE]))?;
    }
    Ok(())
}
