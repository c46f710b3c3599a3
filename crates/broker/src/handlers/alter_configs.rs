//! AlterConfigs, 0 to 2: gives resources exactly the configuration that is sent; what is not sent falls back.
//!
//! The versions differ in their form only. IncrementalAlterConfigs supersedes it (KIP-339), since whoever reads,
//! changes and writes back a configuration undoes what others changed meanwhile.
//!
//! deviation: Apache Kafka 4.4.0 never answers a request that has a resource twice. It is refused here as
//! IncrementalAlterConfigs refuses it, so that the client does not hang.

use std::collections::BTreeMap;

use metadata::controller::configs::decide_alter_configs;
use protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use super::Call;
use super::alteration::{Alteration, alter, check_keys};
use super::ask::wire;

/// Handles one request.
pub async fn handle<'a>(call: &Call, request: AlterConfigsRequest<'a>) -> AlterConfigsResponse<'a> {
    let alterations = request.resources.iter().map(|resource| Alteration {
        kind: resource.resource_type,
        name: resource.resource_name,
        changes: resource.configs.iter().map(|config| (config.name, config.value)).collect(),
    });
    let validate_only = request.validate_only;
    let altered = alter(
        call,
        alterations.collect(),
        |resource, changes| {
            check_keys(changes, Option::is_none)?;
            let values = changes
                .iter()
                .map(|(key, value)| (key.to_string(), value.clone().unwrap_or_default().into_owned()));
            Ok((resource.clone(), values.collect::<BTreeMap<_, _>>()))
        },
        move |image, resources, check| decide_alter_configs(image, resources, validate_only, check),
    );
    let responses = altered.await.into_iter().map(|altered| {
        let (error_code, error_message) = wire(altered.outcome);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: altered.kind,
            resource_name: altered.name,
        }
    });
    AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() }
}
