//! The facts of Kafka's message definitions: fields with types, versions, defaults. Read from `schemas.txt`, which
//! `conformance --write-schemas` makes from the definitions in Kafka's jar.
//!
//! A message is a line `Name key request|response versions flexible`; its fields follow, one a line, indented by their depth:
//! `Name type versions` and then, where it applies, `null:versions`, `default:value`, `tag:number/versions`, `entity:kind`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Versions from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// First.
    pub min: i16,
    /// Last; `i16::MAX` for an open end.
    pub max: i16,
}

impl Versions {
    const NONE: Versions = Versions { min: 0, max: -1 };

    /// `3-13`, `9+`, `0`, `none`.
    pub fn parse(text: &str) -> Versions {
        let number = |text: &str| text.parse().unwrap_or(-1);
        match text.split_once('-') {
            _ if text == "none" => Versions::NONE,
            Some((min, max)) => Versions { min: number(min), max: number(max) },
            None if text.ends_with('+') => Versions { min: number(text.trim_end_matches('+')), max: i16::MAX },
            None => Versions { min: number(text), max: number(text) },
        }
    }

    /// True if it holds this version.
    pub fn has(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }
}

/// Type of a field, or of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are Kafka's own names")]
pub enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    String,
    Uuid,
    Bytes,
    Records,
    Struct,
}

impl Kind {
    fn parse(text: &str) -> Kind {
        match text {
            "bool" => Kind::Bool,
            "int8" => Kind::Int8,
            "int16" => Kind::Int16,
            "uint16" => Kind::Uint16,
            "int32" => Kind::Int32,
            "uint32" => Kind::Uint32,
            "int64" => Kind::Int64,
            "float64" => Kind::Float64,
            "string" => Kind::String,
            "uuid" => Kind::Uuid,
            "bytes" => Kind::Bytes,
            "records" => Kind::Records,
            _ => Kind::Struct,
        }
    }
}

/// A field of a message or of a struct in it.
#[derive(Clone, Debug)]
pub struct Field {
    /// Kafka's name.
    pub name: String,
    /// Type; of the elements, if it is an array.
    pub kind: Kind,
    /// True for an array.
    pub array: bool,
    /// In which versions it stands.
    pub versions: Versions,
    /// In which it may be null.
    pub nullable: Versions,
    /// Number of a tagged field, and in which versions it is one.
    pub tag: Option<(u32, Versions)>,
    /// What an absent value stands for.
    pub default: Option<String>,
    /// What it names: `topicName`, `groupId`, `brokerId`, …
    pub entity: Option<String>,
    /// Fields of the struct.
    pub fields: Vec<Field>,
}

impl Field {
    /// True where it travels as a tagged field.
    pub fn is_tagged(&self, version: i16) -> bool {
        self.tag.is_some_and(|(_, versions)| versions.has(version))
    }
}

/// A request or a response.
#[derive(Clone, Debug)]
pub struct Message {
    /// `Fetch`, without Request or Response.
    pub api: String,
    /// API key.
    pub key: i16,
    /// Versions that Kafka knows.
    pub versions: Versions,
    /// Versions with tagged fields.
    pub flexible: Versions,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// All messages.
pub struct Schemas {
    requests: BTreeMap<String, Message>,
    responses: BTreeMap<String, Message>,
}

impl Schemas {
    /// The definitions of Kafka 4.3.
    pub fn kafka() -> &'static Schemas {
        static READ: OnceLock<Schemas> = OnceLock::new();
        READ.get_or_init(|| Schemas::parse(include_str!("schemas.txt")))
    }

    fn parse(text: &str) -> Schemas {
        let mut schemas = Schemas { requests: BTreeMap::new(), responses: BTreeMap::new() };
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
        while let Some(line) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            let [api, key, direction, versions, flexible] = words[..] else { continue };
            let message = Message {
                api: api.to_owned(),
                key: key.parse().unwrap_or(-1),
                versions: Versions::parse(versions),
                flexible: Versions::parse(flexible),
                fields: fields(&mut lines, 1),
            };
            let map = if direction == "request" { &mut schemas.requests } else { &mut schemas.responses };
            map.insert(api.to_owned(), message);
        }
        schemas
    }

    /// The request of an API.
    pub fn request(&self, api: &str) -> Option<&Message> {
        self.requests.get(api)
    }

    /// The response of an API.
    pub fn response(&self, api: &str) -> Option<&Message> {
        self.responses.get(api)
    }

    /// All requests.
    pub fn requests(&self) -> impl Iterator<Item = &Message> {
        self.requests.values()
    }
}

fn fields<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    while let Some(line) = lines.peek() {
        let indent = line.len() - line.trim_start().len();
        if indent < depth {
            break;
        }
        if indent > depth {
            let nested = fields(lines, depth + 1);
            if let Some(last) = found.last_mut() {
                last.fields = nested;
            }
            continue;
        }
        let line = lines.next().unwrap_or_default().trim_start();
        found.extend(field(line));
    }
    found
}

fn field(line: &str) -> Option<Field> {
    let mut words = line.split(' ');
    let (name, kind, versions) = (words.next()?, words.next()?, words.next()?);
    let mut field = Field {
        name: name.to_owned(),
        kind: Kind::parse(kind.trim_start_matches("[]")),
        array: kind.starts_with("[]"),
        versions: Versions::parse(versions),
        nullable: Versions::NONE,
        tag: None,
        default: None,
        entity: None,
        fields: Vec::new(),
    };
    for word in words {
        let (what, value) = word.split_once(':')?;
        match what {
            "null" => field.nullable = Versions::parse(value),
            "default" => field.default = Some(value.to_owned()),
            "entity" => field.entity = Some(value.to_owned()),
            "tag" => {
                let (number, versions) = value.split_once('/')?;
                field.tag = Some((number.parse().ok()?, Versions::parse(versions)));
            }
            _ => {}
        }
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_all_there() {
        let fetch = Schemas::kafka().request("Fetch").expect("it is defined");
        assert_eq!((fetch.key, fetch.versions, fetch.flexible.min), (1, Versions { min: 4, max: 18 }, 12));
        let state = fetch.fields.iter().find(|field| field.name == "ReplicaState").expect("a field");
        assert_eq!((state.kind, state.tag.map(|tag| tag.0), state.fields.len()), (Kind::Struct, Some(1), 2));
        for request in Schemas::kafka().requests() {
            assert!(Schemas::kafka().response(&request.api).is_some(), "{}", request.api);
        }
        assert!(Schemas::kafka().requests().count() > 80);
    }

    #[test]
    fn ours_are_kafkas_versions() {
        for api in broker::protocol::Api::ALL {
            let kafka = Schemas::kafka().request(api.name()).expect("Kafka has it");
            assert_eq!(kafka.key, api.key(), "{api:?}");
            assert_eq!((api.min_version(), api.max_version()), (kafka.versions.min, kafka.versions.max), "{api:?}");
        }
    }
}
