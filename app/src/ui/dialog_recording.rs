//! Where a recording goes, and where one comes from.

use egui::Context;

use super::app::{Action, Scene};
use super::file_picker::PickWish;
use super::rewind::Wish;
use super::tokens::{font, palette};
use super::widgets::dialog::{Buttons, Outcome, dialog};
use super::widgets::field::command;
use super::widgets::file_field::FileField;
use super::widgets::text;
use crate::monitor::history::file::EXTENSION;
use crate::ui::as_command::AS_A_COMMAND;

/// A file that is to be written or opened.
#[derive(Debug)]
pub struct RecordingDraft {
    is_saved: bool,
    file: FileField,
}

impl RecordingDraft {
    /// To save what is recorded, or to open a recording.
    pub fn new(is_saved: bool) -> RecordingDraft {
        RecordingDraft { is_saved, file: FileField::default() }
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut RecordingDraft, actions: &mut Vec<Action>) -> Outcome {
    let is_saved = draft.is_saved;
    let (title, words, confirm) = if is_saved {
        let words = "All that is recorded of this cluster: what each screen showed, what happened, and the nodes' logs. It is opened here, or on \
                     another machine without a cluster (brokerscope open). It has names of topics, groups and clients, and no records.";
        ("Save what is recorded", words, "Save")
    } else {
        (
            "Open a recording",
            "Every screen shows it as it was. The cluster goes on meanwhile; one key (l) leads back to it.",
            "Open",
        )
    };
    let outcome = dialog(ctx, "recording", title, |ui| {
        let style = palette(ui);
        text::paragraph(ui, words, font::body(), style.muted);
        let wish = if is_saved {
            PickWish::Save { title, name: format!("history.{EXTENSION}") }
        } else {
            PickWish::Open { title, endings: &[EXTENSION] }
        };
        draft.file.show(ui, &scene.options.picker, "File", &format!("/home/me/history.{EXTENSION}"), wish);
        if let (true, Some(http)) = (is_saved, &scene.options.http) {
            command(ui, AS_A_COMMAND, &format!("curl -o history.{EXTENSION} {http}/api/history/recording"));
        }
        Buttons { confirm, enabled: draft.file.path().is_some(), danger: false }
    });
    if let (Outcome::Confirmed, Some(path)) = (outcome, draft.file.path()) {
        actions.push(Action::Time(if is_saved { Wish::Save(path) } else { Wish::Open(path) }));
    }
    outcome
}
