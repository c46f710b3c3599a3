//! The `-daemon` flag of kafka-server-start: the same command again, in a session of its own.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// Set for the process in the background.
const IN_BACKGROUND: &str = "HEADWATER_IN_BACKGROUND";

/// Takes the flags of Kafka's script off the words: `-daemon` (answered) and those meant for a JVM.
pub fn take_flags(words: &mut Vec<OsString>) -> bool {
    let mut in_background = false;
    let mut kept = Vec::with_capacity(words.len());
    let mut rest = std::mem::take(words).into_iter();
    while let Some(word) = rest.next() {
        match word.to_str() {
            Some("-daemon") => in_background = true,
            Some("-loggc") => {}
            Some("-name") => drop(rest.next()),
            _ => kept.push(word),
        }
    }
    *words = kept;
    in_background
}

/// Starts this command again without `-daemon`, with its output in `kafkaServer.out` of `LOG_DIR` (or `./logs`).
pub fn detach() -> Result<u8, Failure> {
    let directory = std::env::var_os("LOG_DIR").map_or_else(|| PathBuf::from("logs"), PathBuf::from);
    let path = directory.join("kafkaServer.out");
    let opened = std::fs::create_dir_all(&directory)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&path))
        .and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = opened
        .map_err(|error| Failure::new(format!("cannot write the output to {}: {error}", path.display())))?;
    let mut words = std::env::args_os().collect();
    take_flags(&mut words);
    let program =
        std::env::current_exe().map_err(|error| Failure::new(format!("cannot find myself: {error}")))?;
    let mut command = Command::new(program);
    std::os::unix::process::CommandExt::arg0(&mut command, &words[0]);
    let child = command
        .args(&words[1..])
        .env(IN_BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn();
    child.map_err(|error| Failure::new(format!("cannot start in the background: {error}")))?;
    Ok(0)
}

/// In the background process: leave the session of the terminal, so that closing it does not end the node.
pub fn leave_terminal() {
    if std::env::var_os(IN_BACKGROUND).is_some() {
        // It fails only for a process that leads a group already, which has no terminal to lose.
        let _already_alone = rustix::process::setsid();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_for_the_script_are_taken_off() {
        let mut words: Vec<OsString> =
            ["kafka-server-start.sh", "-daemon", "-name", "x", "-loggc", "a.properties", "--override", "k=v"]
                .map(OsString::from)
                .to_vec();
        assert!(take_flags(&mut words));
        assert_eq!(words, ["kafka-server-start.sh", "a.properties", "--override", "k=v"]);
        assert!(!take_flags(&mut words));
    }
}
