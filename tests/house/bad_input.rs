//! Bad input, each case: a clear error, the right code, the next call unharmed.

use crate::lab::Lab;
use bytesize::ByteSize;
use ganglion_node::{Interruption, Settings};
use reqwest::{Method, StatusCode};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn body(inner: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func $f (export "_start") {inner}))"#)
}

/// A cluster whose limits are met quickly.
async fn strict() -> Lab {
    strict_and(|_| {}).await
}

async fn strict_and(change: impl FnOnce(&mut Settings)) -> Lab {
    Lab::up_with(|settings| {
        settings.limits.call_time = Duration::from_millis(300);
        settings.limits.memory = ByteSize::mib(64);
        settings.limits.output = ByteSize::mib(1);
        settings.limits.log = ByteSize::kib(64);
        change(settings);
    })
    .await
}

async fn unharmed(lab: &Lab) {
    let next = lab.invoke("echo", "next", "").await;
    assert_eq!((next.status, next.text()), (StatusCode::OK, "next"));
}

/// Uploads a guest that fails; both dialects say so, and the next call is unharmed.
async fn fails(lab: &Lab, text: &str, status: u16, kind: &str, named: &str) {
    lab.upload("bad", text).await;
    let called = lab.invoke("bad", "", "").await;
    let (seen, message) = called.error();
    assert_eq!(
        (called.status.as_u16(), seen.as_str()),
        (status, kind),
        "{message}"
    );
    assert!(
        message.contains(named),
        "{message:?} does not name {named:?}"
    );
    let (status, text) = lab.faasm(r#"{"user": "ndp", "function": "bad"}"#).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains(named), "{text:?} does not name {named:?}");
    unharmed(lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_loops_for_ever_meets_its_deadline() {
    for way in [Interruption::Poll, Interruption::Epoch] {
        let lab = strict_and(|settings| settings.worker.interruption = way).await;
        let endless = body("(loop (br 0))");
        fails(&lab, &endless, 504, "Deadline", "limits.call_time").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_recurses_for_ever_exhausts_its_own_stack() {
    fails(
        &strict().await,
        &body("(call $f)"),
        500,
        "Guest",
        "limits.stack",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_allocates_for_ever_meets_its_memory_limit() {
    let hungry =
        body("(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable");
    fails(&strict().await, &hungry, 500, "Guest", "limits.memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_prints_for_ever_meets_its_log_limit() {
    let talkative = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\00\00\00\00\00\10\00\00")
        (func (export "_start")
            (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br 0))))"#;
    fails(&strict().await, talkative, 500, "Guest", "limits.log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_sets_too_much_output_meets_its_limit() {
    let large = r#"(module
        (import "env" "__faasm_write_output" (func $out (param i32 i32)))
        (memory (export "memory") 32)
        (func (export "_start") (call $out (i32.const 0) (i32.const 2000000))))"#;
    fails(&strict().await, large, 500, "Guest", "limits.output").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_traps_is_its_own_fault() {
    fails(
        &strict().await,
        &body("unreachable"),
        500,
        "Guest",
        "unreachable",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_exits_non_zero_says_its_code() {
    let exiting = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 42))))"#;
    fails(&strict().await, exiting, 500, "Guest", "42").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_module_is_refused_with_what_is_wrong() {
    let lab = strict().await;
    let unknown =
        wat::parse_str(r#"(module (import "env" "nope" (func)) (func (export "_start")))"#)
            .unwrap();
    let wrong = wat::parse_str(
        r#"(module (import "env" "__faasm_read_input" (func)) (func (export "_start")))"#,
    )
    .unwrap();
    for (wasm, named) in [
        (b"this is text".to_vec(), "not WebAssembly"),
        (unknown, "env.nope"),
        (wrong, "wrong signature"),
        (wat::parse_str("(module)").unwrap(), "_start"),
        (wat::parse_str("(component)").unwrap(), "component"),
    ] {
        let response = lab.put("/v1/functions/ndp/bad", wasm.clone()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let text = response.text().await.unwrap();
        assert!(text.contains(named) && text.contains("Invalid"), "{text}");
        let response = lab.put("/f/ndp/bad", wasm).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.text().await.unwrap().contains(named));
    }
    assert_eq!(
        lab.invoke("bad", "", "").await.status,
        StatusCode::NOT_FOUND
    );
    let answer = announce(&lab, "PUT /v1/functions/ndp/bad", 65 << 20).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("limits.module"),
        "{answer}"
    );
    unharmed(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_told_what_is_wrong() {
    let lab = strict().await;
    for (json, status, named) in [
        ("", 400, "Empty request"),
        ("{", 400, "JSON"),
        ("[]", 400, ""),
        (r#"{"user": 5, "function": "echo"}"#, 400, "column 10"),
        (r#"{"function": "echo"}"#, 400, "Empty user"),
        (r#"{"user": "ndp"}"#, 400, "Empty function"),
        (
            r#"{"user": "ndp", "function": "nothing-here"}"#,
            500,
            "nothing-here",
        ),
        (r#"{"user": "../..", "function": "echo"}"#, 400, ""),
    ] {
        let (seen, text) = lab.faasm(json).await;
        assert_eq!(seen.as_u16(), status, "{json}: {text}");
        assert!(
            text.contains(named),
            "{json}: {text:?} does not name {named:?}"
        );
    }
    let missing = lab.invoke("nothing-here", "", "").await;
    assert_eq!(
        (missing.status, missing.error().0.as_str()),
        (StatusCode::NOT_FOUND, "NotFound")
    );
    let object = lab.get("/v1/objects/ndp/nothing-here").await;
    assert_eq!(object.status(), StatusCode::NOT_FOUND);
    let internal = lab.get("/v1/objects/.functions/name/ndp/echo").await;
    assert_eq!(internal.status(), StatusCode::FORBIDDEN);
    unharmed(&lab).await;
}

/// Announces a body and sends none of it; the answer.
async fn announce(lab: &Lab, request: &str, bytes: u64) -> String {
    let mut socket = TcpStream::connect(lab.address()).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = socket.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Announced: refused before a byte of it is read. Not announced: refused as soon as the limit is passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gibibyte_is_refused_without_being_kept() {
    let lab = strict().await;
    let answer = announce(&lab, "POST /f/", 1 << 30).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("limits.input"),
        "{answer}"
    );
    let mut socket = TcpStream::connect(lab.address()).await.unwrap();
    let head = "POST /f/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = [
        b"100000\r\n".to_vec(),
        vec![b'x'; 1 << 20],
        b"\r\n".to_vec(),
    ]
    .concat();
    let mut sent = 0;
    while sent < 64 && socket.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 64, "it was stopped before 64 MiB");
    unharmed(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_route_and_a_wrong_method_say_so() {
    let lab = strict().await;
    assert_eq!(lab.get("/v1/nothing").await.status(), StatusCode::NOT_FOUND);
    let wrong = lab
        .request(Method::DELETE, "/v1/nodes")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
}
