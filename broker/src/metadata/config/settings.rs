//! What a node was started with, as it may be told, written down and read back. What is secret is left out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use borsh::{BorshDeserialize, BorshSerialize};

use super::alter::{HIDDEN, def_of};
use super::{ConfigDef, ConfigError, NodeConfig, RESOURCE_BROKER};
use crate::metadata::image::Configs;
use crate::types::NodeId;

/// A node's configuration as of its start: with the image this tells all of its configs ([`crate::server::describe_configs::describe`]).
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// As [`NodeConfig::node_id`].
    pub node_id: NodeId,
    /// As [`NodeConfig::cluster_id`].
    pub cluster_id: String,
    /// As [`NodeConfig::rack`].
    pub rack: Option<String>,
    /// As [`NodeConfig::host`].
    pub host: String,
    /// As [`NodeConfig::port`].
    pub port: u16,
    /// As [`NodeConfig::log_dirs`].
    pub log_dirs: Vec<String>,
    /// As [`NodeConfig::voters`].
    pub voters: Vec<NodeId>,
    /// As [`NodeConfig::controllers`].
    pub controllers: Vec<NodeId>,
    /// Kafka's own keys, as they were set.
    pub overrides: BTreeMap<String, String>,
}

impl NodeSettings {
    /// The configuration again.
    ///
    /// # Errors
    /// A key or a value is none of Kafka's: nobody was started with that.
    pub fn config(&self) -> Result<NodeConfig, ConfigError> {
        let mut config = NodeConfig::new(self.node_id, self.cluster_id.as_str(), self.overrides.clone())?;
        config.rack.clone_from(&self.rack);
        config.host.clone_from(&self.host);
        config.port = self.port;
        config.log_dirs = self.log_dirs.iter().map(PathBuf::from).collect();
        config.voters.clone_from(&self.voters);
        config.controllers.clone_from(&self.controllers);
        Ok(config)
    }
}

impl From<&NodeConfig> for NodeSettings {
    fn from(config: &NodeConfig) -> NodeSettings {
        NodeSettings {
            node_id: config.node_id,
            cluster_id: config.cluster_id.clone(),
            rack: config.rack.clone(),
            host: config.host.clone(),
            port: config.port,
            log_dirs: config.log_dirs.iter().map(|dir| dir.display().to_string()).collect(),
            voters: config.voters.clone(),
            controllers: config.controllers.clone(),
            overrides: without_secrets(RESOURCE_BROKER, config.overrides()),
        }
    }
}

/// Configs of one resource, with `[hidden]` in place of what is secret, or is of no known key.
pub fn without_secrets(resource_type: i8, configs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let told = |key: &str, value: &str| {
        let is_secret = def_of(resource_type, key).is_none_or(ConfigDef::sensitive);
        if is_secret { HIDDEN.to_owned() } else { value.to_owned() }
    };
    configs.iter().map(|(key, value)| (key.clone(), told(key, value))).collect()
}

/// All that is set while nodes run, without what is secret.
pub fn all_without_secrets(configs: &Configs) -> Configs {
    let hidden = |kind: i8, configs: &BTreeMap<String, String>| without_secrets(kind, configs).into();
    configs.iter().map(|((kind, name), configs)| ((*kind, name.clone()), hidden(*kind, configs))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_told_and_made_again_but_for_secrets() {
        let set = [("log.retention.ms", "1000"), ("ssl.key.password", "geheim")];
        let overrides = set.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut config = NodeConfig::new(1, "c", overrides).unwrap();
        (config.rack, config.port) = (Some("a".into()), 9092);
        (config.log_dirs, config.voters) = (vec!["/d".into()], vec![3000]);
        let settings = NodeSettings::from(&config);
        let bytes = borsh::to_vec(&settings).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("geheim"));
        let again = borsh::from_slice::<NodeSettings>(&bytes).unwrap().config().unwrap();
        assert_eq!(NodeSettings::from(&again), settings);
        let mut expected = config.static_configs();
        expected.insert("ssl.key.password".into(), HIDDEN.into());
        assert_eq!(again.static_configs(), expected);
    }

    #[test]
    fn what_nobody_was_started_with_is_refused() {
        let overrides = BTreeMap::from([("no.such.key".to_owned(), "1".to_owned())]);
        assert!(NodeSettings { overrides, ..NodeSettings::default() }.config().is_err());
    }
}
