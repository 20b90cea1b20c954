//! Functions: deployed and called.

use super::stand_in::{Asked, StandIn, answer};
use super::{document, exit_code, run, run_with_stdin, stderr};

const RAN: [&str; 8] = [
    "ganglion-call-id: 00000000000000010000000000000001",
    "ganglion-node: storage-1",
    "ganglion-site: storage",
    "ganglion-reason: storage-1: the object is there",
    "ganglion-predicted-us: 1200",
    "ganglion-run-us: 1000",
    "ganglion-wait-us: 50",
    "ganglion-moved-bytes: 0",
];

fn echo(asked: &Asked) -> Vec<u8> {
    answer(200, &RAN, &asked.body)
}

#[test]
fn output_is_what_the_function_set_byte_for_byte() {
    let gateway = StandIn::answering(echo);
    let input = [0xff, 0x00, b'\r', b'\n', 0xfe];
    let output = run_with_stdin(
        &gateway.url,
        &["invoke", "ndp/echo", "--input-file", "-"],
        &input,
    );
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    assert_eq!(output.stdout, input);
    assert!(output.stderr.is_empty());
}

#[test]
fn everything_that_was_asked_reaches_the_gateway() {
    let gateway = StandIn::answering(echo);
    let words =
        "call ndp echo -i hi --arg a&b --arg -c --object ndp/x+y --forbid-ndp --deadline 1m";
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(run(&gateway.url, &words).stdout, b"hi");
    let line = "POST /v1/functions/ndp/echo/invoke?ndp=forbid&object=ndp%2Fx%2By&deadline=60000ms&arg=a%26b&arg=-c";
    assert_eq!(gateway.asked()[0].line, line);
}

#[test]
fn an_explanation_goes_to_stderr_beside_the_untouched_output() {
    let gateway = StandIn::answering(echo);
    let output = run(
        &gateway.url,
        &["invoke", "ndp", "echo", "-i", "hi", "--explain"],
    );
    assert_eq!(output.stdout, b"hi");
    let told = stderr(&output);
    assert!(told.contains("storage-1, a storage node"), "{told}");
    assert!(
        told.contains("predicted 1.20 ms, measured 1.05 ms"),
        "{told}"
    );
}

#[test]
fn a_document_holds_the_output_even_when_it_is_no_text() {
    let gateway = StandIn::answering(|_| answer(200, &RAN, &[0xff, 0xfe, 0xfb]));
    let json = document(&run(&gateway.url, &["invoke", "ndp", "echo", "-o", "json"]));
    assert_eq!(
        (&json["output"], &json["output_encoding"]),
        (&"//77".into(), &"base64".into())
    );
    assert_eq!(json["call"]["predicted_us"], 1_200);
    assert_eq!(json["call"]["site"], "storage");
}

#[test]
fn a_function_that_fails_ends_with_one_and_shows_what_it_printed() {
    let gateway = StandIn::answering(|_| {
        let body = br#"{"error":{"kind":"Guest","message":"the function returned 3","exit_code":3,"output":"FAILED - empty","stdout":"","stderr":"no such word\n"}}"#;
        answer(500, &RAN, body)
    });
    let people = run(&gateway.url, &["invoke", "ndp", "wc", "--explain"]);
    assert_eq!(exit_code(&people), 1);
    assert!(people.stdout.is_empty());
    let told = stderr(&people);
    assert!(
        told.contains("no such word") && told.contains("returned 3") && told.contains("storage-1"),
        "{told}"
    );
    assert!(told.contains("FAILED - empty"), "{told}");
    let error = &document(&run(&gateway.url, &["invoke", "ndp", "wc", "-o", "json"]))["error"];
    assert_eq!(
        (&error["exit_code"], &error["stderr"], &error["output"]),
        (
            &3.into(),
            &"no such word\n".into(),
            &"FAILED - empty".into()
        )
    );
}

#[test]
fn an_output_that_breaks_off_is_told() {
    let gateway = StandIn::answering(|_| {
        let mut whole = answer(200, &RAN, b"0123456789");
        whole.truncate(whole.len() - 5);
        whole
    });
    let output = run(&gateway.url, &["invoke", "ndp", "echo"]);
    assert_eq!(exit_code(&output), 6);
    assert!(
        stderr(&output).contains("broke off after 5 bytes"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_deployed_function_is_shown_with_the_way_to_call_it() {
    let gateway = StandIn::answering(|_| {
        let body = br#"{"tenant":"ndp","name":"wc","module":"abcdef","size_bytes":8,"uploaded_ms":0,"object":"first-word","writes_objects":false}"#;
        answer(200, &[], body)
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wc.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let words = [
        "deploy",
        file.to_str().unwrap(),
        "--user",
        "ndp",
        "--object",
        "first-word",
    ];
    let output = run(&gateway.url, &words);
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!(
        "curl --data-binary TEXT {}/v1/functions/ndp/wc/invoke",
        gateway.url
    )));
    let asked = &gateway.asked()[0];
    assert_eq!(asked.line, "PUT /v1/functions/ndp/wc?object=first-word");
    assert_eq!(asked.body, b"\0asm\x01\0\0\0");
}
