//! Heartbeats, fencing, unfencing, controlled shutdown; sessions that end.
//!
//! BrokerHeartbeat versions 0-2; KIP-631, KIP-841.
//! Source: `BrokerHeartbeatManager.calculateNextBrokerState`, `ReplicationControlManager.processBrokerHeartbeat`, `maybeFenceOneStaleBroker`.

use std::time::Duration;

use super::leadership::{Reason, Standing, thousands};
use super::state::{Changes, ControllerState, Decision};
use crate::logging::{Level, Logger};
use crate::metadata::image::BrokerImage;
use crate::metadata::record::{BrokerRegistrationChangeRecord, UnregisterBrokerRecord};
use crate::metadata::report::{Cause, Event, FenceReason};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    BrokerHeartbeatRequestData, BrokerHeartbeatResponseData, UnregisterBrokerRequestData, UnregisterBrokerResponseData,
};
use crate::types::{Id, NodeId, Now};

/// Where a broker stands with the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    Fenced,
    Unfenced,
    /// Its leaderships are moving away, or the others have not read yet that they did.
    ShuttingDown,
    /// It may go.
    ShutdownNow,
}

impl ControllerState {
    /// A broker says that it is alive, and what it wants; `next_offset` is where the first record will stand.
    pub fn heartbeat(
        &mut self,
        now: Now,
        request: &BrokerHeartbeatRequestData,
        next_offset: i64,
    ) -> Decision<BrokerHeartbeatResponseData> {
        let id = request.broker_id;
        if let Err(error) = self.broker_at(id, request.broker_epoch) {
            return Decision::only(BrokerHeartbeatResponseData { error_code: error.code(), ..Default::default() });
        }
        let registered_at = self.registered_at.get(&id).copied().unwrap_or(i64::MAX);
        let is_caught_up = request.current_metadata_offset >= registered_at;
        let current = self.current(id);
        let next = self.next(current, request, is_caught_up);
        let mut changes = Changes::default();
        self.tell_control(request, (current, next), registered_at);
        if next != current {
            match next {
                Control::Fenced | Control::ShutdownNow => {
                    let how =
                        if request.want_shut_down { "shut down in a controlled way" } else { "asked to be fenced" };
                    let cause = format!("broker {id} {how}");
                    self.fence(id, FenceReason::ControlledShutdown, &cause, &mut changes);
                }
                Control::Unfenced => self.unfence(id, &mut changes),
                Control::ShuttingDown => self.enter_shutdown(id, &mut changes),
            }
        }
        let is_fenced = matches!(next, Control::Fenced | Control::ShutdownNow);
        self.liveness.touch(id, now.mono, request.current_metadata_offset, is_fenced);
        if !is_fenced {
            self.take_directories_offline(id, request, &mut changes);
        }
        if next == Control::ShuttingDown {
            self.liveness.begin_shutdown(id, next_offset + changes.records.len() as i64 - 1);
        }
        changes.with(BrokerHeartbeatResponseData {
            is_caught_up,
            is_fenced,
            should_shut_down: next == Control::ShutdownNow,
            ..Default::default()
        })
    }

    /// What a broker asked for, and what it was given.
    fn tell_control(&self, request: &BrokerHeartbeatRequestData, (from, to): (Control, Control), registered_at: i64) {
        let id = request.broker_id;
        let (asked_for, unfenced) = (request.want_shut_down || !request.want_fence, to == Control::Unfenced);
        if from != to {
            let moved_at = self.liveness.shutdown_offset(id);
            self.tell(Logger::BrokerHeartbeats, Level::Info, || match to {
                Control::Unfenced => format!(
                    "Broker {id} may be unfenced: it has read up to {}, past its registration at offset {registered_at}",
                    request.current_metadata_offset
                ),
                Control::Fenced => format!("Broker {id} asked to be fenced, and is"),
                Control::ShuttingDown => format!("Broker {id} asked for a controlled shutdown: its leaderships move away"),
                Control::ShutdownNow => match moved_at {
                    Some(offset) => format!(
                        "Broker {id} may shut down: all others have read that its leaderships moved, at offset {offset}"
                    ),
                    None => format!("Broker {id} ({from:?}) asked to shut down, and may at once"),
                },
            });
        } else if asked_for && !unfenced {
            self.tell(Logger::BrokerHeartbeats, Level::Debug, || match to {
                Control::ShuttingDown => format!("Broker {id} may not shut down yet: its leaderships have to move first"),
                _ => format!(
                    "Broker {id} may not be unfenced yet: it has read up to {}, and registered at offset {registered_at}",
                    request.current_metadata_offset
                ),
            });
        }
    }

    fn current(&self, id: NodeId) -> Control {
        if self.liveness.shutdown_offset(id).is_some() {
            Control::ShuttingDown
        } else if self.image.brokers.get(&id).is_none_or(|broker| broker.fenced) {
            Control::Fenced
        } else {
            Control::Unfenced
        }
    }

    fn next(&self, current: Control, request: &BrokerHeartbeatRequestData, is_caught_up: bool) -> Control {
        let id = request.broker_id;
        match current {
            Control::Fenced if request.want_shut_down => Control::ShutdownNow,
            // Who began to shut down comes back as a new incarnation only.
            Control::Fenced if self.image.brokers.get(&id).is_some_and(|broker| broker.in_controlled_shutdown) => {
                Control::Fenced
            }
            Control::Fenced if !request.want_fence && is_caught_up => Control::Unfenced,
            Control::Fenced => Control::Fenced,
            Control::Unfenced if request.want_fence && request.want_shut_down => Control::ShutdownNow,
            Control::Unfenced if request.want_fence => Control::Fenced,
            Control::Unfenced if request.want_shut_down && self.leads_something(id) => Control::ShuttingDown,
            Control::Unfenced if request.want_shut_down => Control::ShutdownNow,
            Control::Unfenced => Control::Unfenced,
            Control::ShuttingDown if self.leads_something(id) => Control::ShuttingDown,
            Control::ShuttingDown => {
                let unfenced = self.image.brokers.values().filter(|broker| !broker.fenced).map(|broker| broker.id);
                let moved_at = self.liveness.shutdown_offset(id).unwrap_or(0);
                if self.liveness.lowest_offset(unfenced) >= moved_at {
                    Control::ShutdownNow
                } else {
                    Control::ShuttingDown
                }
            }
            Control::ShutdownNow => Control::ShutdownNow,
        }
    }

    /// UnregisterBroker: a broker that is gone for good leaves every ISR, and is known no more.
    ///
    /// Source: `ReplicationControlManager.unregisterBroker`, `handleBrokerUnregistered`. As there, whoever is alive may be removed too; it
    /// comes back with its next registration.
    pub fn unregister_broker(&self, request: &UnregisterBrokerRequestData) -> Decision<UnregisterBrokerResponseData> {
        let id = request.broker_id;
        let Some(broker) = self.image.brokers.get(&id) else {
            return Decision::only(UnregisterBrokerResponseData {
                error_code: ErrorCode::BrokerIdNotRegistered.code(),
                error_message: Some(format!("Broker ID {id} is not currently registered").into()),
                ..Default::default()
            });
        };
        let mut changes = Changes::default();
        if !broker.fenced {
            changes.events.push(fenced(broker, FenceReason::Unregistered));
        }
        let cause = Cause::Fenced { broker_id: id, broker_epoch: broker.epoch };
        let reason = Reason::new(format!("broker {id} was unregistered"), cause);
        self.update_partitions(Standing::Leaves(id), &reason, &mut changes);
        changes.push(UnregisterBrokerRecord { broker_id: id, broker_epoch: broker.epoch });
        changes.with(UnregisterBrokerResponseData::default())
    }

    fn change(&self, id: NodeId) -> BrokerRegistrationChangeRecord {
        let broker_epoch = self.image.brokers.get(&id).map_or(-1, |broker| broker.epoch);
        BrokerRegistrationChangeRecord { broker_id: id, broker_epoch, ..Default::default() }
    }

    /// Its partitions first, so that no batch shows a fenced broker in an ISR.
    fn fence(&self, id: NodeId, reason: FenceReason, words: &str, changes: &mut Changes) {
        let Some(broker) = self.image.brokers.get(&id).filter(|broker| !broker.fenced) else { return };
        changes.events.push(fenced(broker, reason));
        let cause = Cause::Fenced { broker_id: id, broker_epoch: broker.epoch };
        self.update_partitions(Standing::Leaves(id), &Reason::new(words, cause), changes);
        changes.push(BrokerRegistrationChangeRecord { fenced: 1, ..self.change(id) });
    }

    fn unfence(&self, id: NodeId, changes: &mut Changes) {
        let Some(broker) = self.image.brokers.get(&id) else { return };
        let (broker_epoch, incarnation) = (broker.epoch, broker.incarnation);
        changes.push(BrokerRegistrationChangeRecord { fenced: -1, ..self.change(id) });
        changes.events.push(Event::BrokerUnfenced { broker_id: id, broker_epoch, incarnation });
        let cause = Cause::Unfenced { broker_id: id, broker_epoch };
        self.update_partitions(Standing::Returns(id), &Reason::new(format!("broker {id} is back"), cause), changes);
    }

    fn enter_shutdown(&self, id: NodeId, changes: &mut Changes) {
        let Some(broker) = self.image.brokers.get(&id) else { return };
        if !broker.in_controlled_shutdown {
            changes.push(BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..self.change(id) });
        }
        let cause = Cause::ShuttingDown { broker_id: id, incarnation: broker.incarnation };
        let reason = Reason::new(format!("broker {id} is shutting down"), cause);
        self.update_partitions(Standing::Leaves(id), &reason, changes);
    }

    /// Source: `ReplicationControlManager.handleDirectoriesOffline`.
    fn take_directories_offline(&self, id: NodeId, request: &BrokerHeartbeatRequestData, changes: &mut Changes) {
        // At most one change of a partition's in a batch: what a change of standing moved is looked at again with the next heartbeat.
        if request.offline_log_dirs.is_empty() || !changes.records.is_empty() {
            return;
        }
        let Some(broker) = self.image.brokers.get(&id) else { return };
        let offline: Vec<Id> = request.offline_log_dirs.iter().map(|dir| Id::from(*dir)).collect();
        let (gone, left): (Vec<Id>, Vec<Id>) = broker.log_dirs.iter().partition(|dir| offline.contains(dir));
        if gone.is_empty() {
            return;
        }
        self.tell(Logger::ReplicationControl, Level::Warn, || {
            let texts = |ids: &[Id]| ids.iter().map(Id::to_string).collect::<Vec<_>>().join(", ");
            format!("Log directories [{}] of broker {id} are offline, [{}] are left", texts(&gone), texts(&left))
        });
        for directory in gone {
            let reason = Reason::directory_failed(id);
            self.update_partitions(Standing::LosesDirectory(id, directory), &reason, changes);
        }
        changes.push(BrokerRegistrationChangeRecord { log_dirs: left, ..self.change(id) });
    }

    /// Fences the broker whose session ended first, if there is one. One at a time, so that the next decision sees this one's effect.
    pub fn expire_session(&mut self, now: Now) -> Option<Decision<()>> {
        let expired = self.image.brokers.values().filter(|broker| !broker.fenced);
        let expired = expired.filter(|broker| !self.liveness.has_session(broker.id, now.mono));
        let id = expired.min_by_key(|broker| self.liveness.expires_at(broker.id))?.id;
        let missed_ms = self.liveness.silent_for(id, now.mono).as_millis();
        let reason = FenceReason::SessionExpired { missed_ms: u64::try_from(missed_ms).unwrap_or(u64::MAX) };
        let cause = format!("broker {id} fenced: no heartbeat for {} ms", thousands(missed_ms));
        self.tell(Logger::BrokerHeartbeats, Level::Info, || format!("Session ended: {cause}"));
        let mut changes = Changes::default();
        self.fence(id, reason, &cause, &mut changes);
        Some(changes.with(()))
    }

    /// When the next session ends.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        let unfenced = self.image.brokers.values().filter(|broker| !broker.fenced);
        unfenced.filter_map(|broker| self.liveness.expires_at(broker.id)).min()
    }

    /// How long each registered broker has been silent, at most a session's length.
    pub fn silences(&self, now: Now) -> impl Iterator<Item = (NodeId, Duration)> {
        self.liveness.brokers().map(move |id| (id, self.liveness.silent_for(id, now.mono).min(self.liveness.session())))
    }

    /// This controller stood still for so long (paused, starved): nobody is fenced for what it did not hear meanwhile.
    pub fn forgive(&mut self, stall: Duration) {
        self.liveness.forgive(stall);
    }

    /// Refuses a request of a broker that is not who it was.
    pub(super) fn check_epoch(&self, id: NodeId, epoch: i64) -> Result<(), ErrorCode> {
        self.broker_at(id, epoch).map(|_| ())
    }
}

/// What is told of a broker that loses its place.
pub(super) fn fenced(broker: &BrokerImage, reason: FenceReason) -> Event {
    Event::BrokerFenced { broker_id: broker.id, broker_epoch: broker.epoch, incarnation: broker.incarnation, reason }
}
