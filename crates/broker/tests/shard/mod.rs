//! The shard of a group: where its records lie, and how it is lost.

use std::sync::Arc;

use broker::runtime::partitions::Replica;
use coordinator::partitioning::partition_of;

use crate::raw::node::TestNode;

/// How many partitions `__consumer_offsets` has where nobody says otherwise.
pub const PARTITIONS: u32 = 50;

/// Where a group's offsets lie.
pub fn home(node: &TestNode, group: &str) -> Arc<Replica> {
    let offsets = node.node().broker().partitions.by_name("__consumer_offsets").unwrap();
    offsets.get(partition_of(group, PARTITIONS)).unwrap().clone()
}

/// A request that ends in the middle of the group's shard, which has it loaded anew.
pub fn panic_with(node: &TestNode, group: &'static str) {
    let groups = node.node().broker().coordinators.groups.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ended = runtime.block_on(async {
        tokio::spawn(async move { groups.read(group, |_| panic!("on purpose")).await.is_ok() }).await
    });
    assert!(ended.is_err());
}
