//! `instructions`: how many instructions the broker runs for a request, counted by callgrind and not by a clock.
//!
//! The requests are those of `compare`, and heartbeats of groups of one member each in turn, handed to the broker's own dispatch in
//! this process without a socket. Each shape is replayed twice under callgrind, a few times and many times: what starting a node costs falls out of the difference.
//!
//! `--planted` replays each shape with something more for every request, as a careless change would bring it, and fails where
//! the count is still within what was agreed: a guard that lets that pass guards nothing.

mod beats;

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use benches::frames::{AnswerShape, Frame};
use benches::load::{Connection, wait_for_partitions};
use benches::node::InProcess;
use benches::workload::{Direction, WORKLOADS, Workload};
use broker::handlers::Dispatch;
use broker::net::{Outbound, Peer, Service, Step};
use protocol::records::batch::{self, BatchHeader};
use protocol::records::checksum::crc32c;
use protocol::records::compression::Decompressors;

/// A shape of request that is counted.
struct Shape {
    /// The workload's name.
    name: &'static str,
    /// The most that a request of it may take: a tenth more than it took when that was written down, as the release build is
    /// made. Of produced batches nearly all is the checksum and the walk over the records.
    most: f64,
    /// What this shape's guard is shown to notice.
    planted: Plant,
    /// How often it is replayed more in the longer run: the shorter a request, the more there are, for the node's own
    /// timers run meanwhile.
    replays: u32,
}

const fn shape(name: &'static str, most: f64, planted: Plant, replays: u32) -> Shape {
    Shape { name, most, planted, replays }
}

const SHAPES: [Shape; 8] = [
    shape("produce-lone", 8_850.0, Plant::Line, 4_000),
    shape("produce-16k", 18_900.0, Plant::Checksum, 2_000),
    shape("produce-64k", 47_300.0, Plant::Checksum, 1_000),
    shape("produce-64k-lz4", 292_500.0, Plant::Unpack, 500),
    shape("fetch-64k", 8_600.0, Plant::Line, 4_000),
    shape("fetch-16k", 8_600.0, Plant::Line, 4_000),
    shape(beats::CLASSIC, 3_120.0, Plant::Line, 8_000),
    shape(beats::CONSUMER, 4_430.0, Plant::Line, 8_000),
];

/// What a request is given to do more, to see its guard trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Plant {
    /// A line of text is made of who asks and of its batch's header, as for a log that nobody reads.
    Line,
    /// The checksum of its batch is computed once more.
    Checksum,
    /// Its batch is decompressed once more.
    Unpack,
}

impl Plant {
    /// Does it, for a request of this batch.
    fn bear(self, batch: &[u8], peer: &Peer, unpack: &mut Decompressors) -> Result<()> {
        match self {
            Self::Line => {
                let header = BatchHeader::parse(batch)?;
                black_box(format!("{} of {}: {header:?}", peer.listener, peer.address));
            }
            Self::Checksum => {
                black_box(crc32c(black_box(batch)));
            }
            Self::Unpack => {
                let header = BatchHeader::parse(batch)?;
                let codec = header.attributes.codec().context("a codec")?;
                let mut stream = unpack.start(codec, batch::payload(batch, &header), u64::MAX)?;
                while !black_box(stream.next_step()?).is_empty() {}
            }
        }
        Ok(())
    }
}

/// Base offset, length and leader epoch of a batch.
const PATCHED: usize = 16;
/// How often each is replayed in the shorter run.
const FEW: u32 = 200;

/// Count what a request costs in instructions; fails where that is more than was agreed.
#[derive(clap::Args)]
pub struct Instructions {
    /// Only shapes whose names contain one of these.
    #[arg(long)]
    only: Vec<String>,
    /// Count what requests cost with something more to do, and fail where that goes unnoticed.
    #[arg(long)]
    planted: bool,
    /// Only replay, uncounted, this shape: what is run under callgrind.
    #[arg(long, requires = "times")]
    replay: Option<String>,
    /// How often.
    #[arg(long)]
    times: Option<u32>,
    /// With this more to do.
    #[arg(long, requires = "replay")]
    plant: Option<Plant>,
}

impl Instructions {
    /// Counts, or is what is counted.
    pub fn run(&self) -> Result<()> {
        if let Some((shape, times)) = self.replay.as_ref().zip(self.times) {
            return replay(shape, times, self.plant);
        }
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| name.contains(only));
        let (mut over, mut within) = (Vec::new(), Vec::new());
        for Shape { name, most, planted, replays } in SHAPES.iter().filter(|shape| wanted(shape.name)) {
            let plant = self.planted.then_some(*planted);
            let (few, many) = (count(name, FEW, plant)?, count(name, FEW + replays, plant)?);
            let each = many.saturating_sub(few) as f64 / f64::from(*replays);
            let with = plant.map_or_else(String::new, |plant| format!(", with {plant:?} planted"));
            println!("{name:<20}{each:>10.0} instructions a request, at most {most:.0}{with}");
            if each > *most { over.push(*name) } else { within.push(*name) }
        }
        match self.planted {
            true => ensure!(within.is_empty(), "what was planted goes unnoticed: {}", within.join(", ")),
            false => ensure!(over.is_empty(), "more instructions than agreed: {}", over.join(", ")),
        }
        Ok(())
    }
}

/// The instructions of a process that starts a node, replays a shape and ends.
fn count(shape: &str, times: u32, plant: Option<Plant>) -> Result<u64> {
    let plant = plant.map(|plant| ["--plant".to_owned(), format!("{plant:?}").to_lowercase()]);
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["instructions", "--replay", shape, "--times", &times.to_string()])
        .args(plant.into_iter().flatten())
        .output()
        .context("running valgrind, which has to be installed")?;
    let told = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "under valgrind: {told}");
    let line = told.lines().find_map(|line| line.split_once("Collected :")).context("no count")?;
    Ok(line.1.trim().parse()?)
}

/// Who asks, without a connection.
fn peer() -> Arc<Peer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Arc::new(Peer::new(u64::MAX, address, "PLAINTEXT".into()))
}

/// Hands the same request to a broker so often.
fn replay(shape: &str, times: u32, plant: Option<Plant>) -> Result<()> {
    if [beats::CLASSIC, beats::CONSUMER].contains(&shape) {
        return beats::replay(shape, times, plant);
    }
    let workload = WORKLOADS.into_iter().find(|workload| workload.name == shape).context("no such shape")?;
    let workload = Workload { partitions: 1, ..workload };
    let directory = tempfile::tempdir()?;
    let node = InProcess::start(directory.path())?;
    let topic = "replayed";
    let (batch, records) = workload.batch()?;
    let mut connection = Connection::open(node.address()?)?;
    connection.create_topic(topic, 1, &[])?;
    wait_for_partitions(&mut connection, topic, &batch, 1)?;
    let frame = match workload.direction {
        Direction::Produce => Frame::produce(topic, &batch),
        Direction::Fetch => Frame::fetch(topic, i32::try_from(batch.len())?),
    };
    // Behind the length, as a connection hands it over.
    let mut frame = frame.bytes()[4..].to_vec();
    // What the broker patches, in front of the batch, must be as a producer sends it; three ends of structs follow it.
    let patched = match workload.direction {
        Direction::Produce => frame.len() - 3 - batch.len()..frame.len() - 3 - batch.len() + PATCHED,
        Direction::Fetch => 0..0,
    };
    let pristine = frame[patched.clone()].to_vec();
    let shape = match workload.direction {
        Direction::Produce => AnswerShape::produce(topic),
        Direction::Fetch => AnswerShape::fetch(topic),
    };
    let dispatch = Dispatch::new(node.broker()?.clone());
    let peer = peer();
    let mut out = Outbound::default();
    let runtime = node.handle();
    let _entered = runtime.enter();
    let mut unpack = Decompressors::default();
    for _ in 0..times {
        if let Some(plant) = plant {
            plant.bear(&batch, &peer, &mut unpack)?;
        }
        match dispatch.call(&peer, Instant::now(), &mut frame, &mut out) {
            Step::Done => shape.check(out.bytes().get(4..).context("no answer")?, 0)?,
            Step::Wait(_) | Step::Promise(_) => bail!("the broker has to wait, which is not what is counted"),
            Step::Close(close) => bail!("refused: {close}"),
        }
        out.clear();
        frame[patched.clone()].copy_from_slice(&pristine);
    }
    // The one that showed the partition to be there, and all that were replayed: what is counted is what was accepted.
    let appended = 1 + if workload.direction == Direction::Produce { times } else { 0 };
    let (end, due) = (connection.latest_offset(topic)?, i64::from(appended) * i64::from(records));
    ensure!(end == due, "the log ends at {end} after {times} replays, where {due} was due");
    Ok(())
}
