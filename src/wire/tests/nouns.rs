//! The nouns of a call survive the wire, and records survive the disk.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bytes::{Bytes, BytesMut};
use ganglion_types::{
    Answer, Batch, Batched, Call, CallId, CallLimits, Combiner, ContentHash, Deadline, End, Entry,
    Error, ErrorKind, FunctionRef, Key, Load, Ndp, NodeId, ObjectKey, Part, Site, Start,
    TraceParent, Usage,
};
use ganglion_wire::{
    PROTOCOL, batch_message, batched_parts, check_hello, executed_parts, message, open, seal,
};
use proptest::prelude::*;
use prost::Message;
use std::time::Duration;

fn call() -> Call {
    Call {
        id: CallId(u128::MAX - 5),
        function: FunctionRef::new("ndp", "wordcount").unwrap(),
        module: ContentHash(std::array::from_fn(|i| u8::try_from(i * 7).unwrap())),
        entry: Entry::Combine,
        input: Bytes::from_static(b"in"),
        args: vec!["-c".into(), String::new(), "ü".into()],
        object: Some(ObjectKey::new("books", "a/b c").unwrap()),
        ndp: Ndp::Forbidden,
        deadline: Deadline::after(1000, Duration::from_secs(1)),
        limits: CallLimits {
            wall: Duration::from_millis(17),
            memory_bytes: 1,
            output_bytes: 2,
            log_bytes: 3,
        },
        trace: Some(TraceParent {
            trace: 1 << 100 | 3,
            span: 4,
            flags: 1,
        }),
    }
}

#[test]
fn a_call_arrives_with_every_field() {
    let call = call();
    let bytes = message::Execute::from(&call).encode_to_vec();
    let read = message::Execute::decode(&bytes[..]).unwrap();
    let read = read.into_call(call.input.clone(), call.deadline).unwrap();
    assert_eq!(format!("{read:?}"), format!("{call:?}"));
    assert_eq!(read.module, call.module);
}

fn answer(end: End, output: Option<Bytes>) -> Answer {
    Answer {
        end,
        output,
        stdout: Bytes::from_static(b"out"),
        stderr: Bytes::from_static(b"errors"),
        node: NodeId::new("storage-1").unwrap(),
        site: Site::Storage,
        storage_calls: ganglion_types::StorageCalls::default(),
        usage: Usage {
            wait_ns: 1,
            run_ns: 2,
            cpu_ns: 3,
            object_bytes: 4,
            moved_bytes: 5,
            link_ns: 6,
            store_failures: 7,
            start: Start::Cold,
        },
        load: Load {
            permits: 1,
            running: 2,
            queued: 3,
            service_ns: 4,
            draining: true,
        },
    }
}

#[test]
fn an_answer_arrives_with_every_field_and_no_output_is_not_an_empty_one() {
    for end in [End::Exited(-3), End::Failed(Error::guest("a trap"))] {
        for output in [None, Some(Bytes::new()), Some(Bytes::from_static(b"o"))] {
            let before = answer(end.clone(), output);
            let parts = executed_parts(before.clone());
            let payload: BytesMut = parts.payload.iter().flatten().copied().collect();
            let bytes = parts.executed.encode_to_vec();
            let read = message::Executed::decode(&bytes[..]).unwrap();
            let read = read.into_answer(payload.freeze(), parts.load).unwrap();
            assert_eq!(format!("{read:?}"), format!("{before:?}"));
        }
    }
}

#[test]
fn an_answer_whose_lengths_lie_is_corrupt() {
    let lie = |output, stdout| {
        let mut parts = executed_parts(answer(End::Exited(0), Some(Bytes::new())));
        parts.executed.output_bytes = Some(output);
        parts.executed.stdout_bytes = stdout;
        parts
            .executed
            .into_answer(Bytes::from_static(b"123"), parts.load)
    };
    for (output, stdout) in [(4, 0), (u64::MAX, 1), (u64::MAX, u64::MAX)] {
        assert_eq!(lie(output, stdout).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_batch_arrives_with_every_field() {
    let combiner = Combiner {
        function: FunctionRef::new("ndp", "sum").unwrap(),
        module: ContentHash([9; 32]),
        entry: Entry::Main,
        input_bytes_max: 17,
        limits: CallLimits {
            wall: Duration::from_millis(18),
            memory_bytes: 19,
            output_bytes: 20,
            log_bytes: 21,
        },
    };
    let part = |number, key: &str| Part {
        number,
        key: Key::new(key).unwrap(),
    };
    for combiner in [None, Some(combiner)] {
        let batch = Batch {
            common: call(),
            parts: vec![part(0, "a"), part(u32::MAX, "b/ü")],
            combiner,
            outputs_bytes_max: 5,
        };
        let bytes = batch_message(&batch).encode_to_vec();
        let read = message::Batch::decode(&bytes[..]).unwrap();
        let (input, deadline) = (batch.common.input.clone(), batch.common.deadline);
        let read = read.into_batch(input, deadline).unwrap();
        assert_eq!(format!("{read:?}"), format!("{batch:?}"));
        assert_eq!(read.common.module, batch.common.module);
    }
}

fn batched() -> Batched {
    let load = answer(End::Exited(0), None).load;
    Batched {
        parts: vec![
            Ok(answer(End::Exited(0), Some(Bytes::from_static(b"one")))),
            Err(Error::busy("no permit")),
            Ok(answer(End::Exited(3), None)),
            Ok(answer(
                End::Failed(Error::guest("a trap")),
                Some(Bytes::new()),
            )),
        ],
        combined: vec![Bytes::from_static(b"left"), Bytes::new()],
        load,
    }
}

#[test]
fn what_came_of_a_batch_arrives_part_by_part() {
    let before = batched();
    let parts = batched_parts(before.clone());
    let bytes = parts.batched.encode_to_vec();
    let read = message::Batched::decode(&bytes[..]).unwrap();
    let read = read.into_batched(parts.payload.concat().into(), parts.load);
    assert_eq!(format!("{:?}", read.unwrap()), format!("{before:?}"));
}

#[test]
fn a_batch_whose_lengths_lie_is_corrupt() {
    let parts = batched_parts(batched());
    let payload = Bytes::from(parts.payload.concat());
    let longer = Bytes::from([&payload[..], b"x"].concat());
    for payload in [payload.slice(1..), longer, Bytes::new()] {
        let read = parts.batched.clone().into_batched(payload, parts.load);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn every_kind_of_error_arrives_and_an_unknown_one_promises_nothing() {
    for kind in ErrorKind::ALL {
        let error = Error::new(kind, "why");
        assert_eq!(Error::from(message::Error::from(&error)), error);
    }
    let unknown = message::Error {
        kind: "Tired".into(),
        message: String::new(),
    };
    assert!(!Error::from(unknown).kind().nothing_ran());
}

#[test]
fn another_protocol_is_refused_with_both_numbers() {
    let mut hello = message::Hello {
        protocol: PROTOCOL + 41,
        node: "n\n1".into(),
        site: message::Site::Storage.into(),
        ..Default::default()
    };
    let error = check_hello(&hello).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains(&(PROTOCOL + 41).to_string()) && !error.message().contains('\n')
    );
    hello.protocol = PROTOCOL;
    assert_eq!(check_hello(&hello).unwrap_err().kind(), ErrorKind::Corrupt);
    hello.node = "n1".into();
    assert_eq!(check_hello(&hello).unwrap().1, Site::Storage);
}

proptest! {
    #[test]
    fn a_record_opens_to_what_was_sealed(body in prop::collection::vec(any::<u8>(), 0..300), format in any::<u32>()) {
        let record = seal(format, &body, 300).unwrap();
        prop_assert_eq!(open(&record, 300).unwrap(), (format, &body[..]));
    }

    #[test]
    fn a_record_with_one_bit_turned_is_corrupt(
        body in prop::collection::vec(any::<u8>(), 0..100), place in any::<prop::sample::Index>(), bit in 0_u8..8,
    ) {
        let mut record = seal(1, &body, 100).unwrap();
        let byte = place.index(record.len());
        record[byte] ^= 1 << bit;
        prop_assert_eq!(open(&record, 100).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn garbage_is_no_record(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(open(&bytes, 100).is_err());
    }
}

#[test]
fn a_record_cut_anywhere_or_lengthened_is_corrupt_and_one_too_long_is_refused() {
    let record = seal(1, b"body", 4).unwrap();
    for end in 0..record.len() {
        assert!(open(&record[..end], 4).is_err());
    }
    assert!(open(&[&record[..], b"x"].concat(), 5).is_err());
    assert!(open(&record, 3).is_err());
    assert_eq!(seal(1, b"body", 3).unwrap_err().kind(), ErrorKind::Invalid);
}
