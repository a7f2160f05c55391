//! Records as a small shop writes them, read and counted over time.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{AT_MS, Noise, healthy};
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::messages::Message;
use crate::monitor::messages::decode::{Codecs, Decoders};
use crate::monitor::messages::read::{MessagesView, ReadState, ReadWish, Seen, Start};
use crate::monitor::messages::volume::{Bars, Volume};
use crate::monitor::view::View;

/// How many are read at first.
const RECORDS: i64 = 200;
const PARTITIONS: i32 = 12;

/// Everything runs, and somebody looks at the records of `orders`.
pub fn reading() -> View {
    let mut view = healthy();
    with_records(&mut view, "orders", RECORDS);
    view
}

/// So many records of a topic were read, and all are counted over time.
pub fn with_records(view: &mut View, topic: &str, count: i64) {
    let codecs =
        Arc::new(Codecs::open(&Decoders::default()).unwrap_or_else(|why| unreachable!("nothing is opened: {why}")));
    let mut noise = Noise(7);
    let found = (0..count).map(|number| Arc::new(Seen::new(record(topic, number, &mut noise), &codecs)));
    view.messages = MessagesView {
        wish: Some(Arc::new(ReadWish::new(topic.into(), Start::Newest(RECORDS as u32)))),
        state: ReadState::Done,
        found: Arc::new(found.collect()),
        scanned: count as u64,
        codecs: Some(codecs),
        generation: view.messages.generation + 1,
        ..MessagesView::default()
    };
    let query = Query::Volume { topic: topic.into(), span_ms: None };
    view.inquiries.answer(&query, AT_MS, Ok(Arc::new(Findings::Volume(Arc::new(volume(&mut noise))))));
}

/// Two hours with a peak in their second half.
fn volume(noise: &mut Noise) -> Volume {
    let bars = Bars::over(AT_MS - 118 * 60_000, AT_MS, PARTITIONS as usize);
    let mut of = |_| {
        let peak = |bar: f64| 1_400.0 * (-(bar - 41.0).powi(2) / 60.0).exp();
        (0..bars.count).map(|bar| (200.0 + 120.0 * noise.next() + peak(bar as f64)) as u64).collect::<Vec<_>>()
    };
    Volume { bars: Some(bars), counts: (0..PARTITIONS).map(|partition| (partition, of(partition))).collect() }
}

const CITIES: [&str; 5] = ["Hamburg", "Kraków", "Łódź", "Porto", "Wien"];

fn record(topic: &str, number: i64, noise: &mut Noise) -> Message {
    let customer = (noise.next() * 900.0) as i64 + 100;
    let cents = (noise.next() * 20_000.0) as i64;
    let city = CITIES[(noise.next() * CITIES.len() as f64) as usize % CITIES.len()];
    let json = format!(
        "{{\"order\":{},\"customer\":{{\"id\":{customer},\"city\":\"{city}\"}},\"lines\":[{{\"sku\":\"K-{}\",\"quantity\":{}}},\
         {{\"sku\":\"K-{}\",\"quantity\":1}}],\"total\":{}.{:02},\"paid\":{}}}",
        500_000 + number,
        customer % 97,
        number % 4 + 1,
        customer % 89,
        cents / 100,
        cents % 100,
        number % 3 > 0
    );
    let value = match number % 11 {
        4 => None,
        7 => Some(packed(500_000 + number as u32)),
        _ => Some(Bytes::from(json)),
    };
    Message {
        topic: topic.into(),
        partition: (customer % i64::from(PARTITIONS)) as i32,
        offset: 2_310_400 + number,
        timestamp_ms: AT_MS - (RECORDS - number) * 83,
        is_log_append_time: false,
        key: Some(format!("customer-{customer}").into()),
        value,
        headers: vec![
            ("trace".to_owned(), Some(format!("4bf92f{:04x}", number * 977 % 65_536).into())),
            ("source".to_owned(), Some("checkout".into())),
        ],
        producer_id: Some(4_001),
        is_transactional: false,
        codec: "lz4",
        leader_epoch: 3,
    }
}

/// `{"order": N, "refund": true}` in MessagePack.
fn packed(order: u32) -> Bytes {
    let number = [&[0xce][..], &order.to_be_bytes()].concat();
    [&b"\x82\xa5order"[..], &number, b"\xa6refund\xc3"].concat().into()
}
