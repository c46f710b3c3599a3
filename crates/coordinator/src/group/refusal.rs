//! The group coordinator's "no".

use protocol::ErrorCode;

use super::Epoch;

/// Why a request to a group is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupRefusal {
    /// The id of the group cannot be one.
    #[error("the group id must not be empty")]
    InvalidGroupId,
    /// No member of this id, or none any more.
    #[error("the group has no such member: join again")]
    UnknownMember,
    /// Another member has taken the instance id.
    #[error("another member has joined with this group instance id")]
    FencedInstance,
    /// The member speaks of another generation.
    #[error("the group is at another generation")]
    IllegalGeneration,
    /// The group is rebalancing.
    #[error("the group is rebalancing: join again")]
    RebalanceInProgress,
    /// The member's protocols have nothing in common with the group's.
    #[error("the member's protocol type or protocols do not go with those of the group")]
    InconsistentProtocol,
    /// The session time-out is out of bounds.
    #[error(
        "the session time-out must lie between group.min.session.timeout.ms and group.max.session.timeout.ms"
    )]
    InvalidSessionTimeout,
    /// The member must join again with the id it was given (KIP-394).
    #[error("join again with the member id that was given")]
    MemberIdRequired,
    /// The member is not where it says.
    #[error("the member says that it is at epoch {}, the group knows it at {}: give up all partitions and join again with epoch 0", said.0, known.0)]
    FencedMemberEpoch {
        /// Where it says that it is.
        said: Epoch,
        /// Where it is.
        known: Epoch,
    },
    /// The member is in a state that a later broker has left it in.
    #[error(
        "the member is in a state that this broker does not know: give up all partitions and join again with epoch 0"
    )]
    UnknownMemberState,
    /// The member is not where it says, and commits or reads offsets.
    #[error("the member's epoch is not the one that the group knows it at")]
    StaleMemberEpoch,
    /// Another member has the instance id, and has not left.
    #[error("another member has this group instance id and has not left")]
    UnreleasedInstance,
    /// The regular expression is none.
    #[error("the regular expression of the subscription is none that RE2 knows")]
    InvalidRegularExpression,
    /// The consumer group is full.
    #[error("the group has as many members as group.consumer.max.size allows")]
    ConsumerGroupMaxSizeReached,
    /// The assignor found no assignment.
    #[error("no assignment was found: a topic that members read is not there")]
    NoAssignment,
    /// A member of the consumer protocol commits in a version without its errors.
    #[error("members of the consumer protocol commit offsets with version 9 of OffsetCommit or later")]
    UnsupportedVersion,
    /// The streams group is full.
    #[error("the group has as many members as group.streams.max.size allows")]
    StreamsGroupMaxSizeReached,
    /// The topology of an application of Kafka Streams is none.
    #[error("the topology is invalid: {0}")]
    InvalidTopology(&'static str),
    /// The topology contradicts itself in a way that Kafka has no word for.
    #[error("the topology contradicts itself, or there is none")]
    ImpossibleTopology,
    /// The topology is another than the group's.
    #[error("the group has another topology, and cannot change it: take another application id")]
    TopologyChanged,
    /// A member says that it has a task that there is not.
    #[error("the member says that it has a task that is not in the topology")]
    NoSuchTask,
    /// A member tells of the state of a task twice.
    #[error("the member tells the offset of one task twice")]
    TaskToldTwice,
    /// The group is full.
    #[error("the group has as many members as group.max.size allows")]
    GroupMaxSizeReached,
    /// There is no such group.
    #[error("there is no such group")]
    GroupIdNotFound,
    /// The group is in use.
    #[error("the group has members")]
    NonEmptyGroup,
    /// Somebody in the group reads the topic.
    #[error("a member of the group is subscribed to the topic")]
    GroupSubscribedToTopic,
    /// The note that goes with an offset is too long.
    #[error("the metadata of the offset is longer than offset.metadata.max.bytes allows")]
    OffsetMetadataTooLarge,
    /// A transaction that has not ended commits this offset too.
    #[error("the offset is being committed by a transaction that has not ended")]
    UnstableOffset,
    /// The topic or partition is not there.
    #[error("there is no such topic or partition")]
    UnknownPartition,
}

impl GroupRefusal {
    /// What is said to a client that may be too old to know of epochs: to that they are generations.
    pub(super) fn of_old(self, knows: bool) -> Self {
        if self == Self::StaleMemberEpoch && !knows { Self::IllegalGeneration } else { self }
    }
}

impl From<GroupRefusal> for ErrorCode {
    fn from(refusal: GroupRefusal) -> Self {
        match refusal {
            GroupRefusal::InvalidGroupId => Self::InvalidGroupId,
            GroupRefusal::UnknownMember => Self::UnknownMemberId,
            GroupRefusal::FencedInstance => Self::FencedInstanceId,
            GroupRefusal::IllegalGeneration => Self::IllegalGeneration,
            GroupRefusal::RebalanceInProgress => Self::RebalanceInProgress,
            GroupRefusal::InconsistentProtocol => Self::InconsistentGroupProtocol,
            GroupRefusal::InvalidSessionTimeout => Self::InvalidSessionTimeout,
            GroupRefusal::MemberIdRequired => Self::MemberIdRequired,
            GroupRefusal::FencedMemberEpoch { .. } | GroupRefusal::UnknownMemberState => {
                Self::FencedMemberEpoch
            }
            GroupRefusal::StaleMemberEpoch => Self::StaleMemberEpoch,
            GroupRefusal::UnreleasedInstance => Self::UnreleasedInstanceId,
            GroupRefusal::InvalidRegularExpression => Self::InvalidRegularExpression,
            GroupRefusal::NoAssignment | GroupRefusal::ImpossibleTopology => Self::UnknownServerError,
            GroupRefusal::InvalidTopology(_) => Self::StreamsInvalidTopology,
            GroupRefusal::TopologyChanged | GroupRefusal::NoSuchTask | GroupRefusal::TaskToldTwice => {
                Self::InvalidRequest
            }
            GroupRefusal::UnsupportedVersion => Self::UnsupportedVersion,
            GroupRefusal::GroupMaxSizeReached
            | GroupRefusal::ConsumerGroupMaxSizeReached
            | GroupRefusal::StreamsGroupMaxSizeReached => Self::GroupMaxSizeReached,
            GroupRefusal::GroupIdNotFound => Self::GroupIdNotFound,
            GroupRefusal::NonEmptyGroup => Self::NonEmptyGroup,
            GroupRefusal::GroupSubscribedToTopic => Self::GroupSubscribedToTopic,
            GroupRefusal::OffsetMetadataTooLarge => Self::OffsetMetadataTooLarge,
            GroupRefusal::UnstableOffset => Self::UnstableOffsetCommit,
            GroupRefusal::UnknownPartition => Self::UnknownTopicOrPartition,
        }
    }
}
