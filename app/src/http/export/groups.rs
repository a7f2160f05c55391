//! Consumers' lag under three sets of names: kafka_exporter's, kafka-lag-exporter's, and MSK's `ConsumerLagMetrics`.

use std::collections::BTreeMap;

use super::families::Families;
use crate::monitor::cloudwatch::watch::CLUSTER_NAME;
use crate::monitor::snapshot::{Group, GroupOffset, Member, Snapshot};

/// Adds them.
pub fn add(families: &mut Families, snapshot: &Snapshot) {
    kafka_exporter(families, snapshot);
    lag_exporter(families, snapshot);
    msk(families, snapshot);
}

fn seconds(lag_ms: i64) -> f64 {
    lag_ms as f64 / 1000.0
}

fn each_offset<'s>(snapshot: &'s Snapshot, mut tell: impl FnMut(&'s Group, &'s GroupOffset, &str)) {
    for group in &snapshot.groups {
        for offset in &group.offsets {
            tell(group, offset, &offset.partition.to_string());
        }
    }
}

/// By topic, in the order of the topics.
fn by_topic(group: &Group) -> BTreeMap<&str, Vec<&GroupOffset>> {
    let mut topics = BTreeMap::<&str, Vec<&GroupOffset>>::new();
    for offset in &group.offsets {
        topics.entry(&offset.topic).or_default().push(offset);
    }
    topics
}

fn kafka_exporter(families: &mut Families, snapshot: &Snapshot) {
    let mut family = families.gauge("kafka_consumergroup_members", "Members of a group.");
    for group in &snapshot.groups {
        family.add(&[("consumergroup", &group.id)], group.members.len() as f64);
    }
    drop(family);
    type Value = fn(&GroupOffset) -> f64;
    let of_partition: [(&str, &str, Value); 2] = [
        ("current_offset", "Committed offset", |offset| offset.committed_offset as f64),
        ("lag", "Records between the high watermark and the committed offset", |offset| offset.lag as f64),
    ];
    for (name, help, value) in of_partition {
        let mut family = families.gauge(&format!("kafka_consumergroup_{name}"), &format!("{help}."));
        each_offset(snapshot, |group, offset, id| {
            let labels = [("consumergroup", &*group.id), ("topic", &*offset.topic), ("partition", id)];
            family.add(&labels, value(offset));
        });
        drop(family);
        let help = format!("{help}, over all partitions of a topic.");
        let mut family = families.gauge(&format!("kafka_consumergroup_{name}_sum"), &help);
        for group in &snapshot.groups {
            for (topic, offsets) in by_topic(group) {
                let sum = offsets.iter().map(|offset| value(offset)).sum();
                family.add(&[("consumergroup", &*group.id), ("topic", topic)], sum);
            }
        }
    }
}

fn lag_exporter(families: &mut Families, snapshot: &Snapshot) {
    type Value = fn(&GroupOffset) -> Option<f64>;
    let of_partition: [(&str, &str, Value); 3] = [
        ("offset", "Committed offset of a group.", |offset| Some(offset.committed_offset as f64)),
        ("lag", "Records that a group has not read.", |offset| Some(offset.lag as f64)),
        ("lag_seconds", "How old the first record is that a group has not read.", |offset| offset.lag_ms.map(seconds)),
    ];
    for (name, help, value) in of_partition {
        let mut family = families.gauge(&format!("kafka_consumergroup_group_{name}"), help);
        each_offset(snapshot, |group, offset, id| {
            let Some(value) = value(offset) else { return };
            let member = member_of(group, offset);
            let labels = [
                ("cluster_name", CLUSTER_NAME),
                ("group", &*group.id),
                ("topic", &*offset.topic),
                ("partition", id),
                ("member_host", member.map_or("", |member| &member.host)),
                ("consumer_id", member.map_or("", |member| &member.id)),
                ("client_id", member.map_or("", |member| &member.client_id)),
            ];
            family.add(&labels, value);
        });
    }
    type OfGroup = fn(&Group) -> Option<f64>;
    let of_group: [(&str, &str, OfGroup); 3] = [
        ("max_lag", "The greatest lag of a group in a partition.", |group| {
            group.offsets.iter().map(|offset| offset.lag as f64).reduce(f64::max)
        }),
        ("max_lag_seconds", "The greatest lag in time of a group in a partition.", |group| {
            group.offsets.iter().filter_map(|offset| offset.lag_ms).map(seconds).reduce(f64::max)
        }),
        ("sum_lag", "Lag of a group in all partitions.", |group| {
            (!group.offsets.is_empty()).then_some(group.total_lag as f64)
        }),
    ];
    for (name, help, value) in of_group {
        let mut family = families.gauge(&format!("kafka_consumergroup_group_{name}"), help);
        for group in &snapshot.groups {
            if let Some(value) = value(group) {
                family.add(&[("cluster_name", CLUSTER_NAME), ("group", &group.id)], value);
            }
        }
    }
    let help = "Lag of a group in all partitions of a topic.";
    let mut family = families.gauge("kafka_consumergroup_group_topic_sum_lag", help);
    for group in &snapshot.groups {
        for (topic, offsets) in by_topic(group) {
            let sum: i64 = offsets.iter().map(|offset| offset.lag).sum();
            let labels = [("cluster_name", CLUSTER_NAME), ("group", &*group.id), ("topic", topic)];
            family.add(&labels, sum as f64);
        }
    }
}

fn member_of<'g>(group: &'g Group, offset: &GroupOffset) -> Option<&'g Member> {
    group.members.iter().find(|member| {
        let holds = |held: &crate::monitor::snapshot::AssignedPartition| {
            held.partition == offset.partition && held.topic == offset.topic
        };
        member.assignment.iter().any(holds)
    })
}

/// MSK leaves out groups whose names have a colon or are not ASCII.
fn msk(families: &mut Families, snapshot: &Snapshot) {
    let help = "Consumer lag as MSK tells it: offsets in records, times in seconds.";
    let mut family = families.untyped("kafka_consumer_group_ConsumerLagMetrics_Value", help);
    let suits = |group: &&std::sync::Arc<Group>| group.id.is_ascii() && !group.id.contains(':');
    for group in snapshot.groups.iter().filter(suits) {
        for (topic, offsets) in by_topic(group) {
            let labels = |name| [("name", name), ("groupId", &*group.id), ("topic", topic)];
            let lags = || offsets.iter().map(|offset| offset.lag as f64);
            family.add(&labels("SumOffsetLag"), lags().sum());
            family.add(&labels("MaxOffsetLag"), lags().fold(0.0, f64::max));
            let times = offsets.iter().filter_map(|offset| offset.lag_ms).map(seconds);
            if let Some(slowest) = times.reduce(f64::max) {
                family.add(&labels("EstimatedMaxTimeLag"), slowest);
            }
            for offset in &offsets {
                let id = offset.partition.to_string();
                let labels = |name| [("name", name), ("groupId", &*group.id), ("topic", topic), ("partition", &*id)];
                family.add(&labels("OffsetLag"), offset.lag as f64);
                if let Some(lag_ms) = offset.lag_ms {
                    family.add(&labels("EstimatedTimeLag"), seconds(lag_ms));
                }
            }
        }
    }
}
