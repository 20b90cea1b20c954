//! `key 'find' 'replacement'`: rewrites that object, where it is, with the replacement in the place of every `find`. Answers `OK`.
//! There is no escape: the first `' '` ends what to find, and the input's last `'` the replacement, which may be empty.

use ganglion::{Failure, KeyAndArgument, Object, on_storage, put};
use memchr::memmem;

#[ganglion::main(object = "first-word")]
fn main(input: KeyAndArgument) -> Result<&'static str, Failure> {
    let KeyAndArgument { key, argument } = input;
    let (find, replacement) = quoted(&argument)
        .ok_or_else(|| Failure::of_input("the input is not: key 'find' 'replacement'"))?;
    on_storage(&key, || {
        let text = replaced(
            &Object::open(&key)?,
            find.as_bytes(),
            replacement.as_bytes(),
        );
        put(&key, &text)?;
        Ok("OK")
    })
}

fn quoted(argument: &str) -> Option<(&str, &str)> {
    let inner = argument.strip_prefix('\'')?.strip_suffix('\'')?;
    inner.split_once("' '").filter(|(find, _)| !find.is_empty())
}

fn replaced(text: &[u8], find: &[u8], replacement: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut done = 0;
    for at in memmem::find_iter(text, find) {
        result.extend_from_slice(&text[done..at]);
        result.extend_from_slice(replacement);
        done = at + find.len();
    }
    result.extend_from_slice(&text[done..]);
    result
}
