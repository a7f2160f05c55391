//! Directed scenarios on the simulated cluster: each is one that random faults seldom meet, or whose outcome must be exact.

use std::time::Duration;

use bytes::Bytes;

use super::batch::data_batch;
use super::sim::World;
use super::{AppendError, ElectionState, ElectionStore, MemoryMetadataLog, MetadataLog, ReplicaKey, Role};
use crate::types::{Id, NodeId, Now};

const SECOND: Duration = Duration::from_secs(1);

fn settled(seed: u64, voters: usize, observers: usize) -> (World, NodeId) {
    let mut world = World::new(seed, voters, observers, |_| {});
    let leader = world.settle_down(SECOND);
    (world, leader)
}

fn others(world: &World, id: NodeId) -> Vec<NodeId> {
    world.controllers.iter().copied().filter(|voter| *voter != id).collect()
}

fn new_leader(world: &mut World, old: NodeId, epoch: i32) -> Duration {
    world.run_until("another leader", 3 * SECOND, |world| {
        world.leader().is_some_and(|leader| leader != old && world.quorum(leader).epoch() > epoch)
    })
}

#[test]
fn a_cold_start_elects_within_a_few_milliseconds() {
    for seed in 0..50 {
        for voters in [1, 2, 3, 5] {
            let mut world = World::new(seed, voters, 2, |_| {});
            let took = world.run_until("a first leader", SECOND, |world| world.leader().is_some());
            assert!(took < Duration::from_millis(250), "{voters} voters, seed {seed}: {took:?}");
            world.settle_down(SECOND);
        }
    }
}

#[test]
fn a_whole_cluster_that_starts_again_is_as_quick() {
    for seed in 0..50 {
        for voters in [1, 3] {
            let (mut world, _) = settled(seed, voters, 1);
            for id in world.ids() {
                world.kill(id);
            }
            for id in world.ids() {
                world.start(id);
            }
            let took = world.run_until("a leader", SECOND, |world| world.leader().is_some());
            assert!(took < Duration::from_millis(250), "{voters} voters, seed {seed}: {took:?}");
        }
    }
}

#[test]
fn a_killed_leader_is_replaced_in_time() {
    let mut times: Vec<Duration> = (0..200)
        .map(|seed| {
            let (mut world, leader) = settled(seed, 3, 3);
            world.run_for(Duration::from_millis(seed * 7));
            let epoch = world.quorum(leader).epoch();
            world.append(leader).expect("it leads");
            world.kill(leader);
            let elected = new_leader(&mut world, leader, epoch);
            world.settle_down(SECOND);
            elected
        })
        .collect();
    times.sort();
    eprintln!("failover: least {:?}, median {:?}, p90 {:?}, most {:?}", times[0], times[100], times[180], times[199]);
    assert!(times[100] < Duration::from_millis(400), "median {:?}", times[100]);
    assert!(times[199] < Duration::from_millis(900), "most {:?}", times[199]);
}

#[test]
fn a_leader_that_resigns_is_replaced_at_once_by_the_longest_log() {
    for seed in 0..50 {
        let (mut world, leader) = settled(seed, 3, 3);
        let others = others(&world, leader);
        world.cut(leader, others[0]);
        world.run_for(Duration::from_millis(100));
        world.append(leader).expect("it leads");
        world.run_for(Duration::from_millis(20));
        let epoch = world.quorum(leader).epoch();
        world.cuts.clear();
        world.resign(leader);
        let took = new_leader(&mut world, leader, epoch);
        assert_eq!(world.leader(), Some(others[1]), "seed {seed}");
        assert!(took < Duration::from_millis(30), "seed {seed}: {took:?}");
        world.settle_down(SECOND);
    }
}

#[test]
fn two_of_three_stop_politely_and_one_alone_leads_nothing() {
    let (mut world, first) = settled(3, 3, 0);
    world.kill(others(&world, first)[0]);
    world.run_for(2 * SECOND);
    let leader = world.leader().expect("two of three elect");
    world.kill(others(&world, leader).into_iter().find(|id| world.is_up(*id)).expect("one is up"));
    world.append(leader).expect("it does not know yet");
    let before = world.quorum(leader).high_watermark();
    world.run_for(2 * SECOND);
    assert_ne!(world.quorum(leader).role(), Role::Leader);
    assert_eq!(world.quorum(leader).high_watermark(), before);
    assert!(matches!(world.append(leader), Err(AppendError::NotLeader { .. })));
}

/// Raft's figure 8: a record of an old epoch that a later leader has brought to a majority is not committed by that alone.
#[test]
fn figure_8_an_old_epochs_record_on_a_majority_is_not_committed() {
    let to_the_end = (0..30).filter(|seed| figure_8(*seed)).count();
    assert!(to_the_end >= 10, "only {to_the_end} of 30 runs came to the dangerous moment");
}

/// Whether the run came to the moment at which counting would have been wrong.
fn figure_8(seed: u64) -> bool {
    let mut world = World::new(seed, 5, 0, |config| config.fetch_max_bytes = 1);
    // (a) S1 leads; its last record reaches S2 only.
    let s1 = world.settle_down(SECOND);
    let rest = others(&world, s1);
    let (s2, s3, s4, s5) = (rest[0], rest[1], rest[2], rest[3]);
    world.only(&[s1, s2]);
    let old = world.append(s1).expect("it leads");
    let old_epoch = world.quorum(s1).epoch();
    world.run_until("the record is on S2", SECOND, |world| world.nodes[&s2].log.synced_offset() > old);
    // (b) S1 and S2 fail; another is elected and writes at the same offset, on its own disk only.
    world.kill(s1);
    world.pause(s2);
    world.only(&[s3, s4, s5]);
    new_leader(&mut world, s1, old_epoch);
    let usurper = world.leader().expect("a leader");
    world.only(&[]);
    world.nodes.get_mut(&usurper).expect("a node").log.sync(Now::default()).expect("memory");
    world.kill(usurper);
    // (c) S1 or S2 leads again, later, and gives the old record to a third.
    let third = [s3, s4, s5].into_iter().find(|id| *id != usurper).expect("a third");
    world.start(s1);
    world.resume(s2);
    world.only(&[s1, s2, third]);
    world.run_until("S1 or S2 leads", 5 * SECOND, |world| [Some(s1), Some(s2)].contains(&world.leader()));
    world.run_until("the old record is on a majority", SECOND, |world| {
        [s1, s2, third].iter().all(|id| world.nodes[id].log.synced_offset() > old)
    });
    let leader = world.leader().expect("a leader");
    let leader_knows = |world: &World| {
        let now = Now { mono: world.time, wall_ms: 0 };
        let replicas = world.quorum(leader).replicas(now).expect("it leads");
        replicas.voters.iter().filter(|voter| voter.log_end_offset > old).count() >= 3
    };
    world.run_until("the leader knows it", SECOND, leader_knows);
    let start = world.quorum(leader).epoch_start_offset().expect("it leads");
    let third_is_short = world.nodes[&third].log.end_offset() <= start;
    assert!(!third_is_short || world.quorum(leader).high_watermark() <= old, "seed {seed}: committed by counting");
    if !third_is_short {
        return false;
    }
    // (d) Both fail again, and the usurper comes back: with its later epoch it wins, and overwrites the record. The checker would know it if
    // somebody had taken it for committed.
    world.kill(s1);
    world.kill(s2);
    world.start(usurper);
    world.only(&[s3, s4, s5]);
    world.run_until("the usurper leads", 5 * SECOND, |world| world.leader() == Some(usurper));
    world.run_until("it commits", SECOND, |world| world.quorum(usurper).high_watermark() > old);
    world.heal();
    world.start(s1);
    world.start(s2);
    world.settle_down(2 * SECOND);
    world.checker.check_all_have_all(&world.nodes);
    true
}

#[test]
fn a_stale_leader_returns_and_gives_up_what_it_wrote_alone() {
    let (mut world, stale) = settled(11, 3, 3);
    let epoch = world.quorum(stale).epoch();
    world.pause(stale);
    world.isolate(stale);
    new_leader(&mut world, stale, epoch);
    let leader = world.leader().expect("a leader");
    world.append_many(leader, 3).expect("it leads");
    world.run_for(Duration::from_millis(50));
    let committed = world.checker.committed_end();
    assert_eq!(committed, world.quorum(leader).log_end_offset());
    // It wakes up, takes itself for the leader, and writes before it hears otherwise; nothing reaches it.
    world.resume(stale);
    assert_eq!(world.quorum(stale).role(), Role::Leader);
    let alone = world.append(stale).expect("it believes so");
    world.run_for(Duration::from_millis(20));
    assert!(world.quorum(stale).high_watermark() <= alone);
    world.run_for(SECOND);
    assert_ne!(world.quorum(stale).role(), Role::Leader, "no majority fetches from it");
    world.heal();
    world.settle_down(SECOND);
    assert_eq!(world.leader(), Some(leader), "its return disturbs nobody");
    assert!(world.checker.tally.truncations >= 1);
    world.checker.check_all_have_all(&world.nodes);
}

#[test]
fn logs_that_differ_over_several_epochs_become_one() {
    // Epochs of each member's records, oldest first: as in figure 7 of the Raft paper. Three votes can be had by 1, 2 and 4 only.
    let logs: [&[i32]; 5] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for seed in 0..20 {
        let mut world = World::new(seed, 5, 1, |_| {});
        for id in world.ids() {
            world.kill(id);
        }
        for (id, epochs) in (1..).zip(logs) {
            let node = world.nodes.get_mut(&id).expect("a node");
            node.log = log_of(epochs);
            node.store.store(&ElectionState { epoch: 7, leader: None, voted: None }).expect("memory");
        }
        let observer = world.nodes.get_mut(&101).expect("the observer");
        observer.log = log_of(&[1, 1, 1, 2, 2, 2, 3, 3]);
        for id in world.ids() {
            world.start(id);
        }
        let leader = world.settle_down(2 * SECOND);
        assert!([1, 2, 4].contains(&leader), "seed {seed}: {leader} led with a log that three others exceed");
        world.checker.check_all_have_all(&world.nodes);
        let inherited = logs[leader as usize - 1].len() as i64;
        assert_eq!(world.checker.committed_end(), inherited + 1, "its log and a leader change");
    }
}

fn log_of(epochs: &[i32]) -> MemoryMetadataLog {
    let mut log = MemoryMetadataLog::default();
    for (offset, epoch) in (0..).zip(epochs) {
        // As one leader per epoch wrote them: a record is the same wherever it stands in that epoch.
        let value = Bytes::from(format!("{epoch}/{offset}"));
        let batch = data_batch(offset, *epoch, 0, &[value]);
        log.append_leader(Now::default(), batch, *epoch).expect("memory");
    }
    log.sync(Now::default()).expect("memory");
    log
}

#[test]
fn a_server_that_was_cut_off_does_not_disturb_when_it_returns() {
    for voters in [3, 5] {
        let (mut world, leader) = settled(5, voters, 2);
        let epoch = world.quorum(leader).epoch();
        let outsider = others(&world, leader)[0];
        for deaf_only in [false, true] {
            if deaf_only {
                for id in world.ids() {
                    world.cut(id, outsider);
                }
            } else {
                world.isolate(outsider);
            }
            world.run_for(5 * SECOND);
            assert_eq!(world.quorum(outsider).epoch(), epoch, "a pre-vote raises no epoch");
            world.heal();
            world.settle_down(SECOND);
            world.append(leader).expect("it still leads");
            world.settle_down(SECOND);
            assert_eq!((world.leader(), world.quorum(leader).epoch()), (Some(leader), epoch));
        }
    }
}

#[test]
fn a_follower_that_alone_lost_the_leader_does_not_unseat_it() {
    for seed in 0..10 {
        let (mut world, leader) = settled(seed, 3, 1);
        let epoch = world.quorum(leader).epoch();
        let outsider = others(&world, leader)[0];
        world.cut(leader, outsider);
        world.cut(outsider, leader);
        world.run_for(5 * SECOND);
        assert_eq!((world.leader(), world.quorum(leader).epoch()), (Some(leader), epoch), "the third hears from it");
        world.append(leader).expect("it leads");
        world.heal();
        world.settle_down(SECOND);
    }
}

#[test]
fn a_leader_that_nobody_can_reach_gives_up_and_is_replaced() {
    for seed in 0..20 {
        let (mut world, leader) = settled(seed, 3, 3);
        let epoch = world.quorum(leader).epoch();
        for id in world.ids() {
            world.cut(id, leader);
        }
        world.append(leader).expect("it does not know yet");
        let took = new_leader(&mut world, leader, epoch);
        assert!(took < SECOND, "seed {seed}: {took:?}");
        world.run_until("it gives up", SECOND, |world| world.quorum(leader).role() != Role::Leader);
        world.heal();
        world.settle_down(SECOND);
    }
}

#[test]
fn a_leader_that_reaches_nobody_is_replaced() {
    for seed in 0..20 {
        let (mut world, leader) = settled(seed, 3, 3);
        let epoch = world.quorum(leader).epoch();
        for id in world.ids() {
            world.cut(leader, id);
        }
        let took = new_leader(&mut world, leader, epoch);
        assert!(took < SECOND, "seed {seed}: {took:?}");
        world.run_until("it hears of it", SECOND, |world| world.quorum(leader).role() != Role::Leader);
        world.heal();
        world.settle_down(SECOND);
    }
}

#[test]
fn an_observer_far_behind_catches_up_and_then_follows_closely() {
    let mut world = World::new(2, 3, 1, |config| config.fetch_max_bytes = 16 * 1024);
    let leader = world.settle_down(SECOND);
    world.kill(101);
    for _ in 0..2_000 {
        world.append_many(leader, 5).expect("it leads");
        world.run_for(Duration::from_millis(2));
    }
    world.nodes.get_mut(&101).expect("the observer").log = MemoryMetadataLog::default();
    world.start(101);
    let target = world.quorum(leader).high_watermark();
    let took = world.run_until("the observer has all", SECOND, |world| world.quorum(101).high_watermark() >= target);
    assert!(target > 10_000 && took < Duration::from_millis(300), "{target} records in {took:?}");
    let offset = world.append(leader).expect("it leads");
    let took = world.run_until("it hears of one more", SECOND, |world| world.quorum(101).high_watermark() > offset);
    assert!(took < Duration::from_millis(10), "{took:?}");
    let now = Now { mono: world.time, wall_ms: 1_790_000_000_000 + world.time.as_millis() as i64 };
    let replicas = world.quorum(leader).replicas(now).expect("it leads");
    assert_eq!((replicas.voters.len(), replicas.observers.len()), (3, 1));
    assert_eq!(replicas.observers[0].node_id, 101);
    assert!(now.wall_ms - replicas.observers[0].last_fetch_ms < 300);
}

#[test]
fn observers_find_the_new_leader_soon_after_it_is_elected() {
    let mut slowest = Duration::ZERO;
    for seed in 0..50 {
        let (mut world, leader) = settled(seed, 3, 3);
        let epoch = world.quorum(leader).epoch();
        world.kill(leader);
        new_leader(&mut world, leader, epoch);
        let took = world.settle_down(SECOND);
        let _ = took;
        let elected = world.time;
        let leader = world.leader().expect("a leader");
        world.run_until("observers follow", SECOND, |world| {
            (101..=103).all(|id| world.quorum(id).leader() == Some(leader))
        });
        slowest = slowest.max(world.time - elected);
    }
    assert!(slowest < Duration::from_millis(300), "{slowest:?}");
}

#[test]
fn everybody_loses_power_at_once_and_nothing_committed_is_gone() {
    for seed in 0..20 {
        let (mut world, leader) = settled(seed, 3, 3);
        for _ in 0..20 {
            world.append(leader).expect("it leads");
            world.run_for(Duration::from_micros(700));
        }
        let committed = world.checker.committed_end();
        for id in world.ids() {
            world.power_loss(id);
        }
        for id in world.ids() {
            world.start(id);
        }
        world.settle_down(2 * SECOND);
        assert!(world.checker.committed_end() > committed);
        world.checker.check_all_have_all(&world.nodes);
    }
}

#[test]
fn an_observer_that_heard_of_a_later_epoch_is_not_left_behind() {
    let (mut world, leader) = settled(4, 3, 1);
    // One voter stood in a later epoch, unheard by the others, and only the observer hears of it.
    let outsider = others(&world, leader)[0];
    let epoch = world.quorum(leader).epoch();
    world.kill(outsider);
    let election = ElectionState {
        epoch: epoch + 3,
        leader: None,
        voted: Some(ReplicaKey { id: outsider, directory_id: Id::ZERO }),
    };
    world.nodes.get_mut(&outsider).expect("a node").store.store(&election).expect("memory");
    world.isolate(outsider);
    world.isolate(101);
    world.start(outsider);
    world.cuts.remove(&(outsider, 101));
    world.cuts.remove(&(101, outsider));
    world.run_until("the observer hears of it", 2 * SECOND, |world| world.quorum(101).epoch() >= epoch + 3);
    world.cuts.clear();
    world.isolate(outsider);
    world.run_for(2 * SECOND);
    let leader = world.leader().expect("a leader");
    let offset = world.append(leader).expect("it leads");
    world.run_until("the observer follows", SECOND, |world| world.quorum(101).high_watermark() > offset);
}

/// A cluster whose members make a snapshot every few records and keep next to nothing of their logs.
fn snapshotting(seed: u64) -> World {
    let mut world = World::new(seed, 3, 2, |config| {
        config.max_retention_bytes = 0;
        config.fetch_snapshot_max_bytes = 64;
    });
    world.snapshot_every = 5;
    world
}

fn fill(world: &mut World, records: usize) -> NodeId {
    let mut leader = world.settle_down(SECOND);
    for _ in 0..records {
        world.append(leader).expect("it leads");
        leader = world.settle_down(SECOND);
    }
    // Snapshots are made as nodes are woken.
    world.run_for(SECOND);
    world.settle_down(SECOND)
}

#[test]
fn logs_lose_what_snapshots_hold() {
    let mut world = snapshotting(1);
    fill(&mut world, 60);
    for id in world.ids() {
        let quorum = world.quorum(id);
        assert!(quorum.log_start_offset() > 40, "{id} begins at {}", quorum.log_start_offset());
        assert!(quorum.latest_snapshot().is_some_and(|snapshot| snapshot.end_offset >= quorum.log_start_offset()));
    }
}

#[test]
fn one_that_was_away_for_long_begins_with_a_snapshot() {
    for seed in 0..20 {
        let mut world = snapshotting(seed);
        let leader = fill(&mut world, 10);
        let away = [others(&world, leader)[0], 101];
        for id in away {
            world.kill(id);
        }
        for _ in 0..60 {
            world.append(world.leader().expect("a leader")).expect("it leads");
            world.run_for(Duration::from_millis(20));
        }
        let before = world.checker.tally.snapshots_installed;
        for id in away {
            world.start(id);
        }
        world.settle_down(3 * SECOND);
        assert_eq!(world.checker.tally.snapshots_installed, before + 2, "seed {seed}");
        for id in world.ids() {
            world.checker.check_state(id, &world.nodes[&id].state.payloads);
        }
    }
}

/// Whatever moment a fetch of a snapshot is interrupted at: by its end, by the leader's, by a cut.
#[test]
fn a_snapshot_that_is_interrupted_is_fetched_again() {
    for steps in 1..60 {
        let mut world = snapshotting(steps);
        let leader = fill(&mut world, 10);
        let away = others(&world, leader)[0];
        world.kill(away);
        for _ in 0..40 {
            world.append(world.leader().expect("a leader")).expect("it leads");
            world.run_for(Duration::from_millis(20));
        }
        world.start(away);
        let until = world.time + SECOND;
        for _ in 0..steps * 3 {
            world.step(until);
        }
        match steps % 3 {
            0 => world.power_loss(away),
            1 => world.power_loss(leader),
            _ => world.isolate(leader),
        }
        world.run_for(SECOND);
        world.heal();
        world.start(away);
        world.start(leader);
        world.settle_down(5 * SECOND);
        world.checker.check_state(away, &world.nodes[&away].state.payloads);
    }
}
