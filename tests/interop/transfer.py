"""The transfer loop: feeds input records, starts a worker per language, kills brokers, and judges (see `transfer`).

A worker is told BOOTSTRAP, a name and the count of its records; it copies NAME-in to NAME-out partition by partition, each value with its first letter
made a capital, in transactions that hold the group's offsets; it aborts every seventh on purpose. Whatever fails for good (fenced, fatal),
it begins anew with a new producer, as a supervisor would have it. It ends when told to (its input is closed), and prints `transactions COMMITTED ABORTED`.
"""

import collections
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, http, seconds, seed, cache, *languages = sys.argv[1:]
seconds, seed = int(seconds), int(seed)
here = os.path.dirname(os.path.abspath(__file__))
chance = random.Random(seed)
PARTITIONS = 3
print(f"transfer: seed {seed}, {seconds} s, {', '.join(languages)}", flush=True)

commands = {
    "python": [sys.executable, f"{here}/transfer_worker.py"],
    "java": ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", f"{cache}/jars-4.3.0/*",
             f"{here}/java/TransferWorker.java"],
    "go": [f"{cache}/go-client", "transfer"],
}


def call(method, path, body=None):
    request = urllib.request.Request(f"{http}{path}", method=method, data=body and json.dumps(body).encode(), headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


admin = AdminClient({"bootstrap.servers": bootstrap})
for language in languages:
    topics = [NewTopic(f"transfer-{language}-{end}", PARTITIONS, 3, config={"min.insync.replicas": "2"}) for end in ("in", "out")]
    for future in admin.create_topics(topics).values():
        future.result(60)

# --- Input: a steady stream with sequence numbers per partition, acks=all and idempotent

stop = threading.Event()
sent = {language: [0] * PARTITIONS for language in languages}
lost = []


def feed():
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "linger.ms": 5, "delivery.timeout.ms": 300000})
    pace = random.Random(seed + 1)
    while not stop.is_set():
        for language in languages:
            partition = pace.randrange(PARTITIONS)
            for _ in range(pace.randrange(1, 12)):
                producer.produce(f"transfer-{language}-in", value=f"r{sent[language][partition]}", partition=partition,
                                 on_delivery=lambda error, _: error and lost.append(str(error)))
                sent[language][partition] += 1
        producer.poll(0)
        stop.wait(0.03)
    if producer.flush(120):
        lost.append("not flushed")


feeder = threading.Thread(target=feed)
feeder.start()
logs = {language: open(f"{cache}/transfer-{language}.log", "w+") for language in languages}
workers = {language: subprocess.Popen([*commands[language], bootstrap, f"transfer-{language}"], stdin=subprocess.PIPE, stdout=logs[language],
                                      stderr=subprocess.STDOUT, text=True) for language in languages}

# --- Faults: one broker at a time, so that min.insync.replicas 2 of 3 stays met

kills = collections.Counter()
end = time.time() + seconds
failed = False
while time.time() < end - 8:
    time.sleep(chance.uniform(1, 5))
    kind, broker = chance.choice(["kill", "kill", "kill", "stop", "pause"]), chance.randrange(1, 4)
    fault = call("POST", "/api/faults", {"kind": kind, "broker": broker})
    kills[kind] += 1
    time.sleep(chance.uniform(0.5, 6))
    call("DELETE", f"/api/faults/{fault['id']}")
    # Only when the broker is back in the ISR of all may the next one go.
    settled = time.time() + 60
    while True:
        topics = admin.list_topics(timeout=30).topics.values()
        if all(len(p.isrs) == len(p.replicas) for t in topics for p in t.partitions.values()):
            break
        if time.time() > settled:
            print(f"FAILED  transfer: ISRs are not whole 60 s after broker {broker} came back ({kind})", flush=True)
            failed = True
            break
        time.sleep(0.2)
time.sleep(max(0, end - time.time()))
stop.set()
feeder.join()
call("DELETE", "/api/faults")

# --- The end: each worker gets up to 90 s to finish what is left


def read_all(topic, isolation):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "isolation.level": isolation, "enable.auto.commit": False,
                         "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    values, ended = [[] for _ in range(PARTITIONS)], set()
    deadline = time.time() + 60
    while len(ended) < PARTITIONS and time.time() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            ended.add(message.partition())
        else:
            values[message.partition()].append(message.value().decode())
    consumer.close()
    return values


for language in languages:
    out, wanted = f"transfer-{language}-out", [[f"R{n}" for n in range(count)] for count in sent[language]]
    deadline = time.time() + 90
    while True:
        got = read_all(out, "read_committed")
        if all(len(g) >= len(w) for g, w in zip(got, wanted)) or time.time() > deadline or workers[language].poll() is not None:
            break
        time.sleep(1)
    try:
        workers[language].communicate(timeout=60)
    except subprocess.TimeoutExpired:
        workers[language].kill()
        workers[language].wait()
    got, uncommitted = read_all(out, "read_committed"), read_all(out, "read_uncommitted")
    logs[language].seek(0)
    said = logs[language].read().splitlines()
    told = next((line.split()[1:] for line in reversed(said) if line.startswith("transactions ")), ["?", "?", "?"])
    counts = f"{sum(map(len, wanted))} records in, {sum(map(len, got))} committed copies, {sum(map(len, uncommitted))} appended; " \
             f"{told[0]} transactions committed, {told[1]} aborted, {told[2]} new producers after an error"
    if got == wanted:
        print(f"PASSED  transfer {language}: {counts}", flush=True)
        continue
    failed = True
    why = []
    for partition, (g, w) in enumerate(zip(got, wanted)):
        if g != w:
            copies = collections.Counter(g)
            first = next((n for n, (a, b) in enumerate(zip(g, w)) if a != b), min(len(g), len(w)))
            why.append(f"partition {partition}: {len(set(w) - set(g))} lost, {sum(n - 1 for n in copies.values())} duplicated, "
                       f"first difference at {first}: {g[first:first + 3]} and not {w[first:first + 3]}")
    print(f"FAILED  transfer {language}: {counts}; {'; '.join(why)}", flush=True)
    for line in said[-8:]:
        print(f"        | {line[:300]}")
if lost:
    failed = True
    print(f"FAILED  transfer: input was not acknowledged: {len(lost)}, {lost[0]}")
print(f"transfer: faults {dict(kills)}")
sys.exit(1 if failed else 0)
