import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What an administrator does. */
final class Topics {
    private final Admin admin;

    Topics(Admin admin) {
        this.admin = admin;
    }

    void checks() {
        Check.check("create a topic and see what was made", this::create);
        Check.check("validate only creates nothing", this::validateOnly);
        Check.check("an existing topic is refused", () -> Check.refused(TopicExistsException.class, () -> create("made", 1, 1)));
        Check.check("an illegal name is refused", () -> Check.refused(InvalidTopicException.class, () -> create("a/b", 1, 1)));
        Check.check("zero partitions are refused", () -> Check.refused(InvalidPartitionsException.class, () -> create("zero", 0, 1)));
        Check.check("three replicas on one node are refused",
            () -> Check.refused(InvalidReplicationFactorException.class, () -> create("three", 1, 3)));
        Check.check("topic configs", this::topicConfigs);
        Check.check("broker configs", this::brokerConfigs);
        Check.check("describe an unknown topic", () -> Check.refused(UnknownTopicOrPartitionException.class,
            () -> admin.describeTopics(List.of(Check.topic("nowhere"))).allTopicNames().get()));
        Check.check("describe an unknown topic id", () -> Check.refused(UnknownTopicIdException.class,
            () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()))).allTopicIds().get()));
        Check.check("log directories", this::logDirs);
        Check.check("producers, features and quorum", this::cluster);
        Check.check("create partitions", this::createPartitions);
        Check.check("delete a topic by id", this::deleteById);
    }

    private void create(String name, int partitions, int replicas) throws Exception {
        admin.createTopics(List.of(new NewTopic(Check.topic(name), partitions, (short) replicas))).all().get();
    }

    private void create() throws Exception {
        var topic = new NewTopic(Check.topic("made"), 3, (short) 1).configs(Map.of("cleanup.policy", "compact"));
        var made = admin.createTopics(List.of(topic));
        Check.same(made.numPartitions(topic.name()).get(), 3, "partitions");
        Check.same(made.replicationFactor(topic.name()).get(), 1, "replication factor");
        Check.same(made.config(topic.name()).get().get("cleanup.policy").value(), "compact", "cleanup.policy");
        Check.until("the topic described", () -> admin.listTopics().names().get().contains(topic.name()));
        var described = admin.describeTopics(List.of(topic.name())).allTopicNames().get().get(topic.name());
        Check.same(described.topicId(), made.topicId(topic.name()).get(), "topic id");
        Check.same(described.partitions().size(), 3, "partitions");
        Check.same(described.partitions().get(0).isr().size(), 1, "in-sync replicas");
    }

    private void validateOnly() throws Exception {
        var topic = new NewTopic(Check.topic("validated"), 2, (short) 1);
        admin.createTopics(List.of(topic), new CreateTopicsOptions().validateOnly(true)).all().get();
        Check.same(admin.listTopics().names().get().contains(topic.name()), false, "the topic there");
    }

    private Config describe(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    private void alter(ConfigResource resource, String key, String value, AlterConfigOp.OpType how) throws Exception {
        Collection<AlterConfigOp> change = List.of(new AlterConfigOp(new ConfigEntry(key, value), how));
        admin.incrementalAlterConfigs(Map.of(resource, change)).all().get();
    }

    private void topicConfigs() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, Check.topic("made"));
        Check.same(describe(resource).get("cleanup.policy").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
        Check.same(describe(resource).get("retention.ms").source(), ConfigEntry.ConfigSource.DEFAULT_CONFIG, "source");
        alter(resource, "retention.ms", "3600000", AlterConfigOp.OpType.SET);
        Check.until("the altered value", () -> describe(resource).get("retention.ms").value().equals("3600000"));
        alter(resource, "cleanup.policy", "delete", AlterConfigOp.OpType.APPEND);
        Check.until("the appended value", () -> describe(resource).get("cleanup.policy").value().equals("compact,delete"));
        alter(resource, "cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT);
        Check.until("the value left", () -> describe(resource).get("cleanup.policy").value().equals("delete"));
        alter(resource, "retention.ms", "", AlterConfigOp.OpType.DELETE);
        Check.until("the default", () -> describe(resource).get("retention.ms").value().equals("604800000"));
        Check.refused(InvalidConfigurationException.class, () -> alter(resource, "retention.ms", "soon", AlterConfigOp.OpType.SET));
        Check.refused(InvalidConfigurationException.class, () -> alter(resource, "no.such.key", "1", AlterConfigOp.OpType.SET));
    }

    private void brokerConfigs() throws Exception {
        String node = admin.describeCluster().nodes().get().iterator().next().idString();
        var resource = new ConfigResource(ConfigResource.Type.BROKER, node);
        Check.same(describe(resource).get("node.id").value(), node, "node.id");
        alter(resource, "log.cleaner.threads", "2", AlterConfigOp.OpType.SET);
        Check.until("the altered value", () -> describe(resource).get("log.cleaner.threads").value().equals("2"));
        alter(resource, "log.cleaner.threads", "", AlterConfigOp.OpType.DELETE);
        Check.until("the default", () -> describe(resource).get("log.cleaner.threads").value().equals("1"));
    }

    private void logDirs() throws Exception {
        var node = admin.describeCluster().nodes().get().iterator().next().id();
        var dirs = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values();
        var partition = new TopicPartition(Check.topic("none"), 0);
        long size = dirs.stream().map(dir -> dir.replicaInfos().get(partition)).filter(found -> found != null).findFirst()
            .orElseThrow(() -> new AssertionError(partition + " is in no log directory")).size();
        Check.same(size > 0, true, "a size above zero");
    }

    private void cluster() throws Exception {
        var partition = new TopicPartition(Check.topic("idempotent"), 0);
        var producers = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
        Check.same(producers.size(), 1, "producers of an idempotent topic");
        Check.same(producers.get(0).lastSequence(), 299, "last sequence");
        Check.same(admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"), true,
            "a metadata.version");
        var quorum = admin.describeMetadataQuorum().quorumInfo().get();
        Check.same(quorum.voters().size(), 1, "voters");
        Check.same(quorum.voters().get(0).replicaId(), quorum.leaderId(), "the only voter leads");
    }

    private void createPartitions() throws Exception {
        String name = Check.topic("made");
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get();
        Check.until("five partitions",
            () -> admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size() == 5);
        Check.refused(InvalidPartitionsException.class,
            () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(2))).all().get());
    }

    private void deleteById() throws Exception {
        String name = Check.topic("made");
        Uuid id = admin.describeTopics(List.of(name)).allTopicNames().get().get(name).topicId();
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        Check.until("the topic gone", () -> !admin.listTopics().names().get().contains(name));
        Check.refused(UnknownTopicIdException.class, () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
    }
}
