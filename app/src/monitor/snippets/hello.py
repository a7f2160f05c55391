from confluent_kafka import Consumer, Producer

servers = "BOOTSTRAP_SERVERS"

producer = Producer({"bootstrap.servers": servers})
producer.produce("greetings", key="python", value="hello from Python")
producer.flush()

consumer = Consumer({
    "bootstrap.servers": servers,
    "group.id": "hello-python",
    "auto.offset.reset": "earliest",
})
consumer.subscribe(["greetings"])
while (record := consumer.poll(1.0)) is None or record.error():
    pass
print(record.value().decode())
consumer.close()
