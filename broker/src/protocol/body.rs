//! Bodies of requests and answers as JSON with Kafka's names of fields, for the log. What is read are the bytes of the wire, by a table of the
//! fields of Kafka's messages (`schemas.txt`), so that no message needs to know how it is shown.
//!
//! Records are told by their size, as Kafka does. A long body is shown in part: lists end with how much more there is.
//!
//! Source: Kafka's message definitions; its `…DataJsonConverter` classes with `serializeRecords` off.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use kacrab_protocol::generated::RequestHeaderData;
use kacrab_protocol::{KafkaUuid, read_tagged_fields};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Api, Request, RequestHeader};

/// A value of JSON, whose objects keep the order of their fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A text; bytes are told in base64.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Fields.
    Object(Vec<(String, Json)>),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Integer(value) => serializer.serialize_i64(*value),
            Json::Float(value) => serializer.serialize_f64(*value),
            Json::Text(text) => serializer.serialize_str(text),
            Json::List(list) => serializer.collect_seq(list),
            Json::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl Json {
    /// The body of a request that came in this frame (without its length), in about `room` bytes.
    pub fn of_frame(header: &RequestHeader, frame: Bytes, room: usize) -> Option<Json> {
        let (api, version) = (header.api_key, header.api_version);
        if !api.supports(version) {
            return None;
        }
        let mut rest = frame;
        RequestHeaderData::read(&mut rest, api.request_header_version(version)).ok()?;
        read(api, true, version, &rest, room)
    }

    /// The body of a request that was changed since it came.
    pub fn of_request(request: &Request, version: i16, room: usize) -> Option<Json> {
        let mut body = BytesMut::new();
        request.write(&mut body, version).ok()?;
        read(request.api(), true, version, &body, room)
    }

    /// The body of the answer in this frame (with its length) to the request of `header`.
    pub fn of_answer(header: &RequestHeader, frame: &[u8], room: usize) -> Option<Json> {
        let (api, version) = (header.api_key, header.response_version());
        // Length and number of the request.
        let mut rest = frame.get(8..)?;
        if api.response_header_version(version) == 1 {
            let mut tags = Bytes::copy_from_slice(rest.get(..rest.len().min(16))?);
            let before = tags.len();
            read_tagged_fields(&mut tags).ok()?;
            rest = rest.get(before - tags.len()..)?;
        }
        read(api, false, version, rest, room)
    }
}

fn read(api: Api, is_request: bool, version: i16, body: &[u8], room: usize) -> Option<Json> {
    let message = messages().get(&(api.key(), is_request))?;
    let is_flexible = message.flexible.has(version);
    Reader { rest: body, version, is_flexible, room }.object(&message.fields)
}

/// Versions from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Versions(i16, i16);

impl Versions {
    const NONE: Versions = Versions(0, -1);

    fn parse(text: &str) -> Option<Versions> {
        if text == "none" {
            return Some(Versions::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Versions(first.parse().ok()?, i16::MAX));
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Versions(first.parse().ok()?, last.parse().ok()?))
    }

    fn has(self, version: i16) -> bool {
        (self.0..=self.1).contains(&version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Int64,
    Float64,
    Uuid,
    Text,
    Bytes,
    Records,
    Struct,
}

impl Kind {
    fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "bool" => Kind::Bool,
            "int8" => Kind::Int8,
            "int16" => Kind::Int16,
            "uint16" => Kind::Uint16,
            "int32" => Kind::Int32,
            "int64" => Kind::Int64,
            "float64" => Kind::Float64,
            "uuid" => Kind::Uuid,
            "string" => Kind::Text,
            "bytes" => Kind::Bytes,
            "records" => Kind::Records,
            "{}" => Kind::Struct,
            _ => return None,
        })
    }
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
    is_list: bool,
    versions: Versions,
    nullable: Versions,
    tag: Option<(u64, Versions)>,
    /// Of a struct.
    fields: Vec<Field>,
}

impl Field {
    fn parse(line: &'static str) -> Option<Field> {
        let mut words = line.split_ascii_whitespace();
        let (name, kind, versions) = (words.next()?, words.next()?, Versions::parse(words.next()?)?);
        let (is_list, kind) = match kind.strip_prefix("[]") {
            Some(kind) => (true, Kind::parse(kind)?),
            None => (false, Kind::parse(kind)?),
        };
        let (mut nullable, mut tag) = (Versions::NONE, None);
        for word in words {
            if let Some(versions) = word.strip_prefix('n') {
                nullable = Versions::parse(versions)?;
            } else {
                let (number, versions) = word.strip_prefix('t')?.split_once(':')?;
                tag = Some((number.parse().ok()?, Versions::parse(versions)?));
            }
        }
        Some(Field { name, kind, is_list, versions, nullable, tag, fields: Vec::new() })
    }

    /// Its number, where it is no plain field.
    fn tag_in(&self, version: i16) -> Option<u64> {
        self.tag.filter(|(_, versions)| versions.has(version)).map(|(tag, _)| tag)
    }
}

#[derive(Debug)]
struct Message {
    flexible: Versions,
    fields: Vec<Field>,
}

/// By API key, and whether it is the request.
type Messages = BTreeMap<(i16, bool), Message>;

fn messages() -> &'static Messages {
    static MESSAGES: OnceLock<Messages> = OnceLock::new();
    MESSAGES.get_or_init(|| parse(include_str!("schemas.txt")).unwrap_or_default())
}

/// `None`: the table is not one.
fn parse(text: &'static str) -> Option<Messages> {
    let mut messages = Messages::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    while let Some(head) = lines.next() {
        let mut words = head.split_ascii_whitespace();
        let key = (words.next()?.parse().ok()?, words.next()? == "request");
        let flexible = Versions::parse(words.next()?)?;
        messages.insert(key, Message { flexible, fields: fields(&mut lines, 1)? });
    }
    Some(messages)
}

fn fields(lines: &mut std::iter::Peekable<impl Iterator<Item = &'static str>>, depth: usize) -> Option<Vec<Field>> {
    let depth_of = |line: &str| line.len() - line.trim_start().len();
    let mut found: Vec<Field> = Vec::new();
    while let Some(line) = lines.next_if(|line| depth_of(line) == depth) {
        let mut field = Field::parse(line)?;
        if field.kind == Kind::Struct {
            field.fields = fields(lines, depth + 1)?;
        }
        found.push(field);
    }
    Some(found)
}

/// What is left to be read, and how much may still be shown. Whoever reads past the end gets nothing.
struct Reader<'a> {
    rest: &'a [u8],
    version: i16,
    is_flexible: bool,
    room: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// How long what follows is; `None` inside: it is null. Texts had shorter lengths before.
    fn length(&mut self, kind: Option<Kind>) -> Option<Option<usize>> {
        if self.is_flexible {
            let length = self.varint()?;
            return Some(length.checked_sub(1).and_then(|length| usize::try_from(length).ok()));
        }
        let length = match kind {
            Some(Kind::Text) => i32::from(i16::from_be_bytes(self.array()?)),
            _ => i32::from_be_bytes(self.array()?),
        };
        Some(usize::try_from(length).ok())
    }

    /// The fields of a struct, in the order of the definition.
    fn object(&mut self, fields: &'static [Field]) -> Option<Json> {
        let mut shown: Vec<Option<(String, Json)>> = fields.iter().map(|_| None).collect();
        for (field, slot) in fields.iter().zip(&mut shown) {
            if field.versions.has(self.version) && field.tag_in(self.version).is_none() {
                *slot = Some(self.field(field)?);
            }
        }
        if self.is_flexible {
            for _ in 0..self.varint()? {
                let (tag, size) = (self.varint()?, self.varint()?);
                let bytes = self.take(usize::try_from(size).ok()?)?;
                let known = |field: &Field| field.versions.has(self.version) && field.tag_in(self.version) == Some(tag);
                let Some(index) = fields.iter().position(known) else { continue };
                let mut inner = Reader { rest: bytes, room: self.room, ..*self };
                shown[index] = Some(inner.field(&fields[index])?);
                self.room = inner.room;
            }
        }
        Some(Json::Object(shown.into_iter().flatten().collect()))
    }

    fn field(&mut self, field: &'static Field) -> Option<(String, Json)> {
        self.spend(field.name.len() + 4);
        let value = if field.is_list { self.list(field)? } else { self.value(field)? };
        let is_size = field.kind == Kind::Records && value != Json::Null;
        let name = if is_size { format!("{}SizeInBytes", field.name) } else { field.name.to_owned() };
        Some((name, value))
    }

    fn list(&mut self, field: &'static Field) -> Option<Json> {
        let Some(count) = self.length(None)? else { return Some(Json::Null) };
        // An element takes a byte at least.
        if count > self.rest.len() {
            return None;
        }
        let (mut kept, mut more) = (Vec::new(), 0);
        for _ in 0..count {
            let is_full = self.room == 0;
            let element = match field.kind {
                // Elements of lists are never null.
                Kind::Struct => self.object(&field.fields)?,
                _ => self.value(field)?,
            };
            match is_full {
                true => more += 1,
                false => kept.push(element),
            }
        }
        if more > 0 {
            kept.push(Json::Text(format!("… {more} more")));
        }
        Some(Json::List(kept))
    }

    fn value(&mut self, field: &'static Field) -> Option<Json> {
        self.spend(6);
        Some(match field.kind {
            Kind::Bool => Json::Bool(self.array()? != [0]),
            Kind::Int8 => Json::Integer(i8::from_be_bytes(self.array()?).into()),
            Kind::Int16 => Json::Integer(i16::from_be_bytes(self.array()?).into()),
            Kind::Uint16 => Json::Integer(u16::from_be_bytes(self.array()?).into()),
            Kind::Int32 => Json::Integer(i32::from_be_bytes(self.array()?).into()),
            Kind::Int64 => Json::Integer(i64::from_be_bytes(self.array()?)),
            Kind::Float64 => Json::Float(f64::from_be_bytes(self.array()?)),
            Kind::Uuid => {
                let (high, low) = (u64::from_be_bytes(self.array()?), u64::from_be_bytes(self.array()?));
                self.text(KafkaUuid::from_parts(high, low).to_string())
            }
            Kind::Text | Kind::Bytes | Kind::Records => {
                let Some(length) = self.length(Some(field.kind))? else { return Some(Json::Null) };
                let bytes = self.take(length)?;
                match field.kind {
                    Kind::Records => Json::Integer(i64::try_from(length).ok()?),
                    // Six bits of a byte each: no more of it than would be shown.
                    Kind::Bytes => self.text(base64(&bytes[..bytes.len().min(self.room + 3)])),
                    _ => self.text(String::from_utf8_lossy(bytes).into_owned()),
                }
            }
            Kind::Struct if field.nullable.has(self.version) && self.array::<1>()?[0] == u8::MAX => Json::Null,
            Kind::Struct => self.object(&field.fields)?,
        })
    }

    /// A text, or as much of it as there is room for.
    fn text(&mut self, mut text: String) -> Json {
        let end = text.floor_char_boundary(self.room);
        if end < text.len() {
            text.truncate(end);
            text.push('…');
        }
        self.spend(text.len());
        Json::Text(text)
    }

    fn spend(&mut self, bytes: usize) {
        self.room = self.room.saturating_sub(bytes);
    }
}

/// As Jackson writes bytes: the plain alphabet, padded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [first, second, third] = [0, 1, 2].map(|index| u32::from(chunk.get(index).copied().unwrap_or(0)));
        let bits = first << 16 | second << 8 | third;
        for digit in 0..4 {
            let shown = digit <= chunk.len();
            text.push(if shown { DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::messages::{ApiVersionsResponseData, DeleteTopicsRequestData, KafkaString};
    use crate::protocol::{Response, encode_request, encode_response};

    const ROOM: usize = 1 << 20;

    fn golden(text: &'static str) -> impl Iterator<Item = (i16, i16, bool, &'static str)> {
        text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let mut words = line.splitn(4, ' ');
            let mut next = || words.next().unwrap_or_default();
            (next().parse().unwrap(), next().parse().unwrap(), next() == "request", next())
        })
    }

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// All messages that Kafka's own serializer wrote with every field filled, against Kafka's own converters.
    #[test]
    fn bodies_are_what_kafka_s_log_has() {
        let messages = golden(include_str!("../../tests/golden/messages.txt"));
        let mut bodies = golden(include_str!("../../tests/golden/bodies.txt"));
        let mut count = 0;
        for (key, version, is_request, hex) in messages {
            let (of_key, of_version, of_request, expected) = bodies.next().unwrap();
            assert_eq!((of_key, of_version, of_request), (key, version, is_request));
            let Some(api) = Api::from_key(key).filter(|api| api.supports(version)) else { continue };
            let told = read(api, is_request, version, &bytes_of(hex), ROOM);
            let told = told.unwrap_or_else(|| panic!("{api:?} v{version} request: {is_request} is not read"));
            let text = serde_json::to_string(&told).unwrap();
            let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parsed(&text), parsed(expected), "{api:?} v{version} request: {is_request}");
            if !expected.contains(".") {
                assert_eq!(text, expected, "the order of fields is Kafka's too");
            }
            count += 1;
        }
        assert!(count > 400, "{count}");
        assert!(bodies.next().is_none());
    }

    #[test]
    fn all_that_is_offered_is_in_the_table() {
        for api in Api::ALL {
            for is_request in [true, false] {
                let message = messages().get(&(api.key(), is_request)).unwrap_or_else(|| panic!("{api:?}"));
                for version in api.min_version()..=api.max_version() {
                    assert_eq!(message.flexible.has(version), api.is_flexible(version), "{api:?} v{version}");
                }
            }
        }
    }

    fn header(api_key: Api, api_version: i16) -> RequestHeader {
        RequestHeader { api_key, api_version, correlation_id: 7, client_id: Some("kcat".into()) }
    }

    #[test]
    fn frames_are_read_past_their_headers() {
        let header = header(Api::DeleteTopics, 5);
        let names = vec![KafkaString::from_static("t")];
        let request: Request = DeleteTopicsRequestData::default().with_topic_names(names).with_timeout_ms(9).into();
        let frame = encode_request(&header, &request).unwrap().freeze().slice(4..);
        let of_frame = Json::of_frame(&header, frame, ROOM).unwrap();
        assert_eq!(serde_json::to_string(&of_frame).unwrap(), r#"{"topicNames":["t"],"timeoutMs":9}"#);
        assert_eq!(Json::of_request(&request, 5, ROOM).unwrap(), of_frame);
        // One of a version that nobody knows has no body that could be shown; its answer has, of version 0.
        let future = self::header(Api::ApiVersions, 99);
        assert_eq!(Json::of_frame(&future, Bytes::from_static(b"\0\x12\0\x63\0\0\0\x07\0\0\xff"), ROOM), None);
        let answer = Response::ApiVersions(ApiVersionsResponseData::default().with_error_code(35));
        let frame = encode_response(&future, &answer).unwrap();
        let told = Json::of_answer(&future, &frame, ROOM).unwrap();
        assert_eq!(serde_json::to_string(&told).unwrap(), r#"{"errorCode":35,"apiKeys":[]}"#);
    }

    #[test]
    fn long_bodies_stay_json_and_say_what_is_missing() {
        let names: Vec<_> = (0..1_000).map(|index| KafkaString::from(format!("topic-{index}"))).collect();
        let request: Request = DeleteTopicsRequestData::default().with_topic_names(names).with_timeout_ms(9).into();
        let told = serde_json::to_value(Json::of_request(&request, 5, 200).unwrap()).unwrap();
        let shown = told["topicNames"].as_array().unwrap();
        assert_eq!((&shown[0], &told["timeoutMs"]), (&"topic-0".into(), &9.into()));
        assert_eq!(shown.last().unwrap(), &format!("… {} more", 1_000 - (shown.len() - 1)));
        assert!(serde_json::to_string(&told).unwrap().len() < 400, "{told}");
        let long: Request =
            DeleteTopicsRequestData::default().with_topic_names(vec![KafkaString::from("ä".repeat(5_000))]).into();
        let text = serde_json::to_string(&Json::of_request(&long, 5, 200).unwrap()).unwrap();
        assert!(text.len() < 300 && text.contains("ää…\""), "{text}");
    }

    #[test]
    fn bytes_are_told_as_jackson_does() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xfb\xff\xfe", "+//+")]
        {
            assert_eq!(base64(bytes), text);
        }
    }

    proptest! {
        /// Whatever comes, it is read to its end or not at all.
        #[test]
        fn no_bytes_panic(
            index in 0..Api::ALL.len(),
            version in 0i16..19,
            is_request: bool,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = read(Api::ALL[index], is_request, version, &body, 100);
        }
    }
}
