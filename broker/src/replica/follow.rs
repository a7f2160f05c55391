//! What a follower does with its leader's answer.
//!
//! Source: `kafka.server.AbstractFetcherThread.processFetchRequest`, `getOffsetTruncationState`, `ReplicaFetcherThread`; KIP-101, KIP-279,
//! KIP-595 (truncation on fetch).

use super::lines;
use super::manager::ReplicaManager;
use super::partition::Role;
use crate::log::{Log, LogError};
use crate::logging::{Level, Logger};
use crate::metadata::report::Event;
use crate::planted::Bug;
use crate::protocol::messages::{FetchResponseData, fetch_response as wire};
use crate::protocol::{ErrorCode, error_name};
use crate::types::{Id, NodeId, Now, TopicIdPartition};

/// Where to cut a log that leaves the leader's: the leader named the largest epoch not above our last one that it knows, and its end there.
fn truncation_offset(log: &Log, leader_epoch: i32, leader_end: i64) -> i64 {
    let log_end = log.log_end_offset();
    if leader_end < 0 {
        return log_end;
    }
    let (own_epoch, own_end) = log.end_offset_for_epoch(leader_epoch);
    if leader_epoch < 0 || own_end < 0 {
        return leader_end.min(log_end);
    }
    // An epoch that we do not have: cut to the end of our next lower one, and let the next fetch ask about that.
    if own_epoch != leader_epoch {
        return own_end.min(log_end);
    }
    own_end.min(leader_end).min(log_end)
}

/// Appends what the leader sent. An empty log may have been told to begin in the middle of a batch: then it begins with that batch.
pub(super) fn append(log: &mut Log, now: Now, records: &[u8]) -> Result<(), LogError> {
    let result = log.append_as_follower(now, records).map(|_| ());
    let Err(LogError::UnexpectedAppendOffset { first_offset, last_offset, log_end_offset }) = result else {
        return result;
    };
    let begins_inside = first_offset < log_end_offset && log_end_offset <= last_offset;
    if log.log_start_offset() != log_end_offset || !begins_inside {
        return result;
    }
    log.truncate_fully_and_start_at(first_offset)?;
    log.append_as_follower(now, records).map(|_| ())
}

impl ReplicaManager {
    /// A leader answered fetch `id`, or nobody did.
    pub fn on_fetch_response(&mut self, now: Now, leader: NodeId, id: u64, result: Result<FetchResponseData, ()>) {
        let back_off = self.settings.back_off;
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if !fetcher.ended(id) {
            return;
        }
        let prefix = || lines::of_fetcher(self.me, leader);
        let Ok(response) = result else {
            fetcher.failed(now.mono, back_off);
            self.config
                .log
                .warn(Logger::ReplicaFetcher, || format!("{}A fetch failed: broker {leader} is not there", prefix()));
            return;
        };
        match ErrorCode::from(response.error_code) {
            ErrorCode::None => fetcher.continue_session(response.session_id),
            error @ (ErrorCode::FetchSessionIdNotFound | ErrorCode::InvalidFetchSessionEpoch) => {
                fetcher.restart_session();
                self.config.log.info(Logger::ReplicaFetcher, || {
                    format!("{}Broker {leader} does not go on with the fetch session: {}", prefix(), error_name(error))
                });
                return;
            }
            error => {
                fetcher.failed(now.mono, back_off);
                self.config.log.warn(Logger::ReplicaFetcher, || {
                    format!("{}A fetch was answered with {}", prefix(), error_name(error))
                });
                return;
            }
        }
        for topic in response.responses {
            let topic_id = Id(topic.topic_id.to_bytes());
            for data in topic.partitions {
                let id = TopicIdPartition { topic_id, partition: data.partition_index };
                self.take_fetched(now, leader, id, data);
            }
        }
    }

    fn take_fetched(&mut self, now: Now, leader: NodeId, id: TopicIdPartition, data: wire::PartitionData) {
        let Some(partition) = self.partitions.get(&id) else { return };
        let Some(log) = self.dir.log(partition.name()) else { return };
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let current = matches!(partition.role, Role::Follower) && partition.leader() == leader;
        let expected = fetcher.expects(&id, log.log_end_offset()) || Bug::AppendWithoutContinuity.is_planted();
        if !current || !expected {
            // Asked before the last change here: what the session holds is put right by the next request.
            fetcher.moved(id);
            return;
        }
        let until = now.mono + self.settings.back_off;
        match ErrorCode::from(data.error_code) {
            ErrorCode::None => self.take_records(now, leader, id, data),
            ErrorCode::OffsetOutOfRange => self.start_over(now, leader, id, data.log_start_offset),
            error @ ErrorCode::FencedLeaderEpoch => {
                fetcher.await_image(id);
                self.tell_refused(leader, &id, error);
            }
            error => {
                fetcher.back_off(id, until);
                self.tell_refused(leader, &id, error);
            }
        }
    }

    /// A leader gives nothing of a partition.
    fn tell_refused(&self, leader: NodeId, id: &TopicIdPartition, error: ErrorCode) {
        let level = match error {
            ErrorCode::FencedLeaderEpoch => Level::Info,
            ErrorCode::UnknownLeaderEpoch | ErrorCode::NotLeaderOrFollower => Level::Debug,
            ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId | ErrorCode::InconsistentTopicId => {
                Level::Warn
            }
            _ => Level::Error,
        };
        self.say_of_fetch(leader, id, level, |name| {
            let then = if level == Level::Info { "newer metadata is waited for" } else { "it is asked again" };
            let (epoch, end) = match self.partitions.get(id) {
                Some(partition) => (partition.leader_epoch(), self.dir.log(name).map_or(-1, Log::log_end_offset)),
                None => (-1, -1),
            };
            format!(
                "Broker {leader} answers {} for {name} at offset {end} in leader epoch {epoch}: {then}",
                error_name(error)
            )
        });
    }

    fn take_records(&mut self, now: Now, leader: NodeId, id: TopicIdPartition, data: wire::PartitionData) {
        let diverging = &data.diverging_epoch;
        if diverging.epoch >= 0 || diverging.end_offset >= 0 {
            self.truncate_to_leader(leader, id, diverging.epoch, diverging.end_offset);
            return;
        }
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(log) = self.dir.log_mut(partition.name()) else { return };
        let records = data.records.unwrap_or_default();
        let log_end = log.log_end_offset();
        if !records.is_empty()
            && let Err(error) = append(log, now, &records)
        {
            self.follow_failed(now, leader, id, &error);
            return;
        }
        self.metrics.bytes_in.mark(records.len() as u64);
        if partition.adding.contains(&self.me) {
            self.metrics.reassignment_bytes_in.mark(records.len() as u64);
        }
        if partition.throttled.as_follower {
            self.throttles.follower.record(now.mono, records.len());
        }
        let new_end = log.log_end_offset();
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.note_lag(&id, data.high_watermark - new_end);
            fetcher.bytes.mark(records.len() as u64);
        }
        let mut changed = new_end != log_end;
        changed |= partition.learn_high_watermark(data.high_watermark, new_end);
        let start = data.log_start_offset;
        let start_moved = start > log.log_start_offset() && start <= partition.high_watermark();
        if start_moved {
            if let Err(error) = log.set_log_start_offset(start) {
                self.fail_log(&id, &error);
                return;
            }
            changed = true;
        }
        // Who deletes records waits to hear that this log begins later too.
        if new_end != log_end || start_moved {
            self.moved(leader, id);
        }
        if changed {
            self.touch(id);
        }
    }

    fn moved(&mut self, leader: NodeId, id: TopicIdPartition) {
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.moved(id);
        }
    }

    /// A disk error takes the partition offline; records that do not fit are fetched again.
    fn follow_failed(&mut self, now: Now, leader: NodeId, id: TopicIdPartition, error: &LogError) {
        if error.is_storage_failure() {
            self.fail_log(&id, error);
            return;
        }
        let name = self.partitions.get(&id).map(|partition| partition.name().to_string()).unwrap_or_default();
        let message = format!("what broker {leader} sent for {name} does not fit the log here: {error}");
        self.say_of_fetch(leader, &id, Level::Error, |_| message.clone());
        self.events.push(Event::Error { message });
        let until = now.mono + self.settings.back_off;
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.back_off(id, until);
        }
    }

    fn truncate_to_leader(&mut self, leader: NodeId, id: TopicIdPartition, epoch: i32, end: i64) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(log) = self.dir.log_mut(partition.name()) else { return };
        let from_offset = log.log_end_offset();
        let to_offset = match Bug::TruncateToOwnEnd.is_planted() {
            true => from_offset,
            false => truncation_offset(log, epoch, end),
        };
        if let Err(error) = log.truncate_to(to_offset) {
            self.fail_log(&id, &error);
            return;
        }
        self.cut_copy(&id, |future| future.truncate_to(to_offset).map(|_| ()));
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.high_watermark = partition.high_watermark.min(to_offset);
        let high_watermark = partition.high_watermark;
        self.say_of_fetch(leader, &id, Level::Info, |name| {
            format!(
                "{name} is truncated from offset {from_offset} to {to_offset}, as the leader ends epoch {epoch} at offset {end}; high                  watermark {high_watermark}"
            )
        });
        let Some(partition) = self.partitions.get(&id) else { return };
        if to_offset < from_offset {
            let cause = format!("broker {leader} ends epoch {epoch} at offset {end}");
            let (partition, leader_epoch) = (partition.name().clone(), partition.leader_epoch());
            self.events.push(Event::LogTruncated { partition, from_offset, to_offset, leader_epoch, cause });
        }
        self.moved(leader, id);
        self.touch(id);
    }

    /// What we ask for is no longer there: the log begins anew where the leader's begins.
    fn start_over(&mut self, now: Now, leader: NodeId, id: TopicIdPartition, leader_start: i64) {
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        let Some(log) = self.dir.log_mut(partition.name()) else { return };
        let from_offset = log.log_end_offset();
        if leader_start <= from_offset {
            let until = now.mono + self.settings.back_off;
            if let Some(fetcher) = self.fetchers.get_mut(&leader) {
                fetcher.back_off(id, until);
            }
            self.say_of_fetch(leader, &id, Level::Info, |name| {
                format!("{name} at offset {from_offset} is out of the leader's range, which begins at {leader_start}: it is asked again")
            });
            return;
        }
        if let Err(error) = log.truncate_fully_and_start_at(leader_start) {
            self.fail_log(&id, &error);
            return;
        }
        self.cut_copy(&id, |future| future.truncate_fully_and_start_at(leader_start));
        let Some(partition) = self.partitions.get_mut(&id) else { return };
        partition.high_watermark = leader_start;
        let (name, leader_epoch) = (partition.name().clone(), partition.leader_epoch());
        self.say_of_fetch(leader, &id, Level::Warn, |name| {
            format!(
                "{name} is truncated fully and begins anew at offset {leader_start}, where the leader's log begins: it ended at {from_offset},                  out of the leader's range"
            )
        });
        let cause = format!("broker {leader} has nothing before offset {leader_start}");
        let partition = name;
        self.events.push(Event::LogTruncated { partition, from_offset, to_offset: leader_start, leader_epoch, cause });
        self.moved(leader, id);
        self.touch(id);
    }
}
