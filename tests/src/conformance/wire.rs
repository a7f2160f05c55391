//! Frames over TCP, and what became of a request.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::schema::Message;
use super::{ConformanceError, io};

/// Longest wait for an answer. Nothing that is asked needs as long.
const PATIENCE: Duration = Duration::from_secs(4);
/// No answer that is asked for is larger.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A frame, without its length.
    Frame(Vec<u8>),
    /// The connection was closed instead.
    Closed,
    /// Nothing came.
    Silence,
}

/// A connection to a broker.
pub struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(address: &str) -> Result<Connection, ConformanceError> {
        let stream = TcpStream::connect(address).map_err(io(format!("no connection to {address}")))?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        set.map_err(io("a socket's options"))?;
        Ok(Connection { stream, correlation_id: 0 })
    }

    /// Number for the next request.
    pub fn next_correlation_id(&mut self) -> i32 {
        self.correlation_id += 1;
        self.correlation_id
    }

    /// Sends a frame's content with its length in front. A broken connection shows when the answer is read.
    pub fn send(&mut self, content: &[u8]) {
        let mut frame = (content.len() as u32).to_be_bytes().to_vec();
        frame.extend(content);
        self.send_bytes(&frame);
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        // It may be closed before all was written: then the read says so.
        let _ = self.stream.write_all(bytes);
    }

    /// Waits for the next frame.
    pub fn receive(&mut self) -> Reply {
        let mut length = [0; 4];
        match self.read(&mut length) {
            Reply::Frame(_) => {}
            other => return other,
        }
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > MAX_ANSWER_BYTES {
            return Reply::Closed;
        }
        let mut content = vec![0; bytes];
        match self.read(&mut content) {
            Reply::Frame(_) => Reply::Frame(content),
            other => other,
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Reply {
        match self.stream.read_exact(into) {
            Ok(()) => Reply::Frame(Vec::new()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Reply::Silence,
            Err(_) => Reply::Closed,
        }
    }
}

/// The header of a request.
pub fn header(message: &Message, version: i16, correlation_id: i32, client_id: Option<&str>) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(message.key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation_id.to_be_bytes());
    match client_id {
        Some(id) => {
            frame.extend((id.len() as i16).to_be_bytes());
            frame.extend(id.as_bytes());
        }
        None => frame.extend((-1_i16).to_be_bytes()),
    }
    if message.flexible.has(version) {
        frame.push(0);
    }
    frame
}
