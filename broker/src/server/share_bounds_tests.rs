//! Share fetches of who is to wait: over a quota, or with no room for a session; and where a group begins that has not read yet.

use std::time::Duration;

use super::share_tests::{Stage, acquired, fetched};
use crate::metadata::image::ClientQuotas;
use crate::metadata::quotas::{CLIENT_ID, CONSUMER_BYTE_RATE};
use crate::protocol::messages::{KafkaString, ShareFetchRequestData};
use crate::protocol::{ErrorCode, Response};
use crate::records::{BatchBuilder, Compression};

/// Bytes a second that the clients of these tests may fetch; none is no limit.
fn limit(stage: &mut Stage, consumer_byte_rate: Option<f64>) {
    let entity = vec![(CLIENT_ID.to_owned(), Some("tests".to_owned()))];
    let limits = consumer_byte_rate.map(|rate| (CONSUMER_BYTE_RATE.to_owned(), rate));
    stage.site.broker.quotas.set_limits(&ClientQuotas::from([(entity, limits.into_iter().collect())]));
}

/// One batch of so many records, written that long ago.
fn batch(stage: &Stage, records: usize, ago_ms: i64) -> bytes::Bytes {
    let mut batch = BatchBuilder::new(0, Compression::None);
    (0..records).for_each(|_| batch.push(stage.site.now.wall_ms - ago_ms, None, Some(b"a value"), &[]));
    batch.build()
}

#[test]
fn over_a_quota_nothing_comes_and_what_was_acquired_comes_again_when_its_lock_has_run_out() {
    let mut stage = Stage::new();
    limit(&mut stage, Some(20.0));
    stage.append(100);
    stage.fetch(1, "a", 0, &[]);
    let answer = fetched(stage.keep(ErrorCode::None));
    assert!(answer.responses.is_empty() && answer.error_code == 0, "{answer:?}");
    assert_eq!(answer.acquisition_lock_timeout_ms, 30_000);
    assert!(answer.throttle_time_ms > 0);
    assert_eq!(stage.muted_for, Duration::from_millis(answer.throttle_time_ms as u64));
    // What it did not get does not count, so that the quota is not used up by it.
    limit(&mut stage, Some(1_000_000.0));
    assert!(stage.fetch(1, "a", 1, &[]).is_empty(), "the session went on, and all records are acquired");
    stage.site.pass(1_000);
    assert_eq!((fetched(stage.answers()).throttle_time_ms, stage.muted_for), (0, Duration::ZERO));
    assert!(stage.fetch(2, "b", 0, &[]).is_empty(), "nobody else has them meanwhile");
    stage.site.pass(1_000);
    stage.answers();
    stage.site.pass(28_000);
    assert_eq!(acquired(&fetched(stage.fetch(2, "b", 1, &[]))), [(0, 99, 2)]);
}

#[test]
fn over_a_quota_the_fate_of_acknowledgements_is_told_all_the_same() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 2, 1)]);
    limit(&mut stage, Some(20.0));
    stage.append(100);
    stage.fetch(1, "a", 1, &[(0, 2, 1)]);
    let answer = fetched(stage.keep(ErrorCode::None));
    assert!(answer.throttle_time_ms > 0 && acquired(&answer).is_empty());
    let part = &answer.responses[0].partitions[0];
    assert_eq!((part.error_code, part.acknowledge_error_code), (0, 0));
}

#[test]
fn a_throttled_request_of_an_old_epoch_is_told_so() {
    let mut stage = Stage::new();
    limit(&mut stage, Some(20.0));
    stage.append(100);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    let refused = fetched(stage.fetch(1, "a", 7, &[]));
    assert_eq!(ErrorCode::from(refused.error_code), ErrorCode::InvalidShareSessionEpoch);
}

fn session_limit_reached(answers: Vec<Response>) -> bool {
    ErrorCode::from(fetched(answers).error_code) == ErrorCode::ShareSessionLimitReached
}

#[test]
fn who_finds_no_room_for_a_session_is_told_when_its_wait_is_over() {
    let mut stage = Stage::on_broker(&[("group.share.max.share.sessions", "1")], &[]);
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 2, 1)]);
    // It would ask again at once: it is kept waiting for as long as it was ready to.
    assert!(stage.fetch(2, "b", 0, &[]).is_empty());
    stage.append(3);
    stage.site.pass(999);
    assert!(stage.answers().is_empty(), "new records are none of its business");
    stage.site.pass(1);
    let refused = fetched(stage.answers());
    assert_eq!(ErrorCode::from(refused.error_code), ErrorCode::ShareSessionLimitReached);
    assert!(refused.responses.is_empty() && refused.acquisition_lock_timeout_ms == 0);
    // Who would not wait is told at once; who goes meanwhile is told nothing.
    let request = ShareFetchRequestData::default()
        .with_group_id(Some(KafkaString::from_static("g")))
        .with_member_id(Some(KafkaString::from_static("c")));
    assert!(session_limit_reached(stage.send(3, request)));
    assert!(stage.fetch(2, "b", 0, &[]).is_empty());
    stage.site.broker.on_disconnect(stage.site.now, 2);
    stage.site.pass(1_000);
    assert!(stage.answers().is_empty());
    // Its own session is no obstacle to a member that begins anew, nor is one that is over to anybody.
    assert_eq!(acquired(&fetched(stage.fetch(1, "a", 0, &[]))), [(3, 5, 1)]);
    stage.fetch(1, "a", -1, &[]);
    stage.keep(ErrorCode::None);
    stage.fetch(4, "b", 0, &[]);
    let all = acquired(&fetched(stage.keep(ErrorCode::None)));
    assert_eq!((all.first().map(|range| range.0), all.last().map(|range| range.1)), (Some(0), Some(5)));
}

#[test]
fn a_group_that_begins_by_duration_begins_with_the_first_record_that_is_young_enough() {
    for (reset, expected) in
        [("by_duration:PT1H", (2, 4, 1)), ("by_duration:PT10M", (4, 4, 1)), ("by_duration:P2D", (0, 4, 1))]
    {
        let mut stage = Stage::with(&[("share.auto.offset.reset", reset)]);
        for (records, ago_ms) in [(2, 86_400_000), (2, 3_599_000), (1, 0)] {
            let batch = batch(&stage, records, ago_ms);
            stage.append_batch(batch);
        }
        stage.fetch(1, "a", 0, &[]);
        assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [expected], "{reset}");
    }
    // Where there is none so young, Kafka does not say where to begin before there is.
    let mut stage = Stage::with(&[("share.auto.offset.reset", "by_duration:PT10M")]);
    let old = batch(&stage, 2, 601_000);
    stage.append_batch(old);
    stage.fetch(1, "a", 0, &[]);
    let answer = fetched(stage.keep(ErrorCode::None));
    let error = ErrorCode::from(answer.responses[0].partitions[0].error_code);
    assert_eq!(error, ErrorCode::OffsetNotAvailable);
    let young = batch(&stage, 1, 0);
    stage.append_batch(young);
    stage.fetch(1, "a", 1, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(2, 2, 1)]);
}
