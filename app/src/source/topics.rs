//! Topics made and deleted as any operator would: by a Kafka client, over TCP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use broker::protocol::ErrorCode;

use crate::client::{self, Client, ClientError};
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

fn attempt_create(bootstrap_servers: &str, wish: &TopicWish) -> Result<(), ClientError> {
    let mut client = Client::new(bootstrap_servers, ATTEMPT);
    client::create_topic(&mut client, &wish.name, wish.partitions, wish.replication_factor, &wish.configs)
}

fn not_created(wish: &TopicWish, error: &ClientError) -> Refusal {
    error.refusal(&format!("Topic {} was not created", wish.name))
}

/// Makes a topic. Blocks until the cluster has answered.
pub fn create(bootstrap_servers: &str, wish: &TopicWish) -> Result<Done, Refusal> {
    let name = &wish.name;
    match attempt_create(bootstrap_servers, wish) {
        Ok(()) => Ok(Done { id: None, text: format!("Topic {name} was created.") }),
        Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {
            Err(Refusal::conflict(format!("Topic {name} exists already.")))
        }
        Err(error) => Err(not_created(wish, &error)),
    }
}

/// Deletes a topic. Blocks until the cluster has answered.
pub fn delete(bootstrap_servers: &str, name: &str) -> Result<Done, Refusal> {
    match client::delete_topic(&mut Client::new(bootstrap_servers, ATTEMPT), name) {
        Ok(()) => Ok(Done { id: None, text: format!("Topic {name} was deleted.") }),
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            Err(Refusal::not_found(format!("There is no topic {name}.")))
        }
        Err(error) => Err(error.refusal(&format!("Topic {name} was not deleted"))),
    }
}

/// Makes a topic unless it is there; tries again while the cluster is in trouble, until `stop` is set.
pub fn ensure(bootstrap_servers: &str, wish: &TopicWish, stop: &AtomicBool) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let Err(error) = attempt_create(bootstrap_servers, wish) else { return Ok(()) };
        let refusal = not_created(wish, &error);
        let patience = match error.code() {
            Some(ErrorCode::TopicAlreadyExists) => return Ok(()),
            // Brokers that are down may come back.
            Some(ErrorCode::InvalidReplicationFactor) => BROKERS_PATIENCE,
            _ if refusal.kind == RefusalKind::Invalid => Duration::ZERO,
            _ => WORKLOAD_PATIENCE,
        };
        if began.elapsed() >= patience || stop.load(Ordering::Relaxed) {
            return Err(refusal.text);
        }
        std::thread::park_timeout(Duration::from_millis(250));
    }
}
