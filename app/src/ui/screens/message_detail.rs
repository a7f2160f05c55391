//! One record in full: its facts, key, headers and value, decoded.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use egui::{Align, Layout, Ui};

use crate::monitor::messages::decode::{Body, Codecs};
use crate::monitor::messages::read::Seen;
use crate::monitor::messages::time;
use crate::monitor::messages::{Message, NewMessage};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::decoding::{Decoding, Progress};
use crate::ui::format;
use crate::ui::message_text::{self, SHOWN_BYTES_MAX, Shape};
use crate::ui::model::Cached;
use crate::ui::tokens::{font, palette, space};
use crate::ui::value_tree::{self, TreeState};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::{long_text, text, toast};

/// Headers that are shown of one record.
const HEADERS_MAX: usize = 50;
/// A header's value that is longer stands on one line, as far as that goes.
const HEADER_BYTES_MAX: usize = 1 << 10;
/// What is shorter stands beside the header's name.
const HEADER_BESIDE_MAX: usize = 40;

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    shape: Shape,
    decoding: Decoding,
    key: Half,
    value: Half,
}

/// Of the key or of the value.
#[derive(Debug, Default)]
struct Half {
    tree: TreeState,
    lines: Cached<Wrapped, (String, Vec<Range<usize>>)>,
}

/// What was broken into lines: bytes by where they lie and how many they are, and into how many columns.
type Wrapped = (usize, usize, usize);

/// Paints it.
pub fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    seen: &Arc<Seen>,
    codecs: Option<&Arc<Codecs>>,
    state: &mut State,
    actions: &mut Vec<Action>,
) {
    let style = palette(ui);
    let message = &seen.message;
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
    let progress = match codecs {
        Some(codecs) => {
            let (progress, is_other) = state.decoding.of(ui.ctx(), seen, codecs);
            if is_other {
                (state.key, state.value) = (Half::default(), Half::default());
            }
            progress
        }
        None => Progress::Under,
    };
    part(ui, "Key", message.key.as_deref(), &progress, Shape::Auto, &mut state.key);
    for (name, value) in message.headers.iter().take(HEADERS_MAX) {
        header(ui, name, value.as_deref());
    }
    if message.headers.len() > HEADERS_MAX {
        let rest = format!("{} more are not shown.", format::plural(message.headers.len() - HEADERS_MAX, "header"));
        text::label(ui, &rest, font::small(), style.faint);
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for (shape, name) in [(Shape::Auto, "Decoded"), (Shape::Text, "Text"), (Shape::Hex, "Hex")] {
            let spoken = format!("Show the value: {}", name.to_lowercase());
            let button = Button::new(name).name(&spoken).tone(Tone::Bare).small().selected(state.shape == shape);
            if button.show(ui).clicked() {
                state.shape = shape;
            }
        }
    });
    part(ui, "Value", message.value.as_deref(), &progress, state.shape, &mut state.value);
}

fn facts(message: &Message, offset_minutes: i32) -> String {
    let by = if message.is_log_append_time { "by the broker" } else { "by the producer" };
    let mut facts = vec![format!("{} {by}", time::local(message.timestamp_ms, offset_minutes))];
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

/// What it is, and a button that copies it: the text is made when it is pressed, as it may be long.
fn title(ui: &mut Ui, title: &str, bytes: &[u8]) {
    ui.horizontal(|ui| titled(ui, title, bytes));
}

fn titled(ui: &mut Ui, title: &str, bytes: &[u8]) {
    text::label(ui, title, font::small(), palette(ui).muted);
    let name = format!("Copy {title}");
    if Button::icon(Icon::Copy, &name).small().show(ui).on_hover_text("Copy it as text").clicked() {
        ui.ctx().copy_text(String::from_utf8_lossy(bytes).into_owned());
        toast::tell(ui.ctx(), true, "Copied.");
    }
}

fn header(ui: &mut Ui, name: &str, value: Option<&[u8]>) {
    let style = palette(ui);
    let Some(bytes) = value else {
        text::label(ui, &format!("Header {name}: none"), font::small(), style.muted);
        return;
    };
    let is_long = bytes.len() > HEADER_BYTES_MAX;
    let (kind, words) =
        if is_long { ("its beginning", message_text::preview(bytes)) } else { message_text::shown(bytes, Shape::Auto) };
    let name = format!("Header {name} · {kind} · {}", format::bytes(bytes.len() as f64));
    // Most are a word, which has room beside its name.
    if words.len() <= HEADER_BESIDE_MAX && !words.contains('\n') {
        ui.horizontal(|ui| {
            titled(ui, &name, bytes);
            text::label(ui, &words, font::mono(), style.text);
        });
    } else {
        title(ui, &name, bytes);
        text::paragraph(ui, &words, font::mono(), style.text);
    }
}

fn part(ui: &mut Ui, name: &str, bytes: Option<&[u8]>, progress: &Progress, shape: Shape, state: &mut Half) {
    let style = palette(ui);
    let Some(bytes) = bytes else {
        let what = if name == "Value" { "none: a tombstone" } else { "none" };
        text::label(ui, &format!("{name}: {what}"), font::small(), style.muted);
        return;
    };
    let size = format::bytes(bytes.len() as f64);
    let shape = match (shape, progress) {
        (Shape::Auto, Progress::Under) => {
            title(ui, &format!("{name} · {size}"), bytes);
            text::paragraph(ui, "Decoding…", font::small(), style.faint);
            return;
        }
        (Shape::Auto, Progress::Failed) => {
            title(ui, &format!("{name} · bytes · {size}"), bytes);
            text::paragraph(
                ui,
                "It could not be decoded: no thread ended with an answer.",
                font::small(),
                style.warning,
            );
            Shape::Hex
        }
        (Shape::Auto, Progress::Done(both)) => {
            let decoded = if name == "Key" { &both.0 } else { &both.1 };
            let Some(decoded) = decoded else { return };
            title(ui, &format!("{name} · {} · {size}", decoded.kind), bytes);
            if let Some(note) = &decoded.note {
                text::paragraph(ui, note, font::small(), style.warning);
            }
            match &decoded.body {
                Body::Tree(tree) => return value_tree::show(ui, tree, &mut state.tree),
                Body::Text(_) => Shape::Text,
                Body::Bytes(_) => Shape::Hex,
            }
        }
        (shape, _) => {
            let kind = if shape == Shape::Hex { "hex" } else { "text" };
            title(ui, &format!("{name} · {kind} · {size}"), bytes);
            shape
        }
    };
    lines(ui, bytes, shape, state);
}

/// Only what is in sight is made into text.
fn lines(ui: &mut Ui, bytes: &[u8], shape: Shape, state: &mut Half) {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    if shape == Shape::Hex {
        let line = |index: usize| Cow::from(message_text::hex_line(shown, index));
        long_text::show(ui, message_text::hex_lines(shown), line);
    } else {
        let columns = long_text::columns(ui);
        let (text, lines) = state.lines.get((shown.as_ptr() as usize, shown.len(), columns), || {
            let text = message_text::plain(shown);
            let lines = long_text::wrap(&text, columns);
            (text, lines)
        });
        long_text::show(ui, lines.len(), |index| Cow::from(&text[lines[index].clone()]));
    }
    if bytes.len() > SHOWN_BYTES_MAX {
        let rest = format!("{} more are not shown.", format::bytes((bytes.len() - SHOWN_BYTES_MAX) as f64));
        text::label(ui, &rest, font::small(), palette(ui).faint);
    }
}
