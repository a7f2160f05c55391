//! From bytes of a record to what they mean: text, JSON, MessagePack, CBOR, Avro and Protobuf by a schema, and Kafka's own records.
//!
//! Bytes are anybody's: whatever they are, decoding ends, within bounds, and without a panic. Pure, but for opening schema files.

pub mod avro;
pub mod binary;
pub mod internal;
pub mod json;
pub mod proto;
pub mod tree;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use super::time::utc;
use avro::Avro;
use internal::Internal;
use proto::Protobuf;
use tree::{NODES_MAX, Tree};

/// What of text or of bytes is kept to be shown.
pub const SHOWN_BYTES_MAX: usize = 256 << 10;
/// Longer schema files are not read, bytes.
const SCHEMA_BYTES_MAX: u64 = 4 << 20;
/// What of a value is decoded for its line in a table.
const LINE_NODES_MAX: usize = 200;
/// What of that line is kept.
const LINE_CHARS_MAX: usize = 240;
/// Longer values are not decoded for that.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Why bytes are not what they were taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {format}: {why} (byte {at})")]
pub struct Fault {
    /// What they were taken for.
    pub format: &'static str,
    /// Where, in bytes.
    pub at: usize,
    /// What is wrong.
    pub why: &'static str,
}

fn fault(format: &'static str, at: usize, why: &'static str) -> Fault {
    Fault { format, at, why }
}

/// How bytes are to be decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// As what they seem to be.
    #[default]
    Auto,
    /// As text.
    Text,
    /// As JSON.
    Json,
    /// As bytes.
    Hex,
    /// As MessagePack.
    MessagePack,
    /// As CBOR.
    Cbor,
    /// As Avro, by a schema in this file.
    Avro(PathBuf),
    /// As Protobuf, by a schema in this file, and this message of it (empty: the first).
    Protobuf(PathBuf, String),
}

/// How keys and values are to be decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoders {
    /// Keys.
    pub key: Decoder,
    /// Values.
    pub value: Decoder,
}

/// A decoder whose schema was read.
#[derive(Clone, Debug)]
enum Codec {
    Plain(Decoder),
    Avro(Arc<Avro>),
    Protobuf(Arc<Protobuf>),
}

/// Decoders that are ready to be used.
#[derive(Clone, Debug)]
pub struct Codecs {
    key: Codec,
    value: Codec,
}

/// What bytes are.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// In words: `JSON`, `Avro, schema id 7`.
    pub kind: String,
    /// The content.
    pub body: Body,
    /// Why it is shown otherwise than was wished, or what could be wished.
    pub note: Option<String>,
    /// How long the whole is.
    pub bytes: usize,
}

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Something with parts.
    Tree(Tree),
    /// Text, of which a head may stand here.
    Text(String),
    /// Bytes, of which a head may stand here.
    Bytes(Vec<u8>),
}

impl Codecs {
    /// Reads the schema files that are needed. Blocks; an error is a sentence.
    pub fn open(decoders: &Decoders) -> Result<Codecs, String> {
        Ok(Codecs { key: Codec::open(&decoders.key)?, value: Codec::open(&decoders.value)? })
    }

    /// Whether all is taken for what it seems to be.
    pub fn are_auto(&self) -> bool {
        self.key.is_auto() && self.value.is_auto()
    }

    /// Decodes a record's key and value, each as far as it is kept to be shown.
    pub fn read(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> (Option<Decoded>, Option<Decoded>) {
        self.read_at_most(topic, key, value, NODES_MAX)
    }

    fn read_at_most(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        nodes_max: usize,
    ) -> (Option<Decoded>, Option<Decoded>) {
        let own = (Internal::of(topic), key);
        if let (Some(internal), Some(bytes)) = own
            && self.key.is_auto()
            && self.value.is_auto()
            && let Ok((key_tree, value_tree)) = internal.read(bytes, value)
        {
            let of = |tree, bytes: &[u8]| Decoded {
                kind: internal.words().to_owned(),
                body: Body::Tree(tree),
                note: None,
                bytes: bytes.len(),
            };
            return (Some(of(key_tree, bytes)), value_tree.zip(value).map(|(tree, value)| of(tree, value)));
        }
        let read = |codec: &Codec, bytes: &[u8]| codec.read(bytes, nodes_max);
        (key.map(|key| read(&self.key, key)), value.map(|value| read(&self.value, value)))
    }

    /// A record's key and value as one line each, for a table.
    pub fn lines(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> (Option<String>, Option<String>) {
        // Text is what it is; only what is no text is worth decoding.
        let is_plain = |codec: &Codec, bytes: Option<&[u8]>| {
            let is_long = bytes.is_some_and(|bytes| bytes.len() > LINE_BYTES_MAX);
            let is_text = codec.is_auto() && bytes.is_none_or(|bytes| is_text(head(bytes, LINE_BYTES_MAX)));
            is_long || is_text || matches!(codec, Codec::Plain(Decoder::Text | Decoder::Json | Decoder::Hex))
        };
        let plain = (is_plain(&self.key, key), is_plain(&self.value, value));
        if plain == (true, true) {
            return (None, None);
        }
        let decoded = self.read_at_most(topic, key, value, LINE_NODES_MAX);
        let line = |decoded: Option<Decoded>, is_plain: bool| match decoded?.body {
            Body::Tree(tree) if !is_plain => Some(tree.line(LINE_CHARS_MAX).chars().take(LINE_CHARS_MAX).collect()),
            _ => None,
        };
        (line(decoded.0, plain.0), line(decoded.1, plain.1))
    }
}

fn head(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}

/// What is cut in the midst of a letter is text all the same; control characters other than white space are not.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t' | '\u{1b}'))
}

impl Codec {
    fn open(decoder: &Decoder) -> Result<Codec, String> {
        Ok(match decoder {
            Decoder::Avro(path) => Codec::Avro(Arc::new(Avro::parse(&schema_text(path)?)?)),
            Decoder::Protobuf(path, message) => Codec::Protobuf(Arc::new(Protobuf::open(path, message)?)),
            plain => Codec::Plain(plain.clone()),
        })
    }

    fn is_auto(&self) -> bool {
        matches!(self, Codec::Plain(Decoder::Auto))
    }

    fn read(&self, bytes: &[u8], nodes_max: usize) -> Decoded {
        let wished = match self {
            Codec::Plain(Decoder::Auto) => return auto(bytes, nodes_max),
            Codec::Plain(Decoder::Text) => return plain("text", Body::Text(text(bytes)), bytes),
            Codec::Plain(Decoder::Json) => json::read(bytes, nodes_max).map(|tree| ("JSON".to_owned(), tree)),
            Codec::Plain(Decoder::MessagePack) => {
                binary::message_pack(bytes, nodes_max).map(|tree| ("MessagePack".to_owned(), tree))
            }
            Codec::Plain(Decoder::Cbor) => binary::cbor(bytes, nodes_max).map(|tree| ("CBOR".to_owned(), tree)),
            Codec::Plain(_) => return plain("bytes", Body::Bytes(head(bytes, SHOWN_BYTES_MAX).to_vec()), bytes),
            Codec::Avro(schema) => by_avro(schema, bytes, nodes_max),
            Codec::Protobuf(schema) => by_protobuf(schema, bytes, nodes_max),
        };
        match wished {
            Ok((kind, tree)) => Decoded { kind, body: Body::Tree(tree), note: None, bytes: bytes.len() },
            Err(fault) => Decoded { note: Some(format!("It is {fault}.")), ..raw(bytes) },
        }
    }
}

fn plain(kind: &str, body: Body, bytes: &[u8]) -> Decoded {
    Decoded { kind: kind.to_owned(), body, note: None, bytes: bytes.len() }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(head(bytes, SHOWN_BYTES_MAX)).into_owned()
}

/// As text if it is some, else as bytes.
fn raw(bytes: &[u8]) -> Decoded {
    if is_text(bytes) {
        plain("text", Body::Text(text(bytes)), bytes)
    } else {
        plain("bytes", Body::Bytes(head(bytes, SHOWN_BYTES_MAX).to_vec()), bytes)
    }
}

/// What bytes seem to be.
fn auto(bytes: &[u8], nodes_max: usize) -> Decoded {
    let of = |kind: String, tree: Tree| Decoded { kind, body: Body::Tree(tree), note: None, bytes: bytes.len() };
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'['))
        && let Ok(tree) = json::read(bytes, nodes_max)
    {
        return of("JSON".into(), tree);
    }
    if is_text(bytes) {
        return raw(bytes);
    }
    if let Some((id, rest)) = confluent(bytes) {
        if matches!(rest.first(), Some(b'{' | b'['))
            && let Ok(tree) = json::read(rest, nodes_max)
        {
            return of(format!("JSON, schema id {id}"), tree);
        }
        // By the size of it this is no chance: registries count from one.
        if (1..1 << 24).contains(&id) {
            let note = format!(
                "It begins as with a schema registry, schema id {id}: choose Avro or Protobuf, and a schema file."
            );
            return Decoded { note: Some(note), ..raw(bytes) };
        }
    }
    let is_structured = |tree: &Tree| tree.nodes.first().is_some_and(tree::Node::is_branch);
    if let Ok(tree) = binary::message_pack(bytes, nodes_max)
        && is_structured(&tree)
    {
        return of("MessagePack".into(), tree);
    }
    if let Ok(tree) = binary::cbor(bytes, nodes_max)
        && is_structured(&tree)
    {
        return of("CBOR".into(), tree);
    }
    raw(bytes)
}

/// Confluent's header: a zero, and the id of a schema.
fn confluent(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<5>()?;
    let [0, id @ ..] = *header else { return None };
    Some((u32::from_be_bytes(id), rest))
}

fn by_avro(schema: &Avro, bytes: &[u8], nodes_max: usize) -> Result<(String, Tree), Fault> {
    if let Some((id, rest)) = confluent(bytes)
        && let Ok(tree) = schema.read(rest, nodes_max)
    {
        return Ok((format!("Avro, schema id {id}"), tree));
    }
    schema.read(bytes, nodes_max).map(|tree| ("Avro".to_owned(), tree))
}

fn by_protobuf(schema: &Protobuf, bytes: &[u8], nodes_max: usize) -> Result<(String, Tree), Fault> {
    // No field has the number 0, so that a zero can only be a header.
    let Some((id, rest)) = confluent(bytes) else {
        return schema.read(bytes, None, nodes_max).map(|(name, tree)| (format!("Protobuf {name}"), tree));
    };
    let (indexes, rest) = indexes(rest).ok_or(fault("Protobuf", 5, "the indexes of its message are broken"))?;
    let (name, tree) = schema.read(rest, Some(&indexes), nodes_max)?;
    Ok((format!("Protobuf {name}, schema id {id}"), tree))
}

/// Which message of a file: how many numbers, and the numbers; a zero alone is the first.
fn indexes(bytes: &[u8]) -> Option<(Vec<i64>, &[u8])> {
    const INDEXES_MAX: i64 = 32;
    let (count, mut rest) = zigzag(bytes)?;
    if count == 0 {
        return Some((vec![0], rest));
    }
    let mut found = Vec::new();
    if !(1..=INDEXES_MAX).contains(&count) {
        return None;
    }
    for _ in 0..count {
        let (index, after) = zigzag(rest)?;
        found.push(index);
        rest = after;
    }
    Some((found, rest))
}

fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some(((number >> 1) as i64 ^ -((number & 1) as i64), &bytes[index + 1..]));
        }
    }
    None
}

fn schema_text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let length = std::fs::metadata(path).map_err(|error| format!("{shown} could not be read: {error}."))?.len();
    if length > SCHEMA_BYTES_MAX {
        return Err(format!("{shown} is too long for a schema."));
    }
    std::fs::read_to_string(path).map_err(|error| format!("{shown} could not be read: {error}."))
}
