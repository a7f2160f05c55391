//! Alarms: what is watched at the left, those that ring first; the chosen one with its course, its advice and its history at the right.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::Ui;

use super::{alarm_detail, header, side_by_side, starting};
use crate::monitor::cloudwatch::advice::AlarmSet;
use crate::monitor::cloudwatch::alarm::{Alarm, AlarmState, Watched};
use crate::monitor::cloudwatch::alarms::{AlarmStatus, Alarms};
use crate::monitor::cloudwatch::store::Store;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::Command;
use crate::monitor::view::Severity;
use crate::ui::alarm_draft::Start;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::commands::{self, Id};
use crate::ui::format;
use crate::ui::measured::{self, Query};
use crate::ui::model::Cached;
use crate::ui::tokens::{size, space};
use crate::ui::widgets::button::{Button, segments};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Item, Table, TableState};

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The chosen alarm, by name; without one, the first of the list.
    pub chosen: Option<String>,
    /// Words that names and advice must have.
    pub filter: String,
    only_alarm: bool,
    /// Of the list.
    pub table: TableState,
    rows: Cached<(u64, String, bool), Vec<Arc<AlarmStatus>>>,
    sparks: BTreeMap<String, Cached<u64, Vec<f64>>>,
    detail: alarm_detail::State,
}

const COLUMNS: [Column; 4] = [
    Column::text("State", 168.0, 0.0).unsorted(),
    Column::text("Alarm, and what it watches for", 210.0, 1.0).unsorted(),
    Column::text("Since", 56.0, 0.0).unsorted(),
    Column::text("Last 10 min", 84.0, 0.0).unsorted(),
];

/// What a narrow list shows.
const NARROW: [Column; 2] = [
    Column::text("State", 168.0, 0.0).unsorted(),
    Column::text("Alarm, and what it watches for", 130.0, 1.0).unsorted(),
];

/// Below this width the list is narrow.
const WIDE: f32 = 600.0;
/// The list's share of the width.
const LIST_SHARE: f32 = 0.54;
/// What a sparkline shows.
const SPARK: Query = Query { range_s: 600, period_s: 10, statistic: None };
/// Of an expression, a condition says at most so many characters.
const TITLE_MAX: usize = 34;
/// So many sparklines are kept.
const SPARKS_MAX: usize = 600;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let alarms = &scene.model.view.cloudwatch.alarms;
    let count = |of| format!("{} {}", format::count(alarms.count(of) as i64), of.name());
    let summary = [AlarmState::Alarm, AlarmState::Ok, AlarmState::InsufficientData].map(count).join(" · ");
    header(ui, "Alarms", &summary, |ui| {
        let new = Button::new("New alarm").with_icon(Icon::Plus).show(ui);
        if new.clicked() {
            actions.push(Action::Ask(Dialog::PutAlarm(Start::Blank)));
        }
        commands::tell(new, Id::NewAlarm);
        ui.add_space(space::S);
        let mut set = alarms.set;
        let sizes = [
            (AlarmSet::None, "None of ours"),
            (AlarmSet::Golden, "5 signals"),
            (AlarmSet::Seeds, "13 metrics"),
            (AlarmSet::All, "All"),
        ];
        if segments(ui, &mut set, &sizes) {
            actions.push(Action::Send(Command::Monitoring(Change::AlarmSet(set))));
        }
    });
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = ((width - space::M) * LIST_SHARE).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        if index == 0 {
            overview(ui, scene, state, actions);
        } else if let Some(status) = chosen(state, alarms) {
            alarm_detail::show(ui, scene, &mut state.detail, &status, actions);
        }
    });
}

/// The chosen alarm, or the first of the list.
fn chosen(state: &State, alarms: &Alarms) -> Option<Arc<AlarmStatus>> {
    let known = state.chosen.as_ref().and_then(|name| alarms.alarms.get(name));
    known.or_else(|| state.rows.peek().and_then(|rows| rows.first())).cloned()
}

fn overview(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let view = &scene.model.view.cloudwatch;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        filter_box(ui, "Filter alarms", "Filter alarms", &mut state.filter);
        segments(ui, &mut state.only_alarm, &[(false, "All states"), (true, "In alarm")]);
    });
    let filter = state.filter.trim().to_lowercase();
    let key = (scene.model.alarmed, filter.clone(), state.only_alarm);
    let rows = state.rows.get(key, || rows(&view.alarms, &filter, state.only_alarm));
    let selected = state.chosen.as_ref().and_then(|name| rows.iter().position(|status| status.alarm.name == *name));
    let selected = selected.or_else(|| (state.chosen.is_none() && !rows.is_empty()).then_some(0));
    framed(ui, |ui| {
        if rows.is_empty() {
            match (view.alarms.alarms.is_empty(), filter.is_empty()) {
                (true, _) if starting(ui, scene, "Its alarms are evaluated") => {}
                (true, _) => {
                    let hint = "Choose a size above, or put one by CloudWatch's PutMetricAlarm.";
                    empty(ui, Icon::Bell, "There are no alarms", hint);
                }
                (_, true) => {
                    let hint = "What is watched is within its thresholds, or nothing is known of it.";
                    empty(ui, Icon::Bell, "Nothing is in alarm", hint);
                }
                _ if no_match(ui, "No alarm matches the filter", "It looks for its words in names and advice.") => {
                    state.filter.clear();
                }
                _ => {}
            }
            return;
        }
        let wide = ui.available_width() >= WIDE;
        let table = Table {
            id: "alarms",
            columns: if wide { &COLUMNS } else { &NARROW },
            rows: rows.len(),
            row_height: size::ROW_TALL,
            max_height: None,
            active: true,
            selected,
        };
        let now_ms = scene.model.snapshot().at_ms;
        if state.sparks.len() > SPARKS_MAX {
            state.sparks.clear();
        }
        let sparks = &mut state.sparks;
        let menu = |index: usize| menu(&rows[index].alarm);
        let (pressed, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let status = &rows[index];
            row.pill(Some(&pill(status)));
            row.two_lines(&status.alarm.name, &condition(&status.alarm));
            if wide {
                row.text(&format::ago(now_ms, status.changed_ms));
                let cached = sparks.entry(status.alarm.name.clone()).or_default();
                let points = cached.get(scene.model.measured, || spark(&view.store, &status.alarm, now_ms));
                row.spark(points, mood(status));
            }
        });
        actions.extend(chosen);
        if let Some(index) = pressed {
            state.chosen = Some(rows[index].alarm.name.clone());
        }
    });
}

fn menu(alarm: &Alarm) -> Vec<Item<Action>> {
    vec![
        Item::copy("the alarm's name", &alarm.name),
        Item::new("Change…", Icon::Bell, Action::Ask(Dialog::PutAlarm(Start::Change(alarm.name.clone())))),
        Item::danger("Delete…", Action::Ask(Dialog::DeleteAlarm(alarm.name.clone()))),
    ]
}

fn spark(store: &Store, alarm: &Alarm, now_ms: i64) -> Vec<f64> {
    let points = measured::points_of(alarm, store, SPARK, now_ms);
    points.into_iter().map(|(_, value)| value).collect()
}

/// How bad it is.
pub fn mood(status: &AlarmStatus) -> Mood {
    match (status.state, status.alarm.severity) {
        (AlarmState::Ok, _) => Mood::Good,
        (AlarmState::InsufficientData, _) => Mood::Quiet,
        (AlarmState::Alarm, Severity::Critical) => Mood::Critical,
        (AlarmState::Alarm, _) => Mood::Warning,
    }
}

/// Its state as CloudWatch names it, with a shape for each.
pub fn pill(status: &AlarmStatus) -> Pill {
    let symbol = match (status.state, status.alarm.severity) {
        (AlarmState::Ok, _) => Icon::Check,
        (AlarmState::InsufficientData, _) => Icon::Clock,
        (AlarmState::Alarm, Severity::Critical) => Icon::Critical,
        (AlarmState::Alarm, _) => Icon::Warning,
    };
    Pill::new(mood(status), symbol, status.state.name())
}

/// `Maximum greater than 0 in 2 of 2 periods of 10 s`.
pub fn condition(alarm: &Alarm) -> String {
    let periods = match (alarm.datapoints_to_alarm, alarm.evaluation_periods) {
        (1, 1) => format!("in a period of {} s", alarm.period_s),
        (some, all) => format!("in {some} of {all} periods of {} s", alarm.period_s),
    };
    let what = match &alarm.watched {
        Watched::Metric { statistic, .. } => statistic.to_string(),
        Watched::Formula(formula) => format::shortened(&formula.title(), TITLE_MAX),
    };
    format!("{what} {} {} {periods}", alarm.comparison.words(), threshold(alarm))
}

/// The threshold in the metric's unit.
fn threshold(alarm: &Alarm) -> String {
    match &alarm.watched {
        Watched::Metric { .. } => measured::unit_of(alarm).write(alarm.threshold),
        Watched::Formula(_) => alarm.threshold.to_string(),
    }
}

/// What rings comes first, the gravest before all; then what nothing is known of.
fn rows(alarms: &Alarms, filter: &str, only_alarm: bool) -> Vec<Arc<AlarmStatus>> {
    let matches = |status: &&Arc<AlarmStatus>| {
        let said = format!("{} {}", status.alarm.name, status.alarm.description).to_lowercase();
        said.contains(filter) && (!only_alarm || status.state == AlarmState::Alarm)
    };
    let mut rows: Vec<Arc<AlarmStatus>> = alarms.alarms.values().filter(matches).cloned().collect();
    let rank = |status: &AlarmStatus| match mood(status) {
        Mood::Critical => 0,
        Mood::Warning | Mood::Busy => 1,
        Mood::Quiet => 2,
        Mood::Good => 3,
    };
    rows.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.alarm.name.cmp(&other.alarm.name)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn what_rings_comes_first_and_says_when_it_would_ring() {
        let alarms = fixture::incident().cloudwatch.alarms;
        let rows = rows(&alarms, "", false);
        assert_eq!(rows.len(), alarms.alarms.len());
        assert_eq!((rows[0].state, rows[0].alarm.severity), (AlarmState::Alarm, Severity::Critical));
        assert_eq!(rows[0].alarm.name, "OfflinePartitionsCount");
        assert_eq!(condition(&rows[0].alarm), "Maximum greater than 0 in a period of 10 s");
        let ringing = super::rows(&alarms, "", true);
        assert!(!ringing.is_empty() && ringing.len() < rows.len());
        assert!(super::rows(&alarms, "no such alarm", false).is_empty());
    }
}
