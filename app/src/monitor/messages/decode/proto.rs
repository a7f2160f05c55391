//! Protobuf into a tree, by the descriptors of a file: `.proto` (with what it imports from its own folder), or a descriptor set.

use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, Value};

use super::tree::{Builder, Enough, Tree, What};
use super::{Fault, fault};

const FORMAT: &str = "Protobuf";
/// Names that are told of those there are.
const NAMES_TOLD: usize = 8;

/// The messages of a file.
#[derive(Clone, Debug)]
pub struct Protobuf {
    /// All that can be asked for, those of the file first.
    messages: Vec<MessageDescriptor>,
    /// The one that is meant.
    chosen: MessageDescriptor,
    is_named: bool,
}

impl Protobuf {
    /// Opens a file; `message` is the full name (or its end) of what values are, empty: the first of the file. Blocks; an error is a sentence.
    pub fn open(path: &Path, message: &str) -> Result<Protobuf, String> {
        let shown = path.display();
        let (pool, own) = if path.extension().is_some_and(|ending| ending == "proto") {
            let (folder, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
            let set = protox::compile([Path::new(name)], [folder])
                .map_err(|error| format!("{shown} is not understood: {}.", first_line(&error.to_string())))?;
            let own = name.to_string_lossy().into_owned();
            let pool = DescriptorPool::from_file_descriptor_set(set);
            (pool.map_err(|error| format!("{shown} is not understood: {error}."))?, Some(own))
        } else {
            let bytes = std::fs::read(path).map_err(|error| format!("{shown} could not be read: {error}."))?;
            let pool = DescriptorPool::decode(&bytes[..]);
            (pool.map_err(|error| format!("{shown} is no descriptor set: {error}."))?, None)
        };
        Protobuf::of(&pool, own.as_deref(), message).map_err(|why| format!("{shown} {why}"))
    }

    fn of(pool: &DescriptorPool, own: Option<&str>, message: &str) -> Result<Protobuf, String> {
        let mut messages: Vec<MessageDescriptor> =
            pool.all_messages().filter(|message| !message.is_map_entry()).collect();
        messages.sort_by_key(|message| Some(message.parent_file().name()) != own);
        let message = message.trim();
        let is_meant = |one: &&MessageDescriptor| {
            message.is_empty()
                || one.full_name() == message
                || one.full_name().strip_suffix(message).is_some_and(|before| before.ends_with('.'))
        };
        match messages.iter().find(is_meant).cloned() {
            Some(chosen) => Ok(Protobuf { messages, chosen, is_named: !message.is_empty() }),
            None if messages.is_empty() => Err("has no messages.".into()),
            None => {
                let names: Vec<&str> = messages.iter().take(NAMES_TOLD).map(MessageDescriptor::full_name).collect();
                Err(format!("has no message {message}; it has {}.", names.join(", ")))
            }
        }
    }

    /// What a value is read as, by the indexes that Confluent's header has, if it has one and nobody chose.
    fn meant(&self, indexes: Option<&[i64]>) -> MessageDescriptor {
        let Some(indexes) = indexes.filter(|_| !self.is_named) else { return self.chosen.clone() };
        let mut indexes = indexes.iter().map(|index| usize::try_from(*index).unwrap_or(usize::MAX));
        let file = self.messages[0].parent_file();
        let mut found = indexes.next().and_then(|index| file.messages().nth(index));
        for index in indexes {
            found = found.and_then(|message| message.child_messages().nth(index));
        }
        found.unwrap_or_else(|| self.chosen.clone())
    }

    /// Reads a value, and says what it was read as.
    pub fn read(&self, bytes: &[u8], indexes: Option<&[i64]>, nodes_max: usize) -> Result<(String, Tree), Fault> {
        let meant = self.meant(indexes);
        let name = meant.name().to_owned();
        let message =
            DynamicMessage::decode(meant, bytes).map_err(|_| fault(FORMAT, 0, "the bytes do not fit the message"))?;
        let mut out = Builder::new(nodes_max);
        // Enough is enough: what was taken in so far is shown. The library decodes no more than a hundred levels.
        let _ = put(&mut out, &message);
        Ok((name, out.finish()))
    }
}

fn first_line(told: &str) -> &str {
    told.lines().next().unwrap_or_default().trim_end_matches('.')
}

fn put(out: &mut Builder, message: &DynamicMessage) -> Result<(), Enough> {
    out.object()?;
    for (field, value) in message.fields() {
        out.name(field.name());
        put_value(out, &field.kind(), value)?;
    }
    for unknown in message.unknown_fields() {
        out.name(&format!("field {}", unknown.number()));
        out.symbol("not in the schema")?;
    }
    out.end();
    Ok(())
}

fn put_value(out: &mut Builder, kind: &Kind, value: &Value) -> Result<(), Enough> {
    match value {
        Value::Bool(is_true) => out.leaf(What::Bool(*is_true)),
        Value::I32(number) => out.number(number),
        Value::I64(number) => out.number(number),
        Value::U32(number) => out.number(number),
        Value::U64(number) => out.number(number),
        Value::F32(number) => out.number(number),
        Value::F64(number) => out.number(number),
        Value::String(text) => out.text(text),
        Value::Bytes(bytes) => out.bytes(bytes),
        Value::EnumNumber(number) => {
            let known = kind.as_enum().and_then(|one| one.get_value(*number));
            match known {
                Some(known) => out.symbol(known.name()),
                None => out.number(number),
            }
        }
        Value::Message(message) => put(out, message),
        Value::List(items) => {
            out.list()?;
            for item in items {
                put_value(out, kind, item)?;
            }
            out.end();
            Ok(())
        }
        Value::Map(items) => {
            out.object()?;
            let of = kind.as_message().map(MessageDescriptor::map_entry_value_field);
            for (key, value) in items {
                let name = match key {
                    MapKey::Bool(key) => key.to_string(),
                    MapKey::I32(key) => key.to_string(),
                    MapKey::I64(key) => key.to_string(),
                    MapKey::U32(key) => key.to_string(),
                    MapKey::U64(key) => key.to_string(),
                    MapKey::String(key) => key.clone(),
                };
                out.name(&name);
                put_value(out, &of.as_ref().map_or_else(|| kind.clone(), prost_reflect::FieldDescriptor::kind), value)?;
            }
            out.end();
            Ok(())
        }
    }
}
