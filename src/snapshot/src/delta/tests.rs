//! Whatever two guests do to a memory that travels between them, it arrives as it left.

use super::*;
use crate::shared::Shared;
use crate::testing::{MEMORY, image, memory, new_window, object};
use crate::{Lease, SlotPool, WINDOW_ALIGN_BYTES};
use ganglion_types::{WindowLayout, WindowRange};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

const MAX: usize = usize::MAX;

/// What the host puts into a window: as many bytes of an object's content, mapped or filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Object {
    seed: u8,
    len: usize,
    is_mapped: bool,
}

impl Object {
    fn content(self) -> Vec<u8> {
        let byte = |at: usize| u8::try_from((at / 7 + usize::from(self.seed)) % 251).unwrap();
        (0..self.len).map(byte).collect()
    }

    fn put_into(self, slot: &Slot, offset: usize) {
        let mut content = self.content();
        if self.is_mapped {
            content.extend_from_slice(b"what the store keeps behind the object");
            let file = object(&content);
            slot.map_object(offset, &file, 0, self.len).unwrap();
        } else {
            let filling = slot.begin_filling(offset, self.len).unwrap();
            memory(slot)[offset..offset + self.len].copy_from_slice(&content);
            filling.finish(self.len);
        }
    }
}

/// What a guest does. Places are fractions of what is there.
#[derive(Clone, Debug)]
enum Step {
    /// Writes a byte, anywhere or, so that it happens at all, in a window.
    Write(Index, u8, Option<Index>),
    /// Makes a page zeros.
    Zero(Index),
    /// Makes a page what another one is.
    Copy(Index, Index),
    Grow(usize),
    Open(Object),
    Close(Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let len = prop_oneof![
        1..100_000_usize,
        Just(65_536),
        WINDOW_ALIGN_BYTES - 5000..WINDOW_ALIGN_BYTES + 70_000
    ];
    let object = (0..3_u8, len, any::<bool>()).prop_map(|(seed, len, is_mapped)| Object {
        seed,
        len,
        is_mapped,
    });
    let step = prop_oneof![
        6 => (index(), any::<u8>(), prop::option::of(index()))
            .prop_map(|(place, byte, window)| Step::Write(place, byte, window)),
        1 => index().prop_map(Step::Zero),
        1 => (index(), index()).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => (1..5_usize).prop_map(|units| Step::Grow(units * MEMORY)),
        2 => object.prop_map(Step::Open),
        1 => index().prop_map(Step::Close),
    ];
    prop::collection::vec(step, 0..12)
}

/// A guest on some node.
struct Guest {
    slot: Lease,
    windows: BTreeMap<usize, Object>,
    /// Pages that it has written, or that were, since there was something else in their place.
    written: BTreeSet<usize>,
}

impl Guest {
    fn new(pool: &std::sync::Arc<SlotPool>, is_delta_expected: bool) -> Self {
        let slot = pool.take(&image(7)).unwrap().unwrap();
        if is_delta_expected {
            slot.expect_delta();
        }
        Self {
            slot,
            windows: BTreeMap::new(),
            written: BTreeSet::new(),
        }
    }

    fn go_on(&mut self, steps: &[Step]) {
        for step in steps {
            let size = self.slot.size_bytes();
            let page = |place: &Index| place.index(size / PAGE_BYTES) * PAGE_BYTES;
            match step {
                Step::Write(place, byte, window) => {
                    let mut at = place.index(size);
                    if let (Some(which), false) = (window, self.windows.is_empty()) {
                        let windows: Vec<_> = self.windows.iter().collect();
                        let (offset, object) = windows[which.index(windows.len())];
                        at = offset + place.index(object.len);
                    }
                    memory(&self.slot)[at] = *byte;
                    self.written.insert(at / PAGE_BYTES);
                }
                Step::Zero(place) => {
                    memory(&self.slot)[page(place)..][..PAGE_BYTES].fill(0);
                    self.written.insert(page(place) / PAGE_BYTES);
                }
                Step::Copy(from, to) => {
                    memory(&self.slot).copy_within(page(from)..page(from) + PAGE_BYTES, page(to));
                    self.written.insert(page(to) / PAGE_BYTES);
                }
                Step::Grow(bytes) => self.slot.grow_to(size + bytes).unwrap(),
                Step::Open(object) => {
                    let offset = self.slot.free_window(object.len);
                    let offset = offset.unwrap_or_else(|| new_window(&self.slot, object.len));
                    object.put_into(&self.slot, offset);
                    self.windows.insert(offset, *object);
                }
                Step::Close(which) if !self.windows.is_empty() => {
                    let windows: Vec<_> = self.windows.keys().copied().collect();
                    let offset = windows[which.index(windows.len())];
                    assert!(self.slot.unmap_window(offset).unwrap());
                    self.windows.remove(&offset);
                }
                Step::Close(_) => {}
            }
        }
    }

    /// Makes the windows those of another guest, objects included.
    fn arrange_as(&mut self, other: &Self) {
        let layout = other.slot.windows();
        let size = other.slot.size_bytes() as u64;
        for offset in self.slot.arrange_windows(&layout, size).unwrap() {
            other.windows[&offset].put_into(&self.slot, offset);
        }
        self.windows = other.windows.clone();
        self.written.extend(&other.written);
        assert_eq!(ranges(&self.slot.windows()), ranges(&layout));
    }

    fn globals(&self) -> Vec<GlobalValue> {
        vec![]
    }

    fn delta(&self) -> Delta {
        self.slot.delta(self.globals(), MAX).unwrap()
    }
}

fn ranges(layout: &WindowLayout) -> Vec<Vec<(u64, u64)>> {
    let ranges = |list: &[WindowRange]| {
        let mut ranges: Vec<_> = list
            .iter()
            .map(|range| (range.offset, range.len_bytes))
            .collect();
        ranges.sort_unstable();
        ranges
    };
    vec![ranges(&layout.used), ranges(&layout.free)]
}

/// Whether two guests see the same, told by the first page that differs.
fn difference(one: &Guest, other: &Guest) -> Option<usize> {
    let (one, other) = (memory(&one.slot), memory(&other.slot));
    if one.len() != other.len() {
        return Some(usize::MAX);
    }
    let mut pages = one.chunks(PAGE_BYTES).zip(other.chunks(PAGE_BYTES));
    pages.position(|(one, other)| one != other)
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    Newest,
    WithoutTracker,
    WithoutKeeping,
    Oldest,
}

fn pool(kernel: Kernel) -> std::sync::Arc<SlotPool> {
    let shared = match kernel {
        Kernel::Newest => Shared::open(),
        Kernel::WithoutTracker => Shared {
            tracker: None,
            ..Shared::open()
        },
        Kernel::WithoutKeeping => Shared {
            kept: None,
            ..Shared::open()
        },
        Kernel::Oldest => Shared::nothing(),
    };
    SlotPool::with(2, shared)
}

/// A node: what its kernel can, and whether it expects deltas.
fn nodes() -> impl Strategy<Value = (Kernel, bool)> {
    let kernel = prop_oneof![
        5 => Just(Kernel::Newest),
        1 => Just(Kernel::WithoutTracker),
        1 => Just(Kernel::WithoutKeeping),
        1 => Just(Kernel::Oldest)
    ];
    (kernel, prop::bool::weighted(0.8))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_guest_that_leaves_and_comes_back_sees_what_it_would_have_seen(
        here in nodes(), there in nodes(),
        before in steps(), histories in prop::collection::vec((steps(), steps()), 1..4),
    ) {
        let (pool_here, pool_there) = (pool(here.0), pool(there.0));
        // Earlier guests leave pages that were copied back, and kept ones.
        for pool in [&pool_here, &pool_there] {
            Guest::new(pool, true).go_on(&before);
        }
        let mut home = Guest::new(&pool_here, here.1);
        for (at_home, away) in histories {
            home.go_on(&at_home);
            let delta = home.delta();
            delta.check().unwrap();
            let mut guest = Guest::new(&pool_there, there.1);
            guest.arrange_as(&home);
            guest.slot.apply(&delta).unwrap();
            prop_assert_eq!(difference(&home, &guest), None);

            guest.go_on(&away);
            let changes = guest.slot.changes_since(&delta, guest.globals(), MAX).unwrap();
            changes.check().unwrap();
            home.arrange_as(&guest);
            home.slot.apply_changes(&changes).unwrap();
            prop_assert_eq!(difference(&home, &guest), None);
        }
    }

    #[test]
    fn only_pages_that_somebody_wrote_travel(before in steps(), at_home in steps(), away in steps()) {
        let (pool_here, pool_there) = (pool(Kernel::Newest), pool(Kernel::Newest));
        for pool in [&pool_here, &pool_there] {
            Guest::new(pool, true).go_on(&before);
        }
        let mut home = Guest::new(&pool_here, true);
        if home.slot.shared.pagemap.is_none() || home.slot.shared.tracker.is_none() {
            return Ok(());
        }
        let travelled = |delta: &Delta| {
            let runs = delta.pages.iter().flat_map(PageRun::pages);
            runs.map(|(number, _)| number as usize).collect::<BTreeSet<_>>()
        };
        home.go_on(&at_home);
        let delta = home.delta();
        prop_assert!(travelled(&delta).is_subset(&home.written));
        let mut guest = Guest::new(&pool_there, true);
        guest.arrange_as(&home);
        guest.slot.apply(&delta).unwrap();
        let nothing = guest.slot.changes_since(&delta, vec![], 0).unwrap();
        prop_assert_eq!(nothing.pages, vec![]);
        guest.written.clear();
        let received = travelled(&delta);
        guest.go_on(&away);
        let changes = travelled(&guest.slot.changes_since(&delta, vec![], MAX).unwrap());
        // Of pages that came with the delta, those under a window that is gone have changed as well.
        prop_assert!(changes.iter().all(|page| guest.written.contains(page) || received.contains(page)));
    }

    #[test]
    fn no_delta_and_no_layout_makes_a_slot_panic(
        is_ours in any::<bool>(), memory_units in prop_oneof![0..80_u64, any::<u64>()], odd in 0..2_u64,
        runs in prop::collection::vec((prop_oneof![0..40_u32, any::<u32>()], 0..3 * PAGE_BYTES), 0..4),
        windows in prop::collection::vec((any::<u64>(), any::<u64>(), 0..6_u64, 0..40_u64, any::<bool>()), 0..4),
    ) {
        let pool = pool(Kernel::Newest);
        let guest = Guest::new(&pool, false);
        let ours = guest.slot.image().unwrap().hash();
        let delta = Delta {
            image: if is_ours { ours } else { ContentHash([3; 32]) },
            memory_bytes: memory_units.wrapping_mul(MEMORY as u64) ^ odd,
            globals: vec![],
            pages: runs.iter().map(|(first_page, len)| PageRun {
                first_page: *first_page,
                bytes: vec![1; len.next_multiple_of(if odd == 0 { PAGE_BYTES } else { 1 })].into(),
            }).collect(),
        };
        let window = |(offset, len, place, units, is_near): &(u64, u64, u64, u64, bool)| WindowRange {
            offset: if *is_near { MEMORY as u64 + place * WINDOW_ALIGN_BYTES as u64 } else { *offset },
            len_bytes: if *is_near { units * 65_536 } else { *len },
            replaced: *is_near,
        };
        let layout = WindowLayout {
            used: windows.iter().map(window).collect(),
            free: windows.iter().skip(2).map(window).collect(),
        };
        let _ = guest.slot.arrange_windows(&layout, delta.memory_bytes);
        let is_taken = guest.slot.apply(&delta).is_ok();
        prop_assert!(!is_taken || (is_ours && delta.check().is_ok()));
        let _ = guest.slot.changes_since(&delta, vec![], MAX);
        let _ = Image::from_delta(&delta);
    }
}

#[test]
fn a_delta_has_what_was_written_and_nothing_else() {
    let pool = pool(Kernel::Newest);
    drop_a_dirty_guest(&pool);
    let guest = Guest::new(&pool, true);
    assert_eq!(guest.delta().pages, vec![], "copied back is not written");
    memory(&guest.slot)[2 * PAGE_BYTES + 1] = 1;
    memory(&guest.slot)[3 * PAGE_BYTES..4 * PAGE_BYTES].fill(0);
    memory(&guest.slot)[9 * PAGE_BYTES] = 0;
    guest.slot.grow_to(2 * MEMORY).unwrap();
    memory(&guest.slot)[MEMORY + 2 * PAGE_BYTES] = 5;
    let delta = guest.delta();
    let runs: Vec<_> = delta
        .pages
        .iter()
        .map(|run| (run.first_page, run.bytes.len()))
        .collect();
    assert_eq!(runs, [(2, 2 * PAGE_BYTES), (18, PAGE_BYTES)]);
    assert_eq!(delta.memory_bytes, (2 * MEMORY) as u64);
    assert_eq!(delta.pages[0].bytes[..3], [7, 1, 7]);
}

fn drop_a_dirty_guest(pool: &std::sync::Arc<SlotPool>) {
    memory(&Guest::new(pool, false).slot).fill(9);
}

#[test]
fn of_a_window_travels_what_the_guest_wrote() {
    let pool = pool(Kernel::Newest);
    let (pagemap, tracker) = (&pool.shared.pagemap, &pool.shared.tracker);
    if pagemap.is_none() || tracker.is_none() {
        return;
    }
    for is_mapped in [true, false] {
        let mut guest = Guest::new(&pool, true);
        let len = WINDOW_ALIGN_BYTES + 10_000;
        guest.go_on(&[Step::Open(Object {
            seed: 1,
            len,
            is_mapped,
        })]);
        let offset = *guest.windows.keys().next().unwrap();
        let read: u64 = memory(&guest.slot)[offset..]
            .iter()
            .map(|byte| u64::from(*byte))
            .sum();
        assert!(read > 0);
        assert_eq!(guest.delta().pages, vec![], "mapped: {is_mapped}");
        memory(&guest.slot)[offset + len] = 1;
        memory(&guest.slot)[offset + 5 * PAGE_BYTES] = 1;
        let numbers: Vec<_> = guest
            .delta()
            .pages
            .iter()
            .map(PageRun::first_byte)
            .collect();
        let expected = [
            offset + 5 * PAGE_BYTES,
            (offset + len) / PAGE_BYTES * PAGE_BYTES,
        ];
        assert_eq!(numbers, expected.map(|at| at as u64), "mapped: {is_mapped}");
    }
}

#[test]
fn a_filled_window_that_nobody_watched_travels_whole() {
    for (kernel, is_expected) in [
        (Kernel::Newest, false),
        (Kernel::WithoutTracker, true),
        (Kernel::Oldest, true),
    ] {
        let mut guest = Guest::new(&pool(kernel), is_expected);
        let object = Object {
            seed: 1,
            len: 3 * PAGE_BYTES + 1,
            is_mapped: false,
        };
        guest.go_on(&[Step::Open(object)]);
        let delta = guest.delta();
        assert_eq!(delta.pages_bytes(), 4 * PAGE_BYTES as u64, "{kernel:?}");
    }
}

#[test]
fn a_watched_window_is_filled_without_faults_by_the_next_guest() {
    let pool = pool(Kernel::Newest);
    let mut taken = Vec::new();
    for _ in 0..3 {
        let mut guest = Guest::new(&pool, true);
        let object = Object {
            seed: 1,
            len: WINDOW_ALIGN_BYTES,
            is_mapped: false,
        };
        guest.go_on(&[Step::Open(object)]);
        let offset = *guest.windows.keys().next().unwrap();
        assert!(guest.slot.unmap_window(offset).unwrap());
        let content = object.content();
        let offset = guest.slot.free_window(object.len).unwrap();
        let before = crate::testing::faults();
        let filling = guest.slot.begin_filling(offset, object.len).unwrap();
        memory(&guest.slot)[offset..offset + object.len].copy_from_slice(&content);
        filling.finish(object.len);
        taken.push(crate::testing::faults() - before);
        memory(&guest.slot)[offset] = 1;
    }
    assert!(taken.iter().all(|faults| *faults < 10), "{taken:?}");
}

#[test]
fn a_delta_that_is_not_for_this_slot_changes_nothing() {
    let pool = pool(Kernel::Newest);
    let lease = pool.take(&image(7)).unwrap().unwrap();
    let before = memory(&lease).to_vec();
    let sound = Delta {
        image: lease.image().unwrap().hash(),
        memory_bytes: MEMORY as u64,
        globals: vec![],
        pages: vec![PageRun {
            first_page: 1,
            bytes: vec![1; PAGE_BYTES].into(),
        }],
    };
    let refused = |spoil: fn(&mut Delta)| {
        let mut delta = sound.clone();
        spoil(&mut delta);
        let error = lease.apply(&delta).unwrap_err();
        assert!(memory(&lease) == before, "{error}");
        error
    };
    let error = refused(|delta| delta.image.0[0] ^= 1);
    assert!(matches!(error, DeltaError::OtherImage { .. }), "{error}");
    let error = refused(|delta| delta.globals.push(GlobalValue::I32(1)));
    assert!(matches!(error, DeltaError::OtherGlobals), "{error}");
    let malformed: [fn(&mut Delta); 4] = [
        |delta| delta.memory_bytes -= MEMORY as u64,
        |delta| delta.memory_bytes = 5 << 30,
        |delta| delta.memory_bytes += 1,
        |delta| delta.pages[0].first_page = 16,
    ];
    for spoil in malformed {
        let error = refused(spoil);
        assert!(matches!(error, DeltaError::Malformed(_)), "{error}");
    }
    lease.apply(&sound).unwrap();
    assert!(memory(&lease) != before);
}

#[test]
fn more_pages_than_somebody_takes_are_not_copied() {
    let pool = pool(Kernel::Newest);
    let guest = Guest::new(&pool, false);
    memory(&guest.slot)[..2 * PAGE_BYTES].fill(1);
    let error = guest.slot.delta(vec![], 2 * PAGE_BYTES - 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the guest has changed 8192 bytes, limit 8191 (setting limits.delta)"
    );
    guest.slot.delta(vec![], 2 * PAGE_BYTES).unwrap();
}
