//! Avro's binary encoding into a tree, by a schema. Source: Apache Avro 1.12, "Specification": schemas, names, binary encoding, logical types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::tree::{Builder, Enough, Tree, What};
use super::{Fault, fault};
use crate::monitor::messages::time;

const FORMAT: &str = "Avro";
/// Records that hold themselves end here.
const DEPTH_MAX: usize = 200;
/// Types of one schema.
const TYPES_MAX: usize = 20_000;

/// A schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Avro {
    root: Type,
    named: BTreeMap<String, Arc<Type>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Type {
    Null,
    Boolean,
    Int(Logical),
    Long(Logical),
    Float,
    Double,
    Bytes(Logical),
    String,
    Fixed(usize, Logical),
    Enum(Vec<String>),
    Record(Vec<(String, Type)>),
    List(Box<Type>),
    Map(Box<Type>),
    Union(Vec<Type>),
    Named(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Logical {
    #[default]
    None,
    Date,
    Milliseconds,
    Microseconds,
    Decimal(usize),
}

/// While a schema is read.
struct Parser {
    named: BTreeMap<String, Arc<Type>>,
    types: usize,
}

impl Avro {
    /// Reads a schema (`.avsc`); an error is a sentence.
    pub fn parse(text: &str) -> Result<Avro, String> {
        // The library refuses what is nested too deeply, so that what follows may recurse.
        let json: Value = serde_json::from_str(text).map_err(|error| format!("The schema is no JSON: {error}."))?;
        let mut parser = Parser { named: BTreeMap::new(), types: 0 };
        let root = parser.of(&json, "")?;
        let schema = Avro { root, named: parser.named };
        schema.check(&schema.root)?;
        for named in schema.named.values() {
            schema.check(named)?;
        }
        Ok(schema)
    }

    /// All names that are used must be there.
    fn check(&self, one: &Type) -> Result<(), String> {
        match one {
            Type::Named(name) if !self.named.contains_key(name) => {
                Err(format!("The schema speaks of {name}, which it does not define."))
            }
            Type::Record(fields) => fields.iter().try_for_each(|(_, field)| self.check(field)),
            Type::Union(branches) => branches.iter().try_for_each(|branch| self.check(branch)),
            Type::List(item) | Type::Map(item) => self.check(item),
            _ => Ok(()),
        }
    }

    /// Reads a value that fills `bytes`.
    pub fn read(&self, bytes: &[u8], nodes_max: usize) -> Result<Tree, Fault> {
        let mut reader = Reader { schema: self, bytes, at: 0, out: Builder::new(nodes_max) };
        match reader.value(&self.root, 0) {
            Ok(()) if reader.at < bytes.len() => Err(fault(FORMAT, reader.at, "something follows the value")),
            Ok(()) | Err(Stop::Enough) => Ok(reader.out.finish()),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }
}

impl Parser {
    fn of(&mut self, json: &Value, space: &str) -> Result<Type, String> {
        self.types += 1;
        if self.types > TYPES_MAX {
            return Err("The schema has too many types.".into());
        }
        match json {
            Value::String(name) => Ok(primitive(name, Logical::None).unwrap_or_else(|| Type::Named(full(name, space)))),
            Value::Array(branches) => {
                Ok(Type::Union(branches.iter().map(|branch| self.of(branch, space)).collect::<Result<_, _>>()?))
            }
            Value::Object(_) => self.complex(json, space),
            _ => Err(format!("The schema has {json} where a type should be.")),
        }
    }

    fn complex(&mut self, json: &Value, space: &str) -> Result<Type, String> {
        let logical = logical(json);
        let kind = match &json["type"] {
            Value::String(kind) => kind.as_str(),
            nested @ (Value::Object(_) | Value::Array(_)) => return self.of(nested, space),
            _ => return Err("A part of the schema has no type.".into()),
        };
        match kind {
            "array" => Ok(Type::List(Box::new(self.of(&json["items"], space)?))),
            "map" => Ok(Type::Map(Box::new(self.of(&json["values"], space)?))),
            "record" | "error" | "enum" | "fixed" => self.named_type(kind, json, logical, space),
            other => Ok(primitive(other, logical).unwrap_or_else(|| Type::Named(full(other, space)))),
        }
    }

    fn named_type(&mut self, kind: &str, json: &Value, logical: Logical, space: &str) -> Result<Type, String> {
        let name = json["name"].as_str().ok_or_else(|| format!("A {kind} of the schema has no name."))?;
        let space = json["namespace"].as_str().unwrap_or(space);
        let name = full(name, space);
        let space = name.rsplit_once('.').map_or("", |(space, _)| space).to_owned();
        let defined = match kind {
            "enum" => {
                let symbols = json["symbols"].as_array().map(Vec::as_slice).unwrap_or_default();
                Type::Enum(symbols.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            }
            "fixed" => {
                let size = json["size"].as_u64().and_then(|size| usize::try_from(size).ok());
                Type::Fixed(size.ok_or_else(|| format!("{name} has no size."))?, logical)
            }
            _ => {
                let fields = json["fields"].as_array().ok_or_else(|| format!("{name} has no fields."))?;
                let field = |field: &Value| {
                    let name = field["name"].as_str().unwrap_or_default().to_owned();
                    Ok((name, self.of(&field["type"], &space)?))
                };
                Type::Record(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
        };
        if self.named.insert(name.clone(), Arc::new(defined)).is_some() {
            return Err(format!("The schema defines {name} twice."));
        }
        Ok(Type::Named(name))
    }
}

fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

fn primitive(name: &str, logical: Logical) -> Option<Type> {
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(logical),
        "long" => Type::Long(logical),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes(logical),
        "string" => Type::String,
        _ => return None,
    })
}

fn logical(json: &Value) -> Logical {
    match json["logicalType"].as_str() {
        Some("date") => Logical::Date,
        Some("timestamp-millis" | "local-timestamp-millis") => Logical::Milliseconds,
        Some("timestamp-micros" | "local-timestamp-micros") => Logical::Microseconds,
        Some("decimal") => Logical::Decimal(json["scale"].as_u64().map_or(0, |scale| scale.min(400) as usize)),
        _ => Logical::None,
    }
}

enum Stop {
    Enough,
    Fault(Fault),
}

impl From<Enough> for Stop {
    fn from(_: Enough) -> Stop {
        Stop::Enough
    }
}

struct Reader<'a> {
    schema: &'a Avro,
    bytes: &'a [u8],
    at: usize,
    out: Builder,
}

impl<'a> Reader<'a> {
    fn wrong<T>(&self, why: &'static str) -> Result<T, Stop> {
        Err(Stop::Fault(fault(FORMAT, self.at, why)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Stop> {
        match self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end)) {
            Some(part) => {
                self.at += len;
                Ok(part)
            }
            None => self.wrong("it ends too early"),
        }
    }

    fn long(&mut self) -> Result<i64, Stop> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        self.wrong("a number is too long")
    }

    fn length(&mut self) -> Result<usize, Stop> {
        let len = self.long()?;
        usize::try_from(len).or_else(|_| self.wrong("a length is negative"))
    }

    fn string(&mut self) -> Result<&'a str, Stop> {
        let len = self.length()?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).or_else(|_| self.wrong("a text is not UTF-8"))
    }

    fn value(&mut self, of: &'a Type, depth: usize) -> Result<(), Stop> {
        if depth > DEPTH_MAX {
            return self.wrong("it is nested too deeply");
        }
        match of {
            Type::Null => self.out.leaf(What::Null)?,
            Type::Boolean => match self.take(1)?[0] {
                byte @ (0 | 1) => self.out.leaf(What::Bool(byte == 1))?,
                _ => return self.wrong("a boolean is neither 0 nor 1"),
            },
            Type::Int(logical) | Type::Long(logical) => {
                let number = self.long()?;
                match logical {
                    Logical::Date if number.abs() < 10_000_000 => self.out.symbol(&time::date(number))?,
                    Logical::Milliseconds => self.out.symbol(&time::utc(number))?,
                    Logical::Microseconds => self.out.symbol(&time::utc(number.div_euclid(1_000)))?,
                    _ => self.out.number(number)?,
                }
            }
            Type::Float => {
                let bits = self.take(4)?.try_into().unwrap_or_default();
                self.out.number(f32::from_le_bytes(bits))?;
            }
            Type::Double => {
                let bits = self.take(8)?.try_into().unwrap_or_default();
                self.out.number(f64::from_le_bytes(bits))?;
            }
            Type::Bytes(logical) => {
                let len = self.length()?;
                self.blob(len, *logical)?;
            }
            Type::Fixed(len, logical) => self.blob(*len, *logical)?,
            Type::String => {
                let text = self.string()?;
                self.out.text(text)?;
            }
            Type::Enum(symbols) => {
                let index = self.length()?;
                match symbols.get(index) {
                    Some(symbol) => self.out.symbol(symbol)?,
                    None => return self.wrong("an enum has no such symbol"),
                }
            }
            Type::Record(fields) => {
                self.out.object()?;
                for (name, field) in fields {
                    self.out.name(name);
                    self.value(field, depth + 1)?;
                }
                self.out.end();
            }
            Type::List(item) => {
                self.out.list()?;
                self.blocks(|reader| reader.value(item, depth + 1))?;
                self.out.end();
            }
            Type::Map(item) => {
                self.out.object()?;
                self.blocks(|reader| {
                    let name = reader.string()?;
                    reader.out.name(name);
                    reader.value(item, depth + 1)
                })?;
                self.out.end();
            }
            Type::Union(branches) => {
                let index = self.length()?;
                match branches.get(index) {
                    Some(branch) => self.value(branch, depth + 1)?,
                    None => return self.wrong("a union has no such branch"),
                }
            }
            Type::Named(name) => match self.schema.named.get(name) {
                Some(named) => self.value(named, depth + 1)?,
                None => return self.wrong("a type is not defined"),
            },
        }
        Ok(())
    }

    /// Items in blocks, until an empty one.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // Then the block's bytes are told, for those who skip it.
                count = count.checked_neg().unwrap_or(i64::MAX);
                self.length()?;
            }
            if count == 0 {
                return Ok(());
            }
            for _ in 0..count {
                item(self)?;
            }
        }
    }

    fn blob(&mut self, len: usize, logical: Logical) -> Result<(), Stop> {
        let bytes = self.take(len)?;
        match logical {
            Logical::Decimal(scale) if (1..=16).contains(&bytes.len()) => {
                let sign = if bytes[0] >= 0x80 { -1_i128 } else { 0 };
                let number = bytes.iter().fold(sign, |number, byte| (number << 8) | i128::from(*byte));
                self.out.number(decimal(number, scale))?;
            }
            _ => self.out.bytes(bytes)?,
        }
        Ok(())
    }
}

fn decimal(number: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
