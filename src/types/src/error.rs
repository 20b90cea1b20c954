//! Errors by what the caller can do about them.

use std::fmt;

/// What every fallible function of the house returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do. The HTTP status and the exit code of each are fixed here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// Change the request.
    Invalid,
    /// Upload it, or correct the name.
    NotFound,
    /// The object is not in the state that the request asked for: read it again.
    Conflict,
    /// *Nothing ran.* Retry later: the budget that is spent will come back.
    Busy,
    /// *Nothing ran.* Wait: the thing asked is down, draining or unreachable.
    Unavailable,
    /// Other credentials, or another policy.
    Denied,
    /// It may have run; nobody can know.
    Indeterminate,
    /// Give more time.
    Deadline,
    /// Fix the function: it trapped, met a limit, or returned non-zero.
    Guest,
    /// Stored bytes are not what was stored: report it.
    Corrupt,
    /// A defect of Ganglion: report it.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of the table in the design.
    pub const ALL: [Self; 11] = [
        Self::Invalid,
        Self::NotFound,
        Self::Conflict,
        Self::Busy,
        Self::Unavailable,
        Self::Denied,
        Self::Indeterminate,
        Self::Deadline,
        Self::Guest,
        Self::Corrupt,
        Self::Internal,
    ];

    /// The name in answers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Busy => "Busy",
            Self::Unavailable => "Unavailable",
            Self::Denied => "Denied",
            Self::Indeterminate => "Indeterminate",
            Self::Deadline => "Deadline",
            Self::Guest => "Guest",
            Self::Corrupt => "Corrupt",
            Self::Internal => "Internal",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Status code of an answer over HTTP (the `/v1` dialect).
    pub fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::NotFound => 404,
            Self::Conflict => 412,
            Self::Busy => 429,
            Self::Unavailable => 503,
            Self::Denied => 403,
            Self::Indeterminate | Self::Deadline => 504,
            Self::Guest | Self::Corrupt | Self::Internal => 500,
        }
    }

    /// Exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Guest => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::Busy | Self::Unavailable => 4,
            Self::Denied => 5,
            Self::Indeterminate => 6,
            Self::Conflict => 7,
            Self::Corrupt | Self::Internal => 70,
            Self::Deadline => 124,
        }
    }

    /// Whether what may be done twice, such as a read, or a write that carries its name, may succeed when it is tried again.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::Unavailable | Self::Indeterminate | Self::Deadline
        )
    }

    /// Whether the caller may be sure that nothing ran, so that running it elsewhere cannot repeat an effect.
    pub fn nothing_ran(self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, and one sentence in lower case that names the thing, and the limit with its setting where one was met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {
        $(
            #[doc = concat!("An error of kind [`ErrorKind::", stringify!($kind), "`].")]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(ErrorKind::$kind, message)
            }
        )*
    };
}

impl Error {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    constructors! {
        invalid => Invalid,
        not_found => NotFound,
        conflict => Conflict,
        busy => Busy,
        unavailable => Unavailable,
        denied => Denied,
        indeterminate => Indeterminate,
        deadline => Deadline,
        guest => Guest,
        corrupt => Corrupt,
        internal => Internal,
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, told from further out: `"reading ndp/hello: no such object"`.
    #[must_use]
    pub fn within(self, context: impl fmt::Display) -> Self {
        Self {
            kind: self.kind,
            message: format!("{context}: {}", self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_and_only_refusals_promise_that_nothing_ran() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_name(kind.as_str()), Some(kind));
            assert!(kind.exit_code() != 0 && kind.http_status() >= 400);
            let refused = matches!(kind, ErrorKind::Busy | ErrorKind::Unavailable);
            assert_eq!(kind.nothing_ran(), refused, "{kind}");
        }
    }

    #[test]
    fn context_keeps_the_kind() {
        let error = Error::not_found("no such object").within("reading ndp/hello");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "reading ndp/hello: no such object");
    }
}
