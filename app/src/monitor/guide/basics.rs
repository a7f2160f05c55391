//! What a log is, and what readers do to it: nothing.

use super::eyes::{change, committed, count, counted, first, group, lag, reader, readers, start, writer, writers};
use super::{Scenario, Seen, Step, Watch};
use crate::monitor::command::Command;
use crate::monitor::operation::{OffsetOf, Operation};
use crate::monitor::workload::WorkloadSpec;

const LOG_TOPIC: &str = "guide-log";
const LOG_GROUP: &str = "guide-log-readers";

/// Commit log and replay.
pub static LOG: Scenario = Scenario {
    title: "The commit log, and replay",
    what: "Records stay where they were written: a group that has read them all reads them all again.",
    steps: &[
        Step {
            title: "Write to one partition",
            why: "A producer appends 100 records a second. Each gets the next offset; the high watermark tells up to where they are on all in-sync replicas.",
            watch: Watch::Topic(LOG_TOPIC),
            act: |_, _| start(writers(LOG_TOPIC, 1, 100)),
            see: |_, now| {
                let end = first(now, LOG_TOPIC).high_watermark;
                Seen::when(
                    end >= 300,
                    format!("Partition 0 has {} records: offsets 0 to {}.", count(end), count(end - 1)),
                )
            },
        },
        Step {
            title: "Read it as a group",
            why: "A consumer reads from the beginning and commits where it is. The log's start does not move: reading takes nothing away.",
            watch: Watch::Group(LOG_GROUP),
            act: |_, _| start(readers(LOG_TOPIC, LOG_GROUP, 1)),
            see: |facts, now| {
                let (read, start) = (reader(now, LOG_GROUP).read, first(now, LOG_TOPIC).log_start_offset);
                let wanted = committed(facts.before(), LOG_TOPIC);
                let is_committed = group(now, LOG_GROUP).is_some_and(|group| !group.offsets.is_empty());
                let words =
                    format!("The group has read {} records; the log still begins at offset {start}.", counted(read));
                Seen::when(read as i64 >= wanted && is_committed && lag(now, LOG_GROUP) < 500, words)
            },
        },
        Step {
            title: "Stop the reader",
            why: "Offsets of a group can be set only while nobody is in it. What it committed stays with the cluster.",
            watch: Watch::Group(LOG_GROUP),
            act: |_, now| vec![Command::StopWorkload(reader(now, LOG_GROUP).id)],
            see: |_, now| {
                let group = group(now, LOG_GROUP);
                let members = group.map_or(0, |group| group.members.len());
                let at = group.and_then(|group| group.offsets.first()).map_or(0, |offset| offset.committed_offset);
                let words = format!("{members} members; the group stands at offset {}.", count(at));
                Seen::when(group.is_some() && members == 0 && at > 0, words)
            },
        },
        Step {
            title: "Set the group back to offset 0",
            why: "One request to the group's coordinator. All records are ahead of the group again: that is its lag.",
            watch: Watch::Group(LOG_GROUP),
            act: |_, _| {
                let offsets = vec![OffsetOf { topic: LOG_TOPIC.into(), partition: 0, offset: 0 }];
                vec![Command::Operate(Operation::SetOffsets { group: LOG_GROUP.into(), offsets })]
            },
            see: |facts, now| {
                let at = group(now, LOG_GROUP).and_then(|group| group.offsets.first()).map(|one| one.committed_offset);
                let behind = lag(now, LOG_GROUP);
                let words = format!(
                    "The group stands at offset {} and has a lag of {}.",
                    count(at.unwrap_or(-1)),
                    count(behind)
                );
                Seen::when(at == Some(0) && behind >= committed(facts.before(), LOG_TOPIC), words)
            },
        },
        Step {
            title: "Read again",
            why: "The same records, in the same order: a new version of a program can be fed the whole past.",
            watch: Watch::Group(LOG_GROUP),
            act: |_, _| start(readers(LOG_TOPIC, LOG_GROUP, 1)),
            see: |facts, now| {
                let (read, wanted) = (reader(now, LOG_GROUP).read, committed(facts.before(), LOG_TOPIC));
                let words =
                    format!("It has read {} records from offset 0 on; {} were there.", counted(read), count(wanted));
                Seen::when(wanted > 0 && read as i64 >= wanted, words)
            },
        },
    ],
};

const FAN_TOPIC: &str = "guide-fan-out";
const FAN: [&str; 3] = ["guide-fan-out-billing", "guide-fan-out-search", "guide-fan-out-audit"];

/// Fan-out.
pub static FAN_OUT: Scenario = Scenario {
    title: "Fan-out",
    what: "Any number of groups read the same records, each at its own pace; a slow one keeps nobody waiting.",
    steps: &[
        Step {
            title: "One producer, one group",
            why: "300 records a second, read by one group.",
            watch: Watch::Workloads,
            act: |_, _| {
                let spec =
                    WorkloadSpec { topic: FAN_TOPIC.into(), rate_per_s: 300, consumers: 1, ..WorkloadSpec::default() };
                start(WorkloadSpec { group: FAN[0].into(), ..spec })
            },
            see: |_, now| {
                let (sent, read) = (writer(now, FAN_TOPIC).acked, reader(now, FAN[0]).read);
                Seen::when(read >= 600, format!("{} written, {} read.", counted(sent), counted(read)))
            },
        },
        Step {
            title: "Two more groups",
            why: "They begin at the first record that is kept, and read all that the first group has read. The producer notices nothing.",
            watch: Watch::Workloads,
            act: |_, _| FAN[1..].iter().flat_map(|group| start(readers(FAN_TOPIC, group, 1))).collect(),
            see: |facts, now| {
                let wanted = writer(facts.before(), FAN_TOPIC).acked;
                let read = FAN.map(|group| reader(now, group).read);
                let [one, two, three] = read.map(counted);
                let words = format!("billing has read {one}, search {two}, audit {three} records.");
                Seen::when(read.iter().all(|read| *read >= wanted.max(1)), words)
            },
        },
        Step {
            title: "Slow one down",
            why: "search takes 20 ms for each record now, so it reads 50 a second of 300. Its lag grows; that of the others does not.",
            watch: Watch::Group(FAN[1]),
            act: |_, now| change(&reader(now, FAN[1]), "processing_us", 20_000),
            see: |_, now| {
                let [one, two, three] = FAN.map(|group| lag(now, group));
                let words =
                    format!("Lag of search: {}; of billing: {}, of audit: {}.", count(two), count(one), count(three));
                // They commit once a second.
                Seen::when(two >= 1_500 && one < 900 && three < 900, words)
            },
        },
    ],
};
