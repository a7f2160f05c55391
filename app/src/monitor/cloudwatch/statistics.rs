//! Statistic sets, and what can be read from them.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::str::FromStr;

use super::sketch::Sketch;

/// What is kept of the values of one period: CloudWatch's statistic set, and a sketch for percentiles.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct StatisticSet {
    /// How many values.
    pub count: u32,
    /// Their sum.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub sum: f64,
    /// The least.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub minimum: f64,
    /// The greatest.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub maximum: f64,
    /// Left out (boxed and `None`) while all values are the same, which is most of what there is.
    sketch: Option<Box<Sketch>>,
}

impl StatisticSet {
    /// Of one value.
    pub fn of(value: f64) -> StatisticSet {
        StatisticSet { count: 1, sum: value, minimum: value, maximum: value, sketch: None }
    }

    /// Adds the values of another.
    pub fn merge(&mut self, other: &StatisticSet) {
        if self.sketch.is_some() || other.sketch.is_some() || self.minimum != other.minimum {
            let mut sketch = self.sketch.take().unwrap_or_else(|| Box::new(Sketch::of(self.minimum, self.count)));
            match &other.sketch {
                Some(sketched) => sketch.merge(sketched),
                None => sketch.merge(&Sketch::of(other.minimum, other.count)),
            }
            self.sketch = Some(sketch);
        }
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
    }

    /// What a statistic says of the values.
    pub fn get(&self, statistic: Statistic) -> f64 {
        let between = |value: Option<f64>| value.unwrap_or(self.minimum).clamp(self.minimum, self.maximum);
        match statistic {
            Statistic::SampleCount => f64::from(self.count),
            Statistic::Sum => self.sum,
            Statistic::Average => self.sum / f64::from(self.count),
            Statistic::Minimum => self.minimum,
            Statistic::Maximum => self.maximum,
            Statistic::Percentile(Hundredths(0)) => self.minimum,
            Statistic::Percentile(Hundredths(10_000)) => self.maximum,
            Statistic::Percentile(percent) => between(self.sketch.as_ref().and_then(|s| s.percentile(percent.get()))),
            Statistic::TrimmedMean(percent) => {
                between(self.sketch.as_ref().and_then(|sketch| sketch.trimmed_mean(0.0, percent.get())))
            }
            Statistic::PercentileRank(low, high) => match &self.sketch {
                Some(sketch) => sketch.rank(low.map(f64::from), high.map(f64::from)).unwrap_or(0.0),
                None => Sketch::of(self.minimum, 1).rank(low.map(f64::from), high.map(f64::from)).unwrap_or(0.0),
            },
        }
    }
}

/// A percentage with two decimals.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hundredths(pub u16);

impl Hundredths {
    fn get(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match (part, part % 10) {
            (0, _) => write!(f, "{whole}"),
            (_, 0) => write!(f, "{whole}.{}", part / 10),
            _ => write!(f, "{whole}.{part:02}"),
        }
    }
}

/// What is asked of a period's values, in CloudWatch's words.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statistic {
    /// How many values.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// `p99.9`: the value that so many percent of all do not exceed.
    Percentile(Hundredths),
    /// `tm99`: the mean of the least so many percent.
    TrimmedMean(Hundredths),
    /// `PR(100:2000)`: how many percent lie above the one and not above the other; whole numbers here, either may be left out.
    PercentileRank(Option<u32>, Option<u32>),
}

impl Statistic {
    /// CloudWatch's five, which are given by name and not as "extended".
    pub fn is_simple(self) -> bool {
        !matches!(self, Statistic::Percentile(_) | Statistic::TrimmedMean(_) | Statistic::PercentileRank(..))
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Option<u32>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        match self {
            Statistic::SampleCount => f.write_str("SampleCount"),
            Statistic::Average => f.write_str("Average"),
            Statistic::Sum => f.write_str("Sum"),
            Statistic::Minimum => f.write_str("Minimum"),
            Statistic::Maximum => f.write_str("Maximum"),
            Statistic::Percentile(percent) => write!(f, "p{percent}"),
            Statistic::TrimmedMean(percent) => write!(f, "tm{percent}"),
            Statistic::PercentileRank(low, high) => write!(f, "PR({}:{})", bound(low), bound(high)),
        }
    }
}

/// The text names no statistic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a statistic: there are SampleCount, Average, Sum, Minimum, Maximum, p0 to p100 (two decimals), tm0 to tm100, and PR(LOW:HIGH) with whole numbers"
)]
pub struct NotAStatistic;

fn hundredths(text: &str) -> Result<Hundredths, NotAStatistic> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return Err(NotAStatistic);
    }
    let number = |text: &str| text.parse::<u32>().map_err(|_| NotAStatistic);
    let part = if part.len() == 1 { number(part)? * 10 } else { number(part)? };
    let sum = number(whole)? * 100 + part;
    u16::try_from(sum).ok().filter(|sum| *sum <= 10_000).map(Hundredths).ok_or(NotAStatistic)
}

impl FromStr for Statistic {
    type Err = NotAStatistic;

    fn from_str(text: &str) -> Result<Statistic, NotAStatistic> {
        let simple = match text {
            "SampleCount" => Some(Statistic::SampleCount),
            "Average" => Some(Statistic::Average),
            "Sum" => Some(Statistic::Sum),
            "Minimum" => Some(Statistic::Minimum),
            "Maximum" => Some(Statistic::Maximum),
            _ => None,
        };
        if let Some(statistic) = simple {
            return Ok(statistic);
        }
        if let Some(range) = text.strip_prefix("PR(").and_then(|rest| rest.strip_suffix(')')) {
            let (low, high) = range.split_once(':').ok_or(NotAStatistic)?;
            let bound = |text: &str| match text {
                "" => Ok(None),
                text => text.parse().map(Some).map_err(|_| NotAStatistic),
            };
            return match (bound(low)?, bound(high)?) {
                (None, None) => Err(NotAStatistic),
                (low, high) => Ok(Statistic::PercentileRank(low, high)),
            };
        }
        match (text.strip_prefix('p'), text.strip_prefix("tm")) {
            (Some(percent), _) => hundredths(percent).map(Statistic::Percentile),
            (_, Some(percent)) => hundredths(percent).map(Statistic::TrimmedMean),
            _ => Err(NotAStatistic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sketch::RELATIVE_ERROR;
    use super::*;
    use proptest::prelude::*;

    fn set(values: &[f64]) -> StatisticSet {
        let mut sets = values.iter().map(|value| StatisticSet::of(*value));
        let mut sum = sets.next().unwrap();
        sets.for_each(|one| sum.merge(&one));
        sum
    }

    #[test]
    fn names() {
        for text in [
            "SampleCount",
            "Average",
            "Sum",
            "Minimum",
            "Maximum",
            "p0",
            "p50",
            "p99.9",
            "p99.95",
            "p100",
            "tm90",
            "PR(:5)",
            "PR(1:)",
            "PR(1:20)",
        ] {
            assert_eq!(text.parse::<Statistic>().unwrap().to_string(), text);
        }
        for text in [
            "", "average", "p", "p101", "p99.999", "p-1", "p1e1", "p+1", "tm", "PR", "PR(:)", "PR(a:)", "p100.01",
            "p9999", "p656", "p999.99",
        ] {
            assert_eq!(text.parse::<Statistic>(), Err(NotAStatistic), "{text}");
        }
        assert_eq!("p99.90".parse::<Statistic>().unwrap().to_string(), "p99.9");
    }

    #[test]
    fn what_is_read() {
        let values = set(&[1.0, 2.0, 2.0, 3.0, 100.0]);
        for (text, expected) in [
            ("SampleCount", 5.0),
            ("Sum", 108.0),
            ("Average", 21.6),
            ("Minimum", 1.0),
            ("Maximum", 100.0),
            ("p0", 1.0),
            ("p50", 2.0),
            ("p60", 2.0),
            ("p80", 3.0),
            ("p81", 100.0),
            ("p100", 100.0),
            ("tm80", 2.0),
            ("PR(:2)", 60.0),
            ("PR(50:)", 20.0),
        ] {
            let got = values.get(text.parse().unwrap());
            assert!((got - expected).abs() <= RELATIVE_ERROR * expected, "{text} is {got}");
        }
        let one = set(&[7.5; 3]);
        for text in ["p1", "p99", "tm50", "Average", "Minimum", "Maximum"] {
            assert_eq!(one.get(text.parse().unwrap()), 7.5, "{text}");
        }
        let below_zero = set(&[-4.0, -2.0, 0.0]).get("p50".parse().unwrap());
        assert!((below_zero + 2.0).abs() <= RELATIVE_ERROR * 2.0, "{below_zero}");
    }

    proptest! {
        #[test]
        fn merged_sets_say_what_all_values_say(
            values in prop::collection::vec(prop_oneof![Just(0.0), 10.0..100.0f64], 1..400),
            cut in 0usize..400,
            percent in 1u16..10_000,
        ) {
            let cut = cut.min(values.len());
            let mut merged: Option<StatisticSet> = None;
            for part in [&values[..cut], &values[cut..]].into_iter().filter(|part| !part.is_empty()) {
                match &mut merged {
                    None => merged = Some(set(part)),
                    Some(merged) => merged.merge(&set(part)),
                }
            }
            let merged = merged.unwrap();
            let direct = set(&values);
            prop_assert_eq!(merged.count, direct.count);
            prop_assert_eq!((merged.minimum, merged.maximum), (direct.minimum, direct.maximum));
            prop_assert!((merged.sum - values.iter().sum::<f64>()).abs() < 1e-6);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = (f64::from(percent) / 10_000.0 * sorted.len() as f64).ceil().max(1.0) as usize;
            let truth = sorted[rank - 1];
            for got in [merged.get(Statistic::Percentile(Hundredths(percent))), direct.get(Statistic::Percentile(Hundredths(percent)))] {
                prop_assert!((got - truth).abs() <= RELATIVE_ERROR * truth + 1e-9, "p{} is {} and not {}", percent, got, truth);
            }
        }
    }
}
