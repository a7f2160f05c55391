//! What a broker measures, against what was sent to it and what it answered.

use std::time::Duration;

use bytes::Bytes;

use super::data_tests::{Outcome, Site, TOPIC, batch, fetch, image, produce};
use crate::metadata::delta::ImageDelta;
use crate::metrics::table::{purgatory, requests, sessions, topics};
use crate::metrics::{Bean, MetricsReport, Series};
use crate::protocol::ErrorCode;
use crate::protocol::messages::FetchRequestData;

fn report(site: &mut Site) -> MetricsReport {
    site.pass(1000);
    site.broker.metrics_report(site.now).unwrap()
}

fn value(report: &MetricsReport, bean: &'static Bean, labels: &[(&str, &str)]) -> Option<f64> {
    report.get(bean, labels).map(Series::value)
}

fn corrupt(records: &Bytes) -> Bytes {
    let mut bytes = records.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

#[test]
fn topics_count_what_was_sent_and_given() {
    let mut site = Site::alone();
    let mut sent = 0;
    for records in 1..=20 {
        let batch = batch(records);
        sent += batch.len();
        site.produce(9, -1, batch);
    }
    let records = 210.0;
    let refused = batch(5);
    let huge = batch(100_000);
    let huge_bytes = huge.len();
    assert_eq!(site.produce(9, 1, corrupt(&refused)).error_code, ErrorCode::CorruptMessage.code());
    assert_eq!(site.produce(9, 1, huge).error_code, ErrorCode::MessageTooLarge.code());
    assert_eq!(site.produce(9, 7, refused.clone()).error_code, ErrorCode::InvalidRequiredAcks.code());
    site.ask(9, produce(9, 1, &[(9, refused)]));
    let given = site.fetch(12, fetch(12, 0, &[(0, 0), (1, 0), (9, 0)]));
    let parts = given.responses.iter().flat_map(|topic| &topic.partitions);
    let given: usize = parts.filter_map(|part| part.records.as_ref()).map(Bytes::len).sum();
    assert_eq!(given, sent, "nothing is left out of the answer");
    let report = report(&mut site);
    for labels in [&[][..], &[("topic", "t")]] {
        assert_eq!(value(&report, &topics::MESSAGES_IN, labels), Some(records), "{labels:?}");
        assert_eq!(value(&report, &topics::BYTES_IN, labels), Some(sent as f64));
        assert_eq!(value(&report, &topics::BYTES_OUT, labels), Some(given as f64));
        assert_eq!(value(&report, &topics::TOTAL_PRODUCE_REQUESTS, labels), Some(22.0), "20, corrupt, too large");
        assert_eq!(value(&report, &topics::TOTAL_FETCH_REQUESTS, labels), Some(2.0), "of those that are there");
        assert_eq!(value(&report, &topics::BYTES_REJECTED, labels), Some(huge_bytes as f64));
        let failed = value(&report, &topics::FAILED_PRODUCE_REQUESTS, labels).unwrap_or_default();
        assert_eq!(failed, 0.0, "clients are expected to do that");
    }
    assert_eq!(value(&report, &topics::INVALID_MESSAGE_CRC_RECORDS, &[]), Some(1.0));
    let report = report_of_deleted(&mut site);
    assert_eq!(value(&report, &topics::BYTES_IN, &[("topic", "t")]), None, "it went with its topic");
    assert!(value(&report, &topics::MESSAGES_IN, &[]) > Some(0.0), "the sum stays");
}

fn report_of_deleted(site: &mut Site) -> MetricsReport {
    let mut delta = ImageDelta::default();
    let topic = site.broker.image.topics.remove(&TOPIC).unwrap();
    delta.topics_deleted.insert(TOPIC, topic);
    super::upkeep::forget_topics(&mut site.broker, &delta);
    report(site)
}

#[test]
fn purgatory_and_sessions_tell_who_waits() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    assert_eq!(site.ask(9, produce(9, -1, &[(0, batch(1)), (1, batch(1))])), Outcome::Waits);
    let beginning = FetchRequestData { session_epoch: 0, ..fetch(12, 500, &[(0, 0)]) };
    assert_eq!(site.ask(12, beginning), Outcome::Waits);
    let told = report(&mut site);
    // The fetch's time was up by now, the produce's was as well.
    let answers: Vec<_> = std::mem::take(&mut site.broker.out.responses);
    assert_eq!(answers.len(), 2);
    let of = |name| [("delayedOperation", name)];
    for operation in ["Produce", "Fetch", "DeleteRecords", "ShareFetch"] {
        assert_eq!(value(&told, &purgatory::NUM_DELAYED_OPERATIONS, &of(operation)), Some(0.0), "{operation}");
    }
    assert_eq!(value(&told, &purgatory::PRODUCE_EXPIRES, &[]), Some(2.0), "of each partition");
    assert_eq!(value(&told, &purgatory::FETCH_EXPIRES, &[("fetcherType", "consumer")]), Some(1.0));
    assert_eq!(value(&told, &purgatory::FETCH_EXPIRES, &[("fetcherType", "follower")]), Some(0.0));
    assert_eq!(value(&told, &sessions::FETCH_SESSIONS, &[]), Some(1.0));
    assert_eq!(value(&told, &sessions::FETCH_SESSION_PARTITIONS, &[]), Some(1.0));
    assert_eq!(site.ask(12, fetch(12, 5000, &[(0, 0), (1, 0)])), Outcome::Waits);
    let told = report(&mut site);
    assert_eq!(value(&told, &purgatory::NUM_DELAYED_OPERATIONS, &of("Fetch")), Some(1.0));
    assert_eq!(value(&told, &purgatory::PURGATORY_SIZE, &of("Fetch")), Some(2.0));
}

#[test]
fn a_second_has_one_report() {
    let mut site = Site::alone();
    site.now = site.now.plus(Duration::from_millis(999));
    assert!(site.broker.metrics_report(site.now).is_none());
    site.now = site.now.plus(Duration::from_millis(1));
    assert!(site.broker.metrics_report(site.now).is_some());
    assert!(site.broker.metrics_report(site.now).is_none());
}

#[test]
fn errors_are_counted_as_the_answers_have_them() {
    let mut site = Site::alone();
    site.produce(9, 1, batch(1));
    site.ask(9, produce(9, 1, &[(0, batch(1)), (7, batch(1)), (8, batch(1))]));
    site.ask(12, fetch(12, 0, &[(0, 0), (7, 0)]));
    let told = report(&mut site);
    let count = |request, error| value(&told, &requests::ERRORS, &[("request", request), ("error", error)]);
    assert_eq!(count("Produce", "NONE"), Some(2.0));
    assert_eq!(count("Produce", "UNKNOWN_TOPIC_OR_PARTITION"), Some(2.0));
    assert_eq!(count("Fetch", "NONE"), Some(2.0), "of the whole and of one part");
    assert_eq!(count("Fetch", "UNKNOWN_TOPIC_OR_PARTITION"), Some(1.0));
}
