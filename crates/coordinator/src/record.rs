//! The records of `__consumer_offsets`, framed as Kafka frames them (and those of `__transaction_state` alike): the key
//! begins with the record's type, the value with its version, both as two bytes; a key alone is a tombstone.

use std::borrow::Cow;
use std::sync::Arc;

use protocol::messages::Message;
use protocol::messages::record as messages;
use protocol::wire::{DecodeError, EncodeError};

/// Why bytes are no record of a coordinator, or a record has no bytes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// The key or value ends before its type or version does.
    #[error("the {part} of a coordinator record has {length} bytes: it begins with two bytes of {what}")]
    Frame {
        /// Key or value.
        part: &'static str,
        /// How long it is.
        length: usize,
        /// What they say.
        what: &'static str,
    },
    /// A transactional id is at something that is no state.
    #[error("a transaction record has the state {status}: there are 0 to 7")]
    TransactionState {
        /// Its number.
        status: i8,
    },
    /// The record of a transactional id is of a version that is not known.
    #[error(
        "a transaction record has the version {version}: 0 and 1 are known; the log was written by a newer broker"
    )]
    TransactionVersion {
        /// Its version.
        version: i16,
    },
    /// The bytes are not the message they say they are.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A field does not fit.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// The two bytes in front, and the rest.
pub(crate) fn framed<'a>(
    bytes: &'a [u8],
    part: &'static str,
    what: &'static str,
) -> Result<(i16, &'a [u8]), RecordError> {
    match bytes.split_first_chunk::<2>() {
        Some((front, rest)) => Ok((i16::from_be_bytes(*front), rest)),
        None => Err(RecordError::Frame { part, length: bytes.len(), what }),
    }
}

/// Text as a record has it.
pub(crate) fn text(word: &str) -> Cow<'static, str> {
    word.to_owned().into()
}

/// Text that may be absent.
pub(crate) fn maybe_text(word: Option<&Arc<str>>) -> Option<Cow<'static, str>> {
    word.map(|word| text(word))
}

macro_rules! records {
    ($(#[$outer:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $kind:literal ($key:ident $(<$kl:lifetime>)?, $value:ident $(<$vl:lifetime>)?) at $version:expr,)*
    }) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name<'a> {
            $($(#[$doc])* $variant(messages::$key $(<$kl>)?, Option<messages::$value $(<$vl>)?>),)*
        }

        impl<'a> $name<'a> {
            /// Reads a record; `None` for a type that is not known.
            ///
            /// # Errors
            /// Bytes that are no record.
            pub fn decode(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Option<Self>, RecordError> {
                let (kind, key) = framed(key, "key", "type")?;
                let value = value.map(|value| framed(value, "value", "version")).transpose()?;
                Ok(Some(match kind {
                    $($kind => {
                        let value = value.map(|(version, value)| messages::$value::decode_prefix(value, version));
                        Self::$variant(
                            messages::$key::decode_prefix(key, 0)?.0,
                            value.transpose()?.map(|(value, _)| value),
                        )
                    })*
                    _ => return Ok(None),
                }))
            }

            /// Appends the record's key, and its value unless it is a tombstone; says whether there is one.
            ///
            /// # Errors
            /// A field that does not fit.
            pub fn encode(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, RecordError> {
                match self {
                    $(Self::$variant(name, said) => {
                        let kind: i16 = $kind;
                        key.extend_from_slice(&kind.to_be_bytes());
                        name.encode(0, key)?;
                        let Some(said) = said else { return Ok(false) };
                        let version: i16 = ($version)(said);
                        value.extend_from_slice(&version.to_be_bytes());
                        said.encode(version, value)?;
                        Ok(true)
                    })*
                }
            }
        }
    };
}

records! {
    /// One record of `__consumer_offsets`.
    GroupRecord {
        /// A committed offset as brokers before 0.9 wrote it.
        LegacyOffsetCommit = 0 (LegacyOffsetCommitKey<'a>, LegacyOffsetCommitValue<'a>) at |_: &_| 0,
        /// A committed offset.
        OffsetCommit = 1 (OffsetCommitKey<'a>, OffsetCommitValue<'a>) at offset_commit_version,
        /// A classic group.
        GroupMetadata = 2 (GroupMetadataKey<'a>, GroupMetadataValue<'a>) at |_: &_| 3,
        /// The epoch of a consumer group.
        ConsumerGroupMetadata = 3 (ConsumerGroupMetadataKey<'a>, ConsumerGroupMetadataValue) at |_: &_| 0,
        /// What a consumer group knew of its topics, as brokers before 4.1 wrote it.
        ConsumerGroupPartitionMetadata = 4 (ConsumerGroupPartitionMetadataKey<'a>, ConsumerGroupPartitionMetadataValue<'a>) at |_: &_| 0,
        /// A member of a consumer group.
        ConsumerGroupMemberMetadata = 5 (ConsumerGroupMemberMetadataKey<'a>, ConsumerGroupMemberMetadataValue<'a>) at |_: &_| 0,
        /// The epoch of the assignment that a consumer group moves to.
        ConsumerGroupTargetAssignmentMetadata = 6 (ConsumerGroupTargetAssignmentMetadataKey<'a>, ConsumerGroupTargetAssignmentMetadataValue) at |_: &_| 0,
        /// What a member of a consumer group is to have.
        ConsumerGroupTargetAssignmentMember = 7 (ConsumerGroupTargetAssignmentMemberKey<'a>, ConsumerGroupTargetAssignmentMemberValue<'a>) at |_: &_| 0,
        /// What a member of a consumer group has.
        ConsumerGroupCurrentMemberAssignment = 8 (ConsumerGroupCurrentMemberAssignmentKey<'a>, ConsumerGroupCurrentMemberAssignmentValue<'a>) at |_: &_| 0,
        /// A member of a share group.
        ShareGroupMemberMetadata = 10 (ShareGroupMemberMetadataKey<'a>, ShareGroupMemberMetadataValue<'a>) at |_: &_| 0,
        /// The epoch of a share group.
        ShareGroupMetadata = 11 (ShareGroupMetadataKey<'a>, ShareGroupMetadataValue) at |_: &_| 0,
        /// The epoch of the assignment that a share group moves to.
        ShareGroupTargetAssignmentMetadata = 12 (ShareGroupTargetAssignmentMetadataKey<'a>, ShareGroupTargetAssignmentMetadataValue) at |_: &_| 0,
        /// What a member of a share group is to have.
        ShareGroupTargetAssignmentMember = 13 (ShareGroupTargetAssignmentMemberKey<'a>, ShareGroupTargetAssignmentMemberValue<'a>) at |_: &_| 0,
        /// What a member of a share group has.
        ShareGroupCurrentMemberAssignment = 14 (ShareGroupCurrentMemberAssignmentKey<'a>, ShareGroupCurrentMemberAssignmentValue<'a>) at |_: &_| 0,
        /// Which share partitions of a share group are set up.
        ShareGroupStatePartitionMetadata = 15 (ShareGroupStatePartitionMetadataKey<'a>, ShareGroupStatePartitionMetadataValue<'a>) at |_: &_| 0,
        /// What a regular expression of a consumer group resolves to.
        ConsumerGroupRegularExpression = 16 (ConsumerGroupRegularExpressionKey<'a>, ConsumerGroupRegularExpressionValue<'a>) at |_: &_| 0,
        /// The epoch of a streams group.
        StreamsGroupMetadata = 17 (StreamsGroupMetadataKey<'a>, StreamsGroupMetadataValue<'a>) at |_: &_| 0,
        /// A member of a streams group.
        StreamsGroupMemberMetadata = 19 (StreamsGroupMemberMetadataKey<'a>, StreamsGroupMemberMetadataValue<'a>) at |_: &_| 0,
        /// The epoch of the assignment that a streams group moves to.
        StreamsGroupTargetAssignmentMetadata = 20 (StreamsGroupTargetAssignmentMetadataKey<'a>, StreamsGroupTargetAssignmentMetadataValue) at |_: &_| 0,
        /// What a member of a streams group is to have.
        StreamsGroupTargetAssignmentMember = 21 (StreamsGroupTargetAssignmentMemberKey<'a>, StreamsGroupTargetAssignmentMemberValue<'a>) at |_: &_| 0,
        /// What a member of a streams group has.
        StreamsGroupCurrentMemberAssignment = 22 (StreamsGroupCurrentMemberAssignmentKey<'a>, StreamsGroupCurrentMemberAssignmentValue<'a>) at |_: &_| 0,
        /// The topology of a streams group.
        StreamsGroupTopology = 23 (StreamsGroupTopologyKey<'a>, StreamsGroupTopologyValue<'a>) at |_: &_| 0,
    }
}

/// The version Kafka writes a committed offset in: with a time of its own to expire it is version 1, the only one
/// that has the field.
fn offset_commit_version(value: &messages::OffsetCommitValue<'_>) -> i16 {
    if value.expire_timestamp == -1 { 4 } else { 1 }
}
