//! Log lines with fields, to stderr. The level comes from `--log`, else from `HEADWATER_LOG`, else it is `info`;
//! administrators change it while the node runs (KIP-412), which the broker crate judges and this file carries out.

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
    let logging = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter)
        .with_filter_reloading();
    let handle = logging.reload_handle();
    logging.init();
    broker::logging::install(text, move |directives| {
        let changed = EnvFilter::try_new(directives).map_err(|error| error.to_string());
        if let Err(error) =
            changed.and_then(|filter| handle.reload(filter).map_err(|error| error.to_string()))
        {
            tracing::error!(directives, error, "log levels cannot be changed");
        }
    });
    Ok(())
}

fn unclear(name: &str, text: &str, error: &ParseError) -> Failure {
    Failure::usage(format!("cannot understand {name} \"{text}\": {error}")).hint(
        "use off, error, warn, info, debug or trace, or levels by module such as info,broker::net=debug",
    )
}
