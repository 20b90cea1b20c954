//! What a store in RADOS costs beside `rados bench`, in the same run: `cargo run --release -p ganglion-store --features ceph
//! --example rados`, at a cluster of its own in memory; or, behind `--`, the path of a `ceph.conf` and the name of a pool,
//! which is written to.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use ganglion_dev_ceph::{MiniCeph, Options};
use ganglion_store::{ByteRange, ObjectStore, PutOptions, RadosOptions, RadosStore, Wait};
use ganglion_types::{Ambient, ObjectKey};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::runtime::Handle;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Objects that are read and written in turn.
const OBJECTS: usize = 16;
const SECONDS: u64 = 3;

struct Host;

impl Ambient for Host {
    fn monotonic_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the clock is not negative")
    }

    fn unix_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the clock is not negative")
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        fastrand::fill(buffer);
    }
}

fn key(number: usize) -> ObjectKey {
    ObjectKey::new("measure", format!("object-{}", number % OBJECTS)).expect("a good key")
}

/// Runs `work` for some seconds, `depth` at once, and prints how long each took and how many bytes went by.
async fn measure<F: Future<Output = ()>>(
    name: &str,
    depth: usize,
    bytes: usize,
    work: impl Fn(usize) -> F,
) {
    let timed = |number| {
        let running = work(number);
        async move {
            let start = Host.monotonic_ns();
            running.await;
            Host.monotonic_ns() - start
        }
    };
    let start = Host.monotonic_ns();
    let mut under_way: FuturesUnordered<_> = (0..depth).map(timed).collect();
    let mut times = Vec::new();
    while let Some(time) = under_way.next().await {
        times.push(time);
        if Host.monotonic_ns() - start < SECONDS * 1_000_000_000 {
            under_way.push(timed(times.len() + depth));
        }
    }
    report(name, depth, bytes, times, Host.monotonic_ns() - start);
}

fn report(name: &str, depth: usize, bytes: usize, mut times: Vec<u64>, took_ns: u64) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100] / 1000;
    let mean = times.iter().sum::<u64>() / times.len() as u64 / 1000;
    let rate = times.len() as u64 * 1_000_000_000 / took_ns;
    let mib = (times.len() * bytes) as u64 * 1000 / (took_ns / 1_000_000) / MIB as u64;
    let (p50, p99) = (at(50), at(99));
    println!(
        "{name:<36} qd {depth:<2} mean {mean:>6} us  p50 {p50:>6}  p99 {p99:>6}  {rate:>6}/s  {mib:>5} MiB/s"
    );
}

/// `rados bench`, and the lines of it that say the same.
fn bench(cluster: &RadosOptions, mode: &[&str], depth: usize) {
    let mut rados = Command::new("rados");
    rados
        .arg("-c")
        .arg(&cluster.conf)
        .args(["-p", &cluster.pool, "bench"]);
    rados
        .arg(SECONDS.to_string())
        .args(mode)
        .args(["-t", &depth.to_string()]);
    let output = rados.output().expect("the program `rados` of ceph-common");
    let text = String::from_utf8_lossy(&output.stdout);
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().last());
        number
            .and_then(|number| number.parse::<f64>().ok())
            .unwrap_or(f64::NAN)
    };
    let mean_us = value("Average Latency(s)") * 1e6;
    let (rate, mib) = (value("Average IOPS"), value("Bandwidth (MB/sec)"));
    let name = format!("  rados bench {}", mode.join(" "));
    println!(
        "{name:<36} qd {depth:<2} mean {mean_us:>6.0} us  {:>24}  {rate:>6.0}/s  {mib:>5.0} MiB/s",
        ""
    );
}

async fn size(store: &RadosStore, options: &RadosOptions, name: &str, bytes: usize) {
    let body = Bytes::from(vec![7; bytes]);
    let length = bytes.to_string();
    println!("-- {name}");
    for depth in [1, 8] {
        bench(options, &["write", "-b", &length, "--no-cleanup"], depth);
        let put = |number: usize| {
            let body = body.clone();
            async move {
                let put = store.put(&key(number), body, PutOptions::default()).await;
                black_box(put.expect("the pool has room"));
            }
        };
        measure(&format!("put {name}"), depth, bytes, put).await;
        bench(options, &["rand"], depth);
        let get = |number: usize| async move {
            let read = store.get(&key(number), ByteRange::ALL, None).await;
            black_box(read.expect("it is there"));
        };
        measure(&format!("get {name}"), depth, bytes, get).await;
    }
    lent(store, name, bytes).await;
}

/// The same reads into memory that is lent, on a thread that blocks.
async fn lent(store: &RadosStore, name: &str, bytes: usize) {
    let mut versions = Vec::new();
    for number in 0..OBJECTS {
        let meta = store.stat(&key(number)).await;
        versions.push(meta.expect("it was put").version);
    }
    let store = store.clone();
    let name = format!("read_into {name}");
    let lending = tokio::task::spawn_blocking(move || {
        let runtime = Handle::current();
        let (mut into, mut times) = (vec![0; bytes], Vec::new());
        let start = Host.monotonic_ns();
        while Host.monotonic_ns() - start < SECONDS * 1_000_000_000 {
            let begun = Host.monotonic_ns();
            let number = times.len() % OBJECTS;
            let wait: &mut Wait<'_> = &mut |reading| {
                runtime.block_on(reading);
                Ok(())
            };
            let read = store.read_into(&key(number), versions[number], 0, &mut into, wait);
            read.expect("it is offered").expect("it is there");
            times.push(Host.monotonic_ns() - begun);
        }
        report(&name, 1, bytes, times, Host.monotonic_ns() - start);
    });
    lending.await.expect("reading does not panic");
}

fn homes(store: &RadosStore) {
    const KEYS: usize = 1_000_000;
    let keys: Vec<ObjectKey> = (0..OBJECTS).map(key).collect();
    let start = Host.monotonic_ns();
    for number in 0..KEYS {
        black_box(store.osd_of(black_box(&keys[number % OBJECTS])));
    }
    let osd = (Host.monotonic_ns() - start) / KEYS as u64;
    let start = Host.monotonic_ns();
    for number in 0..KEYS {
        black_box(store.home(black_box(&keys[number % OBJECTS])));
    }
    let home = (Host.monotonic_ns() - start) / KEYS as u64;
    println!("-- placement\nosd_of {osd} ns, home {home} ns");
}

#[tokio::main]
async fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder to work in");
    let (options, _ceph) = match &given[..] {
        [conf, pool] => {
            let options = RadosOptions {
                conf: Path::new(conf).to_owned(),
                pool: pool.clone(),
                ..RadosOptions::default()
            };
            (options, None)
        }
        _ => {
            let ceph = Options {
                replicas: Some(1),
                ..Options::new(folder.path().join("ceph"))
            };
            let ceph = MiniCeph::up(&ceph).expect("a cluster of our own");
            let options = RadosOptions {
                conf: ceph.conf(),
                ..RadosOptions::default()
            };
            (options, Some(ceph))
        }
    };
    let start = Host.monotonic_ns();
    let store = RadosStore::connect(options.clone(), Arc::new(Host)).await;
    let store = store.expect("a cluster that takes us");
    println!("connect {} ms", (Host.monotonic_ns() - start) / 1_000_000);
    homes(&store);
    size(&store, &options, "4 KiB", 4 * KIB).await;
    size(&store, &options, "4 MiB", 4 * MIB).await;
}
