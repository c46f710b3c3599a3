import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;

/** What members of groups do, those of KIP-848 ("consumer") and those that rebalance cooperatively ("classic"). */
final class Groups {
    private static final int PARTITIONS = 4, HALF = 500;
    /** Short, so that nobody waits for the dead; a broker with Kafka's least bounds for sessions refuses it. */
    private static final String SESSION = "5000";
    private final Admin admin;

    Groups(Admin admin) {
        this.admin = admin;
    }

    void checks() {
        var threads = Executors.newCachedThreadPool();
        // Side by side, for both wait until a session ends.
        var modern = threads.submit(() -> oneIsKilled("consumer"));
        var classic = threads.submit(() -> oneIsKilled("classic"));
        var both = threads.submit(this::ofBoth);
        Check.check("one of two members of KIP-848 is killed, and every record is read once", modern::get);
        Check.check("one of two cooperative members is killed, and every record is read once", classic::get);
        Check.check("a group with members of both protocols goes from one to the other and back, twice, and loses nothing", both::get);
        threads.shutdown();
        Check.check("a static member of KIP-848 comes back to its part, and nobody takes its place", () -> comesBack("consumer"));
        Check.check("a static cooperative member comes back to its part, and whoever takes its place has it", () -> comesBack("classic"));
        Check.check("groups are listed, their offsets changed and deleted", this::administered);
    }

    /** A member with the same name for all that is asked of it, static if it is given an id. */
    static KafkaConsumer<byte[], byte[]> member(String group, String protocol, String instance) {
        Map<String, String> config = new HashMap<>(Map.of("group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest"));
        if (protocol.equals("classic")) {
            config.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
            config.put("session.timeout.ms", SESSION);
            config.put("heartbeat.interval.ms", "500");
        }
        if (instance != null) config.put("group.instance.id", instance);
        return Records.consumer(config);
    }

    static String place(ConsumerRecord<?, ?> record) {
        return record.partition() + "@" + record.offset();
    }

    /** Notes what is taken away from a member that has its part. */
    private static final class Taken implements ConsumerRebalanceListener {
        final List<String> away = new ArrayList<>();
        boolean balanced;

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            if (balanced && !partitions.isEmpty()) away.add("revoked " + partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            away.add("lost " + partitions);
        }
    }

    private Void oneIsKilled(String protocol) throws Exception {
        String topic = create("killed-" + protocol), group = group(protocol, topic);
        Process victim = new ProcessBuilder("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
            "Member", Check.bootstrap, topic, group, protocol, Integer.toString(HALF / 2)).redirectErrorStream(true).start();
        var said = new ConcurrentLinkedQueue<String>();
        var listener = new Thread(() -> lines(victim, said));
        listener.setDaemon(true);
        listener.start();
        List<String> read = new ArrayList<>();
        var taken = new Taken();
        try (var survivor = member(group, protocol, null)) {
            // In KIP-848 it is the broker who finds the topics of a pattern.
            if (protocol.equals("consumer")) survivor.subscribe(new SubscriptionPattern(topic + ".*"), taken);
            else survivor.subscribe(List.of(topic), taken);
            Check.until("two partitions for each of two members", 60, () -> {
                poll(survivor, read);
                return shares(group).equals(List.of(2, 2)) && survivor.assignment().size() == 2;
            });
            taken.balanced = true;
            produce(topic);
            Check.until("the victim has committed its part", 30, () -> {
                poll(survivor, read);
                return said.contains("committed") && read.size() >= HALF / 2;
            });
            produce(topic);
            Check.until("the survivor has read its part again", 30, () -> {
                poll(survivor, read);
                return read.size() >= HALF;
            });
            Check.same(read.size(), HALF, "records of the survivor before the kill");
            victim.destroyForcibly().waitFor();
            Check.until("the survivor has read what the victim has left", 60, () -> {
                poll(survivor, read);
                return read.size() >= HALF + HALF / 2;
            });
            for (int more = 0; more < 5; more++) poll(survivor, read);
            Check.same(taken.away, List.of(), "taken away from the survivor");
            survivor.commitSync();
            Check.same(shares(group), List.of(PARTITIONS), "partitions of the members");
        } finally {
            victim.destroyForcibly();
        }
        listener.join();
        read.addAll(said);
        read.remove("committed");
        Check.same(read.size(), 2 * HALF, "records");
        Check.same(new HashSet<>(read).size(), 2 * HALF, "different records");
        for (var committed : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet()) {
            Check.same(committed.getValue().offset(), 2L * HALF / PARTITIONS, "offset of " + committed.getKey());
        }
        return null;
    }

    private Void ofBoth() throws Exception {
        String topic = create("of-both");
        new Mixed(admin, topic, group("consumer", topic), PARTITIONS).check();
        return null;
    }

    private void comesBack(String protocol) throws Exception {
        String topic = create("static-" + protocol), group = group(protocol, topic);
        var taken = new Taken();
        try (var stays = member(group, protocol, "stays")) {
            stays.subscribe(List.of(topic), taken);
            Set<TopicPartition> part = new HashSet<>();
            try (var leaves = member(group, protocol, "comes-back")) {
                leaves.subscribe(List.of(topic));
                balance(stays, leaves);
                part.addAll(leaves.assignment());
                taken.balanced = true;
                if (protocol.equals("consumer")) {
                    try (var other = member(group, protocol, "comes-back")) {
                        other.subscribe(List.of(topic));
                        Check.refused(UnreleasedInstanceIdException.class, () -> pollFor(other));
                    }
                }
            }
            Check.same(shares(group).size(), 2, "members while one is away");
            try (var back = member(group, protocol, "comes-back")) {
                back.subscribe(List.of(topic));
                balance(stays, back);
                Check.same(back.assignment(), part, "the part of who came back");
                if (protocol.equals("classic")) {
                    try (var other = member(group, protocol, "comes-back")) {
                        other.subscribe(List.of(topic));
                        balance(stays, other);
                        Check.refused(FencedInstanceIdException.class, () -> pollFor(back));
                    }
                }
            }
            Check.same(taken.away, List.of(), "taken away from who stays");
            if (protocol.equals("classic")) {
                var gone = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("comes-back")));
                admin.removeMembersFromConsumerGroup(group, gone).all().get();
                Check.until("all for who stays", () -> {
                    stays.poll(Duration.ofMillis(50));
                    return stays.assignment().size() == PARTITIONS;
                });
            }
            Check.refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
    }

    private void administered() throws Exception {
        String topic = create("administered"), group = Check.topic("by-hand");
        var partition = new TopicPartition(topic, 1);
        try (var consumer = Records.consumer(Map.of("group.id", group))) {
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(7, "seven")));
            var listed = admin.listGroups().all().get().stream().filter(each -> each.groupId().equals(group)).toList();
            Check.same(listed.size(), 1, "groups of this name");
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(3, "three"))).all().get();
            Check.same(consumer.committed(Set.of(partition)).get(partition), new OffsetAndMetadata(3, "three"), "after the change");
        }
        admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
        Check.same(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(partition), null, "after the deletion");
        Check.until("the group gone", () -> {
            try {
                admin.deleteConsumerGroups(List.of(group)).all().get();
                return false;
            } catch (ExecutionException refused) {
                if (refused.getCause() instanceof GroupIdNotFoundException) return true;
                throw refused;
            }
        });
    }

    static void lines(Process process, Collection<String> into) {
        try (var lines = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) into.add(line);
        } catch (java.io.IOException ended) {
            // What it has said by then is what counts.
        }
    }

    private static void poll(KafkaConsumer<byte[], byte[]> consumer, Collection<String> into) {
        for (var record : consumer.poll(Duration.ofMillis(50))) into.add(place(record));
    }

    private static void pollFor(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
        Check.until("refused", () -> {
            consumer.poll(Duration.ofMillis(50));
            return false;
        });
    }

    private static void balance(KafkaConsumer<byte[], byte[]> one, KafkaConsumer<byte[], byte[]> other) throws Exception {
        Check.until("two partitions for each of two members", 30, () -> {
            one.poll(Duration.ofMillis(50));
            other.poll(Duration.ofMillis(50));
            return one.assignment().size() == 2 && other.assignment().size() == 2;
        });
    }

    /** How many partitions each member has, as the broker tells it. */
    private List<Integer> shares(String group) throws Exception {
        try {
            ConsumerGroupDescription told = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            return told.members().stream().map(member -> member.assignment().topicPartitions().size()).toList();
        } catch (ExecutionException refused) {
            if (refused.getCause() instanceof GroupIdNotFoundException) return List.of();
            throw refused;
        }
    }

    private String create(String name) throws Exception {
        String topic = Check.topic(name);
        admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        return topic;
    }

    /** The name of a group of this topic; the sessions of KIP-848 are the group's own affair. */
    private String group(String protocol, String topic) throws Exception {
        String group = topic + "-group";
        if (protocol.equals("consumer")) {
            var shorter = new AlterConfigOp(new ConfigEntry("consumer.session.timeout.ms", SESSION), AlterConfigOp.OpType.SET);
            admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), List.of(shorter))).all().get();
        }
        return group;
    }

    private static void produce(String topic) throws Exception {
        try (var producer = Records.producer(Map.of())) {
            for (int index = 0; index < HALF; index++) {
                producer.send(new ProducerRecord<>(topic, index % PARTITIONS, null, ("value-" + index).getBytes(UTF_8)));
            }
        }
    }
}
