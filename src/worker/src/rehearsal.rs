//! What a call does before its guest's own code, done for its own sake: a measurement that times calls only cannot tell it apart.

use crate::function::Function;
use crate::guest::Guest;
use crate::memory::EngineMemory;
use ganglion_types::{Ambient, Call, Result};
use std::sync::Arc;
use wasmtime::Store;

/// A function whose instances are made and never called ([`crate::Worker::rehearse`]).
pub struct Rehearsal {
    pub(crate) ready: Arc<Function>,
    /// The same function before its start-up code has run.
    pub(crate) new: Function,
    pub(crate) start_up: Vec<&'static str>,
    pub(crate) memory: EngineMemory,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) call: Arc<Call>,
}

/// An instance that is ready to be called. Dropping it puts its slot back.
pub struct Standing(#[expect(dead_code, reason = "is there to be dropped")] Store<Guest>);

impl Rehearsal {
    /// Memory that the function's image fills, in bytes.
    pub fn image_bytes(&self) -> usize {
        self.ready.image.len_bytes()
    }

    /// As each call begins: a slot with the function's image, an instance in it, its globals.
    ///
    /// # Errors
    /// `Busy` when every slot is in use.
    pub fn restore(&self) -> Result<Standing> {
        let made = self
            .ready
            .instantiate_unreached(&self.memory, &self.ambient, &self.call);
        made.map(|(store, _)| Standing(store))
    }

    /// As a call would begin if there were no images: an instance with the module's own memory, in which start function,
    /// constructors and zygote are run.
    ///
    /// # Errors
    /// As [`Rehearsal::restore`], and what the start-up code fails with.
    pub fn start(&self) -> Result<Standing> {
        let made = self
            .new
            .instantiate_unreached(&self.memory, &self.ambient, &self.call);
        let (mut store, instance) = made?;
        self.new.start_up(&mut store, instance, &self.start_up)?;
        Ok(Standing(store))
    }
}
