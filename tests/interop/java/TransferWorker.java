// The transfer loop's worker with Kafka's Java clients (see transfer.py); the group uses the consumer protocol (KIP-848).
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class TransferWorker {
    static volatile boolean closed;
    static int committed, aborted, renewed;

    public static void main(String[] args) throws Exception {
        Thread listener = new Thread(() -> { try { System.in.readAllBytes(); } catch (Exception ignored) { } closed = true; });
        listener.setDaemon(true);
        listener.start();
        while (!closed) {
            try {
                work(args[0], args[1]);
            } catch (KafkaException error) {
                System.out.println("anew after " + error);
                renewed++;
            }
        }
        System.out.println("transactions " + committed + " " + aborted + " " + renewed);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    static void work(String bootstrap, String name) {
        Map<String, Object> producing = Map.of("bootstrap.servers", bootstrap, "transactional.id", name, "transaction.timeout.ms", 20000);
        Map<String, Object> consuming = Map.of("bootstrap.servers", bootstrap, "group.id", name, "group.protocol", "consumer", "isolation.level", "read_committed",
            "enable.auto.commit", false, "auto.offset.reset", "earliest", "max.poll.records", 200);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer());
             KafkaConsumer<String, String> consumer = new KafkaConsumer<>(consuming, new StringDeserializer(), new StringDeserializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(name + "-in"));
            while (!closed) {
                ConsumerRecords<String, String> batch = consumer.poll(Duration.ofMillis(200));
                if (batch.isEmpty()) continue;
                boolean onPurpose = (committed + aborted) % 7 == 6;
                try {
                    producer.beginTransaction();
                    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                    for (var r : batch) {
                        producer.send(new ProducerRecord<>(name + "-out", r.partition(), null, r.value().toUpperCase()));
                        offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    }
                    producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                    if (!onPurpose) {
                        commit(producer);
                        committed++;
                        continue;
                    }
                } catch (ProducerFencedException | InvalidProducerEpochException | OutOfOrderSequenceException | AuthorizationException | UnsupportedVersionException fatal) {
                    throw fatal;
                } catch (KafkaException error) {
                    System.out.println("aborts after " + error);
                }
                producer.abortTransaction();
                aborted++;
                // What was aborted is read again: back to what the group has committed.
                var positions = consumer.committed(consumer.assignment());
                for (TopicPartition part : consumer.assignment()) {
                    OffsetAndMetadata position = positions.get(part);
                    if (position == null) consumer.seekToBeginning(List.of(part)); else consumer.seek(part, position);
                }
            }
        }
    }

    // A commit that timed out may be asked for again, and must be: its outcome is open.
    static void commit(KafkaProducer<String, String> producer) {
        for (int attempt = 0;; attempt++) {
            try {
                producer.commitTransaction();
                return;
            } catch (TimeoutException error) {
                if (attempt == 3) throw error;
            }
        }
    }
}
