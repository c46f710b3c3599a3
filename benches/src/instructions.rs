//! `instructions`: how many instructions the broker runs for a request, counted by callgrind and not by a clock.
//!
//! The requests are those of `compare`, handed to the broker's own dispatch in this process without a socket. Each shape is
//! replayed twice under callgrind, a few times and many times: what starting a node costs falls out of the difference.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use benches::frames::{AnswerShape, Frame};
use benches::load::{Connection, wait_for_partitions};
use benches::node::InProcess;
use benches::workload::{Direction, WORKLOADS, Workload};
use broker::handlers::Dispatch;
use broker::net::{Outbound, Peer, Service, Step};

/// What is counted, and the most that a request of it may take: a tenth more than it took when that was written down, as the
/// release build is made. Of produced batches nearly all is the checksum and the walk over the records.
const SHAPES: [(&str, f64); 6] = [
    ("produce-lone", 8_850.0),
    ("produce-16k", 18_900.0),
    ("produce-64k", 47_300.0),
    ("produce-64k-lz4", 292_500.0),
    ("fetch-64k", 8_600.0),
    ("fetch-16k", 8_600.0),
];
/// Base offset, length and leader epoch of a batch.
const PATCHED: usize = 16;
/// How often each is replayed in the shorter run and in the longer one.
const REPLAYS: (u32, u32) = (200, 1_200);

/// Count what a request costs in instructions; fails where that is more than was agreed.
#[derive(clap::Args)]
pub struct Instructions {
    /// Only shapes whose names contain one of these.
    #[arg(long)]
    only: Vec<String>,
    /// Only replay, uncounted, this shape: what is run under callgrind.
    #[arg(long, requires = "times")]
    replay: Option<String>,
    /// How often.
    #[arg(long)]
    times: Option<u32>,
}

impl Instructions {
    /// Counts, or is what is counted.
    pub fn run(&self) -> Result<()> {
        if let Some((shape, times)) = self.replay.as_ref().zip(self.times) {
            return replay(shape, times);
        }
        let wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|only| name.contains(only));
        let mut over = Vec::new();
        for (shape, most) in SHAPES.into_iter().filter(|(name, _)| wanted(name)) {
            let (few, many) = (count(shape, REPLAYS.0)?, count(shape, REPLAYS.1)?);
            let each = many.saturating_sub(few) as f64 / f64::from(REPLAYS.1 - REPLAYS.0);
            println!("{shape:<20}{each:>10.0} instructions a request, at most {most:.0}");
            if each > most {
                over.push(shape);
            }
        }
        ensure!(over.is_empty(), "more instructions than agreed: {}", over.join(", "));
        Ok(())
    }
}

/// The instructions of a process that starts a node, replays a shape and ends.
fn count(shape: &str, times: u32) -> Result<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["instructions", "--replay", shape, "--times", &times.to_string()])
        .output()
        .context("running valgrind, which has to be installed")?;
    let told = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "under valgrind: {told}");
    let line = told.lines().find_map(|line| line.split_once("Collected :")).context("no count")?;
    Ok(line.1.trim().parse()?)
}

/// Hands the same request to a broker so often.
fn replay(shape: &str, times: u32) -> Result<()> {
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
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let peer = Arc::new(Peer { connection: u64::MAX, address, listener: "PLAINTEXT".into() });
    let mut out = Outbound::default();
    let runtime = node.handle();
    let _entered = runtime.enter();
    for _ in 0..times {
        match dispatch.call(&peer, &mut frame, &mut out) {
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
