//! Record type 23 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

/// A metadata transaction begins (KIP-868).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 23, versions = "0", flexible = "0+")]
pub struct BeginTransactionRecord<'a> {
    #[kafka(nullable = "0+", tag = 0, tagged = "0+", default = null)]
    pub name: Option<Cow<'a, str>>,
}
