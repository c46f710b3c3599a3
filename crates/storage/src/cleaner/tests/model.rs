//! Any history, compacted at any moments and by any map, is the map of last values: records of transactions that were
//! aborted or are still open never counted.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::disk::RealDisk;

#[derive(Clone, Debug)]
enum Step {
    Put {
        keys: Vec<(u8, Option<u8>)>,
        codec: usize,
    },
    Idempotent {
        producer: u8,
        keys: Vec<(u8, Option<u8>)>,
    },
    Transactional {
        producer: u8,
        keys: Vec<(u8, Option<u8>)>,
        codec: usize,
    },
    End {
        producer: u8,
        committed: bool,
    },
    Roll,
    Wait(i64),
    Clean {
        map_keys: u64,
    },
    DeleteRecords(u8),
    /// With a recovery point at the beginning of one of the segments.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let keys = || proptest::collection::vec((0..6_u8, proptest::option::weighted(0.8, any::<u8>())), 1..5);
    prop_oneof![
        4 => (keys(), 0..5_usize).prop_map(|(keys, codec)| Step::Put { keys, codec }),
        2 => (0..2_u8, keys()).prop_map(|(producer, keys)| Step::Idempotent { producer, keys }),
        4 => (2..5_u8, keys(), 0..5_usize)
            .prop_map(|(producer, keys, codec)| Step::Transactional { producer, keys, codec }),
        3 => (2..5_u8, any::<bool>()).prop_map(|(producer, committed)| Step::End { producer, committed }),
        3 => Just(Step::Roll),
        2 => (0..2 * RETENTION).prop_map(Step::Wait),
        3 => (1..12_u64).prop_map(|map_keys| Step::Clean { map_keys }),
        1 => any::<u8>().prop_map(Step::DeleteRecords),
        1 => (0..8_usize).prop_map(Step::Restart),
    ]
}

/// Everything there ever was.
#[derive(Default)]
struct Model {
    records: Vec<Stored>,
    sequences: BTreeMap<u8, i32>,
    /// First offsets of open transactions.
    open: BTreeMap<u8, i64>,
    /// Producer, first offset and marker of those that were aborted.
    aborted: Vec<(i64, i64, i64)>,
}

type Values = BTreeMap<Vec<u8>, Vec<u8>>;

impl Model {
    fn send(
        &mut self,
        log: &SharedLog<RealDisk>,
        keys: &[(u8, Option<u8>)],
        codec: usize,
        producer: Option<(u8, bool)>,
    ) {
        let texts: Vec<(String, Option<String>)> = keys
            .iter()
            .map(|(key, value)| (format!("k{key}"), value.map(|value| format!("v{value}"))))
            .collect();
        let sent: Vec<_> = texts.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        let (id, transactional) =
            producer.map_or((-1, false), |(id, transactional)| (i64::from(id), transactional));
        let sequence = producer.map_or(-1, |(id, _)| {
            let next = self.sequences.entry(id).or_default();
            let sequence = *next;
            *next += keys.len() as i32;
            sequence
        });
        let base = append(log, batch(&sent, Codec::ALL[codec], (id, sequence, transactional)));
        if let Some((id, true)) = producer {
            self.open.entry(id).or_insert(base.0);
        }
        for (index, (key, value)) in sent.iter().enumerate() {
            self.records.push(Stored {
                offset: base.0 + index as i64,
                timestamp: NOW.0 - index as i64,
                key: key.as_bytes().to_vec(),
                value: value.map(|value| value.as_bytes().to_vec()),
                producer: id,
                transactional,
            });
        }
    }

    fn end(&mut self, log: &SharedLog<RealDisk>, producer: u8, committed: bool) {
        let Some(first) = self.open.remove(&producer) else { return };
        let marker = locked(log).partition().watermarks().log_end.0;
        mark(log, producer.into(), committed);
        if !committed {
            self.aborted.push((producer.into(), first, marker));
        }
    }

    /// What a reader of committed records makes of these.
    fn values<'a>(&self, records: impl Iterator<Item = &'a Stored>, from: i64, stable: i64) -> Values {
        let mut values = Values::new();
        for record in records.filter(|record| (from..stable).contains(&record.offset)) {
            let aborted = |&(producer, first, marker): &(i64, i64, i64)| {
                record.producer == producer && (first..marker).contains(&record.offset)
            };
            if record.transactional && self.aborted.iter().any(aborted) {
                continue;
            }
            match &record.value {
                Some(value) => values.insert(record.key.clone(), value.clone()),
                None => values.remove(&record.key),
            };
        }
        values
    }

    fn check(&self, log: &SharedLog<RealDisk>) -> Result<(), TestCaseError> {
        let found = stored(log);
        let (marks, stable) = {
            let log = locked(log);
            (log.partition().watermarks(), log.partition().last_stable_offset())
        };
        let next = self.records.last().map_or(0, |record| record.offset + 1);
        prop_assert!(marks.log_end.0 >= next);
        let (from, stable) = (marks.log_start.0, stable.0);
        // Tombstones that have gone may lie in front of values that DeleteRecords took with them: then both are gone.
        prop_assert_eq!(
            self.values(found.iter(), from, stable),
            self.values(self.records.iter(), from, stable)
        );
        let ever: BTreeMap<i64, &Stored> =
            self.records.iter().map(|record| (record.offset, record)).collect();
        for record in &found {
            prop_assert_eq!(Some(&record), ever.get(&record.offset));
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        // Nothing behind the last stable offset is ever missing.
        let undecided = |record: &&Stored| record.offset >= stable.max(from);
        prop_assert!(found.iter().filter(undecided).eq(self.records.iter().filter(undecided)));
        // The transaction index still names every aborted transaction of which a record is left.
        let index = locked(log).aborted_between(marks.log_start, marks.log_end).unwrap();
        for record in found.iter().filter(|record| record.transactional) {
            for (producer, first, marker) in &self.aborted {
                if record.producer == *producer && (*first..*marker).contains(&record.offset) {
                    let named = index.iter().any(|it| {
                        it.producer_id.0 == *producer
                            && it.first_offset.0 <= record.offset
                            && it.last_offset.0 == *marker
                    });
                    prop_assert!(named, "{record:?} was aborted");
                }
            }
        }
        Ok(())
    }
}

/// What must outlive compaction of each producer: who it is and what comes next.
fn producers(log: &SharedLog<RealDisk>) -> BTreeSet<(i64, i16, i32, i64, Option<i64>)> {
    let log = locked(log);
    let entries = log.partition().producer_snapshot();
    let entry = |entry: partition::producers::ProducerEntry| {
        let open = entry.current_transaction_first_offset.map(|offset| offset.0);
        (entry.producer_id.0, entry.producer_epoch.0, entry.last_sequence.0, entry.last_offset.0, open)
    };
    entries.map(entry).collect()
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let bench = Bench::new(RealDisk);
    let (mut log, mut model, mut now) = (bench.create(), Model::default(), NOW.0);
    for step in steps {
        match step {
            Step::Put { keys, codec } => model.send(&log, &keys, codec, None),
            Step::Idempotent { producer, keys } => model.send(&log, &keys, 0, Some((producer, false))),
            Step::Transactional { producer, keys, codec } => {
                model.send(&log, &keys, codec, Some((producer, true)));
            }
            Step::End { producer, committed } => model.end(&log, producer, committed),
            Step::Roll => roll(&log),
            Step::Wait(ms) => now += ms,
            Step::Clean { map_keys } => {
                let options = CleanerOptions { map_bytes: (map_keys + 1) * 24, map_load: 1.0, ..OPTIONS };
                let cleaned =
                    clean(&log, options, Timestamp(now)).map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert!(cleaned.is_some());
            }
            Step::DeleteRecords(at) => {
                // Compaction may have dropped a tombstone whose value lies behind the new log start only if the value
                // is gone too; a log start between a value and what replaced it hides nothing.
                let end = locked(&log).partition().watermarks().log_end.0;
                let mut config = bench.config.clone();
                config.retention.delete = true;
                config.retention.time = None;
                locked(&log).set_config(Arc::new(config));
                let before =
                    Offset(i64::from(at).min(end).min(locked(&log).partition().last_stable_offset().0));
                locked(&log).delete_records(before).unwrap();
                locked(&log).retain(Timestamp(now)).unwrap();
                locked(&log).set_config(Arc::new(bench.config.clone()));
            }
            Step::Restart(segment) => {
                let (marks, cleaned_to) = {
                    let log = locked(&log);
                    (log.partition().watermarks(), log.cleaned_to())
                };
                let before = producers(&log);
                let bases = locked(&log).segment_bases();
                drop(log);
                log = bench.reopen_from(RealDisk, marks.high_watermark, bases[segment % bases.len()]);
                if marks.log_start > Offset(0) {
                    let mut log = locked(&log);
                    let mut config = bench.config.clone();
                    config.retention.delete = true;
                    log.set_config(Arc::new(config));
                    log.delete_records(marks.log_start).unwrap();
                    log.set_config(Arc::new(bench.config.clone()));
                } else {
                    prop_assert_eq!(producers(&log), before);
                }
                prop_assert_eq!(locked(&log).partition().watermarks(), marks);
                locked(&log).set_cleaned_to(cleaned_to);
            }
        }
        model.check(&log)?;
    }
    Ok(())
}

/// The snapshot at the front says that a transaction is open, and the marker that ended it was compacted away.
#[test]
fn a_marker_that_is_gone_leaves_no_transaction_open() {
    let keys = || vec![(0, None)];
    let steps = vec![
        Step::Transactional { producer: 2, keys: keys(), codec: 0 },
        Step::Roll,
        Step::End { producer: 2, committed: false },
        Step::Transactional { producer: 3, keys: keys(), codec: 0 },
        Step::DeleteRecords(1),
        Step::Roll,
        Step::End { producer: 3, committed: false },
        Step::Clean { map_keys: 1 },
        Step::Roll,
        Step::Wait(1000),
        Step::Clean { map_keys: 1 },
        Step::Restart(0),
    ];
    run(steps).unwrap();
}

/// The same where other segments lie in front of the snapshot, too full to be joined with what follows.
#[test]
fn a_marker_that_is_gone_from_the_middle_leaves_no_transaction_open() {
    let put =
        |first: u8| Step::Put { keys: (first..first + 30).map(|key| (key, Some(key))).collect(), codec: 0 };
    let open = |key| Step::Transactional { producer: 2, keys: vec![(key, None)], codec: 0 };
    let end = |committed| Step::End { producer: 2, committed };
    let mut steps =
        vec![put(0), put(30), put(60), open(100), Step::Roll, end(false), put(110), put(140), put(170)];
    steps.extend([open(101), end(false), Step::Roll]);
    for first in [0, 30, 60, 0, 30, 60] {
        steps.extend([put(first), Step::Roll]);
    }
    steps.push(open(102));
    // One takes the batches, one gives their markers a horizon, one takes the markers: each as far as its map reaches.
    for _ in 0..6 {
        steps.extend([Step::Wait(2 * RETENTION), Step::Clean { map_keys: 125 }]);
    }
    steps.extend((0..4).map(Step::Restart));
    run(steps).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_compacted_at_any_moments_is_the_map_of_last_values(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        run(steps)?;
    }
}
