//! The committed functions give the right answers, whatever compiled them, at both sites.

use crate::lab::Lab;
use reqwest::StatusCode;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

pub(crate) fn committed(function: &str) -> Vec<u8> {
    let path = format!("../funcs/wasm/{function}.wasm");
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Bytes with every kind of white space, bytes that are no UTF-8, NULs and long words; no end of line at the end.
fn awkward() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(11);
    let mut bytes = Vec::new();
    for _ in 0..60_000 {
        let length = if random.u8(..) == 0 {
            random.usize(1..3_000)
        } else {
            random.usize(1..7)
        };
        bytes.extend((0..length).map(|_| *random.choice(b"abcdefgh\x00\xff\xc3").unwrap()));
        bytes.push(*random.choice(b" \t\n\r\x0b\x0c").unwrap());
    }
    bytes.extend_from_slice(b"last");
    bytes
}

/// `word\tcount\n` by the bytes of the words.
pub(crate) fn counted(bytes: &[u8]) -> Vec<u8> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    for word in bytes.split(is_space).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    let mut text = Vec::new();
    for (word, count) in counts {
        let mut behind = String::new();
        writeln!(behind, "\t{count}").unwrap();
        text.extend_from_slice(word);
        text.extend_from_slice(behind.as_bytes());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_bytes_are_counted_as_an_independent_count_has_them() {
    let lab = Lab::up().await;
    let bytes = awkward();
    assert!(
        lab.put("/v1/objects/ndp/awkward", bytes.clone())
            .await
            .status()
            .is_success()
    );
    let words = counted(&bytes);
    let scanned = bytes
        .iter()
        .filter(|byte| **byte == b'c')
        .count()
        .to_string();
    for query in ["", "?ndp=forbid"] {
        for function in ["wordcount", "wordcount-rs"] {
            let called = lab.invoke(function, "awkward", query).await;
            assert_eq!(called.status, StatusCode::OK);
            assert!(
                called.body == words,
                "{function}{query} gives {} bytes, not {}",
                called.body.len(),
                words.len()
            );
        }
        assert_eq!(
            lab.invoke("scan", "awkward c", query).await.text().trim(),
            scanned
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_says_of_its_failure_reaches_the_caller() {
    let lab = Lab::up().await;
    let failed = |function: &'static str, input: &'static str| {
        let lab = &lab;
        async move {
            let json =
                format!(r#"{{"user": "ndp", "function": "{function}", "input_data": "{input}"}}"#);
            lab.faasm(&json).await
        }
    };
    let (status, text) = failed("put", "no-value").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("FAILED"), "{text}");
    let (status, text) = failed("get", "nothing-here").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("nothing-here"), "{text}");
    let hello = lab.invoke("hello", "", "").await;
    assert_eq!(
        (hello.status, hello.text()),
        (StatusCode::OK, "Hello Ganglion!")
    );
}

/// The guest checks it itself: its constructor and its zygote ran once, before `main`, and no call sees another's changes.
#[tokio::test(flavor = "multi_thread")]
async fn constructor_and_zygote_have_run_before_every_call() {
    let lab = Lab::up().await;
    let uploaded = lab.put("/f/ndp/zygote", committed("zygote")).await;
    assert_eq!(uploaded.text().await.unwrap(), "Function upload complete\n");
    for query in ["", "", "?ndp=forbid", ""] {
        let called = lab.invoke("zygote", "", query).await;
        assert_eq!(called.status, StatusCode::OK, "{}", called.text());
    }
}

/// The same in Rust; what it tells of the moment of its preparation is the same in every call.
#[tokio::test(flavor = "multi_thread")]
async fn a_preparation_in_rust_has_run_once_for_all_calls() {
    let lab = Lab::up().await;
    let uploaded = lab
        .put("/v1/functions/ndp/zygote-rs", committed("zygote-rs"))
        .await;
    assert!(
        uploaded.status().is_success(),
        "{}",
        uploaded.text().await.unwrap()
    );
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let called = lab.invoke("zygote-rs", "", "?ndp=forbid").await;
        assert_eq!(called.status, StatusCode::OK, "{}", called.text());
        told.insert(called.text().to_owned());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let told = told.first().unwrap();
    assert!(
        told.starts_with("prepared 1 times, at 1") && told.contains("seen 0;"),
        "{told}"
    );
    assert!(told.ends_with("is 1046529"), "{told}");
}
