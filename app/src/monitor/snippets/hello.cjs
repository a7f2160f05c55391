const { Kafka } = require("kafkajs");

const kafka = new Kafka({ clientId: "hello-node", brokers: "BOOTSTRAP_SERVERS".split(",") });

(async () => {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: "greetings", messages: [{ key: "node", value: "hello from Node" }] });
  await producer.disconnect();

  const consumer = kafka.consumer({ groupId: "hello-node" });
  await consumer.connect();
  await consumer.subscribe({ topics: ["greetings"], fromBeginning: true });
  const first = new Promise((resolve) => consumer.run({ eachMessage: async ({ message }) => resolve(message) }));
  console.log((await first).value.toString());
  await consumer.disconnect();
})();
