//! `key`: the SHA-256 of that object, where it is. Answers with 64 hexadecimal digits.

use ganglion::{Error, Object, on_storage};
use sha2::{Digest, Sha256};
use std::fmt::Write;

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<String, Error> {
    let digest = on_storage(&key, || {
        Ok::<_, Error>(Sha256::digest(Object::open(&key)?.as_bytes()))
    })?;
    let mut digits = String::new();
    for byte in digest {
        // A String takes whatever is written to it.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}
