//! One connection to one broker: one request after the other, each at the newest version that both sides know.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use broker::protocol::messages::ApiVersionsRequestData;
use broker::protocol::{Api, Call, ErrorCode, Request, RequestHeader, Response, decode_response, encode_request};
use bytes::Bytes;

use super::error::ClientError;

/// Larger answers are not believed. Kafka's clients take 100 MB of a fetch.
const RESPONSE_BYTES_MAX: usize = 128 << 20;

/// As brokers, their logs and their metrics name this program.
const CLIENT_ID: &str = "brokerscope-admin";
const SOFTWARE_NAME: &str = "brokerscope";

/// A connection that has told and heard which versions there are.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: String,
    versions: BTreeMap<i16, (i16, i16)>,
    last_correlation: i32,
}

impl Connection {
    /// Connects, and learns what the broker offers.
    ///
    /// # Errors
    /// Nobody listens there, or no Kafka.
    pub fn open(address: &str, until: Instant) -> Result<Connection, ClientError> {
        let unreachable = |why: &dyn std::fmt::Display| ClientError::Unreachable {
            servers: address.to_owned(),
            why: why.to_string(),
        };
        let mut last: Option<io::Error> = None;
        for place in address.to_socket_addrs().map_err(|error| unreachable(&error))? {
            match TcpStream::connect_timeout(&place, left(until)) {
                Ok(stream) => {
                    // Requests are small and waited for; without it nothing breaks.
                    let _ = stream.set_nodelay(true);
                    let versions = BTreeMap::new();
                    let mut connection =
                        Connection { stream, address: address.to_owned(), versions, last_correlation: 0 };
                    connection.learn_versions(until)?;
                    return Ok(connection);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| unreachable(&"the name means no address"), |error| unreachable(&error)))
    }

    fn learn_versions(&mut self, until: Instant) -> Result<(), ClientError> {
        let request = ApiVersionsRequestData::default()
            .with_client_software_name(SOFTWARE_NAME.to_owned().into())
            .with_client_software_version(env!("CARGO_PKG_VERSION").to_owned().into());
        let mut answer = self.send(request.clone(), 4, until)?;
        if ErrorCode::from(answer.error_code) == ErrorCode::UnsupportedVersion {
            // An older broker answers in version 0 which versions it has (KIP-511).
            let offered = answer.api_keys.iter().find(|offered| offered.api_key == Api::ApiVersions.key());
            let version = offered.map_or(0, |offered| offered.max_version.clamp(0, 3));
            answer = self.send(request, version, until)?;
        }
        ClientError::check(answer.error_code, None)?;
        self.versions = answer
            .api_keys
            .iter()
            .map(|offered| (offered.api_key, (offered.min_version, offered.max_version)))
            .collect();
        Ok(())
    }

    /// The newest version of an API that both sides know, and that is not above `newest`.
    pub fn version(&self, api: Api, newest: i16) -> Option<i16> {
        let (oldest, newest_there) = *self.versions.get(&api.key())?;
        let version = newest_there.min(api.max_version()).min(newest);
        (version >= oldest.max(api.min_version())).then_some(version)
    }

    /// Asks, and waits for the answer, at a version of at most `newest`. `make` is told which it is.
    ///
    /// # Errors
    /// The broker has no such API, does not answer in time, or what it answers is none. Errors that an answer tells are the caller's to
    /// look at.
    pub fn call<C: Call>(
        &mut self,
        newest: i16,
        make: impl FnOnce(i16) -> C,
        until: Instant,
    ) -> Result<C::Answer, ClientError> {
        let version = self
            .version(C::API, newest)
            .ok_or_else(|| ClientError::Unsupported { address: self.address.clone(), api: C::API })?;
        self.send(make(version), version, until)
    }

    fn send<C: Call>(&mut self, call: C, version: i16, until: Instant) -> Result<C::Answer, ClientError> {
        self.last_correlation = self.last_correlation.wrapping_add(1);
        let header = RequestHeader {
            api_key: C::API,
            api_version: version,
            correlation_id: self.last_correlation,
            client_id: Some(CLIENT_ID.to_owned()),
        };
        let request: Request = call.into();
        let frame = encode_request(&header, &request)?;
        let answered = self.exchange(&frame, until).map_err(|error| self.failure(C::API, &error))?;
        let malformed = |cause| ClientError::Malformed { address: self.address.clone(), cause };
        // Until the versions are known, an older broker answers ApiVersions in version 0.
        let header = match version_zero(&header, &answered) {
            Some(header) => header,
            None => header,
        };
        let response: Response = decode_response(&header, answered).map_err(malformed)?;
        let api = response.api();
        C::answer(response).ok_or_else(|| ClientError::Unexpected {
            address: self.address.clone(),
            what: format!("{} instead of {}", api.name(), C::API.name()),
        })
    }

    fn exchange(&mut self, frame: &[u8], until: Instant) -> io::Result<Bytes> {
        self.stream.set_write_timeout(Some(left(until)))?;
        self.stream.write_all(frame)?;
        let mut length = [0; 4];
        self.read_exact(&mut length, until)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > RESPONSE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("an answer of {length} bytes")));
        }
        // A length is believed as its bytes come.
        let mut answer = Vec::new();
        while answer.len() < length {
            let start = answer.len();
            answer.resize(length.min(start + (64 << 10)), 0);
            self.read_exact(&mut answer[start..], until)?;
        }
        Ok(answer.into())
    }

    fn read_exact(&mut self, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
        while !buffer.is_empty() {
            self.stream.set_read_timeout(Some(left(until)))?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => buffer = &mut buffer[read..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn failure(&self, api: Api, error: &io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ClientError::TimedOut { what: format!("{} by {}", api.name(), self.address) }
            }
            io::ErrorKind::InvalidData => {
                ClientError::Unexpected { address: self.address.clone(), what: error.to_string() }
            }
            _ => ClientError::Lost { address: self.address.clone(), why: error.to_string() },
        }
    }
}

/// What is left of the patience; a time-out of zero would mean none at all.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// The header of an answer to ApiVersions that tells, in version 0, that ours is not known.
fn version_zero(header: &RequestHeader, answered: &Bytes) -> Option<RequestHeader> {
    let code = i16::from_be_bytes(*answered.get(4..)?.first_chunk()?);
    let is_one = header.api_key == Api::ApiVersions && ErrorCode::from(code) == ErrorCode::UnsupportedVersion;
    is_one.then(|| RequestHeader { api_version: 0, ..header.clone() })
}
