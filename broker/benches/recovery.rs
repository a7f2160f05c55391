//! Recovery of a 2 GB log of which nothing was flushed, against reading it once: `cargo bench -p broker --bench recovery`.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::log::disk::Disk;
use broker::log::{Log, LogConfig, RealDisk, Recovery};
use broker::records::BatchBuilder;
use broker::records::Compression;
use broker::types::{Now, TopicPartition};
use bytes::{Bytes, BytesMut};
use common::limit;
use common::{batch, is_quick, median, rounds};

fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Now { mono: Duration::ZERO, wall_ms: wall.as_millis() as i64 }
}

fn open(dir: &Path) -> Log {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new());
    let name = TopicPartition { topic: "bench".into(), partition: 0 };
    Log::open(disk, dir.join("bench-0"), name, None, LogConfig::default(), Recovery::UNKNOWN, now()).unwrap()
}

fn log_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("bench-0")).unwrap().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect()
}

/// The same batch, by an idempotent producer.
fn idempotent(batch_bytes: usize, sequence: i32) -> Bytes {
    let value = [b'x'; 1024];
    let mut builder = BatchBuilder::new(0, Compression::None).producer(7, 0, sequence);
    while builder.size_bytes() + 1044 <= batch_bytes {
        builder.push(now().wall_ms, None, Some(&value), &[]);
    }
    builder.build()
}

fn fill(dir: &Path, total: usize, make: &mut dyn FnMut() -> Bytes) {
    let mut log = open(dir);
    while (log.size_bytes() as usize) < total {
        log.append_as_leader(now(), BytesMut::from(&make()[..]), 0).unwrap();
    }
}

fn main() {
    println!("| recovery of 2 GB, nothing flushed | read once, s | recovery, s | ratio |");
    println!("|---|---|---|---|");
    let total = if is_quick() { 64 << 20 } else { 2_000_000_000 };
    for (name, batch_bytes, is_idempotent) in [
        ("16 KiB batches", 16 << 10, false),
        ("16 KiB batches of an idempotent producer", 16 << 10, true),
        ("1 MiB batches", 1 << 20, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let plain = batch(batch_bytes, 1024);
        let mut sequence = 0;
        fill(dir.path(), total, &mut || match is_idempotent {
            true => {
                let made = idempotent(batch_bytes, sequence);
                sequence +=
                    broker::records::batches(&made).flatten().map(|(header, _)| header.record_count).sum::<i32>();
                made
            }
            false => plain.clone(),
        });
        let files = log_files(dir.path());
        let (mut reads, mut recoveries) = (Vec::new(), Vec::new());
        for _ in 0..rounds() {
            reads.push(limit::read_once(files.iter().map(PathBuf::as_path)).as_secs_f64());
            let began = Instant::now();
            let log = open(dir.path());
            recoveries.push(began.elapsed().as_secs_f64());
            assert!(log.size_bytes() as usize >= total, "a recovery lost records");
        }
        let (read, recovery) = (median(reads), median(recoveries));
        println!("| {name}, in the page cache | {read:.2} | {recovery:.2} | {:.2} |", read / recovery);
    }
}
