//! Names that users choose, checked once where they enter and trusted from there on.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One to `bytes_max` of `A-Z a-z 0-9 . _ -`, and not a path: `.` and `..` are refused.
pub(crate) fn check_word(what: &str, word: &str, bytes_max: usize) -> Result<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if word.is_empty() {
        return Err(Error::invalid(format!("the {what} is empty")));
    }
    if word.len() > bytes_max {
        return Err(Error::invalid(format!(
            "the {what} has {} bytes, limit {bytes_max}",
            word.len()
        )));
    }
    if matches!(word, "." | "..") || !word.bytes().all(allowed) {
        return Err(Error::invalid(format!(
            "the {what} `{word}` may hold only A-Z a-z 0-9 . _ -"
        )));
    }
    Ok(())
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest name, in bytes.
            pub const BYTES_MAX: usize = 64;

            /// # Errors
            /// `Invalid` unless it is 1 to 64 of `A-Z a-z 0-9 . _ -`.
            pub fn new(name: impl AsRef<str>) -> Result<Self> {
                let name = name.as_ref();
                check_word($what, name, Self::BYTES_MAX)?;
                Ok(Self(name.into()))
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}

word! {
    /// Who owns functions and, under the same name, a bucket of objects. Faasm calls it `user`.
    Tenant, "tenant"
}
word! {
    /// A function's name within its tenant.
    FunctionName, "function name"
}
word! {
    /// A namespace of objects. A name that begins with a dot belongs to Ganglion itself (see [`Bucket::is_internal`]).
    Bucket, "bucket"
}

impl Bucket {
    /// Whether Ganglion keeps its own records here (functions, state, shared files); users are refused.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with('.')
    }
}

impl Tenant {
    /// The bucket that this tenant's guests read and write.
    pub fn bucket(&self) -> Bucket {
        Bucket(self.0.clone())
    }
}

/// An object's name within its bucket: 1 to 1024 bytes of UTF-8 without NUL; `/` has no meaning but to readers.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// Longest key, in bytes (as in S3).
    pub const BYTES_MAX: usize = 1024;

    /// # Errors
    /// `Invalid` when it is empty, longer than 1024 bytes or holds a NUL.
    pub fn new(key: impl AsRef<str>) -> Result<Self> {
        let key = key.as_ref();
        if key.is_empty() {
            return Err(Error::invalid("the object key is empty"));
        }
        if key.len() > Self::BYTES_MAX {
            return Err(Error::invalid(format!(
                "the object key has {} bytes, limit {}",
                key.len(),
                Self::BYTES_MAX
            )));
        }
        if key.contains('\0') {
            return Err(Error::invalid("the object key holds a NUL byte"));
        }
        Ok(Self(key.into()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an object is found, written `bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The namespace; a RADOS pool or namespace on Ceph.
    pub bucket: Bucket,
    /// The name within it; the RADOS object name on Ceph.
    pub key: Key,
}

impl ObjectKey {
    /// # Errors
    /// `Invalid` as [`Bucket::new`] and [`Key::new`].
    pub fn new(bucket: impl AsRef<str>, key: impl AsRef<str>) -> Result<Self> {
        Ok(Self {
            bucket: Bucket::new(bucket)?,
            key: Key::new(key)?,
        })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

impl FromStr for ObjectKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((bucket, key)) => Self::new(bucket, key),
            None => Err(Error::invalid(format!("`{text}` is not BUCKET/KEY"))),
        }
    }
}

/// A function by name, written `tenant/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionRef {
    /// Who owns it.
    pub tenant: Tenant,
    /// What it is called.
    pub name: FunctionName,
}

impl FunctionRef {
    /// # Errors
    /// `Invalid` as [`Tenant::new`] and [`FunctionName::new`].
    pub fn new(tenant: impl AsRef<str>, name: impl AsRef<str>) -> Result<Self> {
        Ok(Self {
            tenant: Tenant::new(tenant)?,
            name: FunctionName::new(name)?,
        })
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.name)
    }
}

impl FromStr for FunctionRef {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('/') {
            Some((tenant, name)) => Self::new(tenant, name),
            None => Err(Error::invalid(format!("`{text}` is not TENANT/FUNCTION"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\0", "ä", "a b", &"x".repeat(65)] {
            assert!(Tenant::new(bad).is_err(), "{bad:?}");
        }
        assert!(Tenant::new("ndp-2.test_A").is_ok());
        assert!(Bucket::new(".functions").unwrap().is_internal());
    }

    #[test]
    fn keys_keep_their_slashes() {
        let object: ObjectKey = "books/a/b//c ü".parse().unwrap();
        assert_eq!(
            (object.bucket.as_str(), object.key.as_str()),
            ("books", "a/b//c ü")
        );
        assert!("books".parse::<ObjectKey>().is_err());
        assert!("books/".parse::<ObjectKey>().is_err());
        assert!(Key::new("x".repeat(1025)).is_err());
        assert!(Key::new("a\0b").is_err());
    }
}
