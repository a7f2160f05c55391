//! 10,000 partitions with three replicas each on three brokers: creation, start, memory, and failover of a broker that leads a third of
//! them: `cargo bench -p broker --bench partitions`.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails has nothing to say")]

mod common;

use std::time::{Duration, Instant};

use broker::cluster::{Cluster, Profile};
use broker::protocol::messages::MetadataResponseData;
use common::client::Client;
use common::{PATIENCE, is_quick, resident_bytes, start};

const TOPICS: usize = 10;

fn client(cluster: &Cluster, broker: usize) -> Client {
    Client::connect(cluster.bootstrap_servers().split(',').nth(broker - 1).unwrap())
}

fn count(metadata: &MetadataResponseData, wanted: impl Fn(i32, usize) -> bool) -> usize {
    let partitions = metadata.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.filter(|partition| wanted(partition.leader_id, partition.isr_nodes.len())).count()
}

/// Until all partitions are as wanted, by what broker 2 tells clients.
fn wait(client: &mut Client, total: usize, wanted: impl Fn(i32, usize) -> bool) -> Duration {
    let began = Instant::now();
    while count(&client.metadata(), &wanted) < total {
        assert!(began.elapsed() < PATIENCE, "the partitions do not get there");
    }
    began.elapsed()
}

fn main() {
    let each = if is_quick() { 100 } else { 1_000 };
    let total = TOPICS * each;
    let dir = tempfile::tempdir().unwrap();
    let empty = {
        let cluster = start(dir.path(), Profile::Lab);
        let empty = resident_bytes();
        let mut client = client(&cluster, 2);
        let began = Instant::now();
        (0..TOPICS).for_each(|topic| client.create_topic(&format!("topic-{topic}"), each as i32));
        wait(&mut client, total, |leader, isr| leader > 0 && isr == 3);
        println!("{total} partitions × 3 on three brokers, lab profile (session 1.5 s)");
        println!("| | |\n|---|---|");
        println!("| created, all in sync | {:.2} s |", began.elapsed().as_secs_f64());
        cluster.shutdown();
        empty
    };
    let began = Instant::now();
    let cluster = start(dir.path(), Profile::Lab);
    println!("| start after a clean stop, until all brokers take part | {:.2} s |", began.elapsed().as_secs_f64());
    let mut survivor = client(&cluster, 2);
    wait(&mut survivor, total, |leader, isr| leader > 0 && isr == 3);
    println!("| until all are in sync | {:.2} s |", began.elapsed().as_secs_f64());
    let now = resident_bytes();
    println!(
        "| memory per partition (three replicas, two or three copies of its metadata) | {:.1} kB |",
        now.saturating_sub(empty) as f64 / total as f64 / 1000.0
    );
    // The brokers stopped one after the other, so that the last two lead all.
    survivor.elect_preferred_leaders();
    let third = |metadata: &MetadataResponseData| count(metadata, |leader, _| leader == 1);
    while third(&survivor.metadata()) < total / 4 {}
    let led = third(&survivor.metadata());
    let began = Instant::now();
    cluster.kill_node(1, "the benchmark").unwrap();
    println!("| kill returns | {:.2} s |", began.elapsed().as_secs_f64());
    wait(&mut survivor, total, |leader, _| leader > 1);
    let took = began.elapsed().as_secs_f64();
    println!("| broker 1 killed, which led {led}: until all have a leader, session included | {took:.2} s |");
    let began = Instant::now();
    cluster.start_node(1, "the benchmark").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    println!("| ready again | {:.2} s |", began.elapsed().as_secs_f64());
    wait(&mut survivor, total, |leader, isr| leader > 0 && isr == 3);
    let back = began.elapsed();
    println!("| broker 1 back: until all are in sync | {:.2} s |", back.as_secs_f64());
    let led = count(&survivor.metadata(), |leader, _| leader == 3);
    let began = Instant::now();
    cluster.stop_node(3, "the benchmark").unwrap();
    let stopped = began.elapsed();
    wait(&mut survivor, total, |leader, _| leader > 0 && leader != 3);
    println!(
        "| broker 3 stopped in a controlled way, which led {led}: until it is gone | {:.2} s |",
        stopped.as_secs_f64()
    );
    cluster.shutdown();
}
