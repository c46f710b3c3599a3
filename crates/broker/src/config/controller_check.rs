//! What the controller asks about settings before it records them: the tables of keys, which are the broker's.
//!
//! A broker's own settings and a senseless resource are bad requests to Kafka, a topic's or group's are bad
//! configurations; the refusals keep that apart. Nothing here changes anything.

use std::collections::BTreeMap;

use metadata::Refusal;
use metadata::controller::configs::ConfigCheck;
use metadata::controller::topics::name_fault;
use metadata::image::{ConfigResource, Image, ResourceType};

use super::client_metrics_config::{self, SubscriptionRefusal};
use super::key::{Key, Type};
use super::{NodeConfig, Texts, dynamic, group_config, keys, topic_config};

/// Judges settings by the declarations of keys, on a broker with this configuration.
#[derive(Debug, Clone, Copy)]
pub struct ControllerCheck<'a> {
    /// The broker's configuration.
    pub config: &'a NodeConfig,
    /// What is set before the change.
    pub image: &'a Image,
}

impl ConfigCheck for ControllerCheck<'_> {
    fn is_list(&self, kind: ResourceType, key: &str) -> bool {
        // Kafka's controller knows no lists of groups and subscriptions, so that nothing is appended to them.
        let is_list = |key: &Key| key.kind == Type::List;
        match kind {
            ResourceType::TOPIC => keys::topic(key).is_some_and(is_list),
            ResourceType::BROKER => keys::broker(key).is_some_and(is_list),
            _ => false,
        }
    }

    fn default_value(&self, kind: ResourceType, key: &str) -> Option<String> {
        let value = match kind {
            ResourceType::TOPIC => topic_config::broker_value(&self.config.settings, keys::topic(key)?),
            ResourceType::BROKER => self.config.settings.value(key).ok()?,
            _ => None,
        };
        let default = || self.default_text(kind, key);
        value.map(|value| value.to_string()).or_else(default)
    }

    fn check(&self, resource: &ConfigResource, values: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let nothing = Texts::new();
        let name = &resource.name;
        match resource.kind {
            ResourceType::TOPIC if name.is_empty() => Err(Refusal::InvalidRequest(
                "a topic resource needs the topic's name: what all topics have by default is set on the brokers"
                    .to_owned(),
            )),
            ResourceType::TOPIC => {
                if let Some(reason) = name_fault(name) {
                    return Err(Refusal::IllegalTopicName { name: name.clone(), reason });
                }
                let before = self.image.configs.of(resource);
                let before = before.map_or(&nothing, |before| &**before);
                if values.is_empty() && before.is_empty() {
                    return Ok(());
                }
                topic_config::check_together(&self.config.settings, values, before)
                    .map_err(Refusal::InvalidConfig)
            }
            ResourceType::BROKER => self.check_broker(name, values).map_err(Refusal::InvalidRequest),
            ResourceType::GROUP if name.is_empty() => Err(Refusal::InvalidRequest(
                "a group resource needs the group's id: what all groups have by default is set on the brokers"
                    .to_owned(),
            )),
            ResourceType::GROUP => {
                group_config::check(&self.config.settings, values).map_err(Refusal::InvalidConfig)
            }
            ResourceType::CLIENT_METRICS => {
                client_metrics_config::check(name, values).map_err(|refusal| match refusal {
                    SubscriptionRefusal::Request(why) => Refusal::InvalidRequest(why),
                    SubscriptionRefusal::Value(why) => Refusal::InvalidConfig(why),
                })
            }
            ResourceType(kind) => Err(Refusal::InvalidRequest(format!("{kind} is no kind of resource"))),
        }
    }
}

impl ControllerCheck<'_> {
    fn default_text(&self, kind: ResourceType, key: &str) -> Option<String> {
        let key = match kind {
            ResourceType::TOPIC => keys::topic(key),
            _ => keys::broker(key),
        };
        key?.default_text().map(str::to_owned)
    }

    /// The settings of one broker, or of all where the name is empty, by themselves and with all others.
    fn check_broker(&self, name: &str, values: &Texts) -> Result<(), String> {
        let scope = if name.is_empty() { dynamic::Scope::Cluster } else { dynamic::Scope::Broker };
        dynamic::check_layer(self.config, scope, values)
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorCode;

    use super::*;

    fn judged(kind: ResourceType, name: &str, values: &[(&str, &str)]) -> Option<ErrorCode> {
        let config = NodeConfig::without_file(&Texts::new()).unwrap();
        let image = Image::default();
        let check = ControllerCheck { config: &config, image: &image };
        let values = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let resource = ConfigResource { kind, name: name.to_owned() };
        check.check(&resource, &values).err().map(|refusal| ErrorCode::from(&refusal))
    }

    /// As Apache Kafka 4.4.0 answers alterations of a single node.
    #[test]
    fn each_kind_of_resource_is_refused_with_kafkas_code() {
        use ErrorCode::{InvalidConfig, InvalidRequest, InvalidTopicException};
        use ResourceType as R;
        for (kind, name, key, text, code) in [
            (R::TOPIC, "t", "retention.ms", "5", None),
            (R::TOPIC, "t", "retention.ms", "x", Some(InvalidConfig)),
            (R::TOPIC, "t", "nope", "x", Some(InvalidConfig)),
            (R::TOPIC, "", "retention.ms", "5", Some(InvalidRequest)),
            (R::TOPIC, "..", "retention.ms", "5", Some(InvalidTopicException)),
            (R::BROKER, "1", "log.retention.ms", "5000", None),
            (R::BROKER, "", "log.retention.ms", "5000", None),
            (R::BROKER, "1", "foo", "x", None),
            (R::BROKER, "1", "log.retention.ms", "x", Some(InvalidRequest)),
            (R::BROKER, "1", "log.retention.hours", "5", Some(InvalidRequest)),
            (R::BROKER, "", "listeners", "PLAINTEXT://:1", Some(InvalidRequest)),
            (R::GROUP, "g", "consumer.session.timeout.ms", "50000", None),
            (R::GROUP, "g", "consumer.session.timeout.ms", "1", Some(InvalidConfig)),
            (R::GROUP, "g", "nope", "1", Some(InvalidConfig)),
            (R::GROUP, "", "consumer.session.timeout.ms", "50000", Some(InvalidRequest)),
            (R::CLIENT_METRICS, "m", "interval.ms", "1000", None),
            (R::CLIENT_METRICS, "m", "interval.ms", "1", Some(InvalidRequest)),
            (R::CLIENT_METRICS, "m", "interval.ms", "x", Some(InvalidConfig)),
            (R::CLIENT_METRICS, "m", "nope", "1", Some(InvalidRequest)),
            (R::CLIENT_METRICS, "", "interval.ms", "1000", Some(InvalidRequest)),
            (ResourceType(99), "x", "a", "b", Some(InvalidRequest)),
        ] {
            assert_eq!(judged(kind, name, &[(key, text)]), code, "{kind:?} {name} {key}={text}");
        }
    }

    #[test]
    fn only_lists_of_topics_and_brokers_are_appended_to_and_begin_with_their_default() {
        let file = Texts::from([("log.cleanup.policy".to_owned(), "compact".to_owned())]);
        let config = NodeConfig::without_file(&file).unwrap();
        let image = Image::default();
        let check = ControllerCheck { config: &config, image: &image };
        assert!(check.is_list(ResourceType::TOPIC, "cleanup.policy"));
        assert!(check.is_list(ResourceType::BROKER, "log.cleanup.policy"));
        assert!(!check.is_list(ResourceType::TOPIC, "retention.ms"));
        assert!(!check.is_list(ResourceType::CLIENT_METRICS, "metrics"));
        let default = |kind, key| check.default_value(kind, key);
        assert_eq!(default(ResourceType::TOPIC, "cleanup.policy").as_deref(), Some("compact"));
        assert_eq!(default(ResourceType::BROKER, "log.cleanup.policy").as_deref(), Some("compact"));
        assert_eq!(default(ResourceType::TOPIC, "flush.messages").as_deref(), Some("9223372036854775807"));
    }
}
