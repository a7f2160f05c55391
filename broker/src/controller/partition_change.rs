//! One partition's next state: its ISR, its ELR (KIP-966) and its leader.
//!
//! Source: `org.apache.kafka.controller.PartitionChangeBuilder`.

use crate::metadata::image::PartitionImage;
use crate::metadata::record::{DIRECTORY_UNASSIGNED, NO_LEADER_CHANGE, NO_RECOVERY_CHANGE, PartitionChangeRecord};
use crate::planted::Bug;
use crate::types::{Id, NO_NODE, NodeId};

/// Who may be elected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Election {
    /// The preferred replica if it may lead; the present leader stays otherwise.
    Preferred,
    /// Whoever keeps the partition online without loss; the present leader stays if it may.
    Online,
    /// As `Online`; where nobody is left, anybody who is alive.
    Unclean,
}

/// A change to be worked out.
pub struct PartitionChange<'a> {
    /// Topic.
    pub topic_id: Id,
    /// Index.
    pub partition_id: i32,
    /// As it is.
    pub partition: &'a PartitionImage,
    /// Whether a replica may lead: it is registered, unfenced, not shutting down, and its directory is online.
    pub acceptable: &'a dyn Fn(NodeId) -> bool,
    /// `min.insync.replicas`; more than there are replicas counts as all of them.
    pub min_isr: usize,
    /// `eligible.leader.replicas.version` is 1.
    pub elr_enabled: bool,
    /// Who may be elected.
    pub election: Election,
    /// The ISR that it should have, before any election.
    pub target_isr: Vec<NodeId>,
    /// A replica that lost what it had not synced: it leaves the ELR.
    pub unclean_shutdown: Option<NodeId>,
    /// Whether the leader still recovers, if that is to change.
    pub target_recovering: Option<bool>,
    /// The replicas that it should have, those on their way out included.
    pub target_replicas: Vec<NodeId>,
    /// Replicas on their way in.
    pub target_adding: Vec<NodeId>,
    /// Replicas on their way out.
    pub target_removing: Vec<NodeId>,
    /// Directories of replicas that get another one; a replica that is new and not named here chooses its own.
    pub directories: Vec<(NodeId, Id)>,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// To be appended.
    pub record: PartitionChangeRecord,
    /// The new leader is not known to have everything that was acknowledged.
    pub unclean: bool,
}

impl PartitionChange<'_> {
    /// The record that brings the change about; `None` if nothing changes.
    pub fn build(mut self) -> Option<Changed> {
        self.complete_reassignment();
        let before = self.partition;
        let mut record = PartitionChangeRecord {
            topic_id: self.topic_id,
            partition_id: self.partition_id,
            ..PartitionChangeRecord::default()
        };
        let mut isr = self.target_isr.clone();
        let mut elr = self.target_elr();
        let (leader, unclean) = self.elect(&isr, &elr);
        let mut forced_isr = false;
        if leader != before.leader {
            record.leader = leader;
            if elr.contains(&leader) {
                isr = vec![leader];
                elr.retain(|replica| *replica != leader);
            }
            if unclean {
                isr = vec![leader];
                forced_isr = true;
                if !before.recovering {
                    record.leader_recovery_state = 1;
                }
            }
        }
        // The last eligible replica may be all that a reassignment asks for. (After an unclean election the new leader recovers first.)
        if !unclean {
            self.target_isr = isr;
            self.complete_reassignment();
            isr = self.target_isr.clone();
            elr.retain(|replica| self.target_replicas.contains(replica));
        }
        // A replica that is taken away keeps following in its old epoch unless a new one begins.
        if record.leader == NO_LEADER_CHANGE && !before.replicas.iter().all(|id| self.target_replicas.contains(id)) {
            record.leader = before.leader;
        }
        if forced_isr || !self.elr_enabled {
            elr.clear();
        }
        if elr != before.elr {
            record.eligible_leader_replicas = Some(elr);
        }
        // Without ELR, the last ISR is kept as the memory of who may lead again.
        if forced_isr || (isr != before.isr && (!isr.is_empty() || self.elr_enabled)) {
            record.isr = Some(isr);
        }
        self.remember_last_leader(&mut record);
        self.assign_replicas(&mut record);
        if let Some(recovering) = self.target_recovering.filter(|recovering| *recovering != before.recovering) {
            record.leader_recovery_state = i8::from(recovering);
        }
        (!is_empty(&record)).then_some(Changed { record, unclean: unclean && leader != before.leader })
    }

    /// A reassignment is done when every replica that stays is in sync: those on their way out leave replicas and ISR.
    ///
    /// Source: `PartitionReassignmentReplicas.maybeCompleteReassignment`.
    fn complete_reassignment(&mut self) {
        if self.target_adding.is_empty() && self.target_removing.is_empty() {
            return;
        }
        let stays = |id: &NodeId| !self.target_removing.contains(id);
        let replicas: Vec<NodeId> = self.target_replicas.iter().copied().filter(stays).collect();
        let isr: Vec<NodeId> = self.target_isr.iter().copied().filter(stays).collect();
        if replicas.is_empty() || !replicas.iter().all(|id| isr.contains(id)) {
            return;
        }
        self.target_replicas = replicas;
        self.target_isr = isr;
        self.target_adding.clear();
        self.target_removing.clear();
    }

    /// What changes in the assignment.
    fn assign_replicas(&self, record: &mut PartitionChangeRecord) {
        fn changed<T: Clone + PartialEq>(before: &[T], after: &[T]) -> Option<Vec<T>> {
            (before != after).then(|| after.to_vec())
        }
        let before = self.partition;
        record.replicas = changed(&before.replicas, &self.target_replicas);
        record.adding_replicas = changed(&before.adding, &self.target_adding);
        record.removing_replicas = changed(&before.removing, &self.target_removing);
        let directories: Vec<Id> = self.target_replicas.iter().map(|id| self.directory(*id)).collect();
        record.directories = changed(&before.directories, &directories);
        // Of those who are no replicas any more, nothing is remembered.
        let remembered = record.last_known_elr.as_ref().unwrap_or(&before.last_known_elr);
        if remembered.iter().any(|id| !self.target_replicas.contains(id)) {
            let left = remembered.iter().copied().filter(|id| self.target_replicas.contains(id)).collect();
            record.last_known_elr = Some(left);
        }
    }

    fn directory(&self, id: NodeId) -> Id {
        if let Some((_, new)) = self.directories.iter().find(|(of, _)| *of == id) {
            return *new;
        }
        let index = self.partition.replicas.iter().position(|replica| *replica == id);
        index.and_then(|index| self.partition.directories.get(index)).copied().unwrap_or(DIRECTORY_UNASSIGNED)
    }

    /// Members of the ISR stay eligible when they leave it while it is below its minimum: nothing can have been acknowledged without them.
    fn target_elr(&self) -> Vec<NodeId> {
        if !self.elr_enabled || self.target_isr.len() >= self.min_isr.min(self.target_replicas.len()) {
            return Vec::new();
        }
        let mut elr: Vec<NodeId> = self.partition.elr.iter().chain(&self.partition.isr).copied().collect();
        elr.retain(|replica| !self.target_isr.contains(replica) && Some(*replica) != self.unclean_shutdown);
        elr.retain(|replica| self.target_replicas.contains(replica));
        elr.sort_unstable();
        elr.dedup();
        elr
    }

    /// Who leads, and whether that may lose something.
    fn elect(&self, isr: &[NodeId], elr: &[NodeId]) -> (NodeId, bool) {
        let valid = |replica: NodeId| {
            let eligible = isr.contains(&replica) || (isr.is_empty() && elr.contains(&replica));
            eligible && (self.acceptable)(replica)
        };
        let replicas = &self.target_replicas;
        if self.election == Election::Preferred
            && let Some(preferred) = replicas.first().filter(|replica| valid(**replica))
        {
            return (*preferred, false);
        }
        if valid(self.partition.leader) {
            return (self.partition.leader, false);
        }
        if let Some(leader) = replicas.iter().find(|replica| valid(**replica)) {
            return (*leader, false);
        }
        if let Some(leader) = self.last_known_leader(isr, elr) {
            return (leader, true);
        }
        if (self.election == Election::Unclean || Bug::UncleanLeader.is_planted())
            && let Some(leader) = replicas.iter().find(|replica| (self.acceptable)(**replica))
        {
            return (*leader, true);
        }
        (NO_NODE, false)
    }

    /// When ISR and ELR are exhausted, the last leader is the best that is left: it had all that was acknowledged, if only in its page cache.
    fn last_known_leader(&self, isr: &[NodeId], elr: &[NodeId]) -> Option<NodeId> {
        if !self.elr_enabled || !isr.is_empty() || !elr.is_empty() {
            return None;
        }
        match self.partition.last_known_elr[..] {
            [leader] if self.target_replicas.contains(&leader) && (self.acceptable)(leader) => Some(leader),
            _ => None,
        }
    }

    /// The field for the last known ELR holds the last leader, from when nobody leads until somebody does again.
    fn remember_last_leader(&self, record: &mut PartitionChangeRecord) {
        let before = self.partition;
        if !self.elr_enabled {
            if !before.last_known_elr.is_empty() {
                record.last_known_elr = Some(Vec::new());
            }
        } else if record.leader == NO_NODE && before.last_known_elr.is_empty() {
            record.last_known_elr = Some(vec![before.leader]);
        } else if record.leader >= 0 && !before.last_known_elr.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
    }
}

fn is_empty(record: &PartitionChangeRecord) -> bool {
    let nothing = PartitionChangeRecord {
        topic_id: record.topic_id,
        partition_id: record.partition_id,
        isr: None,
        leader: NO_LEADER_CHANGE,
        leader_recovery_state: NO_RECOVERY_CHANGE,
        ..PartitionChangeRecord::default()
    };
    *record == nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        partition: PartitionImage,
        alive: &'static [NodeId],
        min_isr: usize,
        elr_enabled: bool,
        election: Election,
        target_isr: Vec<NodeId>,
        unclean_shutdown: Option<NodeId>,
    }

    fn case(leader: NodeId, isr: &[NodeId]) -> Case {
        Case {
            partition: PartitionImage {
                leader,
                isr: isr.to_vec(),
                replicas: vec![1, 2, 3],
                directories: vec![Id::ZERO; 3],
                ..PartitionImage::default()
            },
            alive: &[1, 2, 3],
            min_isr: 2,
            elr_enabled: true,
            election: Election::Online,
            target_isr: isr.to_vec(),
            unclean_shutdown: None,
        }
    }

    impl Case {
        fn build(&self) -> Option<Changed> {
            PartitionChange {
                topic_id: Id::ZERO,
                partition_id: 0,
                partition: &self.partition,
                acceptable: &|replica| self.alive.contains(&replica),
                min_isr: self.min_isr,
                elr_enabled: self.elr_enabled,
                election: self.election,
                target_isr: self.target_isr.clone(),
                unclean_shutdown: self.unclean_shutdown,
                target_recovering: None,
                target_replicas: self.partition.replicas.clone(),
                target_adding: self.partition.adding.clone(),
                target_removing: self.partition.removing.clone(),
                directories: Vec::new(),
            }
            .build()
        }

        fn after(&self) -> (PartitionImage, bool) {
            let changed = self.build().unwrap();
            (self.partition.after(&changed.record), changed.unclean)
        }
    }

    #[test]
    fn nothing_changes_without_need() {
        assert_eq!(case(1, &[1, 2, 3]).build(), None);
    }

    #[test]
    fn a_lost_leader_is_followed_by_the_first_of_the_isr_in_replica_order() {
        let (after, unclean) = Case { alive: &[2, 3], target_isr: vec![3, 2], ..case(1, &[3, 2, 1]) }.after();
        assert_eq!((after.leader, after.leader_epoch, after.isr, unclean), (2, 1, vec![3, 2], false));
        assert!(after.elr.is_empty(), "the ISR is not below its minimum");
    }

    #[test]
    fn a_lost_follower_leaves_the_leader_epoch_alone() {
        let (after, _) = Case { alive: &[1, 3], target_isr: vec![1, 3], ..case(1, &[1, 2, 3]) }.after();
        assert_eq!((after.leader, after.leader_epoch, after.partition_epoch), (1, 0, 1));
    }

    #[test]
    fn below_the_minimum_the_isr_feeds_the_elr() {
        let (after, _) = Case { alive: &[1], target_isr: vec![1], ..case(1, &[1, 2]) }.after();
        assert_eq!((after.isr, after.elr, after.leader), (vec![1], vec![2], 1));
    }

    #[test]
    fn the_last_of_the_isr_leaves_an_elr_and_its_name() {
        let mut case = Case { alive: &[], target_isr: vec![], ..case(1, &[1]) };
        case.partition.elr = vec![2];
        let (after, _) = case.after();
        assert_eq!((after.leader, after.isr, after.elr, after.last_known_elr), (-1, vec![], vec![1, 2], vec![1]));
    }

    #[test]
    fn the_last_leader_is_remembered_from_when_nobody_leads() {
        let (after, _) = Case { alive: &[], target_isr: vec![2], ..case(1, &[1, 2]) }.after();
        assert_eq!((after.leader, after.isr.clone(), after.last_known_elr.clone()), (-1, vec![2], vec![1]));
        let (after, _) = Case { alive: &[], target_isr: vec![], partition: after, ..case(-1, &[]) }.after();
        assert_eq!((after.isr, after.last_known_elr), (vec![], vec![1]));
    }

    #[test]
    fn without_elr_the_last_isr_is_kept() {
        let (after, _) = Case { alive: &[], target_isr: vec![], elr_enabled: false, ..case(1, &[1]) }.after();
        assert_eq!((after.leader, after.isr, after.elr, after.last_known_elr), (-1, vec![1], vec![], vec![]));
    }

    #[test]
    fn an_elr_member_is_elected_cleanly() {
        let mut case = Case { alive: &[2], ..case(-1, &[]) };
        case.partition.elr = vec![1, 2];
        case.partition.last_known_elr = vec![1];
        let (after, unclean) = case.after();
        assert_eq!((after.leader, after.isr, after.elr, unclean), (2, vec![2], vec![1], false));
        assert!(after.last_known_elr.is_empty() && !after.recovering);
    }

    #[test]
    fn an_unclean_shutdown_leaves_isr_and_elr() {
        let mut case = Case { alive: &[], target_isr: vec![], unclean_shutdown: Some(1), ..case(-1, &[]) };
        case.partition.elr = vec![1, 2];
        case.partition.last_known_elr = vec![1];
        let (after, _) = case.after();
        assert_eq!((after.leader, after.elr, after.last_known_elr), (-1, vec![2], vec![1]));
    }

    #[test]
    fn the_last_leader_comes_back_when_nobody_is_eligible() {
        let mut case = Case { alive: &[3, 1], ..case(-1, &[]) };
        case.partition.last_known_elr = vec![1];
        let (after, unclean) = case.after();
        assert_eq!((after.leader, after.isr, after.recovering, unclean), (1, vec![1], true, true));
        assert!(after.last_known_elr.is_empty());
        assert_eq!(Case { alive: &[3], ..case }.build(), None, "not while it is away");
    }

    #[test]
    fn unclean_only_where_it_is_allowed() {
        let lost = || Case { alive: &[3], elr_enabled: false, ..case(-1, &[1, 2]) };
        assert_eq!(lost().build(), None);
        let (after, unclean) = Case { election: Election::Unclean, ..lost() }.after();
        assert_eq!((after.leader, after.isr, after.recovering, unclean), (3, vec![3], true, true));
    }

    #[test]
    fn preferred_only_from_the_isr() {
        let preferred = |isr: &[NodeId]| Case { election: Election::Preferred, ..case(2, isr) };
        assert_eq!(preferred(&[1, 2, 3]).after().0.leader, 1);
        assert_eq!(preferred(&[2, 3]).build(), None);
    }

    #[test]
    fn a_full_isr_clears_the_elr() {
        let mut case = Case { target_isr: vec![1, 2], ..case(1, &[1]) };
        case.partition.elr = vec![3];
        let (after, _) = case.after();
        assert_eq!((after.isr, after.elr), (vec![1, 2], vec![]));
    }
}
