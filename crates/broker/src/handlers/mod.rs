//! Room 3: the table of APIs this broker serves, and a handler for each.
//!
//! A handler translates between a message and the machines: it resolves names, asks, and puts the
//! answer into words. It holds no policy. What is not in [`TABLE`] is neither served nor advertised.
//!
//! To add an API: write `handlers/<api_name>.rs` with
//! `pub async fn handle(call: &Call, request: XRequest<'_>) -> XResponse<'static>`, and add its line to the table.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
mod alteration;
pub mod api_versions;
mod ask;
pub mod assign_replicas_to_dirs;
pub mod authorized_operations;
mod call;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod elect_leaders;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
mod named_groups;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
mod partition_errors;
pub mod produce;
pub mod replicas;
mod sentence;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod streams_group_topology_description_update;
pub mod sync_group;
pub mod txn_offset_commit;
mod untaken;
pub mod update_features;
pub mod write_txn_markers;

use std::sync::Arc;
use std::time::Instant;

use protocol::ApiKey;
use protocol::messages::header::RequestHeader;
use protocol::messages::schema::Listener;
use protocol::messages::{self, InPieces, Request};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use self::call::host_of;
pub use self::call::{Asked, Call};
use crate::Broker;
use crate::net::{Answer, Close, Outbound, Outlet, Peer, Pending, Service, Step};
use crate::runtime::unreadable_files;

/// Whether an API takes one partition's log after the other, or reads what may have to come from the disk.
fn touches_logs(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::ListOffsets
            | ApiKey::OffsetForLeaderEpoch
            | ApiKey::DeleteRecords
            | ApiKey::DescribeProducers
            | ApiKey::DescribeLogDirs
    )
}

/// How many answers may be made apart at a time: the threads for it are few, and others need them, too.
static APART: Semaphore = Semaphore::const_new(128);

/// Makes an answer on a thread that may wait, so that neither a stalled disk nor a cold one holds up other connections.
fn apart(answer: Pending) -> Pending {
    let answer: Answer = Box::pin(async move {
        // It is never closed.
        let _permit = APART.acquire().await;
        let runtime = Handle::current();
        let made = tokio::task::spawn_blocking(move || runtime.block_on(answer.whole()));
        made.await.unwrap_or(Err(Close::Unfinished))
    });
    answer.into()
}

type Inline = fn(&Arc<Broker>, &Arc<Peer>, Asked, &mut [u8], &mut Outbound) -> Step;

/// How an API is served.
#[derive(Clone, Copy)]
enum Serve {
    /// On the spot, in the frame itself, straight into the outbound bytes. For the hot paths.
    Inline(Inline),
    /// From a copy of the body, by a future of its own. For everything else.
    Later(fn(Call, Vec<u8>) -> Answer),
    /// On the spot where that needs no waiting and no memory to speak of, and later otherwise.
    AtOnceOrLater(AtOnce, fn(Call, Vec<u8>) -> Answer),
}

/// Serves a request on the spot, of whoever calls itself this; nothing has happened where there is no step.
type AtOnce = fn(&Arc<Broker>, &Peer, (Asked, &str), &[u8], &mut Outbound) -> Option<Step>;

/// How an API stands in the answer to ApiVersions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Listed {
    /// With the versions it is served in.
    AsServed,
    /// Served to who asks, and not advertised.
    No,
}

/// A line of the table.
struct Served {
    api: ApiKey,
    first: i16,
    last: i16,
    /// The last that is served without `unstable.api.versions.enable`.
    stable: i16,
    listed: Listed,
    serve: Serve,
}

impl Served {
    /// The last version, among those in development or without.
    fn last(&self, unstable: bool) -> i16 {
        if unstable { self.last } else { self.stable }
    }
}

/// An async handler: decode, handle, encode.
macro_rules! later {
    ($module:ident :: $request:ident) => {
        |call, body| {
            Box::pin(async move {
                let (request, drawn) = call.request::<messages::$request>(&body).await?;
                let response: InPieces<'_, <messages::$request as Request>::Response<'_>> =
                    $module::handle(&call, request).await.into();
                call.answer(&response, drawn).await
            })
        }
    };
}

/// A line of the table for an async handler.
macro_rules! served {
    ($api:ident $first:literal to $last:literal by $module:ident :: $request:ident) => {
        Served {
            api: ApiKey::$api,
            first: $first,
            last: $last,
            stable: $last,
            listed: Listed::AsServed,
            serve: Serve::Later(later!($module::$request)),
        }
    };
}

/// A line of the table for a handler that may wait for other requests: it keeps neither the request nor what was drawn for
/// it meanwhile. Where nobody has to be waited for it is served at once.
macro_rules! served_with_others {
    ($api:ident $first:literal to $last:literal by $module:ident :: $request:ident) => {
        Served {
            api: ApiKey::$api,
            first: $first,
            last: $last,
            stable: $last,
            listed: Listed::AsServed,
            serve: Serve::AtOnceOrLater($module::at_once, |call, body| {
                Box::pin(async move {
                    let (request, drawn) = call.request::<messages::$request>(&body).await?;
                    let read = $module::read(&call, &request);
                    drop(request);
                    drop(body);
                    let response: InPieces<'_, <messages::$request as Request>::Response<'_>> =
                        $module::handle(&call, read, drawn).await.into();
                    call.answer(&response, None).await
                })
            }),
        }
    };
}

/// Every API served, by rising key.
static TABLE: &[Served] = &[
    Served {
        api: ApiKey::Produce,
        first: 0,
        last: 13,
        stable: 13,
        listed: Listed::AsServed,
        serve: Serve::Inline(produce::serve),
    },
    Served {
        api: ApiKey::Fetch,
        first: 0,
        last: 18,
        stable: 18,
        listed: Listed::AsServed,
        serve: Serve::Inline(fetch::serve),
    },
    Served {
        serve: Serve::AtOnceOrLater(list_offsets::at_once, later!(list_offsets::ListOffsetsRequest)),
        ..served!(ListOffsets 0 to 11 by list_offsets::ListOffsetsRequest)
    },
    served!(Metadata 0 to 13 by metadata::MetadataRequest),
    served!(OffsetCommit 0 to 10 by offset_commit::OffsetCommitRequest),
    served!(OffsetFetch 0 to 10 by offset_fetch::OffsetFetchRequest),
    served!(FindCoordinator 0 to 6 by find_coordinator::FindCoordinatorRequest),
    served_with_others!(JoinGroup 0 to 9 by join_group::JoinGroupRequest),
    Served {
        api: ApiKey::Heartbeat,
        first: 0,
        last: 4,
        stable: 4,
        listed: Listed::AsServed,
        serve: Serve::Inline(heartbeat::serve),
    },
    served!(LeaveGroup 0 to 5 by leave_group::LeaveGroupRequest),
    served_with_others!(SyncGroup 0 to 5 by sync_group::SyncGroupRequest),
    served!(DescribeGroups 0 to 6 by describe_groups::DescribeGroupsRequest),
    served!(ListGroups 0 to 5 by list_groups::ListGroupsRequest),
    Served {
        api: ApiKey::ApiVersions,
        first: 0,
        last: 5,
        stable: 5,
        listed: Listed::AsServed,
        serve: Serve::Inline(api_versions::serve),
    },
    served!(CreateTopics 0 to 7 by create_topics::CreateTopicsRequest),
    served!(DeleteTopics 0 to 6 by delete_topics::DeleteTopicsRequest),
    served!(DeleteRecords 0 to 2 by delete_records::DeleteRecordsRequest),
    Served {
        // Two-phase commit is still in development (KIP-939).
        stable: 5,
        ..served!(InitProducerId 0 to 6 by init_producer_id::InitProducerIdRequest)
    },
    served!(OffsetForLeaderEpoch 0 to 4 by offset_for_leader_epoch::OffsetForLeaderEpochRequest),
    served!(AddPartitionsToTxn 0 to 5 by add_partitions_to_txn::AddPartitionsToTxnRequest),
    served!(AddOffsetsToTxn 0 to 4 by add_offsets_to_txn::AddOffsetsToTxnRequest),
    served!(EndTxn 0 to 5 by end_txn::EndTxnRequest),
    served!(WriteTxnMarkers 0 to 2 by write_txn_markers::WriteTxnMarkersRequest),
    served!(TxnOffsetCommit 0 to 6 by txn_offset_commit::TxnOffsetCommitRequest),
    served!(DescribeConfigs 0 to 4 by describe_configs::DescribeConfigsRequest),
    served!(AlterConfigs 0 to 2 by alter_configs::AlterConfigsRequest),
    served!(AlterReplicaLogDirs 0 to 2 by alter_replica_log_dirs::AlterReplicaLogDirsRequest),
    served!(DescribeLogDirs 0 to 5 by describe_log_dirs::DescribeLogDirsRequest),
    served!(CreatePartitions 0 to 3 by create_partitions::CreatePartitionsRequest),
    served!(DeleteGroups 0 to 3 by delete_groups::DeleteGroupsRequest),
    served!(ElectLeaders 0 to 2 by elect_leaders::ElectLeadersRequest),
    served!(IncrementalAlterConfigs 0 to 1 by incremental_alter_configs::IncrementalAlterConfigsRequest),
    served!(AlterPartitionReassignments 0 to 1 by
            alter_partition_reassignments::AlterPartitionReassignmentsRequest),
    served!(ListPartitionReassignments 0 to 0 by
            list_partition_reassignments::ListPartitionReassignmentsRequest),
    served!(OffsetDelete 0 to 0 by offset_delete::OffsetDeleteRequest),
    served!(DescribeQuorum 0 to 2 by describe_quorum::DescribeQuorumRequest),
    served!(UpdateFeatures 0 to 2 by update_features::UpdateFeaturesRequest),
    served!(DescribeCluster 0 to 2 by describe_cluster::DescribeClusterRequest),
    Served {
        api: ApiKey::DescribeProducers,
        first: 0,
        last: 0,
        stable: 0,
        listed: Listed::AsServed,
        serve: Serve::Later(|call, body| {
            Box::pin(async move {
                let (request, drawn) = call.request::<messages::DescribeProducersRequest<'_>>(&body).await?;
                let (response, drawn) = describe_producers::handle(&call, request, drawn).await;
                call.answer(&response.into(), drawn).await
            })
        }),
    },
    served!(DescribeTransactions 0 to 0 by describe_transactions::DescribeTransactionsRequest),
    served!(ListTransactions 0 to 2 by list_transactions::ListTransactionsRequest),
    served_with_others!(ConsumerGroupHeartbeat 0 to 1 by consumer_group_heartbeat::ConsumerGroupHeartbeatRequest),
    served!(ConsumerGroupDescribe 0 to 1 by consumer_group_describe::ConsumerGroupDescribeRequest),
    Served {
        // Kafka answers it without having a receiver of metrics, and advertises it only when it has one.
        listed: Listed::No,
        ..served!(GetTelemetrySubscriptions 0 to 0 by
                  get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest)
    },
    served!(AssignReplicasToDirs 0 to 0 by assign_replicas_to_dirs::AssignReplicasToDirsRequest),
    served!(ListConfigResources 0 to 1 by list_config_resources::ListConfigResourcesRequest),
    served!(DescribeTopicPartitions 0 to 0 by describe_topic_partitions::DescribeTopicPartitionsRequest),
    served!(StreamsGroupHeartbeat 0 to 1 by streams_group_heartbeat::StreamsGroupHeartbeatRequest),
    served!(StreamsGroupDescribe 0 to 1 by streams_group_describe::StreamsGroupDescribeRequest),
    served!(StreamsGroupTopologyDescriptionUpdate 0 to 0 by
            streams_group_topology_description_update::StreamsGroupTopologyDescriptionUpdateRequest),
];

fn served(api: ApiKey) -> Option<&'static Served> {
    TABLE.binary_search_by_key(&(api as i16), |served| served.api as i16).ok().map(|index| &TABLE[index])
}

/// Whether an API is served on a port. A controller's Fetch reads the metadata log for other voters and observers,
/// of which there are none yet.
fn is_served_on(api: ApiKey, port: Listener) -> bool {
    api.request().listeners.contains(&port) && (port == Listener::Broker || api != ApiKey::Fetch)
}

/// The versions each API is advertised in on a port, with those in development or without.
pub fn advertised(port: Listener, unstable: bool) -> impl Iterator<Item = (ApiKey, i16, i16)> {
    let here = TABLE.iter().filter(move |served| is_served_on(served.api, port));
    here.filter_map(move |served| match served.listed {
        Listed::AsServed => Some((served.api, served.first, served.last(unstable))),
        Listed::No => None,
    })
}

/// Hands the frames of connections to the handlers.
#[derive(Debug)]
pub struct Dispatch {
    broker: Arc<Broker>,
}

impl Dispatch {
    /// Serves for this broker.
    pub fn new(broker: Arc<Broker>) -> Self {
        Self { broker }
    }
}

impl Service for Dispatch {
    fn call(&self, peer: &Arc<Peer>, at: Instant, frame: &mut [u8], out: &mut Outbound) -> Step {
        let (header, body_at) = match RequestHeader::parse(frame) {
            Ok((header, body)) => (header, frame.len() - body.len()),
            Err(error) => return Step::Close(Close::Header(error.to_string())),
        };
        let Some(api) = ApiKey::from_i16(header.request_api_key) else {
            return Step::Close(Close::ApiKey { api_key: header.request_api_key });
        };
        let port = self.broker.port_of(&peer.listener);
        let Some(served) = served(api).filter(|served| is_served_on(served.api, port)) else {
            return Step::Close(Close::ApiKey { api_key: header.request_api_key });
        };
        let version = header.request_api_version;
        let asked = Asked { api, version, correlation_id: header.correlation_id, at };
        let stable = (served.first..=served.stable).contains(&version);
        let unstable = || (served.first..=served.last).contains(&version) && self.broker.unstable_apis();
        if !stable && !unstable() {
            // The one refusal a client must be able to read: it then asks again in a version it is told (KIP-511).
            if api == ApiKey::ApiVersions {
                return asked.step(api_versions::unsupported_version(&asked, out), &self.broker);
            }
            return Step::Close(Close::Version { api: api.name(), version });
        }
        let client_id = header.client_id.as_deref().unwrap_or_default();
        let later = match served.serve {
            Serve::Inline(serve) => return serve(&self.broker, peer, asked, &mut frame[body_at..], out),
            Serve::Later(later) => later,
            Serve::AtOnceOrLater(at_once, later) => {
                match at_once(&self.broker, peer, (asked, client_id), &frame[body_at..], out) {
                    Some(step) => return step,
                    None => later,
                }
            }
        };
        let outlet = Arc::new(Outlet::default());
        let (broker, peer, client_id) = (self.broker.clone(), peer.clone(), Arc::from(client_id));
        let call = Call { broker, peer, asked, client_id, outlet: outlet.clone() };
        let answer = Pending::in_pieces(later(call, frame[body_at..].to_vec()), outlet);
        if touches_logs(api) { Step::Wait(apart(answer)) } else { Step::Wait(answer) }
    }

    fn may_follow(&self, frame: &[u8]) -> bool {
        frame.starts_with(&(ApiKey::Produce as i16).to_be_bytes())
    }

    fn connected(&self, peer: &Peer) {
        self.broker.metrics.connections.opened(&peer.listener);
    }

    fn disconnected(&self, peer: &Peer) {
        self.broker.metrics.connections.ended(&peer.listener);
    }

    fn closed(&self, _peer: &Peer, close: &Close) {
        self.broker.metrics.closes.note(close);
        if let Close::FileUnreadable { file, errno } = close {
            unreadable_files::note(&self.broker.log_dirs, file, *errno);
        }
    }
}

#[cfg(test)]
mod tests;
