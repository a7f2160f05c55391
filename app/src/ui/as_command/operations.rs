//! What is done to topics, groups and configs, with Kafka's own tools.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;

use super::{AS_A_COMMAND, Around, Line, quoted, servers, tool};
use crate::monitor::messages::NewMessage;
use crate::monitor::operation::{ConfigChange, ConfigResource, Election, Move, OffsetOf, Operation};

/// The lines of an operation: one where the tool takes all in its arguments, several where it acts on one thing at a time.
pub fn lines(operation: &Operation, around: &Around<'_>) -> Vec<Line> {
    let texts = match operation {
        Operation::AlterConfigs { resource, changes } => alter_configs(resource, changes, around),
        Operation::AddPartitions { topic, total } => {
            let tool = tool("kafka-topics.sh", around);
            vec![format!("{tool} --alter --topic {} --partitions {total}", quoted(topic))]
        }
        Operation::DeleteRecords(below) => vec![delete_records(below, around)],
        Operation::Produce { topic, partition, message } => {
            produce(topic, *partition, message, around).into_iter().collect()
        }
        Operation::ElectLeaders { election, partitions } => vec![elect(*election, partitions, around)],
        Operation::Reassign { moves, throttle_bytes_per_s } => vec![reassign(moves, *throttle_bytes_per_s, around)],
        Operation::CancelReassignments(partitions) => {
            // The tool wants replicas to be there, and does not look at them.
            let of = |(topic, partition): &(Arc<str>, i32)| json!({ "topic": &**topic, "partition": partition, "replicas": [] });
            let partitions: Vec<_> = partitions.iter().map(of).collect();
            let plan = json!({ "version": 1, "partitions": partitions });
            let tool = tool("kafka-reassign-partitions.sh", around);
            vec![format!("{tool} --cancel --reassignment-json-file {}", file_of(&plan))]
        }
        Operation::SetOffsets { group, offsets } => set_offsets(group, offsets, around),
        Operation::DeleteOffsets { group, partitions } => partitions
            .iter()
            .map(|(topic, partition)| {
                let tool = tool("kafka-consumer-groups.sh", around);
                format!(
                    "{tool} --delete-offsets --group {} --topic {}",
                    quoted(group),
                    quoted(&format!("{topic}:{partition}"))
                )
            })
            .collect(),
        Operation::DeleteGroup(group) => {
            vec![format!("{} --delete --group {}", tool("kafka-consumer-groups.sh", around), quoted(group))]
        }
    };
    let several = texts.len() > 1;
    let title = |index: usize| match (several, index) {
        (false, _) => AS_A_COMMAND,
        (true, 0) => "As commands",
        (true, _) => "And",
    };
    texts.into_iter().enumerate().map(|(index, text)| Line { title: title(index), text }).collect()
}

/// A file that the shell makes of what the tool wants to read.
fn file_of(content: &serde_json::Value) -> String {
    format!("<(echo {})", quoted(&content.to_string()))
}

fn alter_configs(resource: &ConfigResource, changes: &[ConfigChange], around: &Around<'_>) -> Vec<String> {
    let entity = match resource {
        ConfigResource::Topic(name) => format!("--entity-type topics --entity-name {}", quoted(name)),
        ConfigResource::Broker(Some(id)) => format!("--entity-type brokers --entity-name {id}"),
        ConfigResource::Broker(None) => "--entity-type brokers --entity-default".to_owned(),
        ConfigResource::Group(name) => format!("--entity-type groups --entity-name {}", quoted(name)),
    };
    let mut text = format!("{} {entity} --alter", tool("kafka-configs.sh", around));
    // A list would end at its first comma, but for brackets.
    let value = |value: &str| if value.contains(',') { format!("[{value}]") } else { value.to_owned() };
    let set = changes.iter().filter_map(|change| Some(format!("{}={}", change.name, value(change.value.as_deref()?))));
    let set: Vec<String> = set.collect();
    let back: Vec<&str> =
        changes.iter().filter(|change| change.value.is_none()).map(|change| change.name.as_str()).collect();
    if !set.is_empty() {
        text += &format!(" --add-config {}", quoted(&set.join(",")));
    }
    if !back.is_empty() {
        text += &format!(" --delete-config {}", quoted(&back.join(",")));
    }
    vec![text]
}

fn delete_records(below: &[OffsetOf], around: &Around<'_>) -> String {
    let partitions: Vec<_> = below
        .iter()
        .map(|one| json!({ "topic": &*one.topic, "partition": one.partition, "offset": one.offset }))
        .collect();
    let offsets = json!({ "partitions": partitions, "version": 1 });
    format!("{} --offset-json-file {}", tool("kafka-delete-records.sh", around), file_of(&offsets))
}

/// What is longer nobody types.
const TYPED_BYTES_MAX: usize = 2 << 10;

/// Whether bytes can stand in a line for a shell, and in one that the console producer reads.
fn is_typed(bytes: &[u8]) -> bool {
    bytes.len() <= TYPED_BYTES_MAX && std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// A value that cannot be typed is read from a file, by kcat; `None`: a key or a header cannot be typed.
fn produce(topic: &str, partition: Option<i32>, message: &NewMessage, around: &Around<'_>) -> Option<String> {
    let headers = message.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
    if !message.key.as_deref().into_iter().chain(headers.flatten()).all(is_typed) {
        return None;
    }
    if message.value.as_deref().is_none_or(is_typed) {
        return Some(by_console(topic, message, around));
    }
    let mut text = format!("kcat -b {} -P -t {}", servers(around), quoted(topic));
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Writing to a string does not fail.
    if let Some(partition) = partition {
        let _ = write!(text, " -p {partition}");
    }
    if let Some(key) = &message.key {
        let _ = write!(text, " -k {}", quoted(&word(key)));
    }
    for (name, value) in &message.headers {
        let value = value.as_deref().map_or(String::new(), |value| format!("={}", word(value)));
        let _ = write!(text, " -H {}", quoted(&format!("{name}{value}")));
    }
    Some(format!("{text} value.bin"))
}

/// The console producer reads headers, key and value by tabs. It chooses the partition by the key itself.
fn by_console(topic: &str, message: &NewMessage, around: &Around<'_>) -> String {
    const NULL: &str = "NULL";
    let text = |bytes: Option<&[u8]>| bytes.map_or(NULL.into(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut properties = String::new();
    let mut fields = Vec::new();
    if !message.headers.is_empty() {
        properties += " --reader-property parse.headers=true";
        let header = |(name, value): &(String, Option<bytes::Bytes>)| format!("{name}:{}", text(value.as_deref()));
        fields.push(message.headers.iter().map(header).collect::<Vec<_>>().join(","));
    }
    if message.key.is_some() {
        properties += " --reader-property parse.key=true";
        fields.push(text(message.key.as_deref()));
    }
    fields.push(text(message.value.as_deref()));
    let has_null = message.value.is_none() || message.headers.iter().any(|(_, value)| value.is_none());
    if has_null {
        let _ = write!(properties, " --reader-property null.marker={NULL}");
    }
    let format = vec!["%s"; fields.len()].join("\\t");
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    let tool = tool("kafka-console-producer.sh", around);
    format!("printf '{format}\\n' {} | {tool} --topic {}{properties}", fields.join(" "), quoted(topic))
}

fn elect(election: Election, partitions: &[(Arc<str>, i32)], around: &Around<'_>) -> String {
    let kind = match election {
        Election::Preferred => "preferred",
        Election::Unclean => "unclean",
    };
    let mut text = format!("{} --election-type {kind}", tool("kafka-leader-election.sh", around));
    // Writing to a string does not fail.
    let _ = match partitions {
        [] => write!(text, " --all-topic-partitions"),
        [(topic, partition)] => write!(text, " --topic {} --partition {partition}", quoted(topic)),
        many => {
            let partitions: Vec<_> =
                many.iter().map(|(topic, partition)| json!({ "topic": &**topic, "partition": partition })).collect();
            write!(text, " --path-to-json-file {}", file_of(&json!({ "partitions": partitions })))
        }
    };
    text
}

fn reassign(moves: &[Move], throttle_bytes_per_s: Option<u64>, around: &Around<'_>) -> String {
    let partitions: Vec<_> = moves
        .iter()
        .map(|one| json!({ "topic": &*one.topic, "partition": one.partition, "replicas": one.replicas }))
        .collect();
    let plan = json!({ "version": 1, "partitions": partitions });
    let throttle = throttle_bytes_per_s.map(|rate| format!(" --throttle {rate}")).unwrap_or_default();
    let tool = tool("kafka-reassign-partitions.sh", around);
    format!("{tool} --execute --reassignment-json-file {}{throttle}", file_of(&plan))
}

/// The tool takes topic, partition and offset by lines of a file, which it reads more than once: a pipe will not do.
fn set_offsets(group: &str, offsets: &[OffsetOf], around: &Around<'_>) -> Vec<String> {
    let tool = tool("kafka-consumer-groups.sh", around);
    let lines: Vec<String> =
        offsets.iter().map(|one| quoted(&format!("{},{},{}", one.topic, one.partition, one.offset))).collect();
    let file = format!("printf '%s\\n' {} > offsets.csv", lines.join(" "));
    vec![format!("{file} && {tool} --reset-offsets --group {} --from-file offsets.csv --execute", quoted(group))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::snapshot::Snapshot;

    #[test]
    fn each_operation_has_kafkas_own_line() {
        let snapshot = Snapshot::default();
        let around = Around { bootstrap: "h:1", http: None, snapshot: &snapshot };
        let change =
            |name: &str, value: Option<&str>| ConfigChange { name: name.into(), value: value.map(str::to_owned) };
        let orders: Arc<str> = "orders".into();
        let at = |partition, offset| OffsetOf { topic: "it's".into(), partition, offset };
        for (operation, expected) in [
            (
                Operation::AlterConfigs {
                    resource: ConfigResource::Topic(orders.clone()),
                    changes: vec![
                        change("cleanup.policy", Some("compact,delete")),
                        change("retention.ms", Some("5")),
                        change("segment.ms", None),
                    ],
                },
                "kafka-configs.sh --bootstrap-server h:1 --entity-type topics --entity-name orders --alter \
                 --add-config 'cleanup.policy=[compact,delete],retention.ms=5' --delete-config segment.ms",
            ),
            (
                Operation::AlterConfigs {
                    resource: ConfigResource::Broker(None),
                    changes: vec![change("log.cleaner.threads", Some("2"))],
                },
                "kafka-configs.sh --bootstrap-server h:1 --entity-type brokers --entity-default --alter \
                 --add-config log.cleaner.threads=2",
            ),
            (
                Operation::AddPartitions { topic: orders.clone(), total: 12 },
                "kafka-topics.sh --bootstrap-server h:1 --alter --topic orders --partitions 12",
            ),
            (
                Operation::DeleteRecords(vec![at(0, 7)]),
                "kafka-delete-records.sh --bootstrap-server h:1 --offset-json-file \
                 <(echo '{\"partitions\":[{\"offset\":7,\"partition\":0,\"topic\":\"it'\\''s\"}],\"version\":1}')",
            ),
            (
                Operation::ElectLeaders { election: Election::Preferred, partitions: vec![] },
                "kafka-leader-election.sh --bootstrap-server h:1 --election-type preferred --all-topic-partitions",
            ),
            (
                Operation::ElectLeaders { election: Election::Unclean, partitions: vec![(orders.clone(), 3)] },
                "kafka-leader-election.sh --bootstrap-server h:1 --election-type unclean --topic orders --partition 3",
            ),
            (
                Operation::Reassign {
                    moves: vec![Move { topic: orders.clone(), partition: 1, replicas: vec![2, 3] }],
                    throttle_bytes_per_s: Some(1000),
                },
                "kafka-reassign-partitions.sh --bootstrap-server h:1 --execute --reassignment-json-file \
                 <(echo '{\"partitions\":[{\"partition\":1,\"replicas\":[2,3],\"topic\":\"orders\"}],\"version\":1}') --throttle 1000",
            ),
            (
                Operation::Produce {
                    topic: orders.clone(),
                    partition: None,
                    message: NewMessage {
                        key: Some("k".into()),
                        value: Some("it's".into()),
                        headers: vec![("a".into(), Some("1".into())), ("b".into(), None)],
                        timestamp_ms: None,
                    },
                },
                "printf '%s\\t%s\\t%s\\n' a:1,b:NULL k 'it'\\''s' | kafka-console-producer.sh --bootstrap-server h:1 \
                 --topic orders --reader-property parse.headers=true --reader-property parse.key=true \
                 --reader-property null.marker=NULL",
            ),
            (
                Operation::Produce {
                    topic: orders.clone(),
                    partition: Some(3),
                    message: NewMessage { value: Some("v".into()), ..NewMessage::default() },
                },
                "printf '%s\\n' v | kafka-console-producer.sh --bootstrap-server h:1 --topic orders",
            ),
            (
                Operation::Produce {
                    topic: orders.clone(),
                    partition: Some(3),
                    message: NewMessage {
                        key: Some("k".into()),
                        value: Some(vec![b'x'; TYPED_BYTES_MAX + 1].into()),
                        headers: vec![("a".into(), Some("1".into()))],
                        timestamp_ms: None,
                    },
                },
                "kcat -b h:1 -P -t orders -p 3 -k k -H a=1 value.bin",
            ),
            (
                Operation::CancelReassignments(vec![(orders.clone(), 4)]),
                "kafka-reassign-partitions.sh --bootstrap-server h:1 --cancel --reassignment-json-file \
                 <(echo '{\"partitions\":[{\"partition\":4,\"replicas\":[],\"topic\":\"orders\"}],\"version\":1}')",
            ),
            (
                Operation::SetOffsets { group: "g 1".into(), offsets: vec![at(0, 7), at(1, 8)] },
                "printf '%s\\n' 'it'\\''s,0,7' 'it'\\''s,1,8' > offsets.csv && kafka-consumer-groups.sh \
                 --bootstrap-server h:1 --reset-offsets --group 'g 1' --from-file offsets.csv --execute",
            ),
            (
                Operation::DeleteOffsets { group: "g".into(), partitions: vec![(orders, 2)] },
                "kafka-consumer-groups.sh --bootstrap-server h:1 --delete-offsets --group g --topic orders:2",
            ),
            (Operation::DeleteGroup("g".into()), "kafka-consumer-groups.sh --bootstrap-server h:1 --delete --group g"),
        ] {
            let told = lines(&operation, &around);
            let [only] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!((only.title, only.text.as_str()), (AS_A_COMMAND, expected));
        }
    }

    #[test]
    fn what_the_tool_does_one_by_one_is_several_lines() {
        let snapshot = Snapshot::default();
        let around = Around { bootstrap: "", http: None, snapshot: &snapshot };
        let partitions = vec![("t".into(), 0), ("t".into(), 1)];
        let told = lines(&Operation::DeleteOffsets { group: "g".into(), partitions }, &around);
        assert_eq!((told.len(), told[0].title, told[1].title), (2, "As commands", "And"));
        assert!(told[1].text.contains("$BOOTSTRAP_SERVERS") && told[1].text.ends_with("--topic t:1"));
    }
}
