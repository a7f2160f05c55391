//! One alarm: its state and why, what to do, the course of what it watches with the threshold across, and its history.

use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::alarms::{condition, pill};
use super::page;
use crate::monitor::cloudwatch::alarm::{Alarm, AlarmState, Watched};
use crate::monitor::cloudwatch::alarms::{AlarmStatus, HistoryItem};
use crate::monitor::cloudwatch::catalog;
use crate::monitor::cloudwatch::math::formula::Formula;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::Command;
use crate::ui::alarm_draft::Start;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::as_command::aws;
use crate::ui::format;
use crate::ui::measured::{self, Query, RANGES};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone, segments};
use crate::ui::widgets::card::card;
use crate::ui::widgets::chart::{Chart, Crosshair, Threshold, Trace};
use crate::ui::widgets::field::command;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What the detail remembers.
#[derive(Debug)]
pub struct State {
    query: Query,
    crosshair: Crosshair,
    courses: Cached<(u64, Query, String), Vec<Course>>,
    history: Cached<(u64, String), Vec<Arc<HistoryItem>>>,
    table: TableState,
}

impl Default for State {
    fn default() -> State {
        let mut query = Query::new();
        query.set_range(900);
        State {
            query,
            crosshair: Crosshair::default(),
            courses: Cached::default(),
            history: Cached::default(),
            table: TableState::default(),
        }
    }
}

/// A line of the chart: its name and its points.
type Course = (String, Vec<(i64, f64)>);

const CHART: f32 = 170.0;
/// Of an expression, the heading says at most so many characters.
const TITLE_MAX: usize = 40;
/// The history shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 8.0;

const HISTORY: [Column; 2] =
    [Column::text("When", 96.0, 0.0).unsorted(), Column::text("What happened", 180.0, 1.0).unsorted()];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, status: &AlarmStatus, actions: &mut Vec<Action>) {
    page(ui, "alarm", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| summary(ui, scene, status, actions));
        card(ui, |ui| course(ui, scene, state, status));
        card(ui, |ui| history(ui, scene, state, status));
    });
}

fn summary(ui: &mut Ui, scene: &Scene<'_>, status: &AlarmStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let alarm = &status.alarm;
    let now_ms = scene.model.snapshot().at_ms;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            pill(status).show(ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, &alarm.name, font::heading(), style.text);
            });
        });
    });
    let ago = format::ago(now_ms, status.changed_ms);
    let since = if ago == "now" { "since now".to_owned() } else { format!("for {ago}") };
    text::label(
        ui,
        &format!("{} {since} · ALARM when {}", status.state.name(), condition(alarm)),
        font::small(),
        style.muted,
    );
    text::paragraph(ui, &status.reason, font::small(), style.faint);
    if !alarm.description.is_empty() {
        let words = format!("What to do: {}", alarm.description);
        text::paragraph(ui, &words, font::body(), style.text);
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        for (state, words) in [(AlarmState::Alarm, "Set ALARM"), (AlarmState::Ok, "Set OK")] {
            let button = Button::new(words).small().enabled(status.state != state).show(ui);
            if button.clicked() {
                let change = Change::SetAlarmState {
                    name: alarm.name.clone(),
                    state,
                    reason: "Set by hand in the window.".into(),
                    data: None,
                };
                actions.push(Action::Send(Command::Monitoring(change)));
            }
            button.on_hover_text("Until the next evaluation finds another state");
        }
        if Button::new("Change").name("Change this alarm").small().show(ui).clicked() {
            actions.push(Action::Ask(Dialog::PutAlarm(Start::Change(alarm.name.clone()))));
        }
        if Button::new("Delete")
            .name("Delete alarm")
            .with_icon(Icon::Trash)
            .tone(Tone::Danger)
            .small()
            .show(ui)
            .clicked()
        {
            actions.push(Action::Ask(Dialog::DeleteAlarm(alarm.name.clone())));
        }
    });
    if let Some(http) = &scene.options.http {
        command(ui, "Set ALARM as a command", &aws::set_state(http, &alarm.name, "ALARM", "test"));
    }
}

fn course(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, status: &AlarmStatus) {
    let style = palette(ui);
    let alarm = &status.alarm;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut range_s = state.query.range_s;
            if segments(ui, &mut range_s, &RANGES) {
                state.query.set_range(range_s);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, &title(alarm), font::heading(), style.text);
            });
        });
    });
    if let Some(formula) = alarm.formula() {
        formula_words(ui, formula);
    }
    let row = alarm.metric().and_then(|(key, _)| catalog::definition(key));
    let unit = measured::unit_of(alarm);
    let (view, now_ms) = (&scene.model.view.cloudwatch, scene.model.snapshot().at_ms);
    let mut query = state.query;
    if measured::fits(alarm.period_s, query.range_s) {
        query.period_s = alarm.period_s;
    }
    let key = (scene.model.measured, query, alarm.name.clone());
    let courses = state.courses.get(key, || measured::courses_of(alarm, &view.store, query, now_ms));
    let trace = |(index, (name, points)): (usize, &Course)| Trace {
        name: format!("{name} of {}", measured::period_name(query.period_s)),
        color: style.series[index % style.series.len()],
        dashed: false,
        points: points.clone(),
        format: unit,
    };
    let traces: Vec<Trace> = courses.iter().enumerate().map(trace).collect();
    let line = Threshold { value: alarm.threshold, name: format!("ALARM when {}", alarm.comparison.words()) };
    let chart = Chart {
        bands: scene.model.faults.bands(),
        threshold: Some(&line),
        stale_ms: query.stale_ms(),
        ..Chart::new("What the alarm watches", now_ms, query.range_s, CHART, unit)
    };
    state.crosshair.turn();
    chart.show(ui, &mut state.crosshair, &traces);
    state.crosshair.settle(ui.ctx());
    if alarm.formula().is_some() {
        // A metric's alarm has its command where it is changed; this one cannot be made there.
        if let Some(http) = &scene.options.http {
            command(ui, "Put it as a command", &aws::put(http, alarm));
        }
        return;
    }
    match row.and_then(|row| row.prometheus) {
        Some(name) => {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = space::XS;
                super::metrics::named(ui, "Prometheus", name);
            });
        }
        None => {
            text::label(ui, "No name of its own in Prometheus", font::tiny(), style.faint);
        }
    }
    if row.is_some_and(|row| row.is_simulated) {
        super::metrics_wall::SIMULATED.show(ui);
    }
}

fn title(alarm: &Alarm) -> String {
    match &alarm.watched {
        Watched::Metric { key, .. } => key.metric.to_string(),
        Watched::Formula(formula) => format::shortened(&formula.title(), TITLE_MAX),
    }
}

/// What stands for what in an expression.
pub fn formula_words(ui: &mut Ui, formula: &Formula) {
    let style = palette(ui);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        for (id, words) in formula.words() {
            text::paragraph(ui, &format!("{id} = {words}"), font::mono_small(), style.muted);
        }
    });
}

fn history(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, status: &AlarmStatus) {
    let style = palette(ui);
    let alarms = &scene.model.view.cloudwatch.alarms;
    let name = &status.alarm.name;
    let items = state.history.get((scene.model.alarmed, name.clone()), || {
        alarms.history.iter().rev().filter(|item| item.alarm == *name).cloned().collect()
    });
    text::label(ui, "History", font::heading(), style.text);
    if items.is_empty() {
        text::label(ui, "Its state has not changed yet.", font::body(), style.muted);
        return;
    }
    let table = Table {
        id: "alarm history",
        columns: &HISTORY,
        rows: items.len(),
        row_height: size::ROW_TALL,
        max_height: Some(size::HEADER + size::ROW_TALL * ROWS_AT_MOST),
        active: false,
        selected: None,
    };
    let (now_ms, offset) = (scene.model.snapshot().at_ms, scene.options.utc_offset_minutes);
    ui.scope(|ui| {
        table.show(ui, &mut state.table, |index, row| {
            let item = &items[index];
            let ago = format::ago(now_ms, item.at_ms);
            let ago = if ago == "now" { ago } else { format!("{ago} ago") };
            row.two_lines(&ago, &format::clock(item.at_ms, offset));
            row.two_lines(&item.summary, item.kind.name());
        });
    });
}
