//! The program as a shell sees it: what it asks of a gateway, what it prints where, and how it ends.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod calls;
#[cfg(feature = "servers")]
mod dev_ceph;
mod failures;
mod house;
mod jobs;
mod objects;
mod real;
mod stand_in;

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The program, with nothing of this machine's environment that it would read.
fn ganglion(url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ganglion"));
    command.args(words).env("GANGLION_URL", url);
    command.env_remove("GANGLION_USER").env_remove("NO_COLOR");
    command
}

fn run(url: &str, words: &[&str]) -> Output {
    ganglion(url, words).stdin(Stdio::null()).output().unwrap()
}

fn run_with_stdin(url: &str, words: &[&str], stdin: &[u8]) -> Output {
    let mut command = ganglion(url, words);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    child.wait_with_output().unwrap()
}

fn exit_code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Stdout as the one document that it has to be.
fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}
