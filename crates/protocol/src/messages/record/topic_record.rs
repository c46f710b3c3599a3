//! Record type 2 of `__cluster_metadata`.

use std::borrow::Cow;

use protocol_derive::Message;

use crate::id::Uuid;

/// A topic came.
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(metadata = 2, versions = "0", flexible = "0+")]
pub struct TopicRecord<'a> {
    pub name: Cow<'a, str>,
    pub topic_id: Uuid,
}
