//! `object threshold`: of that object, a report of DAMON's, the most memory that was hot at once: in regions with at least so many
//! accesses. Answers with bytes, in decimal: the same number as the function `damo` in C++.

mod report;

use ganglion::{Failure, KeyAndArgument, Object, on_storage};

#[ganglion::main(object = "first-word")]
fn main(input: KeyAndArgument) -> Result<String, Failure> {
    let KeyAndArgument { key, argument } = input;
    let threshold = argument
        .parse()
        .map_err(|_| Failure::of_input("the threshold is not a whole number"))?;
    let most = on_storage(&key, || {
        report::hot_bytes_max(&Object::open(&key)?, threshold)
            .ok_or_else(|| Failure::new(format!("no region of a DAMON report in object {key}")))
    })?;
    Ok(most.to_string())
}
