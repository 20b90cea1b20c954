//! How it ends when something is wrong.

use super::stand_in::{StandIn, answer, problem};
use super::{document, exit_code, run, stderr};
use ganglion_types::ErrorKind;
use std::net::TcpListener;

#[test]
fn every_kind_is_one_document_and_its_own_exit_code() {
    for kind in ErrorKind::ALL {
        let gateway = StandIn::answering(move |_| problem(kind.http_status(), kind.as_str(), "no"));
        let output = run(&gateway.url, &["node", "list", "-o", "json"]);
        let error = &document(&output)["error"];
        assert_eq!(error["kind"], kind.as_str());
        assert_eq!(error["message"], "no");
        assert_eq!(error["call_id"], format!("{:032x}", 7));
        assert_eq!(exit_code(&output), i32::from(kind.exit_code()), "{kind}");
    }
}

#[test]
fn nobody_there_is_unavailable_and_says_what_to_do() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let output = run(&url, &["invoke", "ndp", "hello", "-o", "json"]);
    assert_eq!(exit_code(&output), 4);
    let error = &document(&output)["error"];
    assert_eq!(error["kind"], "Unavailable");
    assert!(error["hint"].as_str().unwrap().contains("ganglion up"));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    let people = run(&url, &["object", "list", "ndp"]);
    assert!(people.stdout.is_empty());
    assert!(stderr(&people).contains("Connection refused"));
}

#[test]
fn a_lost_answer_to_a_write_is_indeterminate_and_to_a_read_unavailable() {
    let gateway = StandIn::serving(|_, _| {});
    assert_eq!(
        exit_code(&run(&gateway.url, &["invoke", "ndp", "hello"])),
        6
    );
    assert_eq!(
        exit_code(&run(&gateway.url, &["object", "delete", "ndp/a"])),
        6
    );
    assert_eq!(exit_code(&run(&gateway.url, &["node", "list"])), 4);
}

#[test]
fn what_cannot_be_read_is_one_document_too() {
    let output = run(
        "http://127.0.0.1:1",
        &["object", "stat", "nokey", "-o", "json"],
    );
    assert_eq!(exit_code(&output), 2);
    assert_eq!(document(&output)["error"]["kind"], "Invalid");
    assert!(output.stderr.is_empty());
    let none = run("http://127.0.0.1:1", &["-o", "json"]);
    assert_eq!(
        (exit_code(&none), document(&none)["error"]["kind"].as_str()),
        (2, Some("Invalid"))
    );
}

#[test]
fn no_command_shows_where_to_start() {
    let output = run("http://127.0.0.1:1", &[]);
    assert_eq!(exit_code(&output), 0);
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Start here:\n  ganglion demo"));
}

#[test]
fn a_mistyped_function_is_answered_with_the_one_that_was_meant() {
    let gateway = StandIn::answering(|asked| {
        match asked.line.as_str() {
        "GET /v1/functions" => answer(200, &[], br#"{"functions":[{"tenant":"ndp","name":"wordcount","module":"ab","size_bytes":1,"uploaded_ms":0,"object":"none","writes_objects":false}]}"#),
        _ => problem(404, "NotFound", "no function"),
    }
    });
    let hint = |function: &str| {
        let output = run(&gateway.url, &["invoke", "ndp", function, "-o", "json"]);
        assert_eq!(exit_code(&output), 3);
        document(&output)["error"]["hint"].clone()
    };
    assert_eq!(hint("wrodcount"), "did you mean ndp/wordcount?");
    assert_eq!(
        hint("resize"),
        "`ganglion func list` shows what is deployed"
    );
    assert!(hint("wordcount").is_null());
}

#[test]
fn a_doctor_without_a_gateway_ends_well_and_tells_of_it() {
    let output = run("http://127.0.0.1:1", &["doctor", "-o", "json"]);
    assert_eq!(exit_code(&output), 0);
    let report = document(&output);
    let checks = report["checks"].as_array().unwrap();
    let gateway = checks
        .iter()
        .find(|check| check["name"] == "gateway")
        .unwrap();
    assert_eq!(gateway["status"], "warn");
    assert!(gateway["remedy"].as_str().unwrap().contains("ganglion up"));
}
