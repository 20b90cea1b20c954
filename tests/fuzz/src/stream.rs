//! What a stranger sends on a connection.

use bytes::{BufMut, Bytes};
use ganglion_types::{Deadline, Load};
use ganglion_wire::{Decoder, Frame, FrameLimits, check_hello, message, open_announcement};
use std::time::Duration;

const LIMITS: FrameLimits = FrameLimits {
    message_bytes_max: 1 << 16,
    payload_bytes_max: 1 << 20,
};

/// Reads `bytes`, which come in as many pieces as the first says, as the frames of a connection, and each frame as every message that
/// brings something with it.
pub fn run(bytes: &[u8]) {
    let _ = open_announcement(bytes);
    let Some((step, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut decoder = Decoder::new(LIMITS);
    while !rest.is_empty() {
        let mut space = decoder.space();
        let room = space.remaining_mut();
        assert!(room > 0, "a decoder always has space");
        let (piece, behind) = rest.split_at((usize::from(*step) + 1).min(rest.len()).min(room));
        space.put_slice(piece);
        decoder.filled(piece.len());
        rest = behind;
        loop {
            match decoder.next(|_, _| None) {
                Ok(Some(frame)) => read(frame),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn read(frame: Frame) {
    assert!(frame.message.len() <= LIMITS.message_bytes_max as usize);
    assert!(frame.payload.len() <= LIMITS.payload_bytes_max as usize);
    let deadline = Deadline::after(0, Duration::from_secs(1));
    if let Ok(hello) = frame.decode::<message::Hello>() {
        let _ = check_hello(&hello);
    }
    let call = frame.decode::<message::Execute>();
    let executed = frame.decode::<message::Executed>();
    let offload = frame.decode::<message::Offload>();
    let offloaded = frame.decode::<message::Offloaded>();
    let batch = frame.decode::<message::Batch>();
    let batched = frame.decode::<message::Batched>();
    let payload: Bytes = frame.payload.into_bytes();
    let _ = call.map(|call| call.into_call(payload.clone(), deadline));
    let _ = executed.map(|executed| executed.into_answer(payload.clone(), Load::default()));
    if let Ok(Ok(offload)) = offload.map(|offload| offload.into_offload(payload.clone(), deadline))
    {
        offload.memory.check().expect("what was decoded is sound");
    }
    let _ = offloaded.map(|offloaded| offloaded.into_offloaded(payload.clone(), Load::default()));
    let _ = batch.map(|batch| batch.into_batch(payload.clone(), deadline));
    let _ = batched.map(|batched| batched.into_batched(payload, Load::default()));
}
