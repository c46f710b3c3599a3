import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.Future;
import kafka.api.ConsumerMetadataRequest;
import kafka.api.ConsumerMetadataResponse;
import kafka.api.FetchRequestBuilder;
import kafka.api.PartitionOffsetRequestInfo;
import kafka.common.OffsetAndMetadata;
import kafka.common.OffsetMetadataAndError;
import kafka.common.TopicAndPartition;
import kafka.javaapi.FetchResponse;
import kafka.javaapi.OffsetCommitRequest;
import kafka.javaapi.OffsetFetchRequest;
import kafka.javaapi.OffsetRequest;
import kafka.javaapi.TopicMetadata;
import kafka.javaapi.TopicMetadataRequest;
import kafka.javaapi.consumer.SimpleConsumer;
import kafka.javaapi.producer.Producer;
import kafka.message.MessageAndOffset;
import kafka.network.BlockingChannel;
import kafka.producer.KeyedMessage;
import kafka.producer.ProducerConfig;
import org.apache.kafka.clients.producer.*;

/** What Java clients of 0.8.2 do with one broker: the producer of then and the new one, and a consumer that has no group. */
public class Check extends Checks {
    static String value(int index) { return "value-" + index; }
    static byte[] bytes(String text) { return text == null ? null : text.getBytes(StandardCharsets.UTF_8); }

    static String text(ByteBuffer buffer) {
        return buffer == null ? null : StandardCharsets.UTF_8.decode(buffer.duplicate()).toString();
    }

    static SimpleConsumer consumer() {
        String[] place = bootstrap.split(":");
        return new SimpleConsumer(place[0], Integer.parseInt(place[1]), 20_000, 64 * 1024, "check");
    }

    /** Asks for a topic, which makes it, until it has a leader. */
    static void make(String topic) throws Exception {
        SimpleConsumer consumer = consumer();
        for (int turn = 0; turn < 100; turn++) {
            List<TopicMetadata> metadata =
                consumer.send(new TopicMetadataRequest(Collections.singletonList(topic))).topicsMetadata();
            if (metadata.get(0).errorCode() == 0 && metadata.get(0).partitionsMetadata().get(0).leader() != null) {
                same(metadata.get(0).partitionsMetadata().size(), 1);
                consumer.close();
                return;
            }
            Thread.sleep(100);
        }
        throw new AssertionError("no leader of " + topic);
    }

    static void sendAsThen(String topic, String codec) {
        Properties properties = new Properties();
        properties.put("metadata.broker.list", bootstrap);
        properties.put("serializer.class", "kafka.serializer.StringEncoder");
        properties.put("request.required.acks", "-1");
        properties.put("compression.codec", codec);
        Producer<String, String> producer = new Producer<>(new ProducerConfig(properties));
        for (int first = 0; first < COUNT; first += 20) {
            List<KeyedMessage<String, String>> messages = new ArrayList<>();
            for (int index = first; index < first + 20; index++)
                messages.add(new KeyedMessage<>(topic, key(index), 0, value(index)));
            producer.send(messages);
        }
        producer.close();
    }

    static void sendAsNew(String topic, String codec) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("compression.type", codec);
        properties.put("linger.ms", 50);
        properties.put("acks", "all");
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int index = 0; index < COUNT; index++)
                sent.add(producer.send(new ProducerRecord<>(topic, 0, bytes(key(index)), bytes(value(index)))));
            for (int index = 0; index < COUNT; index++) same(sent.get(index).get().offset(), (long) index);
        }
    }

    static void read(String topic, int first, int size) {
        SimpleConsumer consumer = consumer();
        int next = first;
        long end = System.currentTimeMillis() + 20_000;
        while (next < COUNT) {
            if (System.currentTimeMillis() > end) throw new AssertionError(next + " of " + COUNT + " records");
            FetchResponse answer = consumer.fetch(new FetchRequestBuilder().clientId("check").maxWait(200).minBytes(1)
                .addFetch(topic, 0, next, size).build());
            same(answer.errorCode(topic, 0), (short) 0);
            for (MessageAndOffset message : answer.messageSet(topic, 0)) {
                if (message.offset() < next) continue;
                same(message.offset(), (long) next);
                same(text(message.message().key()), key(next));
                same(text(message.message().payload()), value(next));
                next++;
            }
        }
        consumer.close();
    }

    static void bothWays(String codec, boolean then) throws Exception {
        String topic = topic((then ? "then-" : "new-") + codec);
        make(topic);
        if (then) sendAsThen(topic, codec); else sendAsNew(topic, codec);
        read(topic, 0, 1 << 20);
        read(topic, 23, 1 << 20);
        read(topic, 0, 3000);
    }

    static void offsets() {
        SimpleConsumer consumer = consumer();
        TopicAndPartition where = new TopicAndPartition(topic("new-none"), 0);
        long[] times = {kafka.api.OffsetRequest.EarliestTime(), kafka.api.OffsetRequest.LatestTime()};
        for (int place = 0; place < 2; place++) {
            OffsetRequest request = new OffsetRequest(
                Collections.singletonMap(where, new PartitionOffsetRequestInfo(times[place], 1)), (short) 0, "check");
            long[] found = consumer.getOffsetsBefore(request).offsets(where.topic(), 0);
            same(found.length, 1);
            same(found[0], place == 0 ? 0L : COUNT);
        }
        consumer.close();
    }

    /** From version 1 on clients ask who coordinates their group; those of 0 know only brokers. */
    static boolean coordinated(String group) {
        String[] place = bootstrap.split(":");
        int size = BlockingChannel.UseDefaultBufferSize();
        BlockingChannel channel = new BlockingChannel(place[0], Integer.parseInt(place[1]), size, size, 20_000);
        channel.connect();
        channel.send(new ConsumerMetadataRequest(group, ConsumerMetadataRequest.CurrentVersion(), 1, "check"));
        short error = ConsumerMetadataResponse.readFrom(channel.receive().buffer()).errorCode();
        channel.disconnect();
        return error == 0;
    }

    static void commits(short version) throws Exception {
        SimpleConsumer consumer = consumer();
        TopicAndPartition where = new TopicAndPartition(topic("new-none"), 0);
        String group = topic("group-" + version);
        long end = System.currentTimeMillis() + 20_000;
        while (true) {
            OffsetCommitRequest commit = new OffsetCommitRequest(group,
                Collections.singletonMap(where, new OffsetAndMetadata(41, "here", -1)), 1, "check", version);
            if ((version == 0 || coordinated(group)) && !consumer.commitOffsets(commit).hasError()) break;
            if (System.currentTimeMillis() > end) throw new AssertionError("no commit");
            Thread.sleep(100);
        }
        OffsetFetchRequest fetch = new OffsetFetchRequest(group, Collections.singletonList(where), version, 2, "check");
        OffsetMetadataAndError found = consumer.fetchOffsets(fetch).offsets().get(where);
        same(found.offset(), 41L);
        same(found.error(), (short) 0);
        consumer.close();
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4"}) {
            check("the producer of then, " + codec, () -> bothWays(codec, true));
            check("the new producer, " + codec, () -> bothWays(codec, false));
        }
        check("offsets", Check::offsets);
        check("commits of version 0", () -> commits((short) 0));
        check("commits of version 1", () -> commits((short) 1));
        end();
    }
}
