// Kafka Streams' word count with exactly_once_v2 while brokers are killed: the counts must be exactly those of the words that went in.
import java.net.URI;
import java.net.http.*;
import java.time.Duration;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.*;

public class WordCount {
    static String http;

    static String call(String method, String path, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(http + path)).header("content-type", "application/json")
            .method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(body)).build();
        var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) throw new AssertionError(method + " " + path + ": " + answer.statusCode() + " " + answer.body());
        return answer.body();
    }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        http = args[1];
        int code = 0;
        for (String protocol : List.of("classic", "streams")) {
            String how = protocol.equals("classic") ? "" : ", group.protocol=streams in two processes of which one leaves";
            String name = "word count, exactly_once_v2, through two broker kills" + how;
            long start = System.nanoTime();
            try {
                count(bootstrap, protocol);
                System.out.printf("PASSED  streams 4.3.0: %s (%.1f s)%n", name, (System.nanoTime() - start) / 1e9);
            } catch (Throwable error) {
                System.out.printf("FAILED  streams 4.3.0: %s: %s%n", name, error);
                code = 1;
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(code);
    }

    /** A process of the application, with a directory and an endpoint of its own. */
    static KafkaStreams started(String bootstrap, String protocol, String in, String out, List<String> thrown) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("application.id", "words-" + protocol);
        settings.put("group.protocol", protocol);
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("replication.factor", 3);
        settings.put("num.stream.threads", 1);
        settings.put("commit.interval.ms", 200);
        settings.put("default.key.serde", Serdes.StringSerde.class);
        settings.put("default.value.serde", Serdes.StringSerde.class);
        settings.put("state.dir", java.nio.file.Files.createTempDirectory("words").toString());
        settings.put("statestore.cache.max.bytes", 0);
        settings.put("producer.transaction.timeout.ms", 20000);
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(in).flatMapValues(line -> List.of(line.split(" "))).groupBy((key, word) -> word)
            .count(Materialized.<String, Long>as(org.apache.kafka.streams.state.Stores.inMemoryKeyValueStore("counts")).withKeySerde(Serdes.String()).withValueSerde(Serdes.Long()))
            .toStream().to(out, Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> { thrown.add(error.toString()); return StreamThreadExceptionResponse.REPLACE_THREAD; });
        streams.start();
        return streams;
    }

    static void count(String bootstrap, String protocol) throws Exception {
        boolean modern = protocol.equals("streams");
        String in = "words-in-" + protocol, out = "words-out-" + protocol;
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var topics = List.of(new NewTopic(in, 3, (short) 3), new NewTopic(out, 3, (short) 3));
            admin.createTopics(topics).all().get();
        }
        List<String> thrown = Collections.synchronizedList(new ArrayList<>());
        KafkaStreams streams = started(bootstrap, protocol, in, out, thrown);
        KafkaStreams other = modern ? started(bootstrap, protocol, in, out, thrown) : null;

        Map<String, Long> wanted = new TreeMap<>();
        Random chance = new Random(7);
        Map<String, Object> producing = Map.of("bootstrap.servers", bootstrap, "acks", "all", "enable.idempotence", true);
        try (var producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer())) {
            List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
            for (int n = 0; n < 2000; n++) {
                String line = IntStream.range(0, 4).mapToObj(i -> "w" + chance.nextInt(20)).collect(Collectors.joining(" "));
                for (String word : line.split(" ")) wanted.merge(word, 1L, Long::sum);
                sent.add(producer.send(new ProducerRecord<>(in, "line" + n, line)));
                if (n % 20 == 0) Thread.sleep(60);
                if (n == 500) call("POST", "/api/faults", "{\"kind\":\"kill\",\"broker\":2,\"duration_ms\":3000}");
                if (n == 1000 && modern) other.close(Duration.ofSeconds(20));
                if (n == 1500) call("POST", "/api/faults", "{\"kind\":\"kill\",\"broker\":3,\"duration_ms\":3000}");
            }
            for (var future : sent) future.get();
        }
        // Each count of each word must come once and in order: 1, 2, 3 …: exactly once, seen from outside.
        Map<String, Object> consuming = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
        Map<String, List<Long>> seen = new TreeMap<>();
        try (var consumer = new KafkaConsumer<>(consuming, new StringDeserializer(), new LongDeserializer())) {
            var parts = IntStream.range(0, 3).mapToObj(p -> new TopicPartition(out, p)).collect(Collectors.toList());
            consumer.assign(parts);
            consumer.seekToBeginning(parts);
            long end = System.currentTimeMillis() + (modern ? 120_000 : 90_000), total = 0, all = 8000, quiet = 0;
            while (quiet < 8) {
                int got = 0;
                for (var record : consumer.poll(Duration.ofMillis(250))) {
                    seen.computeIfAbsent(record.key(), w -> new ArrayList<>()).add(record.value());
                    total++;
                    got++;
                }
                quiet = total >= all && got == 0 ? quiet + 1 : 0;
                if (System.currentTimeMillis() > end) throw new AssertionError(total + " of " + all + " counts in time; state " + streams.state() + ", threw " + thrown);
            }
        }
        for (var word : wanted.entrySet()) {
            var once = LongStream.rangeClosed(1, word.getValue()).boxed().collect(Collectors.toList());
            if (!once.equals(seen.get(word.getKey()))) throw new AssertionError(word.getKey() + " was counted " + seen.get(word.getKey()).size() + " times to "
                + Collections.max(seen.get(word.getKey())) + " and not " + word.getValue() + "; threw " + thrown);
        }
        streams.close(Duration.ofSeconds(20));
    }
}
