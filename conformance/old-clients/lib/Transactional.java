import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** What the clients of 0.11 to 2.0 do in transactions, which know nothing of the second version of the protocol. */
public class Transactional extends Checks {
    static final int PARTITIONS = 2;

    static KafkaProducer<String, String> producer(String id, Object... more) {
        Properties properties = Check.properties(more);
        properties.put("transactional.id", topic(id));
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties);
        producer.initTransactions();
        return producer;
    }

    static String create(String name) throws Exception {
        try (AdminClient admin = AdminClient.create(Check.properties())) {
            admin.createTopics(Collections.singletonList(new NewTopic(topic(name), PARTITIONS, (short) 1))).all().get();
        }
        return topic(name);
    }

    static List<TopicPartition> partitions(String topic) {
        return Arrays.asList(new TopicPartition(topic, 0), new TopicPartition(topic, 1));
    }

    /** Half of the records into each partition, all of them acknowledged. */
    static void send(Producer<String, String> producer, String topic, String what) throws Exception {
        List<java.util.concurrent.Future<RecordMetadata>> sent = new ArrayList<>();
        for (int index = 0; index < COUNT; index++)
            sent.add(producer.send(new ProducerRecord<>(topic, index % PARTITIONS, key(index), what + " " + index)));
        producer.flush();
        for (java.util.concurrent.Future<RecordMetadata> each : sent) each.get();
    }

    /** What is read of both partitions must be these, each in the order in which it was sent. */
    static void holds(String topic, String isolation, String... wanted) {
        List<List<String>> expected = new ArrayList<>(), got = new ArrayList<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            expected.add(new ArrayList<>());
            got.add(new ArrayList<>());
        }
        for (String what : wanted)
            for (int index = 0; index < COUNT; index++) expected.get(index % PARTITIONS).add(what + " " + index);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Check.properties("isolation.level", isolation))) {
            consumer.assign(partitions(topic));
            consumer.seekToBeginning(partitions(topic));
            long end = System.currentTimeMillis() + 30_000;
            // A moment longer than the last, for what may not be there.
            for (int quiet = 0; quiet < 2 && System.currentTimeMillis() < end;) {
                ConsumerRecords<String, String> records = consumer.poll(200);
                for (ConsumerRecord<String, String> record : records) got.get(record.partition()).add(record.value());
                int read = 0;
                for (List<String> each : got) read += each.size();
                quiet = records.isEmpty() && read >= wanted.length * COUNT ? quiet + 1 : 0;
            }
        }
        same(got, expected);
    }

    static void idempotent() throws Exception {
        String topic = create("idempotent");
        try (KafkaProducer<String, String> producer =
                 new KafkaProducer<>(Check.properties("enable.idempotence", "true", "batch.size", 100))) {
            send(producer, topic, "alone");
        }
        holds(topic, "read_committed", "alone");
    }

    static void ended() throws Exception {
        String topic = create("ended");
        try (KafkaProducer<String, String> producer = producer("ended")) {
            for (String what : new String[] {"first", "aborted", "second"}) {
                producer.beginTransaction();
                send(producer, topic, what);
                if (what.equals("aborted")) producer.abortTransaction();
                else producer.commitTransaction();
            }
            holds(topic, "read_committed", "first", "second");
            holds(topic, "read_uncommitted", "first", "aborted", "second");
            producer.beginTransaction();
            send(producer, topic, "open");
            holds(topic, "read_committed", "first", "second");
            producer.commitTransaction();
            holds(topic, "read_committed", "first", "second", "open");
        }
    }

    static void isFenced(Checks.Action action) throws Exception {
        try {
            action.run();
        } catch (KafkaException | ExecutionException failed) {
            // Clients of then say so as the cause of another error where the answer is there before they are asked again.
            for (Throwable cause = failed; cause != null; cause = cause.getCause()) {
                if (cause instanceof ProducerFencedException) return;
            }
            throw failed;
        }
        throw new AssertionError("a fenced producer goes on");
    }

    static void fenced() throws Exception {
        String topic = create("fenced");
        try (KafkaProducer<String, String> first = producer("fenced"); KafkaProducer<String, String> idle = producer("idle")) {
            first.beginTransaction();
            send(first, topic, "of the first");
            try (KafkaProducer<String, String> second = producer("fenced"); KafkaProducer<String, String> next = producer("idle")) {
                isFenced(first::commitTransaction);
                idle.beginTransaction();
                isFenced(() -> send(idle, topic, "of a zombie"));
                second.beginTransaction();
                send(second, topic, "of the second");
                second.commitTransaction();
                next.beginTransaction();
                send(next, topic, "of the next");
                next.commitTransaction();
            }
        }
        holds(topic, "read_committed", "of the second", "of the next");
        holds(topic, "read_uncommitted", "of the first", "of the second", "of the next");
    }

    /** The broker aborts what is left open for too long, and whoever left it comes too late. */
    static void late() throws Exception {
        String topic = create("late");
        try (KafkaProducer<String, String> producer = producer("late", "transaction.timeout.ms", 500)) {
            producer.beginTransaction();
            send(producer, topic, "late");
            try (KafkaProducer<String, String> other = new KafkaProducer<>(Check.properties())) {
                send(other, topic, "of another");
            }
            holds(topic, "read_committed", "of another");
            isFenced(producer::commitTransaction);
        }
    }

    /** Reads a group's records and writes them on, first for nothing. */
    static void moved() throws Exception {
        String in = create("in"), out = create("out"), group = topic("moved");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(Check.properties())) {
            send(producer, in, "moved");
        }
        Properties reading = Check.properties("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "isolation.level", "read_committed", "session.timeout.ms", "10000");
        for (boolean commits : new boolean[] {false, true}) {
            try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reading);
                 KafkaProducer<String, String> producer = producer("mover")) {
                consumer.subscribe(Collections.singletonList(in));
                producer.beginTransaction();
                long end = System.currentTimeMillis() + 30_000;
                for (int read = 0; read < COUNT;) {
                    if (System.currentTimeMillis() > end) throw new AssertionError(read + " of " + COUNT + " records");
                    for (ConsumerRecord<String, String> record : consumer.poll(200)) {
                        producer.send(new ProducerRecord<>(out, record.partition(), record.key(), record.value()));
                        read++;
                    }
                }
                Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
                for (TopicPartition where : partitions(in)) {
                    same(consumer.position(where), (long) COUNT / PARTITIONS);
                    ends.put(where, new OffsetAndMetadata(consumer.position(where), "moved"));
                }
                producer.sendOffsetsToTransaction(ends, group);
                if (commits) producer.commitTransaction(); else producer.abortTransaction();
                for (TopicPartition where : partitions(in)) {
                    // The coordinator of the group takes it over when its marker has come.
                    OffsetAndMetadata wanted = commits ? ends.get(where) : null, got;
                    do got = consumer.committed(where);
                    while (!Objects.equals(got, wanted) && System.currentTimeMillis() < end);
                    same(got, wanted);
                }
            }
        }
        holds(out, "read_committed", "moved");
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        check("an idempotent producer", Transactional::idempotent);
        check("transactions are committed and aborted", Transactional::ended);
        check("a producer is fenced by the next one of its id", Transactional::fenced);
        check("a transaction is ended by its time-out", Transactional::late);
        check("offsets of a group move with a transaction or not at all", Transactional::moved);
        end();
    }
}
