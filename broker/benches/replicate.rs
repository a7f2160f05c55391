//! Append + replicate ×3 + acknowledge, against one loopback receive, one CRC32C and three page-cache writes of the same bytes by a bare
//! program: `cargo bench -p broker --bench replicate`.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

mod common;

use std::time::{Duration, Instant};

use broker::cluster::Profile;
use bytes::Bytes;
use common::client::{Client, check_produced, produce_frame};
use common::limit::{self, WINDOW};
use common::{batch, is_quick, mb_per_s, median, rounds, start};

/// Bytes of a round.
const ROUND_BYTES: usize = 192 << 20;

struct Case {
    name: &'static str,
    batch_bytes: usize,
    record_bytes: usize,
    partitions: i32,
}

const CASES: [Case; 6] = [
    Case { name: "1 MiB batches, 1 KiB records", batch_bytes: 1 << 20, record_bytes: 1024, partitions: 1 },
    Case { name: "1 MiB batches, 100 B records", batch_bytes: 1 << 20, record_bytes: 100, partitions: 1 },
    Case { name: "1 MiB batches, 1 KiB records, 3 leaders", batch_bytes: 1 << 20, record_bytes: 1024, partitions: 3 },
    Case { name: "16 KiB batches, 1 KiB records", batch_bytes: 16 << 10, record_bytes: 1024, partitions: 1 },
    Case { name: "16 KiB batches, 100 B records", batch_bytes: 16 << 10, record_bytes: 100, partitions: 1 },
    Case { name: "16 KiB batches, 1 KiB records, 3 leaders", batch_bytes: 16 << 10, record_bytes: 1024, partitions: 3 },
];

/// Sends `count` frames with [`WINDOW`] under way, each acknowledged.
fn produce(address: &str, frame: &Bytes, count: usize) {
    let mut client = Client::connect(address);
    let mut answer = Vec::new();
    let mut take = |client: &mut Client| {
        client.receive(&mut answer);
        check_produced(&answer);
    };
    for number in 0..count {
        client.send(frame);
        if number + 1 >= WINDOW {
            take(&mut client);
        }
    }
    (0..count.min(WINDOW - 1)).for_each(|_| take(&mut client));
}

fn ours(case: &Case, records: &Bytes, count: usize) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let cluster = start(dir.path(), Profile::Kafka);
    let bootstrap = cluster.bootstrap_servers();
    let mut client = Client::connect(bootstrap.split(',').next().unwrap());
    client.create_topic("bench", case.partitions);
    let leaders: Vec<String> = (0..case.partitions).map(|partition| client.leader("bench", partition)).collect();
    let frames: Vec<Bytes> = (0..case.partitions).map(|partition| produce_frame("bench", partition, records)).collect();
    let each = count / frames.len();
    // The first records after an election find followers that are not there yet.
    leaders.iter().zip(&frames).for_each(|(address, frame)| produce(address, frame, WINDOW));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (address, frame) in leaders.iter().zip(&frames) {
            scope.spawn(move || produce(address, frame, each));
        }
    });
    let took = began.elapsed();
    drop(cluster);
    took
}

fn main() {
    println!("| append + replicate ×3 + acknowledge | limit, MB/s | ours, MB/s | ratio |");
    println!("|---|---|---|---|");
    for case in &CASES {
        let records = batch(case.batch_bytes, case.record_bytes);
        let bytes = if is_quick() { ROUND_BYTES / 16 } else { ROUND_BYTES };
        let count = bytes / records.len() / 3 * 3;
        let bytes = (count * records.len()) as u64;
        let (mut limits, mut mine) = (Vec::new(), Vec::new());
        for _ in 0..rounds() {
            let dir = tempfile::tempdir().unwrap();
            limits.push(mb_per_s(bytes, limit::receive_check_write(dir.path(), &records, count)));
            drop(dir);
            mine.push(mb_per_s(bytes, ours(case, &records, count)));
        }
        let (limit, mine) = (median(limits), median(mine));
        println!("| {} | {limit:.0} | {mine:.0} | {:.2} |", case.name, mine / limit);
    }
}
