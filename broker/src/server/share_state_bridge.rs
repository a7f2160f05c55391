//! Between the share coordinator and the broker: its records in `__share_group_state`, and those who ask.
//!
//! Source: `org.apache.kafka.coordinator.share.ShareCoordinatorService`.

use super::broker::Broker;

/// Where the state of share partitions is kept.
pub const SHARE_STATE_TOPIC: &str = "__share_group_state";

/// The feature that says whether there are share groups.
const VERSION_FEATURE: &str = "share.version";

/// The coordinator, and what connects it with the broker.
#[derive(Debug, Default)]
pub struct ShareStateBridge {}

/// Whether the cluster has share groups: `share.version` is 1 or more. Without, requests about them are answered UNSUPPORTED_VERSION.
///
/// Source: `kafka.server.KafkaApis.isShareGroupProtocolEnabled`.
pub fn has_share_groups(broker: &Broker) -> bool {
    broker.image.features.get(VERSION_FEATURE).is_some_and(|level| *level >= 1)
}
