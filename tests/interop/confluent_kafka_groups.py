"""confluent-kafka in groups of the consumer protocol (KIP-848): members of both protocols in one group, a static member that comes back,
and the coordinator killed meanwhile. Each record is read, in order, and none is skipped."""

import json
import sys
import time
import urllib.request
from collections import defaultdict

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, http = sys.argv[1:3]
PARTITIONS = 6
MODERN = {"group.protocol": "consumer"}
CLASSIC = {"group.protocol": "classic", "partition.assignment.strategy": "range", "session.timeout.ms": 6000}
quiet = {"bootstrap.servers": bootstrap, "log_level": 0}
admin = AdminClient(quiet)
producer = Producer({**quiet, "enable.idempotence": True})


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(http + path, data=data, method=method, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or "null")


class Group:
    """A group on a topic of its own."""

    def __init__(self, name):
        self.name, self.topic = name, f"topic-of-{name}"
        admin.create_topics([NewTopic(self.topic, PARTITIONS, 3)])[self.topic].result(30)
        self.members, self.sent, self.read = {}, 0, defaultdict(lambda: -1)

    def join(self, name, settings):
        consumer = Consumer({**quiet, "group.id": self.name, "client.id": name, "auto.offset.reset": "earliest",
                             "enable.auto.commit": False, **settings})
        consumer.subscribe([self.topic])
        self.members[name] = consumer

    def leave(self, name):
        self.members.pop(name).close()

    def send(self, count):
        for number in range(self.sent, self.sent + count):
            producer.produce(self.topic, value=str(number), partition=number % PARTITIONS)
        assert producer.flush(60) == 0
        self.sent += count

    def poll(self):
        for consumer in self.members.values():
            message = consumer.poll(0.02)
            if message is None or message.error():
                continue
            partition, number = message.partition(), int(message.value())
            last = self.read[partition]
            # What was read but not committed comes again.
            assert number <= max(last + PARTITIONS, partition), f"partition {partition}: {number} after {last}"
            self.read[partition] = max(last, number)
            try:
                consumer.commit(message, asynchronous=True)
            except KafkaException:
                pass

    def until(self, what, condition):
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, f"{self.name}: not within 60 s: {what}; {self.seen()}"
            self.poll()

    def seen(self):
        return next((group for group in call("GET", "/api/cluster")["groups"] if group["id"] == self.name), None)

    def settled(self, kind, members):
        """All members share all partitions, and have read what there is."""
        def is_so():
            group = self.seen()
            if group is None or (group["type"], group["state"]) != (kind, "Stable"):
                return False
            counts = {member["client_id"]: len(member["assignment"]) for member in group["members"]}
            return set(counts) == set(members) and sum(counts.values()) == PARTITIONS

        self.until(f"{kind} group of {members}", is_so)
        self.send(300)
        self.until("all is read", lambda: sum(last // PARTITIONS + 1 for last in self.read.values()) == self.sent)


group = Group("confluent-mixed")
group.join("a", CLASSIC)
group.join("b", CLASSIC)
group.settled("classic", "ab")
group.join("c", MODERN)
group.settled("consumer", "abc")
group.leave("a")
group.join("d", {**MODERN, "group.remote.assignor": "range"})
group.settled("consumer", "bcd")
group.leave("c")
group.leave("d")
group.settled("classic", "b")
group.leave("b")
print("PASSED  confluent-kafka-groups: a group that goes from classic to consumer and back while its members read", flush=True)

group = Group("confluent-modern")
for name in "ab":
    group.join(name, {**MODERN, "group.instance.id": name})
group.settled("consumer", "ab")
epoch = group.seen()["generation"]
coordinator = admin.describe_consumer_groups([group.name])[group.name].result(30).coordinator.id
fault = call("POST", "/api/faults", {"kind": "kill", "broker": coordinator})
group.settled("consumer", "ab")
call("DELETE", f"/api/faults/{fault['id']}")
print("PASSED  confluent-kafka-groups: the coordinator is killed", flush=True)
# A static member goes for a while, and has its partitions again.
group.leave("b")
group.join("b", {**MODERN, "group.instance.id": "b"})
group.settled("consumer", "ab")
assert group.seen()["generation"] == epoch, "nobody was rebalanced"
for name in "ab":
    group.leave(name)
print("PASSED  confluent-kafka-groups: a static member comes back without a rebalance", flush=True)
