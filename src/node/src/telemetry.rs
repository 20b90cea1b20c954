//! Logs of the process, on stderr: stdout is for data.

use crate::settings::{LogFormat, LogSettings};
use ganglion_types::{Error, Result};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; once in a process.
///
/// # Errors
/// `Invalid` when `log.level` is no level or directive; `Internal` the second time.
pub fn start_logging(settings: &LogSettings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|error| Error::invalid(format!("log.level = `{}`: {error}", settings.level)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match settings.format {
        LogFormat::Pretty => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Error::internal(format!("logging cannot start: {error}")))
}
