//! A group as its coordinator told it, with how far it has come; made into the group of a snapshot.
//!
//! Groups of consumers commit offsets. Share groups do not: how far they have come in a partition, the share coordinators tell, which may be
//! other brokers.

use std::collections::BTreeMap;
use std::sync::Arc;

use broker::metadata::image::Image;
use broker::metadata::report::{GroupReport, MemberReport, ShareProgress};
use broker::types::{NodeId, Now, TopicIdPartition, TopicPartition};

use super::snapshot::{AssignedPartition, Group, GroupOffset, Member, SharedOffset};
use super::topics::Topics;
use super::unread::Unread;

/// Where a share group is in a partition: the first offset that it is not done with, and how many beyond it are done with.
pub(super) type Progress = (TopicPartition, i64, i64);

/// See the module.
#[derive(Debug)]
pub(super) struct GroupSeen {
    pub(super) coordinator: NodeId,
    pub(super) report: GroupReport,
    pub(super) unread: Unread,
    pub(super) built: Option<Arc<Group>>,
    progress: Vec<Progress>,
}

impl GroupSeen {
    /// After a report of it; what was found out before stays known.
    pub(super) fn after(before: Option<GroupSeen>, coordinator: NodeId, report: &GroupReport) -> GroupSeen {
        let (unread, progress) = before.map(|before| (before.unread, before.progress)).unwrap_or_default();
        let mut seen = GroupSeen { coordinator, report: report.clone(), unread, built: None, progress };
        seen.forget_unread();
        seen
    }

    fn is_shared(&self) -> bool {
        self.report.group_type == "share"
    }

    /// Offsets from which records are not read yet, by partition.
    pub(super) fn positions(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        let progress = if self.is_shared() { self.progress.as_slice() } else { &[] };
        let committed = self.report.offsets.iter().map(|(name, offset)| (name, *offset));
        committed.chain(progress.iter().map(|(name, start_offset, _)| (name, *start_offset)))
    }

    /// Share coordinators told anew. True: of a partition that was not known before.
    pub(super) fn set_progress(&mut self, progress: Vec<Progress>) -> bool {
        let is_more = progress.len() > self.progress.len();
        self.progress = progress;
        self.forget_unread();
        is_more && self.is_shared()
    }

    fn forget_unread(&mut self) {
        let names: Vec<TopicPartition> = self.positions().map(|(name, _)| name.clone()).collect();
        self.unread.keep(&names);
    }

    /// The group of a snapshot.
    pub(super) fn build(&self, topics: &Topics, now: Now) -> Group {
        let report = &self.report;
        let offsets: Vec<GroupOffset> =
            report.offsets.iter().map(|(name, offset)| self.offset(topics, now, name, *offset)).collect();
        let shared = if self.is_shared() { self.progress.as_slice() } else { &[] };
        Group {
            id: report.group_id.clone(),
            kind: report.group_type,
            state: report.state.unwrap_or("Dead"),
            generation: report.generation,
            protocol: report.protocol.clone(),
            coordinator: self.coordinator,
            members: report.members.iter().map(member).collect(),
            total_lag: offsets.iter().map(|offset| offset.lag).sum(),
            offsets,
            shared: shared.iter().map(|progress| self.shared(topics, now, progress)).collect(),
        }
    }

    fn offset(&self, topics: &Topics, now: Now, name: &TopicPartition, committed_offset: i64) -> GroupOffset {
        let known = topics.partition(&name.topic, name.partition);
        // Kafka lets any number be committed; no record lies below offset 0.
        let lag = known.map_or(0, |known| (known.high_watermark - committed_offset.max(0)).max(0));
        let lag_ms = self.lag_ms(topics, now, name, committed_offset);
        GroupOffset { topic: name.topic.clone(), partition: name.partition, committed_offset, lag, lag_ms }
    }

    fn shared(&self, topics: &Topics, now: Now, (name, start_offset, beyond): &Progress) -> SharedOffset {
        let all = self.offset(topics, now, name, *start_offset);
        let lag = (all.lag - beyond).max(0);
        SharedOffset {
            topic: all.topic,
            partition: all.partition,
            start_offset: *start_offset,
            lag,
            lag_ms: if lag == 0 { Some(0) } else { all.lag_ms },
        }
    }

    fn lag_ms(&self, topics: &Topics, now: Now, name: &TopicPartition, offset: i64) -> Option<i64> {
        let (known, topic_id) = topics.partition(&name.topic, name.partition).zip(topics.topic_id(&name.topic))?;
        self.unread.age_ms(name, offset, known, topic_id, now.wall_ms)
    }
}

fn member(member: &MemberReport) -> Member {
    let assignment = member.assignment.iter();
    let assigned = assignment.map(|held| AssignedPartition { topic: held.topic.clone(), partition: held.partition });
    Member {
        id: member.member_id.clone(),
        client_id: member.client_id.clone(),
        host: member.client_host.clone(),
        assignment: assigned.collect(),
        instance_id: member.instance_id.clone(),
        rack_id: member.rack_id.clone(),
        topics: member.topics.clone(),
    }
}

/// What share coordinators told, by group; where two tell of the same partition, the later one counts. Topics that are gone are left out.
pub(super) fn by_group<'t>(
    told: impl Iterator<Item = &'t [ShareProgress]>,
    image: &Image,
) -> BTreeMap<Arc<str>, Vec<Progress>> {
    let all = told.flatten().map(|one| ((one.group_id.clone(), one.id), one));
    let newest: BTreeMap<(Arc<str>, TopicIdPartition), &ShareProgress> = all.collect();
    let mut groups = BTreeMap::<Arc<str>, Vec<Progress>>::new();
    for ((group, id), one) in newest {
        let Some(topic) = image.topics.get(&id.topic_id) else { continue };
        let name = TopicPartition { topic: topic.name.clone(), partition: id.partition };
        let beyond = i64::from(one.delivery_complete_count.max(0));
        groups.entry(group).or_default().push((name, one.start_offset, beyond));
    }
    groups.values_mut().for_each(|progress| progress.sort());
    groups
}
