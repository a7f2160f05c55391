//! What changed between two images, where the records in between are not known: a snapshot took their place.
//!
//! Source: `org.apache.kafka.image.MetadataDelta.finishSnapshot`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::delta::ImageDelta;
use super::image::{Image, TopicImage};
use crate::types::{Id, TopicIdPartition};

impl ImageDelta {
    /// What turns `old` into `new`.
    pub fn between(old: &Image, new: &Image) -> ImageDelta {
        let mut delta = ImageDelta {
            brokers_changed: keys_that_differ(&old.brokers, &new.brokers),
            controllers_changed: keys_that_differ(&old.controllers, &new.controllers),
            configs_changed: keys_that_differ(&old.configs, &new.configs),
            features_changed: keys_that_differ(&old.features, &new.features),
            producer_ids_changed: old.next_producer_id != new.next_producer_id,
            client_quotas_changed: keys_that_differ(&old.client_quotas, &new.client_quotas),
            ..ImageDelta::default()
        };
        for (id, topic) in &new.topics {
            match old.topics.get(id) {
                Some(before) if Arc::ptr_eq(before, topic) => {}
                Some(before) => delta.partitions_changed.extend(partitions_that_differ(*id, before, topic)),
                None => {
                    delta.topics_created.insert(*id);
                    let partitions = 0..topic.partitions.len() as i32;
                    delta
                        .partitions_changed
                        .extend(partitions.map(|partition| TopicIdPartition { topic_id: *id, partition }));
                }
            }
        }
        let gone = old.topics.iter().filter(|(id, _)| !new.topics.contains_key(id));
        delta.topics_deleted = gone.map(|(id, topic)| (*id, topic.clone())).collect();
        delta
    }
}

fn partitions_that_differ(topic_id: Id, old: &TopicImage, new: &TopicImage) -> Vec<TopicIdPartition> {
    let differs = |(partition, image): (usize, _)| {
        let partition = partition as i32;
        (old.partition(partition) != Some(image)).then_some(TopicIdPartition { topic_id, partition })
    };
    new.partitions.iter().enumerate().filter_map(differs).collect()
}

fn keys_that_differ<K: Ord + Clone, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> BTreeSet<K> {
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(*value)).map(|(key, _)| key.clone());
    changed.chain(old.keys().filter(|key| !new.contains_key(*key)).cloned()).collect()
}
