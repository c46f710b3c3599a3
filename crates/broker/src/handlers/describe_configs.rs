//! DescribeConfigs, 1 to 4: the configuration of topics, brokers, loggers, groups and client metrics subscriptions.
//!
//! 1 names the source of each value and its synonyms (KIP-226), 3 types and documentation (KIP-569). Names that were
//! asked for and do not exist are left out of the answer, and an empty list of names means all, both as in Kafka.
//!
//! A few bytes of request can ask for hundreds of entries, any number of times. Entries go into the answer as bytes
//! one resource after the other, and no more resources are described once there are as many bytes as a request may have
//! (`socket.request.max.bytes`): the others are told to be asked for again.

use std::borrow::Cow;

use metadata::Image;
use metadata::controller::topics::name_fault;
use metadata::image::{ConfigResource, ResourceType};
use protocol::ErrorCode;
use protocol::messages::Message;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use protocol::messages::header::{ResponseHeader, response_header_version};
use protocol::wire::{Unwritable, Value, Writer};

use super::Call;
use super::ask::Refused;
use crate::config::describe::{self, Entry};
use crate::config::{NodeConfig, Texts};
use crate::logging;
use crate::net::{Close, Outbound};

/// The first version with tagged fields.
const FLEXIBLE_SINCE: i16 = 4;
/// What is said of resources that there was no room for; short, as there may be many.
const TOO_MUCH: &str = "the answer is full: ask again for this one";
/// After so many resources other connections get their turn.
const RESOURCES_AT_ONCE: usize = 16;
/// The first version that tells where a value comes from.
const TELLS_SOURCES: i16 = 1;

/// Answers one request.
///
/// # Errors
/// Why the connection must close: the answer has no bytes in this version.
pub async fn answer(call: &Call, request: &DescribeConfigsRequest<'_>) -> Result<Outbound, Close> {
    let config = call.broker.config();
    let image = call.broker.quorum.image();
    let version = call.asked.version;
    let about = About { config: &config, image: &image, request, version };
    let bytes_max = config.network.request_bytes_max;
    let mut out = Outbound::default();
    let begun = out.begin();
    let refused = |error: &dyn std::fmt::Display| Close::Answer {
        api: call.asked.api.name(),
        version,
        reason: error.to_string(),
    };
    let header = ResponseHeader { correlation_id: call.asked.correlation_id };
    header
        .encode(response_header_version(call.asked.api, version), out.bytes())
        .map_err(|error| refused(&error))?;
    about.begin(out.bytes()).map_err(|error| refused(&error))?;
    for (place, resource) in request.resources.iter().enumerate() {
        if place % RESOURCES_AT_ONCE == RESOURCES_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        let full = out.bytes().len() > bytes_max;
        let entries = if full { Err(Refused::request(TOO_MUCH)) } else { about.entries(&resource) };
        about.put(resource, entries, out.bytes()).map_err(|error| refused(&error))?;
    }
    about.end(out.bytes());
    out.end(begun);
    call.broker.metrics.requests.note(call.asked.api as i16, call.asked.at.elapsed());
    Ok(out)
}

/// What the entries of a resource depend on.
struct About<'r> {
    config: &'r NodeConfig,
    image: &'r Image,
    request: &'r DescribeConfigsRequest<'r>,
    version: i16,
}

impl About<'_> {
    fn entries(&self, resource: &DescribeConfigsResource<'_>) -> Result<Vec<Entry>, Refused> {
        let kind = ResourceType(resource.resource_type);
        let name = &*resource.resource_name;
        let settings = &self.config.settings;
        let mut entries = match kind {
            ResourceType::TOPIC => {
                if let Some(fault) = name_fault(name) {
                    let message = format!("topic name '{name}' is not allowed: {fault}");
                    return Err(Refused::new(ErrorCode::InvalidTopicException, message));
                }
                if self.image.topics.by_name(name).is_none() {
                    let message = "there is no such topic on this cluster";
                    return Err(Refused::new(ErrorCode::UnknownTopicOrPartition, message));
                }
                describe::topic(settings, &self.own(kind, name))
            }
            ResourceType::BROKER if name.is_empty() => describe::cluster(settings),
            ResourceType::BROKER => {
                self.check_here(name)?;
                describe::broker(settings)
            }
            ResourceType::BROKER_LOGGER => {
                self.check_here(name)?;
                logging::levels().into_iter().map(|(name, level)| describe::logger(&name, &level)).collect()
            }
            ResourceType::GROUP if name.is_empty() => {
                return Err(Refused::request("a group resource needs the group's id as its name"));
            }
            ResourceType::GROUP => describe::group(settings, &self.own(kind, name)),
            ResourceType::CLIENT_METRICS if name.is_empty() => {
                return Err(Refused::request("a client metrics resource needs the subscription's name"));
            }
            ResourceType::CLIENT_METRICS => describe::client_metrics(&self.own(kind, name)),
            ResourceType(other) => {
                return Err(Refused::request(format!(
                    "{other} is no kind of resource: it must be 2 (topic), 4 (broker), 8 (broker logger), 16 (client metrics) or 32 (group)"
                )));
            }
        };
        if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
            let wanted: std::collections::BTreeSet<Cow<'_, str>> = keys.iter().collect();
            entries.retain(|entry| wanted.contains(&*entry.name));
        }
        Ok(entries)
    }

    /// What was set on the resource itself.
    fn own(&self, kind: ResourceType, name: &str) -> Texts {
        let resource = ConfigResource { kind, name: name.to_owned() };
        self.image.configs.of(&resource).map(|own| (**own).clone()).unwrap_or_default()
    }

    /// A broker tells only what it runs with itself.
    fn check_here(&self, name: &str) -> Result<(), Refused> {
        let here = self.config.node_id;
        match name.parse::<i32>() {
            Ok(id) if id == here.0 => Ok(()),
            Ok(id) => Err(Refused::request(format!("this is broker {here}: ask broker {id} itself"))),
            Err(_) => {
                Err(Refused::request(format!("a broker is named by its id, such as {here}, not by '{name}'")))
            }
        }
    }

    fn writer<'o>(&self, bytes: &'o mut Vec<u8>) -> Writer<'o> {
        Writer::new(bytes, self.version, self.version >= FLEXIBLE_SINCE)
    }

    /// Appends what stands before the results: the throttle time and their number.
    fn begin(&self, bytes: &mut Vec<u8>) -> Result<(), Unwritable> {
        let mut writer = self.writer(bytes);
        0_i32.write(&mut writer)?;
        writer.length(Some(self.request.resources.len()))
    }

    /// Appends what stands after the results: no tagged fields.
    fn end(&self, bytes: &mut Vec<u8>) {
        let mut writer = self.writer(bytes);
        if writer.flexible() {
            writer.unsigned_varint(0);
        }
    }

    /// Appends the result of one resource.
    fn put(
        &self,
        resource: DescribeConfigsResource<'_>,
        entries: Result<Vec<Entry>, Refused>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        let (error_code, message, entries) = match entries {
            // Kafka says of a result without an error that its message is empty.
            Ok(entries) => (ErrorCode::None, "".into(), entries),
            Err(refused) => (refused.code, refused.message, Vec::new()),
        };
        let result = DescribeConfigsResult {
            error_code: error_code.into(),
            error_message: Some(message),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            configs: entries.into_iter().map(|entry| self.shown(entry)).collect(),
        };
        result.write(&mut self.writer(bytes))
    }

    fn shown(&self, entry: Entry) -> DescribeConfigsResourceResult<'static> {
        let synonyms = if self.request.include_synonyms { entry.synonyms } else { Vec::new() };
        let synonyms = synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
            name: synonym.name.into(),
            value: synonym.value.map(Into::into),
            source: synonym.source as i8,
        });
        // A logger's entry has no documentation to leave out.
        let documentation = match entry.documentation {
            Some(text) => self.request.include_documentation.then(|| text.into()),
            None => Some("".into()),
        };
        let source = entry.source as i8;
        DescribeConfigsResourceResult {
            name: entry.name.into(),
            value: entry.value.map(Into::into),
            read_only: entry.read_only,
            config_source: if self.version < TELLS_SOURCES { -1 } else { source },
            is_sensitive: entry.sensitive,
            synonyms: synonyms.collect(),
            config_type: entry.kind,
            documentation,
            ..DescribeConfigsResourceResult::default()
        }
    }
}
