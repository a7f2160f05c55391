//! Metadata records in sentences.

use std::fmt::Write as _;

use broker::metadata::MetadataRecord;
use broker::metadata::config::{RESOURCE_BROKER, RESOURCE_CLIENT_METRICS, RESOURCE_GROUP, RESOURCE_TOPIC, shown_value};
use broker::metadata::image::Image;
use broker::metadata::record::{
    BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord, NO_LEADER_CHANGE, PartitionChangeRecord,
    PartitionRecord,
};
use broker::types::Id;

use crate::monitor::names::{count, nodes};

/// What a record says. Topics are named as the image knows them, else by their ids; what may be a secret is hidden.
pub fn of(record: &MetadataRecord, image: &Image) -> String {
    use MetadataRecord as Record;
    match record {
        Record::RegisterBroker(one) => {
            let fenced = if one.fenced { ", fenced for now" } else { "" };
            let zone = one.rack.as_ref().map_or_else(String::new, |rack| format!(" in zone {rack}"));
            format!("Broker {} registered{zone} with epoch {}{fenced}", one.broker_id, one.broker_epoch)
        }
        Record::UnregisterBroker(one) => format!("Broker {} is unregistered", one.broker_id),
        Record::Topic(one) => format!("Topic {} is created", one.name),
        Record::Partition(one) => partition(one, image),
        Record::Config(one) => config(one),
        Record::PartitionChange(one) => partition_change(one, image),
        Record::FenceBroker(one) => format!("Broker {} is fenced", one.id),
        Record::UnfenceBroker(one) => format!("Broker {} is unfenced", one.id),
        Record::RemoveTopic(one) => format!("Topic {} is deleted", topic(one.topic_id, image)),
        Record::FeatureLevel(one) => format!("{} is at level {} now", one.name, one.feature_level),
        Record::ClientQuota(one) => quota(one),
        Record::ProducerIds(one) => {
            format!("Broker {} is given producer ids; the next one to give is {}", one.broker_id, one.next_producer_id)
        }
        Record::BrokerRegistrationChange(one) => registration_change(one),
        Record::NoOp(_) => "Nothing: it lets the high watermark move on".into(),
        Record::BeginTransaction(one) => {
            format!(
                "What follows belongs together{}",
                one.name.as_ref().map_or(String::new(), |name| format!(": {name}"))
            )
        }
        Record::EndTransaction(_) => "What began together is whole".into(),
        Record::AbortTransaction(one) => {
            let why = one.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            format!("What began together did not happen{why}")
        }
        Record::RegisterController(one) => format!("Controller {} registered", one.controller_id),
        Record::ClearElr(one) if one.topic_name.is_empty() => {
            "Eligible leader replicas of all topics are cleared".into()
        }
        Record::ClearElr(one) => format!("Eligible leader replicas of topic {} are cleared", one.topic_name),
        Record::Unknown { key, version, .. } => format!("A record of type {key}, version {version}: not known here"),
    }
}

fn topic(id: Id, image: &Image) -> String {
    image.topics.get(&id).map_or_else(|| id.to_string(), |topic| topic.name.to_string())
}

fn partition(one: &PartitionRecord, image: &Image) -> String {
    let name = topic(one.topic_id, image);
    let (id, leader, isr, replicas) = (one.partition_id, one.leader, nodes(&one.isr), nodes(&one.replicas));
    format!("{name}-{id} on {replicas}: leader {leader}, epoch {}, ISR {isr}", one.leader_epoch)
}

fn partition_change(one: &PartitionChangeRecord, image: &Image) -> String {
    let mut words = format!("{}-{}: ", topic(one.topic_id, image), one.partition_id);
    let mut parts = Vec::new();
    match one.leader {
        NO_LEADER_CHANGE => {}
        -1 => parts.push("no leader".to_owned()),
        leader => parts.push(format!("leader {leader}")),
    }
    let mut list = |what: &str, ids: &Option<Vec<i32>>| {
        if let Some(ids) = ids {
            parts.push(if ids.is_empty() { format!("no {what}") } else { format!("{what} {}", nodes(ids)) });
        }
    };
    list("ISR", &one.isr);
    list("replicas", &one.replicas);
    list("adding", &one.adding_replicas);
    list("removing", &one.removing_replicas);
    list("ELR", &one.eligible_leader_replicas);
    list("last known ELR", &one.last_known_elr);
    match one.leader_recovery_state {
        0 => parts.push("recovered from an unclean election".to_owned()),
        1 => parts.push("recovering from an unclean election".to_owned()),
        _ => {}
    }
    if let Some(directories) = &one.directories {
        parts.push(format!("{} assigned", count(directories.len() as i64, "log directory", "log directories")));
    }
    let _ = write!(words, "{}", if parts.is_empty() { "nothing changes".to_owned() } else { parts.join(" · ") });
    words
}

fn registration_change(one: &BrokerRegistrationChangeRecord) -> String {
    let mut parts = Vec::new();
    match one.fenced {
        1 => parts.push("is fenced".to_owned()),
        -1 => parts.push("is unfenced".to_owned()),
        _ => {}
    }
    if one.in_controlled_shutdown == 1 {
        parts.push("is in controlled shutdown".to_owned());
    }
    if !one.log_dirs.is_empty() {
        parts.push(format!("has {} now", count(one.log_dirs.len() as i64, "log directory", "log directories")));
    }
    if let Some(cordoned) = &one.cordoned_log_dirs {
        let what = count(cordoned.len() as i64, "cordoned log directory", "cordoned log directories");
        parts.push(format!("has {what} now"));
    }
    let what = if parts.is_empty() { "stays as it is".to_owned() } else { parts.join(" and ") };
    format!("Broker {} {what}", one.broker_id)
}

fn config(one: &ConfigRecord) -> String {
    let whose = whose(one.resource_type, &one.resource_name);
    match &one.value {
        Some(value) => format!("{} of {whose} is {} now", one.name, shown_value(one.resource_type, &one.name, value)),
        None => format!("{} of {whose} is as by default again", one.name),
    }
}

/// `topic orders`, `all brokers`.
pub fn whose(resource_type: i8, name: &str) -> String {
    match resource_type {
        RESOURCE_TOPIC => format!("topic {name}"),
        RESOURCE_BROKER if name.is_empty() => "all brokers".into(),
        RESOURCE_BROKER => format!("broker {name}"),
        RESOURCE_CLIENT_METRICS => format!("client metrics subscription {name}"),
        RESOURCE_GROUP => format!("group {name}"),
        other => format!("{name} (a resource of type {other})"),
    }
}

fn quota(one: &ClientQuotaRecord) -> String {
    let part = |part: &broker::metadata::record::QuotaEntity| match &part.entity_name {
        Some(name) => format!("{} {name}", part.entity_type),
        None => format!("any {}", part.entity_type),
    };
    let whose = one.entity.iter().map(part).collect::<Vec<_>>().join(", ");
    match one.remove {
        true => format!("{} of {whose} is no more", one.key),
        false => format!("{} of {whose} is {} now", one.key, one.value),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::metadata::image::TopicImage;
    use broker::metadata::record::{QuotaEntity, RemoveTopicRecord};

    use super::*;

    fn image() -> Image {
        let topic = TopicImage { name: "orders".into(), id: Id([1; 16]), partitions: Vec::new() };
        Image { topics: [(topic.id, Arc::new(topic))].into(), ..Image::default() }
    }

    #[test]
    fn each_kind_of_change_is_told_and_nothing_else() {
        let change = |change: PartitionChangeRecord| {
            of(&PartitionChangeRecord { partition_id: 4, topic_id: Id([1; 16]), ..change }.into(), &image())
        };
        let none = PartitionChangeRecord::default();
        assert_eq!(change(none.clone()), "orders-4: nothing changes");
        assert_eq!(
            change(PartitionChangeRecord { leader: 2, isr: Some(vec![2, 3]), ..none.clone() }),
            "orders-4: leader 2 · ISR 2, 3"
        );
        assert_eq!(
            change(PartitionChangeRecord { leader: -1, eligible_leader_replicas: Some(vec![]), ..none.clone() }),
            "orders-4: no leader · no ELR"
        );
        assert_eq!(
            change(PartitionChangeRecord { leader_recovery_state: 1, ..none }),
            "orders-4: recovering from an unclean election"
        );
        let gone = RemoveTopicRecord { topic_id: Id([2; 16]) };
        assert_eq!(of(&gone.into(), &image()), "Topic AgICAgICAgICAgICAgICAg is deleted");
    }

    #[test]
    fn brokers_configs_and_quotas() {
        let change = |fenced, in_controlled_shutdown| {
            let change =
                BrokerRegistrationChangeRecord { broker_id: 2, fenced, in_controlled_shutdown, ..Default::default() };
            of(&change.into(), &image())
        };
        assert_eq!(change(1, 0), "Broker 2 is fenced");
        assert_eq!(change(-1, 0), "Broker 2 is unfenced");
        assert_eq!(change(1, 1), "Broker 2 is fenced and is in controlled shutdown");
        assert_eq!(change(0, 0), "Broker 2 stays as it is");
        let config = |resource_type, resource_name: &str, value: Option<&str>| {
            let (resource_name, value) = (resource_name.into(), value.map(str::to_owned));
            of(&ConfigRecord { resource_type, resource_name, name: "retention.ms".into(), value }.into(), &image())
        };
        assert_eq!(config(RESOURCE_TOPIC, "orders", Some("5")), "retention.ms of topic orders is 5 now");
        assert_eq!(config(RESOURCE_TOPIC, "orders", None), "retention.ms of topic orders is as by default again");
        let entity = vec![
            QuotaEntity { entity_type: "user".into(), entity_name: None },
            QuotaEntity { entity_type: "client-id".into(), entity_name: Some("app".into()) },
        ];
        let quota = ClientQuotaRecord { entity, key: "producer_byte_rate".into(), value: 1024.0, remove: false };
        assert_eq!(of(&quota.into(), &image()), "producer_byte_rate of any user, client-id app is 1024 now");
    }
}
