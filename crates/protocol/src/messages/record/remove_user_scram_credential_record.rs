//! Record type 22 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A SCRAM credential went.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 22, versions = "0", flexible = "0+")]
pub struct RemoveUserScramCredentialRecord<'a> {
    pub name: Cow<'a, str>,
    pub mechanism: i8,
}
