//! The quota of a controller: partitions created and deleted, from a bucket of tokens.
//!
//! KIP-599. Source: `org.apache.kafka.server.quota.ControllerMutationQuotaManager`, `StrictControllerMutationQuota`,
//! `PermissiveControllerMutationQuota`.

use super::limits::{Client, Limits};
use super::manager::windows;
use super::rate::Windows;
use super::sensors::Sensors;
use crate::metadata::config::NodeConfig;
use crate::metadata::image::ClientQuotas as Image;
use crate::metadata::quotas::CONTROLLER_MUTATION_RATE;

/// Tokens; less than none while more was taken than there was.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    updated_ms: u64,
}

impl Bucket {
    fn refill(&mut self, limit: f64, burst: f64, now_ms: u64) {
        let passed_seconds = now_ms.saturating_sub(self.updated_ms) as f64 / 1000.0;
        self.tokens = (self.tokens + limit * passed_seconds).min(burst);
        self.updated_ms = now_ms;
    }
}

/// See the module.
#[derive(Debug)]
pub struct MutationQuotas {
    windows: Windows,
    sensors: Sensors<Bucket>,
}

impl MutationQuotas {
    /// Without limits.
    pub fn new(config: &NodeConfig) -> MutationQuotas {
        MutationQuotas { windows: windows(config, "controller."), sensors: Sensors::new() }
    }

    /// The limits that the image holds.
    pub fn set_limits(&mut self, quotas: &Image) {
        self.sensors.set_limits(Limits::of(quotas, CONTROLLER_MUTATION_RATE));
    }

    /// Whether anybody has a limit.
    pub fn is_enabled(&self) -> bool {
        self.sensors.is_enabled()
    }

    /// Takes tokens for `count` mutations. A strict quota gives none while it is exhausted, and any number otherwise; one that is not gives
    /// always.
    ///
    /// # Errors
    /// Strict, and exhausted: how long the client is to wait, ms. Where it is not strict, the time to wait is returned as `Ok`.
    pub fn take(&mut self, client: Client<'_>, count: f64, strict: bool, now_ms: u64) -> Result<i32, i32> {
        if !self.is_enabled() {
            return Ok(0);
        }
        let seconds = self.windows.count as f64 * (self.windows.size_ms / 1000) as f64;
        let fresh = |limit: f64| Bucket { tokens: seconds * limit, updated_ms: now_ms };
        let sensor = self.sensors.of(client, now_ms, fresh);
        let (limit, burst) = (sensor.limit, seconds * sensor.limit);
        let bucket = &mut sensor.measure;
        bucket.refill(limit, burst, now_ms);
        // As Math.round.
        let wait_ms = |tokens: f64| if tokens < 0.0 { (-tokens / limit * 1000.0 + 0.5).floor() as i32 } else { 0 };
        if strict && bucket.tokens < 0.0 {
            return Err(wait_ms(bucket.tokens));
        }
        bucket.tokens = (bucket.tokens - count).min(burst);
        Ok(if strict { 0 } else { wait_ms(bucket.tokens) })
    }

    /// Time has passed.
    pub fn on_tick(&mut self, now_ms: u64) {
        self.sensors.on_tick(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metadata::quotas::USER;

    const CLIENT: Client<'_> = Client { user: "u", client_id: "c" };

    fn quotas(limit: f64) -> MutationQuotas {
        let mut quotas = MutationQuotas::new(&NodeConfig::new(3000, "quotas", BTreeMap::new()).unwrap());
        let values = BTreeMap::from([(CONTROLLER_MUTATION_RATE.to_owned(), limit)]);
        quotas.set_limits(&Image::from([(vec![(USER.to_owned(), None)], values)]));
        quotas
    }

    #[test]
    fn a_strict_quota_lets_one_burst_through_and_then_refuses() {
        let mut quotas = quotas(5.0);
        // 5/s × 11 windows: 55 tokens; whoever has any may take more.
        assert_eq!(quotas.take(CLIENT, 115.0, true, 1000), Ok(0));
        assert_eq!(quotas.take(CLIENT, 1.0, true, 1000), Err(12_000));
        assert_eq!(quotas.take(CLIENT, 1.0, true, 7000), Err(6000));
        assert_eq!(quotas.take(CLIENT, 1.0, true, 13_000), Ok(0));
        assert_eq!(quotas.take(CLIENT, 1.0, true, 13_000), Err(200));
    }

    #[test]
    fn a_permissive_quota_tells_how_long_to_wait() {
        let mut quotas = quotas(5.0);
        assert_eq!(quotas.take(CLIENT, 50.0, false, 0), Ok(0));
        assert_eq!(quotas.take(CLIENT, 15.0, false, 0), Ok(2000));
        assert_eq!(quotas.take(CLIENT, 5.0, false, 1000), Ok(2000));
    }
}
