"""kafka-python: admin, every codec, from the beginning, and a group with committed offsets."""

import sys

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

bootstrap = sys.argv[1].split(",")
admin = KafkaAdminClient(bootstrap_servers=bootstrap)

codecs = [None, "gzip", "snappy", "lz4", "zstd"]


def consume(consumer, count):
    read = []
    for message in consumer:
        read.append((message.key, message.value))
        if len(read) == count:
            return read
    raise AssertionError(f"read {len(read)} of {count}")


for codec in codecs:
    topic = f"kafka-python-{codec}"
    admin.create_topics([NewTopic(name=topic, num_partitions=3, replication_factor=3)])
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, compression_type=codec)
    futures = [producer.send(topic, key=b"k%d" % n, value=b"v%d" % n) for n in range(500)]
    for future in futures:
        future.get(60)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=60000)
    consumer.assign([TopicPartition(topic, partition) for partition in range(3)])
    consumer.seek_to_beginning()
    assert sorted(consume(consumer, 500)) == sorted((b"k%d" % n, b"v%d" % n) for n in range(500)), codec
    consumer.close()


def member():
    return KafkaConsumer("kafka-python-gzip", bootstrap_servers=bootstrap, group_id="kafka-python-group",
                         auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=60000)


consumer = member()
consume(consumer, 500)
consumer.commit()
consumer.close()
producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
producer.send("kafka-python-gzip", value=b"one more").get(60)
consumer = member()
assert consume(consumer, 1) == [(None, b"one more")]
consumer.close()
