"""pykafka against one broker: message sets of v0 and v1, lists of offsets, simple and balanced consumers."""
import sys

import pykafka
from pykafka import KafkaClient
from pykafka.common import CompressionType, OffsetType

from checks import Checks, record, same, topic

BOOTSTRAP = sys.argv[1]
COUNT = 60
CHECKS = Checks(f"pykafka {pykafka.__version__}")
check = CHECKS.check
CODECS = {"none": CompressionType.NONE, "gzip": CompressionType.GZIP, "snappy": CompressionType.SNAPPY}


def wanted(index):
    key, value, _, _ = record(index)
    return index, key, value


def client(version="0.9.0"):
    return KafkaClient(hosts=BOOTSTRAP, broker_version=version)


def both_ways(version, codec):
    kafka = client(version)
    named = kafka.topics[topic(f"pykafka-{version}-{codec}")]
    with named.get_producer(compression=CODECS[codec], linger_ms=10, sync=False, min_queued_messages=1) as producer:
        for index in range(COUNT):
            key, value, _, _ = record(index)
            producer.produce(value, partition_key=key)
    reader = named.get_simple_consumer(consumer_timeout_ms=5000, auto_offset_reset=OffsetType.EARLIEST,
                                       reset_offset_on_start=True)
    got = [(m.offset, m.partition_key, m.value) for m in (reader.consume() for _ in range(COUNT)) if m]
    reader.stop()
    same(got, [wanted(index) for index in range(COUNT)])
    same(named.latest_available_offsets()[0].offset[0], COUNT, "the end")
    same(named.earliest_available_offsets()[0].offset[0], 0, "the beginning")


def commits():
    kafka = client()
    named = kafka.topics[topic("pykafka-0.9.0-none")]
    first = named.get_simple_consumer(consumer_group=topic("pykafka-group").encode(), consumer_timeout_ms=5000,
                                      auto_offset_reset=OffsetType.EARLIEST)
    for _ in range(11):
        first.consume()
    first.commit_offsets()
    first.stop()
    second = named.get_simple_consumer(consumer_group=topic("pykafka-group").encode(), consumer_timeout_ms=5000)
    same(second.consume().offset, 11)
    second.stop()


def joins():
    kafka = client()
    named = kafka.topics[topic("pykafka-0.9.0-none")]
    reader = named.get_balanced_consumer(topic("pykafka-joined").encode(), managed=True, consumer_timeout_ms=10_000,
                                         auto_offset_reset=OffsetType.EARLIEST)
    same([reader.consume().offset for _ in range(COUNT)], list(range(COUNT)))
    reader.stop()


for version in ["0.8.2", "0.9.0", "0.10.0", "0.10.2"]:
    for codec in CODECS:
        check(f"{version}: {codec} both ways", both_ways, version, codec)
check("committed offsets", commits)
check("a group", joins)
CHECKS.finish()
