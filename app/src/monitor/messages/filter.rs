//! What lets a record pass: words or a pattern anywhere, in its key, in a header; and what a JSON path (RFC 9535) finds in its decoded value.

use regex::{Regex, RegexBuilder};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::Message;
use super::decode::{Body, Codecs};

/// What a pattern may take once it is compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Filters as they were typed; a record passes that passes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Words that all must be somewhere in key, value and headers; or a `/pattern/` that one of these has.
    pub anywhere: String,
    /// The same of the key alone.
    pub key: String,
    /// A header's name, or `name: words`, or `name: /pattern/`.
    pub header: String,
    /// `$.customer.id`, which must find something, or `$.customer.id == 42`.
    pub path: String,
}

impl From<&str> for Filters {
    fn from(anywhere: &str) -> Filters {
        Filters { anywhere: anywhere.to_owned(), ..Filters::default() }
    }
}

impl Filters {
    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        [&self.anywhere, &self.key, &self.header, &self.path].iter().all(|typed| typed.trim().is_empty())
    }
}

/// Words, or a pattern.
#[derive(Clone, Debug)]
enum Text {
    /// All of these, in lower case.
    Words(Vec<String>),
    Pattern(Regex),
}

impl Text {
    fn parse(typed: &str) -> Result<Text, String> {
        let typed = typed.trim();
        let inside = typed.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|_| typed.len() > 1);
        let Some(pattern) = inside else {
            return Ok(Text::Words(typed.split_whitespace().map(str::to_lowercase).collect()));
        };
        let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
        built.map(Text::Pattern).map_err(|error| {
            // The library shows the pattern over many lines; what is wrong stands in the last.
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("The pattern makes no sense: {last}.")
        })
    }

    fn is_any(&self) -> bool {
        matches!(self, Text::Words(words) if words.is_empty())
    }

    fn passes<'a>(&self, mut parts: impl Iterator<Item = std::borrow::Cow<'a, str>>) -> bool {
        match self {
            Text::Words(words) => {
                let said = parts.collect::<Vec<_>>().join("\n").to_lowercase();
                words.iter().all(|word| said.contains(word.as_str()))
            }
            Text::Pattern(pattern) => parts.any(|part| pattern.is_match(&part)),
        }
    }
}

/// How what a path finds is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
}

/// Longer ones first, so that `<=` is not taken for `<`.
const SIGNS: [(&str, Compare); 6] = [
    ("==", Compare::Equal),
    ("!=", Compare::NotEqual),
    ("<=", Compare::LessOrEqual),
    (">=", Compare::GreaterOrEqual),
    ("<", Compare::Less),
    (">", Compare::Greater),
];

#[derive(Clone, Debug)]
struct PathTest {
    path: JsonPath,
    compared: Option<(Compare, Value)>,
}

impl PathTest {
    fn parse(typed: &str) -> Result<PathTest, String> {
        let typed = typed.trim();
        if !typed.starts_with('$') {
            return Err("A path begins with $: $.customer.id == 42.".into());
        }
        let (path, compared) = match split(typed) {
            None => (typed, None),
            Some((path, compare, literal)) => (path, Some((compare, value(literal)?))),
        };
        let path = JsonPath::parse(path).map_err(|error| {
            let place = path.chars().count().min(error.position() + 1);
            format!("The path is not understood at its character {place}.")
        })?;
        Ok(PathTest { path, compared })
    }

    fn passes(&self, json: &Value) -> bool {
        let mut found = self.path.query(json).all().into_iter();
        match &self.compared {
            None => found.next().is_some(),
            Some((compare, literal)) => found.any(|found| is_so(found, *compare, literal)),
        }
    }
}

/// `$.a == 1` in its three parts, by the first sign that stands neither in brackets nor in quotes.
fn split(typed: &str) -> Option<(&str, Compare, &str)> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, letter) in typed.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 => {
                if let Some((sign, compare)) = SIGNS.iter().find(|(sign, _)| typed[at..].starts_with(sign)) {
                    return Some((typed[..at].trim(), *compare, typed[at + sign.len()..].trim()));
                }
            }
            _ => {}
        }
    }
    None
}

/// JSON, text in single quotes, or a word as it stands.
fn value(literal: &str) -> Result<Value, String> {
    if literal.is_empty() {
        return Err("What is it to be compared with?".into());
    }
    if let Ok(value) = serde_json::from_str(literal) {
        return Ok(value);
    }
    let quoted = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    match quoted {
        Some(text) => Ok(Value::from(text)),
        None if literal.starts_with(['"', '\'']) => Err("A text in quotes does not end.".into()),
        None if literal.starts_with(['=', '<', '>', '!']) => {
            Err("It can be compared by ==, !=, <, <=, > and >=.".into())
        }
        None => Ok(Value::from(literal)),
    }
}

fn is_so(found: &Value, compare: Compare, literal: &Value) -> bool {
    use std::cmp::Ordering;
    let order = match (found, literal) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64().zip(other.as_f64()).and_then(|(one, other)| one.partial_cmp(&other)),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        // A number that is kept as text is found by its number.
        (Value::String(one), other) => {
            let other = other.to_string();
            (one == &other).then_some(Ordering::Equal)
        }
        (one, other) => (one == other).then_some(Ordering::Equal),
    };
    match compare {
        Compare::Equal => order == Some(Ordering::Equal),
        Compare::NotEqual => order != Some(Ordering::Equal),
        Compare::LessOrEqual => order.is_some_and(Ordering::is_le),
        Compare::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        Compare::Less => order == Some(Ordering::Less),
        Compare::Greater => order == Some(Ordering::Greater),
    }
}

/// What lets a record pass.
#[derive(Clone, Debug)]
pub struct Filter {
    anywhere: Text,
    key: Text,
    header: Option<(String, Text)>,
    path: Option<PathTest>,
}

impl Filter {
    /// As they were typed; an error is a sentence.
    pub fn parse(typed: &Filters) -> Result<Filter, String> {
        let header = typed.header.trim();
        let (name, words) = header.split_once(':').unwrap_or((header, ""));
        let header = (!header.is_empty()).then(|| Ok::<_, String>((name.trim().to_owned(), Text::parse(words)?)));
        Ok(Filter {
            anywhere: Text::parse(&typed.anywhere)?,
            key: Text::parse(&typed.key)?,
            header: header.transpose()?,
            path: if typed.path.trim().is_empty() { None } else { Some(PathTest::parse(&typed.path)?) },
        })
    }

    /// What is wrong with a path, in a sentence.
    pub fn path_complaint(typed: &str) -> Option<String> {
        if typed.trim().is_empty() { None } else { PathTest::parse(typed).err() }
    }

    /// Whether a record passes. What is no text is looked at as it is decoded.
    pub fn passes(&self, message: &Message, codecs: &Codecs) -> bool {
        if let Some((name, text)) = &self.header {
            let mut named = message.headers.iter().filter(|(known, _)| known == name);
            let says = |value: &Option<bytes::Bytes>| {
                text.is_any() || text.passes(value.as_deref().map(String::from_utf8_lossy).into_iter())
            };
            if !named.any(|(_, value)| says(value)) {
                return false;
            }
        }
        if self.key.is_any() && self.anywhere.is_any() && self.path.is_none() {
            return true;
        }
        let is_text = |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| std::str::from_utf8(bytes).is_ok());
        let (key, value) = (message.key.as_deref(), message.value.as_deref());
        let needs_decoding = self.path.is_some() || !codecs.are_auto() || !is_text(key) || !is_text(value);
        let decoded = if needs_decoding { codecs.read(&message.topic, key, value) } else { (None, None) };
        let line = |decoded: &Option<super::decode::Decoded>, bytes: Option<&[u8]>| {
            let tree = match decoded.as_ref().map(|decoded| (&decoded.body, decoded.kind.as_str())) {
                // As it was written it can be found too.
                Some((Body::Tree(tree), kind)) if kind != "JSON" => Some(tree.line(usize::MAX)),
                _ => None,
            };
            tree.or_else(|| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
        };
        if !self.key.is_any() && !self.key.passes(line(&decoded.0, key).into_iter().map(Into::into)) {
            return false;
        }
        if !self.anywhere.is_any() {
            let fields = [line(&decoded.0, key), line(&decoded.1, value)].into_iter().flatten().map(Into::into);
            let headers = message.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
            if !self.anywhere.passes(fields.chain(headers.flatten().map(String::from_utf8_lossy))) {
                return false;
            }
        }
        match (&self.path, decoded.1.map(|decoded| decoded.body)) {
            (None, _) => true,
            (Some(test), Some(Body::Tree(tree))) => test.passes(&tree.to_json()),
            // Plain text may be a number or a word in JSON.
            (Some(test), Some(Body::Text(text))) => {
                test.passes(&serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
            (Some(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::monitor::messages::decode::Decoders;

    fn message(key: &str, value: &[u8]) -> Message {
        Message {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            is_log_append_time: false,
            key: Some(key.to_owned().into()),
            value: Some(value.to_vec().into()),
            headers: vec![("trace".into(), Some("abc".into())), ("empty".into(), None)],
            producer_id: None,
            is_transactional: false,
            codec: "none",
            leader_epoch: 0,
        }
    }

    fn passes(filters: &Filters, value: &[u8]) -> bool {
        let codecs = Codecs::open(&Decoders::default()).unwrap();
        Filter::parse(filters).unwrap().passes(&message("order-7", value), &codecs)
    }

    #[test]
    fn what_passes_by_words_and_patterns() {
        let value = "{\"amount\": 12, \"City\": \"Köln\"}".as_bytes();
        for (typed, expected) in [
            ("", true),
            ("köln", true),
            ("AMOUNT order-7", true),
            ("amount paris", false),
            ("trace abc", true),
            ("/order-\\d+/", true),
            ("/^\\{\"amount/", true),
            ("/^order-7$/", true),
            ("/^amount/", false),
            ("/", false),
        ] {
            assert_eq!(passes(&typed.into(), value), expected, "{typed}");
        }
        for (key, header, expected) in [
            ("order", "", true),
            ("abc", "", false),
            ("/^order-7$/", "trace", true),
            ("", "nothing", false),
            ("", "trace: ABC", true),
            ("", "trace: /^b/", false),
            ("", "empty", true),
            ("", "empty: x", false),
        ] {
            let filters = Filters { key: key.into(), header: header.into(), ..Filters::default() };
            assert_eq!(passes(&filters, value), expected, "{key} {header}");
        }
        let wrong = Filter::parse(&"/(/".into()).unwrap_err();
        assert!(wrong.starts_with("The pattern makes no sense: unclosed group"), "{wrong}");
    }

    #[test]
    fn what_passes_by_a_path() {
        let json = br#"{"customer": {"id": 42, "name": "Eva < Bob"}, "lines": [{"price": 5}, {"price": 12.5}], "paid": true, "n": "7"}"#;
        // The same in MessagePack, as far as it goes: {"customer": {"id": 42}}
        let pack = b"\x81\xa8customer\x81\xa2id\x2a";
        for (path, expected) in [
            ("$.customer.id", true),
            ("$.customer.id == 42", true),
            ("$.customer.id==41", false),
            ("$.customer.id != 42", false),
            ("$.customer.id >= 42", true),
            ("$.customer.id < 42", false),
            ("$.customer.name == \"Eva < Bob\"", true),
            ("$.customer.name == 'Eva < Bob'", true),
            ("$.customer.name > Eva", true),
            ("$.lines[*].price > 10", true),
            ("$.lines[?@.price > 10]", true),
            ("$.lines[?@.price > 100]", false),
            ("$..price == 5", true),
            ("$['paid'] == true", true),
            ("$.n == 7", true),
            ("$.nothing", false),
        ] {
            let filters = Filters { path: path.into(), ..Filters::default() };
            assert_eq!(passes(&filters, json), expected, "{path}");
            assert_eq!(passes(&filters, pack), expected && path.starts_with("$.customer.id"), "{path}");
        }
        assert!(passes(&Filters { path: "$ == 17".into(), ..Filters::default() }, b"17"));
        for (path, told) in [
            ("customer", "A path begins with $"),
            ("$.customer[", "The path is not understood at its character"),
            ("$.a ==", "What is it to be compared with?"),
            ("$.a === 1", "It can be compared by"),
            ("$.a == \"x", "A text in quotes does not end."),
        ] {
            let complaint = Filter::path_complaint(path).unwrap();
            assert!(complaint.starts_with(told), "{path}: {complaint}");
        }
        assert_eq!(Filter::path_complaint(" "), None);
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_it_stumble(path in "\\$?[a-z.\\[\\]?@*'\"=<>! 0-9()é-]{0,24}", header in "\\PC{0,12}") {
            let filters = Filters { path, header, ..Filters::default() };
            let codecs = Codecs::open(&Decoders::default()).unwrap();
            if let Ok(filter) = Filter::parse(&filters) {
                filter.passes(&message("k", br#"{"a": [1, {"b": "x"}]}"#), &codecs);
            }
        }
    }
}
