//! What goes wrong during the storm, drawn from the seed. At most one broker and one controller are down or paused at a time, so that
//! acks=all with min.insync.replicas=2 must keep every acknowledged record (rows 4, 9, 10, 14, 15 of the acceptance table).

use std::time::Duration;

use broker::types::NodeId;
use rand::Rng;
use rand::rngs::StdRng;

use super::checker::Violation;
use super::world::World;

/// See the module.
pub(super) struct Disturbances {
    next_at: Duration,
    /// Nodes that are down or paused: until when.
    out: Vec<(Duration, NodeId)>,
    cuts_until: Option<Duration>,
}

impl Disturbances {
    pub(super) fn new(rng: &mut StdRng, start: Duration) -> Disturbances {
        let wait = Duration::from_millis(rng.random_range(200..1500));
        Disturbances { next_at: start + wait, out: Vec::new(), cuts_until: None }
    }

    /// When there is something to do next.
    pub(super) fn next_at(&self) -> Duration {
        let ends = self.out.iter().map(|(until, _)| *until).chain(self.cuts_until);
        ends.fold(self.next_at, Duration::min)
    }

    /// Ends what is to end, and begins the next.
    pub(super) fn act(&mut self, world: &mut World) -> Result<(), Violation> {
        let now = world.now.mono;
        for (_, node) in self.out.extract_if(.., |(until, _)| *until <= now) {
            let is_down = world.nodes.get(&node).is_some_and(|node| node.core.is_none());
            if is_down { world.start(node)? } else { world.resume(node)? }
        }
        if self.cuts_until.is_some_and(|until| until <= now) {
            self.cuts_until = None;
            world.cuts.clear();
        }
        if self.next_at <= now {
            self.next_at = now + Duration::from_millis(world.rng.random_range(100..2000));
            self.begin(world);
        }
        Ok(())
    }

    fn begin(&mut self, world: &mut World) {
        let lasts = match world.rng.random_range(0..3) {
            // Back before its session expires.
            0 => world.rng.random_range(20..800),
            1 => world.rng.random_range(800..2500),
            _ => world.rng.random_range(2500..5000),
        };
        let until = world.now.mono + Duration::from_millis(lasts);
        let kinds = if world.plan.power_loss { 5 } else { 4 };
        match world.rng.random_range(0..kinds) {
            0 => self.cut(world, until),
            kind => {
                let Some(node) = self.victim(world) else { return };
                match kind {
                    1 | 2 => world.kill(node),
                    3 => world.pause(node),
                    _ => world.power_loss(node),
                }
                self.out.push((until, node));
                world.summary.faults += 1;
            }
        }
    }

    /// A node whose kind is all well, so that never two of a kind are out.
    fn victim(&self, world: &mut World) -> Option<NodeId> {
        let broker_out = self.out.iter().any(|(_, node)| *node < 3000);
        let controller_out = self.out.iter().any(|(_, node)| *node >= 3000);
        // A cut may hold back a second replica; losing the power of a first one then is row 11, not this campaign.
        if self.cuts_until.is_some() {
            return None;
        }
        let is_free = |id: &NodeId| if *id < 3000 { !broker_out && world.is_at_work(*id) } else { !controller_out };
        let free: Vec<NodeId> = world.nodes.keys().copied().filter(is_free).collect();
        match free.len() {
            0 => None,
            count => Some(free[world.rng.random_range(0..count)]),
        }
    }

    /// Cuts one link, one way or both, or all links of one node.
    fn cut(&mut self, world: &mut World, until: Duration) {
        if self.cuts_until.is_some() || !self.out.is_empty() {
            return;
        }
        let ids: Vec<NodeId> = world.nodes.keys().copied().collect();
        let one = ids[world.rng.random_range(0..ids.len())];
        let other = ids[world.rng.random_range(0..ids.len())];
        match world.rng.random_range(0..3) {
            0 => {
                world.cuts.insert((one, other));
            }
            1 => {
                world.cuts.insert((one, other));
                world.cuts.insert((other, one));
            }
            _ => {
                for id in ids {
                    world.cuts.insert((one, id));
                    world.cuts.insert((id, one));
                }
            }
        }
        self.cuts_until = Some(until);
        world.summary.faults += 1;
    }
}
