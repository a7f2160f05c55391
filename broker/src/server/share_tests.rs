//! Share fetches and acknowledgements as a member sees them, with a share coordinator that answers when it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::context::ConnId;
use super::data_tests::{ALONE, Outcome, Site, TOPIC, batch, image, partition};
use super::share_bridge::{self, ShareKey};
use super::share_persister::{StateRequest, StateResponse};
use super::share_state_bridge::has_share_groups;
use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::config::RESOURCE_GROUP;
use crate::metadata::image::Image;
use crate::metrics::table::{sessions, shares as bean, topics};
use crate::metrics::{MetricsReport, Reading};
use crate::protocol::messages::{
    KafkaString, ReadShareGroupStateResponseData, ShareAcknowledgeRequestData, ShareAcknowledgeResponseData,
    ShareFetchRequestData, ShareFetchResponseData, WriteShareGroupStateResponseData, read_share_group_state_response,
    share_acknowledge_request, share_fetch_request, write_share_group_state_response,
};
use crate::protocol::{ErrorCode, Request, Response, encode_request};

const GROUP: &str = "g";

/// What the share coordinator has of a partition: start offset, states by offset.
type Kept = (i64, BTreeMap<i64, (i8, i16)>);

pub(super) struct Stage {
    pub(super) site: Site,
    kept: BTreeMap<i32, Kept>,
    seq: u64,
    /// For how long the connection of the last answer is not read from.
    pub(super) muted_for: Duration,
}

fn with_share_groups(mut image: Image, configs: &[(&str, &str)]) -> Image {
    image.features.insert("share.version".into(), 1);
    let configs = [("share.auto.offset.reset", "earliest")].iter().chain(configs);
    let configs: BTreeMap<String, String> = configs.map(|(key, value)| ((*key).into(), (*value).into())).collect();
    image.configs.insert((RESOURCE_GROUP, GROUP.into()), Arc::new(configs));
    image
}

impl Stage {
    pub(super) fn new() -> Stage {
        Stage::with(&[])
    }

    /// With configs of the group.
    pub(super) fn with(configs: &[(&str, &str)]) -> Stage {
        Stage::on_broker(&[], configs)
    }

    /// With configs of the broker and of the group.
    pub(super) fn on_broker(broker: &[(&str, &str)], group: &[(&str, &str)]) -> Stage {
        let mut site = Site::configured(with_share_groups(image(1, 0, ALONE, ALONE), group), broker);
        site.broker.shares.captured = Some(Vec::new());
        assert!(has_share_groups(&site.broker));
        Stage { site, kept: BTreeMap::new(), seq: 100, muted_for: Duration::ZERO }
    }

    pub(super) fn append(&mut self, records: usize) {
        self.append_batch(batch(records));
    }

    pub(super) fn append_batch(&mut self, batch: Bytes) {
        let records = bytes::BytesMut::from(&batch[..]);
        self.site.broker.replicas.append(self.site.now, &partition(0), records, 1).unwrap();
        self.site.broker.on_tick(self.site.now);
    }

    /// Sends a request on a connection; the answers that came of it.
    pub(super) fn send(&mut self, conn: ConnId, request: impl Into<Request>) -> Vec<Response> {
        let request = request.into();
        let header = Site::header(request.api(), 2);
        let frame = encode_request(&header, &request).unwrap().freeze().slice(4..);
        self.seq += 1;
        self.site.broker.on_client_frame(self.site.now, conn, self.seq, [127, 0, 0, 1].into(), frame);
        self.answers()
    }

    pub(super) fn answers(&mut self) -> Vec<Response> {
        let mut answers = Vec::new();
        while let Some(last) = self.site.broker.out.responses.last() {
            self.muted_for = last.answered.muted_for;
            let api = last.answered.api;
            match self.site.outcome(&Site::header(api, 2)) {
                Outcome::Answer(answer) => answers.push(answer),
                other => panic!("{other:?}"),
            }
        }
        answers
    }

    pub(super) fn fetch(
        &mut self,
        conn: ConnId,
        member: &str,
        epoch: i32,
        acknowledged: &[(i64, i64, i8)],
    ) -> Vec<Response> {
        let batch = |(first, last, kind): &(i64, i64, i8)| {
            share_fetch_request::AcknowledgementBatch::default()
                .with_first_offset(*first)
                .with_last_offset(*last)
                .with_acknowledge_types(vec![*kind])
        };
        let partition = share_fetch_request::FetchPartition::default()
            .with_acknowledgement_batches(acknowledged.iter().map(batch).collect());
        let topic =
            share_fetch_request::FetchTopic::default().with_topic_id(TOPIC.into()).with_partitions(vec![partition]);
        let request = ShareFetchRequestData::default()
            .with_group_id(Some(KafkaString::from_static(GROUP)))
            .with_member_id(Some(KafkaString::from(member.to_owned())))
            .with_share_session_epoch(epoch)
            .with_max_wait_ms(1_000)
            .with_min_bytes(1)
            .with_max_bytes(1_000_000)
            .with_max_records(100)
            .with_batch_size(100)
            .with_topics(vec![topic]);
        self.send(conn, request)
    }

    /// Takes the partition out of a session.
    fn forget(&mut self, conn: ConnId, member: &str, epoch: i32) {
        let topic = share_fetch_request::ForgottenTopic::default().with_topic_id(TOPIC.into()).with_partitions(vec![0]);
        let request = ShareFetchRequestData::default()
            .with_group_id(Some(KafkaString::from_static(GROUP)))
            .with_member_id(Some(KafkaString::from(member.to_owned())))
            .with_share_session_epoch(epoch)
            .with_forgotten_topics_data(vec![topic]);
        assert!(fetched(self.send(conn, request)).responses.is_empty());
    }

    pub(super) fn acknowledge(
        &mut self,
        conn: ConnId,
        member: &str,
        epoch: i32,
        batch: (i64, i64, i8),
    ) -> Vec<Response> {
        let batch = share_acknowledge_request::AcknowledgementBatch::default()
            .with_first_offset(batch.0)
            .with_last_offset(batch.1)
            .with_acknowledge_types(vec![batch.2]);
        let partition =
            share_acknowledge_request::AcknowledgePartition::default().with_acknowledgement_batches(vec![batch]);
        let topic = share_acknowledge_request::AcknowledgeTopic::default()
            .with_topic_id(TOPIC.into())
            .with_partitions(vec![partition]);
        let request = ShareAcknowledgeRequestData::default()
            .with_group_id(Some(KafkaString::from_static(GROUP)))
            .with_member_id(Some(KafkaString::from(member.to_owned())))
            .with_share_session_epoch(epoch)
            .with_topics(vec![topic]);
        self.send(conn, request)
    }

    /// The share coordinator answers what it was asked so far; the answers to members that came of it.
    pub(super) fn keep(&mut self, error: ErrorCode) -> Vec<Response> {
        let captured = self.site.broker.shares.captured.as_mut().unwrap();
        for (number, request) in std::mem::take(captured) {
            let response = self.answer_state(request, error);
            share_bridge::on_share_state(&mut self.site.broker, self.site.now, number, response);
        }
        self.site.broker.on_tick(self.site.now);
        self.answers()
    }

    fn answer_state(&mut self, request: StateRequest, error: ErrorCode) -> StateResponse {
        match request {
            StateRequest::Read(request) => {
                let index = request.topics[0].partitions[0].partition;
                let (start_offset, states) = self.kept.get(&index).cloned().unwrap_or((-1, BTreeMap::new()));
                let batch = |(offset, (state, count)): (&i64, &(i8, i16))| {
                    read_share_group_state_response::StateBatch::default()
                        .with_first_offset(*offset)
                        .with_last_offset(*offset)
                        .with_delivery_state(*state)
                        .with_delivery_count(*count)
                };
                let part = read_share_group_state_response::PartitionResult::default()
                    .with_partition(index)
                    .with_error_code(error.code())
                    .with_start_offset(start_offset)
                    .with_state_batches(states.iter().map(batch).collect());
                let topic = read_share_group_state_response::ReadStateResult::default()
                    .with_topic_id(TOPIC.into())
                    .with_partitions(vec![part]);
                StateResponse::Read(Box::new(ReadShareGroupStateResponseData::default().with_results(vec![topic])))
            }
            StateRequest::Write(request) => {
                let part = &request.topics[0].partitions[0];
                if error == ErrorCode::None {
                    let (start, states) = self.kept.entry(part.partition).or_default();
                    *start = part.start_offset;
                    for batch in &part.state_batches {
                        for offset in batch.first_offset..=batch.last_offset {
                            states.insert(offset, (batch.delivery_state, batch.delivery_count));
                        }
                    }
                    *states = states.split_off(start);
                }
                let result = write_share_group_state_response::PartitionResult::default()
                    .with_partition(part.partition)
                    .with_error_code(error.code());
                let topic = write_share_group_state_response::WriteStateResult::default()
                    .with_topic_id(TOPIC.into())
                    .with_partitions(vec![result]);
                StateResponse::Write(Box::new(WriteShareGroupStateResponseData::default().with_results(vec![topic])))
            }
            other => panic!("{other:?}"),
        }
    }

    fn is_loaded(&mut self) -> bool {
        let key = ShareKey { id: partition(0), group: GROUP.into() };
        self.site.broker.shares.partition_mut(&key).is_some()
    }
}

pub(super) fn fetched(answers: Vec<Response>) -> ShareFetchResponseData {
    match answers.into_iter().next() {
        Some(Response::ShareFetch(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

pub(super) fn acknowledged(answers: Vec<Response>) -> ShareAcknowledgeResponseData {
    match answers.into_iter().next() {
        Some(Response::ShareAcknowledge(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

/// First offset, last offset and delivery count of what came, and whether there are bytes.
pub(super) fn acquired(answer: &ShareFetchResponseData) -> Vec<(i64, i64, i16)> {
    let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let all: Vec<_> = parts
        .flat_map(|part| {
            assert_eq!(part.records.as_ref().is_none_or(|bytes| bytes.is_empty()), part.acquired_records.is_empty());
            &part.acquired_records
        })
        .collect();
    all.iter().map(|range| (range.first_offset, range.last_offset, range.delivery_count)).collect()
}

pub(super) fn code(answer: &ShareAcknowledgeResponseData) -> ErrorCode {
    ErrorCode::from(answer.responses[0].partitions[0].error_code)
}

#[test]
fn a_fetch_waits_for_the_state_then_for_records() {
    let mut stage = Stage::new();
    assert!(stage.fetch(1, "a", 0, &[]).is_empty());
    assert!(stage.keep(ErrorCode::None).is_empty() && stage.is_loaded());
    stage.append(3);
    let answer = fetched(stage.answers());
    assert_eq!((acquired(&answer), answer.acquisition_lock_timeout_ms), (vec![(0, 2, 1)], 30_000));
    assert!(stage.fetch(1, "a", 1, &[]).is_empty(), "there is nothing more");
    stage.site.pass(1_000);
    assert!(fetched(stage.answers()).responses.is_empty(), "and nothing to say");
}

#[test]
fn nothing_is_answered_as_acknowledged_before_it_is_kept() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 2, 1)]);
    assert!(stage.acknowledge(1, "a", 1, (0, 0, 1)).is_empty());
    assert_eq!(code(&acknowledged(stage.keep(ErrorCode::None))), ErrorCode::None);
    assert!(stage.acknowledge(1, "a", 2, (1, 1, 1)).is_empty());
    let refused = acknowledged(stage.keep(ErrorCode::NotCoordinator));
    assert_eq!(code(&refused), ErrorCode::CoordinatorNotAvailable);
    assert_eq!(code(&acknowledged(stage.acknowledge(1, "a", 3, (0, 0, 1)))), ErrorCode::None, "it is past");
    assert!(stage.acknowledge(1, "a", 4, (1, 2, 1)).is_empty(), "the member has it still");
    assert_eq!(code(&acknowledged(stage.keep(ErrorCode::None))), ErrorCode::None);
}

#[test]
fn acknowledgements_and_what_is_in_flight_are_told() {
    let mut stage = Stage::new();
    stage.fetch(1, "a", 0, &[]);
    stage.site.now = stage.site.now.plus(Duration::from_millis(40));
    stage.keep(ErrorCode::None);
    stage.append(10);
    assert_eq!(acquired(&fetched(stage.answers())), [(0, 9, 1)]);
    stage.acknowledge(1, "a", 1, (0, 3, 1));
    stage.keep(ErrorCode::None);
    stage.acknowledge(1, "a", 2, (4, 4, 3));
    stage.keep(ErrorCode::None);
    let told = |stage: &mut Stage| {
        let now = stage.site.now.plus(Duration::from_secs(1));
        stage.site.broker.metrics_report(now).unwrap()
    };
    let report = told(&mut stage);
    let acks = |kind| report.get(&bean::RECORD_ACKNOWLEDGEMENTS, &[("ackType", kind)]).unwrap().value();
    assert_eq!((acks("Accept"), acks("Reject"), acks("Release"), acks("Renew")), (4.0, 1.0, 0.0, 0.0));
    let Reading::Histogram(loads) = &report.get(&bean::PARTITION_LOAD_TIME, &[]).unwrap().reading else { panic!() };
    assert_eq!((loads.count, loads.max), (1, 40.0));
    let counted = |bean, labels: &[(&str, &str)]| report.get(bean, labels).unwrap().value();
    assert_eq!(counted(&topics::TOTAL_SHARE_FETCH_REQUESTS, &[("topic", "t")]), 1.0);
    assert_eq!(counted(&topics::TOTAL_SHARE_ACKNOWLEDGEMENTS, &[("topic", "t")]), 2.0);
    assert_eq!(
        (counted(&sessions::SHARE_SESSIONS, &[]), counted(&sessions::SHARE_SESSION_PARTITIONS, &[])),
        (1.0, 1.0)
    );
    let labels = [("group", GROUP), ("topic", "t"), ("partition", "0")];
    let read = |bean, labels: &[(&str, &str)]| match &report.get(bean, labels).unwrap().reading {
        Reading::Histogram(reading) => **reading,
        other => panic!("{other:?}"),
    };
    let sizes = read(&bean::IN_FLIGHT_BATCH_MESSAGE_COUNT, &labels);
    assert_eq!((sizes.count, sizes.max), (1, 10.0));
    // It waited for the state, and then found a partition to acquire from; the records came later.
    let waits = read(&bean::ACQUIRE_TIME, &labels[..1]);
    assert_eq!((waits.count, waits.max, waits.min), (2, 40.0, 0.0));
    let ratios = read(&bean::FETCH_RATIO, &labels[..1]);
    assert_eq!((ratios.count, ratios.mean), (1, 100.0));
    let in_flight = |report: &MetricsReport| report.get(&bean::IN_FLIGHT_MESSAGE_COUNT, &labels).unwrap().value();
    assert_eq!(in_flight(&report), 5.0, "the first five are done");
    let expired = |report: &MetricsReport| report.get(&bean::ACQUISITION_LOCK_TIMEOUTS, &labels).unwrap().value();
    assert_eq!(expired(&report), 0.0);
    stage.site.pass(31_000);
    let report = told(&mut stage);
    assert_eq!((expired(&report), in_flight(&report)), (5.0, 5.0), "their locks ran out");
}

#[test]
fn a_fetch_that_acknowledges_is_answered_when_that_is_kept() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    stage.append(2);
    assert!(stage.fetch(1, "a", 1, &[(0, 2, 1)]).is_empty());
    let answer = fetched(stage.keep(ErrorCode::None));
    assert_eq!(acquired(&answer), [(3, 4, 1)]);
    assert_eq!(answer.responses[0].partitions[0].acknowledge_error_code, 0);
    // The acknowledgement first, the records later.
    assert!(stage.fetch(1, "a", 2, &[(3, 4, 1)]).is_empty());
    assert!(stage.keep(ErrorCode::None).is_empty(), "no records yet");
    stage.append(1);
    assert_eq!(acquired(&fetched(stage.answers())), [(5, 5, 1)]);
    // Who is fenced waits for nothing.
    assert!(stage.fetch(1, "a", 3, &[(5, 5, 1)]).is_empty());
    let answer = fetched(stage.keep(ErrorCode::FencedStateEpoch));
    let part = &answer.responses[0].partitions[0];
    let fenced = ErrorCode::NotLeaderOrFollower.code();
    assert_eq!((part.error_code, part.acknowledge_error_code), (fenced, fenced));
}

#[test]
fn a_fenced_leader_reads_the_state_anew() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    stage.acknowledge(1, "a", 1, (0, 2, 1));
    let fenced = acknowledged(stage.keep(ErrorCode::FencedStateEpoch));
    assert_eq!((code(&fenced), stage.is_loaded()), (ErrorCode::NotLeaderOrFollower, false));
    assert_eq!(fenced.responses[0].partitions[0].current_leader.leader_id, 1);
    let unknown = acknowledged(stage.acknowledge(1, "a", 2, (0, 2, 1)));
    assert_eq!(code(&unknown), ErrorCode::UnknownTopicOrPartition);
    stage.fetch(1, "a", 3, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 2, 1)]);
}

#[test]
fn a_state_that_cannot_be_read_is_told() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    let answer = fetched(stage.keep(ErrorCode::GroupIdNotFound));
    assert_eq!(ErrorCode::from(answer.responses[0].partitions[0].error_code), ErrorCode::GroupIdNotFound);
    assert!(!stage.is_loaded());
}

#[test]
fn records_of_a_member_that_is_gone_come_to_who_waits() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    assert!(stage.fetch(2, "b", 0, &[]).is_empty());
    stage.site.broker.on_disconnect(stage.site.now, 1);
    stage.site.broker.on_tick(stage.site.now);
    assert!(stage.answers().is_empty(), "it is not kept yet");
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 2, 2)]);
}

#[test]
fn locks_that_run_out_wake_who_waits() {
    let mut stage = Stage::with(&[("share.record.lock.duration.ms", "15000")]);
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    assert_eq!(fetched(stage.keep(ErrorCode::None)).acquisition_lock_timeout_ms, 15_000);
    stage.site.pass(14_500);
    assert!(stage.fetch(2, "b", 0, &[]).is_empty());
    stage.site.pass(500);
    assert_eq!(acquired(&fetched(stage.answers())), [(0, 2, 2)]);
    let late = acknowledged(stage.acknowledge(1, "a", 1, (0, 2, 1)));
    assert_eq!(code(&late), ErrorCode::InvalidRecordState);
}

#[test]
fn the_end_of_a_session_gives_its_records_back_and_leaves_nothing() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    assert!(stage.acknowledge(1, "a", -1, (0, 1, 1)).is_empty());
    assert_eq!(code(&acknowledged(stage.keep(ErrorCode::None))), ErrorCode::None);
    assert!(stage.is_loaded(), "what was given back is to be kept");
    stage.keep(ErrorCode::None);
    assert!(!stage.is_loaded());
    assert!(stage.site.broker.shares.is_empty(), "{:?}", stage.site.broker.shares);
    stage.fetch(2, "b", 0, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(2, 2, 2)]);
}

/// A member whose partition was taken out of its session still has what it got before.
#[test]
fn what_is_still_with_somebody_is_given_back_when_the_group_goes() {
    let mut stage = Stage::new();
    stage.append(3);
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    stage.forget(1, "a", 1);
    stage.site.broker.on_disconnect(stage.site.now, 1);
    stage.site.broker.on_tick(stage.site.now);
    stage.keep(ErrorCode::None);
    assert!(!stage.is_loaded());
    stage.fetch(2, "b", 0, &[]);
    assert_eq!(acquired(&fetched(stage.keep(ErrorCode::None))), [(0, 0, 2), (1, 1, 2), (2, 2, 2)]);
}

#[test]
fn who_waits_is_told_when_another_broker_leads() {
    let mut stage = Stage::new();
    assert!(stage.fetch(1, "a", 0, &[]).is_empty());
    stage.keep(ErrorCode::None);
    stage.site.change(with_share_groups(image(2, 1, &[1, 2], &[1, 2]), &[]));
    let answer = fetched(stage.answers());
    let part = &answer.responses[0].partitions[0];
    assert_eq!(ErrorCode::from(part.error_code), ErrorCode::NotLeaderOrFollower);
    assert_eq!((part.current_leader.leader_id, answer.node_endpoints[0].node_id), (2, 2));
    assert!(!stage.is_loaded());
}

#[test]
fn without_the_feature_there_are_no_share_groups() {
    let mut stage = Stage::new();
    stage.site.broker.image.features.clear();
    let refused = fetched(stage.fetch(1, "a", 0, &[]));
    assert_eq!(ErrorCode::from(refused.error_code), ErrorCode::UnsupportedVersion);
}

#[test]
fn sessions_and_states_that_fail_stand_in_the_log() {
    let mut stage = Stage::new();
    let (writer, lines) = crossbeam_channel::bounded(1_000);
    let log = NodeLog::new(1, writer, || 0);
    stage.site.broker.config.log = log.clone();
    let levels = log.levels().unwrap();
    stage.append(3);
    stage.fetch(1, "a", 3, &[]);
    stage.fetch(1, "a", 0, &[]);
    assert!(stage.keep(ErrorCode::GroupIdNotFound).len() == 1);
    let topic = stage.site.broker.image.topics[&TOPIC].name.clone();
    let of = format!("[SharePartition {GROUP}-{topic}-0 broker=1] ");
    let told: Vec<(Logger, Level, String)> =
        lines.try_iter().map(|line| (line.logger, line.level, line.message.into_string())).collect();
    let session = format!("[SharePartitionManager id=1] Session of member a of group {GROUP}: ");
    assert_eq!(
        told,
        [
            (Logger::SharePartitionManager, Level::Error, format!("{session}epoch 3 is refused: ShareSessionNotFound")),
            (Logger::SharePartition, Level::Error, format!("{of}could not be initialized: GroupIdNotFound")),
        ]
    );
    levels.set(Logger::SharePartition, Some(Level::Debug)).unwrap();
    levels.set(Logger::SharePartitionManager, Some(Level::Debug)).unwrap();
    stage.fetch(1, "a", 0, &[]);
    stage.keep(ErrorCode::None);
    stage.acknowledge(1, "a", 1, (0, 2, 1));
    stage.keep(ErrorCode::FencedStateEpoch);
    stage.site.broker.on_disconnect(stage.site.now, 1);
    let told: Vec<String> = lines.try_iter().map(|line| line.message.into_string()).collect();
    for fact in [
        format!("{session}begins with 1 partitions"),
        format!("{of}initialized: state epoch 0, start offset 0, 0 batches in flight"),
        format!("{of}its state could not be written: FencedStateEpoch"),
        format!("{of}is given up, after leader epoch "),
        format!("{session}it ended with its connection"),
    ] {
        assert!(told.iter().any(|line| line.starts_with(&fact)), "{fact}: {told:#?}");
    }
}
