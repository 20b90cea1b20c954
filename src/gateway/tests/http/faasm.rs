//! Faasm's dialect.

use crate::house::{READER, header, house, house_with, wasm};
use crate::stand_in::Will;
use ganglion_gateway::GatewaySettings;
use ganglion_types::ErrorKind;

#[tokio::test]
async fn a_message_is_a_call_on_any_path() {
    let house = house().await;
    let message =
        r#"{"user":"ndp","function":"reader","input_data":"a \"b\"","cmdline":"x  y","sgx":1}"#;
    for path in ["/f/", "/f", "/", "/anything/at/all", "/f/ndp/reader"] {
        let answer = house
            .request("POST", path)
            .body(message)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "content-type"), "text/plain");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        assert!(!header(&answer, "ganglion-reason").is_empty());
        assert_eq!(answer.text().await.unwrap(), "a \"b\"");
    }
}

#[tokio::test]
async fn what_is_no_call_is_refused_in_faasms_words() {
    let house = house().await;
    for (message, status, text) in [
        ("", 400, "Empty request"),
        ("{", 400, "the body is no JSON message"),
        (r#"{"user":7}"#, 400, "the body is no JSON message"),
        (r#"{"function":"f"}"#, 400, "Empty user"),
        (r#"{"user":"ndp"}"#, 400, "Empty function"),
        (
            r#"{"user":"ndp","function":"absent"}"#,
            500,
            "no function ndp/absent",
        ),
        (r#"{"user":"a/b","function":"f"}"#, 400, "the tenant `a/b`"),
        (
            r#"{"user":"ndp","function":"f","python":true}"#,
            400,
            "python is not offered",
        ),
        (
            r#"{"user":"ndp","function":"f","mpi":true}"#,
            400,
            "mpi is not offered",
        ),
        (
            r#"{"exec_graph":true,"id":1}"#,
            400,
            "exec_graph is not offered",
        ),
        (r#"{"type":1}"#, 400, "message type 1 is not offered"),
        (r#"{"type":3}"#, 200, "Flush sent"),
        (
            r#"{"status":true,"id":1}"#,
            500,
            "FAILED: no asynchronous call 1",
        ),
    ] {
        let answer = house.post(message).await;
        assert_eq!(answer.status(), status, "{message}");
        let said = answer.text().await.unwrap();
        assert!(said.starts_with(text), "{message}: {said}");
    }
}

#[tokio::test]
async fn a_guests_return_value_decides_the_status() {
    let house = house().await;
    let message = r#"{"user":"ndp","function":"reader","forbid_ndp":true}"#;
    for (will, status, text) in [
        (Will::Return(0, ""), 200, ""),
        (Will::Return(0, "out"), 200, "out"),
        (Will::Return(4, ""), 500, "Call failed (return value=4)"),
        (Will::Return(4, "why"), 500, "why"),
    ] {
        house.all_compute(will);
        let answer = house.post(message).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.text().await.unwrap(), text);
    }
    house.all_compute(Will::Trap);
    let answer = house.post(message).await;
    let id = header(&answer, "ganglion-call-id").to_owned();
    assert_eq!(answer.status(), 500);
    let text = answer.text().await.unwrap();
    assert_eq!(
        text,
        format!("Task {id} threw exception. What: wasm trap: integer divide by zero")
    );
}

#[tokio::test]
async fn an_asynchronous_call_is_asked_for_until_it_is_done_and_again() {
    let house = house().await;
    house.all_compute(Will::Wait);
    let message =
        r#"{"user":"ndp","function":"reader","input_data":"hi","async":true,"forbid_ndp":true}"#;
    let begun = house.post(message).await;
    assert_eq!(begun.status(), 200);
    let id = begun.text().await.unwrap();
    assert!(id.parse::<i32>().unwrap() > 0);
    let status = format!(r#"{{"user":"ndp","function":"reader","status":true,"id":{id}}}"#);
    assert_eq!(house.post(&status).await.text().await.unwrap(), "RUNNING");
    for peer in &house.compute {
        peer.gate.add_permits(1);
    }
    house.gateway.calls_done().await;
    for _ in 0..2 {
        let done = house.post(&status).await;
        assert_eq!(done.status(), 200);
        let json: serde_json::Value = done.json().await.unwrap();
        assert_eq!(
            (&json["output_data"], &json["return_value"]),
            (&"hi".into(), &0.into())
        );
        assert_eq!(
            (&json["user"], &json["function"]),
            (&"ndp".into(), &"reader".into())
        );
        assert_eq!(json["id"].to_string(), id);
    }
}

#[tokio::test]
async fn an_asynchronous_call_that_failed_says_how() {
    let house = house().await;
    let message = r#"{"user":"ndp","function":"reader","async":true,"forbid_ndp":true}"#;
    for (will, text) in [
        (Will::Return(2, "bad"), "FAILED: bad"),
        (Will::Return(2, ""), "FAILED: Call failed (return value=2)"),
        (
            Will::Fail(ErrorKind::Busy),
            "FAILED: no compute node can take the call",
        ),
    ] {
        house.all_compute(will);
        let id = house.post(message).await.text().await.unwrap();
        let status = format!(r#"{{"status":true,"id":{id}}}"#);
        let said = loop {
            let answer = house.post(&status).await;
            let code = answer.status();
            let said = answer.text().await.unwrap();
            if said != "RUNNING" {
                assert_eq!(code, 500);
                break said;
            }
            tokio::task::yield_now().await;
        };
        assert!(said.starts_with(text), "{said}");
    }
}

#[tokio::test]
async fn asynchronous_calls_and_their_results_are_bounded() {
    let settings = GatewaySettings {
        async_running_max: 2,
        async_results_max: 1,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    house.all_compute(Will::Wait);
    let message = r#"{"user":"ndp","function":"reader","async":true,"forbid_ndp":true}"#;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(house.post(message).await.text().await.unwrap());
    }
    let refused = house.post(message).await;
    assert_eq!(refused.status(), 429);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("limits.async_running")
    );
    for peer in &house.compute {
        peer.gate.add_permits(2);
    }
    house.gateway.calls_done().await;
    let mut kept = 0;
    for id in ids {
        let answer = house.post(&format!(r#"{{"status":true,"id":{id}}}"#)).await;
        kept += usize::from(answer.status() == 200);
    }
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn functions_are_uploaded_and_read_back() {
    let house = house().await;
    let module = wasm(READER);
    let put = house.request("PUT", "/f/ndp/mine").body(module.clone());
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "Function upload complete\n");
    assert_eq!(
        house.get("/f/ndp/mine").await.bytes().await.unwrap(),
        module
    );
    assert_eq!(house.get("/f/ndp/absent").await.status(), 404);
    let bad = house
        .request("PUT", "/f/ndp/bad")
        .body("not wasm")
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), 400);
    assert!(bad.text().await.unwrap().starts_with("ndp/bad: "));
    let dotted = house
        .request("PUT", "/f/.state/f")
        .body(module)
        .send()
        .await
        .unwrap();
    assert_eq!(dotted.status(), 403);
    let python = house
        .request("PUT", "/p/ndp/f")
        .body("print()")
        .send()
        .await
        .unwrap();
    assert_eq!(python.status(), 501);
}

#[tokio::test]
async fn state_and_files_are_kept_and_missing_ones_answer_as_faasm_does() {
    let house = house().await;
    let put = house
        .request("PUT", "/s/ndp/counter")
        .body("41")
        .send()
        .await
        .unwrap();
    assert_eq!(put.text().await.unwrap(), "State upload complete\n");
    assert_eq!(
        house.get("/s/ndp/counter").await.text().await.unwrap(),
        "41"
    );
    let missing = house.get("/s/ndp/absent").await;
    assert_eq!(missing.status(), 500);
    assert_eq!(missing.text().await.unwrap(), "Empty response");

    let file = |method: &str, path: &str| house.request(method, "/file").header("FilePath", path);
    let put = file("PUT", "/lib/a.so").body("bytes").send().await.unwrap();
    assert_eq!(put.status(), 200);
    for (path, status, text) in [
        ("lib/a.so", 200, "bytes"),
        ("/lib/a.so", 200, "bytes"),
        ("lib", 200, "IS_DIR"),
        ("lib/b.so", 500, "Empty response"),
    ] {
        let answer = file("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.text().await.unwrap(), text, "{path}");
    }
    assert_eq!(house.get("/file").await.status(), 400);
    let buckets: serde_json::Value = house.get("/v1/buckets").await.json().await.unwrap();
    assert_eq!(
        buckets["buckets"],
        serde_json::json!([]),
        "records of Ganglion are not shown"
    );
}

#[tokio::test]
async fn a_browser_may_call_faasms_routes_and_not_ours() {
    let house = house().await;
    assert_eq!(house.get("/ping").await.text().await.unwrap(), "PONG");
    for path in ["/f/", "/s/a/b", "/ping", "/no/route"] {
        let answer = house.request("OPTIONS", path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        assert!(header(&answer, "access-control-allow-methods").contains("PUT"));
        assert!(header(&answer, "access-control-allow-headers").contains("FilePath"));
    }
    let ours = house
        .request("OPTIONS", "/v1/functions")
        .send()
        .await
        .unwrap();
    assert_eq!(ours.status(), 405);
    assert!(!ours.headers().contains_key("access-control-allow-origin"));
}
