//! The log as a whole.

mod behaviour;
mod compaction;
mod compaction_crashes;
mod compaction_model;
mod conversion;
mod damage;
mod directory;
mod files;
mod kafkas_tools;
mod lines;
mod model;
mod outline;
mod recovery_states;
mod scrub;
mod tail;
mod transactions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;

use super::{AppendInfo, Log, LogConfig, LogError, Recovery, SimDisk};
use crate::records::{BatchBuilder, BatchHeader, Compression, batches, records};
use crate::types::{Id, Now, TopicPartition};

const TOPIC_ID: Id = Id([5; 16]);

fn now(wall_ms: i64) -> Now {
    Now { mono: std::time::Duration::from_millis(wall_ms as u64), wall_ms }
}

fn dir() -> PathBuf {
    PathBuf::from("/data/t-0")
}

/// Segments of a few batches, an index entry every few.
fn small() -> LogConfig {
    LogConfig { segment_bytes: 420, index_interval_bytes: 150, ..LogConfig::default() }
}

fn open_with(disk: &SimDisk, config: LogConfig, recovery: Recovery) -> Result<Log, LogError> {
    let name = TopicPartition::new("t", 0);
    Log::open(Arc::new(disk.clone()), dir(), name, Some(TOPIC_ID), config, recovery, now(0))
}

fn open(disk: &SimDisk, config: LogConfig) -> Log {
    open_with(disk, config, Recovery::UNKNOWN).unwrap()
}

fn clean(log_start_offset: i64) -> Recovery {
    Recovery { clean_shutdown: true, recovery_point: 0, log_start_offset, ..Recovery::UNKNOWN }
}

/// A batch of `count` records, all with that timestamp.
fn batch(timestamp_ms: i64, count: i32) -> BytesMut {
    let mut builder = BatchBuilder::new(0, Compression::None);
    for index in 0..count {
        builder.push(timestamp_ms, None, Some(format!("value {index}").as_bytes()), &[]);
    }
    builder.build_mut()
}

fn producer_batch(id: i64, epoch: i16, sequence: i32, count: i32, transactional: bool) -> BytesMut {
    let mut builder =
        BatchBuilder::new(0, Compression::None).producer(id, epoch, sequence).transactional(transactional);
    for _ in 0..count {
        builder.push(1, None, Some(b"value"), &[]);
    }
    builder.build_mut()
}

fn append(log: &mut Log, timestamp_ms: i64, count: i32, epoch: i32) -> AppendInfo {
    log.append_as_leader(now(timestamp_ms), batch(timestamp_ms, count), epoch).unwrap()
}

/// Headers of everything in the log.
fn headers(log: &Log) -> Vec<BatchHeader> {
    let mut found = Vec::new();
    let mut from = log.log_start_offset();
    loop {
        let read = log.read(from, 400, i64::MAX, true).unwrap();
        if read.records.is_empty() {
            return found;
        }
        found.extend(batches(&read.records).map(|batch| batch.unwrap().0));
        from = read.next_offset;
    }
}

fn flip(disk: &SimDisk, path: &Path, at: u64) {
    use super::disk::Disk;
    let mut file = disk.open(path, false).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], at).unwrap();
}

fn file(name: &str) -> PathBuf {
    dir().join(name)
}

fn offsets_of(bytes: &[u8]) -> Vec<i64> {
    batches(bytes)
        .flat_map(|batch| records(batch.unwrap().1, 1 << 20).unwrap().map(|record| record.unwrap().offset))
        .collect()
}
