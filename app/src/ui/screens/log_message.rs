//! What of a log line fits into a row: Kafka's messages begin with who speaks (`[GroupCoordinator id=2 topic=… partition=7] [GroupId g]`), which
//! the columns beside them say already. A row keeps only what the line is about, so that what happened can be read.

use crate::monitor::logs::entry::Entry;
use crate::ui::format;

/// No row is wide enough for more characters.
const ROW_CHARS: usize = 400;
/// What a line is about is cut in the middle past so many: both ends of a name tell most.
const ABOUT_CHARS: usize = 26;

/// A line as a row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InRow {
    /// A partition, a group, a peer: what is worth keeping of the brackets before the message; often nothing.
    pub about: String,
    /// What happened.
    pub what: String,
    /// The whole line, for those who listen.
    pub spoken: String,
}

/// A line as a row shows it.
pub fn in_row(entry: &Entry) -> InRow {
    let message = first_chars(&entry.message, ROW_CHARS);
    let (brackets, rest) = brackets(message);
    let about = brackets.iter().rev().find_map(|bracket| about(bracket)).unwrap_or_default();
    // Nothing but brackets: then they are what is told.
    let (about, rest) = if rest.is_empty() { (String::new(), message) } else { (shortened(&about), rest) };
    let lost = match entry.lost_before {
        0 => String::new(),
        lost => format!("({} lost before) ", format::plural(lost as usize, "line")),
    };
    InRow { about, what: format!("{lost}{rest}"), spoken: format!("{lost}{message}") }
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(at, _)| &text[..at])
}

/// The insides of the brackets that a message begins with, and what follows them.
fn brackets(message: &str) -> (Vec<&str>, &str) {
    let (mut found, mut rest) = (Vec::new(), message);
    while let Some(inside) = rest.strip_prefix('[') {
        let Some((content, after)) = inside.split_once(']') else { break };
        found.push(content);
        rest = after.trim_start_matches(':').trim_start();
    }
    (found, rest)
}

/// What a bracket says beyond the name of a component and its node, which have columns of their own.
fn about(bracket: &str) -> Option<String> {
    let words = || bracket.split([' ', ',']).filter(|word| !word.is_empty()).skip(1);
    let value = |name: &str| words().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    if let (Some(topic), Some(partition)) = (value("topic"), value("partition")) {
        return Some(format!("{topic}-{partition}"));
    }
    if let Some(partition) = value("partition") {
        return Some(partition.to_owned());
    }
    if let Some(leader) = value("leaderId") {
        return Some(format!("from {leader}"));
    }
    // `Partition clicks-4 broker=1`, `GroupId billing`; prose as in `Transaction State Manager 1` is about nothing.
    let plain: Vec<&str> = words().filter(|word| !word.contains('=')).collect();
    match plain.as_slice() {
        [one] if one.parse::<i64>().is_err() => Some((*one).to_owned()),
        _ => None,
    }
}

fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= ABOUT_CHARS {
        return name.to_owned();
    }
    let half = (ABOUT_CHARS - 1) / 2;
    let end: String = name.chars().skip(count - (ABOUT_CHARS - 1 - half)).collect();
    format!("{}…{end}", first_chars(name, half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::logging::{Level, LogLine, Logger};

    fn row(message: &str, lost_before: u64) -> InRow {
        let (level, logger) = (Level::Info, Logger::KafkaApis);
        let line = LogLine { node_id: 1, at_ms: 0, level, logger, message: message.into(), lost_before };
        in_row(&Entry::new(1, line))
    }

    #[test]
    fn who_speaks_gives_way_to_what_happened() {
        for (message, about, what) in [
            (
                "[GroupCoordinator id=2 topic=__consumer_offsets partition=7] [GroupId billing] Member a joined",
                "billing",
                "Member a joined",
            ),
            ("[GroupCoordinator id=2 topic=__consumer_offsets partition=7] Loaded", "__consumer_offsets-7", "Loaded"),
            ("[Partition clicks-4 broker=1] ISR goes from 1,2 to 1", "clicks-4", "ISR goes from 1,2 to 1"),
            ("[UnifiedLog partition=t-0, dir=/data] Truncating", "t-0", "Truncating"),
            ("[ReplicaFetcher replicaId=1, leaderId=2, fetcherId=0] Lost", "from 2", "Lost"),
            ("[KafkaApi-3] Metadata failed", "", "Metadata failed"),
            ("[RaftManager id=3000] Transition to Leader(epoch=1)", "", "Transition to Leader(epoch=1)"),
            ("[Transaction State Manager 1]: loads", "", "loads"),
            ("[ReplicaFetcherManager on broker 2] Fetched", "", "Fetched"),
            ("Plain words [with brackets] inside", "", "Plain words [with brackets] inside"),
            ("[never closed", "", "[never closed"),
            ("[only a bracket]", "", "[only a bracket]"),
        ] {
            let row = row(message, 0);
            assert_eq!((row.about.as_str(), row.what.as_str()), (about, what));
            assert_eq!(row.spoken, message);
        }
    }

    #[test]
    fn long_names_lose_their_middle() {
        let row = row("[Partition a-topic-with-a-very-long-name.v12-104 broker=1] Leads", 0);
        assert_eq!((row.about.as_str(), row.what.as_str()), ("a-topic-with…-name.v12-104", "Leads"));
        assert_eq!(row.about.chars().count(), ABOUT_CHARS);
    }

    #[test]
    fn rows_are_cut_and_tell_what_was_lost() {
        assert_eq!(row("short", 0).what, "short");
        assert_eq!(row("short", 1).what, "(1 line lost before) short");
        assert_eq!(row("[KafkaApi-1] short", 2).what, "(2 lines lost before) short");
        assert_eq!(row(&"ä".repeat(1_000), 0).what.chars().count(), ROW_CHARS);
    }
}
