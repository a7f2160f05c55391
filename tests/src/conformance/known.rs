//! Differences that are as they should be, each with its reason. Everything else is red.

use serde_json::{Value, json};

use super::compare::Difference;

/// A difference that has a reason.
pub struct Known {
    /// Short name.
    pub id: &'static str,
    /// Why ours is as it is.
    pub reason: &'static str,
    /// Which differences it explains.
    pub covers: fn(&Difference) -> bool,
}

fn is_silent(kafka: &Value) -> bool {
    kafka == &json!({"!": "no answer"})
}

/// All of them. They stand in `tests/README.md`, too, which a test sees to.
pub const KNOWN: &[Known] = &[
    Known {
        id: "apis-not-offered",
        reason: "An API that we do not offer yet is not listed by ApiVersions; the broker's README has the list.",
        covers: |one| {
            let key = one.kafka["ApiKey"].as_i64().and_then(|key| i16::try_from(key).ok());
            one.api == "ApiVersions"
                && one.path == ".ApiKeys[]"
                && one.ours == "(absent)"
                && key.is_some_and(|key| broker::protocol::Api::from_key(key).is_none())
        },
    },
    Known {
        id: "telemetry-without-a-plugin",
        reason: "Kafka lists GetTelemetrySubscriptions and PushTelemetry where a plugin takes what clients push; ours takes it itself.",
        covers: |one| {
            one.api == "ApiVersions"
                && one.path == ".ApiKeys[]"
                && one.kafka == "(absent)"
                && [71, 72].map(Value::from).contains(&one.ours["ApiKey"])
        },
    },
    Known {
        id: "own-documentation",
        reason: "Documentation is in our own words: Kafka's texts are Kafka's, and some keys have no effect here.",
        covers: |one| {
            let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
            one.api == "DescribeConfigs"
                && one.path.ends_with(".Documentation")
                && is_text(&one.kafka)
                && is_text(&one.ours)
        },
    },
    Known {
        id: "own-places",
        reason: "Where it listens, ours says as a config of its own (advertised.listeners).",
        covers: |one| one.api == "DescribeConfigs" && one.path.contains("[advertised.listeners]."),
    },
    Known {
        id: "order-of-hash-maps",
        reason: "Kafka gives some lists in the order of a hash map, or shuffled (DeleteTopics); ours are sorted, or in the order of the request.",
        covers: |one| {
            let many = ["Topics = []", "Topics = null", ": bad names"].iter().any(|part| one.key.contains(part));
            match one.api.as_str() {
                "ConsumerGroupDescribe" | "ConsumerGroupHeartbeat" | "ShareGroupDescribe" | "ShareGroupHeartbeat" => {
                    [".SubscribedTopicNames[] order", ".TopicPartitions[] order"]
                        .iter()
                        .any(|end| one.path.ends_with(end))
                }
                "DescribeConfigs" => one.path.ends_with(".Configs[] order"),
                "ShareFetch" | "ShareAcknowledge" => {
                    one.path == ".Responses[] order" || one.path == ".Responses[].Partitions[] order"
                }
                "DescribeClientQuotas" => one.path == ".Entries[] order",
                "DescribeQuorum" => one.path.ends_with(".Observers[] order"),
                "DeleteRecords" => one.path == ".Topics[].Partitions[] order",
                "DeleteTopics" => one.path == ".Responses[] order",
                "ElectLeaders" => {
                    one.path == ".ReplicaElectionResults[] order" && one.key.contains("TopicPartitions = null")
                }
                "ListConfigResources" => one.path == ".ConfigResources[] order",
                "AddPartitionsToTxn" => {
                    one.path.starts_with(".ResultsByT")
                        && one.path.ends_with(" order")
                        && one.key.contains("what is not")
                }
                "ListGroups" => one.path == ".Groups[] order",
                "ListOffsets" => one.path == ".Topics[].Partitions[] order",
                "Produce" => one.path.ends_with(".PartitionResponses[] order"),
                // Up to four names keep their order in a set of Scala's.
                "Metadata" => one.path == ".Topics[] order" && many,
                _ => false,
            }
        },
    },
    Known {
        id: "given-up-by-hash",
        reason: "Which of its partitions a member of a share group gives up to another goes by the hash of the topic's id in Kafka, and so \
                 differs from topic to topic; ours gives up the first.",
        covers: |one| {
            let share = ["ShareGroupHeartbeat", "ShareGroupDescribe"].contains(&one.api.as_str());
            share
                && one.path.ends_with(".Assignment.TopicPartitions[].Partitions[]")
                && one.kafka.is_i64()
                && one.ours.is_i64()
        },
    },
    Known {
        id: "whole-batches",
        reason: "Fetch gives whole batches; Kafka cuts the last one off at the limit, and the client throws that piece away.",
        covers: |one| match (one.kafka.as_str(), one.ours.as_str()) {
            (Some(kafka), Some(ours)) => {
                // No batch of the case is longer than 100 bytes.
                one.api == "Fetch"
                    && one.path == ".Responses[].Partitions[].Records"
                    && ours.len() > 2
                    && kafka.starts_with(ours)
                    && kafka.len() - ours.len() < 200
            }
            _ => false,
        },
    },
    Known {
        id: "compressed-batches-unopened",
        reason: "Where no record need be looked at, a compressed batch is not unpacked when it is produced, which saves the CPU; content that does \
                 not unpack is found by who reads it. Kafka unpacks every batch, and refuses such a one with UNKNOWN_SERVER_ERROR.",
        covers: |one| {
            let unopened = [" that is none to plain-", " that is none to append-time-", "zstd that is none to zstd-"];
            one.api == "Produce" && unopened.iter().any(|part| one.key.contains(part))
        },
    },
    Known {
        id: "producer-id-without-epoch",
        reason: "A batch with a producer id and no epoch is INVALID_RECORD; Kafka takes it, and breaks on it where it compresses \
                 anew (UNKNOWN_SERVER_ERROR), as on a timestamp of -2.",
        covers: |one| {
            let odd = [": a negative epoch to ", ": time -2 to zstd-"];
            one.api == "Produce" && odd.iter().any(|part| one.key.contains(part))
        },
    },
    Known {
        id: "protocol-named-twice",
        reason: "A protocol that a member names twice counts once; Kafka counts it twice, and so as none that all members have.",
        covers: |one| {
            one.api == "JoinGroup"
                && one.key.contains("each field of JoinGroup: Protocols = ")
                && [".ProtocolName", ".Members[].Metadata"].contains(&one.path.as_str())
        },
    },
    Known {
        id: "over-segments",
        reason: "Fetch goes on into the next segment; Kafka ends at the end of one (here a marker of today behind records of 2023 began it).",
        covers: |one| match (one.kafka.as_str(), one.ours.as_str()) {
            (Some(kafka), Some(ours)) => {
                one.api == "Fetch"
                    && one.path == ".Responses[].Partitions[].Records"
                    && one.key.contains("a transaction's life: is read when ended")
                    && kafka.len() > 2
                    && ours.starts_with(kafka)
            }
            _ => false,
        },
    },
    Known {
        id: "topic-named-twice",
        reason: "A topic that TxnOffsetCommit names twice is answered once, with the partitions of both; Kafka does that only where another \
                 partition is unknown.",
        covers: |one| {
            one.api == "TxnOffsetCommit"
                && one.key.contains("each field of TxnOffsetCommit: Topics = ")
                && one.path.starts_with(".Topics[]")
        },
    },
    Known {
        id: "long-texts-are-cut",
        reason: "A text of a client's in an error message is cut after 200 characters, so that no message grows with its request.",
        covers: |one| {
            let cut = one.kafka.as_str().map(|text| text.replace(&"x".repeat(250), &"x".repeat(200)));
            one.path.ends_with(".ErrorMessage") && cut.is_some() && cut.as_deref() == one.ours.as_str()
        },
    },
    Known {
        id: "kafka-never-answers",
        reason: "Kafka fails inside and never answers AlterConfigs with a resource twice, nor Produce with null records: we refuse both; nor \
                 AddPartitionsToTxn of no transaction, where there is nothing to answer.",
        covers: |one| {
            let code = match one.api.as_str() {
                "AlterConfigs" => one.ours["Responses"][0]["ErrorCode"] == 42,
                "Produce" => one.ours["Responses"][0]["PartitionResponses"][0]["ErrorCode"] == 87,
                "AddPartitionsToTxn" => one.ours["ResultsByTransaction"] == json!([]),
                _ => false,
            };
            is_silent(&one.kafka) && code
        },
    },
    Known {
        id: "large-requests",
        reason: "Only Produce may be larger than 8 MiB, since others take many times their size once decoded; Kafka has one limit for all \
                 (socket.request.max.bytes, 100 MiB).",
        covers: |one| one.key.ends_with("sizes: ten of them") && one.ours == json!({"!": "closed"}),
    },
    Known {
        id: "session-of-a-deleted-topic",
        reason: "In a fetch session by id, a topic that is gone is UNKNOWN_TOPIC_ID; Kafka remembers its name, and says \
                 UNKNOWN_TOPIC_OR_PARTITION, or INCONSISTENT_TOPIC_ID if the name is another topic's by now. Clients ask for metadata upon \
                 any of them.",
        covers: |one| {
            let told = match one.path.as_str() {
                ".Responses[].Partitions[].ErrorCode" => (one.kafka == 3 || one.kafka == 103) && one.ours == 100,
                ".Responses[].Partitions[].AbortedTransactions" => one.kafka.is_null(),
                _ => false,
            };
            one.key.contains("a topic made anew: the session when it is ") && told
        },
    },
    Known {
        id: "share-session-of-an-unknown-topic",
        reason: "A topic id that is none is UNKNOWN_TOPIC_ID in a share session; Kafka fails inside on a fetch that has one (UNKNOWN_SERVER_ERROR).",
        covers: |one| {
            let is_of_it = ["adds a topic that is not there", "hears of all errors again", ": Topics[0].TopicId = "];
            one.api == "ShareFetch" && is_of_it.iter().any(|label| one.key.contains(label))
        },
    },
    Known {
        id: "share-acknowledgement-before-all-offsets",
        reason: "An acknowledgement from offset -1 on is INVALID_RECORD_STATE where nothing is in flight; Kafka fails inside on it (UNKNOWN_SERVER_ERROR).",
        covers: |one| one.api.starts_with("Share") && one.key.contains("AcknowledgementBatches[0].FirstOffset = -1"),
    },
    Known {
        id: "share-session-of-a-closed-connection",
        reason: "A share session ends with the connection on which it began; Kafka may end one of the same member that began on the next (these come after a request that is closed upon).",
        covers: |one| {
            let follows = ["ForgottenTopicsData = 129 bytes", "AcknowledgementBatches[0].AcknowledgeTypes = [1,1]"];
            let is_swept = one.api.starts_with("Share") && one.key.contains("each field of Share");
            let ended = match one.path.as_str() {
                ".ErrorCode" => one.kafka == 122 && one.ours == 0,
                ".AcquisitionLockTimeoutMs" => one.kafka == 0,
                ".Responses[]" => one.kafka == "(absent)",
                _ => false,
            };
            is_swept && (ended || follows.iter().any(|label| one.key.contains(label)))
        },
    },
    Known {
        id: "partition-reassigned-twice",
        reason: "A partition that is named twice in one AlterPartitionReassignments is refused the second time; Kafka appends two records, each \
                 made for the same state.",
        covers: |one| {
            let path = ".Responses[].Partitions[].";
            one.api == "AlterPartitionReassignments"
                && one.path.starts_with(path)
                && (one.ours == 42 && one.kafka == 0
                    || one.kafka.is_null()
                        && one.ours.as_str().is_some_and(|text| text.ends_with("is named more than once.")))
        },
    },
    Known {
        id: "controllers-have-no-port",
        reason: "Our controllers are threads of the same process and listen at no port, so that DescribeQuorum has 0 for it and the configs \
                 name them otherwise.",
        covers: |one| {
            one.api == "DescribeQuorum" && one.path.ends_with(".Listeners[].Port") && one.ours == 0
                || one.api == "DescribeConfigs" && one.path.contains("[controller.quorum.voters]")
        },
    },
    Known {
        id: "voter-directories",
        reason: "Our voters say their directory id from the start; Kafka's are known by none before kraft.version 1.",
        covers: |one| {
            one.api == "DescribeQuorum"
                && one.path.ends_with(".CurrentVoters[].ReplicaDirectoryId")
                && one.kafka == crate::conformance::codec::ZERO_ID
                && one.ours == "directory"
        },
    },
    Known {
        id: "expected-members",
        reason: "A group of which Kafka has no record yet, only members that it waits for, is Dead in its answers until another group of the \
                 same partition writes; ours is Empty at once.",
        covers: |one| {
            one.api == "DescribeGroups"
                && one.key.contains(": is expected")
                && one.kafka == "Dead"
                && one.ours == "Empty"
        },
    },
    Known {
        id: "cursor-overflow",
        reason: "A cursor at partition 2147483647 makes Kafka's next cursor negative; ours says that nothing follows.",
        covers: |one| {
            one.api == "DescribeTopicPartitions"
                && one.path == ".NextCursor"
                && one.kafka["PartitionIndex"].as_i64().is_some_and(|index| index < 0)
                && one.ours.is_null()
        },
    },
];

/// The entry that explains a difference.
pub fn explain(difference: &Difference) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.covers)(difference)).map(|known| known.id)
}
