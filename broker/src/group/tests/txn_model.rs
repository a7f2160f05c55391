//! Random logs of plain commits, commits in transactions, markers and tombstones: what is seen of them is what Kafka sees, which keeps the
//! place in the log of each offset and compares them (`OffsetMetadataManager.replay`, `replayEndTransactionMarker`).

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Plain { partition: i32, offset: i64 },
    InTxn { producer_id: i64, partition: i32, offset: i64 },
    End { producer_id: i64, commit: bool },
    Delete { partition: i32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0i32..2, 0i64..1000).prop_map(|(partition, offset)| Step::Plain { partition, offset }),
        4 => (0i64..3, 0i32..2, 0i64..1000)
            .prop_map(|(producer_id, partition, offset)| Step::InTxn { producer_id, partition, offset }),
        3 => (0i64..3, any::<bool>()).prop_map(|(producer_id, commit)| Step::End { producer_id, commit }),
        1 => (0i32..2).prop_map(|partition| Step::Delete { partition }),
    ]
}

/// Place in the log, and offset.
type Placed = (usize, i64);

/// As Kafka keeps it.
#[derive(Clone, Default)]
struct Reference {
    stored: BTreeMap<i32, Placed>,
    pending: BTreeMap<i64, BTreeMap<i32, Placed>>,
}

impl Reference {
    fn replay(&mut self, place: usize, step: &Step) {
        match *step {
            Step::Plain { partition, offset } => drop(self.stored.insert(partition, (place, offset))),
            Step::InTxn { producer_id, partition, offset } => {
                self.pending.entry(producer_id).or_default().insert(partition, (place, offset));
            }
            Step::End { producer_id, commit } => {
                for (partition, placed) in self.pending.remove(&producer_id).unwrap_or_default() {
                    if commit && self.stored.get(&partition).is_none_or(|stored| placed.0 > stored.0) {
                        self.stored.insert(partition, placed);
                    }
                }
            }
            Step::Delete { partition } => {
                self.stored.remove(&partition);
                self.pending.values_mut().for_each(|offsets| {
                    offsets.remove(&partition);
                });
            }
        }
    }

    fn offset(&self, partition: i32) -> i64 {
        self.stored.get(&partition).map_or(-1, |(_, offset)| *offset)
    }

    fn stable(&self, partition: i32) -> Result<i64, ErrorCode> {
        match self.pending.values().any(|offsets| offsets.contains_key(&partition)) {
            true => Err(ErrorCode::UnstableOffsetCommit),
            false => Ok(self.offset(partition)),
        }
    }
}

fn run(bench: &mut Bench, step: &Step) {
    match *step {
        Step::Plain { partition, offset } => drop(bench.commit_offset(8, "g", "", -1, &[("t", partition, offset)])),
        Step::InTxn { producer_id, partition, offset } => {
            bench.commit_in_txn(producer_id, "g", &[("t", partition, offset)]);
        }
        Step::End { producer_id, commit } => drop(bench.end_txn(bench.groups.partition_for("g"), producer_id, commit)),
        Step::Delete { partition } => bench.write_tombstone("g", partition),
    }
}

impl Bench {
    /// A tombstone, whether there is anything to delete or not.
    fn write_tombstone(&mut self, group: &str, partition: i32) {
        let of = self.groups.partition_for(group);
        let entry = super::super::admin::tombstone(&group.into(), "t".into(), partition);
        let shard = self.groups.shards.get_mut(&of).unwrap();
        let (shared, log) = (&mut self.groups.shared, &mut shard.log);
        let mut step = super::super::coordinator::Step { shared, log, partition: of, now: self.now };
        step.append_in_pieces(entry.into_iter().collect(), None);
        self.pump();
    }
}

fn check(bench: &mut Bench, reference: &Reference) {
    for partition in 0..2 {
        assert_eq!(bench.offset("g", "t", partition), reference.offset(partition));
        assert_eq!(bench.stable_offset("g", partition), reference.stable(partition));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn offsets_are_what_kafka_makes_of_the_same_log(steps in proptest::collection::vec(step(), 1..25)) {
        let mut bench = Bench::new();
        let mut states = vec![Reference::default()];
        for (place, step) in steps.iter().enumerate() {
            run(&mut bench, step);
            let mut reference = states.last().unwrap().clone();
            reference.replay(place, step);
            check(&mut bench, &reference);
            states.push(reference);
        }
        // The same while all of it is on its way: who wants stable offsets gets them as they will be.
        let last = states.last().unwrap();
        let mut slow = Bench::new();
        slow.fate = Fate::Wait;
        let mut asked = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            run(&mut slow, step);
            let request = fetch_groups(&[("g", Some(&[("t", 0), ("t", 1)]))]).with_require_stable(true);
            asked.push((place + 1, slow.fetch_request(9, &request)));
        }
        slow.settle(Ok(()));
        for (place, to) in asked {
            let group = slow.fetched(to).groups.remove(0);
            for (partition, topic) in (0..).zip(&group.topics) {
                let answer = &topic.partitions[0];
                let seen = if answer.error_code == 0 { Ok(answer.committed_offset) } else { Err(answer.error_code.into()) };
                prop_assert_eq!(seen, states[place].stable(partition));
            }
        }
        check(&mut slow, last);
        // And when a new coordinator reads it, of which the end is not committed.
        let partition = bench.groups.partition_for("g");
        let log = bench.log[&partition].clone();
        prop_assert_eq!(log.len(), steps.len());
        for (committed, state) in states.iter().enumerate() {
            bench.groups.begin_load(bench.now, partition);
            for (place, logged) in log.iter().enumerate() {
                load(&mut bench.groups, bench.now, partition, logged, place < committed);
            }
            let token = bench.groups.finish_load(bench.now, partition);
            for partition in 0..2 {
                prop_assert_eq!(bench.offset("g", "t", partition), state.offset(partition));
            }
            if let Some(token) = token {
                bench.groups.on_append_result(bench.now, token, Ok(()));
            }
            bench.pump();
            check(&mut bench, last);
        }
    }
}
