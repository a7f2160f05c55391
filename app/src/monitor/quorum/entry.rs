//! One record of the metadata log.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use broker::metadata::MetadataRecord;
use broker::metadata::config::{HIDDEN, shown_value};
use broker::metadata::image::Image;
use broker::quorum::{QuorumContent, QuorumRecord};
use broker::recorded::invalid;
use bytes::Bytes;
use serde_json::{Value, json};

use super::words;
use crate::monitor::names;

/// One record.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq)]
pub struct Entry {
    /// Offset.
    pub offset: i64,
    /// Epoch of the leader that wrote it.
    pub epoch: i32,
    /// When, by that leader's clock.
    pub timestamp_ms: i64,
    /// First offset of its batch: what stands in one batch was committed together.
    pub batch: i64,
    /// What it says.
    pub said: Said,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A metadata record, and the version that it was written at.
    Record(MetadataRecord, i16),
    /// One of the quorum's own.
    Control(QuorumContent),
    /// Why it cannot be read.
    Unreadable(String),
}

/// For a recording: without secrets.
impl BorshSerialize for Said {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        match self {
            Said::Record(record, version) => (0_u8, version, without_secret(record).encode()).serialize(writer),
            Said::Control(content) => (1_u8, content).serialize(writer),
            Said::Unreadable(why) => (2_u8, why).serialize(writer),
        }
    }
}

impl BorshDeserialize for Said {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Said> {
        match u8::deserialize_reader(reader)? {
            0 => {
                let (version, encoded) = <(i16, Bytes)>::deserialize_reader(reader)?;
                let (record, _) =
                    MetadataRecord::decode_versioned(&encoded).map_err(|error| invalid(error.to_string()))?;
                Ok(Said::Record(record, version))
            }
            1 => Ok(Said::Control(QuorumContent::deserialize_reader(reader)?)),
            2 => Ok(Said::Unreadable(String::deserialize_reader(reader)?)),
            other => Err(invalid(format!("{other} is no kind of record"))),
        }
    }
}

impl Entry {
    /// Reads what a record says.
    pub fn read(record: QuorumRecord) -> Entry {
        let said = match record.content {
            QuorumContent::Data(value) => match MetadataRecord::decode_versioned(&value) {
                Ok((record, version)) => Said::Record(record, version),
                Err(error) => Said::Unreadable(error.to_string()),
            },
            control => Said::Control(control),
        };
        let QuorumRecord { offset, epoch, timestamp_ms, batch, .. } = record;
        Entry { offset, epoch, timestamp_ms, batch, said }
    }

    /// Kafka's name of its type, as `TopicRecord`.
    pub fn kind(&self) -> &'static str {
        match &self.said {
            Said::Record(record, _) => record.name(),
            Said::Control(QuorumContent::LeaderChange(_)) => "LeaderChangeMessage",
            Said::Control(QuorumContent::KRaftVersion(_)) => "KRaftVersionRecord",
            Said::Control(QuorumContent::Voters(_)) => "VotersRecord",
            Said::Control(QuorumContent::SnapshotHeader(_)) => "SnapshotHeaderRecord",
            Said::Control(QuorumContent::SnapshotFooter) => "SnapshotFooterRecord",
            Said::Control(_) | Said::Unreadable(_) => "Unknown",
        }
    }

    /// Whether it only lets the high watermark move on.
    pub fn is_no_op(&self) -> bool {
        matches!(self.said, Said::Record(MetadataRecord::NoOp(_), _))
    }

    /// Whether it is one of the quorum's own.
    pub fn is_control(&self) -> bool {
        matches!(self.said, Said::Control(_))
    }

    /// In a sentence. Topics are named as the image knows them, else by their ids; what may be a secret is hidden.
    pub fn words(&self, image: &Image) -> String {
        match &self.said {
            Said::Record(record, _) => words::of(record, image),
            Said::Unreadable(why) => format!("It cannot be read: {why}."),
            Said::Control(QuorumContent::LeaderChange(change)) => {
                let ids = |voters: &[broker::records::control::Voter]| {
                    names::nodes(&voters.iter().map(|voter| voter.id).collect::<Vec<_>>())
                };
                let by = ids(&change.granting_voters);
                let (leader, of) = (names::node(change.leader_id), ids(&change.voters));
                format!("{leader} leads epoch {}, elected by {by} of {of}", self.epoch)
            }
            Said::Control(QuorumContent::KRaftVersion(version)) => format!("kraft.version is {version} now"),
            Said::Control(QuorumContent::Voters(voters)) => {
                let ids: Vec<i32> = voters.iter().map(|voter| voter.id).collect();
                format!("The voters are {} now", names::nodes(&ids))
            }
            Said::Control(QuorumContent::SnapshotHeader(_)) => "A snapshot begins".into(),
            Said::Control(QuorumContent::SnapshotFooter) => "A snapshot ends".into(),
            Said::Control(_) => "A control record of a kind that is not known here".into(),
        }
    }

    /// As `kafka-dump-log.sh --cluster-metadata-decoder` tells it; what may be a secret is hidden, which that tool does not do.
    pub fn json(&self) -> Value {
        match &self.said {
            Said::Record(record, version) => {
                let record = without_secret(record);
                json!({"type": constant_case(record.name()), "version": version, "data": record.json(*version)})
            }
            Said::Unreadable(why) => json!({"unreadable": why}),
            Said::Control(QuorumContent::LeaderChange(change)) => json!({
                "type": self.kind(), "version": change.version, "leaderId": change.leader_id,
                "voters": change.voters.iter().map(voter).collect::<Vec<_>>(),
                "grantingVoters": change.granting_voters.iter().map(voter).collect::<Vec<_>>(),
            }),
            Said::Control(QuorumContent::KRaftVersion(version)) => {
                json!({"type": self.kind(), "version": 0, "kRaftVersion": version})
            }
            Said::Control(QuorumContent::Voters(voters)) => {
                let one = |voter: &broker::records::control::VoterDescription| {
                    let endpoint = |one: &broker::records::control::VoterEndpoint| json!({"name": one.name, "host": one.host, "port": one.port});
                    json!({
                        "voterId": voter.id, "voterDirectoryId": voter.directory_id.to_string(),
                        "endpoints": voter.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
                        "kRaftVersionFeature": {
                            "minSupportedVersion": voter.min_kraft_version, "maxSupportedVersion": voter.max_kraft_version,
                        },
                    })
                };
                json!({"type": self.kind(), "version": 0, "voters": voters.iter().map(one).collect::<Vec<_>>()})
            }
            Said::Control(QuorumContent::SnapshotHeader(at_ms)) => {
                json!({"type": self.kind(), "version": 0, "lastContainedLogTimestamp": at_ms})
            }
            Said::Control(_) => json!({"type": self.kind()}),
        }
    }
}

fn voter(voter: &broker::records::control::Voter) -> Value {
    if voter.directory_id.is_zero() {
        json!({"voterId": voter.id})
    } else {
        json!({"voterId": voter.id, "voterDirectoryId": voter.directory_id.to_string()})
    }
}

/// A config's value may be a secret.
fn without_secret(record: &MetadataRecord) -> MetadataRecord {
    let mut record = record.clone();
    if let MetadataRecord::Config(config) = &mut record
        && let Some(value) = &config.value
        && let shown = shown_value(config.resource_type, &config.name, value)
        && shown == HIDDEN
    {
        config.value = Some(shown);
    }
    record
}

/// `REGISTER_BROKER_RECORD` of `RegisterBrokerRecord`.
fn constant_case(name: &str) -> String {
    let mut constant = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}

#[cfg(test)]
mod tests {
    use broker::metadata::record::{ConfigRecord, NoOpRecord, TopicRecord};
    use broker::records::control::{LeaderChange, Voter};
    use broker::types::Id;

    use super::*;

    fn entry(content: QuorumContent) -> Entry {
        Entry::read(QuorumRecord { offset: 7, epoch: 3, timestamp_ms: 9, batch: 6, content })
    }

    fn record(record: MetadataRecord) -> Entry {
        entry(QuorumContent::Data(record.encode()))
    }

    #[test]
    fn a_record_reads_as_kafkas_tool_tells_it() {
        let topic = record(TopicRecord { name: "orders".into(), topic_id: Id([1; 16]) }.into());
        assert_eq!(topic.kind(), "TopicRecord");
        assert_eq!(
            topic.json().to_string(),
            r#"{"data":{"name":"orders","topicId":"AQEBAQEBAQEBAQEBAQEBAQ"},"type":"TOPIC_RECORD","version":0}"#
        );
        assert!(record(NoOpRecord::default().into()).is_no_op() && !topic.is_no_op() && !topic.is_control());
    }

    #[test]
    fn secrets_are_hidden_and_what_is_none_is_not() {
        let config = |resource_type, name: &str, value: &str| {
            let (name, value) = (name.into(), Some(value.into()));
            record(ConfigRecord { resource_type, resource_name: "1".into(), name, value }.into())
        };
        let secret = config(4, "ssl.keystore.password", "s3cret");
        assert_eq!(secret.json()["data"]["value"], HIDDEN);
        assert!(!secret.words(&Image::default()).contains("s3cret"), "{}", secret.words(&Image::default()));
        assert_eq!(config(2, "retention.ms", "1000").json()["data"]["value"], "1000");
    }

    #[test]
    fn who_was_elected_and_by_whom() {
        let voter = |id| Voter { id, directory_id: Id::ZERO };
        let change = LeaderChange {
            version: 0,
            leader_id: 3001,
            voters: [3000, 3001, 3002].map(voter).to_vec(),
            granting_voters: [3001, 3002].map(voter).to_vec(),
        };
        let entry = entry(QuorumContent::LeaderChange(change));
        assert_eq!(
            entry.words(&Image::default()),
            "Controller 3001 leads epoch 3, elected by 3001, 3002 of 3000, 3001, 3002"
        );
        assert!(entry.is_control());
        assert_eq!(entry.json()["grantingVoters"][1]["voterId"], 3002);
    }

    #[test]
    fn what_is_no_record_says_so() {
        let broken = entry(QuorumContent::Data(Bytes::from_static(&[9, 9, 9])));
        assert_eq!(broken.kind(), "Unknown");
        assert!(broken.words(&Image::default()).contains("frame version 9"));
    }
}
