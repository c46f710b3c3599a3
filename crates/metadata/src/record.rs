//! The records of `__cluster_metadata`, and the frame each stands in: the frame's version, the record's type and
//! the record's version as unsigned varints, then the record.
//!
//! Driven by the image (replay), the controller (decide) and the metadata log (bytes).

use protocol::messages::Message;
use protocol::messages::record::{
    abort_transaction_record::AbortTransactionRecord, access_control_entry_record::AccessControlEntryRecord,
    begin_transaction_record::BeginTransactionRecord,
    broker_registration_change_record::BrokerRegistrationChangeRecord, clear_elr_record::ClearElrRecord,
    client_quota_record::ClientQuotaRecord, config_record::ConfigRecord,
    delegation_token_record::DelegationTokenRecord, end_transaction_record::EndTransactionRecord,
    feature_level_record::FeatureLevelRecord, fence_broker_record::FenceBrokerRecord,
    no_op_record::NoOpRecord, partition_change_record::PartitionChangeRecord,
    partition_record::PartitionRecord, producer_ids_record::ProducerIdsRecord,
    register_broker_record::RegisterBrokerRecord, register_controller_record::RegisterControllerRecord,
    remove_access_control_entry_record::RemoveAccessControlEntryRecord,
    remove_delegation_token_record::RemoveDelegationTokenRecord, remove_topic_record::RemoveTopicRecord,
    remove_user_scram_credential_record::RemoveUserScramCredentialRecord, topic_record::TopicRecord,
    unfence_broker_record::UnfenceBrokerRecord, unregister_broker_record::UnregisterBrokerRecord,
    unregister_controller_record::UnregisterControllerRecord,
    user_scram_credential_record::UserScramCredentialRecord,
    zk_migration_state_record::ZkMigrationStateRecord,
};
use protocol::wire::{DecodeError, EncodeError, Malformed, Value, varint};

/// The only version of the frame.
const FRAME_VERSION: u32 = 1;

macro_rules! records {
    ($($(#[$doc:meta])* $variant:ident($message:ident $(<$life:lifetime>)?) = $key:literal,)*) => {
        /// One record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord<'a> {
            $($(#[$doc])* $variant($message $(<$life>)?),)*
        }

        impl<'a> MetadataRecord<'a> {
            /// The number of the record's type.
            pub fn api_key(&self) -> u32 {
                match self {
                    $(Self::$variant(_) => $key,)*
                }
            }

            /// The record with everything it borrowed copied.
            pub fn into_owned(self) -> MetadataRecord<'static> {
                match self {
                    $(Self::$variant(record) => MetadataRecord::$variant(Value::into_owned(record)),)*
                }
            }

            fn encode_body(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(record) => record.encode(version, out),)*
                }
            }

            fn decode_body(key: u32, version: i16, body: &'a [u8]) -> Result<Self, RecordError> {
                match key {
                    $($key => Ok(Self::$variant($message::decode(body, version)?)),)*
                    key => Err(RecordError::UnknownType(key)),
                }
            }
        }

        $(impl<'a> From<$message $(<$life>)?> for MetadataRecord<'a> {
            fn from(record: $message $(<$life>)?) -> Self {
                Self::$variant(record)
            }
        })*
    };
}

records! {
    /// A broker registered, fenced until it has caught up.
    RegisterBroker(RegisterBrokerRecord<'a>) = 0,
    /// A broker is no longer part of the cluster.
    UnregisterBroker(UnregisterBrokerRecord) = 1,
    /// A topic came.
    Topic(TopicRecord<'a>) = 2,
    /// A partition came, with its whole state.
    Partition(PartitionRecord<'a>) = 3,
    /// A configuration value was set, or removed where null.
    Config(ConfigRecord<'a>) = 4,
    /// Parts of a partition's state changed.
    PartitionChange(PartitionChangeRecord<'a>) = 5,
    /// A broker was fenced, as older controllers wrote it.
    FenceBroker(FenceBrokerRecord) = 7,
    /// A broker was unfenced, as older controllers wrote it.
    UnfenceBroker(UnfenceBrokerRecord) = 8,
    /// A topic with all its partitions and configs went.
    RemoveTopic(RemoveTopicRecord) = 9,
    /// A delegation token came or was renewed.
    DelegationToken(DelegationTokenRecord<'a>) = 10,
    /// A SCRAM credential came or changed.
    UserScramCredential(UserScramCredentialRecord<'a>) = 11,
    /// A feature was finalised at a level.
    FeatureLevel(FeatureLevelRecord<'a>) = 12,
    /// A client quota was set or removed.
    ClientQuota(ClientQuotaRecord<'a>) = 14,
    /// Producer ids up to a number were given out.
    ProducerIds(ProducerIdsRecord) = 15,
    /// A broker's fencing, shutdown or directories changed.
    BrokerRegistrationChange(BrokerRegistrationChangeRecord<'a>) = 17,
    /// An ACL came.
    AccessControlEntry(AccessControlEntryRecord<'a>) = 18,
    /// An ACL went.
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) = 19,
    /// Nothing happened; the log moved on.
    NoOp(NoOpRecord) = 20,
    /// How far a migration from ZooKeeper came; always "none" for us.
    ZkMigrationState(ZkMigrationStateRecord) = 21,
    /// A SCRAM credential went.
    RemoveUserScramCredential(RemoveUserScramCredentialRecord<'a>) = 22,
    /// Records from here on count only once the transaction ends.
    BeginTransaction(BeginTransactionRecord<'a>) = 23,
    /// The records since the begin count.
    EndTransaction(EndTransactionRecord) = 24,
    /// The records since the begin never happened.
    AbortTransaction(AbortTransactionRecord<'a>) = 25,
    /// A delegation token went.
    RemoveDelegationToken(RemoveDelegationTokenRecord<'a>) = 26,
    /// A controller registered.
    RegisterController(RegisterControllerRecord<'a>) = 27,
    /// The eligible leader replicas of a topic, or of all where the name is empty, are none.
    ClearElr(ClearElrRecord<'a>) = 28,
    /// A controller is no longer part of the cluster.
    UnregisterController(UnregisterControllerRecord) = 29,
}

/// Bytes that are no metadata record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The frame around the record is broken.
    #[error("the frame of a metadata record cannot be read: {0}")]
    Frame(Malformed),
    /// A frame of a version that does not exist yet.
    #[error("a metadata record has frame version {0}, known is 1: it was written by a newer release")]
    UnknownFrameVersion(u32),
    /// A record of a type that does not exist yet.
    #[error("metadata record type {0} is not known: it was written by a newer release")]
    UnknownType(u32),
    /// The record itself is broken.
    #[error(transparent)]
    Body(#[from] DecodeError),
}

impl<'a> MetadataRecord<'a> {
    /// Reads a record's value as it stands in the log.
    pub fn decode(mut bytes: &'a [u8]) -> Result<Self, RecordError> {
        let frame = varint::take(&mut bytes).map_err(RecordError::Frame)?;
        if frame != FRAME_VERSION {
            return Err(RecordError::UnknownFrameVersion(frame));
        }
        let key = varint::take(&mut bytes).map_err(RecordError::Frame)?;
        let version = varint::take(&mut bytes).map_err(RecordError::Frame)?;
        let version = i16::try_from(version).map_err(|_| RecordError::Frame(Malformed::VarintTooLong))?;
        Self::decode_body(key, version, bytes)
    }

    /// Appends the record's value as it stands in the log, in the version that this `metadata.version` calls for.
    pub fn encode(&self, metadata_version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let version = self.version_at(metadata_version);
        varint::put(FRAME_VERSION, out);
        varint::put(self.api_key(), out);
        varint::put(u32::from(version.unsigned_abs()), out);
        self.encode_body(version, out)
    }

    /// The version that Kafka's controller writes a record in at a `metadata.version`. A registration change is
    /// written in the lowest version that has the fields it changes, whatever the level.
    pub fn version_at(&self, metadata_version: i16) -> i16 {
        match self {
            Self::RegisterBroker(_) => match metadata_version {
                30.. => 4,
                17.. => 3,
                8.. => 2,
                _ => 1,
            },
            Self::Partition(_) | Self::PartitionChange(_) => match metadata_version {
                23.. => 2,
                17.. => 1,
                _ => 0,
            },
            Self::BrokerRegistrationChange(record) => {
                if record.cordoned_log_dirs.is_some() {
                    3
                } else if !record.log_dirs.is_empty() {
                    2
                } else {
                    i16::from(record.in_controlled_shutdown != 0)
                }
            }
            _ => 0,
        }
    }
}
