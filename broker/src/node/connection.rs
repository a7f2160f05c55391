//! One client connection: frames in, answers out in the order of the requests. Nothing is allocated for a frame before it is allowed, nor
//! faster than its bytes arrive.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::arrival::Arrival;
use super::broker_node::Shell;
use super::slow_line::{Arrived, SlowReader, SlowWriter, Written};
use super::stopwatch;
use crate::server::context::{ClientResponse, ConnId};
use crate::server::request_log::LoggedRequest;
use crate::server::request_metrics::Answered;
use crate::server::request_times::Stations;

/// Requests of one connection that may be under way at once; reading stops meanwhile. Clients send at most a handful.
const IN_FLIGHT_MAX: u64 = 64;

/// How often a muted connection is looked at.
const MUTE_STEP: Duration = Duration::from_secs(1);

/// A connection that is muted for longer is not kept for a client that is gone; for a shorter time what it sent last is waited for. As
/// `connections.max.idle.ms` has Kafka do.
const MUTED_ALONE_MAX: Duration = Duration::from_secs(600);

/// How much room is made ahead of bytes that were promised but have not arrived.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// Room for the first bytes of a connection.
const READ_START_BYTES: usize = 4 * 1024;

/// From this size on, a frame shares its buffer with no other.
const OWN_BUFFER_BYTES: usize = 8 * 1024;

/// An answer that is ready. `frame`: none by protocol.
#[derive(Debug, PartialEq)]
struct Ready {
    frame: Option<BytesMut>,
    answered: Answered,
    at: Duration,
    logged: Option<Box<LoggedRequest>>,
}

/// A request that is done with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    /// Its place in the order of its connection.
    pub(super) seq: u64,
    pub(super) answered: Answered,
    pub(super) stations: Stations,
    /// What was written.
    pub(super) size_bytes: usize,
    /// What the log is to tell of it.
    pub(super) logged: Option<Box<LoggedRequest>>,
}

/// The side of a connection that the node's core talks to.
pub(super) struct Outgoing {
    /// Answers that are ready, by their place in the order.
    ready: RefCell<BTreeMap<u64, Ready>>,
    /// Where the requests under way have been, from the one whose answer is next.
    under_way: RefCell<VecDeque<Stations>>,
    /// Place of the next answer to be written.
    next: Cell<u64>,
    /// Requests taken so far.
    taken: Cell<u64>,
    closed: Cell<bool>,
    /// Nothing is read before: the client did more than its quota allows (KIP-219).
    muted_until: Cell<Option<Instant>>,
    wake_writer: Notify,
    wake_reader: Notify,
}

impl Outgoing {
    fn new() -> Outgoing {
        Outgoing {
            ready: RefCell::default(),
            under_way: RefCell::default(),
            next: Cell::new(0),
            taken: Cell::new(0),
            closed: Cell::new(false),
            muted_until: Cell::new(None),
            wake_writer: Notify::new(),
            wake_reader: Notify::new(),
        }
    }

    /// A request is taken; its place in the order.
    pub(super) fn take(&self) -> u64 {
        let seq = self.taken.get();
        self.taken.set(seq + 1);
        seq
    }

    /// Where the request that was taken last has been.
    pub(super) fn enter(&self, arrived: Duration, begun: Duration, worked: Duration) {
        self.under_way.borrow_mut().push_back(Stations { arrived, begun, worked, ..Stations::default() });
    }

    /// Answers that have not begun to be written.
    pub(super) fn ready(&self) -> usize {
        self.ready.borrow().len()
    }

    /// An answer is ready, and was at that time.
    pub(super) fn put(&self, response: ClientResponse, at: Duration) {
        let ClientResponse { seq, frame, answered, logged, .. } = response;
        self.ready.borrow_mut().insert(seq, Ready { frame, answered, at, logged });
        if seq == self.next.get() {
            self.wake_writer.notify_one();
        }
    }

    /// Read nothing for so long from now on.
    pub(super) fn mute(&self, time: Duration) {
        if !time.is_zero() {
            let until = Instant::now() + time;
            self.muted_until.set(self.muted_until.get().max(Some(until)));
        }
    }

    /// How long nothing is to be read yet.
    fn muted_for(&self) -> Option<Duration> {
        let left = self.muted_until.get()?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.muted_until.set(None);
            return None;
        }
        Some(left)
    }

    /// Close after what is written already.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.wake_writer.notify_one();
    }

    /// Whether it is to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Waits until an answer is ready, or it is to be closed.
    pub(super) async fn woken(&self) {
        self.wake_writer.notified().await;
    }

    /// The next answer, if it is ready, and what is known of its request.
    pub(super) fn take_next(&self, now: Duration) -> Option<(Option<BytesMut>, Sent)> {
        let Ready { frame, answered, at, logged } = self.ready.borrow_mut().remove(&self.next.get())?;
        let seq = self.next.get();
        self.next.set(seq + 1);
        self.wake_reader.notify_one();
        let mut stations = self.under_way.borrow_mut().pop_front().unwrap_or_default();
        (stations.answered, stations.taken) = (at, now);
        let size_bytes = frame.as_ref().map_or(0, BytesMut::len);
        Some((frame, Sent { seq, answered, stations, size_bytes, logged }))
    }

    fn in_flight(&self) -> u64 {
        self.taken.get() - self.next.get()
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(shell: Rc<Shell>, conn: ConnId, mut stream: TcpStream, peer: SocketAddr) {
    // Small answers must not wait for more; without it the connection is only slower.
    let _ = stream.set_nodelay(true);
    let outgoing = Rc::new(Outgoing::new());
    shell.opened(conn, peer, outgoing.clone());
    let (reader, writer) = stream.split();
    let ended = tokio::select! {
        ended = read(&shell, conn, reader, peer, &outgoing) => ended,
        ended = write(&shell, conn, writer, &outgoing) => ended,
    };
    shell.closed(conn, peer, ended.err());
}

async fn read(
    shell: &Rc<Shell>,
    conn: ConnId,
    mut stream: ReadHalf<'_>,
    peer: SocketAddr,
    outgoing: &Rc<Outgoing>,
) -> Result<(), String> {
    let mut buffer = BytesMut::with_capacity(READ_START_BYTES);
    let arrival = Arrival::new();
    let mut slow = SlowReader::new(&shell.line);
    // When the node saw what is in the buffer. What was not to be read has not come before it was.
    let mut arrived = stopwatch();
    loop {
        while outgoing.in_flight() >= IN_FLIGHT_MAX {
            outgoing.wake_reader.notified().await;
            arrived = stopwatch();
        }
        if let Some(left) = outgoing.muted_for() {
            if left > MUTED_ALONE_MAX && is_gone(&stream).await {
                return Ok(());
            }
            tokio::time::sleep(left.min(MUTE_STEP)).await;
            arrived = stopwatch();
            continue;
        }
        let Some(missing) = missing_bytes(&buffer, shell.request_max_bytes)? else {
            let length = buffer.get_i32() as usize;
            let frame = buffer.split_to(length).freeze();
            if length >= OWN_BUFFER_BYTES {
                // A large frame gets its buffer to itself, so that what is in it can be changed in place.
                let mut rest = BytesMut::with_capacity(buffer.len().max(READ_START_BYTES));
                rest.extend_from_slice(&buffer);
                buffer = rest;
            }
            shell.frame(conn, outgoing, peer.ip(), frame, arrived);
            if outgoing.closed.get() {
                // The writer ends this connection once it has written what came before.
                return std::future::pending().await;
            }
            continue;
        };
        if slow.is_in_the_way() {
            let came = slow.read(&mut stream, &mut buffer).await;
            arrived = stopwatch();
            match came {
                Arrived::Bytes(bytes) => shell.read(bytes),
                Arrived::End => return Ok(()),
                Arrived::Nothing => {}
            }
            continue;
        }
        buffer.reserve(missing.min(READ_AHEAD_BYTES));
        let before = buffer.len();
        let (read, at) = arrival.of(stream.read_buf(&mut buffer)).await;
        arrived = at;
        // A reset is how many clients leave.
        let bytes = read.unwrap_or(0);
        if slow.is_in_the_way() {
            slow.hold(&buffer.split_off(before));
            continue;
        }
        match bytes {
            0 => return Ok(()),
            bytes => shell.read(bytes),
        }
    }
}

/// Whether the client has closed its side already.
async fn is_gone(stream: &ReadHalf<'_>) -> bool {
    let ready = tokio::time::timeout(Duration::ZERO, stream.ready(Interest::READABLE)).await;
    ready.is_ok_and(|ready| ready.map_or(true, |ready| ready.is_read_closed()))
}

/// How many bytes the next frame still lacks; `None`: it is whole.
fn missing_bytes(buffer: &BytesMut, request_max_bytes: usize) -> Result<Option<usize>, String> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
        return Ok(Some(4 - buffer.len()));
    };
    let length = i32::from_be_bytes(*prefix);
    match usize::try_from(length) {
        Ok(length) if length <= request_max_bytes => {
            let whole = 4 + length;
            Ok((buffer.len() < whole).then(|| whole - buffer.len()))
        }
        _ => Err(format!(
            "a frame of {length} bytes was announced; between 0 and {request_max_bytes} (socket.request.max.bytes) are allowed"
        )),
    }
}

async fn write(shell: &Shell, conn: ConnId, mut stream: WriteHalf<'_>, outgoing: &Rc<Outgoing>) -> Result<(), String> {
    let mut slow = SlowWriter::new(&shell.line);
    loop {
        let mut now = stopwatch();
        while !slow.is_in_the_way()
            && let Some((frame, mut sent)) = outgoing.take_next(now)
        {
            if let Some(frame) = frame {
                if stream.write_all(&frame).await.is_err() {
                    return Ok(());
                }
                now = stopwatch();
            }
            sent.stations.sent = now;
            shell.sent(conn, &sent);
        }
        if slow.is_in_the_way() {
            match slow.write(shell, conn, &mut stream, outgoing).await {
                Written::All => continue,
                Written::End => return Ok(()),
            }
        }
        if outgoing.closed.get() {
            return Ok(());
        }
        outgoing.wake_writer.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Api;

    #[test]
    fn lengths_are_checked_before_anything_is_made_room_for() {
        let frame = |bytes: &[u8]| missing_bytes(&BytesMut::from(bytes), 100);
        assert_eq!(frame(&[]), Ok(Some(4)));
        assert_eq!(frame(&[0, 0]), Ok(Some(2)));
        assert_eq!(frame(&[0, 0, 0, 3, 1]), Ok(Some(2)));
        assert_eq!(frame(&[0, 0, 0, 1, 1]), Ok(None));
        assert!(frame(&[0, 0, 0, 101]).is_err());
        assert!(frame(&[0xff, 0, 0, 0]).is_err());
        assert!(frame(b"GET / HTTP/1.1").is_err(), "HTTP announces a frame of 1.2 GB");
        assert!(frame(&[0x16, 3, 1, 2]).is_err(), "so does a TLS hello");
    }

    #[test]
    fn the_longest_mute_counts() {
        let outgoing = Outgoing::new();
        outgoing.mute(Duration::ZERO);
        assert_eq!(outgoing.muted_for(), None);
        outgoing.mute(Duration::from_secs(3600));
        outgoing.mute(Duration::from_secs(1));
        assert!(outgoing.muted_for() > Some(Duration::from_secs(3000)));
        outgoing.muted_until.set(Some(Instant::now()));
        assert_eq!(outgoing.muted_for(), None);
    }

    #[test]
    fn answers_leave_in_the_order_of_the_requests_with_their_times() {
        let ms = Duration::from_millis;
        let answered = |size_bytes| Answered { api: Api::Produce, version: 9, size_bytes, muted_for: Duration::ZERO };
        let outgoing = Outgoing::new();
        assert_eq!((outgoing.take(), outgoing.take()), (0, 1));
        outgoing.enter(ms(1), ms(2), ms(3));
        outgoing.enter(ms(1), ms(3), ms(4));
        let response = |seq, frame, answered| ClientResponse { conn: 1, seq, answered, frame, logged: None };
        outgoing.put(response(1, Some(BytesMut::from(&b"second"[..])), answered(1)), ms(4));
        assert!(outgoing.take_next(ms(5)).is_none());
        outgoing.put(response(0, None, answered(0)), ms(8));
        assert_eq!(outgoing.ready(), 2);
        let (frame, first) = outgoing.take_next(ms(9)).unwrap();
        assert_eq!((frame, first.answered.size_bytes, first.stations.begun, first.size_bytes), (None, 0, ms(2), 0));
        let (frame, second) = outgoing.take_next(ms(9)).unwrap();
        assert_eq!(frame.as_deref(), Some(&b"second"[..]));
        // It was ready long before the first, and had to wait for it.
        let parts = Stations { sent: ms(10), ..second.stations }.parts();
        assert_eq!((parts.request_queue, parts.local, parts.remote), (ms(2), ms(1), ms(0)));
        assert_eq!((parts.response_queue, parts.response_send, second.size_bytes), (ms(5), ms(1), 6));
        assert!(outgoing.under_way.borrow().is_empty());
    }
}
