//! Where a broker's replicas lie, and the room on its disks. KIP-113 (directories), KIP-827 (volumes).

use std::sync::Arc;

use broker::protocol::ErrorCode;
use broker::protocol::messages::{DescribeLogDirsRequestData, DescribeLogDirsResult};

use super::cluster::{Client, To};
use super::error::ClientError;
use crate::monitor::inquiry::{LogDir, StoredReplica};

/// The log directories of a broker, by path.
pub fn log_dirs(client: &mut Client, broker: i32) -> Result<Vec<LogDir>, ClientError> {
    client.persist(|client, until| {
        // Without a list, all topics are told.
        let all = |_| DescribeLogDirsRequestData::default().with_topics(None);
        let answer = client.call(To::Broker(broker), until, all)?;
        ClientError::check(answer.error_code, None)?;
        let mut dirs: Vec<LogDir> = answer.results.into_iter().map(dir).collect();
        dirs.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(dirs)
    })
}

fn dir(told: DescribeLogDirsResult) -> LogDir {
    let error = ErrorCode::from(told.error_code);
    let bytes = |value: i64| u64::try_from(value).ok();
    let mut replicas = Vec::new();
    for topic in &told.topics {
        let name: Arc<str> = topic.name.as_str().into();
        replicas.extend(topic.partitions.iter().map(|partition| StoredReplica {
            topic: Arc::clone(&name),
            partition: partition.partition_index,
            size_bytes: bytes(partition.partition_size).unwrap_or(0),
            lag: (partition.offset_lag >= 0).then_some(partition.offset_lag),
            is_future: partition.is_future_key,
        }));
    }
    replicas.sort_by(|one, other| {
        other
            .size_bytes
            .cmp(&one.size_bytes)
            .then_with(|| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)))
    });
    LogDir {
        path: told.log_dir.as_str().to_owned(),
        error: (error != ErrorCode::None).then(|| format!("{error:?}")),
        total_bytes: bytes(told.total_bytes),
        usable_bytes: bytes(told.usable_bytes),
        replicas,
    }
}
