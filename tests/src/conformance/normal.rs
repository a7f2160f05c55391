//! What no two clusters have in common, taken out of the answers: ids, ports, hosts, times, who coordinates what.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::codec::ZERO_ID;

/// An id that no topic has.
pub const UNKNOWN_ID: &str = "deadbeefdeadbeefdeadbeefdeadbeef";

/// What a side has learned about its own names of things.
#[derive(Default)]
pub struct Normal {
    topics: HashMap<String, String>,
    topics_base64: Vec<(String, String)>,
    ports: Vec<String>,
    producers: HashMap<i64, usize>,
    uuids: HashMap<String, usize>,
    cluster_id: Option<String>,
}

impl Normal {
    /// Remembers the ports of the brokers.
    pub fn learn_brokers(&mut self, brokers: &BTreeMap<i32, String>) {
        self.ports = brokers.values().filter_map(|address| Some(address.rsplit_once(':')?.1.to_owned())).collect();
    }

    /// Numbers producer ids and member ids from one again.
    pub fn forget_numbers(&mut self) {
        self.producers.clear();
        self.uuids.clear();
    }

    /// Learns the topic ids that an answer tells.
    pub fn learn(&mut self, answer: &Value) {
        match answer {
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(object) => {
                if let Some(id) = object.get("ClusterId").and_then(Value::as_str).filter(|id| id.len() > 20) {
                    self.cluster_id = Some(id.to_owned());
                }
                let name = ["Name", "Topic", "TopicName"].iter().find_map(|key| object.get(*key)?.as_str());
                let id = object.get("TopicId").and_then(Value::as_str).filter(|id| !is_made_up(id));
                if let Some((name, id)) = name.zip(id)
                    && self.topics.insert(id.to_owned(), name.to_owned()).is_none()
                {
                    self.topics_base64.push((base64(id), name.to_owned()));
                }
                object.values().for_each(|value| self.learn(value));
            }
            _ => {}
        }
    }

    /// The answer without what is this cluster's own.
    pub fn normalise(&mut self, api: &str, answer: &Value) -> Value {
        match answer {
            Value::Array(items) => {
                let mut items = items.clone();
                // A group's members stand in the order of their random ids' hashes.
                if items.iter().all(|item| item.get("MemberId").is_some()) {
                    items.sort_by_cached_key(|item| without(item, "MemberId"));
                }
                // A partition's producers in that of their ids'.
                if api == "DescribeProducers" && items.iter().all(|item| item.get("ProducerId").is_some()) {
                    items.sort_by_cached_key(|item| without(item, "ProducerId"));
                }
                Value::Array(items.iter().map(|item| self.normalise(api, item)).collect())
            }
            Value::Object(object) => {
                let mut result = Map::new();
                for (key, value) in object {
                    if key != "ThrottleTimeMs" {
                        result.insert(key.clone(), self.field(api, key, value));
                    }
                }
                Value::Object(result)
            }
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn field(&mut self, api: &str, key: &str, value: &Value) -> Value {
        let positive = value.as_i64().is_some_and(|number| number > 0);
        let text = |text: &str| Value::String(text.to_owned());
        match (api, key) {
            (_, "TopicId") => self.topic_id(value),
            (_, "TopicIds") => {
                Value::Array(value.as_array().into_iter().flatten().map(|id| self.topic_id(id)).collect())
            }
            (_, "Host") if value.as_str().is_some_and(|host| !host.is_empty()) => text("host"),
            (_, "Port") if positive => text("port"),
            (_, "ClusterId") if value.is_string() => text("cluster"),
            (_, "SessionId") if positive => text("session"),
            (_, "ProducerId") if value.as_i64().is_some_and(|id| id >= 0) => {
                let next = self.producers.len() + 1;
                let number = *self.producers.entry(value.as_i64().unwrap_or_default()).or_insert(next);
                Value::String(format!("producer {number}"))
            }
            ("Fetch", "Records") => match value.as_str().and_then(without_producers) {
                Some(records) => Value::String(records),
                None => self.normalise(api, value),
            },
            // Kafka names a random broker that lives.
            ("Metadata", "ControllerId") if positive => text("a broker"),
            ("DescribeCluster", "ControllerId") if positive => text("a broker"),
            (_, "LogAppendTimeMs") if positive => text("time"),
            ("DescribeQuorum", "LastFetchTimestamp" | "LastCaughtUpTimestamp") if positive => text("time"),
            ("DescribeQuorum", "HighWatermark" | "LogEndOffset") if positive => text("offset"),
            ("DescribeQuorum", "LeaderEpoch") if positive => text("epoch"),
            ("DescribeQuorum", "ReplicaDirectoryId") if value != ZERO_ID => text("directory"),
            // An id of the server's is an id in Kafka's base64.
            (_, "MemberId" | "Leader") if value.as_str().is_some_and(|id| id.len() == 22) => {
                let id = value.as_str().unwrap_or_default();
                let next = self.uuids.len() + 1;
                let number = *self.uuids.entry(id.to_owned()).or_insert(next);
                Value::String(format!("id {number}"))
            }
            ("ApiVersions", "FinalizedFeaturesEpoch") if positive => text("epoch"),
            ("DescribeLogDirs", "LogDir") => text("directory"),
            ("DescribeLogDirs", "TotalBytes" | "UsableBytes") if positive => text("bytes"),
            _ => self.normalise(api, value),
        }
    }

    fn topic_id(&self, value: &Value) -> Value {
        let id = value.as_str().unwrap_or_default();
        Value::String(match self.topics.get(id) {
            Some(name) => format!("id of {name}"),
            None if is_made_up(id) => id.to_owned(),
            None => "some id".to_owned(),
        })
    }

    fn text(&mut self, text: &str) -> String {
        // Where each side keeps its logs; but the default of log.dir is the same for both.
        if text != "/tmp/kafka-logs" && std::path::Path::new(text).starts_with(std::env::temp_dir()) {
            return "directory".to_owned();
        }
        // Bytes tell no port, but five digits of them may well look like one.
        if text.starts_with("0x") {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for port in &self.ports {
            text = text.replace(port.as_str(), "port");
        }
        if text.len() > 20 {
            for (id, name) in &self.topics_base64 {
                if text.contains(id.as_str()) {
                    text = text.replace(id.as_str(), &format!("id of {name}"));
                }
            }
        }
        if let Some(id) = &self.cluster_id {
            text = text.replace(id.as_str(), "cluster");
        }
        for word in ["directoryId=", "should be within ["] {
            text = without_what_follows(&text, word);
        }
        while let Some(at) = find_uuid(&text) {
            let uuid = text[at..at + 36].to_owned();
            let next = self.uuids.len() + 1;
            let number = *self.uuids.entry(uuid.clone()).or_insert(next);
            text = text.replace(&uuid, &format!("uuid {number}"));
        }
        text
    }
}

/// The text with nothing between each of these words and the bracket that follows.
fn without_what_follows(text: &str, word: &str) -> String {
    let mut parts = text.split(word);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([')', ']']).unwrap_or(0);
        result.push_str(word);
        result.push_str(&part[end..]);
    }
    result
}

/// Ids of the cases' own, which some answers give back beside a topic's name.
fn is_made_up(id: &str) -> bool {
    id == UNKNOWN_ID || id.starts_with(&ZERO_ID[..28])
}

fn without(item: &Value, key: &str) -> String {
    let mut item = item.clone();
    item[key] = Value::Null;
    item.to_string()
}

/// Batches of transactions without the producer id, which is the server's, a marker's times, and the checksum over them.
fn without_producers(records: &str) -> Option<String> {
    const TRANSACTIONAL: u8 = 1 << 4;
    const CONTROL: u8 = 1 << 5;
    let mut bytes = super::codec::unhex(records.strip_prefix("0x")?)?;
    let mut at = 0;
    while let Some(length) = bytes.get(at + 8..at + 12).and_then(|length| length.try_into().ok()) {
        let size = 12 + usize::try_from(i32::from_be_bytes(length)).ok()?;
        let batch = bytes.get_mut(at..at + size)?;
        at += size;
        let attributes = *batch.get(22)?;
        if attributes & TRANSACTIONAL != 0 {
            batch.get_mut(17..21)?.fill(0);
            batch.get_mut(43..51)?.fill(0);
            if attributes & CONTROL != 0 {
                batch.get_mut(27..43)?.fill(0);
            }
        }
    }
    Some(super::codec::hex(&bytes))
}

fn find_uuid(text: &str) -> Option<usize> {
    let is_uuid = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).position(is_uuid)
}

/// Kafka's text of an id: base64 for URLs, without padding.
pub fn base64(id: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = super::codec::unhex(id).unwrap_or_default();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(DIGITS[(group >> (18 - 6 * digit)) as usize & 63] as char);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_a_clusters_own_is_taken_out() {
        let mut normal = Normal::default();
        normal.learn_brokers(&BTreeMap::from([(1, "127.0.0.1:20001".to_owned())]));
        let id = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(base64(id), "AAECAwQFBgcICQoLDA0ODw");
        normal.learn(&json!({"Topics": [{"Name": "t", "TopicId": id}]}));
        let answer = json!({"ThrottleTimeMs": 3, "ProducerId": 4000, "ErrorCode": 3, "TopicId": id, "Host": "h", "Port": 20001,
            "ErrorMessage": "no AAECAwQFBgcICQoLDA0ODw at h:20001", "MemberId": "c-01234567-89ab-cdef-0123-456789abcdef",
            "Assignment": "0x0000000120001000"});
        let expected = json!({"ProducerId": "producer 1", "ErrorCode": 3, "TopicId": "id of t", "Host": "host", "Port": "port",
            "ErrorMessage": "no id of t at h:port", "MemberId": "c-uuid 1", "Assignment": "0x0000000120001000"});
        assert_eq!(normal.normalise("X", &answer), expected);
    }
}
