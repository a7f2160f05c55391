//! What a broker measures of its sockets and requests, against a client that counts what it sends and gets.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::cluster::{Cluster, ClusterConfig, Profile};
use broker::metadata::report::Report;
use broker::metrics::table::{network, requests};
use broker::metrics::{Bean, HistogramReading, MetricsReport, Reading, Series};
use broker::protocol::messages::{ApiVersionsRequestData, KafkaString, MetadataRequestData};
use broker::protocol::{Request, RequestHeader, encode_request};
use crossbeam_channel::Receiver;

const PATIENCE: Duration = Duration::from_secs(60);
const PROCESSOR: [(&str, &str); 2] = [("listener", "PLAINTEXT"), ("networkProcessor", "0")];

/// A connection that counts.
struct Client {
    stream: TcpStream,
    sent: usize,
    got: usize,
}

impl Client {
    fn ask(&mut self, request: Request, api_version: i16) {
        let header = RequestHeader { api_key: request.api(), api_version, correlation_id: 7, client_id: None };
        let frame = encode_request(&header, &request).unwrap();
        self.stream.write_all(&frame).unwrap();
        self.sent += frame.len();
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).unwrap();
        self.got += 4 + answer.len();
    }
}

/// The first report that says so.
fn report(reports: &Receiver<Report>, wanted: impl Fn(&MetricsReport) -> bool) -> Arc<MetricsReport> {
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "no such report");
        if let Ok(Report::Metrics(report)) = reports.recv_timeout(PATIENCE)
            && report.node_id == 1
            && wanted(&report)
        {
            return report;
        }
    }
}

fn value(report: &MetricsReport, bean: &'static Bean, labels: &[(&str, &str)]) -> f64 {
    report.get(bean, labels).map(Series::value).unwrap_or_default()
}

fn histogram(report: &MetricsReport, bean: &'static Bean, request: &str) -> HistogramReading {
    match &report.get(bean, &[("request", request)]).unwrap().reading {
        Reading::Histogram(reading) => **reading,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sockets_and_requests_are_measured_as_a_client_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let config = ClusterConfig {
        brokers: 1,
        controllers: 1,
        zones: 1,
        log_dirs: 1,
        data_dir: dir.path().to_path_buf(),
        kafka_port: 0,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        profile: Profile::Lab,
        overrides: BTreeMap::new(),
    };
    let (sender, reports) = crossbeam_channel::bounded(1 << 16);
    let cluster = Cluster::start(config, sender, crossbeam_channel::bounded(1).0).unwrap();
    cluster.wait_ready(PATIENCE).unwrap();
    let address = cluster.bootstrap_servers();
    let began = Instant::now();
    let mut client = Client { stream: TcpStream::connect(&address).unwrap(), sent: 0, got: 0 };
    let introduction = ApiVersionsRequestData::default()
        .with_client_software_name(KafkaString::from_static("a-test"))
        .with_client_software_version(KafkaString::from_static("1.2"));
    client.ask(introduction.into(), 3);
    let sent_before = client.sent;
    for version in [9, 12] {
        (0..100).for_each(|_| client.ask(MetadataRequestData::default().into(), version));
    }
    let took_ms = began.elapsed().as_secs_f64() * 1000.0;
    let told = report(&reports, |told| value(told, &network::REQUEST_TOTAL, &PROCESSOR) >= 201.0);

    assert_eq!(value(&told, &network::INCOMING_BYTE_TOTAL, &PROCESSOR), client.sent as f64);
    assert_eq!(value(&told, &network::OUTGOING_BYTE_TOTAL, &PROCESSOR), client.got as f64);
    assert_eq!(value(&told, &network::RESPONSE_TOTAL, &PROCESSOR), 201.0);
    assert_eq!(value(&told, &network::CONNECTION_COUNT, &PROCESSOR), 1.0);
    let software = [("clientSoftwareName", "a-test"), ("clientSoftwareVersion", "1.2"), PROCESSOR[0], PROCESSOR[1]];
    assert_eq!(value(&told, &network::CONNECTIONS, &software), 1.0);
    for version in ["9", "12"] {
        assert_eq!(value(&told, &requests::REQUESTS, &[("request", "Metadata"), ("version", version)]), 100.0);
    }
    let size = histogram(&told, &requests::REQUEST_BYTES, "Metadata");
    assert_eq!(size.sum, (client.sent - sent_before - 200 * 4) as f64, "without the lengths in front");

    let total = histogram(&told, &requests::TOTAL_TIME, "Metadata");
    let parts = [
        &requests::REQUEST_QUEUE_TIME,
        &requests::LOCAL_TIME,
        &requests::REMOTE_TIME,
        &requests::RESPONSE_QUEUE_TIME,
        &requests::RESPONSE_SEND_TIME,
    ];
    let sum: f64 = parts.map(|bean| histogram(&told, bean, "Metadata").sum).iter().sum();
    assert_eq!(total.count, 200);
    // Each part is cut to whole microseconds.
    assert!(sum <= total.sum && total.sum - sum <= 0.005 * 200.0, "{sum} of {}", total.sum);
    assert!(total.sum > 0.0 && total.sum < took_ms, "the client waited for {took_ms} ms, {} were here", total.sum);
    assert_eq!(histogram(&told, &requests::REMOTE_TIME, "Metadata").sum, 0.0, "nobody else was asked");

    let idle = value(&told, &network::PROCESSORS_IDLE, &[]);
    assert!((0.0..=1.0).contains(&idle), "{idle}");
    drop(client);
    report(&reports, |told| value(told, &network::CONNECTION_COUNT, &PROCESSOR) == 0.0);
    cluster.shutdown();
}
