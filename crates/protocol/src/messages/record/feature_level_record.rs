//! Record type 12 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// The finalized level of a feature changed (KIP-584).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 12, versions = "0", flexible = "0+")]
pub struct FeatureLevelRecord<'a> {
    pub name: Cow<'a, str>,
    pub feature_level: i16,
}
