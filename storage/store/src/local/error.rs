//! What the operating system refused, in the words of the house.

use ganglion_types::{Error, ErrorKind, ObjectKey};
use std::fmt::Display;
use std::io;

/// Nothing was changed: `doing` (with the path) failed. `Unavailable` where an operator can make room or give
/// permission, `Internal` otherwise.
pub(super) fn failed(doing: impl Display, cause: impl Into<io::Error>) -> Error {
    let cause = cause.into();
    let kind = match cause.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::OutOfMemory => ErrorKind::Unavailable,
        _ if is_out_of_files(&cause) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("{doing}: {cause}"))
}

fn is_out_of_files(cause: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(cause);
    matches!(
        errno,
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
    )
}

/// The object cannot be read as what was written.
pub(super) fn corrupt(key: &ObjectKey, what: impl Display) -> Error {
    Error::corrupt(format!(
        "object {key} is corrupt: {what}; delete it or write it anew"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn what_an_operator_can_mend_is_unavailable_and_names_the_path() {
        for errno in [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ACCESS,
            Errno::ROFS,
            Errno::MFILE,
        ] {
            let error = failed("writing /x/y", errno);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.message().starts_with("writing /x/y: "), "{error}");
        }
        assert_eq!(failed("reading /x", Errno::IO).kind(), ErrorKind::Internal);
    }
}
