//! What is drawn along the time: when a node was down, a partition out of sync, a group without rest, a fault in force, an alarm ringing.
//! What is well is not drawn.
//!
//! Pure: it compares each snapshot with the one before. Bounded by [`LANES_MAX`] and [`SPANS_MAX`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use broker::metadata::report::NodeState;

use crate::monitor::cloudwatch::alarm::AlarmState;
use crate::monitor::names::state_word;
use crate::monitor::snapshot::{Broker, Partition, Snapshot, Topic};
use crate::monitor::view::{Severity, View};

/// Lanes that are watched; that to which nothing happened for the longest time goes first.
const LANES_MAX: usize = 2_000;
/// Spans of one lane.
const SPANS_MAX: usize = 300;
/// Partitions, and groups, that are shown.
const SHOWN_MAX: usize = 6;
/// Partitions whose growth is watched.
const WATCHED_MAX: usize = 200_000;
/// How often that is looked at, ms.
const GROWTH_EVERY_MS: i64 = 5_000;

/// What a lane is of; lanes stand in this order.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Faults in force.
    Faults,
    /// A broker.
    Broker(i32),
    /// A controller.
    Controller(i32),
    /// A partition.
    Partition(Arc<str>, i32),
    /// A group.
    Group(Arc<str>),
    /// Alarms in state ALARM.
    Alarms,
}

/// How something was for a while.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Span {
    /// Since when.
    pub from_ms: i64,
    /// Until when; `None`: it is.
    pub until_ms: Option<i64>,
    /// How grave it is.
    pub severity: Severity,
    /// In a few words.
    pub words: String,
}

/// A lane.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Lane {
    /// What it is of.
    pub subject: Subject,
    /// What was not well, or is worth knowing; oldest first.
    pub spans: VecDeque<Span>,
    /// Instants: another leader, another generation; oldest first.
    pub marks: VecDeque<(i64, String)>,
}

/// All lanes that are shown.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct Lanes {
    /// In the order of their subjects.
    pub lanes: Vec<Lane>,
}

/// How a thing stands: how grave, and in which words.
type State = Option<(Severity, String)>;

/// Watches snapshots.
#[derive(Debug, Default)]
pub struct Tracker {
    lanes: BTreeMap<Subject, Lane>,
    before: Arc<Snapshot>,
    /// High watermark, and how fast it grew of late, by partition.
    growth: HashMap<(Arc<str>, i32), (i64, f64)>,
    grown_ms: i64,
    is_news: bool,
}

impl Tracker {
    /// Takes in what is new in a view.
    pub fn note(&mut self, view: &View) {
        let snapshot = view.snapshot.clone();
        let at_ms = snapshot.at_ms;
        for broker in &snapshot.brokers {
            self.state(Subject::Broker(broker.id), at_ms, broker_state(broker));
        }
        for voter in &snapshot.quorum.voters {
            let state = match voter.state {
                NodeState::Running if voter.role == "leader" => {
                    Some((Severity::Info, format!("active controller, epoch {}", snapshot.quorum.epoch)))
                }
                NodeState::Running => None,
                state => Some(down(state)),
            };
            self.state(Subject::Controller(voter.id), at_ms, state);
        }
        self.topics(&snapshot);
        self.groups(&snapshot);
        self.many(Subject::Faults, at_ms, snapshot.faults.iter().map(|fault| (Severity::Warning, fault.what.clone())));
        let alarms = view.cloudwatch.alarms.alarms.values().filter(|status| status.state == AlarmState::Alarm);
        self.many(Subject::Alarms, at_ms, alarms.map(|status| (status.alarm.severity, status.alarm.name.clone())));
        self.grow(&snapshot);
        self.before = snapshot;
        while self.lanes.len() > LANES_MAX {
            self.forget_one();
        }
    }

    fn topics(&mut self, snapshot: &Snapshot) {
        let before = self.before.clone();
        let mut known = before.topics.iter().peekable();
        for topic in &snapshot.topics {
            while known.peek().is_some_and(|known| known.name < topic.name) {
                known.next();
            }
            let known = known.peek().filter(|known| known.name == topic.name);
            if known.is_some_and(|known| Arc::ptr_eq(known, topic)) {
                continue;
            }
            for (index, partition) in topic.partitions.iter().enumerate() {
                self.partition(snapshot.at_ms, topic, partition, known.and_then(|known| known.partitions.get(index)));
            }
        }
    }

    fn partition(&mut self, at_ms: i64, topic: &Topic, partition: &Partition, before: Option<&Partition>) {
        let subject = || Subject::Partition(topic.name.clone(), partition.id);
        let state = partition_state(topic, partition);
        let leader = before.map(|before| before.leader).filter(|leader| *leader != partition.leader);
        if state.is_some() || leader.is_some() || before.is_some_and(Partition::is_under_replicated) {
            self.state(subject(), at_ms, state);
        }
        if let Some(from) = leader {
            let name = |id: i32| if id < 0 { "nobody".to_owned() } else { format!("broker {id}") };
            self.mark(subject(), at_ms, format!("led by {} (was {})", name(partition.leader), name(from)));
        }
    }

    fn groups(&mut self, snapshot: &Snapshot) {
        let before = self.before.clone();
        for group in &snapshot.groups {
            let state = match group.state {
                "Stable" | "Empty" => None,
                state => Some((Severity::Warning, state.to_owned())),
            };
            let subject = Subject::Group(group.id.clone());
            let known = before.groups.binary_search_by(|known| known.id.cmp(&group.id));
            let generation = known.ok().map(|place| before.groups[place].generation);
            if generation.is_some_and(|generation| generation != group.generation) {
                self.mark(subject.clone(), snapshot.at_ms, format!("{} {}", group.counter(), group.generation));
            }
            self.state(subject, snapshot.at_ms, state);
        }
    }

    /// How a thing stands now: what it was before is over.
    fn state(&mut self, subject: Subject, at_ms: i64, state: State) {
        let known = self.lanes.get(&subject).and_then(|lane| lane.spans.back()).filter(|span| span.until_ms.is_none());
        let is_same = match (known, &state) {
            (None, None) => self.lanes.contains_key(&subject) || !is_always_shown(&subject),
            (Some(span), Some((severity, words))) => span.severity == *severity && span.words == *words,
            _ => false,
        };
        if is_same {
            return;
        }
        let lane = self.lane(subject);
        if let Some(open) = lane.spans.back_mut().filter(|span| span.until_ms.is_none()) {
            open.until_ms = Some(at_ms);
        }
        if let Some((severity, words)) = state {
            push(&mut lane.spans, Span { from_ms: at_ms, until_ms: None, severity, words });
        }
    }

    /// Several things at once in one lane.
    fn many(&mut self, subject: Subject, at_ms: i64, now: impl Iterator<Item = (Severity, String)>) {
        let mut now: Vec<(Severity, String)> = now.collect();
        let is_open = |lane: &Lane| lane.spans.iter().any(|span| span.until_ms.is_none());
        if now.is_empty() && self.lanes.get(&subject).is_none_or(|lane| !is_open(lane)) {
            return;
        }
        let lane = self.lanes.entry(subject.clone()).or_insert_with(|| Lane::of(subject));
        for span in lane.spans.iter_mut().filter(|span| span.until_ms.is_none()) {
            match now.iter().position(|(_, words)| *words == span.words) {
                Some(place) => drop(now.swap_remove(place)),
                None => (span.until_ms, self.is_news) = (Some(at_ms), true),
            }
        }
        for (severity, words) in now {
            push(&mut lane.spans, Span { from_ms: at_ms, until_ms: None, severity, words });
            self.is_news = true;
        }
    }

    fn mark(&mut self, subject: Subject, at_ms: i64, words: String) {
        push(&mut self.lane(subject).marks, (at_ms, words));
    }

    fn lane(&mut self, subject: Subject) -> &mut Lane {
        self.is_news = true;
        self.lanes.entry(subject.clone()).or_insert_with(|| Lane::of(subject))
    }

    fn forget_one(&mut self) {
        let can_go = self.lanes.values().filter(|lane| !is_always_shown(&lane.subject));
        let Some(oldest) = can_go.min_by_key(|lane| lane.touched_ms()).map(|lane| lane.subject.clone()) else { return };
        self.lanes.remove(&oldest);
    }

    fn grow(&mut self, snapshot: &Snapshot) {
        let passed_ms = snapshot.at_ms - self.grown_ms;
        if (0..GROWTH_EVERY_MS).contains(&passed_ms) {
            return;
        }
        self.grown_ms = snapshot.at_ms;
        let mut growth = HashMap::with_capacity(self.growth.len());
        for topic in snapshot.topics.iter().filter(|topic| !topic.internal) {
            for partition in topic.partitions.iter().take(WATCHED_MAX - growth.len().min(WATCHED_MAX)) {
                let name = (topic.name.clone(), partition.id);
                let end = partition.high_watermark;
                let (before, score) = self.growth.get(&name).copied().unwrap_or((end, 0.0));
                growth.insert(name, (end, score * 0.8 + (end - before).max(0) as f64));
            }
        }
        self.growth = growth;
        self.is_news = true;
    }

    /// The lanes as they are to be shown, if they changed.
    pub fn news(&mut self) -> Option<Lanes> {
        std::mem::take(&mut self.is_news).then(|| self.lanes())
    }

    fn lanes(&self) -> Lanes {
        let mut busy: Vec<(&(Arc<str>, i32), f64)> = self
            .growth
            .iter()
            .filter(|(_, (_, score))| *score > 0.0)
            .map(|(name, (_, score))| (name, *score))
            .collect();
        busy.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
        // Those that had trouble, the latest first; then the busiest.
        let troubled = |is_kind: fn(&Subject) -> bool| {
            let mut lanes: Vec<&Lane> = self.lanes.values().filter(|lane| is_kind(&lane.subject)).collect();
            lanes.sort_by_key(|lane| std::cmp::Reverse((!lane.spans.is_empty(), lane.touched_ms())));
            lanes.into_iter().take(SHOWN_MAX).cloned()
        };
        let mut partitions: Vec<Lane> =
            troubled(|subject| matches!(subject, Subject::Partition(..))).take(SHOWN_MAX / 2).collect();
        for ((topic, partition), _) in busy {
            let subject = Subject::Partition(topic.clone(), *partition);
            if partitions.len() < SHOWN_MAX && partitions.iter().all(|lane| lane.subject != subject) {
                partitions.push(self.lanes.get(&subject).cloned().unwrap_or_else(|| Lane::of(subject)));
            }
        }
        let always = self.lanes.values().filter(|lane| is_always_shown(&lane.subject)).cloned();
        let groups = troubled(|subject| matches!(subject, Subject::Group(_)));
        let mut lanes: Vec<Lane> = always.chain(partitions).chain(groups).collect();
        lanes.sort_by(|one, other| one.subject.cmp(&other.subject));
        Lanes { lanes }
    }
}

impl Lane {
    fn of(subject: Subject) -> Lane {
        Lane { subject, spans: VecDeque::new(), marks: VecDeque::new() }
    }

    /// When something happened to it last.
    fn touched_ms(&self) -> i64 {
        let span = self.spans.back().map(|span| span.until_ms.unwrap_or(i64::MAX));
        span.max(self.marks.back().map(|(at_ms, _)| *at_ms)).unwrap_or(i64::MIN)
    }

    /// What it is of, in a few words.
    pub fn name(&self) -> String {
        match &self.subject {
            Subject::Faults => "Faults".into(),
            Subject::Broker(id) => format!("Broker {id}"),
            Subject::Controller(id) => format!("Controller {id}"),
            Subject::Partition(topic, partition) => format!("{topic}-{partition}"),
            Subject::Group(id) => format!("Group {id}"),
            Subject::Alarms => "Alarms".into(),
        }
    }
}

fn is_always_shown(subject: &Subject) -> bool {
    matches!(subject, Subject::Faults | Subject::Alarms | Subject::Broker(_) | Subject::Controller(_))
}

fn push<T>(items: &mut VecDeque<T>, item: T) {
    if items.len() == SPANS_MAX {
        items.pop_front();
    }
    items.push_back(item);
}

fn broker_state(broker: &Broker) -> State {
    match broker.state {
        NodeState::Running if broker.fenced => Some((Severity::Warning, "fenced".into())),
        NodeState::Running => None,
        state => Some(down(state)),
    }
}

fn down(state: NodeState) -> (Severity, String) {
    let severity = match state {
        NodeState::Running | NodeState::Starting => Severity::Info,
        NodeState::Stopping | NodeState::Stopped => Severity::Warning,
        NodeState::Killed | NodeState::Paused => Severity::Critical,
    };
    (severity, state_word(state).into())
}

fn partition_state(topic: &Topic, partition: &Partition) -> State {
    if partition.is_offline() {
        Some((Severity::Critical, "no leader".into()))
    } else if partition.isr.len() < partition.min_isr(topic) {
        Some((Severity::Critical, format!("under min ISR: {:?}", partition.isr)))
    } else if partition.is_under_replicated() {
        Some((Severity::Warning, format!("ISR {:?} of {:?}", partition.isr, partition.replicas)))
    } else {
        None
    }
}
