//! Calls of `/v1`, and what both dialects share.

use crate::house::{header, house, house_with, problem};
use crate::stand_in::Will;
use ganglion_gateway::GatewaySettings;
use ganglion_types::{ErrorKind, Ndp};
use std::time::Duration;

#[tokio::test]
async fn a_call_answers_with_its_output_and_explains_itself() {
    let house = house().await;
    let answer = house
        .invoke("reader", "?arg=a&arg=b&deadline=2s", "hello")
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
    assert_eq!(header(&answer, "ganglion-call-id").len(), 32);
    assert_eq!(header(&answer, "ganglion-moved-bytes"), "7");
    assert_eq!(header(&answer, "ganglion-run-us"), "42");
    assert_eq!(header(&answer, "ganglion-wait-us"), "3");
    assert_eq!(header(&answer, "ganglion-exit-code"), "0");
    assert_eq!(header(&answer, "ganglion-start"), "restored");
    assert!(
        header(&answer, "ganglion-predicted-us")
            .parse::<u64>()
            .unwrap()
            > 0
    );
    let node = header(&answer, "ganglion-node");
    assert!(header(&answer, "ganglion-reason").starts_with(node));
    assert!(node.starts_with(header(&answer, "ganglion-site")));
    let seen = [&house.storage, &house.compute[0], &house.compute[1]];
    let seen = seen
        .into_iter()
        .find(|peer| peer.calls() == 1)
        .unwrap()
        .last();
    assert_eq!(seen.args, ["a", "b"]);
    assert_eq!(seen.object.unwrap().to_string(), "ndp/hello");
    assert_eq!(answer.bytes().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_guest_that_sets_no_output_answers_with_what_it_printed() {
    let house = house().await;
    house.all_compute(Will::Print);
    let answer = house.invoke("reader", "?ndp=forbid", "").await;
    assert_eq!(answer.text().await.unwrap(), "printed");
}

#[tokio::test]
async fn a_failed_guest_is_a_problem_that_shows_what_it_left() {
    let house = house().await;
    house.all_compute(Will::Return(3, "FAILED - no such word"));
    let answer = house.invoke("reader", "?ndp=forbid", "x").await;
    assert_eq!(
        (
            answer.status().as_u16(),
            header(&answer, "ganglion-exit-code")
        ),
        (500, "3")
    );
    let problem_of = problem(answer).await;
    assert_eq!(problem_of["kind"], "Guest");
    assert_eq!(problem_of["exit_code"], 3);
    assert_eq!(problem_of["output"], "FAILED - no such word");
    assert_eq!(problem_of["stdout"], "printed");
    assert_eq!(problem_of["stderr"], "a warning");

    house.all_compute(Will::Trap);
    let trapped = problem(house.invoke("reader", "?ndp=forbid", "x").await).await;
    assert_eq!(trapped["message"], "wasm trap: integer divide by zero");
    assert!(trapped["exit_code"].is_null() && trapped["output"].is_null());

    house.all_compute(Will::OutOfTime);
    assert_eq!(
        house.invoke("reader", "?ndp=forbid", "x").await.status(),
        504
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said() {
    let house = house().await;
    for (name, query, status, word) in [
        ("absent", "", 404, "no function ndp/absent"),
        ("reader", "?ndp=no", 400, "allow, prefer or forbid"),
        ("reader", "?npd=forbid", 400, "npd"),
        ("reader", "?deadline=1x", 400, "1x"),
        ("reader", "?deadline=10m", 400, "limits.call_time"),
        ("reader", "?object=.state/a", 403, ".state"),
        ("a%20b", "", 400, "function name"),
        ("%ff", "", 400, "path"),
    ] {
        let answer = house.invoke(name, query, "x").await;
        assert_eq!(answer.status(), status, "{name}{query}");
        let problem = problem(answer).await;
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains(word), "{name}{query}: {message}");
    }
    assert_eq!(house.compute_calls() + house.storage.calls(), 0);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_unread_or_where_it_passes_it() {
    let settings = GatewaySettings {
        input_bytes_max: 1_000,
        module_bytes_max: 2_000,
        object_bytes_max: 3_000,
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    for (request, setting) in [
        ("POST /f/", "limits.input"),
        ("POST /v1/functions/ndp/reader/invoke", "limits.input"),
        ("PUT /f/ndp/big", "limits.module"),
        ("PUT /v1/functions/ndp/big", "limits.module"),
        ("PUT /v1/objects/books/big", "limits.object"),
        ("PUT /s/ndp/big", "limits.object"),
    ] {
        // Of the gigabyte that it announces not a byte is sent: the answer cannot have waited for it.
        let head = format!("{request} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n");
        let announced = format!("{head}content-length: 1073741824\r\n\r\n");
        let answer = house.raw(announced.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{request}: {answer}");
        assert!(answer.contains(setting), "{request}: {answer}");
        // The last chunk never comes: the answer comes where the limit is passed.
        let chunk = "x".repeat(0xc00);
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\nc00\r\n{chunk}\r\n");
        let answer = house.raw(chunked.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{request}: {answer}");
    }
    assert_eq!(
        house.store.buckets().await.unwrap().len(),
        1,
        "only .functions"
    );
}

#[tokio::test]
async fn a_chunked_input_arrives_whole() {
    let house = house().await;
    house.storage.will(Will::Fail(ErrorKind::Busy));
    let chunked = "POST /v1/functions/ndp/reader/invoke HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
                   transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = house.raw(chunked.as_bytes()).await;
    assert!(answer.ends_with("\r\n\r\nabcde"), "{answer}");
}

#[tokio::test]
async fn a_trace_is_passed_on_and_echoed_and_a_broken_one_is_as_if_absent() {
    let house = house().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let message = r#"{"user":"ndp","function":"reader","forbid_ndp":true}"#;
    for (sent, expected) in [
        (vec![trace], true),
        (vec!["junk"], false),
        (vec![trace, trace], false),
    ] {
        let mut request = house.request("POST", "/f/").body(message);
        for value in &sent {
            request = request.header("traceparent", *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.headers().contains_key("traceparent"),
            expected,
            "{sent:?}"
        );
    }
    let traced = house
        .compute
        .iter()
        .flat_map(|peer| peer.seen.lock().unwrap().clone());
    let traces: Vec<_> = traced.filter_map(|call| call.trace).collect();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].to_string(), trace);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    let house = house().await;
    house.all_compute(Will::Hang);
    let call = house.request("POST", "/v1/functions/ndp/reader/invoke?ndp=forbid");
    let patience = call.timeout(Duration::from_millis(50)).send().await;
    assert!(patience.unwrap_err().is_timeout());
    loop {
        let metrics = house.get("/metrics").await.text().await.unwrap();
        if metrics.contains("ganglion_calls_in_flight 0") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(house.compute_calls(), 1);
}

#[tokio::test]
async fn a_node_that_never_answers_leaves_the_outcome_unknown() {
    let settings = GatewaySettings {
        answer_grace: Duration::from_millis(10),
        ..GatewaySettings::default()
    };
    let house = house_with(settings, None).await;
    house.all_compute(Will::Hang);
    let answer = house
        .invoke("writer", "?ndp=forbid&deadline=20ms", "x")
        .await;
    assert_eq!(answer.status(), 504);
    let problem = problem(answer).await;
    assert_eq!(problem["kind"], "Indeterminate");
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .contains("gateway.answer_grace")
    );
}

#[tokio::test]
async fn draining_refuses_new_calls_and_lets_running_ones_finish() {
    let mut house = house().await;
    house.all_compute(Will::Wait);
    let path = format!(
        "http://{}/v1/functions/ndp/reader/invoke?ndp=forbid",
        house.address
    );
    let running = tokio::spawn(house.client.post(path).body("still here").send());
    loop {
        let entered = house
            .compute
            .iter()
            .find(|peer| peer.entered.try_acquire().is_ok());
        if let Some(peer) = entered {
            peer.gate.add_permits(1);
            break;
        }
        tokio::task::yield_now().await;
    }
    house.drain.begin();
    let refused = house.invoke("reader", "", "x").await;
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "retry-after")),
        (503, "2")
    );
    assert_eq!(problem(refused).await["kind"], "Unavailable");
    let refused = house.post(r#"{"user":"ndp","function":"reader"}"#).await;
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "retry-after")),
        (503, "2")
    );
    let stopped = house.stop();
    let finished = running.await.unwrap().unwrap();
    assert_eq!(finished.text().await.unwrap(), "still here");
    assert!(stopped.await.unwrap(), "every request finished");
}

#[tokio::test]
async fn forbid_means_the_same_in_both_dialects() {
    let house = house().await;
    house.invoke("reader", "?ndp=forbid", "x").await;
    house
        .post(r#"{"user":"ndp","function":"reader","input_data":"x","forbid_ndp":true,"is_storage":true}"#)
        .await;
    assert_eq!(house.storage.calls(), 0);
    for peer in &house.compute {
        let seen = peer.seen.lock().unwrap();
        assert!(seen.iter().all(|call| call.ndp == Ndp::Forbidden));
    }
}
