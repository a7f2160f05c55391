//! A set of numbers that come nearly without gaps: what is full costs nothing, what has gaps costs a bit for each number.

use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers of one chunk.
const CHUNK: u64 = 1 << 16;
const WORDS: usize = (CHUNK / 64) as usize;

/// Numbers from 0.
#[derive(Clone, Debug, Default)]
pub struct NumberSet {
    chunks: BTreeMap<u64, Chunk>,
    len: u64,
}

#[derive(Clone, Debug)]
enum Chunk {
    Full,
    Some(Box<[u64; WORDS]>, u32),
}

/// Chunk, word and bit.
fn place(number: u64) -> (u64, usize, u64) {
    let inside = number % CHUNK;
    (number / CHUNK, (inside / 64) as usize, 1 << (inside % 64))
}

impl Chunk {
    fn word(&self, index: usize) -> u64 {
        match self {
            Chunk::Full => u64::MAX,
            Chunk::Some(words, _) => words[index],
        }
    }
}

impl NumberSet {
    /// Adds a number; false: it was in.
    pub fn insert(&mut self, number: u64) -> bool {
        let (chunk, word, bit) = place(number);
        let known = self.chunks.entry(chunk).or_insert_with(|| Chunk::Some(Box::new([0; WORDS]), 0));
        let Chunk::Some(words, count) = known else { return false };
        if words[word] & bit != 0 {
            return false;
        }
        words[word] |= bit;
        *count += 1;
        if u64::from(*count) == CHUNK {
            *known = Chunk::Full;
        }
        self.len += 1;
        true
    }

    /// Takes a number out; false: it was not in.
    pub fn remove(&mut self, number: u64) -> bool {
        let (chunk, word, bit) = place(number);
        let Some(known) = self.chunks.get_mut(&chunk) else { return false };
        if let Chunk::Full = known {
            *known = Chunk::Some(Box::new([u64::MAX; WORDS]), CHUNK as u32);
        }
        let Chunk::Some(words, count) = known else { return false };
        if words[word] & bit == 0 {
            return false;
        }
        words[word] &= !bit;
        *count -= 1;
        if *count == 0 {
            self.chunks.remove(&chunk);
        }
        self.len -= 1;
        true
    }

    /// Whether a number is in.
    pub fn contains(&self, number: u64) -> bool {
        let (chunk, word, bit) = place(number);
        self.chunks.get(&chunk).is_some_and(|known| known.word(word) & bit != 0)
    }

    /// How many are in.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers that are in and not in the other, from the least on.
    pub fn without<'a>(&'a self, other: &'a NumberSet) -> impl Iterator<Item = u64> + 'a {
        let differs = |(index, chunk): &(&u64, &Chunk)| {
            !matches!((chunk, other.chunks.get(index)), (Chunk::Full | Chunk::Some(..), Some(Chunk::Full)))
        };
        self.chunks.iter().filter(differs).flat_map(move |(index, chunk)| {
            let beside = other.chunks.get(index);
            (0..WORDS).flat_map(move |word| {
                let bits = chunk.word(word) & !beside.map_or(0, |beside| beside.word(word));
                let first = index * CHUNK + word as u64 * 64;
                (0..64).filter(move |bit| bits >> bit & 1 != 0).map(move |bit| first + bit)
            })
        })
    }

    /// The numbers as spans, from the least on; at most `most`, and whether these are all.
    pub fn spans(&self, most: usize) -> (Vec<Range<u64>>, bool) {
        let mut spans: Vec<Range<u64>> = Vec::new();
        let mut put = |from: u64, to: u64| -> bool {
            let is_full = spans.len() == most;
            match spans.last_mut() {
                Some(last) if last.end == from => last.end = to,
                _ if is_full => return false,
                _ => spans.push(from..to),
            }
            true
        };
        for (index, chunk) in &self.chunks {
            let first = index * CHUNK;
            let whole = match chunk {
                Chunk::Full => put(first, first + CHUNK),
                Chunk::Some(words, _) => words.iter().enumerate().all(|(word, bits)| {
                    let first = first + word as u64 * 64;
                    (0..64).filter(|bit| bits >> bit & 1 != 0).all(|bit| put(first + bit, first + bit + 1))
                }),
            };
            if !whole {
                return (spans, false);
            }
        }
        (spans, true)
    }

    /// What it takes of memory, about.
    pub fn bytes(&self) -> usize {
        let of = |chunk: &Chunk| if matches!(chunk, Chunk::Full) { 0 } else { WORDS * 8 };
        self.chunks.values().map(|chunk| of(chunk) + 32).sum::<usize>() + size_of::<NumberSet>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(deeds in prop::collection::vec((any::<bool>(), 0_u64..400_000), 0..600), other in prop::collection::vec(0_u64..400_000, 0..200)) {
            let (mut set, mut plain) = (NumberSet::default(), BTreeSet::new());
            for (adds, number) in deeds {
                if adds {
                    prop_assert_eq!(set.insert(number), plain.insert(number));
                } else {
                    prop_assert_eq!(set.remove(number), plain.remove(&number));
                }
                prop_assert_eq!(set.contains(number), plain.contains(&number));
            }
            prop_assert_eq!(set.len(), plain.len() as u64);
            let mut beside = NumberSet::default();
            for number in &other {
                beside.insert(*number);
            }
            let expected: Vec<u64> = plain.iter().copied().filter(|number| !other.contains(number)).collect();
            prop_assert_eq!(set.without(&beside).collect::<Vec<_>>(), expected);
            let (spans, whole) = set.spans(usize::MAX);
            prop_assert!(whole);
            prop_assert_eq!(spans.into_iter().flatten().collect::<Vec<_>>(), plain.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_full_costs_nothing() {
        let mut set = NumberSet::default();
        (0..20 * CHUNK).for_each(|number| assert!(set.insert(number)));
        assert!(set.bytes() < 1_000, "{}", set.bytes());
        assert!(!set.insert(7) && set.remove(7) && !set.contains(7) && set.contains(8));
        assert_eq!(set.spans(9).0, [0..7, 8..20 * CHUNK]);
        let (spans, is_whole) = set.spans(1);
        assert_eq!((spans.len(), spans[0].clone(), is_whole), (1, 0..7, false));
        set.insert(7);
        assert!(set.bytes() < 1_000 && set.len() == 20 * CHUNK);
    }
}
