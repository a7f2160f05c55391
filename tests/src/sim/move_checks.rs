//! What a reassignment promises: it ends with exactly the replicas that were asked for, or with those from before, and nothing that is
//! committed is lacking on a replica that came into the ISR.

use std::collections::{BTreeMap, BTreeSet};

use broker::metadata::image::{Image, PartitionImage};
use broker::replica::Partition;
use broker::types::{NodeId, TopicIdPartition};

use super::client::TOPIC;
use super::world::World;

/// What was seen of moves so far.
#[derive(Default)]
pub(super) struct MoveChecks {
    /// Targets that were asked for by name, by partition.
    pub(super) ordered: BTreeSet<(i32, BTreeSet<NodeId>)>,
    /// Whether the cluster planned moves itself: then a target may be one that nobody named.
    pub(super) planned: bool,
    /// The partitions as they were decided last.
    last: BTreeMap<i32, PartitionImage>,
    decided_offset: i64,
    /// Reassignments that ended as they were asked for.
    pub(super) completed: u64,
    /// Reassignments that were taken back.
    pub(super) cancelled: u64,
}

/// After each step of the active controller.
pub(super) fn check_decided(checks: &mut MoveChecks, image: &Image) -> Option<String> {
    if image.offset <= checks.decided_offset {
        return None;
    }
    checks.decided_offset = image.offset;
    let topic = image.topic(TOPIC)?;
    for (index, after) in (0..).zip(&topic.partitions) {
        let before = checks.last.insert(index, after.clone());
        // Whoever replays several changes at once shows only the last.
        let before = before.filter(|before| before.partition_epoch + 1 == after.partition_epoch);
        let wrong = check_alone(after).or_else(|| check_change(checks, index, &before?, after));
        if let Some(wrong) = wrong {
            return Some(format!("{TOPIC}-{index}: {wrong}: {after:?}"));
        }
    }
    None
}

fn check_alone(partition: &PartitionImage) -> Option<String> {
    let all = set(&partition.replicas);
    let within = |ids: &[NodeId]| ids.iter().all(|id| all.contains(id));
    if all.len() != partition.replicas.len() {
        return Some("a replica is told twice".into());
    }
    if partition.leader >= 0 && !partition.isr.contains(&partition.leader) {
        return Some("the leader is not in the ISR".into());
    }
    (!(within(&partition.isr) && within(&partition.adding) && within(&partition.removing)))
        .then(|| "the ISR, or what moves, is not among the replicas".into())
}

fn check_change(
    checks: &mut MoveChecks,
    index: i32,
    before: &PartitionImage,
    after: &PartitionImage,
) -> Option<String> {
    let same = before.replicas == after.replicas && before.adding == after.adding && before.removing == after.removing;
    if same {
        return None;
    }
    let target = set(&after.target_replicas());
    let was_asked_for = checks.planned || checks.ordered.contains(&(index, target.clone()));
    if after.is_reassigning() {
        let stayed = minus(&after.replicas, &after.adding);
        let kept = set(&before.replicas).iter().all(|id| after.replicas.contains(id));
        return (!(was_asked_for && kept && stayed.is_subset(&set(&before.replicas)))).then(|| {
            format!("a reassignment began that nobody asked for, or that drops replicas at once, from {before:?}")
        });
    }
    let came_in = |id: &NodeId| !after.replicas.contains(id) || after.isr.contains(id);
    if before.is_reassigning() && target == set(&before.target_replicas()) {
        checks.completed += 1;
        return (!before.adding.iter().all(came_in))
            .then(|| format!("completed before all were in sync, from {before:?}"));
    }
    if before.is_reassigning() && target == minus(&before.replicas, &before.adding) {
        checks.cancelled += 1;
        return None;
    }
    // Asked for, and in another order only, or all had what is committed already.
    let had = set(&before.replicas);
    let at_once = target == had || (target.is_subset(&had) && after.replicas.iter().all(came_in));
    (!(was_asked_for && at_once))
        .then(|| format!("neither the replicas that were asked for nor those from before, {before:?}"))
}

fn set(ids: &[NodeId]) -> BTreeSet<NodeId> {
    ids.iter().copied().collect()
}

fn minus(all: &[NodeId], but: &[NodeId]) -> BTreeSet<NodeId> {
    all.iter().copied().filter(|id| !but.contains(id)).collect()
}

/// After each step of a broker: every member of the ISR, as the controller has it, has what is committed, whoever came and went.
pub(super) fn check_members(world: &World, leader: NodeId) -> Option<String> {
    let broker = world.broker(leader)?;
    let image = world.decided()?;
    let topic = image.topic(TOPIC)?;
    for (index, partition) in (0..).zip(&topic.partitions) {
        let id = TopicIdPartition { topic_id: topic.id, partition: index };
        let same_reign = |replica: &&Partition| replica.is_leader() && replica.leader_epoch() == partition.leader_epoch;
        let Some(replica) = broker.replicas.partition(&id).filter(same_reign) else { continue };
        for member in partition.isr.iter().filter(|member| **member != leader) {
            let Some(other) = world.broker(*member) else { continue };
            // One that started anew may have lost what it had, and is to leave.
            let known = image.brokers.get(member).map(|broker| broker.epoch);
            let end = other.replicas.log(&id).map(|log| log.log_end_offset());
            if known == Some(other.lifecycle.broker_epoch()) && end.is_some_and(|end| end < replica.high_watermark()) {
                return Some(format!(
                    "{TOPIC}-{index}: committed is all below {}, but {member}, in the ISR of {partition:?}, ends at {end:?}",
                    replica.high_watermark()
                ));
            }
        }
    }
    None
}
