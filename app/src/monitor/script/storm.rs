//! Faults at random: the same seed, on a cluster of the same shape, gives the same faults at the same times.

use serde::{Deserialize, Serialize};

use super::{LATEST_MS, STEPS_MAX, Step};
use crate::monitor::fault::{End, FaultKind, FaultRequest, Operations};
use crate::monitor::names::is_controller;
use crate::monitor::snapshot::Snapshot;

/// A storm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storm {
    /// Decides everything.
    pub seed: u64,
    /// How many faults begin in a minute, about.
    pub rate_per_min: f64,
    /// Of which kinds; none: of all that heal without a trace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<FaultKind>,
    /// Only these nodes are hit, at least at one end; none: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<i32>,
    /// No fault is shorter.
    pub min_duration_ms: u64,
    /// None is longer.
    pub max_duration_ms: u64,
    /// After a fault is over nothing begins for so long; 0: faults may fall together.
    pub quiet_ms: u64,
    /// None begins later.
    pub for_ms: u64,
    /// Not more than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// So many controllers may be hit at once that no majority is left.
    pub may_lose_quorum: bool,
}

impl Default for Storm {
    fn default() -> Storm {
        Storm {
            seed: 1,
            rate_per_min: 12.0,
            kinds: Vec::new(),
            targets: Vec::new(),
            min_duration_ms: 1_000,
            max_duration_ms: 10_000,
            quiet_ms: 0,
            for_ms: 60_000,
            count: None,
            may_lose_quorum: false,
        }
    }
}

/// What heals without a trace: no byte of a log is damaged.
pub const USUAL_KINDS: [FaultKind; 13] = [
    FaultKind::Stop,
    FaultKind::Kill,
    FaultKind::PowerLoss,
    FaultKind::Pause,
    FaultKind::ZoneOutage,
    FaultKind::Isolate,
    FaultKind::Cut,
    FaultKind::Delay,
    FaultKind::Bandwidth,
    FaultKind::Drop,
    FaultKind::SlowDisk,
    FaultKind::DiskFull,
    FaultKind::ClockSkew,
];

/// Kinds that a storm knows how to make: those of clients need a workload, which a storm does not know.
const IMPOSSIBLE: [FaultKind; 3] = [FaultKind::SlowConsumer, FaultKind::CrashConsumer, FaultKind::ZombieProducer];

/// A controller that was hit needs so long, after that, to be one again.
const RECOVERY_MS: u64 = 5_000;

/// Tries to find somebody whom a fault can hit.
const TRIES: usize = 8;

/// What a cluster is made of, as far as a storm cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Brokers with their zones, by id.
    pub brokers: Vec<(i32, Option<String>)>,
    /// Controllers, by id.
    pub controllers: Vec<i32>,
}

impl Shape {
    /// That of a cluster.
    pub fn of(snapshot: &Snapshot) -> Shape {
        Shape {
            brokers: snapshot.brokers.iter().map(|broker| (broker.id, broker.rack.clone())).collect(),
            controllers: snapshot.quorum.voters.iter().map(|voter| voter.id).collect(),
        }
    }

    fn nodes(&self) -> Vec<i32> {
        self.brokers.iter().map(|(id, _)| *id).chain(self.controllers.iter().copied()).collect()
    }

    fn zone(&self, zone: &str) -> Vec<i32> {
        self.brokers.iter().filter(|(_, of)| of.as_deref() == Some(zone)).map(|(id, _)| *id).collect()
    }

    /// Nodes that a fault hits.
    pub fn hit_by(&self, fault: &FaultRequest) -> Vec<i32> {
        let named = [fault.broker, fault.controller, fault.from.and_then(End::node), fault.to.and_then(End::node)];
        let zone = fault.zone.iter().flat_map(|zone| self.zone(zone));
        named.into_iter().flatten().chain(zone).collect()
    }
}

/// Random numbers that stay the same whatever library is in fashion (splitmix64).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not, 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + ((most - least + 1) as f64 * self.share()) as u64
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get((all.len() as f64 * self.share()) as usize)
    }
}

/// A fault that is planned: from, until.
struct Planned {
    from_ms: u64,
    until_ms: u64,
    hits: Vec<i32>,
    holds_down: bool,
}

impl Planned {
    fn overlaps(&self, from_ms: u64, until_ms: u64) -> bool {
        self.from_ms < until_ms + RECOVERY_MS && from_ms < self.until_ms + RECOVERY_MS
    }
}

impl Storm {
    pub(super) fn check(&self) -> Result<(), String> {
        if !(self.rate_per_min > 0.0 && self.rate_per_min <= 600.0) {
            return Err("rate_per_min is above 0 and at most 600".into());
        }
        if self.min_duration_ms == 0 || self.min_duration_ms > self.max_duration_ms {
            return Err("min_duration_ms is between 1 and max_duration_ms".into());
        }
        if self.max_duration_ms > LATEST_MS || self.quiet_ms > LATEST_MS || !(1..=LATEST_MS).contains(&self.for_ms) {
            return Err(format!("max_duration_ms, quiet_ms and for_ms are at most {LATEST_MS}, and for_ms is not 0"));
        }
        if self.count.is_some_and(|count| count == 0 || count as usize > STEPS_MAX) {
            return Err(format!("count is between 1 and {STEPS_MAX}"));
        }
        match self.kinds.iter().find(|kind| IMPOSSIBLE.contains(kind)) {
            Some(kind) => Err(format!("kinds: a storm makes no {}; name its workload in a step", kind.name())),
            None => Ok(()),
        }
    }

    /// Its faults on a cluster of that shape, in the order of their times.
    pub fn steps(&self, shape: &Shape) -> Vec<Step> {
        let mut dice = Dice(self.seed);
        let usual = self.kinds.is_empty().then_some(&USUAL_KINDS[..]);
        let kinds = usual.unwrap_or(&self.kinds);
        let most = self.count.map_or(STEPS_MAX, |count| (count as usize).min(STEPS_MAX));
        let (mut steps, mut planned) = (Vec::new(), Vec::<Planned>::new());
        let (mut at_ms, mut all_over_ms) = (0_u64, 0_u64);
        while steps.len() < most {
            // Gaps of a Poisson process: short ones often, long ones sometimes.
            let gap_ms = -(1.0 - dice.share()).ln() * 60_000.0 / self.rate_per_min;
            at_ms = at_ms.saturating_add(gap_ms.max(1.0) as u64);
            if self.quiet_ms > 0 && !steps.is_empty() {
                at_ms = at_ms.max(all_over_ms + self.quiet_ms);
            }
            if at_ms > self.for_ms {
                break;
            }
            let duration_ms = dice.between(self.min_duration_ms, self.max_duration_ms);
            let until_ms = at_ms + duration_ms;
            let found = (0..TRIES).find_map(|_| {
                let fault = self.draw(*dice.pick(kinds)?, shape, &mut dice)?;
                let plan = Planned {
                    from_ms: at_ms,
                    until_ms,
                    hits: shape.hit_by(&fault),
                    holds_down: holds_down(fault.kind),
                };
                self.is_possible(&plan, &planned, shape).then_some((fault, plan))
            });
            let Some((fault, plan)) = found else { continue };
            all_over_ms = all_over_ms.max(until_ms);
            planned.push(plan);
            steps.push(Step { at_ms, fault: FaultRequest { duration_ms: Some(duration_ms), ..fault } });
        }
        steps
    }

    /// A node is held down by one fault at a time, and enough controllers are left alone.
    fn is_possible(&self, plan: &Planned, planned: &[Planned], shape: &Shape) -> bool {
        let at_once = || planned.iter().filter(|other| other.overlaps(plan.from_ms, plan.until_ms));
        let is_down = |id: &i32| at_once().any(|other| other.holds_down && other.hits.contains(id));
        if plan.holds_down && plan.hits.iter().any(is_down) {
            return false;
        }
        if self.may_lose_quorum || !plan.hits.iter().any(|id| is_controller(*id)) {
            return true;
        }
        let hit = |id: &&i32| plan.hits.contains(id) || at_once().any(|other| other.hits.contains(id));
        let hit = shape.controllers.iter().filter(hit).count();
        hit * 2 < shape.controllers.len()
    }

    /// A fault of that kind; `None`: nobody whom it could hit came up.
    fn draw(&self, kind: FaultKind, shape: &Shape, dice: &mut Dice) -> Option<FaultRequest> {
        let mut fault = FaultRequest::new(kind);
        match kind {
            FaultKind::ZoneOutage => {
                let mut zones: Vec<&String> = shape.brokers.iter().filter_map(|(_, zone)| zone.as_ref()).collect();
                zones.dedup();
                zones.sort();
                zones.dedup();
                fault.zone = Some((*dice.pick(&zones)?).clone());
            }
            FaultKind::Cut | FaultKind::Delay | FaultKind::Bandwidth | FaultKind::Drop => {
                (fault.from, fault.to) = link(shape, dice)?;
                fault.both_ways = (dice.share() < 0.5).then_some(true);
            }
            // Whatever takes a disk away ends a controller for good, or costs it what it voted for.
            FaultKind::DiskFull | FaultKind::DiskError | FaultKind::CorruptTail | FaultKind::BitRot => {
                fault.broker = Some(dice.pick(&shape.brokers)?.0);
            }
            _ => match *dice.pick(&shape.nodes())? {
                id if is_controller(id) => fault.controller = Some(id),
                id => fault.broker = Some(id),
            },
        }
        strength(&mut fault, dice);
        let is_meant = self.targets.is_empty() || shape.hit_by(&fault).iter().any(|id| self.targets.contains(id));
        is_meant.then_some(fault)
    }
}

/// Two ends: of four links one leads to or from clients.
fn link(shape: &Shape, dice: &mut Dice) -> Option<(Option<End>, Option<End>)> {
    let nodes = shape.nodes();
    if dice.share() < 0.25 {
        let broker = Some(End::Node(dice.pick(&shape.brokers)?.0));
        let clients = Some(End::Clients);
        return Some(if dice.share() < 0.5 { (clients, broker) } else { (broker, clients) });
    }
    let from = *dice.pick(&nodes)?;
    let others: Vec<i32> = nodes.into_iter().filter(|id| *id != from).collect();
    Some((Some(End::Node(from)), Some(End::Node(*dice.pick(&others)?))))
}

/// How bad it is.
fn strength(fault: &mut FaultRequest, dice: &mut Dice) {
    match fault.kind {
        FaultKind::Delay => {
            fault.delay_ms = Some(dice.between(5, 300));
            fault.jitter_ms = Some(dice.between(0, 200));
        }
        FaultKind::Bandwidth => fault.bytes_per_s = Some(dice.between(10, 1_000) * 1_000),
        FaultKind::Drop => fault.probability = Some(dice.between(1, 40) as f64 / 100.0),
        FaultKind::SlowDisk => fault.delay_ms = Some(dice.between(2, 50)),
        FaultKind::DiskError => {
            let operations = [Operations::Reads, Operations::Writes, Operations::Syncs, Operations::All];
            fault.operations = dice.pick(&operations).copied();
        }
        FaultKind::ClockSkew => {
            let skew_ms = dice.between(1_000, 3_600_000) as i64;
            fault.skew_ms = Some(if dice.share() < 0.5 { skew_ms } else { -skew_ms });
        }
        // So that the same script takes the same bytes.
        FaultKind::PowerLoss | FaultKind::BitRot => fault.seed = Some(dice.between(0, u64::from(u32::MAX))),
        _ => {}
    }
}

/// Whether a node that it hits does not run meanwhile. A disk that fails ends its node, too.
fn holds_down(kind: FaultKind) -> bool {
    use FaultKind::{CorruptTail, DiskError, DiskFull, Kill, Pause, PowerLoss, Stop, ZoneOutage};
    matches!(kind, Stop | Kill | PowerLoss | Pause | ZoneOutage | CorruptTail | DiskFull | DiskError)
}
