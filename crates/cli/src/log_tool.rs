//! `log verify DIR...`: reads log directories, or single partitions, whole, and prints what is wrong and what to do.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

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
    /// Read everything and name what is wrong: checksums, indexes, epochs, producers, metadata. Writes nothing; ends with 1 if
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
    let Report { logs, files, batches, bytes, .. } = report;
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
        if found.is_empty() {
            let reason = "holds no log: name a log directory or the directory of a partition".to_owned();
            return Err(Fault::Mismatch { path: directory.clone(), reason });
        }
        verify::verify_root(&RealDisk, directory, &mut report)?;
        logs.extend(found);
        total += bytes;
    }
    let mut bar = Bar::new(total);
    for log in logs {
        verify::verify_log(&RealDisk, &log, &mut report, &mut |bytes| bar.add(bytes))?;
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
    total: u64,
    done: u64,
    /// The per cent shown last; `None` where nobody looks.
    shown: Option<u64>,
}

impl Bar {
    fn new(total: u64) -> Self {
        let watched = std::io::stderr().is_terminal() && total > 0;
        Self { total, done: 0, shown: watched.then_some(0) }
    }

    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        let per_cent = (self.done * 100 / self.total.max(1)).min(100);
        if self.shown.is_some_and(|shown| shown != per_cent) {
            self.shown = Some(per_cent);
            let filled = "#".repeat(usize::try_from(per_cent / 2).unwrap_or(0));
            let _unseen = write!(std::io::stderr(), "\r[{filled:<50}] {per_cent} %");
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            let _unseen = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
