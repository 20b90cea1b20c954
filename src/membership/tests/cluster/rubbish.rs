//! Others write into the same Redis.

use crate::bed::{Log, Node, SLACK, announcement, names, options, redis, until_named};
use ganglion_membership::server::RedisServer;
use ganglion_types::ErrorKind;
use ganglion_wire::{seal, seal_announcement};
use redis::AsyncCommands;
use std::time::Duration;
use tokio::time::Instant;

async fn until_logged(log: &Log, part: &str) {
    let begun = Instant::now();
    while log.lines(part).is_empty() {
        assert!(begun.elapsed() < 10 * SLACK, "no line with {part}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_entry_that_is_none_is_skipped_and_named_once_and_the_others_stay() {
    let (log, _logging) = Log::begin();
    let server = RedisServer::start().await.unwrap();
    let a = Node::join("a", options(server.url()));
    until_named(&a.membership, &["a"]).await;

    let mut client = redis(&server).await;
    let strange = seal(77, b"of another release", 100).unwrap();
    let of_b = seal_announcement(&announcement("b")).unwrap();
    let rubbish: [(&str, &[u8]); 4] = [
        ("text", b"rubbish"),
        ("empty", b""),
        ("strange", &strange),
        ("not-b", &of_b),
    ];
    for (name, value) in rubbish {
        let key = format!("ganglion:node:{name}");
        () = client.set(key, value).await.unwrap();
        () = client.sadd("ganglion:nodes", name).await.unwrap();
    }
    () = client.rpush("ganglion:node:list", "x").await.unwrap();
    () = client.sadd("ganglion:nodes", "list").await.unwrap();
    () = client.sadd("ganglion:nodes", "dangling").await.unwrap();
    let long = vec![b'x'; 1 << 20];
    () = client.set("ganglion:node:long", long).await.unwrap();
    () = client.sadd("ganglion:nodes", "long").await.unwrap();
    () = client.publish("ganglion:joined", "rubbish").await.unwrap();
    () = client.publish("ganglion:left", "rubbish").await.unwrap();

    let wrong = ["text", "empty", "strange", "not-b", "list", "long"];
    for name in wrong {
        until_logged(&log, &format!("key=ganglion:node:{name} ")).await;
    }
    // Many looks later.
    tokio::time::sleep(SLACK).await;
    for name in wrong {
        let told = log.lines(&format!("key=ganglion:node:{name} "));
        assert_eq!(told.len(), 1, "{told:?}");
    }
    assert!(log.lines("format 77").len() == 1);
    let dangling: bool = client
        .sismember("ganglion:nodes", "dangling")
        .await
        .unwrap();
    assert!(!dangling, "a name without an entry is forgotten");
    assert_eq!(names(&a.membership.roster().borrow()), ["a"]);
    assert!(a.membership.health().reachable);
    a.leave().await;
}

#[tokio::test]
async fn rubbish_in_the_place_of_a_node_s_own_entry_is_replaced() {
    let (log, _logging) = Log::begin();
    let server = RedisServer::start().await.unwrap();
    let mut client = redis(&server).await;
    () = client.rpush("ganglion:node:a", "x").await.unwrap();
    let a = Node::join("a", options(server.url()));
    until_named(&a.membership, &["a"]).await;
    () = client.set("ganglion:node:a", "rubbish").await.unwrap();
    until_logged(&log, "it is replaced").await;
    until_named(&a.membership, &["a"]).await;
    a.leave().await;
    let left: Vec<String> = client.keys("*").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_name_that_another_release_holds_is_in_use() {
    let server = RedisServer::start().await.unwrap();
    let strange = seal(77, b"of another release", 100).unwrap();
    () = redis(&server)
        .await
        .set("ganglion:node:a", strange)
        .await
        .unwrap();
    let a = Node::join("a", options(server.url()));
    let error = a.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("format 77"), "{error}");
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_does_not_keep_its_own_node_out() {
    let server = RedisServer::start().await.unwrap();
    let said = announcement("a");
    let mut earlier = said.clone();
    earlier.load.queued = 1;
    () = redis(&server)
        .await
        .set("ganglion:node:a", seal_announcement(&earlier).unwrap())
        .await
        .unwrap();
    let begun = Instant::now();
    let a = Node::announce(said, options(server.url()));
    until_named(&a.membership, &["a"]).await;
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    a.leave().await;
}

#[tokio::test]
async fn an_announcement_without_an_address_is_an_error_of_its_node() {
    let server = RedisServer::start().await.unwrap();
    let mut said = announcement("a");
    said.address.clear();
    let a = Node::announce(said, options(server.url()));
    let error = a.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("`a`"), "{error}");
}
