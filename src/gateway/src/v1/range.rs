//! Conditions and ranges of object requests (RFC 9110, sections 13 and 14): as much as an object needs.

use ganglion_store::{ByteRange, Condition, ObjectMeta, Version};
use ganglion_types::{Error, Result};
use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName};

/// The strong entity tag of a version.
pub(super) fn etag(version: Version) -> String {
    format!("\"{version}\"")
}

/// What `If-Match` or `If-None-Match` lists.
#[derive(Debug, PartialEq, Eq)]
enum Tags {
    Any,
    /// Those of the list that can be versions; others match nothing.
    These(Vec<Version>),
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let value = headers.get(name)?.to_str().unwrap_or_default();
        if value.trim() == "*" {
            return Some(Self::Any);
        }
        Some(Self::These(value.split(',').filter_map(version).collect()))
    }

    fn hold(&self, current: Version) -> bool {
        match self {
            Self::Any => true,
            Self::These(versions) => versions.contains(&current),
        }
    }
}

fn version(tag: &str) -> Option<Version> {
    let quoted = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    quoted.parse().ok().map(Version)
}

/// What must hold of an object for it to be written or deleted. `None` in place of a condition: the object must exist,
/// whichever its version is (`If-Match: *`).
pub(super) fn write_condition(headers: &HeaderMap) -> Result<Option<Condition>> {
    let (matching, other) = (
        Tags::of(headers, &IF_MATCH),
        Tags::of(headers, &IF_NONE_MATCH),
    );
    match (matching, other) {
        (None, None) => Ok(Some(Condition::None)),
        (None, Some(Tags::Any)) => Ok(Some(Condition::Absent)),
        (Some(Tags::Any), None) => Ok(None),
        (Some(Tags::These(versions)), None) => match versions[..] {
            [version] => Ok(Some(Condition::Version(version))),
            _ => Err(Error::invalid(
                "If-Match of a write is one ETag of this object, or *",
            )),
        },
        _ => Err(Error::invalid(
            "a write takes either If-Match or `If-None-Match: *`",
        )),
    }
}

/// What a read asks beyond the object.
#[derive(Debug)]
pub(super) struct ReadAsked {
    matching: Option<Tags>,
    other_than: Option<Tags>,
    range: Option<Wanted>,
    if_range: Option<String>,
}

/// One range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    FromTo(u64, u64),
    Last(u64),
}

/// What a read is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadAnswer {
    /// 200: the whole object.
    Whole,
    /// 206: these bytes.
    Part(ByteRange),
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    OutOfRange,
}

impl ReadAsked {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            matching: Tags::of(headers, &IF_MATCH),
            other_than: Tags::of(headers, &IF_NONE_MATCH),
            range: text(&RANGE).and_then(wanted),
            if_range: text(&IF_RANGE).map(str::to_owned),
        }
    }

    /// Whether the answer is the whole object, whatever it is.
    pub(super) fn is_plain(&self) -> bool {
        self.matching.is_none() && self.other_than.is_none() && self.range.is_none()
    }

    /// The answer, knowing the object; in the order of RFC 9110, 13.2.2.
    pub(super) fn answer(&self, meta: &ObjectMeta) -> ReadAnswer {
        if self
            .matching
            .as_ref()
            .is_some_and(|tags| !tags.hold(meta.version))
        {
            return ReadAnswer::Failed;
        }
        if self
            .other_than
            .as_ref()
            .is_some_and(|tags| tags.hold(meta.version))
        {
            return ReadAnswer::NotModified;
        }
        let current = |tag: &String| version(tag) == Some(meta.version);
        match self.range {
            Some(range) if self.if_range.as_ref().is_none_or(current) => {
                part(range, meta.size_bytes)
            }
            _ => ReadAnswer::Whole,
        }
    }
}

/// A single range; what is none, and several of them, are as if not asked (RFC 9110, 14.2).
fn wanted(header: &str) -> Option<Wanted> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", count) => Some(Wanted::Last(count.parse().ok()?)),
        (first, "") => Some(Wanted::FromTo(first.parse().ok()?, u64::MAX)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Wanted::FromTo(first, last))
        }
    }
}

fn part(range: Wanted, size_bytes: u64) -> ReadAnswer {
    let (offset, length) = match range {
        Wanted::FromTo(first, last) => {
            let last = last.min(size_bytes.saturating_sub(1));
            (first, last.saturating_sub(first).saturating_add(1))
        }
        Wanted::Last(count) => {
            let length = count.min(size_bytes);
            (size_bytes - length, length)
        }
    };
    if offset >= size_bytes || length == 0 {
        ReadAnswer::OutOfRange
    } else {
        ReadAnswer::Part(ByteRange { offset, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const META: ObjectMeta = ObjectMeta {
        size_bytes: 100,
        version: Version(7),
        modified_ms: 0,
    };

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn answer(pairs: &[(&'static str, &'static str)]) -> ReadAnswer {
        ReadAsked::of(&headers(pairs)).answer(&META)
    }

    #[test]
    fn a_range_is_cut_at_the_objects_end() {
        let part = |offset, length| ReadAnswer::Part(ByteRange { offset, length });
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=10-19", part(10, 10)),
            ("bytes=90-", part(90, 10)),
            ("bytes=90-500", part(90, 10)),
            ("bytes=-10", part(90, 10)),
            ("bytes=-500", part(0, 100)),
            ("bytes=100-", ReadAnswer::OutOfRange),
            ("bytes=-0", ReadAnswer::OutOfRange),
            ("bytes=5-4", ReadAnswer::Whole),
            ("bytes=0-1,3-4", ReadAnswer::Whole),
            ("lines=1-2", ReadAnswer::Whole),
            ("bytes=a-b", ReadAnswer::Whole),
        ] {
            assert_eq!(answer(&[("range", range)]), expected, "{range}");
        }
    }

    #[test]
    fn conditions_come_before_the_range() {
        let range = ("range", "bytes=0-9");
        assert_eq!(answer(&[("if-match", "\"8\""), range]), ReadAnswer::Failed);
        assert_eq!(answer(&[("if-match", "W/\"7\"")]), ReadAnswer::Failed);
        assert_eq!(answer(&[("if-match", "\"6\", \"7\"")]), ReadAnswer::Whole);
        assert_eq!(
            answer(&[("if-none-match", "\"7\""), range]),
            ReadAnswer::NotModified
        );
        assert_eq!(answer(&[("if-none-match", "*")]), ReadAnswer::NotModified);
        assert_eq!(answer(&[("if-range", "\"8\""), range]), ReadAnswer::Whole);
        assert!(matches!(
            answer(&[("if-range", "\"7\""), range]),
            ReadAnswer::Part(_)
        ));
    }

    #[test]
    fn a_write_has_one_condition() {
        let condition = |pairs: &[_]| write_condition(&headers(pairs));
        assert_eq!(condition(&[]).unwrap(), Some(Condition::None));
        assert_eq!(
            condition(&[("if-none-match", "*")]).unwrap(),
            Some(Condition::Absent)
        );
        assert_eq!(condition(&[("if-match", "*")]).unwrap(), None);
        assert_eq!(
            condition(&[("if-match", "\"7\"")]).unwrap(),
            Some(Condition::Version(Version(7)))
        );
        assert!(condition(&[("if-match", "seven")]).is_err());
        assert!(condition(&[("if-none-match", "\"7\"")]).is_err());
        assert!(condition(&[("if-match", "\"7\""), ("if-none-match", "*")]).is_err());
    }
}
