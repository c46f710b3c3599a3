"""What a client of today writes and reads: `today.py BOOTSTRAP write|read TOPIC COUNT CODEC`, records as JSON lines."""
import json
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from checks import record

BOOTSTRAP, WHAT, TOPIC, COUNT, CODEC = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]


def text(field):
    return None if field is None else field.decode()


def write():
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=None if CODEC == "none" else CODEC,
                             linger_ms=50, enable_idempotence=True)
    base = int(sys.argv[6])
    for index in range(COUNT):
        key, value, headers, _ = record(index)
        producer.send(TOPIC, value, key, headers, partition=0, timestamp_ms=base + index)
    producer.flush(20)
    producer.close()


def read():
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False, check_crcs=True)
    where = TopicPartition(TOPIC, 0)
    consumer.assign([where])
    consumer.seek(where, 0)
    seen = 0
    while seen < COUNT:
        batches = consumer.poll(10_000)
        if not batches:
            raise AssertionError(f"{seen} of {COUNT} records")
        for message in batches[where]:
            seen += 1
            print(json.dumps([message.offset, message.timestamp, text(message.key), text(message.value)]))
    consumer.close()


write() if WHAT == "write" else read()
