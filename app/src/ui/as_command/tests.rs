//! Each command as lines.

use std::path::PathBuf;

use super::*;
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::cloudwatch::catalog;
use crate::monitor::command::{FaultKind, FaultRequest, NewBroker, NewController, WorkloadSpec};
use crate::ui::fixture;

const JSON: &str = "-H 'content-type: application/json'";

fn told(command: &Command) -> Vec<String> {
    let view = fixture::incident();
    let around = Around { bootstrap: "h:1,h:2", http: Some("http://h:9"), snapshot: &view.snapshot };
    lines(command, &around).into_iter().map(|line| line.text).collect()
}

fn create(name: &str, partitions: i32, configs: &[(&str, &str)]) -> Command {
    let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Command::CreateTopic { name: name.into(), partitions, replication_factor: 3, configs }
}

#[test]
fn topics_are_a_matter_of_kafkas_tools() {
    let topics = "kafka-topics.sh --bootstrap-server h:1,h:2";
    for (command, line) in [
        (create("t", 6, &[]), "--create --topic t --partitions 6 --replication-factor 3"),
        (create("t", -1, &[]), "--create --topic t --replication-factor 3"),
        (
            create("a b", 1, &[("min.insync.replicas", "2"), ("x", "it's")]),
            "--create --topic 'a b' --partitions 1 --replication-factor 3 --config min.insync.replicas=2 --config 'x=it'\\''s'",
        ),
        (Command::DeleteTopic { name: "$x".into() }, "--delete --topic '$x'"),
    ] {
        assert_eq!(told(&command), [format!("{topics} {line}")]);
    }
}

#[test]
fn faults_go_over_http() {
    let kill = FaultRequest { broker: Some(2), ..FaultRequest::new(FaultKind::Kill) };
    let late = FaultRequest {
        from: Some(1.into()),
        to: Some(3000.into()),
        both_ways: Some(true),
        delay_ms: Some(50),
        ..FaultRequest::new(FaultKind::Delay)
    };
    let odd = FaultRequest { zone: Some("it's".into()), ..FaultRequest::new(FaultKind::ZoneOutage) };
    for (request, body) in [
        (kill, r#"'{"kind":"kill","broker":2}'"#),
        (late, r#"'{"kind":"delay","from":1,"to":3000,"both_ways":true,"delay_ms":50}'"#),
        (odd, r#"'{"kind":"zone_outage","zone":"it'\''s"}'"#),
    ] {
        let line = format!("curl -X POST {JSON} -d {body} http://h:9/api/faults");
        assert_eq!(told(&Command::InjectFault(request)), [line]);
    }
    for (command, path) in [
        (Command::HealFault(7), "/api/faults/7"),
        (Command::HealAllFaults, "/api/faults"),
        (Command::KeepBroker(2), "/api/brokers/2/removal"),
        (Command::StopWorkload(4), "/api/workloads/4"),
    ] {
        assert_eq!(told(&command), [format!("curl -X DELETE http://h:9{path}")]);
    }
}

#[test]
fn a_node_starts_when_its_fault_is_healed_or_when_it_is_started() {
    let view = fixture::incident();
    let fault = fault_on(&view.snapshot, 2).unwrap().id;
    assert_eq!(told(&Command::StartNode(2)), [format!("curl -X DELETE http://h:9/api/faults/{fault}")]);
    assert_eq!(told(&Command::StartNode(1)), [format!("curl -X POST {JSON} http://h:9/api/brokers/1/start")]);
    let controller = format!("curl -X POST {JSON} http://h:9/api/controllers/3001/start");
    assert_eq!(told(&Command::StartNode(3001)), [controller]);
}

#[test]
fn who_comes_and_goes() {
    let post = |path: &str, body: &str| vec![format!("curl -X POST {JSON} -d '{body}' http://h:9/api/{path}")];
    assert_eq!(told(&Command::AddBroker(NewBroker::default())), post("brokers", r#"{"rebalance":true}"#));
    assert_eq!(told(&Command::AddController(NewController::default())), post("controllers", "{}"));
    assert_eq!(told(&Command::Scrub { broker: None }), post("scrub", "{}"));
    assert_eq!(told(&Command::Scrub { broker: Some(1) }), post("scrub", r#"{"broker":1}"#));
    let remove = told(&Command::RemoveBroker(2));
    assert_eq!(
        remove,
        [
            "kafka-reassign-partitions.sh --bootstrap-server h:1,h:2 --generate --broker-list 1,3 --topics-to-move-json-file topics.json",
            "kafka-cluster.sh unregister --bootstrap-server h:1,h:2 --id 2",
            "curl -X DELETE http://h:9/api/brokers/2",
        ]
    );
    let remove = told(&Command::RemoveController(3001));
    assert!(remove[0].ends_with("remove-controller --controller-id 3001 --controller-directory-id ID"));
    assert_eq!(remove[1], "curl -X DELETE http://h:9/api/controllers/3001");
    let start = &told(&Command::StartWorkload(WorkloadSpec::default()))[0];
    assert!(start.contains(r#"-d '{"topic":"demo","partitions":6,"#) && start.ends_with("/api/workloads"), "{start}");
}

#[test]
fn levels_of_loggers_by_both_ways() {
    let start = "kafka-configs.sh --bootstrap-server h:1,h:2 --entity-type broker-loggers --entity-name";
    let set = |node: Option<i32>, level: Option<Level>| {
        told(&Command::Logs(Wish::SetLevel { node, logger: "kafka".into(), level }))
    };
    let put = |body: &str| format!("curl -X PUT {JSON} -d '{body}' http://h:9/api/loggers");
    for (node, level, kafka, body) in [
        (
            Some(1),
            Some(Level::Debug),
            Some(format!("{start} 1 --alter --add-config kafka=DEBUG")),
            r#"{"level":"DEBUG","logger":"kafka","node":1}"#,
        ),
        (
            None,
            None,
            Some(format!("for b in 1 3; do {start} $b --alter --delete-config kafka; done")),
            r#"{"level":null,"logger":"kafka"}"#,
        ),
        (Some(3000), None, None, r#"{"level":null,"logger":"kafka","node":3000}"#),
    ] {
        let expected: Vec<String> = kafka.into_iter().chain([put(body)]).collect();
        assert_eq!(set(node, level), expected);
    }
    let folder = Command::Logs(Wish::Deliver(Some(PathBuf::from("/it's \"here\""))));
    let line = format!(r#"curl -X PUT {JSON} -d '{{"folder":"/it'\''s \"here\""}}' http://h:9/api/log-delivery"#);
    assert_eq!(told(&folder), [line]);
    assert!(told(&Command::Logs(Wish::Deliver(None)))[0].contains(r#"{"folder":null}"#));
}

#[test]
fn monitoring_and_alarms() {
    let put = |body: &str| vec![format!("curl -X PUT {JSON} -d '{body}' http://h:9/api/monitoring")];
    let level = Change::Level(catalog::Level::PerTopicPerBroker);
    assert_eq!(told(&Command::Monitoring(level)), put(r#"{"level":"PER_TOPIC_PER_BROKER"}"#));
    assert_eq!(told(&Command::Monitoring(Change::AlarmSet(AlarmSet::Golden))), put(r#"{"alarm_set":"golden"}"#));
    let delete = Change::DeleteAlarms(vec!["a b".into(), "c".into()]);
    let aws = "aws cloudwatch delete-alarms --endpoint-url http://h:9 --alarm-names 'a b' c";
    assert_eq!(told(&Command::Monitoring(delete)), [aws]);
    let ring =
        Change::SetAlarmState { name: "a".into(), state: AlarmState::Alarm, reason: "by hand".into(), data: None };
    let aws = "aws cloudwatch set-alarm-state --endpoint-url http://h:9 --alarm-name a --state-value ALARM --state-reason 'by hand'";
    assert_eq!(told(&Command::Monitoring(ring)), [aws]);
}

#[test]
fn what_is_not_known_is_not_told() {
    let view = fixture::empty();
    let around = Around { bootstrap: "", http: None, snapshot: &view.snapshot };
    assert_eq!(lines(&Command::HealAllFaults, &around), []);
    assert_eq!(line(&Command::HealAllFaults, &around), "");
    let delete = Command::DeleteTopic { name: "t".into() };
    assert_eq!(line(&delete, &around), "kafka-topics.sh --bootstrap-server $BOOTSTRAP_SERVERS --delete --topic t");
}
