//! Starting the quorum: the metadata log is loaded, this node elects itself, registers its broker and unfences it.
//!
//! In two steps, because the logs of partitions can only be loaded once the metadata says what belongs here:
//! [`LoadedQuorum::load`], and when the broker is ready to follow the image, [`LoadedQuorum::start`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use metadata::controller::brokers::{Heartbeat, Registration, Sessions};
use metadata::controller::brokers::{decide_heartbeat, decide_register_broker};
use metadata::controller::features;
use metadata::controller::partitions::decide_recovered;
use metadata::image::{Controller, Endpoint};
use metadata::{Decision, Image, Refusal};
use protocol::id::{BrokerEpoch, DirectoryId, NodeId, Uuid};
use raft::{Raft, ReplicaKey, Voter, VoterSet};
use storage::descriptors::Descriptors;
use storage::directory_lock::DirectoryLock;
use storage::format::random_id;
use storage::metadata_log::{LoadedMetadata, MetadataLimits, MetadataLog};
use storage::reserve::Reserve;
use storage::{Fault, RealDisk};
use tokio::sync::{oneshot, watch};

use super::clock::{Clock, wall};
use super::owner::{Owner, Progress, reserved};
use super::{Apply, Decide, Quorum, Shown, deciding};
use crate::config::NodeConfig;

/// What the quorum of a node needs to know.
#[derive(Clone, Debug)]
pub struct QuorumOptions {
    /// `node.id`.
    pub node_id: NodeId,
    /// The log directory with the metadata log.
    pub metadata_directory: PathBuf,
    /// The id of that directory.
    pub directory_id: DirectoryId,
    /// The voters of `controller.quorum.voters`; empty where the log has them.
    pub fixed_voters: Vec<Voter>,
    /// Segments and retention of the metadata log.
    pub limits: MetadataLimits,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between_snapshots: u64,
    /// `metadata.log.max.snapshot.interval.ms`; `None` for no bound.
    pub snapshot_interval_ms: Option<i64>,
    /// `controller.quorum.election.timeout.ms`.
    pub election_timeout_ms: i64,
    /// `controller.quorum.election.backoff.max.ms`.
    pub election_backoff_ms_max: i64,
    /// `controller.quorum.fetch.timeout.ms`.
    pub fetch_timeout_ms: i64,
    /// `controller.quorum.request.timeout.ms`.
    pub request_timeout_ms: i64,
    /// `controller.quorum.retry.backoff.ms`.
    pub retry_backoff_ms: i64,
    /// `broker.session.timeout.ms`.
    pub session_timeout_ms: i64,
    /// `min.insync.replicas`, which a new cluster writes down for its eligible replicas to be judged by.
    pub min_insync_replicas: i32,
    /// `headwater.controller.requests.max`: requests that may wait for the owner; beyond that who asks waits for
    /// room.
    pub requests_max: usize,
    /// How this node registers as a broker.
    pub registration: Registration,
    /// How it registers as a controller.
    pub controller: Controller,
}

impl QuorumOptions {
    /// What a configuration and the directories say. `directories` are the ids of the log directories, the metadata
    /// log directory's among them as `directory_id`; `previous_epoch` is the epoch of a clean end, if there was one.
    /// `incarnation` tells this process from the one before.
    pub fn new(
        config: &NodeConfig,
        (directory_id, directories): (DirectoryId, Vec<DirectoryId>),
        previous_epoch: Option<BrokerEpoch>,
        advertised: Vec<Endpoint>,
    ) -> Self {
        let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let quorum = &config.quorum;
        let (incarnation, controller_incarnation) = (random_id(), random_id());
        let min_insync = config.settings.integer("min.insync.replicas").ok();
        Self {
            node_id: config.node_id,
            metadata_directory: config.log_dirs.metadata_directory.clone(),
            directory_id,
            fixed_voters: quorum.voters.iter().map(fixed_voter).collect(),
            limits: MetadataLimits {
                segment_bytes: quorum.segment_bytes,
                segment_ms: millis(quorum.segment_age),
                retention_bytes: quorum.retention_bytes,
                retention_ms: quorum.retention_age.map(millis),
            },
            bytes_between_snapshots: quorum.bytes_between_snapshots,
            snapshot_interval_ms: quorum.snapshot_interval.map(millis),
            election_timeout_ms: millis(quorum.election_timeout),
            election_backoff_ms_max: millis(quorum.election_backoff_max),
            fetch_timeout_ms: millis(quorum.fetch_timeout),
            request_timeout_ms: millis(quorum.request_timeout),
            retry_backoff_ms: millis(quorum.retry_backoff),
            session_timeout_ms: millis(config.registration.session_timeout),
            min_insync_replicas: min_insync.and_then(|number| i32::try_from(number).ok()).unwrap_or(1),
            requests_max: quorum.requests_max,
            registration: Registration {
                id: config.node_id,
                incarnation,
                endpoints: advertised,
                features: features::supported(),
                rack: config.registration.rack.clone(),
                log_dirs: directories,
                cordoned_log_dirs: Some(Vec::new()),
                previous_epoch: previous_epoch.unwrap_or(BrokerEpoch(-1)),
            },
            controller: Controller {
                id: config.node_id,
                incarnation: controller_incarnation,
                endpoints: controller_endpoints(config),
                features: features::supported(),
                zk_migration_ready: false,
            },
        }
    }
}

/// Refuses metadata that a newer release has raised beyond what this one knows: its records could be misread.
fn check_levels(image: &Image, directory: &Path) -> Result<(), Fault> {
    let supported = features::supported();
    for (name, &level) in &image.features {
        let most = supported.get(&**name).map_or(0, |range| range.max);
        if level > most {
            let reason = format!(
                "the cluster was raised to {name}={level}, and this release knows it up to {most}: start the release \
                 that raised it, or lower it there first with kafka-features downgrade"
            );
            return Err(Fault::Mismatch { path: directory.to_owned(), reason });
        }
    }
    Ok(())
}

fn fixed_voter(voter: &crate::config::Voter) -> Voter {
    // Voters of the configuration are known by id only.
    let key = ReplicaKey { id: voter.id, directory: Uuid::ZERO };
    let endpoint = raft::Endpoint { listener: String::new(), host: voter.host.clone(), port: voter.port };
    Voter { key, endpoints: vec![endpoint], kraft_versions: (0, 1) }
}

fn controller_endpoints(config: &NodeConfig) -> Vec<Endpoint> {
    config
        .listeners
        .advertised_controller
        .iter()
        .map(|endpoint| Endpoint {
            name: endpoint.listener.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.protocol.id(),
        })
        .collect()
}

/// A quorum whose log was read, and that has not begun to act.
pub struct LoadedQuorum {
    options: QuorumOptions,
    log: MetadataLog,
    loaded: LoadedMetadata,
    voters: VoterSet,
    /// The metadata directory's lock, where that is none of the log directories, whose locks are held already.
    lock: Option<DirectoryLock<RealDisk>>,
    reserve: Arc<Reserve>,
}

impl LoadedQuorum {
    /// Reads the metadata log of a formatted directory; what that must write may draw on the reserve.
    ///
    /// # Errors
    /// A fault of the disk, or a quorum this release cannot be part of.
    pub fn load(
        options: QuorumOptions,
        descriptors: &Descriptors<RealDisk>,
        reserve: Arc<Reserve>,
    ) -> Result<Self, Fault> {
        let apart = !options.registration.log_dirs.contains(&options.directory_id);
        let lock = apart.then(|| DirectoryLock::take(descriptors.disk(), &options.metadata_directory));
        let lock = lock.transpose()?;
        let opened = reserved(&mut (), &reserve, |()| {
            MetadataLog::open(descriptors, &options.metadata_directory, options.limits, wall())
        });
        let (log, loaded) = opened?;
        if let Some((path, reason)) = &loaded.cut {
            tracing::warn!(path = %path.display(), %reason, "the torn tail of the metadata log was cut");
        }
        check_levels(&loaded.image, log.directory())?;
        let voters = match &loaded.control.voters {
            Some(voters) => voters.clone(),
            None => VoterSet::new(options.fixed_voters.iter().cloned()),
        };
        let me = ReplicaKey { id: options.node_id, directory: options.directory_id };
        if !voters.is_only(me) {
            let ids: Vec<_> = voters.ids().map(|id| id.to_string()).collect();
            let reason = if ids.is_empty() {
                "it names no voters of the metadata quorum: if its files were removed, put them back; for a new cluster \
                 format an empty directory with --standalone"
                    .to_owned()
            } else {
                format!(
                    "the voters of the metadata quorum are [{}], and this release runs only a quorum of this node alone (node.id={}, directory {}): set controller.quorum.voters to this node, or format the directory with --standalone",
                    ids.join(", "),
                    options.node_id,
                    options.directory_id
                )
            };
            return Err(Fault::Mismatch { path: log.directory().to_owned(), reason });
        }
        Ok(Self { options, log, loaded, voters, lock, reserve })
    }

    /// The metadata as the log ends now: what belongs on this node.
    pub fn image(&self) -> &Image {
        self.loaded.image.visible()
    }

    /// Begins: elects this node, registers and unfences its broker, and hands the image to `apply`. Comes back once
    /// all that is committed and applied.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn start(self, apply: impl Apply) -> Result<Quorum, Fault> {
        let Self { options, log, loaded, voters, lock, reserve } = self;
        let directory = log.directory().to_owned();
        let clock = Clock::start();
        let raft = Raft::new(
            clock.now(),
            raft_config(&options, loaded.voters_unlogged),
            voters,
            loaded.model,
            loaded.quorum_state,
        );
        let shown = Arc::new(Shown {
            image: watch::Sender::new(Arc::new(loaded.image.visible().clone())),
            status: Mutex::new(raft.status()),
            voters: raft.voters().clone(),
            kraft_version: loaded.control.kraft_version,
            ended: watch::Sender::new(None),
        });
        let (commands, inbox) = std::sync::mpsc::sync_channel(options.requests_max);
        let node_id = options.node_id;
        let mut owner = Owner {
            raft,
            log,
            control: loaded.control,
            bootstrap: loaded.bootstrap,
            progress: Progress::new(loaded.image, clock.now()),
            sessions: Sessions::new(options.session_timeout_ms),
            apply: Box::new(apply),
            clock,
            shown: Arc::clone(&shown),
            reserve,
            _lock: lock,
            options,
        };
        let (boot, mut answers) = joining(&owner.options);
        let thread = std::thread::Builder::new().name("quorum".to_owned());
        let spawned = thread.spawn(move || {
            let stopped = owner.run(boot, &inbox);
            // Who asked for the end may start anew at once: the files are closed and the lock is free before that.
            drop(owner);
            if let Some(done) = stopped {
                let _ = done.send(());
            }
        });
        spawned.map_err(|error| Fault::io("start the quorum's thread for", &directory, error))?;
        let quorum = Quorum { commands, shown, node_id };
        for answer in answers.drain(..) {
            let answered = answer.await.unwrap_or_else(|_| Err(quorum.closed()));
            // What the log has met says more than that it is closed.
            answered.map_err(|error| {
                let refused = || Fault::Mismatch { path: directory.clone(), reason: error.to_string() };
                quorum.fault().unwrap_or_else(refused)
            })?;
        }
        Ok(quorum)
    }
}

type Joining = Box<dyn FnOnce(&Image) -> Result<Decision<()>, Refusal> + Send>;
type Joined = oneshot::Receiver<Result<(), super::QuorumError>>;

/// What this node's own broker asks of the controller at the start. Decided one after the other before anything is
/// answered, so that all of it shares an fsync.
fn joining(options: &QuorumOptions) -> (Vec<Decide>, Vec<Joined>) {
    let (id, registration) = (options.node_id, options.registration.clone());
    let mut decides: Vec<Decide> = Vec::new();
    let mut answers = Vec::new();
    let mut push = |decide: Joining| {
        let (answer, answered) = oneshot::channel();
        decides.push(deciding(move |ground| decide(ground.image), answer));
        answers.push(answered);
    };
    // The broker before in this directory is not alive: its lock is ours.
    push(Box::new(move |image| {
        decide_register_broker(image, &registration, false).map(Decision::without_response)
    }));
    // deviation: the broker of the same process has no session that could run out; it lives and dies with its
    // controller, and needs no heartbeats.
    push(Box::new(move |image| {
        let epoch = image.cluster.broker(id).map_or(BrokerEpoch(-1), |broker| broker.epoch);
        let metadata_offset = image.end();
        let beat = Heartbeat { id, epoch, metadata_offset, want_fence: false, want_shutdown: false };
        decide_heartbeat(image, beat).map(Decision::without_response)
    }));
    push(Box::new(move |image| decide_recovered(image, id)));
    (decides, answers)
}

fn raft_config(options: &QuorumOptions, voters_unlogged: bool) -> raft::Config {
    raft::Config {
        id: options.node_id,
        directory: options.directory_id,
        election_timeout_ms: options.election_timeout_ms,
        election_backoff_ms_max: options.election_backoff_ms_max,
        fetch_timeout_ms: options.fetch_timeout_ms,
        request_timeout_ms: options.request_timeout_ms,
        retry_backoff_ms: options.retry_backoff_ms,
        fetch_wait_ms_max: 500,
        voters_unlogged,
        seed: u64::from_be_bytes(random_id().0[..8].try_into().expect("an id has sixteen bytes")),
    }
}

/// Says why the owner ended, to everybody who asks.
pub(super) fn end(shown: &Shown, fault: &Fault) {
    tracing::error!(%fault, "the metadata log cannot be used any more: the node must stop");
    shown.ended.send_replace(Some(fault.clone()));
}
