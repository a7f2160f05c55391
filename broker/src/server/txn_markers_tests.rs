//! Markers over a broker's real replicas, and what is told of them.

use super::super::data_tests::{ALONE, Site, image};
use super::super::txn_bridge;
use super::*;
use crate::logging::{Level, LogLine, NodeLog};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::TopicImage;
use crate::metrics::table::{requests, transactions as bean};
use crate::metrics::{MetricsReport, Series};
use crate::types::{Id, TopicIdPartition};

fn marker() -> Marker {
    Marker {
        shard: 0,
        transactional_id: "id".into(),
        producer_id: 7,
        producer_epoch: 0,
        coordinator_epoch: 3,
        commit: true,
        transaction_version: 2,
    }
}

fn report(site: &mut Site) -> MetricsReport {
    site.pass(1_000);
    site.broker.metrics_report(site.now).unwrap()
}

#[test]
fn markers_without_a_leader_are_counted_until_there_is_one() {
    let mut site = Site::with(image(-1, 0, ALONE, ALONE));
    site.broker.transactions.markers.add(marker(), [TopicPartition::new("t", 0)].into());
    let waiting = |report: &MetricsReport| report.get(&bean::UNKNOWN_DESTINATION_QUEUE_SIZE, &[]).unwrap().value();
    assert_eq!(waiting(&report(&mut site)), 1.0);
    site.change(image(1, 1, ALONE, ALONE));
    let told = report(&mut site);
    assert_eq!(waiting(&told), 0.0);
    let newest = crate::protocol::Api::WriteTxnMarkers.max_version().to_string();
    let labels = [("request", "WriteTxnMarkers"), ("version", newest.as_str())];
    assert_eq!(told.get(&requests::REQUESTS, &labels).map(Series::value), Some(1.0), "the broker asked itself");
    let labels = [("request", "WriteTxnMarkers"), ("error", "NONE")];
    assert_eq!(told.get(&requests::ERRORS, &labels).map(Series::value), Some(1.0));
    let clients = site.broker.metrics.requests.counters();
    assert!(clients.is_empty(), "and no client did: {clients:?}");
}

#[test]
fn what_becomes_of_markers_and_of_their_coordinator_stands_in_the_log() {
    let mut image = image(1, 0, ALONE, ALONE);
    let (id, name) = (Id([9; 16]), txn_bridge::TRANSACTION_TOPIC);
    let partitions = vec![image.partition("t", 0).unwrap().clone()];
    image.topics.insert(id, Arc::new(TopicImage { name: name.into(), id, partitions }));
    image.topic_ids.insert(name.into(), id);
    let mut site = Site::with(image);
    let (writer, lines) = crossbeam_channel::bounded(1_000);
    let config = site.broker.config.clone().with_log(NodeLog::new(1, writer, || 0));
    site.broker.transactions = txn_bridge::TxnBridge::new(&config);
    site.broker.config = config;
    txn_bridge::on_image(&mut site.broker, site.now);
    site.pass(10);
    site.broker.transactions.markers.add(marker(), [TopicPartition::new("gone", 5)].into());
    site.pass(10);
    settle(&mut site.broker, site.now, &marker(), TopicPartition::new("t", 0), ErrorCode::NotLeaderOrFollower);
    settle(&mut site.broker, site.now, &marker(), TopicPartition::new("t", 0), ErrorCode::InvalidProducerEpoch);
    let told: Vec<LogLine> = lines.try_iter().collect();
    let prefix = "[Transaction Marker Channel Manager 1]: TransactionalId id: ";
    for (logger, fact) in [
        (Logger::TransactionCoordinator, "[TransactionCoordinator id=1] Started".to_owned()),
        (
            Logger::TransactionState,
            format!("[Transaction State Manager 1]: {name}-0: loads in epoch 0, from offset 0 to 0"),
        ),
        (
            Logger::TransactionState,
            format!("[Transaction State Manager 1]: {name}-0: loaded in epoch 0 in 0 ms: 0 records"),
        ),
        (
            Logger::TransactionCoordinator,
            "[TransactionCoordinator id=1] Coordinates partition 0 from epoch 0 on".to_owned(),
        ),
        (Logger::TransactionMarkers, format!("{prefix}partition gone-5 is gone, and needs no marker")),
        (Logger::TransactionMarkers, format!("{prefix}its marker for t-0 is sent again after NotLeaderOrFollower")),
        (Logger::TransactionMarkers, format!("{prefix}its marker for t-0 was refused for good: InvalidProducerEpoch")),
    ] {
        let fits =
            |line: &LogLine| (line.logger, line.level) == (logger, Level::Info) && line.message.starts_with(&fact);
        assert!(told.iter().any(fits), "{fact}: {told:#?}");
    }
}

/// 29 MB of ids, of which a step reads 4 MB: the test's clock goes on by 7 ms before each step.
#[test]
fn how_long_a_partition_of_ids_took_to_load_is_told() {
    let mut image = image(1, 0, ALONE, ALONE);
    let (id, name) = (Id([9; 16]), txn_bridge::TRANSACTION_TOPIC);
    let state = image.partition("t", 0).unwrap().clone();
    image.topics.insert(id, Arc::new(TopicImage { name: name.into(), id, partitions: vec![state] }));
    image.topic_ids.insert(name.into(), id);
    let mut site = Site::with(image.clone());
    txn_bridge::on_image(&mut site.broker, site.now);
    site.pass(10);
    let times =
        |report: &MetricsReport| [&bean::LOAD_AVG, &bean::LOAD_MAX].map(|bean| report.get(bean, &[]).unwrap().value());
    assert_eq!(times(&report(&mut site)), [0.0, 0.0], "there was nothing to read");
    let partition = TopicIdPartition { topic_id: id, partition: 0 };
    for _ in 0..32 {
        let mut batch = crate::records::BatchBuilder::new(0, crate::records::Compression::None);
        batch.push(0, None, Some(&[7; 900_000]), &[]);
        site.broker.replicas.append(site.now, &partition, batch.build_mut(), -1).unwrap();
    }
    let is_loading = |site: &Site| site.broker.transactions.next_deadline() == Some(Duration::ZERO);
    let lead = |site: &mut Site, leader, epoch| {
        let mut image = image.clone();
        let mut topic = TopicImage::clone(&image.topics[&id]);
        (topic.partitions[0].leader, topic.partitions[0].leader_epoch, topic.partitions[0].partition_epoch) =
            (leader, epoch, epoch);
        image.topics.insert(id, Arc::new(topic));
        site.broker.image = image;
        let delta = ImageDelta { partitions_changed: [partition].into(), ..ImageDelta::default() };
        site.broker.replicas.apply_image(site.now, &site.broker.image, &delta);
    };
    lead(&mut site, 2, 1);
    site.pass(5);
    lead(&mut site, 1, 2);
    site.broker.on_tick(site.now);
    let began = site.now.mono;
    let mut steps = 0;
    while is_loading(&site) {
        site.pass(7);
        steps += 1;
    }
    assert!(steps >= 2, "it is not read in one step");
    let took_ms = (site.now.mono - began).as_secs_f64() * 1_000.0;
    assert_eq!(times(&report(&mut site)), [took_ms / 2.0, took_ms], "of two loads, the first of which took no time");
}
