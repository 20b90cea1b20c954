//! Numbers for people.

use bytesize::ByteSize;
use std::time::{Duration, UNIX_EPOCH};

/// `4.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// `850 µs`, `1.31 ms`, `2.50 s`.
#[allow(
    clippy::cast_precision_loss,
    reason = "three digits are shown of at most 53 exact bits"
)]
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.2} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

/// `2026-11-20T23:14:54Z`, from milliseconds since 1970-01-01 UTC.
pub(crate) fn moment(unix_ms: u64) -> String {
    // Later moments than this (the year 9999) cannot be formatted; no clock shows them.
    const LAST_S: u64 = 253_402_300_799;
    let at = UNIX_EPOCH + Duration::from_secs((unix_ms / 1_000).min(LAST_S));
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_few_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(4 << 20), "4.0 MiB");
        assert_eq!(micros(850), "850 µs");
        assert_eq!(micros(1_310), "1.31 ms");
        assert_eq!(micros(2_500_000), "2.50 s");
    }

    #[test]
    fn a_moment_is_utc_and_never_too_late_to_print() {
        assert_eq!(moment(0), "1970-01-01T00:00:00Z");
        assert_eq!(moment(u64::MAX), "9999-12-31T23:59:59Z");
    }
}
