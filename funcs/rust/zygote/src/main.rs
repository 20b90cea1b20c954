//! Says what was prepared before it: every call gives the same answer while the host keeps its promise that the preparation runs once,
//! and that no call sees another.
#![forbid(unsafe_code)]

use ganglion::Failure;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

static PREPARATIONS: AtomicU32 = AtomicU32::new(0);
static CALLS: AtomicU32 = AtomicU32::new(0);
static PREPARED: OnceLock<(SystemTime, Vec<u64>)> = OnceLock::new();

#[ganglion::zygote]
fn prepare() -> Result<(), Failure> {
    PREPARATIONS.fetch_add(1, Ordering::Relaxed);
    let squares = (0..1024).map(|number| number * number).collect();
    let already = PREPARED.set((SystemTime::now(), squares));
    already.map_err(|_| "it is prepared already".into())
}

#[ganglion::main]
fn main() -> Result<String, Failure> {
    let (moment, squares) = PREPARED.get().ok_or("nothing is prepared")?;
    let since_1970 = moment.duration_since(SystemTime::UNIX_EPOCH);
    let moment_ns = since_1970.map_err(|error| error.to_string())?.as_nanos();
    Ok(format!(
        "prepared {} times, at {moment_ns}; earlier calls seen {}; the last square is {}",
        PREPARATIONS.load(Ordering::Relaxed),
        CALLS.fetch_add(1, Ordering::Relaxed),
        squares[1023],
    ))
}
