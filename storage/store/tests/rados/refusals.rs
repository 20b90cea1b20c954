//! A cluster that cannot be reached, or will not have us: said at once, and what to change.

use crate::lab::{Lab, connect, guarded, key};
use ganglion_store::{ByteRange, Condition, ObjectStore, PutOptions, RadosOptions};
use ganglion_types::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn guarded_lab() -> Arc<Lab> {
    tokio::task::spawn_blocking(guarded).await.unwrap()
}

fn options(lab: &Lab) -> RadosOptions {
    RadosOptions {
        connect_time: Duration::from_secs(2),
        ..lab.options()
    }
}

/// Connecting fails within the limit, with that kind, and names all of these.
async fn refused(options: RadosOptions, kind: ErrorKind, words: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "a test measures time itself")]
    let start = Instant::now();
    let limit = options.connect_time + Duration::from_secs(3);
    let Err(error) = connect(options).await else {
        panic!("connected, although {words:?}");
    };
    assert!(
        start.elapsed() < limit,
        "after {:?}: {error}",
        start.elapsed()
    );
    check(&error, kind, words);
}

#[track_caller]
fn check(error: &Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.message().contains(word), "no `{word}`: {error}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_invalid() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.conf");
    for (conf, why) in [
        (missing, "cannot be read"),
        (
            write(folder.path(), "bad.conf", "][ rubbish = \n x y\n"),
            "understood",
        ),
        (write(folder.path(), "empty.conf", ""), "no monitors"),
        (
            write(
                folder.path(),
                "name.conf",
                "[global]\nmon host = no.such.host.invalid\n",
            ),
            "no addresses",
        ),
    ] {
        let path = conf.display().to_string();
        let options = RadosOptions {
            conf,
            connect_time: Duration::from_secs(2),
            ..RadosOptions::default()
        };
        refused(options, ErrorKind::Invalid, &[&path, "ceph.conf", why]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_or_key_that_the_cluster_does_not_take_is_denied() {
    let lab = guarded_lab().await;
    let folder = tempfile::tempdir().unwrap();
    let key = "[client.admin]\n\tkey = AQBxT0BnAAAAABAAvQxGqkX1rJ7vX7cH8mWc6A==\n";
    for keyring in [
        folder.path().join("missing.keyring"),
        write(folder.path(), "empty.keyring", ""),
        write(folder.path(), "rubbish.keyring", "rubbish"),
        write(folder.path(), "wrong.keyring", key),
    ] {
        let path = keyring.display().to_string();
        let options = RadosOptions {
            keyring: Some(keyring),
            ..options(&lab)
        };
        refused(options, ErrorKind::Denied, &[&path, "ceph.keyring"]).await;
    }
    let nobody = RadosOptions {
        user: "nobody".to_owned(),
        keyring: Some(lab.ceph.keyring("client.admin")),
        ..options(&lab)
    };
    refused(nobody, ErrorKind::Denied, &["client.nobody", "ceph.user"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_does_not_answer_is_unavailable_within_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    // A port that refuses, and an address that nobody has (RFC 5737).
    for (name, monitor) in [
        ("refusing", "v1:127.0.0.1:1"),
        ("silent", "v1:192.0.2.1:6789"),
    ] {
        let text = format!("[global]\nmon host = {monitor}\nauth client required = none\n");
        let options = RadosOptions {
            conf: write(folder.path(), name, &text),
            connect_time: Duration::from_secs(2),
            ..RadosOptions::default()
        };
        let words = [monitor, "2s", "ceph.connect_time", "ceph.conf"];
        refused(options, ErrorKind::Unavailable, &words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_missing_is_not_found() {
    let lab = guarded_lab().await;
    let options = RadosOptions {
        pool: "ponds".to_owned(),
        ..options(&lab)
    };
    refused(options, ErrorKind::NotFound, &["ponds", "ceph.pool"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_to_the_pool_is_denied_and_told_which_it_needs() {
    let lab = guarded_lab().await;
    let user = |name: &'static str, caps: &'static [(&'static str, &'static str)]| {
        let lab = lab.clone();
        async move {
            let lent = lab.clone();
            let make = move || lent.ceph.create_user(&format!("client.{name}"), caps);
            let keyring = tokio::task::spawn_blocking(make).await.unwrap().unwrap();
            connect(RadosOptions {
                user: name.to_owned(),
                keyring: Some(keyring),
                ..options(&lab)
            })
            .await
        }
    };
    let words = ["client.stranger", "ceph.user", "allow rw pool=ganglion"];
    let stranger = user("stranger", &[("mon", "allow r")]).await.unwrap();
    let key = key("guarded", "k");
    let put = || ("x".into(), PutOptions::default());
    let (body, plain) = put();
    check(
        &stranger.put(&key, body, plain).await.unwrap_err(),
        ErrorKind::Denied,
        &words,
    );
    let read = stranger.get(&key, ByteRange::ALL, None).await;
    check(&read.unwrap_err(), ErrorKind::Denied, &words);
    let listed = stranger.list(&key.bucket, "", None, 1).await;
    check(&listed.unwrap_err(), ErrorKind::Denied, &words);

    // Exactly what the error asks for is enough, for everything.
    let friend = user(
        "friend",
        &[("mon", "allow r"), ("osd", "allow rw pool=ganglion")],
    );
    let friend = friend.await.unwrap();
    let (body, plain) = put();
    friend.put(&key, body, plain).await.unwrap();
    assert_eq!(
        friend
            .list(&key.bucket, "", None, 9)
            .await
            .unwrap()
            .objects
            .len(),
        1
    );
    assert!(friend.osd_of(&key).is_some());
    assert_eq!(friend.osds().await.unwrap().len(), 1);
    friend.delete(&key, Condition::None).await.unwrap();

    let outcome = user("outcast", &[]).await;
    let Err(error) = outcome else {
        panic!("connected without any right");
    };
    check(
        &error,
        ErrorKind::Denied,
        &["client.outcast", "mon 'allow r'"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_cluster_does_not_take_is_invalid() {
    let lab = guarded_lab().await;
    let store = connect(options(&lab)).await.unwrap();
    let long = key("guarded", &"n".repeat(501));
    let words = ["guarded/nnn", "osd_max_object_name_len"];
    let put = store.put(&long, "x".into(), PutOptions::default()).await;
    check(&put.unwrap_err(), ErrorKind::Invalid, &words);
    let read = store.get(&long, ByteRange::ALL, None).await;
    check(&read.unwrap_err(), ErrorKind::Invalid, &words);
    let fits = key("guarded", &"n".repeat(500));
    store
        .put(&fits, "x".into(), PutOptions::default())
        .await
        .unwrap();
    store.delete(&fits, Condition::None).await.unwrap();
}
