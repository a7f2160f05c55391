//! How what nodes tell is written down for a recording, and read back: `borsh` does it, but for the few types that it does not take.
//!
//! Knows no other room. A recording comes from a file that anybody may have written: whatever is read is checked, and nothing is believed of
//! its lengths.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};

/// What `borsh` does not take as it is.
pub trait Plain: Sized {
    /// Writes it.
    ///
    /// # Errors
    /// The writer's.
    fn put<W: Write>(&self, writer: &mut W) -> Result<()>;

    /// Reads it.
    ///
    /// # Errors
    /// The reader's; or what is there is none.
    fn take<R: Read>(reader: &mut R) -> Result<Self>;
}

/// For `#[borsh(serialize_with = …)]`.
///
/// # Errors
/// The writer's.
pub fn put<T: Plain, W: Write>(value: &T, writer: &mut W) -> Result<()> {
    value.put(writer)
}

/// For `#[borsh(deserialize_with = …)]`.
///
/// # Errors
/// As [`Plain::take`].
pub fn take<T: Plain, R: Read>(reader: &mut R) -> Result<T> {
    T::take(reader)
}

/// What was read makes no sense.
pub fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, what.into())
}

/// `borsh` refuses what is not a number, which is what a value is that was not measured.
impl Plain for f64 {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        self.to_bits().serialize(writer)
    }

    fn take<R: Read>(reader: &mut R) -> Result<f64> {
        u64::deserialize_reader(reader).map(f64::from_bits)
    }
}

impl<const N: usize> Plain for [f64; N] {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        self.iter().try_for_each(|value| value.put(writer))
    }

    fn take<R: Read>(reader: &mut R) -> Result<[f64; N]> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = f64::take(reader)?;
        }
        Ok(values)
    }
}

impl Plain for Duration {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        (self.as_secs(), self.subsec_nanos()).serialize(writer)
    }

    fn take<R: Read>(reader: &mut R) -> Result<Duration> {
        let (seconds, nanos) = <(u64, u32)>::deserialize_reader(reader)?;
        if nanos < 1_000_000_000 { Ok(Duration::new(seconds, nanos)) } else { Err(invalid("no such duration")) }
    }
}

/// As text: what is not Unicode in a path is lost.
impl Plain for PathBuf {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        self.to_string_lossy().as_ref().serialize(writer)
    }

    fn take<R: Read>(reader: &mut R) -> Result<PathBuf> {
        String::deserialize_reader(reader).map(PathBuf::from)
    }
}

impl<T: Plain> Plain for Option<T> {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        self.is_some().serialize(writer)?;
        self.as_ref().map_or(Ok(()), |value| value.put(writer))
    }

    fn take<R: Read>(reader: &mut R) -> Result<Option<T>> {
        if bool::deserialize_reader(reader)? { T::take(reader).map(Some) } else { Ok(None) }
    }
}

impl<K: BorshSerialize + BorshDeserialize + Ord, V: Plain> Plain for BTreeMap<K, V> {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        u32::try_from(self.len()).map_err(|_| invalid("too many entries"))?.serialize(writer)?;
        self.iter().try_for_each(|(key, value)| {
            key.serialize(writer)?;
            value.put(writer)
        })
    }

    fn take<R: Read>(reader: &mut R) -> Result<BTreeMap<K, V>> {
        // As many as really follow: nothing is set aside for those that a length only promises.
        let count = u32::deserialize_reader(reader)?;
        (0..count).map(|_| Ok((K::deserialize_reader(reader)?, V::take(reader)?))).collect()
    }
}

/// Longest word that is taken for one of the program's own, bytes.
const WORD_MAX: usize = 100;
/// Words of the program's own; there are some hundred.
const WORDS_MAX: usize = 4_096;

/// Words that lived as constants when they were written down, and do so again: states, names of APIs, keys of MBeans. Bounded, since what is
/// kept here is kept for good.
static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A word as a constant.
///
/// # Errors
/// It is too long, or there are too many.
pub fn word(text: &str) -> Result<&'static str> {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text) {
        return Ok(known);
    }
    if text.len() > WORD_MAX || words.len() >= WORDS_MAX {
        return Err(invalid("a word is none of this program's"));
    }
    let kept: &'static str = Box::leak(text.into());
    words.insert(kept);
    Ok(kept)
}

impl Plain for &'static str {
    fn put<W: Write>(&self, writer: &mut W) -> Result<()> {
        (**self).serialize(writer)
    }

    fn take<R: Read>(reader: &mut R) -> Result<&'static str> {
        word(&String::deserialize_reader(reader)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again<T: Plain>(value: &T) -> Result<T> {
        let mut bytes = Vec::new();
        value.put(&mut bytes)?;
        let mut rest = bytes.as_slice();
        let value = T::take(&mut rest)?;
        assert!(rest.is_empty());
        Ok(value)
    }

    #[test]
    fn what_is_written_is_read() {
        assert!(again(&f64::NAN).unwrap().is_nan());
        assert_eq!(again(&Some([1.5, f64::INFINITY])).unwrap(), Some([1.5, f64::INFINITY]));
        assert_eq!(again(&None::<f64>).unwrap(), None);
        assert_eq!(again(&Duration::from_nanos(1_500_000_001)).unwrap(), Duration::from_nanos(1_500_000_001));
        let map = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        assert_eq!(again(&map).unwrap(), map);
        assert_eq!(again(&"Stable").unwrap(), "Stable");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(word(&"x".repeat(WORD_MAX + 1)).is_err());
        assert!(Duration::take(&mut [0xff; 12].as_slice()).is_err());
        // A length that nothing follows sets nothing aside.
        assert!(BTreeMap::<String, f64>::take(&mut [0xff; 4].as_slice()).is_err());
    }
}
