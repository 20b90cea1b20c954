//! Counts the lines of an object, where it is. The input is the object's key.

use ganglion::{Error, Object, on_storage};

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<String, Error> {
    // Runs beside the object, on this function's own memory: what it changes is there afterwards.
    let lines = on_storage(&key, || {
        let object = Object::open(&key)?;
        Ok::<_, Error>(object.as_bytes().iter().filter(|byte| **byte == b'\n').count())
    })?;
    Ok(format!("{lines}\n"))
}
