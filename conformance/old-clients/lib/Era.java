import java.util.Collections;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Clients from 0.10.2 on: records have timestamps, and offsets are asked for by partition and by time. */
class Era {
    static ProducerRecord<String, String> record(String topic, int index) {
        return new ProducerRecord<>(topic, 0, Check.TIME + index, Check.key(index), Check.value(index));
    }

    static void time(ConsumerRecord<String, String> record, int index) {
        Check.same(record.timestamp(), Check.TIME + index);
    }

    static void offsets(String topic) {
        TopicPartition where = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Check.properties())) {
            Check.same(consumer.beginningOffsets(Collections.singletonList(where)).get(where), 0L);
            Check.same(consumer.endOffsets(Collections.singletonList(where)).get(where), (long) Check.COUNT);
            OffsetAndTimestamp found =
                consumer.offsetsForTimes(Collections.singletonMap(where, Check.TIME + 17)).get(where);
            Check.same(found.offset(), 17L);
            Check.same(found.timestamp(), Check.TIME + 17);
            Check.same(consumer.partitionsFor(topic).size(), 1);
        }
    }
}
