//! Requests of clients and of other nodes: how many, how large, how long. What nodes ask each other is passed in memory, so that no time goes
//! into queues and sockets; a controller has the series of an API from its first request on.
//!
//! Source: `org.apache.kafka.network.metrics.RequestMetrics`, `kafka.network.RequestChannel.Request.updateRequestMetrics`.

super::beans! {
    /// Requests that were answered.
    REQUESTS: Meter, Count, Node, "kafka.network", "RequestMetrics", "RequestsPerSec", ["request", "version"];
    /// Error codes in answers, NONE included, of the whole and of its parts.
    ERRORS: Meter, Count, Node, "kafka.network", "RequestMetrics", "ErrorsPerSec", ["request", "error"];
    /// Size of requests; another node's, which is passed in memory, counts as its body would be written.
    REQUEST_BYTES: Histogram, Bytes, Node, "kafka.network", "RequestMetrics", "RequestBytes", ["request"];
    /// How long it took to pack the records of a request anew, as their topics want it; a part of LocalTimeMs.
    MESSAGE_CONVERSIONS_TIME: Histogram, Millis, Broker, "kafka.network", "RequestMetrics", "MessageConversionsTimeMs", ["request"];
    /// How much memory that took; batches that stay as they are are checked where they lie, and take none.
    TEMPORARY_MEMORY: Histogram, Bytes, Broker, "kafka.network", "RequestMetrics", "TemporaryMemoryBytes", ["request"];
    /// From the moment that the request was there, on a socket or from another node, until the node's one thread began to work on it.
    REQUEST_QUEUE_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "RequestQueueTimeMs", ["request"];
    /// Work on the request until it was answered, or until it began to wait.
    LOCAL_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "LocalTimeMs", ["request"];
    /// Waiting: for in-sync replicas, for records, for other nodes.
    REMOTE_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "RemoteTimeMs", ["request"];
    /// For how long the client is not listened to after the answer, because of its quotas. No part of the total.
    THROTTLE_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "ThrottleTimeMs", ["request"];
    /// From the moment that the answer was ready until it began to be written: behind earlier answers, and until the writer got its turn.
    RESPONSE_QUEUE_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "ResponseQueueTimeMs", ["request"];
    /// Writing the answer to the socket.
    RESPONSE_SEND_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "ResponseSendTimeMs", ["request"];
    /// From the moment that the node saw the request until its answer was written.
    TOTAL_TIME: Histogram, Millis, Node, "kafka.network", "RequestMetrics", "TotalTimeMs", ["request"];
}
