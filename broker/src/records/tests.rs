//! Batches as a whole: what is built is read alike, what is hostile is refused.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

type Header = (Vec<u8>, Option<Vec<u8>>);
type Content = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

fn content() -> impl Strategy<Value = Vec<Content>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let header = (bytes(), prop::option::of(bytes()));
    let record =
        (0..1i64 << 45, prop::option::of(bytes()), prop::option::of(bytes()), prop::collection::vec(header, 0..3));
    prop::collection::vec(record, 1..20)
}

fn build(base_offset: i64, compression: Compression, content: &[Content]) -> bytes::BytesMut {
    let mut builder = BatchBuilder::new(base_offset, compression).leader_epoch(3).producer(7, 1, 5);
    for (timestamp, key, value, headers) in content {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        builder.push(*timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build_mut()
}

fn compression() -> impl Strategy<Value = Compression> {
    prop::sample::select(&Compression::ALL[..])
}

/// Reads everything that can be read; must not panic.
fn read_all(bytes: &[u8]) {
    let _ = BatchHeader::parse(bytes);
    let _ = validate(bytes);
    for batch in batches(bytes) {
        let Ok((header, batch)) = batch else { continue };
        let _ = (header.last_offset(), header.last_sequence(), header.compression());
        let Ok(records) = records(batch, LIMIT) else { continue };
        for record in records.flatten() {
            assert_eq!(record.headers.iter().count(), record.headers.len());
            let _ = control::control_type(&record.key.unwrap_or_default());
            let value = record.value.unwrap_or_default();
            let _ = (control::LeaderChange::decode(&value), control::decode_voters(&value));
        }
    }
}

/// One record (offset 42, key "k", value "v", header h = null, epoch 5), as kafka-clients 4.3 writes it with each codec.
const KAFKAS: [&str; 5] = [
    "000000000000002a0000003d0000000502ecc46c110000000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     0116000000026b027602026801",
    "000000000000002a0000005100000005022f96087e0001000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     011f8b08000000000000ff1363606060ca662a6362ca600400a9e8901b0c000000",
    "000000000000002a000000530000000502f34bd7020002000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     0182534e415050590000000001000000010000000e0c2c16000000026b027602026801",
    "000000000000002a0000004c0000000502268929a30003000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     0104224d186040820c00008016000000026b02760202680100000000",
    "000000000000002a00000049000000050234e30e130004000000000000018bcfe568000000018bcfe56800ffffffffffffffffffffffffffff000000\
     0128b52ffd005860000016000000026b027602026801010000",
];

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn batches_as_kafka_writes_them() {
    let mut builder = BatchBuilder::new(42, Compression::None).leader_epoch(5);
    builder.push(1_700_000_000_000, Some(b"k"), Some(b"v"), &[(b"h", None)]);
    assert_eq!(builder.build(), unhex(KAFKAS[0]));
    for (hex, compression) in KAFKAS.iter().zip(Compression::ALL) {
        let batch = unhex(hex);
        let header = validate(&batch).unwrap();
        assert_eq!((header.compression(), header.partition_leader_epoch), (Ok(compression), 5));
        let read: Vec<Record> = records(&batch, LIMIT).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].offset, read[0].timestamp_ms), (42, 1_700_000_000_000));
        assert_eq!((read[0].key.as_deref(), read[0].value.as_deref()), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert_eq!(read[0].headers.iter().collect::<Vec<_>>(), [(Bytes::from("h"), None)]);
    }
}

#[test]
fn control_records_as_kafka_writes_them() {
    use control::*;
    let mut marker =
        BatchBuilder::new(7, Compression::None).leader_epoch(5).producer(9, 2, -1).control(true).transactional(true);
    marker.push(1_700_000_000_000, Some(&control_key(ControlType::Abort)), Some(&encode_end_txn_marker(3)), &[]);
    let expected = "0000000000000007000000420000000502b6eaa0560030000000000000018bcfe568000000018bcfe5680000000000000000090002ffffffff\
                    000000012000000008000000000c00000000000300";
    assert_eq!(marker.build(), unhex(expected));
    let mut directory = [0; 16];
    (directory[7], directory[15]) = (1, 2);
    let directory_id = crate::types::Id(directory);
    let two = Voter { id: 2, directory_id: crate::types::Id::ZERO };
    let voters = vec![Voter { id: 1, directory_id }, two];
    let change = LeaderChange { version: 1, leader_id: 2, voters, granting_voters: vec![two] };
    let expected = "0001000000020300000001000000000000000100000000000000020000000002000000000000000000000000000000000002\
                    00000002000000000000000000000000000000000000";
    assert_eq!(change.encode(), unhex(expected));
    let endpoints = vec![VoterEndpoint { name: "C".into(), host: "h".into(), port: 65535 }];
    let voter = VoterDescription { id: 3000, directory_id, endpoints, min_kraft_version: 0, max_kraft_version: 1 };
    let expected = "00000200000bb8000000000000000100000000000000020202430268ffff0000000001000000";
    assert_eq!(encode_voters(&[voter]), unhex(expected));
    assert_eq!(encode_snapshot_header(-5), unhex("0000fffffffffffffffb00"));
    assert_eq!(encode_snapshot_footer(), unhex("000000"));
    assert_eq!(encode_kraft_version(1), unhex("0000000100"));
}

#[test]
fn empty_and_odd_values_survive() {
    let mut builder = BatchBuilder::new(0, Compression::None);
    builder.push(-1, None, None, &[]);
    builder.push(-1, Some(b""), Some(b""), &[(b"", Some(b"")), (b"", None)]);
    let batch = builder.build();
    let header = validate(&batch).unwrap();
    assert_eq!((header.max_timestamp, header.record_count, header.last_offset()), (-1, 2, 1));
    let read: Vec<Record> = records(&batch, 0).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!((&read[0].key, &read[0].value), (&None, &None));
    assert_eq!((&read[1].key, &read[1].value), (&Some(Bytes::new()), &Some(Bytes::new())));
    let headers: Vec<_> = read[1].headers.iter().collect();
    assert_eq!(headers, [(Bytes::new(), Some(Bytes::new())), (Bytes::new(), None)]);
}

#[test]
fn bombs_are_capped() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let packed = compress(compression, &vec![0; 8 << 20]);
        let refused = decompress(compression, &packed, LIMIT);
        assert_eq!(refused, Err(BatchError::TooLarge { limit_bytes: LIMIT }), "{}", compression.name());
        assert_eq!(
            decompress(compression, &packed, 8 << 20).map(|bytes| bytes.len()),
            Ok(8 << 20),
            "{}",
            compression.name()
        );
    }
    // A snappy block that promises a gigabyte in a few bytes.
    assert!(decompress(Compression::Snappy, &[0x80, 0x80, 0x80, 0x80, 0x04, 0], usize::MAX).is_err());
}

#[test]
fn raw_snappy_is_read_too() {
    let packed = snap::raw::Encoder::new().compress_vec(b"some bytes, some bytes").unwrap();
    assert_eq!(decompress(Compression::Snappy, &packed, 100).unwrap(), b"some bytes, some bytes");
}

#[test]
fn counts_are_distrusted() {
    let mut builder = BatchBuilder::new(0, Compression::None);
    builder.push(0, None, None, &[]);
    let mut batch = builder.build_mut();
    batch[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(validate(&batch), Err(BatchError::Invalid(_))));
    let read: Vec<_> = records(&batch, LIMIT).unwrap().collect();
    assert_eq!(read.len(), 2, "the one record, and the error after it");
    assert!(read[1].is_err());
}

#[test]
fn control_records_survive() {
    use control::*;
    for (control_type_, id) in [(ControlType::Abort, 0), (ControlType::LeaderChange, 2), (ControlType::KRaftVoters, 6)]
    {
        assert_eq!(control_key(control_type_), [0, 0, 0, id]);
        assert_eq!(control_type(&control_key(control_type_)), Ok(Some(control_type_)));
    }
    assert_eq!(control_type(&[0, 0, 0, 99]), Ok(None));
    assert!(control_type(&[0, 0, 0]).is_err());
    assert_eq!(decode_end_txn_marker(&encode_end_txn_marker(77)), Ok(77));
    assert_eq!(decode_snapshot_header(&encode_snapshot_header(-5)), Ok(-5));
    assert_eq!(decode_kraft_version(&encode_kraft_version(1)), Ok(1));
    for version in 0..2 {
        let id = |byte| if version == 1 { crate::types::Id([byte; 16]) } else { crate::types::Id::ZERO };
        let voters = vec![Voter { id: 1, directory_id: id(9) }, Voter { id: 2, directory_id: id(8) }];
        let change = LeaderChange { version, leader_id: 2, granting_voters: voters[..1].to_vec(), voters };
        assert_eq!(LeaderChange::decode(&change.encode()), Ok(change));
    }
    let voter = VoterDescription {
        id: 3000,
        directory_id: crate::types::Id([1; 16]),
        endpoints: vec![VoterEndpoint { name: "CONTROLLER".into(), host: "localhost".into(), port: 65535 }],
        min_kraft_version: 0,
        max_kraft_version: 1,
    };
    assert_eq!(decode_voters(&encode_voters(std::slice::from_ref(&voter))), Ok(vec![voter]));
}

proptest! {
    #[test]
    fn what_is_built_is_read(content in content(), compression in compression(), base_offset in 0..1i64 << 60) {
        let batch = build(base_offset, compression, &content);
        let header = validate(&batch).unwrap();
        prop_assert_eq!(header.base_offset, base_offset);
        prop_assert_eq!(header.compression(), Ok(compression));
        prop_assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 1, 5));
        prop_assert_eq!(header.last_sequence(), 5 + content.len() as i32 - 1);
        prop_assert_eq!(Some(header.max_timestamp), content.iter().map(|record| record.0).max());
        let read: Vec<Record> = records(&batch, LIMIT).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read.len(), content.len());
        for (index, (record, (timestamp, key, value, headers))) in read.iter().zip(&content).enumerate() {
            prop_assert_eq!(record.offset, base_offset + index as i64);
            prop_assert_eq!(record.timestamp_ms, *timestamp);
            prop_assert_eq!(record.key.as_deref(), key.as_deref());
            prop_assert_eq!(record.value.as_deref(), value.as_deref());
            let found: Vec<Header> = record.headers.iter().map(|(key, value)| (key.to_vec(), value.map(|value| value.to_vec()))).collect();
            prop_assert_eq!(&found, headers);
        }
    }

    #[test]
    fn patches_keep_a_batch_sound(content in content(), compression in compression(), offset in 0..1i64 << 60, epoch: i32, time in 0..i64::MAX) {
        let mut batch = build(0, compression, &content);
        set_base_offset(&mut batch, offset);
        set_leader_epoch(&mut batch, epoch);
        let header = validate(&batch).unwrap();
        prop_assert_eq!((header.base_offset, header.partition_leader_epoch), (offset, epoch));
        set_log_append_time(&mut batch, time);
        let header = validate(&batch).unwrap();
        prop_assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::LogAppendTime, time));
        prop_assert_eq!(header.compression(), Ok(compression));
        for record in records(&batch, LIMIT).unwrap() {
            prop_assert_eq!(record.unwrap().timestamp_ms, time);
        }
    }

    #[test]
    fn batches_are_told_apart(lists in prop::collection::vec(content(), 1..4), cut: prop::sample::Index) {
        let built: Vec<_> = lists.iter().map(|content| build(0, Compression::None, content)).collect();
        let all = built.concat();
        let found: Vec<_> = batches(&all).map(|batch| batch.unwrap().1.to_vec()).collect();
        prop_assert_eq!(&found, &built);
        let torn = &all[..cut.index(all.len())];
        let whole = batches(torn).filter(Result::is_ok).count();
        let expected = built.iter().scan(0, |sum, batch| { *sum += batch.len(); Some(*sum) }).filter(|end| *end <= torn.len()).count();
        prop_assert_eq!(whole, expected);
        prop_assert!(batches(torn).count() <= expected + 1);
    }

    #[test]
    fn any_flipped_bit_is_seen(content in content(), compression in compression(), at: prop::sample::Index, bit in 0..8u8) {
        let batch = build(0, compression, &content);
        let mut damaged = batch.clone();
        let at = at.index(batch.len());
        damaged[at] ^= 1 << bit;
        // Base offset and leader epoch stand outside of the checksum: the log itself writes them.
        if !(0..8).contains(&at) && !(12..16).contains(&at) {
            prop_assert!(validate(&damaged).is_err());
        }
        read_all(&damaged);
    }

    #[test]
    fn hostile_bytes_do_no_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..300), like_a_batch: bool, codec in 0..8u8) {
        if like_a_batch && bytes.len() > HEADER_BYTES {
            let length = (bytes.len() - LENGTH_PREFIX_BYTES) as i32;
            bytes[0] &= 0x7f;
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[16] = 2;
            bytes[22] = codec;
            bytes[23] &= 0x7f;
            bytes[57..60].fill(0);
        }
        read_all(&bytes);
        for compression in Compression::ALL {
            let out = decompress(compression, &bytes, 4096);
            prop_assert!(out.map_or(0, |out| out.len()) <= 4096);
        }
    }
}
