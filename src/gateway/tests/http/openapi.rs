//! The document of the interface.

use crate::house::house;
use std::path::Path;

/// The golden file shows in review what a change does to the interface.
#[tokio::test]
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where a test asks to be blessed"
)]
async fn the_document_is_the_one_that_was_agreed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = ganglion_gateway::openapi_json();
    if std::env::var("BLESS").is_ok() {
        std::fs::write(&golden, document).unwrap();
    }
    let agreed = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        agreed == document,
        "the interface is not what src/gateway/openapi.json says; if that is meant, run\n    \
         BLESS=1 cargo test --release -p ganglion-gateway openapi\nand commit the file"
    );
    let served = house()
        .await
        .get("/v1/openapi.json")
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(served, document);
}

#[tokio::test]
async fn every_path_of_the_document_is_a_route() {
    let house = house().await;
    let document: serde_json::Value =
        serde_json::from_str(ganglion_gateway::openapi_json()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.replace(['{', '}'], "");
        let answer = house.request("PATCH", &path).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}: a route without PATCH");
    }
}
