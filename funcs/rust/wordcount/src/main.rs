//! `key`: counts the words of that object, where it is. Answers `word\tcount\n` for each, in the order of the words' bytes:
//! the same bytes as the function `wordcount` in C++. As a combiner: adds up such answers.

mod count;

use ganglion::{Error, Failure, Object, on_storage};

#[ganglion::main(object = "input")]
fn main(key: String) -> Result<Vec<u8>, Error> {
    on_storage(&key, || Ok(count::wordcount(&Object::open(&key)?)))
}

#[ganglion::combine]
fn combine(answers: Vec<u8>) -> Result<Vec<u8>, Failure> {
    count::combined(&answers).ok_or_else(|| "an answer is no list of words and counts".into())
}
