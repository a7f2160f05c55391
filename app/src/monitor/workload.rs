//! Built-in workloads as data: what may be asked of one, what may be changed while it runs, and what it has done.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What the records are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A number and letters, of the size that was asked for.
    #[default]
    Plain,
    /// JSON: who looked at which page, and came from where.
    Clickstream,
    /// Lines as syslog has them (RFC 5424).
    AppLog,
    /// JSON: readings of sensors, which drift.
    Iot,
}

/// Which keys records get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySkew {
    /// All keys in turn.
    #[default]
    Uniform,
    /// Key n as often as 1/n^exponent: few keys have most of the records.
    Zipf,
    /// One key has a share of its own, the others the rest in turn.
    Hot,
}

/// Compression of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// None.
    #[default]
    None,
    /// Deflate.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// As `compression.type` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// What a consumer reads of transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// What was committed.
    #[default]
    ReadCommitted,
    /// Everything.
    ReadUncommitted,
}

/// Where a group begins that has committed nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    /// With the first record.
    #[default]
    Earliest,
    /// With the next record.
    Latest,
}

/// A built-in workload, as `POST /api/workloads` takes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Topic; created if absent.
    pub topic: String,
    /// Partitions of a topic that is created.
    pub partitions: i32,
    /// Replication factor of a topic that is created.
    pub replication_factor: i16,
    /// Producers.
    pub producers: u32,
    /// Consumers, all in one group.
    pub consumers: u32,
    /// Records per second over all producers; 0: as fast as they can.
    pub rate_per_s: u64,
    /// Size of a record's value; a record that is not plain has at least this size.
    pub record_bytes: usize,
    /// `all`, `1` or `0`.
    pub acks: String,
    /// `enable.idempotence`.
    pub idempotent: bool,
    /// What records are made of.
    pub payload: Payload,
    /// Distinct keys of each producer.
    pub keys: u32,
    /// How often each key comes.
    pub key_skew: KeySkew,
    /// Of [`KeySkew::Zipf`]: the larger, the more the first keys have.
    pub zipf_exponent: f64,
    /// Of [`KeySkew::Hot`]: the hot key's share.
    pub hot_percent: u32,
    /// The same seed makes the same records.
    pub seed: u64,
    /// During a burst the rate is so many times as high.
    pub burst_factor: f64,
    /// A burst begins this often.
    pub burst_every_ms: u64,
    /// A burst lasts this long; 0: there are none.
    pub burst_for_ms: u64,
    /// `linger.ms`.
    pub linger_ms: u64,
    /// `batch.size`.
    pub batch_bytes: usize,
    /// `compression.type`.
    pub compression: Codec,
    /// Each producer commits a transaction this often; 0: it makes none.
    pub transaction_ms: u64,
    /// So many of the transactions are aborted.
    pub abort_percent: u32,
    /// `group.id`; empty: one of its own.
    pub group: String,
    /// What a consumer takes for each record.
    pub processing_us: u64,
    /// `isolation.level`.
    pub isolation: Isolation,
    /// `auto.offset.reset`.
    pub offset_reset: OffsetReset,
    /// `session.timeout.ms`: a consumer that crashed is missed after this long.
    pub session_timeout_ms: u64,
    /// Producers stay connected and send nothing.
    pub paused: bool,
    /// Consumers stay in their group and read nothing.
    pub consumers_paused: bool,
    /// Readers of its own read everything back and check it off in the durability ledger.
    pub verify: bool,
    /// It is stopped when a promise was broken.
    pub stop_on_violation: bool,
}

impl Default for WorkloadSpec {
    fn default() -> WorkloadSpec {
        WorkloadSpec {
            topic: "demo".into(),
            partitions: 6,
            replication_factor: 3,
            producers: 1,
            consumers: 2,
            rate_per_s: 1000,
            record_bytes: 200,
            acks: "all".into(),
            idempotent: true,
            payload: Payload::Plain,
            keys: 1000,
            key_skew: KeySkew::Uniform,
            zipf_exponent: 1.0,
            hot_percent: 80,
            seed: 1,
            burst_factor: 10.0,
            burst_every_ms: 10_000,
            burst_for_ms: 0,
            linger_ms: 5,
            batch_bytes: 1_000_000,
            compression: Codec::None,
            transaction_ms: 0,
            abort_percent: 0,
            group: String::new(),
            processing_us: 0,
            isolation: Isolation::ReadCommitted,
            offset_reset: OffsetReset::Earliest,
            session_timeout_ms: 6_000,
            paused: false,
            consumers_paused: false,
            verify: true,
            stop_on_violation: false,
        }
    }
}

impl WorkloadSpec {
    /// Whether the leader waits for the in-sync replicas.
    pub fn is_acks_all(&self) -> bool {
        matches!(self.acks.as_str(), "all" | "-1")
    }

    /// Whether its producers make transactions.
    pub fn is_transactional(&self) -> bool {
        self.transaction_ms > 0
    }

    /// Records per second now, over all producers; 0: as fast as they can.
    pub fn rate_at(&self, run_ms: u64) -> f64 {
        let bursts = self.burst_for_ms > 0 && run_ms % self.burst_every_ms.max(1) < self.burst_for_ms;
        self.rate_per_s as f64 * if bursts { self.burst_factor } else { 1.0 }
    }

    /// With some fields changed, as `PATCH /api/workloads/ID` takes them.
    ///
    /// # Errors
    /// One sentence: there is no such field, it takes no such value, or it stays as it is for as long as a workload lives.
    pub fn changed(&self, change: &WorkloadChange) -> Result<WorkloadSpec, String> {
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, value) in &change.0 {
            if matches!(name.as_str(), "topic" | "partitions" | "replication_factor" | "verify") {
                return Err(format!("{name} stays as it is while a workload runs: start another one"));
            }
            all[name.as_str()] = value.clone();
        }
        serde_json::from_value(all).map_err(|error| format!("the change is not as expected: {error}"))
    }
}

/// Fields of a [`WorkloadSpec`] that are to be others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadChange(pub Map<String, Value>);

impl WorkloadChange {
    /// One field.
    pub fn of(name: &str, value: impl Into<Value>) -> WorkloadChange {
        WorkloadChange(Map::from_iter([(name.to_owned(), value.into())]))
    }

    /// One more field.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<Value>) -> WorkloadChange {
        self.0.insert(name.to_owned(), value.into());
        self
    }
}

/// What of a workload is to be made anew to follow a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restarts {
    /// Its producers.
    pub producers: bool,
    /// Its consumers.
    pub consumers: bool,
}

impl Restarts {
    /// Between two specs: what a client of Kafka takes only when it is made.
    pub fn between(old: &WorkloadSpec, new: &WorkloadSpec) -> Restarts {
        let producer = |spec: &WorkloadSpec| {
            let (acks, codec, is_transactional) = (spec.acks.clone(), spec.compression, spec.is_transactional());
            (acks, spec.idempotent, spec.linger_ms, spec.batch_bytes, codec, is_transactional, spec.seed)
        };
        let consumer =
            |spec: &WorkloadSpec| (spec.group.clone(), spec.isolation, spec.offset_reset, spec.session_timeout_ms);
        Restarts { producers: producer(old) != producer(new), consumers: consumer(old) != consumer(new) }
    }
}

/// How long something took, over the last seconds.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Records that were measured.
    pub count: u64,
    /// Half of them took no longer.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub p50_ms: f64,
    /// 95 of 100.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub p95_ms: f64,
    /// 99 of 100.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub p99_ms: f64,
    /// None took longer.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub max_ms: f64,
}

/// How a client of a workload is.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientState {
    /// It works.
    Running,
    /// It ends, or is made anew.
    Ending,
    /// It is gone without having left its group, because somebody wanted that.
    Crashed,
    /// It cannot go on.
    Failed,
}

/// A consumer of a workload.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Serialize)]
pub struct ConsumerStatus {
    /// From 1.
    pub number: u32,
    /// Its `client.id`.
    pub client_id: String,
    /// How it is.
    pub state: ClientState,
    /// Records that it read.
    pub read: u64,
}

/// One second of a workload.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkloadPoint {
    /// Wall clock.
    pub at_ms: i64,
    /// Handed to the client library per second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub sent_per_s: f64,
    /// Acknowledged per second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub acked_per_s: f64,
    /// Read per second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub read_per_s: f64,
    /// Of that second; NaN where nothing was measured.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub ack_p50_ms: f64,
    /// Of that second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub ack_p99_ms: f64,
    /// Of that second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub end_to_end_p50_ms: f64,
    /// Of that second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub end_to_end_p99_ms: f64,
}

/// How many seconds of a workload are kept.
pub const WORKLOAD_POINTS_KEPT: usize = 300;

/// A built-in workload, as `GET /api/workloads` and `GET /api/ledger` give it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Serialize)]
pub struct WorkloadStatus {
    /// Id.
    pub id: u64,
    /// `running`, `paused`, `stopping`, `failed`.
    pub state: String,
    /// Topic that it writes and reads.
    pub topic: String,
    /// Consumer group of its consumers.
    pub group: String,
    /// Producers.
    pub producers: u32,
    /// Consumers.
    pub consumers: u32,
    /// Records per second that it tries to send, over all producers; 0: as fast as they can.
    pub rate_per_s: u64,
    /// Records handed to the client library.
    pub sent: u64,
    /// Acknowledged by the cluster; of a transaction, once that is committed.
    pub acked: u64,
    /// Neither acknowledged nor certainly failed.
    pub unknown: u64,
    /// Refused for certain.
    pub failed: u64,
    /// Acknowledged in transactions that were aborted.
    pub aborted: u64,
    /// Transactions that were committed.
    pub transactions_committed: u64,
    /// Transactions that were aborted.
    pub transactions_aborted: u64,
    /// Producers that stand still in a transaction while others have taken their places.
    pub frozen: Vec<u32>,
    /// Writes and commits of producers that had been frozen, refused because others had taken their places.
    pub fenced: u64,
    /// Read by its consumers (each record counted once per reading).
    pub read: u64,
    /// Why it failed, in one sentence.
    pub error: Option<String>,
    /// What went wrong within the last seconds and may pass: the client tries again.
    pub trouble: Option<String>,
    /// Handed to the client library, over the last second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub sent_per_s: f64,
    /// Acknowledged, over the last second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub acked_per_s: f64,
    /// Read, over the last second.
    #[borsh(serialize_with = "broker::recorded::put", deserialize_with = "broker::recorded::take")]
    pub read_per_s: f64,
    /// From handing a record to the client library until it was acknowledged.
    pub ack: Latency,
    /// From a record's timestamp until a consumer read it.
    pub end_to_end: Latency,
    /// Its consumers.
    pub members: Vec<ConsumerStatus>,
    /// Clients that were made anew to follow a change.
    pub restarts: u64,
    /// What it is asked to do.
    pub spec: Arc<WorkloadSpec>,
    /// Behind the highest offset that was acknowledged, by partition.
    #[serde(skip)]
    pub acked_ends: BTreeMap<i32, i64>,
    /// The last seconds, oldest first; at most [`WORKLOAD_POINTS_KEPT`].
    #[serde(skip)]
    pub points: Arc<VecDeque<WorkloadPoint>>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_only_what_is_to_be_another() {
        let spec = WorkloadSpec::default();
        let change = WorkloadChange::of("rate_per_s", 5000).and("key_skew", "zipf");
        let changed = spec.changed(&change).unwrap();
        assert_eq!((changed.rate_per_s, changed.key_skew), (5000, KeySkew::Zipf));
        assert_eq!(WorkloadSpec { rate_per_s: 1000, key_skew: KeySkew::Uniform, ..changed }, spec);
        for (name, value, expected) in [
            ("topic", json!("other"), "stays as it is"),
            ("speed", json!(3), "unknown field `speed`"),
            ("rate_per_s", json!(-3), "invalid value"),
            ("compression", json!("rar"), "unknown variant"),
        ] {
            let error = spec.changed(&WorkloadChange::of(name, value)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn only_what_a_client_takes_when_it_is_made_restarts_it() {
        let spec = WorkloadSpec::default();
        let with = |name: &str, value: Value| {
            Restarts::between(&spec, &spec.changed(&WorkloadChange::of(name, value)).unwrap())
        };
        for (name, value) in [("rate_per_s", json!(1)), ("consumers", json!(4)), ("processing_us", json!(9))] {
            assert_eq!(with(name, value), Restarts::default(), "{name}");
        }
        for (name, value) in [("linger_ms", json!(50)), ("compression", json!("lz4")), ("transaction_ms", json!(100))] {
            assert_eq!(with(name, value), Restarts { producers: true, consumers: false }, "{name}");
        }
        for (name, value) in [("group", json!("g")), ("isolation", json!("read_uncommitted"))] {
            assert_eq!(with(name, value), Restarts { producers: false, consumers: true }, "{name}");
        }
    }

    #[test]
    fn bursts_come_and_go() {
        let spec =
            WorkloadSpec { burst_for_ms: 1000, burst_every_ms: 5000, burst_factor: 4.0, ..WorkloadSpec::default() };
        let rates: Vec<f64> = [0, 999, 1000, 4999, 5000].map(|at_ms| spec.rate_at(at_ms)).to_vec();
        assert_eq!(rates, [4000.0, 4000.0, 1000.0, 1000.0, 4000.0]);
        assert_eq!(WorkloadSpec::default().rate_at(0), 1000.0);
    }
}
