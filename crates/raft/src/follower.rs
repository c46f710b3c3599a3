//! Following: fetching from the leader, cutting what diverges, loading a snapshot where the log is gone.

use protocol::id::Timestamp;
use protocol::offset::Offset;

use crate::effect::{Effect, HaltReason};
use crate::log::OffsetAndEpoch;
use crate::machine::{Raft, later};
use crate::message::{BatchSpan, FetchOutcome, Request, RequestId};
use crate::role::{Role, SnapshotFetch};

impl Raft {
    pub(crate) fn on_fetched(
        &mut self,
        now: Timestamp,
        id: RequestId,
        (high_watermark, outcome): (Option<Offset>, FetchOutcome),
        out: &mut Vec<Effect>,
    ) {
        let Role::Follower(following) = &mut self.role else { return };
        following.fetch_by = later(now, self.config.fetch_timeout_ms);
        following.fetched = true;
        match outcome {
            FetchOutcome::Records { spans, .. } => {
                self.append_fetched(now, id, &spans, out);
                if let Some(mark) = high_watermark {
                    self.commit(mark.min(self.log.end()), out);
                }
            }
            FetchOutcome::Diverging(at) => self.cut_fork(now, at, out),
            FetchOutcome::Snapshot(id) => {
                if self.high_watermark.is_none_or(|mark| mark <= id.offset) {
                    following.snapshot = Some(SnapshotFetch { id, position: 0, installing: false });
                } else {
                    // A snapshot older than what is committed here cannot come from this quorum's leader.
                    let leader = following.leader;
                    self.back_off(now, leader);
                }
            }
        }
    }

    fn append_fetched(&mut self, now: Timestamp, id: RequestId, spans: &[BatchSpan], out: &mut Vec<Effect>) {
        if spans.is_empty() {
            return;
        }
        let mut next = self.log.last();
        for span in spans {
            if span.base != next.offset
                || span.epoch < next.epoch
                || span.epoch > self.hard.epoch
                || span.records == 0
            {
                // Batches that do not continue the log are not appended; the next fetch asks again.
                self.back_off_leader(now);
                return;
            }
            next = OffsetAndEpoch { epoch: span.epoch, offset: next.offset.plus(i64::from(span.records)) };
        }
        let mut append = None;
        for span in spans {
            append = Some(self.log.append(span.epoch, span.records));
        }
        // The last number stands for all of them: a flush covers every earlier append.
        if let Some(append) = append {
            out.push(Effect::AppendFetched { request: id, append });
        }
    }

    /// Cuts back to where our log and the leader's may still be the same; the next fetch tries again from there.
    fn cut_fork(&mut self, now: Timestamp, leaders: OffsetAndEpoch, out: &mut Vec<Effect>) {
        let ours = self.log.end_of_epoch(leaders.epoch);
        let to = if ours.epoch == leaders.epoch { ours.offset.min(leaders.offset) } else { ours.offset };
        if let Some(high_watermark) = self.high_watermark.filter(|&mark| to < mark) {
            out.push(Effect::Halt(HaltReason::DivergedBelowHighWatermark { at: to, high_watermark }));
        } else if to < self.log.end() {
            self.log.truncate(to);
            out.push(Effect::Truncate { to });
        } else {
            // Our own log is no longer than the fork: the answer contradicts the fetch it belongs to.
            self.back_off_leader(now);
        }
    }

    fn back_off_leader(&mut self, now: Timestamp) {
        if let Role::Follower(following) = &self.role {
            self.back_off(now, following.leader);
        }
    }

    pub(crate) fn on_snapshot_piece(
        &mut self,
        now: Timestamp,
        request: RequestId,
        (snapshot, position, length, size): (OffsetAndEpoch, u64, u64, u64),
        out: &mut Vec<Effect>,
    ) {
        let Role::Follower(following) = &mut self.role else { return };
        following.fetch_by = later(now, self.config.fetch_timeout_ms);
        let Some(fetching) = &mut following.snapshot else { return };
        if fetching.id != snapshot || fetching.position != position || (length == 0 && position < size) {
            following.snapshot = None;
            self.back_off_leader(now);
            return;
        }
        out.push(Effect::WriteSnapshotPiece { request, snapshot, position });
        fetching.position += length;
        if fetching.position >= size {
            fetching.installing = true;
            out.push(Effect::InstallSnapshot { snapshot });
        }
    }

    pub(crate) fn poll_follower(&mut self, now: Timestamp, out: &mut Vec<Effect>) {
        let Role::Follower(following) = &self.role else { return };
        if following.fetch_by <= now {
            if self.votes() {
                self.become_prospective(now, out);
            } else {
                self.become_unattached(now, self.hard.epoch, out);
            }
            return;
        }
        let waits = self.is_busy(following.leader)
            || self.log.has_pending()
            || following.snapshot.as_ref().is_some_and(|snapshot| snapshot.installing);
        if waits {
            return;
        }
        let to = following.leader;
        let request = match &following.snapshot {
            Some(fetching) => Request::FetchSnapshot {
                epoch: self.hard.epoch,
                replica: self.me,
                snapshot: fetching.id,
                position: fetching.position,
            },
            None => self.fetch_request(),
        };
        self.send(now, to, request, out);
    }
}
