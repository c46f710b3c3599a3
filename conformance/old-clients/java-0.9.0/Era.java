import java.util.Collections;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** The client of 0.9, the first with a consumer of its own: it knows no timestamps, and finds the ends by seeking. */
class Era {
    static ProducerRecord<String, String> record(String topic, int index) {
        return new ProducerRecord<>(topic, 0, Check.key(index), Check.value(index));
    }

    static void time(ConsumerRecord<String, String> record, int index) {}

    static void offsets(String topic) {
        TopicPartition where = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Check.properties())) {
            consumer.assign(Collections.singletonList(where));
            consumer.seekToEnd(where);
            Check.same(consumer.position(where), (long) Check.COUNT);
            consumer.seekToBeginning(where);
            Check.same(consumer.position(where), 0L);
            Check.same(consumer.partitionsFor(topic).size(), 1);
        }
    }
}
