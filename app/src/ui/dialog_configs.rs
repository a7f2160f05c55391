//! Configs from a file of properties: what would change is shown before anything is.

use broker::metadata::config::parse_properties;
use egui::Context;

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::asked::{Answer, Asked};
use super::file_picker::PickWish;
use super::file_reading::FileReading;
use super::format;
use super::tokens::{font, palette, size};
use super::widgets::button::Button;
use super::widgets::dialog::{Buttons, Outcome, wide};
use super::widgets::file_field::FileField;
use super::widgets::table::{Column, Table, TableState};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::inquiry::{ConfigEntry, Findings, Query};
use crate::monitor::operation::{ConfigChange, ConfigResource, Operation};

/// What is to be set, as it is being found out.
#[derive(Debug)]
pub struct ConfigsDraft {
    resource: ConfigResource,
    file: FileField,
    reading: FileReading,
    asked: Asked,
    read: Option<Result<Vec<(String, String)>, String>>,
    table: TableState,
}

/// What a line of the file would do.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    now: String,
    then: String,
    is_secret: bool,
    /// Why it is left out; empty: it is set.
    left_out: &'static str,
}

const COLUMNS: [Column; 4] = [
    Column::text("Config", 200.0, 1.2).unsorted(),
    Column::text("Now", 110.0, 0.6).unsorted(),
    Column::text("Then", 110.0, 0.6).unsorted(),
    Column::text("", 130.0, 0.6).unsorted(),
];
const ROWS_SHOWN: f32 = 8.0;

impl ConfigsDraft {
    /// Of this resource; no file yet.
    pub fn new(resource: ConfigResource) -> ConfigsDraft {
        ConfigsDraft {
            resource,
            file: FileField::default(),
            reading: FileReading::default(),
            asked: Asked::default(),
            read: None,
            table: TableState::default(),
        }
    }

    fn operation(&self, rows: &[Row]) -> Option<Command> {
        let set = rows.iter().filter(|row| row.left_out.is_empty());
        let changes: Vec<ConfigChange> =
            set.map(|row| ConfigChange { name: row.name.clone(), value: Some(row.then.clone()) }).collect();
        let resource = self.resource.clone();
        (!changes.is_empty()).then_some(Command::Operate(Operation::AlterConfigs { resource, changes }))
    }
}

fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let read = parse_properties(text).map_err(|error| format!("The file is no file of properties: {error}."))?;
    if read.is_empty() { Err("The file sets nothing.".into()) } else { Ok(read.into_iter().collect()) }
}

/// What the file would do, changes first.
fn rows(read: &[(String, String)], entries: &[ConfigEntry]) -> Vec<Row> {
    let row = |(name, then): &(String, String)| {
        let entry = entries.iter().find(|entry| entry.name == *name);
        let left_out = match entry {
            None => "no such config",
            Some(entry) if entry.read_only => "set at the start only",
            Some(entry) if entry.value.as_ref() == Some(then) => "as it is",
            Some(_) => "",
        };
        let now = entry.map_or("–".to_owned(), |entry| match &entry.value {
            Some(value) => value.clone(),
            None if entry.sensitive => "(hidden)".into(),
            None => "(none)".into(),
        });
        let is_secret = entry.is_some_and(|entry| entry.sensitive);
        Row { name: name.clone(), now, then: then.clone(), is_secret, left_out }
    };
    let mut rows: Vec<Row> = read.iter().map(row).collect();
    rows.sort_by_key(|row| !row.left_out.is_empty());
    rows
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut ConfigsDraft, actions: &mut Vec<Action>) -> Outcome {
    let whose = draft.resource.file_stem();
    let mut command = None;
    let outcome = wide(ctx, "import-configs", &format!("Import configs of {whose}"), |ui| {
        let wish = PickWish::Open { title: "A file of properties", endings: &["properties"] };
        let hint = format!("/home/me/{whose}.properties");
        let was_chosen = draft.file.show(ui, &scene.options.picker, "File (.properties)", &hint, wish);
        let path = draft.file.path();
        let asks = Button::new("Read the file").small().enabled(path.is_some()).show(ui).clicked();
        if let Some(path) = path.filter(|_| was_chosen || asks) {
            draft.reading.ask(scene, path, actions);
        }
        if let Some(text) = draft.reading.take(scene) {
            draft.read = Some(text.and_then(|text| parse(&text)));
        }
        let entries = draft.asked.look(scene, &Query::Configs(draft.resource.clone()), actions);
        let style = palette(ui);
        match (&draft.read, &entries) {
            (None, _) => {
                let words = "What the file would change is shown before anything is changed. Configs that it does not name stay as they are.";
                text::paragraph(ui, words, font::body(), style.muted);
            }
            (Some(Err(why)), _) => drop(text::paragraph(ui, why, font::body(), style.warning)),
            (_, Answer::Waiting) => drop(text::label(ui, "Asking the cluster…", font::body(), style.muted)),
            (_, Answer::Failed(why)) => {
                text::paragraph(ui, &format!("What is set now is not known: {why}"), font::body(), style.warning);
            }
            (Some(Ok(read)), Answer::Found(_, findings)) => {
                if let Findings::Configs(entries) = &**findings {
                    let rows = rows(read, entries);
                    dry_run(ui, &mut draft.table, &rows);
                    command = draft.operation(&rows);
                }
            }
        }
        if let Some(command) = &command {
            for line in as_command::lines(command, &Around::scene(scene)) {
                field::command(ui, line.title, &line.text);
            }
        }
        Buttons { confirm: "Set them", enabled: command.is_some(), danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(command) = command
    {
        actions.push(Action::Send(command));
    }
    outcome
}

fn dry_run(ui: &mut egui::Ui, table_state: &mut TableState, rows: &[Row]) {
    let style = palette(ui);
    let changed = rows.iter().filter(|row| row.left_out.is_empty()).count();
    let words = match changed {
        0 => "Nothing would change.".to_owned(),
        changed => format!("{} would be set.", format::plural(changed, "config")),
    };
    text::label(ui, &words, font::body(), style.text);
    ui.scope(|ui| {
        let table = Table {
            id: "import-configs",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_SHOWN.min(rows.len() as f32)),
            active: false,
            selected: None,
        };
        table.show(ui, table_state, |index, row| {
            let one = &rows[index];
            row.strong(&one.name);
            row.mono(&one.now);
            row.mono(if one.is_secret { "(hidden)" } else { &one.then });
            row.text(one.left_out);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_would_do_is_told_line_by_line() {
        let entry = |name: &str, value: Option<&str>, read_only| ConfigEntry {
            name: name.into(),
            value: value.map(str::to_owned),
            read_only,
            ..ConfigEntry::default()
        };
        let entries = [
            entry("a", Some("1"), false),
            entry("b", Some("2"), false),
            entry("c", None, true),
            entry("d", None, false),
        ];
        let read = parse("# of orders\na=1\nb = 3\nc:4\nd=\\ x\nnonsense=5\n").unwrap();
        let told: Vec<(String, String, String, &str)> =
            rows(&read, &entries).into_iter().map(|row| (row.name, row.now, row.then, row.left_out)).collect();
        let line = |name: &str, now: &str, then: &str, left_out| (name.into(), now.into(), then.into(), left_out);
        assert_eq!(
            told,
            [
                line("b", "2", "3", ""),
                line("d", "(none)", " x", ""),
                line("a", "1", "1", "as it is"),
                line("c", "(none)", "4", "set at the start only"),
                line("nonsense", "–", "5", "no such config"),
            ]
        );
        assert_eq!(parse("# nothing\n").unwrap_err(), "The file sets nothing.");
        assert!(parse("a=\\u12").unwrap_err().starts_with("The file is no file of properties"));
    }
}
