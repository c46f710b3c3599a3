//! What a process has cost so far, from `/proc`.

use std::fs::read_to_string;

use anyhow::{Context, Result};

/// CPU time of all threads of a process, ended ones too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// Seconds in its own code.
    pub user: f64,
    /// Seconds in the kernel for it.
    pub system: f64,
}

/// `/proc` counts in hundredths of a second on every Linux that Rust targets.
const TICKS_PER_SECOND: f64 = 100.0;

impl Cpu {
    /// What process `id` has used since it began.
    pub fn of(id: u32) -> Result<Self> {
        let stat = read_to_string(format!("/proc/{id}/stat"))?;
        // The name, in brackets, may hold anything; the fields behind it are numbers, state first.
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has no name")?;
        let mut times = fields.split(' ').skip(11).map(str::parse::<f64>);
        let mut next = || times.next().context("/proc/PID/stat is short")?.context("a time is no number");
        Ok(Self { user: next()? / TICKS_PER_SECOND, system: next()? / TICKS_PER_SECOND })
    }

    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }

    /// Both together.
    pub fn total(self) -> f64 {
        self.user + self.system
    }
}

/// Resident memory of process `id` in megabytes.
pub fn resident_megabytes(id: u32) -> Result<f64> {
    let status = read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// How many reads of files a process has asked the system for.
pub fn reads_of(id: u32) -> Result<u64> {
    let text = read_to_string(format!("/proc/{id}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("syscr: "));
    Ok(line.context("syscr in /proc/PID/io")?.trim().parse()?)
}
