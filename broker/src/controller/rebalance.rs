//! Where replicas go when brokers come and go: away from one that leaves, and evenly over all when there are more.
//!
//! Kafka leaves this plan to its operators (Cruise Control, `kafka-reassign-partitions --generate`); what is planned here is carried out by
//! Kafka's reassignments. The plan is pure: as few moves as there can be, the replication factor kept, and no partition on fewer racks than
//! before where that can be avoided.

use std::collections::{BTreeMap, BTreeSet};

use super::placement::UsableBroker;
use super::state::{Changes, ControllerState, Decision};
use crate::protocol::messages::UnregisterBrokerRequestData;
use crate::types::{Id, NodeId};

/// Reassignments begun by one decision; the rest follows with the next.
const MAX_MOVES: usize = 500;

/// One partition's replicas and where they are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move<K> {
    /// Which partition.
    pub partition: K,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
}

/// What the cluster itself asks of its active controller. In memory only: no client can ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// Move everything off this broker.
    Evacuate(NodeId),
    /// It stays after all: what is on its way off this broker goes back.
    Keep(NodeId),
    /// Unregister this broker, unless it still has replicas. It should have stopped, so that it gets no new ones.
    Dismiss(NodeId),
    /// Spread replicas and preferred leaders evenly.
    Spread,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RebalanceProgress {
    /// Reassignments begun by this request; ask again until there are none.
    pub begun: usize,
    /// Partitions whose reassignment is under way.
    pub ongoing: usize,
    /// Partitions that have a replica on the broker that was asked about, and leaderships that are not where they are preferred.
    pub left: usize,
    /// Why it cannot be done, in one sentence.
    pub refused: Option<String>,
}

impl ControllerState {
    /// Begins what is to be moved, and says how far that is.
    pub fn rebalance(&self, wish: &Rebalance) -> Decision<RebalanceProgress> {
        let mut changes = Changes::default();
        let mut progress = RebalanceProgress::default();
        match wish {
            Rebalance::Evacuate(leaving) => {
                let stays = |broker: &UsableBroker| broker.id != *leaving && !broker.fenced;
                let brokers: Vec<UsableBroker> = self.usable_brokers().into_iter().filter(stays).collect();
                match evacuate(*leaving, &brokers, &self.assignments()) {
                    Ok(moves) => progress.begun = self.begin(moves, &mut changes),
                    Err(stuck) => {
                        let topic = self.image.topics.get(&stuck.partition.0);
                        let name = topic.map_or("", |topic| &topic.name);
                        progress.refused = Some(format!(
                            "broker {leaving} cannot leave: {name}-{} has {} replicas, and only {} other broker(s) are running",
                            stuck.partition.1,
                            stuck.replicas.len(),
                            brokers.len()
                        ));
                    }
                }
                progress.left = self.hosted_by(*leaving);
            }
            Rebalance::Spread => {
                let brokers: Vec<UsableBroker> =
                    self.usable_brokers().into_iter().filter(|broker| !broker.fenced).collect();
                let moves = spread(&brokers, &self.assignments(), |(topic, _)| *topic, MAX_MOVES).moves;
                progress.begun = self.begin(moves, &mut changes);
                if progress.begun == 0 && self.ongoing() == 0 {
                    // The replicas stand where they are to be; the leaderships follow.
                    let elected = self.prefer_leaders();
                    progress.left = elected.records.len();
                    changes.records.extend(elected.records);
                    changes.events.extend(elected.events);
                }
            }
            Rebalance::Keep(staying) => {
                self.stop_moves_off(*staying, &mut changes);
                progress.left = self.hosted_by(*staying);
            }
            Rebalance::Dismiss(leaving) => {
                progress.left = self.hosted_by(*leaving);
                if progress.left == 0 {
                    let request = UnregisterBrokerRequestData { broker_id: *leaving, ..Default::default() };
                    let unregistered = self.unregister_broker(&request);
                    changes.records.extend(unregistered.records);
                    changes.events.extend(unregistered.events);
                }
            }
        }
        progress.ongoing = self.ongoing() + progress.begun;
        changes.with(progress)
    }

    /// All partitions with the replicas that they are to have.
    fn assignments(&self) -> Vec<Move<(Id, i32)>> {
        let topics = self.image.topics.values();
        topics
            .flat_map(|topic| {
                topic.partitions.iter().enumerate().map(|(index, partition)| Move {
                    partition: (topic.id, index as i32),
                    replicas: partition.target_replicas(),
                })
            })
            .collect()
    }

    fn begin(&self, moves: Vec<Move<(Id, i32)>>, changes: &mut Changes) -> usize {
        let mut begun = 0;
        for Move { partition: (topic_id, index), replicas } in moves.into_iter().take(MAX_MOVES) {
            let Some(topic) = self.image.topics.get(&topic_id) else { continue };
            if let Some(partition) = topic.partition(index) {
                self.move_replicas(topic, index as usize, partition, &replicas, changes);
                begun += 1;
            }
        }
        begun
    }

    /// A move that cannot be taken back (only replicas on their way in are in sync) ends as it was begun.
    fn stop_moves_off(&self, staying: NodeId, changes: &mut Changes) {
        for topic in self.image.topics.values() {
            for (index, partition) in topic.partitions.iter().enumerate() {
                if !partition.removing.contains(&staying) {
                    continue;
                }
                // A move that replaced another would leave what the first one brought in beside all others.
                let (mut replicas, wanted) = (partition.original_replicas(), partition.target_replicas().len());
                if replicas.len() > wanted {
                    replicas.sort_by_key(|id| !partition.isr.contains(id));
                    replicas.truncate(wanted);
                    self.move_replicas(topic, index, partition, &replicas, changes);
                } else {
                    let _ = self.cancel(topic, index, partition, changes);
                }
            }
        }
    }

    fn ongoing(&self) -> usize {
        let partitions = self.image.topics.values().flat_map(|topic| &topic.partitions);
        partitions.filter(|partition| partition.is_reassigning()).count()
    }

    fn hosted_by(&self, id: NodeId) -> usize {
        let partitions = self.image.topics.values().flat_map(|topic| &topic.partitions);
        partitions.filter(|partition| partition.replicas.contains(&id)).count()
    }
}

/// What each broker carries by the plan so far.
struct Loads<'a> {
    racks: BTreeMap<NodeId, Option<&'a str>>,
    replicas: BTreeMap<NodeId, usize>,
    leaders: BTreeMap<NodeId, usize>,
}

impl<'a> Loads<'a> {
    fn of<K>(brokers: &'a [UsableBroker], partitions: &[Move<K>]) -> Loads<'a> {
        let mut loads = Loads {
            racks: brokers.iter().map(|broker| (broker.id, broker.rack.as_deref())).collect(),
            replicas: brokers.iter().map(|broker| (broker.id, 0)).collect(),
            leaders: brokers.iter().map(|broker| (broker.id, 0)).collect(),
        };
        for partition in partitions {
            loads.count(&partition.replicas, 1);
        }
        loads
    }

    fn count(&mut self, replicas: &[NodeId], by: isize) {
        for id in replicas {
            if let Some(load) = self.replicas.get_mut(id) {
                *load = load.saturating_add_signed(by);
            }
        }
        if let Some(load) = replicas.first().and_then(|first| self.leaders.get_mut(first)) {
            *load = load.saturating_add_signed(by);
        }
    }

    fn replicas(&self, id: NodeId) -> usize {
        self.replicas.get(&id).copied().unwrap_or(usize::MAX)
    }

    fn leaders(&self, id: NodeId) -> usize {
        self.leaders.get(&id).copied().unwrap_or(usize::MAX)
    }

    /// On how many racks these stand; brokers that are not known count as one rack of their own each.
    fn rack_count(&self, replicas: &[NodeId]) -> usize {
        let known = |id: &&NodeId| self.racks.contains_key(*id);
        let racks: BTreeSet<_> = replicas.iter().filter(known).filter_map(|id| self.racks.get(id)).collect();
        racks.len() + replicas.iter().filter(|id| !self.racks.contains_key(*id)).count()
    }
}

/// A plan for [`ControllerState`] to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread<K> {
    /// What changes; several moves of one partition are told as one.
    pub moves: Vec<Move<K>>,
}

/// Moves every replica off `leaving`, to those of `brokers` that carry least, onto racks that a partition does not use yet where there are
/// any. `Err`: a partition for which too few brokers are left.
pub fn evacuate<K: Clone>(
    leaving: NodeId,
    brokers: &[UsableBroker],
    partitions: &[Move<K>],
) -> Result<Vec<Move<K>>, Move<K>> {
    let mut loads = Loads::of(brokers, partitions);
    let mut moves = Vec::new();
    for partition in partitions.iter().filter(|partition| partition.replicas.contains(&leaving)) {
        let staying: Vec<NodeId> = partition.replicas.iter().copied().filter(|id| *id != leaving).collect();
        let candidates = brokers.iter().filter(|broker| !staying.contains(&broker.id));
        let cost = |broker: &&UsableBroker| {
            let mut with = staying.clone();
            with.push(broker.id);
            (usize::MAX - loads.rack_count(&with), loads.replicas(broker.id), loads.leaders(broker.id), broker.id)
        };
        let new = candidates.min_by_key(cost).ok_or_else(|| partition.clone())?.id;
        let mut replicas: Vec<NodeId> =
            partition.replicas.iter().map(|id| if *id == leaving { new } else { *id }).collect();
        loads.count(&partition.replicas, -1);
        if partition.replicas.first() == Some(&leaving) {
            // Whoever leads least of them is preferred from now on.
            let first = (0..replicas.len()).min_by_key(|index| (loads.leaders(replicas[*index]), *index)).unwrap_or(0);
            replicas.swap(0, first);
        }
        loads.count(&replicas, 1);
        moves.push(Move { partition: partition.partition.clone(), replicas });
    }
    Ok(moves)
}

/// How many replicas each broker has of each topic.
struct Shares<T> {
    /// The topic of each partition.
    topics: Vec<T>,
    replicas: BTreeMap<(T, NodeId), usize>,
}

impl<T: Ord + Copy> Shares<T> {
    fn of<K>(partitions: &[Move<K>], topic: impl Fn(&K) -> T) -> Shares<T> {
        let topics: Vec<T> = partitions.iter().map(|partition| topic(&partition.partition)).collect();
        let mut replicas = BTreeMap::new();
        for (topic, partition) in topics.iter().zip(partitions) {
            for id in &partition.replicas {
                *replicas.entry((*topic, *id)).or_default() += 1;
            }
        }
        Shares { topics, replicas }
    }

    fn replicas(&self, index: usize, id: NodeId) -> usize {
        self.replicas.get(&(self.topics[index], id)).copied().unwrap_or(0)
    }

    /// A replica of a partition goes from one broker to another.
    fn moved(&mut self, index: usize, from: NodeId, to: NodeId) {
        let topic = self.topics[index];
        if let Some(count) = self.replicas.get_mut(&(topic, from)) {
            *count = count.saturating_sub(1);
        }
        *self.replicas.entry((topic, to)).or_default() += 1;
    }
}

/// Evens out replicas and preferred leaders over `brokers`: after it (and with no more than `max_moves` partitions touched) no two brokers
/// differ by more than one replica, unless racks or a lack of partitions stand against it. Of each topic a broker gets a share, as far as
/// that costs no move more.
pub fn spread<K: Clone, T: Ord + Copy>(
    brokers: &[UsableBroker],
    partitions: &[Move<K>],
    topic: impl Fn(&K) -> T,
    max_moves: usize,
) -> Spread<K> {
    let mut plan: Vec<Vec<NodeId>> = partitions.iter().map(|partition| partition.replicas.clone()).collect();
    let mut loads = Loads::of(brokers, partitions);
    let mut shares = Shares::of(partitions, topic);
    let mut touched = BTreeSet::new();
    while touched.len() < max_moves {
        let Some((index, from, to)) = next_move(&plan, &loads, &shares) else { break };
        loads.count(&plan[index], -1);
        for id in plan[index].iter_mut().filter(|id| **id == from) {
            *id = to;
        }
        loads.count(&plan[index], 1);
        shares.moved(index, from, to);
        touched.insert(index);
    }
    prefer_evenly(&mut plan, &mut loads, &mut touched, max_moves);
    let moves = touched
        .into_iter()
        .filter(|index| plan[*index] != partitions[*index].replicas)
        .map(|index| Move { partition: partitions[index].partition.clone(), replicas: plan[index].clone() })
        .collect();
    Spread { moves }
}

/// A replica that moves from a broker that carries more to one that carries less: from the most to the least loaded if that can be.
fn next_move<T: Ord + Copy>(
    plan: &[Vec<NodeId>],
    loads: &Loads<'_>,
    shares: &Shares<T>,
) -> Option<(usize, NodeId, NodeId)> {
    let mut by_load: Vec<NodeId> = loads.replicas.keys().copied().collect();
    by_load.sort_by_key(|id| (loads.replicas(*id), *id));
    for to in by_load.iter().copied() {
        for from in by_load.iter().rev().copied() {
            if loads.replicas(from) < loads.replicas(to) + 2 {
                break;
            }
            let movable = |replicas: &Vec<NodeId>| replicas.contains(&from) && !replicas.contains(&to);
            let cost = |index: usize, replicas: &Vec<NodeId>| {
                let moved: Vec<NodeId> = replicas.iter().map(|id| if *id == from { to } else { *id }).collect();
                let (before, after) = (loads.rack_count(replicas), loads.rack_count(&moved));
                // Preferably one of the topic that is spread least, then one whose leader moves along, as long as the new broker leads less.
                let evened = (shares.replicas(index, from) + plan.len()).saturating_sub(shares.replicas(index, to));
                let leads = replicas.first() == Some(&from);
                let wants_leaders = loads.leaders(from) > loads.leaders(to) + 1;
                after
                    .checked_sub(before)
                    .map(|gained| (usize::MAX - gained, usize::MAX - evened, leads != wants_leaders))
            };
            let candidates = plan.iter().enumerate().filter(|(_, replicas)| movable(replicas));
            let best = candidates.filter_map(|(index, replicas)| Some((cost(index, replicas)?, index))).min();
            if let Some((_, index)) = best {
                return Some((index, from, to));
            }
        }
    }
    None
}

/// Preferred leaders: only the order within a partition changes, no data moves.
fn prefer_evenly(plan: &mut [Vec<NodeId>], loads: &mut Loads<'_>, touched: &mut BTreeSet<usize>, max_moves: usize) {
    loop {
        let mut changed = false;
        for (index, replicas) in plan.iter_mut().enumerate() {
            if touched.len() >= max_moves && !touched.contains(&index) {
                continue;
            }
            let Some(first) = replicas.first().copied() else { continue };
            let known = (1..replicas.len()).filter(|at| loads.leaders.contains_key(&replicas[*at]));
            let Some(least) = known.min_by_key(|at| (loads.leaders(replicas[*at]), *at)) else { continue };
            if loads.leaders.contains_key(&first) && loads.leaders(first) >= loads.leaders(replicas[least]) + 2 {
                loads.count(replicas, -1);
                replicas.swap(0, least);
                loads.count(replicas, 1);
                touched.insert(index);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cluster(racks: &[usize]) -> Vec<UsableBroker> {
        let name = |rack: &usize| (*rack > 0).then(|| format!("r{rack}"));
        (1..).zip(racks).map(|(id, rack)| UsableBroker { id, rack: name(rack), fenced: false }).collect()
    }

    fn placed(brokers: &[UsableBroker], partitions: usize, factor: usize, seed: u64) -> Vec<Move<usize>> {
        use rand::SeedableRng;
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let placed = super::super::place(brokers, partitions, factor as i16, &mut rng).unwrap();
        placed.into_iter().enumerate().map(|(partition, replicas)| Move { partition, replicas }).collect()
    }

    fn apply(before: &[Move<usize>], moves: &[Move<usize>]) -> Vec<Move<usize>> {
        let mut after = before.to_vec();
        for one in moves {
            after[one.partition] = one.clone();
        }
        after
    }

    fn range(loads: &BTreeMap<NodeId, usize>) -> usize {
        loads.values().max().unwrap() - loads.values().min().unwrap()
    }

    fn data_moves(before: &[Move<usize>], after: &[Move<usize>]) -> usize {
        let new = |(before, after): (&Move<usize>, &Move<usize>)| {
            after.replicas.iter().filter(|id| !before.replicas.contains(id)).count()
        };
        before.iter().zip(after).map(new).sum()
    }

    #[test]
    fn a_new_broker_gets_its_fair_share_and_no_more_moves_than_that() {
        let four = cluster(&[1, 2, 3, 1]);
        let before = placed(&four[..3], 12, 3, 1);
        let after = apply(&before, &spread(&four, &before, |_| (), 1000).moves);
        let loads = Loads::of(&four, &after);
        // Racks 2 and 3 have one broker each, so that each of theirs has a replica of every partition: only rack 1 shares.
        assert_eq!(loads.replicas, BTreeMap::from([(1, 6), (2, 12), (3, 12), (4, 6)]));
        assert_eq!(data_moves(&before, &after), 6);
        assert_eq!(range(&loads.leaders), 0);
        let plain = cluster(&[0, 0, 0, 0]);
        let after = apply(&before, &spread(&plain, &before, |_| (), 1000).moves);
        let loads = Loads::of(&plain, &after);
        assert_eq!((loads.replicas[&4], loads.leaders[&4], data_moves(&before, &after)), (9, 3, 9));
    }

    #[test]
    fn a_new_broker_gets_its_share_of_each_topic() {
        let four = cluster(&[1, 2, 3, 1]);
        // Ten partitions of one topic, six of another.
        let before = placed(&four[..3], 16, 3, 1);
        let topic = |partition: &usize| *partition < 10;
        let after = apply(&before, &spread(&four, &before, topic, 1000).moves);
        let shares = Shares::of(&after, topic);
        let of = |id| (shares.replicas(0, id), shares.replicas(15, id));
        assert_eq!((of(1), of(2), of(3), of(4)), ((5, 3), (10, 6), (10, 6), (5, 3)));
    }

    #[test]
    fn a_broker_that_nobody_can_stand_in_for_stays() {
        let three = cluster(&[1, 2, 3]);
        let before = placed(&three, 4, 3, 1);
        let stuck = evacuate(2, &[three[0].clone(), three[2].clone()], &before).unwrap_err();
        assert_eq!(stuck.partition, 0);
    }

    proptest! {
        #[test]
        fn leaving_keeps_factor_and_racks_and_moves_only_what_must(
            racks in prop::collection::vec(0..4usize, 2..8),
            partitions in 0..40usize,
            factor in 1..4usize,
            seed in any::<u64>(),
        ) {
            let brokers = cluster(&racks);
            let leaving = (seed % brokers.len() as u64) as NodeId + 1;
            let factor = factor.min(brokers.len() - 1);
            let before = placed(&brokers, partitions, factor, seed);
            let rest: Vec<UsableBroker> = brokers.iter().filter(|b| b.id != leaving).cloned().collect();
            let moves = evacuate(leaving, &rest, &before).unwrap();
            let after = apply(&before, &moves);
            let all = Loads::of(&brokers, &after);
            let racks_left: BTreeSet<_> = rest.iter().map(|broker| &broker.rack).collect();
            for (old, new) in before.iter().zip(&after) {
                let distinct: BTreeSet<_> = new.replicas.iter().collect();
                prop_assert_eq!(distinct.len(), factor);
                prop_assert!(!new.replicas.contains(&leaving));
                let could = all.rack_count(&old.replicas).min(racks_left.len());
                prop_assert!(all.rack_count(&new.replicas) >= could, "{:?} -> {:?}", old, new);
            }
            let hosted = before.iter().filter(|partition| partition.replicas.contains(&leaving)).count();
            prop_assert_eq!(data_moves(&before, &after), hosted);
        }

        #[test]
        fn spreading_keeps_factor_and_racks_and_evens_out(
            racks in prop::collection::vec(0..4usize, 2..8),
            started in 1..7usize,
            partitions in 0..40usize,
            factor in 1..4usize,
            topics in 1..4usize,
            seed in any::<u64>(),
        ) {
            let brokers = cluster(&racks);
            let started = started.min(brokers.len());
            let factor = factor.min(started);
            let before = placed(&brokers[..started], partitions, factor, seed);
            let after = apply(&before, &spread(&brokers, &before, |partition| partition % topics, 1000).moves);
            let (old_loads, loads) = (Loads::of(&brokers, &before), Loads::of(&brokers, &after));
            for (old, new) in before.iter().zip(&after) {
                let distinct: BTreeSet<_> = new.replicas.iter().collect();
                prop_assert_eq!(distinct.len(), factor);
                prop_assert!(loads.rack_count(&new.replicas) >= loads.rack_count(&old.replicas));
            }
            prop_assert!(range(&loads.replicas) <= range(&old_loads.replicas));
            if racks.iter().all(|rack| *rack == racks[0]) {
                prop_assert!(range(&loads.replicas) <= 1, "{:?}", loads.replicas);
                let fair = partitions * factor / brokers.len();
                let missing: usize = old_loads.replicas.values().map(|load| fair.saturating_sub(*load)).sum();
                let above: usize = old_loads.replicas.values().map(|load| load.saturating_sub(fair + 1)).sum();
                prop_assert_eq!(data_moves(&before, &after), missing.max(above));
            }
            // What is even stays as it is.
            prop_assert!(spread(&brokers, &after, |partition| partition % topics, 1000).moves.is_empty());
        }
    }
}
