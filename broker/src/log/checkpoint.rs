//! Kafka's small text files: checkpoints, `partition.metadata`, `meta.properties`, `.kafka_cleanshutdown`.
//!
//! Checkpoint format 0: a version, the number of lines, the lines. Source: `org.apache.kafka.server.common.CheckpointFile`,
//! `OffsetCheckpointFile`, `PartitionMetadata`, `MetaProperties`, `CleanShutdownFileHandler` (KIP-966).

use std::collections::BTreeMap;
use std::path::Path;

use super::LogError;
use super::disk::Disk;
use crate::types::{Id, NodeId, TopicPartition};

/// No checkpoint of an honest node is larger.
const MAX_CHECKPOINT_BYTES: u64 = 64 << 20;
const MAX_SMALL_BYTES: u64 = 1 << 20;

pub(super) fn encode(lines: impl Iterator<Item = String>) -> String {
    let mut body = String::new();
    let mut count = 0;
    for line in lines {
        body.push_str(&line);
        body.push('\n');
        count += 1;
    }
    format!("0\n{count}\n{body}")
}

pub(super) fn decode(text: &[u8]) -> Result<Vec<&str>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned())?;
    if !text.ends_with('\n') {
        return Err("the last line is torn".to_owned());
    }
    let mut lines = text.lines();
    match lines.next() {
        Some("0") => {}
        Some(version) => return Err(format!("unknown version '{version}'")),
        None => return Err("empty".to_owned()),
    }
    let count: usize = lines.next().and_then(|count| count.parse().ok()).ok_or("the number of lines is missing")?;
    let lines: Vec<&str> = lines.collect();
    if lines.len() != count {
        return Err(format!("{count} lines were promised and {} are there", lines.len()));
    }
    Ok(lines)
}

/// A file of offsets by partition.
pub(super) type Offsets = BTreeMap<TopicPartition, i64>;

pub(super) fn encode_offsets(offsets: &Offsets) -> String {
    encode(offsets.iter().map(|(name, offset)| format!("{} {} {offset}", name.topic, name.partition)))
}

pub(super) fn decode_offsets(text: &[u8]) -> Result<Offsets, String> {
    let mut offsets = Offsets::new();
    for line in decode(text)? {
        let mut fields = line.split(' ');
        let entry = (|| {
            let topic = fields.next().filter(|topic| !topic.is_empty())?;
            let partition = fields.next()?.parse().ok()?;
            let offset: i64 = fields.next()?.parse().ok()?;
            (fields.next().is_none() && offset >= 0).then_some((TopicPartition::new(topic, partition), offset))
        })();
        let (name, offset) = entry.ok_or_else(|| format!("'{line}' is not a topic, a partition and an offset"))?;
        offsets.insert(name, offset);
    }
    Ok(offsets)
}

/// Reads a checkpoint. Missing or unreadable content gives `None`: the caller then knows nothing, and recovers from the start.
pub(super) fn read_offsets(disk: &dyn Disk, path: &Path) -> Result<Option<Offsets>, LogError> {
    match disk.read(path, MAX_CHECKPOINT_BYTES) {
        // As Kafka makes the file before there is anything to write.
        Ok(text) if text.is_empty() => Ok(Some(Offsets::new())),
        Ok(text) => Ok(decode_offsets(&text).ok()),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(LogError::io(path)(error)),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::FileTooLarge)
}

/// Content of `partition.metadata`.
pub(super) fn encode_partition_metadata(topic_id: Id) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Topic id in `partition.metadata`; `None` if there is no such file.
pub(super) fn read_partition_metadata(disk: &dyn Disk, path: &Path) -> Result<Option<Id>, LogError> {
    let text = match disk.read(path, MAX_SMALL_BYTES) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(LogError::io(path)(error)),
    };
    let text = String::from_utf8_lossy(&text);
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(": ")).collect();
    match (fields.get("version"), fields.get("topic_id").map(|id| id.trim().parse::<Id>())) {
        (Some(&"0"), Some(Ok(id))) if !id.is_zero() => Ok(Some(id)),
        _ => Err(LogError::invalid_file(path, "'version: 0' and a topic_id are expected")),
    }
}

/// Content of `meta.properties`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// Cluster that the directory belongs to.
    pub cluster_id: String,
    /// Node that it belongs to.
    pub node_id: NodeId,
    /// The directory's own id.
    pub directory_id: Id,
}

impl MetaProperties {
    pub(super) fn encode(&self) -> String {
        let MetaProperties { cluster_id, node_id, directory_id } = self;
        format!("cluster.id={cluster_id}\ndirectory.id={directory_id}\nnode.id={node_id}\nversion=1\n")
    }

    /// `None` if there is no such file.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<MetaProperties>, LogError> {
        let text = match disk.read(path, MAX_SMALL_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LogError::io(path)(error)),
        };
        let text = String::from_utf8_lossy(&text);
        let comment = |line: &&str| line.starts_with('#') || line.starts_with('!');
        let fields: BTreeMap<&str, &str> = text
            .lines()
            .filter(|line| !comment(line))
            .filter_map(|line| line.split_once('=').map(|(key, value)| (key.trim(), value.trim())))
            .collect();
        let field = |name: &str| {
            fields.get(name).copied().ok_or_else(|| LogError::invalid_file(path, format!("'{name}' is missing")))
        };
        let invalid = |name: &str, value: &str| LogError::invalid_file(path, format!("{name}={value} makes no sense"));
        if field("version")? != "1" {
            return Err(invalid("version", field("version")?));
        }
        let (node_id, directory_id) = (field("node.id")?, field("directory.id")?);
        Ok(Some(MetaProperties {
            cluster_id: field("cluster.id")?.to_owned(),
            node_id: node_id.parse().map_err(|_| invalid("node.id", node_id))?,
            directory_id: directory_id.parse().map_err(|_| invalid("directory.id", directory_id))?,
        }))
    }
}

/// Content of `.kafka_cleanshutdown`.
pub(super) fn encode_clean_shutdown(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The broker epoch in `.kafka_cleanshutdown`. `None`: no marker. `Some(None)`: a marker without an epoch, as Kafka wrote it before 3.7.
pub(super) fn read_clean_shutdown(disk: &dyn Disk, path: &Path) -> Result<Option<Option<i64>>, LogError> {
    match disk.read(path, MAX_SMALL_BYTES) {
        Ok(text) => {
            let content: Option<serde_json::Value> = serde_json::from_slice(&text).ok();
            Ok(Some(content.and_then(|content| content.get("brokerEpoch")?.as_i64())))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(LogError::io(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SimDisk;
    use proptest::prelude::*;

    #[test]
    fn offsets_are_written_as_kafka_writes_them() {
        let offsets = Offsets::from([(TopicPartition::new("a", 1), 5), (TopicPartition::new("a.b_c-d", 0), 0)]);
        let text = encode_offsets(&offsets);
        assert_eq!(text, "0\n2\na 1 5\na.b_c-d 0 0\n");
        assert_eq!(decode_offsets(text.as_bytes()), Ok(offsets));
    }

    #[test]
    fn properties_survive_and_damage_is_named() {
        let disk = SimDisk::new();
        let path = Path::new("/meta.properties");
        assert_eq!(MetaProperties::read(&disk, path), Ok(None));
        let properties = MetaProperties { cluster_id: "c".into(), node_id: 3, directory_id: Id([7; 16]) };
        disk.write_atomically(path, properties.encode().as_bytes()).unwrap();
        assert_eq!(MetaProperties::read(&disk, path), Ok(Some(properties)));
        disk.write_atomically(path, b"# by hand\nversion=0\nbroker.id=3\n").unwrap();
        assert!(MetaProperties::read(&disk, path).is_err());
    }

    #[test]
    fn small_files_as_kafka_writes_them() {
        let mut id = [0; 16];
        (id[7], id[15]) = (1, 2);
        assert_eq!(encode_partition_metadata(Id(id)), "version: 0\ntopic_id: AAAAAAAAAAEAAAAAAAAAAg");
        assert_eq!(encode_clean_shutdown(12), r#"{"version":0,"brokerEpoch":12}"#);
    }

    #[test]
    fn clean_shutdown_marker() {
        let disk = SimDisk::new();
        let path = Path::new("/.kafka_cleanshutdown");
        assert_eq!(read_clean_shutdown(&disk, path), Ok(None));
        disk.write_atomically(path, encode_clean_shutdown(12).as_bytes()).unwrap();
        assert_eq!(read_clean_shutdown(&disk, path), Ok(Some(Some(12))));
        disk.write_atomically(path, b"").unwrap();
        assert_eq!(read_clean_shutdown(&disk, path), Ok(Some(None)));
    }

    proptest! {
        #[test]
        fn hostile_checkpoints_do_not_panic(text: Vec<u8>, lines in "[0-9 a\n-]{0,40}") {
            let _ = decode_offsets(&text);
            let _ = decode_offsets(format!("0\n1\n{lines}").as_bytes());
        }
    }
}
