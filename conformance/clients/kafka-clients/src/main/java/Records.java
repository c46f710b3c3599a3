import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What producers and consumers do. */
final class Records {
    private static final int COUNT = 300;
    private static final long BASE_TIME = System.currentTimeMillis() - 3_600_000;
    private final Admin admin;

    Records(Admin admin) {
        this.admin = admin;
    }

    void checks() {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            Check.check("create, produce and consume " + codec, () -> roundTrip(codec, Map.of("compression.type", codec)));
        }
        for (String acks : List.of("0", "1", "all")) {
            Check.check("acks=" + acks, () -> roundTrip("acks-" + acks, Map.of("acks", acks, "enable.idempotence", "false")));
        }
        Check.check("idempotent, small batches", () -> roundTrip("idempotent", Map.of("batch.size", "500", "linger.ms", "0")));
        Check.check("send and forget, send and wait, send with a callback", this::sendModes);
        Check.check("small fetches", () -> verify("none", 0, Map.of("max.partition.fetch.bytes", "100", "fetch.max.bytes", "100")));
        Check.check("read committed sees everything", () -> verify("none", 0, Map.of("isolation.level", "read_committed")));
        Check.check("seek to the middle, the end and the beginning", this::seek);
        Check.check("offsets by time", this::byTime);
        Check.check("list offsets", this::listOffsets);
        Check.check("offset out of range", () -> Check.refused(OffsetOutOfRangeException.class,
            () -> read("none", 10_000, 1, Map.of("auto.offset.reset", "none"))));
        Check.check("record too large", () -> {
            try (var producer = producer(Map.of("max.request.size", "4000000"))) {
                Check.refused(RecordTooLargeException.class,
                    () -> producer.send(new ProducerRecord<>(Check.topic("none"), new byte[2_000_000])).get());
            }
        });
        Check.check("delete records", this::deleteRecords);
        Check.check("a compacted log is read over its holes", new Compacted(admin)::check);
    }

    static KafkaProducer<byte[], byte[]> producer(Map<String, String> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", Check.bootstrap, "delivery.timeout.ms", "20000",
            "request.timeout.ms", "10000", "linger.ms", "5"));
        config.putAll(more);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, String> more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", Check.bootstrap, "enable.auto.commit", "false",
            "default.api.timeout.ms", "20000", "request.timeout.ms", "10000"));
        config.putAll(more);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Record `index` of every run: some keys, values and header values are null. */
    private static ProducerRecord<byte[], byte[]> record(String name, int index) {
        byte[] key = index % 7 == 0 ? null : ("key-" + index % 11).getBytes(UTF_8);
        byte[] value = index % 7 == 3 ? null : ("value-" + index + "-" + "x".repeat(index % 50)).getBytes(UTF_8);
        var record = new ProducerRecord<>(Check.topic(name), 0, BASE_TIME + index, key, value);
        record.headers().add("index", Integer.toString(index).getBytes(UTF_8)).add("empty", new byte[0])
            .add("null", null).add("index", "again".getBytes(UTF_8));
        return record;
    }

    private void create(String name) throws Exception {
        admin.createTopics(List.of(new NewTopic(Check.topic(name), 1, (short) 1))).all().get();
    }

    private void roundTrip(String name, Map<String, String> config) throws Exception {
        create(name);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = producer(config)) {
            for (int index = 0; index < COUNT; index++) sent.add(producer.send(record(name, index)));
        }
        for (int index = 0; index < COUNT; index++) {
            long wanted = "0".equals(config.get("acks")) ? -1 : index;
            Check.same(sent.get(index).get().offset(), wanted, "acknowledged offset");
        }
        verify(name, 0, Map.of());
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String name, long from, int wanted, Map<String, String> config) {
        try (var consumer = consumer(config)) {
            var partition = new TopicPartition(Check.topic(name), 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, from);
            List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
            long end = System.nanoTime() + 20_000_000_000L;
            while (records.size() < wanted) {
                if (System.nanoTime() > end) throw new AssertionError(records.size() + " of " + wanted + " records within 20 s");
                consumer.poll(Duration.ofSeconds(1)).forEach(records::add);
            }
            return records;
        }
    }

    private static void verify(String name, int first, Map<String, String> config) {
        int index = first;
        for (var got : read(name, first, COUNT - first, config)) {
            var wanted = record(name, index);
            Check.same(got.offset(), (long) index, "offset");
            Check.same(got.timestamp(), wanted.timestamp(), "time of " + index);
            boolean equal = Arrays.equals(got.key(), wanted.key()) && Arrays.equals(got.value(), wanted.value());
            Header[] headers = got.headers().toArray();
            Header[] wantedHeaders = wanted.headers().toArray();
            equal &= headers.length == wantedHeaders.length;
            for (int i = 0; equal && i < headers.length; i++) {
                equal = headers[i].key().equals(wantedHeaders[i].key()) && Arrays.equals(headers[i].value(), wantedHeaders[i].value());
            }
            if (!equal) throw new AssertionError("record " + index + " is " + got + ", wanted " + wanted);
            index++;
        }
        Check.same(index, COUNT, "records");
    }

    private void sendModes() throws Exception {
        create("modes");
        var offsets = new ConcurrentLinkedQueue<Long>();
        try (var producer = producer(Map.of())) {
            for (int index = 0; index < 100; index++) producer.send(record("modes", index));
            producer.flush();
            for (int index = 100; index < 200; index++) {
                Check.same(producer.send(record("modes", index)).get().offset(), (long) index, "offset");
            }
            for (int index = 200; index < COUNT; index++) {
                producer.send(record("modes", index), (metadata, error) -> offsets.add(error == null ? metadata.offset() : -1));
            }
        }
        Check.same(List.copyOf(offsets), java.util.stream.LongStream.range(200, COUNT).boxed().toList(), "offsets of the callbacks");
        verify("modes", 0, Map.of());
    }

    private void seek() {
        try (var consumer = consumer(Map.of("max.poll.records", "1"))) {
            var partition = new TopicPartition(Check.topic("zstd"), 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, 150);
            Check.same(consumer.poll(Duration.ofSeconds(10)).iterator().next().offset(), 150L, "after a seek");
            consumer.seekToEnd(List.of(partition));
            Check.same(consumer.position(partition), (long) COUNT, "at the end");
            consumer.seekToBeginning(List.of(partition));
            Check.same(consumer.poll(Duration.ofSeconds(10)).iterator().next().offset(), 0L, "at the beginning");
        }
    }

    private void byTime() {
        try (var consumer = consumer(Map.of())) {
            var partition = new TopicPartition(Check.topic("zstd"), 0);
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, BASE_TIME + 123)).get(partition);
            Check.same(found.offset(), 123L, "offset");
            Check.same(found.timestamp(), BASE_TIME + 123, "timestamp");
            Check.same(consumer.offsetsForTimes(Map.of(partition, BASE_TIME + 3_000_000)).get(partition), null, "after the last");
            Check.same(consumer.beginningOffsets(List.of(partition)).get(partition), 0L, "beginning");
            Check.same(consumer.endOffsets(List.of(partition)).get(partition), (long) COUNT, "end");
        }
    }

    private void listOffsets() throws Exception {
        var partition = new TopicPartition(Check.topic("gzip"), 0);
        Map<OffsetSpec, Long> cases = Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), (long) COUNT,
            OffsetSpec.maxTimestamp(), COUNT - 1L, OffsetSpec.forTimestamp(BASE_TIME + 7), 7L, OffsetSpec.earliestLocal(), 0L);
        for (var each : cases.entrySet()) {
            long got = admin.listOffsets(Map.of(partition, each.getKey())).partitionResult(partition).get().offset();
            Check.same(got, each.getValue(), each.getKey().getClass().getSimpleName());
        }
    }

    private void deleteRecords() throws Exception {
        roundTrip("trimmed", Map.of());
        var partition = new TopicPartition(Check.topic("trimmed"), 0);
        var answer = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(100)));
        Check.same(answer.lowWatermarks().get(partition).get().lowWatermark(), 100L, "low watermark");
        verify("trimmed", 100, Map.of());
        Check.refused(OffsetOutOfRangeException.class, () -> read("trimmed", 0, 1, Map.of("auto.offset.reset", "none")));
        Check.refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class,
            () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(10_000))).all().get());
    }
}
