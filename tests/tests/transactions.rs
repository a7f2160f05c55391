//! Transactions with a client that we did not write: what is aborted is not read, who is fenced stays out, and a transfer is exactly once
//! while brokers die.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use serde_json::json;
use tests::clients;
use tests::serve::Serve;
use tests::wait::wait_for;

const PARTITIONS: i32 = 3;
const CALL: Duration = Duration::from_secs(30);

fn config(serve: &Serve, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = clients::config(&serve.bootstrap_servers);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn transactional(serve: &Serve, id: &str) -> BaseProducer {
    let producer: BaseProducer = config(serve, &[("transactional.id", id), ("linger.ms", "0")]).create().unwrap();
    producer.init_transactions(CALL).unwrap();
    producer
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, value: &str) -> Result<(), KafkaError> {
    let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
    producer.send(record).map_err(|(error, _)| error)
}

/// Reads a topic from its beginning to its end, as `isolation` lets it.
fn read(serve: &Serve, topic: &str, isolation: &str) -> Vec<Vec<String>> {
    clients::read_as(&serve.bootstrap_servers, topic, PARTITIONS, isolation)
}

#[test]
fn only_what_is_committed_is_read() {
    let serve = Serve::start();
    clients::create_topic(&serve.bootstrap_servers, "t", PARTITIONS, 3);
    let producer = transactional(&serve, "commits-and-aborts");
    let mut committed = vec![Vec::new(); PARTITIONS as usize];
    for number in 0..30 {
        producer.begin_transaction().unwrap();
        for partition in 0..PARTITIONS {
            send(&producer, "t", partition, &number.to_string()).unwrap();
        }
        if number % 3 == 1 {
            producer.flush(CALL).unwrap();
            producer.abort_transaction(CALL).unwrap();
        } else {
            producer.commit_transaction(CALL).unwrap();
            committed.iter_mut().for_each(|values| values.push(number.to_string()));
        }
    }
    // An open one holds those back who read what is committed.
    producer.begin_transaction().unwrap();
    send(&producer, "t", 0, "open").unwrap();
    producer.flush(CALL).unwrap();
    assert_eq!(read(&serve, "t", "read_committed"), committed);
    let all = read(&serve, "t", "read_uncommitted");
    assert_eq!((all[0].len(), all[1].len()), (31, 30));
    producer.abort_transaction(CALL).unwrap();
    assert_eq!(read(&serve, "t", "read_committed"), committed);
}

#[test]
fn a_second_producer_of_the_same_id_fences_the_first() {
    let serve = Serve::start();
    clients::create_topic(&serve.bootstrap_servers, "t", PARTITIONS, 3);
    let first = transactional(&serve, "one-at-a-time");
    first.begin_transaction().unwrap();
    send(&first, "t", 0, "of the first").unwrap();
    first.flush(CALL).unwrap();
    let second = transactional(&serve, "one-at-a-time");
    assert!(first.commit_transaction(CALL).is_err(), "its transaction was aborted");
    second.begin_transaction().unwrap();
    send(&second, "t", 0, "of the second").unwrap();
    second.commit_transaction(CALL).unwrap();
    assert_eq!(read(&serve, "t", "read_committed")[0], ["of the second"]);
}

/// Moves records from `in` to `out` until told to stop; starts over with new clients whatever goes wrong.
fn transfer(serve: &Serve, stop: &AtomicBool) -> (u32, u32) {
    let (mut committed, mut failed) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        match transfer_with_new_clients(serve, stop, &mut committed) {
            Ok(()) => {}
            Err(error) => {
                failed += 1;
                println!("transfer starts over: {error}");
            }
        }
    }
    (committed, failed)
}

fn transfer_with_new_clients(serve: &Serve, stop: &AtomicBool, committed: &mut u32) -> Result<(), KafkaError> {
    let producer: BaseProducer = config(serve, &[("transactional.id", "transfer"), ("linger.ms", "0")]).create()?;
    producer.init_transactions(CALL)?;
    let settings = [
        ("group.id", "transfer"),
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "earliest"),
        ("session.timeout.ms", "6000"),
    ];
    let consumer: BaseConsumer = config(serve, &settings).create()?;
    consumer.subscribe(&["in"])?;
    while !stop.load(Ordering::Relaxed) {
        let Some(first) = consumer.poll(Duration::from_millis(200)) else { continue };
        let mut next = Some(first?);
        producer.begin_transaction()?;
        for _ in 0..50 {
            let Some(message) = next.take() else { break };
            let value = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
            send(&producer, "out", message.partition(), &value)?;
            next = consumer.poll(Duration::from_millis(20)).transpose()?;
        }
        // One that was taken and not sent is read again: positions are of what was polled, so it is sent as well.
        if let Some(message) = next.take() {
            let value = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
            send(&producer, "out", message.partition(), &value)?;
        }
        let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        producer.send_offsets_to_transaction(&consumer.position()?, &group, CALL)?;
        producer.commit_transaction(CALL)?;
        *committed += 1;
    }
    Ok(())
}

#[test]
fn a_transfer_is_exactly_once_while_brokers_die() {
    const RECORDS: u64 = 6_000;
    let serve = Serve::start();
    clients::create_topic(&serve.bootstrap_servers, "in", PARTITIONS, 3);
    clients::create_topic(&serve.bootstrap_servers, "out", PARTITIONS, 3);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mover = scope.spawn(|| transfer(&serve, &stop));
        let settings = [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "5")];
        let producer = clients::producer(&serve.bootstrap_servers, &settings);
        for round in 0..6u64 {
            for number in round * 1_000..(round + 1) * 1_000 {
                clients::send(&producer, "in", Some((number % PARTITIONS as u64) as i32), "k", &number.to_string());
            }
            if round < 4 {
                let broker = (round % 3) + 1;
                let fault = serve.fault(&json!({"kind": "kill", "broker": broker}));
                wait_for("leaders elsewhere", clients::PATIENCE, || {
                    let led = (0..PARTITIONS as usize).any(|partition| serve.leader("out", partition) == broker as i64);
                    if led { Err(format!("broker {broker} still leads")) } else { Ok(()) }
                });
                assert_eq!(serve.delete(&format!("/api/faults/{fault}")) / 100, 2);
                wait_for("a full ISR", clients::PATIENCE, || full_isr(&serve, "out"));
            }
        }
        clients::flush(&producer, RECORDS);
        let wanted: Vec<Vec<String>> = (0..PARTITIONS as u64)
            .map(|partition| {
                (0..RECORDS).filter(|n| n % PARTITIONS as u64 == partition).map(|n| n.to_string()).collect()
            })
            .collect();
        wait_for("all records moved", Duration::from_secs(120), || {
            let moved: usize = read(&serve, "out", "read_committed").iter().map(Vec::len).sum();
            if moved as u64 >= RECORDS { Ok(()) } else { Err(format!("{moved} of {RECORDS}")) }
        });
        stop.store(true, Ordering::Relaxed);
        let (committed, failed) = mover.join().unwrap();
        println!("{committed} transactions committed, {failed} times started over");
        assert_eq!(read(&serve, "out", "read_committed"), wanted, "each once, in order");
    });
}

fn full_isr(serve: &Serve, topic: &str) -> Result<(), String> {
    let cluster = serve.cluster();
    let topics = cluster["topics"].as_array().cloned().unwrap_or_default();
    let entry = topics.iter().find(|entry| entry["name"] == topic).cloned().unwrap_or_default();
    let partitions = entry["partitions"].as_array().cloned().unwrap_or_default();
    let full = |partition: &serde_json::Value| partition["isr"].as_array().map(Vec::len) == Some(3);
    if !partitions.is_empty() && partitions.iter().all(full) { Ok(()) } else { Err(entry.to_string()) }
}
