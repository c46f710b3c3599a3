//! ListConfigResources, 0 to 1: the names of what has a configuration.
//!
//! 0 lists client metrics subscriptions only, and was called ListClientMetricsResources (KIP-714); 1 lists every
//! kind, or the kinds asked for (KIP-1142). Topics, brokers and their loggers have a configuration whether anything
//! was set or not; groups and subscriptions are listed once something was.

use std::sync::Arc;

use metadata::Image;
use metadata::image::ResourceType;
use protocol::ErrorCode;
use protocol::id::NodeId;
use protocol::messages::InPieces;
use protocol::messages::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::Call;

/// The kinds, in the order that Kafka lists them.
const KINDS: [ResourceType; 5] = [
    ResourceType::GROUP,
    ResourceType::CLIENT_METRICS,
    ResourceType::BROKER_LOGGER,
    ResourceType::BROKER,
    ResourceType::TOPIC,
];

/// Handles one request.
pub async fn handle(
    call: &Call,
    request: ListConfigResourcesRequest<'_>,
) -> InPieces<'static, ListConfigResourcesResponse<'static>> {
    let asked: Vec<ResourceType> = match call.asked.version {
        0 => vec![ResourceType::CLIENT_METRICS],
        _ => request.resource_types.iter().map(ResourceType).collect(),
    };
    list(&call.broker.quorum.image(), &asked)
}

/// A name, without a copy of it where the image has it to share.
enum Named {
    Topic(Arc<str>),
    Broker(NodeId),
    Set(String),
}

fn list(image: &Image, asked: &[ResourceType]) -> InPieces<'static, ListConfigResourcesResponse<'static>> {
    if !asked.iter().all(|kind| KINDS.contains(kind)) {
        let refused = ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.into(),
            ..ListConfigResourcesResponse::default()
        };
        return refused.into();
    }
    let mut resources = Vec::new();
    for kind in KINDS {
        if asked.is_empty() || asked.contains(&kind) {
            names(image, kind, &mut |name| resources.push((kind, name)));
        }
    }
    let count = resources.len();
    let resource = move |place: usize| {
        let (kind, name): &(ResourceType, Named) = &resources[place];
        let resource_name = match name {
            Named::Topic(name) => name.to_string().into(),
            Named::Broker(id) => id.to_string().into(),
            Named::Set(name) => name.clone().into(),
        };
        ConfigResource { resource_name, resource_type: kind.0 }
    };
    let response = ListConfigResourcesResponse::default();
    InPieces::new(response, |response| &response.config_resources, count, resource)
}

fn names(image: &Image, kind: ResourceType, each: &mut impl FnMut(Named)) {
    match kind {
        ResourceType::TOPIC => image.topics.iter().for_each(|topic| each(Named::Topic(topic.name.clone()))),
        ResourceType::BROKER | ResourceType::BROKER_LOGGER => {
            image.cluster.brokers.keys().for_each(|id| each(Named::Broker(*id)));
        }
        kind => {
            let set = image.configs.iter().filter(|(resource, _)| resource.kind == kind);
            set.for_each(|(resource, _)| each(Named::Set(resource.name.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::Message;
    use protocol::messages::record::config_record::ConfigRecord;
    use protocol::messages::record::register_broker_record::RegisterBrokerRecord;
    use protocol::messages::record::topic_record::TopicRecord;
    use protocol::offset::Offset;

    use super::*;

    fn image() -> Image {
        let mut image = Image::default();
        let config = |kind: ResourceType, name: &'static str| ConfigRecord {
            resource_type: kind.0,
            resource_name: name.into(),
            name: "k".into(),
            value: Some("v".into()),
        };
        let records = [
            TopicRecord { name: "t".into(), ..TopicRecord::default() }.into(),
            RegisterBrokerRecord { broker_id: 7, ..RegisterBrokerRecord::default() }.into(),
            RegisterBrokerRecord { broker_id: 8, fenced: true, ..RegisterBrokerRecord::default() }.into(),
            config(ResourceType::TOPIC, "t").into(),
            config(ResourceType::BROKER, "").into(),
            config(ResourceType::GROUP, "g").into(),
            config(ResourceType::CLIENT_METRICS, "m").into(),
        ];
        for (offset, record) in (0..).zip(&records) {
            image.replay(Offset(offset), record);
        }
        image
    }

    fn listed(asked: &[i8]) -> (i16, Vec<(String, i8)>) {
        let asked: Vec<_> = asked.iter().copied().map(ResourceType).collect();
        let mut bytes = Vec::new();
        list(&image(), &asked).encode(1, &mut bytes).unwrap();
        let response = ListConfigResourcesResponse::decode(&bytes, 1).unwrap();
        let resources = response.config_resources.iter();
        let resources = resources.map(|one| (one.resource_name.into_owned(), one.resource_type));
        (response.error_code, resources.collect())
    }

    #[test]
    fn every_kind_is_listed_where_none_is_named() {
        let expected = [("g", 32), ("m", 16), ("7", 8), ("8", 8), ("7", 4), ("8", 4), ("t", 2)];
        let expected = expected.map(|(name, kind)| (name.to_owned(), kind));
        assert_eq!(listed(&[]), (0, expected.to_vec()));
    }

    #[test]
    fn only_the_kinds_asked_for_are_listed_and_each_once() {
        assert_eq!(listed(&[16]), (0, vec![("m".to_owned(), 16)]));
        assert_eq!(listed(&[2, 2, 32]), (0, vec![("g".to_owned(), 32), ("t".to_owned(), 2)]));
    }

    #[test]
    fn a_kind_that_is_not_known_refuses_the_whole_request() {
        for unknown in [0, 1, 99, -1] {
            assert_eq!(listed(&[16, unknown]), (ErrorCode::UnsupportedVersion.into(), Vec::new()));
        }
    }
}
