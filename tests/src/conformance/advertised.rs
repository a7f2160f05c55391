//! Tables that the READMEs have from the code: the APIs that we advertise against Kafka's own, the differences that have a reason, and the
//! errors that the golden files have.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use broker::protocol::Api;

use super::known::KNOWN;
use super::schema::{Message, Schemas, Versions};
use super::{ConformanceError, golden, io, sources};

const BEGIN: &str = "<!-- made by `conformance --write-tables` -->\n";
const BEGIN_ERRORS: &str = "<!-- error codes, made by `conformance --write-tables` -->\n";
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

/// The table of differences that have a reason.
pub fn explained() -> String {
    let mut text = String::from("| difference | reason |\n|---|---|\n");
    for known in KNOWN {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} | {} |", known.id, known.reason);
    }
    text
}

/// Each table, the file that it stands in, and the line before it.
fn tables() -> Result<[(PathBuf, &'static str, String); 3], ConformanceError> {
    let root = crate::serve::root();
    let errors = sources::table(&golden::read(&golden::dir())?);
    let (broker, tests) = (root.join("broker/README.md"), root.join("tests/README.md"));
    Ok([(broker, BEGIN, table()), (tests.clone(), BEGIN, explained()), (tests, BEGIN_ERRORS, errors)])
}

/// The table as it stands in a file behind such a line.
fn written(file: &Path, begin: &str) -> Result<String, ConformanceError> {
    let text = std::fs::read_to_string(file).map_err(io(file.display().to_string()))?;
    let table = text.split_once(begin).and_then(|(_, rest)| rest.split_once(END));
    let table = table.map(|(table, _)| table.to_owned());
    table.ok_or_else(|| ConformanceError::Step(format!("{} has no place for the table", file.display())))
}

/// Writes the tables into the READMEs.
///
/// # Errors
/// One has no place for its table, or there are no golden files.
pub fn write() -> Result<(), ConformanceError> {
    for (file, begin, table) in tables()? {
        let old = written(&file, begin)?;
        let text = std::fs::read_to_string(&file).map_err(io(file.display().to_string()))?;
        let new = text.replace(&format!("{begin}{old}{END}"), &format!("{begin}{table}{END}"));
        std::fs::write(&file, new).map_err(io(file.display().to_string()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readmes_have_the_tables_as_the_code_has_them() {
        for (file, begin, table) in tables().expect("the golden files are there") {
            let told = written(&file, begin).expect("the README has the table");
            assert_eq!(told, table, "run `cargo run -p tests --bin conformance -- --write-tables`");
        }
        assert!(table().contains("of 72 are offered"), "{}", table().lines().next().unwrap_or_default());
    }
}
