//! Client instances: what each is subscribed to, and whether it may speak now.
//!
//! Source: `org.apache.kafka.server.ClientMetricsManager`, `ClientMetricsInstance`; order of checks as there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::metadata::config::{ClientMetricsConfig, Selector};
use crate::metrics::table::sessions as bean;
use crate::metrics::{Collector, Windowed};
use crate::protocol::ErrorCode;
use crate::records::Compression;
use crate::types::{Id, Now};

/// Client instances kept at most; then those that were silent longest are forgotten.
const INSTANCES_MAX: usize = 16_384;

/// A client instance is kept for three of its intervals, and at least for this.
const EXPIRY_MIN: Duration = Duration::from_secs(60);

/// Every metric.
const ALL_METRICS: &str = "*";

/// What a subscription can match of a client, besides its instance id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAttributes {
    /// `client.id`, where it has one.
    pub client_id: Option<String>,
    /// As it called itself in ApiVersions, or `unknown`.
    pub software_name: String,
    /// As it called itself in ApiVersions, or `unknown`.
    pub software_version: String,
    /// Its address.
    pub source_address: String,
    /// Its port, where that is known.
    pub source_port: Option<String>,
}

/// What a client is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its instance id, perhaps given to it now.
    pub client_instance_id: Id,
    /// Changes with what it is asked for.
    pub subscription_id: i32,
    /// Prefixes of names; `*`: all; nothing: no metrics.
    pub metrics: Vec<String>,
    /// How often.
    pub push_interval_ms: i32,
}

/// A push, without its metrics.
#[derive(Clone, Copy, Debug)]
pub struct Push {
    /// Whose.
    pub client_instance_id: Id,
    /// What it believes to be subscribed to.
    pub subscription_id: i32,
    /// Its last.
    pub terminating: bool,
    /// Number of the codec.
    pub compression_type: i8,
    /// Length of the metrics as sent.
    pub size_bytes: usize,
}

#[derive(Debug)]
struct Instance {
    attributes: ClientAttributes,
    subscription_id: i32,
    /// Of the subscriptions, when it was matched against them.
    version: u64,
    metrics: BTreeSet<String>,
    push_interval_ms: i32,
    last_get: Option<Duration>,
    last_push: Option<Duration>,
    terminating: bool,
    last_error: ErrorCode,
    expires: Duration,
    last_use: u64,
    /// Connection of its last request.
    conn: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Instances {
    max_bytes: usize,
    subscriptions: BTreeMap<Arc<str>, ClientMetricsConfig>,
    version: u64,
    by_id: HashMap<Id, Instance>,
    by_use: BTreeMap<u64, Id>,
    by_expiry: BTreeSet<(Duration, Id)>,
    /// The instance that was last made on a connection: it goes with the connection.
    of_conn: HashMap<u64, Id>,
    uses: u64,
    unknown_subscriptions: Windowed,
    rng: StdRng,
}

/// Milliseconds, as Kafka counts.
fn whole_ms(now: Now) -> Duration {
    Duration::from_millis(u64::try_from(now.mono.as_millis()).unwrap_or(u64::MAX))
}

fn interval(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl Instance {
    fn may_get(&mut self, now: Duration) -> bool {
        let last = self.last_get.max(self.last_push);
        let due = last.is_none_or(|last| now.saturating_sub(last) >= interval(self.push_interval_ms));
        if due {
            self.last_get = Some(now);
        }
        due
    }

    /// The first push after a Get may come early: clients spread theirs over the interval.
    fn may_push(&mut self, now: Duration) -> bool {
        let elapsed = || self.last_push.is_none_or(|last| now.saturating_sub(last) >= interval(self.push_interval_ms));
        let due = self.last_get > self.last_push || elapsed();
        if due {
            self.last_push = Some(now);
        }
        due
    }

    fn check_push(&mut self, now: Duration, push: &Push, max_bytes: usize) -> Result<(), ErrorCode> {
        if self.terminating {
            return Err(ErrorCode::InvalidRequest);
        }
        if !self.may_push(now) && !push.terminating {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        if push.subscription_id != self.subscription_id {
            return Err(ErrorCode::UnknownSubscriptionId);
        }
        let known = u8::try_from(push.compression_type).is_ok_and(|id| Compression::from_id(id).is_ok());
        if !known {
            return Err(ErrorCode::UnsupportedCompressionType);
        }
        if push.size_bytes > max_bytes {
            return Err(ErrorCode::TelemetryTooLarge);
        }
        Ok(())
    }
}

impl Instances {
    /// None yet. `max_bytes`: `telemetry.max.bytes`.
    pub fn new(max_bytes: usize, seed: u64) -> Instances {
        Instances {
            max_bytes,
            subscriptions: BTreeMap::new(),
            version: 0,
            by_id: HashMap::new(),
            by_use: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            of_conn: HashMap::new(),
            uses: 0,
            unknown_subscriptions: Windowed::default(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Longest metrics of a push, as sent.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// A subscription is new, has changed, or is gone: every client is matched anew when it next asks.
    pub fn set_subscription(&mut self, name: &Arc<str>, subscription: Option<ClientMetricsConfig>) {
        let changed = match subscription {
            Some(subscription) => {
                self.subscriptions.insert(name.clone(), subscription);
                true
            }
            None => self.subscriptions.remove(name).is_some(),
        };
        self.version += u64::from(changed);
    }

    /// GetTelemetrySubscriptions.
    ///
    /// # Errors
    /// THROTTLING_QUOTA_EXCEEDED: too early.
    pub fn get(
        &mut self,
        now: Now,
        conn: u64,
        client_instance_id: Id,
        attributes: &ClientAttributes,
    ) -> Result<Subscribed, ErrorCode> {
        let id = if client_instance_id.is_zero() { self.new_id() } else { client_instance_id };
        let instance = self.touch(now, conn, id, attributes);
        let knows_why = [ErrorCode::UnknownSubscriptionId, ErrorCode::UnsupportedCompressionType];
        if !instance.may_get(whole_ms(now)) && !knows_why.contains(&instance.last_error) {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        instance.last_error = ErrorCode::None;
        Ok(Subscribed {
            client_instance_id: id,
            subscription_id: instance.subscription_id,
            metrics: instance.metrics.iter().cloned().collect(),
            push_interval_ms: instance.push_interval_ms,
        })
    }

    /// PushTelemetry, up to what is in it; then comes [`Instances::done`]. Returns the push interval, ms.
    ///
    /// # Errors
    /// As Kafka's answer has them.
    pub fn push(&mut self, now: Now, conn: u64, push: &Push, attributes: &ClientAttributes) -> Result<i32, ErrorCode> {
        if is_reserved(push.client_instance_id) {
            return Err(ErrorCode::InvalidRequest);
        }
        let max_bytes = self.max_bytes;
        let instance = self.touch(now, conn, push.client_instance_id, attributes);
        let checked = instance.check_push(whole_ms(now), push, max_bytes);
        // Whatever came of it: after a refused push that was not the last, the next is heard again.
        instance.terminating = push.terminating;
        if let Err(error) = checked {
            instance.last_error = error;
        }
        let push_interval_ms = instance.push_interval_ms;
        if checked == Err(ErrorCode::UnknownSubscriptionId) {
            self.unknown_subscriptions.once();
        }
        checked.map(|()| push_interval_ms)
    }

    /// What became of an accepted push.
    pub fn done(&mut self, client_instance_id: Id, error: ErrorCode) {
        if let Some(instance) = self.by_id.get_mut(&client_instance_id) {
            instance.last_error = error;
        }
    }

    fn new_id(&mut self) -> Id {
        loop {
            let id = Id::random(&mut self.rng);
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// The instance, made or matched anew where need be, kept for longer.
    fn touch(&mut self, now: Now, conn: u64, id: Id, attributes: &ClientAttributes) -> &mut Instance {
        let known = self.forget(id);
        let mut instance = match known {
            Some(instance) if instance.version == self.version => instance,
            // An instance that was matched anew begins anew, and keeps what was known of its client.
            stale => {
                self.of_conn.insert(conn, id);
                self.matched(id, stale.map_or_else(|| attributes.clone(), |stale| stale.attributes))
            }
        };
        if self.by_id.len() >= INSTANCES_MAX
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            self.forget(*oldest);
        }
        self.uses += 1;
        instance.conn = conn;
        instance.last_use = self.uses;
        instance.expires = now.mono + EXPIRY_MIN.max(interval(instance.push_interval_ms) * 3);
        self.by_use.insert(self.uses, id);
        self.by_expiry.insert((instance.expires, id));
        self.by_id.entry(id).insert_entry(instance).into_mut()
    }

    fn matched(&self, id: Id, attributes: ClientAttributes) -> Instance {
        let id_text = id.to_string();
        let known = |selector| match selector {
            Selector::InstanceId => Some(id_text.as_str()),
            Selector::ClientId => attributes.client_id.as_deref(),
            Selector::SoftwareName => Some(attributes.software_name.as_str()),
            Selector::SoftwareVersion => Some(attributes.software_version.as_str()),
            Selector::SourceAddress => Some(attributes.source_address.as_str()),
            Selector::SourcePort => attributes.source_port.as_deref(),
        };
        let mut metrics = BTreeSet::new();
        let mut push_interval_ms = ClientMetricsConfig::INTERVAL_MS_DEFAULT;
        for subscription in self.subscriptions.values().filter(|one| one.matches(known)) {
            metrics.extend(subscription.metrics.iter().cloned());
            push_interval_ms = push_interval_ms.min(subscription.interval_ms);
        }
        if metrics.contains(ALL_METRICS) {
            metrics = [ALL_METRICS.to_owned()].into();
        }
        Instance {
            subscription_id: subscription_id(&metrics, push_interval_ms, id),
            attributes,
            version: self.version,
            metrics,
            push_interval_ms,
            last_get: None,
            last_push: None,
            terminating: false,
            last_error: ErrorCode::None,
            expires: Duration::ZERO,
            last_use: 0,
            conn: 0,
        }
    }

    fn forget(&mut self, id: Id) -> Option<Instance> {
        let instance = self.by_id.remove(&id)?;
        self.by_use.remove(&instance.last_use);
        self.by_expiry.remove(&(instance.expires, id));
        Some(instance)
    }

    /// A connection is gone, and with it the instance that was made on it.
    pub fn on_disconnect(&mut self, conn: u64) {
        if let Some(id) = self.of_conn.remove(&conn) {
            self.forget(id);
        }
    }

    /// Forgets who was silent for too long.
    pub fn on_tick(&mut self, now: Now) {
        while let Some((expires, id)) = self.by_expiry.first().copied()
            && expires <= now.mono
        {
            if let Some(instance) = self.forget(id) {
                self.of_conn.remove(&instance.conn);
            }
        }
    }

    /// When somebody has been silent for too long, on the monotonic clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.by_expiry.first().map(|(expires, _)| *expires)
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        out.count(&bean::CLIENT_METRICS_INSTANCES, [], self.by_id.len() as u64);
        self.unknown_subscriptions.turn(out.now().mono);
        out.value(&bean::UNKNOWN_SUBSCRIPTION_RATE, [], self.unknown_subscriptions.rate());
        out.count(&bean::UNKNOWN_SUBSCRIPTION_COUNT, [], self.unknown_subscriptions.count());
    }

    /// Client instances known.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// `Uuid.RESERVED`.
fn is_reserved(id: Id) -> bool {
    id.0[..15] == [0; 15] && id.0[15] <= 1
}

/// CRC-32C of what is asked for, as Java prints it, and the id's hash code. Java's order of several metrics is that of a hash set, ours by
/// name: what matters is that all brokers agree.
fn subscription_id(metrics: &BTreeSet<String>, push_interval_ms: i32, id: Id) -> i32 {
    let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
    let text = format!("[{}]{push_interval_ms}", names.join(", "));
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, text.as_bytes()) as u32;
    let bits = u128::from_be_bytes(id.0);
    let halves = (bits >> 64) as u64 ^ bits as u64;
    (crc ^ (halves >> 32) as u32 ^ halves as u32).cast_signed()
}

#[cfg(test)]
#[path = "instances_tests.rs"]
mod tests;
