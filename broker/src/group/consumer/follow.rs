//! Consumer groups follow the metadata: topics that come, grow and go, and settings of single groups.
//!
//! Source: `GroupMetadataManager.onMetadataUpdate`, `GroupConfigManager`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::Refresh;
use crate::group::config::GroupOverrides;
use crate::group::coordinator::GroupCoordinator;
use crate::group::kind::Group;
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
        for group in groups.filter_map(Group::consumer_mut) {
            if changed.iter().any(|topic| group.subscribed().contains_key(topic)) {
                group.refresh = Refresh::default();
            }
        }
    }

    /// `group.consumer.assignment.interval.ms` is another one now.
    pub fn set_assignment_interval_ms(&mut self, interval_ms: i32) {
        self.shared.config.consumer.assignment_interval_ms = interval_ms;
    }
}

fn overrides(configs: &Arc<BTreeMap<String, String>>) -> GroupOverrides {
    let number = |key: &str| configs.get(key).and_then(|text| text.trim().parse().ok());
    GroupOverrides {
        session_timeout_ms: number("consumer.session.timeout.ms"),
        heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
        assignment_interval_ms: number("consumer.assignment.interval.ms"),
    }
}
