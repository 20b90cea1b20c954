//! The main job: functions beside objects, both ways, with the same bytes out.

use crate::lab::Lab;
use reqwest::{Method, StatusCode};

/// Text with some structure, `bytes` long.
fn corpus(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let words = [
        "near", "data", "arm", "octopus", "a", "the", "object", "neuron", "ganglion",
    ];
    let mut text = Vec::with_capacity(bytes + 16);
    while text.len() < bytes {
        text.extend_from_slice(random.choice(words).unwrap().as_bytes());
        text.push(if random.u8(..20) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(bytes);
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faasm_dialect_does_what_the_readmes_show() {
    let lab = Lab::up().await;
    let call = |function: &str, input: &str, extra: &str| {
        format!(
            r#"{{"async": false, "user": "ndp", "function": "{function}", "input_data": "{input}"{extra}}}"#
        )
    };
    let ok = |text: &str| (StatusCode::OK, text.to_owned());
    assert_eq!(
        lab.faasm(&call("put", "hello hello world my world", ""))
            .await,
        ok("OK")
    );
    assert_eq!(
        lab.faasm(&call("get", "hello", "")).await,
        ok("hello world my world")
    );
    let counts = ok("hello\t1\nmy\t1\nworld\t2\n");
    assert_eq!(lab.faasm(&call("wordcount", "hello", "")).await, counts);
    assert_eq!(
        lab.faasm(&call("wordcount", "hello", r#", "forbid_ndp": true"#))
            .await,
        counts
    );
    assert_eq!(lab.get("/ping").await.text().await.unwrap(), "PONG");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sites_give_the_same_bytes() {
    let lab = Lab::up().await;
    let text = corpus(6 << 20);
    assert!(
        lab.put("/v1/objects/ndp/book", text.clone())
            .await
            .status()
            .is_success()
    );
    assert!(
        lab.put("/v1/objects/ndp/empty", "")
            .await
            .status()
            .is_success()
    );
    for (function, input) in [
        ("wordcount", "book"),
        ("wordcount-rs", "book"),
        ("scan", "book e"),
        ("get", "book"),
        ("wordcount", "empty"),
        ("get", "empty"),
        ("echo", "anything"),
        ("hello", ""),
        ("get", "missing"),
    ] {
        let object = input.split(' ').next().unwrap();
        let near = lab
            .invoke(
                function,
                input,
                &format!(
                    "?ndp=allow&object=ndp/{}",
                    if object.is_empty() { "book" } else { object }
                ),
            )
            .await;
        let far = lab.invoke(function, input, "?ndp=forbid").await;
        assert_eq!(far.site, "compute", "{function} {input}");
        assert_eq!(near.status, far.status, "{function} {input}");
        if near.status == StatusCode::OK {
            assert!(
                near.body == far.body,
                "{function} {input}: {} and {} bytes",
                near.body.len(),
                far.body.len()
            );
        }
    }
    let counted = lab.invoke("wordcount", "book", "").await;
    assert!(counted.body == lab.invoke("wordcount-rs", "book", "").await.body);
    assert_eq!(lab.invoke("get", "book", "").await.body, text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_runs_where_its_object_is_and_says_why() {
    let lab = Lab::up().await;
    let text = corpus(8 << 20);
    lab.put("/v1/objects/ndp/book", text.clone()).await;
    let near = lab.invoke("wordcount", "book", "").await;
    assert_eq!(
        (near.status, near.site.as_str()),
        (StatusCode::OK, "storage"),
        "{near:?}"
    );
    assert_eq!(near.moved_bytes, 0);
    assert!(near.reason.starts_with(&near.node), "{}", near.reason);
    let far = lab.invoke("wordcount", "book", "?ndp=forbid").await;
    assert_eq!(
        (far.site.as_str(), far.moved_bytes),
        ("compute", text.len() as u64)
    );
    assert!(far.reason.contains("forbid_ndp"), "{}", far.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn forbid_ndp_is_absolute() {
    let lab = Lab::up().await;
    for index in 0..12 {
        let key = format!("object-{index}");
        lab.put(&format!("/v1/objects/ndp/{key}"), corpus(200_000))
            .await;
        for _ in 0..5 {
            let called = lab.invoke("wordcount", &key, "?ndp=forbid").await;
            assert_eq!(
                (called.status, called.site.as_str()),
                (StatusCode::OK, "compute")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_and_functions_survive_a_restart() {
    let lab = Lab::up().await;
    let text = corpus(3 << 20);
    lab.put("/v1/objects/books/a/b c", text.clone()).await;
    lab.upload("mine", r#"(module (memory 1) (func (export "_start")))"#)
        .await;
    let lab = lab.restart().await;
    assert!(
        lab.get("/v1/objects/books/a/b%20c")
            .await
            .bytes()
            .await
            .unwrap()
            == text
    );
    assert_eq!(lab.invoke("mine", "", "").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_upload_holds_for_the_next_call_and_not_for_the_running_one() {
    let lab = Lab::up().await;
    // Answers with its letter after a while.
    let slow = |letter: char| {
        format!(
            r#"(module
            (import "env" "__faasm_write_output" (func $out (param i32 i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "{letter}")
            (func (export "_start") (local $i i32)
                (loop $again
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 900000000))))
                (call $out (i32.const 0) (i32.const 1))))"#
        )
    };
    lab.upload("letter", &slow('a')).await;
    let running = lab.invoke("letter", "", "");
    let replace = async {
        until_running(&lab).await;
        lab.upload("letter", &slow('b').replace("900000000", "1"))
            .await;
        lab.invoke("letter", "", "").await
    };
    let (first, second) = tokio::join!(running, replace);
    assert_eq!((first.text(), second.text()), ("a", "b"));
    let running = lab.invoke("letter", "", "");
    lab.upload("letter", &slow('c')).await;
    drop(running);
    let running = lab.invoke("letter", "", "");
    let delete = async {
        until_running(&lab).await;
        let gone = lab
            .request(Method::DELETE, "/v1/functions/ndp/letter")
            .send()
            .await
            .unwrap();
        assert!(gone.status().is_success());
        lab.invoke("letter", "", "").await
    };
    let (last, gone) = tokio::join!(running, delete);
    assert_eq!((last.text(), gone.status), ("c", StatusCode::NOT_FOUND));
}

async fn until_running(lab: &Lab) {
    for _ in 0..2_000 {
        if lab.metric("ganglion_calls_in_flight").await > 0.0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the call never began");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_with_every_role_does_the_same_job() {
    let lab = Lab::single().await;
    let text = corpus(2 << 20);
    lab.put("/v1/objects/ndp/book", text).await;
    let near = lab.invoke("wordcount", "book", "").await;
    let far = lab.invoke("wordcount", "book", "?ndp=forbid").await;
    assert_eq!((far.site.as_str(), far.status), ("compute", StatusCode::OK));
    assert_eq!(
        (near.moved_bytes, far.moved_bytes),
        (0, 0),
        "no link was crossed"
    );
    assert!(near.body == far.body && near.status == StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_all_end_right() {
    let lab = Lab::up().await;
    for index in 0..8 {
        lab.put(
            &format!("/v1/objects/ndp/o{index}"),
            format!("word-{index} common").repeat(1000),
        )
        .await;
    }
    let expected: Vec<_> = {
        let mut bodies = Vec::new();
        for index in 0..8 {
            bodies.push(
                lab.invoke("wordcount", &format!("o{index}"), "?ndp=forbid")
                    .await
                    .body,
            );
        }
        bodies
    };
    let calls = (0..400).map(|call| {
        let (lab, expected) = (&lab, &expected);
        async move {
            let index = call % 8;
            let query = if call % 3 == 0 { "?ndp=forbid" } else { "" };
            let called = lab.invoke("wordcount", &format!("o{index}"), query).await;
            assert_eq!(called.status, StatusCode::OK, "{}", called.text());
            assert!(called.body == expected[index]);
        }
    });
    futures::future::join_all(calls).await;
}
