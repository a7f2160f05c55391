//! What a leader answers to a follower broker's fetch.
//!
//! Source: `kafka.server.KafkaApis.handleFetchRequest`, `kafka.cluster.Partition.fetchRecords` and `updateFollowerFetchState`.

use bytes::Bytes;

use super::manager::{FollowerFetches, Output, ReplicaManager};
use super::partition::Partition;
use super::peer::{Held, PeerSession, SessionUpdate, Waiting};
use crate::log::Log;
use crate::planted::Bug;
use crate::protocol::ErrorCode;
use crate::protocol::messages::{
    FetchRequestData, FetchResponseData, FetchableTopicResponse, KafkaUuid, fetch_response as wire,
};
use crate::types::{NodeId, Now, TopicIdPartition};

/// What a fetch from one partition comes to, before anything is read.
enum Standing<'a> {
    /// Records may be read from there on.
    Sound(&'a Log),
    /// The follower's log leaves the leader's: the leader's end of an epoch.
    Diverging(i32, i64),
    /// It cannot be answered.
    Refused(ErrorCode),
}

impl ReplicaManager {
    /// A follower broker asks for records. `from` is who really sent it; the answer comes as [`Output::FetchReply`].
    pub fn on_peer_fetch(&mut self, now: Now, from: NodeId, correlation: u64, request: &FetchRequestData) {
        let update = match self.open_session(now, from, request) {
            Ok(update) => update,
            Err(code) => {
                let response = FetchResponseData { error_code: code.code(), ..FetchResponseData::default() };
                self.reply(from, correlation, response);
                return;
            }
        };
        for id in &update.forgotten {
            self.set_in_session(id, from, false);
        }
        for id in &update.fetched {
            self.note_fetch(now, from, id);
        }
        let wait = std::time::Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        if let Some(session) = self.peers.get_mut(&from) {
            let deadline = if request.min_bytes <= 0 { now.mono } else { now.mono + wait };
            session.wait(Waiting { correlation, deadline, max_bytes: request.max_bytes });
        }
        self.answer_peers(now);
    }

    fn reply(&mut self, to: NodeId, correlation: u64, response: FetchResponseData) {
        self.replies.push(Output::FetchReply { to, correlation, response: Box::new(response) });
    }

    fn open_session(&mut self, now: Now, from: NodeId, request: &FetchRequestData) -> Result<SessionUpdate, ErrorCode> {
        let state = &request.replica_state;
        if state.replica_id != from {
            return Err(ErrorCode::InvalidRequest);
        }
        // A message of an incarnation that is gone: what it had may be lost by now (KIP-903).
        let stale = self.brokers.alive_epoch(from).is_some_and(|epoch| state.replica_epoch < epoch);
        if stale || state.replica_epoch < 0 {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if request.session_epoch == 0 {
            self.last_id += 1;
            let id = (self.last_id % i32::MAX as u64) as i32 + 1;
            let (session, update) = PeerSession::begin(id, request, now.mono);
            self.peers.insert(from, session);
            self.forget_followers_session(from);
            return Ok(update);
        }
        let session = self.peers.get_mut(&from).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        session.go_on(request, now.mono)
    }

    /// The followers' sessions and requests.
    pub fn follower_fetches(&self) -> FollowerFetches {
        let mut fetches = FollowerFetches { expired: self.fetches_expired, ..FollowerFetches::default() };
        for session in self.peers.values() {
            fetches.sessions += 1;
            fetches.partitions += session.len();
            if session.waiting.is_some() {
                fetches.waiting += 1;
                fetches.watched += session.len();
            }
        }
        fetches
    }

    fn forget_followers_session(&mut self, from: NodeId) {
        for partition in self.partitions.values_mut() {
            if let Some(follower) = partition.as_leader_mut().and_then(|leader| leader.followers.get_mut(&from)) {
                follower.in_session = false;
            }
        }
    }

    fn set_in_session(&mut self, id: &TopicIdPartition, from: NodeId, in_session: bool) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        if let Some(follower) = partition.as_leader_mut().and_then(|leader| leader.followers.get_mut(&from)) {
            follower.in_session = in_session;
        }
    }

    fn standing(&self, id: &TopicIdPartition, from: NodeId, held: &Held) -> Standing<'_> {
        let Some(partition) = self.partitions.get(id) else { return Standing::Refused(ErrorCode::UnknownTopicId) };
        match partition.leader_for(held.leader_epoch) {
            Err(code) => return Standing::Refused(code),
            Ok(leader) if !leader.followers.contains_key(&from) => {
                return Standing::Refused(ErrorCode::UnknownLeaderEpoch);
            }
            Ok(_) => {}
        }
        match self.dir.log(partition.name()) {
            Some(log) => position(log, held.offset, held.last_epoch),
            None => Standing::Refused(ErrorCode::KafkaStorageError),
        }
    }

    /// The follower has everything before the offset that it asks for.
    fn note_fetch(&mut self, now: Now, from: NodeId, id: &TopicIdPartition) {
        let Some(session) = self.peers.get(&from) else { return };
        let (Some(held), broker_epoch) = (session.held(id), session.broker_epoch) else { return };
        let Standing::Sound(log) = self.standing(id, from, held) else { return };
        let (offset, log_start, log_end) = (held.offset, held.log_start, log.log_end_offset());
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let Some(follower) = partition.as_leader_mut().and_then(|leader| leader.followers.get_mut(&from)) else {
            return;
        };
        let moved = follower.log_end_offset != offset;
        let start_moved = follower.log_start_offset != log_start;
        follower.fetched(now.mono, offset, log_start, log_end, broker_epoch);
        follower.in_session = true;
        self.maybe_expand(id, from);
        if start_moved {
            // Who deletes records waits for the low watermark.
            self.touch(*id);
        }
        if moved {
            self.advance(id, now.mono);
        }
    }

    /// Answers the followers' requests for which there is something to tell, or that have waited long enough.
    pub(super) fn answer_peers(&mut self, now: Now) {
        let changes = self.take_peer_changes();
        if self.peers.is_empty() {
            return;
        }
        for session in self.peers.values_mut() {
            let seen = |id: &&TopicIdPartition| id.partition == 0 || !Bug::SessionDropsPartition.is_planted();
            changes.iter().filter(seen).for_each(|id| session.notice(*id));
        }
        let followers: Vec<NodeId> = self.peers.keys().copied().collect();
        for from in followers {
            self.answer_peer(now, from);
        }
    }

    fn answer_peer(&mut self, now: Now, from: NodeId) {
        let Some(session) = self.peers.get_mut(&from) else { return };
        let fresh = std::mem::take(&mut session.fresh);
        let Some(waiting) = session.waiting else { return };
        let is_late = waiting.deadline <= now.mono;
        self.fetches_expired += u64::from(is_late);
        let due = is_late || fresh.iter().any(|id| self.is_worth_an_answer(now, id, from));
        if !due {
            return;
        }
        if let Some(session) = self.peers.get_mut(&from) {
            session.waiting = None;
        }
        let response = self.fetch_response(now, from, waiting.max_bytes);
        self.reply(from, waiting.correlation, response);
    }

    fn is_worth_an_answer(&self, now: Now, id: &TopicIdPartition, from: NodeId) -> bool {
        let Some(held) = self.peers.get(&from).and_then(|session| session.held(id)) else { return false };
        match self.standing(id, from, held) {
            Standing::Sound(log) => log.log_end_offset() > held.offset && !self.is_held_back(now.mono, id, from),
            Standing::Diverging(..) | Standing::Refused(_) => true,
        }
    }

    fn fetch_response(&mut self, now: Now, from: NodeId, max_bytes: i32) -> FetchResponseData {
        let Some(session) = self.peers.get(&from) else { return FetchResponseData::default() };
        let mut response = FetchResponseData { session_id: session.id, ..FetchResponseData::default() };
        let mut room = usize::try_from(max_bytes).unwrap_or(0);
        let mut first = true;
        for _ in 0..session.queued() {
            let Some((id, held)) = self.peers.get_mut(&from).and_then(PeerSession::take_queued) else { break };
            // One that is held back is told everything but records.
            let limit = if self.is_held_back(now.mono, &id, from) { None } else { Some(room) };
            let data = self.fetch_partition(from, &id, &held, limit, first);
            let bytes = data.records.as_ref().map_or(0, Bytes::len);
            if self.partitions.get(&id).is_some_and(|partition| partition.throttled.as_leader) {
                self.throttles.leader.record(now.mono, bytes);
            }
            first &= bytes == 0;
            room = room.saturating_sub(bytes);
            self.gave(&id, from, bytes);
            self.note_told(from, &id, &held, data, &mut response);
        }
        response
    }

    /// Puts an answer into the response if there is anything new in it, and remembers what the follower knows then.
    fn note_told(
        &mut self,
        from: NodeId,
        id: &TopicIdPartition,
        held: &Held,
        data: wire::PartitionData,
        response: &mut FetchResponseData,
    ) {
        let Some(session) = self.peers.get_mut(&from) else { return };
        let diverging = data.diverging_epoch.epoch >= 0 || data.diverging_epoch.end_offset >= 0;
        let has_records = data.records.as_ref().is_some_and(|records| !records.is_empty());
        let told = (data.error_code == 0 && !diverging).then_some((data.high_watermark, data.log_start_offset));
        // It is looked at again next time: the follower may fail to take it, and there may be more. Once it names a new offset and
        // nothing is left, it drops out.
        let more = self.partitions.get(id).and_then(|partition| self.dir.log(partition.name()));
        if has_records || told.is_none() || more.is_some_and(|log| log.log_end_offset() > held.offset) {
            session.requeue(*id);
        }
        if has_records || told.is_none() || told != held.told {
            session.told(id, told);
            push(response, id, data);
        }
    }

    fn fetch_partition(
        &mut self,
        from: NodeId,
        id: &TopicIdPartition,
        held: &Held,
        room: Option<usize>,
        first: bool,
    ) -> wire::PartitionData {
        let mut data = wire::PartitionData { partition_index: id.partition, ..wire::PartitionData::default() };
        let log = match self.standing(id, from, held) {
            Standing::Sound(log) => log,
            Standing::Diverging(epoch, end_offset) => {
                data.diverging_epoch.epoch = epoch;
                data.diverging_epoch.end_offset = end_offset;
                return data;
            }
            Standing::Refused(code) => {
                data.error_code = code.code();
                data.high_watermark = -1;
                if code == ErrorCode::OffsetOutOfRange {
                    let log = self.log(id);
                    data.log_start_offset = log.map_or(-1, Log::log_start_offset);
                }
                return data;
            }
        };
        data.log_start_offset = log.log_start_offset();
        data.high_watermark = self.partitions.get(id).map_or(-1, Partition::high_watermark);
        let Some(room) = room else { return data };
        let limit = room.min(usize::try_from(held.max_bytes).unwrap_or(0));
        if log.log_end_offset() == held.offset || (limit == 0 && !first) {
            return data;
        }
        match log.read(held.offset, limit, log.log_end_offset(), first) {
            Ok(read) => data.records = Some(read.records),
            Err(error) => {
                data.error_code = ErrorCode::KafkaStorageError.code();
                self.fail_log(id, &error);
            }
        }
        data
    }
}

/// Whether a log that ends at `offset` with `last_epoch` continues into this one.
fn position(log: &Log, offset: i64, last_epoch: i32) -> Standing<'_> {
    let log_end = log.log_end_offset();
    let checked = !Bug::SkipEpochCheckOnFetch.is_planted() && !Bug::TruncateByHighWatermark.is_planted();
    if last_epoch >= 0 && checked {
        let (epoch, end) = log.end_offset_for_epoch(last_epoch);
        if epoch < 0 || end < 0 || offset < log.log_start_offset() {
            return Standing::Refused(ErrorCode::OffsetOutOfRange);
        }
        if epoch < last_epoch || end < offset {
            return Standing::Diverging(epoch, end);
        }
    }
    if offset < log.log_start_offset() {
        return Standing::Refused(ErrorCode::OffsetOutOfRange);
    }
    // Past our end, and no epoch by which to compare: only our end is common to both.
    if offset > log_end {
        return Standing::Diverging(log.latest_epoch().unwrap_or(-1), log_end);
    }
    Standing::Sound(log)
}

fn push(response: &mut FetchResponseData, id: &TopicIdPartition, data: wire::PartitionData) {
    let topic_id = KafkaUuid::from(id.topic_id);
    if response.responses.last().is_none_or(|topic| topic.topic_id != topic_id) {
        response.responses.push(FetchableTopicResponse { topic_id, ..FetchableTopicResponse::default() });
    }
    if let Some(topic) = response.responses.last_mut() {
        topic.partitions.push(data);
    }
}
