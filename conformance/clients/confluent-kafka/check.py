"""confluent-kafka (librdkafka) against one broker."""
import sys

import confluent_kafka as ck
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType)

from checks import BASE_TIME, CODECS, COUNT, Checks, record, same, topic, until

BOOTSTRAP = sys.argv[1]
CHECKS = Checks(f"confluent-kafka {ck.version()} over librdkafka {ck.libversion()[0]}")
check = CHECKS.check
admin = AdminClient({"bootstrap.servers": BOOTSTRAP, "log_level": 2})
COMMITTED_NOTHING = {"group.id": "assigned-only", "enable.auto.commit": False}


def result(futures):
    answers = {name: future.result(20) for name, future in futures.items()}
    return next(iter(answers.values())) if len(answers) == 1 else answers


def refused(code, action, *args):
    try:
        action(*args)
    except KafkaException as error:
        same(error.args[0].name(), code)
        return
    raise AssertionError(f"accepted, wanted {code}")


def create(name, partitions=1, **config):
    configs = {key.replace("_", "."): value for key, value in config.items()}
    result(admin.create_topics([NewTopic(topic(name), partitions, 1, config=configs)]))
    until("the new topic in metadata", lambda: topic(name) in admin.list_topics(timeout=10).topics)


def send(name, count=COUNT, **config):
    """Sends records 0..count to partition 0 and returns the delivery reports, all without error."""
    producer = ck.Producer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, "linger.ms": 5, **config})
    reports = []
    for index in range(count):
        key, value, headers, time = record(index)
        producer.produce(topic(name), value, key, partition=0, timestamp=time, headers=headers,
                         on_delivery=lambda error, message: reports.append((error, message)))
    same(producer.flush(30), 0, "left in the queue")
    for error, _ in reports:
        assert error is None, error
    return [message for _, message in reports]


def read(name, start, count, partition=0, **config):
    consumer = ck.Consumer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, **COMMITTED_NOTHING, **config})
    try:
        consumer.assign([TopicPartition(topic(name), partition, start)])
        messages = []
        while len(messages) < count:
            batch = consumer.consume(count - len(messages), 20)
            if not batch:
                raise AssertionError(f"{len(messages)} of {count} records within 20 s")
            for message in batch:
                if message.error():
                    raise KafkaException(message.error())
                messages.append(message)
        return messages
    finally:
        consumer.close()


def verify(messages, first=0, times=True):
    for index, message in enumerate(messages, first):
        key, value, headers, time = record(index)
        same(message.offset(), index, "offset")
        same((message.key(), message.value(), message.headers()), (key, value, headers), f"record {index}")
        if times:
            same(message.timestamp(), (ck.TIMESTAMP_CREATE_TIME, time), f"time of record {index}")


def codec(name):
    create(name)
    reports = send(name, **{"compression.type": name, "enable.idempotence": False})
    same([message.offset() for message in reports], list(range(COUNT)), "acknowledged offsets")
    verify(read(name, 0, COUNT, **{"check.crcs": True}))


def acks(level):
    name = f"acks-{level}"
    create(name)
    send(name, **{"acks": level, "enable.idempotence": False, "compression.type": "lz4"})
    verify(read(name, 0, COUNT))


def idempotent():
    create("idempotent")
    send("idempotent", **{"enable.idempotence": True, "batch.num.messages": 7, "linger.ms": 0})
    verify(read("idempotent", 0, COUNT))


def keyed():
    create("keyed", partitions=4)
    producer = ck.Producer({"bootstrap.servers": BOOTSTRAP, "partitioner": "murmur2_random"})
    placed = {}
    for index in range(100):
        def noted(error, message):
            assert error is None, error
            placed.setdefault(message.key(), set()).add(message.partition())
        producer.produce(topic("keyed"), b"v", f"key-{index % 20}".encode(), on_delivery=noted)
    same(producer.flush(20), 0)
    assert all(len(where) == 1 for where in placed.values()), placed
    assert len(set.union(*placed.values())) == 4, placed


def seek():
    consumer = ck.Consumer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, **COMMITTED_NOTHING})
    try:
        partition = TopicPartition(topic("none"), 0, 0)
        consumer.assign([partition])
        assert consumer.poll(20).offset() == 0
        consumer.seek(TopicPartition(topic("none"), 0, 250))
        offsets = [message.offset() for message in consumer.consume(50, 20)]
        same(offsets, list(range(250, 300)))
        same(consumer.get_watermark_offsets(partition, timeout=10), (0, COUNT))
    finally:
        consumer.close()


def by_time():
    consumer = ck.Consumer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, **COMMITTED_NOTHING})
    try:
        ask = lambda time: consumer.offsets_for_times([TopicPartition(topic("zstd"), 0, time)], timeout=10)[0].offset
        same(ask(BASE_TIME), 0)
        same(ask(BASE_TIME + 123), 123)
        same(ask(0), 0)
        same(ask(BASE_TIME + 3_000_000), ck.OFFSET_END)
    finally:
        consumer.close()


def listed():
    where = TopicPartition(topic("gzip"), 0)
    ask = lambda spec: result(admin.list_offsets({where: spec})).offset
    same(ask(OffsetSpec.earliest()), 0)
    same(ask(OffsetSpec.latest()), COUNT)
    same(ask(OffsetSpec.max_timestamp()), COUNT - 1)
    same(ask(OffsetSpec.for_timestamp(BASE_TIME + 7)), 7)


def outside(name, offset):
    """librdkafka wraps the broker's code in its own, and names it in the text."""
    try:
        read(name, offset, 1, **{"auto.offset.reset": "error"})
    except KafkaException as error:
        same(error.args[0].name(), "_AUTO_OFFSET_RESET")
        assert "Broker: Offset out of range" in error.args[0].str(), error
        return
    raise AssertionError("read something")


def eof():
    refused("_PARTITION_EOF", lambda: read("none", COUNT, 1, **{"enable.partition.eof": True}))


def too_large():
    producer = ck.Producer({"bootstrap.servers": BOOTSTRAP, "message.max.bytes": 4_000_000})
    errors = []
    producer.produce(topic("none"), b"x" * 2_000_000, on_delivery=lambda error, _: errors.append(error))
    same(producer.flush(20), 0)
    same(errors[0].name(), "MSG_SIZE_TOO_LARGE")


def unknown_topic():
    consumer = ck.Consumer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, "allow.auto.create.topics": False,
                            **COMMITTED_NOTHING})
    metadata = consumer.list_topics(topic("nowhere"), timeout=10)
    consumer.close()
    same(metadata.topics[topic("nowhere")].error.name(), "UNKNOWN_TOPIC_OR_PART")


def describe_config(name, key):
    entries = result(admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic(name))]))
    return entries[key]


def configs():
    create("configured", retention_ms="7200000")
    same(describe_config("configured", "retention.ms").value, "7200000")
    same(describe_config("configured", "cleanup.policy").value, "delete")
    assert describe_config("configured", "cleanup.policy").is_default
    change = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    resource = lambda entry: ConfigResource(ResourceType.TOPIC, topic("configured"), incremental_configs=[entry])
    result(admin.incremental_alter_configs([resource(change)]))
    until("the altered value", lambda: describe_config("configured", "retention.ms").value == "3600000")
    back = ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)
    result(admin.incremental_alter_configs([resource(back)]))
    until("the default value", lambda: describe_config("configured", "retention.ms").value == "604800000")
    wrong = ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)
    refused("INVALID_CONFIG", lambda: result(admin.incremental_alter_configs([resource(wrong)])))


def broker_configs():
    node = str(next(iter(admin.list_topics(timeout=10).brokers)))
    entries = result(admin.describe_configs([ConfigResource(ResourceType.BROKER, node)]))
    same(entries["node.id"].value, node)
    assert entries["node.id"].is_read_only
    same(entries["message.max.bytes"].value, "1048588")


def delete_records():
    create("trimmed")
    send("trimmed")
    answer = result(admin.delete_records([TopicPartition(topic("trimmed"), 0, 100)]))
    same(answer.low_watermark, 100)
    verify(read("trimmed", 100, COUNT - 100), first=100)
    outside("trimmed", 0)


def log_append_time():
    create("stamped", message_timestamp_type="LogAppendTime")
    send("stamped")
    messages = read("stamped", 0, COUNT)
    verify(messages, times=False)
    assert all(kind == ck.TIMESTAMP_LOG_APPEND_TIME and time > BASE_TIME + 60_000
               for kind, time in (message.timestamp() for message in messages))


def create_partitions():
    create("grown")
    result(admin.create_partitions([NewPartitions(topic("grown"), 3)]))
    until("three partitions", lambda: len(admin.list_topics(topic("grown"), 10).topics[topic("grown")].partitions) == 3)
    refused("INVALID_PARTITIONS", lambda: result(admin.create_partitions([NewPartitions(topic("grown"), 2)])))


def delete_topic():
    result(admin.delete_topics([topic("gzip")]))
    until("the topic gone", lambda: topic("gzip") not in admin.list_topics(timeout=10).topics)
    refused("UNKNOWN_TOPIC_OR_PART", lambda: result(admin.delete_topics([topic("gzip")])))


def describe_cluster():
    cluster = admin.describe_cluster().result(10)
    assert cluster.cluster_id and cluster.controller and len(cluster.nodes) == 1, cluster


def describe_topics():
    answer = result(admin.describe_topics(ck.TopicCollection([topic("keyed")])))
    same(len(answer.partitions), 4)
    assert all(len(partition.isr) == 1 and partition.leader for partition in answer.partitions)


def group(protocol):
    """Two members share two partitions; what they read and commit, nobody reads again."""
    name = f"group-{protocol}"
    create(name, partitions=2)
    classic = {"partition.assignment.strategy": "cooperative-sticky", "heartbeat.interval.ms": 300}
    config = {"bootstrap.servers": BOOTSTRAP, "log_level": 2, "group.id": topic(name), "group.protocol": protocol,
              "auto.offset.reset": "earliest", "enable.auto.commit": False, **(classic if protocol == "classic" else {})}
    seen = []

    def take(member, seconds=0.05):
        message = member.poll(seconds)
        if message is not None:
            assert message.error() is None, message.error()
            seen.append((message.partition(), message.offset()))

    members = [ck.Consumer(config), ck.Consumer(config)]
    try:
        for member in members:
            member.subscribe([topic(name)])
        until("a partition for each", lambda: [take(member) for member in members]
              and [len(member.assignment()) for member in members] == [1, 1], 30)
        producer = ck.Producer({"bootstrap.servers": BOOTSTRAP, "log_level": 2})
        for index in range(COUNT):
            producer.produce(topic(name), f"value-{index}", partition=index % 2)
        same(producer.flush(20), 0)
        until("all records", lambda: [take(member, 0.01) for _ in range(20) for member in members]
              and len(seen) >= COUNT)
        for member in members:
            member.commit(asynchronous=False)
    finally:
        for member in members:
            member.close()
    same(sorted(seen), [(partition, offset) for partition in range(2) for offset in range(COUNT // 2)])
    third = ck.Consumer(config)
    try:
        third.subscribe([topic(name)])
        until("both partitions", lambda: take(third) or len(third.assignment()) == 2, 30)
        take(third, 1)
        same(len(seen), COUNT, "records")
    finally:
        third.close()


def transactions():
    """Records of what is committed, and none of what is aborted or of a producer whose place was taken."""
    create("transacted")
    config = {"bootstrap.servers": BOOTSTRAP, "log_level": 2, "transactional.id": topic("transacted")}
    producer = ck.Producer(config)
    producer.init_transactions(20)
    for number, what in enumerate(["committed", "aborted", "again"]):
        producer.begin_transaction()
        for _ in range(10):
            producer.produce(topic("transacted"), what)
        if what == "aborted":
            same(producer.flush(20), 0)
            producer.abort_transaction(20)
        else:
            place = TopicPartition(topic("transacted"), 0, number + 1)
            group_of = ck.Consumer({"bootstrap.servers": BOOTSTRAP, "log_level": 2, "group.id": topic("transacted")})
            producer.send_offsets_to_transaction([place], group_of.consumer_group_metadata(), 20)
            producer.commit_transaction(20)
            until("the offset moved", lambda: group_of.committed([place], 10)[0].offset == number + 1)
            group_of.close()
    producer.begin_transaction()
    producer.produce(topic("transacted"), "fenced")
    same(producer.flush(20), 0)
    ck.Producer(config).init_transactions(20)
    refused("_FENCED", producer.commit_transaction, 20)
    values = [message.value() for message in read("transacted", 0, 20, **{"isolation.level": "read_committed"})]
    same(values, [b"committed"] * 10 + [b"again"] * 10)


if not check("list topics", lambda: admin.list_topics(timeout=20)):
    CHECKS.finish()
check("describe cluster", describe_cluster)
for each in CODECS:
    check(f"create, produce and consume {each}", codec, each)
check("an existing topic is TOPIC_ALREADY_EXISTS", refused, "TOPIC_ALREADY_EXISTS", create, "none")
check("an illegal topic name is TOPIC_EXCEPTION", refused, "TOPIC_EXCEPTION", create, "a/b")
check("replication factor 3 on one node is INVALID_REPLICATION_FACTOR", refused, "INVALID_REPLICATION_FACTOR",
      lambda: result(admin.create_topics([NewTopic(topic("three"), 1, 3)])))
for each in ["0", "1", "all"]:
    check(f"acks={each}", acks, each)
check("idempotent producer", idempotent)
check("keys keep their partition", keyed)
check("describe topics", describe_topics)
check("assign and seek", seek)
check("offsets by time", by_time)
check("list offsets", listed)
check("offset out of range", outside, "none", 10_000)
check("end of partition", eof)
check("record too large", too_large)
check("unknown topic", unknown_topic)
check("topic configs", configs)
check("broker configs", broker_configs)
check("LogAppendTime", log_append_time)
check("delete records", delete_records)
check("create partitions", create_partitions)
check("delete topic", delete_topic)
check("a group of KIP-848", group, "consumer")
check("a group that rebalances cooperatively", group, "classic")
check("transactions", transactions)
CHECKS.finish()
