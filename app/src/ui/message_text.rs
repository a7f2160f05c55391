//! Bytes of a record as text that one can read: JSON on many lines, text, or hex.

use serde::de::IgnoredAny;

/// How bytes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As what they seem to be.
    #[default]
    Auto,
    /// As text, whatever they are.
    Text,
    /// As numbers and letters beside each other.
    Hex,
}

/// What is shown of one value at most: nobody reads more, and laying it out would take long.
pub const SHOWN_BYTES_MAX: usize = 64 << 10;
/// What of a value stands in a row.
const PREVIEW_CHARS: usize = 160;
const HEX_BYTES_PER_LINE: usize = 16;

/// The text, and what the bytes were taken for.
pub fn shown(bytes: &[u8], shape: Shape) -> (&'static str, String) {
    let part = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    match shape {
        Shape::Hex => ("hex", hex(part)),
        Shape::Text => ("text", String::from_utf8_lossy(part).into_owned()),
        // A part of JSON is none.
        Shape::Auto if part.len() == bytes.len() && is_json(bytes) => {
            ("JSON", indented(&String::from_utf8_lossy(bytes)))
        }
        Shape::Auto => match std::str::from_utf8(bytes) {
            Ok(_) => ("text", String::from_utf8_lossy(part).into_owned()),
            Err(_) => ("hex", hex(part)),
        },
    }
}

/// One line for a row.
pub fn preview(bytes: &[u8]) -> String {
    let part = &bytes[..bytes.len().min(4 * PREVIEW_CHARS)];
    // What is cut in the midst of a letter is text all the same.
    let is_text = match std::str::from_utf8(part) {
        Ok(_) => true,
        Err(error) => part.len() < bytes.len() && error.valid_up_to() + 4 > part.len(),
    };
    if !is_text {
        let bytes = part.iter().take(PREVIEW_CHARS / 3);
        return bytes.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    }
    let text = String::from_utf8_lossy(part);
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(PREVIEW_CHARS).collect()
}

fn is_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Valid JSON on many lines, its fields in their own order and its numbers as they were written.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', 2 * depth));
    };
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_text {
            out.push(letter);
            in_text = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '"' => {
                in_text = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            space if space.is_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    (0..hex_lines(bytes)).map(|index| hex_line(bytes, index)).collect::<Vec<_>>().join("\n")
}

/// How many lines bytes take in hex.
pub fn hex_lines(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(HEX_BYTES_PER_LINE)
}

/// One of them: where it begins, the bytes as numbers, and as letters.
pub fn hex_line(bytes: &[u8], index: usize) -> String {
    let start = index * HEX_BYTES_PER_LINE;
    let part = &bytes[start.min(bytes.len())..(start + HEX_BYTES_PER_LINE).min(bytes.len())];
    let numbers: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
    let letter = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    let letters: String = part.iter().map(letter).collect();
    let width = 3 * HEX_BYTES_PER_LINE;
    format!("{start:06x}  {:width$} {letters}", numbers.join(" "))
}

/// As text, with signs for what cannot be seen: tabs are blanks, and other control characters a sign of their own.
pub fn plain(bytes: &[u8]) -> String {
    let sign = |letter: char| match letter {
        '\n' => '\n',
        '\t' | '\r' => ' ',
        // What is no text at all has a sign that not all fonts have.
        letter if letter.is_control() || letter == char::REPLACEMENT_CHARACTER => '·',
        letter => letter,
    };
    String::from_utf8_lossy(bytes).chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_shown_as_what_they_are() {
        for (bytes, kind, text) in [
            (
                &br#"{"b":1.0,"a":[true,{}],"c":"x,{\"y\":1}"}"#[..],
                "JSON",
                "{\n  \"b\": 1.0,\n  \"a\": [\n    true,\n    {}\n  ],\n  \"c\": \"x,{\\\"y\\\":1}\"\n}",
            ),
            (b"[]", "JSON", "[]"),
            (b"plain", "text", "plain"),
            (b"17", "text", "17"),
            (b"{broken", "text", "{broken"),
            (b"\xff\x00A", "hex", "000000  ff 00 41                                         ..A"),
            (b"", "text", ""),
        ] {
            assert_eq!(shown(bytes, Shape::Auto), (kind, text.to_owned()));
        }
        assert_eq!(shown(b"\xffA", Shape::Text), ("text", "\u{fffd}A".to_owned()));
        assert_eq!(shown(b"A", Shape::Hex).0, "hex");
        let long = vec![b'x'; 10 * SHOWN_BYTES_MAX];
        assert_eq!(shown(&long, Shape::Auto).1.len(), SHOWN_BYTES_MAX);
    }

    #[test]
    fn a_row_has_one_line() {
        assert_eq!(preview(b"a\nb\tc"), "a b c");
        assert_eq!(preview(b"\xff\x01"), "ff 01");
        assert_eq!(preview("ö".repeat(10_000).as_bytes()).chars().count(), PREVIEW_CHARS);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for shape in [Shape::Auto, Shape::Text, Shape::Hex] {
                shown(&bytes, shape);
            }
            prop_assert!(preview(&bytes).chars().count() <= PREVIEW_CHARS);
        }

        #[test]
        fn indented_json_is_the_same_json(values in prop::collection::vec((".{0,12}", any::<i32>()), 0..8)) {
            let object: serde_json::Map<String, serde_json::Value> =
                values.into_iter().map(|(name, value)| (name, serde_json::json!([value, { "v": value }]))).collect();
            let compact = serde_json::to_string(&object).unwrap();
            let (kind, text) = shown(compact.as_bytes(), Shape::Auto);
            prop_assert_eq!(kind, "JSON");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), serde_json::Value::Object(object));
        }
    }
}
