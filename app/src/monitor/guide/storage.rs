//! What becomes of logs on disk: compaction, and a disk that is full.

use super::eyes::{
    change, committed, count, counted, fault, first, is_in_sync, is_up, lag, reader, readers, start, writer, writers,
};
use super::{Scenario, Seen, Step, Watch};
use crate::monitor::command::{Command, FaultKind};
use crate::monitor::snapshot::Snapshot;
use crate::monitor::workload::WorkloadSpec;

const COMPACT_TOPIC: &str = "guide-compaction";
const COMPACT_GROUP: &str = "guide-compaction-readers";

/// Compaction.
pub static COMPACTION: Scenario = Scenario {
    title: "Compaction",
    what: "A compacted topic keeps the newest record of each key: offsets stay, older records go.",
    steps: &[
        Step {
            title: "A compacted topic",
            why: "cleanup.policy=compact. Segments are closed after 2 s, since the one that is written is never cleaned.",
            watch: Watch::Topic(COMPACT_TOPIC),
            act: |_, _| {
                let configs =
                    [("cleanup.policy", "compact"), ("segment.ms", "2000"), ("min.cleanable.dirty.ratio", "0.01")];
                vec![Command::CreateTopic {
                    name: COMPACT_TOPIC.into(),
                    partitions: 1,
                    replication_factor: 3,
                    configs: configs.map(|(name, value)| (name.into(), value.into())).to_vec(),
                }]
            },
            see: |_, now| Seen::when(is_in_sync(now, COMPACT_TOPIC), "The topic is being made.".into()),
        },
        Step {
            title: "Write ten keys again and again",
            why: "500 records a second; each key's newest record makes the older ones worthless.",
            watch: Watch::Topic(COMPACT_TOPIC),
            act: |_, _| start(WorkloadSpec { keys: 10, ..writers(COMPACT_TOPIC, 1, 500) }),
            see: |_, now| {
                let end = committed(now, COMPACT_TOPIC);
                let words = format!("{} records of ten keys, {} bytes.", count(end), counted(bytes(now)));
                Seen::when(end >= 5_000, words)
            },
        },
        Step {
            title: "Stop writing, and let the cleaner work",
            why: "It looks for something to clean every 15 s. The log's end stays; what lies behind it shrinks.",
            watch: Watch::Topic(COMPACT_TOPIC),
            act: |_, now| change(&writer(now, COMPACT_TOPIC), "paused", true),
            see: |facts, now| {
                let (before, after) = (bytes(facts.before()), bytes(now));
                let words = format!(
                    "{} bytes, which were {}; the log still ends at offset {}.",
                    counted(after),
                    counted(before),
                    count(committed(now, COMPACT_TOPIC))
                );
                Seen::when(after > 0 && after < before / 2, words)
            },
        },
        Step {
            title: "Read it from the beginning",
            why: "A reader gets what is left: the newest record of each key, and what the segment that is still open holds.",
            watch: Watch::Group(COMPACT_GROUP),
            act: |_, _| start(readers(COMPACT_TOPIC, COMPACT_GROUP, 1)),
            see: |_, now| {
                let (read, end) = (reader(now, COMPACT_GROUP).read as i64, committed(now, COMPACT_TOPIC));
                let is_done = super::eyes::group(now, COMPACT_GROUP).is_some_and(|group| !group.offsets.is_empty());
                let words = format!("{} records were read on the way to offset {}.", count(read), count(end));
                Seen::when(is_done && lag(now, COMPACT_GROUP) == 0 && read > 0 && read < end / 2, words)
            },
        },
    ],
};

fn bytes(now: &Snapshot) -> u64 {
    first(now, COMPACT_TOPIC).size_bytes
}

const FULL_TOPIC: &str = "guide-disk-full";

/// A full disk.
pub static DISK_FULL: Scenario = Scenario {
    title: "A disk is full",
    what: "A broker that cannot write gives up its log directory, and with its last one itself: others lead what it led.",
    steps: &[
        Step {
            title: "Write to three replicas",
            why: "300 records a second, acks=all.",
            watch: Watch::Topic(FULL_TOPIC),
            act: |_, _| start(writers(FULL_TOPIC, 3, 300)),
            see: |_, now| {
                let (acked, leader) = (writer(now, FULL_TOPIC).acked, first(now, FULL_TOPIC).leader);
                let words = format!("{} acknowledged; broker {leader} leads partition 0.", counted(acked));
                Seen::when(acked >= 500 && is_in_sync(now, FULL_TOPIC), words)
            },
        },
        Step {
            title: "Fill the disk of partition 0's leader",
            why: "Each write fails with ENOSPC. Its log directory goes offline; it was the only one, so the broker stops.",
            watch: Watch::Cluster,
            act: |_, now| fault(FaultKind::DiskFull, first(now, FULL_TOPIC).leader),
            see: |facts, now| {
                let old = first(facts.before(), FULL_TOPIC).leader;
                let after = first(now, FULL_TOPIC);
                let is_hit =
                    now.brokers.iter().any(|one| one.id == old && (!is_up(one) || !one.offline_log_dirs.is_empty()));
                let more = writer(now, FULL_TOPIC).acked - writer(facts.before(), FULL_TOPIC).acked;
                let words = format!(
                    "Broker {old} is out: {is_hit}. Broker {} leads partition 0; {} more records were acknowledged.",
                    after.leader,
                    counted(more)
                );
                Seen::when(is_hit && after.leader > 0 && after.leader != old && more >= 900, words)
            },
        },
        Step {
            title: "Make room, and start it again",
            why: "It fetches what it missed. A directory that failed is taken in again by the next start, as with Kafka.",
            watch: Watch::Topic(FULL_TOPIC),
            act: |facts, now| {
                let old = first(facts.mark(1), FULL_TOPIC).leader;
                let mut commands = vec![Command::HealAllFaults];
                let is_down = now.brokers.iter().any(|broker| broker.id == old && !is_up(broker));
                if is_down {
                    commands.push(Command::StartNode(old));
                }
                commands
            },
            see: |_, now| {
                let up = now.brokers.iter().filter(|broker| is_up(broker)).count();
                let words = format!(
                    "{up} of {} brokers are up; all replicas in sync: {}.",
                    now.brokers.len(),
                    is_in_sync(now, FULL_TOPIC)
                );
                Seen::when(up == now.brokers.len() && is_in_sync(now, FULL_TOPIC), words)
            },
        },
    ],
};
