//! What a store remembers of an object beside its bytes, and what that says to a write or a delete.

use crate::names::Names;
use crate::{Condition, ObjectMeta, PutOptions};
use ganglion_types::{Error, ObjectKey, Result};

/// An object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) meta: ObjectMeta,
    /// Of the writes that a repeat would find here.
    pub(crate) names: Names,
}

/// What a write that was asked for has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Write, and leave these names.
    Write(Names),
    /// Nothing: the object carries the effect's name already, and is this.
    Done(ObjectMeta),
}

/// Whether a write may replace `current`. The effect's name comes before the condition: a repeat must find itself done
/// although its own first run is what made the condition false.
///
/// # Errors
/// `Conflict` when the condition does not hold.
pub(crate) fn admit_write(
    key: &ObjectKey,
    current: Option<&Record>,
    options: &PutOptions,
) -> Result<Admission> {
    if let (Some(record), Some(name)) = (current, options.commit)
        && record.names.contains(name)
    {
        return Ok(Admission::Done(record.meta.clone()));
    }
    match (options.condition, current) {
        (Condition::None, _) | (Condition::Absent, None) => {}
        (Condition::Absent, Some(record)) => {
            return Err(Error::conflict(format!(
                "object {key} exists already, with version {}",
                record.meta.version
            )));
        }
        (Condition::Version(wanted), None) => {
            return Err(Error::conflict(format!(
                "object {key} does not exist, so its version is not {wanted}"
            )));
        }
        (Condition::Version(wanted), Some(record)) => {
            check_version(key, &record.meta, Some(wanted))?;
        }
    }
    Ok(Admission::Write(names_after(current, options)))
}

/// A write with neither name nor condition leaves no names: a store may do it without having looked at what was there.
fn names_after(current: Option<&Record>, options: &PutOptions) -> Names {
    match (current, options.commit) {
        (Some(record), Some(name)) => record.names.followed_by(name),
        (Some(record), None) if options.condition != Condition::None => record.names.clone(),
        (_, name) => Names::from(name),
    }
}

/// Whether `current` may be deleted.
///
/// # Errors
/// `Invalid` for [`Condition::Absent`], `NotFound` when there is nothing, `Conflict` when the version is another.
pub(crate) fn admit_delete(
    key: &ObjectKey,
    current: Option<&Record>,
    condition: Condition,
) -> Result<()> {
    let wanted = match condition {
        Condition::None => None,
        Condition::Version(wanted) => Some(wanted),
        Condition::Absent => {
            return Err(Error::invalid(format!(
                "deleting {key} on the condition that it is absent has no meaning"
            )));
        }
    };
    let record = current.ok_or_else(|| not_found(key))?;
    check_version(key, &record.meta, wanted)
}

/// `Conflict` when a version is wanted and the object has another.
pub(crate) fn check_version(
    key: &ObjectKey,
    meta: &ObjectMeta,
    wanted: Option<crate::Version>,
) -> Result<()> {
    match wanted {
        Some(wanted) if wanted != meta.version => Err(Error::conflict(format!(
            "object {key} has version {}, not {wanted}",
            meta.version
        ))),
        _ => Ok(()),
    }
}

/// The largest object a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeLimit {
    pub(crate) bytes: u64,
    /// The setting that says so.
    pub(crate) setting: &'static str,
}

impl SizeLimit {
    /// What `limits.object` says.
    pub(crate) fn of_objects(bytes: u64) -> Self {
        Self {
            bytes,
            setting: "limits.object",
        }
    }

    /// Whether an object of `size_bytes` may be kept.
    ///
    /// # Errors
    /// `Invalid` with the limit and its setting.
    pub(crate) fn check(self, key: &ObjectKey, size_bytes: u64) -> Result<()> {
        if size_bytes <= self.bytes {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "object {key} has at least {size_bytes} bytes, limit {} ({})",
            self.bytes, self.setting
        )))
    }
}

/// There is no such object.
pub(crate) fn not_found(key: &ObjectKey) -> Error {
    Error::not_found(format!("object {key} does not exist"))
}
