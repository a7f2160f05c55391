//! Which partition gets this key: by Kafka's own partitioner, and by librdkafka's, which is another.

use egui::Ui;

use crate::monitor::partitioner::{crc32, murmur2, partition_by_crc32, partition_for_key, to_positive};
use crate::monitor::snapshot::Topic;
use crate::ui::tokens::{font, palette, space};
use crate::ui::widgets::button::Button;
use crate::ui::widgets::card::card;
use crate::ui::widgets::field::{field, toggle};
use crate::ui::widgets::text;

/// A topic has no more partitions.
const PARTITIONS_MAX: i32 = 1_000_000;

/// What this card remembers.
#[derive(Debug, Default)]
pub struct State {
    key: String,
    is_hex: bool,
    partitions: String,
}

/// Paints it. Returns a partition that is to be shown.
pub fn show(ui: &mut Ui, topic: &Topic, state: &mut State) -> Option<i32> {
    let mut wanted = None;
    card(ui, |ui| {
        let style = palette(ui);
        ui.spacing_mut().item_spacing.y = space::S;
        ui.horizontal(|ui| {
            text::label(ui, "Which partition gets this key", font::heading(), style.text);
            toggle(ui, "Hex", &mut state.is_hex);
        });
        let bytes = key(state);
        let hint = if state.is_hex { "00 00 00 2a" } else { "customer-4711" };
        field(ui, "Key", hint, &mut state.key, bytes.as_ref().err().map(String::as_str));
        let own = topic.partitions.len() as i32;
        let count = count(&state.partitions, own);
        let complaint = count.is_none().then_some("A number from 1 on, or nothing for this topic's own.");
        field(ui, "Partitions", &own.to_string(), &mut state.partitions, complaint);
        let (Ok(bytes), Some(count)) = (bytes, count) else { return };
        if bytes.is_empty() {
            let words = "Without a key a record may go anywhere: the Java client fills a batch for one partition, then takes another; \
                         librdkafka takes one by chance.";
            text::paragraph(ui, words, font::small(), style.muted);
            return;
        }
        let java = partition_for_key(&bytes, count);
        let other = partition_by_crc32(&bytes, count);
        for (partition, how, who) in
            [(java, by_murmur2(&bytes, count), JAVA), (other, by_crc32(&bytes, count), LIBRDKAFKA)]
        {
            ui.horizontal(|ui| {
                text::label(ui, &format!("Partition {partition}"), font::heading(), style.accent);
                text::label(ui, who.0, font::small(), style.muted);
                let spoken = format!("Show partition {partition} ({})", who.0);
                if (0..own).contains(&partition) && Button::new("Show").name(&spoken).small().show(ui).clicked() {
                    wanted = Some(partition);
                }
            });
            text::paragraph(ui, &how, font::mono(), style.muted);
            text::paragraph(ui, who.1, font::small(), style.faint);
        }
        let words = if java == other {
            "Both choose the same partition for this key; for others they do not."
        } else {
            "They differ: records of this key would be split if both kinds of clients write to the topic."
        };
        text::paragraph(ui, words, font::small(), if java == other { style.muted } else { style.warning });
    });
    wanted
}

const JAVA: (&str, &str) = (
    "Java client, kcat -X partitioner=murmur2_random",
    "Kafka's default; also of Kafka Streams, Connect, Spring, and this program.",
);
const LIBRDKAFKA: (&str, &str) = (
    "librdkafka's default, consistent_random",
    "kcat, Python (confluent-kafka), Go (confluent-kafka-go), .NET, Rust (rdkafka).",
);

fn by_murmur2(key: &[u8], count: i32) -> String {
    let hash = murmur2(key);
    format!("toPositive(murmur2(key)) % {count} = toPositive({hash}) % {count} = {} % {count}", to_positive(hash))
}

fn by_crc32(key: &[u8], count: i32) -> String {
    format!("crc32(key) % {count} = {} % {count}", crc32(key))
}

/// The key's bytes; or what is wrong with them.
fn key(state: &State) -> Result<Vec<u8>, String> {
    if !state.is_hex {
        return Ok(state.key.as_bytes().to_vec());
    }
    let digits: Vec<u8> = state
        .key
        .chars()
        .filter(|char| !char.is_whitespace())
        .map(|char| char.to_digit(16).map_or(16, |digit| digit as u8))
        .collect();
    if digits.contains(&16) {
        return Err("Hex has the digits 0 to 9 and a to f.".to_owned());
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("A byte has two digits: one is missing.".to_owned());
    }
    Ok(pairs.iter().map(|[high, low]| high * 16 + low).collect())
}

fn count(typed: &str, own: i32) -> Option<i32> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Some(own).filter(|count| *count > 0);
    }
    typed.parse().ok().filter(|count| (1..=PARTITIONS_MAX).contains(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_text_or_as_hex() {
        let read = |key: &str, is_hex| super::key(&State { key: key.into(), is_hex, ..State::default() });
        assert_eq!(read("ä", false), Ok(vec![0xc3, 0xa4]));
        assert_eq!(read("00 2A\tff", true), Ok(vec![0, 0x2a, 0xff]));
        assert!(read("0", true).unwrap_err().contains("missing") && read("0x12", true).unwrap_err().contains("digits"));
        assert_eq!(
            (count("", 6), count(" 12 ", 6), count("0", 6), count("x", 6), count("", 0)),
            (Some(6), Some(12), None, None, None)
        );
    }
}
