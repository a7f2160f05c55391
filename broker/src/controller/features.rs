//! Features and the levels at which this version runs them.
//!
//! Source: Kafka 4.3's `MetadataVersion.LATEST_PRODUCTION` (4.3-IV0) and `org.apache.kafka.server.common.Feature`.

use crate::metadata::record::FeatureRange;

/// A feature: what is supported, and what a new cluster starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Name.
    pub name: &'static str,
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
    /// Level of a new cluster; 0 is not written.
    pub initial: i16,
}

/// `eligible.leader.replicas.version`, KIP-966.
pub(super) const ELR_FEATURE: &str = "eligible.leader.replicas.version";

/// All that this version knows. `metadata.version` 7 (3.3-IV3) is the lowest that Kafka 4.3 runs.
pub const FEATURES: [Feature; 7] = [
    Feature { name: "metadata.version", min: 7, max: 30, initial: 30 },
    Feature { name: "group.version", min: 0, max: 1, initial: 1 },
    Feature { name: "transaction.version", min: 0, max: 2, initial: 2 },
    Feature { name: ELR_FEATURE, min: 0, max: 1, initial: 1 },
    Feature { name: "kraft.version", min: 0, max: 1, initial: 0 },
    Feature { name: "share.version", min: 0, max: 1, initial: 1 },
    Feature { name: "streams.version", min: 0, max: 1, initial: 1 },
];

/// What a node says about itself when it registers.
pub fn supported_features() -> Vec<FeatureRange> {
    FEATURES
        .iter()
        .filter(|feature| feature.max > 0)
        .map(|feature| FeatureRange {
            name: feature.name.to_owned(),
            min_supported_version: feature.min,
            max_supported_version: feature.max,
        })
        .collect()
}
