//! `dev-ceph`, with real daemons.

use super::{document, exit_code, ganglion, run, stderr};
use serde_json::Value;
use std::path::Path;
use std::process::{Output, Stdio};
use tempfile::TempDir;

/// A folder whose cluster, if it has one, ends with it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, command: &str, words: &[&str]) -> Output {
        let folder = self.folder().to_str().unwrap();
        let all = [&["dev-ceph", command, "--folder", folder], words].concat();
        run("http://127.0.0.1:1", &all)
    }

    fn ok(&self, command: &str, words: &[&str]) -> Value {
        let output = self.run(command, &[&["-o", "json"], words].concat());
        assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
        document(&output)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Without a cluster there is nothing to end, and that it says so is no failure.
        let _ended = self.run("down", &[]);
    }
}

fn daemons(status: &Value) -> impl Iterator<Item = &Value> {
    status["daemons"].as_array().unwrap().iter()
}

#[test]
fn a_cluster_stays_until_it_is_ended() {
    let place = Place::new();
    let up = place.ok("up", &["--osds", "2", "--pool", "books"]);
    assert_eq!(up["pools"], serde_json::json!(["books"]));
    assert_eq!(daemons(&up).count(), 3);
    let status = place.ok("status", &[]);
    for (then, now) in daemons(&up).zip(daemons(&status)) {
        assert_eq!((&then["name"], &then["pid"]), (&now["name"], &now["pid"]));
        assert_eq!(now["up"], true, "{now}");
    }
    let again = place.run("up", &["-o", "json"]);
    assert_eq!(exit_code(&again), 7, "a second one is refused");
    place.ok("down", &[]);
    let gone = place.run("status", &["-o", "json"]);
    assert_eq!(exit_code(&gone), 3);
    let hint = document(&gone)["error"]["hint"].clone();
    assert!(hint.as_str().unwrap().contains("dev-ceph up"), "{hint}");
}

#[test]
fn people_are_told_what_to_type_next_and_it_works() {
    let place = Place::new();
    let up = place.run("up", &["--auth"]);
    assert_eq!(exit_code(&up), 0, "{}", stderr(&up));
    assert!(stderr(&up).contains("3 OSDs"), "{}", stderr(&up));
    let text = String::from_utf8(up.stdout).unwrap();
    let next = text.split_once("next:\n").unwrap().1;
    let lines: Vec<&str> = next.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("export CEPH_CONF="), "{text}");
    assert!(lines[2].starts_with("ganglion serve --ceph /"), "{text}");
    let shell = format!("{}\n{}", lines[0], lines[1]);
    let listed = std::process::Command::new("sh")
        .args(["-c", &shell])
        .output();
    let listed = listed.unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let down = lines[3].strip_prefix("ganglion ").unwrap();
    let words: Vec<&str> = down.split(' ').collect();
    assert_eq!(exit_code(&run("http://127.0.0.1:1", &words)), 0);
}

#[test]
fn a_program_runs_as_a_client_and_its_end_is_the_commands() {
    let place = Place::new();
    place.ok("up", &["--osds", "1"]);
    let tree = place.run("exec", &["--", "ceph", "osd", "ls"]);
    assert_eq!(String::from_utf8(tree.stdout).unwrap(), "0\n");
    let failed = place.run("exec", &["--at", "storage:0", "--", "sh", "-c", "exit 7"]);
    assert_eq!(exit_code(&failed), 7);
    let absent = place.run("exec", &["--", "no-such-program"]);
    assert_eq!(exit_code(&absent), 3);
}

#[test]
fn namespaces_are_told_of_and_programs_run_in_them() {
    let place = Place::new();
    let up = place.run("up", &["--netns"]);
    assert_eq!(exit_code(&up), 0, "{}", stderr(&up));
    let text = String::from_utf8(up.stdout).unwrap();
    let at = text.split("# at ").nth(1).unwrap();
    let compute = at.split_whitespace().next().unwrap();
    let program = ["--at", "compute", "--", "ip", "-brief", "address"];
    let shown = place.run("exec", &program).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(&format!("{compute}/24")), "{shown}");
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let place = Place::new();
    let folder = place.folder().to_str().unwrap();
    let words = ["dev-ceph", "up", "--folder", folder];
    let mut starting = ganglion("http://127.0.0.1:1", &words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.folder().join("run/mon.a.asok").exists() {
        assert!(starting.try_wait().unwrap().is_none(), "it ended early");
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_child(&starting);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(starting.wait().unwrap().code(), Some(130));
    let left = std::fs::read_dir(place.folder()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["log"]);
}

#[test]
fn what_cannot_be_had_is_refused_before_anything_starts() {
    let place = Place::new();
    let refused = place.run("up", &["--replicas", "9", "-o", "json"]);
    assert_eq!(exit_code(&refused), 2);
    let message = document(&refused)["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("replicas"), "{message}");
    assert_eq!(
        exit_code(&place.run("exec", &["--at", "moon", "--", "ls"])),
        2
    );
    let mut without = ganglion(
        "http://127.0.0.1:1",
        &[
            "dev-ceph",
            "up",
            "--folder",
            place.folder().to_str().unwrap(),
        ],
    );
    let output = without.env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(exit_code(&output), 4);
    let said = stderr(&output);
    assert!(said.contains("apt-get install"), "{said}");
}

/// The same job on Ceph as the README's first command does on files.
#[cfg(feature = "ceph")]
#[test]
fn the_demo_runs_on_ceph() {
    let place = Place::new();
    let mut command = ganglion("http://127.0.0.1:1", &["demo", "--ceph", "-o", "json"]);
    let output = command.current_dir(place.folder()).output().unwrap();
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    let told = document(&output);
    let rows = told["objects"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row["same_result"], true, "{row}");
        let (near, far) = (&row["near"], &row["far"]);
        assert_eq!(far["site"], "compute", "{row}");
        assert_ne!(far["moved_bytes"], 0, "{row}");
        if near["site"] == "storage" {
            assert_eq!(near["moved_bytes"], 0, "{row}");
        }
    }
}
