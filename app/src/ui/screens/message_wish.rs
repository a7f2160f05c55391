//! Which records of a topic somebody wants to see: the controls over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use crate::monitor::messages::decode::{Decoder, Decoders};
use crate::monitor::messages::filter::{Filter, Filters};
use crate::monitor::messages::read::{ReadWish, Start};
use crate::monitor::messages::time;
use crate::monitor::messages::{Isolation, NewMessage};
use crate::monitor::snapshot::Topic;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::file_picker::PickWish;
use crate::ui::tokens::{font, palette, size, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::field::{filter_box, toggle};
use crate::ui::widgets::file_field::FileField;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::picker::{Choice, picker};
use crate::ui::widgets::text;

/// From where one reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum From {
    #[default]
    Newest,
    Beginning,
    Minutes,
    Time,
    Offset,
}

const FROM: [Choice<'static, From>; 5] = [
    Choice { value: From::Newest, name: "the newest 200", enabled: true },
    Choice { value: From::Beginning, name: "the beginning", enabled: true },
    Choice { value: From::Minutes, name: "minutes ago", enabled: true },
    Choice { value: From::Time, name: "a time", enabled: true },
    Choice { value: From::Offset, name: "an offset", enabled: true },
];
const NEWEST: u32 = 200;
const MINUTE_MS: i64 = 60_000;

/// What bytes are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum As {
    #[default]
    Auto,
    Text,
    Json,
    Hex,
    MessagePack,
    Cbor,
    Avro,
    Protobuf,
}

const AS: [Choice<'static, As>; 8] = [
    Choice { value: As::Auto, name: "what it seems to be", enabled: true },
    Choice { value: As::Text, name: "text", enabled: true },
    Choice { value: As::Json, name: "JSON", enabled: true },
    Choice { value: As::Hex, name: "bytes", enabled: true },
    Choice { value: As::MessagePack, name: "MessagePack", enabled: true },
    Choice { value: As::Cbor, name: "CBOR", enabled: true },
    Choice { value: As::Avro, name: "Avro", enabled: true },
    Choice { value: As::Protobuf, name: "Protobuf", enabled: true },
];

/// How keys or values are decoded, as it is being chosen.
#[derive(Debug, Default)]
struct Half {
    kind: As,
    schema: FileField,
    message: String,
}

impl Half {
    /// `None`: a schema is missing.
    fn decoder(&self) -> Option<Decoder> {
        Some(match self.kind {
            As::Auto => Decoder::Auto,
            As::Text => Decoder::Text,
            As::Json => Decoder::Json,
            As::Hex => Decoder::Hex,
            As::MessagePack => Decoder::MessagePack,
            As::Cbor => Decoder::Cbor,
            As::Avro => Decoder::Avro(self.schema.path()?),
            As::Protobuf => Decoder::Protobuf(self.schema.path()?, self.message.trim().to_owned()),
        })
    }

    fn needs_schema(&self) -> bool {
        matches!(self.kind, As::Avro | As::Protobuf)
    }
}

/// Topics whose decoders are remembered.
const TOPICS_KEPT: usize = 100;

/// What is chosen.
#[derive(Debug, Default)]
pub struct State {
    from: From,
    number: String,
    until: String,
    partition: Option<i32>,
    committed: bool,
    pub(super) follow: bool,
    latest: bool,
    filters: Filters,
    more: bool,
    topic: Option<Arc<str>>,
    key: Half,
    value: Half,
    others: BTreeMap<Arc<str>, (Half, Half)>,
    /// The moment that minutes count back from: of the last change, so that the wish stands still.
    pub(super) from_ms: i64,
}

impl State {
    /// The same choices, as far as they fit another topic.
    pub fn of_another_topic(self) -> State {
        State {
            from: self.from,
            follow: self.follow,
            committed: self.committed,
            more: self.more,
            topic: self.topic,
            key: self.key,
            value: self.value,
            others: self.others,
            ..State::default()
        }
    }

    /// Whether anything is left out.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Each topic has decoders of its own.
    fn turn_to(&mut self, topic: &Arc<str>) {
        if self.topic.as_ref() == Some(topic) {
            return;
        }
        let before = (std::mem::take(&mut self.key), std::mem::take(&mut self.value));
        if let Some(name) = self.topic.replace(topic.clone())
            && (self.others.len() < TOPICS_KEPT || self.others.contains_key(&name))
        {
            self.others.insert(name, before);
        }
        (self.key, self.value) = self.others.remove(topic).unwrap_or_default();
    }

    /// What is wished, as far as it makes sense.
    pub fn wish(&self, topic: &Arc<str>, offset_minutes: i32) -> Option<ReadWish> {
        let number = self.number.trim().parse::<i64>().ok().filter(|number| *number >= 0);
        let at = |typed: &str| time::parse(typed, offset_minutes, self.from_ms);
        let start = match self.from {
            From::Newest => Start::Newest(NEWEST),
            From::Beginning => Start::Beginning,
            From::Minutes => Start::Since(self.from_ms.saturating_sub(number?.saturating_mul(MINUTE_MS))),
            From::Time => Start::Since(at(&self.number)?),
            From::Offset => Start::Offset(number?),
        };
        let until_ms = match self.until.trim() {
            "" => None,
            typed => Some(at(typed)?),
        };
        let isolation = if self.committed { Isolation::Committed } else { Isolation::Uncommitted };
        if Filter::path_complaint(&self.filters.path).is_some() {
            return None;
        }
        let trimmed = |typed: &String| typed.trim().to_owned();
        Some(ReadWish {
            topic: topic.clone(),
            partition: self.partition,
            start,
            until_ms,
            isolation,
            filter: Filters {
                anywhere: trimmed(&self.filters.anywhere),
                key: trimmed(&self.filters.key),
                header: trimmed(&self.filters.header),
                path: trimmed(&self.filters.path),
            },
            decoders: Decoders { key: self.key.decoder()?, value: self.value.decoder()? },
            latest_per_key: self.latest,
            follow: self.follow && until_ms.is_none(),
        })
    }
}

/// Paints the controls. Whether somebody types: what is typed is not asked for letter by letter.
pub fn controls(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) -> bool {
    state.turn_to(&topic.name);
    let mut typing = first_line(ui, scene, topic, state, actions);
    if state.more {
        ui.add_space(space::XS);
        typing |= second_line(ui, scene, state);
        typing |= schemas(ui, scene, state);
    }
    ui.add_space(space::XS);
    typing
}

fn narrow(ui: &mut Ui, width: f32, name: &str, hint: &str, value: &mut String) -> bool {
    ui.scope(|ui| {
        ui.set_max_width(width);
        filter_box(ui, name, hint, value).has_focus()
    })
    .inner
}

fn first_line(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) -> bool {
    let mut typing = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let changed = picker(ui, "From", &mut state.from, &FROM);
        if changed || state.from_ms == 0 {
            state.from_ms = scene.model.now_ms();
        }
        if changed {
            state.number.clear();
            if state.from == From::Time {
                // An hour ago is a beginning.
                let at_ms = (state.from_ms - 60 * MINUTE_MS) / 1_000 * 1_000;
                state.number = time::local(at_ms, scene.options.utc_offset_minutes);
            }
        }
        match state.from {
            From::Minutes => typing |= narrow(ui, size::CONTROL * 3.0, "Minutes ago", "15", &mut state.number),
            From::Offset => typing |= narrow(ui, size::CONTROL * 4.0, "Offset", "0", &mut state.number),
            From::Time => {
                let hint = "2026-11-27 14:00";
                typing |= narrow(ui, size::CONTROL * 7.0, "Time to read from", hint, &mut state.number);
            }
            From::Newest | From::Beginning => {}
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
        typing |= filter_box(ui, "Filter messages", hint, &mut state.filters.anywhere).has_focus();
        let more = Button::new("More").name("More filters and decoders").with_icon(Icon::Settings);
        if more.selected(state.more).show(ui).clicked() {
            state.more = !state.more;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if Button::new("Write a record").with_icon(Icon::Plus).show(ui).clicked() {
                actions.push(Action::Ask(Dialog::Produce(topic.name.to_string(), NewMessage::default())));
            }
        });
    });
    if state.from == From::Time {
        complain(ui, scene, state, &state.number.clone(), "The time to read from");
    }
    typing
}

fn complain(ui: &mut Ui, scene: &Scene<'_>, state: &State, typed: &str, what: &str) {
    if !typed.trim().is_empty() && time::parse(typed, scene.options.utc_offset_minutes, state.from_ms).is_none() {
        let words =
            format!("{what} is written as 2026-11-27 14:00:30, or 14:00 for today; with a Z at its end it is UTC.");
        text::paragraph(ui, &words, font::small(), palette(ui).critical);
    }
}

fn second_line(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) -> bool {
    let mut typing = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let width = size::FILTER * 0.7;
        typing |= narrow(ui, width, "Filter keys", "Key: words, /pattern/", &mut state.filters.key);
        typing |= narrow(ui, width, "Filter headers", "Header: name: words", &mut state.filters.header);
        typing |= narrow(ui, size::FILTER, "JSON path", "$.customer.id == 42", &mut state.filters.path);
        typing |= narrow(ui, size::CONTROL * 7.0, "Until", "Until 2026-11-27 15:00", &mut state.until);
        toggle(ui, "Latest per key", &mut state.latest)
            .on_hover_text("Of each key only the newest record that was read, as compaction would leave it");
        picker(ui, "Key as", &mut state.key.kind, &AS);
        picker(ui, "Value as", &mut state.value.kind, &AS);
    });
    if let Some(complaint) = Filter::path_complaint(&state.filters.path) {
        text::paragraph(ui, &complaint, font::small(), palette(ui).critical);
    }
    complain(ui, scene, state, &state.until.clone(), "The time to read until");
    typing
}

fn schemas(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) -> bool {
    let mut typing = false;
    for (what, half) in [("keys", &mut state.key), ("values", &mut state.value)] {
        if !half.needs_schema() {
            continue;
        }
        let (hint, endings): (&str, &'static [&'static str]) = match half.kind {
            As::Avro => ("/home/me/order.avsc", &["avsc", "json"]),
            _ => ("/home/me/order.proto, or a descriptor set", &["proto", "desc", "pb", "bin"]),
        };
        let label = format!("Schema of {what}");
        let wish = PickWish::Open { title: "A schema", endings };
        half.schema.show(ui, &scene.options.picker, &label, hint, wish);
        typing |= half.schema.has_focus;
        if half.kind == As::Protobuf {
            let name = format!("Message of {what}");
            typing |= narrow(ui, size::FILTER, &name, "Message: shop.Order (or the first)", &mut half.message);
        }
        if half.schema.path.trim().is_empty() {
            let words = format!("Name the file that has the schema of the {what}.");
            text::paragraph(ui, &words, font::small(), palette(ui).muted);
        }
    }
    typing
}
