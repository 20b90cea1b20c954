//! Joining, leaving, dying, and names in use.

use crate::bed::{Node, SLACK, announcement, names, open, options, redis, until, until_named};
use ganglion_membership::server::RedisServer;
use ganglion_membership::{Announcement, MembershipOptions};
use ganglion_types::ErrorKind;
use redis::AsyncCommands;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn nodes_and_watchers_see_everybody_with_every_field_and_the_present_load() {
    let server = RedisServer::start().await.unwrap();
    let said = announcement("storage-1");
    let b = Node::announce(said.clone(), options(server.url()));
    let a = Node::join("compute-1", options(server.url()));
    let watchers = [open(options(server.url())), open(options(server.url()))];
    for membership in [&a.membership, &b.membership].into_iter().chain(&watchers) {
        until_named(membership, &["compute-1", "storage-1"]).await;
        assert_eq!(membership.roster().borrow()[1], said);
    }
    b.running.store(9, Ordering::Relaxed);
    let mut roster = watchers[0].roster();
    let busy = |node: &Announcement| node.load.running == 9;
    until(&mut roster, 10 * SLACK, |roster| roster.iter().any(busy)).await;
}

#[tokio::test]
async fn a_node_that_dies_is_gone_within_the_expiry_and_a_look() {
    let server = RedisServer::start().await.unwrap();
    let options = options(server.url());
    let (a, b) = (
        Node::join("a", options.clone()),
        Node::join("b", options.clone()),
    );
    until_named(&b.membership, &["a", "b"]).await;
    let mut roster = b.membership.roster();
    a.die().await;
    let took = until(&mut roster, 10 * SLACK, |roster| names(roster) == ["b"]).await;
    let promised = options.expiry + options.heartbeat / 2;
    assert!(took < promised + SLACK, "{took:?}");
    assert!(
        took > options.expiry - options.heartbeat - SLACK / 2,
        "{took:?}: it was still within its expiry"
    );
}

#[tokio::test]
async fn who_joins_and_who_leaves_is_known_at_once() {
    let server = RedisServer::start().await.unwrap();
    // Looks are so far apart that only messages can tell.
    let rare = MembershipOptions {
        heartbeat: Duration::from_secs(60),
        expiry: Duration::from_secs(120),
        ..options(server.url())
    };
    let watcher = open(rare.clone());
    crate::bed::until_reachable(&watcher, true).await;
    let mut roster = watcher.roster();
    let a = Node::join("a", rare.clone());
    until(&mut roster, 10 * SLACK, |roster| names(roster) == ["a"]).await;
    let begun = Instant::now();
    a.leave().await;
    until(&mut roster, 10 * SLACK, |roster| roster.is_empty()).await;
    assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    let left: Vec<String> = redis(&server).await.keys("*").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_name_in_use_is_refused_after_two_expiries_with_who_has_it() {
    let server = RedisServer::start().await.unwrap();
    let options = options(server.url());
    let first = announcement("a");
    let holder = Node::announce(first.clone(), options.clone());
    until_named(&holder.membership, &["a"]).await;
    let begun = Instant::now();
    let second = Node::join("a", options.clone());
    let error = second.ended().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    for part in ["`a`", "`rack-3`", "4711", "10.0.0.7:7400", "redis.expiry"] {
        assert!(error.message().contains(part), "{error}");
    }
    let took = begun.elapsed();
    assert!(
        took >= options.expiry * 2 && took < options.expiry * 2 + SLACK,
        "{took:?}"
    );
    assert_eq!(holder.membership.roster().borrow()[..], [first]);
    holder.leave().await;
}

#[tokio::test]
async fn a_node_restarted_after_a_crash_takes_its_name_over() {
    let server = RedisServer::start().await.unwrap();
    let options = options(server.url());
    let first = Node::join("a", options.clone());
    until_named(&first.membership, &["a"]).await;
    first.die().await;
    let again = announcement("a");
    let begun = Instant::now();
    let second = Node::announce(again.clone(), options.clone());
    let mut roster = second.membership.roster();
    until(&mut roster, 10 * SLACK, |roster| {
        roster[..] == [again.clone()]
    })
    .await;
    assert!(begun.elapsed() < options.expiry + options.heartbeat + SLACK);
    second.leave().await;
}

#[tokio::test]
async fn a_leaving_node_takes_back_its_own_entry_only() {
    let server = RedisServer::start().await.unwrap();
    let options = options(server.url());
    let holder = Node::join("a", options.clone());
    until_named(&holder.membership, &["a"]).await;
    let newcomer = Node::join("a", options.clone());
    until_named(&newcomer.membership, &["a"]).await;
    newcomer.leave().await;
    let key = "ganglion:node:a";
    let kept: bool = redis(&server).await.exists(key).await.unwrap();
    assert!(kept);
    holder.leave().await;
}

#[tokio::test]
async fn clusters_that_share_a_redis_do_not_mix() {
    let server = RedisServer::start().await.unwrap();
    let of = |cluster: &str| MembershipOptions {
        cluster: cluster.to_owned(),
        ..options(server.url())
    };
    let one = Node::join("a", of("one"));
    let two = Node::join("a", of("two"));
    let also_two = Node::join("b", of("two"));
    until_named(&two.membership, &["a", "b"]).await;
    until_named(&one.membership, &["a"]).await;
    also_two.leave().await;
    two.leave().await;
    until_named(&one.membership, &["a"]).await;
    let mut keys: Vec<String> = redis(&server).await.keys("*").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["one:node:a", "one:nodes"]);
}

#[tokio::test]
async fn two_hundred_nodes_are_seen_by_twenty_watchers() {
    let server = RedisServer::start().await.unwrap();
    let usual = MembershipOptions {
        url: server.url(),
        ..MembershipOptions::default()
    };
    let watchers: Vec<_> = (0..20).map(|_| open(usual.clone())).collect();
    let mut expected = Vec::new();
    for i in 0..200 {
        let name = format!("node-{i}");
        Node::through(watchers[i % 20].clone(), announcement(&name));
        expected.push(name);
    }
    expected.sort();
    for watcher in &watchers {
        let complete = |roster: &_| names(roster) == expected;
        until(&mut watcher.roster(), 30 * SLACK, complete).await;
    }
    // Every entry is claimed anew in this time, or it would be gone.
    tokio::time::sleep(usual.expiry * 2).await;
    for watcher in &watchers {
        assert_eq!(names(&watcher.roster().borrow()), expected);
    }
}
