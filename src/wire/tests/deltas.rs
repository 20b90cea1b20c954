//! A delta arrives as it left, and what is none is not taken for one.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bytes::{Bytes, BytesMut};
use ganglion_types::{
    ContentHash, Delta, ErrorKind, GlobalValue, PAGE_BYTES, PageRun, WindowLayout, WindowRange,
};
use ganglion_wire::{
    DeltaParts, Message, Packing, delta_parts, message, open_delta, packing_for, seal, seal_delta,
};
use proptest::prelude::*;

/// The body of the fuzz target, which is a workspace of its own.
#[path = "../../../tests/fuzz/src/delta.rs"]
#[allow(unreachable_pub, reason = "the target sees it in another crate")]
mod fuzz;

const PACKINGS: [Packing; 2] = [Packing::Plain, Packing::Zstd];

fn globals() -> impl Strategy<Value = GlobalValue> {
    prop_oneof![
        any::<i32>().prop_map(GlobalValue::I32),
        any::<i64>().prop_map(GlobalValue::I64),
        any::<u32>().prop_map(GlobalValue::F32),
        any::<u64>().prop_map(GlobalValue::F64),
    ]
}

/// Gap, pages, and what is in them; 0 for random bytes.
fn run() -> impl Strategy<Value = (u32, usize, u8)> {
    let pages = prop_oneof![4 => 1..3_usize, 1 => 15..18_usize];
    (prop_oneof![Just(0_u32), 1..50_u32], pages, 0..4_u8)
}

fn deltas() -> impl Strategy<Value = Delta> {
    let runs = prop::collection::vec(run(), 0..8);
    let globals = prop::collection::vec(globals(), 0..4);
    (any::<[u8; 32]>(), globals, runs, 0..3_u64).prop_map(|(image, globals, runs, more)| {
        let mut end = 0;
        let pages: Vec<PageRun> = runs
            .iter()
            .map(|(gap, pages, fill)| {
                let first_page = end + gap;
                end = first_page + u32::try_from(*pages).unwrap();
                PageRun {
                    first_page,
                    bytes: content(pages * PAGE_BYTES, *fill),
                }
            })
            .collect();
        Delta {
            image: ContentHash(image),
            memory_bytes: (u64::from(end) * PAGE_BYTES as u64).next_multiple_of(65_536)
                + more * 65_536,
            globals,
            pages,
        }
    })
}

fn content(len: usize, fill: u8) -> Bytes {
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let mut byte = || if fill == 0 { random() } else { fill };
    (0..len).map(|_| byte()).collect::<Vec<_>>().into()
}

fn joined(parts: &[Bytes]) -> Bytes {
    let mut payload = BytesMut::new();
    parts
        .iter()
        .for_each(|part| payload.extend_from_slice(part));
    payload.freeze()
}

/// As it goes through a frame: the message in bytes, the payload in one piece.
fn sent(DeltaParts { message, payload }: DeltaParts) -> (message::Delta, Bytes) {
    let bytes = message.encode_to_vec();
    let message = message::Delta::decode(&bytes[..]).unwrap();
    (message, joined(&payload))
}

fn one_run(first_page: u32, pages: usize, fill: u8) -> Delta {
    Delta {
        image: ContentHash(std::array::from_fn(|i| u8::try_from(i * 7).unwrap())),
        memory_bytes: 1 << 20,
        globals: vec![GlobalValue::I32(-1)],
        pages: vec![PageRun {
            first_page,
            bytes: content(pages * PAGE_BYTES, fill),
        }],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_delta_arrives_as_it_left(delta in deltas()) {
        for packing in PACKINGS {
            let (message, payload) = sent(delta_parts(&delta, packing).unwrap());
            prop_assert!(payload.len() as u64 <= delta.pages_bytes());
            let read = message.into_delta(payload, delta.pages_bytes()).unwrap();
            prop_assert_eq!(&read, &delta);
            let sealed = seal_delta(&delta, packing).unwrap().into();
            prop_assert_eq!(&open_delta(&sealed, delta.pages_bytes()).unwrap(), &delta);
        }
    }

    #[test]
    fn any_bytes_may_come(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        fuzz::run(&bytes);
    }

    #[test]
    fn a_delta_with_a_byte_changed_may_come(
        delta in deltas(), is_packed in any::<bool>(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let packing = PACKINGS[usize::from(is_packed)];
        let DeltaParts { message, payload } = delta_parts(&delta, packing).unwrap();
        let mut bytes = message.encode_length_delimited_to_vec();
        // Most of the time where the meaning is.
        let at = place.index(bytes.len() + 1);
        bytes.extend_from_slice(&joined(&payload));
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        fuzz::run(&bytes);
    }
}

#[test]
fn long_runs_are_parts_of_what_was_sent_and_of_what_was_read() {
    let delta = one_run(3, 40, 0);
    let DeltaParts { message, payload } = delta_parts(&delta, Packing::Plain).unwrap();
    assert_eq!(payload[0].as_ptr(), delta.pages[0].bytes.as_ptr());
    let payload = joined(&payload);
    let read = message.into_delta(payload.clone(), 1 << 20).unwrap();
    assert_eq!(read.pages[0].bytes.as_ptr(), payload.as_ptr());
}

#[test]
fn pages_that_do_not_become_smaller_travel_as_they_are() {
    let packing = |fill| {
        let parts = delta_parts(&one_run(0, 20, fill), Packing::Zstd).unwrap();
        (parts.message.packing(), joined(&parts.payload).len())
    };
    assert_eq!(packing(0), (message::Packing::Plain, 20 * PAGE_BYTES));
    let (packed, len) = packing(9);
    assert_eq!(packed, message::Packing::Zstd);
    assert!(len < 1000, "{len}");
}

#[test]
fn a_delta_of_another_format_is_told_from_garbage() {
    let (mut message, payload) = sent(delta_parts(&one_run(0, 1, 1), Packing::Plain).unwrap());
    message.format = 2;
    let body = message.encode_length_delimited_to_vec();
    let error = message.into_delta(payload, 1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("format 2"), "{error}");
    for (format, kind) in [(2, ErrorKind::Unavailable), (1, ErrorKind::Unavailable)] {
        let sealed = seal(format, &body, 1000).unwrap().into();
        assert_eq!(open_delta(&sealed, 1000).unwrap_err().kind(), kind);
    }
}

#[test]
fn more_pages_than_somebody_takes_are_refused_before_they_are_allocated() {
    let (mut message, payload) = sent(delta_parts(&one_run(0, 2, 1), Packing::Zstd).unwrap());
    let limit = 2 * PAGE_BYTES as u64;
    assert!(message.clone().into_delta(payload.clone(), limit).is_ok());
    let error = message
        .clone()
        .into_delta(payload.clone(), limit - 1)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.message().contains("8191"), "{error}");
    message.lengths = vec![u32::MAX; 1000];
    message.gaps = vec![0; 1000];
    let error = message.into_delta(payload, u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_delta_that_no_node_would_send_is_corrupt() {
    type Spoil = fn(&mut message::Delta);
    let spoilt: [Spoil; 11] = [
        |delta| delta.gaps.push(0),
        |delta| delta.lengths.push(1),
        |delta| delta.lengths[0] = 2,
        |delta| (delta.lengths, delta.gaps) = (vec![1, 0], vec![0, 0]),
        |delta| (delta.lengths, delta.gaps) = (vec![0, 1], vec![0, 0]),
        |delta| delta.gaps[0] = 256,
        |delta| delta.gaps[0] = u32::MAX,
        |delta| delta.memory_bytes = 1,
        |delta| delta.memory_bytes = u64::MAX,
        |delta| delta.globals[0].value = None,
        |delta| delta.packing = 0,
    ];
    for packing in PACKINGS {
        for (number, spoil) in spoilt.iter().enumerate() {
            let (mut message, payload) = sent(delta_parts(&one_run(0, 1, 1), packing).unwrap());
            spoil(&mut message);
            let error = message.into_delta(payload, 1 << 30).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{number} {error}");
        }
    }
}

#[test]
fn a_payload_that_is_more_or_less_than_was_said_is_corrupt() {
    for packing in PACKINGS {
        let (message, _) = sent(delta_parts(&one_run(0, 2, 1), packing).unwrap());
        for other in [1, 3, 200] {
            let (_, payload) = sent(delta_parts(&one_run(0, other, 1), packing).unwrap());
            let error = message.clone().into_delta(payload, 1 << 30).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
        let error = message.into_delta(Bytes::new(), 1 << 30).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn what_is_no_delta_is_not_sent() {
    let mut delta = one_run(0, 1, 1);
    delta.memory_bytes = 1;
    assert_eq!(
        delta_parts(&delta, Packing::Plain).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(
        seal_delta(&delta, Packing::Plain).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn a_kept_delta_with_a_bit_turned_is_corrupt() {
    let sealed = seal_delta(&one_run(1, 2, 0), Packing::Plain).unwrap();
    open_delta(&sealed.clone().into(), 1 << 20).unwrap();
    for at in (0..sealed.len()).step_by(97) {
        let mut turned = sealed.clone();
        turned[at] ^= 4;
        let error = open_delta(&turned.into(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn pages_are_compressed_for_slow_links_only() {
    let gbit = 125_000_000;
    for (pages, link_bytes_per_s, packing) in [
        (1000, gbit / 10, Packing::Zstd),
        (1000, gbit * 9 / 10, Packing::Zstd),
        (1000, gbit * 2, Packing::Plain),
        (1000, gbit * 10, Packing::Plain),
        (2, gbit, Packing::Plain),
        (2, gbit / 10, Packing::Zstd),
        (0, 1, Packing::Plain),
        (1, 0, Packing::Zstd),
        (1 << 20, u64::MAX, Packing::Plain),
    ] {
        let bytes = pages * PAGE_BYTES as u64;
        assert_eq!(
            packing_for(bytes, link_bytes_per_s),
            packing,
            "{pages} {link_bytes_per_s}"
        );
    }
}

#[test]
fn a_layout_arrives_as_it_left() {
    let range = |offset, replaced| WindowRange {
        offset,
        len_bytes: u64::MAX - offset,
        replaced,
    };
    let layout = WindowLayout {
        used: vec![range(5, true), range(1, false)],
        free: vec![range(7, true)],
    };
    let bytes = message::WindowLayout::from(&layout).encode_to_vec();
    let read = message::WindowLayout::decode(&bytes[..]).unwrap();
    assert_eq!(WindowLayout::from(read), layout);
}
