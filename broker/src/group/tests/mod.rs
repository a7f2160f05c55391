//! A coordinator with a log that can be told to commit, to refuse or to wait.

mod admin;
mod consumer;
mod consumer_model;
mod consumer_others;
mod join;
mod log_lines;
mod members;
mod metrics;
mod migration;
mod model;
mod offsets;
mod records;
mod share;
mod share_model;
mod share_offsets;
mod streams;
mod streams_model;
mod streams_others;
mod timeouts;
mod txn_model;
mod txn_offsets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::api::{AppendToken, ClientInfo, GroupResponse, OffsetsRecord, Output, ReplyTo, TxnEnd, text};
use super::{GroupConfig, GroupCoordinator};
use crate::metadata::delta::ImageDelta;
use crate::metadata::image::{Image, PartitionImage, TopicImage};
use crate::metadata::report::{Event, MemberChange};
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    HeartbeatRequestData, JoinGroupRequestData, JoinGroupRequestProtocol, JoinGroupResponseData, LeaveGroupRequestData,
    LeaveGroupResponseData, MemberIdentity, OffsetCommitRequestData, OffsetCommitRequestPartition,
    OffsetCommitRequestTopic, OffsetFetchRequestData, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
    OffsetFetchResponseData, SyncGroupRequestAssignment, SyncGroupRequestData, SyncGroupResponseData,
};
use crate::types::{Id, Now};

/// What becomes of an append.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// Committed at once.
    Commit,
    /// Refused at once.
    Refuse(ErrorCode),
    /// Kept until [`Bench::settle`].
    Wait,
}

/// What is in the log.
#[derive(Clone, Debug)]
pub(super) enum Logged {
    /// A record, and the producer of whose transaction it is part.
    Record(OffsetsRecord, Option<i64>),
    /// The end of a transaction.
    Marker(TxnEnd),
}

/// A coordinator on a bench.
pub(super) struct Bench {
    pub(super) groups: GroupCoordinator,
    pub(super) now: Now,
    pub(super) fate: Fate,
    pub(super) image: Image,
    /// What is committed, per partition.
    pub(super) log: BTreeMap<i32, Vec<Logged>>,
    pub(super) waiting: Vec<(AppendToken, i32, Vec<Logged>)>,
    pub(super) replies: BTreeMap<ReplyTo, GroupResponse>,
    pub(super) events: Vec<Event>,
    pub(super) next_reply: u64,
    pub(super) persister: share::Persister,
}

pub(super) fn topic_id(name: &str) -> Id {
    let mut bytes = [7u8; 16];
    bytes[0] = name.len() as u8;
    bytes[1] = name.as_bytes()[0];
    Id(bytes)
}

/// An image with these topics of four partitions each.
pub(super) fn image_of(topics: &[&str]) -> Image {
    let mut image = Image::default();
    for name in topics {
        let (name, id): (Arc<str>, Id) = ((*name).into(), topic_id(name));
        let partitions = vec![PartitionImage::default(); 4];
        image.topics.insert(id, Arc::new(TopicImage { name: name.clone(), id, partitions }));
        image.topic_ids.insert(name, id);
    }
    image
}

pub(super) fn client(api_version: i16) -> ClientInfo {
    ClientInfo { client_id: "app".into(), client_host: "/127.0.0.1".into(), api_version }
}

/// A subscription as consumers write it.
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut blob = BytesMut::new();
    blob.put_i16(0);
    blob.put_i32(topics.len() as i32);
    for topic in topics {
        blob.put_i16(topic.len() as i16);
        blob.put_slice(topic.as_bytes());
    }
    blob.put_i32(-1);
    blob.freeze()
}

/// An assignment of one partition as consumers write it.
pub(super) fn assignment(topic: &str, partition: i32) -> Bytes {
    let mut blob = BytesMut::new();
    blob.put_i16(0);
    blob.put_i32(1);
    blob.put_i16(topic.len() as i16);
    blob.put_slice(topic.as_bytes());
    blob.put_i32(1);
    blob.put_i32(partition);
    blob.put_i32(-1);
    blob.freeze()
}

pub(super) fn join_request(group: &str, member: &str) -> JoinGroupRequestData {
    JoinGroupRequestData::default()
        .with_group_id(text(group))
        .with_member_id(text(member))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range", &["t"])])
}

pub(super) fn protocol(name: &str, topics: &[&str]) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(topics))
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with(GroupConfig { initial_rebalance_delay_ms: 3_000, ..GroupConfig::default() })
    }

    pub(super) fn with(config: GroupConfig) -> Bench {
        let mut bench = Bench {
            groups: GroupCoordinator::new(config, 42),
            now: Now { mono: Duration::from_secs(100), wall_ms: 1_700_000_000_000 },
            fate: Fate::Commit,
            image: image_of(&["t", "u"]),
            log: BTreeMap::new(),
            waiting: Vec::new(),
            replies: BTreeMap::new(),
            events: Vec::new(),
            next_reply: 0,
            persister: share::Persister::default(),
        };
        bench.groups.on_image(&bench.image, &ImageDelta::default());
        for partition in 0..bench.groups.config().offsets_partitions {
            bench.groups.begin_load(bench.now, partition);
            bench.groups.finish_load(bench.now, partition);
        }
        bench.pump();
        bench
    }

    pub(super) fn to(&mut self) -> ReplyTo {
        self.next_reply += 1;
        ReplyTo(self.next_reply)
    }

    /// Carries outputs out until there are none.
    pub(super) fn pump(&mut self) {
        loop {
            let outputs = self.groups.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    Output::Reply { to, response } => {
                        assert!(self.replies.insert(to, response).is_none(), "{to:?} was answered twice");
                    }
                    Output::Event(event) => self.events.push(event),
                    Output::ShareState { number, request } => self.ask_persister(number, request),
                    Output::LatestOffsets { number, partitions } => self.tell_ends(number, &partitions),
                    Output::Append { partition, token, .. } | Output::AppendMarker { partition, token, .. }
                        if !self.groups.wants(partition, token) => {}
                    Output::Append { partition, token, records, producer, .. } => {
                        let id = producer.map(|producer| producer.id);
                        let logged = records.into_iter().map(|record| Logged::Record(record, id)).collect();
                        self.append(token, partition, logged);
                    }
                    Output::AppendMarker { partition, token, end, .. } => {
                        self.append(token, partition, vec![Logged::Marker(end)]);
                    }
                }
            }
        }
    }

    fn append(&mut self, token: AppendToken, partition: i32, records: Vec<Logged>) {
        match self.fate {
            Fate::Wait => self.waiting.push((token, partition, records)),
            Fate::Commit => self.commit(token, partition, records),
            Fate::Refuse(error) => self.groups.on_append_result(self.now, token, Err(error)),
        }
    }

    fn commit(&mut self, token: AppendToken, partition: i32, records: Vec<Logged>) {
        assert!(!records.is_empty());
        self.log.entry(partition).or_default().extend(records);
        self.groups.on_append_result(self.now, token, Ok(()));
    }

    /// What was told of a member, in the order in which it was.
    pub(super) fn told_of(&self, member_id: &str) -> Vec<MemberChange> {
        let told = self.events.iter().filter_map(|event| match event {
            Event::GroupMember { member, change, .. } if member.member_id == member_id => Some(change.clone()),
            _ => None,
        });
        told.collect()
    }

    /// Decides the fate of all that waits.
    pub(super) fn settle(&mut self, result: Result<(), ErrorCode>) {
        for (token, partition, records) in std::mem::take(&mut self.waiting) {
            match result {
                Ok(()) => self.commit(token, partition, records),
                Err(error) => self.groups.on_append_result(self.now, token, Err(error)),
            }
        }
        self.pump();
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now.plus(Duration::from_millis(ms));
        while let Some(at) = self.groups.next_deadline().filter(|at| *at <= end.mono) {
            self.now = self.now.plus(at.saturating_sub(self.now.mono));
            self.groups.on_tick(self.now);
            self.pump();
        }
        self.now = end;
    }

    pub(super) fn join(&mut self, version: i16, request: &JoinGroupRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.join_group(self.now, to, &client(version), request);
        self.pump();
        to
    }

    pub(super) fn joined(&mut self, to: ReplyTo) -> JoinGroupResponseData {
        match self.replies.remove(&to) {
            Some(GroupResponse::Join(response)) => response,
            other => panic!("no JoinGroup answer for {to:?}: {other:?}"),
        }
    }

    pub(super) fn synced(&mut self, to: ReplyTo) -> SyncGroupResponseData {
        match self.replies.remove(&to) {
            Some(GroupResponse::Sync(response)) => response,
            other => panic!("no SyncGroup answer for {to:?}: {other:?}"),
        }
    }

    pub(super) fn is_waiting(&self, to: ReplyTo) -> bool {
        !self.replies.contains_key(&to)
    }

    pub(super) fn sync(
        &mut self,
        group: &str,
        member: &str,
        generation: i32,
        assignments: &[(&str, Bytes)],
    ) -> ReplyTo {
        let assignments = assignments.iter().map(|(member, blob)| {
            SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(blob.clone())
        });
        let request = SyncGroupRequestData::default()
            .with_group_id(text(group))
            .with_member_id(text(member))
            .with_generation_id(generation)
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments.collect());
        let to = self.to();
        self.groups.sync_group(self.now, to, &client(5), &request);
        self.pump();
        to
    }

    pub(super) fn heartbeat(&mut self, group: &str, member: &str, generation: i32) -> ErrorCode {
        let request = HeartbeatRequestData::default()
            .with_group_id(text(group))
            .with_member_id(text(member))
            .with_generation_id(generation);
        let response = self.groups.heartbeat(self.now, &request);
        self.pump();
        ErrorCode::from(response.error_code)
    }

    pub(super) fn leave(&mut self, version: i16, group: &str, members: &[(&str, Option<&str>)]) -> ReplyTo {
        let identity = |(member, instance): &(&str, Option<&str>)| {
            MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text))
        };
        let request = LeaveGroupRequestData::default()
            .with_group_id(text(group))
            .with_member_id(text(members.first().map_or("", |(member, _)| member)))
            .with_members(members.iter().map(identity).collect());
        let to = self.to();
        self.groups.leave_group(self.now, to, &client(version), &request);
        self.pump();
        to
    }

    pub(super) fn left(&mut self, to: ReplyTo) -> LeaveGroupResponseData {
        match self.replies.remove(&to) {
            Some(GroupResponse::Leave(response)) => response,
            other => panic!("no LeaveGroup answer for {to:?}: {other:?}"),
        }
    }

    /// A member joins by KIP-394's two steps; what comes back waits.
    pub(super) fn join_dynamic(&mut self, group: &str) -> (String, ReplyTo) {
        let to = self.join(9, &join_request(group, ""));
        let first = self.joined(to);
        assert_eq!(first.error_code, ErrorCode::MemberIdRequired.code());
        let id = first.member_id.to_string();
        let to = self.join(9, &join_request(group, &id));
        (id, to)
    }

    /// A stable group of so many members; the leader is the first. (member ids, generation)
    pub(super) fn stable(&mut self, group: &str, members: usize) -> (Vec<String>, i32) {
        let joins: Vec<(String, ReplyTo)> = (0..members).map(|_| self.join_dynamic(group)).collect();
        self.pass(u64::try_from(self.groups.config().initial_rebalance_delay_ms).unwrap() * 4);
        let mut responses = Vec::new();
        for (_, to) in &joins {
            responses.push(self.joined(*to));
        }
        let generation = responses[0].generation_id;
        let leader = responses[0].leader.to_string();
        let mut ids: Vec<String> = joins.into_iter().map(|(id, _)| id).collect();
        ids.sort_by_key(|id| *id != leader);
        let assignments: Vec<(&str, Bytes)> =
            ids.iter().enumerate().map(|(index, id)| (id.as_str(), assignment("t", index as i32))).collect();
        let mut syncs: Vec<ReplyTo> = Vec::new();
        for id in ids.iter().skip(1) {
            syncs.push(self.sync(group, id, generation, &[]));
        }
        syncs.push(self.sync(group, &leader, generation, &assignments));
        for to in syncs {
            assert_eq!(self.synced(to).error_code, 0);
        }
        (ids, generation)
    }

    pub(super) fn commit_offset(
        &mut self,
        version: i16,
        group: &str,
        member: &str,
        generation: i32,
        offsets: &[(&str, i32, i64)],
    ) -> ReplyTo {
        let topic = |(topic, partition, offset): &(&str, i32, i64)| {
            OffsetCommitRequestTopic::default()
                .with_name(text(if version >= 10 { "" } else { topic }))
                .with_topic_id(if version >= 10 { topic_id(topic) } else { Id::ZERO }.into())
                .with_partitions(vec![
                    OffsetCommitRequestPartition::default()
                        .with_partition_index(*partition)
                        .with_committed_offset(*offset)
                        .with_committed_metadata(Some(text("note"))),
                ])
        };
        let request = OffsetCommitRequestData::default()
            .with_group_id(text(group))
            .with_member_id(text(member))
            .with_generation_id_or_member_epoch(generation)
            .with_topics(offsets.iter().map(topic).collect());
        self.commit_request(version, &request)
    }

    pub(super) fn commit_request(&mut self, version: i16, request: &OffsetCommitRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.offset_commit(self.now, to, &client(version), request, &self.image);
        self.pump();
        to
    }

    /// Error codes of a commit, partition by partition.
    pub(super) fn committed(&mut self, to: ReplyTo) -> Vec<ErrorCode> {
        match self.replies.remove(&to) {
            Some(GroupResponse::OffsetCommit(response)) => {
                let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
                partitions.map(|partition| ErrorCode::from(partition.error_code)).collect()
            }
            other => panic!("no OffsetCommit answer for {to:?}: {other:?}"),
        }
    }

    pub(super) fn fetch_request(&mut self, version: i16, request: &OffsetFetchRequestData) -> ReplyTo {
        let to = self.to();
        self.groups.offset_fetch(self.now, to, &client(version), request, &self.image);
        self.pump();
        to
    }

    pub(super) fn fetched(&mut self, to: ReplyTo) -> OffsetFetchResponseData {
        match self.replies.remove(&to) {
            Some(GroupResponse::OffsetFetch(response)) => response,
            other => panic!("no OffsetFetch answer for {to:?}: {other:?}"),
        }
    }

    /// A committed offset; -1 if there is none.
    pub(super) fn offset(&mut self, group: &str, topic: &str, partition: i32) -> i64 {
        let to = self.fetch_request(8, &fetch_groups(&[(group, Some(&[(topic, partition)]))]));
        let response = self.fetched(to);
        assert_eq!(response.groups[0].error_code, 0);
        response.groups[0].topics[0].partitions[0].committed_offset
    }

    /// The coordinator moves: what is committed is all that is left.
    pub(super) fn fail_over(&mut self) {
        for partition in 0..self.groups.config().offsets_partitions {
            self.groups.unload_partition(self.now, partition);
        }
        self.pump();
        self.waiting.clear();
        for partition in 0..self.groups.config().offsets_partitions {
            self.groups.begin_load(self.now, partition);
            for logged in self.log.get(&partition).into_iter().flatten() {
                load(&mut self.groups, self.now, partition, logged, true);
            }
            self.groups.finish_load(self.now, partition);
        }
        self.pump();
    }

    pub(super) fn state(&mut self, group: &str) -> &'static str {
        let mut state = "";
        let now = self.now;
        self.groups.with_group(now, group, |_, group| state = group.state().name());
        let partition = self.groups.partition_for(group);
        if let Some(group) = self.groups.shards.get(&partition).and_then(|shard| shard.groups.get(group)) {
            state = group.state_name();
        }
        state
    }
}

/// The coordinator is told what is in the log.
pub(super) fn load(groups: &mut GroupCoordinator, now: Now, partition: i32, logged: &Logged, committed: bool) {
    match logged {
        Logged::Record(OffsetsRecord { key, value }, None) => {
            groups.load_record(now, partition, key, value.as_deref(), committed).unwrap();
        }
        Logged::Record(OffsetsRecord { key, value }, Some(producer_id)) => {
            groups.load_txn_record(now, partition, *producer_id, key, value.as_deref(), committed).unwrap();
        }
        Logged::Marker(end) => groups.load_marker(partition, end.producer_id, end.commit, committed),
    }
}

/// One group asked for: its id, and the topic-partitions, or all.
pub(super) type Asked<'a> = (&'a str, Option<&'a [(&'a str, i32)]>);

pub(super) fn fetch_groups(groups: &[Asked<'_>]) -> OffsetFetchRequestData {
    let topic = |(topic, partition): &(&str, i32)| {
        OffsetFetchRequestTopics::default()
            .with_name(text(topic))
            .with_topic_id(topic_id(topic).into())
            .with_partition_indexes(vec![*partition])
    };
    let group = |(id, topics): &Asked<'_>| {
        OffsetFetchRequestGroup::default()
            .with_group_id(text(id))
            .with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
    };
    OffsetFetchRequestData::default().with_groups(groups.iter().map(group).collect())
}
