//! Clients that do more than they may: what they are told, and how long their connection is muted.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::data_tests::{Site, batch, fetch, produce};
use crate::metadata::image::ClientQuotas;
use crate::metadata::quotas::{CLIENT_ID, CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE, USER};
use crate::protocol::messages::{ApiVersionsRequestData, KafkaString, ProduceResponseData};
use crate::protocol::{Request, Response, decode_response, encode_request};

fn site(entity: (&str, Option<&str>), key: &str, limit: f64) -> Site {
    let mut site = Site::alone();
    let entity = vec![(entity.0.to_owned(), entity.1.map(str::to_owned))];
    let quotas = ClientQuotas::from([(entity, BTreeMap::from([(key.to_owned(), limit)]))]);
    site.broker.quotas.set_limits(&quotas);
    site
}

/// Asks; the answer and for how long the connection is muted.
fn ask(site: &mut Site, version: i16, request: impl Into<Request>) -> (Option<Response>, Duration) {
    let request = request.into();
    let header = Site::header(request.api(), version);
    let frame = encode_request(&header, &request).unwrap().freeze().slice(4..);
    site.broker.on_client_frame(site.now, 1, 0, [127, 0, 0, 1].into(), frame);
    let answer = site.broker.out.responses.pop().unwrap();
    let response = answer.frame.map(|frame| decode_response(&header, frame.freeze().slice(4..)).unwrap());
    (response, answer.answered.muted_for)
}

fn produced(response: Option<Response>) -> ProduceResponseData {
    match response {
        Some(Response::Produce(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

/// One batch of a thousand records.
fn much() -> Bytes {
    batch(1000)
}

#[test]
fn a_producer_over_its_quota_is_answered_and_then_muted() {
    let mut site = site((CLIENT_ID, Some("tests")), PRODUCER_BYTE_RATE, 1000.0);
    let (answer, muted_for) = ask(&mut site, 9, produce(9, 1, &[(0, batch(1))]));
    assert_eq!((produced(answer).throttle_time_ms, muted_for), (0, Duration::ZERO));
    let bytes = much().len() as u64;
    let (answer, muted_for) = ask(&mut site, 9, produce(9, 1, &[(0, much())]));
    let answer = produced(answer);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "what was sent is taken all the same");
    assert_eq!(muted_for.as_millis(), answer.throttle_time_ms as u128);
    // At 1 kB/s a byte takes a ms; ten windows' worth was free.
    let expected = bytes - 10_000;
    assert!((expected..expected + 500).contains(&(muted_for.as_millis() as u64)), "{muted_for:?} for {bytes} bytes");
    // Without an answer there is only the muting.
    let (none, muted_for) = ask(&mut site, 9, produce(9, 0, &[(0, batch(1))]));
    assert!(none.is_none() && muted_for > Duration::ZERO);
    // After eleven windows nothing is owed.
    site.pass(11_000);
    let (answer, muted_for) = ask(&mut site, 9, produce(9, 1, &[(0, batch(1))]));
    assert_eq!((produced(answer).throttle_time_ms, muted_for), (0, Duration::ZERO));
}

#[test]
fn every_version_of_produce_and_fetch_tells_the_throttle_time() {
    let mut site = site((USER, Some("ANONYMOUS")), PRODUCER_BYTE_RATE, 10.0);
    for version in 3..=13 {
        let (answer, muted_for) = ask(&mut site, version, produce(version, 1, &[(0, much())]));
        assert!(produced(answer).throttle_time_ms > 0 && muted_for > Duration::ZERO, "v{version}");
    }
    let mut quotas = ClientQuotas::new();
    quotas.insert(vec![(USER.to_owned(), None)], BTreeMap::from([(CONSUMER_BYTE_RATE.to_owned(), 10.0)]));
    site.broker.quotas.set_limits(&quotas);
    for version in 4..=18 {
        let answer = site.fetch(version, fetch(version, 0, &[(0, 0)]));
        assert!(answer.throttle_time_ms > 0, "v{version}");
        assert!(answer.responses.is_empty() && answer.error_code == 0, "v{version}");
    }
}

#[test]
fn a_consumer_over_its_quota_gets_nothing_until_it_waited() {
    let mut site = site((CLIENT_ID, None), CONSUMER_BYTE_RATE, 5000.0);
    for _ in 0..20 {
        ask(&mut site, 9, produce(9, 1, &[(0, much())]));
    }
    let bytes = much().len();
    let (mut offset, mut waited) = (0, 0);
    let mut request = fetch(12, 0, &[(0, 0)]);
    request.topics[0].partitions[0].partition_max_bytes = bytes as i32;
    for _ in 0..500 {
        request.topics[0].partitions[0].fetch_offset = offset;
        let (Some(Response::Fetch(answer)), muted_for) = ask(&mut site, 12, request.clone()) else { panic!() };
        assert_eq!(muted_for.as_millis(), answer.throttle_time_ms as u128);
        if answer.throttle_time_ms > 0 {
            assert!(answer.responses.is_empty());
            waited += answer.throttle_time_ms;
            site.pass(answer.throttle_time_ms as u64);
        } else if !answer.responses[0].partitions[0].records.as_ref().unwrap().is_empty() {
            offset += 1000;
        }
        if offset == 20_000 {
            break;
        }
    }
    assert_eq!(offset, 20_000, "it gets all in the end");
    let owed_ms = (bytes * 20) as i32 / 5 - 10_000;
    assert!(waited > owed_ms / 2 && waited < owed_ms * 2, "{waited} ms of {owed_ms}");
}

#[test]
fn a_session_outlives_a_throttled_fetch() {
    let mut site = site((CLIENT_ID, None), CONSUMER_BYTE_RATE, 1e9);
    ask(&mut site, 9, produce(9, 1, &[(0, much())]));
    let mut request = fetch(12, 0, &[(0, 0)]);
    request.session_epoch = 0;
    let first = site.fetch(12, request.clone());
    assert!(first.throttle_time_ms == 0 && first.session_id > 0);
    let tight = ClientQuotas::from([(
        vec![(CLIENT_ID.to_owned(), None)],
        BTreeMap::from([(CONSUMER_BYTE_RATE.to_owned(), 1.0)]),
    )]);
    site.broker.quotas.set_limits(&tight);
    (request.session_id, request.session_epoch) = (first.session_id, 1);
    let second = site.fetch(12, request.clone());
    assert!(second.throttle_time_ms > 0 && second.responses.is_empty());
    assert_eq!(second.session_id, first.session_id);
    site.broker.quotas.set_limits(&ClientQuotas::new());
    request.session_epoch = 2;
    let third = site.fetch(12, request);
    assert_eq!((third.throttle_time_ms, third.session_id), (0, first.session_id));
    assert!(!third.responses.is_empty());
}

#[test]
fn time_spent_is_counted_where_somebody_has_a_limit() {
    fn slow() -> Duration {
        use std::sync::atomic::{AtomicU64, Ordering};
        static READ: AtomicU64 = AtomicU64::new(0);
        Duration::from_millis(100 * READ.fetch_add(1, Ordering::Relaxed))
    }
    let versions = || ApiVersionsRequestData {
        client_software_name: KafkaString::from_static("tests"),
        client_software_version: KafkaString::from_static("1"),
        ..Default::default()
    };
    let mut site = site((USER, Some("ANONYMOUS")), REQUEST_PERCENTAGE, 1.0);
    site.broker.stopwatch = slow;
    let mut told = Vec::new();
    for _ in 0..5 {
        let (Some(Response::ApiVersions(answer)), muted_for) = ask(&mut site, 3, versions()) else { panic!() };
        assert_eq!(muted_for.as_millis(), answer.throttle_time_ms as u128);
        told.push(answer.throttle_time_ms);
    }
    // A tenth of a second is 10 %·s of the 10 that there are in ten windows; nobody waits longer than a window.
    assert_eq!(told[0], 0);
    assert_eq!(told[4], 1000);
    site.broker.quotas.set_limits(&ClientQuotas::new());
    let (_, muted_for) = ask(&mut site, 3, versions());
    assert_eq!(muted_for, Duration::ZERO);
}

/// The stopwatch goes on by 100 ms each time that it is read: so much is a piece of work.
#[test]
fn time_that_counts_against_nobody_is_told_where_somebody_has_a_limit() {
    use crate::metrics::table::quotas as bean;
    fn slow() -> Duration {
        use std::sync::atomic::{AtomicU64, Ordering};
        static READ: AtomicU64 = AtomicU64::new(0);
        Duration::from_millis(100 * READ.fetch_add(1, Ordering::Relaxed))
    }
    let told = |site: &mut Site| {
        site.pass(1_000);
        let report = site.broker.metrics_report(site.now).unwrap();
        report.get(&bean::EXEMPT_REQUEST_TIME, &[]).unwrap().value()
    };
    let mut free = Site::alone();
    free.broker.stopwatch = slow;
    free.ask(9, produce(9, 0, &[(0, batch(1))]));
    assert_eq!(told(&mut free), 0.0, "nobody is limited");
    let mut site = site((USER, Some("ANONYMOUS")), REQUEST_PERCENTAGE, 50.0);
    assert_eq!(told(&mut site), 0.0);
    site.broker.stopwatch = slow;
    for _ in 0..3 {
        site.ask(9, produce(9, 0, &[(0, batch(1))]));
    }
    // Three tenths of a second, over the half minute of a window that has not been yet, and the second of the present one.
    let rate = told(&mut site);
    assert!((rate - 3.0 * 10.0 / 31.0).abs() < 0.01, "{rate}");
    // What answers a client has its quota to count against.
    site.ask(9, produce(9, 1, &[(0, batch(1))]));
    let rate = told(&mut site);
    assert!((rate - 3.0 * 10.0 / 32.0).abs() < 0.01, "{rate}");
}
