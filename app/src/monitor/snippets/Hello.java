import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.*;

public class Hello {
    public static void main(String[] args) throws Exception {
        String servers = "BOOTSTRAP_SERVERS";
        try (var producer = new KafkaProducer<>(Map.of("bootstrap.servers", servers),
                new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("greetings", "java", "hello from Java")).get();
        }
        try (var consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", servers,
                "group.id", "hello-java", "auto.offset.reset", "earliest"),
                new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("greetings"));
            for (int count = 0; count == 0;) {
                var records = consumer.poll(Duration.ofSeconds(1));
                records.forEach(record -> System.out.println(record.value()));
                count = records.count();
            }
        }
    }
}
