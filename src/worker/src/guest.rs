//! What the host knows of one running guest.

use crate::function::Exports;
use crate::offload::Offloads;
use crate::stop::{because, fault};
use crate::wait::Waiting;
use bytes::Bytes;
use ganglion_snapshot::Slot;
use ganglion_store::{Condition, ObjectStore, Version};
use ganglion_types::{
    Ambient, Call, Error, NodeId, ObjectKey, Progress, Result, Shown, StorageCalls,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::{Memory, ResourceLimiter, StoreContextMut};

/// What a guest may reach; start-up code, which runs before any call, has none of it.
pub(crate) struct Reach {
    pub(crate) node: NodeId,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) waiting: Waiting,
    pub(crate) offloads: Arc<Offloads>,
    /// For how long after it was last certain a guest may believe that its caller still waits, in nanoseconds.
    pub(crate) trust_ns: u64,
}

/// A window that is open.
pub(crate) struct Open {
    /// Which opening of this guest it was.
    pub(crate) number: u64,
    pub(crate) shown: Shown,
}

/// Counters of what a guest did with objects.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjectUse {
    pub(crate) object_bytes: u64,
    pub(crate) moved_bytes: u64,
    pub(crate) link_ns: u64,
    pub(crate) writes: u32,
    /// Those that the guest was told of as failed, and that may succeed later.
    pub(crate) store_failures: u32,
}

impl ObjectUse {
    /// The guest is told that this came of a read or a write.
    pub(crate) fn failed(&mut self, error: &Error) {
        self.store_failures += u32::from(error.kind().may_pass());
    }
}

/// The store data of an instance.
pub(crate) struct Guest {
    pub(crate) call: Arc<Call>,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) reach: Option<Reach>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) memory: Option<Memory>,
    pub(crate) exports: Option<Arc<Exports>>,
    pub(crate) instance: Option<wasmtime::Instance>,
    pub(crate) output: Option<Bytes>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) stdin_read: usize,
    pub(crate) objects: ObjectUse,
    pub(crate) refused_growth: Option<String>,
    /// Bytes by which windows have made the memory larger; they do not count as the guest's memory.
    pub(crate) window_bytes: usize,
    pub(crate) opening_window: bool,
    pub(crate) open: Vec<Open>,
    /// Windows that were ever opened.
    pub(crate) openings: u64,
    /// The objects that it has mapped or written, as they were then; `None`: there was none.
    pub(crate) seen: HashMap<ObjectKey, Option<Version>>,
    /// Whether it was stopped because what it was about to overwrite is no longer what it had seen.
    pub(crate) overtaken: bool,
    /// When it was last certain that the caller waits: a moment of the monotonic clock.
    pub(crate) certain_ns: u64,
    /// What the call had printed before it came here.
    pub(crate) printed_before: Progress,
    pub(crate) storage_calls: StorageCalls,
}

impl Guest {
    pub(crate) fn new(
        call: Arc<Call>,
        ambient: Arc<dyn Ambient>,
        cancelled: Arc<AtomicBool>,
        slot: Arc<Slot>,
        reach: Option<Reach>,
    ) -> Self {
        Self {
            certain_ns: ambient.monotonic_ns(),
            call,
            ambient,
            cancelled,
            reach,
            slot,
            memory: None,
            exports: None,
            instance: None,
            output: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            stdin_read: 0,
            objects: ObjectUse::default(),
            refused_growth: None,
            window_bytes: 0,
            opening_window: false,
            open: Vec::new(),
            openings: 0,
            seen: HashMap::new(),
            overtaken: false,
            printed_before: Progress::default(),
            storage_calls: StorageCalls::default(),
        }
    }

    /// Whether nothing has to stop it.
    ///
    /// # Errors
    /// `Deadline`: its time is up, or its caller has gone.
    pub(crate) fn may_go_on(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::deadline("the call was cancelled by its caller"));
        }
        if self.call.deadline.as_ns() <= self.ambient.monotonic_ns() {
            return Err(Error::deadline(format!(
                "the call ran beyond its deadline, limit {} s (setting limits.call_time, or the request's deadline)",
                self.call.limits.wall.as_secs_f64()
            )));
        }
        Ok(())
    }

    /// A window was opened.
    pub(crate) fn opened(&mut self, shown: Shown) {
        self.open.push(Open {
            number: self.openings,
            shown,
        });
        self.openings += 1;
    }

    /// What must hold of an object for a write to it: that it still is as this call has seen it, where it has looked. Somebody else may
    /// have written it since, and so may this very call, at another node: its caller may have given up on this one and gone on.
    pub(crate) fn condition(&self, object: &ObjectKey) -> Condition {
        match self.seen.get(object) {
            None => Condition::None,
            Some(None) => Condition::Absent,
            Some(Some(version)) => Condition::Version(*version),
        }
    }

    /// Appends to what the guest prints on one of its two streams.
    ///
    /// # Errors
    /// Stops the guest beyond the limit.
    pub(crate) fn print(&mut self, stderr: bool, bytes: &[u8]) -> wasmtime::Result<()> {
        let (name, stream, before) = if stderr {
            ("stderr", &mut self.stderr, self.printed_before.stderr_bytes)
        } else {
            ("stdout", &mut self.stdout, self.printed_before.stdout_bytes)
        };
        let limit = self.call.limits.log_bytes;
        if before + (stream.len() + bytes.len()) as u64 > limit {
            return Err(fault(format!(
                "the function printed more than {limit} bytes on {name} (setting limits.log)"
            )));
        }
        stream.extend_from_slice(bytes);
        Ok(())
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.call.limits.memory_bytes;
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused_growth = Some("the module's own maximum of memory was reached".into());
            return Ok(false);
        }
        let heap = (desired - self.window_bytes) as u64;
        if !self.opening_window && heap > limit {
            self.refused_growth = Some(format!(
                "{heap} bytes of memory were refused, limit {limit} bytes (setting limits.memory)"
            ));
            return Ok(false);
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The table's first size was checked at the upload, and modules that grow it are refused there.
        Ok(true)
    }
}

/// The guest's memory beside the guest's own data.
///
/// # Errors
/// Only before the instance is complete, when no guest code runs.
pub(crate) fn memory_and_guest<'a>(
    context: impl Into<StoreContextMut<'a, Guest>>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut Guest)> {
    let context = context.into();
    let Some(memory) = context.data().memory else {
        return Err(because(Error::internal(
            "a host function was called before the memory was known",
        )));
    };
    Ok(memory.data_and_store_mut(context))
}

/// The bytes at a guest's pointer.
///
/// # Errors
/// Stops the guest when they lie outside of its memory.
pub(crate) fn bytes_at<'a>(
    memory: &'a mut [u8],
    pointer: u32,
    length: u32,
    function: &str,
) -> wasmtime::Result<&'a mut [u8]> {
    let size = memory.len();
    let start = pointer as usize;
    memory.get_mut(start..start + length as usize).ok_or_else(|| {
        fault(format!(
            "{function} was given {length} bytes at {pointer:#x}, outside of the memory of {size} bytes"
        ))
    })
}
