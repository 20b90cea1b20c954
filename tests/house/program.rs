//! The program as users run it: the README's commands, and how it ends.

use crate::process::{Running, program, root};
use reqwest::{Client, StatusCode};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

async fn until_ready(client: &Client, address: &str) {
    for _ in 0..1_000 {
        let answer = client.get(format!("http://{address}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{address} is not ready");
}

/// The lines of the README's `sh` blocks, and what a line says that it prints (`# -> text`).
fn readme_commands() -> Vec<(String, Option<String>)> {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut commands = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(text), "```") => {
                commands.extend(text.replace("\\\n", " ").lines().map(command_of));
                block = None;
            }
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    commands
        .into_iter()
        .filter(|(command, _)| !command.is_empty())
        .collect()
}

fn command_of(line: &str) -> (String, Option<String>) {
    match line.split_once("# -> ") {
        Some((command, prints)) => (command.trim().to_owned(), Some(prints.trim().to_owned())),
        None => (
            line.split(" # ").next().unwrap_or(line).trim().to_owned(),
            None,
        ),
    }
}

/// Runs a line as a shell would, with `ganglion` and `cargo run --release --` meaning the program under test.
fn shell(line: &str, running: Option<&Running>, folder: &Path) -> Output {
    let program = program();
    let mut line = line.replace("cargo run --release --", "ganglion");
    if let Some(running) = running {
        line = line
            .replace("localhost:8080", &running.addresses[0])
            .replace("localhost:8002", &running.addresses[1]);
    }
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &line])
        .current_dir(folder)
        .stdin(Stdio::null());
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin",
        program.parent().unwrap().display()
    );
    shell.env("PATH", path).env("HOME", folder);
    if let Some(running) = running {
        shell.env("GANGLION_URL", format!("http://{}", running.addresses[0]));
    }
    shell.output().unwrap()
}

/// Every command of the README, in its order, in one folder, against the cluster that it starts. `./test` and what
/// measures for minutes are run elsewhere: the first by CI, the others briefly.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_readme_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("funcs"), folder.path().join("funcs")).unwrap();
    let mut running: Option<Running> = None;
    let commands = readme_commands();
    assert!(
        commands.len() > 12,
        "the README shows {} commands",
        commands.len()
    );
    for (command, prints) in commands {
        if command == "./test" || command.starts_with("export PATH") || command.starts_with("git ")
        {
            continue;
        }
        if command.ends_with("-- up") {
            let started = Running::start(&["up"], folder.path(), 2);
            until_ready(&Client::new(), &started.addresses[0]).await;
            running = Some(started);
            continue;
        }
        let line = if command.contains(" bench ") {
            format!("{command} --quick")
        } else {
            command.clone()
        };
        let output = shell(&line, running.as_ref(), folder.path());
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{command}: {}\n{out}\n{err}",
            output.status
        );
        if let Some(prints) = prints {
            assert!(
                out.contains(&prints),
                "{command} printed {out:?}, not {prints:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_running_calls_finish_and_refuses_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&["serve"], folder.path(), 1);
    let (client, address) = (Client::new(), running.addresses[0].clone());
    until_ready(&client, &address).await;
    // About a second of counting.
    let slow = wat::parse_str(
        r#"(module
        (import "env" "__faasm_write_output" (func $out (param i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "done")
        (func (export "_start") (local $i i64)
            (loop $again
                (local.set $i (i64.add (local.get $i) (i64.const 1)))
                (br_if $again (i64.lt_u (local.get $i) (i64.const 1500000000))))
            (call $out (i32.const 0) (i32.const 4))))"#,
    )
    .unwrap();
    let function = format!("http://{address}/v1/functions/t/slow");
    assert!(
        client
            .put(&function)
            .body(slow)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let invoke = format!("{function}/invoke");
    let call = tokio::spawn(client.post(&invoke).send());
    until_in_flight(&client, &address).await;
    running.terminate();
    until_draining(&client, &address).await;
    let refused = client.post(&invoke).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let finished = call.await.unwrap().unwrap();
    assert_eq!(
        (finished.status(), finished.text().await.unwrap().as_str()),
        (StatusCode::OK, "done")
    );
    drop(client);
    assert!(running.child.wait().unwrap().success());
}

async fn until_in_flight(client: &Client, address: &str) {
    for _ in 0..1_000 {
        let metrics = client
            .get(format!("http://{address}/metrics"))
            .send()
            .await
            .unwrap();
        if metrics
            .text()
            .await
            .unwrap()
            .contains("ganglion_calls_in_flight 1")
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the call never began");
}

async fn until_draining(client: &Client, address: &str) {
    for _ in 0..1_000 {
        let ready = client
            .get(format!("http://{address}/readyz"))
            .send()
            .await
            .unwrap();
        if ready.status() == StatusCode::SERVICE_UNAVAILABLE {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never began to drain");
}

/// Killed at any moment, `up` starts again over the same folder and has what it had acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_kill_9_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new();
    let mut acknowledged = 0;
    for _ in 0..3 {
        let mut running = Running::start(&["up"], folder.path(), 1);
        let objects = format!("http://{}/v1/objects/b", running.addresses[0]);
        until_ready(&client, &running.addresses[0]).await;
        for index in 0..acknowledged {
            let read = client
                .get(format!("{objects}/o{index}"))
                .send()
                .await
                .unwrap();
            assert_eq!(
                read.text().await.unwrap(),
                format!("object {index} ").repeat(1000)
            );
        }
        for _ in 0..10 {
            let body = format!("object {acknowledged} ").repeat(1000);
            let put = client
                .put(format!("{objects}/o{acknowledged}"))
                .body(body)
                .send()
                .await
                .unwrap();
            assert!(put.status().is_success());
            acknowledged += 1;
        }
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
}

#[test]
fn a_command_that_fails_says_why_and_exits_by_kind() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Command::new(program())
        .args(["--url", "http://127.0.0.1:9", "invoke", "ndp", "echo"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("ganglion up"));
    std::fs::write(
        folder.path().join("ganglion.toml"),
        "[limits]\nmemroy = \"1 GiB\"\n",
    )
    .unwrap();
    let misspelt = Command::new(program())
        .arg("up")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(misspelt.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&misspelt.stderr).contains("memroy"));
}
