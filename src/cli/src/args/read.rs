//! From what was typed to a [`Cli`], or to a failure of kind `Invalid`.

use super::{Cli, command};
use crate::failure::Failure;
use clap::FromArgMatches;
use clap::error::ErrorKind as ClapKind;
use std::ffi::OsString;
use std::time::Duration;

/// What was typed, when it was no command to run.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Help or the version: to print to stdout, and no failure.
    Shown(clap::Error),
    /// Nobody can say what was meant.
    Refused {
        /// As a document says it.
        failure: Failure,
        /// As a terminal shows it, with the usage.
        shown: clap::Error,
    },
}

/// Reads a command line, its program name first.
pub(crate) fn read_cli(typed: impl IntoIterator<Item = OsString>) -> Result<Cli, Unread> {
    command()
        .try_get_matches_from(typed)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(unread)
}

fn unread(error: clap::Error) -> Unread {
    match error.kind() {
        ClapKind::DisplayHelp | ClapKind::DisplayVersion => Unread::Shown(error),
        _ => Unread::Refused {
            failure: Failure::invalid(sentence(&error)),
            shown: error,
        },
    }
}

/// What clap says before it shows the usage, in one line.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said
        .split("\n\nFor more information")
        .next()
        .unwrap_or_default();
    let words: Vec<&str> = said
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect();
    words.join(" ")
}

/// A length of time with its unit, above zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.as_millis() > 0 => Ok(time),
        Ok(_) => Err("less than a millisecond".to_owned()),
        Err(error) => Err(format!("{error}: write it like 500ms, 30s or 2m")),
    }
}
