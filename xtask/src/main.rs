//! Prints what is untidy in the workspace and fails if anything is.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let problems = xtask::all_problems()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
