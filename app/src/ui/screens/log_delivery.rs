//! Where the logs are on the disk, and their delivery to a folder as Amazon MSK delivers them to S3.

use std::path::PathBuf;

use egui::Ui;

use crate::monitor::command::Command;
use crate::monitor::logs::Wish;
use crate::monitor::logs::delivery::DeliveryStatus;
use crate::ui::app::{Action, Scene};
use crate::ui::as_command::{self, Around};
use crate::ui::file_picker::PickWish;
use crate::ui::format;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::{self, Button, Tone};
use crate::ui::widgets::card::card;
use crate::ui::widgets::field;
use crate::ui::widgets::file_field::FileField;
use crate::ui::widgets::text;

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    folder: FileField,
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    super::page(ui, "delivery", |ui| {
        ui.spacing_mut().item_spacing.y = space::M;
        card(ui, |ui| files(ui, scene));
        card(ui, |ui| delivery(ui, scene, state, actions));
    });
}

fn files(ui: &mut Ui, scene: &Scene<'_>) {
    let style = palette(ui);
    let status = &scene.model.view.logs.status;
    ui.spacing_mut().item_spacing.y = space::XS;
    let dir = status.dir.display().to_string();
    ui.horizontal(|ui| {
        text::label(ui, "Files", font::heading(), style.text);
        button::copy(ui, &dir, "the folder of the logs");
    });
    text::paragraph(ui, &dir, font::mono(), style.text);
    let about = "A folder for each node, with Kafka's names: server.log, state-change.log, kafka-request.log, log-cleaner.log, \
                 controller.log. Each is turned over at 10 MiB; five older ones are kept. Times are UTC.";
    text::paragraph(ui, about, font::small(), style.muted);
    if let Some(trouble) = &status.files_trouble {
        text::paragraph(ui, trouble, font::body(), style.critical);
    }
    if status.lines_unwritten > 0 {
        let lines = format::plural(status.lines_unwritten as usize, "line");
        text::paragraph(ui, &format!("{lines} could not be written."), font::small(), style.warning);
    }
}

fn delivery(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let status = &scene.model.view.logs.status.delivery;
    ui.spacing_mut().item_spacing.y = space::S;
    text::label(ui, "Delivery, as Amazon MSK's to S3", font::heading(), style.text);
    let about =
        "Every five minutes and at the end: lines at INFO and above of each broker that has new ones, compressed.";
    text::paragraph(ui, about, font::small(), style.muted);
    let wish = PickWish::Folder { title: "Deliver logs to" };
    state.folder.show(ui, &scene.options.picker, "Folder", "/home/me/logs", wish);
    let typed = state.folder.path().map(|path| path.display().to_string()).unwrap_or_default();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let can = !typed.is_empty();
        if Button::new("Deliver here").tone(Tone::Primary).enabled(can).show(ui).clicked() && can {
            actions.push(Action::Send(Command::Logs(Wish::Deliver(Some(PathBuf::from(&typed))))));
        }
        if status.folder.is_some() && Button::new("Stop delivering").show(ui).clicked() {
            actions.push(Action::Send(Command::Logs(Wish::Deliver(None))));
        }
    });
    facts(ui, scene, status);
    let folder = if typed.is_empty() { "/somewhere" } else { &typed };
    let deliver = Command::Logs(Wish::Deliver(Some(PathBuf::from(folder))));
    for line in as_command::lines(&deliver, &Around::scene(scene)) {
        field::command(ui, line.title, &line.text);
    }
    field::command(ui, "From the start", &format!("brokerscope --deliver-logs {}", as_command::quoted(folder)));
}

fn facts(ui: &mut Ui, scene: &Scene<'_>, status: &DeliveryStatus) {
    let style = palette(ui);
    let offset = scene.options.utc_offset_minutes;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = space::XS;
        match (&status.folder, status.next_at_ms) {
            (Some(folder), Some(next_at_ms)) => {
                let next = format::clock(next_at_ms, offset);
                let words = format!("Goes to {}; next at {next}.", folder.display());
                text::paragraph(ui, &words, font::body(), style.text);
            }
            _ => {
                text::paragraph(ui, "Logs are not delivered.", font::body(), style.muted);
            }
        }
        if let Some(trouble) = &status.trouble {
            text::paragraph(ui, trouble, font::body(), style.critical);
        }
        if status.objects > 0 {
            let (objects, lines) = (status.objects as usize, status.lines as usize);
            let words = format!("{} with {}.", format::plural(objects, "object"), format::plural(lines, "line"));
            text::paragraph(ui, &words, font::body(), style.text);
        }
        if status.lines_lost > 0 {
            let lines = format::plural(status.lines_lost as usize, "line");
            let words = format!("{lines} fell out of memory before they could be delivered.");
            text::paragraph(ui, &words, font::body(), style.warning);
        }
        if let (Some(object), Some(at_ms)) = (&status.last_object, status.last_at_ms) {
            ui.horizontal(|ui| {
                let words = format!("The newest, of {}:", format::clock(at_ms, offset));
                text::label(ui, &words, font::small(), style.muted);
                button::copy(ui, object, "the object's name");
            });
            text::paragraph(ui, object, font::mono(), style.muted);
        }
    });
}
