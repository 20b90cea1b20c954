//! One object, addressed: looking at it, reading it, and what is known of it.

use super::Shared;
use super::error::{Doing, corrupt, failed};
use super::ffi::{Change, Guard, LentRead, Namespace, ReadOp, ReadOutcome, Stopped};
use super::stamp::{self, Stamp};
use crate::blocking::blocking;
use crate::names::Names;
use crate::record::{Record, check_version, not_found};
use crate::{ByteRange, ObjectMeta, ObjectRead, Version, Wait};
use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;
use ganglion_types::{Deadline, Error, ErrorKind, ObjectKey, Result};
use rustix::io::Errno;
use std::ffi::CString;
use std::sync::Arc;

/// Most bytes of one read; what is longer is read in several at once.
const READ_BYTES_MAX: usize = 4 << 20;
/// A body that is sent from the caller's thread, in bytes: librados copies it, which takes about as long as handing it to
/// another thread.
const INLINE_BYTES_MAX: usize = 256 << 10;
/// Beyond the largest object there can be, and far from where offset and length together are too large a number.
const OFFSET_MAX: u64 = 1 << 62;
/// How much later than its stamp an object may have been changed before the stamp is taken for an older write's, which another
/// program wrote over. A write is sent when its stamp is made, and librados reads the same clock then.
const STAMP_LAG_MS: u64 = 10_000;

/// An object by name, there or not.
pub(super) struct Object<'a> {
    pub(super) shared: &'a Shared,
    pub(super) key: &'a ObjectKey,
    pub(super) namespace: Arc<Namespace>,
    pub(super) name: CString,
}

impl<'a> Object<'a> {
    pub(super) fn new(shared: &'a Shared, key: &'a ObjectKey) -> Result<Self> {
        Ok(Self {
            shared,
            key,
            namespace: shared.namespace(&key.bucket)?,
            name: CString::new(key.key.as_str()).expect("a key holds no NUL"),
        })
    }

    /// What is known of it; `None` when there is no such object.
    pub(super) async fn look(&self) -> Result<Option<Record>> {
        match self.ask(None, None).await? {
            Some(found) => self.record(&found).map(Some),
            None => Ok(None),
        }
    }

    /// What is known of it, by the cluster alone where its stamp cannot be read; `None` when there is no such object.
    pub(super) async fn glance(&self) -> Result<Option<ObjectMeta>> {
        let found = self.ask(None, None).await?;
        Ok(found.map(|found| match self.record(&found) {
            Ok(record) => record.meta,
            Err(_) => meta_of(&found, changed_ms(&found)),
        }))
    }

    /// Its version, whether or not its stamp can be read; `None` when there is no such object.
    pub(super) async fn version(&self) -> Result<Option<Version>> {
        let found = self.ask(None, None).await?;
        Ok(found.map(|found| Version(found.version)))
    }

    pub(super) async fn stat(&self) -> Result<ObjectMeta> {
        let record = self.look().await?;
        Ok(record.ok_or_else(|| self.missing())?.meta)
    }

    /// Reads a range: in one question where it has up to 4 MiB; what is behind that in several at once, of the version that
    /// the first one met. Where the object is replaced between the two it is read anew.
    pub(super) async fn get(
        &self,
        range: ByteRange,
        if_version: Option<Version>,
    ) -> Result<ObjectRead> {
        let deadline = self.deadline();
        loop {
            let first = usize::try_from(range.length)
                .map_or(READ_BYTES_MAX, |length| length.min(READ_BYTES_MAX));
            let into = (range.offset.min(OFFSET_MAX), BytesMut::with_capacity(first));
            let found = self.ask(if_version, Some(into)).await?;
            let mut found = found.ok_or_else(|| self.missing())?;
            let meta = self.record(&found)?.meta;
            check_version(self.key, &meta, if_version)?;
            let range = range.within(meta.size_bytes);
            let bytes = std::mem::take(&mut found.bytes);
            match self.rest(meta.version, range, bytes).await {
                Err(error)
                    if error.kind() == ErrorKind::Conflict
                        && if_version.is_none()
                        && self.has_time(deadline) => {}
                outcome => {
                    return outcome.map(|bytes| ObjectRead { meta, bytes });
                }
            }
        }
    }

    /// The range, of which `first` is the beginning.
    async fn rest(&self, version: Version, range: ByteRange, mut first: BytesMut) -> Result<Bytes> {
        let wanted = usize::try_from(range.length).map_err(|_| {
            Error::invalid(format!(
                "object {} does not fit this machine's memory",
                self.key
            ))
        })?;
        first.truncate(wanted);
        if first.len() == wanted {
            return Ok(fitted(first));
        }
        let mut whole = BytesMut::with_capacity(wanted);
        whole.extend_from_slice(&first);
        let mut spare = whole.split_off(first.len());
        let mut offset = range.offset + first.len() as u64;
        let mut pieces = Vec::new();
        while spare.capacity() > 0 {
            let behind = spare.split_off(spare.capacity().min(READ_BYTES_MAX));
            let length = spare.capacity() as u64;
            pieces.push(self.piece(version, offset, std::mem::replace(&mut spare, behind)));
            offset += length;
        }
        for piece in try_join_all(pieces).await? {
            whole.unsplit(piece);
        }
        whole.truncate(wanted);
        if whole.len() < wanted {
            let what = format!("it has {} bytes of {wanted}", whole.len());
            return Err(corrupt(self.key, self.pool(), what));
        }
        Ok(whole.freeze())
    }

    async fn piece(&self, version: Version, offset: u64, into: BytesMut) -> Result<BytesMut> {
        let op = ReadOp {
            version: Some(version.0),
            localized: self.shared.localized(),
            about: None,
            bytes: Some((offset, into)),
        };
        match self.namespace.read(&self.name, op).await {
            Ok(read) => Ok(read.bytes),
            Err(errno) => Err(self.read_failed(errno, Some(version))),
        }
    }

    /// One question: size, time, stamp, and bytes where they are wanted. `None` when there is no such object.
    async fn ask(
        &self,
        if_version: Option<Version>,
        bytes: Option<(u64, BytesMut)>,
    ) -> Result<Option<ReadOutcome>> {
        let op = ReadOp {
            // No object has the version 0, and librados knows no such question: what the object has is compared instead.
            version: if_version
                .map(|version| version.0)
                .filter(|version| *version > 0),
            localized: self.shared.localized(),
            about: Some(stamp::ATTRIBUTE),
            bytes,
        };
        match self.namespace.read(&self.name, op).await {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.read_failed(errno, if_version)),
        }
    }

    pub(super) fn read_failed(&self, errno: Errno, if_version: Option<Version>) -> Error {
        match (errno, if_version) {
            (Errno::NOENT, _) => self.missing(),
            (Errno::RANGE | Errno::OVERFLOW, Some(wanted)) => Error::conflict(format!(
                "object {} has another version than {wanted}",
                self.key
            )),
            _ => self.failed(Doing::Reading(self.key), errno),
        }
    }

    /// Without names where others than this store wrote it.
    fn record(&self, found: &ReadOutcome) -> Result<Record> {
        let changed_ms = changed_ms(found);
        let stamp = match &found.attribute {
            Some(bytes) => {
                Some(Stamp::decode(bytes).map_err(|what| corrupt(self.key, self.pool(), what))?)
            }
            None => None,
        };
        let (modified_ms, names) = match stamp {
            Some(stamp) if changed_ms <= stamp.modified_ms.saturating_add(STAMP_LAG_MS) => {
                (stamp.modified_ms, stamp.names)
            }
            Some(stamp) => (changed_ms, stamp.names),
            None => (changed_ms, Names::default()),
        };
        let meta = meta_of(found, modified_ms);
        Ok(Record { meta, names })
    }

    /// Sends a change, and returns the version that it made.
    pub(super) async fn change(&self, guard: Guard, change: Change) -> Result<u64, Errno> {
        let sent = match &change {
            Change::Write { body, .. } if body.len() > INLINE_BYTES_MAX => {
                let (namespace, name) = (self.namespace.clone(), self.name.clone());
                let send = move || Ok(namespace.write(&name, guard, change));
                blocking(send).await.map_err(|_| Errno::CANCELED)?
            }
            _ => self.namespace.write(&self.name, guard, change),
        };
        sent.await
    }

    /// As [`crate::ObjectStore::read_into`].
    pub(super) fn read_into(
        &self,
        version: Version,
        offset: u64,
        into: &mut [u8],
        wait: &mut Wait<'_>,
    ) -> Result<usize> {
        if version.0 == 0 {
            return Err(self.read_failed(Errno::RANGE, Some(version)));
        }
        let read = LentRead {
            namespace: &self.namespace,
            name: &self.name,
            version: version.0,
            localized: self.shared.localized(),
            offset: offset.min(OFFSET_MAX),
        };
        read.run(into, wait).map_err(|stopped| match stopped {
            Stopped::ByCaller(error) => error,
            Stopped::Failed(errno) => self.read_failed(errno, Some(version)),
            Stopped::Early => Error::internal(format!(
                "reading object {}: whoever waits for it came back before its end",
                self.key
            )),
        })
    }

    pub(super) fn failed(&self, doing: Doing<'_>, errno: Errno) -> Error {
        failed(doing, errno, &self.shared.options)
    }

    /// There is no such object, or not even its pool.
    pub(super) fn missing(&self) -> Error {
        if self.shared.pool_is_gone() {
            self.failed(Doing::Reading(self.key), Errno::NOENT)
        } else {
            not_found(self.key)
        }
    }

    pub(super) fn pool(&self) -> &str {
        &self.shared.options.pool
    }

    /// When to give up repeating.
    pub(super) fn deadline(&self) -> Deadline {
        let now_ns = self.shared.ambient.monotonic_ns();
        Deadline::after(now_ns, self.shared.options.op_time * 2)
    }

    /// Others changed it at every try.
    pub(super) fn outrun(&self) -> Error {
        Error::unavailable(format!(
            "object {} in pool {} was changed by others at every try for {:?} (twice ceph.op_time)",
            self.key,
            self.pool(),
            self.shared.options.op_time * 2
        ))
    }

    pub(super) fn has_time(&self, deadline: Deadline) -> bool {
        !deadline
            .remaining(self.shared.ambient.monotonic_ns())
            .is_zero()
    }
}

/// When the cluster says that it was changed last.
fn changed_ms(found: &ReadOutcome) -> u64 {
    u64::try_from(found.modified_s).unwrap_or(0) * 1000
}

fn meta_of(found: &ReadOutcome, modified_ms: u64) -> ObjectMeta {
    ObjectMeta {
        size_bytes: found.size_bytes,
        version: Version(found.version),
        modified_ms,
    }
}

/// Without the room that was kept for a larger object.
fn fitted(bytes: BytesMut) -> Bytes {
    if bytes.len() < bytes.capacity() / 2 {
        Bytes::copy_from_slice(&bytes)
    } else {
        bytes.freeze()
    }
}
