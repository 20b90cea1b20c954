//! The envelope of a small record that is kept: on disk, or in Redis.
//!
//! ```text
//!  byte 0      4         8        12       16
//!  ├─────────┼─────────┼────────┼────────┼───────────┐
//!  │ "GNG1"  │ format  │ length │ crc32c │ body      │
//!  └─────────┴─────────┴────────┴────────┴───────────┘
//! ```
//!
//! Integers are little endian. The checksum is over format, length and body: a bit that turned anywhere is found.

use ganglion_types::{Error, Result};

/// What the envelope adds to a body.
pub const RECORD_HEADER_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"GNG1";

fn checksum(format_and_length: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(format_and_length), body)
}

/// Puts `body`, written in its owner's format number `format`, into an envelope.
///
/// # Errors
/// `Invalid` when it is longer than `body_bytes_max`.
pub fn seal(format: u32, body: &[u8], body_bytes_max: u32) -> Result<Vec<u8>> {
    let length = u32::try_from(body.len())
        .ok()
        .filter(|length| *length <= body_bytes_max)
        .ok_or_else(|| {
            Error::invalid(format!(
                "a record of {} bytes is beyond its limit of {body_bytes_max}",
                body.len()
            ))
        })?;
    let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + body.len());
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&format.to_le_bytes());
    record.extend_from_slice(&length.to_le_bytes());
    let sum = checksum(&record[4..12], body);
    record.extend_from_slice(&sum.to_le_bytes());
    record.extend_from_slice(body);
    Ok(record)
}

/// Opens an envelope: the format number and the body, which is a part of `record`.
///
/// # Errors
/// `Corrupt` when it is no record, is cut or lengthened, is beyond `body_bytes_max`, or its checksum is another.
pub fn open(record: &[u8], body_bytes_max: u32) -> Result<(u32, &[u8])> {
    let Some((header, body)) = record.split_first_chunk::<RECORD_HEADER_BYTES>() else {
        return Err(Error::corrupt(format!(
            "a record of {} bytes is shorter than its header of {RECORD_HEADER_BYTES}",
            record.len()
        )));
    };
    let (fields, _) = header.as_chunks::<4>();
    let [format, length, sum] = [1, 2, 3].map(|field: usize| u32::from_le_bytes(fields[field]));
    if fields[0] != MAGIC {
        return Err(Error::corrupt(format!(
            "no record: it begins with {:02x?} and not with {MAGIC:02x?}",
            fields[0]
        )));
    }
    if length > body_bytes_max || usize::try_from(length) != Ok(body.len()) {
        return Err(Error::corrupt(format!(
            "a record says {length} bytes and holds {}, limit {body_bytes_max}",
            body.len()
        )));
    }
    if checksum(&header[4..12], body) != sum {
        return Err(Error::corrupt(
            "a record's checksum is not that of its content",
        ));
    }
    Ok((format, body))
}
