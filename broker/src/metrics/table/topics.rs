//! Traffic of a broker, of all topics and of each. A topic's series are told once there is something to tell.
//!
//! Source: `org.apache.kafka.storage.log.metrics.BrokerTopicMetrics`, `BrokerTopicStats`, and where `kafka.server.ReplicaManager` and
//! `kafka.server.share.SharePartitionManager` mark them.

super::beans! {
    /// Records appended here as leader, those of the broker's own coordinators included.
    MESSAGES_IN: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "MessagesInPerSec", ["topic"];
    /// Record bytes appended here as leader, those of the broker's own coordinators included.
    BYTES_IN: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "BytesInPerSec", ["topic"];
    /// Record bytes given to consumers.
    BYTES_OUT: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "BytesOutPerSec", ["topic"];
    /// Record bytes refused because a batch is larger than max.message.bytes.
    BYTES_REJECTED: Meter, Bytes, Broker, "kafka.server", "BrokerTopicMetrics", "BytesRejectedPerSec", ["topic"];
    /// Appends to a partition that failed for a reason which is not expected of clients.
    FAILED_PRODUCE_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedProduceRequestsPerSec", ["topic"];
    /// Reads of a partition that failed for a reason which is not expected of clients.
    FAILED_FETCH_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedFetchRequestsPerSec", ["topic"];
    /// Appends to a partition that were tried, by clients and by the broker's own coordinators.
    TOTAL_PRODUCE_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "TotalProduceRequestsPerSec", ["topic"];
    /// Partitions that consumers' Fetch requests asked for. Followers are not counted here: they are told only what is news.
    TOTAL_FETCH_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "TotalFetchRequestsPerSec", ["topic"];
    /// Topics that ShareFetch requests asked for.
    TOTAL_SHARE_FETCH_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "TotalShareFetchRequestsPerSec", ["topic"];
    /// Topics that ShareFetch requests asked for in vain.
    FAILED_SHARE_FETCH_REQUESTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedShareFetchRequestsPerSec", ["topic"];
    /// Topics of which share consumers acknowledged records.
    TOTAL_SHARE_ACKNOWLEDGEMENTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "TotalShareAcknowledgementRequestsPerSec", ["topic"];
    /// Topics of which share consumers acknowledged records in vain.
    FAILED_SHARE_ACKNOWLEDGEMENTS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "FailedShareAcknowledgementRequestsPerSec", ["topic"];
    /// Records that were packed anew because the topic wants another compression than their producer's.
    PRODUCE_MESSAGE_CONVERSIONS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "ProduceMessageConversionsPerSec", ["topic"];
    /// Records without a key that clients sent to a compacted topic.
    NO_KEY_COMPACTED_TOPIC_RECORDS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "NoKeyCompactedTopicRecordsPerSec", [];
    /// Batches refused because their format is not the one that is expected.
    INVALID_MAGIC_NUMBER_RECORDS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "InvalidMagicNumberRecordsPerSec", [];
    /// Batches refused because their checksum does not fit.
    INVALID_MESSAGE_CRC_RECORDS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "InvalidMessageCrcRecordsPerSec", [];
    /// Batches refused because their offsets or their sequence numbers make no sense.
    INVALID_OFFSET_OR_SEQUENCE_RECORDS: Meter, Count, Broker, "kafka.server", "BrokerTopicMetrics", "InvalidOffsetOrSequenceRecordsPerSec", [];
}
