//! Share groups: the broker that keeps their state, their group's coordinator, or a leader that they read from is lost.

use broker::types::NodeId;
use rand::Rng;

use super::transactions::{lose_ahead, lose_one_after_another};
use crate::campaign::committer::OFFSETS_TOPIC;
use crate::campaign::history::Anomaly;
use crate::campaign::share::SHARE_STATE_TOPIC;
use crate::campaign::world::World;

/// Leads a partition of share state, of groups, or of the topic.
fn somebody(world: &mut World) -> Option<NodeId> {
    let topic = match world.rng.random_range(0..10) {
        0..4 => SHARE_STATE_TOPIC,
        4..6 => OFFSETS_TOPIC,
        _ => return world.some_leader(),
    };
    let count = world.truth()?.topic(topic)?.partitions.len();
    let partition = world.rng.random_range(0..count);
    let leader = world.truth()?.topic(topic)?.partitions[partition].leader;
    (leader > 0).then_some(leader)
}

/// One after another: often the next as soon as it has taken over.
pub(super) fn coordinator_lost(world: &mut World) -> Result<(), Anomaly> {
    lose_one_after_another(world, somebody)
}

/// One that is ahead of its followers.
pub(super) fn leader_lost_ahead(world: &mut World) -> Result<(), Anomaly> {
    let victim = somebody(world);
    lose_ahead(world, victim)
}
