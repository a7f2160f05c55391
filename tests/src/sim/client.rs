//! An idempotent producer in the simulation: one record at a time, repeated until it is acknowledged, each value once.

use std::time::Duration;

use broker::metadata::image::Image;
use broker::protocol::messages::create_topics_request::CreatableTopic;
use broker::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use broker::protocol::messages::{CreateTopicsRequestData, InitProducerIdRequestData, KafkaString, ProduceRequestData};
use broker::protocol::{ErrorCode, Request, RequestHeader, Response, decode_response, encode_request};
use broker::records::{BatchBuilder, Compression};
use broker::types::{NodeId, Now};
use bytes::{Bytes, BytesMut};

/// The topic that is written.
pub(super) const TOPIC: &str = "storm";

const THINK: Duration = Duration::from_millis(5);
const RETRY: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(3);

/// A record that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) value: u64,
    /// -1: acknowledged as a duplicate, so at an offset not told.
    pub(super) offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    CreateTopic,
    InitProducerId,
    Produce,
}

struct Awaited {
    node: NodeId,
    seq: u64,
    header: RequestHeader,
    step: Step,
}

/// See the module.
pub(super) struct Client {
    index: usize,
    partitions: i32,
    step: Step,
    producer: Option<(i64, i16)>,
    sequence: i32,
    /// The record that is not acknowledged yet.
    pending: Option<u64>,
    next_value: u64,
    next_at: Duration,
    next_seq: u64,
    awaited: Option<Awaited>,
    finishing: bool,
    pub(super) acknowledged: Vec<Acknowledged>,
}

impl Client {
    pub(super) fn new(index: usize, partitions: i32) -> Client {
        Client {
            index,
            partitions,
            step: if index == 0 { Step::CreateTopic } else { Step::InitProducerId },
            producer: None,
            sequence: 0,
            pending: None,
            next_value: index as u64 * 1_000_000,
            next_at: Duration::from_millis(1500),
            next_seq: 0,
            awaited: None,
            finishing: false,
            acknowledged: Vec::new(),
        }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn partition(&self) -> i32 {
        self.index as i32 % self.partitions
    }

    pub(super) fn producer_id(&self) -> Option<i64> {
        self.producer.map(|(id, _)| id)
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// Begin no new record; true when there is none that is not acknowledged.
    pub(super) fn finish(&mut self) -> bool {
        self.finishing = true;
        self.next_at == Duration::MAX
    }

    /// What it sends now, and to whom. An answer that was still awaited is given up.
    pub(super) fn act(&mut self, now: Now, image: Option<&Image>) -> Option<(NodeId, u64, Bytes)> {
        self.awaited = None;
        if self.step == Step::Produce && self.pending.is_none() {
            if self.finishing {
                self.next_at = Duration::MAX;
                return None;
            }
            self.pending = Some(self.next_value);
            self.next_value += 1;
        }
        self.next_at = now.mono + RETRY;
        let image = image?;
        let (node, request, api_version) = match self.step {
            Step::CreateTopic => (any_broker(image)?, self.create_topic(), 7),
            Step::InitProducerId => {
                let request = InitProducerIdRequestData::default().with_transaction_timeout_ms(60_000);
                (any_broker(image)?, Request::InitProducerId(request), 4)
            }
            Step::Produce => {
                let leader = image.partition(TOPIC, self.partition())?.leader;
                (Some(leader).filter(|leader| *leader > 0)?, self.produce(now)?, 9)
            }
        };
        let (correlation_id, seq) = (self.next_seq as i32, self.next_seq);
        let client_id = Some(format!("client-{}", self.index));
        let header = RequestHeader { api_key: request.api(), api_version, correlation_id, client_id };
        let frame = encode_request(&header, &request).ok()?.freeze();
        self.next_seq += 1;
        self.awaited = Some(Awaited { node, seq, header, step: self.step });
        self.next_at = now.mono + PATIENCE;
        // The broker is given frames without their length.
        Some((node, seq, frame.slice(4..)))
    }

    fn create_topic(&self) -> Request {
        let topic = CreatableTopic::default()
            .with_name(KafkaString::from_static(TOPIC))
            .with_num_partitions(self.partitions)
            .with_replication_factor(3);
        Request::CreateTopics(CreateTopicsRequestData::default().with_topics(vec![topic]).with_timeout_ms(30_000))
    }

    fn produce(&self, now: Now) -> Option<Request> {
        let (producer_id, epoch) = self.producer?;
        let mut batch = BatchBuilder::new(0, Compression::None).producer(producer_id, epoch, self.sequence);
        batch.push(now.wall_ms, None, Some(&self.pending?.to_be_bytes()), &[]);
        let data = PartitionProduceData::default().with_index(self.partition()).with_records(Some(batch.build()));
        let topic =
            TopicProduceData::default().with_name(KafkaString::from_static(TOPIC)).with_partition_data(vec![data]);
        let request = ProduceRequestData::default().with_acks(-1).with_timeout_ms(2_000).with_topic_data(vec![topic]);
        Some(Request::Produce(request))
    }

    /// An answer arrived.
    pub(super) fn on_answer(
        &mut self,
        now: Now,
        node: NodeId,
        seq: u64,
        frame: Option<BytesMut>,
    ) -> Result<(), String> {
        let Some(awaited) = self.awaited.take_if(|awaited| awaited.node == node && awaited.seq == seq) else {
            return Ok(());
        };
        let frame = frame.ok_or("an answer without a frame")?.freeze();
        let response = decode_response(&awaited.header, frame.slice(4..)).map_err(|error| error.to_string())?;
        self.next_at = now.mono + RETRY;
        match (awaited.step, response) {
            (Step::CreateTopic, Response::CreateTopics(response)) => {
                let code = response.topics.first().map_or(-1, |topic| topic.error_code);
                if matches!(ErrorCode::from(code), ErrorCode::None | ErrorCode::TopicAlreadyExists) {
                    self.step = Step::InitProducerId;
                }
            }
            (Step::InitProducerId, Response::InitProducerId(response)) => {
                if response.error_code == 0 {
                    self.producer = Some((response.producer_id, response.producer_epoch));
                    self.step = Step::Produce;
                }
            }
            (Step::Produce, Response::Produce(response)) => {
                let topic = response.responses.first().ok_or("Produce was answered without its topic")?;
                let partition = topic.partition_responses.first().ok_or("… without its partition")?;
                self.on_produced(now, ErrorCode::from(partition.error_code), partition.base_offset)?;
            }
            (step, other) => return Err(format!("{step:?} was answered with {other:?}")),
        }
        Ok(())
    }

    fn on_produced(&mut self, now: Now, error: ErrorCode, base_offset: i64) -> Result<(), String> {
        match error {
            ErrorCode::None | ErrorCode::DuplicateSequenceNumber => {
                let value = self.pending.take().ok_or("nothing was pending")?;
                let offset = if error == ErrorCode::None { base_offset } else { -1 };
                self.acknowledged.push(Acknowledged { value, offset });
                self.sequence += 1;
                self.next_at = now.mono + THINK;
                Ok(())
            }
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::RequestTimedOut
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::KafkaStorageError => Ok(()),
            other => Err(format!("producer {} (sequence {}) was told {other:?}", self.index, self.sequence)),
        }
    }
}

fn any_broker(image: &Image) -> Option<NodeId> {
    image.brokers.values().find(|broker| !broker.fenced).map(|broker| broker.id)
}
