//! Logs for the fixtures: what nodes might have said, with the levels of their loggers.

use std::sync::Arc;

use broker::logging::{Level, LogLine, Logger, NodeLog};

use super::fixture::{AT_MS, KILLED_MS};
use crate::monitor::logs::delivery::DeliveryStatus;
use crate::monitor::logs::levels::{self, KnownLog, KnownLogs};
use crate::monitor::logs::ring::{LogLines, Ring};
use crate::monitor::logs::{LogsStatus, LogsView};

/// With broker 2 killed, and broker 1 asked to tell its requests; or well.
pub(super) fn view(broken: bool) -> LogsView {
    let folder = "/srv/kafka-logs";
    let delivery = DeliveryStatus {
        folder: Some(folder.into()),
        objects: 9,
        lines: 1_204,
        last_object: Some(format!(
            "AWSLogs/000000000000/KafkaBrokerLogs/local/brokerscope-32453738-4541-3537-3035-324434333642/{}",
            "2026-09-21-14/Broker-3_14-10_5f3a91c2.log.gz"
        )),
        last_at_ms: Some(AT_MS - 160_000),
        next_at_ms: Some(AT_MS + 140_000),
        ..DeliveryStatus::default()
    };
    let status =
        LogsStatus { dir: "/home/me/.local/share/brokerscope/cluster/logs".into(), delivery, ..LogsStatus::default() };
    LogsView { lines: lines(broken), levels: Arc::new(level_table(broken)), status: Arc::new(status) }
}

fn level_table(broken: bool) -> levels::LevelTable {
    let (taker, _lines) = crossbeam_channel::bounded(1);
    let known: KnownLogs = [1, 2, 3, 3000, 3001, 3002]
        .map(|id| {
            let log = NodeLog::new(id, taker.clone(), || 0);
            (id, KnownLog { log, is_up: !(broken && id == 2) })
        })
        .into();
    if broken {
        let first = known[&1].log.levels();
        // Only the root cannot be without a level.
        let _ = first.map(|levels| levels.set(Logger::RequestLogger, Some(Level::Debug)));
    }
    levels::read(&known)
}

fn lines(broken: bool) -> LogLines {
    let mut ring = Ring::default();
    let mut say = |at_ms: i64, node_id: i32, level: Level, logger: Logger, message: String| {
        ring.push(LogLine { node_id, at_ms, level, logger, message: message.into(), lost_before: 0 });
    };
    let began = AT_MS - 14 * 60_000;
    let (info, warn, error, debug) = (Level::Info, Level::Warn, Level::Error, Level::Debug);
    let leader = "[RaftManager id=3001] Leader of epoch 4 with votes of 3000, 3001";
    say(began, 3001, info, Logger::QuorumState, leader.into());
    say(began + 2, 3001, info, Logger::QuorumController, "[QuorumController id=3001] Active in epoch 4".into());
    for id in 1..=3 {
        let at = began + 120 * i64::from(id);
        let registered = format!("[BrokerLifecycleManager id={id}] Registered under epoch {}", 9 + id * 4);
        say(at, id, info, Logger::BrokerLifecycle, registered);
        let unfenced = format!("[QuorumController id=3001] Broker {id} of epoch {} is unfenced", 9 + id * 4);
        say(at + 60, 3001, info, Logger::ClusterControl, unfenced);
        say(at + 70, id, info, Logger::BrokerServer, format!("[BrokerServer id={id}] Takes part"));
    }
    for partition in 0..24 {
        let (leader, at) = (partition % 3 + 1, began + 9_000 + i64::from(partition));
        let said = format!("[Broker id={leader}] Leads clicks-{partition} in epoch 3 with ISR 1, 2, 3, from offset 0");
        say(at, leader, info, Logger::StateChange, said);
    }
    if !broken {
        return ring.lines();
    }
    let shrunk =
        "[Partition clicks-4 broker=1] ISR goes from 1,2,3 to 1,2: 3 was 3,104 ms behind; high watermark 391,666";
    say(AT_MS - 520_000, 1, info, Logger::Partition, shrunk.into());
    let changed = "The level of kafka.request.logger is DEBUG now.";
    say(KILLED_MS - 4_000, 1, warn, Logger::RuntimeLoggerManager, changed.into());
    for number in 0..40_i64 {
        let at = KILLED_MS - 3_900 + number * 90;
        let said = format!(
            "Completed request: {{\"api\":\"Produce\",\"version\":12,\"client\":\"orders-{}\",\"totalMs\":{}.{}}}",
            number % 3,
            1 + number % 4,
            number % 10
        );
        say(at, 1, debug, Logger::RequestLogger, said);
    }
    for (follower, at) in [(1, 3), (3, 5)] {
        let said = format!(
            "[ReplicaFetcher replicaId={follower}, leaderId=2] The connection to broker 2 ended; tried again in 100 ms"
        );
        say(KILLED_MS + at, follower, warn, Logger::ReplicaFetcher, said);
    }
    let fenced = KILLED_MS + 1_512;
    let said = "[QuorumController id=3001] Broker 2 of epoch 17 is fenced: no heartbeat for 1,512 ms";
    say(fenced, 3001, info, Logger::ClusterControl, said.into());
    for partition in (1..24).step_by(3) {
        let said =
            format!("[QuorumController id=3001] clicks-{partition} is led by 3 in epoch 5, before by 2; ISR 1, 3");
        say(fenced + 3, 3001, info, Logger::ReplicationControl, said);
        let said = format!("[Broker id=3] Leads clicks-{partition} in epoch 5 with ISR 1, 3, from offset 391,204");
        say(fenced + 9, 3, info, Logger::StateChange, said);
    }
    let said = "[QuorumController id=3001] audit-1 has no leader: 2 held its only replica";
    say(fenced + 30, 3001, warn, Logger::ReplicationControl, said.into());
    let said = "[GroupCoordinator id=3 topic=__consumer_offsets partition=17] [GroupId demo-readers] Group demo-readers prepares to rebalance in generation 7: its members come from broker 2";
    say(fenced + 400, 3, info, Logger::GroupMetadata, said.into());
    let said = "[GroupCoordinator id=3 topic=__consumer_offsets partition=17] [GroupId demo-readers] Group demo-readers is stable in generation 8 with 2 members";
    say(fenced + 3_100, 3, info, Logger::GroupMetadata, said.into());
    let said = "[Partition clicks-11 broker=1] ISR goes from 1,3 to 1: 3 was 3,412 ms behind; high watermark 391,204";
    say(AT_MS - 41_000, 1, info, Logger::Partition, said.into());
    let said =
        "A request of 1,347,375,956 bytes was announced by 127.0.0.1:51234, which is closed: a TLS or HTTP client?";
    say(AT_MS - 12_000, 1, warn, Logger::Processor, said.into());
    let said = "[KafkaApi-3] Metadata of version 13 for client reporter-1 failed: the disk /data/3/disk-1 gave EIO at offset 81,204";
    say(AT_MS - 6_000, 3, error, Logger::KafkaApis, said.into());
    let said = "[GroupCoordinator id=1 topic=__consumer_offsets partition=41] [GroupId fraud-check] Group fraud-check prepares to rebalance in generation 9: member fraud-check-2 joined";
    say(AT_MS - 2_300, 1, info, Logger::GroupMetadata, said.into());
    ring.lines()
}

/// As many lines as are kept, and more.
pub(super) fn flood() -> LogLines {
    let mut ring = Ring::default();
    for number in 0..60_000_i64 {
        let (node_id, logger) = (1 + (number % 3) as i32, Logger::ALL[number as usize % Logger::ALL.len()]);
        let level = if number % 100 == 0 { Level::Warn } else { Level::Debug };
        let message =
            format!("[KafkaApi-{node_id}] line {number} of many, with a client app-{} and {number} bytes", number % 17);
        let at_ms = AT_MS - 60_000 + number;
        ring.push(LogLine { node_id, at_ms, level, logger, message: message.into(), lost_before: 0 });
    }
    ring.lines()
}
