//! How a command ends when it cannot do what it was asked: one sentence, a way out, an exit code.

use std::fmt::Display;
use std::process::ExitCode;

use storage::Fault;

/// Why a command stopped.
#[derive(Debug)]
pub struct Failure {
    sentence: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A failure in one sentence.
    pub fn new(sentence: impl Display) -> Failure {
        Failure { sentence: sentence.to_string(), hint: None, code: 1 }
    }

    /// Words on the command line that cannot be understood: the exit code is 2, as with clap's own.
    pub fn usage(sentence: impl Display) -> Failure {
        Failure { code: 2, ..Failure::new(sentence) }
    }

    /// What a disk did, or what lies on it.
    pub fn of_disk(fault: &Fault) -> Failure {
        let failure = Failure::new(fault);
        if fault.no_space() {
            return failure.hint(
                "make room on that file system, or name a directory on another: --data DIR, or log.dirs",
            );
        }
        failure
    }

    /// What to do about it.
    pub fn hint(mut self, hint: impl Display) -> Failure {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints it and gives the exit code.
    pub fn report(self) -> ExitCode {
        eprintln!("error: {}", self.sentence);
        if let Some(hint) = self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn who_finds_no_room_is_told_the_way_out() {
        let fault = |errno: Errno| Fault::io("write", Path::new("/full/d/meta.properties"), errno.into());
        let full = Failure::of_disk(&fault(Errno::NOSPC));
        assert!(full.sentence.contains("/full/d/meta.properties"), "{}", full.sentence);
        assert!(full.hint.is_some_and(|hint| hint.contains("make room") && hint.contains("--data")));
        assert_eq!(Failure::of_disk(&fault(Errno::ROFS)).hint, None);
    }
}
