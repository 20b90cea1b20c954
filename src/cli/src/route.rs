//! Paths of the gateway, with every name percent-encoded.

use crate::failure::{Failure, Outcome};
use ganglion_types::{FunctionRef, ObjectKey};
use std::fmt::Write;

/// `/v1/functions/TENANT/NAME` and what follows it.
pub(crate) fn function(function: &FunctionRef, rest: &str) -> String {
    // Both are words of letters, digits, dot, dash and underscore: nothing in them needs encoding.
    format!("/v1/functions/{}/{}{rest}", function.tenant, function.name)
}

/// `/v1/objects/BUCKET/KEY`; the key keeps its slashes.
///
/// A URL loses the segments `.` and `..` on its way, however they are written, so the slashes beside such a segment are
/// encoded too: `a/../b` travels as the one segment `a%2F..%2Fb`.
///
/// # Errors
/// `Invalid` for the keys `.` and `..`, which no URL can carry.
pub(crate) fn object(object: &ObjectKey) -> Outcome<String> {
    let key = object.key.as_str();
    if is_dots(key) {
        return Err(Failure::invalid(format!(
            "the object key `{key}` cannot be carried in a URL"
        )));
    }
    let mut path = format!("/v1/objects/{}/", object.bucket);
    let mut before = "";
    for (index, segment) in key.split('/').enumerate() {
        if index > 0 {
            let joined = is_dots(before) || is_dots(segment);
            path.push_str(if joined { "%2F" } else { "/" });
        }
        encode(&mut path, segment);
        before = segment;
    }
    Ok(path)
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// Appends all but the unreserved characters of RFC 3986 as `%XX`.
fn encode(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path as it leaves through the URL parser of the HTTP client.
    fn sent(key: &str) -> String {
        let path = object(&ObjectKey::new("books", key).unwrap()).unwrap();
        let url = reqwest::Url::parse(&format!("http://127.0.0.1:8080{path}")).unwrap();
        assert_eq!((url.query(), url.fragment()), (None, None));
        url.path()
            .trim_start_matches("/v1/objects/books/")
            .to_owned()
    }

    #[test]
    fn a_key_keeps_its_slashes_and_nothing_else_that_a_url_would_read() {
        assert_eq!(sent("2026/11/log.txt"), "2026/11/log.txt");
        assert_eq!(
            sent("a b?c#d%2F+&=;:@"),
            "a%20b%3Fc%23d%252F%2B%26%3D%3B%3A%40"
        );
        assert_eq!(sent("grün/日"), "gr%C3%BCn/%E6%97%A5");
        assert_eq!(sent("a//b/"), "a//b/");
    }

    #[test]
    fn dots_between_slashes_do_not_climb_out_of_the_bucket() {
        assert_eq!(sent("a/../b"), "a%2F..%2Fb");
        assert_eq!(sent("../../v1/functions"), "..%2F..%2Fv1/functions");
        assert_eq!(sent("a/."), "a%2F.");
        assert_eq!(sent("a/..b/...c"), "a/..b/...c");
        for key in [".", ".."] {
            assert!(object(&ObjectKey::new("books", key).unwrap()).is_err());
        }
    }
}
