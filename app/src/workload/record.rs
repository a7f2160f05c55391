//! Who sent a record and which one it is: each value carries that at its beginning, whatever it is made of, so that a reader can tell what was
//! lost, doubled or reordered; and a checksum of key and value, so that it can tell what was damaged.

use std::fmt::Write as _;

use crc_fast::{CrcAlgorithm, Digest};

/// The letters that fill a value up to its size.
const FILL: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

/// What carries the number in a line of syslog: structured data under the enterprise number that RFC 5612 keeps for examples.
const STRUCTURED: &str = "[brokerscope@32473 workload=\"";

/// What stands before the checksum in JSON, and in structured data.
const JSON_SUM: &str = ",\"crc\":\"";
const TEXT_SUM: &str = "\" crc=\"";

/// The place of a checksum that is not known yet.
const OPEN: &str = "00000000";

/// Number and checksum stand within the first bytes: of a foreign value no more is looked at.
const HEAD_BYTES: usize = 240;

/// Who sent a record, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Workload.
    pub workload: u64,
    /// Producer within it, from 1.
    pub producer: u32,
    /// From 0, without a gap.
    pub sequence: u64,
}

/// Begins a JSON object that carries the number; the caller goes on with `,` and ends it.
pub fn begin_json(value: &mut String, number: Number) {
    let Number { workload, producer, sequence } = number;
    // Writing to a String cannot fail.
    let _ =
        write!(value, "{{\"workload\":{workload},\"producer\":{producer},\"sequence\":{sequence}{JSON_SUM}{OPEN}\"");
}

/// Writes the number as an element of structured data.
pub fn write_structured(value: &mut String, number: Number) {
    let Number { workload, producer, sequence } = number;
    let _ = write!(value, "{STRUCTURED}{workload}\" producer=\"{producer}\" sequence=\"{sequence}{TEXT_SUM}{OPEN}\"]");
}

/// Where the checksum stands in a value; it has [`OPEN`]'s length.
fn sum_at(value: &[u8]) -> Option<usize> {
    let head = value.get(..value.len().min(HEAD_BYTES))?;
    let after = |mark: &str| {
        let at = head.windows(mark.len()).position(|bytes| bytes == mark.as_bytes())? + mark.len();
        (at + OPEN.len() <= value.len()).then_some(at)
    };
    if value.first() == Some(&b'<') { after(TEXT_SUM) } else { after(JSON_SUM) }
}

/// The checksum of a key and a value, whose own place counts as [`OPEN`].
fn sum_of(key: &[u8], value: &[u8], at: usize) -> u32 {
    let parts = [&value[..at], OPEN.as_bytes(), &value[at + OPEN.len()..]];
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    [key].into_iter().chain(parts).for_each(|part| digest.update(part));
    digest.finalize() as u32
}

/// Puts the checksum in its place, once all else is written.
pub fn seal(key: &str, value: &mut String) {
    let Some(at) = sum_at(value.as_bytes()) else { return };
    let sum = sum_of(key.as_bytes(), value.as_bytes(), at);
    value.replace_range(at..at + OPEN.len(), &format!("{sum:08x}"));
}

/// Whether a record is as it was sealed.
pub fn is_sound(key: &[u8], value: &[u8]) -> bool {
    let Some(at) = sum_at(value) else { return false };
    let told = std::str::from_utf8(&value[at..at + OPEN.len()]).ok();
    told.and_then(|told| u32::from_str_radix(told, 16).ok()) == Some(sum_of(key, value, at))
}

/// Ends a JSON object, filled up so that it has `bytes` bytes; one that is longer gets nothing more.
pub fn end_json(value: &mut String, bytes: usize) {
    const AROUND: usize = ",\"fill\":\"\"}".len();
    if value.len() + AROUND <= bytes {
        value.push_str(",\"fill\":\"");
        fill(value, bytes - 2);
        value.push('"');
    } else {
        // JSON may have spaces there.
        value.extend(std::iter::repeat_n(' ', bytes.saturating_sub(value.len() + 1)));
    }
    value.push('}');
}

/// Fills up with letters.
pub fn fill(value: &mut String, bytes: usize) {
    let mut missing = bytes.saturating_sub(value.len());
    while missing > 0 {
        let part = missing.min(FILL.len());
        value.push_str(&FILL[..part]);
        missing -= part;
    }
}

/// Reads the number back; `None`: the record is not of a workload.
pub fn read_number(value: &[u8]) -> Option<Number> {
    let head = value.get(..value.len().min(HEAD_BYTES))?;
    // A character may be cut in the middle there.
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
    };
    let (mut rest, names) = match head.find(STRUCTURED) {
        Some(at) if head.starts_with('<') => (&head[at..], [STRUCTURED, "\" producer=\"", "\" sequence=\""]),
        _ => (head, ["{\"workload\":", ",\"producer\":", ",\"sequence\":"]),
    };
    let mut field = |name: &str| -> Option<u64> {
        rest = rest.strip_prefix(name)?;
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number = rest[..end].parse().ok();
        rest = &rest[end..];
        number
    };
    Some(Number { workload: field(names[0])?, producer: field(names[1])?.try_into().ok()?, sequence: field(names[2])? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_sizes_fit() {
        let mut value = String::new();
        for (workload, producer, sequence, bytes) in
            [(1, 1, 0, 64), (7, 16, u64::MAX, 200), (1, 2, 12_345, 1000), (1, 1, 5, 65), (1, 1, 5, 69), (1, 1, 5, 70)]
        {
            let number = Number { workload, producer, sequence };
            value.clear();
            begin_json(&mut value, number);
            end_json(&mut value, bytes);
            assert_eq!(value.len(), bytes, "{value}");
            assert_eq!(read_number(value.as_bytes()), Some(number));
            assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok());
            sealed("k", &mut value);
            assert_eq!(value.len(), bytes, "{value}");
            value.clear();
            value.push_str("<134>1 2026-11-27T15:00:00.000Z web-1 shop 1 - ");
            write_structured(&mut value, number);
            assert_eq!(read_number(value.as_bytes()), Some(number), "{value}");
            value.push_str(" and a message");
            sealed("web-1", &mut value);
        }
    }

    /// Every byte of key and value counts.
    fn sealed(key: &str, value: &mut String) {
        assert!(!is_sound(key.as_bytes(), value.as_bytes()), "{value}");
        seal(key, value);
        assert!(is_sound(key.as_bytes(), value.as_bytes()) && !is_sound(b"other", value.as_bytes()), "{value}");
        for at in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!is_sound(key.as_bytes(), &bytes), "{at} of {value}");
        }
    }

    #[test]
    fn foreign_values_have_no_number() {
        for value in [
            "",
            "{",
            "{\"workload\":",
            "{\"workload\":x",
            "{\"workload\":1,\"producer\":99999999999,\"sequence\":1,",
            "hello",
            "<134>1 - - - - - - hello",
            "<134>1 - - - - - [brokerscope@32473 workload=\"x\"]",
        ] {
            assert_eq!(read_number(value.as_bytes()), None, "{value}");
            assert!(!is_sound(b"", value.as_bytes()), "{value}");
        }
        assert_eq!(read_number(&[0xff; 500]), None);
    }
}
