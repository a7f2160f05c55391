//! Bodies of requests and responses as JSON, walked along the message definitions.
//!
//! Bytes and records are `"0x…"`, uuids 32 hex digits. A tagged field is there only if it was on the wire; fields that a version does not
//! have are not there at all.

use serde_json::{Map, Value};

use super::ConformanceError;
use super::schema::{Field, Kind, Message};

type Result<T> = std::result::Result<T, ConformanceError>;

fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(ConformanceError::Codec(what.into()))
}

/// `0x…` of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |text, byte| text + &format!("{byte:02x}"))
}

/// The bytes of hex digits, with or without `0x`.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Writes a body. What the JSON does not have gets its default.
///
/// # Errors
/// A key that the definition does not know in any version, or a value of another type.
pub fn encode(message: &Message, version: i16, body: &Value) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let writer = Writer { version, flexible: message.flexible.has(version) };
    writer.structure(&message.fields, body, &mut out)?;
    Ok(out)
}

struct Writer {
    version: i16,
    flexible: bool,
}

fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Writer {
    fn structure(&self, fields: &[Field], body: &Value, out: &mut Vec<u8>) -> Result<()> {
        let empty = Map::new();
        let object = body.as_object().unwrap_or(&empty);
        if let Some(key) = object.keys().find(|key| fields.iter().all(|field| field.name != **key)) {
            return wrong(format!("there is no field {key}"));
        }
        let mut tagged = Vec::new();
        for field in fields.iter().filter(|field| field.versions.has(self.version)) {
            if field.is_tagged(self.version) {
                if let Some((value, (tag, _))) = object.get(&field.name).zip(field.tag) {
                    let mut bytes = Vec::new();
                    self.field(field, Some(value), &mut bytes)?;
                    tagged.push((tag, bytes));
                }
            } else {
                self.field(field, object.get(&field.name), out)?;
            }
        }
        if self.flexible {
            tagged.sort();
            put_varint(out, tagged.len() as u32);
            for (tag, bytes) in tagged {
                put_varint(out, tag);
                put_varint(out, bytes.len() as u32);
                out.extend(bytes);
            }
        }
        Ok(())
    }

    fn length(&self, length: Option<usize>, short: bool, out: &mut Vec<u8>) {
        match (self.flexible, length) {
            (true, length) => put_varint(out, length.map_or(0, |length| length as u32 + 1)),
            (false, length) if short => out.extend((length.map_or(-1, |length| length as i16)).to_be_bytes()),
            (false, length) => out.extend((length.map_or(-1, |length| length as i32)).to_be_bytes()),
        }
    }

    fn field(&self, field: &Field, value: Option<&Value>, out: &mut Vec<u8>) -> Result<()> {
        if !field.array {
            return self.scalar(field, value, out);
        }
        match value {
            Some(Value::Null) => self.length(None, false, out),
            None if field.default.as_deref() == Some("null") => self.length(None, false, out),
            None => self.length(Some(0), false, out),
            Some(Value::Array(items)) => {
                self.length(Some(items.len()), false, out);
                for item in items {
                    match field.kind {
                        Kind::Struct => self.structure(&field.fields, item, out)?,
                        _ => self.scalar(field, Some(item), out)?,
                    }
                }
            }
            Some(other) => return wrong(format!("{} is no array: {other}", field.name)),
        }
        Ok(())
    }

    fn scalar(&self, field: &Field, value: Option<&Value>, out: &mut Vec<u8>) -> Result<()> {
        let default = field.default.as_deref();
        let number = || -> Result<i64> {
            match value {
                None => Ok(default.map_or(0, parse_number)),
                Some(value) => match value.as_i64() {
                    Some(number) => Ok(number),
                    None => wrong(format!("{} is no number: {value}", field.name)),
                },
            }
        };
        match field.kind {
            Kind::Bool => {
                out.push(u8::from(value.map_or(default == Some("true"), |value| value == &Value::Bool(true))))
            }
            Kind::Int8 => out.push(number()? as u8),
            Kind::Int16 | Kind::Uint16 => out.extend((number()? as u16).to_be_bytes()),
            Kind::Int32 | Kind::Uint32 => out.extend((number()? as u32).to_be_bytes()),
            Kind::Int64 => out.extend(number()?.to_be_bytes()),
            Kind::Float64 => out.extend(value.and_then(Value::as_f64).unwrap_or_default().to_be_bytes()),
            Kind::Uuid => match unhex(value.and_then(Value::as_str).unwrap_or(ZERO_ID)) {
                Some(bytes) if bytes.len() == 16 => out.extend(bytes),
                _ => return wrong(format!("{} is no uuid: {value:?}", field.name)),
            },
            Kind::String => {
                let text = match value {
                    Some(value) => value.as_str(),
                    None => Some(default.unwrap_or_default()).filter(|text| *text != "null"),
                };
                self.length(text.map(str::len), true, out);
                out.extend(text.unwrap_or_default().as_bytes());
            }
            Kind::Bytes | Kind::Records => {
                let bytes = match value {
                    Some(Value::Null) => None,
                    Some(value) => match value.as_str().and_then(unhex) {
                        Some(bytes) => Some(bytes),
                        None => return wrong(format!("{} is no hex: {value}", field.name)),
                    },
                    None => Some(Vec::new()).filter(|_| default != Some("null")),
                };
                self.length(bytes.as_ref().map(Vec::len), false, out);
                out.extend(bytes.unwrap_or_default());
            }
            Kind::Struct => match value {
                None if default == Some("null") => out.push(0xff),
                Some(Value::Null) => out.push(0xff),
                value => {
                    if field.nullable.has(self.version) {
                        out.push(1);
                    }
                    self.structure(&field.fields, value.unwrap_or(&Value::Null), out)?;
                }
            },
        }
        Ok(())
    }
}

/// The id that names nothing.
pub const ZERO_ID: &str = "00000000000000000000000000000000";

fn parse_number(text: &str) -> i64 {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).unwrap_or_default(),
        None => text.parse().unwrap_or_default(),
    }
}

/// Reads a body to its end.
///
/// # Errors
/// It ends early, or goes on after its end.
pub fn decode(message: &Message, version: i16, bytes: &[u8]) -> Result<Value> {
    let mut reader = Reader { rest: bytes, version, flexible: message.flexible.has(version) };
    let body = reader.structure(&message.fields)?;
    match reader.rest.len() {
        0 => Ok(body),
        more => wrong(format!("{more} bytes follow the body {body}")),
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        match self.rest.split_at_checked(count) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => wrong(format!("{count} bytes are to follow, {} do", self.rest.len())),
        }
    }

    fn number(&mut self, count: usize) -> Result<u64> {
        Ok(self.take(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn varint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.number(1)? as usize;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        wrong("a varint does not end")
    }

    fn length(&mut self, short: bool) -> Result<Option<usize>> {
        Ok(match (self.flexible, short) {
            (true, _) => self.varint()?.checked_sub(1),
            (false, true) => usize::try_from(self.number(2)? as i16).ok(),
            (false, false) => usize::try_from(self.number(4)? as i32).ok(),
        })
    }

    fn structure(&mut self, fields: &[Field]) -> Result<Value> {
        let (mut object, version) = (Map::new(), self.version);
        for field in fields.iter().filter(|field| field.versions.has(version) && !field.is_tagged(version)) {
            let value = self.field(field)?;
            object.insert(field.name.clone(), value);
        }
        if self.flexible {
            for _ in 0..self.varint()? {
                let (tag, size) = (self.varint()?, self.varint()?);
                let bytes = self.take(size)?.to_vec();
                let mut inner = Reader { rest: &bytes, version, flexible: true };
                let known = |field: &&Field| {
                    field.versions.has(version)
                        && field.is_tagged(version)
                        && field.tag.is_some_and(|(number, _)| number as usize == tag)
                };
                match fields.iter().find(known) {
                    Some(field) => object.insert(field.name.clone(), inner.field(field)?),
                    None => object.insert(format!("tag {tag}"), Value::String(hex(&bytes))),
                };
            }
        }
        Ok(Value::Object(object))
    }

    fn field(&mut self, field: &Field) -> Result<Value> {
        if !field.array {
            return self.scalar(field);
        }
        let Some(count) = self.length(false)? else { return Ok(Value::Null) };
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(match field.kind {
                Kind::Struct => self.structure(&field.fields)?,
                _ => self.scalar(field)?,
            });
        }
        Ok(Value::Array(items))
    }

    fn scalar(&mut self, field: &Field) -> Result<Value> {
        Ok(match field.kind {
            Kind::Bool => Value::Bool(self.number(1)? != 0),
            Kind::Int8 => Value::from(self.number(1)? as i8),
            Kind::Int16 => Value::from(self.number(2)? as i16),
            Kind::Uint16 => Value::from(self.number(2)? as u16),
            Kind::Int32 => Value::from(self.number(4)? as i32),
            Kind::Uint32 => Value::from(self.number(4)? as u32),
            Kind::Int64 => Value::from(self.number(8)? as i64),
            Kind::Float64 => Value::from(f64::from_bits(self.number(8)?)),
            Kind::Uuid => Value::String(hex(self.take(16)?)[2..].to_owned()),
            Kind::String => match self.length(true)? {
                Some(length) => Value::String(String::from_utf8_lossy(self.take(length)?).into_owned()),
                None => Value::Null,
            },
            Kind::Bytes | Kind::Records => match self.length(false)? {
                Some(length) => Value::String(hex(self.take(length)?)),
                None => Value::Null,
            },
            Kind::Struct => {
                if field.nullable.has(self.version) && self.number(1)? as i8 == -1 {
                    return Ok(Value::Null);
                }
                self.structure(&field.fields)?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Schemas;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let fetch = Schemas::kafka().request("Fetch").expect("it is defined");
        let partition = json!({"Partition": 3, "FetchOffset": 7, "HighWatermark": 5});
        let body = json!({"MaxWaitMs": 5, "ClusterId": "c", "ReplicaState": {"ReplicaId": 1, "ReplicaEpoch": 2},
            "Topics": [{"TopicId": "000102030405060708090a0b0c0d0e0f", "Partitions": [partition]}]});
        let read = decode(fetch, 18, &encode(fetch, 18, &body).expect("it fits")).expect("it is whole");
        assert_eq!(read["ReplicaState"], body["ReplicaState"]);
        assert_eq!(read["Topics"][0]["Partitions"][0]["HighWatermark"], 5);
        assert_eq!(read["Topics"][0]["TopicId"], body["Topics"][0]["TopicId"]);
        assert!(read["Topics"][0]["Partitions"][0].get("ReplicaDirectoryId").is_none(), "it was not on the wire");
        let old = decode(fetch, 4, &encode(fetch, 4, &body).expect("it fits")).expect("it is whole");
        assert_eq!(old["ReplicaId"], -1);
        assert!(old.get("RackId").is_none());
    }

    /// Our codec is another one (kacrab's), and the two must agree on each request at each version.
    #[test]
    fn empty_requests_are_those_of_the_brokers_codec() {
        for api in broker::protocol::Api::ALL {
            let message = Schemas::kafka().request(api.name()).expect("it is defined");
            for version in message.versions.min..=message.versions.max {
                let body = encode(message, version, &json!({})).expect("defaults");
                let mut frame = Vec::new();
                frame.extend(api.key().to_be_bytes());
                frame.extend(version.to_be_bytes());
                frame.extend(7_i32.to_be_bytes());
                frame.extend((-1_i16).to_be_bytes());
                if message.flexible.has(version) {
                    frame.push(0);
                }
                frame.extend(body);
                let read = broker::protocol::decode_request(frame.into());
                assert!(read.is_ok(), "{api:?} {version}: {read:?}");
            }
        }
    }
}
