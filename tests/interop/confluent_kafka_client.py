"""confluent-kafka: admin, every codec with an idempotent producer, from the beginning, and a group with committed offsets."""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap = sys.argv[1]
admin = AdminClient({"bootstrap.servers": bootstrap})


def consume(consumer, count):
    read = []
    while len(read) < count:
        message = consumer.poll(60)
        assert message is not None, f"read {len(read)} of {count}"
        assert message.error() is None, message.error()
        read.append((message.key(), message.value()))
    return read


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    topic = f"confluent-{codec}"
    for future in admin.create_topics([NewTopic(topic, 3, 3)]).values():
        future.result(30)
    errors = []
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "acks": "all"})
    for number in range(500):
        producer.produce(topic, key=f"k{number}", value=f"v{number}", headers={"codec": codec},
                         on_delivery=lambda error, _: error and errors.append(error))
    assert producer.flush(60) == 0 and not errors, errors
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(3)])
    assert sorted(consume(consumer, 500)) == sorted((b"k%d" % n, b"v%d" % n) for n in range(500)), codec
    consumer.close()

settings = {"bootstrap.servers": bootstrap, "group.id": "confluent-group", "auto.offset.reset": "earliest", "enable.auto.commit": False}
consumer = Consumer(settings)
consumer.subscribe(["confluent-zstd"])
consume(consumer, 500)
consumer.commit(asynchronous=False)
committed = consumer.committed([TopicPartition("confluent-zstd", partition) for partition in range(3)], 30)
assert sum(position.offset for position in committed) == 500, committed
consumer.close()

producer.produce("confluent-zstd", value="one more")
assert producer.flush(60) == 0
consumer = Consumer(settings)
consumer.subscribe(["confluent-zstd"])
assert consume(consumer, 1) == [(None, b"one more")]
consumer.close()

groups = admin.list_consumer_groups().result(30)
assert "confluent-group" in [group.group_id for group in groups.valid], groups.valid
description = admin.describe_consumer_groups(["confluent-group"])["confluent-group"].result(30)
assert description.group_id == "confluent-group"
cluster = admin.describe_cluster().result(30)
assert len(cluster.nodes) == 3, cluster.nodes
for future in admin.delete_topics(["confluent-none"]).values():
    future.result(30)
