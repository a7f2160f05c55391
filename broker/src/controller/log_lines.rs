//! What a record of the metadata log means, in a controller's own log: the active controller writes it when it appends the record, the others
//! when it is committed.
//!
//! Facts, levels and loggers are those of the `replay` methods of Kafka's control managers.

use std::fmt::Write as _;

use crate::logging::{Level, Logger, NodeLog};
use crate::metadata::MetadataRecord;
use crate::metadata::config::{
    ConfigDef, RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC, def_of,
};
use crate::metadata::image::{Image, PartitionImage};
use crate::metadata::record::{
    BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord, PartitionChangeRecord, RegisterBrokerRecord,
};
use crate::types::{Id, NodeId};

/// What is shown of a value.
const VALUE_CHARS_MAX: usize = 200;

/// What all lines of a controller's parts begin with.
pub(crate) fn prefix(node_id: NodeId) -> String {
    format!("[QuorumController id={node_id}] ")
}

/// Writes what `record` does to `before`.
pub(crate) fn record(log: &NodeLog, node_id: NodeId, before: &Image, record: &MetadataRecord) {
    let Some((logger, level)) = place(before, record) else { return };
    log.write(logger, level, || format!("{}{}", prefix(node_id), told(before, record)));
}

/// Where a record's line goes; `None`: it has none.
fn place(before: &Image, record: &MetadataRecord) -> Option<(Logger, Level)> {
    use MetadataRecord as Record;
    Some(match record {
        Record::RegisterBroker(_)
        | Record::UnregisterBroker(_)
        | Record::FenceBroker(_)
        | Record::UnfenceBroker(_)
        | Record::BrokerRegistrationChange(_)
        | Record::RegisterController(_) => (Logger::ClusterControl, Level::Info),
        Record::Topic(_) | Record::Partition(_) | Record::RemoveTopic(_) | Record::ClearElr(_) => {
            (Logger::ReplicationControl, Level::Info)
        }
        Record::PartitionChange(change) => (Logger::ReplicationControl, weight(before, change)),
        Record::Config(_) => (Logger::ConfigurationControl, Level::Info),
        Record::FeatureLevel(_) => (Logger::FeatureControl, Level::Info),
        Record::ClientQuota(_) => (Logger::QuotaControl, Level::Info),
        Record::ProducerIds(_) => (Logger::ProducerIdControl, Level::Info),
        Record::NoOp(_)
        | Record::BeginTransaction(_)
        | Record::EndTransaction(_)
        | Record::AbortTransaction(_)
        | Record::Unknown { .. } => return None,
    })
}

/// Elections and ISRs are a debug matter, as there may be thousands at once; reassignments and what may lose records are not.
fn weight(before: &Image, change: &PartitionChangeRecord) -> Level {
    let is_move = change.replicas.is_some() || change.adding_replicas.is_some() || change.removing_replicas.is_some();
    let known = before.topics.get(&change.topic_id).and_then(|topic| topic.partition(change.partition_id));
    let is_unclean = change.leader_recovery_state == 1 && known.is_some_and(|known| !known.recovering);
    if is_move || is_unclean { Level::Info } else { Level::Debug }
}

fn told(before: &Image, record: &MetadataRecord) -> String {
    use MetadataRecord as Record;
    match record {
        Record::RegisterBroker(record) => registered(before, record),
        Record::UnregisterBroker(record) => {
            format!("Broker {} (epoch {}) was unregistered", record.broker_id, record.broker_epoch)
        }
        Record::FenceBroker(record) => format!("Broker {} (epoch {}) is fenced", record.id, record.epoch),
        Record::UnfenceBroker(record) => format!("Broker {} (epoch {}) is unfenced", record.id, record.epoch),
        Record::BrokerRegistrationChange(record) => registration_changed(record),
        Record::RegisterController(record) => {
            let last = before.controllers.get(&record.controller_id);
            let last = last.map_or(String::new(), |last| format!(", after incarnation {}", last.incarnation));
            format!("Controller {} registered with incarnation {}{last}", record.controller_id, record.incarnation_id)
        }
        Record::Topic(record) => format!("Topic {} with id {} was created", record.name, record.topic_id),
        Record::Partition(record) => {
            let state = format!(
                "replicas {:?}, isr {:?}, leader {}, leader epoch {}, partition epoch {}, directories {}",
                record.replicas,
                record.isr,
                record.leader,
                record.leader_epoch,
                record.partition_epoch,
                ids(&record.directories)
            );
            format!("Partition {} was created: {state}", named(before, record.topic_id, record.partition_id))
        }
        Record::PartitionChange(record) => partition_changed(before, record),
        Record::RemoveTopic(record) => {
            let name = before.topics.get(&record.topic_id).map_or("", |topic| &topic.name);
            format!("Topic {name} with id {} was deleted", record.topic_id)
        }
        Record::ClearElr(record) if record.topic_name.is_empty() => "ELRs of all topics were cleared".to_owned(),
        Record::ClearElr(record) => format!("ELRs of topic {} were cleared", record.topic_name),
        Record::Config(record) => config_set(record),
        Record::FeatureLevel(record) => {
            let from = before.features.get(&record.name).copied().unwrap_or(0);
            format!("Feature {} is finalized at level {}, after {from}", record.name, record.feature_level)
        }
        Record::ClientQuota(record) => quota_set(record),
        Record::ProducerIds(record) => format!(
            "Broker {} (epoch {}) got the producer ids from {} to {}",
            record.broker_id,
            record.broker_epoch,
            before.next_producer_id,
            record.next_producer_id - 1
        ),
        _ => String::new(),
    }
}

fn registered(before: &Image, record: &RegisterBrokerRecord) -> String {
    let id = record.broker_id;
    let mut listeners = String::new();
    for listener in &record.end_points {
        let _ = write!(listeners, "{}://{}:{} ", listener.name, listener.host, listener.port);
    }
    let state = format!(
        "epoch {}, incarnation {}, rack {}, fenced {}, log directories {}, listeners {}",
        record.broker_epoch,
        record.incarnation_id,
        record.rack.as_deref().unwrap_or("none"),
        record.fenced,
        ids(&record.log_dirs),
        listeners.trim_end()
    );
    match before.brokers.get(&id) {
        None => format!("Broker {id} registered for the first time: {state}"),
        Some(last) if last.incarnation == record.incarnation_id => {
            format!("Broker {id} amended its registration: {state}")
        }
        Some(last) => {
            let (incarnation, epoch) = (last.incarnation, last.epoch);
            format!("Broker {id} registered with a new incarnation, after {incarnation} with epoch {epoch}: {state}")
        }
    }
}

fn registration_changed(record: &BrokerRegistrationChangeRecord) -> String {
    let mut what = Vec::new();
    match record.fenced {
        1 => what.push("fenced".to_owned()),
        -1 => what.push("unfenced".to_owned()),
        _ => {}
    }
    if record.in_controlled_shutdown != 0 {
        what.push("in controlled shutdown".to_owned());
    }
    if !record.log_dirs.is_empty() {
        what.push(format!("left with log directories {}", ids(&record.log_dirs)));
    }
    format!("Broker {} (epoch {}) is now {}", record.broker_id, record.broker_epoch, what.join(", "))
}

fn partition_changed(before: &Image, record: &PartitionChangeRecord) -> String {
    let name = named(before, record.topic_id, record.partition_id);
    let Some(known) = before.topics.get(&record.topic_id).and_then(|topic| topic.partition(record.partition_id)) else {
        return format!("Partition {name} changed");
    };
    let after = known.after(record);
    let what = if record.leader_recovery_state == 1 && !known.recovering {
        "UNCLEAN partition change"
    } else if weight(before, record) == Level::Info {
        "Reassignment"
    } else {
        "Partition change"
    };
    format!("{what} of {name}: {}", differences(known, &after))
}

fn differences(before: &PartitionImage, after: &PartitionImage) -> String {
    let mut text = String::new();
    let mut list = |what: &str, before: &[NodeId], after: &[NodeId]| {
        if before != after {
            let _ = write!(text, "{what} {before:?} -> {after:?}, ");
        }
    };
    list("replicas", &before.replicas, &after.replicas);
    list("adding", &before.adding, &after.adding);
    list("removing", &before.removing, &after.removing);
    list("isr", &before.isr, &after.isr);
    list("elr", &before.elr, &after.elr);
    list("last known elr", &before.last_known_elr, &after.last_known_elr);
    let _ = write!(
        text,
        "leader {} -> {}, leader epoch {} -> {}, partition epoch {} -> {}",
        before.leader,
        after.leader,
        before.leader_epoch,
        after.leader_epoch,
        before.partition_epoch,
        after.partition_epoch
    );
    text
}

fn config_set(record: &ConfigRecord) -> String {
    let kind = match record.resource_type {
        RESOURCE_TOPIC => "TOPIC",
        RESOURCE_BROKER => "BROKER",
        RESOURCE_GROUP => "GROUP",
        RESOURCE_CLIENT_METRICS => "CLIENT_METRICS",
        _ => "UNKNOWN",
    };
    let of = format!("ConfigResource(type={kind}, name='{}')", record.resource_name);
    // What is not known may be a secret.
    let is_secret = def_of(record.resource_type, &record.name).is_none_or(ConfigDef::sensitive);
    match &record.value {
        None => format!("{of}: {} went back to its default", record.name),
        Some(_) if is_secret => format!("{of}: {} was set to [hidden]", record.name),
        Some(value) => {
            format!("{of}: {} was set to {}", record.name, value.chars().take(VALUE_CHARS_MAX).collect::<String>())
        }
    }
}

fn quota_set(record: &ClientQuotaRecord) -> String {
    let part = |part: &crate::metadata::record::QuotaEntity| {
        format!("{}={}", part.entity_type, part.entity_name.as_deref().unwrap_or("<default>"))
    };
    let entity = record.entity.iter().map(part).collect::<Vec<_>>().join(", ");
    if record.remove {
        format!("Quota of ({entity}): {} was removed", record.key)
    } else {
        format!("Quota of ({entity}): {} was set to {}", record.key, record.value)
    }
}

/// `t-0`; the topic's id where its name is not known.
fn named(image: &Image, topic_id: Id, partition: i32) -> String {
    match image.topics.get(&topic_id) {
        Some(topic) => format!("{}-{partition}", topic.name),
        None => format!("{topic_id}-{partition}"),
    }
}

fn ids(ids: &[Id]) -> String {
    let texts: Vec<String> = ids.iter().map(Id::to_string).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Harness, text};
    use super::*;
    use crate::logging::LogLine;
    use crate::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    use crate::protocol::messages::{AllocateProducerIdsRequestData, IncrementalAlterConfigsRequestData};

    fn harness() -> (Harness, crossbeam_channel::Receiver<LogLine>) {
        let mut harness = Harness::with_brokers(&[], 3);
        let (sender, lines) = crossbeam_channel::bounded(1_000);
        harness.state.config.log = NodeLog::new(3000, sender, || 0);
        (harness, lines)
    }

    fn found(lines: &crossbeam_channel::Receiver<LogLine>, logger: Logger, level: Level, facts: &[&str]) -> String {
        let all: Vec<LogLine> = lines.try_iter().collect();
        let fits = |line: &&LogLine| {
            line.logger == logger && line.level == level && facts.iter().all(|fact| line.message.contains(fact))
        };
        match all.iter().find(fits) {
            Some(line) => line.message.to_string(),
            None => panic!("no {facts:?} at {level} of {} in {all:#?}", logger.name()),
        }
    }

    #[test]
    fn brokers_come_go_and_come_back() {
        let (mut harness, lines) = harness();
        harness.start(4, 9);
        let line = found(&lines, Logger::ClusterControl, Level::Info, &["Broker 4 registered for the first time"]);
        assert!(line.starts_with("[QuorumController id=3000] ") && line.contains("rack a"), "{line}");
        harness.start(4, 10);
        let facts = ["Broker 4", "new incarnation", "fenced true", "PLAINTEXT://h:9092"];
        found(&lines, Logger::ClusterControl, Level::Info, &facts);
        harness.wait(10_000);
        harness.tick();
        let all: Vec<LogLine> = lines.try_iter().collect();
        let ended = all.iter().find(|line| line.logger == Logger::BrokerHeartbeats).expect("a session that ended");
        assert!(ended.message.contains("no heartbeat for 10,000 ms"), "{}", ended.message);
        assert!(all.iter().any(|line| line.message.contains("is now fenced")), "{all:#?}");
    }

    #[test]
    fn topics_and_their_partitions() {
        let (mut harness, lines) = harness();
        harness.create("t", 1, 3);
        let all: Vec<LogLine> = lines.try_iter().collect();
        let told = |fact: &str| {
            all.iter().any(|line| line.logger == Logger::ReplicationControl && line.message.contains(fact))
        };
        assert!(told("Topic t with id ") && told("replicas [") && told("leader epoch 0"), "{all:#?}");
        // An election is a debug line: who asks for it gets it.
        let leader = harness.state.image().partition("t", 0).unwrap().leader;
        harness.state.config.log.levels().unwrap().set(Logger::ReplicationControl, Some(Level::Debug)).unwrap();
        harness.start(leader, 77);
        let gone = format!("leader {leader} -> ");
        found(&lines, Logger::ReplicationControl, Level::Debug, &["Partition change of ", "isr [", &gone]);
    }

    #[test]
    fn configs_and_producer_ids() {
        let (mut harness, lines) = harness();
        let resource = AlterConfigsResource {
            resource_type: RESOURCE_BROKER,
            configs: [("max.connections", "2"), ("plugin.token", "secret")]
                .map(|(name, value)| AlterableConfig {
                    name: text(name),
                    value: Some(text(value)),
                    ..Default::default()
                })
                .to_vec(),
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequestData { resources: vec![resource], ..Default::default() };
        let decision = harness.state.incremental_alter_configs(&request);
        harness.commit(decision);
        let all: Vec<LogLine> = lines.try_iter().collect();
        let of = "[QuorumController id=3000] ConfigResource(type=BROKER, name='')";
        let told: Vec<&str> = all.iter().map(|line| &*line.message).collect();
        assert!(told.contains(&format!("{of}: max.connections was set to 2").as_str()), "{told:?}");
        assert!(told.contains(&format!("{of}: plugin.token was set to [hidden]").as_str()), "{told:?}");
        let broker_epoch = harness.state.image().brokers[&1].epoch;
        let request = AllocateProducerIdsRequestData { broker_id: 1, broker_epoch, ..Default::default() };
        let decision = harness.state.allocate_producer_ids(&request);
        harness.commit(decision);
        found(&lines, Logger::ProducerIdControl, Level::Info, &["Broker 1 ", "from 0 to 999"]);
    }
}
