//! What a member of the quorum writes to its node's log.
//!
//! Facts, levels and loggers are those of Kafka's `KafkaRaftClient`, `QuorumState` and `KafkaRaftLog`.

use super::machine::Quorum;
use super::message::VoteRequest;
use super::roles::State;
use crate::logging::{Level, Logger};

impl Quorum {
    /// A line of what goes on between the members.
    pub(super) fn tell(&self, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.id;
        self.config.log.write(Logger::RaftClient, level, || format!("[RaftManager id={id}] {}", message()));
    }

    /// A line of what happens to the log.
    pub(super) fn tell_of_log(&self, level: Level, message: impl FnOnce() -> String) {
        let id = self.config.id;
        let line = || format!("[RaftLog partition=__cluster_metadata-0, nodeId={id}] {}", message());
        self.config.log.write(Logger::RaftLog, level, line);
    }

    /// What it starts with.
    pub(super) fn tell_start(&self) {
        self.tell(Level::Info, || {
            format!(
                "Starts with voters {:?} (kraft.version {}), epoch {}, leader {}, vote {}, log from offset {} to {}, last epoch {}, \
                 newest snapshot {}",
                self.control.voters().ids().collect::<Vec<_>>(),
                self.control.kraft_version(),
                self.election.epoch,
                or_none(self.election.leader),
                or_none(self.election.voted),
                self.log.start_offset(),
                self.log.end_offset(),
                self.log.last_epoch(),
                or_none(self.latest_snapshot().map(|id| id.end_offset)),
            )
        });
    }

    /// It plays another part from now on.
    pub(super) fn tell_transition(&self, before: &State, reason: &str) {
        let id = self.config.id;
        self.config.log.info(Logger::QuorumState, || {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!(
                "[RaftManager id={id}] Transition to {}(epoch={}, leaderId={}, votedKey={}, highWatermark={}, logEndOffset={}) from {}{why}",
                name(&self.state),
                self.election.epoch,
                or_none(self.leader()),
                or_none(self.election.voted),
                self.high_watermark,
                self.log.end_offset(),
                name(before),
            )
        });
    }

    /// It was asked for its vote, or whether it would give it.
    pub(super) fn tell_vote(&self, from: i32, request: &VoteRequest, refusal: Option<&str>) {
        self.tell(Level::Info, || {
            format!(
                "Vote for {from} in epoch {} (preVote={}, lastEpoch={}, lastEpochEndOffset={}) is {}{}",
                request.epoch,
                request.pre_vote,
                request.last_epoch,
                request.log_end_offset,
                if refusal.is_some() { "rejected" } else { "granted" },
                refusal.map_or(String::new(), |why| format!(": {why}")),
            )
        });
    }

    /// The voters that count are others than before.
    pub(super) fn tell_voters(&self, before: Option<i64>) {
        let Some((offset, voters)) = self.control.last_entry().filter(|(offset, _)| Some(*offset) != before) else {
            return;
        };
        self.tell(Level::Info, || {
            let keys: Vec<String> = voters.keys().map(|key| key.to_string()).collect();
            format!("The latest voters are [{}], as of offset {offset}", keys.join(", "))
        });
    }
}

fn name(state: &State) -> &'static str {
    match state {
        State::Unattached { .. } => "Unattached",
        State::Prospective(_) => "Prospective",
        State::Candidate(_) => "Candidate",
        State::Leader(_) => "Leader",
        State::Follower(_) => "Follower",
        State::Resigned { .. } => "Resigned",
    }
}

pub(super) fn or_none<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
}
