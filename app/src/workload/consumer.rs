//! One built-in consumer: a librdkafka client in the workload's group, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;

use super::asked::Asked;
use super::counts::{Count, Counts};
use super::crash::crash;
use super::producer::{client_config, told};
use crate::monitor::workload::{Isolation, OffsetReset, WorkloadSpec};

/// An end is noticed within this time.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// The time that records take is waited for once so much has come together.
const WORK_AT_ONCE: Duration = Duration::from_millis(2);

/// How a consumer is to end.
#[derive(Debug, Default)]
pub struct End(AtomicU8);

impl End {
    const LEAVE: u8 = 1;
    const CRASH: u8 = 2;

    /// It commits and leaves its group.
    pub fn leave(&self) {
        // A crash that was asked for before stays one.
        let _ = self.0.compare_exchange(0, Self::LEAVE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// It is gone at once.
    pub fn crash(&self) {
        self.0.store(Self::CRASH, Ordering::Relaxed);
    }

    fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    fn is_crash(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::CRASH
    }
}

/// One consumer of a workload.
pub struct WorkloadConsumer {
    /// Where to connect.
    pub bootstrap_servers: String,
    /// What is asked for, which changes.
    pub asked: Asked,
    /// Its group.
    pub group: String,
    /// Number within the workload, from 1.
    pub number: u32,
    /// Where the workload counts.
    pub counts: Arc<Counts>,
    /// What it read itself.
    pub read: Arc<Count>,
    /// Set to end it.
    pub end: Arc<End>,
}

/// Its `client.id`.
pub fn client_id(number: u32) -> String {
    format!("demo-consumer-{number}")
}

impl WorkloadConsumer {
    /// Reads until it is told to end.
    pub fn run(&self) {
        let consumer = match self.client(&self.asked.get()) {
            Ok(consumer) => consumer,
            Err(error) => return self.counts.fail(format!("consumer {}: {error}", self.number)),
        };
        self.read(&consumer);
        if self.end.is_crash() {
            crash(consumer);
        }
        // Otherwise it commits and leaves the group; dropping the client waits for that.
    }

    fn read(&self, consumer: &BaseConsumer) {
        let mut is_paused = false;
        let mut owed = Duration::ZERO;
        while !self.end.is_near() {
            let spec = self.asked.get();
            if spec.consumers_paused || is_paused {
                is_paused = spec.consumers_paused;
                hold(consumer, is_paused);
            }
            match consumer.poll(STOP_CHECK) {
                Some(Ok(record)) => {
                    self.count(record.timestamp().to_millis());
                    owed += Duration::from_micros(spec.processing_us);
                }
                Some(Err(error)) if consumer.client().fatal_error().is_some() => {
                    return self.counts.fail(format!("consumer {}: {error}", self.number));
                }
                // A broker died, or the group rebalances: the client recovers by itself.
                Some(Err(error)) => self.counts.trouble(told(&format!("consumer {}", self.number), &error)),
                None => {}
            }
            if owed >= WORK_AT_ONCE {
                self.work(owed);
                owed = Duration::ZERO;
            }
        }
    }

    fn count(&self, written_ms: Option<i64>) {
        self.counts.read.add_one();
        self.read.add_one();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(written_ms) = written_ms.and_then(|ms| u64::try_from(ms).ok()) {
            self.counts.end_to_end().record(now.saturating_sub(Duration::from_millis(written_ms)));
        }
    }

    /// As if it were busy with what it read: the workload's time per record.
    fn work(&self, time: Duration) {
        let began = Instant::now();
        while !self.end.is_near() {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(left.min(STOP_CHECK));
        }
    }

    fn client(&self, spec: &WorkloadSpec) -> KafkaResult<BaseConsumer> {
        let consumer: BaseConsumer = client_config(&self.bootstrap_servers, &client_id(self.number))
            .set("group.id", &self.group)
            .set(
                "auto.offset.reset",
                match spec.offset_reset {
                    OffsetReset::Earliest => "earliest",
                    OffsetReset::Latest => "latest",
                },
            )
            .set(
                "isolation.level",
                match spec.isolation {
                    Isolation::ReadCommitted => "read_committed",
                    Isolation::ReadUncommitted => "read_uncommitted",
                },
            )
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("session.timeout.ms", spec.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", spec.session_timeout_ms.max(300_000).to_string())
            .set("partition.assignment.strategy", "range")
            .set("fetch.wait.max.ms", "200")
            .set("fetch.error.backoff.ms", "100")
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.message.max.bytes", "1048576")
            .create()?;
        consumer.subscribe(&[&spec.topic])?;
        Ok(consumer)
    }
}

/// Stops (or goes on) fetching all that it was assigned; it stays in its group.
fn hold(consumer: &BaseConsumer, is_paused: bool) {
    let Ok(assignment) = consumer.assignment() else { return };
    // What was taken away meanwhile cannot be held, and need not be.
    let _ = if is_paused { consumer.pause(&assignment) } else { consumer.resume(&assignment) };
}
