//! What windows and deltas cost: `cargo run --release -p ganglion-snapshot --example costs`. Medians, in microseconds; compare
//! within a row, since machines and their other work differ.

use ganglion_snapshot::{Image, PAGE_BYTES, Slot, SlotPool};
use std::error::Error;
use std::sync::Arc;

const ROUNDS: usize = 101;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const IMAGE_BYTES: usize = 64 * MIB;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("the clock is not negative")
}

fn timed<T>(times: &mut Vec<u64>, work: impl FnOnce() -> T) -> T {
    let before = now_ns();
    let result = work();
    times.push(now_ns() - before);
    result
}

fn median(times: &mut [u64]) -> String {
    times.sort_unstable();
    let ns = times[times.len() / 2];
    format!("{:>7}.{}", ns / 1000, ns % 1000 / 100)
}

/// Writes as a guest would.
fn write(slot: &Slot, offset: usize, bytes: &[u8]) {
    assert!(offset + bytes.len() <= slot.size_bytes());
    // SAFETY: the slot's memory is mapped up to its size (asserted), and this thread has the only guest.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), slot.base().add(offset), bytes.len()) };
}

/// A window opened, filled and given back.
fn fill(slot: &Slot, object: &[u8]) -> Result<()> {
    let offset = slot.new_window(object.len(), |size| slot.grow_to(size))?;
    let filling = slot.begin_filling(offset, object.len())?;
    write(slot, offset, object);
    filling.finish(object.len());
    slot.unmap_window(offset)?;
    Ok(())
}

fn windows() -> Result<()> {
    println!("a window that is filled: with fresh pages, and with kept ones");
    let image = Arc::new(Image::new(&[1], 64 * KIB, vec![])?);
    for len in [64 * KIB, MIB, 4 * MIB, 32 * MIB] {
        let object = vec![7; len];
        let (mut fresh, mut kept) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let pool = SlotPool::new(1);
            let slot = pool.take(&image)?.expect("a free slot");
            timed(&mut fresh, || fill(&slot, &object))?;
            timed(&mut kept, || fill(&slot, &object))?;
        }
        let (fresh, kept) = (median(&mut fresh), median(&mut kept));
        println!("  {:>6} KiB {fresh} {kept}", len / KIB);
    }
    Ok(())
}

fn deltas() -> Result<()> {
    println!(
        "of {} MiB, pages dirtied: delta, apply, changes since, reset of both",
        IMAGE_BYTES / MIB
    );
    let image = Arc::new(Image::new(&vec![1; IMAGE_BYTES], IMAGE_BYTES, vec![])?);
    let mut hashing = Vec::new();
    timed(&mut hashing, || image.hash());
    for pages in [0, 2, 17, 164, 1638] {
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            let pool = SlotPool::new(2);
            for is_warm in [false, true] {
                let home = pool.take(&image)?.expect("a free slot");
                let away = pool.take(&image)?.expect("a free slot");
                for page in 0..pages {
                    write(&home, page * 9 * PAGE_BYTES, &[2]);
                }
                let mut cold = [const { Vec::new() }; 4];
                let [delta, apply, changes, reset] = if is_warm { &mut times } else { &mut cold };
                let delta = timed(delta, || home.delta(vec![], usize::MAX))?;
                timed(apply, || away.apply(&delta))?;
                write(&away, 0, &[3]);
                timed(changes, || away.changes_since(&delta, vec![], usize::MAX))?;
                timed(reset, || drop((home, away)));
            }
        }
        let times = times.map(|mut times| median(&mut times)).join(" ");
        println!("  {pages:>6} {times}");
    }
    println!("naming the image, once: {} us", median(&mut hashing));
    Ok(())
}

fn main() -> Result<()> {
    windows()?;
    deltas()
}
