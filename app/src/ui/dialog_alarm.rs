//! The dialogs on alarms: one to put or change an alarm, checked while one types, and one to delete it.

use egui::{Align, Context, Layout, Ui};

use super::alarm_draft::{self, AlarmDraft, COMPARISONS, Complaints, MISSING, SEVERITIES};
use super::app::{Action, Scene};
use super::as_command::aws;
use super::measured::{self, Query, STATISTICS};
use super::screens::alarm_detail::formula_words;
use super::screens::alarms::condition;
use super::tokens::{font, palette, size, space};
use super::widgets::button::{Button, Tone};
use super::widgets::chart::{Chart, Crosshair, Threshold, Trace};
use super::widgets::dialog::{self, Buttons, Outcome};
use super::widgets::field::{self, filter_box};
use super::widgets::picker::{Choice, labelled};
use super::widgets::text;
use crate::monitor::cloudwatch::alarm::Alarm;
use crate::monitor::cloudwatch::catalog;
use crate::monitor::cloudwatch::statistics::Statistic;
use crate::monitor::cloudwatch::watch::Change;
use crate::monitor::command::Command;

/// Series that are offered at once.
const OFFERED: usize = 6;
/// The course of the series is shown where the window is at least so high.
const ROOMY: f32 = 820.0;
const CHART: f32 = 96.0;
/// What the course shows.
const COURSE: Query = Query { range_s: 900, period_s: 10, statistic: None };

/// Puts an alarm, or another in its place.
pub fn put(ctx: &Context, scene: &Scene<'_>, draft: &mut AlarmDraft, actions: &mut Vec<Action>) -> Outcome {
    let mut alarm = None;
    let title = match &draft.changes {
        Some(name) => format!("Change {name}"),
        None => "New alarm".to_owned(),
    };
    let outcome = dialog::wide(ctx, "put-alarm", &title, |ui| {
        let before = draft.clone();
        let complaints = draft.check(&scene.model.view.cloudwatch.alarms);
        // An untouched dialog does not scold.
        let shown = if draft.touched { &complaints } else { &Complaints::default() };
        series(ui, scene, draft, shown);
        conditions(ui, draft, shown);
        words(ui, draft, shown);
        draft.touched |= *draft != before;
        let complaints = draft.check(&scene.model.view.cloudwatch.alarms);
        alarm = draft.alarm().filter(|_| complaints.none());
        outlook(ui, scene, alarm.as_ref());
        let confirm = if draft.changes.is_some() { "Change alarm" } else { "Put alarm" };
        Buttons { confirm, enabled: alarm.is_some(), danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(alarm) = alarm
    {
        actions.push(Action::Send(Command::Monitoring(Change::PutAlarm(Box::new(alarm)))));
    }
    outcome
}

/// The chosen series; without one, a search among those that there are.
fn series(ui: &mut Ui, scene: &Scene<'_>, draft: &mut AlarmDraft, complaints: &Complaints) {
    let style = palette(ui);
    let view = &scene.model.view.cloudwatch;
    if let Some(formula) = &draft.formula {
        text::label(ui, "Metric math, as it was put by CloudWatch's API", font::small(), style.muted);
        formula_words(ui, formula);
        return;
    }
    if let Some(key) = draft.key.clone() {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if Button::new("Other series").small().show(ui).clicked() {
                    draft.search = key.metric.to_string();
                    draft.key = None;
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let words = format!("{} · {}", key.metric, measured::line_name(&key));
                    text::label(ui, &words, font::heading(), style.text);
                });
            });
        });
        text::label(ui, &measured::cloudwatch_name(&key), font::mono_small(), style.faint);
        return;
    }
    let search = filter_box(ui, "Search series", "Metric, broker, topic, group", &mut draft.search);
    let nothing_has_focus = ui.memory(|memory| memory.focused().is_none());
    if nothing_has_focus && !draft.touched {
        search.request_focus();
    }
    if let Some(complaint) = &complaints.key {
        text::paragraph(ui, complaint, font::small(), style.critical);
    }
    let (found, count) = alarm_draft::matching(&view.store, &draft.search, OFFERED);
    // It takes the series, and does not put the alarm at the same time.
    let enter =
        !draft.search.is_empty() && ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Enter));
    let mut taken = enter.then(|| found.first().cloned()).flatten();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS / 2.0;
        for key in &found {
            let words = format!("{} · {}", key.metric, measured::line_name(key));
            let name = format!("Series {words}");
            if Button::new(&words).name(&name).tone(Tone::Bare).small().show(ui).clicked() {
                taken = Some(key.clone());
            }
        }
    });
    let rest = match (count, count - found.len()) {
        (0, _) => "No series has all of these words. Series are there when their first value is.".to_owned(),
        (_, 0) => String::new(),
        (_, more) => format!("and {more} more: type more words"),
    };
    if !rest.is_empty() {
        text::label(ui, &rest, font::small(), style.faint);
    }
    if let Some(key) = taken {
        draft.take(key, None, &view.alarms);
        draft.touched = true;
    }
}

fn conditions(ui: &mut Ui, draft: &mut AlarmDraft, complaints: &Complaints) {
    let statistics: Vec<(Statistic, String)> =
        STATISTICS.iter().filter_map(|(statistic, name)| Some(((*statistic)?, (*name).to_owned()))).collect();
    let known = statistics.iter().any(|(statistic, _)| *statistic == draft.statistic);
    let statistics: Vec<(Statistic, String)> =
        statistics.into_iter().chain((!known).then(|| (draft.statistic, draft.statistic.to_string()))).collect();
    let periods: Vec<(i64, String)> =
        draft.periods_offered().into_iter().map(|period_s| (period_s, period(period_s))).collect();
    let row = draft.key.as_ref().and_then(|key| catalog::definition(key));
    let unit = match row {
        Some(_) if draft.statistic == Statistic::SampleCount => "Count",
        Some(row) => row.unit.name(),
        None => "number",
    };
    let of_metric = draft.formula.is_none();
    ui.columns(if of_metric { 4 } else { 2 }, |columns| {
        let columns = if of_metric {
            let (of_metric, rest) = columns.split_at_mut(2);
            labelled(&mut of_metric[0], "Statistic", &mut draft.statistic, &choices(&statistics));
            labelled(&mut of_metric[1], "Period", &mut draft.period_s, &choices(&periods));
            rest
        } else {
            columns
        };
        labelled(&mut columns[0], "ALARM when it is", &mut draft.comparison, &choices(&COMPARISONS));
        let label = format!("Threshold ({unit})");
        field::field(&mut columns[1], &label, "0", &mut draft.threshold, complaints.threshold.as_deref());
    });
    ui.columns(4, |columns| {
        field::field(&mut columns[0], "Datapoints", "2", &mut draft.datapoints, complaints.datapoints.as_deref());
        field::field(&mut columns[1], "of periods", "2", &mut draft.periods, complaints.periods.as_deref());
        labelled(&mut columns[2], "No value counts for", &mut draft.missing, &choices(&MISSING));
        labelled(&mut columns[3], "Severity", &mut draft.severity, &choices(&SEVERITIES));
    });
}

fn choices<T: Copy, S: AsRef<str>>(of: &[(T, S)]) -> Vec<Choice<'_, T>> {
    of.iter().map(|(value, name)| Choice { value: *value, name: name.as_ref(), enabled: true }).collect()
}

fn period(period_s: i64) -> String {
    match measured::period_name(period_s) {
        "" => format!("{period_s} s"),
        name => name.to_owned(),
    }
}

fn words(ui: &mut Ui, draft: &mut AlarmDraft, complaints: &Complaints) {
    if draft.changes.is_none() {
        let before = draft.name.clone();
        field::field(ui, "Name", "What it is called", &mut draft.name, complaints.name.as_deref());
        if draft.name != before {
            draft.keep_name();
        }
    }
    let complaint = complaints.description.as_deref();
    field::field(ui, "What to do when it rings", "One line, for whoever is called", &mut draft.description, complaint);
}

/// What the alarm would watch, in a sentence and over the last quarter of an hour, and the command that puts it.
fn outlook(ui: &mut Ui, scene: &Scene<'_>, alarm: Option<&Alarm>) {
    let style = palette(ui);
    let Some(alarm) = alarm else { return };
    let (view, now_ms) = (&scene.model.view.cloudwatch, scene.model.snapshot().at_ms);
    let unit = measured::unit_of(alarm);
    let period_s = if measured::fits(alarm.period_s, COURSE.range_s) { alarm.period_s } else { COURSE.period_s };
    let query = Query { period_s, ..COURSE };
    let points = measured::points_of(alarm, &view.store, query, now_ms);
    let newest = points.iter().rev().find(|point| point.1.is_finite());
    let newest =
        newest.map_or_else(|| "no value yet".to_owned(), |point| format!("newest value {}", unit.write(point.1)));
    text::label(ui, &format!("ALARM when {}; {newest}", condition(alarm)), font::small(), style.muted);
    if ui.ctx().content_rect().height() >= ROOMY {
        let line = Threshold { value: alarm.threshold, name: format!("ALARM when {}", alarm.comparison.words()) };
        let name = format!("{} of {}", measured::watched_name(alarm), period(period_s));
        let trace = Trace { name, color: style.series[0], dashed: false, points, format: unit };
        let chart = Chart {
            bands: scene.model.faults.bands(),
            threshold: Some(&line),
            stale_ms: query.stale_ms(),
            ..Chart::new("What the alarm would watch", now_ms, query.range_s, CHART, unit)
        };
        chart.show(ui, &mut Crosshair::default(), &[trace]);
    }
    if let Some(http) = &scene.options.http {
        field::command(ui, "As a command", &aws::put(http, alarm));
    }
}

/// Deletes an alarm.
pub fn delete(ctx: &Context, scene: &Scene<'_>, name: &str, actions: &mut Vec<Action>) -> Outcome {
    let outcome = dialog::dialog(ctx, "delete-alarm", &format!("Delete {name}?"), |ui| {
        let style = palette(ui);
        let status = scene.model.view.cloudwatch.alarms.alarms.get(name);
        let words = match status {
            Some(status) if status.alarm.is_ours => {
                "It comes with the program: it is there again when another set of alarms is chosen. Its history stays."
            }
            _ => "Nothing watches for this any more. Its history stays; the alarm itself cannot be brought back.",
        };
        text::paragraph(ui, words, font::body(), style.muted);
        if let Some(http) = &scene.options.http {
            field::command(ui, "As a command", &aws::delete(http, &[name.to_owned()]));
        }
        ui.add_space(size::LINE);
        Buttons { confirm: "Delete the alarm", enabled: status.is_some(), danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(Command::Monitoring(Change::DeleteAlarms(vec![name.to_owned()]))));
    }
    outcome
}
