//! Features are finalized at other levels.
//!
//! UpdateFeatures versions 0-2 (KIP-584, KIP-1022); KIP-966 (what ELR needs). Source: `FeatureControlManager.updateFeatures`,
//! `ConfigurationControlManager.maybeGenerateElrSafetyRecords`, `QuorumController.updateFeatures`; messages as there.

use std::collections::BTreeMap;

use super::alter_configs::MIN_INSYNC_REPLICAS;
use super::features::{ELR_FEATURE, FEATURES};
use super::state::{Changes, ControllerState, Decision};
use crate::metadata::config::RESOURCE_BROKER;
use crate::metadata::record::{ClearElrRecord, ConfigRecord, FeatureLevelRecord};
use crate::metadata::report::Event;
use crate::protocol::ErrorCode;
use crate::protocol::messages::update_features_response::UpdatableFeatureResult;
use crate::protocol::messages::{KafkaString, UpdateFeaturesRequestData, UpdateFeaturesResponseData};
use crate::types::NodeId;

const METADATA_VERSION: &str = "metadata.version";
const KRAFT_VERSION: &str = "kraft.version";

/// Levels of `metadata.version` that brought records which older ones cannot read (`MetadataVersion.didMetadataChange`).
const METADATA_CHANGED: [i16; 9] = [7, 8, 11, 13, 14, 15, 17, 23, 30];

/// `metadata.version` 4.0-IV1, which has the records of ELR.
const ELR_SINCE: i16 = 23;

/// `FeatureUpdate.UpgradeType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Direction {
    Upgrade,
    SafeDowngrade,
    UnsafeDowngrade,
}

/// kraft.version, which is the quorum's: its level stands in the quorum's own records, and the quorum raises it.
#[derive(Clone, Debug, Default)]
pub struct KRaftFeature {
    /// Level.
    pub level: i16,
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// Why the quorum refuses the level that is asked for, if it does.
    pub refusal: Option<String>,
}

impl ControllerState {
    /// UpdateFeatures: all of them, or none. The caller raises kraft.version.
    pub fn update_features(
        &self,
        request: &UpdateFeaturesRequestData,
        kraft: &KRaftFeature,
    ) -> Decision<UpdateFeaturesResponseData> {
        let wanted: BTreeMap<&str, (i16, i8)> = request
            .feature_updates
            .iter()
            .map(|update| (update.feature.as_str(), (update.max_version_level, update.upgrade_type)))
            .collect();
        let level_after = |name: &str| wanted.get(name).map_or_else(|| self.level(name, kraft), |(level, _)| *level);
        let mut changes = Changes::default();
        for (name, (level, upgrade_type)) in &wanted {
            if let Err(why) = self.check_feature(name, *level, *upgrade_type, &level_after, kraft) {
                let message =
                    format!("The update failed for all features since the following feature had an error: {why}");
                return Decision::only(UpdateFeaturesResponseData {
                    error_code: ErrorCode::InvalidUpdateVersion.code(),
                    error_message: Some(KafkaString::from(message)),
                    ..Default::default()
                });
            }
            if *name == ELR_FEATURE {
                self.prepare_elr(*level, &mut changes);
            }
            let from = self.level(name, kraft);
            if *level != from {
                changes.events.push(Event::FeatureChanged { feature: (*name).to_owned(), from, to: *level });
            }
            if *name != KRAFT_VERSION {
                changes.push(FeatureLevelRecord { name: (*name).to_owned(), feature_level: *level });
            }
        }
        // Versions above 1 have no room for these, and leave them out.
        let result = |name: KafkaString| UpdatableFeatureResult {
            feature: name,
            error_message: Some(KafkaString::from_static("NONE")),
            ..Default::default()
        };
        let results = request.feature_updates.iter().map(|update| result(update.feature.clone())).collect();
        let response = UpdateFeaturesResponseData { results, ..Default::default() };
        if request.validate_only { Decision::only(response) } else { changes.with(response) }
    }

    fn level(&self, name: &str, kraft: &KRaftFeature) -> i16 {
        if name == KRAFT_VERSION {
            return kraft.level;
        }
        self.image.features.get(name).copied().unwrap_or(0)
    }

    fn check_feature(
        &self,
        name: &str,
        level: i16,
        upgrade_type: i8,
        level_after: &dyn Fn(&str) -> i16,
        kraft: &KRaftFeature,
    ) -> Result<(), String> {
        let invalid = |why: &str| Err(format!("Invalid update version {level} for feature {name}. {why}"));
        let direction = match upgrade_type {
            1 => Direction::Upgrade,
            2 => Direction::SafeDowngrade,
            3 => Direction::UnsafeDowngrade,
            _ => return invalid("The controller does not support the given upgrade type."),
        };
        if level < 0 {
            return invalid("A feature version cannot be less than 0.");
        }
        if let Some(why) = self.unsupported(name, level, kraft) {
            return invalid(&why);
        }
        if FEATURES.iter().all(|feature| feature.name != name) {
            return invalid(&format!("Feature {name} not found."));
        }
        let current = self.level(name, kraft);
        if level < current && direction == Direction::Upgrade {
            return invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                 downgrade.",
            );
        }
        if level > current && direction != Direction::Upgrade {
            return invalid("Can't downgrade to a newer version.");
        }
        match name {
            METADATA_VERSION => check_metadata_version(current, level, direction),
            KRAFT_VERSION if level < current => invalid("Can't downgrade the version of this feature."),
            KRAFT_VERSION => kraft.refusal.clone().map_or(Ok(()), Err),
            ELR_FEATURE if level > 0 && level_after(METADATA_VERSION) < ELR_SINCE => invalid(&format!(
                "{ELR_FEATURE} could not be set to {level} because it depends on {METADATA_VERSION} level {ELR_SINCE}"
            )),
            _ => Ok(()),
        }
    }

    /// Every node is of the same version as this one, but a controller that never registered may be anything.
    fn unsupported(&self, name: &str, level: i16, kraft: &KRaftFeature) -> Option<String> {
        let me = self.config.node_id;
        let range = FEATURES.iter().find(|feature| feature.name == name).map_or((0, 0), |f| (f.min, f.max));
        match range {
            (min, max) if (min..=max).contains(&level) => {
                let absent = |id: &&i32| **id != me && !self.image.controllers.contains_key(*id);
                let id = kraft.voters.iter().find(absent)?;
                Some(format!("controller {id} has not registered, and may not support this feature"))
            }
            (_, 0) => Some(format!("Local controller {me} does not support this feature.")),
            (min, max) if min == max => Some(format!("Local controller {me} only supports versions {min}")),
            (min, max) => Some(format!("Local controller {me} only supports versions {min}-{max}")),
        }
    }

    /// With ELR all brokers must agree on the minimum of in-sync replicas. Who was eligible must not be taken for it when ELR comes back later:
    /// Kafka leaves the ELRs until each partition changes next.
    fn prepare_elr(&self, level: i16, changes: &mut Changes) {
        if level == 0 {
            if self.elr_enabled() {
                changes.push(ClearElrRecord::default());
            }
            return;
        }
        let mut set = |resource_name: &str, value: Option<String>| {
            changes.push(ConfigRecord {
                resource_type: RESOURCE_BROKER,
                resource_name: resource_name.to_owned(),
                name: MIN_INSYNC_REPLICAS.to_owned(),
                value,
            });
        };
        let with_minimum = self
            .image
            .configs
            .iter()
            .filter(|((kind, _), configs)| *kind == RESOURCE_BROKER && configs.contains_key(MIN_INSYNC_REPLICAS));
        let names: Vec<&str> = with_minimum.map(|((_, name), _)| name.as_ref()).collect();
        if !names.contains(&"") {
            set("", Some(self.config.i64(MIN_INSYNC_REPLICAS).to_string()));
        }
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            set(name, None);
        }
    }
}

fn check_metadata_version(current: i16, level: i16, direction: Direction) -> Result<(), String> {
    let loses = METADATA_CHANGED.iter().any(|changed| (level + 1..=current).contains(changed));
    let refuse = |why| Err(format!("Unsupported metadata.version downgrade from {current} to {level}. {why}"));
    match direction {
        _ if !loses => Ok(()),
        Direction::UnsafeDowngrade => refuse("Unsafe metadata downgrade is not supported in this version."),
        _ => refuse("Refusing to perform the requested downgrade because it might delete metadata information."),
    }
}
