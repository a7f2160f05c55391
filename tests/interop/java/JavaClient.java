// Kafka's Java clients (2.8, 3.9 and 4.3: it compiles against each): codecs, both group protocols where there are two, transactions, admin.
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

public class JavaClient {
    static String bootstrap;
    static final String VERSION = AppInfoParser.getVersion();
    static final String PRE = "java-" + VERSION + "-";
    // Within the retention of any topic.
    static final long BASE = System.currentTimeMillis() - 3_600_000;
    static Admin admin;
    static int failed;

    interface Action { void run() throws Exception; }

    static void feature(String name, Action action) {
        long start = System.nanoTime();
        try {
            action.run();
            System.out.printf("PASSED  java %s: %s (%.1f s)%n", VERSION, name, (System.nanoTime() - start) / 1e9);
        } catch (Throwable error) {
            failed++;
            String line = Arrays.stream(error.getStackTrace()).filter(f -> f.getClassName().startsWith("JavaClient")).findFirst().map(f -> "line " + f.getLineNumber()).orElse("");
            System.out.printf("FAILED  java %s: %s: %s %s%n", VERSION, name, error, line);
        }
    }

    static void same(String what, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(what + " is " + got + " and not " + wanted);
    }

    static void raises(Class<?> kind, Action action) throws Exception {
        try { action.run(); } catch (Exception error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            if (!kind.isInstance(cause)) throw new AssertionError("error is " + cause + " and not " + kind.getSimpleName());
            return;
        }
        throw new AssertionError("no " + kind.getSimpleName());
    }

    static Map<String, Object> settings(Object... pairs) {
        Map<String, Object> map = new HashMap<>();
        map.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return map;
    }

    static KafkaProducer<String, String> producer(Object... pairs) {
        Map<String, Object> map = settings("acks", "all", "enable.idempotence", true);
        map.putAll(settings(pairs));
        return new KafkaProducer<>(map, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Object... pairs) {
        Map<String, Object> map = settings("auto.offset.reset", "earliest", "enable.auto.commit", false, "session.timeout.ms", 10000);
        if (Arrays.asList(pairs).contains("consumer")) map.remove("session.timeout.ms");
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return new KafkaConsumer<>(map, new StringDeserializer(), new StringDeserializer());
    }

    static void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 3))).all().get();
    }

    static void produce(String topic, int from, int to, Object... pairs) throws Exception {
        try (KafkaProducer<String, String> producer = producer(pairs)) {
            List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = from; n < to; n++) sent.add(producer.send(new ProducerRecord<>(topic, "k" + n, "v" + n)));
            for (var future : sent) future.get();
        }
    }

    static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> read = new ArrayList<>();
        long end = System.currentTimeMillis() + 45_000;
        while (read.size() < count) {
            if (System.currentTimeMillis() > end) throw new AssertionError("read " + read.size() + " of " + count);
            for (var r : consumer.poll(Duration.ofMillis(200))) read.add(r);
        }
        return read;
    }

    static void nothing(KafkaConsumer<String, String> consumer) {
        long end = System.currentTimeMillis() + 1500;
        while (System.currentTimeMillis() < end)
            for (var r : consumer.poll(Duration.ofMillis(200))) throw new AssertionError("unexpected " + r.value());
    }

    static List<TopicPartition> parts(String topic, int count) {
        return IntStream.range(0, count).mapToObj(p -> new TopicPartition(topic, p)).collect(Collectors.toList());
    }

    static List<String> values(String topic, int partitions, int count, String isolation) {
        try (KafkaConsumer<String, String> consumer = consumer("isolation.level", isolation)) {
            consumer.assign(parts(topic, partitions));
            consumer.seekToBeginning(parts(topic, partitions));
            List<String> read = take(consumer, count).stream().map(ConsumerRecord::value).sorted().collect(Collectors.toList());
            nothing(consumer);
            return read;
        }
    }

    static List<String> wanted(int from, int to) {
        return IntStream.range(from, to).mapToObj(n -> "v" + n).sorted().collect(Collectors.toList());
    }

    static long committed(KafkaConsumer<String, String> consumer, String topic, int partitions) {
        return consumer.committed(new HashSet<>(parts(topic, partitions))).values().stream().filter(Objects::nonNull).mapToLong(OffsetAndMetadata::offset).sum();
    }

    static void group(String protocol) throws Exception {
        String topic = PRE + "group-" + protocol, group = topic;
        Object[] set = VERSION.startsWith("2") ? new Object[] {"group.id", group} : new Object[] {"group.id", group, "group.protocol", protocol};
        feature("group.protocol=" + protocol + ": commit, resume, describe", () -> {
            create(topic, 4);
            produce(topic, 0, 200);
            try (KafkaConsumer<String, String> consumer = consumer(set)) {
                consumer.subscribe(List.of(topic));
                take(consumer, 200);
                consumer.commitSync();
                same("committed", committed(consumer, topic, 4), 200L);
                var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                same("members", described.members().size(), 1);
                same("assigned", described.members().iterator().next().assignment().topicPartitions().size(), 4);
            }
            produce(topic, 200, 201);
            try (KafkaConsumer<String, String> consumer = consumer(set)) {
                consumer.subscribe(List.of(topic));
                same("resumed with", take(consumer, 1).get(0).value(), "v200");
                nothing(consumer);
            }
        });
        feature("group.protocol=" + protocol + ": two members share, one leaves", () -> {
            try (KafkaConsumer<String, String> one = consumer(set)) {
                one.subscribe(List.of(topic));
                try (KafkaConsumer<String, String> two = consumer(set)) {
                    two.subscribe(List.of(topic));
                    // Each in its turn, on one thread: polls must be short for both to take part in a rebalance.
                    until(() -> { one.poll(Duration.ofMillis(50)); two.poll(Duration.ofMillis(50)); return one.assignment().size() == 2 && two.assignment().size() == 2; },
                        () -> one.assignment().size() + " and " + two.assignment().size());
                }
                until(() -> { one.poll(Duration.ofMillis(50)); return one.assignment().size() == 4; }, () -> "alone " + one.assignment().size());
            }
        });
    }

    interface Test { boolean holds() throws Exception; }

    static void until(Test test, java.util.function.Supplier<String> state) throws Exception {
        long end = System.currentTimeMillis() + 40_000;
        while (!test.holds()) if (System.currentTimeMillis() > end) throw new AssertionError("not within 40 s: " + state.get());
    }

    static void transform(String protocol) throws Exception {
        String in = PRE + "in-" + protocol, out = PRE + "out-" + protocol;
        Object[] set = new Object[] {"group.id", in, "isolation.level", "read_committed", "max.poll.records", 20};
        if (!VERSION.startsWith("2")) { set = Arrays.copyOf(set, 8); set[6] = "group.protocol"; set[7] = protocol; }
        Object[] consumerSettings = set;
        feature("transactions: consume, transform, produce with offsets, group.protocol=" + protocol, () -> {
            create(in, 3);
            create(out, 3);
            produce(in, 0, 100);
            try (KafkaProducer<String, String> producer = producer("transactional.id", in); KafkaConsumer<String, String> consumer = consumer(consumerSettings)) {
                producer.initTransactions();
                consumer.subscribe(List.of(in));
                int done = 0;
                while (done < 100) {
                    List<ConsumerRecord<String, String>> batch = take(consumer, 1);
                    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                    for (var r : batch) offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    for (boolean last : new boolean[] {false, true}) { // first aborted, then the same again
                        producer.beginTransaction();
                        for (var r : batch) producer.send(new ProducerRecord<>(out, r.key(), r.value()));
                        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                        if (last) producer.commitTransaction(); else producer.abortTransaction();
                    }
                    done += batch.size();
                }
                same("committed", committed(consumer, in, 3), 100L);
            }
            same("copies", values(out, 3, 100, "read_committed"), wanted(0, 100));
        });
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        admin = Admin.create(settings());
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd"))
            feature("idempotent produce and fetch, " + codec, () -> {
                create(PRE + codec, 3);
                produce(PRE + codec, 0, 300, "compression.type", codec);
                same("what was read", values(PRE + codec, 3, 300, "read_uncommitted"), wanted(0, 300));
            });
        feature("order in a partition, null and empty values, headers, offsets by time", () -> {
            String topic = PRE + "order";
            create(topic, 1);
            try (KafkaProducer<String, String> producer = producer()) {
                for (int n = 0; n < 200; n++) {
                    var record = new ProducerRecord<>(topic, 0, BASE + n, "k" + n, n == 1 ? null : n == 2 ? "" : "v" + n);
                    record.headers().add("a", new byte[] {1}).add("n", null);
                    long offset = n;
                    producer.send(record, (told, error) -> { if (error != null || told.offset() != offset) throw new AssertionError(offset + ": " + told + " " + error); });
                }
            }
            try (KafkaConsumer<String, String> consumer = consumer()) {
                TopicPartition part = new TopicPartition(topic, 0);
                consumer.assign(List.of(part));
                var read = take(consumer, 200);
                for (int n = 0; n < 200; n++) {
                    same("offset", read.get(n).offset(), (long) n);
                    same("key", read.get(n).key(), "k" + n);
                    same("value", read.get(n).value(), n == 1 ? null : n == 2 ? "" : "v" + n);
                    same("header", read.get(n).headers().lastHeader("n").value(), null);
                }
                same("by time", consumer.offsetsForTimes(Map.of(part, (BASE + 150))).get(part).offset(), 150L);
                same("ends", List.of(consumer.beginningOffsets(List.of(part)).get(part), consumer.endOffsets(List.of(part)).get(part)), List.of(0L, 200L));
            }
        });
        group("classic");
        if (VERSION.startsWith("4")) group("consumer");
        feature("classic, cooperative-sticky, static members", () -> {
            String topic = PRE + "static";
            create(topic, 4);
            List<KafkaConsumer<String, String>> members = new ArrayList<>();
            for (String name : List.of("one", "two"))
                members.add(consumer("group.id", topic, "group.instance.id", name, "partition.assignment.strategy", CooperativeStickyAssignor.class.getName()));
            for (var member : members) member.subscribe(List.of(topic));
            until(() -> { for (var member : members) member.poll(Duration.ofMillis(50)); return members.stream().allMatch(m -> m.assignment().size() == 2); }, () -> "");
            same("instances", admin.describeConsumerGroups(List.of(topic)).all().get().get(topic).members().stream().map(m -> m.groupInstanceId().orElse("")).sorted()
                .collect(Collectors.toList()), List.of("one", "two"));
            for (var member : members) member.close();
        });
        feature("transactions: commit, abort, read_committed and read_uncommitted", () -> {
            String topic = PRE + "txn";
            create(topic, 3);
            List<String> kept = new ArrayList<>(), all = new ArrayList<>();
            try (KafkaProducer<String, String> producer = producer("transactional.id", topic)) {
                producer.initTransactions();
                for (int t = 0; t < 12; t++) {
                    producer.beginTransaction();
                    for (int p = 0; p < 3; p++) {
                        producer.send(new ProducerRecord<>(topic, p, "k", t + "-" + p)).get();
                        all.add(t + "-" + p);
                        if (t % 3 != 2) kept.add(t + "-" + p);
                    }
                    if (t % 3 == 2) producer.abortTransaction(); else producer.commitTransaction();
                }
            }
            Collections.sort(kept);
            Collections.sort(all);
            same("read_committed", values(topic, 3, kept.size(), "read_committed"), kept);
            same("read_uncommitted", values(topic, 3, all.size(), "read_uncommitted"), all);
        });
        feature("transactions: an open one holds read_committed back (last stable offset)", () -> {
            String topic = PRE + "open";
            create(topic, 1);
            TopicPartition part = new TopicPartition(topic, 0);
            try (KafkaProducer<String, String> producer = producer("transactional.id", topic); KafkaConsumer<String, String> consumer = consumer("isolation.level", "read_committed")) {
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, "k", "open")).get();
                produce(topic, 0, 1);
                consumer.assign(List.of(part));
                nothing(consumer);
                same("last stable offset", consumer.endOffsets(List.of(part)).get(part), 0L);
                producer.commitTransaction();
                same("then", take(consumer, 2).stream().map(ConsumerRecord::value).collect(Collectors.toList()), List.of("open", "v0"));
            }
        });
        transform("classic");
        if (VERSION.startsWith("4")) transform("consumer");
        feature("transactions: a second producer of the same id fences the first", () -> {
            String topic = PRE + "fence";
            create(topic, 1);
            try (KafkaProducer<String, String> first = producer("transactional.id", topic); KafkaProducer<String, String> second = producer("transactional.id", topic)) {
                first.initTransactions();
                first.beginTransaction();
                first.send(new ProducerRecord<>(topic, "k", "zombie")).get();
                second.initTransactions();
                try { first.commitTransaction(); throw new AssertionError("the first could commit"); } catch (ProducerFencedException | InvalidProducerEpochException wanted) { }
                second.beginTransaction();
                second.send(new ProducerRecord<>(topic, "k", "fresh")).get();
                second.commitTransaction();
            }
            same("read_committed", values(topic, 1, 1, "read_committed"), List.of("fresh"));
        });
        feature("admin: cluster, topics, partitions, configs", () -> {
            String topic = PRE + "made";
            same("nodes", admin.describeCluster().nodes().get().size(), 3);
            admin.createTopics(List.of(new NewTopic(topic, Map.of(0, List.of(1, 2), 1, List.of(2, 3))).configs(Map.of("retention.ms", "123456")))).all().get();
            raises(TopicExistsException.class, () -> create(topic, 1));
            raises(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(new NewTopic(topic + "x", 1, (short) 9))).all().get());
            raises(InvalidTopicException.class, () -> create("bad name", 1));
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
            raises(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "654321"), AlterConfigOp.OpType.SET)))).all().get();
            until(() -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value().equals("654321"), () -> "retention.ms");
            raises(InvalidConfigurationException.class, () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)))).all().get());
            admin.deleteTopics(List.of(topic)).all().get();
            raises(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(topic)).all().get());
        });
        feature("admin: offsets, delete records, log dirs, group offsets, delete group", () -> {
            String group = PRE + "group-classic", topic = group;
            TopicPartition order = new TopicPartition(PRE + "order", 0), part = new TopicPartition(topic, 0);
            same("deleted up to", admin.deleteRecords(Map.of(order, RecordsToDelete.beforeOffset(150))).lowWatermarks().get(order).get().lowWatermark(), 150L);
            same("earliest", admin.listOffsets(Map.of(order, OffsetSpec.earliest())).partitionResult(order).get().offset(), 150L);
            same("by time", admin.listOffsets(Map.of(order, OffsetSpec.forTimestamp((BASE + 160)))).partitionResult(order).get().offset(), 160L);
            same("log dirs", admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions().get().size(), 3);
            admin.alterConsumerGroupOffsets(group, Map.of(part, new OffsetAndMetadata(3))).all().get();
            same("altered", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(part).offset(), 3L);
            admin.deleteConsumerGroupOffsets(group, Set.of(part)).all().get();
            same("deleted", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().containsKey(part), false);
            admin.deleteConsumerGroups(List.of(group)).all().get();
            raises(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        });
        admin.close();
        System.out.flush();
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }
}
