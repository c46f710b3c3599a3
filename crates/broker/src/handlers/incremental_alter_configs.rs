//! IncrementalAlterConfigs, 0 to 1: sets, deletes, appends to and subtracts from single keys (KIP-339).
//!
//! The versions differ in their form only. The levels of this broker's loggers are changed here too (KIP-412): they
//! are the process's, are not recorded and last until it ends.

use std::borrow::Cow;

use metadata::controller::configs::{ConfigChanges, ConfigOp, decide_incremental_alter_configs};
use metadata::image::ResourceType;
use protocol::ErrorCode;
use protocol::id::NodeId;
use protocol::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

use super::Call;
use super::alteration::{
    Alteration, Altered, alter, check_here, check_keys, doubled, twice, unknown_operation,
};
use super::ask::{Refused, wire};
use crate::logging;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// An operation and its value, as they came.
type Change<'a> = (i8, Option<Cow<'a, str>>);

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: IncrementalAlterConfigsRequest<'a>,
) -> IncrementalAlterConfigsResponse<'a> {
    let all: Vec<_> = request.resources.iter().map(alteration).collect();
    let doubled = doubled(&all);
    let is_logger = |alteration: &Alteration<'_, _>| alteration.kind == ResourceType::BROKER_LOGGER.0;
    let places: Vec<bool> = all.iter().map(is_logger).collect();
    let (loggers, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_logger);
    let here = call.broker.node_id;
    let validate_only = request.validate_only;
    let mut of_loggers = loggers
        .into_iter()
        .map(|loggers| {
            let stands_twice = doubled.contains(&(loggers.kind, loggers.name.to_string()));
            let outcome =
                if stands_twice { Err(twice()) } else { alter_loggers(here, &loggers, validate_only) };
            Altered { kind: loggers.kind, name: loggers.name, outcome }
        })
        .collect::<Vec<_>>()
        .into_iter();
    let altered = alter(
        call,
        others,
        |resource, changes| {
            check_keys(changes, lacks_value)?;
            let ops = changes
                .iter()
                .map(|(key, change)| Ok((key.to_string(), op(resource.kind.0, change)?)))
                .collect::<Result<_, Refused>>()?;
            Ok(ConfigChanges { resource: resource.clone(), ops })
        },
        move |image, changes, check| decide_incremental_alter_configs(image, changes, validate_only, check),
    );
    let mut of_others = altered.await.into_iter();
    let in_order = places
        .into_iter()
        .filter_map(|is_logger| if is_logger { of_loggers.next() } else { of_others.next() });
    let responses = in_order.map(|altered| {
        let (error_code, error_message) = wire(altered.outcome);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: altered.kind,
            resource_name: altered.name,
        }
    });
    IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..IncrementalAlterConfigsResponse::default()
    }
}

fn alteration(resource: AlterConfigsResource<'_>) -> Alteration<'_, Change<'_>> {
    let changes = resource.configs.iter();
    Alteration {
        kind: resource.resource_type,
        changes: changes.map(|config| (config.name, (config.config_operation, config.value))).collect(),
        name: resource.resource_name,
    }
}

fn lacks_value((operation, value): &Change<'_>) -> bool {
    *operation != DELETE && value.is_none()
}

fn op(kind: i8, (operation, value): &Change<'_>) -> Result<ConfigOp, Refused> {
    let value = || value.as_deref().unwrap_or_default().to_owned();
    match *operation {
        SET => Ok(ConfigOp::Set(value())),
        DELETE => Ok(ConfigOp::Delete),
        APPEND => Ok(ConfigOp::Append(value())),
        SUBTRACT => Ok(ConfigOp::Subtract(value())),
        other => Err(unknown_operation(kind, other)),
    }
}

/// Changes the levels of this process's loggers: all that are named, or none.
fn alter_loggers(
    here: NodeId,
    loggers: &Alteration<'_, Change<'_>>,
    validate_only: bool,
) -> Result<(), Refused> {
    check_keys(&loggers.changes, lacks_value)?;
    check_here(here, &loggers.name)?;
    let mut levels = Vec::new();
    for (logger, (operation, value)) in &loggers.changes {
        let level = match *operation {
            SET => Some(value.as_deref().unwrap_or_default()),
            DELETE => None,
            APPEND | SUBTRACT => {
                return Err(Refused::request("a logger has one level: it can be set or deleted"));
            }
            other => return Err(unknown_operation(loggers.kind, other)),
        };
        logging::check(logger, level).map_err(|fault| match fault {
            logging::LevelFault::RootNeedsLevel => Refused::request(fault.to_string()),
            _ => Refused::new(ErrorCode::InvalidConfig, fault.to_string()),
        })?;
        levels.push((logger.as_ref(), level));
    }
    if !validate_only {
        logging::set(&levels);
    }
    Ok(())
}
