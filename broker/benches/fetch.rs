//! Tail and cold fetch by a client, against a copy of the same bytes over loopback: `cargo bench -p broker --bench fetch`.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use broker::cluster::Profile;
use broker::records::batches;
use bytes::Bytes;
use common::client::{Client, check_produced, fetch_frame, fetched, produce_frame};
use common::limit;
use common::{batch, is_quick, mb_per_s, median, rounds, start};

const MIB: usize = 1 << 20;

/// Offset after the last record.
fn end_of(records: &[u8]) -> i64 {
    batches(records).flatten().last().map_or(0, |(header, _)| header.next_offset())
}

/// Reads the partition from `from` to `to`, one request after the other; the bytes, and the time.
fn read_all(client: &mut Client, from: i64, to: i64) -> (u64, Duration) {
    let (mut offset, mut bytes) = (from, 0);
    let began = Instant::now();
    while offset < to {
        client.send(&fetch_frame("bench", 0, offset, MIB as i32));
        let mut answer = Vec::new();
        client.receive(&mut answer);
        let records = fetched(answer);
        bytes += records.len() as u64;
        offset = end_of(&records).max(offset);
    }
    (bytes, began.elapsed())
}

/// Reads what was just written, again and again: as a consumer does that keeps up.
fn read_tail(client: &mut Client, from: i64, times: usize) -> (u64, Duration) {
    let frame = fetch_frame("bench", 0, from, MIB as i32);
    let (mut answer, mut bytes) = (Vec::new(), 0);
    let began = Instant::now();
    for _ in 0..times {
        client.send(&frame);
        client.receive(&mut answer);
        bytes += answer.len() as u64;
    }
    (bytes, began.elapsed())
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.extension().is_some_and(|ending| ending == "log") && dir.ends_with("bench-0") {
            found.push(path);
        }
    }
    found
}

fn fill(client: &mut Client, records: &Bytes, bytes: usize) -> i64 {
    let frame = produce_frame("bench", 0, records);
    let mut answer = Vec::new();
    for _ in 0..bytes / records.len() {
        client.send(&frame);
        client.receive(&mut answer);
        check_produced(&answer);
    }
    (bytes / records.len()) as i64 * end_of(records)
}

fn main() {
    println!("| fetch of 1 MiB at a time | loopback copy, MB/s | ours, MB/s | ratio |");
    println!("|---|---|---|---|");
    for (name, batch_bytes) in [("1 MiB batches", MIB), ("16 KiB batches", 16 << 10)] {
        let total = if is_quick() { 32 * MIB } else { 512 * MIB };
        let records = batch(batch_bytes, 1024);
        let dir = tempfile::tempdir().unwrap();
        let cluster = start(dir.path(), Profile::Kafka);
        let bootstrap = cluster.bootstrap_servers();
        let mut client = Client::connect(bootstrap.split(',').next().unwrap());
        client.create_topic("bench", 1);
        let address = client.leader("bench", 0);
        let mut client = Client::connect(&address);
        let end = fill(&mut client, &records, total);
        let per_mib = (MIB / records.len()).max(1) as i64 * end_of(&records);
        let files = segments(dir.path());
        let (mut copies, mut tails, mut warms, mut colds, mut reads) = (vec![], vec![], vec![], vec![], vec![]);
        for _ in 0..rounds() {
            copies.push(mb_per_s(total as u64, limit::loopback_copy(MIB, total / MIB)));
            let (bytes, took) = read_tail(&mut client, end - per_mib, total / MIB);
            tails.push(mb_per_s(bytes, took));
            let (bytes, took) = read_all(&mut client, 0, end);
            warms.push(mb_per_s(bytes, took));
            files.iter().for_each(|file| limit::forget_cached(file));
            let (bytes, took) = read_all(&mut client, 0, end);
            colds.push(mb_per_s(bytes, took));
            files.iter().for_each(|file| limit::forget_cached(file));
            let took = limit::read_once(files.iter().map(PathBuf::as_path));
            reads.push(mb_per_s(3 * total as u64, took));
        }
        let (copy, disk) = (median(copies), median(reads));
        for (what, figure) in [("tail", median(tails)), ("whole log, in the page cache", median(warms))] {
            println!("| {what}, {name} | {copy:.0} | {figure:.0} | {:.2} |", figure / copy);
        }
        let cold = median(colds);
        println!("| whole log, from the disk, {name} | {copy:.0} | {cold:.0} | {:.2} |", cold / copy);
        println!("| the same, against reading the files once | {disk:.0} | {cold:.0} | {:.2} |", cold / disk);
        drop(cluster);
    }
}
