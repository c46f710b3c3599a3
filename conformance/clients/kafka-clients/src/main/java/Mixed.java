import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/**
 * A group whose members come to speak another protocol and go back, with members of both, while it is written to: whatever
 * joins, leaves or is killed, no record is lost, only who is killed leaves some to be read again, and none has two owners.
 */
final class Mixed {
    private final Admin admin;
    private final String topic, group;
    private final int partitions;
    private final Set<String> failures = ConcurrentHashMap.newKeySet();
    private final Map<TopicPartition, Reader> owners = new ConcurrentHashMap<>();
    private final Collection<String> read = new ConcurrentLinkedQueue<>(), ofKilled = new ConcurrentLinkedQueue<>();
    private volatile boolean over;

    Mixed(Admin admin, String topic, String group, int partitions) {
        this.admin = admin;
        this.topic = topic;
        this.group = group;
        this.partitions = partitions;
    }

    /** A member that reads on, commits what it has read, and says by its listener what it owns. */
    private static class Reader extends Thread implements ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> consumer;
        final Collection<String> read;
        volatile Set<TopicPartition> owned = Set.of();
        volatile boolean leaves;

        Reader(String topic, String group, String protocol, Collection<String> read) {
            this.read = read;
            consumer = Groups.member(group, protocol, null);
            consumer.subscribe(List.of(topic), this);
        }

        @Override
        public void run() {
            try (consumer) {
                while (!leaves) {
                    for (var record : consumer.poll(Duration.ofMillis(50))) read.add(Groups.place(record));
                    commit();
                    owned = Set.copyOf(consumer.assignment());
                }
            }
        }

        private void commit() {
            try {
                consumer.commitSync();
            } catch (RebalanceInProgressException again) {
                // The next one has it, at the latest that before a partition is given up.
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            commit();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
    }

    /** One of this process, which knows who else here owns something. */
    private final class Watched extends Reader {
        Watched(String protocol) {
            super(Mixed.this.topic, Mixed.this.group, protocol, Mixed.this.read);
            setUncaughtExceptionHandler((thread, error) -> failures.add("a " + protocol + " member: " + error));
            start();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            for (var partition : partitions) {
                Reader other = owners.put(partition, this);
                if (other != null && other != this) failures.add(partition + " has two owners");
            }
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            super.onPartitionsRevoked(partitions);
            for (var partition : partitions) owners.remove(partition, this);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            failures.add("lost " + partitions);
            for (var partition : partitions) owners.remove(partition, this);
        }

        void leave() throws Exception {
            leaves = true;
            join();
        }
    }

    /** A member in a process of its own, to be killed: `BOOTSTRAP TOPIC GROUP PROTOCOL`. Prints what it reads. */
    public static void main(String[] arguments) {
        Check.bootstrap = arguments[0];
        Collection<String> printed = new java.util.AbstractCollection<>() {
            @Override
            public boolean add(String place) {
                System.out.println(place);
                return true;
            }

            @Override
            public java.util.Iterator<String> iterator() {
                return List.<String>of().iterator();
            }

            @Override
            public int size() {
                return 0;
            }
        };
        new Reader(arguments[1], arguments[2], arguments[3], printed).run();
    }

    private Process victim(String protocol) throws Exception {
        Process process = new ProcessBuilder("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
            "Mixed", Check.bootstrap, topic, group, protocol).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        var listener = new Thread(() -> Groups.lines(process, ofKilled));
        listener.setDaemon(true);
        listener.start();
        process.onExit().thenRun(() -> {
            try {
                listener.join();
            } catch (InterruptedException ended) {
                failures.add("interrupted");
            }
        });
        return process;
    }

    /** Waits until so many members, all told, share the partitions of a group of this type; these members do. */
    private void settled(GroupType type, int members, Watched... mine) throws Exception {
        var last = new String[] {""};
        try {
            Check.until("settled", 40, () -> {
                ConsumerGroupDescription told;
                try {
                    told = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                } catch (ExecutionException refused) {
                    if (refused.getCause() instanceof GroupIdNotFoundException) return false;
                    throw refused;
                }
                last[0] = told.type() + ", " + told.groupState() + ", " + told.members();
                if (told.type() != type || told.groupState() != GroupState.STABLE || told.members().size() != members) return false;
                var shares = told.members().stream().map(member -> member.assignment().topicPartitions()).toList();
                Set<TopicPartition> all = new HashSet<>();
                shares.forEach(all::addAll);
                boolean even = shares.stream().allMatch(share -> share.size() >= partitions / members);
                boolean once = shares.stream().mapToInt(Set::size).sum() == partitions && all.size() == partitions;
                return even && once && List.of(mine).stream().allMatch(member -> shares.contains(member.owned));
            });
        } catch (AssertionError never) {
            throw new AssertionError(never.getMessage() + ": " + type + " with " + members + " members, but " + last[0] + " " + failures);
        }
        Check.same(failures, Set.of(), "what went wrong");
    }

    /** Waits until a process has read from its partitions, so that it leaves something to be taken over, and kills it. */
    private void kill(Process victim) throws Exception {
        int before = ofKilled.size();
        Check.until("the victim reads", () -> ofKilled.size() > before + 20);
        victim.destroyForcibly().waitFor();
    }

    void check() throws Exception {
        Map<Integer, Long> ends = new TreeMap<>();
        var writer = new Thread(() -> write(ends));
        writer.start();
        Process first = victim("classic"), last = null;
        try {
            var stays = new Watched("classic");
            settled(GroupType.CLASSIC, 2, stays);
            var upgrades = new Watched("consumer");
            settled(GroupType.CONSUMER, 3, stays, upgrades);
            kill(first);
            settled(GroupType.CONSUMER, 2, stays, upgrades);
            var joins = new Watched("classic");
            settled(GroupType.CONSUMER, 3, stays, upgrades, joins);
            upgrades.leave();
            settled(GroupType.CLASSIC, 2, stays, joins);
            last = victim("consumer");
            settled(GroupType.CONSUMER, 3, stays, joins);
            kill(last);
            settled(GroupType.CLASSIC, 2, stays, joins);
            over = true;
            writer.join();
            long written = ends.values().stream().mapToLong(Long::longValue).sum();
            Check.until("everything is read", () -> {
                Set<String> all = new HashSet<>(read);
                all.addAll(ofKilled);
                return all.size() >= written;
            });
            stays.leave();
            joins.leave();
            Check.same((long) new HashSet<>(read).size(), (long) read.size(), "records that members which live have read twice");
            for (var committed : admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet()) {
                Check.same(committed.getValue().offset(), ends.get(committed.getKey().partition()), "offset of " + committed.getKey());
            }
            Check.same(failures, Set.of(), "what went wrong");
        } finally {
            over = true;
            first.destroyForcibly();
            if (last != null) last.destroyForcibly();
        }
    }

    private void write(Map<Integer, Long> ends) {
        try (var producer = Records.producer(Map.of())) {
            for (int index = 0; !over; index++) {
                producer.send(new ProducerRecord<>(topic, index % partitions, null, ("value-" + index).getBytes(UTF_8)));
                ends.merge(index % partitions, 1L, Long::sum);
                Thread.sleep(4);
            }
        } catch (Exception failed) {
            failures.add("cannot be written to: " + failed);
        }
    }
}
