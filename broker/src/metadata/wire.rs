//! Kafka's flexible encoding, as far as metadata records need it. Reading is bounded by the bytes at hand: a length never
//! allocates more than the input could hold, and nothing panics.
//!
//! Source: KIP-482, `org.apache.kafka.common.protocol.ByteBufferAccessor`.

use bytes::Bytes;
use serde_json::Value;

use crate::types::Id;

/// What is wrong with the bytes of a metadata record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the record ends at byte {0}, inside a field")]
    Truncated(usize),
    /// A varint of more than its bits.
    #[error("a varint is too long")]
    VarintTooLong,
    /// A length that cannot be.
    #[error("a length is {0}, which cannot be")]
    BadLength(i64),
    /// Null where the schema does not allow it.
    #[error("a field is null that may not be")]
    UnexpectedNull,
    /// Not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// Tags must grow.
    #[error("tagged fields are out of order")]
    TagOrder,
    /// Bytes are left after the last field.
    #[error("{0} bytes of garbage follow the record")]
    Garbage(usize),
    /// Only frame version 1 exists.
    #[error("frame version {0} is not known")]
    FrameVersion(u32),
    /// A key or version out of its range.
    #[error("record key {key}, version {version}: not known")]
    UnsupportedVersion {
        /// The record's type.
        key: u32,
        /// Its version.
        version: u32,
    },
}

/// Reads from the front of a slice.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, position: 0 }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        self.position = self.bytes.len();
        rest
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.position.checked_add(count).ok_or(DecodeError::Truncated(self.bytes.len()))?;
        let taken = self.bytes.get(self.position..end).ok_or(DecodeError::Truncated(self.bytes.len()))?;
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.bytes.len();
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated(at))
    }

    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value: u32 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return if shift == 28 && byte > 0x0f { Err(DecodeError::VarintTooLong) } else { Ok(value) };
            }
        }
        Err(DecodeError::VarintTooLong)
    }

    /// A compact length: `None` for null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.unsigned_varint()? {
            0 => Ok(None),
            length => {
                let length = (length - 1) as usize;
                // Every element takes one byte at least.
                if length > self.remaining() { Err(DecodeError::BadLength(length as i64)) } else { Ok(Some(length)) }
            }
        }
    }

    /// The tagged section: `field` reads those that it knows and says whether it did.
    pub(crate) fn tagged(
        &mut self,
        mut field: impl FnMut(u32, &mut Reader<'a>) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let count = self.unsigned_varint()?;
        let mut previous: Option<u32> = None;
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(DecodeError::TagOrder);
            }
            previous = Some(tag);
            let size = self.unsigned_varint()? as usize;
            let mut inner = Reader::new(self.take(size)?);
            if field(tag, &mut inner)? && inner.remaining() > 0 {
                return Err(DecodeError::Garbage(inner.remaining()));
            }
        }
        Ok(())
    }
}

/// Collects tagged fields, then writes the section.
#[derive(Default)]
pub(crate) struct TaggedWriter {
    fields: Vec<(u32, Vec<u8>)>,
}

impl TaggedWriter {
    pub(crate) fn field<T: Wire>(&mut self, tag: u32, value: &T, version: i16) {
        let mut bytes = Vec::new();
        value.write(&mut bytes, version);
        self.fields.push((tag, bytes));
    }

    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        self.fields.sort_by_key(|(tag, _)| *tag);
        write_unsigned_varint(out, self.fields.len() as u32);
        for (tag, bytes) in self.fields {
            write_unsigned_varint(out, tag);
            write_unsigned_varint(out, bytes.len() as u32);
            out.extend_from_slice(&bytes);
        }
    }
}

pub(crate) fn write_unsigned_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field type of the flexible encoding.
pub(crate) trait Wire: Sized {
    fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError>;
    fn write(&self, out: &mut Vec<u8>, version: i16);
    /// As Kafka's JSON converters write it.
    fn json(&self, version: i16) -> Value;
}

macro_rules! big_endian {
    ($($ty:ty),*) => {$(
        impl Wire for $ty {
            fn read(from: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
                Ok(<$ty>::from_be_bytes(from.array()?))
            }
            fn write(&self, out: &mut Vec<u8>, _version: i16) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn json(&self, _version: i16) -> Value {
                Value::from(*self)
            }
        }
    )*};
}
big_endian!(i8, u16, i16, i32, i64, f64);

impl Wire for bool {
    fn read(from: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        Ok(from.array::<1>()? != [0])
    }
    fn write(&self, out: &mut Vec<u8>, _version: i16) {
        out.push(u8::from(*self));
    }
    fn json(&self, _version: i16) -> Value {
        Value::from(*self)
    }
}

impl Wire for Id {
    fn read(from: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Id(from.array()?))
    }
    fn write(&self, out: &mut Vec<u8>, _version: i16) {
        out.extend_from_slice(&self.0);
    }
    fn json(&self, _version: i16) -> Value {
        Value::from(self.to_string())
    }
}

impl Wire for Option<String> {
    fn read(from: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let Some(length) = from.compact_length()? else { return Ok(None) };
        let text = std::str::from_utf8(from.take(length)?).map_err(|_| DecodeError::NotUtf8)?;
        Ok(Some(text.to_owned()))
    }
    fn write(&self, out: &mut Vec<u8>, version: i16) {
        match self {
            Some(text) => text.write(out, version),
            None => out.push(0),
        }
    }
    fn json(&self, _version: i16) -> Value {
        self.as_deref().map_or(Value::Null, Value::from)
    }
}

impl Wire for String {
    fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        Option::<String>::read(from, version)?.ok_or(DecodeError::UnexpectedNull)
    }
    fn write(&self, out: &mut Vec<u8>, _version: i16) {
        write_unsigned_varint(out, self.len() as u32 + 1);
        out.extend_from_slice(self.as_bytes());
    }
    fn json(&self, _version: i16) -> Value {
        Value::from(self.as_str())
    }
}

impl Wire for Bytes {
    fn read(from: &mut Reader<'_>, _version: i16) -> Result<Self, DecodeError> {
        let length = from.compact_length()?.ok_or(DecodeError::UnexpectedNull)?;
        Ok(Bytes::copy_from_slice(from.take(length)?))
    }
    fn write(&self, out: &mut Vec<u8>, _version: i16) {
        write_unsigned_varint(out, self.len() as u32 + 1);
        out.extend_from_slice(self);
    }
    fn json(&self, _version: i16) -> Value {
        Value::from(self.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

impl<T: Wire> Wire for Option<Vec<T>> {
    fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let Some(length) = from.compact_length()? else { return Ok(None) };
        let mut elements = Vec::with_capacity(length.min(16));
        for _ in 0..length {
            elements.push(T::read(from, version)?);
        }
        Ok(Some(elements))
    }
    fn write(&self, out: &mut Vec<u8>, version: i16) {
        match self {
            Some(elements) => elements.write(out, version),
            None => out.push(0),
        }
    }
    fn json(&self, version: i16) -> Value {
        self.as_ref().map_or(Value::Null, |elements| elements.json(version))
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        Option::<Vec<T>>::read(from, version)?.ok_or(DecodeError::UnexpectedNull)
    }
    fn write(&self, out: &mut Vec<u8>, version: i16) {
        write_unsigned_varint(out, self.len() as u32 + 1);
        for element in self {
            element.write(out, version);
        }
    }
    fn json(&self, version: i16) -> Value {
        self.iter().map(|element| element.json(version)).collect()
    }
}

/// A field's name as Kafka's schemas have it: `brokerId` of `broker_id`.
pub(crate) fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        name.extend(chars);
    }
    name
}
