//! The machine itself: what one replica knows, and the verbs that change it.

use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;
use protocol::records::batches::Batch;

use crate::append::{AppendPlan, end_marker};
use crate::leader_epochs::{EpochEntry, LeaderEpochs};
use crate::producers::{ProducerEntry, ProducerUpdate, Producers, marker_update, replayed_data};
use crate::refusal::AppendRefusal;
use crate::rules::Millis;
use crate::transactions::{AbortedTransaction, Transactions};
use crate::verifications::{FirstBatch, VerificationGuard, Verifications};
use crate::watermarks::{Leadership, Role, Watermarks};

/// One replica of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    watermarks: Watermarks,
    leader_epochs: LeaderEpochs,
    producers: Producers,
    transactions: Transactions,
    verifications: Verifications,
    role: Role,
    /// Set while appends wait for stable storage: what lies behind counts for no high watermark yet.
    synced: Option<Offset>,
}

/// What the files of a log say when it is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored<P, E> {
    /// `log-start-offset-checkpoint`, or the first segment's base offset if that is larger.
    pub log_start: Offset,
    /// `replication-offset-checkpoint`; brought between start and end.
    pub high_watermark: Offset,
    /// The offset that the producer snapshot was taken at, or the log start without one: replay begins there.
    pub snapshot_offset: Offset,
    /// The snapshot's producers.
    pub producers: P,
    /// The lines of `leader-epoch-checkpoint`.
    pub leader_epochs: E,
}

impl Partition {
    /// An empty log that begins at `log_start`.
    pub fn empty(log_start: Offset) -> Self {
        Self {
            watermarks: Watermarks::new(log_start, log_start, log_start),
            leader_epochs: LeaderEpochs::default(),
            producers: Producers::default(),
            transactions: Transactions::default(),
            verifications: Verifications::default(),
            role: Role::Unknown,
            synced: None,
        }
    }

    /// The machine as of a producer snapshot. The batches from there on are to be replayed, in order, up to the end
    /// of the log; producers silent for `expiration` are left out. The high watermark is given again once the
    /// log end is known, by `restore_high_watermark`.
    pub fn restore<P, E>(restored: Restored<P, E>, now: Timestamp, expiration: Millis) -> Self
    where
        P: IntoIterator<Item = ProducerEntry>,
        E: IntoIterator<Item = EpochEntry>,
    {
        let producers = Producers::from_entries(restored.producers, now, expiration);
        let mut transactions = Transactions::default();
        for (producer_id, state) in producers.iter() {
            if let Some(first_offset) = state.current_transaction_first_offset {
                transactions.begin(producer_id, first_offset);
            }
        }
        let log_end = restored.snapshot_offset.max(restored.log_start);
        Self {
            watermarks: Watermarks::new(restored.log_start, restored.high_watermark, log_end),
            leader_epochs: LeaderEpochs::from_entries(restored.leader_epochs),
            producers,
            transactions,
            verifications: Verifications::default(),
            role: Role::Unknown,
            synced: None,
        }
    }

    /// Takes in a batch that was copied from a leader. Returns the transaction index entry it brings. A batch that does
    /// not end behind the log end is refused, and so is one whose marker cannot be read: what is in a file is not to be
    /// trusted.
    pub fn replay(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, AppendRefusal> {
        let aborted = self.take_in(batch)?;
        self.leader_epochs.assign(batch.header.leader_epoch, batch.header.base_offset);
        Ok(aborted)
    }

    /// Takes in a batch that was in the log before, after a crash or a truncation, by the rules of [`Self::replay`]. Where
    /// the epochs known so far begin stays as the checkpoint says, for the walk may begin in the middle of one.
    pub fn reload(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, AppendRefusal> {
        let aborted = self.take_in(batch)?;
        let header = &batch.header;
        if self.leader_epochs.latest().is_none_or(|latest| header.leader_epoch > latest) {
            self.leader_epochs.assign(header.leader_epoch, header.base_offset);
        }
        Ok(aborted)
    }

    fn take_in(&mut self, batch: &Batch<'_>) -> Result<Option<AbortedTransaction>, AppendRefusal> {
        let header = &batch.header;
        if header.next_offset() <= header.base_offset.max(self.watermarks.log_end) {
            return Err(AppendRefusal::OffsetsOutOfOrder { base_offset: header.base_offset });
        }
        let mut aborted = None;
        if header.has_producer_id()
            && let Some(update) = self.replayed(batch)?
        {
            aborted = self.aborted_by(&update);
            self.apply(&update);
        }
        assert!(
            header.next_offset() > self.watermarks.log_end,
            "a batch is replayed that is behind the log end"
        );
        self.watermarks.log_end = header.next_offset();
        Ok(aborted)
    }

    fn replayed(&self, batch: &Batch<'_>) -> Result<Option<ProducerUpdate>, AppendRefusal> {
        let header = &batch.header;
        let state = self.producers.get(header.producer_id);
        if !header.attributes.is_control() {
            return Ok(Some(replayed_data(state, header)));
        }
        let Some((marker, timestamp)) = end_marker(batch)? else { return Ok(None) };
        Ok(Some(ProducerUpdate::Marker(marker_update(state, header, marker, timestamp))))
    }

    /// Ends loading, once all batches are replayed: what the epochs hold beyond the log is forgotten, and the marks are
    /// where the files and checkpoints put them. A log may end behind its last batch, never before it.
    pub fn loaded(mut self, log_start: Offset, high_watermark: Offset, log_end: Offset) -> Self {
        assert!(
            log_end >= self.watermarks.log_end || self.watermarks.log_end <= log_start,
            "a log that ends at {log_end} was replayed up to {}",
            self.watermarks.log_end
        );
        self.leader_epochs.truncate_from_end(log_end);
        self.leader_epochs.truncate_from_start(log_start);
        self.watermarks = Watermarks::new(log_start, high_watermark, log_end);
        self.transactions.safe_up_to(self.watermarks.high_watermark);
        self
    }

    /// This machine in the role of another: truncation makes a machine anew and changes nothing about who leads.
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Sets the checkpointed high watermark once all batches are replayed.
    pub fn restore_high_watermark(&mut self, checkpoint: Offset) {
        let Watermarks { log_start, log_end, .. } = self.watermarks;
        self.watermarks = Watermarks::new(log_start, checkpoint, log_end);
        self.transactions.safe_up_to(self.watermarks.high_watermark);
    }

    /// Applies a plan whose bytes are in the log. Returns whether the high watermark has moved.
    pub fn appended(&mut self, plan: &AppendPlan) -> bool {
        assert_eq!(
            plan.base_offset, self.watermarks.log_end,
            "a plan is applied that was made for another log end"
        );
        if let Some(update) = &plan.producer {
            self.apply(update);
        }
        self.leader_epochs.assign(plan.leader_epoch, plan.base_offset);
        self.watermarks.log_end = plan.next_offset();
        self.advance_high_watermark()
    }

    /// Applies a plan whose bytes are in the log and must be on stable storage before readers see them: the high watermark
    /// waits for [`Self::synced`]. Returns whether it has moved all the same.
    pub fn appended_unsynced(&mut self, plan: &AppendPlan) -> bool {
        self.synced.get_or_insert(self.watermarks.log_end);
        self.appended(plan)
    }

    /// Everything before `upto` is on stable storage. Returns whether the high watermark has moved.
    pub fn synced(&mut self, upto: Offset) -> bool {
        self.synced =
            self.synced.map(|synced| synced.max(upto)).filter(|synced| *synced < self.watermarks.log_end);
        self.advance_high_watermark()
    }

    /// Bounds how many producers are remembered.
    pub fn set_producer_ids_max(&mut self, ids_max: u32) {
        self.producers.set_ids_max(ids_max);
    }

    fn apply(&mut self, update: &ProducerUpdate) {
        match update {
            ProducerUpdate::Data(data) => {
                if let Some(first_offset) = data.begins_at {
                    self.transactions.begin(data.producer_id, first_offset);
                }
                self.verifications.appended(data.producer_id);
            }
            ProducerUpdate::Marker(marker) => {
                if let Some(completed) = &marker.completed {
                    self.transactions.complete(completed);
                }
                self.verifications.marked(marker.producer_id, marker.producer_epoch);
            }
        }
        self.producers.apply(update);
    }

    /// Leads from now on. Returns whether the leader epochs have changed: a new epoch is noted before its first record,
    /// so that followers can be told where to cut (KAFKA-7415).
    pub fn become_leader(
        &mut self,
        leader_epoch: LeaderEpoch,
        local: NodeId,
        in_sync_min: usize,
        in_sync: impl IntoIterator<Item = NodeId>,
    ) -> bool {
        let log_end = self.watermarks.log_end;
        let changed = self.leader_epochs.assign(leader_epoch, log_end);
        let start = match &self.role {
            Role::Leader(known) if known.leader_epoch == leader_epoch => known.epoch_start_offset,
            _ => log_end,
        };
        self.role = Role::Leader(Leadership::new(leader_epoch, start, local, in_sync_min, in_sync));
        self.advance_high_watermark();
        changed
    }

    /// Follows the leader of this epoch from now on.
    pub fn become_follower(&mut self, leader_epoch: LeaderEpoch) {
        self.role = Role::Follower { leader_epoch };
    }

    /// Replaces the in-sync set of the leader. Returns whether the high watermark has moved.
    pub fn set_in_sync(
        &mut self,
        confirmed: impl IntoIterator<Item = NodeId>,
        pending: impl IntoIterator<Item = NodeId>,
    ) -> bool {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.set_in_sync(confirmed, pending);
        }
        self.advance_high_watermark()
    }

    /// Sets how many replicas acks=all asks for: the smaller of `min.insync.replicas` and the number of replicas.
    pub fn set_in_sync_min(&mut self, in_sync_min: usize) -> bool {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.set_in_sync_min(in_sync_min);
        }
        self.advance_high_watermark()
    }

    /// A follower has fetched from `log_end` on. Returns whether the high watermark has moved.
    pub fn follower_reached(&mut self, follower: NodeId, log_end: Offset) -> bool {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.follower_reached(follower, log_end);
        }
        self.advance_high_watermark()
    }

    /// Takes the high watermark that the leader has told, as far as this log reaches. Returns whether it moved.
    pub fn follow_high_watermark(&mut self, leader: Offset) -> bool {
        let Watermarks { log_start, log_end, high_watermark } = self.watermarks;
        self.raise_high_watermark(leader.clamp(log_start, log_end).max(high_watermark))
    }

    fn advance_high_watermark(&mut self) -> bool {
        match &self.role {
            Role::Leader(leadership) => {
                let end = self.synced.unwrap_or(self.watermarks.log_end);
                leadership.high_watermark(end).is_some_and(|safe| self.raise_high_watermark(safe))
            }
            Role::Follower { .. } | Role::Unknown => false,
        }
    }

    fn raise_high_watermark(&mut self, safe: Offset) -> bool {
        if safe <= self.watermarks.high_watermark {
            return false;
        }
        assert!(safe <= self.watermarks.log_end, "the high watermark would pass the log end");
        self.watermarks.high_watermark = safe;
        self.transactions.safe_up_to(safe);
        true
    }

    /// Moves the log start up, after DeleteRecords or retention, and with it a high watermark and a log end that are
    /// behind. Returns whether the leader epochs have changed.
    pub fn set_log_start(&mut self, log_start: Offset) -> bool {
        if log_start <= self.watermarks.log_start {
            return false;
        }
        let Watermarks { high_watermark, log_end, .. } = self.watermarks;
        self.watermarks = Watermarks::new(log_start, high_watermark, log_end.max(log_start));
        self.transactions.safe_up_to(log_start);
        self.leader_epochs.truncate_from_start(log_start)
    }

    /// Whoever is about to append the first batch of a transaction asks the coordinator, and then appends with the guard
    /// that this gives. `None` where the transaction is open here already: nobody has to be asked.
    ///
    /// # Errors
    /// An epoch older than the newest seen of this producer.
    pub fn begin_verification(
        &mut self,
        now: Timestamp,
        batch: &FirstBatch,
    ) -> Result<Option<VerificationGuard>, AppendRefusal> {
        let (producer_id, epoch) = (batch.producer_id, batch.producer_epoch);
        if let Some(state) = self.producers.get(producer_id) {
            if epoch < state.producer_epoch {
                let current = state.producer_epoch;
                return Err(AppendRefusal::ProducerEpoch { producer_id, epoch, current });
            }
            if state.current_transaction_first_offset.is_some() && state.producer_epoch == epoch {
                return Ok(None);
            }
        }
        Ok(Some(self.verifications.begin(now, batch)))
    }

    /// The coordinator has refused, for good, the batch for which this guard was given.
    pub fn withdraw_verification(&mut self, guard: VerificationGuard, batch: &FirstBatch) {
        self.verifications.withdraw(guard, batch);
    }

    /// Who is being asked about.
    pub(crate) fn verifications(&self) -> &Verifications {
        &self.verifications
    }

    /// Forgets producers that have been silent for `expiration`. Returns how many.
    pub fn expire_producers(&mut self, now: Timestamp, expiration: Millis) -> usize {
        self.verifications.remove_expired(now, expiration);
        self.producers.remove_expired(now, expiration)
    }

    /// What a producer snapshot taken now holds.
    pub fn producer_snapshot(&self) -> impl Iterator<Item = ProducerEntry> {
        self.producers.entries()
    }

    /// Log start, high watermark, log end.
    pub fn watermarks(&self) -> Watermarks {
        self.watermarks
    }

    /// Where readers of committed data stop.
    pub fn last_stable_offset(&self) -> Offset {
        self.transactions.last_stable_offset(self.watermarks.log_start, self.watermarks.high_watermark)
    }

    /// The epochs of the log.
    pub fn leader_epochs(&self) -> &LeaderEpochs {
        &self.leader_epochs
    }

    /// The producers of the log.
    pub fn producers(&self) -> &Producers {
        &self.producers
    }

    /// The transactions that hold committed readers back.
    pub fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Leader, follower or neither.
    pub fn role(&self) -> &Role {
        &self.role
    }
}
