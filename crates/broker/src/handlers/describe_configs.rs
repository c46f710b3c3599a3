//! DescribeConfigs, 1 to 4: the configuration of topics, brokers, loggers, groups and client metrics subscriptions.
//!
//! 1 names the source of each value and its synonyms (KIP-226), 3 types and documentation (KIP-569). Names that were
//! asked for and do not exist are left out of the answer, and an empty list of names means all, both as in Kafka.
//!
//! A few bytes of request can ask for hundreds of entries, any number of times: the entries of a resource are made
//! when they are written, and no more than an answer can hold are: the resources for which there is no room are told
//! to be asked for again.

use std::borrow::Cow;
use std::sync::Arc;

use metadata::Image;
use metadata::controller::topics::name_fault;
use metadata::image::{ConfigResource, ResourceType};
use protocol::ErrorCode;
use protocol::messages::InPieces;
use protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::Call;
use super::ask::Refused;
use crate::config::describe::{self, Entry};
use crate::config::{NodeConfig, Texts};
use crate::logging;

/// How many entries one answer may have: those of 50,000 topics.
const ENTRIES_MAX: usize = 2_000_000;
/// What is said of resources that there was no room for; short, as there may be many.
const TOO_MUCH: &str = "the answer is full: ask again for this one";
/// The first version that tells where a value comes from.
const TELLS_SOURCES: i16 = 1;

/// Handles one request.
pub async fn handle<'a>(
    call: &Call,
    request: DescribeConfigsRequest<'a>,
) -> InPieces<'a, DescribeConfigsResponse<'a>> {
    let about = About {
        config: call.broker.config(),
        image: call.broker.quorum.image(),
        levels: logging::levels(),
        synonyms: request.include_synonyms,
        documentation: request.include_documentation,
        version: call.asked.version,
    };
    let resources = request.resources.into_vec();
    let mut entries = 0;
    let described = resources.iter().take_while(|resource| {
        entries += about.entries_max(resource);
        entries <= ENTRIES_MAX
    });
    let (count, described) = (resources.len(), described.count());
    let result = move |place: usize| {
        let resource = &resources[place];
        let entries =
            if place < described { about.entries(resource) } else { Err(Refused::request(TOO_MUCH)) };
        about.result(resource, entries)
    };
    InPieces::new(DescribeConfigsResponse::default(), |response| &response.results, count, result)
}

/// What the entries of a resource depend on.
struct About {
    config: Arc<NodeConfig>,
    image: Arc<Image>,
    levels: Vec<(String, String)>,
    synonyms: bool,
    documentation: bool,
    version: i16,
}

impl About {
    /// How many entries a resource may have.
    fn entries_max(&self, resource: &DescribeConfigsResource<'_>) -> usize {
        match ResourceType(resource.resource_type) {
            ResourceType::TOPIC => 40,
            _ => 400,
        }
    }

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
                    let message = "there is no such topic on this cluster: look at its name, or create it";
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
                self.levels.iter().map(|(name, level)| describe::logger(name, level)).collect()
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

    fn result<'a>(
        &self,
        resource: &DescribeConfigsResource<'a>,
        entries: Result<Vec<Entry>, Refused>,
    ) -> DescribeConfigsResult<'a> {
        let (error_code, message, entries) = match entries {
            // Kafka says of a result without an error that its message is empty.
            Ok(entries) => (ErrorCode::None, "".into(), entries),
            Err(refused) => (refused.code, refused.message, Vec::new()),
        };
        DescribeConfigsResult {
            error_code: error_code.into(),
            error_message: Some(message),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs: entries.into_iter().map(|entry| self.shown(entry)).collect(),
        }
    }

    fn shown<'a>(&self, entry: Entry) -> DescribeConfigsResourceResult<'a> {
        let synonyms = if self.synonyms { entry.synonyms } else { Vec::new() };
        let synonyms = synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
            name: synonym.name.into(),
            value: synonym.value.map(Into::into),
            source: synonym.source as i8,
        });
        // A logger's entry has no documentation to leave out.
        let documentation = match entry.documentation {
            Some(text) => self.documentation.then(|| text.into()),
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
