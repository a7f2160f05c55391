// kafkajs: every codec (snappy, lz4 and zstd by packages, as kafkajs wants it), groups with committed offsets, transactions, admin.
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require("kafkajs");
const assert = require("node:assert");
const snappy = require("snappyjs");
const lz4 = require("lz4js");
const { ZstdCodec } = require("zstd-codec");

CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async (encoder) => Buffer.from(snappy.compress(encoder.buffer)),
  decompress: async (buffer) => unxerial(buffer),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(new Uint8Array(encoder.buffer))),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(new Uint8Array(buffer))),
});
const zstd = new Promise((resolve) => ZstdCodec.run((codec) => resolve(new codec.Simple())));

// What Java writes is framed in blocks; what kafkajs wrote is one raw block.
function unxerial(buffer) {
  if (buffer.subarray(0, 8).toString("latin1") !== "\x82SNAPPY\0") return Buffer.from(snappy.uncompress(buffer));
  const blocks = [];
  for (let at = 16; at < buffer.length; ) {
    const length = buffer.readInt32BE(at);
    blocks.push(Buffer.from(snappy.uncompress(buffer.subarray(at + 4, at + 4 + length))));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

const kafka = new Kafka({ clientId: "kafkajs", brokers: process.argv[2].split(","), logLevel: logLevel.NOTHING });
const { feature, finish } = require("./features.cjs")("kafkajs 2.2.4");
const admin = kafka.admin();
const create = (topic, numPartitions = 3) => admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 3 }], waitForLeaders: true });
const records = (count) => Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: `v${n}` }));

async function produce(topic, messages, settings = {}) {
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  const told = await producer.send({ topic, acks: -1, messages, ...settings });
  await producer.disconnect();
  return told;
}

// `more` of silence after the last one tells that there is no other.
function consume(groupId, topic, count, { readUncommitted = false, more = 1000 } = {}) {
  const consumer = kafka.consumer({ groupId, readUncommitted });
  return new Promise((resolve, reject) => {
    const read = [];
    const timer = setTimeout(() => consumer.disconnect().then(() => reject(new Error(`read ${read.length} of ${count}`)), reject), 40000);
    let quiet;
    (async () => {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          read.push(`${message.key}:${message.value}`);
          if (read.length < count) return;
          clearTimeout(timer);
          clearTimeout(quiet);
          // Leaving commits what was resolved; it must not be awaited within its own handler.
          quiet = setTimeout(() => consumer.disconnect().then(() => resolve(read.sort()), reject), more);
        },
      });
    })().catch(reject);
  });
}

(async () => {
  await admin.connect();
  for (const codec of ["None", "GZIP", "Snappy", "LZ4", "ZSTD"])
    await feature(`idempotent produce and fetch, ${codec.toLowerCase()}`, async () => {
      const topic = `kafkajs-${codec}`;
      await create(topic);
      await produce(topic, records(300), { compression: CompressionTypes[codec] });
      assert.deepStrictEqual(await consume(`${topic}-group`, topic, 300), records(300).map((m) => `${m.key}:${m.value}`).sort());
    });
  await feature("group: resume from what was committed", async () => {
    await produce("kafkajs-GZIP", [{ key: "one", value: "more" }]);
    assert.deepStrictEqual(await consume("kafkajs-GZIP-group", "kafkajs-GZIP", 1), ["one:more"]);
  });
  await feature("group: two members share", async () => {
    await create("kafkajs-two", 4);
    const shares = {};
    const members = ["one", "two"].map((name) => {
      const member = kafka.consumer({ groupId: "kafkajs-two" });
      member.on(member.events.GROUP_JOIN, ({ payload }) => (shares[name] = payload.memberAssignment["kafkajs-two"]?.length ?? 0));
      return member;
    });
    for (const member of members) {
      await member.connect();
      await member.subscribe({ topics: ["kafkajs-two"] });
      await member.run({ eachMessage: async () => {} });
    }
    const end = Date.now() + 40000;
    while (!(shares.one === 2 && shares.two === 2)) {
      assert.ok(Date.now() < end, JSON.stringify(shares));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (const member of members) await member.disconnect();
  });
  await feature("transactions: commit, abort, read_committed and read_uncommitted", async () => {
    await create("kafkajs-txn");
    const producer = kafka.producer({ transactionalId: "kafkajs-txn", idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const kept = [], all = [];
    for (let t = 0; t < 9; t++) {
      const transaction = await producer.transaction();
      for (let partition = 0; partition < 3; partition++) {
        const value = `${t}-${partition}`;
        all.push(`k:${value}`);
        if (t % 3 !== 2) kept.push(`k:${value}`);
        await transaction.send({ topic: "kafkajs-txn", messages: [{ key: "k", value, partition }] });
      }
      await (t % 3 === 2 ? transaction.abort() : transaction.commit());
    }
    await producer.disconnect();
    assert.deepStrictEqual(await consume("kafkajs-txn-1", "kafkajs-txn", kept.length), kept.sort());
    assert.deepStrictEqual(await consume("kafkajs-txn-2", "kafkajs-txn", all.length, { readUncommitted: true }), all.sort());
  });
  await feature("transactions: offsets in a transaction", async () => {
    await create("kafkajs-offsets", 1);
    const producer = kafka.producer({ transactionalId: "kafkajs-offsets", idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const [offset, end] of [["5", "commit"], ["9", "abort"]]) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: "kafkajs-offsets", messages: [{ value: "x" }] });
      await transaction.sendOffsets({ consumerGroupId: "kafkajs-offsets", topics: [{ topic: "kafkajs-offsets", partitions: [{ partition: 0, offset }] }] });
      await transaction[end]();
    }
    await producer.disconnect();
    const [{ partitions }] = await admin.fetchOffsets({ groupId: "kafkajs-offsets", topics: ["kafkajs-offsets"] });
    assert.strictEqual(partitions[0].offset, "5");
  });
  await feature("admin: cluster, topics, partitions, configs, offsets, records, groups", async () => {
    assert.strictEqual((await admin.describeCluster()).brokers.length, 3);
    await admin.createTopics({ topics: [{ topic: "kafkajs-made", numPartitions: 1, replicationFactor: 3, configEntries: [{ name: "retention.ms", value: "123456" }] }] });
    assert.strictEqual(await create("kafkajs-made"), false);
    await admin.createPartitions({ topicPartitions: [{ topic: "kafkajs-made", count: 3 }] });
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: "kafkajs-made", configNames: ["retention.ms"] }] });
    assert.strictEqual(resources[0].configEntries[0].configValue, "123456");
    const ends = await admin.fetchTopicOffsets("kafkajs-None");
    assert.strictEqual(ends.reduce((sum, { high }) => sum + Number(high), 0), 300);
    await admin.deleteTopicRecords({ topic: "kafkajs-None", partitions: [{ partition: 0, offset: "10" }] });
    assert.strictEqual((await admin.fetchTopicOffsets("kafkajs-None")).find(({ partition }) => partition === 0).low, "10");
    assert.ok((await admin.listGroups()).groups.some(({ groupId }) => groupId === "kafkajs-GZIP-group"));
    await admin.deleteGroups(["kafkajs-GZIP-group"]);
    await admin.deleteTopics({ topics: ["kafkajs-made"] });
    assert.ok(!(await admin.listTopics()).includes("kafkajs-made"));
  });
  await admin.disconnect();
})().then(finish, (error) => { console.error(error); process.exit(1); });
