//! What happens, by strace, in the system calls that a running broker makes on some files: an error, or the end of the broker.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How long strace may take to hold a broker.
pub const SOON: Duration = Duration::from_secs(20);

/// One system call of a broker in which something happens on some files.
pub struct Injected {
    call: &'static str,
    /// What happens, in strace's words.
    what: String,
    /// What traces the broker, while it does.
    strace: Option<Child>,
    /// Where it writes down each call.
    seen: PathBuf,
    files: Vec<PathBuf>,
}

impl Injected {
    /// It is to fail with an error, by the name that strace knows. `seen` is a file to write down in what has.
    pub fn failing((call, error): (&'static str, &'static str), seen: PathBuf) -> Self {
        Self::new(call, format!("error={error}"), seen)
    }

    /// The broker is to be killed as it makes the call for the `when`th time, of which nothing is done then.
    pub fn killing((call, when): (&'static str, u32), seen: PathBuf) -> Self {
        Self::new(call, format!("error=EIO:signal=KILL:when={when}"), seen)
    }

    /// Nothing happens yet.
    fn new(call: &'static str, what: String, seen: PathBuf) -> Self {
        Self { call, what, strace: None, seen, files: Vec::new() }
    }

    /// The system call.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// From now on it happens in this process on each of these files.
    pub fn begin(&mut self, process: u32, files: Vec<PathBuf>) -> Result<()> {
        self.files = files;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-y", "-p", &process.to_string(), "-o"]).arg(&self.seen);
        strace.args([
            "-e",
            &format!("trace={}", self.call),
            "-e",
            &format!("inject={}:{}", self.call, self.what),
        ]);
        for file in &self.files {
            strace.arg("-P").arg(file);
        }
        let child = strace.stdin(Stdio::null()).spawn();
        self.strace = Some(child.context("starting strace: it must be installed")?);
        let end = Instant::now() + SOON;
        while !all_traced(process)? {
            ensure!(Instant::now() < end, "strace does not trace the broker");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Whether the call has failed, and was tried once on each file at most.
    pub fn check_tried_once(&self) -> Result<()> {
        let seen = std::fs::read_to_string(&self.seen)?;
        let mut total = 0;
        for file in &self.files {
            let named = format!("<{}>", file.display());
            let tried = seen.lines().filter(|line| line.contains(&named)).count();
            ensure!(tried <= 1, "{} was called {tried} times on {}:\n{seen}", self.call, file.display());
            total += tried;
        }
        ensure!(total > 0, "{} was never called on {:?}", self.call, self.files);
        Ok(())
    }

    /// Calls do again what they are asked.
    pub fn end(&mut self) -> Result<()> {
        let Some(mut strace) = self.strace.take() else { return Ok(()) };
        // By SIGKILL it would take the broker along.
        let asked = Command::new("kill").args(["-INT", &strace.id().to_string()]).status()?;
        ensure!(asked.success(), "kill ended with {asked}");
        strace.wait()?;
        Ok(())
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.end();
    }
}

/// Whether every thread of a process has a tracer.
fn all_traced(process: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // One that ends meanwhile needs none.
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue };
        if status.lines().any(|line| line == "TracerPid:\t0") {
            return Ok(false);
        }
    }
    Ok(true)
}
