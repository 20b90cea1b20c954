//! `key expression`: where the regular expression, which is everything behind the first space, matches in that object. Answers with
//! the offsets in bytes, a space between any two. The expressions are those of the crate `regex` over bytes; where a pattern can
//! match in two ways the first alternative wins, as in Perl and ECMAScript.

mod offsets;

use ganglion::{Failure, KeyAndArgument, Object, on_storage};
use regex::bytes::RegexBuilder;

#[ganglion::main(object = "first-word")]
fn main(input: KeyAndArgument) -> Result<String, Failure> {
    let KeyAndArgument { key, argument } = input;
    if argument.is_empty() {
        return Err(Failure::of_input("there is no regular expression"));
    }
    let expression = RegexBuilder::new(&argument)
        .unicode(false)
        .build()
        .map_err(|error| Failure::of_input(format!("not a regular expression: {error}")))?;
    on_storage(&key, || {
        Ok(offsets::text(&offsets::of_matches(
            &Object::open(&key)?,
            &expression,
        )))
    })
}
