//! UpdateFeatures, 0 to 2: changes the finalised levels of features, all of them or none (KIP-584).
//!
//! 1 tells safe from unsafe downgrades and can validate only (KIP-778); 2 drops the results by feature, which only
//! ever repeated the outcome of the whole (KIP-1022).

use metadata::Decision;
use metadata::controller::features::{FeatureUpdate, UpgradeType, decide_update_features};
use protocol::ErrorCode;
use protocol::messages::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use super::Call;
use super::ask::{Refused, ask};

/// What Kafka's results say instead of null.
const NO_ERROR: &str = "NONE";

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: UpdateFeaturesRequest<'a>) -> UpdateFeaturesResponse<'a> {
    match update(call, &request).await {
        Ok(()) => {
            let results = request.feature_updates.iter().map(|update| UpdatableFeatureResult {
                feature: update.feature,
                error_code: ErrorCode::None.into(),
                error_message: Some(NO_ERROR.into()),
            });
            UpdateFeaturesResponse {
                error_message: None,
                results: results.collect(),
                ..UpdateFeaturesResponse::default()
            }
        }
        Err(refused) => UpdateFeaturesResponse {
            error_code: refused.code.into(),
            error_message: Some(refused.message),
            ..UpdateFeaturesResponse::default()
        },
    }
}

async fn update(call: &Call, request: &UpdateFeaturesRequest<'_>) -> Result<(), Refused> {
    let updates = request.feature_updates.iter().map(|update| asked(call.asked.version, &update));
    let updates = updates.collect::<Result<Vec<_>, _>>()?;
    let validate_only = request.validate_only;
    let kraft_version = call.broker.quorum.kraft_version();
    ask(call, request.timeout_ms, move |image, _| {
        let decision = decide_update_features(image, &updates, validate_only, kraft_version)?;
        // One feature that cannot be changed keeps all others as they are, and is what is answered.
        for (_, outcome) in decision.response {
            outcome?;
        }
        Ok(Decision { records: decision.records, response: (), wake_at: decision.wake_at })
    })
    .await
    .map_err(|refused| Refused {
        message: format!("no feature was changed: {}", refused.message).into(),
        ..refused
    })
}

fn asked(version: i16, update: &FeatureUpdateKey<'_>) -> Result<FeatureUpdate, Refused> {
    let upgrade = match (version, update.upgrade_type) {
        (0, _) if update.allow_downgrade => UpgradeType::SafeDowngrade,
        (0, _) | (_, 1) => UpgradeType::Upgrade,
        (_, 2) => UpgradeType::SafeDowngrade,
        (_, 3) => UpgradeType::UnsafeDowngrade,
        (_, other) => {
            let message = format!(
                "no feature was changed: {other} is no upgrade type for {}: it must be 1 (upgrade), 2 (safe downgrade) or 3 (unsafe downgrade)",
                update.feature
            );
            return Err(Refused::new(ErrorCode::InvalidUpdateVersion, message));
        }
    };
    Ok(FeatureUpdate { feature: update.feature.to_string(), level: update.max_version_level, upgrade })
}
