//! One group: how it stands and why, its lag over time and by partition, its members and how partitions are spread over them; or its rebalances.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use super::{group_check, group_share, group_theatre, page};
use crate::monitor::groups::Watched;
use crate::monitor::groups::check::name;
use crate::monitor::groups::verdict::Verdict;
use crate::monitor::snapshot::{Group, GroupOffset};
use crate::monitor::view::{Metric, SeriesStore};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::model::{Cached, group_pill};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::verdicts;
use crate::ui::widgets::button::{Button, Tone, segments};
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
#[derive(Debug)]
pub struct State {
    /// Which half of it is shown.
    pub half: Half,
    crosshair: Crosshair,
    table: TableState,
    filter: String,
    rows: Cached<Asked, Vec<Row>>,
    check: group_check::State,
    theatre: group_theatre::State,
    share: group_share::State,
}

/// What of a group is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Half {
    /// Where it is, and who reads.
    #[default]
    Lag,
    /// Its generations.
    Rebalances,
}

impl Default for State {
    fn default() -> State {
        State {
            half: Half::default(),
            crosshair: Crosshair::default(),
            table: TableState::hiding("High watermark"),
            filter: String::new(),
            rows: Cached::default(),
            check: group_check::State::default(),
            theatre: group_theatre::State::default(),
            share: group_share::State::default(),
        }
    }
}

/// One partition that the group reads.
#[derive(Debug)]
struct Row {
    /// Among the group's offsets.
    index: usize,
    verdict: Option<Verdict>,
    reader: String,
}

const CHART: f32 = 120.0;
const CHART_WINDOW_S: i64 = 900;
/// The lag table shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 9.0;

const COLUMNS: [Column; 8] = [
    Column::text("Partition", 112.0, 1.4),
    Column::text("Verdict", 122.0, 0.1).help(verdicts::HELP),
    Column::text("Lag", 88.0, 0.4),
    Column::text("Last 2 min", 76.0, 0.4).help("Its lag, second by second, from 0 up").unsorted(),
    Column::number("Behind by", 60.0, 0.3)
        .help("How long ago the oldest record that is not yet read was written, where that is known"),
    Column::number("Committed", 92.0, 0.3),
    Column::number("High watermark", 96.0, 0.3),
    Column::text("Read by", 84.0, 0.6).help("The member that it is assigned to"),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, group: &Group, actions: &mut Vec<Action>) {
    page(ui, "group", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| summary(ui, scene, state, group, actions));
        match state.half {
            Half::Lag if group.has_lag() => {
                card(ui, |ui| lags(ui, scene, state, group, actions));
                card(ui, |ui| group_check::show(ui, scene, &mut state.check, group));
            }
            Half::Lag => {
                card(ui, |ui| group_share::show(ui, scene, &mut state.share, group, actions));
                card(ui, |ui| group_check::show(ui, scene, &mut state.check, group));
            }
            Half::Rebalances => group_theatre::show(ui, scene, &mut state.theatre, group, actions),
        }
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
    standing(ui, scene, group);
    ui.horizontal(|ui| {
        segments(ui, &mut state.half, &[(Half::Lag, "Lag"), (Half::Rebalances, "Rebalances")]);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| deeds(ui, group, actions));
    });
    if !group.has_lag() || state.half == Half::Rebalances {
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

/// The verdict, and why.
fn standing(ui: &mut Ui, scene: &Scene<'_>, group: &Group) {
    let Some(Watched { standing, .. }) = verdicts::watched(scene.model, group) else { return };
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        verdicts::pill(standing.verdict).show(ui);
        text::label(ui, &standing.reason, font::body(), style.text);
        if let Some(left_s) = standing.caught_up_in_s {
            let words = format!("All is read in {} at this pace.", format::millis(left_s * 1e3));
            text::label(ui, &words, font::body(), style.muted);
        }
    });
    if let Some(in_ms) = standing.overtaken_in_ms {
        let words = match in_ms {
            0 => "Retention may delete records that it has not read at any moment now.".to_owned(),
            in_ms => format!(
                "Retention may begin to delete records that it has not read in {}, if it goes on like this.",
                format::millis(in_ms as f64)
            ),
        };
        text::paragraph(ui, &words, font::body(), style.muted);
    }
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
    let rows = state.rows.get(key, || rows(scene, group, &filter, sort));
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
    let menu = |index: usize| menu(&group.offsets[rows[index].index]);
    ui.scope(|ui| {
        let (_, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let of = &rows[index];
            let offset = &group.offsets[of.index];
            row.strong(&format!("{}-{}", offset.topic, offset.partition));
            row.pill(of.verdict.map(verdicts::pill).as_ref());
            row.bar(offset.lag as f32 / most, &format::count(offset.lag), Mood::Quiet);
            row.spark(
                &course(scene, group, &offset.topic, offset.partition),
                of.verdict.map_or(Mood::Quiet, verdicts::mood),
            );
            row.text(&offset.lag_ms.map_or_else(String::new, |lag_ms| format::millis(lag_ms as f64)));
            row.text(&format::count(offset.committed_offset));
            row.text(&format::count(offset.committed_offset + offset.lag));
            row.text(if of.reader.is_empty() { "nobody" } else { &of.reader });
        });
        actions.extend(chosen);
    });
}

/// A partition's lag over the last minutes; only of what is seen, since a group may read thousands.
pub fn course(scene: &Scene<'_>, group: &Group, topic: &Arc<str>, partition: i32) -> Vec<f64> {
    let Some(watched) = verdicts::watched(scene.model, group) else { return Vec::new() };
    let name = (Arc::clone(topic), partition);
    watched.rows.iter().map(|row| row.get(&name).map_or(f64::NAN, |sample| sample.lag as f64)).collect()
}

fn menu(offset: &GroupOffset) -> Vec<Item<Action>> {
    let (topic, partition) = (Arc::clone(&offset.topic), offset.partition);
    let tape = Action::OpenTape { topic: Arc::clone(&topic), partition };
    vec![
        Item::new("Open the partition", Icon::Topics, Action::OpenPartition { topic, partition }),
        Item::new("Its log as a tape", Icon::Columns, tape),
        Item::copy("the partition's name", format!("{}-{partition}", offset.topic)),
        Item::copy("the committed offset", offset.committed_offset.to_string()),
    ]
}

fn rows(scene: &Scene<'_>, group: &Group, filter: &str, sort: Option<Sort>) -> Vec<Row> {
    let held = |member| {
        let member: &crate::monitor::snapshot::Member = member;
        member.assignment.iter().map(move |held| ((&held.topic, held.partition), name(member)))
    };
    let readers: BTreeMap<(&Arc<str>, i32), &str> = group.members.iter().flat_map(held).collect();
    let watched = verdicts::watched(scene.model, group);
    let row = |(index, offset): (usize, &GroupOffset)| {
        let reader = readers.get(&(&offset.topic, offset.partition)).copied().unwrap_or_default().to_owned();
        let verdict = watched.and_then(|watched| watched.verdict(&offset.topic, offset.partition));
        Row { index, verdict, reader }
    };
    let matches = |row: &Row| {
        let offset = &group.offsets[row.index];
        format!("{}-{} {}", offset.topic, offset.partition, row.reader).to_lowercase().contains(filter)
    };
    let mut rows: Vec<Row> = group.offsets.iter().enumerate().map(row).filter(matches).collect();
    rows.sort_by(|a, b| {
        let (one, other) = (&group.offsets[a.index], &group.offsets[b.index]);
        let by_name = || one.topic.cmp(&other.topic).then(one.partition.cmp(&other.partition));
        let Some(Sort { column, descending }) = sort else { return by_name() };
        let order = match COLUMNS.get(column).map_or("", |column| column.name) {
            "Verdict" => a.verdict.cmp(&b.verdict),
            "Lag" => one.lag.cmp(&other.lag),
            "Behind by" => one.lag_ms.cmp(&other.lag_ms),
            "Committed" => one.committed_offset.cmp(&other.committed_offset),
            "High watermark" => (one.committed_offset + one.lag).cmp(&(other.committed_offset + other.lag)),
            "Read by" => a.reader.cmp(&b.reader),
            _ => by_name(),
        };
        (if descending { order.reverse() } else { order }).then_with(by_name)
    });
    rows
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
