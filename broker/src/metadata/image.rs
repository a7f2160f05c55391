//! The cluster as the metadata log describes it: what every broker holds and the window draws. Plain data; `apply` lives in
//! `delta.rs`.
//!
//! Source: `org.apache.kafka.image.MetadataImage` and `org.apache.kafka.metadata.PartitionRegistration`.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use super::record::FeatureRange;
use crate::recorded::Plain;
use crate::types::{Id, NodeId};

/// Everything that the metadata log says up to `offset`. Cloning it copies maps of `Arc`s, not topics.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Image {
    /// Offset of the last record that is in this image; -1 before the first.
    pub offset: i64,
    /// Epoch of the quorum leader that wrote it.
    pub epoch: i32,
    /// Registered brokers, fenced ones included.
    pub brokers: BTreeMap<NodeId, Arc<BrokerImage>>,
    /// Registered controllers and their endpoints.
    pub controllers: BTreeMap<NodeId, Arc<ControllerImage>>,
    /// Topics by id.
    pub topics: BTreeMap<Id, Arc<TopicImage>>,
    /// Topic ids by name.
    pub topic_ids: BTreeMap<Arc<str>, Id>,
    /// Dynamic configs: (resource type, resource name) → key → value. Types as `org.apache.kafka.common.config.ConfigResource.Type`.
    pub configs: Configs,
    /// Finalized features: name → level (`metadata.version`, `group.version`, …).
    pub features: BTreeMap<String, i16>,
    /// Client quotas: for whom → which → how much.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub client_quotas: ClientQuotas,
    /// First producer id that no broker has been given.
    pub next_producer_id: i64,
    /// The log holds records of types that this image does not keep (as only a log of Kafka's own can): a snapshot would lose them.
    pub is_partial: bool,
}

/// Configs by resource, as in [`Image::configs`].
pub type Configs = BTreeMap<(i8, Arc<str>), Arc<BTreeMap<String, String>>>;

/// Whom a client quota is for: (type, name), sorted; a name that is `None` is the default's.
pub type ClientQuotaEntity = Vec<(String, Option<String>)>;

/// Client quotas, as in [`Image::client_quotas`].
pub type ClientQuotas = BTreeMap<ClientQuotaEntity, BTreeMap<String, f64>>;

/// A registered broker.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct BrokerImage {
    /// Node id.
    pub id: NodeId,
    /// Broker epoch: the offset of its registration record. A restart gets a new one.
    pub epoch: i64,
    /// Random per start of the process.
    pub incarnation: Id,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Fenced brokers lead nothing and are in no ISR.
    pub fenced: bool,
    /// In controlled shutdown: leadership is being moved away.
    pub in_controlled_shutdown: bool,
    /// Ids of its log directories.
    pub log_dirs: Vec<Id>,
    /// What it can live with.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub features: Vec<FeatureRange>,
    /// Directories that take no new replicas.
    pub cordoned_log_dirs: Vec<Id>,
}

/// A registered controller.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct ControllerImage {
    /// Node id.
    pub id: NodeId,
    /// Random per start of the process.
    pub incarnation: Id,
    /// Where it listens (in-memory links carry no port; then empty).
    pub endpoints: Vec<Endpoint>,
    /// What it can live with.
    #[borsh(serialize_with = "crate::recorded::put", deserialize_with = "crate::recorded::take")]
    pub features: Vec<FeatureRange>,
}

/// One listener of a node.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Listener name, as `PLAINTEXT`.
    pub name: String,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: u16,
    /// `org.apache.kafka.common.security.auth.SecurityProtocol` id: 0 is PLAINTEXT.
    pub security_protocol: i16,
}

/// A topic.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct TopicImage {
    /// Name.
    pub name: Arc<str>,
    /// Id.
    pub id: Id,
    /// Partitions; the index is the partition id.
    pub partitions: Vec<PartitionImage>,
}

/// A partition as the controller decided it.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Default)]
pub struct PartitionImage {
    /// Leader, or -1.
    pub leader: NodeId,
    /// Grows with each change of leader (and each ISR shrink by the controller).
    pub leader_epoch: i32,
    /// Grows with each change of this partition's record.
    pub partition_epoch: i32,
    /// Replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// In-sync replicas.
    pub isr: Vec<NodeId>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<NodeId>,
    /// ELR members that came back from an unclean shutdown (KIP-966).
    pub last_known_elr: Vec<NodeId>,
    /// Replicas being added by a reassignment.
    pub adding: Vec<NodeId>,
    /// Replicas being removed by a reassignment.
    pub removing: Vec<NodeId>,
    /// True while the leader recovers from an unclean election.
    pub recovering: bool,
    /// Log directory of each replica, in the order of `replicas`.
    pub directories: Vec<Id>,
}

impl Plain for Vec<FeatureRange> {
    fn put<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        let plain: Vec<_> =
            self.iter().map(|range| (&range.name, range.min_supported_version, range.max_supported_version)).collect();
        plain.serialize(writer)
    }

    fn take<R: Read>(reader: &mut R) -> io::Result<Vec<FeatureRange>> {
        let plain = Vec::<(String, i16, i16)>::deserialize_reader(reader)?;
        let range = |(name, min_supported_version, max_supported_version)| FeatureRange {
            name,
            min_supported_version,
            max_supported_version,
        };
        Ok(plain.into_iter().map(range).collect())
    }
}

impl Default for Image {
    fn default() -> Image {
        Image {
            offset: -1,
            epoch: 0,
            brokers: BTreeMap::new(),
            controllers: BTreeMap::new(),
            topics: BTreeMap::new(),
            topic_ids: BTreeMap::new(),
            configs: BTreeMap::new(),
            features: BTreeMap::new(),
            client_quotas: BTreeMap::new(),
            next_producer_id: 0,
            is_partial: false,
        }
    }
}

impl Image {
    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.get(self.topic_ids.get(name)?)
    }

    /// A partition by topic name and index.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionImage> {
        self.topic(topic)?.partition(partition)
    }
}

impl TopicImage {
    /// A partition by index.
    pub fn partition(&self, partition: i32) -> Option<&PartitionImage> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }
}
