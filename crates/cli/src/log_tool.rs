//! `log verify DIR...`: reads log directories, or single partitions, whole, and prints what is wrong and what to do.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use storage::verify::{self, Problem, Report};
use storage::{Fault, RealDisk};

use crate::failure::Failure;

/// Looks into logs.
#[derive(Args)]
pub struct Log {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Read everything and name what is wrong: checksums, indexes, epochs, producers, transactions,
    /// checkpoints, metadata. Writes nothing; ends with 1 if
    /// anything is wrong.
    Verify {
        /// Log directories, or the directories of single partitions.
        #[arg(required = true, value_name = "DIR")]
        directories: Vec<PathBuf>,
    },
}

/// Does it.
pub fn run(log: &Log) -> Result<u8, Failure> {
    let What::Verify { directories } = &log.what;
    let report = verify(directories).map_err(Failure::new)?;
    let mut out = std::io::stdout().lock();
    // Whoever reads may have seen enough.
    let _unread = report.problems.iter().try_for_each(|problem| writeln!(out, "{}", shown(problem)));
    let wrong = report.problems.len();
    let Report { logs, files, batches, bytes, first_records, .. } = report;
    if first_records > 0 {
        let waiting = "first records that wait for Headwater's next start, which gives each log its files";
        let _unread = writeln!(out, "{waiting}: {first_records}");
    }
    let verdict = match wrong {
        0 => "nothing is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    };
    let _unread =
        writeln!(out, "{logs} logs, {files} files, {batches} batches, {bytes} bytes of batches: {verdict}");
    Ok(u8::from(wrong > 0))
}

fn verify(directories: &[PathBuf]) -> Result<Report, Fault> {
    let (mut logs, mut total) = (Vec::new(), 0);
    let mut report = Report::default();
    for directory in directories {
        let (found, bytes) = verify::logs_in(&RealDisk, directory)?;
        if found.is_empty() && !verify::holds_first_records(&RealDisk, directory) {
            let reason = "holds no log: name a log directory or the directory of a partition".to_owned();
            return Err(Fault::Mismatch { path: directory.clone(), reason });
        }
        logs.push((directory, found));
        total += bytes;
    }
    let mut bar = Bar::new(total);
    for (directory, found) in logs {
        let mut extents = verify::Extents::new();
        for log in found {
            bar.begin(&log);
            let extent = verify::verify_log(&RealDisk, &log, &mut report, &mut |bytes| bar.add(bytes))?;
            verify::add_extent(&mut extents, &log, extent);
        }
        verify::verify_root(&RealDisk, directory, &extents, &mut report)?;
    }
    bar.end();
    Ok(report)
}

fn shown(problem: &Problem) -> String {
    let position = problem.position.map(|at| format!(" at byte {at}")).unwrap_or_default();
    let offset = problem.offset.map(|offset| format!(" (offset {offset})")).unwrap_or_default();
    format!("{}{position}{offset}: {}\n    {}", problem.path.display(), problem.what, problem.way_out)
}

/// How far it is, on a terminal only.
struct Bar {
    begun: Instant,
    total: u64,
    done: u64,
    log: String,
    /// When it was drawn last; `None` where nobody looks.
    drawn: Option<Instant>,
}

/// How often it is drawn.
const REDRAWN_AFTER: Duration = Duration::from_millis(100);
/// Columns of the line, and of the bar in it.
const COLUMNS: usize = 79;
const BAR: usize = 24;

impl Bar {
    fn new(total: u64) -> Self {
        let begun = Instant::now();
        let watched = std::io::stderr().is_terminal() && total > 0;
        Self { begun, total, done: 0, log: String::new(), drawn: watched.then_some(begun) }
    }

    fn begin(&mut self, log: &Path) {
        self.log = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.add(0);
    }

    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        let now = Instant::now();
        if self.drawn.is_some_and(|drawn| now.duration_since(drawn) >= REDRAWN_AFTER) {
            self.drawn = Some(now);
            let line = line((self.done, self.total), self.begun.elapsed(), &self.log);
            let _unseen = write!(std::io::stderr(), "\r{line}");
        }
    }

    fn end(&self) {
        if self.drawn.is_some() {
            let _unseen = write!(std::io::stderr(), "\r{:COLUMNS$}\r", "");
        }
    }
}

/// What the bar shows: how much of how much, how fast, how long it will take, and which log it is at.
fn line((done, total): (u64, u64), elapsed: Duration, log: &str) -> String {
    // A log that is written to meanwhile may grow.
    let part = (done as f64 / total.max(1) as f64).min(1.0);
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let left = total.saturating_sub(done) as f64 / rate.max(1.0);
    let filled = "#".repeat((part * BAR as f64) as usize);
    let (done, total) = (done as f64 / 1e9, total as f64 / 1e9);
    let text = format!(
        "[{filled:<BAR$}] {:>3.0} %  {done:.1} of {total:.1} GB, {:.0} MB/s, {left:.0} s left: {log}",
        part * 100.0,
        rate / 1e6
    );
    let shown: String = text.chars().take(COLUMNS).collect();
    format!("{shown:<COLUMNS$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_it_is_and_stays_on_its_line() {
        let half = line((500_000_000, 1_000_000_000), Duration::from_secs(2), "orders-3");
        assert_eq!(
            half.trim_end(),
            "[############            ]  50 %  0.5 of 1.0 GB, 250 MB/s, 2 s left: orders-3"
        );
        let table = [(0, 0), (0, 10), (20, 10), (u64::MAX, u64::MAX)];
        for progress in table {
            let line = line(progress, Duration::ZERO, &"long".repeat(60));
            assert_eq!(line.chars().count(), COLUMNS, "{line}");
        }
    }
}
