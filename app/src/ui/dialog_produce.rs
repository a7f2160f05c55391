//! Writing a record by hand: anew, or one that is there once more.

use std::sync::Arc;

use bytes::Bytes;
use egui::Context;

use super::app::{Action, Scene};
use super::as_command::{self, Around};
use super::widgets::dialog::{Buttons, Outcome, wide};
use super::widgets::field;
use super::widgets::picker::{Choice, labelled};
use crate::monitor::command::Command;
use crate::monitor::messages::NewMessage;
use crate::monitor::operation::Operation;

/// A record as it is being described.
#[derive(Clone, Debug, Default)]
pub struct ProduceDraft {
    topic: Arc<str>,
    partition: Option<i32>,
    key: String,
    has_key: bool,
    value: String,
    is_tombstone: bool,
    headers: String,
    /// Bytes that are no text stay as they were, unless somebody types over them.
    raw: NewMessage,
    typed: (String, String),
    typed_headers: String,
}

impl ProduceDraft {
    /// With what is to be written so far.
    pub fn new(topic: &str, message: NewMessage) -> ProduceDraft {
        let text = |bytes: &Option<Bytes>| {
            bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
        };
        let is_new = message == NewMessage::default();
        let header = |(name, value): &(String, Option<Bytes>)| match value {
            Some(value) => format!("{name}: {}", String::from_utf8_lossy(value)),
            None => name.clone(),
        };
        let (key, value) = (text(&message.key), text(&message.value));
        let headers = message.headers.iter().map(header).collect::<Vec<_>>().join("; ");
        ProduceDraft {
            topic: topic.into(),
            partition: None,
            has_key: message.key.is_some(),
            is_tombstone: !is_new && message.value.is_none(),
            typed_headers: headers.clone(),
            headers,
            typed: (key.clone(), value.clone()),
            key,
            value,
            raw: message,
        }
    }

    fn message(&self) -> NewMessage {
        let bytes = |typed: &str, before: &str, raw: &Option<Bytes>| match raw {
            Some(raw) if typed == before => raw.clone(),
            _ => Bytes::from(typed.to_owned()),
        };
        let header = |typed: &str| match typed.split_once(':') {
            Some((name, value)) => (name.trim().to_owned(), Some(Bytes::from(value.trim().to_owned()))),
            None => (typed.trim().to_owned(), None),
        };
        let headers = self.headers.split(';').filter(|typed| !typed.trim().is_empty());
        NewMessage {
            key: self.has_key.then(|| bytes(&self.key, &self.typed.0, &self.raw.key)),
            value: (!self.is_tombstone).then(|| bytes(&self.value, &self.typed.1, &self.raw.value)),
            // Not all that can stand in a header can be typed.
            headers: if self.headers == self.typed_headers {
                self.raw.headers.clone()
            } else {
                headers.map(header).collect()
            },
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
            field::field(ui, "Key", "", &mut draft.key, None);
        }
        if !draft.is_tombstone {
            field::field(ui, "Value", "{\"hello\": \"world\"}", &mut draft.value, None);
        }
        field::toggle(ui, "No value: a tombstone", &mut draft.is_tombstone);
        field::field(ui, "Headers, as name: value; name: value", "", &mut draft.headers, None);
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
        draft.headers = "f: 2; g".into();
        assert_eq!(draft.message().headers, [("f".into(), Some("2".into())), ("g".into(), None)]);
        draft.value = "other".into();
        assert_eq!(draft.message().value.as_deref(), Some(&b"other"[..]));
        assert_eq!(draft.message().key, before.key);
        draft.is_tombstone = true;
        draft.has_key = false;
        assert_eq!((draft.message().key, draft.message().value), (None, None));
        let new = ProduceDraft::new("t", NewMessage::default());
        assert_eq!((new.message().key, new.message().value), (None, Some(Bytes::new())));
    }
}
