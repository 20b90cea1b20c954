//! Health, readiness, metrics, nodes.

use crate::house::{header, house};
use crate::stand_in::Will;
use ganglion_types::ErrorKind;
use serde_json::Value;

#[tokio::test]
async fn readiness_names_every_reason() {
    let house = house().await;
    assert_eq!(house.get("/healthz").await.status(), 200);
    let ready = house.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    house.drain.begin();
    for peer in &house.compute {
        *peer.load.lock().unwrap() = None;
    }
    let unready = house.get("/readyz").await;
    assert_eq!(unready.status(), 503);
    let body: Value = unready.json().await.unwrap();
    assert_eq!(
        body["reasons"],
        serde_json::json!(["draining", "no compute node can be reached and takes calls"])
    );
    assert_eq!(
        house.get("/healthz").await.status(),
        200,
        "alive all the same"
    );
}

#[tokio::test]
async fn metrics_count_calls_refusals_and_objects() {
    let house = house().await;
    house.invoke("reader", "?ndp=forbid", "x").await;
    house.all_compute(Will::Return(1, ""));
    house.invoke("reader", "?ndp=forbid", "x").await;
    house.all_compute(Will::Fail(ErrorKind::Busy));
    house.invoke("reader", "?ndp=forbid", "x").await;
    house
        .request("PUT", "/v1/objects/books/a")
        .body("x")
        .send()
        .await
        .unwrap();
    house.get("/v1/objects/books/absent").await;
    let answer = house.get("/metrics").await;
    assert!(header(&answer, "content-type").starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    for line in [
        r#"ganglion_calls_total{site="compute",outcome="ok"} 1"#,
        r#"ganglion_calls_total{site="compute",outcome="nonzero"} 1"#,
        r#"ganglion_calls_total{site="none",outcome="Busy"} 1"#,
        r#"ganglion_refusals_total{site="compute",reason="busy"} 2"#,
        r#"ganglion_call_seconds_count{site="compute"} 2"#,
        r#"ganglion_moved_bytes_total{site="compute"} 14"#,
        r#"ganglion_object_operations_total{operation="put",outcome="ok"} 1"#,
        r#"ganglion_object_operations_total{operation="get",outcome="failed"} 1"#,
        r#"ganglion_uploads_total{outcome="ok"} 2"#,
        r#"ganglion_calls_in_flight 0"#,
        r#"ganglion_node_load{node="storage-1",site="storage",state="permits"} 4"#,
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[tokio::test]
async fn nodes_are_listed_with_their_load() {
    let house = house().await;
    *house.compute[1].load.lock().unwrap() = None;
    let nodes: Value = house.get("/v1/nodes").await.json().await.unwrap();
    let nodes = nodes["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    assert_eq!(
        (&nodes[0]["id"], &nodes[0]["site"]),
        (&"storage-1".into(), &"storage".into())
    );
    assert_eq!(nodes[0]["address"], "storage-1:9000");
    assert_eq!(nodes[0]["load"]["permits"], 4);
    assert!(nodes[2]["load"].is_null());
}
