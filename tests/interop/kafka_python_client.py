"""kafka-python: codecs, groups, transactions, admin."""

import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from features import bootstrap, feature as run_feature, finish, raises, same

BASE = int(time.time() * 1000) - 3_600_000  # within the retention of any topic
NAME = f"kafka-python {kafka.__version__}"
servers = bootstrap.split(",")
admin = KafkaAdminClient(bootstrap_servers=servers)


def feature(name):
    return run_feature(NAME, name)


def create(topic, partitions=3, **settings):
    admin.create_topics([NewTopic(name=topic, num_partitions=partitions, replication_factor=3, **settings)])


def produce(topic, values, **settings):
    producer = KafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, **settings)
    futures = [producer.send(topic, key=b"k%d" % n, value=value) for n, value in enumerate(values)]
    told = [future.get(60) for future in futures]
    producer.close()
    return told


def take(consumer, count):
    read = []
    for message in consumer:
        read.append(message)
        if len(read) == count:
            return read
    raise AssertionError(f"read {len(read)} of {count}")


def values_of(topic, count, isolation="read_uncommitted"):
    consumer = KafkaConsumer(bootstrap_servers=servers, isolation_level=isolation, consumer_timeout_ms=30000)
    consumer.assign([TopicPartition(topic, partition) for partition in range(3)])
    consumer.seek_to_beginning()
    read = take(consumer, count)
    same("more", sum(map(len, consumer.poll(1500).values())), 0)
    consumer.close()
    return sorted(message.value for message in read)


def member(topic, group, **settings):
    return KafkaConsumer(topic, bootstrap_servers=servers, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                         consumer_timeout_ms=30000, **settings)


for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    @feature(f"idempotent produce and fetch, {codec}")
    def _():
        create(f"kafka-python-{codec}")
        produce(f"kafka-python-{codec}", [b"v%d" % n for n in range(300)], compression_type=codec)
        same("what was read", values_of(f"kafka-python-{codec}", 300), sorted(b"v%d" % n for n in range(300)))


@feature("order in a partition, offsets by time")
def _():
    create("kafka-python-order", 1)
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    futures = [producer.send("kafka-python-order", value=b"v%d" % n, timestamp_ms=BASE + n, headers=[("a", b"1")]) for n in range(100)]
    same("offsets told", [future.get(30).offset for future in futures], list(range(100)))
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=30000)
    partition = TopicPartition("kafka-python-order", 0)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    read = take(consumer, 100)
    same("values", [message.value for message in read], [b"v%d" % n for n in range(100)])
    same("by time", consumer.offsets_for_times({partition: BASE + 50})[partition].offset, 50)
    same("ends", (consumer.beginning_offsets([partition])[partition], consumer.end_offsets([partition])[partition]), (0, 100))
    consumer.close()


@feature("group: commit, resume")
def _():
    consumer = member("kafka-python-gzip", "kafka-python-group")
    take(consumer, 300)
    consumer.commit()
    same("committed", sum(consumer.committed(TopicPartition("kafka-python-gzip", p)) for p in range(3)), 300)
    consumer.close()
    produce("kafka-python-gzip", [b"one more"])
    consumer = member("kafka-python-gzip", "kafka-python-group")
    same("resumed with", [message.value for message in take(consumer, 1)], [b"one more"])
    consumer.commit()
    consumer.close()


@feature("transactions: commit, abort, read_committed and read_uncommitted")
def _():
    create("kafka-python-txn")
    producer = KafkaProducer(bootstrap_servers=servers, transactional_id="kafka-python-txn")
    producer.init_transactions()
    for number in range(10):
        producer.begin_transaction()
        for part in range(3):
            producer.send("kafka-python-txn", value=b"%d-%d" % (number, part), partition=part).get(30)
        producer.abort_transaction() if number % 3 == 2 else producer.commit_transaction()
    producer.close()
    everything = sorted(b"%d-%d" % (n, p) for n in range(10) for p in range(3))
    same("read_committed", values_of("kafka-python-txn", 21, "read_committed"), [v for v in everything if int(v[:1]) % 3 != 2])
    same("read_uncommitted", values_of("kafka-python-txn", 30), everything)


@feature("transactions: consume, transform, produce with offsets")
def _():
    create("kafka-python-ctp-in")
    create("kafka-python-ctp-out")
    produce("kafka-python-ctp-in", [b"v%d" % n for n in range(100)])
    producer = KafkaProducer(bootstrap_servers=servers, transactional_id="kafka-python-ctp")
    producer.init_transactions()
    consumer = member("kafka-python-ctp-in", "kafka-python-ctp", isolation_level="read_committed")
    done, end = 0, time.time() + 40
    while done < 100:
        assert time.time() < end, f"{done} of 100"
        batches = consumer.poll(1000, max_records=25)
        if not batches:
            continue
        offsets = {partition: OffsetAndMetadata(batch[-1].offset + 1, "", -1) for partition, batch in batches.items()}
        for last in (False, True):  # first aborted, then the same again
            producer.begin_transaction()
            for batch in batches.values():
                for message in batch:
                    producer.send("kafka-python-ctp-out", value=message.value)
            producer.send_offsets_to_transaction(offsets, "kafka-python-ctp")
            producer.commit_transaction() if last else producer.abort_transaction()
        done += sum(map(len, batches.values()))
    # A commit is answered once it is decided, and this client does not ask for stable offsets: the last ones may be there a moment later.
    end = time.time() + 30
    while (committed := sum(consumer.committed(TopicPartition("kafka-python-ctp-in", p)) for p in range(3))) != 100 and time.time() < end:
        time.sleep(0.1)
    same("committed", committed, 100)
    consumer.close()
    producer.close()
    same("copies", values_of("kafka-python-ctp-out", 100, "read_committed"), sorted(b"v%d" % n for n in range(100)))


@feature("transactions: a second producer of the same id fences the first")
def _():
    create("kafka-python-fence")
    first, second = (KafkaProducer(bootstrap_servers=servers, transactional_id="kafka-python-fence") for _ in range(2))
    first.init_transactions()
    first.begin_transaction()
    first.send("kafka-python-fence", value=b"zombie").get(30)
    second.init_transactions()
    raises("the first's commit", KafkaError, lambda e: "Fenced" in type(e).__name__ or "Epoch" in type(e).__name__ or "Fenced" in str(e),
           first.commit_transaction)
    second.begin_transaction()
    second.send("kafka-python-fence", value=b"fresh").get(30)
    second.commit_transaction()
    second.close()
    same("read_committed", values_of("kafka-python-fence", 1, "read_committed"), [b"fresh"])


@feature("admin: topics, partitions, configs, groups")
def _():
    create("kafka-python-made", 1, topic_configs={"retention.ms": "123456"})
    raises("again", TopicAlreadyExistsError, lambda e: True, lambda: create("kafka-python-made", 1))
    admin.create_partitions({"kafka-python-made": NewPartitions(3)})
    end = time.time() + 20
    while len(admin.describe_topics(["kafka-python-made"])[0]["partitions"]) != 3:
        assert time.time() < end
    assert "123456" in str(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "kafka-python-made")]))
    groups = str(admin.list_groups() if hasattr(admin, "list_groups") else admin.list_consumer_groups())
    assert "kafka-python-group" in groups, groups
    admin.delete_topics(["kafka-python-made"])
    assert "kafka-python-made" not in [t if isinstance(t, str) else t["name"] for t in admin.list_topics()]


admin.close()
finish()
