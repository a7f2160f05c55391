//! Members, leaders and ISRs, decision by decision.

use super::testing::{Harness, id};
use crate::metadata::MetadataRecord;
use crate::metadata::record::BrokerRegistrationChangeRecord;
use crate::metadata::report::{Cause, Event, FenceReason};
use crate::protocol::ErrorCode;
use crate::protocol::messages::AllocateProducerIdsRequestData;
use crate::types::TopicPartition;

#[test]
fn a_new_cluster_begins_with_its_features() {
    let harness = Harness::new(&[]);
    let names: Vec<&str> = harness.log.iter().map(MetadataRecord::name).collect();
    assert_eq!(names[0], "BeginTransactionRecord");
    assert_eq!(names[names.len() - 2..], ["ConfigRecord", "EndTransactionRecord"]);
    let features = &harness.state.image().features;
    assert_eq!(features["metadata.version"], 30);
    assert_eq!(features["eligible.leader.replicas.version"], 1);
    assert_eq!(features["share.version"], 1);
    assert_eq!(features["streams.version"], 1);
    assert!(harness.state.bootstrap().records.is_empty(), "only once");
}

#[test]
fn a_broker_registers_fenced_and_is_let_in_when_it_has_read_its_registration() {
    let mut harness = Harness::new(&[]);
    let epoch = harness.register(1, 1, -1).unwrap();
    assert_eq!(epoch, harness.next_offset() - 1, "the broker epoch is the record's offset");
    let behind = harness.heartbeat_at(1, false, false, epoch - 1);
    assert!(!behind.is_caught_up && behind.is_fenced);
    let asks_to_stay_out = harness.heartbeat_at(1, true, false, epoch);
    assert!(asks_to_stay_out.is_caught_up && asks_to_stay_out.is_fenced);
    let caught_up = harness.heartbeat_at(1, false, false, epoch);
    assert!(caught_up.is_caught_up && !caught_up.is_fenced && !caught_up.should_shut_down);
    let incarnation = harness.state.image().brokers[&1].incarnation;
    assert_eq!(
        harness.events,
        [
            Event::BrokerRegistered { broker_id: 1, broker_epoch: epoch, incarnation },
            Event::BrokerUnfenced { broker_id: 1, broker_epoch: epoch, incarnation }
        ]
    );
}

#[test]
fn registrations_that_cannot_be() {
    let mut harness = Harness::with_brokers(&[], 1);
    let mut cases = Vec::new();
    let good = || Harness::registration(2, 9, -1);
    let mut foreign = good();
    foreign.cluster_id = super::testing::text("other");
    cases.push((foreign, ErrorCode::InconsistentClusterId));
    let mut dirless = good();
    dirless.log_dirs.clear();
    cases.push((dirless, ErrorCode::InvalidRegistration));
    let mut reserved = good();
    reserved.log_dirs = vec![crate::types::Id(99u128.to_be_bytes()).into()];
    cases.push((reserved, ErrorCode::InvalidRegistration));
    let mut twice = good();
    twice.log_dirs.push(twice.log_dirs[0]);
    cases.push((twice, ErrorCode::InvalidRegistration));
    let mut taken = good();
    taken.log_dirs = vec![id(501).into()];
    cases.push((taken, ErrorCode::InvalidRegistration));
    let mut featureless = good();
    featureless.features.clear();
    cases.push((featureless, ErrorCode::InvalidRegistration));
    let mut old = good();
    old.features[0].max_supported_version = 29;
    cases.push((old, ErrorCode::UnsupportedVersion));
    let mut without_elr = good();
    without_elr.features.retain(|feature| feature.name.as_str() != "eligible.leader.replicas.version");
    cases.push((without_elr, ErrorCode::UnsupportedVersion));
    for (request, error) in cases {
        let offset = harness.next_offset();
        let decision = harness.state.register_broker(harness.now, &request, offset);
        assert_eq!((ErrorCode::from(decision.response.error_code), decision.records.len()), (error, 0));
    }
}

#[test]
fn a_repeated_registration_keeps_its_epoch_and_its_standing() {
    let mut harness = Harness::with_brokers(&[], 1);
    let epoch = harness.epoch(1);
    assert_eq!(harness.register(1, 1, -1), Ok(epoch));
    assert!(!harness.state.image().brokers[&1].fenced);
}

#[test]
fn requests_of_another_broker_epoch_are_stale() {
    let mut harness = Harness::with_brokers(&[], 1);
    let old = harness.epoch(1);
    harness.register(1, 2, -1).unwrap();
    let request =
        crate::protocol::messages::BrokerHeartbeatRequestData { broker_id: 1, broker_epoch: old, ..Default::default() };
    let stale = ErrorCode::StaleBrokerEpoch.code();
    assert_eq!(harness.state.heartbeat(harness.now, &request, 99).response.error_code, stale);
    let request = AllocateProducerIdsRequestData { broker_id: 1, broker_epoch: old, ..Default::default() };
    assert_eq!(harness.state.allocate_producer_ids(&request).response.error_code, stale);
    let request = AllocateProducerIdsRequestData { broker_id: 7, broker_epoch: 0, ..Default::default() };
    assert_eq!(harness.state.allocate_producer_ids(&request).response.error_code, stale);
}

#[test]
fn a_silent_broker_is_fenced_and_its_partitions_move_on() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[2, 3, 1], &[]);
    harness.events.clear();
    harness.kill(2);
    let cause = "broker 2 fenced: no heartbeat for 9,512 ms".to_owned();
    let partition = TopicPartition::new("t", 0);
    let broker_epoch = harness.epoch(2);
    let because = Cause::Fenced { broker_id: 2, broker_epoch };
    assert_eq!(
        harness.events,
        [
            Event::BrokerFenced {
                broker_id: 2,
                broker_epoch,
                incarnation: harness.state.image().brokers[&2].incarnation,
                reason: FenceReason::SessionExpired { missed_ms: 9_512 }
            },
            Event::IsrChanged {
                partition: partition.clone(),
                from: vec![2, 3, 1],
                to: vec![3, 1],
                cause: cause.clone(),
                because: because.clone()
            },
            Event::LeaderElected { partition, from: 2, to: 3, leader_epoch: 1, unclean: false, cause, because },
        ]
    );
    let last = harness.log.last().unwrap();
    let fenced = BrokerRegistrationChangeRecord {
        broker_id: 2,
        broker_epoch: harness.epoch(2),
        fenced: 1,
        ..Default::default()
    };
    assert_eq!(*last, fenced.into(), "the fence comes last, so that no record shows a fenced leader");
}

#[test]
fn sessions_end_one_by_one_and_not_before_their_time() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.wait(8_999);
    harness.tick();
    assert!(harness.state.image().brokers.values().all(|broker| !broker.fenced));
    assert_eq!(harness.state.next_deadline(), harness.now.plus(std::time::Duration::from_millis(1)).mono);
    harness.wait(1);
    assert_eq!(harness.state.tick(harness.now).map(|decision| decision.records.len()), Some(1));
    harness.tick();
    assert!(harness.state.image().brokers.values().all(|broker| broker.fenced));
}

#[test]
fn a_controller_that_stood_still_blames_nobody() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.wait(60_000);
    harness.state.forgive(std::time::Duration::from_millis(60_000));
    harness.tick();
    assert!(harness.state.image().brokers.values().all(|broker| !broker.fenced));
    harness.wait(9_000);
    harness.tick();
    assert!(harness.state.image().brokers.values().all(|broker| broker.fenced));
}

/// Row 10 of the acceptance table: back before the session ends, but what was not synced may be gone.
#[test]
fn a_restart_within_the_session_costs_isr_and_leadership() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
    harness.events.clear();
    let before = harness.next_offset();
    let epoch = harness.register(1, 11, -1).unwrap();
    assert_eq!(harness.seats("t"), (2, vec![2, 3], vec![]));
    assert_eq!(epoch, before + 1, "behind the change of the partition, in the same batch");
    assert!(matches!(
        harness.events[..],
        [
            Event::BrokerFenced { reason: FenceReason::Reregistered, .. },
            Event::IsrChanged { .. },
            Event::LeaderElected { from: 1, to: 2, unclean: false, .. },
            Event::BrokerRegistered { .. }
        ]
    ));
    assert!(!harness.heartbeat(1, false, false).is_fenced);
    assert_eq!(harness.seats("t").1, [2, 3], "it has to catch up first");
    assert_eq!(harness.propose("t", &[2, 3, 1]), ErrorCode::None);
}

#[test]
fn without_proof_of_a_clean_shutdown_a_broker_leaves_the_elr() {
    for (clean, elr) in [(false, vec![]), (true, vec![2])] {
        let mut harness = Harness::with_brokers(&[], 2);
        harness.create_at("t", &[1, 2], &[("min.insync.replicas", "2")]);
        harness.kill(2);
        assert_eq!(harness.seats("t"), (1, vec![1], vec![2]));
        let proof = if clean { harness.epoch(2) } else { -1 };
        harness.register(2, 22, proof).unwrap();
        assert_eq!(harness.seats("t"), (1, vec![1], elr), "clean: {clean}");
    }
}

/// Row 6: all are killed and come back; nobody but the last leader may lead.
#[test]
fn after_all_were_killed_the_last_leader_is_waited_for() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
    for broker in [1, 2, 3] {
        harness.kill(broker);
    }
    assert_eq!(harness.seats("t"), (-1, vec![], vec![2, 3]));
    assert_eq!(harness.partition("t").last_known_elr, [3]);
    harness.start(1, 11);
    assert_eq!(harness.seats("t").0, -1, "1 left the ISR while it was at its minimum");
    harness.start(2, 12);
    assert_eq!(harness.seats("t"), (-1, vec![], vec![3]), "2 may have lost something, 3 is still eligible");
    harness.start(3, 13);
    assert_eq!(harness.seats("t"), (3, vec![3], vec![]));
    assert!(harness.partition("t").recovering);
}

/// Row 11: an ELR member is elected cleanly, even if it never was the last.
#[test]
fn an_elr_member_that_shut_down_cleanly_may_lead() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
    for broker in [1, 2, 3] {
        harness.kill(broker);
    }
    let epoch = harness.epoch(2);
    harness.register(2, 22, epoch).unwrap();
    harness.heartbeat(2, false, false);
    assert_eq!(harness.seats("t"), (2, vec![2], vec![3]));
    assert!(!harness.partition("t").recovering);
    assert!(harness.partition("t").last_known_elr.is_empty());
}

#[test]
fn an_unclean_election_where_the_topic_allows_it() {
    for (allowed, leader) in [("true", 1), ("false", -1)] {
        let mut harness = Harness::with_brokers(&[], 2);
        harness.create_at("t", &[1, 2], &[("unclean.leader.election.enable", allowed), ("min.insync.replicas", "1")]);
        harness.kill(1);
        harness.heartbeat(2, false, false);
        assert_eq!(harness.seats("t"), (2, vec![2], vec![]));
        harness.start(1, 11);
        harness.kill(2);
        assert_eq!(harness.seats("t").0, leader, "allowed: {allowed}");
        assert_eq!(harness.partition("t").recovering, leader == 1);
    }
}

#[test]
fn a_controlled_shutdown_waits_until_the_others_know_the_new_leaders() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.events.clear();
    let leaving = harness.heartbeat(1, false, true);
    assert!(!leaving.should_shut_down && !leaving.is_fenced);
    assert_eq!(harness.seats("t"), (2, vec![2, 3], vec![]));
    assert!(harness.state.image().brokers[&1].in_controlled_shutdown);
    let read_before = harness.next_offset() - 2;
    harness.heartbeat(2, false, false);
    harness.heartbeat_at(3, false, false, read_before);
    assert!(!harness.heartbeat(1, false, true).should_shut_down, "3 has not read it yet");
    harness.heartbeat(3, false, false);
    let may_go = harness.heartbeat(1, false, true);
    assert!(may_go.should_shut_down && may_go.is_fenced);
    let is_fence = |event: &Event| {
        matches!(event, Event::BrokerFenced { broker_id: 1, reason: FenceReason::ControlledShutdown, .. })
    };
    assert!(harness.events.iter().any(is_fence));
    assert!(harness.heartbeat(1, false, true).should_shut_down, "asked again, it may still go");
    // The restarted broker is a full member again.
    let epoch = harness.epoch(1);
    harness.register(1, 11, epoch).unwrap();
    assert!(!harness.heartbeat(1, false, false).is_fenced);
    assert!(!harness.state.image().brokers[&1].in_controlled_shutdown);
}

#[test]
fn a_broker_that_leads_nothing_may_go_at_once() {
    let mut harness = Harness::with_brokers(&[], 2);
    harness.create_at("t", &[1, 2], &[]);
    assert!(harness.heartbeat(2, false, true).should_shut_down);
    assert_eq!(harness.seats("t"), (1, vec![1], vec![]));
}

#[test]
fn a_broker_that_shut_down_counts_as_a_fenced_one_for_new_topics() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("led", &[3, 1], &[]);
    harness.heartbeat(3, false, true);
    for id in [1, 2] {
        harness.heartbeat(id, false, false);
    }
    assert!(harness.heartbeat(3, false, true).should_shut_down);
    assert!(harness.state.image().brokers[&3].in_controlled_shutdown);
    harness.create("t", 1, 3);
    let partition = harness.partition("t");
    assert!(partition.replicas.contains(&3) && partition.leader != 3, "{partition:?}");
    assert_eq!(partition.isr.len(), 2, "{partition:?}");
}

#[test]
fn a_failed_log_directory_costs_what_is_in_it() {
    let mut harness = Harness::with_brokers(&[], 2);
    harness.create_at("t", &[1, 2], &[]);
    let request = crate::protocol::messages::BrokerHeartbeatRequestData {
        broker_id: 1,
        broker_epoch: harness.epoch(1),
        current_metadata_offset: harness.next_offset(),
        offline_log_dirs: vec![id(501).into()],
        ..Default::default()
    };
    let decision = harness.state.heartbeat(harness.now, &request, harness.next_offset());
    harness.commit(decision);
    assert_eq!(harness.seats("t"), (2, vec![2], vec![]));
}

#[test]
fn a_proposal_is_checked_as_kafka_checks_it() {
    let mut harness = Harness::with_brokers(&[], 4);
    harness.create_at("t", &[1, 2, 3], &[]);
    // So that there are smaller epochs than the present ones.
    assert_eq!(harness.propose("t", &[1, 2]), ErrorCode::None);
    harness.kill(1);
    harness.start(1, 11);
    assert_eq!(harness.seats("t"), (2, vec![2], vec![]));
    let good = harness.proposal("t", &[2, 3]);
    type Edit = fn(&mut crate::protocol::messages::AlterPartitionRequestData);
    let cases: [(Edit, ErrorCode); 15] = [
        (|r| r.broker_epoch -= 1, ErrorCode::StaleBrokerEpoch),
        (|r| r.topics[0].topic_id = id(1).into(), ErrorCode::UnknownTopicId),
        (|r| r.topics[0].partitions[0].partition_index = 1, ErrorCode::UnknownTopicOrPartition),
        (|r| r.topics[0].partitions[0].partition_index = -1, ErrorCode::UnknownTopicOrPartition),
        (|r| r.topics[0].partitions[0].leader_epoch += 1, ErrorCode::NotController),
        (|r| r.topics[0].partitions[0].partition_epoch += 1, ErrorCode::NotController),
        (|r| r.topics[0].partitions[0].leader_epoch -= 1, ErrorCode::FencedLeaderEpoch),
        (|r| r.topics[0].partitions[0].partition_epoch -= 1, ErrorCode::InvalidUpdateVersion),
        (|r| r.topics[0].partitions[0].new_isr_with_epochs.remove(0).broker_id = 0, ErrorCode::InvalidRequest),
        (|r| r.topics[0].partitions[0].new_isr_with_epochs[1].broker_id = 4, ErrorCode::InvalidRequest),
        (|r| r.topics[0].partitions[0].new_isr_with_epochs[1].broker_id = 2, ErrorCode::InvalidRequest),
        (|r| r.topics[0].partitions[0].leader_recovery_state = 1, ErrorCode::InvalidRequest),
        (|r| r.topics[0].partitions[0].leader_recovery_state = 9, ErrorCode::InvalidRequest),
        (|r| r.topics[0].partitions[0].new_isr_with_epochs[1].broker_epoch += 1, ErrorCode::IneligibleReplica),
        (|_| {}, ErrorCode::None),
    ];
    for (case, (edit, expected)) in cases.into_iter().enumerate() {
        let mut request = good.clone();
        edit(&mut request);
        let decision = harness.state.alter_partition(&request);
        let code = match decision.response.error_code {
            0 => decision.response.topics[0].partitions[0].error_code,
            code => code,
        };
        assert_eq!(ErrorCode::from(code), expected, "case {case}");
        assert_eq!(decision.records.is_empty(), expected != ErrorCode::None, "case {case}");
    }
    // Whoever is not the leader.
    let mut foreign = good;
    foreign.broker_id = 3;
    foreign.broker_epoch = harness.epoch(3);
    let decision = harness.state.alter_partition(&foreign);
    assert_eq!(decision.response.topics[0].partitions[0].error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn the_fenced_and_the_leaving_are_ineligible() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.create_at("u", &[2, 1], &[]);
    harness.kill(3);
    assert_eq!(harness.propose("t", &[1, 2, 3]), ErrorCode::IneligibleReplica);
    harness.heartbeat(2, false, true);
    assert!(harness.state.image().brokers[&2].in_controlled_shutdown);
    assert_eq!(harness.propose("t", &[1, 2]), ErrorCode::IneligibleReplica);
    assert_eq!(harness.propose("t", &[1]), ErrorCode::None);
}

#[test]
fn an_accepted_proposal_tells_what_holds_now() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[]);
    harness.events.clear();
    let request = harness.proposal("t", &[1, 3]);
    let response = harness.alter(&request);
    let answer = &response.topics[0].partitions[0];
    assert_eq!((answer.leader_id, answer.leader_epoch, answer.partition_epoch), (1, 0, 1));
    assert_eq!(answer.isr, [1, 3]);
    assert_eq!(
        harness.events,
        [Event::IsrChanged {
            partition: TopicPartition::new("t", 0),
            from: vec![1, 2, 3],
            to: vec![1, 3],
            cause: "leader 1 took 2 out".to_owned(),
            because: Cause::LeaderAsked { leader_id: 1, taken_in: vec![], taken_out: vec![2] }
        }]
    );
    // The same once more changes nothing, and says so.
    let request = harness.proposal("t", &[1, 3]);
    let decision = harness.state.alter_partition(&request);
    assert!(decision.records.is_empty());
    assert_eq!(decision.response.topics[0].partitions[0].partition_epoch, 1);
}

#[test]
fn below_the_minimum_the_isr_leaves_an_elr_that_a_proposal_clears() {
    let mut harness = Harness::with_brokers(&[], 3);
    harness.create_at("t", &[1, 2, 3], &[("min.insync.replicas", "2")]);
    assert_eq!(harness.propose("t", &[1]), ErrorCode::None);
    assert_eq!(harness.seats("t"), (1, vec![1], vec![2, 3]));
    assert_eq!(harness.propose("t", &[1, 3]), ErrorCode::None);
    assert_eq!(harness.seats("t"), (1, vec![1, 3], vec![]));
}

#[test]
fn the_leader_ends_its_recovery() {
    let mut harness = Harness::with_brokers(&[], 1);
    harness.create_at("t", &[1], &[]);
    harness.start(1, 11);
    assert_eq!(harness.seats("t"), (1, vec![1], vec![]));
    assert!(harness.partition("t").recovering);
    assert_eq!(harness.propose("t", &[1]), ErrorCode::None);
    assert!(!harness.partition("t").recovering);
}

#[test]
fn producer_ids_come_in_blocks_of_a_thousand() {
    let mut harness = Harness::with_brokers(&[], 2);
    for (broker, start) in [(1, 0), (2, 1_000), (1, 2_000)] {
        let request = AllocateProducerIdsRequestData {
            broker_id: broker,
            broker_epoch: harness.epoch(broker),
            ..Default::default()
        };
        let decision = harness.state.allocate_producer_ids(&request);
        let response = harness.commit(decision);
        assert_eq!((response.producer_id_start, response.producer_id_len), (start, 1_000));
    }
}

#[test]
fn leadership_goes_back_to_the_preferred_replica_in_time() {
    for (enabled, leader) in [("true", 1), ("false", 2)] {
        let mut harness = Harness::with_brokers(
            &[("auto.leader.rebalance.enable", enabled), ("leader.imbalance.check.interval.seconds", "5")],
            2,
        );
        harness.create_at("t", &[1, 2], &[]);
        harness.start(1, 11);
        assert_eq!(harness.propose("t", &[2, 1]), ErrorCode::None);
        assert_eq!(harness.seats("t").0, 2);
        harness.wait(5_000);
        harness.tick();
        assert_eq!(harness.seats("t").0, leader);
    }
}
