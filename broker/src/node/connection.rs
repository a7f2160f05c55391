//! One client connection: frames in, answers out in the order of the requests. Nothing is allocated for a frame before it is allowed, nor
//! faster than its bytes arrive.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::broker_node::Shell;
use crate::server::context::ConnId;

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

/// The side of a connection that the node's core talks to.
pub(super) struct Outgoing {
    /// Answers that are ready, by their place in the order. `None`: no answer by protocol.
    ready: RefCell<BTreeMap<u64, Option<BytesMut>>>,
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
            next: Cell::new(0),
            taken: Cell::new(0),
            closed: Cell::new(false),
            muted_until: Cell::new(None),
            wake_writer: Notify::new(),
            wake_reader: Notify::new(),
        }
    }

    /// An answer is ready.
    pub(super) fn put(&self, seq: u64, frame: Option<BytesMut>) {
        self.ready.borrow_mut().insert(seq, frame);
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

    fn take_next(&self) -> Option<Option<BytesMut>> {
        let frame = self.ready.borrow_mut().remove(&self.next.get())?;
        self.next.set(self.next.get() + 1);
        self.wake_reader.notify_one();
        Some(frame)
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
        ended = write(writer, &outgoing) => ended,
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
    loop {
        while outgoing.in_flight() >= IN_FLIGHT_MAX {
            outgoing.wake_reader.notified().await;
        }
        if let Some(left) = outgoing.muted_for() {
            if left > MUTED_ALONE_MAX && is_gone(&stream).await {
                return Ok(());
            }
            tokio::time::sleep(left.min(MUTE_STEP)).await;
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
            let seq = outgoing.taken.get();
            outgoing.taken.set(seq + 1);
            shell.frame(conn, seq, peer.ip(), frame);
            if outgoing.closed.get() {
                // The writer ends this connection once it has written what came before.
                return std::future::pending().await;
            }
            continue;
        };
        buffer.reserve(missing.min(READ_AHEAD_BYTES));
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A reset is how many clients leave.
            Err(_) => return Ok(()),
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

async fn write(mut stream: WriteHalf<'_>, outgoing: &Rc<Outgoing>) -> Result<(), String> {
    loop {
        while let Some(frame) = outgoing.take_next() {
            let Some(frame) = frame else { continue };
            if stream.write_all(&frame).await.is_err() {
                return Ok(());
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
    fn answers_leave_in_the_order_of_the_requests() {
        let outgoing = Outgoing::new();
        outgoing.put(1, Some(BytesMut::from(&b"second"[..])));
        assert!(outgoing.take_next().is_none());
        outgoing.put(0, None);
        assert_eq!(outgoing.take_next(), Some(None));
        assert_eq!(outgoing.take_next().flatten().as_deref(), Some(&b"second"[..]));
    }
}
