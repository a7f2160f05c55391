//! Replication throttles: how much of the traffic of replicas that are being moved may go through this broker, as a leader and as a
//! follower. Pure.
//!
//! A replica that is in sync is not held back by its leader, so that a throttle costs nobody the ISR; one that is behind is left out of
//! answers, and leaves itself out of its requests, while the rate is above the limit.
//!
//! Source: `kafka.server.ReplicationQuotaManager` (KIP-73), `org.apache.kafka.common.metrics.stats.SimpleRate`, `SampledStat`,
//! `ReplicaManager.shouldLeaderThrottle`, `AbstractFetcherThread.shouldFollowerThrottle`, `TopicConfigHandler`.

use std::collections::VecDeque;
use std::time::Duration;

use super::manager::ReplicaManager;
use crate::metadata::config::{NodeConfig, TopicConfig};
use crate::types::{NodeId, TopicIdPartition};

/// Some bytes, and when they were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    begin: Duration,
    last: Duration,
    bytes: u64,
}

/// Bytes per second over the last samples, each of them as long as a window at most.
#[derive(Clone, Debug)]
struct Rate {
    window: Duration,
    samples_max: usize,
    samples: VecDeque<Sample>,
}

impl Rate {
    fn new(window: Duration, samples_max: usize) -> Rate {
        Rate { window: window.max(Duration::from_millis(1)), samples_max: samples_max.max(1), samples: VecDeque::new() }
    }

    fn is_obsolete(&self, sample: &Sample, now: Duration) -> bool {
        now.saturating_sub(sample.last) >= self.window * self.samples_max as u32
    }

    fn record(&mut self, now: Duration, bytes: u64) {
        while self.samples.front().is_some_and(|first| self.is_obsolete(first, now)) {
            self.samples.pop_front();
        }
        match self.samples.back_mut() {
            Some(sample) if now.saturating_sub(sample.begin) < self.window => {
                sample.bytes = sample.bytes.saturating_add(bytes);
                sample.last = now;
            }
            _ => {
                self.samples.push_back(Sample { begin: now, last: now, bytes });
                // One more than counts, for the one that overlaps the window's beginning.
                if self.samples.len() > self.samples_max + 1 {
                    self.samples.pop_front();
                }
            }
        }
    }

    /// Bytes per second; never over less than one window, so that a first reading is no peak.
    fn measure(&self, now: Duration) -> f64 {
        let mut valid = self.samples.iter().filter(|sample| !self.is_obsolete(sample, now)).peekable();
        let begin = valid.peek().map_or(now, |oldest| oldest.begin);
        let bytes: u64 = valid.map(|sample| sample.bytes).fold(0, u64::saturating_add);
        bytes as f64 / now.saturating_sub(begin).max(self.window).as_secs_f64()
    }
}

/// A limit, and what counts against it.
#[derive(Clone, Debug)]
pub(super) struct Quota {
    /// `None`: no limit was set.
    limit_bytes_per_s: Option<u64>,
    rate: Rate,
}

impl Quota {
    fn new(window: Duration, samples_max: usize) -> Quota {
        Quota { limit_bytes_per_s: None, rate: Rate::new(window, samples_max) }
    }

    /// Traffic of a throttled partition.
    pub(super) fn record(&mut self, now: Duration, bytes: usize) {
        if bytes > 0 {
            self.rate.record(now, bytes as u64);
        }
    }

    /// What was recorded, per second.
    pub(super) fn bytes_per_s(&self, now: Duration) -> f64 {
        self.rate.measure(now)
    }

    /// Whether throttled partitions have to wait.
    pub(super) fn is_exceeded(&self, now: Duration) -> bool {
        self.limit_bytes_per_s.is_some_and(|limit| self.rate.measure(now) > limit as f64)
    }
}

/// This broker's limits.
#[derive(Clone, Debug)]
pub(super) struct Throttles {
    /// `leader.replication.throttled.rate`.
    pub(super) leader: Quota,
    /// `follower.replication.throttled.rate`.
    pub(super) follower: Quota,
}

impl Throttles {
    pub(super) fn of(config: &NodeConfig) -> Throttles {
        let window =
            Duration::from_secs(u64::try_from(config.i64("replication.quota.window.size.seconds")).unwrap_or(1));
        let quota = Quota::new(window, config.usize("replication.quota.window.num"));
        let mut throttles = Throttles { leader: quota.clone(), follower: quota };
        throttles.set_limits(config);
        throttles
    }

    /// Takes up the limits that hold for this broker now.
    pub(super) fn set_limits(&mut self, config: &NodeConfig) {
        let limit = |key: &str| match u64::try_from(config.i64(key)) {
            Ok(limit) if limit < i64::MAX as u64 => Some(limit),
            _ => None,
        };
        self.leader.limit_bytes_per_s = limit("leader.replication.throttled.rate");
        self.follower.limit_bytes_per_s = limit("follower.replication.throttled.rate");
    }
}

/// Whether a partition's traffic counts, and has to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Throttled {
    pub(super) as_leader: bool,
    pub(super) as_follower: bool,
}

impl Throttled {
    /// Of partition `index` on broker `me`.
    pub(super) fn of(config: &TopicConfig, index: i32, me: NodeId) -> Throttled {
        Throttled {
            as_leader: names(&config.leader_throttled_replicas, index, me),
            as_follower: names(&config.follower_throttled_replicas, index, me),
        }
    }
}

/// Whether a list of `partition:broker` (or `*`) names this replica.
fn names(list: &[String], index: i32, me: NodeId) -> bool {
    let is_it = |item: &String| {
        let (partition, broker) = item.split_once(':')?;
        Some(partition.parse() == Ok(index) && broker.parse() == Ok(me))
    };
    list.iter().any(|item| item == "*" || is_it(item).unwrap_or(false))
}

impl ReplicaManager {
    /// Whether a follower gets no records of a partition now.
    pub(super) fn is_held_back(&self, now: Duration, id: &TopicIdPartition, follower: NodeId) -> bool {
        self.partitions.get(id).is_some_and(|partition| {
            partition.throttled.as_leader
                && !partition.isr().contains(&follower)
                && self.throttles.leader.is_exceeded(now)
        })
    }

    /// Leaves what has to wait out of the next request to each leader.
    pub(super) fn hold_back_fetches(&mut self, now: Duration) {
        if !self.throttles.follower.is_exceeded(now) {
            return;
        }
        let until = now + self.settings.back_off;
        for fetcher in self.fetchers.values_mut().filter(|fetcher| fetcher.may_send(now)) {
            let throttled = |id: &TopicIdPartition| {
                self.partitions.get(id).is_some_and(|partition| partition.throttled.as_follower)
            };
            for id in fetcher.behind(throttled) {
                fetcher.back_off(id, until);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn quota(limit: u64) -> Quota {
        Quota { limit_bytes_per_s: Some(limit), ..Quota::new(Duration::from_secs(1), 11) }
    }

    #[test]
    fn a_rate_is_taken_over_what_its_samples_span() {
        let mut rate = Rate::new(Duration::from_secs(1), 3);
        assert_eq!(rate.measure(at(5_000)), 0.0);
        rate.record(at(5_000), 600);
        for (now, expected) in [
            // The first window counts as a whole one.
            (5_000, 600.0),
            (5_999, 600.0),
            (6_500, 400.0),
            (7_000, 300.0),
            // After three windows without traffic nothing is left.
            (7_999, 600.0 / 2.999),
            (8_000, 0.0),
        ] {
            assert!((rate.measure(at(now)) - expected).abs() < 1e-9, "at {now}: {}", rate.measure(at(now)));
        }
        rate.record(at(5_900), 100);
        rate.record(at(6_100), 300);
        assert_eq!(rate.measure(at(7_000)), 500.0);
        assert_eq!(rate.measure(at(8_900)), 300.0 / 2.8, "the first sample was last added to three windows ago");
    }

    #[test]
    fn samples_are_bounded() {
        let mut rate = Rate::new(Duration::from_secs(1), 3);
        for second in 0..100 {
            rate.record(at(second * 1_000), 50);
        }
        assert_eq!(rate.samples.len(), 3);
        // Three samples of 50 over the two seconds since the oldest began.
        assert_eq!(rate.measure(at(99_000)), 75.0);
    }

    #[test]
    fn a_sender_that_asks_before_it_sends_keeps_to_the_limit() {
        let mut quota = quota(1_000);
        let mut sent = 0;
        for now in (0..60_000).step_by(10) {
            if !quota.is_exceeded(at(now)) {
                quota.record(at(now), 500);
                sent += 500;
            }
        }
        assert!((57_000..=63_000).contains(&sent), "{sent} bytes in 60 s at 1,000 bytes/s");
        assert!(!Quota::new(Duration::from_secs(1), 11).is_exceeded(at(0)), "no limit");
        quota.limit_bytes_per_s = Some(0);
        assert!(quota.is_exceeded(at(59_990)) && !quota.is_exceeded(at(80_000)), "zero lets one through, now and then");
    }

    #[test]
    fn replicas_are_named_by_star_or_one_by_one() {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        for (text, expected) in
            [("*", true), ("3:7", true), ("0:1,3:7", true), ("3:6", false), ("7:3", false), ("", false), ("3", false)]
        {
            assert_eq!(names(&list(text), 3, 7), expected, "{text}");
        }
    }
}
