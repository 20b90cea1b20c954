//! Clusters and stores for the tests.

use ganglion_dev_ceph::{MiniCeph, Options};
use ganglion_store::{RadosOptions, RadosStore};
use ganglion_types::{Ambient, ErrorKind, ObjectKey};
use parking_lot::Mutex;
use serde_json::Value;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;
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

    /// What `rados -p ganglion` says.
    #[track_caller]
    pub(crate) fn rados_output(&self, words: &[&str]) -> Vec<u8> {
        let mut rados = Command::new("rados");
        rados.args(["-p", "ganglion"]).args(words);
        rados.env("CEPH_CONF", self.ceph.conf());
        let output = rados.stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "rados {words:?}");
        output.stdout
    }

    /// Has the monitor carry out commands, as a manager might, which the program `ceph` does not let everyone; gives its
    /// answers. A client that is told `EPERM` does not know the cluster's number yet.
    pub(crate) fn ask_monitor(&self, commands: &[Value]) -> Vec<Value> {
        const PROGRAM: &str = "import rados, sys\n\
            cluster = rados.Rados(conffile=sys.argv[1])\n\
            cluster.connect()\n\
            for line in sys.stdin:\n    \
                code = -1\n    \
                while code == -1:\n        \
                    code, answer, words = cluster.mon_command(line, b'')\n    \
                assert code == 0, words\n    \
                print(answer.decode('utf-8', 'replace').strip() or 'null')\n";
        let mut asked = tempfile::tempfile().unwrap();
        for command in commands {
            writeln!(asked, "{command}").unwrap();
        }
        asked.rewind().unwrap();
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", PROGRAM]).arg(self.ceph.conf());
        let answered = python
            .stdin(asked)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(answered.status.success(), "{:?} ...", commands.first());
        let answers = String::from_utf8(answered.stdout).unwrap();
        let answers = answers
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        answers.collect()
    }

    /// Makes an OSD hang, and returns when each of its threads does.
    pub(crate) fn hang_osd(&self, index: u32) {
        self.ceph.stop_osd(index).unwrap();
        let pid = self.ceph.pids().unwrap()[&format!("osd.{index}")];
        let stopped = |thread: &Path| {
            let stat = std::fs::read_to_string(thread.join("stat")).unwrap_or_default();
            // Behind the name in brackets.
            stat.rsplit(") ")
                .next()
                .is_none_or(|rest| rest.starts_with('T'))
        };
        let all_stopped = || {
            let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            threads.all(|thread| stopped(&thread.unwrap().path()))
        };
        while !all_stopped() {
            std::thread::yield_now();
        }
    }

    pub(crate) async fn store(&self) -> RadosStore {
        connect(self.options()).await.unwrap()
    }
}

pub(crate) async fn connect(options: RadosOptions) -> ganglion_types::Result<RadosStore> {
    RadosStore::connect(options, Arc::new(Host)).await
}

/// A cluster that tests share which leave it as it is: brought up for the first of them, ended after the last.
fn share(known: &Mutex<Weak<Lab>>, change: impl FnOnce(&mut Options)) -> Arc<Lab> {
    let mut known = known.lock();
    if let Some(lab) = known.upgrade() {
        return lab;
    }
    let lab = Arc::new(Lab::up(change));
    *known = Arc::downgrade(&lab);
    lab
}

/// Three OSDs, open to all.
fn shared() -> Arc<Lab> {
    static LAB: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
    share(&LAB, |_| {})
}

/// One OSD, for users that prove who they are; it takes no long names.
pub(crate) fn guarded() -> Arc<Lab> {
    static LAB: Mutex<Weak<Lab>> = Mutex::new(Weak::new());
    share(&LAB, |options| {
        options.osds = 1;
        options.auth = true;
        options.extra = vec!["osd max object name len = 500".to_owned()];
    })
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

/// Asks until there is something, for half a minute.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(30), asking).await;
    found.unwrap_or_else(|_| panic!("not within 30 s: {what}"))
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(outcome: ganglion_types::Result<T>) -> ErrorKind {
    outcome.unwrap_err().kind()
}
