//! What went wrong, as the command line says it: one sentence, an exit code by kind, and what to do about it.

use ganglion_types::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// What every command returns.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Exit code of a filter whose reader has gone: 128 and the number of `SIGPIPE`, as of any other filter.
const READER_GONE: u8 = 141;
/// Exit code of a command that a person stopped: 128 and the number of `SIGINT`.
const INTERRUPTED: u8 = 130;

/// The `error` of a JSON document, both as the gateway sends it and as the command line prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What the caller can do, by the name of an [`ErrorKind`].
    pub(crate) kind: String,
    /// One sentence.
    pub(crate) message: String,
    /// The call, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call_id: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// What the guest returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    /// The beginning of the output that the guest set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// The end of what the guest printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stdout: Option<String>,
    /// The end of what the guest printed as errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stderr: Option<String>,
}

/// A command that did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    report: Box<Report>,
    exit_code: u8,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::of_report(Report {
            kind: kind.as_str().to_owned(),
            message: message.into(),
            ..Report::default()
        })
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A failure as the gateway told it; a kind that this program does not know counts as `Internal`.
    pub(crate) fn of_report(report: Report) -> Self {
        let kind = ErrorKind::from_name(&report.kind).unwrap_or(ErrorKind::Internal);
        Self {
            report: Box::new(report),
            exit_code: kind.exit_code(),
        }
    }

    /// A file or a folder of this machine that could not be used.
    pub(crate) fn local(context: impl std::fmt::Display, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => ErrorKind::Invalid,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, format!("{context}: {error}"))
    }

    /// Stdout could not be written. A reader that has gone (`| head`) is no error that anybody wants to read.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let mut failure = Self::local("writing to stdout", error);
        if error.kind() == io::ErrorKind::BrokenPipe {
            failure.exit_code = READER_GONE;
        }
        failure
    }

    /// A person stopped it.
    pub(crate) fn interrupted() -> Self {
        let mut failure = Self::new(ErrorKind::Indeterminate, "interrupted");
        failure.exit_code = INTERRUPTED;
        failure
    }

    /// Whether a person stopped it.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.exit_code == INTERRUPTED
    }

    /// Adds what to do next, unless something better is already known.
    #[must_use]
    pub(crate) fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.report.hint.get_or_insert_with(|| hint.into());
        self
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        ErrorKind::from_name(&self.report.kind).unwrap_or(ErrorKind::Internal)
    }

    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Whether nobody is left to read about it.
    pub(crate) fn is_silent(&self) -> bool {
        self.exit_code == READER_GONE
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error.message())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report.message)
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    /// A failure comes back as it was. Of other errors the chain is told in one sentence, and the kind is that of the
    /// first error of the house in it.
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(failure) => return failure,
            Err(error) => error,
        };
        let known = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Error>());
        let kind = known.map_or(ErrorKind::Internal, Error::kind);
        Self::new(kind, format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn every_kind_ends_with_its_own_exit_code() {
        for kind in ErrorKind::ALL {
            let failure = Failure::from(Error::new(kind, "x"));
            assert_eq!(
                (failure.kind(), failure.exit_code()),
                (kind, kind.exit_code())
            );
        }
    }

    #[test]
    fn a_kind_from_the_future_is_internal_and_keeps_its_name() {
        let failure = Failure::of_report(Report {
            kind: "Quota".to_owned(),
            ..Report::default()
        });
        assert_eq!(failure.exit_code(), ErrorKind::Internal.exit_code());
        assert_eq!(failure.report().kind, "Quota");
    }

    #[test]
    fn a_chain_keeps_the_kind_of_its_cause_and_is_told_once() {
        let chain = Err::<(), _>(Error::busy("no permit is free")).context("starting node a");
        let failure = Failure::from(chain.unwrap_err());
        assert_eq!(failure.kind(), ErrorKind::Busy);
        assert_eq!(
            failure.report().message,
            "starting node a: no permit is free"
        );
    }

    #[test]
    fn a_failure_comes_back_from_a_chain_as_it_was() {
        let gone = || Failure::stdout(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Failure::from(anyhow::Error::new(gone())), gone());
    }

    #[test]
    fn a_reader_that_has_gone_is_told_nothing() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(Failure::stdout(&gone).is_silent());
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(!Failure::stdout(&full).is_silent());
    }
}
