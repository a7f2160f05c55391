//! Faults: what is in force and until when, scripts that break things and what came of them, and what was broken before.

use std::sync::Arc;
use std::time::Duration;

use egui::{Align, Layout, ScrollArea, Ui};

use super::{fault_detail, fault_script, fault_storm, header, side_by_side, starting};
use crate::monitor::command::Command;
use crate::monitor::files::{Content, Save};
use crate::monitor::script::record::recorded;
use crate::monitor::snapshot::{ActiveFault, PastFault, Snapshot};
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::commands::{self, Id};
use crate::ui::file_picker::PickWish;
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::no_match;
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::file_field::FileField;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::menu::Item;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Sort, Table, TableState};
use crate::ui::widgets::text;

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Words that faults of the history must have.
    pub filter: String,
    /// Of the history.
    pub table: TableState,
    rows: Cached<(u64, String, Option<Sort>), Vec<usize>>,
    record: FileField,
    script: fault_script::State,
    storm: fault_storm::State,
}

const COLUMNS: [Column; 4] = [
    Column::text("Kind", 104.0, 0.2),
    Column::text("What", 200.0, 1.0),
    Column::text("Began", 78.0, 0.1),
    Column::number("Lasted", 74.0, 0.1).help("From when it began until it was healed"),
];

/// The scripts' share of the width, and its bounds.
const SCRIPTS_SHARE: f32 = 0.46;
const SCRIPTS: std::ops::RangeInclusive<f32> = 420.0..=640.0;
/// The history shows at most so many rows before it scrolls by itself.
const ROWS_AT_MOST: f32 = 12.0;
/// What counts down is painted so often.
const TICK: Duration = Duration::from_secs(1);

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    let summary = match (snapshot.faults.len(), snapshot.past_faults.len()) {
        (0, 0) => "nothing was broken yet".to_owned(),
        (active, over) => format!("{active} in force · {over} over"),
    };
    header(ui, "Faults", &summary, |ui| {
        let heal = Button::new("Heal all").name("Heal all faults").with_icon(Icon::Heal);
        let heal = heal.enabled(!snapshot.faults.is_empty()).show(ui);
        if heal.clicked() {
            actions.push(Action::Send(Command::HealAllFaults));
        }
        commands::tell_with(heal, Id::HealAll, scene);
    });
    if starting(ui, scene, "Things can be broken") {
        return;
    }
    if snapshot.faults.iter().any(|fault| fault.until_ms.is_some())
        || snapshot.scripts.iter().any(|run| run.phase.is_under_way())
    {
        ui.ctx().request_repaint_after(TICK);
    }
    let (width, height) = (ui.available_width(), ui.available_height());
    let scripts = (width * SCRIPTS_SHARE).clamp(*SCRIPTS.start(), *SCRIPTS.end()).floor();
    side_by_side(ui, &[width - scripts - space::M, scripts], space::M, |ui, index| {
        ui.set_max_height(height);
        ScrollArea::vertical().id_salt(("faults", index)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = space::M;
            match index {
                0 => {
                    card(ui, |ui| in_force(ui, scene, actions));
                    history(ui, scene, state, actions);
                }
                _ => {
                    if let Some(run) = snapshot.scripts.last() {
                        card(ui, |ui| fault_detail::show(ui, scene, run, actions));
                    }
                    card(ui, |ui| fault_script::show(ui, scene, &mut state.script, actions));
                    card(ui, |ui| fault_storm::show(ui, scene, &mut state.storm, actions));
                }
            }
        });
    });
}

fn in_force(ui: &mut Ui, scene: &Scene<'_>, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let snapshot = scene.model.snapshot();
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "In force", font::heading(), style.text);
    if snapshot.faults.is_empty() {
        Pill::new(Mood::Good, Icon::Check, "Nothing is broken").show(ui);
        let words = "The other mouse button on a broker, controller, zone, partition, workload or a line of the map opens a \
                     menu of what can go wrong with it; Ctrl+K finds the same by name.";
        text::paragraph(ui, words, font::small(), style.muted);
    }
    for fault in &snapshot.faults {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            Pill::new(Mood::Warning, Icon::Kill, "In force").show(ui);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let name = format!("Heal fault {}", fault.id);
                let heal = Button::new("Heal").name(&name).small().with_icon(Icon::Heal).show(ui);
                let command = Command::HealFault(fault.id);
                let line = as_command::line(&command, &Around::scene(scene));
                if heal.clicked() {
                    actions.push(Action::Send(command));
                }
                heal.on_hover_text(line);
                text::label(ui, &countdown(fault, scene.model.now_ms()), font::small(), style.muted);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    text::label(ui, &format!("{}. {}", fault.id, fault.what), font::body(), style.text);
                });
            });
        });
    }
}

/// When a fault is over.
fn countdown(fault: &ActiveFault, now_ms: i64) -> String {
    match fault.until_ms {
        None => format!("since {}, until healed", lasting(now_ms - fault.since_ms)),
        Some(until_ms) => format!("over in {}", lasting(until_ms - now_ms)),
    }
}

/// `4 s`, `3 min 20 s`.
fn lasting(ms: i64) -> String {
    match (ms.max(0) + 999) / 1000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

fn history(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let snapshot = scene.model.snapshot();
    if snapshot.past_faults.is_empty() && snapshot.faults.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        text::label(ui, "History", font::heading(), palette(ui).text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            filter_box(ui, "Filter faults", "Filter faults", &mut state.filter);
        });
    });
    let filter = state.filter.trim().to_lowercase();
    let sort = state.table.sort;
    let rows = state.rows.get((scene.model.generation, filter.clone(), sort), || rows(snapshot, &filter, sort));
    framed(ui, |ui| {
        if snapshot.past_faults.is_empty() {
            ui.add_space(space::S);
            text::caption(ui, "  Nothing that was broken is over yet.", font::body(), palette(ui).muted);
            ui.add_space(space::S);
            return;
        }
        if rows.is_empty() {
            if no_match(ui, "No fault matches", "The filter looks at kind and what it did.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "faults",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_AT_MOST),
            active: true,
            selected: None,
        };
        let menu = |index: usize| menu(scene, &snapshot.past_faults[rows[index]]);
        let (_, asked) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let PastFault { fault, ended_ms } = &snapshot.past_faults[rows[index]];
            row.strong(&fault.kind.replace('_', " "));
            row.text(&fault.what);
            row.text(&format::clock(fault.since_ms, scene.options.utc_offset_minutes));
            row.text(&lasting(ended_ms - fault.since_ms));
        });
        actions.extend(asked);
    });
    record(ui, scene, &mut state.record, actions);
}

/// The newest first, unless somebody chose another order.
fn rows(snapshot: &Snapshot, filter: &str, sort: Option<Sort>) -> Vec<usize> {
    let past = &snapshot.past_faults;
    let matches = |one: &PastFault| format!("{} {}", one.fault.kind, one.fault.what).to_lowercase().contains(filter);
    let mut rows: Vec<usize> = (0..past.len()).rev().filter(|index| matches(&past[*index])).collect();
    if let Some(Sort { column, descending }) = sort {
        rows.sort_by(|&a, &b| {
            let (one, other) = (&past[a], &past[b]);
            let order = match COLUMNS.get(column).map_or("", |column| column.name) {
                "Kind" => one.fault.kind.cmp(&other.fault.kind),
                "What" => one.fault.what.cmp(&other.fault.what),
                "Lasted" => (one.ended_ms - one.fault.since_ms).cmp(&(other.ended_ms - other.fault.since_ms)),
                _ => one.fault.since_ms.cmp(&other.fault.since_ms),
            };
            if descending { order.reverse() } else { order }
        });
    }
    rows
}

fn menu(scene: &Scene<'_>, past: &PastFault) -> Vec<Item<Action>> {
    let again = Command::InjectFault((*past.fault.request).clone());
    let line = as_command::line(&again, &Around::scene(scene));
    let mut items = vec![Item::new("Break it again", Icon::Kill, Action::Send(again))];
    if !line.is_empty() {
        items.push(Item::copy("the command that does it", line));
    }
    items
}

/// What was done, as a script in a file.
fn record(ui: &mut Ui, scene: &Scene<'_>, file: &mut FileField, actions: &mut Vec<Action>) {
    card(ui, |ui| {
        ui.spacing_mut().item_spacing.y = space::S;
        let style = palette(ui);
        text::label(ui, "As a script", font::heading(), style.text);
        let words = "What was broken since the start, with its times: run again from a file, here, by HTTP, or by \
                     brokerscope serve --faults.";
        text::paragraph(ui, words, font::small(), style.muted);
        let wish = PickWish::Save { title: "A script of what was done", name: "faults.yaml".into() };
        file.show(ui, &scene.options.picker, "File for what was done", "/home/me/faults.yaml", wish);
        let path = file.path();
        let save = Button::new("Save what was done").small().enabled(path.is_some()).show(ui);
        if save.clicked()
            && let (Some(path), Ok(yaml)) = (path, recorded(scene.model.snapshot()).to_yaml())
        {
            let content = Content::Text(Arc::from(yaml));
            actions.push(Action::Send(Command::Save(Save { path, content })));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (ms, words) in [(-5, "0 s"), (1, "1 s"), (59_000, "59 s"), (61_000, "1 min 1 s"), (3_661_000, "1 h 1 min")]
        {
            assert_eq!(lasting(ms), words);
        }
    }
}
