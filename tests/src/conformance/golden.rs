//! Kafka's answers in files, one per API, one line per exchange: the key, a tab, the normalised answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::schema::Schemas;
use super::side::Exchange;
use super::{ConformanceError, io};

/// Where they lie in the project.
pub fn dir() -> PathBuf {
    crate::serve::root().join("tests/golden/conformance")
}

/// The exchanges that are kept: all of the sequences, and of the sweeps the well-formed requests at each version and all at the highest.
pub fn chosen(exchanges: &[Exchange]) -> Vec<Exchange> {
    exchanges.iter().filter(|exchange| is_chosen(&exchange.key)).cloned().collect()
}

/// True for the key of an exchange that is kept.
pub fn is_chosen(key: &str) -> bool {
    let mut words = key.splitn(3, ' ');
    let (api, version, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    let highest = api.and_then(|api| Some(Schemas::kafka().request(api)?.versions.max));
    let version = version.and_then(|version| version.trim_start_matches('v').parse().ok());
    !rest.starts_with("each field") || rest.ends_with(": well-formed") || highest == version
}

/// That a config has documentation is a fact to keep; Kafka's words for it are Kafka's.
fn without_documentation(outcome: &Value) -> Value {
    let field = |(key, value): (&String, &Value)| {
        let is_text = key == "Documentation" && value.as_str().is_some_and(|text| !text.is_empty());
        (key.clone(), if is_text { Value::from("documentation") } else { without_documentation(value) })
    };
    match outcome {
        Value::Array(items) => Value::Array(items.iter().map(without_documentation).collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

/// Writes the exchanges.
///
/// # Errors
/// The directory cannot be written.
pub fn write(dir: &Path, exchanges: &[Exchange]) -> Result<(), ConformanceError> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for exchange in exchanges {
        let api = exchange.key.split(' ').next().unwrap_or_default();
        // Writing to a String does not fail.
        let outcome = without_documentation(&exchange.outcome);
        let _ = writeln!(files.entry(api).or_default(), "{}\t{outcome}", exchange.key);
    }
    // What is no longer asked must not stay.
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(io(dir.display().to_string()))?;
    }
    std::fs::create_dir_all(dir).map_err(io(dir.display().to_string()))?;
    for (api, text) in files {
        let file = dir.join(format!("{api}.txt"));
        std::fs::write(&file, text).map_err(io(file.display().to_string()))?;
    }
    Ok(())
}

/// Reads them.
///
/// # Errors
/// They are not there, or not as they were written.
pub fn read(dir: &Path) -> Result<Vec<Exchange>, ConformanceError> {
    let mut exchanges = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io(dir.display().to_string()))? {
        let file = entry.map_err(io(dir.display().to_string()))?.path();
        let text = std::fs::read_to_string(&file).map_err(io(file.display().to_string()))?;
        for line in text.lines() {
            let parsed = line.split_once('\t').and_then(|(key, json)| Some((key, serde_json::from_str(json).ok()?)));
            let Some((key, outcome)) = parsed else {
                return Err(ConformanceError::Codec(format!("{} has a line that is none: {line}", file.display())));
            };
            exchanges.push(Exchange { key: key.to_owned(), outcome });
        }
    }
    Ok(exchanges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kafkas_words_are_not_kept() {
        let entries = |texts: [Value; 3]| json!({"Results": [{"Configs": texts.map(|text| json!({"Documentation": text, "Name": "x"}))}]});
        let told = entries([json!("what Kafka says"), json!(""), Value::Null]);
        assert_eq!(without_documentation(&told), entries([json!("documentation"), json!(""), Value::Null]));
    }
}
