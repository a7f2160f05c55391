//! Numbers of many partitions, written so that what changes stands together: all values of one kind, and of these the lowest bytes first.
//!
//! From one frame to the next of ten thousand partitions that are written to, only the lowest bytes of two columns differ; all else is found
//! again by the compressor at one stretch.

use std::io::Result;

use broker::recorded::invalid;

/// Values of one column; more are none of ours.
const VALUES_MAX: usize = 8_000_000;

/// All values are the same, and stand once.
const SAME: u8 = 0xff;

/// Adds a column.
pub fn put(out: &mut Vec<u8>, values: impl IntoIterator<Item = i64>) {
    let values: Vec<u64> = values.into_iter().map(zigzag).collect();
    let first = values.first().copied().unwrap_or(0);
    if values.iter().all(|value| *value == first) {
        out.push(SAME);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    let all = values.iter().fold(0, |all, value| all | value);
    let planes = (u64::BITS - all.leading_zeros()).div_ceil(8);
    out.push(planes as u8);
    for plane in 0..planes {
        out.extend(values.iter().map(|value| (value >> (8 * plane)) as u8));
    }
}

/// Takes a column of `count` values off the front of `bytes`.
///
/// # Errors
/// It is not there.
pub fn take(bytes: &mut &[u8], count: usize) -> Result<Vec<i64>> {
    if count > VALUES_MAX {
        return Err(invalid("a column is too long"));
    }
    let planes = take_bytes(bytes, 1)?[0];
    if planes == SAME {
        let mut value = [0; 8];
        value.copy_from_slice(take_bytes(bytes, 8)?);
        return Ok(vec![unzigzag(u64::from_le_bytes(value)); count]);
    }
    if planes > 8 {
        return Err(invalid("a column has too many planes"));
    }
    let mut values = vec![0_u64; count];
    for plane in 0..planes {
        for (value, byte) in values.iter_mut().zip(take_bytes(bytes, count)?) {
            *value |= u64::from(*byte) << (8 * plane);
        }
    }
    Ok(values.into_iter().map(unzigzag).collect())
}

/// Takes bytes off the front.
///
/// # Errors
/// There are not so many.
pub fn take_bytes<'b>(bytes: &mut &'b [u8], count: usize) -> Result<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or_else(|| invalid("it ends too early"))?;
    *bytes = rest;
    Ok(taken)
}

/// Adds lists: how long each is, and all their values one behind the other.
pub fn put_lists<'v>(out: &mut Vec<u8>, lists: impl Iterator<Item = &'v [i32]> + Clone) {
    put(out, lists.clone().map(|list| list.len() as i64));
    put(out, lists.flatten().map(|value| i64::from(*value)));
}

/// Takes lists.
///
/// # Errors
/// They are not there.
pub fn take_lists(bytes: &mut &[u8], count: usize) -> Result<Vec<Vec<i32>>> {
    let (lengths, total) = take_lengths(bytes, count)?;
    let values = narrow(take(bytes, total)?)?;
    let mut rest = values.as_slice();
    let mut lists = Vec::with_capacity(count);
    for length in lengths {
        let (list, behind) = rest.split_at_checked(length).ok_or_else(|| invalid("a list ends too early"))?;
        lists.push(list.to_vec());
        rest = behind;
    }
    Ok(lists)
}

/// Takes the lengths of lists, and tells how many values they have together.
///
/// # Errors
/// They are not there, or promise too much.
pub fn take_lengths(bytes: &mut &[u8], count: usize) -> Result<(Vec<usize>, usize)> {
    let mut total = 0_usize;
    let mut lengths = Vec::with_capacity(count.min(VALUES_MAX));
    for length in take(bytes, count)? {
        let length = usize::try_from(length).map_err(|_| invalid("a length is negative"))?;
        total = total.saturating_add(length);
        lengths.push(length);
    }
    if total > VALUES_MAX { Err(invalid("lists are too long")) } else { Ok((lengths, total)) }
}

/// As 32-bit numbers.
///
/// # Errors
/// Some is greater.
pub fn narrow(values: Vec<i64>) -> Result<Vec<i32>> {
    values.into_iter().map(|value| i32::try_from(value).map_err(|_| invalid("a number is too great"))).collect()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_are_read_as_they_were_written(values in prop::collection::vec(prop_oneof![Just(0_i64), -300_i64..300, any::<i64>()], 0..50)) {
            let mut bytes = Vec::new();
            put(&mut bytes, values.clone());
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take(&mut rest, values.len()).unwrap(), values);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn lists_are_read_as_they_were_written(lists in prop::collection::vec(prop::collection::vec(any::<i32>(), 0..5), 0..20)) {
            let mut bytes = Vec::new();
            put_lists(&mut bytes, lists.iter().map(Vec::as_slice));
            prop_assert_eq!(take_lists(&mut bytes.as_slice(), lists.len()).unwrap(), lists);
        }

        #[test]
        fn whatever_is_read_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..40), count in 0_usize..100) {
            let _ = take(&mut bytes.as_slice(), count);
            let _ = take_lists(&mut bytes.as_slice(), count);
        }
    }

    #[test]
    fn what_is_the_same_everywhere_takes_no_room() {
        let mut bytes = Vec::new();
        put(&mut bytes, [7; 10_000]);
        assert_eq!(bytes.len(), 9);
        // A promise of too much is not believed.
        bytes.clear();
        put(&mut bytes, [1_000_000; 1_000]);
        put(&mut bytes, [1; 2]);
        assert!(take_lists(&mut bytes.as_slice(), 1_000).is_err());
    }
}
