//! Connections, bytes and the thread that serves them. A broker here is one thread, which is its only network processor and its only request
//! handler.
//!
//! Source: `kafka.network.{SocketServer, Acceptor, Processor, RequestChannel}`, `kafka.server.KafkaRequestHandlerPool`,
//! `org.apache.kafka.common.network.Selector.SelectorMetrics` (whose requests are what is written, and responses what is read).

super::beans! {
    /// Requests that have come and are held back behind one of their connection that waits for a transaction's coordinator.
    REQUEST_QUEUE_SIZE: Gauge, Count, Broker, "kafka.network", "RequestChannel", "RequestQueueSize", [];
    /// Answers that are ready and have not begun to be written.
    RESPONSE_QUEUE_SIZE: Gauge, Count, Broker, "kafka.network", "RequestChannel", "ResponseQueueSize", ["processor"];
    /// Share of the last seconds in which the broker's thread slept, as it had nothing to do; 0 to 1.
    PROCESSOR_IDLE: Gauge, Ratio, Broker, "kafka.network", "Processor", "IdlePercent", ["networkProcessor"];
    /// Share of the last seconds in which the broker's thread slept, as it had nothing to do; 0 to 1.
    PROCESSORS_IDLE: Gauge, Ratio, Broker, "kafka.network", "SocketServer", "NetworkProcessorAvgIdlePercent", [];
    /// Nanoseconds in which no connection was taken because of the quota of new ones; the rates are shares, 0 to 1.
    ACCEPTOR_BLOCKED: Meter, Nanos, Broker, "kafka.network", "Acceptor", "AcceptorBlockedPercent", ["listener"];
    /// Nanoseconds in which the broker's thread slept, as it had nothing to do; the rates are shares, 0 to 1.
    HANDLER_IDLE: Meter, Nanos, Broker, "kafka.server", "KafkaRequestHandlerPool", "RequestHandlerAvgIdlePercent", [];
    /// Nanoseconds in which the broker's thread slept, as it had nothing to do; the rates are shares, 0 to 1.
    BROKER_HANDLER_IDLE: Meter, Nanos, Broker, "kafka.server", "KafkaRequestHandlerPool", "BrokerRequestHandlerAvgIdlePercent", [];
    /// Open connections.
    CONNECTION_COUNT: Attribute, Count, Broker, "kafka.server", "socket-server-metrics", "connection-count", ["listener", "networkProcessor"];
    /// Open connections of clients by their software. The first 100 kinds; the others together are "other".
    CONNECTIONS: Attribute, Count, Broker, "kafka.server", "socket-server-metrics", "connections", ["clientSoftwareName", "clientSoftwareVersion", "listener", "networkProcessor"];
    /// Connections opened, per second.
    CREATION_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "connection-creation-rate", ["listener", "networkProcessor"];
    /// Connections opened.
    CREATION_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "connection-creation-total", ["listener", "networkProcessor"];
    /// Connections closed, per second.
    CLOSE_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "connection-close-rate", ["listener", "networkProcessor"];
    /// Connections closed.
    CLOSE_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "connection-close-total", ["listener", "networkProcessor"];
    /// Bytes read from sockets, per second.
    INCOMING_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "socket-server-metrics", "incoming-byte-rate", ["listener", "networkProcessor"];
    /// Bytes read from sockets.
    INCOMING_BYTE_TOTAL: Total, Bytes, Broker, "kafka.server", "socket-server-metrics", "incoming-byte-total", ["listener", "networkProcessor"];
    /// Bytes written to sockets, per second.
    OUTGOING_BYTE_RATE: Attribute, BytesPerSecond, Broker, "kafka.server", "socket-server-metrics", "outgoing-byte-rate", ["listener", "networkProcessor"];
    /// Bytes written to sockets.
    OUTGOING_BYTE_TOTAL: Total, Bytes, Broker, "kafka.server", "socket-server-metrics", "outgoing-byte-total", ["listener", "networkProcessor"];
    /// Reads and writes of sockets, per second.
    NETWORK_IO_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "network-io-rate", ["listener", "networkProcessor"];
    /// Reads and writes of sockets.
    NETWORK_IO_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "network-io-total", ["listener", "networkProcessor"];
    /// Messages written, which are answers, per second.
    REQUEST_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "request-rate", ["listener", "networkProcessor"];
    /// Messages written, which are answers.
    REQUEST_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "request-total", ["listener", "networkProcessor"];
    /// Mean size of the messages written, which are answers.
    REQUEST_SIZE_AVG: Attribute, Bytes, Broker, "kafka.server", "socket-server-metrics", "request-size-avg", ["listener", "networkProcessor"];
    /// Greatest size of the messages written, which are answers.
    REQUEST_SIZE_MAX: Attribute, Bytes, Broker, "kafka.server", "socket-server-metrics", "request-size-max", ["listener", "networkProcessor"];
    /// Messages read, which are requests, per second.
    RESPONSE_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "response-rate", ["listener", "networkProcessor"];
    /// Messages read, which are requests.
    RESPONSE_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "response-total", ["listener", "networkProcessor"];
    /// Times that the broker's thread went to sleep until there is something to do, per second.
    SELECT_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "select-rate", ["listener", "networkProcessor"];
    /// Times that the broker's thread went to sleep until there is something to do.
    SELECT_TOTAL: Total, Count, Broker, "kafka.server", "socket-server-metrics", "select-total", ["listener", "networkProcessor"];
    /// Share of time in which the broker's thread slept.
    IO_WAIT_RATIO: Attribute, Ratio, Broker, "kafka.server", "socket-server-metrics", "io-wait-ratio", ["listener", "networkProcessor"];
    /// Mean length of a sleep of the broker's thread.
    IO_WAIT_TIME_AVG: Attribute, Nanos, Broker, "kafka.server", "socket-server-metrics", "io-wait-time-ns-avg", ["listener", "networkProcessor"];
    /// How long the broker's thread slept.
    IO_WAIT_TIME_TOTAL: Total, Nanos, Broker, "kafka.server", "socket-server-metrics", "io-wait-time-ns-total", ["listener", "networkProcessor"];
    /// Connections accepted, per second.
    ACCEPT_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "connection-accept-rate", ["listener"];
    /// Connections accepted by all listeners, per second.
    BROKER_ACCEPT_RATE: Attribute, PerSecond, Broker, "kafka.server", "socket-server-metrics", "broker-connection-accept-rate", [];
    /// Mean time for which no connection was accepted, because of the broker's quota.
    ACCEPT_THROTTLE_TIME: Attribute, Millis, Broker, "kafka.server", "socket-server-metrics", "connection-accept-throttle-time", ["listener"];
    /// Mean time for which a connection was held before it was closed, because of its address's quota.
    IP_ACCEPT_THROTTLE_TIME: Attribute, Millis, Broker, "kafka.server", "socket-server-metrics", "ip-connection-accept-throttle-time", ["listener"];
}
