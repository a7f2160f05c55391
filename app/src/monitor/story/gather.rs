//! Which events belong together: a cause that followed from nothing, and all that followed from it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use broker::metadata::report::NodeState;

use crate::monitor::fact::Fact;
use crate::monitor::view::EventEntry;

/// Causes that are looked at, the newest: many of them are nobody's story.
const ROOTS_MAX: usize = 2_000;

/// The events of a story; each stands behind those that it followed from.
#[derive(Debug)]
pub struct Gathered<'e> {
    /// The cause first.
    pub entries: Vec<&'e EventEntry>,
    /// Of each, those of them that it followed from.
    pub causes: Vec<Vec<usize>>,
}

impl<'e> Gathered<'e> {
    /// The event that it begins with.
    pub fn root(&self) -> &'e EventEntry {
        self.entries[0]
    }

    /// When it began: with its cause, or with what that did at once. A fault is told when it is done.
    pub fn began_ms(&self) -> i64 {
        let root_ms = self.root().at_ms;
        let is_of_root = |index: &usize| self.causes[*index].contains(&0);
        let first = (1..self.entries.len()).filter(is_of_root).map(|index| self.entries[index].at_ms).min();
        match &self.root().fact {
            Fact::FaultBegan { .. } => first.map_or(root_ms, |first| first.min(root_ms)),
            _ => root_ms,
        }
    }
}

/// All stories, those with the newest causes first.
pub fn gather(events: &VecDeque<Arc<EventEntry>>, max: usize) -> Vec<Gathered<'_>> {
    let graph = Graph::of(events);
    let roots = (0..events.len()).rev().filter(|index| graph.causes[*index].is_empty());
    let is_told = |index: &usize| !graph.effects[*index].is_empty() || stands_alone(&events[*index].fact);
    roots
        .filter(is_told)
        .take(ROOTS_MAX)
        .map(|root| graph.follow(events, root))
        .filter(|gathered| gathered.entries.iter().any(|entry| is_trouble(&entry.fact)))
        .take(max)
        .collect()
}

/// What is worth a story though nothing followed from it yet.
fn stands_alone(fact: &Fact) -> bool {
    match fact {
        Fact::FaultBegan { .. } => true,
        Fact::Node { state, .. } => matches!(state, NodeState::Killed | NodeState::Paused),
        Fact::Isr { from, to, .. } => to.len() < from.len(),
        Fact::Leader { to, is_unclean, .. } => *to < 0 || *is_unclean,
        _ => false,
    }
}

/// A broker that starts for the first time, or a topic that is made, is no story.
fn is_trouble(fact: &Fact) -> bool {
    match fact {
        Fact::Fenced { .. } | Fact::Group { .. } | Fact::Truncated { .. } | Fact::Resigned { .. } => true,
        Fact::Leader { from, .. } => *from >= 0,
        Fact::Controller { before, .. } => *before >= 0,
        Fact::Replicas { .. } => true,
        _ => stands_alone(fact),
    }
}

/// The links, both ways, by place in the log.
struct Graph {
    causes: Vec<Vec<usize>>,
    effects: Vec<Vec<usize>>,
}

impl Graph {
    fn of(events: &VecDeque<Arc<EventEntry>>) -> Graph {
        let places: HashMap<u64, usize> = events.iter().enumerate().map(|(place, entry)| (entry.seq, place)).collect();
        let mut graph = Graph { causes: vec![Vec::new(); events.len()], effects: vec![Vec::new(); events.len()] };
        for (place, entry) in events.iter().enumerate() {
            for cause in entry.because_of.iter().filter_map(|seq| places.get(seq)) {
                graph.link(*cause, place);
            }
            for effect in entry.led_to.iter().filter_map(|seq| places.get(seq)) {
                graph.link(place, *effect);
            }
        }
        graph
    }

    fn link(&mut self, cause: usize, effect: usize) {
        if cause != effect && !self.causes[effect].contains(&cause) {
            self.causes[effect].push(cause);
            self.effects[cause].push(effect);
        }
    }

    /// All that followed from `root`, causes before effects, else as they were told.
    fn follow<'e>(&self, events: &'e VecDeque<Arc<EventEntry>>, root: usize) -> Gathered<'e> {
        let reached = self.reached(root);
        let mut awaited: HashMap<usize, usize> = HashMap::new();
        for place in &reached {
            awaited.insert(*place, self.causes[*place].iter().filter(|cause| reached.contains(cause)).count());
        }
        let mut ready: BinaryHeap<Reverse<usize>> = BinaryHeap::from([Reverse(root)]);
        let mut order = Vec::with_capacity(reached.len());
        while let Some(Reverse(place)) = ready.pop() {
            order.push(place);
            for effect in &self.effects[place] {
                if let Some(left) = awaited.get_mut(effect) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        ready.push(Reverse(*effect));
                    }
                }
            }
        }
        // Events that each claim the other as their cause are never ready: they are left out.
        let index: HashMap<usize, usize> = order.iter().enumerate().map(|(index, place)| (*place, index)).collect();
        let causes = |place: &usize| self.causes[*place].iter().filter_map(|cause| index.get(cause).copied()).collect();
        Gathered {
            causes: order.iter().map(causes).collect(),
            entries: order.iter().map(|place| &*events[*place]).collect(),
        }
    }

    fn reached(&self, root: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([root]);
        let mut open = vec![root];
        while let Some(place) = open.pop() {
            open.extend(self.effects[place].iter().filter(|effect| reached.insert(**effect)));
        }
        reached
    }
}
