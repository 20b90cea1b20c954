//! Why a guest ends before its `_start` returns, and what to call it.

use crate::guest::Guest;
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

/// What a call of the guest came to.
///
/// The trap of a poll is an access outside of the memory, as others are; so the guest is asked whether it might go on. A
/// trap that comes after memory was refused is most often the consequence, which is then told with it.
pub(crate) fn end_of(result: wasmtime::Result<()>, guest: &Guest, stack_bytes: u64) -> End {
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
    if *trap == Trap::MemoryOutOfBounds
        && guest.slot.tripped()
        && let Err(stop) = guest.may_go_on()
    {
        return End::Failed(stop);
    }
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
    let refused = guest.refused_growth.as_deref();
    let after = refused
        .map(|why| format!(", after {why}"))
        .unwrap_or_default();
    End::Failed(Error::guest(format!("trap: {what}{after}")))
}
