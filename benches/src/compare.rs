//! Headwater, Apache Kafka, the floor and whoever else is named, in turn, in one run. A broker that ends on the way is started
//! again, and told of at the end ([`benches::sides`]).

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod counts;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use benches::contender::Contender;
use benches::crowd::Crowd;
use benches::frames::{AnswerShape, Frame};
use benches::latency::OpenLoop;
use benches::load::{Connection, wait_for_partitions};
use benches::machine::{describe, pin_load, warm_memory};
use benches::report::{Counts, Ending, Goal, Report, Row, Sample};
use benches::side::{Side, first_ack};
use benches::sides::Sides;
use benches::turns::{Turns, WAVERING, without_wavering};
use benches::workload::{LONE, WORKLOADS, Workload};

/// The partitions a broker has when it is started again.
const RESTARTED_PARTITIONS: i32 = 2_000;
/// What is measured end to end.
const RATE: u32 = 5_000;

const CROWDS: [(Crowd, Goal); 3] = [
    (Crowd::Tailing(50), Goal::ratios(0.5, 1.3)),
    (Crowd::Producers(64), Goal::ratios(0.5, 1.3)),
    (Crowd::WideFetch(100), Goal::ratios(0.4, 1.3)),
];

/// Run the brokers in turn and print what each costs.
#[derive(clap::Args)]
pub struct Compare {
    /// How many times each side runs each load.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// A tenth of the load, two pairs and a short warm-up: to see that it works.
    #[arg(long)]
    quick: bool,
    /// Seconds of warm-up a workload, at most: it ends when the cost falls no more.
    #[arg(long, default_value_t = 24)]
    warm_up: u64,
    /// Headwater looks at the headers of compressed batches only, as the floor does.
    #[arg(long)]
    headers_only: bool,
    /// Only loads whose names contain one of these; a whole name is that load alone.
    #[arg(long)]
    only: Vec<String>,
    /// Only these sides: headwater, kafka, floor.
    #[arg(long, value_parser = ["headwater", "kafka", "floor"])]
    side: Vec<String>,
    /// Another broker, as NAME=COMMAND; the command's words may hold {port} and {directory}.
    #[arg(long, value_name = "NAME=COMMAND")]
    other: Vec<String>,
    /// Where all keep their data; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(flatten)]
    ending: Ending,
}

/// The sides, and what is found of them.
struct Bench<'a> {
    compare: &'a Compare,
    directory: &'a Path,
    sides: Sides,
    report: Report,
}

impl Compare {
    /// Runs the comparison, prints it and writes it down.
    pub fn run(&self) -> Result<()> {
        let machine = describe();
        pin_load()?;
        let temporary = tempfile::tempdir()?;
        let directory = self.directory.as_deref().unwrap_or(temporary.path());
        let contenders = self.contenders()?;
        let names = contenders.iter().map(|contender| contender.name.clone()).collect();
        let report = Report::new(machine, self.method(), names);
        report.print_head();
        let idle = match self.wants("cpu at rest") {
            true => Duration::from_secs(if self.quick { 2 } else { 20 }),
            false => Duration::ZERO,
        };
        let mut bench = Bench { compare: self, directory, sides: Sides::default(), report };
        bench.starts(&contenders);
        bench.sides = Sides::start(&contenders, directory, idle)?;
        bench.at_rest("memory at rest", "MB", Goal::absolute(15.0), |side| Ok(side.idle_megabytes));
        bench.at_rest("cpu at rest", "%", Goal::absolute(0.1), |side| Ok(side.idle_share * 100.0));
        for workload in self.workloads() {
            bench.sides.each(&format!("warming up for {}", workload.name), |side| self.warm(side, workload));
        }
        bench.costs();
        bench.crowds();
        bench.latencies();
        bench.at_rest("memory after the load", "MB", Goal::absolute(40.0), Side::megabytes);
        bench.at_rest("descriptors after the load", "", Goal::NONE, Side::descriptors);
        // Tracing leaves its marks on a broker: it comes last.
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        counts::run(&mut bench);
        bench.report.lost.extend_from_slice(bench.sides.lost());
        self.ending.of(&bench.report)
    }

    fn warm(&self, side: &Side, workload: Workload) -> Result<()> {
        eprintln!("warming up {} for {}", side.name, workload.name);
        side.warm_up(workload, Duration::from_secs(self.warm_up()))
    }

    fn pairs(&self) -> usize {
        if self.quick { 2 } else { self.pairs }
    }

    fn warm_up(&self) -> u64 {
        if self.quick { 1 } else { self.warm_up }
    }

    fn method(&self) -> String {
        format!(
            "broker on core 0, load on core 1, in turn, {} times; acks=1; produce: 5 requests in flight, fetch: 1, on one\n\
             connection; of CPU (user + system, /proc/PID/stat) the least counts, of latency the median; [least..most];\n\
             a run in which the floor cost more than {WAVERING} times its least is thrown away; Kafka: heap 1 GiB, G1, warmed\n\
             until its cost falls no more, {} s a workload at most; memory written and dropped before each run",
            self.pairs(),
            self.warm_up()
        )
    }

    fn contenders(&self) -> Result<Vec<Contender>> {
        let wanted = |contender: &Contender| self.side.is_empty() || self.side.contains(&contender.name);
        let mut headwater = Contender::headwater();
        if self.headers_only {
            headwater = headwater.set("headwater.compressed.validation", "header");
        }
        let mut contenders = vec![headwater, Contender::apache_kafka(), Contender::floor()?];
        contenders.retain(wanted);
        for other in &self.other {
            contenders.push(Contender::parse(other)?);
        }
        Ok(contenders)
    }

    /// The loads of one connection that are wanted, with what each must reach.
    fn workloads(&self) -> impl Iterator<Item = Workload> {
        let wanted = WORKLOADS.into_iter().filter(|workload| self.wants(workload.name));
        wanted.map(|workload| match workload.headers_goal {
            Some(goal) if self.headers_only => Workload { goal, ..workload },
            _ => workload,
        })
    }

    fn wants(&self, name: &str) -> bool {
        let whole = |only: &str| WORKLOADS.iter().any(|workload| workload.name == only);
        let wanted = |only: &String| if whole(only) { name == only } else { name.contains(only.as_str()) };
        self.only.is_empty() || self.only.iter().any(wanted)
    }
}

impl Bench<'_> {
    /// Start to first acknowledgement: from an empty directory, formatting included, and with many partitions.
    fn starts(&mut self, contenders: &[Contender]) {
        let times = self.compare.pairs().min(3);
        if self.compare.wants("start") {
            let mut samples = vec![Vec::new(); contenders.len()];
            for number in 0..times {
                for (contender, samples) in contenders.iter().zip(&mut samples) {
                    let directory = self.directory.join(format!("start-{}-{number}", contender.name));
                    samples.extend(self.kept("start", contender, start(contender, &directory)));
                }
            }
            self.add("start to first ack", "ms", Counts::Least, Goal::absolute(50.0), samples);
        }
        if self.compare.wants("restart") {
            let mut samples = vec![Vec::new(); contenders.len()];
            for (contender, samples) in contenders.iter().zip(&mut samples).filter(|(c, _)| c.is_durable()) {
                let directory = self.directory.join(format!("restart-{}", contender.name));
                for _ in 0..times {
                    samples.extend(self.kept("restart", contender, restart(contender, &directory)));
                }
            }
            self.add("restart, 2,000 partitions", "ms", Counts::Least, Goal::absolute(200.0), samples);
        }
    }

    /// What a start took; one that failed is told of at the end.
    fn kept(&mut self, what: &str, contender: &Contender, took: Result<Duration>) -> Option<Sample> {
        let told = took.inspect_err(|error| {
            self.report.lost.push(format!("a {what} of {}: {error:#}", contender.name));
        });
        told.ok().map(|took| Sample::from(took.as_secs_f64() * 1e3))
    }

    fn costs(&mut self) {
        let (compare, directory) = (self.compare, self.directory);
        for workload in compare.workloads() {
            let requests = if compare.quick { workload.requests / 10 } else { workload.requests };
            let unit = if workload.by_request { "us/req" } else { "s/GB" };
            let warm = |side: &Side| compare.warm(side, workload);
            let samples = self.in_turn(workload.name, warm, |side| {
                let run = side.measure(workload, requests, directory)?;
                let user_share = Some(run.cpu.user / run.cpu.total());
                Ok(vec![Sample { value: run.cost(workload), user_share }])
            });
            self.add_turns(&[(workload.name.to_owned(), unit, workload.goal)], Counts::Least, samples);
        }
    }

    fn crowds(&mut self) {
        let (compare, directory) = (self.compare, self.directory);
        for (crowd, goal) in CROWDS.into_iter().filter(|(crowd, _)| compare.wants(&crowd.name())) {
            let rounds = if compare.quick { crowd.rounds() / 10 } else { crowd.rounds() };
            let run = |side: &Side| -> Result<Vec<Sample>> {
                let mut gathered = crowd.gather(side.running().address())?;
                gathered.run(rounds / 10)?;
                warm_memory(directory, 256 << 20)?;
                let before = side.cpu()?;
                let requests = gathered.run(rounds)?;
                let cpu = side.cpu()?.since(before);
                gathered.finish()?;
                let user_share = Some(cpu.user / cpu.total());
                Ok(vec![Sample { value: cpu.total() / requests as f64 * 1e6, user_share }])
            };
            let samples = self.in_turn(&crowd.name(), |side| run(side).map(drop), run);
            self.add_turns(&[(crowd.name(), "us/req", goal)], Counts::Least, samples);
        }
    }

    fn latencies(&mut self) {
        if !self.compare.wants("end to end") {
            return;
        }
        let duration = Duration::from_secs(if self.compare.quick { 2 } else { 20 });
        let open = OpenLoop { rate: RATE, record_bytes: 1024, duration };
        let run = |side: &Side| -> Result<Vec<Sample>> {
            // A first, short run finds the code compiled and the memory there.
            OpenLoop { duration: Duration::from_secs(1), ..open }.run(side.running().address())?;
            let before = side.cpu()?;
            let latency = open.run(side.running().address())?;
            let share = side.cpu()?.since(before).total() / duration.as_secs_f64() * 100.0;
            Ok([latency.p50, latency.p99, latency.p999, share].map(Sample::from).to_vec())
        };
        let samples = self.in_turn("end to end", |side| run(side).map(drop), run);
        let row = |name: &str| format!("end to end, {RATE}/s, {name}");
        let rows = [
            (row("p50"), "ms", Goal::ratios(0.6, 1.3)),
            (row("p99"), "ms", Goal::ratios(0.35, 1.3)),
            (row("p99.9"), "ms", Goal { of_kafka: Some(0.6), ..Goal::NONE }),
            (row("cpu"), "%", Goal::ratios(0.45, 1.3)),
        ];
        self.add_turns(&rows, Counts::Median, samples);
    }

    fn at_rest(&mut self, name: &str, unit: &'static str, goal: Goal, figure: impl Fn(&Side) -> Result<f64>) {
        if !self.compare.wants(name) {
            return;
        }
        let found = self.sides.each(name, |side| Ok(Sample::from(figure(side)?)));
        let samples = found.into_iter().map(Vec::from_iter).collect();
        self.add(name, unit, Counts::Least, goal, samples);
    }

    /// Runs each side in turn, as often as is wanted: figures of each run of each side.
    fn in_turn(
        &mut self,
        what: &str,
        warm: impl Fn(&Side) -> Result<()>,
        run: impl FnMut(&Side) -> Result<Vec<Sample>>,
    ) -> Turns {
        let mut turns = self.sides.in_turn((what, self.compare.pairs()), warm, run);
        if let Some(floor) = self.sides.names().position(|name| name == "floor") {
            without_wavering(&mut turns, floor);
        }
        turns
    }

    /// Adds the rows that the figures of a run make.
    fn add_turns(&mut self, rows: &[(String, &'static str, Goal)], counts: Counts, turns: Turns) {
        for (figure, (name, unit, goal)) in rows.iter().enumerate() {
            let of =
                |side: usize| turns.iter().filter_map(move |turn| turn[side].get(figure).copied()).collect();
            let samples = (0..self.sides.count()).map(of).collect();
            self.add(name, unit, counts, *goal, samples);
        }
    }

    fn add(&mut self, name: &str, unit: &'static str, counts: Counts, goal: Goal, samples: Vec<Vec<Sample>>) {
        self.report.add(Row { name: name.to_owned(), unit, counts, goal, samples });
    }
}

/// Starts a broker on an empty directory: how long until it takes a record.
fn start(contender: &Contender, directory: &Path) -> Result<Duration> {
    let begin = Instant::now();
    first_ack(&contender.spawn(directory)?, begin)
}

/// Ends a broker with many partitions and starts it again: how long until it takes a record.
fn restart(contender: &Contender, directory: &Path) -> Result<Duration> {
    let topic = "restart";
    let (batch, _) = Workload { partitions: RESTARTED_PARTITIONS, ..LONE }.batch()?;
    let broker = contender.spawn(directory)?;
    first_ack(&broker, Instant::now())?;
    let mut connection = Connection::open(broker.address())?;
    // It is there already after the first time.
    let _ = connection.create_topic(topic, RESTARTED_PARTITIONS, &[]);
    let mut connection = Connection::open(broker.address())?;
    wait_for_partitions(&mut connection, topic, &batch, RESTARTED_PARTITIONS)?;
    drop(connection);
    broker.end()?;
    let begin = Instant::now();
    let broker = contender.spawn(directory)?;
    broker.wait_until_listening(Duration::from_secs(120))?;
    let mut frame = Frame::produce(topic, &batch);
    frame.set_partition(RESTARTED_PARTITIONS - 1);
    loop {
        let mut connection = Connection::open(broker.address())?;
        match connection.ask(frame.clone(), AnswerShape::produce(topic)) {
            Ok(_) => break,
            Err(refusal) => {
                ensure!(begin.elapsed() < Duration::from_secs(120), "no acknowledgement: {refusal}")
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let elapsed = begin.elapsed();
    broker.end()?;
    Ok(elapsed)
}
