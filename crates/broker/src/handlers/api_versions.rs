//! ApiVersions, 0 to 5: which versions of which APIs are served, and the features of the cluster.
//!
//! 1 adds the throttle time, 3 the client's name and version and the features (KIP-511, KIP-584), 5 the cluster
//! and node the client believes it talks to (KIP-1242).

use std::sync::Arc;

use metadata::controller::features;
use protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::messages::schema::Listener;
use protocol::{ApiKey, ErrorCode};

use super::{Asked, advertised};
use crate::Broker;
use crate::net::{Close, Outbound, Peer, Step};

/// The feature of the quorum's own protocol.
const KRAFT_VERSION: &str = "kraft.version";

/// Serves one request.
pub fn serve(
    broker: &Arc<Broker>,
    peer: &Arc<Peer>,
    asked: Asked,
    body: &mut [u8],
    out: &mut Outbound,
) -> Step {
    let answered = asked
        .decode::<ApiVersionsRequest<'_>>(body)
        .and_then(|request| asked.answer(&answer(broker, peer, &asked, &request), out));
    asked.step(answered, broker)
}

/// The answer to a version that is not served: version 0, with the range that is (KIP-511).
pub fn unsupported_version(asked: &Asked, out: &mut Outbound) -> Result<(), Close> {
    let api_keys: Vec<_> = advertised(Listener::Broker, false)
        .filter(|(api, ..)| *api == ApiKey::ApiVersions)
        .map(listed)
        .collect();
    let error_code = ErrorCode::UnsupportedVersion.into();
    let response =
        ApiVersionsResponse { error_code, api_keys: api_keys.into(), ..ApiVersionsResponse::default() };
    asked.answer_in(&response, 0, out)
}

fn listed((api, min_version, max_version): (ApiKey, i16, i16)) -> ApiVersion {
    ApiVersion { api_key: api as i16, min_version, max_version }
}

fn answer(
    broker: &Broker,
    peer: &Peer,
    asked: &Asked,
    request: &ApiVersionsRequest<'_>,
) -> ApiVersionsResponse<'static> {
    if let Some(refusal) = refusal(broker, asked, request) {
        return ApiVersionsResponse { error_code: refusal.into(), ..ApiVersionsResponse::default() };
    }
    let image = broker.image();
    let supported = features::supported().into_iter().filter_map(|(name, range)| {
        // Before version 4 a range cannot begin at 0; Kafka leaves such features out there (KIP-1022).
        let shown = asked.version >= 4 || range.min > 0;
        let (min_version, max_version) = (range.min, range.max);
        shown.then(|| SupportedFeatureKey { name: name.into(), min_version, max_version })
    });
    let key = |name: &str, level: i16| FinalizedFeatureKey {
        name: name.to_owned().into(),
        max_version_level: level,
        min_version_level: level,
    };
    // The version of the quorum's protocol is said by its log, not by the image; 0 is none.
    let kraft = Some(broker.quorum.kraft_version()).filter(|level| *level > 0);
    let kraft = kraft.map(|level| key(KRAFT_VERSION, level));
    let finalized = image.features.iter().map(|(name, level)| key(name, *level)).chain(kraft);
    ApiVersionsResponse {
        api_keys: advertised(broker.port_of(&peer.listener), broker.unstable_apis()).map(listed).collect(),
        supported_features: supported.collect(),
        finalized_features_epoch: image.end().last().map_or(-1, |last| last.0),
        finalized_features: finalized.collect(),
        ..ApiVersionsResponse::default()
    }
}

fn refusal(broker: &Broker, asked: &Asked, request: &ApiVersionsRequest<'_>) -> Option<ErrorCode> {
    let named = asked.version < 3
        || (software_token(&request.client_software_name)
            && software_token(&request.client_software_version));
    if !named {
        return Some(ErrorCode::InvalidRequest);
    }
    // Both are checked together or not at all: one without the other is no belief about a node.
    match (&request.cluster_id, request.node_id) {
        (None, -1) => None,
        (Some(_), -1) | (None, _) => Some(ErrorCode::InvalidRequest),
        (Some(cluster_id), node_id) => {
            let here = *cluster_id == *broker.cluster_id && node_id == broker.node_id.0;
            (!here).then_some(ErrorCode::RebootstrapRequired)
        }
    }
}

/// Whether a client may call itself this: letters, digits, dots and dashes, the latter two not at the ends.
fn software_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names() {
        for good in ["a", "librdkafka", "2.3.0", "apache-kafka-java", "a.-b"] {
            assert!(software_token(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "é", "a/b"] {
            assert!(!software_token(bad), "{bad}");
        }
    }
}
