//! Log lines with fields, to stderr. The level comes from `--log`, else from `HEADWATER_LOG`, else it is `info`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::failure::Failure;

/// Turns logging on.
///
/// # Errors
/// When the level cannot be understood.
pub fn start(level: Option<&str>) -> Result<(), Failure> {
    let from_environment = std::env::var("HEADWATER_LOG").ok();
    let (name, text) = match (level, &from_environment) {
        (Some(level), _) => ("--log", level),
        (None, Some(level)) => ("HEADWATER_LOG", level.as_str()),
        (None, None) => ("--log", "info"),
    };
    let filter = EnvFilter::try_new(text).map_err(|error| unclear(name, text, &error))?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    Ok(())
}

fn unclear(name: &str, text: &str, error: &ParseError) -> Failure {
    Failure::usage(format!("cannot understand {name} \"{text}\": {error}")).hint(
        "use off, error, warn, info, debug or trace, or levels by module such as info,broker::net=debug",
    )
}
