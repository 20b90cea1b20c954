//! What librados refused, in the words of the house.

use super::options::RadosOptions;
use ganglion_types::{Bucket, Error, ErrorKind, ObjectKey};
use rustix::io::Errno;
use std::fmt;

/// What was being done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Doing<'a> {
    Reading(&'a ObjectKey),
    Writing(&'a ObjectKey),
    Deleting(&'a ObjectKey),
    Opening(&'a Bucket),
    Listing(&'a Bucket),
    ListingBuckets,
    /// Of the monitors.
    Asking(&'a str),
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading(key) => write!(f, "reading object {key}"),
            Self::Writing(key) => write!(f, "writing object {key}"),
            Self::Deleting(key) => write!(f, "deleting object {key}"),
            Self::Opening(bucket) => write!(f, "opening bucket {bucket}"),
            Self::Listing(bucket) => write!(f, "listing bucket {bucket}"),
            Self::ListingBuckets => write!(f, "listing the buckets"),
            Self::Asking(what) => write!(f, "asking the monitors for `{what}`"),
        }
    }
}

impl Doing<'_> {
    fn changes(self) -> bool {
        matches!(self, Self::Writing(_) | Self::Deleting(_))
    }
}

/// The failure of an operation, by what the caller can do: the one table of librados' numbers.
pub(super) fn failed(doing: Doing<'_>, errno: Errno, options: &RadosOptions) -> Error {
    let user = &options.user;
    let pool = &options.pool;
    let (kind, why) = match errno {
        Errno::NOENT => (
            ErrorKind::NotFound,
            "there is no such pool (ceph.pool)".to_owned(),
        ),
        Errno::RANGE | Errno::OVERFLOW | Errno::EXIST => {
            (ErrorKind::Conflict, "it has another version".to_owned())
        }
        Errno::TIMEDOUT => out_of_time(doing, options),
        Errno::NOSPC | Errno::DQUOT => (
            ErrorKind::Unavailable,
            format!("pool {pool} is full, or has used its quota up ({errno})"),
        ),
        Errno::ACCESS | Errno::PERM => (
            ErrorKind::Denied,
            format!(
                "user client.{user} (ceph.user) may not: it needs mon 'allow r' and osd 'allow rw pool={pool}'"
            ),
        ),
        Errno::MSGSIZE | Errno::FBIG => (
            ErrorKind::Invalid,
            format!(
                "it is larger than the cluster takes (osd_max_write_size, osd_max_object_size, or osd_max_attr_size for \
                 what stands beside it), although the limit here is {} (ceph.object)",
                options.ceph_object_bytes_max
            ),
        ),
        Errno::NAMETOOLONG => (
            ErrorKind::Invalid,
            "its name is longer than the cluster takes (osd_max_object_name_len)".to_owned(),
        ),
        Errno::OPNOTSUPP => (
            ErrorKind::Invalid,
            format!("pool {pool} (ceph.pool) is of a kind that cannot do it"),
        ),
        Errno::IO | Errno::ILSEQ => (
            ErrorKind::Corrupt,
            "the cluster has no copy of it that it can read".to_owned(),
        ),
        Errno::SHUTDOWN => (
            ErrorKind::Unavailable,
            "the cluster has shut this client out (osd blocklist): start it again".to_owned(),
        ),
        Errno::CANCELED => (
            ErrorKind::Unavailable,
            "the runtime is shutting down, so it was not sent".to_owned(),
        ),
        Errno::NOTCONN
        | Errno::AGAIN
        | Errno::BUSY
        | Errno::NOMEM
        | Errno::ROFS
        | Errno::NXIO
        | Errno::HOSTUNREACH => (ErrorKind::Unavailable, errno.to_string()),
        _ => (ErrorKind::Internal, errno.to_string()),
    };
    Error::new(kind, format!("{doing} in pool {pool}: {why}"))
}

/// A question that was not answered changed nothing; a change may take place yet.
fn out_of_time(doing: Doing<'_>, options: &RadosOptions) -> (ErrorKind, String) {
    let (limit, setting) = match doing {
        Doing::Asking(_) => (options.mon_time, "ceph.mon_time"),
        _ => (options.op_time, "ceph.op_time"),
    };
    let kind = if doing.changes() {
        ErrorKind::Indeterminate
    } else {
        ErrorKind::Unavailable
    };
    (kind, format!("no answer within {limit:?} ({setting})"))
}

/// The object cannot be read as what was written.
pub(super) fn corrupt(key: &ObjectKey, pool: &str, what: impl fmt::Display) -> Error {
    Error::corrupt(format!(
        "object {key} in pool {pool} is corrupt: {what}; delete it or write it anew"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind::{
        Conflict, Corrupt, Denied, Indeterminate, Internal, Invalid, NotFound, Unavailable,
    };

    fn options() -> RadosOptions {
        RadosOptions {
            pool: "ponds".to_owned(),
            user: "frog".to_owned(),
            ..RadosOptions::default()
        }
    }

    #[test]
    fn every_number_has_one_kind_and_its_error_names_object_and_pool() {
        let key = ObjectKey::new("books", "a/b").unwrap();
        for (errno, reading, writing) in [
            (Errno::NOENT, NotFound, NotFound),
            (Errno::RANGE, Conflict, Conflict),
            (Errno::OVERFLOW, Conflict, Conflict),
            (Errno::EXIST, Conflict, Conflict),
            (Errno::TIMEDOUT, Unavailable, Indeterminate),
            (Errno::NOSPC, Unavailable, Unavailable),
            (Errno::DQUOT, Unavailable, Unavailable),
            (Errno::ACCESS, Denied, Denied),
            (Errno::PERM, Denied, Denied),
            (Errno::MSGSIZE, Invalid, Invalid),
            (Errno::FBIG, Invalid, Invalid),
            (Errno::NAMETOOLONG, Invalid, Invalid),
            (Errno::OPNOTSUPP, Invalid, Invalid),
            (Errno::IO, Corrupt, Corrupt),
            (Errno::ILSEQ, Corrupt, Corrupt),
            (Errno::SHUTDOWN, Unavailable, Unavailable),
            (Errno::NOTCONN, Unavailable, Unavailable),
            (Errno::AGAIN, Unavailable, Unavailable),
            (Errno::BUSY, Unavailable, Unavailable),
            (Errno::NOMEM, Unavailable, Unavailable),
            (Errno::ROFS, Unavailable, Unavailable),
            (Errno::NXIO, Unavailable, Unavailable),
            (Errno::HOSTUNREACH, Unavailable, Unavailable),
            (Errno::INVAL, Internal, Internal),
            (Errno::CANCELED, Unavailable, Unavailable),
        ] {
            for (doing, kind) in [
                (Doing::Reading(&key), reading),
                (Doing::Writing(&key), writing),
                (Doing::Deleting(&key), writing),
            ] {
                let error = failed(doing, errno, &options());
                assert_eq!(error.kind(), kind, "{error}");
                let message = error.message();
                assert!(
                    message.contains("books/a/b") && message.contains("ponds"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_error_names_the_limit_and_the_setting_that_was_met() {
        let key = ObjectKey::new("books", "k").unwrap();
        for (doing, errno, words) in [
            (
                Doing::Reading(&key),
                Errno::TIMEDOUT,
                ["10s", "ceph.op_time"],
            ),
            (
                Doing::Asking("osd stat"),
                Errno::TIMEDOUT,
                ["5s", "ceph.mon_time"],
            ),
            (
                Doing::Reading(&key),
                Errno::PERM,
                ["client.frog", "ceph.user"],
            ),
            (Doing::Writing(&key), Errno::NOENT, ["ponds", "ceph.pool"]),
            (
                Doing::Writing(&key),
                Errno::MSGSIZE,
                ["94370536", "ceph.object"],
            ),
            (
                Doing::Writing(&key),
                Errno::NOSPC,
                ["pool ponds is full", "os error 28"],
            ),
        ] {
            let error = failed(doing, errno, &options());
            for word in words {
                assert!(error.message().contains(word), "{word}: {error}");
            }
        }
    }
}
