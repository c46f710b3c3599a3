//! One entry for the workshop: `cargo xtask` prints what is untidy in the workspace and fails if anything is;
//! `cargo xtask bench ...` builds the bench for speed and passes the other words on to it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        None => tidy(),
        Some(word) if word == "bench" => bench(words),
        Some(word) => {
            bail!("{word:?} is nothing that xtask does: say nothing for the checks of the house, or bench")
        }
    }
}

fn tidy() -> anyhow::Result<ExitCode> {
    let problems = xtask::all_problems()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bench(words: impl Iterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .args(["run", "--release", "--package", "headwater-benches", "--"])
        .args(words)
        .status()
        .context("running cargo")?;
    Ok(if run.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
