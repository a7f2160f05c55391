//! What replicas tell, against the controller's image and what the test carried from one to another.

use std::time::{Duration, Instant};

use super::metrics::Census;
use super::tests::{Trio, id, ms};
use super::{ReplicaManager, fetcher::Fetcher};
use crate::log::AppendOrigin;
use crate::metadata::image::{BrokerImage, Endpoint, Image};
use crate::metrics::table::replica as bean;
use crate::metrics::{Bean, MetricsReport, Rounds};
use crate::records::{BatchBuilder, Compression};
use crate::types::{Id, NodeId, Now};

/// A second's reading.
pub(super) fn read(manager: &mut ReplicaManager, now: Now, image: &Image) -> MetricsReport {
    let mut rounds = Rounds::new(now);
    let mut out = rounds.begin(now.plus(Duration::from_secs(1))).unwrap();
    manager.collect(&mut out, image);
    out.finish(1, Id::ZERO)
}

pub(super) fn value(report: &MetricsReport, bean: &'static Bean) -> f64 {
    let of: Vec<_> = report.of(bean).collect();
    assert_eq!(of.len(), 1, "{bean:?}");
    of[0].value()
}

fn told(trio: &mut Trio, node: NodeId) -> MetricsReport {
    let (now, mut image) = (trio.now, trio.controller.image.clone());
    for (id, broker) in &mut image.brokers {
        let port = 9091 + *id as u16;
        let endpoint = Endpoint { name: "PLAINTEXT".to_owned(), host: "h".to_owned(), port, security_protocol: 0 };
        *broker = std::sync::Arc::new(BrokerImage { endpoints: vec![endpoint], ..BrokerImage::clone(broker) });
    }
    read(trio.at(node), now, &image)
}

/// As the controller has it, counted from its image.
fn expected(image: &Image, node: NodeId, min_isr: usize) -> Census {
    let led = || image.topics.values().flat_map(|topic| &topic.partitions).filter(|state| state.leader == node);
    let count = |holds: &dyn Fn(usize, usize) -> bool| {
        led().filter(|state| holds(state.isr.len(), state.replicas.len())).count() as u64
    };
    Census {
        leaders: led().count() as u64,
        under_replicated: count(&|isr, replicas| isr < replicas),
        under_min_isr: count(&|isr, replicas| isr < min_isr.min(replicas)),
        at_min_isr: count(&|isr, replicas| isr == min_isr.min(replicas)),
        ..Census::default()
    }
}

#[test]
fn the_counts_are_those_of_the_image_whoever_leads() {
    // min.insync.replicas is 2.
    let assignments = [vec![1, 2, 3], vec![2, 3, 1], vec![3, 1, 2], vec![1, 2], vec![3]];
    let mut trio = Trio::with_topic(&assignments);
    let mut seen = Vec::new();
    for out in [None, Some(3), Some(2)] {
        if let Some(out) = out {
            trio.take_out(out);
        }
        let image = trio.controller.image.clone();
        let report = told(&mut trio, 1);
        let of = |bean| value(&report, bean) as u64;
        let told = Census {
            leaders: of(&bean::LEADER_COUNT),
            offline: of(&bean::OFFLINE_REPLICA_COUNT),
            under_replicated: of(&bean::UNDER_REPLICATED_PARTITIONS),
            under_min_isr: of(&bean::UNDER_MIN_ISR_PARTITION_COUNT),
            at_min_isr: of(&bean::AT_MIN_ISR_PARTITION_COUNT),
            reassigning: of(&bean::REASSIGNING_PARTITIONS),
        };
        assert_eq!(told, expected(&image, 1, 2), "without {out:?}");
        assert_eq!(of(&bean::PARTITION_COUNT), 4);
        seen.push((told.leaders, told.under_replicated, told.under_min_isr));
    }
    assert_eq!(seen, [(2, 0, 0), (3, 2, 0), (4, 4, 4)], "and they do change");
}

#[test]
fn bytes_and_requests_are_what_went_over_the_wire() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.fetches.clear();
    for _ in 0..5 {
        trio.append(1, 7, -1).unwrap();
        trio.pass(ms(100));
    }
    let carried = trio.carried_bytes[&2];
    assert!(carried > 5 * 70);
    let (leader, follower) = (told(&mut trio, 1), told(&mut trio, 2));
    assert_eq!(value(&follower, &bean::REPLICATION_BYTES_IN), carried as f64);
    assert_eq!(value(&leader, &bean::REPLICATION_BYTES_OUT), (carried + trio.carried_bytes[&3]) as f64);
    assert_eq!(value(&leader, &bean::REPLICATION_BYTES_IN), 0.0);
    let labels = [("clientId", "ReplicaFetcherThread-0-1"), ("brokerHost", "h"), ("brokerPort", "9092")];
    assert_eq!(follower.get(&bean::FETCHER_BYTES, &labels).unwrap().value(), carried as f64);
    // Those of its first session were before the harness began to count.
    let asked = trio.fetches.iter().filter(|request| request.replica_state.replica_id == 2).count() as f64;
    let requests = follower.get(&bean::FETCHER_REQUESTS, &labels).unwrap().value();
    assert!((asked..=asked + 3.0).contains(&requests), "{asked} {requests}");
    assert_eq!(value(&follower, &bean::FETCHER_MAX_LAG), 0.0);
    assert_eq!(leader.of(&bean::FETCHER_REQUESTS).count(), 0, "a leader fetches from nobody");
    assert_eq!(value(&leader, &bean::REASSIGNMENT_BYTES_OUT), 0.0);
}

#[test]
fn a_change_of_the_isr_counts_when_the_controller_has_agreed() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    trio.pass(ms(5_000));
    trio.out = vec![3];
    trio.append(1, 1, -1).unwrap();
    trio.pass(ms(4_000));
    let report = told(&mut trio, 1);
    assert_eq!((value(&report, &bean::ISR_SHRINKS), value(&report, &bean::ISR_EXPANDS)), (1.0, 0.0));
    trio.bring_back(3);
    trio.pass(ms(6_000));
    let report = told(&mut trio, 1);
    assert_eq!((value(&report, &bean::ISR_SHRINKS), value(&report, &bean::ISR_EXPANDS)), (1.0, 1.0));
    assert_eq!(value(&report, &bean::FAILED_ISR_UPDATES), 0.0);
}

#[test]
fn the_lag_is_that_of_the_replica_farthest_behind() {
    let mut fetcher = Fetcher::new();
    fetcher.add(id(1), 1);
    fetcher.add(id(2), 1);
    assert_eq!((fetcher.max_lag(), fetcher.awaiting_image()), (0, 0));
    fetcher.note_lag(&id(1), 17);
    fetcher.note_lag(&id(2), -3);
    assert_eq!(fetcher.max_lag(), 17);
    fetcher.await_image(id(2));
    fetcher.remove(&id(1));
    assert_eq!((fetcher.max_lag(), fetcher.awaiting_image()), (0, 1));
}

#[test]
fn a_transaction_is_late_five_minutes_after_it_should_have_ended() {
    let mut trio = Trio::with_topic(&[vec![1, 2, 3]]);
    let mut builder = BatchBuilder::new(0, Compression::None).producer(7, 0, 0).transactional(true);
    builder.push(trio.now.wall_ms, None, Some(b"value"), &[]);
    let now = trio.now;
    let rules = crate::log::AppendRules::of(AppendOrigin::Coordinator);
    trio.at(1).append_checked(now, &id(1), builder.build_mut(), -1, rules).unwrap();
    trio.settle();
    // transaction.max.timeout.ms is 15 minutes.
    for (minutes, late) in [(0, 0.0), (19, 0.0), (21, 1.0)] {
        trio.now = now.plus(Duration::from_secs(minutes * 60));
        let (leader, follower) = (told(&mut trio, 1), told(&mut trio, 2));
        assert_eq!(value(&leader, &bean::PARTITIONS_WITH_LATE_TRANSACTIONS_COUNT), late, "{minutes}");
        assert_eq!(value(&follower, &bean::PARTITIONS_WITH_LATE_TRANSACTIONS_COUNT), 0.0, "leaders tell of it");
        assert_eq!((value(&leader, &bean::PRODUCER_ID_COUNT), value(&follower, &bean::PRODUCER_ID_COUNT)), (1.0, 1.0));
    }
}

#[test]
fn ten_thousand_partitions_are_counted_in_little_time() {
    let assignments: Vec<Vec<NodeId>> = (0..10_000).map(|_| vec![1]).collect();
    let mut trio = Trio::with_topic(&assignments);
    let image = trio.controller.image.clone();
    let now = trio.now;
    let mut rounds = Rounds::new(now);
    let mut out = rounds.begin(now.plus(Duration::from_secs(1))).unwrap();
    let since = Instant::now();
    trio.at(1).collect(&mut out, &image);
    let took = since.elapsed();
    eprintln!("10,000 partitions: {took:?}");
    let report = out.finish(1, Id::ZERO);
    assert_eq!(value(&report, &bean::LEADER_COUNT), 10_000.0);
    assert!(report.series.len() < 100, "nothing of each partition");
    assert!(took < Duration::from_millis(500), "{took:?}, not optimised");
}
