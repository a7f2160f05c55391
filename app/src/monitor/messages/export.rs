//! Records as lines of a file: what is no text is base64 (RFC 4648), and says so.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Message;
use super::read::{ReadWish, Seen};
use super::time;
use crate::monitor::files::csv_line;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// An object a line.
    #[default]
    JsonLines,
    /// An array of objects.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
}

impl ExportFormat {
    /// How such files are called.
    pub fn ending(self) -> &'static str {
        match self {
            ExportFormat::JsonLines => "jsonl",
            ExportFormat::Json => "json",
            ExportFormat::Csv => "csv",
        }
    }

    /// What stands before all records.
    pub fn head(self) -> String {
        let mut out = String::new();
        match self {
            ExportFormat::JsonLines => {}
            ExportFormat::Json => out.push('['),
            ExportFormat::Csv => csv_line(&mut out, CSV_COLUMNS.into_iter()),
        }
        out
    }

    /// One record.
    pub fn record(self, message: &Message, is_first: bool) -> String {
        match self {
            ExportFormat::JsonLines => format!("{}\n", object(message)),
            ExportFormat::Json => format!("{}\n  {}", if is_first { "" } else { "," }, object(message)),
            ExportFormat::Csv => row(message),
        }
    }

    /// What stands after all records.
    pub fn tail(self) -> &'static str {
        if self == ExportFormat::Json { "\n]\n" } else { "" }
    }
}

const CSV_COLUMNS: [&str; 9] =
    ["topic", "partition", "offset", "timestamp", "key", "key_encoding", "value", "value_encoding", "headers"];

/// The text of bytes, and how it is to be read: `text`, `base64`, or nothing where there is nothing.
fn told(bytes: Option<&[u8]>) -> (String, &'static str) {
    match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
        None => (String::new(), ""),
        Some((Ok(text), _)) => (text.to_owned(), "text"),
        Some((Err(_), bytes)) => (base64(bytes), "base64"),
    }
}

fn put(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let (text, encoding) = told(bytes);
    match encoding {
        "" => drop(object.insert(name.to_owned(), Value::Null)),
        "base64" => drop(object.insert(format!("{name}_base64"), text.into())),
        _ => drop(object.insert(name.to_owned(), text.into())),
    }
}

fn headers(message: &Message) -> Value {
    let header = |(name, value): &(String, Option<bytes::Bytes>)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(name));
        put(&mut header, "value", value.as_deref());
        Value::Object(header)
    };
    message.headers.iter().map(header).collect()
}

fn object(message: &Message) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(message.topic));
    object.insert("partition".to_owned(), json!(message.partition));
    object.insert("offset".to_owned(), json!(message.offset));
    object.insert("timestamp_ms".to_owned(), json!(message.timestamp_ms));
    object.insert("timestamp".to_owned(), json!(time::utc(message.timestamp_ms)));
    put(&mut object, "key", message.key.as_deref());
    put(&mut object, "value", message.value.as_deref());
    object.insert("headers".to_owned(), headers(message));
    Value::Object(object)
}

fn row(message: &Message) -> String {
    let (key, key_encoding) = told(message.key.as_deref());
    let (value, value_encoding) = told(message.value.as_deref());
    let headers = if message.headers.is_empty() { String::new() } else { headers(message).to_string() };
    let (partition, offset) = (message.partition.to_string(), message.offset.to_string());
    let at = time::utc(message.timestamp_ms);
    let cells: [&str; 9] =
        [&message.topic, &partition, &offset, &at, &key, key_encoding, &value, value_encoding, &headers];
    let mut out = String::new();
    csv_line(&mut out, cells.into_iter());
    out
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - part.len()));
        for index in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * index)) as usize & 63];
            let _ = out.write_char(if index <= part.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Records that are to be written to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Where.
    pub path: PathBuf,
    /// How.
    pub format: ExportFormat,
    /// Which.
    pub what: Exported,
}

/// Which records are to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Exported {
    /// These, oldest first.
    Found(Arc<Vec<Arc<Seen>>>),
    /// All that a reading finds up to the end of now; they are not kept in memory.
    Reading(Box<ReadWish>),
}

/// How far a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportView {
    /// Where to; `None`: nothing is written.
    pub path: Option<PathBuf>,
    /// Records written.
    pub written: u64,
    /// Records looked at.
    pub scanned: u64,
    /// How much of what is to be looked at was, in a hundred.
    pub percent: u8,
    /// Grows with each change.
    pub generation: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            topic: "t".into(),
            partition: 1,
            offset: 7,
            timestamp_ms: 1_790_000_000_000,
            is_log_append_time: false,
            key: Some("a,b".into()),
            value: Some(vec![0xff, 0x00].into()),
            headers: vec![("h".into(), Some("x".into())), ("n".into(), None)],
            producer_id: None,
            is_transactional: false,
            codec: "none",
            leader_epoch: 0,
        }
    }

    #[test]
    fn records_as_lines() {
        let format = ExportFormat::Json;
        let all =
            [format.head(), format.record(&message(), true), format.record(&message(), false), format.tail().into()];
        let told: Value = serde_json::from_str(&all.concat()).unwrap();
        assert_eq!(told[0], told[1]);
        let expected = json!({
            "topic": "t", "partition": 1, "offset": 7, "timestamp_ms": 1_790_000_000_000_i64,
            "timestamp": "2026-09-21T14:13:20Z", "key": "a,b", "value_base64": "/wA=",
            "headers": [{"name": "h", "value": "x"}, {"name": "n", "value": null}],
        });
        assert_eq!(told[0], expected);
        let line = ExportFormat::JsonLines.record(&Message { value: None, ..message() }, true);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["value"], Value::Null);
        let csv = ExportFormat::Csv.record(&message(), true);
        let start = "t,1,7,2026-09-21T14:13:20Z,\"a,b\",text,/wA=,base64,\"[{\"\"name\"\":\"\"h\"\"";
        assert!(csv.starts_with(start), "{csv}");
        assert_eq!(ExportFormat::Csv.head().matches(',').count(), 8);
    }

    #[test]
    fn base64_as_everybody_has_it() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(base64(bytes), expected);
        }
    }
}
