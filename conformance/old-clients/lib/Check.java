import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;

/** What the Java clients of years ago do with one broker. What differs from version to version is Era's. */
public class Check extends Checks {
    static final long TIME = System.currentTimeMillis() - 3_600_000;

    static String value(int index) { return index % 7 == 3 ? null : "value-" + index; }

    static Properties properties(Object... more) {
        Properties all = new Properties();
        all.put("bootstrap.servers", bootstrap);
        String text = "org.apache.kafka.common.serialization.String";
        all.put("key.serializer", text + "Serializer");
        all.put("value.serializer", text + "Serializer");
        all.put("key.deserializer", text + "Deserializer");
        all.put("value.deserializer", text + "Deserializer");
        for (int at = 0; at < more.length; at += 2) all.put((String) more[at], more[at + 1].toString());
        return all;
    }

    static void send(String topic, Object... more) throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties(more))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int index = 0; index < COUNT; index++) sent.add(producer.send(Era.record(topic, index)));
            producer.flush();
            for (int index = 0; index < COUNT; index++) same(sent.get(index).get().offset(), (long) index);
        }
    }

    static void read(KafkaConsumer<String, String> consumer, int first) {
        int next = first;
        long end = System.currentTimeMillis() + 30_000;
        while (next < COUNT) {
            if (System.currentTimeMillis() > end) throw new AssertionError(next + " of " + COUNT + " records");
            for (ConsumerRecord<String, String> record : consumer.poll(1000)) {
                same(record.offset(), (long) next);
                Era.time(record, next);
                same(record.key(), key(next));
                same(record.value(), value(next));
                next++;
            }
        }
    }

    static void codec(String codec) throws Exception {
        String topic = topic(codec);
        send(topic, "compression.type", codec, "linger.ms", 50, "acks", "all");
        for (int bytes : new int[] {1 << 20, 300}) {
            try (KafkaConsumer<String, String> consumer =
                     new KafkaConsumer<>(properties("max.partition.fetch.bytes", bytes, "check.crcs", "true"))) {
                TopicPartition where = new TopicPartition(topic, 0);
                consumer.assign(Collections.singletonList(where));
                consumer.seek(where, 0);
                read(consumer, 0);
                consumer.seek(where, 23);
                read(consumer, 23);
            }
        }
    }

    static void group() {
        for (int round = 0; round < 2; round++) {
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties("group.id", topic("group"),
                     "auto.offset.reset", "earliest", "enable.auto.commit", "false", "session.timeout.ms", "10000"))) {
                consumer.subscribe(Collections.singletonList(topic("none")));
                if (round == 0) {
                    read(consumer, 0);
                    TopicPartition where = new TopicPartition(topic("none"), 0);
                    consumer.commitSync(Collections.singletonMap(where, new OffsetAndMetadata(41, "here")));
                    same(consumer.committed(where).offset(), 41L);
                    same(consumer.committed(where).metadata(), "here");
                } else {
                    read(consumer, 41);
                }
            }
        }
    }

    /** Two members share the partitions, and one takes over what the other leaves. */
    static void rebalance() throws Exception {
        // By topic, as is the default, one member would get the only partition of each.
        Properties reading = properties("group.id", topic("shared"), "session.timeout.ms", "10000", "heartbeat.interval.ms", "500",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer.RoundRobinAssignor");
        List<String> topics = Arrays.asList(topic("none"), topic("gzip"));
        try (KafkaConsumer<String, String> first = new KafkaConsumer<>(reading)) {
            first.subscribe(topics);
            until(first, null, 2);
            KafkaConsumer<String, String> second = new KafkaConsumer<>(reading);
            second.subscribe(topics);
            Set<TopicPartition> taken = ConcurrentHashMap.newKeySet();
            Thread other = new Thread(() -> {
                long end = System.currentTimeMillis() + 30_000;
                while (taken.isEmpty() && System.currentTimeMillis() < end) {
                    second.poll(100);
                    taken.addAll(second.assignment());
                }
                second.close();
            });
            other.start();
            until(first, other, 2);
            same(taken.size(), 1);
        }
    }

    static void until(KafkaConsumer<String, String> consumer, Thread other, int partitions) {
        long end = System.currentTimeMillis() + 40_000;
        do {
            consumer.poll(100);
            if (System.currentTimeMillis() > end) throw new AssertionError("assigned " + consumer.assignment());
        } while (consumer.assignment().size() != partitions || (other != null && other.isAlive()));
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4"})
            check("produce and consume " + codec, () -> codec(codec));
        check("offsets", () -> Era.offsets(topic("none")));
        check("a group", Check::group);
        check("a group of two", Check::rebalance);
        end();
    }
}
