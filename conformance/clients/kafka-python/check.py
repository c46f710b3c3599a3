"""kafka-python (pure Python) against one broker."""
import sys
import threading

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors
from kafka.admin import KafkaAdminClient, NewPartitions, NewTopic

from checks import BASE_TIME, CODECS, COUNT, Checks, record, same, topic, until

BOOTSTRAP = sys.argv[1]
CHECKS = Checks(f"kafka-python {kafka.__version__}")
check = CHECKS.check


def refused(kind, action, *args):
    try:
        action(*args)
    except kind:
        return
    raise AssertionError(f"accepted, wanted {kind.__name__}")


def create(name, partitions=1, **config):
    configs = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(topic(name), partitions, 1, topic_configs=configs)])
    until("the new topic in metadata", lambda: topic(name) in admin.list_topics())


def send(name, count=COUNT, **config):
    """Sends records 0..count to partition 0 and returns what was acknowledged."""
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=5, **config)
    try:
        futures = []
        for index in range(count):
            key, value, headers, time = record(index)
            futures.append(producer.send(topic(name), value, key, headers, partition=0, timestamp_ms=time))
        producer.flush(30)
        return [future.get(10) for future in futures]
    finally:
        producer.close()


def read(name, start, count, **config):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False, **config)
    try:
        where = TopicPartition(topic(name), 0)
        consumer.assign([where])
        consumer.seek(where, start)
        messages = []
        while len(messages) < count:
            batches = consumer.poll(20_000, max_records=count - len(messages))
            if not batches:
                raise AssertionError(f"{len(messages)} of {count} records within 20 s")
            for batch in batches.values():
                messages.extend(batch)
        return messages
    finally:
        consumer.close()


def verify(messages, first=0):
    for index, message in enumerate(messages, first):
        key, value, headers, time = record(index)
        same(message.offset, index, "offset")
        got = (message.key, message.value, list(message.headers), message.timestamp)
        same(got, (key, value, headers, time), f"record {index}")


def codec(name):
    create(name)
    compression = None if name == "none" else name
    answers = send(name, compression_type=compression, enable_idempotence=False)
    same([answer.offset for answer in answers], list(range(COUNT)), "acknowledged offsets")
    verify(read(name, 0, COUNT, check_crcs=True))


def acks(level):
    name = f"acks-{level}"
    create(name)
    send(name, acks=level, enable_idempotence=False)
    verify(read(name, 0, COUNT))


def idempotent():
    create("idempotent")
    send("idempotent", enable_idempotence=True, batch_size=500)
    verify(read("idempotent", 0, COUNT))


def ask(question, *args):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP)
    try:
        return question(consumer, *args)
    finally:
        consumer.close()


def by_time():
    where = TopicPartition(topic("zstd"), 0)

    def at(time):
        return ask(lambda consumer: consumer.offsets_for_times({where: time}))[where]

    same((at(BASE_TIME + 123).offset, at(BASE_TIME + 123).timestamp), (123, BASE_TIME + 123))
    same(at(0).offset, 0)
    assert at(BASE_TIME + 3_000_000) is None


def ends():
    where = TopicPartition(topic("none"), 0)
    same(ask(lambda consumer: consumer.beginning_offsets([where])), {where: 0})
    same(ask(lambda consumer: consumer.end_offsets([where])), {where: COUNT})


def too_large():
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, max_request_size=4_000_000, retries=0,
                             enable_idempotence=False)
    try:
        producer.send(topic("none"), b"x" * 2_000_000).get(20)
    finally:
        producer.close()



def delete_records():
    create("trimmed")
    send("trimmed")
    admin.delete_records({TopicPartition(topic("trimmed"), 0): 100})
    verify(read("trimmed", 100, COUNT - 100), first=100)
    refused(errors.OffsetOutOfRangeError, lambda: read("trimmed", 0, 1, auto_offset_reset="none"))


def create_partitions():
    create("grown")
    admin.create_partitions({topic("grown"): NewPartitions(3)})
    until("three partitions", lambda: len(admin.describe_topics([topic("grown")])[0]["partitions"]) == 3)


def delete_topic():
    admin.delete_topics([topic("gzip")])
    until("the topic gone", lambda: topic("gzip") not in admin.list_topics())


def group():
    """Two members share two partitions; what they read and commit, nobody reads again."""
    create("group", partitions=2)
    seen, parts, over = [], {}, threading.Event()

    def member(number):
        consumer = KafkaConsumer(topic("group"), bootstrap_servers=BOOTSTRAP, group_id=topic("group"),
                                 auto_offset_reset="earliest", enable_auto_commit=False, heartbeat_interval_ms=500)
        try:
            while not over.is_set():
                for batch in consumer.poll(1000).values():
                    seen.extend((message.partition, message.offset) for message in batch)
                parts[number] = len(consumer.assignment())
            consumer.commit()
        finally:
            consumer.close()

    threads = [threading.Thread(target=member, args=[number], daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        until("a partition for each", lambda: parts == {0: 1, 1: 1}, 40)
        producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
        for index in range(COUNT):
            producer.send(topic("group"), b"value", partition=index % 2)
        producer.flush(20)
        producer.close()
        until("all records", lambda: len(seen) >= COUNT)
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    same(sorted(seen), [(partition, offset) for partition in range(2) for offset in range(COUNT // 2)])
    committed = admin.list_group_offsets(topic("group"))[topic("group")]
    same({place.partition: offset.offset for place, offset in committed.items()}, {0: COUNT // 2, 1: COUNT // 2})


def transactions():
    create("transacted")
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=topic("transacted"))
    producer.init_transactions()
    for what in [b"committed", b"aborted", b"again"]:
        producer.begin_transaction()
        for _ in range(10):
            producer.send(topic("transacted"), what)
        producer.flush(20)
        if what == b"aborted":
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    producer.close()
    values = [message.value for message in read("transacted", 0, 20, isolation_level="read_committed")]
    same(values, [b"committed"] * 10 + [b"again"] * 10)


admin = check("admin connect", lambda: KafkaAdminClient(bootstrap_servers=BOOTSTRAP))
if not admin:
    CHECKS.finish()
for each in CODECS:
    check(f"create, produce and consume {each}", codec, each)
check("an existing topic is TOPIC_ALREADY_EXISTS", refused, errors.TopicAlreadyExistsError, create, "none")
for each in [0, 1, "all"]:
    check(f"acks={each}", acks, each)
check("idempotent producer", idempotent)
check("offsets by time", by_time)
check("beginning and end offsets", ends)
check("offset out of range", refused, errors.OffsetOutOfRangeError,
      lambda: read("none", 10_000, 1, auto_offset_reset="none"))
check("record too large", refused, errors.MessageSizeTooLargeError, too_large)
check("delete records", delete_records)
check("create partitions", create_partitions)
check("delete topic", delete_topic)
check("a group", group)
check("transactions", transactions)
CHECKS.finish()
