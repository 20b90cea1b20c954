//! Identifiers: of a call, of a node, of a module by its content, of a trace that somebody else began.

use crate::{Error, Result};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one call for ever: in answers, in logs, and beside every object that the call wrote.
///
/// 128 bits, printed as 32 hexadecimal digits, which is also the form of a W3C trace id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u128);

impl CallId {
    /// The id of a part of this: another for each number, the same whenever it is asked for, and none that a [`CallIds`] gives.
    #[must_use]
    pub fn part(self, number: u32) -> Self {
        // Above the counter and the prefix's lowest bit.
        Self(self.0 ^ (u128::from(number) + 1) << 65)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CallId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match (text.len(), u128::from_str_radix(text, 16)) {
            (32, Ok(id)) => Ok(Self(id)),
            _ => Err(Error::invalid(format!(
                "`{text}` is not a call id: 32 hexadecimal digits"
            ))),
        }
    }
}

/// Makes the [`CallId`]s of one process: a random prefix and a counter, so that a call costs no randomness.
#[derive(Debug)]
pub struct CallIds {
    prefix: u64,
    next: AtomicU64,
}

impl CallIds {
    /// `prefix` is drawn once by the process; two processes with the same prefix would share ids.
    pub fn new(prefix: u64) -> Self {
        Self {
            prefix: prefix | 1,
            next: AtomicU64::new(1),
        }
    }

    /// An id that this process has not given before.
    pub fn next(&self) -> CallId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        CallId(u128::from(self.prefix) << 64 | u128::from(count))
    }
}

/// The name of a node, as an operator writes it: `storage-1`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// Longest name, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// # Errors
    /// `Invalid` unless it is 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        let name = name.as_ref();
        crate::name::check_word("node name", name, Self::BYTES_MAX)?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The BLAKE3 hash of some bytes: what a module or an image *is*, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl Hash for ContentHash {
    /// Eight bytes of a cryptographic hash tell as much as all: tables keyed by content are read on every call.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0[..8]);
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ContentHash {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{text}` is not a content hash: 64 hexadecimal digits"
            ))
        };
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

/// A `traceparent` header that came with a request and goes on with it (W3C Trace Context, level 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The whole trace; never zero.
    pub trace: u128,
    /// The caller's span; never zero.
    pub span: u64,
    /// Bit 0: the caller records this trace.
    pub flags: u8,
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace, self.span, self.flags
        )
    }
}

impl FromStr for TraceParent {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("`{text}` is not a W3C traceparent"));
        let lower_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags] = parts[..] else {
            return Err(wrong());
        };
        let lengths = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2];
        if version != "00" || !lengths || ![trace, span, flags].into_iter().all(lower_hex) {
            return Err(wrong());
        }
        let parsed = Self {
            trace: u128::from_str_radix(trace, 16).map_err(|_| wrong())?,
            span: u64::from_str_radix(span, 16).map_err(|_| wrong())?,
            flags: u8::from_str_radix(flags, 16).map_err(|_| wrong())?,
        };
        if parsed.trace == 0 || parsed.span == 0 {
            Err(wrong())
        } else {
            Ok(parsed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_print() {
        let ids = CallIds::new(0xdead_beef);
        let (first, second) = (ids.next(), ids.next());
        assert_ne!(first, second);
        assert_eq!(first.to_string().parse::<CallId>().unwrap(), first);
        let hash = ContentHash([0xa7; 32]);
        assert_eq!(hash.to_string().parse::<ContentHash>().unwrap(), hash);
        assert!("xyz".parse::<ContentHash>().is_err());
    }

    #[test]
    fn parts_of_calls_have_ids_of_their_own() {
        let ids = CallIds::new(0xdead_beef);
        let calls = [ids.next(), ids.next()];
        let mut all = calls.to_vec();
        for number in [0, 1, 2, 1 << 20, u32::MAX] {
            all.extend(calls.map(|call| call.part(number)));
        }
        let mut different = all.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), all.len());
        assert_eq!(calls[0].part(7), calls[0].part(7));
    }

    #[test]
    fn a_traceparent_is_taken_whole_or_not_at_all() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), text);
        for bad in [
            "",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }
}
