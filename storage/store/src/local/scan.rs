//! Rebuilding the index at the start, from the trailers of the objects' files.
//!
//! One open and one short read per object; several threads share them, so that a cold disk is asked several things at once.

use super::error::failed;
use super::folder::{Folder, doing};
use super::index::Index;
use super::name::{self, FileName};
use super::trailer::{TRAILER_BYTES_MAX, Trailer};
use crate::Version;
use crate::record::Record;
use ganglion_types::{Bucket, ObjectKey, Result};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Threads that read trailers.
const READERS: usize = 4;
/// Files that a thread is worth starting for.
const FILES_PER_READER_MIN: usize = 256;

/// What a start found.
pub(super) struct Found {
    pub(super) index: Index,
    pub(super) objects: usize,
    pub(super) greatest_version: Option<Version>,
}

/// What one file is.
enum FileKind {
    Object(ObjectKey, Record),
    Unreadable(&'static str),
}

/// Reads every trailer of the folder, and makes durable what an earlier process had renamed but not yet synced: what is
/// served from here on must not be lost to a power loss that nothing was written before.
pub(super) fn scan(folder: &Folder) -> Result<Found> {
    let mut found = Found {
        index: Index::new(),
        objects: 0,
        greatest_version: None,
    };
    for name in file_names(&folder.objects_path())? {
        let Ok(bucket) = Bucket::new(&name) else {
            tracing::warn!(folder = %folder.objects_path().display(), name, "not a bucket, left alone");
            continue;
        };
        folder.settle_bucket(&bucket)?;
        folder.sync_bucket(&bucket)?;
        scan_bucket(folder, &bucket, &mut found)?;
    }
    Ok(found)
}

fn scan_bucket(folder: &Folder, bucket: &Bucket, found: &mut Found) -> Result<()> {
    let path = folder.objects_path().join(bucket.as_str());
    let mut files = file_names(&path)?;
    files.retain(|file| {
        let foreign = name::parse(file) == FileName::Foreign;
        if foreign {
            tracing::warn!(folder = %path.display(), file, "not an object's file, left alone");
        }
        !foreign
    });
    for (file, kind) in classify_all(&path, bucket, files)? {
        match kind {
            FileKind::Object(key, record) => {
                found.objects += 1;
                found.greatest_version = found.greatest_version.max(Some(record.meta.version));
                found.index.insert(&key, record);
            }
            FileKind::Unreadable(what) => {
                tracing::error!(%bucket, file, what, "an object's file is corrupt");
                found.index.insert_unreadable(bucket.clone(), file, what);
            }
        }
    }
    Ok(())
}

fn classify_all(
    folder: &Path,
    bucket: &Bucket,
    files: Vec<String>,
) -> Result<Vec<(String, FileKind)>> {
    let share = files.len().div_ceil(READERS).max(FILES_PER_READER_MIN);
    let kinds: Vec<Result<Vec<FileKind>>> = std::thread::scope(|scope| {
        let readers: Vec<_> = files
            .chunks(share)
            .map(|files| {
                let classify = move |file: &String| classify(&folder.join(file), bucket, file);
                scope.spawn(move || files.iter().map(classify).collect())
            })
            .collect();
        let join = |reader: std::thread::ScopedJoinHandle<'_, _>| {
            reader.join().expect("reading a trailer does not panic")
        };
        readers.into_iter().map(join).collect()
    });
    let mut all = Vec::with_capacity(files.len());
    for share in kinds {
        all.extend(share?);
    }
    Ok(files.into_iter().zip(all).collect())
}

fn classify(path: &Path, bucket: &Bucket, file: &str) -> Result<FileKind> {
    let refused = |cause| failed(doing("reading", path), cause);
    let opened = File::open(path).map_err(refused)?;
    let file_bytes = opened.metadata().map_err(refused)?.len();
    let mut end = [0; TRAILER_BYTES_MAX];
    let start = file_bytes.saturating_sub(TRAILER_BYTES_MAX as u64);
    let end_bytes = usize::try_from(file_bytes - start).expect("at most the longest trailer");
    let end = &mut end[..end_bytes];
    if let Err(cause) = opened.read_exact_at(end, start) {
        tracing::error!(path = %path.display(), %cause, "a trailer cannot be read");
        return Ok(FileKind::Unreadable("its trailer cannot be read"));
    }
    let (name, trailer) = match Trailer::parse(end, file_bytes) {
        Ok(parsed) => parsed,
        Err(what) => return Ok(FileKind::Unreadable(what)),
    };
    Ok(match name.parse::<ObjectKey>() {
        Ok(key) if key.bucket == *bucket && name::of_key(&key.key) == file => {
            FileKind::Object(key, trailer.record)
        }
        _ => FileKind::Unreadable("its trailer names another object"),
    })
}

fn file_names(path: &Path) -> Result<Vec<String>> {
    let refused = |cause| failed(doing("listing", path), cause);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(refused)? {
        // A name that is not UTF-8 is not ours; as it then has a replacement character, it is taken for foreign.
        names.push(
            entry
                .map_err(refused)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    Ok(names)
}
