//! Against a real gateway: what both sides say of each other's shapes holds.

use super::house::house;
use super::{document, exit_code, run, run_with_stdin, stderr};
use serde_json::Value;
use std::fs;

fn ok(url: &str, words: &[&str]) -> Value {
    let output = run(url, &[words, &["-o", "json"]].concat());
    assert_eq!(
        exit_code(&output),
        0,
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    document(&output)
}

#[test]
fn a_function_is_deployed_called_shown_downloaded_and_deleted() {
    let (house, folder) = (house(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let wasm = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#)
        .unwrap();
    fs::write(path("echo.wasm"), &wasm).unwrap();
    let deployed = ok(
        &house.url,
        &[
            "deploy",
            &path("echo.wasm"),
            "-u",
            "ndp",
            "--object",
            "input",
        ],
    );
    assert_eq!(
        (&deployed["name"], &deployed["object"]),
        (&"echo".into(), &"input".into())
    );

    let call = ok(
        &house.url,
        &["invoke", "ndp", "echo", "-i", "hi", "--deadline", "30s"],
    );
    assert_eq!(
        (&call["output"], &call["call"]["node"]),
        (&"hi".into(), &"compute-1".into())
    );
    assert_eq!(
        (&call["call"]["run_us"], &call["call"]["start"]),
        (&42.into(), &"restored".into())
    );
    let failed = run(
        &house.url,
        &["invoke", "ndp", "echo", "--arg", "3", "-o", "json"],
    );
    let error = &document(&failed)["error"];
    assert_eq!(
        (exit_code(&failed), &error["exit_code"], &error["stderr"]),
        (1, &3.into(), &"a warning".into())
    );
    let mistyped = run(&house.url, &["invoke", "ndp", "ehco"]);
    assert_eq!(exit_code(&mistyped), 3);
    assert!(stderr(&mistyped).contains("did you mean ndp/echo?"));

    assert_eq!(ok(&house.url, &["func", "show", "ndp/echo"]), deployed);
    assert_eq!(
        ok(&house.url, &["func", "list", "--user", "ndp"])["functions"][0],
        deployed
    );
    ok(
        &house.url,
        &["func", "download", "ndp/echo", &path("back.wasm")],
    );
    assert_eq!(fs::read(path("back.wasm")).unwrap(), wasm);
    ok(&house.url, &["func", "delete", "ndp/echo"]);
    assert_eq!(
        ok(&house.url, &["func", "list"])["functions"],
        Value::Array(vec![])
    );
}

#[test]
fn every_key_goes_there_and_comes_back() {
    let (house, folder) = (house(), tempfile::tempdir().unwrap());
    let file = folder.path().join("back");
    let mut keys = vec![
        "a/../b",
        "../..",
        "a b?c#d%2F+&;:@",
        "grün/日",
        "a//b/",
        "/lead",
        "x\ny",
        "-",
    ];
    for key in &keys {
        let object = format!("ndp/{key}");
        let put = run_with_stdin(
            &house.url,
            &["object", "put", &object, "-", "-o", "json"],
            key.as_bytes(),
        );
        assert_eq!(document(&put)["key"], *key);
        ok(
            &house.url,
            &["object", "get", &object, file.to_str().unwrap()],
        );
        assert_eq!(fs::read(&file).unwrap(), key.as_bytes(), "{key}");
        assert_eq!(
            ok(&house.url, &["object", "stat", &object])["size_bytes"],
            key.len()
        );
    }
    keys.sort_unstable();
    let listed = ok(&house.url, &["object", "list", "ndp"]);
    let listed = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["key"].as_str().unwrap());
    assert_eq!(listed.collect::<Vec<_>>(), keys);
    for key in &keys {
        ok(&house.url, &["object", "delete", &format!("ndp/{key}")]);
    }
    assert_eq!(
        ok(&house.url, &["object", "buckets"])["buckets"],
        Value::Array(vec![])
    );
}

#[test]
fn conditions_and_ranges_hold() {
    let house = house();
    let put = |words: &[&str]| {
        run_with_stdin(
            &house.url,
            &[&["object", "put", "ndp/a", "-", "-o", "json"], words].concat(),
            b"0123456789",
        )
    };
    let version = document(&put(&["--if-absent"]))["version"]
        .as_str()
        .unwrap()
        .to_owned();
    let conflict = put(&["--if-absent"]);
    assert_eq!(
        (exit_code(&conflict), &document(&conflict)["error"]["kind"]),
        (7, &"Conflict".into())
    );
    assert_eq!(exit_code(&put(&["--if-version", &version])), 0);
    assert_eq!(exit_code(&put(&["--if-version", &version])), 7);
    let read = |range: &str| run(&house.url, &["object", "get", "ndp/a", "--range", range]);
    assert_eq!(read("2-4").stdout, b"234");
    assert_eq!(read("-3").stdout, b"789");
    assert_eq!(exit_code(&read("10-")), 2);
    assert_eq!(
        exit_code(&run(&house.url, &["object", "stat", "ndp/absent"])),
        3
    );
    assert_eq!(
        exit_code(&run(&house.url, &["object", "list", ".functions"])),
        5
    );
}

#[test]
fn nodes_and_readiness_are_shown() {
    let house = house();
    let node = &ok(&house.url, &["node", "list"])["nodes"][0];
    assert_eq!(
        (&node["id"], &node["load"]["permits"]),
        (&"compute-1".into(), &4.into())
    );
    let report = ok(&house.url, &["doctor"]);
    let gateway = report["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&gateway["name"], &gateway["status"]),
        (&"gateway".into(), &"ok".into())
    );
}
