//! The records of the metadata log, in Kafka's frame: frame version 1, record key and version as unsigned varints, then
//! the fields in the flexible encoding.
//!
//! Written at the versions that `metadata.version` 4.3-IV0 calls for; read at all versions that Kafka 4.3 knows.
//! Source: Kafka 4.3's `metadata/src/main/resources/common/metadata/*.json`, `org.apache.kafka.server.common.serialization.AbstractApiMessageSerde`.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::image::Endpoint;
use super::wire::{DecodeError, Reader, TaggedWriter, Wire, camel_case, write_unsigned_varint};
use crate::types::{Id, NodeId};

const FRAME_VERSION: u32 = 1;

/// Leader in a [`PartitionChangeRecord`] that leaves leader and leader epoch as they are.
pub const NO_LEADER_CHANGE: NodeId = -2;
/// Leader recovery state in a [`PartitionChangeRecord`] that leaves it as it is.
pub const NO_RECOVERY_CHANGE: i8 = -1;
/// The directory of a replica that was assigned to a broker, but to none of its directories yet.
pub const DIRECTORY_UNASSIGNED: Id = Id([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// Reads and writes the fields of one struct: plain ones in order (from the version on that brought them), then tagged ones.
macro_rules! wire_struct {
    (
        $(#[$doc:meta])* $name:ident {
            $( $(#[$field_doc:meta])* $field:ident: $ty:ty $(, from $since:literal)? = $default:expr; )*
            $( @ $tag:literal, from $tag_since:literal => $(#[$tag_doc:meta])* $tag_field:ident: $tag_ty:ty = $tag_default:expr; )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $ty, )*
            $( $(#[$tag_doc])* pub $tag_field: $tag_ty, )*
        }

        impl Default for $name {
            fn default() -> $name {
                $name { $( $field: $default, )* $( $tag_field: $tag_default, )* }
            }
        }

        #[allow(unused_mut, unused_variables, unused_comparisons, reason = "some structs have no fields, some no tags")]
        impl Wire for $name {
            fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
                let mut value = $name::default();
                $( if true $(&& version >= $since)? { value.$field = Wire::read(from, version)?; } )*
                from.tagged(|tag, from| {
                    match tag {
                        $( $tag if version >= $tag_since => value.$tag_field = Wire::read(from, version)?, )*
                        _ => return Ok(false),
                    }
                    #[allow(unreachable_code, reason = "structs without tags")]
                    Ok(true)
                })?;
                Ok(value)
            }

            fn write(&self, out: &mut Vec<u8>, version: i16) {
                $( if true $(&& version >= $since)? { self.$field.write(out, version); } )*
                let mut tagged = TaggedWriter::default();
                $( if version >= $tag_since && self.$tag_field != $tag_default {
                    tagged.field($tag, &self.$tag_field, version);
                } )*
                tagged.finish(out);
            }

            fn json(&self, version: i16) -> Value {
                let mut fields = Map::new();
                $( if true $(&& version >= $since)? {
                    fields.insert(camel_case(stringify!($field)), self.$field.json(version));
                } )*
                $( if version >= $tag_since && self.$tag_field != $tag_default {
                    fields.insert(camel_case(stringify!($tag_field)), self.$tag_field.json(version));
                } )*
                Value::Object(fields)
            }
        }
    };
}

macro_rules! metadata_records {
    ($( $(#[$doc:meta])* $variant:ident $name:ident = key $key:literal, up to $highest:literal, write $write:literal { $($fields:tt)* } )*) => {
        $( wire_struct! { $(#[$doc])* $name { $($fields)* } } )*

        /// A record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $( $(#[$doc])* $variant($name), )*
            /// A type that this version does not use; kept as it came.
            Unknown {
                /// Record key.
                key: u16,
                /// Version.
                version: u16,
                /// What followed.
                body: Bytes,
            },
        }

        $( impl From<$name> for MetadataRecord {
            fn from(record: $name) -> MetadataRecord {
                MetadataRecord::$variant(record)
            }
        } )*

        impl MetadataRecord {
            /// Kafka's name of the type, as `TopicRecord`.
            pub fn name(&self) -> &'static str {
                match self {
                    $( MetadataRecord::$variant(_) => stringify!($name), )*
                    MetadataRecord::Unknown { .. } => "Unknown",
                }
            }

            /// The value of a record of the metadata log.
            pub fn encode(&self) -> Bytes {
                let mut out = Vec::with_capacity(64);
                write_unsigned_varint(&mut out, FRAME_VERSION);
                match self {
                    $( MetadataRecord::$variant(record) => {
                        write_unsigned_varint(&mut out, $key);
                        write_unsigned_varint(&mut out, $write);
                        record.write(&mut out, $write);
                    } )*
                    MetadataRecord::Unknown { key, version, body } => {
                        write_unsigned_varint(&mut out, u32::from(*key));
                        write_unsigned_varint(&mut out, u32::from(*version));
                        out.extend_from_slice(body);
                    }
                }
                Bytes::from(out)
            }

            /// Its fields as Kafka's JSON converters write them at a version: `{"name": "t", "topicId": "…"}`. Of an unknown type, its bytes.
            pub fn json(&self, version: i16) -> Value {
                match self {
                    $( MetadataRecord::$variant(record) => record.json(version), )*
                    MetadataRecord::Unknown { body, .. } => body.json(version),
                }
            }

            /// Reads the value of a record of the metadata log.
            pub fn decode(value: &[u8]) -> Result<MetadataRecord, DecodeError> {
                Ok(MetadataRecord::decode_versioned(value)?.0)
            }

            /// The same, and at which version it was written.
            pub fn decode_versioned(value: &[u8]) -> Result<(MetadataRecord, i16), DecodeError> {
                let mut from = Reader::new(value);
                let frame = from.unsigned_varint()?;
                if frame != FRAME_VERSION {
                    return Err(DecodeError::FrameVersion(frame));
                }
                let (key, version) = (from.unsigned_varint()?, from.unsigned_varint()?);
                let record = match key {
                    $( $key if version <= $highest => MetadataRecord::$variant(Wire::read(&mut from, version as i16)?), )*
                    $( $key )|* => return Err(DecodeError::UnsupportedVersion { key, version }),
                    _ => match (u16::try_from(key), u16::try_from(version)) {
                        (Ok(key), Ok(version)) => {
                            MetadataRecord::Unknown { key, version, body: Bytes::copy_from_slice(from.rest()) }
                        }
                        _ => return Err(DecodeError::UnsupportedVersion { key, version }),
                    },
                };
                match from.remaining() {
                    // No type has so many versions.
                    0 => Ok((record, i16::try_from(version).unwrap_or(i16::MAX))),
                    left => Err(DecodeError::Garbage(left)),
                }
            }
        }
    };
}

wire_struct! {
    /// Which levels of a feature a node can live with.
    FeatureRange {
        /// Feature name, as `metadata.version`.
        name: String = String::new();
        /// Lowest level.
        min_supported_version: i16 = 0;
        /// Highest level.
        max_supported_version: i16 = 0;
    }
}

wire_struct! {
    /// Part of the entity that a client quota is for.
    QuotaEntity {
        /// `user`, `client-id` or `ip`.
        entity_type: String = String::new();
        /// Its name; `None` for the default entity.
        entity_name: Option<String> = None;
    }
}

impl Wire for Endpoint {
    fn read(from: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        let endpoint = Endpoint {
            name: Wire::read(from, version)?,
            host: Wire::read(from, version)?,
            port: Wire::read(from, version)?,
            security_protocol: Wire::read(from, version)?,
        };
        from.tagged(|_, _| Ok(false))?;
        Ok(endpoint)
    }

    fn write(&self, out: &mut Vec<u8>, version: i16) {
        self.name.write(out, version);
        self.host.write(out, version);
        self.port.write(out, version);
        self.security_protocol.write(out, version);
        TaggedWriter::default().finish(out);
    }

    fn json(&self, version: i16) -> Value {
        let mut fields = Map::new();
        fields.insert("name".into(), self.name.json(version));
        fields.insert("host".into(), self.host.json(version));
        fields.insert("port".into(), self.port.json(version));
        fields.insert("securityProtocol".into(), self.security_protocol.json(version));
        Value::Object(fields)
    }
}

metadata_records! {
    /// A broker registered; its broker epoch is this record's offset.
    RegisterBroker RegisterBrokerRecord = key 0, up to 4, write 4 {
        /// Node id.
        broker_id: NodeId = 0;
        /// Of the ZooKeeper days.
        is_migrating_zk_broker: bool, from 2 = false;
        /// Random per start of the process.
        incarnation_id: Id = Id::ZERO;
        /// Offset of this record.
        broker_epoch: i64 = 0;
        /// Where it listens.
        end_points: Vec<Endpoint> = Vec::new();
        /// What it can live with.
        features: Vec<FeatureRange> = Vec::new();
        /// `broker.rack`.
        rack: Option<String> = None;
        /// New brokers are fenced.
        fenced: bool = true;
        /// In controlled shutdown.
        in_controlled_shutdown: bool, from 1 = false;
        @0, from 3 => /// Ids of its log directories.
        log_dirs: Vec<Id> = Vec::new();
        @1, from 4 => /// Directories that take no new replicas.
        cordoned_log_dirs: Option<Vec<Id>> = None;
    }

    /// A broker is known no more.
    UnregisterBroker UnregisterBrokerRecord = key 1, up to 0, write 0 {
        /// Node id.
        broker_id: NodeId = 0;
        /// Its epoch.
        broker_epoch: i64 = 0;
    }

    /// A topic was created; its partitions follow.
    Topic TopicRecord = key 2, up to 0, write 0 {
        /// Name.
        name: String = String::new();
        /// Id.
        topic_id: Id = Id::ZERO;
    }

    /// A partition was created, in full.
    Partition PartitionRecord = key 3, up to 2, write 2 {
        /// Index.
        partition_id: i32 = -1;
        /// Topic.
        topic_id: Id = Id::ZERO;
        /// Replicas, the preferred leader first.
        replicas: Vec<NodeId> = Vec::new();
        /// In-sync replicas.
        isr: Vec<NodeId> = Vec::new();
        /// Replicas on their way out.
        removing_replicas: Vec<NodeId> = Vec::new();
        /// Replicas on their way in.
        adding_replicas: Vec<NodeId> = Vec::new();
        /// Leader, or -1.
        leader: NodeId = -1;
        /// Leader epoch.
        leader_epoch: i32 = -1;
        /// Partition epoch.
        partition_epoch: i32 = -1;
        /// Log directory of each replica.
        directories: Vec<Id>, from 1 = Vec::new();
        @0, from 0 => /// 1 while the leader recovers from an unclean election.
        leader_recovery_state: i8 = 0;
        @1, from 2 => /// KIP-966.
        eligible_leader_replicas: Option<Vec<NodeId>> = None;
        @2, from 2 => /// KIP-966.
        last_known_elr: Option<Vec<NodeId>> = None;
    }

    /// A dynamic config was set, or removed (`None`).
    Config ConfigRecord = key 4, up to 0, write 0 {
        /// `ConfigResource.Type`: 2 topic, 4 broker, 32 group.
        resource_type: i8 = 0;
        /// Topic name, broker id, or empty for the default of all brokers.
        resource_name: String = String::new();
        /// Key.
        name: String = String::new();
        /// Value.
        value: Option<String> = None;
    }

    /// What changed in a partition.
    PartitionChange PartitionChangeRecord = key 5, up to 2, write 2 {
        /// Index.
        partition_id: i32 = -1;
        /// Topic.
        topic_id: Id = Id::ZERO;
        @0, from 0 => /// New ISR.
        isr: Option<Vec<NodeId>> = None;
        @1, from 0 => /// New leader (-1: none; -2: unchanged). A leader, even the same one, begins a leader epoch.
        leader: NodeId = NO_LEADER_CHANGE;
        @2, from 0 => /// New replicas.
        replicas: Option<Vec<NodeId>> = None;
        @3, from 0 => /// Replicas on their way out.
        removing_replicas: Option<Vec<NodeId>> = None;
        @4, from 0 => /// Replicas on their way in.
        adding_replicas: Option<Vec<NodeId>> = None;
        @5, from 0 => /// 0 recovered, 1 recovering, -1 unchanged.
        leader_recovery_state: i8 = NO_RECOVERY_CHANGE;
        @6, from 2 => /// KIP-966.
        eligible_leader_replicas: Option<Vec<NodeId>> = None;
        @7, from 2 => /// KIP-966.
        last_known_elr: Option<Vec<NodeId>> = None;
        @8, from 1 => /// Log directory of each replica.
        directories: Option<Vec<Id>> = None;
    }

    /// A broker was fenced (old form of [`BrokerRegistrationChangeRecord`]).
    FenceBroker FenceBrokerRecord = key 7, up to 0, write 0 {
        /// Node id.
        id: NodeId = 0;
        /// Broker epoch.
        epoch: i64 = 0;
    }

    /// A broker was unfenced (old form of [`BrokerRegistrationChangeRecord`]).
    UnfenceBroker UnfenceBrokerRecord = key 8, up to 0, write 0 {
        /// Node id.
        id: NodeId = 0;
        /// Broker epoch.
        epoch: i64 = 0;
    }

    /// A topic was deleted, and its configs with it.
    RemoveTopic RemoveTopicRecord = key 9, up to 0, write 0 {
        /// Topic.
        topic_id: Id = Id::ZERO;
    }

    /// A feature was finalized at a level (0: disabled).
    FeatureLevel FeatureLevelRecord = key 12, up to 0, write 0 {
        /// Name, as `metadata.version`.
        name: String = String::new();
        /// Level.
        feature_level: i16 = 0;
    }

    /// A client quota was set or removed.
    ClientQuota ClientQuotaRecord = key 14, up to 0, write 0 {
        /// For whom.
        entity: Vec<QuotaEntity> = Vec::new();
        /// Which, as `producer_byte_rate`.
        key: String = String::new();
        /// How much.
        value: f64 = 0.0;
        /// Removed.
        remove: bool = false;
    }

    /// A broker was given a block of producer ids.
    ProducerIds ProducerIdsRecord = key 15, up to 0, write 0 {
        /// Who got it.
        broker_id: NodeId = 0;
        /// Its epoch.
        broker_epoch: i64 = -1;
        /// First id that nobody has.
        next_producer_id: i64 = 0;
    }

    /// What changed in a broker's registration.
    BrokerRegistrationChange BrokerRegistrationChangeRecord = key 17, up to 3, write 3 {
        /// Node id.
        broker_id: NodeId = 0;
        /// Its epoch.
        broker_epoch: i64 = 0;
        @0, from 0 => /// 1 fenced, -1 unfenced, 0 unchanged.
        fenced: i8 = 0;
        @1, from 1 => /// 1 entered controlled shutdown, 0 unchanged.
        in_controlled_shutdown: i8 = 0;
        @2, from 2 => /// New log directories, unless empty.
        log_dirs: Vec<Id> = Vec::new();
        @3, from 3 => /// New cordoned directories.
        cordoned_log_dirs: Option<Vec<Id>> = None;
    }

    /// Nothing: lets the high watermark move on.
    NoOp NoOpRecord = key 20, up to 0, write 0 {
    }

    /// What follows belongs together until it is ended or aborted (KIP-868).
    BeginTransaction BeginTransactionRecord = key 23, up to 0, write 0 {
        @0, from 0 => /// What for.
        name: Option<String> = None;
    }

    /// The end of it (KIP-868).
    EndTransaction EndTransactionRecord = key 24, up to 0, write 0 {
    }

    /// It did not happen (KIP-868).
    AbortTransaction AbortTransactionRecord = key 25, up to 0, write 0 {
        @0, from 0 => /// Why.
        reason: Option<String> = None;
    }

    /// A controller registered (KIP-919).
    RegisterController RegisterControllerRecord = key 27, up to 0, write 0 {
        /// Node id.
        controller_id: NodeId = 0;
        /// Random per start of the process.
        incarnation_id: Id = Id::ZERO;
        /// Of the ZooKeeper days.
        zk_migration_ready: bool = false;
        /// Where it listens.
        end_points: Vec<Endpoint> = Vec::new();
        /// What it can live with.
        features: Vec<FeatureRange> = Vec::new();
    }

    /// ELR and last known ELR of a topic (empty: of all topics) are cleared (KIP-966).
    ClearElr ClearElrRecord = key 28, up to 0, write 0 {
        /// Topic.
        topic_name: String = String::new();
    }
}
