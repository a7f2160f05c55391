"""confluent-kafka pushes its metrics (KIP-714): those that a subscription asks for, seen over HTTP and by Prometheus; a client that no
subscription asks stays content. The subscription is kafka-python's, for librdkafka's admin client knows no such resource."""

import json
import sys
import time
import urllib.request

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

bootstrap, http = sys.argv[1:3]
TOPIC = "telemetry-of-confluent-kafka"
errors = []


def settings(name, **more):
    return {"bootstrap.servers": bootstrap, "client.id": name, "log_level": 0, "error_cb": errors.append, **more}


def get(path):
    with urllib.request.urlopen(http + path) as answer:
        return answer.read().decode()


def check(feature, condition, told):
    print(("PASSED  " if condition else "FAILED  ") + f"confluent-kafka-telemetry: {feature}" + ("" if condition else f": {told}"), flush=True)


admin = AdminClient(settings("making"))
admin.create_topics([NewTopic(TOPIC, 1, 3)])[TOPIC].result(30)
python_admin = KafkaAdminClient(bootstrap_servers=bootstrap)
wanted = {"metrics": "org.apache.kafka.producer.,org.apache.kafka.consumer.", "interval.ms": "500", "match": "client_id=told-.*,client_software_name=confluent-kafka-python"}
python_admin.alter_configs([ConfigResource(ConfigResourceType.CLIENT_METRICS, "confluent", configs=wanted)])

clients = [Producer(settings(name)) for name in ("told-producer", "untold-producer")]
consumer = Consumer(settings("told-consumer", **{"group.id": TOPIC, "auto.offset.reset": "earliest"}))
consumer.subscribe([TOPIC])
sent = read = 0
pushed = {}
deadline = time.monotonic() + 60
while time.monotonic() < deadline and not {"told-producer", "told-consumer"} <= {name for name, metrics in pushed.items() if metrics}:
    for producer in clients:
        producer.produce(TOPIC, b"x")
        producer.poll(0)
    sent += 2
    message = consumer.poll(0.1)
    read += message is not None and not message.error()
    pushed = {client["client_id"]: client["metrics"] for client in json.loads(get("/api/client-metrics"))}
for producer in clients:
    assert producer.flush(30) == 0
while read < sent and time.monotonic() < deadline:
    message = consumer.poll(1)
    read += message is not None and not message.error()

names = {metric["name"] for metric in pushed.get("told-producer", [])}
check("a producer's metrics over HTTP", names and all(name.startswith("org.apache.kafka.producer.") for name in names), pushed)
check("a consumer's metrics over HTTP", pushed.get("told-consumer"), pushed)
lines = [line for line in get("/metrics").splitlines() if line.startswith("kafka_client_")]
check("the same for Prometheus", any('client_id="told-producer"' in line for line in lines), lines)
check("nobody else is asked", "untold-producer" not in pushed and not any("untold" in line for line in lines), lines)
check("data flows meanwhile, without an error", read == sent and not errors, (read, sent, errors))
consumer.close()
