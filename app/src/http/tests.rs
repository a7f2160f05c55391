//! The real server on a free port, with a fake cluster behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::scrapes::Scrapes;
use super::{HttpServer, Sources};
use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::fact::Fact;
use crate::monitor::history::run::History;
use crate::monitor::ledger::LedgerStatus;
use crate::monitor::logs::levels::{self, KnownLog};
use crate::monitor::logs::ring::Ring;
use crate::monitor::logs::{LogsView, Wish};
use crate::monitor::order::{Answer, Done, Orders, Refusal};
use crate::monitor::slot::ViewSlot;
use crate::monitor::snapshot::{
    ActiveFault, Broker, Group, GroupOffset, Membership, Partition, Quorum, ReplicaLog, Snapshot, Topic, Totals, Voter,
    WorkloadStatus,
};
use crate::monitor::view::{EventEntry, Severity, View};
use broker::cluster::{Finding, ScrubProgress};
use broker::logging::{Level, LogLine, Logger, NodeLog};
use broker::metadata::report::{BrokerCounters, ClientMetricsReport, ClientSeries, NodeState, RequestCounters};

struct Server {
    http: HttpServer,
    ready: Arc<AtomicBool>,
}

/// A server whose commands are answered by `obey`.
fn server(view: View, obey: impl Fn(Command) -> Answer + Send + 'static) -> Server {
    let slot = ViewSlot::default();
    slot.publish_logs(view.logs.clone());
    slot.publish_ledger(view.ledger.clone());
    slot.publish(view);
    let (orders, taken) = Orders::new();
    std::thread::spawn(move || {
        for order in taken {
            if let Some(reply) = order.reply {
                reply(obey(order.command));
            }
        }
    });
    let ready = Arc::new(AtomicBool::new(true));
    let scrubs = Arc::new(|| vec![(2, scrubbed())]);
    let data_dir = std::env::temp_dir().as_path().into();
    let scrapes = Scrapes::default();
    let sources =
        Sources { slot, orders, scrubs, ready: ready.clone(), data_dir, scrapes, history: History::default() };
    let http = HttpServer::start(TcpListener::bind("127.0.0.1:0").unwrap(), sources).unwrap();
    Server { http, ready }
}

fn scrubbed() -> ScrubProgress {
    let finding = Finding {
        partition: "t-0".into(),
        file: "00000000000000000000.log".into(),
        position: 61,
        first_offset: 3,
        last_offset: 4,
        problem: "rot".into(),
    };
    ScrubProgress { is_done: true, logs: 5, logs_done: 5, batches: 9, findings: vec![finding], ..Default::default() }
}

fn nobody(_: Command) -> Answer {
    panic!("no command is expected")
}

fn raw(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_string()).unwrap_or_default())
}

impl Server {
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let address = self.http.address();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        raw(address, &request)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (status, text) = self.ask(method, path, body);
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}")))
    }
}

fn is_one_sentence(answer: &Value) -> bool {
    answer.as_object().is_some_and(|fields| fields.len() == 1)
        && answer["error"].as_str().is_some_and(|text| text.ends_with('.') && !text.contains('\n'))
}

fn broker(id: i32) -> Broker {
    let request =
        RequestCounters { api: "Produce", count: 10, total_time_us: 5000, p50_us: 400, p99_us: 900, max_us: 1000 };
    Broker {
        id,
        rack: Some("a".into()),
        host: "127.0.0.1".into(),
        port: 9091 + id as u16,
        state: NodeState::Running,
        fenced: false,
        epoch: 9,
        leaders: 1,
        replicas: 2,
        offline_log_dirs: if id == 2 { vec!["/data/2/d1".into()] } else { Vec::new() },
        out_of_sync_replicas: 0,
        log_size_bytes: 0,
        counters: BrokerCounters {
            messages_in: 100,
            bytes_in: 1000,
            requests: vec![request],
            topics: vec![("t".into(), 100, 1000, 500)],
            ..BrokerCounters::default()
        },
        rates: Default::default(),
    }
}

fn view() -> View {
    let partition = Partition {
        id: 0,
        leader: 1,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2],
        high_watermark: 10,
        last_stable_offset: 10,
        log_end_offsets: [(1, 12), (2, 10), (3, 7)].into(),
        size_bytes: 4096,
        logs: [1, 2, 3]
            .map(|node_id| ReplicaLog { node_id, log_end_offset: 7, size_bytes: 4000, ..Default::default() })
            .into(),
        ..Partition::default()
    };
    let topic = Topic {
        name: "t".into(),
        topic_id: "AAAAAAAAAAAAAAAAAAAAAA".into(),
        internal: false,
        partitions: vec![partition],
        min_insync_replicas: 2,
        size_bytes: 12_000,
        messages_in_per_s: 0.0,
        bytes_in_per_s: 0.0,
    };
    let offset = GroupOffset { topic: "t".into(), partition: 0, committed_offset: 4, lag: 6, lag_ms: Some(1200) };
    let group = Group {
        id: "g".into(),
        kind: "classic",
        state: "Stable",
        generation: 3,
        protocol: "range".into(),
        coordinator: 1,
        members: Vec::new(),
        offsets: vec![offset],
        total_lag: 6,
        shared: Vec::new(),
    };
    let voter = |id: i32, role: &str| Voter {
        id,
        state: NodeState::Running,
        role: role.into(),
        log_end_offset: 121,
        leader_id: 3000,
        epoch: 4,
        high_watermark: 120,
        voted_for: 3000,
        fetched_ago_ms: None,
    };
    let quorum = Quorum {
        leader_id: 3000,
        epoch: 4,
        high_watermark: 120,
        voters: vec![voter(3000, "leader"), voter(3001, "follower")],
        observers: Vec::new(),
        kraft_version: 1,
    };
    let mut killed = broker(2);
    killed.state = NodeState::Killed;
    let fault = ActiveFault {
        id: 7,
        kind: "kill".into(),
        node_id: 2,
        node_ids: vec![2],
        what: "broker 2 is killed".into(),
        since_ms: 5,
        until_ms: None,
        request: Arc::new(FaultRequest { broker: Some(2), ..FaultRequest::new(FaultKind::Kill) }),
    };
    let snapshot = Snapshot {
        membership: Membership::default(),
        settings: Arc::default(),
        cluster_id: "c".into(),
        profile: "lab".into(),
        sequence: 812,
        at_ms: 1_790_000_000_000,
        quorum,
        image: Arc::default(),
        brokers: vec![broker(1), killed],
        topics: vec![Arc::new(topic)],
        groups: vec![Arc::new(group)],
        totals: Totals { topics: 1, partitions: 1, under_replicated_partitions: 1, ..Totals::default() },
        workloads: Vec::new(),
        past_faults: Arc::default(),
        scripts: Arc::default(),
        faults: vec![fault],
        client_metrics: vec![Arc::new(client_metrics())],
    };
    let events = (1..=5).map(|seq| {
        Arc::new(EventEntry {
            event: None,
            because_of: Vec::new(),
            led_to: Vec::new(),
            fact: Fact::Other,
            seq,
            at_ms: 5,
            node_id: 1,
            kind: "error",
            severity: Severity::Warning,
            text: format!("{seq}"),
            cause: String::new(),
            subject: "Broker 1".into(),
        })
    });
    View { snapshot: Arc::new(snapshot), events: Arc::new(events.collect()), ..View::default() }
}

fn client_metrics() -> ClientMetricsReport {
    let series = ClientSeries {
        name: "org.apache.kafka.producer.record.send.total".into(),
        labels: [("topic".to_owned(), "t".to_owned())].into(),
        is_counter: true,
        value: 3.0,
    };
    ClientMetricsReport { client_id: "app".into(), at_ms: 5, series: vec![series], ..ClientMetricsReport::default() }
}

#[test]
fn what_clients_pushed_may_be_read() {
    let server = server(view(), nobody);
    let (status, answer) = server.json("GET", "/api/client-metrics", "");
    assert_eq!((status, answer[0]["client_id"].as_str()), (200, Some("app")));
    let series = json!({"name": "org.apache.kafka.producer.record.send.total", "labels": {"topic": "t"}, "type": "counter", "value": 3.0});
    assert_eq!(answer[0]["metrics"], json!([series]));
    let (_, text) = server.ask("GET", "/metrics", "");
    assert!(text.contains("\nkafka_client_producer_record_send_total{client_id=\"app\",client_instance_id="), "{text}");
}

/// As the fake cluster tells it.
const EXPORTED: &str = "ExportLedger(LedgerExport { id: 5, folder: Some(\"/x\") })";

#[test]
fn the_ledger_may_be_read() {
    let mut view = view();
    let status = LedgerStatus { id: 4, acked: 9, lost: 2, unexplained: 1, ..LedgerStatus::default() };
    view.ledger.workloads = Arc::new(vec![Arc::new(status)]);
    let workload = WorkloadStatus { id: 4, acked: 9, ..WorkloadStatus::default() };
    Arc::make_mut(&mut view.snapshot).workloads = vec![workload];
    let server = server(view, nobody);
    let (status, ledger) = server.json("GET", "/api/ledger", "");
    assert_eq!((status, &ledger[0]["acked"], &ledger[0]["verdict"]), (200, &json!(9), &json!("green")));
    assert_eq!((&ledger[0]["stage"], &ledger[0]["losses"]), (&json!("following"), &json!([])));
    let (_, workloads) = server.json("GET", "/api/workloads", "");
    assert_eq!(
        (&workloads[0]["lost"], &workloads[0]["unexplained"], &workloads[0]["acked"]),
        (&json!(2), &json!(1), &json!(9))
    );
    assert_eq!(server.json("GET", "/api/ledger?of=clients", ""), (200, json!([])));
    assert_eq!(server.json("GET", "/api/ledger?of=all", "").0, 400);
}

#[test]
fn what_may_be_read() {
    let server = server(view(), nobody);
    assert_eq!(server.json("GET", "/healthz", ""), (200, json!({ "status": "ok" })));
    assert_eq!(server.json("GET", "/readyz", "").0, 200);
    let (status, cluster) = server.json("GET", "/api/cluster", "");
    assert_eq!(status, 200);
    assert_eq!(
        cluster["quorum"]["voters"][0],
        json!({ "id": 3000, "state": "running", "role": "leader", "log_end_offset": 121 })
    );
    let expected = json!({ "id": 1, "rack": "a", "host": "127.0.0.1", "port": 9092, "state": "running", "fenced": false, "epoch": 9, "leaders": 1, "replicas": 2 });
    assert_eq!(cluster["brokers"][0], expected);
    assert_eq!(cluster["brokers"][1]["offline_log_dirs"], json!(["/data/2/d1"]));
    let partition = json!({ "id": 0, "leader": 1, "leader_epoch": 0, "replicas": [1, 2, 3], "isr": [1, 2], "elr": [], "log_start_offset": 0,
        "high_watermark": 10, "last_stable_offset": 10, "log_end_offsets": { "1": 12, "2": 10, "3": 7 }, "size_bytes": 4096 });
    let topic =
        json!({ "name": "t", "topic_id": "AAAAAAAAAAAAAAAAAAAAAA", "internal": false, "partitions": [partition] });
    assert_eq!(cluster["topics"], json!([topic]));
    let group = json!({ "id": "g", "type": "classic", "state": "Stable", "generation": 3, "protocol": "range", "members": [],
        "offsets": [{ "topic": "t", "partition": 0, "committed_offset": 4, "lag": 6, "lag_ms": 1200 }] });
    assert_eq!(cluster["groups"], json!([group]));
    let keys: Vec<&String> = cluster.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["at_ms", "brokers", "cluster_id", "groups", "profile", "quorum", "sequence", "topics"]);
    assert_eq!(server.json("GET", "/api/faults", "").1[0]["id"], 7);
    assert_eq!(server.json("GET", "/api/workloads", "").1, json!([]));
}

#[test]
fn events_after_a_sequence_number() {
    let server = server(view(), nobody);
    for (query, expected) in
        [("", vec![1, 2, 3, 4, 5]), ("?after=3", vec![4, 5]), ("?after=99", vec![]), ("?after=", vec![1, 2, 3, 4, 5])]
    {
        let (status, events) = server.json("GET", &format!("/api/events{query}"), "");
        let numbers: Vec<u64> = events.as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!((status, numbers), (200, expected), "{query}");
    }
    let (status, stories) = server.json("GET", "/api/stories", "");
    assert_eq!((status, stories), (200, json!([])), "errors of no known cause or effect are no story");
    let (status, answer) = server.json("GET", "/api/events?after=x", "");
    assert!(status == 400 && is_one_sentence(&answer), "{answer}");
}

fn logs() -> LogsView {
    let (taker, _lines) = crossbeam_channel::bounded(1);
    let log = NodeLog::new(1, taker, || 0);
    log.levels().unwrap().set(Logger::Kafka, Some(Level::Debug)).unwrap();
    let mut ring = Ring::default();
    for number in 1..=2_500 {
        let (node_id, level, logger) = match number % 5 {
            0 => (3000, Level::Warn, Logger::QuorumController),
            1 => (1, Level::Debug, Logger::RequestLogger),
            _ => (2, Level::Info, Logger::KafkaApis),
        };
        let message = format!("Line {number} a&b").into();
        ring.push(LogLine { node_id, at_ms: number, level, logger, message, lost_before: 0 });
    }
    let known = [(1, KnownLog { log, is_up: true })].into();
    LogsView { lines: ring.lines(), levels: Arc::new(levels::read(&known)), ..LogsView::default() }
}

#[test]
fn lines_of_the_logs_are_found() {
    let server = server(View { logs: logs(), ..view() }, nobody);
    for (query, count, first, last) in [
        ("", 1_000, 1_501, 2_500),
        ("?limit=2", 2, 2_499, 2_500),
        ("?after=0&limit=3", 3, 1, 3),
        ("?after=2498", 2, 2_499, 2_500),
        ("?after=0&limit=10000", 2_500, 1, 2_500),
        ("?after=0&node=3000&limit=2", 2, 5, 10),
        ("?after=0&level=INFO&limit=1", 1, 2, 2),
        ("?after=0&logger=org.apache.kafka&limit=1", 1, 5, 5),
        ("?after=0&logger=kafka.request.logger&limit=2", 2, 1, 6),
        ("?contains=line%2012%20a%26b", 1, 12, 12),
        ("?contains=/Line%2024..%20/&after=0&level=WARN", 20, 2_400, 2_495),
        ("?node=&level=&after=", 1_000, 1_501, 2_500),
    ] {
        let (status, lines) = server.json("GET", &format!("/api/logs{query}"), "");
        let numbers: Vec<u64> = lines.as_array().unwrap().iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        assert_eq!((status, numbers.len()), (200, count), "{query}");
        assert_eq!((numbers.first(), numbers.last()), (Some(&first), Some(&last)), "{query}");
        assert!(numbers.is_sorted(), "the oldest first");
    }
    let (_, lines) = server.json("GET", "/api/logs?limit=1&node=1", "");
    let line = json!({ "seq": 2_496, "at_ms": 2_496, "node": 1, "level": "DEBUG", "logger": "kafka.request.logger",
        "message": "Line 2496 a&b", "lost_before": 0 });
    assert_eq!(lines, json!([line]));
    assert_eq!(server.json("GET", "/api/logs?after=2500", "").1, json!([]));
    for query in
        ["after=x", "node=one", "level=debug", "logger=no.such", "contains=/(/", "limit=0", "limit=10001", "since=1"]
    {
        let (status, answer) = server.json("GET", &format!("/api/logs?{query}"), "");
        assert!(status == 400 && is_one_sentence(&answer), "{query}: {answer}");
    }
}

#[test]
fn levels_are_told_and_changed_and_logs_delivered() {
    let server = server(View { logs: logs(), ..view() }, |command| match command {
        Command::Logs(Wish::SetLevel { logger, .. }) if logger == "no.such" => Err(Refusal::not_found("No.")),
        other => Ok(Done { id: None, text: format!("{other:?}") }),
    });
    let (status, nodes) = server.json("GET", "/api/loggers", "");
    assert_eq!((status, nodes.as_array().unwrap().len(), &nodes[0]["node"]), (200, 1, &json!(1)));
    assert_eq!(nodes[0]["loggers"].as_array().unwrap().len(), Logger::ALL.len());
    let of = |name: &str| nodes[0]["loggers"].as_array().unwrap().iter().find(|one| one["logger"] == name).unwrap();
    let apis = of("kafka.server.KafkaApis");
    assert_eq!(
        (&apis["level"], &apis["is_own"], &apis["file"]),
        (&json!("DEBUG"), &json!(false), &json!("server.log"))
    );
    assert_eq!((&of("kafka")["is_own"], &of("kafka.request.logger")["level"]), (&json!(true), &json!("WARN")));
    assert_eq!(server.json("GET", "/api/loggers?node=1", "").0, 200);
    for (method, path, body, expected) in [
        ("GET", "/api/loggers?node=2", "", 404),
        ("GET", "/api/loggers?node=x", "", 400),
        ("PUT", "/api/loggers", r#"{"node":1,"logger":"no.such","level":"INFO"}"#, 404),
        ("PUT", "/api/loggers", r#"{"node":1,"logger":"kafka","level":"LOUD"}"#, 400),
        ("PUT", "/api/loggers", r#"{"node":1,"logger":"kafka"}"#, 400),
        ("PUT", "/api/loggers", r#"{"node":1,"level":null}"#, 400),
        ("PUT", "/api/loggers", r#"{"broker":1,"logger":"kafka","level":null}"#, 400),
        ("PUT", "/api/log-delivery", "{}", 400),
        ("PUT", "/api/log-delivery", r#"{"folder":3}"#, 400),
    ] {
        let (status, answer) = server.json(method, path, body);
        assert!(status == expected && is_one_sentence(&answer), "{method} {path} {body}: {status} {answer}");
    }
    let (node, logger, level) = (Some(1), "kafka".to_owned(), Some(Level::Debug));
    let wish = Wish::SetLevel { node, logger: logger.clone(), level };
    let (status, answer) = server.json("PUT", "/api/loggers", r#"{"node":1,"logger":"kafka","level":"DEBUG"}"#);
    assert_eq!((status, &answer["message"]), (200, &json!(format!("{:?}", Command::Logs(wish)))));
    let wish = Wish::SetLevel { node: None, logger, level: None };
    let (status, answer) = server.json("PUT", "/api/loggers", r#"{"logger":"kafka","level":null}"#);
    assert_eq!((status, &answer["message"]), (200, &json!(format!("{:?}", Command::Logs(wish)))));
    let delivery = json!({ "folder": null, "objects": 0, "lines": 0, "lines_lost": 0, "last_object": null,
        "last_at_ms": null, "next_at_ms": null, "trouble": null });
    assert_eq!(server.json("GET", "/api/log-delivery", ""), (200, delivery.clone()));
    assert_eq!(server.json("PUT", "/api/log-delivery", r#"{"folder":"/tmp/x"}"#), (200, delivery.clone()));
    assert_eq!(server.json("PUT", "/api/log-delivery", r#"{"folder":null}"#), (200, delivery));
}

#[test]
fn not_ready_until_writes_are_taken() {
    let server = server(view(), nobody);
    server.ready.store(false, Ordering::Release);
    let (status, answer) = server.json("GET", "/readyz", "");
    assert!(status == 503 && is_one_sentence(&answer), "{answer}");
    let mut leaderless = (*view().snapshot).clone();
    leaderless.quorum.leader_id = -1;
    let server = self::server(View { snapshot: Arc::new(leaderless), ..View::default() }, nobody);
    assert_eq!(server.json("GET", "/readyz", "").0, 503);
}

#[test]
fn scrubs_are_shown() {
    let server = server(view(), nobody);
    let (status, answer) = server.json("GET", "/api/scrub", "");
    assert_eq!((status, answer.as_array().map(Vec::len)), (200, Some(1)), "{answer}");
    assert_eq!(
        (&answer[0]["broker"], &answer[0]["is_done"], &answer[0]["batches"]),
        (&json!(2), &json!(true), &json!(9))
    );
    let finding = json!({
        "partition": "t-0", "file": "00000000000000000000.log", "position": 61, "first_offset": 3, "last_offset": 4,
        "problem": "rot",
    });
    assert_eq!(answer[0]["findings"], json!([finding]));
}

#[test]
fn changes_become_commands() {
    let server = server(view(), |command| {
        let id = match &command {
            Command::InjectFault(_) => Some(7),
            Command::StartWorkload(_) => Some(1),
            Command::AddController(wish) => Some(wish.controller.unwrap_or(3003).unsigned_abs().into()),
            Command::AddBroker(wish) => Some(if wish.rebalance { 4 } else { 5 }),
            _ => None,
        };
        match command {
            Command::HealFault(9) => Err(Refusal::not_found("There is no fault 9 in force.")),
            Command::InjectFault(request) if request.broker == Some(2) => Err(Refusal::conflict("Broker 2 is killed.")),
            Command::ChangeWorkload { id: 3, change } => {
                let names: Vec<String> = change.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
                Ok(Done { id, text: names.join(" ") })
            }
            Command::ChangeWorkload { id: 4, .. } => Ok(Done { id, text: String::new() }),
            Command::ChangeWorkload { id, .. } => Err(Refusal::not_found(format!("There is no workload {id}."))),
            Command::CrashConsumer { id: 3, consumer } => Ok(Done { id: Some(2), text: format!("{consumer:?}") }),
            Command::DeleteTopic { name } if name != "a b" => Err(Refusal::failed(format!("Not {name}."))),
            Command::StartWorkload(spec) if spec.idempotent != (spec.acks == "all") => Err(Refusal::invalid("No.")),
            other => Ok(Done { id, text: format!("{other:?}") }),
        }
    });
    for (method, path, body, status, answer) in [
        ("POST", "/api/faults", r#"{"kind":"kill","broker":1}"#, 200, json!({ "id": 7 })),
        ("POST", "/api/faults", r#"{"kind":"kill","broker":2}"#, 409, json!({ "error": "Broker 2 is killed." })),
        ("DELETE", "/api/faults/9", "", 404, json!({ "error": "There is no fault 9 in force." })),
        ("DELETE", "/api/faults/8", "", 200, json!({ "message": "HealFault(8)" })),
        ("DELETE", "/api/faults", "", 200, json!({ "message": "HealAllFaults" })),
        ("POST", "/api/ledger/5/export", r#"{"folder":"/x"}"#, 200, json!({ "id": 5, "message": EXPORTED })),
        (
            "POST",
            "/api/ledger/5/export",
            r#"{"folder":"x"}"#,
            400,
            json!({ "error": "folder is a path from the root of the file system on." }),
        ),
        ("POST", "/api/ledger/x/export", "{}", 404, json!({ "error": "There is no ledger of a workload x." })),
        ("POST", "/api/brokers/2/start", "", 200, json!({ "id": 2 })),
        ("POST", "/api/controllers/3001/start", "{}", 200, json!({ "id": 3001 })),
        ("POST", "/api/brokers/3001/start", "", 404, json!({ "error": "There is no broker 3001." })),
        ("POST", "/api/controllers/2/start", "", 404, json!({ "error": "There is no controller 2." })),
        ("POST", "/api/brokers/0/start", "", 404, json!({ "error": "There is no broker 0." })),
        ("POST", "/api/brokers", "{}", 200, json!({ "id": 4 })),
        ("POST", "/api/brokers", r#"{"zone":"b","rebalance":false}"#, 200, json!({ "id": 5 })),
        ("DELETE", "/api/brokers/2", "", 200, json!({ "message": "RemoveBroker(2)" })),
        ("DELETE", "/api/brokers/2/removal", "", 200, json!({ "message": "KeepBroker(2)" })),
        ("DELETE", "/api/brokers/3000", "", 404, json!({ "error": "There is no broker 3000." })),
        ("DELETE", "/api/brokers/x/removal", "", 404, json!({ "error": "There is no broker x." })),
        ("POST", "/api/controllers", "{}", 200, json!({ "id": 3003 })),
        ("POST", "/api/controllers", r#"{"controller":3005}"#, 200, json!({ "id": 3005 })),
        ("DELETE", "/api/controllers/3001", "", 200, json!({ "message": "RemoveController(3001)" })),
        ("DELETE", "/api/controllers/2", "", 404, json!({ "error": "There is no controller 2." })),
        ("DELETE", "/api/controllers/x", "", 404, json!({ "error": "There is no controller x." })),
        ("POST", "/api/workloads", "{}", 200, json!({ "id": 1 })),
        ("POST", "/api/workloads", r#"{"acks":"1"}"#, 200, json!({ "id": 1 })),
        ("POST", "/api/workloads", r#"{"acks":"1","idempotent":true}"#, 400, json!({ "error": "No." })),
        ("DELETE", "/api/workloads/3", "", 200, json!({ "message": "StopWorkload(3)" })),
        ("PATCH", "/api/workloads/3", r#"{"rate_per_s":5}"#, 200, json!({ "id": 3, "message": "rate_per_s=5" })),
        (
            "PATCH",
            "/api/workloads/3",
            r#"{"acks":"1"}"#,
            200,
            json!({ "id": 3, "message": "acks=\"1\" idempotent=false" }),
        ),
        ("PATCH", "/api/workloads/4", r#"{"rate_per_s":5}"#, 200, json!({ "id": 4, "message": null })),
        ("PATCH", "/api/workloads/9", "{}", 404, json!({ "error": "There is no workload 9." })),
        (
            "POST",
            "/api/workloads/3/crash",
            r#"{"consumer":2}"#,
            200,
            json!({ "id": 3, "consumer": 2, "message": "Some(2)" }),
        ),
        ("POST", "/api/workloads/3/crash", "{}", 200, json!({ "id": 3, "consumer": 2, "message": "None" })),
        (
            "POST",
            "/api/workloads/3/revive",
            "{}",
            200,
            json!({ "id": 3, "message": "ReviveConsumer { id: 3, consumer: None }" }),
        ),
        ("POST", "/api/scrub", "{}", 200, json!({ "message": "Scrub { broker: None }" })),
        ("POST", "/api/scrub", r#"{"broker":2}"#, 200, json!({ "message": "Scrub { broker: Some(2) }" })),
        ("DELETE", "/api/topics/a%20b", "", 200, json!({ "message": "DeleteTopic { name: \"a b\" }" })),
        ("DELETE", "/api/topics/x", "", 503, json!({ "error": "Not x." })),
    ] {
        assert_eq!(server.json(method, path, body), (status, answer), "{method} {path} {body}");
    }
    let (status, answer) = server.json("POST", "/api/topics", r#"{"name":"n","configs":{"a":"b"}}"#);
    assert_eq!(status, 200);
    let expected = r#"CreateTopic { name: "n", partitions: -1, replication_factor: -1, configs: [("a", "b")] }"#;
    assert_eq!(answer["message"], expected);
}

#[test]
fn what_is_wrong_is_one_sentence() {
    let server = server(view(), nobody);
    let long = "x".repeat(70_000);
    for (method, path, body, expected) in [
        ("GET", "/nowhere", "", 404),
        ("GET", "/api/nowhere", "", 404),
        ("PUT", "/api/faults", "{}", 405),
        ("GET", "/api/brokers/1/start", "", 405),
        ("POST", "/api/faults", "", 400),
        ("POST", "/api/faults", "[1", 400),
        ("POST", "/api/faults", r#"{"kind":"burn","broker":1}"#, 400),
        ("POST", "/api/faults", r#"{"kind":"kill","broker":1,"more":1}"#, 400),
        ("POST", "/api/faults", r#"{"broker":1}"#, 400),
        ("POST", "/api/brokers", r#"{"port":70000}"#, 400),
        ("POST", "/api/brokers", r#"{"id":4}"#, 400),
        ("POST", "/api/workloads", r#"{"producers":-1}"#, 400),
        ("POST", "/api/workloads", r#"[]"#, 400),
        ("PATCH", "/api/workloads/1", r#"[]"#, 400),
        ("PATCH", "/api/workloads/x", "{}", 404),
        ("POST", "/api/workloads/1/crash", r#"{"consumer":-1}"#, 400),
        ("POST", "/api/workloads/1/revive", r#"{"who":1}"#, 400),
        ("POST", "/api/scrub", r#"{"broker":"one"}"#, 400),
        ("POST", "/api/scrub", r#"{"brokers":1}"#, 400),
        ("POST", "/api/faults", &long, 413),
        ("DELETE", "/api/faults/x", "", 404),
        ("DELETE", "/api/workloads/-1", "", 404),
        ("GET", "/metrics/brokers/9", "", 404),
        ("GET", "/metrics/brokers/2", "", 503),
        ("GET", "/metrics/brokers/3000", "", 404),
        ("GET", "/metrics/controllers/1", "", 404),
        ("GET", "/metrics/controllers/x", "", 404),
        ("GET", "/metrics/node/2", "", 503),
        ("GET", "/metrics/node/7", "", 404),
    ] {
        let (status, answer) = server.json(method, path, body);
        assert_eq!(status, expected, "{method} {path} {answer}");
        assert!(is_one_sentence(&answer), "{answer}");
    }
}

#[test]
fn foreign_pages_are_refused() {
    let server = server(view(), nobody);
    let address = server.http.address();
    for (headers, expected) in [
        (format!("Host: {address}\r\n"), 200),
        (format!("Host: localhost:{}\r\n", address.port()), 200),
        ("Host: evil.example\r\n".into(), 403),
        (format!("Host: {address}\r\nOrigin: http://evil.example\r\n"), 403),
        (format!("Host: {address}\r\nOrigin: http://{address}\r\n"), 200),
    ] {
        let (status, body) = raw(address, &format!("GET /healthz HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"));
        assert_eq!(status, expected, "{headers} {body}");
        assert!(status == 200 || is_one_sentence(&serde_json::from_str(&body).unwrap()));
    }
    let form = format!(
        "POST /api/faults HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(raw(address, &form).0, 415);
}

#[test]
fn each_node_has_an_endpoint_of_its_own() {
    let server = server(view(), nobody);
    for (path, has, has_not) in [
        (
            "/metrics",
            "kafka_topic_partition_replicas{topic=\"t\",partition=\"0\"} 3",
            // Of the nodes' own series, those of topics and partitions follow the monitoring level.
            "kafka_cluster_partition",
        ),
        (
            "/metrics/brokers/1",
            "kafka_cluster_partition_replicascount{topic=\"t\",partition=\"0\"} 3",
            "kafka_consumergroup",
        ),
        ("/metrics/controllers/3001", "jvm_threads_current", "kafka_cluster_partition"),
        ("/metrics/exporter", "kafka_consumergroup_lag{consumergroup=\"g\",topic=\"t\",partition=\"0\"} 6", "process_"),
        ("/metrics/node/3000", "container_memory_usage_bytes", "process_"),
        ("/metrics/node/1", "kubelet_volume_stats_available_bytes", "kafka_"),
    ] {
        let (status, text) = server.ask("GET", path, "");
        assert_eq!(status, 200, "{path}");
        assert!(text.lines().any(|line| line.starts_with(has)), "{path} has no {has}:\n{text}");
        assert!(!text.lines().any(|line| line.starts_with(has_not)), "{path} has {has_not}");
    }
}

#[test]
fn a_dropped_server_gives_its_port_back() {
    let server = server(view(), nobody);
    let address = server.http.address();
    // A connection that is kept open does not hold it up.
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
