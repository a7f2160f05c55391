"""aiokafka: codecs, groups with committed offsets, rebalance, transactions, admin."""

import asyncio
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition  # noqa: F401
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import ProducerFenced, TopicAlreadyExistsError

from features import bootstrap, feature as run_feature, finish, same

BASE = int(time.time() * 1000) - 3_600_000  # within the retention of any topic
NAME = f"aiokafka {aiokafka.__version__}"


def feature(name):
    def run(function):
        run_feature(NAME, name)(lambda: asyncio.run(asyncio.wait_for(function(), 50)))
    return run


async def create(topic, partitions=3):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    answer = await admin.create_topics([NewTopic(topic, partitions, 3)])
    await admin.close()
    same("errors", [error[1] for error in answer.topic_errors], [0])


async def produce(topic, values, **settings):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all", **settings) as producer:
        futures = [await producer.send(topic, value, key=b"k%d" % n) for n, value in enumerate(values)]
        await asyncio.gather(*futures)


async def take(consumer, count):
    return [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]


async def nothing(consumer, seconds=2):
    batches = await consumer.getmany(timeout_ms=seconds * 1000)
    same("more", [m.value for batch in batches.values() for m in batch], [])


async def values_of(topic, count, isolation):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation)
    await consumer.start()
    consumer.assign([TopicPartition(topic, p) for p in range(3)])
    await consumer.seek_to_beginning()
    read = await take(consumer, count)
    await nothing(consumer)
    await consumer.stop()
    return sorted(m.value for m in read)


def member(topic, group, **settings):
    return AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False, **settings)


for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    @feature(f"idempotent produce and fetch, {codec}")
    async def _():
        await create(f"aiokafka-{codec}")
        await produce(f"aiokafka-{codec}", [b"v%d" % n for n in range(300)], compression_type=codec)
        same("what was read", await values_of(f"aiokafka-{codec}", 300, "read_uncommitted"), sorted(b"v%d" % n for n in range(300)))


@feature("keys, headers, timestamps, order in a partition, offsets by time")
async def _():
    await create("aiokafka-order", 1)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        futures = [await producer.send("aiokafka-order", b"v%d" % n, timestamp_ms=BASE + n, headers=[("a", b"1"), ("a", b"")]) for n in range(100)]
        same("offsets told", [(await f).offset for f in futures], list(range(100)))
    consumer = AIOKafkaConsumer("aiokafka-order", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    read = await take(consumer, 100)
    same("values", [m.value for m in read], [b"v%d" % n for n in range(100)])
    same("headers", read[0].headers, (("a", b"1"), ("a", b"")))
    partition = TopicPartition("aiokafka-order", 0)
    same("by time", (await consumer.offsets_for_times({partition: BASE + 50}))[partition].offset, 50)
    same("ends", (await consumer.beginning_offsets([partition]), await consumer.end_offsets([partition])), ({partition: 0}, {partition: 100}))
    await consumer.stop()


@feature("group: commit, resume, rebalance between two")
async def _():
    consumer = member("aiokafka-gzip", "aiokafka-group")
    await consumer.start()
    await take(consumer, 300)
    await consumer.commit()
    same("committed", sum([await consumer.committed(TopicPartition("aiokafka-gzip", p)) for p in range(3)]), 300)
    await consumer.stop()
    await produce("aiokafka-gzip", [b"one more"])
    one, two = member("aiokafka-gzip", "aiokafka-group"), member("aiokafka-gzip", "aiokafka-group")
    await one.start()
    same("resumed with", [m.value for m in await take(one, 1)], [b"one more"])
    await one.commit()
    await two.start()
    while not (len(one.assignment()) + len(two.assignment()) == 3 and one.assignment() and two.assignment()):
        await asyncio.sleep(0.1)
    await one.stop()
    while len(two.assignment()) != 3:
        await asyncio.sleep(0.1)
    await two.stop()


@feature("transactions: commit, abort, read_committed and read_uncommitted")
async def _():
    await create("aiokafka-txn")
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="aiokafka-txn") as producer:
        for number in range(10):
            await producer.begin_transaction()
            for part in range(3):
                await producer.send_and_wait("aiokafka-txn", b"%d-%d" % (number, part), partition=part)
            await (producer.abort_transaction() if number % 3 == 2 else producer.commit_transaction())
    everything = sorted(b"%d-%d" % (n, p) for n in range(10) for p in range(3))
    same("read_committed", await values_of("aiokafka-txn", 21, "read_committed"), [v for v in everything if int(v[:1]) % 3 != 2])
    same("read_uncommitted", await values_of("aiokafka-txn", 30, "read_uncommitted"), everything)


@feature("transactions: consume, transform, produce with offsets")
async def _():
    await create("aiokafka-ctp-in")
    await create("aiokafka-ctp-out")
    await produce("aiokafka-ctp-in", [b"v%d" % n for n in range(100)])
    consumer = member("aiokafka-ctp-in", "aiokafka-ctp", isolation_level="read_committed")
    await consumer.start()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="aiokafka-ctp") as producer:
        done = 0
        while done < 100:
            batches = await consumer.getmany(timeout_ms=5000, max_records=20)
            offsets = {partition: batch[-1].offset + 1 for partition, batch in batches.items()}
            for last in (False, True):  # first aborted, then the same again
                await producer.begin_transaction()
                for batch in batches.values():
                    for message in batch:
                        await producer.send("aiokafka-ctp-out", message.value)
                if offsets:
                    await producer.send_offsets_to_transaction(offsets, "aiokafka-ctp")
                await (producer.commit_transaction() if last else producer.abort_transaction())
            done += sum(map(len, batches.values()))
    # A commit is answered once it is decided, and this client does not ask for stable offsets: the last ones may be there a moment later.
    end = time.time() + 30
    while (committed := sum([await consumer.committed(TopicPartition("aiokafka-ctp-in", p)) for p in range(3)])) != 100 and time.time() < end:
        await asyncio.sleep(0.1)
    same("committed", committed, 100)
    await consumer.stop()
    same("copies", await values_of("aiokafka-ctp-out", 100, "read_committed"), sorted(b"v%d" % n for n in range(100)))


@feature("transactions: a second producer of the same id fences the first")
async def _():
    await create("aiokafka-fence")
    first = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="aiokafka-fence")
    await first.start()
    await first.begin_transaction()
    await first.send_and_wait("aiokafka-fence", b"zombie")
    second = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="aiokafka-fence")
    await second.start()
    try:
        await first.send_and_wait("aiokafka-fence", b"zombie again")
        await first.commit_transaction()
        raise AssertionError("the first could commit")
    except ProducerFenced:
        pass
    await second.begin_transaction()
    await second.send_and_wait("aiokafka-fence", b"fresh")
    await second.commit_transaction()
    await second.stop()
    await first.stop()
    same("read_committed", await values_of("aiokafka-fence", 1, "read_committed"), [b"fresh"])


@feature("admin: topics, partitions, configs, groups")
async def _():
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("aiokafka-made", 1, 3, topic_configs={"retention.ms": "123456"})])
    answer = await admin.create_topics([NewTopic("aiokafka-made", 1, 3)])
    same("again", answer.topic_errors[0][1], TopicAlreadyExistsError.errno)
    await admin.create_partitions({"aiokafka-made": NewPartitions(3)})
    described = await admin.describe_topics(["aiokafka-made"])
    same("partitions", len(described[0]["partitions"]), 3)
    configs = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "aiokafka-made")])
    values = {entry[0]: entry[1] for entry in configs[0].resources[0][4]}
    same("retention", values["retention.ms"], "123456")
    assert "aiokafka-group" in [group[0] for group in await admin.list_consumer_groups()]
    offsets = await admin.list_consumer_group_offsets("aiokafka-group")
    same("offsets", sum(position.offset for position in offsets.values()), 301)
    same("nodes", len((await admin.describe_cluster())["brokers"]), 3)
    await admin.delete_topics(["aiokafka-made"])
    assert "aiokafka-made" not in await admin.list_topics()
    await admin.close()


finish()
