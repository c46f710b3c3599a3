//! DescribeCluster, 0 to 2: the brokers of the cluster, as a listener shows them (KIP-700).
//!
//! 1 adds the type of endpoint asked for, brokers or on a controller's port controllers (KIP-919); 2 shows fenced brokers
//! to who asks for them (KIP-1073). Clients send what a controller must decide to the broker named as controller;
//! every broker takes such requests, so each names itself as long as it is part of the cluster.

use metadata::Image;
use protocol::ErrorCode;
use protocol::id::NodeId;
use protocol::messages::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

use protocol::messages::schema::Listener;

use super::{Call, authorized_operations};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Handles one request.
pub async fn handle(call: &Call, request: DescribeClusterRequest) -> DescribeClusterResponse<'static> {
    let port = call.broker.port_of(&call.peer.listener);
    if let Some((error, message)) = refusal(port, request.endpoint_type) {
        return DescribeClusterResponse {
            error_code: error.into(),
            error_message: Some(message.into()),
            ..DescribeClusterResponse::default()
        };
    }
    let (image, listener) = (call.broker.quorum.image(), &call.peer.listener);
    let mut response = match port {
        Listener::Broker => describe(&image, call.broker.node_id, listener, request.include_fenced_brokers),
        Listener::Controller => controllers(&image, call.broker.quorum.status().leader, listener),
    };
    response.endpoint_type = request.endpoint_type;
    response.cluster_id = call.broker.cluster_id.to_string().into();
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    response
}

fn refusal(port: Listener, endpoint_type: i8) -> Option<(ErrorCode, String)> {
    let (here, asked) = match (port, endpoint_type) {
        (Listener::Broker, BROKERS) | (Listener::Controller, CONTROLLERS) => return None,
        (Listener::Broker, CONTROLLERS) => ("brokers: ask for endpoint type 1", "a controller's"),
        (Listener::Controller, BROKERS) => ("controllers: ask for endpoint type 2", "a broker's"),
        (_, other) => {
            return Some((
                ErrorCode::UnsupportedEndpointType,
                format!("{other} is no endpoint type: it must be 1 (brokers) or 2 (controllers)"),
            ));
        }
    };
    let message = format!("this port serves {here}, or send the request to {asked} port");
    Some((ErrorCode::MismatchedEndpointType, message))
}

/// The controllers that have an endpoint on `listener`, and which of them leads.
fn controllers(image: &Image, leader: Option<NodeId>, listener: &str) -> DescribeClusterResponse<'static> {
    let listed = image.cluster.controllers.values().filter_map(|controller| {
        let endpoint = controller.endpoints.iter().find(|endpoint| endpoint.name == listener)?;
        Some(DescribeClusterBroker {
            broker_id: controller.id.0,
            host: endpoint.host.clone().into(),
            port: i32::from(endpoint.port),
            ..DescribeClusterBroker::default()
        })
    });
    DescribeClusterResponse {
        controller_id: leader.map_or(-1, |id| id.0),
        brokers: listed.collect(),
        ..DescribeClusterResponse::default()
    }
}

/// The brokers of `image` that have an endpoint on `listener`, seen from broker `here`.
fn describe(
    image: &Image,
    here: NodeId,
    listener: &str,
    with_fenced: bool,
) -> DescribeClusterResponse<'static> {
    let brokers = image.cluster.brokers.values().filter(|broker| with_fenced || !broker.fenced);
    let listed = brokers.filter_map(|broker| {
        let endpoint = broker.endpoints.iter().find(|endpoint| endpoint.name == listener)?;
        Some(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: endpoint.host.clone().into(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone().map(Into::into),
            is_fenced: broker.fenced,
        })
    });
    let in_touch = |id: &NodeId| image.cluster.broker(*id).is_some_and(|broker| !broker.fenced);
    let controller =
        Some(here).filter(in_touch).or_else(|| image.cluster.brokers.keys().copied().find(in_touch));
    DescribeClusterResponse {
        controller_id: controller.map_or(-1, |id| id.0),
        brokers: listed.collect(),
        ..DescribeClusterResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::record::register_broker_record::{BrokerEndpoint, RegisterBrokerRecord};
    use protocol::offset::Offset;

    use super::*;

    fn broker(id: i32, listener: &'static str, fenced: bool) -> RegisterBrokerRecord<'static> {
        let endpoint =
            BrokerEndpoint { name: listener.into(), host: "here".into(), port: 9000, security_protocol: 0 };
        RegisterBrokerRecord {
            broker_id: id,
            end_points: [endpoint].into(),
            rack: Some("r1".into()),
            fenced,
            ..RegisterBrokerRecord::default()
        }
    }

    fn image(brokers: &[RegisterBrokerRecord<'static>]) -> Image {
        let mut image = Image::default();
        for (offset, broker) in (0..).zip(brokers) {
            image.replay(Offset(offset), &broker.clone().into());
        }
        image
    }

    fn ids(response: &DescribeClusterResponse<'_>) -> Vec<(i32, bool)> {
        response.brokers.iter().map(|broker| (broker.broker_id, broker.is_fenced)).collect()
    }

    #[test]
    fn fenced_brokers_are_shown_only_to_who_asks() {
        let image = image(&[broker(1, "A", false), broker(2, "A", true)]);
        assert_eq!(ids(&describe(&image, NodeId(1), "A", false)), [(1, false)]);
        assert_eq!(ids(&describe(&image, NodeId(1), "A", true)), [(1, false), (2, true)]);
    }

    #[test]
    fn a_broker_shows_by_the_listener_of_who_asks() {
        let image = image(&[broker(1, "A", false), broker(2, "B", false)]);
        let response = describe(&image, NodeId(1), "B", false);
        assert_eq!(ids(&response), [(2, false)]);
        let shown = response.brokers.iter().next().unwrap();
        assert_eq!((&*shown.host, shown.port, shown.rack.as_deref()), ("here", 9000, Some("r1")));
    }

    #[test]
    fn the_broker_asked_is_the_controller_to_clients_while_it_is_in_touch() {
        let image = image(&[broker(1, "A", false), broker(2, "A", false), broker(3, "A", true)]);
        assert_eq!(describe(&image, NodeId(2), "A", false).controller_id, 2);
        assert_eq!(describe(&image, NodeId(3), "A", false).controller_id, 1);
        assert_eq!(describe(&Image::default(), NodeId(3), "A", false).controller_id, -1);
    }

    #[test]
    fn endpoint_types() {
        for (port, own, other) in [(Listener::Broker, 1, 2), (Listener::Controller, 2, 1)] {
            assert_eq!(refusal(port, own), None);
            assert_eq!(refusal(port, other).unwrap().0, ErrorCode::MismatchedEndpointType);
            for unknown in [0, 3, -1] {
                assert_eq!(refusal(port, unknown).unwrap().0, ErrorCode::UnsupportedEndpointType);
            }
        }
    }
}
