//! Answers, before they are written in one of the three protocols.

use std::fmt::Write as _;

use minicbor::Encoder;
use minicbor::data::Tag;
use serde_json::{Map, Number, Value as Json};

use crate::monitor::cloudwatch::time::iso;

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Members by name.
    Struct(Vec<(&'static str, Tree)>),
    /// Values by key.
    Map(Vec<(String, Tree)>),
    /// In order.
    List(Vec<Tree>),
    /// Text.
    Text(String),
    /// A number.
    Double(f64),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// Ms since 1970.
    Time(i64),
}

/// Text.
pub fn text(text: impl Into<String>) -> Tree {
    Tree::Text(text.into())
}

impl Tree {
    /// As AWS JSON: points in time are seconds.
    pub fn json(&self) -> Json {
        let number = |value: f64| Number::from_f64(value).map_or(Json::Null, Json::Number);
        match self {
            Tree::Struct(members) => Json::Object(
                members.iter().map(|(name, tree)| ((*name).to_owned(), tree.json())).collect::<Map<_, _>>(),
            ),
            Tree::Map(entries) => Json::Object(entries.iter().map(|(key, tree)| (key.clone(), tree.json())).collect()),
            Tree::List(items) => Json::Array(items.iter().map(Tree::json).collect()),
            Tree::Text(text) => Json::String(text.clone()),
            Tree::Double(value) => number(*value),
            Tree::Integer(value) => Json::from(*value),
            Tree::Bool(value) => Json::Bool(*value),
            Tree::Time(at_ms) if at_ms % 1000 == 0 => Json::from(at_ms / 1000),
            Tree::Time(at_ms) => number(*at_ms as f64 / 1000.0),
        }
    }

    /// As CBOR: points in time are seconds with tag 1.
    pub fn cbor(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        // Writing to memory cannot fail.
        let _ = self.encode(&mut encoder);
        encoder.into_writer()
    }

    fn encode(&self, to: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        match self {
            Tree::Struct(members) => {
                to.map(members.len() as u64)?;
                members.iter().try_for_each(|(name, tree)| tree.encode(to.str(name)?))
            }
            Tree::Map(entries) => {
                to.map(entries.len() as u64)?;
                entries.iter().try_for_each(|(key, tree)| tree.encode(to.str(key)?))
            }
            Tree::List(items) => {
                to.array(items.len() as u64)?;
                items.iter().try_for_each(|item| item.encode(to))
            }
            Tree::Text(text) => to.str(text).map(drop),
            Tree::Double(value) => to.f64(*value).map(drop),
            Tree::Integer(value) => to.i64(*value).map(drop),
            Tree::Bool(value) => to.bool(*value).map(drop),
            Tree::Time(at_ms) => to.tag(Tag::new(1))?.f64(*at_ms as f64 / 1000.0).map(drop),
        }
    }

    /// As the query protocol's XML, inside of its element.
    pub fn write_xml(&self, xml: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Tree::Struct(members) => {
                members.iter().for_each(|(name, tree)| element(xml, name, tree));
                Ok(())
            }
            Tree::Map(entries) => {
                for (key, tree) in entries {
                    xml.push_str("<entry>");
                    element(xml, "key", &text(key.as_str()));
                    element(xml, "value", tree);
                    xml.push_str("</entry>");
                }
                Ok(())
            }
            Tree::List(items) => {
                items.iter().for_each(|item| element(xml, "member", item));
                Ok(())
            }
            Tree::Text(text) => {
                escape(xml, text);
                Ok(())
            }
            Tree::Double(value) => write!(xml, "{value}"),
            Tree::Integer(value) => write!(xml, "{value}"),
            Tree::Bool(value) => write!(xml, "{value}"),
            Tree::Time(at_ms) => write!(xml, "{}", iso(*at_ms)),
        };
    }
}

fn element(xml: &mut String, name: &str, tree: &Tree) {
    let _ = write!(xml, "<{name}>");
    tree.write_xml(xml);
    let _ = write!(xml, "</{name}>");
}

/// XML 1.0 has no way to write most control characters: they become U+FFFD.
pub fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#13;"),
            '\t' | '\n' => xml.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::Struct(vec![
            ("Text", text("a<&\u{1}\">")),
            ("List", Tree::List(vec![Tree::Double(1.5), Tree::Integer(2)])),
            ("Map", Tree::Map(vec![("p99".into(), Tree::Double(3.0))])),
            ("Is", Tree::Bool(true)),
            ("At", Tree::Time(1000)),
            ("Then", Tree::Time(1500)),
        ])
    }

    #[test]
    fn three_ways_to_write() {
        let json = r#"{"At":1,"Is":true,"List":[1.5,2],"Map":{"p99":3.0},"Text":"a<&\u0001\">","Then":1.5}"#;
        assert_eq!(tree().json(), serde_json::from_str::<Json>(json).unwrap());
        let mut xml = String::new();
        tree().write_xml(&mut xml);
        assert_eq!(
            xml,
            "<Text>a&lt;&amp;\u{fffd}&quot;&gt;</Text><List><member>1.5</member><member>2</member></List>\
             <Map><entry><key>p99</key><value>3</value></entry></Map><Is>true</Is><At>1970-01-01T00:00:01.000Z</At>\
             <Then>1970-01-01T00:00:01.500Z</Then>"
        );
        let bytes = tree().cbor();
        let mut read = minicbor::Decoder::new(&bytes);
        assert_eq!((read.map().unwrap(), read.str().unwrap()), (Some(6), "Text"));
        let times = [0xc1, 0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0];
        assert!(bytes.ends_with(&times));
    }
}
