//! A decoded value as a list of nodes in the order in which they are read, each with its depth: however deeply a value is nested, nothing here
//! recurses, and what lies under a node is a range.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// Nodes of one value that are kept.
pub const NODES_MAX: usize = 200_000;
/// Bytes of one text that are kept.
pub const TEXT_MAX: usize = 64 << 10;
/// How deep a JSON value goes that paths look into; what lies below is left out.
const JSON_DEPTH_MAX: usize = 400;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// Each before what lies under it.
    pub nodes: Vec<Node>,
    /// Whether there was more than is kept.
    pub is_cut: bool,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// How many nodes it lies under.
    pub depth: u32,
    /// Where the nodes under it end.
    pub end: u32,
    /// How it is called by what it lies in.
    pub name: Name,
    /// What it is.
    pub what: What,
}

/// How a part is called.
#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    /// It is the whole.
    Whole,
    /// A field, or the key of a map.
    Field(Box<str>),
    /// The place in a list.
    Index(u32),
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Fields or keys, so many of them.
    Object(u32),
    /// A list, so long.
    List(u32),
    /// Text.
    Text(Box<str>),
    /// A number as it was written, or as it is written.
    Number(Box<str>),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
    /// Bytes.
    Bytes(Box<[u8]>),
    /// Something that stands for itself: a time, an enum's symbol.
    Symbol(Box<str>),
}

impl Node {
    /// What it is, on one line of at most so many characters.
    pub fn words(&self, chars_max: usize) -> String {
        match &self.what {
            What::Object(0) => "{}".to_owned(),
            What::Object(1) => "{1 field}".to_owned(),
            What::Object(count) => format!("{{{count} fields}}"),
            What::List(0) => "[]".to_owned(),
            What::List(1) => "[1 item]".to_owned(),
            What::List(count) => format!("[{count} items]"),
            What::Text(text) => {
                let short = text.chars().nth(chars_max).is_some();
                let part: String = text.chars().take(chars_max).collect();
                format!("{}{}", Value::from(part), if short { "…" } else { "" })
            }
            What::Bytes(bytes) => {
                let part: String = bytes.iter().take(chars_max / 2).map(|byte| format!("{byte:02x}")).collect();
                format!("0x{part}{}", if bytes.len() > chars_max / 2 { "…" } else { "" })
            }
            What::Number(words) | What::Symbol(words) => words.chars().take(chars_max).collect(),
            What::Bool(is_true) => is_true.to_string(),
            What::Null => "null".to_owned(),
        }
    }

    /// Whether something can lie under it.
    pub fn is_branch(&self) -> bool {
        matches!(self.what, What::Object(count) | What::List(count) if count > 0)
    }
}

impl Tree {
    /// On one line, as JSON, of about so many bytes at most.
    pub fn line(&self, bytes_max: usize) -> String {
        let mut out = String::new();
        self.write(&mut out, None, bytes_max);
        out
    }

    /// On many lines, as JSON, of about so many bytes at most.
    pub fn pretty(&self, bytes_max: usize) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(2), bytes_max);
        out
    }

    fn write(&self, out: &mut String, indent: Option<usize>, bytes_max: usize) {
        // Closing brackets that are still to come, each with where.
        let mut open: Vec<(u32, char)> = Vec::new();
        let line = |out: &mut String, depth: usize| {
            if let Some(by) = indent {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', (by * depth).min(400)));
            }
        };
        for (index, node) in self.nodes.iter().enumerate() {
            while open.last().is_some_and(|(end, _)| *end <= index as u32) {
                let (_, bracket) = open.pop().unwrap_or((0, ' '));
                line(out, open.len());
                out.push(bracket);
            }
            let is_first = index == 0 || self.nodes[index - 1].depth < node.depth;
            if !is_first {
                out.push(',');
                if indent.is_none() {
                    out.push(' ');
                }
            }
            if index > 0 {
                line(out, open.len());
            }
            if let Name::Field(name) = &node.name {
                let _ = write!(out, "{}: ", Value::from(&**name));
            }
            match &node.what {
                What::Object(0) => out.push_str("{}"),
                What::List(0) => out.push_str("[]"),
                What::Object(_) => {
                    out.push('{');
                    open.push((node.end, '}'));
                }
                What::List(_) => {
                    out.push('[');
                    open.push((node.end, ']'));
                }
                What::Text(text) => out.push_str(&Value::from(&**text).to_string()),
                What::Symbol(words) => out.push_str(&Value::from(&**words).to_string()),
                What::Number(words) => out.push_str(words),
                What::Bool(is_true) => out.push_str(if *is_true { "true" } else { "false" }),
                What::Null => out.push_str("null"),
                What::Bytes(_) => {
                    let _ = write!(out, "\"{}\"", node.words(2 * TEXT_MAX));
                }
            }
            if out.len() >= bytes_max {
                out.push('…');
                return;
            }
        }
        while let Some((_, bracket)) = open.pop() {
            line(out, open.len());
            out.push(bracket);
        }
    }

    /// As a value that paths look into: bytes are text in hex, and what is nested too deeply is left out.
    pub fn to_json(&self) -> Value {
        let mut stack: Vec<(Name, u32, Value)> = Vec::new();
        let mut index = 0_usize;
        let mut whole = Value::Null;
        while index < self.nodes.len() || !stack.is_empty() {
            // What is complete goes into what it lies in.
            while let Some((_, end, _)) = stack.last() {
                if (*end as usize) > index {
                    break;
                }
                let Some((name, _, value)) = stack.pop() else { break };
                match stack.last_mut() {
                    Some((_, _, parent)) => put(parent, name, value),
                    None => whole = value,
                }
            }
            let Some(node) = self.nodes.get(index) else {
                if stack.is_empty() {
                    break;
                }
                continue;
            };
            let value = match &node.what {
                What::Object(_) => Value::Object(Map::new()),
                What::List(_) => Value::Array(Vec::new()),
                What::Text(text) => Value::from(&**text),
                What::Symbol(words) => Value::from(&**words),
                What::Number(words) => number(words),
                What::Bool(is_true) => Value::Bool(*is_true),
                What::Null => Value::Null,
                What::Bytes(_) => Value::from(node.words(2 * TEXT_MAX)),
            };
            if stack.len() >= JSON_DEPTH_MAX {
                index = node.end as usize;
            } else {
                index += 1;
                stack.push((node.name.clone(), node.end, value));
            }
        }
        whole
    }
}

fn number(words: &str) -> Value {
    let whole = words.parse::<i64>().map(Number::from).or_else(|_| words.parse::<u64>().map(Number::from));
    let number = whole.ok().or_else(|| words.parse::<f64>().ok().and_then(Number::from_f64));
    number.map_or_else(|| Value::from(words), Value::Number)
}

fn put(parent: &mut Value, name: Name, value: Value) {
    match (parent, name) {
        (Value::Object(fields), Name::Field(name)) => drop(fields.insert(name.into(), value)),
        (Value::Array(items), _) => items.push(value),
        _ => {}
    }
}

/// Nodes are kept no longer: there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough;

/// A tree while it is decoded.
#[derive(Debug)]
pub struct Builder {
    tree: Tree,
    nodes_max: usize,
    open: Vec<u32>,
    name: Option<Box<str>>,
}

impl Builder {
    /// Of at most so many nodes.
    pub fn new(nodes_max: usize) -> Builder {
        Builder { tree: Tree::default(), nodes_max, open: Vec::new(), name: None }
    }

    /// How deep what comes next would lie.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// The name of what comes next.
    pub fn name(&mut self, name: &str) {
        self.name = Some(cut(name).into());
    }

    /// Something with nothing under it.
    pub fn leaf(&mut self, what: What) -> Result<(), Enough> {
        let index = self.tree.nodes.len() as u32;
        if index as usize >= self.nodes_max {
            self.tree.is_cut = true;
            return Err(Enough);
        }
        let name = match (self.name.take(), self.open.last()) {
            (Some(name), _) => Name::Field(name),
            (None, None) => Name::Whole,
            (None, Some(parent)) => match self.tree.nodes[*parent as usize].what {
                What::List(count) | What::Object(count) => Name::Index(count),
                _ => Name::Whole,
            },
        };
        if let Some(parent) = self.open.last()
            && let What::Object(count) | What::List(count) = &mut self.tree.nodes[*parent as usize].what
        {
            *count += 1;
        }
        self.tree.nodes.push(Node { depth: self.open.len() as u32, end: index + 1, name, what });
        Ok(())
    }

    /// Text, of which a head is kept.
    pub fn text(&mut self, text: &str) -> Result<(), Enough> {
        self.leaf(What::Text(cut(text).into()))
    }

    /// A number.
    pub fn number(&mut self, number: impl ToString) -> Result<(), Enough> {
        self.leaf(What::Number(number.to_string().into()))
    }

    /// Bytes, of which a head is kept.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Enough> {
        self.leaf(What::Bytes(bytes[..bytes.len().min(TEXT_MAX)].into()))
    }

    /// Something that stands for itself.
    pub fn symbol(&mut self, words: &str) -> Result<(), Enough> {
        self.leaf(What::Symbol(cut(words).into()))
    }

    /// Something with fields, until [`Builder::end`].
    pub fn object(&mut self) -> Result<(), Enough> {
        self.leaf(What::Object(0))?;
        self.open.push(self.tree.nodes.len() as u32 - 1);
        Ok(())
    }

    /// A list, until [`Builder::end`].
    pub fn list(&mut self) -> Result<(), Enough> {
        self.leaf(What::List(0))?;
        self.open.push(self.tree.nodes.len() as u32 - 1);
        Ok(())
    }

    /// What was opened last is complete.
    pub fn end(&mut self) {
        let end = self.tree.nodes.len() as u32;
        if let Some(index) = self.open.pop() {
            self.tree.nodes[index as usize].end = end;
        }
    }

    /// What was decoded.
    pub fn finish(mut self) -> Tree {
        while !self.open.is_empty() {
            self.end();
        }
        self.tree
    }

    /// Whether what is open is an object.
    pub fn is_in_object(&self) -> bool {
        let parent = self.open.last().map(|index| &self.tree.nodes[*index as usize].what);
        matches!(parent, Some(What::Object(_)))
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
