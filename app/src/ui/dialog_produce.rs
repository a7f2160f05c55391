//! Writing a record by hand: anew, or one that is there once more.

use std::sync::Arc;

use bytes::Bytes;
use egui::{Context, Ui};

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::format;
use super::tokens::{font, palette};
use super::widgets::button::Button;
use super::widgets::dialog::{Buttons, Outcome, wide};
use super::widgets::picker::{Choice, labelled};
use super::widgets::{field, text};
use crate::monitor::command::Command;
use crate::monitor::messages::NewMessage;
use crate::monitor::operation::Operation;

/// What is longer is sent as it is, and not edited here: no field is to hold a frame up.
const EDITED_BYTES_MAX: usize = 16 << 10;

/// A record as it is being described.
#[derive(Clone, Debug, Default)]
pub struct ProduceDraft {
    topic: Arc<str>,
    partition: Option<i32>,
    has_key: bool,
    key: Part,
    is_tombstone: bool,
    value: Part,
    headers: Headers,
}

/// A key or a value: bytes that are no text stay as they were, unless somebody types over them.
#[derive(Clone, Debug, Default)]
struct Part {
    text: String,
    /// What stood there at first.
    typed: String,
    raw: Option<Bytes>,
    is_long: bool,
}

impl Part {
    fn new(raw: &Option<Bytes>) -> Part {
        let is_long = raw.as_ref().is_some_and(|bytes| bytes.len() > EDITED_BYTES_MAX);
        let text = match raw {
            Some(bytes) if !is_long => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        Part { typed: text.clone(), text, raw: raw.clone(), is_long }
    }

    fn bytes(&self) -> Bytes {
        match &self.raw {
            Some(raw) if self.text == self.typed => raw.clone(),
            _ => Bytes::from(self.text.clone()),
        }
    }

    fn show(&mut self, ui: &mut Ui, label: &str, hint: &str) {
        if !self.is_long {
            field::field(ui, label, hint, &mut self.text, None);
        } else if kept(ui, label, self.raw.as_ref().map_or(0, Bytes::len)) {
            *self = Part::default();
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Headers {
    text: String,
    typed: String,
    raw: Vec<(String, Option<Bytes>)>,
    /// How long they are, if they are too long to be edited.
    long_bytes: Option<usize>,
}

impl Headers {
    fn new(raw: Vec<(String, Option<Bytes>)>) -> Headers {
        let bytes = raw.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len)).sum::<usize>();
        let long_bytes = Some(bytes).filter(|bytes| *bytes > EDITED_BYTES_MAX);
        let header = |(name, value): &(String, Option<Bytes>)| match value {
            Some(value) => format!("{name}: {}", String::from_utf8_lossy(value)),
            None => name.clone(),
        };
        let shown = if long_bytes.is_some() { &[] } else { raw.as_slice() };
        let text = shown.iter().map(header).collect::<Vec<_>>().join("; ");
        Headers { typed: text.clone(), text, raw, long_bytes }
    }

    fn list(&self) -> Vec<(String, Option<Bytes>)> {
        // Not all that can stand in a header can be typed.
        if self.text == self.typed {
            return self.raw.clone();
        }
        let header = |typed: &str| match typed.split_once(':') {
            Some((name, value)) => (name.trim().to_owned(), Some(Bytes::from(value.trim().to_owned()))),
            None => (typed.trim().to_owned(), None),
        };
        self.text.split(';').filter(|typed| !typed.trim().is_empty()).map(header).collect()
    }

    fn show(&mut self, ui: &mut Ui) {
        let Some(bytes) = self.long_bytes else {
            field::field(ui, "Headers, as name: value; name: value", "", &mut self.text, None);
            return;
        };
        if kept(ui, "Headers", bytes) {
            *self = Headers::default();
        }
    }
}

/// Says that something is sent as it is. Whether something else is to be sent.
fn kept(ui: &mut Ui, label: &str, bytes: usize) -> bool {
    let words = format!("{label}: {}, too long to be edited here, and sent as it was.", format::bytes(bytes as f64));
    text::paragraph(ui, &words, font::body(), palette(ui).muted);
    let other = format!("Send another {}", label.to_lowercase());
    Button::new(&other).small().show(ui).clicked()
}

impl ProduceDraft {
    /// With what is to be written so far.
    pub fn new(topic: &str, message: NewMessage) -> ProduceDraft {
        let is_new = message == NewMessage::default();
        ProduceDraft {
            topic: topic.into(),
            partition: None,
            has_key: message.key.is_some(),
            key: Part::new(&message.key),
            is_tombstone: !is_new && message.value.is_none(),
            value: Part::new(&message.value),
            headers: Headers::new(message.headers),
        }
    }

    fn message(&self) -> NewMessage {
        NewMessage {
            key: self.has_key.then(|| self.key.bytes()),
            value: (!self.is_tombstone).then(|| self.value.bytes()),
            headers: self.headers.list(),
            timestamp_ms: None,
        }
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut ProduceDraft, actions: &mut Vec<Action>) -> Outcome {
    let Some((topic, _)) = scene.model.topic(&draft.topic) else { return Outcome::Cancelled };
    let wish = |draft: &ProduceDraft| {
        let (topic, partition, message) = (draft.topic.clone(), draft.partition, draft.message());
        Command::Operate(Operation::Produce { topic, partition, message })
    };
    let outcome = wide(ctx, "produce", &format!("Write a record to {}", draft.topic), |ui| {
        let names: Vec<String> = topic.partitions.iter().map(|partition| partition.id.to_string()).collect();
        let own = if draft.has_key { "that of the key (murmur2)" } else { "the first" };
        let by_key = std::iter::once(Choice { value: None, name: own, enabled: true });
        let each = topic.partitions.iter().zip(&names);
        let each = each.map(|(partition, name)| Choice { value: Some(partition.id), name, enabled: true });
        labelled(ui, "Partition", &mut draft.partition, &by_key.chain(each).collect::<Vec<_>>());
        field::toggle(ui, "With a key", &mut draft.has_key);
        if draft.has_key {
            draft.key.show(ui, "Key", "");
        }
        if !draft.is_tombstone {
            draft.value.show(ui, "Value", "{\"hello\": \"world\"}");
        }
        field::toggle(ui, "No value: a tombstone", &mut draft.is_tombstone);
        draft.headers.show(ui);
        for line in as_command::lines(&wish(draft), &Around::scene(scene)) {
            field::command(ui, line.title, &line.text);
        }
        Buttons { confirm: "Write", enabled: true, danger: false }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(wish(draft)));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_stays_unless_it_is_typed_over() {
        let before = NewMessage {
            key: Some(Bytes::from_static(b"\xff\x01")),
            value: Some(Bytes::from_static(b"v")),
            headers: vec![
                ("a".into(), Some("1".into())),
                ("b".into(), None),
                ("c; d".into(), Some(Bytes::from_static(b"\xfe; x: y "))),
                ("e".into(), Some(Bytes::new())),
            ],
            timestamp_ms: None,
        };
        let mut draft = ProduceDraft::new("t", before.clone());
        assert_eq!(draft.message(), before);
        draft.headers.text = "f: 2; g".into();
        assert_eq!(draft.message().headers, [("f".into(), Some("2".into())), ("g".into(), None)]);
        draft.value.text = "other".into();
        assert_eq!(draft.message().value.as_deref(), Some(&b"other"[..]));
        assert_eq!(draft.message().key, before.key);
        draft.is_tombstone = true;
        draft.has_key = false;
        assert_eq!((draft.message().key, draft.message().value), (None, None));
        let new = ProduceDraft::new("t", NewMessage::default());
        assert_eq!((new.message().key, new.message().value), (None, Some(Bytes::new())));
    }

    #[test]
    fn what_is_long_is_sent_as_it_was_and_stands_in_no_field() {
        let long = Bytes::from(vec![b'x'; 10 << 20]);
        let headers = vec![("h".to_owned(), Some(long.clone()))];
        let before = NewMessage { value: Some(long), headers, ..NewMessage::default() };
        let mut draft = ProduceDraft::new("t", before.clone());
        assert_eq!((draft.value.text.len(), draft.headers.text.len()), (0, 0));
        assert_eq!(draft.message(), before);
        draft.value = Part::default();
        draft.headers = Headers::default();
        draft.value.text = "short".into();
        assert_eq!(draft.message(), NewMessage { value: Some("short".into()), ..NewMessage::default() });
    }
}
