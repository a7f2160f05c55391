import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Runs Kafka's command-line tools one after the other in one JVM, since a start of the JVM costs more than most of them do.
 *
 * A line on standard input is a call: file for the tool's standard input, file for its output, class, arguments, all separated by U+001F.
 * The answer is a line with its exit code; 124 if it did not end in time.
 */
public class Tools {
    private static final long PATIENCE_MS = 60_000;

    /** Thrown in place of the JVM's end. No Exception, so that no tool catches it as its own failure. */
    private static final class Exited extends Error {
        final int code;

        Exited(int code) {
            super("exit " + code, null, false, false);
            this.code = code;
        }

        // TopicCommand catches it all the same, and prints it.
        @Override public void printStackTrace(PrintStream out) { }
        @Override public void printStackTrace(PrintWriter out) { }
    }

    /** A stream whose target changes with each call; Scala's Console and the loggers keep the first System.out that they see. */
    private static final class Switch extends OutputStream {
        private volatile OutputStream target = OutputStream.nullOutputStream();

        @Override public void write(int b) throws IOException { target.write(b); }
        @Override public void write(byte[] bytes, int from, int length) throws IOException { target.write(bytes, from, length); }
        @Override public void flush() throws IOException { target.flush(); }
    }

    private static volatile int exitCode;
    private static volatile boolean exited;
    private static final List<Runnable> hooks = new CopyOnWriteArrayList<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = System.out;
        Switch output = new Switch();
        System.setOut(new PrintStream(output, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(output, true, StandardCharsets.UTF_8));
        Exit.Procedure leave = (code, message) -> {
            if (message != null) System.err.println(message);
            if (!exited) exitCode = code;
            exited = true;
            throw new Exited(code);
        };
        Exit.setExitProcedure(leave);
        Exit.setHaltProcedure(leave);
        // What a tool leaves for the end of its JVM (a producer's last batches, say) is done at the end of its call.
        Exit.setShutdownHookAdder((name, runnable) -> hooks.add(runnable));
        for (String line; (line = calls.readLine()) != null; ) {
            String[] call = line.split("\u001f", -1);
            try (InputStream input = new FileInputStream(call[0]); OutputStream file = new FileOutputStream(call[1])) {
                System.setIn(input);
                output.target = file;
                int code = run(call[2], Arrays.copyOfRange(call, 3, call.length));
                System.out.flush();
                output.target = OutputStream.nullOutputStream();
                answers.println(code);
                answers.flush();
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static int run(String name, String[] arguments) throws InterruptedException {
        exitCode = 0;
        exited = false;
        Thread thread = new Thread(() -> {
            try {
                Class<?> tool = name.startsWith("Tools$") ? Class.forName(name, true, Tools.class.getClassLoader()) : Class.forName(name);
                tool.getMethod("main", String[].class).invoke(null, (Object) arguments);
            } catch (InvocationTargetException thrown) {
                if (!(thrown.getCause() instanceof Exited)) {
                    thrown.getCause().printStackTrace();
                    exitCode = 1;
                }
            } catch (ReflectiveOperationException error) {
                error.printStackTrace();
                exitCode = 1;
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
        thread.join(PATIENCE_MS);
        if (!thread.isAlive()) {
            hooks.forEach(Runnable::run);
            hooks.clear();
            return exitCode;
        }
        hooks.clear();
        for (StackTraceElement frame : thread.getStackTrace()) System.err.println("still at " + frame);
        thread.interrupt();
        return 124;
    }

    /** Transactions, each of ten records and in turn committed and aborted: BOOTSTRAP TOPIC COUNT COMPRESSION. No tool of Kafka's aborts one. */
    public static final class Transactions {
        public static void main(String[] arguments) throws Exception {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", arguments[0]);
            properties.put("transactional.id", "in-turn");
            properties.put("compression.type", arguments[3]);
            properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
                producer.initTransactions();
                for (int transaction = 0; transaction < Integer.parseInt(arguments[2]); transaction++) {
                    boolean commit = transaction % 2 == 0;
                    producer.beginTransaction();
                    for (int record : List.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)) {
                        String value = (commit ? "committed-" : "aborted-") + transaction + "-" + record;
                        producer.send(new ProducerRecord<>(arguments[1], 0, "key-" + record, value));
                    }
                    // An abort drops what was not sent yet, so it is sent.
                    producer.flush();
                    if (commit) producer.commitTransaction(); else producer.abortTransaction();
                }
            }
        }
    }

    /** A transaction whose producer goes without ending it: BOOTSTRAP TOPIC. No tool of Kafka's leaves one. */
    public static final class LeftOpen {
        public static void main(String[] arguments) throws Exception {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", arguments[0]);
            properties.put("transactional.id", "leaves-open");
            properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            KafkaProducer<String, String> producer = new KafkaProducer<>(properties);
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(arguments[1], 0, "key", "never ended")).get();
            // With time to spare it would abort.
            producer.close(java.time.Duration.ZERO);
        }
    }

    /**
     * A member whose topics the broker finds by a regular expression (SubscriptionPattern): BOOTSTRAP GROUP REGEX COUNT TOPIC. It reads COUNT
     * records, then makes TOPIC with one record in it, and reads that. ConsoleConsumer looks for topics itself.
     */
    public static final class Matching {
        public static void main(String[] arguments) throws Exception {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", arguments[0]);
            properties.put("group.id", arguments[1]);
            properties.put("group.protocol", "consumer");
            properties.put("auto.offset.reset", "earliest");
            properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
            properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties);
                    Admin admin = Admin.create(properties);
                    KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
                consumer.subscribe(new SubscriptionPattern(arguments[2]));
                int wanted = Integer.parseInt(arguments[3]);
                for (int read = 0; read < wanted; ) read += consumer.poll(Duration.ofMillis(200)).count();
                System.out.println("read " + wanted + " of " + new TreeSet<>(consumer.subscription()));
                admin.createTopics(List.of(new NewTopic(arguments[4], 1, (short) 3))).all().get();
                producer.send(new ProducerRecord<>(arguments[4], "late", "late")).get();
                boolean came = false;
                while (!came) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) came |= record.topic().equals(arguments[4]);
                }
                System.out.println("read " + arguments[4]);
            }
        }
    }

    /**
     * What the broker tells of its configs when documentation is asked for, and when it is not: BOOTSTRAP TOPIC GROUP SUBSCRIPTION. A line for
     * each config without a text although Kafka's own definition has one, or with a text where Kafka has none; then how many have one. No tool of
     * Kafka's asks for it.
     */
    public static final class Documentation {
        public static void main(String[] arguments) throws Exception {
            Properties properties = new Properties();
            properties.put("bootstrap.servers", arguments[0]);
            ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
            List<ConfigResource> all = List.of(broker, new ConfigResource(ConfigResource.Type.TOPIC, arguments[1]),
                new ConfigResource(ConfigResource.Type.GROUP, arguments[2]), new ConfigResource(ConfigResource.Type.CLIENT_METRICS, arguments[3]));
            try (Admin admin = Admin.create(properties)) {
                for (boolean wanted : List.of(true, false)) {
                    var told = admin.describeConfigs(all, new DescribeConfigsOptions().includeDocumentation(wanted)).all().get();
                    for (ConfigResource resource : all) {
                        int count = 0;
                        for (ConfigEntry entry : told.get(resource).entries()) {
                            boolean has = entry.documentation() != null && !entry.documentation().isBlank();
                            if (has) count++;
                            if (wanted && has != kafkaHas(resource.type(), entry.name())) {
                                System.out.println(resource.type() + " " + entry.name() + (has ? " has documentation" : " has none"));
                            }
                        }
                        System.out.println(resource.type() + (wanted ? ": " : " unasked: ") + count + " texts");
                    }
                }
            }
        }

        private static boolean kafkaHas(ConfigResource.Type type, String key) {
            ConfigDef definition = switch (type) {
                case BROKER -> kafka.server.KafkaConfig.configDef();
                case TOPIC -> LogConfig.configDefCopy();
                case GROUP -> GroupConfig.CONFIG_DEF;
                // ClientMetricsConfigs keeps its definition to itself; all of it is documented.
                default -> null;
            };
            return definition == null || definition.configKeys().containsKey(key) && !definition.configKeys().get(key).documentation.isBlank();
        }
    }
}
