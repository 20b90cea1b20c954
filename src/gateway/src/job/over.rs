//! The objects of a job: keys that match a pattern.

use ganglion_types::{Bucket, Error, Key, Result};
use globset::{GlobBuilder, GlobMatcher};

/// Longest pattern, in bytes: as long as the longest key.
const PATTERN_BYTES_MAX: usize = Key::BYTES_MAX;

/// Which objects of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    pub(crate) bucket: Bucket,
    /// What every key begins with that can match: only those are listed.
    pub(crate) prefix: String,
    pattern: String,
    keys: GlobMatcher,
}

impl Over {
    /// Keys that match `pattern`: `*` is any characters (and so are several), `/` as well, `?` one byte, `[ab]` one of those, `{a,b}` either of those; `\` before
    /// one of these makes it a letter.
    ///
    /// # Errors
    /// `Invalid` when it is no pattern.
    pub(crate) fn new(bucket: Bucket, pattern: &str) -> Result<Self> {
        if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the pattern of keys has {} bytes: 1 to {PATTERN_BYTES_MAX}",
                pattern.len()
            )));
        }
        let glob = GlobBuilder::new(&with_single_stars(pattern))
            .backslash_escape(true)
            .build();
        let glob = glob.map_err(|error| {
            Error::invalid(format!("`{pattern}` is no pattern of keys: {error}"))
        })?;
        Ok(Self {
            bucket,
            prefix: literal_prefix(pattern).to_owned(),
            pattern: pattern.to_owned(),
            keys: glob.compile_matcher(),
        })
    }

    pub(crate) fn matches(&self, key: &Key) -> bool {
        self.keys.is_match(key.as_str())
    }

    /// As it was written.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// The same pattern for a library to which several `*` are another thing than one.
fn with_single_stars(pattern: &str) -> String {
    let mut single = String::with_capacity(pattern.len());
    let (mut escaped, mut after_star) = (false, false);
    for letter in pattern.chars() {
        let is_star = letter == '*' && !escaped;
        if !(is_star && after_star) {
            single.push(letter);
        }
        after_star = is_star;
        escaped = letter == '\\' && !escaped;
    }
    single
}

/// What stands before the first character that means something.
fn literal_prefix(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{', '\\']);
    &pattern[..end.unwrap_or(pattern.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganglion_types::ErrorKind;

    fn over(pattern: &str) -> Result<Over> {
        Over::new(Bucket::new("ndp").unwrap(), pattern)
    }

    #[test]
    fn a_pattern_matches_keys_and_names_what_has_to_be_listed() {
        for (pattern, prefix, yes, no) in [
            (
                "books/*",
                "books/",
                &["books/a", "books/a/b", "books/"][..],
                &["book", "x/books/a"][..],
            ),
            ("*", "", &["a", "a/b", "ü", ".hidden"], &[]),
            ("a?c", "a", &["abc"], &["ac", "abbc", "aüc"]),
            ("a??c", "a", &["abbc", "aüc"], &["abc"]),
            ("log-[0-3]*", "log-", &["log-1", "log-37"], &["log-4"]),
            ("{a,b}/x", "", &["a/x", "b/x"], &["c/x"]),
            ("one", "one", &["one"], &["one1", "on"]),
            (r"a\*", "a", &["a*"], &["ab"]),
            ("a/**/b", "a/", &["a/x/b", "a//b", "a/x/y/b"], &["a/b"]),
            ("**/b", "", &["x/b", "/b"], &["b"]),
            ("a**", "a", &["a", "ab", "a/b"], &["b"]),
            (r"a\**", "a", &["a*", "a*b"], &["a", "ab"]),
        ] {
            let over = over(pattern).unwrap();
            assert_eq!(over.prefix, prefix, "{pattern}");
            let matches = |key: &&str| over.matches(&Key::new(*key).unwrap());
            assert!(yes.iter().all(matches), "{pattern}");
            assert!(!no.iter().any(matches), "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "[", "{a", &"x".repeat(1025)] {
            assert_eq!(over(bad).unwrap_err().kind(), ErrorKind::Invalid, "{bad}");
        }
    }
}
