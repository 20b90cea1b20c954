//! What the tests of this room share.

use crate::{Image, PAGE_BYTES, Slot};
use std::io::Write;
use std::sync::Arc;

pub(crate) const MEMORY: usize = 16 * PAGE_BYTES;

/// Four pages of `fill`, and zeros up to [`MEMORY`].
pub(crate) fn image(fill: u8) -> Arc<Image> {
    Arc::new(Image::new(&[fill; 4 * PAGE_BYTES], MEMORY, vec![]).unwrap())
}

/// What a guest finds in a slot with [`image`].
pub(crate) fn expected(fill: u8) -> Vec<u8> {
    let mut memory = vec![fill; 4 * PAGE_BYTES];
    memory.resize(MEMORY, 0);
    memory
}

/// The guest's view of its memory.
#[allow(
    clippy::mut_from_ref,
    reason = "a slot is shared addresses; each test has one guest"
)]
pub(crate) fn memory(slot: &Slot) -> &mut [u8] {
    // SAFETY: the slot's memory is mapped up to its size, and each test has one guest.
    unsafe { std::slice::from_raw_parts_mut(slot.base(), slot.size_bytes()) }
}

pub(crate) fn object(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A new, empty window at the memory's end.
pub(crate) fn new_window(slot: &Slot, len_bytes: usize) -> usize {
    slot.new_window(len_bytes, |size| slot.grow_to(size))
        .unwrap()
}

/// Page faults that this thread has taken so far.
pub(crate) fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let behind_name = stat.rsplit_once(") ").unwrap().1;
    behind_name.split(' ').nth(7).unwrap().parse().unwrap()
}

/// Whether the kernel gives 2 MiB pages to whoever asks.
pub(crate) fn large_pages_are_given() -> bool {
    let enabled = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    enabled.is_ok_and(|modes| !modes.contains("[never]"))
}

/// The rights of the mapping in which an address is.
pub(crate) fn rights(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let number = |hex: &str| usize::from_str_radix(hex, 16).unwrap();
    let holds = |line: &&str| {
        let (begin, rest) = line.split_once('-').unwrap();
        (number(begin)..number(rest.split(' ').next().unwrap())).contains(&address)
    };
    let line = maps.lines().find(holds).unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}
