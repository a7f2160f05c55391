//! What an acknowledgement is worth.

use super::eyes::{
    change, committed, count, counted, fault, first, is_in_sync, is_up, reader, readers, start, writer, writers,
};
use super::{Facts, Scenario, Seen, Step, Watch};
use crate::monitor::command::{Command, FaultKind};
use crate::monitor::operation::{Election, Operation};
use crate::monitor::snapshot::{Snapshot, WorkloadStatus};
use crate::monitor::workload::WorkloadSpec;

const ONE: &str = "guide-acks-1";
const ALL: &str = "guide-acks-all";

fn acks_1(topic: &str, partitions: i32, rate_per_s: u64) -> WorkloadSpec {
    WorkloadSpec { acks: "1".into(), idempotent: false, ..writers(topic, partitions, rate_per_s) }
}

/// What was acknowledged, and is not there; retries may have written some twice, so that it may be more.
fn lost(now: &Snapshot, topic: &str) -> i64 {
    (writer(now, topic).acked as i64 - committed(now, topic)).max(0)
}

/// Nothing is sent any more, and all that was sent is told of.
fn is_quiet(workload: &WorkloadStatus) -> bool {
    workload.spec.paused
        && workload.points.back().is_some_and(|point| point.sent_per_s == 0.0)
        && workload.sent == workload.acked + workload.unknown + workload.failed + workload.aborted
}

/// acks=1 loses what acks=all keeps.
pub static ACKS: Scenario = Scenario {
    title: "acks=1 loses records",
    what: "Two producers through the same failure: of what was acknowledged with acks=1 some is gone, with acks=all none.",
    steps: &[
        Step {
            title: "Write with acks=1, and with acks=all",
            why: "Two topics of three partitions and three replicas, 500 records a second each.",
            watch: Watch::Workloads,
            act: |_, _| {
                let mut commands = start(acks_1(ONE, 3, 500));
                commands.extend(start(writers(ALL, 3, 500)));
                commands
            },
            see: |_, now| {
                let acked = [ONE, ALL].map(|topic| writer(now, topic).acked);
                let words = format!("Acknowledged: {} with 1, {} with all.", counted(acked[0]), counted(acked[1]));
                Seen::when(
                    acked.iter().all(|acked| *acked >= 800) && [ONE, ALL].iter().all(|one| is_in_sync(now, one)),
                    words,
                )
            },
        },
        Step {
            title: "Cut a leader off from the other nodes",
            why: "Clients still reach it. Its followers do not, and soon others are elected; until its producer hears of that, it goes on to acknowledge what it alone has.",
            watch: Watch::Cluster,
            act: |_, now| fault(FaultKind::Isolate, first(now, ONE).leader),
            see: |facts, now| {
                let (before, after) = (first(facts.before(), ONE), first(now, ONE));
                let is_elected = after.leader > 0 && after.leader != before.leader;
                let words = format!("Partition 0 is led by broker {} (it was broker {}).", after.leader, before.leader);
                Seen::when(is_elected, words)
            },
        },
        Step {
            title: "Stop writing, and heal",
            why: "The leader of before learns that it is none, and cuts off its log what the new leader does not have.",
            watch: Watch::Topic(ONE),
            act: |_, now| {
                let pause = [ONE, ALL].into_iter().flat_map(|topic| change(&writer(now, topic), "paused", true));
                pause.chain([Command::HealAllFaults]).collect()
            },
            see: |_, now| {
                let is_over = [ONE, ALL].iter().all(|topic| is_in_sync(now, topic) && is_quiet(&writer(now, topic)));
                let words = format!(
                    "acks=1: {} acknowledged, {} there, at least {} lost. acks=all: {} acknowledged, {} there, {} lost.",
                    counted(writer(now, ONE).acked),
                    count(committed(now, ONE)),
                    count(lost(now, ONE)),
                    counted(writer(now, ALL).acked),
                    count(committed(now, ALL)),
                    count(lost(now, ALL))
                );
                Seen::when(is_over && lost(now, ONE) > 0 && lost(now, ALL) == 0, words)
            },
        },
    ],
};

const UNCLEAN_TOPIC: &str = "guide-unclean";

fn followers(facts: &Facts) -> Vec<i32> {
    let partition = first(facts.mark(2), UNCLEAN_TOPIC);
    partition.replicas.iter().copied().filter(|id| *id != partition.leader).collect()
}

/// Unclean leader election.
pub static UNCLEAN: Scenario = Scenario {
    title: "Unclean leader election",
    what: "The last in-sync replica is gone: wait for it, or let one lead that lacks records. The choice is yours, and costs what you see.",
    steps: &[
        Step {
            title: "A topic that one replica is enough for",
            why: "Three replicas, min.insync.replicas=1.",
            watch: Watch::Topic(UNCLEAN_TOPIC),
            act: |_, _| {
                vec![Command::CreateTopic {
                    name: UNCLEAN_TOPIC.into(),
                    partitions: 1,
                    replication_factor: 3,
                    configs: vec![("min.insync.replicas".into(), "1".into())],
                }]
            },
            see: |_, now| {
                let isr = first(now, UNCLEAN_TOPIC).isr.len();
                Seen::when(isr == 3, format!("{isr} in-sync replicas."))
            },
        },
        Step {
            title: "Write to it",
            why: "300 records a second, acks=1.",
            watch: Watch::Workloads,
            act: |_, _| start(acks_1(UNCLEAN_TOPIC, 1, 300)),
            see: |_, now| {
                let acked = writer(now, UNCLEAN_TOPIC).acked;
                Seen::when(acked >= 500, format!("{} acknowledged.", counted(acked)))
            },
        },
        Step {
            title: "Kill both followers",
            why: "The leader goes on alone: from now on, it alone has what is written.",
            watch: Watch::Topic(UNCLEAN_TOPIC),
            act: |_, now| {
                let partition = first(now, UNCLEAN_TOPIC);
                let others = partition.replicas.iter().filter(|id| **id != partition.leader);
                others.flat_map(|id| fault(FaultKind::Kill, *id)).collect()
            },
            see: |facts, now| {
                let isr = first(now, UNCLEAN_TOPIC).isr.len();
                let more = writer(now, UNCLEAN_TOPIC).acked - writer(facts.before(), UNCLEAN_TOPIC).acked;
                let words = format!("{isr} in-sync replica; {} more records were acknowledged.", counted(more));
                Seen::when(isr == 1 && more >= 1_500, words)
            },
        },
        Step {
            title: "Kill the leader, start the followers",
            why: "They lack records, so neither may lead: the partition is offline until the last leader is back.",
            watch: Watch::Topic(UNCLEAN_TOPIC),
            act: |facts, now| {
                let mut commands = fault(FaultKind::Kill, first(now, UNCLEAN_TOPIC).leader);
                commands.extend(followers(facts).into_iter().map(Command::StartNode));
                let pause = change(&writer(now, UNCLEAN_TOPIC), "paused", true);
                commands.extend(pause);
                commands
            },
            see: |facts, now| {
                let back = followers(facts);
                let up = now.brokers.iter().filter(|broker| back.contains(&broker.id) && is_up(broker)).count();
                let leader = first(now, UNCLEAN_TOPIC).leader;
                let words = format!("{up} followers are back; leader of the partition: {leader} (-1: none).");
                Seen::when(up == 2 && leader < 0, words)
            },
        },
        Step {
            title: "Elect an unclean leader",
            why: "A replica leads that was not in sync. The partition can be written again, and what it lacks is gone for good.",
            watch: Watch::Topic(UNCLEAN_TOPIC),
            act: |_, _| {
                let partitions = vec![(UNCLEAN_TOPIC.into(), 0)];
                vec![Command::Operate(Operation::ElectLeaders { election: Election::Unclean, partitions })]
            },
            see: |_, now| {
                let leader = first(now, UNCLEAN_TOPIC).leader;
                let words = format!(
                    "Broker {leader} leads; {} were acknowledged, {} are there: {} are lost.",
                    counted(writer(now, UNCLEAN_TOPIC).acked),
                    count(committed(now, UNCLEAN_TOPIC)),
                    count(lost(now, UNCLEAN_TOPIC))
                );
                Seen::when(leader > 0 && lost(now, UNCLEAN_TOPIC) > 0, words)
            },
        },
        Step {
            title: "Heal",
            why: "The leader of before comes back, and must forget what only it had.",
            watch: Watch::Topic(UNCLEAN_TOPIC),
            act: |_, _| vec![Command::HealAllFaults],
            see: |_, now| {
                let (isr, lost) = (first(now, UNCLEAN_TOPIC).isr.len(), lost(now, UNCLEAN_TOPIC));
                let words =
                    format!("{isr} in-sync replicas; {} acknowledged records are lost, and stay so.", count(lost));
                Seen::when(isr == 3 && lost > 0, words)
            },
        },
    ],
};

const TX_TOPIC: &str = "guide-exactly-once";
const TX_COMMITTED: &str = "guide-exactly-once-committed";
const TX_ALL: &str = "guide-exactly-once-everything";

/// Exactly once.
pub static EXACTLY_ONCE: Scenario = Scenario {
    title: "Exactly once",
    what: "Transactions through a broker's death: read_committed sees each committed record once, and no aborted one.",
    steps: &[
        Step {
            title: "Write in transactions",
            why: "300 records a second; each 300 ms a transaction ends, and four of ten are aborted. One group reads what is committed, another everything.",
            watch: Watch::Workloads,
            act: |_, _| {
                use crate::monitor::workload::Isolation;
                let spec = writers(TX_TOPIC, 3, 300);
                let mut commands = start(WorkloadSpec { transaction_ms: 300, abort_percent: 40, ..spec });
                commands.extend(start(readers(TX_TOPIC, TX_COMMITTED, 1)));
                let everything = readers(TX_TOPIC, TX_ALL, 1);
                commands.extend(start(WorkloadSpec { isolation: Isolation::ReadUncommitted, ..everything }));
                commands
            },
            see: |_, now| {
                let writer = writer(now, TX_TOPIC);
                let words = format!(
                    "{} transactions are committed, {} aborted.",
                    counted(writer.transactions_committed),
                    counted(writer.transactions_aborted)
                );
                let both = writer.transactions_committed >= 5 && writer.transactions_aborted >= 3;
                Seen::when(both && reader(now, TX_COMMITTED).read > 0 && reader(now, TX_ALL).read > 0, words)
            },
        },
        Step {
            title: "Kill a leader",
            why: "The producer writes again what was not acknowledged. The new leader knows its sequence numbers, so nothing is written twice.",
            watch: Watch::Cluster,
            act: |_, now| fault(FaultKind::Kill, first(now, TX_TOPIC).leader),
            see: |facts, now| {
                let before = writer(facts.before(), TX_TOPIC).transactions_committed;
                let more = writer(now, TX_TOPIC).transactions_committed - before;
                let is_elected = first(now, TX_TOPIC).leader != first(facts.before(), TX_TOPIC).leader;
                let words = format!("{} more transactions were committed.", counted(more));
                Seen::when(is_elected && more >= 8, words)
            },
        },
        Step {
            title: "Stop writing, heal, and count",
            why: "When the last transaction has ended, what was sent and what was read must come out even, record by record.",
            watch: Watch::Workloads,
            act: |_, now| {
                let mut commands = change(&writer(now, TX_TOPIC), "paused", true);
                commands.push(Command::HealAllFaults);
                commands
            },
            see: |_, now| {
                let writer = writer(now, TX_TOPIC);
                let (committed, all) = (reader(now, TX_COMMITTED).read, reader(now, TX_ALL).read);
                let words = format!(
                    "{} sent: {} committed, {} aborted. read_committed has read {}, read_uncommitted {}.",
                    counted(writer.sent),
                    counted(writer.acked),
                    counted(writer.aborted),
                    counted(committed),
                    counted(all)
                );
                let is_even = committed == writer.acked && all == writer.sent && writer.unknown + writer.failed == 0;
                Seen::when(is_quiet(&writer) && is_even && is_in_sync(now, TX_TOPIC), words)
            },
        },
    ],
};
