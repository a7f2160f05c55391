//! A client that does as little as possible, so that it is not what is measured: frames are made once and sent again and again.

use std::io::{Read, Write};
use std::net::TcpStream;

use broker::protocol::messages::create_topics_request::CreatableTopic;
use broker::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use broker::protocol::messages::{
    CreateTopicsRequestData, ElectLeadersRequestData, FetchRequestData, KafkaString, MetadataRequestData,
    MetadataResponseData, PartitionProduceData, ProduceRequestData, TopicProduceData,
};
use broker::protocol::{Request, RequestHeader, Response, decode_response, encode_request};
use bytes::Bytes;

use super::PATIENCE;

/// The last versions that name topics.
const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;

/// A connection.
pub struct Client {
    stream: TcpStream,
}

fn header(request: &Request, api_version: i16) -> RequestHeader {
    RequestHeader { api_key: request.api(), api_version, correlation_id: 7, client_id: None }
}

impl Client {
    pub fn connect(address: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    /// Asks and waits.
    pub fn ask(&mut self, request: Request, api_version: i16) -> Response {
        let header = header(&request, api_version);
        self.send(&encode_request(&header, &request).unwrap());
        let mut frame = Vec::new();
        self.receive(&mut frame);
        decode_response(&header, Bytes::from(frame)).unwrap()
    }

    /// Sends a whole frame.
    pub fn send(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).unwrap();
    }

    /// Receives one frame, without its length.
    pub fn receive(&mut self, frame: &mut Vec<u8>) {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).unwrap();
        frame.resize(u32::from_be_bytes(length) as usize, 0);
        self.stream.read_exact(frame).unwrap();
    }

    pub fn metadata(&mut self) -> MetadataResponseData {
        match self.ask(Request::Metadata(MetadataRequestData::default().with_topics(None)), 12) {
            Response::Metadata(response) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Creates a topic with three replicas, of which two must be in sync.
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        let topic = CreatableTopic::default()
            .with_name(KafkaString::from(name.to_owned()))
            .with_num_partitions(partitions)
            .with_replication_factor(3);
        let request =
            CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(PATIENCE.as_millis() as i32);
        match self.ask(Request::CreateTopics(request), 7) {
            Response::CreateTopics(response) => assert_eq!(response.topics[0].error_code, 0, "{response:?}"),
            other => panic!("{other:?}"),
        }
    }

    /// Lets the preferred replicas of all partitions lead.
    pub fn elect_preferred_leaders(&mut self) {
        let request = ElectLeadersRequestData::default()
            .with_topic_partitions(None)
            .with_election_type(0)
            .with_timeout_ms(PATIENCE.as_millis() as i32);
        match self.ask(Request::ElectLeaders(request), 2) {
            Response::ElectLeaders(response) => assert_eq!(response.error_code, 0, "{response:?}"),
            other => panic!("{other:?}"),
        }
    }

    /// Where the leader of a partition listens, once it has one.
    pub fn leader(&mut self, topic: &str, partition: i32) -> String {
        loop {
            let metadata = self.metadata();
            let found = metadata.topics.iter().find(|t| t.name.as_ref().is_some_and(|name| name.as_str() == topic));
            let partition = found.and_then(|t| t.partitions.iter().find(|p| p.partition_index == partition));
            let leader = partition.filter(|p| p.isr_nodes.len() == 3).map_or(-1, |p| p.leader_id);
            if let Some(broker) = metadata.brokers.iter().find(|broker| broker.node_id == leader) {
                return format!("{}:{}", broker.host.as_str(), broker.port);
            }
        }
    }
}

/// A frame that produces `batch` with acks=all.
pub fn produce_frame(topic: &str, partition: i32, batch: &Bytes) -> Bytes {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.clone()));
    let topic =
        TopicProduceData::default().with_name(KafkaString::from(topic.to_owned())).with_partition_data(vec![data]);
    let request = ProduceRequestData::default().with_acks(-1).with_timeout_ms(60_000).with_topic_data(vec![topic]);
    let request = Request::Produce(request);
    encode_request(&header(&request, PRODUCE_VERSION), &request).unwrap().freeze()
}

/// Panics if a produce was not acknowledged.
pub fn check_produced(frame: &[u8]) {
    let request = Request::Produce(ProduceRequestData::default());
    match decode_response(&header(&request, PRODUCE_VERSION), Bytes::copy_from_slice(frame)).unwrap() {
        Response::Produce(response) => {
            let part = &response.responses[0].partition_responses[0];
            assert_eq!(part.error_code, 0, "{part:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// A frame that fetches from `offset`.
pub fn fetch_frame(topic: &str, partition: i32, offset: i64, max_bytes: i32) -> Bytes {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_partition_max_bytes(max_bytes);
    let topic = FetchTopic::default().with_topic(KafkaString::from(topic.to_owned())).with_partitions(vec![partition]);
    let request = FetchRequestData::default()
        .with_replica_id(-1)
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(max_bytes)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    let request = Request::Fetch(request);
    encode_request(&header(&request, FETCH_VERSION), &request).unwrap().freeze()
}

/// The records of an answer to [`fetch_frame`].
pub fn fetched(frame: Vec<u8>) -> Bytes {
    let request = Request::Fetch(FetchRequestData::default());
    match decode_response(&header(&request, FETCH_VERSION), Bytes::from(frame)).unwrap() {
        Response::Fetch(response) => {
            let part = &response.responses[0].partitions[0];
            assert_eq!(part.error_code, 0, "{part:?}");
            part.records.clone().unwrap_or_default()
        }
        other => panic!("{other:?}"),
    }
}
