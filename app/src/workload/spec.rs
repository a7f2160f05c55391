//! What may be asked of a workload.

use crate::monitor::command::WorkloadSpec;

/// Each producer is a client with threads of its own.
pub const PRODUCERS_MAX: u32 = 16;
/// The same goes for consumers.
pub const CONSUMERS_MAX: u32 = 32;
/// Partitions of a topic that a workload makes.
pub const PARTITIONS_MAX: i32 = 10_000;
/// Records per second over all producers.
pub const RATE_MAX: u64 = 1_000_000;
/// A value must have room for its number; it must fit in Kafka's default `message.max.bytes` with what is around it.
pub const RECORD_BYTES: std::ops::RangeInclusive<usize> = 64..=1_000_000;
/// Distinct keys of a producer: what they did last is remembered.
pub const KEYS_MAX: u32 = 100_000;
const MINUTES_10_MS: i64 = 600_000;
/// Kafka's limit for topic names.
const TOPIC_NAME_MAX: usize = 249;

/// Refuses what cannot run, in one sentence.
pub fn check(spec: &WorkloadSpec) -> Result<(), String> {
    check_topic_name(&spec.topic)?;
    within("partitions", spec.partitions.into(), -1, PARTITIONS_MAX.into())?;
    if spec.partitions == 0 || spec.replication_factor == 0 {
        return Err("partitions and replication_factor are at least 1; -1 takes the broker's default".into());
    }
    within("replication_factor", spec.replication_factor.into(), -1, i16::MAX.into())?;
    within("producers", spec.producers.into(), 0, PRODUCERS_MAX.into())?;
    within("consumers", spec.consumers.into(), 0, CONSUMERS_MAX.into())?;
    if spec.producers == 0 && spec.consumers == 0 {
        return Err("a workload needs a producer or a consumer".into());
    }
    within("rate_per_s", whole(spec.rate_per_s), 0, RATE_MAX as i64)?;
    let bytes = i64::try_from(spec.record_bytes).unwrap_or(i64::MAX);
    within("record_bytes", bytes, *RECORD_BYTES.start() as i64, *RECORD_BYTES.end() as i64)?;
    check_acks(spec)?;
    check_records(spec)?;
    check_clients(spec)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn check_records(spec: &WorkloadSpec) -> Result<(), String> {
    within("keys", spec.keys.into(), 1, KEYS_MAX.into())?;
    within_f("zipf_exponent", spec.zipf_exponent, 0.1, 5.0)?;
    within("hot_percent", spec.hot_percent.into(), 0, 100)?;
    within_f("burst_factor", spec.burst_factor, 0.0, 100.0)?;
    within("burst_every_ms", whole(spec.burst_every_ms), 100, MINUTES_10_MS)?;
    within("burst_for_ms", whole(spec.burst_for_ms), 0, whole(spec.burst_every_ms))
}

fn check_clients(spec: &WorkloadSpec) -> Result<(), String> {
    within("linger_ms", whole(spec.linger_ms), 0, 10_000)?;
    let bytes = i64::try_from(spec.batch_bytes).unwrap_or(i64::MAX);
    within("batch_bytes", bytes, 1, 1_000_000)?;
    if spec.transaction_ms != 0 {
        within("transaction_ms", whole(spec.transaction_ms), 10, 30_000)?;
        if !spec.idempotent {
            return Err("a transactional producer is idempotent: idempotent must be true".into());
        }
    }
    within("abort_percent", spec.abort_percent.into(), 0, 100)?;
    if spec.group.len() > TOPIC_NAME_MAX || spec.group.chars().any(char::is_control) {
        return Err(format!("group is a name of at most {TOPIC_NAME_MAX} characters that can be read"));
    }
    within("processing_us", whole(spec.processing_us), 0, 10_000_000)?;
    // Below group.min.session.timeout.ms a broker refuses it.
    within("session_timeout_ms", whole(spec.session_timeout_ms), 6_000, MINUTES_10_MS)
}

fn check_acks(spec: &WorkloadSpec) -> Result<(), String> {
    match spec.acks.as_str() {
        "all" | "-1" | "1" | "0" => {}
        other => {
            return Err(format!(
                "acks is \"all\", \"1\" or \"0\", not \"{}\"",
                other.chars().take(20).collect::<String>()
            ));
        }
    }
    if spec.idempotent && !spec.is_acks_all() {
        return Err(format!("an idempotent producer needs acks \"all\", not \"{}\"", spec.acks));
    }
    Ok(())
}

fn within(name: &str, value: i64, least: i64, most: i64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{name} must be between {least} and {most}, not {value}"))
    }
}

fn within_f(name: &str, value: f64, least: f64, most: f64) -> Result<(), String> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(format!("{name} must be between {least} and {most}, not {value}"))
    }
}

/// As `org.apache.kafka.common.internals.Topic.validate`.
pub fn check_topic_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name == "." || name == ".." {
        return Err(format!("'{name}' is no topic name"));
    }
    if name.len() > TOPIC_NAME_MAX {
        return Err(format!("a topic name has at most {TOPIC_NAME_MAX} characters"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return Err("a topic name is made of ASCII letters, digits, '.', '_' and '-'".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_fine() {
        assert_eq!(check(&WorkloadSpec::default()), Ok(()));
    }

    #[test]
    fn what_is_refused() {
        let with = |change: fn(&mut WorkloadSpec)| {
            let mut spec = WorkloadSpec::default();
            change(&mut spec);
            check(&spec)
        };
        type Change = fn(&mut WorkloadSpec);
        let refused: &[(Change, &str)] = &[
            (|spec| spec.topic = String::new(), "topic name"),
            (|spec| spec.topic = "..".into(), "topic name"),
            (|spec| spec.topic = "a/b".into(), "topic name"),
            (|spec| spec.topic = "x".repeat(250), "249"),
            (|spec| spec.partitions = 0, "at least 1"),
            (|spec| spec.partitions = -2, "partitions"),
            (|spec| spec.replication_factor = 0, "at least 1"),
            (|spec| spec.producers = 17, "producers"),
            (|spec| spec.consumers = 33, "consumers"),
            (|spec| (spec.producers, spec.consumers) = (0, 0), "needs a producer"),
            (|spec| spec.keys = 0, "keys"),
            (|spec| spec.zipf_exponent = f64::NAN, "zipf_exponent"),
            (|spec| spec.hot_percent = 101, "hot_percent"),
            (|spec| spec.burst_for_ms = 20_000, "burst_for_ms"),
            (|spec| spec.linger_ms = 10_001, "linger_ms"),
            (|spec| spec.batch_bytes = 0, "batch_bytes"),
            (|spec| spec.transaction_ms = 5, "transaction_ms"),
            (|spec| (spec.transaction_ms, spec.idempotent) = (100, false), "idempotent must be true"),
            (|spec| spec.abort_percent = 101, "abort_percent"),
            (|spec| spec.group = "a\nb".into(), "group"),
            (|spec| spec.processing_us = 10_000_001, "processing_us"),
            (|spec| spec.session_timeout_ms = 5_999, "session_timeout_ms"),
            (|spec| spec.rate_per_s = u64::MAX, "rate_per_s"),
            (|spec| spec.record_bytes = 63, "record_bytes"),
            (|spec| spec.record_bytes = usize::MAX, "record_bytes"),
            (|spec| spec.acks = "2".into(), "acks"),
            (|spec| spec.acks = "1".into(), "idempotent"),
        ];
        for (change, expected) in refused {
            let error = with(*change).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(with(|spec| (spec.acks, spec.idempotent) = ("0".into(), false)), Ok(()));
        assert_eq!(with(|spec| (spec.partitions, spec.replication_factor) = (-1, -1)), Ok(()));
        assert_eq!(with(|spec| spec.producers = 0), Ok(()));
        assert_eq!(with(|spec| spec.rate_per_s = 0), Ok(()), "as fast as they can");
    }
}
