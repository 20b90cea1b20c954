//! `key`: counts the words of that object, where it is. Answers `word\tcount\n` for each, in the order of the words' bytes:
//! the same bytes as the function `wordcount` in C++.

mod count;

use ganglion::{Error, Object, on_storage};

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<Vec<u8>, Error> {
    on_storage(&key, || Ok(count::wordcount(&Object::open(&key)?)))
}
