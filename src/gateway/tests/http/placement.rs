//! Where calls go, and where they go next when a node does not take them.

use crate::house::{House, header, house, house_with, problem};
use crate::stand_in::Will;
use bytes::Bytes;
use ganglion_gateway::GatewaySettings;
use ganglion_store::PutOptions;
use ganglion_types::{ErrorKind, ObjectKey};

/// A house with an object that is worth going to.
async fn house_with_object() -> House {
    let house = house().await;
    let body = Bytes::from(vec![7; 64 << 20]);
    let key = ObjectKey::new("ndp", "large").unwrap();
    house
        .store
        .put(&key, body, PutOptions::default())
        .await
        .unwrap();
    house
}

/// Calls on the large object until storage is chosen of itself.
async fn settle_on_storage(house: &House) {
    for _ in 0..16 {
        let answer = house.invoke("reader", "", "large").await;
        if header(&answer, "ganglion-site") == "storage" {
            return;
        }
    }
    panic!("64 MiB over a link never made storage the better place");
}

#[tokio::test]
async fn a_call_on_a_large_object_goes_to_its_home_and_says_so() {
    let house = house_with_object().await;
    settle_on_storage(&house).await;
    let answer = house.invoke("reader", "", "large").await;
    assert_eq!(header(&answer, "ganglion-node"), "storage-1");
    let reason = header(&answer, "ganglion-reason");
    assert!(reason.contains("ndp/large"), "{reason}");
}

#[tokio::test]
async fn a_call_that_storage_refuses_runs_on_compute_and_says_so() {
    for kind in [ErrorKind::Busy, ErrorKind::Unavailable] {
        let house = house_with_object().await;
        house.storage.will(Will::Fail(kind));
        let mut refused = 0;
        for _ in 0..16 {
            let answer = house.invoke("writer", "", "large").await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header(&answer, "ganglion-site"), "compute");
            refused += usize::from(header(&answer, "ganglion-reason").contains("refused"));
        }
        assert!(
            refused > 0 && refused == house.storage.calls(),
            "{kind}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_compute_node_that_refuses_is_followed_by_the_other() {
    let house = house().await;
    house.compute[0].will(Will::Fail(ErrorKind::Busy));
    for _ in 0..8 {
        let answer = house.invoke("reader", "?ndp=forbid", "x").await;
        assert_eq!(header(&answer, "ganglion-node"), "compute-2");
    }
    assert!(house.compute[0].calls() > 0, "it was asked now and then");
}

#[tokio::test]
async fn when_all_refuse_nothing_ran_and_the_user_may_come_again() {
    let house = house().await;
    house.all_compute(Will::Fail(ErrorKind::Busy));
    house.storage.will(Will::Fail(ErrorKind::Busy));
    let answer = house.invoke("reader", "", "x").await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "retry-after")),
        (429, "1")
    );
    let problem = problem(answer).await;
    assert_eq!(problem["kind"], "Busy");
    assert_eq!(problem["call_id"].as_str().unwrap().len(), 32);
    let text = house
        .post(r#"{"user":"ndp","function":"reader","input_data":"x"}"#)
        .await;
    assert_eq!(
        (text.status().as_u16(), header(&text, "retry-after")),
        (429, "1")
    );
}

#[tokio::test]
async fn forbidden_calls_never_reach_storage_even_when_all_of_compute_refuses() {
    let house = house_with_object().await;
    settle_on_storage(&house).await;
    let before = house.storage.calls();
    house.all_compute(Will::Fail(ErrorKind::Busy));
    assert_eq!(
        house
            .invoke("reader", "?ndp=forbid", "large")
            .await
            .status(),
        429
    );
    house.all_compute(Will::Fail(ErrorKind::Unavailable));
    assert_eq!(
        house
            .invoke("reader", "?ndp=forbid", "large")
            .await
            .status(),
        429
    );
    for peer in &house.compute {
        *peer.load.lock().unwrap() = None;
    }
    assert_eq!(
        house
            .invoke("reader", "?ndp=forbid", "large")
            .await
            .status(),
        503
    );
    let message = r#"{"user":"ndp","function":"reader","input_data":"large","forbid_ndp":true,"is_storage":true}"#;
    assert_eq!(house.post(message).await.status(), 503);
    assert_eq!(house.storage.calls(), before);
}

#[tokio::test]
async fn a_lost_call_runs_again_on_compute_as_the_same_call() {
    let house = house_with_object().await;
    house.storage.will(Will::Fail(ErrorKind::Indeterminate));
    for function in ["reader", "writer"] {
        let before = house.storage.calls();
        let mut again = 0;
        for _ in 0..16 {
            let answer = house.invoke(function, "", "large").await;
            assert_eq!(
                (answer.status().as_u16(), header(&answer, "ganglion-site")),
                (200, "compute")
            );
            let reason = header(&answer, "ganglion-reason");
            if reason.contains("storage-1 gave no answer") {
                again += 1;
                let lost = house.storage.last().id;
                let mut ran = house.compute.iter().filter(|peer| peer.calls() > 0);
                assert!(
                    ran.any(|peer| peer.last().id == lost),
                    "its writes would be another's"
                );
            }
        }
        assert!(again > 0 && again == house.storage.calls() - before);
    }
}

#[tokio::test]
async fn a_call_that_may_have_run_is_never_reported_as_refused() {
    let house = house().await;
    house.compute[0].will(Will::Fail(ErrorKind::Indeterminate));
    house.compute[1].will(Will::Fail(ErrorKind::Busy));
    let mut kinds = Vec::new();
    for _ in 0..8 {
        kinds.push(problem(house.invoke("reader", "?ndp=forbid", "x").await).await["kind"].clone());
    }
    assert!(
        kinds.iter().all(|kind| kind == "Indeterminate"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_call_is_offered_to_no_more_nodes_than_the_limit() {
    let settings = GatewaySettings {
        attempts_max: 1,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    house.all_compute(Will::Fail(ErrorKind::Busy));
    assert_eq!(
        house.invoke("reader", "?ndp=forbid", "x").await.status(),
        429
    );
    assert_eq!(house.compute_calls(), 1);
}

#[tokio::test]
async fn is_storage_goes_to_the_objects_node_and_falls_back() {
    let house = house().await;
    let message = r#"{"user":"ndp","function":"reader","input_data":"small","is_storage":true}"#;
    let answer = house.post(message).await;
    assert_eq!(header(&answer, "ganglion-site"), "storage");
    assert!(header(&answer, "ganglion-reason").contains("is asked for"));
    house.storage.will(Will::Fail(ErrorKind::Busy));
    let answer = house.post(message).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "ganglion-site")),
        (200, "compute")
    );
}

#[tokio::test]
async fn members_can_change_while_the_gateway_serves() {
    let house = house().await;
    house.peers.replace(vec![house.compute[1].clone()]);
    let answer = house.invoke("reader", "", "x").await;
    assert_eq!(header(&answer, "ganglion-node"), "compute-2");
    let nodes: serde_json::Value = house.get("/v1/nodes").await.json().await.unwrap();
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 1);
}
