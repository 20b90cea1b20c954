//! A cluster in a folder of its own, and objects in it by Ceph's own client.

use ganglion_dev_ceph::{MiniCeph, Options, Place};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The pool that every cluster begins with.
pub(crate) const POOL: &str = "ganglion";

pub(crate) struct Lab {
    pub(crate) ceph: MiniCeph,
    pub(crate) folder: TempDir,
}

impl Lab {
    pub(crate) fn up() -> Self {
        Self::up_with(|_| {})
    }

    pub(crate) fn up_with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(folder.path());
        change(&mut options);
        let ceph = MiniCeph::up(&options).unwrap();
        Self { ceph, folder }
    }

    /// Ends it, and looks at what is left.
    pub(crate) fn down(self) {
        self.ceph.down().unwrap();
        assert_nothing_left(self.folder.path());
    }

    pub(crate) fn put(&self, object: &str, bytes: &[u8]) {
        let put = put(self.rados(), POOL, object, bytes);
        assert!(put.status.success(), "{put:?}");
    }

    pub(crate) fn get(&self, object: &str) -> Vec<u8> {
        let got = get(self.rados(), POOL, object);
        assert!(got.status.success(), "{got:?}");
        got.stdout
    }

    /// Names of enough objects that every OSD has some, each with its name for its bytes.
    pub(crate) fn put_many(&self) -> Vec<String> {
        let names: Vec<String> = (0..24).map(|index| format!("object-{index}")).collect();
        for name in &names {
            self.put(name, name.as_bytes());
        }
        names
    }

    pub(crate) fn assert_all_there(&self, names: &[String]) {
        for name in names {
            assert_eq!(self.get(name), name.as_bytes(), "{name}");
        }
    }

    pub(crate) fn rados(&self) -> Command {
        self.ceph.command_in(Place::Root, "rados")
    }
}

pub(crate) fn put(mut rados: Command, pool: &str, object: &str, bytes: &[u8]) -> Output {
    rados
        .args(["-p", pool, "put", object, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = rados.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn get(mut rados: Command, pool: &str, object: &str) -> Output {
    rados
        .args(["-p", pool, "get", object, "-"])
        .output()
        .unwrap()
}

/// No daemon has its files in `folder`, and only logs are in it.
pub(crate) fn assert_nothing_left(folder: &Path) {
    let marks = folder.canonicalize().unwrap();
    let mark = marks.to_str().unwrap();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let line = std::fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(
            !(line.starts_with("ceph-") && line.contains(mark)),
            "left running: {line}"
        );
    }
    let left: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["log"]);
}

/// The network namespaces and interfaces whose names begin with `prefix`.
pub(crate) fn network_of(prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["/run/netns", "/sys/class/net"] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.filter(|name| name.starts_with(&format!("{prefix}-"))));
    }
    found.sort();
    found
}
