//! Jobs, against a real gateway whose node sets each call's input as its output.

use super::house::{House, house};
use super::stand_in::{StandIn, answer, problem};
use super::{document, exit_code, ganglion, run, stderr};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A house with a function `ndp/echo` and the objects `k/a`, `k/b` and `other`.
fn house_with_objects() -> House {
    let (house, folder) = (house(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let wasm = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#)
        .unwrap();
    fs::write(path("echo.wasm"), wasm).unwrap();
    fs::write(path("object"), b"bytes").unwrap();
    let mut commands = vec![vec![
        "deploy".to_owned(),
        path("echo.wasm"),
        "-undp".to_owned(),
    ]];
    for key in ["ndp/k/a", "ndp/k/b", "ndp/other"] {
        let words = ["object", "put", key, &path("object")];
        commands.push(words.map(str::to_owned).into());
    }
    for command in commands {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_eq!(exit_code(&run(&house.url, &words)), 0);
    }
    house
}

#[test]
fn a_job_is_run_and_its_result_is_on_stdout_and_how_it_went_on_stderr() {
    let house = house_with_objects();
    let words = ["job", "run", "ndp/echo", "--over", "k/*", "--input", "x,"];
    let output = run(&house.url, &words);
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    assert_eq!(output.stdout, b"k/a x,k/b x,");
    let told = stderr(&output);
    assert!(told.contains("2 objects, 10 B, in "), "{told}");
    assert!(told.contains("0 on storage, 2 on compute"), "{told}");
}

#[test]
fn one_document_has_the_result_and_the_job_and_jobs_are_listed_shown_and_forgotten() {
    let house = house_with_objects();
    let json = |words: &[&str]| document(&run(&house.url, &[words, &["-o", "json"]].concat()));
    let ran = json(&["job", "run", "echo", "--user", "ndp", "--over", "k/*"]);
    assert_eq!(
        (&ran["output"], &ran["output_encoding"]),
        (&"k/ak/b".into(), &"utf-8".into())
    );
    let id = ran["job"]["id"].as_str().unwrap();
    assert_eq!(json(&["job", "list"])["jobs"][0]["id"], id);
    let table = run(&house.url, &["job", "list"]).stdout;
    let table = String::from_utf8(table).unwrap();
    assert!(
        table.starts_with("JOB") && table.contains("ndp/echo  k/*   done"),
        "{table}"
    );
    assert_eq!(json(&["job", "status", id])["objects"]["done"], 2);
    assert_eq!(run(&house.url, &["job", "result", id]).stdout, b"k/ak/b");
    let stored = json(&["job", "run", "ndp/echo", "--over", "k/*", "--store", "keys"]);
    assert_eq!(stored["to"], "ndp/keys");
    assert_eq!(
        run(&house.url, &["object", "get", "ndp/keys"]).stdout,
        b"k/ak/b"
    );
    assert_eq!(json(&["job", "cancel", id])["cancelled"], id);
    let gone = run(&house.url, &["job", "status", id]);
    assert_eq!(exit_code(&gone), 3, "{}", stderr(&gone));
}

#[test]
fn a_job_that_fails_names_the_object_and_ends_by_kind() {
    let house = house_with_objects();
    let failing = ["job", "run", "ndp/echo", "--over", "k/*", "--arg", "7"];
    let output = run(&house.url, &failing);
    assert_eq!(exit_code(&output), 1);
    let told = stderr(&output);
    assert!(
        told.contains("ndp/k/") && told.contains("returned 7"),
        "{told}"
    );
    assert!(told.contains("--keep-going"), "{told}");
    let output = run(&house.url, &[&failing[..], &["--keep-going"]].concat());
    assert_eq!((exit_code(&output), output.stdout.len()), (1, 0));
    let told = stderr(&output);
    assert!(
        told.contains("failed: k/a") && told.contains("failed: k/b"),
        "{told}"
    );
    for (words, code) in [
        (&["job", "run", "ndp/ehco", "--over", "k/*"][..], 3),
        (&["job", "run", "ndp/echo", "--over", "["], 2),
        (&["job", "run", "echo", "--over", "*"], 2),
        (&["job", "run", "ndp/echo", "--over", "*", "--combine"], 2),
        (
            &[
                "job",
                "run",
                "ndp/echo",
                "--over",
                "*",
                "--combine",
                "absent",
            ],
            3,
        ),
        (&["job", "status", "xyz"], 2),
    ] {
        let output = run(&house.url, words);
        assert_eq!(exit_code(&output), code, "{words:?}: {}", stderr(&output));
    }
}

/// What a gateway tells of a job in that state.
fn told(status: u16, state: &str) -> Vec<u8> {
    let job = json!({
        "id": "5f0c2a9e71d34b6800000000000004d2", "function": "ndp/echo", "over": "k/*", "combiner": null, "state": state,
        "objects": {"total": 2, "done": 2, "failed": 0}, "bytes": {"total": 10, "done": 10, "moved": 0, "outputs": 6},
        "parts": {"compute": 2, "storage": 0, "repeated": 0}, "began_ms": 0, "elapsed_ms": 1, "left_ms": null,
        "result_bytes": 6, "to": null, "error": null, "failures": [],
    });
    answer(
        status,
        &["content-type: application/json"],
        job.to_string().as_bytes(),
    )
}

const RUN: [&str; 5] = ["job", "run", "ndp/echo", "--over", "k/*"];

#[test]
fn a_gateway_that_is_away_for_a_moment_is_asked_again_how_far_a_job_is() {
    let looks = AtomicU32::new(0);
    let gateway = StandIn::answering(move |asked| match asked.line.split(' ').next() {
        Some("POST") => told(202, "running"),
        _ if asked.line.ends_with("/result") => answer(200, &[], b"result"),
        _ => match looks.fetch_add(1, Ordering::SeqCst) {
            0..3 => problem(503, "Unavailable", "the gateway is away"),
            3..6 => told(200, "running"),
            _ => told(200, "done"),
        },
    });
    let output = run(&gateway.url, &RUN);
    assert_eq!(
        (exit_code(&output), &output.stdout[..]),
        (0, &b"result"[..])
    );
}

#[test]
fn a_job_that_was_stopped_while_it_began_is_cancelled() {
    let gateway = StandIn::answering(|asked| match asked.line.split(' ').next() {
        Some("POST") => {
            std::thread::sleep(Duration::from_millis(700));
            told(202, "running")
        }
        _ => answer(202, &[], b""),
    });
    let mut child = ganglion(&gateway.url, &RUN).spawn().unwrap();
    while gateway.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let asked = gateway.asked();
    let last = &asked.last().unwrap().line;
    assert_eq!(last, "DELETE /v1/jobs/5f0c2a9e71d34b6800000000000004d2");
}
