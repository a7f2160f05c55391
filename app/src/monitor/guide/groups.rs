//! Consumer groups: who reads what, lag, and rebalances.

use std::collections::BTreeMap;

use super::eyes::{change, count, group, lag, reader, start};
use super::{Scenario, Seen, Step, Watch};
use crate::monitor::command::Command;
use crate::monitor::snapshot::Snapshot;
use crate::monitor::workload::WorkloadSpec;

const SIZES_TOPIC: &str = "guide-sizes";
const SIZES_GROUP: &str = "guide-sizes-readers";

fn spec(topic: &str, group: &str, partitions: i32, rate_per_s: u64, consumers: u32) -> WorkloadSpec {
    let (topic, group) = (topic.into(), group.into());
    WorkloadSpec { topic, group, partitions, rate_per_s, consumers, ..WorkloadSpec::default() }
}

/// Partitions of each member, most first.
fn shares(snapshot: &Snapshot, id: &str) -> Vec<usize> {
    let Some(group) = group(snapshot, id).filter(|group| group.state == "Stable") else { return Vec::new() };
    let mut shares: Vec<usize> = group.members.iter().map(|member| member.assignment.len()).collect();
    shares.sort_unstable_by(|a, b| b.cmp(a));
    shares
}

fn assigned(snapshot: &Snapshot, expected: &[usize], more: &str) -> Seen {
    let shares = shares(snapshot, SIZES_GROUP);
    let mut by_share: BTreeMap<usize, usize> = BTreeMap::new();
    shares.iter().for_each(|share| *by_share.entry(*share).or_default() += 1);
    let told: Vec<String> =
        by_share.iter().rev().map(|(share, members)| format!("{members} with {share} of 4 partitions")).collect();
    let words =
        if told.is_empty() { "The group rebalances.".into() } else { format!("Members: {}.{more}", told.join(", ")) };
    Seen::when(shares == expected, words)
}

/// Sizes of a group.
pub static SIZES: Scenario = Scenario {
    title: "Consumer group sizes",
    what: "A partition is read by one member of a group: more members than partitions have nothing to read.",
    steps: &[
        Step {
            title: "One consumer for four partitions",
            why: "It is assigned all of them.",
            watch: Watch::Group(SIZES_GROUP),
            act: |_, _| start(spec(SIZES_TOPIC, SIZES_GROUP, 4, 200, 1)),
            see: |_, now| assigned(now, &[4], ""),
        },
        Step {
            title: "Two consumers",
            why: "The second joins; the group rebalances, and each has two partitions.",
            watch: Watch::Group(SIZES_GROUP),
            act: |_, now| change(&reader(now, SIZES_GROUP), "consumers", 2),
            see: |_, now| assigned(now, &[2, 2], ""),
        },
        Step {
            title: "Four consumers",
            why: "One partition each: the group is as parallel as the topic allows.",
            watch: Watch::Group(SIZES_GROUP),
            act: |_, now| change(&reader(now, SIZES_GROUP), "consumers", 4),
            see: |_, now| assigned(now, &[1, 1, 1, 1], ""),
        },
        Step {
            title: "Five consumers",
            why: "There is no fifth partition.",
            watch: Watch::Group(SIZES_GROUP),
            act: |_, now| change(&reader(now, SIZES_GROUP), "consumers", 5),
            see: |_, now| assigned(now, &[1, 1, 1, 1, 0], " The fifth waits for another to go."),
        },
    ],
};

const LAG_TOPIC: &str = "guide-lag";
const LAG_GROUP: &str = "guide-lag-readers";

/// Lag and recovery.
pub static LAG: Scenario = Scenario {
    title: "Lag, and recovery",
    what: "Lag is what a group has yet to read; the log is the buffer, and more consumers empty it.",
    steps: &[
        Step {
            title: "A consumer that is too slow",
            why: "500 records a second come in; the one consumer takes 5 ms for each, which is 200 a second.",
            watch: Watch::Group(LAG_GROUP),
            act: |_, _| start(WorkloadSpec { processing_us: 5_000, ..spec(LAG_TOPIC, LAG_GROUP, 6, 500, 1) }),
            see: |_, now| {
                let lag = lag(now, LAG_GROUP);
                Seen::when(lag >= 2_000, format!("It is {} records behind.", count(lag)))
            },
        },
        Step {
            title: "Five more consumers",
            why: "Six consumers read up to 1,200 a second: more than comes in, so lag falls.",
            watch: Watch::Group(LAG_GROUP),
            act: |_, now| change(&reader(now, LAG_GROUP), "consumers", 6),
            see: |facts, now| {
                let (before, lag) = (lag(facts.before(), LAG_GROUP), lag(now, LAG_GROUP));
                let members = group(now, LAG_GROUP).map_or(0, |group| group.members.len());
                let words = format!("{members} members; lag was {} and is {}.", count(before), count(lag));
                Seen::when(members == 6 && lag < 1_200, words)
            },
        },
    ],
};

const STORM_TOPIC: &str = "guide-rebalances";
const STORM_GROUP: &str = "guide-rebalances-readers";

fn generation(snapshot: &Snapshot) -> (i32, usize, bool) {
    group(snapshot, STORM_GROUP)
        .map_or((0, 0, false), |group| (group.generation, group.members.len(), group.state == "Stable"))
}

/// Rebalance storms.
pub static REBALANCES: Scenario = Scenario {
    title: "Rebalance storms",
    what: "Whoever comes or goes has the whole group rebalance; a crash is noticed only when its session times out.",
    steps: &[
        Step {
            title: "Three consumers",
            why: "A group that settles: its generation stays.",
            watch: Watch::Group(STORM_GROUP),
            act: |_, _| start(spec(STORM_TOPIC, STORM_GROUP, 6, 200, 3)),
            see: |_, now| {
                let (generation, members, is_stable) = generation(now);
                Seen::when(is_stable && members == 3, format!("Generation {generation} with {members} members."))
            },
        },
        Step {
            title: "One crashes",
            why: "It does not say goodbye. Its partitions are read by nobody until its session of 6 s has timed out; then the two others share them.",
            watch: Watch::Group(STORM_GROUP),
            act: |_, now| vec![Command::CrashConsumer { id: reader(now, STORM_GROUP).id, consumer: Some(1) }],
            see: |facts, now| {
                let (before, ..) = generation(facts.before());
                let (generation, members, is_stable) = generation(now);
                let passed_s = (now.at_ms - facts.before().at_ms) / 1000;
                let words = format!("{members} members in generation {generation}, {passed_s} s after the crash.");
                Seen::when(is_stable && members == 2 && generation > before, words)
            },
        },
        Step {
            title: "It comes back",
            why: "A new member: all stop reading for a moment, again.",
            watch: Watch::Group(STORM_GROUP),
            act: |_, now| vec![Command::ReviveConsumer { id: reader(now, STORM_GROUP).id, consumer: None }],
            see: |facts, now| {
                let (before, ..) = generation(facts.before());
                let (generation, members, is_stable) = generation(now);
                let words = format!("{members} members in generation {generation}.");
                Seen::when(is_stable && members == 3 && generation > before, words)
            },
        },
        Step {
            title: "A storm: six more at once",
            why: "Members that come one after the other may cost a generation each. Look at the group's rebalances, one by one.",
            watch: Watch::Group(STORM_GROUP),
            act: |_, now| change(&reader(now, STORM_GROUP), "consumers", 9),
            see: |facts, now| {
                let (first, ..) = generation(facts.mark(1));
                let (generation, members, is_stable) = generation(now);
                let words =
                    format!("{members} members; {} rebalances since the group had settled.", generation - first);
                Seen::when(is_stable && members == 9, words)
            },
        },
    ],
};
