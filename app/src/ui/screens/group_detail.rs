//! One group: total lag over time, lag per partition, members and what they were given.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::page;
use crate::monitor::snapshot::{Group, GroupOffset, Member};
use crate::monitor::view::{Metric, SeriesStore};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::model::{Cached, group_pill};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::card;
use crate::ui::widgets::chart::{Chart, Crosshair, Trace, Unit};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Sort, Table, TableState};
use crate::ui::widgets::text;

/// What rows are asked for: of which view and name, by which filter and order.
type Asked = (u64, Arc<str>, String, Option<Sort>);

/// What the detail remembers.
#[derive(Debug, Default)]
pub struct State {
    crosshair: Crosshair,
    table: TableState,
    filter: String,
    rows: Cached<Asked, Vec<usize>>,
}

const CHART: f32 = 120.0;
const CHART_WINDOW_S: i64 = 900;
/// The lag table shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 9.0;

const COLUMNS: [Column; 5] = [
    Column::text("Partition", 72.0, 1.0),
    Column::text("Lag", 112.0, 2.0),
    Column::number("Behind by", 60.0, 0.3)
        .help("How long ago the oldest record that is not yet read was written, where that is known"),
    Column::number("Committed", 76.0, 0.5),
    Column::number("High watermark", 84.0, 0.5),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    page(ui, "group", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| summary(ui, scene, state, group, actions));
        card(ui, |ui| lags(ui, scene, state, group, actions));
        card(ui, |ui| members(ui, group));
    });
}

fn summary(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.horizontal(|ui| {
        text::label(ui, &group.id, font::heading(), style.text);
        group_pill(group).show(ui);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let assignor = if group.protocol.is_empty() { "no assignor" } else { &group.protocol };
            let words = format!(
                "{} · {assignor} · {} {} · coordinator {}",
                group.kind,
                group.counter(),
                group.generation,
                if group.coordinator < 0 { "none".to_owned() } else { group.coordinator.to_string() }
            );
            text::label(ui, &words, font::small(), style.faint);
        });
    });
    deeds(ui, group, actions);
    if !group.has_lag() {
        return;
    }
    state.crosshair.turn();
    let trace = Trace {
        name: "Total lag".into(),
        color: style.series[0],
        dashed: false,
        points: points(&scene.model.view.series, Metric::GroupLag, &group.id, CHART_WINDOW_S),
        format: Unit::Count,
    };
    let now_ms = scene.model.snapshot().at_ms;
    let chart = Chart {
        at_least: 10.0,
        bands: scene.model.faults.bands(),
        ..Chart::new("Total lag of the group", now_ms, CHART_WINDOW_S, CHART, Unit::Count)
    };
    chart.show(ui, &mut state.crosshair, &[trace]);
    state.crosshair.settle(ui.ctx());
}

/// The points of a series that lie in the window, with one before it so that lines reach the edge.
fn points(store: &SeriesStore, metric: Metric, label: &str, window_s: i64) -> Vec<(i64, f64)> {
    let Some(series) = store.get(metric, label) else { return Vec::new() };
    let from_ms = store.at_ms.back().map_or(0, |newest| newest - window_s * 1000);
    let first = store.at_ms.partition_point(|at_ms| *at_ms < from_ms).saturating_sub(1);
    store.at_ms.iter().copied().zip(series.points.iter().copied()).skip(first).collect()
}

fn lags(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    let style = palette(ui);
    if !group.has_lag() {
        text::label(ui, "Share group", font::heading(), style.text);
        let words = "Its members read partitions together and commit no offsets; its progress is known to the share coordinators.";
        text::label(ui, words, font::body(), style.muted);
        return;
    }
    let title = format!("Lag by partition · {} in total", format::count(group.total_lag));
    text::label(ui, &title, font::heading(), style.text);
    if group.offsets.is_empty() {
        text::label(ui, "The group has committed no offset yet.", font::body(), style.muted);
        return;
    }
    let most = group.offsets.iter().map(|offset| offset.lag).max().unwrap_or(0).max(1) as f32;
    let sort = state.table.sort;
    filter_box(ui, "Filter lags", "Filter partitions", &mut state.filter);
    let filter = state.filter.trim().to_lowercase();
    let key = (scene.model.generation, Arc::clone(&group.id), filter.clone(), sort);
    let rows = state.rows.get(key, || rows(&group.offsets, &filter, sort));
    if rows.is_empty() {
        text::label(ui, "No partition matches the filter.", font::body(), style.muted);
        return;
    }
    let table = Table {
        id: "lags",
        columns: &COLUMNS,
        rows: rows.len(),
        row_height: size::CONTROL,
        max_height: Some(size::HEADER + size::CONTROL * ROWS_AT_MOST),
        active: false,
        selected: None,
    };
    let menu = |index: usize| menu(&group.offsets[rows[index]]);
    ui.scope(|ui| {
        let (_, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let offset = &group.offsets[rows[index]];
            row.strong(&format!("{}-{}", offset.topic, offset.partition));
            row.bar(offset.lag as f32 / most, &format::count(offset.lag), Mood::Quiet);
            row.text(&offset.lag_ms.map_or_else(String::new, |lag_ms| format::millis(lag_ms as f64)));
            row.text(&format::count(offset.committed_offset));
            row.text(&format::count(offset.committed_offset + offset.lag));
        });
        actions.extend(chosen);
    });
}

fn menu(offset: &GroupOffset) -> Vec<Item<Action>> {
    let (topic, partition) = (Arc::clone(&offset.topic), offset.partition);
    vec![
        Item::new("Open the partition", Icon::Topics, Action::OpenPartition { topic, partition }),
        Item::copy("the partition's name", format!("{}-{partition}", offset.topic)),
        Item::copy("the committed offset", offset.committed_offset.to_string()),
    ]
}

fn rows(offsets: &[GroupOffset], filter: &str, sort: Option<Sort>) -> Vec<usize> {
    let matches = |index: &usize| {
        format!("{}-{}", offsets[*index].topic, offsets[*index].partition).to_lowercase().contains(filter)
    };
    let mut rows: Vec<usize> = (0..offsets.len()).filter(matches).collect();
    rows.sort_by(|&a, &b| {
        let (one, other) = (&offsets[a], &offsets[b]);
        let by_name = || one.topic.cmp(&other.topic).then(one.partition.cmp(&other.partition));
        let Some(Sort { column, descending }) = sort else { return by_name() };
        let order = match column {
            0 => by_name(),
            1 => one.lag.cmp(&other.lag),
            2 => one.lag_ms.cmp(&other.lag_ms),
            3 => one.committed_offset.cmp(&other.committed_offset),
            _ => (one.committed_offset + one.lag).cmp(&(other.committed_offset + other.lag)),
        };
        (if descending { order.reverse() } else { order }).then_with(by_name)
    });
    rows
}

fn members(ui: &mut Ui, group: &Group) {
    let style = palette(ui);
    text::label(ui, &format::plural(group.members.len(), "member"), font::heading(), style.text);
    if group.members.is_empty() {
        let words = "Nobody is in the group: its offsets are kept, and nothing is read.";
        text::label(ui, words, font::body(), style.muted);
    }
    for member in &group.members {
        ui.horizontal(|ui| {
            text::label(ui, &member.client_id, font::body(), style.text).on_hover_text(&member.id);
            text::label(ui, &member.host, font::mono(), style.faint);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let (words, ink) = assignment(member, group, style);
                text::label(ui, &words, font::small(), ink);
            });
        });
    }
}

/// What can be done to it. Streams and share groups keep their places otherwise.
fn deeds(ui: &mut Ui, group: &Group, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if !group.offsets.is_empty() && group.has_lag() {
            let spoken = format!("Reset offsets of {}", group.id);
            if Button::new("Reset offsets").name(&spoken).small().with_icon(Icon::Back).show(ui).clicked() {
                actions.push(Action::Ask(Dialog::ResetOffsets(group.id.to_string())));
            }
        }
        let spoken = format!("Delete group {}", group.id);
        if Button::new("Delete group")
            .name(&spoken)
            .small()
            .with_icon(Icon::Trash)
            .tone(Tone::Danger)
            .show(ui)
            .clicked()
        {
            actions.push(Action::Ask(Dialog::DeleteGroup(group.id.to_string())));
        }
    });
}

/// `orders 0, 2, 4`; says so where a member of a stable group has nothing to do.
fn assignment(member: &Member, group: &Group, style: &crate::ui::tokens::Palette) -> (String, egui::Color32) {
    if member.assignment.is_empty() {
        return if group.state == "Stable" {
            ("idle: there are more members than partitions".to_owned(), style.warning)
        } else {
            ("waits for its assignment".to_owned(), style.accent)
        };
    }
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for assigned in &member.assignment {
        topics.entry(&assigned.topic).or_default().push(assigned.partition);
    }
    let words = topics.into_iter().map(|(topic, partitions)| format!("{topic} {}", format::ids(&partitions)));
    (words.collect::<Vec<_>>().join(" · "), style.muted)
}
