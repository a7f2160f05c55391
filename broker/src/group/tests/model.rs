//! Random lives of groups. After each step: one generation at a time, stable members hold assignments of that generation, commits that
//! were answered survive, and in the end everybody was answered exactly once (twice is noticed by the bench itself).

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::classic::GroupState;
use super::*;

#[derive(Clone, Debug)]
enum Op {
    Join { group: u8, version: i16, static_instance: Option<u8>, other_topics: bool },
    Rejoin { pick: u8, other_topics: bool },
    Sync { pick: u8, stale: bool },
    Heartbeat { pick: u8 },
    Leave { pick: u8 },
    Commit { pick: u8, partition: i32, offset: i64 },
    CommitSimple { group: u8, partition: i32, offset: i64 },
    CommitInTxn { group: u8, producer_id: i64, partition: i32, offset: i64 },
    EndTxn { group: u8, producer_id: i64, commit: bool },
    FetchStable { group: u8 },
    Delete { group: u8 },
    Pass { ms: u64 },
    Fate { kind: u8 },
    Settle { ok: bool },
    FailOver,
}

fn op() -> impl Strategy<Value = Op> {
    let pick = any::<u8>;
    prop_oneof![
        4 => (0u8..2, prop_oneof![Just(3i16), Just(9)], proptest::option::of(0u8..2), any::<bool>())
            .prop_map(|(group, version, static_instance, other_topics)| Op::Join { group, version, static_instance, other_topics }),
        5 => (pick(), any::<bool>()).prop_map(|(pick, other_topics)| Op::Rejoin { pick, other_topics }),
        6 => (pick(), proptest::bool::weighted(0.1)).prop_map(|(pick, stale)| Op::Sync { pick, stale }),
        3 => pick().prop_map(|pick| Op::Heartbeat { pick }),
        2 => pick().prop_map(|pick| Op::Leave { pick }),
        4 => (pick(), 0i32..4, 0i64..1000).prop_map(|(pick, partition, offset)| Op::Commit { pick, partition, offset }),
        2 => (0u8..2, 0i32..4, 0i64..1000).prop_map(|(group, partition, offset)| Op::CommitSimple { group, partition, offset }),
        2 => (0u8..2, 0i64..2, 0i32..4, 0i64..1000).prop_map(|(group, producer_id, partition, offset)| Op::CommitInTxn { group, producer_id, partition, offset }),
        2 => (0u8..2, 0i64..2, any::<bool>()).prop_map(|(group, producer_id, commit)| Op::EndTxn { group, producer_id, commit }),
        1 => (0u8..2).prop_map(|group| Op::FetchStable { group }),
        1 => (0u8..2).prop_map(|group| Op::Delete { group }),
        4 => prop_oneof![Just(100u64), Just(3_000), Just(11_000), Just(61_000)].prop_map(|ms| Op::Pass { ms }),
        1 => (0u8..6).prop_map(|kind| Op::Fate { kind }),
        2 => proptest::bool::weighted(0.8).prop_map(|ok| Op::Settle { ok }),
        1 => Just(Op::FailOver),
    ]
}

/// What the clients know.
#[derive(Default)]
struct Model {
    /// (group, member id, generation, is leader)
    members: Vec<(String, String, i32, bool)>,
    joins: Vec<(ReplyTo, String)>,
    syncs: Vec<(ReplyTo, String, String, i32)>,
    commits: Vec<(ReplyTo, String, i32, i64)>,
    others: Vec<ReplyTo>,
    /// Offsets of transactions that are not known to be ended: (group, producer id, partition, offset).
    open: Vec<(String, i64, i32, i64)>,
    /// Highest generation seen of each group, forgotten when it is deleted.
    generations: BTreeMap<String, i32>,
    /// What a fetch may return: the last commit answered well, or a later one whose fate is unknown.
    allowed: BTreeMap<(String, i32), BTreeSet<i64>>,
}

fn name(group: u8) -> String {
    format!("group-{group}")
}

/// An assignment that names its generation.
fn blob(generation: i32) -> Bytes {
    assignment("t", generation)
}

impl Model {
    fn run(&mut self, bench: &mut Bench, op: Op) {
        match op {
            Op::Join { group, version, static_instance, other_topics } => {
                let mut request = join_request(&name(group), "").with_rebalance_timeout_ms(20_000);
                request.protocols = vec![protocol("range", if other_topics { &["u"] } else { &["t"] })];
                request.group_instance_id = static_instance.map(|instance| text(&format!("i{instance}")));
                let to = bench.join(version, &request);
                self.joins.push((to, name(group)));
            }
            Op::Rejoin { pick, other_topics } => {
                let Some((group, member, ..)) = self.pick(pick) else { return };
                let mut request = join_request(&group, &member).with_rebalance_timeout_ms(20_000);
                request.protocols = vec![protocol("range", if other_topics { &["u"] } else { &["t"] })];
                let to = bench.join(9, &request);
                self.joins.push((to, group));
            }
            Op::Sync { pick, stale } => {
                let Some((group, member, generation, is_leader)) = self.pick(pick) else { return };
                let generation = if stale { generation - 1 } else { generation };
                let all: Vec<String> =
                    self.members.iter().filter(|(of, ..)| *of == group).map(|(_, id, ..)| id.clone()).collect();
                let assignments: Vec<(&str, Bytes)> = match is_leader {
                    true => all.iter().map(|id| (id.as_str(), blob(generation))).collect(),
                    false => Vec::new(),
                };
                let to = bench.sync(&group, &member, generation, &assignments);
                self.syncs.push((to, group, member, generation));
            }
            Op::Heartbeat { pick } => {
                if let Some((group, member, generation, _)) = self.pick(pick) {
                    bench.heartbeat(&group, &member, generation);
                }
            }
            Op::Leave { pick } => {
                let Some((group, member, ..)) = self.pick(pick) else { return };
                let to = bench.leave(5, &group, &[(&member, None)]);
                self.others.push(to);
            }
            Op::Commit { pick, partition, offset } => {
                let Some((group, member, generation, _)) = self.pick(pick) else { return };
                self.allowed.entry((group.clone(), partition)).or_insert_with(none).insert(offset);
                let to = bench.commit_offset(9, &group, &member, generation, &[("t", partition, offset)]);
                self.commits.push((to, group, partition, offset));
            }
            Op::CommitSimple { group, partition, offset } => {
                self.allowed.entry((name(group), partition)).or_insert_with(none).insert(offset);
                let to = bench.commit_offset(9, &name(group), "", -1, &[("t", partition, offset)]);
                self.commits.push((to, name(group), partition, offset));
            }
            Op::CommitInTxn { group, producer_id, partition, offset } => {
                self.open.push((name(group), producer_id, partition, offset));
                let to = bench.commit_in_txn(producer_id, &name(group), &[("t", partition, offset)]);
                self.others.push(to);
            }
            Op::EndTxn { group, producer_id, commit } => {
                let of = bench.groups.partition_for(&name(group));
                let to = bench.end_txn(of, producer_id, commit);
                let is_ended = |(group, id, ..): &(String, i64, i32, i64)| {
                    *id == producer_id && bench.groups.partition_for(group) == of
                };
                // What was aborted is never to be seen.
                for (group, _, partition, offset) in self.open.iter().filter(|it| commit && is_ended(it)) {
                    self.allowed.entry((group.clone(), *partition)).or_insert_with(none).insert(*offset);
                }
                if bench.replies.get(&to) == Some(&GroupResponse::TxnCompleted(ErrorCode::None)) {
                    self.open.retain(|it| !is_ended(it));
                }
                self.others.push(to);
            }
            Op::FetchStable { group } => {
                let request = fetch_groups(&[(&name(group), None), ("x", None)]).with_require_stable(true);
                let to = bench.fetch_request(8, &request);
                self.others.push(to);
            }
            Op::Delete { group } => {
                let request = crate::protocol::messages::DeleteGroupsRequestData::default()
                    .with_groups_names(vec![text(&name(group)), text("x")]);
                let to = bench.to();
                bench.groups.delete_groups(bench.now, to, &request);
                bench.pump();
                self.others.push(to);
                if bench.state(&name(group)).is_empty() {
                    self.generations.remove(&name(group));
                    for partition in 0..4 {
                        self.allowed.entry((name(group), partition)).or_insert_with(none).insert(-1);
                    }
                }
            }
            Op::Pass { ms } => bench.pass(ms),
            Op::Fate { kind } => {
                bench.fate = match kind {
                    0 => Fate::Refuse(ErrorCode::NotEnoughReplicas),
                    1 | 2 => Fate::Wait,
                    _ => Fate::Commit,
                };
                // A log commits in its order: what waits comes before what is written from now on.
                if kind > 2 {
                    bench.settle(Ok(()));
                }
            }
            Op::Settle { ok } => bench.settle(if ok { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }),
            Op::FailOver => {
                // The new coordinator writes well.
                bench.fate = Fate::Commit;
                bench.fail_over();
                // A generation that was never written is not known there.
                self.generations.clear();
            }
        }
    }

    fn pick(&self, pick: u8) -> Option<(String, String, i32, bool)> {
        if self.members.is_empty() { None } else { self.members.get(usize::from(pick) % self.members.len()).cloned() }
    }

    /// Takes in answers, and checks them.
    fn hear(&mut self, bench: &mut Bench) {
        let replies = std::mem::take(&mut bench.replies);
        for (to, group) in std::mem::take(&mut self.joins) {
            let Some(GroupResponse::Join(response)) = replies.get(&to) else {
                self.joins.push((to, group));
                continue;
            };
            let member = response.member_id.to_string();
            match ErrorCode::from(response.error_code) {
                ErrorCode::None => {
                    let known = self.generations.entry(group.clone()).or_insert(0);
                    assert!(response.generation_id >= *known, "generations only grow");
                    *known = response.generation_id;
                    let is_leader = response.leader == response.member_id;
                    assert!(is_leader || response.members.is_empty());
                    self.members.retain(|(_, id, ..)| *id != member);
                    self.members.push((group, member, response.generation_id, is_leader));
                }
                ErrorCode::MemberIdRequired => self.members.push((group, member, -1, false)),
                _ => self.members.retain(|(_, id, ..)| *id != member),
            }
        }
        self.syncs.retain(|(to, group, _, generation)| match replies.get(to) {
            Some(GroupResponse::Sync(response)) if response.error_code == 0 => {
                let given = &response.assignment;
                assert!(given.is_empty() || *given == blob(*generation), "{group}: another generation's assignment");
                false
            }
            Some(_) => false,
            None => true,
        });
        for (to, group, partition, offset) in std::mem::take(&mut self.commits) {
            match replies.get(&to) {
                Some(GroupResponse::OffsetCommit(response)) => {
                    if response.topics[0].partitions[0].error_code == 0 {
                        // Those asked for later may still come; all before are over.
                        let later: BTreeSet<i64> = self
                            .commits_after(to)
                            .filter(|it| it.1 == group && it.2 == partition)
                            .map(|it| it.3)
                            .collect();
                        let allowed = self.allowed.entry((group, partition)).or_default();
                        if later.is_empty() {
                            allowed.insert(offset);
                        }
                    }
                }
                _ => self.commits.push((to, group, partition, offset)),
            }
        }
        self.others.retain(|to| !replies.contains_key(to));
    }

    fn commits_after(&self, to: ReplyTo) -> impl Iterator<Item = &(ReplyTo, String, i32, i64)> {
        self.commits.iter().filter(move |it| it.0 > to)
    }
}

fn none() -> BTreeSet<i64> {
    BTreeSet::from([-1])
}

/// What must hold at any moment.
fn check(bench: &mut Bench, model: &Model) {
    let now = bench.now;
    for id in ["group-0", "group-1"] {
        bench.groups.with_group(now, id, |step, group| {
            let members = group.member_count();
            assert_eq!(group.awaiting_joins(), group.members().filter(|member| member.is_awaiting_join()).count());
            assert_eq!(group.size_bytes(), group.members().map(|member| member.size_bytes()).sum::<usize>());
            assert!(group.leader.as_deref().is_none_or(|leader| group.has_member(leader)), "the leader is a member");
            assert!(group.pending_joins.iter().all(|pending| !group.has_member(pending)));
            match group.state() {
                GroupState::Empty => assert_eq!((members, group.awaiting_joins()), (0, 0)),
                GroupState::Stable => {
                    assert!(members > 0 && group.leader.is_some() && group.protocol_name.is_some());
                    for member in group.members() {
                        assert!(member.awaiting_sync.is_none(), "nobody waits for an assignment that is there");
                        let given = &member.assignment;
                        assert!(given.is_empty() || *given == blob(group.generation), "assignment of this generation");
                    }
                }
                GroupState::CompletingRebalance => {
                    assert!(members > 0);
                    assert!(group.members().all(|member| !member.is_awaiting_join()));
                }
                GroupState::PreparingRebalance => {
                    assert!(group.members().all(|member| member.awaiting_sync.is_none()));
                }
                GroupState::Dead => panic!("a dead group is still here"),
            }
            let _ = step;
        });
    }
    let groups: usize = bench.groups.shards.values().map(|shard| shard.groups.len()).sum();
    assert_eq!(groups, bench.groups.shared.group_count);
    let offsets: usize = bench
        .groups
        .shards
        .values()
        .flat_map(|shard| shard.offsets.values())
        .flat_map(|it| it.values())
        .map(BTreeMap::len)
        .sum();
    let open: usize = bench.groups.shards.values().map(|shard| shard.open.values().count()).sum();
    assert_eq!(offsets + open, bench.groups.shared.offset_count);
    for ((group, partition), allowed) in &model.allowed {
        let offset = bench.offset(group, "t", *partition);
        assert!(allowed.contains(&offset), "{group} t-{partition}: {offset} was never committed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn groups_keep_their_promises(ops in proptest::collection::vec(op(), 1..80)) {
        let mut bench = Bench::new();
        let mut model = Model::default();
        for op in ops {
            model.run(&mut bench, op);
            model.hear(&mut bench);
            check(&mut bench, &model);
        }
        // What is committed is what a new coordinator finds.
        bench.settle(Ok(()));
        bench.fate = Fate::Commit;
        model.hear(&mut bench);
        let before = snapshot(&mut bench);
        bench.fail_over();
        prop_assert_eq!(before, snapshot(&mut bench));
        model.hear(&mut bench);
        // Long after, everybody has been answered.
        bench.pass(1_000_000);
        model.hear(&mut bench);
        prop_assert!(model.joins.is_empty() && model.syncs.is_empty() && model.commits.is_empty() && model.others.is_empty());
        prop_assert!(bench.groups.shared.gathers.is_empty());
    }
}

fn snapshot(bench: &mut Bench) -> (Vec<i64>, Vec<super::super::open_offsets::OffsetKey>) {
    let mut offsets = Vec::new();
    for group in ["group-0", "group-1"] {
        for partition in 0..4 {
            offsets.push(bench.offset(group, "t", partition));
        }
    }
    let open = bench.groups.shards.values().flat_map(|shard| shard.open.all().map(|(key, _)| key.clone()));
    (offsets, open.collect())
}
