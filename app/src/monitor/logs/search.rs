//! Which lines are asked for: by node, level, logger and words.

use broker::logging::{Level, Logger};
use broker::types::NodeId;
use regex::{Regex, RegexBuilder};

use super::entry::Entry;

/// A longer search is refused.
pub const SEARCH_MAX_BYTES: usize = 500;

/// A pattern that compiles to more is refused.
const PATTERN_MAX_BYTES: usize = 1 << 20;

/// What must stand in a line.
#[derive(Clone, Debug, Default)]
pub struct Search {
    patterns: Vec<Regex>,
    /// Whether a logger's name counts as text of the line.
    with_names: bool,
}

impl Search {
    /// All of these words, in the message or in the logger's name, in capitals or not; or, between slashes, a regular expression for the
    /// message.
    ///
    /// # Errors
    /// One sentence: no regular expression, or too long.
    pub fn words(text: &str) -> Result<Search, String> {
        let text = checked(text)?;
        if let Some(pattern) = between_slashes(text) {
            return Ok(Search { patterns: vec![compiled(pattern, false)?], with_names: false });
        }
        let words = text.split_whitespace().map(|word| compiled(&regex::escape(word), true));
        Ok(Search { patterns: words.collect::<Result<_, _>>()?, with_names: true })
    }

    /// This very text in the message, in capitals or not; or, between slashes, a regular expression for it.
    ///
    /// # Errors
    /// As [`Search::words`].
    pub fn phrase(text: &str) -> Result<Search, String> {
        let text = checked(text)?;
        let pattern = match between_slashes(text) {
            Some(pattern) => compiled(pattern, false)?,
            None => compiled(&regex::escape(text), true)?,
        };
        Ok(Search { patterns: vec![pattern], with_names: false })
    }

    fn matches(&self, entry: &Entry) -> bool {
        self.patterns.iter().all(|pattern| {
            pattern.is_match(&entry.message) || (self.with_names && pattern.is_match(entry.logger.name()))
        })
    }
}

fn checked(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.len() > SEARCH_MAX_BYTES {
        return Err(format!("A search has at most {SEARCH_MAX_BYTES} bytes."));
    }
    Ok(text)
}

fn between_slashes(text: &str) -> Option<&str> {
    text.strip_prefix('/')?.strip_suffix('/').filter(|pattern| !pattern.is_empty())
}

fn compiled(pattern: &str, any_case: bool) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(any_case).size_limit(PATTERN_MAX_BYTES).build();
    built.map_err(|error| {
        // What is wrong stands in the last line, under a picture of where.
        let said = error.to_string();
        let reason = said.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").trim_end_matches('.');
        format!("That is no regular expression: {reason}.")
    })
}

/// Which lines are asked for.
#[derive(Clone, Debug)]
pub struct Filter {
    node: Option<NodeId>,
    least: Level,
    /// By the number of the logger; `None`: all.
    loggers: Option<Vec<bool>>,
    search: Search,
}

impl Filter {
    /// Lines of a node, of this level at least, of a logger and those below it, in which all of `search` stands.
    pub fn new(node: Option<NodeId>, least: Level, logger: Option<Logger>, search: Search) -> Filter {
        let below = |above: Logger| Logger::ALL.iter().map(|logger| is_below(*logger, above)).collect();
        Filter { node, least, loggers: logger.map(below), search }
    }

    /// Whether a line is one of them.
    pub fn matches(&self, entry: &Entry) -> bool {
        entry.level >= self.least
            && self.node.is_none_or(|node| node == entry.node_id)
            && self.loggers.as_ref().is_none_or(|wanted| wanted[entry.logger as usize])
            && self.search.matches(entry)
    }
}

/// Whether a logger is `above`, or has its level from there where none between has one.
fn is_below(logger: Logger, above: Logger) -> bool {
    let mut at = Some(logger);
    while let Some(logger) = at {
        if logger == above {
            return true;
        }
        at = logger.parent();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(node_id: NodeId, level: Level, logger: Logger, message: &str) -> Entry {
        Entry { seq: 1, at_ms: 0, node_id, level, logger, message: message.into(), lost_before: 0 }
    }

    #[test]
    fn words_and_patterns() {
        let entry =
            entry(1, Level::Info, Logger::Partition, "[Partition orders-3 broker=1] ISR from 1,2 to 1 (a.b [c])");
        for (text, words, phrase) in [
            ("", true, true),
            ("isr ORDERS-3", true, false),
            ("isr from", true, true),
            ("orders-3 broker=2", false, false),
            ("kafka.cluster", true, false),
            ("a.b [c]", true, true),
            ("axb", false, false),
            ("/ISR from [0-9,]+ to 1 /", true, true),
            ("/isr/", false, false),
            ("/(?i)isr/", true, true),
            ("/", false, false),
            ("//", false, false),
        ] {
            let matches = |search: Search| Filter::new(None, Level::Trace, None, search).matches(&entry);
            assert_eq!(matches(Search::words(text).unwrap()), words, "words {text}");
            assert_eq!(matches(Search::phrase(text).unwrap()), phrase, "phrase {text}");
        }
        for bad in ["/(/", "/[/", "/x{1000}{1000}/", &"x".repeat(SEARCH_MAX_BYTES + 1)] {
            let said = Search::words(bad).unwrap_err();
            assert!(said.ends_with('.') && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn nodes_levels_and_loggers() {
        let entry = entry(2, Level::Warn, Logger::RuntimeLoggerManager, "x");
        let any = Search::default();
        for (node, least, logger, expected) in [
            (None, Level::Trace, None, true),
            (Some(2), Level::Warn, None, true),
            (Some(1), Level::Trace, None, false),
            (None, Level::Error, None, false),
            (None, Level::Trace, Some(Logger::Kafka), true),
            (None, Level::Trace, Some(Logger::Root), true),
            (None, Level::Trace, Some(Logger::ApacheKafka), false),
            (None, Level::Trace, Some(Logger::KafkaApis), false),
        ] {
            let filter = Filter::new(node, least, logger, any.clone());
            assert_eq!(filter.matches(&entry), expected, "{filter:?}");
        }
    }
}
