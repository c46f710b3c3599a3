//! Which replicas of a partition a client can reach, as answers about topics say it.

use metadata::Image;
use metadata::image::{Broker, DIRECTORY_LOST, DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED, Partition};
use protocol::id::{DirectoryId, NodeId};

/// Whether a broker has an endpoint on a listener.
pub fn reachable(image: &Image, id: NodeId, listener: &str) -> bool {
    image.cluster.broker(id).is_some_and(|broker| has_listener(broker, listener))
}

/// The replicas whose broker is gone, fenced or not on this listener, or whose directory is offline.
pub fn offline<'i>(
    image: &'i Image,
    partition: &'i Partition,
    listener: &'i str,
) -> impl Iterator<Item = NodeId> + 'i {
    partition.replicas.iter().copied().filter(move |&id| {
        let serves = |broker: &Broker| {
            !broker.fenced && has_listener(broker, listener) && has_online(broker, partition.directory_of(id))
        };
        !image.cluster.broker(id).is_some_and(serves)
    })
}

fn has_listener(broker: &Broker, listener: &str) -> bool {
    broker.endpoints.iter().any(|endpoint| endpoint.name == listener)
}

/// Whether a directory is online as far as the broker's registration says.
fn has_online(broker: &Broker, directory: DirectoryId) -> bool {
    match directory {
        DIRECTORY_LOST => false,
        DIRECTORY_UNASSIGNED | DIRECTORY_MIGRATING => true,
        directory => broker.log_dirs.is_empty() || broker.log_dirs.contains(&directory),
    }
}
