//! Variable-length integers: seven bits a byte, lowest first. Signed ones are zigzag-coded.
//!
//! Overlong forms (a last byte that adds nothing) are refused, so that every number has one encoding.
//! Source: `org.apache.kafka.common.utils.ByteUtils`.

use bytes::BufMut;

use super::BatchError;

const OVERLONG: BatchError = BatchError::Invalid("a variable-length integer is too long");

/// Reads an unsigned 64-bit number and advances `bytes`.
pub fn read_unsigned_long(bytes: &mut &[u8]) -> Result<u64, BatchError> {
    read(bytes, 64)
}

/// Reads an unsigned 32-bit number and advances `bytes`.
pub fn read_unsigned(bytes: &mut &[u8]) -> Result<u32, BatchError> {
    Ok(read(bytes, 32)? as u32)
}

/// Reads a zigzag-coded `i32` and advances `bytes`.
pub fn read_varint(bytes: &mut &[u8]) -> Result<i32, BatchError> {
    let raw = read_unsigned(bytes)?;
    Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads a zigzag-coded `i64` and advances `bytes`.
pub fn read_varlong(bytes: &mut &[u8]) -> Result<i64, BatchError> {
    let raw = read(bytes, 64)?;
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn read(bytes: &mut &[u8], bits: u32) -> Result<u64, BatchError> {
    let mut value = 0u64;
    let mut shift = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        let payload = u64::from(byte & 0x7f);
        let room = bits - shift;
        if room < 7 && payload >> room != 0 {
            return Err(OVERLONG);
        }
        value |= payload << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(OVERLONG);
            }
            *bytes = &bytes[index + 1..];
            return Ok(value);
        }
        shift += 7;
        if shift >= bits {
            return Err(OVERLONG);
        }
    }
    Err(BatchError::Incomplete { needed: bytes.len() + 1, have: bytes.len() })
}

/// Writes an unsigned number.
pub fn write_unsigned(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Writes an `i32`, zigzag-coded.
pub fn write_varint(out: &mut impl BufMut, value: i32) {
    write_unsigned(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Writes an `i64`, zigzag-coded.
pub fn write_varlong(out: &mut impl BufMut, value: i64) {
    write_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Bytes that [`write_unsigned`] takes.
pub fn unsigned_size_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Bytes that [`write_varint`] takes.
pub fn varint_size_bytes(value: i32) -> usize {
    unsigned_size_bytes(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// Bytes that [`write_varlong`] takes.
pub fn varlong_size_bytes(value: i64) -> usize {
    unsigned_size_bytes(((value << 1) ^ (value >> 63)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_encodings() {
        for (value, expected) in [
            (0, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            write_varint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
    }

    #[test]
    fn overlong_and_torn_forms_are_refused() {
        for bytes in [&[0x80u8, 0][..], &[0xff, 0xff, 0xff, 0xff, 0x1f], &[0x80; 5], &[0x80; 11], &[0x81, 0x80, 0x00]] {
            assert!(read_varint(&mut &*bytes).is_err(), "{bytes:?}");
        }
        for bytes in [&[0x80u8][..], &[], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]] {
            assert!(read_varlong(&mut &*bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_survive(value: i64, narrow: i32, rest: Vec<u8>) {
            let mut out = Vec::new();
            write_varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_size_bytes(value));
            write_varint(&mut out, narrow);
            out.extend(&rest);
            let mut bytes = &out[..];
            prop_assert_eq!(read_varlong(&mut bytes), Ok(value));
            prop_assert_eq!(bytes.len(), varint_size_bytes(narrow) + rest.len());
            prop_assert_eq!(read_varint(&mut bytes), Ok(narrow));
            prop_assert_eq!(bytes, &rest[..]);
        }

        #[test]
        fn what_is_read_is_written_alike(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            if let Ok(value) = read_varlong(&mut rest) {
                let mut out = Vec::new();
                write_varlong(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
