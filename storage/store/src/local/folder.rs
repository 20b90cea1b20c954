//! The folder on disk: its lock, its places, and the few calls to the kernel that change it.

use super::error::failed;
use super::name;
use ganglion_types::{Bucket, Error, ObjectKey, Result};
use parking_lot::Mutex;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a file may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Only as far as memory has it; fit for a thread that must not wait.
    Cached,
    /// As long as the disk takes.
    Blocking,
}

/// An open folder; the only one in any process (its lock file is held).
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    durable: bool,
    objects: OwnedFd,
    pending: OwnedFd,
    next_pending: AtomicU64,
    /// Buckets whose folder is there and would be after a power loss.
    settled: Mutex<HashSet<Bucket>>,
    lock: File,
}

impl Folder {
    /// Makes what is missing, takes the lock, and removes what an earlier process left half-written.
    ///
    /// # Errors
    /// `Unavailable` when another store has the folder open.
    pub(super) fn open(path: &Path, durable: bool) -> Result<Self> {
        fs::create_dir_all(path).map_err(|cause| failed(doing("making", path), cause))?;
        let lock = take_lock(path)?;
        let objects = make_folder(&path.join("objects"))?;
        let pending = make_folder(&path.join("pending"))?;
        clear(&path.join("pending"))?;
        let folder = Self {
            path: path.to_owned(),
            durable,
            objects,
            pending,
            next_pending: AtomicU64::new(0),
            settled: Mutex::default(),
            lock,
        };
        folder.sync_folder(path)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the buckets' folders are.
    pub(super) fn objects_path(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// A new file that is nobody's object, and its name.
    pub(super) fn create_pending(&self) -> Result<(String, File)> {
        let number = self.next_pending.fetch_add(1, Ordering::Relaxed);
        let name = number.to_string();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.pending, &name, flags, Mode::from(0o640))
            .map_err(|cause| failed(doing("making", &self.pending_path(&name)), cause))?;
        Ok((name, File::from(file)))
    }

    pub(super) fn pending_path(&self, name: &str) -> PathBuf {
        self.path.join("pending").join(name)
    }

    /// Removes a pending file that will not become an object.
    pub(super) fn discard_pending(&self, name: &str) {
        if let Err(cause) = rustix::fs::unlinkat(&self.pending, name, AtFlags::empty()) {
            // It takes up room until the next start, which removes it.
            let path = self.pending_path(name);
            tracing::warn!(path = %path.display(), %cause, "an abandoned file could not be removed");
        }
    }

    /// Makes a pending file the object's file, in place of the one it had: the moment at which a write takes place.
    pub(super) fn publish(&self, pending: &str, key: &ObjectKey) -> Result<()> {
        rustix::fs::renameat(&self.pending, pending, &self.objects, relative(key))
            .map_err(|cause| failed(doing("renaming to", &self.object_path(key)), cause))
    }

    /// Removes the object's file: the moment at which a delete takes place. A file that is gone already is no error.
    pub(super) fn remove(&self, key: &ObjectKey) -> Result<()> {
        match rustix::fs::unlinkat(&self.objects, relative(key), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(failed(doing("removing", &self.object_path(key)), cause)),
        }
    }

    /// Opens the object's file for reading; the error is as the kernel gives it.
    pub(super) fn open_object(&self, key: &ObjectKey, access: Access) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = match access {
            Access::Cached => {
                let resolve = ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS;
                rustix::fs::openat2(&self.objects, relative(key), flags, Mode::empty(), resolve)?
            }
            Access::Blocking => {
                rustix::fs::openat(&self.objects, relative(key), flags, Mode::empty())?
            }
        };
        Ok(File::from(file))
    }

    pub(super) fn object_path(&self, key: &ObjectKey) -> PathBuf {
        self.objects_path().join(relative(key))
    }

    /// Makes the bucket's folder, durably, unless it is known to be there.
    pub(super) fn settle_bucket(&self, bucket: &Bucket) -> Result<()> {
        if self.settled.lock().contains(bucket) {
            return Ok(());
        }
        let path = self.objects_path().join(bucket.as_str());
        match fs::create_dir(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(doing("making", &path), cause));
            }
            _ => self.sync_folder(&self.objects_path())?,
        }
        self.settled.lock().insert(bucket.clone());
        Ok(())
    }

    /// Makes the renames and removals in a bucket's folder survive a power loss.
    pub(super) fn sync_bucket(&self, bucket: &Bucket) -> Result<()> {
        self.sync_folder(&self.objects_path().join(bucket.as_str()))
    }

    /// Replaces a small file beside the objects, durably.
    pub(super) fn replace_record(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        fs::write(&new, bytes).map_err(|cause| failed(doing("writing", &new), cause))?;
        let file = File::open(&new).map_err(|cause| failed(doing("opening", &new), cause))?;
        self.sync_content(&file, &new)?;
        fs::rename(&new, &path).map_err(|cause| failed(doing("renaming to", &path), cause))?;
        self.sync_folder(&self.path)
    }

    /// Makes a file's bytes survive a power loss.
    pub(super) fn sync_content(&self, file: &File, path: &Path) -> Result<()> {
        if self.durable {
            rustix::fs::fdatasync(file).map_err(|cause| failed(doing("syncing", path), cause))?;
        }
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> Result<()> {
        if self.durable {
            File::open(path)
                .and_then(|folder| folder.sync_all())
                .map_err(|cause| failed(doing("syncing", path), cause))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing would do, but for a child that is being started just now: until it runs its own program it has a copy of
        // the descriptor, and with it the lock.
        if let Err(cause) = rustix::fs::flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(folder = %self.path.display(), %cause, "the lock could not be given up");
        }
    }
}

/// `reading /the/path`.
pub(super) fn doing(verb: &str, path: &Path) -> String {
    format!("{verb} {}", path.display())
}

/// The object's file, from the folder of all buckets.
fn relative(key: &ObjectKey) -> String {
    format!("{}/{}", key.bucket, name::of_key(&key.key))
}

fn take_lock(path: &Path) -> Result<File> {
    let lock_path = path.join("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|cause| failed(doing("opening", &lock_path), cause))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(Errno::WOULDBLOCK) => Err(Error::unavailable(format!(
            "the object folder {} is in use by another process or store: one at a time may have it open",
            path.display()
        ))),
        Err(cause) => Err(failed(doing("locking", &lock_path), cause)),
    }
}

fn make_folder(path: &Path) -> Result<OwnedFd> {
    fs::create_dir_all(path).map_err(|cause| failed(doing("making", path), cause))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|cause| failed(doing("opening", path), cause))
}

/// Removes every file of a folder.
fn clear(path: &Path) -> Result<()> {
    let listing = fs::read_dir(path).map_err(|cause| failed(doing("listing", path), cause))?;
    for entry in listing {
        let file = entry
            .map_err(|cause| failed(doing("listing", path), cause))?
            .path();
        fs::remove_file(&file).map_err(|cause| failed(doing("removing", &file), cause))?;
    }
    Ok(())
}
