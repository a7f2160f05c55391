//! Groups as they were over the last minutes: what the monitor itself made of what could have been told.

use std::sync::Arc;

use broker::metadata::report::{
    BrokerReport, Event, GroupReport, MemberChange, MemberIdentity, MemberReport, NodeEvent,
};
use broker::types::TopicPartition;

use super::fixture::AT_MS;
use crate::monitor::groups::{GroupWatch, GroupsView};
use crate::monitor::snapshot::{Group, Member, Snapshot};

/// How many seconds are played.
const SECONDS: i64 = 90;
/// Consumers commit every five seconds.
const COMMIT_EVERY_S: i64 = 5;

/// What the monitor would know of these groups.
pub fn view(snapshot: &Snapshot, broken: bool) -> GroupsView {
    let mut watch = GroupWatch::default();
    for group in snapshot.groups.iter().filter(|group| !group.members.is_empty()) {
        generations(&mut watch, group);
    }
    for ago_s in (0..SECONDS).rev() {
        let mut then = snapshot.clone();
        for group in &mut then.groups {
            let moved = Arc::make_mut(group);
            let stalls = broken && moved.total_lag > 10_000 && moved.members.is_empty();
            for offset in &mut moved.offsets {
                let end = offset.committed_offset + offset.lag;
                let written = 90 + i64::from(offset.partition) * 7 % 20;
                // Since the last commit nothing is known of what was read.
                let commit_s = ago_s + (SECONDS - ago_s) % COMMIT_EVERY_S;
                let slower = if broken && offset.lag > 2_000 { 60 } else { 0 };
                if !stalls && ago_s > 0 {
                    let late = (commit_s * 7 + i64::from(offset.partition) * 3) % 20;
                    let lag_then = offset.lag - slower * commit_s + late;
                    offset.committed_offset = (end - written * commit_s - lag_then.max(0)).max(0);
                }
                offset.lag = (end - written * ago_s - offset.committed_offset).max(0);
            }
        }
        share(&mut then, ago_s);
        watch.second(AT_MS - ago_s * 1000, &then);
    }
    watch.view()
}

/// Share groups as they were then: they keep up, with a little more or less that waits.
fn share(then: &mut Snapshot, ago_s: i64) {
    let written = |partition: i32| (90 + i64::from(partition) * 7 % 20) * ago_s;
    let mut read = std::collections::BTreeSet::new();
    for group in then.groups.iter_mut().filter(|group| !group.shared.is_empty()) {
        for offset in &mut Arc::make_mut(group).shared {
            offset.start_offset -= written(offset.partition);
            offset.lag = (offset.lag + (ago_s * 7 + i64::from(offset.partition) * 3) % 20).max(0);
            read.insert(offset.topic.clone());
        }
    }
    for topic in then.topics.iter_mut().filter(|topic| read.contains(&topic.name)) {
        for partition in &mut Arc::make_mut(topic).partitions {
            partition.high_watermark -= written(partition.id);
        }
    }
}

fn generations(watch: &mut GroupWatch, group: &Group) {
    let began_ms = AT_MS - 600_000;
    for joined in 1..=group.members.len() {
        let at_ms = began_ms + joined as i64 * 41_000;
        let number = group.generation - (group.members.len() - joined) as i32 - 1;
        play(watch, group, at_ms, number, (&group.members[..joined], &group.members[joined - 1]), MemberChange::Joined);
    }
    // The last comes back after its session expired.
    if let [rest @ .., last] = &group.members[..]
        && !rest.is_empty()
    {
        let at_ms = AT_MS - 80_000;
        play(watch, group, at_ms, group.generation, (rest, last), MemberChange::SessionExpired);
        let is_back = group.state == "Stable";
        if is_back {
            let number = group.generation + 1;
            play(watch, group, at_ms + 30_000, number, (&group.members, last), MemberChange::Joined);
        }
    }
}

fn play(
    watch: &mut GroupWatch,
    group: &Group,
    at_ms: i64,
    number: i32,
    (members, of): (&[Member], &Member),
    change: MemberChange,
) {
    let cause = match change {
        MemberChange::Joined => format!("member {} joins; client reason: not provided", of.id),
        _ => format!("the session of member {} expired", of.id),
    };
    let identity = MemberIdentity {
        member_id: of.id.clone(),
        client_id: of.client_id.clone(),
        client_host: of.host.clone(),
        instance_id: of.instance_id.clone(),
    };
    let group_id = group.id.to_string();
    let rebalance = |state: &'static str, reason: &str| Event::GroupRebalance {
        group_id: group_id.clone(),
        generation: if state == "PreparingRebalance" { number - 1 } else { number },
        state,
        reason: reason.to_owned(),
        members: Vec::new(),
    };
    let steps = [
        (0, Event::GroupMember { group_id: group_id.clone(), member: identity, change }),
        (1, rebalance("PreparingRebalance", &cause)),
        (812, rebalance("CompletingRebalance", "all members have joined")),
        (830, rebalance("Stable", "the leader's assignment is stored")),
    ];
    for (after_ms, event) in steps {
        watch.event(&NodeEvent { node_id: group.coordinator, at_ms: at_ms + after_ms, event });
    }
    let topic = group.offsets.first().map(|offset| offset.topic.clone()).unwrap_or_default();
    let partitions: Vec<i32> = group.offsets.iter().map(|offset| offset.partition).collect();
    let member = |(index, member): (usize, &Member)| MemberReport {
        member_id: member.id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.host.clone(),
        topics: member.topics.clone(),
        assignment: partitions
            .iter()
            .filter(|partition| **partition as usize % members.len() == index)
            .map(|partition| TopicPartition { topic: topic.clone(), partition: *partition })
            .collect(),
        ..MemberReport::default()
    };
    let report = GroupReport {
        group_id: group.id.clone(),
        group_type: group.kind,
        state: Some("Stable"),
        generation: number,
        protocol_type: "consumer".into(),
        protocol: group.protocol.clone(),
        members: members.iter().enumerate().map(member).collect(),
        offsets: Vec::new(),
    };
    let told = BrokerReport {
        node_id: group.coordinator,
        at_ms: at_ms + 850,
        groups: vec![report],
        ..BrokerReport::default()
    };
    watch.report(&told);
}
