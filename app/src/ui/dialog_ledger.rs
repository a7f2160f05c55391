//! Exporting a reproduction of what the ledger found: into which folder.

use egui::Context;

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::file_picker::PickWish;
use super::tokens::{font, palette};
use super::widgets::dialog::{Buttons, Outcome, dialog};
use super::widgets::field::command;
use super::widgets::file_field::FileField;
use super::widgets::text;
use crate::monitor::command::{Command, LedgerExport};

/// A reproduction that is to be written, as it is being described.
#[derive(Debug)]
pub struct LedgerDraft {
    id: u64,
    folder: FileField,
}

impl LedgerDraft {
    /// Of a workload.
    pub fn new(id: u64) -> LedgerDraft {
        LedgerDraft { id, folder: FileField::default() }
    }

    fn command(&self) -> Command {
        Command::ExportLedger(LedgerExport { id: self.id, folder: self.folder.path() })
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut LedgerDraft, actions: &mut Vec<Action>) -> Outcome {
    let outcome = dialog(ctx, "export-ledger", &format!("Export a reproduction of workload {}", draft.id), |ui| {
        let style = palette(ui);
        let words = "A folder is made there, with the workload and its seed, the faults as a script, what happened, who was told what, and the \
                     batches that each replica has around what is missing. Left empty, it is made beside the cluster's data.";
        text::paragraph(ui, words, font::body(), style.muted);
        let wish = PickWish::Folder { title: "Export into" };
        draft.folder.show(ui, &scene.options.picker, "Folder", "/home/me", wish);
        let complaint = draft.folder.complaint();
        if let Some(complaint) = complaint {
            text::paragraph(ui, complaint, font::small(), style.critical);
        }
        for line in as_command::lines(&draft.command(), &Around::scene(scene)) {
            command(ui, line.title, &line.text);
        }
        Buttons { confirm: "Export", enabled: complaint.is_none(), danger: false }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(draft.command()));
    }
    outcome
}
