//! Compaction, a step at a time between the broker's other work.
//!
//! Source: `org.apache.kafka.storage.internals.log.LogCleaner`, `CleanerConfig`.

use std::time::Duration;

use super::manager::ReplicaManager;
use crate::log::{CleanerConfig, CleaningOutcome, Log};
use crate::metadata::config::NodeConfig;
use crate::metadata::report::Event;
use crate::types::{Now, TopicIdPartition, TopicPartition};

impl ReplicaManager {
    /// Does a step of compaction if one is due.
    pub(super) fn clean(&mut self, now: Now) {
        if now.mono < self.dir.next_cleaning() {
            return;
        }
        let config = cleaner_config(&self.config);
        let partitions = &self.partitions;
        // While a log is copied to another directory it stays as it is: a tombstone that went from it between two slices would be missing
        // in the copy, where the value before it stands already (`LogCleanerManager.abortAndPauseCleaning`).
        let moving = self.dir.moving_names();
        let high_watermark = |log: &Log| {
            if moving.contains(log.topic_partition()) {
                return None;
            }
            let partition = partitions.get(&id_of(log)?).filter(|partition| !partition.is_offline())?;
            Some(partition.high_watermark())
        };
        for outcome in self.dir.clean(now, &config, &high_watermark) {
            self.on_cleaned(outcome);
        }
    }

    fn on_cleaned(&mut self, outcome: CleaningOutcome) {
        match outcome {
            CleaningOutcome::Cleaned { partition, .. } => {
                if let Some(id) = self.id_of_name(&partition) {
                    self.touch(id);
                }
            }
            CleaningOutcome::Uncleanable { partition, error } => {
                let message = format!("{partition} cannot be compacted and is left as it is: {error}");
                self.events.push(Event::Error { message });
            }
            CleaningOutcome::Failed { partition, error } => {
                if let Some(id) = self.id_of_name(&partition) {
                    self.fail_log(&id, &error);
                }
            }
        }
    }

    /// When [`ReplicaManager::clean`] has something to do next.
    pub(super) fn next_cleaning(&self) -> Option<Duration> {
        self.config.bool("log.cleaner.enable").then(|| self.dir.next_cleaning())
    }

    pub(super) fn id_of_name(&self, name: &TopicPartition) -> Option<TopicIdPartition> {
        self.dir.log(name).and_then(id_of)
    }
}

fn id_of(log: &Log) -> Option<TopicIdPartition> {
    Some(TopicIdPartition { topic_id: log.topic_id()?, partition: log.topic_partition().partition })
}

fn cleaner_config(config: &NodeConfig) -> CleanerConfig {
    let unsigned = |key: &str| u64::try_from(config.i64(key)).unwrap_or(0);
    CleanerConfig {
        enable: config.bool("log.cleaner.enable"),
        backoff: Duration::from_millis(unsigned("log.cleaner.backoff.ms")),
        dedupe_buffer_bytes: unsigned("log.cleaner.dedupe.buffer.size"),
        load_factor: config.f64("log.cleaner.io.buffer.load.factor"),
        io_buffer_bytes: unsigned("log.cleaner.io.buffer.size") as usize,
        max_bytes_per_second: config.f64("log.cleaner.io.max.bytes.per.second"),
    }
}
