//! What a data directory remembers of its cluster: which one it is, how many controllers and log directories it has, and who its brokers are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::ClusterError;
use super::config::ClusterConfig;
use crate::log::RealDisk;
use crate::log::disk::Disk;
use crate::types::{Id, NodeId};

/// Lies in the data directory, in Java's properties format.
const CLUSTER_FILE: &str = "cluster.properties";
/// It holds a few short lines.
const CLUSTER_FILE_MAX_BYTES: u64 = 64 * 1024;
const OTHER_DIR: &str = "or choose another --data-dir";

/// What is not as the start options would have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its zone.
    pub(super) rack: Option<String>,
    /// Its client port.
    pub(super) port: Option<u16>,
}

/// A controller that is being added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerChange {
    /// It is being made a voter.
    Comes(NodeId),
    /// It is being taken out of the voters, and away.
    Goes(NodeId),
}

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    path: PathBuf,
    pub(super) cluster_id: String,
    /// How many controllers it was founded with: the voters, until the metadata log names them.
    pub(super) founding_controllers: u32,
    /// Controllers, running or not.
    pub(super) controllers: BTreeSet<NodeId>,
    /// kraft.version is 1: the metadata log names the voters.
    pub(super) is_dynamic: bool,
    /// What is under way among them.
    pub(super) controller_change: Option<ControllerChange>,
    log_dirs: u32,
    /// Who belongs to the cluster, running or not.
    pub(super) brokers: BTreeMap<NodeId, Place>,
    /// Which of them is being removed.
    pub(super) leaving: Option<NodeId>,
}

impl Remembered {
    /// Reads which cluster lives in the data directory, or founds one there.
    pub(super) fn settle(config: &ClusterConfig) -> Result<Remembered, ClusterError> {
        let disk = RealDisk::new();
        let path = config.data_dir.join(CLUSTER_FILE);
        let fail = |reason: String| ClusterError::DataDir { path: config.data_dir.clone(), reason };
        disk.create_dir_all(&config.data_dir).map_err(|error| fail(error.to_string()))?;
        if disk.exists(&path) {
            let bytes = disk.read(&path, CLUSTER_FILE_MAX_BYTES).map_err(|error| fail(error.to_string()))?;
            let remembered = Remembered::parse(&String::from_utf8_lossy(&bytes), config, &path).map_err(fail)?;
            // Files from before brokers came and went name none.
            return remembered.save().map(|()| remembered);
        }
        let founded = Remembered {
            path,
            cluster_id: Id::random(&mut rand::rng()).to_string(),
            founding_controllers: config.controllers,
            controllers: config.voters().into_iter().collect(),
            is_dynamic: false,
            controller_change: None,
            log_dirs: config.log_dirs,
            brokers: config.broker_ids().into_iter().map(|id| (id, Place::default())).collect(),
            leaving: None,
        };
        founded.save().map(|()| founded)
    }

    /// Writes the file anew.
    pub(super) fn save(&self) -> Result<(), ClusterError> {
        let reason = |error: std::io::Error| ClusterError::DataDir {
            path: self.path.parent().unwrap_or(&self.path).to_path_buf(),
            reason: error.to_string(),
        };
        RealDisk::new().write_atomically(&self.path, self.content().as_bytes()).map_err(reason)
    }

    fn content(&self) -> String {
        let ids: Vec<String> = self.brokers.keys().map(NodeId::to_string).collect();
        let mut lines = vec![
            format!("cluster.id={}", self.cluster_id),
            format!("controllers={}", self.founding_controllers),
            format!("log.dirs={}", self.log_dirs),
            format!("brokers={}", ids.join(",")),
        ];
        for (id, place) in &self.brokers {
            lines.extend(place.rack.as_ref().map(|rack| format!("broker.{id}.rack={rack}")));
            lines.extend(place.port.map(|port| format!("broker.{id}.port={port}")));
        }
        if self.is_dynamic {
            let ids: Vec<String> = self.controllers.iter().map(NodeId::to_string).collect();
            lines.extend(["kraft.version=1".to_owned(), format!("controller.ids={}", ids.join(","))]);
        }
        lines.extend(self.controller_change.map(|change| match change {
            ControllerChange::Comes(id) => format!("controller.coming={id}"),
            ControllerChange::Goes(id) => format!("controller.going={id}"),
        }));
        lines.extend(self.leaving.map(|id| format!("leaving={id}")));
        lines.join("\n") + "\n"
    }

    fn parse(content: &str, config: &ClusterConfig, path: &Path) -> Result<Remembered, String> {
        let values: BTreeMap<&str, &str> =
            content.lines().filter_map(|line| line.split_once('=')).map(|(key, v)| (key.trim(), v.trim())).collect();
        let cluster_id = *values
            .get("cluster.id")
            .filter(|id| id.parse::<Id>().is_ok())
            .ok_or_else(|| format!("{} names no cluster.id; restore it, {OTHER_DIR}", path.display()))?;
        let count = |key: &str| values.get(key).and_then(|count| count.parse::<u32>().ok());
        let founding_controllers = count("controllers").unwrap_or(config.controllers);
        let founded = ClusterConfig { controllers: founding_controllers, ..config.clone() };
        founded.check().map_err(|error| error.to_string())?;
        let is_dynamic = values.get("kraft.version").is_some_and(|version| *version == "1");
        let controllers: BTreeSet<NodeId> = match values.get("controller.ids").filter(|_| is_dynamic) {
            None => founded.voters().into_iter().collect(),
            Some(list) => parse_controllers(list, config).ok_or_else(|| {
                format!(
                    "{} names controllers that cannot be: controller.ids={list}; restore it, {OTHER_DIR}",
                    path.display()
                )
            })?,
        };
        let changing = |key: &str| values.get(key).and_then(|id| id.parse().ok()).filter(|id| controllers.contains(id));
        let coming = changing("controller.coming").map(ControllerChange::Comes);
        let controller_change = coming.or_else(|| changing("controller.going").map(ControllerChange::Goes));
        let now = controllers.len() as u32;
        if ![founding_controllers, now].contains(&config.controllers) {
            return Err(format!(
                "its quorum has {now} controllers, not {}; start it with --controllers {now}, {OTHER_DIR}",
                config.controllers
            ));
        }
        // Files from before there could be several say nothing.
        let log_dirs = count("log.dirs").unwrap_or(1);
        if log_dirs != config.log_dirs {
            return Err(format!(
                "its brokers have {log_dirs} log directories each, not {}; start it with --log-dirs {log_dirs}, {OTHER_DIR}",
                config.log_dirs
            ));
        }
        let ids = match values.get("brokers") {
            None => config.broker_ids(),
            Some(list) => parse_ids(list, config).ok_or_else(|| {
                format!("{} names brokers that cannot be: brokers={list}; restore it, {OTHER_DIR}", path.display())
            })?,
        };
        let place = |id: NodeId| Place {
            rack: values.get(format!("broker.{id}.rack").as_str()).map(|rack| (*rack).to_owned()),
            port: values.get(format!("broker.{id}.port").as_str()).and_then(|port| port.parse().ok()),
        };
        let leaving = values.get("leaving").and_then(|id| id.parse().ok()).filter(|id| ids.contains(id));
        Ok(Remembered {
            path: path.to_path_buf(),
            cluster_id: cluster_id.to_owned(),
            founding_controllers,
            controllers,
            is_dynamic,
            controller_change,
            log_dirs,
            brokers: ids.into_iter().map(|id| (id, place(id))).collect(),
            leaving,
        })
    }

    /// One sentence, where the brokers are not those that `--brokers` asks for.
    pub(super) fn differs_from(&self, config: &ClusterConfig) -> Option<String> {
        let kept: Vec<NodeId> = self.brokers.keys().copied().collect();
        (kept != config.broker_ids()).then(|| {
            let kept: Vec<String> = kept.iter().map(NodeId::to_string).collect();
            format!(
                "the data directory remembers the brokers {}; they are started, whatever --brokers says (it is {})",
                kept.join(", "),
                config.brokers
            )
        })
    }
}

fn parse_controllers(list: &str, config: &ClusterConfig) -> Option<BTreeSet<NodeId>> {
    let possible = config.possible_controller_ids();
    let id = |id: &str| id.trim().parse().ok().filter(|id| possible.contains(id));
    let ids = list.split(',').map(id).collect::<Option<BTreeSet<NodeId>>>()?;
    (!ids.is_empty()).then_some(ids)
}

/// At least one, each once, in range.
fn parse_ids(list: &str, config: &ClusterConfig) -> Option<Vec<NodeId>> {
    let mut ids = list
        .split(',')
        .map(|id| id.trim().parse().ok().filter(|id| config.possible_broker_ids().contains(id)))
        .collect::<Option<Vec<NodeId>>>()?;
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    (!ids.is_empty() && ids.len() == all).then_some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(controllers: u32, log_dirs: u32) -> ClusterConfig {
        ClusterConfig { controllers, log_dirs, ..super::super::config::tests::config() }
    }

    fn parse(content: &str, controllers: u32, log_dirs: u32) -> Result<Remembered, String> {
        Remembered::parse(content, &config(controllers, log_dirs), Path::new("/data/cluster.properties"))
    }

    const GOOD: &str = "cluster.id=AAAAAAAAAAAAAAAAAAAAAQ\ncontrollers=3\n";

    #[test]
    fn a_data_dir_remembers_its_cluster() {
        let remembered = parse(GOOD, 3, 1).unwrap();
        assert_eq!(remembered.cluster_id, "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(remembered.differs_from(&config(3, 1)), None, "a file from before brokers came and went");
        assert!(parse(GOOD, 1, 1).is_err_and(|reason| reason.contains("--controllers 3")));
        assert!(parse(GOOD, 3, 2).is_err_and(|reason| reason.contains("--log-dirs 1")));
        let two = format!("{GOOD}log.dirs=2\n");
        assert!(parse(&two, 3, 2).is_ok() && parse(&two, 3, 1).is_err());
        assert!(parse("cluster.id=../..\n", 3, 1).is_err());
        assert!(parse("", 3, 1).is_err());
    }

    #[test]
    fn a_data_dir_remembers_its_controllers() {
        let remembered = parse(GOOD, 3, 1).unwrap();
        assert_eq!(remembered.controllers, BTreeSet::from([3000, 3001, 3002]));
        let content = format!("{GOOD}kraft.version=1\ncontroller.ids=3001,3003,3004,3005\n");
        for asked in [3, 4] {
            let remembered = parse(&content, asked, 1).unwrap();
            assert_eq!(remembered.controllers, BTreeSet::from([3001, 3003, 3004, 3005]));
            assert_eq!((remembered.founding_controllers, remembered.is_dynamic), (3, true));
            assert_eq!(parse(&remembered.content(), 3, 1), Ok(remembered.clone()));
        }
        for change in [ControllerChange::Comes(3005), ControllerChange::Goes(3001)] {
            let changing = Remembered { controller_change: Some(change), ..parse(&content, 3, 1).unwrap() };
            assert_eq!(parse(&changing.content(), 3, 1), Ok(changing));
        }
        assert!(parse(&content, 5, 1).is_err_and(|reason| reason.contains("--controllers 4")));
        for wrong in ["", "1", "3000,x", "3014"] {
            assert!(parse(&format!("{GOOD}kraft.version=1\ncontroller.ids={wrong}\n"), 3, 1).is_err(), "{wrong}");
        }
        assert!(parse("cluster.id=AAAAAAAAAAAAAAAAAAAAAQ\ncontrollers=99\n", 3, 1).is_err());
    }

    #[test]
    fn a_data_dir_remembers_its_brokers() {
        let content = format!("{GOOD}log.dirs=1\nbrokers=2,4\nbroker.4.rack=b\nbroker.4.port=19095\nleaving=2\n");
        let remembered = parse(&content, 3, 1).unwrap();
        let place = Place { rack: Some("b".into()), port: Some(19095) };
        assert_eq!(remembered.brokers, BTreeMap::from([(2, Place::default()), (4, place)]));
        assert_eq!(remembered.leaving, Some(2));
        assert_eq!(parse(&remembered.content(), 3, 1), Ok(remembered.clone()));
        let said = remembered.differs_from(&config(3, 1)).unwrap();
        assert!(said.contains("brokers 2, 4;") && said.contains("(it is 3)"), "{said}");
        for wrong in ["", "0", "1,1", "1,x", "3000", "-2", "1,31"] {
            assert!(parse(&format!("{GOOD}brokers={wrong}\n"), 3, 1).is_err(), "{wrong}");
        }
    }
}
