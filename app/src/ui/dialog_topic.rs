//! Dialogs on a topic that is there: more partitions, records deleted from the front, and leaders elected.

use std::sync::Arc;

use egui::{Context, Ui};

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::format;
use super::tokens::{font, palette};
use super::widgets::dialog::{Buttons, Outcome, dialog_with};
use super::widgets::icon::Icon;
use super::widgets::picker::{Choice, labelled};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::operation::{Election, OffsetOf, Operation};
use crate::monitor::snapshot::{Partition, Topic};

/// What can be wished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicWish {
    /// More partitions.
    AddPartitions,
    /// Records deleted.
    DeleteRecords,
    /// Leaders elected.
    ElectLeaders,
}

/// A wish as it is being described.
#[derive(Clone, Debug)]
pub struct TopicDraft {
    wish: TopicWish,
    topic: Arc<str>,
    typed: String,
    /// Which partition; `None`: all.
    partition: Option<i32>,
    unclean: bool,
}

/// Partitions of one topic at most, as in the dialog that makes one.
const PARTITIONS_MAX: i32 = 10_000;

impl TopicDraft {
    /// Nothing filled in yet.
    pub fn new(wish: TopicWish, topic: &str) -> TopicDraft {
        TopicDraft { wish, topic: topic.into(), typed: String::new(), partition: None, unclean: false }
    }

    /// What would be done, or what is wrong with what was typed.
    fn operation(&self, topic: &Topic) -> Result<Operation, String> {
        let chosen = |partition: &&Partition| self.partition.is_none_or(|id| id == partition.id);
        match self.wish {
            TopicWish::AddPartitions => {
                let now = topic.partitions.len() as i32;
                let total: i32 = self.typed.trim().parse().map_err(|_| "A number of partitions.".to_owned())?;
                if total <= now {
                    return Err(format!("It has {now} already: more than that, for a topic never gets fewer."));
                }
                if total > PARTITIONS_MAX {
                    return Err(format!("At most {}.", format::count(i64::from(PARTITIONS_MAX))));
                }
                Ok(Operation::AddPartitions { topic: self.topic.clone(), total })
            }
            TopicWish::DeleteRecords => {
                let typed = self.typed.trim();
                let offset: i64 = match typed {
                    "" => -1,
                    typed => {
                        typed.parse().ok().filter(|offset| *offset >= 0).ok_or("An offset, or nothing for all.")?
                    }
                };
                let of = |partition: &Partition| OffsetOf {
                    topic: self.topic.clone(),
                    partition: partition.id,
                    // One that has less is emptied, instead of refusing the wish for all.
                    offset: if offset > partition.high_watermark { -1 } else { offset },
                };
                let below: Vec<OffsetOf> = topic.partitions.iter().filter(chosen).map(of).collect();
                if below.is_empty() {
                    Err("There is no such partition.".into())
                } else {
                    Ok(Operation::DeleteRecords(below))
                }
            }
            TopicWish::ElectLeaders => Ok(Operation::ElectLeaders {
                election: if self.unclean { Election::Unclean } else { Election::Preferred },
                partitions: topic.partitions.iter().filter(chosen).map(|one| (self.topic.clone(), one.id)).collect(),
            }),
        }
    }

    /// Records that would go.
    fn records_deleted(&self, topic: &Topic) -> i64 {
        let Ok(Operation::DeleteRecords(below)) = self.operation(topic) else { return 0 };
        let gone = |one: &OffsetOf| {
            let partition = topic.partitions.iter().find(|partition| partition.id == one.partition)?;
            let end = if one.offset < 0 { partition.high_watermark } else { one.offset };
            Some((end - partition.log_start_offset).max(0))
        };
        below.iter().filter_map(gone).sum()
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut TopicDraft, actions: &mut Vec<Action>) -> Outcome {
    let Some((topic, _)) = scene.model.topic(&draft.topic) else { return Outcome::Cancelled };
    let name = draft.topic.to_string();
    let (id, title, confirm, danger) = match draft.wish {
        TopicWish::AddPartitions => ("add-partitions", format!("More partitions for {name}"), "Add partitions", false),
        TopicWish::DeleteRecords => ("delete-records", format!("Delete records of {name}"), "Delete records", true),
        TopicWish::ElectLeaders => {
            ("elect-leaders", format!("Elect leaders of {name}"), "Elect leaders", draft.unclean)
        }
    };
    // An election that may lose records is dangerous, and deletes nothing.
    let symbol = if draft.wish == TopicWish::ElectLeaders { Icon::Warning } else { Icon::Trash };
    let outcome = dialog_with(ctx, id, &title, symbol, |ui| {
        match draft.wish {
            TopicWish::AddPartitions => add_partitions(ui, draft, topic),
            TopicWish::DeleteRecords => delete_records(ui, draft, topic),
            TopicWish::ElectLeaders => elect(ui, draft, topic),
        }
        let operation = draft.operation(topic);
        if let Ok(operation) = &operation {
            for line in as_command::lines(&Command::Operate(operation.clone()), &Around::scene(scene)) {
                field::command(ui, line.title, &line.text);
            }
        }
        Buttons { confirm, enabled: operation.is_ok(), danger }
    });
    if outcome == Outcome::Confirmed
        && let Ok(operation) = draft.operation(topic)
    {
        actions.push(Action::Send(Command::Operate(operation)));
    }
    outcome
}

fn complaint(draft: &TopicDraft, topic: &Topic) -> Option<String> {
    if draft.typed.trim().is_empty() { None } else { draft.operation(topic).err() }
}

fn say(ui: &mut Ui, words: &str) {
    let ink = palette(ui).muted;
    text::paragraph(ui, words, font::body(), ink);
}

fn add_partitions(ui: &mut Ui, draft: &mut TopicDraft, topic: &Topic) {
    say(
        ui,
        "New partitions begin empty, and what is there stays where it is: from then on a key may go to another partition than before. \
         A topic never gets fewer partitions.",
    );
    let label = format!("Partitions in all ({} now)", topic.partitions.len());
    let complaint = complaint(draft, topic);
    let hint = (topic.partitions.len() * 2).to_string();
    let edit = field::field(ui, &label, &hint, &mut draft.typed, complaint.as_deref());
    if ui.memory(|memory| memory.focused().is_none()) && draft.typed.is_empty() {
        edit.request_focus();
    }
}

fn which(ui: &mut Ui, draft: &mut TopicDraft, topic: &Topic) {
    let names: Vec<String> = topic.partitions.iter().map(|partition| partition.id.to_string()).collect();
    let all = std::iter::once(Choice { value: None, name: "all", enabled: true });
    let each = topic.partitions.iter().zip(&names).map(|(partition, name)| Choice {
        value: Some(partition.id),
        name,
        enabled: true,
    });
    labelled(ui, "Of partition", &mut draft.partition, &all.chain(each).collect::<Vec<_>>());
}

fn delete_records(ui: &mut Ui, draft: &mut TopicDraft, topic: &Topic) {
    say(
        ui,
        "Records below the offset are deleted on all replicas. This cannot be undone; groups that were there go on from the first record \
         that is left.",
    );
    which(ui, draft, topic);
    let complaint = complaint(draft, topic);
    field::field(ui, "Below offset (nothing: all records)", "all", &mut draft.typed, complaint.as_deref());
    let records = draft.records_deleted(topic);
    say(ui, &format!("{} would be deleted.", format::plural(usize::try_from(records).unwrap_or(0), "record")));
}

fn elect(ui: &mut Ui, draft: &mut TopicDraft, topic: &Topic) {
    let chosen = |partition: &&Partition| draft.partition.is_none_or(|id| id == partition.id);
    let others = topic
        .partitions
        .iter()
        .filter(chosen)
        .filter(|partition| partition.replicas.first().is_some_and(|first| *first != partition.leader))
        .count();
    say(
        ui,
        &format!(
            "The first replica of each partition becomes its leader, if it is in sync. Of these, {} led by another one now.",
            if others == 1 { "1 is".to_owned() } else { format!("{others} are") }
        ),
    );
    which(ui, draft, topic);
    field::toggle(ui, "Let any replica lead where none that is in sync is alive", &mut draft.unclean);
    if draft.unclean {
        say(ui, "Records that were acknowledged may be lost for good (unclean election).");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let partition = |id, log_start_offset, high_watermark| Partition {
            id,
            log_start_offset,
            high_watermark,
            ..Partition::default()
        };
        Topic {
            name: "t".into(),
            topic_id: String::new(),
            internal: false,
            partitions: vec![partition(0, 10, 100), partition(1, 0, 40)],
            min_insync_replicas: 1,
            size_bytes: 0,
            messages_in_per_s: 0.0,
            bytes_in_per_s: 0.0,
        }
    }

    fn draft(wish: TopicWish, typed: &str) -> TopicDraft {
        TopicDraft { typed: typed.into(), ..TopicDraft::new(wish, "t") }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for (wish, typed, complaint) in [
            (TopicWish::AddPartitions, "", Some("A number of partitions.")),
            (TopicWish::AddPartitions, "x", Some("A number of partitions.")),
            (TopicWish::AddPartitions, "2", Some("It has 2 already: more than that, for a topic never gets fewer.")),
            (TopicWish::AddPartitions, "10001", Some("At most 10,000.")),
            (TopicWish::AddPartitions, " 3 ", None),
            (TopicWish::DeleteRecords, "", None),
            (TopicWish::DeleteRecords, "50", None),
            (TopicWish::DeleteRecords, "-1", Some("An offset, or nothing for all.")),
            (TopicWish::ElectLeaders, "", None),
        ] {
            let told = draft(wish, typed).operation(&topic()).err();
            assert_eq!(told.as_deref(), complaint, "{wish:?} {typed}");
        }
    }

    #[test]
    fn records_that_would_go_are_counted() {
        let topic = topic();
        assert_eq!(draft(TopicWish::DeleteRecords, "").records_deleted(&topic), 90 + 40);
        assert_eq!(draft(TopicWish::DeleteRecords, "50").records_deleted(&topic), 40 + 40, "the other has no 50");
        assert_eq!(draft(TopicWish::DeleteRecords, "5").records_deleted(&topic), 5);
        let one = TopicDraft { partition: Some(1), ..draft(TopicWish::DeleteRecords, "7") };
        let offset = OffsetOf { topic: "t".into(), partition: 1, offset: 7 };
        assert_eq!(one.operation(&topic), Ok(Operation::DeleteRecords(vec![offset])));
    }
}
