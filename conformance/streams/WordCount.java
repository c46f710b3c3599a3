// Words are counted with exactly_once_v2 while the broker may be killed. Without a cache every word makes one count, so that
// what comes out for a word must be 1, 2, 3 and so on, each once. Says `seen N` as counts come out, for whoever kills the broker.

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public class WordCount {
    static final String IN = "words", OUT = "counts";
    static final int WORDS = 1200, VOCABULARY = 13;

    public static void main(String[] args) throws Exception {
        Application.bootstrap = args[0];
        Application.protocol = args[1];
        Application.topics(IN, OUT);
        Thread feeder = new Thread(WordCount::feed);
        feeder.start();
        count();
        feeder.join();
        Application.end(WORDS + " words counted, each once");
    }

    static String word(int number) {
        return "word-" + number % VOCABULARY;
    }

    static void feed() {
        try (KafkaProducer<String, String> producer = Application.producer()) {
            for (int number = 0; number < WORDS; number++) {
                producer.send(new ProducerRecord<>(IN, number % Application.PARTITIONS, null, word(number))).get();
                Application.follow(number);
                Thread.sleep(2);
            }
        } catch (Exception failure) {
            Application.failures.add("the words cannot be written: " + failure);
        }
    }

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(IN)
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count(Materialized.<String, Long, org.apache.kafka.streams.state.KeyValueStore<
                        org.apache.kafka.common.utils.Bytes, byte[]>>as("counted").withCachingDisabled())
                .toStream()
                .to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    /** Reads counts until all are there. */
    static void count() throws Exception {
        Map<String, Long> last = new TreeMap<>();
        int seen = 0;
        long end = System.currentTimeMillis() + Application.MOST_MILLIS, quiet = 0;
        Application application = new Application("word-count");
        try (KafkaConsumer<String, Long> consumer =
                new KafkaConsumer<>(Application.reading(), new StringDeserializer(), new LongDeserializer())) {
            consumer.assign(Application.partitions(OUT));
            // A moment longer than the last, for what may come twice.
            while (seen < WORDS || quiet < 20) {
                if (System.currentTimeMillis() > end) {
                    Application.failures.add("only " + seen + " of " + WORDS + " counts within " + Application.MOST_MILLIS + " ms: " + last);
                    break;
                }
                int before = seen;
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(100))) {
                    seen++;
                    long expected = last.getOrDefault(record.key(), 0L) + 1;
                    if (record.value() != expected) {
                        Application.failures.add(record.key() + " is counted as " + record.value() + " where " + expected + " follows");
                    }
                    last.put(record.key(), record.value());
                }
                quiet = seen == before ? quiet + 1 : 0;
                if (seen != before) application.seen(seen, WORDS);
            }
        }
        Map<String, Long> wanted = new HashMap<>();
        for (int number = 0; number < WORDS; number++) {
            wanted.merge(word(number), 1L, Long::sum);
        }
        if (!wanted.equals(last)) {
            Application.failures.add("counted " + last + " of " + new TreeMap<>(wanted));
        }
    }
}
