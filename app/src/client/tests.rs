//! The client against a real cluster of this program, and librdkafka beside it to tell whether what it did is so.

use std::collections::BTreeMap;

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::protocol::ErrorCode;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::testing::{PATIENCE, house, until};
use super::*;
use crate::monitor::inquiry::ConfigSource;
use crate::monitor::messages::{Isolation, NewMessage};
use crate::monitor::operation::{ConfigChange, ConfigResource, Election, Move, OffsetOf};

fn offset(topic: &str, partition: i32, offset: i64) -> OffsetOf {
    OffsetOf { topic: topic.into(), partition, offset }
}

#[test]
fn topics_partitions_and_configs() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 2, 3, &[("retention.ms".into(), "60000".into())]).unwrap();
    until("the topic", || if house.seen("t").0 == 2 { Ok(()) } else { Err(house.seen("t")) });
    let again = create_topic(&mut client, "t", 2, 3, &[]).unwrap_err();
    assert_eq!(again.code(), Some(ErrorCode::TopicAlreadyExists));
    let wrong = create_topic(&mut client, "u", 2, 9, &[]).unwrap_err().refusal("Topic u was not created").text;
    assert!(wrong.contains("(INVALID_REPLICATION_FACTOR)") && wrong.ends_with('.'), "{wrong}");

    add_partitions(&mut client, "t", 5).unwrap();
    until("five partitions", || if house.seen("t").0 == 5 { Ok(()) } else { Err(house.seen("t")) });
    assert_eq!(add_partitions(&mut client, "t", 5).unwrap_err().code(), Some(ErrorCode::InvalidPartitions));
    assert_eq!(add_partitions(&mut client, "x", 5).unwrap_err().code(), Some(ErrorCode::UnknownTopicOrPartition));

    let topic = ConfigResource::Topic("t".into());
    let value = |entries: &[crate::monitor::inquiry::ConfigEntry], name: &str| {
        let found = entries.iter().find(|entry| entry.name == name).unwrap();
        (found.value.clone(), found.source)
    };
    let told = describe_configs(&mut client, &topic).unwrap();
    assert!(told.len() > 25 && told.is_sorted_by_key(|entry| entry.name.clone()));
    assert_eq!(value(&told, "retention.ms"), (Some("60000".into()), ConfigSource::Topic));
    assert_eq!(value(&told, "cleanup.policy").1, ConfigSource::Default);
    let entry = told.iter().find(|entry| entry.name == "retention.ms").unwrap();
    assert_eq!((entry.kind, entry.read_only, entry.doc.is_empty()), ("long", false, false));
    let entry = told.iter().find(|entry| entry.name == "cleanup.policy").unwrap();
    let synonyms: Vec<_> = entry.synonyms.iter().map(|synonym| (synonym.name.as_str(), synonym.source)).collect();
    assert_eq!(synonyms, [("log.cleanup.policy", ConfigSource::Default)]);

    let change = |name: &str, value: Option<&str>| ConfigChange { name: name.into(), value: value.map(str::to_owned) };
    alter_configs(&mut client, &topic, &[change("retention.ms", None), change("cleanup.policy", Some("compact"))])
        .unwrap();
    let admin: AdminClient<DefaultClientContext> = house.rdkafka().create().unwrap();
    until("librdkafka sees the change", || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let asked = [ResourceSpecifier::Topic("t")];
        let told = runtime.block_on(admin.describe_configs(&asked, &AdminOptions::new())).unwrap().remove(0).unwrap();
        let value = |name: &str| told.get(name).and_then(|entry| entry.value.clone());
        let seen = (value("cleanup.policy"), value("retention.ms"));
        if seen == (Some("compact".into()), Some("604800000".into())) { Ok(()) } else { Err(seen) }
    });
    let refused = alter_configs(&mut client, &topic, &[change("no.such.config", Some("1"))]).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidConfig));

    let broker = ConfigResource::Broker(Some(2));
    alter_configs(&mut client, &broker, &[change("log.cleaner.threads", Some("2"))]).unwrap();
    until("the broker's config", || {
        let seen = value(&describe_configs(&mut client, &broker).unwrap(), "log.cleaner.threads");
        if seen == (Some("2".into()), ConfigSource::DynamicBroker) { Ok(()) } else { Err(seen) }
    });
    let started_with = describe_configs(&mut client, &broker).unwrap();
    assert_eq!(value(&started_with, "node.id"), (Some("2".into()), ConfigSource::StaticBroker));

    delete_topic(&mut client, "t").unwrap();
    assert_eq!(delete_topic(&mut client, "t").unwrap_err().code(), Some(ErrorCode::UnknownTopicOrPartition));
}

#[test]
fn records_offsets_and_groups() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 2, 3, &[]).unwrap();
    house.write("t", 0, 10);
    house.write("t", 1, 4);
    let at = |client: &mut Client, ms| {
        offsets_of_topic(client, "t", ms).unwrap().into_iter().map(|one| one.offset).collect::<Vec<_>>()
    };
    assert_eq!((at(&mut client, -2), at(&mut client, -1)), (vec![0, 0], vec![10, 4]));
    assert_eq!((at(&mut client, 13_500), at(&mut client, 15_000)), (vec![4, -1], vec![5, -1]));

    set_offsets(&mut client, "g", &[offset("t", 0, 7), offset("t", 1, 1)]).unwrap();
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition("t", 0);
    wanted.add_partition("t", 1);
    let committed = house.consumer().committed_offsets(wanted.clone(), PATIENCE).unwrap();
    let seen: Vec<Offset> =
        committed.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset).collect();
    assert_eq!(seen, [Offset::Offset(7), Offset::Offset(1)]);
    let mut told = committed_offsets(&mut client, "g").unwrap();
    told.sort_by_key(|one| one.partition);
    assert_eq!(told, [offset("t", 0, 7), offset("t", 1, 1)]);
    delete_offsets(&mut client, "g", &[("t".into(), 1)]).unwrap();
    assert_eq!(committed_offsets(&mut client, "g").unwrap(), [offset("t", 0, 7)]);

    // Somebody is in it: what it reads is its own business.
    let consumer = house.consumer();
    consumer.subscribe(&["t"]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while consumer.poll(Duration::from_millis(100)).is_none() {
        assert!(Instant::now() < deadline, "the consumer reads");
    }
    let busy =
        set_offsets(&mut client, "g", &[offset("t", 0, 0)]).unwrap_err().refusal("Group g stays where it is").text;
    assert!(busy.contains("the group has members"), "{busy}");
    assert_eq!(delete_group(&mut client, "g").unwrap_err().code(), Some(ErrorCode::NonEmptyGroup));
    consumer.commit(&wanted_at(7), CommitMode::Sync).unwrap();
    drop(consumer);
    until("the group is empty", || delete_group(&mut client, "g"));
    assert_eq!(delete_group(&mut client, "g").unwrap_err().code(), Some(ErrorCode::GroupIdNotFound));

    let begins = delete_records(&mut client, &[offset("t", 0, 6), offset("t", 1, -1)]).unwrap();
    let begins: BTreeMap<i32, i64> = begins.into_iter().map(|one| (one.partition, one.offset)).collect();
    assert_eq!(begins, BTreeMap::from([(0, 6), (1, 4)]));
    assert_eq!(house.consumer().fetch_watermarks("t", 0, PATIENCE).unwrap(), (6, 10));
    assert_eq!(
        delete_records(&mut client, &[offset("t", 0, 99)]).unwrap_err().code(),
        Some(ErrorCode::OffsetOutOfRange)
    );
}

fn wanted_at(offset: i64) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
    list
}

#[test]
fn replicas_move_and_leaders_are_elected() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 1, 2, &[]).unwrap();
    house.write("t", 0, 100);
    let (_, before, _) = house.seen("t");
    let new = (1..=3).find(|id| !before.contains(id)).unwrap();
    let replicas = vec![new, before[0]];
    let moves = [Move { topic: "t".into(), partition: 0, replicas: replicas.clone() }];
    let throttled = reassign(&mut client, &moves, Some(10_000_000)).unwrap();
    assert_eq!(throttled.topics.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["t"]);
    let rate = |client: &mut Client| {
        let told = describe_configs(client, &ConfigResource::Broker(Some(new))).unwrap();
        told.into_iter().find(|entry| entry.name == "follower.replication.throttled.rate").and_then(|entry| entry.value)
    };
    assert_eq!(rate(&mut client).as_deref(), Some("10000000"));
    until("the replicas are there", || {
        let seen = house.seen("t").1;
        let moving = reassignments(&mut client).unwrap();
        if seen == replicas && moving.is_empty() { Ok(()) } else { Err((seen, moving)) }
    });
    unthrottle(&mut client, &throttled).unwrap();
    until("the throttle is gone", || {
        if rate(&mut client).is_none_or(|rate| rate != "10000000") { Ok(()) } else { Err("set") }
    });

    until("the first replica leads", || {
        let elected = elect_leaders(&mut client, Election::Preferred, &[("t".into(), 0)]).unwrap();
        let leader = house.seen("t").2;
        if leader == new && elected.failed.is_empty() { Ok(()) } else { Err((leader, elected)) }
    });
    let elected = elect_leaders(&mut client, Election::Preferred, &[("t".into(), 0)]).unwrap();
    assert_eq!((elected.changed, elected.not_needed), (0, 1));
    let none = cancel_reassignments(&mut client, &[("t".into(), 0)]).unwrap_err();
    assert_eq!(none.code(), Some(ErrorCode::NoReassignmentInProgress));
    let nobody =
        reassign(&mut client, &[Move { topic: "t".into(), partition: 0, replicas: vec![77] }], None).unwrap_err();
    assert_eq!(nobody.code(), Some(ErrorCode::InvalidReplicaAssignment), "{nobody}");
}

#[test]
fn open_transactions_are_found_with_their_ids() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 1, 3, &[]).unwrap();
    let producer: BaseProducer =
        house.rdkafka().set("transactional.id", "shop").set("transaction.timeout.ms", "50000").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to("t").payload("v").partition(0)).unwrap();
    producer.flush(PATIENCE).unwrap();
    let found = producers(&mut client, "t").unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    let transaction: Arc<_> = only.transaction.clone().unwrap();
    assert_eq!((only.partition, only.txn_start_offset, only.last_sequence), (0, Some(0), 0));
    assert_eq!((transaction.transactional_id.as_str(), transaction.state.as_str()), ("shop", "Ongoing"));
    assert_eq!((transaction.timeout_ms, transaction.producer_id), (50_000, only.producer_id));
    producer.commit_transaction(PATIENCE).unwrap();
    until("the transaction has ended", || match producers(&mut client, "t").unwrap().as_slice() {
        [only] if only.txn_start_offset.is_none() && only.transaction.is_none() => Ok(()),
        other => Err(other.to_vec()),
    });
}

#[test]
fn a_dead_broker_is_gone_round() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 6, 3, &[]).unwrap();
    for partition in 0..6 {
        house.write("t", partition, 1);
    }
    assert_eq!(offsets_of_topic(&mut client, "t", -1).unwrap().len(), 6);
    house.cluster.kill_node(1, "a test").unwrap();
    // Its leaders move; who asks in between is answered a little later.
    let told = offsets_of_topic(&mut client, "t", -1).unwrap();
    assert!(told.iter().all(|one| one.offset == 1) && told.len() == 6, "{told:?}");
    create_topic(&mut client, "u", 1, 2, &[]).unwrap();
}

#[test]
fn nobody_there_and_no_kafka_are_told_apart() {
    let mut nobody = Client::new("127.0.0.1:1", Duration::from_millis(300));
    let error = create_topic(&mut nobody, "t", 1, 1, &[]).unwrap_err().to_string();
    assert!(error.starts_with("no broker answers at 127.0.0.1:1: "), "{error}");

    // Somebody who answers with nonsense: lengths that promise too much, too little, or bytes that are no answer.
    for nonsense in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0, 0, 0, 2, 0, 0], &[0x7f, 0xff, 0xff, 0xff, 1], &[]] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let talker = std::thread::spawn(move || {
            use std::io::{Read, Write};
            while let Ok((mut stream, _)) = listener.accept() {
                let mut asked = [0; 8];
                if stream.read_exact(&mut asked).is_err() {
                    return;
                }
                // Whoever does not listen any more need not be told.
                let _ = stream.write_all(nonsense);
            }
        });
        let mut client = Client::new(&address, Duration::from_millis(400));
        let error = create_topic(&mut client, "t", 1, 1, &[]).unwrap_err();
        assert!(error.code().is_none() && error.to_string().contains(&address), "{error}");
        // An empty visit ends the talker.
        drop(std::net::TcpStream::connect(&address));
        talker.join().unwrap();
    }
}

#[test]
fn records_are_read_as_they_were_written() {
    let house = house();
    let mut client = house.client();
    let topic: Arc<str> = "t".into();
    create_topic(&mut client, "t", 1, 3, &[]).unwrap();
    house.write("t", 0, 5);
    let message = NewMessage {
        key: Some("k".into()),
        value: None,
        headers: vec![("trace".into(), Some("7".into())), ("empty".into(), None)],
        timestamp_ms: Some(77),
    };
    assert_eq!(produce(&mut client, ("t", 0), &message).unwrap(), 5);
    let fetched = fetch(&mut client, (&topic, 0), 3, Isolation::Uncommitted, 1 << 20, 100).unwrap();
    let told: Vec<(i64, i64, Option<&[u8]>)> =
        fetched.messages.iter().map(|one| (one.offset, one.timestamp_ms, one.value.as_deref())).collect();
    assert_eq!(told, [(3, 13_000, Some(&b"3"[..])), (4, 14_000, Some(b"4")), (5, 77, None)]);
    assert_eq!((fetched.next_offset, fetched.high_watermark, fetched.log_start_offset), (6, 6, 0));
    assert_eq!((fetched.messages[2].key.as_deref(), &fetched.messages[2].headers), (Some(&b"k"[..]), &message.headers));
    let nothing = fetch(&mut client, (&topic, 0), 6, Isolation::Uncommitted, 1 << 20, 0).unwrap();
    assert_eq!((nothing.messages.len(), nothing.next_offset), (0, 6));
    let beyond = fetch(&mut client, (&topic, 0), 99, Isolation::Uncommitted, 1 << 20, 0).unwrap_err();
    assert_eq!(beyond.code(), Some(ErrorCode::OffsetOutOfRange));
    let large = NewMessage { value: Some(vec![0; 2 << 20].into()), ..NewMessage::default() };
    assert_eq!(produce(&mut client, ("t", 0), &large).unwrap_err().code(), Some(ErrorCode::MessageTooLarge));
}

#[test]
fn what_was_aborted_is_left_out_by_those_who_want_what_was_committed() {
    let house = house();
    let mut client = house.client();
    let topic: Arc<str> = "t".into();
    create_topic(&mut client, "t", 1, 3, &[]).unwrap();
    let producer: BaseProducer = house.rdkafka().set("transactional.id", "shop").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for (value, commits) in [("kept", true), ("dropped", false), ("kept too", true)] {
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::<(), str>::to("t").payload(value).partition(0)).unwrap();
        producer.flush(PATIENCE).unwrap();
        if commits {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to("t").payload("open").partition(0)).unwrap();
    producer.flush(PATIENCE).unwrap();
    let mut values = |isolation| -> Vec<String> {
        let fetched = fetch(&mut client, (&topic, 0), 0, isolation, 1 << 20, 0).unwrap();
        let value = |one: &crate::monitor::messages::Message| String::from_utf8(one.value.clone().unwrap().to_vec());
        fetched.messages.iter().map(|one| value(one).unwrap()).collect()
    };
    assert_eq!(values(Isolation::Uncommitted), ["kept", "dropped", "kept too", "open"]);
    assert_eq!(values(Isolation::Committed), ["kept", "kept too"]);
}

#[test]
fn replicas_move_off_a_dead_broker_with_a_throttle() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 1, 2, &[]).unwrap();
    house.write("t", 0, 10);
    let (_, before, leader) = house.seen("t");
    let dead = before.iter().copied().find(|id| *id != leader).unwrap();
    let new = (1..=3).find(|id| !before.contains(id)).unwrap();
    house.cluster.kill_node(dead, "a test").unwrap();
    let is_listed =
        || house.consumer().fetch_metadata(None, PATIENCE).unwrap().brokers().iter().any(|one| one.id() == dead);
    until("it is fenced", || if is_listed() { Err("listed") } else { Ok(()) });
    let moves = [Move { topic: "t".into(), partition: 0, replicas: vec![leader, new] }];
    let throttled = reassign(&mut client, &moves, Some(5_000_000)).unwrap();
    assert_eq!(throttled.brokers, [leader, new].into());
    until("the replicas are there", || {
        let seen = house.seen("t").1;
        if seen == [leader, new] { Ok(()) } else { Err(seen) }
    });
    unthrottle(&mut client, &throttled).unwrap();
}

#[test]
fn records_over_time_are_told_by_offsets_alone() {
    let house = house();
    let mut client = house.client();
    create_topic(&mut client, "t", 3, 3, &[]).unwrap();
    assert_eq!(volume(&mut client, "t", None).unwrap(), Default::default());
    // A record a second from 10 s on.
    house.write("t", 0, 10);
    house.write("t", 1, 4);
    let whole = volume(&mut client, "t", None).unwrap();
    let bars = whole.bars.unwrap();
    assert_eq!((bars.from_ms, bars.step_ms, bars.count), (10_000, 200, 46));
    let expected = |bar: usize| if !bar.is_multiple_of(5) { 0 } else { 1 + u64::from(bar < 20) };
    assert_eq!(whole.of(None), (0..46).map(expected).collect::<Vec<_>>());
    assert_eq!(whole.of(Some(2)), vec![0; 46]);
    let part = volume(&mut client, "t", Some((12_000, 15_000))).unwrap();
    let sum = |partition| part.of(Some(partition)).iter().sum::<u64>();
    assert_eq!((part.bars.unwrap().from_ms, [0, 1, 2].map(sum)), (12_000, [3, 2, 0]));
    // Nothing is that late, and nothing was that early.
    let none = |span| volume(&mut client, "t", Some(span)).unwrap().of(None).iter().sum::<u64>();
    assert_eq!([(20_000, 30_000), (1_000, 10_000)].map(none), [0, 0]);
}
