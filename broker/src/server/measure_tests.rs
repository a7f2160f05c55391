//! What a broker measures, against what was sent to it and what it answered.

use std::time::Duration;

use bytes::Bytes;

use super::data_tests::{ALONE, Outcome, Site, TOPIC, batch, fetch, image, produce};
use super::peer::{PeerMessage, PeerRequest, PeerResponse};
use crate::metadata::delta::ImageDelta;
use crate::metrics::table::{purgatory, quotas, requests, sessions, topics};
use crate::metrics::{Bean, MetricsReport, Reading, Series};
use crate::protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use crate::protocol::messages::{FetchRequestData, UpdateFeaturesRequestData};
use crate::protocol::{Api, ErrorCode, Response};

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

#[test]
fn a_followers_fetch_is_counted_with_its_errors_and_with_the_time_that_it_waited_for_its_turn() {
    let mut site = Site::with(image(1, 0, &[1, 2], &[1, 2]));
    site.broker.stopwatch = || Duration::from_millis(25);
    let parts = [0, 1, 7].map(|partition| FetchPartition {
        partition,
        partition_max_bytes: 1_000,
        log_start_offset: 0,
        last_fetched_epoch: -1,
        current_leader_epoch: if partition == 1 { 3 } else { 0 },
        ..FetchPartition::default()
    });
    let topic = FetchTopic { topic_id: TOPIC.into(), partitions: parts.to_vec(), ..FetchTopic::default() };
    let mut codes: Vec<i16> = Vec::new();
    // The second time it says that it is another one than it is.
    for (correlation, replica_id) in [(1, 2), (2, 1)] {
        let request = FetchRequestData {
            replica_state: ReplicaState { replica_id, replica_epoch: 5, ..ReplicaState::default() },
            session_epoch: 0,
            max_bytes: 1_000_000,
            topics: vec![topic.clone()],
            ..FetchRequestData::default()
        };
        let message = PeerMessage::Request { correlation, body: PeerRequest::Fetch(Box::new(request)) };
        site.broker.on_peer_message_since(site.now, 2, message, Duration::from_millis(21));
        for (_, message) in std::mem::take(&mut site.broker.out.peer) {
            if let PeerMessage::Response { body: PeerResponse::Fetch(answer), .. } = message {
                let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
                codes.extend(parts.map(|part| part.error_code).chain([answer.error_code]));
            }
        }
    }
    assert!(codes.iter().any(|code| *code != 0) && codes.len() >= 4, "{codes:?}");
    let told = report(&mut site);
    for code in &codes {
        let times = codes.iter().filter(|other| *other == code).count() as f64;
        let error = crate::protocol::error_name(ErrorCode::from(*code));
        assert_eq!(
            value(&told, &requests::ERRORS, &[("request", "Fetch"), ("error", &*error)]),
            Some(times),
            "{error}"
        );
    }
    let Reading::Histogram(queued) =
        &told.get(&requests::REQUEST_QUEUE_TIME, &[("request", "FetchFollower")]).unwrap().reading
    else {
        panic!()
    };
    assert_eq!((queued.count, queued.min, queued.max), (2, 4.0, 4.0));
}

/// Times of what is forwarded: the test is the controller, and time passes as it wishes.
#[test]
fn what_is_forwarded_is_timed_until_it_is_sent_and_until_it_is_answered() {
    let mut site = Site::alone();
    let p99 = |report: &MetricsReport| {
        [&quotas::FORWARDING_QUEUE_TIME_P99, &quotas::FORWARDING_REMOTE_TIME_P99]
            .map(|bean| value(report, bean, &[]).unwrap())
    };
    assert!(p99(&report(&mut site)).iter().all(|time| time.is_nan()), "nothing was forwarded yet");
    let sent = |site: &mut Site| {
        let mut sent =
            std::mem::take(&mut site.broker.out.peer).into_iter().filter_map(|(to, message)| match message {
                PeerMessage::Request { correlation, body: PeerRequest::UpdateFeatures(_) } => Some((to, correlation)),
                _ => None,
            });
        sent.next()
    };
    assert_eq!(site.ask(2, UpdateFeaturesRequestData::default()), Outcome::Waits);
    let entered = site.now.mono;
    site.pass(2_000);
    assert_eq!(sent(&mut site), None, "there is no controller");
    let told = report(&mut site);
    assert_eq!(value(&told, &quotas::FORWARDING_QUEUE_LENGTH, &[]), Some(1.0));
    assert_eq!(value(&told, &quotas::START_TIME, &[]), Some(1_700_000_000_000.0));
    site.broker.active_controller = Some(3000);
    site.pass(50);
    let (to, correlation) = sent(&mut site).unwrap();
    assert_eq!(to, 3000);
    // That one is not active any more.
    site.pass(150);
    let body = PeerResponse::NotController { leader_id: 3001 };
    site.broker.on_peer_message(site.now, 3000, PeerMessage::Response { correlation, body });
    site.broker.active_controller = Some(3001);
    site.pass(50);
    let (to, correlation) = sent(&mut site).unwrap();
    let queued_ms = (site.now.mono - entered).as_secs_f64() * 1_000.0;
    assert_eq!(to, 3001);
    site.pass(700);
    let body = PeerResponse::UpdateFeatures(Box::default());
    site.broker.on_peer_message(site.now, 3001, PeerMessage::Response { correlation, body });
    assert!(matches!(site.outcome(&Site::header(Api::UpdateFeatures, 2)), Outcome::Answer(_)));
    let told = report(&mut site);
    assert_eq!(value(&told, &quotas::FORWARDING_QUEUE_LENGTH, &[]), Some(0.0));
    let told = p99(&told);
    // Values are told apart to some 3 %.
    for (told, expected) in told.into_iter().zip([queued_ms, 700.0]) {
        assert!((told / expected - 1.0).abs() < 0.07, "{told} {expected}");
    }
}

#[test]
fn clients_that_push_metrics_are_counted_and_those_who_are_behind_too() {
    use crate::protocol::messages::{GetTelemetrySubscriptionsRequestData, PushTelemetryRequestData};
    let mut site = Site::alone();
    let Outcome::Answer(Response::GetTelemetrySubscriptions(given)) =
        site.ask(0, GetTelemetrySubscriptionsRequestData::default())
    else {
        panic!()
    };
    let behind = PushTelemetryRequestData::default()
        .with_client_instance_id(given.client_instance_id)
        .with_subscription_id(given.subscription_id.wrapping_add(1));
    let Outcome::Answer(Response::PushTelemetry(refused)) = site.ask(0, behind) else { panic!() };
    assert_eq!(refused.error_code, ErrorCode::UnknownSubscriptionId.code());
    let told = report(&mut site);
    assert_eq!(value(&told, &sessions::CLIENT_METRICS_INSTANCES, &[]), Some(1.0));
    assert_eq!(value(&told, &sessions::UNKNOWN_SUBSCRIPTION_COUNT, &[]), Some(1.0));
    site.broker.on_disconnect(site.now, 1);
    assert_eq!(value(&report(&mut site), &sessions::CLIENT_METRICS_INSTANCES, &[]), Some(0.0));
}

#[test]
fn records_that_are_packed_anew_for_their_topic_are_counted() {
    let mut image = image(1, 0, ALONE, ALONE);
    let gzip = [("compression.type".to_owned(), "gzip".to_owned())].into();
    image.configs.insert((crate::metadata::config::RESOURCE_TOPIC, "t".into()), std::sync::Arc::new(gzip));
    let mut site = Site::with(image);
    for records in [3, 4] {
        assert_eq!(site.produce(9, 1, batch(records)).error_code, 0);
    }
    let told = report(&mut site);
    for labels in [&[][..], &[("topic", "t")]] {
        assert_eq!(value(&told, &topics::PRODUCE_MESSAGE_CONVERSIONS, labels), Some(7.0), "{labels:?}");
    }
    let memory = |request| match &told.get(&requests::TEMPORARY_MEMORY, &[("request", request)]).unwrap().reading {
        Reading::Histogram(reading) => **reading,
        other => panic!("{other:?}"),
    };
    // They came as they are, and took as much again before they were packed.
    let records = [3, 4].map(|records| batch(records).len() as f64);
    let (packed, produced) = (memory("Produce"), records.iter().sum::<f64>());
    assert_eq!((packed.count, packed.sum, packed.max), (2, produced, records[1]));
    assert_eq!(memory("Fetch").count, 0);
}
