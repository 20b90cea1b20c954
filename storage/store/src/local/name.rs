//! Keys as file names: any key has one name, and no two share one.
//!
//! ```text
//! report 2024.txt     report%202024.txt                    A-Z a-z 0-9 . _ - as they are, every other byte as %XX
//! ../etc              %2E.%2Fetc                           a leading dot too: no hidden file, no way out
//! (1024 bytes)        first-190-bytes-of-that=BLAKE3-hex   names end at 255 bytes; the trailer has the whole key
//! ```

use ganglion_types::Key;
use std::fmt::Write;

/// Longest file name on Linux, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Hexadecimal digits of a BLAKE3 hash.
const HASH_DIGITS: usize = 64;
/// What a long key's name begins with, for people only: the hash tells keys apart.
const LONG_HEAD_BYTES: usize = NAME_BYTES_MAX - HASH_DIGITS - 1;

/// What a file name says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileName {
    /// It is this key's.
    Short(Key),
    /// It is that of a key too long for a name.
    Long,
    /// No key has it.
    Foreign,
}

/// The file name of a key.
pub(super) fn of_key(key: &Key) -> String {
    let mut name = escape(key.as_str());
    if name.len() > NAME_BYTES_MAX {
        name.truncate(LONG_HEAD_BYTES);
        name.push('=');
        name.push_str(&blake3::hash(key.as_str().as_bytes()).to_hex());
    }
    name
}

/// Reads a file name back.
pub(super) fn parse(name: &str) -> FileName {
    if let Some((head, hash)) = name.split_once('=') {
        let is_hash = hash.len() == HASH_DIGITS
            && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        return if head.len() == LONG_HEAD_BYTES && is_hash {
            FileName::Long
        } else {
            FileName::Foreign
        };
    }
    let key = unescape(name).and_then(|key| Key::new(key).ok());
    match key {
        Some(key) if of_key(&key) == name => FileName::Short(key),
        _ => FileName::Foreign,
    }
}

fn escape(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for (position, byte) in key.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-')
            || (byte == b'.' && position > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    name
}

fn unescape(name: &str) -> Option<String> {
    let mut key = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        if byte != b'%' {
            key.push(byte);
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        key.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    #[test]
    fn no_key_names_a_hidden_file_or_leaves_its_folder() {
        for text in [".", "..", "../x", "/", "a/../../b", ".hidden", "%2E", "a=b"] {
            let name = of_key(&key(text));
            assert!(!name.starts_with('.') && !name.contains('/'), "{name}");
            assert_eq!(parse(&name), FileName::Short(key(text)));
        }
        assert_eq!(of_key(&key("../etc ü")), "%2E.%2Fetc%20%C3%BC");
    }

    #[test]
    fn long_keys_that_differ_at_their_end_have_different_names() {
        let (one, other) = (
            key(&"ä".repeat(512)),
            key(&format!("{}ab", "ä".repeat(511))),
        );
        assert_eq!(of_key(&one).len(), NAME_BYTES_MAX);
        assert_ne!(of_key(&one), of_key(&other));
        assert_eq!(parse(&of_key(&one)), FileName::Long);
    }

    #[test]
    fn a_name_that_no_key_has_is_foreign() {
        for name in [
            "", ".x", "a b", "%41", "%2e", "a%", "a%2", "%FF", "a=b", "x%00",
        ] {
            assert_eq!(parse(name), FileName::Foreign, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_key_reads_back_from_its_name(text in "[^\0]{1,80}") {
            let name = of_key(&key(&text));
            prop_assert!(name.len() <= NAME_BYTES_MAX);
            if escape(&text).len() <= NAME_BYTES_MAX {
                prop_assert_eq!(parse(&name), FileName::Short(key(&text)));
            } else {
                prop_assert_eq!(parse(&name), FileName::Long);
            }
        }
    }
}
