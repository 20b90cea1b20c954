//! What can go wrong: with a call to the host, and with a function.

use std::ffi::CString;
use std::fmt;

/// Why the host did not do what was asked, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    task: &'static str,
    key: String,
}

/// Why the host did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An argument that cannot be, such as a key that is empty, longer than 1024 bytes or holds a NUL.
    Invalid,
    /// There is no such object.
    NotFound,
    /// This tenant may not do this to this object.
    Denied,
    /// Beyond a limit of the call; the host's log names the setting.
    Limit,
    /// The store failed or cannot be reached.
    Storage,
    /// One of the others: the host does not say why an object cannot be opened.
    Unsaid,
    /// A code that this version of the crate does not know.
    Other(i32),
}

impl Error {
    /// Of the task `open object`, `write object`, ... with that key.
    pub(crate) fn new(kind: Kind, task: &'static str, key: &str) -> Self {
        Self {
            kind,
            task,
            key: key.to_owned(),
        }
    }

    /// The reason.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Kind {
    pub(crate) fn of_code(code: i32) -> Self {
        match code {
            -1 => Self::Invalid,
            -2 => Self::NotFound,
            -3 => Self::Denied,
            -4 => Self::Limit,
            -5 => Self::Storage,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.task, self.key)?;
        match self.kind {
            Kind::Unsaid => Ok(()),
            Kind::Invalid => f.write_str(": not a key"),
            Kind::NotFound => f.write_str(": there is none"),
            Kind::Denied => f.write_str(": access denied"),
            Kind::Limit => f.write_str(": beyond a limit"),
            Kind::Storage => f.write_str(": the store failed"),
            Kind::Other(code) => write!(f, ": host code {code}"),
        }
    }
}

impl std::error::Error for Error {}

/// How a call fails: the output is `FAILED - ` and these words, and the code is not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    words: String,
}

impl Failure {
    /// Of the function or its objects: code 1.
    pub fn new(words: impl Into<String>) -> Self {
        Self::with_code(1, words)
    }

    /// Of what the caller wrote: code 2.
    pub fn of_input(words: impl Into<String>) -> Self {
        Self::with_code(2, words)
    }

    /// With a code other than 0.
    pub(crate) fn with_code(code: u8, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }

    /// The code of the call.
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<&str> for Failure {
    fn from(words: &str) -> Self {
        Self::new(words)
    }
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self::new(words)
    }
}

/// As the host reads names; nothing where there is a NUL in it.
pub(crate) fn c_string(text: &str) -> Option<CString> {
    CString::new(text).ok()
}
