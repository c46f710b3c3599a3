import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** A compacted log, whose batches have lost records at their beginnings, in their midst and at their ends, or all of them. */
final class Compacted {
    private static final int ROUNDS = 8, RECORDS = 20;
    /** The round of which nothing stays. */
    private static final int GONE = 4;
    private static final long BEGUN = System.currentTimeMillis() - 3_600_000;
    private final Admin admin;

    Compacted(Admin admin) {
        this.admin = admin;
    }

    void check() throws Exception {
        String topic = Check.topic("compacted");
        var partition = new TopicPartition(topic, 0);
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("cleanup.policy", "compact", "segment.ms", "10",
            "min.cleanable.dirty.ratio", "0.001")))).all().get();
        Map<String, Long> last = new HashMap<>();
        try (var producer = Records.producer(Map.of("linger.ms", "30"))) {
            for (int round = 0; round <= ROUNDS; round++) {
                // Two that stay in the midst of each batch but one; what comes last is in the segment that is not cleaned.
                for (int index = 0; index < (round == ROUNDS ? 1 : RECORDS); index++) {
                    boolean stays = round != GONE && (index == 7 || index == 11);
                    String key = round == ROUNDS ? "end" : stays ? "stays-" + round + "-" + index : "key-" + index;
                    // By its time each round begins a segment.
                    long time = BEGUN + round * 1000;
                    producer.send(new ProducerRecord<>(topic, 0, time, key.getBytes(UTF_8), key.getBytes(UTF_8)));
                    last.put(key, (long) round * RECORDS + index);
                }
                producer.flush();
            }
        }
        TreeMap<Long, String> wanted = new TreeMap<>();
        last.forEach((key, offset) -> wanted.put(offset, key));
        long end = ROUNDS * RECORDS + 1;
        try (var consumer = Records.consumer(Map.of())) {
            consumer.assign(List.of(partition));
            Check.until("compacted", 40, () -> read(consumer, partition, 0, end).equals(wanted));
        }
        for (String bytes : List.of("1048576", "1")) {
            var config = Map.of("max.partition.fetch.bytes", bytes, "fetch.max.bytes", bytes, "fetch.max.wait.ms", "10",
                "isolation.level", "read_committed");
            try (var consumer = Records.consumer(config)) {
                consumer.assign(List.of(partition));
                // From within each hole, too, the next that is left is read, and nothing before it.
                for (long from = 0; from < end; from += 3) {
                    var left = new TreeMap<>(wanted.tailMap(from));
                    Check.same(read(consumer, partition, from, end), left, "from " + from + " on");
                }
            }
        }
    }

    /** The keys by their offsets from an offset to the end, which the position must reach. */
    private static Map<Long, String> read(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long from, long end) {
        Map<Long, String> all = new TreeMap<>();
        consumer.seek(partition, from);
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (consumer.position(partition) != end) {
            if (System.nanoTime() > deadline) throw new AssertionError("from " + from + " on it stays at " + consumer.position(partition));
            for (var record : consumer.poll(Duration.ofMillis(200))) all.put(record.offset(), new String(record.key(), UTF_8));
        }
        return all;
    }
}
