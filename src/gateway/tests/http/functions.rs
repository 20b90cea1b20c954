//! Functions of `/v1`, and routes that are not there.

use crate::house::{READER, header, house, problem, wasm};
use serde_json::Value;

#[tokio::test]
async fn a_function_is_uploaded_listed_read_and_forgotten() {
    let house = house().await;
    let module = wasm(READER);
    let path = "/v1/functions/other/f?object=input";
    let put = house
        .request("PUT", path)
        .body(module.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 200);
    let record: Value = put.json().await.unwrap();
    assert_eq!(record["object"], "input");
    assert_eq!(record["writes_objects"], false);
    assert_eq!(record["module"].as_str().unwrap().len(), 64);
    let read: Value = house
        .get("/v1/functions/other/f")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(read, record);
    let listed: Value = house
        .get("/v1/functions?tenant=other")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(listed["functions"], serde_json::json!([record]));
    let all: Value = house.get("/v1/functions").await.json().await.unwrap();
    assert_eq!(all["functions"].as_array().unwrap().len(), 3);
    let original = house.get("/v1/functions/other/f/module").await;
    assert_eq!(header(&original, "content-type"), "application/wasm");
    assert_eq!(original.bytes().await.unwrap(), module);
    let deleted = house
        .request("DELETE", "/v1/functions/other/f")
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(house.get("/v1/functions/other/f").await.status(), 404);
}

#[tokio::test]
async fn a_refused_upload_says_why() {
    let house = house().await;
    for (path, body, status, word) in [
        ("/v1/functions/ndp/f", wasm("(module)"), 400, "_start"),
        (
            "/v1/functions/ndp/f?object=last-word",
            wasm(READER),
            400,
            "last-word",
        ),
        (
            "/v1/functions/ndp/f?objet=input",
            wasm(READER),
            400,
            "objet",
        ),
        ("/v1/functions/.files/f", wasm(READER), 403, ".files"),
        ("/v1/functions/a%20b/f", wasm(READER), 400, "tenant"),
    ] {
        let answer = house.request("PUT", path).body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let problem = problem(answer).await;
        assert!(
            problem["message"].as_str().unwrap().contains(word),
            "{path}: {problem}"
        );
    }
}

#[tokio::test]
async fn a_route_that_is_not_there_says_where_to_look() {
    let house = house().await;
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("POST", "/v1/nowhere", 404),
        ("DELETE", "/nowhere", 404),
        ("POST", "/v1/functions", 405),
        ("DELETE", "/ping", 405),
        ("PATCH", "/v1/objects/a/b", 405),
    ] {
        let answer = house.request(method, path).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        let problem = problem(answer).await;
        assert_eq!(
            problem["kind"],
            if status == 404 { "NotFound" } else { "Invalid" }
        );
        assert!(problem["message"].as_str().unwrap().contains(path));
    }
}
