//! Makes every call of the SDK, and answers with a line for each that says what came of it. It writes the objects `calls-a` and
//! `calls-b`, and nothing that it finds makes a difference.
#![forbid(unsafe_code)]

use ganglion::{Error, Failure, Kind, Object, input, on_storage, put, set_output};

#[ganglion::main]
fn main() -> Result<String, Failure> {
    let mut lines = Vec::new();
    let mut line = |what: &str, holds: bool| {
        lines.push(format!("{what}: {}\n", if holds { "yes" } else { "NO" }))
    };

    line("the input is there again", input() == input());
    set_output(b"what a later output replaces");
    put("calls-a", b"near data")?;
    let object = Object::open("calls-a")?;
    line(
        "an object is what was put",
        object.as_bytes() == b"near data",
    );
    line(
        "a range of it",
        Object::open_range("calls-a", 5, 100)?.as_bytes() == b"data",
    );
    line(
        "a range behind its end",
        Object::open_range("calls-a", 10, 1)?.is_empty(),
    );
    put("calls-b", b"")?;
    line("an empty object", Object::open("calls-b")?.is_empty());
    line(
        "no such object",
        kind(Object::open("calls-none")) == Some(Kind::Unsaid),
    );
    line(
        "a negative offset",
        kind(Object::open_range("calls-a", -1, 1)) == Some(Kind::Unsaid),
    );
    line(
        "a key that is none",
        kind(put("", b"")) == Some(Kind::Invalid),
    );

    let mut captured = vec![1, 2, 3];
    let length = on_storage("calls-a", || {
        captured.push(4);
        Ok::<_, Error>(Object::open("calls-a")?.len())
    });
    line(
        "beside an object",
        length == Ok(9) && captured == [1, 2, 3, 4],
    );
    let nested = on_storage("calls-a", || {
        on_storage("calls-b", || Ok::<_, Error>(Object::open("calls-b")?.len()))
    });
    line("beside two objects", nested == Ok(0));
    let failed = on_storage("calls-a", || Err::<(), _>(Failure::of_input("said so")));
    line(
        "a failure comes back",
        failed == Err(Failure::of_input("said so")),
    );
    let not_run = on_storage("", || Ok::<_, Error>(()));
    line(
        "a storage call without a key",
        kind(not_run) == Some(Kind::Invalid),
    );
    line("the view is still open", &*object == b"near data");

    let all: String = lines.concat();
    if all.contains("NO") {
        Err(all.into())
    } else {
        Ok(all)
    }
}

fn kind<T>(result: Result<T, Error>) -> Option<Kind> {
    result.err().map(|error| error.kind())
}
