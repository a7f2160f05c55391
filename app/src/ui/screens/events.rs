//! What happened: as stories from cause to effect, and all events, newest first.

use std::collections::VecDeque;
use std::sync::Arc;

use egui::Ui;

use super::{header, starting, stories};
use crate::monitor::view::{EventEntry, Severity};
use crate::ui::app::{Action, Scene};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{size, space};
use crate::ui::widgets::button::segments;
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Item, Table, TableState};
use crate::ui::widgets::tabs::tabs;

/// What this screen remembers.
#[derive(Debug)]
pub struct State {
    /// Which half is shown.
    pub tab: Tab,
    /// Of the stories.
    pub stories: stories::State,
    /// Words, a node or a partition.
    pub filter: String,
    least: Severity,
    /// Of the table.
    pub table: TableState,
    rows: Cached<(u64, String, Severity), Vec<usize>>,
}

impl Default for State {
    fn default() -> State {
        State {
            tab: Tab::default(),
            stories: stories::State::default(),
            filter: String::new(),
            least: Severity::Info,
            table: TableState::default(),
            rows: Cached::default(),
        }
    }
}

/// The two halves of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// What followed from what.
    #[default]
    Stories,
    /// One by one.
    All,
}

impl Tab {
    /// Both.
    pub const ALL: [Tab; 2] = [Tab::Stories, Tab::All];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Tab::Stories => "events",
            Tab::All => "events-all",
        }
    }
}

const TABS: [(Tab, &str); 2] = [(Tab::Stories, "Stories"), (Tab::All, "All events")];

const COLUMNS: [Column; 5] = [
    Column::text("", size::ICON, 0.0).unsorted(),
    Column::text("When", 96.0, 0.0).unsorted(),
    Column::text("Told by", 104.0, 0.0).unsorted(),
    Column::text("What happened, and why", 340.0, 1.0).unsorted(),
    Column::text("About", 150.0, 0.1).unsorted(),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let events = &scene.model.view.events;
    let zone = format::zone(scene.options.utc_offset_minutes);
    let counted = format::plural(events.len(), "event");
    let summary = match state.tab {
        Tab::Stories => {
            let count = stories::count(scene, &mut state.stories);
            let stories = if count == 1 { "1 story".to_owned() } else { format!("{count} stories") };
            format!("{stories} of {counted} · newest first · times in {zone}")
        }
        Tab::All => format!("{counted} · newest first · times in {zone} · a row opens its node's log"),
    };
    header(ui, "Events", &summary, |_| {});
    tabs(ui, &mut state.tab, &TABS);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        filter_box(ui, "Filter events", "Filter by words, node or partition", &mut state.filter);
        let choices =
            [(Severity::Info, "All"), (Severity::Warning, "Warnings and worse"), (Severity::Critical, "Critical")];
        segments(ui, &mut state.least, &choices);
    });
    ui.add_space(space::XS);
    match state.tab {
        Tab::Stories => {
            let asked = stories::Asked { words: state.filter.trim().to_lowercase(), least: state.least };
            if stories::show(ui, scene, &mut state.stories, &asked, actions) {
                (state.filter, state.least) = (String::new(), Severity::Info);
            }
        }
        Tab::All => all(ui, scene, state, actions),
    }
}

fn all(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let events = &scene.model.view.events;
    let filter = state.filter.trim().to_lowercase();
    let least = state.least;
    let rows = state.rows.get((scene.model.generation, filter.clone(), least), || rows(events, &filter, least));
    framed(ui, |ui| {
        if rows.is_empty() {
            if !events.is_empty() {
                if no_match(ui, "No event matches", "It looks for its words in what happened, why, where and to whom.")
                {
                    (state.filter, state.least) = (String::new(), Severity::Info);
                }
            } else if !starting(ui, scene, "What happens to it is told here") {
                let hint = "Elections, ISR changes, rebalances and faults are told here, with their causes.";
                empty(ui, Icon::Events, "Nothing has happened yet", hint);
            }
            return;
        }
        let table = Table {
            id: "events",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW_TALL,
            max_height: None,
            active: true,
            selected: None,
        };
        let now_ms = scene.model.snapshot().at_ms;
        let offset = scene.options.utc_offset_minutes;
        let menu = |index: usize| menu(&events[rows[index]]);
        let (pressed, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let event = &events[rows[index]];
            let (symbol, mood, word) = look(event.severity);
            row.icon(symbol, mood, word);
            let ago = format::ago(now_ms, event.at_ms);
            let ago = if ago == "now" { ago } else { format!("{ago} ago") };
            row.two_lines(&ago, &format::clock_ms(event.at_ms, offset));
            row.text(&teller(event.node_id));
            row.two_lines(&event.text, &event.cause);
            row.mono(&event.subject);
        });
        actions.extend(chosen);
        if let Some(event) = pressed.and_then(|row| rows.get(row)).and_then(|index| events.get(*index)) {
            actions.push(Action::OpenLogs { node_id: event.node_id, at_ms: event.at_ms });
        }
    });
}

fn menu(event: &EventEntry) -> Vec<Item<Action>> {
    let open = Action::OpenLogs { node_id: event.node_id, at_ms: event.at_ms };
    let all = Action::OpenLogs { node_id: -1, at_ms: event.at_ms };
    let mut items = vec![
        Item::new("Its node's log of that time", Icon::Logs, open),
        Item::new("All logs of that time", Icon::Logs, all),
        Item::copy("what happened", format!("{}: {}", event.text, event.cause)),
    ];
    if !event.subject.is_empty() {
        items.push(Item::copy("what it is about", &event.subject));
    }
    items
}

/// How a severity looks, and its word.
pub fn look(severity: Severity) -> (Icon, Mood, &'static str) {
    match severity {
        Severity::Info => (Icon::Info, Mood::Quiet, "Info"),
        Severity::Warning => (Icon::Warning, Mood::Warning, "Warning"),
        Severity::Critical => (Icon::Critical, Mood::Critical, "Critical"),
    }
}

/// Controllers have ids from 3000 on; -1 is the program itself.
fn teller(node_id: i32) -> String {
    match node_id {
        ..0 => "Brokerscope".to_owned(),
        0..3000 => format!("Broker {node_id}"),
        _ => format!("Controller {node_id}"),
    }
}

fn rows(events: &VecDeque<Arc<EventEntry>>, filter: &str, least: Severity) -> Vec<usize> {
    let matches = |event: &EventEntry| {
        event.severity >= least
            && (filter.is_empty()
                || [&event.text, &event.cause, &event.subject]
                    .iter()
                    .any(|words| words.to_lowercase().contains(filter))
                || teller(event.node_id).to_lowercase().contains(filter))
    };
    (0..events.len()).rev().filter(|index| matches(&events[*index])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    #[test]
    fn newest_first_and_filtered() {
        let events = fixture::incident().events;
        let all = rows(&events, "", Severity::Info);
        assert_eq!(all.len(), events.len());
        assert!(all.is_sorted_by(|a, b| a > b));
        let critical = rows(&events, "", Severity::Critical);
        assert!(critical.iter().all(|row| events[*row].severity == Severity::Critical));
        let fenced = rows(&events, "heartbeat", Severity::Info);
        assert_eq!(fenced.len(), 1);
        assert!(!rows(&events, "controller 3001", Severity::Info).is_empty());
    }
}
