//! The records of `__transaction_state`, framed as those of groups are; a key alone is a tombstone.
//!
//! The version of a value follows the finalised `transaction.version`: 0 below 1, from then on 1, which has tagged
//! fields (KIP-890).

use protocol::messages::Message;
use protocol::messages::record::{TransactionLogKey, TransactionLogValue};

use super::state::TransactionState;
use crate::record::{RecordError, framed};

/// The type that keys begin with.
const KIND: i16 = 0;

/// One record: what a transactional id is like from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionRecord<'a> {
    /// Whose.
    pub key: TransactionLogKey<'a>,
    /// The version of the value.
    pub version: i16,
    /// What; `None` where the id is forgotten.
    pub value: Option<TransactionLogValue<'a>>,
}

impl<'a> TransactionRecord<'a> {
    /// Reads a record; `None` for a type that is not known.
    ///
    /// # Errors
    /// Bytes that are no record, or one of a version that is not known: what it says of its id must not be missed, and
    /// what is older not be taken for the newest.
    pub fn decode(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Option<Self>, RecordError> {
        let (kind, key) = framed(key, "key", "type")?;
        if kind != KIND {
            return Ok(None);
        }
        let key = TransactionLogKey::decode_prefix(key, 0)?.0;
        let Some(value) = value else { return Ok(Some(Self { key, version: 0, value: None })) };
        let (version, value) = framed(value, "value", "version")?;
        if !(0..=1).contains(&version) {
            return Err(RecordError::TransactionVersion { version });
        }
        let value = TransactionLogValue::decode_prefix(value, version)?.0;
        if TransactionState::from_id(value.transaction_status).is_none() {
            return Err(RecordError::TransactionState { status: value.transaction_status });
        }
        Ok(Some(Self { key, version, value: Some(value) }))
    }

    /// Appends the record's key, and its value unless it is a tombstone; says whether there is one.
    ///
    /// # Errors
    /// A field that does not fit.
    pub fn encode(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, RecordError> {
        key.extend_from_slice(&KIND.to_be_bytes());
        self.key.encode(0, key)?;
        let Some(said) = &self.value else { return Ok(false) };
        value.extend_from_slice(&self.version.to_be_bytes());
        said.encode(self.version, value)?;
        Ok(true)
    }
}
