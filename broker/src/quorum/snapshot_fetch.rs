//! One that lacks what the leader no longer has begins with a snapshot: fetched piece by piece, checked, and put in place of its log.
//!
//! Source: `KafkaRaftClient.handleFetchSnapshotRequest`, `handleFetchSnapshotResponse`, `ReplicatedLog.validateOffsetAndEpoch`; KIP-630.

use super::log_lines::or_none;
use super::machine::{Output, Quorum, QuorumError};
use super::message::{FetchRequest, FetchSnapshotOutcome, FetchSnapshotRequest, FetchSnapshotResponse, Message};
use super::roles::{Download, State};
use super::snapshot::{SnapshotChunk, SnapshotId, SnapshotPart};
use super::voter_set::ReplicaKey;
use crate::logging::Level;
use crate::types::{NodeId, Now};

impl Quorum {
    /// The snapshot that one has to begin with who asks for this; `None` if the log can serve it.
    pub(super) fn snapshot_for(&self, request: &FetchRequest) -> Option<SnapshotId> {
        let start = self.log.start_offset();
        let (earliest, latest) = (self.log.snapshots().first()?.id, self.log.snapshots().last()?.id);
        let (offset, epoch) = (request.fetch_offset, request.last_fetched_epoch);
        if start == 0 && offset == 0 {
            return None;
        }
        let lacks = offset < start || (offset == start && epoch != earliest.epoch) || epoch < earliest.epoch;
        lacks.then_some(latest)
    }

    pub(super) fn on_fetch_snapshot_request(
        &mut self,
        now: Now,
        from: NodeId,
        request: &FetchSnapshotRequest,
    ) -> Result<(), QuorumError> {
        if request.epoch > self.election.epoch {
            self.become_unattached(now, request.epoch, "a higher epoch was seen")?;
        }
        let outcome = match &mut self.state {
            State::Leader(leader) if request.epoch == self.election.epoch => {
                leader.members.heard(now, ReplicaKey { id: from, directory_id: request.directory_id });
                let max_bytes = self.config.fetch_snapshot_max_bytes;
                match self.log.read_snapshot(request.id, request.position, max_bytes)? {
                    Some(chunk) => FetchSnapshotOutcome::Chunk { position: request.position, chunk },
                    None => FetchSnapshotOutcome::NotFound,
                }
            }
            _ => FetchSnapshotOutcome::NotLeader,
        };
        let (correlation, epoch, leader) = (request.correlation, self.election.epoch, self.leader());
        let response = FetchSnapshotResponse { correlation, epoch, leader, outcome };
        self.send(from, Message::FetchSnapshotResponse(response));
        Ok(())
    }

    /// The leader answered a fetch with the name of a snapshot.
    pub(super) fn begin_download(&mut self, now: Now, id: SnapshotId) -> Result<(), QuorumError> {
        if id.end_offset < self.high_watermark {
            let high_watermark = self.high_watermark;
            return Err(QuorumError::CommittedRecordsDiverge { offset: id.end_offset, high_watermark });
        }
        if self.log.snapshots().iter().any(|snapshot| snapshot.id == id) {
            self.tell(Level::Info, || {
                format!("Snapshot {} of leader {} is here already", id.file_name(), or_none(self.leader()))
            });
            return self.install(id);
        }
        self.tell(Level::Info, || {
            format!("Fetches snapshot {} from leader {}", id.file_name(), or_none(self.leader()))
        });
        self.stop_download();
        self.fetching.download = Some(Download { id, position: 0 });
        self.fetching.next_at = now.mono;
        Ok(())
    }

    pub(super) fn stop_download(&mut self) {
        if let Some(download) = self.fetching.download.take() {
            // A part that cannot be removed now is removed at the next start.
            let _ = self.log.discard_snapshot_part(download.part());
        }
    }

    pub(super) fn on_fetch_snapshot_response(
        &mut self,
        now: Now,
        from: NodeId,
        response: FetchSnapshotResponse,
    ) -> Result<(), QuorumError> {
        if !self.is_awaited(now, from, response.correlation, response.epoch, response.leader)? {
            return Ok(());
        }
        match response.outcome {
            FetchSnapshotOutcome::NotLeader => {
                self.stop_download();
                self.on_not_leader(now, from, response.leader)
            }
            FetchSnapshotOutcome::NotFound | FetchSnapshotOutcome::Chunk { .. } if response.leader != Some(from) => {
                self.fetch_failed(now);
                Ok(())
            }
            FetchSnapshotOutcome::NotFound => {
                // It has a newer one by now; the next fetch tells which.
                self.tell(Level::Info, || {
                    format!("Leader {from} does not have the snapshot that is being fetched any more")
                });
                self.stop_download();
                self.heard_from_leader(now, from)
            }
            FetchSnapshotOutcome::Chunk { position, chunk } => {
                self.heard_from_leader(now, from)?;
                self.take_in_chunk(now, position, &chunk)
            }
        }
    }

    fn take_in_chunk(&mut self, now: Now, position: u64, chunk: &SnapshotChunk) -> Result<(), QuorumError> {
        let Some(download) = self.fetching.download else { return Ok(()) };
        let end = position + chunk.bytes.len() as u64;
        if download.position != position || chunk.bytes.is_empty() || end > chunk.size_bytes {
            self.stop_download();
            self.fetch_failed(now);
            return Ok(());
        }
        self.log.write_snapshot_part(download.part(), position, &chunk.bytes)?;
        self.fetching.download = Some(Download { position: end, ..download });
        if end < chunk.size_bytes {
            return Ok(());
        }
        self.fetching.download = None;
        if self.log.complete_snapshot(download.part())? {
            self.install(download.id)
        } else {
            self.fetch_failed(now);
            Ok(())
        }
    }

    /// Puts the snapshot in place of the log. A stop in between does no harm: a start finds a log that does not hold it, and does the same.
    fn install(&mut self, id: SnapshotId) -> Result<(), QuorumError> {
        self.log.restart_at_snapshot(id)?;
        let before = self.control.last_entry().map(|(offset, _)| offset);
        self.control.reload(&*self.log)?;
        self.tell(Level::Info, || {
            format!(
                "The log was truncated to nothing: it goes on at offset {}, after snapshot {}",
                self.log.end_offset(),
                id.file_name()
            )
        });
        self.tell_voters(before);
        self.outputs.push(Output::SnapshotInstalled(id));
        if id.end_offset > self.high_watermark {
            self.high_watermark = id.end_offset;
            self.outputs.push(Output::HighWatermark(id.end_offset));
        }
        Ok(())
    }
}

impl Download {
    pub fn part(self) -> SnapshotPart {
        SnapshotPart { id: self.id, is_fetched: true }
    }
}
