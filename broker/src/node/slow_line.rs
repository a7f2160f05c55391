//! Reading from and writing to clients over a line that something is wrong with: what was sent waits here until it has passed. Bounded, so
//! that the client's socket fills up when the line is slow, as it would if that were far away.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::broker_node::Shell;
use super::client_line::{ClientLine, Lane, Pace, Step, Way};
use super::connection::{Outgoing, Sent};
use super::stopwatch;
use crate::server::context::ConnId;

/// So much of one connection is on its way in one direction; what a client sends on top stays in its socket.
const ON_THE_WAY_BYTES: usize = 64 * 1024;

/// A broker's line to its clients: how it is now, and what its connections share.
pub(super) struct Line {
    conditions: watch::Receiver<ClientLine>,
    inward: Pace,
    outward: Pace,
}

impl Line {
    pub(super) fn new(conditions: watch::Receiver<ClientLine>) -> Line {
        Line { conditions, inward: Pace::default(), outward: Pace::default() }
    }

    /// For one direction of one connection.
    fn look(&self) -> Look {
        let mut conditions = self.conditions.clone();
        let known = *conditions.borrow_and_update();
        Look { conditions, known }
    }

    /// Waits until whoever connects can be heard and answered.
    pub(super) async fn passable(&self) {
        let mut look = self.look();
        while look.now().inward.is_cut || look.now().outward.is_cut {
            look.changed().await;
        }
    }
}

/// How the line is, for one who looks at it often.
struct Look {
    conditions: watch::Receiver<ClientLine>,
    known: ClientLine,
}

impl Look {
    /// One load, unless something has changed.
    fn now(&mut self) -> &ClientLine {
        if self.conditions.has_changed().unwrap_or(false) {
            self.known = *self.conditions.borrow_and_update();
        }
        &self.known
    }

    /// Waits for a change. Where nobody can change anything it never ends.
    async fn changed(&mut self) {
        if self.conditions.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.known = *self.conditions.borrow_and_update();
    }
}

async fn until(at: Option<Duration>) {
    match at {
        Some(at) => tokio::time::sleep(at.saturating_sub(stopwatch())).await,
        None => std::future::pending().await,
    }
}

/// What comes from a client.
pub(super) struct SlowReader<'a> {
    pace: &'a Pace,
    look: Look,
    lane: Lane,
    held: BytesMut,
    has_ended: bool,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// So many bytes more.
    Bytes(usize),
    /// The client has closed its side.
    End,
    /// The line is sound again.
    Nothing,
}

impl<'a> SlowReader<'a> {
    pub(super) fn new(line: &'a Line) -> SlowReader<'a> {
        SlowReader {
            pace: &line.inward,
            look: line.look(),
            lane: Lane::default(),
            held: BytesMut::new(),
            has_ended: false,
        }
    }

    /// Something is wrong with the line, or something is on its way still.
    pub(super) fn is_in_the_way(&mut self) -> bool {
        !self.look.now().inward.is_sound() || !self.lane.is_empty()
    }

    /// Bytes that came out of the socket after the line had changed set out only now. None: the end.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        self.set_out(bytes.len());
    }

    fn set_out(&mut self, bytes: usize) {
        let way = self.look.now().inward;
        self.has_ended |= bytes == 0;
        self.lane.push(bytes, &way, stopwatch(), rand::random::<f64>);
    }

    /// Waits for what arrives, and puts it behind what is in `buffer`.
    pub(super) async fn read(&mut self, stream: &mut ReadHalf<'_>, buffer: &mut BytesMut) -> Arrived {
        loop {
            if !self.is_in_the_way() {
                return Arrived::Nothing;
            }
            let way = self.look.now().inward;
            let next = match self.lane.step(&way, self.pace, stopwatch(), rand::random::<f64>) {
                Step::Pass(0) => return Arrived::End,
                Step::Pass(bytes) => {
                    buffer.extend_from_slice(&self.held.split_to(bytes));
                    return Arrived::Bytes(bytes);
                }
                Step::At(at) => Some(at),
                Step::Idle | Step::Never => None,
            };
            let may_read = !way.is_cut && !self.has_ended && self.lane.bytes() < ON_THE_WAY_BYTES;
            if may_read {
                self.held.reserve(ON_THE_WAY_BYTES - self.lane.bytes());
            }
            tokio::select! {
                () = until(next) => {}
                () = self.look.changed() => {}
                // A reset is how many clients leave.
                read = stream.read_buf(&mut self.held), if may_read => self.set_out(read.unwrap_or(0)),
            }
        }
    }
}

/// What goes to a client.
pub(super) struct SlowWriter<'a> {
    pace: &'a Pace,
    look: Look,
    lane: Lane,
    answers: VecDeque<(BytesMut, Sent)>,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The line is sound again, and all that was on its way has been written.
    All,
    /// The connection is over.
    End,
}

impl<'a> SlowWriter<'a> {
    pub(super) fn new(line: &'a Line) -> SlowWriter<'a> {
        SlowWriter { pace: &line.outward, look: line.look(), lane: Lane::default(), answers: VecDeque::new() }
    }

    /// As [`SlowReader::is_in_the_way`].
    pub(super) fn is_in_the_way(&mut self) -> bool {
        !self.look.now().outward.is_sound() || !self.lane.is_empty()
    }

    /// Answers that are ready set out, as many as the line takes.
    fn set_out(&mut self, way: &Way, outgoing: &Outgoing) {
        while !way.is_cut
            && self.lane.bytes() < ON_THE_WAY_BYTES
            && let Some((frame, sent)) = outgoing.take_next(stopwatch())
        {
            let frame = frame.unwrap_or_default();
            self.lane.push(frame.len(), way, stopwatch(), rand::random::<f64>);
            self.answers.push_back((frame, sent));
        }
    }

    /// Writes what is ready, as the line lets it, for as long as something is wrong with that.
    pub(super) async fn write(
        &mut self,
        shell: &Shell,
        conn: ConnId,
        stream: &mut WriteHalf<'_>,
        outgoing: &Outgoing,
    ) -> Written {
        loop {
            if !self.is_in_the_way() {
                return Written::All;
            }
            let way = self.look.now().outward;
            self.set_out(&way, outgoing);
            let next = match self.lane.step(&way, self.pace, stopwatch(), rand::random::<f64>) {
                Step::Pass(bytes) => {
                    if !self.pass(bytes, shell, conn, stream).await {
                        return Written::End;
                    }
                    continue;
                }
                Step::Idle if outgoing.is_closed() && !way.is_cut => return Written::End,
                Step::At(at) => Some(at),
                Step::Idle | Step::Never => None,
            };
            let has_room = !way.is_cut && self.lane.bytes() < ON_THE_WAY_BYTES;
            tokio::select! {
                () = until(next) => {}
                () = self.look.changed() => {}
                () = outgoing.woken(), if has_room => {}
            }
        }
    }

    /// So many bytes of the first answer arrive; false: the client is gone.
    async fn pass(&mut self, bytes: usize, shell: &Shell, conn: ConnId, stream: &mut WriteHalf<'_>) -> bool {
        let Some((frame, sent)) = self.answers.front_mut() else { return true };
        if stream.write_all(&frame[..bytes]).await.is_err() {
            return false;
        }
        frame.advance(bytes);
        if frame.is_empty() {
            sent.stations.sent = stopwatch();
            shell.sent(conn, sent);
            self.answers.pop_front();
        }
        true
    }
}
