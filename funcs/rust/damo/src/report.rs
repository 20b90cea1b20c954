//! Reports of DAMON, as `damo report raw` prints them. Bytes in, number out.

/// The most bytes that were hot in one snapshot: in regions with at least `threshold` accesses. Nothing where no line is a region.
pub fn hot_bytes_max(report: &[u8], threshold: u64) -> Option<u64> {
    let mut most = None;
    let mut hot = 0;
    for line in report.split(|byte| *byte == b'\n') {
        if line.starts_with(b"nr_regions:") {
            hot = 0;
        } else if let Some((bytes, accesses)) = region(line) {
            hot += if accesses >= threshold { bytes } else { 0 };
            most = most.max(Some(hot));
        }
    }
    most
}

/// Size and accesses of a line `563ebaa00000-563ebc99e000(  31.617 MiB):        1`.
fn region(line: &[u8]) -> Option<(u64, u64)> {
    let line = str::from_utf8(line).ok()?;
    let (begin, rest) = line.split_once('-')?;
    let (end, rest) = rest.split_once('(')?;
    let (_, accesses) = rest.split_once(':')?;
    let accesses = accesses.trim_start_matches([' ', '\t']);
    let digits = accesses.find(|digit: char| !digit.is_ascii_digit());
    let accesses = &accesses[..digits.unwrap_or(accesses.len())];
    let bytes = address(end)?.checked_sub(address(begin)?)?;
    Some((bytes, accesses.parse().ok()?))
}

/// The number of hexadecimal digits; the standard library's takes a sign as well.
fn address(digits: &str) -> Option<u64> {
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, 16).ok()
}
