// Writes group_log.txt: the records that Apache Kafka's own coordinator classes make of groups and offsets, behind the steps
// that lead a shard to them, in the words of the transcripts.
// `java -cp <jars of kafka-group-coordinator and what it needs> Groups.java`

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocol;
import org.apache.kafka.common.message.JoinGroupRequestData.JoinGroupRequestProtocolCollection;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.metadata.PartitionRecord;
import org.apache.kafka.common.metadata.TopicRecord;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.KRaftCoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.OffsetAndMetadata;
import org.apache.kafka.coordinator.group.Utils;
import org.apache.kafka.coordinator.group.classic.ClassicGroup;
import org.apache.kafka.coordinator.group.classic.ClassicGroupMember;
import org.apache.kafka.coordinator.group.classic.ClassicGroupState;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue;
import org.apache.kafka.coordinator.group.generated.GroupMetadataKey;
import org.apache.kafka.coordinator.group.generated.GroupMetadataValue;
import org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.LegacyOffsetCommitValue;
import org.apache.kafka.coordinator.group.generated.OffsetCommitKey;
import org.apache.kafka.coordinator.group.generated.OffsetCommitValue;
import org.apache.kafka.coordinator.group.generated.StreamsGroupMemberMetadataValue;
import org.apache.kafka.coordinator.group.modern.MemberState;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.modern.consumer.ResolvedRegularExpression;
import org.apache.kafka.coordinator.group.streams.StreamsCoordinatorRecordHelpers;
import org.apache.kafka.coordinator.group.streams.StreamsGroupMember;
import org.apache.kafka.coordinator.group.streams.StreamsTopology;
import org.apache.kafka.coordinator.group.streams.TasksTuple;
import org.apache.kafka.coordinator.group.streams.TasksTupleWithEpochs;
import org.apache.kafka.image.MetadataDelta;
import org.apache.kafka.image.MetadataImage;
import org.apache.kafka.image.MetadataProvenance;
import org.apache.kafka.server.common.ApiMessageAndVersion;

import static org.apache.kafka.coordinator.group.GroupCoordinatorRecordHelpers.*;
import static org.apache.kafka.coordinator.group.streams.StreamsCoordinatorRecordHelpers.*;

public class Groups {
    static final String HOST = "/127.0.0.1";
    /** The topics of the scene, by name with how many partitions. */
    static Map<String, Integer> topics = new LinkedHashMap<>();

    public static void main(String[] arguments) {
        offsets();
        classic();
        consumers();
        regex();
        mixed();
        streams();
        copies();
        applications();
        old();
    }

    static void offsets() {
        scene("offsets");
        topic("t", 3);
        step("wait 1000");
        step("commit g t-0=5 id=t epoch=3 note=here");
        record(newOffsetCommitRecord("g", "t", 0, committed(5, OptionalInt.of(3), "here", 1000, OptionalLong.empty(), id("t"))));
        step("wait 500");
        step("commit g t-1=6");
        record(newOffsetCommitRecord("g", "t", 1, committed(6, OptionalInt.empty(), "", 1500, OptionalLong.empty(), Uuid.ZERO_UUID)));
        step("commit g t-2=7 id=t epoch=4 retain=3000");
        record(newOffsetCommitRecord("g", "t", 2, committed(7, OptionalInt.of(4), "", 1500, OptionalLong.of(4500), id("t"))));
        step("commit g t-0=8 id=t txn=9/0");
        record(newOffsetCommitRecord("g", "t", 0, committed(8, OptionalInt.empty(), "", 1500, OptionalLong.empty(), id("t"))));
        step("end 9 commit");
        step("delete-offsets g t-0");
        record(newOffsetCommitTombstoneRecord("g", "t", 0));
        step("delete g");
        record(newOffsetCommitTombstoneRecord("g", "t", 1));
        record(newOffsetCommitTombstoneRecord("g", "t", 2));
        record(newGroupMetadataTombstoneRecord("g"));
    }

    static OffsetAndMetadata committed(long offset, OptionalInt epoch, String note, long at, OptionalLong until, Uuid topic) {
        return new OffsetAndMetadata(offset, epoch, note, at, until, topic);
    }

    static void classic() {
        scene("classic");
        String protocol = " type=connect protocols=eager topics=sub";
        String a = member("i1", 1);
        String b = member("b", 2);
        step("wait 1000");
        step("a: join g - client=a v=5 instance=i1 session=20000 rebalance=50000" + protocol);
        record(newEmptyGroupMetadataRecord(group(ClassicGroupState.EMPTY, 0, null, null, null, 1000)));
        step("wait 200");
        step("a: sync g i1#1 gen=1 instance=i1 assign=i1#1:all");
        ClassicGroup group = group(ClassicGroupState.COMPLETING_REBALANCE, 1, "connect", "eager", a, 1000);
        group.add(classic(a, "i1", "a", 50000, 20000, "connect", protocol("eager", "sub")));
        record(newGroupMetadataRecord(group, Map.of(a, bytes("all"))));
        step("wait 300");
        step("b: join g - client=b v=3" + protocol);
        step("a: join g i1#1 instance=i1 client=a session=20000 rebalance=50000" + protocol);
        step("wait 100");
        step("a: sync g i1#1 gen=2 instance=i1 assign=i1#1:x;b#2:y");
        group = group(ClassicGroupState.COMPLETING_REBALANCE, 2, "connect", "eager", a, 1500);
        group.add(classic(b, null, "b", 60000, 10000, "connect", protocol("eager", "sub")));
        group.add(classic(a, "i1", "a", 50000, 20000, "connect", protocol("eager", "sub")));
        record(newGroupMetadataRecord(group, Map.of(a, bytes("x"), b, bytes("y"))));
        step("wait 100");
        step("leave g b#2 i1#1/i1");
        record(newGroupMetadataRecord(group(ClassicGroupState.EMPTY, 3, "connect", null, null, 1700), Map.of()));
        step("delete g");
        record(newGroupMetadataTombstoneRecord("g"));
    }

    static ClassicGroup group(ClassicGroupState state, int generation, String type, String protocol, String leader, long since) {
        return new ClassicGroup(new LogContext(), "g", state, Time.SYSTEM, generation, Optional.ofNullable(type),
            Optional.ofNullable(protocol), Optional.ofNullable(leader), Optional.of(since));
    }

    static ClassicGroupMember classic(String id, String instance, String client, int rebalance, int session, String type,
            JoinGroupRequestProtocolCollection protocols) {
        return new ClassicGroupMember(id, Optional.ofNullable(instance), client, HOST, rebalance, session, type, protocols);
    }

    static JoinGroupRequestProtocolCollection protocol(String name, String metadata) {
        JoinGroupRequestProtocolCollection protocols = new JoinGroupRequestProtocolCollection();
        protocols.add(new JoinGroupRequestProtocol().setName(name).setMetadata(bytes(metadata)));
        return protocols;
    }

    static void consumers() {
        scene("consumers");
        topic("t", 2);
        topic("u", 1);
        step("config interval=0");
        step("wait 1000");
        step("hb g a epoch=0 topics=u+t instance=i1 rack=r1 assignor=range rebalance=45000 client=first");
        ConsumerGroupMember a = new ConsumerGroupMember.Builder("a").maybeUpdateInstanceId(Optional.of("i1"))
            .maybeUpdateRackId(Optional.of("r1")).maybeUpdateRebalanceTimeoutMs(OptionalInt.of(45000))
            .maybeUpdateServerAssignorName(Optional.of("range")).maybeUpdateSubscribedTopicRegex(Optional.empty())
            .maybeUpdateSubscribedTopicNames(Optional.of(List.of("u", "t"))).setClientId("first").setClientHost(HOST).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", a));
        record(newConsumerGroupEpochRecord("g", 2, hash("t", "u")));
        record(newConsumerGroupTargetAssignmentRecord("g", "a", target("t:0,1", "u:0")));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 2, 1000));
        a = at(a, 2, 0, MemberState.STABLE, held("t:0@2,1@2", "u:0@2"), held());
        record(newConsumerGroupCurrentAssignmentRecord("g", a));
        step("wait 100");
        step("hb g b epoch=0 topics=t");
        ConsumerGroupMember b = new ConsumerGroupMember.Builder("b").maybeUpdateRebalanceTimeoutMs(OptionalInt.of(60000))
            .maybeUpdateSubscribedTopicNames(Optional.of(List.of("t"))).maybeUpdateSubscribedTopicRegex(Optional.empty())
            .setClientId("c").setClientHost(HOST).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", b));
        record(newConsumerGroupEpochRecord("g", 3, hash("t", "u")));
        record(newConsumerGroupTargetAssignmentRecord("g", "a", target("t:0", "u:0")));
        record(newConsumerGroupTargetAssignmentRecord("g", "b", target("t:1")));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 3, 1100));
        b = at(b, 3, 0, MemberState.UNRELEASED_PARTITIONS, held(), held());
        record(newConsumerGroupCurrentAssignmentRecord("g", b));
        step("hb g a epoch=2 client=first instance=i1");
        a = at(a, 2, 2, MemberState.UNREVOKED_PARTITIONS, held("t:0@2", "u:0@2"), held("t:1@2"));
        record(newConsumerGroupCurrentAssignmentRecord("g", a));
        step("hb g a epoch=2 client=first instance=i1 owned=t:0+u:0");
        a = at(a, 3, 2, MemberState.STABLE, held("t:0@2", "u:0@2"), held());
        record(newConsumerGroupCurrentAssignmentRecord("g", a));
        step("hb g b epoch=3");
        b = at(b, 3, 3, MemberState.STABLE, held("t:1@3"), held());
        record(newConsumerGroupCurrentAssignmentRecord("g", b));
        // It goes for a while, and then for good.
        step("hb g a epoch=-2 client=first instance=i1");
        record(newConsumerGroupCurrentAssignmentRecord("g",
            at(a, -2, 2, MemberState.STABLE, held("t:0@0", "u:0@0"), held())));
        step("hb g a epoch=-1 client=first instance=i1");
        record(newConsumerGroupCurrentAssignmentTombstoneRecord("g", "a"));
        record(newConsumerGroupTargetAssignmentTombstoneRecord("g", "a"));
        record(newConsumerGroupMemberSubscriptionTombstoneRecord("g", "a"));
        record(newConsumerGroupEpochRecord("g", 4, hash("t")));
        step("hb g b epoch=-1");
        record(newConsumerGroupCurrentAssignmentTombstoneRecord("g", "b"));
        record(newConsumerGroupTargetAssignmentTombstoneRecord("g", "b"));
        record(newConsumerGroupMemberSubscriptionTombstoneRecord("g", "b"));
        record(newConsumerGroupEpochRecord("g", 5, 0));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 5, 0));
        step("delete g");
        record(newConsumerGroupTargetAssignmentMetadataTombstoneRecord("g"));
        record(newConsumerGroupSubscriptionMetadataTombstoneRecord("g"));
        record(newConsumerGroupEpochTombstoneRecord("g"));
    }

    static void regex() {
        scene("regex");
        topic("t1", 1);
        topic("t2", 1);
        step("config interval=0");
        step("wait 1000");
        step("hb g a epoch=0 regex=t.*");
        ConsumerGroupMember a = new ConsumerGroupMember.Builder("a").maybeUpdateRebalanceTimeoutMs(OptionalInt.of(60000))
            .maybeUpdateSubscribedTopicRegex(Optional.of("t.*")).setClientId("c").setClientHost(HOST).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", a));
        record(newConsumerGroupCurrentAssignmentRecord("g", at(a, 1, 0, MemberState.STABLE, held(), held())));
        // The version is that of the metadata: its last offset.
        record(newConsumerGroupRegularExpressionRecord("g", "t.*", new ResolvedRegularExpression(Set.of("t1", "t2"), image().version(), 1000)));
        record(newConsumerGroupEpochRecord("g", 2, hash("t1", "t2")));
        step("hb g a epoch=1 topics=t1 regex=''");
        a = new ConsumerGroupMember.Builder(a).maybeUpdateSubscribedTopicRegex(Optional.of(""))
            .maybeUpdateSubscribedTopicNames(Optional.of(List.of("t1"))).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", a));
        record(newConsumerGroupRegularExpressionTombstone("g", "t.*"));
        record(newConsumerGroupEpochRecord("g", 3, hash("t1")));
        record(newConsumerGroupTargetAssignmentRecord("g", "a", target("t1:0")));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 3, 1000));
        record(newConsumerGroupCurrentAssignmentRecord("g", at(a, 3, 1, MemberState.STABLE, held("t1:0@3"), held())));
    }

    /** Members of both protocols: the group is made one of consumers, and a classic one again. */
    static void mixed() {
        scene("mixed");
        topic("t", 2);
        step("config interval=0");
        step("wait 1000");
        String id = member("i1", 1);
        JoinGroupRequestProtocolCollection protocols = new JoinGroupRequestProtocolCollection();
        protocols.add(new JoinGroupRequestProtocol().setName("range").setMetadata(subscription(List.of("t"), List.of())));
        step("a: join g - client=a v=5 instance=i1 session=20000 rebalance=50000");
        record(newEmptyGroupMetadataRecord(group(ClassicGroupState.EMPTY, 0, null, null, null, 1000)));
        step("a: sync g i1#1 gen=1 instance=i1 parts=i1#1/t:0,1");
        ClassicGroup group = group(ClassicGroupState.COMPLETING_REBALANCE, 1, "consumer", "range", id, 1000);
        group.add(classic(id, "i1", "a", 50000, 20000, "consumer", protocols));
        record(newGroupMetadataRecord(group, Map.of(id, assignment("t", 0, 1))));
        step("wait 500");
        step("hb g b epoch=0 topics=t");
        record(newGroupMetadataTombstoneRecord("g"));
        ConsumerGroupMember a = new ConsumerGroupMember.Builder(id).maybeUpdateInstanceId(Optional.of("i1"))
            .maybeUpdateRebalanceTimeoutMs(OptionalInt.of(50000)).maybeUpdateSubscribedTopicNames(Optional.of(List.of("t")))
            .setClientId("a").setClientHost(HOST).setClassicMemberMetadata(side(20000, subscription(List.of("t"), List.of()))).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", a));
        record(newConsumerGroupEpochRecord("g", 1, hash("t")));
        record(newConsumerGroupTargetAssignmentRecord("g", id, target("t:0,1")));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 1, 0));
        a = at(a, 1, 1, MemberState.STABLE, held("t:0@1,1@1"), held());
        record(newConsumerGroupCurrentAssignmentRecord("g", a));
        ConsumerGroupMember b = new ConsumerGroupMember.Builder("b").maybeUpdateRebalanceTimeoutMs(OptionalInt.of(60000))
            .maybeUpdateSubscribedTopicNames(Optional.of(List.of("t"))).setClientId("c").setClientHost(HOST).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", b));
        record(newConsumerGroupEpochRecord("g", 2, hash("t")));
        record(newConsumerGroupTargetAssignmentRecord("g", "b", target("t:1")));
        record(newConsumerGroupTargetAssignmentRecord("g", id, target("t:0")));
        record(newConsumerGroupTargetAssignmentMetadataRecord("g", 2, 1500));
        record(newConsumerGroupCurrentAssignmentRecord("g", at(b, 2, 0, MemberState.UNRELEASED_PARTITIONS, held(), held())));
        step("a: join g i1#1 instance=i1 client=a session=20000 rebalance=50000 owned=t:0,1");
        a = new ConsumerGroupMember.Builder(a)
            .setClassicMemberMetadata(side(20000, subscription(List.of("t"), List.of(0, 1)))).build();
        record(newConsumerGroupMemberSubscriptionRecord("g", a));
        a = at(a, 1, 1, MemberState.UNREVOKED_PARTITIONS, held("t:0@1"), held("t:1@1"));
        record(newConsumerGroupCurrentAssignmentRecord("g", a));
        step("wait 200");
        step("hb g b epoch=-1");
        for (String gone : List.of("b", id))
            record(newConsumerGroupCurrentAssignmentTombstoneRecord("g", gone));
        for (String gone : List.of("b", id))
            record(newConsumerGroupTargetAssignmentTombstoneRecord("g", gone));
        record(newConsumerGroupTargetAssignmentMetadataTombstoneRecord("g"));
        for (String gone : List.of("b", id))
            record(newConsumerGroupMemberSubscriptionTombstoneRecord("g", gone));
        record(newConsumerGroupSubscriptionMetadataTombstoneRecord("g"));
        record(newConsumerGroupEpochTombstoneRecord("g"));
        protocols = new JoinGroupRequestProtocolCollection();
        protocols.add(new JoinGroupRequestProtocol().setName("range").setMetadata(subscription(List.of("t"), List.of(0, 1))));
        group = group(ClassicGroupState.STABLE, 2, "consumer", "range", id, 1700);
        group.add(classic(id, "i1", "a", 50000, 20000, "consumer", protocols));
        record(newGroupMetadataRecord(group, Map.of(id, assignment("t", 0))));
    }

    static ConsumerGroupMemberMetadataValue.ClassicMemberMetadata side(int session, byte[] metadata) {
        return new ConsumerGroupMemberMetadataValue.ClassicMemberMetadata().setSessionTimeoutMs(session).setSupportedProtocols(
            List.of(new ConsumerGroupMemberMetadataValue.ClassicProtocol().setName("range").setMetadata(metadata)));
    }

    static byte[] subscription(List<String> topics, List<Integer> owned) {
        List<TopicPartition> partitions = owned.stream().map(index -> new TopicPartition("t", index)).toList();
        return ConsumerProtocol.serializeSubscription(new Subscription(topics, null, partitions), (short) 1).array();
    }

    static byte[] assignment(String topic, Integer... partitions) {
        List<TopicPartition> all = Arrays.stream(partitions).map(index -> new TopicPartition(topic, index)).toList();
        return ConsumerProtocol.serializeAssignment(new Assignment(all), (short) 1).array();
    }

    static ConsumerGroupMember at(ConsumerGroupMember member, int epoch, int before, MemberState state,
            Map<Uuid, Map<Integer, Integer>> held, Map<Uuid, Map<Integer, Integer>> revoking) {
        return new ConsumerGroupMember.Builder(member).setMemberEpoch(epoch).setPreviousMemberEpoch(before).setState(state)
            .setAssignedPartitions(held).setPartitionsPendingRevocation(revoking).build();
    }

    static void streams() {
        scene("streams");
        topic("in", 2);
        topic("store", 2);
        step("config streams_delay=0");
        step("wait 1000");
        step("streams g a app=table process=p instance=i1 rack=r1 endpoint=h:1 tags=zone:x,rack:y rebalance=45000 client=first");
        StreamsGroupMember a = StreamsGroupMember.Builder.withDefaults("a").setProcessId("p").setInstanceId("i1").setRackId("r1")
            .setUserEndpoint(new StreamsGroupMemberMetadataValue.Endpoint().setHost("h").setPort(1))
            .setClientTags(Map.of("zone", "x", "rack", "y")).setRebalanceTimeoutMs(45000).setTopologyEpoch(0)
            .setClientId("first").setClientHost(HOST).build();
        StreamsGroupHeartbeatRequestData.Topology table = topology(part("0", "in").setStateChangelogTopics(infos("store")));
        Map<String, String> configs = Map.of("num.standby.replicas", "0");
        record(newStreamsGroupMemberRecord("g", a));
        record(newStreamsGroupTopologyRecord("g", table));
        record(newStreamsGroupMetadataRecord("g", 2, hash(table), 0, configs, -1, -1));
        record(newStreamsGroupTargetAssignmentRecord("g", "a", tasks(Map.of("0", ids(0, 1)), Map.of())));
        record(newStreamsGroupTargetAssignmentMetadataRecord("g", 2, 1000));
        a = at(a, 2, 0, 1, running("0", "0@2,1@2"), running("0", ""));
        record(newStreamsGroupCurrentAssignmentRecord("g", a));
        // It goes for a while, and then for good.
        step("streams g a epoch=-2 instance=i1 client=first");
        record(newStreamsGroupCurrentAssignmentRecord("g", at(a, -2, 0, 1, running("0", "0@0,1@0"), running("0", ""))));
        step("streams g a epoch=-1 instance=i1 client=first");
        record(newStreamsGroupCurrentAssignmentTombstoneRecord("g", "a"));
        record(newStreamsGroupTargetAssignmentTombstoneRecord("g", "a"));
        record(newStreamsGroupMemberTombstoneRecord("g", "a"));
        record(newStreamsGroupMetadataRecord("g", 3, hash(table), 0, configs, -1, -1));
        record(newStreamsGroupTargetAssignmentMetadataRecord("g", 3, 0));
        step("delete g");
        record(newStreamsGroupTargetAssignmentMetadataTombstoneRecord("g"));
        record(newStreamsGroupEpochTombstoneRecord("g"));
        record(newStreamsGroupTopologyRecordTombstone("g"));
    }

    /** Tasks with copies, some of which have to be given up. */
    static void copies() {
        scene("copies");
        topic("in", 2);
        topic("store", 2);
        step("config streams_delay=0");
        step("group-config g streams.num.standby.replicas=1");
        step("streams g a app=table process=p");
        StreamsGroupMember a = simple("a", "p");
        StreamsGroupHeartbeatRequestData.Topology table = topology(part("0", "in").setStateChangelogTopics(infos("store")));
        Map<String, String> configs = Map.of("num.standby.replicas", "1");
        record(newStreamsGroupMemberRecord("g", a));
        record(newStreamsGroupTopologyRecord("g", table));
        record(newStreamsGroupMetadataRecord("g", 2, hash(table), 0, configs, -1, -1));
        record(newStreamsGroupTargetAssignmentRecord("g", "a", tasks(Map.of("0", ids(0, 1)), Map.of())));
        record(newStreamsGroupTargetAssignmentMetadataRecord("g", 2, 0));
        a = at(a, 2, 0, 1, running("0", "0@2,1@2"), running("0", ""));
        record(newStreamsGroupCurrentAssignmentRecord("g", a));
        step("streams g b app=table process=q");
        StreamsGroupMember b = simple("b", "q");
        record(newStreamsGroupMemberRecord("g", b));
        record(newStreamsGroupMetadataRecord("g", 3, hash(table), 0, configs, -1, -1));
        record(newStreamsGroupTargetAssignmentRecord("g", "a", tasks(Map.of("0", ids(0)), Map.of("0", ids(1)))));
        record(newStreamsGroupTargetAssignmentRecord("g", "b", tasks(Map.of("0", ids(1)), Map.of("0", ids(0)))));
        record(newStreamsGroupTargetAssignmentMetadataRecord("g", 3, 0));
        b = at(b, 3, 0, 3, running("0", "", 0), running("0", ""));
        record(newStreamsGroupCurrentAssignmentRecord("g", b));
        step("wait 1000");
        step("streams g a epoch=2 has=0:0,1");
        a = at(a, 2, 2, 2, running("0", "0@2", 1), running("0", "1@2"));
        record(newStreamsGroupCurrentAssignmentRecord("g", a));
        step("streams g a epoch=2 has=0:0");
        a = at(a, 3, 2, 1, running("0", "0@2", 1), running("0", ""));
        record(newStreamsGroupCurrentAssignmentRecord("g", a));
    }

    /** What applications may be made of. */
    static void applications() {
        scene("applications");
        topic("in", 2);
        step("config streams_delay=0");
        StreamsGroupHeartbeatRequestData.Topology count = topology(
            part("0", "lines").setRepartitionSinkTopics(List.of("words")),
            part("1").setStateChangelogTopics(infos("counts")).setRepartitionSourceTopics(infos("words")));
        application("count", count);
        application("joined", topology(part("0", "in", "lines").setCopartitionGroups(List.of(
            new StreamsGroupHeartbeatRequestData.CopartitionGroup().setSourceTopics(List.of((short) 0, (short) 1))))));
    }

    static void application(String name, StreamsGroupHeartbeatRequestData.Topology topology) {
        step("streams " + name + " a app=" + name);
        // Among others, which are as those above.
        System.out.println("~ " + hex(newStreamsGroupTopologyRecord(name, topology)));
    }

    static StreamsGroupMember simple(String id, String process) {
        return StreamsGroupMember.Builder.withDefaults(id).setProcessId(process).setRebalanceTimeoutMs(60000).setTopologyEpoch(0)
            .setClientId("c").setClientHost(HOST).build();
    }

    static StreamsGroupMember at(StreamsGroupMember member, int epoch, int before, int state, TasksTupleWithEpochs held,
            TasksTupleWithEpochs revoking) {
        return new StreamsGroupMember.Builder(member).setMemberEpoch(epoch).setPreviousMemberEpoch(before)
            .setState(org.apache.kafka.coordinator.group.streams.MemberState.fromValue((byte) state))
            .setAssignedTasks(held).setTasksPendingRevocation(revoking).build();
    }

    static StreamsGroupHeartbeatRequestData.Topology topology(StreamsGroupHeartbeatRequestData.Subtopology... parts) {
        return new StreamsGroupHeartbeatRequestData.Topology().setEpoch(0).setSubtopologies(List.of(parts));
    }

    static StreamsGroupHeartbeatRequestData.Subtopology part(String id, String... sources) {
        return new StreamsGroupHeartbeatRequestData.Subtopology().setSubtopologyId(id).setSourceTopics(List.of(sources));
    }

    static List<StreamsGroupHeartbeatRequestData.TopicInfo> infos(String name) {
        return List.of(new StreamsGroupHeartbeatRequestData.TopicInfo().setName(name).setPartitions(0).setTopicConfigs(
            List.of(new StreamsGroupHeartbeatRequestData.KeyValue().setKey("cleanup.policy").setValue("compact"))));
    }

    static Set<Integer> ids(Integer... ids) {
        return new TreeSet<>(List.of(ids));
    }

    static TasksTuple tasks(Map<String, Set<Integer>> active, Map<String, Set<Integer>> standby) {
        return new TasksTuple(active, standby, Map.of());
    }

    /** Tasks of a part with the epochs that they were given at, and copies. */
    static TasksTupleWithEpochs running(String part, String active, Integer... standby) {
        Map<String, Map<Integer, Integer>> tasks = active.isEmpty() ? Map.of() : Map.of(part, epochs(active));
        return new TasksTupleWithEpochs(tasks, standby.length == 0 ? Map.of() : Map.of(part, ids(standby)), Map.of());
    }

    static long hash(StreamsGroupHeartbeatRequestData.Topology topology) {
        Set<String> required = StreamsTopology.fromHeartbeatRequest(topology).requiredTopics();
        return hash(required.stream().filter(topics::containsKey).toArray(String[]::new));
    }

    /** What older releases wrote, and nobody writes any more. */
    static void old() {
        scene("old");
        OffsetCommitKey key = new OffsetCommitKey().setGroup("g").setTopic("t").setPartition(0);
        for (short version = 0; version <= 4; version++) {
            OffsetCommitValue value = new OffsetCommitValue().setOffset(5).setMetadata("note").setCommitTimestamp(1000);
            if (version >= 3)
                value.setLeaderEpoch(3);
            read("offset-" + version, CoordinatorRecord.record(key, new ApiMessageAndVersion(value, version)));
        }
        for (short version = 0; version <= 3; version++) {
            GroupMetadataValue value = new GroupMetadataValue().setProtocolType("connect").setGeneration(3).setProtocol("eager")
                .setLeader("m").setMembers(List.of(new GroupMetadataValue.MemberMetadata().setMemberId("m").setClientId("c")
                    .setClientHost(HOST).setSessionTimeout(10000).setSubscription(bytes("sub")).setAssignment(bytes("all"))));
            if (version >= 1)
                value.members().get(0).setRebalanceTimeout(60000);
            if (version >= 2)
                value.setCurrentStateTimestamp(1000);
            if (version >= 3)
                value.members().get(0).setGroupInstanceId("i");
            read("group-" + version, CoordinatorRecord.record(new GroupMetadataKey().setGroup("g"), new ApiMessageAndVersion(value, version)));
        }
        read("legacy-offset", CoordinatorRecord.record(new LegacyOffsetCommitKey().setGroup("g").setTopic("t").setPartition(0),
            new ApiMessageAndVersion(new LegacyOffsetCommitValue().setOffset(5).setMetadata("note").setCommitTimestamp(1000), (short) 0)));
    }

    static String member(String client, int number) {
        return client + "-00000000-0000-0000-0000-" + String.format("%012x", number);
    }

    static byte[] bytes(String text) {
        return text.getBytes();
    }

    /** The id that the transcripts give the topic: how many topics there were, and its name. */
    static Uuid id(String topic) {
        byte[] bytes = new byte[16];
        bytes[0] = (byte) (new ArrayList<>(topics.keySet()).indexOf(topic) + 1);
        System.arraycopy(topic.getBytes(), 0, bytes, 1, topic.length());
        java.nio.ByteBuffer buffer = java.nio.ByteBuffer.wrap(bytes);
        return new Uuid(buffer.getLong(), buffer.getLong());
    }

    static CoordinatorMetadataImage image() {
        MetadataDelta delta = new MetadataDelta.Builder().setImage(MetadataImage.EMPTY).build();
        int records = 0;
        for (Map.Entry<String, Integer> topic : topics.entrySet()) {
            delta.replay(new TopicRecord().setName(topic.getKey()).setTopicId(id(topic.getKey())));
            records += 1 + topic.getValue();
            for (int index = 0; index < topic.getValue(); index++)
                delta.replay(new PartitionRecord().setTopicId(id(topic.getKey())).setPartitionId(index).setReplicas(List.of(1))
                    .setIsr(List.of(1)).setLeader(1));
        }
        return new KRaftCoordinatorMetadataImage(delta.apply(new MetadataProvenance(records - 1, 0, 0, true)));
    }

    static long hash(String... names) {
        Map<String, Long> hashes = new LinkedHashMap<>();
        for (String name : names)
            hashes.put(name, Utils.computeTopicHash(name, image()));
        return Utils.computeGroupHash(hashes);
    }

    static Map<Uuid, Set<Integer>> target(String... parts) {
        Map<Uuid, Set<Integer>> target = new LinkedHashMap<>();
        for (String part : parts) {
            Set<Integer> indexes = new TreeSet<>();
            for (String index : part.split(":")[1].split(","))
                indexes.add(Integer.parseInt(index));
            target.put(id(part.split(":")[0]), indexes);
        }
        return target;
    }

    /** Partitions of topics, each with the epoch that it was given at. */
    static Map<Uuid, Map<Integer, Integer>> held(String... parts) {
        Map<Uuid, Map<Integer, Integer>> held = new LinkedHashMap<>();
        for (String part : parts)
            held.put(id(part.split(":")[0]), epochs(part.split(":")[1]));
        return held;
    }

    static Map<Integer, Integer> epochs(String words) {
        Map<Integer, Integer> epochs = new LinkedHashMap<>();
        for (String word : words.split(","))
            epochs.put(Integer.parseInt(word.split("@")[0]), Integer.parseInt(word.split("@")[1]));
        return epochs;
    }

    static void scene(String name) {
        topics.clear();
        System.out.println("= " + name);
    }

    static void topic(String name, int partitions) {
        topics.put(name, partitions);
        step("topic " + name + " " + partitions);
    }

    static void step(String words) {
        System.out.println("> " + words);
    }

    static void record(CoordinatorRecord record) {
        System.out.println("+ " + hex(record));
    }

    static void read(String what, CoordinatorRecord record) {
        System.out.println("? " + what + " " + hex(record));
    }

    static String hex(CoordinatorRecord record) {
        HexFormat hex = HexFormat.of();
        GroupCoordinatorRecordSerde serde = new GroupCoordinatorRecordSerde();
        byte[] value = serde.serializeValue(record);
        return hex.formatHex(serde.serializeKey(record)) + " " + (value == null ? "-" : hex.formatHex(value));
    }
}
