//! Starts before what they need is there, and what a process says of itself meanwhile.

use super::lab::{CephLab, until};
use crate::process::{Running, free_port, program};
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A process on the address from which Redis is reached, with a socket for its health.
fn command(lab: &CephLab, role: &str, wait: &str) -> (Command, PathBuf) {
    let socket = lab.folder().join(format!("{role}.health"));
    let words = ["--role", role, "--name", "0", "--listen", "cluster:0"];
    let words = [&words[..], &["--wait-for", wait, "--osd", "0"]].concat();
    let mut command = lab.command(role, &words);
    command.env("GANGLION_LISTEN_HEALTH", &socket);
    (command, socket)
}

/// The exit code of `ganglion health`, and what it says.
fn health(socket: &PathBuf, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(program());
    command.args(["health", "--socket"]).arg(socket).args(words);
    let ended = command.output().unwrap();
    let told = [ended.stdout, ended.stderr].concat();
    (
        ended.status.code().unwrap(),
        String::from_utf8(told).unwrap(),
    )
}

/// Waits for its end; its exit code, and what it said.
fn ended(mut running: Running) -> (Option<i32>, String) {
    let mut told = String::new();
    let mut stderr = running.child.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    (running.child.wait().unwrap().code(), told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_its_pool_and_says_so_until_it_is_there() {
    let mut lab = CephLab::bare(|_| {}).await;
    lab.tell("GANGLION_CEPH_POOL", "late");
    let (command, socket) = command(&lab, "storage", "60s");
    let worker = lab.spawn(command);
    until(async || health(&socket, &[]).1.contains("no pool late")).await;
    assert_eq!(health(&socket, &[]).0, 4);
    lab.ceph
        .command(&["osd", "pool", "create", "late"])
        .unwrap();
    until(async || health(&socket, &["--ready"]).0 == 0).await;
    worker.terminate();
    let (code, told) = ended(worker);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("node.wait_for") && told.contains("127.0.0.1:"),
        "{told}"
    );
    assert!(!socket.exists(), "it takes its socket away");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_has_an_end_and_ends_at_once_when_told_to() {
    let mut lab = CephLab::bare(|_| {}).await;
    lab.tell("GANGLION_CEPH_POOL", "never");
    let (short, _) = command(&lab, "storage", "1s");
    let (code, told) = ended(lab.spawn(short));
    assert_eq!(code, Some(3), "{told}");
    assert!(
        told.contains("no pool never") && told.contains("waited for 1s"),
        "{told}"
    );

    let (long, socket) = command(&lab, "storage", "10m");
    let waiting = lab.spawn(long);
    until(async || health(&socket, &[]).1.contains("no pool never")).await;
    #[allow(clippy::disallowed_methods, reason = "how long a test takes")]
    let told_to_end = Instant::now();
    waiting.terminate();
    let (code, told) = ended(waiting);
    assert_eq!(code, Some(0), "{told}");
    assert!(told_to_end.elapsed() < Duration::from_secs(10), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_by_its_socket_whether_it_takes_calls() {
    let mut lab = CephLab::bare(|_| {}).await;
    let (mut gateway, socket) = command(&lab, "gateway", "60s");
    gateway.arg("--functions");
    let mut gateway = lab.spawn(gateway);
    until(async || health(&socket, &[]).0 == 0).await;
    let (code, told) = health(&socket, &["--ready"]);
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("no compute node"), "{told}");
    lab.start_compute("c");
    until(async || health(&socket, &["--ready"]).0 == 0).await;
    // What a crash leaves is no obstacle, and nobody else's socket is taken.
    gateway.signal("KILL");
    gateway.child.wait().unwrap();
    assert_eq!(health(&socket, &[]).0, 4);
    let (again, _) = command(&lab, "gateway", "60s");
    let _again = lab.spawn(again);
    until(async || health(&socket, &[]).0 == 0).await;
    let (second, _) = command(&lab, "gateway", "1s");
    let (code, told) = ended(lab.spawn(second));
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("listen.health"), "{told}");
    assert_eq!(health(&socket, &[]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_one_host_share_a_range_of_ports() {
    let mut lab = CephLab::bare(|_| {}).await;
    let first = free_port();
    let range = format!("cluster:{first}-{}", first.saturating_add(20));
    for name in ["a", "b"] {
        lab.start_compute_on(name, &range);
    }
    let ports = ["compute-a", "compute-b"].map(|worker| lab.port_of(worker));
    assert!(
        ports[0] >= first && ports[1] > ports[0],
        "{ports:?} of {range}"
    );
    lab.start_gateway("g");
    let api = lab.api_of("g");
    api.until_ready().await;
    until(async || {
        let nodes = api.get("/v1/nodes").await.text().await.unwrap();
        ports
            .iter()
            .all(|port| nodes.contains(&format!("127.0.0.1:{port}")))
    })
    .await;
}
