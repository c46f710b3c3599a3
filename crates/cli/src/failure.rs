//! How a command ends when it cannot do what it was asked: one sentence, a way out, an exit code.

use std::fmt::Display;
use std::process::ExitCode;

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
