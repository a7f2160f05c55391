//! One member, message by message.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::batch::data_batch;
use super::{
    AppendError, ElectionState, ElectionStore, FetchOutcome, FetchRequest, FetchResponse, MemoryElectionStore,
    MemoryMetadataLog, Message, MetadataLog, Output, Quorum, QuorumConfig, QuorumError, Role, VoteRequest,
    VoteResponse, data_records,
};
use crate::records::control::{ControlType, LeaderChange, Voter, control_type};
use crate::records::{batches, records as records_of};
use crate::types::{Id, NodeId, Now};

const START: Now = Now { mono: Duration::from_secs(5), wall_ms: 1_790_000_000_000 };

struct Member {
    quorum: Quorum,
    log: MemoryMetadataLog,
    store: MemoryElectionStore,
    now: Now,
}

impl Member {
    fn new(config: QuorumConfig, log: MemoryMetadataLog, election: ElectionState) -> Member {
        let mut store = MemoryElectionStore::default();
        store.store(&election).unwrap();
        Member::start(config, log, store, START)
    }

    fn start(config: QuorumConfig, log: MemoryMetadataLog, store: MemoryElectionStore, now: Now) -> Member {
        let quorum = Quorum::new(config, Box::new(log.clone()), Box::new(store.clone()), 1, now).unwrap();
        Member { quorum, log, store, now }
    }

    fn voter() -> Member {
        Member::new(QuorumConfig::lab(1, vec![1, 2, 3]), MemoryMetadataLog::default(), ElectionState::default())
    }

    fn restart_after_power_loss(self) -> Member {
        self.log.power_loss(0);
        Member::start(self.quorum.config().clone(), self.log, self.store, self.now)
    }

    fn receive(&mut self, from: NodeId, message: Message) -> Vec<(NodeId, Message)> {
        self.quorum.on_message(self.now, from, message);
        self.sent()
    }

    fn sent(&mut self) -> Vec<(NodeId, Message)> {
        let sends = |output| match output {
            Output::Send { to, message } => Some((to, message)),
            _ => None,
        };
        self.quorum.take_outputs().into_iter().filter_map(sends).collect()
    }

    fn tick(&mut self, span: Duration) -> Vec<(NodeId, Message)> {
        self.now = self.now.plus(span);
        self.quorum.on_tick(self.now);
        self.sent()
    }

    /// Ticks until its deadline, and then on to the next, until it has `role`.
    fn tick_until(&mut self, role: Role) {
        for _ in 0..100 {
            if self.quorum.role() == role {
                return;
            }
            let wait = self.quorum.next_deadline().saturating_sub(self.now.mono);
            self.tick(wait);
        }
        panic!("it is {}, not {role}", self.quorum.role());
    }

    fn elect(&mut self) {
        self.tick_until(Role::Prospective);
        self.receive(2, vote_response(self.quorum.epoch(), true, true));
        assert_eq!(self.quorum.role(), Role::Candidate);
        self.receive(2, vote_response(self.quorum.epoch(), false, true));
        assert_eq!(self.quorum.role(), Role::Leader);
    }

    fn fetch(&mut self, from: NodeId, fetch_offset: i64, last_fetched_epoch: i32) -> Vec<(NodeId, Message)> {
        let (epoch, high_watermark) = (self.quorum.epoch(), self.quorum.high_watermark());
        let directory_id = Id::ZERO;
        let request =
            FetchRequest { correlation: 9, directory_id, epoch, fetch_offset, last_fetched_epoch, high_watermark };
        self.receive(from, Message::FetchRequest(request))
    }
}

fn vote_request(epoch: i32, pre_vote: bool, last_epoch: i32, log_end_offset: i64) -> Message {
    let (directory_id, voter_directory_id) = Default::default();
    Message::VoteRequest(VoteRequest { epoch, last_epoch, log_end_offset, directory_id, voter_directory_id, pre_vote })
}

fn vote_response(epoch: i32, pre_vote: bool, granted: bool) -> Message {
    Message::VoteResponse(VoteResponse { epoch, leader: None, request_epoch: epoch, pre_vote, granted })
}

fn granted(answers: &[(NodeId, Message)]) -> Option<bool> {
    answers.iter().find_map(|(_, message)| match message {
        Message::VoteResponse(response) => Some(response.granted),
        _ => None,
    })
}

fn log_of(epochs: &[i32]) -> MemoryMetadataLog {
    let mut log = MemoryMetadataLog::default();
    for epoch in epochs {
        let batch = data_batch(0, *epoch, 0, &[Bytes::from_static(b"x")]);
        log.append_leader(START, batch, *epoch).unwrap();
    }
    log.sync(START).unwrap();
    log
}

#[test]
fn a_vote_outlives_a_power_loss() {
    let mut member = Member::voter();
    assert_eq!(granted(&member.receive(2, vote_request(5, false, 0, 0))), Some(true));
    let mut member = member.restart_after_power_loss();
    assert_eq!(member.quorum.epoch(), 5);
    assert_eq!(granted(&member.receive(3, vote_request(5, false, 9, 9))), Some(false), "one vote in an epoch");
    assert_eq!(granted(&member.receive(2, vote_request(5, false, 0, 0))), Some(true), "the same again");
    assert_eq!(granted(&member.receive(3, vote_request(4, false, 9, 9))), Some(false), "an epoch that is over");
    assert_eq!(granted(&member.receive(3, vote_request(6, false, 9, 9))), Some(true), "a new epoch");
}

#[test]
fn a_leader_that_starts_again_neither_leads_nor_votes_in_its_epoch() {
    let mut member = Member::voter();
    member.elect();
    let epoch = member.quorum.epoch();
    let mut member = member.restart_after_power_loss();
    assert_eq!((member.quorum.role(), member.quorum.epoch()), (Role::Resigned, epoch));
    assert_eq!(granted(&member.receive(3, vote_request(epoch, false, epoch, 9))), Some(false));
}

#[test]
fn votes_go_to_logs_that_are_not_shorter() {
    for (last_epoch, end_offset, expected) in [(2, 3, true), (2, 4, true), (3, 0, true), (2, 2, false), (1, 9, false)] {
        for pre_vote in [true, false] {
            let config = QuorumConfig::lab(1, vec![1, 2, 3]);
            let mut member = Member::new(config, log_of(&[1, 2, 2]), ElectionState::default());
            let answer = member.receive(2, vote_request(7, pre_vote, last_epoch, end_offset));
            assert_eq!(granted(&answer), Some(expected), "{last_epoch}, {end_offset}, pre-vote {pre_vote}");
            assert_eq!(member.store.load().unwrap().voted.map(|voted| voted.id), (expected && !pre_vote).then_some(2));
        }
    }
}

#[test]
fn a_follower_that_hears_from_its_leader_grants_no_pre_vote() {
    let (mut member, correlation) = following();
    assert_eq!(granted(&member.receive(3, vote_request(1, true, 9, 9))), Some(true), "it has not heard from it yet");
    member.receive(2, leader_2_says(correlation, records(Bytes::new(), 0)));
    assert_eq!(granted(&member.receive(3, vote_request(1, true, 9, 9))), Some(false));
    member.quorum.on_peer_down(member.now, 2);
    assert_eq!(granted(&member.receive(3, vote_request(1, true, 9, 9))), Some(true), "the leader's node is down");
}

#[test]
fn a_candidates_vote_for_itself_outlives_a_power_loss() {
    let mut member = Member::voter();
    member.tick_until(Role::Prospective);
    member.receive(2, vote_response(0, true, true));
    assert_eq!((member.quorum.role(), member.quorum.epoch()), (Role::Candidate, 1));
    let mut member = member.restart_after_power_loss();
    assert_eq!(granted(&member.receive(3, vote_request(1, false, 9, 9))), Some(false));
}

#[test]
fn votes_of_an_election_that_is_over_do_not_count() {
    let config = QuorumConfig::lab(1, vec![1, 2, 3]);
    let election = ElectionState { epoch: 4, leader: None, voted: None };
    let mut member = Member::new(config, MemoryMetadataLog::default(), election);
    member.tick_until(Role::Prospective);
    member.receive(2, vote_response(3, true, true));
    member.receive(2, vote_response(4, false, true));
    assert_eq!(member.quorum.role(), Role::Prospective);
    member.receive(2, vote_response(4, true, true));
    assert_eq!((member.quorum.role(), member.quorum.epoch()), (Role::Candidate, 5));
    member.receive(2, vote_response(4, false, true));
    member.receive(3, vote_response(4, true, true));
    member.receive(3, vote_response(5, true, true));
    let late = VoteResponse { epoch: 5, leader: None, request_epoch: 4, pre_vote: false, granted: true };
    member.receive(3, Message::VoteResponse(late));
    assert_eq!(member.quorum.role(), Role::Candidate);
}

#[test]
fn a_fetch_of_another_epoch_is_refused() {
    let mut member = Member::voter();
    member.elect();
    member.tick(Duration::ZERO);
    let fetch = |epoch| {
        let directory_id = Id::ZERO;
        let request = FetchRequest {
            correlation: 9,
            directory_id,
            epoch,
            fetch_offset: 1,
            last_fetched_epoch: 1,
            high_watermark: 0,
        };
        Message::FetchRequest(request)
    };
    let refusal = |epoch, leader| {
        let outcome = FetchOutcome::NotLeader;
        (2, Message::FetchResponse(FetchResponse { correlation: 9, epoch, leader, outcome }))
    };
    assert_eq!(member.receive(2, fetch(0)), [refusal(1, Some(1))]);
    assert_eq!(member.quorum.high_watermark(), 0);
    assert!(member.receive(2, fetch(3)).contains(&refusal(3, None)));
    assert_eq!((member.quorum.role(), member.quorum.epoch()), (Role::Unattached, 3));
}

#[test]
fn strangers_have_no_vote() {
    let mut member = Member::voter();
    assert_eq!(granted(&member.receive(101, vote_request(5, false, 9, 9))), None);
    assert_eq!(member.quorum.epoch(), 0);
    member.tick_until(Role::Prospective);
    member.receive(101, vote_response(0, true, true));
    member.receive(102, vote_response(0, true, true));
    assert_eq!(member.quorum.role(), Role::Prospective);
    let config = QuorumConfig::lab(101, vec![1, 2, 3]);
    let mut observer = Member::new(config, MemoryMetadataLog::default(), ElectionState::default());
    assert_eq!(granted(&observer.receive(2, vote_request(5, false, 9, 9))), None);
}

/// Raft's figure 8 at its smallest: the old record is on a majority, the new epoch's first record is not.
#[test]
fn the_high_watermark_waits_for_a_record_of_the_leaders_own_epoch() {
    let config = QuorumConfig::lab(1, vec![1, 2, 3]);
    let election = ElectionState { epoch: 3, leader: None, voted: None };
    let mut member = Member::new(config, log_of(&[1, 2]), election);
    member.elect();
    member.tick(Duration::ZERO);
    assert_eq!(member.quorum.epoch_start_offset(), Some(2));
    member.fetch(2, 2, 2);
    member.fetch(3, 2, 2);
    assert_eq!(member.quorum.high_watermark(), 0, "everybody has the records of epoch 2");
    member.fetch(2, 3, 4);
    assert_eq!(member.quorum.high_watermark(), 3);
}

#[test]
fn a_leader_counts_itself_only_when_it_has_synced() {
    let mut member = Member::voter();
    member.elect();
    let epoch = member.quorum.epoch();
    member.fetch(2, 1, epoch);
    assert_eq!(member.quorum.high_watermark(), 0, "its own disk lacks it");
    assert_eq!(member.quorum.next_deadline(), Duration::ZERO, "the sync is due");
    member.tick(Duration::ZERO);
    assert_eq!(member.quorum.high_watermark(), 1);
    member.quorum.append(member.now, &[Bytes::from_static(b"x")]).unwrap();
    member.fetch(2, 2, epoch);
    member.fetch(3, 2, epoch);
    assert_eq!(member.quorum.high_watermark(), 2, "two others are a majority");
}

#[test]
fn a_fetch_waits_for_news_but_not_for_ever() {
    let mut member = Member::voter();
    member.elect();
    member.tick(Duration::ZERO);
    let epoch = member.quorum.epoch();
    member.fetch(2, 1, epoch);
    assert_eq!(member.quorum.high_watermark(), 1);
    assert!(member.fetch(3, 1, epoch).is_empty(), "nothing new");
    assert!(member.tick(Duration::from_millis(79)).is_empty());
    let (to, answer) = member.tick(Duration::from_millis(1)).remove(0);
    let Message::FetchResponse(FetchResponse { correlation: 9, outcome, .. }) = answer else { panic!("{answer:?}") };
    assert_eq!((to, outcome), (3, records(Bytes::new(), 1)));
    member.fetch(2, 1, epoch);
    member.fetch(3, 1, epoch);
    member.quorum.append(member.now, &[Bytes::from_static(b"x"), Bytes::from_static(b"y")]).unwrap();
    let answers = member.sent();
    assert_eq!(answers.len(), 2, "both are told at once, before the leader's own sync: {answers:?}");
    // A higher high watermark is news as well (KIP-1166).
    member.tick(Duration::ZERO);
    assert!(member.fetch(3, 3, epoch).iter().any(|(to, _)| *to == 3), "the high watermark moved");
    assert_eq!(member.quorum.high_watermark(), 3);
}

#[test]
fn the_first_batch_of_an_epoch_is_kafkas_leader_change() {
    let mut member = Member::voter();
    member.elect();
    member.tick(Duration::ZERO);
    member.quorum.append(member.now, &[Bytes::from_static(b"one"), Bytes::from_static(b"two")]).unwrap();
    member.tick(Duration::ZERO);
    member.fetch(2, 3, 1);
    let bytes = member.quorum.read_committed(0, usize::MAX).unwrap();
    let (header, batch) = batches(&bytes).next().unwrap().unwrap();
    assert!(header.is_control());
    assert_eq!((header.base_offset, header.partition_leader_epoch), (0, 1));
    let record = records_of(batch, 1000).unwrap().next().unwrap().unwrap();
    assert_eq!(control_type(&record.key.unwrap()).unwrap(), Some(ControlType::LeaderChange));
    let change = LeaderChange::decode(&record.value.unwrap()).unwrap();
    let ids = |voters: &[Voter]| voters.iter().map(|voter| voter.id).collect::<Vec<_>>();
    assert_eq!((change.version, change.leader_id), (0, 1));
    assert_eq!((ids(&change.voters), ids(&change.granting_voters)), (vec![1, 2, 3], vec![1, 2]));
    let (data, next_offset) = data_records(&bytes, 1000).unwrap();
    let values: Vec<_> = data.iter().map(|record| (record.offset, record.epoch, &record.value[..])).collect();
    assert_eq!(values, [(1, 1, &b"one"[..]), (2, 1, &b"two"[..])]);
    assert_eq!(next_offset, Some(3));
    assert!(member.quorum.read_committed(3, usize::MAX).unwrap().is_empty());
}

#[test]
fn appends_are_refused_where_they_must_be() {
    let mut member = Member::voter();
    let record = || [Bytes::from_static(b"x")];
    assert_eq!(member.quorum.append(member.now, &record()), Err(AppendError::NotLeader { leader: None, epoch: 0 }));
    member.elect();
    assert_eq!(member.quorum.append(member.now, &[]), Err(AppendError::Empty));
    let large = [Bytes::from(vec![0; member.quorum.config().max_batch_bytes])];
    assert!(matches!(member.quorum.append(member.now, &large), Err(AppendError::TooLarge { .. })));
    assert_eq!(member.quorum.append(member.now, &record()), Ok(1));
}

#[test]
fn a_leader_without_a_majority_resigns() {
    let mut member = Member::voter();
    member.elect();
    member.tick(Duration::ZERO);
    for _ in 0..10 {
        member.tick(Duration::from_millis(200));
        member.fetch(3, 1, 1);
    }
    assert_eq!(member.quorum.role(), Role::Leader, "one of two others is enough");
    member.now = member.now.plus(member.quorum.config().check_quorum_timeout());
    member.quorum.on_tick(member.now);
    let outputs = member.quorum.take_outputs();
    assert!(outputs.contains(&Output::LostLeadership { epoch: 1, reason: "no majority fetched in time" }));
    assert!(outputs.contains(&Output::LeaderChanged { leader: None, epoch: 1 }));
    assert_eq!(member.quorum.role(), Role::Resigned);
}

/// A follower of node 2 in epoch 1, and the number of the fetch that it has sent.
fn following() -> (Member, u64) {
    let mut member = Member::voter();
    let sent = member.receive(2, Message::BeginQuorumEpochRequest { epoch: 1, voter_directory_id: Id::ZERO });
    let correlation = fetch_sent(&sent).unwrap();
    (member, correlation)
}

fn fetch_sent(sent: &[(NodeId, Message)]) -> Option<u64> {
    sent.iter().find_map(|(_, message)| match message {
        Message::FetchRequest(request) => Some(request.correlation),
        _ => None,
    })
}

fn leader_2_says(correlation: u64, outcome: FetchOutcome) -> Message {
    Message::FetchResponse(FetchResponse { correlation, epoch: 1, leader: Some(2), outcome })
}

fn records(records: Bytes, high_watermark: i64) -> FetchOutcome {
    FetchOutcome::Records { records, high_watermark, log_start_offset: 0 }
}

#[test]
fn damaged_records_are_asked_for_again() {
    let good = data_batch(0, 1, 0, &[Bytes::from_static(b"x")]).freeze();
    let mut damaged = good.to_vec();
    damaged[65] ^= 1;
    let of_a_later_epoch = data_batch(0, 2, 0, &[Bytes::from_static(b"x")]).freeze();
    let elsewhere = data_batch(3, 1, 0, &[Bytes::from_static(b"x")]).freeze();
    let half = good.slice(..50);
    let (mut member, mut correlation) = following();
    for bad in [Bytes::from(damaged), half, of_a_later_epoch, elsewhere, Bytes::from_static(b"nonsense")] {
        let sent = member.receive(2, leader_2_says(correlation, records(bad, 1)));
        assert_eq!((member.log.end_offset(), member.quorum.high_watermark()), (0, 0));
        assert_eq!(fetch_sent(&sent), None, "not without a pause");
        let sent = member.tick(member.quorum.config().retry_backoff);
        correlation = fetch_sent(&sent).unwrap();
    }
    member.receive(2, leader_2_says(correlation, records(good, 1)));
    assert_eq!((member.log.end_offset(), member.quorum.high_watermark()), (1, 1));
    assert_eq!(member.log.synced_offset(), 1, "its next fetch says that it has it");
}

#[test]
fn an_answer_counts_once() {
    let (mut member, correlation) = following();
    let batch = data_batch(0, 1, 0, &[Bytes::from_static(b"x")]).freeze();
    let answer = leader_2_says(correlation, records(batch, 1));
    assert!(fetch_sent(&member.receive(3, answer.clone())).is_none(), "not from the one that was asked");
    assert!(fetch_sent(&member.receive(2, answer.clone())).is_some());
    assert!(fetch_sent(&member.receive(2, answer)).is_none(), "a second copy");
    assert_eq!(member.log.end_offset(), 1);
}

#[test]
fn a_leader_that_contradicts_what_is_committed_stops_the_member() {
    let (mut member, correlation) = following();
    let batch = data_batch(0, 1, 0, &[Bytes::from_static(b"x")]).freeze();
    let sent = member.receive(2, leader_2_says(correlation, records(batch, 1)));
    let outcome = FetchOutcome::Diverging { epoch: 0, end_offset: 0 };
    let next = fetch_sent(&sent).unwrap();
    member.quorum.on_message(member.now, 2, leader_2_says(next, outcome));
    let error = QuorumError::CommittedRecordsDiverge { offset: 0, high_watermark: 1 };
    assert!(member.quorum.take_outputs().contains(&Output::Failed(error)));
    assert_eq!(member.quorum.next_deadline(), Duration::MAX);
}

struct BrokenStore;

impl ElectionStore for BrokenStore {
    fn load(&self) -> io::Result<ElectionState> {
        Ok(ElectionState::default())
    }

    fn store(&mut self, _: &ElectionState) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}

#[test]
fn a_vote_that_cannot_be_kept_is_not_given() {
    let config = QuorumConfig::lab(1, vec![1, 2, 3]);
    let log = Box::new(MemoryMetadataLog::default());
    let mut quorum = Quorum::new(config, log, Box::new(BrokenStore), 1, START).unwrap();
    quorum.on_message(START, 2, vote_request(5, false, 0, 0));
    let outputs = quorum.take_outputs();
    assert!(matches!(outputs[..], [Output::Failed(QuorumError::ElectionState(_))]), "{outputs:?}");
    quorum.on_message(START, 2, vote_request(6, false, 0, 0));
    assert!(quorum.take_outputs().is_empty(), "it is dead");
}

#[test]
fn voters_must_be_named_once() {
    for voters in [vec![], vec![1, 2, 2]] {
        let config = QuorumConfig::lab(1, voters);
        let (log, store) = (Box::new(MemoryMetadataLog::default()), Box::new(MemoryElectionStore::default()));
        assert!(matches!(Quorum::new(config, log, store, 1, START), Err(QuorumError::InvalidVoters(_))));
    }
}
