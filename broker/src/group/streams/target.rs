//! What all members should have, worked out anew.
//!
//! Source: `GroupMetadataManager.maybeUpdateStreamsTargetAssignment`, `TargetAssignmentBuilder`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assign::{GroupSpec, MemberSpec, assign};
use super::configure::Configured;
use super::group::StreamsGroup;
use super::member::Member;
use super::records::StreamsRecord;
use super::tasks::TaskSet;

/// The setting of the assignor that groups have.
pub const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

/// What a member should have, and since which epoch.
pub struct Target {
    /// Epoch of the target assignment.
    pub epoch: i32,
    /// Its part of it.
    pub tasks: Arc<TaskSet>,
}

/// Works the target out for `epoch`, and writes down what is other than before. `member` is the one that asks, as it will be. Of a topology
/// that cannot be run nobody gets anything.
pub fn work_out(
    group: &StreamsGroup,
    member: Option<&Member>,
    configured: &Configured,
    configs: &BTreeMap<String, String>,
    (epoch, now_ms): (i32, i64),
    records: &mut Vec<StreamsRecord>,
) -> Target {
    let mut spec = GroupSpec {
        standby_replicas: configs.get(NUM_STANDBY_REPLICAS).and_then(|text| text.parse().ok()).unwrap_or(0),
        ..GroupSpec::default()
    };
    for (id, part) in configured.ready().into_iter().flatten() {
        spec.parts.insert(id.clone(), (part.tasks, part.is_stateful()));
    }
    for member in group.members().map(|member| &**member).chain(member) {
        let target = group.target_of(&member.id).cloned().unwrap_or_default();
        spec.members.insert(member.id.clone(), MemberSpec { process_id: member.metadata.process_id.clone(), target });
    }
    let mut own = Arc::new(TaskSet::default());
    for (id, target) in assign(&spec) {
        let target = Arc::new(target);
        if member.is_some_and(|member| member.id == id) {
            own = target.clone();
        }
        if group.target_of(&id) != Some(&target) {
            records.push(StreamsRecord::TargetMember(id, Some(target)));
        }
    }
    records.push(StreamsRecord::TargetEpoch(Some((epoch, now_ms))));
    Target { epoch, tasks: own }
}
