// @platformatic/kafka: every codec, both group protocols, transactions, admin.
const assert = require("node:assert");
const { feature, finish } = require("./features.cjs")("@platformatic/kafka 1.35.0");
const bootstrapBrokers = process.argv[2].split(",");

(async () => {
  const { Admin, Consumer, Producer, stringSerializers, stringDeserializers } = await import(
    require("node:url").pathToFileURL(`${process.env.NODE_PATH}/@platformatic/kafka/dist/index.js`).href
  );
  const base = { clientId: "platformatic", bootstrapBrokers };
  const admin = new Admin(base);
  const create = (topic, partitions = 3) => admin.createTopics({ topics: [topic], partitions, replicas: 3 });
  const messages = (topic, from, to) => Array.from({ length: to - from }, (_, n) => ({ topic, key: `k${from + n}`, value: `v${from + n}`, headers: { a: "1" } }));
  const wanted = (from, to) => Array.from({ length: to - from }, (_, n) => `v${from + n}`).sort();

  async function produce(messages, settings = {}) {
    const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true, acks: -1, ...settings });
    await producer.send({ messages });
    await producer.close();
  }

  // `more` of silence after the last one tells that there is no other.
  async function consume(groupId, topic, count, { more = 1000, mode = "earliest", commit = false, ...settings } = {}) {
    const consumer = new Consumer({ ...base, groupId, deserializers: stringDeserializers, autocommit: false, ...settings });
    const stream = await consumer.consume({ topics: [topic], mode, fallbackMode: "earliest", maxWaitTime: 200 });
    const read = [];
    try {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`read ${read.length} of ${count}`)), 30000);
        let quiet;
        stream.on("error", reject);
        stream.on("data", (message) => {
          read.push(message);
          if (read.length < count) return;
          clearTimeout(timer);
          clearTimeout(quiet);
          quiet = setTimeout(resolve, more);
        });
      });
      if (commit) {
        const last = new Map(read.map((m) => [m.partition, m]));
        await consumer.commit({ offsets: [...last.values()].map((m) => ({ topic, partition: m.partition, offset: m.offset + 1n, leaderEpoch: -1 })) });
      }
    } finally {
      await consumer.close(true);
    }
    return read.map((message) => message.value).sort();
  }

  // zstd is Node's own, from 22.15 on.
  const codecs = ["none", "gzip", "snappy", "lz4", ...(require("node:zlib").zstdCompressSync ? ["zstd"] : [])];
  if (codecs.length < 5) console.log("SKIPPED @platformatic/kafka 1.35.0: idempotent produce and fetch, zstd: this Node has no zstd");
  for (const compression of codecs)
    await feature(`idempotent produce and fetch, ${compression}`, async () => {
      const topic = `platformatic-${compression}`;
      await create(topic);
      await produce(messages(topic, 0, 300), { compression });
      assert.deepStrictEqual(await consume(`${topic}-group`, topic, 300), wanted(0, 300));
    });
  for (const groupProtocol of ["classic", "consumer"])
    await feature(`group.protocol=${groupProtocol}: commit, resume`, async () => {
      const topic = `platformatic-group-${groupProtocol}`;
      await create(topic);
      await produce(messages(topic, 0, 200));
      assert.deepStrictEqual(await consume(topic, topic, 200, { mode: "committed", commit: true, groupProtocol }), wanted(0, 200));
      const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [topic] });
      assert.strictEqual(topics[0].partitions.reduce((sum, { committedOffset }) => sum + Number(committedOffset), 0), 200);
      await produce(messages(topic, 200, 201));
      assert.deepStrictEqual(await consume(topic, topic, 1, { mode: "committed", groupProtocol }), ["v200"]);
    });
  await feature("transactions: commit, abort, read_committed and read_uncommitted", async () => {
    await create("platformatic-txn");
    const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true, transactionalId: "platformatic-txn" });
    const kept = [], all = [];
    // One is aborted, not several: of a producer's aborted transactions this client heeds only the last in each answer (a map by
    // producer id, in filterUncommittedMessages of its consumer.js).
    const aborted = 4;
    for (let t = 0; t < 9; t++) {
      const transaction = await producer.beginTransaction();
      for (let partition = 0; partition < 3; partition++) {
        const value = `${t}-${partition}`;
        all.push(value);
        if (t !== aborted) kept.push(value);
        await transaction.send({ messages: [{ topic: "platformatic-txn", partition, value }] });
      }
      await (t === aborted ? transaction.abort() : transaction.commit());
    }
    await producer.close();
    assert.deepStrictEqual(await consume("platformatic-1", "platformatic-txn", kept.length, { isolationLevel: 1 }), kept.sort());
    assert.deepStrictEqual(await consume("platformatic-2", "platformatic-txn", all.length, { isolationLevel: 0 }), all.sort());
  });
  await feature("admin: topics, partitions, configs, groups, records", async () => {
    await create("platformatic-made", 1);
    await assert.rejects(create("platformatic-made", 1), (error) => JSON.stringify(error, Object.getOwnPropertyNames(error)).length > 0);
    await admin.createPartitions({ topics: [{ name: "platformatic-made", count: 3, assignments: null }] });
    const metadata = await admin.metadata({ topics: ["platformatic-made"], forceUpdate: true });
    assert.strictEqual(metadata.topics.get("platformatic-made").partitionsCount, 3);
    assert.strictEqual(metadata.brokers.size, 3);
    const [{ configs }] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: "platformatic-made", configurationKeys: ["retention.ms"] }] });
    assert.strictEqual(configs[0].value, "604800000");
    assert.ok((await admin.listGroups()).has("platformatic-group-classic"));
    await admin.deleteGroups({ groups: ["platformatic-group-classic"] });
    await admin.deleteTopics({ topics: ["platformatic-made"] });
    assert.ok(!(await admin.listTopics()).includes("platformatic-made"));
  });
  await admin.close();
})().then(finish, (error) => { console.error(error); process.exit(1); });
