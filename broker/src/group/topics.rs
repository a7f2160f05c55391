//! What groups whose assignment the broker works out need to know of the cluster's topics: ids, sizes, and a hash that tells when either or the racks have changed.
//!
//! Source: `org.apache.kafka.coordinator.group.Utils.computeTopicHash`, `computeGroupHash` (KIP-1101).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{Image, TopicImage};
use crate::types::Id;

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicFacts {
    /// Its id.
    pub id: Id,
    /// How many partitions it has.
    pub partitions: i32,
    hash: u64,
}

/// All topics.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<Arc<str>, TopicFacts>,
    names: BTreeMap<Id, Arc<str>>,
    /// Offset of the metadata that it stands for.
    pub version: i64,
    /// Offset of the metadata in which a topic was created last.
    pub last_created_version: i64,
}

impl Topics {
    /// Follows the metadata. Returns the topics whose facts are other ones now.
    pub fn follow(&mut self, image: &Image, delta: &ImageDelta) -> BTreeSet<Arc<str>> {
        let mut touched: BTreeSet<Id> = delta.topics_created.clone();
        touched.extend(delta.topics_deleted.keys());
        touched.extend(delta.partitions_changed.iter().map(|partition| partition.topic_id));
        let mut changed = self.update(image, touched);
        if self.names.len() != image.topics.len() {
            // The image is another one altogether.
            let all: BTreeSet<Id> = self.names.keys().chain(image.topics.keys()).copied().collect();
            changed.extend(self.update(image, all));
        }
        self.version = image.offset;
        changed
    }

    fn update(&mut self, image: &Image, ids: BTreeSet<Id>) -> BTreeSet<Arc<str>> {
        let mut changed = BTreeSet::new();
        // Those that are gone first: a topic of the same name may have come.
        let (there, gone): (Vec<Id>, Vec<Id>) = ids.into_iter().partition(|id| image.topics.contains_key(id));
        for id in gone {
            if let Some(name) = self.names.remove(&id) {
                self.by_name.remove(&name);
                changed.insert(name);
            }
        }
        for topic in there.iter().filter_map(|id| image.topics.get(id)) {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let facts = TopicFacts { id: topic.id, partitions, hash: topic_hash(topic, image) };
            if self.names.insert(topic.id, topic.name.clone()).is_none() {
                self.last_created_version = image.offset;
            }
            if self.by_name.insert(topic.name.clone(), facts.clone()).as_ref() != Some(&facts) {
                changed.insert(topic.name.clone());
            }
        }
        changed
    }

    /// A topic by its name.
    pub fn get(&self, name: &str) -> Option<&TopicFacts> {
        self.by_name.get(name)
    }

    /// A topic's name.
    pub fn name(&self, id: Id) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    /// How many partitions a topic has; none if it does not exist.
    pub fn partitions(&self, id: Id) -> i32 {
        self.name(id).and_then(|name| self.get(name)).map_or(0, |facts| facts.partitions)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// Hash of what these topics look like; those that do not exist do not count.
    pub fn hash<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) -> u64 {
        let hashes: BTreeMap<&Arc<str>, u64> =
            names.filter_map(|name| Some((name, self.by_name.get(name)?.hash))).collect();
        if hashes.is_empty() {
            return 0;
        }
        let bytes: Vec<u8> = hashes.values().flat_map(|hash| hash.to_le_bytes()).collect();
        XxHash3_64::oneshot(&bytes)
    }
}

/// A string as Java's hasher takes it: its UTF-16 units, then how many.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let mut units = 0i32;
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
        units += 1;
    }
    bytes.extend_from_slice(&units.to_le_bytes());
}

fn topic_hash(topic: &TopicImage, image: &Image) -> u64 {
    let mut bytes = vec![0u8];
    let id = u128::from_be_bytes(topic.id.0);
    bytes.extend_from_slice(&((id >> 64) as u64).to_le_bytes());
    bytes.extend_from_slice(&(id as u64).to_le_bytes());
    put_text(&mut bytes, &topic.name);
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    bytes.extend_from_slice(&count.to_le_bytes());
    for (index, partition) in (0i32..).zip(&topic.partitions) {
        bytes.extend_from_slice(&index.to_le_bytes());
        let rack_of = |id| image.brokers.get(id).and_then(|broker| broker.rack.as_deref());
        let mut racks: Vec<&str> = partition.replicas.iter().filter_map(rack_of).collect();
        racks.sort_unstable();
        for rack in racks {
            // The length once more, as Kafka has it.
            let units = i32::try_from(rack.encode_utf16().count()).unwrap_or(i32::MAX);
            bytes.extend_from_slice(&units.to_le_bytes());
            put_text(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::image::{BrokerImage, PartitionImage};

    /// What `Utils.computeTopicHash` and `computeGroupHash` of Kafka 4.3 give for the same topics.
    #[test]
    fn hashes_are_those_of_kafka() {
        let mut image = Image::default();
        for id in 1..=3 {
            let rack = (id != 3).then(|| format!("rack-{id}"));
            let broker = BrokerImage {
                id,
                epoch: 1,
                incarnation: Id::ZERO,
                endpoints: Vec::new(),
                rack,
                fenced: false,
                in_controlled_shutdown: false,
                log_dirs: Vec::new(),
                features: Vec::new(),
                cordoned_log_dirs: Vec::new(),
            };
            image.brokers.insert(id, Arc::new(broker));
        }
        let id = |high: u64, low: u64| Id((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
        let topics = [
            ("tea", id(0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0f10), vec![vec![2, 1, 3]; 2]),
            ("other", id(0xf102_0304_0506_0708, 0x890a_0b0c_0d0e_0f10), vec![vec![3]]),
        ];
        for (name, id, partitions) in topics {
            let partition = |replicas| PartitionImage { replicas, ..PartitionImage::default() };
            let partitions = partitions.into_iter().map(partition).collect();
            image.topics.insert(id, Arc::new(TopicImage { name: name.into(), id, partitions }));
        }
        let mut known = Topics::default();
        assert_eq!(known.follow(&image, &ImageDelta::default()).len(), 2);
        assert_eq!(known.get("tea").unwrap().hash, 503_562_440_457_591_785);
        assert_eq!(known.get("other").unwrap().hash, 1_452_443_493_830_687_088);
        let names: Vec<Arc<str>> = ["tea", "other", "none"].map(Arc::from).to_vec();
        assert_eq!(known.hash(names.iter()), 10_908_374_018_340_378_622);
        assert_eq!(known.hash(names[2..].iter()), 0);
    }

    #[test]
    fn what_is_created_changed_and_deleted_is_told() {
        let topic = |name: &str, number: u8, partitions: usize| {
            let partitions = vec![PartitionImage::default(); partitions];
            Arc::new(TopicImage { name: name.into(), id: Id([number; 16]), partitions })
        };
        let mut image = Image { offset: 5, ..Image::default() };
        image.topics.insert(Id([1; 16]), topic("a", 1, 1));
        let mut known = Topics::default();
        known.follow(&image, &ImageDelta::default());
        assert_eq!((known.version, known.last_created_version), (5, 5));
        assert!(known.follow(&image, &ImageDelta::default()).is_empty());

        // The same name under another id, and a partition more of nothing that changed.
        image.offset = 7;
        image.topics = [(Id([2; 16]), topic("a", 2, 1)), (Id([3; 16]), topic("b", 3, 2))].into();
        let delta = ImageDelta {
            topics_created: [Id([2; 16]), Id([3; 16])].into(),
            topics_deleted: [(Id([1; 16]), topic("a", 1, 1))].into(),
            ..ImageDelta::default()
        };
        assert_eq!(known.follow(&image, &delta), ["a", "b"].map(Arc::from).into());
        assert_eq!((known.get("a").unwrap().id, known.last_created_version), (Id([2; 16]), 7));
        assert_eq!((known.name(Id([1; 16])), known.partitions(Id([3; 16]))), (None, 2));
    }
}
