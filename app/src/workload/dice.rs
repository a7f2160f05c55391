//! Chance that can be had again: the same seed gives the same numbers, on every machine and in every version (SplitMix64).

/// A source of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Of these numbers together.
    pub fn of(seeds: &[u64]) -> Dice {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for seed in seeds {
            dice.0 = dice.0.wrapping_mul(31) ^ seed;
            dice.0 = dice.next();
        }
        dice
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to below 1, evenly.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // Of 64 bits, what this is not even by is nothing that anybody sees.
        if end == 0 { 0 } else { self.next() % end }
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_others() {
        let numbers = |seeds: &[u64]| {
            let mut dice = Dice::of(seeds);
            [dice.next(), dice.next(), dice.next()]
        };
        assert_eq!(numbers(&[1, 2]), numbers(&[1, 2]));
        assert_ne!(numbers(&[1, 2]), numbers(&[2, 1]));
        assert_ne!(numbers(&[1]), numbers(&[2]));
    }

    #[test]
    fn shares_are_even() {
        let mut dice = Dice::of(&[7]);
        let mut tenths = [0u32; 10];
        (0..100_000).for_each(|_| tenths[(dice.share() * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|count| (9_600..10_400).contains(count)), "{tenths:?}");
        assert_eq!(dice.below(0), 0);
    }
}
