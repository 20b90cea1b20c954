//! Keys of every kind, listings in pages, buckets.

use super::{Room, kept};
use crate::{Condition, ObjectMeta, ObjectStore};
use ganglion_types::{Bucket, Key};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys that a careless store would confuse, hide, cut, or let out of their folder.
fn hostile_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "a",
        "A",
        "a ",
        " a",
        "a/",
        "a//",
        "/a",
        "/",
        "//",
        "a/b",
        "a/b/c",
        "a/../b",
        "b",
        "..",
        ".",
        "../..",
        "./a",
        "...",
        ".hidden",
        "%",
        "%2F",
        "%2f",
        "%25",
        "a%2Fb",
        "%%",
        "a+b",
        "a b",
        "a\tb",
        "a\nb",
        "a\r",
        "\u{1}",
        "\u{7f}",
        "ü",
        "u\u{308}",
        "日本語",
        "🦑",
        "\u{10ffff}",
        "\u{e000}",
        "~",
        "-",
        "--",
        "_",
        "=",
        "a=b",
        "\\",
        "a\\b",
        "'",
        "\"",
        "*",
        "?",
        "$HOME",
        ":",
        "|",
        "a.tmp",
        "a~",
        "lock",
        "pending",
        "con",
        "a0",
        "a-",
        "a.",
        "a!",
        "0",
        "00",
    ]
    .map(String::from)
    .to_vec();
    for letter in ["x", "%", "/", "é", "."] {
        // Of 200 to 1024 bytes, alike but for their length or their last letters.
        for bytes in [200, 254, 255, 256, 300, 1022, 1024] {
            let mut key = letter.repeat(bytes / letter.len());
            keys.push(key.clone());
            key.truncate(key.len() - 2);
            keys.push(format!("{key}ab"));
            keys.push(format!("{key}ac"));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Each key is an object of its own: none is refused, none is taken for another.
pub async fn every_key_is_an_object_of_its_own(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "every_key_is_an_object_of_its_own");
    let keys = hostile_keys();
    for key in &keys {
        room.put(&room.key(key), key.clone()).await;
    }
    for key in &keys {
        assert_eq!(room.get(&room.key(key)).await.bytes, key.clone(), "{key:?}");
    }
    for key in keys.iter().step_by(2) {
        kept(room.store.delete(&room.key(key), Condition::None).await);
    }
    for (number, key) in keys.iter().enumerate() {
        let absent = room.is_absent(&room.key(key)).await;
        assert_eq!(absent, number % 2 == 0, "{key:?}");
    }
}

/// Pages of any size, of any prefix, from any place, put together are the keys in byte order, each once.
pub async fn pages_are_in_byte_order_and_complete(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "pages_are_in_byte_order_and_complete");
    let mut model = BTreeMap::new();
    for key in hostile_keys() {
        let meta = room.put(&room.key(&key), key.clone()).await;
        model.insert(key, meta);
    }
    let long = "x".repeat(1024);
    let prefixes = [
        "",
        "a",
        "a/",
        "a//",
        "%",
        "%2",
        ".",
        "..",
        "/",
        "ü",
        "日",
        "xx",
        "zz",
        "\u{10ffff}",
        "\0",
        &long,
    ];
    for prefix in prefixes.into_iter().chain([format!("{long}x").as_str()]) {
        for limit in [1, 2, 3, 7, 50, 10_000, usize::MAX] {
            check_pages(&room, &model, prefix, limit).await;
        }
    }
    for after in ["a", "a\u{1}", "aa", "!", "\u{10ffff}", &long] {
        check_rest(&room, &model, "a", after).await;
        check_rest(&room, &model, "", after).await;
    }
    let none = room.list("", None, 0).await;
    assert!(none.objects.is_empty() && none.more);
}

async fn check_pages(
    room: &Room,
    model: &BTreeMap<String, ObjectMeta>,
    prefix: &str,
    limit: usize,
) {
    let mut expected = model
        .iter()
        .filter(|(key, _)| key.starts_with(prefix))
        .peekable();
    let mut after: Option<Key> = None;
    loop {
        let page = room.list(prefix, after.as_ref(), limit).await;
        assert!(page.objects.len() <= limit);
        assert!(
            !page.more || !page.objects.is_empty(),
            "a page that leads nowhere"
        );
        for (key, meta) in &page.objects {
            let (next, next_meta) = expected.next().expect("a listing has more than was put");
            assert_eq!((key.as_str(), meta), (next.as_str(), next_meta));
        }
        after = page.objects.last().map(|(key, _)| key.clone());
        assert_eq!(page.more, expected.peek().is_some(), "{prefix:?} {limit}");
        if !page.more {
            return;
        }
    }
}

async fn check_rest(room: &Room, model: &BTreeMap<String, ObjectMeta>, prefix: &str, after: &str) {
    let key = Key::new(after).expect("the suite's keys are keys");
    let page = room.list(prefix, Some(&key), 10_000).await;
    let found: Vec<&str> = page.objects.iter().map(|(key, _)| key.as_str()).collect();
    let behind = model.keys().map(String::as_str);
    let expected: Vec<&str> = behind
        .filter(|key| key.starts_with(prefix) && *key > after)
        .collect();
    assert_eq!(found, expected, "{prefix:?} after {after:?}");
}

/// Listing what was never written is no error.
pub async fn a_bucket_never_written_is_empty(store: Arc<dyn ObjectStore>) {
    let room = Room::new(store, "a_bucket_never_written_is_empty");
    for (prefix, limit) in [("", 10), ("a", 1), ("", 0)] {
        let page = room.list(prefix, None, limit).await;
        assert!(page.objects.is_empty() && !page.more);
    }
}

/// A bucket is listed from its first object to the deletion of its last, internal ones too, in byte order.
pub async fn buckets_are_those_that_hold_an_object(store: Arc<dyn ObjectStore>) {
    let mut names = [
        ".internal",
        "B",
        "a",
        "a-b",
        "a.b",
        "a_b",
        "b",
        &"z".repeat(64),
    ]
    .map(|name| format!("{:.60}", format!("{name}-buckets")))
    .to_vec();
    names.sort_unstable();
    let rooms = names.iter().map(|name| Room::new(store.clone(), name));
    let rooms: Vec<Room> = rooms.collect();
    for room in rooms.iter().rev() {
        room.put(&room.key("one"), "1").await;
        room.put(&room.key("two"), "2").await;
    }
    assert_eq!(listed(&store, &names).await, names);
    for room in &rooms {
        kept(room.store.delete(&room.key("one"), Condition::None).await);
    }
    assert_eq!(listed(&store, &names).await, names);
    for room in rooms.iter().step_by(2) {
        kept(room.store.delete(&room.key("two"), Condition::None).await);
    }
    let left: Vec<String> = names.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!(listed(&store, &names).await, left);
}

/// The buckets among `names` that the store lists, in its order.
async fn listed(store: &Arc<dyn ObjectStore>, names: &[String]) -> Vec<String> {
    let buckets = kept(store.buckets().await);
    let names_of: Vec<String> = buckets.iter().map(Bucket::to_string).collect();
    assert!(
        names_of.is_sorted_by(|one, next| one < next),
        "{names_of:?}"
    );
    names_of
        .into_iter()
        .filter(|name| names.contains(name))
        .collect()
}
