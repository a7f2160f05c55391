//! What a cluster is made of.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ClusterError;
use super::remembered::Place;
use crate::metadata::config::{NodeConfig, cap_replication, profile_overrides};
use crate::types::NodeId;

/// Controllers are numbered from here, as MSK keeps them apart from brokers.
pub const FIRST_CONTROLLER_ID: NodeId = 3000;

/// Most brokers: their zones are named by letters, and one process has to carry them all.
const BROKERS_MAX: u32 = 30;
/// Most controllers.
const CONTROLLERS_MAX: u32 = 7;
/// Most log directories of a broker.
const LOG_DIRS_MAX: u32 = 16;
/// Most zones: one letter each.
const ZONES_MAX: u32 = 26;

/// A set of timings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Profile {
    /// Short time-outs, so that a kill shows within two seconds.
    #[default]
    Lab,
    /// Apache Kafka's defaults.
    Kafka,
    /// Amazon MSK's defaults.
    Msk,
}

impl Profile {
    /// `lab`, `kafka` or `msk`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Lab => "lab",
            Profile::Kafka => "kafka",
            Profile::Msk => "msk",
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Profile, String> {
        [Profile::Lab, Profile::Kafka, Profile::Msk]
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| format!("'{text}' is no profile: lab, kafka or msk"))
    }
}

/// A cluster to be started.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Brokers 1 to N, at the first start; later ones are remembered by the data directory.
    pub brokers: u32,
    /// Controllers 3000 to 3000+N-1.
    pub controllers: u32,
    /// Zones a, b, c, …; broker i stands in zone (i-1) mod zones.
    pub zones: u32,
    /// Log directories of each broker (JBOD): `broker-1` itself if it is one, else `broker-1/disk-1` and so on.
    pub log_dirs: u32,
    /// Where the data lives; what is there is used.
    pub data_dir: PathBuf,
    /// Broker i listens on `kafka_port`+i-1; 0: any free ports.
    pub kafka_port: u16,
    /// Address to listen on and to advertise.
    pub bind: IpAddr,
    /// Timings.
    pub profile: Profile,
    /// Kafka's own broker keys.
    pub overrides: BTreeMap<String, String>,
}

impl ClusterConfig {
    /// Refuses what cannot be built.
    pub(super) fn check(&self) -> Result<(), ClusterError> {
        let ranges = [
            ("--brokers", self.brokers, BROKERS_MAX),
            ("--controllers", self.controllers, CONTROLLERS_MAX),
            ("--zones", self.zones, ZONES_MAX),
            ("--log-dirs", self.log_dirs, LOG_DIRS_MAX),
        ];
        for (what, given, max) in ranges {
            if given < 1 || given > max {
                return Err(ClusterError::OutOfRange { what, min: 1, max, given });
            }
        }
        Ok(())
    }

    /// Ids of the controllers.
    pub(super) fn voters(&self) -> Vec<NodeId> {
        (0..self.controllers).map(|index| FIRST_CONTROLLER_ID + index as NodeId).collect()
    }

    /// Ids of the brokers.
    pub(super) fn broker_ids(&self) -> Vec<NodeId> {
        (1..=self.brokers).map(|index| index as NodeId).collect()
    }

    /// Ids that a broker may have.
    pub(super) fn possible_broker_ids(&self) -> RangeInclusive<NodeId> {
        1..=BROKERS_MAX as NodeId
    }

    /// Ids that a controller may have: more than there may be at a time, so that all can be replaced.
    pub(super) fn possible_controller_ids(&self) -> RangeInclusive<NodeId> {
        FIRST_CONTROLLER_ID..=FIRST_CONTROLLER_ID + 2 * CONTROLLERS_MAX as NodeId - 1
    }

    /// Refuses too many of them.
    pub(super) fn check_controllers(&self, count: usize) -> Result<(), ClusterError> {
        match u32::try_from(count) {
            Ok(count) if count <= CONTROLLERS_MAX => Ok(()),
            _ => Err(ClusterError::Refused(format!(
                "there are {CONTROLLERS_MAX} controllers already; a cluster here has no more"
            ))),
        }
    }

    /// Zone of a broker, unless it was put elsewhere.
    pub(super) fn zone(&self, broker: NodeId) -> String {
        zone_name((broker as u32 - 1) % self.zones)
    }

    /// All zones.
    pub(super) fn zone_names(&self) -> impl Iterator<Item = String> {
        (0..self.zones).map(zone_name)
    }

    /// Client port of a broker; 0: any free one.
    pub(super) fn port_of(&self, broker: NodeId, place: &Place) -> Result<u16, ClusterError> {
        match (place.port, self.kafka_port) {
            (Some(port), _) => Ok(port),
            (None, 0) => Ok(0),
            (None, first) => u16::try_from(u32::from(first) + broker as u32 - 1).map_err(|_| {
                ClusterError::Config(format!("--kafka-port {first} leaves no port below 65536 for broker {broker}"))
            }),
        }
    }

    /// Where a node keeps everything.
    pub(super) fn node_dir(&self, node_id: NodeId) -> PathBuf {
        match node_id < FIRST_CONTROLLER_ID {
            true => self.data_dir.join(format!("broker-{node_id}")),
            false => self.data_dir.join(format!("controller-{node_id}")),
        }
    }

    /// The profile's keys, capped by the number of brokers, under what was asked for.
    fn merged_overrides(&self) -> Result<BTreeMap<String, String>, ClusterError> {
        let mut merged =
            profile_overrides(self.profile.name()).map_err(|error| ClusterError::Config(error.to_string()))?;
        cap_replication(&mut merged, self.brokers);
        merged.extend(self.overrides.clone());
        Ok(merged)
    }

    /// Where a node's drive keeps what a loss of power would bring back.
    pub(super) fn kept_dir(&self, node_id: NodeId) -> PathBuf {
        self.data_dir.join(format!("unsynced-{node_id}"))
    }

    /// A node's configuration.
    pub(super) fn node(&self, node_id: NodeId, cluster_id: &str, port: u16) -> Result<NodeConfig, ClusterError> {
        let is_broker = node_id < FIRST_CONTROLLER_ID;
        let config = NodeConfig::new(node_id, cluster_id, self.merged_overrides()?)
            .map_err(|error| ClusterError::Config(error.to_string()))?;
        Ok(config
            .with_rack(is_broker.then(|| self.zone(node_id)))
            .with_endpoint(self.bind.to_string(), port)
            .with_log_dirs(self.log_dirs_in(&self.node_dir(node_id), is_broker))
            .with_voters(self.voters()))
    }

    /// Controllers have one.
    fn log_dirs_in(&self, dir: &Path, is_broker: bool) -> Vec<PathBuf> {
        match self.log_dirs {
            disks @ 2.. if is_broker => (1..=disks).map(|disk| dir.join(format!("disk-{disk}"))).collect(),
            _ => vec![dir.to_owned()],
        }
    }
}

fn zone_name(index: u32) -> String {
    char::from(b'a' + index as u8).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cluster) fn config() -> ClusterConfig {
        ClusterConfig {
            brokers: 3,
            controllers: 3,
            zones: 3,
            log_dirs: 1,
            data_dir: "/data".into(),
            kafka_port: 0,
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            profile: Profile::Lab,
            overrides: BTreeMap::new(),
        }
    }
}
