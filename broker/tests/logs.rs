//! What the nodes of a running cluster write to their logs.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use broker::cluster::{Cluster, ClusterConfig, Profile};
use broker::logging::{Level, LogLine, Logger};
use broker::protocol::messages::ApiVersionsRequestData;
use broker::protocol::{Api, Request, RequestHeader, encode_request};
use crossbeam_channel::Receiver;

const PATIENCE: Duration = Duration::from_secs(30);

fn start(dir: &std::path::Path) -> (Cluster, Receiver<LogLine>) {
    let config = ClusterConfig {
        brokers: 2,
        controllers: 1,
        zones: 1,
        log_dirs: 1,
        data_dir: dir.to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile: Profile::Lab,
        overrides: BTreeMap::from([("max.connections.per.ip".to_owned(), "1".to_owned())]),
    };
    let (taker, lines) = crossbeam_channel::bounded(100_000);
    let cluster = Cluster::start(config, crossbeam_channel::bounded(1024).0, taker).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    (cluster, lines)
}

/// Reads on until node `id` wrote such a line; gives what came before, and it.
fn until(lines: &Receiver<LogLine>, id: i32, logger: Logger, level: Level, facts: &[&str]) -> Vec<LogLine> {
    let deadline = Instant::now() + PATIENCE;
    let mut read = Vec::new();
    while let Ok(line) = lines.recv_deadline(deadline) {
        let found = (line.node_id, line.logger, line.level) == (id, logger, level);
        let found = found && facts.iter().all(|fact| line.message.contains(fact));
        read.push(line);
        if found {
            return read;
        }
    }
    panic!("node {id} wrote nothing of {facts:?} as {} {level}: {read:#?}", logger.name());
}

#[test]
fn starts_clients_stops_and_kills() {
    let dir = tempfile::tempdir().unwrap();
    let (cluster, lines) = start(dir.path());
    let address = cluster.bootstrap_servers().split(',').next().unwrap().to_owned();
    until(&lines, 1, Logger::MetadataPublisher, Level::Info, &["The first metadata of this registration takes effect"]);
    until(&lines, 1, Logger::BrokerServer, Level::Info, &["[BrokerServer id=1] Transition from STARTING to STARTED"]);

    // Garbage on a socket, and one connection more than may be.
    let mut first = TcpStream::connect(&address).unwrap();
    let levels = cluster.node_logs();
    levels[&1].levels().unwrap().set(Logger::RequestLogger, Some(Level::Debug)).unwrap();
    let request = Request::ApiVersions(ApiVersionsRequestData::default());
    let header =
        RequestHeader { api_key: Api::ApiVersions, api_version: 0, correlation_id: 7, client_id: Some("me".into()) };
    first.write_all(&encode_request(&header, &request).unwrap()).unwrap();
    let line = until(&lines, 1, Logger::RequestLogger, Level::Debug, &["Completed request:{"]).pop().unwrap();
    for fact in
        [r#""requestApiKeyName":"API_VERSIONS""#, r#""correlationId":7"#, r#""clientId":"me""#, r#""totalTimeMs":"#]
    {
        assert!(line.message.contains(fact), "{fact} is not in {}", line.message);
    }
    let mut second = TcpStream::connect(&address).unwrap();
    assert_eq!(second.read(&mut [0; 1]).unwrap_or(0), 0);
    until(&lines, 1, Logger::Acceptor, Level::Info, &["Rejected connection from 127.0.0.1: "]);
    first.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    until(&lines, 1, Logger::Processor, Level::Warn, &["Unexpected data from 127.0.0.1:"]);

    cluster.stop_node(1, "test").unwrap();
    let stopped = until(&lines, 1, Logger::BrokerServer, Level::Info, &["Transition from SHUTTING_DOWN to SHUTDOWN"]);
    for fact in ["Transition from STARTED to SHUTTING_DOWN", "From RUNNING to PENDING_CONTROLLED_SHUTDOWN"] {
        assert!(stopped.iter().any(|line| line.node_id == 1 && line.message.contains(fact)), "{fact}: {stopped:#?}");
    }
    cluster.start_node(1, "test").unwrap();
    until(&lines, 1, Logger::LogManager, Level::Info, &["There are no logs in "]);
    until(&lines, 1, Logger::BrokerLifecycle, Level::Info, &["From RECOVERY to RUNNING"]);
    cluster.kill_node(2, "test").unwrap();
    let said: Vec<LogLine> = lines.try_iter().filter(|line| line.node_id == 2).collect();
    let bad = |line: &&LogLine| line.level >= Level::Warn;
    assert_eq!(said.iter().find(bad), None, "the dead say nothing of their death");
}
