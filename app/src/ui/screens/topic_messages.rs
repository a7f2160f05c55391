//! The records of a topic: from where one wants, filtered while they are read, followed while they are written; one in full beside them.

use std::sync::Arc;

use egui::{ScrollArea, Ui};

use super::{message_detail, message_volume, message_wish, side_by_side};
use crate::monitor::command::Command;
use crate::monitor::messages::read::{MESSAGES_MAX, MessagesView, ReadState, ReadWish, Seen, Start};
use crate::monitor::snapshot::Topic;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::format;
use crate::ui::message_text;
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::{card, framed};
use crate::ui::widgets::empty::{empty, failed, loading};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Table, TableState};
use crate::ui::widgets::text;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(in crate::ui) wish: message_wish::State,
    volume: message_volume::State,
    /// What was asked for last.
    sent: Option<ReadWish>,
    /// The same, gone on from where it ended.
    continued: Option<ReadWish>,
    /// What is shown while nothing new is to be shown.
    paused: Option<MessagesView>,
    table: TableState,
    chosen: Option<(i32, i64)>,
    detail: message_detail::State,
    rows: Cached<u64, Vec<usize>>,
}

const COLUMNS: [Column; 6] = [
    Column::text("Time", 100.0, 0.1).unsorted(),
    Column::number("Partition", 58.0, 0.1).unsorted(),
    Column::number("Offset", 84.0, 0.1).unsorted(),
    Column::text("Key", 96.0, 0.4).unsorted(),
    Column::text("Value", 180.0, 2.0).unsorted(),
    Column::number("Size", 60.0, 0.1).help("Of key, value and headers").unsorted(),
];

/// The list's share of the width.
const LIST_SHARE: f32 = 0.64;

impl State {
    /// Reads a partition from an offset on.
    pub fn open_at(&mut self, partition: i32, offset: i64) {
        self.wish.begin_at(partition, offset);
        (self.continued, self.paused, self.chosen) = (None, None, Some((partition, offset)));
        self.table.begin_anew();
    }

    /// Forgets what was asked for. Whether anything was.
    pub fn stop(&mut self) -> bool {
        self.paused = None;
        self.sent.take().is_some()
    }

    /// The same choices, as far as they fit another topic. What was asked for is still to be stopped.
    pub fn of_another_topic(self) -> State {
        State { wish: self.wish.of_another_topic(), sent: self.sent, ..State::default() }
    }
}

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) {
    let typing = message_wish::controls(ui, scene, topic, &mut state.wish, actions);
    message_volume::show(ui, scene, &topic.name, &mut state.wish, &mut state.volume, actions);
    // What is typed is not asked for letter by letter.
    if let Some(wish) = state
        .wish
        .wish(&topic.name, scene.options.utc_offset_minutes)
        .filter(|wish| !typing && state.sent.as_ref() != Some(wish))
    {
        state.sent = Some(wish.clone());
        state.continued = None;
        state.chosen = None;
        state.paused = None;
        state.table.begin_anew();
        actions.push(Action::Send(Command::Read(Some(wish))));
    }
    let newest = &scene.model.view.messages;
    if newest.wish.as_deref() != state.continued.as_ref().or(state.sent.as_ref()) {
        return loading(ui, "Reading…", "Records are fetched from the partitions' leaders.");
    }
    status(ui, scene, state, actions);
    let paused = state.paused.clone();
    let view = paused.as_ref().unwrap_or(newest);
    if let ReadState::Failed(why) = &view.state {
        return failed(ui, "The topic could not be read", why);
    }
    if view.found.is_empty() {
        return match view.state {
            ReadState::Reading => loading(ui, "Reading…", "Nothing was found yet."),
            ReadState::Following => empty(ui, Icon::Clock, "Nothing yet", "What is written from now on appears here."),
            _ if !state.wish.is_filtered() => empty(ui, Icon::Topics, "No records", "There is none from there on."),
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

fn status(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let (view, export, now_ms) = (&scene.model.view.messages, &scene.model.view.export, scene.model.now_ms());
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
        if view.dropped > 0 {
            let gone = format!(
                "{} older are not kept: at most {}, or 64 MiB",
                format::count(view.dropped as i64),
                format::count(MESSAGES_MAX as i64)
            );
            text::label(ui, &gone, font::small(), style.warning);
        }
        if !view.leaderless.is_empty() {
            let (one, are) = if view.leaderless.len() == 1 { ("partition", "has") } else { ("partitions", "have") };
            let words =
                format!("{one} {} {are} no leader: read again once there is one", format::ids(&view.leaderless));
            text::label(ui, &words, font::small(), style.warning);
        }
        pause(ui, state, view);
        if !view.is_under_way() && Button::new("Read again").small().show(ui).clicked() {
            state.wish.from_ms = now_ms;
            state.sent = None;
            state.volume.again();
        }
        if view.state == ReadState::Full
            && Button::new("Read on").small().show(ui).clicked()
            && let Some(wish) = &state.sent
        {
            let wish = ReadWish { start: Start::Offsets((*view.next_offsets).clone()), ..wish.clone() };
            state.continued = Some(wish.clone());
            actions.push(Action::Send(Command::Read(Some(wish))));
        }
        if state.continued.as_ref().is_some_and(|wish| wish.latest_per_key) {
            let words = "newest per key from here on: keys of before may come again";
            text::label(ui, words, font::small(), style.faint);
        }
        if Button::new("Export…").name("Export records").small().show(ui).clicked() {
            actions.push(Action::Ask(Dialog::ExportRecords));
        }
        if let Some(path) = &export.path {
            let words = format!(
                "Writing {}: {}, {} %",
                path.display(),
                format::plural(export.written as usize, "record"),
                export.percent
            );
            text::label(ui, &words, font::small(), style.accent);
            if Button::new("Cancel").name("Cancel the export").small().show(ui).clicked() {
                actions.push(Action::Send(Command::Export(None)));
            }
        }
    });
    ui.add_space(space::XS);
}

/// Keeps what is shown as it is, while reading goes on; or shows what came meanwhile.
fn pause(ui: &mut Ui, state: &mut State, view: &MessagesView) {
    let Some(paused) = &state.paused else {
        if view.state == ReadState::Following && Button::new("Pause").small().with_icon(Icon::Pause).show(ui).clicked()
        {
            state.paused = Some(view.clone());
        }
        return;
    };
    // Counted from the first that was ever kept, so that those that had to go count too.
    let kept = |view: &MessagesView| view.dropped + view.found.len() as u64;
    let waiting = kept(view).saturating_sub(kept(paused));
    let words = format!("Paused · {} waiting", format::plural(waiting as usize, "record"));
    text::label(ui, &words, font::small(), palette(ui).accent);
    let lost = view.dropped.saturating_sub(kept(paused));
    if lost > 0 {
        let words = format!("{} of them are not kept any more", format::count(lost as i64));
        text::label(ui, &words, font::small(), palette(ui).warning);
    }
    if Button::new("Go on").small().with_icon(Icon::Start).show(ui).clicked() {
        state.paused = None;
    }
}

/// The newest first.
fn rows(found: &[Arc<Seen>]) -> Vec<usize> {
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
            row_height: size::ROW_DENSE,
            max_height: None,
            active: true,
            selected,
        };
        let pressed = table.show(ui, &mut state.table, |index, row| {
            let message = &view.found[rows[index]];
            row.mono(&format::clock_ms(message.timestamp_ms, offset_minutes));
            row.text(&message.partition.to_string());
            row.text(&format::count(message.offset));
            match (&message.key_line, &message.key) {
                (Some(line), _) => row.mono(line),
                (None, Some(key)) => row.mono(&message_text::preview(key)),
                (None, None) => row.text("–"),
            }
            match (&message.value_line, &message.value) {
                (Some(line), _) => row.mono(line),
                (None, Some(value)) => row.mono(&message_text::preview(value)),
                (None, None) => row.toned("tombstone", Mood::Warning),
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
    if let Some(seen) = chosen.or(first) {
        message_detail::show(ui, scene, seen, view.codecs.as_ref(), &mut state.detail, actions);
    }
}
