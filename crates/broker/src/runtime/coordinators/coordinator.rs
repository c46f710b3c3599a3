//! All shards of one kind that this broker leads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use coordinator::partitioning::partition_of;
use coordinator::{Decision, Ground, Shard, Token};
use metadata::Image;
use partition::Verification;
use protocol::id::{LeaderEpoch, PartitionIndex, TopicId};
use protocol::offset::Offset;
use protocol::records::compression::Compression;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::CoordinatorError;
use super::Led;
use super::figures::Figures;
use super::random_ids::RandomIds;
use super::shared::led::Due;
use super::shared::{Answered, Asked, Counted, Marker, MarkerInLog, Slots, Taken, Turn};
use super::timers::{self, Alarm};
use crate::Holdings;
use crate::config::NodeConfig;
use crate::runtime::directory_turns::{DirectoryTurn, DirectoryTurns};
use crate::runtime::partitions::Replica;
use crate::runtime::quorum::Quorum;
use crate::runtime::slow_lanes::SlowLanes;

/// A shard with what the broker knows about its kind.
pub trait Coordinated: Shard {
    /// Its internal topic.
    const TOPIC: &'static str;

    /// The settings that its decisions rest on.
    fn config(config: &NodeConfig) -> &Self::Config;

    /// How its records are compressed.
    fn compression(config: &NodeConfig) -> Compression;

    /// How many bytes of its log are read at a time when it is loaded.
    fn load_bytes(config: &NodeConfig) -> u32;

    /// How long an answer may wait for replicas.
    fn commit_timeout(config: &NodeConfig) -> Duration;

    /// Counts what records come to that have just been appended and are about to be replayed; `by_itself` are those that
    /// nobody has asked for.
    fn count(&self, records: &[Self::Record<'_>], by_itself: bool, figures: &Figures);

    /// Topics were deleted: what has to be done about it, if anything.
    fn topics_deleted(
        &self,
        ground: &Ground<'_, Self::Config>,
        topics: &[(Arc<str>, TopicId)],
    ) -> Option<Decision<'static, Self, ()>>;
}

/// The shards of one kind.
pub struct Coordinator<S: Coordinated> {
    pub(super) holdings: Arc<Holdings>,
    pub(super) quorum: Quorum,
    /// The runtime for loads and time-outs, once this has been started.
    pub(super) tasks: OnceLock<Handle>,
    pub(super) slots: Slots<S, Replica>,
    tokens: AtomicU64,
    random: RandomIds,
    /// Wakes the task of the time-outs.
    pub(super) alarm: Alarm,
    /// Told when a shard was loaded or has acted by itself: for who follows what shards come to.
    pub(super) changed: Notify,
    pub(super) stopped: AtomicBool,
    /// What it has come to, for metrics.
    pub(super) figures: Arc<Figures>,
    /// Where what nobody asked for waits for a disk: a thread for each directory.
    pub(super) lanes: SlowLanes,
    /// Who may come to wait for a directory.
    turns: Arc<DirectoryTurns>,
}

/// The shards of this broker, counted.
pub struct Census<R> {
    /// What was seen of each that answers; none where somebody has it in hand.
    pub active: Vec<(PartitionIndex, Option<R>)>,
    /// How many are being loaded.
    pub loading: usize,
    /// How many cannot be.
    pub failed: usize,
}

impl<S: Coordinated> Coordinator<S> {
    pub(super) fn new(holdings: Arc<Holdings>, quorum: Quorum, turns: Arc<DirectoryTurns>) -> Self {
        Self {
            holdings,
            quorum,
            tasks: OnceLock::new(),
            slots: Slots::default(),
            tokens: AtomicU64::new(1),
            random: RandomIds::new(),
            alarm: Alarm::default(),
            changed: Notify::new(),
            stopped: AtomicBool::new(false),
            figures: Arc::default(),
            lanes: SlowLanes::default(),
            turns,
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
        for led in self.slots.end() {
            self.let_go(led);
        }
        self.alarm.ring();
        self.changed.notify_one();
    }

    /// The partition that a key belongs to.
    ///
    /// # Errors
    /// The internal topic is not there.
    pub fn partition_of(&self, key: &str) -> Answered<S, PartitionIndex> {
        Self::partition_in(&self.quorum.image(), key)
    }

    fn partition_in(image: &Image, key: &str) -> Answered<S, PartitionIndex> {
        let topic = image.topics.by_name(S::TOPIC).ok_or(CoordinatorError::NotCoordinator)?;
        let count = u32::try_from(topic.partitions.len()).unwrap_or(1);
        Ok(partition_of(key, count))
    }

    /// The replica that the shard of a key writes.
    ///
    /// # Errors
    /// Why there is no shard.
    pub fn replica_of(self: &Arc<Self>, key: &str) -> Answered<S, Arc<Replica>> {
        Ok(self.led(self.partition_of(key)?)?.replica.clone())
    }

    /// Has the shard of a key decide, and answers once that is committed.
    ///
    /// # Errors
    /// The shard's refusal, or why there is no shard.
    pub async fn submit<'r, R: Send>(
        self: &Arc<Self>,
        key: &str,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        self.submit_verified(key, Verification::NotRequired, decide).await
    }

    /// As [`Self::submit`], for what writes nothing, and without a future: neither disk nor anybody else
    /// is waited for. `None` where one would have to be, or the decision writes something; it is to be submitted then.
    pub fn at_once<'r, R>(
        self: &Arc<Self>,
        key: &str,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Option<Answered<S, R>> {
        self.with_led(key, |led, ground| {
            let taken = led.take_at_once(ground, decide);
            self.arm(led);
            taken
        })
    }

    /// As [`Self::at_once`], for what the shard need not decide about: it hears of somebody, and nothing is due any sooner by it.
    pub fn hear<R>(
        self: &Arc<Self>,
        key: &str,
        hear: impl FnOnce(&mut S, &Ground<'_, S::Config>) -> Option<Result<R, S::Refusal>>,
    ) -> Option<Answered<S, R>> {
        self.with_led(key, |led, ground| led.hear_at_once(|shard| hear(shard, ground)))
    }

    /// Does something with the shard of a key, and with what a decision rests on.
    fn with_led<R>(
        self: &Arc<Self>,
        key: &str,
        work: impl FnOnce(&Led<S>, &Ground<'_, S::Config>) -> Option<Answered<S, R>>,
    ) -> Option<Answered<S, R>> {
        let (config, image) = (self.holdings.config(), self.quorum.image());
        match Self::partition_in(&image, key).and_then(|index| self.led(index)) {
            Ok(led) => work(&led, &self.ground(&image, S::config(&config))),
            Err(error) => Some(Err(error)),
        }
    }

    /// As [`Self::submit`], for records that are part of a transaction: with what its coordinator said.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_verified<'r, R: Send>(
        self: &Arc<Self>,
        key: &str,
        verification: Verification,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        self.submit_asked(key, Asked::By(verification), decide).await
    }

    /// As [`Self::submit`], for what nobody asks for: time has passed.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub(super) async fn submit_by_itself<'r, R: Send>(
        self: &Arc<Self>,
        key: &str,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        self.submit_asked(key, Asked::ByNobody, decide).await
    }

    async fn submit_asked<'r, R: Send>(
        self: &Arc<Self>,
        key: &str,
        asked: Asked,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal> + Send,
    ) -> Answered<S, R> {
        let led = self.led(self.partition_of(key)?)?;
        let turn = self.turn(&led).await?;
        let taken = self.take(&led, asked, None, decide);
        drop(turn);
        let (reply, due) = taken?;
        self.committed(&led, due).await?;
        reply.ok_or_else(|| CoordinatorError::NotAvailable("the request has no answer of its own".to_owned()))
    }

    /// As [`Self::submit`], for a request whose answer may have to wait for other requests, and that holds what those may
    /// wait for: it lets go of it once it is decided, and waits without it.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_and_let_go<'r>(
        self: &Arc<Self>,
        key: &str,
        held: impl Send,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, S::Answer>, S::Refusal> + Send,
    ) -> Answered<S, S::Answer> {
        let led = self.led(self.partition_of(key)?)?;
        let (waiting, told) = oneshot::channel();
        let turn = self.turn(&led).await?;
        let taken = self.take(&led, Asked::By(Verification::NotRequired), Some(waiting), decide);
        drop((turn, held));
        let (reply, due) = taken?;
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
        let turn = self.turn(&led).await?;
        let seen = self.whole(&led, led.look(look));
        drop(turn);
        let (seen, end) = seen?;
        self.wait(&led, end).await?;
        Ok(seen)
    }

    /// As [`Self::read`], and shows at which epoch this broker leads the shard's partition.
    ///
    /// # Errors
    /// Why there is no shard.
    pub(super) async fn read_led<R: Send>(
        self: &Arc<Self>,
        key: &str,
        look: impl FnOnce(&S, LeaderEpoch) -> R + Send,
    ) -> Answered<S, R> {
        let led = self.led(self.partition_of(key)?)?;
        let epoch = led.leader_epoch;
        let turn = self.turn(&led).await?;
        let seen = self.whole(&led, led.look(|shard| look(shard, epoch)));
        drop(turn);
        let (seen, end) = seen?;
        self.wait(&led, end).await?;
        Ok(seen)
    }

    /// Looks at every shard there is. One that is still loading is an error, as nobody may take its groups for gone.
    ///
    /// # Errors
    /// A shard is being loaded.
    pub async fn read_all<R: Send>(self: &Arc<Self>, look: impl Fn(&S) -> R + Send) -> Answered<S, Vec<R>> {
        let mut all = Vec::new();
        for led in self.slots.active_unless_loading()? {
            let turn = self.turn(&led).await?;
            let seen = self.whole(&led, led.look(&look));
            drop(turn);
            let (seen, end) = match seen {
                Ok(seen) => seen,
                Err(CoordinatorError::Loading) => return Err(CoordinatorError::Loading),
                Err(_) => continue,
            };
            self.wait(&led, end).await?;
            all.push(seen);
        }
        Ok(all)
    }

    /// Ends a transaction in a partition of the internal topic: appends the marker, which counts once it is safe.
    ///
    /// # Errors
    /// Why there is no shard, or it cannot be written.
    pub(super) async fn end_transaction(
        self: &Arc<Self>,
        index: PartitionIndex,
        marker: Marker,
    ) -> Answered<S, MarkerInLog> {
        let led = self.led(index)?;
        let now = self.holdings.now();
        let turn = self.turn(&led).await?;
        let ended = self.whole(&led, led.end_transaction(marker, now));
        drop(turn);
        ended
    }

    pub(super) fn take<'r, R>(
        self: &Arc<Self>,
        led: &Arc<Led<S>>,
        asked: Asked,
        waiting: Option<oneshot::Sender<Answered<S, S::Answer>>>,
        decide: impl FnOnce(&S, &Ground<'_, S::Config>) -> Result<Decision<'r, S, R>, S::Refusal>,
    ) -> Taken<S, R> {
        let (config, image) = (self.holdings.config(), self.quorum.image());
        let turn = Turn {
            ground: self.ground(&image, S::config(&config)),
            compression: S::compression(&config),
            asked,
            waiting,
        };
        let taken = self.whole(led, led.take(turn, decide));
        self.arm(led);
        taken
    }

    /// What came of a shard, unless a thread has panicked with it: then it is loaded anew.
    pub(super) fn whole<R>(self: &Arc<Self>, led: &Arc<Led<S>>, outcome: Answered<S, R>) -> Answered<S, R> {
        if outcome.is_err() && led.is_broken() {
            self.load_anew(led);
            return Err(CoordinatorError::Loading);
        }
        outcome
    }

    /// A request's turn at a shard.
    async fn turn(&self, led: &Led<S>) -> Answered<S, Option<DirectoryTurn>> {
        self.turn_at(&led.replica).await
    }

    /// A turn at a log. Where many wait for a disk, the others wait without a thread.
    pub(super) async fn turn_at(&self, replica: &Replica) -> Answered<S, Option<DirectoryTurn>> {
        let directory = replica.directory().id();
        if let Some(turn) = self.turns.at_once(directory) {
            return Ok(turn);
        }
        let most = S::commit_timeout(&self.holdings.config());
        let turn = Box::pin(self.turns.wait(directory, most)).await;
        turn.map_err(|error| CoordinatorError::NotAvailable(error.to_string()))
    }

    pub(super) fn ground<'a>(&'a self, image: &'a Image, config: &'a S::Config) -> Ground<'a, S::Config> {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed));
        Ground { now: self.holdings.now(), image, config, token, random: &self.random }
    }

    /// Has the task of the time-outs look again if it would sleep too long.
    pub(super) fn arm(&self, led: &Led<S>) {
        self.alarm.due(led.due_at());
    }

    /// Waits until what was decided is committed. The answers to others are given even if who asked gives up.
    async fn committed(&self, led: &Arc<Led<S>>, due: Due<S>) -> Answered<S, ()> {
        led.committed(due, || S::commit_timeout(&self.holdings.config()), |at| self.again(led, at)).await
    }

    pub(super) fn tell_later(&self, led: &Arc<Led<S>>, due: Due<S>) {
        led.tell(due, || S::commit_timeout(&self.holdings.config()));
    }

    async fn wait(&self, led: &Arc<Led<S>>, end: Offset) -> Answered<S, ()> {
        led.safe(end, || S::commit_timeout(&self.holdings.config()), |at| self.again(led, at)).await
    }

    /// Has a log brought to stable storage once more.
    fn again(&self, led: &Led<S>, at: Offset) {
        let (progress, replica) = (led.progress.clone(), led.replica.clone());
        let job = move || {
            if let Err(fault) = progress.appended(&replica, at) {
                progress.fail(at, &fault.to_string());
            }
        };
        self.lanes.submit(led.replica.directory().id(), Box::new(job));
    }

    pub(super) fn led(self: &Arc<Self>, index: PartitionIndex) -> Answered<S, Arc<Led<S>>> {
        if let Some(found) = self.slots.find(index) {
            return found;
        }
        // A partition may be younger than what has been followed of the metadata.
        let image = self.quorum.image();
        let partition = image.topics.by_name(S::TOPIC).and_then(|topic| topic.partition(index));
        let led_here = partition.filter(|partition| partition.leader == Some(self.holdings.node_id));
        if led_here.is_some_and(|partition| self.lead(index, partition.leader_epoch)) {
            return self.slots.find(index).unwrap_or(Err(CoordinatorError::Loading));
        }
        Err(CoordinatorError::NotCoordinator)
    }

    /// What they have come to since the broker began.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Looks at every shard that answers, for metrics: nothing is waited for.
    pub fn census<R>(&self, look: impl Fn(&S) -> R) -> Census<R> {
        let Counted { loading, failed } = self.slots.counted();
        let active = self.slots.active();
        let seen = active.iter().map(|led| (led.replica.index, led.glance(&look)));
        Census { active: seen.collect(), loading, failed }
    }
}
