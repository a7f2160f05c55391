//! What is watched survives the end of the program, however it ends.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::path::Path;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};
use tests::serve::Serve;
use tests::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

fn start(dir: &Path, more: &[&str]) -> Serve {
    let mut arguments =
        vec!["--brokers", "1", "--controllers", "1", "--zones", "1", "--data-dir", dir.to_str().unwrap()];
    arguments.extend_from_slice(more);
    Serve::start_with(&arguments)
}

/// One of CloudWatch's operations.
fn cloudwatch(serve: &Serve, operation: &str, params: &Value) -> Value {
    let signature = "AWS4-HMAC-SHA256 Credential=x/20261127/local/monitoring/aws4_request";
    let mut response = ureq::post(format!("{}/", serve.http))
        .header("authorization", signature)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("GraniteServiceVersion20100801.{operation}"))
        .send(params.to_string())
        .unwrap();
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap_or(Value::Null)
}

fn alarm(serve: &Serve, name: &str) -> Value {
    cloudwatch(serve, "DescribeAlarms", &json!({ "AlarmNames": [name] }))["MetricAlarms"][0].clone()
}

fn monitoring(serve: &Serve) -> (Value, Value) {
    let watched = serve.get("/api/monitoring");
    (watched["level"].clone(), watched["alarm_set"].clone())
}

/// Puts an alarm that rings, and waits until that is on the disk.
fn change_all(serve: &Serve, dir: &Path) {
    let wish = json!({ "level": "PER_TOPIC_PER_BROKER", "alarm_set": "seeds" });
    assert_eq!(serve.request("PUT", "/api/monitoring", Some(&wish)).unwrap().0, 200);
    let wish = json!({
        "AlarmName": "mine", "Namespace": "AWS/Kafka", "MetricName": "GlobalTopicCount", "Statistic": "Maximum", "Period": 1,
        "Dimensions": [{ "Name": "Cluster Name", "Value": "brokerscope" }], "EvaluationPeriods": 1, "Threshold": -1,
        "ComparisonOperator": "GreaterThanThreshold", "Tags": [{ "Key": "severity", "Value": "critical" }],
    });
    cloudwatch(serve, "PutMetricAlarm", &wish);
    let metric = json!({
        "Namespace": "AWS/Kafka", "MetricName": "GlobalTopicCount", "Dimensions": [{ "Name": "Cluster Name", "Value": "brokerscope" }],
    });
    let topics =
        json!({ "Id": "t", "ReturnData": false, "MetricStat": { "Metric": metric, "Period": 1, "Stat": "Maximum" } });
    let wish = json!({
        "AlarmName": "math", "EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [topics, { "Id": "e", "Expression": "t * 0 + 1", "ReturnData": true, "Label": "One" }],
    });
    cloudwatch(serve, "PutMetricAlarm", &wish);
    wait_for("the alarm to ring, and to be kept", PATIENCE, || {
        let kept = std::fs::read_to_string(dir.join("monitoring.json")).unwrap_or_default();
        let is_kept = kept.contains("\"mine\"") && kept.matches("\"state\": \"ALARM\"").count() == 2;
        let rings = ["mine", "math"].map(|name| alarm(serve, name)["StateValue"] == "ALARM");
        if is_kept && rings == [true, true] { Ok(()) } else { Err(kept) }
    });
}

#[test]
fn alarms_and_level_survive_a_stop_and_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let serve = start(dir.path(), &[]);
    assert_eq!(monitoring(&serve), (json!("PER_BROKER"), json!("golden")));
    change_all(&serve, dir.path());
    let (before, math) = (alarm(&serve, "mine"), alarm(&serve, "math"));
    assert_eq!(math["Metrics"][1]["Expression"], "t * 0 + 1");
    assert!(serve.terminate().success());

    let serve = start(dir.path(), &[]);
    assert_eq!(monitoring(&serve), (json!("PER_TOPIC_PER_BROKER"), json!("seeds")));
    let after = alarm(&serve, "mine");
    for field in ["StateTransitionedTimestamp", "Metrics"] {
        assert_eq!(alarm(&serve, "math")[field], math[field], "{field} of metric math");
    }
    for field in ["StateTransitionedTimestamp", "AlarmConfigurationUpdatedTimestamp", "Threshold", "Dimensions"] {
        assert_eq!(after[field], before[field], "{field}: it has been ringing all the time");
    }
    let history =
        cloudwatch(&serve, "DescribeAlarmHistory", &json!({ "AlarmName": "mine", "ScanBy": "TimestampAscending" }));
    assert_eq!(history["AlarmHistoryItems"][0]["HistorySummary"], "Alarm \"mine\" created");
    // Killed where it stands.
    drop(serve);

    let serve = start(dir.path(), &["--monitoring-level", "DEFAULT"]);
    assert_eq!(monitoring(&serve), (json!("DEFAULT"), json!("seeds")), "what is said now wins");
    assert_eq!(alarm(&serve, "mine")["StateTransitionedTimestamp"], before["StateTransitionedTimestamp"]);
    assert!(serve.terminate().success());
    let serve = start(dir.path(), &[]);
    assert_eq!(monitoring(&serve).0, json!("DEFAULT"), "and is remembered");
    assert!(serve.terminate().success());

    std::fs::write(dir.path().join("monitoring.json"), "{\"version\":1,").unwrap();
    let serve = start(dir.path(), &[]);
    assert_eq!(monitoring(&serve), (json!("PER_BROKER"), json!("golden")));
    let events = serve.get("/api/events?after=0").to_string();
    assert!(
        events.contains("monitoring.json cannot be read") && events.contains("monitoring.json.damaged"),
        "{events}"
    );
    assert!(dir.path().join("monitoring.json.damaged").exists());
}

/// What `/api/cluster` tells of the age of the first record that the group has not read, of partition 0.
fn lag_ms(serve: &Serve, group: &str) -> Option<i64> {
    let cluster = serve.get("/api/cluster");
    let group = cluster["groups"].as_array()?.iter().find(|found| found["id"] == group)?.clone();
    group["offsets"][0]["lag_ms"].as_i64()
}

fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
fn lag_in_seconds_is_known_of_what_stood_there_before() {
    let dir = tempfile::tempdir().unwrap();
    let serve = start(dir.path(), &[]);
    let settings = |serve: &Serve| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", serve.bootstrap_servers.clone());
        config.set("group.id", "late").set("enable.auto.commit", "false").set("linger.ms", "50");
        config
    };
    let producer: BaseProducer = settings(&serve).create().unwrap();
    let began_ms = now_ms();
    for age_s in [7200, 3600, 1800] {
        let record = BaseRecord::<(), str>::to("late").payload("v").partition(0);
        producer.send(record.timestamp(began_ms - age_s * 1000)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let consumer: BaseConsumer = settings(&serve).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("late", 0, Offset::Offset(1)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let is_an_hour = |serve: &Serve| {
        let age_ms = lag_ms(serve, "late").ok_or("not known")?;
        let expected_ms = now_ms() - began_ms + 3_600_000;
        if (age_ms - expected_ms).abs() < 3_000 { Ok(()) } else { Err(format!("{age_ms} of {expected_ms} ms")) }
    };
    wait_for("the age of the second record", PATIENCE, || is_an_hour(&serve));
    drop((producer, consumer));
    assert!(serve.terminate().success());
    // Nobody saw these records come.
    let serve = start(dir.path(), &[]);
    wait_for("the age of the second record, after a restart", PATIENCE, || is_an_hour(&serve));
}
