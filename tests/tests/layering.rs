//! Imports run one way (design.md, section 2), and nobody but `protocol` names the codec.

#![allow(clippy::unwrap_used, reason = "what a test unwraps is what it checks")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms of the broker, bottom first: each may import those before it.
const BROKER: [&str; 22] = [
    "types",
    "planted",
    "metrics",
    "logging",
    "records",
    "log",
    "protocol",
    "metadata",
    "quota",
    "telemetry",
    "quorum",
    "controller",
    "replica",
    "group",
    "transaction",
    "share_state",
    "share",
    "server",
    "node",
    "fault",
    "cluster",
    "lib",
];

/// Rooms of the app, and what each may import.
const APP: [(&str, &[&str]); 10] = [
    ("monitor", &["monitor"]),
    ("ledger", &["ledger", "monitor"]),
    ("ui", &["ui", "monitor"]),
    ("client", &["client", "monitor"]),
    ("source", &["source", "client", "monitor", "workload", "ledger"]),
    ("workload", &["workload", "monitor", "ledger"]),
    ("http", &["http", "monitor"]),
    ("cli", &["cli", "monitor"]),
    ("program", &["program", "monitor", "ui", "source", "workload", "http", "cli", "ledger"]),
    ("main", &["program", "cli", "main"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join(" ")
}

fn first_name(path: &str) -> &str {
    path.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Names that open a path at the first level of `{a::X, b::{Y, Z}}` (given without the opening brace).
fn names_of_list(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.push(first_name(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

/// (file, room, room that it imports) for each `crate::…`.
fn imports(crate_dir: &str) -> Vec<(PathBuf, String, String)> {
    let src = root().join(crate_dir).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(!files.is_empty(), "{} has no sources", src.display());
    let mut imports = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let room = first.trim_end_matches(".rs").to_string();
        let code = code_of(&file);
        for (at, opening) in code.match_indices("crate::") {
            let rest = &code[at + opening.len()..];
            let names = match rest.trim_start().strip_prefix('{') {
                Some(list) => names_of_list(list),
                None => vec![first_name(rest)],
            };
            imports.extend(names.into_iter().map(|name| (file.clone(), room.clone(), name.to_string())));
        }
    }
    imports
}

#[test]
fn lists_of_imports_are_understood() {
    assert_eq!(names_of_list("a::X, b::{Y, Z}, c} rest, d"), ["a", "b", "c"]);
}

#[test]
fn the_broker_imports_downwards_only() {
    let height = |room: &str| BROKER.iter().position(|name| *name == room);
    let mut wrong = Vec::new();
    for (file, room, imported) in imports("broker") {
        let here = height(&room).unwrap_or_else(|| panic!("{room} is no room: add it to the order"));
        // What is no room (a macro, a re-export at the top) has no height.
        if height(&imported).is_some_and(|there| there > here) {
            wrong.push(format!("{}: {room} imports {imported}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_app_imports_one_way() {
    let mut wrong = Vec::new();
    for (file, room, imported) in imports("app") {
        let Some((_, allowed)) = APP.iter().find(|(name, _)| *name == room) else { continue };
        let is_room = APP.iter().any(|(name, _)| *name == imported);
        if is_room && !allowed.contains(&imported.as_str()) {
            wrong.push(format!("{}: {room} imports {imported}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_protocol_names_the_codec() {
    let mut files = Vec::new();
    sources(&root().join("broker/src"), &mut files);
    sources(&root().join("app/src"), &mut files);
    for file in files {
        let is_protocol = file.components().any(|part| part.as_os_str() == "protocol");
        assert!(
            is_protocol || !code_of(&file).contains("kacrab_protocol"),
            "{} names the codec; go through crate::protocol",
            file.display()
        );
    }
}

#[test]
fn every_room_says_what_it_is_for() {
    for crate_dir in ["broker", "app"] {
        for entry in fs::read_dir(root().join(crate_dir).join("src")).unwrap() {
            let dir = entry.unwrap().path();
            if dir.is_dir() {
                let text = fs::read_to_string(dir.join("mod.rs")).unwrap();
                let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
                assert!(head.len() > 60, "{}/mod.rs says too little about its room", dir.display());
            }
        }
    }
}
