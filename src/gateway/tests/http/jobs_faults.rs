//! Jobs whose nodes refuse, are away or fill up, and whose store fails: they go on, within their bounds.

use crate::house::{House, header, house, house_with};
use crate::jobs::{all_keys, begin, ended, eventually, result, run, with_combiner, with_objects};
use crate::stand_in::Will;
use crate::troubled::Troubled;
use ganglion_gateway::{GatewaySettings, JobSettings};
use ganglion_types::{ErrorKind, Load, Peer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Longer than a part or a combiner rests the first times.
const A_WHILE: Duration = Duration::from_millis(1_500);

fn settings(attempts_max: u32, input_bytes_max: u64, jobs: JobSettings) -> GatewaySettings {
    GatewaySettings {
        attempts_max,
        input_bytes_max,
        jobs,
        ..GatewaySettings::default()
    }
}

/// Begins a job; gives where it is.
async fn begun(house: &House, job: Value) -> String {
    let answer = begin(house, job).await;
    assert_eq!(answer.status(), 202);
    header(&answer, "location").to_owned()
}

async fn look(house: &House, location: &str) -> Value {
    house.get(location).await.json().await.unwrap()
}

/// Until outputs have been given to be combined.
async fn until_combined(house: &House) {
    eventually("a combiner is called", async || {
        (house.compute_calls() > 0).then_some(())
    })
    .await;
}

async fn until_repeated(house: &House, location: &str) {
    eventually("a part is placed again", async || {
        let job = look(house, location).await;
        if job["parts"]["repeated"] != 0 {
            return Some(());
        }
        assert_eq!(job["state"], "running", "{job}");
        None
    })
    .await;
}

#[tokio::test]
async fn a_combiner_that_nobody_takes_for_a_while_is_run_when_somebody_does() {
    for kind in [ErrorKind::Busy, ErrorKind::Unavailable] {
        let house = house_with(settings(1, 16 << 20, JobSettings::default()), None).await;
        with_combiner(&house).await;
        with_objects(&house, 20).await;
        house.all_compute(Will::Fail(kind));
        let asked =
            json!({"function": "ndp/combines", "over": "*", "combine": true, "ndp": "prefer"});
        let location = begun(&house, asked).await;
        until_combined(&house).await;
        // Time in which the job would end, if a refusal ended it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(look(&house, &location).await["state"], "running", "{kind}");
        house.all_compute(Will::Return(0, "sum"));
        let job = ended(&house, &location).await;
        assert_eq!(job["state"], "done", "{kind}: {job}");
        assert_eq!(result(&house, &job).await, "sum");
    }
}

#[tokio::test]
async fn a_cluster_without_compute_nodes_combines_on_storage_unless_that_is_forbidden() {
    let house = house().await;
    with_combiner(&house).await;
    with_objects(&house, 20).await;
    house
        .peers
        .replace(vec![house.storage.clone() as Arc<dyn Peer>]);
    let mut asked = json!({"function": "ndp/combines", "over": "*", "combine": true});
    let job = run(&house, asked.clone()).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(&house, &job).await.len(), all_keys(20).len());
    asked["ndp"] = "forbid".into();
    assert_eq!(begin(&house, asked).await.status(), 503);
}

#[tokio::test]
async fn outputs_wait_at_their_nodes_while_as_many_as_fit_twice_wait_for_a_combiner() {
    let house = house_with(settings(4, 2_000, JobSettings::default()), None).await;
    with_combiner(&house).await;
    with_objects(&house, 3_000).await;
    house.all_compute(Will::Hang);
    let asked = json!({"function": "ndp/combines", "over": "*", "combine": true, "ndp": "prefer"});
    let location = begun(&house, asked).await;
    until_combined(&house).await;
    // Time in which more batches would come, if they were sent.
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Batches of 64 keys of six bytes: one group being combined, two that wait, and two batches under way.
    let batches = house.storage.batches();
    assert!(batches <= 3 * 2_000 / (64 * 6) + 3, "{batches} batches");
    assert_eq!(look(&house, &location).await["state"], "running");
}

#[tokio::test]
async fn outputs_of_which_no_two_can_be_combined_end_the_job_at_the_limit_of_the_result() {
    let jobs = JobSettings {
        result_bytes_max: 10_000,
        ..JobSettings::default()
    };
    let house = house_with(settings(4, 1_800, jobs), None).await;
    with_combiner(&house).await;
    with_objects(&house, 8_000).await;
    // Calls give back what they get: combined outputs are as long as those that they are made of.
    let asked = json!({"function": "ndp/combines", "over": "*", "combine": true});
    let job = run(&house, asked).await;
    let message = job["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("limits.input") && message.contains("jobs.result"),
        "{message}"
    );
    let came = job["bytes"]["outputs"].as_u64().unwrap();
    assert!(came < 20_000, "{came} of 48000 bytes came");
}

#[tokio::test]
async fn a_job_that_everybody_refuses_takes_in_few_keys() {
    let house = house().await;
    with_objects(&house, 8_000).await;
    house.all_compute(Will::Fail(ErrorKind::Busy));
    house.storage.will(Will::Fail(ErrorKind::Busy));
    let location = begun(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    tokio::time::sleep(A_WHILE).await;
    let nodes = house.compute.iter().chain([&house.storage]);
    let seen = nodes.map(|node| node.parts()).max().unwrap();
    // A page more than twice two batches for each of three nodes, and those on their way.
    assert!((64..2_500).contains(&seen), "{seen} parts were tried");
    house.all_compute(Will::Echo);
    house.storage.will(Will::Echo);
    let job = ended(&house, &location).await;
    assert_eq!(result(&house, &job).await, all_keys(8_000));
}

#[tokio::test]
async fn time_that_all_nodes_are_away_is_no_attempt() {
    let house = house_with(settings(1, 16 << 20, JobSettings::default()), None).await;
    with_objects(&house, 20).await;
    let nodes = || house.compute.iter().chain([&house.storage]);
    for node in nodes() {
        *node.load.lock().unwrap() = None;
    }
    let location = begun(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    until_repeated(&house, &location).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(look(&house, &location).await["state"], "running");
    for node in nodes() {
        *node.load.lock().unwrap() = Some(Load {
            permits: 4,
            ..Load::default()
        });
    }
    let job = ended(&house, &location).await;
    assert_eq!(result(&house, &job).await, all_keys(20), "{job}");
}

#[tokio::test]
async fn a_part_that_its_store_failed_is_run_again_a_few_times() {
    let house = house().await;
    with_objects(&house, 20).await;
    house.all_compute(Will::StoreFails);
    house.storage.will(Will::StoreFails);
    let asked = json!({"function": "ndp/reader", "over": "*"});
    let location = begun(&house, asked.clone()).await;
    until_repeated(&house, &location).await;
    house.all_compute(Will::Echo);
    house.storage.will(Will::Echo);
    let job = ended(&house, &location).await;
    assert_eq!(result(&house, &job).await, all_keys(20), "{job}");
    house.all_compute(Will::StoreFails);
    house.storage.will(Will::StoreFails);
    let job = run(&house, asked).await;
    let message = job["error"]["message"].as_str().unwrap();
    assert_eq!(job["error"]["kind"], "Guest");
    assert!(message.contains("returned 1"), "{message}");
}

#[tokio::test]
async fn a_combiner_runs_with_the_limits_of_its_own_function() {
    let house = house().await;
    with_combiner(&house).await;
    with_objects(&house, 20).await;
    let asked = json!({"function": "ndp/reader", "over": "*", "combine": "combines", "deadline": "2s", "ndp": "prefer"});
    assert_eq!(run(&house, asked).await["state"], "done");
    let part = house.storage.last();
    assert_eq!(part.limits.wall, Duration::from_secs(2));
    let combining = house
        .compute
        .iter()
        .flat_map(|node| node.seen.lock().unwrap().clone());
    let combining = combining.last().unwrap();
    assert_eq!(combining.limits, GatewaySettings::default().call_limits);
}

#[tokio::test]
async fn a_job_lists_its_keys_once_and_asks_again_for_a_page_that_failed() {
    let store = Troubled::new();
    let house = house_with(GatewaySettings::default(), Some(store.clone())).await;
    with_objects(&house, 2_500).await;
    *store.listing.lock().unwrap() = vec![ErrorKind::Deadline, ErrorKind::Indeterminate];
    let job = run(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    assert_eq!(result(&house, &job).await, all_keys(2_500), "{job}");
    assert_eq!(store.listed(), 3);
    assert_eq!(job["objects"]["total"], 2_500);
    *store.listing.lock().unwrap() = vec![ErrorKind::Unavailable; 4];
    let job = run(&house, json!({"function": "ndp/reader", "over": "*"})).await;
    assert_eq!(job["error"]["kind"], "Unavailable", "{job}");
}

#[tokio::test]
async fn a_result_that_the_store_does_not_take_at_once_is_written_later() {
    let store = Troubled::new();
    let house = house_with(GatewaySettings::default(), Some(store.clone())).await;
    with_objects(&house, 3).await;
    let asked = json!({"function": "ndp/reader", "over": "k*", "to": "all"});
    *store.putting.lock().unwrap() = vec![ErrorKind::Busy, ErrorKind::Indeterminate];
    let job = run(&house, asked.clone()).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(result(&house, &job).await, all_keys(3));
    *store.putting.lock().unwrap() = vec![ErrorKind::Denied];
    assert_eq!(run(&house, asked).await["error"]["kind"], "Denied");
}

#[tokio::test]
async fn a_batch_whose_combiner_failed_is_no_refusal() {
    let house = house().await;
    with_objects(&house, 3).await;
    house.storage.will(Will::Fail(ErrorKind::Guest));
    let asked = json!({"function": "ndp/reader", "over": "*", "ndp": "prefer"});
    assert_eq!(run(&house, asked).await["error"]["kind"], "Guest");
    let metrics = house.get("/metrics").await.text().await.unwrap();
    let lost = r#"ganglion_refusals_total{site="storage",reason="indeterminate"} 0"#;
    assert!(metrics.contains(lost), "{metrics}");
}

#[tokio::test]
async fn a_node_has_no_more_parts_that_can_write_than_an_object_remembers() {
    for (function, parts) in [("ndp/reader", 128), ("ndp/writer", 64)] {
        let house = house().await;
        with_objects(&house, 300).await;
        house.storage.will(Will::Hang);
        let asked = json!({"function": function, "over": "*", "ndp": "prefer"});
        begun(&house, asked).await;
        eventually("two batches are there", async || {
            (house.storage.batches() >= 2).then_some(())
        })
        .await;
        assert_eq!(house.storage.parts(), parts, "{function}");
    }
}
