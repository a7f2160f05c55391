// kafkajs: admin, every codec (snappy, lz4 and zstd by packages, as kafkajs wants it), from the beginning, and a group with committed
// offsets.
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

const kafka = new Kafka({ clientId: "kafkajs", brokers: process.argv[2].split(","), logLevel: logLevel.ERROR });

function consume(groupId, topic, count) {
  const consumer = kafka.consumer({ groupId });
  return new Promise((resolve, reject) => {
    const read = [];
    const timer = setTimeout(() => reject(new Error(`read ${read.length} of ${count}`)), 60000);
    (async () => {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          read.push(`${message.key}:${message.value}`);
          if (read.length === count) {
            clearTimeout(timer);
            // Leaving commits what was resolved; it must not be awaited within its own handler.
            setImmediate(() => consumer.disconnect().then(() => resolve(read), reject));
          }
        },
      });
    })().catch(reject);
  });
}

(async () => {
  const admin = kafka.admin();
  await admin.connect();
  for (const codec of ["None", "GZIP", "Snappy", "LZ4", "ZSTD"]) {
    const topic = `kafkajs-${codec}`;
    await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 3 }], waitForLeaders: true });
    const producer = kafka.producer({ idempotent: true });
    await producer.connect();
    const messages = Array.from({ length: 500 }, (_, n) => ({ key: `k${n}`, value: `v${n}` }));
    await producer.send({ topic, acks: -1, compression: CompressionTypes[codec], messages });
    await producer.disconnect();
    const read = await consume(`kafkajs-${codec}-group`, topic, 500);
    assert.deepStrictEqual(read.sort(), messages.map((m) => `${m.key}:${m.value}`).sort());
  }
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic: "kafkajs-GZIP", messages: [{ key: "one", value: "more" }] });
  await producer.disconnect();
  assert.deepStrictEqual(await consume("kafkajs-GZIP-group", "kafkajs-GZIP", 1), ["one:more"]);
  const { groups } = await admin.listGroups();
  assert.ok(groups.some((group) => group.groupId === "kafkajs-GZIP-group"));
  await admin.disconnect();
})().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
