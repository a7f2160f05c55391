//! The configs of a topic: what is set comes first; each with where its value comes from, what it is for, and how to change it.

use egui::{ScrollArea, Ui};

use super::side_by_side;
use crate::monitor::command::Command;
use crate::monitor::inquiry::{ConfigEntry, ConfigSource, Findings, Query};
use crate::monitor::operation::{ConfigChange, ConfigResource, Operation};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::asked::{Answer, Asked};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button, Tone};
use crate::ui::widgets::card::card;
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, failed_once, loading};
use crate::ui::widgets::field::{self, field, filter_box};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    asked: Asked,
    filter: String,
    table: TableState,
    chosen: Option<String>,
    /// What is being typed, and for which config.
    draft: Option<(String, String)>,
    rows: Cached<(ConfigResource, i64, String), Vec<usize>>,
}

const COLUMNS: [Column; 3] = [
    Column::text("Config", 200.0, 1.0).unsorted(),
    Column::text("Value", 140.0, 0.7).unsorted(),
    Column::text("From", 90.0, 0.3).help("Where the value in force comes from").unsorted(),
];

/// The list's share of the width.
const LIST_SHARE: f32 = 0.62;

/// Paints them.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, resource: &ConfigResource, state: &mut State, actions: &mut Vec<Action>) {
    let query = Query::Configs(resource.clone());
    let (at_ms, findings) = match state.asked.look(scene, &query, actions) {
        Answer::Waiting => return loading(ui, "Asking the cluster…", "Configs are told by a broker."),
        Answer::Failed(why) => {
            if failed_once(ui, "The configs are not known", &why) {
                state.asked.again();
            }
            return;
        }
        Answer::Found(at_ms, findings) => (at_ms, findings),
    };
    let Findings::Configs(entries) = &*findings else { return };
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = ((width - space::M) * LIST_SHARE).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        if index == 0 {
            overview(ui, resource, entries, at_ms, state, actions);
        } else {
            ScrollArea::vertical().id_salt("config").show(ui, |ui| {
                card(ui, |ui| detail(ui, scene, resource, entries, state, actions));
            });
        }
    });
}

fn is_set(entry: &ConfigEntry) -> bool {
    matches!(entry.source, ConfigSource::Topic | ConfigSource::Group | ConfigSource::DynamicBroker)
}

/// What is set first, then by name; those that hold all words of the filter, in their names, values or documentation.
fn rows(entries: &[ConfigEntry], filter: &str) -> Vec<usize> {
    let matches = |entry: &ConfigEntry| {
        let said =
            format!("{} {} {}", entry.name, entry.value.as_deref().unwrap_or_default(), entry.doc).to_lowercase();
        filter.split_whitespace().all(|word| said.contains(word))
    };
    let mut rows: Vec<usize> = (0..entries.len()).filter(|index| matches(&entries[*index])).collect();
    rows.sort_by_key(|index| !is_set(&entries[*index]));
    rows
}

/// What is set, as a file of properties. Source: `java.util.Properties`.
fn properties(entries: &[ConfigEntry]) -> String {
    let set = entries.iter().filter(|entry| is_set(entry));
    let line = |entry: &ConfigEntry| {
        let escaped = [('\\', "\\\\"), ('\n', "\\n"), ('\r', "\\r"), ('\t', "\\t"), ('\u{c}', "\\f")];
        let value = entry.value.clone().unwrap_or_default();
        let value = escaped.into_iter().fold(value, |value, (sign, name)| value.replace(sign, name));
        // A space at the beginning would not count.
        let escape = if value.starts_with(' ') { "\\" } else { "" };
        format!("{}={escape}{value}\n", entry.name)
    };
    set.map(line).collect()
}

fn overview(
    ui: &mut Ui,
    resource: &ConfigResource,
    entries: &[ConfigEntry],
    at_ms: i64,
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    ui.horizontal(|ui| {
        filter_box(ui, "Filter configs", "Filter configs", &mut state.filter);
        let export = Button::new("Export…").name("Export the configs that are set").enabled(entries.iter().any(is_set));
        if export.show(ui).on_hover_text("Those that are set, as a .properties file").clicked()
            && entries.iter().any(is_set)
        {
            let whose = resource.file_stem();
            actions.push(Action::Ask(Dialog::ExportText {
                title: format!("the configs of {whose}"),
                name: format!("{whose}.properties"),
                content: properties(entries).into(),
            }));
        }
        let import = Button::new("Import…").name("Import configs from a file");
        if import.show(ui).on_hover_text("Set what a .properties file says").clicked() {
            actions.push(Action::Ask(Dialog::ImportConfigs(resource.clone())));
        }
    });
    let filter = state.filter.trim().to_lowercase();
    let rows = state.rows.get((resource.clone(), at_ms, filter.clone()), || rows(entries, &filter));
    let chosen = state.chosen.as_deref().or_else(|| rows.first().map(|row| entries[*row].name.as_str()));
    let selected = rows.iter().position(|row| Some(entries[*row].name.as_str()) == chosen);
    framed(ui, |ui| {
        if rows.is_empty() {
            let hint = "It looks for its words in names, values and documentation.";
            return empty(ui, Icon::Search, "No config matches the filter", hint);
        }
        let table = Table {
            id: "configs",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: true,
            selected,
        };
        let pressed = table.show(ui, &mut state.table, |index, row| {
            let entry = &entries[rows[index]];
            row.strong(&entry.name);
            let value = value_words(entry);
            row.mono(&value);
            let mood = if is_set(entry) { Mood::Busy } else { Mood::Quiet };
            row.toned(entry.source.words(), mood);
        });
        if let Some(row) = pressed {
            state.chosen = Some(entries[rows[row]].name.clone());
        }
    });
}

fn value_words(entry: &ConfigEntry) -> String {
    match &entry.value {
        Some(value) if value.is_empty() => "(empty)".to_owned(),
        Some(value) => value.clone(),
        None if entry.sensitive => "(hidden)".to_owned(),
        None => "(none)".to_owned(),
    }
}

fn detail(
    ui: &mut Ui,
    scene: &Scene<'_>,
    resource: &ConfigResource,
    entries: &[ConfigEntry],
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    let first = || rows(entries, "").first().map(|row| entries[*row].name.clone());
    let Some(name) = state.chosen.clone().or_else(first) else { return };
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else { return };
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        text::label(ui, &entry.name, font::heading(), style.text);
        button::copy(ui, &entry.name, "the config's name");
    });
    if !entry.doc.is_empty() {
        text::paragraph(ui, &entry.doc, font::body(), style.muted);
    }
    let kind = if entry.kind.is_empty() { String::new() } else { format!("{} · ", entry.kind) };
    let words = format!("{kind}in force: {} ({})", value_words(entry), entry.source.words());
    text::paragraph(ui, &words, font::small(), style.faint);
    for synonym in &entry.synonyms {
        let value = synonym.value.as_deref().unwrap_or("(hidden)");
        let words = format!("{} = {value} ({})", synonym.name, synonym.source.words());
        text::paragraph(ui, &words, font::mono(), style.faint);
    }
    if entry.read_only {
        text::paragraph(
            ui,
            "It is set when a broker starts and cannot be changed meanwhile.",
            font::body(),
            style.muted,
        );
        return;
    }
    let current = entry.value.clone().unwrap_or_default();
    let mut draft = match state.draft.take() {
        Some((of, draft)) if of == name => draft,
        _ => current.clone(),
    };
    field(ui, "New value", "", &mut draft, None);
    let set = ConfigChange { name: name.clone(), value: Some(draft.clone()) };
    let back = ConfigChange { name: name.clone(), value: None };
    let wish = |change: &ConfigChange| {
        Command::Operate(Operation::AlterConfigs { resource: resource.clone(), changes: vec![change.clone()] })
    };
    let mut sent = None;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let changed = draft != current;
        if Button::new("Set").name(&format!("Set {name}")).tone(Tone::Primary).enabled(changed).show(ui).clicked() {
            sent = Some(wish(&set));
        }
        let spoken = format!("Set {name} back to its default");
        if Button::new("Back to default").name(&spoken).enabled(is_set(entry)).show(ui).clicked() {
            sent = Some(wish(&back));
        }
    });
    let shown = if draft == current && is_set(entry) { &back } else { &set };
    for line in as_command::lines(&wish(shown), &Around::scene(scene)) {
        field::command(ui, line.title, &line.text);
    }
    state.draft = match sent {
        None => Some((name, draft)),
        Some(command) => {
            actions.push(Action::Send(command));
            // What was set is what is in force then.
            state.asked.again();
            None
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_comes_first_and_words_are_found_in_documentation() {
        let entry = |name: &str, source, doc: &str| ConfigEntry {
            name: name.into(),
            value: Some("1".into()),
            source,
            doc: doc.into(),
            ..ConfigEntry::default()
        };
        let entries = [
            entry("a.b", ConfigSource::Default, "How long"),
            entry("b.c", ConfigSource::Topic, "How much"),
            entry("c.d", ConfigSource::StaticBroker, ""),
        ];
        assert_eq!(rows(&entries, ""), [1, 0, 2]);
        assert_eq!(rows(&entries, "how"), [1, 0]);
        assert_eq!(rows(&entries, "how long"), [0]);
        assert_eq!(rows(&entries, "zzz"), Vec::<usize>::new());
    }
}
