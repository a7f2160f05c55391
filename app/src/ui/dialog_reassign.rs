//! Moving a topic's replicas to other brokers, or having more or fewer of them: which brokers, how many, how fast, and, before anything happens,
//! what would move. What is under way is shown, and can be called off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::controller::{self, UsableBroker, evacuate, spread};
use egui::{Context, Ui};

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::asked::{Answer, Asked};
use super::file_picker::PickWish;
use super::file_reading::FileReading;
use super::format;
use super::reassign_file;
use super::screens::topics::replication_factor;
use super::tokens::{font, palette, size, space};
use super::widgets::button::Button;
use super::widgets::dialog::{Buttons, Outcome, wide};
use super::widgets::file_field::FileField;
use super::widgets::table::{Column, Table, TableState};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::files::{Content, Save};
use crate::monitor::inquiry::{Findings, Query, Reassignment};
use crate::monitor::operation::{Move, Operation};
use crate::monitor::snapshot::{Broker, Topic};

/// A move as it is being described.
#[derive(Debug)]
pub struct ReassignDraft {
    topic: Arc<str>,
    /// Brokers that may hold replicas afterwards.
    chosen: BTreeSet<i32>,
    /// Replicas of each partition; empty: as many as there are.
    factor: String,
    /// MB/s; empty: as fast as they can.
    throttle: String,
    asked: Asked,
    table: TableState,
    file: FileField,
    /// A file that is being read, and when its last answer came before.
    reading: FileReading,
    /// A plan that a file had; it counts instead of ours.
    read: Option<Result<Vec<Move>, String>>,
}

const COLUMNS: [Column; 4] = [
    Column::text("Partition", 90.0, 0.3).unsorted(),
    Column::text("Replicas now", 120.0, 0.5).unsorted(),
    Column::text("Then", 120.0, 0.5).unsorted(),
    Column::number("Copied", 90.0, 0.3).help("What new replicas have to fetch").unsorted(),
];
const ROWS_SHOWN: f32 = 8.0;
const BYTES_PER_MB: f64 = 1_000_000.0;

/// One partition that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    partition: i32,
    now: Vec<i32>,
    then: Vec<i32>,
    copied_bytes: u64,
}

impl ReassignDraft {
    /// All brokers may hold replicas.
    pub fn new(topic: &str, brokers: &[Broker]) -> ReassignDraft {
        ReassignDraft {
            topic: topic.into(),
            chosen: brokers.iter().map(|broker| broker.id).collect(),
            factor: String::new(),
            throttle: String::new(),
            asked: Asked::default(),
            table: TableState::default(),
            file: FileField::default(),
            reading: FileReading::default(),
            read: None,
        }
    }

    fn throttle_bytes_per_s(&self) -> Result<Option<u64>, &'static str> {
        let typed = self.throttle.trim();
        if typed.is_empty() {
            return Ok(None);
        }
        let rate: f64 = typed.parse().map_err(|_| "A number, or nothing.")?;
        if rate > 0.0 && rate < 1e6 { Ok(Some((rate * BYTES_PER_MB) as u64)) } else { Err("More than 0.") }
    }

    /// How many replicas each partition is to have; `None`: as many as now.
    fn factor(&self) -> Result<Option<usize>, String> {
        match self.factor.trim() {
            "" => Ok(None),
            typed => match typed.parse() {
                Ok(factor) if (1..=self.chosen.len()).contains(&factor) => Ok(Some(factor)),
                _ => Err(format!("A number from 1 to {}, or nothing.", self.chosen.len())),
            },
        }
    }

    fn operation(&self, rows: &[Row]) -> Option<Operation> {
        let throttle_bytes_per_s = self.throttle_bytes_per_s().ok()?;
        let to = |row: &Row| Move { topic: self.topic.clone(), partition: row.partition, replicas: row.then.clone() };
        Some(Operation::Reassign { moves: rows.iter().map(to).collect(), throttle_bytes_per_s })
    }
}

/// What would change: as many replicas as wished, off the brokers that were not chosen, and evenly over those that were, with as few moves as
/// there can be.
fn plan(topic: &Topic, brokers: &[Broker], chosen: &BTreeSet<i32>, factor: Option<usize>) -> Result<Vec<Row>, String> {
    let usable: Vec<UsableBroker> = brokers
        .iter()
        .filter(|broker| chosen.contains(&broker.id))
        .map(|broker| UsableBroker { id: broker.id, rack: broker.rack.clone(), fenced: broker.fenced })
        .collect();
    let present = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
    let needed = factor.unwrap_or(present);
    if usable.len() < needed {
        return Err(format!(
            "Each partition has {}: choose at least as many brokers.",
            format::plural(needed, "replica")
        ));
    }
    let mut all: Vec<controller::Move<i32>> = topic
        .partitions
        .iter()
        .map(|partition| controller::Move { partition: partition.id, replicas: partition.replicas.clone() })
        .collect();
    if let Some(factor) = factor {
        resize(&mut all, &usable, factor);
    }
    let hosts: BTreeSet<i32> = all.iter().flat_map(|one| one.replicas.iter().copied()).collect();
    let apply = |all: &mut Vec<controller::Move<i32>>, moves: Vec<controller::Move<i32>>| {
        for changed in moves {
            if let Some(one) = all.iter_mut().find(|one| one.partition == changed.partition) {
                one.replicas = changed.replicas;
            }
        }
    };
    for leaving in hosts.difference(chosen) {
        let moves = evacuate(*leaving, &usable, &all)
            .map_err(|stuck| format!("For partition {} there are too few brokers.", stuck.partition))?;
        apply(&mut all, moves);
    }
    let evened = spread(&usable, &all, |_| 0, usize::MAX).moves;
    apply(&mut all, evened);
    let rows = topic.partitions.iter().zip(all).filter(|(before, after)| before.replicas != after.replicas);
    Ok(rows
        .map(|(before, after)| Row {
            partition: before.id,
            copied_bytes: before.size_bytes
                * after.replicas.iter().filter(|id| !before.replicas.contains(id)).count() as u64,
            now: before.replicas.clone(),
            then: after.replicas,
        })
        .collect())
}

/// Gives each partition so many replicas. New ones go where its zones have none yet and where the fewest are; what is taken away is what stands
/// where it should not, then what shares a zone, then what stands where most are. The first, which leads, goes only if it may not stay.
fn resize(all: &mut [controller::Move<i32>], usable: &[UsableBroker], factor: usize) {
    let mut loads: BTreeMap<i32, usize> = BTreeMap::new();
    for id in all.iter().flat_map(|one| &one.replicas) {
        *loads.entry(*id).or_default() += 1;
    }
    let load = |loads: &BTreeMap<i32, usize>, id: i32| loads.get(&id).copied().unwrap_or(0);
    let zone = |id: i32| usable.iter().find(|broker| broker.id == id).map(|broker| broker.rack.clone());
    for one in all {
        let shared = |replicas: &[i32], id: i32| {
            replicas.iter().filter(|other| **other != id && zone(**other) == zone(id)).count()
        };
        while one.replicas.len() > factor {
            let replicas = &one.replicas;
            let rank = |index: &usize| {
                let id = replicas[*index];
                (zone(id).is_none(), *index > 0, shared(replicas, id), load(&loads, id), *index)
            };
            let Some(index) = (0..replicas.len()).max_by_key(rank) else { break };
            let id = one.replicas.remove(index);
            *loads.entry(id).or_default() -= 1;
        }
        while one.replicas.len() < factor {
            let free = usable.iter().filter(|broker| !one.replicas.contains(&broker.id));
            let rank = |broker: &&UsableBroker| (shared(&one.replicas, broker.id), load(&loads, broker.id), broker.id);
            let Some(id) = free.min_by_key(rank).map(|broker| broker.id) else { break };
            one.replicas.push(id);
            *loads.entry(id).or_default() += 1;
        }
    }
}

/// What of a plan's moves changes anything.
fn changes(topic: &Topic, moves: &[Move]) -> Vec<Row> {
    let row = |to: &Move| {
        let before = topic.partitions.iter().find(|partition| partition.id == to.partition)?;
        let copies = to.replicas.iter().filter(|id| !before.replicas.contains(id)).count() as u64;
        (before.replicas != to.replicas).then(|| Row {
            partition: before.id,
            now: before.replicas.clone(),
            then: to.replicas.clone(),
            copied_bytes: before.size_bytes * copies,
        })
    };
    moves.iter().filter_map(row).collect()
}

/// Takes the plan out of a file once it was read.
fn take_file(scene: &Scene<'_>, draft: &mut ReassignDraft, topic: &Topic, brokers: &[Broker]) {
    let Some(text) = draft.reading.take(scene) else { return };
    let ids: Vec<i32> = brokers.iter().map(|broker| broker.id).collect();
    draft.read = Some(text.and_then(|text| reassign_file::read(&text, topic, &ids)));
}

/// The plan to a file, or from one.
fn file(ui: &mut Ui, scene: &Scene<'_>, draft: &mut ReassignDraft, rows: &[Row], actions: &mut Vec<Action>) {
    let name = format!("reassign-{}.json", draft.topic);
    let hint = format!("/home/me/{name}");
    let wish = PickWish::Save { title: "A plan for kafka-reassign-partitions", name };
    draft.file.show(ui, &scene.options.picker, "The plan as a file (of kafka-reassign-partitions)", &hint, wish);
    let path = draft.file.path();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let can_write = path.is_some() && !rows.is_empty();
        if Button::new("Write the plan").small().enabled(can_write).show(ui).clicked()
            && let (Some(path), Some(Operation::Reassign { moves, .. })) = (path.clone(), draft.operation(rows))
        {
            let content = Content::Text(reassign_file::written(&moves));
            actions.push(Action::Send(Command::Save(Save { path, content })));
        }
        if Button::new("Read a plan").small().enabled(path.is_some()).show(ui).clicked()
            && let Some(path) = path
        {
            draft.reading.ask(scene, path, actions);
        }
        if draft.read.is_some() && Button::new("Plan it here").small().show(ui).clicked() {
            draft.read = None;
        }
        if matches!(draft.read, Some(Ok(_))) {
            text::label(ui, "What the file says is shown.", font::small(), palette(ui).muted);
        }
    });
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut ReassignDraft, actions: &mut Vec<Action>) -> Outcome {
    let Some((topic, _)) = scene.model.topic(&draft.topic) else { return Outcome::Cancelled };
    let brokers = &scene.model.snapshot().brokers;
    let mut rows = Vec::new();
    let title = format!("Move replicas of {}", draft.topic);
    let outcome = wide(ctx, "reassign", &title, |ui| {
        let moving = under_way(ui, scene, draft, actions);
        choices(ui, draft, brokers);
        let complaint = draft.throttle_bytes_per_s().err();
        let (factor, present) = (draft.factor(), replication_factor(topic).to_string());
        ui.columns(2, |columns| {
            let label = "Replicas of each partition (nothing: as many as now)";
            let wrong = factor.as_ref().err().map(String::as_str);
            field::field(&mut columns[0], label, &present, &mut draft.factor, wrong);
            let label = "At most, MB/s for each broker (nothing: no limit)";
            field::field(&mut columns[1], label, "50", &mut draft.throttle, complaint);
        });
        take_file(scene, draft, topic, brokers);
        let planned = match &draft.read {
            Some(read) => read.as_ref().map(|moves| changes(topic, moves)).map_err(Clone::clone),
            None => match &factor {
                Ok(factor) => plan(topic, brokers, &draft.chosen, *factor),
                // The field says it.
                Err(_) => Ok(Vec::new()),
            },
        };
        match planned {
            Ok(planned) => rows = planned,
            Err(why) => drop(text::paragraph(ui, &why, font::body(), palette(ui).warning)),
        }
        dry_run(ui, draft, &rows);
        file(ui, scene, draft, &rows, actions);
        if let Some(operation) = draft.operation(&rows).filter(|_| !rows.is_empty()) {
            for line in as_command::lines(&Command::Operate(operation), &Around::scene(scene)) {
                field::command(ui, line.title, &line.text);
            }
        }
        let confirm = match &factor {
            Ok(Some(factor)) if draft.read.is_none() && *factor != replication_factor(topic) => "Change replicas",
            _ => "Move replicas",
        };
        Buttons { confirm, enabled: !rows.is_empty() && complaint.is_none() && !moving, danger: false }
    });
    if outcome == Outcome::Confirmed
        && let Some(operation) = draft.operation(&rows)
    {
        actions.push(Action::Send(Command::Operate(operation)));
    }
    outcome
}

/// What moves already, and how to call it off. Whether anything does.
fn under_way(ui: &mut Ui, scene: &Scene<'_>, draft: &mut ReassignDraft, actions: &mut Vec<Action>) -> bool {
    let Answer::Found(_, findings) = draft.asked.look(scene, &Query::Reassignments, actions) else { return false };
    let Findings::Reassignments(all) = &*findings else { return false };
    let moving: Vec<&Reassignment> = all.iter().filter(|one| one.topic == draft.topic).collect();
    if moving.is_empty() {
        return false;
    }
    let style = palette(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let adding: usize = moving.iter().map(|one| one.adding.len()).sum();
        let words = format!(
            "Replicas of {} are moving; {} not in sync yet.",
            format::plural(moving.len(), "partition"),
            format::plural(adding, "new one")
        );
        text::label(ui, &words, font::body(), style.warning);
        if Button::new("Call it off").small().show(ui).clicked() {
            let partitions = moving.iter().map(|one| (one.topic.clone(), one.partition)).collect();
            actions.push(Action::Send(Command::Operate(Operation::CancelReassignments(partitions))));
            draft.asked.again();
        }
    });
    true
}

fn choices(ui: &mut Ui, draft: &mut ReassignDraft, brokers: &[Broker]) {
    text::label(ui, "Replicas may be on", font::small(), palette(ui).muted);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for broker in brokers {
            let zone = broker.rack.as_ref().map(|rack| format!(" ({rack})")).unwrap_or_default();
            let mut on = draft.chosen.contains(&broker.id);
            field::toggle(ui, &format!("Broker {}{zone}", broker.id), &mut on);
            if on {
                draft.chosen.insert(broker.id);
            } else {
                draft.chosen.remove(&broker.id);
            }
        }
    });
}

fn dry_run(ui: &mut Ui, draft: &mut ReassignDraft, rows: &[Row]) {
    let copied: u64 = rows.iter().map(|row| row.copied_bytes).sum();
    let words = match rows.len() {
        0 => "Nothing would change.".to_owned(),
        changed => format!(
            "{} would change, and {} would be copied.",
            format::plural(changed, "partition"),
            format::bytes(copied as f64)
        ),
    };
    let ink = palette(ui).text;
    text::label(ui, &words, font::body(), ink);
    if rows.is_empty() {
        return;
    }
    ui.scope(|ui| {
        let table = Table {
            id: "reassign",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_SHOWN),
            active: false,
            selected: None,
        };
        table.show(ui, &mut draft.table, |index, row| {
            let one = &rows[index];
            row.strong(&one.partition.to_string());
            row.text(&format::ids(&one.now));
            row.strong(&format::ids(&one.then));
            let order_only = one.copied_bytes == 0;
            row.text(&if order_only { "–".to_owned() } else { format::bytes(one.copied_bytes as f64) });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    fn orders() -> (Topic, Vec<Broker>) {
        let snapshot = fixture::healthy().snapshot;
        let topic = snapshot.topics.iter().find(|topic| &*topic.name == "orders").unwrap();
        (Topic::clone(topic), snapshot.brokers.clone())
    }

    #[test]
    fn what_is_even_stays_and_what_leaves_goes() {
        let (mut topic, brokers) = orders();
        let all: BTreeSet<i32> = [1, 2, 3].into();
        for partition in &mut topic.partitions {
            partition.replicas = vec![1, 2];
            partition.size_bytes = 10;
        }
        let rows = plan(&topic, &brokers, &all, None).unwrap();
        let on_three = rows.iter().filter(|row| row.then.contains(&3)).count();
        assert_eq!(on_three, topic.partitions.len() * 2 / 3, "each broker has its share");
        let without = plan(&topic, &brokers, &[1, 3].into(), None).unwrap();
        assert!(without.iter().all(|row| !row.then.contains(&2)) && without.len() == topic.partitions.len());
        assert!(without.iter().all(|row| row.copied_bytes == 10));
        let too_few = plan(&topic, &brokers, &[3].into(), None).unwrap_err();
        assert!(too_few.contains("2 replicas"), "{too_few}");
        // Once it is so, nothing more is to be done.
        for row in rows {
            topic.partitions.iter_mut().find(|one| one.id == row.partition).unwrap().replicas = row.then;
        }
        assert_eq!(plan(&topic, &brokers, &all, None).unwrap(), []);
    }

    #[test]
    fn more_replicas_go_where_there_are_none_and_fewer_leave_the_leaders() {
        let (mut topic, mut brokers) = orders();
        let all: BTreeSet<i32> = [1, 2, 3].into();
        for (index, partition) in topic.partitions.iter_mut().enumerate() {
            partition.replicas = vec![index as i32 % 3 + 1];
            partition.size_bytes = 10;
        }
        let rows = plan(&topic, &brokers, &all, Some(2)).unwrap();
        assert_eq!(rows.len(), topic.partitions.len());
        assert!(rows.iter().all(|row| row.then.len() == 2 && row.then.contains(&row.now[0]) && row.copied_bytes == 10));
        let on_two = rows.iter().filter(|row| row.then.contains(&2)).count();
        assert_eq!(on_two, topic.partitions.len() * 2 / 3, "and evenly");
        assert!(plan(&topic, &brokers, &[1].into(), Some(2)).unwrap_err().contains("2 replicas"));
        for (partition, row) in topic.partitions.iter_mut().zip(rows) {
            partition.replicas = row.then;
        }
        let back = plan(&topic, &brokers, &all, Some(1)).unwrap();
        assert!(back.iter().all(|row| row.then == row.now[..1] && row.copied_bytes == 0), "the first stays");
        // A zone that has one already gets none, as long as there is another.
        for broker in &mut brokers {
            broker.rack = Some(if broker.id == 3 { "b".into() } else { "a".into() });
        }
        topic.partitions.truncate(1);
        topic.partitions[0].replicas = vec![1];
        assert_eq!(plan(&topic, &brokers, &all, Some(2)).unwrap()[0].then, [1, 3]);
    }

    #[test]
    fn how_many_replicas_is_a_number_of_brokers() {
        let brokers = fixture::healthy().snapshot.brokers.clone();
        let draft = |typed: &str| ReassignDraft { factor: typed.into(), ..ReassignDraft::new("t", &brokers) };
        assert_eq!(draft("").factor(), Ok(None));
        assert_eq!(draft(" 2 ").factor(), Ok(Some(2)));
        for typed in ["0", "4", "x", "-1"] {
            assert_eq!(draft(typed).factor().unwrap_err(), "A number from 1 to 3, or nothing.", "{typed}");
        }
    }

    #[test]
    fn a_throttle_is_a_number_of_megabytes() {
        let draft = |typed: &str| ReassignDraft { throttle: typed.into(), ..ReassignDraft::new("t", &[]) };
        for (typed, expected) in [
            ("", Ok(None)),
            ("50", Ok(Some(50_000_000))),
            (" 0.5 ", Ok(Some(500_000))),
            ("0", Err("More than 0.")),
            ("x", Err("A number, or nothing.")),
        ] {
            assert_eq!(draft(typed).throttle_bytes_per_s(), expected, "{typed}");
        }
    }
}
