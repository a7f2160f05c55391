//! Kafka's message definitions (JSON with comments, in its clients' jar) to the facts in `schemas.txt`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{ConformanceError, io};

const HEAD: &str = "# The facts of Apache Kafka 4.3's message definitions; made by `conformance --write-schemas`.\n";

/// Reads all requests and responses in the jar.
///
/// # Errors
/// `unzip` is not there, or a definition is not as expected.
pub fn from_jar(jar: &Path) -> Result<String, ConformanceError> {
    let dir = tempfile::tempdir().map_err(io("no temporary directory"))?;
    let unzip = Command::new("unzip").arg("-qo").arg(jar).arg("common/message/*").arg("-d").arg(dir.path()).status();
    if !unzip.map_err(io("unzip does not start"))?.success() {
        return Err(ConformanceError::Step(format!("{} could not be unpacked", jar.display())));
    }
    let mut messages = Vec::new();
    let listed = std::fs::read_dir(dir.path().join("common/message")).map_err(io("the definitions"))?;
    for entry in listed {
        let path = entry.map_err(io("the definitions"))?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(io(path.display().to_string()))?;
        let json: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let definition: Value = serde_json::from_str(&json)
            .map_err(|error| ConformanceError::Codec(format!("{}: {error}", path.display())))?;
        messages.extend(message(&definition));
    }
    messages.sort();
    let bodies: String = messages.into_iter().map(|(_, _, text)| text).collect();
    Ok(format!("{HEAD}{bodies}"))
}

fn message(definition: &Value) -> Option<(i64, String, String)> {
    let direction = definition["type"].as_str().filter(|kind| ["request", "response"].contains(kind))?;
    let key = definition["apiKey"].as_i64()?;
    let name = definition["name"].as_str()?;
    let api = name.trim_end_matches("Request").trim_end_matches("Response");
    let versions = definition["validVersions"].as_str().filter(|versions| *versions != "none")?;
    let versions = stable(versions, definition["latestVersionUnstable"] == true);
    let flexible = definition["flexibleVersions"].as_str().unwrap_or("none");
    let mut text = format!("{api} {key} {direction} {versions} {flexible}\n");
    fields(&definition["fields"], &definition["commonStructs"], 1, &mut text);
    Some((key, direction.to_owned(), text))
}

/// Without the last one, if that is not offered yet.
fn stable(versions: &str, unstable: bool) -> String {
    match versions.split_once('-').and_then(|(min, max)| Some((min, max.parse::<i16>().ok()?))) {
        Some((min, max)) if unstable => format!("{min}-{}", max - 1),
        _ => versions.to_owned(),
    }
}

fn fields(list: &Value, common: &Value, depth: usize, text: &mut String) {
    for field in list.as_array().into_iter().flatten() {
        let word = |key: &str| field[key].as_str();
        let kind = word("type").unwrap_or_default();
        let line = [word("name").unwrap_or_default(), kind, word("versions").unwrap_or("0+")].join(" ");
        text.push_str(&format!("{}{line}", " ".repeat(depth)));
        if let Some(versions) = word("nullableVersions") {
            text.push_str(&format!(" null:{versions}"));
        }
        match &field["default"] {
            Value::Null => {}
            Value::String(value) if value.is_empty() => {}
            Value::String(value) => text.push_str(&format!(" default:{value}")),
            other => text.push_str(&format!(" default:{other}")),
        }
        if let (Some(tag), Some(versions)) = (field["tag"].as_i64(), word("taggedVersions")) {
            text.push_str(&format!(" tag:{tag}/{versions}"));
        }
        if let Some(entity) = word("entityType") {
            text.push_str(&format!(" entity:{entity}"));
        }
        text.push('\n');
        let bare = kind.trim_start_matches("[]");
        let shared = common.as_array().into_iter().flatten().find(|one| one["name"] == bare);
        let nested = if field["fields"].is_array() {
            &field["fields"]
        } else {
            shared.map_or(&Value::Null, |one| &one["fields"])
        };
        fields(nested, common, depth + 1, text);
    }
}
