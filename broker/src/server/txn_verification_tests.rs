//! Writes of transactions whose coordinator is another broker, which the test plays: what it was asked, when, and what it refused is counted here.

use super::super::data_tests::{ALONE, Outcome, Site, batch_of, image, produce};
use super::super::peer::{PeerMessage, PeerResponse};
use super::*;
use crate::metadata::image::{Image, TopicImage};
use crate::metrics::table::requests;
use crate::metrics::{MetricsReport, Reading};
use crate::protocol::messages::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult, ProduceRequestData,
};
use crate::records::{BatchBuilder, Compression};
use crate::types::Id;

/// Broker 1 leads the partitions, the broker given coordinates.
fn with_coordinator(coordinator: NodeId) -> Image {
    let mut image = image(1, 0, ALONE, ALONE);
    let (id, name) = (Id([9; 16]), TRANSACTION_TOPIC);
    let mut partition = image.partition("t", 0).unwrap().clone();
    (partition.leader, partition.replicas, partition.isr) = (coordinator, vec![2], vec![2]);
    image.topics.insert(id, std::sync::Arc::new(TopicImage { name: name.into(), id, partitions: vec![partition; 50] }));
    image.topic_ids.insert(name.into(), id);
    image
}

fn write(partitions: &[i32], sequence: i32) -> ProduceRequestData {
    let of = || BatchBuilder::new(0, Compression::None).producer(7, 0, sequence).transactional(true);
    let batches: Vec<_> = partitions.iter().map(|partition| (*partition, batch_of(of(), 1))).collect();
    ProduceRequestData { transactional_id: Some(text("tx")), ..produce(12, -1, &batches) }
}

/// What the coordinator is asked: number, partitions, and whether it is only to verify.
fn asked(site: &mut Site) -> (u64, Vec<i32>, bool) {
    let mut sent = std::mem::take(&mut site.broker.out.peer).into_iter().filter_map(|(to, message)| match message {
        PeerMessage::Request { correlation, body: PeerRequest::AddPartitionsToTxn(request) } if to == 2 => {
            let transaction = &request.transactions[0];
            Some((correlation, transaction.topics[0].partitions.clone(), transaction.verify_only))
        }
        _ => None,
    });
    let asked = sent.next().unwrap();
    assert!(sent.next().is_none(), "once");
    asked
}

fn answer(site: &mut Site, correlation: u64, codes: &[(i32, ErrorCode)]) {
    let results = codes.iter().map(|(partition, code)| {
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(*partition)
            .with_partition_error_code(code.code())
    });
    let topic =
        AddPartitionsToTxnTopicResult::default().with_name(text("t")).with_results_by_partition(results.collect());
    let result = AddPartitionsToTxnResult::default().with_transactional_id(text("tx")).with_topic_results(vec![topic]);
    let response = AddPartitionsToTxnResponseData::default().with_results_by_transaction(vec![result]);
    let body = PeerResponse::AddPartitionsToTxn(Box::new(response));
    site.broker.on_peer_message(site.now, 2, PeerMessage::Response { correlation, body });
}

/// How often it was asked, for how long in all and at most, ms; and how many partitions were refused.
fn told(report: &MetricsReport) -> (u64, f64, f64, f64) {
    let Reading::Histogram(times) = &report.of(&bean::VERIFICATION_TIME).next().unwrap().reading else { panic!() };
    (times.count, times.sum.round(), times.max, report.of(&bean::VERIFICATION_FAILURES).next().unwrap().value())
}

fn report(site: &mut Site) -> MetricsReport {
    site.pass(1_000);
    site.broker.metrics_report(site.now).unwrap()
}

#[test]
fn each_question_is_timed_and_each_partition_that_is_refused_counts() {
    let mut site = Site::with(with_coordinator(2));
    // A client that adds its partitions itself: is it so?
    assert_eq!(site.ask(9, write(&[0, 1], 0)), Outcome::Waits);
    let (correlation, partitions, verify_only) = asked(&mut site);
    assert_eq!((partitions, verify_only), (vec![0, 1], true));
    site.pass(37);
    answer(&mut site, correlation, &[(0, ErrorCode::None), (1, ErrorCode::InvalidTxnState)]);
    let (taken, refused) = ([37.0], 1.0);
    assert!(matches!(site.outcome(&Site::header(crate::protocol::Api::Produce, 9)), Outcome::Answer(_)));
    assert_eq!(told(&report(&mut site)), (1, taken[0], 37.0, refused));
    // One whose partitions are added for it, while its last transaction still ends: asked anew, and each time counts.
    assert_eq!(site.ask(12, write(&[1], 0)), Outcome::Waits);
    let (correlation, _, verify_only) = asked(&mut site);
    assert!(!verify_only);
    site.pass(5);
    answer(&mut site, correlation, &[(1, ErrorCode::ConcurrentTransactions)]);
    assert!(site.broker.out.peer.is_empty(), "not at once");
    site.pass(20);
    let (correlation, ..) = asked(&mut site);
    site.pass(61);
    answer(&mut site, correlation, &[(1, ErrorCode::None)]);
    let report = report(&mut site);
    assert_eq!(told(&report), (3, 37.0 + 5.0 + 61.0, 61.0, 2.0));
    assert!(report.get(&requests::REQUESTS, &[("request", "AddPartitionsToTxn"), ("version", "5")]).is_none());
}

#[test]
fn who_has_no_coordinator_has_asked_nobody() {
    let mut site = Site::with(with_coordinator(-1));
    assert!(matches!(site.ask(9, write(&[0], 0)), Outcome::Answer(_)));
    assert_eq!(told(&report(&mut site)), (0, 0.0, 0.0, 0.0));
}

#[test]
fn what_a_leader_verifies_is_counted_under_its_own_name_by_its_coordinator() {
    let mut site = Site::alone();
    let question = |verify_only, partition| {
        let topic = AddPartitionsToTxnTopic::default().with_name(text("t")).with_partitions(vec![partition]);
        let transaction = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(text("tx"))
            .with_verify_only(verify_only)
            .with_topics(vec![topic]);
        let request = AddPartitionsToTxnRequestData::default().with_transactions(vec![transaction]);
        PeerRequest::AddPartitionsToTxn(Box::new(request))
    };
    let mut codes: BTreeMap<i16, f64> = BTreeMap::new();
    for (correlation, body) in [question(true, 0), question(true, 7), question(false, 7)].into_iter().enumerate() {
        let correlation = correlation as u64;
        site.broker.on_peer_message(site.now, 2, PeerMessage::Request { correlation, body });
        let Some((2, PeerMessage::Response { body: PeerResponse::AddPartitionsToTxn(answer), .. })) =
            site.broker.out.peer.pop()
        else {
            panic!("it does not coordinate this one, and says so at once")
        };
        let topics = answer.results_by_transaction.iter().flat_map(|result| &result.topic_results);
        let parts = topics.flat_map(|topic| &topic.results_by_partition).map(|part| part.partition_error_code);
        parts.chain([answer.error_code]).for_each(|code| *codes.entry(code).or_default() += 1.0);
    }
    let report = report(&mut site);
    let count = |request| report.get(&requests::REQUESTS, &[("request", request), ("version", "5")]).unwrap().value();
    assert_eq!((count("AddPartitionsToTxnVerification"), count("AddPartitionsToTxn")), (2.0, 1.0));
    assert!(codes.len() >= 2, "{codes:?}");
    for (code, times) in codes {
        let error = crate::protocol::error_name(ErrorCode::from(code));
        let labels = [("request", "AddPartitionsToTxn"), ("error", &*error)];
        assert_eq!(report.get(&requests::ERRORS, &labels).unwrap().value(), times, "{error}");
    }
}
