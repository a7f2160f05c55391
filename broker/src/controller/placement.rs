//! Where the replicas of new partitions go: racks in turn, brokers within a rack in turn, the first replica on an unfenced broker, fenced
//! brokers last.
//!
//! Source: `org.apache.kafka.metadata.placement.StripedReplicaPlacer`.

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
        "The target replication factor of {wanted} cannot be reached because only {registered} broker(s) are registered."
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
        if self.until_shuffle == 0 {
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
        self.until_shuffle -= 1;
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
            "The target replication factor of 4 cannot be reached because only 3 broker(s) are registered."
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
    }
}
