//! Files that a person names: what is written to them, and what is read from them. Data and its text forms; whoever runs the cluster opens them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

/// Longer text than this is not read for a screen, bytes.
pub const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Something to be written to a file; one that is there is replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct Save {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Content,
}

/// What a file gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This text.
    Text(Arc<str>),
    /// A table.
    Table(Arc<Sheet>, SheetFormat),
}

/// A table's cells as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What it shows, in a word: `topics`.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, each with a cell for each column.
    pub rows: Vec<Vec<String>>,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SheetFormat {
    /// Comma-separated values (RFC 4180), with a line of names.
    #[default]
    Csv,
    /// An array of objects.
    Json,
}

impl Content {
    /// Its bytes.
    pub fn encode(&self) -> String {
        match self {
            Content::Text(text) => text.to_string(),
            Content::Table(sheet, SheetFormat::Csv) => {
                let mut out = String::new();
                csv_line(&mut out, sheet.columns.iter().map(String::as_str));
                for row in &sheet.rows {
                    csv_line(&mut out, row.iter().map(String::as_str));
                }
                out
            }
            Content::Table(sheet, SheetFormat::Json) => {
                let object = |row: &Vec<String>| -> Map<String, Value> {
                    sheet.columns.iter().zip(row).map(|(name, cell)| (name.clone(), json_cell(cell))).collect()
                };
                let mut out = String::from("[");
                for (index, row) in sheet.rows.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let _ = write!(out, "{comma}\n  {}", Value::Object(object(row)));
                }
                out.push_str("\n]\n");
                out
            }
        }
    }
}

/// A whole number is one in JSON too.
fn json_cell(cell: &str) -> Value {
    match cell.parse::<i64>() {
        Ok(number) if number.to_string() == cell => Value::from(number),
        _ => Value::from(cell),
    }
}

/// One line of RFC 4180: quoted where it must be.
pub fn csv_line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_as_csv_and_as_json() {
        let sheet = Arc::new(Sheet {
            name: "topics".into(),
            columns: vec!["Topic".into(), "Size".into()],
            rows: vec![vec!["a,b \"c\"\nd".into(), "12".into()], vec!["x".into(), "007".into()]],
        });
        let csv = Content::Table(sheet.clone(), SheetFormat::Csv).encode();
        assert_eq!(csv, "Topic,Size\r\n\"a,b \"\"c\"\"\nd\",12\r\nx,007\r\n");
        let json = Content::Table(sheet, SheetFormat::Json).encode();
        let told: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(told[0]["Size"], 12);
        assert_eq!((&told[0]["Topic"], &told[1]["Size"]), (&Value::from("a,b \"c\"\nd"), &Value::from("007")));
        let empty = Content::Table(Arc::default(), SheetFormat::Json).encode();
        assert_eq!(serde_json::from_str::<Value>(&empty).unwrap(), Value::Array(Vec::new()));
    }
}
