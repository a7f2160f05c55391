//! MessagePack and CBOR (RFC 8949) into a tree, without recursion. Source of the former: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use minicbor::data::Token;
use minicbor::decode::Tokenizer;

use super::tree::{Builder, Enough, Tree, What};
use super::{Fault, fault};

/// Something open: how many values are still to come (`None`: until told), and, in a map, whether a key comes next.
struct Open {
    left: Option<u64>,
    is_map: bool,
    is_key: bool,
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

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

/// What is open, and what of it is complete.
struct Nest {
    out: Builder,
    open: Vec<Open>,
}

/// A value as it stands in the bytes.
enum Item<'a> {
    Map(Option<u64>),
    List(Option<u64>),
    Text(&'a str),
    Bytes(&'a [u8]),
    Number(String),
    Other(What),
}

impl Nest {
    fn new(nodes_max: usize) -> Nest {
        Nest { out: Builder::new(nodes_max), open: Vec::new() }
    }

    /// Takes an item in. True: the whole is complete.
    fn put(&mut self, format: &'static str, at: usize, item: &Item<'_>) -> Result<bool, Stop> {
        if let Some(open) = self.open.last_mut().filter(|open| open.is_map && open.is_key) {
            let name = match item {
                Item::Text(text) => (*text).to_owned(),
                Item::Number(number) => number.clone(),
                Item::Bytes(bytes) => bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect(),
                Item::Other(What::Bool(is_true)) => is_true.to_string(),
                Item::Other(What::Null) => "null".to_owned(),
                _ => return Err(fault(format, at, "a map has a key that is neither text nor a number").into()),
            };
            open.is_key = false;
            self.out.name(&name);
            return Ok(false);
        }
        match item {
            Item::Map(left) => {
                self.out.object()?;
                self.open.push(Open { left: *left, is_map: true, is_key: true });
            }
            Item::List(left) => {
                self.out.list()?;
                self.open.push(Open { left: *left, is_map: false, is_key: false });
            }
            Item::Text(text) => self.out.text(text)?,
            Item::Bytes(bytes) => self.out.bytes(bytes)?,
            Item::Number(number) => self.out.number(number)?,
            Item::Other(what) => self.out.leaf(what.clone())?,
        }
        if !matches!(item, Item::Map(_) | Item::List(_)) {
            self.count();
        }
        Ok(self.close())
    }

    /// One more value is complete in what is open.
    fn count(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.left = open.left.map(|left| left.saturating_sub(1));
            open.is_key = open.is_map;
        }
    }

    /// Closes what has all its values. True: the whole is complete.
    fn close(&mut self) -> bool {
        while self.open.last().is_some_and(|open| open.left == Some(0)) {
            self.end();
        }
        self.open.is_empty()
    }

    fn end(&mut self) {
        self.open.pop();
        self.out.end();
        self.count();
    }

    /// What had no length is told to be complete. True: so is the whole.
    fn stop(&mut self) -> bool {
        self.end();
        self.close()
    }
}

/// Reads MessagePack that fills `bytes`.
pub fn message_pack(bytes: &[u8], nodes_max: usize) -> Result<Tree, Fault> {
    const FORMAT: &str = "MessagePack";
    let mut nest = Nest::new(nodes_max);
    let mut input = Input { bytes, at: 0 };
    let mut is_whole = false;
    while !is_whole {
        let at = input.at;
        let item = match input.item() {
            Ok(item) => item,
            Err(why) => return Err(fault(FORMAT, at, why)),
        };
        match nest.put(FORMAT, at, &item) {
            Ok(whole) => is_whole = whole,
            Err(Stop::Enough) => return Ok(nest.out.finish()),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
    }
    if input.at < bytes.len() {
        return Err(fault(FORMAT, input.at, "something follows the value"));
    }
    Ok(nest.out.finish())
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(len).ok_or("it ends too early")?;
        let part = self.bytes.get(self.at..end).ok_or("it ends too early")?;
        self.at = end;
        Ok(part)
    }

    fn uint(&mut self, len: usize) -> Result<u64, &'static str> {
        Ok(self.take(len)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn int(&mut self, len: usize) -> Result<i64, &'static str> {
        let shift = 64 - 8 * len as u32;
        Ok(((self.uint(len)? << shift) as i64) >> shift)
    }

    fn text(&mut self, len: u64) -> Result<Item<'a>, &'static str> {
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        // Old writers put bytes there.
        Ok(std::str::from_utf8(bytes).map_or(Item::Bytes(bytes), Item::Text))
    }

    fn binary(&mut self, len: u64) -> Result<Item<'a>, &'static str> {
        Ok(Item::Bytes(self.take(usize::try_from(len).unwrap_or(usize::MAX))?))
    }

    fn extension(&mut self, len: u64) -> Result<Item<'a>, &'static str> {
        let kind = self.int(1)?;
        let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        let time = (kind == -1).then(|| timestamp(bytes)).flatten();
        let hex = || bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect::<String>();
        let words = time.unwrap_or_else(|| format!("extension {kind}: 0x{}", hex()));
        Ok(Item::Other(What::Symbol(words.into())))
    }

    fn item(&mut self) -> Result<Item<'a>, &'static str> {
        let marker = self.uint(1)? as u8;
        Ok(match marker {
            0x00..=0x7f => Item::Number(marker.to_string()),
            0x80..=0x8f => Item::Map(Some(u64::from(marker & 0x0f))),
            0x90..=0x9f => Item::List(Some(u64::from(marker & 0x0f))),
            0xa0..=0xbf => self.text(u64::from(marker & 0x1f))?,
            0xc0 => Item::Other(What::Null),
            0xc1 => return Err("0xc1 is never used"),
            0xc2 | 0xc3 => Item::Other(What::Bool(marker == 0xc3)),
            0xc4..=0xc6 => {
                let len = self.uint(1 << (marker - 0xc4))?;
                self.binary(len)?
            }
            0xc7..=0xc9 => {
                let len = self.uint(1 << (marker - 0xc7))?;
                self.extension(len)?
            }
            0xca => Item::Number(f32::from_bits(self.uint(4)? as u32).to_string()),
            0xcb => Item::Number(f64::from_bits(self.uint(8)?).to_string()),
            0xcc..=0xcf => Item::Number(self.uint(1 << (marker - 0xcc))?.to_string()),
            0xd0..=0xd3 => Item::Number(self.int(1 << (marker - 0xd0))?.to_string()),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.uint(1 << (marker - 0xd9))?;
                self.text(len)?
            }
            0xdc | 0xdd => Item::List(Some(self.uint(2 << (marker - 0xdc))?)),
            0xde | 0xdf => Item::Map(Some(self.uint(2 << (marker - 0xde))?)),
            0xe0..=0xff => Item::Number((marker as i8).to_string()),
        })
    }
}

/// Extension -1: seconds and nanoseconds since 1970.
fn timestamp(bytes: &[u8]) -> Option<String> {
    let uint = |part: &[u8]| part.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let (seconds, nanos) = match bytes.len() {
        4 => (uint(bytes) as i64, 0),
        8 => ((uint(bytes) & 0x3_ffff_ffff) as i64, uint(bytes) >> 34),
        12 => (uint(&bytes[4..]) as i64, uint(&bytes[..4])),
        _ => return None,
    };
    let ms = seconds.checked_mul(1_000)?.checked_add((nanos / 1_000_000) as i64)?;
    Some(super::utc(ms))
}

/// Reads CBOR that fills `bytes`.
pub fn cbor(bytes: &[u8], nodes_max: usize) -> Result<Tree, Fault> {
    const FORMAT: &str = "CBOR";
    let mut nest = Nest::new(nodes_max);
    let mut tokens = Tokenizer::new(bytes);
    // Pieces of a text or of bytes without a length.
    let mut pieces: Option<(bool, Vec<u8>)> = None;
    let mut is_whole = false;
    let mut number = 0;
    for token in tokens.by_ref() {
        number += 1;
        if is_whole {
            return Err(fault(FORMAT, 0, "something follows the value"));
        }
        let token = token.map_err(|_| fault(FORMAT, 0, "it ends too early, or is broken"))?;
        let joined;
        let item = match token {
            Token::Bool(is_true) => Item::Other(What::Bool(is_true)),
            Token::U8(value) => Item::Number(value.to_string()),
            Token::U16(value) => Item::Number(value.to_string()),
            Token::U32(value) => Item::Number(value.to_string()),
            Token::U64(value) => Item::Number(value.to_string()),
            Token::I8(value) => Item::Number(value.to_string()),
            Token::I16(value) => Item::Number(value.to_string()),
            Token::I32(value) => Item::Number(value.to_string()),
            Token::I64(value) => Item::Number(value.to_string()),
            Token::Int(value) => Item::Number(value.to_string()),
            Token::F16(value) | Token::F32(value) => Item::Number(value.to_string()),
            Token::F64(value) => Item::Number(value.to_string()),
            Token::Bytes(part) => match &mut pieces {
                Some((_, bytes)) => {
                    bytes.extend_from_slice(part);
                    continue;
                }
                None => Item::Bytes(part),
            },
            Token::String(part) => match &mut pieces {
                Some((_, bytes)) => {
                    bytes.extend_from_slice(part.as_bytes());
                    continue;
                }
                None => Item::Text(part),
            },
            Token::BeginBytes => {
                pieces = Some((false, Vec::new()));
                continue;
            }
            Token::BeginString => {
                pieces = Some((true, Vec::new()));
                continue;
            }
            Token::Array(len) => Item::List(Some(len)),
            Token::Map(len) => Item::Map(Some(len)),
            Token::BeginArray => Item::List(None),
            Token::BeginMap => Item::Map(None),
            Token::Break => match pieces.take() {
                Some((is_text, bytes)) => {
                    joined = bytes;
                    match std::str::from_utf8(&joined) {
                        Ok(text) if is_text => Item::Text(text),
                        _ => Item::Bytes(&joined),
                    }
                }
                None if nest.open.last().is_some_and(|open| open.left.is_none()) => {
                    is_whole = nest.stop();
                    continue;
                }
                None => return Err(fault(FORMAT, 0, "something ends that did not begin")),
            },
            // What a tag means is left to who reads: its value is shown.
            Token::Tag(_) => continue,
            Token::Simple(value) => Item::Other(What::Symbol(format!("simple({value})").into())),
            Token::Null => Item::Other(What::Null),
            Token::Undefined => Item::Other(What::Symbol("undefined".into())),
        };
        match nest.put(FORMAT, number, &item) {
            Ok(whole) => is_whole = whole,
            Err(Stop::Enough) => return Ok(nest.out.finish()),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
    }
    if is_whole { Ok(nest.out.finish()) } else { Err(fault(FORMAT, bytes.len(), "it ends too early")) }
}
