//! A well-formed request, and each of its fields at its limits.

use serde_json::{Value, json};

use super::codec::{self, ZERO_ID};
use super::normal::UNKNOWN_ID;
use super::schema::{Field, Kind, Message};
use super::side::{Outcome, Side, request_of};

/// A step to a field: its name, or the first element of an array.
#[derive(Clone)]
enum To<'a> {
    Field(&'a str),
    First,
}

/// One field with another value: how it is called, and the whole body.
pub type Mutation = (String, Value);

/// The body with each field of this version at its limits, in turn.
pub fn mutations(message: &Message, version: i16, body: &Value, skipped: &[&str]) -> Vec<Mutation> {
    let mut found = Vec::new();
    let mut walk = Walk { version, body, skipped, path: Vec::new(), found: &mut found };
    walk.structure(&message.fields, body);
    found
}

struct Walk<'a, 'b> {
    version: i16,
    body: &'a Value,
    skipped: &'a [&'a str],
    path: Vec<To<'a>>,
    found: &'b mut Vec<Mutation>,
}

impl<'a> Walk<'a, '_> {
    fn structure(&mut self, fields: &'a [Field], body: &'a Value) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.has(version)) {
            if self.skipped.contains(&field.name.as_str()) {
                continue;
            }
            self.path.push(To::Field(&field.name));
            let value = body.get(&field.name);
            if field.array {
                self.array(field, value);
            } else if field.kind == Kind::Struct {
                self.put(Value::Null);
                self.structure(&field.fields, value.unwrap_or(&Value::Null));
            } else {
                self.scalar(field, value);
            }
            self.path.pop();
        }
    }

    fn array(&mut self, field: &'a Field, value: Option<&'a Value>) {
        self.put(json!([]));
        self.put(Value::Null);
        let Some(first) = value.and_then(|items| items.get(0)) else { return };
        let all = value.and_then(Value::as_array).cloned().unwrap_or_default();
        self.put(Value::from([vec![first.clone()], all].concat()));
        self.path.push(To::First);
        match field.kind {
            Kind::Struct => self.structure(&field.fields, first),
            _ => self.scalar(field, Some(first)),
        }
        self.path.pop();
    }

    fn scalar(&mut self, field: &Field, value: Option<&Value>) {
        for other in limits(field, value) {
            if Some(&other) != value {
                self.put(other);
            }
        }
    }

    fn put(&mut self, value: Value) {
        let mut body = self.body.clone();
        let mut at = &mut body;
        let mut name = String::new();
        for step in &self.path {
            match step {
                To::Field(field) => {
                    if at.is_null() {
                        *at = json!({});
                    }
                    name = if name.is_empty() { (*field).to_owned() } else { format!("{name}.{field}") };
                    at = &mut at[*field];
                }
                To::First => {
                    name.push_str("[0]");
                    at = &mut at[0];
                }
            }
        }
        let text = value.to_string();
        let shown = if text.chars().count() > 60 { format!("{} bytes", text.len()) } else { text };
        *at = value;
        self.found.push((format!("{name} = {shown}"), body));
    }
}

fn limits(field: &Field, value: Option<&Value>) -> Vec<Value> {
    let numbers = |min: i64, max: i64| [-1, 0, 1, -2, min, max].map(Value::from).to_vec();
    match field.kind {
        Kind::Bool => vec![Value::Bool(value != Some(&Value::Bool(true)))],
        Kind::Int8 => numbers(i8::MIN.into(), i8::MAX.into()),
        Kind::Int16 => numbers(i16::MIN.into(), i16::MAX.into()),
        Kind::Uint16 => [0, 1, u16::MAX].map(Value::from).to_vec(),
        Kind::Int32 if field.entity.as_deref() == Some("brokerId") => {
            [numbers(i32::MIN.into(), i32::MAX.into()), vec![json!(3), json!(99)]].concat()
        }
        Kind::Int32 => numbers(i32::MIN.into(), i32::MAX.into()),
        Kind::Uint32 => [0, 1, u32::MAX].map(Value::from).to_vec(),
        Kind::Int64 => numbers(i64::MIN, i64::MAX),
        Kind::Float64 => [0.0, -1.0, 1e300].map(Value::from).to_vec(),
        Kind::String => {
            let mut texts = vec![json!(""), Value::Null, json!("unknown"), json!("x".repeat(250))];
            if field.entity.as_deref() == Some("topicName") {
                texts.extend([json!("bad name!"), json!(".."), json!("__consumer_offsets")]);
            }
            texts
        }
        Kind::Uuid => vec![json!(ZERO_ID), json!(UNKNOWN_ID), json!("00000000000000000000000000000001")],
        Kind::Bytes | Kind::Records => vec![json!("0x"), Value::Null, json!("0xdeadbeef")],
        Kind::Struct => Vec::new(),
    }
}

/// What an API's requests are made of, for all its versions.
pub struct Sweep<'a> {
    /// API.
    pub api: &'a str,
    /// The broker that is asked.
    pub broker: i32,
    /// Fields that stay as they are, because other values make the answer a matter of time or of who comes first.
    pub skipped: &'a [&'a str],
    /// Versions; `None` for all.
    pub versions: Option<std::ops::RangeInclusive<i16>>,
    /// Values that are not asked, by a part of their label: `__consumer_offsets` where naming it would do harm.
    pub except: &'a [&'a str],
    /// Whether the last body, which has a tagged field, is made anew too, because the same one twice is a matter of time.
    pub seeds_last: bool,
}

impl<'a> Sweep<'a> {
    /// All versions, all fields, broker 1.
    pub fn of(api: &'a str) -> Sweep<'a> {
        Sweep { api, broker: 1, skipped: &[], versions: None, except: &[], seeds_last: false }
    }

    /// At this broker.
    pub fn at(mut self, broker: i32) -> Self {
        self.broker = broker;
        self
    }

    /// Without these fields.
    pub fn without(mut self, skipped: &'a [&'a str]) -> Self {
        self.skipped = skipped;
        self
    }

    /// Without naming an internal topic.
    pub fn without_internal(self) -> Self {
        self.except(&["__consumer_offsets"])
    }

    /// Without the values whose labels have one of these in them.
    pub fn except(mut self, parts: &'a [&'a str]) -> Self {
        self.except = parts;
        self
    }

    /// What has a tagged field is the only one of its body.
    pub fn seeding_last(mut self) -> Self {
        self.seeds_last = true;
        self
    }

    /// With these versions only.
    pub fn versions(mut self, versions: std::ops::RangeInclusive<i16>) -> Self {
        self.versions = Some(versions);
        self
    }

    /// Plays it: the well-formed request, each field at its limits, and bodies that end early or late. `seed` makes a well-formed body
    /// each time anew, so that what the one before did is out of the way.
    ///
    /// # Errors
    /// A seed cannot be made.
    pub fn play(self, side: &mut Side, mut seed: impl FnMut(&mut Side, i16) -> Outcome<Value>) -> Outcome {
        let message = request_of(self.api)?;
        let versions = self.versions.clone().unwrap_or(message.versions.min..=message.versions.max);
        for version in versions {
            side.anew();
            let body = seed(side, version)?;
            side.ask("well-formed", self.broker, self.api, version, &body)?;
            let labels = mutations(message, version, &body, self.skipped).into_iter().map(|(label, _)| label);
            let labels: Vec<String> = labels.filter(|label| !side.skips(self.api, version, label)).collect();
            for label in labels.into_iter().filter(|label| !self.except.iter().any(|part| label.contains(part))) {
                side.anew();
                let body = seed(side, version)?;
                let mutation = mutations(message, version, &body, self.skipped).into_iter().find(|one| one.0 == label);
                if let Some((label, mutated)) = mutation {
                    side.ask(&label, self.broker, self.api, version, &mutated)?;
                }
            }
            let body = seed(side, version)?;
            self.bytes(side, message, version, &body)?;
            let body = if self.seeds_last { seed(side, version)? } else { body };
            self.tagged(side, message, version, &body)?;
        }
        Ok(())
    }

    fn bytes(&self, side: &mut Side, message: &Message, version: i16, body: &Value) -> Outcome {
        if side.skips(self.api, version, "goes on for a byte") {
            return Ok(());
        }
        side.anew();
        let whole = codec::encode(message, version, body)?;
        if !whole.is_empty() {
            side.ask_bytes("ends a byte early", self.broker, self.api, version, &whole[..whole.len() - 1])?;
            side.ask_bytes("ends in the middle", self.broker, self.api, version, &whole[..whole.len() / 2])?;
            side.ask_bytes("is empty", self.broker, self.api, version, &[])?;
        }
        let longer = [&whole[..], &[0]].concat();
        side.ask_bytes("goes on for a byte", self.broker, self.api, version, &longer)?;
        Ok(())
    }

    fn tagged(&self, side: &mut Side, message: &Message, version: i16, body: &Value) -> Outcome {
        if side.skips(self.api, version, "goes on for a byte") {
            return Ok(());
        }
        let whole = codec::encode(message, version, body)?;
        if message.flexible.has(version) && whole.last() == Some(&0) {
            let tagged = [&whole[..whole.len() - 1], &[1, 99, 2, 0xab, 0xcd]].concat();
            side.ask_bytes("has an unknown tagged field", self.broker, self.api, version, &tagged)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Schemas;
    use super::*;

    #[test]
    fn each_field_of_a_version_gets_other_values() {
        let message = Schemas::kafka().request("Metadata").expect("it is defined");
        let body = json!({"Topics": [{"Name": "t"}]});
        let labels: Vec<String> = mutations(message, 4, &body, &[]).into_iter().map(|(label, _)| label).collect();
        assert!(labels.contains(&"Topics[0].Name = null".to_owned()), "{labels:?}");
        assert!(labels.contains(&"AllowAutoTopicCreation = true".to_owned()), "{labels:?}");
        assert!(!labels.iter().any(|label| label.contains("TopicId")), "not in version 4: {labels:?}");
        assert!(mutations(message, 4, &body, &["Topics"]).len() < labels.len());
        for version in message.versions.min..=message.versions.max {
            for (label, body) in mutations(message, version, &body, &[]) {
                assert!(codec::encode(message, version, &body).is_ok(), "{label} at {version}");
            }
        }
    }
}
