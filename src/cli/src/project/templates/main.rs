//! Counts the lines of an object, where it is. The input is the object's key.

use ganglion_sdk::{Object, input, on_storage, set_output};
use std::process::ExitCode;

fn main() -> ExitCode {
    let key = String::from_utf8_lossy(&input()).into_owned();
    // Runs beside the object, on this function's own memory: what it changes is there afterwards.
    let lines = on_storage(&key, || {
        let object = Object::open(&key)?;
        Some(object.iter().filter(|byte| **byte == b'\n').count())
    });
    if let Ok(Some(lines)) = lines {
        set_output(format!("{lines}\n").as_bytes());
        return ExitCode::SUCCESS;
    }
    set_output(format!("cannot open {key}\n").as_bytes());
    ExitCode::FAILURE
}
