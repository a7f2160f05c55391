// Share groups (KIP-932) with Kafka's KafkaShareConsumer: each record with one consumer at a time, redelivered until it is accepted, rejected or
// delivered too often, and none that was accepted ever again, though brokers are killed.
import java.net.URI;
import java.net.http.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.regex.Pattern;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class ShareGroups {
    static String bootstrap, http;
    static final String PRE = "share-" + ProcessHandle.current().pid() + "-";
    static Admin admin;
    static int failed;

    interface Action { void run() throws Exception; }

    static void feature(String name, Action action) {
        long start = System.nanoTime();
        try {
            action.run();
            System.out.printf("PASSED  share groups: %s (%.1f s)%n", name, (System.nanoTime() - start) / 1e9);
        } catch (Throwable error) {
            failed++;
            String line = Arrays.stream(error.getStackTrace()).filter(f -> f.getClassName().startsWith("ShareGroups")).findFirst().map(f -> "line " + f.getLineNumber()).orElse("");
            System.out.printf("FAILED  share groups: %s: %s %s%n", name, error, line);
        }
    }

    static void same(String what, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(what + " is " + got + " and not " + wanted);
    }

    static String call(String method, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(http + path)).header("content-type", "application/json")
            .method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body)).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) throw new AssertionError(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
        return answer.body();
    }

    static void create(String topic) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 3))).all().get();
    }

    // A group that begins with the first record, with settings of its own.
    static void group(String group, String... pairs) throws Exception {
        List<AlterConfigOp> ops = new ArrayList<>();
        ops.add(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET));
        for (int i = 0; i < pairs.length; i += 2) ops.add(new AlterConfigOp(new ConfigEntry(pairs[i], pairs[i + 1]), AlterConfigOp.OpType.SET));
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), ops)).all().get();
    }

    static KafkaProducer<String, String> producer(Object... pairs) {
        Map<String, Object> map = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "acks", "all", "batch.size", 400, "linger.ms", 1));
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        return new KafkaProducer<>(map, new StringSerializer(), new StringSerializer());
    }

    static void produce(String topic, int from, int to) throws Exception {
        try (var producer = producer()) {
            for (int n = from; n < to; n++) producer.send(new ProducerRecord<>(topic, String.valueOf(n)));
            producer.flush();
        }
    }

    static KafkaShareConsumer<String, String> consumer(String group, String topic, Object... pairs) {
        Map<String, Object> map = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "share.acknowledgement.mode", "explicit"));
        for (int i = 0; i < pairs.length; i += 2) map.put((String) pairs[i], pairs[i + 1]);
        var consumer = new KafkaShareConsumer<>(map, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static List<ConsumerRecord<String, String>> poll(KafkaShareConsumer<String, String> consumer, int seconds) {
        long end = System.currentTimeMillis() + seconds * 1000L;
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        while (records.isEmpty() && System.currentTimeMillis() < end) consumer.poll(Duration.ofMillis(300)).forEach(records::add);
        return records;
    }

    static void commit(KafkaShareConsumer<String, String> consumer) {
        consumer.commitSync(Duration.ofSeconds(20)).forEach((partition, error) -> {
            if (error.isPresent()) throw error.get();
        });
    }

    static short deliveries(ConsumerRecord<String, String> record) { return record.deliveryCount().orElse((short) -1); }

    // Reads and accepts until so many values have come, or time is up. What was accepted and committed is in `accepted`; each value once.
    static void acceptAll(KafkaShareConsumer<String, String> consumer, Set<String> accepted, int wanted, int seconds) {
        long end = System.currentTimeMillis() + seconds * 1000L;
        while (accepted.size() < wanted && System.currentTimeMillis() < end) {
            var records = consumer.poll(Duration.ofMillis(300));
            if (records.isEmpty()) continue;
            List<String> values = new ArrayList<>();
            for (var record : records) {
                if (accepted.contains(record.value())) throw new AssertionError(record.value() + " was accepted and came again");
                values.add(record.value());
                consumer.acknowledge(record, AcknowledgeType.ACCEPT);
            }
            boolean well = consumer.commitSync(Duration.ofSeconds(20)).values().stream().allMatch(Optional::isEmpty);
            if (well) accepted.addAll(values);
        }
        same("number of accepted records", accepted.size(), wanted);
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        http = args[1];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));

        feature("two consumers share one partition, each record once", () -> {
            String topic = PRE + "both", group = PRE + "both";
            create(topic);
            group(group);
            produce(topic, 0, 2000);
            Map<String, Integer> seen = new ConcurrentHashMap<>();
            int[] counts = new int[2];
            Thread[] threads = new Thread[2];
            List<Throwable> errors = Collections.synchronizedList(new ArrayList<>());
            CyclicBarrier both = new CyclicBarrier(2);
            for (int i = 0; i < 2; i++) {
                int me = i;
                threads[i] = new Thread(() -> {
                    try (var consumer = consumer(group, topic, "share.acknowledgement.mode", "implicit", "max.poll.records", 50)) {
                        long end = System.currentTimeMillis() + 60_000;
                        while (seen.size() < 2000 && System.currentTimeMillis() < end) {
                            for (var record : consumer.poll(Duration.ofMillis(200))) {
                                if (counts[me] == 0) both.await(30, TimeUnit.SECONDS);
                                counts[me]++;
                                seen.merge(record.value(), 1, Integer::sum);
                            }
                        }
                        // What the last poll gave is taken for done by the next one or by this, and not by the end.
                        commit(consumer);
                    } catch (Throwable error) { errors.add(error); }
                });
                threads[i].start();
            }
            for (Thread thread : threads) thread.join();
            same("errors", errors, List.of());
            same("values", seen.size(), 2000);
            same("deliveries", seen.values().stream().mapToInt(n -> n).sum(), 2000);
            if (counts[0] == 0 || counts[1] == 0) throw new AssertionError("one consumer got nothing: " + Arrays.toString(counts));
        });

        feature("accept, release and reject; redelivery with its count up to the limit", () -> {
            String topic = PRE + "types", group = PRE + "types";
            create(topic);
            group(group, "share.delivery.count.limit", "3");
            produce(topic, 0, 6);
            Map<String, List<Short>> seen = new TreeMap<>();
            try (var consumer = consumer(group, topic)) {
                for (int round = 0; round < 40; round++) {
                    for (var record : poll(consumer, 1)) {
                        seen.computeIfAbsent(record.value(), k -> new ArrayList<>()).add(deliveries(record));
                        int n = Integer.parseInt(record.value());
                        consumer.acknowledge(record, n < 2 ? AcknowledgeType.ACCEPT : n < 4 ? AcknowledgeType.REJECT : AcknowledgeType.RELEASE);
                    }
                    commit(consumer);
                    if (seen.getOrDefault("5", List.of()).size() >= 3 && seen.getOrDefault("4", List.of()).size() >= 3 && round > 8) break;
                }
                produce(topic, 6, 7);
                same("what comes then", poll(consumer, 20).stream().map(ConsumerRecord::value).toList(), List.of("6"));
            }
            List<Short> once = List.of((short) 1), thrice = List.of((short) 1, (short) 2, (short) 3);
            same("deliveries", seen, new TreeMap<>(Map.of("0", once, "1", once, "2", once, "3", once, "4", thrice, "5", thrice)));
        });

        feature("a lock that runs out gives the record to another, a renewed one does not", () -> {
            String topic = PRE + "locks", group = PRE + "locks";
            create(topic);
            group(group, "share.record.lock.duration.ms", "15000");
            produce(topic, 0, 2);
            try (var slow = consumer(group, topic); var other = consumer(group, topic)) {
                var records = poll(slow, 30);
                while (records.size() < 2) records.addAll(poll(slow, 5));
                same("lock time-out", slow.acquisitionLockTimeoutMs(), Optional.of(15000));
                long began = System.currentTimeMillis();
                var renewed = records.get(1);
                slow.acknowledge(records.get(0), AcknowledgeType.RENEW);
                slow.acknowledge(renewed, AcknowledgeType.RENEW);
                commit(slow);
                // The first runs out about 15 s later; the second is renewed once more.
                while (System.currentTimeMillis() - began < 8_000) poll(other, 1);
                for (var again : slow.poll(Duration.ofMillis(500))) {
                    if (again.offset() == renewed.offset()) slow.acknowledge(again, AcknowledgeType.RENEW);
                }
                commit(slow);
                var late = poll(other, 14);
                same("what the other gets", late.stream().map(ConsumerRecord::value).toList(), List.of("0"));
                same("its delivery count", deliveries(late.get(0)), (short) 2);
                if (System.currentTimeMillis() - began < 14_000) throw new AssertionError("it came while it was locked");
                late.forEach(record -> other.acknowledge(record, AcknowledgeType.ACCEPT));
                commit(other);
            }
        });

        feature("a consumer that closes gives back what it has", () -> {
            String topic = PRE + "closes", group = PRE + "closes";
            create(topic);
            group(group);
            produce(topic, 0, 20);
            Set<String> had = new TreeSet<>();
            try (var first = consumer(group, topic)) { poll(first, 30).forEach(record -> had.add(record.value())); }
            if (had.isEmpty()) throw new AssertionError("the first got nothing");
            try (var second = consumer(group, topic)) { acceptAll(second, new TreeSet<>(), 20, 12); }
        });

        feature("how far a group has come is told over HTTP as Kafka's Admin tells it", () -> {
            String topic = PRE + "told", group = PRE + "told";
            create(topic);
            group(group);
            produce(topic, 0, 20);
            try (var consumer = consumer(group, topic)) { acceptAll(consumer, new TreeSet<>(), 20, 20); }
            produce(topic, 20, 50);
            var pattern = Pattern.compile("\"share_offsets\":\\[\\{\"topic\":\"" + topic + "\",\"partition\":0,\"start_offset\":(\\d+),\"lag\":(\\d+)");
            long end = System.currentTimeMillis() + 20_000;
            String kafka = "", ours = "";
            while (System.currentTimeMillis() < end && !(kafka.endsWith(" 30") && ours.equals(kafka))) {
                var info = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(group).get().values().iterator().next();
                kafka = info.startOffset() + " " + info.lag().map(String::valueOf).orElse("?");
                var found = pattern.matcher(call("GET", "/api/cluster", null));
                ours = found.find() ? found.group(1) + " " + found.group(2) : "nothing";
                Thread.sleep(100);
            }
            // The start offset that is kept moves with the next write; the lag counts what is done with beyond it.
            if (!kafka.endsWith(" 30")) throw new AssertionError("start offset and lag for Kafka's Admin are " + kafka);
            same("start offset and lag over HTTP", ours, kafka);
            if (!call("GET", "/api/groups", null).contains("\"id\":\"" + group + "\"")) throw new AssertionError("it has no verdict");
        });

        feature("record_limit gives no more than asked for", () -> {
            String topic = PRE + "limit", group = PRE + "limit";
            create(topic);
            group(group);
            try (var producer = producer("batch.size", 100_000, "linger.ms", 200)) {
                for (int n = 0; n < 100; n++) producer.send(new ProducerRecord<>(topic, String.valueOf(n)));
            }
            try (var consumer = consumer(group, topic, "share.acquire.mode", "record_limit", "max.poll.records", 7)) {
                var records = poll(consumer, 30);
                same("records of one poll", records.size(), 7);
                records.forEach(record -> consumer.acknowledge(record, AcknowledgeType.ACCEPT));
                commit(consumer);
            }
            Set<String> rest = new TreeSet<>();
            try (var consumer = consumer(group, topic)) { acceptAll(consumer, rest, 93, 30); }
        });

        feature("read_committed delivers no record of an aborted transaction", () -> {
            String topic = PRE + "txn", group = PRE + "txn";
            create(topic);
            group(group, "share.isolation.level", "read_committed");
            Set<String> committed = new TreeSet<>();
            try (var producer = producer("transactional.id", PRE + "txn")) {
                producer.initTransactions();
                for (int txn = 0; txn < 10; txn++) {
                    producer.beginTransaction();
                    for (int n = 0; n < 20; n++) {
                        String value = txn + "/" + n;
                        producer.send(new ProducerRecord<>(topic, value));
                        if (txn % 3 != 1) committed.add(value);
                    }
                    if (txn % 3 == 1) { producer.flush(); producer.abortTransaction(); } else producer.commitTransaction();
                }
                Set<String> accepted = new TreeSet<>();
                try (var consumer = consumer(group, topic)) {
                    acceptAll(consumer, accepted, committed.size(), 30);
                    same("values", accepted, committed);
                    producer.beginTransaction();
                    producer.send(new ProducerRecord<>(topic, "open")).get();
                    same("what of an open transaction comes", poll(consumer, 2).size(), 0);
                    producer.commitTransaction();
                    same("what of it comes then", poll(consumer, 20).stream().map(ConsumerRecord::value).toList(), List.of("open"));
                }
            }
        });

        feature("no accepted record comes again though the partition's leader is killed, twice", () -> {
            String topic = PRE + "killed", group = PRE + "killed";
            create(topic);
            group(group);
            Set<String> accepted = new TreeSet<>();
            try (var consumer = consumer(group, topic, "max.poll.records", 40)) {
                produce(topic, 0, 300);
                acceptAll(consumer, accepted, 300, 40);
                for (int round = 1; round <= 2; round++) {
                    int leader = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(0).leader().id();
                    call("POST", "/api/faults", "{\"kind\":\"kill\",\"broker\":" + leader + ",\"duration_ms\":6000}");
                    produce(topic, round * 300, round * 300 + 300);
                    acceptAll(consumer, accepted, 300 + round * 300, 60);
                }
            }
        });

        feature("no accepted record comes again after all brokers were started anew", () -> {
            String topic = PRE + "anew", group = PRE + "anew";
            create(topic);
            group(group);
            Set<String> accepted = new TreeSet<>();
            produce(topic, 0, 100);
            try (var consumer = consumer(group, topic)) { acceptAll(consumer, accepted, 100, 30); }
            for (int broker = 1; broker <= 3; broker++) call("POST", "/api/faults", "{\"kind\":\"stop\",\"broker\":" + broker + "}");
            call("DELETE", "/api/faults", null);
            produce(topic, 100, 150);
            try (var consumer = consumer(group, topic)) { acceptAll(consumer, accepted, 150, 60); }
        });

        admin.close();
        System.exit(failed == 0 ? 0 : 1);
    }
}
