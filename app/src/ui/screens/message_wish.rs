//! Which records of a topic somebody wants to see: the controls over them.

use std::sync::Arc;

use egui::{Align, Layout, Ui};
use serde_json::{Map, Value, json};

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
    End,
}

const FROM: [Choice<'static, From>; 6] = [
    Choice { value: From::Newest, name: "the newest 200", enabled: true },
    Choice { value: From::Beginning, name: "the beginning", enabled: true },
    Choice { value: From::Minutes, name: "minutes ago", enabled: true },
    Choice { value: From::Time, name: "a time", enabled: true },
    Choice { value: From::Offset, name: "an offset", enabled: true },
    Choice { value: From::End, name: "the end", enabled: true },
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

    fn remembrance(&self) -> Value {
        let fits = |text: &String| text.len() <= PATH_BYTES_REMEMBERED;
        let (schema, message) =
            (Some(&self.schema.path).filter(|path| fits(path)), Some(&self.message).filter(|name| fits(name)));
        let kind = AS.iter().find(|choice| choice.value == self.kind).map(|choice| choice.name);
        json!({ "as": kind, "schema": schema, "message": message })
    }

    fn remembered(written: &Value) -> Half {
        let text = |name: &str| written[name].as_str().filter(|text| text.len() <= PATH_BYTES_REMEMBERED).unwrap_or("");
        let kind = AS.iter().find(|choice| choice.name == text("as")).map(|choice| choice.value);
        let schema = FileField::of(text("schema"));
        Half { kind: kind.unwrap_or_default(), schema, message: text("message").to_owned() }
    }
}

/// Topics whose decoders are known.
const TOPICS_KEPT: usize = 100;
/// Topics whose decoders are still known at the next start.
const TOPICS_REMEMBERED: usize = 20;
/// Longer paths and names are not.
const PATH_BYTES_REMEMBERED: usize = 400;

/// What is chosen.
#[derive(Debug, Default)]
pub struct State {
    from: From,
    number: String,
    until: String,
    pub(super) partition: Option<i32>,
    committed: bool,
    pub(super) follow: bool,
    latest: bool,
    filters: Filters,
    more: bool,
    topic: Option<Arc<str>>,
    key: Half,
    value: Half,
    /// Those of other topics, of whom the last one was looked at last.
    others: Vec<(Arc<str>, (Half, Half))>,
    /// The moment that minutes count back from: of the last change, so that the wish stands still.
    pub(super) from_ms: i64,
}

impl State {
    /// From an offset of one partition on, with nothing left out.
    pub fn begin_at(&mut self, partition: i32, offset: i64) {
        (self.from, self.number, self.partition) = (From::Offset, offset.to_string(), Some(partition));
        (self.follow, self.latest) = (false, false);
        self.until.clear();
        self.filters = Filters::default();
    }

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

    /// Between which instants is read, as far as that is said by time.
    pub fn span_ms(&self, offset_minutes: i32) -> (Option<i64>, Option<i64>) {
        let at = |typed: &str| time::parse(typed, offset_minutes, self.from_ms);
        let from_ms = if self.from == From::Time { at(&self.number) } else { None };
        (from_ms, at(&self.until))
    }

    /// Reads between two instants; `None`: as at first.
    pub fn set_span(&mut self, span_ms: Option<(i64, i64)>, now_ms: i64, offset_minutes: i32) {
        let Some((from_ms, until_ms)) = span_ms else {
            self.from = From::Newest;
            self.number.clear();
            self.until.clear();
            return;
        };
        self.from = From::Time;
        self.from_ms = now_ms;
        self.number = time::local(from_ms, offset_minutes);
        self.until = time::local(until_ms, offset_minutes);
        // What is over is not followed.
        self.follow = false;
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
        if let Some(name) = self.topic.replace(topic.clone()) {
            self.keep(name, before);
        }
        if let Some(index) = self.others.iter().position(|(name, _)| name == topic) {
            (self.key, self.value) = self.others.remove(index).1;
        }
    }

    fn keep(&mut self, topic: Arc<str>, decoders: (Half, Half)) {
        self.others.retain(|(name, _)| *name != topic);
        if self.others.len() == TOPICS_KEPT {
            self.others.remove(0);
        }
        self.others.push((topic, decoders));
    }

    /// The topics' decoders, as far as they are not those of all topics: to be written down.
    pub fn remembrance(&self) -> Value {
        let now = self.topic.iter().map(|topic| (topic, &self.key, &self.value));
        let others = self.others.iter().rev().map(|(topic, (key, value))| (topic, key, value));
        let mut topics = Map::new();
        for (topic, key, value) in now.chain(others) {
            if (key.kind, value.kind) != (As::Auto, As::Auto) && topics.len() < TOPICS_REMEMBERED {
                topics.insert(topic.to_string(), json!({ "key": key.remembrance(), "value": value.remembrance() }));
            }
        }
        Value::Object(topics)
    }

    /// Takes what was written down, as far as it makes sense.
    pub fn remember(&mut self, written: &Value) {
        for (topic, decoders) in written.as_object().into_iter().flatten().take(TOPICS_REMEMBERED) {
            let of = |name: &str| Half::remembered(&decoders[name]);
            self.keep(topic.as_str().into(), (of("key"), of("value")));
        }
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
            From::End => Start::End,
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
    let mut typing = where_from(ui, scene, topic, state, actions);
    ui.add_space(space::XS);
    typing |= filters(ui, state);
    if state.more {
        ui.add_space(space::XS);
        decoders(ui, state);
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

/// What a time takes.
const TIME: f32 = size::CONTROL * 7.0;

fn where_from(ui: &mut Ui, scene: &Scene<'_>, topic: &Topic, state: &mut State, actions: &mut Vec<Action>) -> bool {
    let mut typing = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        from(ui, scene, state);
        match state.from {
            From::Minutes => typing |= narrow(ui, size::CONTROL * 3.0, "Minutes ago", "15", &mut state.number),
            From::Offset => typing |= narrow(ui, size::CONTROL * 4.0, "Offset", "0", &mut state.number),
            From::Time => typing |= narrow(ui, TIME, "Time to read from", "2026-11-27 14:00", &mut state.number),
            From::Newest | From::Beginning | From::End => {}
        }
        typing |= narrow(ui, TIME, "Until", "Until 2026-11-27 15:00", &mut state.until);
        let names: Vec<String> = topic.partitions.iter().map(|partition| partition.id.to_string()).collect();
        let all = std::iter::once(Choice { value: None, name: "all", enabled: true });
        let each = topic.partitions.iter().zip(&names);
        let each = each.map(|(partition, name)| Choice { value: Some(partition.id), name, enabled: true });
        picker(ui, "Partition", &mut state.partition, &all.chain(each).collect::<Vec<_>>());
        toggle(ui, "Follow", &mut state.follow).on_hover_text("Go on with what is written from then on");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if Button::new("Write a record").with_icon(Icon::Plus).show(ui).clicked() {
                actions.push(Action::Ask(Dialog::Produce(topic.name.to_string(), NewMessage::default())));
            }
        });
    });
    if state.from == From::Time {
        complain(ui, scene, state, &state.number.clone(), "The time to read from");
    }
    complain(ui, scene, state, &state.until.clone(), "The time to read until");
    if !state.until.trim().is_empty() {
        let words = "Records before that time. Timestamps need not grow with offsets: what was written more than a minute late may be missing.";
        text::paragraph(ui, words, font::small(), palette(ui).faint);
    }
    typing
}

fn from(ui: &mut Ui, scene: &Scene<'_>, state: &mut State) {
    let changed = picker(ui, "From", &mut state.from, &FROM);
    if changed || state.from_ms == 0 {
        state.from_ms = scene.model.now_ms();
    }
    if !changed {
        return;
    }
    state.number.clear();
    match state.from {
        From::Time => {
            // An hour ago is a beginning.
            let at_ms = (state.from_ms - 60 * MINUTE_MS) / 1_000 * 1_000;
            state.number = time::local(at_ms, scene.options.utc_offset_minutes);
        }
        // There is nothing at the end but what comes.
        From::End => {
            state.follow = true;
            state.until.clear();
        }
        _ => {}
    }
}

fn complain(ui: &mut Ui, scene: &Scene<'_>, state: &State, typed: &str, what: &str) {
    if !typed.trim().is_empty() && time::parse(typed, scene.options.utc_offset_minutes, state.from_ms).is_none() {
        let words =
            format!("{what} is written as 2026-11-27 14:00:30, or 14:00 for today; with a Z at its end it is UTC.");
        text::paragraph(ui, &words, font::small(), palette(ui).critical);
    }
}

/// What the button at their right takes.
const MORE: f32 = 84.0;

fn filters(ui: &mut Ui, state: &mut State) -> bool {
    let mut typing = false;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        let room = ui.available_width() - MORE - 4.0 * space::S;
        let filters = &mut state.filters;
        for (share, name, hint, value) in [
            (0.3, "Filter messages", "Words, or /pattern/, anywhere", &mut filters.anywhere),
            (0.22, "Filter keys", "Key: words, /pattern/", &mut filters.key),
            (0.22, "Filter headers", "Header: name: words", &mut filters.header),
            (0.26, "JSON path", "$.customer.id == 42", &mut filters.path),
        ] {
            typing |= narrow(ui, (share * room).min(size::FILTER), name, hint, value);
        }
        let more = Button::new("More").name("More filters and decoders").with_icon(Icon::Settings);
        if more.selected(state.more).show(ui).clicked() {
            state.more = !state.more;
        }
    });
    if let Some(complaint) = Filter::path_complaint(&state.filters.path) {
        text::paragraph(ui, &complaint, font::small(), palette(ui).critical);
    }
    typing
}

fn decoders(ui: &mut Ui, state: &mut State) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        picker(ui, "Key as", &mut state.key.kind, &AS);
        picker(ui, "Value as", &mut state.value.kind, &AS);
        toggle(ui, "Latest per key", &mut state.latest)
            .on_hover_text("Of each key only the newest record that was read, as compaction would leave it");
        toggle(ui, "Committed only", &mut state.committed)
            .on_hover_text("Without records of transactions that are open or were aborted (read_committed)");
    });
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
