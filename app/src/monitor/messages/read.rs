//! Reading a topic for somebody who looks: from where, what of it, and what was found so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::{Isolation, Message};

/// Records kept of one reading; what is read on beyond that takes the place of the oldest.
pub const MESSAGES_MAX: usize = 2_000;
/// Their bytes.
pub const BYTES_MAX: usize = 64 << 20;
/// What a pattern may take once it is compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// From where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// So many of the newest records, over all partitions.
    Newest(u32),
    /// The first that are left.
    Beginning,
    /// This offset.
    Offset(i64),
    /// The first record at or after this time.
    Since(i64),
    /// Where an earlier reading ended, by partition.
    Offsets(BTreeMap<i32, i64>),
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadWish {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition; `None`: all.
    pub partition: Option<i32>,
    /// From where.
    pub start: Start,
    /// Which records.
    pub isolation: Isolation,
    /// Words that all must be somewhere in key, value and headers; or a `/pattern/` that one of these has.
    pub filter: String,
    /// Whether to go on with what is written from then on.
    pub follow: bool,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadState {
    /// Nobody asked.
    #[default]
    Idle,
    /// At work.
    Reading,
    /// At the end, and waiting for more.
    Following,
    /// At the end.
    Done,
    /// As many were found as are kept: there are more.
    Full,
    /// It cannot go on; one sentence.
    Failed(String),
}

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub struct MessagesView {
    /// What was asked for.
    pub wish: Option<Arc<ReadWish>>,
    /// How far it is.
    pub state: ReadState,
    /// What was found, in the order in which it was read.
    pub found: Arc<Vec<Arc<Message>>>,
    /// Records looked at.
    pub scanned: u64,
    /// Where each partition is to be gone on from.
    pub next_offsets: Arc<BTreeMap<i32, i64>>,
    /// Grows with each change.
    pub generation: u64,
}

impl MessagesView {
    /// Whether a thread is at work on it.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, ReadState::Reading | ReadState::Following)
    }
}

/// What lets a record pass.
#[derive(Clone, Debug)]
pub enum Filter {
    /// All of these words, in lower case.
    Words(Vec<String>),
    /// This pattern.
    Pattern(Regex),
}

impl Filter {
    /// As it was typed; an error is a sentence.
    pub fn parse(typed: &str) -> Result<Filter, String> {
        let typed = typed.trim();
        let inside = typed.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|_| typed.len() > 1);
        let Some(pattern) = inside else {
            return Ok(Filter::Words(typed.split_whitespace().map(str::to_lowercase).collect()));
        };
        let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
        built.map(Filter::Pattern).map_err(|error| {
            // The library shows the pattern over many lines; what is wrong stands in the last.
            let told = error.to_string();
            let last = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("The pattern makes no sense: {last}.")
        })
    }

    /// Whether a record passes.
    pub fn passes(&self, message: &Message) -> bool {
        if matches!(self, Filter::Words(words) if words.is_empty()) {
            return true;
        }
        let fields = [message.key.as_deref(), message.value.as_deref()].into_iter();
        let headers = message.headers.iter().flat_map(|(name, value)| [Some(name.as_bytes()), value.as_deref()]);
        let mut parts = fields.chain(headers).flatten().map(String::from_utf8_lossy);
        match self {
            Filter::Words(words) => {
                let said = parts.collect::<Vec<_>>().join("\n").to_lowercase();
                words.iter().all(|word| said.contains(word.as_str()))
            }
            Filter::Pattern(pattern) => parts.any(|part| pattern.is_match(&part)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str, value: &str) -> Message {
        Message {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            is_log_append_time: false,
            key: Some(key.to_owned().into()),
            value: Some(value.to_owned().into()),
            headers: vec![("trace".into(), Some("abc".into()))],
            producer_id: None,
            is_transactional: false,
            codec: "none",
            leader_epoch: 0,
        }
    }

    #[test]
    fn what_passes() {
        let message = message("order-7", "{\"amount\": 12, \"City\": \"Köln\"}");
        for (typed, passes) in [
            ("", true),
            ("köln", true),
            ("AMOUNT order-7", true),
            ("amount paris", false),
            ("trace abc", true),
            ("/order-\\d+/", true),
            ("/^\\{\"amount/", true),
            ("/^order-7$/", true),
            ("/^amount/", false),
            ("/", false),
        ] {
            assert_eq!(Filter::parse(typed).unwrap().passes(&message), passes, "{typed}");
        }
        let wrong = Filter::parse("/(/").unwrap_err();
        assert!(wrong.starts_with("The pattern makes no sense: unclosed group"), "{wrong}");
    }
}
