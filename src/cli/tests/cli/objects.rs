//! Objects: streamed both ways, whole or not at all.

use super::stand_in::{StandIn, answer};
use super::{document, exit_code, ganglion, run, run_with_stdin, stderr};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

const WRITTEN: &[u8] = br#"{"key":"a","size_bytes":3,"version":"17","modified_ms":0}"#;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn what_is_appended_is_sent_with_its_condition() {
    let gateway = StandIn::answering(|_| answer(200, &[], WRITTEN));
    let words = ["object", "append", "ndp/a", "-", "--if-version", "16"];
    let output = run_with_stdin(&gateway.url, &words, b"abc");
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("appended to ndp/a (3 B, version 17)"),
        "{told}"
    );
    let asked = &gateway.asked()[0];
    assert_eq!(asked.line, "POST /v1/objects/ndp/a");
    assert_eq!(asked.body, b"abc");
    assert!(asked.headers.contains(&"if-match: \"16\"".to_owned()));
}

#[test]
fn a_file_appears_whole_under_the_keys_name() {
    let gateway = StandIn::answering(|_| answer(200, &["etag: \"17\""], b"whole"));
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        &gateway.url,
        &[
            "object",
            "get",
            "ndp/a/b.txt",
            folder.path().to_str().unwrap(),
            "-o",
            "json",
        ],
    );
    assert_eq!(document(&output)["version"], "17");
    assert_eq!(names(folder.path()), ["b.txt"]);
    assert_eq!(fs::read(folder.path().join("b.txt")).unwrap(), b"whole");
    assert_eq!(gateway.asked()[0].line, "GET /v1/objects/ndp/a/b.txt");
}

#[test]
fn a_connection_that_dies_leaves_no_half_file() {
    let gateway = StandIn::answering(|_| {
        let mut whole = answer(200, &["etag: \"17\""], &[7; 100_000]);
        whole.truncate(50_000);
        whole
    });
    let folder = tempfile::tempdir().unwrap();
    let (fresh, kept) = (folder.path().join("fresh"), folder.path().join("kept"));
    fs::write(&kept, b"before").unwrap();
    for file in [&fresh, &kept] {
        let output = run(
            &gateway.url,
            &["object", "get", "ndp/a", file.to_str().unwrap()],
        );
        assert_eq!(exit_code(&output), 4, "{}", stderr(&output));
    }
    assert_eq!(names(folder.path()), ["kept"]);
    assert_eq!(fs::read(&kept).unwrap(), b"before");
}

#[test]
fn a_download_that_is_stopped_leaves_nothing_behind() {
    let (sent, half_sent) = channel();
    let (release, released) = channel::<()>();
    let (sent, released) = (Mutex::new(sent), Mutex::new(released));
    let gateway = StandIn::serving(move |_, stream| {
        let whole = answer(200, &["etag: \"17\""], &[7; 100_000]);
        stream.write_all(&whole[..50_000]).unwrap();
        sent.lock().unwrap().send(()).unwrap();
        // Holds the connection open until the test has ended.
        let _ended = released.lock().unwrap().recv();
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let mut command = ganglion(
        &gateway.url,
        &["object", "get", "ndp/a", file.to_str().unwrap()],
    );
    let mut child = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    half_sent.recv().unwrap();
    while names(folder.path()).is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(names(folder.path()).is_empty());
    drop(release);
}

#[test]
fn a_put_streams_files_and_pipes_with_its_condition() {
    let gateway = StandIn::answering(|_| answer(200, &["etag: \"17\""], WRITTEN));
    let folder = tempfile::tempdir().unwrap();
    let (file, large) = (folder.path().join("large"), vec![42; 3_000_000]);
    fs::write(&file, &large).unwrap();
    let output = run(
        &gateway.url,
        &[
            "object",
            "put",
            "ndp/a",
            file.to_str().unwrap(),
            "--if-version",
            "16",
        ],
    );
    assert_eq!(exit_code(&output), 0, "{}", stderr(&output));
    let output = run_with_stdin(
        &gateway.url,
        &["object", "put", "ndp/b c", "-", "--if-absent", "-o", "json"],
        &large,
    );
    assert_eq!(document(&output)["version"], "17");
    let asked = gateway.asked();
    assert_eq!(asked[0].body, large);
    assert!(
        asked[0]
            .headers
            .contains(&"content-length: 3000000".to_owned())
    );
    assert!(asked[0].headers.contains(&"if-match: \"16\"".to_owned()));
    assert_eq!(asked[1].line, "PUT /v1/objects/ndp/b%20c");
    assert_eq!(asked[1].body, large);
    assert!(asked[1].headers.contains(&"if-none-match: *".to_owned()));
}

#[test]
fn bytes_and_a_document_do_not_share_stdout() {
    let gateway = StandIn::answering(|_| answer(200, &[], b"bytes"));
    let output = run(&gateway.url, &["object", "get", "ndp/a", "-o", "json"]);
    assert_eq!(
        (
            exit_code(&output),
            document(&output)["error"]["kind"].as_str()
        ),
        (2, Some("Invalid"))
    );
    assert_eq!(
        run(&gateway.url, &["object", "get", "ndp/a", "--range", "-5"]).stdout,
        b"bytes"
    );
    assert!(
        gateway.asked()[0]
            .headers
            .contains(&"range: bytes=-5".to_owned())
    );
}

#[test]
fn a_listing_follows_its_pages_and_stops_at_the_limit() {
    let gateway = StandIn::answering(|asked| {
        let (key, more) = match asked.line.contains("after=a") {
            true => ("b", false),
            false => ("a", true),
        };
        let body = format!(
            r#"{{"objects":[{{"key":"{key}","size_bytes":1,"version":"1","modified_ms":0}}],"more":{more}}}"#
        );
        answer(200, &[], body.as_bytes())
    });
    let keys = |words: &[&str]| {
        let json = document(&run(&gateway.url, words));
        let keys = json["objects"].as_array().unwrap().iter();
        (
            keys.map(|o| o["key"].as_str().unwrap().to_owned())
                .collect::<String>(),
            json["more"] == true,
        )
    };
    assert_eq!(
        keys(&["object", "list", "ndp", "-o", "json"]),
        ("ab".to_owned(), false)
    );
    assert_eq!(
        keys(&["object", "list", "ndp", "--limit", "1", "-o", "json"]),
        ("a".to_owned(), true)
    );
    let asked = gateway.asked();
    assert_eq!(asked[2].line, "GET /v1/objects/ndp?prefix=&limit=1");
}

#[test]
fn what_head_says_is_shown_and_what_it_does_not_find_is_named() {
    let gateway = StandIn::answering(|asked| {
        match asked.line.ends_with("/a") {
        true => b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4194304\r\netag: \"17\"\r\n\r\n".to_vec(),
        false => b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 40\r\n\r\n".to_vec(),
    }
    });
    let output = run(&gateway.url, &["object", "stat", "ndp/a"]);
    let expected = "object   ndp/a\nsize     4.0 MiB (4194304 bytes)\nversion  17\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    let absent = run(&gateway.url, &["object", "stat", "ndp/b"]);
    assert_eq!(exit_code(&absent), 3);
    assert_eq!(stderr(&absent), "error: no object ndp/b\n");
}
