//! What compressing the pages of a delta costs and gains, by what is in them: `cargo run --release -p ganglion-wire --example
//! delta_packing`. The constants of `packing_for` come from here.

use bytes::Bytes;
use ganglion_types::{ContentHash, Delta, PAGE_BYTES, PageRun, Result};
use ganglion_wire::{Packing, delta_parts};
use std::hint::black_box;

const ROUNDS: usize = 9;

fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the clock is not negative")
}

/// The bytes that fill pages of one kind.
fn content(kind: &str, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        match kind {
            "prose" => {
                let length = random.usize(2..9);
                let rank = random.u32(1..=3000) * random.u32(1..=3000) / 3000;
                let mut word = fastrand::Rng::with_seed(rank.into());
                bytes.extend((0..length).map(|_| word.u8(b'a'..=b'z')));
                bytes.push(b' ');
            }
            // What an allocator makes of a table of strings: header, pointer, length, a number, short text, room to spare.
            "heap of objects" => {
                let text = random.usize(4..20);
                bytes.extend_from_slice(&48_u32.to_le_bytes());
                bytes.extend_from_slice(&(0x10_0000 + random.u32(..0x40_0000) * 8).to_le_bytes());
                bytes.extend_from_slice(&u32::try_from(text).unwrap_or(0).to_le_bytes());
                bytes.extend_from_slice(&random.u32(..1000).to_le_bytes());
                bytes.extend((0..text).map(|_| random.u8(b'a'..=b'z')));
                bytes.resize(bytes.len().next_multiple_of(48), 0);
            }
            "small integers" => bytes.extend_from_slice(&random.u32(..1000).to_le_bytes()),
            "doubles" => bytes.extend_from_slice(&random.f64().to_le_bytes()),
            "mostly zeros" => {
                bytes.extend_from_slice(&random.u64(..).to_le_bytes());
                bytes.resize(bytes.len() + 120, 0);
            }
            _ => bytes.push(random.u8(..)),
        }
    }
    bytes.truncate(len);
    bytes
}

/// Every other page of the memory, as guests dirty them: short runs.
fn delta(kind: &str, pages: usize) -> Delta {
    let mut bytes = Bytes::from(content(kind, pages * PAGE_BYTES));
    let runs = (0..pages).map(|number| PageRun {
        first_page: u32::try_from(2 * number).expect("a few pages"),
        bytes: bytes.split_to(PAGE_BYTES),
    });
    Delta {
        image: ContentHash([0; 32]),
        memory_bytes: 1 << 30,
        globals: vec![],
        pages: runs.collect(),
    }
}

/// The shortest of several times, in nanoseconds.
fn best(mut work: impl FnMut() -> Result<()>) -> Result<u64> {
    let mut shortest = u64::MAX;
    for _ in 0..ROUNDS {
        let before = now_ns();
        work()?;
        shortest = shortest.min(now_ns() - before);
    }
    Ok(shortest)
}

fn main() -> Result<()> {
    println!(
        "{:>6}  {:<16} {:>6}  {:>16}  {:>16}",
        "pages", "content", "ratio", "pack", "unpack"
    );
    for pages in [2, 16, 256, 4096] {
        for kind in [
            "prose",
            "heap of objects",
            "small integers",
            "doubles",
            "mostly zeros",
            "random",
        ] {
            row(kind, pages)?;
        }
    }
    Ok(())
}

fn row(kind: &str, pages: usize) -> Result<()> {
    let delta = delta(kind, pages);
    let parts = delta_parts(&delta, Packing::Zstd)?;
    let payload: Bytes = parts.payload.concat().into();
    let pack_ns = best(|| {
        black_box(delta_parts(&delta, Packing::Zstd)?);
        Ok(())
    })?;
    let unpack_ns = best(|| {
        black_box(
            parts
                .message
                .clone()
                .into_delta(payload.clone(), u64::MAX)?,
        );
        Ok(())
    })?;
    let bytes = delta.pages_bytes();
    let rate = |ns: u64| bytes * 1000 / ns.max(1);
    let ratio = bytes * 10 / payload.len() as u64;
    println!(
        "{pages:>6}  {kind:<16} {:>6}  {:>7} us {:>4} MB/s  {:>6} us {:>5} MB/s",
        format!("{}.{}", ratio / 10, ratio % 10),
        pack_ns / 1000,
        rate(pack_ns),
        unpack_ns / 1000,
        rate(unpack_ns)
    );
    Ok(())
}
