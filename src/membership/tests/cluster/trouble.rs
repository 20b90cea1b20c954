//! Redis dies, forgets, hangs, or was never there.

use crate::bed::{
    Clock, Log, Node, SLACK, announcement, names, open, options, redis, until, until_named,
    until_reachable,
};
use ganglion_membership::server::RedisServer;
use ganglion_membership::{Membership, MembershipOptions, Roster, Source};
use ganglion_types::ErrorKind;
use redis::AsyncCommands;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The fewest nodes that a roster ever has, until it is told to stop.
fn fewest(mut roster: Receiver<Roster>, stop: CancellationToken) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut fewest = roster.borrow_and_update().len();
        loop {
            tokio::select! {
                changed = roster.changed() => changed.unwrap(),
                () = stop.cancelled() => return fewest,
            }
            fewest = fewest.min(roster.borrow_and_update().len());
        }
    })
}

async fn three(server: &RedisServer) -> [Node; 3] {
    let nodes = ["a", "b", "c"].map(|name| Node::join(name, options(server.url())));
    for node in &nodes {
        until_named(&node.membership, &["a", "b", "c"]).await;
    }
    nodes
}

async fn leave(nodes: [Node; 3]) {
    for node in nodes {
        node.leave().await;
    }
}

/// Waits until Redis itself has the entries of all three.
async fn until_claimed(server: &RedisServer) {
    let mut client = redis(server).await;
    let begun = Instant::now();
    loop {
        let keys: Vec<String> = client.keys("ganglion:node:*").await.unwrap();
        if keys.len() == 3 {
            return;
        }
        assert!(begun.elapsed() < 10 * SLACK, "only {keys:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_redis_that_asks_for_a_password_is_given_that_of_the_options_or_of_the_url() {
    let server = RedisServer::start().await.unwrap();
    let mut client = redis(&server).await;
    let mut ask = redis::cmd("CONFIG");
    ask.arg("SET").arg("requirepass").arg("se/cret@");
    ask.exec_async(&mut client).await.unwrap();
    let without = open(options(server.url()));
    let with = MembershipOptions {
        password: Some("se/cret@".to_owned()),
        ..options(server.url())
    };
    until_reachable(&open(with.clone()), true).await;
    let by_url = server.url().replace("//", "//:se%2Fcret%40@");
    until_reachable(&open(options(by_url.clone())), true).await;
    let health = without.health();
    assert!(!health.reachable, "{health:?}");
    let both = MembershipOptions {
        url: by_url,
        ..with
    };
    let Err(refused) = Membership::open(both, Arc::new(Clock::new())) else {
        panic!("two passwords were taken");
    };
    assert!(
        refused.message().contains("redis.password_file"),
        "{refused}"
    );
    assert!(!refused.message().contains("cret"), "{refused}");
}

#[tokio::test]
async fn the_address_from_which_redis_is_reached_is_found_without_asking_it() {
    let towards = async |url: &str| open(options(url.to_owned())).address_towards().await;
    assert_eq!(
        towards("redis://127.0.0.1:9").await.unwrap().to_string(),
        "127.0.0.1"
    );
    assert_eq!(towards("redis://[::1]:9").await.unwrap().to_string(), "::1");
    let unknown = towards("redis://nobody.invalid:9").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Unavailable, "{unknown}");
    assert!(unknown.message().contains("nobody.invalid"), "{unknown}");
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_empty_makes_no_roster_shrink() {
    let mut server = RedisServer::start().await.unwrap();
    let nodes = three(&server).await;
    let stop = CancellationToken::new();
    let watched: Vec<_> = nodes
        .iter()
        .map(|node| fewest(node.membership.roster(), stop.clone()))
        .collect();
    let expiry = options(server.url()).expiry;

    server.kill().await.unwrap();
    for node in &nodes {
        until_reachable(&node.membership, false).await;
    }
    // Longer than every entry would have lived.
    tokio::time::sleep(expiry * 2).await;
    server.start_again().await.unwrap();
    until_claimed(&server).await;
    for node in &nodes {
        until_reachable(&node.membership, true).await;
    }
    // Long enough for everybody to be dropped who was not seen again.
    tokio::time::sleep(expiry * 2).await;

    stop.cancel();
    for fewest in watched {
        assert_eq!(fewest.await.unwrap(), 3);
    }
    for node in &nodes {
        assert_eq!(names(&node.membership.roster().borrow()), ["a", "b", "c"]);
    }
    leave(nodes).await;
}

#[tokio::test]
async fn who_died_while_redis_was_away_is_dropped_one_expiry_after_it_is_back() {
    let mut server = RedisServer::start().await.unwrap();
    let [a, b, c] = three(&server).await;
    server.kill().await.unwrap();
    until_reachable(&a.membership, false).await;
    c.die().await;
    let mut roster = a.membership.roster();
    let options = options(server.url());
    tokio::time::sleep(options.expiry * 2).await;
    assert_eq!(names(&roster.borrow()), ["a", "b", "c"]);
    let begun = Instant::now();
    server.start_again().await.unwrap();
    until(&mut roster, 10 * SLACK, |roster| {
        names(roster) == ["a", "b"]
    })
    .await;
    let took = begun.elapsed();
    assert!(took >= options.expiry, "{took:?}");
    assert!(
        took < options.expiry + options.heartbeat + 2 * SLACK,
        "{took:?}"
    );
    a.leave().await;
    b.leave().await;
}

#[tokio::test]
async fn while_redis_hangs_nothing_else_does() {
    let server = RedisServer::start().await.unwrap();
    let [a, b, c] = three(&server).await;
    let options = options(server.url());
    let stop = CancellationToken::new();
    let fewest = fewest(a.membership.roster(), stop.clone());

    server.pause().unwrap();
    let begun = Instant::now();
    until_reachable(&a.membership, false).await;
    let noticed = begun.elapsed();
    assert!(
        noticed < options.heartbeat + options.command_time + SLACK,
        "{noticed:?}"
    );
    let error = a.membership.health().error.unwrap();
    assert!(error.contains("redis.command_time"), "{error}");
    let begun = Instant::now();
    c.leave().await;
    assert!(begun.elapsed() < options.command_time + SLACK);
    // Longer than every entry lives: whoever could be asked would have forgotten all.
    tokio::time::sleep(options.expiry * 2).await;
    server.resume().unwrap();
    until_reachable(&a.membership, true).await;
    tokio::time::sleep(options.expiry / 2).await;
    stop.cancel();
    assert_eq!(fewest.await.unwrap(), 3, "nobody is dropped so soon");
    until_named(&a.membership, &["a", "b"]).await;
    until_named(&b.membership, &["a", "b"]).await;
    a.leave().await;
    b.leave().await;
}

#[tokio::test]
async fn an_entry_that_redis_loses_is_made_again_by_the_next_heartbeat() {
    let server = RedisServer::start().await.unwrap();
    let nodes = three(&server).await;
    let mut client = redis(&server).await;
    () = redis::cmd("FLUSHALL")
        .query_async(&mut client)
        .await
        .unwrap();
    let begun = Instant::now();
    until_claimed(&server).await;
    let heartbeat = options(server.url()).heartbeat;
    assert!(begun.elapsed() < heartbeat + SLACK);
    for node in &nodes {
        until_named(&node.membership, &["a", "b", "c"]).await;
    }
    leave(nodes).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_yet_is_waited_for_and_told_of_once() {
    let (log, _logging) = Log::begin();
    let mut server = RedisServer::start().await.unwrap();
    server.kill().await.unwrap();
    let membership: Membership = open(options(server.url()));
    let before = membership.health();
    assert!(!before.reachable && before.error.is_none() && before.since_ms > 1_600_000_000_000);
    let (said, stop) = (announcement("a"), CancellationToken::new());
    let source: Source = Arc::new(move || said.clone());
    let announcing = tokio::spawn(membership.announce(source.clone(), stop.clone()));
    let begun = Instant::now();
    while membership.health().error.is_none() {
        assert!(begun.elapsed() < 10 * SLACK);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Some ten tries, of which one is told.
    tokio::time::sleep(SLACK).await;
    assert_eq!(log.lines("cannot be asked").len(), 1);
    assert!(log.lines("WARN").len() == 1 && log.lines("ERROR").is_empty());
    assert!(log.lines("Redis answers").is_empty());

    server.start_again().await.unwrap();
    until_named(&membership, &["a"]).await;
    assert!(membership.health().reachable && membership.health().error.is_none());
    assert_eq!(log.lines("Redis answers").len(), 1);
    stop.cancel();
    announcing.await.unwrap().unwrap();
    assert_eq!(log.lines("WARN").len(), 1);
}

#[tokio::test]
async fn a_redis_that_refuses_is_told_once_and_claimed_again_when_it_no_longer_does() {
    let (log, _logging) = Log::begin();
    let server = RedisServer::start().await.unwrap();
    let mut client = redis(&server).await;
    let mut config = async |value: &str| {
        let mut command = redis::cmd("CONFIG");
        let command = command.arg("SET").arg("maxmemory").arg(value);
        () = command.query_async(&mut client).await.unwrap();
    };
    config("1").await;
    let a = Node::join("a", options(server.url()));
    let begun = Instant::now();
    while log.lines("refuses").is_empty() {
        assert!(begun.elapsed() < 10 * SLACK);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(SLACK).await;
    let told = log.lines("refuses");
    assert!(told.len() == 1 && told[0].contains("OOM"), "{told:?}");
    config("0").await;
    until_named(&a.membership, &["a"]).await;
    a.leave().await;
}

#[tokio::test]
async fn a_node_that_leaves_without_redis_leaves_at_once() {
    let mut server = RedisServer::start().await.unwrap();
    let a = Node::join("a", options(server.url()));
    until_named(&a.membership, &["a"]).await;
    server.kill().await.unwrap();
    let begun = Instant::now();
    a.leave().await;
    assert!(begun.elapsed() < options(server.url()).command_time + SLACK);
}
