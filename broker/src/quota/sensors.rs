//! What is counted for whom. Bounded, and forgotten when it was not used for an hour (Kafka's constant).

use std::collections::HashMap;

use super::limits::{Client, Group, Limits};

const UNUSED_MAX_MS: u64 = 3_600_000;
/// How often it is looked for what is unused.
const SWEEP_INTERVAL_MS: u64 = 60_000;
/// Who has a limit may use as many client ids as he likes; Kafka knows no bound.
const SENSORS_MAX: usize = 10_000;
/// What no limit is to Kafka.
const NO_LIMIT: f64 = i64::MAX as f64;

#[derive(Debug)]
pub(super) struct Sensor<M> {
    pub(super) limit: f64,
    pub(super) measure: M,
    /// Of which limits `limit` is.
    generation: u64,
    used_ms: u64,
}

#[derive(Debug)]
pub(super) struct Sensors<M> {
    limits: Limits,
    generation: u64,
    by_group: HashMap<Group, Sensor<M>>,
    swept_ms: u64,
}

impl<M> Sensors<M> {
    pub(super) fn new() -> Sensors<M> {
        Sensors { limits: Limits::default(), generation: 0, by_group: HashMap::new(), swept_ms: 0 }
    }

    /// Other limits; what was counted stays.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        if self.limits != limits {
            self.limits = limits;
            self.generation += 1;
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.limits.is_empty()
    }

    /// The limit of a client.
    pub(super) fn limit(&self, client: Client<'_>) -> Option<f64> {
        self.limits.limit(&self.limits.group(client))
    }

    /// Where a client is counted. `fresh` is given the limit.
    pub(super) fn of(&mut self, client: Client<'_>, now_ms: u64, fresh: impl FnOnce(f64) -> M) -> &mut Sensor<M> {
        let group = self.limits.group(client);
        if !self.by_group.contains_key(&group) && self.by_group.len() >= SENSORS_MAX {
            self.make_room(now_ms);
        }
        let (limits, generation) = (&self.limits, self.generation);
        let limit = || limits.limit(&group).unwrap_or(NO_LIMIT);
        let sensor = self.by_group.entry(group.clone()).or_insert_with(|| {
            let limit = limit();
            Sensor { limit, measure: fresh(limit), generation, used_ms: now_ms }
        });
        if sensor.generation != generation {
            sensor.limit = limit();
            sensor.generation = generation;
        }
        sensor.used_ms = now_ms;
        sensor
    }

    /// Forgets an eighth, the longest unused first.
    fn make_room(&mut self, now_ms: u64) {
        self.forget_unused(now_ms);
        if self.by_group.len() < SENSORS_MAX {
            return;
        }
        let mut used: Vec<u64> = self.by_group.values().map(|sensor| sensor.used_ms).collect();
        let place = used.len() / 8;
        let (_, up_to, _) = used.select_nth_unstable(place);
        let up_to = *up_to;
        let mut left = place + 1;
        self.by_group.retain(|_, sensor| {
            let goes = left > 0 && sensor.used_ms <= up_to;
            left -= usize::from(goes);
            !goes
        });
    }

    fn forget_unused(&mut self, now_ms: u64) {
        self.by_group.retain(|_, sensor| now_ms.saturating_sub(sensor.used_ms) < UNUSED_MAX_MS);
    }

    /// Time has passed.
    pub(super) fn on_tick(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) >= SWEEP_INTERVAL_MS {
            self.swept_ms = now_ms;
            self.forget_unused(now_ms);
        }
    }

    /// The first so many, by user and client id.
    pub(super) fn in_order(&mut self, count: usize) -> impl Iterator<Item = (&Group, &mut Sensor<M>)> {
        let mut all: Vec<_> = self.by_group.iter_mut().collect();
        all.sort_unstable_by(|(a, _), (b, _)| (&a.user, &a.client_id).cmp(&(&b.user, &b.client_id)));
        all.into_iter().take(count)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_group.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::image::ClientQuotas;
    use crate::metadata::quotas::{CLIENT_ID, PRODUCER_BYTE_RATE};

    fn limits(limit: f64) -> Limits {
        let values = BTreeMap::from([(PRODUCER_BYTE_RATE.to_owned(), limit)]);
        Limits::of(&ClientQuotas::from([(vec![(CLIENT_ID.to_owned(), None)], values)]), PRODUCER_BYTE_RATE)
    }

    #[test]
    fn there_are_never_too_many_and_the_unused_go() {
        let mut sensors: Sensors<()> = Sensors::new();
        sensors.set_limits(limits(5.0));
        for number in 0..SENSORS_MAX as u64 + 500 {
            sensors.of(Client { user: "u", client_id: &number.to_string() }, number, |_| ());
            assert!(sensors.len() <= SENSORS_MAX);
        }
        assert!(sensors.len() > SENSORS_MAX / 2);
        sensors.of(Client { user: "u", client_id: "last" }, UNUSED_MAX_MS, |_| ());
        sensors.on_tick(UNUSED_MAX_MS + 50_000);
        assert_eq!(sensors.len(), 1);
    }

    #[test]
    fn new_limits_hold_for_what_is_counted_already() {
        let mut sensors: Sensors<()> = Sensors::new();
        let client = Client { user: "u", client_id: "c" };
        assert!(!sensors.is_enabled());
        sensors.set_limits(limits(5.0));
        assert_eq!(sensors.of(client, 0, |_| ()).limit, 5.0);
        sensors.set_limits(limits(7.0));
        assert_eq!((sensors.of(client, 1, |_| ()).limit, sensors.len()), (7.0, 1));
        sensors.set_limits(Limits::default());
        assert_eq!(sensors.of(client, 2, |_| ()).limit, NO_LIMIT);
    }
}
