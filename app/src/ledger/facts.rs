//! What the cluster told of itself: who led a partition when and with which in-sync replicas, what was cut from logs, and which faults there were.
//!
//! Elections, changes of the ISR and truncations are those that the nodes told; logs' ends and high watermarks are samples.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::metadata::report::{Cause, Event};

use crate::monitor::command::FaultRequest;
use crate::monitor::ledger::{EventRef, FaultRef};
use crate::monitor::snapshot::{ActiveFault, Partition};
use crate::monitor::view::EventEntry;

/// States of a partition that are remembered, the newest.
const STATES_MAX: usize = 512;
/// Truncations of a partition that are remembered, the newest.
const CUTS_MAX: usize = 128;
/// Logs' ends of a partition that are remembered.
const ENDS_MAX: usize = 128;
/// Faults that are remembered, the newest.
const FAULTS_MAX: usize = 1_000;
/// A clock that is farther off than this is not believed.
const SKEW_MAX_MS: i64 = 2_000;

/// How a partition stood, from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Since when.
    pub since_ms: i64,
    /// Its leader, or -1.
    pub leader: i32,
    /// Leader epoch.
    pub epoch: i32,
    /// In-sync replicas.
    pub isr: Vec<i32>,
    /// `min.insync.replicas`, as it was sampled.
    pub min_isr: i32,
    /// Of a new leader: who led before.
    pub deposed: Option<i32>,
    /// A new leader came from outside of the ISR.
    pub unclean: bool,
    /// An operator asked for its election.
    pub asked: bool,
    /// The event that told it; `None`: it was sampled.
    pub event: Option<EventRef>,
}

/// A replica cut its log back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which broker's.
    pub node_id: i32,
    /// Log end before.
    pub from: i64,
    /// Log end after.
    pub to: i64,
    /// The event that told it.
    pub event: EventRef,
}

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    states: VecDeque<State>,
    cuts: VecDeque<Cut>,
    /// The farthest log end seen, by leader epoch and broker.
    ends: BTreeMap<(i32, i32), i64>,
    /// The highest high watermark seen, by leader epoch.
    high_watermarks: BTreeMap<i32, i64>,
}

impl Timeline {
    fn push(&mut self, state: State) {
        if self.states.len() == STATES_MAX {
            self.states.pop_front();
        }
        // Events of two nodes may come in another order than they happened.
        let at = self.states.partition_point(|known| known.since_ms <= state.since_ms);
        self.states.insert(at, state);
    }

    /// How it stood at some time; before anything was known, how it stood first.
    pub fn at(&self, at_ms: i64) -> Option<&State> {
        let after = self.states.partition_point(|known| known.since_ms <= at_ms);
        self.states.get(after.saturating_sub(1))
    }

    /// How it stood at the end of an epoch's reign, as far as that was told.
    pub fn in_epoch(&self, epoch: i32, at_ms: i64) -> Option<&State> {
        let reign = || self.states.iter().filter(|state| state.epoch == epoch);
        reign().rev().find(|state| state.since_ms <= at_ms).or_else(|| reign().next())
    }

    /// All states, oldest first.
    pub fn states(&self) -> impl DoubleEndedIterator<Item = &State> {
        self.states.iter()
    }

    /// Truncations that took an offset, oldest first.
    pub fn cuts_of(&self, offset: i64) -> impl Iterator<Item = &Cut> {
        self.cuts.iter().filter(move |cut| (cut.to..cut.from).contains(&offset))
    }

    /// Brokers whose logs were seen to reach beyond an offset in an epoch, and how far.
    pub fn reached(&self, epoch: i32, offset: i64) -> impl Iterator<Item = (i32, i64)> {
        let of_epoch = self.ends.range((epoch, i32::MIN)..=(epoch, i32::MAX));
        of_epoch.filter(move |(_, end)| **end > offset).map(|((_, node), end)| (*node, *end))
    }

    /// The highest high watermark that was seen up to an epoch; it may have been higher.
    pub fn high_watermark(&self, epoch: i32) -> i64 {
        self.high_watermarks.range(..=epoch).map(|(_, seen)| *seen).max().unwrap_or(-1)
    }
}

/// A fault, and whom it hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// All nodes that it hit.
    pub node_ids: Vec<i32>,
    /// For people.
    pub told: FaultRef,
    /// As it was asked for.
    pub request: Option<FaultRequest>,
}

/// What is known of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    partitions: BTreeMap<(Arc<str>, i32), Timeline>,
    faults: BTreeMap<u64, Fault>,
    /// Events that came too quickly to be taken in.
    missed_events: u64,
    generation: u64,
}

/// An event for people.
pub fn told(entry: &EventEntry) -> EventRef {
    EventRef { seq: entry.seq, at_ms: entry.at_ms, text: entry.text.clone(), cause: entry.cause.clone() }
}

impl Facts {
    /// Nothing is remembered of topics that nobody asks for.
    pub fn keep_topics(&mut self, is_asked_for: impl Fn(&str) -> bool) {
        self.partitions.retain(|(topic, _), _| is_asked_for(topic));
    }

    /// What is known of a partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&Timeline> {
        self.partitions.get(&(Arc::from(topic), partition))
    }

    /// Faults, oldest first.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.values()
    }

    /// So many events could not be taken in.
    pub fn missed(&mut self, events: u64) {
        self.missed_events += events;
    }

    /// Events that could not be taken in.
    pub fn missed_events(&self) -> u64 {
        self.missed_events
    }

    /// Grows with each change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Something happened; only what is about topics that are asked for is remembered.
    pub fn event(&mut self, entry: &EventEntry, event: &Event, now_ms: i64, is_asked_for: impl Fn(&str) -> bool) {
        let partition = match event {
            Event::LeaderElected { partition, .. }
            | Event::IsrChanged { partition, .. }
            | Event::LogTruncated { partition, .. }
                if is_asked_for(&partition.topic) =>
            {
                partition
            }
            _ => return,
        };
        self.generation += 1;
        let line = self.partitions.entry((partition.topic.clone(), partition.partition)).or_default();
        // A node whose clock is wrong would put it among what happened at another time.
        let is_skewed = (now_ms - entry.at_ms).abs() > SKEW_MAX_MS;
        let since_ms = if is_skewed { now_ms } else { entry.at_ms };
        let before = line.states.back();
        match event {
            Event::LeaderElected { from, to, leader_epoch, unclean, because, .. } => line.push(State {
                since_ms,
                leader: *to,
                epoch: *leader_epoch,
                isr: before.map_or_else(Vec::new, |known| known.isr.clone()),
                min_isr: before.map_or(0, |known| known.min_isr),
                deposed: Some(*from),
                unclean: *unclean,
                asked: *because == Cause::Operator,
                event: Some(told(entry)),
            }),
            Event::IsrChanged { to, .. } => {
                let (leader, epoch, min_isr) =
                    before.map_or((-1, -1, 0), |known| (known.leader, known.epoch, known.min_isr));
                let event = Some(told(entry));
                line.push(State {
                    since_ms,
                    leader,
                    epoch,
                    isr: to.clone(),
                    min_isr,
                    deposed: None,
                    unclean: false,
                    asked: false,
                    event,
                });
            }
            Event::LogTruncated { from_offset, to_offset, .. } => {
                if line.cuts.len() == CUTS_MAX {
                    line.cuts.pop_front();
                }
                line.cuts.push_back(Cut {
                    node_id: entry.node_id,
                    from: *from_offset,
                    to: *to_offset,
                    event: told(entry),
                });
            }
            _ => {}
        }
    }

    /// How a partition was seen to stand.
    pub fn sample(&mut self, topic: &Arc<str>, seen: &Partition, min_isr: i32, at_ms: i64) {
        let line = self.partitions.entry((topic.clone(), seen.id)).or_default();
        for (node, end) in &seen.log_end_offsets {
            let known = line.ends.entry((seen.leader_epoch, *node)).or_insert(-1);
            *known = (*known).max(*end);
        }
        while line.ends.len() > ENDS_MAX {
            line.ends.pop_first();
        }
        let known = line.high_watermarks.entry(seen.leader_epoch).or_insert(-1);
        *known = (*known).max(seen.high_watermark);
        while line.high_watermarks.len() > ENDS_MAX {
            line.high_watermarks.pop_first();
        }
        let is_known = line.states.back().is_some_and(|known| {
            (known.leader, known.epoch, known.min_isr) == (seen.leader, seen.leader_epoch, min_isr)
                && known.isr == seen.isr
        });
        // What events told last may be newer than the sample.
        let is_older = line.states.back().is_some_and(|known| {
            known.epoch > seen.leader_epoch || (known.since_ms > at_ms && known.epoch == seen.leader_epoch)
        });
        if is_known || is_older {
            return;
        }
        self.generation += 1;
        let elected = line.states.back().filter(|known| known.epoch < seen.leader_epoch).map(|known| known.leader);
        line.push(State {
            since_ms: at_ms,
            leader: seen.leader,
            epoch: seen.leader_epoch,
            isr: seen.isr.clone(),
            min_isr,
            deposed: elected,
            unclean: false,
            asked: false,
            event: None,
        });
    }

    /// A fault is in force, or over.
    pub fn fault(&mut self, fault: &ActiveFault, ended_ms: Option<i64>) {
        let known = self.faults.entry(fault.id);
        let is_news = match &known {
            std::collections::btree_map::Entry::Vacant(_) => true,
            std::collections::btree_map::Entry::Occupied(known) => known.get().told.ended_ms != ended_ms,
        };
        if !is_news {
            return;
        }
        self.generation += 1;
        // Whoever was started again is not named by the fault any more, and was hit all the same.
        let known = known.or_insert_with(|| Fault {
            node_ids: fault.node_ids.clone(),
            request: Some((*fault.request).clone()),
            told: FaultRef {
                id: fault.id,
                kind: fault.kind.clone(),
                what: fault.what.clone(),
                since_ms: fault.since_ms,
                ended_ms,
            },
        });
        known.told.ended_ms = ended_ms;
        while self.faults.len() > FAULTS_MAX {
            self.faults.pop_first();
        }
    }
}
