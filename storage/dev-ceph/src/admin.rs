//! A daemon's admin socket: answers in a millisecond, where the command line needs a third of a second.

use ganglion_types::{Error, Result};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Asks `request`, an object with the member `prefix`, of the daemon that listens on `socket`; `Null` where it answers
/// nothing.
///
/// The question ends with a zero byte; the answer begins with its length, four bytes, big end first.
///
/// # Errors
/// `Unavailable` when no daemon answers, `Invalid` when it answers that it cannot.
pub(crate) fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let name = socket.file_stem().unwrap_or_default().to_string_lossy();
    let answer = exchange(socket, request).map_err(|error| {
        Error::unavailable(format!(
            "{name} does not answer on its admin socket: {error}"
        ))
    })?;
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer).map_err(|_| {
        let said = String::from_utf8_lossy(&answer);
        Error::invalid(format!("{name} refused {request}: {}", said.trim()))
    })
}

fn exchange(socket: &Path, request: &Value) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(format!("{request}\0").as_bytes())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = Vec::new();
    let bytes = u64::from(u32::from_be_bytes(length));
    stream.take(bytes).read_to_end(&mut answer)?;
    Ok(answer)
}
