//! Bytes in, number out.

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};

/// The bytes of the same value written without white space; nothing where the text is not JSON or is too deep.
pub fn length(text: &[u8]) -> Option<usize> {
    let tree: serde_json::Value = serde_json::from_slice(text).ok()?;
    let mut written = Vec::with_capacity(text.len());
    let mut serializer = Serializer::with_formatter(&mut written, Numbers);
    tree.serialize(&mut serializer).ok()?;
    Some(written.len())
}

/// Numbers with a fraction as C++ libraries and Python print them: the fewest digits that stand for them, with an exponent of at least two
/// digits below 1e-4 and from 1e15 on.
struct Numbers;

impl Formatter for Numbers {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let shortest = format!("{value:e}");
        let exponent = shortest
            .split_once('e')
            .map(|(_, exponent)| exponent.parse());
        match exponent {
            Some(Ok(exponent @ (..-4 | 15..))) => {
                let digits = shortest.split('e').next().unwrap_or_default();
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(writer, "{digits}e{sign}{:02}", i32::abs(exponent))
            }
            _ => CompactFormatter.write_f64(writer, value),
        }
    }
}
