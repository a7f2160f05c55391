//! What a leader knows of its followers, and the in-sync set that follows from it. Pure.
//!
//! Source: `kafka.cluster.Replica`, `PartitionState` in `kafka.cluster.Partition`; KIP-497 (maximal ISR), KIP-841 and KIP-903 (who may
//! join), KIP-966 (no high watermark below min.insync.replicas).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metadata::image::Image;
use crate::types::NodeId;

/// A broker as the ISR rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerStanding {
    /// Broker epoch of its registration.
    pub epoch: i64,
    /// Fenced brokers may not join an ISR.
    pub fenced: bool,
    /// Nor may those in controlled shutdown.
    pub shutting_down: bool,
}

/// The registered brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brokers(BTreeMap<NodeId, BrokerStanding>);

impl Brokers {
    /// As the image has them.
    pub fn of(image: &Image) -> Brokers {
        let standing = |broker: &crate::metadata::image::BrokerImage| BrokerStanding {
            epoch: broker.epoch,
            fenced: broker.fenced,
            shutting_down: broker.in_controlled_shutdown,
        };
        Brokers(image.brokers.iter().map(|(id, broker)| (*id, standing(broker))).collect())
    }

    /// One broker.
    pub fn get(&self, id: NodeId) -> Option<&BrokerStanding> {
        self.0.get(&id)
    }

    /// The epoch of a broker that is registered and not fenced.
    pub fn alive_epoch(&self, id: NodeId) -> Option<i64> {
        self.0.get(&id).filter(|broker| !broker.fenced).map(|broker| broker.epoch)
    }

    /// Whether a follower whose last fetch carried `fetched_epoch` may join an ISR: a reply to an older incarnation must not (KIP-903).
    pub fn may_join_isr(&self, id: NodeId, fetched_epoch: Option<i64>) -> bool {
        let Some(broker) = self.0.get(&id) else { return false };
        !broker.fenced
            && !broker.shutting_down
            && fetched_epoch.is_some_and(|epoch| epoch == -1 || epoch == broker.epoch)
    }
}

/// What a leader knows of one follower. An offset of -1 is "not known yet".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerState {
    pub log_start_offset: i64,
    pub log_end_offset: i64,
    pub broker_epoch: Option<i64>,
    /// Whether the follower's fetch session holds this partition, so that each of its fetches is one for this partition too.
    pub in_session: bool,
    leader_end_at_last_fetch: i64,
    last_fetch: Option<Duration>,
    last_caught_up: Option<Duration>,
    /// The controller took it out of the ISR then.
    taken_out: Option<Duration>,
}

impl FollowerState {
    /// At the start of a leader's reign: where the follower stands is not known, and one in the ISR gets the benefit of the doubt.
    pub fn at_start_of_reign(now: Duration, in_isr: bool) -> FollowerState {
        FollowerState {
            log_start_offset: -1,
            log_end_offset: -1,
            broker_epoch: None,
            in_session: false,
            leader_end_at_last_fetch: -1,
            last_fetch: None,
            last_caught_up: in_isr.then_some(now),
            taken_out: None,
        }
    }

    /// The same leader goes on in a new epoch.
    pub fn new_epoch(&mut self, now: Duration, leader_end: i64, in_isr: bool) {
        self.leader_end_at_last_fetch = leader_end;
        self.last_fetch = in_isr.then_some(now);
        self.last_caught_up = in_isr.then_some(now);
    }

    /// The follower fetches from `offset`: it has all before it.
    pub fn fetched(&mut self, now: Duration, offset: i64, log_start: i64, leader_end: i64, broker_epoch: i64) {
        if offset >= leader_end {
            self.last_caught_up = self.last_caught_up.max(Some(now));
        } else if offset >= self.leader_end_at_last_fetch {
            self.last_caught_up = self.last_caught_up.max(self.last_fetch);
        }
        self.log_start_offset = log_start;
        self.log_end_offset = offset;
        self.leader_end_at_last_fetch = leader_end.max(self.leader_end_at_last_fetch);
        self.last_fetch = Some(now);
        self.broker_epoch = Some(broker_epoch);
    }

    /// Called before the leader's log grows. A session's fetches do not name the partitions in which nothing moves; they count for them
    /// all the same, so that a follower which was level until now is not taken for one that was silent for as long as nothing was written.
    pub fn before_append(&mut self, last_session_fetch: Option<Duration>, leader_end: i64) {
        if self.in_session && self.log_end_offset == leader_end {
            self.last_fetch = self.last_fetch.max(last_session_fetch);
            self.last_caught_up = self.last_caught_up.max(last_session_fetch);
            self.leader_end_at_last_fetch = leader_end.max(self.leader_end_at_last_fetch);
        }
    }

    /// The controller took it out of the ISR: its session ended, it stops, or the replica's directory failed. What it fetched before says
    /// nothing any more.
    pub fn was_taken_out(&mut self, now: Duration) {
        self.taken_out = Some(now);
    }

    /// Whether it fetched not long ago, and since it was taken out of the ISR: this partition by name or as one of its session.
    pub fn fetches(&self, last_session_fetch: Option<Duration>, now: Duration, lag_time_max: Duration) -> bool {
        let last = self.last_fetch.max(last_session_fetch.filter(|_| self.in_session));
        last > self.taken_out && last.is_some_and(|then| now.saturating_sub(then) <= lag_time_max)
    }

    /// When it was last level with the leader, as far as that is known.
    pub fn last_caught_up(&self) -> Option<Duration> {
        self.last_caught_up
    }

    /// Level with the leader, or not long behind.
    pub fn is_caught_up(&self, leader_end: i64, now: Duration, lag_time_max: Duration) -> bool {
        self.log_end_offset == leader_end
            || self.last_caught_up.is_some_and(|then| now.saturating_sub(then) <= lag_time_max)
    }
}

/// A change of the ISR that was proposed to the controller and not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Tells this proposal's answer from that to an earlier one.
    pub token: u64,
    /// The ISR proposed.
    pub isr: Vec<NodeId>,
    /// The follower that joins, if it is an expansion.
    pub joining: Option<NodeId>,
}

/// The in-sync replicas: as committed by the controller, and what is proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isr {
    committed: Vec<NodeId>,
    proposal: Option<Proposal>,
}

impl Isr {
    /// Committed, nothing proposed.
    pub fn committed(members: Vec<NodeId>) -> Isr {
        Isr { committed: members, proposal: None }
    }

    /// As committed.
    pub fn members(&self) -> &[NodeId] {
        &self.committed
    }

    /// What waits for the controller.
    pub fn proposal(&self) -> Option<&Proposal> {
        self.proposal.as_ref()
    }

    /// Whether a follower counts for the high watermark: committed members, and one that may have been let in already (KIP-497).
    pub fn maximal_contains(&self, id: NodeId) -> bool {
        self.committed.contains(&id) || self.joining() == Some(id)
    }

    /// Size of the maximal ISR.
    pub fn maximal_len(&self) -> usize {
        self.committed.len() + usize::from(self.joining().is_some())
    }

    fn joining(&self) -> Option<NodeId> {
        self.proposal.as_ref()?.joining
    }

    /// Proposes to let one follower in.
    pub fn propose_expansion(&mut self, token: u64, joining: NodeId) {
        let mut isr = self.committed.clone();
        isr.push(joining);
        self.proposal = Some(Proposal { token, isr, joining: Some(joining) });
    }

    /// Proposes to drop some; they count until the controller agrees.
    pub fn propose_shrink(&mut self, token: u64, leaving: &[NodeId]) {
        let isr = self.committed.iter().copied().filter(|id| !leaving.contains(id)).collect();
        self.proposal = Some(Proposal { token, isr, joining: None });
    }

    /// The controller refused for good: what was committed stands.
    pub fn withdraw(&mut self) {
        self.proposal = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_secs(3);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_follower_is_caught_up_while_its_last_level_fetch_is_young() {
        let mut follower = FollowerState::at_start_of_reign(at(0), false);
        assert!(!follower.is_caught_up(10, at(0), LAG));
        follower.fetched(at(1), 5, 0, 10, 1);
        assert!(!follower.is_caught_up(10, at(1), LAG), "5 of 10, and never level");
        follower.fetched(at(2), 10, 0, 20, 1);
        assert!(follower.is_caught_up(20, at(4), LAG), "it had at second 2 what the leader had at second 1");
        assert!(!follower.is_caught_up(20, at(5), LAG));
        follower.fetched(at(6), 20, 0, 20, 1);
        assert!(follower.is_caught_up(20, at(600), LAG), "level is level, however long ago");
        assert!(!follower.is_caught_up(21, at(600), LAG));
    }

    #[test]
    fn an_idle_session_keeps_its_partitions_fresh() {
        let mut follower = FollowerState::at_start_of_reign(at(0), true);
        follower.in_session = true;
        follower.fetched(at(1), 10, 0, 10, 1);
        follower.before_append(Some(at(100)), 10);
        assert!(follower.is_caught_up(11, at(101), LAG));
        let mut gone = FollowerState::at_start_of_reign(at(0), true);
        gone.fetched(at(1), 10, 0, 10, 1);
        gone.before_append(Some(at(100)), 10);
        assert!(!gone.is_caught_up(11, at(101), LAG), "not in the session: its fetches say nothing of this partition");
    }

    #[test]
    fn who_was_taken_out_must_fetch_again() {
        let mut follower = FollowerState::at_start_of_reign(at(0), true);
        assert!(!follower.fetches(None, at(1), LAG), "it never has");
        follower.fetched(at(1), 10, 0, 10, 1);
        follower.in_session = true;
        assert!(follower.fetches(None, at(2), LAG));
        follower.was_taken_out(at(3));
        assert!(!follower.fetches(Some(at(2)), at(4), LAG));
        assert!(follower.fetches(Some(at(4)), at(4), LAG));
        assert!(!follower.fetches(Some(at(4)), at(8), LAG), "and then fell silent");
        follower.in_session = false;
        assert!(!follower.fetches(Some(at(4)), at(4), LAG), "it fetches, but not this partition");
    }

    #[test]
    fn a_reply_to_an_older_incarnation_lets_nobody_in() {
        let brokers = Brokers(BTreeMap::from([
            (1, BrokerStanding { epoch: 5, fenced: false, shutting_down: false }),
            (2, BrokerStanding { epoch: 6, fenced: true, shutting_down: false }),
            (3, BrokerStanding { epoch: 7, fenced: false, shutting_down: true }),
        ]));
        assert!(brokers.may_join_isr(1, Some(5)));
        assert!(!brokers.may_join_isr(1, Some(4)));
        assert!(!brokers.may_join_isr(1, None));
        assert!(!brokers.may_join_isr(2, Some(6)));
        assert!(!brokers.may_join_isr(3, Some(7)));
        assert!(!brokers.may_join_isr(4, Some(7)));
    }

    #[test]
    fn an_expansion_counts_before_it_is_committed_and_a_shrink_only_after() {
        let mut isr = Isr::committed(vec![1, 2]);
        isr.propose_expansion(1, 3);
        assert!(isr.maximal_contains(3) && !isr.members().contains(&3));
        assert_eq!(isr.maximal_len(), 3);
        isr.withdraw();
        isr.propose_shrink(2, &[2]);
        assert!(isr.maximal_contains(2));
        assert_eq!(isr.proposal().unwrap().isr, [1]);
    }
}
