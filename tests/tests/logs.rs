//! The nodes' logs of the real program: a client of Kafka's protocol changes the level of a logger, and lines stand over HTTP, in files whose
//! size CloudWatch tells, and in the objects that are delivered.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};
use tests::clients::{self, PATIENCE};
use tests::conformance::side::Side;
use tests::serve::Serve;
use tests::wait::wait_for;

const LOGGER: &str = "org.apache.kafka.coordinator.group.GroupMetadataManager";
/// `org.apache.kafka.common.config.ConfigResource.Type.BROKER_LOGGER`.
const BROKER_LOGGER: i8 = 8;
const BROKERS: [i32; 3] = [1, 2, 3];

/// IncrementalAlterConfigs: operation 0 sets, 1 deletes.
fn alter(side: &mut Side, broker: i32, logger: &str, operation: i8, level: Option<&str>) {
    let config = json!({"Name": logger, "ConfigOperation": operation, "Value": level});
    let resource = json!({"ResourceType": BROKER_LOGGER, "ResourceName": broker.to_string(), "Configs": [config]});
    let body = json!({"Resources": [resource], "ValidateOnly": false});
    let answer = side.send(broker, "IncrementalAlterConfigs", 1, &body).unwrap();
    assert_eq!(answer["Responses"][0]["ErrorCode"], 0, "{answer}");
}

/// A broker's line that tells of a change of a level.
fn change(serve: &Serve, broker: i32, told: &str) -> u64 {
    let path = format!("/api/logs?after=0&node={broker}&logger=kafka.server.logger.RuntimeLoggerManager&level=WARN");
    wait_for("the change of the level", PATIENCE, || {
        let lines = serve.get(&path);
        let line = lines.as_array().unwrap().iter().find(|line| line["message"].as_str().unwrap().contains(told));
        line.and_then(|line| line["seq"].as_u64()).ok_or_else(|| lines.to_string())
    })
}

/// What the logger has told of a group.
fn told(serve: &Serve, group: &str) -> Vec<Value> {
    serve.get(&format!("/api/logs?after=0&logger={LOGGER}&contains={group}&limit=10000")).as_array().unwrap().clone()
}

/// A member joins the group, reads and leaves.
fn read_in(serve: &Serve, group: &str) {
    let consumer: BaseConsumer = clients::config(&serve.bootstrap_servers)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["t"]).unwrap();
    wait_for("a record", PATIENCE, || match consumer.poll(Duration::from_millis(100)) {
        Some(Ok(_)) => Ok(()),
        other => Err(format!("{:?}", other.map(|read| read.map(drop)))),
    });
}

fn level_of(serve: &Serve, broker: i32) -> (Value, Value) {
    let nodes = serve.get(&format!("/api/loggers?node={broker}"));
    let loggers = nodes[0]["loggers"].as_array().unwrap();
    let one = loggers.iter().find(|one| one["logger"] == LOGGER).unwrap();
    (one["level"].clone(), one["is_own"].clone())
}

#[test]
fn a_client_turns_a_logger_off_and_on() {
    let dir = tempfile::tempdir().unwrap();
    let (data, to) = (dir.path().join("data"), dir.path().join("to"));
    let arguments = ["--data-dir", data.to_str().unwrap(), "--deliver-logs", to.to_str().unwrap()];
    let serve = Serve::start_with(&arguments);
    clients::create_topic(&serve.bootstrap_servers, "t", 1, 3);
    let producer = clients::producer(&serve.bootstrap_servers, &[("acks", "all")]);
    clients::send(&producer, "t", None, "key", "value");
    clients::flush(&producer, 1);

    let mut side = Side::connect(&serve.bootstrap_servers).unwrap();
    for broker in BROKERS {
        alter(&mut side, broker, LOGGER, 0, Some("ERROR"));
        change(&serve, broker, "ERROR");
        let seen = || match level_of(&serve, broker) {
            (level, own) if level == "ERROR" && own == true => Ok(()),
            other => Err(format!("{other:?}")),
        };
        wait_for("the level over HTTP", PATIENCE, seen);
    }
    read_in(&serve, "quiet-group");
    for broker in BROKERS {
        alter(&mut side, broker, LOGGER, 1, None);
    }
    // A node's lines keep their order: what was told of the group until the change stands before it.
    let changes = BROKERS.map(|broker| (broker, change(&serve, broker, "no level of its own")));
    for line in told(&serve, "quiet-group") {
        let (_, changed) = changes.iter().find(|(broker, _)| line["node"] == *broker).unwrap();
        assert!(line["seq"].as_u64().unwrap() > *changed, "{line}");
    }
    read_in(&serve, "loud-group");
    let lines = wait_for("lines of the group", PATIENCE, || {
        let lines = told(&serve, "loud-group");
        if lines.is_empty() { Err("none".into()) } else { Ok(lines) }
    });
    for line in lines {
        let file = data.join(format!("logs/broker-{}/server.log", line["node"]));
        let text = std::fs::read_to_string(&file).unwrap();
        let end = format!(" {} {} ({LOGGER})", line["level"].as_str().unwrap(), line["message"].as_str().unwrap());
        assert!(text.lines().any(|written| written.ends_with(&end)), "{end} is not in the file");
    }
    let wish = json!({"node": 1, "logger": "state.change.logger", "level": "INFO"});
    assert_eq!(serve.request("PUT", "/api/loggers", Some(&wish)).unwrap().0, 200);
    change(&serve, 1, "state.change.logger");

    sizes_are_told(&serve, &data);
    assert!(serve.terminate().success());
    delivered(&to);
}

/// Bytes in a folder, as `du` counts them.
fn du(dir: &Path) -> u64 {
    let output = Command::new("du").args(["--apparent-size", "--block-size=1"]).arg("-a").arg(dir).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let files = text.lines().filter_map(|line| line.split_once('\t')).filter(|(_, path)| Path::new(path).is_file());
    files.map(|(bytes, _)| bytes.parse::<u64>().unwrap()).sum()
}

/// Bytes that are free, as `df` counts them.
fn free(dir: &Path) -> f64 {
    let output = Command::new("df").args(["--block-size=1", "--output=avail"]).arg(dir).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().nth(1).unwrap().trim().parse().unwrap()
}

fn sizes_are_told(serve: &Serve, data: &Path) {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    for broker in 1..=3 {
        let folder = data.join(format!("logs/broker-{broker}"));
        wait_for("the size of the files", PATIENCE, || {
            let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let dimensions = json!([
                {"Name": "Cluster Name", "Value": "brokerscope"}, {"Name": "Broker ID", "Value": broker.to_string()}
            ]);
            let wish = json!({
                "Namespace": "AWS/Kafka", "MetricName": "KafkaAppLogsDiskUsed", "Dimensions": dimensions,
                "StartTime": now_s - 3, "EndTime": now_s, "Period": 1, "Statistics": ["Maximum"],
            });
            let asked = agent
                .post(&serve.http)
                .header("authorization", "AWS4-HMAC-SHA256 Credential=any/20261127/local/monitoring/aws4_request")
                .header("x-amz-target", "GraniteServiceVersion20100801.GetMetricStatistics")
                .header("content-type", "application/x-amz-json-1.0")
                .send(wish.to_string().as_bytes());
            let answer: Value = asked.unwrap().body_mut().read_json().unwrap();
            let points = answer["Datapoints"].as_array().unwrap();
            let newest = points.iter().filter_map(|point| point["Maximum"].as_f64()).next_back();
            // The percent is of what the files take and what is free; the latter changes as other programs write.
            let percent = newest.ok_or("no value yet")?;
            let told = percent / (100.0 - percent) * free(data);
            let truth = du(&folder) as f64;
            if truth > 0.0 && (told - truth).abs() <= truth * 0.02 {
                return Ok(());
            }
            Err(format!("broker {broker}: CloudWatch tells {told} bytes, du {truth}"))
        });
    }
}

fn objects(dir: &Path, found: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else {
            found.insert(path.file_name().unwrap().to_str().unwrap().to_owned(), path);
        }
    }
}

fn delivered(to: &Path) {
    let mut found = BTreeMap::new();
    objects(to, &mut found);
    let of_first: Vec<_> = found.iter().filter(|(name, _)| name.starts_with("Broker-1_")).collect();
    assert!(!of_first.is_empty() && found.keys().all(|name| name.ends_with(".log.gz")), "{found:?}");
    assert!(found.values().all(|path| path.starts_with(to.join("AWSLogs/000000000000/KafkaBrokerLogs/local"))));
    let unpack = |(_, path): (&String, &PathBuf)| {
        let output = Command::new("gzip").arg("-dc").arg(path).output().unwrap();
        assert!(output.status.success(), "{}", path.display());
        String::from_utf8(output.stdout).unwrap()
    };
    let text: String = of_first.into_iter().map(unpack).collect();
    let changes = text.lines().filter(|line| line.contains("RuntimeLoggerManager")).count();
    assert_eq!(changes, 3, "each change once: {text}");
    assert!(!text.contains("] DEBUG "), "less than INFO is not delivered");
}

/// What brokers told of requests of this client.
fn requests(serve: &Serve, client: &str) -> Vec<Value> {
    let lines = serve.get(&format!("/api/logs?after=0&logger=kafka.request.logger&contains={client}&limit=10000"));
    let body = |line: &Value| {
        assert_eq!(line["level"], "DEBUG");
        let text = line["message"].as_str().unwrap().strip_prefix("Completed request:").unwrap();
        serde_json::from_str::<Value>(text).unwrap()
    };
    lines.as_array().unwrap().iter().map(body).collect()
}

#[test]
fn requests_are_logged_as_long_as_a_client_wants_it() {
    let serve = Serve::start_with(&["--ephemeral"]);
    clients::create_topic(&serve.bootstrap_servers, "t", 1, 3);
    let mut side = Side::connect(&serve.bootstrap_servers).unwrap();
    let ask_as = |client: &str| {
        let consumer: BaseConsumer =
            clients::config(&serve.bootstrap_servers).set("client.id", client).create().unwrap();
        let metadata = consumer.fetch_metadata(Some("t"), PATIENCE).unwrap();
        assert_eq!(metadata.topics().len(), 1);
    };
    ask_as("early-client");
    for broker in BROKERS {
        alter(&mut side, broker, "kafka.request.logger", 0, Some("DEBUG"));
    }
    let told = wait_for("requests of the client", PATIENCE, || {
        ask_as("heard-client");
        let told = requests(&serve, "heard-client");
        let is_asked = |told: &&Value| {
            told["requestHeader"]["requestApiKeyName"] == "METADATA" && told["request"]["topics"][0]["name"] == "t"
        };
        match told.iter().find(is_asked) {
            Some(told) => Ok(told.clone()),
            None => Err(format!("{told:?}")),
        }
    });
    let header = &told["requestHeader"];
    assert_eq!((&header["requestApiKey"], &header["clientId"]), (&json!(3), &json!("heard-client")));
    assert_eq!(told["clientInformation"]["softwareName"], "librdkafka");
    assert!(told["connection"].as_str().unwrap().starts_with("127.0.0.1:"), "{told}");
    let answered = &told["response"]["topics"][0];
    assert_eq!((&answered["name"], answered["partitions"].as_array().unwrap().len()), (&json!("t"), 1), "{told}");
    let times = ["requestQueueTimeMs", "localTimeMs", "remoteTimeMs", "responseQueueTimeMs", "sendTimeMs"];
    let sum: f64 = times.iter().map(|time| told[time].as_f64().unwrap()).sum();
    let total = told["totalTimeMs"].as_f64().unwrap();
    assert!(total > 0.0 && (total - sum).abs() < 0.01, "{told}");
    for broker in BROKERS {
        alter(&mut side, broker, "kafka.request.logger", 1, None);
    }
    // Unset, it has the level of those above it, which is INFO.
    for broker in BROKERS {
        change(&serve, broker, "no level of its own");
    }
    ask_as("late-client");
    // A node's lines keep their order: what was told of the client stands before this one.
    for node in BROKERS {
        let wish = json!({"node": node, "logger": "state.change.logger", "level": "WARN"});
        assert_eq!(serve.request("PUT", "/api/loggers", Some(&wish)).unwrap().0, 200);
        change(&serve, node, "state.change.logger");
    }
    for unheard in ["early-client", "late-client"] {
        assert_eq!(requests(&serve, unheard), Vec::<Value>::new());
    }
}

#[test]
fn a_folder_that_cannot_be_delivered_to_is_bad_usage() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ended = Command::new(tests::serve::program())
        .args(["serve", "--ephemeral", "--kafka-port", "0", "--http-port", "0", "--deliver-logs"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("--deliver-logs"), "{said}");
}
