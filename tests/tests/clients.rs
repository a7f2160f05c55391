//! librdkafka against `brokerscope serve`: create, produce with every codec, consume from the beginning, consume in a group with committed
//! offsets.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeSet;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use tests::clients::{self, PATIENCE, Read};
use tests::serve::Serve;

fn numbers(read: &[Read]) -> BTreeSet<u64> {
    read.iter().map(|record| record.value.parse().unwrap()).collect()
}

#[test]
fn every_codec_goes_in_and_comes_out() {
    let serve = Serve::start();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        clients::create_topic(&serve.bootstrap_servers, &topic, 3, 3);
        let settings =
            [("compression.type", codec), ("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "20")];
        let producer = clients::producer(&serve.bootstrap_servers, &settings);
        for number in 0..1000 {
            clients::send(&producer, &topic, None, &format!("key-{number}"), &number.to_string());
        }
        clients::flush(&producer, 1000);
        let read = clients::read_all(&serve.bootstrap_servers, &topic, 3);
        assert_eq!(read.len(), 1000, "{codec}");
        assert_eq!(numbers(&read), (0..1000).collect(), "{codec}");
        assert!(read.iter().all(|record| record.key == format!("key-{}", record.value)), "{codec}");
    }
}

#[test]
fn a_group_goes_on_where_it_committed() {
    let serve = Serve::start();
    let topic = "grouped";
    clients::create_topic(&serve.bootstrap_servers, topic, 4, 3);
    let member = |id: &str| -> BaseConsumer {
        clients::config(&serve.bootstrap_servers)
            .set("group.id", "readers")
            .set("client.id", id)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap()
    };
    let produce = |from: u64, to: u64| {
        let producer = clients::producer(&serve.bootstrap_servers, &[("acks", "all")]);
        for number in from..to {
            clients::send(&producer, topic, Some((number % 4) as i32), "k", &number.to_string());
        }
        clients::flush(&producer, to - from);
    };
    produce(0, 400);
    let first = member("first");
    first.subscribe(&[topic]).unwrap();
    let read = clients::poll_until(&first, 400);
    assert_eq!(numbers(&read), (0..400).collect());
    first.commit_consumer_state(CommitMode::Sync).unwrap();

    let group = tests::wait::wait_for("the group with its lag", PATIENCE, || {
        let cluster = serve.cluster();
        let groups = cluster["groups"].as_array().cloned().unwrap_or_default();
        let group = groups.into_iter().find(|group| group["id"] == "readers").ok_or("no group")?;
        let committed: i64 =
            group["offsets"].as_array().unwrap().iter().filter_map(|o| o["committed_offset"].as_i64()).sum();
        if committed == 400 && group["state"] == "Stable" { Ok(group) } else { Err(group.to_string()) }
    });
    assert_eq!(group["type"], "classic");
    assert_eq!(group["members"][0]["client_id"], "first");
    assert_eq!(group["members"][0]["assignment"].as_array().unwrap().len(), 4);
    drop(first);

    produce(400, 500);
    let second = member("second");
    second.subscribe(&[topic]).unwrap();
    let read = clients::poll_until(&second, 100);
    assert_eq!(numbers(&read), (400..500).collect(), "nothing is read twice and nothing is skipped");
}

#[test]
fn two_members_share_the_partitions() {
    let serve = Serve::start();
    let topic = "shared";
    clients::create_topic(&serve.bootstrap_servers, topic, 6, 3);
    let member = || -> BaseConsumer {
        let consumer: BaseConsumer = clients::config(&serve.bootstrap_servers)
            .set("group.id", "sharers")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        consumer
    };
    let (one, two) = (member(), member());
    tests::wait::wait_for("three partitions each", PATIENCE, || {
        for consumer in [&one, &two] {
            // Polling is what moves a rebalance on; there is nothing to be read.
            assert!(!matches!(consumer.poll(std::time::Duration::from_millis(20)), Some(Ok(_))));
        }
        let counts = [&one, &two].map(|consumer| consumer.assignment().map_or(0, |list| list.count()));
        if counts == [3, 3] { Ok(()) } else { Err(format!("{counts:?}")) }
    });
}
