//! The acceptance table as a simulation: for each row its cluster, its clients, its faults, and what must hold, from one seed.
//!
//! `history` is what clients saw, `checker` and `cycles` judge it; `inside` judges what no client sees; `world` is the cluster, `producer`,
//! `txn_producer`, `consumer`, `committer`, `share` and `admin` its clients (`sequences` and `fences` judge what producers are told), `rows` the faults. A
//! failing seed replays to the very same end.

mod admin;
mod checker;
#[cfg(test)]
mod checker_tests;
mod client;
mod committer;
mod consumer;
mod cycles;
mod fences;
mod history;
mod inside;
mod plan;
mod producer;
mod rows;
mod sequences;
mod setup;
mod share;
mod stable;
mod transactions;
#[cfg(test)]
mod transactions_tests;
mod txn_producer;
mod txn_requests;
mod world;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

pub use checker::check;
pub use history::{Anomaly, History, Kind, OffsetRead, Op, Outcome, Poll, Promise, Send, Txn, Value, Window};
pub use plan::{MemberPlan, Plan, ProducerPlan, ShareGroupPlan, SharePlan, Timings, TxnPlan};
pub use rows::{ROWS, Row};
pub use world::{Counts, World};

/// What a seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Simulated time.
    pub simulated: Duration,
    /// Faults injected.
    pub faults: u64,
    /// Rounds played.
    pub rounds: u64,
    /// Records acknowledged.
    pub acknowledged: u64,
    /// Transactions whose commit was acknowledged, and all others.
    pub transactions: (u64, u64),
    /// Deliveries to members of share groups, and what these said of them that was kept.
    pub shared: (u64, u64),
    /// Records that were acknowledged and lost where the row allows it.
    pub lost_as_allowed: u64,
    /// Operations of clients.
    pub operations: u64,
    /// Messages.
    pub messages: u64,
    /// What is wrong.
    pub anomalies: Vec<Anomaly>,
    /// Sum over all that happened: equal for equal ends.
    pub fingerprint: u64,
}

/// Plays a row with a seed.
pub fn run(row: Row, seed: u64, verbose: bool) -> Report {
    let (mixed, plan) = plan_of(row, seed);
    if verbose {
        println!("{plan:#?}");
    }
    let mut rounds = 0;
    let mut world = match World::found(mixed, plan, verbose) {
        Ok(world) => world,
        Err(anomaly) => return Report { anomalies: vec![anomaly], ..Report::of_nothing() },
    };
    let ended = play(row, &mut world, &mut rounds);
    let windows = world.watch.windows();
    let promise = Promise { windows, nothing_to_senders: row.promises_nothing(), ..Promise::default() };
    let mut anomalies = std::mem::take(&mut world.anomalies);
    if verbose {
        checker::cycles_by_loss(&world.history, &promise).iter().for_each(|cycle| println!("cycle by loss: {cycle}"));
    }
    match ended {
        // What is inside explains what clients saw until then, but a history that was broken off is not complete.
        Err(anomaly) => anomalies.push(anomaly),
        Ok(()) => anomalies.extend(check(&world.history, &promise)),
    }
    world.say(|| {
        let unknown = world.history.transactions(|outcome| outcome == Outcome::Info);
        format!(
            "{} transactions, {unknown} of unknown end; {} offsets read",
            world.history.txns.len(),
            world.history.offsets.len()
        )
    });
    Report {
        simulated: world.now.mono,
        faults: world.counts.faults,
        rounds,
        acknowledged: world.history.acknowledged(),
        transactions: {
            let is_committed = |outcome| matches!(outcome, Outcome::Ok(_));
            (world.history.transactions(is_committed), world.history.transactions(|outcome| !is_committed(outcome)))
        },
        shared: world.history.share.counts(),
        lost_as_allowed: lost(&world.history),
        operations: world.history.ops.len() as u64,
        messages: world.counts.messages,
        fingerprint: fingerprint(&world),
        anomalies,
    }
}

/// What a row's seed is made of, and the seed of all that happens then.
fn plan_of(row: Row, seed: u64) -> (u64, Plan) {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (row.salt() << 56);
    (mixed, plan::draw(&mut StdRng::seed_from_u64(!mixed), &row.wants(), row.duration()))
}

impl Report {
    fn of_nothing() -> Report {
        Report {
            simulated: Duration::ZERO,
            faults: 0,
            rounds: 0,
            acknowledged: 0,
            transactions: (0, 0),
            shared: (0, 0),
            lost_as_allowed: 0,
            operations: 0,
            messages: 0,
            anomalies: Vec::new(),
            fingerprint: 0,
        }
    }
}

fn play(row: Row, world: &mut World, rounds: &mut u64) -> Result<(), Anomaly> {
    setup::set_up(world)?;
    let ends = world.now.mono + world.plan.duration;
    while world.now.mono < ends && world.anomalies.is_empty() {
        row.round(world)?;
        *rounds += 1;
    }
    setup::wind_up(world)
}

/// Acknowledged, and not read in the end.
pub fn lost(history: &History) -> u64 {
    let drained: std::collections::HashSet<Value> = history
        .polls()
        .filter(|poll| poll.drain)
        .flat_map(|poll| poll.records.iter().map(|(_, value)| *value))
        .collect();
    if drained.is_empty() {
        return 0;
    }
    let acknowledged = history.sends().filter(|send| matches!(send.outcome, Outcome::Ok(_)));
    acknowledged.flat_map(|send| &send.values).filter(|value| !drained.contains(value)).count() as u64
}

fn fingerprint(world: &World) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (world.now.mono, world.counts.messages, format!("{:?}", world.history)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn row_19_is_played_by_producers_of_both_versions() {
        let producers: Vec<TxnPlan> = plans("19").iter().flat_map(|plan| plan.transactional.clone()).collect();
        let versions: BTreeSet<bool> = producers.iter().map(|producer| producer.is_v2).collect();
        assert_eq!(versions, BTreeSet::from([false, true]));
        let ends: BTreeSet<bool> = producers.iter().map(|producer| producer.abandons).collect();
        assert_eq!(ends, BTreeSet::from([false, true]));
        assert!(plans("18").iter().all(|plan| plan.transactional.is_empty()));
    }

    #[test]
    fn share_groups_are_played_in_all_their_variants() {
        let shares: Vec<SharePlan> = plans("share").iter().filter_map(|plan| plan.share.clone()).collect();
        assert_eq!(shares.len(), 20);
        let groups = || shares.iter().flat_map(|share| &share.groups);
        assert_eq!(groups().map(|group| group.from_start).collect::<BTreeSet<_>>(), BTreeSet::from([false, true]));
        assert_eq!(groups().map(|group| group.committed).collect::<BTreeSet<_>>(), BTreeSet::from([false, true]));
        let members = || shares.iter().flat_map(|share| &share.members);
        assert_eq!(members().map(|member| member.renews).collect::<BTreeSet<_>>(), BTreeSet::from([false, true]));
        assert_eq!(members().map(|member| member.accepts_all).collect::<BTreeSet<_>>(), BTreeSet::from([false, true]));
        assert!(plans("18").iter().all(|plan| plan.share.is_none()));
    }

    fn plans(row: &str) -> Vec<Plan> {
        let row = Row::parse(row).unwrap()[0];
        (0..20).map(|seed| plan_of(row, seed).1).collect()
    }

    /// Row 11 says what holds with and without ELR, row 17 what a broker with several directories does when one of them fails.
    #[test]
    fn rows_are_played_in_all_their_variants() {
        let elr: BTreeSet<bool> = plans("11").iter().map(|plan| plan.elr).collect();
        assert_eq!(elr, BTreeSet::from([false, true]));
        let log_dirs: BTreeSet<usize> = plans("17").iter().map(|plan| plan.log_dirs).collect();
        assert_eq!(log_dirs, BTreeSet::from([1, 2, 3]));
        let flush: BTreeSet<bool> = plans("12").iter().map(|plan| plan.flush_each).collect();
        assert_eq!(flush, BTreeSet::from([false, true]));
        let unclean: BTreeSet<bool> = plans("13").iter().map(|plan| plan.unclean).collect();
        assert_eq!(unclean, BTreeSet::from([true]));
    }
}
