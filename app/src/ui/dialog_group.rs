//! Setting a group to other offsets, tried out first: where each partition would go on from, and how far that is; and deleting a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Context, Ui};

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::asked::{Answer, Asked};
use super::format;
use super::tokens::{font, palette, size};
use super::widgets::dialog::{Buttons, Outcome, dialog, wide};
use super::widgets::picker::{Choice, labelled};
use super::widgets::table::{Column, Table, TableState};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::operation::{OffsetOf, Operation};
use crate::monitor::snapshot::{Group, Partition};

/// Where a group can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Earliest,
    Latest,
    Ago,
    By,
    Offset,
}

const TARGETS: [(Target, &str); 5] = [
    (Target::Earliest, "the first record that is left"),
    (Target::Latest, "the end: what comes from now on"),
    (Target::Ago, "what was written since some minutes ago"),
    (Target::By, "so many records further, or back with a minus"),
    (Target::Offset, "this offset"),
];

/// A reset as it is being described.
#[derive(Debug)]
pub struct ResetDraft {
    group: Arc<str>,
    /// Of which topic; `None`: all that the group has read.
    topic: Option<Arc<str>>,
    target: Target,
    typed: String,
    asked: BTreeMap<Arc<str>, Asked>,
    /// The moment that "ago" counts from: the plan must not wander while one reads it.
    from_ms: i64,
    table: TableState,
}

/// Where one partition would go on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    topic: Arc<str>,
    partition: i32,
    now: i64,
    then: i64,
}

const COLUMNS: [Column; 4] = [
    Column::text("Partition", 160.0, 1.0).unsorted(),
    Column::number("Committed", 90.0, 0.3).unsorted(),
    Column::number("New", 90.0, 0.3).unsorted(),
    Column::number("Difference", 90.0, 0.3).unsorted(),
];

const ROWS_SHOWN: f32 = 8.0;
const MINUTE_MS: f64 = 60_000.0;

impl ResetDraft {
    /// Of a group.
    pub fn new(group: &str, now_ms: i64) -> ResetDraft {
        ResetDraft {
            group: group.into(),
            topic: None,
            target: Target::Earliest,
            typed: String::new(),
            asked: BTreeMap::new(),
            from_ms: now_ms,
            table: TableState::default(),
        }
    }

    fn needs_number(&self) -> bool {
        matches!(self.target, Target::Ago | Target::By | Target::Offset)
    }

    /// What was typed, if it is a number that fits the target.
    fn number(&self) -> Option<f64> {
        let number: f64 = self.typed.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
        let whole = number.fract() == 0.0;
        match self.target {
            Target::Ago => (number >= 0.0).then_some(number),
            Target::Offset => (whole && number >= 0.0).then_some(number),
            Target::By => whole.then_some(number),
            Target::Earliest | Target::Latest => Some(0.0),
        }
    }

    /// The moment since which records are wanted.
    fn since_ms(&self) -> Option<i64> {
        (self.target == Target::Ago).then(|| self.number()).flatten().map(|ago| self.from_ms - (ago * MINUTE_MS) as i64)
    }

    /// Where it would go on in a partition. `at_time`: the first record at or after the wanted time, if that was asked and answered.
    fn then(&self, committed: i64, partition: &Partition, at_time: Option<Option<i64>>) -> Option<i64> {
        let (first, end) = (partition.log_start_offset, partition.high_watermark);
        let wanted = match self.target {
            Target::Earliest => first,
            Target::Latest => end,
            // Without a record since then, there is nothing to read again.
            Target::Ago => at_time?.unwrap_or(end),
            Target::By => committed.saturating_add(self.number()? as i64),
            Target::Offset => self.number()? as i64,
        };
        Some(wanted.clamp(first, end))
    }
}

fn plan(
    scene: &Scene<'_>,
    draft: &ResetDraft,
    group: &Group,
    at_time: &BTreeMap<Arc<str>, Vec<(i32, Option<i64>)>>,
) -> Vec<Row> {
    let wanted = group.offsets.iter().filter(|offset| draft.topic.as_ref().is_none_or(|topic| *topic == offset.topic));
    let row = |offset: &crate::monitor::snapshot::GroupOffset| {
        let (topic, _) = scene.model.topic(&offset.topic)?;
        let partition = topic.partitions.iter().find(|partition| partition.id == offset.partition)?;
        let told = at_time
            .get(&offset.topic)
            .and_then(|found| found.iter().find(|(id, _)| *id == offset.partition).map(|(_, offset)| *offset));
        let then = draft.then(offset.committed_offset, partition, told)?;
        Some(Row { topic: offset.topic.clone(), partition: offset.partition, now: offset.committed_offset, then })
    };
    wanted.filter_map(row).collect()
}

/// Shows it.
pub fn reset(ctx: &Context, scene: &Scene<'_>, draft: &mut ResetDraft, actions: &mut Vec<Action>) -> Outcome {
    let Some(group) = scene.model.group(&draft.group).cloned() else { return Outcome::Cancelled };
    let mut rows = Vec::new();
    let outcome = wide(ctx, "reset-offsets", &format!("Reset the offsets of {}", draft.group), |ui| {
        choices(ui, draft, &group);
        let failure;
        (rows, failure) = look(scene, draft, &group, actions);
        let ink = palette(ui).muted;
        if !group.members.is_empty() {
            let words = format!(
                "{} in the group: stop its consumers first, for what they commit would undo it.",
                if group.members.len() == 1 {
                    "1 member is".to_owned()
                } else {
                    format!("{} members are", group.members.len())
                }
            );
            text::paragraph(ui, &words, font::body(), palette(ui).warning);
        }
        if let Some(why) = failure {
            text::paragraph(ui, &why, font::body(), ink);
        } else {
            dry_run(ui, draft, &rows);
            let wish = wish(draft, &rows);
            if let Some(line) = as_command::lines(&wish, &Around::scene(scene)).into_iter().next() {
                field::command(ui, line.title, &line.text);
            }
        }
        let changes = rows.iter().any(|row| row.now != row.then);
        Buttons { confirm: "Set these offsets", enabled: changes && group.members.is_empty(), danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(wish(draft, &rows)));
    }
    outcome
}

fn wish(draft: &ResetDraft, rows: &[Row]) -> Command {
    let changed = rows.iter().filter(|row| row.now != row.then);
    let offsets = changed.map(|row| OffsetOf { topic: row.topic.clone(), partition: row.partition, offset: row.then });
    Command::Operate(Operation::SetOffsets { group: draft.group.clone(), offsets: offsets.collect() })
}

fn choices(ui: &mut Ui, draft: &mut ResetDraft, group: &Group) {
    let mut topics: Vec<Arc<str>> = group.offsets.iter().map(|offset| offset.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    let mut chosen = draft.topic.as_ref().and_then(|topic| topics.iter().position(|name| name == topic));
    let all = std::iter::once(Choice { value: None, name: "all topics", enabled: true });
    let each = topics.iter().enumerate().map(|(index, name)| Choice { value: Some(index), name, enabled: true });
    labelled(ui, "In", &mut chosen, &all.chain(each).collect::<Vec<_>>());
    draft.topic = chosen.map(|index| topics[index].clone());
    let targets = TARGETS.map(|(value, name)| Choice { value, name, enabled: true });
    labelled(ui, "To", &mut draft.target, &targets);
    if draft.needs_number() {
        let (label, hint) = match draft.target {
            Target::Ago => ("Minutes ago", "15"),
            Target::By => ("Records", "-100"),
            _ => ("Offset", "0"),
        };
        let wrong = !draft.typed.trim().is_empty() && draft.number().is_none();
        let complaint = wrong.then_some("A number; only records can be counted back, with a minus.");
        field::field(ui, label, hint, &mut draft.typed, complaint);
    }
}

/// The plan, or why there is none.
fn look(
    scene: &Scene<'_>,
    draft: &mut ResetDraft,
    group: &Group,
    actions: &mut Vec<Action>,
) -> (Vec<Row>, Option<String>) {
    if draft.needs_number() && draft.number().is_none() {
        return (Vec::new(), Some("Say how far, and what would change is shown here.".into()));
    }
    let mut at_time = BTreeMap::new();
    if let Some(timestamp_ms) = draft.since_ms() {
        let wanted = |topic: &Arc<str>| draft.topic.as_ref().is_none_or(|chosen| chosen == topic);
        let mut topics: Vec<Arc<str>> =
            group.offsets.iter().map(|offset| offset.topic.clone()).filter(wanted).collect();
        topics.sort_unstable();
        topics.dedup();
        for topic in topics {
            let query = Query::OffsetsAt { topic: topic.clone(), timestamp_ms };
            match draft.asked.entry(topic.clone()).or_default().look(scene, &query, actions) {
                Answer::Waiting => return (Vec::new(), Some("Asking the leaders where that time stands…".into())),
                Answer::Failed(why) => return (Vec::new(), Some(why)),
                Answer::Found(_, findings) => {
                    if let Findings::OffsetsAt(found) = &*findings {
                        at_time.insert(topic, found.clone());
                    }
                }
            }
        }
    }
    (plan(scene, draft, group, &at_time), None)
}

fn dry_run(ui: &mut Ui, draft: &mut ResetDraft, rows: &[Row]) {
    let again: i64 = rows.iter().map(|row| (row.now - row.then).max(0)).sum();
    let skipped: i64 = rows.iter().map(|row| (row.then - row.now).max(0)).sum();
    let words = match (again, skipped) {
        (0, 0) => "It is there already: nothing would change.".to_owned(),
        (again, 0) => format!("{} would be read again.", format::count(again)),
        (0, skipped) => format!("{} would be skipped.", format::count(skipped)),
        (again, skipped) => {
            format!("{} would be read again, {} skipped.", format::count(again), format::count(skipped))
        }
    };
    let ink = palette(ui).text;
    text::label(ui, &words, font::body(), ink);
    ui.scope(|ui| {
        let table = Table {
            id: "reset",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * ROWS_SHOWN),
            active: false,
            selected: None,
        };
        table.show(ui, &mut draft.table, |index, row| {
            let one = &rows[index];
            row.strong(&format!("{}-{}", one.topic, one.partition));
            row.text(&format::count(one.now));
            row.strong(&format::count(one.then));
            let difference = one.then - one.now;
            let sign = if difference > 0 { "+" } else { "" };
            row.text(&if difference == 0 { String::new() } else { format!("{sign}{}", format::count(difference)) });
        });
    });
}

/// Asks whether a group is to be deleted.
pub fn delete(ctx: &Context, scene: &Scene<'_>, id: &Arc<str>, actions: &mut Vec<Action>) -> Outcome {
    let Some(group) = scene.model.group(id).cloned() else { return Outcome::Cancelled };
    let wish = Command::Operate(Operation::DeleteGroup(id.clone()));
    let outcome = dialog(ctx, "delete-group", &format!("Delete group {id}?"), |ui| {
        let ink = palette(ui).muted;
        let words = format!(
            "Its committed offsets in {} are deleted. A consumer that comes back with this group.id begins as auto.offset.reset says.",
            format::plural(group.offsets.len(), "partition")
        );
        text::paragraph(ui, &words, font::body(), ink);
        if !group.members.is_empty() {
            let words = "It has members: stop its consumers first.";
            text::paragraph(ui, words, font::body(), palette(ui).warning);
        }
        for line in as_command::lines(&wish, &Around::scene(scene)) {
            field::command(ui, line.title, &line.text);
        }
        Buttons { confirm: "Delete group", enabled: group.members.is_empty(), danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(wish));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_partition_goes_on() {
        let partition = Partition { log_start_offset: 10, high_watermark: 100, ..Partition::default() };
        let none = None;
        for (target, typed, at_time, expected) in [
            (Target::Earliest, "", none, Some(10)),
            (Target::Latest, "", none, Some(100)),
            (Target::By, "-5", none, Some(45)),
            (Target::By, "7", none, Some(57)),
            (Target::By, "-500", none, Some(10)),
            (Target::By, "1.5", none, None),
            (Target::By, "", none, None),
            (Target::Offset, "20", none, Some(20)),
            (Target::Offset, "5", none, Some(10)),
            (Target::Offset, "-5", none, None),
            (Target::Offset, "500", none, Some(100)),
            (Target::Ago, "15", none, None),
            (Target::Ago, "15", Some(Some(33)), Some(33)),
            (Target::Ago, "0.5", Some(None), Some(100)),
            (Target::Ago, "-1", Some(Some(33)), Some(33)),
        ] {
            let draft = ResetDraft { target, typed: typed.into(), ..ResetDraft::new("g", 1_000_000) };
            assert_eq!(draft.then(50, &partition, at_time), expected, "{target:?} {typed}");
        }
        let draft = ResetDraft { target: Target::Ago, typed: "2".into(), ..ResetDraft::new("g", 1_000_000) };
        assert_eq!(draft.since_ms(), Some(880_000));
    }
}
