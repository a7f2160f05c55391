//! All alarms, their states and their history.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::json;

use super::advice::{self, AlarmSet};
use super::alarm::{Alarm, AlarmState, MissingData, Verdict};
use super::store::Store;
use super::time::iso;
use crate::monitor::order::Refusal;

/// Alarms that others may put.
pub const ALARMS_MAX: usize = 500;

/// Items of history that are kept.
pub const HISTORY_MAX: usize = 2_000;

/// Longest reason that is kept (CloudWatch's own bound), in characters.
const REASON_MAX: usize = 1_023;

/// How often new series are looked for that an alarm of ours should watch, s.
const RENEW_EVERY_S: i64 = 5;

/// After a start, nodes need so long to tell their first values, s.
const START_S: i64 = 30;

/// Whether a state that is remembered from the last run still holds while nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grace {
    /// It does not.
    Over,
    /// It does; since when is not known yet.
    NotBegun,
    /// It does until then, s.
    Until(i64),
}

/// An alarm and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmStatus {
    /// What it watches.
    pub alarm: Alarm,
    /// State.
    pub state: AlarmState,
    /// Why, in one sentence.
    pub reason: String,
    /// When the state or its reason was last set.
    pub updated_ms: i64,
    /// When the state last became another.
    pub changed_ms: i64,
    /// When what it watches was last changed.
    pub configured_ms: i64,
    /// End of the newest period that it has looked at, s.
    evaluated_s: i64,
    grace: Grace,
}

impl AlarmStatus {
    /// As it was in the last run: its state holds until values speak against it, or should have been there.
    pub(super) fn remembered(
        alarm: Alarm,
        state: AlarmState,
        reason: String,
        (updated_ms, changed_ms, configured_ms): (i64, i64, i64),
    ) -> AlarmStatus {
        let (evaluated_s, grace) = (0, Grace::NotBegun);
        AlarmStatus { alarm, state, reason, updated_ms, changed_ms, configured_ms, evaluated_s, grace }
    }

    /// Looks at the periods that are over.
    fn evaluate(&mut self, store: &Store, now_s: i64) -> Option<Verdict> {
        let alarm = &self.alarm;
        self.evaluated_s = alarm.end_s(now_s);
        self.grace = match self.grace {
            Grace::NotBegun => Grace::Until(now_s + START_S + i64::from(alarm.evaluation_periods) * alarm.period_s),
            Grace::Until(until_s) if now_s >= until_s => Grace::Over,
            grace => grace,
        };
        if self.grace == Grace::Over {
            alarm.evaluate(store, now_s)
        } else {
            Alarm { missing: MissingData::Ignore, ..alarm.clone() }.evaluate(store, now_s)
        }
    }
}

/// What a line of history is about.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryKind {
    /// The alarm was put, changed or deleted.
    ConfigurationUpdate,
    /// Its state became another.
    StateUpdate,
}

impl HistoryKind {
    /// As CloudWatch names it.
    pub fn name(self) -> &'static str {
        match self {
            HistoryKind::ConfigurationUpdate => "ConfigurationUpdate",
            HistoryKind::StateUpdate => "StateUpdate",
        }
    }
}

/// Something that happened to an alarm.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct HistoryItem {
    /// Grows by one with each item.
    pub seq: u64,
    /// Which alarm.
    pub alarm: String,
    /// When.
    pub at_ms: i64,
    /// What about.
    pub kind: HistoryKind,
    /// One line.
    pub summary: String,
    /// The same for programs, as JSON.
    pub data: String,
}

/// A state that became another.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The alarm, as it stands now.
    pub status: Arc<AlarmStatus>,
    /// The state before.
    pub from: AlarmState,
}

/// What readers get.
#[derive(Clone, Debug)]
pub struct Alarms {
    /// How many of ours there are.
    pub set: AlarmSet,
    /// By name.
    pub alarms: BTreeMap<String, Arc<AlarmStatus>>,
    /// Oldest first; at most [`HISTORY_MAX`].
    pub history: VecDeque<Arc<HistoryItem>>,
    /// Of ours, those that somebody deleted, until another size is chosen.
    deleted: BTreeSet<String>,
    /// Of ours, those that somebody put anew stand as theirs.
    last_seq: u64,
    renewed_s: i64,
}

impl Default for Alarms {
    fn default() -> Alarms {
        Alarms {
            set: AlarmSet::Golden,
            alarms: BTreeMap::new(),
            history: VecDeque::new(),
            deleted: BTreeSet::new(),
            last_seq: 0,
            renewed_s: 0,
        }
    }
}

impl Alarms {
    /// As they were in the last run; ours come back by themselves.
    pub(super) fn remembered(
        set: AlarmSet,
        by_hand: Vec<AlarmStatus>,
        history: Vec<HistoryItem>,
        deleted: BTreeSet<String>,
    ) -> Alarms {
        let alarms = by_hand.into_iter().map(|status| (status.alarm.name.clone(), Arc::new(status))).collect();
        let last_seq = history.last().map_or(0, |item| item.seq);
        let history = history.into_iter().map(Arc::new).collect();
        Alarms { set, alarms, history, deleted, last_seq, renewed_s: 0 }
    }

    /// As they were at one time of a recording, to be looked at.
    pub fn replayed(
        set: AlarmSet,
        alarms: BTreeMap<String, Arc<AlarmStatus>>,
        history: VecDeque<Arc<HistoryItem>>,
    ) -> Alarms {
        let last_seq = history.back().map_or(0, |item| item.seq);
        Alarms { set, alarms, history, last_seq, ..Alarms::default() }
    }

    /// Of ours, those that somebody deleted.
    pub(super) fn deleted(&self) -> impl Iterator<Item = &String> {
        self.deleted.iter()
    }

    /// The number of the newest line of history that there ever was.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// How many are in a state.
    pub fn count(&self, state: AlarmState) -> usize {
        self.alarms.values().filter(|status| status.state == state).count()
    }

    /// Looks at all alarms whose period is over.
    pub fn tick(&mut self, now_ms: i64, cluster_name: &Arc<str>, store: &Store) -> Vec<Transition> {
        let now_s = now_ms.div_euclid(1000);
        if (now_s - self.renewed_s).abs() >= RENEW_EVERY_S {
            self.renew(now_ms, cluster_name, store);
        }
        let due = |status: &&mut Arc<AlarmStatus>| status.alarm.end_s(now_s) != status.evaluated_s;
        let mut changes = Vec::new();
        for status in self.alarms.values_mut().filter(due) {
            let status = Arc::make_mut(status);
            if let Some(verdict) = status.evaluate(store, now_s)
                && verdict.state != status.state
            {
                changes.push((status.alarm.name.clone(), verdict));
            }
        }
        changes.into_iter().filter_map(|(name, verdict)| self.set_state(now_ms, &name, verdict, None).ok()?).collect()
    }

    /// Sees to it that ours are there for all series that there are, and for no other.
    fn renew(&mut self, now_ms: i64, cluster_name: &Arc<str>, store: &Store) {
        self.renewed_s = now_ms.div_euclid(1000);
        let wanted: BTreeMap<String, Alarm> =
            advice::ours(self.set, cluster_name, store).into_iter().map(|alarm| (alarm.name.clone(), alarm)).collect();
        self.alarms.retain(|name, status| !status.alarm.is_ours || wanted.contains_key(name));
        for (name, alarm) in wanted {
            if !self.alarms.contains_key(&name) && !self.deleted.contains(&name) {
                self.alarms.insert(name, Arc::new(fresh(alarm, now_ms)));
            }
        }
    }

    /// How many of ours there are to be; what was deleted of them is there again.
    pub fn set_size(&mut self, now_ms: i64, set: AlarmSet, cluster_name: &Arc<str>, store: &Store) {
        self.set = set;
        self.deleted.clear();
        self.renew(now_ms, cluster_name, store);
    }

    /// Puts an alarm, or puts another in its place; its state stays as it was.
    ///
    /// # Errors
    /// It makes no sense, or there are too many.
    pub fn put(&mut self, now_ms: i64, alarm: Alarm) -> Result<(), Refusal> {
        alarm.check().map_err(Refusal::invalid)?;
        let before = self.alarms.get(&alarm.name);
        let is_new = before.is_none();
        let of_others = self.alarms.values().filter(|status| !status.alarm.is_ours).count();
        if before.is_none_or(|status| status.alarm.is_ours) && of_others >= ALARMS_MAX {
            return Err(Refusal::conflict(format!("There are {ALARMS_MAX} alarms already.")));
        }
        let name = alarm.name.clone();
        let status = match before {
            Some(before) => AlarmStatus { alarm, configured_ms: now_ms, evaluated_s: 0, ..AlarmStatus::clone(before) },
            None => fresh(alarm, now_ms),
        };
        self.alarms.insert(name.clone(), Arc::new(status));
        let verb = if is_new { "created" } else { "updated" };
        let data = json!({ "version": "1.0", "type": if is_new { "Create" } else { "Update" } });
        self.note(
            now_ms,
            &name,
            HistoryKind::ConfigurationUpdate,
            format!("Alarm \"{name}\" {verb}"),
            data.to_string(),
        );
        Ok(())
    }

    /// Deletes all these, or none of them.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn delete(&mut self, now_ms: i64, names: &[String]) -> Result<(), Refusal> {
        if let Some(missing) = names.iter().find(|name| !self.alarms.contains_key(*name)) {
            return Err(Refusal::not_found(format!("There is no alarm {missing}.")));
        }
        for name in names {
            if self.alarms.remove(name).is_some_and(|status| status.alarm.is_ours) {
                self.deleted.insert(name.clone());
            }
            let data = json!({ "version": "1.0", "type": "Delete" }).to_string();
            self.note(now_ms, name, HistoryKind::ConfigurationUpdate, format!("Alarm \"{name}\" deleted"), data);
        }
        Ok(())
    }

    /// Sets a state, until the next evaluation finds another. `None`: it was in that state.
    ///
    /// # Errors
    /// There is no such alarm.
    pub fn set_state(
        &mut self,
        now_ms: i64,
        name: &str,
        verdict: Verdict,
        data: Option<String>,
    ) -> Result<Option<Transition>, Refusal> {
        let missing = || Refusal::not_found(format!("There is no alarm {name}."));
        let status = self.alarms.get_mut(name).ok_or_else(missing)?;
        let from = status.state;
        let changed = Arc::make_mut(status);
        changed.state = verdict.state;
        changed.reason = verdict.reason.chars().take(REASON_MAX).collect();
        changed.updated_ms = now_ms;
        if from == verdict.state {
            return Ok(None);
        }
        changed.changed_ms = now_ms;
        let status = status.clone();
        let state =
            |state: AlarmState, reason: Option<&str>| json!({ "stateValue": state.name(), "stateReason": reason });
        let history = json!({
            "version": "1.0",
            "oldState": state(from, None),
            "newState": state(status.state, Some(&status.reason)),
            "stateReasonData": data,
            "at": iso(now_ms),
        });
        let summary = format!("Alarm updated from {from} to {}", status.state);
        self.note(now_ms, name, HistoryKind::StateUpdate, summary, history.to_string());
        Ok(Some(Transition { status, from }))
    }

    fn note(&mut self, at_ms: i64, alarm: &str, kind: HistoryKind, summary: String, data: String) {
        self.last_seq += 1;
        if self.history.len() == HISTORY_MAX {
            self.history.pop_front();
        }
        let item = HistoryItem { seq: self.last_seq, alarm: alarm.into(), at_ms, kind, summary, data };
        self.history.push_back(Arc::new(item));
    }
}

fn fresh(alarm: Alarm, now_ms: i64) -> AlarmStatus {
    AlarmStatus {
        alarm,
        state: AlarmState::InsufficientData,
        reason: "Unchecked: Initial alarm creation".into(),
        updated_ms: now_ms,
        changed_ms: now_ms,
        configured_ms: now_ms,
        evaluated_s: 0,
        grace: Grace::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::super::alarm::{Actions, Comparison, Watched};
    use super::super::statistics::Statistic;
    use super::super::store::{Datum, Dimension, Key};
    use super::*;
    use crate::monitor::order::RefusalKind;
    use crate::monitor::view::Severity;

    fn key(broker: &str) -> Key {
        let dimensions = vec![(Dimension::ClusterName, "c".into()), (Dimension::BrokerId, broker.into())];
        Key::new("UnderReplicatedPartitions", dimensions)
    }

    fn alarm(name: &str) -> Alarm {
        Alarm {
            name: name.into(),
            description: String::new(),
            watched: Watched::Metric { key: key("1"), statistic: Statistic::Maximum },
            period_s: 1,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            threshold: 0.0,
            comparison: Comparison::Greater,
            missing: MissingData::Missing,
            severity: Severity::Warning,
            is_ours: false,
            actions: Actions::default(),
        }
    }

    struct Scene {
        alarms: Alarms,
        store: Store,
        name: Arc<str>,
    }

    impl Scene {
        fn new() -> Scene {
            Scene { alarms: Alarms::default(), store: Store::default(), name: "c".into() }
        }

        /// The states that changed in a second in which broker 1 told this.
        fn second(&mut self, second: i64, value: Option<f64>) -> Vec<(String, AlarmState)> {
            let changes = self.alarms.tick(second * 1000, &self.name, &self.store);
            self.store.put(second, value.map(|value| Datum { key: key("1"), value }));
            changes.into_iter().map(|change| (change.status.alarm.name.clone(), change.status.state)).collect()
        }
    }

    #[test]
    fn states_follow_the_data_and_history_tells() {
        let mut scene = Scene::new();
        scene.alarms.set = AlarmSet::None;
        scene.alarms.put(1000, alarm("a")).unwrap();
        let mut states = Vec::new();
        for (second, value) in [(1, Some(0.0)), (2, Some(2.0)), (3, Some(0.0)), (4, Some(0.0)), (5, None), (9, None)] {
            states.extend(scene.second(second, value).into_iter().map(|(_, state)| (second, state)));
        }
        use AlarmState::{Alarm, InsufficientData, Ok};
        assert_eq!(states, [(2, Ok), (3, Alarm), (4, Ok), (9, InsufficientData)]);
        let kinds: Vec<_> = scene.alarms.history.iter().map(|item| item.summary.as_str()).collect();
        assert_eq!(kinds[0], "Alarm \"a\" created");
        assert_eq!(kinds[1], "Alarm updated from INSUFFICIENT_DATA to OK");
        assert_eq!(kinds.len(), 5);
        assert!(scene.alarms.history.iter().all(|item| serde_json::from_str::<serde_json::Value>(&item.data).is_ok()));
    }

    #[test]
    fn a_state_that_is_set_holds_until_the_next_evaluation() {
        let mut scene = Scene::new();
        scene.alarms.put(1000, alarm("a")).unwrap();
        scene.second(1, Some(0.0));
        scene.second(2, Some(0.0));
        let verdict = || Verdict { state: AlarmState::Alarm, reason: "x".repeat(5_000) };
        let change = scene.alarms.set_state(2500, "a", verdict(), None).unwrap().unwrap();
        assert_eq!((change.from, change.status.state), (AlarmState::Ok, AlarmState::Alarm));
        assert_eq!(change.status.reason.len(), REASON_MAX);
        assert_eq!(scene.alarms.set_state(2600, "a", verdict(), None), Ok(None));
        assert_eq!(scene.second(3, Some(0.0)), [("a".into(), AlarmState::Ok)]);
        let missing = scene.alarms.set_state(1, "b", verdict(), None).unwrap_err();
        assert_eq!(missing.kind, RefusalKind::NotFound);
    }

    #[test]
    fn ours_come_with_series_and_go_with_the_size() {
        let mut scene = Scene::new();
        scene.second(10, Some(0.0));
        scene.second(20, Some(0.0));
        let of_broker = "UnderReplicatedPartitions of broker 1".to_owned();
        assert!(
            scene.alarms.alarms.contains_key(&of_broker) && scene.alarms.alarms.contains_key("OfflinePartitionsCount")
        );
        scene.alarms.delete(21_000, std::slice::from_ref(&of_broker)).unwrap();
        scene.second(30, Some(0.0));
        assert!(!scene.alarms.alarms.contains_key(&of_broker), "what was deleted stays away");
        scene.alarms.set_size(31_000, AlarmSet::Seeds, &scene.name, &scene.store);
        assert!(scene.alarms.alarms.contains_key(&of_broker));
        scene.alarms.put(32_000, alarm("mine")).unwrap();
        scene.alarms.set_size(33_000, AlarmSet::None, &scene.name, &scene.store);
        assert_eq!(scene.alarms.alarms.keys().collect::<Vec<_>>(), ["mine"]);
    }

    #[test]
    fn there_are_bounds_and_deletion_is_all_or_nothing() {
        let mut alarms = Alarms::default();
        (0..ALARMS_MAX).for_each(|number| alarms.put(1, alarm(&format!("a{number}"))).unwrap());
        assert_eq!(alarms.put(1, alarm("b")).unwrap_err().kind, RefusalKind::Conflict);
        alarms.put(2, alarm("a1")).unwrap();
        assert_eq!(alarms.put(1, Alarm { period_s: 3, ..alarm("a1") }).unwrap_err().kind, RefusalKind::Invalid);
        assert_eq!(alarms.delete(3, &["a1".into(), "b".into()]).unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(alarms.alarms.len(), ALARMS_MAX);
        for _ in 0..HISTORY_MAX {
            alarms.put(4, alarm("a2")).unwrap();
        }
        assert_eq!(alarms.history.len(), HISTORY_MAX);
    }
}
