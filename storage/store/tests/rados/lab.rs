//! Clusters and stores for the tests.

use ganglion_dev_ceph::{MiniCeph, Options};
use ganglion_store::{RadosOptions, RadosStore};
use ganglion_types::{Ambient, ErrorKind, ObjectKey};
use parking_lot::Mutex;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Weak};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// The host's clocks, and randomness.
pub(crate) struct Host;

impl Ambient for Host {
    fn monotonic_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap()
    }

    fn unix_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).unwrap()
    }

    fn fill_random(&self, buffer: &mut [u8]) {
        fastrand::fill(buffer);
    }
}

/// A cluster in a folder of its own, ended when dropped.
pub(crate) struct Lab {
    pub(crate) ceph: MiniCeph,
    _folder: TempDir,
}

impl Lab {
    pub(crate) fn up(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path().join("ceph"));
        change(&mut options);
        Self {
            ceph: MiniCeph::up(&options).unwrap(),
            _folder: folder,
        }
    }

    pub(crate) fn options(&self) -> RadosOptions {
        RadosOptions {
            conf: self.ceph.conf(),
            ..RadosOptions::default()
        }
    }

    /// Runs `rados -p ganglion` with `input`.
    #[track_caller]
    pub(crate) fn rados(&self, words: &[&str], input: &str) {
        let mut rados = Command::new("rados");
        rados.args(["-p", "ganglion"]).args(words);
        rados.env("CEPH_CONF", self.ceph.conf());
        let mut rados = rados.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = rados.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        assert!(rados.wait().unwrap().success(), "rados {words:?}");
    }

    pub(crate) async fn store(&self) -> RadosStore {
        connect(self.options()).await.unwrap()
    }
}

pub(crate) async fn connect(options: RadosOptions) -> ganglion_types::Result<RadosStore> {
    RadosStore::connect(options, Arc::new(Host)).await
}

/// The cluster that tests share which leave it as it is: brought up for the first of them, ended after the last.
pub(crate) fn shared() -> Arc<Lab> {
    static LAB: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
    let mut known = LAB.lock();
    if let Some(lab) = known.upgrade() {
        return lab;
    }
    let lab = Arc::new(Lab::up(|_| {}));
    *known = Arc::downgrade(&lab);
    lab
}

/// The shared cluster and a store there, for a test on a runtime with several threads.
pub(crate) fn shared_store() -> (Arc<Lab>, RadosStore) {
    tokio::task::block_in_place(|| {
        let lab = shared();
        let store = Handle::current().block_on(lab.store());
        (lab, store)
    })
}

pub(crate) fn key(bucket: &str, key: &str) -> ObjectKey {
    ObjectKey::new(bucket, key).unwrap()
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(outcome: ganglion_types::Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}
