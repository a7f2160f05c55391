//! Brokers come and go while a whole cluster runs on threads and sockets.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use broker::cluster::{Cluster, ClusterConfig, ClusterError, NewBroker, Profile, Removal};
use broker::metadata::report::{Event, MembershipReport, MembershipStep, Report};
use broker::protocol::messages::create_topics_request::CreatableTopic;
use broker::protocol::messages::{CreateTopicsRequestData, KafkaString, MetadataRequestData, MetadataResponseData};
use broker::protocol::{Request, RequestHeader, Response, decode_response, encode_request};
use bytes::Bytes;
use crossbeam_channel::Receiver;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(dir: &Path, brokers: u32) -> (Cluster, Receiver<Report>) {
    let (sender, reports) = crossbeam_channel::bounded(100_000);
    let config = ClusterConfig {
        brokers,
        controllers: 1,
        zones: 3,
        log_dirs: 1,
        data_dir: dir.to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile: Profile::Lab,
        overrides: BTreeMap::new(),
    };
    let cluster = Cluster::start(config, sender, crossbeam_channel::bounded(1).0).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    (cluster, reports)
}

fn ask(cluster: &Cluster, request: Request, api_version: i16) -> Response {
    let header = RequestHeader { api_key: request.api(), api_version, correlation_id: 7, client_id: None };
    let mut stream = TcpStream::connect(cluster.bootstrap_servers().split(',').next().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&encode_request(&header, &request).unwrap()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).unwrap();
    decode_response(&header, Bytes::from(frame)).unwrap()
}

fn create(cluster: &Cluster, topic: &'static str, partitions: i32, factor: i16) {
    let topic = CreatableTopic::default()
        .with_name(KafkaString::from_static(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(factor);
    let request = CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert!(matches!(ask(cluster, request.into(), 7), Response::CreateTopics(r) if r.topics[0].error_code == 0));
}

fn metadata(cluster: &Cluster) -> MetadataResponseData {
    match ask(cluster, Request::Metadata(MetadataRequestData::default()), 12) {
        Response::Metadata(response) => response,
        other => panic!("{other:?}"),
    }
}

/// How many replicas each broker has, by what clients are told.
fn replicas(cluster: &Cluster) -> BTreeMap<i32, usize> {
    let mut replicas = BTreeMap::new();
    for partition in metadata(cluster).topics.iter().flat_map(|topic| &topic.partitions) {
        partition.replica_nodes.iter().for_each(|id| *replicas.entry(*id).or_default() += 1);
    }
    replicas
}

/// What was last told of the membership, and its steps.
fn told(reports: &Receiver<Report>) -> (MembershipReport, Vec<(i32, MembershipStep)>) {
    let (mut last, mut steps) = (MembershipReport::default(), Vec::new());
    for report in reports.try_iter() {
        match report {
            Report::Membership(report) => last = report,
            Report::Event(event) => {
                if let Event::MembershipChanged { broker_id, step } = event.event {
                    steps.push((broker_id, step));
                }
            }
            _ => {}
        }
    }
    (last, steps)
}

#[test]
fn a_broker_comes_takes_its_share_and_another_goes_and_a_restart_remembers_both() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, reports) = start(dir.path(), 3);
    create(&cluster, "t", 12, 2);
    assert_eq!(cluster.add_broker(&NewBroker::default()).unwrap(), 4);
    cluster.spread().unwrap();
    // Zone a has two brokers now, b and c one each: racks go before evenness, and nobody is left out.
    let spread = replicas(&cluster);
    assert!(spread.len() == 4 && spread.values().sum::<usize>() == 24, "{spread:?}");
    assert!(spread.values().all(|count| (4..=8).contains(count)), "{spread:?}");

    cluster.begin_removal(1).unwrap();
    assert_eq!(cluster.leaving(), Some(1));
    assert!(cluster.begin_removal(2).unwrap_err().to_string().contains("one leaves at a time"));
    assert!(cluster.add_broker(&NewBroker::default()).unwrap_err().to_string().contains("is being removed"));
    assert_eq!(cluster.finish_removal(1).unwrap(), Removal::Done);
    assert_eq!(cluster.broker_ids(), [2, 3, 4]);
    assert!(!dir.path().join("broker-1").exists(), "its directory is removed");
    assert!(matches!(cluster.start_node(1, "test"), Err(ClusterError::UnknownNode(1))));
    let left = replicas(&cluster);
    assert!(!left.contains_key(&1) && left.values().sum::<usize>() == 24, "{left:?}");
    let brokers: Vec<i32> = metadata(&cluster).brokers.iter().map(|broker| broker.node_id).collect();
    assert_eq!(brokers, [2, 3, 4]);
    let (last, steps) = told(&reports);
    assert_eq!(last, MembershipReport { brokers: vec![2, 3, 4], controllers: vec![3000], leaving: None, moving: None });
    assert!(matches!(
        steps.as_slice(),
        [
            (4, MembershipStep::Added { .. }),
            (1, MembershipStep::Leaving { replicas: 1.. }),
            (1, MembershipStep::Removed)
        ]
    ));
    cluster.shutdown();

    let (again, _reports) = start(dir.path(), 3);
    assert_eq!(again.broker_ids(), [2, 3, 4]);
    assert!(again.note().unwrap().contains("brokers 2, 3, 4;"));
    assert_eq!(replicas(&again), left);
    // The lowest number that is free, with a fresh directory and the data of nobody.
    assert_eq!(again.add_broker(&NewBroker { zone: Some("b".into()), ..NewBroker::default() }).unwrap(), 1);
    again.wait_ready(PATIENCE).unwrap();
    let racks = metadata(&again);
    let one = racks.brokers.iter().find(|broker| broker.node_id == 1).unwrap();
    assert_eq!(one.rack.as_ref().map(KafkaString::as_str), Some("b"));
    again.shutdown();

    let (third, _reports) = start(dir.path(), 4);
    assert_eq!((third.broker_ids(), third.note()), (vec![1, 2, 3, 4], None));
    let racks = metadata(&third);
    let one = racks.brokers.iter().find(|broker| broker.node_id == 1).unwrap();
    assert_eq!(one.rack.as_ref().map(KafkaString::as_str), Some("b"), "its zone is remembered");
    third.shutdown();
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path(), 3);
    create(&cluster, "t", 1, 3);
    let refuse = |wish: NewBroker| cluster.add_broker(&wish).unwrap_err().to_string();
    assert!(refuse(NewBroker { zone: Some("x".into()), ..NewBroker::default() }).contains("the zones are a, b, c"));
    assert!(refuse(NewBroker { id: Some(2), ..NewBroker::default() }).contains("there is a broker 2 already"));
    assert!(refuse(NewBroker { id: Some(3000), ..NewBroker::default() }).contains("ids are from 1 to 30"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert!(refuse(NewBroker { port: Some(port), ..NewBroker::default() }).contains(&port.to_string()));
    assert_eq!(cluster.broker_ids(), [1, 2, 3]);

    let error = cluster.begin_removal(2).unwrap_err().to_string();
    assert_eq!(error, "broker 2 cannot leave: t-0 has 3 replicas, and only 2 other broker(s) are running");
    assert!(matches!(cluster.begin_removal(7), Err(ClusterError::UnknownNode(7))));
    assert!(matches!(cluster.begin_removal(3000), Err(ClusterError::UnknownNode(3000))));
    assert!(cluster.keep_broker(2).unwrap_err().to_string().contains("is not being removed"));
    assert_eq!(cluster.leaving(), None);
    cluster.shutdown();
}

#[test]
fn a_removal_can_be_called_off_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path(), 3);
    create(&cluster, "t", 6, 1);
    // What only a dead broker has can go nowhere: the removal waits.
    cluster.kill_node(3, "test").unwrap();
    cluster.begin_removal(3).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| cluster.finish_removal(3));
        cluster.keep_broker(3).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), Removal::Cancelled);
    });
    cluster.start_node(3, "test").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    assert_eq!(replicas(&cluster)[&3], 2, "it has what it had");

    cluster.begin_removal(3).unwrap();
    cluster.end_changes();
    assert!(matches!(cluster.finish_removal(3), Err(ClusterError::Ending)));
    cluster.shutdown();
    let (again, _reports) = start(dir.path(), 3);
    assert_eq!(again.leaving(), Some(3));
    assert_eq!(again.finish_removal(3).unwrap(), Removal::Done);
    assert_eq!(again.broker_ids(), [1, 2]);
    assert_eq!(replicas(&again).values().sum::<usize>(), 6);
    again.shutdown();
}
