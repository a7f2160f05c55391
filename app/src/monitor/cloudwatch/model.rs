//! What a machine of Amazon's has and ours has not, as a model that the broker's real load feeds. Metrics made of it are marked as simulated.

/// CPU credits of a burstable instance, as kafka.t3.small has them: one credit is a processor at full speed for a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuCredits {
    /// Credits left.
    pub balance: f64,
    /// Credits that were spent in the last interval.
    pub spent: f64,
}

/// A t3.small earns 24 credits an hour (two processors with a baseline of 20 %), and keeps those of a day.
const CREDITS_PER_S: f64 = 24.0 / 3600.0;
const CREDITS_MAX: f64 = 576.0;

impl CpuCredits {
    /// Time passes, in which the broker used so many seconds of a processor.
    pub fn pass(&mut self, seconds: f64, cpu_seconds: f64) {
        self.spent = cpu_seconds / 60.0;
        self.balance = (self.balance + seconds * CREDITS_PER_S - self.spent).clamp(0.0, CREDITS_MAX);
    }
}

/// The burst bucket of a gp2 volume of up to 33 GiB: it allows more than its 100 operations a second for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurstBucket {
    credits: f64,
}

const BURST_MAX: f64 = 5_400_000.0;
const BASELINE_PER_S: f64 = 100.0;
const OPERATION_BYTES: u64 = 256 * 1024;

impl Default for BurstBucket {
    fn default() -> BurstBucket {
        BurstBucket { credits: BURST_MAX }
    }
}

impl BurstBucket {
    /// Time passes, in which so many bytes were written: operations of 256 KiB, as gp2 counts what is in a row.
    pub fn pass(&mut self, seconds: f64, written: u64) {
        let operations = written.div_ceil(OPERATION_BYTES) as f64;
        self.credits = (self.credits + seconds * BASELINE_PER_S - operations).clamp(0.0, BURST_MAX);
    }

    /// What is left, in percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.credits / BURST_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_earned_and_spent() {
        let mut credits = CpuCredits::default();
        credits.pass(3600.0, 0.0);
        assert_eq!((credits.balance.round(), credits.spent), (24.0, 0.0));
        credits.pass(3600.0, 3600.0);
        assert_eq!((credits.balance, credits.spent), (0.0, 60.0));
        credits.pass(86_400.0 * 3.0, 0.0);
        assert_eq!(credits.balance, CREDITS_MAX);
    }

    #[test]
    fn a_bucket_empties_above_the_baseline_only() {
        let mut bucket = BurstBucket::default();
        bucket.pass(1.0, 100 * OPERATION_BYTES);
        assert_eq!(bucket.percent(), 100.0);
        bucket.pass(1.0, (100 + 54_000) * OPERATION_BYTES);
        assert_eq!(bucket.percent(), 99.0);
    }
}
