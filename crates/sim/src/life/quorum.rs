//! What the metadata log must hold: everything up to the last flush that was answered, and no state but those that the
//! records lead through.

use metadata::{Image, MetadataRecord};
use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::offset::Offset;
use raft::{QuorumState, ReplicaKey};
use storage::Fault;
use storage::metadata_log::{LoadedMetadata, MetadataLog};
use storage::snapshots::{self, QuorumControl};

use super::node::NODE;
use crate::disk::SimulatedDisk;

/// The `metadata.version` that records are written for.
const METADATA_VERSION: i16 = 33;

/// What is known of the metadata log.
pub(super) struct QuorumLedger {
    /// The image after every batch, in order; the first is that of an empty log.
    images: Vec<Image>,
    /// The end of what was flushed.
    flushed: Offset,
    /// The state that was persisted last, and the one that was under way.
    state: QuorumState,
    next_state: Option<QuorumState>,
    control: QuorumControl,
}

impl QuorumLedger {
    pub(super) fn new() -> Self {
        Self {
            images: vec![Image::default()],
            flushed: Offset::ZERO,
            state: QuorumState::default(),
            next_state: None,
            control: QuorumControl::default(),
        }
    }

    /// The metadata as the live node has it.
    pub(super) fn image(&self) -> &Image {
        self.images.last().expect("there is always the empty one")
    }

    fn epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.state.epoch.0.max(1))
    }

    /// Appends records and flushes them.
    pub(super) fn commit(
        &mut self,
        log: &mut MetadataLog<SimulatedDisk>,
        records: &[MetadataRecord<'_>],
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.append(log, records, now)?;
        log.flush()?;
        self.flushed = self.image().end();
        Ok(())
    }

    fn append(
        &mut self,
        log: &mut MetadataLog<SimulatedDisk>,
        records: &[MetadataRecord<'_>],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let mut image = self.image().clone();
        let (base, epoch) = (image.end(), self.epoch());
        for (index, record) in records.iter().enumerate() {
            image.replay(base.plus(index as i64), record);
        }
        image.advance(base.plus(records.len() as i64), epoch, now);
        // Before the call: the power may go after the write.
        self.images.push(image);
        log.append((base, epoch), records, METADATA_VERSION, now)
    }

    /// Appends what is not committed, and then cuts it away.
    pub(super) fn append_and_truncate(
        &mut self,
        log: &mut MetadataLog<SimulatedDisk>,
        records: &[MetadataRecord<'_>],
        now: Timestamp,
    ) -> Result<(), Fault> {
        let end = self.image().end();
        self.append(log, records, now)?;
        log.truncate(end)?;
        self.images.pop();
        Ok(())
    }

    /// Becomes leader of a new epoch.
    pub(super) fn elect(
        &mut self,
        log: &mut MetadataLog<SimulatedDisk>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let epoch = LeaderEpoch(self.state.epoch.0 + 1);
        let voter = self.control.voters.as_ref().and_then(|voters| voters.ids().next());
        let voted = voter.map(|id| ReplicaKey { id, directory: protocol::id::DirectoryId::ZERO });
        self.persist(log, QuorumState { epoch, leader: None, voted })?;
        self.persist(log, QuorumState { epoch, leader: Some(NODE), voted })?;
        let mut image = self.image().clone();
        let base = image.end();
        image.advance(base.plus(1), epoch, now);
        self.images.push(image);
        let voters = self.control.voters.clone().unwrap_or_default();
        let granting: Vec<NodeId> = voters.ids().collect();
        log.append_leader_change((base, epoch), (NODE, &voters, &granting), None, now)?;
        log.flush()?;
        self.flushed = self.image().end();
        Ok(())
    }

    fn persist(&mut self, log: &MetadataLog<SimulatedDisk>, state: QuorumState) -> Result<(), Fault> {
        self.next_state = Some(state);
        log.persist(state, None)?;
        (self.state, self.next_state) = (state, None);
        Ok(())
    }

    /// Writes a snapshot and lets go of what it makes superfluous.
    pub(super) fn snapshot(
        &mut self,
        (log, disk): (&mut MetadataLog<SimulatedDisk>, &SimulatedDisk),
        now: Timestamp,
    ) -> Result<(), Fault> {
        if self.image().end() == Offset::ZERO {
            return Ok(());
        }
        snapshots::write(disk, log.directory(), self.image(), &self.control, now)?;
        log.snapshot_written(self.image().end(), now)?;
        Ok(())
    }

    /// Holds what was loaded against what must be there. Unless the power was cut, that is everything.
    pub(super) fn judge(&self, loaded: &LoadedMetadata, all: bool) -> Result<(), String> {
        let (end, last) = (loaded.image.end(), self.image().end());
        if end < self.flushed || (all && end < last) {
            return Err(format!("the metadata log ends at {end}, and was flushed up to {}", self.flushed));
        }
        let known = self.images.iter().find(|image| image.end() == end);
        let Some(known) = known else {
            return Err(format!("the metadata log ends at {end}, and wrote to {last}"));
        };
        if loaded.model.end() != end {
            return Err(format!("the metadata log ends at {end}, and raft is told {}", loaded.model.end()));
        }
        if known.topics != loaded.image.topics || known.provenance() != loaded.image.provenance() {
            return Err(format!("the metadata at {end} is not what was written"));
        }
        let state = loaded.quorum_state;
        if state != self.state && Some(state) != self.next_state {
            return Err(format!("the quorum's state was {:?} and came back as {state:?}", self.state));
        }
        if loaded.control.voters.is_none() {
            return Err("the voters are gone".to_owned());
        }
        Ok(())
    }

    /// What came back is what is there from now on.
    pub(super) fn adopt(&mut self, loaded: &LoadedMetadata) {
        self.images.retain(|image| image.end() < loaded.image.end());
        self.images.push(loaded.image.clone());
        (self.state, self.next_state) = (loaded.quorum_state, None);
        self.control = loaded.control.clone();
    }

    /// The log was closed cleanly: all of it is durable.
    pub(super) fn closed(&mut self) {
        self.flushed = self.image().end();
    }
}
