//! Topics made and deleted as any operator would: by a Kafka client, over TCP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::monitor::order::{Done, Refusal, RefusalKind};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long the topic of a workload is tried for while nobody answers.
const WORKLOAD_PATIENCE: Duration = Duration::from_secs(60);

/// How long while too few brokers are up for its replicas.
const BROKERS_PATIENCE: Duration = Duration::from_secs(15);

/// A new topic.
#[derive(Clone, Debug)]
pub struct TopicWish {
    /// Its name.
    pub name: String,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i16,
    /// Topic configs.
    pub configs: Vec<(String, String)>,
}

fn admin(bootstrap_servers: &str) -> KafkaResult<AdminClient<DefaultClientContext>> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap_servers)
        .set("client.id", "brokerscope-admin")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.connection.setup.timeout.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ATTEMPT)).operation_timeout(Some(ATTEMPT))
}

/// Waits for a future of the client: its answers come from threads of its own.
fn wait<T>(future: impl Future<Output = KafkaResult<T>>) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Refusal::failed(format!("The request could not be sent: {error}.")))?;
    runtime.block_on(future).map_err(|error| failure(&error))
}

fn failure(error: &KafkaError) -> Refusal {
    Refusal::failed(format!("The cluster did not answer: {error}."))
}

fn first(results: Vec<TopicResult>) -> Result<(), RDKafkaErrorCode> {
    results.into_iter().next().map_or(Ok(()), |result| result.map(drop).map_err(|(_, code)| code))
}

/// Makes a topic. Blocks until the cluster has answered.
pub fn create(bootstrap_servers: &str, wish: &TopicWish) -> Result<Done, Refusal> {
    let name = &wish.name;
    match attempt_create(bootstrap_servers, wish)? {
        Ok(()) => Ok(Done { id: None, text: format!("Topic {name} was created.") }),
        Err(RDKafkaErrorCode::TopicAlreadyExists) => Err(Refusal::conflict(format!("Topic {name} exists already."))),
        Err(code) => Err(refused(code, "created", name)),
    }
}

fn attempt_create(bootstrap_servers: &str, wish: &TopicWish) -> Result<Result<(), RDKafkaErrorCode>, Refusal> {
    let admin = admin(bootstrap_servers).map_err(|error| failure(&error))?;
    let replication = TopicReplication::Fixed(i32::from(wish.replication_factor));
    let topic = wish
        .configs
        .iter()
        .fold(NewTopic::new(&wish.name, wish.partitions, replication), |topic, (key, value)| topic.set(key, value));
    Ok(first(wait(admin.create_topics([&topic], &options()))?))
}

/// Deletes a topic. Blocks until the cluster has answered.
pub fn delete(bootstrap_servers: &str, name: &str) -> Result<Done, Refusal> {
    let admin = admin(bootstrap_servers).map_err(|error| failure(&error))?;
    match first(wait(admin.delete_topics(&[name], &options()))?) {
        Ok(()) => Ok(Done { id: None, text: format!("Topic {name} was deleted.") }),
        Err(RDKafkaErrorCode::UnknownTopicOrPartition) => Err(Refusal::not_found(format!("There is no topic {name}."))),
        Err(code) => Err(refused(code, "deleted", name)),
    }
}

fn refused(code: RDKafkaErrorCode, what: &str, name: &str) -> Refusal {
    let text = format!("Topic {name} was not {what}: {}.", reason(code));
    match code {
        RDKafkaErrorCode::InvalidTopic
        | RDKafkaErrorCode::InvalidPartitions
        | RDKafkaErrorCode::InvalidReplicationFactor
        | RDKafkaErrorCode::InvalidReplicaAssignment
        | RDKafkaErrorCode::InvalidConfig
        | RDKafkaErrorCode::InvalidRequest
        | RDKafkaErrorCode::PolicyViolation => Refusal::invalid(text),
        _ => Refusal::failed(text),
    }
}

/// `InvalidTopic (Broker: Invalid topic)` → `invalid topic`.
fn reason(code: RDKafkaErrorCode) -> String {
    if code == RDKafkaErrorCode::PolicyViolation {
        // The client library keeps the broker's own sentence to itself.
        return "policy violation (one request can make at most 9,999 partitions)".to_owned();
    }
    let text = code.to_string();
    let inside = text.split_once('(').map_or(&*text, |(_, inside)| inside.trim_end_matches(')'));
    let words = inside.trim_start_matches("Broker: ").trim_start_matches("Local: ");
    words[..1].to_lowercase() + &words[1..]
}

/// Makes a topic unless it is there; tries again while the cluster is in trouble, until `stop` is set.
pub fn ensure(bootstrap_servers: &str, wish: &TopicWish, stop: &AtomicBool) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let (refusal, patience) = match attempt_create(bootstrap_servers, wish) {
            Ok(Ok(()) | Err(RDKafkaErrorCode::TopicAlreadyExists)) => return Ok(()),
            // Brokers that are down may come back.
            Ok(Err(code @ RDKafkaErrorCode::InvalidReplicationFactor)) => {
                (refused(code, "created", &wish.name), BROKERS_PATIENCE)
            }
            Ok(Err(code)) => {
                let refusal = refused(code, "created", &wish.name);
                let hopeless = refusal.kind == RefusalKind::Invalid;
                (refusal, if hopeless { Duration::ZERO } else { WORKLOAD_PATIENCE })
            }
            Err(refusal) => (refusal, WORKLOAD_PATIENCE),
        };
        if began.elapsed() >= patience || stop.load(Ordering::Relaxed) {
            return Err(refusal.text);
        }
        std::thread::park_timeout(Duration::from_millis(250));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_for_people() {
        assert_eq!(reason(RDKafkaErrorCode::InvalidTopic), "invalid topic");
        assert_eq!(reason(RDKafkaErrorCode::InvalidReplicationFactor), "invalid replication factor");
        assert_eq!(reason(RDKafkaErrorCode::OperationTimedOut), "timed out");
        assert!(reason(RDKafkaErrorCode::PolicyViolation).contains("at most 9,999 partitions"));
    }
}
