//! Workloads that one may begin with, each with what is to be seen in it.

use super::workload::{Codec, KeySkew, Payload, WorkloadSpec};

/// A workload to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// In a word or two.
    pub name: &'static str,
    /// What it sends and reads, and what is to be seen.
    pub what: &'static str,
    make: fn() -> WorkloadSpec,
}

impl Preset {
    /// What it asks for.
    pub fn spec(&self) -> WorkloadSpec {
        (self.make)()
    }
}

fn base() -> WorkloadSpec {
    WorkloadSpec::default()
}

/// All, the plain one first.
pub static PRESETS: [Preset; 8] = [
    Preset { name: "Plain records", what: "1,000 a second on topic demo, all keys in turn", make: base },
    Preset {
        name: "Clickstream",
        what: "Page views as JSON, keyed by user: some users click far more than others (Zipf)",
        make: || WorkloadSpec {
            topic: "clicks".into(),
            payload: Payload::Clickstream,
            keys: 5_000,
            key_skew: KeySkew::Zipf,
            record_bytes: 320,
            compression: Codec::Lz4,
            linger_ms: 10,
            ..base()
        },
    },
    Preset {
        name: "Log lines",
        what: "Syslog lines of 20 web servers, acks 1, large batches, zstd",
        make: || WorkloadSpec {
            topic: "app-logs".into(),
            payload: Payload::AppLog,
            keys: 20,
            rate_per_s: 2_000,
            record_bytes: 250,
            acks: "1".into(),
            idempotent: false,
            compression: Codec::Zstd,
            linger_ms: 50,
            ..base()
        },
    },
    Preset {
        name: "IoT sensors",
        what: "Readings of 500 sensors as JSON; a sensor's readings stay in order",
        make: || WorkloadSpec {
            topic: "sensors".into(),
            payload: Payload::Iot,
            keys: 500,
            rate_per_s: 500,
            record_bytes: 240,
            ..base()
        },
    },
    Preset {
        name: "Slow consumer",
        what: "500 a second come in, one consumer reads 200: lag grows until you add consumers",
        make: || WorkloadSpec { topic: "orders".into(), rate_per_s: 500, consumers: 1, processing_us: 5_000, ..base() },
    },
    Preset {
        name: "Bursts",
        what: "200 a second, and 20 times as many for 2 s of every 15: the log is the buffer",
        make: || WorkloadSpec {
            topic: "bursts".into(),
            rate_per_s: 200,
            consumers: 1,
            processing_us: 1_000,
            burst_factor: 20.0,
            burst_every_ms: 15_000,
            burst_for_ms: 2_000,
            ..base()
        },
    },
    Preset {
        name: "Hot key",
        what: "One key has 80 % of the records, so one partition has most of the work",
        make: || WorkloadSpec { topic: "hot".into(), key_skew: KeySkew::Hot, hot_percent: 80, keys: 100, ..base() },
    },
    Preset {
        name: "Transactions",
        what: "A commit every 500 ms, one in five aborted; consumers read what was committed",
        make: || WorkloadSpec {
            topic: "payments".into(),
            transaction_ms: 500,
            abort_percent: 20,
            rate_per_s: 500,
            ..base()
        },
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn presets_have_names_and_topics_of_their_own() {
        let names: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let topics: BTreeSet<String> = PRESETS.iter().map(|preset| preset.spec().topic).collect();
        assert_eq!((names.len(), topics.len()), (PRESETS.len(), PRESETS.len()));
        assert_eq!(PRESETS[0].spec(), WorkloadSpec::default(), "as POST /api/workloads with nothing named");
    }
}
