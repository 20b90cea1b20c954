//! Jobs over HTTP, on nodes that do as they are told.

use crate::house::{House, header, house, house_with, problem, wasm};
use crate::stand_in::Will;
use bytes::Bytes;
use ganglion_gateway::{GatewaySettings, JobSettings};
use ganglion_store::PutOptions;
use ganglion_types::{Entry, ErrorKind, ObjectKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) async fn with_objects(house: &House, count: usize) {
    for number in 0..count {
        let key = ObjectKey::new("ndp", format!("k{number:05}")).unwrap();
        let put = house
            .store
            .put(&key, Bytes::from_static(b"object"), PutOptions::default());
        put.await.unwrap();
    }
}

pub(crate) async fn begin(house: &House, job: Value) -> reqwest::Response {
    house
        .request("POST", "/v1/jobs")
        .json(&job)
        .send()
        .await
        .unwrap()
}

/// Begins a job and waits for its end.
pub(crate) async fn run(house: &House, job: Value) -> Value {
    let answer = begin(house, job).await;
    assert_eq!(answer.status(), 202);
    let location = header(&answer, "location").to_owned();
    ended(house, &location).await
}

pub(crate) async fn ended(house: &House, location: &str) -> Value {
    eventually("the job ends", async || {
        let job: Value = house.get(location).await.json().await.unwrap();
        (job["state"] != "running").then_some(job)
    })
    .await
}

/// Looks every few milliseconds until there is something, for half a minute.
///
/// # Panics
/// With `what` then.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), looking).await;
    found.unwrap_or_else(|_| panic!("half a minute has gone by, and still not: {what}"))
}

pub(crate) async fn result(house: &House, job: &Value) -> Bytes {
    let path = format!("/v1/jobs/{}/result", job["id"].as_str().unwrap());
    let answer = house.get(&path).await;
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap()
}

/// What a job whose function sets its input as output comes to.
pub(crate) fn all_keys(count: usize) -> String {
    (0..count).map(|number| format!("k{number:05}")).collect()
}

/// How often each call was seen, by its id, at all nodes.
pub(crate) fn seen(house: &House) -> BTreeMap<String, Vec<String>> {
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for node in house.compute.iter().chain([&house.storage]) {
        for call in node.seen.lock().unwrap().iter() {
            let input = String::from_utf8(call.input.to_vec()).unwrap();
            seen.entry(call.id.to_string()).or_default().push(input);
        }
    }
    seen
}

/// With a combiner that does not combine on the nodes: the gateway has it all to do.
const COMBINES: &str = r#"(module (memory (export "memory") 1) (func (export "_start"))
    (func (export "ganglion_combine") (result i32) (i32.const 0)))"#;

pub(crate) async fn with_combiner(house: &House) {
    let path = "/v1/functions/ndp/combines";
    let answer = house
        .request("PUT", path)
        .body(wasm(COMBINES))
        .send()
        .await
        .unwrap();
    let function: Value = answer.json().await.unwrap();
    assert_eq!(function["combines"], true);
}

#[tokio::test]
async fn each_object_is_one_call_and_outputs_stand_in_the_order_of_the_keys() {
    let house = house().await;
    with_objects(&house, 1_300).await;
    let job = run(&house, json!({"function": "ndp/reader", "over": "k*"})).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(&house, &job).await, all_keys(1_300));
    let seen = seen(&house);
    assert_eq!(seen.len(), 1_300, "ids of their own");
    assert!(seen.values().all(|inputs| inputs.len() == 1));
    assert_eq!(
        job["objects"],
        json!({"total": 1_300, "done": 1_300, "failed": 0})
    );
    assert_eq!(job["bytes"]["done"], 1_300 * 6);
    assert!(
        house.storage.calls() > 0 && house.compute_calls() > 0,
        "{job}"
    );
    let listed: Value = house.get("/v1/jobs").await.json().await.unwrap();
    assert_eq!(listed["jobs"][0]["id"], job["id"]);
}

#[tokio::test]
async fn a_job_over_nothing_has_an_empty_result() {
    let house = house().await;
    let job = run(&house, json!({"function": "ndp/reader", "over": "none*"})).await;
    assert_eq!(
        (&job["state"], &job["objects"]["total"]),
        (&json!("done"), &json!(0))
    );
    assert_eq!(result(&house, &job).await, "");
}

#[tokio::test]
async fn outputs_that_the_nodes_left_are_combined_in_groups_that_fit_the_input() {
    let settings = GatewaySettings {
        input_bytes_max: 2_000,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    with_combiner(&house).await;
    with_objects(&house, 2_500).await;
    // Each call sets this, the combiner's as well.
    house.all_compute(Will::Return(0, "sum"));
    house.storage.will(Will::Return(0, "sum"));
    let asked = json!({"function": "ndp/combines", "over": "k*", "combine": true});
    let job = run(&house, asked).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(&house, &job).await, "sum");
    assert_eq!(job["bytes"]["outputs"], 2_500 * 3);
    let calls = house
        .compute
        .iter()
        .flat_map(|node| node.seen.lock().unwrap().clone());
    let combining: Vec<_> = calls.filter(|call| call.object.is_none()).collect();
    assert!(combining.len() > 3, "{}", combining.len());
    assert!(combining.iter().all(|call| call.input.len() <= 2_000));
    assert!(combining.iter().all(|call| call.entry == Entry::Combine));
}

#[tokio::test]
async fn outputs_of_which_no_two_can_be_combined_end_the_job_with_the_limit() {
    let settings = GatewaySettings {
        input_bytes_max: 2_000,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    with_combiner(&house).await;
    with_objects(&house, 700).await;
    let job = run(
        &house,
        json!({"function": "ndp/combines", "over": "k*", "combine": true}),
    )
    .await;
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("limits.input"), "{message}");
}

#[tokio::test]
async fn nothing_goes_to_storage_when_that_is_forbidden() {
    let house = house().await;
    with_combiner(&house).await;
    with_objects(&house, 200).await;
    for combine in [false, true] {
        let asked =
            json!({"function": "ndp/combines", "over": "*", "ndp": "forbid", "combine": combine});
        assert_eq!(run(&house, asked).await["state"], "done");
    }
    assert_eq!((house.storage.calls(), house.storage.batches()), (0, 0));
}

#[tokio::test]
async fn parts_that_a_node_refuses_run_elsewhere() {
    for kind in [ErrorKind::Busy, ErrorKind::Unavailable] {
        let house = house().await;
        with_objects(&house, 100).await;
        house.storage.will(Will::Fail(kind));
        let asked = json!({"function": "ndp/reader", "over": "*", "ndp": "prefer"});
        let job = run(&house, asked).await;
        assert_eq!(job["state"], "done", "{kind}: {job}");
        assert_eq!(result(&house, &job).await, all_keys(100));
        assert_eq!(job["parts"]["compute"], 100, "{kind}");
        assert!(job["parts"]["repeated"].as_u64().unwrap() >= 100, "{kind}");
    }
}

#[tokio::test]
async fn parts_whose_answer_is_lost_run_again_on_compute_as_the_same_calls() {
    let house = house().await;
    with_objects(&house, 100).await;
    house.storage.will(Will::Lose);
    let job = run(
        &house,
        json!({"function": "ndp/reader", "over": "*", "ndp": "prefer"}),
    )
    .await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(&house, &job).await, all_keys(100));
    let seen = seen(&house);
    assert_eq!(seen.len(), 100, "the same calls");
    let twice = seen
        .values()
        .filter(|inputs| inputs.len() == 2 && inputs[0] == inputs[1]);
    assert_eq!(twice.count(), 100);
}

#[tokio::test]
async fn a_part_that_may_have_run_on_storage_is_not_run_there_again() {
    let settings = GatewaySettings {
        attempts_max: 3,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    with_objects(&house, 10).await;
    house.storage.will(Will::Lose);
    house.all_compute(Will::Fail(ErrorKind::Unavailable));
    let asked = json!({"function": "ndp/reader", "over": "*", "ndp": "prefer"});
    let job = run(&house, asked).await;
    assert_eq!(job["error"]["kind"], "Indeterminate", "{job}");
    let seen = seen(&house);
    assert!(!seen.is_empty() && seen.values().all(|inputs| inputs.len() == 1));
}

#[tokio::test]
async fn parts_that_nobody_takes_end_the_job_after_so_many_attempts() {
    let settings = GatewaySettings {
        attempts_max: 2,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    with_objects(&house, 10).await;
    house.all_compute(Will::Fail(ErrorKind::Unavailable));
    let asked = json!({"function": "ndp/reader", "over": "*", "ndp": "forbid"});
    let job = run(&house, asked).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["error"]["kind"], "Unavailable");
    assert!(
        job["error"]["message"].as_str().unwrap().contains("ndp/k0"),
        "{job}"
    );
}

#[tokio::test]
async fn a_failing_call_ends_the_job_and_names_its_object_unless_told_to_keep_going() {
    let house = house().await;
    with_objects(&house, 5).await;
    house.all_compute(Will::Return(3, "the reason"));
    let asked = json!({"function": "ndp/reader", "over": "*", "ndp": "forbid"});
    let job = run(&house, asked.clone()).await;
    let message = job["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("ndp/k0000") && message.ends_with("returned 3: the reason"),
        "{message}"
    );
    let answer = house
        .get(&format!("/v1/jobs/{}/result", job["id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (answer.status().as_u16(), &problem(answer).await["kind"]),
        (500, &json!("Guest"))
    );
    let mut asked = asked;
    asked["keep_going"] = true.into();
    let job = run(&house, asked).await;
    assert_eq!(
        (&job["state"], &job["objects"]["failed"]),
        (&json!("done"), &json!(5))
    );
    assert_eq!(job["failures"].as_array().unwrap().len(), 5);
    assert_eq!(result(&house, &job).await, "");
}

#[tokio::test]
async fn a_job_holds_few_objects_at_once_and_cancelling_drops_them() {
    let house = house().await;
    with_objects(&house, 3_000).await;
    house.all_compute(Will::Hang);
    house.storage.will(Will::Hang);
    let answer = begin(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    let location = header(&answer, "location").to_owned();
    let batches = || {
        house.storage.batches()
            + house
                .compute
                .iter()
                .map(|node| node.batches())
                .sum::<usize>()
    };
    eventually(
        "two batches are at each node, and all keys known",
        async || {
            let job: Value = house.get(&location).await.json().await.unwrap();
            (batches() >= 6 && job["objects"]["total"] == 3_000).then_some(())
        },
    )
    .await;
    // Time in which a third batch would come, if one were sent.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(batches(), 6, "two at each node");
    let result = house.get(&format!("{location}/result")).await;
    assert_eq!(result.status(), 409);
    let metrics = house.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("ganglion_jobs_running 1"), "{metrics}");
    assert_eq!(
        house
            .request("DELETE", &location)
            .send()
            .await
            .unwrap()
            .status(),
        202
    );
    assert_eq!(ended(&house, &location).await["state"], "cancelled");
    eventually("no node has any of it", async || {
        let mut nodes = house.compute.iter().chain([&house.storage]);
        nodes.all(|node| node.hanging() == 0).then_some(())
    })
    .await;
    assert_eq!(house.get(&format!("{location}/result")).await.status(), 409);
    assert_eq!(
        house
            .request("DELETE", &location)
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(house.get(&location).await.status(), 404);
}

#[tokio::test]
async fn a_result_can_become_an_object() {
    let house = house().await;
    with_objects(&house, 3).await;
    let job = run(
        &house,
        json!({"function": "ndp/reader", "over": "k*", "to": "results/keys"}),
    )
    .await;
    assert_eq!(
        (&job["state"], &job["to"]),
        (&json!("done"), &json!("ndp/results/keys"))
    );
    let stored = house
        .get("/v1/objects/ndp/results/keys")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(stored, all_keys(3));
    assert_eq!(result(&house, &job).await, stored);
}

#[tokio::test]
async fn what_is_no_job_is_refused_and_says_why() {
    let house = house().await;
    with_combiner(&house).await;
    for (job, status, said) in [
        (json!({"function": "ndp/reader"}), 400, "over"),
        (
            json!({"function": "reader", "over": "*"}),
            400,
            "TENANT/FUNCTION",
        ),
        (
            json!({"function": "ndp/reader", "over": "["}),
            400,
            "pattern",
        ),
        (
            json!({"function": "ndp/reader", "over": ""}),
            400,
            "pattern",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "npd": "forbid"}),
            400,
            "npd",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "ndp": "never"}),
            400,
            "never",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "deadline": "2h"}),
            400,
            "2h",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "deadline": "100m"}),
            400,
            "limits.call_time",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "combine": true}),
            400,
            "ganglion_combine",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "combine": "writer"}),
            400,
            "write",
        ),
        (
            json!({"function": "ndp/reader", "over": "*", "combine": "absent"}),
            404,
            "ndp/absent",
        ),
        (
            json!({"function": "ndp/absent", "over": "*"}),
            404,
            "ndp/absent",
        ),
    ] {
        let answer = begin(&house, job.clone()).await;
        assert_eq!(answer.status(), status, "{job}");
        let message = problem(answer).await["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(said), "{job}: {message}");
    }
    for id in ["xyz", "00000000000000000000000000000001"] {
        let answer = house.get(&format!("/v1/jobs/{id}")).await;
        assert!(answer.status().is_client_error(), "{id}");
    }
}

#[tokio::test]
async fn every_limit_of_jobs_is_named_when_it_is_met() {
    let settings = GatewaySettings {
        jobs: JobSettings {
            running_max: 1,
            objects_max: 10,
            result_bytes_max: 20,
            kept_max: 1,
            time: Duration::from_millis(300),
            ..JobSettings::default()
        },
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    with_objects(&house, 11).await;
    let failed = async |over: &str| {
        let job = run(&house, json!({"function": "ndp/reader", "over": over})).await;
        assert_eq!(job["state"], "failed", "{over}");
        job["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(failed("*").await.contains("jobs.objects"));
    assert!(failed("k0000[0-5]").await.contains("jobs.result"));
    house.all_compute(Will::Hang);
    house.storage.will(Will::Hang);
    let first = begin(&house, json!({"function": "ndp/reader", "over": "k00000"})).await;
    let second = begin(&house, json!({"function": "ndp/reader", "over": "k00000"})).await;
    assert_eq!(second.status(), 429);
    assert!(
        problem(second).await["message"]
            .as_str()
            .unwrap()
            .contains("jobs.running")
    );
    let job = ended(&house, header(&first, "location")).await;
    assert_eq!(job["error"]["kind"], "Deadline");
    assert!(
        job["error"]["message"]
            .as_str()
            .unwrap()
            .contains("jobs.time")
    );
    let listed: Value = house.get("/v1/jobs").await.json().await.unwrap();
    assert_eq!(
        listed["jobs"].as_array().unwrap().len(),
        1,
        "only the last is kept"
    );
}

#[tokio::test]
async fn no_job_begins_while_the_node_is_draining_and_those_that_run_end() {
    let house = house().await;
    with_objects(&house, 2).await;
    house.all_compute(Will::Wait);
    house.storage.will(Will::Wait);
    let first = begin(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    house.drain.begin();
    let second = begin(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    assert_eq!(second.status(), 503);
    for node in house.compute.iter().chain([&house.storage]) {
        node.gate.add_permits(9);
    }
    house.gateway.calls_done().await;
    let job = ended(&house, header(&first, "location")).await;
    assert_eq!(job["state"], "done");
}
