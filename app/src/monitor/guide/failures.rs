//! What a cluster survives: a broker, two of three, a zone.

use super::eyes::{counted, fault, first, is_in_sync, is_up, start, topic, writer, writers};
use super::{Facts, Scenario, Seen, Step, Watch};
use crate::monitor::command::{Command, FaultKind, FaultRequest};
use crate::monitor::operation::{Election, Operation};
use crate::monitor::snapshot::Snapshot;

const FAIL_TOPIC: &str = "guide-failover";

/// A step that heals all faults, until a topic's replicas are in sync.
const fn heal(watch: &'static str, see: fn(&Facts, &Snapshot) -> Seen) -> Step {
    Step {
        title: "Heal",
        why: "What was broken starts again. It fetches what it missed from the leaders, and joins the in-sync replicas when it has caught up.",
        watch: Watch::Topic(watch),
        act: |_, _| vec![Command::HealAllFaults],
        see,
    }
}

/// Failover.
pub static FAILOVER: Scenario = Scenario {
    title: "Failover",
    what: "The leader of a partition dies: another in-sync replica leads, and nothing that was acknowledged is lost.",
    steps: &[
        Step {
            title: "Write to three replicas",
            why: "500 records a second, acks=all: each is on all in-sync replicas before it is acknowledged.",
            watch: Watch::Topic(FAIL_TOPIC),
            act: |_, _| start(writers(FAIL_TOPIC, 3, 500)),
            see: |_, now| {
                let (acked, leader) = (writer(now, FAIL_TOPIC).acked, first(now, FAIL_TOPIC).leader);
                let words = format!("{} acknowledged; broker {leader} leads partition 0.", counted(acked));
                Seen::when(acked >= 500 && is_in_sync(now, FAIL_TOPIC), words)
            },
        },
        Step {
            title: "Kill the leader of partition 0",
            why: "SIGKILL: it announces nothing. The controller misses its heartbeats, fences it, and elects another in-sync replica in a new leader epoch.",
            watch: Watch::Cluster,
            act: |_, now| fault(FaultKind::Kill, first(now, FAIL_TOPIC).leader),
            see: |facts, now| {
                let (before, after) = (first(facts.before(), FAIL_TOPIC), first(now, FAIL_TOPIC));
                let (old, new) = (writer(facts.before(), FAIL_TOPIC).acked, writer(now, FAIL_TOPIC).acked);
                let words = format!(
                    "Broker {} leads partition 0 in epoch {} (it was broker {} in epoch {}); {} more records were acknowledged.",
                    after.leader,
                    after.leader_epoch,
                    before.leader,
                    before.leader_epoch,
                    counted(new - old)
                );
                let is_elected =
                    after.leader > 0 && after.leader != before.leader && after.leader_epoch > before.leader_epoch;
                // More than could have been on their way.
                Seen::when(is_elected && new > old + 1_500, words)
            },
        },
        heal(FAIL_TOPIC, |_, now| {
            let writer = writer(now, FAIL_TOPIC);
            let ends =
                topic(now, FAIL_TOPIC).map_or(0, |topic| topic.partitions.iter().map(|one| one.high_watermark).sum());
            let words = format!(
                "All replicas are in sync: {}. {} records were acknowledged, {} are there; {} were refused.",
                is_in_sync(now, FAIL_TOPIC),
                counted(writer.acked),
                super::eyes::count(ends),
                counted(writer.failed)
            );
            Seen::when(is_in_sync(now, FAIL_TOPIC) && now.faults.is_empty(), words)
        }),
        Step {
            title: "Elect the preferred leaders",
            why: "The first replica of each partition leads it again, so that work is spread as it was.",
            watch: Watch::Topic(FAIL_TOPIC),
            act: |_, now| {
                let count = topic(now, FAIL_TOPIC).map_or(0, |topic| topic.partitions.len() as i32);
                let partitions = (0..count).map(|partition| (FAIL_TOPIC.into(), partition)).collect();
                vec![Command::Operate(Operation::ElectLeaders { election: Election::Preferred, partitions })]
            },
            see: |_, now| {
                let partitions = topic(now, FAIL_TOPIC).map_or(&[][..], |topic| &topic.partitions);
                let own = partitions.iter().filter(|one| one.replicas.first() == Some(&one.leader)).count();
                let words = format!("{own} of {} partitions are led by their first replica.", partitions.len());
                Seen::when(own > 0 && own == partitions.len(), words)
            },
        },
    ],
};

const MIN_TOPIC: &str = "guide-min-isr";

fn is_stalled(now: &Snapshot) -> bool {
    writer(now, MIN_TOPIC).points.back().is_some_and(|point| point.acked_per_s == 0.0)
}

/// `min.insync.replicas`.
pub static MIN_ISR: Scenario = Scenario {
    title: "min.insync.replicas",
    what: "With acks=all and min.insync.replicas=2 one broker may fail; when two have, writes wait instead of being lost.",
    steps: &[
        Step {
            title: "A topic that wants two in-sync replicas",
            why: "Three replicas, min.insync.replicas=2.",
            watch: Watch::Topic(MIN_TOPIC),
            act: |_, _| {
                vec![Command::CreateTopic {
                    name: MIN_TOPIC.into(),
                    partitions: 1,
                    replication_factor: 3,
                    configs: vec![("min.insync.replicas".into(), "2".into())],
                }]
            },
            see: |_, now| {
                let least = topic(now, MIN_TOPIC).map_or(0, |topic| topic.min_insync_replicas);
                let isr = first(now, MIN_TOPIC).isr.len();
                Seen::when(least == 2 && isr == 3, format!("{isr} in-sync replicas; at least {least} are wanted."))
            },
        },
        Step {
            title: "Write with acks=all",
            why: "300 records a second.",
            watch: Watch::Workloads,
            act: |_, _| start(writers(MIN_TOPIC, 1, 300)),
            see: |_, now| {
                let acked = writer(now, MIN_TOPIC).acked;
                Seen::when(acked >= 500, format!("{} acknowledged.", counted(acked)))
            },
        },
        Step {
            title: "Kill one follower",
            why: "It leaves the in-sync replicas; two are left, and that is enough.",
            watch: Watch::Topic(MIN_TOPIC),
            act: |_, now| kill_follower(now),
            see: |facts, now| {
                let isr = first(now, MIN_TOPIC).isr.len();
                let more = writer(now, MIN_TOPIC).acked - writer(facts.before(), MIN_TOPIC).acked;
                let words = format!("{isr} in-sync replicas; {} more records were acknowledged.", counted(more));
                Seen::when(isr == 2 && more >= 1_200, words)
            },
        },
        Step {
            title: "Kill the other follower",
            why: "One is left: the leader refuses each write (NOT_ENOUGH_REPLICAS), and the producer tries again and again.",
            watch: Watch::Workloads,
            act: |_, now| kill_follower(now),
            see: |_, now| {
                let isr = first(now, MIN_TOPIC).isr.len();
                let words = format!("{isr} in-sync replica; nothing is acknowledged: {}.", is_stalled(now));
                Seen::when(isr == 1 && is_stalled(now), words)
            },
        },
        heal(MIN_TOPIC, |facts, now| {
            let writer = writer(now, MIN_TOPIC);
            let more = writer.acked - super::eyes::writer(facts.before(), MIN_TOPIC).acked;
            let words = format!(
                "{} in-sync replicas. Writes go on: {} acknowledged since, {} refused for good.",
                first(now, MIN_TOPIC).isr.len(),
                counted(more),
                counted(writer.failed)
            );
            Seen::when(is_in_sync(now, MIN_TOPIC) && more >= 300, words)
        }),
    ],
};

fn kill_follower(now: &Snapshot) -> Vec<Command> {
    let partition = first(now, MIN_TOPIC);
    let mut followers = partition.isr.iter().filter(|id| **id != partition.leader);
    followers.next().map_or_else(Vec::new, |id| fault(FaultKind::Kill, *id))
}

const ZONE_TOPIC: &str = "guide-zone";

fn zone_of_leader(now: &Snapshot) -> Option<String> {
    let leader = first(now, ZONE_TOPIC).leader;
    now.brokers.iter().find(|broker| broker.id == leader)?.rack.clone()
}

/// A zone outage.
pub static ZONE: Scenario = Scenario {
    title: "Zone outage",
    what: "Replicas are spread over zones: a whole zone may go, and topics are still written and read.",
    steps: &[
        Step {
            title: "Write to six partitions",
            why: "Each has a replica in each zone.",
            watch: Watch::Topic(ZONE_TOPIC),
            act: |_, _| start(writers(ZONE_TOPIC, 6, 600)),
            see: |_, now| {
                let acked = writer(now, ZONE_TOPIC).acked;
                let zone = zone_of_leader(now).unwrap_or_default();
                let words = format!("{} acknowledged; partition 0 is led from zone {zone}.", counted(acked));
                Seen::when(acked >= 600 && is_in_sync(now, ZONE_TOPIC) && !zone.is_empty(), words)
            },
        },
        Step {
            title: "The zone of partition 0's leader goes dark",
            why: "All its brokers are killed at once. Leaders are elected in the other zones.",
            watch: Watch::Cluster,
            act: |_, now| {
                let zone = zone_of_leader(now);
                vec![Command::InjectFault(FaultRequest { zone, ..FaultRequest::new(FaultKind::ZoneOutage) })]
            },
            see: |facts, now| {
                let down = now.brokers.iter().filter(|broker| !is_up(broker)).count();
                let led = |id: i32| now.brokers.iter().any(|broker| broker.id == id && is_up(broker));
                let partitions = topic(now, ZONE_TOPIC).map_or(&[][..], |topic| &topic.partitions);
                let alive = partitions.iter().filter(|one| led(one.leader)).count();
                let more = writer(now, ZONE_TOPIC).acked - writer(facts.before(), ZONE_TOPIC).acked;
                let words = format!(
                    "{down} of {} brokers are down; {alive} of {} partitions have a leader; {} more records were acknowledged.",
                    now.brokers.len(),
                    partitions.len(),
                    counted(more)
                );
                Seen::when(down > 0 && alive > 0 && alive == partitions.len() && more >= 1_800, words)
            },
        },
        heal(ZONE_TOPIC, |_, now| {
            let is_whole = is_in_sync(now, ZONE_TOPIC) && now.brokers.iter().all(is_up);
            let words = format!(
                "Brokers up: {} of {}; replicas of the topic in sync: {}.",
                now.brokers.iter().filter(|broker| is_up(broker)).count(),
                now.brokers.len(),
                is_in_sync(now, ZONE_TOPIC)
            );
            Seen::when(is_whole, words)
        }),
    ],
};
