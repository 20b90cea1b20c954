//! `key`: parses that object as JSON, where it is, and writes it out again. Answers `Dump length is: N\n`, the bytes that takes without
//! white space: the same number as the function `json_parse` in C++.

mod dump;

use ganglion::{Failure, Object, on_storage};

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<String, Failure> {
    let length = on_storage(&key, || {
        dump::length(&Object::open(&key)?).ok_or_else(|| {
            Failure::new(format!("not JSON, or nested deeper than 127: object {key}"))
        })
    })?;
    Ok(format!("Dump length is: {length}\n"))
}
