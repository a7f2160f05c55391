//! A whole cluster on threads and sockets: it gets ready, answers, survives what is done to its nodes, and ends.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use broker::cluster::{Cluster, ClusterConfig, ClusterError, Profile};
use broker::metadata::report::{NodeState, Report};
use broker::protocol::messages::create_topics_request::CreatableTopic;
use broker::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use broker::protocol::messages::{
    ApiVersionsRequestData, CreateTopicsRequestData, IncrementalAlterConfigsRequestData, KafkaString,
    MetadataRequestData, MetadataResponseData, PartitionProduceData, ProduceRequestData, TopicProduceData,
};
use broker::protocol::{Api, Request, RequestHeader, Response, decode_response, encode_request};
use broker::records::{BatchBuilder, Compression};
use bytes::Bytes;
use crossbeam_channel::Receiver;

const PATIENCE: Duration = Duration::from_secs(30);

fn config(dir: &std::path::Path) -> ClusterConfig {
    ClusterConfig {
        brokers: 3,
        controllers: 3,
        zones: 3,
        log_dirs: 1,
        data_dir: dir.to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile: Profile::Lab,
        overrides: BTreeMap::new(),
    }
}

fn start(dir: &std::path::Path) -> (Cluster, Receiver<Report>) {
    // Nobody reads most reports: a full channel must hold nobody up.
    let (sender, reports) = crossbeam_channel::bounded(1024);
    let cluster = Cluster::start(config(dir), sender, crossbeam_channel::bounded(1).0).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    (cluster, reports)
}

/// Asks over a connection of its own; an error where the broker sends it away.
fn try_ask(stream: &mut TcpStream, request: Request, api_version: i16) -> std::io::Result<Response> {
    let header = RequestHeader { api_key: request.api(), api_version, correlation_id: 7, client_id: None };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&encode_request(&header, &request).unwrap())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame)?;
    Ok(decode_response(&header, Bytes::from(frame)).unwrap())
}

fn ask(address: &str, request: Request, api_version: i16) -> Response {
    try_ask(&mut TcpStream::connect(address).unwrap(), request, api_version).unwrap()
}

fn metadata(address: &str) -> MetadataResponseData {
    match ask(address, Request::Metadata(MetadataRequestData::default()), 12) {
        Response::Metadata(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cluster_gets_ready_answers_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path());
    let bootstrap = cluster.bootstrap_servers();
    let addresses: Vec<&str> = bootstrap.split(',').collect();
    assert_eq!(addresses.len(), 3);
    for address in &addresses {
        let request = ApiVersionsRequestData::default()
            .with_client_software_name(KafkaString::from_static("test"))
            .with_client_software_version(KafkaString::from_static("1"));
        let Response::ApiVersions(versions) = ask(address, Request::ApiVersions(request), 3) else {
            panic!("another answer")
        };
        assert_eq!(versions.api_keys.len(), Api::ALL.len());
        assert_eq!(metadata(address).brokers.len(), 3);
    }
    let first_id = cluster.cluster_id().to_string();
    cluster.shutdown();

    let (again, _reports) = start(dir.path());
    assert_eq!(again.cluster_id(), first_id);
    again.shutdown();
}

#[test]
fn nodes_are_stopped_killed_paused_and_started() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path());
    let bootstrap = cluster.bootstrap_servers();
    let addresses: Vec<&str> = bootstrap.split(',').collect();

    cluster.kill_node(2, "test").unwrap();
    assert_eq!(cluster.node_state(2).unwrap(), NodeState::Killed);
    assert!(TcpStream::connect(addresses[1]).is_err(), "nobody listens on a killed broker's port");
    assert!(matches!(cluster.kill_node(2, "test"), Err(ClusterError::WrongState { .. })));
    cluster.start_node(2, "test").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    assert_eq!(cluster.bootstrap_servers(), bootstrap, "it keeps its port");

    cluster.stop_node(3, "test").unwrap();
    assert_eq!(cluster.node_state(3).unwrap(), NodeState::Stopped);
    cluster.start_node(3, "test").unwrap();
    cluster.wait_ready(PATIENCE).unwrap();

    cluster.pause_node(1, "test").unwrap();
    assert!(TcpStream::connect(addresses[0]).is_ok(), "a paused broker's port accepts");
    cluster.start_node(1, "test").unwrap();
    assert_eq!(cluster.node_state(1).unwrap(), NodeState::Running);
    assert!(metadata(addresses[0]).brokers.len() >= 2);

    for controller in cluster.controller_ids() {
        cluster.kill_node(controller, "test").unwrap();
        cluster.start_node(controller, "test").unwrap();
    }
    cluster.wait_ready(PATIENCE).unwrap();
    assert!(matches!(cluster.kill_node(99, "test"), Err(ClusterError::UnknownNode(99))));
    cluster.shutdown();
}

#[test]
fn two_clusters_live_in_one_process() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (one, _reports_one) = start(dirs[0].path());
    let (two, _reports_two) = start(dirs[1].path());
    assert_ne!(one.cluster_id(), two.cluster_id());
    let first_of_two = two.bootstrap_servers().split(',').next().unwrap().to_string();
    drop(one);
    assert_eq!(metadata(&first_of_two).cluster_id.unwrap().as_str(), two.cluster_id());
    two.shutdown();
}

#[test]
fn what_cannot_be_built_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let refuse = |change: &dyn Fn(&mut ClusterConfig)| {
        let mut config = config(dir.path());
        change(&mut config);
        let (sender, _reports) = crossbeam_channel::bounded(16);
        Cluster::start(config, sender, crossbeam_channel::bounded(1).0).err().expect("it is refused").to_string()
    };
    assert!(refuse(&|config| config.brokers = 0).contains("--brokers"));
    assert!(refuse(&|config| config.controllers = 99).contains("--controllers"));
    assert!(refuse(&|config| config.kafka_port = 65535).contains("65535"));
    let typo = refuse(&|config| {
        config.overrides.insert("log.retention.huors".into(), "1".into());
    });
    assert!(typo.contains("log.retention.huors"), "{typo}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert!(refuse(&|config| config.kafka_port = port).contains(&port.to_string()));
}

/// Sets (or with no value removes) a config of a resource of this type.
fn alter(stream: &mut TcpStream, kind: i8, name: &str, key: &str, value: Option<&str>) {
    let text = |text: &str| KafkaString::from(text.to_owned());
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(if value.is_some() { 0 } else { 1 })
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequestData::default().with_resources(vec![resource]);
    let Response::IncrementalAlterConfigs(response) = try_ask(stream, request.into(), 1).unwrap() else {
        panic!("another answer")
    };
    let outcome = &response.responses[0];
    assert_eq!((outcome.error_code, &outcome.error_message), (0, &None));
}

/// Writes one record of so many bytes to partition 0 with acks=all; the error code.
fn produce(address: &str, topic: &str, size_bytes: usize) -> i16 {
    let mut batch = BatchBuilder::new(0, Compression::None);
    batch.push(1_700_000_000_000, None, Some(&vec![0; size_bytes]), &[]);
    let partition = PartitionProduceData::default().with_records(Some(batch.build()));
    let topic =
        TopicProduceData::default().with_name(KafkaString::from(topic.to_owned())).with_partition_data(vec![partition]);
    let request = ProduceRequestData::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic]);
    let Response::Produce(response) = ask(address, request.into(), 9) else { panic!("another answer") };
    response.responses[0].partition_responses[0].error_code
}

#[test]
fn a_topics_configs_act_while_the_cluster_runs_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path());
    let bootstrap = cluster.bootstrap_servers();
    let first = bootstrap.split(',').next().unwrap();
    let topic = CreatableTopic::default()
        .with_name(KafkaString::from_static("t"))
        .with_num_partitions(1)
        .with_replication_factor(3);
    let request = CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    assert!(matches!(ask(first, request.into(), 7), Response::CreateTopics(r) if r.topics[0].error_code == 0));
    let leader_of = |cluster: &Cluster| -> Option<String> {
        let bootstrap = cluster.bootstrap_servers();
        let response = metadata(bootstrap.split(',').next()?);
        let topic =
            response.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|name| name.as_str() == "t"))?;
        let leader = topic.partitions.first()?.leader_id;
        let broker = response.brokers.iter().find(|broker| broker.node_id == leader)?;
        Some(format!("{}:{}", broker.host.as_str(), broker.port))
    };
    // The image of one broker may be older than that of another: what was altered here acts there a moment later.
    let until = |cluster: &Cluster, size_bytes: usize, error: i16| {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while last != Some(error) {
            assert!(Instant::now() < deadline, "still {last:?}");
            last = leader_of(cluster).map(|leader| produce(&leader, "t", size_bytes));
        }
    };
    const TOO_LARGE: i16 = 10;
    until(&cluster, 2_000, 0);
    let mut stream = TcpStream::connect(first).unwrap();
    alter(&mut stream, 2, "t", "max.message.bytes", Some("1000"));
    drop(stream);
    until(&cluster, 2_000, TOO_LARGE);
    until(&cluster, 500, 0);
    cluster.shutdown();

    let (cluster, _reports) = start(dir.path());
    until(&cluster, 2_000, TOO_LARGE);
    let bootstrap = cluster.bootstrap_servers();
    let mut stream = TcpStream::connect(bootstrap.split(',').next().unwrap()).unwrap();
    alter(&mut stream, 2, "t", "max.message.bytes", None);
    until(&cluster, 2_000, 0);
    cluster.shutdown();
}

#[test]
fn a_brokers_own_limits_act_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path());
    let bootstrap = cluster.bootstrap_servers();
    let first = bootstrap.split(',').next().unwrap();
    let mut held = TcpStream::connect(first).unwrap();
    let is_let_in = || {
        let request = Request::Metadata(MetadataRequestData::default());
        TcpStream::connect(first).and_then(|mut stream| try_ask(&mut stream, request, 12)).is_ok()
    };
    let until = |wanted: bool| {
        let deadline = Instant::now() + PATIENCE;
        while is_let_in() != wanted {
            assert!(Instant::now() < deadline, "still {}", !wanted);
        }
    };
    until(true);
    alter(&mut held, 4, "1", "max.connections.per.ip", Some("1"));
    until(false);
    alter(&mut held, 4, "1", "max.connections.per.ip", None);
    until(true);
    cluster.shutdown();
}

#[test]
fn brokers_scrub_their_logs_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, _reports) = start(dir.path());
    assert_eq!(cluster.scrubs(), []);
    assert!(matches!(cluster.start_scrub(9), Err(ClusterError::UnknownNode(9))));
    assert!(matches!(cluster.start_scrub(3000), Err(ClusterError::UnknownNode(3000))));
    cluster.start_scrub(1).unwrap();
    cluster.start_scrub(2).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrubs = cluster.scrubs();
        if scrubs.len() == 2 && scrubs.iter().all(|(_, progress)| progress.is_done) {
            assert!(scrubs.iter().all(|(_, progress)| progress.findings.is_empty() && progress.started_at_ms > 0));
            assert_eq!(scrubs.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
            break;
        }
        assert!(Instant::now() < deadline, "{scrubs:?}");
        std::thread::yield_now();
    }
    cluster.kill_node(2, "test").unwrap();
    assert!(matches!(cluster.start_scrub(2), Err(ClusterError::WrongState { node_id: 2, .. })));
    cluster.shutdown();
}
