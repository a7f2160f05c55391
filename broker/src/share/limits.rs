//! Settings of one share group, as its share partitions need them.
//!
//! Source: `org.apache.kafka.coordinator.group.modern.share.ShareGroupConfigProvider`, KIP-1240.

use std::time::Duration;

use crate::planted::Bug;

/// What a share group may do with a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareLimits {
    /// `share.record.lock.duration.ms`
    pub record_lock: Duration,
    /// `share.delivery.count.limit`
    pub delivery_count_limit: i32,
    /// `share.partition.max.record.locks`
    pub max_record_locks: i64,
    /// `share.renew.acknowledge.enable`
    pub may_renew: bool,
}

impl Default for ShareLimits {
    fn default() -> ShareLimits {
        ShareLimits {
            record_lock: Duration::from_secs(30),
            delivery_count_limit: 5,
            max_record_locks: 2_000,
            may_renew: true,
        }
    }
}

impl ShareLimits {
    /// From so many deliveries on, a record is delivered among fewer and fewer others, so that a bad one does not take them with it.
    pub(super) fn throttled_from(&self) -> i32 {
        (self.delivery_count_limit / 2 + self.delivery_count_limit % 2).max(2)
    }

    /// Whether a record that was delivered so often may be delivered again.
    pub(super) fn is_spent(&self, delivery_count: i32) -> bool {
        delivery_count >= self.delivery_count_limit && !Bug::ShareLimitIgnored.is_planted()
    }

    /// Whether the next delivery is the last, and it matters that the record comes alone.
    pub(super) fn is_last_attempt(&self, delivery_count: i32) -> bool {
        self.delivery_count_limit > 2 && delivery_count == self.delivery_count_limit - 1
    }
}

/// `share.auto.offset.reset`: where a group begins that has no start offset yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record.
    Earliest,
    /// After the last record.
    Latest,
    /// At the first record that is no older, ms.
    ByDuration(i64),
}

impl OffsetReset {
    /// From the config's text; what does not parse is the default, as it was checked before it came into the image.
    pub fn parse(text: &str) -> OffsetReset {
        let lower = text.trim().to_ascii_lowercase();
        match lower.as_str() {
            "earliest" => OffsetReset::Earliest,
            _ => lower
                .strip_prefix("by_duration:")
                .and_then(duration_ms)
                .map_or(OffsetReset::Latest, OffsetReset::ByDuration),
        }
    }
}

/// Milliseconds of an ISO 8601 duration of days, hours, minutes and seconds (lower case), as `java.time.Duration` reads it.
fn duration_ms(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('p')?;
    let (days, time) = match rest.split_once('t') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let mut total_ms = 0f64;
    if !days.is_empty() {
        total_ms += days.strip_suffix('d')?.parse::<f64>().ok()? * 86_400_000.0;
    }
    let mut left = time.unwrap_or_default();
    for (unit, factor) in [('h', 3_600_000.0), ('m', 60_000.0), ('s', 1_000.0)] {
        if let Some((number, after)) = left.split_once(unit) {
            total_ms += number.parse::<f64>().ok()? * factor;
            left = after;
        }
    }
    (left.is_empty() && total_ms >= 0.0 && total_ms.is_finite()).then_some(total_ms as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_read_as_kafka_writes_them() {
        for (text, expected) in [
            ("earliest", OffsetReset::Earliest),
            ("LATEST", OffsetReset::Latest),
            ("by_duration:PT1H", OffsetReset::ByDuration(3_600_000)),
            ("by_duration:P1DT2H3M4.5S", OffsetReset::ByDuration(86_400_000 + 7_200_000 + 180_000 + 4_500)),
            ("by_duration:P2D", OffsetReset::ByDuration(172_800_000)),
            ("by_duration:x", OffsetReset::Latest),
            ("", OffsetReset::Latest),
        ] {
            assert_eq!(OffsetReset::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn deliveries_are_throttled_from_half_the_limit_on() {
        for (limit, from) in [(2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (10, 5)] {
            let limits = ShareLimits { delivery_count_limit: limit, ..ShareLimits::default() };
            assert_eq!(limits.throttled_from(), from, "{limit}");
        }
    }
}
