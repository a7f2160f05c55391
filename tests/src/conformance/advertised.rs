//! The list of the APIs that we advertise against Kafka's own, for the broker's README.

use std::fmt::Write as _;
use std::path::PathBuf;

use broker::protocol::Api;

use super::schema::{Message, Schemas, Versions};
use super::{ConformanceError, io};

const BEGIN: &str = "<!-- made by `conformance --write-apis` -->\n";
const END: &str = "<!-- end -->\n";

/// APIs between nodes: not a client's. 83 to 87 are the share coordinator's.
const BETWEEN_NODES: &[i16] = &[52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 83, 84, 85, 86, 87];

fn versions(versions: Versions) -> String {
    if versions.min == versions.max { versions.min.to_string() } else { format!("{}-{}", versions.min, versions.max) }
}

/// The table: each client-facing API of Kafka 4.3 with its versions, and ours.
pub fn table() -> String {
    let mut kafka: Vec<&Message> =
        Schemas::kafka().requests().filter(|message| !BETWEEN_NODES.contains(&message.key)).collect();
    kafka.sort_by_key(|message| message.key);
    let offered = kafka.iter().filter(|message| Api::from_key(message.key).is_some()).count();
    let mut text =
        format!("{offered} of {} are offered:\n\n| key | API | Kafka 4.3 | ours |\n|---|---|---|---|\n", kafka.len());
    for message in kafka {
        let ours = Api::from_key(message.key)
            .map_or("–".to_owned(), |api| versions(Versions { min: api.min_version(), max: api.max_version() }));
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} | {} | {} | {ours} |", message.key, message.api, versions(message.versions));
    }
    text
}

fn file() -> PathBuf {
    crate::serve::root().join("broker/README.md")
}

/// The table as it stands in the README.
///
/// # Errors
/// There is none.
pub fn written() -> Result<String, ConformanceError> {
    let text = std::fs::read_to_string(file()).map_err(io("broker/README.md"))?;
    let table = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let table = table.map(|(table, _)| table.to_owned());
    table.ok_or_else(|| ConformanceError::Step("broker/README.md has no place for the list of APIs".into()))
}

/// Writes the table into the README.
///
/// # Errors
/// It has no place for it.
pub fn write() -> Result<(), ConformanceError> {
    let old = written()?;
    let text = std::fs::read_to_string(file()).map_err(io("broker/README.md"))?;
    let new = text.replace(&format!("{BEGIN}{old}{END}"), &format!("{BEGIN}{}{END}", table()));
    std::fs::write(file(), new).map_err(io("broker/README.md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_list_as_the_code_has_it() {
        let told = written().expect("the README has the list");
        assert_eq!(told, table(), "run `cargo run -p tests --bin conformance -- --write-apis`");
        assert!(told.contains("of 72 are offered"), "{}", told.lines().next().unwrap_or_default());
    }
}
