//! Record type 26 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A delegation token went.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 26, versions = "0", flexible = "0+")]
pub struct RemoveDelegationTokenRecord<'a> {
    pub token_id: Cow<'a, str>,
}
