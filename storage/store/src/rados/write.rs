//! Writing, whatever becomes of the answer.
//!
//! A put without condition and name is one blind operation. Every other reads what is there, and writes on the condition
//! that it still is: whoever loses that race reads again. In each write's stamp is its name, so that a write without an answer
//! is found again:
//!
//! ```text
//!  no answer --> read --+-- own name is there ----------------------------> done
//!                       +-- guarded, and the object is as it was before --> send again, same guard, same name
//!                       +-- guarded, and its names go on from those that
//!                       |   were there before, without the own ------------> it lost: as if it had been told so
//!                       +-- otherwise, or no answer again -----------------> Indeterminate
//! ```
//!
//! The third holds since a guarded write that took place would stand among the names of those behind it; a blind write in
//! between, or as many others as a stamp has names, wipe them out, and nobody can tell.

use super::error::Doing;
use super::ffi::{Change, Guard, Place};
use super::object::Object;
use super::stamp::{self, Stamp};
use crate::names::Names;
use crate::record::{Admission, Record, admit_write};
use crate::{CommitId, ObjectMeta, PutOptions, Version};
use bytes::Bytes;
use ganglion_types::{CallId, Error, Result};
use rustix::io::Errno;

/// A guarded write whose answer did not come.
struct Unanswered {
    /// What the object was before.
    before: Option<Before>,
}

struct Before {
    version: Version,
    /// The name of the write that made it.
    name: Option<CommitId>,
}

/// What an object without the write's own name tells of it.
enum Fate {
    /// It may take place yet.
    Open,
    /// It did not, and will not.
    Lost,
    /// Nobody can tell.
    Unknown,
}

impl Unanswered {
    fn fate(&self, current: Option<&Record>) -> Fate {
        match (&self.before, current) {
            (None, None) => Fate::Open,
            (Some(before), Some(now)) if now.meta.version == before.version => Fate::Open,
            (
                Some(Before {
                    name: Some(name), ..
                }),
                Some(now),
            ) if now.names.contains(*name) => Fate::Lost,
            _ => Fate::Unknown,
        }
    }
}

impl Object<'_> {
    pub(super) async fn put(&self, body: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        let limit = self.shared.options.size_limit();
        limit.check(self.key, body.len() as u64)?;
        if options == PutOptions::default() {
            self.put_blindly(body).await
        } else {
            self.write_guarded(Place::Whole, body, options).await
        }
    }

    /// Always on the condition that the object is as it was met, which is how the stamp's names stay.
    pub(super) async fn append(&self, piece: Bytes, options: PutOptions) -> Result<ObjectMeta> {
        self.write_guarded(Place::End, piece, options).await
    }

    async fn put_blindly(&self, body: Bytes) -> Result<ObjectMeta> {
        let name = self.random_name();
        let names = Names::from(Some(name));
        match self
            .write((Guard::None, Place::Whole, 0), body, names)
            .await
        {
            Ok(meta) => Ok(meta),
            Err(Errno::TIMEDOUT) => match self.look().await {
                Ok(Some(now)) if now.names.contains(name) => Ok(now.meta),
                _ => Err(self.unanswered()),
            },
            Err(errno) => Err(self.failed(Doing::Writing(self.key), errno)),
        }
    }

    async fn write_guarded(
        &self,
        place: Place,
        body: Bytes,
        options: PutOptions,
    ) -> Result<ObjectMeta> {
        let name = options.commit.unwrap_or_else(|| self.random_name());
        let options = PutOptions {
            commit: Some(name),
            ..options
        };
        let deadline = self.deadline();
        let mut unanswered: Option<Unanswered> = None;
        loop {
            let current = match self.look().await {
                Err(_) if unanswered.is_some() => return Err(self.unanswered()),
                outcome => outcome?,
            };
            let names = match admit_write(self.key, current.as_ref(), &options) {
                Ok(Admission::Done(meta)) => return Ok(meta),
                Ok(Admission::Write(names)) => Ok(names),
                Err(refused) => Err(refused),
            };
            match unanswered.as_ref().map(|sent| sent.fate(current.as_ref())) {
                Some(Fate::Lost) => unanswered = None,
                Some(Fate::Unknown) => return Err(self.unanswered()),
                Some(Fate::Open) | None => {}
            }
            if !self.has_time(deadline) {
                return Err(match unanswered {
                    Some(_) => self.unanswered(),
                    None => self.outrun(),
                });
            }
            let names = names?;
            let before_bytes = match (place, &current) {
                (Place::End, Some(record)) => record.meta.size_bytes,
                _ => 0,
            };
            let limit = self.shared.options.size_limit();
            limit.check(self.key, before_bytes + body.len() as u64)?;
            let guard = guard(current.as_ref());
            let placed = (guard, place, before_bytes);
            match self.write(placed, body.clone(), names).await {
                Ok(meta) => return Ok(meta),
                Err(Errno::RANGE | Errno::OVERFLOW | Errno::EXIST) => {}
                Err(Errno::TIMEDOUT) => {
                    let before = current.as_ref().map(|before| Before {
                        version: before.meta.version,
                        name: before.names.iter().next(),
                    });
                    unanswered = Some(Unanswered { before });
                }
                // The one that got no answer may take place yet.
                Err(_) if unanswered.is_some() => return Err(self.unanswered()),
                Err(errno) => return Err(self.failed(Doing::Writing(self.key), errno)),
            }
        }
    }

    /// Sends one write, of an object that has `before_bytes` in front of it.
    async fn write(
        &self,
        (guard, place, before_bytes): (Guard, Place, u64),
        body: Bytes,
        names: Names,
    ) -> Result<ObjectMeta, Errno> {
        let size_bytes = before_bytes + body.len() as u64;
        let modified_ms = self.shared.ambient.unix_ns() / 1_000_000;
        let stamp = Stamp { modified_ms, names };
        let change = Change::Write {
            body,
            place,
            attribute: (stamp::ATTRIBUTE, stamp.encode()),
        };
        let version = self.change(guard, change).await?;
        Ok(ObjectMeta {
            size_bytes,
            version: Version(version),
            modified_ms,
        })
    }

    /// A name that no other write has.
    fn random_name(&self) -> CommitId {
        let (mut call, mut sequence) = ([0; 16], [0; 4]);
        self.shared.ambient.fill_random(&mut call);
        self.shared.ambient.fill_random(&mut sequence);
        CommitId {
            call: CallId(u128::from_le_bytes(call)),
            sequence: u32::from_le_bytes(sequence),
        }
    }

    fn unanswered(&self) -> Error {
        self.failed(Doing::Writing(self.key), Errno::TIMEDOUT)
    }
}

/// What has to be there still.
fn guard(current: Option<&Record>) -> Guard {
    match current {
        Some(record) => Guard::Version(record.meta.version.0),
        None => Guard::Absent,
    }
}
