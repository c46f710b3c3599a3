"""kafka-python 1.4.7 in the versions of old brokers, and today's against it: message sets, lists of offsets, groups."""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from checks import BASE_TIME, Checks, record, same, topic, until

BOOTSTRAP, TODAY = sys.argv[1], sys.argv[2]
# Whether Apache Kafka is examined, to see that the checks are right.
APACHE_KAFKA = os.environ.get("EXAMINED") == "apache-kafka"
COUNT = 60
CHECKS = Checks(f"kafka-python {kafka.__version__}")
check = CHECKS.check
HERE = os.path.dirname(os.path.abspath(__file__))
VERSIONS = [(0, 8, 2), (0, 9), (0, 10, 0), (0, 10, 1)]


def name_of(version, what):
    return topic("-".join(map(str, version)) + "-" + what)


def today(*args):
    line = [TODAY, os.path.join(HERE, "today.py"), BOOTSTRAP, *map(str, args)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(done.stderr.strip().splitlines()[-1:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def text(field):
    return None if field is None else field.decode()


def wanted(index, with_time):
    key, value, _, _ = record(index)
    return [index, BASE_TIME + index if with_time else -1, text(key), text(value)]


def send(version, name, codec):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, api_version=version, linger_ms=50, acks="all",
                             compression_type=None if codec == "none" else codec)
    futures = []
    for index in range(COUNT):
        key, value, _, _ = record(index)
        time = BASE_TIME + index if version >= (0, 10) else None
        futures.append(producer.send(name, value, key, partition=0, timestamp_ms=time))
    producer.flush(20)
    same([future.get(10).offset for future in futures], list(range(COUNT)), "acknowledged offsets")
    producer.close()


def consumer(version, **config):
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, api_version=version, enable_auto_commit=False, **config)


def read(version, name, start=0, **config):
    reader = consumer(version, **config)
    where = TopicPartition(name, 0)
    reader.assign([where])
    reader.seek(where, start)
    messages = []
    while len(messages) < COUNT - start:
        batches = reader.poll(10_000)
        if not batches:
            raise AssertionError(f"{len(messages)} of {COUNT - start} records")
        for batch in batches.values():
            messages.extend(batch)
    reader.close()
    return [[m.offset, -1 if m.timestamp is None else m.timestamp, text(m.key), text(m.value)] for m in messages]


def both_ways(version, codec):
    name = name_of(version, codec)
    times = version >= (0, 10)
    send(version, name, codec)
    expected = [wanted(index, times) for index in range(COUNT)]
    same(read(version, name), expected, "its own records")
    same(read(version, name, start=23), expected[23:], "from the middle")
    same(today("read", name, COUNT, codec), expected, "read by a client of today")
    name = name_of(version, "of-today-" + codec)
    reader = consumer(version)
    reader.partitions_for_topic(name)
    reader.close()
    today("write", name, COUNT, codec, BASE_TIME)
    same(read(version, name), expected, "written by a client of today")


def small_bounds(version, codec):
    name = name_of(version, codec)
    expected = [wanted(index, version >= (0, 10)) for index in range(COUNT)]
    same(read(version, name, fetch_min_bytes=1, max_partition_fetch_bytes=400), expected, "with a small bound")


def ends(version):
    reader = consumer(version)
    where = TopicPartition(name_of(version, "none"), 0)
    reader.assign([where])
    reader.seek_to_end(where)
    same(reader.position(where), COUNT, "the end")
    reader.seek_to_beginning(where)
    same(reader.position(where), 0, "the beginning")
    if version >= (0, 10, 1):
        found = reader.offsets_for_times({where: BASE_TIME + 17})[where]
        same((found.offset, found.timestamp), (17, BASE_TIME + 17), "by time")
    reader.close()


def commits(version):
    group = name_of(version, "group")
    where = TopicPartition(name_of(version, "none"), 0)
    first = consumer(version, group_id=group)
    first.assign([where])
    first.commit({where: OffsetAndMetadata(11, "here")})
    same(first.committed(where), 11)
    first.close()
    second = consumer(version, group_id=group)
    second.assign([where])
    same(second.position(where), 11, "where the group was")
    second.close()


def joins(version):
    reader = consumer(version, group_id=name_of(version, "joined"), auto_offset_reset="earliest")
    reader.subscribe([name_of(version, "none")])
    seen = []
    while len(seen) < COUNT:
        batches = reader.poll(10_000)
        if not batches:
            raise AssertionError(f"{len(seen)} of {COUNT} records")
        for batch in batches.values():
            seen.extend(batch)
    reader.commit()
    same(reader.committed(TopicPartition(name_of(version, "none"), 0)), COUNT)
    reader.close()


def shares(version):
    """Two members share the partitions, one leaves, and who stays goes on where it was."""
    group, names = name_of(version, "shared"), [name_of(version, "none"), name_of(version, "gzip")]

    def member():
        reader = consumer(version, group_id=group, auto_offset_reset="earliest", max_poll_records=10, heartbeat_interval_ms=500,
                          session_timeout_ms=10_000, partition_assignment_strategy=[RoundRobinPartitionAssignor])
        reader.subscribe(names)
        return reader

    def other():
        with contextlib.closing(member()) as second:
            while time.time() < end and not taken:
                for where, batch in second.poll(100).items():
                    taken.append((where, batch[0].offset))
                    left.update({where: batch[-1].offset + 1})
                    # The next one goes on after what is committed.
                    second.commit({where: OffsetAndMetadata(batch[-1].offset + 1, "")})
            while time.time() < end and not told.wait(0.1):
                second.poll(100, max_records=1)

    end, taken, left, told, got = time.time() + 40, [], {}, threading.Event(), {}
    with contextlib.closing(member()) as first:
        until("both partitions", lambda: first.poll(100) is not None and len(first.assignment()) == 2)
        first.seek_to_beginning()
        thread = threading.Thread(target=other)
        thread.start()
        try:
            until("one partition for each", lambda: first.poll(100) is not None and taken and len(first.assignment()) == 1, 30)
            same({taken[0][0]} & first.assignment(), set(), "partitions of two owners")
        finally:
            told.set()
            thread.join()
        where = taken[0][0]

        def resumed():
            for part, batch in first.poll(100).items():
                got.setdefault(part, batch[0].offset)
            return where in got

        until("what the other left", resumed, 30)
        same(got[where], left[where], "where who stays goes on")


for version in VERSIONS:
    shown = ".".join(map(str, version))
    for codec in ["none", "gzip", "snappy", "lz4"]:
        check(f"{shown}: {codec} both ways", both_ways, version, codec)
        if not APACHE_KAFKA:
            # It sends nothing, for ever, to who has no room for a whole message.
            check(f"{shown}: {codec} with a small bound", small_bounds, version, codec)
    check(f"{shown}: beginning and end", ends, version)
    check(f"{shown}: committed offsets", commits, version)
    if version >= (0, 9):
        check(f"{shown}: a group", joins, version)
        check(f"{shown}: a group of two", shares, version)
CHECKS.finish()
