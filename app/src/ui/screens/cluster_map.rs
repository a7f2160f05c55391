//! The live map of partitions and brokers: out of sync first and large, the rest small; from farther away, a row for each topic.

use std::sync::Arc;

use egui::{Align, Layout, Ui, vec2};

use super::cluster_topics::{self, TopicRow};
use crate::monitor::snapshot::{Broker, Partition, Topic};
use crate::ui::app::{Action, Scene};
use crate::ui::commands::objects::{self, Object};
use crate::ui::format;
use crate::ui::model::{Cached, MapRow, PartitionHealth, TopicHealth, is_up, map_cell};
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::{card, rule};
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::matrix::{Cell, Density, Head, Hit, Label, Trouble, matrix, sample};
use crate::ui::widgets::menu::{self, Open};
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::text;

/// What the map remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Words that `topic-partition` must have.
    pub filter: String,
    /// How near one looks; `None`: as near as there is room for all.
    zoom: Option<Zoom>,
    rows: Cached<(u64, String), Rows>,
    topics: Cached<(u64, String), (Vec<TopicRow>, Vec<TopicRow>)>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zoom {
    /// One partition.
    Partitions,
    /// All of a topic.
    Topics,
}

/// Past so many partitions one sees topics first.
const PARTITIONS_AT_ONCE: usize = 600;

/// The rows that pass the filter.
#[derive(Debug, Default)]
struct Rows {
    /// Something is refused, or a broker that is up does not keep up.
    urgent: Vec<MapRow>,
    /// A replica is missing.
    degraded: Vec<MapRow>,
    in_sync: Vec<MapRow>,
}

/// What the legend takes.
const LEGEND: f32 = 390.0;
/// Past so many rows out of sync, they are drawn small too.
const ROOMY_ROWS: usize = 60;

/// Paints the map in its card.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let model = scene.model;
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        let all = model.troubled.len() + model.in_sync.len();
        let none = all == 0;
        let zoom = state.zoom.unwrap_or(if all > PARTITIONS_AT_ONCE { Zoom::Topics } else { Zoom::Partitions });
        ui.horizontal(|ui| {
            ui.set_min_height(size::CONTROL);
            text::label(ui, "Partition map", font::heading(), style.text);
            if none {
                return;
            }
            if model.troubled.is_empty() {
                Pill::new(Mood::Good, Icon::Check, "All in sync").show(ui);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                filter_box(ui, "Filter partitions", "Filter partitions", &mut state.filter);
                ui.add_space(space::S);
                zooms(ui, zoom, &mut state.zoom);
                ui.add_space(space::S);
                legend(ui);
            });
        });
        if none {
            empty(ui, Icon::Topics, "No partitions yet", "Create a topic, or start the demo workload.");
            return;
        }
        let filter = state.filter.trim().to_lowercase();
        if zoom == Zoom::Topics {
            by_topic(ui, scene, state, filter, actions);
            return;
        }
        let rows = state.rows.get((model.generation, filter.clone()), || filtered(scene, &filter));
        if rows.urgent.is_empty() && rows.degraded.is_empty() && rows.in_sync.is_empty() {
            if no_match(ui, "No partition matches the filter", "It looks for its words in topic-partition.") {
                state.filter.clear();
            }
            return;
        }
        let room = |rows: &[MapRow]| if rows.len() <= ROOMY_ROWS { Density::Roomy } else { Density::Compact };
        let broken = rows.urgent.iter().any(|row| row.health >= PartitionHealth::UnderMinIsr);
        let urgent = if broken {
            ("Not available, or falling behind", style.critical)
        } else {
            ("Falling behind", style.warning)
        };
        section(ui, scene, urgent, &rows.urgent, room(&rows.urgent), actions);
        section(ui, scene, ("A replica is missing", style.warning), &rows.degraded, Density::Compact, actions);
        let density =
            if rows.urgent.is_empty() && rows.degraded.is_empty() { room(&rows.in_sync) } else { Density::Compact };
        section(ui, scene, ("In sync", style.faint), &rows.in_sync, density, actions);
    });
}

/// How near: partitions or topics.
fn zooms(ui: &mut Ui, now: Zoom, zoom: &mut Option<Zoom>) {
    ui.spacing_mut().item_spacing.x = space::XS;
    // From right to left.
    for (to, words, name) in
        [(Zoom::Topics, "Topics", "Zoom out to topics"), (Zoom::Partitions, "Partitions", "Zoom in to partitions")]
    {
        let button = Button::new(words).name(name).tone(Tone::Bare).small().selected(now == to).show(ui);
        if button.clicked() {
            *zoom = Some(to);
        }
    }
}

fn by_topic(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, filter: String, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let model = scene.model;
    let (troubled, rest) =
        state.topics.get((model.generation, filter.clone()), || cluster_topics::rows(model, &filter));
    if troubled.is_empty() && rest.is_empty() {
        if no_match(ui, "No topic matches the filter", "It looks for its words in topic-partition, as far as the dash.")
        {
            state.filter.clear();
        }
        return;
    }
    let worst = troubled.iter().map(|row| row.worst).max().unwrap_or_default();
    let ink = if worst >= PartitionHealth::UnderMinIsr { style.critical } else { style.warning };
    let mut chosen = topics_section(ui, scene, ("Topics out of sync", ink), troubled, actions);
    chosen = chosen.or(topics_section(ui, scene, ("Topics in sync", style.faint), rest, actions));
    if let Some(topic) = chosen.and_then(|index| model.snapshot().topics.get(index as usize)) {
        state.zoom = Some(Zoom::Partitions);
        state.filter = format!("{}-", topic.name);
    }
}

/// Topics of one kind; returns the one that somebody wants to see from near.
fn topics_section(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (title, ink): (&str, egui::Color32),
    rows: &[TopicRow],
    actions: &mut Vec<Action>,
) -> Option<u32> {
    if rows.is_empty() {
        return None;
    }
    let snapshot = scene.model.snapshot();
    ui.add_space(space::XS);
    text::label(ui, &format!("{title} · {}", format::count(rows.len() as i64)), font::small(), ink);
    let heads = heads(&snapshot.brokers);
    let topic = |index: usize| &snapshot.topics[rows[index].topic as usize];
    let label = |index: usize| Label {
        text: topic(index).name.to_string(),
        suffix: format!(" · {}", topic(index).partitions.len()),
        trouble: trouble(rows[index].worst),
    };
    let cell = |index: usize, column: usize| rows[index].cells.get(column).copied().unwrap_or(Cell::Blank);
    let spoken = format!("Partition map, {}: {}", title.to_lowercase(), format::plural(rows.len(), "topic"));
    let density = if rows.len() <= ROOMY_ROWS { Density::Roomy } else { Density::Compact };
    let (response, hit) = ui.push_id(title, |ui| matrix(ui, &spoken, &heads, rows.len(), density, label, cell)).inner;
    let (at, mut wanted, mut chosen) = (response.interact_pointer_pos(), None, None);
    if let Some(Hit { row, .. }) = hit {
        chosen = response.clicked().then_some(rows[row].topic);
        wanted = response.secondary_clicked().then(|| Object::Topic(Arc::clone(&topic(row).name)));
        let health = scene.model.topics.get(rows[row].topic as usize).copied().unwrap_or_default();
        response
            .on_hover_cursor(egui::CursorIcon::ZoomIn)
            .on_hover_ui_at_pointer(|ui| topic_facts(ui, topic(row), health));
    }
    let open = at.zip(wanted).map(|(at, object)| Open { at, items: objects::menu(&object, scene) });
    actions.extend(menu::show(ui, title, open));
    chosen
}

/// What is known of a topic, under the pointer.
fn topic_facts(ui: &mut Ui, topic: &Topic, health: TopicHealth) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing = vec2(space::S, space::XS);
    ui.spacing_mut().interact_size.y = size::ICON;
    ui.set_width(size::TOOLTIP);
    text::label(ui, &topic.name, font::heading(), style.text);
    let counts = [
        ("Partitions", topic.partitions.len(), style.text),
        ("Without a leader", health.offline, style.critical),
        ("Led by a broker that does not answer", health.unreachable, style.critical),
        ("Under min ISR", health.under_min_isr, style.critical),
        ("Under-replicated", health.under_replicated, style.warning),
    ];
    for (name, count, ink) in counts.into_iter().filter(|(_, count, _)| *count > 0) {
        fact(ui, name, &format::count(count as i64), ink);
    }
    fact(ui, "Messages in", &format::rate(topic.messages_in_per_s), style.text);
    fact(ui, "Size", &format::bytes(topic.size_bytes as f64), style.text);
    let words = "A number: how many of its partitions the broker leads. Press to see its partitions.";
    text::paragraph(ui, words, font::tiny(), style.faint);
}

fn heads(brokers: &[Broker]) -> Vec<Head> {
    brokers.iter().map(|broker| Head { text: broker.id.to_string(), down: !is_up(broker) }).collect()
}

fn trouble(health: PartitionHealth) -> Option<Trouble> {
    match health {
        PartitionHealth::InSync => None,
        PartitionHealth::UnderReplicated => Some(Trouble::Degraded),
        PartitionHealth::UnderMinIsr | PartitionHealth::LeaderUnreachable | PartitionHealth::Offline => {
            Some(Trouble::Broken)
        }
    }
}

fn filtered(scene: &Scene<'_>, filter: &str) -> Rows {
    let model = scene.model;
    let keep = |rows: &[MapRow]| {
        if filter.is_empty() {
            return rows.to_vec();
        }
        let matches = |row: &&MapRow| name(scene, **row).to_lowercase().contains(filter);
        rows.iter().filter(matches).copied().collect()
    };
    let brokers = &model.snapshot().brokers;
    let some_cell = |row: &MapRow, wanted: fn(Cell) -> bool| {
        let found = model.partition(*row);
        found.is_some_and(|(_, partition)| brokers.iter().any(|broker| wanted(map_cell(partition, broker))))
    };
    let (urgent, mut degraded): (Vec<MapRow>, Vec<MapRow>) = keep(&model.troubled).into_iter().partition(|row| {
        row.health >= PartitionHealth::UnderMinIsr || some_cell(row, |cell| matches!(cell, Cell::Behind(_)))
    });
    let mut in_sync = keep(&model.in_sync);
    if !model.down.is_empty() {
        // By the book still in sync, but a broker of theirs is gone.
        let (missing, whole) = in_sync.into_iter().partition(|row| some_cell(row, |cell| cell == Cell::Offline));
        degraded.extend::<Vec<MapRow>>(missing);
        in_sync = whole;
    }
    Rows { urgent, degraded, in_sync }
}

fn name(scene: &Scene<'_>, row: MapRow) -> String {
    scene.model.partition(row).map_or_else(String::new, |(topic, partition)| format!("{}-{}", topic.name, partition.id))
}

fn section(
    ui: &mut Ui,
    scene: &Scene<'_>,
    (title, ink): (&str, egui::Color32),
    rows: &[MapRow],
    density: Density,
    actions: &mut Vec<Action>,
) {
    if rows.is_empty() {
        return;
    }
    let brokers = &scene.model.snapshot().brokers;
    ui.add_space(space::XS);
    text::label(ui, &format!("{title} · {}", format::count(rows.len() as i64)), font::small(), ink);
    let heads = heads(brokers);
    let label = |index: usize| {
        let (text, suffix) = scene
            .model
            .partition(rows[index])
            .map_or_else(Default::default, |(topic, partition)| (topic.name.to_string(), format!("-{}", partition.id)));
        Label { text, suffix, trouble: trouble(rows[index].health) }
    };
    let cell = |index: usize, column: usize| {
        let partition = scene.model.partition(rows[index]).map(|(_, partition)| partition);
        match (partition, brokers.get(column)) {
            (Some(partition), Some(broker)) => map_cell(partition, broker),
            _ => Cell::Blank,
        }
    };
    let spoken = format!("Partition map, {}: {}", title.to_lowercase(), format::plural(rows.len(), "partition"));
    let (response, hit) = ui.push_id(title, |ui| matrix(ui, &spoken, &heads, rows.len(), density, label, cell)).inner;
    let (at, mut wanted) = (response.interact_pointer_pos(), None);
    if let Some(Hit { row, column }) = hit
        && let Some((topic, partition)) = scene.model.partition(rows[row])
    {
        if response.clicked() {
            actions.push(Action::OpenTopic(Arc::clone(&topic.name)));
        }
        if response.secondary_clicked() {
            let broker = column.and_then(|column| brokers.get(column)).map(|broker| broker.id);
            let replica = broker.filter(|id| partition.replicas.contains(id));
            wanted = Some(Object::Partition(Arc::clone(&topic.name), partition.id, replica));
        }
        response
            .on_hover_cursor(egui::CursorIcon::PointingHand)
            .on_hover_ui_at_pointer(|ui| facts(ui, topic, partition, rows[row].health, brokers, column));
    }
    let open = at.zip(wanted).map(|(at, object)| Open { at, items: objects::menu(&object, scene) });
    actions.extend(menu::show(ui, title, open));
}

fn legend(ui: &mut Ui) {
    let style = palette(ui);
    // From right to left.
    let entries = [
        (Cell::Offline, "offline"),
        (Cell::Behind(None), "behind, by offsets"),
        (Cell::InSync, "in-sync follower"),
        (Cell::Leader, "leader"),
    ];
    if ui.available_width() < LEGEND {
        return;
    }
    ui.spacing_mut().item_spacing.x = space::XS;
    for (cell, words) in entries {
        text::label(ui, words, font::tiny(), style.faint);
        sample(ui, cell);
        ui.add_space(space::XS);
    }
}

/// All that is known of a partition, under the pointer.
fn facts(
    ui: &mut Ui,
    topic: &Topic,
    partition: &Partition,
    health: PartitionHealth,
    brokers: &[Broker],
    column: Option<usize>,
) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing = vec2(space::S, space::XS);
    ui.spacing_mut().interact_size.y = size::ICON;
    ui.set_width(size::TOOLTIP);
    ui.horizontal(|ui| {
        text::label(ui, &format!("{}-{}", topic.name, partition.id), font::heading(), style.text);
        if let Some(pill) = health.pill() {
            pill.show(ui);
        }
    });
    let leader = if partition.leader < 0 { "none".to_owned() } else { format!("broker {}", partition.leader) };
    let facts = [
        ("Leader", format!("{leader}, epoch {}", partition.leader_epoch)),
        ("Replicas", format::ids(&partition.replicas)),
        ("ISR", format!("{} (at least {})", format::ids(&partition.isr), topic.min_insync_replicas)),
        ("ELR", format::ids(&partition.elr)),
        ("Log start", format::count(partition.log_start_offset)),
        ("High watermark", format::count(partition.high_watermark)),
        ("Last stable", format::count(partition.last_stable_offset)),
        ("Size", format::bytes(partition.size_bytes as f64)),
    ];
    for (name, value) in facts {
        fact(ui, name, &value, style.text);
    }
    rule(ui);
    for replica in &partition.replicas {
        let broker = brokers.iter().find(|broker| broker.id == *replica);
        let cell = broker.map_or(Cell::Offline, |broker| map_cell(partition, broker));
        let (words, ink) = match cell {
            Cell::Leader | Cell::Leads(_) => ("leads".to_owned(), style.text),
            Cell::InSync => ("in sync".to_owned(), style.text),
            Cell::Behind(Some(gap)) => (format!("behind by {}", format::count(gap)), style.warning),
            Cell::Behind(None) => ("not in sync".to_owned(), style.warning),
            Cell::LeaderUnreachable => ("leads, but does not answer".to_owned(), style.critical),
            Cell::Offline | Cell::Blank => ("offline".to_owned(), style.critical),
        };
        let end = partition
            .log_end_offsets
            .get(replica)
            .map_or_else(String::new, |end| format!(" · log end {}", format::count(*end)));
        let chosen = column.and_then(|column| brokers.get(column)).is_some_and(|broker| broker.id == *replica);
        let mark = if chosen { "→ " } else { "" };
        fact(ui, &format!("{mark}Broker {replica}"), &format!("{words}{end}"), ink);
    }
}

fn fact(ui: &mut Ui, name: &str, value: &str, ink: egui::Color32) {
    ui.horizontal(|ui| {
        text::label(ui, name, font::small(), palette(ui).faint);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| text::label(ui, value, font::small(), ink));
    });
}
