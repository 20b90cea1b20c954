//! Deleting, whatever becomes of the answer: the version that was looked at, or nothing.

use super::error::Doing;
use super::ffi::{Change, Guard};
use super::object::Object;
use crate::names::Names;
use crate::record::{Record, admit_delete};
use crate::{Condition, ObjectMeta, Version};
use ganglion_types::{Error, Result};
use rustix::io::Errno;

impl Object<'_> {
    /// Removes the object that is there, where the condition holds of it; looks again where another was quicker.
    pub(super) async fn delete(&self, condition: Condition) -> Result<()> {
        let deadline = self.deadline();
        let mut unanswered: Option<Version> = None;
        loop {
            let version = match self.version().await {
                Err(_) if unanswered.is_some() => return Err(self.unanswered_delete()),
                outcome => outcome?,
            };
            match (unanswered, version) {
                // By this delete or by another: it is gone.
                (Some(_), None) => return Ok(()),
                (Some(sent), Some(now)) if now != sent => return Err(self.unanswered_delete()),
                _ => {}
            }
            if !self.has_time(deadline) {
                return Err(match unanswered {
                    Some(_) => self.unanswered_delete(),
                    None => self.outrun(),
                });
            }
            let version = self.admit_delete(version, condition)?;
            let removal = self.change(Guard::Version(version.0), Change::Remove);
            match removal.await {
                Ok(_) => return Ok(()),
                Err(Errno::RANGE | Errno::OVERFLOW | Errno::NOENT) => {}
                Err(Errno::TIMEDOUT) => unanswered = Some(version),
                Err(errno) => return Err(self.failed(Doing::Deleting(self.key), errno)),
            }
        }
    }

    /// The version to remove.
    fn admit_delete(&self, version: Option<Version>, condition: Condition) -> Result<Version> {
        let record = version.map(|version| Record {
            meta: ObjectMeta {
                version,
                size_bytes: 0,
                modified_ms: 0,
            },
            names: Names::default(),
        });
        admit_delete(self.key, record.as_ref(), condition)?;
        version.ok_or_else(|| self.missing())
    }

    fn unanswered_delete(&self) -> Error {
        self.failed(Doing::Deleting(self.key), Errno::TIMEDOUT)
    }
}
