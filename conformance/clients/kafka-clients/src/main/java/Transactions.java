import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** What transactional producers do, and what readers see of it. */
final class Transactions {
    private static final int PARTITIONS = 2, RECORDS = 50;
    private final Admin admin;

    Transactions(Admin admin) {
        this.admin = admin;
    }

    void checks() {
        Check.check("transactions are committed and aborted", this::ended);
        Check.check("a producer is fenced by the next one of its id, and by an administrator", this::fenced);
        for (String protocol : List.of("consumer", "classic")) {
            Check.check("offsets of a " + protocol + " group move with a transaction or not at all", () -> offsets(protocol));
        }
    }

    private void ended() throws Exception {
        String topic = create("transacted"), id = Check.topic("ended");
        try (var producer = producer(id)) {
            for (String what : List.of("committed", "aborted", "committed again")) {
                producer.beginTransaction();
                send(producer, topic, what);
                producer.flush();
                Check.same(admin.describeTransactions(List.of(id)).description(id).get().state(), TransactionState.ONGOING, "state");
                if (what.equals("aborted")) producer.abortTransaction();
                else producer.commitTransaction();
            }
            Check.same(read(topic, "read_uncommitted", 3 * RECORDS).size(), 3 * RECORDS, "records of all");
            var values = read(topic, "read_committed", 2 * RECORDS);
            Check.same(values.size(), 2 * RECORDS, "records of the committed");
            Check.same(values.stream().filter("committed"::equals).count(), (long) RECORDS, "records of the first");
            Check.same(values.stream().filter("committed again"::equals).count(), (long) RECORDS, "records of the last");
            producer.beginTransaction();
            send(producer, topic, "open");
            producer.flush();
            Check.same(read(topic, "read_committed", 2 * RECORDS).size(), 2 * RECORDS, "records while one is open");
            producer.commitTransaction();
            Check.same(read(topic, "read_committed", 3 * RECORDS).size(), 3 * RECORDS, "records after its end");
        }
        var listed = admin.listTransactions().all().get().stream().filter(each -> each.transactionalId().equals(id)).toList();
        Check.same(listed.size(), 1, "transactional ids of this name");
    }

    private void fenced() throws Exception {
        String topic = create("fenced"), id = Check.topic("fenced");
        try (var first = producer(id)) {
            first.beginTransaction();
            send(first, topic, "fenced");
            first.flush();
            try (var second = producer(id)) {
                isFenced(first);
                second.beginTransaction();
                send(second, topic, "kept");
                second.commitTransaction();
                second.beginTransaction();
                send(second, topic, "fenced");
                second.flush();
                admin.fenceProducers(List.of(id)).all().get();
                isFenced(second);
            }
        }
        Check.same(Set.copyOf(read(topic, "read_committed", RECORDS)), Set.of("kept"), "what is committed");
    }

    private static void isFenced(KafkaProducer<byte[], byte[]> producer) {
        try {
            producer.commitTransaction();
        } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
            return;
        }
        throw new AssertionError("a fenced producer commits");
    }

    /** Reads a group's records and writes them on, first for nothing. */
    private void offsets(String protocol) throws Exception {
        String in = create("in-" + protocol), out = create("out-" + protocol), group = Check.topic("moved-" + protocol);
        try (var producer = Records.producer(Map.of())) {
            send(producer, in, "moved");
        }
        for (boolean commits : List.of(false, true)) {
            try (var consumer = Groups.member(group, protocol, null); var producer = producer(Check.topic("mover-" + protocol))) {
                consumer.subscribe(List.of(in));
                producer.beginTransaction();
                List<Integer> moved = new ArrayList<>();
                Check.until("all records moved", 30, () -> {
                    for (var record : consumer.poll(Duration.ofMillis(100))) {
                        producer.send(new ProducerRecord<>(out, record.partition(), null, record.value()));
                        moved.add(record.partition());
                    }
                    return moved.size() >= RECORDS;
                });
                Check.same(moved.size(), RECORDS, "records");
                Map<TopicPartition, OffsetAndMetadata> ends = new java.util.HashMap<>();
                for (var partition : consumer.assignment()) ends.put(partition, new OffsetAndMetadata(consumer.position(partition)));
                Check.same(ends.size(), PARTITIONS, "partitions");
                producer.sendOffsetsToTransaction(ends, consumer.groupMetadata());
                if (commits) {
                    producer.commitTransaction();
                    // The coordinator of the group takes them over when their marker has come.
                    Check.until("the offsets moved", () -> consumer.committed(ends.keySet()).equals(ends));
                } else {
                    producer.abortTransaction();
                    goBack(consumer, ends.keySet());
                }
            }
        }
        Check.same(read(out, "read_committed", RECORDS).size(), RECORDS, "records that were moved");
    }

    /** Goes back to what is committed, which an abort has not moved: nothing. */
    private static void goBack(KafkaConsumer<byte[], byte[]> consumer, Set<TopicPartition> partitions) throws Exception {
        Check.same(consumer.committed(partitions).values().stream().filter(Objects::nonNull).count(), 0L, "offsets after an abort");
        consumer.seekToBeginning(partitions);
        List<Long> again = new ArrayList<>();
        Check.until("all records again", 30, () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(record -> again.add(record.offset()));
            return again.size() >= RECORDS;
        });
        Check.same(again.size(), RECORDS, "records after an abort");
    }

    private static KafkaProducer<byte[], byte[]> producer(String id) {
        var producer = Records.producer(Map.of("transactional.id", id));
        producer.initTransactions();
        return producer;
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, String value) {
        for (int index = 0; index < RECORDS; index++) {
            producer.send(new ProducerRecord<>(topic, index % PARTITIONS, null, value.getBytes(UTF_8)));
        }
    }

    /** Reads the values of a topic, and whether there are more than these. */
    private static List<String> read(String topic, String isolation, int wanted) throws Exception {
        try (var consumer = Records.consumer(Map.of("isolation.level", isolation))) {
            var partitions = List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            List<String> values = new ArrayList<>();
            Check.until(wanted + " records of " + topic, () -> {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(new String(record.value(), UTF_8)));
                return values.size() >= wanted;
            });
            consumer.poll(Duration.ofMillis(300)).forEach(record -> values.add(new String(record.value(), UTF_8)));
            return values;
        }
    }

    private String create(String name) throws Exception {
        String topic = Check.topic(name);
        admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        return topic;
    }
}
