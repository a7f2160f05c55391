//! The records of a topic: from where one wants, filtered while they are read, followed while they are written; one in full beside them.

use std::sync::Arc;

use egui::{Align, Layout, ScrollArea, Ui};

use super::side_by_side;
use crate::monitor::command::Command;
use crate::monitor::messages::read::{MessagesView, ReadState, ReadWish, Start};
use crate::monitor::messages::{Isolation, Message, NewMessage};
use crate::monitor::snapshot::Topic;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::message_text::{self, SHOWN_BYTES_MAX, Shape};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::{self, Button, Tone};
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, failed, loading};
use crate::ui::widgets::field::{filter_box, toggle};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// From where one reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum From {
    #[default]
    Newest,
    Beginning,
    Minutes,
    Offset,
}

const FROM: [Choice<'static, From>; 4] = [
    Choice { value: From::Newest, name: "the newest 200", enabled: true },
    Choice { value: From::Beginning, name: "the beginning", enabled: true },
    Choice { value: From::Minutes, name: "minutes ago", enabled: true },
    Choice { value: From::Offset, name: "an offset", enabled: true },
];
const NEWEST: u32 = 200;
const MINUTE_MS: i64 = 60_000;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    from: From,
    number: String,
    partition: Option<i32>,
    committed: bool,
    follow: bool,
    filter: String,
    /// What was asked for last.
    sent: Option<ReadWish>,
    /// The same, gone on from where it ended.
    continued: Option<ReadWish>,
    /// The moment that minutes count back from: of the last change, so that the wish stands still.
    from_ms: i64,
    table: TableState,
    chosen: Option<(i32, i64)>,
    shape: Shape,
    rows: Cached<u64, Vec<usize>>,
}

const COLUMNS: [Column; 6] = [
    Column::text("Time", 92.0, 0.1).unsorted(),
    Column::number("Partition", 58.0, 0.1).unsorted(),
    Column::number("Offset", 70.0, 0.1).unsorted(),
    Column::text("Key", 110.0, 0.4).unsorted(),
    Column::text("Value", 200.0, 2.0).unsorted(),
    Column::number("Size", 60.0, 0.1).help("Of key, value and headers").unsorted(),
];

/// The list's share of the width.
const LIST_SHARE: f32 = 0.64;

impl State {
    /// Forgets what was asked for. Whether anything was.
    pub fn stop(&mut self) -> bool {
        self.sent.take().is_some()
    }

    /// The same choices, as far as they fit another topic. What was asked for is still to be stopped.
    pub fn of_another_topic(self) -> State {
        State { from: self.from, follow: self.follow, committed: self.committed, sent: self.sent, ..State::default() }
    }

    /// What is wished, as far as it makes sense.
    fn wish(&self, topic: &Arc<str>) -> Option<ReadWish> {
        let number = self.number.trim().parse::<i64>().ok().filter(|number| *number >= 0);
        let start = match self.from {
            From::Newest => Start::Newest(NEWEST),
            From::Beginning => Start::Beginning,
            From::Minutes => Start::Since(self.from_ms.saturating_sub(number?.saturating_mul(MINUTE_MS))),
            From::Offset => Start::Offset(number?),
        };
        let isolation = if self.committed { Isolation::Committed } else { Isolation::Uncommitted };
        Some(ReadWish {
            topic: topic.clone(),
            partition: self.partition,
            start,
            isolation,
            filter: self.filter.trim().to_owned(),
            follow: self.follow,
        })
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) {
    let typing = controls(ui, scene, topic, state, actions);
    // What is typed is not asked for letter by letter.
    if let Some(wish) = state.wish(&topic.name).filter(|wish| !typing && state.sent.as_ref() != Some(wish)) {
        state.sent = Some(wish.clone());
        state.continued = None;
        state.chosen = None;
        state.table.begin_anew();
        actions.push(Action::Send(Command::Read(Some(wish))));
    }
    let view = &scene.model.view.messages;
    if view.wish.as_deref() != state.continued.as_ref().or(state.sent.as_ref()) {
        return loading(ui, "Reading…", "Records are fetched from the partitions' leaders.");
    }
    status(ui, state, view, scene.model.now_ms(), actions);
    if let ReadState::Failed(why) = &view.state {
        return failed(ui, "The topic could not be read", why);
    }
    if view.found.is_empty() {
        return match view.state {
            ReadState::Reading => loading(ui, "Reading…", "Nothing was found yet."),
            ReadState::Following => empty(ui, Icon::Clock, "Nothing yet", "What is written from now on appears here."),
            _ if state.filter.trim().is_empty() => {
                empty(ui, Icon::Topics, "No records", "There is none from there on.")
            }
            _ => empty(ui, Icon::Search, "No record was found", "There is none from there on that passes the filter."),
        };
    }
    let (width, height) = (ui.available_width(), ui.available_height());
    let list = ((width - space::M) * LIST_SHARE).floor();
    side_by_side(ui, &[list, width - list - space::M], space::M, |ui, index| {
        ui.set_max_height(height);
        if index == 0 {
            overview(ui, scene, view, state);
        } else {
            ScrollArea::vertical().id_salt("message").show(ui, |ui| {
                card(ui, |ui| detail(ui, scene, view, state, actions));
            });
        }
    });
}

/// Whether somebody types.
fn controls(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) -> bool {
    let mut typing = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let changed = picker(ui, "From", &mut state.from, &FROM);
        if changed || state.from_ms == 0 {
            state.from_ms = scene.model.now_ms();
        }
        if matches!(state.from, From::Minutes | From::Offset) {
            let hint = if state.from == From::Minutes { "15" } else { "0" };
            ui.scope(|ui| {
                ui.set_max_width(size::CONTROL * 3.0);
                let name = if state.from == From::Minutes { "Minutes ago" } else { "Offset" };
                typing |= filter_box(ui, name, hint, &mut state.number).has_focus();
            });
        }
        let names: Vec<String> = topic.partitions.iter().map(|partition| partition.id.to_string()).collect();
        let all = std::iter::once(Choice { value: None, name: "all", enabled: true });
        let each = topic.partitions.iter().zip(&names);
        let each = each.map(|(partition, name)| Choice { value: Some(partition.id), name, enabled: true });
        picker(ui, "Partition", &mut state.partition, &all.chain(each).collect::<Vec<_>>());
        toggle(ui, "Follow", &mut state.follow);
        toggle(ui, "Committed only", &mut state.committed)
            .on_hover_text("Without records of transactions that are open or were aborted (read_committed)");
        let hint = "Words, or /pattern/, in key, value, headers";
        typing |= filter_box(ui, "Filter messages", hint, &mut state.filter).has_focus();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if Button::new("Write a record").with_icon(Icon::Plus).show(ui).clicked() {
                actions.push(Action::Ask(Dialog::Produce(topic.name.to_string(), NewMessage::default())));
            }
        });
    });
    ui.add_space(space::XS);
    // Enter takes the cursor out of a field.
    typing
}

fn status(ui: &mut Ui, state: &mut State, view: &MessagesView, now_ms: i64, actions: &mut Vec<Action>) {
    let style = palette(ui);
    let doing = match &view.state {
        ReadState::Reading => "reading",
        ReadState::Following => "following",
        ReadState::Full => "there are more",
        ReadState::Done | ReadState::Idle | ReadState::Failed(_) => "",
    };
    let found = format::plural(view.found.len(), "record");
    let of = if view.scanned > view.found.len() as u64 {
        format!("{found} of {} looked at", format::count(view.scanned as i64))
    } else {
        found
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let words = if doing.is_empty() { of } else { format!("{of} · {doing}") };
        text::label(ui, &words, font::small(), style.muted);
        if !view.is_under_way() && Button::new("Read again").small().show(ui).clicked() {
            state.from_ms = now_ms;
            state.sent = None;
        }
        if view.state == ReadState::Full
            && Button::new("Read on").small().show(ui).clicked()
            && let Some(wish) = &state.sent
        {
            let wish = ReadWish { start: Start::Offsets((*view.next_offsets).clone()), ..wish.clone() };
            state.continued = Some(wish.clone());
            actions.push(Action::Send(Command::Read(Some(wish))));
        }
    });
    ui.add_space(space::XS);
}

/// The newest first.
fn rows(found: &[Arc<Message>]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..found.len()).collect();
    rows.sort_by_key(|index| {
        let one = &found[*index];
        std::cmp::Reverse((one.timestamp_ms, one.offset, one.partition))
    });
    rows
}

fn overview(ui: &mut Ui, scene: &Scene<'_>, view: &MessagesView, state: &mut State) {
    let rows = state.rows.get(view.generation, || rows(&view.found));
    let is_chosen = |row: &usize| state.chosen == Some((view.found[*row].partition, view.found[*row].offset));
    let selected = rows.iter().position(is_chosen).or((state.chosen.is_none() && !rows.is_empty()).then_some(0));
    let offset_minutes = scene.options.utc_offset_minutes;
    framed(ui, |ui| {
        let table = Table {
            id: "messages",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: true,
            selected,
        };
        let pressed = table.show(ui, &mut state.table, |index, row| {
            let message = &view.found[rows[index]];
            row.mono(&format::clock_ms(message.timestamp_ms, offset_minutes));
            row.text(&message.partition.to_string());
            row.text(&format::count(message.offset));
            row.mono(&message.key.as_ref().map_or_else(|| "–".to_owned(), |key| message_text::preview(key)));
            match &message.value {
                Some(value) => row.mono(&message_text::preview(value)),
                None => row.text("tombstone"),
            }
            row.text(&format::bytes(message.size_bytes() as f64));
        });
        if let Some(row) = pressed {
            let message = &view.found[rows[row]];
            state.chosen = Some((message.partition, message.offset));
        }
    });
}

fn detail(ui: &mut Ui, scene: &Scene<'_>, view: &MessagesView, state: &mut State, actions: &mut Vec<Action>) {
    let chosen = state.chosen.and_then(|(partition, offset)| {
        view.found.iter().find(|message| (message.partition, message.offset) == (partition, offset))
    });
    let first = state.rows.peek().and_then(|rows| view.found.get(*rows.first()?));
    let Some(message) = chosen.or(first) else { return };
    let style = palette(ui);
    ui.spacing_mut().item_spacing.y = space::S;
    ui.horizontal(|ui| {
        let title = format!("{}-{} at offset {}", message.topic, message.partition, format::count(message.offset));
        text::label(ui, &title, font::heading(), style.text);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if Button::new("Send again").small().show(ui).clicked() {
                let again = NewMessage {
                    key: message.key.clone(),
                    value: message.value.clone(),
                    headers: message.headers.clone(),
                    timestamp_ms: None,
                };
                actions.push(Action::Ask(Dialog::Produce(message.topic.to_string(), again)));
            }
        });
    });
    text::paragraph(ui, &facts(message, scene.options.utc_offset_minutes), font::small(), style.faint);
    part(ui, "Key", message.key.as_deref(), Shape::Auto);
    for (name, value) in &message.headers {
        part(ui, &format!("Header {name}"), value.as_deref(), Shape::Auto);
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for (shape, name) in [(Shape::Auto, "As it is"), (Shape::Text, "Text"), (Shape::Hex, "Hex")] {
            let spoken = format!("Show the value: {}", name.to_lowercase());
            let button = Button::new(name).name(&spoken).tone(Tone::Bare).small().selected(state.shape == shape);
            if button.show(ui).clicked() {
                state.shape = shape;
            }
        }
    });
    part(ui, "Value", message.value.as_deref(), state.shape);
}

fn facts(message: &Message, offset_minutes: i32) -> String {
    let by = if message.is_log_append_time { "by the broker" } else { "by the producer" };
    let mut facts = vec![format!("{} {by}", format::clock_ms(message.timestamp_ms, offset_minutes))];
    facts.push(format!("leader epoch {}", message.leader_epoch));
    if message.codec != "none" {
        facts.push(message.codec.to_owned());
    }
    if let Some(id) = message.producer_id {
        facts.push(format!("producer {id}"));
    }
    if message.is_transactional {
        facts.push("in a transaction".to_owned());
    }
    facts.join(" · ")
}

fn part(ui: &mut Ui, title: &str, bytes: Option<&[u8]>, shape: Shape) {
    let style = palette(ui);
    let Some(bytes) = bytes else {
        let what = if title == "Value" { "none: a tombstone" } else { "none" };
        text::label(ui, &format!("{title}: {what}"), font::small(), style.muted);
        return;
    };
    let (kind, words) = message_text::shown(bytes, shape);
    ui.horizontal(|ui| {
        let title = format!("{title} · {kind} · {}", format::bytes(bytes.len() as f64));
        text::label(ui, &title, font::small(), style.muted);
        button::copy(ui, &String::from_utf8_lossy(bytes), &title);
    });
    text::paragraph(ui, &words, font::mono(), style.text);
    if bytes.len() > SHOWN_BYTES_MAX {
        let rest = format!("{} more are not shown.", format::bytes((bytes.len() - SHOWN_BYTES_MAX) as f64));
        text::label(ui, &rest, font::small(), style.faint);
    }
}
