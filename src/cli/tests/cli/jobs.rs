//! Jobs, against a real gateway whose node sets each call's input as its output.

use super::house::{House, house};
use super::{document, exit_code, run, stderr};
use std::fs;

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
