//! `size --segments N` and `size --terabyte`: a log of very many or very large segments beside one with next to nothing
//! in it: what a start, an append, a look at the tail, and look-ups by offset and time cost in either; with several requests
//! under way, by which what the broker does counts alone, and one at a time, as who looks something up waits for it.
//!
//! The segments are written straight into the directory of a node that has ended, whole and valid but for being sparse:
//! batches of a kilobyte at both ends of each, and between them, where there is to be a terabyte, one batch whose
//! only record is a hole of the file.

use std::fs::{File, OpenOptions, read_dir, remove_file};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::cost::reads_of;
use benches::frames::{AnswerShape, Frame};
use benches::goals::Goals;
use benches::load::{Connection, IN_FLIGHT};
use benches::machine::{broker_wrapper, pin_load};
use benches::workload::WORKLOADS;
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use protocol::id::Timestamp;
use protocol::records::build::{BatchBuilder, BatchOptions};
use protocol::records::checksum::crc32c;

const TOPIC: &str = "vast";
/// Small batches at each end of a segment.
const EDGE: u32 = 16;
/// Batches of a segment, each of one record.
const BATCHES: u32 = 2 * EDGE + 1;
const VALUE_BYTES: usize = 1000;
/// The time of the first record; each later one is a millisecond younger.
const BEGIN: i64 = 1_700_000_000_000;
const INDEX_INTERVAL: u32 = 4096;
const REQUESTS: u32 = 4_000;
/// Different places that either log is asked for, one small batch each: who knows more of them has more in memory that nobody has
/// touched for a while, whatever the size of the log.
const PLACES: u32 = 1024 * EDGE;
const ROUNDS: usize = 15;
/// What is asked for.
const RATIO_MAX: f64 = 1.05;
/// What is asked for of a node that was killed.
pub const ACK_AFTER_KILL_MS: f64 = 300.0;

/// The shape of the log.
#[derive(Clone, Copy)]
pub struct Vast {
    /// How many segments.
    pub segments: u32,
    /// Bytes of the hole in each.
    pub hole_bytes: u32,
}

/// A node on a directory of its own.
struct Side {
    launch: Launch,
    /// Over how many segments the places lie that can be asked for.
    segments: u32,
    /// And how many of them are at the beginning of each.
    places: u32,
    _directory: tempfile::TempDir,
}

impl Vast {
    /// Makes both logs, and prints what they cost.
    pub fn run(self, parent: Option<&Path>, goals: &Goals) -> Result<()> {
        pin_load()?;
        let lean = Side::new(parent, PLACES)?;
        let mut vast = Side::new(parent, EDGE)?;
        let begin = Instant::now();
        let bytes = self.write(&vast.partition())?;
        (vast.segments, vast.places) = (self.segments, EDGE);
        println!(
            "log         {} segments, {:.3} TB, written in {:.1} s",
            self.segments,
            bytes as f64 / 1e12,
            begin.elapsed().as_secs_f64()
        );
        let (broker, took) = vast.start()?;
        println!("first start {:.1} ms: nothing is known of the log", millis(took));
        // Only a clean end says that all of it is on stable storage: a start after a kill would read a terabyte.
        broker.end()?;
        let mut starts = [Duration::MAX; 2];
        for _ in 0..ROUNDS {
            for (best, side) in starts.iter_mut().zip([&lean, &vast]) {
                let (broker, took) = side.start()?;
                broker.end()?;
                *best = took.min(*best);
            }
        }
        compare("start", starts, goals);
        let brokers = [lean.start()?.0, vast.start()?.0];
        for what in [Ask::Append, Ask::Tail, Ask::Offset, Ask::Time] {
            for in_flight in [IN_FLIGHT, 1] {
                ask_both((&lean, &vast), &brokers, (what, in_flight), goals)?;
            }
        }
        let [one, other] = brokers;
        one.end()?;
        other.kill()?;
        let took = millis(vast.start()?.1);
        let goal = goals.at_most("first ack after kill -9", took, ACK_AFTER_KILL_MS, "ms");
        println!("kill -9     {took:.1} ms to the first ack{goal}");
        Ok(())
    }

    /// Writes the segments into the directory of the partition; says how long they are in all.
    fn write(self, directory: &Path) -> Result<u64> {
        for entry in read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind != "metadata") {
                remove_file(path)?;
            }
        }
        let hole = (self.hole_bytes > 0).then(|| hollow(self.hole_bytes)).transpose()?;
        let mut total = 0;
        for segment in 0..self.segments {
            let last = segment + 1 == self.segments;
            total += write_segment(directory, segment, hole.as_ref().filter(|_| !last), last)?;
        }
        Ok(total)
    }
}

/// A batch of which all behind the beginning is zeros.
struct Hollow {
    front: Vec<u8>,
    length: u32,
}

/// A batch of one record with a value of `bytes` zeros.
fn hollow(bytes: u32) -> Result<Hollow> {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(Timestamp(BEGIN), None, Some(&vec![0; bytes as usize]), &[]);
    let batch = builder.finish_uncompressed();
    ensure!(crc32c(&batch[21..]).to_be_bytes() == batch[17..21], "the checksum lies elsewhere");
    let length = u32::try_from(batch.len())?;
    ensure!(batch[4096..].iter().all(|byte| *byte == 0), "the batch is no hole");
    Ok(Hollow { front: batch[..4096].to_vec(), length })
}

/// Writes one segment with its indexes; says how long its log is.
fn write_segment(directory: &Path, segment: u32, hole: Option<&Hollow>, last: bool) -> Result<u64> {
    let base = i64::from(segment * BATCHES);
    let create = |kind: &str| -> Result<File> {
        let path = directory.join(format!("{base:020}.{kind}"));
        Ok(OpenOptions::new().write(true).create(true).truncate(true).open(path)?)
    };
    let log = create("log")?;
    let (mut offsets, mut times) = (Vec::new(), Vec::new());
    let (mut position, mut since_entry) = (0u32, 0u32);
    // The last one is appended to.
    for number in 0..if last { EDGE } else { BATCHES } {
        let offset = base + i64::from(number);
        let (mut front, length) = match hole.filter(|_| number == EDGE) {
            Some(hole) => (hole.front.clone(), hole.length),
            None => {
                let mut builder = BatchBuilder::new(BatchOptions::default());
                builder.push(Timestamp(BEGIN + offset), None, Some(&[b'v'; VALUE_BYTES]), &[]);
                let batch = builder.finish_uncompressed();
                let length = u32::try_from(batch.len())?;
                (batch, length)
            }
        };
        front[..8].copy_from_slice(&offset.to_be_bytes());
        front[12..16].copy_from_slice(&0i32.to_be_bytes());
        log.write_all_at(&front, u64::from(position))?;
        if since_entry > INDEX_INTERVAL {
            offsets.extend_from_slice(&number.to_be_bytes());
            offsets.extend_from_slice(&position.to_be_bytes());
            push_time(&mut times, base, number);
            since_entry = 0;
        }
        since_entry += length;
        position += length;
    }
    push_time(&mut times, base, if last { EDGE } else { BATCHES } - 1);
    log.set_len(u64::from(position))?;
    create("index")?.write_all_at(&offsets, 0)?;
    create("timeindex")?.write_all_at(&times, 0)?;
    Ok(u64::from(position))
}

fn push_time(times: &mut Vec<u8>, base: i64, number: u32) {
    if times.len() >= 12 && times[times.len() - 4..] == number.to_be_bytes() {
        return;
    }
    times.extend_from_slice(&(BEGIN + base + i64::from(number)).to_be_bytes());
    times.extend_from_slice(&number.to_be_bytes());
}

/// Asks both again and again, in turn, and prints what that costs.
fn ask_both(
    (lean, vast): (&Side, &Side),
    brokers: &[BrokerProcess; 2],
    (what, in_flight): (Ask, u32),
    goals: &Goals,
) -> Result<()> {
    let (mut best, mut reads) = ([Duration::MAX; 2], [0; 2]);
    for round in 0..ROUNDS {
        for (at, side) in [lean, vast].into_iter().enumerate() {
            let before = reads_of(brokers[at].id())?;
            best[at] = side.ask(&brokers[at], (what, in_flight), round as u32)?.min(best[at]);
            reads[at] = reads_of(brokers[at].id())? - before;
        }
    }
    let alone = if in_flight == 1 { ", one at a time" } else { "" };
    compare(&format!("{}{alone}", what.name()), best, goals);
    let [lean, vast] = reads.map(|reads| reads as f64 / f64::from(REQUESTS));
    println!("{:28}{lean:.2} reads of files a request, {vast:.2} vast", "");
    Ok(())
}

/// What is asked again and again.
#[derive(Clone, Copy)]
enum Ask {
    Append,
    Tail,
    Offset,
    Time,
}

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Tail => "tail",
            Self::Offset => "by offset",
            Self::Time => "by time",
        }
    }
}

impl Side {
    /// A node that has the topic with so many records in one segment, and has ended.
    fn new(parent: Option<&Path>, records: u32) -> Result<Self> {
        let directory = match parent {
            Some(parent) => tempfile::tempdir_in(parent)?,
            None => tempfile::tempdir()?,
        };
        let mut launch = Launch::new(Kind::Headwater, directory.path())?;
        launch.wrapper = broker_wrapper();
        let side = Self { launch, segments: 1, places: records, _directory: directory };
        let broker = side.launch.start()?;
        let mut connection = Connection::open(broker.address())?;
        connection.create_topic(TOPIC, 1, &[("retention.ms", "-1")])?;
        for offset in 0..records {
            let mut builder = BatchBuilder::new(BatchOptions::default());
            builder.push(Timestamp(BEGIN + i64::from(offset)), None, Some(&[b'v'; VALUE_BYTES]), &[]);
            let batch = builder.finish_uncompressed();
            connection.ask(Frame::produce(TOPIC, &batch), AnswerShape::produce(TOPIC))?;
        }
        broker.end()?;
        Ok(side)
    }

    /// The offset of one of [`PLACES`]: a batch at an edge, never the hole, and one after the other in segments far apart.
    fn offset(&self, place: u32) -> i64 {
        i64::from(place % self.segments * BATCHES + place / self.segments % self.places)
    }

    fn partition(&self) -> std::path::PathBuf {
        self.launch.data_directory().join(format!("{TOPIC}-0"))
    }

    /// Starts the node; says how long it takes to its first acknowledgement.
    fn start(&self) -> Result<(BrokerProcess, Duration)> {
        start(&self.launch, TOPIC)
    }

    fn ask(&self, broker: &BrokerProcess, (what, in_flight): (Ask, u32), round: u32) -> Result<Duration> {
        let mut connection = Connection::open(broker.address())?;
        let mut random = 0x9e37_79b9 ^ (round + 1);
        let mut place = || {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            self.offset(random % PLACES)
        };
        let requests = (REQUESTS, in_flight);
        let begin = Instant::now();
        match what {
            Ask::Append => {
                let mut frame = Frame::produce(TOPIC, &lone()?);
                connection.pump_in_flight(&mut frame, AnswerShape::produce(TOPIC), requests, |_, _| ())?;
            }
            Ask::Tail => {
                let end = connection.latest_offset(TOPIC)?;
                let mut frame = Frame::fetch(TOPIC, 1);
                frame.set_offset(end - 1);
                connection.pump_in_flight(&mut frame, AnswerShape::fetch(TOPIC), requests, |_, _| ())?;
            }
            Ask::Offset => {
                let mut frame = Frame::fetch(TOPIC, 1);
                let turn = |frame: &mut Frame, _| frame.set_offset(place());
                connection.pump_in_flight(&mut frame, AnswerShape::fetch(TOPIC), requests, turn)?;
            }
            Ask::Time => {
                let mut frame = Frame::list_offsets(TOPIC, BEGIN);
                let turn = |frame: &mut Frame, _| frame.set_offset(BEGIN + place());
                connection.pump_in_flight(&mut frame, AnswerShape::list_offsets(TOPIC), requests, turn)?;
            }
        }
        Ok(begin.elapsed() / REQUESTS)
    }
}

/// Starts a node; says how long it takes until it has acknowledged a record of this topic.
pub fn start(launch: &Launch, topic: &str) -> Result<(BrokerProcess, Duration)> {
    let batch = lone()?;
    let begin = Instant::now();
    let broker = launch.spawn()?;
    loop {
        let acknowledged = Connection::open(broker.address()).and_then(|mut connection| {
            connection.ask(Frame::produce(topic, &batch), AnswerShape::produce(topic))
        });
        match acknowledged {
            Ok(_) => return Ok((broker, begin.elapsed())),
            Err(error) => {
                ensure!(begin.elapsed() < Duration::from_secs(60), "no acknowledgement: {error}");
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn lone() -> Result<Vec<u8>> {
    let lone = WORKLOADS.iter().find(|workload| workload.by_request).context("lone records")?;
    Ok(lone.batch()?.0)
}

/// As many milliseconds.
pub fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// Prints the lesser log's figure, the larger's, and their ratio beside the goal.
fn compare(what: &str, [lean, vast]: [Duration; 2], goals: &Goals) {
    let (lean, vast) = (lean.as_secs_f64() * 1e6, vast.as_secs_f64() * 1e6);
    let ratio = vast / lean;
    let goal = goals.at_most(what, ratio, RATIO_MAX, "");
    println!("{what:<28}{lean:.1} us nearly empty, {vast:.1} us vast: {ratio:.2}{goal}");
}
