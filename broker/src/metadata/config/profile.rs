//! Named sets of broker configs: how fast a cluster notices, and what it promises by default.

use std::collections::BTreeMap;

use super::ConfigError;

/// Names of the profiles, the desktop's first.
pub const PROFILES: [&str; 3] = ["lab", "kafka", "msk"];

/// Three zones, three copies, two of them needed: what every profile promises.
const DURABLE: &[(&str, &str)] =
    &[("default.replication.factor", "3"), ("min.insync.replicas", "2"), ("offsets.topic.replication.factor", "3")];

/// A kill shows within two seconds, and nobody waits for a first rebalance.
const LAB: &[(&str, &str)] = &[
    ("broker.session.timeout.ms", "1500"),
    ("broker.heartbeat.interval.ms", "300"),
    ("replica.lag.time.max.ms", "3000"),
    ("replica.fetch.backoff.ms", "100"),
    ("controller.quorum.election.timeout.ms", "150"),
    ("controller.quorum.election.backoff.max.ms", "100"),
    ("controller.quorum.fetch.timeout.ms", "240"),
    ("controller.quorum.request.timeout.ms", "80"),
    ("leader.imbalance.check.interval.seconds", "10"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("offsets.topic.num.partitions", "10"),
];

/// What Amazon MSK sets over Apache Kafka for a cluster in three zones with local storage.
const MSK: &[(&str, &str)] = &[
    ("auto.create.topics.enable", "false"),
    ("auto.leader.rebalance.enable", "true"),
    ("group.initial.rebalance.delay.ms", "3000"),
    ("num.io.threads", "8"),
    ("num.network.threads", "5"),
    ("num.partitions", "1"),
    ("num.replica.fetchers", "2"),
    ("replica.lag.time.max.ms", "30000"),
    ("socket.receive.buffer.bytes", "102400"),
    ("socket.request.max.bytes", "104857600"),
    ("socket.send.buffer.bytes", "102400"),
    ("transaction.state.log.min.isr", "2"),
    ("transaction.state.log.replication.factor", "3"),
    ("unclean.leader.election.enable", "true"),
];

/// The broker configs that a profile sets over Kafka's defaults. Replication factors are for three brokers or more:
/// see [`cap_replication`].
pub fn profile_overrides(profile: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let own = match profile {
        "lab" => LAB,
        "kafka" => &[],
        "msk" => MSK,
        other => return Err(ConfigError::UnknownProfile(other.chars().take(64).collect())),
    };
    Ok(DURABLE.iter().chain(own).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

/// Lowers what a profile asks for to what `brokers` can give. Call it before the user's own configs are laid over.
pub fn cap_replication(overrides: &mut BTreeMap<String, String>, brokers: u32) {
    let replicas = brokers.clamp(1, 3);
    for key in [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "share.coordinator.state.topic.replication.factor",
    ] {
        overrides.insert(key.to_owned(), replicas.to_string());
    }
    let in_sync = replicas.saturating_sub(1).clamp(1, 2);
    for key in ["min.insync.replicas", "transaction.state.log.min.isr", "share.coordinator.state.topic.min.isr"] {
        overrides.insert(key.to_owned(), in_sync.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::config::NodeConfig;

    #[test]
    fn profiles_are_valid() {
        for profile in PROFILES {
            let config = NodeConfig::new(1, "cluster", profile_overrides(profile).unwrap()).unwrap();
            assert_eq!(config.i64("default.replication.factor"), 3);
            assert_eq!(config.i64("min.insync.replicas"), 2);
        }
        let lab = NodeConfig::new(1, "cluster", profile_overrides("lab").unwrap()).unwrap();
        assert_eq!(lab.i64("broker.session.timeout.ms"), 1500);
        assert!(profile_overrides("fast").is_err());
    }

    #[test]
    fn a_small_cluster_asks_for_no_more_than_it_has() {
        for (brokers, replicas, in_sync) in [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (9, "3", "2")] {
            let mut overrides = profile_overrides("lab").unwrap();
            cap_replication(&mut overrides, brokers);
            assert_eq!(overrides["default.replication.factor"], replicas);
            assert_eq!(overrides["offsets.topic.replication.factor"], replicas);
            assert_eq!(overrides["min.insync.replicas"], in_sync);
            NodeConfig::new(1, "cluster", overrides).unwrap();
        }
    }
}
