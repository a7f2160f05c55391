//! Groups whose assignment the broker works out follow the metadata: topics that come, grow and go, and settings of single groups.
//!
//! Source: `GroupMetadataManager.onMetadataUpdate`, `GroupConfigManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::GroupOverrides;
use super::coordinator::GroupCoordinator;
use crate::metadata::config::RESOURCE_GROUP;
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::Image;

impl GroupCoordinator {
    /// The metadata changed. Groups that read a topic that is another one now look at their topics with the next heartbeat.
    pub fn on_image(&mut self, image: &Image, delta: &ImageDelta) {
        for (_, group) in delta.configs_changed.iter().filter(|(kind, _)| *kind == RESOURCE_GROUP) {
            match image.configs.get(&(RESOURCE_GROUP, group.clone())) {
                Some(configs) => drop(self.shared.overrides.insert(group.clone(), overrides(configs))),
                None => drop(self.shared.overrides.remove(group)),
            }
        }
        let changed = self.shared.topics.follow(image, delta);
        if changed.is_empty() {
            return;
        }
        let groups = self.shards.values_mut().flat_map(|shard| shard.groups.values_mut());
        for group in groups {
            group.refresh_if_reads(changed.iter());
        }
    }

    /// `group.consumer.assignment.interval.ms`, `group.share.…` and `group.streams.…` are other ones now.
    pub fn set_assignment_intervals_ms(&mut self, consumer: i32, share: i32, streams: i32) {
        self.shared.config.consumer.assignment_interval_ms = consumer;
        self.shared.config.share.assignment_interval_ms = share;
        self.shared.config.streams.assignment_interval_ms = streams;
    }
}

fn overrides(configs: &Arc<BTreeMap<String, String>>) -> GroupOverrides {
    let number = |key: &str| configs.get(key).and_then(|text| text.trim().parse().ok());
    GroupOverrides {
        session_timeout_ms: number("consumer.session.timeout.ms"),
        heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
        assignment_interval_ms: number("consumer.assignment.interval.ms"),
        streams_session_timeout_ms: number("streams.session.timeout.ms"),
        streams_heartbeat_interval_ms: number("streams.heartbeat.interval.ms"),
        streams_assignment_interval_ms: number("streams.assignment.interval.ms"),
        streams_initial_rebalance_delay_ms: number("streams.initial.rebalance.delay.ms"),
        streams_num_standby_replicas: number("streams.num.standby.replicas"),
        share_session_timeout_ms: number("share.session.timeout.ms"),
        share_heartbeat_interval_ms: number("share.heartbeat.interval.ms"),
        share_assignment_interval_ms: number("share.assignment.interval.ms"),
    }
}
