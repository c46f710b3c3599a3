//! ACLs, SCRAM credentials and delegation tokens, kept as the records that brought them.

use std::sync::Arc;

use imbl::OrdMap;
use protocol::id::Uuid;
use protocol::messages::record::access_control_entry_record::AccessControlEntryRecord;
use protocol::messages::record::delegation_token_record::DelegationTokenRecord;
use protocol::messages::record::user_scram_credential_record::UserScramCredentialRecord;

/// What decides who may do what.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Security {
    /// ACLs by their ids.
    pub acls: OrdMap<Uuid, Arc<AccessControlEntryRecord<'static>>>,
    /// SCRAM credentials by user and Kafka's number of the mechanism.
    pub scram: OrdMap<(String, i8), Arc<UserScramCredentialRecord<'static>>>,
    /// Delegation tokens by their ids.
    pub tokens: OrdMap<String, Arc<DelegationTokenRecord<'static>>>,
}
