//! What a guest has changed, on its way to another node and on disk.
//!
//! ```text
//!   message   format │ image │ memory │ globals │ gaps 2, 1 │ lengths 2, 1 │ packing
//!   payload   page 2 │ page 3 │ page 5
//! ```
//!
//! Where the pages belong is in the message, and the payload is nothing but pages, so that they are never copied into a message
//! nor out of one: the runs of a plain payload are parts of the buffer that it was read into. A run is said by the gap before it
//! and its length; so runs that overlap or go backwards cannot be said.

use crate::call::{hash_from_words, hash_words};
use crate::message::{self, global_value};
use crate::node::corrupt;
use crate::record;
use bytes::{Bytes, BytesMut};
use ganglion_types::{
    Delta, Error, GlobalValue, PAGE_BYTES, PageRun, Result, WindowLayout, WindowRange,
};
use prost::Message;
use std::io::Write;

/// The format that this build writes, and the only one that it reads; of the message, and of the record.
const FORMAT: u32 = 1;

/// Runs below this length are copied together, so that a payload is a few long pieces and not many short ones.
const PIECE_BYTES_MIN: usize = 64 << 10;

/// Longest message of a delta that is kept, in bytes: room for some hundred thousand runs.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

/// Zstandard's fastest level of those that find what repeats: a higher one gains less in size than it takes in time.
const ZSTD_LEVEL: i32 = 1;
/// Measured, see [`packing_for`]: how much smaller pages become; what both ends spend on any; and on 1000 bytes, at 300 MB/s one way
/// and 1.1 GB/s back.
const ZSTD_RATIO_TENTHS: u128 = 22;
const ZSTD_FIXED_NS: u128 = 50_000;
const ZSTD_NS_PER_1000_BYTES: u128 = 4_200;

/// How pages become a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are; nothing is copied.
    Plain,
    /// Compressed with Zstandard, unless that saves less than an eighth. See [`packing_for`].
    Zstd,
}

/// What has `pages_bytes` bytes of pages at the other end of a link of `link_bytes_per_s` soonest.
///
/// Compressing pays where what it saves on the link takes longer than both ends work for it. Measured
/// (`examples/delta_packing.rs`, one core of a busy machine with two, level 1): pages of text, of an allocator's objects and of
/// small integers become 2 to 2.5 times smaller, at 200 to 400 MB/s one way and 1.1 GB/s back, and 50 us are spent before the
/// first byte. So it pays below some 130 MB/s, which is a link of 1 Gb/s; for two pages below 50 MB/s; and never on loopback or
/// at 10 Gb/s. What is in the pages is not looked at: those of random numbers cost the time and gain nothing.
pub fn packing_for(pages_bytes: u64, link_bytes_per_s: u64) -> Packing {
    let bytes = u128::from(pages_bytes);
    let on_the_link_ns = bytes * 1_000_000_000 / u128::from(link_bytes_per_s.max(1));
    let saved_ns = on_the_link_ns - on_the_link_ns * 10 / ZSTD_RATIO_TENTHS;
    let worked_ns = ZSTD_FIXED_NS + bytes * ZSTD_NS_PER_1000_BYTES / 1000;
    if saved_ns > worked_ns {
        Packing::Zstd
    } else {
        Packing::Plain
    }
}

/// A delta, taken apart for the wire.
#[derive(Debug)]
pub struct DeltaParts {
    /// All but the pages.
    pub message: message::Delta,
    /// The pages: the payload, in this order.
    pub payload: Vec<Bytes>,
}

/// Takes a delta apart. Long runs of a plain payload are shared and not copied.
///
/// # Errors
/// `Invalid` when it is none ([`Delta::check`]).
pub fn delta_parts(delta: &Delta, packing: Packing) -> Result<DeltaParts> {
    delta.check()?;
    let (packing, payload) = match packing {
        Packing::Plain => (message::Packing::Plain, pieces(&delta.pages)),
        Packing::Zstd => {
            let packed = compress(delta)?;
            if (packed.len() as u64) < delta.pages_bytes() / 8 * 7 {
                (message::Packing::Zstd, vec![packed.into()])
            } else {
                (message::Packing::Plain, pieces(&delta.pages))
            }
        }
    };
    let mut message = message_of(delta);
    message.set_packing(packing);
    Ok(DeltaParts { message, payload })
}

fn message_of(delta: &Delta) -> message::Delta {
    let [image_0, image_1, image_2, image_3] = hash_words(delta.image);
    let number = |pages: u64| u32::try_from(pages).expect("a page of what can be addressed");
    let mut end = 0;
    let gaps = delta.pages.iter().map(|run| {
        let gap = u64::from(run.first_page) - end;
        end = run.end_page();
        number(gap)
    });
    message::Delta {
        format: FORMAT,
        image_0,
        image_1,
        image_2,
        image_3,
        memory_bytes: delta.memory_bytes,
        globals: delta.globals.iter().map(|value| (*value).into()).collect(),
        gaps: gaps.collect(),
        lengths: delta
            .pages
            .iter()
            .map(|run| number((run.bytes.len() / PAGE_BYTES) as u64))
            .collect(),
        packing: message::Packing::Unknown.into(),
    }
}

fn pieces(runs: &[PageRun]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut short = BytesMut::new();
    for run in runs {
        if run.bytes.len() < PIECE_BYTES_MIN {
            short.extend_from_slice(&run.bytes);
            continue;
        }
        if !short.is_empty() {
            pieces.push(short.split().freeze());
        }
        pieces.push(run.bytes.clone());
    }
    if !short.is_empty() {
        pieces.push(short.freeze());
    }
    pieces
}

fn compress(delta: &Delta) -> Result<Vec<u8>> {
    let compressed = || {
        let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
        encoder.include_contentsize(true)?;
        encoder.set_pledged_src_size(Some(delta.pages_bytes()))?;
        for run in &delta.pages {
            encoder.write_all(&run.bytes)?;
        }
        encoder.finish()
    };
    compressed().map_err(|error: std::io::Error| {
        Error::internal(format!(
            "the pages of a delta cannot be compressed: {error}"
        ))
    })
}

impl message::Delta {
    /// The delta, put together again. Runs of a plain payload are parts of it.
    ///
    /// # Errors
    /// `Unavailable` when it is in another format; `Invalid` when it has more than `pages_bytes_max` bytes of pages, which is
    /// found before any is allocated for them; `Corrupt` when it says what no node would, or the payload is not what it says.
    pub fn into_delta(self, payload: Bytes, pages_bytes_max: u64) -> Result<Delta> {
        if self.format != FORMAT {
            return Err(Error::unavailable(format!(
                "a delta is in format {}, this node reads {FORMAT}: run the same release on all nodes",
                self.format
            )));
        }
        let wrong = |what: String| corrupt(Error::invalid(format!("a delta {what}")));
        if self.gaps.len() != self.lengths.len() {
            return Err(wrong("whose gaps are not as many as its runs".into()));
        }
        // Sums of 32-bit numbers, of which no message has 2^32: 64 bits hold them.
        let pages: u64 = self.lengths.iter().map(|length| u64::from(*length)).sum();
        if pages < self.lengths.len() as u64 {
            return Err(wrong("with runs of no page".into()));
        }
        let pages_bytes = pages * PAGE_BYTES as u64;
        if pages_bytes > pages_bytes_max {
            return Err(Error::invalid(format!(
                "a delta has {pages_bytes} bytes of pages, limit {pages_bytes_max}"
            )));
        }
        let expected = usize::try_from(pages_bytes).map_err(|_| wrong("beyond memory".into()))?;
        let mut bytes = match self.packing() {
            message::Packing::Plain => payload,
            message::Packing::Zstd => decompress(&payload, expected)?,
            message::Packing::Unknown => return Err(wrong("of no known packing".into())),
        };
        if bytes.len() != expected {
            let there = bytes.len();
            return Err(wrong(format!(
                "of {expected} bytes of pages came with {there}"
            )));
        }
        let mut end = 0_u32;
        let mut runs = Vec::with_capacity(self.lengths.len());
        for (gap, length) in self.gaps.iter().zip(&self.lengths) {
            let first_page = end.checked_add(*gap);
            let behind = first_page.and_then(|first| first.checked_add(*length));
            let (Some(first_page), Some(behind)) = (first_page, behind) else {
                return Err(wrong("has a page that cannot be addressed".into()));
            };
            end = behind;
            runs.push(PageRun {
                first_page,
                bytes: bytes.split_to(*length as usize * PAGE_BYTES),
            });
        }
        let delta = Delta {
            image: hash_from_words([self.image_0, self.image_1, self.image_2, self.image_3]),
            memory_bytes: self.memory_bytes,
            globals: self
                .globals
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_>>()?,
            pages: runs,
        };
        delta.check().map_err(corrupt)?;
        Ok(delta)
    }
}

fn decompress(payload: &[u8], expected: usize) -> Result<Bytes> {
    let decompressed = zstd::bulk::decompress(payload, expected);
    decompressed.map(Into::into).map_err(|error| {
        corrupt(Error::invalid(format!(
            "a delta's {} bytes cannot be decompressed to {expected}: {error}",
            payload.len()
        )))
    })
}

/// The record of a delta, or of an image as a delta against an empty memory.
///
/// # Errors
/// `Invalid` when it is none, or is longer than a record can be, which is 4 GiB.
pub fn seal_delta(delta: &Delta, packing: Packing) -> Result<Vec<u8>> {
    let DeltaParts { message, payload } = delta_parts(delta, packing)?;
    let mut body = message.encode_length_delimited_to_vec();
    for piece in payload {
        body.extend_from_slice(&piece);
    }
    record::seal(FORMAT, &body, u32::MAX).map_err(|error| error.within("a delta"))
}

/// The delta in a record. Runs of a plain one are parts of it.
///
/// # Errors
/// `Unavailable` when it is a sound record of another format; `Invalid` when it has more than `pages_bytes_max` bytes of pages;
/// `Corrupt` when it is no record, or says what no node would.
pub fn open_delta(sealed: &Bytes, pages_bytes_max: u64) -> Result<Delta> {
    let body_bytes_max = pages_bytes_max.saturating_add(MESSAGE_BYTES_MAX);
    let (format, body) = record::open(sealed, u32::try_from(body_bytes_max).unwrap_or(u32::MAX))?;
    if format != FORMAT {
        return Err(Error::unavailable(format!(
            "a delta is kept in format {format}, this node reads {FORMAT}"
        )));
    }
    let mut rest = body;
    let message = message::Delta::decode_length_delimited(&mut rest)
        .map_err(|error| Error::corrupt(format!("a delta cannot be read: {error}")))?;
    message.into_delta(sealed.slice_ref(rest), pages_bytes_max)
}

impl From<GlobalValue> for message::GlobalValue {
    fn from(value: GlobalValue) -> Self {
        let value = match value {
            GlobalValue::I32(value) => global_value::Value::I32(value),
            GlobalValue::I64(value) => global_value::Value::I64(value),
            GlobalValue::F32(bits) => global_value::Value::F32(bits),
            GlobalValue::F64(bits) => global_value::Value::F64(bits),
        };
        Self { value: Some(value) }
    }
}

impl TryFrom<message::GlobalValue> for GlobalValue {
    type Error = Error;
    fn try_from(global: message::GlobalValue) -> Result<Self> {
        match global.value {
            Some(global_value::Value::I32(value)) => Ok(Self::I32(value)),
            Some(global_value::Value::I64(value)) => Ok(Self::I64(value)),
            Some(global_value::Value::F32(bits)) => Ok(Self::F32(bits)),
            Some(global_value::Value::F64(bits)) => Ok(Self::F64(bits)),
            None => Err(corrupt(Error::invalid("a global without a value"))),
        }
    }
}

impl From<&WindowLayout> for message::WindowLayout {
    fn from(layout: &WindowLayout) -> Self {
        let ranges = |list: &[WindowRange]| {
            let ranges = list.iter().map(|range| message::WindowRange {
                offset: range.offset,
                len_bytes: range.len_bytes,
                replaced: range.replaced,
            });
            ranges.collect()
        };
        Self {
            used: ranges(&layout.used),
            free: ranges(&layout.free),
        }
    }
}

impl From<message::WindowLayout> for WindowLayout {
    /// Whether a memory can have these windows, the slot finds out that they are arranged in.
    fn from(layout: message::WindowLayout) -> Self {
        let ranges = |list: Vec<message::WindowRange>| {
            let ranges = list.into_iter().map(|range| WindowRange {
                offset: range.offset,
                len_bytes: range.len_bytes,
                replaced: range.replaced,
            });
            ranges.collect()
        };
        Self {
            used: ranges(layout.used),
            free: ranges(layout.free),
        }
    }
}
