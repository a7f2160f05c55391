//! The quotas of a broker: bytes in, bytes out, time spent, connections opened.

use super::connections::ConnectionRates;
use super::limits::{Client, Limits};
use super::rate::{Rate, Windows};
use super::sensors::{Sensor, Sensors};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::ClientQuotas as Image;
use crate::metadata::quotas::{CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE};

/// Rates of one kind, and their limits.
#[derive(Debug)]
pub struct QuotaManager {
    windows: Windows,
    /// No throttle time is longer.
    throttle_time_max_ms: i32,
    sensors: Sensors<Rate>,
}

impl QuotaManager {
    /// Without limits.
    pub fn new(windows: Windows, throttle_time_max_ms: i32) -> QuotaManager {
        QuotaManager { windows, throttle_time_max_ms, sensors: Sensors::new() }
    }

    /// Other limits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.sensors.set_limits(limits);
    }

    /// Whether anybody has a limit: nothing is counted otherwise.
    pub fn is_enabled(&self) -> bool {
        self.sensors.is_enabled()
    }

    fn sensor(&mut self, client: Client<'_>, now_ms: u64) -> &mut Sensor<Rate> {
        self.sensors.of(client, now_ms, |_| Rate::default())
    }

    /// Records what a client did; how long it is to wait for that, ms.
    pub fn throttle_time_ms(&mut self, client: Client<'_>, value: f64, now_ms: u64) -> i32 {
        if !self.is_enabled() {
            return 0;
        }
        let (windows, max) = (self.windows, self.throttle_time_max_ms);
        let sensor = self.sensor(client, now_ms);
        sensor.measure.record(windows, value, now_ms);
        sensor.measure.throttle_time_ms(windows, sensor.limit, now_ms).min(max)
    }

    /// Records what a client did (less than nothing: takes back), which counts from the next time on.
    pub fn record(&mut self, client: Client<'_>, value: f64, now_ms: u64) {
        if self.is_enabled() {
            let windows = self.windows;
            self.sensor(client, now_ms).measure.record(windows, value, now_ms);
        }
    }

    /// What a client can do at once without having to wait, if it did nothing before; `None`: any amount.
    pub fn max_at_once(&self, client: Client<'_>) -> Option<f64> {
        if !self.is_enabled() {
            return None;
        }
        let whole_windows_seconds = (self.windows.count - 1) as f64 * (self.windows.size_ms / 1000) as f64;
        self.sensors.limit(client).map(|limit| limit * whole_windows_seconds)
    }
}

/// All quotas of a broker.
#[derive(Debug)]
pub struct ClientQuotas {
    /// `producer_byte_rate`.
    pub produce: QuotaManager,
    /// `consumer_byte_rate`.
    pub fetch: QuotaManager,
    /// `request_percentage`.
    pub request: QuotaManager,
    /// `connection_creation_rate`.
    pub connections: ConnectionRates,
    /// Controllers enforce another one, and tell of it in their answers.
    mutations: bool,
    enabled: bool,
}

/// The windows of `quota.window.num` and `quota.window.size.seconds`, with a prefix.
pub(super) fn windows(config: &NodeConfig, prefix: &str) -> Windows {
    let number = |name: &str| u64::try_from(config.i32(&format!("{prefix}quota.window.{name}"))).unwrap_or(1).max(1);
    Windows { count: number("num"), size_ms: number("size.seconds") * 1000 }
}

impl ClientQuotas {
    /// Without limits.
    pub fn new(config: &NodeConfig) -> ClientQuotas {
        let windows = windows(config, "");
        let window_ms = i32::try_from(windows.size_ms).unwrap_or(i32::MAX);
        ClientQuotas {
            produce: QuotaManager::new(windows, i32::MAX),
            fetch: QuotaManager::new(windows, i32::MAX),
            request: QuotaManager::new(windows, window_ms),
            connections: ConnectionRates::new(config),
            mutations: false,
            enabled: false,
        }
    }

    /// The limits that the image holds.
    pub fn set_limits(&mut self, quotas: &Image) {
        self.produce.set_limits(Limits::of(quotas, PRODUCER_BYTE_RATE));
        self.fetch.set_limits(Limits::of(quotas, CONSUMER_BYTE_RATE));
        self.request.set_limits(Limits::of(quotas, REQUEST_PERCENTAGE));
        self.connections.set_limits(quotas);
        self.mutations = !Limits::of(quotas, CONTROLLER_MUTATION_RATE).is_empty();
        let brokers = [&self.produce, &self.fetch, &self.request];
        self.enabled = self.mutations || brokers.into_iter().any(QuotaManager::is_enabled);
    }

    /// Whether anybody has any limit.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Whether anybody has a limit of mutations, which is the controllers'.
    pub fn limits_mutations(&self) -> bool {
        self.mutations
    }

    /// Time has passed.
    pub fn on_tick(&mut self, now_ms: u64) {
        for manager in [&mut self.produce, &mut self.fetch, &mut self.request] {
            manager.sensors.on_tick(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::quotas::CLIENT_ID;

    const CLIENT: Client<'_> = Client { user: "u", client_id: "c" };

    fn quotas(key: &str, limit: f64) -> ClientQuotas {
        let mut quotas = ClientQuotas::new(&NodeConfig::new(1, "quotas", BTreeMap::new()).unwrap());
        let values = BTreeMap::from([(key.to_owned(), limit)]);
        quotas.set_limits(&Image::from([(vec![(CLIENT_ID.to_owned(), Some("c".to_owned()))], values)]));
        quotas
    }

    #[test]
    fn who_waits_as_told_keeps_to_the_quota() {
        let mut quotas = quotas(PRODUCER_BYTE_RATE, 100_000.0);
        let (mut now_ms, mut sent) = (1_000_000, 0.0);
        let begin_ms = now_ms;
        while now_ms < begin_ms + 60_000 {
            sent += 16_384.0;
            let wait_ms = quotas.produce.throttle_time_ms(CLIENT, 16_384.0, now_ms);
            now_ms += 1 + u64::try_from(wait_ms).unwrap();
        }
        // The first ten windows are there at once.
        let most = 100_000.0 * ((now_ms - begin_ms) as f64 / 1000.0 + 10.0) + 16_384.0;
        assert!((most * 0.9..=most * 1.01).contains(&sent), "{sent} of {most}");
    }

    #[test]
    fn limits_are_of_their_kind_only() {
        let mut quotas = quotas(CONSUMER_BYTE_RATE, 1000.0);
        assert!(quotas.is_enabled() && !quotas.produce.is_enabled() && !quotas.request.is_enabled());
        assert_eq!(quotas.produce.throttle_time_ms(CLIENT, 1e12, 0), 0);
        assert_eq!(quotas.fetch.max_at_once(CLIENT), Some(10_000.0));
        assert_eq!(quotas.fetch.max_at_once(Client { user: "u", client_id: "other" }), None);
        assert_eq!(quotas.fetch.throttle_time_ms(Client { user: "u", client_id: "other" }, 1e12, 0), 0);
        assert_eq!(quotas.fetch.throttle_time_ms(CLIENT, 20_000.0, 0), 10_000);
        quotas.fetch.record(CLIENT, -20_000.0, 0);
        assert_eq!(quotas.fetch.throttle_time_ms(CLIENT, 1000.0, 0), 0);
        quotas.set_limits(&Image::new());
        assert!(!quotas.is_enabled());
    }

    #[test]
    fn time_spent_is_waited_for_no_longer_than_a_window() {
        let mut quotas = quotas(REQUEST_PERCENTAGE, 1.0);
        assert_eq!(quotas.request.throttle_time_ms(CLIENT, 5.0, 0), 0);
        assert_eq!(quotas.request.throttle_time_ms(CLIENT, 10_000.0, 0), 1000);
    }
}
