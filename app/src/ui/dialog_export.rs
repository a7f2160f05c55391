//! Writing what is shown to a file: which one, and in which form.

use std::sync::Arc;

use egui::Context;

use super::app::{Action, Scene};
use super::file_picker::PickWish;
use super::format;
use super::tokens::{font, palette};
use super::widgets::button::segments;
use super::widgets::dialog::{Buttons, Outcome, dialog};
use super::widgets::file_field::FileField;
use super::widgets::text;
use crate::monitor::command::Command;
use crate::monitor::files::{Content, Save, Sheet, SheetFormat};
use crate::monitor::messages::export::{Export, ExportFormat, Exported};
use crate::monitor::messages::read::ReadWish;

/// What is to be written, as it is being described.
#[derive(Debug)]
pub struct ExportDraft {
    what: What,
    format: SheetFormat,
    file: FileField,
}

#[derive(Debug)]
enum What {
    Table(Arc<Sheet>),
    Text {
        /// In words, after "Export".
        title: String,
        /// The file's own name.
        name: String,
        content: Arc<str>,
    },
}

impl ExportDraft {
    /// Of a table.
    pub fn table(sheet: Arc<Sheet>) -> ExportDraft {
        ExportDraft { what: What::Table(sheet), format: SheetFormat::Csv, file: FileField::default() }
    }

    /// Of a text that is ready.
    pub fn text(title: &str, name: &str, content: &Arc<str>) -> ExportDraft {
        let what = What::Text { title: title.to_owned(), name: name.to_owned(), content: content.clone() };
        ExportDraft { what, format: SheetFormat::Csv, file: FileField::default() }
    }

    fn file_name(&self) -> String {
        match (&self.what, self.format) {
            (What::Text { name, .. }, _) => name.clone(),
            (What::Table(sheet), SheetFormat::Csv) => format!("{}.csv", sheet.name.replace(' ', "-")),
            (What::Table(sheet), SheetFormat::Json) => format!("{}.json", sheet.name.replace(' ', "-")),
        }
    }

    fn content(&self) -> Content {
        match &self.what {
            What::Text { content, .. } => Content::Text(content.clone()),
            What::Table(sheet) => Content::Table(sheet.clone(), self.format),
        }
    }
}

/// What is said of a file that may be there already.
pub const IS_REPLACED: &str = "A file that is there already is replaced.";

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut ExportDraft, actions: &mut Vec<Action>) -> Outcome {
    let title = match &draft.what {
        What::Table(sheet) => format!("Export the table {}", sheet.name),
        What::Text { title, .. } => format!("Export {title}"),
    };
    let outcome = dialog(ctx, "export", &title, |ui| {
        let style = palette(ui);
        if let What::Table(sheet) = &draft.what {
            let rows = format::plural(sheet.rows.len(), "row");
            let words = format!("{rows}, with the columns that are shown, in this order.");
            text::paragraph(ui, &words, font::body(), style.muted);
            segments(ui, &mut draft.format, &[(SheetFormat::Csv, "CSV"), (SheetFormat::Json, "JSON")]);
        }
        let name = draft.file_name();
        let hint = format!("/home/me/{name}");
        let wish = PickWish::Save { title: "Export to", name };
        draft.file.show(ui, &scene.options.picker, "File", &hint, wish);
        text::paragraph(ui, IS_REPLACED, font::small(), style.faint);
        Buttons { confirm: "Export", enabled: draft.file.path().is_some(), danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(path) = draft.file.path()
    {
        actions.push(Action::Send(Command::Save(Save { path, content: draft.content() })));
    }
    outcome
}

/// Records that are to be written, as it is being described.
#[derive(Debug, Default)]
pub struct RecordsDraft {
    format: ExportFormat,
    is_whole: bool,
    file: FileField,
}

/// Shows it; what is looked at now is what is written.
pub fn records(ctx: &Context, scene: &Scene<'_>, draft: &mut RecordsDraft, actions: &mut Vec<Action>) -> Outcome {
    let messages = &scene.model.view.messages;
    let Some(wish) = &messages.wish else { return Outcome::Cancelled };
    // What is read on from somewhere begins where the first reading ended.
    let can_be_whole = !wish.latest_per_key;
    draft.is_whole &= can_be_whole;
    let outcome = dialog(ctx, "export-records", &format!("Export records of {}", wish.topic), |ui| {
        let style = palette(ui);
        let shown = format!("The {} shown", format::plural(messages.found.len(), "record"));
        let mut choices = vec![(false, shown.as_str())];
        if can_be_whole {
            choices.push((true, "The whole reading"));
        }
        segments(ui, &mut draft.is_whole, &choices);
        let words = if draft.is_whole {
            "All records from there to the end of now that pass the filter: read again, and written while they are read."
        } else {
            "In the order in which they were read."
        };
        text::paragraph(ui, words, font::body(), style.muted);
        let formats =
            [(ExportFormat::JsonLines, "JSON lines"), (ExportFormat::Json, "JSON"), (ExportFormat::Csv, "CSV")];
        segments(ui, &mut draft.format, &formats);
        let about =
            "Topic, partition, offset, timestamp, key, value and headers; what is no text is base64, and says so.";
        text::paragraph(ui, about, font::small(), style.faint);
        let name = format!("{}.{}", wish.topic, draft.format.ending());
        let hint = format!("/home/me/{name}");
        let pick = PickWish::Save { title: "Export to", name };
        draft.file.show(ui, &scene.options.picker, "File", &hint, pick);
        text::paragraph(ui, IS_REPLACED, font::small(), style.faint);
        Buttons { confirm: "Export", enabled: draft.file.path().is_some(), danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(path) = draft.file.path()
    {
        let what = match draft.is_whole {
            true => Exported::Reading(Box::new(ReadWish { follow: false, ..ReadWish::clone(wish) })),
            false => Exported::Found(messages.found.clone()),
        };
        actions.push(Action::Send(Command::Export(Some(Export { path, format: draft.format, what }))));
    }
    outcome
}
