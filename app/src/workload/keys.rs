//! Which key a record gets: all in turn, few of them most of the time, or one above all.

use super::dice::Dice;
use crate::monitor::workload::{KeySkew, WorkloadSpec};

/// What decides how keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    keys: u32,
    skew: KeySkew,
    zipf_exponent: f64,
    hot_percent: u32,
}

/// Chooses the keys of one producer.
#[derive(Debug)]
pub struct Keys {
    dice: Dice,
    way: Way,
    /// Of Zipf's law: the share of keys up to each.
    shares: Vec<f64>,
}

impl Keys {
    /// Of a producer.
    pub fn new(spec: &WorkloadSpec, producer: u32) -> Keys {
        let mut keys = Keys {
            dice: Dice::of(&[spec.seed, producer.into(), 1]),
            way: Way { keys: 0, skew: KeySkew::Uniform, zipf_exponent: 0.0, hot_percent: 0 },
            shares: Vec::new(),
        };
        keys.follow(spec);
        keys
    }

    /// Chooses as `spec` says from now on.
    pub fn follow(&mut self, spec: &WorkloadSpec) {
        let way = Way {
            keys: spec.keys.max(1),
            skew: spec.key_skew,
            zipf_exponent: spec.zipf_exponent,
            hot_percent: spec.hot_percent,
        };
        if way == self.way {
            return;
        }
        self.way = way;
        self.shares.clear();
        if way.skew == KeySkew::Zipf {
            let mut sum = 0.0;
            self.shares.extend((1..=way.keys).map(|rank| {
                sum += f64::from(rank).powf(-way.zipf_exponent);
                sum
            }));
            self.shares.iter_mut().for_each(|share| *share /= sum);
        }
    }

    /// The key of a record, from 0; that of the hot key is 0.
    pub fn choose(&mut self, sequence: u64) -> u32 {
        let keys = u64::from(self.way.keys);
        let chosen = match self.way.skew {
            KeySkew::Uniform => sequence % keys,
            KeySkew::Zipf => {
                let share = self.dice.share();
                self.shares.partition_point(|up_to| *up_to <= share).min(self.shares.len() - 1) as u64
            }
            KeySkew::Hot if keys == 1 || self.dice.share() * 100.0 < f64::from(self.way.hot_percent) => 0,
            KeySkew::Hot => 1 + sequence % (keys - 1),
        };
        chosen as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(spec: &WorkloadSpec, records: u64) -> Vec<u32> {
        let mut keys = Keys::new(spec, 1);
        let mut counts = vec![0; spec.keys as usize];
        (0..records).for_each(|sequence| counts[keys.choose(sequence) as usize] += 1);
        counts
    }

    #[test]
    fn uniform_keys_come_equally_often() {
        let spec = WorkloadSpec { keys: 7, ..WorkloadSpec::default() };
        assert_eq!(counts(&spec, 7_000), vec![1_000; 7]);
    }

    #[test]
    fn zipf_follows_its_law() {
        let spec = WorkloadSpec { keys: 100, key_skew: KeySkew::Zipf, zipf_exponent: 1.0, ..WorkloadSpec::default() };
        let counts = counts(&spec, 200_000);
        let harmonic: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1u32, 2, 10, 50] {
            let expected = 200_000.0 / (f64::from(rank) * harmonic);
            let seen = f64::from(counts[rank as usize - 1]);
            // Four standard deviations of a binomial.
            assert!((seen - expected).abs() < 4.0 * expected.sqrt(), "{rank}: {seen}, not {expected}");
        }
    }

    #[test]
    fn the_hot_key_has_its_share_and_the_others_the_rest() {
        let spec = WorkloadSpec { keys: 11, key_skew: KeySkew::Hot, hot_percent: 80, ..WorkloadSpec::default() };
        let counts = counts(&spec, 100_000);
        assert!((79_400..80_600).contains(&counts[0]), "{counts:?}");
        assert!(counts[1..].iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
        let alone = WorkloadSpec { keys: 1, ..spec };
        assert_eq!(Keys::new(&alone, 1).choose(5), 0);
    }

    #[test]
    fn the_same_seed_chooses_the_same_keys() {
        let spec = WorkloadSpec { key_skew: KeySkew::Zipf, ..WorkloadSpec::default() };
        let chosen = |seed: u64, producer: u32| -> Vec<u32> {
            let mut keys = Keys::new(&WorkloadSpec { seed, ..spec.clone() }, producer);
            (0..50).map(|sequence| keys.choose(sequence)).collect()
        };
        assert_eq!(chosen(1, 1), chosen(1, 1));
        assert_ne!(chosen(1, 1), chosen(2, 1));
        assert_ne!(chosen(1, 1), chosen(1, 2), "each producer has a course of its own");
    }

    #[test]
    fn a_change_is_followed() {
        let mut spec = WorkloadSpec { keys: 10, ..WorkloadSpec::default() };
        let mut keys = Keys::new(&spec, 1);
        spec.key_skew = KeySkew::Hot;
        spec.hot_percent = 100;
        keys.follow(&spec);
        assert!((0..100).all(|sequence| keys.choose(sequence) == 0));
    }
}
