//! Golden bytes: written by Apache Kafka 4.3's own `GroupCoordinatorRecordHelpers` and `GroupCoordinatorRecordSerde`.

use proptest::prelude::*;

use super::super::consumer::{Assignment, MemberState};
use super::super::record::*;
use super::super::share::{Current, MemberMetadata, ShareRecord, StatePartitions, TopicState};
use super::*;
use crate::types::java_hash;

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().map(|c| (c as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const OFFSET_KEY: &str = "0001000367727000066f726465727300000003";
const GROUP_KEY: &str = "00020003677270";

fn an_offset() -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset: 42,
        leader_epoch: 7,
        metadata: "méta".into(),
        commit_timestamp_ms: 1_700_000_000_000,
        expire_timestamp_ms: None,
        topic_id: Id::ZERO,
    }
}

fn a_group() -> GroupRecord {
    GroupRecord {
        protocol_type: "consumer".into(),
        generation: 5,
        protocol: Some("range".into()),
        leader: Some("m-1".into()),
        state_timestamp_ms: 1_700_000_000_000,
        members: vec![MemberRecord {
            member_id: "m-1".into(),
            instance_id: Some("i1".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            subscription: Bytes::from_static(&[1, 2]),
            assignment: Bytes::from_static(&[3]),
        }],
    }
}

#[test]
fn offsets_are_written_as_kafka_writes_them() {
    let with_id = OffsetAndMetadata {
        leader_epoch: -1,
        metadata: String::new(),
        topic_id: Id((1u128 << 64 | 2).to_be_bytes()),
        ..an_offset()
    };
    let with_retention =
        OffsetAndMetadata { metadata: "m".into(), expire_timestamp_ms: Some(1_700_000_009_000), ..an_offset() };
    let table = [
        (an_offset(), "0004000000000000002a00000007066dc3a974610000018bcfe5680000"),
        (with_id, "0004000000000000002affffffff010000018bcfe5680001001000000000000000010000000000000002"),
        (with_retention.clone(), "0001000000000000002a00016d0000018bcfe568000000018bcfe58b28"),
    ];
    for (offset, bytes) in table {
        let record = encode_offset("grp", "orders", 3, Some(&offset)).unwrap();
        assert_eq!((record.key.clone(), record.value.clone()), (hex(OFFSET_KEY), Some(hex(bytes))));
        // Version 1 has no room for the leader epoch.
        let leader_epoch = if offset.expire_timestamp_ms.is_some() { -1 } else { offset.leader_epoch };
        let value = Some(OffsetAndMetadata { leader_epoch, ..offset });
        let read = decode(&record.key, record.value.as_deref()).unwrap();
        assert_eq!(read, Decoded::Offset { group: "grp".into(), topic: "orders".into(), partition: 3, value });
    }
    assert_eq!(encode_offset("grp", "orders", 3, None).unwrap(), OffsetsRecord { key: hex(OFFSET_KEY), value: None });
}

#[test]
fn groups_are_written_as_kafka_writes_them() {
    let version_3 = "00030008636f6e73756d657200000005000572616e676500036d2d310000018bcfe568000000000100036d2d3100026931000163\
                     000a2f3132372e302e302e310000ea60000027100000000201020000000103";
    let version_4 = "000409636f6e73756d6572000000050672616e6765046d2d310000018bcfe5680002046d2d3103693102630b2f3132372e302e30\
                     2e310000ea600000271003010202030000";
    let record = encode_group("grp", Some(&a_group())).unwrap();
    assert_eq!(record, OffsetsRecord { key: hex(GROUP_KEY), value: Some(hex(version_3)) });
    for bytes in [version_3, version_4] {
        let read = decode(&hex(GROUP_KEY), Some(&hex(bytes))).unwrap();
        assert_eq!(read, Decoded::Group { group: "grp".into(), value: Some(a_group()) });
    }
    assert_eq!(encode_group("grp", None).unwrap(), OffsetsRecord { key: hex(GROUP_KEY), value: None });
}

/// Records of share groups: key and value, or `-`.
const SHARE_RECORDS: &str = "\
000a000367727000036d2d31 00000272046170700b2f3132372e302e302e31030274027500
000a000367727000036d2d31 000000046170700b2f3132372e302e302e310100
000a000367727000036d2d31 -
000b0003677270 000000000007fedcba987654321000
000b0003677270 -
000c0003677270 0000000000070100080000018bcfe56800
000c0003677270 00000000000700
000c0003677270 -
000d000367727000036d2d31 \
000003000000000000000100000000000000020400000000000000020000012c000000000000000003000000000000000402000000010000
000d000367727000036d2d31 -
000e000367727000036d2d31 \
000000000005000000040003000000000000000100000000000000020400000000000000020000012c0000000000000000030000000000000004\
02000000010000
000e000367727000036d2d31 -
000f0003677270 \
00000200000000000000010000000000000002027403000000000000000100020000000000000003000000000000000402750200000003000200\
00000000000005000000000000000602760000
000f0003677270 -";

fn share_records() -> Vec<ShareRecord> {
    let id = |high: u128, low: u128| Id((high << 64 | low).to_be_bytes());
    let member = |rack: Option<&str>, topics: &[&str]| {
        Box::new(MemberMetadata {
            rack_id: rack.map(str::to_owned),
            client_id: "app".into(),
            client_host: "/127.0.0.1".into(),
            topics: topics.iter().map(|topic| (*topic).into()).collect(),
        })
    };
    let assigned: Assignment = [(id(1, 2), [0, 2, 300].into()), (id(3, 4), [1].into())].into();
    let current = Current { epoch: 5, previous_epoch: 4, state: MemberState::Stable, assigned: assigned.clone() };
    let topic = |name: &str, partitions: &[i32]| TopicState {
        name: name.into(),
        partitions: partitions.iter().copied().collect(),
    };
    let state = StatePartitions {
        initializing: [(id(1, 2), topic("t", &[0, 1]))].into(),
        initialized: [(id(3, 4), topic("u", &[3]))].into(),
        deleting: [(id(5, 6), "v".into())].into(),
    };
    vec![
        ShareRecord::Member("m-1".into(), Some(member(Some("r"), &["u", "t"]))),
        ShareRecord::Member("m-1".into(), Some(member(None, &[]))),
        ShareRecord::Member("m-1".into(), None),
        ShareRecord::Group(Some((7, 0xfedc_ba98_7654_3210))),
        ShareRecord::Group(None),
        ShareRecord::TargetEpoch(Some((7, 1_700_000_000_000))),
        ShareRecord::TargetEpoch(Some((7, 0))),
        ShareRecord::TargetEpoch(None),
        ShareRecord::TargetMember("m-1".into(), Some(Arc::new(assigned))),
        ShareRecord::TargetMember("m-1".into(), None),
        ShareRecord::Current("m-1".into(), Some(Box::new(current))),
        ShareRecord::Current("m-1".into(), None),
        ShareRecord::State(Some(Arc::new(state))),
        ShareRecord::State(None),
    ]
}

#[test]
fn share_groups_are_written_as_kafka_writes_them() {
    let lines: Vec<(&str, &str)> = SHARE_RECORDS.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert_eq!(lines.len(), share_records().len());
    for (record, (key, value)) in share_records().into_iter().zip(lines) {
        let value = (value != "-").then(|| hex(value));
        let written = record.encode("grp").unwrap();
        assert_eq!(written, OffsetsRecord { key: hex(key), value: value.clone() }, "{record:?}");
        let read = decode(&hex(key), value.as_deref()).unwrap();
        assert_eq!(read, Decoded::Share { group: "grp".into(), record });
    }
}

#[test]
fn what_is_not_ours_or_broken_is_told_apart() {
    assert_eq!(decode(&[0, 99, 0, 1, b'g'], Some(&[0, 0])).unwrap(), Decoded::Other(99));
    assert_eq!(decode(&[0, 3, 0, 1, b'g'], Some(&[0, 0])), Err(RecordError::Malformed));
    assert_eq!(decode(&[0, 3, 0, 1, b'g'], Some(&[0, 1])), Err(RecordError::UnknownVersion(1)));
    assert_eq!(decode(&hex(GROUP_KEY), Some(&[0, 9])), Err(RecordError::UnknownVersion(9)));
    assert_eq!(decode(&hex(OFFSET_KEY), Some(&[0])), Err(RecordError::Malformed));
    assert_eq!(decode(&[0, 2, 0, 9, b'g'], None), Err(RecordError::Malformed));
    let long = "x".repeat(40_000);
    assert_eq!(encode_group(&long, None), Err(RecordError::TooLong(40_000)));
}

#[test]
fn groups_lie_in_the_partitions_where_kafka_looks_for_them() {
    let groups = GroupCoordinator::new(GroupConfig::default(), 1);
    let table = [
        ("grp", 102_629, 29),
        ("", 0, 0),
        ("console-consumer-1234", 836_395_459, 9),
        ("日本語", 25_921_943, 43),
        ("polygenelubricants", i32::MIN, 0),
    ];
    for (id, hash, partition) in table {
        assert_eq!((java_hash(id), groups.partition_for(id)), (hash, partition), "{id}");
    }
}

proptest! {
    #[test]
    fn decoding_survives_any_bytes(
        kind in 0i16..18,
        version in 0i16..6,
        key in proptest::collection::vec(any::<u8>(), 0..60),
        value in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let key = [&kind.to_be_bytes()[..], &key].concat();
        let value = [&version.to_be_bytes()[..], &value].concat();
        let _ = decode(&key, Some(&value));
        let mut bench = Bench::new();
        bench.groups.begin_load(bench.now, 0);
        let _ = bench.groups.load_record(bench.now, 0, &key, Some(&value), version % 2 == 0);
        bench.groups.finish_load(bench.now, 0);
    }

    #[test]
    fn a_cut_or_bent_record_is_no_panic(at in 0usize..150, with in any::<u8>(), cut in 0usize..150) {
        let record = encode_group("grp", Some(&a_group())).unwrap();
        let mut value = record.value.unwrap().to_vec();
        if let Some(byte) = value.get_mut(at) {
            *byte = with;
        }
        value.truncate(value.len().saturating_sub(cut));
        let mut bench = Bench::new();
        bench.groups.begin_load(bench.now, 29);
        let _ = bench.groups.load_record(bench.now, 29, &record.key, Some(&value), cut % 2 == 0);
        bench.groups.finish_load(bench.now, 29);
        bench.pump();
        bench.pass(120_000);
    }
}
