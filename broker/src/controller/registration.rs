//! Brokers register; controllers make themselves known.
//!
//! BrokerRegistration versions 0-4; KIP-631, KIP-858 (directories), KIP-919, KIP-966 (previous broker epoch).
//! Source: `ClusterControlManager.registerBroker`. One difference: Kafka refuses a new incarnation while the last one's session lasts
//! (DUPLICATE_BROKER_REGISTRATION), so that a restart waits for it; here the cluster itself starts its nodes and no two share an id, so that
//! the new incarnation takes over at once, and the old one leaves every ISR in the same batch. That is as safe (no incarnation inherits a
//! seat in an ISR), and the partitions that a killed broker led are led again sooner than Kafka would see to it.

use std::collections::BTreeSet;

use super::features::supported_features;
use super::heartbeat::fenced;
use super::leadership::{Reason, Standing};
use super::state::{Changes, ControllerState, Decision};
use crate::logging::{Level, Logger};
use crate::metadata::image::Endpoint;
use crate::metadata::record::{FeatureRange, RegisterBrokerRecord, RegisterControllerRecord};
use crate::metadata::report::{Cause, Event, FenceReason};
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{BrokerRegistrationRequestData, BrokerRegistrationResponseData};
use crate::types::{Id, NodeId, Now};

impl ControllerState {
    /// Registers a broker; `next_offset` is where the first record will stand.
    pub fn register_broker(
        &mut self,
        now: Now,
        request: &BrokerRegistrationRequestData,
        next_offset: i64,
    ) -> Decision<BrokerRegistrationResponseData> {
        match self.register(now, request, next_offset) {
            Ok((changes, broker_epoch)) => {
                changes.with(BrokerRegistrationResponseData { broker_epoch, ..Default::default() })
            }
            Err(error) => {
                self.tell(Logger::ClusterControl, Level::Info, || {
                    format!("Registration of broker {} is refused: {error}", request.broker_id)
                });
                Decision::only(BrokerRegistrationResponseData { error_code: error.code(), ..Default::default() })
            }
        }
    }

    fn register(
        &mut self,
        now: Now,
        request: &BrokerRegistrationRequestData,
        next_offset: i64,
    ) -> Result<(Changes, i64), ErrorCode> {
        if request.cluster_id.as_str() != self.config.cluster_id {
            return Err(ErrorCode::InconsistentClusterId);
        }
        if request.is_migrating_zk_broker {
            return Err(ErrorCode::BrokerIdNotRegistered);
        }
        let id = request.broker_id;
        let log_dirs: Vec<Id> = request.log_dirs.iter().map(|dir| Id::from(*dir)).collect();
        self.check_directories(id, &log_dirs)?;
        let features = self.check_features(request)?;
        let incarnation_id = Id::from(request.incarnation_id);
        let known = self.image.brokers.get(&id).filter(|known| known.incarnation == incarnation_id).cloned();
        let mut changes = Changes::default();
        if known.is_none() {
            self.end_last_incarnation(request, &mut changes);
        }
        // The epoch is the offset of the registration itself.
        let broker_epoch = known.as_ref().map_or(next_offset + changes.records.len() as i64, |known| known.epoch);
        changes.push(RegisterBrokerRecord {
            broker_id: id,
            is_migrating_zk_broker: false,
            incarnation_id,
            broker_epoch,
            end_points: endpoints(request),
            features,
            rack: request.rack.as_ref().map(|rack| rack.as_str().to_owned()),
            fenced: known.as_ref().is_none_or(|known| known.fenced),
            in_controlled_shutdown: known.as_ref().is_some_and(|known| known.in_controlled_shutdown),
            log_dirs,
            cordoned_log_dirs: None,
        });
        match known {
            Some(known) => self.liveness.touch(id, now.mono, -1, known.fenced),
            None => {
                let incarnation = incarnation_id;
                changes.events.push(Event::BrokerRegistered { broker_id: id, broker_epoch, incarnation });
            }
        }
        Ok((changes, broker_epoch))
    }

    /// Whatever the last incarnation had not synced may be gone, unless the new one shows the epoch that a clean shutdown wrote down: it leaves
    /// every ISR and leads no more, and without that proof leaves every ELR too.
    fn end_last_incarnation(&self, request: &BrokerRegistrationRequestData, changes: &mut Changes) {
        if Bug::LoseBrokerEpoch.is_planted() {
            return;
        }
        let id = request.broker_id;
        let last = self.image.brokers.get(&id);
        let clean = last.is_some_and(|last| last.epoch == request.previous_broker_epoch);
        let (standing, words) = if clean || !self.elr_enabled() || Bug::UncleanRestartStaysEligible.is_planted() {
            (Standing::Leaves(id), format!("broker {id} started again"))
        } else {
            (Standing::LeavesUncleanly(id), format!("broker {id} started again after an unclean shutdown"))
        };
        changes.events.extend(last.filter(|last| !last.fenced).map(|last| fenced(last, FenceReason::Reregistered)));
        let cause = Cause::Fenced { broker_id: id, broker_epoch: last.map_or(-1, |last| last.epoch) };
        self.update_partitions(standing, &Reason::new(words, cause), changes);
    }

    fn check_directories(&self, id: NodeId, log_dirs: &[Id]) -> Result<(), ErrorCode> {
        // Kafka's `DirectoryId.reserved`: the first hundred ids.
        let reserved = |dir: &Id| u128::from_be_bytes(dir.0) < 100;
        let distinct: BTreeSet<&Id> = log_dirs.iter().collect();
        let taken = |dir: &Id| self.image.brokers.values().any(|other| other.id != id && other.log_dirs.contains(dir));
        if log_dirs.is_empty()
            || log_dirs.iter().any(reserved)
            || distinct.len() != log_dirs.len()
            || distinct.into_iter().any(taken)
        {
            return Err(ErrorCode::InvalidRegistration);
        }
        Ok(())
    }

    /// A broker must be able to live with every finalized feature.
    fn check_features(&self, request: &BrokerRegistrationRequestData) -> Result<Vec<FeatureRange>, ErrorCode> {
        let ranges: Vec<FeatureRange> = request
            .features
            .iter()
            .map(|feature| FeatureRange {
                name: feature.name.as_str().to_owned(),
                min_supported_version: feature.min_supported_version,
                max_supported_version: feature.max_supported_version,
            })
            .collect();
        if !ranges.iter().any(|range| range.name == "metadata.version") {
            return Err(ErrorCode::InvalidRegistration);
        }
        let lives_with = |name: &str, level: i16| {
            let range = ranges.iter().find(|range| range.name == name);
            range.is_some_and(|range| range.min_supported_version <= level && level <= range.max_supported_version)
        };
        if self.image.features.iter().any(|(name, level)| !lives_with(name, *level)) {
            return Err(ErrorCode::UnsupportedVersion);
        }
        Ok(ranges)
    }

    /// A controller makes itself known, once per start.
    pub fn register_controller(&self, id: NodeId, incarnation_id: Id) -> Decision<()> {
        let mut changes = Changes::default();
        if self.image.controllers.get(&id).is_none_or(|known| known.incarnation != incarnation_id) {
            changes.push(RegisterControllerRecord {
                controller_id: id,
                incarnation_id,
                zk_migration_ready: false,
                // Controllers meet over in-memory links; there is no port to name.
                end_points: Vec::new(),
                features: supported_features(),
            });
        }
        changes.with(())
    }
}

fn endpoints(request: &BrokerRegistrationRequestData) -> Vec<Endpoint> {
    request
        .listeners
        .iter()
        .map(|listener| Endpoint {
            name: listener.name.as_str().to_owned(),
            host: listener.host.as_str().to_owned(),
            port: listener.port,
            security_protocol: listener.security_protocol,
        })
        .collect()
}
