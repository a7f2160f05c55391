//! The dialogs: which one is open; deleting a topic, for which its name must be typed; removing a broker or a controller. All others have
//! files of their own.

use std::sync::Arc;

use egui::Context;

use super::alarm_draft::AlarmDraft;
use super::app::{Action, Dialog, Scene, Screen};
use super::as_command::{self, Around};
use super::dialog_alarm;
use super::dialog_configs::{self, ConfigsDraft};
use super::dialog_create::{self, CreateDraft};
use super::dialog_export::{self, ExportDraft, RecordsDraft};
use super::dialog_fault::{self, FaultDraft};
use super::dialog_group::{self, ResetDraft};
use super::dialog_ledger::{self, LedgerDraft};
use super::dialog_produce::{self, ProduceDraft};
use super::dialog_reassign::{self, ReassignDraft};
use super::dialog_recording::{self, RecordingDraft};
use super::dialog_topic::{self, TopicDraft};
use super::finder;
use super::finder::recents::Recents;
use super::format;
use super::help;
use super::model::Model;
use super::settings;
use super::tokens::{DARK, LIGHT, font};
use super::widgets::dialog::{Buttons, Outcome, dialog};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::files::Sheet;

/// What is being filled in.
#[derive(Debug, Default)]
pub struct Drafts {
    open: Option<Draft>,
    /// What was chosen last in the palette.
    pub recents: Recents,
}

#[derive(Debug)]
enum Draft {
    Create(Box<CreateDraft>),
    Delete { topic: String, typed: String },
    Topic(TopicDraft),
    Produce(Box<ProduceDraft>),
    Reassign(Box<ReassignDraft>),
    Reset(Box<ResetDraft>),
    DeleteGroup(Arc<str>),
    RemoveBroker(i32),
    RemoveController(i32),
    PutAlarm(Box<AlarmDraft>),
    DeleteAlarm(String),
    Fault(Box<FaultDraft>),
    Export(Box<ExportDraft>),
    Records(Box<RecordsDraft>),
    Configs(Box<ConfigsDraft>),
    Ledger(Box<LedgerDraft>),
    Recording(Box<RecordingDraft>),
    Palette(Box<finder::State>),
    Help,
    Settings,
}

impl Drafts {
    /// Whether one stands open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Asks where a table is to be written to.
    pub fn export(&mut self, sheet: Arc<Sheet>) {
        self.open = Some(Draft::Export(Box::new(ExportDraft::table(sheet))));
    }

    /// Opens a dialog on what is known.
    pub fn open(&mut self, dialog: Dialog, model: &Model) {
        self.open = Some(match dialog {
            Dialog::CreateTopic => Draft::Create(Box::new(CreateDraft::new(model.snapshot().brokers.len()))),
            Dialog::Topic(wish, topic) => Draft::Topic(TopicDraft::new(wish, &topic)),
            Dialog::Produce(topic, message) => Draft::Produce(Box::new(ProduceDraft::new(&topic, message))),
            Dialog::Reassign(topic) => Draft::Reassign(Box::new(ReassignDraft::new(&topic, &model.snapshot().brokers))),
            Dialog::ResetOffsets(group) => Draft::Reset(Box::new(ResetDraft::new(&group, model.now_ms()))),
            Dialog::DeleteGroup(group) => Draft::DeleteGroup(group.into()),
            Dialog::RemoveBroker(id) => Draft::RemoveBroker(id),
            Dialog::RemoveController(id) => Draft::RemoveController(id),
            Dialog::PutAlarm(start) => {
                let watched = &model.view.cloudwatch;
                Draft::PutAlarm(Box::new(AlarmDraft::new(start, &watched.store, &watched.alarms)))
            }
            Dialog::DeleteAlarm(name) => Draft::DeleteAlarm(name),
            Dialog::Fault(kind, target) => Draft::Fault(Box::new(FaultDraft::new(kind, target, model.snapshot()))),
            Dialog::ExportLedger(id) => Draft::Ledger(Box::new(LedgerDraft::new(id))),
            Dialog::SaveRecording => Draft::Recording(Box::new(RecordingDraft::new(true))),
            Dialog::OpenRecording => Draft::Recording(Box::new(RecordingDraft::new(false))),
            Dialog::ExportRecords => Draft::Records(Box::default()),
            Dialog::ExportText { title, name, content } => {
                Draft::Export(Box::new(ExportDraft::text(&title, &name, &content)))
            }
            Dialog::ImportConfigs(resource) => Draft::Configs(Box::new(ConfigsDraft::new(resource))),
            Dialog::Palette => Draft::Palette(Box::default()),
            Dialog::Help => Draft::Help,
            Dialog::Settings => Draft::Settings,
            Dialog::DeleteTopic(topic) => Draft::Delete { topic, typed: String::new() },
        });
    }
}

/// Shows the one that is open.
pub fn show(ctx: &Context, scene: &Scene<'_>, drafts: &mut Drafts, actions: &mut Vec<Action>) {
    let outcome = match &mut drafts.open {
        None => return,
        Some(Draft::Create(draft)) => dialog_create::show(ctx, scene, draft, actions),
        Some(Draft::Topic(draft)) => dialog_topic::show(ctx, scene, draft, actions),
        Some(Draft::Produce(draft)) => dialog_produce::show(ctx, scene, draft, actions),
        Some(Draft::Reassign(draft)) => dialog_reassign::show(ctx, scene, draft, actions),
        Some(Draft::Reset(draft)) => dialog_group::reset(ctx, scene, draft, actions),
        Some(Draft::DeleteGroup(group)) => dialog_group::delete(ctx, scene, group, actions),
        Some(Draft::RemoveBroker(id)) => remove_broker(ctx, scene, *id, actions),
        Some(Draft::RemoveController(id)) => remove_controller(ctx, scene, *id, actions),
        Some(Draft::PutAlarm(draft)) => dialog_alarm::put(ctx, scene, draft, actions),
        Some(Draft::DeleteAlarm(name)) => dialog_alarm::delete(ctx, scene, name, actions),
        Some(Draft::Fault(draft)) => dialog_fault::show(ctx, scene, draft, actions),
        Some(Draft::Records(draft)) => dialog_export::records(ctx, scene, draft, actions),
        Some(Draft::Configs(draft)) => dialog_configs::show(ctx, scene, draft, actions),
        Some(Draft::Ledger(draft)) => dialog_ledger::show(ctx, scene, draft, actions),
        Some(Draft::Recording(draft)) => dialog_recording::show(ctx, scene, draft, actions),
        Some(Draft::Export(draft)) => dialog_export::show(ctx, scene, draft, actions),
        Some(Draft::Palette(state)) => finder::show(ctx, scene, state, &mut drafts.recents, actions),
        Some(Draft::Help) => help::show(ctx),
        Some(Draft::Settings) => settings::show(ctx, scene, actions),
        Some(Draft::Delete { topic, typed }) => delete(ctx, scene, topic, typed, actions),
    };
    if outcome != Outcome::Open {
        drafts.open = None;
    }
}

/// The lines that do what a command does.
fn told(ui: &mut egui::Ui, scene: &Scene<'_>, command: &Command) {
    for line in as_command::lines(command, &Around::scene(scene)) {
        field::command(ui, line.title, &line.text);
    }
}

fn delete(ctx: &Context, scene: &Scene<'_>, topic: &str, typed: &mut String, actions: &mut Vec<Action>) -> Outcome {
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let outcome = dialog(ctx, "delete-topic", &format!("Delete {topic}?"), |ui| {
        let facts = scene.model.topic(topic).map_or_else(String::new, |(topic, _)| {
            let partitions = format::plural(topic.partitions.len(), "partition");
            format!(" It has {partitions} and {} on all replicas.", format::bytes(topic.size_bytes as f64))
        });
        let words = format!("All records of {topic} are deleted on every broker. This cannot be undone.{facts}");
        text::paragraph(ui, &words, font::body(), style.muted);
        let edit = field::field(ui, "Type the topic's name to confirm", topic, typed, None);
        if ui.memory(|memory| memory.focused().is_none()) && typed.is_empty() {
            edit.request_focus();
        }
        told(ui, scene, &Command::DeleteTopic { name: topic.to_owned() });
        Buttons { confirm: "Delete topic", enabled: typed.trim() == topic, danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(Command::DeleteTopic { name: topic.to_owned() }));
        actions.push(Action::Go(Screen::Topics));
    }
    outcome
}

fn remove_broker(ctx: &Context, scene: &Scene<'_>, id: i32, actions: &mut Vec<Action>) -> Outcome {
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let outcome = dialog(ctx, "remove-broker", &format!("Remove broker {id}?"), |ui| {
        let brokers = &scene.model.snapshot().brokers;
        let replicas = brokers.iter().find(|broker| broker.id == id).map_or(0, |broker| broker.replicas);
        let words = format!(
            "Its {} move to the other brokers. Then it shuts down in order, is unregistered, and its directory is removed. \
             Until it is empty, this can be called off.",
            format::plural(replicas, "replica")
        );
        text::paragraph(ui, &words, font::body(), style.muted);
        told(ui, scene, &Command::RemoveBroker(id));
        let is_alone = brokers.iter().all(|broker| broker.id == id);
        Buttons { confirm: "Remove broker", enabled: !is_alone, danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(Command::RemoveBroker(id)));
    }
    outcome
}

fn remove_controller(ctx: &Context, scene: &Scene<'_>, id: i32, actions: &mut Vec<Action>) -> Outcome {
    let style = if ctx.theme() == egui::Theme::Dark { &DARK } else { &LIGHT };
    let outcome = dialog(ctx, "remove-controller", &format!("Remove controller {id}?"), |ui| {
        let quorum = &scene.model.snapshot().quorum;
        let left = quorum.voters.iter().filter(|voter| voter.id != id && voter.role != "observer").count();
        let leads = if quorum.leader_id == id { " It leads the quorum: another one takes over." } else { "" };
        let words = format!(
            "It is taken out of the voters of the metadata quorum, then it stops, and its directory is removed. {} left, of whom {} must \
             agree.{leads}",
            format::plural(left, "voter"),
            left / 2 + 1
        );
        text::paragraph(ui, &words, font::body(), style.muted);
        told(ui, scene, &Command::RemoveController(id));
        Buttons { confirm: "Remove controller", enabled: left > 0, danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(Command::RemoveController(id)));
    }
    outcome
}
