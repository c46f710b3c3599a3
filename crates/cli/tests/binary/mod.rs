//! Runs the binary under its own name or that of one of Kafka's scripts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "not every test file needs all of it")]

use std::os::unix::process::CommandExt;
use std::process::Command;

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it printed to stderr.
    pub err: String,
}

/// The binary with these words, not run yet.
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.args(words).env_remove("HEADWATER_LOG");
    command
}

/// Runs the binary to its end.
pub fn headwater(words: &[&str]) -> Ended {
    ended(command(words))
}

/// Runs the binary as one of Kafka's scripts, to its end.
pub fn kafka_tool(name: &str, words: &[&str]) -> Ended {
    let mut command = command(words);
    command.arg0(format!("/opt/kafka/bin/{name}"));
    ended(command)
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A node that runs; killed when dropped.
pub struct Running {
    child: std::process::Child,
    out: std::io::BufReader<std::process::ChildStdout>,
    /// The line it printed when it was ready.
    pub start_line: String,
}

impl Running {
    /// Starts a node and waits for its line.
    pub fn start(words: &[&str]) -> Running {
        let mut command = command(words);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut start_line = String::new();
        std::io::BufRead::read_line(&mut out, &mut start_line).unwrap();
        if start_line.is_empty() {
            let mut err = String::new();
            std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
            panic!("the node did not start: {err}");
        }
        Running { child, out, start_line }
    }

    /// The port for clients, from the line.
    pub fn port(&self) -> &str {
        let address = self.start_line.split("listens on ").nth(1).unwrap();
        address.split([',', ' ']).next().unwrap().rsplit(':').next().unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, waits for the end, and gives its code and what it still printed.
    pub fn end(mut self, signal: rustix::process::Signal) -> (Option<i32>, String, String) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        std::io::Read::read_to_string(&mut self.out, &mut out).unwrap();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
