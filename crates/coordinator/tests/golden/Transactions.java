// Writes transaction_log.txt: what Apache Kafka's own coordinator classes record of transactional ids that are led
// through their states. `java -cp <jars of kafka-transaction-coordinator and what it needs> Transactions.java`

import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.coordinator.transaction.TransactionLog;
import org.apache.kafka.coordinator.transaction.TransactionMetadata;
import org.apache.kafka.coordinator.transaction.TransactionState;
import org.apache.kafka.coordinator.transaction.TxnTransitMetadata;
import org.apache.kafka.server.common.TransactionVersion;

public class Transactions {
    static TransactionVersion feature;
    static TransactionMetadata id;
    static String name;

    public static void main(String[] arguments) {
        for (TransactionVersion version : TransactionVersion.values()) {
            feature = version;
            begin("v" + version.featureLevel() + "-new", 1000, (short) -1);
            step("init", id.prepareIncrementProducerEpoch(60000, Optional.empty(), 100));
            TransactionVersion client = version.supportsEpochBump() ? version : TransactionVersion.TV_0;
            step("add", id.prepareAddPartitions(partitions("in-0"), 200, client));
            step("add", id.prepareAddPartitions(partitions("in-15", "out-0"), 210, client));
            step("commit", id.prepareAbortOrCommit(TransactionState.PREPARE_COMMIT, client, -1, 300, false));
            step("complete", id.prepareComplete(310));
            step("add", id.prepareAddPartitions(partitions("out-3"), 400, client));
            step("abort", id.prepareAbortOrCommit(TransactionState.PREPARE_ABORT, client, -1, 410, false));
            step("complete", id.prepareComplete(420));
            step("again", id.prepareIncrementProducerEpoch(30000, Optional.of(id.producerEpoch()), 500));
            step("add", id.prepareAddPartitions(partitions("in-0"), 600, client));
            fence(700);
            step("complete", id.prepareComplete(710));

            begin("v" + version.featureLevel() + "-last", 1000, (short) 32766);
            step("add", id.prepareAddPartitions(partitions("in-0"), 200, client));
            long next = version.supportsEpochBump() ? 2000 : -1;
            step("commit", id.prepareAbortOrCommit(TransactionState.PREPARE_COMMIT, client, next, 300, false));
            step("complete", id.prepareComplete(310));
            if (!version.supportsEpochBump())
                step("again", id.prepareProducerIdRotation(2000, 60000, 400, false));
            step("add", id.prepareAddPartitions(partitions("in-0"), 500, client));
        }
        feature = TransactionVersion.TV_2;
        begin("nothing", 1000, (short) 4);
        step("abort", id.prepareAbortOrCommit(TransactionState.PREPARE_ABORT, feature, -1, 300, true));
        step("complete", id.prepareComplete(300));
        begin("old-client", 1000, (short) 4);
        step("add", id.prepareAddPartitions(partitions("in-0"), 200, TransactionVersion.TV_0));
        step("commit", id.prepareAbortOrCommit(TransactionState.PREPARE_COMMIT, TransactionVersion.TV_0, -1, 300, false));
        step("complete", id.prepareComplete(310));
        begin("two-phase", 1000, (short) -1);
        step("init", id.prepareIncrementProducerEpoch(Integer.MAX_VALUE, Optional.empty(), 100));
    }

    static void begin(String called, long producer, short epoch) {
        name = called;
        id = new TransactionMetadata("app", producer, -1, -1, epoch, (short) -1, 60000, TransactionState.EMPTY,
            Set.of(), -1, 100, TransactionVersion.TV_0);
        if (epoch >= 0)
            print("given", id.prepareNoTransit());
    }

    static Set<TopicPartition> partitions(String... names) {
        Set<TopicPartition> all = new HashSet<>();
        Arrays.stream(names).forEach(name -> all.add(new TopicPartition(name.split("-")[0], Integer.parseInt(name.split("-")[1]))));
        return all;
    }

    /** What the coordinator does when it aborts a transaction by itself. */
    static void fence(long time) {
        TxnTransitMetadata fenced = id.prepareFenceProducerEpoch();
        id.pendingState(Optional.empty());
        if (!feature.supportsEpochBump()) {
            id.setProducerEpoch(fenced.producerEpoch());
            id.setLastProducerEpoch((short) -1);
        }
        TransactionVersion client = feature.supportsEpochBump() ? feature : TransactionVersion.TV_0;
        step("fence", id.prepareAbortOrCommit(TransactionState.PREPARE_ABORT, client, -1, time, false));
    }

    static void step(String what, TxnTransitMetadata to) {
        print(what, to);
        id.completeTransitionTo(to);
    }

    static void print(String what, TxnTransitMetadata to) {
        HexFormat hex = HexFormat.of();
        System.out.println(name + " " + what
            + " " + hex.formatHex(TransactionLog.keyToBytes("app"))
            + " " + hex.formatHex(TransactionLog.valueToBytes(to, feature)));
    }
}
