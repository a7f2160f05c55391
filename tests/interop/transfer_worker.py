"""The transfer loop's worker with librdkafka (see transfer.py)."""

import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

bootstrap, name = sys.argv[1:]
closed = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
committed = aborted = renewed = 0


def work():
    """Until told to stop, or until an error that takes a new producer."""
    global committed, aborted
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "transaction.timeout.ms": 20000, "linger.ms": 0})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": name, "isolation.level": "read_committed", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest", "session.timeout.ms": 10000})
    try:
        until = time.time() + 60
        while True:
            try:
                producer.init_transactions(20)
                break
            except KafkaException as error:
                if not error.args[0].retriable() or time.time() > until:
                    raise
        assignments = []
        consumer.subscribe([f"{name}-in"], on_assign=lambda _, partitions: assignments.append(partitions))
        known = 0
        while not closed.is_set():
            batch = [m for m in consumer.consume(200, 0.2) if not m.error()]
            if len(assignments) != known:  # what was read across a rebalance may hold records twice
                known = len(assignments)
                if batch:
                    rewind(consumer)
                continue
            if not batch:
                continue
            offsets = {m.partition(): TopicPartition(m.topic(), m.partition(), m.offset() + 1) for m in batch}
            on_purpose = (committed + aborted) % 7 == 6
            try:
                producer.begin_transaction()
                for message in batch:
                    producer.produce(f"{name}-out", value=message.value().upper(), partition=message.partition())
                producer.send_offsets_to_transaction(list(offsets.values()), consumer.consumer_group_metadata(), 30)
                if not on_purpose:
                    retried(producer.commit_transaction)
                    committed += 1
                    continue
            except KafkaException as error:
                print("aborts after", error, flush=True)
                if not error.args[0].txn_requires_abort():
                    raise
            retried(producer.abort_transaction)
            aborted += 1
            rewind(consumer)
    finally:
        consumer.close()


def rewind(consumer):
    """What was aborted is read again: back to what the group has committed."""
    for position in retried(lambda timeout: consumer.committed(consumer.assignment(), timeout)):
        if position.offset < 0:
            position.offset = 0
        consumer.seek(position)


def retried(action):
    until = time.time() + 90
    while True:
        try:
            return action(30)
        except KafkaException as error:
            if not error.args[0].retriable() or time.time() > until:
                raise


while not closed.is_set():
    try:
        work()
    except KafkaException as error:
        print("anew after", error, flush=True)
        renewed += 1
print(f"transactions {committed} {aborted} {renewed}", flush=True)
