//! How a command ends when it cannot do what it was asked: one sentence, a way out, an exit code.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use broker::config::LogDirsConfig;
use storage::Fault;

const LOG_DIRS: &str = "log.dirs";

/// The directories that settings name.
pub struct Directories {
    log_dirs: Vec<PathBuf>,
    metadata: PathBuf,
}

impl Directories {
    /// Those of a configuration.
    pub fn of(config: &LogDirsConfig) -> Directories {
        Directories { log_dirs: config.directories.clone(), metadata: config.metadata_directory.clone() }
    }

    /// The setting that names the directory in which a file lies, and what it says; none for a file that lies elsewhere.
    fn named(&self, path: &Path) -> Option<(&'static str, &Path)> {
        let apart = !self.log_dirs.contains(&self.metadata);
        let all = self.log_dirs.iter().map(|log_dir| (LOG_DIRS, log_dir));
        let all = all.chain(apart.then_some(("metadata.log.dir", &self.metadata)));
        // One may lie in another.
        let holds = all.filter(|(_, directory)| path.starts_with(directory));
        let nearest = holds.max_by_key(|(_, directory)| directory.components().count());
        nearest.map(|(setting, directory)| (setting, directory.as_path()))
    }
}

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

    /// What a disk did, or what lies on it. Where there is no room it is said which of the directories lies there, by the
    /// setting that names it.
    pub fn of_disk(fault: &Fault, directories: &Directories) -> Failure {
        let failure = Failure::new(fault);
        match fault {
            Fault::Io { path, .. } | Fault::Full { path } if fault.no_space() => match directories.named(path) {
                Some((setting, directory)) => failure.hint(format!(
                    "{setting}={} has no room: make some on that file system, or name a directory on another ({})",
                    directory.display(),
                    if setting == LOG_DIRS { "--data DIR, log.dirs or log.dir" } else { setting }
                )),
                None => failure.hint("make some room on the file system of that file"),
            },
            _ => failure,
        }
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
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn who_finds_no_room_is_told_where_and_the_way_out() {
        let directories = Directories {
            log_dirs: ["/full/a", "/full/b"].map(PathBuf::from).to_vec(),
            metadata: PathBuf::from("/full/b/metadata"),
        };
        let failure = |path: &str, errno: Errno| {
            Failure::of_disk(&Fault::io("write", Path::new(path), errno.into()), &directories)
        };
        for (path, said) in [
            ("/full/a/meta.properties", "log.dirs=/full/a has no room"),
            ("/full/b/t-0/0.log", "log.dirs=/full/b has no room"),
            ("/full/b/metadata/__cluster_metadata-0/0.log", "metadata.log.dir=/full/b/metadata has no room"),
        ] {
            let full = failure(path, Errno::NOSPC);
            assert!(full.sentence.contains(path), "{}", full.sentence);
            let hint = full.hint.unwrap();
            assert!(hint.starts_with(said) && hint.contains("make some"), "{hint}");
            assert_eq!(hint.contains("--data"), said.starts_with(LOG_DIRS), "{hint}");
        }
        assert_eq!(failure("/full/a/meta.properties", Errno::ROFS).hint, None);
        let elsewhere = failure("/etc/passwd", Errno::NOSPC).hint.unwrap();
        assert!(elsewhere.contains("make some room") && !elsewhere.contains('='), "{elsewhere}");
    }
}
