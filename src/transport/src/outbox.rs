//! What waits to be written on one connection.
//!
//! Whoever has a frame encodes it under a lock straight behind the frames that wait, without a buffer of its own, and wakes
//! the writer. The writer first lets the other tasks that are ready add theirs, then takes all and hands it to the kernel in
//! one vectored write. A sender who is alone has nobody to wait for and writes by itself. (`examples/echo_bench.rs`, 64 in
//! flight: 3 us of processor time a call, 11 without that wait; 1 in flight: 14 us, 18 if it went by the writer.) Large payloads are passed on as they
//! are; small ones are copied behind their message, for a vector of many tiny parts costs the kernel more than the copy.

use bytes::{Buf, Bytes, BytesMut};
use ganglion_types::Error;
use ganglion_wire::{FrameError, FrameLimits, Kind, Message, message, put_frame};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// Payloads shorter than this are copied behind their message.
const COPIED_BYTES_MAX: usize = 2 << 10;
/// Longer payloads are the writer's, also of a sender who is alone: handing them to the kernel takes as long as waking it.
const DIRECT_BYTES_MAX: usize = 256 << 10;
const TAIL_BYTES: usize = 16 << 10;
const SLICES_MAX: usize = 64;

pub(crate) struct Outbox {
    socket: OwnedWriteHalf,
    limits: FrameLimits,
    queue_bytes_max: u64,
    waiting: Mutex<Waiting>,
    /// Bytes that the kernel has taken since the connection began.
    written: AtomicU64,
    filled: Notify,
    drained: Notify,
}

#[derive(Default)]
struct Waiting {
    /// In order, before `tail`.
    segments: VecDeque<Bytes>,
    /// The frames encoded last.
    tail: BytesMut,
    /// Bytes given since the connection began; with `written` this makes the queue's length.
    given: u64,
    /// The writer holds bytes that come before these.
    writing: bool,
    closed: bool,
}

/// Why a frame was not taken; nothing of it will be written.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no room yet.
    Full,
    /// The connection is gone.
    Closed,
    /// It is no frame that the other end would take.
    Frame(FrameError),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => {
                Self::busy("the write queue of the link is full (setting `link.queue`)")
            }
            Refusal::Closed => Self::unavailable("the connection was closed"),
            Refusal::Frame(error) => error.into(),
        }
    }
}

/// A frame to be sent.
pub(crate) struct Outgoing<'a, M> {
    pub(crate) kind: Kind,
    pub(crate) stream: u64,
    pub(crate) message: &'a M,
    pub(crate) payload: &'a [Bytes],
    /// Whether nobody else is likely to send now: write at once and do not wake the writer.
    pub(crate) alone: bool,
}

impl Outbox {
    pub(crate) fn new(socket: OwnedWriteHalf, limits: FrameLimits, queue_bytes_max: usize) -> Self {
        Self {
            socket,
            limits,
            queue_bytes_max: u64::try_from(queue_bytes_max).unwrap_or(u64::MAX),
            waiting: Mutex::default(),
            written: AtomicU64::new(0),
            filled: Notify::new(),
            drained: Notify::new(),
        }
    }

    /// Queues a frame, and gives the place in the stream where it ends: it has left whole when [`Outbox::written`] is there.
    pub(crate) fn push<M: Message>(&self, frame: &Outgoing<'_, M>) -> Result<u64, Refusal> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Refusal::Closed);
        }
        if waiting.given - self.written() >= self.queue_bytes_max {
            return Err(Refusal::Full);
        }
        self.push_locked(&mut waiting, frame)
            .map_err(Refusal::Frame)
    }

    /// As [`Outbox::push`], and waits for room.
    pub(crate) async fn send<M: Message>(&self, frame: &Outgoing<'_, M>) -> Result<u64, Refusal> {
        loop {
            match self.push(frame) {
                Err(Refusal::Full) => {}
                done => return done,
            }
            let mut room = std::pin::pin!(self.drained.notified());
            room.as_mut().enable();
            match self.push(frame) {
                Err(Refusal::Full) => room.await,
                done => return done,
            }
        }
    }

    /// Queues a frame without message and payload, room or not. On a closed connection it is of no use, and is dropped.
    pub(crate) fn signal(&self, kind: Kind, stream: u64) {
        let mut waiting = self.waiting.lock();
        if !waiting.closed {
            let frame = Outgoing {
                kind,
                stream,
                message: &message::Empty {},
                payload: &[],
                alone: false,
            };
            self.push_locked(&mut waiting, &frame)
                .expect("an empty frame is within every limit");
        }
    }

    fn push_locked<M: Message>(
        &self,
        waiting: &mut Waiting,
        frame: &Outgoing<'_, M>,
    ) -> Result<u64, FrameError> {
        let payload_bytes: usize = frame.payload.iter().map(Bytes::len).sum();
        let before = waiting.tail.len();
        if waiting.tail.capacity() - before < 512 {
            waiting.tail.reserve(TAIL_BYTES);
        }
        let head = (frame.kind, frame.stream);
        put_frame(
            &mut waiting.tail,
            self.limits,
            head,
            frame.message,
            payload_bytes,
        )?;
        let mut pushed = waiting.tail.len() - before + payload_bytes;
        for part in frame.payload.iter().filter(|part| !part.is_empty()) {
            if part.len() < COPIED_BYTES_MAX {
                waiting.tail.extend_from_slice(part);
            } else {
                if !waiting.tail.is_empty() {
                    let head = waiting.tail.split().freeze();
                    waiting.segments.push_back(head);
                }
                waiting.segments.push_back(part.clone());
            }
        }
        waiting.given += u64::try_from(pushed).expect("a length fits 64 bits");
        if frame.alone && !waiting.writing && payload_bytes <= DIRECT_BYTES_MAX {
            pushed = self.write_directly(waiting);
        }
        if pushed > 0 {
            self.filled.notify_one();
        }
        Ok(waiting.given)
    }

    /// Writes what the socket takes now, and gives how much is left for the writer. A broken socket is the writer's to find.
    fn write_directly(&self, waiting: &mut Waiting) -> usize {
        let Waiting { segments, tail, .. } = waiting;
        let written = if segments.is_empty() {
            self.socket.try_write(tail)
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let parts = segments.iter().map(|part| &part[..]).chain([&tail[..]]);
            let filled = slices.iter_mut().zip(parts);
            let count = filled
                .map(|(slice, part)| *slice = IoSlice::new(part))
                .count();
            self.socket.try_write_vectored(&slices[..count])
        };
        if let Ok(n) = written {
            self.count(n);
            tail.advance(advance(segments, n));
        }
        segments.iter().map(Bytes::len).sum::<usize>() + tail.len()
    }

    fn count(&self, n: usize) {
        let n = u64::try_from(n).expect("a length fits 64 bits");
        self.written.fetch_add(n, Ordering::Release);
    }

    /// Bytes that the kernel has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.lock().given == self.written()
    }

    /// Returns once nothing waits.
    pub(crate) async fn flushed(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// Takes no more frames, and writes none by itself: what was not written never will be.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.drained.notify_waiters();
    }

    /// Writes what is queued, until the connection breaks.
    pub(crate) async fn write(&self) -> io::Error {
        let mut batch = VecDeque::new();
        loop {
            self.filled.notified().await;
            // The tasks that are ready have frames too: one system call for all of them.
            tokio::task::yield_now().await;
            while self.take(&mut batch) {
                if let Err(error) = self.write_batch(&mut batch).await {
                    return error;
                }
                self.drained.notify_waiters();
            }
        }
    }

    fn take(&self, batch: &mut VecDeque<Bytes>) -> bool {
        let mut waiting = self.waiting.lock();
        std::mem::swap(&mut waiting.segments, batch);
        if !waiting.tail.is_empty() {
            batch.push_back(waiting.tail.split().freeze());
        }
        waiting.writing = !batch.is_empty();
        waiting.writing
    }

    async fn write_batch(&self, batch: &mut VecDeque<Bytes>) -> io::Result<()> {
        while !batch.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = slices.iter_mut().zip(batch.iter());
            let count = filled
                .map(|(slice, part)| *slice = IoSlice::new(part))
                .count();
            match self.socket.try_write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.count(n);
                    advance(batch, n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Drops the first `n` bytes, and gives how many of them are behind the batch.
fn advance(batch: &mut VecDeque<Bytes>, mut n: usize) -> usize {
    while let Some(first) = batch.front_mut() {
        if n < first.len() {
            first.advance(n);
            return 0;
        }
        n -= first.len();
        batch.pop_front();
    }
    n
}
