//! What a broker does besides serving: following the metadata, registering and heart-beating, reporting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::lifecycle::{Ask, Standing};
use super::peer::PeerRequest;
use super::peer_requests::{Pending, Purpose};
use super::{
    get_telemetry_subscriptions, group_bridge, lifecycle_log, publish_log, share_bridge, share_persister,
    share_state_bridge, throttle, txn_bridge, txn_verification,
};
use crate::controller::supported_features;
use crate::metadata::config::{NodeSettings, RESOURCE_BROKER};
use crate::metadata::delta::ImageDelta;
use crate::metadata::record::{FeatureRange, MetadataRecord};
use crate::metadata::report::{BrokerReport, Event};
use crate::protocol::messages::broker_registration_request::{Feature, Listener};
use crate::protocol::messages::{BrokerHeartbeatRequestData, BrokerRegistrationRequestData, KafkaString};
use crate::types::{Id, Now};

/// Percentiles are taken over intervals of this length.
const PERCENTILE_INTERVAL: Duration = Duration::from_secs(1);

/// Small state of the broker's own housekeeping.
pub(super) struct Upkeep {
    /// Wall clock.
    pub(super) started_ms: i64,
    next_roll: Duration,
    /// Image offset that the last report carried.
    reported_offset: i64,
    /// The port of the settings that a report carried: all else of them stays as it is.
    reported_port: Option<u16>,
    last_counters: crate::metadata::report::BrokerCounters,
    last_standing: (i64, bool),
    last_offline: Vec<String>,
    /// Failed log directories that the controller was told of, and those that the heartbeat under way tells it of.
    told_offline: BTreeSet<Id>,
    telling_offline: Vec<Id>,
    /// How many failed log directories are known here.
    known_offline: usize,
    /// The copy of the metadata log cannot be read on: told once.
    metadata_broken: bool,
    /// What its log told of its standing.
    pub(super) told: lifecycle_log::Told,
}

impl Upkeep {
    pub(super) fn new(now: Now) -> Upkeep {
        Upkeep {
            started_ms: now.wall_ms,
            next_roll: now.mono + PERCENTILE_INTERVAL,
            reported_offset: i64::MIN,
            reported_port: None,
            last_counters: Default::default(),
            last_standing: (i64::MIN, true),
            last_offline: Vec::new(),
            told_offline: BTreeSet::new(),
            telling_offline: Vec::new(),
            known_offline: 0,
            metadata_broken: false,
            told: lifecycle_log::Told::default(),
        }
    }

    pub(super) fn next_deadline(&self) -> Duration {
        self.next_roll
    }
}

pub(super) fn on_tick(broker: &mut Broker, now: Now) {
    let waited = broker.lifecycle.standing() == Standing::ShuttingDown;
    broker.lifecycle.on_tick(now);
    if waited && broker.lifecycle.standing() == Standing::MayStop {
        lifecycle_log::shutdown_not_approved(broker);
    }
    if !broker.upkeep.metadata_broken
        && let Err(message) = broker.metadata.make_snapshot(now, &broker.image)
    {
        broker.events.push(Event::Error { message });
    }
    if broker.upkeep.next_roll <= now.mono {
        broker.upkeep.next_roll = now.mono + PERCENTILE_INTERVAL;
        broker.metrics.roll_interval();
        broker.quotas.on_tick(throttle::millis(now));
    }
    check_directories(broker, now);
}

/// Once a directory has failed the controller must hear of it in time, or it leaves leaders where nobody can lead.
fn check_directories(broker: &mut Broker, now: Now) {
    let patience = broker.config.millis("log.dir.failure.timeout.ms");
    let told = &broker.upkeep.told_offline;
    let late = |(id, at): &(Id, Duration)| !told.contains(id) && *at + patience <= now.mono;
    let late = broker.replicas.failed_directories().find(late);
    if let Some((id, _)) = late {
        broker.fail(format!(
            "the controller could not be told within {} ms that log directory {id} failed",
            patience.as_millis()
        ));
    }
}

/// The controller took a heartbeat.
pub(super) fn heard(broker: &mut Broker, now: Now) {
    let telling = std::mem::take(&mut broker.upkeep.telling_offline);
    broker.upkeep.told_offline.extend(telling);
    if broker.replicas.failed_directories().any(|(id, _)| !broker.upkeep.told_offline.contains(&id)) {
        broker.lifecycle.hurry(now);
    }
}

/// Applies one step of committed metadata; true if there was any.
pub(super) fn follow_metadata(broker: &mut Broker, now: Now) -> bool {
    if broker.upkeep.metadata_broken {
        return false;
    }
    match broker.metadata.next_image(now) {
        Ok(Some(image)) => {
            let since = (broker.stopwatch)();
            let delta = ImageDelta::between(&broker.image, &image);
            let was_caught_up = is_caught_up(broker);
            let before = std::mem::replace(&mut broker.image, image).offset;
            publish_log::snapshot(broker, before, (broker.stopwatch)().saturating_sub(since));
            publish(broker, now, &delta, was_caught_up);
            return true;
        }
        Ok(None) => {}
        Err(reason) => {
            broker.metadata.failed_to_load();
            return give_up_metadata(broker, reason);
        }
    }
    let records = match broker.metadata.next_committed() {
        Ok(records) if records.is_empty() => return false,
        Ok(records) => records,
        Err(reason) => {
            broker.metadata.failed_to_load();
            return give_up_metadata(broker, reason);
        }
    };
    let (count, since) = (records.len(), (broker.stopwatch)());
    let was_caught_up = is_caught_up(broker);
    let mut delta = ImageDelta::default();
    for record in records {
        let decoded = match MetadataRecord::decode(&record.value) {
            Ok(decoded) => decoded,
            Err(reason) => {
                broker.metadata.failed_to_load();
                return give_up_metadata(broker, format!("record {}: {reason}", record.offset));
            }
        };
        if let Err(reason) = broker.image.apply(record.offset, record.epoch, &decoded, &mut delta) {
            broker.metadata.failed_to_apply();
            return give_up_metadata(broker, format!("record {}: {reason}", record.offset));
        }
    }
    publish(broker, now, &delta, was_caught_up);
    let took = (broker.stopwatch)().saturating_sub(since);
    publish_log::records(broker, count, took);
    broker.metadata.took_in(count, took);
    true
}

/// Lets everybody know what changed in the image.
fn publish(broker: &mut Broker, now: Now, delta: &ImageDelta, was_caught_up: bool) {
    let is_first = !was_caught_up && is_caught_up(broker);
    publish_log::image(broker, false);
    let reconfigured = delta.configs_changed.iter().any(|(kind, _)| *kind == RESOURCE_BROKER);
    let before = reconfigured.then(|| {
        let effective = broker.config.effective(&broker.image);
        std::mem::replace(&mut broker.config, effective)
    });
    publish_log::configs(broker, before.as_ref(), delta);
    if !delta.client_quotas_changed.is_empty() {
        broker.quotas.set_limits(&broker.image.client_quotas);
        publish_log::quotas(broker, delta);
    }
    broker.replicas.apply_image(now, &broker.image, delta);
    group_bridge::on_image(broker, now, delta);
    txn_bridge::on_image(broker, now);
    share_state_bridge::on_image(broker, now, delta);
    share_persister::on_image(broker, now);
    share_bridge::on_image(broker, now, delta);
    txn_verification::on_image(broker, now);
    get_telemetry_subscriptions::on_image(broker, delta);
    forget_topics(broker, delta);
    if is_first {
        broker.lifecycle.hurry(now);
    }
}

/// Topics that are not here any more, or not led, have nothing more to tell.
pub(super) fn forget_topics(broker: &mut Broker, delta: &ImageDelta) {
    for id in delta.topics_deleted.keys() {
        broker.metrics.topics.forget(*id);
    }
    let me = broker.config.node_id;
    let changed: BTreeSet<Id> = delta.partitions_changed.iter().map(|id| id.topic_id).collect();
    for id in changed {
        let partitions = broker.image.topics.get(&id).map_or(&[][..], |topic| &topic.partitions);
        if !partitions.iter().any(|partition| partition.replicas.contains(&me)) {
            broker.metrics.topics.forget(id);
        } else if !partitions.iter().any(|partition| partition.leader == me) {
            broker.metrics.topics.forget_leader(id);
        }
    }
}

/// A committed record that cannot be understood: going on would mean acting on a wrong image. The broker stays with what it has.
fn give_up_metadata(broker: &mut Broker, reason: String) -> bool {
    broker.upkeep.metadata_broken = true;
    broker.metadata.give_up_snapshots();
    publish_log::broken(broker, &reason);
    broker.events.push(Event::Error { message: format!("the metadata log cannot be followed: {reason}") });
    false
}

/// Whether the image holds this incarnation's registration.
fn is_caught_up(broker: &Broker) -> bool {
    let epoch = broker.lifecycle.broker_epoch();
    epoch >= 0 && broker.image.offset >= epoch
}

/// Where the broker stands. Source: `org.apache.kafka.metadata.BrokerState`.
pub(super) fn state(broker: &Broker) -> i32 {
    match broker.lifecycle.standing() {
        Standing::Registering => 1,
        Standing::Active if !is_caught_up(broker) => 1,
        Standing::Active if broker.lifecycle.is_fenced() => 2,
        Standing::Active => 3,
        Standing::ShuttingDown => 6,
        Standing::MayStop => 7,
    }
}

/// Registers, or sends the next heartbeat, if it is time and the controller is known.
pub(super) fn poll_lifecycle(broker: &mut Broker, now: Now) {
    let Some(leader) = broker.active_controller else { return };
    let caught_up = is_caught_up(broker);
    let offline = broker.replicas.failed_directories().count();
    if offline > broker.upkeep.known_offline {
        broker.upkeep.known_offline = offline;
        broker.lifecycle.hurry(now);
    }
    let Some(ask) = broker.lifecycle.poll(now, caught_up) else { return };
    let (purpose, request) = match ask {
        Ask::Register => (Purpose::Registration, registration(broker)),
        Ask::Heartbeat { want_fence, want_shut_down } => {
            (Purpose::Heartbeat, heartbeat(broker, want_fence, want_shut_down))
        }
    };
    let deadline = now.mono + broker.lifecycle.patience();
    let pending = Pending { purpose, to: leader, repeat: None, deadline, retry_at: None };
    super::forward::send(broker, leader, pending, request);
}

fn registration(broker: &Broker) -> PeerRequest {
    let config = &broker.config;
    let listener = Listener::default()
        .with_name(KafkaString::from_static("PLAINTEXT"))
        .with_host(KafkaString::from(config.host.clone()))
        .with_port(config.port);
    let feature = |range: FeatureRange| {
        Feature::default()
            .with_name(KafkaString::from(range.name))
            .with_min_supported_version(range.min_supported_version)
            .with_max_supported_version(range.max_supported_version)
    };
    let directories = broker.replicas.log_dirs().online_ids();
    let request = BrokerRegistrationRequestData::default()
        .with_broker_id(config.node_id)
        .with_cluster_id(KafkaString::from(config.cluster_id.clone()))
        .with_incarnation_id(broker.incarnation.into())
        .with_listeners(vec![listener])
        .with_features(supported_features().into_iter().map(feature).collect())
        .with_rack(config.rack.clone().map(KafkaString::from))
        .with_log_dirs(directories.into_iter().map(Into::into).collect())
        .with_previous_broker_epoch(broker.replicas.previous_broker_epoch());
    PeerRequest::BrokerRegistration(Box::new(request))
}

fn heartbeat(broker: &mut Broker, want_fence: bool, want_shut_down: bool) -> PeerRequest {
    let offline = broker.replicas.log_dirs().failed_ids();
    broker.upkeep.telling_offline.clone_from(&offline);
    let request = BrokerHeartbeatRequestData::default()
        .with_broker_id(broker.config.node_id)
        .with_broker_epoch(broker.lifecycle.broker_epoch())
        .with_current_metadata_offset(broker.image.offset)
        .with_want_fence(want_fence)
        .with_want_shut_down(want_shut_down)
        .with_offline_log_dirs(offline.into_iter().map(Into::into).collect());
    PeerRequest::BrokerHeartbeat(Box::new(request))
}

/// What changed since the last report.
pub(super) fn report(broker: &mut Broker, now: Now) -> Option<BrokerReport> {
    let replication = broker.replicas.counters();
    let mut counters = broker.metrics.counters();
    counters.replication_bytes_in = replication.bytes_in;
    counters.replication_bytes_out = replication.bytes_out;
    counters.isr_shrinks = replication.isr_shrinks;
    counters.isr_expands = replication.isr_expands;
    let (partitions, removed) = broker.replicas.changed_reports();
    let groups = broker.groups.changed_reports();
    let shared = broker.share_states.coordinator.changed_progress();
    let image = (broker.image.offset != broker.upkeep.reported_offset).then(|| Arc::new(broker.image.clone()));
    let client_metrics = broker.client_metrics.changed_report();
    let standing = (broker.lifecycle.broker_epoch(), broker.lifecycle.is_fenced());
    let failed = broker.replicas.log_dirs().all().filter(|(_, state)| state.is_err());
    let offline: Vec<String> = failed.map(|(path, _)| path.display().to_string()).collect();
    let as_before = standing == broker.upkeep.last_standing && offline == broker.upkeep.last_offline;
    let as_before = as_before && client_metrics.is_none() && shared.is_none();
    let settings =
        (broker.upkeep.reported_port != Some(broker.config.port)).then(|| Arc::new(NodeSettings::from(&broker.config)));
    let as_before = as_before && settings.is_none();
    let nothing_new = partitions.is_empty() && removed.is_empty() && groups.is_empty() && image.is_none();
    if nothing_new && counters == broker.upkeep.last_counters && as_before {
        return None;
    }
    broker.upkeep.reported_offset = broker.image.offset;
    broker.upkeep.reported_port = Some(broker.config.port);
    broker.upkeep.last_counters = counters.clone();
    broker.upkeep.last_standing = standing;
    broker.upkeep.last_offline.clone_from(&offline);
    Some(BrokerReport {
        node_id: broker.config.node_id,
        incarnation: broker.incarnation,
        at_ms: now.wall_ms,
        broker_epoch: standing.0,
        fenced: standing.1,
        host: broker.config.host.clone(),
        port: broker.config.port,
        offline_log_dirs: offline,
        settings,
        image,
        partitions,
        removed,
        groups,
        shared: shared.map(Arc::from),
        counters,
        client_metrics,
    })
}
