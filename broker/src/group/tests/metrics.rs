//! What the coordinator tells, against what clients did.

use super::consumer::joining;
use super::*;
use crate::metrics::table::groups as bean;
use crate::metrics::{Bean, MetricsReport, Rounds};

fn read(bench: &mut Bench) -> MetricsReport {
    let mut out = Rounds::new(bench.now).begin(bench.now.plus(Duration::from_secs(1))).unwrap();
    bench.groups.collect(&mut out);
    out.finish(1, Id::ZERO)
}

fn value(report: &MetricsReport, bean: &'static Bean) -> f64 {
    report.get(bean, &[]).unwrap().value()
}

fn of(report: &MetricsReport, bean: &'static Bean, label: (&str, &str)) -> f64 {
    report.get(bean, &[label]).unwrap().value()
}

#[test]
fn groups_are_counted_by_kind_and_state() {
    let mut bench = Bench::new();
    let report = read(&mut bench);
    assert!(report.series.iter().all(|series| series.value() == 0.0), "nothing is there yet");
    bench.stable("a", 2);
    bench.join_dynamic("c");
    bench.commit_offset(8, "d", "", -1, &[("t", 0, 5)]);
    bench.well(&joining("n", "m", &["t"]));
    let report = read(&mut bench);
    assert_eq!(
        (of(&report, &bean::GROUP_COUNT, ("protocol", "classic")), value(&report, &bean::NUM_GROUPS)),
        (3.0, 3.0)
    );
    assert_eq!(of(&report, &bean::GROUP_COUNT, ("protocol", "consumer")), 1.0);
    assert_eq!(of(&report, &bean::GROUP_COUNT, ("protocol", "share")), 0.0);
    assert_eq!(value(&report, &bean::NUM_GROUPS_STABLE), 1.0);
    assert_eq!(value(&report, &bean::NUM_GROUPS_PREPARING_REBALANCE), 1.0);
    assert_eq!(value(&report, &bean::NUM_GROUPS_EMPTY), 1.0);
    assert_eq!(of(&report, &bean::CONSUMER_GROUP_COUNT, ("state", "Stable")), 1.0);
    let all: f64 = report.of(&bean::CONSUMER_GROUP_COUNT).map(|series| series.value()).sum();
    assert_eq!(all, 1.0, "each is in one state");
    assert_eq!(value(&report, &bean::CLASSIC_REBALANCE_COUNT), 1.0, "of a; c has none yet");
    assert_eq!(value(&report, &bean::CONSUMER_REBALANCE_COUNT), 1.0);
    bench.well(&joining("n", "o", &["t"]));
    assert_eq!(value(&read(&mut bench), &bean::CONSUMER_REBALANCE_COUNT), 2.0);
}

#[test]
fn offsets_are_counted_as_they_come_and_go() {
    let mut bench = Bench::new();
    bench.commit_offset(8, "g", "", -1, &[("t", 0, 5), ("t", 1, 6), ("u", 0, 7), ("none", 0, 1)]);
    bench.commit_offset(8, "g", "", -1, &[("t", 0, 8)]);
    let report = read(&mut bench);
    assert_eq!(value(&report, &bean::OFFSET_COMMIT_COUNT), 4.0, "what was refused does not count");
    assert_eq!(value(&report, &bean::NUM_OFFSETS), 3.0);
    assert_eq!(value(&report, &bean::OFFSET_EXPIRATION_COUNT), 0.0);
    let retention_ms = u64::try_from(bench.groups.config().offsets_retention_ms).unwrap();
    bench.pass(retention_ms * 2);
    let report = read(&mut bench);
    assert_eq!((value(&report, &bean::OFFSET_EXPIRATION_COUNT), value(&report, &bean::NUM_OFFSETS)), (3.0, 0.0));
    assert_eq!(value(&report, &bean::OFFSET_DELETION_COUNT), 0.0, "nobody asked for it");
}

#[test]
fn groups_of_the_other_kinds_are_counted_with_their_rebalances() {
    use super::streams;
    use crate::protocol::messages::ShareGroupHeartbeatRequestData;
    let mut bench = Bench::new();
    let sum = |report: &MetricsReport, bean| report.of(bean).map(|series| series.value()).sum::<f64>();
    for (count, member) in [(1.0, "one"), (2.0, "two")] {
        bench.runs(&streams::joining("s", member, streams::reading(&["t"])));
        let request = ShareGroupHeartbeatRequestData::default()
            .with_group_id(text("h"))
            .with_member_id(text(member))
            .with_subscribed_topic_names(Some(vec![text("t")]));
        let (to, now) = (bench.to(), bench.now);
        bench.groups.share_group_heartbeat(now, to, &client(1), &request);
        bench.pump();
        let report = read(&mut bench);
        assert_eq!(value(&report, &bean::STREAMS_REBALANCE_COUNT), count, "{member}");
        assert_eq!(value(&report, &bean::SHARE_REBALANCE_COUNT), count, "{member}");
        assert_eq!((sum(&report, &bean::STREAMS_GROUP_COUNT), sum(&report, &bean::SHARE_GROUP_COUNT)), (1.0, 1.0));
        assert_eq!(of(&report, &bean::GROUP_COUNT, ("protocol", "streams")), 1.0);
    }
    // Members of a classic group that have joined, and wait for their leader.
    let (_, to) = bench.join_dynamic("c");
    bench.pass(3_000);
    bench.joined(to);
    assert_eq!(value(&read(&mut bench), &bean::NUM_GROUPS_COMPLETING_REBALANCE), 1.0);
}
