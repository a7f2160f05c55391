//! One built-in consumer: a librdkafka client in the workload's group, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};

use super::counts::Counts;
use super::producer::client_config;

/// A stop is noticed within this time.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// One consumer of a workload.
pub struct WorkloadConsumer {
    /// Where to connect.
    pub bootstrap_servers: String,
    /// What it reads.
    pub topic: String,
    /// Its group.
    pub group: String,
    /// Number within the workload, from 1.
    pub number: u32,
    /// Where it counts.
    pub counts: Arc<Counts>,
    /// Set to end it.
    pub stop: Arc<AtomicBool>,
}

impl WorkloadConsumer {
    /// Reads until it is told to stop.
    pub fn run(&self) {
        let consumer = match self.client() {
            Ok(consumer) => consumer,
            Err(error) => return self.counts.fail(format!("consumer {}: {error}", self.number)),
        };
        while !self.stop.load(Ordering::Relaxed) {
            match consumer.poll(STOP_CHECK) {
                Some(Ok(_)) => self.counts.read.add_one(),
                Some(Err(error)) if consumer.client().fatal_error().is_some() => {
                    return self.counts.fail(format!("consumer {}: {error}", self.number));
                }
                // A broker died, or the group rebalances: the client recovers by itself.
                Some(Err(_)) | None => {}
            }
        }
        // Leaves the group and commits; dropping the client waits for it.
    }

    fn client(&self) -> KafkaResult<BaseConsumer> {
        let consumer: BaseConsumer = client_config(&self.bootstrap_servers, &format!("demo-consumer-{}", self.number))
            .set("group.id", &self.group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "1000")
            .set("partition.assignment.strategy", "range")
            .set("fetch.wait.max.ms", "200")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "1048576")
            .create()?;
        subscribe(&consumer, &self.topic)?;
        Ok(consumer)
    }
}

fn subscribe(consumer: &BaseConsumer, topic: &str) -> Result<(), KafkaError> {
    consumer.subscribe(&[topic])
}
