import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * An application with exactly_once_v2, in a process of its own. As what it makes comes out it is replaced by another with
 * nothing of its state, twice: once it is asked to end, and once it is killed and so leaves its transactions open.
 */
final class Application {
    static final int PARTITIONS = 2;
    static final long MOST_MILLIS = 150_000;
    /** So much of the input may wait for its results: whoever is killed is in the midst of it. */
    private static final int LEAD = 60;
    private static volatile int done;
    static final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();
    static String bootstrap, protocol;

    private final String name;
    private Process running;
    private int replaced;

    Application(String name) throws Exception {
        this.name = name;
        start();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> running.destroyForcibly()));
    }

    private void start() throws Exception {
        running = new ProcessBuilder("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
                "Application", bootstrap, protocol, name).redirectError(ProcessBuilder.Redirect.DISCARD)
                .redirectOutput(ProcessBuilder.Redirect.INHERIT).start();
    }

    /** The application: `BOOTSTRAP PROTOCOL NAME`. */
    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[2]);
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory(args[2]).toString());
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put("group.protocol", args[1]);
        // A streams group has its own, from the broker.
        if (args[1].equals("classic")) {
            config.put("session.timeout.ms", 6000);
            config.put("heartbeat.interval.ms", 500);
        }
        config.put("consumer.auto.offset.reset", "earliest");
        // What one that is killed leaves open holds up the next one until then.
        config.put("producer.transaction.timeout.ms", 5000);
        KafkaStreams streams = new KafkaStreams(args[2].equals("joins") ? Joins.topology() : WordCount.topology(), config);
        streams.setUncaughtExceptionHandler(failure -> {
            System.out.println("     a thread is replaced after " + failure.toString().lines().findFirst().orElse(""));
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(
                () -> streams.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(20)))));
        streams.start();
    }

    /** Waits until so much of the input, each of which has one such result, is not too far ahead. */
    static void follow(int written) throws InterruptedException {
        for (long end = System.currentTimeMillis() + MOST_MILLIS; written > done + LEAD && System.currentTimeMillis() < end;) Thread.sleep(2);
    }

    /** Says what has come out, and has another take over at a third of it and at two thirds. */
    void seen(int count, int all) throws Exception {
        done = count;
        System.out.println("seen " + count);
        if (count > (replaced + 1) * all / 3 && replaced < 2) {
            if (replaced == 0) running.destroy();
            else running.destroyForcibly();
            running.waitFor();
            replaced++;
            start();
        }
    }

    static void topics(String... names) throws Exception {
        Collection<NewTopic> topics = new ArrayList<>();
        for (String name : names) topics.add(new NewTopic(name, PARTITIONS, (short) 1));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(topics).all().get(30, TimeUnit.SECONDS);
        }
    }

    static KafkaProducer<String, String> producer() {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "acks", "all", "enable.idempotence", true,
                "delivery.timeout.ms", 120_000, "linger.ms", 0);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    /** Tells what failed, or what went well, and ends the process. */
    static void end(String well) {
        failures.forEach(failure -> System.out.println("FAIL " + failure));
        if (failures.isEmpty()) System.out.println("ok   " + well);
        System.out.println((failures.isEmpty() ? 1 : 0) + " passed, " + Math.min(1, failures.size()) + " failed");
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    static Map<String, Object> reading() {
        return Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
    }

    static List<TopicPartition> partitions(String... topics) {
        List<TopicPartition> all = new ArrayList<>();
        for (String topic : topics)
            for (int partition = 0; partition < PARTITIONS; partition++)
                all.add(new TopicPartition(topic, partition));
        return all;
    }
}
