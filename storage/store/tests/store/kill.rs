//! `kill -9` at any moment: what a [`LocalStore`] said it had done is there, and nothing is half done.
//!
//! The test runs this very binary again as a writer process ([`a_writer_process`]), which tells on its standard output what
//! it is about to do and what the store said it had done. The parent kills it after a random number of such lines, opens
//! the folder, and compares. Each key has one writer, so that at most one effect on it is under way when the kill comes.

use crate::{clock, key};
use bytes::Bytes;
use ganglion_store::{ByteRange, Condition, LocalStore, ObjectStore, PutOptions};
use ganglion_types::Bucket;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const KILLS: usize = 40;
const WRITERS: u64 = 4;
const KEYS_PER_WRITER: u64 = 5;
const MIB: usize = 1 << 20;

/// The content of a body, for lines and for comparing: `LENGTH:CRC32C`.
fn content(body: &[u8]) -> String {
    format!("{}:{:08x}", body.len(), crc32c::crc32c(body))
}

/// One line, in one write: a kill cuts between lines.
fn tell(line: impl Display) {
    let line = format!("@ {line}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// Not a test: the process that is killed. It is told its folder and its seed by one line on standard input.
#[test]
#[ignore = "started by `a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done`"]
fn a_writer_process() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let (seed, folder) = line.trim_end().split_once(' ').unwrap();
    let seed: u64 = seed.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let store = Arc::new(LocalStore::open(folder, None, clock()).unwrap());
    runtime.block_on(async {
        let writer = |writer| write_for_ever(store.clone(), writer, seed);
        futures::future::join_all((0..WRITERS).map(|number| tokio::spawn(writer(number)))).await
    });
}

async fn write_for_ever(store: Arc<LocalStore>, writer: u64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed ^ (writer << 32));
    loop {
        let name = format!("w{writer}/k{}", random.u64(..KEYS_PER_WRITER));
        let key = key(&name);
        if random.u8(..5) == 0 {
            tell(format!("deleting {name}"));
            if store.delete(&key, Condition::None).await.is_ok() {
                tell(format!("deleted {name}"));
            }
            continue;
        }
        let size = match random.u8(..10) {
            0 => 0,
            1 => random.usize(..3 * MIB),
            _ => random.usize(..20_000),
        };
        let mut body = vec![0; size];
        random.fill(&mut body);
        let content = content(&body);
        tell(format!("putting {name} {content}"));
        let body = Bytes::from(body);
        let version = if random.bool() {
            let meta = store.put(&key, body, PutOptions::default()).await.unwrap();
            meta.version
        } else {
            let mut upload = store.upload(&key, PutOptions::default()).await.unwrap();
            upload.write(body.slice(..size / 2)).await.unwrap();
            upload.write(body.slice(size / 2..)).await.unwrap();
            upload.commit().await.unwrap().version
        };
        tell(format!("put {name} {content} {version}"));
    }
}

/// What is known of one key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    /// The content that was acknowledged; `None` when none or deleted.
    acknowledged: Option<String>,
    /// The effect that was begun and not acknowledged: a content, or `None` for a delete.
    under_way: Option<Option<String>>,
    /// The greatest version that the key ever had.
    version: u64,
}

type Keys = BTreeMap<String, Known>;

fn hear(keys: &mut Keys, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let known = keys.entry(words[1].to_owned()).or_default();
    match words[..] {
        ["putting", _, content] => known.under_way = Some(Some(content.to_owned())),
        ["deleting", _] => known.under_way = Some(None),
        ["put", _, content, version] => {
            let version = version.parse().unwrap();
            assert!(version > known.version, "{line} after {known:?}");
            *known = Known {
                acknowledged: Some(content.to_owned()),
                under_way: None,
                version,
            };
        }
        ["deleted", _] => (known.acknowledged, known.under_way) = (None, None),
        _ => panic!("{line}"),
    }
}

fn start(folder: &Path, seed: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::a_writer_process",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = format!("{seed} {}\n", folder.display());
    child
        .stdin
        .take()
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
    child
}

/// Lets a writer run for `lines` lines, kills it, and hears what it had still said.
fn run_and_kill(folder: &Path, seed: u64, lines: usize, keys: &mut Keys) {
    let mut child = start(folder, seed);
    let mut heard = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness talks too.
        let Some(line) = line.strip_prefix("@ ") else {
            continue;
        };
        hear(keys, line);
        heard += 1;
        if heard == lines {
            child.kill().unwrap();
        }
    }
    assert!(heard >= lines, "the writer ended by itself");
    child.wait().unwrap();
}

/// Opens the folder and compares it with what is known, which then becomes what was found.
async fn compare(folder: &Path, keys: &mut Keys) {
    let store = LocalStore::open(folder, None, clock()).unwrap();
    assert_eq!(
        fs::read_dir(folder.join("pending")).unwrap().count(),
        0,
        "a leftover"
    );
    let mut found = Vec::new();
    for (name, known) in keys.iter_mut() {
        let key = key(name);
        let (now, version) = match store.get(&key, ByteRange::ALL, None).await {
            Ok(read) => (Some(content(&read.bytes)), read.meta.version.0),
            Err(error) if error.kind() == ganglion_types::ErrorKind::NotFound => (None, 0),
            Err(error) => panic!("{error}"),
        };
        if now != known.acknowledged {
            assert_eq!(Some(&now), known.under_way.as_ref(), "{name}: {known:?}");
            assert!(
                now.is_none() || version > known.version,
                "{name}: {known:?} {version}"
            );
        } else if now.is_some() && version != known.version {
            // The same content written again, which was under way: empty objects are all alike.
            assert_eq!(Some(&now), known.under_way.as_ref(), "{name}: {known:?}");
            assert!(version > known.version, "{name}: {known:?} {version}");
        }
        if now.is_some() {
            found.push(name.clone());
        }
        known.version = known.version.max(version);
        (known.acknowledged, known.under_way) = (now, None);
    }
    let bucket = Bucket::new("books").unwrap();
    let page = store.list(&bucket, "", None, 10_000).await.unwrap();
    let listed: Vec<String> = page
        .objects
        .iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!(listed, found, "a listing after the kill");
    if let Ok(files) = fs::read_dir(folder.join("objects/books")) {
        assert_eq!(files.count(), found.len(), "a file that is no object");
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut keys = Keys::new();
    for round in 0..KILLS {
        let lines = random.usize(1..120);
        println!("round {round}: a kill after {lines} lines");
        run_and_kill(folder.path(), random.u64(..), lines, &mut keys);
        compare(folder.path(), &mut keys).await;
    }
}
