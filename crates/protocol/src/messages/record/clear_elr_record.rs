//! Record type 28 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// Eligible leader replicas of a topic, or of all, were forgotten (KIP-966).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 28, versions = "0", flexible = "0+")]
pub struct ClearElrRecord<'a> {
    pub topic_name: Cow<'a, str>,
}
