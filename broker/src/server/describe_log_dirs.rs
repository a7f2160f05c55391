//! DescribeLogDirs, versions 1 to 5: each log directory, the room on its disk, and what lies in it (KIP-113, KIP-827).
//!
//! Source: `kafka.server.KafkaApis.handleDescribeLogDirsRequest`, `kafka.server.ReplicaManager.describeLogDirs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::broker::Broker;
use super::context::{Handled, RequestContext};
use super::endpoints::text;
use crate::log::{Log, LogDir};
use crate::protocol::messages::{
    DescribeLogDirsPartition, DescribeLogDirsRequestData, DescribeLogDirsResponseData, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use crate::protocol::{ErrorCode, Response};
use crate::types::{Now, TopicIdPartition, TopicPartition};

/// `DescribeLogDirsResponse.INVALID_OFFSET_LAG` and `UNKNOWN_VOLUME_BYTES`.
const UNKNOWN: i64 = -1;

/// What was asked for; `None` is everything.
type Asked<'a> = Option<BTreeSet<(&'a str, i32)>>;

/// Answers a DescribeLogDirs request.
pub fn handle(
    broker: &mut Broker,
    _context: &RequestContext,
    _now: Now,
    request: DescribeLogDirsRequestData,
) -> Handled {
    let asked: Asked<'_> = request.topics.as_ref().map(|topics| {
        let partitions = topics.iter().flat_map(|topic| topic.partitions.iter().map(|p| (topic.topic.as_str(), *p)));
        partitions.collect()
    });
    let dirs = broker.replicas.log_dirs().all();
    let results = dirs.map(|(path, state)| match state {
        Ok(dir) => online(broker, path, dir, &asked),
        Err(_) => DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            log_dir: text(&path.display().to_string()),
            total_bytes: UNKNOWN,
            usable_bytes: UNKNOWN,
            ..Default::default()
        },
    });
    let results = results.collect();
    Handled::Reply(Response::DescribeLogDirs(DescribeLogDirsResponseData { results, ..Default::default() }))
}

fn online(broker: &Broker, path: &Path, dir: &LogDir, asked: &Asked<'_>) -> DescribeLogDirsResult {
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let all = dir.logs().map(|log| (log, false)).chain(dir.futures().map(|log| (log, true)));
    for (log, is_future_key) in all {
        let TopicPartition { topic, partition } = log.topic_partition();
        if asked.as_ref().is_some_and(|asked| !asked.contains(&(&**topic, *partition))) {
            continue;
        }
        topics.entry(topic).or_default().push(DescribeLogDirsPartition {
            partition_index: *partition,
            partition_size: signed(log.size_bytes()),
            offset_lag: lag(broker, log, is_future_key),
            is_future_key,
            ..Default::default()
        });
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| DescribeLogDirsTopic { name: text(name), partitions, ..Default::default() })
        .collect();
    let space = broker.replicas.log_dirs().space(path).ok();
    DescribeLogDirsResult {
        error_code: ErrorCode::None.code(),
        log_dir: text(&path.display().to_string()),
        topics,
        total_bytes: space.map_or(UNKNOWN, |space| signed(space.total_bytes)),
        usable_bytes: space.map_or(UNKNOWN, |space| signed(space.usable_bytes)),
        ..Default::default()
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// How far a copy is behind its original, or a replica behind the high watermark that it knows.
fn lag(broker: &Broker, log: &Log, is_future: bool) -> i64 {
    let name = log.topic_partition();
    let Some(topic) = broker.image.topic(&name.topic) else { return UNKNOWN };
    let id = TopicIdPartition { topic_id: topic.id, partition: name.partition };
    let (Some(partition), Some(current)) = (broker.replicas.partition(&id), broker.replicas.log(&id)) else {
        return UNKNOWN;
    };
    match is_future {
        true => current.log_end_offset() - log.log_end_offset(),
        false => (partition.high_watermark() - log.log_end_offset()).max(0),
    }
}
