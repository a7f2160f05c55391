//! The records of a workload. Each value carries who sent it and its number, so that a reader can tell what was lost, doubled or reordered.

use std::fmt::Write as _;

/// Keys per producer: enough for all partitions, few enough that a key comes again.
const KEYS: u64 = 1_000;

/// The letters that fill a value up to its size.
const FILL: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

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

/// Writes the key: records of one key keep their order.
pub fn write_key(key: &mut String, number: Number) {
    key.clear();
    // Writing to a String cannot fail.
    let _ = write!(key, "key-{}", number.sequence % KEYS);
}

/// Writes the value, JSON of exactly `bytes` bytes (or a little more, where the number does not fit).
pub fn write_value(value: &mut String, number: Number, bytes: usize) {
    value.clear();
    let Number { workload, producer, sequence } = number;
    let _ = write!(value, "{{\"workload\":{workload},\"producer\":{producer},\"sequence\":{sequence},\"fill\":\"");
    let mut missing = bytes.saturating_sub(value.len() + 2);
    while missing > 0 {
        let part = missing.min(FILL.len());
        value.push_str(&FILL[..part]);
        missing -= part;
    }
    value.push_str("\"}");
}

/// Reads the number back; `None`: the record is not of a workload.
pub fn read_number(value: &[u8]) -> Option<Number> {
    // The number stands at the beginning; a foreign value is not parsed to its end.
    let head = std::str::from_utf8(value.get(..value.len().min(160))?).ok()?;
    let mut rest = head;
    let mut field = |name: &str| -> Option<u64> {
        rest = rest.strip_prefix(name)?;
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number = rest[..end].parse().ok();
        rest = &rest[end..];
        number
    };
    Some(Number {
        workload: field("{\"workload\":")?,
        producer: field(",\"producer\":")?.try_into().ok()?,
        sequence: field(",\"sequence\":")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_sizes_fit() {
        let mut value = String::new();
        for (workload, producer, sequence, bytes) in
            [(1, 1, 0, 64), (7, 16, u64::MAX, 200), (1, 2, 12_345, 1000), (1, 1, 5, 65)]
        {
            let number = Number { workload, producer, sequence };
            write_value(&mut value, number, bytes);
            assert_eq!(value.len(), bytes, "{value}");
            assert_eq!(read_number(value.as_bytes()), Some(number));
            assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok());
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
        ] {
            assert_eq!(read_number(value.as_bytes()), None, "{value}");
        }
        assert_eq!(read_number(&[0xff; 500]), None);
    }

    #[test]
    fn keys_repeat() {
        let mut key = String::new();
        write_key(&mut key, Number { workload: 1, producer: 1, sequence: 1_002 });
        assert_eq!(key, "key-2");
    }
}
