//! [`LocalStore`] beyond the suite: its folder over restarts, and what is done with a broken one.

use crate::{clock, key, kind};
use bytes::Bytes;
use ganglion_store::{
    ByteRange, CommitId, Condition, LocalOptions, LocalStore, NAMES_MAX, ObjectMeta, ObjectStore,
    ObjectView, PutOptions, Version, suite,
};
use ganglion_types::{Bucket, CallId, ErrorKind, Key, ObjectKey};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn fresh() -> (TempDir, Arc<dyn ObjectStore>) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), None, clock()).unwrap();
    (folder, Arc::new(store))
}

ganglion_store::suite_tests!(fresh);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_store_keeps_every_promise_in_turn() {
    let (_folder, store) = fresh();
    suite::run_all(store).await;
}

#[tokio::test]
async fn the_limit_is_in_the_error() {
    for object_bytes_max in [10_000, 5 << 20] {
        let options = LocalOptions {
            object_bytes_max,
            ..LocalOptions::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open_with(folder.path(), None, clock(), options).unwrap();
        let limit = usize::try_from(object_bytes_max).unwrap();
        suite::an_object_beyond_the_limit_is_refused(Arc::new(store), limit).await;
    }
}

fn open(folder: &Path) -> LocalStore {
    LocalStore::open(folder, None, clock()).unwrap()
}

async fn put(store: &LocalStore, key: &ObjectKey, body: &'static str) -> u64 {
    let body = Bytes::from_static(body.as_bytes());
    let meta = store.put(key, body, PutOptions::default()).await.unwrap();
    meta.version.0
}

async fn get(store: &LocalStore, key: &ObjectKey) -> ganglion_types::Result<Bytes> {
    let read = store.get(key, ByteRange::ALL, None).await?;
    Ok(read.bytes)
}

async fn list(store: &LocalStore) -> ganglion_types::Result<Vec<String>> {
    let bucket = Bucket::new("books").unwrap();
    let page = store.list(&bucket, "", None, 10_000).await?;
    Ok(page
        .objects
        .iter()
        .map(|(key, _)| key.to_string())
        .collect())
}

/// The files of a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_second_store_of_the_same_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let error = LocalStore::open(folder.path(), None, clock())
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let path = folder.path().to_str().unwrap();
    assert!(error.message().contains(path), "{error}");
    drop(first);
    open(folder.path());
}

#[tokio::test]
async fn a_restart_finds_every_object_with_its_meta_and_its_effect() {
    let folder = tempfile::tempdir().unwrap();
    let commit = Some(CommitId {
        call: CallId(77),
        sequence: 2,
    });
    let options = PutOptions {
        commit,
        ..PutOptions::default()
    };
    let long = "ü/".repeat(341);
    let keys = [key("a"), key(&long), key(&format!("{long}x")), key("../x")];
    let mut metas = Vec::new();
    let store = open(folder.path());
    for key in &keys {
        let body = Bytes::from(key.to_string());
        metas.push(store.put(key, body, options).await.unwrap());
    }
    drop(store);
    let store = open(folder.path());
    for (key, meta) in keys.iter().zip(&metas) {
        assert_eq!(&store.stat(key).await.unwrap(), meta);
        assert_eq!(get(&store, key).await.unwrap(), key.to_string());
        let repeat = store.put(key, Bytes::new(), options).await.unwrap();
        assert_eq!(&repeat, meta, "an effect was done twice");
    }
    let mut sorted: Vec<String> = keys.iter().map(|key| key.key.to_string()).collect();
    sorted.sort_unstable();
    assert_eq!(list(&store).await.unwrap(), sorted);
}

fn effect(call: u128) -> PutOptions {
    let commit = CommitId {
        call: CallId(call),
        sequence: 0,
    };
    PutOptions {
        commit: Some(commit),
        ..PutOptions::default()
    }
}

#[tokio::test]
async fn a_repeat_is_recognised_behind_other_writes_and_a_restart_and_then_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("k");
    let others = NAMES_MAX as u128;
    let mut store = open(folder.path());
    for call in 0..others {
        if call % 16 == 0 {
            drop(store);
            store = open(folder.path());
        }
        let body = Bytes::from(format!("of {call}"));
        store.put(&key, body, effect(call)).await.unwrap();
    }
    drop(store);
    let store = open(folder.path());
    let last = store.stat(&key).await.unwrap();
    for call in 0..others {
        let repeat = store.put(&key, Bytes::new(), effect(call)).await.unwrap();
        assert_eq!(repeat, last, "{call} was done twice");
    }
    assert_eq!(
        get(&store, &key).await.unwrap(),
        format!("of {}", others - 1)
    );

    store
        .put(&key, "one more".into(), effect(others))
        .await
        .unwrap();
    let anew = store.put(&key, "of 0".into(), effect(0)).await.unwrap();
    assert!(anew.version > last.version);
    assert_eq!(get(&store, &key).await.unwrap(), "of 0");
}

/// A folder as a build left it that wrote the former format: `by-effect` with its name, and `nameless`, which is empty.
fn former_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let objects = folder.path().join("objects/books");
    fs::create_dir_all(&objects).unwrap();
    let mark = b"GANGVER1\x01\0\x01\0\0\0\0\0\xac\xf6\xe3\x3c";
    fs::write(folder.path().join("versions"), mark).unwrap();
    let mut file = b"old".to_vec();
    file.resize(4096, 0);
    file.extend_from_slice(
        b"books/by-effect\
        \x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x68\xe5\xcf\x8b\x01\0\0\
        \x10\x32\x54\x76\x98\xba\xdc\xfe\xef\xcd\xab\x89\x67\x45\x23\x01\x07\0\0\0\x01\0\0\0\
        \x04\x01\xba\xff\x0f\0\0\0\0\0\0\0\xd7\x93\x85\x7dGANGOBJ1",
    );
    fs::write(objects.join("by-effect"), file).unwrap();
    let file = b"books/nameless\
        \0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\x68\xe5\xcf\x8b\x01\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \0\0\0\0\x0e\0\0\0\0\0\0\0\x13\xf6\xd4\x9eGANGOBJ1";
    fs::write(objects.join("nameless"), file).unwrap();
    folder
}

#[tokio::test]
async fn files_of_the_former_format_are_objects_whose_effect_is_known() {
    let folder = former_folder();
    let [by_effect, nameless] = [key("by-effect"), key("nameless")];
    let meta = |size_bytes, version| ObjectMeta {
        size_bytes,
        version: Version(version),
        modified_ms: 1_700_000_000_000,
    };
    let former = PutOptions {
        condition: Condition::Absent,
        commit: Some(CommitId {
            call: CallId(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210),
            sequence: 7,
        }),
    };
    let store = open(folder.path());
    assert_eq!(list(&store).await.unwrap(), ["by-effect", "nameless"]);
    assert_eq!(store.verify(&by_effect).await.unwrap(), meta(3, 1));
    assert_eq!(store.verify(&nameless).await.unwrap(), meta(0, 2));
    assert_eq!(get(&store, &by_effect).await.unwrap(), "old");
    assert_eq!(get(&store, &nameless).await.unwrap(), "");
    let repeat = store.put(&by_effect, "again".into(), former).await;
    assert_eq!(repeat.unwrap(), meta(3, 1));
    let another = store.put(&nameless, "x".into(), former).await;
    assert_eq!(kind(another), ErrorKind::Conflict);

    // Its name is carried on into the new format.
    let newer = store
        .put(&by_effect, "new".into(), effect(1))
        .await
        .unwrap();
    assert!(newer.version > Version(2));
    drop(store);
    let store = open(folder.path());
    for options in [former, effect(1)] {
        let repeat = store.put(&by_effect, "again".into(), options).await;
        assert_eq!(repeat.unwrap(), newer);
    }
    assert_eq!(get(&store, &by_effect).await.unwrap(), "new");
}

#[tokio::test]
async fn versions_of_deleted_objects_do_not_come_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..5 {
        let store = open(folder.path());
        let version = put(&store, &key("k"), "x").await;
        assert!(version > last);
        last = version;
        store.delete(&key("k"), Condition::None).await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_whose_mark_of_versions_is_lost_or_broken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    put(&open(folder.path()), &key("k"), "x").await;
    let mark = folder.path().join("versions");
    let bytes = fs::read(&mark).unwrap();
    for broken in [None, Some(Vec::new()), Some(bytes[1..].to_vec())] {
        match broken {
            None => fs::remove_file(&mark).unwrap(),
            Some(broken) => fs::write(&mark, broken).unwrap(),
        }
        let error = LocalStore::open(folder.path(), None, clock())
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains("versions"), "{error}");
    }
    fs::write(&mark, bytes).unwrap();
    open(folder.path());
}

#[tokio::test]
async fn what_was_pending_is_removed_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &key("k"), "x").await;
    drop(store);
    fs::write(folder.path().join("pending/17"), "half an obj").unwrap();
    let store = open(folder.path());
    assert_eq!(files(folder.path().join("pending")), [] as [PathBuf; 0]);
    assert_eq!(list(&store).await.unwrap(), ["k"]);
}

#[tokio::test]
async fn uploads_that_are_dropped_or_refused_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &key("k"), "x").await;
    let absent = PutOptions {
        condition: Condition::Absent,
        commit: None,
    };
    let large = Bytes::from(vec![7; 5 << 20]);
    for commit in [false, true] {
        let mut upload = store.upload(&key("k"), absent).await.unwrap();
        upload.write(large.clone()).await.unwrap();
        if commit {
            assert_eq!(kind(upload.commit().await), ErrorKind::Conflict);
        }
    }
    assert_eq!(
        kind(store.put(&key("k"), large, absent).await),
        ErrorKind::Conflict
    );
    assert_eq!(files(folder.path().join("pending")), [] as [PathBuf; 0]);
    assert_eq!(files(folder.path().join("objects/books")).len(), 1);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_happens_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for polls in 0..6 {
        let key = key(&format!("k{polls}"));
        let mut put = store.put(&key, Bytes::from_static(b"whole"), PutOptions::default());
        for _ in 0..polls {
            let _ = futures::poll!(&mut put);
            tokio::task::yield_now().await;
        }
        drop(put);
        // The lock of the key is free again, whatever became of it.
        match get(&store, &key).await {
            Ok(bytes) => assert_eq!(bytes, "whole"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
        put_again(&store, &key).await;
    }
}

async fn put_again(store: &LocalStore, key: &ObjectKey) {
    put(store, key, "again").await;
    assert_eq!(get(store, key).await.unwrap(), "again");
}

#[tokio::test]
async fn behind_a_views_object_its_last_page_is_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &key("k"), "short").await;
    let ObjectView::File { file, .. } = store.view(&key("k")).await.unwrap() else {
        panic!("a local store's view is a file");
    };
    let mut page = [1; 4096];
    file.read_exact_at(&mut page, 0).unwrap();
    assert_eq!(&page[..5], b"short");
    assert!(page[5..].iter().all(|byte| *byte == 0));
}

/// A store with the objects `bad` (5 bytes) and `good`, and the path of the file of `bad`.
async fn with_two_objects() -> (TempDir, LocalStore, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, &key("bad"), "right").await;
    put(&store, &key("good"), "right").await;
    let file = folder.path().join("objects/books/bad");
    (folder, store, file)
}

fn assert_names_the_object(error: ganglion_types::Error) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains("books/bad"), "{error}");
}

#[tokio::test]
async fn changed_bytes_are_corrupt_and_never_an_answer() {
    let (_folder, store, file) = with_two_objects().await;
    let mut bytes = fs::read(&file).unwrap();
    bytes[2] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_names_the_object(get(&store, &key("bad")).await.unwrap_err());
    assert_names_the_object(store.verify(&key("bad")).await.unwrap_err());
    store.verify(&key("good")).await.unwrap();
    put(&store, &key("bad"), "anew").await;
    store.verify(&key("bad")).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_cut_swapped_or_removed_under_the_store_is_corrupt() {
    for damage in 0..3 {
        let (folder, store, file) = with_two_objects().await;
        match damage {
            0 => fs::write(&file, "right").unwrap(),
            1 => drop(fs::copy(folder.path().join("objects/books/good"), &file).unwrap()),
            _ => fs::remove_file(&file).unwrap(),
        }
        let range = ByteRange {
            offset: 1,
            length: 2,
        };
        let read = store.get(&key("bad"), range, None).await;
        assert_names_the_object(read.unwrap_err());
        assert_names_the_object(store.view(&key("bad")).await.unwrap_err());
        assert_names_the_object(store.verify(&key("bad")).await.unwrap_err());
        assert_eq!(get(&store, &key("good")).await.unwrap(), "right");
        store.delete(&key("bad"), Condition::None).await.unwrap();
        assert_eq!(kind(store.stat(&key("bad")).await), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn an_object_that_is_unreadable_at_the_start_is_named_and_can_be_mended() {
    for mend_by_delete in [true, false] {
        let (folder, store, file) = with_two_objects().await;
        let version = store.stat(&key("bad")).await.unwrap().version;
        drop(store);
        fs::write(&file, "half an obj").unwrap();
        let store = open(folder.path());
        assert_names_the_object(store.stat(&key("bad")).await.unwrap_err());
        assert_names_the_object(get(&store, &key("bad")).await.unwrap_err());
        assert_names_the_object(list(&store).await.unwrap_err());
        let on = PutOptions {
            condition: Condition::Version(version),
            commit: None,
        };
        let put_on_version = store.put(&key("bad"), Bytes::new(), on).await;
        assert_names_the_object(put_on_version.unwrap_err());
        assert_eq!(get(&store, &key("good")).await.unwrap(), "right");
        assert_eq!(store.buckets().await.unwrap().len(), 1);
        if mend_by_delete {
            store.delete(&key("bad"), Condition::None).await.unwrap();
            assert_eq!(list(&store).await.unwrap(), ["good"]);
        } else {
            assert!(put(&store, &key("bad"), "anew").await > version.0);
            assert_eq!(list(&store).await.unwrap(), ["bad", "good"]);
        }
    }
}

#[tokio::test]
async fn an_unreadable_object_of_a_long_key_is_found_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let long = key(&"long".repeat(200));
    put(&open(folder.path()), &long, "right").await;
    let file = files(folder.path().join("objects/books")).remove(0);
    fs::write(file, "half an obj").unwrap();
    let store = open(folder.path());
    assert_eq!(kind(store.stat(&long).await), ErrorKind::Corrupt);
    assert_eq!(kind(list(&store).await), ErrorKind::Corrupt);
    put_again(&store, &long).await;
    assert_eq!(list(&store).await.unwrap().len(), 1);
}

#[tokio::test]
async fn files_that_are_not_objects_are_left_alone() {
    let (folder, store, _) = with_two_objects().await;
    drop(store);
    let foreign = folder.path().join("objects/books/.notes");
    fs::write(&foreign, "mine").unwrap();
    fs::create_dir(folder.path().join("objects/lost+found")).unwrap();
    let store = open(folder.path());
    assert_eq!(list(&store).await.unwrap(), ["bad", "good"]);
    assert_eq!(fs::read(&foreign).unwrap(), b"mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_at_most_ten_thousand_objects() {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        durable: false,
        ..LocalOptions::default()
    };
    let store = LocalStore::open_with(folder.path(), None, clock(), options).unwrap();
    for number in 0..10_001 {
        put(&store, &key(&format!("{number:05}")), "").await;
    }
    let bucket = Bucket::new("books").unwrap();
    let page = store.list(&bucket, "", None, usize::MAX).await.unwrap();
    assert_eq!((page.objects.len(), page.more), (10_000, true));
    let after: &Key = &page.objects[9_999].0;
    let page = store.list(&bucket, "", Some(after), 10).await.unwrap();
    assert_eq!((page.objects.len(), page.more), (1, false));
}

#[tokio::test]
async fn a_closed_folder_is_free_although_children_are_being_started() {
    let folder = tempfile::tempdir().unwrap();
    let starting = std::thread::spawn(|| {
        for _ in 0..200 {
            std::process::Command::new("true").status().unwrap();
        }
    });
    while !starting.is_finished() {
        open(folder.path());
    }
    starting.join().unwrap();
}
