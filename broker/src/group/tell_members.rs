//! Tells the window who comes into a group and who goes, and why.

use super::api::Output;
use super::classic;
use super::consumer;
use super::coordinator::Shared;
use super::share;
use super::streams;
use super::timer::TimerKey;
use crate::metadata::report::{Event, MemberChange, MemberIdentity};

/// Groups of which members' changes are remembered until their state is told. Those of more are told one by one only.
const CHANGED_GROUPS_MAX: usize = 1_000;

/// Members remembered of each.
const CHANGED_MEMBERS_MAX: usize = 100;

impl Shared {
    /// Something became of a member.
    pub(super) fn tell_member(&mut self, group: &str, member: impl Into<MemberIdentity>, change: MemberChange) {
        let (group_id, member): (String, MemberIdentity) = (group.to_owned(), member.into());
        let room = self.changed_members.len() < CHANGED_GROUPS_MAX || self.changed_members.contains_key(group);
        if room {
            let changed = self.changed_members.entry(group.into()).or_default();
            if changed.len() < CHANGED_MEMBERS_MAX && !changed.contains(&member.member_id) {
                changed.push(member.member_id.clone());
            }
        }
        self.outputs.push(Output::Event(Event::GroupMember { group_id, member, change }));
    }

    /// A group came into another state: for what became of its members since the last time.
    pub(super) fn tell_state(&mut self, group: &str, generation: i32, state: &'static str, reason: String) {
        let members = self.changed_members.remove(group).unwrap_or_default();
        let group_id = group.to_owned();
        self.outputs.push(Output::Event(Event::GroupRebalance { group_id, generation, state, reason, members }));
    }
}

/// What a deadline that is over means for its member.
pub(super) fn missed(key: &TimerKey) -> MemberChange {
    match key {
        TimerKey::Revoke { .. } => MemberChange::NotRevoked,
        TimerKey::Rejoin { .. } => MemberChange::NotRejoined,
        TimerKey::Resync { .. } => MemberChange::NotSynced,
        _ => MemberChange::SessionExpired,
    }
}

fn identity(member_id: &str, client_id: &str, host: &str, instance_id: Option<&str>) -> MemberIdentity {
    MemberIdentity {
        member_id: member_id.to_owned(),
        client_id: client_id.to_owned(),
        // Java prints addresses with a slash before them.
        client_host: host.trim_start_matches('/').to_owned(),
        instance_id: instance_id.map(str::to_owned),
    }
}

impl From<&classic::Member> for MemberIdentity {
    fn from(member: &classic::Member) -> MemberIdentity {
        identity(&member.id, &member.client_id, &member.client_host, member.instance_id.as_deref())
    }
}

impl From<&consumer::Member> for MemberIdentity {
    fn from(member: &consumer::Member) -> MemberIdentity {
        let said = &member.metadata;
        identity(&member.id, &said.client_id, &said.client_host, said.instance_id.as_deref())
    }
}

impl From<&share::Member> for MemberIdentity {
    fn from(member: &share::Member) -> MemberIdentity {
        identity(&member.id, &member.metadata.client_id, &member.metadata.client_host, None)
    }
}

impl From<&streams::Member> for MemberIdentity {
    fn from(member: &streams::Member) -> MemberIdentity {
        let said = &member.metadata;
        identity(&member.id, &said.client_id, &said.client_host, said.instance_id.as_deref())
    }
}
