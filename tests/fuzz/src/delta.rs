//! A delta from a stranger.

use bytes::Bytes;
use ganglion_wire::{Message, Packing, delta_parts, message, open_delta, seal, seal_delta};

const PAGES_BYTES_MAX: u64 = 1 << 20;

/// Reads `bytes` as a delta in each way in which one arrives. What is one survives being written and read again.
pub fn run(bytes: &[u8]) {
    let _ = open_delta(&Bytes::copy_from_slice(bytes), PAGES_BYTES_MAX);
    // As if the checksum were right: what is behind it must not rely on it.
    if let Ok(sealed) = seal(1, bytes, u32::MAX) {
        let _ = open_delta(&sealed.into(), PAGES_BYTES_MAX);
    }
    let mut rest = bytes;
    let Ok(message) = message::Delta::decode_length_delimited(&mut rest) else {
        return;
    };
    let payload = Bytes::copy_from_slice(rest);
    let Ok(delta) = message.into_delta(payload, PAGES_BYTES_MAX) else {
        return;
    };
    delta.check().expect("what was decoded is sound");
    assert!(delta.pages_bytes() <= PAGES_BYTES_MAX);
    for packing in [Packing::Plain, Packing::Zstd] {
        let parts = delta_parts(&delta, packing).expect("a sound delta");
        let payload = parts.payload.concat().into();
        let again = parts.message.into_delta(payload, PAGES_BYTES_MAX);
        assert_eq!(again.as_ref(), Ok(&delta));
        let sealed = seal_delta(&delta, packing).expect("a sound delta");
        let again = open_delta(&sealed.into(), PAGES_BYTES_MAX);
        assert_eq!(again.as_ref(), Ok(&delta));
    }
}
