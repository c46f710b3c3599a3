//! Feature levels: what this release supports and finalises, and changes to what is finalised (KIP-584).

use std::collections::BTreeMap;

use protocol::messages::record::feature_level_record::FeatureLevelRecord;

use super::{Decision, Refusal};
use crate::image::{FeatureRange, Image, METADATA_VERSION};
use crate::record::MetadataRecord;

/// A feature of this release.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Kafka's name of it.
    pub name: &'static str,
    /// The levels supported. A lowest of 0 means that it may be off.
    pub range: FeatureRange,
    /// The level that formatting a directory finalises.
    pub finalised: i16,
}

const fn feature(name: &'static str, min: i16, max: i16) -> Feature {
    Feature { name, range: FeatureRange { min, max }, finalised: max }
}

/// The features of Kafka 4.4.0. In the order in which `kafka-storage format` finalises them, so that a directory
/// we format has the same bytes. `kraft.version` is no record here: the voters' log says it.
pub const FEATURES: [Feature; 6] = [
    feature(METADATA_VERSION, 7, 33),
    feature("eligible.leader.replicas.version", 0, 1),
    feature("group.version", 0, 1),
    feature("share.version", 0, 2),
    feature("streams.version", 0, 1),
    feature("transaction.version", 0, 2),
];

/// The feature that says whether the log keeps the voters (KIP-853).
const KRAFT_VERSION_FEATURE: &str = "kraft.version";

/// The levels of `kraft.version` that are supported.
pub const KRAFT_VERSION: FeatureRange = FeatureRange { min: 0, max: 1 };

/// The names of the levels of `metadata.version`, the first being level 7.
const METADATA_VERSIONS: [&str; 27] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0", "4.4-IV1", "4.4-IV2",
];

/// Kafka's name of a `metadata.version`, `None` for a level that is not known.
pub fn metadata_version_name(level: i16) -> Option<&'static str> {
    let place = usize::try_from(level.checked_sub(7)?).ok()?;
    METADATA_VERSIONS.get(place).copied()
}

/// The levels this release supports, by feature, as a broker or controller registers them.
pub fn supported() -> BTreeMap<String, FeatureRange> {
    let mut features: BTreeMap<_, _> =
        FEATURES.iter().map(|feature| (feature.name.to_owned(), feature.range)).collect();
    features.insert(KRAFT_VERSION_FEATURE.to_owned(), KRAFT_VERSION);
    features
}

/// The records by which a fresh cluster finalises its features.
pub fn bootstrap_records() -> Vec<MetadataRecord<'static>> {
    FEATURES
        .iter()
        .map(|feature| {
            FeatureLevelRecord { name: feature.name.into(), feature_level: feature.finalised }.into()
        })
        .collect()
}

/// How far an update may go, by Kafka's `UpgradeType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpgradeType {
    /// Only up.
    Upgrade,
    /// Down where nothing is lost.
    SafeDowngrade,
    /// Down at any cost.
    UnsafeDowngrade,
}

/// One level to finalise; 0 takes the feature away.
#[derive(Clone, Debug)]
pub struct FeatureUpdate {
    /// The feature.
    pub feature: String,
    /// The level.
    pub level: i16,
    /// How far it may go.
    pub upgrade: UpgradeType,
}

/// The outcome for each feature, in the request's order.
pub type UpdatedFeatures = Vec<(String, Result<(), Refusal>)>;

/// Changes finalised levels: all of them, or none if one cannot be. `kraft_version` is the finalised level of the
/// feature that no image has: the voters' log says it, from formatting on.
pub fn decide_update_features(
    image: &Image,
    updates: &[FeatureUpdate],
    validate_only: bool,
    kraft_version: i16,
) -> Result<Decision<UpdatedFeatures>, Refusal> {
    let mut records = Vec::new();
    let mut response = Vec::new();
    let mut refused = false;
    for update in updates {
        if update.feature == KRAFT_VERSION_FEATURE {
            let result = check_kraft_version(update, kraft_version);
            refused |= result.is_err();
            response.push((update.feature.clone(), result));
            continue;
        }
        let result = check_update(image, update);
        refused |= result.is_err();
        if result.is_ok() && image.feature(&update.feature) != update.level {
            let record =
                FeatureLevelRecord { name: update.feature.clone().into(), feature_level: update.level };
            records.push(record.into());
        }
        response.push((update.feature.clone(), result));
    }
    if refused || validate_only {
        records.clear();
    }
    Ok(Decision::new(records, response))
}

/// Whether `kraft.version` has this level already: it cannot be changed yet.
fn check_kraft_version(update: &FeatureUpdate, present: i16) -> Result<(), Refusal> {
    let FeatureRange { min, max } = KRAFT_VERSION;
    let FeatureUpdate { level, .. } = update;
    if *level == present {
        return Ok(());
    }
    let reason = if *level < min || *level > max {
        format!("the controller supports versions {min}-{max}")
    } else {
        format!("it is {present} since the directories were formatted, and cannot be changed in place yet")
    };
    Err(Refusal::InvalidUpdateVersion(format!(
        "invalid update version {level} for feature {KRAFT_VERSION_FEATURE}: {reason}"
    )))
}

fn check_update(image: &Image, update: &FeatureUpdate) -> Result<(), Refusal> {
    let FeatureUpdate { feature: name, level, upgrade } = update;
    let refuse = |reason: String| {
        Err(Refusal::InvalidUpdateVersion(format!(
            "invalid update version {level} for feature {name}: {reason}"
        )))
    };
    let Some(known) = FEATURES.iter().find(|feature| feature.name == name) else {
        return refuse("this release does not know the feature".to_owned());
    };
    let FeatureRange { min, max } = known.range;
    if *level < min || *level > max {
        return refuse(format!("the controller supports versions {min}-{max}"));
    }
    for broker in image.cluster.brokers.values() {
        let range = broker.features.get(name.as_str()).copied().unwrap_or(FeatureRange { min: 0, max: 0 });
        if *level != 0 && (*level < range.min || *level > range.max) {
            let FeatureRange { min, max } = range;
            return refuse(format!("broker {} supports versions {min}-{max}", broker.id));
        }
    }
    let present = image.feature(name);
    if *level < present {
        if *upgrade == UpgradeType::Upgrade {
            return refuse(format!(
                "it is below {present}, the present one; going down has to be asked for as a safe or unsafe downgrade"
            ));
        }
        if name == METADATA_VERSION {
            // deviation: Kafka goes down where no record lost a field in between; we never wrote such records, and
            // an operator gains a clear answer over a guess.
            return refuse(format!("metadata.version cannot be lowered from {present}"));
        }
    }
    if *level > present && *upgrade != UpgradeType::Upgrade {
        return refuse(format!("it is above {present}, the present one, but a downgrade was asked for"));
    }
    check_dependencies(image, update)
}

/// What Kafka asks of other features before one is finalised.
fn check_dependencies(image: &Image, update: &FeatureUpdate) -> Result<(), Refusal> {
    let needs_metadata_23 = update.feature == "eligible.leader.replicas.version" && update.level >= 1;
    if needs_metadata_23 && image.metadata_version() < 23 {
        return Err(Refusal::InvalidUpdateVersion(format!(
            "{} {} needs metadata.version 23 or higher, it is {}",
            update.feature,
            update.level,
            image.metadata_version()
        )));
    }
    Ok(())
}
