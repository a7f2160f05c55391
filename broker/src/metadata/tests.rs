use bytes::Bytes;
use proptest::prelude::*;

use super::image::{Endpoint, Image};
use super::record::*;
use super::{ApplyError, DecodeError, ImageDelta};
use crate::types::{Id, TopicIdPartition};

fn id(n: u128) -> Id {
    Id(n.to_be_bytes())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (".{0,8}", ".{0,8}", any::<u16>(), any::<i16>()).prop_map(|(name, host, port, security_protocol)| Endpoint {
        name,
        host,
        port,
        security_protocol,
    })
}

fn ids() -> impl Strategy<Value = Vec<Id>> {
    prop::collection::vec(any::<u128>().prop_map(id), 0..4)
}

fn nodes() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(-3..5i32, 0..5)
}

fn range() -> impl Strategy<Value = FeatureRange> {
    (".{0,8}", any::<i16>(), any::<i16>()).prop_map(|(name, min, max)| FeatureRange {
        name,
        min_supported_version: min,
        max_supported_version: max,
    })
}

fn opt<S: Strategy + 'static>(inner: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop::option::of(inner)
}

/// Every type, every field.
pub(super) fn record() -> impl Strategy<Value = MetadataRecord> {
    let register = (any::<(i32, u128, i64, bool, bool)>(), prop::collection::vec(endpoint(), 0..3))
        .prop_flat_map(|(plain, end_points)| {
            (Just(plain), Just(end_points), prop::collection::vec(range(), 0..3), opt(".{0,4}"), ids(), opt(ids()))
        })
        .prop_map(
            |((broker_id, incarnation, broker_epoch, fenced, shutdown), end_points, features, rack, dirs, cordoned)| {
                RegisterBrokerRecord {
                    broker_id,
                    is_migrating_zk_broker: false,
                    incarnation_id: id(incarnation),
                    broker_epoch,
                    end_points,
                    features,
                    rack,
                    fenced,
                    in_controlled_shutdown: shutdown,
                    log_dirs: dirs,
                    cordoned_log_dirs: cordoned,
                }
                .into()
            },
        );
    let partition = (
        any::<(i32, u128, i32, i8, i32, i32)>(),
        nodes(),
        nodes(),
        nodes(),
        nodes(),
        ids(),
        opt(nodes()),
        opt(nodes()),
    )
        .prop_map(
            |(
                (partition_id, topic, leader, state, epoch, partition_epoch),
                replicas,
                isr,
                removing,
                adding,
                directories,
                elr,
                last,
            )| {
                PartitionRecord {
                    partition_id,
                    topic_id: id(topic),
                    replicas,
                    isr,
                    removing_replicas: removing,
                    adding_replicas: adding,
                    leader,
                    leader_epoch: epoch,
                    partition_epoch,
                    directories,
                    leader_recovery_state: state,
                    eligible_leader_replicas: elr,
                    last_known_elr: last,
                }
                .into()
            },
        );
    let change = (
        any::<(i32, u128, i32, i8)>(),
        opt(nodes()),
        opt(nodes()),
        opt(nodes()),
        opt(nodes()),
        opt(nodes()),
        opt(nodes()),
        opt(ids()),
    )
        .prop_map(
            |((partition_id, topic, leader, state), isr, replicas, removing, adding, elr, last, directories)| {
                PartitionChangeRecord {
                    partition_id,
                    topic_id: id(topic),
                    isr,
                    leader,
                    replicas,
                    removing_replicas: removing,
                    adding_replicas: adding,
                    leader_recovery_state: state,
                    eligible_leader_replicas: elr,
                    last_known_elr: last,
                    directories,
                }
                .into()
            },
        );
    let registration = (any::<(i32, i64, i8, i8)>(), ids(), opt(ids())).prop_map(
        |((broker_id, broker_epoch, fenced, shutdown), log_dirs, cordoned_log_dirs)| {
            BrokerRegistrationChangeRecord {
                broker_id,
                broker_epoch,
                fenced,
                in_controlled_shutdown: shutdown,
                log_dirs,
                cordoned_log_dirs,
            }
            .into()
        },
    );
    let controller =
        (any::<(i32, u128, bool)>(), prop::collection::vec(endpoint(), 0..3), prop::collection::vec(range(), 0..3))
            .prop_map(|((controller_id, incarnation, zk), end_points, features)| {
                RegisterControllerRecord {
                    controller_id,
                    incarnation_id: id(incarnation),
                    zk_migration_ready: zk,
                    end_points,
                    features,
                }
                .into()
            });
    let quota = (prop::collection::vec((".{0,6}", opt(".{0,6}")), 0..3), ".{0,6}", -1e9..1e9f64, any::<bool>())
        .prop_map(|(entity, key, value, remove)| {
            let entity =
                entity.into_iter().map(|(entity_type, entity_name)| QuotaEntity { entity_type, entity_name }).collect();
            ClientQuotaRecord { entity, key, value, remove }.into()
        });
    prop_oneof![
        register,
        partition,
        change,
        registration,
        controller,
        quota,
        any::<(i32, i64)>()
            .prop_map(|(broker_id, broker_epoch)| UnregisterBrokerRecord { broker_id, broker_epoch }.into()),
        (".{0,20}", any::<u128>()).prop_map(|(name, topic)| TopicRecord { name, topic_id: id(topic) }.into()),
        (any::<i8>(), ".{0,9}", ".{0,9}", opt(".{0,300}")).prop_map(|(resource_type, resource_name, name, value)| {
            ConfigRecord { resource_type, resource_name, name, value }.into()
        }),
        any::<(i32, i64)>().prop_map(|(id, epoch)| FenceBrokerRecord { id, epoch }.into()),
        any::<(i32, i64)>().prop_map(|(id, epoch)| UnfenceBrokerRecord { id, epoch }.into()),
        any::<u128>().prop_map(|topic| RemoveTopicRecord { topic_id: id(topic) }.into()),
        (".{0,9}", any::<i16>()).prop_map(|(name, feature_level)| FeatureLevelRecord { name, feature_level }.into()),
        any::<(i32, i64, i64)>().prop_map(|(broker_id, broker_epoch, next_producer_id)| {
            ProducerIdsRecord { broker_id, broker_epoch, next_producer_id }.into()
        }),
        Just(NoOpRecord {}.into()),
        opt(".{0,9}").prop_map(|name| BeginTransactionRecord { name }.into()),
        Just(EndTransactionRecord {}.into()),
        opt(".{0,9}").prop_map(|reason| AbortTransactionRecord { reason }.into()),
        ".{0,9}".prop_map(|topic_name| ClearElrRecord { topic_name }.into()),
        (100..200u16, 0..9u16, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(key, version, body)| MetadataRecord::Unknown { key, version, body: Bytes::from(body) }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in record()) {
        prop_assert_eq!(MetadataRecord::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_cut_record_is_refused(record in record(), cut in any::<prop::sample::Index>()) {
        prop_assume!(!matches!(record, MetadataRecord::Unknown { .. }));
        let bytes = record.encode();
        prop_assert!(MetadataRecord::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn random_bytes_do_no_harm(
        key in 0..30u8,
        version in 0..5u8,
        body in prop::collection::vec(any::<u8>(), 0..200),
        framed in any::<bool>(),
    ) {
        let mut bytes = if framed { vec![1, key, version] } else { Vec::new() };
        bytes.extend(body);
        if let Ok(record) = MetadataRecord::decode(&bytes) {
            let mut image = Image::default();
            let _ = image.apply(0, 0, &record, &mut ImageDelta::default());
        }
    }

    #[test]
    fn a_refused_record_leaves_the_image_as_it_was(records in prop::collection::vec(record(), 1..20)) {
        let mut image = Image::default();
        let mut delta = ImageDelta::default();
        for (offset, record) in records.iter().enumerate() {
            let before = image.clone();
            if image.apply(offset as i64, 1, record, &mut delta).is_err() {
                prop_assert_eq!(&before, &image);
            } else {
                prop_assert_eq!(image.offset, offset as i64);
            }
        }
    }
}

/// Bytes written by Kafka 4.3's own classes.
#[test]
fn bytes_are_kafkas() {
    let topic = TopicRecord { name: "foo".into(), topic_id: id(7) };
    assert_eq!(
        MetadataRecord::from(topic).encode().as_ref(),
        [1, 2, 0, 4, b'f', b'o', b'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0]
    );
    let change = PartitionChangeRecord {
        partition_id: 3,
        topic_id: id(9),
        isr: Some(vec![1, 2]),
        leader: 2,
        ..PartitionChangeRecord::default()
    };
    let mut expected = vec![1, 5, 2, 0, 0, 0, 3];
    expected.extend(id(9).0);
    expected.extend([2, 0, 9, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 4, 0, 0, 0, 2]);
    assert_eq!(MetadataRecord::from(change).encode().as_ref(), expected);
}

#[test]
fn broken_frames_are_named() {
    let cases: [(&[u8], DecodeError); 7] = [
        (&[], DecodeError::Truncated(0)),
        (&[2, 2, 0], DecodeError::FrameVersion(2)),
        (&[1, 2, 9], DecodeError::UnsupportedVersion { key: 2, version: 9 }),
        (&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 1], DecodeError::VarintTooLong),
        (&[1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x07], DecodeError::BadLength(0x7fff_fffe)),
        (&[1, 2, 0, 0], DecodeError::UnexpectedNull),
        (&[1, 20, 0, 0, 5], DecodeError::Garbage(1)),
    ];
    for (bytes, error) in cases {
        assert_eq!(MetadataRecord::decode(bytes), Err(error), "{bytes:?}");
    }
    // A tag that nobody knows is passed over; one out of order is not.
    assert!(MetadataRecord::decode(&[1, 20, 0, 1, 77, 2, 0, 0]).is_ok());
    assert_eq!(MetadataRecord::decode(&[1, 20, 0, 2, 77, 0, 77, 0]), Err(DecodeError::TagOrder));
}

fn apply(image: &mut Image, record: impl Into<MetadataRecord>) -> Result<ImageDelta, ApplyError> {
    let mut delta = ImageDelta::default();
    image.apply(image.offset + 1, 1, &record.into(), &mut delta)?;
    Ok(delta)
}

fn topic_with_partition(image: &mut Image) -> Id {
    apply(image, TopicRecord { name: "t".into(), topic_id: id(5) }).unwrap();
    let partition = PartitionRecord {
        partition_id: 0,
        topic_id: id(5),
        replicas: vec![1, 2],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    };
    apply(image, partition).unwrap();
    id(5)
}

#[test]
fn a_change_of_leader_begins_a_leader_epoch_and_every_change_a_partition_epoch() {
    let mut image = Image::default();
    let topic_id = topic_with_partition(&mut image);
    let change = PartitionChangeRecord { partition_id: 0, topic_id, ..PartitionChangeRecord::default() };
    let delta = apply(&mut image, PartitionChangeRecord { isr: Some(vec![1]), ..change.clone() }).unwrap();
    assert_eq!(delta.partitions_changed, [TopicIdPartition { topic_id, partition: 0 }].into());
    let partition = image.partition("t", 0).unwrap();
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (0, 1));
    apply(&mut image, PartitionChangeRecord { leader: 1, ..change }).unwrap();
    let partition = image.partition("t", 0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (1, 1, 2));
}

#[test]
fn a_deleted_topic_takes_its_configs_along() {
    let mut image = Image::default();
    let topic_id = topic_with_partition(&mut image);
    let config = ConfigRecord {
        resource_type: 2,
        resource_name: "t".into(),
        name: "retention.ms".into(),
        value: Some("1".into()),
    };
    apply(&mut image, config).unwrap();
    let delta = apply(&mut image, RemoveTopicRecord { topic_id }).unwrap();
    assert_eq!(delta.topics_deleted.keys().collect::<Vec<_>>(), [&topic_id]);
    assert!(image.topics.is_empty() && image.topic_ids.is_empty() && image.configs.is_empty());
}

#[test]
fn a_topic_created_and_deleted_within_one_delta_was_never_there() {
    let mut image = Image::default();
    let mut delta = ImageDelta::default();
    let records: [MetadataRecord; 2] =
        [TopicRecord { name: "t".into(), topic_id: id(5) }.into(), RemoveTopicRecord { topic_id: id(5) }.into()];
    for record in records {
        image.apply(image.offset + 1, 1, &record, &mut delta).unwrap();
    }
    assert!(delta.is_empty());
}

#[test]
fn records_of_another_broker_epoch_are_refused() {
    let mut image = Image::default();
    apply(&mut image, RegisterBrokerRecord { broker_id: 1, broker_epoch: 10, ..RegisterBrokerRecord::default() })
        .unwrap();
    let change = BrokerRegistrationChangeRecord { broker_id: 1, broker_epoch: 9, fenced: -1, ..Default::default() };
    assert!(matches!(apply(&mut image, change.clone()), Err(ApplyError::BrokerEpoch { epoch: 10, given: 9, .. })));
    apply(&mut image, BrokerRegistrationChangeRecord { broker_epoch: 10, ..change }).unwrap();
    assert!(!image.brokers[&1].fenced);
    assert!(matches!(apply(&mut image, FenceBrokerRecord { id: 2, epoch: 1 }), Err(ApplyError::UnknownBroker { .. })));
}

#[test]
fn partitions_leave_no_gap() {
    let mut image = Image::default();
    let topic_id = topic_with_partition(&mut image);
    let record = PartitionRecord { partition_id: 2, topic_id, ..PartitionRecord::default() };
    assert!(matches!(apply(&mut image, record), Err(ApplyError::BadPartition { partition: 2, .. })));
}
