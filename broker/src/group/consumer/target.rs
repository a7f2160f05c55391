//! What all members should have, worked out anew.
//!
//! Source: `GroupMetadataManager.maybeUpdateTargetAssignment`, `TargetAssignmentBuilder`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assign::{Assignor, GroupSpec, MemberSpec};
use super::group::{ConsumerGroup, Subscribed};
use super::member::{Assignment, Member};
use super::records::ConsumerRecord;
use crate::group::topics::Topics;
use crate::types::Id;

/// What a member should have, and since which epoch.
pub struct Target {
    /// Epoch of the target assignment.
    pub epoch: i32,
    /// Its part of it.
    pub assignment: Arc<Assignment>,
}

/// The group as it will be, of which not all is replayed yet.
pub struct Upcoming<'a> {
    /// As it is.
    pub group: &'a ConsumerGroup,
    /// The member that asks, as it will be.
    pub member: &'a Member,
    /// Its regular expressions' counts, its topics, and how many it has then.
    pub subscribed: &'a Subscribed,
}

impl Upcoming<'_> {
    /// The static member whose place the member takes.
    pub fn replaced(&self) -> Option<&Arc<str>> {
        let id = self.group.static_member_id(self.member.instance_id()?)?;
        Some(id).filter(|id| **id != self.member.id)
    }

    /// Members as they will be.
    pub fn members(&self) -> BTreeMap<Arc<str>, Member> {
        let mut members: BTreeMap<Arc<str>, Member> =
            self.group.members().map(|member| (member.id.clone(), (**member).clone())).collect();
        if let Some(replaced) = self.replaced() {
            members.remove(replaced);
        }
        members.insert(self.member.id.clone(), self.member.clone());
        members
    }

    /// Works the target out, and writes down what is other than before.
    pub fn assign(
        &self,
        assignor: Assignor,
        epoch: i32,
        now_ms: i64,
        topics: &Topics,
        records: &mut Vec<ConsumerRecord>,
    ) -> Target {
        let members = self.members();
        let mut spec = GroupSpec { is_homogeneous: self.is_homogeneous(&members), ..GroupSpec::default() };
        // Members with the same subscription share one set of ids.
        let mut known: BTreeMap<BTreeSet<Arc<str>>, Arc<BTreeSet<Id>>> = BTreeMap::new();
        for (id, member) in &members {
            let names = self.group.topics_of(member);
            let ids = known.entry(names).or_insert_with_key(|names| Arc::new(ids_of(names, topics))).clone();
            for topic in ids.iter() {
                spec.topics.entry(*topic).or_insert_with(|| topics.partitions(*topic));
            }
            let target = match self.replaced() {
                Some(replaced) if *id == self.member.id => self.group.target_of(replaced),
                _ => self.group.target_of(id),
            };
            let target = target.cloned().unwrap_or_default();
            let instance_id = member.metadata.instance_id.clone();
            spec.members.insert(id.clone(), MemberSpec { instance_id, topics: ids, target });
        }
        let mut targets = assignor.assign(&spec);
        let mut own = Arc::new(Assignment::new());
        for id in members.into_keys() {
            let target = Arc::new(targets.remove(&id).unwrap_or_default());
            if id == self.member.id {
                own = target.clone();
            }
            if self.group.target_of(&id) != Some(&target) {
                records.push(ConsumerRecord::TargetMember(id, Some(target)));
            }
        }
        records.push(ConsumerRecord::TargetEpoch(Some((epoch, now_ms))));
        Target { epoch, assignment: own }
    }

    /// Whether all read the same topics. Kafka 4.3 goes by the members before this one unless the topics are looked at anew, and so may leave
    /// partitions to nobody when one comes that reads nothing yet; we do not follow it in that.
    fn is_homogeneous(&self, members: &BTreeMap<Arc<str>, Member>) -> bool {
        let count = members.len();
        let mut regexes: BTreeMap<&str, usize> = BTreeMap::new();
        for regex in members.values().filter_map(Member::regex) {
            *regexes.entry(regex).or_default() += 1;
        }
        match regexes.values().next() {
            None => self.subscribed.values().all(|subscribers| subscribers.by_name == count),
            Some(first) if *first == count => {
                self.subscribed.values().all(|subscribers| subscribers.by_regex == 1 && subscribers.by_name == 0)
            }
            Some(_) => false,
        }
    }
}

/// Ids of those topics that exist.
pub fn ids_of(names: &BTreeSet<Arc<str>>, topics: &Topics) -> BTreeSet<Id> {
    names.iter().filter_map(|name| topics.get(name)).map(|facts| facts.id).collect()
}
