// Words are counted with exactly_once_v2 while the broker may be killed and the application is replaced by another, with
// nothing of its state, twice. Without a cache every word makes one count, so that what comes out for a word must be 1, 2, 3
// and so on, each once. Says `seen N` as counts come out, for whoever kills the broker.

import java.nio.file.Files;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
    static final String IN = "words", OUT = "counts";
    static final int PARTITIONS = 2, WORDS = 1200, VOCABULARY = 13;
    static final long MOST_MILLIS = 150_000;
    static final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();

    static String protocol;

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        protocol = args[1];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(IN, PARTITIONS, (short) 1), new NewTopic(OUT, PARTITIONS, (short) 1)))
                    .all().get(30, TimeUnit.SECONDS);
        }
        Thread feeder = new Thread(() -> feed(bootstrap));
        feeder.start();
        count(bootstrap);
        feeder.join();
        failures.forEach(failure -> System.out.println("FAIL " + failure));
        if (failures.isEmpty()) {
            System.out.println("ok   " + WORDS + " words counted, each once");
        }
        System.out.println((failures.isEmpty() ? 1 : 0) + " passed, " + Math.min(1, failures.size()) + " failed");
        System.out.flush();
        Runtime.getRuntime().halt(failures.isEmpty() ? 0 : 1);
    }

    static String word(int number) {
        return "word-" + number % VOCABULARY;
    }

    static void feed(String bootstrap) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "acks", "all", "enable.idempotence", true,
                "delivery.timeout.ms", 120_000, "linger.ms", 0);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < WORDS; number++) {
                producer.send(new ProducerRecord<>(IN, number % PARTITIONS, null, word(number))).get();
                Thread.sleep(5);
            }
        } catch (Exception failure) {
            failures.add("the words cannot be written: " + failure);
        }
    }

    static KafkaStreams application(String bootstrap) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(IN)
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long, org.apache.kafka.streams.state.KeyValueStore<
                        org.apache.kafka.common.utils.Bytes, byte[]>>as("counted").withCachingDisabled())
                .toStream()
                .to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        config.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("word-count").toString());
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put("group.protocol", protocol);
        // A streams group has its own, from the broker.
        if (protocol.equals("classic")) {
            config.put("session.timeout.ms", 6000);
            config.put("heartbeat.interval.ms", 500);
        }
        config.put("consumer.auto.offset.reset", "earliest");
        KafkaStreams streams = new KafkaStreams(builder.build(), config);
        streams.setUncaughtExceptionHandler(failure -> {
            System.out.println("     a thread is replaced after " + failure);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        return streams;
    }

    /** Reads counts until all are there, and has another application take over twice. */
    static void count(String bootstrap) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed",
                "auto.offset.reset", "earliest");
        Map<String, Long> last = new TreeMap<>();
        int seen = 0, replaced = 0;
        long end = System.currentTimeMillis() + MOST_MILLIS, quiet = 0;
        KafkaStreams application = application(bootstrap);
        try (KafkaConsumer<String, Long> consumer =
                new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer())) {
            consumer.assign(java.util.stream.IntStream.range(0, PARTITIONS).mapToObj(p -> new TopicPartition(OUT, p)).toList());
            // A moment longer than the last, for what may come twice.
            while (seen < WORDS || quiet < 20) {
                if (System.currentTimeMillis() > end) {
                    failures.add("only " + seen + " of " + WORDS + " counts within " + MOST_MILLIS + " ms: " + last);
                    break;
                }
                int before = seen;
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(100))) {
                    seen++;
                    long expected = last.getOrDefault(record.key(), 0L) + 1;
                    if (record.value() != expected) {
                        failures.add(record.key() + " is counted as " + record.value() + " where " + expected + " follows");
                    }
                    last.put(record.key(), record.value());
                }
                quiet = seen == before ? quiet + 1 : 0;
                if (seen != before) {
                    System.out.println("seen " + seen);
                }
                if (seen > (replaced + 1) * WORDS / 3 && replaced < 2) {
                    replaced++;
                    application.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(20)));
                    application = application(bootstrap);
                }
            }
        }
        Map<String, Long> wanted = new HashMap<>();
        for (int number = 0; number < WORDS; number++) {
            wanted.merge(word(number), 1L, Long::sum);
        }
        if (!wanted.equals(last)) {
            failures.add("counted " + last + " of " + new TreeMap<>(wanted));
        }
    }
}
