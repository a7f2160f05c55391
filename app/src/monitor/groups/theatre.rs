//! A group's generations, as far back as they are kept: who was in each, with what, who came and went before it and why, and how long it took.
//!
//! A classic group tells a rebalance when it begins (still in its old generation) and when the next generation stands; a group of the other
//! kinds tells each new epoch, and is at rest when all members have what they should. Members that come and go are told one by one, before
//! the generation that they make.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use broker::metadata::report::{Event, GroupReport, MemberChange, MemberIdentity, MemberReport, NodeEvent};
use broker::types::{NO_NODE, NodeId, TopicPartition};

/// Generations that are kept of each group.
pub const GENERATIONS_KEPT: usize = 60;
/// Groups that are kept; the one to which nothing happened for the longest time goes first.
pub const GROUPS_KEPT: usize = 500;
/// Assigned partitions that are kept over all generations of all groups; the oldest generation goes first.
pub const CELLS_KEPT: usize = 400_000;
/// Members that came or went, kept of one generation.
pub const NEWS_KEPT: usize = 200;

/// Somebody came or went.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct News {
    /// Wall clock of the coordinator.
    pub at_ms: i64,
    /// Who.
    pub member: MemberIdentity,
    /// What became of it.
    pub change: MemberChange,
}

/// One generation of a classic group, or one epoch of another.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Default)]
pub struct Generation {
    /// Its number.
    pub number: i32,
    /// `classic`, `consumer`, `share` or `streams`; empty: not told yet.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub kind: &'static str,
    /// State as told last.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub state: &'static str,
    /// Assignor.
    pub protocol: String,
    /// Broker that told it.
    pub coordinator: NodeId,
    /// When it was heard of first.
    pub at_ms: i64,
    /// When the rebalance began that led to it; `None`: not seen.
    pub began_ms: Option<i64>,
    /// When all members had what they should; `None`: not yet, or not seen.
    pub settled_ms: Option<i64>,
    /// Why, as the coordinator put it; empty: not seen.
    pub cause: String,
    /// Who came and went before it; at most [`NEWS_KEPT`].
    pub news: Vec<News>,
    /// Its members, with what they had.
    pub members: Arc<[MemberReport]>,
}

impl Generation {
    /// How long the rebalance took.
    pub fn took_ms(&self) -> Option<i64> {
        Some((self.settled_ms? - self.began_ms?).max(0))
    }

    /// Who held each partition.
    pub fn holders(&self) -> BTreeMap<&TopicPartition, &MemberReport> {
        let of = |member| -> Box<dyn Iterator<Item = (&TopicPartition, &MemberReport)>> {
            let member: &MemberReport = member;
            Box::new(member.assignment.iter().map(move |partition| (partition, member)))
        };
        self.members.iter().flat_map(of).collect()
    }

    fn cells(&self) -> usize {
        let of = |member: &MemberReport| 1 + member.assignment.len() + member.target.as_ref().map_or(0, Vec::len);
        1 + self.news.len() + self.members.iter().map(of).sum::<usize>()
    }
}

/// A partition that is with another member than in the generation before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub partition: TopicPartition,
    /// Member id that had it; `None`: nobody.
    pub from: Option<String>,
    /// Member id that has it; `None`: nobody.
    pub to: Option<String>,
}

/// What moved from one generation to the next. A static member that came back under another id is the same as before.
pub fn moved(before: &Generation, after: &Generation) -> Vec<Moved> {
    let (had, has) = (before.holders(), after.holders());
    let same = |one: &MemberReport, other: &MemberReport| {
        one.member_id == other.member_id || (one.instance_id.is_some() && one.instance_id == other.instance_id)
    };
    let all: BTreeSet<&TopicPartition> = had.keys().chain(has.keys()).copied().collect();
    let id = |member: &&MemberReport| member.member_id.clone();
    let changed = all.into_iter().filter(|partition| match (had.get(partition), has.get(partition)) {
        (Some(one), Some(other)) => !same(one, other),
        _ => true,
    });
    let moved = changed.map(|partition| Moved {
        partition: partition.clone(),
        from: had.get(partition).map(id),
        to: has.get(partition).map(id),
    });
    moved.collect()
}

/// A group's generations, for readers.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// Oldest first.
    pub generations: VecDeque<Arc<Generation>>,
    /// A rebalance is under way: since when, and why.
    pub rebalancing: Option<(i64, String)>,
}

/// All groups' generations.
#[derive(Debug, Default)]
pub struct Theatre {
    stages: BTreeMap<Arc<str>, Stage>,
    cells: usize,
    plays: Arc<BTreeMap<Arc<str>, Arc<Play>>>,
}

#[derive(Debug, Default)]
struct Stage {
    play: Play,
    /// Who came or went since the last generation.
    news: Vec<News>,
    /// When something happened last.
    at_ms: i64,
}

impl Theatre {
    /// What readers get.
    pub fn plays(&self) -> Arc<BTreeMap<Arc<str>, Arc<Play>>> {
        self.plays.clone()
    }

    /// Something happened on a node.
    pub fn event(&mut self, event: &NodeEvent) {
        match &event.event {
            Event::GroupMember { group_id, member, change } => {
                let stage = self.stage(group_id.as_str(), event.at_ms);
                if stage.news.len() < NEWS_KEPT {
                    stage.news.push(News { at_ms: event.at_ms, member: member.clone(), change: change.clone() });
                }
            }
            Event::GroupRebalance { group_id, generation, state, reason, .. } => {
                let stage = self.stage(group_id.as_str(), event.at_ms);
                stage.rebalance(event, *generation, state, reason);
                self.publish(group_id);
            }
            _ => {}
        }
    }

    /// A coordinator told of a group.
    pub fn report(&mut self, coordinator: NodeId, at_ms: i64, report: &GroupReport) {
        // Who only commits has no generations; a group that went may come back under another coordinator, or anew.
        if report.state.is_none() || (report.generation <= 0 && report.members.is_empty()) {
            return;
        }
        let known = self.stages.get(&report.group_id).and_then(|stage| stage.play.generations.back());
        if known.is_some_and(|known| is_told(known, coordinator, report)) {
            return;
        }
        let stage = self.stage(&report.group_id, at_ms);
        stage.told(coordinator, at_ms, report);
        self.publish(&report.group_id);
    }

    fn stage(&mut self, id: &str, at_ms: i64) -> &mut Stage {
        if !self.stages.contains_key(id) && self.stages.len() >= GROUPS_KEPT {
            let quietest = self.stages.iter().min_by_key(|(_, stage)| stage.at_ms).map(|(id, _)| id.clone());
            if let Some(quietest) = quietest {
                self.forget(&quietest);
            }
        }
        let stage = self.stages.entry(id.into()).or_default();
        stage.at_ms = at_ms;
        stage
    }

    fn forget(&mut self, id: &str) {
        if let Some(stage) = self.stages.remove(id) {
            self.cells -= stage.published_cells();
            Arc::make_mut(&mut self.plays).remove(id);
        }
    }

    fn publish(&mut self, id: &str) {
        let Some((key, stage)) = self.stages.get_key_value(id) else { return };
        let before: usize = self.plays.get(id).map_or(0, |play| cells(play));
        let play = Arc::new(stage.play.clone());
        self.cells = self.cells + cells(&play) - before;
        let key = key.clone();
        Arc::make_mut(&mut self.plays).insert(key, play);
        while self.cells > CELLS_KEPT && self.drop_oldest() {}
    }

    /// The oldest generation goes that has one after it.
    fn drop_oldest(&mut self) -> bool {
        let several = self.stages.iter().filter(|(_, stage)| stage.play.generations.len() > 1);
        let oldest = several.min_by_key(|(_, stage)| stage.play.generations.front().map_or(0, |first| first.at_ms));
        let Some(id) = oldest.map(|(id, _)| id.clone()) else { return false };
        if let Some(stage) = self.stages.get_mut(&id) {
            stage.play.generations.pop_front();
        }
        let before = self.plays.get(&id).map_or(0, |play| cells(play));
        if let Some(stage) = self.stages.get(&id) {
            let play = Arc::new(stage.play.clone());
            self.cells = self.cells + cells(&play) - before;
            Arc::make_mut(&mut self.plays).insert(id, play);
        }
        true
    }
}

fn cells(play: &Play) -> usize {
    play.generations.iter().map(|generation| generation.cells()).sum()
}

/// Whether a report says nothing new of the newest generation.
fn is_told(known: &Generation, coordinator: NodeId, report: &GroupReport) -> bool {
    known.number == report.generation
        && known.coordinator == coordinator
        && (report.state == Some("PreparingRebalance")
            || (Some(known.state) == report.state && *known.members == *report.members && !known.kind.is_empty()))
}

impl Stage {
    fn published_cells(&self) -> usize {
        cells(&self.play)
    }

    fn rebalance(&mut self, event: &NodeEvent, number: i32, state: &'static str, reason: &str) {
        if state == "PreparingRebalance" {
            self.play.rebalancing.get_or_insert_with(|| (event.at_ms, reason.to_owned()));
            return;
        }
        let newest = self.play.generations.back().map(|generation| generation.number);
        if newest != Some(number) {
            let began = self.play.rebalancing.take();
            let generation = Generation {
                number,
                coordinator: event.node_id,
                at_ms: event.at_ms,
                began_ms: Some(began.as_ref().map_or(event.at_ms, |(began_ms, _)| *began_ms)),
                cause: began.map_or_else(String::new, |(_, reason)| reason),
                news: std::mem::take(&mut self.news),
                state,
                ..Generation::default()
            };
            self.push(generation);
        }
        if let Some(last) = self.play.generations.back_mut() {
            let last = Arc::make_mut(last);
            last.state = state;
            if matches!(state, "Stable" | "Empty") {
                last.settled_ms.get_or_insert(event.at_ms);
            }
            // Members that made an epoch may be told after one that began at the same time.
            let room = NEWS_KEPT.saturating_sub(last.news.len());
            last.news.extend(std::mem::take(&mut self.news).into_iter().take(room));
        }
        self.play.rebalancing = None;
    }

    fn push(&mut self, generation: Generation) {
        if self.play.generations.len() == GENERATIONS_KEPT {
            self.play.generations.pop_front();
        }
        self.play.generations.push_back(Arc::new(generation));
    }

    fn told(&mut self, coordinator: NodeId, at_ms: i64, report: &GroupReport) {
        let newest = self.play.generations.back().map(|generation| generation.number);
        if newest != Some(report.generation) {
            // An event that says so may be behind; what is older than what is known comes from a group that was made anew.
            self.push(Generation { number: report.generation, coordinator: NO_NODE, at_ms, ..Generation::default() });
        }
        let Some(last) = self.play.generations.back_mut() else { return };
        let last = Arc::make_mut(last);
        let is_first = last.kind.is_empty();
        last.kind = report.group_type;
        last.state = report.state.unwrap_or(last.state);
        last.protocol.clone_from(&report.protocol);
        last.coordinator = coordinator;
        // While a classic group rebalances, its members still read what they had, and those that came have nothing.
        if is_first || report.state != Some("PreparingRebalance") {
            last.members = report.members.clone().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, held: &[i32]) -> MemberReport {
        let partition = |partition: &i32| TopicPartition::new("t", *partition);
        MemberReport {
            member_id: id.into(),
            client_id: format!("client-{id}"),
            assignment: held.iter().map(partition).collect(),
            ..MemberReport::default()
        }
    }

    fn report(generation: i32, state: &'static str, members: &[MemberReport]) -> GroupReport {
        GroupReport {
            group_id: "g".into(),
            group_type: "classic",
            state: Some(state),
            generation,
            protocol_type: "consumer".into(),
            protocol: "range".into(),
            members: members.to_vec(),
            offsets: Vec::new(),
        }
    }

    #[derive(Default)]
    struct Scene(Theatre, i64);

    impl Scene {
        fn event(&mut self, event: Event) {
            self.1 += 10;
            self.0.event(&NodeEvent { node_id: 1, at_ms: self.1, event });
        }

        fn change(&mut self, id: &str, change: MemberChange) {
            let member = MemberIdentity { member_id: id.into(), ..MemberIdentity::default() };
            self.event(Event::GroupMember { group_id: "g".into(), member, change });
        }

        fn is(&mut self, generation: i32, state: &'static str, reason: &str) {
            let (group_id, members) = ("g".into(), Vec::new());
            self.event(Event::GroupRebalance { group_id, generation, state, reason: reason.into(), members });
        }

        fn told(&mut self, report: &GroupReport) {
            self.1 += 10;
            self.0.report(1, self.1, report);
        }

        fn play(&self) -> Arc<Play> {
            self.0.plays().get("g").cloned().unwrap()
        }
    }

    #[test]
    fn a_classic_group_grows_and_shrinks() {
        let mut scene = Scene::default();
        scene.change("a", MemberChange::Joined);
        scene.is(0, "PreparingRebalance", "member a joins");
        scene.is(1, "CompletingRebalance", "all members have joined");
        scene.told(&report(1, "CompletingRebalance", &[member("a", &[])]));
        scene.is(1, "Stable", "the leader's assignment is stored");
        scene.told(&report(1, "Stable", &[member("a", &[0, 1, 2])]));
        scene.change("b", MemberChange::Joined);
        scene.is(1, "PreparingRebalance", "member b joins");
        assert_eq!(scene.play().rebalancing, Some((80, "member b joins".into())));
        scene.told(&report(1, "PreparingRebalance", &[member("a", &[0, 1, 2]), member("b", &[])]));
        assert_eq!(scene.play().generations[0].members.len(), 1, "it is not in the old generation");
        scene.is(2, "CompletingRebalance", "all members have joined");
        scene.is(2, "Stable", "the leader's assignment is stored");
        scene.told(&report(2, "Stable", &[member("a", &[0, 1]), member("b", &[2])]));
        scene.change("a", MemberChange::SessionExpired);
        scene.is(2, "PreparingRebalance", "the session of member a expired");
        scene.is(3, "CompletingRebalance", "all members have joined");
        scene.is(3, "Stable", "the leader's assignment is stored");
        scene.told(&report(3, "Stable", &[member("b", &[0, 1, 2])]));

        let play = scene.play();
        let numbers: Vec<i32> = play.generations.iter().map(|generation| generation.number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let [first, second, third] = [0, 1, 2].map(|index| play.generations[index].clone());
        assert_eq!((first.took_ms(), second.took_ms()), (Some(30), Some(30)));
        assert_eq!(second.cause, "member b joins");
        let news = |generation: &Generation| -> Vec<(String, MemberChange)> {
            generation.news.iter().map(|news| (news.member.member_id.clone(), news.change.clone())).collect()
        };
        assert_eq!(news(&first), [("a".into(), MemberChange::Joined)]);
        assert_eq!(news(&second), [("b".into(), MemberChange::Joined)]);
        assert_eq!(news(&third), [("a".into(), MemberChange::SessionExpired)]);
        let moves = moved(&first, &second);
        let expected = Moved { partition: TopicPartition::new("t", 2), from: Some("a".into()), to: Some("b".into()) };
        assert_eq!(moves, [expected]);
        assert_eq!(moved(&second, &third).len(), 2);
    }

    #[test]
    fn an_epoch_settles_when_all_have_their_own() {
        let mut scene = Scene::default();
        let of = |epoch, state, members: &[MemberReport]| GroupReport {
            group_type: "consumer",
            ..report(epoch, state, members)
        };
        scene.change("a", MemberChange::Joined);
        scene.is(1, "Stable", "");
        scene.told(&of(1, "Stable", &[member("a", &[0, 1])]));
        scene.change("b", MemberChange::Joined);
        scene.is(2, "Reconciling", "");
        scene.told(&of(2, "Reconciling", &[member("a", &[0, 1]), member("b", &[])]));
        assert_eq!(scene.play().generations[1].settled_ms, None);
        scene.is(2, "Stable", "");
        scene.told(&of(2, "Stable", &[member("a", &[0]), member("b", &[1])]));
        let play = scene.play();
        assert_eq!((play.generations.len(), play.generations[1].news.len()), (2, 1));
        assert!(play.generations[1].took_ms().is_some_and(|took_ms| took_ms > 0));
        assert_eq!(play.generations[1].members[1].assignment.len(), 1);
    }

    #[test]
    fn a_static_member_that_comes_back_moves_nothing() {
        let named = |id: &str| MemberReport { instance_id: Some("i".into()), ..member(id, &[0]) };
        let of = |member: MemberReport| Generation { members: vec![member].into(), ..Generation::default() };
        assert_eq!(moved(&of(named("a")), &of(named("b"))), []);
        assert_eq!(moved(&of(member("a", &[0])), &of(member("b", &[0]))).len(), 1);
    }

    #[test]
    fn another_coordinator_goes_on_with_it() {
        let mut scene = Scene::default();
        scene.told(&report(4, "Stable", &[member("a", &[0])]));
        scene.0.report(1, 50, &GroupReport { state: None, ..report(0, "Dead", &[]) });
        scene.0.report(2, 60, &report(4, "Stable", &[member("a", &[0])]));
        let play = scene.play();
        assert_eq!((play.generations.len(), play.generations[0].coordinator), (1, 2));
    }

    #[test]
    fn it_is_bounded() {
        let mut theatre = Theatre::default();
        for id in 0..GROUPS_KEPT as i32 + 20 {
            let report = GroupReport { group_id: format!("g{id}").into(), ..report(1, "Stable", &[member("a", &[0])]) };
            theatre.report(1, i64::from(id), &report);
        }
        assert_eq!(theatre.stages.len(), GROUPS_KEPT);
        assert!(!theatre.plays.contains_key("g0") && theatre.plays.contains_key("g519"));
        for number in 1..200 {
            let held: Vec<i32> = (0..5_000).collect();
            theatre.report(1, 1_000 + i64::from(number), &report(number, "Stable", &[member("a", &held)]));
        }
        let kept = theatre.plays["g"].generations.len();
        assert_eq!(kept, GENERATIONS_KEPT);
        for number in 200..400 {
            let held: Vec<i32> = (0..20_000).collect();
            theatre.report(1, 1_000 + i64::from(number), &report(number, "Stable", &[member("a", &held)]));
        }
        assert!(theatre.cells <= CELLS_KEPT, "{}", theatre.cells);
        assert_eq!(theatre.cells, theatre.plays.values().map(|play| cells(play)).sum::<usize>());
        assert_eq!(theatre.plays["g"].generations.back().map(|last| last.number), Some(399));
    }
}
