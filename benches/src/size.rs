//! `size`: what very many partitions cost one node: making them, a record in each, memory, produce, restarts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::cost::{Cpu, resident_megabytes};
use benches::frames::{AnswerShape, Frame};
use benches::goals::Goals;
use benches::load::{Connection, IN_FLIGHT};
use benches::machine::describe;
use benches::workload::WORKLOADS;
use conformance::broker_process::{BrokerProcess, Kind, Launch};
use protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use protocol::messages::{Message, ProduceRequest, ProduceResponse};
use storage::first_records::FIRST_RECORDS;

use crate::vast::Vast;
use crate::{killed, left_alone};

/// Partitions of a topic, as they are made and written to together.
const A_TOPIC: i32 = 1000;
const PRODUCE_VERSION: i16 = 11;

/// What very many partitions cost one node.
#[derive(clap::Args)]
pub struct Size {
    /// How many partitions.
    #[arg(long, default_value_t = 10_000)]
    partitions: i32,
    /// Batches of 64 KiB to write for the cost of a produce.
    #[arg(long, default_value_t = 8_000)]
    batches: u32,
    /// Look at one log of so many segments instead.
    #[arg(long)]
    segments: Option<u32>,
    /// Look at one log of a terabyte in segments of a gigabyte instead.
    #[arg(long)]
    terabyte: bool,
    /// Look at what a node has to read that was killed in the midst of a segment of a gigabyte instead.
    #[arg(long)]
    killed: bool,
    /// Look at what a node has to read after a kill of logs that nobody has written to for a while instead.
    #[arg(long)]
    left_alone: bool,
    /// Where the data goes; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Fail if a goal is not reached.
    #[arg(long)]
    strict: bool,
}

/// A topic of the run.
fn name(topic: i32) -> String {
    format!("size-{topic:04}")
}

/// Sends one request and answers with the body of its answer.
fn ask(stream: &mut TcpStream, api_key: i16, version: i16, body: &[u8]) -> Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    frame.extend_from_slice(&api_key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0]);
    frame.extend_from_slice(body);
    let length = u32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer.split_off(5))
}

/// Writes one small record to each partition of a topic; says how many refused it.
fn write_to_all(stream: &mut TcpStream, topic: i32, partitions: i32, batch: &[u8]) -> Result<usize> {
    let data = |index| PartitionProduceData { index, records: Some(batch.into()) };
    let topic = TopicProduceData {
        name: name(topic).into(),
        partition_data: (0..partitions).map(data).collect::<Vec<_>>().into(),
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: 1,
        timeout_ms: 30_000,
        topic_data: vec![topic].into(),
        ..ProduceRequest::default()
    };
    let mut body = Vec::new();
    request.encode(PRODUCE_VERSION, &mut body)?;
    let answer = ask(stream, 0, PRODUCE_VERSION, &body)?;
    let response = ProduceResponse::decode(&answer, PRODUCE_VERSION)?;
    let topics = response.responses.iter();
    let refused = topics
        .map(|topic| topic.partition_responses.iter().filter(|partition| partition.error_code != 0).count());
    Ok(refused.sum())
}

/// Ends a node that was given a record for each log since it has come up after that.
fn stop(broker: BrokerProcess, after: &str) -> Result<()> {
    let begin = Instant::now();
    broker.end()?;
    println!("stop        {:.3} s, after {after} and a record in each", begin.elapsed().as_secs_f64());
    Ok(())
}

impl Size {
    /// Runs it and prints what it found.
    pub fn run(&self) -> Result<()> {
        println!("machine     {}", describe());
        if self.killed {
            let goals = Goals::default();
            killed::run(self.directory.as_deref(), &goals)?;
            return goals.end(self.strict);
        }
        if self.left_alone {
            let goals = Goals::default();
            left_alone::run(self.directory.as_deref(), &goals)?;
            return goals.end(self.strict);
        }
        if self.terabyte || self.segments.is_some() {
            let (segments, hole_bytes) = if self.terabyte { (1024, 1_000_000_000) } else { (10_000, 0) };
            let vast = Vast { segments: self.segments.unwrap_or(segments), hole_bytes };
            let goals = Goals::default();
            vast.run(self.directory.as_deref(), &goals)?;
            return goals.end(self.strict);
        }
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let launch = Launch::new(Kind::Headwater, directory)?.set("log.segment.delete.delay.ms", 1000);
        let goals = Goals::default();
        let broker = launch.start()?;
        println!("empty       {:.1} MB", resident_megabytes(broker.id())?);
        self.create(&broker, &goals)?;
        broker.kill()?;
        let broker = self.restart(&launch, "kill -9", &goals)?;
        stop(broker, "a kill")?;
        let broker = self.restart(&launch, "clean", &goals)?;
        // What a log holds is on stable storage by now, but for the record it was given since.
        stop(broker, "a clean start")?;
        let broker = self.restart(&launch, "clean again", &goals)?;
        self.cost(&broker, directory, &goals)?;
        println!("loaded      {:.1} MB", resident_megabytes(broker.id())?);
        broker.kill()?;
        // What that has written is read to its end.
        self.restart(&launch, "under load", &goals)?.end()?;
        goals.end(self.strict)
    }

    /// What a broker holds, beside the goal.
    fn memory(&self, broker: &BrokerProcess, when: &str, goals: &Goals) -> Result<String> {
        let held = resident_megabytes(broker.id())?;
        let goal = self.goal(goals, &format!("memory, {when}"), held, [60.0, 150.0], "MB");
        Ok(format!("{held:.1} MB{goal}"))
    }

    fn topics(&self) -> impl Iterator<Item = (i32, i32)> {
        let partitions = self.partitions;
        (0..)
            .map(move |topic| (topic, (partitions - topic * A_TOPIC).min(A_TOPIC)))
            .take_while(|(_, left)| *left > 0)
    }

    fn create(&self, broker: &BrokerProcess, goals: &Goals) -> Result<()> {
        let begin = Instant::now();
        let mut connection = Connection::open(broker.address())?;
        for (topic, partitions) in self.topics() {
            connection.create_topic(&name(topic), partitions, &[])?;
        }
        let created = begin.elapsed();
        self.write_once(broker.address())?;
        let written = begin.elapsed().as_secs_f64();
        println!(
            "created     {:.3} s answered, {written:.3} s with a record in each{}",
            created.as_secs_f64(),
            self.goal(goals, "a record in each", written, [1.0, 10.0], "s")
        );
        println!("holding     {}", self.memory(broker, "a record in each", goals)?);
        self.settle(broker, begin)?;
        // With files, indexes and paths: before, a log is little more than a plan.
        println!("holding     {}", self.memory(broker, "every log with its files", goals)?);
        Ok(())
    }

    /// What the issue asks for with ten thousand partitions or a hundred thousand.
    fn goal(&self, goals: &Goals, what: &str, figure: f64, goal: [f64; 2], unit: &str) -> String {
        let goal = match self.partitions {
            10_000 => goal[0],
            100_000 => goal[1],
            _ => return String::new(),
        };
        goals.at_most(what, figure, goal, unit)
    }

    /// Waits until every log has files of its own: their first records are written before they have.
    fn settle(&self, broker: &BrokerProcess, begin: Instant) -> Result<()> {
        let first_records = broker.data_directory().join(FIRST_RECORDS);
        while std::fs::metadata(&first_records).is_ok_and(|file| file.len() > 0) {
            ensure!(begin.elapsed() < Duration::from_secs(600), "logs stay without files");
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("settled     {:.3} s until every log had its files", begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn write_once(&self, address: SocketAddr) -> Result<()> {
        let lone = WORKLOADS.iter().find(|workload| workload.by_request).context("lone records")?;
        let (batch, _) = lone.batch()?;
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        for (topic, partitions) in self.topics() {
            let refused = write_to_all(&mut stream, topic, partitions, &batch)?;
            ensure!(refused == 0, "{refused} partitions of {} took no record", name(topic));
        }
        Ok(())
    }

    /// CPU of a batch of 64 KiB over all partitions, beside one partition.
    fn cost(&self, broker: &BrokerProcess, directory: &Path, goals: &Goals) -> Result<()> {
        let workload = WORKLOADS.iter().find(|workload| workload.name == "produce-64k").context("64 KiB")?;
        let (batch, _) = workload.batch()?;
        let mut connection = Connection::open(broker.address())?;
        connection.create_topic("lone", 1, &[])?;
        let topics: Vec<_> = self.topics().collect();
        let mut costs = Vec::new();
        for round in 0..3 {
            for spread in [false, true] {
                benches::machine::warm_memory(directory, u64::from(self.batches) * batch.len() as u64)?;
                let before = Cpu::of(broker.id())?;
                if spread {
                    let each = self.batches / u32::try_from(topics.len())?;
                    for (topic, partitions) in &topics {
                        let mut frame = Frame::produce(&name(*topic), &batch);
                        let shape = AnswerShape::produce(&name(*topic));
                        let turn = |frame: &mut Frame, number: u32| {
                            frame.set_partition((number as i32 + round * 331) % *partitions);
                        };
                        connection.pump(&mut frame, shape, each.max(IN_FLIGHT), turn)?;
                    }
                } else {
                    let mut frame = Frame::produce("lone", &batch);
                    connection.pump(&mut frame, AnswerShape::produce("lone"), self.batches, |_, _| ())?;
                }
                let cpu = Cpu::of(broker.id())?.since(before).total();
                costs.push((spread, cpu / f64::from(self.batches) * 1e6));
            }
        }
        let least =
            |spread| costs.iter().filter(|cost| cost.0 == spread).map(|cost| cost.1).fold(f64::MAX, f64::min);
        let (one, all) = (least(false), least(true));
        println!(
            "produce     {one:.1} us a batch of 64 KiB to one partition, {all:.1} us over all: {:.2}{}",
            all / one,
            goals.at_most("produce over all beside one partition", all / one, 1.5, "")
        );
        Ok(())
    }

    fn restart(&self, launch: &Launch, after: &str, goals: &Goals) -> Result<BrokerProcess> {
        let lone = WORKLOADS.iter().find(|workload| workload.by_request).context("lone records")?;
        let (batch, _) = lone.batch()?;
        let goal = match after {
            "clean" => Some([0.5, 2.0]),
            "kill -9" => Some([1.0, 5.0]),
            _ => None,
        };
        let begin = Instant::now();
        let broker = launch.spawn()?;
        let mut stream = loop {
            match TcpStream::connect(broker.address()) {
                Ok(stream) => break stream,
                Err(_) => ensure!(begin.elapsed() < Duration::from_secs(120), "no listener"),
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        stream.set_nodelay(true)?;
        let (last, _) = self.topics().last().context("a topic")?;
        while write_to_all(&mut stream, last, 1, &batch)? > 0 {
            ensure!(begin.elapsed() < Duration::from_secs(120), "no record is taken");
            std::thread::sleep(Duration::from_millis(1));
        }
        let first = begin.elapsed().as_secs_f64();
        let resident = resident_megabytes(broker.id())?;
        self.write_once(broker.address())?;
        let all = begin.elapsed();
        let (ack, held) = match goal {
            Some(goal) => (
                self.goal(goals, &format!("first ack, {after}"), first, goal, "s"),
                self.memory(&broker, after, goals)?,
            ),
            // What it was given to write decides about that.
            None => (String::new(), format!("{:.1} MB", resident_megabytes(broker.id())?)),
        };
        println!(
            "{after:<11} {first:.3} s to the first ack{ack} ({resident:.1} MB), {:.3} s with a record in each ({held})",
            all.as_secs_f64()
        );
        Ok(broker)
    }
}
