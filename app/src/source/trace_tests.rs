//! A record is followed through a cluster that runs.

use std::time::Duration;

use broker::fault::LinkEffect;
use broker::server::trace::{Station, Trace, TraceState, TraceWish};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::testing::{House, PATIENCE, house, until};
use crate::client::{Client, create_topic, produce};
use crate::monitor::messages::NewMessage;

fn follow(house: &House) {
    house.cluster.follow(TraceWish { topic: Some("t".into()), partition: Some(0) });
}

fn write(house: &House) {
    let message = NewMessage { value: Some("one".into()), ..NewMessage::default() };
    produce(&mut house.client(), ("t", 0), &message).unwrap();
}

fn seen(house: &House, what: &str, is_enough: impl Fn(&Trace) -> bool) -> Trace {
    until(what, || {
        let state = house.cluster.trace();
        if state.trace.as_ref().is_some_and(&is_enough) { Ok(()) } else { Err(Box::new(state)) }
    });
    house.cluster.trace().trace.unwrap()
}

fn at(trace: &Trace, station: &Station) -> Duration {
    let step = trace.steps.iter().find(|step| step.station == *station);
    step.unwrap_or_else(|| panic!("{station:?} is not among {:?}", trace.steps)).at
}

fn has(trace: &Trace, station: &Station) -> bool {
    trace.steps.iter().any(|step| step.station == *station)
}

fn fetched(trace: &Trace) -> bool {
    trace.steps.iter().any(|step| matches!(step.station, Station::Fetched { .. }))
}

#[test]
fn a_record_is_seen_on_all_its_way_and_in_order() {
    let house = house();
    create_topic(&mut house.client(), "t", 1, 3, &[]).unwrap();
    follow(&house);
    assert!(house.cluster.trace().wish.is_some());
    write(&house);
    let consumer: BaseConsumer = house.rdkafka().set("client.id", "reader").create().unwrap();
    let mut assigned = TopicPartitionList::new();
    assigned.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&assigned).unwrap();
    until("it is read", || {
        consumer.poll(Duration::from_millis(100)).map_or(Err(()), |read| read.map(drop).map_err(|_| ()))
    });
    let followers =
        |trace: &Trace| -> Vec<i32> { trace.isr.iter().copied().filter(|id| *id != trace.leader).collect() };
    let trace = seen(&house, "all of it", |trace| {
        let confirmed = followers(trace).iter().all(|id| has(trace, &Station::Confirmed(*id)));
        confirmed && fetched(trace) && has(trace, &Station::Acknowledged)
    });
    assert_eq!((trace.topic.as_str(), trace.partition, trace.first_offset, trace.last_offset), ("t", 0, 0, 0));
    assert_eq!((trace.acks, trace.isr.len(), trace.replicas.len()), (-1, 3, 3));
    let way = [
        at(&trace, &Station::Arrived),
        at(&trace, &Station::Begun),
        at(&trace, &Station::Appended),
        at(&trace, &Station::Committed),
        at(&trace, &Station::Answered(0)),
        at(&trace, &Station::Acknowledged),
    ];
    // It is committed and answered in one go, which is looked at when it is over.
    let (committed, answered) = (way[3], way[4]);
    assert!(committed.abs_diff(answered) < Duration::from_millis(50), "{way:?}");
    assert!(way[..3].is_sorted() && way[2] <= committed.min(answered) && answered <= way[5], "{way:?}");
    for follower in followers(&trace) {
        let way = [Station::SentTo(follower), Station::Replicated(follower), Station::Confirmed(follower)];
        let way = way.map(|station| at(&trace, &station));
        assert!(way.is_sorted() && at(&trace, &Station::Appended) <= way[0], "{way:?}");
        assert!(way[2] <= committed, "in sync is who has it: {trace:?}");
    }
    let reads = trace
        .steps
        .iter()
        .filter(|step| matches!(&step.station, Station::Fetched { client_id, .. } if client_id == "reader"));
    assert_eq!(reads.count(), 1);
}

#[test]
fn a_refusal_is_seen_too() {
    let house = house();
    let configs = [("min.insync.replicas".to_owned(), "3".to_owned())];
    create_topic(&mut house.client(), "t", 1, 3, &configs).unwrap();
    let (_, _, leader) = house.seen("t");
    let follower = [1, 2, 3].into_iter().find(|id| *id != leader).unwrap();
    house.cluster.kill_node(follower, "a test").unwrap();
    // What is written before the ISR shrinks is appended and waits in vain.
    let mut client = Client::new(&house.servers, Duration::from_secs(1));
    until("it is refused", || {
        follow(&house);
        let written = produce(&mut client, ("t", 0), &NewMessage::default());
        let trace = house.cluster.trace().trace;
        let is_refusal = |trace: &Trace| has(trace, &Station::Refused(19)) && trace.is_over;
        if written.is_err() && trace.as_ref().is_some_and(is_refusal) { Ok(()) } else { Err(Box::new(trace)) }
    });
    let trace = house.cluster.trace().trace.unwrap();
    assert_eq!((trace.first_offset, trace.isr.len(), trace.replicas.len()), (-1, 2, 3));
    assert!(has(&trace, &Station::Answered(19)) && has(&trace, &Station::Acknowledged));
}

#[test]
fn nobody_is_followed_who_is_not_meant_and_one_can_stop() {
    let house = house();
    for topic in ["t", "other"] {
        create_topic(&mut house.client(), topic, 1, 1, &[]).unwrap();
    }
    follow(&house);
    produce(&mut house.client(), ("other", 0), &NewMessage::default()).unwrap();
    assert_eq!(house.cluster.trace().trace, None, "it is of another topic");
    house.cluster.stop_following();
    write(&house);
    assert_eq!(house.cluster.trace(), TraceState::default());
}

#[test]
fn what_is_acknowledged_and_then_lost_is_said_to_be() {
    let house = house();
    create_topic(&mut house.client(), "t", 1, 3, &[]).unwrap();
    let (_, _, leader) = house.seen("t");
    let producer: BaseProducer = house.rdkafka().set("acks", "1").create().unwrap();
    let cut = (1..=3).filter(|id| *id != leader).flat_map(|id| [(id, leader), (leader, id)]).collect();
    house.cluster.break_links(cut, LinkEffect::Cut);
    follow(&house);
    producer.send(BaseRecord::<(), str>::to("t").payload("one").partition(0)).unwrap();
    producer.flush(PATIENCE).unwrap();
    let acknowledged = seen(&house, "it is acknowledged", |trace| has(trace, &Station::Acknowledged));
    assert!(!has(&acknowledged, &Station::Committed), "nobody else has it: {acknowledged:?}");
    house.cluster.kill_node(leader, "a test").unwrap();
    // The next record takes its offset: it is not to be taken for it.
    until("another leads", || if [-1, leader].contains(&house.seen("t").2) { Err(()) } else { Ok(()) });
    write(&house);
    let lost = |trace: &Trace| trace.steps.iter().any(|step| matches!(step.station, Station::Lost(_)));
    let trace = seen(&house, "it is lost", |trace| lost(trace) && trace.is_over);
    assert!(!has(&trace, &Station::Committed), "{trace:?}");
}
