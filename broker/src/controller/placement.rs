//! Where the replicas of new partitions go: racks in turn, brokers within a rack in turn, the first replica on an unfenced broker, fenced
//! brokers last.
//!
//! Source: `org.apache.kafka.metadata.placement.StripedReplicaPlacer`. One difference: Kafka counts its rounds anew after a shuffle, and so takes
//! a broker that it used in the round before for one that is used up, now and then; here a fenced one is taken only for want of an unfenced one
//! in its rack.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::types::NodeId;

/// A broker that may be given replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableBroker {
    /// Node id.
    pub id: NodeId,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Only if there is no other.
    pub fenced: bool,
}

/// Why no place was found, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Zero or less.
    #[error("Invalid replication factor {0}: the replication factor must be positive.")]
    NotPositive(i16),
    /// Nobody could lead.
    #[error("All brokers are currently fenced.")]
    AllFenced,
    /// One replica per broker.
    #[error(
        "The target replication factor of {wanted} cannot be reached because only {registered} broker(s) are registered or some brokers \
         have all their log directories cordoned."
    )]
    TooFewBrokers {
        /// As asked.
        wanted: i16,
        /// As there are.
        registered: usize,
    },
}

/// Brokers taken in turn; each round begins one further on.
#[derive(Default)]
struct Ring {
    brokers: Vec<NodeId>,
    taken: usize,
    offset: usize,
    round: usize,
}

impl Ring {
    fn begin(&mut self, rng: &mut impl Rng) {
        self.brokers.sort_unstable();
        if !self.brokers.is_empty() {
            self.offset = rng.random_range(0..self.brokers.len());
        }
    }

    fn next(&mut self, round: usize) -> Option<NodeId> {
        let count = self.brokers.len();
        if count == 0 {
            return None;
        }
        if self.round != round {
            self.round = round;
            self.taken = 0;
            self.offset = (self.offset + 1) % count;
        }
        if self.taken >= count {
            return None;
        }
        self.taken += 1;
        Some(self.brokers[(self.offset + self.taken - 1) % count])
    }
}

#[derive(Default)]
struct Rack {
    unfenced: Ring,
    fenced: Ring,
}

struct Racks {
    racks: Vec<Rack>,
    offset: usize,
    round: usize,
    until_shuffle: usize,
    unfenced: usize,
}

impl Racks {
    fn new(brokers: &[UsableBroker], rng: &mut impl Rng) -> Racks {
        let mut by_name: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = by_name.entry(broker.rack.as_deref()).or_default();
            let ring = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            ring.brokers.push(broker.id);
        }
        let mut racks: Vec<Rack> = by_name.into_values().collect();
        for rack in &mut racks {
            rack.unfenced.begin(rng);
            rack.fenced.begin(rng);
        }
        let offset = if racks.is_empty() { 0 } else { rng.random_range(0..racks.len()) };
        let unfenced = brokers.iter().filter(|broker| !broker.fenced).count();
        Racks { racks, offset, round: 0, until_shuffle: unfenced, unfenced }
    }

    /// So that a long row of partitions does not repeat the same few sets of replicas.
    fn shuffle(&mut self, rng: &mut impl Rng) {
        self.racks.shuffle(rng);
        for rack in &mut self.racks {
            rack.unfenced.brokers.shuffle(rng);
            rack.fenced.brokers.shuffle(rng);
        }
        self.until_shuffle = self.unfenced;
    }

    fn place_one(&mut self, replicas: usize, rng: &mut impl Rng) -> Vec<NodeId> {
        if self.until_shuffle == 0 && self.unfenced > 1 {
            self.shuffle(rng);
        }
        let (count, start, round) = (self.racks.len(), self.offset % self.racks.len(), self.round);
        let mut placed = Vec::with_capacity(replicas);
        let mut skip = None;
        for step in 0..count {
            let index = (start + step) % count;
            if let Some(leader) = self.racks[index].unfenced.next(round) {
                placed.push(leader);
                skip = Some(index);
                break;
            }
        }
        let mut index = start;
        // There are at least as many brokers as replicas, so that every lap over the racks finds one.
        while placed.len() < replicas {
            if skip == Some(index) {
                skip = None;
            } else {
                let rack = &mut self.racks[index];
                placed.extend(rack.unfenced.next(round).or_else(|| rack.fenced.next(round)));
            }
            index = (index + 1) % count;
        }
        self.round += 1;
        self.until_shuffle = self.until_shuffle.saturating_sub(1);
        self.offset = (start + 1) % count;
        placed
    }
}

/// Replicas for `partitions` new partitions, the preferred leader of each first.
pub fn place(
    brokers: &[UsableBroker],
    partitions: usize,
    replication_factor: i16,
    rng: &mut impl Rng,
) -> Result<Vec<Vec<NodeId>>, PlacementError> {
    let replicas = match usize::try_from(replication_factor) {
        Ok(replicas) if replicas > 0 => replicas,
        _ => return Err(PlacementError::NotPositive(replication_factor)),
    };
    let mut racks = Racks::new(brokers, rng);
    if racks.unfenced == 0 {
        return Err(PlacementError::AllFenced);
    }
    if replicas > brokers.len() {
        return Err(PlacementError::TooFewBrokers { wanted: replication_factor, registered: brokers.len() });
    }
    Ok((0..partitions).map(|_| racks.place_one(replicas, rng)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn broker(id: NodeId, rack: &str, fenced: bool) -> UsableBroker {
        UsableBroker { id, rack: (!rack.is_empty()).then(|| rack.to_owned()), fenced }
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(1)
    }

    #[test]
    fn what_cannot_be_placed_is_refused_in_kafkas_words() {
        let three = [broker(1, "", false), broker(2, "", false), broker(3, "", true)];
        assert_eq!(
            place(&three, 1, 4, &mut rng()).unwrap_err().to_string(),
            "The target replication factor of 4 cannot be reached because only 3 broker(s) are registered or \
             some brokers have all their log directories cordoned."
        );
        assert_eq!(place(&three[2..], 1, 1, &mut rng()), Err(PlacementError::AllFenced));
        assert_eq!(place(&[], 1, 1, &mut rng()), Err(PlacementError::AllFenced));
        assert_eq!(place(&three, 1, 0, &mut rng()), Err(PlacementError::NotPositive(0)));
    }

    #[test]
    fn leaders_spread_evenly() {
        let brokers = [broker(1, "a", false), broker(2, "b", false), broker(3, "c", false)];
        for seed in 0..50 {
            let placed = place(&brokers, 30, 3, &mut StdRng::seed_from_u64(seed)).unwrap();
            for id in 1..=3 {
                let leads = placed.iter().filter(|replicas| replicas[0] == id).count();
                assert_eq!(leads, 10, "seed {seed}, broker {id}");
            }
        }
    }

    /// How often each broker is where `of` says.
    fn counts<'a>(brokers: &'a [UsableBroker], placed: impl Iterator<Item = &'a NodeId>) -> BTreeMap<NodeId, usize> {
        let mut counts: BTreeMap<NodeId, usize> = brokers.iter().map(|broker| (broker.id, 0)).collect();
        for id in placed {
            *counts.entry(*id).or_default() += 1;
        }
        counts
    }

    fn spread(counts: impl Iterator<Item = usize> + Clone) -> usize {
        counts.clone().max().unwrap_or(0) - counts.min().unwrap_or(0)
    }

    #[test]
    fn a_rack_with_few_brokers_is_used_as_often_as_the_others() {
        let brokers = (1..=11).map(|id| broker(id, ["a", "b", "c"][(id as usize).div_ceil(5) - 1], false));
        let brokers: Vec<_> = brokers.collect();
        // Ten, so that nothing is shuffled meanwhile.
        let placed = place(&brokers, 10, 3, &mut rng()).unwrap();
        let replicas = counts(&brokers, placed.iter().flatten());
        let expected: BTreeMap<_, _> = (1..=11).map(|id| (id, if id == 11 { 10 } else { 2 })).collect();
        assert_eq!(replicas, expected);
    }

    #[test]
    fn an_unfenced_one_of_the_same_rack_comes_before_a_fenced_one() {
        let brokers: Vec<_> = (1..=6).map(|id| broker(id, ["a", "b"][id as usize % 2], id > 4)).collect();
        for seed in 0..50 {
            let placed = place(&brokers, 12, 4, &mut StdRng::seed_from_u64(seed)).unwrap();
            assert!(placed.iter().flatten().all(|id| *id <= 4), "{placed:?}");
        }
        // Racks come before that: there is no other in rack b.
        let brokers = [broker(1, "a", false), broker(2, "a", false), broker(3, "b", true)];
        let placed = place(&brokers, 12, 2, &mut rng()).unwrap();
        assert!(placed.iter().all(|replicas| replicas[1] == 3), "{placed:?}");
        let leaders = counts(&brokers, placed.iter().map(|replicas| &replicas[0]));
        assert_eq!(leaders, [(1, 6), (2, 6), (3, 0)].into());
    }

    #[test]
    fn one_that_could_lead_alone_leads_all() {
        let brokers = [broker(1, "", false), broker(2, "", true), broker(3, "", true)];
        let placed = place(&brokers, 8, 2, &mut rng()).unwrap();
        let replicas = counts(&brokers, placed.iter().flatten());
        // The fenced ones follow in turn, without a shuffle.
        assert_eq!(replicas, [(1, 8), (2, 4), (3, 4)].into());
    }

    /// How much more or less than Kafka's each figure may be, in percent; all are sums over 200 topics.
    const TOLERANCE_PERCENT: usize = 6;

    /// 200 topics of 300 partitions each, and how often each broker leads and has a replica: as 4.3's `StripedReplicaPlacer` tells.
    #[test]
    fn brokers_lead_and_have_as_much_as_with_kafka() {
        let shapes: [(&str, i16, &[usize], &[usize]); 5] = [
            ("     ", 3, &[12000; 5], &[36000; 5]),
            ("  !  ", 3, &[15000, 15000, 0, 15000, 15000], &[45000, 45000, 0, 45000, 45000]),
            ("aaabbbccc", 3, &[6667; 9], &[20000; 9]),
            (
                "aaaabbc",
                3,
                &[5000, 5000, 5000, 5000, 10000, 10000, 20000],
                &[15000, 15000, 15000, 15000, 30000, 30000, 60000],
            ),
            ("aaBBcC", 2, &[15392, 15605, 0, 0, 29003, 0], &[20476, 20579, 20570, 20377, 37798, 0]),
        ];
        for (shape, factor, leads, has) in shapes {
            let of = |(id, rack): (usize, char)| {
                let name = rack.to_ascii_lowercase().to_string();
                broker(id as i32, name.trim_matches([' ', '!']), rack == '!' || rack.is_ascii_uppercase())
            };
            let brokers: Vec<_> = shape.chars().enumerate().map(of).collect();
            let placed: Vec<_> = (0..200)
                .flat_map(|seed| place(&brokers, 300, factor, &mut StdRng::seed_from_u64(seed)).unwrap())
                .collect();
            let leaders = counts(&brokers, placed.iter().map(|replicas| &replicas[0]));
            let replicas = counts(&brokers, placed.iter().flatten());
            for (ours, kafkas) in leaders.values().zip(leads).chain(replicas.values().zip(has)) {
                let differs_by = ours.abs_diff(*kafkas) * 100;
                assert!(
                    differs_by <= kafkas * TOLERANCE_PERCENT,
                    "{shape}: leaders {leaders:?}, replicas {replicas:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn replicas_are_distinct_spread_over_racks_and_led_by_the_unfenced(
            racks in prop::collection::vec((0..4usize, any::<bool>()), 1..10),
            partitions in 0..40usize,
            factor in 1..6i16,
            seed in any::<u64>(),
        ) {
            let names = ["", "a", "b", "c"];
            let brokers: Vec<_> =
                racks.iter().enumerate().map(|(id, (rack, fenced))| broker(id as i32, names[*rack], *fenced)).collect();
            let Ok(placed) = place(&brokers, partitions, factor, &mut StdRng::seed_from_u64(seed)) else {
                prop_assert!(brokers.iter().all(|b| b.fenced) || factor as usize > brokers.len());
                return Ok(());
            };
            prop_assert_eq!(placed.len(), partitions);
            let rack_count = brokers.iter().map(|b| &b.rack).collect::<std::collections::BTreeSet<_>>().len();
            for replicas in &placed {
                let of = |id: &NodeId| brokers.iter().find(|b| b.id == *id).unwrap();
                let distinct: std::collections::BTreeSet<_> = replicas.iter().collect();
                prop_assert_eq!(distinct.len(), factor as usize);
                prop_assert!(!of(&replicas[0]).fenced);
                let used: std::collections::BTreeSet<_> = replicas.iter().map(|id| &of(id).rack).collect();
                prop_assert_eq!(used.len(), rack_count.min(factor as usize), "racks before brokers");
            }
        }

        #[test]
        fn leaders_and_replicas_are_even_where_all_racks_are_alike(
            racks in 1..5usize,
            each in 1..5usize,
            rounds in 1..6usize,
            factor in 1..6i16,
            seed in any::<u64>(),
        ) {
            let count = racks * each;
            let brokers: Vec<_> = (0..count)
                .map(|index| UsableBroker { id: index as i32, rack: (racks > 1).then(|| (index % racks).to_string()), fenced: false })
                .collect();
            prop_assume!(factor as usize <= count);
            let placed = place(&brokers, rounds * count, factor, &mut StdRng::seed_from_u64(seed)).unwrap();
            // As many partitions as brokers between shuffles: each leads equally many.
            let leaders = counts(&brokers, placed.iter().map(|replicas| &replicas[0]));
            let replicas = counts(&brokers, placed.iter().flatten());
            if racks == 1 {
                prop_assert_eq!(spread(leaders.values().copied()), 0, "leaders {:?}", leaders);
                prop_assert_eq!(spread(replicas.values().copied()), 0, "replicas {:?}", replicas);
            }
            // Each rack equally many, whatever is drawn.
            let by_rack = (0..racks).map(|rack| {
                replicas.iter().filter(|(id, _)| **id as usize % racks == rack).map(|(_, count)| *count).sum::<usize>()
            });
            prop_assert_eq!(spread(by_rack), 0, "replicas {:?}", replicas);
        }

        #[test]
        fn leaders_are_even_over_those_who_are_not_fenced(
            fenced in prop::collection::vec(any::<bool>(), 1..9),
            rounds in 1..6usize,
            seed in any::<u64>(),
        ) {
            let brokers: Vec<_> = fenced.iter().enumerate().map(|(id, fenced)| broker(id as i32, "", *fenced)).collect();
            let unfenced = fenced.iter().filter(|fenced| !**fenced).count();
            prop_assume!(unfenced > 0);
            let placed = place(&brokers, rounds * unfenced, 1, &mut StdRng::seed_from_u64(seed)).unwrap();
            let leaders = counts(&brokers, placed.iter().map(|replicas| &replicas[0]));
            let expected: BTreeMap<_, _> =
                brokers.iter().map(|broker| (broker.id, if broker.fenced { 0 } else { rounds })).collect();
            prop_assert_eq!(leaders, expected);
        }
    }
}
