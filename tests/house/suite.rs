//! The suite's functions answer as other tools do, on real objects, at both sites, and say clearly what is wrong with a bad one.
//!
//! `suite.py` makes the objects and has the other tools: coreutils, grep, Python's json, Pillow, scikit-learn.

use crate::api::Api;
use crate::lab::Lab;
use crate::process::root;
use reqwest::StatusCode;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A function, the object and the argument that it is called with, and the object that it writes.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
);

/// Where there is a function of the same name in Rust, that is called as well.
const CASES: &[Case] = &[
    ("wordcount", "text", "", None),
    ("sha256sum", "text", "", None),
    ("sha256sum", "bytes", "", None),
    ("sha256sum", "empty", "", None),
    ("grep", "text", "licen[cs]e", None),
    ("grep", "text", "^[[:space:]]*[A-Z][A-Z ]+$", None),
    ("grep", "text", "copy(right|left)|GNU( [A-Z][a-z]+)*", None),
    ("grep", "text", "(you|your) +[a-z]{7}\\b", None),
    ("grep", "text", "x*", None),
    ("grep", "text", "[^a-z]{3,}|^[a-z]+$", None),
    ("grep", "text", "\\<[[:upper:]]\\w*\\W+[[:digit:].]+", None),
    ("grep", "empty", "x", None),
    ("grep", "bytes", "[^[:print:]]+a", None),
    ("grep", "bytes", ".a.{0,3}b", None),
    ("grep", "one-line", "(a|b)*c", None),
    ("grep", "one-line", "[ab]*a[ab]{10}c", None), // more states than are kept
    ("grep", "zeros", "b.c|a$", None),
    ("substr", "text", "the ", None),
    ("substr", "text", "GNU General Public License", None),
    ("substr", "text", "absent", None),
    ("substr", "bytes", "ab", None),
    (
        "substrrepl",
        "text",
        "'GNU' 'Gnu is not Unix'",
        Some("text"),
    ),
    ("substrrepl", "text", "'the ' ''", Some("text")),
    ("substrrepl", "text", "'absent' 'x'", Some("text")),
    ("json_parse", "table.json", "", None),
    ("json_parse", "one.json", "", None),
    ("json_parse", "deep.json", "", None),
    ("thumbnailer_decode", "china.png", "", None),
    ("thumbnailer_decode", "opacity.png", "", None),
    ("thumbnailer_shrink", "china.png", "", None),
    ("thumbnailer_shrink", "grey.png", "", None),
    ("thumbnailer_shrink", "palette.png", "", None),
    ("thumbnailer_shrink", "opacity.png", "", None),
    ("thumbnailer_shrink", "pixel.png", "", None),
    ("pcakmm", "digits", "", None),
    ("pcakmm", "digits-one", "", None),
    ("pcakmmstore", "digits", "", Some("digits_pcareduced")),
    ("damo", "report", "0", None),
    ("damo", "report", "5", None),
    ("damo", "report", "1000", None),
    ("damofilter", "report", "20", Some("report_filter20")),
];

/// An input that must fail, its code, and what the output has to say.
const FAILURES: &[(&str, &str, u32, &str)] = &[
    ("wordcount", "missing", 1, "cannot open object missing"),
    ("sha256sum", "missing", 1, "cannot open object missing"),
    ("sha256sum", "", 1, "cannot open object"),
    ("grep", "missing x", 1, "cannot open object missing"),
    ("grep", "text", 2, "the input is not a key"),
    ("grep", "text (", 2, "a ( without a )"),
    ("grep", "text a)", 2, "a ) without a ("),
    ("grep", "text [a", 2, "a [ without a ]"),
    ("grep", "text [b-a]", 2, "a range"),
    ("grep", "text a{2,1}", 2, "most is below"),
    ("grep", "text *", 2, "nothing to repeat"),
    ("grep", "text a\\", 2, "at the end"),
    ("grep", "text (a)\\1", 2, "back reference"),
    (
        "grep",
        "text (((a{999}){999}){999}){999}",
        2,
        "repetitions make it too large",
    ),
    ("substr", "missing x", 1, "cannot open object missing"),
    ("substr", "text ", 2, "the input is not"),
    (
        "substrrepl",
        "missing 'a' 'b'",
        1,
        "cannot open object missing",
    ),
    (
        "substrrepl",
        "text 'a'",
        2,
        "the input is not: key 'find' 'replacement'",
    ),
    ("substrrepl", "text '' 'b'", 2, "the input is not"),
    ("json_parse", "missing", 1, "cannot open object missing"),
    ("json_parse", "empty", 1, "not JSON"),
    ("json_parse", "cut.json", 1, "not JSON"),
    ("json_parse", "not-utf8.json", 1, "not JSON"),
    ("json_parse", "deeper.json", 1, "nested deeper than 127"),
    ("thumbnailer_decode", "cut.png", 1, "not a PNG"),
    (
        "thumbnailer_shrink",
        "missing",
        1,
        "cannot open object missing",
    ),
    ("thumbnailer_shrink", "empty", 1, "not a PNG"),
    ("thumbnailer_shrink", "text", 1, "not a PNG"),
    ("thumbnailer_shrink", "cut.png", 1, "damaged"),
    ("pcakmm", "missing", 1, "cannot open object missing"),
    ("pcakmm", "text", 1, "no idx3-ubyte images"),
    ("pcakmm", "digits-cut", 1, "no idx3-ubyte images"),
    ("pcakmmstore", "empty", 1, "no idx3-ubyte images"),
    ("damo", "missing 1", 1, "cannot open object missing"),
    ("damo", "report", 2, "the input is not"),
    ("damo", "report -1", 2, "whole number"),
    ("damo", "empty 1", 1, "no region of a DAMON report"),
    ("damo", "text 1", 1, "no region of a DAMON report"),
    ("damofilter", "text 1", 1, "no region of a DAMON report"),
    ("put", "key", 2, "no key/value pair"),
    ("get", "missing", 1, "cannot open object missing"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_answers_as_other_tools_do() {
    let lab = Lab::up().await;
    let folder = tempfile::tempdir().unwrap();
    make_objects(folder.path());
    let mut answers = Vec::new();
    for &(function, key, argument, written) in CASES {
        for function in in_every_language(&lab, function).await {
            for query in ["?ndp=prefer", "?ndp=forbid"] {
                put_objects(&lab, folder.path(), &[key]).await;
                let input = if argument.is_empty() {
                    key.to_owned()
                } else {
                    format!("{key} {argument}")
                };
                let called = lab.invoke(&function, &input, query).await;
                assert_eq!(
                    called.status,
                    StatusCode::OK,
                    "{function} `{input}` {query}: {}",
                    String::from_utf8_lossy(&called.body)
                );
                let file = folder.path().join(format!("answer-{}", answers.len()));
                std::fs::write(&file, &called.body).unwrap();
                let put = match written {
                    Some(key) => Some(copy_of(&lab, key, &file.with_extension("put")).await),
                    None => None,
                };
                answers.push(json!({
                    "function": function, "key": key, "argument": argument, "answer": file, "put": put,
                }));
            }
        }
    }
    let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    let checked = suite_py(&["check"], folder.path(), &lines);
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_says_what_is_wrong_with_an_input_or_an_object() {
    let lab = Lab::up().await;
    let folder = tempfile::tempdir().unwrap();
    make_objects(folder.path());
    let bad = [
        "text",
        "bytes",
        "empty",
        "cut.json",
        "not-utf8.json",
        "deeper.json",
        "cut.png",
        "digits-cut",
        "report",
    ];
    put_objects(&lab, folder.path(), &bad).await;
    for (function, input, code, words) in FAILURES {
        for function in in_every_language(&lab, function).await {
            for forbid_ndp in [false, true] {
                let request = json!({
                    "user": "ndp", "function": function, "input_data": input, "forbid_ndp": forbid_ndp,
                });
                let (status, text) = lab.faasm(&request.to_string()).await;
                let about = format!("{function} `{input}`: {text}");
                assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{about}");
                assert!(text.starts_with("FAILED - "), "{about}");
                // In Rust the words are the language's own where it has any.
                assert!(text.contains(words) || function.ends_with("-rs"), "{about}");
            }
            let path = format!("/v1/functions/ndp/{function}/invoke?ndp=prefer");
            let request = lab.request(reqwest::Method::POST, &path);
            let answer = request.body((*input).to_owned()).send().await.unwrap();
            let told = answer.headers()["ganglion-exit-code"].to_str().unwrap();
            assert_eq!(told, code.to_string(), "{function} `{input}`");
        }
    }
}

/// Uploads it; where there is one of that name in Rust, that too.
async fn in_every_language(api: &Api, function: &str) -> Vec<String> {
    let mut names = Vec::new();
    for name in [function.to_owned(), format!("{function}-rs")] {
        let path = root().join(format!("funcs/wasm/{name}.wasm"));
        if let Ok(wasm) = std::fs::read(path) {
            let answer = api.put(&format!("/v1/functions/ndp/{name}"), wasm).await;
            assert!(answer.status().is_success(), "{name}");
            names.push(name);
        }
    }
    assert!(!names.is_empty(), "{function}");
    names
}

async fn put_objects(api: &Api, folder: &Path, keys: &[&str]) {
    for key in keys {
        let body = std::fs::read(folder.join(key)).unwrap();
        let answer = api.put(&format!("/v1/objects/ndp/{key}"), body).await;
        assert!(answer.status().is_success(), "{key}");
    }
}

/// Writes what that object is now to a file, whose path it returns.
async fn copy_of(api: &Api, key: &str, file: &Path) -> String {
    let read = api.get(&format!("/v1/objects/ndp/{key}")).await;
    assert!(read.status().is_success(), "{key}");
    std::fs::write(file, read.bytes().await.unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn make_objects(folder: &Path) {
    let made = suite_py(&["make"], folder, "");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}

/// Debian's own Python, whose libraries `./test` installs.
fn suite_py(arguments: &[&str], folder: &Path, input: &str) -> Output {
    let mut child = Command::new("/usr/bin/python3")
        .arg(root().join("tests/house/suite.py"))
        .args(arguments)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(written.is_ok() || !output.status.success());
    output
}
