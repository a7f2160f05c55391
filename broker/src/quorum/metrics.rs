//! What a member of the quorum measures.
//!
//! Source: `org.apache.kafka.raft.internals.KafkaRaftMetrics`, and `org.apache.kafka.common.network.Selector` for the channel.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::QuorumConfig;
use super::machine::Quorum;
use super::message::Message;
use super::roles::State;
use super::wire_size::{is_request, wire_bytes};
use crate::metrics::table::raft as bean;
use crate::metrics::{Collector, Windowed};
use crate::types::{NO_NODE, Now};

/// Appended batches whose commit is timed; where more wait, the newest are not.
const TIMED_MAX: usize = 1_000;

/// An appended batch that is not committed yet.
#[derive(Clone, Copy, Debug)]
struct Uncommitted {
    end_offset: i64,
    records: i64,
    at: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct QuorumMetrics {
    /// Milliseconds.
    commits: Windowed,
    /// Milliseconds.
    elections: Windowed,
    records_fetched: Windowed,
    records_appended: Windowed,
    /// Bytes of each.
    requests_sent: Windowed,
    responses_received: Windowed,
    uncommitted: VecDeque<Uncommitted>,
    /// When this member began to stand, and in which epoch.
    stands_since: Option<(Duration, i32)>,
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl QuorumMetrics {
    pub fn sent(&mut self, config: &QuorumConfig, message: &Message) {
        if is_request(message) {
            self.requests_sent.record(wire_bytes(config, message) as f64);
        }
    }

    pub fn received(&mut self, config: &QuorumConfig, message: &Message) {
        if !is_request(message) {
            self.responses_received.record(wire_bytes(config, message) as f64);
        }
    }

    /// As leader.
    pub fn appended(&mut self, now: Now, end_offset: i64, records: i64) {
        self.records_appended.record(records as f64);
        if self.uncommitted.len() < TIMED_MAX {
            self.uncommitted.push_back(Uncommitted { end_offset, records, at: now.mono });
        }
    }

    pub fn fetched(&mut self, records: i64) {
        self.records_fetched.record(records as f64);
    }

    pub fn stands(&mut self, now: Now, epoch: i32) {
        self.stands_since.get_or_insert((now.mono, epoch));
    }

    /// Looks at what came of appends and elections.
    fn settle(&mut self, now: Now, high_watermark: i64, epoch: i32, state: &State) {
        while let Some(first) = self.uncommitted.front().filter(|first| first.end_offset <= high_watermark) {
            // As Kafka, which spreads the time of a batch over its records.
            self.commits.record(millis(now.mono.saturating_sub(first.at)) / first.records.max(1) as f64);
            self.uncommitted.pop_front();
        }
        match state {
            State::Leader(_) => {}
            _ => self.uncommitted.clear(),
        }
        if matches!(state, State::Leader(_) | State::Follower(_))
            && let Some((since, stood_in)) = self.stands_since.take()
            // A pre-vote that led back to the same leader elected nobody.
            && epoch > stood_in
        {
            self.elections.record(millis(now.mono.saturating_sub(since)));
        }
    }

    fn turn(&mut self, now: Now) {
        let Self { commits, elections, records_fetched, records_appended, requests_sent, responses_received, .. } =
            self;
        for windowed in [commits, elections, records_fetched, records_appended, requests_sent, responses_received] {
            windowed.turn(now.mono);
        }
    }
}

impl Quorum {
    /// Looks at what became of appends and elections, after anything may have.
    pub(super) fn measure(&mut self, now: Now) {
        self.metrics.settle(now, self.high_watermark, self.election.epoch, &self.state);
    }

    /// Tells its series.
    pub fn collect(&mut self, out: &mut Collector) {
        self.metrics.turn(out.now());
        self.collect_state(out);
        self.collect_voters(out);
        let metrics = &self.metrics;
        out.value(&bean::COMMIT_LATENCY_AVG, [], metrics.commits.average());
        out.value(&bean::COMMIT_LATENCY_MAX, [], metrics.commits.max());
        out.value(&bean::ELECTION_LATENCY_AVG, [], metrics.elections.average());
        out.value(&bean::ELECTION_LATENCY_MAX, [], metrics.elections.max());
        out.value(&bean::FETCH_RECORDS_RATE, [], metrics.records_fetched.sum_rate());
        out.value(&bean::APPEND_RECORDS_RATE, [], metrics.records_appended.sum_rate());
        self.collect_channel(out);
    }

    /// Whether its configuration names voters, and its log others or the same: those of the log count.
    pub fn ignores_configured_voters(&self) -> bool {
        !self.config.voters.is_empty() && self.control.last_entry().is_some()
    }

    fn collect_state(&self, out: &mut Collector) {
        out.value(&bean::CURRENT_STATE, [("current_state", self.state_name().into())], 1.0);
        out.value(&bean::CURRENT_LEADER, [], self.leader().unwrap_or(NO_NODE).into());
        out.value(&bean::CURRENT_VOTE, [], self.current_vote().into());
        out.value(&bean::CURRENT_EPOCH, [], self.election.epoch.into());
        out.value(&bean::HIGH_WATERMARK, [], self.high_watermark as f64);
        out.value(&bean::LOG_END_OFFSET, [], self.log.end_offset() as f64);
        out.value(&bean::LOG_END_EPOCH, [], self.log.last_epoch().into());
    }

    fn collect_voters(&self, out: &mut Collector) {
        out.count(&bean::NUMBER_OF_VOTERS, [], self.control.voters().ids().count() as u64);
        // As Kafka, where only a leader has these two.
        let Some(replicas) = self.replicas(out.now()) else { return };
        out.count(&bean::NUMBER_OF_OBSERVERS, [], replicas.observers.len() as u64);
        let is_changing = self.control.voters_to_fall_back_on(self.high_watermark).is_some();
        out.count(&bean::UNCOMMITTED_VOTER_CHANGE, [], u64::from(is_changing));
    }

    fn collect_channel(&self, out: &mut Collector) {
        let (requests, responses) = (&self.metrics.requests_sent, &self.metrics.responses_received);
        out.count(&bean::REQUEST_TOTAL, [], requests.count());
        out.value(&bean::REQUEST_RATE, [], requests.rate());
        out.value(&bean::REQUEST_SIZE_AVG, [], requests.average());
        out.value(&bean::REQUEST_SIZE_MAX, [], requests.max());
        out.count(&bean::RESPONSE_TOTAL, [], responses.count());
        out.value(&bean::RESPONSE_RATE, [], responses.rate());
        out.count(&bean::NETWORK_IO_TOTAL, [], requests.count() + responses.count());
        out.value(&bean::NETWORK_IO_RATE, [], requests.rate() + responses.rate());
        out.value(&bean::OUTGOING_BYTE_TOTAL, [], requests.total());
        out.value(&bean::OUTGOING_BYTE_RATE, [], requests.sum_rate());
        out.value(&bean::INCOMING_BYTE_TOTAL, [], responses.total());
        out.value(&bean::INCOMING_BYTE_RATE, [], responses.sum_rate());
    }

    /// As Kafka names it.
    fn state_name(&self) -> &'static str {
        match &self.state {
            State::Follower(_) if !self.is_voter() => "observer",
            State::Unattached { .. } if self.election.voted.is_some() => "unattached-voted",
            state => state.role().name(),
        }
    }

    fn current_vote(&self) -> i32 {
        match &self.state {
            State::Leader(_) | State::Candidate(_) => self.config.id,
            State::Unattached { .. } | State::Prospective(_) => self.election.voted.map_or(NO_NODE, |voted| voted.id),
            State::Follower(_) | State::Resigned { .. } => NO_NODE,
        }
    }
}
