//! One record in full: its facts, key, headers and value, decoded.

use std::sync::Arc;

use egui::{Align, Layout, Ui};

use crate::monitor::messages::decode::{Body, Codecs, Decoded};
use crate::monitor::messages::read::Seen;
use crate::monitor::messages::time;
use crate::monitor::messages::{Message, NewMessage};
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::decoding::Decoding;
use crate::ui::format;
use crate::ui::message_text::{self, SHOWN_BYTES_MAX, Shape};
use crate::ui::tokens::{font, palette, space};
use crate::ui::value_tree::{self, TreeState};
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::{text, toast};

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    shape: Shape,
    decoding: Decoding,
    key: TreeState,
    value: TreeState,
}

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
    let both = match codecs {
        Some(codecs) => {
            let (both, is_other) = state.decoding.of(ui.ctx(), seen, codecs);
            if is_other {
                (state.key, state.value) = (TreeState::default(), TreeState::default());
            }
            both
        }
        None => None,
    };
    let parts = both.as_deref();
    part(ui, "Key", message.key.as_deref(), parts.map(|both| both.0.as_ref()), Shape::Auto, &mut state.key);
    for (name, value) in &message.headers {
        header(ui, name, value.as_deref());
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
    part(ui, "Value", message.value.as_deref(), parts.map(|both| both.1.as_ref()), state.shape, &mut state.value);
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
    ui.horizontal(|ui| {
        text::label(ui, title, font::small(), palette(ui).muted);
        let name = format!("Copy {title}");
        if Button::icon(Icon::Copy, &name).small().show(ui).on_hover_text("Copy it as text").clicked() {
            ui.ctx().copy_text(String::from_utf8_lossy(bytes).into_owned());
            toast::tell(ui.ctx(), true, "Copied.");
        }
    });
}

fn header(ui: &mut Ui, name: &str, value: Option<&[u8]>) {
    let style = palette(ui);
    let Some(bytes) = value else {
        text::label(ui, &format!("Header {name}: none"), font::small(), style.muted);
        return;
    };
    let (kind, words) = message_text::shown(bytes, Shape::Auto);
    title(ui, &format!("Header {name} · {kind} · {}", format::bytes(bytes.len() as f64)), bytes);
    text::paragraph(ui, &words, font::mono(), style.text);
}

/// `decoded`: `None` while it is being decoded.
fn part(
    ui: &mut Ui,
    name: &str,
    bytes: Option<&[u8]>,
    decoded: Option<Option<&Decoded>>,
    shape: Shape,
    state: &mut TreeState,
) {
    let style = palette(ui);
    let Some(bytes) = bytes else {
        let what = if name == "Value" { "none: a tombstone" } else { "none" };
        text::label(ui, &format!("{name}: {what}"), font::small(), style.muted);
        return;
    };
    let size = format::bytes(bytes.len() as f64);
    let (kind, words) = match (shape, decoded) {
        (Shape::Auto, None) => {
            title(ui, &format!("{name} · {size}"), bytes);
            text::paragraph(ui, "Decoding…", font::small(), style.faint);
            return;
        }
        (Shape::Auto, Some(Some(decoded))) => {
            title(ui, &format!("{name} · {} · {size}", decoded.kind), bytes);
            if let Some(note) = &decoded.note {
                text::paragraph(ui, note, font::small(), style.warning);
            }
            match &decoded.body {
                Body::Tree(tree) => return value_tree::show(ui, tree, state),
                Body::Text(_) => message_text::shown(bytes, Shape::Text),
                Body::Bytes(_) => message_text::shown(bytes, Shape::Hex),
            }
        }
        (shape, _) => {
            let shown = message_text::shown(bytes, shape);
            title(ui, &format!("{name} · {} · {size}", shown.0), bytes);
            shown
        }
    };
    let _ = kind;
    text::paragraph(ui, &words, font::mono(), style.text);
    if bytes.len() > SHOWN_BYTES_MAX {
        let rest = format!("{} more are not shown.", format::bytes((bytes.len() - SHOWN_BYTES_MAX) as f64));
        text::label(ui, &rest, font::small(), style.faint);
    }
}
