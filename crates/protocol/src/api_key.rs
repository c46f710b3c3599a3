//! The APIs by their keys, and the request and response of each.

use std::fmt;

use crate::messages::schema::Schema;
use crate::messages::{self, Message, Request};

macro_rules! apis {
    ($($name:ident = $key:literal: $request:ident $(<$a:lifetime>)? => $response:ident $(<$r:lifetime>)?,)*) => {
        /// An API of Kafka. Those that only ZooKeeper controllers spoke (4 to 7) are among them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(i16)]
        #[expect(missing_docs, reason = "the APIs have Kafka's names; their requests are documented")]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every API, by rising key.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The API with this key.
            pub fn from_i16(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name of it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What its request looks like, and in which versions.
            pub fn request(self) -> &'static Schema {
                match self {
                    $(Self::$name => messages::$request::SCHEMA,)*
                }
            }

            /// What its response looks like.
            pub fn response(self) -> &'static Schema {
                match self {
                    $(Self::$name => messages::$response::SCHEMA,)*
                }
            }
        }

        $(impl<'a> Request<'a> for messages::$request $(<$a>)? {
            const API_KEY: ApiKey = ApiKey::$name;
            type Response<'r> = messages::$response $(<$r>)?;
        })*
    };
}

apis! {
    Produce = 0: ProduceRequest<'a> => ProduceResponse<'r>,
    Fetch = 1: FetchRequest<'a> => FetchResponse<'r>,
    ListOffsets = 2: ListOffsetsRequest<'a> => ListOffsetsResponse<'r>,
    Metadata = 3: MetadataRequest<'a> => MetadataResponse<'r>,
    LeaderAndIsr = 4: LeaderAndIsrRequest<'a> => LeaderAndIsrResponse<'r>,
    StopReplica = 5: StopReplicaRequest<'a> => StopReplicaResponse<'r>,
    UpdateMetadata = 6: UpdateMetadataRequest<'a> => UpdateMetadataResponse,
    ControlledShutdown = 7: ControlledShutdownRequest => ControlledShutdownResponse<'r>,
    OffsetCommit = 8: OffsetCommitRequest<'a> => OffsetCommitResponse<'r>,
    OffsetFetch = 9: OffsetFetchRequest<'a> => OffsetFetchResponse<'r>,
    FindCoordinator = 10: FindCoordinatorRequest<'a> => FindCoordinatorResponse<'r>,
    JoinGroup = 11: JoinGroupRequest<'a> => JoinGroupResponse<'r>,
    Heartbeat = 12: HeartbeatRequest<'a> => HeartbeatResponse,
    LeaveGroup = 13: LeaveGroupRequest<'a> => LeaveGroupResponse<'r>,
    SyncGroup = 14: SyncGroupRequest<'a> => SyncGroupResponse<'r>,
    DescribeGroups = 15: DescribeGroupsRequest<'a> => DescribeGroupsResponse<'r>,
    ListGroups = 16: ListGroupsRequest<'a> => ListGroupsResponse<'r>,
    SaslHandshake = 17: SaslHandshakeRequest<'a> => SaslHandshakeResponse<'r>,
    ApiVersions = 18: ApiVersionsRequest<'a> => ApiVersionsResponse<'r>,
    CreateTopics = 19: CreateTopicsRequest<'a> => CreateTopicsResponse<'r>,
    DeleteTopics = 20: DeleteTopicsRequest<'a> => DeleteTopicsResponse<'r>,
    DeleteRecords = 21: DeleteRecordsRequest<'a> => DeleteRecordsResponse<'r>,
    InitProducerId = 22: InitProducerIdRequest<'a> => InitProducerIdResponse,
    OffsetForLeaderEpoch = 23: OffsetForLeaderEpochRequest<'a> => OffsetForLeaderEpochResponse<'r>,
    AddPartitionsToTxn = 24: AddPartitionsToTxnRequest<'a> => AddPartitionsToTxnResponse<'r>,
    AddOffsetsToTxn = 25: AddOffsetsToTxnRequest<'a> => AddOffsetsToTxnResponse,
    EndTxn = 26: EndTxnRequest<'a> => EndTxnResponse,
    WriteTxnMarkers = 27: WriteTxnMarkersRequest<'a> => WriteTxnMarkersResponse<'r>,
    TxnOffsetCommit = 28: TxnOffsetCommitRequest<'a> => TxnOffsetCommitResponse<'r>,
    DescribeAcls = 29: DescribeAclsRequest<'a> => DescribeAclsResponse<'r>,
    CreateAcls = 30: CreateAclsRequest<'a> => CreateAclsResponse<'r>,
    DeleteAcls = 31: DeleteAclsRequest<'a> => DeleteAclsResponse<'r>,
    DescribeConfigs = 32: DescribeConfigsRequest<'a> => DescribeConfigsResponse<'r>,
    AlterConfigs = 33: AlterConfigsRequest<'a> => AlterConfigsResponse<'r>,
    AlterReplicaLogDirs = 34: AlterReplicaLogDirsRequest<'a> => AlterReplicaLogDirsResponse<'r>,
    DescribeLogDirs = 35: DescribeLogDirsRequest<'a> => DescribeLogDirsResponse<'r>,
    SaslAuthenticate = 36: SaslAuthenticateRequest<'a> => SaslAuthenticateResponse<'r>,
    CreatePartitions = 37: CreatePartitionsRequest<'a> => CreatePartitionsResponse<'r>,
    CreateDelegationToken = 38: CreateDelegationTokenRequest<'a> => CreateDelegationTokenResponse<'r>,
    RenewDelegationToken = 39: RenewDelegationTokenRequest<'a> => RenewDelegationTokenResponse,
    ExpireDelegationToken = 40: ExpireDelegationTokenRequest<'a> => ExpireDelegationTokenResponse,
    DescribeDelegationToken = 41: DescribeDelegationTokenRequest<'a> => DescribeDelegationTokenResponse<'r>,
    DeleteGroups = 42: DeleteGroupsRequest<'a> => DeleteGroupsResponse<'r>,
    ElectLeaders = 43: ElectLeadersRequest<'a> => ElectLeadersResponse<'r>,
    IncrementalAlterConfigs = 44: IncrementalAlterConfigsRequest<'a> => IncrementalAlterConfigsResponse<'r>,
    AlterPartitionReassignments = 45: AlterPartitionReassignmentsRequest<'a> => AlterPartitionReassignmentsResponse<'r>,
    ListPartitionReassignments = 46: ListPartitionReassignmentsRequest<'a> => ListPartitionReassignmentsResponse<'r>,
    OffsetDelete = 47: OffsetDeleteRequest<'a> => OffsetDeleteResponse<'r>,
    DescribeClientQuotas = 48: DescribeClientQuotasRequest<'a> => DescribeClientQuotasResponse<'r>,
    AlterClientQuotas = 49: AlterClientQuotasRequest<'a> => AlterClientQuotasResponse<'r>,
    DescribeUserScramCredentials = 50: DescribeUserScramCredentialsRequest<'a> => DescribeUserScramCredentialsResponse<'r>,
    AlterUserScramCredentials = 51: AlterUserScramCredentialsRequest<'a> => AlterUserScramCredentialsResponse<'r>,
    Vote = 52: VoteRequest<'a> => VoteResponse<'r>,
    BeginQuorumEpoch = 53: BeginQuorumEpochRequest<'a> => BeginQuorumEpochResponse<'r>,
    EndQuorumEpoch = 54: EndQuorumEpochRequest<'a> => EndQuorumEpochResponse<'r>,
    DescribeQuorum = 55: DescribeQuorumRequest<'a> => DescribeQuorumResponse<'r>,
    AlterPartition = 56: AlterPartitionRequest<'a> => AlterPartitionResponse<'r>,
    UpdateFeatures = 57: UpdateFeaturesRequest<'a> => UpdateFeaturesResponse<'r>,
    Envelope = 58: EnvelopeRequest<'a> => EnvelopeResponse<'r>,
    FetchSnapshot = 59: FetchSnapshotRequest<'a> => FetchSnapshotResponse<'r>,
    DescribeCluster = 60: DescribeClusterRequest => DescribeClusterResponse<'r>,
    DescribeProducers = 61: DescribeProducersRequest<'a> => DescribeProducersResponse<'r>,
    BrokerRegistration = 62: BrokerRegistrationRequest<'a> => BrokerRegistrationResponse,
    BrokerHeartbeat = 63: BrokerHeartbeatRequest<'a> => BrokerHeartbeatResponse,
    UnregisterBroker = 64: UnregisterBrokerRequest => UnregisterBrokerResponse<'r>,
    DescribeTransactions = 65: DescribeTransactionsRequest<'a> => DescribeTransactionsResponse<'r>,
    ListTransactions = 66: ListTransactionsRequest<'a> => ListTransactionsResponse<'r>,
    AllocateProducerIds = 67: AllocateProducerIdsRequest => AllocateProducerIdsResponse,
    ConsumerGroupHeartbeat = 68: ConsumerGroupHeartbeatRequest<'a> => ConsumerGroupHeartbeatResponse<'r>,
    ConsumerGroupDescribe = 69: ConsumerGroupDescribeRequest<'a> => ConsumerGroupDescribeResponse<'r>,
    ControllerRegistration = 70: ControllerRegistrationRequest<'a> => ControllerRegistrationResponse<'r>,
    GetTelemetrySubscriptions = 71: GetTelemetrySubscriptionsRequest => GetTelemetrySubscriptionsResponse<'r>,
    PushTelemetry = 72: PushTelemetryRequest<'a> => PushTelemetryResponse,
    AssignReplicasToDirs = 73: AssignReplicasToDirsRequest<'a> => AssignReplicasToDirsResponse<'r>,
    ListConfigResources = 74: ListConfigResourcesRequest<'a> => ListConfigResourcesResponse<'r>,
    DescribeTopicPartitions = 75: DescribeTopicPartitionsRequest<'a> => DescribeTopicPartitionsResponse<'r>,
    ShareGroupHeartbeat = 76: ShareGroupHeartbeatRequest<'a> => ShareGroupHeartbeatResponse<'r>,
    ShareGroupDescribe = 77: ShareGroupDescribeRequest<'a> => ShareGroupDescribeResponse<'r>,
    ShareFetch = 78: ShareFetchRequest<'a> => ShareFetchResponse<'r>,
    ShareAcknowledge = 79: ShareAcknowledgeRequest<'a> => ShareAcknowledgeResponse<'r>,
    AddRaftVoter = 80: AddRaftVoterRequest<'a> => AddRaftVoterResponse<'r>,
    RemoveRaftVoter = 81: RemoveRaftVoterRequest<'a> => RemoveRaftVoterResponse<'r>,
    UpdateRaftVoter = 82: UpdateRaftVoterRequest<'a> => UpdateRaftVoterResponse<'r>,
    InitializeShareGroupState = 83: InitializeShareGroupStateRequest<'a> => InitializeShareGroupStateResponse<'r>,
    ReadShareGroupState = 84: ReadShareGroupStateRequest<'a> => ReadShareGroupStateResponse<'r>,
    WriteShareGroupState = 85: WriteShareGroupStateRequest<'a> => WriteShareGroupStateResponse<'r>,
    DeleteShareGroupState = 86: DeleteShareGroupStateRequest<'a> => DeleteShareGroupStateResponse<'r>,
    ReadShareGroupStateSummary = 87: ReadShareGroupStateSummaryRequest<'a> => ReadShareGroupStateSummaryResponse<'r>,
    StreamsGroupHeartbeat = 88: StreamsGroupHeartbeatRequest<'a> => StreamsGroupHeartbeatResponse<'r>,
    StreamsGroupDescribe = 89: StreamsGroupDescribeRequest<'a> => StreamsGroupDescribeResponse<'r>,
    DescribeShareGroupOffsets = 90: DescribeShareGroupOffsetsRequest<'a> => DescribeShareGroupOffsetsResponse<'r>,
    AlterShareGroupOffsets = 91: AlterShareGroupOffsetsRequest<'a> => AlterShareGroupOffsetsResponse<'r>,
    DeleteShareGroupOffsets = 92: DeleteShareGroupOffsetsRequest<'a> => DeleteShareGroupOffsetsResponse<'r>,
    StreamsGroupTopologyDescriptionUpdate = 93: StreamsGroupTopologyDescriptionUpdateRequest<'a> => StreamsGroupTopologyDescriptionUpdateResponse<'r>,
    UnregisterController = 94: UnregisterControllerRequest => UnregisterControllerResponse<'r>,
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<ApiKey> for i16 {
    fn from(api: ApiKey) -> i16 {
        api as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_names_are_those_of_the_requests() {
        for &api in ApiKey::ALL {
            let (request, response) = (api.request(), api.response());
            assert_eq!(request.api_key, Some(api.into()), "{api}");
            assert_eq!(response.api_key, Some(api.into()), "{api}");
            assert_eq!(request.name, format!("{api}Request"));
            assert_eq!(response.name, format!("{api}Response"));
            assert_eq!(request.versions, response.versions, "{api}");
            assert_eq!(request.flexible, response.flexible, "{api}");
            assert_eq!(ApiKey::from_i16(api.into()), Some(api));
        }
        assert_eq!(ApiKey::from_i16(-1), None);
        assert_eq!(ApiKey::from_i16(ApiKey::ALL.len() as i16 + 2), None);
    }
}
