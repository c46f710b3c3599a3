//! StreamsGroupTopologyDescriptionUpdate, 0: a member hands in the description of its topology, for a plugin to keep
//! (KIP-1331).
//!
//! Plugins are Java classes, so that there is none: who hands one in hears what a Kafka without a plugin says. No member
//! is ever asked for one.

use protocol::ErrorCode;
use protocol::messages::streams_group_topology_description_update::{
    StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse,
};

use super::Call;

/// Handles one request.
pub async fn handle(
    _: &Call,
    _: StreamsGroupTopologyDescriptionUpdateRequest<'_>,
) -> StreamsGroupTopologyDescriptionUpdateResponse<'static> {
    StreamsGroupTopologyDescriptionUpdateResponse {
        error_code: ErrorCode::UnsupportedVersion.into(),
        error_message: Some("this broker keeps no descriptions of topologies: clients need not send them, and the group works without".into()),
        ..StreamsGroupTopologyDescriptionUpdateResponse::default()
    }
}
