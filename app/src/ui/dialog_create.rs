//! Creating a topic: checked while one types, with an example of where its replicas would go, and configs with what they are for.

use broker::controller::{UsableBroker, place};
use broker::metadata::config::{ConfigDef, ConfigError, topic_def, topic_defs, validate_topic_config};
use egui::{Context, ScrollArea, Ui};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::format;
use super::model::is_up;
use super::tokens::{font, palette, size, space};
use super::widgets::button::{Button, Tone};
use super::widgets::dialog::{Buttons, Outcome, wide};
use super::widgets::icon::Icon;
use super::widgets::matrix::{Cell, Density, Head, Label, matrix};
use super::widgets::picker::{Choice, picker};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::snapshot::{Broker, Snapshot};

/// A topic as it is being described.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateDraft {
    name: String,
    partitions: String,
    replication_factor: String,
    min_isr: String,
    /// Other configs than that, with what was typed.
    configs: Vec<(&'static str, String)>,
    /// One that was taken in just now, and gets the cursor.
    fresh: Option<&'static str>,
    touched: bool,
}

/// What is wrong with each field.
#[derive(Debug, Default, PartialEq)]
struct Complaints {
    name: Option<String>,
    partitions: Option<String>,
    replication_factor: Option<String>,
    min_isr: Option<String>,
    configs: Vec<Option<String>>,
}

impl Complaints {
    fn none(&self) -> bool {
        let fields = [&self.name, &self.partitions, &self.replication_factor, &self.min_isr];
        fields.into_iter().chain(&self.configs).all(Option::is_none)
    }
}

/// The most partitions that one topic may be given here: past it, the answer would not fit into what a client reads at once.
const MOST_PARTITIONS: i32 = 10_000;
/// It has a field of its own.
const MIN_ISR: &str = "min.insync.replicas";
/// Configs that topics are often created with.
const COMMON: [&str; 5] =
    ["cleanup.policy", "retention.ms", "retention.bytes", "compression.type", "max.message.bytes"];
/// Partitions of which an example is shown.
const EXAMPLE_ROWS: usize = 9;
/// Configs that are seen at once; the rest is scrolled to.
const CONFIGS_HEIGHT: f32 = 210.0;

impl CreateDraft {
    /// Three replicas, or as many as there are brokers.
    pub fn new(brokers: usize) -> CreateDraft {
        CreateDraft {
            name: String::new(),
            partitions: "6".into(),
            replication_factor: if brokers == 0 { 3 } else { brokers.min(3) }.to_string(),
            min_isr: String::new(),
            configs: Vec::new(),
            fresh: None,
            touched: false,
        }
    }

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
            configs: self.configs.iter().map(|(name, typed)| config_complaint(name, typed)).collect(),
        }
    }

    fn configs(&self) -> Vec<(String, String)> {
        let least = number(&self.min_isr).map(|least| (MIN_ISR.to_owned(), least.to_string()));
        let others = self.configs.iter().filter(|(_, typed)| !typed.trim().is_empty());
        least.into_iter().chain(others.map(|(name, typed)| ((*name).to_owned(), typed.trim().to_owned()))).collect()
    }

    fn command(&self) -> Option<Command> {
        Some(Command::CreateTopic {
            name: self.name.trim().to_owned(),
            partitions: number(&self.partitions)?,
            replication_factor: i16::try_from(number(&self.replication_factor)?).ok()?,
            configs: self.configs(),
        })
    }

    /// What stands in the fields, finished or not, for the command that is shown.
    fn as_far_as_known(&self) -> Command {
        let name = if self.name.trim().is_empty() { "NAME" } else { self.name.trim() };
        let named = CreateDraft { name: name.to_owned(), ..self.clone() };
        named.command().unwrap_or_else(|| Command::CreateTopic {
            name: named.name.clone(),
            partitions: number(&self.partitions).unwrap_or(-1),
            replication_factor: -1,
            configs: named.configs(),
        })
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

/// What is wrong with a config's value, as Kafka checks it.
fn config_complaint(name: &str, typed: &str) -> Option<String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Some("A value, or take this config away.".into());
    }
    match validate_topic_config(name, typed).err()? {
        ConfigError::Invalid { value, why, .. } => Some(format!("Not '{value}': {why}.")),
        other => Some(format!("{other}.")),
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut CreateDraft, actions: &mut Vec<Action>) -> Outcome {
    let snapshot = scene.model.snapshot();
    let mut command = None;
    let outcome = wide(ctx, "create-topic", "Create a topic", |ui| {
        let before = draft.clone();
        let complaints = draft.check(snapshot);
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
        meaning(ui, draft);
        example(ui, draft, &snapshot.brokers);
        configs(ui, draft, &complaints.configs);
        draft.touched |= *draft != before;
        ui.add_space(space::XS);
        for line in as_command::lines(&draft.as_far_as_known(), &Around::scene(scene)) {
            field::command(ui, line.title, &line.text);
        }
        let complaints = draft.check(snapshot);
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

/// What these numbers mean when brokers are lost.
fn meaning(ui: &mut Ui, draft: &CreateDraft) {
    if let Some(words) = promise(number(&draft.replication_factor), number(&draft.min_isr)) {
        let ink = palette(ui).muted;
        text::paragraph(ui, &words, font::small(), ink);
    }
}

fn promise(replication_factor: Option<i32>, min_isr: Option<i32>) -> Option<String> {
    let brokers = |count: i32| format::plural(usize::try_from(count).unwrap_or(0), "broker");
    match (replication_factor?, min_isr) {
        (..1, _) => None,
        (1, _) => Some("One replica: while its broker is down, nobody reads or writes the partition.".into()),
        (all, Some(least)) if least == all => {
            Some(format!("Writes with acks=all are refused as soon as one of a partition's {} is down.", brokers(all)))
        }
        (all, Some(least)) if (1..all).contains(&least) => Some(format!(
            "Writes with acks=all go on while {} of a partition's {all} {} down, and what was acknowledged is on {} at least.",
            all - least,
            if all - least == 1 { "is" } else { "are" },
            brokers(least)
        )),
        (all, _) => Some(format!("A partition can be read while one of its {} is up and in sync.", brokers(all))),
    }
}

/// Where the replicas of the first partitions could go; nothing where they cannot go anywhere.
fn placed(draft: &CreateDraft, brokers: &[Broker]) -> Vec<Vec<i32>> {
    let usable: Vec<UsableBroker> = brokers
        .iter()
        .map(|broker| UsableBroker { id: broker.id, rack: broker.rack.clone(), fenced: broker.fenced })
        .collect();
    let shown = number(&draft.partitions).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let factor = number(&draft.replication_factor).and_then(|factor| i16::try_from(factor).ok()).unwrap_or(0);
    place(&usable, shown.min(EXAMPLE_ROWS), factor, &mut StdRng::seed_from_u64(0)).unwrap_or_default()
}

fn example(ui: &mut Ui, draft: &CreateDraft, brokers: &[Broker]) {
    let placed = placed(draft, brokers);
    if placed.is_empty() {
        return;
    }
    let style = palette(ui);
    let zones: std::collections::BTreeSet<_> = brokers.iter().filter_map(|broker| broker.rack.as_ref()).collect();
    let spread = if zones.len() > 1 { ", spread over zones" } else { "" };
    let words =
        format!("Where replicas could go{spread} (filled: leads first; with which broker it begins, is chance)");
    text::label(ui, &words, font::small(), style.muted);
    let heads: Vec<Head> =
        brokers.iter().map(|broker| Head { text: broker.id.to_string(), down: !is_up(broker) }).collect();
    let label = |row: usize| Label { text: "partition".into(), suffix: format!(" {row}"), trouble: None };
    let cell = |row: usize, column: usize| {
        let id = brokers[column].id;
        match placed[row].iter().position(|replica| *replica == id) {
            Some(0) => Cell::Leader,
            Some(_) => Cell::InSync,
            None => Cell::Blank,
        }
    };
    matrix(ui, "Example of a placement", &heads, placed.len(), Density::Compact, label, cell);
    let down = brokers.iter().filter(|broker| !is_up(broker)).map(|broker| broker.id).collect::<Vec<i32>>();
    if !down.is_empty() {
        let words = format!(
            "Not up now: {}. It may be given replicas, and leads nothing until it is back.",
            format::ids(&down)
        );
        text::label(ui, &words, font::small(), style.warning);
    }
}

/// Configs that were taken in, each with what it is for; and what else there is.
fn configs(ui: &mut Ui, draft: &mut CreateDraft, complaints: &[Option<String>]) {
    let (mut gone, fresh) = (None, draft.fresh.take());
    ScrollArea::vertical().id_salt("configs").max_height(CONFIGS_HEIGHT).show(ui, |ui| {
        for (index, (name, typed)) in draft.configs.iter_mut().enumerate() {
            let complaint = complaints.get(index).and_then(Option::as_deref).filter(|_| !typed.is_empty());
            if config(ui, name, typed, complaint, fresh == Some(*name)) {
                gone = Some(index);
            }
        }
    });
    if let Some(index) = gone {
        draft.configs.remove(index);
    }
    let free = |name: &str| name != MIN_ISR && draft.configs.iter().all(|(taken, _)| *taken != name);
    let mut wanted: Option<&'static str> = None;
    let common: Vec<&'static str> = COMMON.into_iter().filter(|name| free(name)).collect();
    let all = topic_defs().iter().filter(|def| !def.internal && free(def.name));
    let others: Vec<Choice<'_, Option<&'static str>>> = std::iter::once((None, "choose…"))
        .chain(all.map(|def| (Some(def.name), def.name)))
        .map(|(value, name)| Choice { value, name, enabled: value.is_some() })
        .collect();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::XS, space::XS);
        for name in common {
            let spoken = format!("Set {name}");
            let add = Button::new(name).name(&spoken).with_icon(Icon::Plus).small().show(ui);
            if add.clicked() {
                wanted = Some(name);
            }
            if let Some(doc) = topic_def(name).and_then(ConfigDef::documentation) {
                add.on_hover_text(doc);
            }
        }
        picker(ui, "Other config", &mut wanted, &others);
    });
    draft.configs.extend(wanted.map(|name| (name, String::new())));
    draft.fresh = wanted;
}

/// One config, with the cursor in it if it is `fresh`. Returns whether it is to go.
fn config(ui: &mut Ui, name: &'static str, typed: &mut String, complaint: Option<&str>, fresh: bool) -> bool {
    let def = topic_def(name);
    let hint = def.and_then(|def| def.default).unwrap_or_default();
    // In the line of the name, at its end.
    let corner = ui.cursor().min + egui::vec2(ui.available_width() - size::CONTROL_SMALL, -space::XS);
    let edit = field::field(ui, name, hint, typed, complaint);
    if fresh {
        edit.request_focus();
    }
    let place = egui::Rect::from_min_size(corner, egui::Vec2::splat(size::CONTROL_SMALL));
    let spoken = format!("Leave {name} out");
    let mut child = ui.new_child(egui::UiBuilder::new().id_salt(&spoken).max_rect(place));
    let leave = Button::icon(Icon::Close, &spoken).small().tone(Tone::Bare).show(&mut child);
    let is_gone = leave.clicked();
    leave.on_hover_text(spoken);
    if let Some(doc) = def.and_then(ConfigDef::documentation) {
        let ink = palette(ui).faint;
        text::paragraph(ui, doc, font::small(), ink);
    }
    is_gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    fn draft(name: &str, partitions: &str, replication_factor: &str, min_isr: &str) -> CreateDraft {
        CreateDraft {
            name: name.into(),
            partitions: partitions.into(),
            replication_factor: replication_factor.into(),
            min_isr: min_isr.into(),
            touched: true,
            ..CreateDraft::new(3)
        }
    }

    fn complaints(name: &str, partitions: &str, replication_factor: &str, min_isr: &str) -> Complaints {
        draft(name, partitions, replication_factor, min_isr).check(&fixture::incident().snapshot)
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
    fn configs_are_checked_as_kafka_checks_them() {
        for (name, typed, part) in [
            ("retention.ms", "604800000", None),
            ("retention.ms", "a week", Some("a week")),
            ("cleanup.policy", "compact,delete", None),
            ("cleanup.policy", "keep", Some("keep")),
            ("compression.type", "zstd", None),
            ("compression.type", "rar", Some("rar")),
            ("retention.ms", " ", Some("A value")),
        ] {
            let told = config_complaint(name, typed);
            assert_eq!(told.is_some(), part.is_some(), "{name}={typed}: {told:?}");
            assert!(part.is_none_or(|part| told.as_ref().is_some_and(|told| told.contains(part))), "{told:?}");
        }
        assert!(COMMON.iter().all(|name| topic_def(name).is_some_and(|def| def.documentation().is_some())));
    }

    #[test]
    fn the_command_says_the_same_as_the_form() {
        let mut draft = draft(" t ", "6", "3", "2");
        draft.configs = vec![("retention.ms", " 5 ".into()), ("compression.type", String::new())];
        assert_eq!(
            draft.command(),
            Some(Command::CreateTopic {
                name: "t".into(),
                partitions: 6,
                replication_factor: 3,
                configs: vec![(MIN_ISR.into(), "2".into()), ("retention.ms".into(), "5".into())]
            })
        );
        assert_eq!(Some(draft.as_far_as_known()), draft.command());
        let unfinished = CreateDraft { name: String::new(), replication_factor: "x".into(), ..draft };
        assert!(matches!(unfinished.as_far_as_known(), Command::CreateTopic { name, .. } if name == "NAME"));
    }

    #[test]
    fn an_example_has_each_replica_on_another_broker_and_zone() {
        let brokers = &fixture::healthy().snapshot.brokers;
        let placed = placed(&draft("t", "20", "3", ""), brokers);
        assert_eq!(placed.len(), EXAMPLE_ROWS);
        for replicas in placed {
            let ids: std::collections::BTreeSet<i32> = replicas.iter().copied().collect();
            assert_eq!(ids, [1, 2, 3].into());
        }
        assert_eq!(super::placed(&draft("t", "2", "9", ""), brokers), Vec::<Vec<i32>>::new());
    }

    #[test]
    fn what_the_numbers_promise_is_said() {
        assert_eq!(promise(None, None), None);
        assert!(promise(Some(1), None).unwrap().starts_with("One replica"));
        assert!(promise(Some(3), Some(3)).unwrap().contains("as soon as one of a partition's 3 brokers is down"));
        assert!(promise(Some(3), Some(2)).unwrap().contains("while 1 of a partition's 3 is down"));
        assert!(promise(Some(3), Some(1)).unwrap().contains("while 2 of a partition's 3 are down"));
        assert!(promise(Some(3), None).unwrap().starts_with("A partition can be read"));
    }
}
