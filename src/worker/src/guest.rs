//! What the host knows of one running guest.

use crate::stop::{because, fault};
use crate::wait::Waiting;
use bytes::Bytes;
use ganglion_snapshot::Slot;
use ganglion_store::ObjectStore;
use ganglion_types::{Ambient, Call, Error, NodeId, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::{Caller, Memory, ModuleExport, ResourceLimiter};

/// What a guest may reach; start-up code, which runs before any call, has none of it.
pub(crate) struct Reach {
    pub(crate) node: NodeId,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) waiting: Waiting,
}

/// Counters of what a guest did with objects.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjectUse {
    pub(crate) object_bytes: u64,
    pub(crate) moved_bytes: u64,
    pub(crate) link_ns: u64,
    pub(crate) writes: u32,
}

/// The store data of an instance.
pub(crate) struct Guest {
    pub(crate) call: Arc<Call>,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) reach: Option<Reach>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) memory: Option<Memory>,
    pub(crate) table: Option<ModuleExport>,
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
            call,
            ambient,
            cancelled,
            reach,
            slot,
            memory: None,
            table: None,
            instance: None,
            output: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            stdin_read: 0,
            objects: ObjectUse::default(),
            refused_growth: None,
            window_bytes: 0,
            opening_window: false,
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

    /// Appends to what the guest prints on one of its two streams.
    ///
    /// # Errors
    /// Stops the guest beyond the limit.
    pub(crate) fn print(&mut self, stderr: bool, bytes: &[u8]) -> wasmtime::Result<()> {
        let (name, stream) = if stderr {
            ("stderr", &mut self.stderr)
        } else {
            ("stdout", &mut self.stdout)
        };
        let limit = self.call.limits.log_bytes;
        if (stream.len() + bytes.len()) as u64 > limit {
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
    caller: &'a mut Caller<'_, Guest>,
) -> wasmtime::Result<(&'a mut [u8], &'a mut Guest)> {
    let Some(memory) = caller.data().memory else {
        return Err(because(Error::internal(
            "a host function was called before the memory was known",
        )));
    };
    Ok(memory.data_and_store_mut(caller))
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
