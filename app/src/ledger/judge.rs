//! Whether what was promised allows a loss: the acceptance table of Kafka's durability, row by row.

use std::collections::BTreeSet;

use super::facts::{Cut, Facts, Fault, State, Timeline};
use super::findings::Loss;
use crate::monitor::ledger::{Acks, EventRef, FaultRef, Held, Kind};

/// An acknowledgement is noted a little after it was given, and a fault a little after it hit.
const LATE_MS: i64 = 2_000;
/// A fault that ended this long before may still have been the reason: an ISR grows again only when its members have caught up.
const AFTERMATH_MS: i64 = 30_000;
/// Events that a story has.
const EVENTS_MAX: usize = 12;

/// What a workload's topic and producers promise beside acks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `flush.messages` is 1: what is acknowledged is synced.
    pub flushes_each: bool,
    /// Its producers are idempotent.
    pub idempotent: bool,
    /// `unclean.leader.election.enable`: who is not in sync may lead when nobody else can.
    pub allows_unclean: bool,
}

/// The row in words: acks / min ISR / unclean, and the fault.
pub fn row_name(row: Option<u8>) -> &'static str {
    match row {
        Some(2) => "acks=1, clean elections; the leader fails",
        Some(3) => "acks=1; a follower fails",
        Some(4) => "acks=all, min ISR 2; one broker is killed",
        Some(5) => "acks=all, min ISR 2; two brokers are killed",
        Some(6) => "acks=all, min ISR 2; all brokers are killed",
        Some(7) => "acks=all, min ISR 1; the only in-sync replica is killed",
        Some(8) => "acks=all, min ISR 1; the only in-sync replica loses power",
        Some(9) => "acks=all, min ISR 2; one broker loses power, the others are up",
        Some(10) => "acks=all, min ISR 2; the leader loses power and is back soon",
        Some(11) => "acks=all, min ISR 2; followers are killed, then the last in-sync replica loses power",
        Some(12) => "acks=all; all in-sync replicas lose power",
        Some(13) => "unclean elections are on; all in-sync replicas are down",
        Some(14) => "acks=all; the leader is paused",
        Some(15) => "acks=all; the leader is cut off",
        Some(16) => "acks=all; a slow disk",
        Some(17) => "acks=all; a disk that is full or fails",
        Some(18) => "idempotent producers",
        _ => "no row: nothing happened that could take it",
    }
}

/// What is to be thought of a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the promise allows it.
    pub allowed: bool,
    /// The row that says so.
    pub row: Option<u8>,
    /// Why, in a sentence.
    pub why: String,
    /// Who led when it was acknowledged, or -1.
    pub leader: i32,
    /// In which epoch, or -1.
    pub leader_epoch: i32,
    /// In-sync replicas then.
    pub isr: Vec<i32>,
    /// `min.insync.replicas` then.
    pub min_isr: i32,
    /// Who held it.
    pub held: Vec<Held>,
    /// What took it.
    pub events: Vec<EventRef>,
    /// Faults that had a part in it.
    pub faults: Vec<FaultRef>,
}

/// Judges a loss.
pub fn judge(loss: &Loss, topic: &str, facts: &Facts, terms: Terms) -> Judgement {
    let line = facts.partition(topic, loss.entry.partition);
    match (line, loss.entry.at_ms) {
        (Some(line), Some(at_ms)) => Case::open(loss, at_ms, line, facts, terms).judge(),
        _ => Judgement {
            allowed: false,
            row: None,
            why: "Where and when it was acknowledged is not known any more, so that nothing can excuse it".into(),
            leader: -1,
            leader_epoch: -1,
            isr: Vec::new(),
            min_isr: 0,
            held: Vec::new(),
            events: Vec::new(),
            faults: Vec::new(),
        },
    }
}

/// Whether an anomaly that is no loss is allowed, and why.
pub fn excuse(
    kind: Kind,
    partition: i32,
    topic: &str,
    facts: &Facts,
    terms: Terms,
    losses_allowed: bool,
) -> Option<&'static str> {
    let is_repeat = matches!(kind, Kind::Duplicate | Kind::NonmonotonicSend);
    if is_repeat && !terms.idempotent {
        return Some("a producer that is not idempotent sends again what it knows too little of");
    }
    let follows_loss = is_repeat || matches!(kind, Kind::InconsistentOffsets | Kind::NonmonotonicPoll | Kind::PollSkip);
    let line = facts.partition(topic, partition);
    let is_excused = |state: &State| state.unclean && (terms.allows_unclean || state.asked);
    let was_unclean = line.is_some_and(|line| line.states().any(is_excused));
    (follows_loss && (was_unclean || losses_allowed)).then_some("records were lost there that could be lost")
}

/// A loss with all that has to do with it.
struct Case<'a> {
    loss: &'a Loss,
    at_ms: i64,
    offset: Option<i64>,
    /// How the partition stood when it was acknowledged.
    then: State,
    line: &'a Timeline,
    /// Leaders that came after, before the loss was found.
    elections: Vec<&'a State>,
    /// Truncations that took the offset.
    cuts: Vec<&'a Cut>,
    /// Faults that hit who held it.
    faults: Vec<&'a Fault>,
    /// When which broker lost what it had not synced, whether it held it or not.
    powerless: Vec<(i64, i32)>,
    terms: Terms,
}

impl<'a> Case<'a> {
    fn open(loss: &'a Loss, at_ms: i64, line: &'a Timeline, facts: &'a Facts, terms: Terms) -> Case<'a> {
        let offset = loss.entry.offset;
        let cuts: Vec<&Cut> = offset.map(|offset| line.cuts_of(offset).collect()).unwrap_or_default();
        let cuts: Vec<&Cut> = cuts.into_iter().filter(|cut| cut.event.at_ms + LATE_MS >= at_ms).collect();
        let then = author(loss, at_ms, line);
        let elections: Vec<&State> =
            line.states().filter(|state| state.deposed.is_some() && state.epoch > then.epoch).collect();
        let concerned: BTreeSet<i32> = then.isr.iter().copied().chain([then.leader]).collect();
        let is_part = |fault: &&Fault| {
            fault.node_ids.iter().any(|node| concerned.contains(node))
                && fault.told.since_ms <= loss.found_ms
                && fault.told.ended_ms.is_none_or(|ended_ms| ended_ms + AFTERMATH_MS >= at_ms)
        };
        let faults = facts.faults().filter(is_part).collect();
        let powerless = facts.faults().filter(|fault| takes_what_is_not_synced(fault)).flat_map(|fault| {
            let since_ms = fault.told.since_ms;
            fault.node_ids.iter().map(move |node| (since_ms, *node))
        });
        let powerless = powerless.filter(|(since_ms, _)| *since_ms >= at_ms - LATE_MS).collect();
        Case { loss, at_ms, offset, then, line, elections, cuts, faults, powerless, terms }
    }

    fn judge(self) -> Judgement {
        let (allowed, row, why) = match self.loss.entry.acks {
            Acks::Leader => self.leader_alone(),
            Acks::All => self.all_in_sync(),
        };
        Judgement {
            allowed,
            row,
            why,
            held: self.held(),
            events: self.events(),
            faults: self.faults.iter().map(|fault| fault.told.clone()).collect(),
            leader: self.then.leader,
            leader_epoch: self.then.epoch,
            isr: self.then.isr,
            min_isr: self.then.min_isr,
        }
    }

    fn unclean(&self) -> Option<(bool, Option<u8>, String)> {
        let unclean = || self.elections.iter().filter(|election| election.unclean);
        let how = |election: &State| {
            format!("Broker {} was elected in epoch {} although it was not in sync", election.leader, election.epoch)
        };
        if let Some(election) = unclean().find(|election| self.terms.allows_unclean || election.asked) {
            return Some((true, Some(13), format!("{}: what only others had is gone", how(election))));
        }
        // The last known leader leads again where nobody eligible is left (KIP-966), without what it lost itself.
        let lost_power = |election: &&&State| {
            let is_it = |(since_ms, node): &(i64, i32)| *node == election.leader && *since_ms <= election.since_ms;
            self.powerless.iter().any(is_it)
        };
        let election = how(unclean().find(lost_power)?);
        if self.terms.flushes_each {
            let why =
                format!("{election}, after it lost power; but flush.messages=1 had every record synced before that");
            return Some((false, Some(12), why));
        }
        let why = format!("{election}: nobody eligible was left, and it had lost power, with what was not synced");
        Some((true, Some(12), why))
    }

    fn leader_alone(&self) -> (bool, Option<u8>, String) {
        if let Some(found) = self.unclean() {
            return found;
        }
        let leader = self.then.leader;
        let below = self.offset.filter(|offset| *offset < self.line.high_watermark(self.then.epoch));
        if let Some(offset) = below {
            let why = format!(
                "Offset {offset} was below the high watermark, so that all in-sync replicas had it, and nothing may take it"
            );
            return (false, Some(2), why);
        }
        if let Some(election) = self.elections.first() {
            let why = format!(
                "acks=1 promises what broker {leader} has; broker {} took over in epoch {} without these records",
                election.leader, election.epoch
            );
            return (true, Some(2), why);
        }
        if self.losses_of_power().any(|(_, node)| node == leader) {
            let why = format!("acks=1 promises what broker {leader} has, and it lost power");
            return (true, Some(2), why);
        }
        let hits_follower = self.faults.iter().any(|fault| !fault.node_ids.contains(&leader));
        let why = format!("Broker {leader} went on leading, so that what it acknowledged must be there");
        (false, hits_follower.then_some(3), why)
    }

    /// When who lost what was not synced.
    fn losses_of_power(&self) -> impl Iterator<Item = (i64, i32)> {
        let since = self.at_ms - LATE_MS;
        let takes = |fault: &&&Fault| takes_what_is_not_synced(fault);
        let of = |fault: &&Fault| {
            let since_ms = fault.told.since_ms;
            fault.node_ids.iter().map(move |node| (since_ms, *node)).collect::<Vec<_>>()
        };
        self.faults.iter().filter(takes).flat_map(of).filter(move |(since_ms, _)| *since_ms >= since)
    }

    /// Whether there was a moment at which nobody had it any more who had been in sync.
    fn nobody_was_left(&self) -> bool {
        // Who lost power has it again once it is back in the ISR.
        let mut steps: Vec<(i64, Result<i32, Vec<i32>>)> =
            self.losses_of_power().map(|(at_ms, node)| (at_ms, Ok(node))).collect();
        let later = self.line.states().filter(|state| state.since_ms > self.at_ms && state.epoch >= self.then.epoch);
        steps.extend(later.map(|state| (state.since_ms, Err(state.isr.clone()))));
        steps.sort_by_key(|(at_ms, _)| *at_ms);
        let mut holders: BTreeSet<i32> = self.then.isr.iter().copied().collect();
        let mut isr = holders.clone();
        for (_, step) in steps {
            match step {
                Ok(node) => drop(holders.remove(&node)),
                Err(now) => {
                    let now: BTreeSet<i32> = now.into_iter().collect();
                    holders.extend(now.difference(&isr));
                    isr = now;
                }
            }
            if holders.is_empty() {
                return true;
            }
        }
        false
    }

    fn all_in_sync(&self) -> (bool, Option<u8>, String) {
        if let Some(found) = self.unclean() {
            return found;
        }
        let isr = crate::monitor::names::nodes(&self.then.isr);
        if self.nobody_was_left() {
            let alone = self.then.isr.len() == 1 && self.then.min_isr <= 1;
            let row = Some(if alone { 8 } else { 12 });
            if self.terms.flushes_each {
                let why = "All in-sync replicas lost power, but flush.messages=1 had every record synced before that";
                return (false, row, why.into());
            }
            let why = format!(
                "All who were in sync then ({isr}) lost what was not synced before they could replicate it again"
            );
            return (true, row, why);
        }
        let row = self.broken_row();
        let why = match row {
            Some(_) => format!("It was on all in-sync replicas ({isr}), and what happened since may not take it"),
            None => format!("It was on all in-sync replicas ({isr}), and nothing happened to these since"),
        };
        (false, row, why)
    }

    /// The row that was broken: the worst that happened.
    fn broken_row(&self) -> Option<u8> {
        let leader = self.then.leader;
        let hit = |kinds: &[&str]| -> BTreeSet<i32> {
            let of_kind = self.faults.iter().filter(|fault| kinds.contains(&fault.told.kind.as_str()));
            of_kind.flat_map(|fault| fault.node_ids.iter().copied()).collect()
        };
        let powerless = hit(&["power_loss", "corrupt_tail"]);
        let killed = hit(&["kill", "zone_outage", "stop"]);
        let alone = self.then.isr.len() == 1;
        let killed_in_isr = self.then.isr.iter().filter(|node| killed.contains(node)).count();
        if !powerless.is_empty() {
            let row = if !killed.is_empty() {
                11
            } else if powerless.contains(&leader) {
                10
            } else {
                9
            };
            return Some(row);
        }
        match killed.len() {
            0 => {}
            _ if alone && self.then.min_isr <= 1 => return Some(7),
            _ if killed_in_isr >= self.then.isr.len().max(3) => return Some(6),
            1 => return Some(4),
            _ => return Some(5),
        }
        let rows: [(&[&str], u8); 4] = [
            (&["pause"], 14),
            (&["isolate", "cut", "drop", "delay"], 15),
            (&["disk_full", "disk_error"], 17),
            (&["slow_disk"], 16),
        ];
        rows.into_iter().find(|(kinds, _)| !hit(kinds).is_empty()).map(|(_, row)| row)
    }

    fn held(&self) -> Vec<Held> {
        let mut held: Vec<Held> = Vec::new();
        let mut put = |node_id: i32, how: String| match held.iter_mut().find(|known| known.node_id == node_id) {
            Some(known) => known.how = format!("{}; {how}", known.how),
            None if node_id >= 0 => held.push(Held { node_id, how }),
            None => {}
        };
        put(self.then.leader, format!("led in epoch {} and acknowledged it", self.then.epoch));
        if self.loss.entry.acks == Acks::All {
            self.then
                .isr
                .iter()
                .filter(|node| **node != self.then.leader)
                .for_each(|node| put(*node, "was in the ISR".into()));
        }
        let offset = self.offset.unwrap_or(i64::MAX);
        for (node, end) in self.line.reached(self.then.epoch, offset) {
            put(node, format!("its log was seen to end at {end} in that epoch"));
        }
        for cut in &self.cuts {
            put(cut.node_id, format!("it cut its log back from {} to {}", cut.from, cut.to));
        }
        held
    }

    fn events(&self) -> Vec<EventRef> {
        let changes = self.line.states().filter(|state| {
            state.epoch >= self.then.epoch
                && state.since_ms + AFTERMATH_MS >= self.at_ms
                && state.since_ms <= self.loss.found_ms + LATE_MS
        });
        let told = changes.filter_map(|state| state.event.clone());
        let mut events: Vec<EventRef> = told.chain(self.cuts.iter().map(|cut| cut.event.clone())).collect();
        events.sort_by_key(|event| (event.at_ms, event.seq));
        events.dedup();
        events.truncate(EVENTS_MAX);
        events
    }
}

fn takes_what_is_not_synced(fault: &Fault) -> bool {
    matches!(fault.told.kind.as_str(), "power_loss" | "corrupt_tail")
}

/// How the partition stood for whoever acknowledged: it may have been deposed already, and not have known. Where the client library did not tell
/// who it was, it is taken to be who led then.
fn author(loss: &Loss, at_ms: i64, line: &Timeline) -> State {
    let broker = loss.entry.broker;
    let reigns = || line.states().filter(|state| state.leader == broker);
    let own = reigns().rev().find(|state| state.since_ms <= at_ms).or_else(|| reigns().next());
    let told = own.map(|own| line.in_epoch(own.epoch, at_ms).unwrap_or(own));
    let unknown = State {
        since_ms: 0,
        leader: broker,
        epoch: -1,
        isr: Vec::new(),
        min_isr: 0,
        deposed: None,
        unclean: false,
        asked: false,
        event: None,
    };
    told.or_else(|| line.at(at_ms).filter(|_| broker < 0)).cloned().unwrap_or(unknown)
}
