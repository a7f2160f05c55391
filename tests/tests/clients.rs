//! librdkafka through the crate `rdkafka` against `brokerscope serve`: create, produce with every codec, consume from the beginning, consume in
//! groups of both protocols with committed offsets, and what the crate has of the admin API. Transactions: transactions.rs.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
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
    let kinds: [(&str, &[(&str, &str)]); 4] = [
        ("eager", &[]),
        ("cooperative", &[("partition.assignment.strategy", "cooperative-sticky")]),
        ("broker-assigned", &[("group.protocol", "consumer")]),
        ("broker-assigned-by-range", &[("group.protocol", "consumer"), ("group.remote.assignor", "range")]),
    ];
    for (topic, settings) in kinds {
        clients::create_topic(&serve.bootstrap_servers, topic, 6, 3);
        let member = || -> BaseConsumer {
            let mut config = clients::config(&serve.bootstrap_servers);
            config.set("group.id", topic).set("auto.offset.reset", "earliest");
            for (key, value) in settings {
                config.set(*key, *value);
            }
            let consumer: BaseConsumer = config.create().unwrap();
            consumer.subscribe(&[topic]).unwrap();
            consumer
        };
        let (one, two) = (member(), member());
        let share = |members: &[&BaseConsumer], expected: &[usize]| {
            tests::wait::wait_for(&format!("{topic}: {expected:?}"), PATIENCE, || {
                for consumer in members {
                    // Polling is what moves a rebalance on; there is nothing to be read.
                    assert!(!matches!(consumer.poll(Duration::from_millis(20)), Some(Ok(_))));
                }
                let count = |consumer: &&BaseConsumer| consumer.assignment().map_or(0, |list| list.count());
                let counts: Vec<usize> = members.iter().map(count).collect();
                if counts == expected { Ok(()) } else { Err(format!("{counts:?}")) }
            });
        };
        share(&[&one, &two], &[3, 3]);
        // Who leaves gives all of it to the other.
        drop(one);
        share(&[&two], &[6]);
    }
}

#[tokio::test]
async fn an_admin_client_is_answered() {
    let serve = Serve::start();
    let servers = &serve.bootstrap_servers;
    let admin: AdminClient<DefaultClientContext> = clients::config(servers).create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let topic = "administered";
    let new = NewTopic::new(topic, 2, TopicReplication::Fixed(3)).set("retention.ms", "3600000");
    assert_eq!(admin.create_topics([&new], &options).await.unwrap(), [Ok(topic.to_owned())]);
    let again = admin.create_topics([&new], &options).await.unwrap();
    assert_eq!(again, [Err((topic.to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);

    let more = NewPartitions::new(topic, 4);
    assert_eq!(admin.create_partitions([&more], &options).await.unwrap(), [Ok(topic.to_owned())]);
    let fewer = admin.create_partitions([&NewPartitions::new(topic, 3)], &options).await.unwrap();
    assert_eq!(fewer, [Err((topic.to_owned(), RDKafkaErrorCode::InvalidPartitions))]);

    let retention = async || {
        let told = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await.unwrap();
        told[0].as_ref().unwrap().get("retention.ms").unwrap().value.clone()
    };
    assert_eq!(retention().await.as_deref(), Some("3600000"));
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", "7200000");
    assert!(admin.alter_configs([&change], &options).await.unwrap()[0].is_ok());
    let start = std::time::Instant::now();
    // A broker hears of it a moment after the controller.
    while retention().await.as_deref() != Some("7200000") {
        assert!(start.elapsed() < PATIENCE, "the new value does not come");
    }

    let producer = clients::producer(servers, &[("acks", "all")]);
    for number in 0..100 {
        clients::send(&producer, topic, Some(0), "k", &number.to_string());
    }
    clients::flush(&producer, 100);
    let mut up_to = TopicPartitionList::new();
    up_to.add_partition_offset(topic, 0, Offset::Offset(60)).unwrap();
    let deleted = admin.delete_records(&up_to, &options).await.unwrap();
    assert_eq!(deleted.find_partition(topic, 0).unwrap().offset(), Offset::Offset(60));
    let read = clients::read_all(servers, topic, 4);
    assert_eq!(numbers(&read), (60..100).collect());

    let groups = admin.delete_groups(&["reads-everything", "nobody"], &options).await.unwrap();
    let nobody = Err(("nobody".to_owned(), RDKafkaErrorCode::GroupIdNotFound));
    assert!(groups.contains(&nobody), "{groups:?}");
    assert_eq!(admin.delete_topics(&[topic], &options).await.unwrap(), [Ok(topic.to_owned())]);
    let gone = admin.delete_topics(&[topic], &options).await.unwrap();
    assert_eq!(gone, [Err((topic.to_owned(), RDKafkaErrorCode::UnknownTopicOrPartition))]);
}
