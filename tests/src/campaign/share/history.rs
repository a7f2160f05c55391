//! What members of share groups were given and what they said of it. Plain data, but for [`watch_spent`].

use std::collections::BTreeSet;
use std::time::Duration;

use broker::types::NodeId;

use crate::campaign::history::Value;
use crate::campaign::plan::{ShareGroupPlan, SharePlan};
use crate::campaign::world::World;

/// A share group, and what holds for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareGroup {
    /// `share.auto.offset.reset=earliest`: everything is its.
    pub from_start: bool,
    /// `share.isolation.level=read_committed`
    pub committed: bool,
    /// `share.record.lock.duration.ms`
    pub lock: Duration,
    /// `share.delivery.count.limit`
    pub delivery_limit: i16,
}

/// The groups of a plan.
pub(in crate::campaign) fn groups(plan: &SharePlan) -> Vec<ShareGroup> {
    let group = |group: &ShareGroupPlan| ShareGroup {
        from_start: group.from_start,
        committed: group.committed,
        lock: Duration::from_millis(plan.lock_ms),
        delivery_limit: plan.delivery_limit,
    };
    plan.groups.iter().map(group).collect()
}

/// A record that was given to a member, as the answer left its leader: whether it arrived is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Group.
    pub group: u32,
    /// One life of a client.
    pub member: u32,
    /// Place of its session in [`ShareHistory::sessions`].
    pub session: usize,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
    /// `None`: there is no record at this offset, but a marker.
    pub value: Option<Value>,
    /// Deliveries as told, this one included.
    pub count: i16,
    /// When the request was sent that it answers.
    pub asked: Duration,
    /// When the answer left. It was acquired some time between.
    pub left: Duration,
    /// Leader epoch that the leader believed in when it was asked, and when the answer left.
    pub reign: (i32, i32),
}

impl Delivery {
    /// The leader's reign, where it cannot have been another.
    pub(super) fn exact_reign(&self) -> Option<i32> {
        (self.reign.0 == self.reign.1).then_some(self.reign.0)
    }
}

/// What a member says of a record. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is no record.
    Gap = 0,
    /// It is done with.
    Accept = 1,
    /// Somebody else may have it.
    Release = 2,
    /// Nobody shall have it any more.
    Reject = 3,
    /// Its lock is to last longer.
    Renew = 4,
}

impl Verdict {
    /// It must not be delivered again.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Verdict::Gap | Verdict::Accept | Verdict::Reject)
    }
}

/// What a member knows of its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stands.
    Kept,
    /// Nobody knows.
    Unknown,
    /// It was refused, and nothing came of it.
    Refused,
}

/// A member said what became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Place in [`ShareHistory::deliveries`].
    pub delivery: usize,
    /// What it said.
    pub verdict: Verdict,
    /// The request: its acknowledgements of one partition are taken all or none.
    pub request: u64,
    /// When it was sent.
    pub sent: Duration,
    /// When the answer left, and what it was.
    pub answered: Option<Duration>,
    /// Leader epoch that the leader believed in then.
    pub reign: i32,
    /// What the member knows in the end.
    pub fate: Fate,
}

/// How far a group has come, as whoever coordinates it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartRead {
    /// Group.
    pub group: u32,
    /// Partition.
    pub partition: u32,
    /// Start offset; -1: none yet.
    pub start_offset: i64,
    /// -1: not known.
    pub lag: i64,
    /// When it was asked.
    pub asked: Duration,
    /// When the answer left.
    pub left: Duration,
}

/// A recorded history of share groups.
#[derive(Clone, Debug, Default)]
pub struct ShareHistory {
    /// Groups.
    pub groups: Vec<ShareGroup>,
    /// In the order in which they left the leaders.
    pub deliveries: Vec<Delivery>,
    /// In the order in which they were sent.
    pub acks: Vec<Ack>,
    /// Sessions: from when on each may have ended, so that its locks may be gone.
    pub sessions: Vec<Option<Duration>>,
    /// In the order in which they were told.
    pub starts: Vec<StartRead>,
    /// Records that were delivered as often as they may be, by group, partition and offset: some deliveries nobody sees.
    pub spent: BTreeSet<(u32, u32, i64)>,
    /// Requests of members to leaders.
    pub requests: u64,
    /// Lives of members.
    pub members: u32,
}

impl ShareHistory {
    /// Deliveries, and acknowledgements that were kept.
    pub(in crate::campaign) fn counts(&self) -> (u64, u64) {
        let kept = self.acks.iter().filter(|ack| ack.fate == Fate::Kept);
        (self.deliveries.len() as u64, kept.count() as u64)
    }

    /// A session may end from now on.
    pub(super) fn session_over(&mut self, session: usize, now: Duration) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.get_or_insert(now);
        }
    }
}

/// Name of a group.
pub(super) fn group_name(group: u32) -> String {
    format!("share-{group}")
}

/// After a broker's step: what it has delivered for the last time.
pub fn watch_spent(world: &mut World, node: NodeId) {
    let Some(broker) = world.broker(node) else { return };
    let mut spent = Vec::new();
    for (group, limits) in (0..).zip(&world.history.share.groups) {
        let name = group_name(group);
        for partition in 0..world.plan.partitions {
            let Some(id) = world.watch.id(partition) else { continue };
            broker.shares.with_states(&name, id, |first, last, _, count| {
                if count >= i32::from(limits.delivery_limit) {
                    spent.extend((first..=last).map(|offset| (group, partition, offset)));
                }
            });
        }
    }
    world.history.share.spent.extend(spent);
}
