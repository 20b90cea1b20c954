//! Why a guest ends before its `_start` returns, and what to call it.

use ganglion_types::{End, Error, ErrorKind};
use std::fmt;
use wasmtime::Trap;

/// What a host function or the epoch callback throws through the guest's frames.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest called `exit`.
    Exit(i32),
    /// A limit, the deadline, or a call of the interface that makes no sense.
    Because(Error),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit with code {code}"),
            Self::Because(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Stop {}

/// The guest is at fault.
pub(crate) fn fault(message: impl Into<String>) -> wasmtime::Error {
    because(Error::guest(message))
}

pub(crate) fn because(error: Error) -> wasmtime::Error {
    Stop::Because(error).into()
}

/// What a call of the guest came to. `refused_growth` is what the limiter said when it last refused memory: a trap that
/// comes after that is most often its consequence.
pub(crate) fn end_of(
    result: wasmtime::Result<()>,
    refused_growth: Option<&str>,
    stack_bytes: u64,
) -> End {
    let Err(error) = result else {
        return End::Exited(0);
    };
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(code) => End::Exited(*code),
            Stop::Because(error) => End::Failed(error.clone()),
        };
    }
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return End::Failed(Error::new(
            ErrorKind::Internal,
            format!("the engine failed: {error:#}"),
        ));
    };
    let what = match trap {
        Trap::StackOverflow => {
            format!("the call stack is exhausted, limit {stack_bytes} bytes (setting limits.stack)")
        }
        Trap::MemoryOutOfBounds => "a load or store outside of the memory".into(),
        Trap::UnreachableCodeReached => {
            "`unreachable` was executed (abort, or a failed assertion)".into()
        }
        other => other.to_string(),
    };
    let after = refused_growth
        .map(|why| format!(", after {why}"))
        .unwrap_or_default();
    End::Failed(Error::guest(format!("trap: {what}{after}")))
}
