//! A node's announcement as a record that is kept for all others to read.

use crate::message;
use crate::node::{corrupt, site};
use crate::record;
use ganglion_types::{Announcement, Error, NodeId, Result};
use prost::Message;

/// Longest announcement inside of its envelope, in bytes: room for some three thousand OSDs.
pub const ANNOUNCEMENT_BYTES_MAX: u32 = 16 << 10;

/// The format that this build writes, and the only one that it reads.
const FORMAT: u32 = 1;

/// The record of an announcement.
///
/// # Errors
/// `Invalid` when its address is none, or it is longer than [`ANNOUNCEMENT_BYTES_MAX`].
pub fn seal_announcement(announcement: &Announcement) -> Result<Vec<u8>> {
    announcement.check()?;
    let body = message::Announcement::from(announcement).encode_to_vec();
    record::seal(FORMAT, &body, ANNOUNCEMENT_BYTES_MAX)
        .map_err(|error| error.within(format!("the announcement of node `{}`", announcement.node)))
}

/// The announcement in a record.
///
/// # Errors
/// `Corrupt` when it is no record or says what no node would; `Unavailable` when it is a sound record of another format.
pub fn open_announcement(sealed: &[u8]) -> Result<Announcement> {
    let (format, body) = record::open(sealed, ANNOUNCEMENT_BYTES_MAX)?;
    if format != FORMAT {
        return Err(Error::unavailable(format!(
            "an announcement is in format {format}, this node reads {FORMAT}: run the same release on all nodes"
        )));
    }
    message::Announcement::decode(body)
        .map_err(|error| Error::corrupt(format!("an announcement cannot be read: {error}")))?
        .try_into()
}

impl From<&Announcement> for message::Announcement {
    fn from(announcement: &Announcement) -> Self {
        Self {
            node: announcement.node.as_str().to_owned(),
            site: message::Site::from(announcement.site).into(),
            address: announcement.address.clone(),
            osds: announcement.osds.clone(),
            load: Some(announcement.load.into()),
            incarnation: announcement.incarnation,
            host: announcement.host.clone(),
            pid: announcement.pid,
        }
    }
}

impl TryFrom<message::Announcement> for Announcement {
    type Error = Error;
    fn try_from(announcement: message::Announcement) -> Result<Self> {
        let read = Self {
            node: NodeId::new(&announcement.node).map_err(corrupt)?,
            site: site(announcement.site)?,
            address: announcement.address,
            osds: announcement.osds,
            load: announcement.load.unwrap_or_default().into(),
            incarnation: announcement.incarnation,
            host: announcement.host,
            pid: announcement.pid,
        };
        read.check().map_err(corrupt)?;
        Ok(read)
    }
}
