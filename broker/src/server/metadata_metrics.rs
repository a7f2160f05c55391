//! What every node, broker or controller, tells of its copy of the metadata.
//!
//! Source: `org.apache.kafka.image.loader.metrics.MetadataLoaderMetrics`, `org.apache.kafka.server.metrics.NodeMetrics`.

use super::metadata_snapshots::MetadataSnapshots;
use crate::controller::supported_features;
use crate::metadata::image::Image;
use crate::metrics::Collector;
use crate::metrics::table::metadata as bean;
use crate::quorum::{KRAFT_VERSION_MAX, Quorum};
use crate::types::NO_NODE;

const METADATA_VERSION: &str = "metadata.version";
const KRAFT_VERSION: &str = "kraft.version";

/// Tells a node's series.
pub fn collect(out: &mut Collector, image: &Image, quorum: &Quorum, snapshots: &MetadataSnapshots) {
    let version = image.features.get(METADATA_VERSION).copied().unwrap_or(0);
    out.value(&bean::CURRENT_METADATA_VERSION, [], version.into());
    out.value(&bean::CURRENT_CONTROLLER_ID, [], quorum.leader().unwrap_or(NO_NODE).into());
    let kraft = Some((KRAFT_VERSION, quorum.kraft_version())).filter(|(_, level)| *level > 0);
    let others = image.features.iter().map(|(name, level)| (name.as_str(), *level));
    for (name, level) in others.filter(|(name, _)| *name != KRAFT_VERSION).chain(kraft) {
        out.value(&bean::FINALIZED_LEVEL, [("featureName", camel_case(name).into())], level.into());
    }
    for feature in supported_features() {
        let name = feature.name.replace('.', "-");
        let max = if feature.name == KRAFT_VERSION { KRAFT_VERSION_MAX } else { feature.max_supported_version };
        out.value(&bean::MAXIMUM_SUPPORTED_LEVEL, [("feature-name", name.clone().into())], max.into());
        let min = feature.min_supported_version;
        out.value(&bean::MINIMUM_SUPPORTED_LEVEL, [("feature-name", name.into())], min.into());
    }
    snapshots.collect(out);
}

/// `group.version` as `groupVersion`, as Kafka names features in tags.
fn camel_case(name: &str) -> String {
    let mut words = name.split('.');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_named_as_kafka_names_them_in_tags() {
        for (name, tag) in [
            ("metadata.version", "metadataVersion"),
            ("eligible.leader.replicas.version", "eligibleLeaderReplicasVersion"),
            ("plain", "plain"),
        ] {
            assert_eq!(camel_case(name), tag);
        }
    }
}
