"""confluent-kafka (librdkafka): codecs, both group protocols, transactions, offsets by time, and the admin client in its breadth."""

import time

from confluent_kafka import (OFFSET_BEGINNING, Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, ConsumerGroupType, ElectionType, IsolationLevel,
                             KafkaError, KafkaException, Producer, TopicCollection, TopicPartition, libversion)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourceType)

from features import bootstrap, feature as run_feature, finish, raises, same

BASE = int(time.time() * 1000) - 3_600_000  # within the retention of any topic
NAME = f"confluent-kafka (librdkafka {libversion()[0]})"
admin = AdminClient({"bootstrap.servers": bootstrap})


def feature(name):
    return run_feature(NAME, name)


def create(topic, partitions=3):
    for future in admin.create_topics([NewTopic(topic, partitions, 3)]).values():
        future.result(30)


def produce(topic, values, **settings):
    errors = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", **settings})
    for number, value in enumerate(values):
        producer.produce(topic, key=f"k{number}", value=value, on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(60) == 0 and not errors, errors


def consume(consumer, count):
    read, end = [], time.time() + 45
    while len(read) < count:
        message = consumer.poll(1)
        assert time.time() < end, f"read {len(read)} of {count}"
        if message is None:
            continue
        assert message.error() is None, message.error()
        read.append(message)
    return read


def nothing(consumer, seconds=2):
    end = time.time() + seconds
    while time.time() < end:
        message = consumer.poll(0.2)
        assert message is None, f"unexpected {message.value()}"


def reader(group, **settings):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False, **settings})


def values_of(topic, count, isolation):
    consumer = reader("unused", **{"isolation.level": isolation})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(3)])
    read = [message.value() for message in consume(consumer, count)]
    nothing(consumer)
    consumer.close()
    return sorted(read)


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    @feature(f"idempotent produce and fetch, {codec}")
    def _():
        create(f"confluent-{codec}")
        produce(f"confluent-{codec}", [f"v{n}" for n in range(500)], **{"compression.type": codec})
        same("what was read", values_of(f"confluent-{codec}", 500, "read_uncommitted"), sorted(b"v%d" % n for n in range(500)))


@feature("keys, headers, timestamps, order in a partition")
def _():
    create("confluent-order", 1)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for n in range(300):
        producer.produce("confluent-order", key=f"k{n}", value=b"" if n == 1 else None if n == 2 else f"v{n}", headers=[("a", b"1"), ("a", b""), ("n", None)],
                         timestamp=BASE + n)
    same("unsent", producer.flush(60), 0)
    consumer = reader("unused")
    consumer.assign([TopicPartition("confluent-order", 0, 0)])
    read = consume(consumer, 300)
    same("offsets", [m.offset() for m in read], list(range(300)))
    same("keys", [m.key() for m in read], [b"k%d" % n for n in range(300)])
    same("empty and null", (read[1].value(), read[2].value()), (b"", None))
    same("headers", read[0].headers(), [("a", b"1"), ("a", b""), ("n", None)])
    same("timestamp", read[7].timestamp()[1], BASE + 7)
    same("offset by time", consumer.offsets_for_times([TopicPartition("confluent-order", 0, BASE + 100)], 30)[0].offset, 100)
    same("watermarks", consumer.get_watermark_offsets(TopicPartition("confluent-order", 0), 30), (0, 300))
    consumer.close()


for protocol in ["classic", "consumer"]:
    @feature(f"group.protocol={protocol}: commit, resume, describe")
    def _():
        topic, group = f"confluent-group-{protocol}", f"confluent-{protocol}"
        create(topic)
        produce(topic, [f"v{n}" for n in range(300)])
        consumer = reader(group, **{"group.protocol": protocol})
        consumer.subscribe([topic])
        consume(consumer, 300)
        consumer.commit(asynchronous=False)
        committed = consumer.committed([TopicPartition(topic, partition) for partition in range(3)], 30)
        same("committed", sum(position.offset for position in committed), 300)
        description = admin.describe_consumer_groups([group])[group].result(30)
        same("state", description.state, ConsumerGroupState.STABLE)
        same("members", len(description.members), 1)
        same("type", description.type, ConsumerGroupType.CONSUMER if protocol == "consumer" else ConsumerGroupType.CLASSIC)
        consumer.close()
        produce(topic, ["one more"])
        consumer = reader(group, **{"group.protocol": protocol})
        consumer.subscribe([topic])
        same("resumed with", [m.value() for m in consume(consumer, 1)], [b"one more"])
        nothing(consumer)
        consumer.close()

    @feature(f"group.protocol={protocol}: two members share, one leaves")
    def _():
        topic, group = f"confluent-two-{protocol}", f"confluent-two-{protocol}"
        create(topic, 6)
        one, two = (reader(group, **{"group.protocol": protocol, "client.id": name}) for name in ("one", "two"))
        one.subscribe([topic])
        two.subscribe([topic])
        end = time.time() + 40
        while not (len(one.assignment()) == 3 and len(two.assignment()) == 3):
            one.poll(0.1), two.poll(0.1)
            assert time.time() < end, f"assigned {len(one.assignment())} and {len(two.assignment())}"
        same("partitions", sorted(p.partition for p in one.assignment() + two.assignment()), list(range(6)))
        two.close()
        end = time.time() + 40
        while len(one.assignment()) != 6:
            one.poll(0.1)
            assert time.time() < end, f"assigned {len(one.assignment())} after the other left"
        one.close()


@feature("classic, cooperative-sticky, static members")
def _():
    create("confluent-static", 4)
    settings = {"partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 10000}
    one, two = (reader("confluent-static", **settings, **{"group.instance.id": name}) for name in ("one", "two"))
    for consumer in (one, two):
        consumer.subscribe(["confluent-static"])
    end = time.time() + 40
    while not (len(one.assignment()) == 2 and len(two.assignment()) == 2):
        one.poll(0.1), two.poll(0.1)
        assert time.time() < end, f"assigned {len(one.assignment())} and {len(two.assignment())}"
    members = admin.describe_consumer_groups(["confluent-static"])["confluent-static"].result(30).members
    same("instances", sorted(member.group_instance_id for member in members), ["one", "two"])
    one.close()
    two.close()


def transactional(name, **settings):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, **settings})
    producer.init_transactions(30)
    return producer


@feature("transactions: commit, abort, read_committed and read_uncommitted")
def _():
    create("confluent-txn")
    producer = transactional("confluent-txn")
    for number in range(10):
        producer.begin_transaction()
        for part in range(3):
            producer.produce("confluent-txn", f"{number}-{part}".encode(), partition=part)
        producer.flush(30)
        producer.abort_transaction(30) if number % 3 == 2 else producer.commit_transaction(30)
    everything = sorted(b"%d-%d" % (n, p) for n in range(10) for p in range(3))
    same("read_committed", values_of("confluent-txn", 21, "read_committed"), [v for v in everything if int(v[:1]) % 3 != 2])
    same("read_uncommitted", values_of("confluent-txn", 30, "read_uncommitted"), everything)


@feature("transactions: an open one holds read_committed back (last stable offset)")
def _():
    create("confluent-open", 1)
    producer = transactional("confluent-open")
    producer.begin_transaction()
    producer.produce("confluent-open", b"open", partition=0)
    producer.flush(30)
    produce("confluent-open", ["behind"])
    consumer = reader("unused", **{"isolation.level": "read_committed"})
    consumer.assign([TopicPartition("confluent-open", 0, OFFSET_BEGINNING)])
    nothing(consumer)
    latest = {OffsetSpec.latest(): None}
    for isolation, wanted in [(IsolationLevel.READ_COMMITTED, 0), (IsolationLevel.READ_UNCOMMITTED, 2)]:
        futures = admin.list_offsets({TopicPartition("confluent-open", 0): OffsetSpec.latest()}, isolation_level=isolation)
        same(f"latest, {isolation}", [future.result(30).offset for future in futures.values()], [wanted])
    producer.commit_transaction(30)
    same("after the commit", [m.value() for m in consume(consumer, 2)], [b"open", b"behind"])
    consumer.close()


for protocol in ["classic", "consumer"]:
    @feature(f"transactions: consume, transform, produce with offsets, group.protocol={protocol}")
    def _():
        source, sink, group = f"confluent-ctp-in-{protocol}", f"confluent-ctp-out-{protocol}", f"confluent-ctp-{protocol}"
        create(source), create(sink)
        produce(source, [f"v{n}" for n in range(100)])
        producer = transactional(group)
        consumer = reader(group, **{"isolation.level": "read_committed", "group.protocol": protocol})
        consumer.subscribe([source])
        done = 0
        while done < 100:
            batch = consume(consumer, 10)
            for attempt in (0, 1):  # first aborted, then the same again
                producer.begin_transaction()
                for message in batch:
                    producer.produce(sink, message.value())
                producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30)
                producer.commit_transaction(30) if attempt else producer.abort_transaction(30)
            done += len(batch)
        committed = consumer.committed([TopicPartition(source, partition) for partition in range(3)], 30)
        same("committed offsets", sum(position.offset for position in committed), 100)
        consumer.close()
        same("copies", values_of(sink, 100, "read_committed"), sorted(b"v%d" % n for n in range(100)))


@feature("transactions: a second producer of the same id fences the first")
def _():
    create("confluent-fence")
    first = transactional("confluent-fence")
    first.begin_transaction()
    first.produce("confluent-fence", b"zombie")
    first.flush(30)
    second = transactional("confluent-fence")
    try:
        first.commit_transaction(30)
        raise AssertionError("the first could commit")
    except KafkaException as error:
        same("code", error.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH), True)
        same("fatal", error.args[0].fatal(), True)
    second.begin_transaction()
    second.produce("confluent-fence", b"fresh")
    second.commit_transaction(30)
    same("read_committed", values_of("confluent-fence", 1, "read_committed"), [b"fresh"])


def values_read():
    consumer = reader("unused", **{"isolation.level": "read_committed"})
    consumer.assign([TopicPartition("confluent-late", 0, OFFSET_BEGINNING)])
    read = [m.value() for m in consume(consumer, 1)]
    consumer.close()
    return read


@feature("transactions: one over its time-out is aborted by the coordinator")
def _():
    create("confluent-late", 1)
    producer = transactional("confluent-late", **{"transaction.timeout.ms": 1500, "message.timeout.ms": 1500})
    producer.begin_transaction()
    producer.produce("confluent-late", b"late", partition=0)
    producer.flush(30)
    produce("confluent-late", ["after"])
    same("read_committed", values_read(), [b"after"])
    try:
        producer.commit_transaction(10)
        raise AssertionError("it could commit")
    except KafkaException as error:
        same("code", error.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.INVALID_TXN_STATE), True)


@feature("admin: describe cluster and topics")
def _():
    cluster = admin.describe_cluster(include_authorized_operations=True).result(30)
    same("nodes", sorted(node.id for node in cluster.nodes), [1, 2, 3])
    assert cluster.cluster_id and cluster.controller, cluster
    topic = admin.describe_topics(TopicCollection(["confluent-none"]))["confluent-none"].result(30)
    same("partitions", [(p.id, len(p.replicas), len(p.isr)) for p in topic.partitions], [(0, 3, 3), (1, 3, 3), (2, 3, 3)])
    assert "confluent-none" in admin.list_topics(timeout=30).topics
    missing = admin.describe_topics(TopicCollection(["confluent-missing"]))["confluent-missing"]
    raises("unknown topic", KafkaException, lambda e: e.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: missing.result(30))


@feature("admin: create topics with configs, replica assignment, validate_only; existing and invalid ones")
def _():
    for future in admin.create_topics([NewTopic("confluent-made", 2, replica_assignment=[[1, 2], [2, 3]], config={"retention.ms": "123456"})]).values():
        future.result(30)
    for future in admin.create_topics([NewTopic("confluent-valid", 2, 3)], validate_only=True).values():
        future.result(30)
    assert "confluent-valid" not in admin.list_topics(timeout=30).topics
    for topic, code in [(NewTopic("confluent-made", 1, 1), KafkaError.TOPIC_ALREADY_EXISTS), (NewTopic("bad name", 1, 1), KafkaError.TOPIC_EXCEPTION),
                        (NewTopic("confluent-rf", 1, 9), KafkaError.INVALID_REPLICATION_FACTOR), (NewTopic("confluent-zero", 0, 1), KafkaError.INVALID_PARTITIONS),
                        (NewTopic("confluent-conf", 1, 1, config={"no.such": "1"}), KafkaError.INVALID_CONFIG)]:
        future = next(iter(admin.create_topics([topic]).values()))
        raises(topic.topic, KafkaException, lambda e, code=code: e.args[0].code() == code, lambda: future.result(30))


@feature("admin: create partitions")
def _():
    for future in admin.create_partitions([NewPartitions("confluent-made", 4)]).values():
        future.result(30)
    end = time.time() + 20
    while len(admin.describe_topics(TopicCollection(["confluent-made"]))["confluent-made"].result(30).partitions) != 4:
        assert time.time() < end
        time.sleep(0.1)
    future = next(iter(admin.create_partitions([NewPartitions("confluent-made", 2)]).values()))
    raises("fewer", KafkaException, lambda e: e.args[0].code() == KafkaError.INVALID_PARTITIONS, lambda: future.result(30))


@feature("admin: describe and alter configs (topic, broker)")
def _():
    resource = ConfigResource(ResourceType.TOPIC, "confluent-made")
    same("retention", next(iter(admin.describe_configs([resource]).values())).result(30)["retention.ms"].value, "123456")
    change = ConfigResource(ResourceType.TOPIC, "confluent-made", incremental_configs=[
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ConfigEntry("max.message.bytes", "77777", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)])
    next(iter(admin.incremental_alter_configs([change]).values())).result(30)
    end = time.time() + 20
    while True:
        now = next(iter(admin.describe_configs([resource]).values())).result(30)
        if now["max.message.bytes"].value == "77777":
            break
        assert time.time() < end
    same("deleted", now["retention.ms"].value, "604800000")
    same("appended", now["cleanup.policy"].value, "delete,compact")
    broker = next(iter(admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values())).result(30)
    assert len(broker) > 150 and broker["broker.id"].value == "1" and broker["broker.id"].is_read_only, len(broker)


@feature("admin: list offsets")
def _():
    for spec, wanted in [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 300), (OffsetSpec.for_timestamp(BASE + 10), 10), (OffsetSpec.max_timestamp(), 299)]:
        futures = admin.list_offsets({TopicPartition("confluent-order", 0): spec})
        same(str(spec), [future.result(30).offset for future in futures.values()], [wanted])


@feature("admin: delete records")
def _():
    futures = admin.delete_records([TopicPartition("confluent-order", 0, 250)])
    same("low watermark", [future.result(30).low_watermark for future in futures.values()], [250])
    futures = admin.list_offsets({TopicPartition("confluent-order", 0): OffsetSpec.earliest()})
    same("earliest", [future.result(30).offset for future in futures.values()], [250])


@feature("admin: list, alter and delete group offsets; delete groups")
def _():
    group, topic = "confluent-classic", "confluent-group-classic"
    assert group in [g.group_id for g in admin.list_consumer_groups().result(30).valid]
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 7)])
    admin.alter_consumer_group_offsets([wanted])[group].result(30)
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    same("altered", admin.list_consumer_group_offsets([asked])[group].result(30).topic_partitions[0].offset, 7)
    admin.delete_consumer_groups([group])[group].result(30)
    raises("deleted twice", KafkaException, lambda e: e.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND,
           lambda: admin.delete_consumer_groups([group])[group].result(30))


@feature("admin: elect preferred leaders")
def _():
    got = admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition("confluent-none", 0)]).result(30)
    for error in got.values():
        assert error is None or error.code() == KafkaError.ELECTION_NOT_NEEDED, error


@feature("admin: delete topics, and produce to what is gone")
def _():
    for future in admin.delete_topics(["confluent-made", "confluent-none"]).values():
        future.result(30)
    future = next(iter(admin.delete_topics(["confluent-missing"]).values()))
    raises("unknown", KafkaException, lambda e: e.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: future.result(30))
    errors = []
    producer = Producer({"bootstrap.servers": bootstrap, "allow.auto.create.topics": False, "message.timeout.ms": 5000, "topic.metadata.propagation.max.ms": 1000})
    producer.produce("confluent-made", b"x", on_delivery=lambda error, _: errors.append(error.code()))
    producer.flush(20)
    same("error", errors[0] in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._MSG_TIMED_OUT), True)


finish()
