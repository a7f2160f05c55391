//! The whole cluster in one thread: the same brokers and controllers that run on threads, over simulated disks, a simulated network and a
//! simulated clock, all from one seed. A failing seed replays exactly.

mod checker;
mod client;
mod disturbances;
mod move_checks;
mod moves;
mod world;

pub use checker::Violation;
pub use world::{Plan, Summary, World};

/// Runs one seed: a cluster under load and faults, then healed, then checked.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(seed: u64, plan: &Plan) -> Result<Summary, Violation> {
    World::found(seed, plan)?.play()
}
