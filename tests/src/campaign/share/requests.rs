//! The requests of a share group's member, as Kafka's client shapes them (`ShareSessionHandler`, `ShareHeartbeatRequestManager`).

use std::collections::BTreeMap;

use broker::protocol::Request;
use broker::protocol::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use broker::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use broker::protocol::messages::{
    DescribeShareGroupOffsetsRequestData, FindCoordinatorRequestData, IncrementalAlterConfigsRequestData, KafkaString,
    ShareAcknowledgeRequestData, ShareFetchRequestData, ShareGroupHeartbeatRequestData, share_acknowledge_request,
    share_fetch_request,
};
use broker::types::Id;

use super::history::{Verdict, group_name};
use crate::campaign::plan::{SharePlan, TOPIC};

/// `ConfigResource.Type.GROUP`
const GROUP_RESOURCE: i8 = 32;
const MAX_BYTES: i32 = 64 << 10;
/// A session begins, and ends.
pub(super) const INITIAL_EPOCH: i32 = 0;
pub(super) const FINAL_EPOCH: i32 = -1;

/// A request and its version.
pub(super) type Versioned = (Request, i16);

/// Of one partition: offsets in order, with what is said of each.
pub(super) type Verdicts = BTreeMap<u32, Vec<(i64, Verdict)>>;

/// Whose requests these are.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) group: u32,
    pub(super) member_id: String,
    /// It knows how to renew a lock.
    pub(super) renews: bool,
    /// `share.acquire.mode=record_limit`
    pub(super) record_limit: bool,
    pub(super) max_records: i32,
    pub(super) max_wait_ms: i32,
}

/// A run of neighbours: first and last offset, and their types.
struct Run {
    first_offset: i64,
    last_offset: i64,
    types: Vec<i8>,
}

/// As `Acknowledgements.getAcknowledgementBatches`: one type if all are of it.
fn runs(verdicts: &[(i64, Verdict)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (offset, verdict) in verdicts {
        match runs.last_mut().filter(|run| run.last_offset + 1 == *offset) {
            Some(run) => {
                run.last_offset = *offset;
                run.types.push(*verdict as i8);
            }
            None => runs.push(Run { first_offset: *offset, last_offset: *offset, types: vec![*verdict as i8] }),
        }
    }
    for run in &mut runs {
        if run.types.iter().all(|kind| *kind == run.types[0]) {
            run.types.truncate(1);
        }
    }
    runs
}

fn renews(verdicts: &Verdicts) -> bool {
    verdicts.values().flatten().any(|(_, verdict)| *verdict == Verdict::Renew)
}

impl Identity {
    fn version(&self) -> i16 {
        if self.renews { 2 } else { 1 }
    }

    fn group_id(&self) -> KafkaString {
        KafkaString::from(group_name(self.group))
    }

    fn member(&self) -> KafkaString {
        KafkaString::from(self.member_id.clone())
    }

    pub(super) fn find(&self) -> Versioned {
        (
            Request::FindCoordinator(
                FindCoordinatorRequestData::default().with_coordinator_keys(vec![self.group_id()]),
            ),
            4,
        )
    }

    /// `whole`: it says what it reads, as whoever joins must, and is told what it is assigned.
    pub(super) fn heartbeat(&self, member_epoch: i32, whole: bool) -> Versioned {
        let topics = whole.then(|| vec![KafkaString::from_static(TOPIC)]);
        let request = ShareGroupHeartbeatRequestData::default()
            .with_group_id(self.group_id())
            .with_member_id(self.member())
            .with_member_epoch(member_epoch)
            .with_subscribed_topic_names(topics);
        (Request::ShareGroupHeartbeat(request), 1)
    }

    pub(super) fn fetch(
        &self,
        topic_id: Id,
        epoch: i32,
        (added, forgotten): (&[u32], &[u32]),
        verdicts: &Verdicts,
    ) -> Versioned {
        let mut named: BTreeMap<u32, Vec<share_fetch_request::AcknowledgementBatch>> =
            added.iter().map(|partition| (*partition, Vec::new())).collect();
        for (partition, verdicts) in verdicts {
            let batch = |run: Run| {
                share_fetch_request::AcknowledgementBatch::default()
                    .with_first_offset(run.first_offset)
                    .with_last_offset(run.last_offset)
                    .with_acknowledge_types(run.types)
            };
            named.entry(*partition).or_default().extend(runs(verdicts).into_iter().map(batch));
        }
        let partition = |(index, batches): (u32, Vec<_>)| {
            share_fetch_request::FetchPartition::default()
                .with_partition_index(index as i32)
                .with_acknowledgement_batches(batches)
        };
        let mut request = ShareFetchRequestData::default()
            .with_group_id(Some(self.group_id()))
            .with_member_id(Some(self.member()))
            .with_share_session_epoch(epoch);
        if !named.is_empty() {
            let topic = share_fetch_request::FetchTopic::default()
                .with_topic_id(topic_id.into())
                .with_partitions(named.into_iter().map(partition).collect());
            request = request.with_topics(vec![topic]);
        }
        if !forgotten.is_empty() {
            let topic = share_fetch_request::ForgottenTopic::default()
                .with_topic_id(topic_id.into())
                .with_partitions(forgotten.iter().map(|index| *index as i32).collect());
            request = request.with_forgotten_topics_data(vec![topic]);
        }
        // With renewals nothing is fetched, so that no lock runs out while the fetch waits.
        if renews(verdicts) {
            request = request.with_is_renew_ack(true).with_max_wait_ms(0).with_min_bytes(0).with_max_bytes(0);
            return (Request::ShareFetch(request.with_max_records(0).with_batch_size(0)), self.version());
        }
        let request = request
            .with_max_wait_ms(self.max_wait_ms)
            .with_min_bytes(1)
            .with_max_bytes(MAX_BYTES)
            .with_max_records(self.max_records)
            .with_batch_size(self.max_records)
            .with_share_acquire_mode(i8::from(self.record_limit && self.renews));
        (Request::ShareFetch(request), self.version())
    }

    pub(super) fn acknowledge(&self, topic_id: Id, epoch: i32, verdicts: &Verdicts) -> Versioned {
        let partition = |(index, verdicts): (&u32, &Vec<(i64, Verdict)>)| {
            let batch = |run: Run| {
                share_acknowledge_request::AcknowledgementBatch::default()
                    .with_first_offset(run.first_offset)
                    .with_last_offset(run.last_offset)
                    .with_acknowledge_types(run.types)
            };
            share_acknowledge_request::AcknowledgePartition::default()
                .with_partition_index(*index as i32)
                .with_acknowledgement_batches(runs(verdicts).into_iter().map(batch).collect())
        };
        let mut request = ShareAcknowledgeRequestData::default()
            .with_group_id(Some(self.group_id()))
            .with_member_id(Some(self.member()))
            .with_share_session_epoch(epoch)
            .with_is_renew_ack(renews(verdicts));
        if !verdicts.is_empty() {
            let topic = share_acknowledge_request::AcknowledgeTopic::default()
                .with_topic_id(topic_id.into())
                .with_partitions(verdicts.iter().map(partition).collect());
            request = request.with_topics(vec![topic]);
        }
        (Request::ShareAcknowledge(request), self.version())
    }
}

/// How far a group has come.
pub(super) fn describe(group: u32, partitions: u32) -> Versioned {
    let topic = DescribeShareGroupOffsetsRequestTopic::default()
        .with_topic_name(KafkaString::from_static(TOPIC))
        .with_partitions((0..partitions as i32).collect());
    let group = DescribeShareGroupOffsetsRequestGroup::default()
        .with_group_id(KafkaString::from(group_name(group)))
        .with_topics(Some(vec![topic]));
    (Request::DescribeShareGroupOffsets(DescribeShareGroupOffsetsRequestData::default().with_groups(vec![group])), 1)
}

/// What the groups of a plan have set.
pub(in crate::campaign) fn group_configs(plan: &SharePlan) -> Request {
    let config = |name: &'static str, value: &str| {
        AlterableConfig::default()
            .with_name(KafkaString::from_static(name))
            .with_value(Some(KafkaString::from(value.to_owned())))
    };
    let resource = |(number, group): (u32, &crate::campaign::plan::ShareGroupPlan)| {
        let reset = if group.from_start { "earliest" } else { "latest" };
        let isolation = if group.committed { "read_committed" } else { "read_uncommitted" };
        AlterConfigsResource::default()
            .with_resource_type(GROUP_RESOURCE)
            .with_resource_name(KafkaString::from(group_name(number)))
            .with_configs(vec![config("share.auto.offset.reset", reset), config("share.isolation.level", isolation)])
    };
    let resources = (0..).zip(&plan.groups).map(resource).collect();
    Request::IncrementalAlterConfigs(IncrementalAlterConfigsRequestData::default().with_resources(resources))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_acknowledged_together() {
        use Verdict::{Accept, Reject, Release};
        type Row<'a> = (&'a [(i64, Verdict)], &'a [(i64, i64, &'a [i8])]);
        let table: [Row<'_>; 4] = [
            (&[], &[]),
            (&[(3, Accept), (4, Accept)], &[(3, 4, &[1])]),
            (&[(3, Accept), (4, Release), (5, Reject)], &[(3, 5, &[1, 2, 3])]),
            (&[(3, Accept), (5, Accept)], &[(3, 3, &[1]), (5, 5, &[1])]),
        ];
        for (verdicts, expected) in table {
            let found = runs(verdicts);
            let found: Vec<_> = found.iter().map(|run| (run.first_offset, run.last_offset, &run.types[..])).collect();
            assert_eq!(found, expected);
        }
    }
}
