//! What the frame decoder promises, to honest and to hostile ends.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bytes::{BufMut, Bytes, BytesMut};
use ganglion_wire::{
    Decoder, Frame, FrameError, FrameLimits, HEADER_BYTES, Kind, LARGE_PAYLOAD_BYTES, Payload,
    message, put_frame,
};
use proptest::prelude::*;

/// The body of the fuzz target, which is a workspace of its own.
#[path = "../../../tests/fuzz/src/stream.rs"]
#[allow(unreachable_pub, reason = "the target sees it in another crate")]
mod fuzz;

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Hello),
        Just(Kind::Request),
        Just(Kind::Answer),
        Just(Kind::Cancel),
        Just(Kind::Goodbye)
    ]
}

/// A frame to be: its kind, stream, message text and payload (some of them large).
fn frames() -> impl Strategy<Value = (Kind, u64, String, Vec<u8>)> {
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (LARGE_PAYLOAD_BYTES - 2..LARGE_PAYLOAD_BYTES + 3000).prop_map(|n| vec![0xa5; n]),
    ];
    (kinds(), any::<u64>(), "[a-z]{0,40}", payload)
}

fn hello(text: &str) -> message::Hello {
    message::Hello {
        node: text.to_owned(),
        ..Default::default()
    }
}

fn encode(all: &[(Kind, u64, String, Vec<u8>)]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for (kind, stream, text, payload) in all {
        put_frame(
            &mut bytes,
            FrameLimits::default(),
            (*kind, *stream),
            &hello(text),
            payload.len(),
        )
        .unwrap();
        bytes.put_slice(payload);
    }
    bytes
}

/// Feeds `bytes` in steps of `step` and gives every frame that comes out.
fn feed(decoder: &mut Decoder, mut bytes: &[u8], step: usize) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let mut space = decoder.space();
        let n = step.min(bytes.len()).min(space.remaining_mut());
        assert!(n > 0, "a decoder always has space");
        space.put_slice(&bytes[..n]);
        decoder.filled(n);
        bytes = &bytes[n..];
        while let Some(frame) = decoder.next(|_, _| None)? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_may_come_on_a_connection(
        all in prop::collection::vec(frames(), 0..3),
        garbage in prop::collection::vec(any::<u8>(), 0..200),
        place in any::<prop::sample::Index>(), byte in any::<u8>(), step in any::<u8>(),
    ) {
        fuzz::run(&garbage);
        let mut bytes = vec![step];
        bytes.extend_from_slice(&encode(&all));
        // Most of the time in a header or a message.
        let at = place.index(bytes.len().min(300));
        bytes[at] = byte;
        bytes.extend_from_slice(&garbage);
        fuzz::run(&bytes);
    }

    #[test]
    fn what_was_written_is_read_however_it_is_cut(
        all in prop::collection::vec(frames(), 1..6), step in 1_usize..70_000,
    ) {
        let mut decoder = Decoder::new(FrameLimits::default());
        let read = feed(&mut decoder, &encode(&all), step).unwrap();
        prop_assert_eq!(read.len(), all.len());
        prop_assert!(decoder.is_between_frames());
        for (frame, (kind, stream, text, payload)) in read.into_iter().zip(all) {
            prop_assert_eq!(frame.kind, kind);
            prop_assert_eq!(frame.stream, stream);
            prop_assert_eq!(frame.decode::<message::Hello>().unwrap(), hello(&text));
            prop_assert_eq!(&frame.payload.into_bytes()[..], &payload[..]);
        }
    }

    #[test]
    fn garbage_neither_panics_nor_grows(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let mut decoder = Decoder::new(FrameLimits::default());
        let _ = feed(&mut decoder, &bytes, 97);
        prop_assert!(decoder.space().remaining_mut() <= 128 << 10);
    }

    #[test]
    fn garbage_behind_a_true_header_neither_panics_nor_is_believed(
        bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 1_u8..6,
    ) {
        let mut hostile = vec![b'g', b'N', 1, kind];
        hostile.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
        hostile.extend_from_slice(&[0; 12]);
        hostile.extend_from_slice(&bytes);
        let frames = feed(&mut Decoder::new(FrameLimits::default()), &hostile, 50).unwrap();
        prop_assert_eq!(frames.len(), 1);
        let _ = frames[0].decode::<message::Request>();
        let _ = frames[0].decode::<message::Answer>();
        let _ = frames[0].decode::<message::Hello>();
    }
}

#[test]
fn a_stream_cut_at_any_byte_gives_no_frame_and_says_so() {
    let whole = encode(&[(Kind::Request, 7, "node".into(), vec![3; 50])]);
    for end in 0..whole.len() {
        let mut decoder = Decoder::new(FrameLimits::default());
        assert!(feed(&mut decoder, &whole[..end], 1000).unwrap().is_empty());
        assert_eq!(decoder.is_between_frames(), end == 0);
        assert_eq!(feed(&mut decoder, &whole[end..], 1000).unwrap().len(), 1);
    }
}

#[test]
fn lengths_beyond_their_limits_name_the_setting_before_anything_is_allocated() {
    let limits = FrameLimits {
        message_bytes_max: 100,
        payload_bytes_max: 1000,
    };
    for (message_bytes, payload_bytes, setting) in
        [(101_u32, 0_u32, "link.message"), (0, 1001, "link.payload")]
    {
        let mut header = vec![b'g', b'N', 1, 2];
        header.extend_from_slice(&message_bytes.to_le_bytes());
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&payload_bytes.to_le_bytes());
        let error = feed(&mut Decoder::new(limits), &header, 20).unwrap_err();
        assert!(error.to_string().contains(setting), "{error}");
    }
    let mut out = BytesMut::from(&b"before"[..]);
    let error = put_frame(
        &mut out,
        limits,
        (Kind::Hello, 0),
        &hello(&"x".repeat(200)),
        0,
    );
    assert!(error.unwrap_err().to_string().contains("link.message"));
    assert_eq!(&out[..], b"before");
}

#[test]
fn strangers_and_other_layouts_are_told_apart() {
    let decode = |bytes: &[u8]| feed(&mut Decoder::new(FrameLimits::default()), bytes, 100);
    let error = decode(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap_err();
    assert!(matches!(error, FrameError::Magic { .. }), "{error}");
    let mut other = vec![b'g', b'N', 9, 1];
    other.resize(HEADER_BYTES, 0);
    assert_eq!(
        decode(&other).unwrap_err(),
        FrameError::Layout { theirs: 9 }
    );
    other[2..4].copy_from_slice(&[1, 77]);
    assert_eq!(decode(&other).unwrap_err(), FrameError::Kind { byte: 77 });
}

#[test]
fn a_small_payload_is_a_slice_and_a_large_one_is_read_into_the_place_given() {
    let bytes = encode(&[
        (Kind::Answer, 1, String::new(), vec![1; 10]),
        (Kind::Answer, 2, String::new(), vec![2; LARGE_PAYLOAD_BYTES]),
    ]);
    let mut decoder = Decoder::new(FrameLimits::default());
    let place = BytesMut::with_capacity(LARGE_PAYLOAD_BYTES);
    let address = place.as_ptr();
    let mut place = Some(place);
    let mut frames = Vec::new();
    for chunk in bytes.chunks(5000) {
        let mut chunk = chunk;
        while !chunk.is_empty() {
            let mut space = decoder.space();
            let n = chunk.len().min(space.remaining_mut());
            space.put_slice(&chunk[..n]);
            decoder.filled(n);
            chunk = &chunk[n..];
            while let Some(frame) = decoder.next(|_, _| place.take()).unwrap() {
                frames.push(frame);
            }
        }
    }
    assert!(matches!(frames[0].payload, Payload::Slice(_)));
    let payload: Bytes = frames.pop().unwrap().payload.into_bytes();
    assert_eq!(payload.as_ptr(), address);
    assert_eq!(payload.len(), LARGE_PAYLOAD_BYTES);
}
