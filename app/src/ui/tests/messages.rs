//! Records: large ones cost a frame no more than small ones, stretches of time are chosen over bars, decoders belong to topics.

use std::time::Duration;

use egui::Shape;

use super::*;
use crate::monitor::inquiry::{Findings, Query};
use crate::monitor::messages::Message;
use crate::monitor::messages::decode::{Codecs, Decoder, Decoders};
use crate::monitor::messages::read::{MessagesView, ReadState, ReadWish, Seen, Start};
use crate::monitor::messages::test_message;
use crate::ui::TopicView;

/// Letters that a frame may lay out, whatever is shown: a full screen has a few thousand.
const LETTERS_MAX: usize = 25_000;

fn on_messages(view: View, topic: &str) -> Window {
    let (screen, topic) = (Screen::Topic, Some(topic.to_owned()));
    Window::open(view, Options { screen, topic, topic_view: TopicView::Messages, ..Options::default() })
}

fn with(found: Vec<Message>) -> View {
    let codecs = Arc::new(Codecs::open(&Decoders::default()).unwrap());
    let found = found.into_iter().map(|message| Arc::new(Seen::new(message, &codecs)));
    let mut view = fixture::healthy();
    view.messages = MessagesView {
        wish: Some(Arc::new(ReadWish::new("orders".into(), Start::Newest(200)))),
        state: ReadState::Done,
        found: Arc::new(found.collect()),
        codecs: Some(codecs),
        generation: 1,
        ..MessagesView::default()
    };
    view
}

fn record(offset: i64, value: &[u8]) -> Message {
    Message { topic: "orders".into(), offset, ..test_message(value) }
}

fn letters_of(shape: &Shape) -> usize {
    match shape {
        Shape::Text(text) => text.galley.text().len(),
        Shape::Vec(shapes) => shapes.iter().map(letters_of).sum(),
        _ => 0,
    }
}

/// What the last frame laid out: what its cost grows with.
fn letters(window: &Window) -> usize {
    window.harness.output().shapes.iter().map(|clipped| letters_of(&clipped.shape)).sum()
}

fn wishes(window: &Window) -> Vec<ReadWish> {
    let sent = window.sent().into_iter();
    sent.filter_map(|command| if let Command::Read(Some(wish)) = command { Some(wish) } else { None }).collect()
}

/// Paints until what is decoded elsewhere has come.
fn until_decoded(window: &mut Window) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while window.shows("Decoding…") {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
        window.harness.run();
    }
}

#[test]
fn a_frame_lays_out_no_more_of_ten_megabytes_than_of_a_few_words() {
    let long = "x".repeat(10 << 20);
    let items = (0..400_000).map(|number| format!("{{\"n\":{number}}}")).collect::<Vec<_>>().join(",");
    let binary = [&[0xff, 0x00][..], long.as_bytes()].concat();
    for value in [
        format!("{{\"text\": \"{long}\"}}").into_bytes(),
        format!("[{items}]").into_bytes(),
        format!("no blank: {long}").into_bytes(),
        "one two ".repeat(1 << 20).into_bytes(),
        binary,
    ] {
        let mut window = on_messages(with(vec![record(1, &value)]), "orders");
        until_decoded(&mut window);
        assert!(window.shows("orders-0 at offset 1"));
        for shape in ["decoded", "text", "hex"] {
            window.click(&format!("Show the value: {shape}"));
            let found = letters(&window);
            assert!((100..LETTERS_MAX).contains(&found), "{found} letters of {shape}");
        }
        window.click("Send again");
        assert!(window.shows("too long to be edited here, and sent as it was"));
        assert!(letters(&window) < LETTERS_MAX, "{} letters in the dialog", letters(&window));
    }
}

#[test]
fn neither_many_rows_nor_many_headers_nor_long_names_make_a_frame_larger() {
    let many = (0..50_000).map(|offset| record(offset, b"{\"total\": 12}")).collect();
    let rows = letters(&on_messages(with(many), "orders"));
    let few = letters(&on_messages(with((0..50).map(|offset| record(offset, b"{\"total\": 12}")).collect()), "orders"));
    // Their counts and offsets have more digits.
    assert!(rows < few + 300, "{rows} letters of 50,000 rows, {few} of 50");
    let header = |number: usize| (format!("h{number}"), Some(vec![b'x'; 1 << 20].into()));
    let headed = Message { headers: (0..40).map(header).collect(), ..record(1, b"v") };
    let crowd = Message { headers: (0..20_000).map(|n| (n.to_string(), None)).collect(), ..record(1, b"v") };
    let named = format!("{{\"{}\": 1}}", "n".repeat(8 << 20));
    // {"N": …} in MessagePack with a text of a megabyte: its line in the table is cut.
    let packed = [&b"\x81\xa1N\xdb\x00\x10\x00\x00"[..], &vec![b'y'; 1 << 20]].concat();
    for message in [headed, crowd, record(1, named.as_bytes()), record(1, &packed)] {
        let mut window = on_messages(with(vec![message]), "orders");
        until_decoded(&mut window);
        assert!(letters(&window) < LETTERS_MAX, "{} letters", letters(&window));
    }
}

#[test]
fn a_stretch_of_time_is_chosen_over_bars_and_zoomed_into() {
    let mut window = on_messages(fixture::reading(), "orders");
    let asked = |window: &Window| {
        let sent = window.sent().into_iter();
        sent.filter_map(|command| match command {
            Command::Inquire(Query::Volume { span_ms, .. }) => Some(span_ms),
            _ => None,
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(asked(&window), [None]);
    assert!(window.shows("a bar is 2 min"));
    let second = "2026-09-21 12:18:00 to 12:20:00: ";
    let end = "2026-09-21 12:24:00 to 12:26:00: ";
    // One bar by a click.
    window.choose(second);
    let wish = wishes(&window).pop().unwrap();
    let (from_ms, until_ms) = (1_789_993_080_000, 1_789_993_200_000);
    assert_eq!((wish.start, wish.until_ms, wish.follow), (Start::Since(from_ms), Some(until_ms), false));
    // Some by a drag.
    let place = |window: &Window, name: &str| window.harness.get_by_label_contains(name).rect().center();
    let (from, to) = (place(&window, second), place(&window, end));
    window.harness.drag_at(from);
    window.harness.run();
    window.harness.hover_at(to);
    window.harness.run();
    window.harness.drop_at(to);
    window.harness.run();
    let wish = wishes(&window).pop().unwrap();
    assert_eq!((wish.start, wish.until_ms), (Start::Since(from_ms), Some(from_ms + 8 * 60_000)));
    window.click("Show what is chosen over time");
    assert_eq!(asked(&window).last(), Some(&Some((from_ms, from_ms + 8 * 60_000))));
    window.click("Show the whole topic over time");
    window.click("Read of any time");
    assert_eq!(wishes(&window).pop().unwrap(), ReadWish::new("orders".into(), Start::Newest(200)));
    // Of one partition there are fewer.
    window.click("Partition: all");
    window.click("Partition 3");
    assert!(window.shows("Over time of partition 3: "));
}

#[test]
fn bars_that_cannot_be_told_are_no_bar_to_reading() {
    let mut view = fixture::reading();
    let query = Query::Volume { topic: "orders".into(), span_ms: None };
    view.inquiries.answer(&query, fixture::AT_MS, Err("No leader.".into()));
    let window = on_messages(view.clone(), "orders");
    assert!(window.shows("Records over time cannot be told: No leader.") && window.shows("200 records"));
    view.inquiries.answer(&query, fixture::AT_MS, Ok(Arc::new(Findings::Volume(Arc::default()))));
    assert!(on_messages(view, "orders").shows("The topic has no records over time yet."));
}

#[test]
fn from_the_end_is_followed_and_each_topic_keeps_its_decoders() {
    let mut window = on_messages(fixture::healthy(), "orders");
    window.click("From: the newest 200");
    window.click("From the end");
    let wish = wishes(&window).pop().unwrap();
    assert_eq!((wish.start, wish.follow), (Start::End, true));
    window.click("More filters and decoders");
    window.click("Value as: what it seems to be");
    window.click("Value as MessagePack");
    assert_eq!(wishes(&window).pop().unwrap().decoders.value, Decoder::MessagePack);
    window.click("Back to topics");
    window.choose("clicks, ");
    assert_eq!(wishes(&window).pop().unwrap().decoders, Decoders::default());
    window.click("Back to topics");
    window.choose("orders, ");
    assert_eq!(wishes(&window).pop().unwrap().decoders.value, Decoder::MessagePack);
}
