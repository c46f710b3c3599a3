//! Alterations of configurations, as AlterConfigs and IncrementalAlterConfigs share them: what of a request cannot
//! go to the controller and why, and the answers in the request's order.
//!
//! Kafka's order of looking: a resource that stands twice, a key that stands twice, a value that is null, the kind
//! of resource, its name; values are judged by the controller.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use metadata::image::{ConfigResource, ResourceType};
use metadata::{Decision, Image};
use protocol::ErrorCode;
use protocol::id::NodeId;

use super::Call;
use super::ask::{Refused, ask};
use crate::config::ControllerCheck;

/// One resource of a request.
pub struct Alteration<'a, C> {
    /// Kafka's number of its kind.
    pub kind: i8,
    /// Its name.
    pub name: Cow<'a, str>,
    /// The keys to change, with what to do.
    pub changes: Vec<(Cow<'a, str>, C)>,
}

/// What became of one resource.
pub struct Altered<'a> {
    /// Kafka's number of its kind.
    pub kind: i8,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Whether it was changed.
    pub outcome: Result<(), Refused>,
}

/// The resources that stand more than once.
pub fn doubled<C>(alterations: &[Alteration<'_, C>]) -> BTreeSet<(i8, String)> {
    let mut times: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    for alteration in alterations {
        *times.entry((alteration.kind, &alteration.name)).or_default() += 1;
    }
    let doubled = times.into_iter().filter(|(_, times)| *times > 1);
    doubled.map(|((kind, name), _)| (kind, name.to_owned())).collect()
}

/// Whether each key stands once and has a value where it needs one.
pub fn check_keys<C>(changes: &[(Cow<'_, str>, C)], lacks_value: impl Fn(&C) -> bool) -> Result<(), Refused> {
    let mut keys = BTreeSet::new();
    if let Some((twice, _)) = changes.iter().find(|(key, _)| !keys.insert(key)) {
        return Err(Refused::request(format!("{twice} stands more than once: change each key once")));
    }
    match changes.iter().find(|(_, change)| lacks_value(change)) {
        Some((key, _)) => Err(Refused::request(format!(
            "{key} has no value: give one, or delete the key to have its default"
        ))),
        None => Ok(()),
    }
}

/// The resource whose settings the controller keeps. A broker takes changes for itself and for all brokers.
pub fn resource(here: NodeId, kind: i8, name: &str) -> Result<ConfigResource, Refused> {
    let kind = ResourceType(kind);
    match kind {
        ResourceType::BROKER if name.is_empty() => Ok(ConfigResource::broker("")),
        ResourceType::BROKER => {
            check_here(here, name)?;
            Ok(ConfigResource::broker(here.to_string()))
        }
        ResourceType::TOPIC | ResourceType::CLIENT_METRICS | ResourceType::GROUP => {
            Ok(ConfigResource { kind, name: name.to_owned() })
        }
        ResourceType(other) => Err(Refused::request(format!(
            "resources of kind {other} cannot be altered so: it must be 2 (topic), 4 (broker), 16 (client metrics) or 32 (group)"
        ))),
    }
}

/// Whether `name` is the id of this broker.
pub fn check_here(here: NodeId, name: &str) -> Result<(), Refused> {
    match name.parse::<i32>() {
        Ok(id) if id == here.0 => Ok(()),
        Ok(id) => Err(Refused::request(format!("this is broker {here}: ask broker {id} itself"))),
        Err(_) => {
            Err(Refused::request(format!("a broker is named by its id, such as {here}, not by '{name}'")))
        }
    }
}

/// The refusal of a resource that stands more than once.
pub fn twice() -> Refused {
    Refused::request("the resource stands more than once in the request: put all its changes together")
}

/// Has the controller decide about the alterations that are sound, and puts all outcomes in their order.
///
/// `changes` says for each alteration what to ask of the controller, or why not to; `decide` asks it for all.
pub async fn alter<'a, C: Send, T: Send + 'static>(
    call: &Call,
    alterations: Vec<Alteration<'a, C>>,
    mut changes: impl FnMut(&ConfigResource, &[(Cow<'a, str>, C)]) -> Result<T, Refused>,
    decide: impl FnOnce(&Image, Vec<T>, &ControllerCheck<'_>) -> Decided + Send + 'static,
) -> Vec<Altered<'a>> {
    let config = call.broker.config();
    let doubled = doubled(&alterations);
    let mut asked = Vec::new();
    let mut altered: Vec<Altered<'a>> = Vec::with_capacity(alterations.len());
    let mut waiting = Vec::new();
    for alteration in alterations {
        let twice = !doubled.is_empty() && doubled.contains(&(alteration.kind, alteration.name.to_string()));
        let sound = if twice { Err(self::twice()) } else { Ok(()) };
        let sound = sound.and_then(|()| {
            let resource = resource(config.node_id, alteration.kind, &alteration.name);
            // The keys are looked at even where the resource makes no sense, and first.
            let placeholder = ConfigResource { kind: ResourceType(alteration.kind), name: String::new() };
            let change = changes(resource.as_ref().unwrap_or(&placeholder), &alteration.changes)?;
            resource.map(|_| change)
        });
        let outcome = sound.map(|change| {
            waiting.push(altered.len());
            asked.push(change);
        });
        altered.push(Altered { kind: alteration.kind, name: alteration.name, outcome });
    }
    if asked.is_empty() {
        return altered;
    }
    let timeout_ms = i32::try_from(config.requests.timeout.as_millis()).unwrap_or(i32::MAX);
    let outcomes = ask(call, timeout_ms, move |image, _| {
        decide(image, asked, &ControllerCheck { config: &config, image })
    });
    match outcomes.await {
        Ok(outcomes) => {
            for (place, (_, outcome)) in waiting.into_iter().zip(outcomes) {
                altered[place].outcome = outcome.map_err(Refused::from);
            }
        }
        Err(refused) => waiting.into_iter().for_each(|place| altered[place].outcome = Err(refused.clone())),
    }
    altered
}

/// What the controller decides about configurations.
pub type Decided = Result<Decision<metadata::controller::configs::AlteredConfigs>, metadata::Refusal>;

/// Kafka's code for an operation it has no name for.
pub fn unknown_operation(kind: i8, operation: i8) -> Refused {
    // Kafka's controller trips over it, where its broker looks first and says what is wrong.
    let code = match ResourceType(kind) {
        ResourceType::BROKER | ResourceType::BROKER_LOGGER => ErrorCode::InvalidRequest,
        _ => ErrorCode::UnknownServerError,
    };
    let message =
        format!("{operation} is no operation: it must be 0 (set), 1 (delete), 2 (append) or 3 (subtract)");
    Refused::new(code, message)
}
