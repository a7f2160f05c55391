//! Brokers come and go under load: the data follows, and every acknowledged record is read back.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use serde_json::{Value, json};
use tests::clients;
use tests::serve::Serve;
use tests::wait::wait_for;

const TOPIC: &str = "moving";
const PARTITIONS: u64 = 6;
const PATIENCE: Duration = Duration::from_secs(120);

fn broker_ids(cluster: &Value) -> Vec<i64> {
    let brokers = cluster["brokers"].as_array().cloned().unwrap_or_default();
    brokers.iter().filter_map(|broker| broker["id"].as_i64()).collect()
}

/// Where clients connect now.
fn bootstrap(serve: &Serve) -> String {
    let brokers = serve.cluster()["brokers"].as_array().cloned().unwrap_or_default();
    brokers.iter().map(|broker| format!("127.0.0.1:{}", broker["port"])).collect::<Vec<_>>().join(",")
}

/// Of each partition of the topic: replicas and ISR.
fn partitions(cluster: &Value) -> Vec<(Vec<i64>, Vec<i64>)> {
    let ids = |list: &Value| list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect::<Vec<i64>>();
    let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
    let topic = topics.iter().find(|topic| topic["name"] == TOPIC).cloned().unwrap_or_default();
    topic["partitions"].as_array().into_iter().flatten().map(|p| (ids(&p["replicas"]), ids(&p["isr"]))).collect()
}

/// Waits until nothing moves any more and `is_there` holds of the cluster.
fn wait_until_settled(serve: &Serve, what: &str, is_there: impl Fn(&Value) -> bool) {
    wait_for(what, PATIENCE, || {
        let cluster = serve.cluster();
        let whole = partitions(&cluster).iter().all(|(replicas, isr)| replicas.len() == 3 && isr.len() == 3);
        match cluster.get("membership").is_none() && whole && is_there(&cluster) {
            true => Ok(()),
            false => Err(format!("{} {:?} {:?}", cluster["membership"], broker_ids(&cluster), partitions(&cluster))),
        }
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends numbered records, each to the partition that its number gives it, until it is told to stop; tells how many were acknowledged.
fn send_until(bootstrap_servers: &str, stop: &AtomicBool, acknowledged: &AtomicU64) {
    let settings = [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "2")];
    let producer = clients::producer(bootstrap_servers, &settings);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        clients::send(&producer, TOPIC, Some((number % PARTITIONS) as i32), "k", &format!("{number:0>200}"));
        number += 1;
        if number % 2_000 == 0 {
            clients::flush(&producer, number);
            acknowledged.store(number, Ordering::Release);
        }
    }
    clients::flush(&producer, number);
    acknowledged.store(number, Ordering::Release);
}

fn commit(bootstrap_servers: &str, offset: i64) {
    let consumer: BaseConsumer = clients::config(bootstrap_servers).set("group.id", "g").create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(offset)).unwrap();
    wait_for("a commit", PATIENCE, || consumer.commit(&offsets, CommitMode::Sync).map_err(|error| error.to_string()));
}

fn committed(bootstrap_servers: &str) -> Offset {
    let consumer: BaseConsumer = clients::config(bootstrap_servers).set("group.id", "g").create().unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition(TOPIC, 0);
    let offsets = consumer.committed_offsets(asked, PATIENCE).unwrap();
    offsets.elements()[0].offset()
}

#[test]
fn a_fourth_broker_comes_and_the_first_one_goes_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", dir.path().to_str().unwrap()];
    let serve = Serve::start_with(&arguments);
    let servers = serve.bootstrap_servers.clone();
    clients::create_topic(&servers, TOPIC, PARTITIONS as i32, 3);
    commit(&servers, 7);
    let (status, answer) = serve.post("/api/brokers", &json!({"zone": "nowhere"}));
    assert_eq!((status, answer["error"].as_str().map(|text| text.contains("zones are a, b, c"))), (409, Some(true)));
    // Three replicas of everything, three brokers: nobody can go.
    assert_eq!(serve.delete("/api/brokers/1"), 409);

    let (stop, acknowledged) = (AtomicBool::new(false), AtomicU64::new(0));
    // So many more than now.
    let wait_for_records = |more: u64| {
        let wanted = acknowledged.load(Ordering::Acquire) + more;
        wait_for("records to be acknowledged", PATIENCE, || match acknowledged.load(Ordering::Acquire) {
            number if number >= wanted => Ok(()),
            number => Err(format!("{number} of {wanted}")),
        });
    };
    std::thread::scope(|scope| {
        // However this ends: what is sent ends too, or a failed check would wait for ever.
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| send_until(&servers, &stop, &acknowledged));
        wait_for_records(20_000);
        let start = Instant::now();
        assert_eq!(serve.post("/api/brokers", &json!({})), (200, json!({"id": 4})));
        wait_until_settled(&serve, "broker 4 to have its share", |cluster| {
            partitions(cluster).iter().any(|(replicas, _)| replicas.contains(&4))
        });
        println!("broker 4 was added and has its share after {} ms", start.elapsed().as_millis());
        wait_for_records(2_000);
        let start = Instant::now();
        assert_eq!(serve.delete("/api/brokers/1"), 200);
        wait_until_settled(&serve, "broker 1 to be gone", |cluster| broker_ids(cluster) == [2, 3, 4]);
        println!("broker 1 was removed after {} ms", start.elapsed().as_millis());
        wait_for_records(2_000);
    });
    let sent = acknowledged.load(Ordering::Acquire);
    println!("{sent} records were acknowledged meanwhile");
    let check = |servers: &str| {
        let mut next: Vec<u64> = (0..PARTITIONS).collect();
        let read = clients::read_all(servers, TOPIC, PARTITIONS as i32);
        assert_eq!(read.len() as u64, sent);
        for record in read {
            let expected = &mut next[record.partition as usize];
            assert_eq!(record.value.parse::<u64>().unwrap(), *expected, "each record once, in order");
            *expected += PARTITIONS;
        }
        assert_eq!(committed(servers), Offset::Offset(7), "the group's offsets moved too");
    };
    check(&bootstrap(&serve));
    let kinds = serve.get("/api/events?after=0").to_string();
    for kind in ["broker_added", "broker_leaving", "broker_removed"] {
        assert!(kinds.contains(kind), "no event {kind}");
    }
    assert!(serve.terminate().success());

    let serve = Serve::start_with(&arguments);
    // The picture of the cluster is drawn some times a second, at first from a metadata log that is still being read.
    wait_for("a restart to remember", PATIENCE, || match broker_ids(&serve.cluster()) {
        ids if ids == [2, 3, 4] => Ok(()),
        ids => Err(format!("{ids:?}")),
    });
    check(&serve.bootstrap_servers);
}
