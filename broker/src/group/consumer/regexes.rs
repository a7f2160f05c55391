//! Subscriptions by regular expression: checked when they come, resolved against the topics a moment later, and again when topics come.
//!
//! Kafka has RE2/J; ours is the crate `regex`, of the same family and as safe. What RE2/J knows beyond it is `\Q…\E`, which is translated
//! here, and braces that begin no repetition, which it takes literally and we refuse.
//!
//! Source: `TopicRegexResolver`, `GroupMetadataManager.maybeUpdateRegularExpressions`, `handleRegularExpressionsResult`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::group::ConsumerGroup;
use super::member::Member;
use super::records::ConsumerRecord;
use crate::group::api::Refusal;
use crate::group::kind::Recorded;
use crate::group::topics::Topics;
use crate::protocol::ErrorCode;

/// A group's expressions are resolved so often at most.
pub const REFRESH_MIN_INTERVAL_MS: i64 = 10_000;

/// Names that are looked at in one step of a node's thread, at most; one expression is always resolved.
const MATCHES_PER_STEP: usize = 20_000;

/// An expression's compilation costs about as much as so many names.
const COMPILATION: usize = 500;

/// Memory of one compiled expression.
const MAX_PROGRAM_BYTES: usize = 1024 * 1024;

/// Topics that a regular expression means.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedRegex {
    /// Their names.
    pub topics: BTreeSet<Arc<str>>,
    /// Offset of the metadata that was looked at.
    pub version: i64,
    /// When.
    pub timestamp_ms: i64,
}

/// What a member's new expression does to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegexChange {
    /// It has none, or the same.
    None,
    /// It has another, whose topics are not known yet.
    Updated,
    /// It has another whose topics are known, or none any more.
    UpdatedAndResolved,
}

/// An expression that must match a whole name; `None` if it is none.
pub fn compile_pattern(pattern: &str) -> Option<Regex> {
    compile(pattern).ok()
}

/// Compiles an expression that must match a whole name.
pub fn compile(regex: &str) -> Result<Regex, Refusal> {
    let translated = translate(regex);
    let invalid = |error: regex::Error| {
        let message =
            format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {}.", description(&error));
        Refusal::new(ErrorCode::InvalidRegularExpression, message)
    };
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_PROGRAM_BYTES).build().map_err(invalid);
    // On its own first: within parentheses others may be valid.
    build(&translated)?;
    build(&format!(r"\A(?:{translated})\z"))
}

/// `\Q…\E` by what it means.
fn translate(regex: &str) -> String {
    let (mut out, mut rest) = (String::new(), regex);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = escape.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = after;
        } else {
            let length = escape.chars().take(2).map(char::len_utf8).sum();
            let (escape, after) = escape.split_at(length);
            out.push_str(escape);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// In RE2/J's words, where there are some for it.
fn description(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let known = [
        ("unclosed group", "missing closing )"),
        ("unopened group", "unexpected )"),
        ("unclosed character class", "missing closing ]"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("unrecognized escape sequence", "invalid escape sequence"),
        ("incomplete escape sequence", "trailing backslash at end of expression"),
        ("invalid character class range", "invalid character class range"),
        ("look-around", "invalid or unsupported Perl syntax"),
        ("backreferences", "invalid escape sequence"),
        ("exceeds size limit", "expression too large"),
    ];
    known.iter().find(|(ours, _)| text.contains(ours)).map_or(last, |(_, theirs)| (*theirs).to_owned())
}

/// A group's expressions on the way to be resolved. All of them count as resolved when the first one was.
#[derive(Debug, Default)]
pub struct Resolving {
    /// Version and time.
    begun: Option<(i64, i64)>,
    results: BTreeMap<String, ResolvedRegex>,
}

impl Resolving {
    /// Looks through all topics for some more of these expressions. Returns what all of them mean, or `None` if some are left.
    pub fn step(
        &mut self,
        regexes: impl Iterator<Item = String>,
        topics: &Topics,
        now_ms: i64,
    ) -> Option<BTreeMap<String, ResolvedRegex>> {
        let (version, timestamp_ms) = *self.begun.get_or_insert((topics.version, now_ms));
        let mut budget = MATCHES_PER_STEP;
        for regex in regexes {
            if self.results.contains_key(&regex) {
                continue;
            }
            if budget == 0 {
                return None;
            }
            budget = budget.saturating_sub(COMPILATION + topics.len());
            let compiled = compile(&regex).ok();
            let matching = topics.names().filter(|name| compiled.as_ref().is_some_and(|regex| regex.is_match(name)));
            let resolved = ResolvedRegex { topics: matching.cloned().collect(), version, timestamp_ms };
            self.results.insert(regex, resolved);
        }
        Some(std::mem::take(&mut self.results))
    }
}

/// Notes a member's new expression. Returns what it does, and whether the group's expressions are to be resolved.
pub fn update(
    group: &ConsumerGroup,
    before: &Member,
    after: &Member,
    topics: &Topics,
    now_ms: i64,
    refresh_interval_ms: i64,
    records: &mut Vec<ConsumerRecord>,
) -> Result<(RegexChange, bool), Refusal> {
    let (old, new) = (before.regex(), after.regex());
    let (mut change, mut refresh) = (RegexChange::None, false);
    if old != new {
        change = RegexChange::Updated;
        if let Some(old) = old.filter(|old| group.regex_count(old) == 1) {
            records.push(ConsumerRecord::Regex(old.to_owned(), None));
        }
        match new {
            Some(new) if group.regex_count(new) == 0 => {
                compile(new)?;
                refresh = true;
            }
            Some(new) if group.regexes().contains_key(new) => change = RegexChange::UpdatedAndResolved,
            Some(_) => {}
            None => change = RegexChange::UpdatedAndResolved,
        }
    }
    let mut counts = group.regex_counts();
    if !refresh && counts.is_empty() {
        return Ok((change, false));
    }
    // All are resolved at the same time.
    let last = group.regexes().values().next();
    if last.is_some_and(|last| now_ms <= last.timestamp_ms.saturating_add(REFRESH_MIN_INTERVAL_MS)) {
        return Ok((change, false));
    }
    if old != new {
        if let Some(old) = old {
            let left = counts.get(old).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                counts.remove(old)
            } else {
                counts.insert(old, left)
            };
        }
        if let Some(new) = new {
            *counts.entry(new).or_default() += 1;
        }
    }
    refresh |= counts.len() != group.regexes().len();
    refresh |= last.map_or(0, |last| last.version) < topics.last_created_version;
    refresh |=
        last.is_none_or(|last| now_ms > last.timestamp_ms.saturating_add(refresh_interval_ms)) && !counts.is_empty();
    Ok((change, refresh && !counts.is_empty()))
}

/// Records of newly resolved expressions; the group's epoch grows if they mean other topics than before.
pub fn resolved(
    group: &ConsumerGroup,
    results: BTreeMap<String, ResolvedRegex>,
    topics: &Topics,
) -> Vec<ConsumerRecord> {
    let mut after = group.clone();
    let (mut records, mut changed) = (Vec::new(), false);
    for (regex, result) in results {
        if group.regex_count(&regex) == 0 {
            continue;
        }
        let before = group.regexes().get(&regex);
        changed |= match before {
            Some(before) => before.topics != result.topics,
            None => !result.topics.is_empty(),
        };
        let record = ConsumerRecord::Regex(regex, Some(result));
        after.replay(&record);
        records.push(record);
    }
    let hash = topics.hash(after.subscribed().keys());
    if changed || hash != group.metadata_hash {
        records.push(ConsumerRecord::Group(Some((group.epoch + 1, hash))));
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_expressions_are_resolved_in_steps() {
        let topics = Topics::default();
        let regexes = || (0..100).map(|number| format!("t{number}"));
        let mut resolving = Resolving::default();
        assert_eq!(resolving.step(regexes().take(3), &topics, 5).map(|results| results.len()), Some(3));
        let mut resolving = Resolving::default();
        let mut steps = 0u8;
        let results = loop {
            steps += 1;
            if let Some(results) = resolving.step(regexes(), &topics, i64::from(steps)) {
                break results;
            }
        };
        assert_eq!((results.len(), steps), (100, 3));
        assert!(results.values().all(|resolved| resolved.timestamp_ms == 1));
    }

    #[test]
    fn the_whole_name_must_match() {
        for (regex, name, matches) in [
            ("a.*", "abc", true),
            ("a", "abc", false),
            ("a|abc", "abc", true),
            (r"\Qa.c\E", "abc", false),
            (r"\Qa.c\E", "a.c", true),
            (r"\Qa.c", "a.c", true),
            (r"a\\Qb", r"a\Qb", true),
            ("", "", true),
            ("(?i)ABC", "abc", true),
            (r"topic-\d+", "topic-12", true),
            ("[[:alpha:]]+", "abc", true),
        ] {
            assert_eq!(compile(regex).unwrap().is_match(name), matches, "{regex} {name}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_as_kafka_tells_it() {
        for (regex, why) in [
            ("[", "missing closing ]"),
            ("(", "missing closing )"),
            (")", "unexpected )"),
            ("*", "missing argument to repetition operator"),
            ("a(?=b)", "invalid or unsupported Perl syntax"),
            ("a\\", "trailing backslash at end of expression"),
        ] {
            let refusal = compile(regex).unwrap_err();
            assert_eq!(refusal.error, ErrorCode::InvalidRegularExpression);
            let message = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {why}.");
            assert_eq!(refusal.message.as_deref(), Some(message.as_str()));
        }
        assert!(compile(&format!("({})", "a{1000}".repeat(100))).is_err(), "it would be too large");
    }
}
