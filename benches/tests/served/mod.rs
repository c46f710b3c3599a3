//! A node in a process of its own, for what traces it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use benches::calls::Calls;

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
