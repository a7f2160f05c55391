//! Decoders against bytes of other programs, against nonsense, and against what is long or deep.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn auto_codecs() -> Codecs {
    Codecs::open(&Decoders::default()).unwrap()
}

fn shown(decoded: &Decoded) -> (String, String) {
    let body = match &decoded.body {
        Body::Tree(tree) => tree.line(usize::MAX),
        Body::Text(text) => text.clone(),
        Body::Bytes(bytes) => format!("{bytes:02x?}"),
    };
    (decoded.kind.clone(), body)
}

fn value(bytes: &[u8]) -> (String, String) {
    shown(&auto_codecs().read("t", None, Some(bytes)).1.unwrap())
}

fn with(decoder: Decoder, bytes: &[u8]) -> Decoded {
    let codecs = Codecs::open(&Decoders { value: decoder, ..Decoders::default() }).unwrap();
    codecs.read("t", None, Some(bytes)).1.unwrap()
}

#[test]
fn bytes_are_what_they_seem_to_be() {
    for (bytes, kind, body) in [
        (
            &br#" {"b":1.0, "a":[true,{},null],"c":"x\n"}"#[..],
            "JSON",
            r#"{"b": 1.0, "a": [true, {}, null], "c": "x\n"}"#,
        ),
        (b"[]", "JSON", "[]"),
        (b"plain", "text", "plain"),
        (b"17", "text", "17"),
        (b"{broken", "text", "{broken"),
        (b"[1,]", "text", "[1,]"),
        (b"[01]", "text", "[01]"),
        (b"{\"a\":1}x", "text", "{\"a\":1}x"),
        ("Köln".as_bytes(), "text", "Köln"),
        (b"", "text", ""),
        (b"\xff\x00A", "bytes", "[ff, 00, 41]"),
        // {"a": 1, "b": [2.5, nil, bytes]}
        (
            b"\x82\xa1a\x01\xa1b\x93\xcb\x40\x04\0\0\0\0\0\0\xc0\xc4\x01\xff",
            "MessagePack",
            r#"{"a": 1, "b": [2.5, null, "0xff"]}"#,
        ),
        // {"a": 1, "b": [_ 2.5, null]}
        (b"\xa2\x61a\x01\x61b\x9f\xfb\x40\x04\0\0\0\0\0\0\xf6\xff", "CBOR", r#"{"a": 1, "b": [2.5, null]}"#),
        (b"\0\0\0\0\x07{\"a\":1}", "JSON, schema id 7", r#"{"a": 1}"#),
    ] {
        assert_eq!(value(bytes), (kind.to_owned(), body.to_owned()));
    }
    let note = auto_codecs().read("t", None, Some(b"\0\0\0\0\x07\x02\x04")).1.unwrap().note.unwrap();
    assert!(note.contains("schema id 7"), "{note}");
}

#[test]
fn what_is_wished_counts_and_what_does_not_fit_is_told() {
    assert_eq!(shown(&with(Decoder::Text, b"\xffA")), ("text".into(), "\u{fffd}A".into()));
    assert_eq!(shown(&with(Decoder::Hex, b"A")), ("bytes".into(), "[41]".into()));
    assert_eq!(shown(&with(Decoder::Json, b"17")), ("JSON".into(), "17".into()));
    let wrong = with(Decoder::Cbor, b"plain words");
    assert_eq!(shown(&wrong), ("text".into(), "plain words".into()));
    assert!(wrong.note.unwrap().starts_with("It is no CBOR: "));
    let wrong = with(Decoder::MessagePack, b"\x92\x01");
    assert_eq!(wrong.note.as_deref(), Some("It is no MessagePack: it ends too early (byte 2)."));
    // The largest and the smallest numbers, and a time.
    let pack = b"\x94\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xd3\x80\0\0\0\0\0\0\0\xe0\xd6\xff\0\0\0\x01";
    let told = shown(&with(Decoder::MessagePack, pack)).1;
    assert_eq!(told, r#"[18446744073709551615, -9223372036854775808, -32, "1970-01-01T00:00:01Z"]"#);
}

const ORDER_AVSC: &str = r#"{
  "type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "customer", "type": ["null", {"type": "record", "name": "Customer", "fields": [{"name": "name", "type": "string"}]}]},
    {"name": "lines", "type": {"type": "array", "items": "double"}},
    {"name": "tags", "type": {"type": "map", "values": "boolean"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
    {"name": "next", "type": ["null", "Order"]}
  ]}"#;

fn order() -> Vec<u8> {
    let mut bytes = vec![0x54, 0x00, 0x02, 0x06];
    bytes.extend(b"Eva");
    // One block of one double, and an end; the map's block tells its bytes.
    bytes.extend([0x02]);
    bytes.extend(2.5_f64.to_le_bytes());
    bytes.extend([0x00, 0x01, 0x06, 0x02, b'x', 0x01, 0x00, 0x02, 0x04, 0xfb, 0x2e, 0x00]);
    bytes
}

#[test]
fn avro_by_a_schema_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order.avsc");
    std::fs::write(&path, ORDER_AVSC).unwrap();
    let plain = with(Decoder::Avro(path.clone()), &order());
    let told = r#"{"id": 42, "at": "1970-01-01T00:00:00Z", "customer": {"name": "Eva"}, "lines": [2.5], "tags": {"x": true}, "state": "PAID", "price": -12.34, "next": null}"#;
    assert_eq!(shown(&plain), ("Avro".into(), told.into()));
    let framed = [&b"\0\0\0\x01\x02"[..], &order()].concat();
    assert_eq!(shown(&with(Decoder::Avro(path.clone()), &framed)), ("Avro, schema id 258".into(), told.into()));
    let short = with(Decoder::Avro(path.clone()), &order()[..10]);
    assert_eq!(short.note.as_deref(), Some("It is no Avro: it ends too early (byte 8)."));
    // A list that goes on and on.
    let mut deep = Vec::new();
    for _ in 0..100_000 {
        deep.extend([0x54, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02]);
    }
    assert!(with(Decoder::Avro(path), &deep).note.unwrap().contains("nested too deeply"));
    for (schema, told) in [
        ("{", "The schema is no JSON"),
        (r#"{"type":"record","name":"R","fields":[{"name":"a","type":"Other"}]}"#, "speaks of Other"),
        (r#"{"type":"record","fields":[]}"#, "has no name"),
        ("7", "where a type should be"),
    ] {
        let refused = Avro::parse(schema).unwrap_err();
        assert!(refused.contains(told), "{refused}");
    }
    let missing = Codecs::open(&Decoders { key: Decoder::Avro("/nowhere.avsc".into()), ..Decoders::default() });
    assert!(missing.unwrap_err().starts_with("/nowhere.avsc could not be read"));
}

#[test]
fn a_union_of_itself_ends() {
    let schema = Avro::parse(r#"["null", {"type":"array","items":"null"}]"#).unwrap();
    // 2^60 times nothing.
    let bytes = [0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    assert!(schema.read(&bytes, 1_000).unwrap().is_cut);
    let itself = Avro::parse(r#"{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}"#).unwrap();
    assert!(itself.read(&[], 1_000_000).is_err());
}

const ORDER_PROTO: &str = r#"syntax = "proto3";
package shop;
import "customer.proto";
message Order {
  enum State { NEW = 0; PAID = 1; }
  message Line { string sku = 1; }
  int64 id = 1;
  Customer customer = 2;
  repeated Line lines = 3;
  map<string, int32> counts = 4;
  State state = 5;
}
message Other { string word = 1; }
"#;

#[test]
fn protobuf_by_a_schema_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order.proto");
    std::fs::write(&path, ORDER_PROTO).unwrap();
    std::fs::write(
        dir.path().join("customer.proto"),
        "syntax = \"proto3\"; package shop; message Customer { string name = 1; }",
    )
    .unwrap();
    let order =
        b"\x08\x2a\x12\x05\x0a\x03Eva\x1a\x03\x0a\x01a\x1a\x03\x0a\x01b\x22\x05\x0a\x01x\x10\x03\x28\x01\x38\x05";
    let told = r#"{"id": 42, "customer": {"name": "Eva"}, "lines": [{"sku": "a"}, {"sku": "b"}], "counts": {"x": 3}, "state": "PAID", "field 7": "not in the schema"}"#;
    let by = |message: &str| Decoder::Protobuf(path.clone(), message.into());
    assert_eq!(shown(&with(by(""), order)), ("Protobuf Order".into(), told.into()));
    let framed = [&b"\0\0\0\0\x09\x00"[..], order].concat();
    assert_eq!(shown(&with(by(""), &framed)), ("Protobuf Order, schema id 9".into(), told.into()));
    // The second message of the file, and the first one in the first.
    assert_eq!(shown(&with(by(""), b"\0\0\0\0\x09\x02\x02\x0a\x01w")).1, r#"{"word": "w"}"#);
    assert_eq!(shown(&with(by(""), b"\0\0\0\0\x09\x04\x00\x00\x0a\x01s")).1, r#"{"sku": "s"}"#);
    assert_eq!(shown(&with(by("Order.Line"), b"\x0a\x01s")), ("Protobuf Line".into(), r#"{"sku": "s"}"#.into()));
    assert!(with(by(""), b"\x08").note.unwrap().starts_with("It is no Protobuf"));
    let open = |message: &str| Codecs::open(&Decoders { value: by(message), ..Decoders::default() });
    let refused = open("Nothing").unwrap_err();
    assert!(
        refused.ends_with("has no message Nothing; it has shop.Order, shop.Order.Line, shop.Other, shop.Customer."),
        "{refused}"
    );
    std::fs::write(&path, "message {").unwrap();
    assert!(open("").unwrap_err().contains("is not understood"));
}

#[test]
fn kafkas_own_records() {
    use broker::group::record::{OffsetAndMetadata, encode_offset};
    let committed = OffsetAndMetadata {
        offset: 7,
        leader_epoch: 2,
        metadata: "m".into(),
        commit_timestamp_ms: 1_790_000_000_000,
        expire_timestamp_ms: None,
        topic_id: broker::types::Id::ZERO,
    };
    let record = encode_offset("billing", "orders", 3, Some(&committed)).unwrap();
    let (key, value) = auto_codecs().read("__consumer_offsets", Some(&record.key), record.value.as_deref());
    let told = r#"{"record": "offset commit", "group": "billing", "topic": "orders", "partition": 3}"#;
    assert_eq!(shown(&key.unwrap()), ("Kafka's group record".into(), told.into()));
    let told = r#"{"offset": 7, "leader epoch": 2, "metadata": "m", "committed at": "2026-09-21T14:13:20Z"}"#;
    assert_eq!(shown(&value.unwrap()).1, told);
    let (key, value) = auto_codecs().read("__consumer_offsets", Some(&record.key), None);
    assert!(key.is_some() && value.is_none());
    let lines = auto_codecs().lines("__consumer_offsets", Some(&record.key), record.value.as_deref());
    assert!(lines.0.unwrap().contains("billing") && lines.1.unwrap().contains("\"offset\": 7"));

    use broker::transaction::metadata::TransactionMetadata;
    let txn = TransactionMetadata::new(5, 60_000, 1_000).current;
    let key = broker::transaction::record::encode_key("pay").unwrap();
    let value = broker::transaction::record::encode_value(&txn, 2).unwrap();
    let (key, value) = auto_codecs().read("__transaction_state", Some(&key), Some(&value));
    assert!(shown(&key.unwrap()).1.contains(r#""transactional id": "pay""#));
    assert!(shown(&value.unwrap()).1.starts_with(r#"{"state": "Empty", "producer id": 5"#));
    // In another topic the same bytes are only bytes.
    assert_eq!(shown(&auto_codecs().read("t", Some(&record.key), None).0.unwrap()).0, "bytes");
}

#[test]
fn a_tree_can_be_looked_into_by_paths() {
    let text = br#"{"a": {"b": [1, -2.5, "x", null, true, 18446744073709551615]}, "c": {}}"#;
    let tree = json::read(text, NODES_MAX).unwrap();
    assert_eq!(tree.to_json(), json!({"a": {"b": [1, -2.5, "x", null, true, u64::MAX]}, "c": {}}));
    let again: serde_json::Value = serde_json::from_str(&tree.pretty(usize::MAX)).unwrap();
    assert_eq!(again, tree.to_json());
    assert_eq!(tree.pretty(usize::MAX).lines().count(), 13);
}

#[test]
fn what_is_long_or_deep_is_cut_and_does_not_take_long() {
    let begun = Instant::now();
    // Twenty megabytes of objects.
    let long = format!("[{}]", vec![r#"{"id": 1234567, "name": "somebody", "tags": ["a", "b"]}"#; 400_000].join(","));
    assert!(long.len() > 20_000_000);
    let (_, decoded) = auto_codecs().read("t", None, Some(long.as_bytes()));
    let Some(Decoded { body: Body::Tree(tree), .. }) = decoded else { panic!() };
    assert!(tree.is_cut && tree.nodes.len() == NODES_MAX);
    assert!(tree.line(1_000).len() < 1_100);
    // Twenty megabytes of one text.
    let word = format!("{{\"a\": \"{}\"}}", "x".repeat(20_000_000));
    let Body::Tree(tree) = auto_codecs().read("t", None, Some(word.as_bytes())).1.unwrap().body else { panic!() };
    assert!(tree.pretty(usize::MAX).len() < 2 * tree::TEXT_MAX);
    let plain = auto_codecs().read("t", None, Some(&word.as_bytes()[1..])).1.unwrap();
    assert!(matches!(plain.body, Body::Text(text) if text.len() == SHOWN_BYTES_MAX));
    // A hundred thousand levels: in JSON, MessagePack, CBOR.
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let nested = [
        with(Decoder::Json, deep.as_bytes()),
        with(Decoder::MessagePack, &[vec![0x91; 100_000], vec![0xc0]].concat()),
        with(Decoder::Cbor, &[vec![0x81; 100_000], vec![0xf6]].concat()),
        with(Decoder::Cbor, &[vec![0x9f; 100_000], vec![0xff; 100_000]].concat()),
    ];
    for decoded in nested {
        let Body::Tree(tree) = &decoded.body else { panic!("{:?}", decoded.note) };
        assert!(tree.nodes.len() >= 100_000);
        tree.pretty(100_000);
        tree.to_json();
    }
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

proptest! {
    #[test]
    fn nothing_makes_a_decoder_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let avro = Avro::parse(ORDER_AVSC).unwrap();
        let _ = avro.read(&bytes, 500);
        for decoder in [Decoder::Auto, Decoder::Text, Decoder::Json, Decoder::Hex, Decoder::MessagePack, Decoder::Cbor] {
            let decoded = with(decoder, &bytes);
            if let Body::Tree(tree) = &decoded.body {
                tree.line(300);
                tree.to_json();
                prop_assert!(tree.nodes.iter().all(|node| node.end as usize <= tree.nodes.len()));
            }
        }
        for topic in ["__consumer_offsets", "__transaction_state", "__share_group_state"] {
            let (key, value) = bytes.split_at(bytes.len() / 2);
            auto_codecs().read(topic, Some(key), Some(value));
            auto_codecs().lines(topic, Some(&[&[0, 1][..], key].concat()), Some(value));
        }
    }

    #[test]
    fn nearly_json_is_taken_for_what_the_library_takes_it(text in "[\\[\\]{},:\"0-9a-f .\\\\eE+-]{0,40}") {
        let ours = json::read(text.as_bytes(), NODES_MAX);
        // Of two fields of one name the library keeps one, and it knows no number beyond all bounds.
        match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => prop_assert!(ours.is_ok() || text.contains(['e', 'E']), "{text}"),
            Err(_) => prop_assert!(ours.is_err(), "{text}"),
        }
    }
}
