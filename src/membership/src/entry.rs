//! One node's entry in Redis, as it was read.

use ganglion_types::{Announcement, Error, Result};
use ganglion_wire::open_announcement;

/// A name in the set of names, and what its key holds.
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) record: Vec<u8>,
}

impl Entry {
    /// The name, for people and for comparing.
    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    /// What it announces.
    ///
    /// # Errors
    /// `Corrupt` when it is no announcement, or one of another node; `Unavailable` when another release wrote it.
    pub(crate) fn open(&self) -> Result<Announcement> {
        let announcement = open_announcement(&self.record)?;
        if announcement.node.as_str().as_bytes() != self.name {
            return Err(Error::corrupt(format!(
                "it announces node `{}`",
                announcement.node
            )));
        }
        Ok(announcement)
    }
}
