//! The machine a bench runs on, and what makes its numbers steadier.

use std::fs::{File, read_to_string};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The core the broker has to itself.
pub const BROKER_CORE: &str = "0";
/// The core the load has to itself.
pub const LOAD_CORE: &str = "1";

/// Pins this process, and what it starts from now on without a word to the contrary, to the load's core.
pub fn pin_load() -> Result<()> {
    let id = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", LOAD_CORE, &id]).output().context("running taskset")?;
    ensure!(pinned.status.success(), "taskset: {}", String::from_utf8_lossy(&pinned.stderr));
    Ok(())
}

/// Has this thread run only while no other wants its core: what makes load must not delay what takes the time of another.
pub fn give_way() -> Result<()> {
    let id = rustix::thread::gettid().as_raw_nonzero().to_string();
    let idle = Command::new("chrt").args(["--idle", "--pid", "0", &id]).output().context("running chrt")?;
    ensure!(idle.status.success(), "chrt: {}", String::from_utf8_lossy(&idle.stderr));
    Ok(())
}

/// What starts a broker on its core.
pub fn broker_wrapper() -> Vec<String> {
    ["taskset", "-c", BROKER_CORE].map(str::to_owned).to_vec()
}

/// One line about the machine.
pub fn describe() -> String {
    let field = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("");
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}; {cores} cores; {} memory; Linux {}; load {}",
        field("/proc/cpuinfo", "model name"),
        field("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

/// What the kernel holds for itself in small pieces, sockets among them.
pub fn kernel_megabytes() -> Result<f64> {
    let text = read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:")).context("no Slab")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Writes and drops `bytes` in `directory`. A virtual machine's host takes free memory back within milliseconds, so
/// that the first write to a page costs several times a later one; this takes the pages right before a run does.
pub fn warm_memory(directory: &Path, bytes: u64) -> Result<()> {
    let path = directory.join("warm");
    let chunk = vec![0x55; 1 << 20];
    let mut file = File::create(&path)?;
    for _ in 0..bytes >> 20 {
        file.write_all(&chunk)?;
    }
    drop(file);
    Ok(std::fs::remove_file(path)?)
}
