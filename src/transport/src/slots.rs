//! The requests of one connection that wait for their answers.
//!
//! A stream number is a slot's index and, above it, how often the slot was used: an answer that comes after its request was
//! given up finds nobody, and not the slot's next tenant. Slots are few and dense, so the other end can keep a table too.

use bytes::BytesMut;
use ganglion_wire::{Payload, message};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// An answer as it was read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: message::Answer,
    pub(crate) payload: Payload,
}

struct Waiter {
    tell: oneshot::Sender<Reply>,
    /// Where a large payload is to be read to.
    place: Option<BytesMut>,
}

#[derive(Default)]
struct Slot {
    /// Used so often; a stream number's upper half, never 0.
    uses: u32,
    waiter: Option<Waiter>,
}

#[derive(Default)]
struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    closed: bool,
}

#[derive(Default)]
pub(crate) struct Slots(Mutex<Table>);

/// The slot of a stream.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the lower half is the slot"
)]
pub(crate) fn slot_of(stream: u64) -> u32 {
    stream as u32
}

impl Table {
    fn slot(&mut self, stream: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::try_from(slot_of(stream)).ok()?)?;
        (u64::from(slot.uses) == stream >> 32).then_some(slot)
    }

    fn remove(&mut self, stream: u64) -> Option<Waiter> {
        let waiter = self.slot(stream)?.waiter.take()?;
        self.free.push(slot_of(stream));
        Some(waiter)
    }
}

impl Slots {
    /// A stream for a new request, and where its answer comes; `None` when the connection is gone.
    pub(crate) fn insert(
        &self,
        place: Option<BytesMut>,
    ) -> Option<(u64, oneshot::Receiver<Reply>)> {
        let (tell, told) = oneshot::channel();
        let mut table = self.0.lock();
        if table.closed {
            return None;
        }
        let index = match table.free.pop() {
            Some(index) => index,
            None => {
                table.slots.push(Slot::default());
                u32::try_from(table.slots.len() - 1).expect("bounded by `link.in_flight`")
            }
        };
        let slot = &mut table.slots[usize::try_from(index).expect("32 bits fit a usize")];
        slot.uses = slot.uses.checked_add(1).unwrap_or(1);
        slot.waiter = Some(Waiter { tell, place });
        Some((u64::from(slot.uses) << 32 | u64::from(index), told))
    }

    /// Hands an answer to who waits for it, if anybody still does.
    pub(crate) fn answer(&self, stream: u64, reply: Reply) {
        let waiter = self.0.lock().remove(stream);
        if let Some(waiter) = waiter {
            // A receiver that has just been dropped has sent its cancel, or is about to: there is nobody to tell.
            drop(waiter.tell.send(reply));
        }
    }

    /// Forgets a request; says whether it was still waiting.
    pub(crate) fn forget(&self, stream: u64) -> bool {
        self.0.lock().remove(stream).is_some()
    }

    /// The buffer that a request has brought for its payload.
    pub(crate) fn place(&self, stream: u64) -> Option<BytesMut> {
        let mut table = self.0.lock();
        table.slot(stream)?.waiter.as_mut()?.place.take()
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        let table = self.0.lock();
        table.free.len() == table.slots.len()
    }

    /// Takes no more, and lets everybody who waits know that no answer will come.
    pub(crate) fn close(&self) {
        let mut table = self.0.lock();
        table.closed = true;
        for slot in &mut table.slots {
            slot.waiter = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn reply() -> Reply {
        Reply {
            answer: message::Answer::default(),
            payload: Payload::Slice(Bytes::new()),
        }
    }

    #[test]
    fn a_late_answer_does_not_reach_the_next_tenant_of_its_slot() {
        let slots = Slots::default();
        let (first, _) = slots.insert(None).unwrap();
        assert!(slots.forget(first) && !slots.forget(first));
        let (second, mut told) = slots.insert(None).unwrap();
        assert_eq!(slot_of(first), slot_of(second));
        slots.answer(first, reply());
        assert!(told.try_recv().is_err());
        slots.answer(second, reply());
        assert!(told.try_recv().is_ok() && slots.is_empty());
    }

    #[test]
    fn closing_tells_all_and_takes_no_more() {
        let slots = Slots::default();
        let (_, mut told) = slots.insert(None).unwrap();
        slots.close();
        assert_eq!(
            told.try_recv().err(),
            Some(oneshot::error::TryRecvError::Closed)
        );
        assert!(slots.insert(None).is_none());
    }
}
