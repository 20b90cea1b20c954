//! `key`: counts the words of that object, where it is. Answers `word\tcount\n` for each, in the order of the words' bytes:
//! the same bytes as the function `wordcount` in C++.

mod count;

use ganglion_sdk::{Object, input, on_storage, set_output};
use std::process::ExitCode;

ganglion_sdk::object_key!("input");

fn main() -> ExitCode {
    let input = input();
    match counts_of(&input) {
        Some(counts) => {
            set_output(&counts);
            ExitCode::SUCCESS
        }
        None => {
            set_output(&[b"FAILED - cannot open object ", input.as_slice()].concat());
            ExitCode::FAILURE
        }
    }
}

fn counts_of(key: &[u8]) -> Option<Vec<u8>> {
    let key = std::str::from_utf8(key).ok()?;
    on_storage(key, || {
        Object::open(key).map(|object| count::wordcount(&object))
    })
    .ok()?
}
