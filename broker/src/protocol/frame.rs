//! Frames to requests, responses to frames; and the other way round for our own clients.
//!
//! KIP-482 (flexible versions), KIP-511 (ApiVersions). Source: `org.apache.kafka.common.requests.RequestHeader`, `RequestContext`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kacrab_protocol::generated::RequestHeaderData;
use kacrab_protocol::{KafkaString, KafkaUuid, ProtocolError, read_tagged_fields};

use super::error::{DecodeError, EncodeError};
use super::messages::ApiVersionsRequestData;
use super::{Api, Request, Response, precheck};

/// Largest frame of any request but Produce. Kafka takes 100 MiB of each; a request of many tiny elements would then take gigabytes
/// once decoded.
pub const MAX_SMALL_REQUEST_BYTES: usize = 8 << 20;

/// What stands before each request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: Api,
    /// At which version. Of ApiVersions alone, it may be one that we do not know.
    pub api_version: i16,
    /// The client's number of the request, given back to it.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// The version in which the answer is written: the request's, but 0 to an ApiVersions request of a version that we do not know.
    pub fn response_version(&self) -> i16 {
        if self.api_key.supports(self.api_version) { self.api_version } else { 0 }
    }
}

/// Reads one frame, without its length. An ApiVersions request of a version that we do not know comes out with an empty body and its
/// version in the header; all else that is not offered is an error, upon which the connection is closed.
pub fn decode_request(frame: Bytes) -> Result<(RequestHeader, Request), DecodeError> {
    let frame_bytes = frame.len();
    let mut rest = frame;
    let Some(start) = rest.first_chunk::<8>() else { return Err(DecodeError::NoHeader(frame_bytes)) };
    let key = i16::from_be_bytes([start[0], start[1]]);
    let api_version = i16::from_be_bytes([start[2], start[3]]);
    let correlation_id = i32::from_be_bytes([start[4], start[5], start[6], start[7]]);
    let api_key = Api::from_key(key).ok_or(DecodeError::UnknownApi(key))?;
    let supported = api_key.supports(api_version);
    if !supported && api_key != Api::ApiVersions {
        return Err(DecodeError::UnsupportedVersion { api: api_key, version: api_version });
    }
    if api_key != Api::Produce && frame_bytes > MAX_SMALL_REQUEST_BYTES {
        let detail = format!("{frame_bytes} bytes, of at most {MAX_SMALL_REQUEST_BYTES}");
        return Err(DecodeError::TooLarge { api: api_key, detail });
    }
    let malformed = |cause| DecodeError::Malformed { api: api_key, version: api_version, cause };
    let header_version = api_key.request_header_version(api_version);
    let header = RequestHeaderData::read(&mut rest, header_version).map_err(malformed)?;
    let client_id = header.client_id.map(|id| id.as_str().to_owned());
    let header = RequestHeader { api_key, api_version, correlation_id, client_id };
    if !supported {
        return Ok((header, Request::ApiVersions(ApiVersionsRequestData::default())));
    }
    if api_key == Api::Produce {
        precheck::check_produce(&rest, api_version)?;
    }
    let body = rest.clone();
    let request = Request::read(api_key, &mut rest, api_version).map_err(malformed)?;
    let read = &body[..body.len() - rest.len()];
    if api_key != Api::Produce && has_other_bytes(&request, api_version, read) {
        return Err(DecodeError::Null { api: api_key, version: api_version });
    }
    Ok((header, request))
}

/// Whether what was read would be written with as many bytes, but others: then a null was read as an empty list or text, for all else that
/// can be written in two ways differs in length. Produce is too large to be written for this; its nulls are found as its elements are counted.
fn has_other_bytes(request: &Request, version: i16, read: &[u8]) -> bool {
    if request.encoded_len(version).ok() != Some(read.len()) {
        return false;
    }
    let mut written = BytesMut::with_capacity(read.len());
    request.write(&mut written, version).is_ok() && written != read
}

/// Writes a response as a frame, with its length.
pub fn encode_response(header: &RequestHeader, response: &Response) -> Result<BytesMut, EncodeError> {
    let api = response.api();
    let version = header.response_version();
    debug_assert_eq!(api, header.api_key);
    let error = |cause| EncodeError { api, version, cause };
    let fitted = fitted(response, version);
    let response = fitted.as_ref().unwrap_or(response);
    let flexible_header = api.response_header_version(version) == 1;
    let body_bytes = response.encoded_len(version).map_err(error)?;
    let mut out = start_frame(4 + usize::from(flexible_header) + body_bytes);
    out.put_i32(header.correlation_id);
    if flexible_header {
        out.put_u8(0);
    }
    response.write(&mut out, version).map_err(error)?;
    finish_frame(&mut out);
    Ok(out)
}

/// Writes a request as a frame, with its length: what our own clients send.
pub fn encode_request(header: &RequestHeader, request: &Request) -> Result<BytesMut, EncodeError> {
    let api = request.api();
    let version = header.api_version;
    debug_assert_eq!(api, header.api_key);
    let error = |cause| EncodeError { api, version, cause };
    let head = RequestHeaderData::default()
        .with_request_api_key(api.key())
        .with_request_api_version(version)
        .with_correlation_id(header.correlation_id)
        .with_client_id(header.client_id.clone().map(KafkaString::from));
    let header_version = api.request_header_version(version);
    let head_bytes = head.encoded_len(header_version).map_err(error)?;
    let mut out = start_frame(head_bytes + request.encoded_len(version).map_err(error)?);
    head.write(&mut out, header_version).map_err(error)?;
    request.write(&mut out, version).map_err(error)?;
    finish_frame(&mut out);
    Ok(out)
}

/// Reads the answer to the request of `header` from a frame without its length: what our own clients receive.
pub fn decode_response(header: &RequestHeader, frame: Bytes) -> Result<Response, DecodeError> {
    let (api, version) = (header.api_key, header.response_version());
    let frame_bytes = frame.len();
    let mut rest = frame;
    let Some(start) = rest.first_chunk::<4>() else { return Err(DecodeError::NoHeader(frame_bytes)) };
    let found = i32::from_be_bytes(*start);
    if found != header.correlation_id {
        return Err(DecodeError::Correlation { expected: header.correlation_id, found });
    }
    rest.advance(4);
    let malformed = |cause: ProtocolError| DecodeError::Malformed { api, version, cause };
    if api.response_header_version(version) == 1 {
        read_tagged_fields(&mut rest).map_err(|cause| malformed(cause.into()))?;
    }
    Response::read(api, &mut rest, version).map_err(malformed)
}

/// A response without what its version cannot say, where the codec would refuse it and whoever answered did not know the version: the
/// controller, of a forwarded DescribeQuorum.
fn fitted(response: &Response, version: i16) -> Option<Response> {
    let Response::DescribeQuorum(full) = response else { return None };
    if version >= 2 {
        return None;
    }
    let mut older = full.clone();
    older.nodes.clear();
    for partition in older.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        for replica in partition.current_voters.iter_mut().chain(&mut partition.observers) {
            replica.replica_directory_id = KafkaUuid::ZERO;
        }
    }
    Some(Response::DescribeQuorum(older))
}

fn start_frame(content_bytes: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(4 + content_bytes);
    out.put_i32(0);
    out
}

fn finish_frame(out: &mut BytesMut) {
    // Frames stay far below 2 GiB: what they carry was bounded by max.bytes of a fetch, or read from frames of 100 MiB.
    let length = i32::try_from(out.len() - 4).unwrap_or(i32::MAX);
    out[..4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::{ApiVersionsResponseData, MetadataRequestData, MetadataResponseData};

    fn header(api_key: Api, api_version: i16) -> RequestHeader {
        RequestHeader { api_key, api_version, correlation_id: 7, client_id: Some("kcat".into()) }
    }

    fn content(mut frame: BytesMut) -> Bytes {
        let length = frame.get_i32();
        assert_eq!(usize::try_from(length).unwrap(), frame.len());
        frame.freeze()
    }

    #[test]
    fn a_null_where_none_may_be_is_refused() {
        for (api, version, body) in [
            // ListOffsets: isolation, then a list of topics.
            (Api::ListOffsets, 2, &b"\xff\xff\xff\xff\0\xff\xff\xff\xff"[..]),
            (Api::ListOffsets, 8, b"\xff\xff\xff\xff\0\0\0"),
            // Produce: transactional id, acks, time-out, then a list of topics.
            (Api::Produce, 3, b"\xff\xff\xff\xff\0\0\0\x05\xff\xff\xff\xff"),
            (Api::Produce, 9, b"\0\xff\xff\0\0\0\x05\0\0"),
        ] {
            let mut frame = BytesMut::new();
            frame.put_i16(api.key());
            frame.put_i16(version);
            frame.put_i32(7);
            frame.put_i16(-1);
            if api.request_header_version(version) == 2 {
                frame.put_u8(0);
            }
            frame.put_slice(body);
            let refused = decode_request(frame.freeze());
            assert!(matches!(refused, Err(DecodeError::Null { .. })), "{api:?} v{version}: {refused:?}");
        }
        let all =
            encode_request(&header(Api::Metadata, 9), &Request::Metadata(MetadataRequestData::default())).unwrap();
        decode_request(content(all)).unwrap();
    }

    #[test]
    fn requests_and_responses_survive_the_wire() {
        for version in 0..=13 {
            let header = header(Api::Metadata, version);
            let request = Request::Metadata(MetadataRequestData::default().with_topics(Some(vec![])));
            let frame = content(encode_request(&header, &request).unwrap());
            assert_eq!(decode_request(frame).unwrap(), (header.clone(), request));
            let response = Response::Metadata(MetadataResponseData::default());
            let frame = content(encode_response(&header, &response).unwrap());
            assert_eq!(decode_response(&header, frame).unwrap(), response);
        }
    }

    #[test]
    fn api_versions_of_the_future_is_let_through() {
        // librdkafka against an old broker: version 99, flexible header, a body that nobody here can read.
        let mut frame = vec![0, 18, 0, 99, 0, 0, 0, 7, 0, 4];
        frame.extend_from_slice(b"kcat\0\xff\xff\xff");
        let (header, request) = decode_request(frame.into()).unwrap();
        assert_eq!(header, self::header(Api::ApiVersions, 99));
        assert_eq!(request, Request::ApiVersions(ApiVersionsRequestData::default()));
        let response = Response::ApiVersions(ApiVersionsResponseData::default().with_error_code(35));
        let frame = encode_response(&header, &response).unwrap();
        // Length, correlation id, then a body of version 0: error code and an empty array.
        assert_eq!(frame[..], [0, 0, 0, 10, 0, 0, 0, 7, 0, 35, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_not_offered_is_an_error() {
        let error = |bytes: &'static [u8]| decode_request(Bytes::from_static(bytes)).unwrap_err().to_string();
        assert_eq!(error(b"GET / "), "the frame of 6 bytes has no request header");
        assert_eq!(error(b"GET / HTTP/1.1"), "API key 18245 is not offered");
        assert_eq!(error(&[0, 0, 0, 2, 0, 0, 0, 1]), "Produce is not offered at version 2");
        assert_eq!(error(&[0, 52, 0, 1, 0, 0, 0, 1, 0, 0, 0]), "API key 52 is not offered");
        assert!(error(&[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff]).starts_with("malformed Metadata v9"));
    }

    #[test]
    fn describe_quorum_fits_every_version() {
        use crate::protocol::messages::DescribeQuorumResponseData;
        use crate::protocol::messages::describe_quorum_response::{Node, PartitionData, ReplicaState, TopicData};
        let replica = ReplicaState::default().with_replica_id(3000).with_replica_directory_id(KafkaUuid::ONE);
        let partition =
            PartitionData::default().with_current_voters(vec![replica.clone()]).with_observers(vec![replica]);
        let topic = TopicData::default().with_partitions(vec![partition]);
        let full = DescribeQuorumResponseData::default().with_topics(vec![topic]).with_nodes(vec![Node::default()]);
        let full = Response::DescribeQuorum(full);
        for version in 0..=2 {
            let header = header(Api::DescribeQuorum, version);
            let again = decode_response(&header, content(encode_response(&header, &full).unwrap())).unwrap();
            assert_eq!(again == full, version == 2);
        }
    }

    #[test]
    fn only_produce_may_be_large() {
        let mut frame = vec![0u8; MAX_SMALL_REQUEST_BYTES + 1];
        frame[1] = 3;
        assert!(matches!(decode_request(frame.into()), Err(DecodeError::TooLarge { .. })));
    }
}
