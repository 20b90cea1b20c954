//! Wasmtime's linear memories are slots: the adapter between its traits and `snapshot`.

use ganglion_registry::{Engine, Interruption, POLL_ADDRESS};
use ganglion_snapshot::{GUARD_BYTES, Image, Lease, POLL_PAGE, SLOT_BYTES, Slot, SlotPool};
use std::cell::RefCell;
use std::sync::Arc;
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

const _: () =
    assert!(POLL_PAGE.start as u64 <= POLL_ADDRESS && POLL_ADDRESS < POLL_PAGE.end as u64);

thread_local! {
    /// The slot for the memory that this thread is about to instantiate: wasmtime's trait has no other way to hand it in.
    static NEXT: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

/// The slots that every instance of an [`Engine`] lives in.
#[derive(Clone)]
pub struct EngineMemory(Arc<SlotPool>);

impl EngineMemory {
    /// `slots_max`: guests that may exist at once (setting `worker.instances`).
    pub fn new(slots_max: usize) -> Self {
        Self(SlotPool::new(slots_max))
    }

    /// Whether a slot is put back by its dirtied pages (Linux 6.7), or by dropping all.
    pub fn scans_pages(&self) -> bool {
        self.0.scans_pages()
    }

    /// Takes a slot for the next instance that this thread makes; `None` when all are in use.
    pub(crate) fn prepare(
        &self,
        image: &Arc<Image>,
    ) -> Result<Option<Arc<Slot>>, ganglion_snapshot::MapError> {
        let Some(lease) = self.0.take(image)? else {
            return Ok(None);
        };
        let slot = lease.slot();
        NEXT.with(|next| *next.borrow_mut() = Some(lease));
        Ok(Some(slot))
    }
}

/// An engine whose memories are slots of `memory`. `stack_bytes`: setting `limits.stack`; `interruption`: setting
/// `worker.interruption`.
///
/// # Errors
/// The engine's, when this machine cannot run it.
pub fn engine(
    stack_bytes: usize,
    interruption: Interruption,
    memory: &EngineMemory,
) -> wasmtime::Result<Engine> {
    Engine::with_memory(stack_bytes, interruption, Arc::new(memory.clone()))
}

// SAFETY: the memory that is returned is a slot: 4 GiB from `as_ptr` on and the guard behind them are reserved and
// inaccessible but for the first `byte_size` bytes and, in the guard, one page of zeros that can only be read (the poll
// page); no other memory has them until the lease is dropped.
unsafe impl MemoryCreator for EngineMemory {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved_size_in_bytes.is_some_and(|size| size > SLOT_BYTES)
            || guard_size_in_bytes > GUARD_BYTES
        {
            return Err("the engine asks for more addresses than a slot has".into());
        }
        let lease = NEXT.with(|next| next.borrow_mut().take());
        let lease = lease.ok_or("no slot was prepared for this instance")?;
        if lease.size_bytes() < minimum {
            return Err("the image is smaller than the module's memory".into());
        }
        Ok(Box::new(SlotMemory(lease)))
    }
}

struct SlotMemory(Lease);

// SAFETY: as for `EngineMemory`; a slot grows in place, so `as_ptr` never changes.
unsafe impl LinearMemory for SlotMemory {
    fn byte_size(&self) -> usize {
        self.0.size_bytes()
    }

    fn byte_capacity(&self) -> usize {
        SLOT_BYTES
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        Ok(self.0.grow_to(new_size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base()
    }
}
