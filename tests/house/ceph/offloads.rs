//! Ten thousand functions in the middle of calls, each of which writes, while workers and OSDs die, hang and come back and links
//! are cut: what was acknowledged is there, once.

use super::lab::{CephLab, until};
use crate::api::Api;
use fastrand::Rng;
use reqwest::{Method, StatusCode};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Functions that are handed to another node, in all; each writes two objects there.
const OFFLOADS: u64 = 10_000;
/// Callers at once, each with objects of its own.
const CALLERS: u64 = 8;

/// Input: `LINE KEY`, the line of 8 characters. Beside the object KEY: appends the line to it, then adds one to the number of 8
/// digits in KEY with its last character replaced by `n`, and answers with what the two writes returned.
const WRITER: &str = r#"(module
    (import "env" "__faasm_read_input" (func $in (param i32 i32) (result i32)))
    (import "env" "__faasm_write_output" (func $out (param i32 i32)))
    (import "env" "__faasmndp_getMmap" (func $map (param i32 i32 i64 i64 i32) (result i32)))
    (import "env" "__faasmndp_put" (func $put (param i32 i32 i32 i32) (result i32)))
    (import "env" "__faasmndp_storageCallAndAwait" (func $call (param i32 i32 i32) (result i32)))
    (memory (export "memory") 16)
    (table 2 funcref)
    (elem (i32.const 1) $beside)
    ;; The input is at 1000: the line there, the key at 1009; the key's length at 8. A new content is built from 65536 on.
    (func $load (param $key i32) (result i32) (local $at i32)
        (local.set $at (call $map (local.get $key) (i32.load (i32.const 8)) (i64.const 0) (i64.const 0x7fffffff) (i32.const 16)))
        (memory.copy (i32.const 65536) (local.get $at) (i32.load (i32.const 16)))
        (local.get $at))
    (func $beside (result i32) (local $digit i32)
        (if (i32.eqz (call $load (i32.const 1009))) (then (return (i32.const 91))))
        (i64.store (i32.add (i32.const 65536) (i32.load (i32.const 16))) (i64.load (i32.const 1000)))
        (i32.store8 (i32.add (i32.const 65544) (i32.load (i32.const 16))) (i32.const 10))
        (i32.store (i32.const 20) (call $put (i32.const 1009) (i32.load (i32.const 8)) (i32.const 65536)
            (i32.add (i32.load (i32.const 16)) (i32.const 9))))
        (memory.copy (i32.const 2000) (i32.const 1009) (i32.load (i32.const 8)))
        (i32.store8 (i32.add (i32.const 1999) (i32.load (i32.const 8))) (i32.const 110))
        (if (i32.eqz (call $load (i32.const 2000))) (then (return (i32.const 92))))
        (local.set $digit (i32.const 65543))
        (block $carried (loop $next
            (i32.store8 (local.get $digit) (i32.add (i32.load8_u (local.get $digit)) (i32.const 1)))
            (br_if $carried (i32.le_u (i32.load8_u (local.get $digit)) (i32.const 57)))
            (i32.store8 (local.get $digit) (i32.const 48))
            (local.set $digit (i32.sub (local.get $digit) (i32.const 1)))
            (br $next)))
        (i32.or (i32.load (i32.const 20))
            (call $put (i32.const 2000) (i32.load (i32.const 8)) (i32.const 65536) (i32.const 8))))
    (func (export "_start")
        (i32.store (i32.const 8) (i32.sub (call $in (i32.const 1000) (i32.const 900)) (i32.const 9)))
        (i32.store (i32.const 4096) (call $call (i32.const 1009) (i32.load (i32.const 8)) (i32.const 1)))
        (call $out (i32.const 4096) (i32.const 4))))"#;

/// What a caller was told of its calls.
#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    /// Calls that failed without saying what they had written.
    unknown: Vec<String>,
    offloaded: u64,
    not_taken: u64,
    /// Why functions ran in place, and how many of them.
    reasons: BTreeMap<String, u32>,
}

/// What all callers have done together.
#[derive(Default)]
struct Done {
    calls: AtomicU64,
    offloads: AtomicU64,
}

async fn write_on(api: Api, caller: u64, done: Arc<Done>) -> Told {
    let mut told = Told::default();
    let mut number = 0;
    while done.offloads.load(Ordering::Relaxed) < OFFLOADS {
        let line = format!("{caller:02}-{number:05}");
        let request = api
            .request(Method::POST, "/v1/functions/ndp/writer/invoke?ndp=prefer")
            .body(format!("{line} log-{caller}l"));
        let response = request.send().await.unwrap();
        let count = |name: &str| {
            let value = response.headers().get(name);
            value.map_or(0, |value| value.to_str().unwrap().parse::<u64>().unwrap())
        };
        if count("ganglion-in-place") > 0 {
            let reason = response.headers()["ganglion-storage-reason"].to_str();
            *told.reasons.entry(reason.unwrap().to_owned()).or_default() += 1;
        }
        told.offloaded += count("ganglion-offloaded");
        told.not_taken += count("ganglion-not-taken");
        let handed_over = count("ganglion-offloaded") + count("ganglion-not-taken");
        let status = response.status();
        let body = response.bytes().await.unwrap();
        match status {
            StatusCode::OK if body[..] == [0; 4] => told.acknowledged.push(line),
            _ => told.unknown.push(line),
        }
        done.offloads.fetch_add(handed_over, Ordering::Relaxed);
        done.calls.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
    told
}

/// Something happens to the cluster, and is mended again.
async fn disturb(lab: &mut CephLab, random: &mut Rng) -> &'static str {
    let osd = random.u32(0..3);
    let worker = format!("storage-{osd}");
    let pause = Duration::from_millis(random.u64(20..300));
    match random.u32(0..10) {
        0..3 => {
            lab.kill(&worker);
            lab.start_storage(osd);
            "a worker was killed"
        }
        3..6 => {
            lab.signal(&worker, "STOP");
            // Longer than the other nodes wait for a sign of life, now and then.
            tokio::time::sleep(pause * random.u32(1..=20)).await;
            lab.signal(&worker, "CONT");
            "a worker hung"
        }
        6..9 => {
            cut_links_of(lab, &worker);
            "links were cut"
        }
        _ => {
            lab.ceph.kill_osd(osd).unwrap();
            tokio::time::sleep(pause).await;
            lab.ceph.start_osd(osd).unwrap();
            lab.ceph.wait_osd_up(osd).unwrap();
            // It comes back empty, and the next to die may have the only copy until then.
            lab.ceph.wait_clean().unwrap();
            "an OSD was killed"
        }
    }
}

/// Ends every connection to a worker's port, as a firewall that forgot them would.
fn cut_links_of(lab: &CephLab, worker: &str) {
    let port = lab.port_of(worker).to_string();
    let cut = Command::new("ss")
        .args(["-K", "-tn", "dport", "=", &port])
        .output();
    assert!(
        cut.unwrap().status.success(),
        "ss -K, of the package iproute2"
    );
}

/// Printed, so that a failure can be seen again.
#[allow(
    clippy::disallowed_methods,
    reason = "whoever looks into a failure sets it"
)]
fn seed() -> u64 {
    let told = std::env::var("GANGLION_TEST_SEED").ok();
    told.and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_writes_beside_objects_are_made_once_whatever_dies() {
    let seed = seed();
    eprintln!("GANGLION_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let mut lab = CephLab::bare(|_| {}).await;
    lab.tell("GANGLION_LINK_HEARTBEAT", "200ms");
    lab.start_all().await;
    // The call begins at compute: it names no object.
    lab.api().upload("writer?object=none", WRITER).await;
    for caller in 0..CALLERS {
        lab.put(&format!("log-{caller}l"), "").await;
        lab.put(&format!("log-{caller}n"), "00000000").await;
    }
    let done = Arc::new(Done::default());
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(write_on(lab.api().clone(), caller, done.clone())))
        .collect();
    let mut happened = BTreeMap::new();
    let lab = Mutex::new(lab);
    while callers.iter().any(|caller| !caller.is_finished()) {
        let mut lab = lab.lock().await;
        let before = done.calls.load(Ordering::Relaxed);
        *happened
            .entry(disturb(&mut lab, &mut random).await)
            .or_insert(0) += 1;
        // As many calls in between as the next thing takes to be worth it.
        let calls = random.u64(30..200);
        until(async || {
            let finished = callers.iter().all(|caller| caller.is_finished());
            finished || done.calls.load(Ordering::Relaxed) >= before + calls
        })
        .await;
    }
    let lab = lab.into_inner();
    let (mut offloaded, mut not_taken, mut unknown) = (0, 0, 0);
    for (caller, told) in callers.into_iter().enumerate() {
        let told = told.await.unwrap();
        check(&lab, caller, &told).await;
        offloaded += told.offloaded;
        not_taken += told.not_taken;
        unknown += told.unknown.len();
        eprintln!("caller {caller}, in place: {:?}", told.reasons);
    }
    eprintln!(
        "{offloaded} offloaded, {not_taken} not taken, {unknown} without an answer; {happened:?}"
    );
    assert!(offloaded + not_taken >= OFFLOADS && not_taken > 0);
    assert!(
        happened.len() == 4 && happened.values().sum::<u32>() >= 10,
        "{happened:?}"
    );
    assert!(unknown < 100, "{unknown} calls ended without an answer");
}

/// Every acknowledged line is there once, in order; of the others at most once; and the counter has counted those that are there.
async fn check(lab: &CephLab, caller: usize, told: &Told) {
    let log = lab.object(&format!("log-{caller}l")).await.unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(
        sorted, lines,
        "caller {caller}: a line is twice there, or out of order"
    );
    for line in &told.acknowledged {
        assert!(
            lines.contains(&line.as_str()),
            "caller {caller}: {line} is lost"
        );
    }
    let expected = told.acknowledged.len() + told.unknown.len();
    assert!(lines.len() <= expected);
    let counted: usize = lab
        .object(&format!("log-{caller}n"))
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (told.acknowledged.len()..=expected).contains(&counted),
        "caller {caller}: {counted} counted, {} acknowledged, {} without an answer",
        told.acknowledged.len(),
        told.unknown.len()
    );
}
