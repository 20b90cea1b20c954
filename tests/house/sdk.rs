//! Every call of the SDKs: the programs of `funcs/check`, as guests at both sites and as programs of this machine.

use crate::api::Api;
use crate::lab::Lab;
use crate::process::root;
use reqwest::StatusCode;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INPUT: &str = "21 words";

/// Makes a `guest` or a `native` program of one of `funcs/check`.
fn built(kind: &str, source: &str, folder: &Path) -> PathBuf {
    let stem = source.split('.').next().unwrap();
    let result = folder.join(format!("{stem}.{kind}"));
    let build = Command::new(root().join("funcs/build"))
        .arg(format!("--{kind}"))
        .arg(root().join("funcs/check").join(source))
        .arg(&result)
        .output()
        .unwrap();
    assert!(
        build.status.success(),
        "{}",
        String::from_utf8_lossy(&build.stderr)
    );
    result
}

/// Runs a program of this machine in `folder`; returns whether it ended with 0, and its output.
fn run(program: &Path, folder: &Path) -> (bool, String) {
    let output = Command::new(program)
        .arg(INPUT)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

async fn upload(api: &Api, name: &str, module: &Path) -> (StatusCode, String) {
    let wasm = std::fs::read(module).unwrap();
    let answer = api.put(&format!("/v1/functions/ndp/{name}"), wasm).await;
    (answer.status(), answer.text().await.unwrap())
}

fn all_is_well(lines: &str) -> bool {
    lines.contains(": yes\n") && !lines.contains(": NO\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_for_faasm_does_the_same_as_a_guest_and_natively() {
    let lab = Lab::up().await;
    for source in ["objects.cpp", "plain.c"] {
        let folder = tempfile::tempdir().unwrap();
        let (succeeded, natively) = run(&built("native", source, folder.path()), folder.path());
        assert!(succeeded && all_is_well(&natively), "{source}\n{natively}");
        let uploaded = upload(&lab, "check", &built("guest", source, folder.path())).await;
        assert!(uploaded.0.is_success(), "{source}: {}", uploaded.1);
        for query in ["?ndp=prefer", "?ndp=forbid"] {
            let called = lab.invoke("check", INPUT, query).await;
            assert_eq!(called.text(), natively, "{source}{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_lacks_works_natively_and_is_refused_by_name() {
    let lab = Lab::up().await;
    let folder = tempfile::tempdir().unwrap();
    let program = built("native", "shared.cpp", folder.path());
    let named = built("native", "objects.cpp", folder.path());
    std::fs::rename(named, folder.path().join("named")).unwrap();
    let (succeeded, lines) = run(&program, folder.path());
    assert!(succeeded && all_is_well(&lines), "{lines}");
    let (status, words) =
        upload(&lab, "shared", &built("guest", "shared.cpp", folder.path())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(words.contains("unknown import `env.__faasm_"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_rust_sdk_does_what_it_says() {
    let lab = Lab::up().await;
    let module = root().join("funcs/wasm/sdk_calls-rs.wasm");
    let uploaded = upload(&lab, "sdk_calls-rs", &module).await;
    assert!(uploaded.0.is_success(), "{}", uploaded.1);
    for query in ["?ndp=prefer", "?ndp=forbid"] {
        let called = lab.invoke("sdk_calls-rs", INPUT, query).await;
        assert_eq!(called.status, StatusCode::OK, "{}", called.text());
        assert!(all_is_well(called.text()), "{}", called.text());
    }
}

#[test]
fn every_call_of_the_rust_sdk_works_natively_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    for program in [
        &["-p", "sdk_calls"][..],
        &["-p", "ganglion-sdk", "--example", "shared"],
    ] {
        let run = Command::new("cargo")
            .args(["run", "--quiet", "--locked", "--target", &this_machine()])
            .args(program)
            .args(["--", INPUT])
            .current_dir(root().join("funcs/rust"))
            .env("CARGO_TARGET_DIR", folder.path().join("target"))
            .env("GANGLION_OBJECTS", folder.path().join("objects"))
            .env("GANGLION_STATE", folder.path().join("state"))
            .env("GANGLION_OUTPUT", &output)
            .output()
            .unwrap();
        let lines = std::fs::read_to_string(&output).unwrap();
        std::fs::remove_file(&output).unwrap();
        let words = String::from_utf8_lossy(&run.stderr);
        assert!(
            run.status.success() && all_is_well(&lines),
            "{program:?}: {lines}{words}"
        );
    }
}

/// The compiler's name for it.
fn this_machine() -> String {
    let told = Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}
