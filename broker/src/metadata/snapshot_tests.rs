use std::sync::Arc;

use proptest::prelude::*;

use super::image::Image;
use super::record::*;
use super::tests::record;
use super::{ImageDelta, ImageRecords, MetadataRecord};
use crate::types::Id;

/// Records that mostly fit each other: few topics, brokers and names, so that images grow.
fn fitting() -> impl Strategy<Value = MetadataRecord> {
    let topic_id = |n: u8| Id([n % 3; 16]);
    let directories = |n: u8| if n.is_multiple_of(2) { Vec::new() } else { vec![Id([n; 16]); 2] };
    prop_oneof![
        2 => any::<u8>().prop_map(move |n| {
            TopicRecord { name: format!("t{}", n % 3), topic_id: topic_id(n) }.into()
        }),
        4 => any::<(u8, u8, i32, i32, bool)>().prop_map(move |(n, m, leader_epoch, partition_epoch, recovering)| {
            PartitionRecord {
                partition_id: i32::from(m % 3),
                topic_id: topic_id(n),
                replicas: vec![1, 2],
                isr: vec![1],
                removing_replicas: if m > 200 { vec![2] } else { Vec::new() },
                adding_replicas: if m > 128 { vec![1] } else { Vec::new() },
                leader: 1,
                leader_epoch,
                partition_epoch,
                directories: directories(m),
                leader_recovery_state: i8::from(recovering),
                eligible_leader_replicas: Some(if m > 100 { vec![2] } else { Vec::new() }),
                last_known_elr: (m > 150).then(|| vec![2]),
            }
            .into()
        }),
        1 => any::<u8>().prop_map(move |n| RemoveTopicRecord { topic_id: topic_id(n) }.into()),
        6 => record(),
    ]
}

proptest! {
    #[test]
    fn a_snapshot_of_an_image_gives_the_image(records in prop::collection::vec(fitting(), 0..60)) {
        let mut image = Image::default();
        for record in &records {
            let _ = image.apply(image.offset + 1, 7, record, &mut ImageDelta::default());
        }
        image.is_partial = false;
        let mut copy = Image::default();
        let mut delta = ImageDelta::default();
        for record in ImageRecords::new(Arc::new(image.clone())) {
            let read = MetadataRecord::decode(&record.encode());
            prop_assert_eq!(read.as_ref(), Ok(&record));
            prop_assert_eq!(copy.apply(image.offset, image.epoch, &record, &mut delta), Ok(()), "{:?}", record);
        }
        if copy.offset < 0 {
            (copy.offset, copy.epoch) = (image.offset, image.epoch);
        }
        prop_assert_eq!(&copy, &image);
        prop_assert_eq!(delta, ImageDelta::between(&Image::default(), &image));
    }

    /// The difference names all that the records in between named, except for what they changed back.
    #[test]
    fn a_difference_is_what_the_records_say(
        before in prop::collection::vec(fitting(), 0..40),
        after in prop::collection::vec(fitting(), 0..20),
    ) {
        let mut old = Image::default();
        for record in &before {
            let _ = old.apply(old.offset + 1, 1, record, &mut ImageDelta::default());
        }
        let (mut new, mut delta) = (old.clone(), ImageDelta::default());
        for record in &after {
            let _ = new.apply(new.offset + 1, 1, record, &mut delta);
        }
        let difference = ImageDelta::between(&old, &new);
        prop_assert!(difference.brokers_changed.is_subset(&delta.brokers_changed));
        prop_assert!(difference.configs_changed.is_subset(&delta.configs_changed));
        prop_assert!(difference.features_changed.is_subset(&delta.features_changed));
        prop_assert!(difference.topics_created.is_subset(&delta.topics_created));
        // An id that comes back is no topic of Kafka's.
        for (id, topic) in new.topics.iter().filter(|(id, _)| !delta.topics_deleted.contains_key(*id)) {
            let differs = old.topics.get(id).is_none_or(|before| before != topic);
            let named = difference.partitions_changed.iter().any(|partition| partition.topic_id == *id)
                || difference.topics_created.contains(id);
            prop_assert_eq!(differs, named);
        }
        for id in old.topics.keys() {
            prop_assert_eq!(difference.topics_deleted.contains_key(id), !new.topics.contains_key(id));
        }
        prop_assert_eq!(ImageDelta::between(&new, &new), ImageDelta::default());
    }
}
