//! Nodes: names, threads, sockets, replication, quotas, metrics.

pub(super) const TEXTS: &[(&str, &str)] = &[
    (
        "advertised.listeners",
        "Addresses that a node tells clients to reach it by. The cluster sets them itself (--kafka-port, --bind).",
    ),
    (
        "alter.log.dirs.replication.quota.window.num",
        "Windows over which the rate of moves between log directories is measured. Accepted and kept without effect \
         here: a move is paced slice by slice.",
    ),
    (
        "alter.log.dirs.replication.quota.window.size.seconds",
        "Length of a window of the rate of moves between log directories, in seconds. Accepted and kept without effect \
         here: a move is paced slice by slice.",
    ),
    (
        "auto.leader.rebalance.enable",
        "Whether the controller gives leadership back to preferred replicas (the first of each partition's) that are \
         in sync; it looks every leader.imbalance.check.interval.seconds.",
    ),
    (
        "background.threads",
        "Threads for various work in the background. Accepted and kept without effect here: a broker is one thread. A \
         change while the cluster runs may at most double it, or halve it.",
    ),
    (
        "broker.heartbeat.interval.ms",
        "How often a broker tells the controller that it is alive, in ms. At most half of broker.session.timeout.ms.",
    ),
    ("broker.id", "The node's number under its older name; see node.id. The cluster numbers its nodes itself."),
    (
        "broker.rack",
        "Zone that a broker stands in. Replicas of a partition are spread over zones. The cluster sets it itself \
         (--zones).",
    ),
    (
        "broker.session.timeout.ms",
        "A broker that the controller does not hear from for this long, in ms, is fenced: it leads nothing and leaves \
         every ISR.",
    ),
    (
        "client.quota.callback.class",
        "Java class that decides about client quotas in place of Kafka's own rules. Accepted and kept without effect \
         here: there is no JVM to load it.",
    ),
    (
        "config.providers",
        "Names of plugins that fetch the values of configs from elsewhere, such as a vault. Accepted and kept without \
         effect here: there is no JVM to load them.",
    ),
    (
        "connection.failed.authentication.delay.ms",
        "How long a connection is held before it is closed after a failed authentication, in ms. Accepted and kept \
         without effect here: nobody authenticates yet.",
    ),
    (
        "connections.max.idle.ms",
        "How long a connection may be idle before it is closed, in ms. Accepted and kept without effect here: an idle \
         connection costs little, and stays.",
    ),
    (
        "controlled.shutdown.enable",
        "Whether a broker that is stopped first hands its leaderships over. Accepted and kept without effect here: a \
         stop always does so, a kill never.",
    ),
    (
        "controller.listener.names",
        "Names of the listeners by which controllers are reached. The cluster sets them itself.",
    ),
    (
        "controller.performance.always.log.threshold.ms",
        "A controller's event that takes longer than this, in ms, is logged in any case. Accepted and kept without \
         effect here.",
    ),
    (
        "controller.performance.sample.period.ms",
        "How often the slowest of a controller's events is logged, in ms. Accepted and kept without effect here.",
    ),
    (
        "controller.quota.window.num",
        "Windows of controller.quota.window.size.seconds over which the rate of topic creations, deletions and the \
         like is measured; more of them allow longer bursts.",
    ),
    ("controller.quota.window.size.seconds", "Length of a window of the rate of controller mutations, in seconds."),
    (
        "controller.socket.timeout.ms",
        "How long a controller would wait for a broker's answer, in ms. Accepted and kept without effect here: brokers \
         fetch their metadata, and controllers do not call them.",
    ),
    ("default.replication.factor", "Replicas of each partition of a topic that is created without saying how many."),
    (
        "delete.records.purgatory.purge.interval.requests",
        "Finished requests after which waiting DeleteRecords requests are cleared up. Accepted and kept without effect \
         here: each goes as soon as it is done.",
    ),
    (
        "delete.topic.enable",
        "Whether topics can be deleted. Without it DeleteTopics is refused with TOPIC_DELETION_DISABLED.",
    ),
    (
        "early.start.listeners",
        "Listeners that may open before the authorizer is ready. Accepted and kept without effect here: there is no \
         authorizer yet.",
    ),
    (
        "fetch.max.bytes",
        "Most bytes that a broker gives in one answer to a fetch, whatever the client asks for. The first batch is \
         given whole even if it is larger.",
    ),
    (
        "fetch.purgatory.purge.interval.requests",
        "Finished requests after which waiting fetches are cleared up. Accepted and kept without effect here: each \
         goes as soon as it is done.",
    ),
    (
        "initial.broker.registration.timeout.ms",
        "How long a starting broker tries to register with the controller before it gives up, in ms. Accepted and kept \
         without effect here: it goes on trying.",
    ),
    (
        "inter.broker.listener.name",
        "Name of the listener by which brokers reach each other. The cluster sets it itself: its nodes talk over a \
         network of their own.",
    ),
    (
        "kafka.metrics.polling.interval.secs",
        "How often the reporters of kafka.metrics.reporters take values, in seconds. Accepted and kept without effect \
         here: there is no JVM to load them; see /metrics on the HTTP port.",
    ),
    (
        "kafka.metrics.reporters",
        "Java classes that report the broker's older (Yammer) metrics. Accepted and kept without effect here: there is \
         no JVM to load them; see /metrics on the HTTP port.",
    ),
    (
        "leader.imbalance.check.interval.seconds",
        "How often the controller looks for partitions that are not led by their preferred replica, in seconds; see \
         auto.leader.rebalance.enable.",
    ),
    (
        "listener.security.protocol.map",
        "Which security protocol each listener speaks. The cluster sets it itself; there is plaintext only yet.",
    ),
    ("listeners", "Addresses that a node listens on. The cluster sets them itself (--kafka-port, --bind)."),
    (
        "max.connection.creation.rate",
        "Most new connections that a broker takes in a second; those above wait. The default is no limit.",
    ),
    (
        "max.connections",
        "Most connections that a broker has at a time; those above are refused. A lower limit closes nobody who is \
         connected already.",
    ),
    (
        "max.connections.per.ip",
        "Most connections that a broker has with one address at a time, unless max.connections.per.ip.overrides names \
         the address.",
    ),
    (
        "max.connections.per.ip.overrides",
        "Limits of single addresses in place of max.connections.per.ip, as address:count with commas between. \
         Addresses only here: host names are not looked up.",
    ),
    (
        "max.incremental.fetch.session.cache.slots",
        "Fetch sessions that a broker remembers; by these, a client names only what changed since its last fetch. 0: \
         none, every fetch names all.",
    ),
    (
        "max.request.partition.size.limit",
        "Most partitions that one answer to DescribeTopicPartitions holds; the client asks again for the rest.",
    ),
    (
        "metric.reporters",
        "Java classes that report a node's metrics. Accepted and kept without effect here: there is no JVM to load \
         them; see /metrics on the HTTP port.",
    ),
    (
        "metrics.num.samples",
        "Samples over which a metric's rate or average is reckoned. Accepted and kept without effect here: metrics are \
         counted another way.",
    ),
    (
        "metrics.recording.level",
        "How detailed metrics are: INFO, DEBUG or TRACE. Accepted and kept without effect here: all of ours are always \
         counted.",
    ),
    (
        "metrics.sample.window.ms",
        "Time that one sample of a metric covers, in ms. Accepted and kept without effect here: metrics are counted \
         another way.",
    ),
    (
        "node.id",
        "The node's number, which no other node of the cluster has. The cluster numbers its nodes itself: brokers from \
         1 on, controllers from 3000 on.",
    ),
    (
        "num.io.threads",
        "Threads that work on requests. Accepted and kept without effect here: a broker is one thread. A change while \
         the cluster runs may at most double it, or halve it.",
    ),
    (
        "num.network.threads",
        "Threads that read requests from the network and write answers. Accepted and kept without effect here: a \
         broker is one thread.",
    ),
    (
        "num.replica.alter.log.dirs.threads",
        "Threads that move replicas from one log directory to another; unset: one for each directory. Accepted and \
         kept without effect here: a broker moves them on its own thread.",
    ),
    (
        "num.replica.fetchers",
        "Threads that fetch from each leader. Accepted and kept without effect here: a follower fetches all of a \
         leader's partitions together. A change while the cluster runs may at most double it, or halve it.",
    ),
    (
        "process.roles",
        "Whether a node is a broker, a controller, or both. The cluster sets it itself: here each node is one of them \
         only.",
    ),
    (
        "producer.purgatory.purge.interval.requests",
        "Finished requests after which writes that wait for replicas are cleared up. Accepted and kept without effect \
         here: each goes as soon as it is done.",
    ),
    (
        "queued.max.request.bytes",
        "Most bytes of requests that wait to be worked on; -1: no limit. Accepted and kept without effect here: a \
         connection is read no further while 64 of its requests are under way.",
    ),
    (
        "queued.max.requests",
        "Requests that may wait to be worked on before the network is read no further. Accepted and kept without \
         effect here: the limit is 64 for each connection.",
    ),
    (
        "quota.window.num",
        "Windows of quota.window.size.seconds over which clients' rates are measured for their quotas; more of them \
         allow longer bursts.",
    ),
    ("quota.window.size.seconds", "Length of a window of the rates of clients' quotas, in seconds."),
    ("replica.fetch.backoff.ms", "Pause of a follower before it fetches again what failed, in ms."),
    (
        "replica.fetch.max.bytes",
        "Bytes that a follower asks for of each partition in a fetch. A first batch that is larger comes all the same.",
    ),
    (
        "replica.fetch.min.bytes",
        "Bytes that a leader waits for before it answers a follower, until replica.fetch.wait.max.ms is over.",
    ),
    (
        "replica.fetch.response.max.bytes",
        "Bytes that a follower asks for in a fetch of all partitions together. A first batch that is larger comes all \
         the same.",
    ),
    (
        "replica.fetch.wait.max.ms",
        "Longest time that a follower's fetch waits at the leader for something new, in ms. At most \
         replica.lag.time.max.ms, or partitions without traffic would lose their followers.",
    ),
    (
        "replica.high.watermark.checkpoint.interval.ms",
        "How often a broker writes down the high watermarks of its replicas, in ms; here also up to where its logs are \
         flushed and where they begin.",
    ),
    (
        "replica.lag.time.max.ms",
        "A follower that has not caught up with its leader for this long, in ms, is taken out of the ISR.",
    ),
    (
        "replica.selector.class",
        "Java class that decides which replica a consumer reads from (KIP-392). Accepted and kept without effect here: \
         the leader serves unless the consumer itself turns to a follower.",
    ),
    (
        "replica.socket.receive.buffer.bytes",
        "Buffer of the system's for what a follower receives, in bytes. Accepted and kept without effect here: nodes \
         hand records to each other in memory.",
    ),
    (
        "replica.socket.timeout.ms",
        "How long a follower waits for its leader's answer beyond the wait that it asked for, in ms. Here at most half \
         of replica.lag.time.max.ms, so that one lost message does not cost it the ISR.",
    ),
    ("replication.quota.window.num", "Windows over which the rate of throttled replication is measured."),
    ("replication.quota.window.size.seconds", "Length of a window of the rate of throttled replication, in seconds."),
    (
        "request.timeout.ms",
        "How long a node waits for another node's answer to a request that it passes on or makes itself, in ms.",
    ),
    (
        "security.inter.broker.protocol",
        "Security protocol between brokers. The cluster sets it itself: its nodes talk over a network of their own.",
    ),
    (
        "server.max.startup.time.ms",
        "Longest time that a start may take, in ms. Accepted and kept without effect here: recovery takes as long as \
         it takes.",
    ),
    (
        "socket.connection.setup.timeout.max.ms",
        "Longest time that a node waits for a connection to another to come about after repeated failures, in ms. \
         Accepted and kept without effect here: nodes need no connections.",
    ),
    (
        "socket.connection.setup.timeout.ms",
        "How long a node at first waits for a connection to another to come about, in ms. Accepted and kept without \
         effect here: nodes need no connections.",
    ),
    (
        "socket.listen.backlog.size",
        "Connections that the system holds until the broker takes them. Accepted and kept without effect here: the \
         system's default applies.",
    ),
    (
        "socket.receive.buffer.bytes",
        "Buffer of the system's for what a client sends, in bytes; -1: the system's default. Accepted and kept without \
         effect here: that default always applies.",
    ),
    (
        "socket.request.max.bytes",
        "Largest request that a broker reads, in bytes. A client that announces a larger one is disconnected.",
    ),
    (
        "socket.send.buffer.bytes",
        "Buffer of the system's for what a client receives, in bytes; -1: the system's default. Accepted and kept \
         without effect here: that default always applies.",
    ),
    (
        "telemetry.max.bytes",
        "Largest payload of metrics that a client may push (KIP-714), in bytes; larger ones are refused with \
         TELEMETRY_TOO_LARGE.",
    ),
    (
        "unclean.leader.election.enable",
        "Whether a replica that is not in sync may lead when no other is left. The partition then works again at the \
         price of records that were acknowledged.",
    ),
    (
        "unclean.leader.election.interval.ms",
        "How often the controller looks for partitions without a leader that may have an unclean one, in ms; here once \
         a second at most.",
    ),
    (
        "unstable.api.versions.enable",
        "Whether versions of APIs that are not released yet are offered. Accepted and kept without effect here: there \
         are none.",
    ),
    (
        "unstable.feature.versions.enable",
        "Whether levels of features that are not released yet can be taken. Accepted and kept without effect here: \
         there are none.",
    ),
];
