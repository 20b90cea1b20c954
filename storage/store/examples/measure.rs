//! What a local store costs beside the bare system calls, on the disk of the folder given as the first argument (or of
//! the temporary folder): `cargo run --release -p ganglion-store --example measure -- FOLDER`.

use bytes::Bytes;
use ganglion_store::{
    ByteRange, LocalOptions, LocalStore, MemoryStore, ObjectStore, PlacedStore, PutOptions,
};
use ganglion_types::{Ambient, Bucket, NodeId, ObjectKey};
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const MANY: usize = 100_000;

struct Clock;

impl Ambient for Clock {
    fn monotonic_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the clock is not negative")
    }

    fn unix_ns(&self) -> u64 {
        self.monotonic_ns()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        fastrand::fill(buffer);
    }
}

/// Prints the median time of `rounds` runs of `work`, each of `repeats`.
async fn measure<F: Future<Output = ()>>(name: &str, repeats: u64, work: impl Fn() -> F) {
    let mut times = Vec::new();
    for _ in 0..9 {
        let start = Clock.monotonic_ns();
        for _ in 0..repeats {
            work().await;
        }
        times.push((Clock.monotonic_ns() - start) / repeats);
    }
    times.sort_unstable();
    let (micro, nano) = (times[4] / 1000, times[4] % 1000);
    println!("{name:<44} {micro:>8}.{nano:03} us");
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new("books", key).expect("a good key")
}

async fn put(store: &LocalStore, key: &ObjectKey, body: &Bytes) {
    let put = store.put(key, body.clone(), PutOptions::default()).await;
    put.expect("the disk has room");
}

async fn get(store: &LocalStore, key: &ObjectKey, range: ByteRange) {
    black_box(store.get(key, range, None).await.expect("it is there"));
}

fn open(folder: &Path, durable: bool) -> LocalStore {
    let options = LocalOptions {
        durable,
        ..LocalOptions::default()
    };
    LocalStore::open_with(folder, None, Arc::new(Clock), options).expect("the folder can be used")
}

/// The bare calls of a durable replacement.
fn bare_put(folder: &Path, body: &[u8], durable: bool) {
    let (new, name) = (folder.join("new"), folder.join("name"));
    let mut file = File::create(&new).expect("a new file");
    file.write_all(body).expect("room");
    if durable {
        file.sync_data().expect("a disk");
    }
    std::fs::rename(&new, &name).expect("a rename");
    if durable {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .expect("a disk");
    }
}

fn bare_get(file: &Path, length: usize) {
    let file = File::open(file).expect("it is there");
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).expect("it is whole");
    black_box(bytes);
}

async fn puts(folder: &Path, small: &Bytes, large: &Bytes) {
    let bare = folder.join("bare");
    std::fs::create_dir_all(&bare).expect("a folder");
    for durable in [true, false] {
        let store = open(&folder.join("store"), durable);
        let (s, l) = (if durable { 30 } else { 500 }, if durable { 5 } else { 10 });
        println!("-- writes, durable: {durable}");
        measure("bare   4 KiB (write, sync, rename, sync)", s, || async {
            bare_put(&bare, small, durable)
        })
        .await;
        measure("put    4 KiB", s, || {
            put(&store, black_box(&KEY_SMALL), small)
        })
        .await;
        measure("bare   4 MiB", l, || async {
            bare_put(&bare, large, durable)
        })
        .await;
        measure("put    4 MiB", l, || put(&store, &KEY_LARGE, large)).await;
    }
}

static KEY_SMALL: std::sync::LazyLock<ObjectKey> = std::sync::LazyLock::new(|| key("small"));
static KEY_LARGE: std::sync::LazyLock<ObjectKey> = std::sync::LazyLock::new(|| key("large"));

async fn gets(folder: &Path) {
    let store = open(&folder.join("store"), true);
    let file = |name: &str| -> PathBuf { folder.join("store/objects/books").join(name) };
    let (small, large) = (file("small"), file("large"));
    let middle = key("middle");
    put(&store, &middle, &Bytes::from(vec![1; 64 * KIB])).await;
    let part = ByteRange {
        offset: MIB as u64,
        length: 4096,
    };
    println!("-- reads, in the page cache");
    measure("bare   4 KiB (open, pread, close)", 5000, || async {
        bare_get(&small, 4 * KIB)
    })
    .await;
    measure("get    4 KiB", 5000, || {
        get(&store, &KEY_SMALL, ByteRange::ALL)
    })
    .await;
    measure("get    4 KiB of 4 MiB", 5000, || {
        get(&store, &KEY_LARGE, part)
    })
    .await;
    measure("get   64 KiB", 2000, || {
        get(&store, &middle, ByteRange::ALL)
    })
    .await;
    measure("bare   4 MiB", 50, || async { bare_get(&large, 4 * MIB) }).await;
    measure("get    4 MiB (checksum compared)", 50, || {
        get(&store, &KEY_LARGE, ByteRange::ALL)
    })
    .await;
    measure("view   4 MiB", 5000, || async {
        black_box(store.view(&KEY_LARGE).await.expect("it is there"));
    })
    .await;
    measure("stat", 20_000, || async {
        black_box(store.stat(&KEY_SMALL).await.expect("it is there"));
    })
    .await;
}

async fn many(folder: &Path) {
    let folder = folder.join("many");
    let store = open(&folder, false);
    println!("-- {MANY} objects in a bucket");
    for number in 0..MANY {
        put(
            &store,
            &key(&format!("shelf/{number:06}")),
            &Bytes::from_static(b"book"),
        )
        .await;
    }
    drop(store);
    for _ in 0..2 {
        let start = Clock.monotonic_ns();
        drop(open(&folder, false));
        println!("open {:>48} ms", (Clock.monotonic_ns() - start) / 1_000_000);
    }
    let store = open(&folder, false);
    let bucket = Bucket::new("books").expect("a good name");
    let middle = key("shelf/050000");
    measure("list 1000", 20, || async {
        let page = store.list(&bucket, "shelf/", Some(&middle.key), 1000).await;
        black_box(page.expect("it can be listed"));
    })
    .await;
    measure("get (4 bytes)", 5000, || {
        get(&store, &middle, ByteRange::ALL)
    })
    .await;
}

async fn homes() {
    let member = |number| {
        let node = NodeId::new(format!("storage-{number}")).expect("a good name");
        let store = MemoryStore::new(None, Arc::new(Clock), 1 << 30);
        (node, Arc::new(store) as Arc<dyn ObjectStore>)
    };
    let placed = PlacedStore::new((0..8).map(member).collect()).expect("eight nodes");
    println!("-- placement over 8 nodes");
    let key = key("shelf/050000");
    measure("home", 100_000, || async {
        black_box(placed.home(black_box(&key)));
    })
    .await;
}

#[tokio::main]
async fn main() {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder to work in");
    let (small, large) = (Bytes::from(vec![1; 4 * KIB]), Bytes::from(vec![2; 4 * MIB]));
    puts(folder.path(), &small, &large).await;
    gets(folder.path()).await;
    many(folder.path()).await;
    homes().await;
}
