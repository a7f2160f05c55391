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
