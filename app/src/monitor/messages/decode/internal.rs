//! Records of Kafka's internal topics, with the brokers' own code: committed offsets and groups, transactions, share partitions.

use broker::group::record::{self as groups, ConsumerRecord, Decoded as GroupChange, ShareRecord, StreamsRecord};
use broker::share_state::{StateRecord, decode_record};
use broker::transaction::record as transactions;

use super::tree::{Builder, Enough, Tree};
use super::{Fault, fault};
use crate::monitor::messages::time;

/// The topics whose records are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Internal {
    /// `__consumer_offsets`
    Offsets,
    /// `__transaction_state`
    Transactions,
    /// `__share_group_state`
    ShareStates,
}

impl Internal {
    /// The one of this name.
    pub fn of(topic: &str) -> Option<Internal> {
        match topic {
            "__consumer_offsets" => Some(Internal::Offsets),
            "__transaction_state" => Some(Internal::Transactions),
            "__share_group_state" => Some(Internal::ShareStates),
            _ => None,
        }
    }

    /// What its records are, in words.
    pub fn words(self) -> &'static str {
        match self {
            Internal::Offsets => "Kafka's group record",
            Internal::Transactions => "Kafka's transaction record",
            Internal::ShareStates => "Kafka's share state record",
        }
    }

    /// Reads key and value of a record; both say only together what they are.
    pub fn read(self, key: &[u8], value: Option<&[u8]>) -> Result<(Tree, Option<Tree>), Fault> {
        let wrong = |_| fault("record of this topic", 0, "no version that is known has such bytes");
        let mut out = Pair::default();
        // Nothing here is long enough to be cut.
        let _ = match self {
            Internal::Offsets => group(&mut out, groups::decode(key, value).map_err(wrong)?),
            Internal::Transactions => {
                let id = transactions::decode_key(key).map_err(wrong)?;
                let _ = out.key(|key| {
                    key.kind("transaction")?;
                    key.text_field("transactional id", &id)
                });
                match value.map(transactions::decode_value).transpose().map_err(wrong)? {
                    Some(txn) => out.value(|out| transaction(out, &txn)),
                    None => Ok(()),
                }
            }
            Internal::ShareStates => {
                let (partition, record) = decode_record(key, value).map_err(wrong)?;
                let _ = out.key(|key| {
                    key.kind(if matches!(record, StateRecord::Update(_)) { "share update" } else { "share snapshot" })?;
                    key.text_field("group", &partition.group_id)?;
                    key.text_field("topic id", &partition.id.topic_id.to_string())?;
                    key.number_field("partition", partition.id.partition)
                });
                share_state(&mut out, &record)
            }
        };
        Ok((out.key.finish(), out.value.map(Builder::finish)))
    }
}

struct Pair {
    key: Builder,
    value: Option<Builder>,
}

impl Default for Pair {
    fn default() -> Pair {
        Pair { key: Builder::new(super::tree::NODES_MAX), value: None }
    }
}

impl Pair {
    fn key(&mut self, fill: impl FnOnce(&mut Builder) -> Result<(), Enough>) -> Result<(), Enough> {
        self.key.object()?;
        fill(&mut self.key)
    }

    fn value(&mut self, fill: impl FnOnce(&mut Builder) -> Result<(), Enough>) -> Result<(), Enough> {
        let value = self.value.insert(Builder::new(super::tree::NODES_MAX));
        value.object()?;
        fill(value)
    }
}

/// Fields by name.
trait Fields {
    fn kind(&mut self, kind: &str) -> Result<(), Enough>;
    fn text_field(&mut self, name: &str, text: &str) -> Result<(), Enough>;
    fn number_field(&mut self, name: &str, number: impl ToString) -> Result<(), Enough>;
    fn time_field(&mut self, name: &str, at_ms: i64) -> Result<(), Enough>;
    fn list_field<T: AsRef<str>>(&mut self, name: &str, texts: impl Iterator<Item = T>) -> Result<(), Enough>;
    fn optional_field(&mut self, name: &str, text: Option<&str>) -> Result<(), Enough>;
}

impl Fields for Builder {
    fn kind(&mut self, kind: &str) -> Result<(), Enough> {
        self.name("record");
        self.symbol(kind)
    }

    fn text_field(&mut self, name: &str, text: &str) -> Result<(), Enough> {
        self.name(name);
        self.text(text)
    }

    fn number_field(&mut self, name: &str, number: impl ToString) -> Result<(), Enough> {
        self.name(name);
        self.number(number)
    }

    /// -1: never.
    fn time_field(&mut self, name: &str, at_ms: i64) -> Result<(), Enough> {
        self.name(name);
        if at_ms < 0 { self.number(at_ms) } else { self.symbol(&time::utc(at_ms)) }
    }

    fn list_field<T: AsRef<str>>(&mut self, name: &str, texts: impl Iterator<Item = T>) -> Result<(), Enough> {
        self.name(name);
        self.list()?;
        for text in texts {
            self.text(text.as_ref())?;
        }
        self.end();
        Ok(())
    }

    fn optional_field(&mut self, name: &str, text: Option<&str>) -> Result<(), Enough> {
        match text {
            Some(text) => self.text_field(name, text),
            None => {
                self.name(name);
                self.leaf(super::tree::What::Null)
            }
        }
    }
}

fn group(out: &mut Pair, change: GroupChange) -> Result<(), Enough> {
    match change {
        GroupChange::Offset { group, topic, partition, value } => {
            out.key(|key| {
                key.kind("offset commit")?;
                key.text_field("group", &group)?;
                key.text_field("topic", &topic)?;
                key.number_field("partition", partition)
            })?;
            let Some(value) = value else { return Ok(()) };
            out.value(|out| {
                out.number_field("offset", value.offset)?;
                out.number_field("leader epoch", value.leader_epoch)?;
                out.text_field("metadata", &value.metadata)?;
                out.time_field("committed at", value.commit_timestamp_ms)?;
                if let Some(at_ms) = value.expire_timestamp_ms {
                    out.time_field("expires at", at_ms)?;
                }
                if !value.topic_id.is_zero() {
                    out.text_field("topic id", &value.topic_id.to_string())?;
                }
                Ok(())
            })
        }
        GroupChange::Group { group, value } => {
            out.key(|key| {
                key.kind("group metadata")?;
                key.text_field("group", &group)
            })?;
            let Some(value) = value else { return Ok(()) };
            out.value(|out| classic(out, &value))
        }
        GroupChange::Consumer { group, record } => {
            out.key(|key| {
                let (kind, name) = consumer_kind(&record);
                key.kind(kind)?;
                key.text_field("group", &group)?;
                name.map_or(Ok(()), |(what, name)| key.text_field(what, &name))
            })?;
            if record.is_tombstone() { Ok(()) } else { out.value(|out| consumer(out, &record)) }
        }
        GroupChange::Share { group, record } => {
            out.key(|key| {
                let (kind, member) = share_kind(&record);
                key.kind(kind)?;
                key.text_field("group", &group)?;
                member.map_or(Ok(()), |member| key.text_field("member", member))
            })?;
            if record.is_tombstone() { Ok(()) } else { out.value(|out| share(out, &record)) }
        }
        GroupChange::Streams { group, record } => {
            out.key(|key| {
                let (kind, member) = streams_kind(&record);
                key.kind(kind)?;
                key.text_field("group", &group)?;
                member.map_or(Ok(()), |member| key.text_field("member", member))
            })?;
            if record.is_tombstone() { Ok(()) } else { out.value(|out| streams(out, &record)) }
        }
        GroupChange::Other(kind) => out.key(|key| key.number_field("unknown record", kind)),
    }
}

fn classic(out: &mut Builder, value: &groups::GroupRecord) -> Result<(), Enough> {
    out.text_field("protocol type", &value.protocol_type)?;
    out.number_field("generation", value.generation)?;
    out.optional_field("protocol", value.protocol.as_deref())?;
    out.optional_field("leader", value.leader.as_deref())?;
    out.time_field("in this state since", value.state_timestamp_ms)?;
    out.name("members");
    out.list()?;
    for member in &value.members {
        out.object()?;
        out.text_field("member", &member.member_id)?;
        out.optional_field("instance", member.instance_id.as_deref())?;
        out.text_field("client id", &member.client_id)?;
        out.text_field("host", &member.client_host)?;
        out.number_field("rebalance timeout ms", member.rebalance_timeout_ms)?;
        out.number_field("session timeout ms", member.session_timeout_ms)?;
        out.name("subscription");
        out.bytes(&member.subscription)?;
        out.name("assignment");
        out.bytes(&member.assignment)?;
        out.end();
    }
    out.end();
    Ok(())
}

fn consumer_kind(record: &ConsumerRecord) -> (&'static str, Option<(&'static str, String)>) {
    let member = |id: &str| Some(("member", id.to_owned()));
    match record {
        ConsumerRecord::Group(_) => ("consumer group", None),
        ConsumerRecord::PartitionMetadata(_) => ("consumer group's partitions", None),
        ConsumerRecord::Member(id, _) => ("consumer group member", member(id)),
        ConsumerRecord::TargetEpoch(_) => ("consumer group target assignment", None),
        ConsumerRecord::TargetMember(id, _) => ("consumer group target of a member", member(id)),
        ConsumerRecord::Current(id, _) => ("consumer group assignment of a member", member(id)),
        ConsumerRecord::Regex(regex, _) => ("consumer group regular expression", Some(("expression", regex.clone()))),
    }
}

fn consumer(out: &mut Builder, record: &ConsumerRecord) -> Result<(), Enough> {
    match record {
        ConsumerRecord::Group(Some((epoch, hash))) => group_epoch(out, *epoch, *hash),
        ConsumerRecord::TargetEpoch(Some((epoch, at_ms))) => target_epoch(out, *epoch, *at_ms),
        ConsumerRecord::Member(_, Some(member)) => {
            out.optional_field("instance", member.instance_id.as_deref())?;
            out.optional_field("rack", member.rack_id.as_deref())?;
            out.text_field("client id", &member.client_id)?;
            out.text_field("host", &member.client_host)?;
            out.list_field("topics", member.topics.iter())?;
            out.text_field("regular expression", &member.regex)?;
            out.number_field("rebalance timeout ms", member.rebalance_timeout_ms)?;
            out.optional_field("assignor", member.assignor.as_deref())
        }
        ConsumerRecord::TargetMember(_, Some(target)) => {
            let topics = target.iter().map(|(id, partitions)| (id.to_string(), partitions.iter().copied().collect()));
            partitions(out, "partitions", topics)
        }
        ConsumerRecord::Current(_, Some(current)) => {
            out.number_field("member epoch", current.epoch)?;
            out.number_field("previous epoch", current.previous_epoch)?;
            out.name("state");
            out.symbol(&format!("{:?}", current.state))?;
            let owned =
                |owned: &std::collections::BTreeMap<broker::types::Id, std::collections::BTreeMap<i32, i32>>| {
                    let topic = |(id, of): (&broker::types::Id, &std::collections::BTreeMap<i32, i32>)| {
                        (id.to_string(), of.keys().copied().collect())
                    };
                    owned.iter().map(topic).collect::<Vec<_>>()
                };
            partitions(out, "assigned", owned(&current.assigned).into_iter())?;
            partitions(out, "being given up", owned(&current.revoking).into_iter())
        }
        ConsumerRecord::Regex(_, Some(resolved)) => {
            out.list_field("topics", resolved.topics.iter())?;
            out.number_field("metadata offset", resolved.version)?;
            out.time_field("resolved at", resolved.timestamp_ms)
        }
        _ => Ok(()),
    }
}

fn group_epoch(out: &mut Builder, epoch: i32, hash: u64) -> Result<(), Enough> {
    out.number_field("group epoch", epoch)?;
    out.number_field("metadata hash", hash)
}

fn target_epoch(out: &mut Builder, epoch: i32, at_ms: i64) -> Result<(), Enough> {
    out.number_field("assignment epoch", epoch)?;
    out.time_field("worked out at", at_ms)
}

fn partitions(out: &mut Builder, name: &str, topics: impl Iterator<Item = (String, Vec<i32>)>) -> Result<(), Enough> {
    out.name(name);
    out.list()?;
    for (topic, ids) in topics {
        out.object()?;
        out.text_field("topic id", &topic)?;
        out.name("partitions");
        out.list()?;
        for id in ids {
            out.number(id)?;
        }
        out.end();
        out.end();
    }
    out.end();
    Ok(())
}

fn share_kind(record: &ShareRecord) -> (&'static str, Option<&str>) {
    match record {
        ShareRecord::Member(id, _) => ("share group member", Some(id)),
        ShareRecord::Group(_) => ("share group", None),
        ShareRecord::TargetEpoch(_) => ("share group target assignment", None),
        ShareRecord::TargetMember(id, _) => ("share group target of a member", Some(id)),
        ShareRecord::Current(id, _) => ("share group assignment of a member", Some(id)),
        ShareRecord::State(_) => ("share group's partitions", None),
    }
}

fn share(out: &mut Builder, record: &ShareRecord) -> Result<(), Enough> {
    match record {
        ShareRecord::Group(Some((epoch, hash))) => group_epoch(out, *epoch, *hash),
        ShareRecord::TargetEpoch(Some((epoch, at_ms))) => target_epoch(out, *epoch, *at_ms),
        ShareRecord::Member(_, Some(member)) => {
            out.optional_field("rack", member.rack_id.as_deref())?;
            out.text_field("client id", &member.client_id)?;
            out.text_field("host", &member.client_host)?;
            out.list_field("topics", member.topics.iter())
        }
        ShareRecord::TargetMember(_, Some(target)) => {
            let topics = target.iter().map(|(id, of)| (id.to_string(), of.iter().copied().collect()));
            partitions(out, "partitions", topics)
        }
        ShareRecord::Current(_, Some(current)) => {
            out.number_field("member epoch", current.epoch)?;
            out.number_field("previous epoch", current.previous_epoch)?;
            out.name("state");
            out.symbol(&format!("{:?}", current.state))?;
            let topics = current.assigned.iter().map(|(id, of)| (id.to_string(), of.iter().copied().collect()));
            partitions(out, "assigned", topics)
        }
        ShareRecord::State(Some(state)) => {
            out.name("state");
            out.symbol(&format!("{state:?}"))
        }
        _ => Ok(()),
    }
}

fn streams_kind(record: &StreamsRecord) -> (&'static str, Option<&str>) {
    match record {
        StreamsRecord::Group(_) => ("streams group", None),
        StreamsRecord::Member(id, _) => ("streams group member", Some(id)),
        StreamsRecord::TargetEpoch(_) => ("streams group target assignment", None),
        StreamsRecord::TargetMember(id, _) => ("streams group target of a member", Some(id)),
        StreamsRecord::Current(id, _) => ("streams group assignment of a member", Some(id)),
        StreamsRecord::Topology(_) => ("streams group topology", None),
    }
}

fn streams(out: &mut Builder, record: &StreamsRecord) -> Result<(), Enough> {
    if let StreamsRecord::TargetEpoch(Some((epoch, at_ms))) = record {
        return target_epoch(out, *epoch, *at_ms);
    }
    out.name("content");
    match record {
        StreamsRecord::Group(Some(group)) => out.symbol(&format!("{group:?}")),
        StreamsRecord::Member(_, Some(member)) => out.symbol(&format!("{member:?}")),
        StreamsRecord::TargetMember(_, Some(target)) => out.symbol(&format!("{target:?}")),
        StreamsRecord::Current(_, Some(current)) => out.symbol(&format!("{current:?}")),
        StreamsRecord::Topology(Some(topology)) => out.symbol(&format!("{topology:?}")),
        _ => Ok(()),
    }
}

fn transaction(out: &mut Builder, txn: &broker::transaction::metadata::Transaction) -> Result<(), Enough> {
    out.name("state");
    out.symbol(txn.state.name())?;
    out.number_field("producer id", txn.producer_id)?;
    out.number_field("producer epoch", txn.producer_epoch)?;
    out.number_field("previous producer id", txn.previous_producer_id)?;
    out.number_field("next producer id", txn.next_producer_id)?;
    out.number_field("last producer epoch", txn.last_producer_epoch)?;
    out.number_field("timeout ms", txn.timeout_ms)?;
    out.time_field("began at", txn.start_timestamp_ms)?;
    out.time_field("last changed at", txn.last_update_timestamp_ms)?;
    out.number_field("transaction version", txn.client_transaction_version)?;
    out.list_field("partitions", txn.partitions.iter().map(|one| format!("{}-{}", one.topic, one.partition)))
}

fn share_state(out: &mut Pair, record: &StateRecord) -> Result<(), Enough> {
    let batches = match record {
        StateRecord::Tombstone => return Ok(()),
        StateRecord::Snapshot(state) => {
            out.value(|out| {
                out.number_field("snapshot epoch", state.snapshot_epoch)?;
                out.number_field("state epoch", state.state_epoch)?;
                out.number_field("leader epoch", state.leader_epoch)?;
                out.number_field("start offset", state.start_offset)?;
                out.number_field("delivery complete", state.delivery_complete_count)?;
                out.time_field("created at", state.create_timestamp_ms)?;
                out.time_field("written at", state.write_timestamp_ms)
            })?;
            &state.batches
        }
        StateRecord::Update(update) => {
            out.value(|out| {
                out.number_field("snapshot epoch", update.snapshot_epoch)?;
                out.number_field("leader epoch", update.leader_epoch)?;
                out.number_field("start offset", update.start_offset)?;
                out.number_field("delivery complete", update.delivery_complete_count)
            })?;
            &update.batches
        }
    };
    let Some(out) = &mut out.value else { return Ok(()) };
    out.name("batches");
    out.list()?;
    for batch in batches {
        out.object()?;
        out.number_field("first offset", batch.first_offset)?;
        out.number_field("last offset", batch.last_offset)?;
        out.number_field("deliveries", batch.delivery_count)?;
        out.name("state");
        out.symbol(match batch.delivery_state {
            0 => "available",
            2 => "acknowledged",
            4 => "archived",
            _ => "unknown",
        })?;
        out.end();
    }
    out.end();
    Ok(())
}
