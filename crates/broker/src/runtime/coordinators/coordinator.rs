//! All shards of one kind that this broker leads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use coordinator::partitioning::partition_of;
use coordinator::{Decision, Ground, Shard, Token};
use metadata::Image;
use partition::Verification;
use partition::producers::TransactionVersion;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, TopicId, Uuid};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use protocol::records::control::EndMarker;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, oneshot};

use super::CoordinatorError;
use super::led::{Due, Led, Taken, Turn};
use super::reign::Slot;
use super::timers;
use crate::Holdings;
use crate::config::NodeConfig;
use crate::runtime::partitions::Replica;
use crate::runtime::quorum::Quorum;

/// A shard with what the broker knows about its kind.
pub trait Coordinated: Shard {
    /// Its internal topic.
    const TOPIC: &'static str;

    /// The settings that its decisions rest on.
    fn config(config: &NodeConfig) -> Arc<Self::Config>;

    /// How its records are compressed.
    fn compression(config: &NodeConfig) -> Compression;

    /// How many bytes of its log are read at a time when it is loaded.
    fn load_bytes(config: &NodeConfig) -> u32;

    /// How long an answer may wait for replicas.
    fn commit_timeout(config: &NodeConfig) -> Duration;

    /// Topics were deleted: what has to be done about it, if anything.
    fn topics_deleted(&self, topics: &[(Arc<str>, TopicId)]) -> Option<Decision<Self, ()>>;
}

/// The shards of one kind.
pub struct Coordinator<S: Coordinated> {
    pub(super) holdings: Arc<Holdings>,
    pub(super) quorum: Quorum,
    /// The runtime for loads and time-outs, once this has been started.
    pub(super) tasks: OnceLock<Handle>,
    pub(super) slots: RwLock<BTreeMap<PartitionIndex, Slot<S>>>,
    tokens: AtomicU64,
    /// What the task of the time-outs sleeps until.
    pub(super) armed: AtomicI64,
    pub(super) rearm: Notify,
    pub(super) stopped: AtomicBool,
}

/// The shards of this broker, counted.
pub struct Census<R> {
    /// What was seen of each that answers.
    pub active: Vec<R>,
    /// How many are being loaded.
    pub loading: usize,
    /// How many cannot be.
    pub failed: usize,
}

/// What asking a coordinator comes to.
pub type Answered<S, R> = Result<R, CoordinatorError<<S as Shard>::Refusal>>;

impl<S: Coordinated> Coordinator<S> {
    pub(super) fn new(holdings: Arc<Holdings>, quorum: Quorum) -> Self {
        Self {
            holdings,
            quorum,
            tasks: OnceLock::new(),
            slots: RwLock::default(),
            tokens: AtomicU64::new(1),
            armed: AtomicI64::new(i64::MAX),
            rearm: Notify::new(),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn start(self: &Arc<Self>) {
        if self.tasks.set(Handle::current()).is_err() {
            return;
        }
        tokio::spawn(timers::run(Arc::downgrade(self)));
        let (weak, mut images) = (Arc::downgrade(self), self.quorum.watch());
        let mut known = images.borrow_and_update().clone();
        self.follow(&known);
        tokio::spawn(async move {
            while images.changed().await.is_ok() {
                let image = images.borrow_and_update().clone();
                let Some(coordinator) = weak.upgrade() else { return };
                coordinator.follow(&image);
                coordinator.forget_deleted(&known, &image);
                known = image;
            }
        });
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let slots = std::mem::take(&mut *self.slots.write().unwrap_or_else(PoisonError::into_inner));
        for slot in slots.into_values() {
            if let Slot::Active(led) = slot {
                led.end();
            }
        }
        self.rearm.notify_one();
    }

    /// The partition that a key belongs to.
    ///
    /// # Errors
    /// The internal topic is not there.
    pub fn partition_of(&self, key: &str) -> Answered<S, PartitionIndex> {
        let image = self.quorum.image();
        let topic = image.topics.by_name(S::TOPIC).ok_or(CoordinatorError::NotCoordinator)?;
        let count = u32::try_from(topic.partitions.len()).unwrap_or(1);
        Ok(partition_of(key, count))
    }

    /// Has the shard of a key decide, and answers once that is committed.
    ///
    /// # Errors
    /// The shard's refusal, or why there is no shard.
    pub async fn submit<R: Send>(
        self: &Arc<Self>,
        key: &str,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        self.submit_verified(key, Verification::NotRequired, decide).await
    }

    /// As [`Self::submit`], for records that are part of a transaction: with what its coordinator said.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_verified<R: Send>(
        self: &Arc<Self>,
        key: &str,
        verification: Verification,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        let led = self.led(self.partition_of(key)?)?;
        let (reply, due) = self.take(&led, verification, None, decide)?;
        self.committed(&led, due).await?;
        reply.ok_or_else(|| CoordinatorError::NotAvailable("the request has no answer of its own".to_owned()))
    }

    /// As [`Self::submit`], for a request whose answer may have to wait for other requests.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_and_wait(
        self: &Arc<Self>,
        key: &str,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<S, S::Answer>, S::Refusal> + Send,
    ) -> Answered<S, S::Answer> {
        let led = self.led(self.partition_of(key)?)?;
        let (waiting, told) = oneshot::channel();
        let (reply, due) = self.take(&led, Verification::NotRequired, Some(waiting), decide)?;
        self.committed(&led, due).await?;
        match reply {
            Some(reply) => Ok(reply),
            None => told.await.unwrap_or(Err(CoordinatorError::NotCoordinator)),
        }
    }

    /// Looks at the shard of a key; what it sees is committed when it is answered.
    ///
    /// # Errors
    /// Why there is no shard.
    pub async fn read<R: Send>(
        self: &Arc<Self>,
        key: &str,
        look: impl FnOnce(&S) -> R + Send,
    ) -> Answered<S, R> {
        let led = self.led(self.partition_of(key)?)?;
        let (seen, end) = where_it_may_wait(&led.replica, || led.look(look))?;
        self.wait(&led, end).await?;
        Ok(seen)
    }

    /// Looks at every shard there is. One that is still loading is an error, as nobody may take its groups for gone.
    ///
    /// # Errors
    /// A shard is being loaded.
    pub async fn read_all<R: Send>(self: &Arc<Self>, look: impl Fn(&S) -> R + Send) -> Answered<S, Vec<R>> {
        let mut all = Vec::new();
        for led in self.all_led()? {
            let Ok((seen, end)) = where_it_may_wait(&led.replica, || led.look(&look)) else { continue };
            self.wait(&led, end).await?;
            all.push(seen);
        }
        Ok(all)
    }

    /// Ends a transaction in a partition of the internal topic.
    ///
    /// # Errors
    /// Why there is no shard, or it cannot be written.
    pub async fn end_transaction(
        self: &Arc<Self>,
        index: PartitionIndex,
        producer: (ProducerId, ProducerEpoch),
        marker: EndMarker,
        transaction_version: TransactionVersion,
    ) -> Answered<S, ()> {
        let led = self.led(index)?;
        let now = self.holdings.now();
        let end = where_it_may_wait(&led.replica, || {
            led.end_transaction(producer, marker, transaction_version, now)
        })?;
        self.wait(&led, end).await
    }

    pub(super) fn take<R>(
        &self,
        led: &Led<S>,
        verification: Verification,
        waiting: Option<oneshot::Sender<Answered<S, S::Answer>>>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<S, R>, S::Refusal>,
    ) -> Taken<S, R> {
        let (config, image) = (self.holdings.config(), self.quorum.image());
        let settings = S::config(&config);
        let turn = Turn {
            ground: self.ground(&image, &settings),
            compression: S::compression(&config),
            verification,
            waiting,
        };
        let taken = where_it_may_wait(&led.replica, || led.take(turn, decide));
        self.arm(led);
        taken
    }

    pub(super) fn ground<'a>(&self, image: &'a Image, config: &'a S::Config) -> Ground<'a, S::Config> {
        Ground {
            now: self.holdings.now(),
            image,
            config,
            token: Token(self.tokens.fetch_add(1, Ordering::Relaxed)),
            random: Uuid(uuid::Uuid::new_v4().into_bytes()),
        }
    }

    /// Has the task of the time-outs look again if it would sleep too long.
    pub(super) fn arm(&self, led: &Led<S>) {
        if led.wake_at.load(Ordering::SeqCst) < self.armed.load(Ordering::SeqCst) {
            self.rearm.notify_one();
        }
    }

    /// Waits until what was decided is committed. The answers to others are given even if who asked gives up.
    async fn committed(&self, led: &Arc<Led<S>>, due: Due<S>) -> Answered<S, ()> {
        let end = due.end;
        if led.progress.is_safe(end) {
            due.tell(Ok(()));
            return Ok(());
        }
        self.tell_later(led, due);
        self.wait(led, end).await
    }

    pub(super) fn tell_later(&self, led: &Arc<Led<S>>, due: Due<S>) {
        if due.is_empty() {
            return;
        }
        if led.progress.is_safe(due.end) {
            due.tell(Ok(()));
            return;
        }
        let (progress, most) = (led.progress.clone(), S::commit_timeout(&self.holdings.config()));
        let telling = async move {
            let outcome = progress.wait(due.end, most).await;
            due.tell(outcome);
        };
        match self.tasks.get() {
            Some(tasks) => drop(tasks.spawn(telling)),
            None => drop(tokio::spawn(telling)),
        }
    }

    async fn wait(&self, led: &Led<S>, end: Offset) -> Answered<S, ()> {
        if led.progress.is_safe(end) {
            return Ok(());
        }
        let most = S::commit_timeout(&self.holdings.config());
        led.progress.wait(end, most).await.map_err(CoordinatorError::NotAvailable)
    }

    fn led(self: &Arc<Self>, index: PartitionIndex) -> Answered<S, Arc<Led<S>>> {
        if let Some(found) = self.slot(index) {
            return found;
        }
        // A partition may be younger than what has been followed of the metadata.
        if self.tasks.get().is_some() && self.lead(index) {
            return self.slot(index).unwrap_or(Err(CoordinatorError::Loading));
        }
        Err(CoordinatorError::NotCoordinator)
    }

    fn slot(&self, index: PartitionIndex) -> Option<Answered<S, Arc<Led<S>>>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(&index).map(|slot| match slot {
            Slot::Active(led) => Ok(led.clone()),
            Slot::Loading(_) => Err(CoordinatorError::Loading),
            Slot::Failed(_) => Err(CoordinatorError::NotCoordinator),
        })
    }

    /// Looks at every shard that answers, for metrics: nothing is waited for.
    pub fn census<R>(&self, look: impl Fn(&S) -> R) -> Census<R> {
        let (mut loading, mut failed) = (0, 0);
        for slot in self.slots.read().unwrap_or_else(PoisonError::into_inner).values() {
            loading += usize::from(matches!(slot, Slot::Loading(_)));
            failed += usize::from(matches!(slot, Slot::Failed(_)));
        }
        let seen = self.every_led().into_iter().filter_map(|led| led.look(&look).ok());
        Census { active: seen.map(|(seen, _)| seen).collect(), loading, failed }
    }

    /// The shards that answer, whatever becomes of the others.
    pub(super) fn every_led(&self) -> Vec<Arc<Led<S>>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let active = |slot: &Slot<S>| if let Slot::Active(led) = slot { Some(led.clone()) } else { None };
        slots.values().filter_map(active).collect()
    }

    /// The shards that answer.
    ///
    /// # Errors
    /// One is being loaded.
    pub(super) fn all_led(&self) -> Answered<S, Vec<Arc<Led<S>>>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::with_capacity(slots.len());
        for slot in slots.values() {
            match slot {
                Slot::Active(led) => all.push(led.clone()),
                Slot::Loading(_) => return Err(CoordinatorError::Loading),
                Slot::Failed(_) => {}
            }
        }
        Ok(all)
    }
}

/// Does what takes a shard and writes its log. Where the disk does not keep up, the thread is given up to waiting and
/// another takes what else it had to do, so that a stalled directory holds up its own shards and nothing else.
pub(super) fn where_it_may_wait<R>(replica: &Replica, work: impl FnOnce() -> R) -> R {
    let threads = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match threads {
        Ok(RuntimeFlavor::MultiThread) if replica.may_stall() => tokio::task::block_in_place(work),
        _ => work(),
    }
}
