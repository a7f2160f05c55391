//! One built-in producer: a librdkafka client, paced, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig};

use super::counts::Counts;
use super::pace::Pace;
use super::record::{self, Number};
use super::spec::is_acks_all;
use crate::monitor::command::WorkloadSpec;

/// Records are handed over this often.
const TICK: Duration = Duration::from_millis(10);

/// A stop is noticed within this time.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How long a stopping producer waits for its last acknowledgements.
const FLUSH: Duration = Duration::from_secs(2);

/// One producer of a workload.
pub struct WorkloadProducer {
    /// Where to connect.
    pub bootstrap_servers: String,
    /// What was asked.
    pub spec: WorkloadSpec,
    /// Workload.
    pub workload: u64,
    /// Number within it, from 1.
    pub number: u32,
    /// Where it counts.
    pub counts: Arc<Counts>,
    /// Set to end it.
    pub stop: Arc<AtomicBool>,
}

/// Counts what becomes of each record.
struct Deliveries {
    counts: Arc<Counts>,
    acks_0: bool,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            // Nobody acknowledges with acks=0.
            Ok(_) if self.acks_0 => self.counts.unknown.add_one(),
            Ok(_) => self.counts.acked.add_one(),
            Err((error, _)) if is_certain(error) => self.counts.failed.add_one(),
            Err(_) => self.counts.unknown.add_one(),
        }
    }
}

/// Whether an error says for certain that the record was not appended, at no attempt.
fn is_certain(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::PurgeQueue
                | Code::QueueFull
                | Code::UnknownPartition
                | Code::UnknownTopic
                | Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidRecord
                | Code::InvalidMessageSize
                | Code::InvalidTopic
                | Code::MessageBatchTooLarge
                | Code::InvalidRequiredAcks
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::PolicyViolation
                | Code::UnsupportedForMessageFormat
        )
    )
}

impl WorkloadProducer {
    /// Sends until it is told to stop.
    pub fn run(&self) {
        let producer = match self.client() {
            Ok(producer) => producer,
            Err(error) => return self.counts.fail(format!("producer {}: {error}", self.number)),
        };
        self.send(&producer);
        // What nobody answers within this time is purged, and its delivery report says what is known of it.
        if producer.flush(FLUSH).is_err() {
            producer.purge(PurgeConfig::default().queue().inflight());
            // The reports of what was purged are taken in here; were it to fail, they would be counted nowhere.
            let _ = producer.flush(FLUSH);
        }
    }

    fn client(&self) -> KafkaResult<BaseProducer<Deliveries>> {
        let acks_0 = self.spec.acks == "0";
        let mut config = client_config(&self.bootstrap_servers, &format!("demo-producer-{}", self.number));
        config
            .set("acks", if is_acks_all(&self.spec) { "all" } else { &self.spec.acks })
            .set("enable.idempotence", if self.spec.idempotent { "true" } else { "false" })
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "20000")
            .set("queue.buffering.max.kbytes", "32768")
            .set("message.timeout.ms", "120000")
            .set("request.timeout.ms", "5000")
            .set("retry.backoff.ms", "50")
            .create_with_context(Deliveries { counts: self.counts.clone(), acks_0 })
    }

    fn send(&self, producer: &BaseProducer<Deliveries>) {
        let began = Instant::now();
        let per_s = self.spec.rate_per_s as f64 / f64::from(self.spec.producers.max(1));
        let mut pace = Pace::new(per_s, Duration::ZERO);
        let mut number = Number { workload: self.workload, producer: self.number, sequence: 0 };
        let (mut key, mut value) = (String::new(), String::new());
        while !self.stop.load(Ordering::Relaxed) {
            for _ in 0..pace.due(began.elapsed()) {
                record::write_key(&mut key, number);
                record::write_value(&mut value, number, self.spec.record_bytes);
                match producer.send(BaseRecord::to(&self.spec.topic).key(&key).payload(&value)) {
                    Ok(()) => {}
                    // The cluster does not keep up: this record stays due.
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                    Err((error, _)) if producer.client().fatal_error().is_some() => {
                        return self.counts.fail(format!("producer {}: {error}", self.number));
                    }
                    // The topic or a partition is not there just now: the metadata may bring it back.
                    Err(_) => break,
                }
                self.counts.sent.add_one();
                number.sequence += 1;
                pace.sent(1);
            }
            producer.poll(pace.wait(TICK).min(STOP_CHECK));
        }
    }
}

/// What all built-in clients have in common: they come back quickly after a broker died, and keep quiet.
pub fn client_config(bootstrap_servers: &str, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap_servers)
        .set("client.id", client_id)
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("socket.connection.setup.timeout.ms", "2000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("topic.metadata.refresh.fast.interval.ms", "100")
        .set("broker.address.family", "any")
        .set_log_level(RDKafkaLogLevel::Emerg);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certain_failures_count_as_failed() {
        for (code, certain) in [
            (RDKafkaErrorCode::MessageTimedOut, false),
            (RDKafkaErrorCode::RequestTimedOut, false),
            (RDKafkaErrorCode::NotEnoughReplicasAfterAppend, false),
            (RDKafkaErrorCode::PurgeInflight, false),
            (RDKafkaErrorCode::PurgeQueue, true),
            // An earlier attempt, whose answer was lost, may have been appended.
            (RDKafkaErrorCode::NotEnoughReplicas, false),
            (RDKafkaErrorCode::MessageSizeTooLarge, true),
        ] {
            assert_eq!(is_certain(&KafkaError::MessageProduction(code)), certain, "{code:?}");
        }
    }

    #[test]
    fn clients_can_be_made() {
        for (acks, idempotent) in [("all", true), ("1", false), ("0", false)] {
            let spec = WorkloadSpec { acks: acks.into(), idempotent, ..WorkloadSpec::default() };
            let producer = WorkloadProducer {
                bootstrap_servers: "127.0.0.1:1".into(),
                spec,
                workload: 1,
                number: 1,
                counts: Arc::default(),
                stop: Arc::default(),
            };
            assert!(producer.client().is_ok(), "acks {acks}");
        }
    }
}
