//! State and chaining, natively: a line for each call that says what came of it.
#![forbid(unsafe_code)]

use ganglion::state::State;
use ganglion::{Error, Failure, chain, input, set_output};

extern "C" fn part() -> i32 {
    let Ok(counter) = State::at("counter") else {
        return 1;
    };
    let held = counter.lock();
    let mut count = counter.read();
    count[0] += 1;
    counter.write(&count);
    drop(held);
    set_output(&[b"got ", input().as_slice()].concat());
    0
}

extern "C" fn failing() -> i32 {
    set_output(b"so it is");
    7
}

#[ganglion::main]
fn main() -> Result<String, Failure> {
    let mut lines = String::new();
    let mut line = |what: &str, holds: bool| {
        lines += &format!("{what}: {}\n", if holds { "yes" } else { "NO" });
    };
    state(&mut line)?;
    let calls: Vec<_> = (0..3).map(|_| chain::call_here(part, b"this")).collect();
    for call in calls {
        line(
            "a part of this module",
            call.wait() == Ok(b"got this".to_vec()),
        );
    }
    line("what they counted", State::at("counter")?.read() == [3, 0]);
    let failed = chain::call_here(failing, b"").wait();
    line(
        "a call that fails",
        failed.is_err_and(|failure| failure.code() == 7 && failure.to_string() == "so it is"),
    );
    line(
        "a function that is not there",
        chain::call("none-of-this-name", b"")?.wait().is_err(),
    );
    line("a name that is none", chain::call("a\0b", b"").is_err());
    Ok(lines)
}

fn state(line: &mut impl FnMut(&str, bool)) -> Result<(), Error> {
    let counter = State::at("counter")?;
    counter.write(&[0, 0]);
    line("a value", counter.read() == [0, 0] && counter.size() == 2);
    line("no value", State::at("absent")?.read().is_empty());
    line("a key that is none", State::at("a\0b").is_err());
    let value = State::at("value")?;
    value.write_part(6, 2, b"XY");
    value.push_parts();
    value.pull(6);
    line("a part", value.read_part(6, 1, 4) == *b"\0XY\0");
    value.push();
    drop(value.lock_shared());
    Ok(())
}
