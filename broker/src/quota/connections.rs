//! How fast connections may be opened to a broker: in all, and from one address (KIP-612).
//!
//! Source: `kafka.network.ConnectionQuotas` (`waitForConnectionSlot`, `recordIpConnectionMaybeThrottle`); `max.connection.creation.rate`,
//! `connection_creation_rate` of addresses.

use std::collections::HashMap;
use std::net::IpAddr;

use super::manager;
use super::rate::{Rate, Windows};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::ClientQuotas as Image;
use crate::metadata::quotas::{CONNECTION_CREATION_RATE, IP};

/// Addresses that are counted; Kafka knows no bound.
const ADDRESSES_MAX: usize = 10_000;
/// This many connections a second mean any number.
const NO_LIMIT: f64 = i32::MAX as f64;

/// What becomes of a connection that a client opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken, after this time, in which no other is taken either.
    Take {
        /// Usually 0.
        delay_ms: i32,
    },
    /// Its address opens too many: it is closed after this time, unread, so that the client does not come again at once.
    Close {
        /// More than 0.
        delay_ms: i32,
    },
}

#[derive(Debug, Default)]
struct Address {
    rate: Rate,
    used_ms: u64,
}

/// The rates, and their limits.
#[derive(Debug)]
pub struct ConnectionRates {
    windows: Windows,
    all: Rate,
    /// For who has none of his own.
    default: Option<f64>,
    limits: HashMap<IpAddr, f64>,
    by_address: HashMap<IpAddr, Address>,
}

impl ConnectionRates {
    /// Without limits.
    pub fn new(config: &NodeConfig) -> ConnectionRates {
        ConnectionRates {
            windows: manager::windows(config, ""),
            all: Rate::default(),
            default: None,
            limits: HashMap::new(),
            by_address: HashMap::new(),
        }
    }

    /// The limits that the image holds.
    pub fn set_limits(&mut self, quotas: &Image) {
        (self.default, self.limits) = (None, HashMap::new());
        for (entity, values) in quotas {
            let (Some((_, name)), Some(limit)) =
                (entity.iter().find(|(kind, _)| kind == IP), values.get(CONNECTION_CREATION_RATE))
            else {
                continue;
            };
            match name {
                None => self.default = Some(*limit),
                Some(name) => drop(address(name).map(|address| self.limits.insert(address, *limit))),
            }
        }
        if self.default.is_none() && self.limits.is_empty() {
            self.by_address.clear();
        }
    }

    /// A connection is opened from `address`, while `limit` a second may be opened in all.
    pub fn open(&mut self, address: IpAddr, limit: i32, now_ms: u64) -> Verdict {
        let window_ms = i32::try_from(self.windows.size_ms).unwrap_or(i32::MAX);
        let windows = self.windows;
        self.all.record(windows, 1.0, now_ms);
        if let Some(own) = self.limit_of(address) {
            let rate = &mut self.address(address, now_ms).rate;
            rate.record(windows, 1.0, now_ms);
            let delay_ms = rate.throttle_time_ms(windows, own, now_ms).min(window_ms);
            if delay_ms > 0 {
                // What is not taken does not count.
                rate.record(windows, -1.0, now_ms);
                self.all.record(windows, -1.0, now_ms);
                return Verdict::Close { delay_ms };
            }
        }
        Verdict::Take { delay_ms: self.all.throttle_time_ms(windows, f64::from(limit), now_ms).min(window_ms) }
    }

    fn limit_of(&self, address: IpAddr) -> Option<f64> {
        let own = self.limits.get(&address.to_canonical()).copied();
        own.or(self.default).filter(|limit| *limit < NO_LIMIT)
    }

    fn address(&mut self, address: IpAddr, now_ms: u64) -> &mut Address {
        if self.by_address.len() >= ADDRESSES_MAX && !self.by_address.contains_key(&address) {
            self.make_room(now_ms);
        }
        let entry = self.by_address.entry(address).or_default();
        entry.used_ms = now_ms;
        entry
    }

    /// Forgets those whose windows are all over; if there are none, those that were counted longest ago.
    fn make_room(&mut self, now_ms: u64) {
        let kept_ms = self.windows.count.saturating_mul(self.windows.size_ms);
        self.by_address.retain(|_, address| now_ms.saturating_sub(address.used_ms) < kept_ms);
        if self.by_address.len() >= ADDRESSES_MAX {
            let mut used: Vec<u64> = self.by_address.values().map(|address| address.used_ms).collect();
            let middle = used.len() / 2;
            let (_, up_to, _) = used.select_nth_unstable(middle);
            let up_to = *up_to;
            self.by_address.retain(|_, address| address.used_ms > up_to);
        }
    }
}

/// The address of a quota's entity. Names are not looked up, but for the one that needs no looking up.
fn address(name: &str) -> Option<IpAddr> {
    if name.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    name.trim_start_matches('[').trim_end_matches(']').parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ANY: i32 = i32::MAX;
    const TAKEN: Verdict = Verdict::Take { delay_ms: 0 };

    fn rates(limits: &[(Option<&str>, f64)]) -> ConnectionRates {
        let mut rates = ConnectionRates::new(&NodeConfig::new(1, "rates", BTreeMap::new()).unwrap());
        let values = |limit| BTreeMap::from([(CONNECTION_CREATION_RATE.to_owned(), limit)]);
        let entity = |name: &Option<&str>| vec![(IP.to_owned(), name.map(str::to_owned))];
        rates.set_limits(&limits.iter().map(|(name, limit)| (entity(name), values(*limit))).collect::<Image>());
        rates
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_limits_everybody_is_taken_and_nobody_is_counted() {
        let mut rates = rates(&[]);
        assert!((0..1_000).all(|_| rates.open(ip("10.0.0.1"), ANY, 0) == TAKEN));
        assert!(rates.by_address.is_empty());
    }

    #[test]
    fn an_address_has_its_own_limit_or_the_default() {
        let mut rates = rates(&[(None, 1.0), (Some("10.0.0.2"), 2.0), (Some("localhost"), 3.0)]);
        let mut taken = |address: &str| {
            let verdicts: Vec<Verdict> = (0..100).map(|_| rates.open(ip(address), ANY, 5_000)).collect();
            // Ten windows are free at first; what comes then is closed, and does not count.
            assert!(verdicts.iter().all(|verdict| *verdict == TAKEN || matches!(verdict, Verdict::Close { .. })));
            verdicts.iter().filter(|verdict| **verdict == TAKEN).count()
        };
        assert_eq!([taken("10.0.0.1"), taken("10.0.0.2"), taken("127.0.0.1")], [10, 20, 30]);
        assert_eq!([taken("::ffff:10.0.0.2"), taken("::1")], [20, 10]);
    }

    #[test]
    fn who_waits_is_taken_again() {
        let mut rates = rates(&[(Some("10.0.0.1"), 1.0)]);
        let mut now_ms = 0;
        let mut taken = 0;
        while now_ms < 60_000 {
            now_ms += match rates.open(ip("10.0.0.1"), ANY, now_ms) {
                Verdict::Take { .. } => {
                    taken += 1;
                    0
                }
                Verdict::Close { delay_ms } => {
                    assert!((1..=1_000).contains(&delay_ms), "a window at most: {delay_ms}");
                    u64::try_from(delay_ms).unwrap()
                }
            };
        }
        assert!((60..=71).contains(&taken), "{taken}");
    }

    #[test]
    fn all_together_wait_for_the_brokers_limit() {
        let mut rates = rates(&[(Some("10.0.0.9"), 1.0)]);
        let opened: Vec<Verdict> = (0..101).map(|host| rates.open(IpAddr::from([10, 0, 1, host]), 10, 7_000)).collect();
        assert!(opened[..100].iter().all(|verdict| *verdict == TAKEN));
        // One over a hundred in ten seconds at ten a second: a tenth of a second.
        assert_eq!(opened[100], Verdict::Take { delay_ms: 100 });
    }

    #[test]
    fn addresses_that_are_counted_are_bounded() {
        let mut rates = rates(&[(None, 1.0)]);
        for number in 0..30_000_u32 {
            rates.open(IpAddr::from(number.to_be_bytes()), ANY, u64::from(number));
            assert!(rates.by_address.len() <= ADDRESSES_MAX);
        }
        // The latest are still known.
        let last = IpAddr::from(29_999_u32.to_be_bytes());
        let taken = (0..20).filter(|_| rates.open(last, ANY, 30_000) == TAKEN).count();
        assert_eq!(taken, 9);
    }
}
