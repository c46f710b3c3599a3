//! Snapshots of the metadata log, `<end offset>-<epoch>.checkpoint`: a header as a control record, the records of an
//! image, a footer (KIP-630). The one at 0-0 is what formatting wrote: voters and the features to begin with.
//!
//! A snapshot is complete or not there: it is written beside, fsynced and renamed.

use std::path::{Path, PathBuf};

use metadata::{Image, MetadataRecord};
use protocol::id::{LeaderEpoch, NodeId, Timestamp};
use protocol::messages::Message;
use protocol::messages::record::kraft_version_record::KRaftVersionRecord;
use protocol::messages::record::snapshot_footer_record::SnapshotFooterRecord;
use protocol::messages::record::snapshot_header_record::SnapshotHeaderRecord;
use protocol::messages::record::voters_record::{self, KRaftVersionFeature, VotersRecord};
use protocol::offset::Offset;
use protocol::records::batches::{Batch, Batches};
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::control::{ControlRecord, ControlType};
use protocol::records::record::Records;
use raft::{Endpoint, OffsetAndEpoch, ReplicaKey, Voter, VoterSet};

use crate::disk::Disk;
use crate::fault::Fault;
use crate::whole_file::{self, Pieces};

/// A batch of a snapshot is closed once it has so many bytes.
const BATCH_BYTES: usize = 512 * 1024;

/// What formatting leaves: not a state of the log, but what to begin it with.
pub const BOOTSTRAP: OffsetAndEpoch = OffsetAndEpoch { epoch: LeaderEpoch(0), offset: Offset(0) };

/// What the quorum's own control records say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuorumControl {
    /// `kraft.version`; 0 where the voters are fixed by configuration.
    pub kraft_version: i16,
    /// The voters, where the log has them.
    pub voters: Option<VoterSet>,
}

impl QuorumControl {
    /// Takes in a control record.
    pub fn take(&mut self, control: ControlRecord<'_>) -> Result<(), String> {
        match control {
            ControlRecord::Quorum(ControlType::KRaftVersion, value) => {
                let record = KRaftVersionRecord::decode(value, 0).map_err(|error| error.to_string())?;
                self.kraft_version = record.kraft_version;
            }
            ControlRecord::Quorum(ControlType::KRaftVoters, value) => {
                let record = VotersRecord::decode(value, 0).map_err(|error| error.to_string())?;
                self.voters = Some(voters_of(&record));
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds the records that say this; none for fixed voters.
    pub(crate) fn push(&self, timestamp: Timestamp, builder: &mut BatchBuilder) {
        let Some(voters) = &self.voters else { return };
        let version = KRaftVersionRecord { version: 0, kraft_version: self.kraft_version };
        push_control(builder, timestamp, ControlType::KRaftVersion, &version);
        push_control(builder, timestamp, ControlType::KRaftVoters, &voters_record_of(voters));
    }
}

/// Adds a control record with a message as its value.
pub(crate) fn push_control<'a>(
    builder: &mut BatchBuilder,
    timestamp: Timestamp,
    kind: ControlType,
    value: &impl Message<'a>,
) {
    let mut bytes = Vec::new();
    value.encode(0, &mut bytes).expect("control records are built here and have no field beyond version 0");
    builder.push(timestamp, Some(&kind.key()), Some(&bytes), &[]);
}

fn voters_of(record: &VotersRecord<'_>) -> VoterSet {
    VoterSet::new(record.voters.iter().map(|voter| {
        Voter {
            key: ReplicaKey { id: NodeId(voter.voter_id), directory: voter.voter_directory_id },
            endpoints: voter
                .endpoints
                .iter()
                .map(|endpoint| Endpoint {
                    listener: endpoint.name.into_owned(),
                    host: endpoint.host.into_owned(),
                    port: endpoint.port,
                })
                .collect(),
            kraft_versions: (
                voter.kraft_version_feature.min_supported_version,
                voter.kraft_version_feature.max_supported_version,
            ),
        }
    }))
}

fn voters_record_of(voters: &VoterSet) -> VotersRecord<'_> {
    let voter = |voter: &Voter| voters_record::Voter {
        voter_id: voter.key.id.0,
        voter_directory_id: voter.key.directory,
        endpoints: voter
            .endpoints
            .iter()
            .map(|endpoint| voters_record::Endpoint {
                name: endpoint.listener.clone().into(),
                host: endpoint.host.clone().into(),
                port: endpoint.port,
            })
            .collect(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: voter.kraft_versions.0,
            max_supported_version: voter.kraft_versions.1,
        },
    };
    VotersRecord { version: 0, voters: voters.iter().map(voter).collect() }
}

/// The file of a snapshot.
pub fn path(directory: &Path, id: OffsetAndEpoch) -> PathBuf {
    directory.join(format!("{:020}-{:010}.checkpoint", id.offset.0, id.epoch.0))
}

/// The snapshot a file name stands for; `None` for any other file.
pub fn parse_name(name: &str) -> Option<OffsetAndEpoch> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    if offset.len() != 20 || epoch.len() != 10 {
        return None;
    }
    Some(OffsetAndEpoch { offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
}

/// The snapshots in a directory, the oldest first.
pub fn list<D: Disk>(disk: &D, directory: &Path) -> Result<Vec<OffsetAndEpoch>, Fault> {
    let entries = disk.list(directory).map_err(|error| Fault::io("list", directory, error))?;
    let mut ids: Vec<_> = entries.iter().filter_map(|entry| parse_name(entry.name.to_str()?)).collect();
    ids.sort_unstable_by_key(|id| id.offset);
    Ok(ids)
}

/// Writes the snapshot of an image.
pub fn write<D: Disk>(
    disk: &D,
    directory: &Path,
    image: &Image,
    control: &QuorumControl,
    now: Timestamp,
) -> Result<OffsetAndEpoch, Fault> {
    let provenance = image.provenance();
    let id = OffsetAndEpoch { epoch: provenance.epoch, offset: provenance.end };
    let metadata_version = image.metadata_version();
    let path = path(directory, id);
    whole_file::replace_in_pieces(disk, &path, |pieces| {
        let mut file = SnapshotFile::begin((pieces, &path), id.epoch, control, provenance.timestamp, now)?;
        image.snapshot(|record| file.push(&record, metadata_version))?;
        file.finish()
    })?;
    Ok(id)
}

/// Writes the snapshot at 0-0 of a directory that is being formatted.
pub fn write_bootstrap<D: Disk>(
    disk: &D,
    directory: &Path,
    (control, records): (&QuorumControl, &[MetadataRecord<'_>]),
    metadata_version: i16,
    now: Timestamp,
) -> Result<(), Fault> {
    let path = path(directory, BOOTSTRAP);
    whole_file::replace_in_pieces(disk, &path, |pieces| {
        let mut file = SnapshotFile::begin((pieces, &path), BOOTSTRAP.epoch, control, now, now)?;
        records.iter().try_for_each(|record| file.push(record, metadata_version))?;
        file.finish()
    })
}

/// A snapshot that is being written: of very many records a batch is held at a time.
struct SnapshotFile<'a, 'f, D: Disk> {
    pieces: &'a mut Pieces<'f, D>,
    path: &'a Path,
    builder: BatchBuilder,
    epoch: LeaderEpoch,
    next: Offset,
    now: Timestamp,
    value: Vec<u8>,
}

impl<'a, 'f, D: Disk> SnapshotFile<'a, 'f, D> {
    fn begin(
        (pieces, path): (&'a mut Pieces<'f, D>, &'a Path),
        epoch: LeaderEpoch,
        control: &QuorumControl,
        contained: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut builder = BatchBuilder::new(options(epoch, Offset(0), true));
        let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: contained.0 };
        push_control(&mut builder, now, ControlType::SnapshotHeader, &header);
        control.push(now, &mut builder);
        let next = Offset(0).plus(i64::from(builder.count()));
        pieces.push(&builder.finish_uncompressed())?;
        let builder = BatchBuilder::new(options(epoch, next, false));
        Ok(Self { pieces, path, builder, epoch, next, now, value: Vec::new() })
    }

    fn push(&mut self, record: &MetadataRecord<'_>, metadata_version: i16) -> Result<(), Fault> {
        self.value.clear();
        let encoded = record.encode(metadata_version, &mut self.value);
        encoded.map_err(|error| Fault::corrupt(self.path, 0, error.to_string()))?;
        self.builder.push(self.now, None, Some(&self.value), &[]);
        if self.builder.size() >= BATCH_BYTES {
            self.close_batch()?;
        }
        Ok(())
    }

    fn close_batch(&mut self) -> Result<(), Fault> {
        if self.builder.count() > 0 {
            self.next = self.next.plus(i64::from(self.builder.count()));
            let fresh = BatchBuilder::new(options(self.epoch, self.next, false));
            self.pieces.push(&std::mem::replace(&mut self.builder, fresh).finish_uncompressed())?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Fault> {
        self.close_batch()?;
        let mut footer = BatchBuilder::new(options(self.epoch, self.next, true));
        push_control(
            &mut footer,
            self.now,
            ControlType::SnapshotFooter,
            &SnapshotFooterRecord { version: 0 },
        );
        self.pieces.push(&footer.finish_uncompressed())
    }
}

pub(crate) fn options(leader_epoch: LeaderEpoch, base_offset: Offset, control: bool) -> BatchOptions {
    BatchOptions { leader_epoch, base_offset, control, ..BatchOptions::default() }
}

/// A snapshot as it was read.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Its records added up.
    pub image: Image,
    /// Its records, for the one snapshot that is not a state but a beginning.
    pub records: Vec<MetadataRecord<'static>>,
    /// What it says of the quorum.
    pub control: QuorumControl,
}

/// The file at the root of the metadata log directory in which Kafka before 4.3 left the records to begin with.
pub const OLDER_BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Reads a snapshot. Every batch must be sound and the footer there: what was renamed into place was complete.
pub fn read<D: Disk>(disk: &D, directory: &Path, id: OffsetAndEpoch) -> Result<Snapshot, Fault> {
    let path = path(directory, id);
    match read_file(disk, &path, id)? {
        Some(snapshot) => Ok(snapshot),
        None => Err(Fault::io("open", &path, std::io::ErrorKind::NotFound.into())),
    }
}

/// Reads the records that an earlier release left to begin with; none if there is no such file.
pub fn read_older_bootstrap<D: Disk>(
    disk: &D,
    log_directory: &Path,
) -> Result<Vec<MetadataRecord<'static>>, Fault> {
    let found = read_file(disk, &log_directory.join(OLDER_BOOTSTRAP), BOOTSTRAP)?;
    Ok(found.map(|snapshot| snapshot.records).unwrap_or_default())
}

fn read_file<D: Disk>(disk: &D, path: &Path, id: OffsetAndEpoch) -> Result<Option<Snapshot>, Fault> {
    let Some(bytes) = whole_file::read(disk, path)? else { return Ok(None) };
    let mut snapshot = Snapshot::default();
    let mut batches = Batches::new(&bytes);
    let mut closed = false;
    let mut contained = Timestamp::NONE;
    loop {
        let position = batches.position() as u64;
        let corrupt = |reason: String| Fault::corrupt(path, position, reason);
        let Some(batch) = batches.next_batch().map_err(|error| corrupt(error.to_string()))? else { break };
        batch.verify_crc().map_err(|error| corrupt(error.to_string()))?;
        if batch.header.attributes.is_control() {
            each_control(&batch, |control| {
                match control {
                    ControlRecord::Quorum(ControlType::SnapshotHeader, value) => {
                        let header =
                            SnapshotHeaderRecord::decode(value, 0).map_err(|error| error.to_string())?;
                        contained = Timestamp(header.last_contained_log_timestamp);
                    }
                    ControlRecord::Quorum(ControlType::SnapshotFooter, _) => closed = true,
                    control => snapshot.control.take(control)?,
                }
                Ok(())
            })
            .map_err(corrupt)?;
            continue;
        }
        let keep = id == BOOTSTRAP;
        each_record(&batch, |_, record| {
            snapshot.image.replay(Offset(0), &record);
            if keep {
                snapshot.records.push(record.into_owned());
            }
        })
        .map_err(corrupt)?;
    }
    if !closed {
        return Err(Fault::corrupt(path, bytes.len() as u64, "the footer of the snapshot is missing"));
    }
    snapshot.image.begin_at(id.offset, id.epoch, contained);
    Ok(Some(snapshot))
}

/// Hands every metadata record of a batch to `take`, with its offset.
pub(crate) fn each_record(
    batch: &Batch<'_>,
    mut take: impl FnMut(Offset, MetadataRecord<'_>),
) -> Result<(), String> {
    // Kafka never compresses the metadata log.
    if batch.header.attributes.codec() != Some(protocol::records::compression::Codec::None) {
        return Err("a compressed batch, which the metadata log never has".to_owned());
    }
    for record in Records::new(batch.payload(), batch.header.count) {
        let record = record.map_err(|error| error.to_string())?;
        let offset = batch.header.base_offset.plus(i64::from(record.offset_delta));
        let value = record.value.ok_or_else(|| format!("record {offset} has no value"))?;
        let decoded = MetadataRecord::decode(value).map_err(|error| format!("record {offset}: {error}"))?;
        take(offset, decoded);
    }
    Ok(())
}

/// Hands every control record of a batch to `take`; unknown kinds are passed over, as Kafka's readers do.
pub(crate) fn each_control(
    batch: &Batch<'_>,
    mut take: impl FnMut(ControlRecord<'_>) -> Result<(), String>,
) -> Result<(), String> {
    for record in Records::new(batch.payload(), batch.header.count) {
        let record = record.map_err(|error| error.to_string())?;
        if let Ok(control) = ControlRecord::parse(&record) {
            take(control)?;
        }
    }
    Ok(())
}
