//! Sizes, times and names as a person reads them, in ASCII.

use ganglion_types::ObjectKey;
use std::fmt::{self, Write};

/// A size: `512 B`, `4.0 KiB`, `16.0 MiB`.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}

/// A time: `800 ns`, `1.4 us`, `14 ms`, `2.5 s`.
pub(crate) struct Nanos(pub(crate) u64);

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            ns @ ..1_000 => return write!(f, "{ns} ns"),
            ns @ ..1_000_000 => (ns as f64 / 1e3, "us"),
            ns @ ..1_000_000_000 => (ns as f64 / 1e6, "ms"),
            ns => (ns as f64 / 1e9, "s"),
        };
        let decimals = usize::from(value < 9.95);
        write!(f, "{value:.decimals$} {unit}")
    }
}

/// An object's name with everything but printable ASCII escaped, and cut when it is long.
pub(crate) struct Ascii<'a>(pub(crate) Option<&'a ObjectKey>);

impl Ascii<'_> {
    /// Most bytes of the key that are printed.
    const BYTES_MAX: usize = 96;
}

impl fmt::Display for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ObjectKey { bucket, key }) = self.0 else {
            return f.write_str("the object");
        };
        write!(f, "{bucket}/")?;
        let mut room = Self::BYTES_MAX;
        for character in key.as_str().chars() {
            let escaped = character.escape_default();
            if escaped.len() > room {
                return f.write_str("...");
            }
            room -= escaped.len();
            match character {
                '\'' | '"' => f.write_char(character)?,
                _ => write!(f, "{escaped}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        let size = |bytes| Bytes(bytes).to_string();
        assert_eq!(
            (size(512), size(4096), size(16 << 20)),
            ("512 B".into(), "4.0 KiB".into(), "16.0 MiB".into())
        );
        let time = |ns| Nanos(ns).to_string();
        assert_eq!(
            [
                time(800),
                time(1_400),
                time(14_200_000),
                time(2_500_000_000)
            ],
            ["800 ns", "1.4 us", "14 ms", "2.5 s"]
        );
    }

    #[test]
    fn a_name_can_break_neither_a_line_nor_a_header() {
        let object = ObjectKey::new("ndp", "a\r\nb ü's").unwrap();
        assert_eq!(Ascii(Some(&object)).to_string(), r"ndp/a\r\nb \u{fc}'s");
        let long = ObjectKey::new("ndp", "x".repeat(1024)).unwrap();
        assert_eq!(Ascii(Some(&long)).to_string().len(), 4 + 96 + 3);
    }
}
