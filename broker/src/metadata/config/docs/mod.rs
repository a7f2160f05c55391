//! What each config key is for, as DescribeConfigs tells it: one to three sentences in our own words, with the unit, the values that mean
//! something special, and whether the key has an effect here at all. One meaning has one text: a topic's or a group's config that only
//! takes over a broker's shares its text. Knows the definitions, and nothing of what reads the values.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::def::ConfigDef;

mod groups;
mod logs;
mod node;
mod quorum;
mod remote;
mod resources;
mod security;
mod share;
mod streams;
mod transactions;

/// Each part is sorted by key.
const PARTS: [&[(&str, &str)]; 10] = [
    groups::TEXTS,
    logs::TEXTS,
    node::TEXTS,
    quorum::TEXTS,
    remote::TEXTS,
    resources::TEXTS,
    security::TEXTS,
    share::TEXTS,
    streams::TEXTS,
    transactions::TEXTS,
];

static TEXTS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| PARTS.concat().into_iter().collect());

impl ConfigDef {
    /// What it is for. None for what can be set while the cluster runs only (`Update::DynamicOnly`): Kafka's `KafkaConfig` does not define
    /// these, so that it has nothing to say of them either.
    pub fn documentation(&self) -> Option<&'static str> {
        let text = |key: &str| TEXTS.get(key).copied();
        text(self.name).or_else(|| text(self.broker_synonyms.first()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::super::def::Update;
    use super::super::table::{broker_defs, client_metrics_defs, group_defs, topic_defs};
    use super::*;

    const NO_EFFECT: &str = "without effect here";

    fn all_defs() -> impl Iterator<Item = &'static ConfigDef> {
        [broker_defs(), topic_defs(), group_defs(), client_metrics_defs()].into_iter().flatten()
    }

    #[test]
    fn every_definition_has_a_text() {
        for def in all_defs() {
            let Some(text) = def.documentation() else {
                assert_eq!(def.update, Update::DynamicOnly, "{} has no text", def.name);
                continue;
            };
            assert_ne!(def.update, Update::DynamicOnly, "{}", def.name);
            assert!(text.len() < 500, "{} is told at too great length", def.name);
            assert!(text.ends_with('.') && text.starts_with(|c: char| c.is_ascii_uppercase()), "{}: {text}", def.name);
            assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}: {text}", def.name);
            assert!(!text.contains("  ") && !text.contains('<'), "{}: {text}", def.name);
        }
    }

    #[test]
    fn every_text_has_a_definition() {
        let defined: BTreeSet<&str> = all_defs().map(|def| def.name).collect();
        for part in PARTS {
            assert!(part.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(part.iter().all(|(key, _)| defined.contains(key)), "{part:?}");
        }
        assert_eq!(TEXTS.len(), PARTS.concat().len(), "a key has two texts");
        let distinct: BTreeSet<&&str> = TEXTS.values().collect();
        assert_eq!(distinct.len(), TEXTS.len(), "two keys have one text");
    }

    #[test]
    fn what_takes_over_a_brokers_config_shares_its_text() {
        let text_of = |defs: &[ConfigDef], key: &str| defs.iter().find(|def| def.name == key).unwrap().documentation();
        for (topic, broker, shares) in [
            ("cleanup.policy", "log.cleanup.policy", true),
            ("min.insync.replicas", "min.insync.replicas", true),
            ("retention.ms", "log.retention.ms", false),
        ] {
            assert_eq!(text_of(topic_defs(), topic) == text_of(broker_defs(), broker), shares, "{topic}");
        }
        let (group, broker) = ("consumer.session.timeout.ms", "group.consumer.session.timeout.ms");
        assert_eq!(text_of(group_defs(), group), text_of(broker_defs(), broker));
    }

    fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                sources(&path, found);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }

    /// Who makes a key act has to change its text.
    #[test]
    fn nothing_reads_what_is_said_to_have_no_effect() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        files.retain(|file| !file.starts_with(root.join("metadata/config")));
        assert!(files.len() > 100);
        let idle = TEXTS.iter().filter(|(_, text)| text.contains(NO_EFFECT)).map(|(key, _)| format!("\"{key}\""));
        let idle: Vec<String> = idle.collect();
        assert!(idle.len() > 100);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let read = idle.iter().find(|key| text.contains(key.as_str()));
            let (place, here) = (file.display(), module_path!());
            assert!(read.is_none(), "{place} reads {read:?}, whose text in {here} says that it has no effect");
        }
    }
}
