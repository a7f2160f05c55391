//! Built-in workloads: what can be started, what runs, and the chosen one at the right.

use std::sync::Arc;

use egui::{Align, Layout, ScrollArea, Ui};

use super::{header, side_by_side, starting, workload_detail};
use crate::monitor::command::Command;
use crate::monitor::presets::{PRESETS, Preset};
use crate::monitor::snapshot::WorkloadStatus;
use crate::monitor::workload::WorkloadSpec;
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::outbox::Outbox;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::{field, filter_box};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Item, Sort, Table, TableState};
use crate::ui::widgets::text;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The chosen workload; without one that runs, the newest.
    pub chosen: Option<u64>,
    /// Words that topics, groups or states must have.
    pub filter: String,
    /// Of the table.
    pub table: TableState,
    rows: Cached<(u64, String, Option<Sort>), Vec<usize>>,
    topic: String,
    detail: workload_detail::State,
    outbox: Outbox,
}

const COLUMNS: [Column; 5] = [
    Column::text("Workload", 92.0, 1.0),
    Column::text("State", 92.0, 0.1),
    Column::number("Acked/s", 62.0, 0.2).help("Records that the cluster acknowledged, over the last second"),
    Column::number("Read/s", 58.0, 0.2).help("Records that its consumers read, over the last second"),
    Column::number("p99", 58.0, 0.2)
        .help("From a record's timestamp until a consumer had it: 99 of 100 took no longer, over the last 10 s"),
];

/// The list's share of the width, and its bounds.
const LIST_SHARE: f32 = 0.32;
const LIST: std::ops::RangeInclusive<f32> = 318.0..=430.0;
/// The table shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 6.0;

/// How a workload is.
pub fn state_pill(workload: &WorkloadStatus) -> Pill {
    match workload.state.as_str() {
        "failed" => Pill::new(Mood::Critical, Icon::Critical, "Failed"),
        "stopping" => Pill::new(Mood::Busy, Icon::Clock, "Stopping"),
        "paused" => Pill::new(Mood::Quiet, Icon::Pause, "Paused"),
        _ => Pill::new(Mood::Good, Icon::Pulse, "Running"),
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let workloads = &scene.model.snapshot().workloads;
    let sum = |of: fn(&WorkloadStatus) -> f64| format::rate(workloads.iter().map(of).sum());
    let summary = match workloads.len() {
        0 => "real clients over TCP that send and read".to_owned(),
        count => format!(
            "{} · {} acknowledged · {} read",
            format::plural(count, "workload"),
            sum(|one| one.acked_per_s),
            sum(|one| one.read_per_s)
        ),
    };
    header(ui, "Workloads", &summary, |_| {});
    if starting(ui, scene, "Workloads can be started") {
        return;
    }
    send(ui, scene, state, actions);
    let chosen = state.chosen.and_then(|id| workloads.iter().find(|one| one.id == id)).or(workloads.last());
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = (width * LIST_SHARE).clamp(*LIST.start(), *LIST.end()).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        match (index, chosen) {
            (0, _) => overview(ui, scene, state, chosen.map(|one| one.id), actions),
            (_, Some(workload)) => {
                workload_detail::show(ui, scene, &mut state.detail, &mut state.outbox, workload, actions);
            }
            (_, None) => empty(
                ui,
                Icon::Pulse,
                "No workload runs",
                "Start one at the left. Its sliders appear here, with its throughput and its latency.",
            ),
        }
    });
}

/// What was set goes on its way, one change at a time.
fn send(ui: &Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let now_s = ui.input(|input| input.time);
    for workload in &scene.model.snapshot().workloads {
        if let Some(change) = state.outbox.turn(workload.id, &workload.spec, now_s) {
            actions.push(Action::Send(Command::ChangeWorkload { id: workload.id, change }));
        }
    }
    if state.outbox.is_busy() {
        // Views come anyway while a workload runs; this is for when none does.
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(250));
    }
}

fn overview(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, chosen: Option<u64>, actions: &mut Vec<Action>) {
    ScrollArea::vertical().id_salt("workloads").show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        if !scene.model.snapshot().workloads.is_empty() {
            list(ui, scene, state, chosen, actions);
        }
        card(ui, |ui| presets(ui, scene, &mut state.topic, actions));
    });
}

fn list(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, chosen: Option<u64>, actions: &mut Vec<Action>) {
    let workloads = &scene.model.snapshot().workloads;
    filter_box(ui, "Filter workloads", "Filter workloads", &mut state.filter);
    let filter = state.filter.trim().to_lowercase();
    let sort = state.table.sort;
    let rows = state.rows.get((scene.model.generation, filter.clone(), sort), || rows(workloads, &filter, sort));
    framed(ui, |ui| {
        if rows.is_empty() {
            if no_match(ui, "No workload matches", "The filter looks at topic, group and state.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "workloads",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_AT_MOST),
            active: true,
            selected: rows.iter().position(|row| Some(workloads[*row].id) == chosen),
        };
        let menu = |index: usize| menu(scene, &workloads[rows[index]]);
        let (pressed, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let workload = &workloads[rows[index]];
            row.strong(&format!("{} · {}", workload.id, workload.topic));
            row.pill(Some(&state_pill(workload)));
            row.text(&format::compact(workload.acked_per_s));
            row.text(&format::compact(workload.read_per_s));
            let measured = workload.end_to_end.count > 0;
            row.text(&if measured { format::millis(workload.end_to_end.p99_ms) } else { "–".to_owned() });
        });
        actions.extend(asked);
        if let Some(row) = pressed {
            state.chosen = Some(workloads[rows[row]].id);
        }
    });
}

fn rows(workloads: &[WorkloadStatus], filter: &str, sort: Option<Sort>) -> Vec<usize> {
    let matches = |one: &WorkloadStatus| {
        format!("{} {} {} {}", one.id, one.topic, one.group, one.state).to_lowercase().contains(filter)
    };
    let mut rows: Vec<usize> = (0..workloads.len()).filter(|index| matches(&workloads[*index])).collect();
    rows.sort_by(|&a, &b| {
        let (one, other) = (&workloads[a], &workloads[b]);
        let Some(Sort { column, descending }) = sort else { return one.id.cmp(&other.id) };
        let order = match COLUMNS.get(column).map_or("", |column| column.name) {
            "State" => state_pill(one).mood.cmp(&state_pill(other).mood),
            "Acked/s" => one.acked_per_s.total_cmp(&other.acked_per_s),
            "Read/s" => one.read_per_s.total_cmp(&other.read_per_s),
            "p99" => one.end_to_end.p99_ms.total_cmp(&other.end_to_end.p99_ms),
            _ => one.topic.cmp(&other.topic),
        };
        (if descending { order.reverse() } else { order }).then(one.id.cmp(&other.id))
    });
    rows
}

fn menu(scene: &Scene<'_>, workload: &WorkloadStatus) -> Vec<Item<Action>> {
    let id = workload.id;
    let mut items = vec![Item::new(
        format!("Topic {}", workload.topic),
        Icon::Topics,
        Action::OpenTopic((&*workload.topic).into()),
    )];
    if !workload.group.is_empty() {
        let open = Action::OpenGroup(Arc::from(&*workload.group));
        items.push(Item::new(format!("Group {}", workload.group), Icon::Groups, open));
    }
    let again = as_command::line(&Command::StartWorkload((*workload.spec).clone()), &Around::scene(scene));
    items.push(Item::copy("the command that starts one like it", again));
    items.push(Item::new("Stop it", Icon::Stop, Action::Send(Command::StopWorkload(id))));
    items
}

fn presets(ui: &mut Ui, scene: &Scene<'_>, topic: &mut String, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Start a workload", font::heading(), palette(ui).text);
    let complaint = topic_complaint(topic.trim());
    field(ui, "Topic", "that of each workload below", topic, complaint.as_deref());
    for preset in &PRESETS {
        ui.scope(|ui| line(ui, scene, preset, topic.trim(), complaint.is_none(), actions));
    }
}

fn line(ui: &mut Ui, scene: &Scene<'_>, preset: &Preset, topic: &str, is_possible: bool, actions: &mut Vec<Action>) {
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        text::label(ui, preset.name, font::body(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let spoken = format!("Start {}", preset.name);
            let start = Button::new("Start").name(&spoken).small().with_icon(Icon::Start).enabled(is_possible).show(ui);
            let command = Command::StartWorkload(of(preset, topic));
            if start.clicked() {
                actions.push(Action::Send(command.clone()));
            }
            start.on_hover_ui(|ui| {
                let line = as_command::line(&command, &Around::scene(scene));
                text::paragraph(ui, &line, font::small(), style.muted);
            });
        });
    });
    text::paragraph(ui, preset.what, font::small(), style.muted);
}

fn of(preset: &Preset, topic: &str) -> WorkloadSpec {
    let spec = preset.spec();
    if topic.is_empty() { spec } else { WorkloadSpec { topic: topic.to_owned(), ..spec } }
}

/// What is wrong with a name that may be empty, or be that of a topic that is there.
fn topic_complaint(name: &str) -> Option<String> {
    let wrong = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    match name {
        "." | ".." => Some("A topic cannot be called '.' or '..'.".into()),
        _ if name.len() > 249 => Some("A topic's name has at most 249 characters.".into()),
        _ => name
            .chars()
            .find(|c| wrong(*c))
            .map(|c| format!("A topic's name is made of letters, digits, '.', '_' and '-', not '{c}'.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_ones_own_takes_the_place_of_the_presets() {
        assert_eq!(of(&PRESETS[1], "").topic, "clicks");
        assert_eq!(of(&PRESETS[1], "mine").topic, "mine");
        assert_eq!((topic_complaint(""), topic_complaint("a.b-c_1")), (None, None));
        assert!(topic_complaint("a b").is_some_and(|why| why.contains("not ' '")));
        assert!(topic_complaint("..").is_some() && topic_complaint(&"x".repeat(250)).is_some());
    }

    #[test]
    fn rows_are_filtered_and_sorted() {
        let one = |id: u64, topic: &str, acked_per_s: f64| WorkloadStatus {
            id,
            topic: topic.into(),
            state: "running".into(),
            acked_per_s,
            ..WorkloadStatus::default()
        };
        let all = [one(1, "demo", 5.0), one(2, "clicks", 9.0), one(3, "demo-2", 7.0)];
        assert_eq!(rows(&all, "demo", None), [0, 2]);
        assert_eq!(rows(&all, "", Some(Sort { column: 2, descending: true })), [1, 2, 0]);
        assert_eq!(rows(&all, "", Some(Sort { column: 0, descending: false })), [1, 0, 2]);
    }
}
