//! Jobs: one function over many objects gives what one call over all of their bytes would, wherever its parts run.

use crate::answers::{committed, counted};
use crate::api::Api;
use crate::lab::Lab;
use crate::process::{Running, program};
use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// How long a job of a test may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Begins a job; gives its id.
pub(crate) async fn begin(api: &Api, job: &Value) -> String {
    let request = api.request(Method::POST, "/v1/jobs").json(job);
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let job: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    job["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn look(api: &Api, id: &str) -> Value {
    let answer = api.get(&format!("/v1/jobs/{id}")).await;
    answer.json().await.unwrap()
}

/// Waits for a job's end.
pub(crate) async fn ended(api: &Api, id: &str) -> Value {
    let looked = async {
        loop {
            let job = look(api, id).await;
            if job["state"] != "running" {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, looked).await;
    in_time.expect("the job ends")
}

pub(crate) async fn result(api: &Api, id: &str) -> Vec<u8> {
    let answer = api.get(&format!("/v1/jobs/{id}/result")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    answer.bytes().await.unwrap().to_vec()
}

/// Objects of different sizes, each of which ends with the end of a line: a word that went on in the next would be one in their
/// concatenation and two in their counts.
fn books(count: usize) -> Vec<(String, Vec<u8>)> {
    let mut random = fastrand::Rng::with_seed(3);
    let words = [
        "near",
        "data",
        "arm",
        "octopus",
        "a",
        "the",
        "ganglion",
        "\u{fc}ber",
    ];
    let book = |number: usize| {
        let mut text = Vec::new();
        let length = random.usize(..60_000) * usize::from(number % 7 != 3);
        while text.len() < length {
            text.extend_from_slice(random.choice(words).unwrap().as_bytes());
            text.push(*random.choice(b" \t\n").unwrap());
        }
        text.extend_from_slice(format!("book-{number}\n").as_bytes());
        (format!("books/{number:05}"), text)
    };
    (0..count).map(book).collect()
}

async fn store(api: &Api, objects: &[(String, Vec<u8>)]) {
    let put = |(key, body): &(String, Vec<u8>)| {
        let (api, path, body) = (api.clone(), format!("/v1/objects/ndp/{key}"), body.clone());
        async move { assert!(api.put(&path, body).await.status().is_success()) }
    };
    let puts = futures::stream::iter(objects.iter().map(put));
    puts.buffer_unordered(16).collect::<Vec<()>>().await;
}

fn concatenation(books: &[(String, Vec<u8>)]) -> Vec<u8> {
    books.iter().flat_map(|(_, text)| text.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_counts_what_one_count_over_all_objects_would() {
    let lab = Lab::up().await;
    let books = books(150);
    store(&lab, &books).await;
    lab.put("/v1/objects/ndp/other", "not counted").await;
    let expected = counted(&concatenation(&books));
    let in_rust = lab.put("/v1/functions/ndp/wordcount-rs", committed("wordcount-rs"));
    let in_rust: Value = in_rust.await.json().await.unwrap();
    assert_eq!(in_rust["combines"], true);
    let ways = ["allow", "prefer", "forbid"];
    let functions = ["ndp/wordcount", "ndp/wordcount-rs"];
    for (function, ndp) in functions
        .into_iter()
        .flat_map(|name| ways.map(|ndp| (name, ndp)))
    {
        let job = json!({"function": function, "over": "books/*", "combine": true, "ndp": ndp});
        let id = begin(&lab, &job).await;
        let job = ended(&lab, &id).await;
        assert_eq!(job["state"], "done", "{job}");
        assert!(
            result(&lab, &id).await == expected,
            "{function} {ndp}: {job}"
        );
        assert_eq!(
            job["objects"],
            json!({"total": 150, "done": 150, "failed": 0})
        );
        let bytes: usize = books.iter().map(|(_, text)| text.len()).sum();
        assert_eq!(
            (&job["bytes"]["total"], &job["bytes"]["done"]),
            (&json!(bytes), &json!(bytes))
        );
        let on_storage = job["parts"]["storage"].as_u64().unwrap();
        match ndp {
            "forbid" => {
                assert_eq!(on_storage, 0, "{job}");
                let combined_beside = job["bytes"]["moved"].as_u64().unwrap();
                assert_eq!(combined_beside, bytes as u64, "every object crossed a link");
            }
            "prefer" => assert_eq!(
                (on_storage, &job["bytes"]["moved"]),
                (150, &json!(0)),
                "{job}"
            ),
            _ => {
                assert!(on_storage > 0, "near is where it pays: {job}");
                assert!(
                    job["bytes"]["moved"].as_u64().unwrap() < bytes as u64,
                    "{job}"
                );
            }
        }
        let apart: usize = books.iter().map(|(_, text)| counted(text).len()).sum();
        let outputs = job["bytes"]["outputs"].as_u64().unwrap();
        assert!(
            outputs * 2 < apart as u64,
            "combined on the nodes: {outputs} of {apart} bytes"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_job_that_forbids_it_runs_on_storage() {
    let lab = Lab::up().await;
    store(&lab, &books(60)).await;
    let on_storage = async || {
        let text = lab.get("/metrics").await.text().await.unwrap();
        let of_storage = |line: &&str| {
            let counts = line.starts_with("ganglion_job_parts_total{")
                || line.starts_with("ganglion_calls_total{");
            counts && line.contains(r#"site="storage""#)
        };
        let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        text.lines().filter(of_storage).map(count).sum::<f64>()
    };
    for combine in [json!(true), json!(false)] {
        let job =
            json!({"function": "ndp/wordcount", "over": "*", "combine": combine, "ndp": "forbid"});
        let id = begin(&lab, &job).await;
        assert_eq!(ended(&lab, &id).await["state"], "done");
    }
    // A batch that was sent there would have been denied, and its job have failed.
    assert!(on_storage().await.abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_stand_behind_one_another_in_the_order_of_the_keys() {
    let lab = Lab::up().await;
    let books = books(80);
    store(&lab, &books).await;
    let id = begin(
        &lab,
        &json!({"function": "ndp/get", "over": "books/*", "to": "all"}),
    )
    .await;
    let job = ended(&lab, &id).await;
    assert_eq!(
        (&job["state"], &job["to"]),
        (&json!("done"), &json!("ndp/all")),
        "{job}"
    );
    let expected = concatenation(&books);
    assert!(result(&lab, &id).await == expected);
    let stored = lab.get("/v1/objects/ndp/all").await.bytes().await.unwrap();
    assert!(stored == expected);
    let id = begin(
        &lab,
        &json!({"function": "ndp/scan", "over": "books/0000[12]", "input": "e"}),
    )
    .await;
    assert_eq!(ended(&lab, &id).await["state"], "done");
    let count = |text: &[u8]| {
        text.iter()
            .filter(|byte| **byte == b'e')
            .count()
            .to_string()
    };
    let scanned: String = books[1..3].iter().map(|(_, text)| count(text)).collect();
    let told = String::from_utf8(result(&lab, &id).await).unwrap();
    assert_eq!(told.split_whitespace().collect::<String>(), scanned);
}

/// Traps when its input ends with `3`.
const THREES_FAIL: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory (export "memory") 1)
    (func (export "_start") (local $end i32)
        (local.set $end (call $in (i32.const 8) (i32.const 100)))
        (if (i32.eq (i32.load8_u offset=7 (local.get $end)) (i32.const 51)) (then unreachable))
        (call $out (i32.const 8) (local.get $end))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_whose_call_fails_is_named_and_can_be_left_out() {
    let lab = Lab::up().await;
    lab.upload("threes", THREES_FAIL).await;
    for number in 0..25 {
        lab.put(&format!("/v1/objects/ndp/k{number:02}"), "x").await;
    }
    let id = begin(&lab, &json!({"function": "ndp/threes", "over": "k*"})).await;
    let job = ended(&lab, &id).await;
    assert_eq!(
        (&job["state"], &job["error"]["kind"]),
        (&json!("failed"), &json!("Guest"))
    );
    let message = job["error"]["message"].as_str().unwrap();
    let named = ["ndp/k03", "ndp/k13", "ndp/k23"]
        .iter()
        .any(|key| message.contains(key));
    assert!(named && message.contains("unreachable"), "{message}");
    let failed = lab.get(&format!("/v1/jobs/{id}/result")).await;
    assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);

    let job = json!({"function": "ndp/threes", "over": "k*", "keep_going": true});
    let id = begin(&lab, &job).await;
    let job = ended(&lab, &id).await;
    assert_eq!(
        job["objects"],
        json!({"total": 25, "done": 22, "failed": 3}),
        "{job}"
    );
    let mut failed: Vec<_> = job["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["key"].as_str().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["k03", "k13", "k23"]);
    let others = (0..25)
        .filter(|number| number % 10 != 3)
        .map(|number| format!("k{number:02}"));
    assert_eq!(
        String::from_utf8(result(&lab, &id).await).unwrap(),
        others.collect::<String>()
    );
}

/// Never ends.
const SPIN: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_stops_its_guests() {
    let lab = Lab::up().await;
    lab.upload("spin", SPIN).await;
    let object = |number| (format!("k{number}"), Vec::new());
    store(&lab, &(0..40).map(object).collect::<Vec<_>>()).await;
    let id = begin(&lab, &json!({"function": "ndp/spin", "over": "k*"})).await;
    until_running(&lab, |running| running > 0).await;
    assert_eq!(
        lab.get(&format!("/v1/jobs/{id}/result")).await.status(),
        StatusCode::CONFLICT
    );
    let path = format!("/v1/jobs/{id}");
    let stopped = lab.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(stopped.status(), StatusCode::ACCEPTED);
    assert_eq!(ended(&lab, &id).await["state"], "cancelled");
    until_running(&lab, |running| running == 0).await;
    let forgotten = lab.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(forgotten.status(), StatusCode::NO_CONTENT);
    assert_eq!(lab.get(&path).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_with_every_role_runs_jobs_as_well() {
    let lab = Lab::single().await;
    let books = books(30);
    store(&lab, &books).await;
    let id = begin(
        &lab,
        &json!({"function": "ndp/wordcount", "over": "books/*", "combine": true}),
    )
    .await;
    assert_eq!(ended(&lab, &id).await["state"], "done");
    assert!(result(&lab, &id).await == counted(&concatenation(&books)));
}

/// Guests that run, on all nodes.
async fn running(api: &Api) -> u64 {
    let nodes: Value = api.get("/v1/nodes").await.json().await.unwrap();
    let nodes = nodes["nodes"].as_array().unwrap().iter();
    let running = nodes.map(|node| node["load"]["running"].as_u64().unwrap_or(0));
    running.sum()
}

async fn until_running(api: &Api, is_so: fn(u64) -> bool) {
    for _ in 0..2_000 {
        if is_so(running(api).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} guests run", running(api).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_job_that_the_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Running::start(&["up", "--no-functions"], folder.path(), 1);
    let url = format!("http://{}", cluster.addresses[0]);
    let api = Api::new(&url);
    api.until_ready().await;
    api.upload("spin", SPIN).await;
    let object = |key: &str| (key.to_owned(), Vec::new());
    store(&api, &["a", "b"].map(object)).await;
    let mut command = Command::new(program());
    command.args(["--url", &url, "job", "run", "ndp/spin", "--over", "*"]);
    let mut command = command.spawn().unwrap();
    until_running(&api, |running| running == 2).await;
    let pid = command.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.unwrap().success());
    assert_eq!(command.wait().unwrap().code(), Some(130));
    let jobs: Value = api.get("/v1/jobs").await.json().await.unwrap();
    let id = jobs["jobs"][0]["id"].as_str().unwrap();
    assert_eq!(ended(&api, id).await["state"], "cancelled");
    until_running(&api, |running| running == 0).await;
}

/// The most memory that a process has had in use, in KiB (proc(5), `VmHWM`).
fn peak_kib(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Sets 64 KiB as its output, all zeros but for the number 1; its combiner adds what it finds to one such number, of four bytes.
const WIDE: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (memory (export "memory") 300)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1))
        (call $out (i32.const 0) (i32.const 65536)))
    (func (export "ganglion_combine") (result i32) (local $at i32) (local $end i32)
        (local.set $end (call $in (i32.const 64) (call $in (i32.const 0) (i32.const 0))))
        (loop $next (if (i32.lt_u (local.get $at) (local.get $end)) (then
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load offset=64 (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br $next))))
        (call $out (i32.const 0) (i32.const 4))
        (i32.const 0)))"#;

/// A whole cluster in one process runs a job over that many objects: its gateway and its workers hold little more of it than of
/// one over the first thousand. Gives how often a part was placed again.
async fn takes_little_memory(objects: usize, settings: &[(&str, &str)]) -> u64 {
    const MORE_KIB_MAX: u64 = 128 << 10;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command
        .arg("up")
        .env("GANGLION_LISTEN_HTTP", "[\"127.0.0.1:0\"]");
    command.envs(settings.iter().copied());
    let cluster = Running::of(command, folder.path(), "listening on http://", 1);
    let api = Api::new(&format!("http://{}", cluster.addresses[0]));
    api.until_ready().await;
    api.upload("wide", WIDE).await;
    let object = |number| (format!("small/{number:05}"), vec![b'x']);
    store(&api, &(0..objects).map(object).collect::<Vec<_>>()).await;
    let few = json!({"function": "ndp/wide", "over": "small/00*", "combine": true});
    let id = begin(&api, &few).await;
    assert_eq!(ended(&api, &id).await["objects"]["done"], 1_000);
    let before = peak_kib(&cluster);
    let all = json!({"function": "ndp/wide", "over": "small/*", "combine": true});
    let id = begin(&api, &all).await;
    let job = ended(&api, &id).await;
    let after = peak_kib(&cluster);
    assert_eq!(
        job["objects"],
        json!({"total": objects, "done": objects, "failed": 0}),
        "{job}"
    );
    let sum = u32::try_from(objects).unwrap().to_le_bytes();
    assert_eq!(result(&api, &id).await, sum);
    eprintln!("{objects} objects; peak {before} KiB before, {after} KiB after; {job}");
    let kept_kib = (objects as u64) << 6;
    assert!(
        kept_kib > 2 * MORE_KIB_MAX,
        "all outputs would be {kept_kib} KiB"
    );
    let more_kib = after - before;
    assert!(more_kib < MORE_KIB_MAX, "{more_kib} KiB more");
    job["parts"]["repeated"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_objects_take_little_memory() {
    takes_little_memory(10_000, &[]).await;
}

/// Nodes without a queue refuse each batch that comes while another runs.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_refuse_cost_no_memory() {
    let settings = [
        ("GANGLION_STORAGE_QUEUE", "0"),
        ("GANGLION_COMPUTE_QUEUE", "0"),
    ];
    let repeated = takes_little_memory(7_000, &settings).await;
    assert!(repeated > 0, "some were refused");
}
