//! From a fault as it was asked for to what is to be done: every field is checked here, and refused in one sentence. Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::fault::{ANY_NODE, CLIENTS, Damage, Direction, DiskEffect, DiskFault, LinkEffect};
use broker::types::NodeId;

use super::control::NodeControl;
use crate::monitor::command::{End, FaultKind, FaultRequest, Operations};
use crate::monitor::names::{grouped, is_controller, node_inside, nodes};
use crate::monitor::order::Refusal;

/// Longest duration of a fault: a week. More is a slip of the hand.
const DURATION_MAX_MS: u64 = 7 * 24 * 3600 * 1000;
/// Longest delay of a message or of a disk: ten minutes.
const DELAY_MAX_MS: u64 = 600_000;
/// Longest that a consumer takes over a record, as workloads have it.
const PER_RECORD_MAX_MS: u64 = 10_000;
/// Most that a clock can be wrong: ten years.
const SKEW_MAX_MS: i64 = 10 * 365 * 24 * 3600 * 1000;

/// Widest of a narrow link: 100 Gbit/s.
const BANDWIDTH_MAX: u64 = 12_500_000_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Nodes that are to be put into another state.
    Nodes(Vec<NodeId>, Deed),
    /// Links that are to be broken, between these nodes.
    Links(Vec<NodeId>, Vec<Direction>, LinkEffect),
    /// A disk that is to be broken.
    Disk(NodeId, DiskFault),
    /// A clock that is to be set wrong.
    Clock(NodeId, i64),
    /// A bit that is to flip on a node's disk; the seed says which.
    Rot(NodeId, TailWish, Option<u64>),
    /// A workload's consumers that are to take so long over each record, in µs.
    SlowConsumers(u64, u64),
    /// A consumer of a workload that is to crash.
    CrashConsumer(u64, Option<u32>),
    /// A producer of a workload that is to stand still while another takes its place.
    ZombieProducer(u64, Option<u32>),
}

/// What is done with a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Controlled shutdown.
    Stop,
    /// Killed.
    Kill,
    /// Killed, and what was not synced is lost; the seed of how much of the last writes is.
    PowerLoss(Option<u64>),
    /// Blocked.
    Pause,
    /// Killed, and the ends of its logs damaged.
    CorruptTail(TailWish),
}

/// Which logs are damaged, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct TailWish {
    /// In this log directory only.
    pub log_dir: Option<PathBuf>,
    /// Of this topic only.
    pub topic: Option<String>,
    /// Of this partition only.
    pub partition: Option<i32>,
    /// How.
    pub damage: Damage,
}

impl TailWish {
    /// Whether a log (`topic-0`) is meant.
    pub fn means(&self, log: &str) -> bool {
        let Some((topic, partition)) = log.rsplit_once('-') else { return false };
        let Ok(partition) = partition.parse::<i32>() else { return false };
        self.topic.as_ref().is_none_or(|wanted| wanted == topic)
            && self.partition.is_none_or(|wanted| wanted == partition)
    }
}

/// Fields that a kind takes, `duration_ms` apart.
fn fields(kind: FaultKind) -> &'static [&'static str] {
    match kind {
        FaultKind::Stop | FaultKind::Kill | FaultKind::Pause | FaultKind::Isolate => &["broker", "controller"],
        FaultKind::PowerLoss => &["broker", "controller", "seed"],
        FaultKind::Cut => &["from", "to", "both_ways"],
        FaultKind::Delay => &["from", "to", "both_ways", "delay_ms", "jitter_ms"],
        FaultKind::Bandwidth => &["from", "to", "both_ways", "bytes_per_s"],
        FaultKind::Drop => &["from", "to", "both_ways", "probability"],
        FaultKind::SlowDisk => &["broker", "controller", "log_dir", "delay_ms"],
        FaultKind::DiskFull => &["broker", "controller", "log_dir"],
        FaultKind::DiskError => &["broker", "controller", "log_dir", "operations"],
        FaultKind::CorruptTail => &["broker", "controller", "log_dir", "topic", "partition", "cut_off"],
        FaultKind::BitRot => &["broker", "log_dir", "topic", "partition", "seed"],
        FaultKind::ZoneOutage => &["zone"],
        FaultKind::SlowConsumer => &["workload", "delay_ms"],
        FaultKind::CrashConsumer => &["workload", "consumer"],
        FaultKind::ZombieProducer => &["workload", "producer"],
        FaultKind::ClockSkew => &["broker", "controller", "skew_ms"],
    }
}

/// What a request comes to.
pub fn plan(request: &FaultRequest, control: &dyn NodeControl) -> Result<Plan, Refusal> {
    check_fields(request)?;
    let node_ids = control.node_ids();
    let target = || target(request, &node_ids);
    match request.kind {
        FaultKind::Stop => Ok(Plan::Nodes(vec![target()?], Deed::Stop)),
        FaultKind::Kill => Ok(Plan::Nodes(vec![target()?], Deed::Kill)),
        FaultKind::PowerLoss => Ok(Plan::Nodes(vec![target()?], Deed::PowerLoss(request.seed))),
        FaultKind::Pause => Ok(Plan::Nodes(vec![target()?], Deed::Pause)),
        FaultKind::CorruptTail => {
            let id = target()?;
            Ok(Plan::Nodes(vec![id], Deed::CorruptTail(tails(request, id, control)?)))
        }
        FaultKind::BitRot => {
            let id = target()?;
            Ok(Plan::Rot(id, tails(request, id, control)?, request.seed))
        }
        FaultKind::SlowConsumer => {
            let workload = workload(request, "consumers")?;
            let per_record_ms = request.delay_ms.filter(|delay_ms| (1..=PER_RECORD_MAX_MS).contains(delay_ms));
            let wrong = || Refusal::invalid(format!("delay_ms must be between 1 and {PER_RECORD_MAX_MS}."));
            Ok(Plan::SlowConsumers(workload, per_record_ms.ok_or_else(wrong)? * 1000))
        }
        FaultKind::CrashConsumer => Ok(Plan::CrashConsumer(workload(request, "consumers")?, request.consumer)),
        FaultKind::ZombieProducer => Ok(Plan::ZombieProducer(workload(request, "producer")?, request.producer)),
        FaultKind::ZoneOutage => Ok(Plan::Nodes(zone(request, control, &node_ids)?, Deed::Kill)),
        FaultKind::Isolate => {
            let id = target()?;
            Ok(Plan::Links(vec![id], vec![(id, ANY_NODE), (ANY_NODE, id)], LinkEffect::Cut))
        }
        FaultKind::Cut | FaultKind::Delay | FaultKind::Bandwidth | FaultKind::Drop => {
            let (ends, directions) = directions(request, &node_ids)?;
            Ok(Plan::Links(ends, directions, link_effect(request)?))
        }
        FaultKind::SlowDisk | FaultKind::DiskFull | FaultKind::DiskError => {
            let id = target()?;
            let log_dir = log_dir(request, id, control)?;
            Ok(Plan::Disk(id, DiskFault { log_dir, effect: disk_effect(request)? }))
        }
        FaultKind::ClockSkew => {
            let wrong =
                || Refusal::invalid(format!("skew_ms must be between -{SKEW_MAX_MS} and {SKEW_MAX_MS}, and not 0."));
            let skew_ms =
                request.skew_ms.filter(|skew_ms| *skew_ms != 0 && skew_ms.unsigned_abs() <= SKEW_MAX_MS as u64);
            Ok(Plan::Clock(target()?, skew_ms.ok_or_else(wrong)?))
        }
    }
}

fn check_fields(request: &FaultRequest) -> Result<(), Refusal> {
    let given = serde_json::to_value(request).map_err(|error| Refusal::invalid(format!("{error}.")))?;
    let known = fields(request.kind);
    let of_all = ["kind", "duration_ms"];
    let stray = given.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
    if let Some(stray) = stray.into_iter().find(|field| !known.contains(field) && !of_all.contains(field)) {
        let known = known.join(", ");
        return Err(Refusal::invalid(format!("A {} takes no {stray}; it takes {known}.", request.kind.name())));
    }
    if request.duration_ms.is_some_and(|duration_ms| duration_ms == 0 || duration_ms > DURATION_MAX_MS) {
        return Err(Refusal::invalid(format!("duration_ms must be between 1 and {DURATION_MAX_MS}.")));
    }
    Ok(())
}

fn target(request: &FaultRequest, node_ids: &[NodeId]) -> Result<NodeId, Refusal> {
    match (request.broker, request.controller) {
        (Some(_), Some(_)) => Err(Refusal::invalid("Name a broker or a controller, not both.")),
        (None, None) => Err(Refusal::invalid("Name the broker or the controller that the fault is to hit.")),
        (Some(id), None) if !is_controller(id) && node_ids.contains(&id) => Ok(id),
        (Some(id), None) => Err(Refusal::not_found(format!("There is no broker {id}."))),
        (None, Some(id)) if is_controller(id) && node_ids.contains(&id) => Ok(id),
        (None, Some(id)) => Err(Refusal::not_found(format!("There is no controller {id}."))),
    }
}

fn zone(request: &FaultRequest, control: &dyn NodeControl, node_ids: &[NodeId]) -> Result<Vec<NodeId>, Refusal> {
    let zone = request.zone.as_ref().ok_or_else(|| Refusal::invalid("Name the zone that is to fail."))?;
    let ids: Vec<NodeId> = node_ids.iter().copied().filter(|id| control.zone(*id).as_ref() == Some(zone)).collect();
    match ids.is_empty() {
        true => {
            let shown: String = zone.chars().take(40).collect();
            Err(Refusal::not_found(format!("There is no zone {shown}.")))
        }
        false => Ok(ids),
    }
}

fn workload(request: &FaultRequest, whose: &str) -> Result<u64, Refusal> {
    request.workload.ok_or_else(|| Refusal::invalid(format!("Name the workload whose {whose} the fault is to hit.")))
}

fn directions(request: &FaultRequest, node_ids: &[NodeId]) -> Result<(Vec<NodeId>, Vec<Direction>), Refusal> {
    let (Some(from), Some(to)) = (request.from, request.to) else {
        let words = "Name the nodes: from whom (from) and to whom (to); one of them may be \"clients\".";
        return Err(Refusal::invalid(words));
    };
    let named: Vec<NodeId> = [from, to].into_iter().filter_map(End::node).collect();
    if let Some(id) = named.iter().find(|id| !node_ids.contains(id)) {
        return Err(Refusal::not_found(format!("There is no node {id}; there are {}.", nodes(node_ids))));
    }
    if from == to {
        return Err(Refusal::invalid("from and to must be two nodes: no link leads from a node to itself."));
    }
    if let ([id], true) = (named.as_slice(), named.iter().any(|id| is_controller(*id))) {
        return Err(Refusal::invalid(format!("Controller {id} has no clients: only brokers have.")));
    }
    let id = |end: End| end.node().unwrap_or(CLIENTS);
    let mut directions = vec![(id(from), id(to))];
    if request.both_ways == Some(true) {
        directions.push((id(to), id(from)));
    }
    Ok((named, directions))
}

fn delay(request: &FaultRequest, min_ms: u64) -> Result<Duration, Refusal> {
    let wrong = || Refusal::invalid(format!("delay_ms must be between {min_ms} and {DELAY_MAX_MS}."));
    let delay_ms = request.delay_ms.filter(|delay_ms| (min_ms..=DELAY_MAX_MS).contains(delay_ms));
    delay_ms.map(Duration::from_millis).ok_or_else(wrong)
}

fn link_effect(request: &FaultRequest) -> Result<LinkEffect, Refusal> {
    match request.kind {
        FaultKind::Delay => {
            let jitter_ms = request.jitter_ms.unwrap_or(0);
            if jitter_ms > DELAY_MAX_MS {
                return Err(Refusal::invalid(format!("jitter_ms must be between 0 and {DELAY_MAX_MS}.")));
            }
            let delay = delay(request, u64::from(jitter_ms == 0))?;
            Ok(LinkEffect::Late { delay, jitter: Duration::from_millis(jitter_ms) })
        }
        FaultKind::Bandwidth => {
            let bytes_per_s = request.bytes_per_s.filter(|bytes_per_s| (1..=BANDWIDTH_MAX).contains(bytes_per_s));
            let wrong = || Refusal::invalid(format!("bytes_per_s must be between 1 and {BANDWIDTH_MAX}."));
            Ok(LinkEffect::Narrow { bytes_per_s: bytes_per_s.ok_or_else(wrong)? })
        }
        FaultKind::Drop => {
            let probability = request.probability.filter(|share| *share > 0.0 && *share <= 1.0);
            let wrong = || Refusal::invalid("probability must be above 0 and at most 1.");
            Ok(LinkEffect::Lossy(probability.ok_or_else(wrong)?))
        }
        _ => Ok(LinkEffect::Cut),
    }
}

fn disk_effect(request: &FaultRequest) -> Result<DiskEffect, Refusal> {
    match request.kind {
        FaultKind::SlowDisk => Ok(DiskEffect::Slow(delay(request, 1)?)),
        FaultKind::DiskFull => Ok(DiskEffect::Full),
        _ => {
            let operations = request.operations.unwrap_or(Operations::All);
            let is = |one| operations == Operations::All || operations == one;
            Ok(DiskEffect::Failing {
                reads: is(Operations::Reads),
                writes: is(Operations::Writes),
                syncs: is(Operations::Writes) || is(Operations::Syncs),
            })
        }
    }
}

fn log_dir(request: &FaultRequest, id: NodeId, control: &dyn NodeControl) -> Result<Option<PathBuf>, Refusal> {
    request.log_dir.as_ref().map(|log_dir| control.log_dir(id, Path::new(log_dir))).transpose()
}

fn tails(request: &FaultRequest, id: NodeId, control: &dyn NodeControl) -> Result<TailWish, Refusal> {
    if request.partition.is_some() && request.topic.is_none() {
        return Err(Refusal::invalid("A partition needs its topic."));
    }
    let damage = if request.cut_off == Some(true) { Damage::Cut } else { Damage::Flip };
    let (topic, partition) = (request.topic.clone(), request.partition);
    Ok(TailWish { log_dir: log_dir(request, id, control)?, topic, partition, damage })
}

/// What a fault does, in a few words.
pub fn what(request: &FaultRequest, plan: &Plan) -> String {
    let arrow = if request.both_ways == Some(true) { "and" } else { "to" };
    match plan {
        Plan::Nodes(ids, deed) => {
            let done = match deed {
                Deed::Stop => "stopped in order",
                Deed::Kill => "killed",
                Deed::PowerLoss(_) => "without power",
                Deed::Pause => "paused",
                Deed::CorruptTail(_) => "killed, with damaged logs",
            };
            match (&request.zone, ids.as_slice()) {
                (Some(zone), _) => format!("zone {zone} is out: brokers {} are killed", nodes(ids)),
                (None, [id]) => format!("{} is {done}", node_inside(*id)),
                (None, _) => format!("nodes {} are {done}", nodes(ids)),
            }
        }
        Plan::Links(ids, _, effect) => {
            let end = |end: End| end.node().map_or_else(|| End::CLIENTS.to_owned(), node_inside);
            let (Some(from), Some(to)) = (request.from.map(end), request.to.map(end)) else {
                return format!("{} is isolated", ids.first().map_or_else(|| "nobody".into(), |id| node_inside(*id)));
            };
            let link = format!("{from} {arrow} {to}");
            match effect {
                LinkEffect::Cut => format!("{link} is cut"),
                LinkEffect::Late { delay, jitter } => {
                    let (least, most) = (delay.as_millis(), (*delay + *jitter).as_millis());
                    let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
                    format!("{link} is late by {range} ms")
                }
                LinkEffect::Lossy(share) => format!("{link} loses {:.1} %", share * 100.0),
                LinkEffect::Narrow { bytes_per_s } => {
                    let bytes_per_s = i64::try_from(*bytes_per_s).unwrap_or(i64::MAX);
                    format!("{link} passes {} bytes a second", grouped(bytes_per_s))
                }
            }
        }
        Plan::Disk(id, fault) => {
            let does = match fault.effect {
                DiskEffect::Slow(delay) => format!("takes {} ms longer for each operation", delay.as_millis()),
                DiskEffect::Full => "is full".into(),
                DiskEffect::Failing { reads: true, writes: true, .. } => "fails".into(),
                DiskEffect::Failing { reads: true, .. } => "cannot be read".into(),
                DiskEffect::Failing { writes: true, .. } => "cannot be written".into(),
                DiskEffect::Failing { .. } => "cannot be synced".into(),
            };
            format!("the disk of {} {does}", node_inside(*id))
        }
        Plan::Clock(id, skew_ms) => {
            let side = if *skew_ms > 0 { "ahead" } else { "behind" };
            format!("the clock of {} is {} ms {side}", node_inside(*id), skew_ms.unsigned_abs())
        }
        Plan::Rot(id, ..) => format!("a bit on the disk of {} has flipped", node_inside(*id)),
        Plan::SlowConsumers(workload, per_record_us) => {
            format!("consumers of workload {workload} take {} ms over each record", per_record_us / 1000)
        }
        Plan::CrashConsumer(workload, _) => format!("a consumer of workload {workload} has crashed"),
        Plan::ZombieProducer(workload, _) => format!("a producer of workload {workload} is frozen"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::monitor::order::RefusalKind;
    use crate::source::fake_nodes::FakeNodes;

    fn planned(request: Value) -> Result<Plan, Refusal> {
        plan(&serde_json::from_value(request).unwrap(), &FakeNodes::of_three_brokers().0)
    }

    #[test]
    fn nodes_are_named_and_must_exist() {
        for (fields, expected) in [
            (json!({"broker": 2}), Ok(2)),
            (json!({"controller": 3000, "duration_ms": 5}), Ok(3000)),
            (json!({"broker": 4}), Err(RefusalKind::NotFound)),
            (json!({"broker": 3000}), Err(RefusalKind::NotFound)),
            (json!({"controller": 1}), Err(RefusalKind::NotFound)),
            (json!({"controller": 3001}), Err(RefusalKind::NotFound)),
            (json!({"broker": -1}), Err(RefusalKind::NotFound)),
            (json!({"broker": 1, "controller": 3000}), Err(RefusalKind::Invalid)),
            (json!({}), Err(RefusalKind::Invalid)),
            (json!({"broker": 1, "duration_ms": 0}), Err(RefusalKind::Invalid)),
            (json!({"broker": 1, "duration_ms": u64::MAX}), Err(RefusalKind::Invalid)),
        ] {
            for kind in ["stop", "kill", "pause", "power_loss", "corrupt_tail", "disk_full"] {
                let mut request = fields.clone();
                request["kind"] = json!(kind);
                let hit = planned(request).map(|plan| match plan {
                    Plan::Nodes(ids, _) => ids[0],
                    Plan::Disk(id, _) => id,
                    other => panic!("{other:?}"),
                });
                assert_eq!(hit.map_err(|refusal| refusal.kind), expected, "{kind} {fields}");
            }
        }
    }

    #[test]
    fn links() {
        let late = |delay, jitter| LinkEffect::Late {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(jitter),
        };
        for (request, directions, effect) in [
            (json!({"kind": "cut", "from": 1, "to": 3000}), vec![(1, 3000)], LinkEffect::Cut),
            (json!({"kind": "cut", "from": 1, "to": 2, "both_ways": true}), vec![(1, 2), (2, 1)], LinkEffect::Cut),
            (json!({"kind": "delay", "from": 1, "to": 2, "delay_ms": 5}), vec![(1, 2)], late(5, 0)),
            (json!({"kind": "delay", "from": 1, "to": 2, "delay_ms": 0, "jitter_ms": 9}), vec![(1, 2)], late(0, 9)),
            (json!({"kind": "drop", "from": 1, "to": 2, "probability": 0.5}), vec![(1, 2)], LinkEffect::Lossy(0.5)),
            (json!({"kind": "isolate", "broker": 1}), vec![(1, ANY_NODE), (ANY_NODE, 1)], LinkEffect::Cut),
            (json!({"kind": "cut", "from": "clients", "to": 2}), vec![(CLIENTS, 2)], LinkEffect::Cut),
            (
                json!({"kind": "delay", "from": 2, "to": "clients", "both_ways": true, "delay_ms": 5}),
                vec![(2, CLIENTS), (CLIENTS, 2)],
                late(5, 0),
            ),
            (
                json!({"kind": "bandwidth", "from": 1, "to": 2, "bytes_per_s": 5000}),
                vec![(1, 2)],
                LinkEffect::Narrow { bytes_per_s: 5000 },
            ),
        ] {
            let Ok(Plan::Links(_, planned_directions, planned_effect)) = planned(request.clone()) else {
                panic!("{request}")
            };
            assert_eq!((planned_directions, planned_effect), (directions, effect), "{request}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_a_sentence() {
        for (request, sentence) in [
            (
                json!({"kind": "cut", "from": 1}),
                "Name the nodes: from whom (from) and to whom (to); one of them may be \"clients\".",
            ),
            (
                json!({"kind": "cut", "from": "clients", "to": "clients"}),
                "from and to must be two nodes: no link leads from a node to itself.",
            ),
            (
                json!({"kind": "cut", "from": "clients", "to": 3000}),
                "Controller 3000 has no clients: only brokers have.",
            ),
            (
                json!({"kind": "bandwidth", "from": 1, "to": 2, "bytes_per_s": 0}),
                "bytes_per_s must be between 1 and 12500000000.",
            ),
            (json!({"kind": "bit_rot", "broker": 1, "partition": 0}), "A partition needs its topic."),
            (json!({"kind": "slow_consumer", "delay_ms": 5}), "Name the workload whose consumers the fault is to hit."),
            (json!({"kind": "zombie_producer"}), "Name the workload whose producer the fault is to hit."),
            (
                json!({"kind": "zombie_producer", "workload": 1, "consumer": 1}),
                "A zombie_producer takes no consumer; it takes workload, producer.",
            ),
            (
                json!({"kind": "crash_consumer", "workload": 1, "broker": 1}),
                "A crash_consumer takes no broker; it takes workload, consumer.",
            ),
            (
                json!({"kind": "cut", "from": 1, "to": 1}),
                "from and to must be two nodes: no link leads from a node to itself.",
            ),
            (json!({"kind": "cut", "from": 1, "to": 9}), "There is no node 9; there are 1, 2, 3, 3000."),
            (
                json!({"kind": "cut", "from": 1, "to": 2, "delay_ms": 5}),
                "A cut takes no delay_ms; it takes from, to, both_ways.",
            ),
            (json!({"kind": "delay", "from": 1, "to": 2}), "delay_ms must be between 1 and 600000."),
            (
                json!({"kind": "drop", "from": 1, "to": 2, "probability": 1.5}),
                "probability must be above 0 and at most 1.",
            ),
            (json!({"kind": "zone_outage"}), "Name the zone that is to fail."),
            (json!({"kind": "zone_outage", "zone": "z"}), "There is no zone z."),
            (json!({"kind": "slow_disk", "broker": 1, "delay_ms": 0}), "delay_ms must be between 1 and 600000."),
            (json!({"kind": "disk_full", "broker": 1, "log_dir": "/x"}), "Broker 1 has no log directory /x."),
            (json!({"kind": "corrupt_tail", "broker": 1, "partition": 0}), "A partition needs its topic."),
            (
                json!({"kind": "clock_skew", "broker": 1, "skew_ms": 0}),
                "skew_ms must be between -315360000000 and 315360000000, and not 0.",
            ),
            (
                json!({"kind": "clock_skew", "broker": 1, "skew_ms": i64::MIN}),
                "skew_ms must be between -315360000000 and 315360000000, and not 0.",
            ),
        ] {
            assert_eq!(planned(request.clone()).unwrap_err().text, sentence, "{request}");
        }
    }

    #[test]
    fn what_a_fault_does_is_told() {
        for (request, told) in [
            (json!({"kind": "kill", "broker": 2}), "broker 2 is killed"),
            (json!({"kind": "zone_outage", "zone": "a"}), "zone a is out: brokers 1, 3 are killed"),
            (json!({"kind": "cut", "from": 1, "to": 3000, "both_ways": true}), "broker 1 and controller 3000 is cut"),
            (
                json!({"kind": "delay", "from": 1, "to": 2, "delay_ms": 5, "jitter_ms": 5}),
                "broker 1 to broker 2 is late by 5 to 10 ms",
            ),
            (json!({"kind": "isolate", "broker": 1}), "broker 1 is isolated"),
            (
                json!({"kind": "disk_error", "broker": 1, "operations": "writes"}),
                "the disk of broker 1 cannot be written",
            ),
            (
                json!({"kind": "disk_error", "broker": 1, "operations": "syncs"}),
                "the disk of broker 1 cannot be synced",
            ),
            (
                json!({"kind": "bandwidth", "from": "clients", "to": 1, "both_ways": true, "bytes_per_s": 50000}),
                "clients and broker 1 passes 50,000 bytes a second",
            ),
            (json!({"kind": "bit_rot", "broker": 1}), "a bit on the disk of broker 1 has flipped"),
            (
                json!({"kind": "slow_consumer", "workload": 3, "delay_ms": 20}),
                "consumers of workload 3 take 20 ms over each record",
            ),
            (json!({"kind": "zombie_producer", "workload": 3}), "a producer of workload 3 is frozen"),
            (
                json!({"kind": "clock_skew", "controller": 3000, "skew_ms": -5}),
                "the clock of controller 3000 is 5 ms behind",
            ),
        ] {
            let request: FaultRequest = serde_json::from_value(request).unwrap();
            let plan = plan(&request, &FakeNodes::of_three_brokers().0).unwrap();
            assert_eq!(what(&request, &plan), told);
        }
    }

    #[test]
    fn tails_are_chosen_by_topic_and_partition() {
        let wish = |topic: Option<&str>, partition| TailWish {
            log_dir: None,
            topic: topic.map(str::to_string),
            partition,
            damage: Damage::Flip,
        };
        for (log, all, topic, one) in [
            ("a-b-0", true, true, false),
            ("a-b-1", true, true, true),
            ("b-1", true, false, false),
            ("a-b-1.0f-delete", false, false, false),
            ("meta", false, false, false),
        ] {
            assert_eq!(wish(None, None).means(log), all, "{log}");
            assert_eq!(wish(Some("a-b"), None).means(log), topic, "{log}");
            assert_eq!(wish(Some("a-b"), Some(1)).means(log), one, "{log}");
        }
    }
}
