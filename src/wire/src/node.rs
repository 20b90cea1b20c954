//! Conversions of what nodes say of themselves: hello, load, site, errors.

use crate::message;
use ganglion_types::{Error, ErrorKind, Load, NodeId, Result, Site};

/// The protocol that this build speaks. It grows whenever a node of the version before could misunderstand a message.
pub const PROTOCOL: u32 = 3;

/// Checks the other end's hello, and gives its name and kind.
///
/// # Errors
/// `Unavailable` when it speaks another protocol; `Corrupt` when its name or kind is none.
pub fn check_hello(hello: &message::Hello) -> Result<(NodeId, Site)> {
    if hello.protocol != PROTOCOL {
        return Err(Error::unavailable(format!(
            "node `{}` speaks protocol {}, this node speaks {PROTOCOL}: run the same release on both",
            hello.node.escape_debug(),
            hello.protocol
        )));
    }
    let node = NodeId::new(&hello.node).map_err(corrupt)?;
    Ok((node, site(hello.site)?))
}

/// A noun that a node of the same protocol would not have sent.
pub(crate) fn corrupt(error: Error) -> Error {
    Error::corrupt(format!("a message from another node: {error}"))
}

pub(crate) fn site(number: i32) -> Result<Site> {
    match message::Site::try_from(number) {
        Ok(message::Site::Compute) => Ok(Site::Compute),
        Ok(message::Site::Storage) => Ok(Site::Storage),
        _ => Err(corrupt(Error::invalid(format!(
            "there is no site {number}"
        )))),
    }
}

impl From<Site> for message::Site {
    fn from(site: Site) -> Self {
        match site {
            Site::Compute => Self::Compute,
            Site::Storage => Self::Storage,
        }
    }
}

impl From<Load> for message::Load {
    fn from(load: Load) -> Self {
        Self {
            permits: load.permits,
            running: load.running,
            queued: load.queued,
            service_ns: load.service_ns,
            draining: load.draining,
        }
    }
}

impl From<message::Load> for Load {
    fn from(load: message::Load) -> Self {
        Self {
            permits: load.permits,
            running: load.running,
            queued: load.queued,
            service_ns: load.service_ns,
            draining: load.draining,
        }
    }
}

impl From<&Error> for message::Error {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
        }
    }
}

impl From<message::Error> for Error {
    fn from(error: message::Error) -> Self {
        // A kind that this release does not know is somebody's defect, and promises nothing about what ran.
        let kind = ErrorKind::from_name(&error.kind).unwrap_or(ErrorKind::Internal);
        Self::new(kind, error.message)
    }
}
