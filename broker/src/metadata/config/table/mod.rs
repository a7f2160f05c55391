//! The tables. Generated once from Kafka 4.3's config definitions; each part is sorted by name.

use std::sync::LazyLock;

use super::def::ConfigDef;

mod groups;
mod logs;
mod node;
mod resources;
mod security;

static BROKER: LazyLock<Vec<ConfigDef>> = LazyLock::new(|| {
    let mut all = [groups::CONFIGS, logs::CONFIGS, node::CONFIGS, security::CONFIGS].concat();
    all.sort_unstable_by_key(|def| def.name);
    all
});

/// All broker configs, sorted by name.
pub fn broker_defs() -> &'static [ConfigDef] {
    &BROKER
}

/// All topic configs, sorted by name.
pub fn topic_defs() -> &'static [ConfigDef] {
    resources::TOPIC
}

/// All group configs, sorted by name.
pub fn group_defs() -> &'static [ConfigDef] {
    resources::GROUP
}

/// All client metrics configs, sorted by name.
pub fn client_metrics_defs() -> &'static [ConfigDef] {
    resources::CLIENT_METRICS
}

/// A broker config by name.
pub fn broker_def(name: &str) -> Option<&'static ConfigDef> {
    broker_index(name).map(|index| &BROKER[index])
}

/// A topic config by name.
pub fn topic_def(name: &str) -> Option<&'static ConfigDef> {
    let index = resources::TOPIC.binary_search_by_key(&name, |def| def.name).ok()?;
    Some(&resources::TOPIC[index])
}

pub(super) fn broker_index(name: &str) -> Option<usize> {
    BROKER.binary_search_by_key(&name, |def| def.name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_complete() {
        for table in [broker_defs(), topic_defs(), group_defs(), client_metrics_defs()] {
            assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
        let counts = [broker_defs().len(), topic_defs().len(), group_defs().len(), client_metrics_defs().len()];
        assert_eq!(counts, BROKER_TOPIC_GROUP_CLIENT);
    }

    #[test]
    fn every_default_passes_its_own_check() {
        for def in [broker_defs(), topic_defs(), group_defs(), client_metrics_defs()].concat() {
            if let Some(default) = def.default {
                let value = def.parse(default).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(value.to_text().as_deref(), Some(default), "{}", def.name);
            }
        }
    }

    #[test]
    fn synonyms_exist() {
        for def in topic_defs() {
            for synonym in def.broker_synonyms {
                assert!(broker_def(synonym).is_some(), "{synonym}");
            }
        }
    }

    const BROKER_TOPIC_GROUP_CLIENT: [usize; 4] = [363, 34, 17, 3];
}
