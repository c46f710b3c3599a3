//! A node in a process of its own, for what traces it.

use std::fs::File;
use std::io::{BufRead, BufReader, IoSliceMut, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use benches::calls::Calls;
use benches::guard::Guard;
use rustix::io::{Errno, ReadWriteFlags};

/// Where a node's data lies: on a file system that says whether a read would have to wait, if this machine keeps temporary files,
/// or what cargo builds, on one. Those in memory and overlays cannot say; there other threads look into logs (ADR 0013), by more calls.
pub struct Home {
    directory: tempfile::TempDir,
    says_what_waits: bool,
}

impl Home {
    pub fn new() -> Self {
        let places = [std::env::temp_dir(), env!("CARGO_TARGET_TMPDIR").into()];
        let [first, second] = places.map(|place: PathBuf| {
            let directory = tempfile::tempdir_in(place).unwrap();
            Self { says_what_waits: says_what_waits(directory.path()), directory }
        });
        if second.says_what_waits && !first.says_what_waits { second } else { first }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Whether what was asked of a look into a log holds; where the file system does not say what would wait it is not judged,
    /// which is told to whoever gives a file to tell it to, as `.ci/run` does.
    pub fn or_unjudged(&self, holds: bool) -> bool {
        if self.says_what_waits {
            return holds;
        }
        if let Some(left_out) = std::env::var_os("LEFT_OUT") {
            let place = self.directory.path().parent().unwrap_or(Path::new("/")).display();
            let line = format!(
                "system calls of looks into logs: the file system of {place} does not say what would wait\n"
            );
            File::options()
                .append(true)
                .create(true)
                .open(left_out)
                .unwrap()
                .write_all(line.as_bytes())
                .unwrap();
        }
        true
    }

    /// Judges a guard of looks into a log, or leaves it unjudged.
    pub fn judge(&self, guard: Guard, is: f64, planted: f64) {
        if !self.or_unjudged(false) {
            guard.judge(is, planted);
        }
    }
}

fn says_what_waits(directory: &Path) -> bool {
    let path = directory.join("probe");
    std::fs::write(&path, "probe").unwrap();
    let (file, mut bytes) = (File::open(&path).unwrap(), [0; 5]);
    std::fs::remove_file(path).unwrap();
    let into = &mut [IoSliceMut::new(&mut bytes)];
    rustix::io::preadv2(&file, into, 0, ReadWriteFlags::NOWAIT) != Err(Errno::OPNOTSUPP)
}

/// What a node does by itself meanwhile: the quorum's timers, the housekeeping.
pub const BACKGROUND_MAX: u64 = 60;

/// A node in a process of its own.
pub struct Served(Child);

impl Served {
    pub fn start(directory: &std::path::Path) -> (Self, SocketAddr) {
        Self::start_with(directory, &[])
    }

    /// With settings, as KEY=VALUE.
    pub fn start_with(directory: &std::path::Path, settings: &[&str]) -> (Self, SocketAddr) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_headwater-benches"))
            .arg("serve")
            .arg(directory)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line.trim().parse().unwrap())
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Has the node end cleanly.
    pub fn stop(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How many calls a request took, with what a node does by itself left out.
pub fn each_of(requests: u32, calls: &Calls) -> f64 {
    let total = calls.without_waits();
    assert!(total >= u64::from(requests), "only {total} calls were seen for {requests} requests");
    total.saturating_sub(BACKGROUND_MAX) as f64 / f64::from(requests)
}
