//! BrokerHeartbeat, API key 63.

use protocol_derive::Message;

use crate::id::Uuid;
use crate::wire::Array;

/// Keeps a broker registered and says what it wants to be (KIP-631).
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(request = 63, versions = "0-2", flexible = "0+", listeners(controller))]
pub struct BrokerHeartbeatRequest<'a> {
    pub broker_id: i32,
    #[kafka(default = -1)]
    pub broker_epoch: i64,
    pub current_metadata_offset: i64,
    pub want_fence: bool,
    pub want_shut_down: bool,
    #[kafka(versions = "1+", tag = 0, tagged = "1+")]
    pub offline_log_dirs: Array<'a, Uuid>,
    #[kafka(versions = "2+", nullable = "2+", tag = 1, tagged = "2+", default = null)]
    pub cordoned_log_dirs: Option<Array<'a, Uuid>>,
}

/// Answers [`BrokerHeartbeatRequest`].
#[derive(Clone, Debug, PartialEq, Message)]
#[kafka(response = 63, versions = "0-2", flexible = "0+")]
pub struct BrokerHeartbeatResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub is_caught_up: bool,
    #[kafka(default = true)]
    pub is_fenced: bool,
    pub should_shut_down: bool,
}
