//! The wall: eight numbers that tell the cluster's health, and a chart for each metric of the size that is chosen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use egui::{Align, Layout, Rect, Sense, Ui, UiBuilder, pos2, vec2};

use super::metrics::{Half, State as Screen};
use super::page;
use crate::monitor::cloudwatch::catalog::Definition;
use crate::ui::alarm_draft::Start;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::measured::{self, Lines, Query, Size};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button};
use crate::ui::widgets::card::{card, dashed};
use crate::ui::widgets::chart::{Band, Chart};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::{text, tile};

/// What the wall remembers: what was read for each chart, by its pin.
#[derive(Debug, Default)]
pub struct State {
    lines: BTreeMap<String, Cached<(u64, Query, bool), Lines>>,
    /// Until when charts may be read anew in this frame; those that come too late are shown as they were, and read in the next.
    read_until: Option<Instant>,
}

/// Charts are read for so long in each frame.
const BUDGET: Duration = Duration::from_millis(3);

/// Charts grow with the window between these heights.
const CHART_LEAST: f32 = 120.0;
const CHART_MOST: f32 = 250.0;
/// What a panel has beside its chart: title, meaning, legend, names, margins and what is between them.
const PANEL_REST: f32 = 2.0 * space::M
    + size::CONTROL_SMALL
    + size::ICON
    + space::XS
    + size::ICON
    + size::CONTROL_SMALL
    + 4.0 * GAP
    + SLACK;
const GAP: f32 = 6.0;
/// Borders, and what rounding adds.
const SLACK: f32 = 3.0;
/// Charts stand in two columns from this width on, and in three from this.
const TWO_COLUMNS: f32 = 700.0;
const THREE_COLUMNS: f32 = 1_240.0;
/// So many faults are told by name above the charts.
const FAULTS_TOLD: usize = 3;

static NOT_READ: Lines = Lines { traces: Vec::new(), series: 0 };

/// The mark of what is made by a model.
pub const SIMULATED: Pill = Pill::new(Mood::Busy, Icon::Info, "simulated");

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, screen: &mut Screen, actions: &mut Vec<Action>) {
    let rows = panels(screen.size, &screen.pins, scene);
    screen.wall.read_until = Some(Instant::now() + BUDGET);
    let bands = scene.model.faults.bands().clone();
    let from_ms = scene.model.snapshot().at_ms - screen.query.range_s * 1000;
    let shown: Vec<&Band> =
        bands.iter().filter(|band| band.until_ms.is_none_or(|until_ms| until_ms >= from_ms)).collect();
    let room = ui.available_height();
    page(ui, "metrics", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        let tile_rows = tiles(ui, scene) as f32;
        let mut above = tile_rows * (tile::HEIGHT + space::M);
        if !shown.is_empty() {
            faults(ui, scene, &shown);
            above += size::ICON + space::M;
        }
        let width = ui.available_width();
        let columns = if width >= THREE_COLUMNS { 3 } else { 1 + usize::from(width >= TWO_COLUMNS) };
        // One more place invites to pin.
        let lines = (rows.len() + 1).div_ceil(columns) as f32;
        let share = (room - above - space::M * lines) / lines;
        let chart = (share - PANEL_REST).floor().clamp(CHART_LEAST, CHART_MOST);
        grid(ui, scene, (screen, actions), &rows, &bands, (columns, chart));
    });
}

/// Pins first, then what the size has; each once.
fn panels(size: Size, pins: &[String], scene: &Scene<'_>) -> Vec<&'static Definition> {
    let mut rows: Vec<&'static Definition> = pins.iter().filter_map(|pin| measured::pinned(pin)).collect();
    for row in measured::of_size(size, scene.model.view.cloudwatch.level) {
        if !rows.iter().any(|known| std::ptr::eq(*known, row)) {
            rows.push(row);
        }
    }
    rows
}

fn tiles(ui: &mut Ui, scene: &Scene<'_>) -> usize {
    let snapshot = scene.model.snapshot();
    let (totals, vitals) = (&snapshot.totals, &scene.model.vitals);
    let bad = |is_bad: bool, mood: Mood| if is_bad { mood } else { Mood::Quiet };
    let count = |value: usize| format::count(value as i64);
    let of = |part: usize, whole: usize| format!("{} / {}", count(part), count(whole));
    let unclean = vitals.unclean_elections_per_s;
    let tiles = [
        (
            "Brokers online",
            of(vitals.brokers_online, snapshot.brokers.len()),
            bad(vitals.brokers_online < snapshot.brokers.len(), Mood::Warning),
        ),
        ("Active controllers", count(totals.active_controllers), bad(totals.active_controllers != 1, Mood::Critical)),
        (
            "Unclean election rate",
            unclean.map_or_else(|| "–".to_owned(), format::rate),
            bad(unclean.is_some_and(|rate| rate >= 0.001), Mood::Critical),
        ),
        (
            "Online replicas",
            of(vitals.online_replicas, totals.replicas),
            bad(vitals.online_replicas < totals.replicas, Mood::Warning),
        ),
        (
            "Under-replicated",
            count(totals.under_replicated_partitions),
            bad(totals.under_replicated_partitions > 0, Mood::Warning),
        ),
        ("At min ISR", count(vitals.at_min_isr), bad(vitals.at_min_isr_by_loss > 0, Mood::Warning)),
        (
            "Under min ISR",
            count(totals.under_min_isr_partitions),
            bad(totals.under_min_isr_partitions > 0, Mood::Critical),
        ),
        ("Offline partitions", count(totals.offline_partitions), bad(totals.offline_partitions > 0, Mood::Critical)),
    ];
    tile::row(ui, &tiles)
}

/// What the bands in the charts stand for, the newest first.
fn faults(ui: &mut Ui, scene: &Scene<'_>, shown: &[&Band]) {
    let style = palette(ui);
    let now_ms = scene.model.snapshot().at_ms;
    ui.horizontal(|ui| {
        ui.set_height(size::ICON);
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, "Shaded:", font::small(), style.faint);
        for band in shown.iter().rev().take(FAULTS_TOLD) {
            let (swatch, _) = ui.allocate_exact_size(vec2(size::ICON, size::ICON - space::XS), Sense::hover());
            ui.painter().rect_filled(swatch, 0.0, style.critical_fill.gamma_multiply(0.25));
            let edge = egui::Stroke::new(size::LINE, style.critical_fill);
            ui.painter().vline(swatch.left(), swatch.y_range(), edge);
            ui.painter().vline(swatch.right(), swatch.y_range(), edge);
            let since = format::ago(now_ms, band.from_ms);
            let when = match band.until_ms {
                None => format!("for {since}"),
                Some(until_ms) if since == format::ago(now_ms, until_ms) => format!("{since} ago"),
                Some(until_ms) => format!("{since} to {} ago", format::ago(now_ms, until_ms)),
            };
            text::label(ui, &format!("{}, {when}", band.name), font::small(), style.muted);
        }
        if shown.len() > FAULTS_TOLD {
            let words = format!("and {} more", shown.len() - FAULTS_TOLD);
            text::label(ui, &words, font::small(), style.faint);
        }
    });
}

/// The panels in rows; what cannot be seen is neither read nor laid out.
fn grid(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (screen, actions): (&mut Screen, &mut Vec<Action>),
    rows: &[&'static Definition],
    bands: &[Band],
    (columns, chart): (usize, f32),
) {
    let width = ((ui.available_width() + space::M) / columns as f32 - space::M).floor();
    let height = chart + PANEL_REST;
    for first in (0..=rows.len()).step_by(columns) {
        let (line, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        if !ui.is_rect_visible(line) {
            continue;
        }
        for index in first..(first + columns).min(rows.len() + 1) {
            let left = line.left() + (index - first) as f32 * (width + space::M);
            let place = Rect::from_min_size(pos2(left, line.top()), vec2(width, height));
            let layout = Layout::top_down(Align::Min);
            let mut child = ui.new_child(UiBuilder::new().id_salt(("panel", index)).max_rect(place).layout(layout));
            match rows.get(index) {
                Some(row) => {
                    card(&mut child, |ui| panel(ui, scene, (screen, actions), row, bands, chart));
                }
                None => invitation(&mut child, screen, place),
            }
        }
    }
}

fn invitation(ui: &mut Ui, screen: &mut Screen, place: Rect) {
    let style = palette(ui);
    dashed(ui, place);
    let middle = Rect::from_center_size(place.center(), vec2(place.width() - space::XL, 2.0 * size::CONTROL));
    let mut child = ui.new_child(UiBuilder::new().max_rect(middle).layout(Layout::top_down(Align::Center)));
    child.spacing_mut().item_spacing.y = space::S;
    if Button::new("Pin a metric").with_icon(Icon::Plus).show(&mut child).clicked() {
        screen.half = Half::Explorer;
    }
    text::label(&mut child, "All names, with a search", font::small(), style.faint);
}

fn panel(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (screen, actions): (&mut Screen, &mut Vec<Action>),
    row: &'static Definition,
    bands: &[Band],
    height: f32,
) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = GAP;
    let pin = measured::pin_of(row);
    let query = screen.query;
    title(ui, screen, row, &pin, actions);
    let asked =
        format!("{} of {}, {}", query.statistic_of(row), measured::period_name(query.period_s), measured::by(row));
    ui.horizontal(|ui| {
        ui.set_height(size::ICON);
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, &asked, font::tiny(), style.muted);
        text::label(ui, row.meaning, font::tiny(), style.faint);
    });
    // The topmost mark of the axis stands half above the plot.
    ui.add_space(space::XS);
    let (model, now_ms) = (scene.model, scene.model.snapshot().at_ms);
    let dark = ui.visuals().dark_mode;
    let store = &model.view.cloudwatch.store;
    let cached = screen.wall.lines.entry(pin.clone()).or_default();
    let is_late = screen.wall.read_until.is_some_and(|until| Instant::now() >= until);
    let key = (model.measured, query, dark);
    let lines = if is_late && !cached.is_fresh(&key) {
        ui.ctx().request_repaint();
        cached.peek().unwrap_or(&NOT_READ)
    } else {
        cached.get(key, || measured::lines(store, row, query, now_ms, style))
    };
    let unit = measured::unit(row, query.statistic_of(row));
    let chart = Chart {
        bands,
        short_legend: true,
        stale_ms: query.stale_ms(),
        ..Chart::new(&pin, now_ms, query.range_s, height, unit)
    };
    chart.show(ui, &mut screen.crosshair, &lines.traces);
    let (series, is_read) = (lines.series, !std::ptr::eq(lines, &NOT_READ));
    ui.horizontal(|ui| {
        ui.set_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::XS;
        match row.prometheus {
            Some(name) => {
                let room = ui.available_width() - size::CONTROL_SMALL - space::S;
                ui.scope(|ui| {
                    ui.set_max_width(room);
                    super::metrics::named(ui, "Prometheus", name);
                });
                button::copy(ui, name, &format!("Prometheus' name of {pin}"));
            }
            None => {
                text::label(ui, "No name of its own in Prometheus", font::tiny(), style.faint);
            }
        }
        let words = match series {
            0 if is_read => "no data yet".to_owned(),
            0 => "reading…".to_owned(),
            series if series > measured::LINES_MAX => {
                format!("the greatest {} of {}", measured::LINES_MAX, format::count(series as i64))
            }
            _ => return,
        };
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| text::label(ui, &words, font::tiny(), style.muted));
    });
}

/// CloudWatch's name, and at the right what can be done with it.
fn title(ui: &mut Ui, screen: &mut Screen, row: &'static Definition, pin: &str, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.set_height(size::CONTROL_SMALL);
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let is_pinned = screen.pins.iter().any(|known| known == pin);
            let name = format!("{} {pin}", if is_pinned { "Unpin" } else { "Pin" });
            let button = Button::icon(Icon::Pin, &name).small().selected(is_pinned).show(ui);
            if button.clicked() {
                screen.toggle_pin(pin);
            }
            button.on_hover_text(if is_pinned { "Take it off the wall" } else { "Keep it on the wall in every size" });
            let name = format!("Explore {pin}");
            let button = Button::icon(Icon::Search, &name).small().show(ui);
            if button.clicked() {
                screen.half = Half::Explorer;
                screen.explorer.open(pin);
            }
            button.on_hover_text("Its series and all their names");
            let name = format!("Alarm on {pin}");
            let button = Button::icon(Icon::Bell, &name).small().show(ui);
            if button.clicked() {
                let start = Start::Metric(pin.to_owned(), screen.query.statistic);
                actions.push(Action::Ask(Dialog::PutAlarm(start)));
            }
            button.on_hover_text("Put an alarm on it");
            button::copy(ui, row.name, &format!("CloudWatch's name of {pin}"));
            if row.is_simulated {
                SIMULATED.show(ui);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                text::label(ui, row.name, font::heading(), style.text);
            });
        });
    });
}
