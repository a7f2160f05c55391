//! Members that go, by their own word or by their time-out; and the first target of a group, which waits for more members.
//!
//! Source: `GroupMetadataManager.streamsGroupLeave`, `streamsGroupFenceMember`, `computeDelayedTargetAssignment`, and its timers.

use std::sync::Arc;

use super::answer::StreamsBeat;
use super::group::StreamsGroup;
use super::member::{Member, MemberState};
use super::records::{GroupMetadata, StreamsRecord};
use super::target::work_out;
use crate::group::api::{Refusal, ReplyTo, text};
use crate::group::coordinator::GroupCoordinator;
use crate::group::kind::Recorded;
use crate::group::pending::Deferred;
use crate::group::tell_members::missed;
use crate::group::timer::TimerKey;
use crate::group::work::{Change, Work};
use crate::logging::Level;
use crate::metadata::report::MemberChange;
use crate::protocol::messages::{StreamsGroupHeartbeatRequestData, StreamsGroupHeartbeatResponseData};
use crate::types::Now;

impl Work<'_> {
    /// A member leaves.
    pub fn leave_streams(&mut self, to: ReplyTo, request: &StreamsGroupHeartbeatRequestData) -> Result<(), Refusal> {
        let id = self.known_streams_group(request.group_id.as_str())?.id.clone();
        if request.shutdown_application
            && let Some(group) = self.shard.groups.get_mut(&id).and_then(StreamsGroup::of_mut)
        {
            group.soft.shutdown_by.get_or_insert_with(|| request.member_id.as_str().into());
        }
        let member = self.known_streams_group(&id)?.known_member(request.member_id.as_str())?.clone();
        let response = StreamsGroupHeartbeatResponseData::default()
            .with_member_id(text(&member.id))
            .with_member_epoch(request.member_epoch)
            .with_status(Some(Vec::new()));
        self.note(Level::Info, &id, || format!("Member {} left", member.id));
        self.shared.tell_member(&id, &*member, MemberChange::Left { reason: String::new() });
        let beat = Box::new(StreamsBeat { response, missing: Vec::new() });
        self.fence_from_streams(&id, &member, Some(Deferred::StreamsHeartbeat { to, beat }))
    }

    /// A member is thrown out.
    fn fence_from_streams(
        &mut self,
        id: &Arc<str>,
        member: &Arc<Member>,
        deferred: Option<Deferred>,
    ) -> Result<(), Refusal> {
        let group = self.known_streams_group(id)?;
        let metadata = GroupMetadata { epoch: group.epoch().saturating_add(1), ..group.metadata.clone() };
        let records = vec![
            StreamsRecord::Current(member.id.clone(), None),
            StreamsRecord::TargetMember(member.id.clone(), None),
            StreamsRecord::Member(member.id.clone(), None),
            StreamsRecord::Group(Some(Box::new(metadata))),
        ];
        self.commit(id, Change::<StreamsGroup>::of(records), deferred)?;
        self.cancel_timers(id, &member.id);
        Ok(())
    }

    /// The first target of a group, for all who have come by now.
    fn assign_first(&mut self, id: &Arc<str>) {
        let Some(group) = self.streams_group(id) else { return };
        // A group that nobody has asked after its first heartbeat gets its target with the second one.
        let Some(configured) = group.soft.configured.clone() else { return };
        if group.is_empty() || group.target_epoch >= group.epoch() || !self.may_assign_tasks(group) {
            return;
        }
        let mut records = Vec::new();
        let at = (group.epoch(), self.now.wall_ms);
        work_out(group, None, &configured, &group.metadata.assignment_configs, at, &mut records);
        // What cannot be written is worked out with the next heartbeat.
        let _ = self.commit(id, Change::<StreamsGroup>::of(records), None);
    }
}

impl GroupCoordinator {
    /// A deadline of a streams group's member is over. Does nothing where the group is of another kind, or the member gone.
    pub(in crate::group) fn fence_streams_member(&mut self, now: Now, key: &TimerKey) {
        let Some((id, member)) = key.member() else { return };
        let Ok((partition, shard, shared)) = self.shard_for(id) else { return };
        let mut work = Work { shared, shard, partition, now };
        let Some(group) = work.streams_group(id) else { return };
        let id = group.id.clone();
        let must_go = |member: &&Arc<Member>| {
            !matches!(key, TimerKey::Revoke { .. }) || member.current.state == MemberState::UnrevokedTasks
        };
        let found = group.member(member).filter(must_go).cloned();
        if let Some(member) = &found {
            work.note(Level::Info, &id, || {
                format!("Member {} is fenced in epoch {}: {}", member.id, member.current.epoch, key.fenced_because())
            });
            work.shared.tell_member(&id, &**member, missed(key));
        }
        if let Some(member) = found
            && work.fence_from_streams(&id, &member, None).is_err()
        {
            // It could not even be written down; it is tried again.
            work.restart_streams_session(&id, &member.id);
        }
    }

    /// `streams.initial.rebalance.delay.ms` is over.
    pub(in crate::group) fn assign_first_tasks(&mut self, now: Now, id: &Arc<str>) {
        let Ok((partition, shard, shared)) = self.shard_for(id) else { return };
        Work { shared, shard, partition, now }.assign_first(id);
    }
}
