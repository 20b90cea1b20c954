//! What a call does before its guest's own code, done for its own sake: a measurement that times calls only cannot tell it apart.

use crate::function::Function;
use crate::run::{Live, Surroundings};
use ganglion_types::{Call, Result};
use std::sync::Arc;

/// A function whose instances are made and never called ([`crate::Worker::rehearse`]).
pub struct Rehearsal {
    pub(crate) ready: Arc<Function>,
    /// The same function before its start-up code has run.
    pub(crate) new: Function,
    pub(crate) start_up: Vec<&'static str>,
    pub(crate) around: Surroundings,
    pub(crate) call: Arc<Call>,
}

/// An instance that is ready to be called. Dropping it puts its slot back.
pub struct Standing<'a>(#[expect(dead_code, reason = "is there to be dropped")] Live<'a>);

impl Rehearsal {
    /// Memory that the function's image fills, in bytes.
    pub fn image_bytes(&self) -> usize {
        self.ready.image.len_bytes()
    }

    /// As each call begins: a slot with the function's image, an instance in it, its globals.
    ///
    /// # Errors
    /// `Busy` when every slot is in use.
    pub fn restore(&self) -> Result<Standing<'_>> {
        let made = self.ready.instantiate_unreached(&self.around, &self.call);
        made.map(Standing)
    }

    /// As a call would begin if there were no images: an instance with the module's own memory, in which start function,
    /// constructors and zygote are run.
    ///
    /// # Errors
    /// As [`Rehearsal::restore`], and what the start-up code fails with.
    pub fn start(&self) -> Result<Standing<'_>> {
        let mut made = self.new.instantiate_unreached(&self.around, &self.call)?;
        let instance = made.instance;
        self.new
            .start_up(&mut made.store, instance, &self.start_up)?;
        Ok(Standing(made))
    }
}
