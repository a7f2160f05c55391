//! The quotas of a broker: bytes in, bytes out, time spent, connections opened.

use std::time::Duration;

use super::connections::ConnectionRates;
use super::limits::{Client, Limits};
use super::rate::{Rate, Windows};
use super::sensors::{Sensor, Sensors};
use crate::metadata::config::NodeConfig;
use crate::metadata::image::ClientQuotas as Image;
use crate::metadata::quotas::{CONSUMER_BYTE_RATE, CONTROLLER_MUTATION_RATE, PRODUCER_BYTE_RATE, REQUEST_PERCENTAGE};
use crate::metrics::table::quotas as bean;
use crate::metrics::{Bean, Collector, Windowed};

/// Who waits is counted up to this many.
const DELAYS_MAX: usize = 10_000;
/// Of so many, those who share a quota are told apart.
const TOLD_MAX: usize = 1_000;

/// Answers after which clients have to wait, until when, ms.
#[derive(Debug, Default)]
pub struct Delays(Vec<u64>);

impl Delays {
    /// One more.
    pub fn add(&mut self, now_ms: u64, time_ms: i32) {
        let time_ms = u64::try_from(time_ms).unwrap_or(0);
        if time_ms > 0 && self.0.len() < DELAYS_MAX {
            self.0.push(now_ms + time_ms);
        }
    }

    /// How many wait still.
    pub fn waiting(&mut self, now_ms: u64) -> usize {
        self.0.retain(|until_ms| *until_ms > now_ms);
        self.0.len()
    }
}

/// What those who share a quota did, and how they were made to wait.
#[derive(Debug, Default)]
struct Counted {
    rate: Rate,
    throttled_ms: Windowed,
}

/// Where a kind of quotas is told: rate, throttle time, those who wait.
type Beans = [&'static Bean; 3];

/// Rates of one kind, and their limits.
#[derive(Debug)]
pub struct QuotaManager {
    beans: Beans,
    delays: Delays,
    windows: Windows,
    /// No throttle time is longer.
    throttle_time_max_ms: i32,
    sensors: Sensors<Counted>,
}

impl QuotaManager {
    /// Without limits.
    fn new(beans: Beans, windows: Windows, throttle_time_max_ms: i32) -> QuotaManager {
        QuotaManager { beans, delays: Delays::default(), windows, throttle_time_max_ms, sensors: Sensors::new() }
    }

    /// Other limits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.sensors.set_limits(limits);
    }

    /// Whether anybody has a limit: nothing is counted otherwise.
    pub fn is_enabled(&self) -> bool {
        self.sensors.is_enabled()
    }

    fn sensor(&mut self, client: Client<'_>, now_ms: u64) -> &mut Sensor<Counted> {
        self.sensors.of(client, now_ms, |_| Counted::default())
    }

    /// Records what a client did; how long it is to wait for that, ms.
    pub fn throttle_time_ms(&mut self, client: Client<'_>, value: f64, now_ms: u64) -> i32 {
        if !self.is_enabled() {
            return 0;
        }
        let (windows, max) = (self.windows, self.throttle_time_max_ms);
        let sensor = self.sensor(client, now_ms);
        sensor.measure.rate.record(windows, value, now_ms);
        let time_ms = sensor.measure.rate.throttle_time_ms(windows, sensor.limit, now_ms).min(max);
        if time_ms > 0 {
            sensor.measure.throttled_ms.record(time_ms.into());
            self.delays.add(now_ms, time_ms);
        }
        time_ms
    }

    /// Records what a client did (less than nothing: takes back), which counts from the next time on.
    pub fn record(&mut self, client: Client<'_>, value: f64, now_ms: u64) {
        if self.is_enabled() {
            let windows = self.windows;
            self.sensor(client, now_ms).measure.rate.record(windows, value, now_ms);
        }
    }

    /// Tells its series.
    fn collect(&mut self, out: &mut Collector, now_ms: u64) {
        let ([rate, throttle_time, queue_size], windows) = (self.beans, self.windows);
        out.count(queue_size, [], self.delays.waiting(now_ms) as u64);
        let mono = out.now().mono;
        for (group, sensor) in self.sensors.in_order(TOLD_MAX) {
            let labels = || [("user", group.user.clone().into()), ("client-id", group.client_id.clone().into())];
            out.value(rate, labels(), sensor.measure.rate.measure(windows, now_ms));
            sensor.measure.throttled_ms.turn(mono);
            out.value(throttle_time, labels(), sensor.measure.throttled_ms.average());
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
    /// Who waits because of that.
    pub mutation_delays: Delays,
    enabled: bool,
    /// Percent of the broker's thread, of what counts against nobody's quota.
    exempt: Windowed,
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
        let produce = [&bean::PRODUCE_BYTE_RATE, &bean::PRODUCE_THROTTLE_TIME, &bean::PRODUCE_QUEUE_SIZE];
        let fetch = [&bean::FETCH_BYTE_RATE, &bean::FETCH_THROTTLE_TIME, &bean::FETCH_QUEUE_SIZE];
        let request = [&bean::REQUEST_TIME, &bean::REQUEST_THROTTLE_TIME, &bean::REQUEST_QUEUE_SIZE];
        ClientQuotas {
            produce: QuotaManager::new(produce, windows, i32::MAX),
            fetch: QuotaManager::new(fetch, windows, i32::MAX),
            request: QuotaManager::new(request, windows, window_ms),
            connections: ConnectionRates::new(config),
            mutations: false,
            mutation_delays: Delays::default(),
            enabled: false,
            exempt: Windowed::default(),
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

    /// Time went by for something that counts against nobody's quota. As Kafka, it is kept only where somebody has a quota of time.
    pub fn spent_exempt(&mut self, took: Duration) {
        if self.request.is_enabled() {
            self.exempt.record(took.as_secs_f64() * 100.0);
        }
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector, now_ms: u64) {
        self.exempt.turn(out.now().mono);
        out.value(&bean::EXEMPT_REQUEST_TIME, [], self.exempt.sum_rate());
        for manager in [&mut self.produce, &mut self.fetch, &mut self.request] {
            manager.collect(out, now_ms);
        }
        out.count(&bean::MUTATION_QUEUE_SIZE, [], self.mutation_delays.waiting(now_ms) as u64);
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

    #[test]
    fn who_has_a_quota_is_told_of() {
        use std::time::Duration;

        use crate::metrics::{Rounds, Series};
        use crate::types::{Id, Now};

        let mut quotas = quotas(PRODUCER_BYTE_RATE, 1000.0);
        let at_ms = 50_000;
        let wait_ms = quotas.produce.throttle_time_ms(CLIENT, 20_000.0, at_ms);
        assert!(wait_ms > 2_000, "{wait_ms}");
        quotas.mutation_delays.add(at_ms, 500);
        let mut rounds = Rounds::new(Now::default());
        let mut told = |at_ms: u64| {
            let mut out = rounds.begin(Now { mono: Duration::from_millis(at_ms), wall_ms: 0 }).unwrap();
            quotas.collect(&mut out, at_ms);
            out.finish(1, Id::ZERO)
        };
        let report = told(at_ms + 1_000);
        let labels = [("user", ""), ("client-id", "c")];
        let value = |bean: &'static Bean, labels: &[(&str, &str)]| report.get(bean, labels).map(Series::value);
        assert_eq!(value(&bean::PRODUCE_BYTE_RATE, &labels), Some(2_000.0), "over ten windows of a second");
        assert_eq!(value(&bean::PRODUCE_THROTTLE_TIME, &labels), Some(f64::from(wait_ms)));
        assert_eq!(value(&bean::PRODUCE_QUEUE_SIZE, &[]), Some(1.0));
        assert_eq!((value(&bean::FETCH_QUEUE_SIZE, &[]), value(&bean::FETCH_BYTE_RATE, &labels)), (Some(0.0), None));
        assert_eq!(value(&bean::MUTATION_QUEUE_SIZE, &[]), Some(0.0), "that time is over");
        let report = told(at_ms + u64::try_from(wait_ms).unwrap());
        assert_eq!(report.get(&bean::PRODUCE_QUEUE_SIZE, &[]).map(Series::value), Some(0.0));
    }
}
