//! The dialogs: creating a topic, checked while one types; deleting one, for which its name must be typed; removing a broker or a controller.
//! Those on alarms are in `dialog_alarm`.

use std::sync::Arc;

use egui::Context;

use super::alarm_draft::AlarmDraft;
use super::app::{Action, Dialog, Scene, Screen};
use super::as_command::{self, Around};
use super::dialog_alarm;
use super::dialog_export::{self, ExportDraft};
use super::dialog_fault::{self, FaultDraft};
use super::dialog_group::{self, ResetDraft};
use super::dialog_produce::{self, ProduceDraft};
use super::dialog_reassign::{self, ReassignDraft};
use super::dialog_topic::{self, TopicDraft};
use super::finder;
use super::finder::recents::Recents;
use super::format;
use super::help;
use super::model::Model;
use super::settings;
use super::tokens::{DARK, LIGHT, font, space};
use super::widgets::dialog::{Buttons, Outcome, dialog};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::files::Sheet;
use crate::monitor::snapshot::Snapshot;

/// What is being filled in.
#[derive(Debug, Default)]
pub struct Drafts {
    open: Option<Draft>,
    /// What was chosen last in the palette.
    pub recents: Recents,
}

#[derive(Debug)]
enum Draft {
    Create(CreateTopic),
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
        let brokers = model.snapshot().brokers.len();
        self.open = Some(match dialog {
            Dialog::CreateTopic => Draft::Create(CreateTopic {
                replication_factor: if brokers == 0 { 3 } else { brokers.min(3) }.to_string(),
                ..CreateTopic::default()
            }),
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
            Dialog::ExportText { title, name, content } => {
                Draft::Export(Box::new(ExportDraft::text(&title, &name, &content)))
            }
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
        Some(Draft::Create(draft)) => create(ctx, scene, draft, actions),
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

/// A topic as it is being described.
#[derive(Clone, Debug, PartialEq)]
struct CreateTopic {
    name: String,
    partitions: String,
    replication_factor: String,
    min_isr: String,
    touched: bool,
}

impl Default for CreateTopic {
    fn default() -> CreateTopic {
        CreateTopic {
            name: String::new(),
            partitions: "6".into(),
            replication_factor: "3".into(),
            min_isr: String::new(),
            touched: false,
        }
    }
}

/// What is wrong with each field.
#[derive(Debug, Default, PartialEq)]
struct Complaints {
    name: Option<String>,
    partitions: Option<String>,
    replication_factor: Option<String>,
    min_isr: Option<String>,
}

impl Complaints {
    fn none(&self) -> bool {
        *self == Complaints::default()
    }
}

/// The most partitions that one topic may be given here: past it, the answer would not fit into what a client reads at once.
const MOST_PARTITIONS: i32 = 10_000;

impl CreateTopic {
    fn check(&self, snapshot: &Snapshot) -> Complaints {
        let brokers = snapshot.brokers.len().max(1) as i32;
        let replication = number(&self.replication_factor);
        Complaints {
            name: name_complaint(&self.name, snapshot),
            partitions: match number(&self.partitions) {
                Some(count) if (1..=MOST_PARTITIONS).contains(&count) => None,
                _ => Some(format!(
                    "Partitions must be a whole number from 1 to {}.",
                    format::count(i64::from(MOST_PARTITIONS))
                )),
            },
            replication_factor: match replication {
                Some(factor) if (1..=brokers).contains(&factor) => None,
                _ => Some(format!(
                    "The replication factor must be a whole number from 1 to {brokers}: there are {}.",
                    format::plural(brokers as usize, "broker")
                )),
            },
            min_isr: match (number(&self.min_isr), replication) {
                _ if self.min_isr.trim().is_empty() => None,
                (Some(least), Some(factor)) if (1..=factor).contains(&least) => None,
                (Some(_), Some(factor)) => {
                    Some(format!("Minimum in-sync replicas must be from 1 to the replication factor, {factor}."))
                }
                _ => Some("Minimum in-sync replicas must be a whole number, or empty for the broker's default.".into()),
            },
        }
    }

    fn command(&self) -> Option<Command> {
        let configs = match number(&self.min_isr) {
            Some(least) => vec![("min.insync.replicas".to_owned(), least.to_string())],
            None => Vec::new(),
        };
        Some(Command::CreateTopic {
            name: self.name.trim().to_owned(),
            partitions: number(&self.partitions)?,
            replication_factor: i16::try_from(number(&self.replication_factor)?).ok()?,
            configs,
        })
    }

    /// What stands in the fields, finished or not, for the command that is shown.
    fn as_far_as_known(&self) -> Command {
        let name = if self.name.trim().is_empty() { "NAME" } else { self.name.trim() };
        let named = CreateTopic { name: name.to_owned(), ..self.clone() };
        named.command().unwrap_or_else(|| Command::CreateTopic {
            name: named.name,
            partitions: number(&self.partitions).unwrap_or(-1),
            replication_factor: -1,
            configs: Vec::new(),
        })
    }
}

/// The lines that do what a command does.
fn told(ui: &mut egui::Ui, scene: &Scene<'_>, command: &Command) {
    for line in as_command::lines(command, &Around::scene(scene)) {
        field::command(ui, line.title, &line.text);
    }
}

fn number(text: &str) -> Option<i32> {
    text.trim().parse().ok()
}

/// Kafka's rules for topic names (`org.apache.kafka.common.internals.Topic`), each in a sentence.
fn name_complaint(name: &str, snapshot: &Snapshot) -> Option<String> {
    let name = name.trim();
    if name.is_empty() {
        return Some("A topic needs a name.".into());
    }
    if name == "." || name == ".." {
        return Some("A topic cannot be called '.' or '..'.".into());
    }
    if name.len() > 249 {
        return Some(format!("A topic's name has at most 249 characters; this one has {}.", name.len()));
    }
    if let Some(wrong) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
        return Some(format!("A topic's name is made of letters, digits, '.', '_' and '-', not '{wrong}'."));
    }
    let folded = name.replace('.', "_");
    let clash = snapshot.topics.iter().find(|topic| topic.name.replace('.', "_") == folded)?;
    if &*clash.name == name {
        Some(format!("There is a topic {name} already."))
    } else {
        Some(format!("It would clash with {} in the names of metrics, where '.' and '_' are the same.", clash.name))
    }
}

fn create(ctx: &Context, scene: &Scene<'_>, draft: &mut CreateTopic, actions: &mut Vec<Action>) -> Outcome {
    let mut command = None;
    let outcome = dialog(ctx, "create-topic", "Create a topic", |ui| {
        let before = draft.clone();
        let complaints = draft.check(scene.model.snapshot());
        // An untouched dialog does not scold.
        let name_complaint = complaints.name.as_deref().filter(|_| draft.touched);
        let first = field::field(ui, "Name", "orders.v1", &mut draft.name, name_complaint);
        if ui.memory(|memory| memory.focused().is_none()) && !draft.touched {
            first.request_focus();
        }
        ui.columns(3, |columns| {
            field::field(&mut columns[0], "Partitions", "6", &mut draft.partitions, complaints.partitions.as_deref());
            let complaint = complaints.replication_factor.as_deref();
            field::field(&mut columns[1], "Replication factor", "3", &mut draft.replication_factor, complaint);
            let complaint = complaints.min_isr.as_deref();
            field::field(&mut columns[2], "Min in-sync replicas", "default", &mut draft.min_isr, complaint);
        });
        draft.touched |= *draft != before;
        ui.add_space(space::XS);
        told(ui, scene, &draft.as_far_as_known());
        let complaints = draft.check(scene.model.snapshot());
        command = draft.command().filter(|_| complaints.none());
        Buttons { confirm: "Create topic", enabled: command.is_some(), danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(command) = command
    {
        actions.push(Action::Send(command));
    }
    outcome
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    fn complaints(name: &str, partitions: &str, replication_factor: &str, min_isr: &str) -> Complaints {
        let draft = CreateTopic {
            name: name.into(),
            partitions: partitions.into(),
            replication_factor: replication_factor.into(),
            min_isr: min_isr.into(),
            touched: true,
        };
        draft.check(&fixture::incident().snapshot)
    }

    #[test]
    fn good_topics_pass() {
        assert!(complaints("orders.v2", "1", "3", "").none());
        assert!(complaints("a-b_c", "10000", "1", "1").none());
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        assert!(complaints("", "6", "3", "").name.unwrap().contains("needs a name"));
        assert!(complaints("a b", "6", "3", "").name.unwrap().contains("not ' '"));
        assert!(complaints("..", "6", "3", "").name.is_some());
        assert!(complaints(&"x".repeat(250), "6", "3", "").name.unwrap().contains("249"));
        assert!(complaints("orders", "6", "3", "").name.unwrap().contains("already"));
        assert!(complaints("__consumer.offsets", "6", "3", "").name.unwrap().contains("clash"));
        assert!(complaints("t", "0", "3", "").partitions.is_some());
        assert!(complaints("t", "many", "3", "").partitions.is_some());
        assert!(complaints("t", "1", "4", "").replication_factor.unwrap().contains("3 brokers"));
        assert!(complaints("t", "1", "2", "3").min_isr.unwrap().contains("replication factor, 2"));
        assert!(complaints("t", "1", "2", "x").min_isr.is_some());
    }

    #[test]
    fn the_command_says_the_same_as_the_form() {
        let draft = CreateTopic { name: " t ".into(), min_isr: "2".into(), ..CreateTopic::default() };
        assert_eq!(
            draft.command(),
            Some(Command::CreateTopic {
                name: "t".into(),
                partitions: 6,
                replication_factor: 3,
                configs: vec![("min.insync.replicas".into(), "2".into())]
            })
        );
        assert_eq!(Some(draft.as_far_as_known()), draft.command());
        let unfinished = CreateTopic { replication_factor: "x".into(), ..CreateTopic::default() };
        assert!(matches!(unfinished.as_far_as_known(), Command::CreateTopic { name, .. } if name == "NAME"));
    }
}
