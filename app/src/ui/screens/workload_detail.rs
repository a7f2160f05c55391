//! One workload: how it does, its course, and all that can be set while it runs.

use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::workloads::state_pill;
use super::{page, side_by_side, workload_consumers, workload_producers};
use crate::monitor::command::Command;
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::{WorkloadChange, WorkloadPoint};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around, perf};
use crate::ui::format;
use crate::ui::model::{Cached, Model};
use crate::ui::outbox::Outbox;
use crate::ui::tokens::{Palette, font, palette, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::card;
use crate::ui::widgets::chart::{Chart, Crosshair, Trace, Unit};
use crate::ui::widgets::field::command;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::{text, tile};

/// What the detail remembers.
#[derive(Debug, Default)]
pub struct State {
    crosshair: Crosshair,
    traces: Cached<(u64, u64, bool), [Vec<Trace>; 2]>,
}

const CHART: f32 = 128.0;
const CHART_WINDOW_S: i64 = 240;
/// A second that was looked at late leaves a gap of so much.
const STALE_MS: i64 = 5_000;
/// From this width on, cards stand side by side.
const WIDE: f32 = 640.0;
/// Seconds over which a workload must have been too slow before that is said.
const SLOW_S: usize = 5;

/// Paints it.
pub fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    state: &mut State,
    outbox: &mut Outbox,
    workload: &WorkloadStatus,
    actions: &mut Vec<Action>,
) {
    let wished = outbox.wished(workload.id, &workload.spec);
    let mut change = WorkloadChange::default();
    page(ui, "workload", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| summary(ui, scene, workload, actions));
        let wide = ui.available_width() >= WIDE;
        card(ui, |ui| charts(ui, scene, state, workload, wide));
        let columns = if wide { 2.0 } else { 1.0 };
        let width = ((ui.available_width() + space::M) / columns - space::M).floor();
        let mut part = |ui: &mut Ui, index: usize| {
            card(ui, |ui| match index {
                0 => workload_producers::show(ui, workload, &wished, &mut change),
                _ => workload_consumers::show(ui, workload, &wished, &mut change, actions),
            });
        };
        if wide {
            side_by_side(ui, &[width, width], space::M, &mut part);
        } else {
            part(ui, 0);
            part(ui, 1);
        }
        card(ui, |ui| commands(ui, scene, workload));
    });
    if !change.0.is_empty() {
        outbox.put(workload.id, change);
        // It goes on its way with the next frame.
        ui.ctx().request_repaint();
    }
}

fn summary(ui: &mut Ui, scene: &Scene<'_>, workload: &WorkloadStatus, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let title = format!("Workload {} on {}", workload.id, workload.topic);
        text::label(ui, &title, font::heading(), style.text);
        state_pill(workload).show(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| deeds(ui, scene, workload, actions));
    });
    if let Some((mood, words)) = complaint(workload, scene.model) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            let ink = mood.colors(style).0;
            let symbol = if mood == Mood::Critical { Icon::Critical } else { Icon::Warning };
            icon::mark(ui, symbol, ink);
            text::paragraph(ui, &words, font::body(), ink);
        });
    }
    tile::row(ui, &tiles(workload, scene.model));
    text::paragraph(ui, &counters(workload), font::small(), style.muted);
}

fn deeds(ui: &mut Ui, scene: &Scene<'_>, workload: &WorkloadStatus, actions: &mut Vec<Action>) {
    let spoken = format!("Stop workload {}", workload.id);
    let stop = Command::StopWorkload(workload.id);
    let button = Button::new("Stop").name(&spoken).small().with_icon(Icon::Stop).tone(Tone::Danger);
    let response = button.enabled(workload.state != "stopping").show(ui);
    let line = as_command::line(&stop, &Around::scene(scene));
    if response.clicked() {
        actions.push(Action::Send(stop));
    }
    response.on_hover_text(format!("Ends all its clients; the topic and what was committed stay.\n{line}"));
    if !workload.group.is_empty() && Button::new("Group").small().with_icon(Icon::Groups).show(ui).clicked() {
        actions.push(Action::OpenGroup(Arc::from(&*workload.group)));
    }
    if Button::new("Topic").small().with_icon(Icon::Topics).show(ui).clicked() {
        actions.push(Action::OpenTopic(Arc::from(&*workload.topic)));
    }
}

fn tiles(workload: &WorkloadStatus, model: &Model) -> [(&'static str, String, Mood); 8] {
    let quiet = |name, value| (name, value, Mood::Quiet);
    let millis = |count: u64, value: f64| if count > 0 { format::millis(value) } else { "–".to_owned() };
    let (ack, whole) = (workload.ack, workload.end_to_end);
    let lag = model.group(&workload.group).filter(|group| group.has_lag()).map(|group| group.total_lag);
    [
        quiet("Sent", format::rate(workload.sent_per_s)),
        quiet("Acknowledged", format::rate(workload.acked_per_s)),
        quiet("Read", format::rate(workload.read_per_s)),
        quiet("Lag", lag.map_or_else(|| "–".to_owned(), format::count)),
        quiet("Ack p50", millis(ack.count, ack.p50_ms)),
        quiet("Ack p99", millis(ack.count, ack.p99_ms)),
        quiet("End to end p50", millis(whole.count, whole.p50_ms)),
        quiet("End to end p99", millis(whole.count, whole.p99_ms)),
    ]
}

/// What it has done since it began.
fn counters(workload: &WorkloadStatus) -> String {
    let count = |value: u64| format::count(value as i64);
    let mut words = format!(
        "Since it began: {} sent, {} acknowledged, {} read",
        count(workload.sent),
        count(workload.acked),
        count(workload.read)
    );
    let others = [
        (workload.unknown, "neither acknowledged nor certainly refused"),
        (workload.failed, "refused"),
        (workload.aborted, "aborted"),
    ];
    for (value, name) in others.into_iter().filter(|(value, _)| *value > 0) {
        words += &format!(", {} {name}", count(value));
    }
    if workload.transactions_committed + workload.transactions_aborted > 0 {
        words += &format!(
            "; transactions: {} committed, {} aborted",
            count(workload.transactions_committed),
            count(workload.transactions_aborted)
        );
    }
    if !workload.frozen.is_empty() {
        words += &format!("; {} frozen in a transaction", format::plural(workload.frozen.len(), "producer"));
    }
    if workload.fenced > 0 {
        words += &format!("; {} of producers that had been frozen were refused", count(workload.fenced) + " attempts");
    }
    if workload.restarts > 0 {
        words += &format!("; {} to follow a change", format::plural(workload.restarts as usize, "client restart"));
    }
    words + "."
}

/// What keeps it from doing what it is asked for, in a sentence.
pub fn complaint(workload: &WorkloadStatus, model: &Model) -> Option<(Mood, String)> {
    if let Some(error) = &workload.error {
        return Some((Mood::Critical, format!("It cannot go on: {error}. Change what it needs, or stop it.")));
    }
    if let Some((topic, health)) = model.topic(&workload.topic) {
        let all = topic.partitions.len();
        let away = health.offline + health.unreachable;
        if away > 0 {
            let words = format!("{away} of {all} partitions have no leader that answers: records for these wait.");
            return Some((Mood::Critical, words));
        }
        if health.under_min_isr > 0 && workload.spec.is_acks_all() {
            let words = format!(
                "{} of {all} partitions have fewer in-sync replicas than min.insync.replicas: with acks=all the broker refuses \
                 records for these, and the producer sends them again until it takes them.",
                health.under_min_isr
            );
            return Some((Mood::Critical, words));
        }
    } else if workload.sent > 0 {
        return Some((Mood::Critical, format!("There is no topic {} any more.", workload.topic)));
    }
    if let Some(trouble) = &workload.trouble {
        return Some((Mood::Warning, format!("{trouble}; it tries again.")));
    }
    let spec = &workload.spec;
    let target = spec.rate_per_s as f64;
    let last: Vec<&WorkloadPoint> = workload.points.iter().rev().take(SLOW_S).collect();
    let is_asked = target > 0.0 && spec.producers > 0 && !spec.paused && spec.burst_for_ms == 0;
    let is_slow = last.len() == SLOW_S && last.iter().all(|point| point.sent_per_s < target * 0.85);
    (is_asked && is_slow).then(|| {
        let words = format!(
            "It sends {} of the {} that are asked for: the brokers, or this machine, do not keep up.",
            format::rate(workload.sent_per_s),
            format::rate(target)
        );
        (Mood::Warning, words)
    })
}

fn charts(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, workload: &WorkloadStatus, wide: bool) {
    let style = palette(ui);
    let key = (scene.model.generation, workload.id, ui.visuals().dark_mode);
    let traces = state.traces.get(key, || traces(workload, style));
    let now_ms = workload.points.back().map_or(scene.model.snapshot().at_ms, |point| point.at_ms);
    let columns = if wide { 2.0 } else { 1.0 };
    let width = ((ui.available_width() + space::M) / columns - space::M).floor();
    state.crosshair.turn();
    let crosshair = &mut state.crosshair;
    let mut chart = |ui: &mut Ui, index: usize| {
        let (title, unit, at_least) = [("Throughput", Unit::Rate, 10.0), ("Latency", Unit::Millis, 1.0)][index];
        text::label(ui, title, font::heading(), style.text);
        let chart = Chart {
            at_least,
            bands: scene.model.faults.bands(),
            stale_ms: STALE_MS,
            ..Chart::new(title, now_ms, CHART_WINDOW_S, CHART, unit)
        };
        chart.show(ui, crosshair, &traces[index]);
    };
    if wide {
        side_by_side(ui, &[width, width], space::M, &mut chart);
    } else {
        chart(ui, 0);
        chart(ui, 1);
    }
    state.crosshair.settle(ui.ctx());
}

fn traces(workload: &WorkloadStatus, style: &Palette) -> [Vec<Trace>; 2] {
    let trace = |name: &str, series: usize, dashed: bool, format: Unit, of: fn(&WorkloadPoint) -> f64| Trace {
        name: name.into(),
        color: style.series[series],
        dashed,
        points: workload.points.iter().map(|point| (point.at_ms, of(point))).collect(),
        format,
    };
    let (rate, millis) = (Unit::Rate, Unit::Millis);
    [
        vec![
            trace("Sent", 5, true, rate, |point| point.sent_per_s),
            trace("Acknowledged", 0, false, rate, |point| point.acked_per_s),
            trace("Read", 3, false, rate, |point| point.read_per_s),
        ],
        vec![
            trace("Ack p50", 0, false, millis, |point| point.ack_p50_ms),
            trace("Ack p99", 0, true, millis, |point| point.ack_p99_ms),
            trace("End to end p50", 3, false, millis, |point| point.end_to_end_p50_ms),
            trace("End to end p99", 3, true, millis, |point| point.end_to_end_p99_ms),
        ],
    ]
}

fn commands(ui: &mut Ui, scene: &Scene<'_>, workload: &WorkloadStatus) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "As commands", font::heading(), style.text);
    let around = Around::scene(scene);
    for line in perf::lines(&workload.spec, &workload.group, &around) {
        command(ui, line.title, &line.text);
    }
    let start = Command::StartWorkload((*workload.spec).clone());
    for line in as_command::lines(&start, &around) {
        command(ui, "A workload like this one, over HTTP", &line.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::workload::WorkloadSpec;
    use crate::ui::fixture;

    fn model(view: crate::monitor::view::View) -> Model {
        let mut model = Model::default();
        model.update(view);
        model
    }

    fn workload(topic: &str) -> WorkloadStatus {
        WorkloadStatus {
            id: 1,
            topic: topic.into(),
            state: "running".into(),
            sent: 10,
            spec: Arc::new(WorkloadSpec { topic: topic.into(), ..WorkloadSpec::default() }),
            ..WorkloadStatus::default()
        }
    }

    #[test]
    fn what_keeps_it_is_said_in_a_sentence() {
        let well = model(fixture::healthy());
        let broken = model(fixture::incident());
        assert_eq!(complaint(&workload("orders"), &well), None);
        let said = |workload: &WorkloadStatus, model: &Model| complaint(workload, model).map(|found| found.1);
        assert!(said(&workload("audit"), &broken).is_some_and(|words| words.contains("no leader that answers")));
        assert!(said(&workload("clicks"), &broken).is_some_and(|words| words.contains("min.insync.replicas")));
        assert!(said(&workload("gone"), &well).is_some_and(|words| words.contains("no topic gone any more")));
        let failed = WorkloadStatus { error: Some("producer 1: no".into()), ..workload("orders") };
        assert!(said(&failed, &well).is_some_and(|words| words.starts_with("It cannot go on: producer 1: no.")));
        let troubled = WorkloadStatus { trouble: Some("producer 1: Timed out".into()), ..workload("orders") };
        assert_eq!(said(&troubled, &well).as_deref(), Some("producer 1: Timed out; it tries again."));
        let points = (0..9).map(|at_ms| WorkloadPoint { at_ms, sent_per_s: 700.0, ..WorkloadPoint::default() });
        let slow = WorkloadStatus { points: Arc::new(points.collect()), ..workload("orders") };
        assert!(said(&slow, &well).is_some_and(|words| words.contains("do not keep up")));
    }

    #[test]
    fn counters_tell_what_there_is() {
        let plain = WorkloadStatus { acked: 9, read: 8, ..workload("t") };
        assert_eq!(counters(&plain), "Since it began: 10 sent, 9 acknowledged, 8 read.");
        let all = WorkloadStatus { unknown: 1, aborted: 2, transactions_committed: 3, restarts: 1, ..plain };
        let words = counters(&all);
        let zombie = WorkloadStatus { frozen: vec![1], fenced: 20, ..all };
        let told = counters(&zombie);
        assert!(
            told.contains("; 1 producer frozen in a transaction; 20 attempts of producers that had been"),
            "{told}"
        );
        assert!(words.contains("2 aborted; transactions: 3 committed, 0 aborted; 1 client restart"), "{words}");
    }
}
