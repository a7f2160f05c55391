//! Fields of the records that Kafka's coordinators keep in their topics, in the old encoding (int16 and int32 lengths) and in the flexible one
//! (KIP-482). Knows the encoding, not what the records mean.
//!
//! Whatever is read is hostile: no claimed length is allocated before its bytes are there.
//!
//! Source: `org.apache.kafka.common.protocol.ByteBufferAccessor`, `ByteUtils`.

use bytes::{BufMut, Bytes, BytesMut};

/// Why a record could not be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A string or a blob is longer than its length field can say.
    #[error("a string of {0} bytes does not fit the record format")]
    TooLong(usize),
    /// The bytes end early, or say something impossible.
    #[error("the record is cut short or malformed")]
    Malformed,
    /// A version that Kafka 4.3 does not know either.
    #[error("record version {0} is not known")]
    UnknownVersion(i16),
}

/// A string behind an int16 length.
///
/// # Errors
/// It is longer than that can say; so with the others.
pub fn put_string(out: &mut BytesMut, value: &str) -> Result<(), RecordError> {
    out.put_i16(i16::try_from(value.len()).map_err(|_| RecordError::TooLong(value.len()))?);
    out.put_slice(value.as_bytes());
    Ok(())
}

/// The same; null is -1.
pub fn put_nullable_string(out: &mut BytesMut, value: Option<&str>) -> Result<(), RecordError> {
    match value {
        Some(value) => put_string(out, value),
        None => {
            out.put_i16(-1);
            Ok(())
        }
    }
}

/// Bytes behind an int32 length.
pub fn put_blob(out: &mut BytesMut, value: &[u8]) -> Result<(), RecordError> {
    out.put_i32(i32::try_from(value.len()).map_err(|_| RecordError::TooLong(value.len()))?);
    out.put_slice(value);
    Ok(())
}

/// Length + 1 as an unsigned varint.
pub fn put_compact_length(out: &mut BytesMut, length: usize) -> Result<(), RecordError> {
    let mut rest = u32::try_from(length).ok().and_then(|n| n.checked_add(1)).ok_or(RecordError::TooLong(length))?;
    while rest >= 0x80 {
        out.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
    Ok(())
}

/// A string in the flexible encoding.
pub fn put_compact_string(out: &mut BytesMut, value: &str) -> Result<(), RecordError> {
    put_compact_length(out, value.len())?;
    out.put_slice(value.as_bytes());
    Ok(())
}

/// The same; null is 0.
pub fn put_compact_nullable_string(out: &mut BytesMut, value: Option<&str>) -> Result<(), RecordError> {
    match value {
        Some(value) => put_compact_string(out, value),
        None => {
            out.put_u8(0);
            Ok(())
        }
    }
}

/// No tagged fields.
pub fn put_no_tags(out: &mut BytesMut) {
    out.put_u8(0);
}

/// Tagged field 0 of eight bytes, and no other; left out where it is zero, its default.
pub fn put_i64_tag(out: &mut BytesMut, value: i64) {
    if value == 0 {
        return put_no_tags(out);
    }
    out.put_slice(&[1, 0, 8]);
    out.put_i64(value);
}

/// A record's value of version 0, as far as its version.
pub fn started_value() -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    out.put_i16(0);
    out
}

/// A record's value of which version 0 is the only one that is known; its version is read.
pub fn value_of_version_0(value: &[u8]) -> Result<Input<'_>, RecordError> {
    let mut input = Input::new(value);
    match input.i16()? {
        0 => Ok(input),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

/// Bytes not yet read; no claimed length is allocated before its bytes are there.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input(bytes)
    }

    /// So many bytes.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(RecordError::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    /// The same, where the number is read.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(RecordError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    /// Big-endian, as all numbers.
    pub fn i8(&mut self) -> Result<i8, RecordError> {
        self.take().map(i8::from_be_bytes)
    }

    /// See [`Input::i8`].
    pub fn i16(&mut self) -> Result<i16, RecordError> {
        self.take().map(i16::from_be_bytes)
    }

    /// See [`Input::i8`].
    pub fn i32(&mut self) -> Result<i32, RecordError> {
        self.take().map(i32::from_be_bytes)
    }

    /// See [`Input::i8`].
    pub fn i64(&mut self) -> Result<i64, RecordError> {
        self.take().map(i64::from_be_bytes)
    }

    /// An unsigned varint.
    pub fn varint(&mut self) -> Result<u32, RecordError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed)
    }

    /// An int32 length; -1 is none.
    pub fn length(&mut self) -> Result<Option<usize>, RecordError> {
        match self.i32()? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| RecordError::Malformed),
        }
    }

    /// A length in the flexible encoding; `None` is null.
    pub fn compact_length(&mut self) -> Result<Option<usize>, RecordError> {
        Ok((self.varint()? as usize).checked_sub(1))
    }

    /// A length in either; `None` is null.
    pub fn any_length(&mut self, compact: bool) -> Result<Option<usize>, RecordError> {
        if compact { self.compact_length() } else { self.length() }
    }

    /// A string behind an int16 length, or null.
    pub fn nullable_string(&mut self) -> Result<Option<String>, RecordError> {
        let length = match self.i16()? {
            -1 => return Ok(None),
            length => usize::try_from(length).map_err(|_| RecordError::Malformed)?,
        };
        utf8(self.slice(length)?).map(Some)
    }

    /// The same, not null.
    pub fn string(&mut self) -> Result<String, RecordError> {
        self.nullable_string()?.ok_or(RecordError::Malformed)
    }

    /// A string in the flexible encoding, or null.
    pub fn compact_string(&mut self) -> Result<Option<String>, RecordError> {
        let Some(length) = self.compact_length()? else { return Ok(None) };
        utf8(self.slice(length)?).map(Some)
    }

    /// The same, not null.
    pub fn required_string(&mut self) -> Result<String, RecordError> {
        self.compact_string()?.ok_or(RecordError::Malformed)
    }

    /// Numbers behind a length in the flexible encoding.
    pub fn compact_i32s(&mut self) -> Result<Vec<i32>, RecordError> {
        (0..self.compact_length()?.unwrap_or(0)).map(|_| self.i32()).collect()
    }

    /// Tagged field 0 of eight bytes, or zero.
    pub fn i64_tag(&mut self) -> Result<i64, RecordError> {
        let mut value = 0;
        self.tagged_fields(|tag, mut field| {
            if tag == 0 {
                value = field.i64()?;
            }
            Ok(())
        })?;
        Ok(value)
    }

    /// Either.
    pub fn any_string(&mut self, compact: bool) -> Result<Option<String>, RecordError> {
        if compact { self.compact_string() } else { self.nullable_string() }
    }

    /// Bytes; null counts as none.
    pub fn blob(&mut self, compact: bool) -> Result<Bytes, RecordError> {
        let length = self.any_length(compact)?;
        Ok(Bytes::copy_from_slice(self.slice(length.unwrap_or(0))?))
    }

    /// Tagged fields, of which `each` is told the tag and the bytes.
    pub fn tagged_fields(
        &mut self,
        mut each: impl FnMut(u32, Input<'a>) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let length = self.varint()? as usize;
            each(tag, Input(self.slice(length)?))?;
        }
        Ok(())
    }
}

fn utf8(bytes: &[u8]) -> Result<String, RecordError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| RecordError::Malformed)
}
