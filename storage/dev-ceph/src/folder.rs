//! A cluster's folder: where each thing lies, and the record from which any process can take the cluster up again.
//!
//! ```text
//! FOLDER/ceph.conf        what clients and daemons read
//! FOLDER/cluster.json     the record: how the cluster was made, and by whom
//! FOLDER/keys/            keyrings of users and daemons, `client.admin.keyring`
//! FOLDER/data/            folders of the monitor and of the OSDs
//! FOLDER/run/             admin sockets
//! FOLDER/log/             logs; all that stays after the end
//! ```

use crate::options::Options;
use crate::process;
use ganglion_types::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

/// Names of all that a cluster writes and that its end takes away.
const PARTS: [&str; 5] = ["ceph.conf", "keys", "data", "run", "cluster.json"];

/// What a folder's `cluster.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) options: Options,
    pub(crate) fsid: String,
    /// The process whose end is the cluster's. `None`: it stays until somebody ends it.
    pub(crate) owner: Option<Owner>,
}

/// A process, by its number and its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pid: u32,
    started_ticks: u64,
}

impl Owner {
    pub(crate) fn this_process() -> Result<Self> {
        let pid = std::process::id();
        let started_ticks = process::started_ticks(pid)
            .ok_or_else(|| Error::internal("reading /proc: this process is not in it"))?;
        Ok(Self { pid, started_ticks })
    }

    pub(crate) fn is_alive(self) -> bool {
        process::started_ticks(self.pid) == Some(self.started_ticks)
    }
}

/// The path of a cluster's folder, absolute and without links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it if it is missing.
    ///
    /// # Errors
    /// `Invalid` when its path is too long, `Internal` when it cannot be made.
    pub(crate) fn make(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| failed("making", path, error))?;
        let folder = Self::existing(path)?;
        let bytes = folder.0.as_os_str().len();
        if bytes > Options::FOLDER_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the cluster's folder {} has a path of {bytes} bytes, and sockets in it allow {}",
                folder.0.display(),
                Options::FOLDER_BYTES_MAX
            )));
        }
        Ok(folder)
    }

    /// # Errors
    /// `NotFound` when there is none.
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        path.canonicalize().map(Self).map_err(|_| none_in(path))
    }

    /// The folder of that path, which [`Folder::path`] once gave.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.0.join("ceph.conf")
    }

    pub(crate) fn keyring(&self, user: &str) -> PathBuf {
        self.0.join("keys").join(format!("{user}.keyring"))
    }

    pub(crate) fn data(&self, daemon: &str) -> PathBuf {
        self.0.join("data").join(daemon)
    }

    pub(crate) fn socket(&self, daemon: &str) -> PathBuf {
        self.0.join("run").join(format!("{daemon}.asok"))
    }

    pub(crate) fn log(&self, daemon: &str) -> PathBuf {
        self.0.join("log").join(format!("{daemon}.log"))
    }

    /// Keeps other processes from bringing up or ending the same cluster until the file is closed, also by death. `None`
    /// where the folder is gone, and with it what there was to fight over.
    pub(crate) fn lock(&self) -> Result<Option<File>> {
        let file = match File::open(&self.0) {
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| failed("opening", &self.0, error))?,
        };
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed("locking", &self.0, error.into()))?;
        Ok(Some(file))
    }

    /// Makes the folders that daemons expect.
    pub(crate) fn prepare(&self) -> Result<()> {
        for part in ["keys", "data", "run", "log"] {
            self.make_dir(&self.0.join(part))?;
        }
        Ok(())
    }

    pub(crate) fn make_dir(&self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(path).map_err(|error| failed("making", path, error))
    }

    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<()> {
        std::fs::write(path, text).map_err(|error| failed("writing", path, error))
    }

    /// Replaces the record whole, so that a reader never finds half of one.
    pub(crate) fn write_record(&self, record: &Record) -> Result<()> {
        let path = self.0.join("cluster.json");
        let text = serde_json::to_string_pretty(record)
            .map_err(|error| Error::internal(format!("the record of a cluster: {error}")))?;
        let new = self.0.join("run").join("cluster.json.new");
        self.write(&new, &text)?;
        std::fs::rename(&new, &path).map_err(|error| failed("writing", &path, error))
    }

    /// # Errors
    /// `NotFound` when the folder holds no cluster, `Corrupt` when its record cannot be read.
    pub(crate) fn record(&self) -> Result<Record> {
        let path = self.0.join("cluster.json");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == IoErrorKind::NotFound => return Err(none_in(&self.0)),
            text => text.map_err(|error| failed("reading", &path, error))?,
        };
        serde_json::from_str(&text).map_err(|error| {
            Error::corrupt(format!(
                "{} is not the record of a cluster: {error}",
                path.display()
            ))
        })
    }

    /// # Errors
    /// `Conflict` when something lies here that no cluster wrote: ending the cluster would delete it.
    pub(crate) fn check_unused(&self) -> Result<()> {
        for part in PARTS {
            let path = self.0.join(part);
            if path.exists() {
                return Err(Error::conflict(format!(
                    "{} is in the way: a cluster needs a folder of its own",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Takes away all that a cluster wrote except the logs. The record goes last: until then the rest can be found.
    pub(crate) fn clear(&self) -> Result<()> {
        for part in PARTS {
            let path = self.0.join(part);
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != IoErrorKind::NotFound => {
                    return Err(failed("removing", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn none_in(path: &Path) -> Error {
    Error::not_found(format!("no Ceph cluster in {}", path.display()))
}

fn failed(doing: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("{doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::make(dir.path()).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_record_reads_back_and_only_logs_outlive_the_end() {
        let (_dir, folder) = folder();
        folder.check_unused().unwrap();
        folder.prepare().unwrap();
        let record = Record {
            options: Options::new(folder.path()),
            fsid: "f".to_owned(),
            owner: Some(Owner::this_process().unwrap()),
        };
        folder.write_record(&record).unwrap();
        let read = folder.record().unwrap();
        assert_eq!((read.options, read.fsid), (record.options, record.fsid));
        assert!(read.owner.unwrap().is_alive());
        folder.clear().unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(folder.record().unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_folder_with_somebody_elses_configuration_is_left_alone() {
        let (dir, folder) = folder();
        std::fs::write(dir.path().join("ceph.conf"), "[global]").unwrap();
        let error = folder.check_unused().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_path_too_long_for_sockets_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Folder::make(&dir.path().join("x".repeat(100))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains("90"), "{error}");
    }
}
